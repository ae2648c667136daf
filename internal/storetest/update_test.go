package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

type changeFunc = func(values map[any]any) error

// increment counts up the value under a key.
func increment(key string) changeFunc {
	return func(values map[any]any) error {
		n, _ := values[key].(int)
		values[key] = n + 1
		return nil
	}
}

// setTo sets the value under a key.
func setTo(key, value any) changeFunc {
	return func(values map[any]any) error { values[key] = value; return nil }
}

// attributesBut returns an item without some attributes.
func attributesBut(item dynamotest.Item, names ...string) dynamotest.Item {
	item = maps.Clone(item)
	for _, name := range names {
		delete(item, name)
	}
	return item
}

// Load returns what is stored, at the cost of one read, and the values are the caller's.
func TestLoad(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.UserKey, c.LabelKey = mode.mode, "user", "device" })
			begin := time.Now()
			b := a.browser()
			want := map[any]any{"user": "ann", "device": "Firefox", "list": []any{"x"}}
			b.with(func(s *sessions.Session) { maps.Copy(s.Values, want) })
			key := "" // also under the lock of a request
			b.with(func(s *sessions.Session) {
				key = a.store.Key(s)
				before := a.item()
				for range 2 {
					a.backend.Counts()
					info, values, err := a.store.Load(t.Context(), key)
					if err != nil || !reflect.DeepEqual(values, want) {
						t.Errorf("Load = %v, %v, want %v", values, err, want)
					}
					if info.Key != key || info.User != "ann" || info.Label != "Firefox" {
						t.Errorf("info = %+v", info)
					}
					wantTime(t, "Created", info.Created.Unix(), begin, 0)
					wantTime(t, "LastSeen", info.LastSeen.Unix(), begin, 0)
					wantTime(t, "Expires", info.Expires.Unix(), begin, 30*24*time.Hour)
					a.wantSent("GetItem")
					values["list"].([]any)[0] = "changed" // which is nothing to the next one
					values["n"] = 1
				}
				if after := a.item(); !reflect.DeepEqual(after, before) {
					t.Errorf("item = %v, want it as it was: %v", after, before)
				}
			})
		})
	}
}

// An Update writes what changed and nothing else: the session's end, and whatever goes with it,
// stay as they are.
func TestUpdate(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			b := a.browser()
			b.with(func(s *sessions.Session) {
				s.Values["role"], s.Values["list"] = "reader", []any{"x"}
				s.Options.MaxAge = 7200
			})
			key := b.keyOf()
			// Its end is to move at the next Save.
			a.alter(dynamotest.Item{
				"expires": dynamotest.N(secondsFromNow(time.Minute)), "seen": dynamotest.N(secondsFromNow(-time.Hour)),
				"note": dynamotest.S("the application's"), "lock": nil, "lock_until": nil,
			})
			before := a.item()
			load := "GetItem"
			if mode.mode == dynamostore.Lock {
				load = "UpdateItem"
			}
			a.backend.Counts()
			err := a.store.Update(t.Context(), key, func(values map[any]any) error {
				if want := (map[any]any{"role": "reader", "list": []any{"x"}}); !reflect.DeepEqual(values, want) {
					t.Errorf("change got %v, want %v", values, want)
				}
				values["role"] = "writer"
				values["list"].([]any)[0] = "y" // in place
				return nil
			})
			if err != nil {
				t.Errorf("Update: %v", err)
			}
			a.wantSent(load, "UpdateItem")
			after := a.item()
			written := []string{"data", "version", "recent", "codec"}
			if got, want := attributesBut(after, written...), attributesBut(before, written...); !reflect.DeepEqual(got, want) {
				t.Errorf("the other attributes are %v, want them as they were: %v", got, want)
			}
			if attrText(after["version"]) == attrText(before["version"]) {
				t.Error("the version is the same")
			}
			if got, want := b.values(), (map[any]any{"role": "writer", "list": []any{"y"}}); !reflect.DeepEqual(got, want) {
				t.Errorf("values = %v, want %v", got, want)
			}
			// The next Save moves the end.
			begin := time.Now()
			b.with(func(s *sessions.Session) {
				if s.Options.MaxAge != 7200 {
					t.Errorf("MaxAge = %d, want 7200", s.Options.MaxAge)
				}
			})
			wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 2*time.Hour)
		})
	}
}

