package dynamostore_test

import (
	"encoding/gob"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"

	"example.com/dynamostore"
)

type (
	unregistered           struct{ Secret string }
	unregisteredFlag       bool
	unregisteredLevel      int8
	unregisteredRole       string
	unregisteredList       []string
	unregisteredBox[T any] struct{ Value T }
	unregisteredError      struct{ Secret string }
	registered             struct{ Value any }
	failing                struct{ Secret string }
)

func (unregisteredError) Error() string { return "secret" }

func (f failing) GobEncode() ([]byte, error)   { return nil, errors.New(f.Secret) }
func (f *failing) GobDecode(data []byte) error { return nil }

func TestGobErrorsSayWhatToDo(t *testing.T) {
	gob.Register(registered{})
	gob.Register(failing{})
	const pkg = "dynamostore_test."
	text := "secret"
	register := func(sample string) string { return "call gob.Register(" + sample + ") before the first request" }
	list := []any{1, nil}
	list[1] = list
	ring := &registered{}
	ring.Value = ring
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"struct", unregistered{text}, "gob does not know the type " + pkg + "unregistered; " + register(pkg+"unregistered{}")},
		{"pointer to a struct", &unregistered{text}, "gob does not know the type *" + pkg + "unregistered; " + register("&"+pkg+"unregistered{}")},
		{"pointer to a pointer to a struct", ref(&unregistered{text}), register("new(*" + pkg + "unregistered)")},
		{"in a list", []any{1, nil, (*int)(nil) == nil, &unregistered{text}}, register("&" + pkg + "unregistered{}")},
		{"in a field", registered{&unregistered{text}}, register("&" + pkg + "unregistered{}")},
		{"in a registered type in a list", []any{registered{[]any{unregistered{text}}}}, register(pkg + "unregistered{}")},
		{"bool", unregisteredFlag(true), register(pkg + "unregisteredFlag(false)")},
		{"number", unregisteredLevel(1), register(pkg + "unregisteredLevel(0)")},
		{"string", unregisteredRole(text), register(pkg + `unregisteredRole("")`)},
		{"pointer to a string", ref(unregisteredRole(text)), register("new(" + pkg + "unregisteredRole)")},
		{"slice", unregisteredList{text}, register(pkg + "unregisteredList{}")},
		{"pointer to a slice", &unregisteredList{text}, register("&" + pkg + "unregisteredList{}")},
		{"map", map[string]*unregistered{"k": {text}}, register("map[string]*" + pkg + "unregistered{}")},
		{"map of any", map[int]any{1: text}, register("map[int]any{}")},
		{"generic", unregisteredBox[registered]{}, register(pkg + "unregisteredBox[" + pkg + "registered]{}")},
		{"function", func() {}, "type func() cannot be stored: a func is not data"},
		{"function in a list", []any{func() {}}, "type func() cannot be stored: a func is not data"},
		{"functions", []func(){nil}, "type []func() cannot be stored: a func is not data"},
		{"channel", make(chan int), "type chan int cannot be stored: a chan is not data"},
		{"error", errors.New(text), "type *errors.errorString cannot be stored: store the text of the error instead"},
		{"wrapped error", fmt.Errorf("%w", errors.New(text)), "type *fmt.wrapError cannot be stored: store the text of the error instead"},
		{"unexported error", unregisteredError{text}, "type " + pkg + "unregisteredError cannot be stored: store the text of the error instead"},
		{"exported error", &url.Error{URL: text}, register("&url.Error{}")},
		{"no exported fields", sync.Mutex{}, "type sync.Mutex cannot be stored: it has no exported fields"},
		{"encodes itself", big.NewInt(7), register("&big.Int{}")},
		{"fails to encode itself", failing{text}, "type " + pkg + "failing: its method GobEncode or MarshalBinary failed; the error is not shown"},
		{"fails to encode itself in a list", []any{failing{text}}, "type []interface {}: its method GobEncode or MarshalBinary failed; the error is not shown"},
		{"list that contains itself", list, "type []interface {}: the value contains itself"},
		{"pointer that contains itself", ring, "type *" + pkg + "registered: the value contains itself"},
		{"map with a key that contains itself", map[*registered]int{ring: 1}, "type map[*" + pkg + "registered]int: the value contains itself"},
	} {
		data, err := dynamostore.GobCodec{}.Encode(map[any]any{"the key": test.value, "other": 1})
		if data != nil || err == nil || !strings.HasPrefix(err.Error(), `under key "the key"`) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Encode returns %q and the error %v, want one of the key that says %q", test.name, data, err, test.want)
		} else if strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error %q holds a value", test.name, err)
		}
	}
	// Several mistakes are reported together, and keys that are not strings are not shown.
	_, err := dynamostore.GobCodec{}.Encode(map[any]any{"a": unregistered{text}, unregisteredRole(text): 1, "b": func() {}})
	for _, want := range []string{`under key "a": `, `under key "b": `, "under a key of type " + pkg + "unregisteredRole: "} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), text) {
			t.Errorf("three mistakes: error %v does not say %q", err, want)
		}
	}
}

func ref[T any](v T) *T { return &v }
