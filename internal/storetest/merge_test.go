package storetest

import (
	"encoding/gob"
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

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// Values as applications have them.
type (
	boughtItem struct {
		Name  string
		Count int
	}
	shoppingCart struct {
		Lines []boughtItem
		Notes map[string]string
	}
	pointedCart struct{ Items []string } // stored by pointer
)

func init() {
	gob.Register([]boughtItem{})
	gob.Register(shoppingCart{})
	gob.Register(&pointedCart{})
	gob.Register(map[string]int{})
	gob.Register(map[string]any{})
	gob.Register(time.Time{})
}

// mergeCodecs are codecs that know those types.
var mergeCodecs = []dynamostore.Codec{
	dynamostore.GobCodec{},
	dynamostore.JSONCodec{Types: []any{boughtItem{}, shoppingCart{}, pointedCart{}}},
}

// TestMerge has two requests change one session, the other one first, and compares what is stored
// then. The conflict costs one request more, unless nothing is left to write.
func TestMerge(t *testing.T) {
	t.Parallel()
	type values = map[any]any
	type change = func(*sessions.Session)
	set := func(key, value any) change {
		return func(s *sessions.Session) { s.Values[key] = value }
	}
	remove := func(keys ...any) change {
		return func(s *sessions.Session) {
			for _, key := range keys {
				delete(s.Values, key)
			}
		}
	}
	numbers := func(from, to int) []int {
		var all []int
		for n := from; n < to; n++ {
			all = append(all, n)
		}
		return all
	}
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		name         string
		base         values
		theirs, ours change
		want         values
	}{
		{"different keys", values{"user": "ann"}, set("theirs", 1), set("ours", 2), values{"user": "ann", "theirs": 1, "ours": 2}},
		{"one key: the later write", values{"k": 0}, set("k", 1), set("k", 2), values{"k": 2}},
		{"one key, of different types", values{"k": 0}, set("k", "one"), set("k", []any{2}), values{"k": []any{2}}},
		{"they deleted, we changed", values{"k": 0}, remove("k"), set("k", 2), values{"k": 2}},
		{"they changed, we deleted", values{"k": 0}, set("k", 1), remove("k"), values{}},
		{"deletions of different keys", values{"a": 1, "b": 1, "c": 1}, remove("a"), remove("b"), values{"c": 1}},

		{"flashes, both added", values{},
			func(s *sessions.Session) { s.AddFlash("theirs") },
			func(s *sessions.Session) { s.AddFlash("ours") },
			values{"_flash": []any{"theirs", "ours"}}},
		{"flashes, we consumed", values{"_flash": []any{"old"}},
			func(s *sessions.Session) { s.AddFlash("theirs") },
			func(s *sessions.Session) { s.Flashes() },
			values{"_flash": []any{"theirs"}}},
		{"flashes, they consumed", values{"_flash": []any{"old"}},
			func(s *sessions.Session) { s.Flashes() },
			func(s *sessions.Session) { s.AddFlash("ours") },
			values{"_flash": []any{"ours"}}},

		{"[]string, both appended", values{"cart": []string{"tea"}},
			set("cart", []string{"tea", "milk"}), set("cart", []string{"tea", "salt"}),
			values{"cart": []string{"tea", "milk", "salt"}}},
		{"[]string, both appended the same", values{"cart": []string{}},
			set("cart", []string{"tea"}), set("cart", []string{"tea"}),
			values{"cart": []string{"tea", "tea"}}},
		{"[]string, each removed one of two equal ones", values{"cart": []string{"tea", "tea", "milk"}},
			set("cart", []string{"tea", "milk"}), set("cart", []string{"tea", "milk"}),
			values{"cart": []string{"milk"}}},
		{"[]item, appended and removed", values{"cart": []boughtItem{{"tea", 1}, {"milk", 1}}},
			set("cart", []boughtItem{{"tea", 1}, {"milk", 1}, {"salt", 2}}), set("cart", []boughtItem{{"milk", 1}}),
			values{"cart": []boughtItem{{"milk", 1}, {"salt", 2}}}},
		{"a role revoked while we sort", values{"roles": []string{"writer", "admin", "editor"}},
			set("roles", []string{"writer", "editor"}), set("roles", []string{"admin", "editor", "writer"}),
			values{"roles": []string{"writer", "editor"}}},
		{"a role that we revoke while they sort", values{"roles": []string{"writer", "admin", "editor"}},
			set("roles", []string{"admin", "editor", "writer"}), set("roles", []string{"writer", "editor"}),
			values{"roles": []string{"editor", "writer"}}},
		{"a ring of 1,200 elements", values{"ring": numbers(0, 1200)},
			set("ring", append(numbers(3, 1200), 2001, 2002, 2003)), set("ring", append(numbers(2, 1200), 3001, 3002)),
			values{"ring": append(numbers(3, 1200), 2001, 2002, 2003, 3001, 3002)}},
		{"a ring of 1,200 elements that they replaced", values{"ring": numbers(0, 1200)},
			set("ring", numbers(1200, 2400)), set("ring", append(numbers(1, 1200), 3001)),
			values{"ring": append(numbers(1200, 2400), 3001)}},

		{"map[string]int", values{"cart": map[string]int{"tea": 1, "milk": 1}},
			set("cart", map[string]int{"tea": 1, "milk": 2}), set("cart", map[string]int{"tea": 3, "milk": 1, "salt": 1}),
			values{"cart": map[string]int{"tea": 3, "milk": 2, "salt": 1}}},
		{"nested maps", values{"a": map[string]any{"b": map[string]any{"c": 1, "d": []any{"x"}}, "e": 1}},
			set("a", map[string]any{"b": map[string]any{"c": 2, "d": []any{"x", "theirs"}}, "e": 1}),
			set("a", map[string]any{"b": map[string]any{"c": 1, "d": []any{"ours", "x"}, "f": 1}}),
			values{"a": map[string]any{"b": map[string]any{"c": 2, "d": []any{"x", "theirs", "ours"}, "f": 1}}}},
		{"fields of a struct", values{"cart": shoppingCart{Lines: []boughtItem{{"tea", 1}}, Notes: map[string]string{"gift": "no"}}},
			set("cart", shoppingCart{Lines: []boughtItem{{"tea", 1}, {"milk", 1}}, Notes: map[string]string{"gift": "no", "door": "left"}}),
			set("cart", shoppingCart{Lines: []boughtItem{{"tea", 1}, {"salt", 1}}, Notes: map[string]string{"gift": "yes"}}),
			values{"cart": shoppingCart{Lines: []boughtItem{{"tea", 1}, {"milk", 1}, {"salt", 1}}, Notes: map[string]string{"gift": "yes", "door": "left"}}}},
		{"behind a pointer", values{"cart": &pointedCart{Items: []string{"tea"}}, "n": 1},
			set("n", 2),
			func(s *sessions.Session) {
				c := s.Values["cart"].(*pointedCart)
				c.Items = append(c.Items, "milk")
			},
			values{"cart": &pointedCart{Items: []string{"tea", "milk"}}, "n": 2}},

		{"[]byte, taken whole", values{"k": []byte("base")}, set("k", []byte("base, theirs")), set("k", []byte("base, ours")), values{"k": []byte("base, ours")}},
		{"a type that encodes itself, taken whole", values{"k": day(1)}, set("k", day(2)), set("k", day(3)), values{"k": day(3)}},
	} {
		for _, codec := range mergeCodecs {
			t.Run(codec.Name()+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec = codec })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, test.base); s.Values["x"] = 0 }); err != nil {
					t.Fatal(err)
				}
				want := maps.Clone(test.want)
				want["x"] = 0
				tab := a.another().tab(b)
				a.backend.Counts()
				var theirs, after, held map[any]any
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					held = session.Values
					if _, err := tab.with(func(s *sessions.Session) { test.theirs(s); theirs = s.Values }); err != nil {
						t.Errorf("their Save: %v", err)
					}
					a.wantSent("GetItem", "GetItem", "UpdateItem")
					test.ours(session)
					if err := session.Save(r, w); err != nil {
						t.Errorf("our Save: %v", err)
					}
					if reflect.DeepEqual(theirs, want) {
						a.wantSent("UpdateItem")
					} else {
						a.wantSent("UpdateItem", "UpdateItem")
					}
					after = session.Values
					// A second Save goes on from what was merged.
					if err := session.Save(r, w); err != nil {
						t.Errorf("our second Save: %v", err)
					}
					a.wantSent()
				})
				if len(cookies) != 0 {
					t.Errorf("Save set the cookies %v, want none: the end did not move", cookies)
				}
				if got := b.values(); !reflect.DeepEqual(got, want) {
					t.Errorf("the table holds %v, want %v", got, want)
				}
				if !reflect.DeepEqual(after, want) || !reflect.DeepEqual(held, want) {
					t.Errorf("Session.Values is %v, and for who held it before %v, want %v", after, held, want)
				}
			})
		}
	}
}

