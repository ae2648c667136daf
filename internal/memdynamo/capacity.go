package memdynamo

import (
	"maps"
	"slices"
)

// units are the capacity units that a request took from a table, apart from
// those that it took from the table's indexes.
type units struct {
	table   float64
	indexes map[string]float64
}

func (u units) total() float64 {
	total := u.table
	for _, n := range u.indexes {
		total += n
	}
	return total
}

// add adds factor times what another request took.
func (u *units) add(o units, factor float64) {
	u.table += factor * o.table
	for name, n := range o.indexes {
		if u.indexes == nil {
			u.indexes = map[string]float64{}
		}
		u.indexes[name] += factor * n
	}
}

// writeUnits are those of a write that replaced an item by another, either of
// which may be nil: one for each KiB of the larger.
func writeUnits(old, new *item) float64 {
	size := 0
	for _, it := range []*item{old, new} {
		if it != nil {
			size = max(size, it.size)
		}
	}
	return float64(max(1, (size+1023)/1024))
}

// readUnits are those of reading so many bytes: one for each 4 KiB, half of
// that where the read may be stale.
func readUnits(size int, consistent bool) float64 {
	n := float64(max(1, (size+4095)/4096))
	if !consistent {
		n /= 2
	}
	return n
}

// consumed is the ConsumedCapacity of an answer. In transactions, kind is
// "ReadCapacityUnits" or "WriteCapacityUnits", which is then told as well.
func (u units) consumed(tableName, level, kind string) map[string]any {
	one := func(n float64) map[string]any {
		out := map[string]any{"CapacityUnits": n}
		if kind != "" {
			out[kind] = n
		}
		return out
	}
	out := one(u.total())
	out["TableName"] = tableName
	if level == "INDEXES" {
		out["Table"] = one(u.table)
		indexes := map[string]any{}
		for name, n := range u.indexes {
			indexes[name] = one(n)
		}
		if len(indexes) > 0 {
			out["GlobalSecondaryIndexes"] = indexes
		}
	}
	return out
}

func (p *params) capacityLevel() string {
	return p.enum("ReturnConsumedCapacity", notInEnum("returnConsumedCapacity", "[INDEXES, TOTAL, NONE]"), "NONE", "TOTAL", "INDEXES")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
