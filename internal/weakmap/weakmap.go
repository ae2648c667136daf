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

// Map holds a V for each *K. It does not keep a K alive: a V is dropped once its K is unreachable.
// A V must not point to its own K, or neither is ever collected. The zero Map is ready for use, and
// safe for concurrent use.
type Map[K, V any] struct {
	shards [shardCount]shard[K, V]
}

// shardCount is the number of locks, so that requests on many processors rarely contend for one.
const shardCount = 64

type shard[K, V any] struct {
	mu     sync.Mutex
	values map[weak.Pointer[K]]*V
}

var seed = maphash.MakeSeed()

// Get returns the V of k, which is zero at first.
func (m *Map[K, V]) Get(k *K) *V {
	p := weak.Make(k)
	s := &m.shards[maphash.Comparable(seed, p)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[p]
	if v == nil {
		if s.values == nil {
			s.values = make(map[weak.Pointer[K]]*V)
		}
		v = new(V)
		s.values[p] = v
		runtime.AddCleanup(k, s.remove, p)
	}
	return v
}

func (s *shard[K, V]) remove(p weak.Pointer[K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, p)
}
