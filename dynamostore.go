// Package dynamostore is a [sessions.Store] of github.com/gorilla/sessions that keeps sessions in
// Amazon DynamoDB.
//
// A signed cookie carries a session's ID. The session is an item in a table that all instances of a
// service share, and DynamoDB's TTL deletes it when it has expired. An application that uses
// another gorilla store opens this one in main:
//
//	store, err := dynamostore.Open(context.Background(), dynamostore.Config{}, key)
//
// Its handlers stay as they are:
//
//	session, err := store.Get(r, "session")
//	if err != nil { ... }                 // a new session comes with it; see Store.Get
//	session.Values["user"] = "ann"
//	err = session.Save(r, w)              // before the body is written
//
// [New] takes a client, typically from [NewClient]. [Open] makes its own from the default AWS
// configuration. [Store.EnsureTable] creates the table.
//
// # What Save does
//
// Get reads the item once per request. Save writes only if something changed, and sets the cookie
// only if the browser's is out of date:
//
//   - A session that another request ended stays ended ([ErrGone]).
//   - A session that could not be read is not overwritten ([ErrNotLoaded]).
//   - If another request changed the session meanwhile, [Config.Concurrency] decides: the changes
//     are merged, refused, overwritten, or kept apart by a lock.
//   - A negative Options.MaxAge ends the session and deletes its cookie.
//   - If DynamoDB does not answer, it is unknown whether the session was written. Save it again:
//     the Store finds out first, so nothing is written twice.
//
// # Logging in
//
// When a user logs in, call [Store.Regenerate] instead of Save. With [Config.UserKey],
// [Store.UserSessions] lists a user's sessions on all devices, [Store.Destroy] ends one, and
// [Store.DestroyUser] ends all, or all but the current one.
//
// # How long a session lives
//
// A session lives for its Options.MaxAge after its last Save, 30 days by default ([Store.MaxAge]),
// or with MaxAge 0 for [Config.Lifetime], but never longer than [Config.MaxLifetime]. To extend a
// session when it is read, save it: that costs nothing until its end moves by
// [Config.TouchInterval].
//
// # What is stored
//
// [GobCodec], the default, stores what gorilla's other stores store. [JSONCodec] writes JSON that
// other programs can read. [Config.ReadCodecs] allows changing the codec without logging anyone
// out. Large sessions are compressed, and [Config.EncryptionKeys] encrypts all of them. Items of
// other stores are read and converted.
//
// Package dynamostoretest provides an in-memory DynamoDB for application tests.
package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/sessiondb"
)

// Store is a [sessions.Store] on DynamoDB. [New] and [Open] make one; the zero Store is not usable.
// Set its fields and call MaxAge and MaxLength before serving requests. The other methods are safe
// for concurrent use.
type Store struct {
	Codecs  []securecookie.Codec // sign and verify the cookies
	Options *sessions.Options    // for new sessions: Path "/", MaxAge 30 days, HttpOnly, Secure, SameSite=Lax

	cfg    Config // with its defaults
	client Client
	table  *record.Table
	db     *sessiondb.DB
}

var _ sessions.Store = (*Store)(nil)

// Format prints the Store's table and no key. Keep a *Store: package fmt does not call Format for a
// Store by value in an unexported field, as for [Config.Format].
func (s Store) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "dynamostore.Store(%q)", s.cfg.Table) }

// LogValue returns what package log/slog logs for the Store: its table and no key.
func (s Store) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// MaxAge sets Options.MaxAge, in seconds: how long a session lives after its last Save, unless its
// own Options say otherwise. With 0 the cookie ends with the browser, and the session lives for
// Config.Lifetime.
func (s *Store) MaxAge(age int) {
	if s.Options == nil {
		s.Options = &sessions.Options{}
	}
	s.Options.MaxAge = age
}

