package weakmap

import (
	"runtime"
	"sync"
	"testing"
)

type session struct{ values map[any]any }

type known struct{ version string }

func TestGetReturnsTheSameValue(t *testing.T) {
	var m Map[session, known]
	a, b := &session{}, &session{}
	if got := *m.Get(a); got != (known{}) {
		t.Fatalf("Get of an unknown pointer = %v, want a zero value", got)
	}
	m.Get(a).version = "1"
	m.Get(b).version = "2"
	if got := m.Get(a).version; got != "1" {
		t.Errorf("Get(a) = %q, want %q", got, "1")
	}
	if got := m.Get(b).version; got != "2" {
		t.Errorf("Get(b) = %q, want %q", got, "2")
	}
	if got := count(&m); got != 2 {
		t.Errorf("the map has %d entries, want 2", got)
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
}

// A copy of a session is another session: nothing is known about it.
func TestCopyIsUnknown(t *testing.T) {
	var m Map[session, known]
	a := &session{}
	m.Get(a).version = "1"
	b := *a
	if got := *m.Get(&b); got != (known{}) {
		t.Errorf("Get of a copy = %v, want a zero value", got)
	}
}

func TestEntriesGoWithTheirKeys(t *testing.T) {
	var m Map[session, known]
	kept := &session{}
	m.Get(kept).version = "kept"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				s := &session{values: map[any]any{"k": "v"}}
				m.Get(s).version = "1"
				if got := m.Get(s).version; got != "1" {
					t.Errorf("Get = %q, want %q", got, "1")
				}
			}
		})
	}
	wg.Wait()
	// Cleanups run in a goroutine of the runtime, some time after a collection.
	for round := 0; count(&m) > 1; round++ {
		if round == 10_000 {
			t.Fatalf("%d entries outlived their keys", count(&m)-1)
		}
		runtime.GC()
		runtime.Gosched()
	}
	if got := m.Get(kept).version; got != "kept" {
		t.Errorf("the entry of a live session is now %q, want %q", got, "kept")
	}
	runtime.KeepAlive(kept)
}

// count returns the number of entries whose K has not been collected yet.
func count[K, V any](m *Map[K, V]) int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.values)
		s.mu.Unlock()
	}
	return n
}
