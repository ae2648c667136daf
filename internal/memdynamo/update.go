package memdynamo

import (
	"maps"
	"slices"
)

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
	c := change{path: a.path}
	if a.section == "SET" {
		v, ok := a.operand.eval(old)
		refuseIf(!ok, missingOperand)
		c.value = v
		return c
	}
	current, ok := lookup(old, a.path)
	switch {
	case a.section == "ADD" && !ok:
		c.value = a.operand.value
		return c
	case a.section == "REMOVE" || !ok: // what is not there is removed as well, since the path must be possible
		c.remove = true
		return c
	}
	by := a.operand.value
	c.value.kind = current.kind
	refuseIf(current.kind != by.kind, wrongOperandType)
	if by.kind == kindN {
		c.value.num = current.num.plus(by.num)
		return c
	}
	list := slices.DeleteFunc(slices.Clone(current.list), by.contains)
	if a.section == "ADD" {
		list = append(list, by.list...)
		slices.SortFunc(list, compareScalars)
	}
	c.value.list, c.remove = list, len(list) == 0 // there are no empty sets
	return c
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
