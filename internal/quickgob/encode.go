package quickgob

import (
	"bytes"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// An encoder writes one session.
type encoder struct {
	codec *Codec
	buf   []byte
	used  [composites]*composite // those whose definition the stream must have
	pairs []pair                 // the entries of the maps that are being written, one on top of the other
	depth int
	bad   bool
}

// A pair is an entry of a map.
type pair struct {
	key   string
	value any
}

// maxPooled is the largest buffer that is kept for the next session.
const maxPooled = 1 << 20

// Encode returns values as encoding/gob reads them, or false if that is for encoding/gob to write.
func (c *Codec) Encode(values map[any]any) ([]byte, bool) { return c.EncodeOr(values, nil) }

// EncodeOr is Encode, but returns same where it is what Encode would return.
func (c *Codec) EncodeOr(values map[any]any, same []byte) ([]byte, bool) {
	e, _ := c.encoders.Get().(*encoder)
	if e == nil {
		e = &encoder{codec: c}
	}
	data := e.session(values, same)
	if data == nil {
		return nil, false
	}
	if cap(e.buf) <= maxPooled {
		clear(e.pairs) // or they would keep the values
		*e = encoder{codec: c, buf: e.buf[:0], pairs: e.pairs[:0]}
		c.encoders.Put(e)
	}
	return data, true
}

// session returns the definitions of the types that values use, and then values, in messages: gob writes a definition
// where the type is first used, but reads it before the value as well.
func (e *encoder) session(values map[any]any, same []byte) []byte {
	e.int(e.use(sessionMap).id)
	e.buf = append(e.buf, 0)
	e.uint(uint64(len(values)))
	for k, v := range values {
		key, ok := k.(string)
		if !ok {
			return nil
		}
		e.pairs = append(e.pairs, pair{key, v})
	}
	pairs := e.pairs
	slices.SortFunc(pairs, comparePairs)
	for i := range pairs {
		e.any(pairs[i].key)
		e.any(pairs[i].value)
		if e.bad {
			return nil
		}
	}
	// The definitions, for which there was no room yet, come before the rest.
	body := len(e.buf)
	for _, c := range e.used {
		if c != nil {
			e.buf = append(e.buf, c.definition...)
		}
	}
	e.uint(uint64(body))
	head := e.buf[body:]
	if len(same) == len(e.buf) && bytes.Equal(same[:len(head)], head) && bytes.Equal(same[len(head):], e.buf[:body]) {
		return same
	}
	data := make([]byte, 0, len(e.buf))
	data = append(data, head...)
	return append(data, e.buf[:body]...)
}

func comparePairs(a, b pair) int { return strings.Compare(a.key, b.key) }

// use notes that the stream holds a value of one of the composites.
func (e *encoder) use(kind int) *composite {
	if e.used[kind] == nil {
		e.used[kind] = e.codec.composite(kind)
		e.bad = e.bad || e.used[kind] == nil
	}
	return e.used[kind]
}

// any writes an interface: the name of the type, its id, the length of the value, and the value.
func (e *encoder) any(v any) {
	switch v := v.(type) {
	case nil:
		e.buf = append(e.buf, 0)
	case string:
		start := e.begin("string", idString)
		e.string(v)
		e.end(start)
	case int:
		start := e.begin("int", idInt)
		e.int(int64(v))
		e.end(start)
	case bool:
		start := e.begin("bool", idBool)
		if v {
			e.uint(1)
		} else {
			e.uint(0)
		}
		e.end(start)
	case float64:
		start := e.begin("float64", idFloat)
		e.float(v)
		e.end(start)
	case int64:
		start := e.begin("int64", idInt)
		e.int(v)
		e.end(start)
	case []any:
		start := e.beginComposite(anySlice)
		e.anys(v)
		e.end(start)
	case map[string]any:
		start := e.beginComposite(stringMap)
		e.stringMap(v)
		e.end(start)
	case []string:
		start := e.beginComposite(stringSlice)
		e.uint(uint64(len(v)))
		for _, s := range v {
			e.string(s)
		}
		e.end(start)
	case []int:
		start := e.beginComposite(intSlice)
		e.uint(uint64(len(v)))
		for _, n := range v {
			e.int(int64(n))
		}
		e.end(start)
	case []byte:
		start := e.begin("[]uint8", idBytes)
		e.uint(uint64(len(v)))
		e.buf = append(e.buf, v...)
		e.end(start)
	case time.Time:
		b, err := v.GobEncode()
		e.bad = e.bad || err != nil
		start := e.beginComposite(timeTime)
		e.uint(uint64(len(b)))
		e.buf = append(e.buf, b...)
		e.end(start)
	case time.Duration:
		start := e.beginComposite(timeDuration)
		e.int(int64(v))
		e.end(start)
	default:
		e.rare(v)
	}
}

// rare is any for the types that few sessions hold.
func (e *encoder) rare(v any) {
	var start int
	switch v := v.(type) {
	case int8:
		start = e.begin("int8", idInt)
		e.int(int64(v))
	case int16:
		start = e.begin("int16", idInt)
		e.int(int64(v))
	case int32:
		start = e.begin("int32", idInt)
		e.int(int64(v))
	case uint:
		start = e.begin("uint", idUint)
		e.uint(uint64(v))
	case uint8:
		start = e.begin("uint8", idUint)
		e.uint(uint64(v))
	case uint16:
		start = e.begin("uint16", idUint)
		e.uint(uint64(v))
	case uint32:
		start = e.begin("uint32", idUint)
		e.uint(uint64(v))
	case uint64:
		start = e.begin("uint64", idUint)
		e.uint(v)
	case uintptr:
		start = e.begin("uintptr", idUint)
		e.uint(uint64(v))
	case float32:
		start = e.begin("float32", idFloat)
		e.float(float64(v))
	case complex64:
		start = e.begin("complex64", idComplex)
		e.float(float64(real(v)))
		e.float(float64(imag(v)))
	case complex128:
		start = e.begin("complex128", idComplex)
		e.float(real(v))
		e.float(imag(v))
	default:
		e.bad = true
		return
	}
	e.end(start)
}

// begin writes what stands before a value that is no struct, but for its length.
func (e *encoder) begin(name string, id int64) (start int) {
	e.string(name)
	e.int(id)
	start = len(e.buf)
	e.buf = append(e.buf, 0, 0) // most lengths take one byte
	return start
}

func (e *encoder) beginComposite(kind int) (start int) {
	c := e.use(kind)
	if c == nil {
		return len(e.buf)
	}
	return e.begin(c.name, c.id)
}

// end writes the length of the value that began at start.
func (e *encoder) end(start int) {
	if e.bad {
		return
	}
	n := len(e.buf) - start - 1 // the 0 before the value counts
	if n <= 0x7f {
		e.buf[start] = byte(n)
		return
	}
	var b [maxUint]byte
	e.buf = slices.Replace(e.buf, start, start+1, appendUint(b[:0], uint64(n))...)
}

func (e *encoder) deeper() bool {
	e.depth++
	if e.depth > maxDepth {
		e.bad = true
	}
	return !e.bad
}

func (e *encoder) anys(a []any) {
	if !e.deeper() {
		return
	}
	e.uint(uint64(len(a)))
	for _, v := range a {
		e.any(v)
		if e.bad {
			return
		}
	}
	e.depth--
}

func (e *encoder) stringMap(m map[string]any) {
	if !e.deeper() {
		return
	}
	start := len(e.pairs)
	for k, v := range m {
		e.pairs = append(e.pairs, pair{k, v})
	}
	end := len(e.pairs)
	slices.SortFunc(e.pairs[start:], comparePairs)
	e.uint(uint64(len(m)))
	for i := start; i < end; i++ {
		e.string(e.pairs[i].key)
		e.any(e.pairs[i].value)
		if e.bad {
			return
		}
	}
	clear(e.pairs[start:])
	e.pairs = e.pairs[:start]
	e.depth--
}

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *encoder) int(n int64) {
	x := uint64(n) << 1
	if n < 0 {
		x = ^x
	}
	e.uint(x)
}

func (e *encoder) float(f float64) { e.uint(bits.ReverseBytes64(math.Float64bits(f))) }

func (e *encoder) uint(x uint64) { e.buf = appendUint(e.buf, x) }

// maxUint is the most bytes that appendUint appends.
const maxUint = 9

func appendUint(b []byte, x uint64) []byte {
	if x <= 0x7f {
		return append(b, byte(x))
	}
	n := (bits.Len64(x) + 7) / 8
	b = append(b, byte(-n))
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(x>>(8*i)))
	}
	return b
}
