package sessiondb

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

// lockedDB is a DB in mode Lock with one session, under the key "id".
type lockedDB struct {
	*testing.T
	*DB
	backend *dynamotest.Backend
}

func newLockedDB(t *testing.T) lockedDB {
	db, backend := newStoredDB(t, func(c *Config) { c.Mode = Lock })
	data, err := db.cfg.Codec.Encode(map[any]any{"k": 1})
	if err != nil {
		t.Fatal(err)
	}
	backend.Put(t, dynamotest.Item{
		"id": dynamotest.S("id"), "data": dynamotest.B(data), "codec": dynamotest.S("printing"), "version": dynamotest.S("v"), "expires": dynamotest.N("4000000000"),
	})
	return lockedDB{t, db, backend}
}

// another is the DB of another process.
func (db lockedDB) another() lockedDB {
	other := New(db.table, db.cfg)
	other.MaxLength = db.MaxLength
	return lockedDB{db.T, other, db.backend}
}

// request returns the context of a request, and a function that ends it.
func (db lockedDB) request() (context.Context, context.CancelFunc) {
	return context.WithCancel(db.Context())
}

func (db lockedDB) lease() *Lease { return db.NewLease(Name{"id", "id"}) }

// acquire acquires the lock for a request, which it returns the end of.
func (db lockedDB) acquire() (lease *Lease, end context.CancelFunc) {
	db.Helper()
	ctx, end := db.request()
	lease = db.lease()
	if found, _, err := lease.Acquire(ctx, ctx, db.DB); err != nil || found.Status != Live || found.Values["k"] != 1 {
		db.Fatalf("Acquire = %+v, %v, want the session", found, err)
	}
	return lease, end
}

// token returns the token that holds the lock of the item, or "".
func (db lockedDB) token() string {
	db.Helper()
	for _, item := range db.backend.Items(db.T) {
		if lock, ok := item["lock"].(*types.AttributeValueMemberS); ok && item["lock_until"] != nil {
			return lock.Value
		}
	}
	return ""
}

// waiting returns the number of queues that requests of this process hold.
func (db lockedDB) waiting() int { return db.writers.Len() + db.lockers.Len() }

// wantIdle asserts that the item is not locked, and that nobody waits in this process.
func (db lockedDB) wantIdle() {
	db.Helper()
	synctest.Wait()
	if token := db.token(); token != "" {
		db.Errorf("the item is locked by %q", token)
	}
	if n := db.waiting(); n != 0 {
		db.Errorf("%d queues are held", n)
	}
}

func inBubble(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		f(t)
		time.Sleep(time.Hour) // until all that f set off has ended
	})
}

// A nil Lease, as without Mode Lock, does nothing.
func TestNilLease(t *testing.T) {
	var lease *Lease
	if got := lease.Token(); got != "" {
		t.Errorf("Token = %q", got)
	}
	lease.Release(t.Context())
	lease.MarkReleased()
}

func TestLeaseIsReleased(t *testing.T) {
	for name, release := range map[string]func(lease *Lease, end context.CancelFunc){
		"by Release": func(lease *Lease, _ context.CancelFunc) { lease.Release(context.Background()) },
		"by Release, twice": func(lease *Lease, _ context.CancelFunc) {
			lease.Release(context.Background())
			lease.Release(context.Background())
		},
		"at the end of the request":               func(_ *Lease, end context.CancelFunc) { end() },
		"by Release, then the end of the request": func(lease *Lease, end context.CancelFunc) { lease.Release(context.Background()); end() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				db := newLockedDB(t)
				lease, end := db.acquire()
				defer end()
				if db.token() != lease.Token() || db.waiting() != 1 {
					t.Errorf("the item is locked by %q, and %d queues are held, want the lease's token, and one", db.token(), db.waiting())
				}
				release(lease, end)
				db.wantIdle()
				next, end := db.acquire()
				defer end()
				if next.Token() == lease.Token() {
					t.Error("two leases have the same token")
				}
			})
		})
	}
}

// A lock that a write released is not released again.
func TestMarkReleasedSendsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		db := newLockedDB(t)
		lease, end := db.acquire()
		db.backend.Counts()
		lease.MarkReleased()
		lease.Release(t.Context())
		end()
		synctest.Wait()
		if sent := db.backend.Counts(); len(sent) != 0 {
			t.Errorf("after MarkReleased, %v was sent", sent)
		}
		if n := db.waiting(); n != 0 {
			t.Errorf("%d queues are held", n)
		}
	})
}

// A request that acquires its lock again extends it.
func TestAcquireAgainExtendsTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		db := newLockedDB(t)
		ctx, end := db.request()
		defer end()
		lease := db.lease()
		for range 3 {
			found, waited, err := lease.Acquire(ctx, ctx, db.DB)
			if err != nil || waited != 0 || found.Status != Live {
				t.Errorf("Acquire = %+v, %v, %v, want the session at once", found, waited, err)
			}
			time.Sleep(20 * time.Second) // of a lease of 30
		}
		other := db.another()
		otherCtx, otherEnd := other.request()
		defer otherEnd()
		_, waited, err := other.lease().Acquire(otherCtx, otherCtx, other.DB)
		// The last lease ends 30 s after it was extended, of which 20 are over.
		if err != nil && !errors.Is(err, ErrLockTimeout) || waited < 9*time.Second {
			t.Errorf("another process waited %v for the lock, %v, want about 10s", waited, err)
		}
	})
}

