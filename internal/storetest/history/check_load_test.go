package history

import (
	"errors"
	"time"

	"example.com/dynamostore"
)

// checkLoad checks what Get or New returned. f.mu is held, as in all checks.
func (f *facts) checkLoad(h *handle, err error) {
	l := h.loading
	i := f.ids[l.cookie]
	switch {
	case l.cookie == "":
		if !h.session.IsNew || err != nil {
			f.violate(WrongError, "%s has no cookie, and Get returned a session with IsNew %t and the error %v",
				l.visit, h.session.IsNew, err)
		}
	case i == nil || i.lineage == nil:
		f.violate(WrongCookie, "%s has the cookie of %s, which no acknowledged call made", l.visit, l.cookie)
	case errors.Is(err, dynamostore.ErrUndecodable):
		f.violate(WrongError, "%s: Get: %v", l.visit, err)
	case err != nil:
		if !f.excused(l.visit, err) && !errors.Is(err, dynamostore.ErrLockTimeout) {
			f.violate(WrongError, "%s: Get, without any fault: %v", l.visit, err)
		}
	case h.session.IsNew:
		f.checkNothing(i, l)
	default:
		f.checkFound(i, h)
	}
}

// current reports whether a load finds nothing older than what was there when it began. An
// eventually consistent one may.
func (f *facts) current() bool { return !f.world.plan.setup.eventual }

// checkNothing checks that a load had a reason to find nothing.
func (f *facts) checkNothing(i *identity, l *loading) {
	if !f.mayBeGone(i.lineage, i.id, nil, l.endAt) {
		f.violate(SessionLost, "%s finds nothing under %s", l.visit, i.id)
	}
	// A session that has expired may yet be extended, by a message that was sent before.
	if f.current() && i.dead == 0 && !f.mayHaveExpired(i.lineage, l.endAt) {
		i.dead = l.ended
	}
}

// checkFound checks a session that was loaded.
func (f *facts) checkFound(i *identity, h *handle) {
	l := h.loading
	if h.session.ID != i.id {
		f.violate(Mixed, "%s loads %s, and the session's ID is %q", l.visit, i.id, h.session.ID)
	}
	if f.current() {
		if w := i.lineage.endedBefore(l.begun); w != nil {
			f.violate(Revived, "%s finds %s, which %v by %s had ended", l.visit, i.id, w.kind, w.who)
		}
		if r := i.leftBy; r != nil && r.ended < l.begun {
			f.violate(Revived, "%s finds a session under %s, which %s had moved to %s", l.visit, i.id, r.who, r.to)
		}
		if i.dead != 0 && i.dead < l.begun {
			f.violate(Revived, "%s finds %s, where an earlier request had found nothing", l.visit, i.id)
		}
	}
	found := finding{i.lineage, h.base, l.begun, f.current(), l.visit.String() + " loads " + i.id}
	f.checkState(found)
	if f.world.plan.setup.mode == dynamostore.Lock && !l.peeks {
		f.checkLock(i.lineage, l)
	}
}

// checkLock checks that nobody else holds the lock that a load took.
func (f *facts) checkLock(l *lineage, mine *loading) {
	for _, other := range l.loads {
		holds := other.visit != mine.visit && other.ok && other.ended < mine.begun && other.released == 0 && !other.visit.down()
		if holds && mine.endAt.Before(f.holdsUntil(other)) {
			f.violate(LockShared, "%s has the lock that %s holds", mine.visit, other.visit)
		}
	}
}

// holdsUntil returns until when a load holds the lock that it took, if nobody gives it up before.
func (f *facts) holdsUntil(l *loading) time.Time {
	until := l.beginAt.Add(f.world.scaled(f.world.plan.setup.lease))
	if d := l.visit.deadline; !d.IsZero() && d.Before(until) {
		return d
	}
	return until
}
