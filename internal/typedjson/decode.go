package typedjson

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A string is a part of the input if that has no more than maxShared bytes, or maxFactor times those of the string. An
// application that keeps the string keeps all of the input.
const (
	maxShared = 4 << 10
	maxFactor = 32
)

// A decoder reads JSON from s, in a single pass. Its methods begin at pos, before or at the value that they read,
// and leave pos behind it.
type decoder struct {
	types   *registry
	s       string
	pos     int
	scratch []byte // a string that has escapes
	chunk   strings.Builder
	values  []any  // the elements of the arrays that are being read, one on top of the other
	pairs   []pair // the entries of the objects that are being read, likewise
	singles singles
}

// reset makes d ready for another input, without references to what it has read. It reports whether d is small enough to
// be kept.
func (d *decoder) reset() bool {
	clear(d.values[:cap(d.values)])
	clear(d.pairs[:cap(d.pairs)])
	d.s, d.pos = "", 0
	d.chunk.Reset() // its strings are the application's
	d.values, d.pairs = d.values[:0], d.pairs[:0]
	d.singles.seen, d.singles.next, d.singles.end = d.singles.seen[:0], 0, 0
	return cap(d.values)+cap(d.pairs)+cap(d.singles.seen) <= maxStacked && cap(d.scratch) <= maxShared
}

// maxStacked is how many elements and entries a decoder may have room for to be kept for the next input.
const maxStacked = 1024

// session reads the whole input.
func (d *decoder) session() (map[any]any, error) {
	if d.next() != '{' {
		if d.pos == len(d.s) {
			return nil, d.invalid()
		}
		return nil, d.fail(d.pos, "the top level is not an object")
	}
	pairs, err := d.members(0)
	if err != nil {
		return nil, err
	}
	values := make(map[any]any, len(pairs))
	for _, p := range pairs {
		values[p.key] = p.value
	}
	if len(values) != len(pairs) {
		return nil, d.fail(0, "an object has two equal keys")
	}
	if d.next(); d.pos != len(d.s) {
		return nil, d.fail(d.pos, "the JSON is followed by something else")
	}
	return values, nil
}

// any reads a value of any type.
func (d *decoder) any(depth int) (any, error) {
	switch c := d.next(); c {
	case '"':
		return d.string()
	case '{':
		return d.objectOrTagged(depth)
	case '[':
		return d.array(depth)
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case 'n':
		return nil, d.literal("null")
	default:
		return d.number()
	}
}

// objectOrTagged reads what begins with a brace: a tagged value, or a map[string]any.
func (d *decoder) objectOrTagged(depth int) (any, error) {
	start := d.pos
	d.pos++
	if d.next() == '"' && d.mayBeTag() {
		tag, _, err := d.quoted()
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(tag, "$") && d.single(start) {
			return d.tagged(start, tag, depth)
		}
	}
	d.pos = start
	return d.object(depth)
}

// mayBeTag reports whether the string at pos can begin with a $. It may be written as an escape.
func (d *decoder) mayBeTag() bool {
	return d.pos+1 < len(d.s) && (d.s[d.pos+1] == '$' || d.s[d.pos+1] == '\\')
}

// tagged reads the rest of an object that has the tag as its only key.
func (d *decoder) tagged(start int, tag string, depth int) (any, error) {
	entry := d.types.byTag[tag]
	if entry == nil {
		return nil, d.fail(start, "unknown type tag; list the type in JSONCodec.Types")
	}
	if err := d.expect(':'); err != nil {
		return nil, err
	}
	v, err := entry.decode(d, depth)
	if err != nil {
		return nil, err
	}
	return v, d.expect('}')
}

// object reads an object, whatever its keys are.
func (d *decoder) object(depth int) (map[string]any, error) {
	start := d.pos
	if depth >= maxDepth {
		return nil, d.tooDeep()
	}
	bottom := len(d.pairs)
	pairs, err := d.members(depth + 1)
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(pairs))
	for _, p := range pairs {
		m[p.key] = p.value
	}
	if len(m) != len(pairs) {
		return nil, d.fail(start, "an object has two equal keys")
	}
	d.pairs = d.pairs[:bottom]
	return m, nil
}

