package memdynamo

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// render is the expression that n was parsed from, or one that means the
// same.
func (n *node) render() string {
	s := ""
	list := func(args []*node) string {
		var out []string
		for _, a := range args {
			out = append(out, a.render())
		}
		return strings.Join(out, ", ")
	}
	switch n.op {
	case opPath:
		for i, e := range n.path {
			if i > 0 && !e.isIndex {
				s += "."
			}
			s += e.String()
		}
	case opValue:
		s = n.name
	case opCall:
		s = n.name + "(" + list(n.args) + ")"
	case "NOT":
		s = "NOT " + n.args[0].render()
	case "BETWEEN":
		s = n.args[0].render() + " BETWEEN " + n.args[1].render() + " AND " + n.args[2].render()
	case "IN":
		s = n.args[0].render() + " IN (" + list(n.args[1:]) + ")"
	default:
		s = n.args[0].render() + " " + n.op + " " + n.args[1].render()
	}
	return strings.Repeat("(", n.parens) + s + strings.Repeat(")", n.parens)
}

// fuzzItem is what fuzzed expressions are evaluated on.
func fuzzItem(t testing.TB) map[string]value {
	var x map[string]any
	if err := json.Unmarshal([]byte(theItem), &x); err != nil {
		t.Fatal(err)
	}
	return decodeAttrs(x, 1)
}

// fuzzScope is the scope of an expression.
func fuzzScope(t testing.TB) *scope {
	s := &scope{names: map[string]string{"#n": "n", "#d": "data"}, values: map[string]value{}, used: map[string]bool{}}
	for name, text := range expressionValues {
		var x any
		if err := json.Unmarshal([]byte(text), &x); err != nil {
			t.Fatal(err)
		}
		s.values[name] = decodeValue(x, 1)
	}
	return s
}

// FuzzExpression: no expression makes the parser, the checks or the evaluation
// panic; what is refused is refused with a ValidationException; and a condition
// that is parsed, written out and parsed again means the same.
func FuzzExpression(f *testing.F) {
	for _, list := range [][]string{updateExpressions, conditionExpressions, projectionExpressions} {
		for _, e := range list {
			f.Add(e)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		attrs := fuzzItem(t)
		text := func() string {
			b, err := json.Marshal(attrs)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		before := text()
		try := func(f func()) (err *apiError) {
			if err = attempt(f); err != nil && err.typ != validation {
				t.Errorf("%q: error %v is no ValidationException", source, err)
			}
			return err
		}

		var tree *node
		if try(func() { tree = parse(source, (*parser).condition) }) == nil {
			text := tree.render()
			var again *node
			err := try(func() { again = parse(text, (*parser).condition) })
			switch {
			case len(text) > maxExpressionSize:
			case err != nil:
				t.Errorf("%q is written out as %q, which does not parse: %v", source, text, err)
			case again.render() != text:
				t.Errorf("%q is written out as %q, and that as %q", source, text, again.render())
			}
		}
		x := expression{"E", &source}
		try(func() {
			tree := fuzzScope(t).condition(x)
			if a, b := tree.holds(attrs), tree.holds(attrs); a != b {
				t.Errorf("%q is both true and false", source)
			}
			tree.holds(nil)
		})
		try(func() { project(attrs, fuzzScope(t).projection(x)) })
		try(func() { applyUpdate(attrs, fuzzScope(t).update(x)) })
		if after := text(); after != before {
			t.Errorf("%q changed the item that it was evaluated on\nbefore %s\nafter  %s", source, before, after)
		}
	})
}

// FuzzRequest: any body to any operation gets a well-formed answer, and leaves
// an engine that still answers.
func FuzzRequest(f *testing.F) {
	for _, c := range parityCases() {
		if len(c.body) < 2000 {
			f.Add(c.op, []byte(strings.ReplaceAll(c.body, `"$`, `"`)))
		}
	}
	engine := New()
	for _, c := range parityCases()[:3] {
		post(f, engine, c.op, strings.ReplaceAll(c.body, `"$`, `"`))
	}
	post(f, engine, "CreateTable", `{"TableName":"range","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"},{"AttributeName":"u","AttributeType":"S"},{"AttributeName":"e","AttributeType":"N"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST","GlobalSecondaryIndexes":[`+gsi("gi1", "u", "e", keysOnly)+`]}`)
	post(f, engine, "PutItem", `{"TableName":"hash","Item":`+theItem+`}`)
	f.Fuzz(func(t *testing.T, op string, body []byte) {
		if op == "DeleteTable" {
			return // later bodies want the tables
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://memdynamo/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "x")
		req.Header.Set("X-Amz-Target", targetPrefix+op)
		resp, err := engine.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := buf.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		var answer map[string]any
		if err := json.Unmarshal(buf.Bytes(), &answer); err != nil {
			t.Fatalf("%s %q: answer %q: %v", op, body, buf.Bytes(), err)
		}
		if resp.StatusCode != http.StatusOK && (resp.StatusCode != http.StatusBadRequest || answer["__type"] == nil) {
			t.Errorf("%s %q: %d %q", op, body, resp.StatusCode, buf.Bytes())
		}
		if got, want := resp.Header.Get("X-Amz-Crc32"), strconv.FormatUint(uint64(crc32.ChecksumIEEE(buf.Bytes())), 10); got != want {
			t.Errorf("%s %q: X-Amz-Crc32 %s, the body's is %s", op, body, got, want)
		}
	})
}
