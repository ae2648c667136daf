package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
	"example.com/dynamostore/internal/dynamotest"
)

// newLockingApp is an app in mode Lock, whose requests ask for a lock often.
func newLockingApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	return newApp(t, append([]func(*dynamostore.Config){func(c *dynamostore.Config) {
		c.Concurrency = dynamostore.Lock
		c.Lock.MinRetry, c.Lock.MaxRetry = time.Millisecond, 5*time.Millisecond
	}}, configure...)...)
}

// holdsLock reports whether the only session of the table is locked.
func (a *app) holdsLock() bool {
	a.Helper()
	item := a.item()
	return item["lock_until"] != nil
}

// wantUnlocked waits until the lock is released, as the end of a request does.
func (a *app) wantUnlocked() {
	a.Helper()
	if !eventually(func() bool { return !a.holdsLock() }) {
		a.Fatal("the session is still locked")
	}
}

// lockOf is the lock of another process until a time that is d from now.
func lockOf(d time.Duration) dynamotest.Item {
	until := time.Now().Add(d).UnixMilli()
	return dynamotest.Item{"lock": dynamotest.S("another"), "lock_until": dynamotest.N(strconv.FormatInt(until, 10))}
}

func TestLock(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1) // creates: no lock
	a.wantSent("PutItem")
	if a.holdsLock() {
		t.Error("a new session is locked")
	}
	begin := time.Now()
	cookies, err := b.with(func(s *sessions.Session) {
		a.wantSent("UpdateItem")
		item := a.item()
		if item["lock"] == nil {
			t.Error("a loaded session is not locked")
		}
		until := time.UnixMilli(attrNumber(t, item, "lock_until"))
		if first, last := begin.Add(30*time.Second-time.Millisecond), time.Now().Add(30*time.Second); until.Before(first) || until.After(last) {
			t.Errorf("the lease ends at %v, want 30 s after Get, from %v to %v", until, first, last)
		}
		s.Values["n"] = 2
	})
	if err != nil || len(cookies) != 0 {
		t.Errorf("Save = %v, with cookies %v, want neither", err, cookies)
	}
	a.wantSent("UpdateItem") // writes and unlocks
	if a.holdsLock() {
		t.Error("the session is locked after Save")
	}
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

// However a request ends, the lock does not outlive it.
func TestLockIsReleased(t *testing.T) {
	t.Parallel()
	type ending func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session)
	for _, test := range []struct {
		name string
		cfg  func(*dynamostore.Config)
		end  ending
	}{
		{"no Save", nil, func(*testing.T, *app, http.ResponseWriter, *http.Request, *sessions.Session) {}},
		{"a handler that panics", nil, func(*testing.T, *app, http.ResponseWriter, *http.Request, *sessions.Session) {
			panic(http.ErrAbortHandler)
		}},
		{"unchanged", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			if a.holdsLock() {
				t.Error("the session is locked after Save")
			}
		}},
		{"touch", func(c *dynamostore.Config) { c.TouchInterval = -1 }, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.backend.Counts()
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.wantSent("UpdateItem")
			if a.holdsLock() {
				t.Error("the session is locked after Save")
			}
		}},
		{"Regenerate", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			if err := a.store.Regenerate(r, w, s); err != nil {
				t.Errorf("Regenerate: %v", err)
			}
			if a.holdsLock() {
				t.Error("the session is locked after Regenerate")
			}
		}},
		{"what the codec refuses", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["f"] = func() {}
			if err := s.Save(r, w); err == nil {
				t.Error("Save of a function: no error")
			}
			if a.holdsLock() {
				t.Error("the session is locked after a failed Save")
			}
		}},
		{"a write that fails", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.InternalError)...)
			s.Values["n"] = 2
			if err := s.Save(r, w); err == nil {
				t.Error("Save: no error")
			}
			if a.holdsLock() {
				t.Error("the session is locked after a failed Save")
			}
		}},
		{"a release that fails", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.InternalError)...)
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
		}},
		{"a conflicting Save", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.alter(dynamotest.Item{"version": dynamotest.S("another")})
			s.Values["n"] = 2
			wantError(t, s.Save(r, w), dynamostore.ErrLockLost)
			if a.holdsLock() {
				t.Error("the session is locked after a failed Save")
			}
		}},
		{"a lock whose answer never came", func(c *dynamostore.Config) { c.Timeout = time.Second }, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.backend.Inject("UpdateItem", dynamotest.AppliedThenSilent)
			again, err := a.store.New(r, cookieName)
			wantError(t, err, context.DeadlineExceeded)
			wantError(t, again.Save(r, w), dynamostore.ErrNotLoaded)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 1)
			if test.cfg != nil {
				test.cfg(&a.cfg)
				a.store = a.open(a.cfg, keyA)
			}
			// A handler that panics leaves the browser without an answer, so this is not a visit.
			a.mu.Lock()
			n := len(a.handlers)
			a.handlers = append(a.handlers, func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				if !a.holdsLock() {
					t.Error("a loaded session is not locked")
				}
				test.end(t, a, w, r, session)
			})
			a.mu.Unlock()
			if resp, err := b.client.Get(fmt.Sprintf("%s/?handler=%d", a.url, n)); err == nil {
				resp.Body.Close()
			}
			a.wantUnlocked()
			a.cfg.Timeout = 0
			a.store = a.open(a.cfg, keyA)
			if got := b.values()["n"]; got != 1 && test.name != "Regenerate" {
				t.Errorf("n = %v, want 1", got)
			}
			a.wantUnlocked()
		})
	}
}

