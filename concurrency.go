package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/merge"
	"example.com/dynamostore/internal/record"
)

// Concurrency is what becomes of requests that change one session at once. In none of them does a
// Save bring a deleted session back.
type Concurrency int

const (
	// Merge applies what a request changed, key by key, on top of what others wrote since it
	// loaded the session: nothing is lost, and no one waits. Where two requests changed the same key,
	// the later write stands, so a counter under one key wants Lock; but of lists ([]any, such as
	// flashes) what either appended is kept, and what either consumed is gone. After Save,
	// Session.Values holds the merged values.
	Merge Concurrency = iota
	// Refuse returns ErrConflict, and writes nothing, if another request wrote the session since
	// it was loaded.
	Refuse
	// Overwrite has the last write win, whatever it overwrites.
	Overwrite
	// Lock has one request at a time use a session: Get and New take its lock and read it in one
	// request, an UpdateItem, while others wait. See LockConfig.
	Lock
)

// apply writes a loaded session that changed, in the way of Config.Concurrency. It reports whether
// anything was left to write.
func (c *change) apply(ctx context.Context) (written bool, err error) {
	s := c.store
	if s.cfg.Concurrency != Merge {
		err := c.write(ctx)
		var refused *record.Refused
		if errors.As(err, &refused) {
			if own := c.recognise(refused.Item); own != nil && refused.Item.SameVersion(own) {
				c.read = refused.Item
				err = c.write(ctx)
			}
		}
		return true, err
	}

	// Those who contend for one session in this process take turns. Each leaves what it wrote to
	// the next, which so merges without being refused first.
	stored, _, err := s.writers.Take(ctx, c.key)
	if err != nil {
		return false, s.conflict()
	}
	defer func() { s.writers.Pass(c.key, stored) }()
	if stored != nil && !stored.SameVersion(c.st.item) {
		// It may be older than what another process wrote, so it decides nothing by itself:
		// the write is conditional on it.
		c.recognise(stored)
		if _, err := c.onto(stored); err != nil {
			c.start()
		}
	}
	for {
		err := c.write(ctx)
		var refused *record.Refused
		if !errors.As(err, &refused) {
			if err == nil {
				stored = c.written
			}
			return true, err
		}
		if !s.lives(refused.Item) || refused.Item.Moved {
			stored = nil
			return false, err
		}
		stored = refused.Item
		if ctx.Err() != nil {
			return false, err
		}
		c.recognise(stored)
		done, err := c.onto(refused.Item)
		if err != nil {
			return false, err
		}
		if done {
			c.settle(refused.Item.Bare())
			return false, nil
		}
	}
}

// change is the write of a session on top of what lies in the table.
type change struct {
	store   *Store
	key     string
	session *sessions.Session
	st      *state
	options *sessions.Options // MaxAge is that of the session as it is written

	maxAge        int  // as the request has it
	changesMaxAge bool // the request changed it

	newID, newKey string // where to move the session; "": nowhere

	encoded []byte       // what the codec makes of session.Values
	read    *record.Item // what to write on top of
	data    []byte       // what to write
	values  map[any]any  // its values
	merges  bool         // read is what another request wrote meanwhile
	written *record.Item // what was written under key
}

// newChange returns the write of session, of which data is what the codec makes, on top of what it
// was when it was loaded.
func newChange(s *Store, key string, session *sessions.Session, st *state, options *sessions.Options, data []byte) *change {
	c := &change{
		store: s, key: key, session: session, st: st, options: options,
		maxAge: options.MaxAge, changesMaxAge: options.MaxAge != st.options.MaxAge,
		encoded: data,
	}
	c.start()
	return c
}

func (c *change) start() {
	c.read, c.data, c.values, c.options.MaxAge = c.st.item, c.encoded, c.session.Values, c.maxAge
	c.merges = false
}

