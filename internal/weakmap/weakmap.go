// Package weakmap keeps values by weak pointer: each lives as long as what the pointer points to.
//
// A [sessions.Session] has no field for what a store knows about it, and gorilla's registry and
// applications replace the fields that it has. This package keeps that knowledge, and drops it when
// the session is garbage collected.
//
// [sessions.Session]: https://pkg.go.dev/github.com/gorilla/sessions#Session
package weakmap

import (
	"hash/maphash"
	"runtime"
	"sync"
	"weak"
)

// Map holds one value of type *V for each *K. It does not keep a K alive: an entry is removed once
// its K is unreachable. A V must not point to its own K, or neither is ever collected. The zero Map
// is empty, ready for use, and safe for concurrent use.
type Map[K, V any] struct {
	shards [shardCount]shard[K, V]
}

// shardCount is the number of locks, so that requests on many processors rarely contend for one.
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

// Set stores v for k, replacing any earlier value.
func (m *Map[K, V]) Set(k *K, v *V) {
	p := weak.Make(k)
	s := m.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(k, p, v)
}

// GetOrSet returns the value stored for k. If there is none, it stores and returns the result of
// make.
func (m *Map[K, V]) GetOrSet(k *K, make func() *V) *V {
	p := weak.Make(k)
	s := m.shard(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.entries[p]
	if v == nil {
		v = make()
		s.set(k, p, v)
	}
	return v
}

func (s *shard[K, V]) set(k *K, p weak.Pointer[K], v *V) {
	if _, known := s.entries[p]; !known { // otherwise its cleanup is already registered
		runtime.AddCleanup(k, remove[K, V], entry[K, V]{s, p})
	}
	if s.entries == nil {
		s.entries = make(map[weak.Pointer[K]]*V)
	}
	s.entries[p] = v
}

// Len returns the number of entries whose K has not been collected yet.
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