// loadThenSave has n requests load the session, of b's cookies and by the apps in turn, and then
// all save what change makes of it. It returns the errors of their Saves.
func loadThenSave(b *browser, apps []*app, n int, change func(s *sessions.Session, i int)) []error {
	errs := make([]error, n)
	var loaded, done sync.WaitGroup
	loaded.Add(n)
	for i := range n {
		tab := apps[i%len(apps)].tab(b)
		done.Go(func() {
			_, errs[i] = tab.with(func(s *sessions.Session) {
				change(s, i)
				loaded.Done()
				loaded.Wait()
			})
		})
	}
	done.Wait()
	return errs
}

func TestTenParallelAppendsAreAllKept(t *testing.T) {
	t.Parallel()
	const n = 10
	name := func(i int) string { return fmt.Sprint("item", i) }
	for _, test := range []struct {
		name   string
		base   any
		append func(value any, i int) any
		names  func(value any) []string // that value holds
	}{
		{"[]string", []string{"base"},
			func(v any, i int) any { return append(v.([]string), name(i)) },
			func(v any) []string { return v.([]string) }},
		{"[]item", []boughtItem{{"base", 1}},
			func(v any, i int) any { return append(v.([]boughtItem), boughtItem{name(i), i}) },
			func(v any) (names []string) {
				for _, item := range v.([]boughtItem) {
					names = append(names, item.Name)
				}
				return names
			}},
		{"lines and notes of a cart", shoppingCart{Lines: []boughtItem{{"base", 1}}, Notes: map[string]string{"base": ""}},
			func(v any, i int) any {
				c := v.(shoppingCart)
				c.Lines = append(c.Lines, boughtItem{name(i), i})
				c.Notes[name(i)] = "note"
				return c
			},
			func(v any) (names []string) {
				c := v.(shoppingCart)
				for _, line := range c.Lines {
					if _, ok := c.Notes[line.Name]; ok {
						names = append(names, line.Name)
					}
				}
				return names
			}},
		{"nested maps", map[string]any{"inner": map[string]any{"base": 0}},
			func(v any, i int) any {
				v.(map[string]any)["inner"].(map[string]any)[name(i)] = i
				return v
			},
			func(v any) []string {
				return slices.Collect(maps.Keys(v.(map[string]any)["inner"].(map[string]any)))
			}},
	} {
		for _, codec := range mergeCodecs {
			t.Run(codec.Name()+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec, c.Timeout = codec, time.Minute })
				b := a.browser()
				b.set("cart", test.base)
				errs := loadThenSave(b, []*app{a, a.another()}, n, func(s *sessions.Session, i int) {
					s.Values["cart"] = test.append(s.Values["cart"], i)
				})
				if err := errors.Join(errs...); err != nil {
					t.Errorf("Save: %v", err)
				}
				want := []string{"base"}
				for i := range n {
					want = append(want, name(i))
				}
				if got := slices.Sorted(slices.Values(test.names(b.values()["cart"]))); !slices.Equal(got, want) {
					t.Errorf("the cart holds %q, want %q", got, want)
				}
			})
		}
	}
}

