package memdynamo

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// A kind is an attribute's type, by its name in the protocol.
type kind string

const (
	kindS    kind = "S"
	kindN    kind = "N"
	kindB    kind = "B"
	kindBool kind = "BOOL"
	kindNull kind = "NULL"
	kindSS   kind = "SS"
	kindNS   kind = "NS"
	kindBS   kind = "BS"
	kindL    kind = "L"
	kindM    kind = "M"
)

// longKinds are the names of the types in some error messages.
var longKinds = map[kind]string{
	kindS: "STRING", kindN: "NUMBER", kindB: "BINARY", kindBool: "BOOLEAN", kindNull: "NULL",
	kindSS: "STRING_SET", kindNS: "NUMBER_SET", kindBS: "BINARY_SET", kindL: "LIST", kindM: "MAP",
}

// A value is an attribute's value. It is immutable: items, indexes and responses share it.
type value struct {
	kind  kind
	str   string // S, and the bytes of B
	num   decimal
	truth bool             // BOOL
	list  []value          // L; SS, NS and BS, sorted
	attrs map[string]value // M
}

// An item is a stored item with its size. Like its values, it is immutable.
type item struct {
	attrs map[string]value
	size  int
}

func newItem(attrs map[string]value) *item { return &item{attrs, attrsSize(attrs)} }

// bytes returns the item's size, which is 0 if there is no item.
func (it *item) bytes() int {
	if it == nil {
		return 0
	}
	return it.size
}

const (
	maxItemSize = 400 << 10
	maxNesting  = 32
)

