package memdynamo

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// params are the members of a request or of a structure in it. An operation takes the members that
// it implements, and then calls done, which refuses any that are left, so no parameter is ignored.
type params map[string]any

func parseRequest(body []byte) params {
	var x any
	if err := json.Unmarshal(body, &x); err != nil {
		panic(serialization("The request body is not JSON: %v", err))
	}
	members, ok := x.(map[string]any)
	if !ok {
		panic(serialization("The request body is not a JSON object"))
	}
	return members
}

// as returns x as a T, one of the types that encoding/json decodes to. what names it in the error.
func as[T any](x any, what string) T {
	t, ok := x.(T)
	if !ok {
		panic(serialization("%s has a wrong type", what))
	}
	return t
}

// take removes a member and returns it; a null counts as absent.
func take[T any](p params, name string) (t T, ok bool) {
	x := p[name]
	delete(p, name)
	if x == nil {
		return t, false
	}
	return as[T](x, name), true
}

// done refuses a member that nobody took.
func (p params) done() {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if p[name] != nil {
			refuse(name)
		}
	}
}

// refuse names a parameter that is known but not implemented.
func refuse(name string) {
	panic(validation("dynamostoretest does not implement the request parameter %s", name))
}

func (p params) string(name string) string {
	s, _ := take[string](p, name)
	return s
}

func (p params) bool(name string) bool {
	b, _ := take[bool](p, name)
	return b
}

// int returns the member's value, or absent if it is missing.
func (p params) int(name string, absent int) int {
	n, ok := take[float64](p, name)
	switch {
	case !ok:
		return absent
	case n != float64(int32(n)):
		panic(serialization("%s must be an integer of 32 bits", name))
	}
	return int(n)
}

// enum returns the member's value, one of set, or absent if it is missing.
func (p params) enum(name, absent string, set ...string) string {
	s, ok := take[string](p, name)
	switch {
	case !ok:
		return absent
	case !slices.Contains(set, s):
		panic(validation("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", s, lowerFirst(name), strings.Join(set, ", ")))
	}
	return s
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// object returns the member's value, or nil if it is missing.
func (p params) object(name string) params {
	members, _ := take[map[string]any](p, name)
	return members
}

// structs calls f with each structure of a list, and reports whether there is a list.
func (p params) structs(name string, f func(params)) bool {
	list, ok := take[[]any](p, name)
	for _, x := range list {
		s := params(as[map[string]any](x, name))
		f(s)
		s.done()
	}
	return ok
}

// item returns a map of attributes, such as an Item or a Key, or nil if the member is missing.
func (p params) item(name string) map[string]value {
	object := p.object(name)
	if object == nil {
		return nil
	}
	attrs := make(map[string]value, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name == "" {
			panic(validation("Empty attribute name"))
		}
		if object[name] == nil {
			panic(validation("The supplied Item contains a null AttributeValue: %s is null", name))
		}
		attrs[name] = decodeValue(object[name], 1)
	}
	return attrs
}

// collectionMetrics takes a parameter that only matters for local indexes.
func (p params) collectionMetrics() { p.enum("ReturnItemCollectionMetrics", "NONE", "SIZE", "NONE") }

func (p params) capacityLevel() string {
	return p.enum("ReturnConsumedCapacity", "NONE", "INDEXES", "TOTAL", "NONE")
}
