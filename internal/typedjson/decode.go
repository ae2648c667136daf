package typedjson

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/dynamostore/internal/substring"
)

// A decoder reads plain and tagged values.
type decoder struct {
	*Codec
	*jsontext.Decoder
	input *substring.Source // of Decoder; nil if it is not known
}

// value reads a value that encode wrote.
func (d *decoder) value() (any, error) {
	if d.StackDepth() > d.depth {
		return nil, errNotSession
	}
	switch d.PeekKind() {
	case jsontext.KindString:
		return d.string()
	case jsontext.KindNumber:
		return d.number()
	case jsontext.KindBeginArray:
		return d.slice()
	case jsontext.KindBeginObject:
		return d.object()
	}
	t, err := d.ReadToken()
	if err != nil || t.Kind() == jsontext.KindNull {
		return nil, err
	}
	return t.Bool(), nil
}

func (d *decoder) string() (string, error) {
	v, err := d.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(v, '\\') >= 0 {
		b, err := jsontext.AppendUnquote(nil, v)
		return string(b), err
	}
	if d.input == nil {
		return string(v[1 : len(v)-1]), nil
	}
	end := int(d.InputOffset())
	return d.input.String(end-len(v)+1, end-1), nil
}

// number reads a float64, or a whole number as the first of int, int64, uint64 and float64
// that can hold it.
func (d *decoder) number() (any, error) {
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

func (d *decoder) slice() (any, error) {
	if err := d.skip(); err != nil {
		return nil, err
	}
	s := []any{}
	for d.PeekKind() != jsontext.KindEndArray {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		s = append(s, v)
	}
	return s, d.skip()
}

// object reads a map[string]any, or a tagged value.
func (d *decoder) object() (any, error) {
	if err := d.skip(); err != nil {
		return nil, err
	}
	m := make(map[string]any)
	for n := 1; d.PeekKind() != jsontext.KindEndObject; n++ {
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if d.types != nil && n == 1 && strings.HasPrefix(name, "$") {
			return d.tagged(name)
		}
		if m[name], err = d.value(); err != nil {
			return nil, err
		}
		if len(m) < n {
			return nil, errNotSession // a name occurs twice
		}
	}
	return m, d.skip()
}

// tagged reads the rest of a tagged value, behind the tag.
func (d *decoder) tagged(tag string) (any, error) {
	t, ok := d.types.types[tag]
	if !ok {
		return nil, unknownTag(tag)
	}
	v := reflect.New(t)
	if err := json.UnmarshalDecode(d.Decoder, v.Interface(), uniqueNames); err != nil {
		instead := errNotSession
		if _, ok := err.(*json.SemanticError); ok {
			instead = safeError(fmt.Sprintf("it holds a value that is not a valid %v", t))
		}
		return nil, safe(err, instead)
	}
	if d.PeekKind() != jsontext.KindEndObject {
		return nil, errNotSession // a tag must be the only name
	}
	return v.Elem().Interface(), d.skip()
}

// skip reads a token whose kind is known.
func (d *decoder) skip() error {
	_, err := d.ReadToken()
	return err
}
