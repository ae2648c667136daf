package memdynamo

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An expression is a request's parameter that is an expression. Its source is nil if the request
// does not have it.
type expression struct {
	what   string
	source *string
}

// parse calls f with the source, if there is one. Errors name the parameter.
func (x expression) parse(f func(source string)) {
	if x.source != nil {
		reworded("Invalid "+x.what+": ", "", func() { f(*x.source) })
	}
}

// A scope holds a request's ExpressionAttributeNames and -Values, and which of them its expressions
// use.
type scope struct {
	names  map[string]string
	values map[string]value
	used   map[string]bool // names and values
	nested []string        // the attributes that paths lead into
}

var nameKey, valueKey = regexp.MustCompile(`^#\w+$`), regexp.MustCompile(`^:\w+$`)

const namesParameter, valuesParameter = "ExpressionAttributeNames", "ExpressionAttributeValues"

// scope checks the names and values of a request that can have the given expressions. All of these
// except a ProjectionExpression may use values.
func (in placeholders) scope(expressions ...expression) *scope {
	s := &scope{names: in.ExpressionAttributeNames, values: map[string]value{}, used: map[string]bool{}}
	var withValues []string
	hasAny, hasValued := false, false
	for _, x := range expressions {
		hasAny = hasAny || x.source != nil
		if x.what != "ProjectionExpression" {
			withValues = append(withValues, x.what)
			hasValued = hasValued || x.source != nil
		}
	}
	verb := "is"
	if len(withValues) > 1 {
		verb = "are"
	}
	refuseIf(s.names != nil && !hasAny, namesParameter+" can only be specified when using expressions")
	checkKeys(namesParameter, nameKey, s.names, func(key, name string) {
		refuseIf(name == "", namesParameter+" contains invalid value: Empty attribute name for key %s", key)
	})
	values := in.ExpressionAttributeValues
	refuseIf(values != nil && len(withValues) > 0 && !hasValued, valuesParameter+" can only be specified when using expressions: %s %s null", strings.Join(withValues, " and "), verb)
	checkKeys(valuesParameter, valueKey, values, func(key string, x any) {
		reworded(valuesParameter+" contains invalid value: ", " for key "+key, func() {
			refuseIf(x == nil, "The supplied Item contains a null AttributeValue")
			s.values[key] = decodeValue(x, 1)
		})
	})
	return s
}

// checkKeys refuses an empty map and invalid keys, and calls check with the members of a map.
func checkKeys[T any](what string, valid *regexp.Regexp, members map[string]T, check func(key string, x T)) {
	refuseIf(members != nil && len(members) == 0, "%s must not be empty", what)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		refuseIf(!valid.MatchString(key), "%s contains invalid key: Syntax error; key: \"%s\"", what, key)
		check(key, members[key])
	}
}

// checkUsed refuses names and values that no expression mentions.
func (s *scope) checkUsed() {
	unused := func(what string, keys []string) {
		keys = slices.DeleteFunc(keys, func(key string) bool { return s.used[key] })
		refuseIf(len(keys) > 0, "Value provided in %s unused in expressions: keys: {%s}", what, strings.Join(keys, ", "))
	}
	unused(namesParameter, slices.Sorted(maps.Keys(s.names)))
	unused(valuesParameter, slices.Sorted(maps.Keys(s.values)))
}

// resolvePath replaces the #names of a path, in place.
func (s *scope) resolvePath(p path) {
	for i, e := range p {
		switch {
		case e.isIndex:
		case e.name[0] == '#':
			name, ok := s.names[e.name]
			refuseIf(!ok, "An expression attribute name used in the document path is not defined; attribute name: %s", e.name)
			s.used[e.name] = true
			p[i].name = name
		default:
			_, isReserved := slices.BinarySearch(reserved, strings.ToUpper(e.name))
			refuseIf(isReserved, "Attribute name is a reserved keyword; reserved keyword: %s", e.name)
		}
	}
	if len(p) > 1 {
		s.nested = append(s.nested, p[0].name)
	}
	refuseIf(len(p) > maxNesting, "The document path has too many nesting levels; nesting levels: %d", len(p))
}

