package dynamostore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/envelope"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/sessiondb"
)

// Config configures a Store. The zero Config is valid; it expects a table "sessions" with a
// partition key "id" of type S, and TTL on "expires".
//
// Roll out a change of the stored form in two steps: first let every instance read the new form
// (ReadCodecs), then let them write it.
type Config struct {
	// Table is the table's name or ARN. Default: "sessions".
	Table string
	// KeyAttribute is the table's partition key, of type S. Default: "id".
	KeyAttribute string
	// KeyPrefix precedes the session's ID in every key, so that several applications can share a
	// table. It must not end in a letter or digit. Default: none.
	KeyPrefix string
	// SortKeyAttribute is the sort key, of type S, of a table with a composite key, and
	// SortKeyValue is its value in every session's item. Set both or neither. Default: neither.
	SortKeyAttribute string
	SortKeyValue     string
	// DataAttribute holds the session's values. Default: "data".
	DataAttribute string
	// DataType is the type of DataAttribute. Both types are read, whichever is set. Default:
	// Binary.
	DataType DataType
	// ExpiresAttribute holds the session's end, in seconds since 1970: the attribute on which the
	// table's TTL is set. Default: "expires".
	ExpiresAttribute string

	// Codec encodes the values of sessions. Default: GobCodec{}.
	Codec Codec
	// ReadCodecs are further codecs whose sessions can be read; the next Save encodes them with
	// Codec. To change the codec, first add the new one here on all instances, then exchange the
	// two, and remove the old one when its last session has ended. Items of other stores do not
	// name their codec: Codec and then these are tried in order. Default: none.
	ReadCodecs []Codec

	// NoCompression turns compression off. By default, sessions above 1 KiB are compressed (zstd,
	// RFC 8878) if that saves a capacity unit. Both forms can always be read. Default: false.
	NoCompression bool
	// EncryptionKeys, of 32 bytes each, encrypt the values of sessions: AES-256-GCM under a key for
	// each item, derived by HKDF, and bound to the item's key and codec attribute. The first key
	// encrypts, all decrypt. Someone who can read the table, or a backup of it, learns only the
	// length of the values. Someone who can write to it can neither make up values nor move them to
	// another ID, but can delete a session or put back a whole older item. Other attributes, such
	// as "user" and "label", are not encrypted. For session IDs, see HashIDs.
	//
	// To change the key, first append the new one on all instances, then move it to the front. The
	// next Save of a session encrypts it with the new key, even if it is unchanged. An instance
	// without a session's key cannot read it (ErrUndecodable), so to start encrypting, switch all
	// instances at once. Default: none.
	EncryptionKeys [][]byte
	// ReadPlaintext, with EncryptionKeys, also accepts items that are not encrypted. Set it only
	// while sessions are being migrated: someone who can write to the table can then make one up.
	// Default: false.
	ReadPlaintext bool

	// EventualReads makes reads eventually consistent, at half the price. If the session is not
	// found, a strongly consistent read follows. A session that is found may be some milliseconds
	// out of date; with Concurrency: Merge, a Save then merges. Default: false.
	EventualReads bool

	// Concurrency says what happens when several requests change one session at once. Default:
	// Merge.
	Concurrency Concurrency
	// Lock configures Concurrency: Lock. Default: see LockConfig.
	Lock LockConfig
	// NoTransactions makes Regenerate use two conditional writes instead of a transaction: for
	// global tables with multi-Region strong consistency, and for engines (or a Client) without
	// TransactWriteItems. If the process dies between the two writes, an item remains, under an ID
	// that nobody knows, until it expires. Default: false.
	NoTransactions bool

	// Lifetime is how long a session lives after its last Save if its MaxAge is 0, so that its
	// cookie ends with the browser. Any other session lives for its MaxAge. Default: 24 h.
	Lifetime time.Duration
	// MaxLifetime is the absolute timeout: a session ends this long after its creation, however
	// active it is. Default: 0, no limit.
	MaxLifetime time.Duration
	// TouchInterval is the smallest step in which Saves move a session's end: a Save that would
	// move it by less leaves it alone, whatever else it writes. If negative, every Save moves it.
	// Default: 0, which is a twentieth of the session's lifetime.
	TouchInterval time.Duration
	// SkipEmpty makes Save of a new session without values do nothing: it stores no item and sets
	// no cookie. So an application that saves the session on every page does not store one for each
	// request of a bot. Default: false.
	SkipEmpty bool

	// UserKey is the key in Session.Values that holds the user: a value of any string or integer
	// kind, or an encoding.TextMarshaler. Its text form is stored as the attribute "user", by which
	// UserSessions, UpdateUser and DestroyUser find a user's sessions in UserIndex. A session
	// without that key has no user; for an empty value, Save returns an error. The attribute is not
	// encrypted. Default: "", no index.
	UserKey string
	// UserIndex is the name of the index of users. It has the partition key "user" and the sort key
	// ExpiresAttribute, and projects "created", "seen" and "label". Default: "user-index".
	UserIndex string

	// LabelKey is the key in Session.Values that holds a string of at most 256 bytes, such as a
	// device name, which listings return as SessionInfo.Label. It is stored as the attribute
	// "label", which is not encrypted. Default: "", no labels.
	LabelKey string

	// HashIDs stores the SHA-256 hashes of session IDs, in hexadecimal, instead of the IDs, which
	// are enough to take over a session for someone who has a cookie key as well. Turning HashIDs
	// on or off ends all sessions. Default: false.
	HashIDs bool
	// NewID makes the IDs of new sessions. They must be impossible to guess: 128 random bits or
	// more. Default: 256 random bits, in 52 characters of base32.
	NewID func() string

	// Timeout bounds each call of a Store, including retries and merging, whatever the client's own
	// timeouts are. In a call that handles many sessions, it bounds each request or session; see
	// the method. Waiting for a lock does not count. Default: 5 s.
	Timeout time.Duration

	// Observe, if not nil, is called after each operation on sessions, in the operation's goroutine
	// and with its context. It must be safe for concurrent use and return quickly. Default: nil.
	Observe func(context.Context, Event)
}

