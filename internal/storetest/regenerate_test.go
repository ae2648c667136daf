package storetest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// rotations are the two ways to give a session a new ID.
var rotations = []struct {
	name   string
	rotate func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
}{
	{"Regenerate", (*dynamostore.Store).Regenerate},
	{"an empty ID, and Save", func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
		session.ID = ""
		return s.Save(r, w, session)
	}},
}

// writers are the two ways to write a rotation, and the requests that each takes.
var writers = []struct {
	name           string
	noTransactions bool
	requests       []string
}{
	{"transaction", false, []string{"TransactWriteItems"}},
	{"two writes", true, []string{"PutItem", "UpdateItem"}},
}

func init() {
	if noTransactions {
		writers = writers[1:]
	}
}

// login visits a handler that logs ann in and regenerates the session.
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

// wantItems asserts how many sessions and tombstones the table holds. Without transactions, a
// rotation that was refused leaves a tombstone under the ID that it tried.
func (a *app) wantItems(live, tombstones int) {
	a.Helper()
	a.wantLive(live)
	if got := a.tombstones(); len(got) != tombstones && !(noTransactions && len(got) > tombstones) {
		a.Errorf("the table holds %d tombstones, want %d: %v", len(got), tombstones, got)
	}
}

func TestRegenerate(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, way := range rotations {
			for _, writer := range writers {
				t.Run(mode.name+", "+way.name+", "+writer.name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						c.Concurrency, c.UserKey, c.NoTransactions = mode.mode, "user", writer.noTransactions
					})
					b := a.browser()
					b.set("cart", "tea")
					a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-time.Hour))})
					before := a.item()
					old := b.tab()
					a.backend.Counts()
					begin := time.Now()
					var oldID, newID string
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						oldID = session.ID
						session.Values["user"] = "ann"
						if err := way.rotate(a.store, r, w, session); err != nil {
							t.Errorf("rotate: %v", err)
						}
						newID = session.ID
						load := "GetItem"
						if mode.mode == dynamostore.Lock {
							load = "UpdateItem"
						}
						a.wantSent(append([]string{load, "GetItem"}, writer.requests...)...)
						// A second Save goes to the new item.
						session.Values["n"] = 1
						if err := session.Save(r, w); err != nil {
							t.Errorf("Save after it: %v", err)
						}
						a.wantSent("UpdateItem")
					})
					if len(cookies) != 1 || oldID == newID || len(newID) != 52 {
						t.Errorf("cookies = %v, ID %q before and %q after", cookies, oldID, newID)
					}
					if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann", "n": 1}); !reflect.DeepEqual(got, want) {
						t.Errorf("values = %v, want %v", got, want)
					}
					a.wantItems(1, 1)
					item := a.item()
					if got := attrText(item["id"]); got != "S:"+newID {
						t.Errorf("key = %s, want the new ID", got)
					}
					if got, want := attrNumber(t, item, "created"), attrNumber(t, before, "created"); got != want {
						t.Errorf("created = %d, want that of the session, %d: rotation does not make it younger", got, want)
					}
					if got := attrText(item["user"]); got != "S:ann" {
						t.Errorf("user = %s, want S:ann", got)
					}
					tombstone := a.tombstones()[0]
					wantTime(t, "the tombstone's end", attrNumber(t, tombstone, "expires"), begin, 5*time.Minute)
					// The version before the rotation is less than a minute old, so it is in
					// recent.
					if names := slices.Sorted(maps.Keys(tombstone)); !slices.Equal(names, []string{"expires", "gone", "id", "recent", "seen", "version"}) {
						t.Errorf("the tombstone has %q", names)
					}
					if attrText(tombstone["id"]) != "S:"+oldID || attrText(tombstone["gone"]) != "S:moved" || strings.Contains(fmt.Sprint(tombstone), newID) {
						t.Errorf("tombstone = %v, want one under the old ID, without the new one", tombstone)
					}

					// The old cookie opens nothing, and displaces nothing.
					late := old.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil || !session.IsNew || len(session.Values) != 0 {
							t.Errorf("Get with the old cookie = %+v, %v, want a new session", session, err)
						}
						session.Values["k"] = "v"
						wantError(t, session.Save(r, w), dynamostore.ErrGone)
					})
					if len(late) != 0 {
						t.Errorf("a request with the old cookie set the cookie %v", late)
					}
					a.wantItems(1, 1)
				})
			}
		}
	}
}

