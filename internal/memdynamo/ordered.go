package memdynamo

import "math/rand/v2"

// An orderedMap holds items by a key, in the keys' order: a skip list. Many
// may read it at once, nobody while it changes.
type orderedMap struct {
	head entry // its next are the first entries of each level
	len  int
}

const maxLevel = 20

type entry struct {
	key  string
	item *item
	prev *entry // nil for the first
	next []*entry
}

func newOrderedMap() *orderedMap {
	return &orderedMap{head: entry{next: make([]*entry, maxLevel)}}
}

// before fills path with the last entry of each level whose key is below key.
func (m *orderedMap) before(key string, path *[maxLevel]*entry) *entry {
	e := &m.head
	for level := maxLevel - 1; level >= 0; level-- {
		for e.next[level] != nil && e.next[level].key < key {
			e = e.next[level]
		}
		if path != nil {
			path[level] = e
		}
	}
	return e
}

// seek is the first entry whose key is key or above, or nil.
func (m *orderedMap) seek(key string) *entry { return m.before(key, nil).next[0] }

// seekLast is the last entry whose key is below key, or nil.
func (m *orderedMap) seekLast(key string) *entry {
	if e := m.before(key, nil); e != &m.head {
		return e
	}
	return nil
}

func (m *orderedMap) get(key string) *item {
	if e := m.seek(key); e != nil && e.key == key {
		return e.item
	}
	return nil
}

func (m *orderedMap) set(key string, it *item) {
	var path [maxLevel]*entry
	e := m.before(key, &path).next[0]
	if e != nil && e.key == key {
		e.item = it
		return
	}
	levels := 1
	for levels < maxLevel && rand.Uint32()&3 == 0 {
		levels++
	}
	added := &entry{key: key, item: it, next: make([]*entry, levels)}
	if path[0] != &m.head {
		added.prev = path[0]
	}
	if e != nil {
		e.prev = added
	}
	for level := range levels {
		added.next[level] = path[level].next[level]
		path[level].next[level] = added
	}
	m.len++
}

func (m *orderedMap) delete(key string) {
	var path [maxLevel]*entry
	e := m.before(key, &path).next[0]
	if e == nil || e.key != key {
		return
	}
	for level := range e.next {
		path[level].next[level] = e.next[level]
	}
	if e.next[0] != nil {
		e.next[0].prev = e.prev
	}
	m.len--
}

// size is the bytes of the items, as far as an index, if any, holds them.
func (m *orderedMap) size(ix *index) int {
	n := 0
	for e := m.seek(""); e != nil; e = e.next[0] {
		if ix != nil {
			n += ix.project(e.item).size
		} else {
			n += e.item.size
		}
	}
	return n
}
