package memdynamo

import (
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEOF      tokenKind = iota
	tokenName               // an attribute's or function's name
	tokenKeyword            // a word of the grammar, in upper case in token.word
	tokenNameRef            // #name
	tokenValueRef           // :value
	tokenNumber             // an index
	tokenSymbol             // an operator or a punctuation mark
	tokenInvalid            // a character that starts no token
)

// A token is source[start:end].
type token struct {
	kind       tokenKind
	start, end int
	word       string
}

const keywords = " AND OR NOT IN BETWEEN SET REMOVE ADD DELETE "

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }

// lex splits an expression into tokens, the last of which is tokenEOF. What
// cannot be a token becomes tokenInvalid: it is for the parser to refuse, in
// its place.
func lex(source string) []token {
	var tokens []token
	for i := 0; ; {
		for i < len(source) && strings.IndexByte(" \t\r\n", source[i]) >= 0 {
			i++
		}
		t := token{start: i}
		if i == len(source) {
			t.end = i
			return append(tokens, t)
		}
		word := func(from int) int {
			for from < len(source) && isWord(source[from]) {
				from++
			}
			return from
		}
		switch c := source[i]; {
		case isLetter(c):
			t.kind, t.end = tokenName, word(i)
			if upper := strings.ToUpper(source[i:t.end]); strings.Contains(keywords, " "+upper+" ") {
				t.kind, t.word = tokenKeyword, upper
			}
		case (c == '#' || c == ':') && word(i+1) > i+1:
			t.kind, t.end = tokenNameRef, word(i+1)
			if c == ':' {
				t.kind = tokenValueRef
			}
		case c == '0':
			t.kind, t.end = tokenNumber, i+1
		case isDigit(c):
			t.kind, t.end = tokenNumber, i+1
			for t.end < len(source) && isDigit(source[t.end]) {
				t.end++
			}
		case strings.HasPrefix(source[i:], "<=") || strings.HasPrefix(source[i:], ">=") || strings.HasPrefix(source[i:], "<>"):
			t.kind, t.end = tokenSymbol, i+2
		case strings.IndexByte("=<>()[],.+-", c) >= 0:
			t.kind, t.end = tokenSymbol, i+1
		default:
			_, n := utf8.DecodeRuneInString(source[i:])
			t.kind, t.end = tokenInvalid, i+n
		}
		if t.kind != tokenKeyword {
			t.word = source[t.start:t.end]
		}
		tokens = append(tokens, t)
		i = t.end
	}
}