// The Save of a request that loaded the session before it was rotated is late, too.
func TestSaveOfASessionThatWasRotatedMeanwhile(t *testing.T) {
	t.Parallel()
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
				wantError(t, err, dynamostore.ErrGone)
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

// What another request wrote since the session was loaded, or at the last moment, is kept by
// Regenerate as by Save.
func TestRegenerateMerges(t *testing.T) {
	t.Parallel()
	for _, way := range rotations {
		for _, writer := range writers {
			t.Run(way.name+", "+writer.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
				b := a.browser()
				b.set("cart", "tea")
				tab := a.another().tab(b)
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					tab.set("early", 1)
					session.Values["user"] = "ann"
					a.backend.Inject(writer.requests[0], dynamotest.Do(func() {
						tab.set("theirs", 1)
						a.backend.Counts() // with the first request, which is held up here
					}))
					if err := way.rotate(a.store, r, w, session); err != nil {
						t.Errorf("rotate: %v", err)
					}
					if !writer.noTransactions {
						a.wantSent("TransactWriteItems")
					} else {
						// The tombstone is refused. The new item is there by then, so it is updated,
						// by a create that is refused first.
						a.wantSent("UpdateItem", "PutItem", "UpdateItem", "UpdateItem")
					}
				})
				if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann", "early": 1, "theirs": 1}); !reflect.DeepEqual(got, want) {
					t.Errorf("values = %v, want %v", got, want)
				}
				a.wantItems(1, 1)
			})
		}
	}
}

func TestRegenerateInOtherModesOnConflict(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode dynamostore.Concurrency
		want error
	}{
		{dynamostore.Refuse, dynamostore.ErrConflict},
		{dynamostore.Lock, dynamostore.ErrLockLost},
		{dynamostore.Overwrite, nil},
	} {
		t.Run(modes[test.mode].name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = test.mode })
			b := a.browser()
			b.set("cart", "tea")
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				id := session.ID
				a.alter(dynamotest.Item{"version": dynamotest.S("another")})
				err := a.store.Regenerate(r, w, session)
				wantError(t, err, test.want)
				if err != nil && session.ID != id {
					t.Error("a failed rotation changed the session's ID")
				}
			})
			if (len(cookies) == 1) != (test.want == nil) {
				t.Errorf("cookies = %v", cookies)
			}
			if test.want == nil {
				a.wantItems(1, 1)
			} else {
				a.wantItems(1, 0)
			}
		})
	}
}

func TestRegenerateElsewhere(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, way := range rotations {
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
					wantError(t, way.rotate(a.store, r, w, session), dynamostore.ErrNotLoaded)
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
				for _, end := range []func(*app, *browser){
					func(_ *app, tab *browser) { tab.logout() },
					func(a *app, _ *browser) { a.backend.Delete(t, dynamotest.Item{"id": a.item()["id"]}) }, // by TTL
				} {
					a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
					b := a.browser()
					b.set("cart", "tea")
					tab := a.another().tab(b)
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						if mode.mode == dynamostore.Lock {
							a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // for the tab to go on
						}
						end(a, tab)
						wantError(t, way.rotate(a.store, r, w, session), dynamostore.ErrGone)
					})
					if len(cookies) != 0 {
						t.Errorf("cookies = %v", cookies)
					}
					a.wantLive(0)
				}
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
				a.wantSent("PutItem")
				if len(cookies) != 1 {
					t.Errorf("cookies = %v", cookies)
				}
				a.wantItems(1, 0)
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
		a.wantItems(0, 1)
		if b.cookie() != "" {
			t.Error("the browser still has the cookie")
		}
	})
	t.Run("a foreign item", func(t *testing.T) {
		a := newApp(t)
		b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"n": 1}))})
		if _, err := b.login(); err != nil {
			t.Error(err)
		}
		if got := b.values()["n"]; got != 1 {
			t.Errorf("n = %v", got)
		}
		a.wantItems(1, 1)
	})
	t.Run("to an ID of the application's own", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("cart", "tea")
		if _, err := b.with(func(s *sessions.Session) { s.ID = "mine" }); err != nil {
			t.Error(err)
		}
		if got := attrText(a.item()["id"]); got != "S:mine" {
			t.Errorf("key = %s, want the application's", got)
		}
		if got := b.values()["cart"]; got != "tea" {
			t.Errorf("cart = %v", got)
		}
	})
}

// A new ID that belongs to another session, or is the session's own, is an error that changes
// neither.
func TestRegenerateToAnIDThatIsTaken(t *testing.T) {
	t.Parallel()
	for _, noTransactions := range []bool{false, true} {
		t.Run(fmt.Sprintf("NoTransactions %t", noTransactions), func(t *testing.T) { testRegenerateToAnIDThatIsTaken(t, noTransactions) })
	}
}

