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
	// trackDepth is the depth at which a walk starts to remember its path, to find cycles. Few
	// values are that deep, so most walks need no map.
	trackDepth = 64
)

// A walk is a depth-first traversal of a value. The zero walk is ready to use.
type walk struct {
	depth int
	path  map[reference]bool // the references that the walk is inside, from trackDepth on
}

// A reference identifies a pointer, map or slice.
type reference struct {
	pointer uintptr
	len     int // of a slice, since a subslice may begin where the slice begins
	typ     reflect.Type
}

// inside calls visit to continue the walk inside v, a pointer, map or slice, and returns its
// result. It returns false if the walk is already inside v, or too deep; the walk must then stop.
func (w *walk) inside(v reflect.Value, visit func() bool) (ok bool) {
	w.depth++
	if w.depth <= trackDepth {
		ok = visit()
	} else if r := referenceOf(v); !w.path[r] && w.depth <= maxDepth {
		if w.path == nil {
			w.path = make(map[reference]bool)
		}
		w.path[r] = true
		ok = visit()
		delete(w.path, r)
	}
	w.depth--
	return ok
}

func referenceOf(v reflect.Value) reference {
	r := reference{pointer: v.Pointer(), typ: v.Type()}
	if v.Kind() == reflect.Slice {
		r.len = v.Len()
	}
	return r
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
	acyclic bool // no value contains itself where encoding/gob looks
}

var knownTraits sync.Map // from reflect.Type to traits; a cache

func traitsOf(t reflect.Type) traits {
	if k := t.Kind(); k <= reflect.Complex128 || k == reflect.String {
		return traits{true, true}
	}
	if k, ok := knownTraits.Load(t); ok {
		return k.(traits)
	}
	k := traits{isPlain(t), isAcyclic(t, nil)}
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
