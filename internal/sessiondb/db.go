// Package sessiondb stores sessions by key: it loads, writes, locks, updates, lists and ends them.
// All writes use one protocol. The package knows values and codecs, and nothing of HTTP, cookies
// and gorilla.
//
// A write has three steps. A [Draft] holds everything that the write needs, and does not change.
// [DB.Write] sends it; if DynamoDB refuses it, DB.Write makes another draft on top of what is
// stored now. The [Result] says what is known afterwards, and the caller commits that to its own
// state. A write whose response was lost is pending: it may have been applied, or may still arrive.
// The [Session] in the Result remembers it, and the next write of that session first finds out what
// became of it.
package sessiondb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/dynamostore/internal/envelope"
	"example.com/dynamostore/internal/keyqueue"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/snapshot"
)

// The errors that are not DynamoDB's. They are returned wrapped.
var (
	ErrConflict          = errors.New("another request changed the session")
	ErrTaken       error = takenError{}
	ErrGone              = errors.New("the session was ended")
	ErrLockTimeout       = errors.New("another request holds the session's lock")
	ErrLockLost          = errors.New("the session's lock was lost")
	ErrTooLarge          = record.ErrTooLarge
	ErrUndecodable       = errors.New("the session's item cannot be decoded")
)

// takenError is ErrConflict in a create or a move: there is an item under the new ID.
type takenError struct{}

func (takenError) Error() string { return "the ID is taken by another session" }
func (takenError) Unwrap() error { return ErrConflict }

// Mode says what happens to a write if somebody else has written the session since it was loaded.
type Mode int

const (
	Merge     Mode = iota // both changes are kept
	Refuse                // ErrConflict
	Overwrite             // the later write replaces the other
	Lock                  // ErrLockLost
)

// Codec turns values into bytes and back.
type Codec interface {
	Name() string
	Encode(values map[any]any) ([]byte, error)
	Decode(data []byte) (map[any]any, error)
}

// A DecodeError is an error of a Codec that is safe to show, since it does not quote the input.
type DecodeError string

func (e DecodeError) Error() string { return string(e) }

// Config configures a DB. All fields must be set, except where zero has a meaning.
type Config struct {
	Table      string // the table's name, for errors
	SortValue  string // value of the sort key; empty if the table has none
	Text       bool   // data is stored as a string
	Codec      Codec
	ReadCodecs []Codec // including Codec, which is first
	Envelope   *envelope.Envelope

	Mode           Mode
	EventualReads  bool
	NoTransactions bool

	Lifetime      time.Duration // for sessions whose MaxAge is 0
	MaxLifetime   time.Duration // 0: no limit
	TouchInterval time.Duration // 0: a twentieth of the session's lifetime; negative: every write moves the end
	Timeout       time.Duration // for each call
	Lock          LockConfig

	UserKey, LabelKey string // empty: none

	NewName func() (Name, error) // returns the name of a new session

	// ObserveUnlock is called before a separate request releases a lock, and the func that it
	// returns after that.
	ObserveUnlock func(context.Context) (context.Context, func(error))
}

// DB is a database of sessions. Its methods are safe for concurrent use once MaxLength is set.
type DB struct {
	cfg   Config
	table *record.Table

	// MaxLength is the maximum size of a session in bytes, as its codec encodes it.
	MaxLength int

	writers keyqueue.Queue // this process's requests that write a session
	lockers keyqueue.Queue // this process's requests that hold or want a session's lock
}

// New returns a DB for the sessions in table.
func New(table *record.Table, cfg Config) *DB { return &DB{cfg: cfg, table: table} }

// WithTimeout returns a context that ends after Config.Timeout.
func (db *DB) WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, db.cfg.Timeout, record.ErrTimeout)
}

// Name identifies a session.
type Name struct {
	ID  string // empty where only the key is known
	Key string // the item's partition key
}

// Session is what a process knows about a stored session: the item that it last read or wrote, the
// values in it, and the writes since then that were not answered. It is an immutable value. The
// zero Session is not stored.
type Session struct {
	Name      Name
	item      *record.Item // without its data; nil if nothing is stored, as far as is known
	values    map[any]any  // of that item; not to be changed
	outdated  bool         // the item can be read, but would be written in another form now
	pending   []pending    // oldest first
	setCookie bool         // by the next write: an unanswered one may have moved the end
}

// pending is a write that may have been applied, or may still arrive.
type pending struct {
	kind    Kind
	version string
	name    Name         // where it shows: after a move, the new name
	values  map[any]any  // of the caller's session at the time; not to be changed
	written map[any]any  // to the item, with what was merged; not to be changed
	half    *record.Item // see Draft.half
	maxAge  int
	forked  bool // values are not all in the item: see afterOthersMove
}

// IsStored reports whether the session is stored, as far as is known.
func (s Session) IsStored() bool { return s.item != nil }

// HasPending reports whether the session has unanswered writes.
func (s Session) HasPending() bool { return len(s.pending) > 0 }

// MaxAge returns the session's own MaxAge, if it has one.
func (s Session) MaxAge() (int, bool) {
	if s.item == nil || !s.item.HasMaxAge {
		return 0, false
	}
	return s.item.MaxAge, true
}

// Status says what is stored under a key.
type Status int

const (
	None  Status = iota // no session, or one that has ended
	Live                // a session
	Moved               // a session that was just given a new ID
)

// movedFor is how long a session counts as Moved. If the browser does not have the new cookie by
// then, it will never get it.
const movedFor = 10 * time.Second

// Found is what Load found under a key.
type Found struct {
	Status  Status
	Session Session     // if Live
	Values  map[any]any // if Live: the caller's
}