func testRegenerateToAnIDThatIsTaken(t *testing.T, noTransactions bool) {
	ids := []string{"first", "second", "first", "second"}
	a := newApp(t, func(c *dynamostore.Config) {
		c.NewID = func() string { id := ids[0]; ids = ids[1:]; return id }
		c.NoTransactions = noTransactions
	})
	other := a.browser()
	other.set("cart", "milk")
	b := a.browser()
	b.set("cart", "tea")
	before := a.backend.Items(t)
	_, err := b.login()
	wantError(t, err, dynamostore.ErrConflict, "first", "second")
	if _, err = b.login(); err == nil || !strings.Contains(err.Error(), "Config.NewID") || strings.Contains(err.Error(), "second") {
		t.Errorf("login with the session's own ID: %v, want an error that names Config.NewID, and no ID", err)
	}
	if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
		t.Errorf("items = %v, want them as they were: %v", after, before)
	}
}

// Where an application keeps attributes of its own in a session's item, they go along, also those that it
// adds after the session was loaded.
func TestRegenerateKeepsTheApplicationsAttributes(t *testing.T) {
	t.Parallel()
	for _, writer := range writers {
		t.Run(writer.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
			b := a.browser()
			b.set("cart", "tea")
			own := dynamotest.Item{"note": dynamotest.S("mine"), "user": dynamotest.N("7"), "label": dynamotest.B([]byte{1})}
			a.alter(own)
			tab := a.another().tab(b)
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				tab.set("theirs", 1)
				added := dynamotest.Item{"ip": dynamotest.S("192.0.2.7")}
				a.alter(added)
				maps.Copy(own, added)
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Errorf("Regenerate: %v", err)
				}
			})
			a.wantItems(1, 1)
			for name, v := range own {
				if got := a.item()[name]; !reflect.DeepEqual(got, v) {
					t.Errorf("the new item has %q = %s, want %s", name, attrText(got), attrText(v))
				}
				if got := a.tombstones()[0][name]; got != nil {
					t.Errorf("the tombstone has %q = %s", name, attrText(got))
				}
			}
		})
	}
}

// Wherever a session is stored, and whatever its lifetime is, a rotation keeps to it.
func TestRegenerateKeepsToTheConfig(t *testing.T) {
	t.Parallel()
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
		for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
			for _, writer := range writers {
				t.Run(test.name+", "+modes[mode].name+", "+writer.name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						*c = test.cfg
						c.Concurrency, c.NoTransactions = mode, writer.noTransactions
					})
					b := a.browser()
					if _, err := b.with(func(s *sessions.Session) { s.Values["cart"] = "tea"; s.Options.MaxAge = 90 * day }); err != nil {
						t.Fatal(err)
					}
					expires := "expires"
					if name := test.cfg.ExpiresAttribute; name != "" {
						expires = name
					}
					for i, maxAge := range []int{90 * day, 0} { // as remembered, then changed along with the rotation
						old := b.tab()
						begin := time.Now()
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
						a.wantItems(1, i+1)
						item := a.item()
						if got := attrNumber(t, item, "max_age"); got != int64(maxAge) {
							t.Errorf("max_age = %d, want %d", got, maxAge)
						}
						life := 90 * 24 * time.Hour
						if maxAge == 0 {
							life = 24 * time.Hour
						}
						wantTime(t, expires, attrNumber(t, item, expires), begin, life)
						if item["lock_until"] != nil {
							t.Error("the new item is locked")
						}
						for _, item := range a.backend.Items(t) {
							if key := attrText(item["id"]); !strings.HasPrefix(key, "S:"+test.cfg.KeyPrefix) {
								t.Errorf("key = %s, without the prefix", key)
							}
							if name := test.cfg.SortKeyAttribute; name != "" && attrText(item[name]) != "S:"+test.cfg.SortKeyValue {
								t.Errorf("sort key = %s", attrText(item[name]))
							}
						}
						if session, err := old.load(); err != nil || !session.IsNew {
							t.Errorf("with the old cookie, Get = %+v, %v", session, err)
						}
					}
					if got, want := b.values(), (map[any]any{"cart": "tea", "n": 1}); !reflect.DeepEqual(got, want) {
						t.Errorf("values = %v, want %v", got, want)
					}
					b.logout()
					a.wantItems(0, 3)
				})
			}
		}
	}
}

