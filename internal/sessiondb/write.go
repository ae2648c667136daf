package sessiondb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/snapshot"
)

// Kind says what a write does.
type Kind int

const (
	Nothing Kind = iota
	Create       // a new item
	Update       // new data in the item
	Touch        // a later end, and nothing else
	Move         // a new item under another key, and a tombstone under the old one
)

// Result is what is known after a write, even if it failed.
type Result struct {
	Kind      Kind // what was done
	Session   Session
	Ours      map[any]any // the values that the caller had; not to be changed
	Values    map[any]any // the stored values, if somebody else wrote as well; the caller may change them
	MaxAge    int
	SetCookie bool // the session's end, name or options changed, so the cookie must change
	Ended     bool // the write was applied, and then the session ended
	Unlocked  bool // the item no longer has the caller's lock
}

// Write sends a draft, and drafts that replace it, until one is applied or none can be.
//
// It returns one of these errors:
//
//   - ErrGone, ErrConflict, ErrTaken or ErrLockLost if the draft was not written;
//   - ErrUndecodable or a codec's error if it could not be merged;
//   - DynamoDB's error if it is unknown whether the draft was written. Then the Result's Session
//     remembers it, and its next Write finds out.
func (db *DB) Write(ctx context.Context, d Draft) (Result, error) {
	if (d.kind == Update || d.kind == Move) && (db.cfg.Mode == Merge || db.cfg.Mode == Overwrite) {
		// The requests of this process write a session one after another, so each is refused at
		// most once because of another.
		if _, err := db.writers.Acquire(ctx, d.name.Key); err != nil {
			return d.failed(), db.saveError(fmt.Errorf("waiting for other requests that write the session: %w", err))
		}
		defer db.writers.Release(d.name.Key)
	}
	if len(d.pending) > 0 || d.kind == Move { // a move copies the attributes that this package does not know
		next, err := db.rebaseOnStored(ctx, d)
		if err != nil {
			return db.notRebased(ctx, d, err), err
		}
		d = next
	}
	backoff := record.Backoff{Min: 2 * time.Millisecond, Max: 50 * time.Millisecond}
	for refusals := 0; ; refusals++ {
		if refusals > 1 {
			if err := backoff.Pause(ctx); err != nil {
				return d.failed(), db.saveError(fmt.Errorf("other requests keep writing the session: %w", err))
			}
		}
		item, err := db.send(ctx, d)
		refused, isRefused := errors.AsType[*record.Refused](err)
		switch {
		case err == nil:
			return db.endHalfMoves(ctx, d, db.applied(d, item)), nil
		case errors.Is(err, ErrTooLarge): // detected here, or by DynamoDB, which then stored nothing
			return db.refused(ctx, d), err
		case !isRefused:
			return d.unanswered(), err
		}
		if d.kind == Move && !refused.Taken && !db.transacts() {
			d.pending = append(slices.Clip(d.pending), d.asPending()) // its first half was applied
		}
		if refused.Item.Shows(d.version) {
			return db.endHalfMoves(ctx, d, db.recognized(d, item, refused.Item)), nil
		}
		next, err := db.afterRefusal(ctx, d, refused)
		if err != nil {
			return db.notRebased(ctx, d, err), err
		}
		d = next
	}
}

// notRebased returns the Result of a draft that no other can replace because of err.
func (db *DB) notRebased(ctx context.Context, d Draft, err error) Result {
	isGone := errors.Is(err, ErrGone)
	if !isGone && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrLockLost) {
		return d.failed() // it is still unknown what became of the pending writes
	}
	r := db.refused(ctx, d)
	r.Unlocked = isGone // the lock is gone with the session
	return r
}

