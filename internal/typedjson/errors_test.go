package typedjson

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	one "example.com/dynamostore/internal/typedjson/testdata/one/shop"
	two "example.com/dynamostore/internal/typedjson/testdata/two/shop"
)

// secret is a value that no error may quote.
const secret = "hunter2"

type (
	ctxKey  int
	textKey string
	Ch      chan int
	Fn      func()
	Sneaky  struct {
		A  any
		Fn func() `json:"-"`
	}
	Ratio   float64
	Numbers struct {
		F Ratio
		M map[Role]Role
		K map[any]int
		T map[time.Time]int
	}
	BadJSON struct{ S string }
	Link    struct{ URL *url.URL }
	Late    struct{ C *struct{ C chan int } }
)

func (b BadJSON) MarshalJSON() ([]byte, error) { return []byte(b.S), nil }
func (*BadJSON) UnmarshalJSON([]byte) error    { return nil }

func TestEncodeErrorsNameKeyTypeAndFix(t *testing.T) {
	const notUTF8 = `under key "n": the type typedjson.Numbers holds a string that is not valid UTF-8, or map keys that JSON cannot tell apart`
	c := mustNew(t, Sneaky{}, Failing{}, one.Cart{}, Numbers{}, BadJSON{}, Link{}, Late{}, Box[time.Time]{}, Box[hollow]{}, Fn(nil))
	for _, test := range []struct {
		values map[any]any
		want   string
	}{
		{map[any]any{"cart": Cart{Hidden: secret, secret: secret}}, `under key "cart": the type typedjson.Cart is not listed; add new(typedjson.Cart) to JSONCodec.Types`},
		{map[any]any{"cart": &Cart{}}, `under key "cart": the type *typedjson.Cart is not listed; add new(typedjson.Cart) to JSONCodec.Types`},
		{map[any]any{"cart": []Cart{}}, `under key "cart": the type []typedjson.Cart is not listed; add new(typedjson.Cart) to JSONCodec.Types`},
		{map[any]any{"cart": map[string]*Cart{secret: nil}}, `under key "cart": the type map[string]*typedjson.Cart is not listed; add new(typedjson.Cart) to JSONCodec.Types`},
		{map[any]any{"r": Role(secret)}, `under key "r": the type typedjson.Role is not listed; add new(typedjson.Role) to JSONCodec.Types`},
		{map[any]any{"l": Level(1)}, `under key "l": the type typedjson.Level is not listed; add new(typedjson.Level) to JSONCodec.Types`},
		{map[any]any{"f": Flag(true)}, `under key "f": the type typedjson.Flag is not listed; add new(typedjson.Flag) to JSONCodec.Types`},
		{map[any]any{"p": Pointer(nil)}, `under key "p": the type typedjson.Pointer is not listed; add new(typedjson.Pointer) to JSONCodec.Types`},
		{map[any]any{"p": ptr(1)}, `under key "p": the type *int is not listed; add new(int) to JSONCodec.Types`},
		{map[any]any{"p": []*time.Time{}}, `under key "p": the type []*time.Time is not listed; add new(time.Time) to JSONCodec.Types`},
		{map[any]any{"m": map[Role]Item{secret: {}}}, `under key "m": the type map[typedjson.Role]typedjson.Item has no name; declare one, as in type X map[typedjson.Role]typedjson.Item, store that, and list it in JSONCodec.Types`},
		{map[any]any{"s": struct{ A string }{secret}}, `under key "s": the type struct { A string } has no name; declare one, as in type X struct { A string }, store that, and list it in JSONCodec.Types`},
		{map[any]any{"e": []error{errors.New(secret)}}, `under key "e": the type []error cannot be stored; use any for its elements`},
		{map[any]any{"c": make(chan int)}, `under key "c": the type chan int cannot be stored`},
		{map[any]any{"c": Ch(nil)}, `under key "c": the type typedjson.Ch cannot be stored`},
		{map[any]any{"f": func() {}}, `under key "f": the type func() cannot be stored`},
		{map[any]any{"f": []func(){}}, `under key "f": the type []func() cannot be stored`},
		{map[any]any{"deep": []any{map[string]any{secret: Sneaky{A: []any{1, make(chan int), Cart{}}}}}}, `under key "deep": the type chan int cannot be stored`},
		{map[any]any{ctxKey(3): secret}, `a key has the type typedjson.ctxKey; use a string`},
		{map[any]any{true: 1}, `a key has the type bool; use a string`},
		{map[any]any{textKey(secret): 1}, `a key has the type typedjson.textKey; use a string`},
		{map[any]any{[1]string{secret}: 1}, `a key has the type [1]string; use a string`},
		{map[any]any{nil: 1}, `a key has the type <nil>; use a string`},
		{map[any]any{"f": Failing{secret}}, `under key "f": the type typedjson.Failing could not encode itself`},
		{map[any]any{"f": []*Failing{{secret}}}, `under key "f": the type typedjson.Failing could not encode itself`},
		{map[any]any{"f": Sneaky{A: &Failing{secret}}}, `under key "f": the type typedjson.Failing could not encode itself`},
		{map[any]any{"e": two.Cart{}}, `under key "e": the type shop.Cart has the name of a listed type; declare another, as in type X shop.Cart, store that, and list it in JSONCodec.Types`},
		{map[any]any{"n": Numbers{F: Ratio(math.NaN())}}, `under key "n": the type typedjson.Numbers holds a typedjson.Ratio, which is NaN or infinite`},
		{map[any]any{"n": Numbers{M: map[Role]Role{secret + "\xff": ""}}}, notUTF8},
		{map[any]any{"n": &Numbers{M: map[Role]Role{"a": secret + "\xff"}}}, notUTF8},
		{map[any]any{"n": Numbers{K: map[any]int{3: 1}}}, `under key "n": the type typedjson.Numbers holds a *interface {}, which has no JSON form`},
		{map[any]any{"n": Numbers{K: map[any]int{"a": 1, "b": 2, Lower{"a"}: 3}}}, `under key "n": the type typedjson.Lower is not listed; add new(typedjson.Lower) to JSONCodec.Types`},
		{map[any]any{"n": Numbers{T: map[time.Time]int{time.Unix(1, 0).UTC(): 1, time.Unix(1, 0).In(time.FixedZone("", 1)): 1}}}, notUTF8},
		{map[any]any{"j": BadJSON{secret}}, `under key "j": the type typedjson.BadJSON could not encode itself`},
		{map[any]any{"u": Link{&url.URL{User: url.User(secret)}}}, `under key "u": the type typedjson.Link holds a url.Userinfo, which cannot be stored: Go struct has no exported fields`},
		{map[any]any{"d": Box[hollow]{}}, `under key "d": the type typedjson.Box[example.com/dynamostore/internal/typedjson.hollow] holds a typedjson.hollow, which cannot be stored: Go struct has no exported fields`},
		{map[any]any{"l": []Fn{nil}}, `under key "l": the type typedjson.Fn has no JSON form`},
		{map[any]any{"e": errors.New(secret)}, `under key "e": the type *errors.errorString cannot be stored; use the text of the error`},
		{map[any]any{"u": Late{&struct{ C chan int }{}}}, `under key "u": the type typedjson.Late holds a chan int, which has no JSON form`},
		{map[any]any{"at": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, `under key "at": a time.Time is outside the years 0 to 9999`},
		{map[any]any{"at": Box[time.Time]{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}}, `under key "at": a time.Time is outside the years 0 to 9999`},
		{map[any]any{"b": ctxKey(1), 1: 1, "a": []any{ctxKey(1), ctxKey(2)}, 0: 2}, "a key has the type int; use a string\nunder key \"a\": the type typedjson.ctxKey is not listed; add new(typedjson.ctxKey) to JSONCodec.Types\nunder key \"b\": the type typedjson.ctxKey is not listed; add new(typedjson.ctxKey) to JSONCodec.Types"},
	} {
		data, err := c.Encode(test.values)
		if err == nil || data != nil {
			t.Errorf("Encode returned %s, %v, want the error\n%s", data, err, test.want)
			continue
		}
		if err.Error() != test.want {
			t.Errorf("error\n%s\nwant\n%s", err, test.want)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a value: %v", err)
		}
	}
	// The Codec goes on as before.
	if data, err := c.Encode(map[any]any{"a": 1}); err != nil || string(data) != `{"a":1}` {
		t.Errorf("after errors: %s, %v", data, err)
	}
}

func TestDecodeErrorsQuoteNothing(t *testing.T) {
	c := mustNew(t, Cart{}, Everything{}, Tags{}, Grid{}, Counts{}, Failing{}, Temp{}, Node{}, Tree{}, Maybe{})
	const notSession = "it is not the JSON of a session's values"
	for _, test := range []struct{ json, want string }{
		{``, notSession},
		{`{`, notSession},
		{`{"hunter2`, notSession},
		{`{"a":{"`, notSession},
		{`{"a":{"$`, notSession},
		{`{"a":"hunter2\`, notSession},
		{`{"a":"\u12`, notSession},
		{`{"a":1`, notSession},
		{`[1]`, notSession},
		{`null`, notSession},
		{` "hunter2"`, notSession},
		{`hunter2`, notSession},
		{`{}hunter2`, notSession},
		{`{} {}`, notSession},
		{"\xef\xbb\xbf{}", notSession},
		{`{"a":1,}`, notSession},
		{`{"a":[1,]}`, notSession},
		{`{"a" 1}`, notSession},
		{`{"a":01}`, notSession},
		{`{"a":NaN}`, notSession},
		{`{"a":'hunter2'}`, notSession},
		{"{\"a\":\"hunter2\n\"}", notSession},
		{`{"a":"\ud800"}`, notSession},
		{"{\"a\":\"hunter2\xff\"}", notSession},
		{"{\"hunter2\xff\":1}", notSession},
		{`{"a":1e400}`, notSession},
		{`{"hunter2":1,"hunter2":2}`, notSession},
		{`{"a":{"hunter2":1,"hunter2":2}}`, notSession},
		{`{"a":{"x":1,"\u0078":2}}`, notSession},
		{`{"$base64:!":1}`, notSession},
		{`{"a":{"$hunter2":1}}`, notSession},
		{`{"a":{"$hunter2.com hunter2":1}}`, notSession},
		{`{"a":{"$ref":1,"b":2}}`, notSession},
		{`{"a":{"$":1}}`, notSession},
		{`{"a":{"$shop.Cart":"hunter2"}}`, `it holds a type "shop.Cart" that JSONCodec.Types does not list`},
		{`{"a":{"$[]*shop.Cart":["hunter2"]}}`, `it holds a type "[]*shop.Cart" that JSONCodec.Types does not list`},
		{`{"a":{"$map[string]*example.com/shop-2/v2.Cart":["hunter2"]}}`, `it holds a type "map[string]*example.com/shop-2/v2.Cart" that JSONCodec.Types does not list`},
		{`{"a":[{"$int64":1,"hunter2":2}]}`, notSession},
		{`{"a":{"$int64":"hunter2"}}`, `it holds a value that is not a valid int64`},
		{`{"a":{"$int64":1.0}}`, `it holds a value that is not a valid int64`},
		{`{"a":{"$int64":}}`, notSession},
		{`{"a":{"$int64"}}`, notSession},
		{`{"a":{"$int8":128}}`, `it holds a value that is not a valid int8`},
		{`{"a":{"$uint8":-1}}`, `it holds a value that is not a valid uint8`},
		{`{"a":{"$float32":1e39}}`, `it holds a value that is not a valid float32`},
		{`{"a":{"$float64":"hunter2"}}`, `it holds a value that is not a valid float64`},
		{`{"a":{"$float64":true}}`, `it holds a value that is not a valid float64`},
		{`{"a":{"$complex64":[1]}}`, `it holds a value that is not a valid complex64`},
		{`{"a":{"$complex128":{}}}`, `it holds a value that is not a valid complex128`},
		{`{"a":{"$bool":"hunter2"}}`, `it holds a value that is not a valid bool`},
		{`{"a":{"$string":"$base64:hunter2"}}`, `it holds a value that is not a valid string`},
		{`{"a":{"$string":7}}`, `it holds a value that is not a valid string`},
		{`{"a":{"$[]string":["a",1]}}`, `it holds a value that is not a valid []string`},
		{`{"a":{"$[]string":[{"$int64":1}]}}`, `it holds a value that is not a valid []string`},
		{`{"a":{"$[]string":{}}}`, `it holds a value that is not a valid []string`},
		{`{"a":{"$[]string":["a"}}`, notSession},
		{`{"a":{"$map":[]}}`, `it holds a value that is not a valid map[string]interface {}`},
		{`{"a":{"$map":{"a":1,"a":1}}}`, notSession},
		{`{"a":{"$[]byte":"hunter2"}}`, `it holds a value that is not a valid []uint8`},
		{`{"a":{"$time":"hunter2"}}`, `it holds a value that is not a valid time.Time`},
		{`{"a":{"$time":"2026-02-29T00:00:00Z"}}`, `it holds a value that is not a valid time.Time`},
		{`{"a":{"$time":1}}`, `it holds a value that is not a valid time.Time`},
		{`{"a":{"$duration":"hunter2"}}`, `it holds a value that is not a valid time.Duration`},
		{`{"a":{"$duration":1}}`, `it holds a value that is not a valid time.Duration`},
		{`{"a":{"$typedjson.Cart":[]}}`, `it holds a value that is not a valid typedjson.Cart`},
		{`{"a":{"$typedjson.Cart":{"Count":"hunter2"}}}`, `it holds a value that is not a valid typedjson.Cart`},
		{`{"a":{"$typedjson.Cart":{"Count":1,"Count":1}}}`, notSession},
		{`{"a":{"$typedjson.Cart":{"gone":{"a":1,"a":1}}}}`, notSession},
		{`{"a":{"$typedjson.Cart":{"gone":[hunter2]}}}`, notSession},
		{`{"a":{"$[]typedjson.Cart":{"hunter2":1}}}`, `it holds a value that is not a valid []typedjson.Cart`},
		{`{"a":{"$typedjson.Cart":{"Extra":{"$hunter2":1}}}}`, notSession},
		{`{"a":{"$typedjson.Grid":[1,2,3]}}`, `it holds a value that is not a valid typedjson.Grid`},
		{`{"a":{"$typedjson.Counts":{"a":1,"a":2}}}`, notSession},
		{`{"a":{"$typedjson.Everything":{"Ints":{"hunter2":"a"}}}}`, `it holds a value that is not a valid typedjson.Everything`},
		{`{"a":{"$typedjson.Everything":{"For":"hunter2"}}}`, `it holds a value that is not a valid typedjson.Everything`},
		{`{"a":{"$typedjson.Failing":"hunter2"}}`, `it holds a value that is not a valid typedjson.Failing`},
		{`{"a":{"$typedjson.Temp":"hunter2"}}`, `it holds a value that is not a valid typedjson.Temp`},
		{`{"a":{"$typedjson.Maybe":hunter2}}`, notSession},
		{`{"a":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`, notSession},
		{`{"a":` + strings.Repeat("[", 1<<20), notSession},
		{strings.Repeat(`{"a":`, 1<<20), notSession},
		{strings.Repeat(`{"$map":`, 1<<18), notSession},
		{`{"a":` + strings.Repeat(`{"$[]any":[`, 1<<17), notSession},
		{`{"a":` + strings.Repeat(`{"$typedjson.Node":{"Value":`, 1<<17), notSession},
		{`{"a":{"$typedjson.Tree":` + strings.Repeat("[", 1<<20), notSession},
		{`{"a":{"$typedjson.Node":` + strings.Repeat(`{"Next":`, 1<<18), notSession},
		{`{"a":{"$typedjson.Cart":{"gone":` + strings.Repeat(`[`, 1<<20), notSession},
	} {
		shown := test.json[:min(len(test.json), 60)]
		out, err := c.Decode([]byte(test.json))
		if err == nil {
			t.Errorf("%s\ndecodes as %#v, want the error\n%s", shown, out, test.want)
			continue
		}
		if err.Error() != test.want {
			t.Errorf("%s error\n%s\nwant\n%s", shown, err, test.want)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s\nthe error quotes the input: %v", shown, err)
		}
	}
}

func TestDepth(t *testing.T) {
	c := testCodec(t)
	for _, test := range []struct {
		name   string
		levels int // of JSON, for each of the values
		wrap   func(inner any) any
	}{
		{"slices", 1, func(inner any) any { return []any{inner} }},
		{"maps", 1, func(inner any) any { return map[string]any{"a": inner} }},
		{"maps like tagged values", 2, func(inner any) any { return map[string]any{"$map": inner} }},
		{"slices of maps", 3, func(inner any) any { return []map[string]any{{"a": inner}} }},
		{"structs", 2, func(inner any) any { return Node{Value: inner} }},
		{"pointers to structs", 2, func(inner any) any { return &Node{Value: inner} }},
		{"slices of structs", 3, func(inner any) any { return []Node{{Value: inner}} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var v any = "bottom"
			for range (maxDepth - 1) / test.levels {
				v = test.wrap(v)
			}
			data, err := c.Encode(map[any]any{"k": v})
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.Decode(data)
			if err != nil || !reflect.DeepEqual(out["k"], v) {
				t.Errorf("decoded something else, %v", err)
			}
			for range test.levels {
				v = test.wrap(v)
			}
			if _, err := c.Encode(map[any]any{"k": v}); err == nil || err.Error() != `under key "k": `+string(errTooDeep) {
				t.Errorf("deeper: %v", err)
			}
		})
	}
	// What DecodeForeign accepts, the next Save can write.
	for _, depth := range []int{maxDepth / 2, maxDepth/2 + 1} {
		out, err := c.DecodeForeign([]byte(strings.Repeat(`{"$":`, depth) + `{}` + strings.Repeat(`}`, depth)))
		if depth > maxDepth/2 {
			if err == nil || err.Error() != string(errNotSession) {
				t.Errorf("foreign JSON %d deep: %v", depth, err)
			}
		} else if _, err2 := c.Encode(out); err != nil || err2 != nil {
			t.Errorf("foreign JSON %d deep: %v, %v", depth, err, err2)
		}
	}
	for _, data := range []string{strings.Repeat(`[`, 1<<20), strings.Repeat(`{"a":`, 1<<20), `{"a":` + strings.Repeat(`[`, 1<<20)} {
		if _, err := c.DecodeForeign([]byte(data)); err == nil {
			t.Error("very deep foreign JSON was decoded")
		}
	}
}

func TestValuesThatContainThemselvesAreErrors(t *testing.T) {
	type (
		Map  map[string]Map
		Maps map[string]any
	)
	c := mustNew(t, Node{}, Tree{}, Map{}, Maps{}, Cart{}, ring{})
	node := &Node{}
	node.Next = node
	value := &Node{}
	value.Value = []any{value, value}
	nodes := []*Node{{}}
	nodes[0].Value = nodes
	wide := make([]any, 1000)
	for i := range wide {
		wide[i] = wide
	}
	tree := Tree{nil, nil}
	tree[0], tree[1] = tree, tree
	object := map[string]any{}
	object["a"], object["b"] = object, object
	tagged := map[string]any{}
	tagged["$a"] = tagged
	objects := []map[string]any{{}}
	objects[0]["a"] = objects
	named := Map{}
	named["a"] = named
	names := Maps{}
	names["a"] = []any{names}
	cart := Cart{}
	cart.Extra = map[string]any{"a": &cart}
	iface := &ring{}
	iface.Next = iface
	heavy := []any{strings.Repeat("x", 10_000), nil}
	heavy[1] = heavy
	for name, v := range map[string]any{"pointer": node, "interface": value, "slice of pointers": nodes, "wide": wide, "tree": tree, "object": object,
		"tagged object": tagged, "objects": objects, "named map": named, "named map of any": names, "struct": cart, "any": iface, "heavy": heavy} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Encode(map[any]any{"k": v})
			if err == nil || err.Error() != `under key "k": `+string(errTooDeep) {
				t.Errorf("error %v", err)
			}
		})
	}
}

