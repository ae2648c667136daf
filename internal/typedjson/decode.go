package typedjson

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decode reads a value that encode wrote.
func (c *Codec) decode(d *jsontext.Decoder) (any, error) {
	if d.StackDepth() > c.depth {
		return nil, errNotSession
	}
	switch d.PeekKind() {
	case jsontext.KindString:
		return decodeString(d)
	case jsontext.KindNumber:
		return decodeNumber(d)
	case jsontext.KindBeginArray:
		return c.decodeSlice(d)
	case jsontext.KindBeginObject:
		return c.decodeObject(d)
	}
	t, err := d.ReadToken()
	if err != nil || t.Kind() == jsontext.KindNull {
		return nil, err
	}
	return t.Bool(), nil
}

func decodeString(d *jsontext.Decoder) (string, error) {
	v, err := d.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1]), nil // much faster
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err
}

// decodeNumber reads a float64, or a whole number as the first of int, int64, uint64 and float64
// that can hold it.
func decodeNumber(d *jsontext.Decoder) (any, error) {
	v, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	if !bytes.ContainsAny(v, ".eE") {
		if n, err := strconv.Atoi(string(v)); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(string(v), 10, 64); err == nil {
			return n, nil
		}
	}
	return strconv.ParseFloat(string(v), 64)
}

func (c *Codec) decodeSlice(d *jsontext.Decoder) (any, error) {
	if err := skip(d); err != nil {
		return nil, err
	}
	s := []any{}
	for d.PeekKind() != jsontext.KindEndArray {
		v, err := c.decode(d)
		if err != nil {
			return nil, err
		}
		s = append(s, v)
	}
	return s, skip(d)
}

// decodeObject reads a map[string]any, or a tagged value.
func (c *Codec) decodeObject(d *jsontext.Decoder) (any, error) {
	if err := skip(d); err != nil {
		return nil, err
	}
	m := make(map[string]any)
	for n := 1; d.PeekKind() != jsontext.KindEndObject; n++ {
		name, err := decodeString(d)
		if err != nil {
			return nil, err
		}
		if c.types != nil && n == 1 && strings.HasPrefix(name, "$") {
			return c.decodeTagged(d, name)
		}
		if m[name], err = c.decode(d); err != nil {
			return nil, err
		}
		if len(m) < n {
			return nil, errNotSession // a name occurs twice
		}
	}
	return m, skip(d)
}

// decodeTagged reads the rest of a tagged value, behind the tag.
func (c *Codec) decodeTagged(d *jsontext.Decoder, tag string) (any, error) {
	t, ok := c.types.types[tag]
	if !ok {
		return nil, unknownTag(tag)
	}
	v := reflect.New(t)
	if err := json.UnmarshalDecode(d, v.Interface(), uniqueNames); err != nil {
		instead := errNotSession
		if _, ok := err.(*json.SemanticError); ok {
			instead = safeError(fmt.Sprintf("it holds a value that is not a valid %v", t))
		}
		return nil, safe(err, instead)
	}
	if d.PeekKind() != jsontext.KindEndObject {
		return nil, errNotSession // a tag must be the only name
	}
	return v.Elem().Interface(), skip(d)
}

// skip reads a token whose kind is known.
func skip(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	return err
}