// Concurrency says what happens when several requests change one session at once. In every mode, a
// session that has ended stays ended.
type Concurrency int

const (
	// Merge applies the request's changes on top of what others wrote since it loaded the session.
	// After Save, Session.Values holds the merged values.
	//   - Maps are merged key by key and structs field by field, at any depth.
	//   - Slices keep what either request appended, and lose what either removed.
	//   - For everything else, if two requests changed it, the later write wins. For a counter, use
	//     [Store.Update] or Lock.
	Merge Concurrency = iota
	// Refuse makes Save return ErrConflict and write nothing if another request wrote the session
	// since it was loaded.
	Refuse
	// Overwrite replaces whatever others wrote: the last write wins.
	Overwrite
	// Lock lets one request at a time use a session. Get and New acquire its lock and read it with
	// a single UpdateItem, while others wait. See LockConfig.
	Lock
)

// LockConfig configures Concurrency: Lock.
//
// A session's lock belongs to the request whose Get or New acquired it. A second Get or New of that
// session in the same request shares it. Save releases it, whether it succeeds or not. Without a
// Save, it is released when the request's context ends or, if the process has died, when the lease
// ends.
//
//   - A request is identified by gorilla's registry, which the first Get or New puts into its
//     context. A request made with r.WithContext shares the lock if it was made after that.
//   - Two requests that lock two sessions in opposite order wait for each other until Wait ends.
//   - Every write is conditional on the session's version and on nobody else holding the lock. So
//     if the lease ends while the handler is still running, or the browser disconnects, which ends
//     the request's context, Save returns [ErrLockLost] instead of overwriting another request's
//     changes.
//   - On Lambda, no code runs after the response, so after a request without a Save the lock stays
//     until its lease ends.
//   - Acquiring a lock is a write: DynamoDB charges for the size of the whole item, even if the
//     session is only read.
//   - The clock of the instance that wants the lock decides whether a lease has ended. Lease should
//     be long compared with the differences between the instances' clocks.
type LockConfig struct {
	// Wait is how long Get and New wait for the lock before they return ErrLockTimeout, not
	// counting Config.Timeout for the last attempt. Default: 10 s.
	Wait time.Duration
	// MinRetry and MaxRetry bound the pauses between two attempts, which are random and grow.
	// Default: 10 ms and 50 ms.
	MinRetry, MaxRetry time.Duration
	// Lease is how long a lock lasts unless it is released earlier. Set it longer than any request
	// with a session takes. Default: 30 s.
	Lease time.Duration
}

func (c LockConfig) withDefaults() LockConfig {
	const minRetry, maxRetry = 10 * time.Millisecond, 50 * time.Millisecond
	c.Wait = cmp.Or(c.Wait, 10*time.Second)
	c.MinRetry = cmp.Or(c.MinRetry, min(minRetry, cmp.Or(c.MaxRetry, minRetry)))
	c.MaxRetry = cmp.Or(c.MaxRetry, max(maxRetry, c.MinRetry))
	c.Lease = cmp.Or(c.Lease, 30*time.Second)
	return c
}

