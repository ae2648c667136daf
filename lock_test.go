package dynamostore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// newLockingApp is an app in mode Lock whose waits are short.
func newLockingApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	return newApp(t, append([]func(*dynamostore.Config){func(c *dynamostore.Config) {
		c.Concurrency = dynamostore.Lock
		c.Lock.MinRetry, c.Lock.MaxRetry = time.Millisecond, 5*time.Millisecond
	}}, configure...)...)
}

func (a *app) locked() bool {
	a.Helper()
	item := a.item()
	return item["lock"] != nil || item["lock_until"] != nil
}

// unlockedSoon waits for what the end of a request sets off.
func (a *app) unlockedSoon() {
	a.Helper()
	for a.locked() {
		runtime.Gosched()
	}
}

func TestLock(t *testing.T) {
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1) // creates: no lock
	a.sent("PutItem")
	if a.locked() {
		t.Error("a new session is locked")
	}
	cookies, err := b.with(func(s *sessions.Session) {
		a.sent("UpdateItem")
		item := a.item()
		if item["lock"] == nil {
			t.Error("a loaded session is not locked")
		}
		if left := numberOf(t, item, "lock_until") - time.Now().UnixMilli(); left < 25_000 || left > 30_000 {
			t.Errorf("the lease ends in %d ms, want 30 s", left)
		}
		s.Values["n"] = 2
	})
	if err != nil || len(cookies) != 1 {
		t.Errorf("Save = %v, with cookies %v, want the cookie", err, cookies)
	}
	a.sent("UpdateItem") // writes and unlocks
	if a.locked() {
		t.Error("the session is locked after Save")
	}
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

// However a request ends, the lock does not outlive it.
func TestLockIsGivenUp(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  func(*dynamostore.Config)
		save func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session)
	}{
		{"no Save", nil, func(*testing.T, *app, http.ResponseWriter, *http.Request, *sessions.Session) {}},
		{"a handler that panics", nil, func(*testing.T, *app, http.ResponseWriter, *http.Request, *sessions.Session) {
			panic(http.ErrAbortHandler)
		}},
		{"unchanged", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			if a.locked() {
				t.Error("the session is locked after Save")
			}
		}},
		{"touch", func(c *dynamostore.Config) { c.TouchInterval = -1 }, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.backend.Counts()
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.sent("UpdateItem")
			if a.locked() {
				t.Error("the session is locked after Save")
			}
		}},
		{"what the codec refuses", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["f"] = func() {}
			if err := s.Save(r, w); err == nil {
				t.Error("Save of a function: no error")
			}
			if a.locked() {
				t.Error("the session is locked after a failed Save")
			}
		}},
		{"a write that fails", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.InternalError)...)
			s.Values["n"] = 2
			if err := s.Save(r, w); err == nil {
				t.Error("Save: no error")
			}
			if a.locked() {
				t.Error("the session is locked after a failed Save")
			}
		}},
		{"an unlock that fails", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.InternalError)...)
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
		}},
		{"a conflicting Save", nil, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			a.alter(dynamotest.Item{"version": dynamotest.S("another")})
			s.Values["n"] = 2
			is(t, s.Save(r, w), dynamostore.ErrLockLost)
			if a.locked() {
				t.Error("the session is locked after a failed Save")
			}
		}},
		{"a lock whose answer never came", func(c *dynamostore.Config) { c.Timeout = 100 * time.Millisecond }, func(t *testing.T, a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			if err := s.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.backend.Inject("UpdateItem", dynamotest.AppliedThenSilent)
			again, err := a.store.New(r, cookieName)
			is(t, err, context.DeadlineExceeded)
			is(t, again.Save(r, w), dynamostore.ErrNotLoaded)
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
			// A handler that panics leaves the browser without an answer.
			n := len(a.handlers)
			a.handlers = append(a.handlers, func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				if !a.locked() {
					t.Error("a loaded session is not locked")
				}
				test.save(t, a, w, r, session)
			})
			if resp, err := b.client.Get(a.server.URL + "/?handler=" + formatInt(int64(n))); err == nil {
				resp.Body.Close()
			}
			a.unlockedSoon()
			if got := b.values()["n"]; got != 1 {
				t.Errorf("n = %v, want 1", got)
			}
			a.unlockedSoon()
		})
	}
}

