package quickgob

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// A string is a part of the data if that has no more than maxShared bytes, or maxFactor times those of the string. An
// application that keeps the string keeps all of the data.
const (
	maxShared = 4 << 10
	maxFactor = 32
)

// maxTypes is how many types a stream may define.
const maxTypes = 8

// A decoder reads one session.
type decoder struct {
	reader
	codec  *Codec
	text   string // data
	chunk  strings.Builder
	types  [maxTypes]defined
	ntypes int
	depth  int
}

// defined is a type that the stream defines.
type defined struct {
	id    int64
	shape shape
}

// A shape is what a definition says.
type shape struct {
	kind      byte // the field of gob's wireType
	key, elem int64
}

// The kinds of shapes.
const (
	sliceShape = 2
	mapShape   = 4
	gobShape   = 5 // the type has a method GobEncode
)

// Decode returns the values that data holds, or false if that is for encoding/gob to say.
func (c *Codec) Decode(data []byte) (map[any]any, bool) { return c.DecodeShared(bytes.Clone(data)) }

// DecodeShared is Decode of data that nobody writes to afterwards: strings may be parts of it.
func (c *Codec) DecodeShared(data []byte) (map[any]any, bool) {
	d := decoder{reader: reader{data: data}, codec: c, text: unsafe.String(unsafe.SliceData(data), len(data))}
	if id := d.typeID(false); !d.is(id, forms[sessionMap].shape) || !d.single() {
		return nil, false
	}
	n := d.uint()
	values := make(map[any]any, d.hint(n))
	for ; n > 0 && !d.bad; n-- {
		key, ok := d.any().(string)
		if !ok {
			return nil, false
		}
		values[key] = d.any()
	}
	if d.bad {
		return nil, false
	}
	return values, true
}

// hint returns for how many elements to make room, if there are said to be n. They may not be there.
func (d *decoder) hint(n uint64) int { return int(min(n, uint64(d.end-d.pos), 128)) }

// typeID reads the definitions of types that may come before a value, and returns the id of the value's type.
func (d *decoder) typeID(inside bool) int64 {
	for {
		if d.pos == d.end {
			d.message()
		}
		id := d.int()
		if d.bad || id >= 0 {
			return id
		}
		d.define(-id)
		if d.pos < d.end {
			if !inside {
				d.bad = true
			}
			d.uint() // a message's length, where messages stand in a value
		}
	}
}

// define reads the definition of a type: the fields of gob's wireType, of which one is set. A number says by how many
// fields the next one is further, and zero ends a struct.
func (d *decoder) define(id int64) {
	s := shape{kind: byte(min(d.uint(), 255))}
	if d.uint() != 1 { // each has a commonType first
		d.bad = true
	}
	field := uint64(0)
	for delta := d.uint(); delta != 0 && !d.bad; delta = d.uint() {
		switch field += delta; field {
		case 1:
			d.bytes(d.uint()) // name
		case 2:
			d.int() // id
		default:
			d.bad = true
		}
	}
	switch s.kind {
	case mapShape:
		s.key = d.field()
		s.elem = d.field()
	case sliceShape:
		s.elem = d.field()
	case gobShape:
	default:
		d.bad = true
	}
	d.single() // the end of the field's struct
	d.single() // and that of wireType
	if id < idFirst || d.find(id) != nil || d.ntypes == maxTypes {
		d.bad = true
	}
	if !d.bad {
		d.types[d.ntypes] = defined{id, s}
		d.ntypes++
	}
}

// field reads the field that follows the last one, an integer.
func (d *decoder) field() int64 {
	if d.uint() != 1 {
		d.bad = true
	}
	return d.int()
}

func (d *decoder) find(id int64) *defined {
	for i := range d.types[:d.ntypes] {
		if d.types[i].id == id {
			return &d.types[i]
		}
	}
	return nil
}

// is reports whether the stream defined id so.
func (d *decoder) is(id int64, s shape) bool {
	t := d.find(id)
	return t != nil && t.shape == s
}

// single reads the zero that stands before a value that is no struct, as at the end of one that is.
func (d *decoder) single() bool {
	if d.uint() != 0 {
		d.bad = true
	}
	return !d.bad
}

