package dynamostore

import (
	"reflect"

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
	// attempt is the last write, if DynamoDB did not answer it: it may have been applied.
	attempt *attempt
}

// attempt is a write of a session that may have been applied.
type attempt struct {
	item *record.Item // that it left in the table, without its data
	// ours are the session's values at that time. What was written may hold others' changes as well, which the session
	// does not have yet.
	ours   base
	maxAge int
	id     string // the new one, of a rotation; "": it was none
}

// base is the values that lie in the table.
type base struct {
	codec Codec
	data  []byte // as codec wrote them
}

func (b *base) decoded() (map[any]any, error) { return decode(b.codec, b.data) }

// differs reports whether values, of which codec makes data, are not those of b.
func (b *base) differs(codec Codec, data []byte, values map[any]any) bool {
	if string(data) == string(b.data) {
		return false
	}
	if c, ok := codec.(canonical); ok && codec == b.codec && c.canonical(data) && c.canonical(b.data) {
		return true
	}
	// Different bytes are not different values: gob writes maps in any order.
	old, err := b.decoded()
	return err != nil || !equalValues(codec, values, old)
}

// equal reports whether two values under one key are the same session: deeply equal, or written
// alike, such as a time with and without a monotonic clock reading, NaN, or what gob makes of
// a value and of a pointer to it, or alike once they are read again, since gob writes maps in any order.
func equal(codec Codec, key, a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	encodedA, errA := codec.Encode(map[any]any{key: a})
	encodedB, errB := codec.Encode(map[any]any{key: b})
	if errA != nil || errB != nil {
		return false
	}
	if string(encodedA) == string(encodedB) {
		return true
	}
	readA, errA := codec.Decode(encodedA)
	readB, errB := codec.Decode(encodedB)
	return errA == nil && errB == nil && reflect.DeepEqual(readA, readB)
}

// sameValue is equal, by the Store's codec.
func (s *Store) sameValue(key, a, b any) bool { return equal(s.codec, key, a, b) }

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
