package memdynamo

import (
	"strconv"
	"time"
)

// sweepEvery is the time between two deletions of a table's expired items.
const sweepEvery = 10 * time.Second

// An item that expired longer ago than this is not deleted: its attribute is
// taken not to be a time.
const oldestExpiry = 5 * 365 * 24 * time.Hour

func (e *Engine) updateTimeToLive(p *params) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	spec := p.object("TimeToLiveSpecification")
	if spec == nil {
		return nil, validation("TimeToLiveSpecification cannot be null")
	}
	attribute, hasAttribute := spec.optString("AttributeName")
	_, hasEnabled := spec.members["Enabled"]
	enabled := spec.bool("Enabled")
	if err := spec.done(); err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	switch {
	case !hasAttribute || !hasEnabled:
		return nil, validation("AttributeName cannot be null when time to live is being enabled")
	case len(attribute) < 1 || len(attribute) > 255:
		return nil, validation("Names of key attributes and attributes projected into an index must be between 1 and 255 characters, inclusive")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ttl == "" && !enabled:
		return nil, validation("TimeToLive is already disabled")
	case t.ttl != "" && t.ttl != attribute:
		return nil, validation("TimeToLive is active on a different AttributeName")
	case t.ttl != "" && enabled:
		return nil, validation("TimeToLive is already enabled")
	}
	t.ttl = ""
	if enabled {
		t.ttl, t.swept = attribute, e.now()
	}
	return map[string]any{"TimeToLiveSpecification": map[string]any{"AttributeName": attribute, "Enabled": enabled}}, nil
}

func (e *Engine) describeTimeToLive(p *params) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	description := map[string]any{"TimeToLiveStatus": "DISABLED"}
	if t.ttl != "" {
		description["TimeToLiveStatus"] = "ENABLED"
		description["AttributeName"] = t.ttl
	}
	return map[string]any{"TimeToLiveDescription": description}, nil
}

// sweep deletes the expired items, if it is time.
func (t *table) sweep(now time.Time) {
	due := func() bool { return t.ttl != "" && now.Sub(t.swept) >= sweepEvery }
	t.mu.RLock()
	skip := !due()
	t.mu.RUnlock()
	if skip {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !due() { // another request was first
		return
	}
	t.swept = now
	until, from := unix(now), unix(now.Add(-oldestExpiry))
	for e := t.items.seek(""); e != nil; e = e.next[0] {
		v, ok := e.item.attrs[t.ttl]
		if ok && v.kind == kindN && v.num.compare(until) < 0 && v.num.compare(from) >= 0 {
			t.put(e.key, e.item, nil)
		}
	}
}

func unix(t time.Time) decimal {
	d, err := parseDecimal(strconv.FormatInt(t.Unix(), 10))
	if err != nil {
		panic(err) // an int64 is within a number's range
	}
	return d
}
