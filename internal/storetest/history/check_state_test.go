package history

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/dynamostore"
)

// finding is what was found in a session.
type finding struct {
	lineage *lineage
	state   state
	before  clock // what was acknowledged before is known to be there
	current bool  // else the state may be one that the session had at any time
	where   string
}

// checkState checks what a session holds.
func (f *facts) checkState(found finding) {
	s := found.state
	if s.foreign != "" || !found.lineage.isBirth(s.birth) {
		f.violate(Mixed, "%s: it is the session of %s, not of %s; %s", found.where, s.birth, found.lineage.birth, s.foreign)
		return
	}
	f.checkElements(found)
	mode := f.world.plan.setup.mode
	if mode == dynamostore.Overwrite {
		if found.current {
			f.checkOverwritten(found)
		}
		return
	}
	if f.world.plan.setup.users {
		f.checkLeak(found)
	}
	if !found.current {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.registers)) {
		f.checkRegister(found, name)
	}
	if exact(mode) {
		f.checkCount(found)
	}
}

// claim is what the calls so far say of an element.
type claim struct {
	possible     bool   // a write of it may have been applied
	added        *write // of those, one that was acknowledged
	removed      *write // one of its removals that was acknowledged, if nobody put it back
	maybeRemoved bool   // a removal of it may have been applied
}

// claim returns what they say of an element before a time.
func (f *facts) claim(l *lineage, e string, before clock) claim {
	var c claim
	restored := false
	for _, w := range l.writes {
		c.possible = c.possible || w.own[e] && f.mayHaveBeen(l, w)
		if !w.wrote() {
			continue
		}
		if w.own[e] && w.acknowledgedBefore(before) {
			c.added = w
		}
		if w.removed[e] && !l.tookBack(w, before, func(later *write) bool { return later.restored[e] }) {
			c.maybeRemoved = true
			if w.acknowledgedBefore(before) {
				c.removed = w
			}
		}
		restored = restored || w.restored[e]
	}
	if restored {
		c.removed = nil
	}
	return c
}

// mayHaveBeen reports whether what a write wrote may have been in the session. ErrGone can be true
// of one that was applied before the session ended.
func (f *facts) mayHaveBeen(l *lineage, w *write) bool {
	return w.wrote() || !w.kind.ends() && errors.Is(w.err, dynamostore.ErrGone) && f.mayBeEnded(l, time.Now())
}

// checkElements checks the elements of lists. Each was added by one handler, once.
func (f *facts) checkElements(found finding) {
	l, s := found.lineage, found.state
	current := found.current && f.world.plan.setup.mode != dynamostore.Overwrite
	there := make(map[string]int)
	for _, e := range s.elements() {
		c := f.claim(l, e, found.before)
		switch {
		case there[e] >= f.mostOf(l, e):
			f.violate(Twice, "%s: %s is there twice: %v", found.where, e, s)
		case !c.possible:
			f.violate(Phantom, "%s: %s is there: %v", found.where, e, s)
		case c.removed != nil && current:
			f.violate(Back, "%s: %s is there, which %s had taken out: %v", found.where, e, c.removed.who, s)
		}
		there[e]++
	}
	if !current {
		return
	}
	for _, e := range l.elements() {
		if c := f.claim(l, e, found.before); there[e] == 0 && c.added != nil && !c.maybeRemoved {
			f.violate(Lost, "%s: %s is not there, which %s had added: %v", found.where, e, c.added.who, s)
		}
	}
}

// mostOf returns how often an element may be there. In Merge, several handlers may each take it out,
// the second in vain, and then each add it again. UpdateUser may find a session that is given a new
// ID meanwhile under both.
func (f *facts) mostOf(l *lineage, e string) int {
	restorers := make(map[*handle]bool)
	most := 1
	for _, w := range l.writes {
		if w.wrote() && w.restored[e] {
			restorers[w.by] = true
		}
		if w.kind == writeUpdate && w.from == "" && w.own[e] {
			for _, r := range l.writes {
				during := (r.ended == 0 || r.ended > w.begun) && (w.ended == 0 || r.begun < w.ended)
				if r.moves() && (during || r.verdict == unknown) {
					most++
				}
			}
		}
	}
	if f.world.plan.setup.mode == dynamostore.Merge {
		most = max(most, len(restorers))
	}
	return most
}

// checkRegister checks a key that holds one value: that of a write after which no acknowledged one
// began.
func (f *facts) checkRegister(found finding, name string) {
	l, value := found.lineage, found.state.registers[name]
	kind, reason := Mixed, "nobody wrote that"
	because := func(k Kind, format string, args ...any) {
		if kind == Mixed || kind == Phantom || k == TakenBack { // the others say more
			kind, reason = k, fmt.Sprintf(format, args...)
		}
	}
	initially := absent
	if name == maxAgeRegister {
		initially = fmt.Sprint(f.world.plan.setup.maxAge)
	}
	if value == initially {
		later := l.setAfter(name, 0, found.before)
		if later == nil {
			return
		}
		because(Lost, "%s had set it to %s", later.who, later.state.registers[name])
	}
	for _, w := range l.writes {
		if w.kind.ends() || w.state.registers[name] != value || w.set[name] == 0 && !w.reset[name] {
			continue
		}
		var later *write
		if w.ended != 0 {
			later = l.setAfter(name, w.ended, found.before)
		}
		switch {
		case !f.mayHaveBeen(l, w):
			because(Phantom, "%v by %s returned %v", w.kind, w.who, w.err)
		case l.tookBack(w, found.before, func(later *write) bool { return later.state.registers[name] != value }):
			because(TakenBack, "%s took it back", w.who)
		case later != nil:
			because(Lost, "%s had set it to %s, after %v by %s", later.who, later.state.registers[name], w.kind, w.who)
		default:
			return
		}
	}
	f.violate(kind, "%s: %s is %s, but %s: %v", found.where, name, value, reason, found.state)
}