// members reads an object onto the stack of pairs, and returns its part of it. Its values are at depth.
func (d *decoder) members(depth int) ([]pair, error) {
	bottom := len(d.pairs)
	d.pos++
	for more := d.next() != '}'; more; {
		key, err := d.key()
		if err != nil {
			return nil, err
		}
		if err := d.expect(':'); err != nil {
			return nil, err
		}
		v, err := d.any(depth)
		if err != nil {
			return nil, err
		}
		d.pairs = append(d.pairs, pair{key, v})
		if more, err = d.comma('}'); err != nil {
			return nil, err
		}
	}
	d.pos++
	return d.pairs[bottom:], nil
}

// array reads an array of values of any type.
func (d *decoder) array(depth int) ([]any, error) {
	if depth >= maxDepth {
		return nil, d.tooDeep()
	}
	bottom := len(d.values)
	d.pos++
	for more := d.next() != ']'; more; {
		v, err := d.any(depth + 1)
		if err != nil {
			return nil, err
		}
		d.values = append(d.values, v)
		if more, err = d.comma(']'); err != nil {
			return nil, err
		}
	}
	d.pos++
	a := make([]any, len(d.values)-bottom)
	copy(a, d.values[bottom:])
	d.values = d.values[:bottom]
	return a, nil
}

// key reads the key of a map's entry.
func (d *decoder) key() (string, error) {
	if d.next() != '"' {
		return "", d.invalid()
	}
	start := d.pos
	s, err := d.string()
	if err != nil {
		return "", err
	}
	key, ok := parseKey(s)
	if !ok {
		return "", d.fail(start, "a key is not valid base64")
	}
	return key, nil
}

