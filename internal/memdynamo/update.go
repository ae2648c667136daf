package memdynamo

import (
	"maps"
	"slices"
	"strings"
)

var (
	errOperandMissing = validation("The provided expression refers to an attribute that does not exist in the item")
	errOperandType    = validation("An operand in the update expression has an incorrect data type")
	errUpdatePath     = validation("The document path provided in the update expression is invalid for update")
)

// A change is what an action comes to for one item: a value to store at the
// path, or its removal.
type change struct {
	path   path
	value  value
	remove bool
}

// applyUpdate is the item that the actions make of old. Every operand is
// evaluated on old, and every list index means old's list.
func applyUpdate(old map[string]value, actions []action) (map[string]value, error) {
	var changes []change
	for _, a := range actions {
		c, needed, err := a.change(old)
		if err != nil {
			return nil, err
		}
		if needed {
			changes = append(changes, c)
		}
	}
	// Removing shifts the elements behind, so it comes last, from the end.
	// Storing beyond a list's end appends, in the order of the indexes.
	slices.SortStableFunc(changes, func(a, b change) int {
		switch {
		case a.remove != b.remove:
			if a.remove {
				return 1
			}
			return -1
		case a.remove:
			return comparePaths(b.path, a.path)
		}
		return comparePaths(a.path, b.path)
	})
	root := value{kind: kindM, attrs: maps.Clone(old)}
	if root.attrs == nil {
		root.attrs = map[string]value{}
	}
	for _, c := range changes {
		var err error
		if root, err = store(root, c.path, c); err != nil {
			return nil, err
		}
	}
	return root.attrs, nil
}

func comparePaths(a, b path) int {
	return slices.CompareFunc(a, b, func(a, b element) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return strings.Compare(a.name, b.name)
	})
}

// change evaluates an action; it is not needed where it leaves the item as it
// is.
func (a action) change(old map[string]value) (c change, needed bool, err error) {
	c.path = a.path
	if a.section == "SET" {
		c.value, err = a.operand.evalUpdate(old)
		return c, true, err
	}
	current, ok := lookup(old, a.path)
	switch {
	case a.section == "REMOVE":
		c.remove = true
		return c, true, nil
	case a.section == "ADD" && !ok:
		c.value = a.operand.value
		return c, true, nil
	case !ok: // DELETE: nothing to delete, but the path must be possible
		c.remove = true
		return c, true, nil
	}
	by := a.operand.value
	switch {
	case current.kind != by.kind:
		return c, false, errOperandType
	case by.kind == kindN:
		sum, err := current.num.plus(by.num)
		c.value = value{kind: kindN, num: sum}
		return c, true, err
	}
	c.value = value{kind: current.kind}
	for _, e := range current.list {
		if a.section == "ADD" || !by.contains(e) {
			c.value.list = append(c.value.list, e)
		}
	}
	if a.section == "ADD" {
		for _, e := range by.list {
			if !current.contains(e) {
				c.value.list = append(c.value.list, e)
			}
		}
		slices.SortFunc(c.value.list, compareScalars)
	}
	c.remove = len(c.value.list) == 0 // there are no empty sets
	return c, true, nil
}

// evalUpdate is the value of a SET's right side.
func (n *node) evalUpdate(old map[string]value) (value, error) {
	switch {
	case n.op == opValue:
		return n.value, nil
	case n.op == opPath:
		v, ok := lookup(old, n.path)
		if !ok {
			return value{}, errOperandMissing
		}
		return v, nil
	case n.name == "if_not_exists":
		if v, ok := lookup(old, n.args[0].path); ok {
			return v, nil
		}
		return n.args[1].evalUpdate(old)
	}
	left, err := n.args[0].evalUpdate(old)
	if err != nil {
		return value{}, err
	}
	right, err := n.args[1].evalUpdate(old)
	if err != nil {
		return value{}, err
	}
	want := kindN
	if n.name == "list_append" {
		want = kindL
	}
	if left.kind != want || right.kind != want {
		return value{}, errOperandType
	}
	if want == kindL {
		return value{kind: kindL, list: slices.Concat(left.list, right.list)}, nil
	}
	if n.op == opSub {
		right.num = right.num.negated()
	}
	sum, err := left.num.plus(right.num)
	return value{kind: kindN, num: sum}, err
}

// store is v with a change made at the rest of its path. What lies on the path
// is copied, all else shared; at the top, v is the copy to change.
func store(v value, rest path, c change) (value, error) {
	e := rest[0]
	last := len(rest) == 1
	switch {
	case v.kind == kindM && !e.isIndex:
		if len(rest) != len(c.path) {
			v.attrs = maps.Clone(v.attrs)
		}
		member, ok := v.attrs[e.name]
		switch {
		case last && c.remove:
			delete(v.attrs, e.name)
			return v, nil
		case last:
			v.attrs[e.name] = c.value
			return v, nil
		case !ok:
			return value{}, errUpdatePath
		}
		member, err := store(member, rest[1:], c)
		v.attrs[e.name] = member
		return v, err
	case v.kind == kindL && e.isIndex:
		v.list = slices.Clone(v.list)
		switch {
		case e.index < len(v.list):
			if last && c.remove {
				v.list = slices.Delete(v.list, e.index, e.index+1)
				return v, nil
			}
			if last {
				v.list[e.index] = c.value
				return v, nil
			}
			member, err := store(v.list[e.index], rest[1:], c)
			v.list[e.index] = member
			return v, err
		case last && c.remove:
			return v, nil
		case last:
			v.list = append(v.list, c.value)
			return v, nil
		}
	}
	return value{}, errUpdatePath
}