// write sends the change, and notes in the session what then lies in the table.
func (c *change) write(ctx context.Context) error {
	s := c.store
	key := c.key
	if c.newKey != "" {
		key = c.newKey
	}
	w, err := s.write(key, c.values, c.data, createdOf(c.read), c.options)
	if err != nil {
		return err
	}
	w.Overwrite = s.cfg.Concurrency == Overwrite
	if s.cfg.Concurrency == Lock {
		w.Token = c.st.token()
	}
	written := w.Written()
	if c.newKey != "" {
		err = s.table.Move(ctx, c.key, c.newKey, c.read, w)
	} else if err = s.table.Update(ctx, c.key, c.read, w); err == nil {
		c.written = written
	}
	if err != nil {
		var refused *record.Refused
		if !errors.As(err, &refused) && !errors.Is(err, record.ErrTaken) {
			c.st.attempt = &attempt{written.Bare(), base{s.codec, c.encoded}, c.options.MaxAge, c.newID}
		}
		return err
	}
	c.settle(written.Bare())
	c.st.lease.given()
	return nil
}

// recognise returns the item that an earlier Save of this very session wrote, if its answer was lost and what lies in
// the table shows it. What the session held then is what this Save begins with, or what both hold would be there
// twice. The state's item stays the one before, so that a write is refused, and merged with what lies there.
func (c *change) recognise(stored *record.Item) *record.Item {
	a := c.st.attempt
	if a == nil || a.id != "" || stored == nil || !stored.Shows(a.item) {
		return nil
	}
	c.st.base, c.st.attempt = a.ours, nil
	c.st.options.MaxAge = a.maxAge
	c.changesMaxAge = c.maxAge != a.maxAge
	return a.item
}

// createdOf returns when the session in item was created: now, if that is not known.
func createdOf(item *record.Item) int64 {
	if item.HasCreated {
		return item.Created
	}
	return time.Now().Unix()
}

// settle notes that the session is what lies in the table as item.
func (c *change) settle(item *record.Item) {
	if o := c.session.Options; o != nil && o.MaxAge != c.options.MaxAge {
		own := *o // which other sessions may share
		own.MaxAge = c.options.MaxAge
		c.session.Options = &own
	}
	if c.merges {
		become(c.session, c.values)
	}
	c.st.live(item, base{c.store.codec, c.data}, *c.options)
}

// become makes values those of the session. Whoever holds on to the map that Values was sees what it became.
func become(session *sessions.Session, values map[any]any) {
	if session.Values == nil {
		session.Values = make(map[any]any, len(values))
	}
	clear(session.Values)
	maps.Copy(session.Values, values)
}

// onto applies what the request changed to what another one stored meanwhile. It reports whether
// nothing is left to write.
func (c *change) onto(stored *record.Item) (done bool, err error) {
	s := c.store
	theirs, err := s.decode(c.key, stored)
	if err != nil {
		return false, err
	}
	if err := c.sameUser(stored); err != nil {
		return false, err
	}
	base, err := c.st.base.decoded()
	if err != nil {
		return false, fmt.Errorf("dynamostore: merge a session of table %q: what was loaded does not decode again: %w", s.cfg.Table, ErrUndecodable)
	}
	values := merge.Values(base, theirs.values, c.session.Values, s.sameValue)
	data, err := s.encode(values)
	if err != nil {
		return false, err
	}
	theirMaxAge := s.options(nil).MaxAge
	if stored.HasMaxAge {
		theirMaxAge = stored.MaxAge
	}
	maxAge := theirMaxAge
	if c.changesMaxAge {
		maxAge = c.maxAge
	}
	c.options.MaxAge = maxAge
	c.read, c.data, c.values, c.merges = stored, data, values, true
	return c.newKey == "" && maxAge == theirMaxAge && !theirs.rewrite && equalValues(s.codec, values, theirs.values), nil
}

// sameUser returns an error if the stored item belongs, by now, to a user that this request does not
// know of. What it did was meant for the session of another, or nobody's.
func (c *change) sameUser(stored *record.Item) error {
	if c.store.cfg.UserKey == "" || stored.User == "" || stored.User == c.st.item.User {
		return nil
	}
	if user, err := c.store.user(c.session.Values); err == nil && user == stored.User {
		return nil
	}
	return c.store.conflict()
}
