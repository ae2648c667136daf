package dynamostore

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"example.com/dynamostore/internal/quickgob"
	"example.com/dynamostore/internal/typedjson"
)

// A Codec turns a session's values into bytes and back. [GobCodec] and [JSONCodec] are those of
// this package; an application may bring its own. A Codec must be safe for concurrent use.
// Decode must give back what Encode was given, since Save compares the two to tell whether a
// session changed, and must neither keep nor change data, nor Encode what it returned.
//
// The data that Decode gets comes from the table, so it must refuse what Encode does not write. Its
// errors are not shown to anyone, since they may quote what they could not parse. Those of Encode are
// returned by Save, so they should name keys and types, and no values.
type Codec interface {
	// Name stands in the item's codec attribute and tells what Decode reads the item. It is not
	// empty and holds no "+".
	Name() string
	// Encode returns values, which is not nil, as bytes. Its error, which Save returns, should name the key
	// and the type that it cannot encode, and not the value.
	Encode(values map[any]any) ([]byte, error)
	// Decode returns the values of which Encode made data. The map is the caller's.
	Decode(data []byte) (map[any]any, error)
}

// prepared returns what a Store uses for codec: this package's own do some work once, in New. A type that embeds one
// of them is the application's, and stays as it is.
func prepared(codec Codec) (Codec, error) {
	switch c := codec.(type) {
	case GobCodec, *GobCodec:
		return preparedGob{new(quickgob.Codec)}, nil
	case JSONCodec:
		return c.prepare()
	case *JSONCodec:
		return c.prepare()
	}
	return codec, nil
}

// A canonical is a Codec that has equal values as equal bytes, in all that canonical reports true of.
type canonical interface {
	canonical(data []byte) bool
}

// A sharer is a Codec whose strings can be parts of the data, which nobody changes then.
type sharer interface {
	decodeShared(data []byte) (map[any]any, error)
}

// decode is codec.Decode, of data that nobody changes any more.
func decode(codec Codec, data []byte) (map[any]any, error) {
	if s, ok := codec.(sharer); ok {
		return s.decodeShared(data)
	}
	return codec.Decode(data)
}

// A repeater is a Codec that can return same where it would make the same bytes again.
type repeater interface {
	encodeOr(values map[any]any, same []byte) ([]byte, error)
}

// encodeOr is codec.Encode, but may return same where that is what codec makes.
func encodeOr(codec Codec, values map[any]any, same []byte) ([]byte, error) {
	if r, ok := codec.(repeater); ok {
		return r.encodeOr(values, same)
	}
	return codec.Encode(values)
}

// GobCodec encodes sessions by [encoding/gob], as gorilla's own stores do: keys and values may be
// of any type that gob takes, and the application's own types are registered with [gob.Register],
// in every program that reads the session, before it does. That holds for [time.Time] too.
//
// A Store writes and reads sessions whose keys are strings, and whose values are strings, numbers, bools, times,
// []byte, []string, []int, and []any and map[string]any of those, in the format of gob without encoding/gob,
// several times as fast. One that holds other types goes through encoding/gob.
type GobCodec struct{}

// Name returns "gob".
func (GobCodec) Name() string { return "gob" }

