package memdynamo

import "slices"

// Checks that need no item.

// conditionFunctions and updateFunctions map each function to its number of operands.
var (
	conditionFunctions = map[string]int{
		"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2,
		"begins_with": 2, "contains": 2, "size": 1,
	}
	updateFunctions = map[string]int{"if_not_exists": 2, "list_append": 2}
)

const maxOperators, maxInOperands = 300, 100

// checkCalls checks the functions' names and the parentheses.
func checkCalls(what string, tree *node, allowed map[string]int, kindOfExpression string) {
	operators := 0
	tree.walk(func(n *node) {
		if n.parens > 1 {
			panic(invalid(what, "The expression has redundant parentheses;"))
		}
		switch n.op {
		case opPath, opValue:
			return
		case opIn:
			if len(n.args)-1 > maxInOperands {
				panic(invalid(what, "The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1))
			}
		case opCall:
			if allowed[n.name] > 0 {
				break
			}
			if conditionFunctions[n.name]+updateFunctions[n.name] == 0 {
				panic(invalid(what, "Invalid function name; function: %s", n.name))
			}
			panic(invalid(what, "The function is not allowed in %s; function: %s", kindOfExpression, n.name))
		}
		if operators++; operators > maxOperators {
			panic(invalid(what, "The expression contains too many operators; operator count: %d", operators))
		}
	})
}

func misused(what string, n *node) *apiError {
	return invalid(what, "The function is not allowed to be used this way in an expression; function: %s", n.name)
}

func wrongType(what, name string, k kind) *apiError {
	return invalid(what, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", name, k)
}

func checkCount(what string, n *node, want int) {
	if len(n.args) != want {
		panic(invalid(what, "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.name, len(n.args)))
	}
}

// checkPath refuses a first operand that is not a path.
func checkPath(what string, n *node) {
	if n.args[0].op != opPath {
		panic(invalid(what, "Operator or function requires a document path; operator or function: %s", n.name))
	}
}

// checkKinds refuses operands that cannot have one of the allowed types. Only values and sizes have
// the same type for every item.
func checkKinds(what, name string, operands []*node, allowed ...kind) {
	for _, o := range operands {
		k := o.value.kind
		if o.op == opCall && o.name == "size" {
			k = kindN
		}
		if k != "" && !slices.Contains(allowed, k) {
			panic(wrongType(what, name, k))
		}
	}
}

// checkDistinct refuses to compare an attribute with itself.
func checkDistinct(what, name string, args []*node) {
	for _, a := range args[1:] {
		if args[0].op == opPath && a.op == opPath && slices.Equal(a.path, args[0].path) {
			panic(invalid(what, "The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", name, a.path))
		}
	}
}

// checkCondition checks a node that must be true or false, and the nodes below it.
func checkCondition(what string, n *node) {
	switch n.op {
	case opAnd, opOr, opNot:
		for _, a := range n.args {
			checkCondition(what, a)
		}
		return
	case opCall:
		if n.name == "size" {
			panic(misused(what, n))
		}
		checkFunction(what, n)
		return
	}
	for _, a := range n.args {
		checkOperand(what, a)
	}
	switch n.op {
	case opLt, opLe, opGt, opGe, opBetween:
		checkKinds(what, string(n.op), n.args, kindS, kindN, kindB)
	}
	if n.op == opBetween && n.args[1].op == opValue && n.args[2].op == opValue {
		checkBounds(what, n.args[1].value, n.args[2].value)
	}
	checkDistinct(what, string(n.op), n.args)
}

func checkBounds(what string, low, high value) {
	problem := ""
	switch {
	case low.kind != high.kind:
		problem = "same data type for lower and upper bounds"
	case compareScalars(low, high) > 0:
		problem = "upper bound to be greater than or equal to lower bound"
	default:
		return
	}
	panic(invalid(what, "The BETWEEN operator requires %s; lower bound operand: AttributeValue: %v, upper bound operand: AttributeValue: %v", problem, low, high))
}

// checkOperand checks a node that must have a value.
func checkOperand(what string, n *node) {
	if n.op != opCall {
		return
	}
	if n.name != "size" {
		panic(misused(what, n))
	}
	checkFunction(what, n)
}

func checkFunction(what string, n *node) {
	for _, a := range n.args {
		checkOperand(what, a)
	}
	checkCount(what, n, conditionFunctions[n.name])
	switch n.name {
	case "attribute_exists", "attribute_not_exists":
		checkPath(what, n)
	case "size":
		checkKinds(what, n.name, n.args, kindS, kindB, kindSS, kindNS, kindBS, kindL, kindM)
	case "begins_with":
		checkKinds(what, n.name, n.args, kindS, kindB)
	}
	if n.name == "attribute_type" {
		checkKinds(what, n.name, n.args[1:], kindS)
	}
	checkDistinct(what, n.name, n.args)
	if n.name == "attribute_type" {
		typ := n.args[1]
		if typ.op != opValue {
			panic(wrongType(what, n.name, "path"))
		}
		if longKinds[kind(typ.value.str)] == "" {
			panic(invalid(what, "Invalid attribute type name found; type: %s, valid types: {N,BS,L,B,NULL,M,S,SS,NS,BOOL}", typ.value.str))
		}
	}
}

// checkAction checks the operand of an update's action.
func checkAction(what string, a action) {
	var allowed []kind
	switch a.section {
	case "SET":
		checkSum(what, a.operand, true)
		return
	case "REMOVE":
		return
	case "ADD":
		allowed = []kind{kindN, kindSS, kindNS, kindBS}
	case "DELETE":
		allowed = []kind{kindSS, kindNS, kindBS}
	}
	if k := a.operand.value.kind; !slices.Contains(allowed, k) {
		panic(invalid(what, "Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND", a.section, longKinds[k], a.section))
	}
}

// checkSum checks the right side of a SET. list_append is only allowed at its top.
func checkSum(what string, n *node, top bool) {
	if n.name == "list_append" && !top {
		panic(misused(what, n))
	}
	for _, a := range n.args {
		checkSum(what, a, false)
	}
	switch n.op {
	case opAdd, opSub:
		checkKinds(what, string(n.op), n.args, kindN)
	case opCall:
		checkCount(what, n, updateFunctions[n.name])
		if n.name == "list_append" {
			checkKinds(what, n.name, n.args, kindL)
		} else {
			checkPath(what, n)
		}
	}
}

// checkOverlap refuses two paths if one is inside the other, or if they use the same attribute as a
// list and as a map.
func checkOverlap(what string, paths []path) {
	for i, b := range paths {
		for _, a := range paths[:i] {
			n := 0
			for n < len(a) && n < len(b) && a[n] == b[n] {
				n++
			}
			problem := ""
			switch {
			case n == len(a) || n == len(b):
				problem = "overlap"
			case a[n].isIndex != b[n].isIndex:
				problem = "conflict"
			default:
				continue
			}
			panic(invalid(what, "Two document paths %s with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", problem, a, b))
		}
	}
}
