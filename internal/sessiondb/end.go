package sessiondb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/dynamostore/internal/record"
)

// End ends the session s, which is zero if only its name is known, under name, which is zero if it
// is new, and under each name that an unanswered write may have given it. A missing session is not
// an error. ErrGone means that another request gave it a new name, under which it continues.
func (db *DB) End(ctx context.Context, s Session, name Name) error {
	ctx, cancel := db.WithTimeout(ctx)
	defer cancel()
	var stored *record.Item
	if name.Key != "" {
		created := slices.ContainsFunc(s.pending, func(p pending) bool { return p.kind == Create && p.name == name })
		var err error
		if stored, err = db.endItem(ctx, name.Key, record.EndOptions{Item: s.item, OrNone: created}); err != nil {
			return err
		}
	}
	gone := stored != nil && stored.Gone == record.Moved
	for _, p := range s.pending {
		if p.name == name {
			continue
		}
		if stored.Shows(p.version) {
			gone = false // the tombstone is from this session's own move
		}
		if _, err := db.endItem(ctx, p.name.Key, record.EndOptions{OrNone: p.kind == Create || !db.transacts()}); err != nil {
			return err
		}
	}
	if gone {
		return fmt.Errorf("dynamostore: end a session in table %q: %w", db.cfg.Table, ErrGone)
	}
	return nil
}

// endItem ends the session under key if opts allow it. Otherwise it returns the stored item.
func (db *DB) endItem(ctx context.Context, key string, opts record.EndOptions) (*record.Item, error) {
	err := db.table.End(ctx, key, opts)
	if refused, ok := errors.AsType[*record.Refused](err); ok {
		return refused.Item, nil
	}
	return nil, err
}

// DestroyUser ends a user's sessions that were created before the call, except those whose keys are
// in keep. It returns how many it ended, even if it returns an error. The index is eventually
// consistent, so DestroyUser queries it until it shows nothing more to end.
func (db *DB) DestroyUser(ctx context.Context, user string, keep []string) (ended int, err error) {
	begin := time.Now().Unix()
	done := make(map[string]bool) // keys that the index may still show
	for first, more := true, true; more; first = false {
		more = false
		for e, err := range db.table.ByUser(ctx, user, db.cfg.Timeout) {
			if err != nil {
				return ended, err
			}
			// The first pass does not depend on the clocks of the instances that created the
			// sessions.
			isNew := !first && e.Item.HasCreated && e.Item.Created > begin
			if done[e.Key] || isNew || slices.Contains(keep, e.Key) {
				continue
			}
			was, err := db.endIfOwned(ctx, e.Key, user)
			if err != nil {
				return ended, err
			}
			if was {
				ended++
			}
			done[e.Key], more = true, true
		}
	}
	return ended, nil
}

// endIfOwned ends a session if it belongs to user, and reports whether it did.
func (db *DB) endIfOwned(ctx context.Context, key, user string) (bool, error) {
	ctx, cancel := db.WithTimeout(ctx)
	defer cancel()
	err := db.table.End(ctx, key, record.EndOptions{User: user})
	if _, ok := errors.AsType[*record.Refused](err); ok {
		return false, nil
	}
	return err == nil, err
}

// UpdateUser calls Update for each of a user's sessions in the index. It returns how many it
// updated, even if it returns an error.
func (db *DB) UpdateUser(ctx context.Context, user string, change func(values map[any]any) error) (updated int, err error) {
	errNotTheirs := errors.New("the session has another user")
	var changeErr error
	for e, err := range db.table.ByUser(ctx, user, db.cfg.Timeout) {
		if err != nil {
			return updated, err
		}
		err := db.Update(ctx, Name{Key: e.Key}, func(values map[any]any) error {
			changeErr = nil
			if now, _ := db.user(values); now != user {
				return errNotTheirs
			}
			changeErr = change(values)
			return changeErr
		})
		switch {
		case err == nil:
			updated++
		case changeErr == nil && (errors.Is(err, ErrGone) || err == errNotTheirs):
		default:
			return updated, err
		}
	}
	return updated, nil
}
