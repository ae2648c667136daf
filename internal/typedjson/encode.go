package typedjson

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// encode writes a value as plain JSON or tagged, so that its type can be decoded.
func (c *Codec) encode(e *jsontext.Encoder, v any) error {
	if e.StackDepth() > maxDepth {
		return errTooDeep
	}
	switch v := v.(type) {
	case nil:
		return e.WriteToken(jsontext.Null)
	case string:
		// Invalid UTF-8 is an error that leaves e unchanged.
		if err := e.WriteToken(jsontext.String(v)); err == nil || utf8.ValidString(v) {
			return err
		}
	case bool:
		return e.WriteToken(jsontext.Bool(v))
	case int:
		return e.WriteToken(jsontext.Int(int64(v)))
	case float64:
		if isFinite(v) {
			return encodeFloat(e, v)
		}
	case []any:
		if v != nil {
			return c.encodeSlice(e, v)
		}
	case map[string]any:
		if v != nil {
			if members, ok := appendMembers(slices.Grow(make([]member, 0, 16), len(v)), v); ok {
				return c.encodeMembers(e, members)
			}
		}
	}
	return c.encodeTagged(e, v)
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// encodeFloat writes v with a point or an exponent, which distinguishes it from an int.
func encodeFloat(e *jsontext.Encoder, v float64) error {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) { // as JavaScript does
		format = 'e'
	}
	b := strconv.AppendFloat(e.AvailableBuffer(), v, format, -1, 64)
	if format == 'f' && bytes.IndexByte(b, '.') < 0 {
		b = append(b, ".0"...)
	}
	return e.WriteValue(b)
}

func (c *Codec) encodeSlice(e *jsontext.Encoder, s []any) error {
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, v := range s {
		if err := c.encode(e, v); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndArray)
}

// A member is a name of an object with its value.
type member struct {
	name  string
	value any
}

// appendMembers appends the members of m, unless a name could be taken for a tag or is not UTF-8.
func appendMembers(members []member, m map[string]any) ([]member, bool) {
	for name, v := range m {
		if strings.HasPrefix(name, "$") || !utf8.ValidString(name) {
			return nil, false
		}
		members = append(members, member{name, v})
	}
	return members, true
}

// encodeMembers writes an object with the members sorted by name.
func (c *Codec) encodeMembers(e *jsontext.Encoder, members []member) error {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range members {
		if err := e.WriteToken(jsontext.String(m.name)); err != nil {
			return err
		}
		if err := c.encode(e, m.value); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// encodeTagged writes an object with the tag of v's type as its only name.
func (c *Codec) encodeTagged(e *jsontext.Encoder, v any) error {
	t := reflect.TypeOf(v)
	tag, ok := c.types.tags[t]
	if !ok {
		return c.types.unlistedError(t)
	}
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	if err := e.WriteToken(jsontext.String(tag)); err != nil {
		return err
	}
	if err := json.MarshalEncode(e, v, uniqueNames); err != nil {
		return taggedEncodeError(e, t, err)
	}
	return e.WriteToken(jsontext.EndObject)
}
