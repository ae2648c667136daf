package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// both are the two ways to rotate a session.
var both = []struct {
	name   string
	rotate func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
}{
	{"Regenerate", (*dynamostore.Store).Regenerate},
	{"an empty ID, and Save", func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
		session.ID = ""
		return s.Save(r, w, session)
	}},
}

// login visits a handler that logs ann in and rotates the session.
func (b *browser) login() (cookies []*http.Cookie, err error) {
	b.app.Helper()
	cookies = b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, getErr := b.app.store.Get(r, cookieName)
		if getErr != nil {
			b.app.Errorf("Get: %v", getErr)
		}
		session.Values["user"] = "ann"
		err = b.app.store.Regenerate(r, w, session)
	})
	return cookies, err
}

// live returns the items that are no tombstones, and those that are.
func (a *app) live() (live, tombstones []dynamotest.Item) {
	for _, item := range a.backend.Items(a.T) {
		if item["moved"] == nil {
			live = append(live, item)
		} else {
			tombstones = append(tombstones, item)
		}
	}
	return live, tombstones
}

func TestRegenerate(t *testing.T) {
	for _, mode := range modes {
		for _, way := range both {
			t.Run(mode.name+", "+way.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode; c.UserKey = "user" })
				b := a.browser()
				b.set("cart", "tea")
				a.alter(dynamotest.Item{"created": dynamotest.N(inSeconds(-time.Hour))})
				before := a.item()
				late := b.tab()
				a.backend.Counts()
				var old, renewed string
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					old = session.ID
					session.Values["user"] = "ann"
					if err := way.rotate(a.store, r, w, session); err != nil {
						t.Errorf("rotate: %v", err)
					}
					renewed = session.ID
					load := "GetItem"
					if mode.mode == dynamostore.Lock {
						load = "UpdateItem"
					}
					a.sent(load, "TransactWriteItems")
					// A second Save goes to the new item.
					session.Values["n"] = 1
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save after it: %v", err)
					}
				})
				if len(cookies) == 0 || old == renewed || len(renewed) != 52 {
					t.Errorf("cookies = %v, ID %q before and %q after", cookies, old, renewed)
				}
				if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann", "n": 1}); !reflect.DeepEqual(got, want) {
					t.Errorf("values = %v, want %v", got, want)
				}
				live, tombstones := a.live()
				if len(live) != 1 || len(tombstones) != 1 {
					t.Fatalf("%d sessions and %d tombstones, want one each", len(live), len(tombstones))
				}
				if got := render(live[0]["id"]); got != "S:"+renewed {
					t.Errorf("key = %s, want the new ID", got)
				}
				if got, want := numberOf(t, live[0], "created"), numberOf(t, before, "created"); got != want {
					t.Errorf("created = %d, want that of the session, %d: rotation does not make it younger", got, want)
				}
				if got := render(live[0]["user"]); got != "S:ann" {
					t.Errorf("user = %s, want S:ann", got)
				}
				grave := tombstones[0]
				about(t, "the tombstone's end", numberOf(t, grave, "expires"), time.Now().Add(time.Minute))
				if names := slices.Sorted(maps.Keys(grave)); !slices.Equal(names, []string{"expires", "id", "moved", "version"}) {
					t.Errorf("the tombstone has %q", names)
				}
				if render(grave["id"]) != "S:"+old || grave["version"] == before["version"] || strings.Contains(fmt.Sprint(grave), renewed) {
					t.Errorf("tombstone = %v", grave)
				}

				// A late request with the old cookie opens nothing and displaces nothing.
				lateCookies := late.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil || !session.IsNew || len(session.Values) != 0 {
						t.Errorf("late Get = %+v, %v, want a new session", session, err)
					}
					session.Values["k"] = "v"
					is(t, session.Save(r, w), dynamostore.ErrGone)
					is(t, a.store.Regenerate(r, w, session), dynamostore.ErrGone)
				})
				if len(lateCookies) != 0 {
					t.Errorf("the late request set the cookie %v", lateCookies)
				}
			})
		}
	}
}

// A request that loaded the session before it was rotated is late, too.
func TestRequestUnderWayDuringRotation(t *testing.T) {
	for _, mode := range modes[:3] { // under Lock, it waits
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode; c.TouchInterval = -1 })
			b := a.browser()
			b.set("cart", "tea")
			late := b.tab()
			for _, change := range []func(*sessions.Session){
				func(s *sessions.Session) { s.Values["k"] = "v" },
				func(*sessions.Session) {}, // a touch
			} {
				cookies, err := late.with(func(s *sessions.Session) {
					if _, err := b.login(); err != nil {
						t.Errorf("login: %v", err)
					}
					change(s)
				})
				is(t, err, dynamostore.ErrGone)
				if len(cookies) != 0 {
					t.Errorf("the late request set the cookie %v", cookies)
				}
				late = b.tab()
			}
			if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann"}); !reflect.DeepEqual(got, want) {
				t.Errorf("values = %v, want %v", got, want)
			}
		})
	}
}

func TestRegenerateMerges(t *testing.T) {
	for _, way := range both {
		t.Run(way.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("cart", "tea")
			tab := a.another().tab(b)
			a.backend.Counts()
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				tab.set("theirs", 1)
				a.sent("GetItem", "GetItem", "UpdateItem")
				session.Values["user"] = "ann"
				if err := way.rotate(a.store, r, w, session); err != nil {
					t.Errorf("rotate: %v", err)
				}
				a.sent("TransactWriteItems", "TransactWriteItems")
			})
			if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann", "theirs": 1}); !reflect.DeepEqual(got, want) {
				t.Errorf("values = %v, want %v", got, want)
			}
		})
	}
}

