package dynamostore

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"go/token"
	"io"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"example.com/dynamostore/internal/envelope"
	"example.com/dynamostore/internal/gobread"
	"example.com/dynamostore/internal/sessiondb"
	"example.com/dynamostore/internal/snapshot"
	"example.com/dynamostore/internal/typedjson"
)

// A Codec turns a session's values into bytes and back. This package has [GobCodec] and
// [JSONCodec]; an application may provide its own:
//
//   - A Codec must be safe for concurrent use.
//   - Decode must return values equal to those that Encode was given, and again for the same data:
//     Save compares the session's values with a copy of what Decode returned, or with a second
//     Decode if they cannot be copied, to find out whether the session changed.
//   - Decode must not keep or change data, and Encode must not keep or change what it returned.
//   - The data comes from the table, so Decode must refuse what Encode does not write. Its errors
//     are not shown, since they may quote the data.
//   - Save returns the errors of Encode, so they should name keys and types but no values.
type Codec interface {
	// Name returns the codec's name. It is stored in the item's codec attribute and selects the
	// Codec that decodes the item. It must not be empty or contain "+".
	Name() string
	// Encode returns values as bytes. values is not nil.
	Encode(values map[any]any) ([]byte, error)
	// Decode returns the values that Encode encoded. The caller may change the map.
	Decode(data []byte) (map[any]any, error)
}

// compiled returns the codec that a Store uses in place of codec: this package's codecs do some of
// their work once, in New. Any other codec is returned unchanged, including a type that embeds one
// of them.
func compiled(codec Codec) (Codec, error) {
	switch c := codec.(type) {
	case nil:
		return nil, errors.New("is nil; want a Codec, such as GobCodec{}")
	case GobCodec, *GobCodec:
		return compiledGob{}, nil
	case JSONCodec:
		return c.compile()
	case *JSONCodec:
		return c.compile()
	}
	if name := codec.Name(); name == "" || envelope.Codec(name) != name || !utf8.ValidString(name) {
		return nil, fmt.Errorf("its name is %q; want a name that is not empty and has no \"+\"", name)
	}
	return codec, nil
}

// GobCodec encodes sessions with [encoding/gob], as gorilla's own stores do. Keys and values may be
// of any type that gob supports. Every program that reads a session must first register the types
// in it with [gob.Register], except Go's basic types; [time.Time] must be registered.
//
// Package encoding/gob is not hardened against hostile input. If others can write to the table, set
// Config.EncryptionKeys or use [JSONCodec].
type GobCodec struct{}

// Name returns "gob".
func (GobCodec) Name() string { return "gob" }

var gobBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Encode returns values as a gob. Its errors name the key and the type, and suggest a fix. A value
// that contains itself is an error.
func (GobCodec) Encode(values map[any]any) ([]byte, error) {
	if err := snapshot.CheckCycles(values); err != nil { // encoding/gob would overflow the stack
		return nil, err
	}
	b := gobBuffers.Get().(*bytes.Buffer)
	b.Reset()
	defer func() {
		if b.Cap() <= 64<<10 {
			gobBuffers.Put(b)
		}
	}()
	err := gob.NewEncoder(b).Encode(values)
	if err == nil {
		return bytes.Clone(b.Bytes()), nil
	}
	// encoding/gob does not name the key.
	var errs []error
	for k, v := range values {
		if err := gobError(k, v); err != nil {
			errs = append(errs, err)
		}
	}
	if errs == nil {
		return nil, withoutValue(err)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return nil, errors.Join(errs...)
}

// gobError returns an error that says why encoding/gob refuses a key and its value, or nil.
func gobError(k, v any) error {
	err := gob.NewEncoder(io.Discard).Encode(map[any]any{k: v})
	if err == nil {
		return nil
	}
	name, unregistered := strings.CutPrefix(err.Error(), "gob: type not registered for interface: ")
	if !unregistered {
		return fmt.Errorf("under %s, type %T: %w", snapshot.KeyName(k), v, withoutValue(err))
	}
	t := dynamicType(reflect.ValueOf([]any{k, v}), name)
	if t == nil {
		return fmt.Errorf("under %s: gob does not know the type %s; call gob.Register with a value of it before the first request", snapshot.KeyName(k), name)
	}
	if reason := notStorable(t); reason != "" {
		return fmt.Errorf("under %s: type %v cannot be stored: %s", snapshot.KeyName(k), t, reason)
	}
	return fmt.Errorf("under %s: gob does not know the type %v; call gob.Register(%s) before the first request", snapshot.KeyName(k), t, sampleOf(t))
}

// dynamicType searches v for an interface that holds a value of the named type or a pointer to one,
// and returns the interface's dynamic type, or nil. Errors of encoding/gob do not say whether it is
// a pointer.
func dynamicType(v reflect.Value, name string) (found reflect.Type) {
	left := 100_000 // ends the search even if a value that encodes itself is cyclic
	var search func(v reflect.Value) bool
	search = func(v reflect.Value) bool {
		left--
		switch {
		case left < 0:
			return false
		case !v.IsValid() || !v.CanInterface(): // nil, or unexported
			return true
		case v.Kind() == reflect.Interface && !v.IsNil() && strings.TrimLeft(v.Elem().Type().String(), "*") == name:
			found = v.Elem().Type()
			return false
		}
		return snapshot.Parts(v, search)
	}
	search(v)
	return found
}

// notStorable returns why registering t would not help, or "".
func notStorable(t reflect.Type) string {
	base := t
	for base.Name() == "" && slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map}, base.Kind()) {
		base = base.Elem()
	}
	p := reflect.PointerTo(base)
	switch {
	case base.Kind() == reflect.Func || base.Kind() == reflect.Chan:
		return "a " + base.Kind().String() + " is not data"
	case t.Implements(reflect.TypeFor[error]()) && !token.IsExported(base.Name()):
		return "store the text of the error instead"
	case p.Implements(reflect.TypeFor[gob.GobEncoder]()) || p.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()):
		return ""
	case base.Kind() == reflect.Struct && !slices.ContainsFunc(reflect.VisibleFields(base), func(f reflect.StructField) bool { return f.IsExported() }):
		return "it has no exported fields, and no method GobEncode or MarshalBinary"
	}
	return ""
}

// sampleOf returns a Go expression of type t.
func sampleOf(t reflect.Type) string {
	// Go code uses neither the import paths that type arguments have here, nor "main." in package
	// main.
	name := regexp.MustCompile(`([\w.~-]+/)+|\bmain\.`).ReplaceAllString(t.String(), "")
	name = strings.ReplaceAll(name, "interface {}", "any")
	switch kind := t.Kind(); {
	case kind == reflect.Pointer && slices.Contains([]reflect.Kind{reflect.Struct, reflect.Map, reflect.Slice, reflect.Array}, t.Elem().Kind()):
		return "&" + sampleOf(t.Elem())
	case kind == reflect.Pointer:
		return "new(" + strings.TrimPrefix(name, "*") + ")"
	case kind == reflect.String:
		return name + `("")`
	case kind == reflect.Bool:
		return name + "(false)"
	case kind < reflect.Array: // a number
		return name + "(0)"
	}
	return name + "{}"
}

// withoutValue returns err if it is encoding/gob's own, which only names types. It replaces the
// error of a type's method, which may quote the value.
func withoutValue(err error) error {
	for _, own := range []string{"gob: ", "gob NewTypeObject ", "can't represent recursive pointer type "} {
		if strings.HasPrefix(err.Error(), own) {
			return err
		}
	}
	return errors.New("its method GobEncode or MarshalBinary failed; the error is not shown, since it may quote the value")
}

// Decode returns the values of a gob that Encode, or another store, wrote.
func (GobCodec) Decode(data []byte) (values map[any]any, err error) {
	defer func() {
		// gob panics if a key is of a type that cannot be a map key, such as a slice. Encode never
		// writes that.
		if p := recover(); p != nil {
			if err, ok := p.(runtime.Error); !ok || !strings.Contains(err.Error(), "unhashable") {
				panic(p)
			}
			values, err = nil, errNoGob
		}
	}()
	values = make(map[any]any)
	switch err := gob.NewDecoder(bytes.NewReader(data)).Decode(&values); {
	case err == nil:
		return values, nil
	case strings.Contains(err.Error(), "name not registered for interface"):
		return nil, sessiondb.DecodeError("it holds a type that gob does not know; call gob.Register for each type that the sessions hold, before the first request")
	default:
		// gob's error may quote names in its input.
		return nil, errNoGob
	}
}

