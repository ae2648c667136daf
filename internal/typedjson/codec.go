// Package typedjson encodes the values of a session as JSON that people and other languages can
// read, and decodes them to the same Go types.
//
//	codec, err := typedjson.New(Cart{}, Role(""))
//	data, err := codec.Encode(map[any]any{"n": 3, "at": time.Now(), "cart": &Cart{Items: 2}})
//	// {"at":{"$time":"2026-01-02T15:04:05Z"},"cart":{"$*main.Cart":{"Items":2}},"n":3}
//	values, err := codec.Decode(data)
//
// # Values
//
// The top level is an object with the session's keys, which are strings. Below it, these values are
// plain JSON:
//
//	nil, bool, string   null, true, "text"
//	int                 3      an integer literal
//	float64             3.0    always with a point or an exponent
//	[]any               [...]
//	map[string]any      {...}
//
// Any other value is tagged: it is an object with a single name, which begins with $ and names the
// type.
//
//	other numbers       {"$int64":5} {"$uint8":7} {"$float32":1.5} {"$complex128":"(1+2i)"}
//	time.Time           {"$time":"2026-01-02T15:04:05.5+02:00"}
//	time.Duration       {"$duration":"1h2m3s"}
//	[]byte              {"$[]byte":"aGk="}
//	slices of these     {"$[]string":["a"]} {"$[]int":[1]} {"$[]time":[...]}
//	maps of these       {"$map[string]string":{"a":"b"}}
//	a listed type       {"$main.Cart":{...}}
//	pointers to it      {"$*main.Cart":{...}}
//	slices of either    {"$[]main.Cart":[...]} {"$[]*main.Cart":[...]}
//	maps of either      {"$map[string]main.Cart":{...}} {"$map[string]*main.Cart":{...}}
//
// These values of the plain types are tagged as well:
//
//   - a float64 that is not a number: {"$float64":"NaN"}, "+Inf" and "-Inf";
//   - a string that is not valid UTF-8: {"$string":"$base64:/w=="};
//   - a nil slice, map or pointer: {"$[]any":null}, {"$map":null}, {"$*main.Cart":null};
//   - a map[string]any with a key that begins with $ or is not valid UTF-8:
//     {"$map":{"$a":1,"b":2}}.
//
// # Behind a tag
//
// The value behind a tag, such as a listed type, is encoded by encoding/json/v2, with its tags and
// methods, except that
//
//   - a nil slice or map is null, which distinguishes it from an empty one;
//   - a float32 or float64 that is NaN or infinite, a complex number and a time.Duration are
//     strings;
//   - a string that is not valid UTF-8, or begins with "$base64:", is "$base64:" and its base64,
//     even as a key of a map or of the session;
//   - a time.Time whose offset from UTC is not in whole minutes, or a day or more, becomes UTC;
//   - the value of an any is written as at the top level, so its type must be known too.
//
// Some things are lost, as in encoding/json/v2: fields without a JSON name, a pointer to a nil
// pointer, slice or map, an empty value in a field tagged omitempty. Values without a JSON form are
// errors: times outside the years 0 to 9999, channels and functions, and also NaN, infinities and
// strings that are not valid UTF-8 if their type is the application's own. A listed type that can
// hold an interface other than any is refused, since it could not be decoded.
//
// # Limits
//
// Values nest up to 1000 deep, so a value that contains itself is an error. A value that two
// pointers share is written twice, and decoded as two values.
package typedjson

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/dynamostore/internal/substring"
)

// maxDepth is how deep plain and tagged values may nest. In JSON that another program wrote, half
// of that is allowed, since Encode writes two levels for a map that has a key beginning with $.
const maxDepth = 1000

// A Codec encodes and decodes the values of sessions. It is immutable and safe for concurrent use.
type Codec struct {
	types   *registry // nil if no object is a tagged value
	depth   int       // how deep the JSON that Decode accepts may nest
	options json.Options
}

// foreign decodes JSON in which $ has no meaning.
var foreign = newCodec(nil, maxDepth/2)

// New returns a Codec for Go's own types and those of the given values. A type is listed by a value
// of it, or of a pointer to it, which may be nil. All problems with the types are reported
// together.
func New(types ...any) (*Codec, error) {
	r, err := newRegistry(types)
	if err != nil {
		return nil, err
	}
	return newCodec(r, maxDepth), nil
}

func newCodec(types *registry, depth int) *Codec {
	c := &Codec{types: types, depth: depth}
	c.options = c.jsonOptions()
	return c
}

// Encode returns values as JSON; equal values give the same bytes.
//
// Its error reports every key whose value cannot be encoded, with the type at fault. It holds no
// value.
func (c *Codec) Encode(values map[any]any) ([]byte, error) {
	data, err := json.Marshal(session(values), c.options)
	if err == nil {
		return data, nil
	}
	var problems []string
	for k, v := range values {
		if _, err := json.Marshal(session{k: v}, c.options); err != nil {
			problem := safe(err, errNotStored).Error()
			if name, ok := k.(string); ok {
				problem = fmt.Sprintf("under key %q: %s", name, problem)
			}
			problems = append(problems, problem)
		}
	}
	return nil, cmp.Or(joinProblems(problems), safe(err, errNotStored))
}

// Decode returns the values that Encode was given. Its error quotes nothing of data except the name
// of a type. Decode does not retain data.
func (c *Codec) Decode(data []byte) (map[any]any, error) {
	s := stored{input: substring.Source{Data: data}}
	if err := json.Unmarshal(data, &s, c.options); err != nil {
		return nil, safe(err, errNotSession)
	}
	return s.values, nil
}

// DecodeForeign returns the values of a JSON object that another program wrote, in which $ has no
// meaning: an object is a map[string]any, an array is a []any, and numbers are decoded as by
// Decode.
func (*Codec) DecodeForeign(data []byte) (map[any]any, error) { return foreign.Decode(data) }

// A session is the outermost object, to encode. A map[any]any in a listed type is not one.
type session map[any]any

// A stored session is the outermost object, to decode.
type stored struct {
	input  substring.Source
	values map[any]any
}

func (c *Codec) encodeSession(e *jsontext.Encoder, s session) error {
	members := slices.Grow(make([]member, 0, 16), len(s))
	for k, v := range s {
		name, ok := k.(string)
		if !ok {
			return safeError(fmt.Sprintf("a key has the type %T; use a string", k))
		}
		members = append(members, member{escape(name), v})
	}
	return c.encodeMembers(e, members)
}

func (c *Codec) decodeSession(from *jsontext.Decoder, s *stored) error {
	d := decoder{Codec: c, Decoder: from, input: &s.input}
	if d.PeekKind() != jsontext.KindBeginObject {
		return errNotSession
	}
	if err := d.skip(); err != nil {
		return err
	}
	s.values = make(map[any]any)
	for n := 1; d.PeekKind() != jsontext.KindEndObject; n++ {
		name, err := d.string()
		if err == nil && c.types != nil {
			name, err = unescape(name)
		}
		if err != nil {
			return err
		}
		if s.values[name], err = d.value(); err != nil {
			return err
		}
		if len(s.values) < n {
			return errNotSession // a name occurs twice
		}
	}
	return d.skip()
}
