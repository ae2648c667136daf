package dynamostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/sessiondb"
	"example.com/dynamostore/internal/snapshot"
)

// saving is a call of Save or Regenerate. It drafts the write, which changes nothing, sends it, and
// commits the result to the session, its state and the response.
type saving struct {
	*Store
	w          http.ResponseWriter
	session    *sessions.Session
	st         *state
	wanted     sessions.Options // the session's, or else the Store's
	regenerate bool
}

// save implements Save and Regenerate.
func (s *Store) save(r *http.Request, w http.ResponseWriter, session *sessions.Session, regenerate bool) error {
	if session == nil {
		return errors.New("dynamostore: save: the session is nil; save the one that Get or New returned")
	}
	st := states.Get(session)
	auto, isAuto := w.(*savingWriter)
	if isAuto && auto.skips(session, st) {
		return nil
	}
	err := saving{s, w, session, st, s.options(session.Options), regenerate}.run(r)
	st.failed = err != nil
	if isAuto && err != nil {
		auto.errs = append(auto.errs, err)
	}
	return err
}

// run chooses the contexts, and reports the operation to Config.Observe.
func (s saving) run(r *http.Request) error {
	if err := checkName(s.session.Name()); err != nil {
		return err
	}
	if s.st.status == statusReadOnly {
		return s.saveError(ErrReadOnly)
	}
	request := context.Background()
	if r != nil {
		request = r.Context()
	}
	// Save keeps the request's deadline but not its cancellation. Logging out and releasing a lock
	// do not keep the deadline either.
	ctx, cancel := s.db.WithTimeout(context.WithoutCancel(request))
	defer cancel()
	defer s.st.lease.Release(ctx)
	if s.wanted.MaxAge < 0 {
		ctx, observed := s.observing(ctx)
		err := s.logout(ctx)
		observed.end(OpDelete, err)
		return err
	}
	if deadline, ok := request.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	ctx, observed := s.observing(ctx)
	op, err := s.write(ctx)
	observed.end(op, err)
	return err
}

// write creates, updates or moves the session, and returns which operation that was.
func (s saving) write(ctx context.Context) (Op, error) {
	st := s.st
	switch {
	case st.status == statusUnreadable:
		return OpSkip, s.saveError(fmt.Errorf("%w: %w", ErrNotLoaded, st.cause))
	case s.cfg.SkipEmpty && len(s.session.Values) == 0 && !st.stored.IsStored() && !st.stored.HasPending():
		return OpSkip, nil
	case st.status == statusRotated && !s.regenerate:
		return OpSkip, s.saveError(ErrGone)
	}
	d, op, err := s.draft()
	if err != nil {
		return op, err
	}
	if st.resign && d.Kind() == sessiondb.Nothing {
		if err := s.db.Confirm(ctx, st.stored); err != nil {
			return op, err
		}
	}
	result, err := s.db.Write(ctx, d)
	if errors.Is(err, sessiondb.ErrTaken) && s.ownID() {
		err = fmt.Errorf("%w; choose another ID or, if this session is a copy, save the one that Get or New returned", err)
	}
	if err == nil {
		op = ops[result.Kind]
	}
	if op == OpUpdate && result.Values != nil {
		op = OpMerge
	}
	return op, s.commit(result, err)
}

var ops = map[sessiondb.Kind]Op{
	sessiondb.Nothing: OpSkip,
	sessiondb.Create:  OpCreate,
	sessiondb.Update:  OpUpdate,
	sessiondb.Touch:   OpTouch,
	sessiondb.Move:    OpRegenerate,
}

// draft returns what has to be written, and which operation that is. Whatever can fail without
// DynamoDB fails here.
func (s saving) draft() (d sessiondb.Draft, op Op, err error) {
	st, id := s.st, s.session.ID
	change := sessiondb.Change{
		Values:         s.session.Values,
		MaxAge:         s.wanted.MaxAge,
		MaxAgeChanged:  s.wanted.MaxAge != st.options.MaxAge,
		DefaultMaxAge:  s.options(nil).MaxAge,
		Options:        s.optionsText(s.wanted),
		OptionsChanged: !sameButMaxAge(s.wanted, st.options),
		Token:          st.lease.Token(),
	}
	op = OpUpdate
	if stored := st.stored.IsStored(); !stored || s.regenerate || id != st.stored.Name.ID {
		op = OpRegenerate
		if !stored {
			op = OpCreate
		}
		if change.NewName, err = s.chooseName(); err != nil {
			return d, op, err
		}
		id = change.NewName.ID
	}
	if d, err = s.db.Draft(st.stored, change); err != nil {
		return d, op, err
	}
	if st.resign || d.SetsCookie() {
		_, err = s.newCookie(s.session.Name(), id, &s.wanted)
	}
	return d, ops[d.Kind()], err
}