// The requests of one process that have loaded the same version are each refused once, at most.
func TestConflictCostsAtMostOneRequestMore(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Overwrite} {
		t.Run(fmt.Sprint(modes[mode].name), func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.Timeout = mode, time.Minute })
			b := a.browser()
			b.set("k", 0)
			a.backend.Counts()
			errs := loadThenSave(b, []*app{a}, n, func(s *sessions.Session, i int) { s.Values[fmt.Sprint("key", i)] = i })
			if err := errors.Join(errs...); err != nil {
				t.Errorf("Save: %v", err)
			}
			counts := a.backend.Counts()
			// The first is not refused.
			if counts["GetItem"] != n || counts["UpdateItem"] > 2*n-1 || len(counts) != 2 {
				t.Errorf("%d requests cost %v, want %d GetItem, and at most %d UpdateItem", n, counts, n, 2*n-1)
			}
			if got, want := len(b.values()), map[dynamostore.Concurrency]int{dynamostore.Merge: n + 1, dynamostore.Overwrite: 2}[mode]; got != want {
				t.Errorf("%d keys are stored, want %d", got, want)
			}
		})
	}
}

func TestSecondSaveAfterAMerge(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("n", 0)
	tab := a.another().tab(b)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		for i := range 3 {
			tab.set(fmt.Sprint("theirs", i), i)
			session.Values[fmt.Sprint("ours", i)] = i
			if i == 1 {
				delete(session.Values, "theirs0") // what the merge brought can be deleted
			}
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save %d: %v", i, err)
			}
		}
	})
	want := map[any]any{"n": 0, "theirs1": 1, "theirs2": 2, "ours0": 0, "ours1": 1, "ours2": 2}
	if got := b.values(); !reflect.DeepEqual(got, want) {
		t.Errorf("values = %v, want %v", got, want)
	}
}