// Format prints the Config without its EncryptionKeys. Package fmt does not call it, and so prints
// the keys, for the verbs %p and %w, and for a Config in an unexported field of another struct.
func (cfg Config) Format(f fmt.State, verb rune) {
	type config Config // without this method
	cfg.EncryptionKeys = nil
	fmt.Fprintf(f, fmt.FormatString(f, verb), config(cfg))
}

// LogValue returns the Config for package log/slog, without its EncryptionKeys.
func (cfg Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", cfg)) }

// DataType is the type of the attribute that holds a session's values.
type DataType int

const (
	// Binary is type B: the codec's output.
	Binary DataType = iota
	// String is type S: the codec's output if it is text, and otherwise base64.
	String
)

const (
	defaultMaxAge    = 30 * 24 * 60 * 60 // seconds
	defaultMaxLength = 1 << 20           // bytes
	minKey           = 16                // bytes of an authentication key
	maxKey           = 2048              // bytes in a partition key
	maxSortKey       = 1024
)

// New returns a Store that uses client, typically made by [NewClient]. It sends no request.
//
// As for gorilla's own stores, keys come in pairs: the first of a pair authenticates the cookie (32
// or 64 bytes), and the second encrypts it (16, 24 or 32 bytes, or nil for no encryption). To allow
// rotation, there may be several pairs: the first one signs, and all are accepted.
//
// The error joins every mistake in cfg and the keys.
func New(client Client, cfg Config, keyPairs ...[]byte) (*Store, error) {
	s, err := newStore(client, cfg, keyPairs)
	if c, ok := client.(*dynamodb.Client); client == nil || ok && c == nil {
		return nil, errors.Join(errors.New("dynamostore: client: is nil; pass one from NewClient"), err)
	}
	return s, err
}

// Open is [New] with a client that [NewClient] makes from the default AWS configuration:
// environment, shared config files, the container's or instance's role
// ([config.LoadDefaultConfig]). It sends no request to the table. A configuration without a region
// is an error; missing credentials show at the first request.
func Open(ctx context.Context, cfg Config, keyPairs ...[]byte) (*Store, error) {
	if _, err := newStore(nil, cfg, keyPairs); err != nil {
		return nil, err
	}
	awsConfig, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("dynamostore: load the AWS configuration: %w", err)
	}
	if awsConfig.Region == "" {
		return nil, errors.New("dynamostore: no AWS region is set; set AWS_REGION, or region in the shared AWS config file")
	}
	return New(NewClient(awsConfig), cfg, keyPairs...)
}

// Must returns store, and panics if err is not nil:
//
//	store = dynamostore.Must(dynamostore.Open(context.Background(), dynamostore.Config{}, key))
//
// Call it in main. At package level it would run before TestMain, and panic in go test without an
// AWS configuration.
func Must(store *Store, err error) *Store {
	if err != nil {
		panic(err)
	}
	return store
}

func newStore(client Client, cfg Config, keyPairs [][]byte) (*Store, error) {
	cfg = cfg.withDefaults()
	readers, codecErr := cfg.codecs()
	if err := errors.Join(cfg.check(), codecErr, checkKeys(keyPairs)); err != nil {
		return nil, err
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
		cfg:    cfg,
		client: client,
		table:  record.New(client, cfg.schema()),
	}
	s.db = sessiondb.New(s.table, s.dbConfig(readers))
	s.cfg.EncryptionKeys = nil // only the DB keeps them
	s.MaxLength(0)
	// The item's expiry decides how long a session lives. The cookie codecs' own limit, 30 days,
	// would end a longer one.
	for _, codec := range s.Codecs {
		if codec, ok := codec.(*securecookie.SecureCookie); ok {
			codec.MaxAge(0)
		}
	}
	return s, nil
}

// schema returns the names of the table and its attributes.
func (cfg Config) schema() record.Schema {
	schema := record.Schema{
		Table:     cfg.Table,
		Key:       cfg.KeyAttribute,
		SortKey:   cfg.SortKeyAttribute,
		SortValue: cfg.SortKeyValue,
		Data:      cfg.DataAttribute,
		Expires:   cfg.ExpiresAttribute,
		Prefix:    cfg.KeyPrefix,
		Labels:    cfg.LabelKey != "",
		Metered:   cfg.Observe != nil,
	}
	if cfg.UserKey != "" {
		schema.Index = cfg.UserIndex
	}
	return schema
}