func TestRegenerateInOtherModesOnConflict(t *testing.T) {
	for _, test := range []struct {
		mode dynamostore.Concurrency
		want error
	}{
		{dynamostore.Refuse, dynamostore.ErrConflict},
		{dynamostore.Lock, dynamostore.ErrLockLost},
		{dynamostore.Overwrite, nil},
	} {
		t.Run(fmt.Sprint(test.mode), func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = test.mode })
			b := a.browser()
			b.set("cart", "tea")
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				id := session.ID
				a.alter(dynamotest.Item{"version": dynamotest.S("another")})
				err := a.store.Regenerate(r, w, session)
				is(t, err, test.want)
				if err != nil && session.ID != id {
					t.Error("a failed rotation changed the session's ID")
				}
			})
			if (len(cookies) == 1) != (test.want == nil) {
				t.Errorf("cookies = %v", cookies)
			}
			live, tombstones := a.live()
			if len(live) != 1 || (len(tombstones) == 1) != (test.want == nil) {
				t.Errorf("%d sessions and %d tombstones", len(live), len(tombstones))
			}
		})
	}
}

func TestRegenerateElsewhere(t *testing.T) {
	for _, mode := range modes {
		for _, way := range both {
			t.Run("after a failed read, "+mode.name+", "+way.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("cart", "tea")
				before := a.item()
				for _, op := range []string{"GetItem", "UpdateItem"} {
					a.backend.Inject(op, dynamotest.Times(3, dynamotest.InternalError)...)
				}
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err == nil {
						t.Error("Get returned no error")
					}
					a.backend.Heal()
					a.backend.Counts()
					is(t, way.rotate(a.store, r, w, session), dynamostore.ErrNotLoaded)
				})
				if len(cookies) != 0 {
					t.Errorf("cookies = %v", cookies)
				}
				if counts := a.backend.Counts(); counts["PutItem"]+counts["TransactWriteItems"] != 0 {
					t.Errorf("DynamoDB was sent %v", counts)
				}
				if after := a.item(); !reflect.DeepEqual(after, before) {
					t.Errorf("item = %v, want it as it was: %v", after, before)
				}
			})
			t.Run("after a logout elsewhere, "+mode.name+", "+way.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("cart", "tea")
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					a.backend.Delete(t, dynamotest.Item{"id": a.item()["id"]})
					is(t, way.rotate(a.store, r, w, session), dynamostore.ErrGone)
				})
				if len(cookies) != 0 {
					t.Errorf("cookies = %v", cookies)
				}
				a.empty()
			})
			t.Run("a new session, "+mode.name+", "+way.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Values["user"] = "ann"
					if err := way.rotate(a.store, r, w, session); err != nil {
						t.Errorf("rotate: %v", err)
					}
				})
				a.sent("PutItem")
				if len(cookies) != 1 {
					t.Errorf("cookies = %v", cookies)
				}
				a.item() // no tombstone beside it
				if got := b.values()["user"]; got != "ann" {
					t.Errorf("user = %v", got)
				}
			})
		}
	}
	t.Run("with a negative MaxAge", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("cart", "tea")
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, _ := a.store.Get(r, cookieName)
			session.Options.MaxAge = -1
			if err := a.store.Regenerate(r, w, session); err != nil {
				t.Error(err)
			}
		})
		a.empty()
	})
	t.Run("a foreign item", func(t *testing.T) {
		a := newApp(t)
		b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1}))})
		if _, err := b.login(); err != nil {
			t.Error(err)
		}
		if got := b.values()["n"]; got != 1 {
			t.Errorf("n = %v", got)
		}
	})
	t.Run("to an ID that is taken", func(t *testing.T) {
		ids := []string{"first", "second", "first", "second"}
		a := newApp(t, func(c *dynamostore.Config) {
			c.NewID = func() string { id := ids[0]; ids = ids[1:]; return id }
		})
		other := a.browser()
		other.set("cart", "milk")
		b := a.browser()
		b.set("cart", "tea")
		before := a.backend.Items(t)
		for range 2 { // another's, and its own
			_, err := b.login()
			is(t, err, dynamostore.ErrConflict, "first", "second")
		}
		if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
			t.Errorf("items = %v, want them as they were: %v", after, before)
		}
	})
	t.Run("to an ID of the application's own", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("cart", "tea")
		if _, err := b.with(func(s *sessions.Session) { s.ID = "mine" }); err != nil {
			t.Error(err)
		}
		if live, _ := a.live(); len(live) != 1 || render(live[0]["id"]) != "S:mine" {
			t.Errorf("items = %v", live)
		}
		if got := b.values()["cart"]; got != "tea" {
			t.Errorf("cart = %v", got)
		}
	})
	t.Run("without TransactWriteItems", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("cart", "tea")
		store, err := dynamostore.New(struct{ dynamostore.Client }{a.backend.Client}, a.cfg, keyA)
		if err != nil {
			t.Fatal(err)
		}
		a.store = store
		if _, err := b.login(); err == nil || !strings.Contains(err.Error(), "TransactWriteItems") {
			t.Errorf("login = %v, want an error that names what the client lacks", err)
		}
	})
}