// A counter under one key is what Lock is for.
func TestIncrementsUnderLock(t *testing.T) {
	const goroutines, each = 20, 50
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = time.Minute })
	b := a.browser()
	b.set("n", 0)
	apps := []*app{a, a.another()}
	var wg sync.WaitGroup
	for i := range goroutines {
		tab := apps[i%2].tab(b)
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
	a.unlockedSoon()
}

func TestLockTimeout(t *testing.T) {
	for _, test := range []string{"the same process", "another process"} {
		t.Run(test, func(t *testing.T) {
			a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 30 * time.Millisecond })
			b := a.browser()
			b.set("n", 1)
			tab := b.tab()
			if test == "another process" {
				tab = a.another().tab(b)
			}
			b.with(func(s *sessions.Session) {
				s.Values["n"] = 2
				cookies := tab.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := tab.app.store.Get(r, cookieName)
					is(t, err, dynamostore.ErrLockTimeout)
					if session == nil || !session.IsNew {
						t.Errorf("Get = %+v, want a new session", session)
					}
					session.Values["n"] = 3
					is(t, session.Save(r, w), dynamostore.ErrNotLoaded)
				})
				if len(cookies) != 0 {
					t.Errorf("the request without the lock set the cookie %v", cookies)
				}
				// A logout does not wait for anybody's lock, nor for the load that failed.
			})
			if got := b.values()["n"]; got != 2 {
				t.Errorf("n = %v, want 2", got)
			}
		})
	}
}

func TestLogoutMindsNoLock(t *testing.T) {
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 10 * time.Millisecond })
	b := a.browser()
	b.set("n", 1)
	tab := b.tab()
	_, err := b.with(func(s *sessions.Session) {
		tab.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := a.store.Get(r, cookieName)
			is(t, err, dynamostore.ErrLockTimeout)
			session.Options.MaxAge = -1
			if err := session.Save(r, w); err != nil {
				t.Errorf("logout: %v", err)
			}
		})
		a.empty()
		s.Values["n"] = 2
	})
	is(t, err, dynamostore.ErrGone)
	a.empty()
}

// A waiting request gives up when its own ends.
func TestLockWaitEndsWithTheRequest(t *testing.T) {
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	other := a.another()
	b.with(func(*sessions.Session) {
		for _, store := range []*dynamostore.Store{a.store, other.store} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, "GET", a.server.URL, nil)
			r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie()})
			_, err := store.Get(r, cookieName)
			is(t, err, context.DeadlineExceeded)
		}
	})
}

// A crashed process's lock holds for its lease, and not longer.
func TestLeaseEnds(t *testing.T) {
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 20 * time.Millisecond })
	b := a.browser()
	b.set("n", 1)
	until := func(d time.Duration) dynamotest.Item {
		return dynamotest.Item{"lock": dynamotest.S("crashed"), "lock_until": dynamotest.N(millis(time.Now().Add(d)))}
	}
	a.alter(until(time.Minute))
	if _, err := b.load(); !errors.Is(err, dynamostore.ErrLockTimeout) {
		t.Errorf("Get under another's lock = %v, want ErrLockTimeout", err)
	}
	a.alter(until(-time.Millisecond))
	b.set("n", 2)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
	a.unlockedSoon()
	// What is no lock by its types locks nobody out.
	for _, odd := range []dynamotest.Item{
		{"lock": dynamotest.S("x")},
		{"lock_until": dynamotest.N("99999999999999")},
		{"lock": dynamotest.N("1"), "lock_until": dynamotest.N("99999999999999")},
		{"lock": dynamotest.S("x"), "lock_until": dynamotest.S("z")},
	} {
		a.alter(odd)
		b.set("n", time.Now().UnixNano())
	}
}