// One request changes the MaxAge, and the other one values, in either order. Whoever moves the end
// sets the cookie.
func TestMergeOfMaxAge(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	maxAge := func(days int) func(*sessions.Session) {
		return func(s *sessions.Session) { s.Options.MaxAge = days * day }
	}
	value := func(s *sessions.Session) { s.Values["k"] = "v" }
	for _, test := range []struct {
		name         string
		theirs, ours func(*sessions.Session)
		days         int
		cookie       bool // ours
		k            any
	}{
		{"theirs, and a value of ours", maxAge(90), value, 90, false, "v"},
		{"ours, and a value of theirs", value, maxAge(90), 90, true, "v"},
		{"both: the later write", maxAge(90), maxAge(60), 60, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("user", "ann")
			tab := a.another().tab(b)
			begin := time.Now()
			var after int
			cookies, err := b.with(func(s *sessions.Session) {
				if _, err := tab.with(test.theirs); err != nil {
					t.Errorf("their Save: %v", err)
				}
				test.ours(s)
			})
			if err != nil || (len(cookies) == 1) != test.cookie || len(cookies) == 1 && cookies[0].MaxAge != test.days*day {
				t.Errorf("Save = %v, with cookies %v, want one of %d days: %v", err, cookies, test.days, test.cookie)
			}
			item := a.item()
			if got := attrNumber(t, item, "max_age"); got != int64(test.days*day) {
				t.Errorf("max_age = %d, want that of %d days", got, test.days)
			}
			wantTime(t, "expires", attrNumber(t, item, "expires"), begin, time.Duration(test.days)*24*time.Hour)
			session, err := b.load()
			if after = session.Options.MaxAge; err != nil || after != test.days*day {
				t.Errorf("the next Get has MaxAge %d, %v, want %d days", after, err, test.days)
			}
			if session.Values["k"] != test.k || session.Values["user"] != "ann" {
				t.Errorf("values = %v, want k = %v", session.Values, test.k)
			}
		})
	}
}

// The session of a Save has the MaxAge that another request gave it.
func TestSaveTakesOnTheMaxAgeOfAMerge(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	tab := a.another().tab(b)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		tab.with(func(s *sessions.Session) { s.Options.MaxAge = 3600 })
		session.Values["k"] = 2
		if err := session.Save(r, w); err != nil || session.Options.MaxAge != 3600 {
			t.Errorf("Save = %v, and MaxAge is %d, want 3600", err, session.Options.MaxAge)
		}
		session.Values["k"] = 3
		if err := session.Save(r, w); err != nil {
			t.Errorf("second Save: %v", err)
		}
	})
	if got := attrNumber(t, a.item(), "max_age"); got != 3600 {
		t.Errorf("max_age = %d, want theirs, 3600", got)
	}
}

