package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/merge"
	"example.com/dynamostore/internal/record"
)

// Regenerate gives the session a new ID, and its cookie with it. Call it where somebody logs in, or gains
// any other right, instead of Save, so that an ID that was known before is worth nothing after (session
// fixation; OWASP Session Management Cheat Sheet, "Renew the Session ID After Any Privilege
// Level Change"):
//
//	session.Values["user"] = user
//	err := store.Regenerate(r, w, session)
//
// The session keeps its values, with what this request changed, and its age: Config.MaxLifetime counts from its
// first creation. New item and old are changed in one transaction (TransactWriteItems, for which it needs the
// permissions of its parts, PutItem and UpdateItem, and GetItem for what comes after a refusal). The old item
// becomes a tombstone for 60 s, without data: a late request that still brings the old cookie finds no session
// there, and its Save returns [ErrGone] and sets no cookie, so that it cannot displace the new one.
//
// A new session is just created, and one with a negative MaxAge deleted, as by Save. The errors are
// those of Save: [ErrGone] if the session was deleted meanwhile.
//
// To set session.ID to "" on a loaded session and call Save, as is done with other stores, does the
// same.
func (s *Store) Regenerate(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	return s.save(r, w, session, true)
}

// rotate moves a loaded session to another ID.
func (s *Store) rotate(ctx context.Context, w http.ResponseWriter, session *sessions.Session, st *state, options *sessions.Options, id string) error {
	oldKey, ok := s.key(st.id)
	if !ok {
		return s.gone()
	}
	newKey, err := s.newKey(id)
	if err != nil {
		return err
	}
	if newKey == oldKey {
		return s.conflict() // what NewID makes is not new
	}
	if s.ended(st.item) {
		return s.gone()
	}
	data, err := s.encode(session.Values)
	if err != nil {
		return err
	}
	value, err := s.cookieValue(session, id)
	if err != nil {
		return err
	}
	c := newChange(s, oldKey, session, st, options, data)
	c.newID, c.newKey = id, newKey
	if _, err := c.apply(ctx); err != nil {
		if errors.Is(err, record.ErrTaken) {
			return s.conflict()
		}
		return s.overtaken(err, st)
	}
	session.ID = id
	st.id = id
	st.resign = false
	http.SetCookie(w, sessions.NewCookie(session.Name(), value, options))
	return nil
}

// settleRotation finds out whether a rotation whose answer was lost was applied: then the session has its new ID.
func (s *Store) settleRotation(ctx context.Context, session *sessions.Session, st *state) error {
	a := st.attempt
	key, ok := s.key(a.id)
	if !ok {
		return nil
	}
	there, err := s.table.Load(ctx, key, true)
	if err != nil {
		return err
	}
	st.attempt = nil
	if there == nil || !there.Shows(a.item) {
		return nil
	}
	found, err := s.decode(key, there)
	if err != nil {
		return err
	}
	ours, err := a.ours.decoded()
	if err != nil {
		return s.undecodable("what was saved does not decode again")
	}
	// The rotation may have merged what others wrote.
	become(session, merge.Values(ours, found.values, session.Values, s.sameValue))
	if session.ID == st.id {
		session.ID = a.id
	}
	st.id = a.id
	options := st.options
	options.MaxAge = a.maxAge
	st.live(there.Bare(), found.base, options)
	st.resign = true // the browser does not have the cookie yet
	return nil
}

// SessionInfo is what a listing tells of a session.
type SessionInfo struct {
	// Key names the session to Destroy and DestroyUser. It is the item's partition key, and so,
	// unless Config.HashIDs is set, holds the session's ID: a secret, by which anyone who could sign
	// cookies would take over the session. Do not show it or log it.
	Key     string
	User    string    // whose session it is, by Config.UserKey; "": nobody's
	Created time.Time // zero: another store's session, which does not say
	Expires time.Time // likewise
}

// Key returns the session's SessionInfo.Key, "" if it has no ID, as a new session before its first Save. One
// that the application gave an ID of its own has a key before it is in the table. It is for telling the
// session at hand from a user's others, as in DestroyUser(ctx, user, store.Key(session)).
func (s *Store) Key(session *sessions.Session) string {
	key, _ := s.key(session.ID)
	return key
}

// Sessions returns every live session of the table that has this Store's KeyPrefix and SortKeyValue. It scans
// the whole table, as far as it is ranged over, a page of up to 1 MB at a time, and reads eventually
// consistently: for reports, not for requests. An error ends it. So does any item without the keys that
// Config names: each has its table's, so the names are wrong. It needs the permission dynamodb:Scan, of the
// client the method Scan.
func (s *Store) Sessions(ctx context.Context) iter.Seq2[SessionInfo, error] {
	return s.infos(ctx, func(ctx context.Context) iter.Seq2[record.Entry, error] {
		return s.table.All(ctx, s.cfg.Timeout)
	})
}

