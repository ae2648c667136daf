package storetest

import (
	"net/http"
	"testing"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

func newSkippingApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	return newApp(t, append([]func(*dynamostore.Config){func(c *dynamostore.Config) { c.SkipEmpty = true }}, configure...)...)
}

// With SkipEmpty, a new session without values costs no request, and sets no cookie. Without it,
// each visit of a client without cookies leaves an item.
func TestSkipEmptyOfANewSession(t *testing.T) {
	t.Parallel()
	const visits = 10
	empty := map[string]func(*sessions.Session){
		"untouched":           func(*sessions.Session) {},
		"nil":                 func(s *sessions.Session) { s.Values = nil },
		"set and deleted":     func(s *sessions.Session) { s.Values["k"] = 1; delete(s.Values, "k") },
		"flashes read":        func(s *sessions.Session) { s.Flashes() },
		"of changed lifetime": func(s *sessions.Session) { s.Options.MaxAge = 3600 },
	}
	for _, mode := range modes {
		for _, skip := range []bool{true, false} {
			for name, change := range empty {
				if !skip && (mode.mode != dynamostore.Merge || name != "untouched") {
					continue
				}
				t.Run(mode.name+", "+name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.SkipEmpty = mode.mode, skip })
					for range visits {
						cookies, err := a.browser().with(change)
						if err != nil || (len(cookies) == 0) != skip {
							t.Errorf("Save = %v, with cookies %v", err, cookies)
						}
					}
					if !skip {
						a.wantLive(visits)
						return
					}
					a.wantSent()
					a.wantLive(0)
				})
			}
		}
	}
}

// Regenerate skips it as well. A later Save with values creates the session.
func TestSkippedSessionIsCreatedLater(t *testing.T) {
	t.Parallel()
	for _, way := range rotations {
		t.Run(way.name, func(t *testing.T) {
			a := newSkippingApp(t)
			b := a.browser()
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				if err := way.rotate(a.store, r, w, session); err != nil || session.ID != "" || !session.IsNew {
					t.Errorf("rotate = %v, and the session is %+v, want it new, without an ID", err, session)
				}
				a.wantSent()
				if len(w.Header()["Set-Cookie"]) != 0 {
					t.Error("a cookie is set")
				}
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
				a.wantSent("PutItem")
			})
			if len(cookies) != 1 {
				t.Errorf("cookies = %v, want one", cookies)
			}
			if got := b.values()["k"]; got != "v" {
				t.Errorf("k = %v, want v", got)
			}
		})
	}
}

// A session that is stored is written when it becomes empty, and is still extended then.
func TestSkipEmptyOfAStoredSession(t *testing.T) {
	t.Parallel()
	a := newSkippingApp(t, func(c *dynamostore.Config) { c.TouchInterval = -1 })
	b := a.browser()
	b.set("k", "v")
	a.backend.Counts()
	if _, err := b.with(func(s *sessions.Session) { delete(s.Values, "k") }); err != nil {
		t.Errorf("Save: %v", err)
	}
	a.wantSent("GetItem", "UpdateItem")
	session, err := b.load()
	if err != nil || session.IsNew || len(session.Values) != 0 {
		t.Errorf("Get = %+v, %v, want the session, without values", session, err)
	}
	a.backend.Counts()
	if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 1 {
		t.Errorf("Save of the empty session = %v, with cookies %v, want it extended", err, cookies)
	}
	a.wantSent("GetItem", "UpdateItem")
}

// The cookie of a session that has ended stays with the browser until there is something to store.
func TestSkipEmptyAfterTheEnd(t *testing.T) {
	t.Parallel()
	a := newSkippingApp(t)
	b := a.browser()
	b.set("k", "v")
	b.tab().logout()
	a.backend.Counts()
	if cookies, err := b.with(func(s *sessions.Session) {
		if !s.IsNew {
			t.Error("a session that ended is not new")
		}
	}); err != nil || len(cookies) != 0 {
		t.Errorf("Save = %v, with cookies %v, want neither", err, cookies)
	}
	a.wantSent("GetItem")
	b.set("k", "w")
	if got := b.values()["k"]; got != "w" {
		t.Errorf("k = %v, want w", got)
	}
}

// A logout is one whatever the session holds.
func TestSkipEmptyAndLogout(t *testing.T) {
	t.Parallel()
	a := newSkippingApp(t)
	cookies, err := a.browser().with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logout of a new session = %v, with cookies %v, want an expired one", err, cookies)
	}
	a.wantSent()
}

// A session whose creation got no answer may be stored, so it is not skipped, although it is empty
// by now.
func TestSkipEmptyAfterALostAnswer(t *testing.T) {
	t.Parallel()
	a := newSkippingApp(t)
	b := a.browser()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["k"] = "v"
		a.backend.Inject("PutItem", dynamotest.AppliedThenReset, dynamotest.Refused, dynamotest.Refused)
		if err := session.Save(r, w); err == nil {
			t.Error("Save whose answer was lost: no error")
		}
		delete(session.Values, "k")
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save again: %v", err)
		}
	})
	a.wantLive(1)
	if session, err := b.load(); err != nil || session.IsNew || len(session.Values) != 0 {
		t.Errorf("Get = %+v, %v, want the session, without values", session, err)
	}
}

// Save of a session with an invalid name is an error, also where nothing is written.
func TestSkipEmptyWithAnInvalidName(t *testing.T) {
	t.Parallel()
	a := newSkippingApp(t)
	a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, "my session")
		if session == nil || err == nil {
			t.Fatalf("Get = %v, %v, want a session and an error", session, err)
		}
		if err := session.Save(r, w); err == nil {
			t.Error("Save: no error")
		}
	})
	a.wantSent()
}