// MaxLength sets the maximum size of a session in bytes, as the codec encodes it, before
// compression. Save of a larger session returns [ErrTooLarge], and Get returns [ErrUndecodable] if
// it is already stored. If l is 0 or less, MaxLength sets the default, 1 MiB. DynamoDB stores at
// most 400 KB in an item.
func (s *Store) MaxLength(l int) {
	if l <= 0 {
		l = defaultMaxLength
	}
	s.db.MaxLength = l
}

// Get returns the request's session with the given name. It is loaded once per request and kept in
// gorilla's registry. If the request has no live session, Get returns a new one: its IsNew is true,
// and its ID is empty until Save. The session is never nil.
//
// Get returns a new session and an error in these cases:
//   - name is not a valid cookie name (RFC 6265). Save on that session is an error as well.
//   - The cookie does not verify: it was forged, or signed with a key that this Store does not
//     have. The error is securecookie's; for the cookie of a CookieStore, it is wrapped in one that
//     says so. The session can be used like any new one.
//   - The table could not be read. The error wraps DynamoDB's, or [ErrLockTimeout]. Save on that
//     session returns [ErrNotLoaded] and changes nothing, so ignoring the error loses no data.
//   - The item cannot be decoded: [ErrUndecodable]. Save creates a new session and leaves the
//     item as it is.
//
// If the request has several cookies with that name, Get uses the first that opens a live session,
// or else the first.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	if err := checkName(name); err != nil { // the registry would return no session
		return s.New(r, name)
	}
	return sessions.GetRegistry(r).Get(s, name)
}

// New is like Get, but without the registry: each call reads the table and returns a separate
// session.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	return s.observeLoad(r, name, s.cfg.Concurrency == Lock)
}

// Peek is like New, for a request that only reads the session. With Concurrency: Lock, it does not
// wait for the lock, so another request may be about to change the session. The session is not kept
// in gorilla's registry, and saving it returns [ErrReadOnly].
func (s *Store) Peek(r *http.Request, name string) (*sessions.Session, error) {
	session, err := s.observeLoad(r, name, false)
	states.Get(session).status = statusReadOnly
	return session, err
}

func (s *Store) observeLoad(r *http.Request, name string, lock bool) (*sessions.Session, error) {
	ctx, observed := s.observing(r.Context())
	session, err := s.load(ctx, r, name, lock)
	observed.end(OpLoad, err)
	return session, err
}

// load returns the session of the first cookie that opens a live one, or a new session.
func (s *Store) load(ctx context.Context, r *http.Request, name string, lock bool) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	*session.Options = s.options(nil)
	st := states.Get(session)
	*st = state{loaded: true, options: *session.Options}
	if err := checkName(name); err != nil {
		return session, err
	}
	var first error
	for i, c := range r.CookiesNamed(name) {
		opened, values, err := s.open(ctx, r, c, lock)
		switch {
		case opened.status == statusStored:
			session.ID, session.IsNew, session.Values = opened.cookieID, false, values
			*session.Options = opened.options
			*st = opened
			return session, nil
		case opened.status == statusUnreadable:
			*st = opened
			return session, err
		case i == 0:
			*st, first = opened, err
		}
	}
	return session, first
}

// open loads the session whose ID a cookie carries, and returns its state and its values.
func (s *Store) open(ctx context.Context, r *http.Request, c *http.Cookie, lock bool) (state, map[any]any, error) {
	st := state{loaded: true, options: s.options(nil)}
	id, resign, err := s.decodeCookie(c)
	if err != nil {
		return st, nil, err
	}
	st.cookieID = id
	key, ok := s.key(id)
	if !ok {
		return st, nil, nil // there can be no such session
	}
	name := sessiondb.Name{ID: id, Key: key}
	var found sessiondb.Found
	var lease *sessiondb.Lease
	if lock {
		found, lease, err = s.lock(ctx, r, name)
	} else {
		found, err = s.db.Load(ctx, name)
	}
	switch {
	case err != nil && !errors.Is(err, ErrUndecodable):
		st.status, st.cause, st.lease = statusUnreadable, err, lease
	case found.Status == sessiondb.Live:
		st.status, st.stored, st.resign, st.lease = statusStored, found.Session, resign, lease
		if age, ok := found.Session.MaxAge(); ok {
			st.options.MaxAge = age
		}
	case found.Status == sessiondb.Moved:
		st.status = statusRotated
	}
	return st, found.Values, err
}

