package memdynamo

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"
)

type table struct {
	index     // of all items, by the primary key; it has no name
	name      string
	created   time.Time
	onDemand  bool
	indexes   map[string]*index
	protected bool           // from DeleteTable
	ttl       string         // the attribute; "": off
	swept     time.Time      // when ttl was last acted upon
	details   map[string]any // parts of its description without further effect
}

type throughput struct{ ReadCapacityUnits, WriteCapacityUnits int }

// An index is a table's items in the order of a key: its own or that of a global secondary index.
// Reads leave out what it does not project. The exported fields are those of its definition in a
// request.
type index struct {
	IndexName  string
	KeySchema  keySchema
	Projection struct {
		ProjectionType   *string
		NonKeyAttributes []string `json:",omitempty"`
	}
	ProvisionedThroughput *throughput

	projected map[string]bool  // nil: all
	items     map[string]*item // by position
}

// A keySchema lists the attributes of a key: the hash key and, if there is one, the range key.
type keySchema []keyPart

// A keyPart is one attribute of a key, and has the form that requests and responses have.
type keyPart struct {
	AttributeName string
	KeyType       string // HASH or RANGE
	kind          kind
}

const maxHashKey, maxRangeKey = 2048, 1024

func (s keySchema) has(name string) bool {
	return slices.ContainsFunc(s, func(k keyPart) bool { return k.AttributeName == name })
}

// fits reports whether the value can be the key attribute's.
func (k keyPart) fits(v value) bool {
	return v.kind == k.kind && (v.kind == kindN || v.str != "") && !k.tooLong(v)
}

func (k keyPart) tooLong(v value) bool {
	return len(v.str) > maxHashKey || k.KeyType == "RANGE" && len(v.str) > maxRangeKey
}

// check checks a value that is of the attribute's type.
func (k keyPart) check(v value) {
	k.checkNotEmpty(v)
	k.checkSize(v)
}

func (k keyPart) checkNotEmpty(v value) {
	refuseIf(v.kind != kindN && v.str == "", "One or more parameter values are not valid. %s Key: %s", emptyKey(v.kind), k.AttributeName)
}

func (k keyPart) checkSize(v value) {
	const wrong = "One or more parameter values were invalid: "
	mismatchIf(k.tooLong(v) && k.KeyType == "HASH", wrong+"Size of hashkey has exceeded the maximum size limit of2048 bytes")
	mismatchIf(k.tooLong(v), wrong+"Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
}

func emptyKey(k kind) string {
	return "The AttributeValue for a key attribute cannot contain an empty " + strings.ToLower(longKinds[k]) + " value."
}

// checkItem checks the key of an item.
func (s keySchema) checkItem(attrs map[string]value) {
	const wrong = "One or more parameter values were invalid: "
	for _, k := range s {
		v, ok := attrs[k.AttributeName]
		mismatchIf(!ok, wrong+"Missing the key %s in the item", k.AttributeName)
		mismatchIf(v.kind != k.kind, wrong+"Type mismatch for key %s expected: %s actual: %s", k.AttributeName, k.kind, v.kind)
		k.check(v)
	}
}

// checkKey checks a Key, which must be the key attributes and nothing else.
func (s keySchema) checkKey(attrs map[string]value) {
	for _, k := range s {
		mismatchIf(len(attrs) != len(s) || attrs[k.AttributeName].kind != k.kind, "The provided key element does not match the schema")
	}
	for _, k := range s {
		k.check(attrs[k.AttributeName])
	}
}

// keyOf returns the key of an item.
func (s keySchema) keyOf(attrs map[string]value) map[string]value {
	key := map[string]value{}
	for _, k := range s {
		key[k.AttributeName] = attrs[k.AttributeName]
	}
	return key
}

// position returns the position of an item with these attributes in the order of the key: by a hash
// of the partition key, which spreads partitions and lets parallel scans divide them, then by the
// key. No key's position is a prefix of another's.
func (s keySchema) position(attrs map[string]value) string {
	b := []byte(hashPosition(attrs[s[0].AttributeName].hash()))
	for _, k := range s {
		b = attrs[k.AttributeName].appendSortable(b)
	}
	return string(b)
}

// hash returns a hash of 32 bits.
func (v value) hash() uint64 { return uint64(crc32.ChecksumIEEE(v.appendSortable(nil))) }

// hashPosition returns the first position of items with this hash.
func hashPosition(hash uint64) string { return string(binary.BigEndian.AppendUint64(nil, hash)) }

const maxSegments = 1000000

// segmentStart returns the first position in segment i of n, which divide the hashes evenly. That
// in segment n is above all positions.
func segmentStart(i, n int) string { return hashPosition(uint64(i) << 32 / uint64(n)) }

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

// entry returns the position of an item in a secondary index, and what the index holds of it, which
// is nil if the item, or an attribute that can be the index's key, is missing. Items with the same
// index key are sorted by primary, their position in the table.
func (ix *index) entry(primary string, it *item) (position string, held *item) {
	unfit := func(k keyPart) bool { return !k.fits(it.attrs[k.AttributeName]) }
	if it == nil || slices.ContainsFunc(ix.KeySchema, unfit) {
		return "", nil
	}
	return ix.KeySchema.position(it.attrs) + primary, ix.project(it)
}

// put replaces old with new, either of which may be nil, in the table and its indexes, and returns
// the capacity units that it took.
func (t *table) put(position string, old, new *item) units {
	delete(t.items, position)
	if new != nil {
		t.items[position] = new
	}
	u := units{"": writeUnits(old, new)}
	for name, ix := range t.indexes {
		from, before := ix.entry(position, old)
		to, after := ix.entry(position, new)
		delete(ix.items, from)
		if after != nil {
			ix.items[to] = new
		}
		switch {
		case before == nil && after == nil:
		case before != nil && after != nil && from != to:
			u[name] = writeUnits(before, nil) + writeUnits(nil, after)
		case before == nil || after == nil || !maps.EqualFunc(before.attrs, after.attrs, value.equal):
			u[name] = writeUnits(before, after)
		}
	}
	return u
}

// checkIndexKeys checks the attributes that are keys of indexes. The error's text depends on the
// operation, opPut or opUpdate.
func (t *table) checkIndexKeys(operation string, attrs map[string]value) {
	const notValid = "One or more parameter values are not valid. "
	update := operation == opUpdate
	for _, name := range slices.Sorted(maps.Keys(t.indexes)) {
		for _, k := range t.indexes[name].KeySchema {
			v, ok := attrs[k.AttributeName]
			if !ok || k.fits(v) {
				continue
			}
			mismatchIf(v.kind != k.kind, "One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", k.AttributeName, k.kind, v.kind, name)
			refuseIf(v.str == "" && update, notValid+"The update expression attempted to update a secondary index key to a value that is not supported. %s", emptyKey(v.kind))
			refuseIf(v.str == "", notValid+"A value specified for a secondary index key is not supported. %s IndexName: %s, IndexKey: %s", emptyKey(v.kind), name, k.AttributeName)
			mismatchIf(update, "The update expression attempted to update the secondary index key beyond allowed size limits")
			k.checkSize(v)
		}
	}
}

// checkScalar refuses expressions that look into key attributes. names are the attributes that
// paths lead into.
func (t *table) checkScalar(names []string) {
	for _, name := range names {
		refuseIf(t.KeySchema.has(name), notScalar+"Key: %s", name)
		for _, ix := range t.indexes {
			refuseIf(ix.KeySchema.has(name), notScalar+"IndexKey: %s", name)
		}
	}
}

const notScalar = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
