package memdynamo

import "slices"

// GetItem, PutItem, UpdateItem, DeleteItem.

type getRequest struct {
	tableRequest
	reporting
	placeholders
	Key                  map[string]any
	ConsistentRead       bool
	ProjectionExpression *string
}

func (e *Engine) getItem(in getRequest) map[string]any {
	t := e.table(in.TableName, false)
	in.check()
	key := t.decodeKey(in.Key)
	projection := expression{"ProjectionExpression", in.ProjectionExpression}
	scope := in.scope(projection)
	paths := scope.projection(projection)
	scope.checkUsed()
	t.checkScalar(scope.nested)
	out := map[string]any{}
	it := t.items[t.KeySchema.position(key)]
	if it != nil {
		out["Item"] = project(it.attrs, paths)
	}
	units{"": readUnits(it.bytes(), in.ConsistentRead)}.report(out, t.name, in.reporting)
	return out
}

// decodeKey decodes and checks a request's Key.
func (t *table) decodeKey(object map[string]any) map[string]value {
	refuseIf(object == nil, "Cannot have null key for GetItem, DeleteItem, or UpdateItem")
	key := decodeAttrs(object, 1)
	t.KeySchema.checkKey(key)
	return key
}

// A writeRequest is what a single write and a member of a transaction have in common, whatever its
// kind. Item is for opPut, Key for all others, UpdateExpression for opUpdate.
type writeRequest struct {
	tableRequest
	placeholders
	Item, Key                             map[string]any
	UpdateExpression, ConditionExpression *string
	ReturnValuesOnConditionCheckFailure   string
}

// A write is a PutItem, UpdateItem, DeleteItem or ConditionCheck that has passed all checks that do
// not need the item.
type write struct {
	kind       string
	table      *table
	key        map[string]value // of an opPut, the whole item
	position   string
	condition  *node
	returnItem bool     // return the item if the condition fails
	actions    []action // of an update
	old, new   *item    // what is stored and what is to be stored, after prepare
}

// The kinds of writes.
const (
	opPut    = "Put"
	opUpdate = "Update"
	opDelete = "Delete"
	opCheck  = "ConditionCheck"
)

// parseWrite checks a writeRequest of the given kind.
func (e *Engine) parseWrite(in writeRequest, kind string) *write {
	unimplementedIf(in.Item != nil && kind != opPut, "Item")
	unimplementedIf(in.Key != nil && kind == opPut, "Key")
	unimplementedIf(in.UpdateExpression != nil && kind != opUpdate, "UpdateExpression")
	t := e.table(in.TableName, false)
	checkEnum("ReturnValuesOnConditionCheckFailure", in.ReturnValuesOnConditionCheckFailure, "ALL_OLD", "NONE")
	w := &write{kind: kind, table: t, returnItem: in.ReturnValuesOnConditionCheckFailure == "ALL_OLD"}
	if kind == opPut {
		refuseIf(in.Item == nil, "Item to put in PutItem cannot be null")
		w.new = newItem(decodeAttrs(in.Item, 1))
		w.key = w.new.attrs
		t.KeySchema.checkItem(w.key)
	} else {
		w.key = t.decodeKey(in.Key)
	}
	w.position = t.KeySchema.position(w.key)

	update, condition := expression{"UpdateExpression", in.UpdateExpression}, expression{"ConditionExpression", in.ConditionExpression}
	expressions := []expression{condition}
	if kind == opUpdate {
		expressions = []expression{update, condition}
	}
	scope := in.scope(expressions...)
	w.actions = scope.update(update)
	w.condition = scope.condition(condition)
	scope.checkUsed()
	for _, a := range w.actions {
		name := a.path[0].name
		mismatchIf(t.KeySchema.has(name), "One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
	}
	t.checkScalar(scope.nested)
	switch kind {
	case opPut:
		refuseIf(w.new.size > maxItemSize, "Item size has exceeded the maximum allowed size")
		t.checkIndexKeys(opPut, w.key)
	case opUpdate:
		t.checkIndexKeys(opUpdate, literals(w.actions))
	}
	return w
}

// update returns the item after an update. If there is no item, it starts with the key. Actions
// that only remove something do not create an item.
func (w *write) update() *item {
	if w.old == nil && len(w.actions) > 0 && !slices.ContainsFunc(w.actions, action.adds) {
		return nil
	}
	before := w.key
	if w.old != nil {
		before = w.old.attrs
	}
	attrs := applyUpdate(before, w.actions)
	updated := map[string]value{}
	for _, a := range w.actions {
		if v, ok := attrs[a.path[0].name]; ok {
			updated[a.path[0].name] = v
		}
	}
	w.table.checkIndexKeys(opUpdate, updated)
	it := newItem(attrs)
	refuseIf(it.size > maxItemSize, "Item size to update has exceeded the maximum allowed size")
	for _, v := range updated {
		refuseIf(v.depth() > maxNesting, "Nesting Levels have exceeded supported limits")
	}
	return it
}

// prepare is the first half of a write: it checks the condition and the new item.
func (w *write) prepare() {
	w.old = w.table.items[w.position]
	var attrs map[string]value
	if w.old != nil {
		attrs = w.old.attrs
	}
	if !w.condition.holds(attrs) {
		err := newError(exception+"ConditionalCheckFailedException", "The conditional request failed")
		if w.returnItem && w.old != nil {
			err.extra = map[string]any{"Item": attrs}
		}
		panic(err)
	}
	switch w.kind {
	case opCheck:
		w.new = w.old
	case opUpdate:
		w.new = w.update()
	}
}

// commit is the second half of a write: it stores the new item. It returns the units that the write
// took.
func (w *write) commit() units {
	if w.kind == opCheck {
		return units{"": writeUnits(w.old, nil)}
	}
	return w.table.put(w.position, w.old, w.new)
}

// A singleWriteRequest is a PutItem, UpdateItem or DeleteItem.
type singleWriteRequest struct {
	writeRequest
	reporting
	ReturnItemCollectionMetrics string // only matters for local indexes
	ReturnValues                string
}

// writeItem returns the operation that is a write of the given kind.
func writeItem(kind string) func(*Engine, singleWriteRequest) map[string]any {
	return func(e *Engine, in singleWriteRequest) map[string]any { return e.writeItem(in, kind) }
}

func (e *Engine) writeItem(in singleWriteRequest, kind string) map[string]any {
	t := e.table(in.TableName, false)
	in.check()
	checkEnum("ReturnItemCollectionMetrics", in.ReturnItemCollectionMetrics, "SIZE", "NONE")
	modes := []string{"", "NONE", "ALL_OLD"}
	if kind == opUpdate {
		modes = append(modes, "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
	}
	refuseIf(!slices.Contains(modes, in.ReturnValues), "Return values set to invalid value")
	w := e.parseWrite(in.writeRequest, kind)
	w.prepare()
	taken := w.commit()
	out := map[string]any{}
	if attrs := w.returnValues(in.ReturnValues); len(attrs) > 0 {
		out["Attributes"] = attrs
	}
	taken.report(out, t.name, in.reporting)
	return out
}

// returnValues returns the attributes that mode asks for.
func (w *write) returnValues(mode string) map[string]value {
	it := map[string]*item{"ALL_OLD": w.old, "UPDATED_OLD": w.old, "ALL_NEW": w.new, "UPDATED_NEW": w.new}[mode]
	switch {
	case it == nil:
		return nil
	case mode == "UPDATED_OLD" || mode == "UPDATED_NEW":
		return project(it.attrs, paths(w.actions))
	}
	return it.attrs
}

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