// An Update that changes nothing writes nothing. Under Lock, it releases the lock that it took.
func TestUpdateThatChangesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode; c.TouchInterval = -1 })
			b := a.browser()
			b.set("k", "v")
			key := b.keyOf()
			before := a.item()
			a.backend.Counts()
			if err := a.store.Update(t.Context(), key, setTo("k", "v")); err != nil {
				t.Errorf("Update: %v", err)
			}
			if mode.mode == dynamostore.Lock {
				a.wantSent("UpdateItem", "UpdateItem")
			} else {
				a.wantSent("GetItem")
			}
			if after := a.item(); !sameItem(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// If somebody else wrote meanwhile, change runs again, on what they wrote.
func TestUpdateRunsAgainOnAConflict(t *testing.T) {
	t.Parallel()
	for _, mode := range modes[:3] { // under Lock, it waits
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			b := a.browser()
			b.set("n", 0)
			key := b.keyOf()
			tab := a.another().tab(b)
			a.backend.Counts()
			var seen []any
			err := a.store.Update(t.Context(), key, func(values map[any]any) error {
				seen = append(seen, values["n"])
				if len(seen) <= 2 {
					tab.set("n", 10*len(seen))
				}
				values["n"] = values["n"].(int) + 1
				values[len(seen)] = true // of the run that counts
				return nil
			})
			if err != nil || !reflect.DeepEqual(seen, []any{0, 10, 20}) {
				t.Errorf("Update = %v, change saw n = %v, want 0, 10 and 20", err, seen)
			}
			// A refusal brings what is stored.
			a.wantSent("GetItem", "GetItem", "GetItem", "UpdateItem", "UpdateItem", "UpdateItem", "UpdateItem", "UpdateItem")
			if got, want := b.values(), (map[any]any{"n": 21, 3: true}); !reflect.DeepEqual(got, want) {
				t.Errorf("values = %v, want %v", got, want)
			}
		})
	}
}

// The second run may find that nothing is left to do, or fail.
func TestSecondRunOfUpdate(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for _, test := range []struct {
		name   string
		second changeFunc
		want   error
	}{
		{"nothing to do", func(map[any]any) error { return nil }, nil},
		{"an error", func(values map[any]any) error { values["ours"] = 1; return failed }, failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("n", 0)
			key := b.keyOf()
			tab := a.another().tab(b)
			runs := 0
			var before dynamotest.Item
			err := a.store.Update(t.Context(), key, func(values map[any]any) error {
				if runs++; runs == 2 {
					return test.second(values)
				}
				tab.set("n", 1)
				before = a.item()
				values["ours"] = 1
				return nil
			})
			if err != test.want || runs != 2 {
				t.Errorf("Update = %v after %d runs, want %v after 2", err, runs, test.want)
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as the other request wrote it: %v", after, before)
			}
		})
	}
}

// Update returns the error of change as it is, writes nothing, and leaves no lock and no line
// behind. A panic of change goes on to the caller.
func TestUpdateWhoseChangeFails(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for _, mode := range modes {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, panics: %v", mode.name, panics), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("k", "v")
				key := b.keyOf()
				before := a.item()
				got := func() (got any) {
					defer func() {
						if p := recover(); p != nil {
							got = p
						}
					}()
					return a.store.Update(t.Context(), key, func(values map[any]any) error {
						values["k"] = "w"
						if panics {
							panic(failed)
						}
						return failed
					})
				}()
				if got != any(failed) {
					t.Errorf("Update = %v, want what change returned, or panicked with", got)
				}
				if after := a.item(); !sameItem(after, before) {
					t.Errorf("item = %v, want it as it was: %v", after, before)
				}
				if err := a.store.Update(t.Context(), key, setTo("k", "x")); err != nil {
					t.Errorf("the next Update: %v", err)
				}
				b.set("k", "y")
				if got := b.values()["k"]; got != "y" {
					t.Errorf("k = %v, want y", got)
				}
			})
		}
	}
}