// Encode returns values as one gob. Its errors name the key and what to do about it.
func (GobCodec) Encode(values map[any]any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(values)
	if err == nil {
		return b.Bytes(), nil
	}
	// Which key it was gob does not say.
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

// gobError returns why gob does not take a pair of key and value, or nil.
func gobError(k, v any) error {
	err := gob.NewEncoder(&bytes.Buffer{}).Encode(map[any]any{k: v})
	if err == nil {
		return nil
	}
	if _, name, ok := strings.Cut(err.Error(), "type not registered for interface: "); ok {
		return fmt.Errorf("under %s: gob does not know the type %s: call gob.Register(%s{}) before the first request: %w", keyName(k), name, name, err)
	}
	return fmt.Errorf("under %s, type %T: %w", keyName(k), v, withoutValue(err))
}

// withoutValue returns gob's own errors, which name types. That of a type that encodes itself may quote the value.
func withoutValue(err error) error {
	for _, own := range []string{"gob: ", "gob NewTypeObject ", "can't represent recursive pointer type "} {
		if strings.HasPrefix(err.Error(), own) {
			return err
		}
	}
	return errors.New("its method GobEncode, MarshalBinary or MarshalText failed")
}

// keyName returns how an error speaks of a key of a session's values. Keys are the program's
// words, except that a key of another type than string may hold anything.
func keyName(k any) string {
	if k, ok := k.(string); ok {
		return "key " + strconv.Quote(k)
	}
	return fmt.Sprintf("a key of type %T", k)
}

// Decode returns the values of a gob that Encode, or another store, wrote.
func (GobCodec) Decode(data []byte) (values map[any]any, err error) {
	defer func() {
		// gob panics where a key's type cannot be one, such as a slice. No Encode wrote that.
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
		return nil, decodeError("it holds a type that gob does not know: call gob.Register for each type that the sessions hold, before the first request")
	default:
		// gob quotes names that stand in its input.
		return nil, errNoGob
	}
}

const errNoGob = decodeError("it is not a gob of a session's values")

// preparedGob is a GobCodec that writes and reads by itself what needs no encoding/gob. What it leaves
// to encoding/gob, errors included, is GobCodec's.
type preparedGob struct{ quick *quickgob.Codec }

func (preparedGob) Name() string                 { return GobCodec{}.Name() }
func (p preparedGob) canonical(data []byte) bool { return p.quick.Ours(data) }

func (p preparedGob) Encode(values map[any]any) ([]byte, error) { return p.encodeOr(values, nil) }

func (p preparedGob) encodeOr(values map[any]any, same []byte) ([]byte, error) {
	if data, ok := p.quick.EncodeOr(values, same); ok {
		return data, nil
	}
	return GobCodec{}.Encode(values)
}

func (p preparedGob) Decode(data []byte) (map[any]any, error) {
	if values, ok := p.quick.Decode(data); ok {
		return values, nil
	}
	return GobCodec{}.Decode(data)
}

func (p preparedGob) decodeShared(data []byte) (map[any]any, error) {
	if values, ok := p.quick.DecodeShared(data); ok {
		return values, nil
	}
	return GobCodec{}.Decode(data)
}

// A decodeError is the error of one of this package's codecs: it quotes nothing of its input, so
// it is shown.
type decodeError string

func (e decodeError) Error() string { return string(e) }

// JSONCodec encodes sessions as JSON that people and other languages can read, and gives back
// what was put in, type for type. Keys are strings. Values are what gob takes without
// registration: every scalar type and slices of them; then [time.Time], [time.Duration], []any and
// map[string]any of such values (so flashes too), nil, and values of Types.
//
// A string, a bool, an int, a float64, []any, map[string]any and nil stand in the JSON as such. What JSON
// has no form for stands in an object with one key, which begins with "$" and names the type:
//
//	{"user":"ann","visits":3,"since":{"$time":"2026-11-24T09:30:00Z"},"cart":{"$main.Cart":{"Items":["tea"]}}}
type JSONCodec struct {
	// Types holds one value of each of the application's own types, as for [gob.Register]:
	// []any{Cart{}, Role("")}. A listed type may be stored by value and by pointer; what its
	// fields hold need not be listed, except in fields of interface type. Fields go by their
	// json tags.
	Types []any
}

// Name returns "json".
func (JSONCodec) Name() string { return "json" }

// Encode returns values as JSON, the same bytes for equal values. A key that is no string and a
// type that is not listed are errors that name both.
func (c JSONCodec) Encode(values map[any]any) ([]byte, error) {
	p, err := c.prepare()
	if err != nil {
		return nil, err
	}
	return p.Encode(values)
}

// Decode returns the values that Encode was given.
func (c JSONCodec) Decode(data []byte) (map[any]any, error) {
	p, err := c.prepare()
	if err != nil {
		return nil, err
	}
	return p.Decode(data)
}

func (c JSONCodec) prepare() (Codec, error) {
	codec, err := typedjson.New(c.Types...)
	if err != nil {
		return nil, err
	}
	return preparedJSON{codec, len(c.Types) > 0}, nil
}

// preparedJSON is a JSONCodec whose types were looked at.
type preparedJSON struct {
	codec *typedjson.Codec
	typed bool // there are Types
}

func (preparedJSON) Name() string                                { return JSONCodec{}.Name() }
func (p preparedJSON) Encode(values map[any]any) ([]byte, error) { return p.codec.Encode(values) }

func (p preparedJSON) encodeOr(values map[any]any, same []byte) ([]byte, error) {
	return p.codec.EncodeOr(values, same)
}

// canonical is false of what holds a value of Types: an older version of the program, whose type had other
// fields, wrote an equal one otherwise.
func (p preparedJSON) canonical(data []byte) bool {
	return !p.typed || !bytes.Contains(data, []byte(`{"$`))
}

func (p preparedJSON) Decode(data []byte) (map[any]any, error) { return shown(p.codec.Decode(data)) }

func (p preparedJSON) decodeShared(data []byte) (map[any]any, error) {
	return shown(p.codec.DecodeShared(data))
}

// shown returns values and err as typedjson returned them, whose errors quote nothing.
func shown(values map[any]any, err error) (map[any]any, error) {
	if err != nil {
		return nil, decodeError(err.Error())
	}
	return values, nil
}
