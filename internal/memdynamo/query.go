package memdynamo

import (
	"cmp"
	"maps"
	"slices"
)

// Query and Scan.

// maxPage is the maximum size in bytes of the items that a page reads.
const maxPage = 1 << 20

// A reading is a Query or a Scan: it reads the entries of a table or index from one position to
// another.
type reading struct {
	table      *table
	index      *index // nil: the table's own items
	items      orderedMap
	key        keySchema // of the table or index
	consistent bool
	level      string
	sel        string
	limit      int
	scope      *scope
	filter     *node
	paths      []path // nil: everything
	start      map[string]value

	within     func(position string) bool // whether to read an entry; the entries to read are contiguous
	backward   bool
	wrongStart *apiError // the error if start is not within
}

// takeReading takes the parameters that Query and Scan share. expressions are those that may use
// values.
func (e *Engine) takeReading(p params, expressions ...string) *reading {
	t := e.table(p)
	r := &reading{table: t, key: t.key, items: t.items, consistent: p.bool("ConsistentRead"), level: p.capacityLevel()}
	r.limit = p.int("Limit", 1<<30)
	r.sel = p.string("Select")
	if !slices.Contains([]string{"", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES"}, r.sel) {
		panic(validation("Select must be ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES, COUNT, or SPECIFIC_ATTRIBUTES"))
	}
	r.start = p.item("ExclusiveStartKey")
	if r.limit < 1 {
		panic(validation("Limit must be greater than or equal to 1"))
	}
	if name, ok := take[string](p, "IndexName"); ok {
		r.index = t.indexes[name]
		if r.index == nil {
			panic(validation("The table does not have the specified index: %s", name))
		}
		r.key, r.items = r.index.key, r.index.items
	}
	r.scope = p.scope(append(expressions, "ProjectionExpression")...)
	return r
}

// check checks the parameters that depend on the index and the expressions.
func (r *reading) check(verb string) {
	r.table.checkScalar(r.scope.nested)
	switch {
	case r.sel == "COUNT" && r.paths != nil:
		panic(validation("Cannot specify the ProjectionExpression when choosing to get only the Count"))
	case r.sel == "SPECIFIC_ATTRIBUTES" && r.paths == nil:
		panic(validation("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"))
	case r.sel != "" && r.sel != "SPECIFIC_ATTRIBUTES" && r.paths != nil:
		panic(validation("Cannot specify the ProjectionExpression when choosing to get %s", r.sel))
	case r.sel == "ALL_PROJECTED_ATTRIBUTES" && r.index == nil:
		panic(validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"))
	case r.index == nil:
		return
	case r.consistent:
		panic(validation("Consistent read cannot be true when %s a GSI", verb))
	case r.sel == "ALL_ATTRIBUTES" && r.index.projected != nil:
		panic(validation("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", r.index.name))
	}
	for _, p := range r.paths {
		if !r.index.projects(p[0].name) {
			panic(validation("One or more parameter values were invalid: Global secondary index %s does not project [%s]", r.index.name, p[0].name))
		}
	}
}

// startPosition checks the ExclusiveStartKey, and returns its position.
func (r *reading) startPosition() string {
	const invalid = "The provided starting key is invalid"
	check := func(s keySchema, key map[string]value) {
		if err := attempt(func() { s.checkKey(key) }); err != nil {
			panic(validation(invalid+": %s", err.message))
		}
	}
	if r.index == nil {
		check(r.key, r.start)
		return r.key.position(r.start)
	}
	check(r.table.key, r.table.key.keyOf(r.start))
	check(r.key, r.key.keyOf(r.start))
	if len(r.keyOf(r.start)) != len(r.start) {
		panic(validation(invalid))
	}
	return r.index.position(r.start, r.table.key.position(r.start))
}

// keyOf returns the key of an item from which a reading can be continued.
func (r *reading) keyOf(attrs map[string]value) map[string]value {
	key := r.table.key.keyOf(attrs)
	maps.Copy(key, r.key.keyOf(attrs))
	return key
}

// run reads a page. from is the first position or, when reading backward, the one after it. An
// ExclusiveStartKey replaces it.
func (r *reading) run(from string) map[string]any {
	if r.start != nil {
		from = r.startPosition()
		if !r.within(from) {
			panic(r.wrongStart)
		}
		if !r.backward {
			from += "\x00" // the next position that is possible
		}
	}
	at, _ := r.items.search(from)
	step := 1
	if r.backward {
		at, step = at-1, -1
	}
	found := []map[string]value{}
	scanned, size := 0, 0
	out := map[string]any{}
	for ; at >= 0 && at < len(r.items) && r.within(r.items[at].key); at += step {
		it := r.items[at].item
		if r.index != nil {
			it = r.index.project(it)
		}
		scanned++
		size += it.size
		if r.filter.holds(it.attrs) {
			attrs := it.attrs
			if r.paths != nil {
				attrs = project(attrs, r.paths)
			}
			found = append(found, attrs)
		}
		if scanned == r.limit || size >= maxPage {
			out["LastEvaluatedKey"] = r.keyOf(it.attrs)
			break
		}
	}
	out["Count"], out["ScannedCount"] = len(found), scanned
	if r.sel != "COUNT" {
		out["Items"] = found
	}
	taken := units{table: readUnits(size, r.consistent)}
	if r.index != nil {
		taken = units{indexes: map[string]float64{r.index.name: taken.table}}
	}
	taken.report(out, r.table.name, r.level)
	return out
}

func (e *Engine) scan(p params) map[string]any {
	r := e.takeReading(p, "FilterExpression")
	hasSegment, hasTotal := p["Segment"] != nil, p["TotalSegments"] != nil
	segment, total := p.int("Segment", 0), p.int("TotalSegments", 1)
	p.done()
	switch {
	case hasSegment && !hasTotal:
		panic(validation("If segment is specified, total segment must also be specified"))
	case hasTotal && !hasSegment:
		panic(validation("If total segments is specified, a particular segment must also be specified for this request"))
	case total > 1000000:
		panic(validation("1 validation error detected: Value '%d' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000", total))
	case segment < 0 || segment >= total:
		panic(validation("1 validation error detected: Value '%d' at 'segment' failed to satisfy constraint: Member must have value less than or equal to %d", segment, total-1))
	}
	r.filter = r.scope.condition("FilterExpression")
	r.paths = r.scope.projection()
	r.scope.checkUsed()
	r.check("scanning")
	r.wrongStart = validation("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", total, segment)
	r.within = func(position string) bool { return segmentOf(position, total) == segment }
	return r.run(segmentStart(segment, total))
}

func (e *Engine) query(p params) map[string]any {
	r := e.takeReading(p, "KeyConditionExpression", "FilterExpression")
	forward, ok := take[bool](p, "ScanIndexForward")
	r.backward = ok && !forward
	p.done()
	if !r.scope.has("KeyConditionExpression") {
		panic(validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."))
	}
	r.filter = r.scope.condition("FilterExpression")
	r.paths = r.scope.projection()
	condition := r.scope.condition("KeyConditionExpression")
	r.scope.checkUsed()
	hash, rnge := r.key.condition(condition)
	r.check("querying")
	r.filter.walk(r.checkQueryFilter)
	r.wrongStart = validation("The provided starting key does not match the range key predicate")
	partition := string(r.key.partition(hash))
	low, high := rnge.bounds(partition)
	r.within = func(position string) bool { return low <= position && position < high }
	if r.backward {
		return r.run(high)
	}
	return r.run(low)
}

// checkQueryFilter checks a node of a query's filter. In a scan of an index, a filter on an
// attribute that is not projected is no error, but matches nothing.
func (r *reading) checkQueryFilter(n *node) {
	if n.op != opPath {
		return
	}
	name := n.path[0].name
	switch {
	case r.index != nil && !r.index.projects(name):
		panic(validation("One or more parameter values were invalid: Secondary index %s does not project one or more filter attributes: [%s]", r.index.name, name))
	case r.key.has(name):
		panic(validation("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name))
	}
}

// A rangeCondition is the part of a key condition about the range key; its op is "" if there is
// none.
type rangeCondition struct {
	op     op // or opCall: begins_with
	values []value
}

// bounds returns the first position in the partition that meets the condition, and the first one
// after those that do.
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

// after returns the first string above all that begin with prefix, which must contain a byte below
// 0xff.
func after(prefix string) string {
	b := []byte(prefix)
	for b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	b[len(b)-1]++
	return string(b)
}

// condition returns what a KeyConditionExpression says about the two keys.
func (s keySchema) condition(tree *node) (hash value, rnge rangeCondition) {
	conditions := map[string]rangeCondition{}
	s.gather(tree, conditions)
	if len(conditions) > 2 {
		panic(validation("Conditions can be of length 1 or 2 only"))
	}
	for i, k := range s {
		if _, ok := conditions[k.name]; !ok && i < len(conditions) {
			panic(validation("Query condition missed key schema element: %s", k.name))
		}
	}
	if len(conditions) > len(s) {
		panic(validation("Query key condition not supported"))
	}
	for _, k := range s {
		for _, v := range conditions[k.name].values {
			if v.kind != k.kind {
				panic(validation("One or more parameter values were invalid: Condition parameter type does not match schema type"))
			}
			if v.kind != kindN && v.str == "" {
				k.check(v)
			}
		}
	}
	h := conditions[s[0].name]
	if h.op != opEq {
		panic(validation("Query key condition not supported"))
	}
	if len(s) > 1 {
		rnge = conditions[s[1].name]
	}
	return h.values[0], rnge
}

// gather collects the conditions that are joined by AND.
func (s keySchema) gather(n *node, into map[string]rangeCondition) {
	switch {
	case n.op == opAnd:
		s.gather(n.args[0], into)
		s.gather(n.args[1], into)
		return
	case n.op == opOr, n.op == opNot, n.op == opNe, n.op == opIn, n.op == opCall && n.name != "begins_with":
		panic(validation("Invalid operator used in KeyConditionExpression: %s", cmp.Or(n.name, string(n.op))))
	}
	c := rangeCondition{op: n.op}
	var attribute path
	for i, a := range n.args {
		switch {
		case a.op == opCall:
			panic(validation("KeyConditionExpressions cannot contain nested operations"))
		case a.op == opValue:
			c.values = append(c.values, a.value)
			continue
		case attribute != nil:
			panic(validation("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"))
		}
		attribute = a.path
		if i > 0 {
			c.op = map[op]op{opEq: opEq, opLt: opGt, opLe: opGe, opGt: opLt, opGe: opLe}[n.op]
		}
		if c.op == "" {
			panic(validation("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", cmp.Or(n.name, string(n.op))))
		}
	}
	if attribute == nil {
		panic(validation("Invalid condition in KeyConditionExpression: No key attribute specified"))
	}
	name := attribute[0].name
	if len(attribute) > 1 {
		panic(validation("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: %s", name))
	}
	if _, ok := into[name]; ok {
		panic(validation("KeyConditionExpressions must only contain one condition per key"))
	}
	into[name] = c
}