// resolve gives every path and :value of a tree its meaning.
func (s *scope) resolve(tree *node) {
	tree.walk(func(n *node) {
		switch n.op {
		case opPath:
			s.resolvePath(n.path)
		case opValue:
			v, ok := s.values[n.name]
			refuseIf(!ok, "An expression attribute value used in expression is not defined; attribute value: %s", n.name)
			s.used[n.name] = true
			n.value = v
		}
	})
}

// condition parses and checks a condition; it is nil if the request has none.
func (s *scope) condition(x expression) (tree *node) {
	x.parse(func(source string) {
		tree = parse(source, (*parser).condition)
		checkCalls(tree, false)
		s.resolve(tree)
		checkCondition(tree, false)
	})
	return tree
}

// projection parses and checks a projection; it is nil if the request has none.
func (s *scope) projection(x expression) (paths []path) {
	x.parse(func(source string) {
		paths = parse(source, (*parser).projection)
		for _, p := range paths {
			s.resolvePath(p)
		}
		checkOverlap(paths)
	})
	return paths
}

// update parses and checks an update expression; it is nil if the request has none.
func (s *scope) update(x expression) (actions []action) {
	x.parse(func(source string) {
		actions = parse(source, (*parser).update)
		for _, a := range actions {
			checkCalls(a.operand, true)
		}
		for _, a := range actions {
			s.resolvePath(a.path)
		}
		for _, a := range actions {
			s.resolve(a.operand)
		}
		checkOverlap(paths(actions))
		for _, a := range actions {
			checkAction(a)
		}
	})
	return actions
}

// A signature says what operands a function or an operator takes.
type signature struct {
	update bool   // a function of update expressions, not of conditions
	count  int    // of the operands; 0: as the grammar says
	path   bool   // the first operand must be a path
	kinds  []kind // the types that operands can have; nil: any
}

var signatures = map[string]signature{
	"attribute_exists":     {count: 1, path: true},
	"attribute_not_exists": {count: 1, path: true},
	"attribute_type":       {count: 2},
	"begins_with":          {count: 2, kinds: []kind{kindS, kindB}},
	"contains":             {count: 2},
	"size":                 {count: 1, kinds: []kind{kindS, kindB, kindSS, kindNS, kindBS, kindL, kindM}},
	"if_not_exists":        {update: true, count: 2, path: true},
	"list_append":          {update: true, count: 2, kinds: []kind{kindL}},
	"<":                    {kinds: []kind{kindS, kindN, kindB}},
	"<=":                   {kinds: []kind{kindS, kindN, kindB}},
	">":                    {kinds: []kind{kindS, kindN, kindB}},
	">=":                   {kinds: []kind{kindS, kindN, kindB}},
	"BETWEEN":              {kinds: []kind{kindS, kindN, kindB}},
	"+":                    {kinds: []kind{kindN}},
	"-":                    {kinds: []kind{kindN}},
}

// operandKinds are the types of the operands of an ADD or a DELETE.
var operandKinds = map[string][]kind{
	"ADD":    {kindN, kindSS, kindNS, kindBS},
	"DELETE": {kindSS, kindNS, kindBS},
}

const maxOperators, maxInOperands = 300, 100

// checkCalls checks the functions' names and the parentheses.
func checkCalls(tree *node, update bool) {
	where := "a condition expression"
	if update {
		where = "an update expression"
	}
	operators := 0
	tree.walk(func(n *node) {
		refuseIf(n.parens > 1, "The expression has redundant parentheses;")
		switch n.op {
		case opPath, opValue:
			return
		case "IN":
			operands := len(n.args) - 1
			refuseIf(operands > maxInOperands, "The IN operator is provided with too many operands; number of operands: %d", operands)
		case opCall:
			s, ok := signatures[n.name]
			refuseIf(!ok, "Invalid function name; function: %s", n.name)
			refuseIf(s.update != update, "The function is not allowed in %s; function: %s", where, n.name)
		}
		operators++
		refuseIf(operators > maxOperators, "The expression contains too many operators; operator count: %d", operators)
	})
}

