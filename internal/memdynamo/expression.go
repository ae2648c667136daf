package memdynamo

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a node is unless it is an operator, which its op then names.
const (
	opPath  = "path"
	opValue = "value"
	opCall  = "call" // name(args...)
)

// A node is a node of an expression's tree.
type node struct {
	op     string
	name   string  // of a function or a :value
	args   []*node // the operands; args[0] IN (args[1:]...)
	path   path
	value  value // of a :value, once it is resolved
	parens int   // number of pairs of parentheses around it
}

// isCondition reports whether the node is true or false, as opposed to having a value. A call is
// allowed where either is expected.
func (n *node) isCondition() bool {
	return !slices.Contains([]string{opPath, opValue, "+", "-", opCall}, n.op)
}

// symbol returns the name of a function, or an operator.
func (n *node) symbol() string { return cmp.Or(n.name, n.op) }

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

// The kinds of tokens, besides symbols and keywords, whose kind is their text.
const (
	tokenName     = "name"   // an attribute's or function's name
	tokenNameRef  = "#name"  // replaced by ExpressionAttributeNames
	tokenValueRef = ":value" // replaced by ExpressionAttributeValues
	tokenIndex    = "index"
	tokenEOF      = ""
)

// keywords are the words of the grammar; case does not matter.
var keywords = []string{"AND", "OR", "NOT", "IN", "BETWEEN", "SET", "REMOVE", "ADD", "DELETE"}

type token struct {
	kind  string
	text  string
	start int // in the expression
}

func (t token) end() int { return t.start + len(t.text) }

// lex splits an expression into tokens, the last of which is tokenEOF.
func lex(source string) []token {
	var tokens []token
	for start := 0; start < len(source); {
		kind, text := nextToken(source[start:])
		if text != "" {
			tokens = append(tokens, token{kind, text, start})
		}
		start += max(len(text), 1)
	}
	return append(tokens, token{start: len(source)})
}

// nextToken returns the token at the beginning of source. It is empty if there is white space. A
// character that starts no token is one of a kind that the parser expects nowhere.
func nextToken(source string) (kind, text string) {
	c := source[0]
	word := source[:len(source)-len(strings.TrimLeft(source[1:], wordBytes))]
	switch {
	case strings.IndexByte(" \t\r\n", c) >= 0:
		return "", ""
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		if upper := strings.ToUpper(word); slices.Contains(keywords, upper) {
			return upper, word
		}
		return tokenName, word
	case c == '#' && len(word) > 1:
		return tokenNameRef, word
	case c == ':' && len(word) > 1:
		return tokenValueRef, word
	case c == '0':
		return tokenIndex, "0"
	case '1' <= c && c <= '9':
		return tokenIndex, source[:len(source)-len(strings.TrimLeft(source, wordBytes[:10]))]
	case len(source) > 1 && slices.Contains([]string{"<=", ">=", "<>"}, source[:2]):
		return source[:2], source[:2]
	}
	_, size := utf8.DecodeRuneInString(source)
	return source[:size], source[:size]
}

const wordBytes = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

// A parser reads one expression.
type parser struct {
	source string
	tokens []token
	pos    int
}

const maxExpressionSize = 4096