// number reads a number of which only the form tells the type.
func (d *decoder) number() (any, error) {
	start := d.pos
	text, integer, err := d.numeral()
	if err != nil {
		return nil, err
	}
	if integer {
		if n, ok := parseInt(text); ok {
			if int64(int(n)) == n {
				return int(n), nil
			}
			return n, nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, d.fail(start, "a number is out of range")
	}
	return f, nil
}

// parseInt returns the value of an integer literal, unless it is outside int64.
func parseInt(text string) (int64, bool) {
	if len(text) > 18 { // may overflow
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	digits := strings.TrimPrefix(text, "-")
	var n int64
	for i := range len(digits) {
		n = n*10 + int64(digits[i]-'0')
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// What follows reads a value whose type is known.

func (d *decoder) bool() (bool, error) {
	switch d.next() {
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	}
	return false, d.want("true or false")
}

func (d *decoder) int(bits int) (int64, error) {
	start, text, err := d.integer()
	if err != nil {
		return 0, err
	}
	n, ok := parseInt(text)
	if shift := 64 - bits; !ok || n<<shift>>shift != n {
		return 0, d.fail(start, "a number is out of range for an int"+strconv.Itoa(bits))
	}
	return n, nil
}

func (d *decoder) uint(bits int) (uint64, error) {
	start, text, err := d.integer()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, d.fail(start, "a number is out of range for a uint"+strconv.Itoa(bits))
	}
	return n, nil
}

// integer reads an integer literal.
func (d *decoder) integer() (start int, text string, err error) {
	if !isNumeral(d.next()) {
		return 0, "", d.want("an integer")
	}
	start = d.pos
	text, integer, err := d.numeral()
	if err == nil && !integer {
		err = d.fail(start, "want an integer")
	}
	return start, text, err
}

// float reads a number, or one of the strings for what is none.
func (d *decoder) float(bits int) (float64, error) {
	c := d.next()
	start := d.pos
	if c == '"' {
		text, _, err := d.quoted()
		if err != nil {
			return 0, err
		}
		switch text {
		case "NaN":
			return math.NaN(), nil
		case "+Inf":
			return math.Inf(1), nil
		case "-Inf":
			return math.Inf(-1), nil
		}
		return 0, d.fail(start, "want a number")
	}
	if !isNumeral(c) {
		return 0, d.want("a number")
	}
	text, _, err := d.numeral()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return 0, d.fail(start, "a number is out of range for a float"+strconv.Itoa(bits))
	}
	return f, nil
}

// complex reads an array of the real and the imaginary part, each a float of the given bits.
func (d *decoder) complex(bits int) (complex128, error) {
	if d.next() != '[' {
		return 0, d.want("an array of two numbers")
	}
	d.pos++
	re, err := d.float(bits)
	if err != nil {
		return 0, err
	}
	if err := d.expect(','); err != nil {
		return 0, err
	}
	im, err := d.float(bits)
	if err != nil {
		return 0, err
	}
	return complex(re, im), d.expect(']')
}

// text reads a string, which may be any bytes.
func (d *decoder) text() (string, error) {
	switch d.next() {
	case '"':
		return d.string()
	case '{':
		start := d.pos
		d.pos++
		if d.next() == '"' {
			tag, _, err := d.quoted()
			if err != nil {
				return "", err
			}
			if tag == "$string" {
				if err := d.expect(':'); err != nil {
					return "", err
				}
				s, err := d.binary()
				if err != nil {
					return "", err
				}
				return string(s), d.expect('}')
			}
		}
		d.pos = start
	}
	return "", d.want("a string")
}

// texts reads an array of strings, or null.
func (d *decoder) texts() ([]string, error) {
	switch d.next() {
	case 'n':
		return nil, d.literal("null")
	case '[':
	default:
		return nil, d.want("an array")
	}
	d.pos++
	a := []string{}
	for more := d.next() != ']'; more; {
		s, err := d.text()
		if err != nil {
			return nil, err
		}
		a = append(a, s)
		if more, err = d.comma(']'); err != nil {
			return nil, err
		}
	}
	d.pos++
	return a, nil
}

// binary reads a string in base64.
func (d *decoder) binary() ([]byte, error) {
	if d.next() != '"' {
		return nil, d.want("a string")
	}
	start := d.pos
	s, _, err := d.quoted()
	if err != nil {
		return nil, err
	}
	b, err := base64Strict.DecodeString(s)
	if err != nil {
		return nil, d.fail(start, "a string is not valid base64")
	}
	return b, nil
}

// bytes reads a string in base64, or null.
func (d *decoder) bytes() ([]byte, error) {
	if d.next() == 'n' {
		return nil, d.literal("null")
	}
	return d.binary()
}

func (d *decoder) time() (time.Time, error) {
	if d.next() != '"' {
		return time.Time{}, d.want("a string")
	}
	start := d.pos
	s, _, err := d.quoted()
	if err != nil {
		return time.Time{}, err
	}
	t, ok := parseTime(s)
	if !ok {
		return time.Time{}, d.fail(start, "a string is not a time as RFC 3339 writes it")
	}
	return t, nil
}

func (d *decoder) duration() (time.Duration, error) {
	if d.next() != '"' {
		return 0, d.want("a string")
	}
	start := d.pos
	s, _, err := d.quoted()
	if err != nil {
		return 0, err
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return 0, d.fail(start, "a string is not a duration as Go writes it")
	}
	return v, nil
}

// fail returns an error about what is at offset. Its text never comes from the input.
func (d *decoder) fail(offset int, text string) error {
	return fmt.Errorf("%s, at offset %d", text, offset)
}

// invalid returns the error for JSON that is broken at pos.
func (d *decoder) invalid() error {
	if d.pos >= len(d.s) {
		return fmt.Errorf("invalid JSON: it ends too early, at offset %d", len(d.s))
	}
	return fmt.Errorf("invalid JSON at offset %d", d.pos)
}

// want returns the error for a value at pos that is not of the known type, if it is a value at all.
func (d *decoder) want(what string) error {
	if d.pos < len(d.s) && (isNumeral(d.s[d.pos]) || strings.IndexByte(`"{[tfn`, d.s[d.pos]) >= 0) {
		return d.fail(d.pos, "want "+what)
	}
	return d.invalid()
}

func (d *decoder) tooDeep() error {
	return d.fail(d.pos, fmt.Sprintf("nested deeper than %d levels", maxDepth))
}
