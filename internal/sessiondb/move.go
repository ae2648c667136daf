package sessiondb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/dynamostore/internal/merge"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/snapshot"
)

// transacts reports whether a move is a transaction.
func (db *DB) transacts() bool { return !db.cfg.NoTransactions && db.table.HasTransactions() }

// afterOthersMove returns the draft that replaces d, a move of a session that another request has
// moved meanwhile, as when a visitor logs in twice at once. The caller has just given the visitor
// privileges, so it gets a session of its own, with the caller's changes and MaxAge only. It does
// not get the values that the caller loaded: the moved session may have ended since. If the changes
// contain nothing of a login, the result is ErrGone.
//
// Its name is the one that was meant for the move, unless the first of a move's two writes may have
// put the moved session there: an eventually consistent read could still return that.
func (db *DB) afterOthersMove(d Draft) (Draft, error) {
	changes := make(map[any]any)
	added := false
	for k, v := range d.ours.Values {
		known, ok := d.known[k]
		if !ok || !snapshot.Equal(known, v) {
			changes[k] = v
		}
		added = added || !ok
	}
	was, _ := db.user(d.known)
	if user, _ := db.user(changes); !added && user == "" || was != "" && user == "" {
		return Draft{}, db.saveError(ErrGone)
	}
	name := d.newName
	if !db.transacts() && slices.ContainsFunc(d.pending, func(p pending) bool { return p.kind == Move && p.name == name }) {
		var err error
		if name, err = db.cfg.NewName(); err != nil {
			return Draft{}, err
		}
	}
	d.kind, d.name, d.newName, d.half, d.base, d.data = Create, name, Name{}, nil, nil, nil
	d.created, d.forked, d.merged = time.Now().Unix(), true, true
	d.maxAge = d.ours.MaxAge // an earlier attempt may have merged another request's
	return db.writing(d, changes)
}

// followMove looks for the session under the names that pending writes may have given it. stored is
// the item under the old name.
func (db *DB) followMove(ctx context.Context, d Draft, stored *record.Item) (next Draft, ok bool, err error) {
	if db.IsLive(stored) {
		return Draft{}, false, nil
	}
	for _, p := range slices.Backward(d.pending) {
		switch {
		case p.name == d.name:
			continue
		case p.kind == Move && stored != nil && !stored.Shows(p.version):
			continue // the tombstone is from another move
		case p.kind == Move && stored == nil && !db.transacts():
			continue // the new item proves nothing, since it is written first
		}
		there, err := db.table.Load(ctx, p.name.Key, true)
		if err != nil {
			return Draft{}, false, err
		}
		completed := p.kind == Move && stored.Shows(p.version)
		if completed || there.Shows(p.version) {
			moved := d.movedTo(p.name)
			moved.forked = p.forked
			if completed { // there may have been written so often that it does not show the move
				moved.known, moved.knownMaxAge = p.values, p.maxAge
			}
			next, err := db.onStored(ctx, moved, there)
			return next, true, err
		}
	}
	return Draft{}, false, nil
}

// movedTo returns d as an update of the session under the name that a move gave it.
func (d Draft) movedTo(name Name) Draft {
	d.kind, d.name, d.newName, d.half = Update, name, Name{}, nil
	return d
}

// moveInTwoWrites is a move without a transaction. It creates the session under the new name, which
// nobody knows yet, and then turns the item under the old name into a tombstone. It returns a
// *Refused as [record.Table.Move] does.
func (db *DB) moveInTwoWrites(ctx context.Context, d Draft, w record.Write) error {
	backoff := record.Backoff{Min: 2 * time.Millisecond, Max: 50 * time.Millisecond}
	err := db.table.Create(ctx, d.newName.Key, d.base, w)
	for tries := 1; err != nil; tries++ {
		refused, ok := errors.AsType[*record.Refused](err)
		if !ok {
			return err
		}
		there := refused.Item
		if there.Shows(d.version) {
			break // written by this write, whose response was lost
		}
		last := d.lastApplied(there)
		isMerged := d.half != nil && there.SameVersion(d.half)
		if last == nil || !db.IsLive(there) || there.Version != last.version && !isMerged {
			return &record.Refused{Item: there, Taken: true}
		}
		if tries > 1 {
			if err := backoff.Pause(ctx); err != nil {
				return err
			}
		}
		err = db.table.Update(ctx, d.newName.Key, there, w) // replaces what an earlier attempt left
	}
	return db.table.MarkMoved(ctx, d.name.Key, d.base, w)
}

// mergeHalf returns the draft that replaces d, a move in two writes, to be written over half: what
// an earlier attempt wrote under the new name, and UpdateUser, which finds it in the index, has
// changed.
func (db *DB) mergeHalf(ctx context.Context, d Draft, half *record.Item) (Draft, error) {
	values, written := d.values, d.lastApplied(half).written
	switch db.cfg.Mode {
	case Refuse:
		return Draft{}, db.saveError(ErrConflict)
	case Lock:
		return Draft{}, db.saveError(ErrLockLost)
	case Merge:
		theirs, _, err := db.decode(d.newName.Key, half)
		if err != nil {
			return Draft{}, err
		}
		if err := db.checkUsers(written, theirs, values); err != nil {
			return Draft{}, err
		}
		if values, err = merge.Values(ctx, written, theirs, values); err != nil {
			return Draft{}, fmt.Errorf("dynamostore: merge a session of table %q: %w", db.cfg.Table, err)
		}
	}
	d.half, d.data, d.merged = half, nil, true
	return db.writing(d, values)
}

// refused returns the Result of a draft that was not written and will not be. It ends the items
// that moves in two writes left behind, unless one of the moves was completed: then its item is the
// session.
func (db *DB) refused(ctx context.Context, d Draft) Result {
	r := d.failed()
	if db.transacts() || !d.session.IsStored() || len(d.pending) == 0 {
		return r
	}
	old, err := db.table.Load(ctx, d.session.Name.Key, true)
	isComplete := func(p pending) bool {
		return p.kind == Move && old != nil && old.Gone == record.Moved && old.Shows(p.version)
	}
	if err != nil || slices.ContainsFunc(d.pending, isComplete) {
		return r
	}
	return db.endHalfMoves(ctx, d, r)
}

// endHalfMoves ends the items that moves in two writes left under names that nobody knows, once the
// draft was written elsewhere or not at all. If that fails, the item stays until it expires.
func (db *DB) endHalfMoves(ctx context.Context, d Draft, r Result) Result {
	if db.transacts() || !d.session.IsStored() { // a session that is not stored was not moved
		return r
	}
	isHalf := func(p pending) bool { return p.name != d.session.Name && p.name != r.Session.Name }
	for _, p := range d.pending {
		if isHalf(p) {
			db.table.End(ctx, p.name.Key, record.EndOptions{OrNone: true})
		}
	}
	r.Session.pending = slices.DeleteFunc(slices.Clone(r.Session.pending), isHalf)
	return r
}

// PendingName returns the name that an unanswered create or move may have given the session. A
// retry uses the same name, so that only one session results.
func (s Session) PendingName() (Name, bool) {
	for _, p := range slices.Backward(s.pending) {
		if p.name != s.Name {
			return p.name, true
		}
	}
	return Name{}, false
}