// Where there is no session, Load and Update say so, and change does not run.
func TestUpdateOfNoSession(t *testing.T) {
	t.Parallel()
	live := dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"k": "v"}))}
	item := func(change dynamotest.Item) dynamotest.Item {
		item := maps.Clone(live)
		maps.Copy(item, change)
		for name, v := range item {
			if v == nil {
				delete(item, name)
			}
		}
		return item
	}
	for _, test := range []struct {
		name string
		item dynamotest.Item // nil: none
	}{
		{"an unknown key", nil},
		{"an expired session", item(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(-time.Second))})},
		{"a session past MaxLifetime", item(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-2 * time.Hour))})},
		{"a tombstone of an ended session", item(dynamotest.Item{"data": nil, "gone": dynamotest.S("ended"), "seen": dynamotest.N(secondsFromNow(0))})},
		{"a tombstone of a rotated session", item(dynamotest.Item{"data": nil, "gone": dynamotest.S("moved"), "seen": dynamotest.N(secondsFromNow(0))})},
	} {
		for _, mode := range modes {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.MaxLifetime = mode.mode, time.Hour })
				key := "somebody"
				if test.item != nil {
					a.put(key, test.item)
				}
				before := a.backend.Items(t)
				_, _, err := a.store.Load(t.Context(), key)
				wantError(t, err, dynamostore.ErrGone, key)
				err = a.store.Update(t.Context(), key, func(map[any]any) error {
					t.Error("change was called")
					return nil
				})
				wantError(t, err, dynamostore.ErrGone, key)
				if after := a.backend.Items(t); !sameItems(after, before) {
					t.Errorf("the table holds %v, want what it held: %v", after, before)
				}
			})
		}
	}
}

// A session that ends while change runs stays ended.
func TestSessionEndsDuringUpdate(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name string
			end  func(a *app, tab *browser, key string)
		}{
			{"logout", func(_ *app, tab *browser, _ string) { tab.logout() }},
			{"Destroy", func(a *app, _ *browser, key string) {
				if err := a.store.Destroy(a.Context(), key); err != nil {
					a.Errorf("Destroy: %v", err)
				}
			}},
			{"expiry", func(a *app, _ *browser, _ string) {
				a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(-time.Second))})
			}},
			{"TTL", func(a *app, _ *browser, _ string) { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }},
		} {
			if mode.mode == dynamostore.Lock && test.name == "logout" {
				continue // its Get waits for Update
			}
			t.Run(mode.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("k", "v")
				key, tab := b.keyOf(), a.another().tab(b)
				runs := 0
				err := a.store.Update(t.Context(), key, func(values map[any]any) error {
					runs++
					test.end(a, tab, key)
					values["k"] = "w"
					return nil
				})
				if !errors.Is(err, dynamostore.ErrGone) || runs != 1 {
					t.Errorf("Update = %v after %d runs, want ErrGone after 1", err, runs)
				}
				if session, err := b.load(); err != nil || !session.IsNew {
					t.Errorf("Get = %+v, %v, want a new session", session, err)
				}
			})
		}
	}
}

