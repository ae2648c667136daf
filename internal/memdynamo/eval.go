package memdynamo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// member returns the member of a map or the element of a list.
func (v value) member(e element) (value, bool) {
	if !e.isIndex {
		member, ok := v.attrs[e.name]
		return member, ok
	}
	if v.kind != kindL || e.index >= len(v.list) {
		return value{}, false
	}
	return v.list[e.index], true
}

// lookup returns the value at a path in an item.
func lookup(attrs map[string]value, p path) (value, bool) {
	v, ok := value{kind: kindM, attrs: attrs}, true
	for i := 0; ok && i < len(p); i++ {
		v, ok = v.member(p[i])
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
	case "AND":
		return n.args[0].holds(attrs) && n.args[1].holds(attrs)
	case "OR":
		return n.args[0].holds(attrs) || n.args[1].holds(attrs)
	case "NOT":
		return !n.args[0].holds(attrs)
	}
	x, ok := n.args[0].eval(attrs)
	switch n.symbol() {
	case "attribute_exists":
		return ok
	case "attribute_not_exists":
		return !ok
	case "IN":
		return ok && slices.ContainsFunc(n.args[1:], func(a *node) bool {
			y, ok := a.eval(attrs)
			return ok && x.equal(y)
		})
	}
	y, okY := n.args[1].eval(attrs)
	if !ok || !okY {
		return n.op == "<>"
	}
	switch n.symbol() {
	case "=":
		return x.equal(y)
	case "<>":
		return !x.equal(y)
	case "BETWEEN":
		z, ok := n.args[2].eval(attrs)
		return ok && ordered(y, "<=", x) && ordered(x, "<=", z)
	case "attribute_type":
		return y.kind == kindS && x.kind == kind(y.str)
	case "begins_with":
		return x.isText() && x.kind == y.kind && strings.HasPrefix(x.str, y.str)
	case "contains":
		return x.contains(y) || x.isText() && x.kind == y.kind && strings.Contains(x.str, y.str)
	}
	return ordered(x, n.op, y)
}

func ordered(a value, o string, b value) bool {
	if a.kind != b.kind || !a.isScalar() {
		return false
	}
	sign := "<=>"[compareScalars(a, b)+1]
	return strings.IndexByte(o, sign) >= 0
}

// eval returns the value of an operand, if it has one.
func (n *node) eval(attrs map[string]value) (value, bool) {
	switch n.op {
	case opValue:
		return n.value, true
	case opPath:
		return lookup(attrs, n.path)
	}
	x, ok := n.args[0].eval(attrs)
	switch {
	case n.name == "size":
		size, hasSize := x.length()
		return value{kind: kindN, num: decimalOf(int64(size))}, ok && hasSize
	case n.name == "if_not_exists" && ok:
		return x, true
	case n.name == "if_not_exists":
		return n.args[1].eval(attrs)
	}
	y, okY := n.args[1].eval(attrs)
	if !ok || !okY {
		return value{}, false
	}
	want := kindN
	if n.name == "list_append" {
		want = kindL
	}
	refuseIf(x.kind != want || y.kind != want, wrongOperandType)
	if want == kindL {
		return value{kind: kindL, list: append(slices.Clip(x.list), y.list...)}, true
	}
	if n.op == "-" {
		return value{kind: kindN, num: x.num.minus(y.num)}, true
	}
	return value{kind: kindN, num: x.num.plus(y.num)}, true
}

// length returns what the function size does.
func (v value) length() (n int, ok bool) {
	switch v.kind {
	case kindS:
		return len(utf16.Encode([]rune(v.str))), true // as Local counts
	case kindB:
		return len(v.str), true
	case kindN, kindBool, kindNull:
		return 0, false
	}
	return len(v.attrs) + len(v.list), true
}

