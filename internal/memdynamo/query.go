package memdynamo

import (
	"fmt"
	"maps"
	"slices"
)

// Query and Scan.

// maxPage is the maximum size in bytes of the items that a page reads.
const maxPage = 1 << 20

// A readRequest is what Query and Scan have in common.
type readRequest struct {
	tableRequest
	reporting
	placeholders
	IndexName                              *string
	ConsistentRead                         bool
	Limit                                  *int
	Select                                 string
	ExclusiveStartKey                      map[string]any
	FilterExpression, ProjectionExpression *string
}

type queryRequest struct {
	readRequest
	KeyConditionExpression *string
	ScanIndexForward       *bool
}

type scanRequest struct {
	readRequest
	Segment, TotalSegments *int
}

// A reading is a Query or a Scan of a table or index: it reads the items at some positions.
type reading struct {
	readRequest
	table  *table
	index  *index // the table's own, or a secondary one
	scope  *scope
	filter *node
	paths  []path // nil: everything
	start  map[string]value

	low, high  string // the first position, and the one after the last
	condition  *node  // on the keys; nil: all items at such positions
	backward   bool
	wrongStart string // the error if the ExclusiveStartKey is not of such an item
}

// newReading checks the parameters that Query and Scan share, except for what depends on the
// expressions. condition is a query's.
func (e *Engine) newReading(in readRequest, condition ...expression) *reading {
	t := e.table(in.TableName, false)
	in.check()
	r := &reading{readRequest: in, table: t, index: &t.index}
	selects := []string{"", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES"}
	refuseIf(!slices.Contains(selects, in.Select), "Select must be ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES, COUNT, or SPECIFIC_ATTRIBUTES")
	r.start = decodeAttrs(in.ExclusiveStartKey, 1)
	refuseIf(in.Limit != nil && *in.Limit < 1, "Limit must be greater than or equal to 1")
	if in.IndexName != nil {
		r.index = t.indexes[*in.IndexName]
		refuseIf(r.index == nil, "The table does not have the specified index: %s", *in.IndexName)
	}
	filter, projection := expression{"FilterExpression", in.FilterExpression}, expression{"ProjectionExpression", in.ProjectionExpression}
	r.scope = in.scope(append(condition, filter, projection)...)
	for _, c := range condition {
		refuseIf(c.source == nil, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	r.filter = r.scope.condition(filter)
	r.paths = r.scope.projection(projection)
	return r
}

// check checks the parameters that depend on the index and the expressions.
func (r *reading) check(verb string) {
	r.table.checkScalar(r.scope.nested)
	refuseIf(r.Select == "COUNT" && r.paths != nil, "Cannot specify the ProjectionExpression when choosing to get only the Count")
	refuseIf(r.Select == "SPECIFIC_ATTRIBUTES" && r.paths == nil, "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	refuseIf(r.Select != "" && r.Select != "SPECIFIC_ATTRIBUTES" && r.paths != nil, "Cannot specify the ProjectionExpression when choosing to get %s", r.Select)
	refuseIf(r.Select == "ALL_PROJECTED_ATTRIBUTES" && r.IndexName == nil, "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	refuseIf(r.IndexName != nil && r.ConsistentRead, "Consistent read cannot be true when %s a GSI", verb)
	refuseIf(r.Select == "ALL_ATTRIBUTES" && r.index.projected != nil, "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", r.index.IndexName)
	for _, p := range r.paths {
		refuseIf(!r.index.projects(p[0].name), "One or more parameter values were invalid: Global secondary index %s does not project [%s]", r.index.IndexName, p[0].name)
	}
}

// startPosition checks the ExclusiveStartKey, and returns its position.
func (r *reading) startPosition() string {
	const invalid = "The provided starting key is invalid"
	primary, key := r.table.KeySchema, r.index.KeySchema
	reworded(invalid+": ", "", func() {
		primary.checkKey(primary.keyOf(r.start))
		key.checkKey(key.keyOf(r.start))
	})
	refuseIf(len(r.keyOf(r.start)) != len(r.start), invalid)
	position := key.position(r.start)
	if r.IndexName != nil {
		position += primary.position(r.start)
	}
	refuseIf(position < r.low || position >= r.high || !r.condition.holds(r.start), "%s", r.wrongStart)
	return position
}

// keyOf returns the key of an item from which a reading can be continued.
func (r *reading) keyOf(attrs map[string]value) map[string]value {
	key := r.table.KeySchema.keyOf(attrs)
	maps.Copy(key, r.index.KeySchema.keyOf(attrs))
	return key
}

// run reads a page.
func (r *reading) run() map[string]any {
	var positions []string
	for position, it := range r.index.items {
		if r.low <= position && position < r.high && r.condition.holds(it.attrs) {
			positions = append(positions, position)
		}
	}
	slices.Sort(positions)
	if r.ExclusiveStartKey != nil {
		at, found := slices.BinarySearch(positions, r.startPosition())
		switch {
		case r.backward:
			positions = positions[:at]
		case found:
			positions = positions[at+1:]
		default:
			positions = positions[at:]
		}
	}
	if r.backward {
		slices.Reverse(positions)
	}
	found := []map[string]value{}
	scanned, size := 0, 0
	out := map[string]any{}
	for _, position := range positions {
		it := r.index.project(r.index.items[position])
		scanned++
		size += it.size
		if r.filter.holds(it.attrs) {
			found = append(found, project(it.attrs, r.paths))
		}
		if r.Limit != nil && scanned == *r.Limit || size >= maxPage {
			out["LastEvaluatedKey"] = r.keyOf(it.attrs)
			break
		}
	}
	out["Count"], out["ScannedCount"] = len(found), scanned
	if r.Select != "COUNT" {
		out["Items"] = found
	}
	units{r.index.IndexName: readUnits(size, r.ConsistentRead)}.report(out, r.table.name, r.reporting)
	return out
}

func (e *Engine) scan(in scanRequest) map[string]any {
	const outOfRange = "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d"
	r := e.newReading(in.readRequest)
	segment, total := 0, 1
	refuseIf(in.Segment != nil && in.TotalSegments == nil, "If segment is specified, total segment must also be specified")
	refuseIf(in.Segment == nil && in.TotalSegments != nil, "If total segments is specified, a particular segment must also be specified for this request")
	if in.Segment != nil {
		segment, total = *in.Segment, *in.TotalSegments
	}
	refuseIf(total > maxSegments, outOfRange, total, "totalSegments", maxSegments)
	refuseIf(segment < 0 || segment >= total, outOfRange, segment, "segment", total-1)
	r.scope.checkUsed()
	r.check("scanning")
	r.wrongStart = fmt.Sprintf("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", total, segment)
	r.low, r.high = segmentStart(segment, total), segmentStart(segment+1, total)
	return r.run()
}

func (e *Engine) query(in queryRequest) map[string]any {
	condition := expression{"KeyConditionExpression", in.KeyConditionExpression}
	r := e.newReading(in.readRequest, condition)
	r.backward = in.ScanIndexForward != nil && !*in.ScanIndexForward
	r.condition = r.scope.condition(condition)
	r.scope.checkUsed()
	hash := r.index.KeySchema.checkCondition(r.condition).hash()
	r.low, r.high = hashPosition(hash), hashPosition(hash+1)
	r.check("querying")
	r.filter.walk(r.checkQueryFilter)
	r.wrongStart = "The provided starting key does not match the range key predicate"
	return r.run()
}

// checkQueryFilter checks a node of a query's filter. In a scan of an index, a filter on an
// attribute that is not projected is no error, but matches nothing.
func (r *reading) checkQueryFilter(n *node) {
	if n.op != opPath {
		return
	}
	name := n.path[0].name
	refuseIf(!r.index.projects(name), "One or more parameter values were invalid: Secondary index %s does not project one or more filter attributes: [%s]", r.index.IndexName, name)
	refuseIf(r.index.KeySchema.has(name), "Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
}

// checkCondition checks a KeyConditionExpression, and returns the value that it requires of the
// hash key.
func (s keySchema) checkCondition(tree *node) (hash value) {
	const notSupported = "Query key condition not supported"
	conditions := map[string]*node{}
	gatherKeyConditions(tree, conditions)
	refuseIf(len(conditions) > 2, "Conditions can be of length 1 or 2 only")
	for i, k := range s {
		refuseIf(i < len(conditions) && conditions[k.AttributeName] == nil, "Query condition missed key schema element: %s", k.AttributeName)
	}
	refuseIf(len(conditions) > len(s), notSupported)
	for i, k := range s[:len(conditions)] {
		for _, a := range conditions[k.AttributeName].args {
			if a.op != opValue {
				continue
			}
			refuseIf(a.value.kind != k.kind, "One or more parameter values were invalid: Condition parameter type does not match schema type")
			k.checkNotEmpty(a.value)
			if i == 0 {
				hash = a.value
			}
		}
	}
	refuseIf(conditions[s[0].AttributeName].op != "=", notSupported)
	return hash
}

// gatherKeyConditions collects the conditions that are joined by AND, by the attribute.
func gatherKeyConditions(n *node, into map[string]*node) {
	const invalid = "Invalid condition in KeyConditionExpression: "
	if n.op == "AND" {
		gatherKeyConditions(n.args[0], into)
		gatherKeyConditions(n.args[1], into)
		return
	}
	symmetric := slices.Contains([]string{"=", "<", "<=", ">", ">="}, n.op)
	refuseIf(!symmetric && n.op != "BETWEEN" && n.name != "begins_with", "Invalid operator used in KeyConditionExpression: %s", n.symbol())
	var attribute path
	for i, a := range n.args {
		refuseIf(a.op == opCall, "KeyConditionExpressions cannot contain nested operations")
		if a.op == opValue {
			continue
		}
		refuseIf(attribute != nil, invalid+"Multiple attribute names used in one condition")
		refuseIf(i > 0 && !symmetric, invalid+"%s operator must have the key attribute as its first operand", n.symbol())
		attribute = a.path
	}
	refuseIf(attribute == nil, invalid+"No key attribute specified")
	name := attribute[0].name
	refuseIf(len(attribute) > 1, notScalar+"Key: %s", name)
	refuseIf(into[name] != nil, "KeyConditionExpressions must only contain one condition per key")
	into[name] = n
}
