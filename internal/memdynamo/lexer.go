package memdynamo

import (
	"regexp"
	"strings"
)

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
	tokenKeyword            // a word of the grammar, in upper case in token.word
)

var lexical = regexp.MustCompile(`([a-zA-Z]\w*)|(#\w+)|(:\w+)|(0|[1-9]\d*)|(<=|>=|<>|[=<>()[\],.+-])|([^ \t\r\n])`)

// A token is source[start:end].
type token struct {
	kind       tokenKind
	start, end int
	word       string
}

const keywords = " AND OR NOT IN BETWEEN SET REMOVE ADD DELETE "

// lex splits an expression into tokens, the last of which is tokenEOF. Anything that cannot be a
// token becomes tokenInvalid, which the parser refuses where it occurs.
func lex(source string) []token {
	var tokens []token
	for _, m := range lexical.FindAllStringSubmatchIndex(source, -1) {
		t := token{kind: tokenName, start: m[0], end: m[1], word: source[m[0]:m[1]]}
		for m[2*t.kind] < 0 {
			t.kind++
		}
		if upper := strings.ToUpper(t.word); t.kind == tokenName && strings.Contains(keywords, " "+upper+" ") {
			t.kind, t.word = tokenKeyword, upper
		}
		tokens = append(tokens, t)
	}
	return append(tokens, token{start: len(source), end: len(source)})
}
