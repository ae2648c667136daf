package snapshot

import (
	"hash/maphash"
	"reflect"
	"time"
)

// Hash returns a hash of v. Values that are [Equal] have the same hash under the same seed. All
// cyclic values have the same hash.
func Hash(seed maphash.Seed, v any) uint64 {
	var h hasher
	h.SetSeed(seed)
	if !h.value(walk{}, reflect.ValueOf(v)) {
		return 0
	}
	return h.Sum64()
}

type hasher struct{ maphash.Hash }

func (h *hasher) float(f float64) {
	if f != f {
		f = 0 // a NaN has a different hash each time
	}
	maphash.WriteComparable(&h.Hash, f)
}

// value hashes v, at step w of the walk. It returns false if v is cyclic. Kinds not listed below add
// nothing to the hash.
func (h *hasher) value(w walk, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid: // nil in an interface
		h.WriteByte(0)
	case reflect.Bool:
		maphash.WriteComparable(&h.Hash, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		maphash.WriteComparable(&h.Hash, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		maphash.WriteComparable(&h.Hash, v.Uint())
	case reflect.Float32, reflect.Float64:
		h.float(v.Float())
	case reflect.Complex64, reflect.Complex128:
		h.float(real(v.Complex()))
		h.float(imag(v.Complex()))
	case reflect.String:
		maphash.WriteComparable(&h.Hash, v.String())
	case reflect.Struct:
		if v.Type() == timeType && v.CanInterface() {
			maphash.WriteComparable(&h.Hash, v.Interface().(time.Time).UnixNano())
			return true
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.IsNil() || v.Type() == locationType {
			h.WriteByte(0)
			return true
		}
		return w.inside(v, func(w walk) bool {
			switch v.Kind() {
			case reflect.Map:
				return h.entries(w, v)
			case reflect.Slice:
				maphash.WriteComparable(&h.Hash, v.Len())
			}
			return Parts(v, func(part reflect.Value) bool { return h.value(w, part) })
		})
	}
	return Parts(v, func(part reflect.Value) bool { return h.value(w, part) })
}

// entries hashes a map: the sum of the hashes of its entries does not depend on their order.
func (h *hasher) entries(w walk, v reflect.Value) bool {
	var sum uint64
	var entry hasher
	entry.SetSeed(h.Seed())
	for i := v.MapRange(); i.Next(); {
		entry.Reset()
		if !entry.value(w, i.Key()) || !entry.value(w, i.Value()) {
			return false
		}
		sum += entry.Sum64()
	}
	maphash.WriteComparable(&h.Hash, sum)
	return true
}