// Wherever a session lies, and whatever its life is, a rotation keeps to it.
func TestRegenerateKeepsToTheConfig(t *testing.T) {
	const day = 24 * 60 * 60
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"prefix", dynamostore.Config{KeyPrefix: "shop/"}},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION"}},
		{"hashed IDs", dynamostore.Config{HashIDs: true, KeyPrefix: "shop/"}},
		{"names that DynamoDB reserves", dynamostore.Config{DataAttribute: "values", ExpiresAttribute: "ttl", SortKeyAttribute: "range", SortKeyValue: "x"}},
		{"text", dynamostore.Config{DataType: dynamostore.String, Codec: dynamostore.JSONCodec{}}},
	} {
		for _, mode := range modes {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg; c.Concurrency = mode.mode })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { s.Values["cart"] = "tea"; s.Options.MaxAge = 90 * day }); err != nil {
					t.Fatal(err)
				}
				expires := cmpOr(test.cfg.ExpiresAttribute, "expires")
				for i, maxAge := range []int{90 * day, 0} { // as remembered, then changed along with the rotation
					late := b.tab()
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil || session.Options.MaxAge != 90*day {
							t.Errorf("Get = %+v, %v", session, err)
						}
						session.Options.MaxAge = maxAge
						session.Values["n"] = i
						if err := a.store.Regenerate(r, w, session); err != nil {
							t.Errorf("Regenerate: %v", err)
						}
					})
					if len(cookies) != 1 || cookies[0].MaxAge != maxAge {
						t.Errorf("cookies = %v, want one with Max-Age %d", cookies, maxAge)
					}
					live, tombstones := a.live()
					if len(live) != 1 || len(tombstones) != i+1 {
						t.Fatalf("%d sessions and %d tombstones, want 1 and %d", len(live), len(tombstones), i+1)
					}
					if got := numberOf(t, live[0], "max_age"); got != int64(maxAge) {
						t.Errorf("max_age = %d, want %d", got, maxAge)
					}
					end := time.Now().Add(90 * 24 * time.Hour)
					if maxAge == 0 {
						end = time.Now().Add(24 * time.Hour)
					}
					about(t, "expires", numberOf(t, live[0], expires), end)
					if live[0]["lock"] != nil {
						t.Error("the new item is locked")
					}
					for _, item := range a.backend.Items(t) {
						if key := render(item["id"]); !strings.HasPrefix(key, "S:"+test.cfg.KeyPrefix) {
							t.Errorf("key = %s, without the prefix", key)
						}
						if name := test.cfg.SortKeyAttribute; name != "" && render(item[name]) != "S:"+test.cfg.SortKeyValue {
							t.Errorf("sort key = %s", render(item[name]))
						}
					}
					if session, err := late.load(); err != nil || !session.IsNew {
						t.Errorf("with the old cookie, Get = %+v, %v", session, err)
					}
				}
				if got, want := b.values(), (map[any]any{"cart": "tea", "n": 1}); !reflect.DeepEqual(got, want) {
					t.Errorf("values = %v, want %v", got, want)
				}
				b.logout()
				if live, _ := a.live(); len(live) != 0 {
					t.Errorf("after a logout, there is %v", live)
				}
			})
		}
	}
}

// A request that waits for the lock of a session finds, when it has been rotated, a tombstone.
func TestRequestWaitingForTheLockDuringRotation(t *testing.T) {
	a := newLockingApp(t)
	b := a.browser()
	b.set("cart", "tea")
	tab := a.another().tab(b)
	waits := make(chan struct{})
	var wg sync.WaitGroup
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		a.backend.Inject("UpdateItem", dynamotest.Do(func() { close(waits) }))
		wg.Go(func() {
			cookies, err := tab.with(func(s *sessions.Session) {
				if !s.IsNew || len(s.Values) != 0 {
					t.Errorf("who waited has %v, want a new session", s.Values)
				}
				s.Values["k"] = "v"
			})
			is(t, err, dynamostore.ErrGone)
			if len(cookies) != 0 {
				t.Errorf("who waited was given the cookie %v", cookies)
			}
		})
		<-waits
		session.Values["user"] = "ann"
		if err := a.store.Regenerate(r, w, session); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
	})
	wg.Wait()
	if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann"}); !reflect.DeepEqual(got, want) {
		t.Errorf("values = %v, want %v", got, want)
	}
}

// Two logins of one session at once: one wins, and there is one session.
func TestTwoRotationsAtOnce(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("cart", "tea")
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcome := map[string]int{}
	for _, other := range []*app{a, a.another(), a, a.another()} {
		tab := other.tab(b)
		wg.Go(func() {
			_, err := tab.login()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				outcome["rotated"]++
			case errors.Is(err, dynamostore.ErrGone):
				outcome["gone"]++
			default:
				t.Errorf("login: %v", err)
			}
		})
	}
	wg.Wait()
	live, _ := a.live()
	// Who came after the rotation found a tombstone, and was refused.
	if outcome["rotated"] != 1 || outcome["gone"] != 3 || len(live) != 1 {
		t.Errorf("outcomes %v, and %d sessions, want one rotation", outcome, len(live))
	}
}

