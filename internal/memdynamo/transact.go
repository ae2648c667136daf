package memdynamo

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	maxTransactItems = 100
	maxTransactBytes = 4 << 20
	maxTokenLength   = 36

	// tokenLife is how long a ClientRequestToken makes a transaction
	// idempotent.
	tokenLife = 10 * time.Minute
)

// A tokenUse remembers a transaction that was carried out under a
// ClientRequestToken.
type tokenUse struct {
	request [sha256.Size]byte
	at      time.Time
}

// The members of a transaction's items, by their names in requests and in
// messages about them.
var transactKinds = []string{opCheck, opPut, opDelete, opUpdate}

func (e *Engine) transactWriteItems(p *params) (map[string]any, error) {
	token := p.string("ClientRequestToken")
	if len(token) > maxTokenLength {
		return nil, validation("Value %s at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to %d", token, maxTokenLength)
	}
	digest := digestOf(p.members["TransactItems"])
	level := p.capacityLevel()
	p.collectionMetrics()
	items := p.list("TransactItems")
	if err := p.done(); err != nil {
		return nil, err
	}
	switch {
	case items == nil:
		return nil, validation("Value null at 'transactItems' failed to satisfy constraint: Member must not be null")
	case len(items) == 0:
		return nil, validation("Value [] at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(items) > maxTransactItems:
		return nil, validation("Member must have length less than or equal to %d", maxTransactItems)
	}
	writes := make([]*write, len(items))
	tables := map[*table]bool{}
	type place struct {
		t        *table
		position string
	}
	seen := map[place]bool{}
	for i, x := range items {
		w, err := e.parseTransactItem(p, i, x)
		if err != nil {
			return nil, err
		}
		at := place{w.table, w.position}
		if seen[at] {
			return nil, validation("Transaction request cannot include multiple operations on one item")
		}
		seen[at] = true
		writes[i], tables[w.table] = w, true
	}

	// Every transaction takes the locks in the same order.
	locks := slices.SortedFunc(maps.Keys(tables), func(a, b *table) int { return strings.Compare(a.id, b.id) })
	for _, t := range locks {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	if token != "" {
		done, err := e.useToken(token, digest)
		if err != nil {
			return nil, err
		}
		if done {
			return consumedOf(transactReads(writes), level, "ReadCapacityUnits"), nil
		}
	}
	taken, err := carryOutAll(writes)
	if err != nil {
		if token != "" {
			e.forgetToken(token)
		}
		return nil, err
	}
	return consumedOf(taken, level, "WriteCapacityUnits"), nil
}

func (e *Engine) parseTransactItem(p *params, i int, x any) (*write, error) {
	entry := p.asParams("TransactItems", x)
	var kind string
	var w *params
	for _, k := range transactKinds {
		member := entry.object(k)
		if member == nil {
			continue
		}
		if w != nil {
			return nil, validation("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		kind, w = k, member
	}
	if p.err != nil {
		return nil, p.err
	}
	if err := entry.done(); err != nil {
		return nil, err
	}
	if w == nil {
		return nil, validation("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	}
	required := []string{"TableName", "Key"}
	switch kind {
	case opPut:
		required[1] = "Item"
	case opCheck:
		required = append(required, "ConditionExpression")
	}
	for _, name := range required {
		if w.members[name] == nil {
			return nil, validation("Value null at 'transactItems.%d.member.%s.%s' failed to satisfy constraint: Member must not be null", i+1, lowerFirst(kind), lowerFirst(name))
		}
	}
	t, err := e.table(w)
	if err == nil {
		var parsed *write
		if parsed, err = e.parseWrite(w, t, kind); err == nil {
			return parsed, w.done()
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	return nil, err
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// carryOutAll does all of the writes or none, and returns the units they took
// from each table.
func carryOutAll(writes []*write) (map[*table]*units, error) {
	type outcome struct{ old, new *item }
	outcomes := make([]outcome, len(writes))
	reasons := make([]any, len(writes))
	codes := make([]string, len(writes))
	failed := false
	size := 0
	for i, w := range writes {
		old, new, err := w.prepare()
		outcomes[i] = outcome{old, new}
		if new != nil {
			size += new.size
		}
		reason := map[string]any{"Code": "None"}
		if err != nil {
			failed = true
			failure, ok := err.(*apiError)
			if !ok {
				return nil, err
			}
			reason["Code"], reason["Message"] = "ValidationError", failure.message
			if failure.name() == "ConditionalCheckFailedException" {
				reason["Code"] = "ConditionalCheckFailed"
			}
			for name, x := range failure.extra {
				reason[name] = x
			}
		}
		reasons[i], codes[i] = reason, reason["Code"].(string)
	}
	if failed {
		err := exception("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
		err.extra = map[string]any{"CancellationReasons": reasons}
		return nil, err
	}
	if size > maxTransactBytes {
		return nil, validation("The items of a transaction cannot exceed %d bytes together", maxTransactBytes)
	}
	taken := map[*table]*units{}
	for i, w := range writes {
		u := units{table: writeUnits(outcomes[i].old, nil)}
		if w.apply != nil {
			u = w.table.put(w.position, outcomes[i].old, outcomes[i].new)
		}
		if taken[w.table] == nil {
			taken[w.table] = &units{}
		}
		taken[w.table].add(u, 2)
	}
	return taken, nil
}

// transactReads are the units of a transaction that was already carried out:
// each item is read.
func transactReads(writes []*write) map[*table]*units {
	taken := map[*table]*units{}
	for _, w := range writes {
		size := 0
		if it := w.table.items.get(w.position); it != nil {
			size = it.size
		}
		if taken[w.table] == nil {
			taken[w.table] = &units{}
		}
		taken[w.table].add(units{table: readUnits(size, true)}, 2)
	}
	return taken
}

func consumedOf(taken map[*table]*units, level, kind string) map[string]any {
	out := map[string]any{}
	if level == "NONE" {
		return out
	}
	list := []any{}
	byName := func(a, b *table) int { return strings.Compare(a.name, b.name) }
	for _, t := range slices.SortedFunc(maps.Keys(taken), byName) {
		list = append(list, taken[t].consumed(t.name, level, kind))
	}
	out["ConsumedCapacity"] = list
	return out
}

// digestOf identifies the content of a request.
func digestOf(x any) [sha256.Size]byte {
	b, err := json.Marshal(x) // sorts the members
	if err != nil {
		panic(fmt.Sprintf("memdynamo: what was parsed from JSON has no JSON form: %v", err))
	}
	return sha256.Sum256(b)
}

// useToken reports whether a transaction was carried out under the token, and
// notes this one if not.
func (e *Engine) useToken(token string, request [sha256.Size]byte) (done bool, err error) {
	now := e.now()
	e.tokensMu.Lock()
	defer e.tokensMu.Unlock()
	if u, ok := e.tokens[token]; ok && now.Sub(u.at) < tokenLife {
		if u.request != request {
			return false, exception("IdempotentParameterMismatchException", "")
		}
		return true, nil
	}
	if len(e.tokens) >= e.tokensSwept*2+1000 {
		for t, u := range e.tokens {
			if now.Sub(u.at) >= tokenLife {
				delete(e.tokens, t)
			}
		}
		e.tokensSwept = len(e.tokens)
	}
	e.tokens[token] = tokenUse{request, now}
	return false, nil
}

// forgetToken is for a transaction that failed: it may be tried again.
func (e *Engine) forgetToken(token string) {
	e.tokensMu.Lock()
	defer e.tokensMu.Unlock()
	delete(e.tokens, token)
}
