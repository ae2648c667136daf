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

// A composite is a type that a gob has to define, or that a program has to register, before it is used. What is
// known of one holds for the life of the process: gob takes no registration back.
type composite struct {
	name       string // under which it is registered; "": it is the session's own map
	id         int64  // of gob's choice, in this process
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

// composite returns what gob knows of one of the composites, nil if it is not registered.
func (c *Codec) composite(kind int) *composite {
	if known := c.learned[kind].Load(); known != nil {
		return known
	}
	known := learn(kind)
	if known != nil {
		c.learned[kind].Store(known)
	}
	return known
}

// learn has encoding/gob write one of the composites, and looks at what that is.
func learn(kind int) *composite {
	samples := [composites]any{
		sessionMap:   map[any]any{},
		anySlice:     []any{},
		stringMap:    map[string]any{},
		stringSlice:  []string{},
		intSlice:     []int{},
		timeTime:     time.Time{},
		timeDuration: time.Duration(0),
	}
	known := &composite{}
	d := reader{data: encoded(samples[kind])}
	if kind != timeDuration { // an integer, which has no definition
		d.message()
		known.definition = d.data[:d.end]
		d.pos = d.end
	}
	d.message()
	known.id = d.int()
	if kind != sessionMap {
		stream := encoded(map[any]any{0: samples[kind]})
		if stream == nil {
			return nil
		}
		known.name = registeredName(stream)
	}
	if d.bad || kind != sessionMap && known.name == "" {
		return nil
	}
	return known
}

// encoded returns what encoding/gob makes of v, nil for an error.
func encoded(v any) []byte {
	var b bytes.Buffer
	if gob.NewEncoder(&b).Encode(v) != nil {
		return nil
	}
	return b.Bytes()
}

// registeredName returns the name of the type of the only value in a map[any]any whose key is an int.
func registeredName(stream []byte) string {
	d := reader{data: stream}
	d.message()
	d.pos = d.end // the map's definition
	d.message()
	d.int()           // the map's id
	d.uint()          // its delta
	d.uint()          // its length
	d.bytes(d.uint()) // the key: its name
	d.int()           // its id
	d.bytes(d.uint()) // its delta and value
	name := d.bytes(d.uint())
	if d.bad {
		return ""
	}
	return string(name)
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