// any reads an interface: the name of a type, the type's id, the length of the value, and the value.
func (d *decoder) any() any {
	n := d.uint()
	if n == 0 {
		return nil
	}
	if n > maxName {
		d.bad = true
	}
	name := d.bytes(n)
	id := d.typeID(true)
	d.uint() // the length, if no definition stands inside: gob does not look at it
	if !d.single() {
		return nil
	}
	var want int64
	var v any
	switch string(name) {
	case "string":
		want, v = idString, d.string()
	case "int":
		want, v = idInt, int(d.sized(strconv.IntSize))
	case "bool":
		want, v = idBool, d.uint() != 0
	case "float64":
		want, v = idFloat, d.float()
	case "int64":
		want, v = idInt, d.int()
	case "[]uint8":
		want, v = idBytes, d.slice()
	case "int8":
		want, v = idInt, int8(d.sized(8))
	case "int16":
		want, v = idInt, int16(d.sized(16))
	case "int32":
		want, v = idInt, int32(d.sized(32))
	case "uint":
		want, v = idUint, uint(d.unsigned(strconv.IntSize))
	case "uint8":
		want, v = idUint, uint8(d.unsigned(8))
	case "uint16":
		want, v = idUint, uint16(d.unsigned(16))
	case "uint32":
		want, v = idUint, uint32(d.unsigned(32))
	case "uint64":
		want, v = idUint, d.uint()
	case "uintptr":
		want, v = idUint, uintptr(d.unsigned(strconv.IntSize))
	case "float32":
		want, v = idFloat, d.float32()
	case "complex64":
		want, v = idComplex, complex(d.float32(), d.float32())
	case "complex128":
		want, v = idComplex, complex(d.float(), d.float())
	default:
		return d.composite(string(name), id)
	}
	if id != want {
		d.bad = true
	}
	return v
}

// composite reads a value of one of the composites.
func (d *decoder) composite(name string, id int64) any {
	switch name {
	case "[]interface {}":
		if d.registered(name, anySlice) && d.is(id, forms[anySlice].shape) {
			return d.anys()
		}
	case "map[string]interface {}":
		if d.registered(name, stringMap) && d.is(id, forms[stringMap].shape) {
			return d.stringMap()
		}
	case "[]string":
		if d.registered(name, stringSlice) && d.is(id, forms[stringSlice].shape) {
			return elements(d, d.string)
		}
	case "[]int":
		if d.registered(name, intSlice) && d.is(id, forms[intSlice].shape) {
			return elements(d, func() int { return int(d.sized(strconv.IntSize)) })
		}
	case "time.Time":
		if d.registered(name, timeTime) && d.is(id, forms[timeTime].shape) {
			var t time.Time
			if t.GobDecode(d.bytes(d.uint())) != nil {
				d.bad = true
			}
			return t
		}
	case "time.Duration":
		if d.registered(name, timeDuration) && id == idInt {
			return time.Duration(d.int())
		}
	}
	d.bad = true
	return nil
}

// registered reports whether the program registered one of the composites under its own name.
func (d *decoder) registered(name string, kind int) bool {
	c := d.codec.composite(kind)
	return c != nil && c.name == name
}

func (d *decoder) deeper() bool {
	d.depth++
	if d.depth > maxDepth {
		d.bad = true
	}
	return !d.bad
}

func (d *decoder) anys() []any {
	if !d.deeper() {
		return nil
	}
	a := elements(d, d.any)
	d.depth--
	return a
}

// elements reads a slice, which is nil if it is empty, as gob leaves it.
func elements[T any](d *decoder, read func() T) []T {
	n := d.uint()
	if n == 0 {
		return nil
	}
	a := make([]T, 0, d.hint(n))
	for ; n > 0 && !d.bad; n-- {
		a = append(a, read())
	}
	return a
}

func (d *decoder) stringMap() map[string]any {
	if !d.deeper() {
		return nil
	}
	n := d.uint()
	m := make(map[string]any, d.hint(n))
	for ; n > 0 && !d.bad; n-- {
		key := d.string()
		m[key] = d.any()
	}
	d.depth--
	return m
}

func (d *decoder) string() string {
	b := d.bytes(d.uint())
	switch {
	case len(d.text) <= max(maxShared, maxFactor*len(b)):
		return d.text[d.pos-len(b) : d.pos]
	case len(b) > maxShared/8:
		return string(b)
	}
	// Short ones share an allocation, which is never reused.
	if d.chunk.Cap()-d.chunk.Len() < len(b) {
		size := min(max(2*d.chunk.Cap(), maxShared/8), maxShared)
		d.chunk.Reset()
		d.chunk.Grow(size)
	}
	d.chunk.Write(b)
	all := d.chunk.String()
	return all[len(all)-len(b):]
}

// slice reads a []byte, which is nil if it is empty, as gob leaves it.
func (d *decoder) slice() []byte {
	b := d.bytes(d.uint())
	if len(b) == 0 {
		return nil
	}
	return bytes.Clone(b)
}

// sized reads an integer of so many bits.
func (d *decoder) sized(bits int) int64 {
	n := d.int()
	if shift := 64 - bits; n<<shift>>shift != n {
		d.bad = true
	}
	return n
}

func (d *decoder) unsigned(size int) uint64 {
	n := d.uint()
	if bits.Len64(n) > size {
		d.bad = true
	}
	return n
}

// float reads a float64: its bytes in reverse, since the last ones are zero more often.
func (d *decoder) float() float64 { return math.Float64frombits(bits.ReverseBytes64(d.uint())) }

func (d *decoder) float32() float32 {
	f := d.float()
	if a := math.Abs(f); a > math.MaxFloat32 && a <= math.MaxFloat64 {
		d.bad = true
	}
	return float32(f)
}
