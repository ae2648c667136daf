package memdynamo

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A scope holds a request's expressions, its ExpressionAttributeNames and -Values, and which of
// these the expressions use.
type scope struct {
	expressions map[string]string // by the parameter
	names       map[string]string
	values      map[string]value
	used        map[string]bool // names and values
	nested      []string        // the attributes that paths lead into
}

var nameKey, valueKey = regexp.MustCompile(`^#\w+$`), regexp.MustCompile(`^:\w+$`)

// scope takes the given expressions that a request has, and the names and values. All expressions
// except a ProjectionExpression may use values.
func (p params) scope(expressions ...string) *scope {
	s := &scope{expressions: map[string]string{}, names: map[string]string{}, values: map[string]value{}, used: map[string]bool{}}
	var withValues []string
	hasValued := false
	for _, what := range expressions {
		source, ok := take[string](p, what)
		if ok {
			s.expressions[what] = source
		}
		if what != "ProjectionExpression" {
			withValues = append(withValues, what)
			hasValued = hasValued || ok
		}
	}
	const names, values = "ExpressionAttributeNames", "ExpressionAttributeValues"
	if p[names] != nil && len(s.expressions) == 0 {
		panic(validation(names + " can only be specified when using expressions"))
	}
	p.placeholders(names, nameKey, func(key string, x any) {
		name := as[string](x, names)
		if name == "" {
			panic(validation(names+" contains invalid value: Empty attribute name for key %s", key))
		}
		s.names[key] = name
	})
	if p[values] != nil && len(withValues) > 0 && !hasValued {
		verb := "is"
		if len(withValues) > 1 {
			verb = "are"
		}
		panic(validation(values+" can only be specified when using expressions: %s %s null", strings.Join(withValues, " and "), verb))
	}
	p.placeholders(values, valueKey, func(key string, x any) {
		if x == nil {
			panic(validation(values+" contains invalid value: The supplied Item contains a null AttributeValue for key %s", key))
		}
		err := attempt(func() { s.values[key] = decodeValue(x, 1) })
		switch {
		case err != nil && err.name() == "ValidationException":
			panic(validation(values+" contains invalid value: %s for key %s", err.message, key))
		case err != nil:
			panic(err)
		}
	})
	return s
}

// placeholders takes a map and calls f with its members.
func (p params) placeholders(name string, valid *regexp.Regexp, f func(key string, x any)) {
	object := p.object(name)
	if object != nil && len(object) == 0 {
		panic(validation("%s must not be empty", name))
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !valid.MatchString(key) {
			panic(validation("%s contains invalid key: Syntax error; key: \"%s\"", name, key))
		}
		f(key, object[key])
	}
}

// has reports whether the request has the expression.
func (s *scope) has(what string) bool {
	_, ok := s.expressions[what]
	return ok
}

// checkUsed refuses names and values that no expression mentions.
func (s *scope) checkUsed() {
	unused := func(what string, keys []string) {
		keys = slices.DeleteFunc(keys, func(key string) bool { return s.used[key] })
		if len(keys) > 0 {
			panic(validation("Value provided in %s unused in expressions: keys: {%s}", what, strings.Join(keys, ", ")))
		}
	}
	unused("ExpressionAttributeNames", slices.Sorted(maps.Keys(s.names)))
	unused("ExpressionAttributeValues", slices.Sorted(maps.Keys(s.values)))
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

// expression calls f with an expression, if the request has it, and lets its errors name it.
func (s *scope) expression(what string, f func(source string)) {
	if source, ok := s.expressions[what]; ok {
		reworded("Invalid "+what+": ", "", func() { f(source) })
	}
}

// condition parses and checks a condition; it is nil if the request has none.
func (s *scope) condition(what string) (tree *node) {
	s.expression(what, func(source string) {
		tree = parse(source, (*parser).condition)
		checkCalls(tree, false)
		s.resolve(tree)
		checkCondition(tree, false)
	})
	return tree
}

// projection parses and checks a projection; it is nil if the request has none.
func (s *scope) projection() (paths []path) {
	s.expression("ProjectionExpression", func(source string) {
		paths = parse(source, (*parser).projection)
		for _, p := range paths {
			s.resolvePath(p)
		}
		checkOverlap(paths)
	})
	return paths
}

// update parses and checks an update expression; it is nil if the request has none.
func (s *scope) update() (actions []action) {
	s.expression("UpdateExpression", func(source string) {
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
