package dynamostore_test

import (
	"encoding/gob"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// Sessions that are used again after a Save, in the same request.

// A Save whose answer was lost, and then another: what the first one stored is not there twice, and stands in
// nobody's way.
func TestSaveAgainAfterALostAnswer(t *testing.T) {
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Refuse, dynamostore.Overwrite, dynamostore.Lock} {
		for _, more := range []bool{false, true} {
			t.Run(fmt.Sprint(mode, " ", more), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode })
				b := a.browser()
				b.set("k", 0)
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Error(err)
					}
					session.AddFlash("hello")
					a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)
					if err := session.Save(r, w); err == nil {
						t.Error("the first Save is no error, and DynamoDB did not answer it")
					}
					if more {
						session.Values["k"] = 1
					}
					if err := session.Save(r, w); err != nil {
						t.Errorf("the second Save: %v", err)
					}
				})
				values := b.values()
				if flashes, want := values["_flash"], []any{"hello"}; !slices.Equal(flashes.([]any), want) {
					t.Errorf("flashes = %v, want %v", flashes, want)
				}
				if k := values["k"]; (k == 1) != more {
					t.Errorf("k = %v", k)
				}
			})
		}
	}
}

// Somebody else wrote between the Save whose answer was lost and the next one.
func TestSaveAgainAfterALostAnswerAndAnotherWrite(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("k", 0)
	elsewhere := a.another().tab(b)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Error(err)
		}
		session.AddFlash("hello")
		a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)
		if err := session.Save(r, w); err == nil {
			t.Error("the first Save is no error, and DynamoDB did not answer it")
		}
		elsewhere.set("theirs", 2)
		if err := session.Save(r, w); err != nil {
			t.Errorf("the second Save: %v", err)
		}
	})
	values := b.values()
	if want := []any{"hello"}; !slices.Equal(values["_flash"].([]any), want) || values["theirs"] != 2 {
		t.Errorf("values = %v", values)
	}
}

// The write whose answer was lost held what another request had stored, which the session does not have yet.
func TestSaveAgainAfterALostMerge(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		a := newApp(t)
		b := a.browser()
		b.set("k", 0)
		elsewhere := a.another().tab(b)
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := a.store.Get(r, cookieName)
			if err != nil {
				t.Error(err)
			}
			elsewhere.set("theirs", "new")
			elsewhere.set("k", 1)
			session.Values["ours"] = 1
			through := dynamotest.Do(func() {}) // the refusal
			if rotate {
				a.backend.Inject("TransactWriteItems", through, dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)
				err = a.store.Regenerate(r, w, session)
			} else {
				a.backend.Inject("UpdateItem", through, dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)
				err = session.Save(r, w)
			}
			if err == nil {
				t.Error("the first Save is no error, and DynamoDB did not answer it")
			}
			session.Values["more"] = 2
			if err := session.Save(r, w); err != nil {
				t.Errorf("the second Save: %v", err)
			}
		})
		if got, want := b.values(), map[any]any{"k": 1, "theirs": "new", "ours": 1, "more": 2}; !maps.Equal(got, want) {
			t.Errorf("rotate %v: values = %v, want %v", rotate, got, want)
		}
	}
}

// A rotation whose answer was lost, and then another Save: the session goes on under its new ID, and there is but one.
func TestAfterARotationWhoseAnswerWasLost(t *testing.T) {
	for _, applied := range []bool{true, false} {
		for _, next := range []string{"Regenerate", "Save", "changed Save", "logout"} {
			for _, mode := range modes {
				t.Run(fmt.Sprint(applied, " ", next, " ", mode.name), func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
					b := a.browser()
					b.set("user", "ann")
					old := b.tab()
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Error(err)
						}
						lost := dynamotest.Reset
						if applied {
							lost = dynamotest.AppliedThenReset
						}
						a.backend.Inject("TransactWriteItems", lost, dynamotest.Reset, dynamotest.Reset)
						if err := a.store.Regenerate(r, w, session); err == nil {
							t.Error("Regenerate is no error, and DynamoDB did not answer it")
						}
						switch next {
						case "Regenerate":
							err = a.store.Regenerate(r, w, session)
						case "changed Save":
							session.Values["k"] = "v"
							err = session.Save(r, w)
						case "Save":
							err = session.Save(r, w)
						case "logout":
							session.Options.MaxAge = -1
							err = session.Save(r, w)
						}
						if err != nil {
							t.Errorf("%s: %v", next, err)
						}
					})
					live := 0
					for _, item := range a.backend.Items(t) {
						if item["moved"] == nil {
							live++
						}
					}
					want := 1
					if next == "logout" {
						want = 0
					}
					if live != want {
						t.Errorf("%d sessions live, want %d", live, want)
					}
					values := b.values()
					if (values["user"] == "ann") != (want == 1) || (values["k"] == "v") != (next == "changed Save") {
						t.Errorf("the browser's session holds %v", values)
					}
					if rotated := applied || next == "Regenerate"; rotated && old.values()["user"] != nil {
						t.Error("the old cookie still opens the session")
					}
				})
			}
		}
	}
}

