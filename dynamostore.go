// Package dynamostore keeps the sessions of github.com/gorilla/sessions in Amazon DynamoDB.
//
// A cookie, signed, carries a session's ID; the session itself is an item in a table, which all
// instances of a service share, and DynamoDB's TTL removes it when it has expired. An application
// on another of gorilla's stores changes one line:
//
//	var store = dynamostore.Must(dynamostore.Open(context.Background(), dynamostore.Config{}, key))
//
// and goes on as before:
//
//	session, err := store.Get(r, "session")
//	if err != nil { ... }                 // a new session comes with it; see Store.Get
//	session.Values["user"] = "ann"
//	err = session.Save(r, w)              // before the body is written
//
// [New] takes a client, such as [NewClient] makes; [Open] makes its own, from the default AWS
// configuration. [Store.EnsureTable] creates the table.
//
// # What Save does
//
// Get reads the item, once per request. Save writes only what changed: nothing for an unchanged
// session, except that it moves the session's end now and then ([Config.TouchInterval]), and sets the cookie only where
// the browser's is not right any more. A session that another request deleted stays deleted ([ErrGone]),
// one that could not be read is not overwritten ([ErrNotLoaded]), and what another request changed
// meanwhile is merged, locked away, or refused, as [Config.Concurrency] says. A negative
// Options.MaxAge deletes session and cookie.
//
// # Logging in
//
// Where somebody logs in, [Store.Regenerate] takes the place of Save: the session moves to a new
// ID. With [Config.UserKey], [Store.UserSessions] lists a user's sessions on all devices, [Store.Destroy] ends one,
// and [Store.DestroyUser] all, or all but the one at hand.
//
// # How long a session lives
//
// A session lives for its Options.MaxAge after its last Save, 30 days unless something else is
// set ([Store.MaxAge]). One with MaxAge 0, whose cookie ends with the browser, lives for [Config.Lifetime]. Neither
// lives longer than [Config.MaxLifetime]. To extend a session by reading, save it: that costs nothing until its
// end has moved far enough.
//
// # What lies in the table
//
// [GobCodec], the default, takes what gorilla's other stores take; [JSONCodec] writes JSON that can be read
// elsewhere, and gives back Go's types; an application may bring a [Codec] of its own.
// [Config.ReadCodecs] changes from one to another without logging anyone out. Large sessions are compressed;
// [Config.EncryptionKeys] encrypts all of them. Items that another store left are read and taken over.
//
// # Tests
//
// Package dynamostoretest has a DynamoDB in memory for an application's own tests.
package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/envelope"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/turns"
)

// Store is a [sessions.Store] on DynamoDB. It is made by [New] or [Open]; the zero Store is of no use. Its
// fields and its methods MaxAge and MaxLength are for the time before the first request; the rest is
// safe for concurrent use.
type Store struct {
	Codecs  []securecookie.Codec // of the cookies
	Options *sessions.Options    // of new sessions: Path "/", MaxAge 30 days, HttpOnly, Secure, SameSite=Lax

	cfg       Config // with its defaults
	client    Client
	table     *record.Table
	codec     Codec
	readers   []Codec // codec first
	envelope  *envelope.Envelope
	maxLength int

	writers turns.Queue[record.Item] // those who merge into one session
	holders turns.Queue[struct{}]    // those who lock one session
}

var _ sessions.Store = (*Store)(nil)

// MaxAge sets Options.MaxAge, in seconds: how long new sessions, and those that say nothing else,
// live after their last Save. 0 is a cookie that ends with the browser, and Config.Lifetime on
// the server.
func (s *Store) MaxAge(age int) {
	if s.Options == nil {
		s.Options = &sessions.Options{}
	}
	s.Options.MaxAge = age
}

// MaxLength sets the most bytes that a session may take as the codec writes it; beyond, Save
// returns [ErrTooLarge], and Get, of what lies in the table, [ErrUndecodable]. 0, or less, sets the
// default, 4 MiB. Whatever is set, an item takes at most 400 KB.
func (s *Store) MaxLength(l int) {
	if l <= 0 {
		l = defaultMaxLength
	}
	s.maxLength = l
}

