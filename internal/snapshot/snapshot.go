// Package snapshot clones and compares session values.
//
// A store keeps a clone of the values that it loaded, and compares the session's values with it to
// find out whether a request changed them.
package snapshot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

var (
	// ErrUncloneable means that a value holds something that Clone cannot copy: a channel, a func,
	// a pointer in a map key, a pointer, map or slice in an unexported field, or a cycle that
	// CheckCycles does not look at. To get an independent copy of such a value, decode the stored
	// bytes again.
	ErrUncloneable = errors.New("the value cannot be cloned")
	// ErrCycle means that a value contains itself, or is nested so deeply that it is treated the
	// same.
	ErrCycle = fmt.Errorf("the value contains itself, or is nested more than %d levels deep", maxDepth)
)

// Clone returns a deep copy of values. Changing values through their maps, slices, pointers and
// exported fields does not change the copy. Nil stays nil, and empty stays empty. A pointer that
// occurs twice becomes two pointers, as it does in a codec.
//
// Clone copies unexported fields by assignment, and returns [ErrUncloneable] if that would share
// memory. [time.Time], [time.Location] and [net/netip.Addr] are immutable, so they can be shared.
//
// If [CheckCycles] returns an error, so does Clone.
func Clone(values map[any]any) (map[any]any, error) {
	if values == nil {
		return nil, nil
	}
	copied := make(map[any]any, len(values))
	for k, v := range values {
		c, ok := walk{}.clone(v)
		if !ok || !isFixed(reflect.ValueOf(k)) {
			return nil, cmp.Or(CheckCycles(values), ErrUncloneable)
		}
		copied[k] = c
	}
	return copied, nil
}

// clone returns a deep copy of v, or false if v cannot be copied. The types that most sessions hold
// need no reflection.
func (w walk) clone(v any) (any, bool) {
	switch t := v.(type) {
	case nil, bool, string, int, int64, float64, time.Time:
		return v, true
	case []byte:
		return bytes.Clone(t), true
	case []string:
		return slices.Clone(t), true
	case []int:
		return slices.Clone(t), true
	case map[string]string:
		return maps.Clone(t), true
	case []any:
		copied := slices.Clone(t)
		return copied, w.inside(reflect.ValueOf(v), func(w walk) (ok bool) {
			for i, e := range t {
				if copied[i], ok = w.clone(e); !ok {
					return false
				}
			}
			return true
		})
	case map[string]any:
		if t == nil {
			return v, true
		}
		copied := make(map[string]any, len(t)) // faster than to change a maps.Clone
		return copied, w.inside(reflect.ValueOf(v), func(w walk) (ok bool) {
			for k, e := range t {
				if copied[k], ok = w.clone(e); !ok {
					return false
				}
			}
			return true
		})
	}
	from := reflect.ValueOf(v)
	if traitsOf(from.Type()).plain {
		return v, true
	}
	copied := reflect.New(from.Type()).Elem()
	copied.Set(from)
	ok := w.detach(copied)
	return copied.Interface(), ok
}

// detach turns v, a shallow copy that can be set, into a deep copy.
func (w walk) detach(v reflect.Value) bool {
	if traitsOf(v.Type()).plain {
		return true
	}
	switch v.Kind() {
	case reflect.Struct:
		return every(v.NumField(), func(i int) bool {
			// The exported fields of an embedded struct can be set even if its type is unexported.
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct {
				return w.detach(v.Field(i))
			}
			return isFixed(v.Field(i))
		})
	case reflect.Array:
		return w.detachElements(v)
	}
	if v.IsNil() {
		return true
	}
	switch v.Kind() {
	case reflect.Interface:
		copied, ok := w.clone(v.Interface())
		v.Set(reflect.ValueOf(copied))
		return ok
	case reflect.Pointer, reflect.Slice, reflect.Map:
		from := reflect.ValueOf(v.Interface()) // v is about to change
		return w.inside(from, func(w walk) bool { return w.copyReferent(v, from) })
	}
	return false // a channel, a func, an unsafe.Pointer
}

// copyReferent sets v to a deep copy of from, a pointer, slice or map.
func (w walk) copyReferent(v, from reflect.Value) bool {
	t := v.Type()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(from.Elem())
		return w.detach(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(t, from.Len(), from.Len()))
		reflect.Copy(v, from)
		return w.detachElements(v)
	}
	v.Set(reflect.MakeMapWithSize(t, from.Len()))
	plain := traitsOf(t.Elem()).plain
	for i := from.MapRange(); i.Next(); {
		key, e := i.Key(), i.Value()
		if !isFixed(key) {
			return false
		}
		if !plain {
			e = reflect.New(t.Elem()).Elem()
			e.Set(i.Value())
			if !w.detach(e) {
				return false
			}
		}
		v.SetMapIndex(key, e)
	}
	return true
}

func (w walk) detachElements(v reflect.Value) bool {
	return traitsOf(v.Type().Elem()).plain || every(v.Len(), func(i int) bool { return w.detach(v.Index(i)) })
}

// isFixed reports whether a copy of v by assignment is independent of v.
func isFixed(v reflect.Value) bool {
	if !v.IsValid() || traitsOf(v.Type()).plain || v.IsZero() {
		return true
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Array, reflect.Struct:
		return Parts(v, isFixed)
	case reflect.Slice:
		return v.Len() == 0 // elements appended later do not show in the copy
	}
	return false // a pointer, map, channel or func
}
