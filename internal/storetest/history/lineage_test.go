package history

import (
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/dynamostore"
)

// clock orders beginnings and ends of calls. 0 is never.
type clock int64

// lineage is a session, under all the IDs that it has had.
type lineage struct {
	birth  string // the value under birthKey, which tells it from others
	writes []*write
	loads  []*loading
	forked bool // it began with what a rotation changed: see facts.fork
}

// isBirth reports whether the session may have that birth. One that was forked gets its own with a later
// write.
func (l *lineage) isBirth(birth string) bool { return birth == l.birth || l.forked && birth == "" }

// identity is a session ID.
type identity struct {
	id      string
	key     string   // the partition key
	lineage *lineage // nil until a write with this ID is acknowledged
	leftBy  *write   // the acknowledged rotation that led away from it
	dead    clock    // when a load found nothing under it; 0: never
}

// writeKind is what a write does.
type writeKind int

const (
	writeSession  writeKind = iota // Save
	writeRotation                  // Regenerate, or a Save that does the same
	writeEnd                       // a logout
	writeDestroy                   // Destroy, or DestroyUser
	writeUpdate                    // Update, or UpdateUser
)

var writeNames = [...]string{writeSession: "Save", writeRotation: "Regenerate", writeEnd: "logout", writeDestroy: "Destroy", writeUpdate: "Update"}

func (k writeKind) String() string { return writeNames[k] }

// ends reports whether the write is to end the session.
func (k writeKind) ends() bool { return k == writeEnd || k == writeDestroy }

// verdict is what the return of a write says of the table.
type verdict int

const (
	inFlight     verdict = iota
	acknowledged         // what it wrote was there
	refused              // it is not there, and never will be
	unknown              // it may be there, now or later
)

// span is when a call began and ended.
type span struct {
	begun, ended   clock // ended is 0 while it is under way
	beginAt, endAt time.Time
}

// write is a call that writes or ends a session.
type write struct {
	span
	kind     writeKind
	who      string
	by       *handle // nil: an administrator's
	creates  bool    // the session is not in the table, as far as the handler knows
	forks    bool    // it started a session of its own
	from, to string  // its IDs before and after
	verdict  verdict
	err      error

	// What the handler wrote.
	state    state           // what the session held
	before   state           // what the handler believed that the table held
	own      map[string]bool // elements that it added, of those that are there
	removed  map[string]bool // elements that it took out
	restored map[string]bool // elements that an unanswered write of it took out, and that are there again
	// set are the registers whose value differs from before, with the beginning of the first of the
	// handler's unanswered writes that had the same value.
	set     map[string]clock
	reset   map[string]bool // registers whose value does not, although it did in an unanswered write
	since   clock           // like those of set, for the state as a whole
	changed bool            // there may be something to write
	differs bool            // there is something to write that the state shows
	counted int             // increments of the counter by the handler so far
	cleared bool            // the counter is gone
	updates []string        // of Update: the states that it may have written
	visit   *visit          // of Update

	vague      bool   // what it is to end may have been gone for so long that nothing shows it
	user, keep string // of DestroyUser
}

// wrote reports whether the write is one that may have changed what the session holds.
func (w *write) wrote() bool { return !w.kind.ends() && w.verdict != refused }

// acknowledgedBefore reports whether the write was acknowledged before a time.
func (w *write) acknowledgedBefore(at clock) bool { return w.verdict == acknowledged && w.ended < at }

// moves reports whether the write is one that leads from an ID to another.
func (w *write) moves() bool {
	return !w.creates && (w.kind == writeRotation || w.verdict == acknowledged && !w.kind.ends() && w.to != w.from)
}

// setsUser reports whether the write changes whose session it is, or may do so by taking an
// unanswered one back.
func (w *write) setsUser() bool { return !w.kind.ends() && (w.set[userKey] > 0 || w.reset[userKey]) }

// switchesUser reports whether it changes that of a session that was there.
func (w *write) switchesUser() bool { return !w.kind.ends() && w.set[userKey] > 0 && !w.creates }

// loading is a call of Get or New.
type loading struct {
	span
	visit    *visit
	peeks    bool   // by Peek
	cookie   string // the ID that the request brings, "" for none
	err      error
	ok       bool  // it returned a session that was stored
	released clock // when a lock that it took was given up; 0: not yet
}

// outcome is what a call returned.
type outcome struct {
	err       error
	crashed   bool // the process ended meanwhile, and the error says nothing
	answers   int  // of DynamoDB meanwhile
	setCookie bool // it changed the response's cookies
}

func (o outcome) verdict() verdict {
	switch {
	case o.err == nil:
		return acknowledged
	case o.crashed:
		return unknown
	}
	for _, nothingWritten := range []error{
		dynamostore.ErrConflict, dynamostore.ErrGone, dynamostore.ErrNotLoaded,
		dynamostore.ErrLockLost, dynamostore.ErrLockTimeout, dynamostore.ErrTooLarge,
	} {
		if errors.Is(o.err, nothingWritten) {
			return refused
		}
	}
	return unknown
}

// elements returns all elements that any write added.
func (l *lineage) elements() []string {
	all := make(map[string]bool)
	for _, w := range l.writes {
		maps.Copy(all, w.own)
	}
	return slices.Sorted(maps.Keys(all))
}

// any reports whether one of the writes is such.
func (l *lineage) any(such func(*write) bool) bool { return slices.ContainsFunc(l.writes, such) }

// tookBack reports whether a later write of the same handler, acknowledged before a time, took an
// unanswered one back.
func (l *lineage) tookBack(w *write, before clock, by func(later *write) bool) bool {
	return w.verdict == unknown && l.any(func(later *write) bool {
		return later.by == w.by && later.acknowledgedBefore(before) && !later.kind.ends() && later.begun > w.ended && by(later)
	})
}

// fenced reports whether an unanswered rotation can no longer be applied, because its handler, or
// another one that changed the session under the same ID, had a later write acknowledged. One that
// repeats an unanswered write may be acknowledged for that.
func (l *lineage) fenced(w *write) bool {
	return w.verdict == unknown && l.any(func(later *write) bool {
		ownLater := later.by == w.by && later.begun > w.ended
		otherLater := later.differs && later.from == w.from && later.since > w.ended
		return !later.kind.ends() && later.verdict == acknowledged && (ownLater || otherLater)
	})
}

// creations counts the calls that may have put the session into the table.
func (l *lineage) creations() int {
	n := 0
	for _, w := range l.writes {
		if w.creates && !w.kind.ends() {
			n++
		}
	}
	return n
}
