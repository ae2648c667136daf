package memdynamo

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// A keySchema lists the attributes of a key: the hash key and, if there is one, the range key.
type keySchema []keyPart

// A keyPart is one attribute of a key. A string or binary value has at most max bytes.
type keyPart struct {
	name string
	kind kind
	max  int
}

const maxHashKey, maxRangeKey = 2048, 1024

func (s keySchema) has(name string) bool {
	return slices.ContainsFunc(s, func(k keyPart) bool { return k.name == name })
}

// fits reports whether the value can be the key attribute's.
func (k keyPart) fits(v value) bool {
	return v.kind == k.kind && (v.kind == kindN || v.str != "") && len(v.str) <= k.max
}

// check checks a value that is of the attribute's type.
func (k keyPart) check(v value) {
	refuseIf(!k.fits(v) && v.str == "", "One or more parameter values are not valid. %s Key: %s", emptyKey(v.kind), k.name)
	k.checkSize(v)
}

func (k keyPart) checkSize(v value) {
	const wrong = "One or more parameter values were invalid: "
	mismatchIf(!k.fits(v) && k.max == maxHashKey, wrong+"Size of hashkey has exceeded the maximum size limit of2048 bytes")
	mismatchIf(!k.fits(v), wrong+"Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
}

func emptyKey(k kind) string {
	return "The AttributeValue for a key attribute cannot contain an empty " + strings.ToLower(longKinds[k]) + " value."
}

// position returns the position in an orderedMap of an item with these attributes: a hash of its
// partition key, which spreads partitions and lets parallel scans divide them, then its range key.
// No key's position is a prefix of another's.
func (s keySchema) position(attrs map[string]value) string {
	b := s.partition(attrs[s[0].name])
	for _, k := range s[1:] {
		b = attrs[k.name].appendSortable(b)
	}
	return string(b)
}

// partition returns the prefix of all positions in a partition.
func (s keySchema) partition(hashKey value) []byte {
	b := hashKey.appendSortable(make([]byte, 8, 64))
	h := fnv.New64a()
	h.Write(b[8:])
	// FNV's high bits, which the order and the segments go by, hardly depend on the last bytes of a
	// short key; a multiplication mixes them in.
	binary.BigEndian.PutUint64(b, bits.ReverseBytes64(h.Sum64()*0x9e3779b97f4a7c15))
	return b
}

// segmentOf returns which of n equal parts of the hashes a position is in.
func segmentOf(position string, n int) int {
	hash := binary.BigEndian.Uint64([]byte(position[:8]))
	segment, _ := bits.Mul64(hash, uint64(n))
	return int(segment)
}

type table struct {
	name        string
	created     time.Time
	key         keySchema
	attributes  map[string]kind // the attribute definitions
	provisioned *throughput     // nil: on demand
	items       orderedMap
	indexes     map[string]*index
	protected   bool           // from DeleteTable
	ttl         string         // the attribute; "": off
	swept       time.Time      // when ttl was last acted upon
	details     map[string]any // parts of its description without further effect
}

type throughput struct{ read, write int }

// An index is a global secondary index: the same items in another order. Reads leave out what it
// does not project.
type index struct {
	name        string
	key         keySchema
	projection  map[string]any  // as it is described
	projected   map[string]bool // nil: all
	provisioned *throughput
	items       orderedMap
}

// indexed reports whether an item is in the index: it has the index's key. An item that was there
// before the index may have attributes that cannot be its key.
func (ix *index) indexed(attrs map[string]value) bool {
	return !slices.ContainsFunc(ix.key, func(k keyPart) bool { return !k.fits(attrs[k.name]) })
}

// position returns the item's position in the index. Items with the same index key are sorted by
// their primary key.
func (ix *index) position(attrs map[string]value, primary string) string {
	return ix.key.position(attrs) + primary
}

// projects reports whether the index holds the attribute.
func (ix *index) projects(name string) bool { return ix.projected == nil || ix.projected[name] }

// project returns the part of an item that the index holds.
func (ix *index) project(it *item) *item {
	if ix.projected == nil {
		return it
	}
	attrs := maps.Clone(it.attrs)
	maps.DeleteFunc(attrs, func(name string, _ value) bool { return !ix.projects(name) })
	return newItem(attrs)
}

// put replaces old with new, either of which may be nil, in the table and its indexes, and returns
// the capacity units that it took.
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
			ix.items.delete(from)
		}
		if new != nil && ix.indexed(new.attrs) {
			after, to = ix.project(new), ix.position(new.attrs, position)
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

// checkItem checks the key of an item.
func (s keySchema) checkItem(attrs map[string]value) {
	const wrong = "One or more parameter values were invalid: "
	for _, k := range s {
		v, ok := attrs[k.name]
		mismatchIf(!ok, wrong+"Missing the key %s in the item", k.name)
		mismatchIf(v.kind != k.kind, wrong+"Type mismatch for key %s expected: %s actual: %s", k.name, k.kind, v.kind)
		k.check(v)
	}
}

// checkKey checks a Key, which must be the key attributes and nothing else.
func (s keySchema) checkKey(attrs map[string]value) {
	for _, k := range s {
		mismatchIf(len(attrs) != len(s) || attrs[k.name].kind != k.kind, "The provided key element does not match the schema")
	}
	for _, k := range s {
		k.check(attrs[k.name])
	}
}

// checkIndexKeys checks the attributes that are keys of indexes. The error's text depends on the
// operation, opPut or opUpdate.
func (t *table) checkIndexKeys(operation string, attrs map[string]value) {
	const notValid = "One or more parameter values are not valid. "
	update := operation == opUpdate
	for _, name := range slices.Sorted(maps.Keys(t.indexes)) {
		for _, k := range t.indexes[name].key {
			v, ok := attrs[k.name]
			if !ok || k.fits(v) {
				continue
			}
			mismatchIf(v.kind != k.kind, "One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", k.name, k.kind, v.kind, name)
			refuseIf(v.str == "" && update, notValid+"The update expression attempted to update a secondary index key to a value that is not supported. %s", emptyKey(v.kind))
			refuseIf(v.str == "", notValid+"A value specified for a secondary index key is not supported. %s IndexName: %s, IndexKey: %s", emptyKey(v.kind), name, k.name)
			mismatchIf(update, "The update expression attempted to update the secondary index key beyond allowed size limits")
			k.checkSize(v)
		}
	}
}

// checkScalar refuses expressions that look into key attributes. names are the attributes that
// paths lead into.
func (t *table) checkScalar(names []string) {
	for _, name := range names {
		refuseIf(t.key.has(name), notScalar+"Key: %s", name)
		for _, ix := range t.indexes {
			refuseIf(ix.key.has(name), notScalar+"IndexKey: %s", name)
		}
	}
}

const notScalar = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "

// keyOf returns the primary key of an item.
func (s keySchema) keyOf(attrs map[string]value) map[string]value {
	key := map[string]value{}
	for _, k := range s {
		key[k.name] = attrs[k.name]
	}
	return key
}

// segmentStart returns the start of segment i of n, which is below every position in it.
func segmentStart(i, n int) string {
	hash, rest := bits.Div64(uint64(i), 0, uint64(n))
	if rest > 0 {
		hash++
	}
	return string(binary.BigEndian.AppendUint64(nil, hash))
}