// A counter under one key is what Lock is for.
func TestIncrementsUnderLock(t *testing.T) {
	t.Parallel()
	const goroutines, each = 20, 5
	for processes := 1; processes <= 3; processes++ {
		t.Run(fmt.Sprint(processes, " processes"), func(t *testing.T) {
			a := newLockingApp(t, func(c *dynamostore.Config) { c.Timeout, c.Lock.Wait, c.Lock.Lease = patience, time.Minute, time.Minute })
			b := a.browser()
			b.set("n", 0)
			apps := []*app{a}
			for len(apps) < processes {
				apps = append(apps, a.another())
			}
			var wg sync.WaitGroup
			for i := range goroutines {
				tab := apps[i%len(apps)].tab(b)
				wg.Go(func() {
					for range each {
						if _, err := tab.with(func(s *sessions.Session) { s.Values["n"] = s.Values["n"].(int) + 1 }); err != nil {
							t.Errorf("Save: %v", err)
						}
					}
				})
			}
			wg.Wait()
			if got := b.values()["n"]; got != goroutines*each {
				t.Errorf("n = %v, want %d", got, goroutines*each)
			}
			a.wantUnlocked()
		})
	}
}

func TestLockTimeout(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"the same process", "another process"} {
		t.Run(where, func(t *testing.T) {
			a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 500 * time.Millisecond })
			b := a.browser()
			b.set("n", 1)
			tab := b.tab()
			if where == "another process" {
				tab = a.another().tab(b)
			}
			b.with(func(s *sessions.Session) {
				s.Values["n"] = 2
				cookies := tab.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := tab.app.store.Get(r, cookieName)
					wantError(t, err, dynamostore.ErrLockTimeout)
					if session == nil || !session.IsNew || len(session.Values) != 0 {
						t.Errorf("Get = %+v, want a new session", session)
					}
					session.Values["n"] = 3
					wantError(t, session.Save(r, w), dynamostore.ErrNotLoaded)
				})
				if len(cookies) != 0 {
					t.Errorf("the request without the lock set the cookie %v", cookies)
				}
			})
			if got := b.values()["n"]; got != 2 {
				t.Errorf("n = %v, want 2", got)
			}
		})
	}
}

// A logout does not wait for anybody's lock, nor does it need the session that could not be loaded.
func TestLogoutNeedsNoLock(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 10 * time.Millisecond })
	b := a.browser()
	b.set("n", 1)
	tab := b.tab()
	_, err := b.with(func(s *sessions.Session) {
		tab.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := a.store.Get(r, cookieName)
			wantError(t, err, dynamostore.ErrLockTimeout)
			session.Options.MaxAge = -1
			if err := session.Save(r, w); err != nil {
				t.Errorf("logout: %v", err)
			}
		})
		a.wantLive(0)
		s.Values["n"] = 2
	})
	wantError(t, err, dynamostore.ErrGone)
	a.wantLive(0)
	if n := len(a.tombstones()); n != 1 || a.tombstones()[0]["lock"] != nil {
		t.Errorf("the tombstones are %v, want one without a lock", a.tombstones())
	}
}

