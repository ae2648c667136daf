package sessiondb

import (
	"context"
	"fmt"

	"example.com/dynamostore/internal/record"
)

// Update calls change to change the values of a session. It may call it more than once, each time
// with the values that are stored then. The session's end does not move. Update returns ErrGone if
// there is no session, an error of change unwrapped, and otherwise the errors of Write. With Mode
// Lock it acquires the lock, and may return ErrLockTimeout.
func (db *DB) Update(ctx context.Context, name Name, change func(values map[any]any) error) error {
	if db.cfg.Mode == Lock {
		return db.updateLocked(ctx, name, change)
	}
	ctx, cancel := db.WithTimeout(ctx)
	defer cancel()
	found, err := db.load(ctx, name, false)
	if err != nil {
		return err
	}
	_, err = db.update(ctx, found, "", change)
	return err
}

func (db *DB) updateLocked(ctx context.Context, name Name, change func(values map[any]any) error) error {
	lease := db.NewLease(name)
	found, _, err := lease.Acquire(ctx, ctx, db)
	release := context.WithoutCancel(ctx)
	defer func() {
		ctx, cancel := db.WithTimeout(release) // the update may have used up its own time
		defer cancel()
		lease.Release(ctx)
	}()
	ctx, cancel := db.WithTimeout(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	result, err := db.update(ctx, found, lease.Token(), change)
	if result.Unlocked {
		lease.MarkReleased()
	}
	return err
}

func (db *DB) update(ctx context.Context, found Found, token string, change func(values map[any]any) error) (Result, error) {
	d, err := db.changeDraft(found, token, change)
	if err == nil && ctx.Err() != nil {
		err = db.updateError(fmt.Errorf("change took too long: %w", ctx.Err()))
	}
	if err != nil {
		return Result{}, err
	}
	return db.Write(ctx, d)
}

// updateAgain returns the draft that replaces d, a refused update, on top of stored.
func (db *DB) updateAgain(d Draft, stored *record.Item) (Draft, error) {
	ownLock := stored.LastHolder == d.ours.Token && stored.SameVersion(d.base) // acquired by a late message
	if db.cfg.Mode == Lock && !ownLock {
		return Draft{}, db.updateError(ErrLockLost)
	}
	found, err := db.found(d.name, stored)
	if err != nil {
		return Draft{}, err
	}
	return db.changeDraft(found, d.ours.Token, d.update)
}

// changeDraft calls change on the session's values, and returns the write of the result.
func (db *DB) changeDraft(found Found, token string, change func(values map[any]any) error) (Draft, error) {
	if found.Status != Live {
		return Draft{}, db.updateError(ErrGone)
	}
	if err := change(found.Values); err != nil {
		return Draft{}, err
	}
	item := found.Session.item
	d, err := db.Draft(found.Session, Change{
		Values: found.Values, KeepEnd: true, Token: token, Options: item.Options,
		DefaultMaxAge: noMaxAge, MaxAge: maxAgeOf(item, noMaxAge),
	})
	d.update = change
	return d, err
}

// noMaxAge is not the MaxAge of any stored session.
const noMaxAge = -1

func (db *DB) updateError(err error) error {
	return fmt.Errorf("dynamostore: update a session in table %q: %w", db.cfg.Table, err)
}
