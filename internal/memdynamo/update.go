package memdynamo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

var (
	errOperandMissing = validation("The provided expression refers to an attribute that does not exist in the item")
	errOperandType    = validation("An operand in the update expression has an incorrect data type")
	errUpdatePath     = validation("The document path provided in the update expression is invalid for update")
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
	slices.SortStableFunc(stored, func(a, b change) int { return comparePaths(a.path, b.path) })
	slices.SortStableFunc(removed, func(a, b change) int { return comparePaths(b.path, a.path) })
	root := value{kind: kindM, attrs: old}
	for _, c := range append(stored, removed...) {
		root = store(root, c.path, c)
	}
	return root.attrs
}

func comparePaths(a, b path) int {
	return slices.CompareFunc(a, b, func(a, b element) int {
		return cmp.Or(cmp.Compare(a.index, b.index), strings.Compare(a.name, b.name))
	})
}

// change evaluates an action.
func (a action) change(old map[string]value) change {
	if a.section == "SET" {
		return change{path: a.path, value: a.operand.evalUpdate(old)}
	}
	current, ok := lookup(old, a.path)
	switch {
	case a.section == "ADD" && !ok:
		return change{path: a.path, value: a.operand.value}
	case a.section == "REMOVE" || !ok: // what is not there is removed as well, since the path must be possible
		return change{path: a.path, remove: true}
	}
	by := a.operand.value
	if current.kind != by.kind {
		panic(errOperandType)
	}
	if by.kind == kindN {
		return change{path: a.path, value: value{kind: kindN, num: must(current.num.plus(by.num))}}
	}
	list := slices.DeleteFunc(slices.Clone(current.list), by.contains)
	if a.section == "ADD" {
		list = append(list, by.list...)
		slices.SortFunc(list, compareScalars)
	}
	return change{path: a.path, value: value{kind: current.kind, list: list}, remove: len(list) == 0} // there are no empty sets
}

// evalUpdate returns the value of a SET's right side.
func (n *node) evalUpdate(old map[string]value) value {
	switch {
	case n.op == opValue:
		return n.value
	case n.op == opPath:
		v, ok := lookup(old, n.path)
		if !ok {
			panic(errOperandMissing)
		}
		return v
	case n.name == "if_not_exists":
		if v, ok := lookup(old, n.args[0].path); ok {
			return v
		}
		return n.args[1].evalUpdate(old)
	}
	left, right := n.args[0].evalUpdate(old), n.args[1].evalUpdate(old)
	want := kindN
	if n.name == "list_append" {
		want = kindL
	}
	if left.kind != want || right.kind != want {
		panic(errOperandType)
	}
	if want == kindL {
		return value{kind: kindL, list: append(slices.Clip(left.list), right.list...)}
	}
	if n.op == opSub {
		right.num = right.num.negated()
	}
	return value{kind: kindN, num: must(left.num.plus(right.num))}
}

// store returns v with a change made at the rest of its path. Values on the path are copied, all
// others are shared.
func store(v value, rest path, c change) value {
	e, last := rest[0], len(rest) == 1
	switch {
	case v.kind == kindM && !e.isIndex:
		member, ok := v.attrs[e.name]
		v.attrs = maps.Clone(v.attrs)
		switch {
		case last && c.remove:
			delete(v.attrs, e.name)
		case last:
			v.attrs[e.name] = c.value
		case !ok:
			panic(errUpdatePath)
		default:
			v.attrs[e.name] = store(member, rest[1:], c)
		}
	case v.kind == kindL && e.isIndex:
		within := e.index < len(v.list)
		v.list = slices.Clone(v.list)
		switch {
		case last && c.remove && within:
			v.list = slices.Delete(v.list, e.index, e.index+1)
		case last && c.remove:
		case last && within:
			v.list[e.index] = c.value
		case last:
			v.list = append(v.list, c.value)
		case !within:
			panic(errUpdatePath)
		default:
			v.list[e.index] = store(v.list[e.index], rest[1:], c)
		}
	default:
		panic(errUpdatePath)
	}
	return v
}
