// Package envelope turns what a codec wrote into what lies in the item's data attribute, and back.
// How that was done stands in the item's codec attribute, the tag: the codec's name, followed by
// each further step, joined by "+", as in "gob+base64". It knows nothing of DynamoDB.
package envelope

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

const base64Step = "base64"

// Envelope seals data for one codec. It is safe for concurrent use.
type Envelope struct {
	text  bool   // the attribute holds text, not bytes
	plain string // the tag of data that is stored as it is
	armed string // the tag of data that is stored in base64
}

// New returns an Envelope for what the codec of that name writes. With text, sealed data is
// always valid UTF-8, in base64 where it has to be.
func New(codec string, text bool) *Envelope {
	return &Envelope{text: text, plain: codec, armed: codec + "+" + base64Step}
}

// Seal returns what to store and its tag. The result may share memory with plain.
func (e *Envelope) Seal(plain []byte) (tag string, stored []byte) {
	if e.text && !utf8.Valid(plain) {
		return e.armed, base64.StdEncoding.AppendEncode(nil, plain)
	}
	return e.plain, plain
}

// Current reports whether an item with this tag, stored as text or not, is in the form that Seal
// gives to items now.
func (e *Envelope) Current(tag string, text bool) bool {
	return text == e.text && (tag == e.plain || text && tag == e.armed)
}

// errStep and errBase64 do not quote their input: it is somebody's session.
var (
	errStep   = errors.New("the codec attribute names a step that this version does not know")
	errBase64 = errors.New("the data attribute is not the base64 that the codec attribute says it is")
)

// Codec returns the name of the codec in a tag.
func Codec(tag string) string {
	codec, _, _ := strings.Cut(tag, "+")
	return codec
}

// Open undoes the steps that tag names and returns what the codec wrote. The result may share
// memory with stored. Errors quote neither.
func Open(tag string, stored []byte) (plain []byte, err error) {
	_, steps, _ := strings.Cut(tag, "+")
	switch steps {
	case "":
		return stored, nil
	case base64Step:
		plain, err := base64.StdEncoding.AppendDecode(nil, stored)
		if err != nil {
			return nil, errBase64
		}
		return plain, nil
	}
	return nil, errStep
}

// Foreign returns the ways in which data without a tag, written by another store, may be meant,
// the likelier first: as it is and, if it was stored as text, as base64 of something else.
func Foreign(stored []byte, text bool) [][]byte {
	ways := [][]byte{stored}
	if text {
		if plain, err := base64.StdEncoding.AppendDecode(nil, stored); err == nil {
			ways = append(ways, plain)
		}
	}
	return ways
}
