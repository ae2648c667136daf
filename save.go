package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/sessiondb"
	"example.com/dynamostore/internal/snapshot"
)

// save implements Save and Regenerate. It drafts the write, which changes nothing, sends it, and
// commits the result to the session, its state and the response.
func (s *Store) save(r *http.Request, w http.ResponseWriter, session *sessions.Session, regenerate bool) error {
	if session == nil {
		return errors.New("dynamostore: save: the session is nil; save the one that Get or New returned")
	}
	st := stateOf(session)
	auto, isAuto := w.(*savingWriter)
	if isAuto && auto.skips(session, st) {
		return nil
	}
	err := s.saveKnown(r, w, session, st, regenerate)
	st.failed = err != nil
	if isAuto && err != nil {
		auto.errs = append(auto.errs, err)
	}
	return err
}

func (s *Store) saveKnown(r *http.Request, w http.ResponseWriter, session *sessions.Session, st *state, regenerate bool) error {
	if err := checkName(session.Name()); err != nil {
		return err
	}
	if st.status == statusReadOnly {
		return s.saveError(ErrReadOnly)
	}
	ctx, release, cancel := s.saveContexts(r)
	defer cancel()
	defer st.lease.Release(release)
	if options := s.options(session.Options); options.MaxAge < 0 {
		ctx, observed := s.observing(release)
		err := s.logout(ctx, w, session, st, &options)
		observed.end(OpDelete, err)
		return err
	}
	ctx, observed := s.observing(ctx)
	op, err := s.write(ctx, w, session, st, regenerate)
	observed.end(op, err)
	return err
}

// saveContexts returns the context of a Save, which keeps the request's deadline but not its
// cancellation, and one without that deadline, for logging out and releasing a lock.
func (s *Store) saveContexts(r *http.Request) (ctx, release context.Context, cancel context.CancelFunc) {
	if r == nil {
		ctx, cancel = s.db.WithTimeout(context.Background())
		return ctx, ctx, cancel
	}
	release, cancelRelease := s.db.WithTimeout(context.WithoutCancel(r.Context()))
	deadline, ok := r.Context().Deadline()
	if !ok {
		return release, release, cancelRelease
	}
	ctx, cancelSave := context.WithDeadline(release, deadline)
	return ctx, release, func() { cancelSave(); cancelRelease() }
}

func (s *Store) write(ctx context.Context, w http.ResponseWriter, session *sessions.Session, st *state, regenerate bool) (Op, error) {
	options := s.options(session.Options)
	d, err := s.draft(session, st, options, regenerate)
	if err != nil || d.skip {
		return d.op, err
	}
	if d.confirm {
		if err := s.db.Confirm(ctx, st.stored); err != nil {
			return d.op, err
		}
	}
	result, err := s.db.Write(ctx, d.write)
	if errors.Is(err, sessiondb.ErrTaken) && d.ownID {
		err = fmt.Errorf("%w; if this session is a copy, save the one that Get or New returned", err)
	}
	return s.commit(w, session, st, d, result, err)
}

// draft is what a Save has to do. It does not change.
type draft struct {
	op      Op
	write   sessiondb.Draft
	options sessions.Options
	skip    bool // there is nothing to do, and nothing to commit
	confirm bool // only the cookie is signed anew: first check that the session still exists
	ownID   bool // the application chose the ID
}

// draft returns what a Save of the session has to do. Whatever can fail without DynamoDB fails
// here.
func (s *Store) draft(session *sessions.Session, st *state, options sessions.Options, regenerate bool) (draft, error) {
	d := draft{op: OpSkip, options: options}
	switch {
	case st.status == statusUnreadable:
		return d, s.saveError(ErrNotLoaded)
	case s.cfg.SkipEmpty && len(session.Values) == 0 && !st.stored.IsStored() && !st.stored.HasPending():
		d.skip = true
		return d, nil
	case st.status == statusRotated && !regenerate:
		return d, s.saveError(ErrGone)
	}
	change := sessiondb.Change{
		Values:         session.Values,
		MaxAge:         options.MaxAge,
		MaxAgeChanged:  options.MaxAge != st.options.MaxAge,
		DefaultMaxAge:  s.options(nil).MaxAge,
		Options:        s.optionsText(options),
		OptionsChanged: !sameButMaxAge(options, st.options),
		Token:          st.lease.Token(),
	}
	id := session.ID
	var err error
	switch stored := st.stored.IsStored(); {
	case stored && !regenerate && session.ID == st.stored.Name.ID:
		d.op = OpUpdate
	case stored:
		d.op = OpRegenerate
		change.Move, d.ownID, err = s.nameFor(session, st, regenerate)
		id = change.Move.ID
	case regenerate && session.ID != "" && !st.loaded:
		return d, fmt.Errorf("dynamostore: regenerate: the session was not loaded by a Store, or is a copy; pass the one that Get or New returned")
	default:
		d.op = OpCreate
		change.Create, d.ownID, err = s.nameFor(session, st, regenerate)
		id = change.Create.ID
	}
	if err != nil {
		return d, err
	}
	if d.write, err = s.db.Draft(st.stored, change); err != nil {
		return d, err
	}
	if d.op == OpUpdate && d.write.Kind() != sessiondb.Update {
		d.op = opOf(sessiondb.Result{Kind: d.write.Kind()})
	}
	d.confirm = d.write.Kind() == sessiondb.Nothing && st.resign
	if st.resign || d.write.SetsCookie() {
		_, err = s.newCookie(session.Name(), id, &options)
	}
	return d, err
}

