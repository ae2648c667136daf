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

// checkKeys checks a map that is not empty and has only valid keys, and calls check with its members.
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
			refuseIf(reserved[strings.ToUpper(e.name)], "Attribute name is a reserved keyword; reserved keyword: %s", e.name)
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
