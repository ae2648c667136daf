package merge

import (
	"hash/maphash"
	"reflect"

	"example.com/dynamostore/internal/snapshot"
)

// multiset returns the elements of t without the ones that o removed from b, followed by the ones
// that o added to b. Of equal elements, the first ones are removed, and the last ones are added.
//
// For an element of b that both t and o kept, the result has o's, since the request may hold a
// pointer to it.
func (m *merger) multiset(b, t, o reflect.Value) []reflect.Value {
	counts := table{m.seed, make([]entry, 0, b.Len()), make(map[uint64]*entry, b.Len())}
	for i := range b.Len() {
		if !m.step() {
			return nil
		}
		counts.add(b.Index(i))
	}
	merged := make([]reflect.Value, 0, t.Len()+max(0, o.Len()-b.Len()))
	var added []reflect.Value
	// After this loop, an element's count is how often we removed it.
	for i := range o.Len() {
		if !m.step() {
			return nil
		}
		if e := counts.find(o.Index(i)); e != nil && e.count > 0 {
			e.count--
			e.ours = append(e.ours, o.Index(i))
		} else {
			added = append(added, o.Index(i))
		}
	}
	for i := range t.Len() {
		if !m.step() {
			return nil
		}
		switch e := counts.find(t.Index(i)); {
		case e != nil && e.count > 0:
			e.count--
		case e != nil && len(e.ours) > 0:
			merged = append(merged, e.ours[0])
			e.ours = e.ours[1:]
		default:
			merged = append(merged, t.Index(i))
		}
	}
	return append(merged, added...)
}

// A table counts equal elements. It takes constant time for each element.
type table struct {
	seed    maphash.Seed
	entries []entry           // with room for all that are added
	byHash  map[uint64]*entry // the last one added
}

type entry struct {
	value any
	count int
	ours  []reflect.Value // the equal elements that we kept
	next  *entry          // with the same hash
}

// find returns the entry of v, or nil.
func (t *table) find(v reflect.Value) *entry {
	e, _ := t.lookup(v.Interface())
	return e
}

func (t *table) lookup(v any) (e *entry, hash uint64) {
	hash = snapshot.Hash(t.seed, v)
	for e = t.byHash[hash]; e != nil && !snapshot.Equal(e.value, v); e = e.next {
	}
	return e, hash
}

func (t *table) add(v reflect.Value) {
	value := v.Interface()
	e, hash := t.lookup(value)
	if e == nil {
		t.entries = append(t.entries, entry{value: value, next: t.byHash[hash]})
		e = &t.entries[len(t.entries)-1]
		t.byHash[hash] = e
	}
	e.count++
}