// A request that waits gives up when it ends itself.
func TestLockWaitEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	other := a.another()
	b.with(func(*sessions.Session) {
		for _, store := range []*dynamostore.Store{a.store, other.store} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, "GET", a.url, nil)
			r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie()})
			_, err := store.Get(r, cookieName)
			wantError(t, err, context.DeadlineExceeded)
		}
	})
}

// The lock of a process that crashed lasts for its lease, and no longer.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 500 * time.Millisecond })
	b := a.browser()
	b.set("n", 1)
	a.alter(lockOf(time.Minute))
	if _, err := b.load(); !errors.Is(err, dynamostore.ErrLockTimeout) {
		t.Errorf("Get under another's lock = %v, want ErrLockTimeout", err)
	}
	a.alter(lockOf(-time.Millisecond))
	b.set("n", 2)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
	a.wantUnlocked()
	// Attributes of other types than a lock's lock nobody out.
	for _, odd := range []dynamotest.Item{
		{"lock": dynamotest.S("x")},
		{"lock_until": dynamotest.N("99999999999999")},
		{"lock": dynamotest.N("1"), "lock_until": dynamotest.N("99999999999999")},
		{"lock": dynamotest.S("x"), "lock_until": dynamotest.S("z")},
		{"lock_count": dynamotest.S("many")},
		{"lock_count": dynamotest.N("1e50")},
		{"lock_count": dynamotest.N("1e-130")},
		{"lock": dynamotest.S("x"), "lock_until": dynamotest.N("1e100")},
	} {
		a.alter(odd)
		b.set("n", time.Now().UnixNano())
	}
}

// loseLock calls Save and has it lose the lock: its first attempt is held back, before the retry another
// process acquires the lock, and when Save has returned that releases the lock without a write. If saved, a
// Save before that has released the lock; otherwise its lease ends.
func (a *app) loseLock(w http.ResponseWriter, r *http.Request, session *sessions.Session, saved bool) *dynamotest.HeldBack {
	a.Helper()
	if saved {
		session.Values["early"] = 1
		if err := session.Save(r, w); err != nil {
			a.Errorf("Save: %v", err)
		}
	}
	held := &dynamotest.HeldBack{}
	other := a.elsewhere()
	reader := httptest.NewRequestWithContext(a.Context(), "GET", a.url, nil)
	reader.Header = r.Header
	var theirs *sessions.Session
	onUpdatesOf(a.backend, "version", held.Reset, dynamotest.Do(func() {
		if !saved {
			a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // the lease ends
		}
		var err error
		if theirs, err = other.store.Get(reader, cookieName); err != nil {
			a.Errorf("Get elsewhere: %v", err)
		}
	}))
	session.Values["n"] = 2
	wantError(a, session.Save(r, w), dynamostore.ErrLockLost)
	if err := theirs.Save(reader, httptest.NewRecorder()); err != nil {
		a.Errorf("Save elsewhere: %v", err)
	}
	return held
}

// ErrLockLost is final: an earlier attempt of the Save that arrives later is refused. That holds also if the
// request that got the error has loaded the session again, and holds the lock for the second time.
func TestLockLostIsFinal(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{false, true} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("after a Save: %t, loaded again: %t", saved, again), func(t *testing.T) {
				a := newLockingApp(t)
				b := a.browser()
				b.set("n", 1)
				var held *dynamotest.HeldBack
				want := 1
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					held = a.loseLock(w, r, session, saved)
					if !again {
						return
					}
					loaded, err := a.store.New(r, cookieName)
					if got := loaded.Values["n"]; err != nil || got != 1 {
						t.Errorf("loaded again, n = %v, %v, want 1", got, err)
					}
					wantRefused(t, held, 1)
					want = 3
					loaded.Values["n"] = want
					if err := loaded.Save(r, w); err != nil {
						t.Errorf("Save after loading again: %v", err)
					}
				})
				a.wantUnlocked()
				if !again {
					wantRefused(t, held, 1)
				}
				if got := b.values()["n"]; got != want {
					t.Errorf("n = %v, want %d", got, want)
				}
			})
		}
	}
}

