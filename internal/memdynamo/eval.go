package memdynamo

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// lookup returns the value at a path in an item.
func lookup(attrs map[string]value, p path) (value, bool) {
	v, ok := attrs[p[0].name]
	for _, e := range p[1:] {
		switch {
		case !ok:
			return value{}, false
		case !e.isIndex:
			v, ok = v.attrs[e.name]
		case v.kind == kindL && e.index < len(v.list):
			v = v.list[e.index]
		default:
			return value{}, false
		}
	}
	return v, ok
}

// holds evaluates a checked condition on an item. A nil condition always holds. An item that does
// not exist has no attributes.
func (n *node) holds(attrs map[string]value) bool {
	if n == nil {
		return true
	}
	switch n.op {
	case opAnd:
		return n.args[0].holds(attrs) && n.args[1].holds(attrs)
	case opOr:
		return n.args[0].holds(attrs) || n.args[1].holds(attrs)
	case opNot:
		return !n.args[0].holds(attrs)
	case opCall:
		return n.call(attrs)
	}
	x, ok := n.args[0].eval(attrs)
	rest := make([]value, 0, 2)
	found := ok
	for _, a := range n.args[1:] {
		v, ok := a.eval(attrs)
		found = found && ok
		if ok || n.op != opIn {
			rest = append(rest, v)
		}
	}
	switch n.op {
	case opIn:
		return ok && slices.ContainsFunc(rest, x.equal)
	case opNe:
		return !found || !x.equal(rest[0])
	case opEq:
		return found && x.equal(rest[0])
	case opBetween:
		return found && ordered(rest[0], opLe, x) && ordered(x, opLe, rest[1])
	}
	return found && ordered(x, n.op, rest[0])
}

func ordered(a value, o op, b value) bool {
	if a.kind != b.kind || !a.isScalar() {
		return false
	}
	c := compareScalars(a, b)
	switch o {
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

func (n *node) call(attrs map[string]value) bool {
	x, ok := n.args[0].eval(attrs)
	switch n.name {
	case "attribute_exists":
		return ok
	case "attribute_not_exists":
		return !ok
	}
	y, okY := n.args[1].eval(attrs)
	if !ok || !okY {
		return false
	}
	switch n.name {
	case "attribute_type":
		return y.kind == kindS && x.kind == kind(y.str)
	case "begins_with":
		return x.kind == y.kind && (x.kind == kindS || x.kind == kindB) && strings.HasPrefix(x.str, y.str)
	}
	if x.kind == kindS || x.kind == kindB { // contains
		return x.kind == y.kind && strings.Contains(x.str, y.str)
	}
	return x.contains(y)
}

// eval returns the value of a condition's operand, if it has one.
func (n *node) eval(attrs map[string]value) (value, bool) {
	switch n.op {
	case opValue:
		return n.value, true
	case opPath:
		return lookup(attrs, n.path)
	}
	v, ok := n.args[0].eval(attrs) // size
	size := 0
	switch {
	case !ok, v.kind == kindN, v.kind == kindBool, v.kind == kindNull:
		return value{}, false
	case v.kind == kindS:
		size = len(utf16.Encode([]rune(v.str))) // as Local counts
	case v.kind == kindB:
		size = len(v.str)
	case v.kind == kindM:
		size = len(v.attrs)
	default:
		size = len(v.list)
	}
	return value{kind: kindN, num: decimalOf(int64(size))}, true
}

// project returns the parts of an item at the given paths. Elements of one list are returned
// without gaps, in the list's order.
func project(attrs map[string]value, paths []path) map[string]value {
	v, _ := projectValue(value{kind: kindM, attrs: attrs}, paths)
	return v.attrs
}

func projectValue(v value, paths []path) (value, bool) {
	if len(paths) > 0 && len(paths[0]) == 0 { // paths do not overlap: it is the only one
		return v, true
	}
	byElement := map[element][]path{}
	for _, p := range paths {
		byElement[p[0]] = append(byElement[p[0]], p[1:])
	}
	out := value{kind: v.kind}
	switch {
	case v.kind == kindM:
		out.attrs = map[string]value{}
		for e, rests := range byElement {
			member, ok := v.attrs[e.name]
			if e.isIndex || !ok {
				continue
			}
			if member, ok = projectValue(member, rests); ok {
				out.attrs[e.name] = member
			}
		}
		return out, len(out.attrs) > 0
	case v.kind == kindL:
		elements := slices.SortedFunc(maps.Keys(byElement), func(a, b element) int { return a.index - b.index })
		for _, e := range elements {
			if !e.isIndex || e.index >= len(v.list) {
				continue
			}
			if member, ok := projectValue(v.list[e.index], byElement[e]); ok {
				out.list = append(out.list, member)
			}
		}
		return out, len(out.list) > 0
	}
	return value{}, false
}
