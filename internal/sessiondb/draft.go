package sessiondb

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"example.com/dynamostore/internal/merge"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/snapshot"
)

// Change describes the session that a caller wants.
type Change struct {
	Values        map[any]any // neither kept nor changed
	MaxAge        int         // seconds; 0: the session lives for Config.Lifetime
	MaxAgeChanged bool        // the caller changed MaxAge since it loaded the session
	DefaultMaxAge int         // a MaxAge that need not be stored
	KeepEnd       bool        // the session's end does not move

	Options        string // the cookie's options, stored to detect a change
	OptionsChanged bool   // the caller changed them since it loaded the session

	NewName Name   // of a session that is not stored yet, or that moves; otherwise zero
	Token   string // with Mode Lock, the token of the lock under which the session was loaded
}

// Draft is everything that a write needs. It is an immutable value: after a refusal, another Draft
// is made.
type Draft struct {
	session Session // as the caller knows it
	ours    Change  // what the caller wants; its Values are a copy

	kind    Kind
	name    Name         // the session's name, or the one to create it under
	newName Name         // the target of a move
	base    *record.Item // the write is conditional on it; nil for create
	created int64
	pending []pending // earlier writes that may have been applied

	// The caller's change is the difference between these and ours.
	known       map[any]any
	knownMaxAge int

	setOptions bool                           // the caller sets the cookie in any case
	update     func(values map[any]any) error // of DB.Update, to call again after a refusal; or nil

	// half is what an earlier attempt of a move in two writes left under newName, and somebody has
	// changed since; otherwise nil. See mergeHalf.
	half *record.Item

	// What is written.
	forked  bool // starts a session with only the caller's changes: see afterOthersMove
	values  map[any]any
	maxAge  int
	merged  bool // values include another writer's changes
	data    []byte
	user    string
	label   string
	expires int64
	moveEnd bool
	version string
}

// Kind returns what the draft will do if nobody else writes the session.
func (d Draft) Kind() Kind { return d.kind }

// Draft returns the write that makes the change to the session. Whatever can fail without DynamoDB
// fails here.
func (db *DB) Draft(s Session, change Change) (Draft, error) {
	if db.cfg.Mode == Lock && change.Token == "" {
		change.Token = record.NewToken() // not the token of any lock
	}
	d := Draft{
		session: s, ours: change, name: s.Name, base: s.item, pending: s.pending,
		known: s.values, knownMaxAge: change.MaxAge, maxAge: change.MaxAge,
	}
	if change.MaxAgeChanged {
		d.knownMaxAge = -1 // not a MaxAge that a written session can have
	}
	if s.item == nil {
		d.kind, d.name, d.created = Create, change.NewName, time.Now().Unix()
		return db.withValues(d)
	}
	d.created = createdOf(s.item)
	d.setOptions = change.OptionsChanged && change.Options != s.item.Options
	switch {
	case !time.Now().Before(db.absoluteExpiry(d.created)):
		return Draft{}, db.saveError(ErrGone)
	case change.NewName != Name{}:
		d.kind, d.newName = Move, change.NewName
		if last := len(s.pending) - 1; last >= 0 && s.pending[last].name == d.newName {
			d.half = s.pending[last].half
		}
	case len(d.pending) > 0 || s.outdated || change.MaxAgeChanged || d.setOptions || !snapshot.EqualValues(s.values, change.Values):
		d.kind = Update
	default:
		d.ours.Values, d.values = s.values, s.values
		if d.expires, d.moveEnd = db.expiry(d); d.moveEnd {
			d.kind = Touch
		}
		return d, nil
	}
	return db.withValues(d)
}

// withValues returns d as a write of the caller's values, of which it makes a copy.
func (db *DB) withValues(d Draft) (Draft, error) {
	ours, err := snapshot.Clone(d.ours.Values)
	if errors.Is(err, snapshot.ErrUncloneable) { // encode and decode it to get a copy
		if d.data, err = db.encode(d.ours.Values); err != nil {
			return Draft{}, err
		}
		if ours, err = db.cfg.Codec.Decode(d.data); err != nil {
			err = fmt.Errorf("%w: the codec cannot decode its own output: %s", ErrUndecodable, decodeReason(err))
		}
	}
	if err != nil {
		return Draft{}, fmt.Errorf("dynamostore: encode the session: %w", err)
	}
	if ours == nil {
		ours = map[any]any{}
	}
	d.ours.Values = ours
	return db.writing(d, ours)
}

// writing returns d as a write of values on top of d.base.
func (db *DB) writing(d Draft, values map[any]any) (Draft, error) {
	var err error
	d.values = values
	if d.data == nil {
		if d.data, err = db.encode(values); err != nil {
			return Draft{}, err
		}
	}
	if d.user, err = db.user(values); err != nil {
		return Draft{}, err
	}
	if d.label, err = db.label(values); err != nil {
		return Draft{}, err
	}
	d.expires, d.moveEnd = db.expiry(d)
	d.version = record.NewVersion(d.base)
	return d, nil
}