// send sends the draft's request, and returns the item that it leaves behind.
func (db *DB) send(ctx context.Context, d Draft) (*record.Item, error) {
	switch d.kind {
	case Create:
		w := db.write(d, d.name)
		return w.Written(nil), db.table.Create(ctx, d.name.Key, nil, w)
	case Update:
		w := db.write(d, d.name)
		return w.Written(d.base), db.table.Update(ctx, d.name.Key, d.base, w)
	case Touch:
		w := record.Write{Expires: d.expires, Options: d.ours.Options, Token: d.ours.Token}
		return w.Touched(d.session.item), db.table.Touch(ctx, d.name.Key, d.base, w)
	case Move:
		w := db.write(d, d.newName)
		if db.transacts() {
			return w.Moved(d.base), db.table.Move(ctx, d.name.Key, d.newName.Key, d.base, w)
		}
		return w.Moved(d.base), db.moveInTwoWrites(ctx, d, w)
	}
	return d.base, nil
}

// afterRefusal returns the draft that replaces d, which was refused or has pending writes.
func (db *DB) afterRefusal(ctx context.Context, d Draft, refused *record.Refused) (Draft, error) {
	stored := refused.Item
	switch {
	case d.kind == Touch:
		return db.onStored(ctx, d, stored)
	case d.kind == Create && d.lastApplied(stored) == nil:
		return Draft{}, db.takenError(d, stored)
	case refused.Taken && d.lastApplied(stored) == nil:
		return Draft{}, db.saveError(ErrTaken)
	case refused.Taken && !db.transacts() && db.IsLive(stored):
		return db.mergeHalf(ctx, d, stored)
	case refused.Taken: // an earlier attempt was applied
		return db.onStored(ctx, d.movedTo(d.newName), stored)
	}
	// A pending move may have arrived since the item was read.
	if next, ok, err := db.followMove(ctx, d, stored); ok || err != nil {
		return next, err
	}
	if d.kind == Move && stored != nil && stored.Gone == record.Moved {
		return db.afterOthersMove(d)
	}
	next, err := db.onStored(ctx, d, stored)
	if err == nil && next.half != nil {
		return db.mergeHalf(ctx, next, next.half)
	}
	return next, err
}

// takenError returns the error of a create that found stored, an item that is not from the caller's
// writes. A tombstone may be from a logout between two attempts, and then shows no version.
func (db *DB) takenError(d Draft, stored *record.Item) error {
	switch {
	case stored == nil || stored.Gone == "":
		return db.saveError(ErrTaken)
	case len(d.pending) > 0:
		return db.saveError(ErrGone)
	}
	return db.saveError(fmt.Errorf("%w, which has just ended", ErrTaken))
}

// onStored returns the draft that replaces d on top of stored, or ErrGone if stored is not a live
// session.
func (db *DB) onStored(ctx context.Context, d Draft, stored *record.Item) (Draft, error) {
	switch {
	case stored == nil || stored.Gone != "":
		return Draft{}, db.saveError(ErrGone)
	case stored.Malformed != "":
		return Draft{}, db.saveError(fmt.Errorf("%w: %s", ErrUndecodable, stored.Malformed))
	case !db.IsLive(stored):
		// A request sent before the session expired may still arrive. It must not bring the session
		// back.
		there, err := db.endItem(ctx, d.name.Key, record.EndOptions{Item: stored, Expired: true})
		switch {
		case err != nil:
			return Draft{}, err
		case db.IsLive(there): // somebody has extended it since it was read
			return db.onStored(ctx, d, there)
		}
		return Draft{}, db.saveError(ErrGone)
	case d.kind == Touch:
		return d.touchAgain(stored), nil
	case d.update != nil:
		return db.updateAgain(d, stored)
	}
	return db.rebase(ctx, d, stored)
}

// touchAgain returns the draft that replaces d, a refused touch, on top of stored. Neither new data
// nor a lock that somebody else holds or has held is a reason not to move the end.
func (d Draft) touchAgain(stored *record.Item) Draft {
	if stored.Expires == d.base.Expires {
		d.base = stored
		if stored.LastHolder != d.ours.Token {
			d.ours.Token = ""
		}
		return d
	}
	// Another writer has moved the end as well, or this touch was already applied. The caller's
	// values are still those of the version that it knows.
	w := record.Write{Expires: stored.Expires, Options: stored.Options}
	d.base = w.Touched(d.session.item)
	d.kind, d.setOptions, d.moveEnd = Nothing, false, stored.Expires == d.expires
	return d
}