// lock acquires the request's lock on a session, and loads it.
func (s *Store) lock(ctx context.Context, r *http.Request, name sessiondb.Name) (sessiondb.Found, *sessiondb.Lease, error) {
	lease := s.leaseOf(r, name)
	found, waited, err := lease.Acquire(ctx, r.Context(), s.db)
	s.observeWait(r.Context(), waited, err)
	if errors.Is(err, ErrUndecodable) { // Save will not write this item
		lease.Release(ctx)
	}
	return found, lease, err
}

// Save writes the session and sets its cookie, if necessary. Call it before writing the response
// body.
//
//   - A new session is created.
//   - A loaded session is written if its values or its MaxAge changed, if its end has to be moved
//     (Config.TouchInterval), or if its item is not in the form that Config asks for.
//   - A session with a negative Options.MaxAge is ended. Its cookie is deleted even if the write
//     fails.
//   - The cookie is set if the session was created, its end moved or its Options changed, or if the
//     cookie was signed with an older key. In the last case, if nothing is written, a read first
//     makes sure that the session still exists. A response has one cookie per session name: a later
//     one replaces an earlier one.
//   - If the session's Options are nil, the Store's apply.
//
// Save does not stop when the request's context is canceled: a browser that disconnects does not
// undo what it asked for. The context's deadline and Config.Timeout apply. r may be nil.
//
// If the error wraps [ErrGone], [ErrConflict], [ErrNotLoaded], [ErrReadOnly], [ErrLockLost],
// [ErrTooLarge] or [ErrUndecodable], or is the codec's, this Save wrote nothing. Any other error is
// DynamoDB's, and it is unknown whether the session was written: another Save of the same session
// finds out, and writes what is missing. If Save fails, it sets no cookie, except that ending a
// session always deletes the browser's.
//
// Save the session that Get or New returned, not a copy of it.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	return s.save(r, w, session, false)
}

// Regenerate gives the session a new ID and saves it. Call it instead of Save when a user logs in
// or gains any other privilege, so that an ID known before is worthless afterwards (session
// fixation):
//
//	session.Values["user"] = user
//	err := store.Regenerate(r, w, session)
//
// The session keeps its values, including this request's changes, and its age: Config.MaxLifetime
// counts from its first creation. As with Save, a new session is created, and one with a negative
// MaxAge is ended.
//
// Regenerate reads the item, and then creates the new item and turns the old one into a tombstone
// without data, in one transaction (TransactWriteItems, which needs the permissions
// dynamodb:PutItem and dynamodb:UpdateItem) or as Config.NoTransactions says. A late request gets
// nothing of the session:
//
//   - For 10 seconds, a request with the old cookie gets a new session. Its Save returns [ErrGone]
//     and sets no cookie, so it cannot displace the new cookie. Its Regenerate creates a session,
//     so a login that is sent twice succeeds.
//   - If two requests loaded the session before either regenerated it, the second gets a session of
//     its own, with only what it changed. It gets [ErrGone] instead if it set no user and either
//     added no value or had loaded the session of a user.
//
// Regenerate returns the same errors as Save. As with other stores, setting the ID of a loaded
// session to "" and calling Save does the same.
func (s *Store) Regenerate(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	return s.save(r, w, session, true)
}

// options returns own, or the Store's options if own is nil.
func (s *Store) options(own *sessions.Options) sessions.Options {
	if own == nil {
		own = s.Options
	}
	if own == nil {
		return sessions.Options{}
	}
	return *own
}
