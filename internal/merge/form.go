package merge

import (
	"encoding"
	"encoding/gob"
	"encoding/json"
	"reflect"
	"sync"
)

// A form tells how values of a type are merged.
type form int

const (
	wholeForm form = iota
	mapForm
	sliceForm
	structForm
	pointerForm // a pointer to a struct of structForm
)

var forms sync.Map // from reflect.Type to form; a cache

func formOf(t reflect.Type) form {
	if f, ok := forms.Load(t); ok {
		return f.(form)
	}
	f := decideForm(t)
	forms.Store(t, f)
	return f
}

func decideForm(t reflect.Type) form {
	if encodesItself(t) {
		return wholeForm
	}
	switch t.Kind() {
	case reflect.Map:
		return mapForm
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return sliceForm
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if !t.Field(i).IsExported() {
				return wholeForm
			}
		}
		return structForm
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct && decideForm(t.Elem()) == structForm {
			return pointerForm
		}
	}
	return wholeForm
}

var encoders = []reflect.Type{
	reflect.TypeFor[gob.GobEncoder](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryAppender](),
	reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextAppender](),
	reflect.TypeFor[json.Marshaler](),
}

// encodesItself reports whether t or *t has a method by which a codec may store it. The fields of
// such a type may depend on one another, so that merging them makes an invalid value.
func encodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, e := range encoders {
		if p.Implements(e) {
			return true
		}
	}
	_, ok := p.MethodByName("MarshalJSONTo") // json.MarshalerTo of encoding/json/v2
	return ok
}