// dbConfig returns the configuration of the DB. readers are the compiled codecs, Config.Codec
// first.
func (s *Store) dbConfig(readers []sessiondb.Codec) sessiondb.Config {
	cfg := s.cfg
	return sessiondb.Config{
		Table:      cfg.Table,
		SortValue:  cfg.SortKeyValue,
		Text:       cfg.DataType == String,
		Codec:      readers[0],
		ReadCodecs: readers,
		Envelope: envelope.New(envelope.Config{
			Codec:         readers[0].Name(),
			Text:          cfg.DataType == String,
			Compress:      !cfg.NoCompression,
			Keys:          cfg.EncryptionKeys,
			ReadPlaintext: cfg.ReadPlaintext,
		}),
		Mode:           sessiondb.Mode(cfg.Concurrency),
		EventualReads:  cfg.EventualReads,
		NoTransactions: cfg.NoTransactions,
		Lifetime:       cfg.Lifetime,
		MaxLifetime:    cfg.MaxLifetime,
		TouchInterval:  cfg.TouchInterval,
		Timeout:        cfg.Timeout,
		Lock:           sessiondb.LockConfig(cfg.Lock.withDefaults()),
		UserKey:        cfg.UserKey,
		LabelKey:       cfg.LabelKey,
		NewName:        func() (sessiondb.Name, error) { return s.nameOf(cfg.NewID()) },
		ObserveUnlock:  s.observeUnlock,
	}
}

// withDefaults returns cfg with its defaults, except those of Lock: check needs to know what was
// set.
func (cfg Config) withDefaults() Config {
	cfg.Table = cmp.Or(cfg.Table, "sessions")
	cfg.KeyAttribute = cmp.Or(cfg.KeyAttribute, "id")
	cfg.DataAttribute = cmp.Or(cfg.DataAttribute, "data")
	cfg.ExpiresAttribute = cmp.Or(cfg.ExpiresAttribute, "expires")
	cfg.UserIndex = cmp.Or(cfg.UserIndex, "user-index")
	cfg.Lifetime = cmp.Or(cfg.Lifetime, 24*time.Hour)
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.EncryptionKeys = slices.Clone(cfg.EncryptionKeys)
	for i, key := range cfg.EncryptionKeys {
		cfg.EncryptionKeys[i] = bytes.Clone(key)
	}
	if cfg.Codec == nil {
		cfg.Codec = GobCodec{}
	}
	if cfg.NewID == nil {
		cfg.NewID = newID
	}
	return cfg
}