func TestRotationFaults(t *testing.T) {
	canceled := func(first, second string) dynamotest.Fault {
		return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, http.StatusBadRequest, "TransactionCanceledException", "Transaction cancelled", map[string]any{
				"CancellationReasons": []map[string]any{{"Code": first}, {"Code": second}},
			}), nil
		}
	}
	for _, test := range []struct {
		name   string
		faults []dynamotest.Fault
		ok     bool
	}{
		{"answer lost", []dynamotest.Fault{dynamotest.AppliedThenReset}, true},
		{"another transaction on the old item", dynamotest.Times(3, canceled("None", "TransactionConflict")), true},
		{"throttled within the transaction", dynamotest.Times(3, canceled("ThrottlingError", "ProvisionedThroughputExceeded")), true},
		{"a conflict by itself", dynamotest.Times(2, dynamotest.Conflict), true},
		{"throttled", dynamotest.Times(2, dynamotest.Throttled), true},
		{"throttled for long", dynamotest.Times(3, dynamotest.Throttled), false},
		{"refused", dynamotest.Times(3, dynamotest.Refused), false},
		{"invalid", []dynamotest.Fault{canceled("None", "ValidationError")}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("cart", "tea")
			a.backend.Inject("TransactWriteItems", test.faults...)
			cookies, err := b.login()
			if (err == nil) != test.ok || (len(cookies) == 1) != test.ok {
				t.Errorf("login = %v, with cookies %v", err, cookies)
			}
			if err != nil && !strings.Contains(err.Error(), a.cfg.Table) {
				t.Errorf("error %q does not name the table", err)
			}
			if n := a.backend.Pending(); n != 0 {
				t.Errorf("%d faults were not met", n)
			}
			if got := b.values(); got["cart"] != "tea" || (got["user"] == "ann") != test.ok {
				t.Errorf("values = %v", got)
			}
		})
	}
}

// The idle timeout moves, the absolute one does not, also across rotations.
func TestMaxLifetimeAcrossRotations(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) { testMaxLifetimeAcrossRotations(t, mode.mode) })
	}
}

func testMaxLifetimeAcrossRotations(t *testing.T, mode dynamostore.Concurrency) {
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime, c.Concurrency = 2*time.Hour, mode })
	b := a.browser()
	b.set("cart", "tea")
	created := time.Now().Add(-90 * time.Minute)
	a.alter(dynamotest.Item{"created": dynamotest.N(formatInt(created.Unix()))})
	for range 3 {
		if _, err := b.login(); err != nil {
			t.Fatal(err)
		}
	}
	live, _ := a.live()
	about(t, "created", numberOf(t, live[0], "created"), created)
	about(t, "expires", numberOf(t, live[0], "expires"), created.Add(2*time.Hour))
	live[0]["created"] = dynamotest.N(inSeconds(-2 * time.Hour))
	a.backend.Put(t, live[0])
	if session, err := b.load(); err != nil || !session.IsNew {
		t.Errorf("Get = %+v, %v, want a new session", session, err)
	}
}

// The absolute lifetime ends between load and Regenerate.
func TestRegenerateAfterTheEnd(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = 2 * time.Hour })
	b := a.browser()
	b.set("user", "ann")
	shorter := a.open(dynamostore.Config{Table: a.cfg.Table, MaxLifetime: time.Minute}, keyA)
	a.alter(dynamotest.Item{"created": dynamotest.N(inSeconds(-time.Hour))})
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Error(err)
		}
		is(t, shorter.Regenerate(r, w, session), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("Regenerate set %v", cookies)
	}
}

// Users.

func newUsersApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	a := &app{T: t, backend: dynamotest.New(t)}
	a.cfg.UserKey = "user"
	for _, f := range configure {
		f(&a.cfg)
	}
	a.cfg.Table = a.backend.Table
	a.store = a.open(a.cfg, keyA)
	if err := a.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.serve()
	a.backend.Counts()
	return a
}

// listed returns the users of the sessions in a listing.
func listed(t testing.TB, infos func(func(dynamostore.SessionInfo, error) bool)) []string {
	t.Helper()
	var users []string
	for info, err := range infos {
		if err != nil {
			t.Errorf("listing: %v", err)
			break
		}
		users = append(users, info.User)
	}
	slices.Sort(users)
	return users
}

