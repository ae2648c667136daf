// Package quickgob writes and reads the gobs of most sessions without [encoding/gob].
//
// What encoding/gob spends on a map[any]any of a few strings and numbers is mostly not for them: each
// Encoder describes the same types again, each Decoder compiles what was described again, and each value
// passes through reflection. A Decoder cannot be kept for the next stream either: a gob defines types where
// a value first needs them, inside the map, and a Decoder that knows them refuses to be told twice.
//
// So this package knows the format itself (https://pkg.go.dev/encoding/gob, "Encoding Details", which Go's
// compatibility promise fixes), for maps from strings to the types of [Codec]. All else it leaves to
// encoding/gob: what it is given and what it reads of any other type, and whatever looks odd. What it writes,
// encoding/gob reads as what it was given, and what it reads, encoding/gob reads as the same. Unlike encoding/gob,
// it writes equal values as equal bytes.
package quickgob

import (
	"bytes"
	"encoding/gob"
	"sync"
	"sync/atomic"
	"time"
)

// A Codec writes and reads maps whose values are nil, bool, string, every type of numbers, []byte,
// []string, []int, and, if the program registers them with [gob.Register], []any and
// map[string]any of such values, [time.Time] and [time.Duration]. It is safe for concurrent use. The zero Codec is ready.
type Codec struct {
	learned  [composites]atomic.Pointer[composite]
	encoders sync.Pool // of *encoder
}

// A composite is a type that a gob has to define, or that a program has to register, before it is used.
type composite struct {
	name       string // under which it is registered; "": it is the session's own map
	id         int64
	definition []byte // the message that defines id; nil: it needs none
}

// The composites.
const (
	sessionMap = iota
	anySlice
	stringMap
	stringSlice
	intSlice
	timeTime
	timeDuration
	composites
)

// forms are what is written of the composites. A stream may give its types any ids from idFirst on; encoding/gob
// takes the next free one of the process. These are the same in every process, so that equal sessions are equal bytes.
var forms = [composites]struct {
	sample any
	shape  shape
}{
	sessionMap:   {map[any]any{}, shape{mapShape, idAny, idAny}},
	anySlice:     {[]any{}, shape{sliceShape, 0, idAny}},
	stringMap:    {map[string]any{}, shape{mapShape, idString, idAny}},
	stringSlice:  {[]string{}, shape{sliceShape, 0, idString}},
	intSlice:     {[]int{}, shape{sliceShape, 0, idInt}},
	timeTime:     {time.Time{}, shape{kind: gobShape}},
	timeDuration: {time.Duration(0), shape{}}, // an integer to gob
}

// composite returns one of the composites, nil if it is not registered.
func (c *Codec) composite(kind int) *composite {
	if known := c.learned[kind].Load(); known != nil {
		return known
	}
	known := learn(kind)
	if known != nil {
		c.learned[kind].Store(known) // for the life of the process: gob takes no registration back
	}
	return known
}

// learn has encoding/gob write one of the composites, and looks at how it calls it.
func learn(kind int) *composite {
	known := &composite{id: idFirst + int64(kind), definition: definition(kind)}
	if kind == timeDuration {
		known.id = idInt
	}
	if kind == sessionMap {
		return known
	}
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(map[any]any{0: forms[kind].sample}) != nil {
		return nil
	}
	r := reader{data: b.Bytes()}
	r.message()
	r.pos = r.end // the map's definition
	r.message()
	r.int()           // the map's id
	r.uint()          // what stands before a value that is no struct
	r.uint()          // the map's length
	r.bytes(r.uint()) // the name of the key's type, int
	r.int()           // its id
	r.bytes(r.uint()) // the key
	known.name = string(r.bytes(r.uint()))
	if r.bad {
		return nil
	}
	return known
}

// definition returns the message that defines one of the composites: a wireType of encoding/gob, of which one field is
// set. A number says by how many fields the next one is further, and zero ends a struct.
func definition(kind int) []byte {
	s := forms[kind].shape
	if s == (shape{}) {
		return nil
	}
	var e encoder
	e.int(-(idFirst + int64(kind)))
	e.uint(uint64(s.kind))
	e.uint(1) // the commonType that each has
	e.uint(0) // without a name, and without repeating the id, which is what shows that it is ours
	if s.kind == mapShape {
		e.uint(1)
		e.int(s.key)
	}
	if s.kind != gobShape {
		e.uint(1)
		e.int(s.elem)
	}
	e.uint(0)
	e.uint(0)
	return append(appendUint(nil, uint64(len(e.buf))), e.buf...)
}

// Ours reports whether Encode wrote data, as its first definition shows. Two sessions that it wrote are equal if and
// only if their bytes are.
func (c *Codec) Ours(data []byte) bool {
	return bytes.HasPrefix(data, c.composite(sessionMap).definition)
}

// gob's ids of the types that no stream has to define.
const (
	idBool    = 1
	idInt     = 2
	idUint    = 3
	idFloat   = 4
	idBytes   = 5
	idString  = 6
	idComplex = 7
	idAny     = 8
	idFirst   = 64 // of those that streams define
)

// maxDepth is how many slices and maps may stand inside one another here. Deeper ones are gob's.
const maxDepth = 100

// maxName is the longest name of a type that gob takes.
const maxName = 1024
