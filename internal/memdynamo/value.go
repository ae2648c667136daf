package memdynamo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// longKinds are the types as some error messages name them.
var longKinds = map[kind]string{
	kindS: "STRING", kindN: "NUMBER", kindB: "BINARY", kindBool: "BOOLEAN", kindNull: "NULL",
	kindSS: "STRING_SET", kindNS: "NUMBER_SET", kindBS: "BINARY_SET", kindL: "LIST", kindM: "MAP",
}

// A value is an attribute's value. It is never changed once it is made: items,
// indexes and answers share it.
type value struct {
	kind  kind
	str   string // S, and the bytes of B
	num   decimal
	truth bool             // BOOL
	list  []value          // L; SS, NS and BS, sorted
	attrs map[string]value // M
}

// An item is a stored item with its size. Like its values it is never changed.
type item struct {
	attrs map[string]value
	size  int
}

func newItem(attrs map[string]value) *item {
	return &item{attrs, attrsSize(attrs)}
}

const (
	maxItemSize = 400 << 10
	maxNesting  = 32
)

// decodeItem reads a map of attributes: an Item, a Key.
func decodeItem(x any, what string) (map[string]value, error) {
	object, ok := x.(map[string]any)
	if !ok {
		return nil, serialization("%s must be a map of attribute values", what)
	}
	attrs := make(map[string]value, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if object[name] == nil {
			return nil, validation("The supplied Item contains a null AttributeValue: %s is null", name)
		}
		v, err := decodeValue(object[name], 1)
		if err != nil {
			return nil, err
		}
		attrs[name] = v
	}
	return attrs, nil
}

