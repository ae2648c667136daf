package sessiondb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/dynamostore/internal/record"
)

// LockConfig configures locks. All fields must be set.
type LockConfig struct {
	Wait               time.Duration // how long to wait for a lock
	MinRetry, MaxRetry time.Duration // between two attempts
	Lease              time.Duration // how long a lock lasts if it is not released
}

// Lease is a request's lock on one session, held or being acquired. Its methods are safe for
// concurrent use, and those of a nil Lease do nothing.
type Lease struct {
	db   *DB
	name Name
	// busy is full while a goroutine acquires or releases the lock. It is a channel and not a
	// mutex, so that Release can stop waiting when its context ends.
	busy chan struct{}

	mu     sync.Mutex  // guards the fields below; not held during a request
	token  string      // identifies the holder in the item; new each time that the lock is acquired
	held   bool        // the item has the lock, or may have it
	queued bool        // this lease holds the process's queue
	timer  *time.Timer // leaves the queue when the lease ends
	stop   func() bool // cancels the release at the end of the request
}

// NewLease returns a lock on the session with that name. It is not held yet.
func (db *DB) NewLease(name Name) *Lease {
	return &Lease{db: db, name: name, busy: make(chan struct{}, 1)}
}

// Token returns the token that fences the writes of the lock's holder. It is empty for a nil Lease
// and before the first Acquire.
func (l *Lease) Token() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// Acquire acquires the lock and returns the session. If this Lease already holds the lock, it
// extends the lease. It waits for at most LockConfig.Wait or until request is done, and then
// returns ErrLockTimeout. It also returns how long it waited for another holder, or zero. The lock
// may be held even after an error. It is released when request is done, if not before.
//
// ctx is for the requests, one UpdateItem per attempt, each bounded by Config.Timeout. db decodes
// the session: another DB than the Lease's may share it.
func (l *Lease) Acquire(ctx, request context.Context, db *DB) (Found, time.Duration, error) {
	begin := time.Now()
	waiting, cancel := context.WithTimeout(request, l.db.cfg.Lock.Wait)
	defer cancel()
	select {
	case l.busy <- struct{}{}: // even if LockConfig.Wait is already over
	default:
		select {
		case l.busy <- struct{}{}:
		case <-waiting.Done():
			return Found{}, time.Since(begin), l.timeoutError(request)
		}
	}
	defer func() { <-l.busy }()
	l.mu.Lock()
	if !l.held { // a late request that released an earlier lock must not release this one
		l.token = record.NewToken()
	}
	l.mu.Unlock()
	waited, err := l.enqueue(waiting)
	if err != nil {
		return Found{}, time.Since(begin), l.timeoutError(request)
	}
	item, tries, err := l.try(ctx, waiting)
	var wait time.Duration
	if waited || tries > 1 {
		wait = max(time.Since(begin), 1)
	}
	refused, isRefused := errors.AsType[*record.Refused](err)
	switch {
	case err == nil:
		l.hold(request)
	case isRefused: // nothing to lock
		l.MarkReleased()
		item, err = refused.Item, nil
	case err == errWait:
		l.MarkReleased()
		return Found{}, wait, l.timeoutError(request)
	default: // the lock may have been acquired, and the response lost
		l.leaveQueue()
		l.hold(request)
		return Found{}, wait, err
	}
	found, err := db.found(l.name, item)
	return found, wait, err
}

// enqueue waits for the other requests of this process that hold or want the lock.
func (l *Lease) enqueue(ctx context.Context) (waited bool, err error) {
	l.mu.Lock()
	queued := l.queued
	l.mu.Unlock()
	if queued {
		return false, nil
	}
	if waited, err = l.db.lockers.Acquire(ctx, l.name.Key); err == nil {
		l.mu.Lock()
		l.queued = true
		l.mu.Unlock()
	}
	return waited, err
}

var errWait = errors.New("the wait timed out")

// try attempts to acquire the lock until waiting is done. It returns a *record.Refused only if
// there is nothing to lock.
func (l *Lease) try(ctx, waiting context.Context) (item *record.Item, tries int, err error) {
	backoff := record.Backoff{Min: l.db.cfg.Lock.MinRetry, Max: l.db.cfg.Lock.MaxRetry}
	for tries = 1; ; tries++ {
		sent := time.Now()
		item, err = l.lock(ctx)
		refused, ok := errors.AsType[*record.Refused](err)
		// If the session has expired since sent, its holder may have extended it.
		if !ok || !l.db.isLiveAt(refused.Item, sent) || refused.Item.Malformed != "" {
			return item, tries, err
		}
		if backoff.Pause(waiting) != nil {
			return nil, tries, errWait
		}
	}
}

func (l *Lease) lock(ctx context.Context) (*record.Item, error) {
	ctx, cancel := l.db.WithTimeout(ctx)
	defer cancel()
	return l.db.table.Lock(ctx, l.name.Key, l.Token(), time.Now().Add(l.db.cfg.Lock.Lease))
}

// timeoutError is the error for a wait that timed out or that the end of the request interrupted.
func (l *Lease) timeoutError(request context.Context) error {
	err := fmt.Errorf("%w, and did not release it within Config.Lock.Wait, %v; save the session in every handler that calls Get", ErrLockTimeout, l.db.cfg.Lock.Wait)
	if request.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrLockTimeout, request.Err())
	}
	return fmt.Errorf("dynamostore: lock a session in table %q: %w", l.db.cfg.Table, err)
}

// hold records that the lock is held, and arranges its release when request is done. It leaves the
// queue when the lease ends: otherwise others would wait for longer than the lock lasts.
func (l *Lease) hold(request context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopTimers()
	l.held = true
	var timer *time.Timer
	timer = time.AfterFunc(l.db.cfg.Lock.Lease, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.timer == timer { // not of an earlier lease
			l.leaveQueueLocked()
			// stop keeps the request in memory, and with it the request's state.
			l.timer, l.stop = nil, nil
		}
	})
	l.timer = timer
	l.stop = context.AfterFunc(request, func() {
		ctx, cancel := l.db.WithTimeout(context.WithoutCancel(request))
		defer cancel()
		l.Release(ctx)
	})
}

// Release sends a request that releases the lock, if it is held. If that fails, it is tried again
// at the end of the request, and finally the lease ends.
func (l *Lease) Release(ctx context.Context) {
	if l == nil {
		return
	}
	select {
	case l.busy <- struct{}{}:
	case <-ctx.Done(): // somebody else is releasing it
		return
	}
	defer func() { <-l.busy }()
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	if held {
		ctx, observe := l.db.cfg.ObserveUnlock(ctx)
		err := l.db.table.Unlock(ctx, l.name.Key, l.Token())
		observe(err)
		if err != nil {
			l.leaveQueue()
			return
		}
	}
	l.MarkReleased()
}

// MarkReleased records that the lock is not held, such as after a write that released it.
func (l *Lease) MarkReleased() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.stopTimers()
	l.leaveQueueLocked()
}

func (l *Lease) leaveQueue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaveQueueLocked()
}

func (l *Lease) leaveQueueLocked() {
	if l.queued {
		l.queued = false
		l.db.lockers.Release(l.name.Key)
	}
}

func (l *Lease) stopTimers() {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.stop != nil {
		l.stop()
	}
	l.timer, l.stop = nil, nil
}