// A request that waits for the lock of a session finds, once that was rotated, a tombstone.
func TestRequestWaitingForTheLockDuringRotation(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = time.Minute })
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
					t.Errorf("the request that waited has %v, want a new session", s.Values)
				}
				s.Values["k"] = "v"
			})
			wantError(t, err, dynamostore.ErrGone)
			if len(cookies) != 0 {
				t.Errorf("the request that waited got the cookie %v", cookies)
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

// A login that is sent twice succeeds twice, whichever response the browser keeps.
func TestLoginSentTwice(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, writer := range writers {
			configure := func(c *dynamostore.Config) {
				c.Concurrency, c.NoTransactions, c.UserKey, c.Timeout = mode.mode, writer.noTransactions, "user", time.Minute
				c.TouchInterval = -1
			}
			// loggedIn asserts that the browser is logged in, and returns its cart.
			loggedIn := func(t *testing.T, b *browser) any {
				t.Helper()
				b.set("after", 1)
				got := b.values()
				if got["user"] != "ann" || got["after"] != 1 {
					t.Errorf("after the login, the browser has %v, want the user ann", got)
				}
				return got["cart"]
			}
			t.Run("after a lost response, "+mode.name+", "+writer.name, func(t *testing.T) {
				a := newApp(t, configure)
				b := a.browser()
				b.set("cart", "tea")
				first := b.tab()
				if _, err := first.login(); err != nil {
					t.Errorf("first login: %v", err)
				}
				// The browser never got the response, so it sends the old cookie.
				cookies, err := b.login()
				if err != nil || len(cookies) != 1 {
					t.Errorf("second login: %v, with cookies %v", err, cookies)
				}
				a.wantItems(2, 1)
				if cart := loggedIn(t, first); cart != "tea" {
					t.Errorf("the first login has the cart %v, want tea", cart)
				}
				if cart := loggedIn(t, b); cart != nil {
					t.Errorf("the second login has the cart %v, want a new session", cart)
				}
			})
			if mode.mode == dynamostore.Lock {
				continue // the second one waits, and then finds what one after a lost response finds
			}
			t.Run("by a double click, "+mode.name+", "+writer.name, func(t *testing.T) {
				a := newApp(t, configure)
				b := a.browser()
				b.set("cart", "tea")
				tabs := []*browser{b.tab(), a.another().tab(b), b.tab()}
				var loaded, done sync.WaitGroup
				loaded.Add(len(tabs))
				for _, tab := range tabs {
					done.Go(func() {
						cookies := tab.visit(func(w http.ResponseWriter, r *http.Request) {
							session, err := tab.app.store.Get(r, cookieName)
							if err != nil || session.Values["cart"] != "tea" {
								t.Errorf("Get = %+v, %v", session, err)
							}
							loaded.Done()
							loaded.Wait()
							session.Values["user"] = "ann"
							if err := tab.app.store.Regenerate(r, w, session); err != nil {
								t.Errorf("Regenerate: %v", err)
							}
						})
						if len(cookies) != 1 {
							t.Errorf("a login set the cookies %v, want one", cookies)
						}
					})
				}
				done.Wait()
				a.wantLive(len(tabs)) // of two writes, the first may leave a tombstone where it was refused
				// One moved the session. The others have what they changed.
				carts := 0
				for _, tab := range tabs {
					if cart := loggedIn(t, tab); cart == "tea" {
						carts++
					}
				}
				if carts != 1 {
					t.Errorf("%d of %d logins have the cart, want one", carts, len(tabs))
				}
			})
		}
	}
}

// A login that starts a session of its own, because another request has moved the session, also keeps
// its own MaxAge. It does not take over one that a third request saved before the move.
func TestLoginDuringAMoveKeepsItsMaxAge(t *testing.T) {
	t.Parallel()
	for _, writer := range writers {
		t.Run(writer.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = writer.noTransactions })
			b := a.browser()
			b.set("cart", "tea")
			other := a.another().tab(b)
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				other.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := other.app.store.Get(r, cookieName)
					session.Options.MaxAge = 3600
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save of another MaxAge: %v", err)
					}
				})
				a.backend.Inject(writer.requests[len(writer.requests)-1], dynamotest.Do(func() {
					if _, err := other.login(); err != nil {
						t.Errorf("the other login: %v", err)
					}
				}))
				session.Values["user"] = "ann"
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Errorf("Regenerate: %v", err)
				}
				if got, want := session.Options.MaxAge, a.store.Options.MaxAge; got != want {
					t.Errorf("after Regenerate, MaxAge = %d, want %d", got, want)
				}
			})
			b.visit(func(_ http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if got, want := session.Options.MaxAge, a.store.Options.MaxAge; err != nil || got != want {
					t.Errorf("the session has MaxAge %d, %v, want %d", got, err, want)
				}
				if want := map[any]any{"user": "ann"}; !reflect.DeepEqual(session.Values, want) {
					t.Errorf("values = %v, want %v", session.Values, want)
				}
			})
			a.wantLive(2)
		})
	}
}

