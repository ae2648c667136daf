package storetest

import (
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// peek visits a handler that reads the session by Peek.
func (b *browser) peek() (session *sessions.Session, err error) {
	b.app.Helper()
	b.visit(func(_ http.ResponseWriter, r *http.Request) { session, err = b.app.store.Peek(r, cookieName) })
	if session == nil {
		b.app.Fatal("Peek returned no session")
	}
	return session, err
}

// Peek reads the session by one GetItem, in every mode, and takes no lock.
func TestPeek(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			b := a.browser()
			b.with(func(s *sessions.Session) { s.Values["user"] = "ann"; s.Options.MaxAge = 7200 })
			before := a.item()
			a.backend.Counts()
			session, err := b.peek()
			a.wantSent("GetItem")
			if err != nil || session.IsNew || session.Name() != cookieName || session.Values["user"] != "ann" || session.Options.MaxAge != 7200 {
				t.Errorf("Peek = %+v, %v, want the session", session, err)
			}
			if got := "S:" + a.store.Key(session); got != attrText(before["id"]) {
				t.Errorf("Key = %s, want %s", got, attrText(before["id"]))
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// Peek returns a new session, and an error, in the same cases as New.
func TestPeekWithoutASession(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(a *app, b *browser)
		want    func(err error) bool
	}{
		{"no cookie", func(_ *app, b *browser) { b.client.Jar = nil }, func(err error) bool { return err == nil }},
		{"a forged cookie", func(_ *app, b *browser) { b.setCookie("forged") }, func(err error) bool {
			var cookie securecookie.Error
			return errors.As(err, &cookie)
		}},
		{"a session that has ended", func(_ *app, b *browser) { b.tab().logout() }, func(err error) bool { return err == nil }},
		{"an undecodable session", func(a *app, _ *browser) { a.alter(dynamotest.Item{"data": dynamotest.B([]byte("x"))}) }, func(err error) bool {
			return errors.Is(err, dynamostore.ErrUndecodable)
		}},
		{"DynamoDB fails", func(a *app, _ *browser) { a.backend.Inject("GetItem", dynamotest.Denied) }, func(err error) bool { return err != nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("user", "ann")
			test.prepare(a, b)
			session, err := b.peek()
			if !session.IsNew || session.ID != "" || len(session.Values) != 0 || !test.want(err) {
				t.Errorf("Peek = %+v, %v, want a new session, and the error of New", session, err)
			}
		})
	}
	t.Run("an invalid name", func(t *testing.T) {
		a := newApp(t)
		a.browser().visit(func(_ http.ResponseWriter, r *http.Request) {
			if session, err := a.store.Peek(r, "my session"); session == nil || err == nil {
				t.Errorf("Peek = %+v, %v, want a new session and an error", session, err)
			}
		})
	})
}

// Nothing that is done to a session of Peek is stored, and no cookie is set for it.
func TestSessionOfPeekIsReadOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		save func(a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error
	}{
		{"Save", func(_ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error { return s.Save(r, w) }},
		{"Save without a request", func(a *app, w http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
			return a.store.Save(nil, w, s)
		}},
		{"Save by another Store", func(a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			return a.open(a.cfg, keyA).Save(r, w, s)
		}},
		{"Regenerate", func(a *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			return a.store.Regenerate(r, w, s)
		}},
		{"an empty ID", func(_ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			s.ID = ""
			return s.Save(r, w)
		}},
		{"logout", func(_ *app, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			s.Options.MaxAge = -1
			return s.Save(r, w)
		}},
	} {
		for _, isNew := range []bool{false, true} {
			name := test.name
			if isNew {
				name += ", of a new session"
			}
			t.Run(name, func(t *testing.T) {
				a := newApp(t)
				b := a.browser()
				if !isNew {
					b.set("user", "ann")
				}
				before := a.backend.Items(t)
				a.backend.Counts()
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Peek(r, cookieName)
					if err != nil {
						t.Errorf("Peek: %v", err)
					}
					a.backend.Counts()
					session.Values["k"] = "v"
					for range 2 {
						wantError(t, test.save(a, w, r, session), dynamostore.ErrReadOnly)
					}
				})
				a.wantSent()
				if len(cookies) != 0 {
					t.Errorf("%s set the cookie %v", test.name, cookies)
				}
				if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
					t.Errorf("the table holds %v, want what it held: %v", after, before)
				}
			})
		}
	}
}

// A session of Peek is not the request's session: neither gorilla's registry nor AutoSave knows it.
func TestPeekIsNotInTheRegistry(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("n", 1)
	a.backend.Counts()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		peeked, err := a.store.Peek(r, cookieName)
		if err != nil {
			t.Errorf("Peek: %v", err)
		}
		peeked.Values["n"] = 2
		if err := sessions.Save(r, w); err != nil {
			t.Errorf("sessions.Save: %v", err)
		}
		a.wantSent("GetItem")
		session, err := a.store.Get(r, cookieName)
		if err != nil || session == peeked || session.Values["n"] != 1 {
			t.Errorf("Get after Peek = %+v, %v, want another session, as it is stored", session, err)
		}
		session.Values["n"] = 3
		again, err := a.store.Peek(r, cookieName)
		if err != nil || again.Values["n"] != 1 {
			t.Errorf("Peek after Get = %+v, %v, want what is stored", again, err)
		}
		a.wantSent("GetItem", "GetItem")
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if got := b.values()["n"]; got != 3 {
		t.Errorf("n = %v, want 3", got)
	}
}

// Under Lock, Peek does not wait for whoever holds the lock, this request or another, and leaves
// the lock alone.
func TestPeekDoesNotWaitForTheLock(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = time.Minute })
	b := a.browser()
	b.set("n", 1)
	tabs := []*browser{b.tab(), a.another().tab(b)}
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		held := a.item()
		session.Values["n"] = 2 // which nobody sees before it is saved
		a.backend.Counts()
		for _, tab := range tabs {
			if peeked, err := tab.peek(); err != nil || peeked.Values["n"] != 1 {
				t.Errorf("Peek beside the lock = %+v, %v, want n = 1", peeked, err)
			}
		}
		if peeked, err := a.store.Peek(r, cookieName); err != nil || peeked.Values["n"] != 1 {
			t.Errorf("Peek by the holder = %+v, %v, want n = 1", peeked, err)
		}
		a.wantSent("GetItem", "GetItem", "GetItem")
		if after := a.item(); !reflect.DeepEqual(after, held) {
			t.Errorf("item = %v, want it as it was: %v", after, held)
		}
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if got, _ := b.peek(); got.Values["n"] != 2 {
		t.Errorf("n = %v, want 2", got.Values["n"])
	}
}
