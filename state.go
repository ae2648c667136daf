package dynamostore

import (
	"maps"
	"reflect"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/tracking"
)

// states holds what New learned about each session that is in use. It is kept per process, not
// per Store: gorilla's registry hands a session that one Store loaded to another.
var states tracking.Map[sessions.Session, state]

// A standing is where a session stands between its browser and its table.
type standing int

const (
	// fresh: the session is not in the table, and Save creates it.
	fresh standing = iota
	// live: the session was loaded or written, and Save updates it.
	live
	// notLoaded: the table could not be read. Save must not write.
	notLoaded
	// moved: the session has another ID by now, which this request's browser will have too.
	moved
)

// state is what is known about a session beside what its fields say. It does not point to the
// session: see [tracking.Map].
type state struct {
	standing standing
	// id is the one that the cookie brought, also where session.ID is empty because a Save must not
	// take it up again: a logout deletes it all the same. "": none.
	id string
	// options are those that New gave or Save used: by them, a change is seen.
	options sessions.Options
	// resign: the cookie is good, but was not signed by the first key.
	resign bool

	// lease is the lock under which the session was loaded; nil: none.
	lease *lease

	// What follows is known of live sessions.

	item *record.Item // as it lies in the table, without its data
	base base
	// rewrite: the item is readable, but not in the form in which it would be written now.
	rewrite bool
}

// base is the values that lie in the table.
type base struct {
	codec Codec
	data  []byte // as codec wrote them
	// values are the values themselves, where all of them are immutable: that saves decoding
	// data. nil otherwise.
	values map[any]any
}

// newBase returns the base of values, which are what codec makes of data. It may keep data.
func newBase(codec Codec, data []byte, values map[any]any) base {
	b := base{codec: codec, data: data}
	for _, v := range values {
		if !immutable(v) {
			return b
		}
	}
	b.values = maps.Clone(values)
	if b.values == nil {
		b.values = map[any]any{}
	}
	return b
}

// immutable reports whether v cannot be changed but by being replaced, and can be compared by ==.
func immutable(v any) bool {
	switch v.(type) {
	case nil, bool, string, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr,
		float32, float64, complex64, complex128, time.Time, time.Duration:
		return true
	}
	return false
}

// decoded returns the base's values. The caller must not change the map.
func (b *base) decoded() (map[any]any, error) {
	if b.values != nil {
		return b.values, nil
	}
	return b.codec.Decode(b.data)
}

// identical reports whether values are those of b by a look at the map alone. If not, they may
// still be equal.
func (b *base) identical(values map[any]any) bool {
	if b.values == nil || len(b.values) != len(values) {
		return false
	}
	for k, v := range values {
		if old, ok := b.values[k]; !ok || !immutable(v) || old != v {
			return false
		}
	}
	return true
}

// equal reports whether two values under one key are the same session: deeply equal, or written
// alike, such as a time with and without a monotonic clock reading, NaN, or what gob makes of
// a value and of a pointer to it.
func equal(codec Codec, key, a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	encodedA, errA := codec.Encode(map[any]any{key: a})
	encodedB, errB := codec.Encode(map[any]any{key: b})
	return errA == nil && errB == nil && string(encodedA) == string(encodedB)
}

// equalValues reports whether two maps of values are the same session.
func equalValues(codec Codec, a, b map[any]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		old, ok := b[k]
		if !ok || !equal(codec, k, v, old) {
			return false
		}
	}
	return true
}
