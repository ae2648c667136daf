package memdynamo

import (
	"slices"
	"strings"
)

// An orderedMap holds items sorted by key. Adding or deleting an item moves all items after it,
// which costs less than a request unless there are hundreds of thousands.
type orderedMap []entry

type entry struct {
	key  string
	item *item
}

// search returns the index of the first entry whose key is key or above, and whether it has that
// key.
func (m orderedMap) search(key string) (at int, found bool) {
	return slices.BinarySearchFunc(m, key, func(e entry, key string) int { return strings.Compare(e.key, key) })
}

func (m orderedMap) get(key string) *item {
	if at, found := m.search(key); found {
		return m[at].item
	}
	return nil
}

func (m *orderedMap) set(key string, it *item) {
	at, found := m.search(key)
	if found {
		(*m)[at].item = it
	} else {
		*m = slices.Insert(*m, at, entry{key, it})
	}
}

func (m *orderedMap) delete(key string) {
	if at, found := m.search(key); found {
		*m = slices.Delete(*m, at, at+1)
	}
}