func TestUsers(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"defaults", dynamostore.Config{}},
		{"prefix", dynamostore.Config{KeyPrefix: "shop/"}},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION", UserIndex: "by-user", ExpiresAttribute: "ttl"}},
		{"hashed IDs", dynamostore.Config{HashIDs: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { *c = test.cfg; c.UserKey = "user" })
			var anns []*browser
			for range 3 {
				b := a.browser()
				b.set("user", "ann")
				anns = append(anns, b)
			}
			bob := a.browser()
			bob.set("user", "bob")
			nobody := a.browser()
			nobody.set("cart", "tea")

			// What else lies in the table is not listed: another application's sessions, other
			// things, tombstones, what has expired.
			other := maps.Clone(a.backend.Items(t)[0])
			strange := func(change dynamotest.Item) {
				item := maps.Clone(other)
				maps.Copy(item, change)
				maps.DeleteFunc(item, func(_ string, v types.AttributeValue) bool { return v == nil })
				a.backend.Put(t, item)
			}
			expires := cmpOr(test.cfg.ExpiresAttribute, "expires")
			data := cmpOr(test.cfg.DataAttribute, "data")
			id := func(s string) dynamotest.Item {
				return dynamotest.Item{"id": dynamotest.S(test.cfg.KeyPrefix + s), "user": dynamotest.S("ann")}
			}
			with := func(base, more dynamotest.Item) dynamotest.Item { maps.Copy(base, more); return base }
			strange(with(id("expired"), dynamotest.Item{expires: dynamotest.N("1")}))
			strange(with(id("tombstone"), dynamotest.Item{"moved": dynamotest.N("1"), data: nil, "user": nil}))
			if test.cfg.KeyPrefix != "" {
				strange(dynamotest.Item{"id": dynamotest.S("other/x"), "user": dynamotest.S("ann")})
			}
			if test.cfg.SortKeyAttribute != "" {
				strange(with(id("x"), dynamotest.Item{"sk": dynamotest.S("PROFILE")}))
			}

			if got := listed(t, a.store.UserSessions(t.Context(), "ann")); !slices.Equal(got, []string{"ann", "ann", "ann"}) {
				t.Errorf("UserSessions(ann) = %q", got)
			}
			if got := listed(t, a.store.UserSessions(t.Context(), "eve")); got != nil {
				t.Errorf("UserSessions(eve) = %q", got)
			}
			if got := listed(t, a.store.Sessions(t.Context())); !slices.Equal(got, []string{"", "ann", "ann", "ann", "bob"}) {
				t.Errorf("Sessions = %q", got)
			}
			for info, err := range a.store.UserSessions(t.Context(), "bob") {
				session, _ := bob.load()
				if err != nil || info.Key != a.store.Key(session) {
					t.Errorf("bob's SessionInfo = %+v, %v, Key of his session %q", info, err, a.store.Key(session))
				}
				about(t, "Created", info.Created.Unix(), time.Now())
				about(t, "Expires", info.Expires.Unix(), time.Now().Add(30*24*time.Hour))
			}

			// Sign out everywhere else.
			session, _ := anns[0].load()
			n, err := a.store.DestroyUser(t.Context(), "ann", a.store.Key(session))
			if n != 2 || err != nil {
				t.Errorf("DestroyUser = %d, %v, want 2", n, err)
			}
			for i, b := range anns {
				if s, err := b.load(); err != nil || s.IsNew != (i > 0) {
					t.Errorf("ann's session %d: IsNew %v, %v", i, s.IsNew, err)
				}
			}
			if got := bob.values()["user"]; got != "bob" {
				t.Errorf("bob's session holds %v", got)
			}
			if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
				t.Errorf("DestroyUser = %d, %v, want 1", n, err)
			}
			if got := listed(t, a.store.Sessions(t.Context())); !slices.Equal(got, []string{"", "bob"}) {
				t.Errorf("Sessions = %q", got)
			}

			// One session.
			session, _ = bob.load()
			for range 2 {
				if err := a.store.Destroy(t.Context(), a.store.Key(session)); err != nil {
					t.Errorf("Destroy: %v", err)
				}
			}
			if s, _ := bob.load(); !s.IsNew {
				t.Error("a destroyed session lives")
			}
			if err := a.store.Destroy(t.Context(), test.cfg.KeyPrefix+"tombstone"); err != nil {
				t.Errorf("Destroy of a tombstone: %v", err)
			}
			if _, tombstones := a.live(); len(tombstones) != 1 {
				t.Error("Destroy took the tombstone away")
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Logging in, out and as somebody else moves the session in the index.
func TestSessionFollowsItsUser(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) { testSessionFollowsItsUser(t, mode.mode) })
	}
}

func testSessionFollowsItsUser(t *testing.T, mode dynamostore.Concurrency) {
	a := newUsersApp(t, func(c *dynamostore.Config) { c.Concurrency = mode })
	b := a.browser()
	count := func(user string) int { return len(listed(t, a.store.UserSessions(t.Context(), user))) }
	for _, test := range []struct {
		name   string
		change func(*sessions.Session)
		ann    int
		bob    int
	}{
		{"nobody", func(s *sessions.Session) { s.Values["cart"] = "tea" }, 0, 0},
		{"log in", func(s *sessions.Session) { s.Values["user"] = "ann" }, 1, 0},
		{"something else", func(s *sessions.Session) { s.Values["cart"] = "milk" }, 1, 0},
		{"another user", func(s *sessions.Session) { s.Values["user"] = "bob" }, 0, 1},
		{"nobody again", func(s *sessions.Session) { delete(s.Values, "user") }, 0, 0},
	} {
		if _, err := b.with(test.change); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if ann, bob := count("ann"), count("bob"); ann != test.ann || bob != test.bob {
			t.Errorf("%s: %d sessions of ann, %d of bob, want %d and %d", test.name, ann, bob, test.ann, test.bob)
		}
	}
	if _, err := b.login(); err != nil {
		t.Error(err)
	}
	if count("ann") != 1 {
		t.Error("a rotated session is not in the index, or twice")
	}
	b.logout()
	if count("ann") != 0 {
		t.Error("a session that ended is in the index")
	}
}

func TestWhatIsNoUser(t *testing.T) {
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"a number", 7, "int"},
		{"empty", "", "empty"},
		{"nil", nil, "nil"},
		{"too long", strings.Repeat("secret", 400), "2400 bytes"},
		{"not UTF-8", "\xffsecret", "UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newUsersApp(t)
			b := a.browser()
			for range 2 {
				_, err := b.with(func(s *sessions.Session) { s.Values["user"] = test.value })
				if err == nil || !strings.Contains(err.Error(), `"user"`) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("Save = %v, want an error that names the key and says %q", err, test.want)
				}
				b.set("cart", "tea") // and once more, on a session that exists
			}
			before := a.item()
			for _, way := range both {
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Values["user"] = test.value
					if err := way.rotate(a.store, r, w, session); err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%s = %v, want the same error", way.name, err)
					}
				})
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// A request under way cannot bring a destroyed session back, whatever it does to it.
func TestDestroyedSessionStaysDestroyed(t *testing.T) {
	save := func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
		return s.Save(r, w, session)
	}
	for _, mode := range modes {
		for _, test := range []struct {
			name   string
			change func(*sessions.Session)
			save   func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
		}{
			{"a change", func(s *sessions.Session) { s.Values["k"] = "v" }, save},
			{"another user", func(s *sessions.Session) { s.Values["user"] = "bob" }, save},
			{"a touch", func(s *sessions.Session) {}, save},
			{both[0].name, func(s *sessions.Session) { s.Values["k"] = "v" }, both[0].rotate},
			{both[1].name, func(s *sessions.Session) { s.Values["k"] = "v" }, both[1].rotate},
		} {
			for _, by := range []struct {
				name    string
				destroy func(a *app, session *sessions.Session) error
			}{
				{"DestroyUser", func(a *app, _ *sessions.Session) error {
					n, err := a.store.DestroyUser(a.Context(), "ann")
					if n != 1 {
						a.Errorf("DestroyUser = %d, want 1", n)
					}
					return err
				}},
				{"Destroy", func(a *app, session *sessions.Session) error {
					return a.store.Destroy(a.Context(), a.store.Key(session))
				}},
			} {
				t.Run(mode.name+", "+by.name+", "+test.name, func(t *testing.T) {
					a := newUsersApp(t, func(c *dynamostore.Config) { c.TouchInterval, c.Concurrency = -1, mode.mode })
					b := a.browser()
					b.set("user", "ann")
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						if err := by.destroy(a, session); err != nil {
							t.Errorf("%s: %v", by.name, err)
						}
						test.change(session)
						is(t, test.save(a.store, r, w, session), dynamostore.ErrGone)
					})
					if len(cookies) != 0 {
						t.Errorf("cookies = %v", cookies)
					}
					a.empty()
				})
			}
		}
	}
}