// Get returns the request's session of that name, loaded once per request and kept in gorilla's
// registry. If the request brings none that lives, it is a new one: its IsNew is true, and its ID is empty until
// Save. The session is never nil.
//
// It returns a new session and an error if the cookie does not verify (securecookie's error, as
// it is: a forged cookie, or one signed by a key that is not among those of this Store), if the
// table could not be read (DynamoDB's error is wrapped; with Config.Concurrency: Lock also
// [ErrLockTimeout]), or if the item cannot be decoded ([ErrUndecodable]). Where
// the table could not be read, a Save on that session returns [ErrNotLoaded] and changes
// nothing, so an application that ignores the error loses nothing.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New is Get without the registry: it reads the table, and returns another session, at each call.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	ctx, seen := s.observing(r.Context())
	session, err := s.load(ctx, r, name)
	seen.end(OpLoad, err)
	return session, err
}

// load is New, on a context of the request's.
func (s *Store) load(ctx context.Context, r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	*session.Options = s.options(nil)
	st := &state{options: *session.Options}
	states.Set(session, st)

	id, resign, err := s.cookieID(r, name)
	if err != nil {
		return session, err
	}
	key, ok := s.key(id)
	if !ok {
		return session, nil // no cookie, or one that names no item
	}
	st.id = id

	var found found
	if s.cfg.Concurrency == Lock {
		found, st.lease, err = s.lock(ctx, r, key)
	} else {
		found, err = s.find(ctx, key)
	}
	switch {
	case errors.Is(err, ErrUndecodable):
		return session, err
	case err != nil:
		st.standing = notLoaded
		return session, err
	case found.item == nil:
		return session, nil // a dead ID: session.ID stays empty
	case found.item.Moved:
		st.standing = moved
		return session, nil
	}
	session.ID = id
	session.IsNew = false
	session.Values = found.values
	if found.item.HasMaxAge {
		session.Options.MaxAge = found.item.MaxAge
	}
	found.item.Data = nil // base has it
	st.live(found.item, found.base, *session.Options)
	st.rewrite = found.rewrite
	st.resign = resign
	return session, nil
}

// live notes what lies in the table by now.
func (st *state) live(item *record.Item, base base, options sessions.Options) {
	st.standing = live
	st.item = item
	st.base = base
	st.options = options
	st.rewrite = false
	st.attempt = nil
}

// cookieID returns the session ID that the request's cookie carries, "" without a cookie, and
// whether it was signed by an older key. The error is securecookie's.
func (s *Store) cookieID(r *http.Request, name string) (id string, resign bool, err error) {
	cookie, err := r.Cookie(name)
	if err != nil {
		return "", false, nil
	}
	var errs securecookie.MultiError
	for i, codec := range s.Codecs {
		if err := codec.Decode(name, cookie.Value, &id); err != nil {
			errs = append(errs, err)
			continue
		}
		return id, i > 0, nil
	}
	if errs == nil {
		return "", false, securecookie.DecodeMulti(name, cookie.Value, &id) // as it says of no codecs at all
	}
	return "", false, errs
}

// found is a session as the table has it.
type found struct {
	item    *record.Item
	values  map[any]any
	base    base
	rewrite bool
}

// find returns the session under key, without an item if none lives there. If the item is a tombstone, it is
// all that is found.
func (s *Store) find(ctx context.Context, key string) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	item, err := s.table.Load(ctx, key, !s.cfg.EventualReads)
	if s.cfg.EventualReads && err == nil && !s.lives(item) {
		// The session may have been created, or extended, a moment ago: a login's redirect must
		// find it.
		item, err = s.table.Load(ctx, key, true)
	}
	if err != nil {
		return found{}, err
	}
	return s.examine(key, item)
}

// examine returns the session that item, which may be nil, is.
func (s *Store) examine(key string, item *record.Item) (found, error) {
	if item != nil && item.Malformed != "" {
		return found{}, s.undecodable(item.Malformed)
	}
	if !s.lives(item) {
		return found{}, nil
	}
	return s.decode(key, item)
}

// lives reports whether item is a session, or a tombstone, that has not ended. TTL removes what
// has ended days later, at times.
func (s *Store) lives(item *record.Item) bool {
	if item == nil {
		return false
	}
	now := time.Now()
	if item.HasExpires && now.Unix() >= item.Expires {
		return false
	}
	return item.Moved || !item.HasCreated || now.Before(s.end(item.Created))
}

