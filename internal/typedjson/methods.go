package typedjson

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
)

// A methodPair is how values of a type marshal and unmarshal themselves. What the methods say in their errors is
// never passed on, as it may quote the value.
type methodPair struct {
	marshal   func(v reflect.Value) ([]byte, error)
	unmarshal func(v reflect.Value, data []byte) error
}

// methodPlan returns the plan of a type that marshals and unmarshals itself. It is not for pointers and
// interfaces, which may be nil.
func methodPlan(t reflect.Type) (plan, bool) {
	if pair, ok := jsonMethods(t); ok {
		return jsonPlan(t, pair), true
	}
	if pair, ok := textMethods(t); ok {
		return plan{
			encode: func(e *encoder, v reflect.Value, _ int) {
				if b, ok := e.marshal(t, pair, v, "MarshalText"); ok {
					e.string(string(b))
				}
			},
			decode: func(d *decoder, v reflect.Value, _ int) error {
				d.next()
				start := d.pos
				s, err := d.text()
				if err != nil {
					return err
				}
				return d.unmarshal(t, pair, v, []byte(s), start)
			},
		}, true
	}
	if pair, ok := binaryMethods(t); ok {
		return plan{
			encode: func(e *encoder, v reflect.Value, _ int) {
				if b, ok := e.marshal(t, pair, v, "MarshalBinary"); ok {
					e.buf = append(e.buf, '"')
					e.buf = base64.StdEncoding.AppendEncode(e.buf, b)
					e.buf = append(e.buf, '"')
				}
			},
			decode: func(d *decoder, v reflect.Value, _ int) error {
				d.next()
				start := d.pos
				b, err := d.binary()
				if err != nil {
					return err
				}
				return d.unmarshal(t, pair, v, b, start)
			},
		}, true
	}
	return plan{}, false
}

func jsonPlan(t reflect.Type, pair methodPair) plan {
	return plan{
		nullable: true, readsNull: true,
		encode: func(e *encoder, v reflect.Value, _ int) {
			text, ok := e.marshal(t, pair, v, "MarshalJSON")
			if !ok {
				return
			}
			buf := bytes.NewBuffer(e.buf)
			if json.Compact(buf, text) != nil {
				e.problem(fmt.Sprintf("type %v: MarshalJSON returned invalid JSON", t))
				return
			}
			e.buf = buf.Bytes()
		},
		decode: func(d *decoder, v reflect.Value, _ int) error {
			d.next()
			start := d.pos
			text, err := d.raw()
			if err != nil {
				return err
			}
			return d.unmarshal(t, pair, v, text, start)
		},
	}
}

func (e *encoder) marshal(t reflect.Type, pair methodPair, v reflect.Value, method string) ([]byte, bool) {
	b, err := pair.marshal(v)
	if err != nil {
		e.problem(fmt.Sprintf("type %v: %s failed", t, method))
		return nil, false
	}
	return b, true
}

func (d *decoder) unmarshal(t reflect.Type, pair methodPair, v reflect.Value, data []byte, start int) error {
	if pair.unmarshal(v, data) != nil {
		return d.fail(start, fmt.Sprintf("type %v could not unmarshal itself", t))
	}
	return nil
}

func jsonMethods(t reflect.Type) (methodPair, bool) {
	return methodsOf(t, json.Marshaler.MarshalJSON, json.Unmarshaler.UnmarshalJSON)
}

func textMethods(t reflect.Type) (methodPair, bool) {
	return methodsOf(t, encoding.TextMarshaler.MarshalText, encoding.TextUnmarshaler.UnmarshalText)
}

func binaryMethods(t reflect.Type) (methodPair, bool) {
	return methodsOf(t, encoding.BinaryMarshaler.MarshalBinary, encoding.BinaryUnmarshaler.UnmarshalBinary)
}

// methodsOf returns the methods of t that M and U stand for, if t has both: the first with the receiver t or *t, the
// second with *t.
func methodsOf[M, U any](t reflect.Type, marshal func(M) ([]byte, error), unmarshal func(U, []byte) error) (methodPair, bool) {
	pointer := reflect.PointerTo(t)
	marshaler := reflect.TypeFor[M]()
	if !pointer.Implements(marshaler) || !pointer.Implements(reflect.TypeFor[U]()) {
		return methodPair{}, false
	}
	pair := methodPair{
		unmarshal: func(v reflect.Value, data []byte) error { return unmarshal(v.Addr().Interface().(U), data) },
	}
	if t.Implements(marshaler) {
		pair.marshal = func(v reflect.Value) ([]byte, error) { return marshal(v.Interface().(M)) }
		return pair, true
	}
	pair.marshal = func(v reflect.Value) ([]byte, error) {
		if !v.CanAddr() { // what an interface or a map holds
			x := reflect.New(t)
			x.Elem().Set(v)
			v = x.Elem()
		}
		return marshal(v.Addr().Interface().(M))
	}
	return pair, true
}
