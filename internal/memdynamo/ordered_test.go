package memdynamo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOrderedMapAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m, model := newOrderedMap(), map[string]*item{}
	for range 20000 {
		key := fmt.Sprint(r.IntN(500))
		switch r.IntN(3) {
		case 0:
			m.delete(key)
			delete(model, key)
		default:
			it := &item{size: r.Int()}
			m.set(key, it)
			model[key] = it
		}
		if probe := fmt.Sprint(r.IntN(500)); m.get(probe) != model[probe] {
			t.Fatalf("get(%q) = %v, want %v", probe, m.get(probe), model[probe])
		}
	}
	keys := sortedKeys(model)
	if m.len != len(keys) {
		t.Errorf("len %d, want %d", m.len, len(keys))
	}
	var forward, backward []string
	for e := m.seek(""); e != nil; e = e.next[0] {
		forward = append(forward, e.key)
	}
	for e := m.seekLast("\xff"); e != nil; e = e.prev {
		backward = append(backward, e.key)
	}
	slices.Reverse(backward)
	if !slices.Equal(forward, keys) || !slices.Equal(backward, keys) {
		t.Errorf("forward %v\nbackward %v\nwant %v", forward, backward, keys)
	}
	for range 1000 {
		probe := fmt.Sprint(r.IntN(1000))
		at, _ := slices.BinarySearch(keys, probe)
		if e := m.seek(probe); (e == nil) != (at == len(keys)) || e != nil && e.key != keys[at] {
			t.Fatalf("seek(%q) = %v", probe, e)
		}
		if e := m.seekLast(probe); (e == nil) != (at == 0) || e != nil && e.key != keys[at-1] {
			t.Fatalf("seekLast(%q) = %v", probe, e)
		}
	}
}