// end returns when a session that was created then ends, however active.
func (s *Store) end(created int64) time.Time {
	if s.cfg.MaxLifetime == 0 {
		return farAway
	}
	if latest := farAway.Unix() - int64(s.cfg.MaxLifetime/time.Second); created > latest {
		return farAway
	}
	return time.Unix(created, 0).Add(s.cfg.MaxLifetime)
}

// ended reports whether the absolute lifetime of a session that was loaded alive has ended by now.
func (s *Store) ended(item *record.Item) bool { return !time.Now().Before(s.end(createdOf(item))) }

// farAway is later than any session's end.
var farAway = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// decode returns the session that item, which lies under key, holds.
func (s *Store) decode(key string, item *record.Item) (found, error) {
	if item.Moved {
		return found{item: item}, nil
	}
	f := found{item: item, rewrite: !item.Ours()}
	if item.Codec == "" {
		ways, err := s.envelope.Foreign(item.Data, item.Text, s.maxLength)
		if err != nil {
			return found{}, s.undecodable(err.Error())
		}
		for _, codec := range s.readers {
			for _, data := range ways {
				if values, err := decode(codec, data); err == nil {
					return s.decoded(f, codec, data, values), nil
				}
			}
		}
		return found{}, s.undecodable("it does not say by which codec it was made, and none of Config.Codec and Config.ReadCodecs reads it")
	}
	opened, err := s.envelope.Open(s.binding(key), item.Codec, item.Data, item.Text, s.maxLength)
	if err != nil {
		return found{}, s.undecodable(err.Error())
	}
	f.rewrite = f.rewrite || !opened.Current
	name := envelope.Codec(item.Codec)
	reason := "it was made by a codec that is neither Config.Codec nor among Config.ReadCodecs"
	tried := false
	for _, codec := range s.readers {
		if codec.Name() != name {
			continue
		}
		values, err := decode(codec, opened.Plain)
		if err == nil {
			return s.decoded(f, codec, opened.Plain, values), nil
		}
		if !tried { // a second JSONCodec, say, has other Types
			reason, tried = decodeReason(err), true
		}
	}
	return found{}, s.undecodable(reason)
}

// binding returns what encrypted data is bound to: the item's key.
func (s *Store) binding(key string) string {
	if s.cfg.SortKeyAttribute == "" {
		return key
	}
	return key + "\x00" + s.cfg.SortKeyValue
}

// decoded completes f by what codec made of data.
func (s *Store) decoded(f found, codec Codec, data []byte, values map[any]any) found {
	if values == nil {
		values = make(map[any]any)
	}
	f.values = values
	f.base = base{codec, data}
	if user, err := s.user(values); err == nil && s.cfg.UserKey != "" && user != f.item.User {
		f.rewrite = true
	}
	return f
}

// decodeReason returns what to say of an error of a codec. A user's codec may quote what it
// could not parse.
func decodeReason(err error) string {
	var own decodeError
	if errors.As(err, &own) {
		return own.Error()
	}
	return "the codec that made it does not read it"
}

func (s *Store) undecodable(reason string) error {
	return fmt.Errorf("dynamostore: load from table %q: %w: %s", s.cfg.Table, ErrUndecodable, reason)
}

// Save writes the session and sets its cookie, as far as either is needed, so it must be called
// before the response's body. Options of nil mean the Store's; a negative MaxAge deletes the
// session and its cookie.
//
// A loaded session is written only if its values or its MaxAge changed, where its end has to
// be moved (Config.TouchInterval), or where its item is not in the form that Config asks for. The
// cookie is set only if the item was written, or the session's Options changed, or the cookie was signed
// by an older key; where nothing was written, after a read that finds the session still there.
//
// Save is not given up when the request's context is cancelled, since a browser that goes away does not
// undo what it asked for; the context's deadline and Config.Timeout hold.
//
// The error is one of [ErrGone], [ErrConflict], [ErrNotLoaded], [ErrLockLost] and [ErrTooLarge], or
// [ErrUndecodable] where another request wrote meanwhile what cannot be merged into, the codec's, or
// DynamoDB's. No cookie is set then, except that a logout always takes the browser's away.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	return s.save(r, w, session, false)
}