// ErrLockLost is final, although the request's own attempts arrive again: first one to acquire the
// lock, and then one of the Save.
func TestLockLostIsFinalIfTheLockIsAcquiredLate(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	var save *dynamotest.HeldBack
	lock := &dynamotest.HeldBack{}
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		a.backend.Inject("UpdateItem", lock.Reset)
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		save = a.loseLock(w, r, session, false)
	})
	a.wantUnlocked()
	if got, want := lock.Deliver(t), []int{http.StatusOK}; !slices.Equal(got, want) {
		t.Errorf("the lock that was acquired late was answered %v, want %v", got, want)
	}
	wantRefused(t, save, 1)
	a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // that lease ends
	if got := b.values()["n"]; got != 1 {
		t.Errorf("n = %v, want 1", got)
	}
}

// A request whose attempt to acquire the lock arrives again, while it holds the lock, does not lose it,
// even if a Save that failed has released the lock.
func TestLockAcquiredTwice(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		t.Run(fmt.Sprintf("after a Save that failed: %t", fails), func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 1)
			lock := &dynamotest.HeldBack{}
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				a.backend.Inject("UpdateItem", lock.Reset)
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				if got, want := lock.Deliver(t), []int{http.StatusOK}; !slices.Equal(got, want) {
					t.Errorf("the lock that was acquired again was answered %v, want %v", got, want)
				}
				if fails {
					session.Values["f"] = func() {}
					if err := session.Save(r, w); err == nil {
						t.Error("Save of a func succeeded")
					}
					delete(session.Values, "f")
				}
				a.backend.Counts()
				session.Values["n"] = 2
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
				a.wantSent("UpdateItem", "UpdateItem")
			})
			a.wantUnlocked()
			if got := b.values()["n"]; got != 2 {
				t.Errorf("n = %v, want 2", got)
			}
		})
	}
}

// ErrLockLost is final, although an attempt of the Save arrives when the other request has released
// the lock.
func TestLockLostIsFinalForARetry(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	other := a.elsewhere()
	held := &dynamotest.HeldBack{}
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		session.Values["n"] = 2
		onUpdatesOf(a.backend, "version", append([]dynamotest.Fault{held.Reset}, dynamotest.Times(2, dynamotest.Refused)...)...)
		if err := session.Save(r, w); err == nil || errors.Is(err, dynamostore.ErrLockLost) {
			t.Errorf("Save = %v, want DynamoDB's error", err)
		}
		reader := httptest.NewRequestWithContext(t.Context(), "GET", a.url, nil)
		reader.Header = r.Header
		theirs, err := other.store.Get(reader, cookieName)
		if err != nil {
			t.Errorf("Get elsewhere: %v", err)
		}
		wantError(t, session.Save(r, w), dynamostore.ErrLockLost)
		if err := theirs.Save(reader, httptest.NewRecorder()); err != nil {
			t.Errorf("Save elsewhere: %v", err)
		}
	})
	a.wantUnlocked()
	wantRefused(t, held, 1)
	if got := b.values()["n"]; got != 1 {
		t.Errorf("n = %v, want 1", got)
	}
}

// An unchanged Save extends the session, although another request has acquired the lock meanwhile.
func TestTouchWithoutTheLock(t *testing.T) {
	t.Parallel()
	for _, released := range []bool{false, true} {
		t.Run(fmt.Sprintf("released %t", released), func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 1)
			a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))})
			other := a.elsewhere()
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // the lease ends
				ctx, end := context.WithCancel(t.Context())
				defer end()
				reader := httptest.NewRequestWithContext(ctx, "GET", a.url, nil)
				reader.Header = r.Header
				if _, err := other.store.Get(reader, cookieName); err != nil {
					t.Errorf("Get elsewhere: %v", err)
				}
				if released {
					end()
					a.wantUnlocked()
				}
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
				if a.holdsLock() == released {
					t.Errorf("after Save, the other request holds the lock: %t, want %t", !released, released)
				}
			})
			if got, want := attrNumber(t, a.item(), "expires"), time.Now().Add(29*day).Unix(); got < want {
				t.Errorf("expires = %d, want at least %d", got, want)
			}
		})
	}
}