// Twenty goroutines count by Update, and nothing is lost or counted twice, in any mode.
func TestIncrementsByUpdateAreExact(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				c.Concurrency, c.Timeout = mode.mode, time.Minute
				if mode.mode == dynamostore.Lock {
					c.Lock = dynamostore.LockConfig{Wait: time.Minute, Lease: time.Minute, MinRetry: time.Millisecond, MaxRetry: 5 * time.Millisecond}
				}
			})
			b := a.browser()
			b.set("n", 0)
			key := b.keyOf()
			// Two answers are lost, fewer than the SDK's client makes attempts.
			pass := dynamotest.Do(func() {})
			a.backend.Inject("UpdateItem", pass, dynamotest.AppliedThenReset, pass, pass, dynamotest.AppliedThenReset)
			stores := []*dynamostore.Store{a.store, a.another().store}
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					if err := stores[i%2].Update(t.Context(), key, increment("n")); err != nil {
						t.Errorf("Update: %v", err)
					}
				})
			}
			wg.Wait()
			if got := b.values()["n"]; got != n {
				t.Errorf("n = %v, want %d", got, n)
			}
		})
	}
}

// Update and a request's Save of the same session do not undo each other.
func TestUpdateBesideARequest(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.with(func(s *sessions.Session) { s.Values["role"], s.Values["list"] = "admin", []string{"x"} })
	key := b.keyOf()
	if _, err := b.with(func(s *sessions.Session) {
		err := a.store.Update(t.Context(), key, func(values map[any]any) error {
			delete(values, "role")
			values["list"] = append(values["list"].([]string), "message")
			return nil
		})
		if err != nil {
			t.Errorf("Update: %v", err)
		}
		s.Values["list"] = append(s.Values["list"].([]string), "y")
	}); err != nil {
		t.Errorf("Save: %v", err)
	}
	if got, want := b.values(), (map[any]any{"list": []string{"x", "message", "y"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("values = %v, want %v", got, want)
	}
}

// Under Lock, Update waits for the lock, holds it while change runs, and gives up after Lock.Wait.
func TestUpdateUnderLock(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"the same process", "another process"} {
		t.Run(where, func(t *testing.T) {
			a := newLockingApp(t, func(c *dynamostore.Config) { c.Lock.Wait = time.Minute })
			b := a.browser()
			b.set("n", 1)
			store := a.store
			if where == "another process" {
				store = a.another().store
			}
			impatient := a.cfg
			impatient.Lock.Wait = 10 * time.Millisecond
			var wg sync.WaitGroup
			b.with(func(s *sessions.Session) {
				key := a.store.Key(s)
				err := a.open(impatient, keyA).Update(t.Context(), key, func(map[any]any) error {
					t.Error("change was called without the lock")
					return nil
				})
				wantError(t, err, dynamostore.ErrLockTimeout)
				asked := make(chan struct{})
				if where == "another process" {
					a.backend.Inject("UpdateItem", dynamotest.Do(func() { close(asked) }))
				} else {
					close(asked)
				}
				wg.Go(func() {
					err := store.Update(t.Context(), key, func(values map[any]any) error {
						if values["n"] != 2 || !a.holdsLock() {
							t.Errorf("change sees n = %v, and the session is locked: %v, want 2, and true", values["n"], a.holdsLock())
						}
						// Another request waits meanwhile.
						r := httptest.NewRequest("GET", a.url, nil)
						r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie()})
						_, err := a.open(impatient, keyA).Get(r, cookieName)
						wantError(t, err, dynamostore.ErrLockTimeout)
						return increment("n")(values)
					})
					if err != nil {
						t.Errorf("Update: %v", err)
					}
				})
				<-asked
				s.Values["n"] = 2
			})
			wg.Wait()
			if a.holdsLock() {
				t.Error("the session is locked after Update")
			}
			if got := b.values()["n"]; got != 3 {
				t.Errorf("n = %v, want 3", got)
			}
		})
	}
	t.Run("the lease ends while change runs", func(t *testing.T) {
		a := newLockingApp(t)
		b := a.browser()
		b.set("n", 1)
		key, tab := b.keyOf(), a.another().tab(b)
		runs := 0
		err := a.store.Update(t.Context(), key, func(values map[any]any) error {
			runs++
			a.alter(dynamotest.Item{"lock_until": dynamotest.N("1")})
			tab.set("n", 7)
			return increment("n")(values)
		})
		if !errors.Is(err, dynamostore.ErrLockLost) || runs != 1 {
			t.Errorf("Update = %v after %d runs, want ErrLockLost after 1", err, runs)
		}
		if got := b.values()["n"]; got != 7 {
			t.Errorf("n = %v, want 7", got)
		}
	})
}

