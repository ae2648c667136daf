package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/dynamostore"
)

// patience is by how much a call may take longer than Config.Timeout: for what is no request.
const patience = 100 * time.Millisecond

// checkWrite checks what a write returned.
func (f *facts) checkWrite(w *write, o outcome) {
	if o.crashed {
		return
	}
	where := fmt.Sprintf("%s: %v of %s", w.who, w.kind, orNone(w.from))
	waits := w.kind == writeUpdate && f.world.plan.setup.mode == dynamostore.Lock
	if took := w.endAt.Sub(w.beginAt); !waits && f.world.pace == 1 && took > f.world.plan.setup.timeout+patience {
		f.violate(TooLong, "%s took %v", where, took)
	}
	switch {
	case w.kind == writeUpdate:
		f.checkUpdate(w, where)
	case w.by == nil:
	case w.err != nil:
		f.checkError(w, o, where)
	case w.kind != writeEnd:
		f.checkAcknowledged(w, o, where)
	}
}

// checkUpdate checks what an Update returned.
func (f *facts) checkUpdate(w *write, where string) {
	lock := f.world.plan.setup.mode == dynamostore.Lock
	switch err := w.err; {
	case err == nil:
	case errors.Is(err, dynamostore.ErrGone):
		if !f.mayBeGone(f.ids[w.from].lineage, w.from, nil, w.endAt) {
			f.violate(GoneAlone, "%s: %v", where, err)
		}
	case lock && (errors.Is(err, dynamostore.ErrLockLost) || errors.Is(err, dynamostore.ErrLockTimeout)):
	case errors.Is(err, dynamostore.ErrConflict) || !f.excused(nil, err):
		f.violate(WrongError, "%s: %v", where, err)
	}
}

// checkError checks that an error is true.
func (f *facts) checkError(w *write, o outcome, where string) {
	h := w.by
	if o.setCookie && w.kind != writeEnd {
		f.violate(WrongCookie, "%s returned %v, and set a cookie", where, w.err)
	}
	switch err := w.err; {
	case errors.Is(err, dynamostore.ErrNotLoaded):
		if !h.notLoaded {
			f.violate(WrongError, "%s, which was loaded: %v", where, err)
		}
	case errors.Is(err, dynamostore.ErrTooLarge):
		if h.session.Values[bigKey] == nil {
			f.violate(WrongError, "%s: %v", where, err)
		}
	case errors.Is(err, dynamostore.ErrGone):
		if h.isNew {
			f.checkGoneNew(w, where)
		} else {
			f.checkGone(w, where)
		}
	case errors.Is(err, dynamostore.ErrConflict), errors.Is(err, dynamostore.ErrLockLost):
		f.checkConflict(w, o, where)
	case errors.Is(err, dynamostore.ErrUndecodable):
		f.violate(WrongError, "%s: %v", where, err)
	case !f.excused(h.visit, err):
		f.violate(WrongError, "%s, without any fault: %v", where, err)
	}
}

// excused reports whether an error may come from the network, from the end of the request's
// context, or from a machine that is too busy for short timeouts.
func (f *facts) excused(v *visit, err error) bool {
	requests := v != nil && (v.left.Load() || errors.Is(err, context.DeadlineExceeded) && !v.deadline.IsZero())
	return !f.world.plan.setup.weather.calm() || requests || errors.Is(err, context.DeadlineExceeded) && f.world.pace != 1
}

// checkAcknowledged checks that a write could succeed, and that the response has the cookie of a
// new ID.
func (f *facts) checkAcknowledged(w *write, o outcome, where string) {
	h := w.by
	if h.notLoaded {
		f.violate(Phantom, "%s, which was not loaded, succeeded", where)
	} else if end, ok := f.expiredBefore(w); ok {
		f.violate(Outlived, "%s succeeded, although the session had expired %v before", where, w.beginAt.Sub(end).Round(time.Millisecond))
	}
	if f.ids[w.to] == nil {
		f.violate(WrongCookie, "%s succeeded, and the session's ID is %q", where, w.to)
		return
	}
	switch {
	case w.forks:
	case w.creates:
		f.checkDisplaced(w, where)
	case w.kind == writeRotation && w.to == w.from:
		f.violate(WrongError, "%s succeeded, and the session has its old ID", where)
	case w.to != w.from && f.ids[w.from].leftBy != nil && h.base.birth != "": // else it may be a fork: see forks
		r := f.ids[w.from].leftBy
		f.violate(Forked, "%s moved it to %s, after %s had moved it to %s", where, w.to, r.who, r.to)
	}
	if w.creates || w.to != w.from {
		cookies := h.visit.cookies()
		ended := !o.setCookie && f.mayBeGone(h.lineage, w.to, nil, w.endAt) // it was applied, and ended before the answer came
		if !ended && (len(cookies) == 0 || f.cookieID(cookies[len(cookies)-1].Value) != w.to) {
			f.violate(WrongCookie, "%s succeeded under %s, and the response does not have its cookie", where, w.to)
		}
	}
}