// rebase returns the draft that replaces d on top of stored, which is live. d was refused, or has
// pending writes. Only rebase decides how two changes of one session are combined.
func (db *DB) rebase(ctx context.Context, d Draft, stored *record.Item) (Draft, error) {
	// The base of the caller's changes is what it had at its newest write that was applied.
	last := d.lastApplied(stored)
	if last != nil {
		d.known, d.knownMaxAge = last.values, last.maxAge
	}
	refused := d.version != ""
	unchanged := d.base != nil && stored.SameVersion(d.base)
	latest := unchanged || last != nil && stored.Version == last.version // nobody else has written since
	d.data, d.version, d.base = nil, "", stored
	d.created = createdOf(stored)
	if d.kind != Move {
		d.kind = Update
	}
	values, maxAge := d.ours.Values, d.ours.MaxAge
	switch mode := db.cfg.Mode; {
	case mode == Merge || d.forked: // a fork has only a part of what the caller has
		theirs, outdated, err := db.decode(d.name.Key, stored)
		if err != nil {
			return Draft{}, err
		}
		if err := db.checkUsers(d.known, theirs, d.ours.Values); err != nil {
			return Draft{}, err
		}
		if values, err = merge.Values(ctx, d.known, theirs, d.ours.Values); err != nil {
			return Draft{}, fmt.Errorf("dynamostore: merge a session of table %q: %w", db.cfg.Table, err)
		}
		d.merged = !snapshot.EqualValues(values, d.ours.Values)
		theirMaxAge := maxAgeOf(stored, d.ours.DefaultMaxAge)
		if d.ours.MaxAge == d.knownMaxAge {
			maxAge = theirMaxAge
		}
		if refused && d.kind == Update && !outdated && !d.setOptions && maxAge == theirMaxAge && snapshot.EqualValues(values, theirs) {
			// Another writer made the same change. The end may be due to move.
			d.values, d.maxAge = values, maxAge
			if d.expires, d.moveEnd = db.expiry(d); !d.moveEnd {
				d.kind = Nothing
				return d, nil
			}
		}
	case mode == Refuse:
		if !latest {
			return Draft{}, db.saveError(ErrConflict)
		}
	case mode == Lock:
		// If nobody has written the session since, but the draft was refused, somebody has acquired
		// the lock. That may have been this request, by a message that arrived late.
		own := stored.LastHolder == d.ours.Token
		if !latest || !own && (stored.Locked || refused && unchanged) {
			return Draft{}, db.saveError(ErrLockLost)
		}
	}
	d.maxAge = maxAge
	return db.writing(d, values)
}

// lastApplied returns the newest pending write that stored shows, or nil.
func (d Draft) lastApplied(stored *record.Item) *pending {
	for i := len(d.pending) - 1; i >= 0; i-- {
		if stored.Shows(d.pending[i].version) {
			return &d.pending[i]
		}
	}
	return nil
}

// checkUsers returns an error if the session's user has changed since the caller loaded it,
// including to or from no user: the caller's changes were not meant for that session.
func (db *DB) checkUsers(known, theirs, ours map[any]any) error {
	before, _ := db.user(known)
	now, _ := db.user(theirs)
	wanted, _ := db.user(ours)
	if now == before || now == wanted {
		return nil
	}
	return fmt.Errorf("%w: it now has another user", db.saveError(ErrConflict))
}

// write returns the record.Write for d under the key of name.
func (db *DB) write(d Draft, name Name) record.Write {
	options := d.ours.Options
	if d.kind == Update && !d.SetsCookie() {
		options = d.base.Options // those of the browser's cookie
	}
	tag, stored := db.cfg.Envelope.Seal(db.binding(name.Key), d.data, db.table.Overhead(name.Key, d.user, d.label))
	return record.Write{
		Data:      stored,
		Text:      db.cfg.Text,
		Codec:     tag,
		Version:   d.version,
		Expires:   d.expires,
		KeepsEnd:  !d.moveEnd,
		Created:   d.created,
		MaxAge:    d.maxAge,
		HasMaxAge: d.maxAge != d.ours.DefaultMaxAge,
		Options:   options,
		User:      d.user,
		Label:     d.label,
		Token:     d.ours.Token,
	}
}

// SetsCookie reports whether the caller has to set the cookie once d is written.
func (d Draft) SetsCookie() bool {
	return d.moveEnd || d.setOptions || d.name != d.session.Name || d.session.setCookie
}

