package memdynamo

import (
	"maps"
	"slices"
	"strings"
)

// A scope holds a request's ExpressionAttributeNames and -Values, and which of
// them its expressions used.
type scope struct {
	names     map[string]string
	values    map[string]value
	usedNames map[string]bool
	usedVals  map[string]bool
}

// scope takes the names and values of a request. expressions are those that
// the request has and valueless what Local says where it has none in which a
// value could stand.
func (p *params) scope(hasExpression bool, valueless string) (*scope, error) {
	s := &scope{usedNames: map[string]bool{}, usedVals: map[string]bool{}}
	if x, ok := p.take("ExpressionAttributeNames"); ok {
		if !hasExpression {
			return nil, validation("ExpressionAttributeNames can only be specified when using expressions")
		}
		object, ok := x.(map[string]any)
		if !ok {
			return nil, serialization("ExpressionAttributeNames must be a map of strings")
		}
		if len(object) == 0 {
			return nil, validation("ExpressionAttributeNames must not be empty")
		}
		s.names = make(map[string]string, len(object))
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if !isPlaceholder(key, '#') {
				return nil, validation("ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\"", key)
			}
			name, ok := object[key].(string)
			if !ok {
				return nil, serialization("ExpressionAttributeNames must be a map of strings")
			}
			if name == "" {
				return nil, validation("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", key)
			}
			s.names[key] = name
		}
	}
	if x, ok := p.take("ExpressionAttributeValues"); ok {
		if valueless != "" {
			return nil, validation("ExpressionAttributeValues can only be specified when using expressions: %s", valueless)
		}
		object, ok := x.(map[string]any)
		if !ok {
			return nil, serialization("ExpressionAttributeValues must be a map of attribute values")
		}
		if len(object) == 0 {
			return nil, validation("ExpressionAttributeValues must not be empty")
		}
		s.values = make(map[string]value, len(object))
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if !isPlaceholder(key, ':') {
				return nil, validation("ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\"", key)
			}
			if object[key] == nil {
				return nil, validation("ExpressionAttributeValues contains invalid value: The supplied Item contains a null AttributeValue for key %s", key)
			}
			v, err := decodeValue(object[key], 1)
			if err != nil {
				if e, ok := err.(*apiError); ok && e.name() == "ValidationException" {
					return nil, validation("ExpressionAttributeValues contains invalid value: %s for key %s", e.message, key)
				}
				return nil, err
			}
			s.values[key] = v
		}
	}
	return s, nil
}

func isPlaceholder(key string, first byte) bool {
	if len(key) < 2 || key[0] != first {
		return false
	}
	for i := 1; i < len(key); i++ {
		if !isWord(key[i]) {
			return false
		}
	}
	return true
}

// unused refuses names and values that no expression mentions.
func (s *scope) unused() error {
	if keys := missing(s.names, s.usedNames); keys != "" {
		return validation("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", keys)
	}
	if keys := missing(s.values, s.usedVals); keys != "" {
		return validation("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", keys)
	}
	return nil
}

func missing[V any](all map[string]V, used map[string]bool) string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if !used[k] {
			keys = append(keys, k)
		}
	}
	return strings.Join(keys, ", ")
}

// resolvePath replaces the #names of a path, in place.
func (s *scope) resolvePath(what string, p path) error {
	for i, e := range p {
		switch {
		case e.isIndex:
		case e.name[0] == '#':
			name, ok := s.names[e.name]
			if !ok {
				return invalid(what, "An expression attribute name used in the document path is not defined; attribute name: %s", e.name)
			}
			s.usedNames[e.name] = true
			p[i].name = name
		case reserved[strings.ToUpper(e.name)]:
			return invalid(what, "Attribute name is a reserved keyword; reserved keyword: %s", e.name)
		}
	}
	if len(p) > maxNesting {
		return invalid(what, "The document path has too many nesting levels; nesting levels: %d", len(p))
	}
	return nil
}

func (s *scope) resolveValue(what string, n *node) error {
	v, ok := s.values[n.name]
	if !ok {
		return invalid(what, "An expression attribute value used in expression is not defined; attribute value: %s", n.name)
	}
	s.usedVals[n.name] = true
	n.value = v
	return nil
}

// resolve gives every path and :value of a tree its meaning.
func (s *scope) resolve(what string, tree *node) error {
	return tree.walk(func(n *node) error {
		switch n.op {
		case opPath:
			return s.resolvePath(what, n.path)
		case opValue:
			return s.resolveValue(what, n)
		}
		return nil
	})
}

func invalid(what, format string, args ...any) error {
	err := validation(format, args...)
	err.message = "Invalid " + what + ": " + err.message
	return err
}

// condition parses and checks a condition, which may be absent.
func (s *scope) condition(what, source string, present bool) (*node, error) {
	if !present {
		return nil, nil
	}
	tree, err := parse(what, source, (*parser).condition)
	if err != nil {
		return nil, err
	}
	if err := checkCalls(what, tree, conditionFunctions, "a condition expression"); err != nil {
		return nil, err
	}
	if err := s.resolve(what, tree); err != nil {
		return nil, err
	}
	if err := checkCondition(what, tree); err != nil {
		return nil, err
	}
	return tree, nil
}

// projection parses and checks a projection, which may be absent.
func (s *scope) projection(source string, present bool) ([]path, error) {
	if !present {
		return nil, nil
	}
	const what = "ProjectionExpression"
	paths, err := parse(what, source, (*parser).projection)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if err := s.resolvePath(what, p); err != nil {
			return nil, err
		}
	}
	return paths, checkOverlap(what, paths)
}

// update parses and checks an update expression, which may be absent.
func (s *scope) update(source string, present bool) ([]action, error) {
	if !present {
		return nil, nil
	}
	const what = "UpdateExpression"
	actions, err := parse(what, source, (*parser).update)
	if err != nil {
		return nil, err
	}
	for _, a := range actions {
		if a.operand != nil {
			if err := checkCalls(what, a.operand, updateFunctions, "an update expression"); err != nil {
				return nil, err
			}
		}
	}
	var paths []path
	for _, a := range actions {
		if err := s.resolvePath(what, a.path); err != nil {
			return nil, err
		}
		paths = append(paths, a.path)
	}
	for _, a := range actions {
		if a.operand != nil {
			if err := s.resolve(what, a.operand); err != nil {
				return nil, err
			}
		}
	}
	if err := checkOverlap(what, paths); err != nil {
		return nil, err
	}
	for _, a := range actions {
		if err := checkAction(what, a); err != nil {
			return nil, err
		}
	}
	return actions, nil
}