// checkFork checks a session that a rotation started because another request had moved the one that
// was loaded: there has to be such a request, and the new session has only what this one changed.
func (f *facts) checkFork(w *write) {
	h, l := w.by, w.by.lineage
	where := fmt.Sprintf("%s: %v of %s as %s", w.who, w.kind, w.from, w.to)
	since := h.loading.begun
	if !f.current() {
		since = 0
	}
	moved := l.any(func(r *write) bool {
		return r.by != h && r.from == w.from && r.moves() && r.verdict != refused && (r.ended == 0 || r.ended > since || r.verdict == unknown)
	})
	got := parse(h.session)
	known := []state{w.before}
	// An empty list may be a change as well, from one that is nil.
	isChange := func(known state) bool {
		return got.withoutEmptyLists().String() == changesOnly(known, w.state).withoutEmptyLists().String()
	}
	matches := isChange(w.before)
	for _, p := range h.pending {
		// It may have begun with what the other write changed, or have been added to that.
		known = append(known, p.state)
		matches = matches || isChange(p.state)
	}
	if !matches && len(h.pending) > 0 {
		matches = mixes(known, w.state, got)
	}
	switch {
	case !moved:
		f.violate(Forked, "%s started a session of its own, although nobody had moved the other", where)
	case got.foreign != "" || !matches:
		f.violate(Mixed, "%s started a session of its own with %v; the request knew %v, and wrote %v", where, got, w.before, w.state)
	}
}

// mixes reports whether a state has nothing but what is in another, of that all elements that are new,
// and each register that is not as it was before.
func mixes(before []state, after, got state) bool {
	old := func(e string) bool {
		return slices.ContainsFunc(before, func(s state) bool { return slices.Contains(s.elements(), e) })
	}
	for _, e := range after.elements() {
		if !old(e) && !slices.Contains(got.elements(), e) {
			return false
		}
	}
	for _, e := range got.elements() {
		if !slices.Contains(after.elements(), e) {
			return false
		}
	}
	for name, value := range got.registers {
		same := func(s state) bool { return s.registers[name] == after.registers[name] }
		if value != after.registers[name] && (value != absent || !slices.ContainsFunc(before, same)) {
			return false
		}
	}
	return got.count == 0 || got.count == after.count
}

// changesOnly returns what of a state is not in another.
func changesOnly(before, after state) state {
	s := state{maxAge: after.maxAge, registers: make(map[string]string)}
	if bracketed(after.list) != bracketed(before.list) {
		s.list = after.list
	}
	if bracketed(after.flashes) != bracketed(before.flashes) {
		s.flashes = after.flashes
	}
	for name, value := range after.registers {
		if value == before.registers[name] && name != maxAgeRegister {
			value = absent
		}
		s.registers[name] = value
	}
	if after.count != before.count {
		s.count = after.count
	}
	return s
}

// For a while after a rotation, a late request with the old cookie cannot start a session by Save,
// and after that it can. What lies between depends on when within its call the rotation happened.
const (
	surelyGuarded   = 9 * time.Second
	surelyUnguarded = 12 * time.Second
)

// checkDisplaced checks that no session was started in place of one that had been given a new ID a
// moment ago, but by a login.
func (f *facts) checkDisplaced(w *write, where string) {
	l := w.by.loading
	i := f.ids[l.cookie]
	login := w.by.lineage.any(func(w *write) bool { return w.kind == writeRotation && w.verdict != refused })
	if login || i == nil || i.leftBy == nil || f.world.pace != 1 || !f.current() {
		return
	}
	r := i.leftBy
	moved := r.beginAt // or before, by a rotation without an answer
	for _, w := range i.lineage.writes {
		if w.moves() && w.from == i.id && w.verdict != refused && w.beginAt.Before(moved) {
			moved = w.beginAt
		}
	}
	if r.ended < l.begun && l.endAt.Before(moved.Add(surelyGuarded)) {
		f.violate(Displaced, "%s started a session, although %s had moved %s to %s %v before",
			where, r.who, i.id, r.to, l.beginAt.Sub(r.endAt))
	}
}