// save is Save, or Regenerate.
func (s *Store) save(r *http.Request, w http.ResponseWriter, session *sessions.Session, regenerate bool) error {
	st := states.Get(session)
	if st == nil {
		// The application made the session itself.
		st = &state{}
		states.Set(session, st)
	}
	free, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.cfg.Timeout)
	defer cancel()
	defer st.lease.release(free)
	ctx, seen := s.observing(free)
	op, err := s.bring(ctx, r, w, session, st, regenerate)
	seen.end(op, err)
	return err
}

// bring brings the table to what the session is now, and says by which operation. Its context is
// free of the request's deadline and cancellation.
func (s *Store) bring(free context.Context, r *http.Request, w http.ResponseWriter, session *sessions.Session, st *state, regenerate bool) (Op, error) {
	options := s.options(session.Options)
	if st.attempt != nil && st.attempt.id != "" {
		if err := s.settleRotation(free, session, st); err != nil && options.MaxAge >= 0 {
			return OpRegenerate, err
		}
	}
	if options.MaxAge < 0 {
		return OpDelete, s.logout(free, w, session, st, &options)
	}
	switch st.standing {
	case notLoaded:
		return OpSkip, fmt.Errorf("dynamostore: save to table %q: %w", s.cfg.Table, ErrNotLoaded)
	case moved:
		return OpSkip, s.gone()
	}
	ctx := free
	if deadline, ok := r.Context().Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(free, deadline)
		defer cancel()
	}
	switch {
	case st.standing == fresh && regenerate:
		return OpCreate, s.create(ctx, w, session, st, &options, s.cfg.NewID())
	case st.standing == fresh:
		return OpCreate, s.create(ctx, w, session, st, &options, session.ID)
	case regenerate || session.ID == "":
		return OpRegenerate, s.rotate(ctx, w, session, st, &options, s.cfg.NewID())
	case session.ID != st.id:
		return OpRegenerate, s.rotate(ctx, w, session, st, &options, session.ID)
	}
	return s.update(ctx, w, session, st, &options)
}

func (s *Store) gone() error {
	return fmt.Errorf("dynamostore: save to table %q: %w", s.cfg.Table, ErrGone)
}

// logout deletes the session, whatever is known of it, and takes the browser's cookie away.
func (s *Store) logout(ctx context.Context, w http.ResponseWriter, session *sessions.Session, st *state, options *sessions.Options) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), "", options))
	id := st.id
	if id == "" {
		id = session.ID // of the application's own making
	}
	if st.standing == moved {
		return s.gone()
	}
	key, ok := s.key(id)
	if !ok {
		return nil // not in the table
	}
	err := s.table.Delete(ctx, key)
	var rotated *record.Refused
	if err != nil && !errors.As(err, &rotated) {
		return err
	}
	st.lease.given()
	if rotated != nil {
		st.standing = moved
		return s.gone() // under the ID that it has now, it lives on
	}
	// Should the application save the session yet again, it is a new one.
	*st = state{id: id}
	session.ID = ""
	return nil
}

// create puts a session that is not in the table there, under id, which the application may have
// made, or else a new one.
func (s *Store) create(ctx context.Context, w http.ResponseWriter, session *sessions.Session, st *state, options *sessions.Options, id string) error {
	if id == "" {
		id = s.cfg.NewID()
	}
	key, err := s.newKey(id)
	if err != nil {
		return err
	}
	data, err := s.encode(session.Values)
	if err != nil {
		return err
	}
	value, err := s.cookieValue(session, id)
	if err != nil {
		return err
	}
	write, err := s.write(key, session.Values, data, time.Now().Unix(), options)
	if err != nil {
		return err
	}
	if s.cfg.Concurrency == Lock {
		write.Token = st.token() // leaves room for it in the item
	}
	if err := s.table.Create(ctx, key, write); err != nil {
		var refused *record.Refused
		if errors.As(err, &refused) {
			return s.conflict()
		}
		return err
	}
	session.ID = id
	st.id = id
	item := write.Written()
	item.Data = nil // base has it
	st.live(item, base{s.codec, data}, *options)
	http.SetCookie(w, sessions.NewCookie(session.Name(), value, options))
	return nil
}

