// Package tracking keeps facts about values beside them, by their pointer, for as long as they live.
//
// A [sessions.Session] has no room for what a store knows about it, and gorilla's registry and the
// applications replace the fields that it has. What the store knows is kept here instead and goes
// when the session is collected.
//
// [sessions.Session]: https://pkg.go.dev/github.com/gorilla/sessions#Session
package tracking

import (
	"runtime"
	"sync"
	"weak"
)

// Map holds one value of type *V for each *K that it was given. It keeps no K alive: an entry is
// removed once its K is unreachable. A V must therefore not point to its own K, or neither is ever
// collected. The zero Map is empty and ready, and safe for use by several goroutines.
type Map[K, V any] struct {
	entries sync.Map // weak.Pointer[K] → *V
}

// Get returns what Set stored for k, or nil.
func (m *Map[K, V]) Get(k *K) *V {
	v, ok := m.entries.Load(weak.Make(k))
	if !ok {
		return nil
	}
	return v.(*V)
}

// Set stores v for k, replacing what was there.
func (m *Map[K, V]) Set(k *K, v *V) {
	p := weak.Make(k)
	if _, loaded := m.entries.Swap(p, v); loaded {
		return // its cleanup is registered already
	}
	runtime.AddCleanup(k, m.remove, p)
}

func (m *Map[K, V]) remove(p weak.Pointer[K]) { m.entries.Delete(p) }

// Len counts the entries whose K was not yet found unreachable.
func (m *Map[K, V]) Len() int {
	n := 0
	m.entries.Range(func(any, any) bool { n++; return true })
	return n
}