// A request whose lease ended before it saved overwrites nothing.
func TestLockLost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		lose func(a *app, tab *browser)
	}{
		{"acquired by another", func(a *app, tab *browser) { a.alter(lockOf(time.Minute)) }},
		{"acquired, used and released by another", func(a *app, tab *browser) {
			a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")})
			tab.set("n", 7)
		}},
	} {
		for _, change := range []struct {
			name string
			f    func(*sessions.Session)
			save func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
		}{
			{"changed", func(s *sessions.Session) { s.Values["n"] = 2 }, (*dynamostore.Store).Save},
			{"regenerated", func(s *sessions.Session) {}, (*dynamostore.Store).Regenerate},
		} {
			t.Run(test.name+", "+change.name, func(t *testing.T) {
				a := newLockingApp(t)
				b := a.browser()
				b.set("n", 1)
				tab := a.another().tab(b)
				var before dynamotest.Item
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					test.lose(a, tab)
					before = a.item()
					change.f(session)
					wantError(t, change.save(a.store, r, w, session), dynamostore.ErrLockLost)
				})
				if len(cookies) != 0 {
					t.Errorf("Save set the cookie %v", cookies)
				}
				if after := a.item(); !reflect.DeepEqual(after, before) {
					t.Errorf("item = %v, want it as it was: %v", after, before)
				}
			})
		}
	}
	t.Run("not acquired by anybody", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.set("n", 1)
		if _, err := b.with(func(s *sessions.Session) {
			a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")})
			s.Values["n"] = 2
		}); err != nil {
			t.Errorf("Save after the lease, which nobody acquired: %v", err)
		}
	})
	t.Run("released by a Save", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.set("n", 1)
		tab := a.another().tab(b)
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			for n := range 2 { // nobody comes between
				session.Values["n"] = n
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			}
			tab.set("n", 7)
			session.Values["n"] = 8
			wantError(t, session.Save(r, w), dynamostore.ErrLockLost)
		})
		if got := b.values()["n"]; got != 7 {
			t.Errorf("n = %v, want 7", got)
		}
	})
	t.Run("a new session, saved twice", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			session.Values["n"] = 1
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.alter(lockOf(time.Minute))
			session.Values["n"] = 2
			wantError(t, session.Save(r, w), dynamostore.ErrLockLost)
		})
	})
}

// The browser disconnects, which ends the request's context, and with it the lock, while the
// handler still runs.
func TestLockReleasedWhileTheHandlerRuns(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", a.url, nil)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie()})
	session, err := a.store.Get(r, cookieName)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	a.wantUnlocked()
	b.set("n", 2)
	session.Values["n"] = 3
	wantError(t, session.Save(r, httptest.NewRecorder()), dynamostore.ErrLockLost)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

func TestSecondLoadInARequestSharesTheLock(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	other := a.open(a.cfg, keyA)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		for _, load := range []func(*http.Request, string) (*sessions.Session, error){
			a.store.Get, a.store.Get, a.store.New, other.Get, other.New,
		} {
			session, err := load(r, cookieName)
			if err != nil || session.Values["n"] != 1 {
				t.Errorf("load = %+v, %v", session, err)
			}
		}
		session, _ := a.store.Get(r, cookieName)
		session.Values["n"] = 2
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
		if a.holdsLock() {
			t.Error("the session is locked after Save")
		}
		// After that, the lock can be acquired again.
		session, err := a.store.New(r, cookieName)
		if err != nil || session.Values["n"] != 2 || !a.holdsLock() {
			t.Errorf("New after Save = %+v, %v", session, err)
		}
	})
	a.wantUnlocked()
}

