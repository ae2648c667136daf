// Package tracking keeps facts about values beside them, by their pointer, for as long as they live.
//
// A [sessions.Session] has no room for what a store knows about it, and gorilla's registry and the
// applications replace the fields that it has. What the store knows is kept here instead and goes
// when the session is collected.
//
// [sessions.Session]: https://pkg.go.dev/github.com/gorilla/sessions#Session
package tracking

import (
	"hash/maphash"
	"runtime"
	"sync"
	"weak"
)

// Map holds one value of type *V for each *K that it was given. It keeps no K alive: an entry is
// removed once its K is unreachable. A V must therefore not point to its own K, or neither is ever
// collected. The zero Map is empty and ready, and safe for use by several goroutines.
type Map[K, V any] struct {
	shards [shardCount]shard[K, V]
}

// shardCount is how many locks there are, so that requests on many processors seldom meet at one.
const shardCount = 64

type shard[K, V any] struct {
	mu      sync.Mutex
	entries map[weak.Pointer[K]]*V
}

// Get returns what Set stored for k, or nil.
func (m *Map[K, V]) Get(k *K) *V {
	p := weak.Make(k)
	s := m.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[p]
}

// Set stores v for k, replacing what was there.
func (m *Map[K, V]) Set(k *K, v *V) {
	p := weak.Make(k)
	s := m.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.entries[p]; !known { // else its cleanup is registered already
		runtime.AddCleanup(k, remove[K, V], entry[K, V]{s, p})
	}
	if s.entries == nil {
		s.entries = make(map[weak.Pointer[K]]*V)
	}
	s.entries[p] = v
}

// Len counts the entries whose K was not yet found unreachable.
func (m *Map[K, V]) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

func (m *Map[K, V]) shard(p weak.Pointer[K]) *shard[K, V] {
	return &m.shards[maphash.Comparable(seed, p)%shardCount]
}

var seed = maphash.MakeSeed()

type entry[K, V any] struct {
	in *shard[K, V]
	p  weak.Pointer[K]
}

func remove[K, V any](e entry[K, V]) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	delete(e.in.entries, e.p)
}
