package typedjson

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An encoder appends JSON to buf. After a problem it goes on, to find the others; what it has written is
// then thrown away.
type encoder struct {
	types    *registry
	buf      []byte
	pairs    []pair // the entries of the maps that are being written, one on top of the other
	key      string // the session's key that is being written
	inKey    bool
	tooDeep  bool // the value of key nests too deep: leave it, at every level
	problems map[string]struct{}
}

// A pair is an entry of a map.
type pair struct {
	key   string
	value any
}

// reset drops all references to the session's values.
func (e *encoder) reset() {
	clear(e.pairs)
	e.pairs = e.pairs[:0]
	e.key, e.inKey, e.tooDeep = "", false, false
	e.problems = nil
}

func (e *encoder) err() error { return joined(e.problems) }

// problem notes what is wrong with the value of the current key.
func (e *encoder) problem(text string) {
	if e.inKey {
		text = fmt.Sprintf("key %q: %s", e.key, text)
	}
	if e.problems == nil {
		e.problems = make(map[string]struct{})
	}
	e.problems[text] = struct{}{}
}

// enter reports whether a value that holds others may stand at depth.
func (e *encoder) enter(depth int) bool {
	if depth < maxDepth {
		return !e.tooDeep
	}
	e.tooDeep = true
	e.problem(fmt.Sprintf("nested deeper than %d levels; is there a cycle?", maxDepth))
	return false
}

// any appends a value whose type the reader cannot know.
func (e *encoder) any(v any, depth int) {
	switch v := v.(type) {
	case nil:
		e.null()
	case string:
		e.string(v)
	case bool:
		e.buf = strconv.AppendBool(e.buf, v)
	case int:
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	case float64:
		if isFinite(v) {
			e.buf = appendFloat(e.buf, v, 64)
			return
		}
		e.buf = append(e.buf, `{"$float64":`...)
		e.buf = appendFloat(e.buf, v, 64)
		e.buf = append(e.buf, '}')
	case map[string]any:
		if v != nil && !needsTag(v) {
			e.object(v, depth)
			return
		}
		e.buf = append(e.buf, `{"$map":`...)
		e.object(v, depth)
		e.buf = append(e.buf, '}')
	case []any:
		if v != nil {
			e.array(v, depth)
			return
		}
		e.buf = append(e.buf, `{"$[]any":null}`...)
	case int64:
		e.buf = append(e.buf, `{"$int64":`...)
		e.buf = strconv.AppendInt(e.buf, v, 10)
		e.buf = append(e.buf, '}')
	case []string:
		e.buf = append(e.buf, `{"$[]string":`...)
		e.strings(v)
		e.buf = append(e.buf, '}')
	case []byte:
		e.buf = append(e.buf, `{"$[]byte":`...)
		e.bytes(v)
		e.buf = append(e.buf, '}')
	case time.Time:
		e.buf = append(e.buf, `{"$time":`...)
		e.time(v)
		e.buf = append(e.buf, '}')
	default:
		t := reflect.TypeOf(v)
		entry := e.types.byType[t]
		if entry == nil {
			e.problem(e.types.unlisted(t))
			return
		}
		e.buf = append(e.buf, entry.prefix...)
		entry.plan.encode(e, reflect.ValueOf(v), depth)
		e.buf = append(e.buf, '}')
	}
}

// needsTag reports whether m would be taken for a tagged value.
func needsTag(m map[string]any) bool {
	if len(m) != 1 {
		return false
	}
	for k := range m {
		return strings.HasPrefix(k, "$") || !utf8.ValidString(k) // as appendKey writes it
	}
	return false
}

func (e *encoder) null() { e.buf = append(e.buf, "null"...) }

// object appends m as an object, or as null.
func (e *encoder) object(m map[string]any, depth int) {
	if m == nil {
		e.null()
		return
	}
	if !e.enter(depth) {
		return
	}
	start := len(e.pairs)
	for k, v := range m {
		e.pairs = append(e.pairs, pair{k, v})
	}
	pairs := e.pairs[start:]
	if len(pairs) > 1 {
		slices.SortFunc(pairs, comparePairs)
	}
	e.buf = append(e.buf, '{')
	for i := range pairs {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = append(appendKey(e.buf, pairs[i].key), ':')
		e.any(pairs[i].value, depth+1)
		if e.tooDeep {
			break
		}
	}
	e.buf = append(e.buf, '}')
	clear(e.pairs[start:])
	e.pairs = e.pairs[:start]
}

// array appends a as an array, or as null.
func (e *encoder) array(a []any, depth int) {
	if a == nil {
		e.null()
		return
	}
	if !e.enter(depth) {
		return
	}
	e.buf = append(e.buf, '[')
	for i, v := range a {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.any(v, depth+1)
		if e.tooDeep {
			break
		}
	}
	e.buf = append(e.buf, ']')
}

// string appends s, which may be any bytes.
func (e *encoder) string(s string) {
	if b, ok := appendString(e.buf, s); ok {
		e.buf = b
		return
	}
	e.buf = append(e.buf, `{"$string":"`...)
	e.buf = base64.StdEncoding.AppendEncode(e.buf, []byte(s))
	e.buf = append(e.buf, `"}`...)
}

func (e *encoder) strings(a []string) {
	if a == nil {
		e.null()
		return
	}
	e.buf = append(e.buf, '[')
	for i, s := range a {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.string(s)
	}
	e.buf = append(e.buf, ']')
}

// bytes appends b in base64, or null.
func (e *encoder) bytes(b []byte) {
	if b == nil {
		e.null()
		return
	}
	e.buf = append(e.buf, '"')
	e.buf = base64.StdEncoding.AppendEncode(e.buf, b)
	e.buf = append(e.buf, '"')
}

func (e *encoder) time(t time.Time) {
	e.buf = append(e.buf, '"')
	b, ok := appendTime(e.buf, t)
	if !ok {
		e.problem("a time.Time is out of range: its year or its zone has no JSON form")
	}
	e.buf = append(b, '"')
}
