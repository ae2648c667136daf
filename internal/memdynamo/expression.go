package memdynamo

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

type tokenKind int

// The kinds from tokenName to tokenInvalid are the groups of lexical, in its order.
const (
	tokenEOF      tokenKind = iota
	tokenName               // an attribute's or function's name
	tokenNameRef            // #name
	tokenValueRef           // :value
	tokenNumber             // an index
	tokenSymbol             // an operator or a punctuation mark
	tokenInvalid            // a character that starts no token
	tokenKeyword            // a word of conditions, in upper case in token.word
	tokenSection            // a word that starts a section of an update, in upper case in token.word
)

var lexical = regexp.MustCompile(`([a-zA-Z]\w*)|(#\w+)|(:\w+)|(0|[1-9]\d*)|(<=|>=|<>|[=<>()[\],.+-])|([^ \t\r\n])`)

// A token is source[start:end].
type token struct {
	kind       tokenKind
	start, end int
	word       string
}

// keywords are the words of the grammar; case does not matter.
var keywords = map[string]tokenKind{
	"AND": tokenKeyword, "OR": tokenKeyword, "NOT": tokenKeyword, "IN": tokenKeyword, "BETWEEN": tokenKeyword,
	"SET": tokenSection, "REMOVE": tokenSection, "ADD": tokenSection, "DELETE": tokenSection,
}

// lex splits an expression into tokens, the last of which is tokenEOF. Anything that cannot be a
// token becomes tokenInvalid, which the parser refuses where it occurs.
func lex(source string) []token {
	var tokens []token
	for _, m := range lexical.FindAllStringSubmatchIndex(source, -1) {
		t := token{kind: tokenName, start: m[0], end: m[1], word: source[m[0]:m[1]]}
		for m[2*t.kind] < 0 {
			t.kind++
		}
		upper := strings.ToUpper(t.word)
		if k, ok := keywords[upper]; ok {
			t.kind, t.word = k, upper
		}
		tokens = append(tokens, t)
	}
	return append(tokens, token{start: len(source), end: len(source)})
}

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
	p.token(tokenEOF)
	return tree
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// token consumes the next token, which must be of one of the kinds.
func (p *parser) token(kinds ...tokenKind) token {
	t := p.peek()
	if !slices.Contains(kinds, t.kind) {
		p.syntaxError()
	}
	p.pos++
	return t
}

// accept consumes the next token if it is the given symbol or keyword.
func (p *parser) accept(word string) bool {
	t := p.peek()
	if (t.kind == tokenSymbol || t.kind == tokenKeyword) && t.word == word {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(word string) {
	if !p.accept(word) {
		p.syntaxError()
	}
}

// syntaxError refuses the next token, and quotes it with its neighbors.
func (p *parser) syntaxError() {
	bad := p.peek()
	from, to := bad.start, bad.end
	if p.pos > 0 {
		from = p.tokens[p.pos-1].start
	} else if bad.kind == tokenEOF {
		from = 0
	}
	text := p.source[bad.start:bad.end]
	if bad.kind == tokenEOF {
		text = "<EOF>"
	} else if next := p.tokens[p.pos+1]; next.kind != tokenEOF {
		to = next.end
	}
	panic(validation("Syntax error; token: \"%s\", near: \"%s\"", text, p.source[from:to]))
}

// condition = disjunction
func (p *parser) condition() *node { return p.mustBeCondition(p.disjunction()) }

// disjunction = conjunction { OR conjunction }
func (p *parser) disjunction() *node { return p.joined("OR", p.conjunction) }

// conjunction = negation { AND negation }
func (p *parser) conjunction() *node { return p.joined("AND", p.negation) }

// joined = part { op part }
func (p *parser) joined(o string, part func() *node) *node {
	n := part()
	for t := p.peek(); t.kind == tokenKeyword && t.word == o; t = p.peek() {
		p.mustBeCondition(n)
		p.pos++
		n = &node{op: o, args: []*node{n, p.mustBeCondition(part())}}
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
	switch t := p.peek(); {
	case t.kind == tokenSymbol && slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, t.word):
		p.pos++
		return &node{op: t.word, args: []*node{left, p.operand()}}
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
	switch t := p.peek(); {
	case p.accept("("):
		n := inner()
		p.expect(")")
		n.parens++
		return n
	case t.kind == tokenValueRef:
		p.pos++
		return &node{op: opValue, name: t.word}
	case t.kind == tokenName && p.tokens[p.pos+1].word == "(":
		p.pos += 2
		return &node{op: opCall, name: t.word, args: p.operands()}
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
		out = append(out, element{name: p.token(tokenName, tokenNameRef).word})
		for p.accept("[") {
			t := p.token(tokenNumber)
			index, err := strconv.ParseInt(t.word, 10, 32)
			refuseIf(err != nil, "List index is not within the allowable range; index: [%s]", t.word)
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
		section := p.token(tokenSection).word
		for more := true; more; more = p.accept(",") {
			a := action{section: section, path: p.path()}
			switch section {
			case "SET":
				p.expect("=")
				a.operand = p.sum()
			case "ADD", "DELETE":
				a.operand = &node{op: opValue, name: p.token(tokenValueRef).word}
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
	for _, o := range []string{"+", "-"} {
		if p.accept(o) {
			return &node{op: o, args: []*node{left, p.operand()}}
		}
	}
	return left
}
