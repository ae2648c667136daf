package history

import (
	"slices"
	"time"
)

// endedBefore returns an acknowledged call that had ended the session before a time, or nil.
func (l *lineage) endedBefore(at clock) *write {
	for _, w := range l.writes {
		if w.kind.ends() && w.acknowledgedBefore(at) && !w.creates && !w.vague {
			return w
		}
	}
	return nil
}

// mayBeGone reports whether there is a reason for which nothing is found under an ID. A handler's
// own unanswered rotation is none for itself: it can find out.
func (f *facts) mayBeGone(l *lineage, id string, h *handle, at time.Time) bool {
	return f.mayBeEnded(l, at) || l.any(func(w *write) bool {
		return w.moves() && w.from == id && w.by != h && w.verdict != refused && !l.fenced(w)
	})
}

// mayBeEnded reports whether the session may have ended by a time, under whatever ID.
func (f *facts) mayBeEnded(l *lineage, at time.Time) bool {
	ends := func(w *write) bool { return w.kind.ends() && w.verdict != refused }
	return f.mayHaveExpired(l, at) || l.any(ends) || slices.ContainsFunc(f.endings, func(w *write) bool {
		return ends(w) && l.mayBeOf(w.user) && !f.keepsForSure(w, l)
	})
}

// mayHaveExpired reports whether the session may have expired by a time.
func (f *facts) mayHaveExpired(l *lineage, at time.Time) bool {
	var saved time.Time
	shortest := time.Duration(-1)
	for _, w := range l.writes {
		if w.kind.ends() || w.kind == writeUpdate { // which leaves the end where it is
			continue
		}
		if age := w.maxAge(); shortest < 0 || age < shortest {
			shortest = age
		}
		if saved.IsZero() {
			saved = w.beginAt // it was not there before
		}
		began := w.beginAt
		if !w.changed {
			began = w.by.loading.beginAt // another request may have moved the end since, and this one left it so
		}
		if w.verdict == acknowledged && began.After(saved) {
			saved = began
		}
	}
	interval := f.world.plan.setup.touch
	if interval == 0 {
		interval = shortest / 20
	}
	// The item's end is in whole seconds.
	return at.After(saved.Add(shortest - max(interval, 0) - 2*time.Second))
}

// expiredBefore returns when the session had expired, if it certainly had when a write of it began.
func (f *facts) expiredBefore(w *write) (end time.Time, ok bool) {
	if w.creates {
		return end, false
	}
	longest := time.Duration(0)
	for _, other := range w.by.lineage.writes {
		switch {
		case other == w || !other.wrote() || other.kind == writeUpdate:
		case other.verdict != acknowledged:
			return end, false // it may have extended the session at any time
		default:
			longest = max(longest, other.maxAge())
			if other.endAt.After(end) {
				end = other.endAt
			}
		}
	}
	end = end.Add(longest + time.Second) // the item's end is in whole seconds
	return end, w.beginAt.After(end)
}

// maxAge returns for how long the write has the session live.
func (w *write) maxAge() time.Duration { return time.Duration(w.state.maxAge) * time.Second }
