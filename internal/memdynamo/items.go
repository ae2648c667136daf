package memdynamo

import "slices"

// GetItem, PutItem, UpdateItem, DeleteItem.

func (e *Engine) getItem(p params) map[string]any {
	t := e.table(p)
	consistent := p.bool("ConsistentRead")
	level := p.capacityLevel()
	key := t.takeKey(p)
	scope := p.scope("ProjectionExpression")
	p.done()
	paths := scope.projection()
	scope.checkUsed()
	t.checkScalar(scope.nested)
	out := map[string]any{}
	size := 0
	if it := t.items.get(t.key.position(key)); it != nil {
		size = it.size
		out["Item"] = it.attrs
		if paths != nil {
			out["Item"] = project(it.attrs, paths)
		}
	}
	units{table: readUnits(size, consistent)}.report(out, t.name, level)
	return out
}

// takeKey takes a request's Key.
func (t *table) takeKey(p params) map[string]value {
	key := p.item("Key")
	if key == nil {
		panic(validation("Cannot have null key for GetItem, DeleteItem, or UpdateItem"))
	}
	t.key.checkKey(key)
	return key
}

// A write is a PutItem, UpdateItem, DeleteItem or ConditionCheck that has passed all checks that do
// not need the item.
type write struct {
	table      *table
	position   string
	condition  *node
	returnItem bool // return the item if the condition fails

	// apply returns the new item, or nil to delete it. old may be nil and must not be changed. A
	// nil apply writes nothing.
	apply   func(old *item) *item
	actions []action // of an update
}

// The kinds of writes.
const (
	opPut    = "Put"
	opUpdate = "Update"
	opDelete = "Delete"
	opCheck  = "ConditionCheck"
)

// parseWrite takes the parameters that a single request and a member of a transaction share.
func parseWrite(p params, t *table, kind string) *write {
	w := &write{table: t}
	w.returnItem = p.enum("ReturnValuesOnConditionCheckFailure", "NONE", "ALL_OLD", "NONE") == "ALL_OLD"
	var attrs map[string]value
	if kind == opPut {
		attrs = p.item("Item")
		if attrs == nil {
			panic(validation("Item to put in PutItem cannot be null"))
		}
		t.key.checkItem(attrs)
	} else {
		attrs = t.takeKey(p)
	}
	w.position = t.key.position(attrs)

	expressions := []string{"ConditionExpression"}
	if kind == opUpdate {
		expressions = []string{"UpdateExpression", "ConditionExpression"}
	}
	scope := p.scope(expressions...)
	w.actions = scope.update()
	w.condition = scope.condition("ConditionExpression")
	scope.checkUsed()
	for _, a := range w.actions {
		mismatchIf(t.key.has(a.path[0].name), "One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", a.path[0].name)
	}
	t.checkScalar(scope.nested)
	switch kind {
	case opPut:
		it := newItem(attrs)
		if it.size > maxItemSize {
			panic(validation("Item size has exceeded the maximum allowed size"))
		}
		t.checkIndexKeys(opPut, attrs)
		w.apply = func(*item) *item { return it }
	case opDelete:
		w.apply = func(*item) *item { return nil }
	case opUpdate:
		t.checkIndexKeys(opUpdate, literals(w.actions))
		w.apply = func(old *item) *item { return w.update(old, attrs) }
	}
	return w
}

// update returns the item after an update. If there is no item, it starts with the key. Actions
// that only remove something do not create an item.
func (w *write) update(old *item, key map[string]value) *item {
	if old == nil && len(w.actions) > 0 && !slices.ContainsFunc(w.actions, action.adds) {
		return nil
	}
	before := key
	if old != nil {
		before = old.attrs
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
	if it.size > maxItemSize {
		panic(validation("Item size to update has exceeded the maximum allowed size"))
	}
	for _, v := range updated {
		if v.depth() > maxNesting {
			panic(validation("Nesting Levels have exceeded supported limits"))
		}
	}
	return it
}

// prepare is the first half of a write: it checks the condition and the new item. The second half
// is put.
func (w *write) prepare() (old, new *item) {
	old = w.table.items.get(w.position)
	var attrs map[string]value
	if old != nil {
		attrs = old.attrs
	}
	if !w.condition.holds(attrs) {
		panic(conditionFailed(old, w.returnItem))
	}
	if w.apply == nil {
		return old, old
	}
	return old, w.apply(old)
}

// writeItem implements PutItem, UpdateItem and DeleteItem.
func (e *Engine) writeItem(p params, kind string) map[string]any {
	t := e.table(p)
	level := p.capacityLevel()
	p.collectionMetrics()
	returned, ok := take[string](p, "ReturnValues")
	modes := []string{"NONE", "ALL_OLD"}
	if kind == opUpdate {
		modes = append(modes, "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
	}
	if ok && !slices.Contains(modes, returned) {
		panic(validation("Return values set to invalid value"))
	}
	w := parseWrite(p, t, kind)
	p.done()

	old, new := w.prepare()
	taken := t.put(w.position, old, new)
	out := map[string]any{}
	if attrs := w.returnValues(returned, old, new); attrs != nil {
		out["Attributes"] = attrs
	}
	taken.report(out, t.name, level)
	return out
}

// returnValues returns the attributes that mode asks for, or nil if there are none.
func (w *write) returnValues(mode string, old, new *item) map[string]value {
	it := new
	if mode == "ALL_OLD" || mode == "UPDATED_OLD" {
		it = old
	}
	if it == nil {
		return nil
	}
	switch mode {
	case "ALL_OLD", "ALL_NEW":
		return it.attrs
	case "UPDATED_OLD", "UPDATED_NEW":
		if attrs := project(it.attrs, paths(w.actions)); len(attrs) > 0 {
			return attrs
		}
	}
	return nil
}