// project returns the parts of an item at the given paths, or everything if they are nil. Elements
// of one list are returned without gaps, in the list's order.
func project(attrs map[string]value, paths []path) map[string]value {
	if paths == nil {
		return attrs
	}
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
	out := value{kind: v.kind, attrs: map[string]value{}}
	for _, e := range slices.SortedFunc(maps.Keys(byElement), compareElements) {
		member, ok := v.member(e)
		if ok {
			member, ok = projectValue(member, byElement[e])
		}
		switch {
		case ok && e.isIndex:
			out.list = append(out.list, member)
		case ok:
			out.attrs[e.name] = member
		}
	}
	return out, len(out.attrs)+len(out.list) > 0
}

func compareElements(a, b element) int {
	return cmp.Or(cmp.Compare(a.index, b.index), strings.Compare(a.name, b.name))
}

const (
	missingOperand   = "The provided expression refers to an attribute that does not exist in the item"
	wrongOperandType = "An operand in the update expression has an incorrect data type"
	invalidPath      = "The document path provided in the update expression is invalid for update"
)

// A change is the effect of an action on one item: a value to store at the path, or its removal.
type change struct {
	path   path
	value  value
	remove bool
}

// applyUpdate returns the item that results from applying the actions to old. Every operand is
// evaluated on old, and every list index refers to old's list.
func applyUpdate(old map[string]value, actions []action) map[string]value {
	var stored, removed []change
	for _, a := range actions {
		c := a.change(old)
		if c.remove {
			removed = append(removed, c)
		} else {
			stored = append(stored, c)
		}
	}
	// Removing shifts the elements behind, so it comes last, from the end. Storing beyond a list's
	// end appends, in the order of the indexes.
	inOrder := func(a, b change) int { return slices.CompareFunc(a.path, b.path, compareElements) }
	slices.SortStableFunc(stored, inOrder)
	slices.SortStableFunc(removed, func(a, b change) int { return inOrder(b, a) })
	root := value{kind: kindM, attrs: old}
	for _, c := range append(stored, removed...) {
		root = store(root, c.path, c)
	}
	return root.attrs
}

// change evaluates an action.
func (a action) change(old map[string]value) change {
	current, ok := lookup(old, a.path)
	switch {
	case a.section == "SET":
		v, ok := a.operand.eval(old)
		refuseIf(!ok, missingOperand)
		return change{path: a.path, value: v}
	case a.section == "REMOVE" || a.section == "DELETE" && !ok: // also what is not there: its path must be possible
		return change{path: a.path, remove: true}
	case !ok:
		return change{path: a.path, value: a.operand.value}
	}
	by := a.operand.value
	refuseIf(current.kind != by.kind, wrongOperandType)
	sum := value{kind: by.kind}
	if by.kind == kindN {
		sum.num = current.num.plus(by.num)
		return change{path: a.path, value: sum}
	}
	sum.list = slices.DeleteFunc(slices.Clone(current.list), by.contains)
	if a.section == "ADD" {
		sum.list = append(sum.list, by.list...)
		slices.SortFunc(sum.list, compareScalars)
	}
	return change{a.path, sum, len(sum.list) == 0} // there are no empty sets
}

// store returns v with a change made at the rest of its path. Values on the path are copied, all
// others are shared.
func store(v value, rest path, c change) value {
	e := rest[0]
	member, ok := v.member(e)
	fits := v.kind == kindL && e.isIndex || v.kind == kindM && !e.isIndex
	refuseIf(!fits || len(rest) > 1 && !ok, invalidPath)
	if len(rest) > 1 {
		c = change{value: store(member, rest[1:], c)}
	}
	v.attrs, v.list = maps.Clone(v.attrs), slices.Clone(v.list)
	switch {
	case !e.isIndex && c.remove:
		delete(v.attrs, e.name)
	case !e.isIndex:
		v.attrs[e.name] = c.value
	case ok && c.remove:
		v.list = slices.Delete(v.list, e.index, e.index+1)
	case ok:
		v.list[e.index] = c.value
	case !c.remove:
		v.list = append(v.list, c.value)
	}
	return v
}