// Any number of logins of one session at once, loaded before or after the first one: each succeeds.
func TestManyLoginsAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Timeout = time.Minute })
	b := a.browser()
	b.set("cart", "tea")
	var wg sync.WaitGroup
	var tabs []*browser
	for _, other := range []*app{a, a.another(), a, a.another()} {
		tab := other.tab(b)
		tabs = append(tabs, tab)
		wg.Go(func() {
			if _, err := tab.login(); err != nil {
				t.Errorf("login: %v", err)
			}
		})
	}
	wg.Wait()
	for _, tab := range tabs {
		if got := tab.values()["user"]; got != "ann" {
			t.Errorf("after the login, the user is %v", got)
		}
	}
	a.wantItems(len(tabs), 1)
}

// A fault that passes does not fail a rotation. After one that does not, the session is as it was.
func TestRegenerateDuringFaults(t *testing.T) {
	t.Parallel()
	if noTransactions {
		t.Skip("the faults are those of transactions; see TestTwoWritesBreakOff")
	}
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

// The idle timeout moves, and the absolute one does not, also across rotations.
func TestMaxLifetimeAcrossRotations(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime, c.Concurrency = 2*time.Hour, mode.mode })
			b := a.browser()
			b.set("cart", "tea")
			created := dynamotest.N(secondsFromNow(-90 * time.Minute))
			a.alter(dynamotest.Item{"created": created})
			for range 3 {
				if _, err := b.login(); err != nil {
					t.Fatal(err)
				}
			}
			item := a.item()
			if !reflect.DeepEqual(item["created"], created) {
				t.Errorf("created = %s, want %s", attrText(item["created"]), attrText(created))
			}
			if got, want := attrNumber(t, item, "expires"), attrNumber(t, item, "created")+2*60*60; got != want {
				t.Errorf("expires = %d, want 2 h after created, %d", got, want)
			}
			a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-2 * time.Hour))})
			if session, err := b.load(); err != nil || !session.IsNew {
				t.Errorf("Get = %+v, %v, want a new session", session, err)
			}
		})
	}
}

// The absolute lifetime ends between Get and Regenerate.
func TestRegenerateAfterTheEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = 2 * time.Hour })
	b := a.browser()
	b.set("user", "ann")
	shorter := a.open(dynamostore.Config{Table: a.cfg.Table, MaxLifetime: time.Minute}, keyA)
	a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-time.Hour))})
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Error(err)
		}
		wantError(t, shorter.Regenerate(r, w, session), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("Regenerate set %v", cookies)
	}
}

// A client without TransactWriteItems rotates by two writes, whatever Config says, and an engine
// without transactions does so with NoTransactions.
func TestRegenerateWithoutTransactions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(a *app)
	}{
		{"a client without TransactWriteItems", func(a *app) {
			store, err := dynamostore.New(struct{ dynamostore.Client }{a.backend.Client}, a.cfg, keyA)
			if err != nil {
				a.Fatal(err)
			}
			a.store = store
		}},
		{"an engine without transactions", func(a *app) {
			a.backend.RefuseTransactions()
			a.cfg.NoTransactions = true
			a.store = a.open(a.cfg, keyA)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			test.prepare(a)
			b := a.browser()
			b.set("cart", "tea")
			a.backend.Counts()
			if cookies, err := b.login(); err != nil || len(cookies) != 1 {
				t.Errorf("login = %v, with cookies %v", err, cookies)
			}
			a.wantSent("GetItem", "GetItem", "PutItem", "UpdateItem")
			if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann"}); !reflect.DeepEqual(got, want) {
				t.Errorf("values = %v, want %v", got, want)
			}
			a.wantItems(1, 1)
		})
	}
	if noTransactions {
		return // all Stores of these tests know
	}
	// Without NoTransactions, it is an error, and the session is as it was.
	a := newApp(t)
	a.backend.RefuseTransactions()
	b := a.browser()
	b.set("cart", "tea")
	if _, err := b.login(); err == nil {
		t.Error("login on an engine without transactions, without NoTransactions: no error")
	}
	if got, want := b.values(), (map[any]any{"cart": "tea"}); !reflect.DeepEqual(got, want) {
		t.Errorf("values = %v, want %v", got, want)
	}
}