// decodeValue reads a value at the given level of nesting, 1 being an attribute of the item.
func decodeValue(x any, level int) value {
	object := as[map[string]any](x, "An attribute value")
	refuseIf(level > maxNesting, "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
	var known []kind
	unknown := ""
	for name, content := range object {
		switch {
		case content == nil:
		case longKinds[kind(name)] == "":
			unknown = name
		default:
			known = append(known, kind(name))
		}
	}
	refuseIf(len(known) > 1, "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	refuseIf(len(known) == 0, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	refuseIf(unknown != "", "dynamostoretest does not implement the attribute type %s", unknown)
	v := value{kind: known[0]}
	content, what := object[string(v.kind)], string(v.kind)
	switch v.kind {
	case kindBool, kindNull:
		v.truth = as[bool](content, what)
		refuseIf(v.kind == kindNull && !v.truth, "One or more parameter values were invalid: Null attribute value types must have the value of true")
	case kindL:
		for _, e := range as[[]any](content, what) {
			v.list = append(v.list, decodeValue(e, level+1))
		}
	case kindM:
		v.attrs = decodeAttrs(as[map[string]any](content, what), level+1)
	case kindSS, kindNS, kindBS:
		v.list = decodeSet(v.kind, as[[]any](content, what))
	default:
		return decodeScalar(v.kind, content)
	}
	return v
}

// decodeAttrs reads the attributes of an item, or the members of a map.
func decodeAttrs(object map[string]any, level int) map[string]value {
	attrs := make(map[string]value, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		refuseIf(name == "", "Empty attribute name")
		refuseIf(object[name] == nil, "The supplied Item contains a null AttributeValue: %s is null", name)
		attrs[name] = decodeValue(object[name], level)
	}
	return attrs
}

func decodeScalar(k kind, content any) value {
	v := value{kind: k, str: as[string](content, string(k))}
	switch k {
	case kindN:
		v.str, v.num = "", parseDecimal(v.str)
	case kindB:
		raw, err := base64.StdEncoding.DecodeString(v.str)
		failIf(err != nil, serialization, "Invalid base64 in B")
		v.str = string(raw)
	}
	return v
}

var setElement = map[kind]kind{kindSS: kindS, kindNS: kindN, kindBS: kindB}

// decodeSet returns the elements of a set, sorted.
func decodeSet(k kind, elements []any) []value {
	const wrong = "One or more parameter values were invalid: "
	name := strings.ToLower(longKinds[setElement[k]])
	refuseIf(len(elements) == 0 && k == kindBS, wrong+"Binary sets should not be empty")
	refuseIf(len(elements) == 0, wrong+"An %s set  may not be empty", name)
	list, texts := make([]value, len(elements)), make([]string, len(elements))
	for i, e := range elements {
		refuseIf(e == nil, wrong+"An %s set may not have a null string as a member", name)
		list[i] = decodeScalar(setElement[k], e)
		texts[i] = list[i].str
	}
	slices.SortFunc(list, compareScalars)
	duplicates := len(slices.CompactFunc(slices.Clone(list), value.equal)) < len(list)
	refuseIf(duplicates && k == kindSS, wrong+"Input collection [%s] contains duplicates", strings.Join(texts, ", "))
	refuseIf(duplicates && k == kindNS, "Input collection contains duplicates")
	refuseIf(duplicates, wrong+"Input collection of type BS contains duplicates.")
	return list
}

// compareScalars orders two values of one type: S and B by their bytes, N by its number.
func compareScalars(a, b value) int {
	if a.kind == kindN {
		return a.num.Cmp(b.num.Rat)
	}
	return strings.Compare(a.str, b.str)
}

// isText reports whether the value is a string, of characters or of bytes.
func (v value) isText() bool { return v.kind == kindS || v.kind == kindB }

func (v value) isScalar() bool { return v.isText() || v.kind == kindN }

func (v value) equal(o value) bool {
	return v.kind == o.kind && v.str == o.str && (v.kind != kindN || v.num.Cmp(o.num.Rat) == 0) && v.truth == o.truth &&
		slices.EqualFunc(v.list, o.list, value.equal) && maps.EqualFunc(v.attrs, o.attrs, value.equal)
}

// contains reports whether an element of a list or set equals e.
func (v value) contains(e value) bool { return slices.ContainsFunc(v.list, e.equal) }

// String returns the value as error messages quote it.
func (v value) String() string { return strings.ReplaceAll(string(encode(v)), `"`, "") }

// size returns the value's share of the item's size.
func (v value) size() int {
	n := 0
	for _, e := range v.list {
		n += e.size()
	}
	switch v.kind {
	case kindS, kindB:
		return len(v.str)
	case kindN:
		return v.num.size()
	case kindBool, kindNull:
		return 1
	case kindL:
		return 3 + len(v.list) + n
	case kindM:
		return 3 + len(v.attrs) + attrsSize(v.attrs)
	}
	return n
}

func attrsSize(attrs map[string]value) int {
	n := 0
	for name, v := range attrs {
		n += len(name) + v.size()
	}
	return n
}

// depth returns the number of levels of nesting, 1 for a scalar.
func (v value) depth() int {
	members := slices.Collect(maps.Values(v.attrs))
	if v.kind == kindL {
		members = v.list
	}
	d := 0
	for _, e := range members {
		d = max(d, e.depth())
	}
	return d + 1
}

// appendSortable appends bytes that sort as keys of the value's type do. No value's bytes are a
// prefix of another's.
func (v value) appendSortable(b []byte) []byte {
	if v.kind == kindN {
		return v.num.appendSortable(b)
	}
	b = append(b, strings.ReplaceAll(v.str, "\x00", "\x00\xff")...)
	return append(b, 0, 0)
}

// MarshalJSON returns the protocol's form of the value.
func (v value) MarshalJSON() ([]byte, error) { return encode(map[kind]any{v.kind: v.content()}), nil }

// content returns what the value holds, in a form that has the protocol's JSON.
func (v value) content() any {
	switch v.kind {
	case kindS:
		return v.str
	case kindN:
		return v.num.String()
	case kindB:
		return []byte(v.str)
	case kindBool, kindNull:
		return v.truth
	case kindL:
		return v.list
	case kindM:
		return v.attrs
	}
	elements := make([]any, len(v.list))
	for i, e := range v.list {
		elements[i] = e.content()
	}
	return elements
}