// newID returns 256 random bits, twice the recommended minimum for a session ID.
// https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
func newID() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// Patterns for the names of tables and indexes, apart from their length. A table may also be named
// by its ARN.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
var (
	namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)
	arnPattern  = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:dynamodb:[a-zA-Z0-9-]+:[0-9]+:table/`)
)

func isName(s string) bool { return len(s) >= 3 && len(s) <= 255 && namePattern.MatchString(s) }

// check returns all mistakes in cfg, which has its defaults, except for the codecs.
func (cfg Config) check() error {
	var problems []error
	wrong := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("dynamostore: Config."+field+": "+format, args...))
	}
	if !isName(arnPattern.ReplaceAllString(cfg.Table, "")) {
		wrong("Table", "%q is not a table name; want 3–255 characters from a-z, A-Z, 0-9, _, - and ., or the table's ARN", cfg.Table)
	}

	taken := make(map[string]string)
	for _, a := range []struct{ field, name string }{
		{"KeyAttribute", cfg.KeyAttribute},
		{"SortKeyAttribute", cfg.SortKeyAttribute},
		{"DataAttribute", cfg.DataAttribute},
		{"ExpiresAttribute", cfg.ExpiresAttribute},
	} {
		switch other := taken[a.name]; {
		case a.name == "": // only SortKeyAttribute has no default
		case slices.Contains(record.ReservedAttributes(), a.name):
			wrong(a.field, "%q is an attribute that this package uses itself; want a name other than %q", a.name, record.ReservedAttributes())
		case other != "":
			wrong(a.field, "%q is also Config.%s; want a different name", a.name, other)
		case len(a.name) > 255 || !utf8.ValidString(a.name):
			wrong(a.field, "%.40q is not an attribute name; want 1–255 bytes of UTF-8", a.name)
		default:
			taken[a.name] = a.field
		}
	}
	switch {
	case cfg.SortKeyAttribute != "" && cfg.SortKeyValue == "":
		wrong("SortKeyValue", "is empty, but SortKeyAttribute is %q; want the value that marks a session", cfg.SortKeyAttribute)
	case cfg.SortKeyAttribute == "" && cfg.SortKeyValue != "":
		wrong("SortKeyAttribute", "is empty, but SortKeyValue is %q; want the name of the table's sort key", cfg.SortKeyValue)
	case len(cfg.SortKeyValue) > maxSortKey || !utf8.ValidString(cfg.SortKeyValue):
		wrong("SortKeyValue", "has %d bytes; want at most %d of UTF-8", len(cfg.SortKeyValue), maxSortKey)
	}
	if len(cfg.KeyPrefix) > maxKey/2 || !utf8.ValidString(cfg.KeyPrefix) {
		wrong("KeyPrefix", "has %d bytes; want at most %d of UTF-8, since a key in DynamoDB has at most %d, including the session's ID", len(cfg.KeyPrefix), maxKey/2, maxKey)
	}
	if last, _ := utf8.DecodeLastRuneInString(cfg.KeyPrefix); unicode.IsLetter(last) || unicode.IsDigit(last) {
		wrong("KeyPrefix", "%q ends in a letter or digit, so another application's keys could begin with it; end it with a separator, such as %q", cfg.KeyPrefix, cfg.KeyPrefix+"#")
	}
	if cfg.DataType != Binary && cfg.DataType != String {
		wrong("DataType", "%d is unknown; want Binary or String", cfg.DataType)
	}
	if cfg.Concurrency < Merge || cfg.Concurrency > Lock {
		wrong("Concurrency", "%d is unknown; want Merge, Refuse, Overwrite or Lock", cfg.Concurrency)
	}
	for i, key := range cfg.EncryptionKeys {
		if len(key) != 32 {
			wrong(fmt.Sprintf("EncryptionKeys[%d]", i), "has %d bytes; want 32, for AES-256", len(key))
		}
	}
	if cfg.ReadPlaintext && len(cfg.EncryptionKeys) == 0 {
		wrong("ReadPlaintext", "is true, but there are no EncryptionKeys; set them, or leave it false")
	}
	if !isName(cfg.UserIndex) {
		wrong("UserIndex", "%q is not an index name; want 3–255 characters from a-z, A-Z, 0-9, _, - and .", cfg.UserIndex)
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
			wrong(d.field, "%v is negative; want a positive duration, or 0 for the default", d.value)
		}
	}
	if lock := cfg.Lock.withDefaults(); lock.MaxRetry < lock.MinRetry {
		wrong("Lock.MaxRetry", "%v is less than Lock.MinRetry, %v; want at least that", lock.MaxRetry, lock.MinRetry)
	}
	if cfg.Lock != (LockConfig{}) && cfg.Concurrency != Lock {
		wrong("Lock", "is set, and Config.Concurrency is not Lock; set Concurrency: Lock, or leave Lock empty")
	}
	return errors.Join(problems...)
}

// codecs returns cfg.Codec and cfg.ReadCodecs, compiled.
func (cfg Config) codecs() (readers []sessiondb.Codec, err error) {
	var problems []error
	for i, c := range append([]Codec{cfg.Codec}, cfg.ReadCodecs...) {
		field := "Codec"
		if i > 0 {
			field = fmt.Sprintf("ReadCodecs[%d]", i-1)
		}
		c, err := compiled(c)
		if err != nil {
			problems = append(problems, fmt.Errorf("dynamostore: Config.%s: %w", field, err))
		}
		readers = append(readers, c)
	}
	return readers, errors.Join(problems...)
}

// checkKeys returns all mistakes in the cookies' keys, without showing the keys.
func checkKeys(keyPairs [][]byte) error {
	if len(keyPairs) == 0 {
		return errors.New("dynamostore: keyPairs: there is no authentication key; pass one with 32 or 64 random bytes, the same on every instance")
	}
	var problems []error
	for i, key := range keyPairs {
		switch n := len(key); {
		case i%2 == 0 && n == 0:
			problems = append(problems, fmt.Errorf("dynamostore: keyPairs[%d]: the authentication key is empty; make sure that what it is read from is set; want 32 or 64 random bytes, the same on every instance", i))
		case i%2 == 0 && n < minKey:
			problems = append(problems, fmt.Errorf("dynamostore: keyPairs[%d]: the authentication key has %d bytes; want 32 or 64 random bytes, and at least %d", i, n, minKey))
		case i%2 == 1 && n != 0 && n != 16 && n != 24 && n != 32:
			problems = append(problems, fmt.Errorf("dynamostore: keyPairs[%d]: the encryption key has %d bytes; want 16, 24 or 32, or nil for none", i, n))
		}
	}
	return errors.Join(problems...)
}