// expiry returns the end of the session after the write of d, in seconds since 1970, and whether to
// store it. The end moves in steps of Config.TouchInterval, whatever else is written. It moves back
// only if the lifetime became shorter by more than an hour, and not if this machine's clock is
// behind the time at which the end was last moved.
func (db *DB) expiry(d Draft) (expires int64, moves bool) {
	now := time.Now()
	end := db.absoluteExpiry(d.created)
	life := db.cfg.Lifetime
	if d.maxAge > 0 {
		life = time.Duration(min(int64(d.maxAge), math.MaxInt64/int64(time.Second))) * time.Second
	}
	if life < end.Sub(now) {
		end = now.Add(life)
	}
	expires = end.Add(time.Second - 1).Unix()
	switch {
	case d.kind == Create:
		return expires, true
	case d.ours.KeepEnd:
		return d.base.Expires, d.base.HasExpires && !d.base.IsCurrent()
	case !d.base.IsCurrent() || d.maxAge != maxAgeOf(d.base, d.ours.DefaultMaxAge):
		return expires, true
	case expires < d.base.Expires:
		back := time.Duration(d.base.Expires-expires) * time.Second
		if back > time.Hour && now.Unix() >= d.base.Seen {
			return expires, true
		}
		return d.base.Expires, d.kind == Move
	case d.kind == Move:
		return expires, true
	}
	interval := db.cfg.TouchInterval
	if interval == 0 {
		interval = life / 20
	}
	if moved := expires - d.base.Expires; interval > 0 && (moved == 0 || float64(moved) < interval.Seconds()) {
		return d.base.Expires, false
	}
	return expires, true
}

func maxAgeOf(item *record.Item, otherwise int) int {
	if item.HasMaxAge {
		return item.MaxAge
	}
	return otherwise
}

// createdOf returns when the session in item was created, or the current time if that is unknown.
func createdOf(item *record.Item) int64 {
	if item.HasCreated {
		return item.Created
	}
	return time.Now().Unix()
}

// encode encodes values, and checks their size.
func (db *DB) encode(values map[any]any) ([]byte, error) {
	if values == nil {
		values = map[any]any{}
	}
	data, err := db.cfg.Codec.Encode(values)
	if err != nil {
		return nil, fmt.Errorf("dynamostore: encode the session: %w", err)
	}
	if len(data) > db.MaxLength {
		return nil, fmt.Errorf("dynamostore: encode the session: %w: the %s codec encodes it in %d bytes, and Store.MaxLength allows %d; store less in the session", ErrTooLarge, db.cfg.Codec.Name(), len(data), db.MaxLength)
	}
	return data, nil
}

// maxKey is the maximum size of a partition key in bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxKey = 2048

// user returns the user of a session with those values in the form that the index stores, or "" if
// it has none.
func (db *DB) user(values map[any]any) (string, error) {
	v, ok := values[db.cfg.UserKey]
	if !ok || db.cfg.UserKey == "" {
		return "", nil
	}
	user, err := textOf(v)
	switch {
	case err != nil:
		return "", fmt.Errorf("dynamostore: the value under Config.UserKey, %q, %w", db.cfg.UserKey, err)
	case user == "":
		return "", fmt.Errorf("dynamostore: the value under Config.UserKey, %q, is empty; delete the key from a session that has no user", db.cfg.UserKey)
	case len(user) > maxKey || !utf8.ValidString(user):
		return "", fmt.Errorf("dynamostore: the value under Config.UserKey, %q, has %d bytes; want at most %d of UTF-8", db.cfg.UserKey, len(user), maxKey)
	}
	return user, nil
}

// maxLabel is the maximum size of a label in bytes. The index of users stores labels as well.
const maxLabel = 256

// label returns the label of a session with those values, or "" if it has none.
func (db *DB) label(values map[any]any) (string, error) {
	v, ok := values[db.cfg.LabelKey]
	if !ok || db.cfg.LabelKey == "" {
		return "", nil
	}
	label, ok := v.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("dynamostore: the value under Config.LabelKey, %q, has the type %T; want a string", db.cfg.LabelKey, v)
	case len(label) > maxLabel || !utf8.ValidString(label):
		return "", fmt.Errorf("dynamostore: the value under Config.LabelKey, %q, has %d bytes; want at most %d of UTF-8", db.cfg.LabelKey, len(label), maxLabel)
	}
	return label, nil
}

// textOf returns the text form of a user, which has a string or integer kind or is a TextMarshaler.
func textOf(v any) (string, error) {
	if m, ok := v.(encoding.TextMarshaler); ok {
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return "", nil
		}
		text, err := m.MarshalText()
		if err != nil {
			return "", fmt.Errorf("of type %T, has no text form: its MarshalText failed", v)
		}
		return string(text), nil
	}
	switch r := reflect.ValueOf(v); {
	case r.Kind() == reflect.String:
		return r.String(), nil
	case r.IsValid() && r.CanInt():
		return strconv.FormatInt(r.Int(), 10), nil
	case r.IsValid() && r.CanUint():
		return strconv.FormatUint(r.Uint(), 10), nil
	}
	return "", fmt.Errorf("has the type %T; want a string, an integer, or an encoding.TextMarshaler", v)
}

// saveError wraps the error of a write that failed for a reason that is not DynamoDB's.
func (db *DB) saveError(err error) error {
	return fmt.Errorf("dynamostore: save to table %q: %w", db.cfg.Table, err)
}
