package snapshot

import (
	"net/netip"
	"reflect"
	"sync"
	"time"
)

const (
	// maxDepth limits how deeply pointers, maps and slices are nested, so that neither a walk nor
	// encoding/gob, which has no limit of its own, overflows the stack.
	maxDepth = 10_000
	// trackDepth is the depth, a power of two, at which a walk starts to look for cycles. Few values
	// are that deep.
	trackDepth = 64
)

// A walk is a step of a depth-first traversal of a value. The zero walk is the first step.
type walk struct {
	depth int
	mark  *reference // to find cycles: what the walk entered last at a depth that is a power of two
}

// A reference identifies a pointer, map or slice.
type reference struct {
	pointer uintptr
	len     int // of a slice, since a subslice may begin where the slice begins
	typ     reflect.Type
}

// inside calls visit to continue the walk inside v, a pointer, map or slice, and returns its
// result. It returns false if v is the walk's mark, which a walk around a cycle meets again, or if
// the walk is too deep; the walk must then stop.
func (w walk) inside(v reflect.Value, visit func(walk) bool) bool {
	w.depth++
	if w.depth >= trackDepth {
		r := reference{pointer: v.Pointer(), typ: v.Type()}
		if v.Kind() == reflect.Slice {
			r.len = v.Len()
		}
		if w.mark != nil && r == *w.mark || w.depth > maxDepth {
			return false
		}
		if w.depth&(w.depth-1) == 0 {
			w.mark = new(r)
		}
	}
	return visit(w)
}

// Parts calls visit for each part of v: the fields of a struct, the elements of an array, slice or
// map, the keys of a map, and what a pointer or an interface holds, which is the zero Value if it is
// nil. It stops at the first false, and returns it.
func Parts(v reflect.Value, visit func(reflect.Value) bool) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return visit(v.Elem())
	case reflect.Struct:
		return every(v.NumField(), func(i int) bool { return visit(v.Field(i)) })
	case reflect.Array, reflect.Slice:
		return every(v.Len(), func(i int) bool { return visit(v.Index(i)) })
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if !visit(i.Key()) || !visit(i.Value()) {
				return false
			}
		}
	}
	return true
}

// every reports whether f returns true for each number below n. It stops at the first false.
func every(n int, f func(i int) bool) bool {
	for i := range n {
		if !f(i) {
			return false
		}
	}
	return true
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	locationType = reflect.TypeFor[*time.Location]()
	addrType     = reflect.TypeFor[netip.Addr]()
)

// traits holds properties of all values of a type.
type traits struct {
	plain   bool // assignment makes a deep copy: values have no references, or are immutable
	acyclic bool // no value contains itself where encoding/gob looks, as far as the type tells
}

var knownTraits sync.Map // from reflect.Type to traits; a cache

func traitsOf(t reflect.Type) traits {
	if k := t.Kind(); k <= reflect.Complex128 || k == reflect.String {
		return traits{true, true}
	}
	if k, ok := knownTraits.Load(t); ok {
		return k.(traits)
	}
	k := traits{isPlain(t), isAcyclic(t)}
	knownTraits.Store(t, k)
	return k
}

func isPlain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return t == locationType
	case reflect.Map, reflect.Slice, reflect.Interface, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return false
	case reflect.Array:
		return isPlain(t.Elem())
	case reflect.Struct:
		return t == addrType || every(t.NumField(), func(i int) bool { return isPlain(t.Field(i).Type) })
	}
	return true
}
