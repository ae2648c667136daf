package snapshot

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
)

// EqualValues reports whether a and b are the same session: the same keys, with values that are
// [Equal]. A nil map equals an empty one.
func EqualValues(a, b map[any]any) bool { return maps.EqualFunc(a, b, Equal) }

// Equal reports whether a and b are deeply equal, so that a codec stores them alike. It is like
// [reflect.DeepEqual], with these differences:
//
//   - A NaN equals a NaN, and 0 does not equal -0.
//   - Times are equal if they are the same instant and have the same zone offset. Monotonic clock
//     readings and names of zones are ignored.
//   - A cyclic value equals only itself. So does one that is nested more than 10,000 levels deep.
//
// As for DeepEqual, types must match, nil and empty are different, and unexported fields count. Map
// keys are looked up as Go does it: 0 and -0 are the same key, and a map with a NaN key equals only
// itself.
//
// Some codecs store values alike that Equal distinguishes, such as nil and empty in encoding/gob.
// That costs an unnecessary write. Treating different values as equal would lose a change.
func Equal(a, b any) bool {
	return walk{}.equal(a, b)
}

// equal compares a and b. The types that most sessions hold need no reflection.
func (w walk) equal(a, b any) bool {
	switch x := a.(type) {
	case nil, bool, string, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr, time.Duration:
		return a == b
	case float64:
		y, ok := b.(float64)
		return ok && equalFloats(x, y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && equalTimes(x, y)
	case []string:
		y, ok := b.([]string)
		return ok && (x == nil) == (y == nil) && slices.Equal(x, y)
	case []int:
		y, ok := b.([]int)
		return ok && (x == nil) == (y == nil) && slices.Equal(x, y)
	case map[string]string:
		y, ok := b.(map[string]string)
		return ok && (x == nil) == (y == nil) && maps.Equal(x, y)
	case []any:
		y, ok := b.([]any)
		return ok && len(x) == len(y) && w.equalReferents(reflect.ValueOf(a), reflect.ValueOf(b), func(w walk) bool {
			return slices.EqualFunc(x, y, w.equal)
		})
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && len(x) == len(y) && w.equalReferents(reflect.ValueOf(a), reflect.ValueOf(b), func(w walk) bool {
			return maps.EqualFunc(x, y, w.equal)
		})
	}
	return w.equalValues(reflect.ValueOf(a), reflect.ValueOf(b))
}

// equalValues is equal with reflection. It can also read unexported fields.
func (w walk) equalValues(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.String:
		return a.String() == b.String() // faster than Value.Equal
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return a.Int() == b.Int()
	case reflect.Float32, reflect.Float64:
		return equalFloats(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		x, y := a.Complex(), b.Complex()
		return equalFloats(real(x), real(y)) && equalFloats(imag(x), imag(y))
	case reflect.Interface:
		if a.CanInterface() {
			return w.equal(a.Interface(), b.Interface())
		}
		return w.equalValues(a.Elem(), b.Elem())
	case reflect.Array:
		return w.equalElements(a, b)
	case reflect.Struct:
		if a.Type() == timeType && a.CanInterface() {
			return equalTimes(a.Interface().(time.Time), b.Interface().(time.Time))
		}
		return every(a.NumField(), func(i int) bool { return w.equalValues(a.Field(i), b.Field(i)) })
	case reflect.Pointer:
		return w.equalReferents(a, b, func(w walk) bool { return w.equalValues(a.Elem(), b.Elem()) })
	case reflect.Slice:
		return a.Len() == b.Len() && w.equalReferents(a, b, func(w walk) bool { return w.equalElements(a, b) })
	case reflect.Map:
		return a.Len() == b.Len() && w.equalReferents(a, b, func(w walk) bool { return w.equalEntries(a, b) })
	case reflect.Func:
		return a.IsNil() && b.IsNil()
	}
	return a.Equal(b) // a bool, an unsigned integer, a channel, an unsafe.Pointer
}

// equalReferents calls equal to compare the referents of a and b, which are pointers, slices of the
// same length or maps, unless they are the same.
func (w walk) equalReferents(a, b reflect.Value, equal func(walk) bool) bool {
	switch {
	case a.IsNil() || b.IsNil():
		return a.IsNil() && b.IsNil()
	case a.Pointer() == b.Pointer():
		return true
	}
	return w.inside(a, equal)
}

func (w walk) equalElements(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Type().Elem().Kind() == reflect.Uint8 {
		return bytes.Equal(a.Bytes(), b.Bytes())
	}
	return every(a.Len(), func(i int) bool { return w.equalValues(a.Index(i), b.Index(i)) })
}

func (w walk) equalEntries(a, b reflect.Value) bool {
	for i := a.MapRange(); i.Next(); {
		if other := b.MapIndex(i.Key()); !other.IsValid() || !w.equalValues(i.Value(), other) {
			return false
		}
	}
	return true
}

func equalFloats(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

// equalTimes compares what codecs store. [time.Time.Equal] prefers monotonic clock readings.
func equalTimes(a, b time.Time) bool {
	_, offset := a.Zone()
	_, other := b.Zone()
	return offset == other && a.Unix() == b.Unix() && a.Nanosecond() == b.Nanosecond()
}