// A rotation by two writes can break off at each of four points: before and after either write.
// Wherever it does, another try completes it, and leaves one session. If there is none, since the
// process died, the visitor goes on with the session that the cookie opens, and can log in.
func TestTwoWritesBreakOff(t *testing.T) {
	t.Parallel()
	down := dynamotest.Times(3, dynamotest.Refused) // for all attempts of the SDK's client
	applied := append([]dynamotest.Fault{dynamotest.AppliedThenReset}, down[1:]...)
	for _, point := range []struct {
		name    string
		op      string
		faults  []dynamotest.Fault
		rotated bool // the old item is a tombstone by then
		orphans int  // items that nobody can open, if there is no other try
	}{
		{"before the new item", "PutItem", down, false, 0},
		{"after the new item", "PutItem", applied, false, 1},
		{"before the tombstone", "UpdateItem", down, false, 1},
		{"after the tombstone", "UpdateItem", applied, true, 1},
	} {
		for _, mode := range modes {
			newCase := func(t *testing.T) (*app, *browser) {
				a := newApp(t, func(c *dynamostore.Config) {
					c.Concurrency, c.NoTransactions, c.UserKey = mode.mode, true, "user"
				})
				b := a.browser()
				b.set("cart", "tea")
				return a, b
			}
			// failedLogin regenerates the session while point's faults are in the way, and then
			// calls next.
			failedLogin := func(a *app, b *browser, next func(w http.ResponseWriter, r *http.Request, s *sessions.Session)) []*http.Cookie {
				return b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						a.Errorf("Get: %v", err)
					}
					a.backend.Inject(point.op, point.faults...)
					session.Values["user"] = "ann"
					err = a.store.Regenerate(r, w, session)
					if err == nil || errors.Is(err, dynamostore.ErrConflict) || errors.Is(err, dynamostore.ErrGone) {
						a.Errorf("Regenerate = %v, want DynamoDB's error", err)
					}
					if len(w.Header()["Set-Cookie"]) != 0 {
						a.Errorf("a failed Regenerate set a cookie")
					}
					if n := a.backend.Pending(); n != 0 {
						a.Errorf("%d faults were not met", n)
					}
					next(w, r, session)
				})
			}
			for _, again := range []struct {
				name string
				save func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
			}{
				{"Regenerate", (*dynamostore.Store).Regenerate},
				{"Save", (*dynamostore.Store).Save},
			} {
				t.Run(point.name+", "+mode.name+", and "+again.name+" again", func(t *testing.T) {
					a, b := newCase(t)
					old := b.tab()
					cookies := failedLogin(a, b, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
						s.Values["n"] = 1
						if err := again.save(a.store, r, w, s); err != nil {
							t.Errorf("%s again: %v", again.name, err)
						}
						s.Values["n"] = 2 // and once more
						if err := s.Save(r, w); err != nil {
							t.Errorf("Save after it: %v", err)
						}
					})
					if got, want := b.values(), (map[any]any{"cart": "tea", "user": "ann", "n": 2}); !reflect.DeepEqual(got, want) {
						t.Errorf("values = %v, want %v", got, want)
					}
					a.wantLive(1)
					if rotated := point.rotated || again.name == "Regenerate"; rotated {
						if len(cookies) != 1 {
							t.Errorf("cookies = %v, want that of the new ID", cookies)
						}
						if session, err := old.load(); err != nil || !session.IsNew {
							t.Errorf("with the old cookie, Get = %+v, %v, want a new session", session, err)
						}
					}
				})
			}
			t.Run(point.name+", "+mode.name+", and a logout", func(t *testing.T) {
				a, b := newCase(t)
				old := b.tab()
				failedLogin(a, b, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
					s.Options.MaxAge = -1
					if err := s.Save(r, w); err != nil {
						t.Errorf("logout: %v", err)
					}
				})
				a.wantLive(0)
				if session, err := old.load(); err != nil || !session.IsNew || b.cookie() != "" {
					t.Errorf("with the old cookie, Get = %+v, %v, want a new session", session, err)
				}
			})
			t.Run(point.name+", "+mode.name+", and the process dies", func(t *testing.T) {
				a, b := newCase(t)
				failedLogin(a, b, func(http.ResponseWriter, *http.Request, *sessions.Session) {})
				a.wantLive(1 + point.orphans - map[bool]int{true: 1}[point.rotated])
				after := a.another().tab(b)
				want := map[any]any{"cart": "tea"}
				if point.rotated {
					want = map[any]any{} // it is under an ID that the browser was not told
				}
				if got := after.values(); !reflect.DeepEqual(got, want) {
					t.Errorf("the next request has %v, want %v", got, want)
				}
				want["user"] = "ann"
				if cookies, err := after.login(); err != nil || len(cookies) != 1 {
					t.Errorf("login = %v, with cookies %v", err, cookies)
				}
				if got := after.values(); !reflect.DeepEqual(got, want) {
					t.Errorf("after the login, values = %v, want %v", got, want)
				}
				a.wantLive(1 + point.orphans)
			})
		}
	}
}