func (s *Store) conflict() error {
	return fmt.Errorf("dynamostore: save to table %q: %w", s.cfg.Table, ErrConflict)
}

// update brings the table to what a session that lies there is now, and says by which operation.
func (s *Store) update(ctx context.Context, w http.ResponseWriter, session *sessions.Session, st *state, options *sessions.Options) (Op, error) {
	key, ok := s.key(session.ID)
	if !ok || s.ended(st.item) {
		return OpSkip, s.gone()
	}
	data, changed, err := s.changed(session, st, options)
	if err != nil {
		return OpUpdate, err
	}
	now := time.Now()
	expires := s.expires(now, createdOf(st.item), options)
	touch := !changed && s.touches(st.item.Expires, expires, now)
	if !changed && !touch && !st.resign && *options == st.options {
		return OpSkip, nil
	}
	value, err := s.cookieValue(session, session.ID)
	if err != nil {
		return OpSkip, err
	}

	op := OpSkip
	setCookie := touch || st.resign || *options != st.options
	switch {
	case changed:
		c := newChange(s, key, session, st, options, data)
		written, err := c.apply(ctx)
		if op = OpUpdate; c.merges {
			op = OpMerge
		}
		if err != nil {
			return op, s.overtaken(err, st)
		}
		setCookie = setCookie || written
	case touch:
		op = OpTouch
		token := ""
		if s.cfg.Concurrency == Lock {
			token = st.token()
		}
		if err := s.table.Touch(ctx, key, st.item, expires, token); err != nil {
			if err := s.overtaken(err, st); !errors.Is(err, ErrConflict) && !errors.Is(err, ErrLockLost) {
				return op, err
			}
			// Someone else wrote, and so moved the end and set the cookie.
			setCookie = st.resign || *options != st.options
			break
		}
		st.item.Expires = expires
		st.lease.given()
	default:
		// Only the cookie is set. It must not take the place of a rotated session's, nor point at nothing.
		item, err := s.table.Load(ctx, key, true)
		if err != nil {
			return op, err
		}
		if !s.lives(item) || item.Moved {
			st.lease.given() // with the item
			return op, s.gone()
		}
	}
	st.options = *options
	st.resign = false
	if setCookie {
		http.SetCookie(w, sessions.NewCookie(session.Name(), value, options))
	}
	return op, nil
}

// overtaken turns a refusal into what it means for the session. Other errors stay.
func (s *Store) overtaken(err error, st *state) error {
	var refused *record.Refused
	switch {
	case !errors.As(err, &refused):
		return err
	case !s.lives(refused.Item) || refused.Item.Moved:
		st.lease.given() // with the item
		return s.gone()
	case s.cfg.Concurrency == Lock:
		return fmt.Errorf("dynamostore: save to table %q: %w", s.cfg.Table, ErrLockLost)
	}
	return s.conflict()
}

// changed reports whether the session must be written, and returns its data if so.
func (s *Store) changed(session *sessions.Session, st *state, options *sessions.Options) (data []byte, changed bool, err error) {
	data, err = s.encodeOr(session.Values, st.base.data)
	if err != nil {
		return nil, false, err
	}
	return data, st.rewrite || options.MaxAge != st.options.MaxAge || st.base.differs(s.codec, data, session.Values), nil
}

// encode returns what the codec makes of values.
func (s *Store) encode(values map[any]any) ([]byte, error) { return s.encodeOr(values, nil) }

// encodeOr is encode, but may return same where that is what the codec makes.
func (s *Store) encodeOr(values map[any]any, same []byte) ([]byte, error) {
	if values == nil {
		values = map[any]any{}
	}
	data, err := encodeOr(s.codec, values, same)
	if err != nil {
		return nil, fmt.Errorf("dynamostore: encode the session: %w", err)
	}
	if len(data) > s.maxLength {
		return nil, fmt.Errorf("%w: it takes %d bytes as the %s codec writes it, and Store.MaxLength allows %d: store less in the session", ErrTooLarge, len(data), s.codec.Name(), s.maxLength)
	}
	return data, nil
}