// rebaseOnStored reads the item, which shows what became of unanswered writes, and returns the
// draft that replaces d. If there are unanswered writes, it writes even if nothing changed: only a
// newer version keeps them from being applied later.
func (db *DB) rebaseOnStored(ctx context.Context, d Draft) (Draft, error) {
	stored, err := db.table.Load(ctx, d.name.Key, true)
	if err != nil || d.kind == Create && stored == nil {
		return d, err
	}
	d.version = "" // not sent
	return db.afterRefusal(ctx, d, &record.Refused{Item: stored})
}

// applied returns the Result of a draft that was applied. item is what it left behind.
func (db *DB) applied(d Draft, item *record.Item) Result {
	r := Result{
		Kind:      d.kind,
		Session:   Session{Name: d.name, item: item.WithoutData(), values: d.values},
		Ours:      d.ours.Values,
		MaxAge:    d.maxAge,
		SetCookie: d.SetsCookie(),
		Unlocked:  d.kind != Nothing,
	}
	if d.kind == Move {
		r.Session.Name = d.newName
	}
	if d.merged {
		r.Values = db.copyOf(d.values, d.data)
	}
	return r
}

// copyOf returns a copy of values. data is their encoded form, or nil.
func (db *DB) copyOf(values map[any]any, data []byte) map[any]any {
	if copied, err := snapshot.Clone(values); err == nil {
		return copied
	}
	if data == nil {
		data, _ = db.cfg.Codec.Encode(values)
	}
	if decoded, err := db.cfg.Codec.Decode(data); err == nil {
		return decoded
	}
	return values
}

// recognized returns the Result of a draft that was refused because it was already applied: its
// response was lost, and stored shows it. item is what it left behind.
func (db *DB) recognized(d Draft, item, stored *record.Item) Result {
	r := db.applied(d, item)
	switch {
	case d.kind == Move && stored.Gone == record.Moved: // the tombstone of this move
	case !db.IsLive(stored):
		r.Ended, r.SetCookie = true, false
	case db.cfg.Mode == Merge && stored.Version != d.version:
		// Others wrote on top of it.
		if theirs, outdated, err := db.decode(r.Session.Name.Key, stored); err == nil {
			r.Session.item, r.Session.values, r.Session.outdated = stored.WithoutData(), theirs, outdated
			r.Values, r.MaxAge = db.copyOf(theirs, nil), maxAgeOf(stored, d.ours.DefaultMaxAge)
		}
	}
	return r
}

// failed returns the Result of a draft that was not written. The drafts before it may have left
// halves of moves behind.
func (d Draft) failed() Result {
	r := Result{Session: d.session}
	r.Session.pending = d.pending
	return r
}

// unanswered returns the Result of a draft that may or may not have been written.
func (d Draft) unanswered() Result {
	r := d.failed()
	r.Session.setCookie = d.SetsCookie() && d.kind != Create && d.kind != Move
	if d.kind == Touch {
		return r // the next write finds the end moved
	}
	r.Session.pending = append(slices.Clip(r.Session.pending), d.asPending())
	return r
}

func (d Draft) asPending() pending {
	p := pending{kind: d.kind, version: d.version, name: d.name, values: d.ours.Values, written: d.values, maxAge: d.ours.MaxAge, forked: d.forked}
	if d.kind == Move {
		p.name, p.half = d.newName, d.half
	}
	return p
}

// Confirm returns an error unless the session is still stored.
func (db *DB) Confirm(ctx context.Context, s Session) error {
	item, err := db.table.Load(ctx, s.Name.Key, true)
	if err == nil && !db.IsLive(item) {
		err = db.saveError(ErrGone)
	}
	return err
}