// UserSessions returns the live sessions of a user, by the index on Config.UserKey, a page at a time,
// the one that ends first at the front. An error ends it. An index is eventually consistent: a session that
// was created or deleted in the last moment may be missing, or still there. It needs the permission
// dynamodb:Query on the index, of the client the method Query.
func (s *Store) UserSessions(ctx context.Context, user string) iter.Seq2[SessionInfo, error] {
	if err := s.checkUser(user); err != nil {
		return func(yield func(SessionInfo, error) bool) { yield(SessionInfo{}, err) }
	}
	return s.infos(ctx, func(ctx context.Context) iter.Seq2[record.Entry, error] {
		return s.table.ByUser(ctx, user, s.cfg.Timeout)
	})
}

func (s *Store) checkUser(user string) error {
	switch {
	case s.cfg.UserKey == "":
		return errors.New("dynamostore: Config.UserKey is empty, so sessions are not indexed by user: set it to the key in Session.Values that holds the user")
	case user == "":
		return errors.New("dynamostore: the user is empty: it takes the value under Config.UserKey")
	}
	return nil
}

// infos turns what a listing found into what is shown of it, without the sessions that only
// MaxLifetime ended.
func (s *Store) infos(ctx context.Context, list func(context.Context) iter.Seq2[record.Entry, error]) iter.Seq2[SessionInfo, error] {
	return func(yield func(SessionInfo, error) bool) {
		ctx, seen := s.observing(ctx)
		var failed error
		defer func() { seen.end(OpList, failed) }()
		for e, err := range list(ctx) {
			if err != nil {
				failed = err
				yield(SessionInfo{}, err)
				return
			}
			if !s.lives(e.Item) {
				continue
			}
			info := SessionInfo{Key: e.Key, User: e.User}
			if e.Item.HasCreated {
				info.Created = time.Unix(e.Item.Created, 0)
			}
			if e.Item.HasExpires {
				info.Expires = time.Unix(e.Item.Expires, 0)
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Destroy deletes the session of a SessionInfo.Key, or of [Store.Key], whoever uses it at the moment: their
// Save returns [ErrGone]. There need be none.
func (s *Store) Destroy(ctx context.Context, key string) error {
	if err := s.checkKey(key); err != nil {
		return err
	}
	ctx, seen := s.observing(ctx)
	_, err := s.table.Destroy(ctx, key, "", s.cfg.Timeout)
	seen.end(OpDestroy, err)
	return err
}

func (s *Store) checkKey(key string) error {
	if key == "" || len(key) > maxKey || !strings.HasPrefix(key, s.cfg.KeyPrefix) {
		return errors.New("dynamostore: the key is none of this Store's: it takes a SessionInfo.Key, or what Store.Key returns")
	}
	return nil
}

// DestroyUser deletes all sessions of a user, but for those whose keys it is told to keep ("log out
// everywhere else"), and returns how many it deleted, also where it then failed. What is no
// longer that user's when its turn comes is left alone.
//
// A request that is under way cannot bring a deleted session back: its Save returns [ErrGone]. The index
// by which the sessions are found is eventually consistent, so DestroyUser asks it again until it
// finds nothing more. A session that the user starts while it runs, or started within the
// moment that the index is behind, may all the same be missed: refuse the login itself first (after
// a change of password, it does not work any more), then call DestroyUser, and, where that moment matters, once
// more a few seconds later.
func (s *Store) DestroyUser(ctx context.Context, user string, keep ...string) (int, error) {
	if err := s.checkUser(user); err != nil {
		return 0, err
	}
	for _, key := range keep {
		if err := s.checkKey(key); err != nil {
			return 0, fmt.Errorf("%w; to keep none, give none", err)
		}
	}
	ctx, seen := s.observing(ctx)
	deleted, err := s.destroyUser(ctx, user, keep)
	seen.end(OpDestroyUser, err)
	return deleted, err
}

func (s *Store) destroyUser(ctx context.Context, user string, keep []string) (deleted int, err error) {
	done := make(map[string]bool) // keys that the index may still show
	for again := true; again; {
		again = false
		for e, err := range s.table.ByUser(ctx, user, s.cfg.Timeout) {
			if err != nil {
				return deleted, err
			}
			if done[e.Key] || slices.Contains(keep, e.Key) {
				continue
			}
			was, err := s.table.Destroy(ctx, e.Key, user, s.cfg.Timeout)
			if err != nil {
				return deleted, err
			}
			if was {
				deleted++
			}
			done[e.Key] = true
			again = true
		}
	}
	return deleted, nil
}