// Others wait until the lock is released, within one process and between two.
func TestAcquireWaits(t *testing.T) {
	for name, elsewhere := range map[string]bool{"in this process": false, "in another process": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				db := newLockedDB(t)
				first, end := db.acquire()
				defer end()
				other := db
				if elsewhere {
					other = db.another()
				}
				var second *Lease
				done := make(chan time.Duration)
				go func() {
					ctx, _ := other.request()
					second = other.lease()
					_, waited, err := second.Acquire(ctx, ctx, db.DB)
					if err != nil {
						t.Errorf("Acquire: %v", err)
					}
					done <- waited
				}()
				time.Sleep(5 * time.Second)
				select {
				case <-done:
					t.Fatal("two requests have the lock")
				default:
				}
				first.Release(t.Context())
				if waited := <-done; waited < 5*time.Second || waited > 5*time.Second+db.cfg.Lock.MaxRetry {
					t.Errorf("it waited %v, want 5s, or a pause more", waited)
				}
				if db.token() != second.Token() {
					t.Error("the lock is not the second request's")
				}
				second.Release(t.Context())
				other.wantIdle()
			})
		})
	}
}

// A wait ends with LockConfig.Wait, and with the request. Neither leaves a trace.
func TestAcquireGivesUp(t *testing.T) {
	for name, elsewhere := range map[string]bool{"in this process": false, "in another process": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				db := newLockedDB(t)
				first, end := db.acquire()
				defer end()
				other := db
				if elsewhere {
					other = db.another()
				}
				ctx, endOther := other.request()
				defer endOther()
				begin := time.Now()
				_, waited, err := other.lease().Acquire(ctx, ctx, other.DB)
				if took := time.Since(begin); !errors.Is(err, ErrLockTimeout) || took != 10*time.Second || waited != took {
					t.Errorf("Acquire = %v after %v, and waited %v, want ErrLockTimeout after 10s", err, took, waited)
				}
				ctx, endOther = context.WithTimeout(t.Context(), 3*time.Second)
				defer endOther()
				begin = time.Now()
				_, _, err = other.lease().Acquire(ctx, ctx, other.DB)
				if took := time.Since(begin); !errors.Is(err, ErrLockTimeout) || !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
					t.Errorf("Acquire = %v after %v, want ErrLockTimeout and the request's deadline after 3s", err, took)
				}
				if db.token() != first.Token() {
					t.Error("the lock is not the first request's any more")
				}
				first.Release(t.Context())
				db.wantIdle()
				other.wantIdle()
			})
		})
	}
}

// A lock that is not released ends with its lease. The request that had it does not release the
// next one's.
func TestLeaseEnds(t *testing.T) {
	for name, elsewhere := range map[string]bool{"in this process": false, "in another process": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				db := newLockedDB(t)
				first, end := db.acquire()
				defer end()
				time.Sleep(29 * time.Second)
				other := db
				if elsewhere {
					other = db.another()
				}
				begin := time.Now()
				second, endOther := other.acquire()
				defer endOther()
				if took := time.Since(begin); took < time.Second || took > time.Second+db.cfg.Lock.MaxRetry {
					t.Errorf("the next request has the lock after %v, want after the second that was left, or a pause more", took)
				}
				first.Release(t.Context())
				end()
				synctest.Wait()
				if db.token() != second.Token() {
					t.Errorf("the item is locked by %q, want the second request's token", db.token())
				}
				second.Release(t.Context())
				db.wantIdle()
			})
		})
	}
}

// If there is nothing to lock, Acquire says so, and holds nothing.
func TestNothingToLock(t *testing.T) {
	for name, item := range map[string]dynamotest.Item{
		"no item":       nil,
		"a tombstone":   {"id": dynamotest.S("id"), "gone": dynamotest.S("ended"), "expires": dynamotest.N("4000000000")},
		"expired":       {"id": dynamotest.S("id"), "data": dynamotest.B([]byte("x")), "expires": dynamotest.N("1")},
		"not a session": {"id": dynamotest.S("id"), "invoice": dynamotest.S("paid")},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				db := newLockedDB(t)
				db.backend.Delete(t, dynamotest.Item{"id": dynamotest.S("id")})
				if item != nil {
					db.backend.Put(t, item)
				}
				ctx, end := db.request()
				defer end()
				found, waited, err := db.lease().Acquire(ctx, ctx, db.DB)
				if found.Status != None || waited != 0 || err != nil && !errors.Is(err, ErrUndecodable) {
					t.Errorf("Acquire = %+v, %v, %v, want no session", found, waited, err)
				}
				if (name == "not a session") != (err != nil) {
					t.Errorf("Acquire: %v", err)
				}
				db.wantIdle()
			})
		})
	}
}

// If the answer is lost, the lock may be held: the end of the request releases it.
func TestLockWhoseAnswerIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		db := newLockedDB(t)
		db.backend.Inject("UpdateItem", dynamotest.Garbage)
		ctx, end := db.request()
		lease := db.lease()
		if _, _, err := lease.Acquire(ctx, ctx, db.DB); err == nil || errors.Is(err, ErrLockTimeout) {
			t.Errorf("Acquire: %v, want DynamoDB's error", err)
		}
		if db.token() != lease.Token() {
			t.Errorf("the item is locked by %q, want the token of the request whose answer was lost", db.token())
		}
		if n := db.waiting(); n != 0 {
			t.Errorf("%d queues are held by a request that failed", n)
		}
		end()
		db.wantIdle()
	})
}

// If the release fails, others of this process need not wait for the end of the request.
func TestReleaseThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		db := newLockedDB(t)
		lease, end := db.acquire()
		db.backend.Inject("UpdateItem", dynamotest.Denied)
		lease.Release(t.Context())
		if n := db.waiting(); n != 0 {
			t.Errorf("%d queues are held after a release that failed", n)
		}
		if db.token() != lease.Token() {
			t.Error("the lock was released by a request that was denied")
		}
		end()
		db.wantIdle()
	})
}