// decodeValue reads a value at the given level of nesting, 1 being an
// attribute of the item.
func decodeValue(x any, level int) (value, error) {
	object, ok := x.(map[string]any)
	if !ok {
		return value{}, serialization("Unexpected value: an attribute value is a structure such as {\"S\": \"...\"}")
	}
	if level > maxNesting {
		return value{}, validation("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
	}
	var v value
	var content any
	unknown := ""
	for name, member := range object {
		if member == nil {
			continue
		}
		if longKinds[kind(name)] == "" {
			unknown = name
			continue
		}
		if v.kind != "" {
			return value{}, validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
		}
		v.kind, content = kind(name), member
	}
	if v.kind != "" && unknown != "" {
		return value{}, validation("memdynamo does not implement the attribute type %s", unknown)
	}
	var err error
	switch v.kind {
	case "":
		return value{}, validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case kindBool, kindNull:
		if v.truth, ok = content.(bool); !ok {
			return value{}, serialization("Unexpected value: %s must be true or false", v.kind)
		}
		if v.kind == kindNull && !v.truth {
			return value{}, validation("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	case kindS, kindN, kindB:
		v, err = decodeScalar(v.kind, content)
	case kindSS, kindNS, kindBS:
		v, err = decodeSet(v.kind, content)
	case kindL:
		elements, ok := content.([]any)
		if !ok {
			return value{}, serialization("Unexpected value: L must be a list")
		}
		v.list = make([]value, len(elements))
		for i, e := range elements {
			if v.list[i], err = decodeValue(e, level+1); err != nil {
				return value{}, err
			}
		}
	case kindM:
		members, ok := content.(map[string]any)
		if !ok {
			return value{}, serialization("Unexpected value: M must be a map")
		}
		v.attrs = make(map[string]value, len(members))
		for name, e := range members {
			if name == "" {
				return value{}, validation("Empty attribute name")
			}
			if v.attrs[name], err = decodeValue(e, level+1); err != nil {
				return value{}, err
			}
		}
	}
	return v, err
}

func decodeScalar(k kind, content any) (v value, err error) {
	s, ok := content.(string)
	if !ok {
		return value{}, serialization("Unexpected value: %s must be a string", k)
	}
	v = value{kind: k, str: s}
	switch k {
	case kindN:
		v.str = ""
		v.num, err = parseDecimal(s)
	case kindB:
		raw, decodeErr := base64.StdEncoding.DecodeString(s)
		if decodeErr != nil {
			return value{}, serialization("Invalid base64 in B")
		}
		v.str = string(raw)
	}
	return v, err
}

var setElement = map[kind]kind{kindSS: kindS, kindNS: kindN, kindBS: kindB}

func decodeSet(k kind, content any) (value, error) {
	elements, ok := content.([]any)
	if !ok {
		return value{}, serialization("Unexpected value: %s must be a list", k)
	}
	if len(elements) == 0 {
		switch k {
		case kindSS:
			return value{}, validation("One or more parameter values were invalid: An string set  may not be empty")
		case kindNS:
			return value{}, validation("One or more parameter values were invalid: An number set  may not be empty")
		}
		return value{}, validation("One or more parameter values were invalid: Binary sets should not be empty")
	}
	v := value{kind: k, list: make([]value, len(elements))}
	for i, e := range elements {
		if e == nil {
			return value{}, validation("One or more parameter values were invalid: An %s set may not have a null string as a member", strings.ToLower(longKinds[setElement[k]]))
		}
		var err error
		if v.list[i], err = decodeScalar(setElement[k], e); err != nil {
			return value{}, err
		}
	}
	slices.SortFunc(v.list, compareScalars)
	for i := 1; i < len(v.list); i++ {
		if compareScalars(v.list[i-1], v.list[i]) != 0 {
			continue
		}
		switch k {
		case kindSS:
			return value{}, validation("One or more parameter values were invalid: Input collection %v contains duplicates", bracketed(elements))
		case kindNS:
			return value{}, validation("Input collection contains duplicates")
		}
		return value{}, validation("One or more parameter values were invalid: Input collection of type BS contains duplicates.")
	}
	return v, nil
}

func bracketed(elements []any) string {
	texts := make([]string, len(elements))
	for i, e := range elements {
		texts[i] = fmt.Sprint(e)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// compareScalars orders two values of one type: S and B by their bytes, N by
// its number.
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

// String is the value as error messages quote it.
func (v value) String() string {
	switch v.kind {
	case kindN:
		return "{N:" + v.num.String() + "}"
	case kindB:
		return "{B:" + base64.StdEncoding.EncodeToString([]byte(v.str)) + "}"
	}
	return "{" + string(v.kind) + ":" + v.str + "}"
}

// size is what the value counts towards the item's size.
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

// depth is the number of levels of nesting, 1 for a scalar.
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

// appendSortable appends bytes that compare as keys of the value's type do,
// and none of which is a prefix of another's.
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

// appendJSON appends the protocol's form of what an answer is made of.
func appendJSON(b []byte, x any) []byte {
	switch x := x.(type) {
	case value:
		return appendValue(b, x)
	case map[string]value:
		return appendAttrs(b, x)
	case []map[string]value:
		return appendList(b, x, appendAttrs)
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(x)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, name), ':')
			b = appendJSON(b, x[name])
		}
		return append(b, '}')
	case []any:
		return appendList(b, x, appendJSON)
	case string:
		return appendString(b, x)
	case bool:
		return strconv.AppendBool(b, x)
	case int:
		return strconv.AppendInt(b, int64(x), 10)
	case float64:
		return strconv.AppendFloat(b, x, 'f', -1, 64)
	}
	panic(fmt.Sprintf("memdynamo: no JSON form of %T", x))
}

func appendList[T any](b []byte, list []T, appendElement func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendElement(b, e)
	}
	return append(b, ']')
}

func appendAttrs(b []byte, attrs map[string]value) []byte {
	b = append(b, '{')
	for name, v := range attrs {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendValue(b, v)
	}
	return append(b, '}')
}

func appendValue(b []byte, v value) []byte {
	b = append(b, '{', '"')
	b = append(b, v.kind...)
	b = append(b, '"', ':')
	switch v.kind {
	case kindBool, kindNull:
		b = strconv.AppendBool(b, v.truth)
	case kindL:
		b = appendList(b, v.list, appendValue)
	case kindM:
		b = appendAttrs(b, v.attrs)
	case kindS, kindN, kindB:
		b = appendScalar(b, v)
	default:
		b = appendList(b, v.list, appendScalar)
	}
	return append(b, '}')
}

func appendScalar(b []byte, v value) []byte {
	switch v.kind {
	case kindN:
		return append(append(append(b, '"'), v.num.String()...), '"')
	case kindB:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), []byte(v.str))
		return append(b, '"')
	}
	return appendString(b, v.str)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return appendEscaped(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendEscaped(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always has a JSON form
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