func (n *node) misusedIf(cond bool) {
	refuseIf(cond, "The function is not allowed to be used this way in an expression; function: %s", n.name)
}

func (n *node) wrongTypeIf(cond bool, k kind) {
	refuseIf(cond, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.symbol(), k)
}

// checkCondition checks a condition, or an operand in one, and the nodes below it.
func checkCondition(n *node, isOperand bool) {
	n.misusedIf(n.op == opCall && (n.name == "size") != isOperand)
	for _, a := range n.args {
		checkCondition(a, n.op != "AND" && n.op != "OR" && n.op != "NOT")
	}
	n.checkOperands()
	if n.op == "BETWEEN" && n.args[1].op == opValue && n.args[2].op == opValue {
		const text = "The BETWEEN operator requires %s; lower bound operand: AttributeValue: %v, upper bound operand: AttributeValue: %v"
		low, high := n.args[1].value, n.args[2].value
		refuseIf(low.kind != high.kind, text, "same data type for lower and upper bounds", low, high)
		refuseIf(compareScalars(low, high) > 0, text, "upper bound to be greater than or equal to lower bound", low, high)
	}
	for i, a := range n.args {
		refuseIf(i > 0 && a.op == opPath && slices.Equal(a.path, n.args[0].path),
			"The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", n.symbol(), a.path)
	}
	if n.name == "attribute_type" {
		typ := n.args[1]
		n.wrongTypeIf(typ.op != opValue, "path")
		refuseIf(longKinds[kind(typ.value.str)] == "", "Invalid attribute type name found; type: %s, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}", typ.value.str)
	}
}

// checkOperands checks the operands of a function or an operator by its signature. Only values and
// sizes have the same type for every item.
func (n *node) checkOperands() {
	s := signatures[n.symbol()]
	refuseIf(s.count > 0 && len(n.args) != s.count, "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.name, len(n.args))
	refuseIf(s.path && n.args[0].op != opPath, "Operator or function requires a document path; operator or function: %s", n.name)
	for i, a := range n.args {
		k, allowed := a.value.kind, s.kinds
		if a.name == "size" {
			k = kindN
		}
		if n.name == "attribute_type" && i == 1 {
			allowed = []kind{kindS}
		}
		n.wrongTypeIf(k != "" && allowed != nil && !slices.Contains(allowed, k), k)
	}
}

// checkAction checks the operand of an update's action.
func checkAction(a action) {
	switch a.section {
	case "SET":
		checkSum(a.operand, true)
	case "ADD", "DELETE":
		k := a.operand.value.kind
		refuseIf(!slices.Contains(operandKinds[a.section], k), "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND", a.section, longKinds[k], a.section)
	}
}

// checkSum checks the right side of a SET. list_append is only allowed at its top.
func checkSum(n *node, top bool) {
	n.misusedIf(n.name == "list_append" && !top)
	for _, a := range n.args {
		checkSum(a, false)
	}
	n.checkOperands()
}

// checkOverlap refuses two paths if one is inside the other, or if they use the same attribute as a
// list and as a map.
func checkOverlap(paths []path) {
	const text = "Two document paths %s with each other; must remove or rewrite one of these paths; path one: %s, path two: %s"
	for i, b := range paths {
		for _, a := range paths[:i] {
			n := 0
			for n < min(len(a), len(b)) && a[n] == b[n] {
				n++
			}
			overlap := n == min(len(a), len(b))
			refuseIf(overlap, text, "overlap", a, b)
			refuseIf(a[n].isIndex != b[n].isIndex, text, "conflict", a, b)
		}
	}
}