// checkGone checks that somebody else ended the session, or gave it a new ID.
func (f *facts) checkGone(w *write, where string) {
	h := w.by
	if h.leaving {
		h = nil // of a logout, ErrGone says that the session lives on under a new ID, whoever gave it that
	}
	if l := w.by.lineage; l != nil && !f.mayBeGone(l, w.from, h, w.endAt) {
		f.violate(GoneAlone, "%s: %v", where, w.err)
	}
}

// checkGoneNew checks that a session that was not there, and is not created, was given a new ID a
// moment ago, or ended while it was being created.
func (f *facts) checkGoneNew(w *write, where string) {
	h := w.by
	if h.lineage != nil && f.mayBeEnded(h.lineage, w.endAt) {
		return
	}
	if w.kind == writeRotation && len(h.pending) == 0 {
		f.violate(LoginRefused, "%s of a new session: %v", where, w.err)
		return
	}
	i := f.ids[h.loading.cookie]
	if i == nil || i.lineage == nil {
		f.violate(GoneAlone, "%s, a new session: %v", where, w.err)
		return
	}
	moved := i.lineage.any(func(r *write) bool {
		recent := r.verdict != acknowledged || w.kind == writeEnd || h.loading.beginAt.Before(r.endAt.Add(surelyUnguarded))
		return r.verdict != refused && r.moves() && r.from == i.id && recent
	})
	if !moved {
		f.violate(GoneAlone, "%s, a new session: %v", where, w.err)
	}
}

// checkConflict checks that another request really wrote the session meanwhile.
func (f *facts) checkConflict(w *write, o outcome, where string) {
	h, setup := w.by, f.world.plan.setup
	if errors.Is(w.err, dynamostore.ErrConflict) && o.answers == 0 {
		f.violate(NoVerdict, "%s: %v", where, w.err)
		return
	}
	l := h.lineage
	if l == nil {
		f.violate(ConflictAlone, "%s: %v", where, w.err)
		return
	}
	since := h.loading.begun
	if !f.current() {
		since = 0
	}
	// Merge refuses only where the user changed, or where merging did not come to an end.
	merges := setup.mode == dynamostore.Merge && !f.outOfTime(w)
	other := l.any(func(other *write) bool {
		wrote := other.changed || other.kind.ends()
		if merges {
			wrote = other.setsUser()
		}
		return other.by != h && wrote && other.verdict != refused && (other.ended == 0 || other.ended > since || other.verdict == unknown)
	})
	// Whoever loads a session when the lease is over takes the lock. A message that arrives late or again
	// may do so at any time.
	other = other || setup.mode == dynamostore.Lock && slices.ContainsFunc(l.loads, func(l *loading) bool {
		lately := l.ended == 0 || l.endAt.Add(2*f.world.scaled(setup.lease)).After(h.loading.beginAt)
		return l.visit != h.visit && !l.peeks && (lately || l.visit.faulty.Load())
	})
	other = other || setup.mode == dynamostore.Lock && l.any(func(w *write) bool {
		return w.kind == writeUpdate && w.visit.faulty.Load()
	})
	other = other || setup.mode == dynamostore.Lock && slices.ContainsFunc(f.updates, func(s *span) bool {
		return s.ended == 0 || s.ended > since
	})
	if !other {
		f.violate(ConflictAlone, "%s: %v", where, w.err)
	}
}

// outOfTime reports whether a write ended when its time was over.
func (f *facts) outOfTime(w *write) bool {
	d := w.by.visit.deadline
	return w.endAt.Sub(w.beginAt) >= f.world.scaled(f.world.plan.setup.timeout) || !d.IsZero() && !w.endAt.Before(d)
}

// checkResponse checks the response of a handler that has returned.
func (f *facts) checkResponse(v *visit) {
	if v.w == nil {
		return
	}
	if n := len(v.cookies()); n > 1 {
		f.report(WrongCookie, "%s: the response sets the cookie %d times", v, n)
	}
}
