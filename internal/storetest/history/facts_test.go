package history

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// facts is what the checker knows of the sessions: which calls were made, in which order they began
// and ended, and what they returned. The check files draw conclusions from it.
type facts struct {
	world *world

	mu       sync.Mutex
	now      clock
	lineages []*lineage
	ids      map[string]*identity // all that were ever made
	endings  []*write             // by DestroyUser
	updates  []*span              // of UpdateUser, which locks sessions before it changes them
	names    int                  // of values, made so far
	authors  map[string]*write    // by value: the first write that had it
	found    []Violation
}

func newFacts(w *world) *facts {
	return &facts{world: w, ids: make(map[string]*identity), authors: make(map[string]*write)}
}

// issue notes an ID that was made for a new session.
func (f *facts) issue(id string) {
	key := f.world.key(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids[id] = &identity{id: id, key: key}
	f.world.journal.name(key, id)
}

// seenIDs returns the IDs under which sessions were stored, in order.
func (f *facts) seenIDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for id, i := range f.ids {
		if i.lineage != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// newName returns a value that nobody else stores.
func (f *facts) newName(prefix string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names++
	return prefix + strconv.Itoa(f.names)
}

// newMaxAge returns a MaxAge that nobody else sets. Where sessions are to expire, it is short.
func (f *facts) newMaxAge() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names++
	if f.world.plan.setup.maxAge == shortLived {
		return shortLived + f.names
	}
	return 24*60*60 + f.names
}

// cookieID returns the ID in a cookie, "" for none.
func (f *facts) cookieID(value string) string {
	var id string
	if value == "" || securecookie.DecodeMulti(sessionName, value, &id, f.world.codecs...) != nil {
		return ""
	}
	return id
}

// orNone shows an ID.
func orNone(id string) string {
	if id == "" {
		return "no cookie"
	}
	return id
}

// tick returns the next time. It is called with f.mu held, as are begin and end.
func (f *facts) tick() clock {
	f.now++
	return f.now
}

func (f *facts) begin() span { return span{begun: f.tick(), beginAt: time.Now()} }

func (f *facts) end(s *span) { s.ended, s.endAt = f.tick(), time.Now() }

// Loading.

// beginLoad notes that Get, New or Peek is called.
func (f *facts) beginLoad(v *visit, peeks bool) *loading {
	l := &loading{visit: v, peeks: peeks}
	if c, err := v.r.Cookie(sessionName); err == nil {
		l.cookie = f.cookieID(c.Value)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l.span = f.begin()
	v.loads = append(v.loads, l)
	if i := f.ids[l.cookie]; i != nil && i.lineage != nil {
		i.lineage.loads = append(i.lineage.loads, l)
	}
	return l
}

// endLoad notes what it returned, and checks it.
func (f *facts) endLoad(l *loading, session *sessions.Session, err error) *handle {
	v, h := l.visit, newHandle(l, session, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(&l.span)
	l.err, l.ok = err, err == nil && !session.IsNew
	if l.peeks || v.left.Load() {
		l.released = l.ended
	}
	if i := f.ids[l.cookie]; i != nil && !h.isNew {
		h.lineage = i.lineage
	}
	switch {
	case err != nil:
		f.world.journal.add("%s: load %s: %v", v, orNone(l.cookie), err)
	case session.IsNew:
		f.world.journal.add("%s: load %s: a new session", v, orNone(l.cookie))
	default:
		f.world.journal.add("%s: load %s: %v", v, l.cookie, h.base)
	}
	if !v.down() {
		f.checkLoad(h, err)
	}
	return h
}

// release notes that a visit gives up its locks.
func (f *facts) release(v *visit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v.release(f.tick())
}

// release is that of facts, with its mutex held.
func (v *visit) release(at clock) {
	for _, l := range v.loads {
		if l.released == 0 {
			l.released = at
		}
	}
}

// Writing.

// beginWrite notes that a session is written.
func (f *facts) beginWrite(h *handle, kind writeKind) *write {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := h.write(kind, f.begin())
	w.vague = f.vague(w)
	h.visit.release(w.begun) // it gives the lock up
	if h.isNew && h.lineage == nil && kind != writeEnd {
		h.lineage = &lineage{birth: w.state.birth}
		f.lineages = append(f.lineages, h.lineage)
	}
	if h.lineage != nil {
		h.lineage.writes = append(h.lineage.writes, w)
	}
	for e := range w.own {
		f.author(e, w)
	}
	for name := range w.set {
		f.author(w.state.registers[name], w)
	}
	f.world.journal.add("%s: %v of %s: %v", w.who, kind, orNone(h.id), w.state)
	return w
}

// author notes the first write that has a value.
func (f *facts) author(value string, w *write) {
	if f.authors[value] == nil {
		f.authors[value] = w
	}
}

// endWrite notes what a write returned, and checks that.
func (f *facts) endWrite(w *write, o outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conclude(w, o)
	h := w.by
	if h != nil {
		w.to = h.session.ID
	}
	result := "ok"
	switch {
	case o.err != nil:
		result = o.err.Error()
	case w.to != w.from && !w.kind.ends():
		result += ", its ID is " + orNone(w.to)
	}
	f.world.journal.add("%s: %v of %s: %s", w.who, w.kind, orNone(w.from), result)
	if w.verdict == acknowledged && h != nil && f.forks(w) {
		f.fork(w)
	}
	f.checkWrite(w, o)
	switch {
	case h == nil:
	case w.kind == writeEnd:
		h.ended = w.verdict == acknowledged
		if errors.Is(w.err, dynamostore.ErrGone) && w.creates && len(h.pending) > 0 {
			// ErrGone is about the session of the request's cookie, which another request has moved.
			// Before that, the logout ended what the handler's unanswered writes may have created.
			w.verdict = unknown
		}
	case w.verdict == unknown && w.changed:
		h.pending = append(h.pending, w)
	case w.verdict == acknowledged:
		f.identify(w)
		h.acknowledge(w)
	}
}

// conclude notes how a write ended.
func (f *facts) conclude(w *write, o outcome) {
	f.end(&w.span)
	w.err, w.verdict = o.err, o.verdict()
	if w.verdict == acknowledged && (w.changed || w.kind.ends()) {
		f.world.figures.acknowledged()
	}
}

// forks reports whether an acknowledged write started a session of its own: that does not have the birth of
// the one that was loaded. One that itself began so has none, unless it was saved since; there what tells
// is what it has besides, and if that is nothing, whether another request may have moved it.
func (f *facts) forks(w *write) bool {
	h := w.by
	if w.creates || w.kind.ends() || w.to == w.from {
		return false
	}
	got := parse(h.session)
	if h.base.birth != "" {
		return got.birth == ""
	}
	moved := h.lineage.any(func(r *write) bool { return r.by != h && r.from == w.from && r.moves() && r.verdict != refused })
	return h.lineage.forked && moved && got.String() == changesOnly(w.before, w.state).String()
}

// fork notes that a write has started a session of its own, because another request had moved the one
// that was loaded. That is a new lineage, in which the write creates what it changed.
func (f *facts) fork(w *write) {
	h := w.by
	f.checkFork(w)
	h.lineage.writes = slices.DeleteFunc(h.lineage.writes, func(other *write) bool { return other == w })
	if f.forksOrMoves(w) {
		h.lineage.writes = append(h.lineage.writes, w.possibleMove())
	}
	f.names++
	h.lineage = &lineage{birth: "fork" + strconv.Itoa(f.names), forked: true, writes: []*write{w}}
	f.lineages = append(f.lineages, h.lineage)
	w.creates, w.forks, w.cleared = true, true, true
	w.state, w.before = parse(h.session), state{registers: map[string]string{userKey: absent}}
	clear(w.own)
	for _, e := range w.state.elements() {
		w.own[e] = true
	}
	clear(w.removed)
	clear(w.restored)
	clear(w.set)
	clear(w.reset)
	for name, value := range w.state.registers {
		if value != absent {
			w.set[name] = w.begun
		}
		if slices.ContainsFunc(h.pending, func(p *write) bool { return p.state.registers[name] != value }) {
			w.reset[name] = true // an earlier attempt may have started the session with another value
		}
	}
}

// forksOrMoves reports whether a write that counts as one that started a session of its own may as
// well have moved the one that was loaded. Only a session that itself began so can leave that open,
// if a move would have left the same: what the handler had, or, in Merge, that without what others
// took out.
func (f *facts) forksOrMoves(w *write) bool {
	same := parse(w.by.session).String() == w.state.String()
	return w.by.base.birth == "" && (same || f.world.plan.setup.mode == dynamostore.Merge)
}

// possibleMove returns what is left of such a write in the session that was loaded: that may be gone
// from its ID, and has nothing new.
func (w *write) possibleMove() *write {
	return &write{
		span: w.span, kind: writeRotation, who: w.who, by: w.by, from: w.from, to: w.from, verdict: unknown,
		state: w.before, before: w.before, since: w.since,
	}
}

// identify notes the IDs of an acknowledged write.
func (f *facts) identify(w *write) {
	if i := f.ids[w.to]; i != nil {
		i.lineage = w.by.lineage
	}
	if i := f.ids[w.from]; i != nil && w.moves() && i.leftBy == nil {
		i.leftBy = w
	}
}

// tombstoneLife is how long at least it is known that a session was given a new ID.
const tombstoneLife = 5*time.Minute - 10*time.Second

// vague reports whether what is to end a session may find nothing under its ID, because the session
// was given a new one so long ago that the table does not tell any more.
func (f *facts) vague(w *write) bool {
	i := f.ids[w.from]
	return i != nil && i.lineage != nil && i.lineage.any(func(r *write) bool {
		longAgo := r.beginAt.Add(tombstoneLife).Before(w.beginAt)
		return longAgo && r.from == w.from && r.moves() && r.verdict != refused
	})
}

// Updating from outside.

// beginUpdate notes that a session is updated, by which it gets an element. It is by nobody who holds the
// session.
func (f *facts) beginUpdate(v *visit, l *lineage, id, element string) *write {
	w := &write{
		span: f.begin(), kind: writeUpdate, who: v.String(), from: id, to: id, changed: true, differs: true,
		visit: v, own: map[string]bool{element: true},
	}
	w.since = w.begun
	l.writes = append(l.writes, w)
	return w
}

// update has a session updated by a call that is given what changes the values.
func (f *facts) update(v *visit, id string, call func(change func(map[any]any) error) error) {
	element := f.newName("u")
	f.mu.Lock()
	w := f.beginUpdate(v, f.ids[id].lineage, id, element)
	f.world.journal.add("%s: Update of %s, to add %s", v, id, element)
	f.mu.Unlock()
	err := call(func(values map[any]any) error {
		v.addTo(values, element)
		f.mu.Lock()
		defer f.mu.Unlock()
		w.updates = append(w.updates, parse(&sessions.Session{Values: values}).String())
		return nil
	})
	f.endWrite(w, outcome{err: err, crashed: v.down()})
}

// updateUser has the sessions of a user updated. Each of them gets an element, and that is known only if all
// have.
func (f *facts) updateUser(v *visit, user string, call func(change func(map[any]any) error) (int, error)) {
	f.world.journal.add("%s: UpdateUser of %s", v, user)
	f.mu.Lock()
	took := f.begin()
	f.updates = append(f.updates, &took)
	f.mu.Unlock()
	writes := make(map[*lineage]*write)
	unsure := f.world.plan.setup.noTransactions // a move in two steps may have left a copy
	n, err := call(func(values map[any]any) error {
		s := parse(&sessions.Session{Values: values})
		if s.registers[userKey] != user {
			f.report(Leaked, "%s: UpdateUser of %s changes a session of %s", v, user, s.registers[userKey])
		}
		element := f.newName("u")
		f.mu.Lock()
		defer f.mu.Unlock()
		i := slices.IndexFunc(f.lineages, func(l *lineage) bool { return l.birth == s.birth })
		if i < 0 {
			unsure = true
			return nil // nothing in it tells which session it is
		}
		l := f.lineages[i]
		unsure = unsure || l.creations() > 1
		if writes[l] == nil {
			writes[l] = f.beginUpdate(v, l, "", element)
		}
		for element = range writes[l].own {
			v.addTo(values, element)
		}
		writes[l].updates = append(writes[l].updates, parse(&sessions.Session{Values: values}).String())
		return nil
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(&took)
	f.world.journal.add("%s: UpdateUser of %s: %d updated, %v", v, user, n, err)
	for _, w := range writes {
		f.conclude(w, outcome{err: err, crashed: v.down()})
		if unsure || err != nil || n != len(writes) {
			w.verdict = unknown
		}
	}
}

// Ending from outside.

// beginDestroy notes that Destroy is called.
func (f *facts) beginDestroy(v *visit, id string) *write {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &write{span: f.begin(), kind: writeDestroy, who: v.String(), from: id, to: id}
	w.vague = f.vague(w)
	l := f.ids[id].lineage
	l.writes = append(l.writes, w)
	f.world.journal.add("%s: Destroy of %s", v, id)
	return w
}

// beginDestroyUser notes that DestroyUser is called, to keep a session or none.
func (f *facts) beginDestroyUser(v *visit, user, keep string) *write {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &write{span: f.begin(), kind: writeDestroy, who: v.String(), user: user, keep: keep}
	f.endings = append(f.endings, w)
	f.world.journal.add("%s: DestroyUser of %s, to keep %s", v, user, orNone(keep))
	return w
}

// endDestroyUser notes what it returned. If that is no error, it has ended the sessions that were
// certainly the user's when it began.
func (f *facts) endDestroyUser(w *write, n int, o outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conclude(w, o)
	if o.err != nil {
		f.world.journal.add("%s: DestroyUser of %s: %v", w.who, w.user, o.err)
	} else {
		f.world.journal.add("%s: DestroyUser of %s: %d ended", w.who, w.user, n)
	}
	if w.verdict != acknowledged {
		return
	}
	for _, l := range f.lineages {
		if f.certainlyOf(l, w.user, w.begun) && !f.keeps(w, l) {
			end := *w
			l.writes = append(l.writes, &end)
		}
	}
}

// keeps reports whether a DestroyUser keeps the session under one of its IDs.
func (f *facts) keeps(w *write, l *lineage) bool {
	i := f.ids[w.keep]
	return i != nil && i.lineage == l
}

// keepsForSure is keeps, of a session that has no other ID by then.
func (f *facts) keepsForSure(w *write, l *lineage) bool {
	return f.keeps(w, l) && !l.any(func(r *write) bool { return r.from == w.keep && r.verdict != refused && r.moves() })
}

// describeCookie shows which session a cookie opens.
func (f *facts) describeCookie(value string) string {
	id := f.cookieID(value)
	if id == "" && value != "" {
		return "a cookie that does not verify"
	}
	return orNone(id)
}

// report notes a violation.
func (f *facts) report(kind Kind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.violate(kind, format, args...)
}

// violate is report, with f.mu held.
func (f *facts) violate(kind Kind, format string, args ...any) {
	v := Violation{kind, fmt.Sprintf(format, args...), time.Since(f.world.begin)}
	f.found = append(f.found, v)
	f.world.journal.add("VIOLATION: %s: %s", v.Kind, v.Detail)
}

func (f *facts) violations() []Violation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.found)
}
