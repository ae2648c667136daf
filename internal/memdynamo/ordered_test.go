package memdynamo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOrderedMapAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var m orderedMap
	model := map[string]*item{}
	for range 20000 {
		key := fmt.Sprint(r.IntN(500))
		switch r.IntN(3) {
		case 0:
			m.set(key, nil)
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
	var keys []string
	for _, e := range m {
		keys = append(keys, e.key)
	}
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(keys, want) {
		t.Errorf("the keys are %v\nwant %v", keys, want)
	}
	for range 1000 {
		probe := fmt.Sprint(r.IntN(1000))
		at, found := m.search(probe)
		if wantAt, want := slices.BinarySearch(keys, probe); at != wantAt || found != want {
			t.Fatalf("search(%q) = %d, %v, want %d, %v", probe, at, found, wantAt, want)
		}
	}
}
