package memdynamo

// units are the capacity units that a request took, from each index by its name and from the table
// itself by "".
type units map[string]float64

// writeUnits returns the units of a write that replaced old with new, either of which may be nil:
// one for each KiB of the larger.
func writeUnits(old, new *item) float64 {
	return float64(max(1, (max(old.bytes(), new.bytes())+1023)/1024))
}

// readUnits returns the units of reading size bytes: one for each 4 KiB, or half of that for an
// eventually consistent read.
func readUnits(size int, consistent bool) float64 {
	n := float64(max(1, (size+4095)/4096))
	if !consistent {
		n /= 2
	}
	return n
}

// report adds ConsumedCapacity to the response of a request that is not a transaction, if it wants
// that.
func (u units) report(out map[string]any, tableName string, r reporting) {
	if r.wanted() {
		out["ConsumedCapacity"] = u.consumed(tableName, r, "")
	}
}

func (r reporting) wanted() bool {
	return r.ReturnConsumedCapacity != "" && r.ReturnConsumedCapacity != "NONE"
}

// consumed returns the ConsumedCapacity of a response. In transactions, kind is "ReadCapacityUnits"
// or "WriteCapacityUnits", a member that is then included as well.
func (u units) consumed(tableName string, r reporting, kind string) map[string]any {
	one := func(n float64) map[string]any {
		out := map[string]any{"CapacityUnits": n}
		if kind != "" {
			out[kind] = n
		}
		return out
	}
	total := 0.0
	indexes := map[string]any{}
	for name, n := range u {
		total += n
		if name != "" {
			indexes[name] = one(n)
		}
	}
	out := one(total)
	out["TableName"] = tableName
	if r.ReturnConsumedCapacity == "INDEXES" {
		out["Table"] = one(u[""])
		if len(indexes) > 0 {
			out["GlobalSecondaryIndexes"] = indexes
		}
	}
	return out
}