// setAfter returns a write of a register that began after a time, and was acknowledged before
// another. One that repeats an unanswered write counts as that: what others have written since may
// stand.
func (l *lineage) setAfter(name string, after, before clock) *write {
	for _, w := range l.writes {
		if !w.kind.ends() && w.set[name] > after && w.acknowledgedBefore(before) {
			return w
		}
	}
	return nil
}

// checkCount checks a counter, in modes in which no increment may be lost or counted twice.
func (f *facts) checkCount(found finding) {
	sure, most := make(map[*handle]int), make(map[*handle]int)
	for _, w := range found.lineage.writes {
		if w.cleared {
			return // somebody counts anew
		}
		if !f.mayHaveBeen(found.lineage, w) {
			continue
		}
		if w.acknowledgedBefore(found.before) {
			sure[w.by] = w.counted
		}
		most[w.by] = max(most[w.by], w.counted)
	}
	least, atMost := 0, 0
	for h, n := range most {
		least += sure[h]
		atMost += n
	}
	if n := found.state.count; n < least || n > atMost {
		f.violate(Miscounted, "%s: the counter is %d, after %d acknowledged increments and %d others: %v",
			found.where, n, least, atMost-least, found.state)
	}
}

// checkOverwritten checks, in Overwrite, that the session is what one write made of it, and that no
// acknowledged one began after that.
func (f *facts) checkOverwritten(found finding) {
	text := found.state.String()
	rest := found.state
	rest.registers = maps.Clone(rest.registers)
	delete(rest.registers, maxAgeRegister)
	withoutMaxAge := rest.String()
	kind, reason := Mixed, "nobody wrote that"
	for _, w := range found.lineage.writes {
		matches := w.changed && w.state.String() == text
		if w.kind == writeUpdate {
			matches = slices.Contains(w.updates, withoutMaxAge) // which it leaves as it is
		}
		if w.kind.ends() || !matches {
			continue
		}
		if !f.mayHaveBeen(found.lineage, w) {
			if kind == Mixed {
				kind, reason = Phantom, fmt.Sprintf("%v by %s returned %v", w.kind, w.who, w.err)
			}
			continue
		}
		later := slices.IndexFunc(found.lineage.writes, func(later *write) bool {
			changed := later.differs || later.changed && later.by == w.by
			return !later.kind.ends() && changed && later.acknowledgedBefore(found.before) && w.ended != 0 && later.since > w.ended
		})
		if later < 0 {
			return
		}
		by := found.lineage.writes[later]
		kind, reason = Overwritten, fmt.Sprintf("%s had written %v after %s", by.who, by.state, w.who)
	}
	f.violate(kind, "%s: %v, but %s", found.where, found.state, reason)
}

// checkLeak checks that a session holds nothing that was written for one user after it had become
// another's.
func (f *facts) checkLeak(found finding) {
	l, user := found.lineage, found.state.registers[userKey]
	values := found.state.elements()
	for _, name := range valueKeys {
		values = append(values, found.state.registers[name])
	}
	for _, value := range values {
		a := f.authors[value]
		if value == absent || a == nil || !slices.Contains(l.writes, a) {
			continue
		}
		owner := a.before.registers[userKey]
		if owner == user || a.state.registers[userKey] != owner { // else nobody knows for whom it is
			continue
		}
		if w := l.tookFrom(owner, a); w != nil {
			f.violate(Leaked, "%s: it belongs to %s, and %s was written by %s for %s, after %s had changed the user: %v",
				found.where, user, value, a.who, owner, w.who, found.state)
			return
		}
	}
}

// tookFrom returns an acknowledged write that took the session from a user before another handler's
// write began, if it cannot have become that user's again.
func (l *lineage) tookFrom(user string, before *write) *write {
	for _, w := range l.writes {
		if w.by == before.by || !w.switchesUser() || w.before.registers[userKey] != user || !w.acknowledgedBefore(before.begun) {
			continue
		}
		again := l.any(func(other *write) bool {
			return other.wrote() && other.switchesUser() && other.state.registers[userKey] == user &&
				(other.ended == 0 || other.ended > w.begun || other.verdict == unknown)
		})
		if !again {
			return w
		}
	}
	return nil
}

// certainlyOf reports whether the session was a user's at a time, and nobody was changing that.
func (f *facts) certainlyOf(l *lineage, user string, at clock) bool {
	// In Overwrite, every write writes the user as well.
	sets := func(w *write) bool {
		return !w.kind.ends() && w.kind != writeUpdate && (w.set[userKey] > 0 || w.changed && f.world.plan.setup.mode == dynamostore.Overwrite)
	}
	var last *write
	for _, w := range l.writes {
		if sets(w) && w.acknowledgedBefore(at) && (last == nil || w.begun > last.begun) {
			last = w
		}
	}
	return last != nil && last.state.registers[userKey] == user && !l.any(func(w *write) bool {
		over := w.verdict == refused || w.acknowledgedBefore(last.begun)
		return (sets(w) || w.setsUser()) && w.state.registers[userKey] != user && !over
	})
}

// mayBeOf reports whether the session may have been a user's at any time.
func (l *lineage) mayBeOf(user string) bool {
	return l.any(func(w *write) bool { return !w.kind.ends() && w.state.registers[userKey] == user })
}