// A session that changed hands since the index was read is not deleted.
func TestDestroyUserSparesWhatIsAnothers(t *testing.T) {
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.backend.Inject("DeleteItem", dynamotest.Do(func() { b.set("user", "bob") }))
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 0 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 0", n, err)
	}
	if got := b.values()["user"]; got != "bob" {
		t.Errorf("user = %v, want bob", got)
	}
}

// What is logged in while DestroyUser runs is found by its next pass.
func TestDestroyUserLooksAgain(t *testing.T) {
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	late := a.browser()
	a.backend.Inject("DeleteItem", dynamotest.Do(func() { late.set("user", "ann") }))
	a.backend.Counts()
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 2 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 2", n, err)
	}
	a.empty()
}

// The index is behind: it goes on showing what was deleted. DestroyUser must come to an end.
func TestDestroyUserEndsWhereTheIndexIsBehind(t *testing.T) {
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	stale := a.item()
	calls := 0
	query := func(context.Context) (*dynamodb.QueryOutput, error) {
		calls++
		return &dynamodb.QueryOutput{Items: []dynamotest.Item{stale}}, nil
	}
	store, err := dynamostore.New(staleIndex{a.backend.Client, query}, a.cfg, keyA)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil || calls != 2 {
		t.Errorf("DestroyUser = %d, %v, after %d queries, want 1 after 2", n, err, calls)
	}
}

type staleIndex struct {
	dynamostore.Client
	query func(context.Context) (*dynamodb.QueryOutput, error)
}

func (s staleIndex) Query(ctx context.Context, _ *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return s.query(ctx)
}

// Listings ask for a page when it is wanted, and stop when nobody wants more.
func TestListingsAreLazyAndPaged(t *testing.T) {
	a := newUsersApp(t)
	// Enough for several pages of an index query or a scan, of 1 MB each.
	item := dynamotest.Item{}
	b := a.browser()
	b.set("user", "ann")
	maps.Copy(item, a.item())
	const n = 25
	for i := range n {
		item["id"] = dynamotest.S(fmt.Sprintf("%s%02d", strings.Repeat("x", 1500), i))
		item["data"] = dynamotest.B([]byte(strings.Repeat("x", 100_000)))
		a.backend.Put(t, item)
	}
	a.backend.Counts()
	if got := len(listed(t, a.store.Sessions(t.Context()))); got != n+1 {
		t.Errorf("%d sessions, want %d", got, n+1)
	}
	if pages := a.backend.Counts()["Scan"]; pages < 3 {
		t.Errorf("%d pages, want 3", pages)
	}
	for range a.store.Sessions(t.Context()) {
		break
	}
	a.sent("Scan")
	infos := a.store.UserSessions(t.Context(), "ann")
	a.sent()
	for range 2 { // a listing can be ranged over again
		if got := len(listed(t, infos)); got != n+1 {
			t.Errorf("%d sessions of ann, want %d", got, n+1)
		}
	}
}

// smallPages is a client whose queries and scans bring two items at a time.
type smallPages struct{ *dynamodb.Client }

func (c smallPages) Query(ctx context.Context, in *dynamodb.QueryInput, optFns ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.Limit = aws.Int32(2)
	return c.Client.Query(ctx, in, optFns...)
}

func (c smallPages) Scan(ctx context.Context, in *dynamodb.ScanInput, optFns ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.Limit = aws.Int32(2)
	return c.Client.Scan(ctx, in, optFns...)
}

