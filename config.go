package dynamostore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/envelope"
	"example.com/dynamostore/internal/quickgob"
	"example.com/dynamostore/internal/record"
)

// Config says how sessions lie in their table and how long they live. The zero Config is a good
// one: it wants a table "sessions" with a partition key "id" of type S, and TTL on "expires".
//
// Changes that alter the stored form of live sessions are rolled out in two steps: first every
// instance learns to read the new form (ReadCodecs), then they write it.
type Config struct {
	// Table is the table's name or ARN. Default: "sessions".
	Table string
	// KeyAttribute is the table's partition key, of type S. Default: "id".
	KeyAttribute string
	// KeyPrefix stands before every session's ID in the key, so that several applications can
	// share a table. Default: none.
	KeyPrefix string
	// SortKeyAttribute is the sort key, of type S, of a table with a composite key, and
	// SortKeyValue what it holds in every session's item. Both or neither. Default: neither.
	SortKeyAttribute string
	SortKeyValue     string
	// DataAttribute holds the session's values. Default: "data".
	DataAttribute string
	// DataType is the type of DataAttribute. Both are read, whichever is set. Default: Binary.
	DataType DataType
	// ExpiresAttribute holds the end of the session's life, in seconds since 1970: the
	// attribute on which the table's TTL is set. Default: "expires".
	ExpiresAttribute string

	// Codec encodes the values of sessions. Default: GobCodec{}.
	Codec Codec
	// ReadCodecs are further codecs whose sessions are read; the next Save writes them by Codec.
	// To change the codec without logging anyone out, first add the new one here on all instances,
	// then exchange the two, and drop the old one when its last session has ended. Items of
	// other stores, which do not name their codec, are tried by Codec and then by these, in
	// order. Default: none.
	ReadCodecs []Codec

	// NoCompression stores what the codec wrote as it is. By default, sessions above 1 KiB are
	// compressed (zstd, RFC 8878) where that saves a capacity unit. Either is read, whatever is
	// set. Default: false.
	NoCompression bool
	// EncryptionKeys, of 32 bytes each, encrypt sessions in the table: AES-256-GCM under a key for each
	// item, derived by HKDF, and bound to the item's key and codec attribute. The first seals, all
	// open. Who reads the table, or a backup of it, learns nothing of the values; who writes to it can
	// neither make up a session nor move one to another ID. They can still delete one, and put back a
	// whole older item; and the user in the attribute "user" is not encrypted. For session IDs, see HashIDs.
	//
	// To change the key, first append the new one on all instances, then move it to the front. Sessions
	// are encrypted anew at their next Save, changed or not, so the old key can be dropped when the
	// longest-lived of those not saved since has ended. An instance without a session's key does not read it
	// (ErrUndecodable), so to begin to encrypt, all are switched in one go. Default: none, not encrypted by
	// this package.
	EncryptionKeys [][]byte
	// ReadPlaintext accepts, with EncryptionKeys, items that are not encrypted as well: while a
	// table whose sessions live on is being migrated, and no longer, since who can write to the
	// table can then slip in a session. Default: false.
	ReadPlaintext bool

	// EventualReads makes reads eventually consistent, at half the price. A session that is not
	// found so is read again, strongly consistent, before it counts as missing; one that is found
	// may be some milliseconds old, and a Save then merges. Default: false.
	EventualReads bool

	// Concurrency is what becomes of requests that change one session at once. Default: Merge.
	Concurrency Concurrency
	// Lock is for Concurrency: Lock. Default: see LockConfig.
	Lock LockConfig

	// Lifetime is how long a session lives after its last Save whose cookie has MaxAge 0 and so
	// ends with the browser. Any other session lives for its cookie's MaxAge. Default: 24 h.
	Lifetime time.Duration
	// MaxLifetime is the absolute timeout: how long after its creation a session ends, however
	// active it is (OWASP Session Management Cheat Sheet, "Absolute Timeout"). Default: 0, never.
	MaxLifetime time.Duration
	// TouchInterval is by how much a Save must move the end of an unchanged session's life to
	// be worth a write. Negative: every Save writes. Default: 0, a twentieth of the
	// session's lifetime.
	TouchInterval time.Duration

	// UserKey is the key in Session.Values under which the application keeps whose session it is, a
	// non-empty string: it becomes the attribute "user", by whose index UserSessions and
	// DestroyUser find a user's sessions. A session without that key is nobody's. Default: "",
	// no index.
	UserKey string
	// UserIndex is the name of that index: partition key "user", sort key ExpiresAttribute,
	// projected: "created". Default: "user-index".
	UserIndex string

	// HashIDs stores the SHA-256 of session IDs, in hexadecimal, so that who reads the table
	// cannot take over a session. Turning it on or off ends the sessions that there are.
	// Default: false.
	HashIDs bool
	// NewID makes the IDs of new sessions. They must not be guessed: 128 random bits or more.
	// Default: 256 random bits, in 52 characters of base32.
	NewID func() string

	// Timeout bounds each call of a Store, retries and merging included, whatever the client's
	// own timeouts are. Waiting for a lock is apart. Default: 5 s.
	Timeout time.Duration

	// Observe is told of every operation on sessions that reached the table, or was spared it, when the
	// operation ends, by the goroutine that it ran in: it should return soon, and is called
	// by several at once. The context is that of the request or the call. DynamoDB is asked for
	// the capacity units only where there is an Observe. Default: nil.
	Observe func(context.Context, Event)
}

