package gobread

// The ids of the predefined types, and the first id for the types that a stream defines.
const (
	idBool    = 1
	idInt     = 2
	idUint    = 3
	idFloat   = 4
	idBytes   = 5
	idString  = 6
	idComplex = 7
	idAny     = 8
	idFirst   = 64
)

// A definition defines a type in a stream.
type definition struct {
	id    int64
	shape shape
}

// A shape is the structure of a type. A stream defines it by a struct wireType with one field set.
type shape struct {
	kind      uint64 // the number of that field; 0 for a predefined type
	key, elem int64  // ids of types; elem is the id itself of a predefined type
}

const (
	sliceShape      = 2
	mapShape        = 4
	gobEncoderShape = 5 // a type with a GobEncode method
)

// A reader reads the tokens of a gob, which is a sequence of messages. At the first error it sets
// bad; from then on, the results of its methods are meaningless.
type reader struct {
	data    []byte
	pos     int
	end     int // of the current message
	bad     bool
	defined []definition
}

// message begins the next message: "a byte count of the number of bytes remaining in the message;
// then the message itself".
func (r *reader) message() {
	r.end = len(r.data)
	if n := r.uint(); n > uint64(r.end-r.pos) {
		r.bad = true
	} else {
		r.end = r.pos + int(n)
	}
}

// uint reads an unsigned integer: "If it is less than 128, it is sent as a byte with that value.
// Otherwise it is sent as a minimal-length big-endian (high byte first) byte stream holding the
// value, preceded by one byte holding the byte count, negated."
func (r *reader) uint() (x uint64) {
	if r.pos >= r.end {
		r.bad = true
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	if b <= 0x7f {
		return uint64(b)
	}
	n := -int(int8(b))
	r.bad = r.bad || n > 8
	for _, b := range r.bytes(uint64(n)) {
		x = x<<8 | uint64(b)
	}
	return x
}

// int reads a signed integer: "bits 1 upward contain the value; bit 0 says whether they should be
// complemented upon receipt".
func (r *reader) int() int64 {
	x := r.uint()
	if x&1 != 0 {
		return ^int64(x >> 1)
	}
	return int64(x >> 1)
}

// bytes reads n bytes. They are part of data.
func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(r.end-r.pos) {
		r.bad = true
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// id reads the id of a type, which is an int32 in encoding/gob.
func (r *reader) id() int64 {
	id := r.int()
	r.bad = r.bad || id != int64(int32(id))
	return id
}

// typeID reads type definitions and the id of the type of the value that follows them. Each
// definition is a message, even inside an interface value.
func (r *reader) typeID(inInterface bool) int64 {
	for {
		if r.pos == r.end {
			r.message()
		}
		id := r.id()
		if r.bad || id >= 0 {
			return id
		}
		r.define(-id)
		if r.pos < r.end {
			r.bad = r.bad || !inInterface
			r.uint() // the next message's byte count
		}
	}
}

// define reads the definition of a type, a wireType. Each field of a struct is preceded by "the
// delta from the previous field number", and a zero ends the struct. Fields that are zero, such as
// an empty name, are left out.
func (r *reader) define(id int64) {
	s := shape{kind: r.uint()}
	r.field(1) // CommonType, the first field of every kind
	if delta := r.uint(); delta == 1 {
		r.bytes(r.uint()) // its name
		r.field(1)
	} else if delta != 2 {
		r.bad = true
	}
	r.id()
	r.zero()
	switch s.kind {
	case mapShape:
		r.field(1)
		s.key = r.id()
		fallthrough
	case sliceShape:
		r.field(1)
		s.elem = r.id()
	case gobEncoderShape:
	default:
		r.bad = true
	}
	r.zero() // the end of the kind's struct
	r.zero() // the end of wireType
	r.bad = r.bad || id < idFirst || len(r.defined) == maxTypes || r.shapeOf(id) != shape{}
	if !r.bad {
		r.defined = append(r.defined, definition{id, s})
	}
}

// field reads the delta before a field.
func (r *reader) field(delta uint64) { r.bad = r.uint() != delta || r.bad }

// zero reads the zero byte that precedes a value that is not a struct, or ends a struct.
func (r *reader) zero() bool {
	r.field(0)
	return !r.bad
}

// shapeOf returns the shape of a type: the zero shape if the stream does not define it.
func (r *reader) shapeOf(id int64) shape {
	if id < idFirst {
		return shape{elem: id}
	}
	for _, d := range r.defined {
		if d.id == id {
			return d.shape
		}
	}
	return shape{}
}
