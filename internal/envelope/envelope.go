// Package envelope turns what a codec wrote into what lies in the item's data attribute, and back:
// compressed, then encrypted, then made text, as far as is wanted. How that was done stands in the
// item's codec attribute, the tag: the codec's name, followed by each further step, joined by "+",
// as in "gob+zstd+aes256gcm+base64". It knows nothing of DynamoDB but how it bills by size.
package envelope

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// The steps after the codec, in the order in which they are taken.
const (
	zstdStep   = "+zstd"
	aesStep    = "+aes256gcm"
	base64Step = "+base64"
)

// Config says how data is to lie in the table.
type Config struct {
	Codec         string // its name
	Text          bool   // sealed data is valid UTF-8
	Compress      bool   // where it saves capacity units
	Keys          [][]byte
	ReadPlaintext bool // with Keys: also open what is not encrypted
}

// Envelope seals and opens the data of sessions. It is safe for concurrent use.
type Envelope struct {
	config Config
	keys   [][]byte  // what is derived from config.Keys, see extract
	tags   [8]string // by the steps taken, see steps
	zstd   compressor
}

// New returns an Envelope. The keys are of 32 bytes each: the first seals, all open.
func New(config Config) *Envelope {
	e := &Envelope{config: config}
	for _, key := range config.Keys {
		e.keys = append(e.keys, extract(key))
	}
	for s := range e.tags {
		e.tags[s] = config.Codec
		for i, name := range []string{zstdStep, aesStep, base64Step} {
			if s&(1<<i) != 0 {
				e.tags[s] += name
			}
		}
	}
	return e
}

// steps is a set of steps.
const (
	compressed = 1 << iota
	encrypted
	armed
)

// Seal returns what to store under the session's key, and its tag. The other attributes of the item
// take overhead bytes. The result may share memory with plain.
func (e *Envelope) Seal(key string, plain []byte, overhead int) (tag string, stored []byte) {
	steps := 0
	stored = plain
	if e.config.Compress && len(plain) > compressAbove {
		if small := e.zstd.compress(plain); units(overhead+e.storedSize(small, true)) < units(overhead+e.storedSize(plain, false)) {
			stored = small
			steps |= compressed
		}
	}
	if len(e.config.Keys) > 0 {
		steps |= encrypted
		if e.config.Text {
			steps |= armed
		}
		stored = encrypt(e.keys[0], key, e.tags[steps], stored)
	}
	if e.config.Text && (steps&encrypted != 0 || !utf8.Valid(stored)) {
		steps |= armed
		stored = base64.StdEncoding.AppendEncode(nil, stored)
	}
	return e.tags[steps], stored
}

// storedSize returns the size of data, compressed or not, after the steps that follow.
func (e *Envelope) storedSize(data []byte, compressed bool) int {
	n := len(data)
	if len(e.config.Keys) > 0 {
		n += sealSize
	}
	if e.config.Text && (len(e.config.Keys) > 0 || compressed || !utf8.Valid(data)) {
		n = base64.StdEncoding.EncodedLen(n)
	}
	return n
}

// compressAbove is the size up to which data is never compressed: there is no capacity unit to
// save below one.
const compressAbove = 1 << 10

// units returns the write capacity units of an item of n bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
func units(n int) int { return (n + 1023) / 1024 }

// Opened is what Open found.
type Opened struct {
	Plain []byte
	// Current: the data lies in the form that Seal gives to it now, by the first key. Whether it is
	// compressed is no matter of form.
	Current bool
}

// The errors do not quote their input: it is somebody's session.
var (
	errStep      = errors.New("its attribute codec names a step that this version does not know")
	errBase64    = errors.New("its data is not the base64 that its attribute codec says it is")
	errPlaintext = errors.New("it is not encrypted, which Config.ReadPlaintext would have to allow")
	errNoKey     = errors.New("it is encrypted, and there are no Config.EncryptionKeys")
	errDecrypt   = errors.New("none of Config.EncryptionKeys opens it, or it was altered, or it was made for another session")
	errZstd      = errors.New("its data is not the zstd that its attribute codec says it is")
	errTooLong   = errors.New("its data is larger than Store.MaxLength allows")
)

// Codec returns the name of the codec in a tag.
func Codec(tag string) string {
	codec, _, _ := strings.Cut(tag, "+")
	return codec
}

// Open undoes the steps that the tag names, for the item under the session's key, and returns what
// the codec wrote, which is at most limit bytes. Text says whether it lies there
// as text. The result may share memory with stored. Errors quote nothing.
func (e *Envelope) Open(key, tag string, stored []byte, text bool, limit int) (Opened, error) {
	name := Codec(tag)
	steps, ok := parse(tag[len(name):])
	if !ok {
		return Opened{}, errStep
	}
	if steps&encrypted == 0 && !e.opensPlaintext() {
		return Opened{}, errPlaintext
	}
	o := Opened{Plain: stored, Current: name == e.config.Codec && text == e.config.Text && steps&encrypted != 0 == (len(e.config.Keys) > 0)}
	var err error
	if steps&armed != 0 {
		if o.Plain, err = base64.StdEncoding.AppendDecode(nil, o.Plain); err != nil {
			return Opened{}, errBase64
		}
	}
	if steps&encrypted != 0 {
		if len(e.config.Keys) == 0 {
			return Opened{}, errNoKey
		}
		var by int
		if o.Plain, by, ok = decrypt(e.keys, key, tag, o.Plain); !ok {
			return Opened{}, errDecrypt
		}
		o.Current = o.Current && by == 0
	}
	if steps&compressed != 0 {
		if o.Plain, err = e.zstd.decompress(o.Plain, limit); err != nil {
			return Opened{}, err
		}
	}
	if len(o.Plain) > limit {
		return Opened{}, errTooLong
	}
	return o, nil
}

func (e *Envelope) opensPlaintext() bool { return len(e.config.Keys) == 0 || e.config.ReadPlaintext }

// parse returns the steps that stand after the codec's name in a tag.
func parse(tag string) (steps int, ok bool) {
	for i, name := range []string{zstdStep, aesStep, base64Step} {
		if rest, found := strings.CutPrefix(tag, name); found {
			steps |= 1 << i
			tag = rest
		}
	}
	return steps, tag == ""
}

// Foreign returns the ways in which data without a tag, written by another store, may be meant, of at most
// limit bytes, the likelier first: as it is and, if it was stored as text, as base64 of something else. It is
// an error where only what is encrypted may be opened.
func (e *Envelope) Foreign(stored []byte, text bool, limit int) ([][]byte, error) {
	if !e.opensPlaintext() {
		return nil, errPlaintext
	}
	ways := [][]byte{stored}
	if text {
		if plain, err := base64.StdEncoding.AppendDecode(nil, stored); err == nil {
			ways = append(ways, plain)
		}
	}
	ways = slices.DeleteFunc(ways, func(way []byte) bool { return len(way) > limit })
	if len(ways) == 0 {
		return nil, errTooLong
	}
	return ways, nil
}