// nameFor returns the name under which a session is created, or to which it moves: the one of an
// earlier attempt that may have been applied, the application's own, or a new one.
func (s *Store) nameFor(session *sessions.Session, st *state, regenerate bool) (name sessiondb.Name, own bool, err error) {
	own = session.ID != "" && !regenerate
	if pending, ok := st.stored.PendingName(); ok && (!own || pending.ID == session.ID) {
		return pending, own, nil
	}
	if own {
		name.ID = session.ID
		name.Key, err = s.newKey(name.ID)
	} else {
		name, err = s.newName()
	}
	if err == nil && name.Key == st.stored.Name.Key {
		err = fmt.Errorf("dynamostore: save to table %q: Config.NewID returned the session's own ID; want a new random one at each call", s.cfg.Table)
	}
	return name, own, err
}

// commit applies the result of a write to the session, its state and the response. Nothing else
// changes them after a write.
func (s *Store) commit(w http.ResponseWriter, session *sessions.Session, st *state, d draft, result sessiondb.Result, err error) (Op, error) {
	st.stored = result.Session
	if result.Unlocked {
		st.lease.MarkReleased()
	}
	if err != nil {
		return d.op, err
	}
	st.status = statusStored
	session.ID = st.stored.Name.ID
	if result.Values != nil {
		replaceValues(session, result.Ours, result.Values)
	}
	options := d.options
	if options.MaxAge != result.MaxAge {
		options.MaxAge = result.MaxAge
		if session.Options != nil {
			own := *session.Options // a copy, since other sessions may share the original
			own.MaxAge = result.MaxAge
			session.Options = &own
		}
	}
	due := result.SetCookie || st.resign
	st.options, st.resign = options, false
	switch {
	case result.Ended:
	case due:
		cookie, err := s.newCookie(session.Name(), session.ID, &options)
		if err != nil {
			return opOf(result), err
		}
		st.cookie = cookie
		setCookie(w, cookie)
	case st.cookie != nil: // this response may not have it yet
		setCookie(w, st.cookie)
	}
	return opOf(result), nil
}

func opOf(r sessiondb.Result) Op {
	switch {
	case r.Kind == sessiondb.Create:
		return OpCreate
	case r.Kind == sessiondb.Move:
		return OpRegenerate
	case r.Kind == sessiondb.Touch:
		return OpTouch
	case r.Kind == sessiondb.Update && r.Values != nil:
		return OpMerge
	case r.Kind == sessiondb.Update:
		return OpUpdate
	}
	return OpSkip
}

// replaceValues replaces the session's values, which were ours, by the stored ones. The map stays
// the same, and so does every value that nobody else changed, since a handler may hold a pointer to
// it.
func replaceValues(session *sessions.Session, ours, values map[any]any) {
	if session.Values == nil {
		session.Values = make(map[any]any, len(values))
	}
	for k := range session.Values {
		if _, ok := values[k]; !ok {
			delete(session.Values, k)
		}
	}
	for k, v := range values {
		if own, ok := ours[k]; !ok || !snapshot.Equal(own, v) {
			session.Values[k] = v
		}
	}
}

// logout ends the session, whatever its state, and deletes the browser's cookie even if that fails.
func (s *Store) logout(ctx context.Context, w http.ResponseWriter, session *sessions.Session, st *state, options *sessions.Options) error {
	st.cookie = sessions.NewCookie(session.Name(), "", options)
	setCookie(w, st.cookie)
	if st.status == statusRotated {
		return s.saveError(ErrGone)
	}
	if err := s.end(ctx, session, st); err != nil {
		return err
	}
	return checkCookie(st.cookie)
}

// end ends the session of a logout.
func (s *Store) end(ctx context.Context, session *sessions.Session, st *state) error {
	name := st.stored.Name
	if !st.stored.IsStored() {
		name = sessiondb.Name{ID: st.cookieID}
		if name.ID == "" {
			name.ID = session.ID // chosen by the application
		}
		if key, ok := s.key(name.ID); ok {
			name.Key = key
		}
	}
	err := s.db.End(ctx, st.stored, name)
	switch {
	case errors.Is(err, ErrGone):
		if st.status == statusStored {
			st.status = statusRotated
		}
		return err
	case err != nil:
		return err
	}
	st.lease.MarkReleased()
	// If the application saves the session again, that creates a new one.
	*st = state{loaded: st.loaded, cookieID: name.ID, cookie: st.cookie}
	session.ID = ""
	return nil
}

func (s *Store) saveError(err error) error {
	return fmt.Errorf("dynamostore: save to table %q: %w", s.cfg.Table, err)
}
