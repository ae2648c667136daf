package memdynamo

import (
	"slices"
	"time"
)

// sweepEvery is the time between two deletions of a table's expired items.
const sweepEvery = 10 * time.Second

// An item that expired longer ago than this is not deleted, since its attribute is probably not a
// time.
const oldestExpiry = 5 * 365 * 24 * time.Hour

func (e *Engine) updateTimeToLive(p params) map[string]any {
	t := e.namedTable(p)
	spec := p.object("TimeToLiveSpecification")
	if spec == nil {
		panic(validation("TimeToLiveSpecification cannot be null"))
	}
	attribute, hasAttribute := take[string](spec, "AttributeName")
	enabled, hasEnabled := take[bool](spec, "Enabled")
	spec.done()
	p.done()
	if !hasAttribute || !hasEnabled {
		panic(validation("AttributeName cannot be null when time to live is being enabled"))
	}
	checkAttributeName(attribute)
	switch {
	case t.ttl == "" && !enabled:
		panic(validation("TimeToLive is already disabled"))
	case t.ttl != "" && t.ttl != attribute:
		panic(validation("TimeToLive is active on a different AttributeName"))
	case t.ttl != "" && enabled:
		panic(validation("TimeToLive is already enabled"))
	}
	t.ttl = ""
	if enabled {
		t.ttl, t.swept = attribute, e.now()
	}
	return map[string]any{"TimeToLiveSpecification": map[string]any{"AttributeName": attribute, "Enabled": enabled}}
}

func (e *Engine) describeTimeToLive(p params) map[string]any {
	t := e.namedTable(p)
	p.done()
	description := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.ttl != "" {
		description["TimeToLiveStatus"] = "ENABLED"
		description["AttributeName"] = t.ttl
	}
	return map[string]any{"TimeToLiveDescription": description}
}

// sweep deletes the expired items, if that is due.
func (t *table) sweep(now time.Time) {
	if t.ttl == "" || now.Sub(t.swept) < sweepEvery {
		return
	}
	t.swept = now
	until, from := decimalOf(now.Unix()), decimalOf(now.Add(-oldestExpiry).Unix())
	for _, e := range slices.Clone(t.items) {
		v := e.item.attrs[t.ttl]
		if v.kind == kindN && v.num.compare(until) < 0 && v.num.compare(from) >= 0 {
			t.put(e.key, e.item, nil)
		}
	}
}
