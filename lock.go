package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/tracking"
)

// LockConfig is for Concurrency: Lock.
//
// A session's lock belongs to the request whose Get or New took it; a second Get or New of that
// session in the request shares it. Save gives it up, whether it succeeds or not. So does the end of the
// request's context where there was no Save, and, where the process is gone by then, the lease.
//
// A request is known by gorilla's registry, which the first Get or New puts into its context: handlers that go on with
// another context, from r.WithContext, share the lock if that was made of a request that has the registry. Two requests
// that lock two sessions in opposite order wait for each other until Wait is over.
//
// The lock is two attributes of the item, and every write is conditional on the session's version and
// on nobody else holding the lock. So a request whose lease ended while it was still at work gets
// [ErrLockLost] instead of overwriting anything; and so does one whose lock was given up early, because
// the browser disconnected, and with it the request's context ended, while the handler still ran. On Lambda,
// where no code runs after the answer, a request without a Save leaves the lock to its lease.
//
// Taking a lock is a write: DynamoDB charges it by the size of the whole item, also where the
// session is only read. Whether a lease has ended is told by the clock of whoever wants the
// lock, so Lease should be long against the differences of the instances' clocks.
type LockConfig struct {
	// Wait is how long Get and New wait for the lock, besides Config.Timeout for each try, before they
	// return ErrLockTimeout. Default: 10 s.
	Wait time.Duration
	// MinRetry and MaxRetry bound the pauses between two tries, which are random and grow.
	// Default: 10 ms and 50 ms.
	MinRetry, MaxRetry time.Duration
	// Lease is how long a lock holds unless it is given up before: longer than any request
	// that uses a session takes. Default: 30 s.
	Lease time.Duration
}

func (c LockConfig) withDefaults() LockConfig {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.Wait, 10*time.Second)
	set(&c.MinRetry, min(10*time.Millisecond, nonZero(c.MaxRetry, 10*time.Millisecond)))
	set(&c.MaxRetry, max(50*time.Millisecond, c.MinRetry))
	set(&c.Lease, 30*time.Second)
	return c
}

