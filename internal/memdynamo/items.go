package memdynamo

// GetItem, PutItem, UpdateItem, DeleteItem.

func (e *Engine) getItem(p *params) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	projection, hasProjection := p.optString("ProjectionExpression")
	consistent := p.bool("ConsistentRead")
	level := p.capacityLevel()
	x, ok := p.take("Key")
	if !ok {
		return nil, validation("Cannot have null key for GetItem, DeleteItem, or UpdateItem")
	}
	key, err := decodeItem(x, "Key")
	if err != nil {
		return nil, err
	}
	if err := t.key.checkKey(key); err != nil {
		return nil, err
	}
	scope, err := p.scope(hasProjection, "")
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	paths, err := scope.projection(projection, hasProjection)
	if err != nil {
		return nil, err
	}
	if err := scope.unused(); err != nil {
		return nil, err
	}
	t.mu.RLock()
	it := t.items.get(t.key.position(key))
	t.mu.RUnlock()
	out := map[string]any{}
	size := 0
	if it != nil {
		size = it.size
		out["Item"] = it.attrs
		if hasProjection {
			out["Item"] = project(it.attrs, paths)
		}
	}
	if level != "NONE" {
		out["ConsumedCapacity"] = units{table: readUnits(size, consistent)}.consumed(t.name, level, "")
	}
	return out, nil
}

// A write is a PutItem, UpdateItem, DeleteItem or ConditionCheck that has been
// checked as far as that goes without the item.
type write struct {
	table      *table
	position   string
	condition  *node
	returnItem bool // with the refusal, the item that the condition is false for

	// apply is what becomes of the item: attrs or nil. It may be told of no
	// item, and must not change the one it is told of. A nil apply writes
	// nothing.
	apply   func(old *item) (*item, error)
	actions []action // of an update
}

// The operations that a write can come from differ in these.
const (
	opPut    = "Put"
	opUpdate = "Update"
	opDelete = "Delete"
	opCheck  = "ConditionCheck"
)

// parseWrite takes a write's parameters, those that the single request and
// the member of a transaction share.
func (e *Engine) parseWrite(p *params, t *table, kind string) (*write, error) {
	w := &write{table: t}
	condition, hasCondition := p.optString("ConditionExpression")
	update, hasUpdate := "", false
	if kind == opUpdate {
		update, hasUpdate = p.optString("UpdateExpression")
	}
	w.returnItem = p.enum("ReturnValuesOnConditionCheckFailure", notInEnum("returnValuesOnConditionCheckFailure", "[ALL_OLD, NONE]"), "NONE", "ALL_OLD") == "ALL_OLD"
	if p.err != nil {
		return nil, p.err
	}
	var attrs map[string]value
	var err error
	if kind == opPut {
		x, ok := p.take("Item")
		if !ok {
			return nil, validation("Item to put in PutItem cannot be null")
		}
		if attrs, err = decodeItem(x, "Item"); err == nil {
			err = t.key.check(attrs)
		}
	} else {
		x, ok := p.take("Key")
		if !ok {
			return nil, validation("Cannot have null key for GetItem, DeleteItem, or UpdateItem")
		}
		if attrs, err = decodeItem(x, "Key"); err == nil {
			err = t.key.checkKey(attrs)
		}
	}
	if err != nil {
		return nil, err
	}
	w.position = t.key.position(attrs)

	valueless := ""
	switch {
	case hasCondition || hasUpdate:
	case kind == opUpdate:
		valueless = "UpdateExpression and ConditionExpression are null"
	default:
		valueless = "ConditionExpression is null"
	}
	scope, err := p.scope(hasCondition || hasUpdate, valueless)
	if err != nil {
		return nil, err
	}
	if w.actions, err = scope.update(update, hasUpdate); err != nil {
		return nil, err
	}
	if w.condition, err = scope.condition("ConditionExpression", condition, hasCondition); err != nil {
		return nil, err
	}
	if err := scope.unused(); err != nil {
		return nil, err
	}
	for _, a := range w.actions {
		if t.key.has(a.path[0].name) {
			return nil, validation("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", a.path[0].name)
		}
	}
	switch kind {
	case opPut:
		it := newItem(attrs)
		if it.size > maxItemSize {
			return nil, validation("Item size has exceeded the maximum allowed size")
		}
		w.apply = func(*item) (*item, error) { return it, t.checkIndexKeys(attrs) }
	case opDelete:
		w.apply = func(*item) (*item, error) { return nil, nil }
	case opUpdate:
		w.apply = func(old *item) (*item, error) { return w.update(old, attrs) }
	}
	return w, nil
}

// update is the item after an update, which begins with the key where there is
// none.
func (w *write) update(old *item, key map[string]value) (*item, error) {
	before := key
	if old != nil {
		before = old.attrs
	}
	attrs, err := applyUpdate(before, w.actions)
	if err != nil {
		return nil, err
	}
	if err := w.table.checkIndexKeys(attrs); err != nil {
		return nil, err
	}
	it := newItem(attrs)
	if it.size > maxItemSize {
		return nil, validation("Item size to update has exceeded the maximum allowed size")
	}
	for _, a := range w.actions {
		if attrs[a.path[0].name].depth() > maxNesting {
			return nil, validation("Nesting Levels have exceeded supported limits")
		}
	}
	return it, nil
}

// prepare is the first half of a write, which the table's lock must hold
// together with the second, put.
func (w *write) prepare() (old, new *item, err error) {
	old = w.table.items.get(w.position)
	var attrs map[string]value
	if old != nil {
		attrs = old.attrs
	}
	if !w.condition.holds(attrs) {
		return nil, nil, conditionFailed(old, w.returnItem)
	}
	if w.apply == nil {
		return old, old, nil
	}
	new, err = w.apply(old)
	return old, new, err
}

// writeItem is the whole of PutItem, UpdateItem and DeleteItem.
func (e *Engine) writeItem(p *params, kind string) (map[string]any, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	level := p.capacityLevel()
	p.collectionMetrics()
	modes := []string{"NONE", "ALL_OLD"}
	if kind == opUpdate {
		modes = []string{"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"}
	}
	returned := p.enum("ReturnValues", func(string) error { return validation("Return values set to invalid value") }, modes...)
	w, err := e.parseWrite(p, t, kind)
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}

	t.mu.Lock()
	old, new, err := w.prepare()
	var u units
	if err == nil {
		u = t.put(w.position, old, new)
	}
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}

	out := map[string]any{}
	if attrs := w.returnValues(returned, old, new); attrs != nil {
		out["Attributes"] = attrs
	}
	if level != "NONE" {
		out["ConsumedCapacity"] = u.consumed(t.name, level, "")
	}
	return out, nil
}

// returnValues is nil where there is nothing to return.
func (w *write) returnValues(mode string, old, new *item) map[string]value {
	it := new
	if mode == "ALL_OLD" || mode == "UPDATED_OLD" {
		it = old
	}
	if mode == "NONE" || it == nil {
		return nil
	}
	if mode == "ALL_OLD" || mode == "ALL_NEW" {
		return it.attrs
	}
	// Local answers an updated path with the whole attribute that it is in.
	attrs := map[string]value{}
	for _, a := range w.actions {
		if _, ok := lookup(it.attrs, a.path); ok {
			attrs[a.path[0].name] = it.attrs[a.path[0].name]
		}
	}
	if len(attrs) == 0 {
		return nil
	}
	return attrs
}
