package memdynamo

import (
	"slices"
)

// What can be refused without looking at an item.

// conditionFunctions and updateFunctions give each function's number of
// operands.
var (
	conditionFunctions = map[string]int{
		"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2,
		"begins_with": 2, "contains": 2, "size": 1,
	}
	updateFunctions = map[string]int{"if_not_exists": 2, "list_append": 2}
)

const maxOperators, maxInOperands = 300, 100

// checkCalls checks the functions' names and the parentheses.
func checkCalls(what string, tree *node, allowed map[string]int, kindOfExpression string) error {
	operators := 0
	return tree.walk(func(n *node) error {
		if n.parens > 1 {
			return invalid(what, "The expression has redundant parentheses;")
		}
		switch n.op {
		case opPath, opValue:
			return nil
		case opIn:
			if len(n.args)-1 > maxInOperands {
				return invalid(what, "The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1)
			}
		case opCall:
			if _, ok := allowed[n.name]; ok {
				break
			}
			_, c := conditionFunctions[n.name]
			_, u := updateFunctions[n.name]
			if !c && !u {
				return invalid(what, "Invalid function name; function: %s", n.name)
			}
			return invalid(what, "The function is not allowed in %s; function: %s", kindOfExpression, n.name)
		}
		if operators++; operators > maxOperators {
			return invalid(what, "The expression contains too many operators; operator count: %d", operators)
		}
		return nil
	})
}

func misused(what string, n *node) error {
	return invalid(what, "The function is not allowed to be used this way in an expression; function: %s", n.name)
}

func wrongType(what, name string, k kind) error {
	return invalid(what, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", name, k)
}

func checkCount(what string, n *node, want int) error {
	if len(n.args) != want {
		return invalid(what, "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.name, len(n.args))
	}
	return nil
}

// staticKind is the type of an operand that has the same in every item, or "".
func (n *node) staticKind() kind {
	switch {
	case n.op == opValue:
		return n.value.kind
	case n.op == opCall && n.name == "size":
		return kindN
	}
	return ""
}

// checkKinds refuses operands whose type cannot be one of those allowed.
func checkKinds(what, name string, operands []*node, allowed ...kind) error {
	for _, o := range operands {
		if k := o.staticKind(); k != "" && !slices.Contains(allowed, k) {
			return wrongType(what, name, k)
		}
	}
	return nil
}

// checkDistinct refuses to relate an attribute to itself.
func checkDistinct(what, name string, args []*node) error {
	if args[0].op != opPath {
		return nil
	}
	for _, a := range args[1:] {
		if a.op == opPath && slices.Equal(a.path, args[0].path) {
			return invalid(what, "The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", name, a.path)
		}
	}
	return nil
}

// checkCondition checks a node that must be true or false, and what is below.
func checkCondition(what string, n *node) error {
	switch n.op {
	case opAnd, opOr, opNot:
		for _, a := range n.args {
			if err := checkCondition(what, a); err != nil {
				return err
			}
		}
		return nil
	case opCall:
		if n.name == "size" {
			return misused(what, n)
		}
		return checkFunction(what, n)
	}
	for _, a := range n.args {
		if err := checkOperand(what, a); err != nil {
			return err
		}
	}
	var err error
	switch n.op {
	case opLt, opLe, opGt, opGe:
		err = checkKinds(what, string(n.op), n.args, kindS, kindN, kindB)
	case opBetween:
		if err = checkKinds(what, string(n.op), n.args, kindS, kindN, kindB); err == nil {
			err = checkBounds(what, n.args[1], n.args[2])
		}
	}
	if err != nil {
		return err
	}
	return checkDistinct(what, string(n.op), n.args)
}

func checkBounds(what string, low, high *node) error {
	if low.op != opValue || high.op != opValue {
		return nil
	}
	l, h := low.value, high.value
	if l.kind != h.kind {
		return invalid(what, "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %v, upper bound operand: AttributeValue: %v", l, h)
	}
	if compareScalars(l, h) > 0 {
		return invalid(what, "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %v, upper bound operand: AttributeValue: %v", l, h)
	}
	return nil
}

// checkOperand checks a node that must have a value.
func checkOperand(what string, n *node) error {
	if n.op != opCall {
		return nil
	}
	if n.name != "size" {
		return misused(what, n)
	}
	return checkFunction(what, n)
}

func checkFunction(what string, n *node) error {
	for _, a := range n.args {
		if err := checkOperand(what, a); err != nil {
			return err
		}
	}
	if err := checkCount(what, n, conditionFunctions[n.name]); err != nil {
		return err
	}
	switch n.name {
	case "attribute_exists", "attribute_not_exists":
		if n.args[0].op != opPath {
			return invalid(what, "Operator or function requires a document path; operator or function: %s", n.name)
		}
	case "size":
		return checkKinds(what, n.name, n.args, kindS, kindB, kindSS, kindNS, kindBS, kindL, kindM)
	case "begins_with":
		if err := checkKinds(what, n.name, n.args, kindS, kindB); err != nil {
			return err
		}
	case "attribute_type":
		if err := checkKinds(what, n.name, n.args[1:], kindS); err != nil {
			return err
		}
		if err := checkDistinct(what, n.name, n.args); err != nil {
			return err
		}
		if n.args[1].op != opValue {
			return wrongType(what, n.name, "path")
		}
		if longKinds[kind(n.args[1].value.str)] == "" {
			return invalid(what, "Invalid attribute type name found; type: %s, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}", n.args[1].value.str)
		}
	}
	return checkDistinct(what, n.name, n.args)
}

// checkAction checks the operand of an update's action.
func checkAction(what string, a action) error {
	switch a.section {
	case "ADD":
		return checkActionKind(what, a, kindN, kindSS, kindNS, kindBS)
	case "DELETE":
		return checkActionKind(what, a, kindSS, kindNS, kindBS)
	case "SET":
		return checkSum(what, a.operand, true)
	}
	return nil
}

func checkActionKind(what string, a action, allowed ...kind) error {
	if k := a.operand.value.kind; !slices.Contains(allowed, k) {
		return invalid(what, "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND", a.section, longKinds[k], a.section)
	}
	return nil
}

// checkSum checks the right side of a SET. Only at its top may list_append
// stand.
func checkSum(what string, n *node, top bool) error {
	switch {
	case n.op == opAdd || n.op == opSub:
		for _, a := range n.args {
			if err := checkSum(what, a, false); err != nil {
				return err
			}
		}
		return checkKinds(what, string(n.op), n.args, kindN)
	case n.op != opCall:
		return nil
	case n.name == "list_append" && !top:
		return misused(what, n)
	}
	for _, a := range n.args {
		if err := checkSum(what, a, false); err != nil {
			return err
		}
	}
	if err := checkCount(what, n, updateFunctions[n.name]); err != nil {
		return err
	}
	if n.name == "list_append" {
		return checkKinds(what, n.name, n.args, kindL)
	}
	if n.args[0].op != opPath {
		return invalid(what, "Operator or function requires a document path; operator or function: %s", n.name)
	}
	return nil
}

// checkOverlap refuses two paths of which one lies in the other, and two that
// take the same attribute for a list and for a map.
func checkOverlap(what string, paths []path) error {
	for i, b := range paths {
		for _, a := range paths[:i] {
			n := 0
			for n < len(a) && n < len(b) && a[n] == b[n] {
				n++
			}
			switch {
			case n == len(a) || n == len(b):
				return invalid(what, "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", a, b)
			case a[n].isIndex != b[n].isIndex:
				return invalid(what, "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", a, b)
			}
		}
	}
	return nil
}
