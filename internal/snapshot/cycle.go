package snapshot

import (
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
	"slices"
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
	var w walk
	for k, v := range values {
		for _, part := range [2]any{k, v} {
			if !w.ends(part) {
				return cycleError(k, part)
			}
		}
	}
	return nil
}

// cycleError names the key if it is a string. A key of another type may hold anything.
func cycleError(k, part any) error {
	key := fmt.Sprintf("a key of type %T", k)
	if s, ok := k.(string); ok {
		key = "key " + strconv.Quote(s)
	}
	return fmt.Errorf("under %s, type %T: %w", key, part, ErrCycle)
}

// ends reports whether a walk through v ends: v does not contain itself. The types that most
// sessions hold need no reflection.
func (w *walk) ends(v any) bool {
	switch t := v.(type) {
	case nil, bool, string, int, int64, float64, time.Time, time.Duration, []byte, []string, []int, map[string]string:
		return true
	case []any:
		return w.inside(reflect.ValueOf(v), func() bool {
			for _, e := range t {
				if !w.ends(e) {
					return false
				}
			}
			return true
		})
	case map[string]any:
		return w.inside(reflect.ValueOf(v), func() bool {
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
func (w *walk) endsValue(v reflect.Value) bool {
	if traitsOf(v.Type()).acyclic {
		return true
	}
	switch v.Kind() {
	case reflect.Interface:
		return v.IsNil() || w.ends(v.Interface())
	case reflect.Struct:
		return every(v.NumField(), func(i int) bool {
			return !v.Type().Field(i).IsExported() || w.endsValue(v.Field(i))
		})
	case reflect.Array:
		return w.elementsEnd(v)
	}
	return v.IsNil() || w.inside(v, func() bool { return w.referentEnds(v) })
}

// referentEnds reports whether ends is true for the referent of v, a pointer, slice or map.
func (w *walk) referentEnds(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return w.endsValue(v.Elem())
	case reflect.Slice:
		return w.elementsEnd(v)
	}
	for i := v.MapRange(); i.Next(); {
		if !w.endsValue(i.Key()) || !w.endsValue(i.Value()) {
			return false
		}
	}
	return true
}

func (w *walk) elementsEnd(v reflect.Value) bool {
	return every(v.Len(), func(i int) bool { return w.endsValue(v.Index(i)) })
}

var (
	gobEncoder      = reflect.TypeFor[gob.GobEncoder]()
	binaryMarshaler = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// isAcyclic reports whether values of type t cannot contain themselves. The types in outer contain
// t.
func isAcyclic(t reflect.Type, outer []reflect.Type) bool {
	if p := reflect.PointerTo(t); p.Implements(gobEncoder) || p.Implements(binaryMarshaler) {
		return true
	}
	if slices.Contains(outer, t) {
		return false
	}
	outer = append(outer, t)
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return isAcyclic(t.Elem(), outer)
	case reflect.Map:
		return isAcyclic(t.Key(), outer) && isAcyclic(t.Elem(), outer)
	case reflect.Struct:
		return every(t.NumField(), func(i int) bool {
			return !t.Field(i).IsExported() || isAcyclic(t.Field(i).Type, outer)
		})
	}
	return true
}