// parse runs one of the parser's methods over a whole expression.
func parse[T any](source string, grammar func(*parser) T) T {
	refuseIf(source == "", "The expression can not be empty;")
	refuseIf(len(source) > maxExpressionSize, "Expression size has exceeded the maximum allowed size; expression size: %d", len(source))
	p := &parser{source: source, tokens: lex(source)}
	tree := grammar(p)
	p.expect(tokenEOF)
	return tree
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// accept consumes the next token if it is of one of the kinds.
func (p *parser) accept(kinds ...string) bool {
	ok := slices.Contains(kinds, p.peek().kind)
	if ok {
		p.pos++
	}
	return ok
}

// expect consumes the next token, which must be of one of the kinds.
func (p *parser) expect(kinds ...string) token {
	if !p.accept(kinds...) {
		p.syntaxError()
	}
	return p.last()
}

// last returns the token that was consumed last.
func (p *parser) last() token { return p.tokens[p.pos-1] }

// syntaxError refuses the next token, and quotes it with its neighbors.
func (p *parser) syntaxError() {
	bad := p.peek()
	text, from, to := bad.text, bad.start, bad.end()
	switch {
	case p.pos > 0:
		from = p.last().start
	case bad.kind == tokenEOF:
		from = 0
	}
	if bad.kind == tokenEOF {
		text = "<EOF>"
	} else if next := p.tokens[p.pos+1]; next.kind != tokenEOF {
		to = next.end()
	}
	panic(newError(validation, "Syntax error; token: \"%s\", near: \"%s\"", text, p.source[from:to]))
}

// condition = disjunction
func (p *parser) condition() *node { return p.mustBeCondition(p.disjunction()) }

// disjunction = conjunction { OR conjunction }
func (p *parser) disjunction() *node { return p.joined("OR", p.conjunction) }

// conjunction = negation { AND negation }
func (p *parser) conjunction() *node { return p.joined("AND", p.negation) }

// joined = part { op part }
func (p *parser) joined(op string, part func() *node) *node {
	n := part()
	for p.peek().kind == op {
		p.mustBeCondition(n)
		p.pos++
		n = &node{op: op, args: []*node{n, p.mustBeCondition(part())}}
	}
	return n
}

// negation = { NOT } comparison
func (p *parser) negation() *node {
	if p.accept("NOT") {
		return &node{op: "NOT", args: []*node{p.mustBeCondition(p.negation())}}
	}
	return p.comparison()
}

// mustBeCondition refuses an operand where a condition is required, by the token after it.
func (p *parser) mustBeCondition(n *node) *node {
	if !n.isCondition() && n.op != opCall {
		p.syntaxError()
	}
	return n
}

// comparison = operand operator operand | operand BETWEEN … | operand IN … |
// call | "(" condition ")". Whether a parenthesis holds an operand or a
// condition shows only behind it, so comparison returns either.
func (p *parser) comparison() *node {
	left := p.primary(p.disjunction)
	if left.isCondition() {
		return left
	}
	switch {
	case p.accept("=", "<>", "<", "<=", ">", ">="):
		return &node{op: p.last().kind, args: []*node{left, p.operand()}}
	case p.accept("BETWEEN"):
		low := p.operand()
		p.expect("AND")
		return &node{op: "BETWEEN", args: []*node{left, low, p.operand()}}
	case p.accept("IN"):
		p.expect("(")
		return &node{op: "IN", args: append([]*node{left}, p.operands()...)}
	}
	return left
}

// operand = path | :value | call | "(" operand ")"
func (p *parser) operand() *node { return p.primary(p.operand) }

// primary parses an operand, and uses inner for what is in parentheses.
func (p *parser) primary(inner func() *node) *node {
	switch {
	case p.accept("("):
		n := inner()
		p.expect(")")
		n.parens++
		return n
	case p.accept(tokenValueRef):
		return &node{op: opValue, name: p.last().text}
	case p.peek().kind == tokenName && p.tokens[p.pos+1].kind == "(":
		name := p.expect(tokenName).text
		p.expect("(")
		return &node{op: opCall, name: name, args: p.operands()}
	}
	return &node{op: opPath, path: p.path()}
}

// operands = operand { "," operand } ")"
func (p *parser) operands() []*node {
	list := []*node{p.operand()}
	for p.accept(",") {
		list = append(list, p.operand())
	}
	p.expect(")")
	return list
}

// path = name { "." name | "[" index "]" }
func (p *parser) path() path {
	var out path
	for {
		out = append(out, element{name: p.expect(tokenName, tokenNameRef).text})
		for p.accept("[") {
			text := p.expect(tokenIndex).text
			index, err := strconv.ParseInt(text, 10, 32)
			refuseIf(err != nil, "List index is not within the allowable range; index: [%s]", text)
			p.expect("]")
			out = append(out, element{index: int(index), isIndex: true})
		}
		if !p.accept(".") {
			return out
		}
	}
}

// projection = path { "," path }
func (p *parser) projection() []path {
	paths := []path{p.path()}
	for p.accept(",") {
		paths = append(paths, p.path())
	}
	return paths
}

// update = section { section }, each at most once
func (p *parser) update() []action {
	var actions []action
	seen := map[string]bool{}
	for first := true; first || p.peek().kind != tokenEOF; first = false {
		section := p.expect("SET", "REMOVE", "ADD", "DELETE").kind
		for more := true; more; more = p.accept(",") {
			a := action{section: section, path: p.path()}
			switch section {
			case "SET":
				p.expect("=")
				a.operand = p.sum()
			case "ADD", "DELETE":
				a.operand = &node{op: opValue, name: p.expect(tokenValueRef).text}
			}
			actions = append(actions, a)
		}
		refuseIf(seen[section], "The \"%s\" section can only be used once in an update expression;", section)
		seen[section] = true
	}
	return actions
}

// sum = operand [ ("+" | "-") operand ] | "(" sum ")"
func (p *parser) sum() *node {
	left := p.primary(p.sum)
	if left.op == "+" || left.op == "-" { // in parentheses: no operand of another
		return left
	}
	if p.accept("+", "-") {
		return &node{op: p.last().kind, args: []*node{left, p.operand()}}
	}
	return left
}