// What another request does between the two writes of a rotation.
func TestRequestBetweenTheTwoWrites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		meanwhile  func(tab *browser)
		live       int
		tombstones int
	}{
		{"a Save", func(tab *browser) { tab.set("theirs", 1) }, 1, 1},
		{"a login", func(tab *browser) {
			if _, err := tab.login(); err != nil {
				tab.app.Errorf("their login: %v", err)
			}
		}, 2, 2}, // one of them where the first of the two writes was
	} {
		for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Overwrite} {
			t.Run(test.name+", "+modes[mode].name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.NoTransactions = mode, true })
				b := a.browser()
				b.set("cart", "tea")
				tab := a.another().tab(b)
				a.backend.Inject("UpdateItem", dynamotest.Do(func() { test.meanwhile(tab) }))
				cookies, err := b.login()
				if err != nil || len(cookies) != 1 {
					t.Errorf("login = %v, with cookies %v", err, cookies)
				}
				got := b.values()
				if got["user"] != "ann" {
					t.Errorf("values = %v, want the user ann", got)
				}
				if kept := mode == dynamostore.Merge; test.live == 1 && (got["cart"] != "tea" || (got["theirs"] == 1) != kept) {
					t.Errorf("values = %v, want the cart, and what the other request saved: %v", got, kept)
				}
				a.wantItems(test.live, test.tombstones)
			})
		}
	}
}

// A rotation by two writes that is refused at the second ends what the first one made.
func TestRefusedRotationLeavesTheNewItem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		mode      dynamostore.Concurrency
		meanwhile func(b *browser)
		want      error
		live      int
	}{
		{"a conflict, Refuse", dynamostore.Refuse, func(b *browser) { b.set("theirs", 1) }, dynamostore.ErrConflict, 1},
		{"another user, Merge", dynamostore.Merge, func(b *browser) { b.set("user", "bob") }, dynamostore.ErrConflict, 1},
		{"a logout", dynamostore.Merge, func(b *browser) { b.logout() }, dynamostore.ErrGone, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.NoTransactions, c.UserKey = test.mode, true, "user" })
			b := a.browser()
			b.set("cart", "tea")
			tab := a.another().tab(b)
			a.backend.Inject("UpdateItem", dynamotest.Do(func() { test.meanwhile(tab) }))
			_, err := b.login()
			wantError(t, err, test.want)
			a.wantLive(test.live)
		})
	}
}

// A rotation by two writes of a session whose item is gone, deleted by TTL or by an older store's
// logout, is ErrGone, as by a transaction, although the new item is there by then.
func TestTwoWritesOfADeletedSession(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.NoTransactions = true })
	b := a.browser()
	b.set("user", "ann")
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		a.backend.Delete(t, dynamotest.Item{"id": a.item()["id"]})
		wantError(t, a.store.Regenerate(r, w, session), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("cookies = %v, want none", cookies)
	}
	a.wantLive(0)
}

// "No ended session comes back": a request that loaded the session before a rotation, and
// regenerates it after the rotated one was ended, is not logged in by what it had loaded. Whether
// it gets a session of its own is another matter.
func TestRegenerateDoesNotReviveAnEndedSession(t *testing.T) {
	t.Parallel()
	for _, mode := range modes[:3] { // under Lock, it waits
		for _, noTransactions := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, NoTransactions %t", mode.name, noTransactions), func(t *testing.T) {
				testRegenerateDoesNotRevive(t, mode.mode, noTransactions)
			})
		}
	}
}

func testRegenerateDoesNotRevive(t *testing.T, mode dynamostore.Concurrency, noTransactions bool) {
	for _, end := range []struct {
		name    string
		userKey string
		f       func(a *app, b *browser)
	}{
		{"logout", "user", func(_ *app, b *browser) { b.logout() }},
		{"logout, without UserKey", "", func(_ *app, b *browser) { b.logout() }},
		{"DestroyUser", "user", func(a *app, _ *browser) {
			if n, err := a.store.DestroyUser(a.Context(), "ann"); n != 1 || err != nil {
				a.Errorf("DestroyUser = %d, %v, want 1", n, err)
			}
		}},
	} {
		for name, change := range map[string]func(*sessions.Session){
			"unchanged": func(*sessions.Session) {},
			"changed":   func(s *sessions.Session) { s.Values["role"] = "admin" },
		} {
			t.Run(end.name+", "+name, func(t *testing.T) {
				a := newUsersApp(t, func(c *dynamostore.Config) {
					c.Concurrency, c.NoTransactions, c.UserKey = mode, noTransactions, end.userKey
				})
				b := a.browser()
				b.set("user", "ann")
				late := b.tab()
				late.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					b.login()
					end.f(a, b)
					change(session)
					a.store.Regenerate(r, w, session)
				})
				if got := late.values()["user"]; got != nil {
					t.Errorf("after the session was ended, a late request is logged in as %v", got)
				}
			})
		}
	}
}

