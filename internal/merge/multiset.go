package merge

import (
	"reflect"

	"example.com/dynamostore/internal/snapshot"
)

// multiset returns the elements of t without the ones that o removed from b, followed by the ones
// that o added to b. Of equal elements, the first ones are removed, and the last ones are added.
//
// For an element of b that both t and o kept, the result has o's, since the request may hold a
// pointer to it.
func (m *merger) multiset(b, t, o reflect.Value) []reflect.Value {
	counts := table{m: m, first: make(map[uint64]int, b.Len())}
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
	m       *merger
	entries []entry
	first   map[uint64]int // from a hash to the last entry added with it, counted from 1
}

type entry struct {
	value any
	count int
	ours  []reflect.Value // the equal elements that we kept
	next  int             // the previous entry with the same hash, counted from 1; 0 if there is none
}

// find returns the entry of v, or nil.
func (t *table) find(v reflect.Value) *entry {
	e, _ := t.lookup(v.Interface())
	return e
}

func (t *table) lookup(v any) (e *entry, hash uint64) {
	hash = snapshot.Hash(t.m.seed, v)
	for i := t.first[hash]; i != 0; i = t.entries[i-1].next {
		if e := &t.entries[i-1]; snapshot.Equal(e.value, v) {
			return e, hash
		}
	}
	return nil, hash
}

func (t *table) add(v reflect.Value) {
	value := v.Interface()
	e, hash := t.lookup(value)
	if e == nil {
		t.entries = append(t.entries, entry{value: value, next: t.first[hash]})
		t.first[hash] = len(t.entries)
		e = &t.entries[len(t.entries)-1]
	}
	e.count++
}
