package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/sessiondb"
)

// SessionInfo describes a stored session, as listings and [Store.Load] return it. A time is zero if
// the item does not hold it, as in another store's item.
type SessionInfo struct {
	// Key identifies the session to Load, Update, Destroy and DestroyUser, as the result of
	// [Store.Key] does. It is the item's partition key and contains the session's ID unless
	// Config.HashIDs is set. The ID is a secret: anyone who can sign cookies could use it to take
	// over the session. Do not show or log it.
	Key     string
	User    string // the value under Config.UserKey; empty if the session has no user
	Label   string // the value under Config.LabelKey; empty if the session has none
	Created time.Time
	// LastSeen is when a Save last moved the session's end. The session may have been saved since
	// then, within Config.TouchInterval.
	LastSeen time.Time
	Expires  time.Time
}

// Key returns the session's SessionInfo.Key. It is empty if the session has no ID, as before its
// first Save. Use Key to tell the current session from the user's others, as in DestroyUser(ctx,
// user, store.Key(session)).
func (s *Store) Key(session *sessions.Session) string {
	key, _ := s.key(session.ID)
	return key
}

// Sessions returns every live session in the table that has this Store's KeyPrefix and
// SortKeyValue. As it is ranged over, it scans the whole table in pages of up to 1 MB, with
// eventually consistent reads: it is for reports, not for requests. An error ends it, such as for
// an item without the keys that Config names.
//
// ctx bounds the iteration, and Config.Timeout each request. Sessions needs the permission
// dynamodb:Scan, and the client the method Scan.
func (s *Store) Sessions(ctx context.Context) iter.Seq2[SessionInfo, error] {
	return s.list(ctx, s.db.Sessions)
}

// UserSessions returns a user's live sessions from the index on Config.UserKey, a page at a time,
// ordered by when they expire. An error ends it. The index is eventually consistent: a session that
// was just created may be missing, and one that just ended may still be listed.
//
// ctx bounds the iteration, and Config.Timeout each request. UserSessions needs the permission
// dynamodb:Query on the index, and the client the method Query.
func (s *Store) UserSessions(ctx context.Context, user string) iter.Seq2[SessionInfo, error] {
	return s.list(ctx, func(ctx context.Context) iter.Seq2[sessiondb.Info, error] {
		if err := s.checkUser(user); err != nil {
			return func(yield func(sessiondb.Info, error) bool) { yield(sessiondb.Info{}, err) }
		}
		return s.db.UserSessions(ctx, user)
	})
}

func (s *Store) checkUser(user string) error {
	switch {
	case s.cfg.UserKey == "":
		return errors.New("dynamostore: Config.UserKey is empty, so sessions are not indexed by user; set it to the key in Session.Values that holds the user")
	case user == "":
		return errors.New("dynamostore: the user is empty; want the value under Config.UserKey")
	}
	return nil
}

func (s *Store) list(ctx context.Context, list func(context.Context) iter.Seq2[sessiondb.Info, error]) iter.Seq2[SessionInfo, error] {
	return func(yield func(SessionInfo, error) bool) {
		ctx, observed := s.observing(ctx)
		var failed error
		defer func() { observed.end(OpList, failed) }()
		for info, err := range list(ctx) {
			failed = err
			if !yield(SessionInfo(info), err) {
				return
			}
		}
	}
}

// Load returns the session with the given key, and its values, which the caller may change. It
// takes no lock. It returns [ErrGone] if there is no such session, and otherwise the same errors as
// Get.
func (s *Store) Load(ctx context.Context, key string) (SessionInfo, map[any]any, error) {
	if err := s.checkKey(key); err != nil {
		return SessionInfo{}, nil, err
	}
	ctx, observed := s.observing(ctx)
	info, values, err := s.db.Read(ctx, key)
	observed.end(OpLoad, err)
	return SessionInfo(info), values, err
}

// Update changes the values of the session with the given key, outside of its requests. It loads
// the values, calls change, and saves them. If another writer changed the session meanwhile, it
// calls change again with the new values, so change may run more than once. change must not keep
// the map. The session's end does not move. With Concurrency: Lock, Update waits for the lock and
// holds it while change runs. Config.Timeout bounds the call, including change.
//
// If change returns an error, Update writes nothing and returns that error unwrapped. It returns
// [ErrGone] if there is no such session, and otherwise the same errors as Get and Save.
func (s *Store) Update(ctx context.Context, key string, change func(values map[any]any) error) error {
	if err := s.checkKey(key); err != nil {
		return err
	}
	ctx, observed := s.observing(ctx)
	err := s.db.Update(ctx, sessiondb.Name{Key: key}, change)
	observed.end(OpUpdate, err)
	return err
}

// UpdateUser calls [Store.Update] for each of a user's sessions in the index on Config.UserKey. It
// returns how many it updated, even if it returns an error. It skips a session that has ended or
// changed users by the time it gets to it, and may miss one that was just created. It may miss a
// session that is given a new ID meanwhile, or change it twice, so use a change that can be
// repeated. It stops at the first error: call it again for the rest.
//
// ctx bounds the call, and Config.Timeout each session.
func (s *Store) UpdateUser(ctx context.Context, user string, change func(values map[any]any) error) (int, error) {
	if err := s.checkUser(user); err != nil {
		return 0, err
	}
	ctx, observed := s.observing(ctx)
	updated, err := s.db.UpdateUser(ctx, user, change)
	observed.end(OpUpdateUser, err)
	return updated, err
}

// Destroy ends the session with the given key. A request that is using it gets [ErrGone] from Save.
// Destroying a missing session is not an error. Destroy returns ErrGone if the session was given a
// new ID, under which it continues: list the sessions again.
func (s *Store) Destroy(ctx context.Context, key string) error {
	if err := s.checkKey(key); err != nil {
		return err
	}
	ctx, observed := s.observing(ctx)
	err := s.db.End(ctx, sessiondb.Session{}, sessiondb.Name{Key: key})
	observed.end(OpDestroy, err)
	return err
}

func (s *Store) checkKey(key string) error {
	if len(key) > maxKey || !s.table.Schema().Owns(key) {
		return errors.New("dynamostore: the key is not one of this Store's; pass a SessionInfo.Key, or the result of Store.Key")
	}
	return nil
}

// DestroyUser ends a user's sessions that were created before the call, except those whose keys are
// in keep ("log out everywhere else"). It returns how many it ended, even if it returns an error.
// It skips a session that is no longer that user's by the time it gets to it.
//
// A request in progress cannot bring an ended session back: its Save returns [ErrGone]. DestroyUser
// may miss a session that the user starts during the call, or so shortly before that the eventually
// consistent index does not show it yet. So prevent new logins first, for example by changing the
// password, then call DestroyUser, and if necessary once more a few seconds later.
//
// ctx bounds the call, and Config.Timeout each request.
func (s *Store) DestroyUser(ctx context.Context, user string, keep ...string) (int, error) {
	if err := s.checkUser(user); err != nil {
		return 0, err
	}
	for _, key := range keep {
		if err := s.checkKey(key); err != nil {
			return 0, fmt.Errorf("%w; to keep none, pass none", err)
		}
	}
	ctx, observed := s.observing(ctx)
	ended, err := s.db.DestroyUser(ctx, user, keep)
	observed.end(OpDestroyUser, err)
	return ended, err
}
