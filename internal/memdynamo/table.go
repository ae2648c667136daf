package memdynamo

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"math/bits"
	"sync"
	"time"
)

// A keySchema names the attributes of a key. The range key may be absent ("").
type keySchema struct {
	hash, rnge         string
	hashKind, rngeKind kind
}

func (s keySchema) has(name string) bool { return name != "" && (name == s.hash || name == s.rnge) }

func (s keySchema) len() int {
	if s.rnge == "" {
		return 1
	}
	return 2
}

// position is where an item with these attributes stands in an orderedMap:
// behind a hash of its partition key, which spreads partitions and lets
// parallel scans divide them, by its range key. The position of a key is a
// prefix of no other's.
func (s keySchema) position(attrs map[string]value) string {
	b := s.partition(attrs[s.hash])
	if s.rnge != "" {
		b = attrs[s.rnge].appendSortable(b)
	}
	return string(b)
}

// partition is what the positions of a partition begin with.
func (s keySchema) partition(hashKey value) []byte {
	b := hashKey.appendSortable(make([]byte, 8, 64))
	h := fnv.New64a()
	h.Write(b[8:])
	// FNV's high bits, which the order and the segments go by, hardly depend
	// on the last bytes of a short key; a multiplication mixes them in.
	binary.BigEndian.PutUint64(b, bits.ReverseBytes64(h.Sum64()*0x9e3779b97f4a7c15))
	return b
}

// segmentOf says which of n equal parts of the hashes a position is in.
func segmentOf(position string, n int) int {
	hash := binary.BigEndian.Uint64([]byte(position[:8]))
	segment, _ := bits.Mul64(hash, uint64(n))
	return int(segment)
}

// A table's items and indexes may be read under mu's read lock, and changed
// under its write lock; so may its settings.
type table struct {
	name    string
	id      string
	created time.Time
	key     keySchema

	mu          sync.RWMutex
	attributes  map[string]kind // the attribute definitions
	provisioned *throughput     // nil: on demand
	items       *orderedMap
	indexes     map[string]*index
	ttl         string    // the attribute; "": off
	swept       time.Time // when ttl was last acted upon
}

type throughput struct{ read, write int }

// An index is a global secondary index: the same items in another order. What
// it does not project is left out when it is read.
type index struct {
	name        string
	key         keySchema
	projection  string          // KEYS_ONLY, INCLUDE or ALL
	nonKey      []string        // for INCLUDE, as it was given
	projected   map[string]bool // nil: all
	provisioned *throughput
	items       *orderedMap
}

// indexed reports whether an item is in the index: it has the index's keys.
func (ix *index) indexed(attrs map[string]value) bool {
	_, hash := attrs[ix.key.hash]
	_, rnge := attrs[ix.key.rnge]
	return hash && (ix.key.rnge == "" || rnge)
}

// position is where the item stands in the index. Items of one index key go
// by their primary key.
func (ix *index) position(attrs map[string]value, primary string) string {
	return ix.key.position(attrs) + primary
}

// project is what the index holds of an item.
func (ix *index) project(it *item) *item {
	if ix.projected == nil {
		return it
	}
	attrs := make(map[string]value, len(ix.projected))
	for name := range ix.projected {
		if v, ok := it.attrs[name]; ok {
			attrs[name] = v
		}
	}
	return newItem(attrs)
}

// put replaces old, which may be nil, by new, which may be nil, in the table
// and its indexes, and returns the capacity units of that.
func (t *table) put(position string, old, new *item) units {
	u := units{table: writeUnits(old, new), indexes: map[string]float64{}}
	if new != nil {
		t.items.set(position, new)
	} else {
		t.items.delete(position)
	}
	for name, ix := range t.indexes {
		var before, after *item
		var from, to string
		if old != nil && ix.indexed(old.attrs) {
			before, from = ix.project(old), ix.position(old.attrs, position)
		}
		if new != nil && ix.indexed(new.attrs) {
			after, to = ix.project(new), ix.position(new.attrs, position)
		}
		if before != nil && from != to {
			ix.items.delete(from)
		}
		if after != nil {
			ix.items.set(to, new)
		}
		switch {
		case before == nil && after == nil:
		case before == nil || after == nil:
			u.indexes[name] = writeUnits(before, after)
		case from != to:
			u.indexes[name] = writeUnits(before, nil) + writeUnits(nil, after)
		case !maps.EqualFunc(before.attrs, after.attrs, value.equal):
			u.indexes[name] = writeUnits(before, after)
		}
	}
	return u
}

// check checks that attrs have the key, and whether it can be one.
func (s keySchema) check(attrs map[string]value) error {
	for _, k := range []struct {
		name string
		kind kind
		max  int
	}{{s.hash, s.hashKind, maxHashKey}, {s.rnge, s.rngeKind, maxRangeKey}} {
		if k.name == "" {
			continue
		}
		v, ok := attrs[k.name]
		switch {
		case !ok:
			return validation("One of the required keys was not given a value")
		case v.kind != k.kind:
			return validation("One or more parameter values were invalid: Type mismatch for key")
		case v.kind != kindN && v.str == "":
			return validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyKinds[v.kind], k.name)
		case len(v.str) > k.max:
			return validation("Hash primary key values must be under 2048 bytes, and range primary key values must be under 1024 bytes")
		}
	}
	return nil
}

const maxHashKey, maxRangeKey = 2048, 1024

var emptyKinds = map[kind]string{kindS: "string", kindB: "binary"}

func (t *table) checkIndexKeys(attrs map[string]value) error {
	for _, name := range sortedKeys(t.indexes) {
		key := t.indexes[name].key
		for _, k := range []struct {
			name string
			kind kind
			max  int
		}{{key.hash, key.hashKind, maxHashKey}, {key.rnge, key.rngeKind, maxRangeKey}} {
			v, ok := attrs[k.name]
			switch {
			case !ok:
			case v.kind != k.kind:
				return validation("One or more parameter values were invalid: Type mismatch for Index Key")
			case v.kind != kindN && v.str == "":
				return validation("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", emptyKinds[v.kind], name, k.name)
			case len(v.str) > k.max:
				return validation("One or more parameter values were invalid: Size limit exceeded")
			}
		}
	}
	return nil
}

// checkKey checks a Key, which must be the key attributes and nothing else.
func (s keySchema) checkKey(attrs map[string]value) error {
	if len(attrs) != s.len() {
		return validation("The number of conditions on the keys is invalid")
	}
	return s.check(attrs)
}

// keyOf is the primary key of an item.
func (s keySchema) keyOf(attrs map[string]value) map[string]value {
	key := map[string]value{s.hash: attrs[s.hash]}
	if s.rnge != "" {
		key[s.rnge] = attrs[s.rnge]
	}
	return key
}

// segmentStart is where segment i of n begins: below every position in it.
func segmentStart(i, n int) string {
	hash, rest := bits.Div64(uint64(i), 0, uint64(n))
	if rest > 0 {
		hash++
	}
	return string(binary.BigEndian.AppendUint64(nil, hash))
}