// Load returns the session with that name. It sends one request, or two with EventualReads if the
// first finds no session.
func (db *DB) Load(ctx context.Context, name Name) (Found, error) {
	ctx, cancel := db.WithTimeout(ctx)
	defer cancel()
	return db.load(ctx, name, db.cfg.EventualReads)
}

func (db *DB) load(ctx context.Context, name Name, eventually bool) (Found, error) {
	for {
		sent := time.Now()
		item, err := db.table.Load(ctx, name.Key, !eventually)
		switch {
		case err != nil:
			return Found{}, err
		case db.IsLive(item) || !eventually && !db.isLiveAt(item, sent):
			return db.found(name, item)
		}
		// It may just have been created or extended, in the meantime if the response took long. The
		// request after a login must find the session.
		eventually = false
	}
}

// found returns what is known of the session whose item is item, which may be nil.
func (db *DB) found(name Name, item *record.Item) (Found, error) {
	switch {
	case item == nil:
		return Found{}, nil
	case item.Gone == record.Moved && time.Now().Unix()-item.Seen < int64(movedFor/time.Second):
		return Found{Status: Moved}, nil
	case item.Gone != "":
		return Found{}, nil
	case item.Malformed != "":
		return Found{}, db.undecodable(item.Malformed)
	case !db.IsLive(item):
		return Found{}, nil
	}
	values, outdated, err := db.decode(name.Key, item)
	if err != nil {
		return Found{}, err
	}
	kept, err := snapshot.Clone(values)
	if err != nil { // a type that cannot be copied
		if kept, _, err = db.decode(name.Key, item); err != nil {
			return Found{}, err
		}
	}
	session := Session{Name: name, item: item.WithoutData(), values: kept, outdated: outdated}
	return Found{Status: Live, Session: session, Values: values}, nil
}

// IsLive reports whether item is a session that has neither ended nor expired. TTL may delete
// expired items days later.
func (db *DB) IsLive(item *record.Item) bool { return db.isLiveAt(item, time.Now()) }

func (db *DB) isLiveAt(item *record.Item, now time.Time) bool {
	if item == nil || item.Gone != "" {
		return false
	}
	if item.HasExpires && now.Unix() >= item.Expires {
		return false
	}
	return !item.HasCreated || now.Before(db.absoluteExpiry(item.Created))
}

// farAway is later than any session's end.
var farAway = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// absoluteExpiry returns when a session with that creation time ends, however active it is.
func (db *DB) absoluteExpiry(created int64) time.Time {
	latest := farAway.Unix() - int64(db.cfg.MaxLifetime/time.Second)
	if db.cfg.MaxLifetime == 0 || created > latest {
		return farAway
	}
	return time.Unix(created, 0).Add(db.cfg.MaxLifetime)
}

// decode decodes the session in the item under key. outdated says that it would be written in
// another form now.
func (db *DB) decode(key string, item *record.Item) (values map[any]any, outdated bool, err error) {
	current := false
	if item.Codec == "" {
		values, err = db.decodeForeign(item)
	} else {
		values, current, err = db.decodeOwn(key, item)
	}
	if err != nil {
		return nil, false, err
	}
	if values == nil {
		values = make(map[any]any)
	}
	user, userErr := db.user(values)
	label, labelErr := db.label(values)
	outdated = !current || !item.IsCurrent() || userErr == nil && user != item.User || labelErr == nil && label != item.Label
	return values, outdated, nil
}

// decodeOwn decodes an item that names its codec. current says that its envelope is as Config asks.
func (db *DB) decodeOwn(key string, item *record.Item) (values map[any]any, current bool, err error) {
	opened, err := db.cfg.Envelope.Open(db.binding(key), item.Codec, item.Data, item.Text, db.MaxLength)
	if err != nil {
		return nil, false, db.undecodable(err.Error())
	}
	reason := ""
	for _, codec := range db.cfg.ReadCodecs {
		if codec.Name() != envelope.Codec(item.Codec) {
			continue
		}
		values, err := codec.Decode(opened.Plain)
		if err == nil {
			return values, opened.Current, nil
		}
		if reason == "" { // report the first error: another JSONCodec may have other Types
			reason = decodeReason(err)
		}
	}
	if reason == "" {
		reason = "it was encoded by a codec that is neither Config.Codec nor in Config.ReadCodecs"
	}
	return nil, false, db.undecodable(reason)
}

// decodeForeign decodes an item that does not name its codec.
func (db *DB) decodeForeign(item *record.Item) (map[any]any, error) {
	candidates, err := db.cfg.Envelope.Foreign(item.Data, item.Text, db.MaxLength)
	if err != nil {
		return nil, db.undecodable(err.Error())
	}
	for _, codec := range db.cfg.ReadCodecs {
		decode := codec.Decode
		if c, ok := codec.(interface {
			DecodeForeign([]byte) (map[any]any, error)
		}); ok {
			decode = c.DecodeForeign
		}
		for _, data := range candidates {
			if values, err := decode(data); err == nil {
				return values, nil
			}
		}
	}
	return nil, db.undecodable("it does not name its codec, and neither Config.Codec nor Config.ReadCodecs can decode it")
}

// binding returns the item's primary key, to which encrypted data is bound.
func (db *DB) binding(key string) string {
	if db.cfg.SortValue == "" {
		return key
	}
	return key + "\x00" + db.cfg.SortValue
}

// decodeReason returns the text to show for a codec's error. An application's codec may quote its
// input.
func decodeReason(err error) string {
	if shown, ok := errors.AsType[DecodeError](err); ok {
		return shown.Error()
	}
	return "its codec cannot decode it"
}

func (db *DB) undecodable(reason string) error {
	return fmt.Errorf("dynamostore: load from table %q: %w: %s", db.cfg.Table, ErrUndecodable, reason)
}