// Where there is no live session, nothing is locked.
func TestNothingToLock(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		alter dynamotest.Item
		err   error
	}{
		{"expired", dynamotest.Item{"expires": dynamotest.N("1")}, nil},
		{"without data", dynamotest.Item{"data": nil}, dynamostore.ErrUndecodable},
		{"a tombstone", dynamotest.Item{"data": nil, "gone": dynamotest.S("ended")}, nil},
		{"a tombstone of a rotated session", dynamotest.Item{"data": nil, "gone": dynamotest.S("moved")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 1)
			a.alter(test.alter)
			before := a.backend.Items(t)
			session, err := b.load()
			if !errors.Is(err, test.err) || !session.IsNew {
				t.Errorf("Get = %+v, %v, want a new session and the error %v", session, err, test.err)
			}
			if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
				t.Errorf("the table holds %v, want what it held: %v", after, before)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.setCookie(signed(t, "nobody", keyA))
		if session, err := b.load(); err != nil || !session.IsNew {
			t.Errorf("Get = %+v, %v, want a new session", session, err)
		}
		if items := a.backend.Items(t); len(items) != 0 {
			t.Errorf("the table holds %v, want nothing", items)
		}
	})
	t.Run("undecodable", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.set("n", 1)
		a.alter(dynamotest.Item{"data": dynamotest.B([]byte("x"))})
		_, err := b.load()
		wantError(t, err, dynamostore.ErrUndecodable)
		a.wantUnlocked()
	})
}

func TestForeignItemUnderLock(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"n": 1}))})
	b.set("n", 2)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
	a.wantUnlocked()
}

// If a refusal does not bring the item, as a DAX client's never does, it is read.
func TestLockWithoutTheItemInTheRefusal(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	a.alter(lockOf(time.Minute))
	release := dynamotest.Do(func() { a.alter(dynamotest.Item{"lock": nil, "lock_until": nil}) })
	a.backend.Inject("UpdateItem", dynamotest.WithoutItem, dynamotest.WithoutItem, release)
	a.backend.Counts()
	b.with(func(s *sessions.Session) {
		a.wantSent("GetItem", "GetItem", "UpdateItem", "UpdateItem", "UpdateItem")
		if s.Values["n"] != 1 {
			t.Errorf("n = %v, want 1", s.Values["n"])
		}
	})
}

// slowClient is a client in memory whose requests take d of the bubble's time.
func slowClient(t *testing.T, d time.Duration) *dynamodb.Client {
	return dynamostoretest.NewClient(t, func(o *dynamodb.Options) {
		next := o.HTTPClient
		o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			time.Sleep(d)
			return next.Do(r)
		})
	})
}

type doer func(*http.Request) (*http.Response, error)

func (f doer) Do(r *http.Request) (*http.Response, error) { return f(r) }

// requestWith is a request that brings a cookie.
func requestWith(cookie *http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	return r
}