// What a handler holds of the session stays the session's own where a Save merged another key.
func TestValueHeldAcrossAMerge(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("basket", &basket{Items: []string{"tea"}})
	elsewhere := a.another().tab(b)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Error(err)
		}
		held := session.Values["basket"].(*basket)
		session.Values["ours"] = 1
		elsewhere.set("theirs", 2)
		if err := session.Save(r, w); err != nil {
			t.Error(err)
		}
		held.Items = append(held.Items, "milk")
		if err := session.Save(r, w); err != nil {
			t.Error(err)
		}
	})
	if got := b.values()["basket"].(*basket).Items; !slices.Equal(got, []string{"tea", "milk"}) {
		t.Errorf("the basket holds %q, want tea and milk", got)
	}
}

// Gob writes a map in any order, and a time loses its monotonic clock: neither is a change.
func TestMapOfTimesSavedTwice(t *testing.T) {
	gob.Register(map[string]time.Time{})
	for range 10 {
		a := newApp(t)
		b := a.browser()
		b.set("k", 1)
		elsewhere := a.another().tab(b)
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := a.store.Get(r, cookieName)
			if err != nil {
				t.Error(err)
			}
			seen := make(map[string]time.Time)
			for i := range 5 {
				seen[fmt.Sprint(i)] = time.Now()
			}
			session.Values["seen"] = seen
			if err := session.Save(r, w); err != nil {
				t.Error(err)
			}
			a.backend.Counts()
			if err := session.Save(r, w); err != nil {
				t.Error(err)
			}
			a.sent()
			elsewhere.set("seen", map[string]time.Time{"theirs": time.Now()})
			session.Values["other"] = 1
			if err := session.Save(r, w); err != nil {
				t.Error(err)
			}
		})
		if seen := b.values()["seen"].(map[string]time.Time); len(seen) != 1 {
			t.Errorf("seen = %v, want what the other request stored: this one did not change it since", seen)
		}
	}
}

// Options may be shared by sessions, and with the Store.
func TestSaveLeavesSharedOptionsAlone(t *testing.T) {
	a := newApp(t)
	for name, shared := range map[string]*sessions.Options{
		"the application's": {Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, Secure: true},
		"the Store's":       a.store.Options,
	} {
		before := *shared
		b := a.browser()
		b.set("k", 0)
		elsewhere := a.another().tab(b)
		if _, err := b.with(func(s *sessions.Session) {
			s.Options = shared
			s.Values["a"] = 1
			elsewhere.with(func(s *sessions.Session) { s.Options.MaxAge = 3600 })
		}); err != nil {
			t.Error(err)
		}
		if *shared != before {
			t.Errorf("%s Options are %+v now, and were %+v", name, *shared, before)
		}
	}
}

// A logout that meets a rotation ends nothing, and says so; the tombstone stays to keep late requests out.
func TestLogoutOfARotatedSession(t *testing.T) {
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Refuse, dynamostore.Overwrite} {
		a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode })
		b := a.browser()
		b.set("user", "ann")
		late, out := b.tab(), b.tab()
		cookies, err := out.with(func(s *sessions.Session) {
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Error(err)
				}
			})
			s.Options.MaxAge = -1
		})
		is(t, err, dynamostore.ErrGone)
		if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
			t.Errorf("the logout set %v, want an expired cookie", cookies)
		}
		cookies, err = late.with(func(s *sessions.Session) { s.Values["k"] = "v" })
		is(t, err, dynamostore.ErrGone)
		if len(cookies) != 0 {
			t.Errorf("a late request set %v over the rotated cookie", cookies)
		}
		if got := b.values()["user"]; got != "ann" {
			t.Errorf("user = %v under the new ID, want ann", got)
		}
	}
}

func TestMaxAgeOfCenturies(t *testing.T) {
	const age = 1 << 33
	a := newApp(t)
	b := a.browser()
	if _, err := b.with(func(s *sessions.Session) { s.Options.MaxAge, s.Values["k"] = age, "v" }); err != nil {
		t.Fatal(err)
	}
	before := numberOf(t, a.item(), "expires")
	session, err := b.load()
	if err != nil || session.Options.MaxAge != age {
		t.Errorf("MaxAge = %d, %v, want %d", session.Options.MaxAge, err, age)
	}
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Error(err)
	}
	if after := numberOf(t, a.item(), "expires"); after < before {
		t.Errorf("expires went from %d to %d", before, after)
	}
}
