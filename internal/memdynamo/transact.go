package memdynamo

import (
	"crypto/sha256"
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
	items [sha256.Size]byte
	at    time.Time
}

type transactRequest struct {
	reporting
	ReturnItemCollectionMetrics string // only matters for local indexes
	ClientRequestToken          string
	TransactItems               []transactItem
}

// A transactItem has exactly one member.
type transactItem struct{ ConditionCheck, Put, Delete, Update *writeRequest }

func (e *Engine) transactWriteItems(in transactRequest) map[string]any {
	const invalid = " failed to satisfy constraint: Member must "
	token, items := in.ClientRequestToken, in.TransactItems
	refuseIf(len(token) > maxTokenLength, "Value %s at 'clientRequestToken'"+invalid+"have length less than or equal to %d", token, maxTokenLength)
	in.check()
	checkEnum("ReturnItemCollectionMetrics", in.ReturnItemCollectionMetrics, "SIZE", "NONE")
	refuseIf(items == nil, "Value null at 'transactItems'"+invalid+"not be null")
	refuseIf(len(items) == 0, "Value [] at 'transactItems'"+invalid+"have length greater than or equal to 1")
	refuseIf(len(items) > maxTransactItems, "Member must have length less than or equal to %d", maxTransactItems)
	writes := e.parseTransactItems(items)

	now, digest := e.now(), sha256.Sum256(encode(items))
	if use, ok := e.tokens[token]; ok && now.Sub(use.at) < tokenLife {
		failIf(use.items != digest, exception+"IdempotentParameterMismatchException", "")
		read := tableUnits{}
		for _, w := range writes {
			read.add(w.table, units{"": readUnits(w.table.items[w.position].bytes(), true)})
		}
		return consumedOf(read, in.reporting, "ReadCapacityUnits")
	}
	taken := executeAll(writes)
	if token != "" {
		e.tokens[token] = tokenUse{digest, now}
	}
	if now.Sub(e.tokensSwept) >= tokenLife {
		e.tokensSwept = now
		maps.DeleteFunc(e.tokens, func(_ string, use tokenUse) bool { return now.Sub(use.at) >= tokenLife })
	}
	return consumedOf(taken, in.reporting, "WriteCapacityUnits")
}

func (e *Engine) parseTransactItems(items []transactItem) []*write {
	writes := make([]*write, len(items))
	causes := make([]*apiError, len(items))
	cancelled := false
	for i, it := range items {
		err := attempt(func() { writes[i] = e.parseTransactItem(i, it) })
		switch {
		case err == nil:
		case !err.cancels:
			panic(err)
		case !cancelled: // DynamoDB tells of the first one alone
			causes[i], cancelled = err, true
		}
	}
	cancelIfAny(causes)
	seen := map[string]bool{}
	for _, w := range writes {
		at := w.table.name + "/" + w.position
		refuseIf(seen[at], "Transaction request cannot include multiple operations on one item")
		seen[at] = true
	}
	return writes
}

func (e *Engine) parseTransactItem(i int, it transactItem) *write {
	kind := ""
	var in *writeRequest
	for k, member := range map[string]*writeRequest{opCheck: it.ConditionCheck, opPut: it.Put, opDelete: it.Delete, opUpdate: it.Update} {
		refuseIf(member != nil && in != nil, "TransactItems can only contain one of Check, Put, Update or Delete")
		if member != nil {
			kind, in = k, member
		}
	}
	refuseIf(in == nil, "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	require := func(name string, ok bool) {
		refuseIf(!ok, "Value null at 'transactItems.%d.member.%s.%s' failed to satisfy constraint: Member must not be null", i+1, lowerFirst(kind), name)
	}
	require("tableName", in.TableName != "")
	require("item", in.Item != nil || kind != opPut)
	require("key", in.Key != nil || kind == opPut)
	require("conditionExpression", in.ConditionExpression != nil || kind != opCheck)
	return e.parseWrite(*in, kind)
}

// cancelIfAny cancels a transaction if there is an error among those of its writes.
func cancelIfAny(causes []*apiError) {
	reasons := make([]any, len(causes))
	codes := make([]string, len(causes))
	failed := false
	for i, err := range causes {
		codes[i] = "None"
		reason := map[string]any{}
		if err != nil {
			failed = true
			codes[i] = "ValidationError"
			if err.typ != validation {
				codes[i] = "ConditionalCheckFailed"
			}
			reason["Message"] = err.message
			maps.Copy(reason, err.extra)
		}
		reason["Code"] = codes[i]
		reasons[i] = reason
	}
	if failed {
		err := newError(exception+"TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
		err.extra = map[string]any{"CancellationReasons": reasons}
		panic(err)
	}
}

// executeAll executes all of the writes or none, and returns the units that they took from each
// table.
func executeAll(writes []*write) tableUnits {
	causes := make([]*apiError, len(writes))
	size := 0
	for i, w := range writes {
		causes[i] = attempt(w.prepare)
		size += w.new.bytes()
	}
	cancelIfAny(causes)
	refuseIf(size > maxTransactBytes, "The items of a transaction cannot exceed %d bytes together", maxTransactBytes)
	taken := tableUnits{}
	for _, w := range writes {
		taken.add(w.table, w.commit())
	}
	return taken
}

// tableUnits are the units that a transaction took from each table, by its name.
type tableUnits map[string]units

// add adds twice the units of a single request.
func (taken tableUnits) add(t *table, u units) {
	if taken[t.name] == nil {
		taken[t.name] = units{}
	}
	for name, n := range u {
		taken[t.name][name] += 2 * n
	}
}

func consumedOf(taken tableUnits, r reporting, kind string) map[string]any {
	if !r.wanted() {
		return map[string]any{}
	}
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		list = append(list, taken[name].consumed(name, r, kind))
	}
	return map[string]any{"ConsumedCapacity": list}
}