// The index and the label follow what Update does.
func TestIndexFollowsUpdate(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t, func(c *dynamostore.Config) { c.LabelKey = "device" })
	b := a.browser()
	b.set("cart", "tea")
	key := b.keyOf()
	for _, test := range []struct {
		name   string
		change changeFunc
		user   string // whose the session is then
		label  string
	}{
		{"log in", setTo("user", "ann"), "ann", ""},
		{"label", setTo("device", "Firefox"), "ann", "Firefox"},
		{"another user", setTo("user", "bob"), "bob", "Firefox"},
		{"no label", func(v map[any]any) error { delete(v, "device"); return nil }, "bob", ""},
		{"log out", func(v map[any]any) error { delete(v, "user"); return nil }, "", ""},
	} {
		if err := a.store.Update(t.Context(), key, test.change); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, user := range []string{"ann", "bob"} {
			infos := infosOf(t, a.store.UserSessions(t.Context(), user))
			if (len(infos) == 1) != (user == test.user) || len(infos) == 1 && infos[0].Label != test.label {
				t.Errorf("%s: UserSessions(%s) = %+v, want the session to be of %q, with the label %q", test.name, user, infos, test.user, test.label)
			}
		}
		info, _, err := a.store.Load(t.Context(), key)
		if err != nil || info.User != test.user || info.Label != test.label {
			t.Errorf("%s: Load = %+v, %v", test.name, info, err)
		}
	}
}

// What Save refuses, Update refuses.
func TestUpdateToWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change changeFunc
		target error
		says   string
	}{
		{"a label that is no string", setTo("device", 7), nil, "Config.LabelKey"},
		{"a label that is too long", setTo("device", strings.Repeat("secret", 43)), nil, "Config.LabelKey"},
		{"a user that has no text", setTo("user", 1.5), nil, "Config.UserKey"},
		{"an empty user", setTo("user", ""), nil, "Config.UserKey"},
		{"what the codec refuses", setTo("f", func() {}), nil, `"f"`},
		{"too much", setTo("k", strings.Repeat("secret", 400<<10)), dynamostore.ErrTooLarge, "too large"},
	} {
		for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
			t.Run(test.name+", "+modes[mode].name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.UserKey, c.LabelKey = mode, "user", "device" })
				b := a.browser()
				b.set("user", "ann")
				key := b.keyOf()
				before := a.item()
				err := a.store.Update(t.Context(), key, test.change)
				if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), key) {
					t.Errorf("Update = %v, want an error that says %q, without the value or key", err, test.says)
				}
				if test.target != nil && !errors.Is(err, test.target) {
					t.Errorf("Update = %v, want %v", err, test.target)
				}
				if after := a.item(); !sameItem(after, before) {
					t.Errorf("item = %v, want it as it was: %v", after, before)
				}
			})
		}
	}
}

// An item that this Store cannot read is an error of Load and Update, and stays as it is.
func TestUpdateOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			a.put("somebody", dynamotest.Item{"data": dynamotest.B([]byte("secret")), "codec": dynamotest.S("gob")})
			before := a.item()
			_, _, err := a.store.Load(t.Context(), "somebody")
			wantError(t, err, dynamostore.ErrUndecodable, "secret", "somebody")
			err = a.store.Update(t.Context(), "somebody", func(map[any]any) error { t.Error("change was called"); return nil })
			wantError(t, err, dynamostore.ErrUndecodable, "secret", "somebody")
			if after := a.item(); !sameItem(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// Update converts an item of another store or of another form, and leaves its end where it is.
func TestUpdateOfAForeignItem(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	expires := dynamotest.N(secondsFromNow(time.Hour))
	a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"n": 1})), "expires": expires, "note": dynamotest.S("theirs")})
	if err := a.store.Update(t.Context(), "foreign", increment("n")); err != nil {
		t.Errorf("Update: %v", err)
	}
	item := a.item()
	if !reflect.DeepEqual(item["expires"], expires) || item["version"] == nil || attrText(item["note"]) != "S:theirs" {
		t.Errorf("item = %v, want one with a version, the same end, and the other attribute", item)
	}
	if _, values, err := a.store.Load(t.Context(), "foreign"); err != nil || values["n"] != 2 {
		t.Errorf("Load = %v, %v, want n = 2", values, err)
	}
}