// Five sessions of one user, in pages of two.
func TestUsersInPages(t *testing.T) {
	a := newUsersApp(t)
	var err error
	if a.store, err = dynamostore.New(smallPages{a.backend.Client}, a.cfg, keyA); err != nil {
		t.Fatal(err)
	}
	first := a.browser()
	for i := range 5 {
		b := first
		if i > 0 {
			b = a.browser()
		}
		if _, err := b.with(func(s *sessions.Session) { s.Values["user"] = "ann"; s.Options.MaxAge = 1000 - i }); err != nil {
			t.Fatal(err)
		}
	}
	bob := a.browser()
	bob.set("user", "bob")
	a.backend.Counts()

	var ends []time.Time
	for info, err := range a.store.UserSessions(t.Context(), "ann") {
		if err != nil {
			t.Errorf("UserSessions: %v", err)
		}
		ends = append(ends, info.Expires)
	}
	if len(ends) != 5 || !slices.IsSortedFunc(ends, time.Time.Compare) {
		t.Errorf("the sessions end at %v, want five, and the first at the front", ends)
	}
	a.sent("Query", "Query", "Query")
	for n, queries := range map[int]int{1: 1, 2: 1, 3: 2} {
		seen := 0
		for range a.store.UserSessions(t.Context(), "ann") {
			if seen++; seen == n {
				break
			}
		}
		if got := a.backend.Counts()["Query"]; got != queries {
			t.Errorf("%d queries for the first %d, want %d", got, n, queries)
		}
	}
	if got := listed(t, a.store.Sessions(t.Context())); len(got) != 6 {
		t.Errorf("Sessions = %q, want six", got)
	}

	// An error in the middle ends it, and what was destroyed before stays so.
	a.backend.Counts()
	a.backend.Inject("Query", append([]dynamotest.Fault{dynamotest.Do(func() {})}, dynamotest.Times(3, dynamotest.Denied)...)...)
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 2 || err == nil {
		t.Errorf("DestroyUser = %d, %v, want 2 and an error", n, err)
	}
	a.backend.Heal()
	session, err := first.load()
	if err != nil || session.IsNew {
		t.Fatalf("Get = %+v, %v: the session that ends last was destroyed first", session, err)
	}
	if n, err := a.store.DestroyUser(t.Context(), "ann", a.store.Key(session)); n != 2 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 2", n, err)
	}
	if got := listed(t, a.store.Sessions(t.Context())); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("Sessions = %q, want the one to keep, and bob's", got)
	}
}

// The keys of other applications in the table are none of this Store's.
func TestDestroyOfAnotherApplicationsSession(t *testing.T) {
	a := newUsersApp(t, func(c *dynamostore.Config) { c.KeyPrefix = "shop/" })
	item := dynamotest.Item{"id": dynamotest.S("forum/x"), "data": dynamotest.S("x"), "expires": dynamotest.N(inSeconds(time.Hour)), "user": dynamotest.S("ann")}
	a.backend.Put(t, item)
	a.backend.Counts()
	if err := a.store.Destroy(t.Context(), "forum/x"); err == nil {
		t.Error("Destroy: no error")
	}
	if _, err := a.store.DestroyUser(t.Context(), "ann", "forum/x"); err == nil {
		t.Error("DestroyUser that keeps it: no error")
	}
	a.sent()
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 0 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 0", n, err)
	}
	if got := a.item(); !reflect.DeepEqual(got, item) {
		t.Errorf("item = %v, want it as it was", got)
	}
}

func TestListingsOnlyShowWhatLives(t *testing.T) {
	a := newUsersApp(t, func(c *dynamostore.Config) { c.MaxLifetime = time.Hour })
	b := a.browser()
	b.set("user", "ann")
	a.alter(dynamotest.Item{"created": dynamotest.N(inSeconds(-time.Hour))})
	if got := listed(t, a.store.UserSessions(t.Context(), "ann")); got != nil {
		t.Errorf("UserSessions = %q: past MaxLifetime", got)
	}
	if got := listed(t, a.store.Sessions(t.Context())); got != nil {
		t.Errorf("Sessions = %q: past MaxLifetime", got)
	}
}

func TestListingWithoutTheIndex(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user" }) // on a table that has none
	_, err := a.store.DestroyUser(t.Context(), "ann")
	if want := `it has no index "user-index": create it, as EnsureTable does`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("DestroyUser = %v, want an error that says %q", err, want)
	}
}

// Every item has its table's keys, so a name under which one has none is an error, never an empty list.
func TestWrongNamesOfKeysAreTold(t *testing.T) {
	backend := dynamotest.New(t)
	right := dynamostore.Config{Table: backend.Table, KeyAttribute: "pk", SortKeyAttribute: "sk", SortKeyValue: "session", KeyPrefix: "web#", UserKey: "user"}
	if err := storeOn(t, backend.Client, right).EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	backend.Put(t, dynamotest.Item{ // an expired session of another application
		"pk": dynamotest.S("app#1"), "sk": dynamotest.S("other"), "data": dynamotest.B([]byte("x")), "expires": dynamotest.N(past),
	})
	wrongKey, wrongSort, numeric := right, right, right
	wrongKey.KeyAttribute, wrongKey.KeyPrefix = "id", ""
	wrongSort.SortKeyAttribute = "range"
	numeric.KeyAttribute, numeric.ExpiresAttribute = "expires", "end"
	numeric.UserKey = ""
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		want string
	}{
		{"partition key", wrongKey, `an item has no string (S) under "id", which Config.KeyAttribute says is the table's partition key`},
		{"partition key, with a prefix", func() dynamostore.Config { c := wrongKey; c.KeyPrefix = "web#"; return c }(), `an item has no string (S) under "id", which Config.KeyAttribute says`},
		{"a number", numeric, `an item has no string (S) under "expires", which Config.KeyAttribute says`},
		{"sort key", wrongSort, `an item has no string (S) under "range", which Config.SortKeyAttribute says is the table's sort key`},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := storeOn(t, backend.Client, test.cfg)
			var list error
			for _, err := range store.Sessions(t.Context()) {
				list = err
			}
			_, purge := store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
			for name, err := range map[string]error{"Sessions": list, "PurgeExpired": purge} {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), backend.Table) || strings.Contains(err.Error(), "app#1") {
					t.Errorf("%s: %v, want an error that names the table and says %q", name, err, test.want)
				}
			}
		})
	}
	backend.Put(t, dynamotest.Item{
		"pk": dynamotest.S("web#1"), "sk": dynamotest.S("session"), "data": dynamotest.B([]byte("x")), "expires": dynamotest.N(future), "user": dynamotest.S("ann"),
	})
	if n, err := storeOn(t, backend.Client, wrongKey).DestroyUser(t.Context(), "ann"); n != 0 || err == nil || !strings.Contains(err.Error(), "Config.KeyAttribute") {
		t.Errorf("DestroyUser = %d, %v, want an error about Config.KeyAttribute", n, err)
	}
	if got := listed(t, storeOn(t, backend.Client, right).Sessions(t.Context())); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("Sessions with the right names = %q", got)
	}
}

