package memdynamo

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
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

const (
	maxItemSize = 400 << 10
	maxNesting  = 32
)

// decodeValue reads a value at the given level of nesting, 1 being an attribute of the item.
func decodeValue(x any, level int) value {
	object := as[map[string]any](x, "An attribute value")
	if level > maxNesting {
		panic(validation("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"))
	}
	var k kind
	unknown := ""
	for name, content := range object {
		switch {
		case content == nil:
		case longKinds[kind(name)] == "":
			unknown = name
		case k != "":
			panic(validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"))
		default:
			k = kind(name)
		}
	}
	switch {
	case k == "":
		panic(validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"))
	case unknown != "":
		panic(validation("dynamostoretest does not implement the attribute type %s", unknown))
	}
	v := value{kind: k}
	switch content := object[string(k)]; k {
	case kindBool, kindNull:
		v.truth = as[bool](content, string(k))
		if k == kindNull && !v.truth {
			panic(validation("One or more parameter values were invalid: Null attribute value types must have the value of true"))
		}
	case kindL:
		elements := as[[]any](content, "L")
		v.list = make([]value, len(elements))
		for i, e := range elements {
			v.list[i] = decodeValue(e, level+1)
		}
	case kindM:
		members := as[map[string]any](content, "M")
		v.attrs = make(map[string]value, len(members))
		for name, e := range members {
			if name == "" {
				panic(validation("Empty attribute name"))
			}
			v.attrs[name] = decodeValue(e, level+1)
		}
	case kindSS, kindNS, kindBS:
		return decodeSet(k, as[[]any](content, string(k)))
	default:
		return decodeScalar(k, content)
	}
	return v
}

func decodeScalar(k kind, content any) value {
	s := as[string](content, string(k))
	switch k {
	case kindN:
		return value{kind: k, num: must(parseDecimal(s))}
	case kindB:
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			panic(serialization("Invalid base64 in B"))
		}
		s = string(raw)
	}
	return value{kind: k, str: s}
}

var setElement = map[kind]kind{kindSS: kindS, kindNS: kindN, kindBS: kindB}

func decodeSet(k kind, elements []any) value {
	const wrong = "One or more parameter values were invalid: "
	if len(elements) == 0 {
		if k == kindBS {
			panic(validation(wrong + "Binary sets should not be empty"))
		}
		panic(validation(wrong+"An %s set  may not be empty", strings.ToLower(longKinds[setElement[k]])))
	}
	v := value{kind: k, list: make([]value, len(elements))}
	for i, e := range elements {
		if e == nil {
			panic(validation(wrong+"An %s set may not have a null string as a member", strings.ToLower(longKinds[setElement[k]])))
		}
		v.list[i] = decodeScalar(setElement[k], e)
	}
	slices.SortFunc(v.list, compareScalars)
	for i := 1; i < len(v.list); i++ {
		switch {
		case !v.list[i].equal(v.list[i-1]):
		case k == kindSS:
			panic(validation(wrong+"Input collection %v contains duplicates", bracketed(elements)))
		case k == kindNS:
			panic(validation("Input collection contains duplicates"))
		default:
			panic(validation(wrong + "Input collection of type BS contains duplicates."))
		}
	}
	return v
}

func bracketed(elements []any) string {
	texts := make([]string, len(elements))
	for i, e := range elements {
		texts[i] = fmt.Sprint(e)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// compareScalars orders two values of one type: S and B by their bytes, N by its number.
func compareScalars(a, b value) int {
	if a.kind == kindN {
		return a.num.compare(b.num)
	}
	return strings.Compare(a.str, b.str)
}

func (v value) isScalar() bool { return v.kind == kindS || v.kind == kindN || v.kind == kindB }

func (v value) equal(o value) bool {
	return v.kind == o.kind && v.str == o.str && v.num == o.num && v.truth == o.truth &&
		slices.EqualFunc(v.list, o.list, value.equal) && maps.EqualFunc(v.attrs, o.attrs, value.equal)
}

// contains reports whether an element of a list or set equals e.
func (v value) contains(e value) bool { return slices.ContainsFunc(v.list, e.equal) }

// String returns the value as error messages quote it.
func (v value) String() string {
	content := v.scalar()
	if raw, ok := content.([]byte); ok {
		content = base64.StdEncoding.EncodeToString(raw)
	}
	return fmt.Sprintf("{%s:%v}", v.kind, content)
}

// size returns the value's share of the item's size.
func (v value) size() int {
	switch v.kind {
	case kindS, kindB:
		return len(v.str)
	case kindN:
		return v.num.size()
	case kindBool, kindNull:
		return 1
	case kindL:
		n := 3
		for _, e := range v.list {
			n += 1 + e.size()
		}
		return n
	case kindM:
		return 3 + len(v.attrs) + attrsSize(v.attrs)
	}
	n := 0
	for _, e := range v.list {
		n += e.size()
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
	d := 0
	if v.kind == kindL {
		for _, e := range v.list {
			d = max(d, e.depth())
		}
	}
	for _, e := range v.attrs {
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
	for i := range len(v.str) {
		b = append(b, v.str[i])
		if v.str[i] == 0 {
			b = append(b, 0xff)
		}
	}
	return append(b, 0, 0)
}

// MarshalJSON returns the protocol's form of the value.
func (v value) MarshalJSON() ([]byte, error) {
	var content any
	switch v.kind {
	case kindBool, kindNull:
		content = v.truth
	case kindL:
		content = v.list
	case kindM:
		content = v.attrs
	case kindSS, kindNS, kindBS:
		elements := make([]any, len(v.list))
		for i, e := range v.list {
			elements[i] = e.scalar()
		}
		content = elements
	default:
		content = v.scalar()
	}
	b, err := json.Marshal(content)
	return fmt.Appendf(nil, `{"%s":%s}`, v.kind, b), err
}

// scalar returns the value from which encoding/json encodes S, N and B.
func (v value) scalar() any {
	switch v.kind {
	case kindN:
		return v.num.String()
	case kindB:
		return []byte(v.str)
	}
	return v.str
}