// On the virtual time of a bubble, waits and leases last for exactly as long as they should, and
// requests in memory take 20 ms. No mutex is held across a request: a goroutine that waits for one
// would stop the bubble's clock for good.
func TestLockOnVirtualTime(t *testing.T) {
	t.Parallel()
	const request = 20 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		client := slowClient(t, request)
		cfg := dynamostore.Config{Concurrency: dynamostore.Lock}
		first, second := dynamostore.Must(dynamostore.New(client, cfg, keyA)), dynamostore.Must(dynamostore.New(client, cfg, keyA))
		if err := first.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		login := func() *http.Cookie {
			r, w := requestWith(nil), httptest.NewRecorder()
			session, _ := first.Get(r, cookieName)
			session.Values["n"] = 0
			if err := session.Save(r, w); err != nil {
				t.Fatal(err)
			}
			return w.Result().Cookies()[0]
		}
		took := func(what string, begin time.Time, least, most time.Duration) {
			t.Helper()
			if d := time.Since(begin); d < least || d > most {
				t.Errorf("%s took %v, want %v to %v", what, d, least, most)
			}
		}
		const retry = 50 * time.Millisecond // the longest pause between two tries, by default
		cookie, other := login(), login()

		// Two instances, with two requests each, and a holder that takes 5 s.
		r := requestWith(cookie)
		held, err := first.Get(r, cookieName)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var wg sync.WaitGroup
		for _, store := range []*dynamostore.Store{first, first, second, second} {
			wg.Go(func() {
				r := requestWith(cookie)
				session, err := store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				session.Values["n"] = session.Values["n"].(int) + 1
				if err := session.Save(r, httptest.NewRecorder()); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
		}
		// Meanwhile, other sessions and those who only read do not wait.
		time.Sleep(time.Second)
		for _, test := range []struct {
			name   string
			cookie *http.Cookie
			load   func(*http.Request, string) (*sessions.Session, error)
		}{
			{"Get of another session", other, first.Get},
			{"Peek", cookie, first.Peek},
		} {
			begin := time.Now()
			if session, err := test.load(requestWith(test.cookie), cookieName); err != nil || session.Values["n"] != 0 {
				t.Errorf("%s = %+v, %v", test.name, session, err)
			}
			took(test.name, begin, request, request)
		}
		time.Sleep(4*time.Second - 2*request)
		held.Values["n"] = 10
		if err := held.Save(r, httptest.NewRecorder()); err != nil {
			t.Errorf("Save of the holder: %v", err)
		}
		wg.Wait()
		// Each takes two requests, and those of the other instance ask until it is their turn.
		took("four that waited", begin, 5*time.Second+8*request, 5*time.Second+8*request+4*(retry+request))

		// A holder that neither saves nor ends: who waits gives up after 10 s, and the lease ends
		// after 30 s.
		begin = time.Now()
		r = requestWith(cookie)
		held, err = first.Get(r, cookieName)
		if err != nil || held.Values["n"] != 14 {
			t.Fatalf("Get = %v, %v, want n = 14", held.Values, err)
		}
		for _, store := range []*dynamostore.Store{first, second} {
			wg.Go(func() {
				begin := time.Now()
				_, err := store.Get(requestWith(cookie), cookieName)
				wantError(t, err, dynamostore.ErrLockTimeout)
				took("a wait in vain", begin, 10*time.Second, 10*time.Second+request)
			})
		}
		wg.Wait()
		time.Sleep(time.Until(begin.Add(29 * time.Second)))
		for _, store := range []*dynamostore.Store{first, second} {
			wg.Go(func() {
				r := requestWith(cookie)
				session, err := store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get after the lease: %v", err)
					return
				}
				session.Values["n"] = session.Values["n"].(int) + 1
				if err := session.Save(r, httptest.NewRecorder()); err != nil {
					t.Errorf("Save after the lease: %v", err)
				}
			})
		}
		wg.Wait()
		took("the lease and two after it", begin, 30*time.Second+3*request, 30*time.Second+5*request+2*(retry+request))
		held.Values["n"] = 100
		err = held.Save(r, httptest.NewRecorder())
		wantError(t, err, dynamostore.ErrLockLost)
		if strings.Contains(fmt.Sprint(err), held.ID) {
			t.Errorf("error %q holds the session's ID", err)
		}
		if session, err := second.Peek(requestWith(cookie), cookieName); err != nil || session.Values["n"] != 16 {
			t.Errorf("in the end, n = %v, %v, want 16", session.Values["n"], err)
		}
	})
}

// An item that cannot be decoded does not stay locked.
func TestSaveReleasesTheLockOfAnUndecodableItem(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Lock })
	b := a.put("theID", dynamotest.Item{"data": dynamotest.B([]byte("not a gob")), "codec": dynamotest.S("gob")})
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		wantError(t, err, dynamostore.ErrUndecodable)
		session.Values["k"] = "v"
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
		if a.isLocked() {
			t.Errorf("after Save, the table holds %s\nwant no lock", itemsText(a.backend.Items(t)...))
		}
	})
}

// Two Stores of a table whose sort keys differ have sessions of their own under one ID.
func TestTwoStoresInARequestUnderLock(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t, func(c *dynamostore.Config) { c.SortKeyAttribute, c.SortKeyValue = "sk", "a" })
	cfg := a.cfg
	cfg.SortKeyValue = "b"
	other := a.open(cfg, keyA)
	b := a.browser()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		for _, store := range []*dynamostore.Store{a.store, other} {
			session, err := store.New(r, cookieName)
			if err != nil {
				t.Errorf("New: %v", err)
			}
			session.ID = "theID"
			session.Values["of"] = store == other
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
	})
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		for _, store := range []*dynamostore.Store{a.store, other} {
			session, err := store.New(r, cookieName)
			if got, want := session.Values["of"], store == other; err != nil || got != want {
				t.Errorf("of = %v, %v, want %v", got, err, want)
			}
			session.Values["n"] = 1
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
	})
}
