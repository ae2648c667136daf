package memdynamo

import "cmp"

// Query and Scan.

// maxPage is how many bytes of items a page goes through at most.
const maxPage = 1 << 20

// A reading is a Query or a Scan: it goes through the entries of a table or
// index from one position to another.
type reading struct {
	table      *table
	index      *index // nil: the table's own items
	items      *orderedMap
	key        keySchema // of the table or index
	consistent bool
	level      string
	sel        string
	limit      int
	filter     *node
	paths      []path // nil: everything
	start      map[string]value

	accept     func(position string) (ok, stop bool) // whether an entry is to be read
	backward   bool
	wrongStart error // for a start that is not accepted
}

// takeReading takes what Query and Scan have in common, except the
// expressions.
func (e *Engine) takeReading(p *params) (*reading, error) {
	t, err := e.table(p)
	if err != nil {
		return nil, err
	}
	r := &reading{table: t, key: t.key, consistent: p.bool("ConsistentRead"), level: p.capacityLevel()}
	r.limit = p.int("Limit", 1<<30)
	wrongSelect := func(string) error {
		return validation("Select must be ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES, COUNT, or SPECIFIC_ATTRIBUTES")
	}
	r.sel = p.enum("Select", wrongSelect, "", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES")
	indexName, hasIndex := p.optString("IndexName")
	if x, ok := p.take("ExclusiveStartKey"); ok {
		if r.start, err = decodeItem(x, "ExclusiveStartKey"); err != nil {
			return nil, err
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	if r.limit < 1 {
		return nil, validation("Limit must be greater than or equal to 1")
	}
	if hasIndex {
		t.mu.RLock()
		r.index = t.indexes[indexName]
		t.mu.RUnlock()
		if r.index == nil {
			return nil, validation("The table does not have the specified index: %s", indexName)
		}
		r.key, r.items = r.index.key, r.index.items
	} else {
		r.items = t.items
	}
	return r, nil
}

// check checks what depends on the index and the expressions.
func (r *reading) check(verb string, hasProjection bool) error {
	switch {
	case r.sel == "COUNT" && hasProjection:
		return validation("Cannot specify the ProjectionExpression when choosing to get only the Count")
	case r.sel == "SPECIFIC_ATTRIBUTES" && !hasProjection:
		return validation("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case r.sel == "ALL_ATTRIBUTES" && hasProjection, r.sel == "ALL_PROJECTED_ATTRIBUTES" && hasProjection:
		return validation("Cannot specify the ProjectionExpression when choosing to get %s", r.sel)
	case r.sel == "ALL_PROJECTED_ATTRIBUTES" && r.index == nil:
		return validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	if r.index == nil {
		return nil
	}
	if r.consistent {
		return validation("Consistent read cannot be true when %s a GSI", verb)
	}
	if r.index.projected == nil {
		return nil
	}
	if r.sel == "ALL_ATTRIBUTES" {
		return validation("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", r.index.name)
	}
	for _, p := range r.paths {
		if !r.index.projected[p[0].name] {
			return validation("One or more parameter values were invalid: Global secondary index %s does not project [%s]", r.index.name, p[0].name)
		}
	}
	if r.filter == nil {
		return nil
	}
	return r.filter.walk(func(n *node) error {
		if n.op == opPath && !r.index.projected[n.path[0].name] {
			return validation("One or more parameter values were invalid: Secondary index %s does not project one or more filter attributes: [%s]", r.index.name, n.path[0].name)
		}
		return nil
	})
}

// startPosition checks the ExclusiveStartKey, and is its position.
func (r *reading) startPosition() (string, error) {
	want := r.table.key.keyOf(nil)
	if r.index != nil {
		for name := range r.index.key.keyOf(nil) {
			want[name] = value{}
		}
	}
	if len(want) != len(r.start) {
		return "", validation("Exclusive Start Key must have same size as table's key schema")
	}
	for name := range want {
		if _, ok := r.start[name]; !ok {
			return "", validation("The provided starting key is invalid")
		}
	}
	if err := r.table.key.check(r.start); err != nil {
		return "", validation("The provided starting key is invalid: %s", err.(*apiError).message)
	}
	position := r.table.key.position(r.start)
	if r.index != nil {
		if err := r.index.key.check(r.start); err != nil {
			return "", validation("The provided starting key is invalid: %s", err.(*apiError).message)
		}
		position = r.index.position(r.start, position)
	}
	return position, nil
}

// run reads a page: from is the first position, or, backward, the one behind
// it; with an ExclusiveStartKey, that is where it begins instead.
func (r *reading) run(from string) (map[string]any, error) {
	if r.start != nil {
		position, err := r.startPosition()
		if err != nil {
			return nil, err
		}
		if ok, _ := r.accept(position); !ok {
			return nil, r.wrongStart
		}
		from = position
		if !r.backward {
			from += "\x00" // the next position that is possible
		}
	}
	r.table.mu.RLock()
	defer r.table.mu.RUnlock()
	var e *entry
	if r.backward {
		e = r.items.seekLast(from)
	} else {
		e = r.items.seek(from)
	}
	found := []map[string]value{}
	count, scanned, size := 0, 0, 0
	var last *item
	for e != nil {
		ok, stop := r.accept(e.key)
		if stop {
			break
		}
		if ok {
			it := e.item
			if r.index != nil {
				it = r.index.project(it)
			}
			last = it
			scanned++
			size += it.size
			if r.filter.holds(it.attrs) {
				count++
				if r.sel != "COUNT" {
					attrs := it.attrs
					if r.paths != nil {
						attrs = project(attrs, r.paths)
					}
					found = append(found, attrs)
				}
			}
			if scanned == r.limit || size >= maxPage {
				break
			}
		}
		if r.backward {
			e = e.prev
		} else {
			e = e.next[0]
		}
		last = nil
	}
	out := map[string]any{"Count": count, "ScannedCount": scanned}
	if r.sel != "COUNT" {
		out["Items"] = found
	}
	if last != nil {
		key := r.table.key.keyOf(last.attrs)
		if r.index != nil {
			for name, v := range r.key.keyOf(last.attrs) {
				key[name] = v
			}
		}
		out["LastEvaluatedKey"] = key
	}
	if r.level != "NONE" {
		u := units{table: readUnits(size, r.consistent)}
		if r.index != nil {
			u = units{indexes: map[string]float64{r.index.name: u.table}}
		}
		out["ConsumedCapacity"] = u.consumed(r.table.name, r.level, "")
	}
	return out, nil
}

func (e *Engine) scan(p *params) (map[string]any, error) {
	r, err := e.takeReading(p)
	if err != nil {
		return nil, err
	}
	_, hasSegment := p.members["Segment"]
	_, hasTotal := p.members["TotalSegments"]
	segment, total := p.int("Segment", 0), p.int("TotalSegments", 1)
	filter, hasFilter := p.optString("FilterExpression")
	projection, hasProjection := p.optString("ProjectionExpression")
	valueless := ""
	if !hasFilter {
		valueless = "FilterExpression is null"
	}
	scope, err := p.scope(hasFilter || hasProjection, valueless)
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	switch {
	case hasSegment && !hasTotal:
		return nil, validation("If segment is specified, total segment must also be specified")
	case hasTotal && !hasSegment:
		return nil, validation("If total segments is specified, a particular segment must also be specified for this request")
	case total > 1000000:
		return nil, validation("1 validation error detected: Value '%d' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000", total)
	case segment < 0 || segment >= total:
		return nil, validation("1 validation error detected: Value '%d' at 'segment' failed to satisfy constraint: Member must have value less than or equal to %d", segment, total-1)
	}
	if r.filter, err = scope.condition("FilterExpression", filter, hasFilter); err != nil {
		return nil, err
	}
	if r.paths, err = scope.projection(projection, hasProjection); err != nil {
		return nil, err
	}
	if err := scope.unused(); err != nil {
		return nil, err
	}
	if err := r.check("scanning", hasProjection); err != nil {
		return nil, err
	}
	r.wrongStart = validation("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", total, segment)
	r.accept = func(position string) (ok, stop bool) {
		at := segmentOf(position, total)
		return at == segment, at > segment
	}
	return r.run(segmentStart(segment, total))
}

func (e *Engine) query(p *params) (map[string]any, error) {
	r, err := e.takeReading(p)
	if err != nil {
		return nil, err
	}
	if _, ok := p.members["ScanIndexForward"]; ok {
		r.backward = !p.bool("ScanIndexForward")
	}
	condition, hasCondition := p.optString("KeyConditionExpression")
	filter, hasFilter := p.optString("FilterExpression")
	projection, hasProjection := p.optString("ProjectionExpression")
	if !hasCondition {
		if err := p.done(); err != nil {
			return nil, err
		}
		return nil, validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	scope, err := p.scope(true, "")
	if err != nil {
		return nil, err
	}
	if err := p.done(); err != nil {
		return nil, err
	}
	if r.filter, err = scope.condition("FilterExpression", filter, hasFilter); err != nil {
		return nil, err
	}
	if r.paths, err = scope.projection(projection, hasProjection); err != nil {
		return nil, err
	}
	tree, err := scope.condition("KeyConditionExpression", condition, true)
	if err != nil {
		return nil, err
	}
	if err := scope.unused(); err != nil {
		return nil, err
	}
	hash, rnge, err := r.key.condition(tree)
	if err != nil {
		return nil, err
	}
	if err := r.check("querying", hasProjection); err != nil {
		return nil, err
	}
	if r.filter != nil {
		if err := r.filter.walk(func(n *node) error {
			if n.op == opPath && r.key.has(n.path[0].name) {
				return validation("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", n.path[0].name)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	r.wrongStart = validation("The provided starting key does not match the range key predicate")
	partition := string(r.key.partition(hash))
	low, high := rnge.bounds(partition)
	r.accept = func(position string) (ok, stop bool) {
		in := low <= position && position < high
		return in, !in
	}
	if r.backward {
		return r.run(high)
	}
	return r.run(low)
}

// A rangeCondition is what a key condition says about the range key; its op is
// "" where it says nothing.
type rangeCondition struct {
	op     op // or opCall: begins_with
	values []value
}

// bounds are the first position in the partition that meets the condition, and
// the first one behind those that do.
func (c rangeCondition) bounds(partition string) (low, high string) {
	var at []string
	for _, v := range c.values {
		at = append(at, partition+string(v.appendSortable(nil)))
	}
	low, high = partition, after(partition)
	switch c.op {
	case opEq:
		return at[0], after(at[0])
	case opLt:
		high = at[0]
	case opLe:
		high = after(at[0])
	case opGt:
		low = after(at[0])
	case opGe:
		low = at[0]
	case opBetween:
		return at[0], after(at[1])
	case opCall:
		prefix := at[0][:len(at[0])-2] // without the end of a string
		return prefix, after(prefix)
	}
	return low, high
}

// after is the first string above all that begin with prefix, in which there
// is a byte below 0xff.
func after(prefix string) string {
	b := []byte(prefix)
	for b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	b[len(b)-1]++
	return string(b)
}

// condition is what a KeyConditionExpression says about the two keys.
func (s keySchema) condition(tree *node) (hash value, rnge rangeCondition, err error) {
	conditions := map[string]rangeCondition{}
	if err := s.gather(tree, conditions); err != nil {
		return hash, rnge, err
	}
	if len(conditions) > 2 {
		return hash, rnge, validation("Conditions can be of length 1 or 2 only")
	}
	h, ok := conditions[s.hash]
	rnge, hasRange := conditions[s.rnge]
	if !ok || len(conditions) == 2 && !hasRange {
		return hash, rnge, validation("Query condition missed key schema element")
	}
	for name, c := range conditions {
		want := s.rngeKind
		if name == s.hash {
			want = s.hashKind
		}
		for _, v := range c.values {
			if v.kind != want {
				return hash, rnge, validation("One or more parameter values were invalid: Condition parameter type does not match schema type")
			}
			if v.kind != kindN && v.str == "" {
				return hash, rnge, validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyKinds[v.kind], name)
			}
		}
	}
	if h.op != opEq {
		return hash, rnge, validation("Query key condition not supported")
	}
	return h.values[0], rnge, nil
}

// gather collects the conditions that are joined by AND.
func (s keySchema) gather(n *node, into map[string]rangeCondition) error {
	switch {
	case n.op == opAnd:
		for _, a := range n.args {
			if err := s.gather(a, into); err != nil {
				return err
			}
		}
		return nil
	case n.op == opOr, n.op == opNot, n.op == opNe, n.op == opIn:
		return validation("Invalid operator used in KeyConditionExpression: %s", n.op)
	case n.op == opCall && n.name != "begins_with":
		return validation("Invalid operator used in KeyConditionExpression: %s", n.name)
	}
	c := rangeCondition{op: n.op}
	var attribute path
	for i, a := range n.args {
		switch {
		case a.op == opCall:
			return validation("KeyConditionExpressions cannot contain nested operations")
		case a.op == opValue:
			c.values = append(c.values, a.value)
		case attribute != nil:
			return validation("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		default:
			attribute = a.path
			if i > 0 {
				mirrored, ok := map[op]op{opEq: opEq, opLt: opGt, opLe: opGe, opGt: opLt, opGe: opLe}[n.op]
				if !ok {
					return validation("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", cmp.Or(n.name, string(n.op)))
				}
				c.op = mirrored
			}
		}
	}
	if attribute == nil {
		return validation("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	if len(attribute) > 1 {
		return validation("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: %s", attribute[0].name)
	}
	if _, ok := into[attribute[0].name]; ok {
		return validation("KeyConditionExpressions must only contain one condition per key")
	}
	into[attribute[0].name] = c
	return nil
}
