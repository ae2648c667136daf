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

	// tokenLife is how long a ClientRequestToken makes a transaction idempotent.
	tokenLife = 10 * time.Minute
)

// A tokenUse remembers a transaction that was executed with a ClientRequestToken.
type tokenUse struct {
	request [sha256.Size]byte
	at      time.Time
}

// The members of a transaction's items, by their names in requests and in messages about them.
var transactKinds = []string{opCheck, opPut, opDelete, opUpdate}

func (e *Engine) transactWriteItems(p params) map[string]any {
	token := p.string("ClientRequestToken")
	if len(token) > maxTokenLength {
		panic(validation("Value %s at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to %d", token, maxTokenLength))
	}
	digest := digestOf(p["TransactItems"])
	level := p.capacityLevel()
	p.collectionMetrics()
	items, ok := take[[]any](p, "TransactItems")
	p.done()
	switch {
	case !ok:
		panic(validation("Value null at 'transactItems' failed to satisfy constraint: Member must not be null"))
	case len(items) == 0:
		panic(validation("Value [] at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1"))
	case len(items) > maxTransactItems:
		panic(validation("Member must have length less than or equal to %d", maxTransactItems))
	}
	writes := e.parseTransactItems(items)

	now := e.now()
	if use, ok := e.tokens[token]; ok && now.Sub(use.at) < tokenLife {
		if use.request != digest {
			panic(exception("IdempotentParameterMismatchException", ""))
		}
		return consumedOf(transactReads(writes), level, "ReadCapacityUnits")
	}
	taken := executeAll(writes)
	if token != "" {
		e.tokens[token] = tokenUse{digest, now}
	}
	if now.Sub(e.tokensSwept) >= tokenLife {
		e.tokensSwept = now
		maps.DeleteFunc(e.tokens, func(_ string, use tokenUse) bool { return now.Sub(use.at) >= tokenLife })
	}
	return consumedOf(taken, level, "WriteCapacityUnits")
}

func (e *Engine) parseTransactItems(items []any) []*write {
	writes := make([]*write, len(items))
	causes := make([]*apiError, len(items))
	cancelled := false
	for i, x := range items {
		err := attempt(func() { writes[i] = e.parseTransactItem(i, as[map[string]any](x, "TransactItems")) })
		switch {
		case err == nil:
		case !err.cancels:
			panic(err)
		case !cancelled: // DynamoDB tells of the first one alone
			causes[i], cancelled = err, true
		}
	}
	if cancelled {
		panic(cancellation(causes))
	}
	type place struct {
		table    *table
		position string
	}
	seen := map[place]bool{}
	for _, w := range writes {
		at := place{w.table, w.position}
		if seen[at] {
			panic(validation("Transaction request cannot include multiple operations on one item"))
		}
		seen[at] = true
	}
	return writes
}

func (e *Engine) parseTransactItem(i int, entry params) *write {
	kind := ""
	var p params
	for _, k := range transactKinds {
		member := entry.object(k)
		if member != nil && p != nil {
			panic(validation("TransactItems can only contain one of Check, Put, Update or Delete"))
		}
		if member != nil {
			kind, p = k, member
		}
	}
	entry.done()
	if p == nil {
		panic(validation("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"))
	}
	required := []string{"TableName", "Key"}
	switch kind {
	case opPut:
		required[1] = "Item"
	case opCheck:
		required = append(required, "ConditionExpression")
	}
	for _, name := range required {
		if p[name] == nil {
			panic(validation("Value null at 'transactItems.%d.member.%s.%s' failed to satisfy constraint: Member must not be null", i+1, lowerFirst(kind), lowerFirst(name)))
		}
	}
	w := parseWrite(p, e.table(p), kind)
	p.done()
	return w
}

// cancellation returns the error of a transaction, given the error or nil of each write.
func cancellation(causes []*apiError) *apiError {
	reasons := make([]any, len(causes))
	codes := make([]string, len(causes))
	for i, err := range causes {
		codes[i] = "None"
		reason := map[string]any{}
		if err != nil {
			codes[i] = "ValidationError"
			if err.name() == "ConditionalCheckFailedException" {
				codes[i] = "ConditionalCheckFailed"
			}
			reason["Message"] = err.message
			maps.Copy(reason, err.extra)
		}
		reason["Code"] = codes[i]
		reasons[i] = reason
	}
	err := exception("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	err.extra = map[string]any{"CancellationReasons": reasons}
	return err
}

// executeAll executes all of the writes or none, and returns the units that they took from each
// table.
func executeAll(writes []*write) tableUnits {
	type outcome struct{ old, new *item }
	outcomes := make([]outcome, len(writes))
	causes := make([]*apiError, len(writes))
	failed := false
	size := 0
	for i, w := range writes {
		causes[i] = attempt(func() {
			old, new := w.prepare()
			outcomes[i] = outcome{old, new}
			if new != nil {
				size += new.size
			}
		})
		failed = failed || causes[i] != nil
	}
	if failed {
		panic(cancellation(causes))
	}
	if size > maxTransactBytes {
		panic(validation("The items of a transaction cannot exceed %d bytes together", maxTransactBytes))
	}
	taken := tableUnits{}
	for i, w := range writes {
		if w.apply == nil {
			taken.add(w.table, units{table: writeUnits(outcomes[i].old, nil)})
		} else {
			taken.add(w.table, w.table.put(w.position, outcomes[i].old, outcomes[i].new))
		}
	}
	return taken
}

// transactReads returns the units of a transaction that was already executed: each item is read.
func transactReads(writes []*write) tableUnits {
	taken := tableUnits{}
	for _, w := range writes {
		size := 0
		if it := w.table.items.get(w.position); it != nil {
			size = it.size
		}
		taken.add(w.table, units{table: readUnits(size, true)})
	}
	return taken
}

// tableUnits are the units that a transaction took from each table.
type tableUnits map[*table]units

// add adds twice the units of a single request.
func (taken tableUnits) add(t *table, u units) {
	sum := taken[t]
	sum.table += 2 * u.table
	for name, n := range u.indexes {
		if sum.indexes == nil {
			sum.indexes = map[string]float64{}
		}
		sum.indexes[name] += 2 * n
	}
	taken[t] = sum
}

func consumedOf(taken tableUnits, level, kind string) map[string]any {
	if level == "NONE" {
		return map[string]any{}
	}
	list := []any{}
	byName := func(a, b *table) int { return strings.Compare(a.name, b.name) }
	for _, t := range slices.SortedFunc(maps.Keys(taken), byName) {
		list = append(list, taken[t].consumed(t.name, level, kind))
	}
	return map[string]any{"ConsumedCapacity": list}
}

// digestOf identifies the content of a request.
func digestOf(x any) [sha256.Size]byte {
	b, err := json.Marshal(x) // sorts the members
	if err != nil {
		panic(fmt.Sprintf("memdynamo: what was parsed from JSON has no JSON form: %v", err))
	}
	return sha256.Sum256(b)
}
