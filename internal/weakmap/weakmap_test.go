package weakmap

import (
	"runtime"
	"sync"
	"testing"
)

type session struct{ values map[any]any }

type known struct{ version string }

func TestGetReturnsWhatWasSet(t *testing.T) {
	var m Map[session, known]
	a, b := &session{}, &session{}
	if got := m.Get(a); got != nil {
		t.Fatalf("Get of an unknown pointer = %v, want nil", got)
	}
	m.Set(a, &known{"1"})
	m.Set(b, &known{"2"})
	m.Set(a, &known{"3"})
	if got := m.Get(a).version; got != "3" {
		t.Errorf("Get(a) = %q, want the value set last, %q", got, "3")
	}
	if got := m.Get(b).version; got != "2" {
		t.Errorf("Get(b) = %q, want %q", got, "2")
	}
	if got := m.Len(); got != 2 {
		t.Errorf("Len = %d, want 2", got)
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
}

// A copy of a session is another session: nothing is known about it.
func TestCopyIsUnknown(t *testing.T) {
	var m Map[session, known]
	a := &session{}
	m.Set(a, &known{"1"})
	b := *a
	if got := m.Get(&b); got != nil {
		t.Errorf("Get of a copy = %v, want nil", got)
	}
}

func TestEntriesGoWithTheirKeys(t *testing.T) {
	var m Map[session, known]
	kept := &session{}
	m.Set(kept, &known{"kept"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				s := &session{values: map[any]any{"k": "v"}}
				m.Set(s, &known{"1"})
				m.Set(s, &known{"2"})
				if got := m.Get(s); got == nil || got.version != "2" {
					t.Errorf("Get = %v, want version 2", got)
				}
			}
		})
	}
	wg.Wait()
	// Cleanups run in a goroutine of the runtime, some time after a collection.
	for round := 0; m.Len() > 1; round++ {
		if round == 10_000 {
			t.Fatalf("%d entries outlived their keys", m.Len()-1)
		}
		runtime.GC()
		runtime.Gosched()
	}
	if got := m.Get(kept); got == nil || got.version != "kept" {
		t.Errorf("the entry of a live session is gone: %v", got)
	}
	runtime.KeepAlive(kept)
}
