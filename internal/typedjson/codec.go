// Package typedjson writes session values as JSON that people and other languages can read,
// and reads them back with the Go types that they had.
//
//	codec, err := typedjson.New(Cart{}, Role(""))
//	data, err := codec.Encode(map[any]any{"n": 3, "at": time.Now(), "cart": &Cart{Items: 2}})
//	// {"at":{"$time":"2026-01-02T15:04:05Z"},"cart":{"$*main.Cart":{"Items":2}},"n":3}
//	values, err := codec.Decode(data)
//
// # Values
//
// The top level is an object, keyed by the session's keys. Below it these values stand as they are:
//
//	nil, bool, string   null, true, "text"
//	int                 3      an integer literal
//	float64             3.0    always with a point or an exponent
//	[]any               [...]
//	map[string]any      {...}
//
// Any other value is an object with a single key, its tag, which begins with $ and names the
// type as Go spells it:
//
//	other numbers       {"$int64":5} {"$uint8":7} {"$float32":1.5} {"$complex128":[1.0,2.0]}
//	time.Time           {"$time":"2026-01-02T15:04:05.5+02:00"}
//	time.Duration       {"$duration":"1h2m3s"}
//	[]byte              {"$[]byte":"aGk="}
//	slices of the above {"$[]string":["a"]} {"$[]int":[1]} {"$[]time":[...]}
//	maps of the above   {"$map[string]string":{"a":"b"}}
//	a listed type       {"$main.Cart":{...}}
//	a pointer to it     {"$*main.Cart":{...}}
//
// What has no natural form has a tag too: {"$float64":"NaN"}, "+Inf" and "-Inf"; a string that is not
// UTF-8, {"$string":"base64"}; a nil slice or map, {"$[]string":null}, {"$[]any":null},
// {"$map":null}; a nil pointer, {"$*main.Cart":null}; a map[string]any whose only key begins
// with $, {"$map":{"$a":1}}. An object with two or more keys is never a tag. A key
// that is not UTF-8, at the top or in a map, is written "$base64:" and its base64, and so is a key that
// begins like that.
//
// A time keeps what gob keeps of it: the instant, and its offset from UTC; Z means time.UTC.
// Years beyond 9999 or before 0 are written with a sign; a time more than 999,998 years from year 0
// is an error. The bits of a NaN are not kept.
//
// # Listed types
//
// Inside a value of a listed type the Go type of everything is known, so it needs no tags: an int64
// field is a plain 5, a []byte field a base64 string, a nil slice, map or pointer null, a NaN "NaN".
// Only what an interface holds is written as at the top. No type below a listed one has to be listed,
// unless an interface holds it.
//
//   - A struct is an object of its exported fields, sorted by name. The names in json tags and "-" are
//     honoured; omitempty and omitzero leave out a zero value only, so that an empty slice
//     does not come back as nil; the option string is ignored, as no reader of this form needs it. An
//     embedded struct is a field with the name of its type; its fields are not promoted.
//   - A type that can both marshal and unmarshal itself, by the methods of json.Marshaler, encoding.TextMarshaler
//     or encoding.BinaryMarshaler (in base64) and their counterparts, is left to do so, in this order of
//     preference. One half of a pair is not enough, and is ignored.
//   - A map's keys are strings, integers, or of a type with MarshalText and UnmarshalText.
//   - A pointer to something that is itself null is {"$ptr":null}, and so unlike a nil pointer.
//
// A type's tag is its name with the name of its package, main.Cart. Where two listed types share that, both are
// written with the full path of their packages, example.com/shop/cart.Cart; on reading, a full path is
// always understood.
//
// Types change while sessions live on. A field that the type no longer has is ignored, one that the data does
// not have is zero, null in a field that cannot be nil is zero as well. Field names are compared
// exactly.
//
// # JSON from elsewhere
//
// Decode takes any JSON object. An integer that is outside int becomes an int64, uint64 or float64, whichever is the
// first to hold it. Refused are two equal keys in one object, text that is not UTF-8, half a surrogate
// pair, and numbers outside float64.
//
// # Limits
//
// Values nest up to 1000 deep; so a pointer cycle is an error. Encode writes equal values as equal bytes. What was
// shared by two pointers is written twice, and comes back as two.
package typedjson

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// maxDepth is how many slices, maps, structs and pointers may stand inside one another.
const maxDepth = 1000

