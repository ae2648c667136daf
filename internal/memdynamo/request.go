package memdynamo

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
)

// params are the members of a request or of a structure in it. An operation
// takes those that it implements, and then asks whether anything is left over,
// so that no request is ever half understood. The first error sticks.
type params struct {
	members map[string]any
	err     error
}

func parseRequest(body []byte) (*params, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var x any
	if err := dec.Decode(&x); err != nil {
		return nil, serialization("The request body is not JSON: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, serialization("The request body has something after its JSON value")
	}
	members, ok := x.(map[string]any)
	if !ok {
		return nil, serialization("The request body is not a JSON object")
	}
	return &params{members: members}, nil
}

func (p *params) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// take removes a member and returns it; a null counts as absent.
func (p *params) take(name string) (x any, ok bool) {
	x = p.members[name]
	delete(p.members, name)
	return x, x != nil
}

// refuse names a parameter that is known but not implemented.
func (p *params) refuse(name string) {
	p.fail(validation("memdynamo does not implement the request parameter %s", name))
}

// done is the first error of the takes, or one that names a member that
// nobody took.
func (p *params) done() error {
	for _, name := range slices.Sorted(maps.Keys(p.members)) {
		if p.members[name] != nil {
			p.refuse(name)
		}
	}
	return p.err
}

func (p *params) string(name string) string {
	s, _ := p.optString(name)
	return s
}

// optString also reports whether the member is there.
func (p *params) optString(name string) (string, bool) {
	x, ok := p.take(name)
	if !ok {
		return "", false
	}
	s, ok := x.(string)
	if !ok {
		p.fail(serialization("%s must be a string", name))
	}
	return s, ok
}

func (p *params) bool(name string) bool {
	x, ok := p.take(name)
	if !ok {
		return false
	}
	b, ok := x.(bool)
	if !ok {
		p.fail(serialization("%s must be true or false", name))
	}
	return b
}

// int is the member's value, or absent where it is not there.
func (p *params) int(name string, absent int) int {
	x, ok := p.take(name)
	if !ok {
		return absent
	}
	n, ok := x.(json.Number)
	if !ok {
		p.fail(serialization("%s must be a number", name))
		return absent
	}
	i, err := n.Int64()
	if err != nil || i > math.MaxInt32 || i < math.MinInt32 {
		p.fail(serialization("%s must be an integer of 32 bits", name))
		return absent
	}
	return int(i)
}

// enum is the member's value, or the first of those allowed where it is not
// there. wrong makes the error for any other value.
func (p *params) enum(name string, wrong func(got string) error, allowed ...string) string {
	s, ok := p.optString(name)
	if !ok {
		return allowed[0]
	}
	if !slices.Contains(allowed, s) {
		p.fail(wrong(s))
	}
	return s
}

func (p *params) object(name string) *params {
	x, ok := p.take(name)
	if !ok {
		return nil
	}
	return p.asParams(name, x)
}

func (p *params) asParams(name string, x any) *params {
	members, ok := x.(map[string]any)
	if !ok {
		p.fail(serialization("%s must be a structure", name))
		return &params{members: map[string]any{}}
	}
	return &params{members: members}
}

// list reports nil where the member is not there.
func (p *params) list(name string) []any {
	x, ok := p.take(name)
	if !ok {
		return nil
	}
	list, ok := x.([]any)
	if !ok {
		p.fail(serialization("%s must be a list", name))
	}
	return list
}

func (p *params) strings(name string) []string {
	list := p.list(name)
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, x := range list {
		s, ok := x.(string)
		if !ok {
			p.fail(serialization("%s must be a list of strings", name))
		}
		out[i] = s
	}
	return out
}

// structs calls f with each structure of a list, and keeps what is wrong or
// left over in one.
func (p *params) structs(name string, f func(*params)) {
	for _, x := range p.list(name) {
		s := p.asParams(name, x)
		f(s)
		if err := s.done(); err != nil {
			p.fail(err)
		}
	}
}

// notInEnum makes the error for a member whose value is not one of a set.
func notInEnum(path, set string) func(string) error {
	return func(got string) error {
		return validation("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %s", got, path, set)
	}
}

// collectionMetrics takes a parameter that only concerns local indexes.
func (p *params) collectionMetrics() {
	p.enum("ReturnItemCollectionMetrics", notInEnum("returnItemCollectionMetrics", "[SIZE, NONE]"), "NONE", "SIZE")
}