func nonZero(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// leases holds the locks of requests, each known by its gorilla registry: like states, it is
// kept per process, since two Stores may meet in one request.
var leases tracking.Map[sessions.Registry, requestLeases]

type requestLeases struct {
	mu     sync.Mutex
	leases map[leaseKey]*lease
}

type leaseKey struct{ table, key string }

// lease is a request's lock on one session, or its wish for one. The methods of a nil lease do
// nothing.
type lease struct {
	store *Store
	key   string
	token string

	mu     sync.Mutex
	held   bool // in the table, or maybe so
	turn   bool // among those of this process who want the lock
	expiry *time.Timer
	// unwatch stops waiting for the request's end. It keeps the request alive, and with it the registry
	// by which leases finds this lease, so it goes when the lease ends.
	unwatch func() bool
}

// leaseOf returns the request's lease of the session under key, made when it is first asked for.
func (s *Store) leaseOf(r *http.Request, key string) *lease {
	registry := sessions.GetRegistry(r)
	newLeases.Lock()
	of := leases.Get(registry)
	if of == nil {
		of = &requestLeases{leases: make(map[leaseKey]*lease)}
		leases.Set(registry, of)
	}
	newLeases.Unlock()
	of.mu.Lock()
	defer of.mu.Unlock()
	k := leaseKey{s.cfg.Table, key}
	l := of.leases[k]
	if l == nil {
		l = &lease{store: s, key: key, token: record.NewVersion()}
		of.leases[k] = l
	}
	return l
}

// newLeases is held while a request's first lease is made.
var newLeases sync.Mutex

// lock takes the lock of the session under key for the request and returns the session, as find
// does. The lease is nil if the lock is not, and certainly not, held.
func (s *Store) lock(ctx context.Context, r *http.Request, key string) (_ found, _ *lease, err error) {
	l := s.leaseOf(r, key)
	l.mu.Lock()
	defer l.mu.Unlock()

	begin, waited := time.Now(), false
	waiting, cancel := context.WithTimeout(r.Context(), s.cfg.Lock.Wait)
	defer cancel()
	if !l.turn {
		_, waited, err = l.store.holders.Take(waiting, key)
		if err != nil {
			err = s.lockTimeout(r.Context())
			s.waited(r.Context(), begin, err)
			return found{}, nil, err
		}
		l.turn = true
	}
	item, tries, err := s.acquire(ctx, waiting, key, l.token)
	if waited || tries > 1 {
		told := err
		if gone := new(record.Refused); errors.As(err, &gone) {
			told = nil // there was nothing left to lock, which is no error
		}
		s.waited(r.Context(), begin, told)
	}
	var refused *record.Refused
	switch {
	case err == nil:
		l.hold(r.Context(), s.cfg.Lock.Lease)
		f, err := s.examine(key, item)
		return f, l, err
	case errors.Is(err, ErrLockTimeout):
		l.endTurn()
		return found{}, nil, err
	case errors.As(err, &refused):
		// Nothing lies there that could be locked: nothing at all, a tombstone, a dead session.
		l.endTurn()
		f, err := s.examine(key, refused.Item)
		return f, nil, err
	}
	// The lock may have been taken, and the answer lost.
	l.endTurn()
	l.hold(r.Context(), s.cfg.Lock.Lease)
	return found{}, l, err
}

// acquire tries to take the lock until waiting is done, and counts the tries. A refusal is only
// returned where it is no use to wait.
func (s *Store) acquire(ctx, waiting context.Context, key, token string) (item *record.Item, tries int, err error) {
	for limit := 2 * s.cfg.Lock.MinRetry; ; limit *= 2 {
		item, err = s.tryLock(ctx, key, token)
		tries++
		var refused *record.Refused
		if !errors.As(err, &refused) || !s.lives(refused.Item) || refused.Item.Moved || refused.Item.Malformed != "" {
			return item, tries, err
		}
		limit = min(limit, s.cfg.Lock.MaxRetry)
		pause := s.cfg.Lock.MinRetry + rand.N(max(limit-s.cfg.Lock.MinRetry, 1))
		if record.Pause(waiting, pause) != nil {
			return nil, tries, s.lockTimeout(ctx)
		}
	}
}

func (s *Store) tryLock(ctx context.Context, key, token string) (*record.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.table.Lock(ctx, key, token, time.Now().Add(s.cfg.Lock.Lease))
}

// lockTimeout is the error of a wait that was in vain, or that the end of the request ended.
func (s *Store) lockTimeout(request context.Context) error {
	if err := request.Err(); err != nil {
		return fmt.Errorf("dynamostore: lock a session in table %q: %w: %w", s.cfg.Table, ErrLockTimeout, err)
	}
	return fmt.Errorf("dynamostore: lock a session in table %q: %w, for %v", s.cfg.Table, ErrLockTimeout, s.cfg.Lock.Wait)
}

// hold notes that the lock is held, and has it given up at the request's end. The turn ends with
// the lease, or others would wait for longer than the lock holds.
func (l *lease) hold(request context.Context, lease time.Duration) {
	l.forget()
	l.held = true
	l.expiry = time.AfterFunc(lease, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.endTurn()
		l.unwatch = nil // a request that ends later still gives up what it can
	})
	l.unwatch = context.AfterFunc(request, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(request), l.store.cfg.Timeout)
		defer cancel()
		l.release(ctx)
	})
}

// forget stops what waits for the end of the request and of the lease.
func (l *lease) forget() {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	if l.unwatch != nil {
		l.unwatch()
	}
	l.unwatch = nil
}

func (l *lease) endTurn() {
	if l.turn {
		l.turn = false
		l.store.holders.Pass(l.key, nil)
	}
}

// release gives the lock up. If that fails, the end of the request, and at last that of the lease, does.
func (l *lease) release(ctx context.Context) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held && l.unlock(ctx) == nil {
		l.held = false
		l.forget()
	}
	l.endTurn()
}

func (l *lease) unlock(ctx context.Context) error {
	ctx, seen := l.store.observing(ctx)
	err := l.store.table.Unlock(ctx, l.key, l.token)
	seen.end(OpUnlock, err)
	return err
}

// given notes that a write gave the lock up.
func (l *lease) given() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.forget()
	l.endTurn()
}

// token is what fences the writes of the session: its lock's, or one that nobody holds.
func (st *state) token() string {
	if st.lease != nil {
		return st.lease.token
	}
	return record.NewVersion()
}