// DataType is a type of DynamoDB attribute that holds a session's values.
type DataType int

const (
	// Binary is type B: the bytes as the codec wrote them.
	Binary DataType = iota
	// String is type S: text as the codec wrote it, and anything else in base64.
	String
)

const (
	defaultMaxAge    = 30 * 24 * 60 * 60 // seconds
	defaultMaxLength = 4 << 20           // bytes
	maxKey           = 2048              // bytes in a partition key
	maxSortKey       = 1024
)

// New returns a Store on client, typically made by [NewClient]. It sends no request.
//
// Keys are defined in pairs, as for gorilla's own stores, to allow rotation: the first of a pair
// authenticates the cookie (32 or 64 bytes) and the second encrypts it (16, 24 or 32 bytes, or
// nil for none). The first pair signs; all are accepted.
//
// What is wrong in cfg and the keys is one error that holds all of it.
func New(client Client, cfg Config, keyPairs ...[]byte) (*Store, error) {
	var problems []error
	if c, ok := client.(*dynamodb.Client); client == nil || ok && c == nil {
		problems = append(problems, errors.New("dynamostore: client: is nil: take one from NewClient"))
	}
	s, err := newStore(client, cfg, keyPairs)
	problems = append(problems, err)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

// Open is [New] on a client of its own, which [NewClient] makes from the default AWS configuration:
// environment, shared config files, the container's or instance's role ([config.LoadDefaultConfig]). It sends no request
// to the table. A configuration without a region is an error; whether there are credentials shows at the
// first request.
func Open(ctx context.Context, cfg Config, keyPairs ...[]byte) (*Store, error) {
	if _, err := newStore(nil, cfg, keyPairs); err != nil {
		return nil, err
	}
	awsConfig, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("dynamostore: load the AWS configuration: %w", err)
	}
	if awsConfig.Region == "" {
		return nil, errors.New("dynamostore: no AWS region is set: set AWS_REGION, or region in the shared AWS config file")
	}
	return New(NewClient(awsConfig), cfg, keyPairs...)
}

// Must returns store, and panics if err is not nil. It is for variables:
//
//	var store = dynamostore.Must(dynamostore.Open(context.Background(), dynamostore.Config{}, key))
func Must(store *Store, err error) *Store {
	if err != nil {
		panic(err)
	}
	return store
}