// UpdateUser updates each session of a user, and nobody else's.
func TestUpdateUser(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			a.store = openOn(t, smallPages{a.backend.Client}, a.cfg)
			var anns []*browser
			for range 3 {
				b := a.browser()
				b.set("user", "ann")
				anns = append(anns, b)
			}
			bob := a.browser()
			bob.set("user", "bob")
			n, err := a.store.UpdateUser(t.Context(), "ann", func(values map[any]any) error {
				values["role"] = "admin of " + values["user"].(string)
				return nil
			})
			if n != 3 || err != nil {
				t.Errorf("UpdateUser = %d, %v, want 3", n, err)
			}
			for _, b := range anns {
				if got := b.values()["role"]; got != "admin of ann" {
					t.Errorf("ann's role is %v", got)
				}
			}
			if got := bob.values()["role"]; got != nil {
				t.Errorf("bob's role is %v", got)
			}
			own := fmt.Errorf("another session: %w", dynamostore.ErrGone)
			if n, err := a.store.UpdateUser(t.Context(), "ann", func(map[any]any) error { return own }); n != 0 || err != own {
				t.Errorf("UpdateUser whose change fails = %d, %v, want 0 and change's error", n, err)
			}
			if n, err := a.store.UpdateUser(t.Context(), "eve", setTo("k", "v")); n != 0 || err != nil {
				t.Errorf("UpdateUser of nobody = %d, %v, want 0", n, err)
			}
		})
	}
}

// A session that ended, or has another user, when its turn comes is left alone and not counted. An
// error of change ends UpdateUser.
func TestUpdateUserMeanwhile(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for _, test := range []struct {
		name      string
		meanwhile func(b *browser) // between the index and the first session
		change    changeFunc
		updated   int
		want      error
	}{
		{"ended", func(b *browser) { b.logout() }, setTo("role", "admin"), 1, nil},
		{"another user", func(b *browser) { b.set("user", "bob") }, setTo("role", "admin"), 1, nil},
		{"no user", func(b *browser) { b.with(func(s *sessions.Session) { delete(s.Values, "user") }) }, setTo("role", "admin"), 1, nil},
		{"change fails at the second", func(b *browser) {}, func(values map[any]any) error {
			if values["last"] != nil {
				return failed
			}
			values["role"] = "admin"
			return nil
		}, 1, failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newUsersApp(t)
			first, last := a.browser(), a.browser()
			first.with(func(s *sessions.Session) { s.Values["user"] = "ann"; s.Options.MaxAge = 1000 })
			last.with(func(s *sessions.Session) { s.Values["user"], s.Values["last"] = "ann", true })
			a.backend.Inject("GetItem", dynamotest.Do(func() { test.meanwhile(first) }))
			n, err := a.store.UpdateUser(t.Context(), "ann", test.change)
			if n != test.updated || err != test.want {
				t.Errorf("UpdateUser = %d, %v, want %d, %v", n, err, test.updated, test.want)
			}
			if test.want == nil && first.values()["role"] != nil {
				t.Errorf("the session that is not ann's any more has %v", first.values())
			}
			if got := last.values()["role"]; (got == "admin") != (test.want == nil) {
				t.Errorf("the other session has the role %v", got)
			}
		})
	}
}