// A request whose lease ended before it saved overwrites nothing.
func TestLockLost(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(a *app, tab *browser)
	}{
		{"taken by another", func(a *app, tab *browser) {
			a.alter(dynamotest.Item{"lock": dynamotest.S("another"), "lock_until": dynamotest.N(millis(time.Now().Add(time.Minute)))})
		}},
		{"taken, used and given up by another", func(a *app, tab *browser) {
			a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")})
			tab.set("n", 7)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 1)
			tab := a.another().tab(b)
			var before dynamotest.Item
			cookies, err := b.with(func(s *sessions.Session) {
				test.lose(a, tab)
				before = a.item()
				s.Values["n"] = 2
			})
			is(t, err, dynamostore.ErrLockLost)
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
	t.Run("not taken by anybody", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.set("n", 1)
		if _, err := b.with(func(s *sessions.Session) {
			a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")})
			s.Values["n"] = 2
		}); err != nil {
			t.Errorf("Save after the lease, which nobody took: %v", err)
		}
	})
	t.Run("given up by a Save", func(t *testing.T) {
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
			is(t, session.Save(r, w), dynamostore.ErrLockLost)
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
			a.alter(dynamotest.Item{"lock": dynamotest.S("another"), "lock_until": dynamotest.N(millis(time.Now().Add(time.Minute)))})
			session.Values["n"] = 2
			is(t, session.Save(r, w), dynamostore.ErrLockLost)
		})
	})
}

// The browser disconnects, which ends the request's context, and with it the lock, while the
// handler still runs.
func TestLockGivenUpWhileTheHandlerRuns(t *testing.T) {
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", a.server.URL, nil)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie()})
	session, err := a.store.Get(r, cookieName)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	a.unlockedSoon()
	b.set("n", 2)
	session.Values["n"] = 3
	is(t, session.Save(r, httptest.NewRecorder()), dynamostore.ErrLockLost)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

func TestSecondLoadInARequestSharesTheLock(t *testing.T) {
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = 50 * time.Millisecond })
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
		if a.locked() {
			t.Error("the session is locked after Save")
		}
		// After that, the lock can be taken again.
		session, err := a.store.New(r, cookieName)
		if err != nil || session.Values["n"] != 2 || !a.locked() {
			t.Errorf("New after Save = %+v, %v", session, err)
		}
	})
	a.unlockedSoon()
}

// Where there is nothing to lock, nothing is.
func TestNothingIsLockedWhereNothingLives(t *testing.T) {
	for _, test := range []struct {
		name  string
		alter dynamotest.Item
		err   error
	}{
		{"expired", dynamotest.Item{"expires": dynamotest.N("1")}, nil},
		{"tombstone", dynamotest.Item{"data": nil, "moved": dynamotest.N("1")}, nil},
		{"without data", dynamotest.Item{"data": nil}, dynamostore.ErrUndecodable},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newLockingApp(t)
			b := a.browser()
			b.set("n", 1)
			a.alter(test.alter)
			before := a.item()
			session, err := b.load()
			if !errors.Is(err, test.err) || !session.IsNew {
				t.Errorf("Get = %+v, %v, want a new session and the error %v", session, err, test.err)
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
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
		a.empty()
	})
	t.Run("undecodable", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.set("n", 1)
		a.alter(dynamotest.Item{"data": dynamotest.B([]byte("x"))})
		_, err := b.load()
		is(t, err, dynamostore.ErrUndecodable)
		a.unlockedSoon()
	})
}

func TestForeignItemUnderLock(t *testing.T) {
	a := newLockingApp(t)
	b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1}))})
	b.set("n", 2)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
	a.unlockedSoon()
}

// A refusal without the item, as a DAX client gives it, is looked up.
func TestLockWithoutTheItemInTheRefusal(t *testing.T) {
	a := newLockingApp(t)
	b := a.browser()
	b.set("n", 1)
	a.alter(dynamotest.Item{"lock": dynamotest.S("another"), "lock_until": dynamotest.N(millis(time.Now().Add(30 * time.Millisecond)))})
	a.backend.Inject("UpdateItem", dynamotest.Times(3, dynamotest.WithoutItem)...)
	b.set("n", 2)
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

func millis(at time.Time) string { return formatInt(at.UnixMilli()) }
