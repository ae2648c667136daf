package snapshot

import (
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// CheckCycles returns [ErrCycle] if a key or value contains itself, or is nested more than 10,000
// levels deep. On such a value, [encoding/gob] overflows the stack, which ends the process. The
// error names the key and the type.
//
// CheckCycles looks where encoding/gob looks: at exported fields, and not into types that encode
// themselves for gob. JSON encoders find cycles on their own.
func CheckCycles(values map[any]any) error {
	for k, v := range values {
		for _, part := range [2]any{k, v} {
			if !(walk{}).ends(part) {
				return fmt.Errorf("under %s, type %T: %w", KeyName(k), part, ErrCycle)
			}
		}
	}
	return nil
}

// KeyName returns the text for a key in an error. A string key is part of the program and safe to
// show; a key of another type may hold anything.
func KeyName(k any) string {
	if s, ok := k.(string); ok {
		return "key " + strconv.Quote(s)
	}
	return fmt.Sprintf("a key of type %T", k)
}

// ends reports whether a walk through v ends: v does not contain itself. The types that most
// sessions hold need no reflection.
func (w walk) ends(v any) bool {
	switch t := v.(type) {
	case nil, bool, string, int, int64, float64, time.Time, time.Duration, []byte, []string, []int, map[string]string:
		return true
	case []any:
		return w.inside(reflect.ValueOf(v), func(w walk) bool {
			for _, e := range t {
				if !w.ends(e) {
					return false
				}
			}
			return true
		})
	case map[string]any:
		return w.inside(reflect.ValueOf(v), func(w walk) bool {
			for _, e := range t {
				if !w.ends(e) {
					return false
				}
			}
			return true
		})
	}
	return w.endsValue(reflect.ValueOf(v))
}

// endsValue is ends with reflection.
func (w walk) endsValue(v reflect.Value) bool {
	switch kind := v.Kind(); {
	case !v.CanInterface() || traitsOf(v.Type()).acyclic: // encoding/gob does not look at unexported fields
		return true
	case kind == reflect.Struct || kind == reflect.Array:
		return Parts(v, w.endsValue)
	case v.IsNil():
		return true
	case kind == reflect.Interface:
		return w.ends(v.Interface())
	}
	return w.inside(v, func(w walk) bool { return Parts(v, w.endsValue) })
}

var (
	gobEncoder      = reflect.TypeFor[gob.GobEncoder]()
	binaryMarshaler = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// isAcyclic reports whether the type t alone tells that no value contains itself.
func isAcyclic(t reflect.Type) bool {
	if p := reflect.PointerTo(t); p.Implements(gobEncoder) || p.Implements(binaryMarshaler) {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return isPlain(t.Elem())
	case reflect.Map:
		return isPlain(t.Key()) && isPlain(t.Elem())
	}
	return isPlain(t)
}