// Update keeps to the context, and to Timeout.
func TestUpdateKeepsToItsContext(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			b := a.browser()
			b.set("n", 1)
			key := b.keyOf()
			ctx, cancel := context.WithCancel(t.Context())
			err := a.store.Update(ctx, key, func(values map[any]any) error {
				cancel()
				return increment("n")(values)
			})
			wantError(t, err, context.Canceled)
			if got := b.values()["n"]; got != 1 {
				t.Errorf("n = %v, want 1", got)
			}
			eventually(func() bool { return a.item()["lock_until"] == nil }) // the end of that request releases it
			short := a.cfg
			short.Timeout = 50 * time.Millisecond
			a.backend.Inject("UpdateItem", dynamotest.Silent)
			a.backend.Inject("GetItem", dynamotest.Silent)
			err = a.open(short, keyA).Update(t.Context(), key, increment("n"))
			wantError(t, err, context.DeadlineExceeded)
			a.backend.Heal()
		})
	}
}

// Config.Timeout bounds the release of the lock as well.
func TestUpdateReleasesTheLockWithinTimeout(t *testing.T) {
	t.Parallel()
	a := newLockingApp(t)
	b := a.browser()
	b.set("k", "v")
	bounded := false
	a.backend.Inject("UpdateItem", dynamotest.Do(func() {}), func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		_, bounded = r.Context().Deadline()
		return next.RoundTrip(r)
	})
	if err := a.store.Update(t.Context(), b.keyOf(), setTo("k", "v")); err != nil { // nothing to write
		t.Errorf("Update: %v", err)
	}
	if !bounded {
		t.Error("the request that releases the lock has no deadline")
	}
}

// A session that has no end, as another store's, is given none by Update.
func TestUpdateOfASessionWithoutAnEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"n": 1}))})
	if err := a.store.Update(t.Context(), "foreign", increment("n")); err != nil {
		t.Errorf("Update: %v", err)
	}
	if got := a.item()["expires"]; got != nil {
		t.Errorf("expires = %s, want none", attrText(got))
	}
	begin := time.Now()
	b.set("n", 3) // a Save gives it one
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 30*24*time.Hour)
}

// Update changes what is stored, so it reads strongly consistent, also with EventualReads: a change
// that looks first, such as one that takes a role away, must not be shown an older session.
func TestUpdateOfAStaleRead(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("role", "reader")
	key := b.keyOf()
	stale := a.item()
	b.set("role", "admin")
	cfg := a.cfg
	cfg.EventualReads = true
	store := openOn(t, staleReads{a.backend.Client, stale}, cfg)
	err := store.Update(t.Context(), key, func(values map[any]any) error {
		if values["role"] == "admin" {
			delete(values, "role")
		}
		return nil
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
	if got := b.values()["role"]; got == "admin" {
		t.Error("Update returned nil, and the session still has the role")
	}
}

// staleReads is a client whose eventually consistent reads find an older item.
type staleReads struct {
	*dynamodb.Client
	item dynamotest.Item
}

func (c staleReads) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := c.Client.GetItem(ctx, in, opts...)
	if err == nil && !*in.ConsistentRead {
		out.Item = maps.Clone(c.item)
	}
	return out, err
}

// An Update whose change takes longer than Config.Timeout writes nothing, and releases the lock.
func TestUpdateWhoseChangeTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := newBubbleApp(t, func(c *dynamostore.Config) { c.Concurrency, c.Timeout = mode.mode, time.Second })
				b := a.browser()
				b.set("n", 1)
				a.backend.Counts()
				err := a.store.Update(t.Context(), b.keyOf(), func(values map[any]any) error {
					time.Sleep(2 * time.Second)
					values["n"] = 2
					return nil
				})
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "change took too long") {
					t.Errorf("Update = %v, want an error that says that change took too long", err)
				}
				if a.isLocked() {
					t.Error("the session stays locked")
				}
				if got := b.values()["n"]; got != 1 {
					t.Errorf("n = %v, want 1", got)
				}
			})
		})
	}
}