// On a double click of somebody who is logged in as the same user already, the second request gets
// ErrGone, and no cookie that could displace that of the first.
func TestLoginOfTheSameUserSentTwice(t *testing.T) {
	t.Parallel()
	for _, userKey := range []string{"user", ""} {
		t.Run("UserKey "+strconv.Quote(userKey), func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.UserKey = userKey })
			first := a.browser()
			first.set("user", "ann")
			cookies := first.tab().visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				if _, err := first.login(); err != nil {
					t.Errorf("first login: %v", err)
				}
				session.Values["user"] = "ann"
				wantError(t, a.store.Regenerate(r, w, session), dynamostore.ErrGone)
			})
			if len(cookies) != 0 {
				t.Errorf("the second login set the cookies %v", cookies)
			}
			if got := first.values()["user"]; got != "ann" {
				t.Errorf("after the second login, the user is %v, want ann", got)
			}
			a.wantLive(1)
		})
	}
}

// Without transactions, a Regenerate that is refused leaves no session under the ID that it tried.
func TestRefusedRegenerateInTwoWritesLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		mode dynamostore.Concurrency
		do   func(a *app, tab *browser)
		want error
		live int
	}{
		{"conflict", dynamostore.Refuse, func(_ *app, tab *browser) { tab.set("theirs", 1) }, dynamostore.ErrConflict, 1},
		{"another user", dynamostore.Merge, func(_ *app, tab *browser) { tab.set("user", "bob") }, dynamostore.ErrConflict, 1},
		{"logged out", dynamostore.Merge, func(_ *app, tab *browser) { tab.logout() }, dynamostore.ErrGone, 0},
		{"logged out", dynamostore.Refuse, func(_ *app, tab *browser) { tab.logout() }, dynamostore.ErrGone, 0},
		{"logged out", dynamostore.Overwrite, func(_ *app, tab *browser) { tab.logout() }, dynamostore.ErrGone, 0},
	} {
		for _, next := range []string{"", "Save", "Regenerate"} { // after a Regenerate whose second write was not answered
			t.Run(fmt.Sprintf("%s, mode %d, %s", test.name, test.mode, next), func(t *testing.T) {
				a := newApp(t, patientMode(test.mode), func(c *dynamostore.Config) { c.NoTransactions, c.UserKey = true, "user" })
				b := a.browser()
				b.set("user", "ann")
				tab := a.elsewhere().tab(b)
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					session.Values["ours"] = 1
					if next != "" {
						onUpdatesOf(a.backend, "gone", lost.faults(nil)...)
						if err := a.store.Regenerate(r, w, session); err == nil {
							t.Error("Regenerate succeeded, and DynamoDB did not answer it")
						}
					}
					if next == "" { // between its two writes
						onUpdatesOf(a.backend, "gone", dynamotest.Do(func() { test.do(a, tab) }))
					} else {
						test.do(a, tab)
					}
					if next == "Save" {
						err = session.Save(r, w)
					} else {
						err = a.store.Regenerate(r, w, session)
					}
					wantError(t, err, test.want)
				})
				a.wantLive(test.live)
			})
		}
	}
}

// Between the two writes of a Regenerate, or before it is repeated, UpdateUser finds the first one in
// the index. What it changes there is kept.
func TestUpdateUserBetweenTheTwoWrites(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("the second is lost: %t", lost), func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { c.NoTransactions = true })
			b := a.browser()
			b.set("cart", "tea")
			tab := a.another().tab(b)
			block := func() {
				n, err := a.store.UpdateUser(t.Context(), "ann", func(values map[any]any) error { values["role"] = "blocked"; return nil })
				if n != 1 || err != nil {
					t.Errorf("UpdateUser = %d, %v, want 1", n, err)
				}
			}
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				session.Values["user"] = "ann"
				if lost {
					a.backend.Inject("UpdateItem", dynamotest.Times(5, dynamotest.Refused)...)
					if err := a.store.Regenerate(r, w, session); err == nil {
						t.Error("Regenerate succeeded, and its second write was lost")
					}
					a.backend.Heal()
					block()
				} else {
					a.backend.Inject("UpdateItem", dynamotest.Do(func() {
						block()
						tab.set("theirs", 1)
					}))
				}
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Errorf("Regenerate: %v", err)
				}
			})
			want := map[any]any{"cart": "tea", "user": "ann", "role": "blocked"}
			if !lost {
				want["theirs"] = 1
			}
			if got := b.values(); !reflect.DeepEqual(got, want) {
				t.Errorf("the session holds %v, want %v", got, want)
			}
			a.wantLive(1)
		})
	}
}