// write returns the write, under a new version, of data, which is what the codec made of values.
func (s *Store) write(key string, values map[any]any, data []byte, created int64, options *sessions.Options) (record.Write, error) {
	user, err := s.user(values)
	if err != nil {
		return record.Write{}, err
	}
	tag, stored := s.envelope.Seal(s.binding(key), data, s.table.Overhead(key, user))
	return record.Write{
		Data:      stored,
		Text:      s.cfg.DataType == String,
		Codec:     tag,
		Version:   record.NewVersion(),
		Expires:   s.expires(time.Now(), created, options),
		Created:   created,
		MaxAge:    options.MaxAge,
		HasMaxAge: options.MaxAge != s.options(nil).MaxAge,
		User:      user,
	}, nil
}

// user returns whose session it is, "" for nobody's.
func (s *Store) user(values map[any]any) (string, error) {
	if s.cfg.UserKey == "" {
		return "", nil
	}
	v, ok := values[s.cfg.UserKey]
	if !ok {
		return "", nil
	}
	user, ok := v.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("dynamostore: the value under Config.UserKey, %q, has the type %T: it takes a string, as whose session it is", s.cfg.UserKey, v)
	case user == "":
		return "", fmt.Errorf("dynamostore: the value under Config.UserKey, %q, is empty: it takes a user; delete the key for a session that is nobody's", s.cfg.UserKey)
	case len(user) > maxKey || !utf8.ValidString(user):
		return "", fmt.Errorf("dynamostore: the value under Config.UserKey, %q, has %d bytes: it takes up to %d of UTF-8", s.cfg.UserKey, len(user), maxKey)
	}
	return user, nil
}

// lifetime returns how long a session with those options lives when it is left alone.
func (s *Store) lifetime(options *sessions.Options) time.Duration {
	if options.MaxAge == 0 {
		return s.cfg.Lifetime
	}
	return time.Duration(min(int64(options.MaxAge), math.MaxInt64/int64(time.Second))) * time.Second
}

// expires returns the end of a session that is saved now, in seconds since 1970, rounded up.
func (s *Store) expires(now time.Time, created int64, options *sessions.Options) int64 {
	end := s.end(created)
	if life := s.lifetime(options); life < end.Sub(now) {
		end = now.Add(life)
	}
	return end.Add(time.Second - 1).Unix()
}

// touches reports whether an unchanged session's new end is far enough from the stored one to be
// worth a write.
func (s *Store) touches(stored, expires int64, now time.Time) bool {
	interval := s.cfg.TouchInterval
	switch {
	case interval < 0:
		return true
	case interval == 0:
		interval = time.Unix(expires, 0).Sub(now) / 20
	}
	moved := expires - stored
	if stored > expires {
		moved = stored - expires
	}
	return moved > 0 && float64(moved) >= interval.Seconds()
}

// cookieValue returns what a cookie that carries id holds.
func (s *Store) cookieValue(session *sessions.Session, id string) (string, error) {
	value, err := securecookie.EncodeMulti(session.Name(), id, s.Codecs...)
	if err != nil {
		return "", fmt.Errorf("dynamostore: make the cookie: %w", err)
	}
	return value, nil
}

// options returns those of a session, or the Store's.
func (s *Store) options(own *sessions.Options) sessions.Options {
	switch {
	case own != nil:
		return *own
	case s.Options != nil:
		return *s.Options
	}
	return sessions.Options{}
}

// newKey is key for an ID that was just made.
func (s *Store) newKey(id string) (string, error) {
	key, ok := s.key(id)
	if !ok {
		return "", fmt.Errorf("dynamostore: the session's ID, from Config.NewID or the application, has %d bytes: it takes 1 to %d of UTF-8, Config.KeyPrefix included", len(id), maxKey)
	}
	return key, nil
}

// key returns the partition key of the session with that ID, and whether there can be an item
// under it.
func (s *Store) key(id string) (string, bool) {
	if id == "" {
		return "", false
	}
	if s.cfg.HashIDs {
		return s.cfg.KeyPrefix + hash(id), true
	}
	key := s.cfg.KeyPrefix + id
	return key, len(key) <= maxKey && utf8.ValidString(key)
}
