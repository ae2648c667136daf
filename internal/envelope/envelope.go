// Package envelope converts a codec's output to the value of the item's data attribute, and back.
// Each of these steps is optional: it compresses the data, encrypts it, and encodes it as text. The
// item's codec attribute, the tag, names the steps: the codec's name, followed by each further
// step, joined by "+", as in "gob+zstd+aes256gcm+base64". The package knows nothing of DynamoDB
// except how it bills by size.
package envelope

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// The steps after the codec, as a set, and their names in the order in which they are taken.
const (
	compressed = 1 << iota
	encrypted
	encoded
)

var stepNames = [...]string{"+zstd", "+aes256gcm", "+base64"}

// Config says how data is stored.
type Config struct {
	Codec         string // its name
	Text          bool   // sealed data is valid UTF-8
	Compress      bool   // if that saves capacity units
	Keys          [][]byte
	ReadPlaintext bool // with Keys: also open what is not encrypted
}

// Envelope seals and opens the data of sessions. It is safe for concurrent use.
type Envelope struct {
	config Config
	keys   [][]byte  // derived from config.Keys, see extract
	tags   [8]string // indexed by the set of steps

	encoder func() *zstd.Encoder // created at the first use, as is decoder
	decoder func() *zstd.Decoder
}

// New returns an Envelope. Each key has 32 bytes: the first seals, all open.
func New(config Config) *Envelope {
	e := &Envelope{config: config, encoder: sync.OnceValue(newEncoder), decoder: sync.OnceValue(newDecoder)}
	for _, key := range config.Keys {
		e.keys = append(e.keys, extract(key))
	}
	for s := range e.tags {
		e.tags[s] = config.Codec
		for i, name := range stepNames {
			if s&(1<<i) != 0 {
				e.tags[s] += name
			}
		}
	}
	return e
}

// Seal returns what to store under the session's key, and its tag. The other attributes of the item
// take overhead bytes. The result may share memory with plain.
func (e *Envelope) Seal(key string, plain []byte, overhead int) (tag string, stored []byte) {
	steps := 0
	stored = plain
	if e.config.Compress && len(plain) > compressAbove {
		if small := e.compress(plain); units(overhead+e.storedSize(small)) < units(overhead+e.storedSize(plain)) {
			stored = small
			steps |= compressed
		}
	}
	if len(e.config.Keys) > 0 {
		steps |= encrypted
		if e.config.Text {
			steps |= encoded
		}
		stored = encrypt(e.keys[0], key, e.tags[steps], stored)
	}
	if e.config.Text && (steps&encrypted != 0 || !utf8.Valid(stored)) {
		steps |= encoded
		stored = base64.StdEncoding.AppendEncode(nil, stored)
	}
	return e.tags[steps], stored
}

// storedSize returns the size of data, compressed or not, after the remaining steps.
func (e *Envelope) storedSize(data []byte) int {
	n := len(data)
	if len(e.config.Keys) > 0 {
		n += sealSize
	}
	if e.config.Text && (len(e.config.Keys) > 0 || !utf8.Valid(data)) {
		n = base64.StdEncoding.EncodedLen(n)
	}
	return n
}

// compressAbove is the size up to which data is never compressed: an item takes at least one
// capacity unit.
const compressAbove = 1 << 10

// units returns the write capacity units of an item of n bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
func units(n int) int { return (n + 1023) / 1024 }

// Opened is the result of Open.
type Opened struct {
	Plain []byte
	// Current says that the data has the form that Seal would give it now, under the first key.
	// Compression does not matter.
	Current bool
}

// The errors do not quote their input, which is a user's session.
var (
	errStep      = errors.New("its attribute codec names a step that this version does not support")
	errBase64    = errors.New("its data is not the base64 that its attribute codec says it is")
	errPlaintext = errors.New("it is not encrypted, and Config.ReadPlaintext is false")
	errNoKey     = errors.New("it is encrypted, and there are no Config.EncryptionKeys")
	errDecrypt   = errors.New("none of Config.EncryptionKeys decrypts it, or it was altered, or it belongs to another session")
	errZstd      = errors.New("its data is not the zstd that its attribute codec says it is")
	errTooLong   = errors.New("its data is larger than Store.MaxLength allows")
)

// Codec returns the name of the codec in a tag.
func Codec(tag string) string {
	codec, _, _ := strings.Cut(tag, "+")
	return codec
}

// Open undoes the steps that the tag names, for the item under the session's key, and returns the
// codec's output, which is at most limit bytes. text says whether the item holds text. The result
// may share memory with stored. Errors quote nothing.
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
	if steps&encoded != 0 {
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
		if o.Plain, err = e.decompress(o.Plain, limit); err != nil {
			return Opened{}, err
		}
	}
	if len(o.Plain) > limit {
		return Opened{}, errTooLong
	}
	return o, nil
}

func (e *Envelope) opensPlaintext() bool { return len(e.config.Keys) == 0 || e.config.ReadPlaintext }

// parse returns the steps after the codec's name in a tag.
func parse(tag string) (steps int, ok bool) {
	for i, name := range stepNames {
		if rest, found := strings.CutPrefix(tag, name); found {
			steps |= 1 << i
			tag = rest
		}
	}
	return steps, tag == ""
}

// Foreign returns the possible codec outputs, of at most limit bytes each and the likelier first,
// in data without a tag, which another store wrote: the data itself and, if it was stored as text,
// what it encodes in base64. It returns an error if only encrypted data may be opened.
func (e *Envelope) Foreign(stored []byte, text bool, limit int) ([][]byte, error) {
	if !e.opensPlaintext() {
		return nil, errPlaintext
	}
	candidates := [][]byte{stored}
	if text {
		if plain, err := base64.StdEncoding.AppendDecode(nil, stored); err == nil {
			candidates = append(candidates, plain)
		}
	}
	candidates = slices.DeleteFunc(candidates, func(data []byte) bool { return len(data) > limit })
	if len(candidates) == 0 {
		return nil, errTooLong
	}
	return candidates, nil
}