func newStore(client Client, cfg Config, keyPairs [][]byte) (*Store, error) {
	cfg = cfg.withDefaults()
	codec, readers, codecErr := cfg.codecs()
	if err := errors.Join(cfg.check(), codecErr, checkKeys(keyPairs)); err != nil {
		return nil, err
	}
	index := ""
	if cfg.UserKey != "" {
		index = cfg.UserIndex
	}
	s := &Store{
		Codecs: securecookie.CodecsFromPairs(keyPairs...),
		Options: &sessions.Options{
			Path:     "/",
			MaxAge:   defaultMaxAge,
			HttpOnly: true,
			Secure:   true,
			SameSite: http.SameSiteLaxMode,
		},
		cfg:     cfg,
		codec:   codec,
		readers: readers,
		envelope: envelope.New(envelope.Config{
			Codec:         codec.Name(),
			Text:          cfg.DataType == String,
			Compress:      !cfg.NoCompression,
			Keys:          cfg.EncryptionKeys,
			ReadPlaintext: cfg.ReadPlaintext,
		}),
		maxLength: defaultMaxLength,
		table: record.New(client, record.Schema{
			Table:     cfg.Table,
			Key:       cfg.KeyAttribute,
			SortKey:   cfg.SortKeyAttribute,
			SortValue: cfg.SortKeyValue,
			Data:      cfg.DataAttribute,
			Expires:   cfg.ExpiresAttribute,
			Index:     index,
			Prefix:    cfg.KeyPrefix,
			Metered:   cfg.Observe != nil,
		}),
		client: client,
	}
	// The item's expiry decides how long a session lives. By their own limit, 30 days, the cookie
	// codecs would end a longer one.
	for _, codec := range s.Codecs {
		if codec, ok := codec.(*securecookie.SecureCookie); ok {
			codec.MaxAge(0)
			codec.SetSerializer(quickgob.Serializer{})
		}
	}
	return s, nil
}

func (cfg Config) withDefaults() Config {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&cfg.Table, "sessions")
	set(&cfg.KeyAttribute, "id")
	set(&cfg.DataAttribute, "data")
	set(&cfg.ExpiresAttribute, "expires")
	set(&cfg.UserIndex, "user-index")
	cfg.EncryptionKeys = slices.Clone(cfg.EncryptionKeys)
	for i, key := range cfg.EncryptionKeys {
		cfg.EncryptionKeys[i] = bytes.Clone(key)
	}
	if cfg.Codec == nil {
		cfg.Codec = GobCodec{}
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = 24 * time.Hour
	}
	cfg.Lock = cfg.Lock.withDefaults()
	if cfg.NewID == nil {
		cfg.NewID = newID
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	return cfg
}

// newID returns 256 random bits, twice the 128 that a session ID should have at least.
// https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
func newID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// tableName is what DynamoDB takes for a table: a name, or an ARN.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
var tableName = regexp.MustCompile(`^([a-zA-Z0-9_.-]{3,255}|arn:[a-zA-Z0-9-]+:dynamodb:[a-zA-Z0-9-]+:[0-9]+:table/[a-zA-Z0-9_.-]{3,255})$`)

