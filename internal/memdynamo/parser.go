package memdynamo

import (
	"slices"
	"strconv"
)

// A parser reads one expression.
type parser struct {
	what   string // the request parameter that the expression is in
	source string
	tokens []token
	pos    int
}

const maxExpressionSize = 4096

// parse runs one of the parser's methods over a whole expression.
func parse[T any](what, source string, grammar func(*parser) T) T {
	if source == "" {
		panic(invalid(what, "The expression can not be empty;"))
	}
	if len(source) > maxExpressionSize {
		panic(invalid(what, "Expression size has exceeded the maximum allowed size; expression size: %d", len(source)))
	}
	p := &parser{what: what, source: source, tokens: lex(source)}
	tree := grammar(p)
	if p.peek().kind != tokenEOF {
		p.syntaxError()
	}
	return tree
}

func (p *parser) peek() token { return p.tokens[p.pos] }

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
	panic(invalid(p.what, "Syntax error; token: \"%s\", near: \"%s\"", text, p.source[from:to]))
}

// condition = disjunction
func (p *parser) condition() *node { return p.mustBeCondition(p.disjunction()) }

// disjunction = conjunction { OR conjunction }
func (p *parser) disjunction() *node { return p.joined(opOr, p.conjunction) }

// conjunction = negation { AND negation }
func (p *parser) conjunction() *node { return p.joined(opAnd, p.negation) }

// joined = part { op part }
func (p *parser) joined(o op, part func() *node) *node {
	n := part()
	for t := p.peek(); t.kind == tokenKeyword && t.word == string(o); t = p.peek() {
		p.mustBeCondition(n)
		p.pos++
		n = &node{op: o, args: []*node{n, p.mustBeCondition(part())}}
	}
	return n
}

// negation = { NOT } comparison
func (p *parser) negation() *node {
	if p.accept("NOT") {
		return &node{op: opNot, args: []*node{p.mustBeCondition(p.negation())}}
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
	case t.kind == tokenSymbol && slices.Contains([]op{opEq, opNe, opLt, opLe, opGt, opGe}, op(t.word)):
		p.pos++
		return &node{op: op(t.word), args: []*node{left, p.operand()}}
	case p.accept("BETWEEN"):
		low := p.operand()
		p.expect("AND")
		return &node{op: opBetween, args: []*node{left, low, p.operand()}}
	case p.accept("IN"):
		p.expect("(")
		return &node{op: opIn, args: append([]*node{left}, p.operands()...)}
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
		t := p.peek()
		if t.kind != tokenName && t.kind != tokenNameRef {
			p.syntaxError()
		}
		p.pos++
		out = append(out, element{name: t.word})
		for p.accept("[") {
			t := p.peek()
			if t.kind != tokenNumber {
				p.syntaxError()
			}
			p.pos++
			index, err := strconv.ParseInt(t.word, 10, 32)
			if err != nil {
				panic(invalid(p.what, "List index is not within the allowable range; index: [%s]", t.word))
			}
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
		t := p.peek()
		if t.kind != tokenKeyword || !slices.Contains([]string{"SET", "REMOVE", "ADD", "DELETE"}, t.word) {
			p.syntaxError()
		}
		p.pos++
		for {
			a := action{section: t.word, path: p.path()}
			switch t.word {
			case "SET":
				p.expect("=")
				a.operand = p.sum()
			case "ADD", "DELETE":
				v := p.peek()
				if v.kind != tokenValueRef {
					p.syntaxError()
				}
				p.pos++
				a.operand = &node{op: opValue, name: v.word}
			}
			actions = append(actions, a)
			if !p.accept(",") {
				break
			}
		}
		if seen[t.word] {
			panic(invalid(p.what, "The \"%s\" section can only be used once in an update expression;", t.word))
		}
		seen[t.word] = true
	}
	return actions
}

// sum = operand [ ("+" | "-") operand ] | "(" sum ")"
func (p *parser) sum() *node {
	left := p.primary(p.sum)
	if left.op == opAdd || left.op == opSub { // in parentheses: no operand of another
		return left
	}
	for _, o := range []op{opAdd, opSub} {
		if p.accept(string(o)) {
			return &node{op: o, args: []*node{left, p.operand()}}
		}
	}
	return left
}
