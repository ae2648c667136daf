// Package gobread reads gobs of plain session values without [encoding/gob].
//
// For a small session, encoding/gob spends most of its time on reflection and on compiling the
// types that the stream defines, which every Decoder does again.
//
// This package reads the format itself. Section "Encoding Details" in the documentation of
// encoding/gob specifies it; comments here quote from there. The package reads sessions whose keys
// are strings and whose values are nil or have one of the types that the init function below lists.
// Anything else is left to encoding/gob. Whatever this package decodes, encoding/gob decodes to the
// same values.
package gobread

import (
	"bytes"
	"encoding/gob"
	"math"
	"math/bits"
	"reflect"
	"sync/atomic"
	"time"

	"example.com/dynamostore/internal/substring"
)

const (
	maxDepth = 100 // of nested slices and maps
	maxTypes = 20  // type definitions in a stream
)

// A decoder reads one session.
type decoder struct {
	reader
	text  substring.Source // of data
	depth int
}

// Decode returns the values in data, which share no memory with it. It returns false if data must
// be decoded by encoding/gob, which may return an error.
func Decode(data []byte) (values map[any]any, ok bool) {
	d := decoder{reader: reader{data: data, defined: make([]definition, 0, 4)}, text: substring.Source{Data: data}}
	if id := d.typeID(false); d.shapeOf(id) != (shape{mapShape, idAny, idAny}) || !d.zero() {
		return nil, false
	}
	values = entries(&d, (*decoder).stringKey, (*decoder).any)
	return values, !d.bad
}

// stringKey reads a key of a session, which is an interface value.
func (d *decoder) stringKey() any {
	key := d.any()
	if _, ok := key.(string); !ok {
		d.bad = true
	}
	return key
}

// hint returns the capacity to allocate for n elements. The stream may announce more than it
// contains.
func (d *decoder) hint(n uint64) int { return int(min(n, uint64(d.end-d.pos), 128)) }

// any reads an interface value: "a string identifying the concrete type (a name that must be
// pre-defined by calling Register), followed by a byte count of the length of the following data
// [...], followed by the usual encoding of concrete (dynamic) value". Type definitions may precede
// the byte count.
func (d *decoder) any() any {
	n := d.uint()
	if n == 0 {
		return nil
	}
	t := types[string(d.bytes(n))]
	id := d.typeID(true)
	d.uint() // the byte count
	if !d.zero() || t == nil || d.shapeOf(id) != t.shape || !t.isRegistered() {
		d.bad = true
		return nil
	}
	return t.read(d)
}

// A goType is a type that can be decoded.
type goType struct {
	name       string // under which gob.Register registers the type
	sample     any
	shape      shape
	read       func(*decoder) any
	registered atomic.Bool // a cache: a registration cannot be undone
}

var types = make(map[string]*goType)

func init() {
	scalar(idBool, (*decoder).bool)
	scalar(idString, (*decoder).string)
	scalar(idBytes, (*decoder).slice)
	scalar(idInt, signed[int])
	scalar(idInt, signed[int8])
	scalar(idInt, signed[int16])
	scalar(idInt, signed[int32])
	scalar(idInt, signed[int64])
	scalar(idUint, unsigned[uint])
	scalar(idUint, unsigned[uint8])
	scalar(idUint, unsigned[uint16])
	scalar(idUint, unsigned[uint32])
	scalar(idUint, unsigned[uint64])
	scalar(idUint, unsigned[uintptr])
	scalar(idFloat, (*decoder).float32)
	scalar(idFloat, (*decoder).float64)
	scalar(idComplex, func(d *decoder) complex64 { return complex(d.float32(), d.float32()) })
	scalar(idComplex, func(d *decoder) complex128 { return complex(d.float64(), d.float64()) })
	scalar(idInt, signed[time.Duration])
	add(shape{kind: gobEncoderShape}, (*decoder).time)

	composites(idAny, (*decoder).any)
	composites(idBool, (*decoder).bool)
	composites(idString, (*decoder).string)
	composites(idInt, signed[int])
	composites(idInt, signed[int64])
	composites(idFloat, (*decoder).float64)
}

func scalar[T any](id int64, read func(*decoder) T) { add(shape{elem: id}, read) }

// composites adds []E and map[string]E.
func composites[E any](id int64, element func(*decoder) E) {
	add(shape{sliceShape, 0, id}, func(d *decoder) []E { return elements(d, element) })
	add(shape{mapShape, idString, id}, func(d *decoder) map[string]E { return entries(d, (*decoder).string, element) })
}

func add[T any](s shape, read func(*decoder) T) {
	var sample T
	name := reflect.TypeFor[T]().String()
	types[name] = &goType{name: name, sample: sample, shape: s, read: func(d *decoder) any { return read(d) }}
}

// isRegistered reports whether the type is registered under t.name.
func (t *goType) isRegistered() bool {
	if !t.registered.Load() {
		var b bytes.Buffer
		if gob.NewEncoder(&b).Encode(&t.sample) != nil {
			return false
		}
		r := reader{data: b.Bytes()} // an interface value, as in decoder.any
		r.message()
		t.registered.Store(r.id() == idAny && r.zero() && string(r.bytes(r.uint())) == t.name)
	}
	return t.registered.Load()
}

// elements reads a slice: "their length (an unsigned integer) followed by that many elements". An
// empty slice is nil, as from encoding/gob.
func elements[E any](d *decoder, element func(*decoder) E) []E {
	n := d.uint()
	if n == 0 || !d.enter() {
		return nil
	}
	s := make([]E, 0, d.hint(n))
	for ; n > 0 && !d.bad; n-- {
		s = append(s, element(d))
	}
	d.depth--
	return s
}

// entries reads a map: "their length (an unsigned integer) followed by that many key, element
// pairs".
func entries[K comparable, E any](d *decoder, key func(*decoder) K, element func(*decoder) E) map[K]E {
	if !d.enter() {
		return nil
	}
	n := d.uint()
	m := make(map[K]E, d.hint(n))
	for ; n > 0 && !d.bad; n-- {
		k := key(d)
		if e := element(d); !d.bad {
			m[k] = e
		}
	}
	d.depth--
	return m
}

// enter counts another level of nesting.
func (d *decoder) enter() bool {
	d.depth++
	d.bad = d.bad || d.depth > maxDepth
	return !d.bad
}

func (d *decoder) string() string {
	b := d.bytes(d.uint())
	return d.text.String(d.pos-len(b), d.pos)
}

// slice reads a []byte, which is nil if it is empty, as from encoding/gob.
func (d *decoder) slice() []byte { return append([]byte(nil), d.bytes(d.uint())...) }

func (d *decoder) bool() bool { return d.uint() != 0 }

func signed[T ~int | ~int8 | ~int16 | ~int32 | ~int64](d *decoder) T {
	n := d.int()
	d.bad = d.bad || int64(T(n)) != n
	return T(n)
}

func unsigned[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr](d *decoder) T {
	n := d.uint()
	d.bad = d.bad || uint64(T(n)) != n
	return T(n)
}

// float64 reads the bits of a float64, "byte-reversed", as a uint64.
func (d *decoder) float64() float64 { return math.Float64frombits(bits.ReverseBytes64(d.uint())) }

func (d *decoder) float32() float32 {
	f := d.float64()
	a := math.Abs(f)
	d.bad = d.bad || a > math.MaxFloat32 && a <= math.MaxFloat64
	return float32(f)
}

func (d *decoder) time() (t time.Time) {
	d.bad = t.GobDecode(d.bytes(d.uint())) != nil || d.bad
	return t
}