var indexName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// check returns all that is wrong in cfg, which has its defaults, but for the codecs.
func (cfg Config) check() error {
	var problems []error
	wrong := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("dynamostore: Config."+field+": "+format, args...))
	}
	if !tableName.MatchString(cfg.Table) {
		wrong("Table", "%q is no name of a table: it takes 3 to 255 of the characters a-z, A-Z, 0-9, _, - and ., or the table's ARN", cfg.Table)
	}

	type attribute struct{ field, name string }
	attributes := []attribute{
		{"KeyAttribute", cfg.KeyAttribute},
		{"SortKeyAttribute", cfg.SortKeyAttribute},
		{"DataAttribute", cfg.DataAttribute},
		{"ExpiresAttribute", cfg.ExpiresAttribute},
	}
	taken := make(map[string]string)
	for _, a := range attributes {
		switch other := taken[a.name]; {
		case a.name == "": // only SortKeyAttribute has no default
		case slices.Contains(record.Fixed(), a.name):
			wrong(a.field, "%q is the name of an attribute that this package uses itself: it takes any but %q", a.name, record.Fixed())
		case other != "":
			wrong(a.field, "%q is Config.%s already: it takes a name of its own", a.name, other)
		case len(a.name) > 255 || !utf8.ValidString(a.name):
			wrong(a.field, "%.40q is no attribute's name: it takes 1 to 255 bytes of UTF-8", a.name)
		default:
			taken[a.name] = a.field
		}
	}
	switch {
	case cfg.SortKeyAttribute != "" && cfg.SortKeyValue == "":
		wrong("SortKeyValue", "is empty, while SortKeyAttribute is %q: it takes the value that marks a session", cfg.SortKeyAttribute)
	case cfg.SortKeyAttribute == "" && cfg.SortKeyValue != "":
		wrong("SortKeyAttribute", "is empty, while SortKeyValue is %q: it takes the name of the table's sort key", cfg.SortKeyValue)
	case len(cfg.SortKeyValue) > maxSortKey || !utf8.ValidString(cfg.SortKeyValue):
		wrong("SortKeyValue", "takes up to %d bytes of UTF-8", maxSortKey)
	}
	if len(cfg.KeyPrefix) > maxKey/2 || !utf8.ValidString(cfg.KeyPrefix) {
		wrong("KeyPrefix", "takes up to %d bytes of UTF-8: DynamoDB stores keys of up to %d, the session's ID included", maxKey/2, maxKey)
	}
	if cfg.DataType != Binary && cfg.DataType != String {
		wrong("DataType", "%d is unknown: it takes Binary or String", cfg.DataType)
	}
	if cfg.Concurrency < Merge || cfg.Concurrency > Lock {
		wrong("Concurrency", "%d is unknown: it takes Merge, Refuse, Overwrite or Lock", cfg.Concurrency)
	}
	for i, key := range cfg.EncryptionKeys {
		if len(key) != 32 {
			wrong(fmt.Sprintf("EncryptionKeys[%d]", i), "has %d bytes: it takes 32, for AES-256", len(key))
		}
	}
	if cfg.ReadPlaintext && len(cfg.EncryptionKeys) == 0 {
		wrong("ReadPlaintext", "is true, and there are no EncryptionKeys: it takes true only with them")
	}
	if !indexName.MatchString(cfg.UserIndex) {
		wrong("UserIndex", "%q is no name of an index: it takes 3 to 255 of the characters a-z, A-Z, 0-9, _, - and .", cfg.UserIndex)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"Lock.Wait", cfg.Lock.Wait},
		{"Lock.MinRetry", cfg.Lock.MinRetry},
		{"Lock.MaxRetry", cfg.Lock.MaxRetry},
		{"Lock.Lease", cfg.Lock.Lease},
		{"Lifetime", cfg.Lifetime},
		{"MaxLifetime", cfg.MaxLifetime},
		{"Timeout", cfg.Timeout},
	} {
		if d.value < 0 {
			wrong(d.field, "%v is negative: it takes a positive duration, or 0 for the default", d.value)
		}
	}
	if cfg.Lock.MaxRetry < cfg.Lock.MinRetry {
		wrong("Lock.MaxRetry", "%v is less than Lock.MinRetry, %v: it takes as much or more", cfg.Lock.MaxRetry, cfg.Lock.MinRetry)
	}
	return errors.Join(problems...)
}

// codecs returns cfg.Codec and all the codecs that read, Codec first, ready for use.
func (cfg Config) codecs() (codec Codec, readers []Codec, err error) {
	var problems []error
	for i, c := range append([]Codec{cfg.Codec}, cfg.ReadCodecs...) {
		field := "Codec"
		if i > 0 {
			field = fmt.Sprintf("ReadCodecs[%d]", i-1)
		}
		if c == nil {
			problems = append(problems, fmt.Errorf("dynamostore: Config.%s: is nil: it takes a Codec, such as GobCodec{}", field))
			continue
		}
		c, err := prepared(c)
		if err != nil {
			problems = append(problems, fmt.Errorf("dynamostore: Config.%s: %w", field, err))
			continue
		}
		if name := c.Name(); name == "" || envelope.Codec(name) != name || !utf8.ValidString(name) {
			problems = append(problems, fmt.Errorf("dynamostore: Config.%s: its name is %q: it takes a codec whose name is not empty and holds no \"+\"", field, name))
		}
		readers = append(readers, c)
	}
	if problems != nil {
		return nil, nil, errors.Join(problems...)
	}
	return readers[0], readers, nil
}

// checkKeys returns all that is wrong in the cookies' keys. It does not show them.
func checkKeys(keyPairs [][]byte) error {
	if len(keyPairs) == 0 {
		return errors.New("dynamostore: keyPairs: there is no authentication key: give one of 32 or 64 random bytes, the same on every instance")
	}
	var problems []error
	for i, key := range keyPairs {
		switch n := len(key); {
		case i%2 == 0 && n == 0:
			problems = append(problems, fmt.Errorf("dynamostore: keyPairs[%d]: the authentication key is empty: it takes 32 or 64 random bytes", i))
		case i%2 == 1 && n != 0 && n != 16 && n != 24 && n != 32:
			problems = append(problems, fmt.Errorf("dynamostore: keyPairs[%d]: the encryption key has %d bytes: it takes 16, 24 or 32, or nil for none", i, n))
		}
	}
	return errors.Join(problems...)
}

// hash returns the SHA-256 of a session ID in hexadecimal.
func hash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}
