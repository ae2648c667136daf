package sessiondb

import (
	"context"
	"fmt"
	"iter"
	"time"

	"example.com/dynamostore/internal/record"
)

// Info describes a stored session. A time is zero if the item does not hold it.
type Info struct {
	Key, User, Label           string
	Created, LastSeen, Expires time.Time
}

// Sessions returns the live sessions of the table, by a scan.
func (db *DB) Sessions(ctx context.Context) iter.Seq2[Info, error] {
	return db.listLive(db.table.Scan(ctx, record.ScanOptions{Timeout: db.cfg.Timeout}))
}

// UserSessions returns the live sessions of a user, by the index.
func (db *DB) UserSessions(ctx context.Context, user string) iter.Seq2[Info, error] {
	return db.listLive(db.table.ByUser(ctx, user, db.cfg.Timeout))
}

// listLive returns the entries that are live sessions.
func (db *DB) listLive(entries iter.Seq2[record.Entry, error]) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for e, err := range entries {
			if err != nil {
				yield(Info{}, err)
				return
			}
			if db.IsLive(e.Item) && !yield(infoOf(e.Key, e.Item), nil) {
				return
			}
		}
	}
}

// Read returns the session under key and its values, which the caller may change, or ErrGone.
func (db *DB) Read(ctx context.Context, key string) (Info, map[any]any, error) {
	found, err := db.Load(ctx, Name{Key: key})
	if err == nil && found.Status != Live {
		err = fmt.Errorf("dynamostore: load from table %q: %w", db.cfg.Table, ErrGone)
	}
	if err != nil {
		return Info{}, nil, err
	}
	return infoOf(key, found.Session.item), found.Values, nil
}

func infoOf(key string, item *record.Item) Info {
	at := func(seconds int64, known bool) time.Time {
		if !known {
			return time.Time{}
		}
		return time.Unix(seconds, 0)
	}
	return Info{
		Key: key, User: item.User, Label: item.Label,
		Created:  at(item.Created, item.HasCreated),
		LastSeen: at(item.Seen, item.HasSeen),
		Expires:  at(item.Expires, item.HasExpires),
	}
}