// maxPooled is the largest buffer that is kept for the next Encode.
const maxPooled = 1 << 20

// A Codec encodes and decodes the values of sessions. It is made by New, does not change
// afterwards, and is safe for concurrent use.
type Codec struct {
	types    *registry
	encoders sync.Pool // of *encoder
	decoders sync.Pool // of *decoder
}

// New returns a Codec that knows, beside Go's own types, those of the given values and the pointers to them.
// A type may be listed by a value or by a pointer, which may be nil, and more than once. What
// is wrong with the types is reported all at once: a nil, a type without a name, one that has no JSON form,
// two that cannot be told apart.
func New(types ...any) (*Codec, error) {
	r, err := newRegistry(types)
	if err != nil {
		return nil, err
	}
	return &Codec{types: r}, nil
}

// Encode returns values as JSON, the same bytes for equal values. The caller owns them.
//
// A key that is not a string, and a type that is neither Go's own nor listed, is an error
// that names the key and the type. An error never holds a value. All are reported, sorted.
func (c *Codec) Encode(values map[any]any) ([]byte, error) { return c.EncodeOr(values, nil) }

// EncodeOr is Encode, but returns same where it is what Encode would return.
func (c *Codec) EncodeOr(values map[any]any, same []byte) ([]byte, error) {
	e, _ := c.encoders.Get().(*encoder)
	if e == nil {
		e = new(encoder)
	}
	e.types = c.types
	for k, v := range values {
		if s, ok := k.(string); ok {
			e.pairs = append(e.pairs, pair{s, v})
		} else {
			e.problem(badKey(k))
		}
	}
	slices.SortFunc(e.pairs, comparePairs)
	e.buf = append(e.buf[:0], '{')
	for i, p := range e.pairs {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.key, e.inKey, e.tooDeep = p.key, true, false
		e.buf = append(appendKey(e.buf, p.key), ':')
		e.any(p.value, 0)
	}
	e.buf = append(e.buf, '}')

	var data []byte
	err := e.err()
	if err == nil {
		data = same
		if !bytes.Equal(e.buf, same) {
			data = slices.Clone(e.buf)
		}
	}
	e.reset()
	if cap(e.buf) <= maxPooled {
		c.encoders.Put(e)
	}
	return data, err
}

// Decode returns the values that data holds, with the types that Encode was given. It never returns a nil
// map without an error. Its errors say what is wrong and where, and never quote data.
func (c *Codec) Decode(data []byte) (map[any]any, error) {
	return c.DecodeShared(slices.Clone(data))
}

// DecodeShared is Decode of data that nobody writes to afterwards: strings may be parts of it.
func (c *Codec) DecodeShared(data []byte) (map[any]any, error) {
	d, _ := c.decoders.Get().(*decoder)
	if d == nil {
		d = &decoder{types: c.types}
	}
	d.s = unsafe.String(unsafe.SliceData(data), len(data))
	values, err := d.session()
	if err != nil {
		return nil, err
	}
	if d.reset() {
		c.decoders.Put(d)
	}
	return values, nil
}

// badKey says what is wrong with a key that is not a string. Integers and booleans are shown: as keys they are
// constants of the program.
func badKey(k any) string {
	if k == nil {
		return "a key is nil: use a string"
	}
	v := reflect.ValueOf(k)
	shown := ""
	switch {
	case v.Kind() == reflect.Bool:
		shown = fmt.Sprintf(" (%t)", v.Bool())
	case v.CanInt():
		shown = fmt.Sprintf(" (%d)", v.Int())
	case v.CanUint():
		shown = fmt.Sprintf(" (%d)", v.Uint())
	}
	return fmt.Sprintf("a key of type %s%s is not a string: use a string", v.Type(), shown)
}

func comparePairs(a, b pair) int { return strings.Compare(a.key, b.key) }

// joined returns problems as one error, sorted, or nil.
func joined(problems map[string]struct{}) error {
	if len(problems) == 0 {
		return nil
	}
	texts := make([]string, 0, len(problems))
	for text := range problems {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	errs := make([]error, len(texts))
	for i, text := range texts {
		errs[i] = errors.New(text)
	}
	return errors.Join(errs...)
}
