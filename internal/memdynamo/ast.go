package memdynamo

import (
	"strconv"
	"strings"
)

// An op says what a node of an expression is.
type op string

const (
	opPath    op = "path"
	opValue   op = "value"
	opCall    op = "call" // name(args...)
	opAnd     op = "AND"
	opOr      op = "OR"
	opNot     op = "NOT"
	opBetween op = "BETWEEN"
	opIn      op = "IN" // args[0] IN (args[1:]...)
	opEq      op = "="
	opNe      op = "<>"
	opLt      op = "<"
	opLe      op = "<="
	opGt      op = ">"
	opGe      op = ">="
	opAdd     op = "+"
	opSub     op = "-"
)

// A node is a node of an expression's tree.
type node struct {
	op     op
	name   string // of a function or a :value
	args   []*node
	path   path
	value  value // of a :value, once it is resolved
	parens int   // number of pairs of parentheses around it
}

// isCondition reports whether the node is true or false, as opposed to having a value. A call is
// allowed where either is expected.
func (n *node) isCondition() bool {
	switch n.op {
	case opPath, opValue, opAdd, opSub, opCall:
		return false
	}
	return true
}

// walk calls f for n, which may be nil, and everything below it.
func (n *node) walk(f func(*node)) {
	if n == nil {
		return
	}
	f(n)
	for _, a := range n.args {
		a.walk(f)
	}
}

// An element is one step of a document path: the member of a map, or the element of a list.
type element struct {
	name    string
	index   int
	isIndex bool
}

func (e element) String() string {
	if e.isIndex {
		return "[" + strconv.Itoa(e.index) + "]"
	}
	return e.name
}

// A path identifies an attribute of an item, or a part of one.
type path []element

func (p path) String() string {
	var parts []string
	for _, e := range p {
		parts = append(parts, e.String())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// An action is one change that an update expression makes.
type action struct {
	section string // SET, REMOVE, ADD or DELETE
	path    path
	operand *node // nil for REMOVE
}

// adds reports whether the action may give a value to an attribute.
func (a action) adds() bool { return a.section == "SET" || a.section == "ADD" }

func paths(actions []action) []path {
	out := make([]path, len(actions))
	for i, a := range actions {
		out[i] = a.path
	}
	return out
}

// literals returns the attributes that actions set to values in the request.
func literals(actions []action) map[string]value {
	attrs := map[string]value{}
	for _, a := range actions {
		if a.adds() && len(a.path) == 1 && a.operand.op == opValue {
			attrs[a.path[0].name] = a.operand.value
		}
	}
	return attrs
}