func TestListingErrors(t *testing.T) {
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	one := func(infos func(func(dynamostore.SessionInfo, error) bool)) (err error) {
		n := 0
		for _, e := range infos {
			n++
			err = e
		}
		if n != 1 {
			t.Errorf("%d results, want the error alone", n)
		}
		return err
	}
	for _, op := range []string{"Scan", "Query"} {
		a.backend.Inject(op, dynamotest.Denied)
	}
	if err := one(a.store.Sessions(t.Context())); err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
		t.Errorf("Sessions: %v, want an error that names the table", err)
	}
	if err := one(a.store.UserSessions(t.Context(), "ann")); err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
		t.Errorf("UserSessions: %v, want an error that names the table", err)
	}
	if err := one(a.store.UserSessions(t.Context(), "")); err == nil {
		t.Error("UserSessions of an empty user: no error")
	}
	a.backend.Inject("DeleteItem", dynamotest.Denied)
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 0 || err == nil {
		t.Errorf("DestroyUser = %d, %v, want an error", n, err)
	}
	if _, err := a.store.DestroyUser(t.Context(), "ann", ""); err == nil {
		t.Error("DestroyUser that keeps an empty key: no error")
	}
	for _, key := range []string{"", strings.Repeat("x", 2049)} {
		if err := a.store.Destroy(t.Context(), key); err == nil {
			t.Errorf("Destroy of a key of %d bytes: no error", len(key))
		}
	}
	without := a.open(dynamostore.Config{Table: a.cfg.Table}, keyA)
	if _, err := without.DestroyUser(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "Config.UserKey") {
		t.Errorf("DestroyUser without UserKey: %v", err)
	}
	lacking, err := dynamostore.New(struct{ dynamostore.Client }{a.backend.Client}, a.cfg, keyA)
	if err != nil {
		t.Fatal(err)
	}
	if err := one(lacking.Sessions(t.Context())); err == nil || !strings.Contains(err.Error(), "Scan") {
		t.Errorf("Sessions with a client that lacks Scan: %v", err)
	}
	if err := one(lacking.UserSessions(t.Context(), "ann")); err == nil || !strings.Contains(err.Error(), "Query") {
		t.Errorf("UserSessions with a client that lacks Query: %v", err)
	}
}

// An item that belongs to another user by now is not merged into.
func TestMergeIntoAnotherUsersSession(t *testing.T) {
	for _, test := range []struct {
		name               string
		base, theirs, ours any // the user; nil: none
		want               error
	}{
		{"another user logged in", "ann", "bob", "ann", dynamostore.ErrConflict},
		{"somebody logged in", nil, "bob", nil, dynamostore.ErrConflict},
		{"we and somebody else logged in", nil, "bob", "ann", dynamostore.ErrConflict},
		{"both logged in as one", nil, "ann", "ann", nil},
		{"logged out", "ann", nil, "ann", nil},
		{"we logged out", "ann", "ann", nil, nil},
		{"unchanged", "ann", "ann", "ann", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := func(user any) func(s *sessions.Session) {
				return func(s *sessions.Session) {
					delete(s.Values, "user")
					if user != nil {
						s.Values["user"] = user
					}
				}
			}
			a := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user" })
			b := a.browser()
			b.with(func(s *sessions.Session) { set(test.base)(s); s.Values["x"] = 1 })
			tab := a.another().tab(b)
			var before dynamotest.Item
			_, err := b.with(func(s *sessions.Session) {
				tab.with(func(s *sessions.Session) { set(test.theirs)(s); s.Values["theirs"] = 1 })
				before = a.item()
				set(test.ours)(s)
				s.Values["ours"] = 1
			})
			is(t, err, test.want)
			after := a.item()
			if test.want != nil && !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
			if got := b.values(); test.want == nil && (got["theirs"] != 1 || got["ours"] != 1) {
				t.Errorf("values = %v, want both changes", got)
			}
		})
	}
}

// A session that was written before there was an index enters it at its next Save.
func TestOldSessionsEnterTheIndex(t *testing.T) {
	a := newUsersApp(t)
	with := a.store
	a.store = a.open(dynamostore.Config{Table: a.cfg.Table}, keyA)
	b := a.browser()
	b.set("user", "ann")
	a.store = with
	if got := listed(t, a.store.UserSessions(t.Context(), "ann")); got != nil {
		t.Errorf("UserSessions = %q before the Save", got)
	}
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Error(err)
	}
	if got := listed(t, a.store.UserSessions(t.Context(), "ann")); len(got) != 1 {
		t.Errorf("UserSessions = %q after a Save that changed nothing, want it", got)
	}
}

func TestIndexOfTheTable(t *testing.T) {
	a := newUsersApp(t)
	out, err := a.backend.Raw().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &a.cfg.Table})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Table.GlobalSecondaryIndexes) != 1 {
		t.Fatalf("indexes = %+v", out.Table.GlobalSecondaryIndexes)
	}
	index := out.Table.GlobalSecondaryIndexes[0]
	if aws.ToString(index.IndexName) != "user-index" || index.Projection.ProjectionType != "INCLUDE" || !slices.Equal(index.Projection.NonKeyAttributes, []string{"created"}) {
		t.Errorf("index = %+v", index)
	}
}