// Two requests that made the same change: the second one finds nothing left to write.
func TestMergeOfTheSameChange(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	tab := a.another().tab(b)
	a.backend.Counts()
	cookies, err := b.with(func(s *sessions.Session) {
		tab.set("k", 2)
		s.Values["k"] = 2
	})
	if err != nil || len(cookies) != 0 {
		t.Errorf("Save = %v, with cookies %v, want neither", err, cookies)
	}
	a.wantSent("GetItem", "GetItem", "UpdateItem", "UpdateItem")
}

func TestMergeIntoWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	var before dynamotest.Item
	cookies, err := b.with(func(s *sessions.Session) {
		a.alter(dynamotest.Item{"data": dynamotest.B([]byte("secret")), "version": dynamotest.S("another")})
		before = a.item()
		s.Values["k"] = 2
	})
	wantError(t, err, dynamostore.ErrUndecodable, "secret")
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
}

// A merged session that is too large is an error, and what the other request wrote stays.
func TestMergeThatGrowsTooLarge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		noCompression bool
		size          int
	}{
		{"for DynamoDB", true, 250 << 10},
		{"for MaxLength", false, 600 << 10}, // which compresses well
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.NoCompression = test.noCompression })
			b := a.browser()
			b.set("k", 1)
			tab := a.another().tab(b)
			var before dynamotest.Item
			cookies, err := b.with(func(s *sessions.Session) {
				tab.set("theirs", strings.Repeat("x", test.size))
				before = a.item()
				s.Values["ours"] = strings.Repeat("y", test.size)
			})
			wantError(t, err, dynamostore.ErrTooLarge)
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Error("the item is not as the other request wrote it")
			}
		})
	}
}

// A session whose user changed meanwhile is never merged into, in whichever direction.
func TestMergeIntoAnotherUsersSession(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		base, theirs, ours any // the user; nil: none
		want               error
	}{
		{"another user logged in", "ann", "bob", "ann", dynamostore.ErrConflict},
		{"another user logged in, and we logged out", "ann", "bob", nil, dynamostore.ErrConflict},
		{"somebody logged in", nil, "bob", nil, dynamostore.ErrConflict},
		{"we and somebody else logged in", nil, "bob", "ann", dynamostore.ErrConflict},
		{"the user was taken out", "ann", nil, "ann", dynamostore.ErrConflict},
		{"the user was taken out, and we changed it", "ann", nil, "bob", dynamostore.ErrConflict},
		{"both logged in as one", nil, "ann", "ann", nil},
		{"both changed to the same", "ann", "bob", "bob", nil},
		{"both logged out", "ann", nil, nil, nil},
		{"we logged in", nil, nil, "ann", nil},
		{"we logged out", "ann", "ann", nil, nil},
		{"unchanged", "ann", "ann", "ann", nil},
		{"none", nil, nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := func(s *sessions.Session, user any) {
				delete(s.Values, "user")
				if user != nil {
					s.Values["user"] = user
				}
			}
			a := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user" })
			b := a.browser()
			b.with(func(s *sessions.Session) { set(s, test.base); s.Values["x"] = 1 })
			tab := a.another().tab(b)
			var before dynamotest.Item
			cookies, err := b.with(func(s *sessions.Session) {
				tab.with(func(s *sessions.Session) { set(s, test.theirs); s.Values["theirs"] = 1 })
				before = a.item()
				set(s, test.ours)
				s.Values["ours"] = 1
			})
			wantError(t, err, test.want, "ann", "bob")
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			if after := a.item(); test.want != nil && !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
			if got := b.values(); test.want == nil && (got["theirs"] != 1 || got["ours"] != 1 || got["user"] != test.ours) {
				t.Errorf("values = %v, want both changes, and the user %v", got, test.ours)
			}
		})
	}
}

// An unchanged Save whose end is due to move, and that finds the session of another user, leaves it
// alone.
func TestTouchOfAnotherUsersSession(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user" })
	b := a.browser()
	b.set("user", "ann")
	a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))})
	tab := a.another().tab(b)
	var before dynamotest.Item
	_, err := b.with(func(*sessions.Session) {
		tab.set("user", "bob")
		before = a.item()
	})
	if err != nil {
		t.Errorf("Save: %v", err)
	}
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
}