type (
	ring      struct{ Next any }
	stringers struct{ M map[string][]fmt.Stringer }
	embedded  struct{ fmt.Stringer }
	ignored   struct {
		fmt.Stringer `json:"-"`
		A            int
	}
	hollow    struct{ n int }
	farHollow struct {
		In   *hollow
		Ins  []hollow
		Omit func() `json:",omitzero"`
	}
	doubled struct {
		A int `json:"B"`
		B int
	}
	Loop     *Loop
	LoopA    *LoopB
	LoopB    *LoopA
	inLoop   struct{ L []map[string]Loop }
	Half     struct{ Password string }
	TextHalf struct{ Password string }
	inHalf   struct{ H map[string]*Half }
	unusable struct {
		H  Half `json:"-"`
		th TextHalf
	}
)

func (Half) MarshalJSON() ([]byte, error)      { return []byte(`"***"`), nil }
func (*TextHalf) MarshalText() ([]byte, error) { return []byte(`***`), nil }

func TestNewRefusesTypes(t *testing.T) {
	local := func() any { type Local struct{ A int }; return Local{} }()
	other := func() any { type Local struct{ B int }; return Local{} }()
	for _, test := range []struct {
		types []any
		want  string
	}{
		{[]any{1, nil}, `value 2 of the list is nil; list a value of the type, as in T{} or (*T)(nil)`},
		{[]any{struct{ X int }{}}, `the type struct { X int } has no name; declare one, as in type X struct { X int }, and list that`},
		{[]any{[][]Cart{}}, `the type [][]typedjson.Cart has no name; declare one, as in type X [][]typedjson.Cart, and list that`},
		{[]any{new(**Cart)}, `the type ***typedjson.Cart has no name; declare one, as in type X ***typedjson.Cart, and list that`},
		{[]any{[]any{}, map[int]Cart{}}, `the type map[int]typedjson.Cart has no name; declare one, as in type X map[int]typedjson.Cart, and list that`},
		{[]any{(*fmt.Stringer)(nil)}, `the type fmt.Stringer is an interface; list the types that it holds`},
		{[]any{stringers{}}, `the type typedjson.stringers holds a fmt.Stringer, an interface that cannot be decoded; use any, or tag the field json:"-"`},
		{[]any{embedded{}}, "the type typedjson.embedded cannot be stored: embedded Go struct field Stringer of non-struct type must be explicitly given a JSON name\n" + `the type typedjson.embedded holds a fmt.Stringer, an interface that cannot be decoded; use any, or tag the field json:"-"`},
		{[]any{local, other}, `two listed types are called typedjson.Local; declare another name for one, as in type X typedjson.Local, store that, and list it`},
		{[]any{one.Cart{}, &two.Cart{}, one.Cart{}}, `two listed types are called shop.Cart; declare another name for one, as in type X shop.Cart, store that, and list it`},
		{[]any{hollow{n: 1}}, `the type typedjson.hollow cannot be stored: Go struct has no exported fields`},
		{[]any{doubled{}}, `the type typedjson.doubled cannot be stored: Go struct fields A and B conflict over JSON object name "B"`},
		{[]any{Loop(nil)}, `the type typedjson.Loop is a pointer to itself`},
		{[]any{LoopA(nil)}, `the type typedjson.LoopA is a pointer to itself`},
		{[]any{inLoop{}}, `the type typedjson.Loop is a pointer to itself`},
		{[]any{Half{}}, `the type typedjson.Half has a method to encode itself and none to decode itself; add UnmarshalJSON or UnmarshalText`},
		{[]any{&TextHalf{}}, `the type typedjson.TextHalf has a method to encode itself and none to decode itself; add UnmarshalJSON or UnmarshalText`},
		{[]any{inHalf{}}, `the type typedjson.Half has a method to encode itself and none to decode itself; add UnmarshalJSON or UnmarshalText`},
		{[]any{nil, struct{}{}, hollow{}, hollow{}}, "the type struct {} has no name; declare one, as in type X struct {}, and list that\nthe type typedjson.hollow cannot be stored: Go struct has no exported fields\nvalue 1 of the list is nil; list a value of the type, as in T{} or (*T)(nil)"},
	} {
		c, err := New(test.types...)
		if err == nil || c != nil {
			t.Errorf("New(%T) returned no error, want\n%s", test.types, test.want)
		} else if err.Error() != test.want {
			t.Errorf("New error\n%s\nwant\n%s", err, test.want)
		}
	}
}

func TestNewAcceptsTypes(t *testing.T) {
	for _, types := range [][]any{
		nil,
		{1, "", true, 1.5, []string{}, []any{}, map[string]any{}, []map[string]any{}, time.Time{}, &time.Time{}, time.Second, []byte{}, complex64(1)},
		{Cart{}, &Cart{}, (*Cart)(nil), []Cart{}, []*Cart{}, map[string]Cart{}, map[string]*Cart{}},
		{ignored{}, farHollow{}, unusable{th: TextHalf{}}, url.URL{}},
	} {
		if _, err := New(types...); err != nil {
			t.Errorf("New(%T): %v", types, err)
		}
	}
}