// ownID reports whether the application chose the ID of a session that is created or moved.
func (s saving) ownID() bool { return s.session.ID != "" && !s.regenerate }

// chooseName returns the name under which a session is created, or to which it moves: the one of an
// earlier attempt that may have been applied, the application's own, or a new one.
func (s saving) chooseName() (name sessiondb.Name, err error) {
	if s.regenerate && s.session.ID != "" && !s.st.loaded && !s.st.stored.IsStored() {
		return name, errors.New("dynamostore: regenerate: the session was not loaded by a Store, or is a copy; pass the one that Get or New returned")
	}
	if pending, ok := s.st.stored.PendingName(); ok && (!s.ownID() || pending.ID == s.session.ID) {
		return pending, nil
	}
	id := s.session.ID
	if !s.ownID() {
		id = s.cfg.NewID()
	}
	name, err = s.nameOf(id)
	if err == nil && name.Key == s.st.stored.Name.Key {
		err = fmt.Errorf("dynamostore: save to table %q: Config.NewID returned the session's own ID; want a new random one at each call", s.cfg.Table)
	}
	return name, err
}

// commit applies the result of a write to the session, its state and the response. Nothing else
// changes them after a write.
func (s saving) commit(result sessiondb.Result, err error) error {
	session, st := s.session, s.st
	st.stored = result.Session
	if result.Unlocked {
		st.lease.MarkReleased()
	}
	if err != nil {
		return err
	}
	st.status = statusStored
	session.ID = st.stored.Name.ID
	if result.Values != nil {
		replaceValues(session, result.Ours, result.Values)
	}
	options := s.wanted
	if options.MaxAge != result.MaxAge {
		options.MaxAge = result.MaxAge
		if session.Options != nil {
			own := options // a copy, since other sessions may share the original
			session.Options = &own
		}
	}
	if (result.SetCookie || st.resign) && !result.Ended {
		cookie, err := s.newCookie(session.Name(), session.ID, &options)
		if err != nil {
			return err
		}
		st.cookie = cookie
	}
	st.options, st.resign = options, false
	if st.cookie != nil && !result.Ended { // this response may not have it yet
		setCookie(s.w, st.cookie)
	}
	return nil
}

// replaceValues replaces the session's values, which were ours, by the stored ones. The map stays
// the same, and so does every value that nobody else changed, since a handler may hold a pointer to
// it.
func replaceValues(session *sessions.Session, ours, values map[any]any) {
	if session.Values == nil {
		session.Values = make(map[any]any, len(values))
	}
	maps.DeleteFunc(session.Values, func(k, _ any) bool {
		_, ok := values[k]
		return !ok
	})
	for k, v := range values {
		if own, ok := ours[k]; !ok || !snapshot.Equal(own, v) {
			session.Values[k] = v
		}
	}
}

// logout ends the session, whatever its state, and deletes the browser's cookie even if that fails.
func (s saving) logout(ctx context.Context) error {
	session, st := s.session, s.st
	cookie := sessions.NewCookie(session.Name(), "", &s.wanted)
	st.cookie = cookie
	setCookie(s.w, cookie)
	if st.status == statusRotated {
		return s.saveError(ErrGone)
	}
	name := st.stored.Name
	if !st.stored.IsStored() {
		name = sessiondb.Name{ID: cmp.Or(st.cookieID, session.ID)} // or chosen by the application
		if key, ok := s.key(name.ID); ok {
			name.Key = key
		}
	}
	if err := s.db.End(ctx, st.stored, name); err != nil {
		st.resign = st.status == statusStored // a Save after this one brings the cookie back
		if errors.Is(err, ErrGone) && st.status == statusStored {
			st.status = statusRotated
		}
		return err
	}
	st.lease.MarkReleased()
	// If the application saves the session again, that creates a new one.
	*st = state{loaded: st.loaded, cookieID: name.ID, cookie: cookie}
	session.ID = ""
	return checkCookie(cookie)
}

func (s saving) saveError(err error) error {
	return fmt.Errorf("dynamostore: save to table %q: %w", s.cfg.Table, err)
}