const errNoGob = sessiondb.DecodeError("it is not a gob of a session's values")

// compiledGob is a GobCodec that decodes plain values without encoding/gob, which would take half
// the CPU of a Get.
type compiledGob struct{ GobCodec }

func (c compiledGob) Decode(data []byte) (map[any]any, error) {
	if values, ok := gobread.Decode(data); ok {
		return values, nil
	}
	return c.GobCodec.Decode(data)
}

// JSONCodec encodes sessions as JSON that people and other languages can read, and decodes them to
// the same Go types. Keys must be strings. Values that have a JSON form are plain JSON. Any other
// value is an object with a single name, which begins with "$" and names the type:
//
//	{"user":"ann","visits":3,"since":{"$time":"2026-11-24T09:30:00Z"},"cart":{"$main.Cart":{"Items":["tea"]}}}
//
// These values can be stored:
//
//   - string, bool, int, float64, []any, map[string]any and nil, as plain JSON. An int is written
//     without a decimal point and a float64 with one. NaN, infinities and strings that are not
//     valid UTF-8 are supported;
//   - every other numeric type, [time.Time], [time.Duration] and []byte;
//   - slices and string-keyed maps of all of these;
//   - each type T of Types, and *T, []T, []*T, map[string]T and map[string]*T.
//
// The contents of a listed type are encoded as by encoding/json/v2, with its struct tags and
// methods, but with these differences:
//
//   - A nil slice or map is null.
//   - A duration is a string such as "1h30m0s".
//   - NaN, infinities, complex numbers and strings that are not valid UTF-8 are supported, but are
//     errors if the application declares their type, as in type Role string.
//   - The value of a field of type any keeps its type if that type can be stored by itself.
//
// As always with JSON, some things inside a listed type are lost: unexported fields, fields tagged
// "-", empty values tagged omitempty, and a pointer to a nil pointer, slice or map, which is
// decoded as nil. A time keeps its instant and its offset from UTC. It is decoded as UTC if the
// offset is zero or not in whole minutes.
//
// Errors are functions, channels, times outside the years 0 to 9999, and values that contain
// themselves or are nested more than 1000 levels deep.
//
// In an item without a codec attribute, which another program wrote, "$" has no meaning: objects
// are decoded as map[string]any, and whole numbers as int.
type JSONCodec struct {
	// Types holds one value of each of the application's own types, as for [gob.Register]:
	// []any{Cart{}, Role("")}. The types of their fields need not be listed, except for what fields
	// of type any hold. New refuses a type that could not be decoded: one with a field of an
	// interface type other than any, unless it is tagged json:"-", or one that has a method to
	// encode itself and none to decode itself. It also refuses two types with the same name, such
	// as shop.Cart.
	Types []any
}

// Name returns "json".
func (JSONCodec) Name() string { return "json" }

// Encode returns values as JSON; equal values give the same bytes. Its error names each key whose
// value cannot be stored, and the type.
func (c JSONCodec) Encode(values map[any]any) ([]byte, error) {
	p, err := c.compile()
	if err != nil {
		return nil, err
	}
	return p.Encode(values)
}

// Decode returns the values that Encode was given. Its error quotes nothing of data except the name
// of a type that Types does not list.
func (c JSONCodec) Decode(data []byte) (map[any]any, error) {
	p, err := c.compile()
	if err != nil {
		return nil, err
	}
	return p.Decode(data)
}

func (c JSONCodec) compile() (Codec, error) {
	codec, err := typedjson.New(c.Types...)
	if err != nil {
		return nil, err
	}
	return compiledJSON{codec}, nil
}

// compiledJSON is a JSONCodec whose types have been checked.
type compiledJSON struct{ *typedjson.Codec }

func (compiledJSON) Name() string { return JSONCodec{}.Name() }

func (c compiledJSON) Decode(data []byte) (map[any]any, error) {
	return showingErrors(c.Codec.Decode(data))
}

// DecodeForeign decodes JSON that another program wrote.
func (c compiledJSON) DecodeForeign(data []byte) (map[any]any, error) {
	return showingErrors(c.Codec.DecodeForeign(data))
}

// showingErrors marks the errors of typedjson as safe to show.
func showingErrors(values map[any]any, err error) (map[any]any, error) {
	if err != nil {
		return nil, sessiondb.DecodeError(err.Error())
	}
	return values, nil
}
