package dynamostore_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// A conflict costs one request more, and both changes are there.
func TestMerge(t *testing.T) {
	type values = map[any]any
	for _, test := range []struct {
		name         string
		base         values
		theirs, ours func(*sessions.Session)
		want         values
	}{
		{"other keys", values{"user": "ann"},
			func(s *sessions.Session) { s.Values["theirs"] = 1 },
			func(s *sessions.Session) { s.Values["ours"] = 2 },
			values{"user": "ann", "theirs": 1, "ours": 2}},
		{"one key: the later write", values{"k": 0},
			func(s *sessions.Session) { s.Values["k"] = 1 },
			func(s *sessions.Session) { s.Values["k"] = 2 },
			values{"k": 2}},
		{"deletions", values{"a": 1, "b": 1, "c": 1},
			func(s *sessions.Session) { delete(s.Values, "a") },
			func(s *sessions.Session) { delete(s.Values, "b") },
			values{"c": 1}},
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
		{"inside a value", values{"cart": &basket{Items: []string{"tea"}}, "n": 1},
			func(s *sessions.Session) { s.Values["n"] = 2 },
			func(s *sessions.Session) {
				c := s.Values["cart"].(*basket)
				c.Items = append(c.Items, "milk")
			},
			values{"cart": &basket{Items: []string{"tea", "milk"}}, "n": 2}},
	} {
		for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{Types: []any{basket{}}}} {
			t.Run(codec.Name()+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec = codec })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, test.base); s.Values["x"] = 0 }); err != nil {
					t.Fatal(err)
				}
				test.want["x"] = 0
				tab := a.another().tab(b)
				a.backend.Counts()
				var after, held map[any]any
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					held = session.Values
					if _, err := tab.with(test.theirs); err != nil {
						t.Errorf("their Save: %v", err)
					}
					a.sent("GetItem", "GetItem", "UpdateItem")
					test.ours(session)
					if err := session.Save(r, w); err != nil {
						t.Errorf("our Save: %v", err)
					}
					a.sent("UpdateItem", "UpdateItem")
					after = session.Values
					// A second Save goes on from what was merged.
					if err := session.Save(r, w); err != nil {
						t.Errorf("our second Save: %v", err)
					}
					a.sent()
				})
				if len(cookies) != 1 {
					t.Errorf("Save set %d cookies, want 1", len(cookies))
				}
				if got := b.values(); !reflect.DeepEqual(got, test.want) {
					t.Errorf("the table holds %v, want %v", got, test.want)
				}
				if !reflect.DeepEqual(after, test.want) || !reflect.DeepEqual(held, test.want) {
					t.Errorf("Session.Values is %v, and for who held it before %v, want %v", after, held, test.want)
				}
			})
		}
	}
}

func TestSecondSaveAfterAMergingOne(t *testing.T) {
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
				delete(session.Values, "theirs0") // what came by the merge can be deleted
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

// The MaxAge changed by one request, and values by the other, in either order.
func TestMergeOfMaxAge(t *testing.T) {
	const day = 24 * 60 * 60
	maxAge := func(s *sessions.Session) { s.Options.MaxAge = 90 * day }
	value := func(s *sessions.Session) { s.Values["k"] = "v" }
	for _, test := range []struct {
		name         string
		theirs, ours func(*sessions.Session)
	}{
		{"theirs", maxAge, value},
		{"ours", value, maxAge},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("user", "ann")
			tab := a.another().tab(b)
			cookies, err := b.with(func(s *sessions.Session) {
				tab.with(test.theirs)
				test.ours(s)
			})
			if err != nil || len(cookies) != 1 || cookies[0].MaxAge != 90*day {
				t.Errorf("Save = %v, with cookies %v, want Max-Age of 90 days", err, cookies)
			}
			item := a.item()
			if got := render(item["max_age"]); got != "N:7776000" {
				t.Errorf("max_age = %s, want that of 90 days", got)
			}
			about(t, "expires", numberOf(t, item, "expires"), time.Now().Add(90*24*time.Hour))
			if got := b.values(); got["k"] != "v" || got["user"] != "ann" {
				t.Errorf("values = %v", got)
			}
		})
	}
}

// Two requests that made the same change: the second finds nothing left to write.
func TestMergeOfTheSameChange(t *testing.T) {
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
	a.sent("GetItem", "GetItem", "UpdateItem", "UpdateItem")
}

func TestMergeIntoWhatCannotBeRead(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	var before dynamotest.Item
	cookies, err := b.with(func(s *sessions.Session) {
		a.alter(dynamotest.Item{"data": dynamotest.B([]byte("secret")), "version": dynamotest.S("another")})
		before = a.item()
		s.Values["k"] = 2
	})
	is(t, err, dynamostore.ErrUndecodable, "secret")
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
}

// What the merged session is too large for is told, and neither side is lost.
func TestMergeThatGrowsTooLarge(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.NoCompression = true })
	b := a.browser()
	b.set("k", 1)
	tab := a.another().tab(b)
	_, err := b.with(func(s *sessions.Session) {
		tab.set("theirs", strings.Repeat("x", 250<<10))
		s.Values["ours"] = strings.Repeat("y", 250<<10)
	})
	is(t, err, dynamostore.ErrTooLarge)
	if got := b.values(); got["theirs"] == nil || got["ours"] != nil {
		t.Error("the other request's write is not as it was")
	}
}

// 100 requests of one page, each setting a key of its own, all at once: all are there.
func TestParallelRequestsLoseNothing(t *testing.T) {
	for _, test := range []struct {
		name      string
		processes int
		size      int
		n         int
	}{
		{"one process", 1, 0, 100},
		{"several processes", 4, 0, 100},
		{"64 KiB sessions", 2, 64 << 10, 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("padding", strings.Repeat("x", test.size))
			apps := []*app{a}
			for len(apps) < test.processes {
				apps = append(apps, a.another())
			}
			a.backend.Counts()
			var wg sync.WaitGroup
			for i := range test.n {
				tab := apps[i%len(apps)].tab(b)
				wg.Go(func() { tab.set(fmt.Sprint("key", i), i) })
			}
			wg.Wait()
			counts := a.backend.Counts()
			t.Logf("%d requests cost %v", test.n, counts)
			if test.processes == 1 && counts["UpdateItem"] > 2*test.n {
				t.Errorf("%d requests took %d writes, want at most one more for each conflict", test.n, counts["UpdateItem"])
			}
			values := b.values()
			missing := 0
			for i := range test.n {
				if values[fmt.Sprint("key", i)] != i {
					missing++
				}
			}
			if missing != 0 || len(values) != test.n+1 {
				t.Errorf("%d of %d changes are missing", missing, test.n)
			}
		})
	}
}

// Requests of one process that have loaded the same version do not burn capacity on refusals:
// each hands what it wrote to the next.
func TestContendersOfOneProcessAreNotRefused(t *testing.T) {
	const n = 20
	a := newApp(t)
	b := a.browser()
	b.set("k", 0)
	a.backend.Counts()
	// All load, then all save; the first write waits until the others are in line.
	var loaded, done sync.WaitGroup
	loaded.Add(n)
	release := make(chan struct{})
	for i := range n {
		tab := b.tab()
		done.Go(func() {
			tab.with(func(s *sessions.Session) {
				s.Values[fmt.Sprint("key", i)] = i
				loaded.Done()
				<-release
			})
		})
	}
	loaded.Wait()
	a.backend.Inject("UpdateItem", dynamotest.Slow(200*time.Millisecond))
	close(release)
	done.Wait()
	counts := a.backend.Counts()
	t.Logf("%d requests cost %v", n, counts)
	if counts["GetItem"] != n || counts["UpdateItem"] > n+n/2 {
		t.Errorf("%d contending requests cost %v, want little more than %d UpdateItem", n, counts, n)
	}
	if values := b.values(); len(values) != n+1 {
		t.Errorf("%d of %d changes are there", len(values)-1, n)
	}
}

// What a request of this process left to the next may be older than what another process wrote.
// It must not take that back.
func TestHandedOverItemIsNotTrusted(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	elsewhere := a.another().tab(b)
	first, second, third := b.tab(), b.tab(), b.tab()
	loaded, writing, saving := make(chan struct{}), make(chan struct{}), make(chan struct{})
	// The first writes k = 5 and, before it hands over, another process sets it to 6.
	a.backend.Inject("UpdateItem", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		close(writing)
		<-saving
		resp, err := next.RoundTrip(r)
		elsewhere.set("k", 6)
		return resp, err
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		first.with(func(s *sessions.Session) { s.Values["k"] = 5; <-loaded })
	})
	wg.Go(func() {
		second.with(func(s *sessions.Session) { s.Values["l"] = 1; close(loaded); <-writing; close(saving) })
	})
	wg.Wait()
	third.with(func(s *sessions.Session) { s.Values["m"] = 1 })
	want := map[any]any{"k": 6, "l": 1, "m": 1}
	if got := b.values(); !reflect.DeepEqual(got, want) {
		t.Errorf("values = %v, want %v", got, want)
	}
}

func TestOverwrite(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Overwrite })
	b := a.browser()
	b.set("user", "ann")
	tab := a.another().tab(b)
	a.backend.Counts()
	cookies, err := b.with(func(s *sessions.Session) {
		tab.set("theirs", 1)
		a.sent("GetItem", "GetItem", "UpdateItem")
		s.Values["ours"] = 1
	})
	if err != nil || len(cookies) != 1 {
		t.Errorf("Save = %v, with cookies %v, want the cookie", err, cookies)
	}
	a.sent("UpdateItem")
	if got := b.values(); len(got) != 2 || got["ours"] != 1 {
		t.Errorf("values = %v, want ours alone", got)
	}
	// A foreign item is overwritten as well.
	f := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1}))})
	if _, err := f.with(func(s *sessions.Session) { s.Values["n"] = 2 }); err != nil {
		t.Errorf("Save of a foreign item: %v", err)
	}
	if got := f.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

var rounds = flag.Int("rounds", 20, "how often TestLogoutRacedBySaves logs out, in all modes together")

// Whatever the mode, a logout is final.
func TestLogoutRacedBySaves(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				c.Concurrency = mode.mode
				c.Lock.MinRetry, c.Lock.MaxRetry = time.Millisecond, time.Millisecond
			})
			b := a.browser()
			for round := range *rounds / len(modes) {
				b.set("round", round)
				var wg sync.WaitGroup
				for i := range 50 {
					tab := b.tab()
					wg.Go(func() {
						tab.visit(func(w http.ResponseWriter, r *http.Request) {
							session, _ := a.store.Get(r, cookieName)
							if session.IsNew {
								return // it came after the logout
							}
							session.Values[i] = rand.Int()
							session.Save(r, w)
						})
					})
				}
				wg.Go(b.logout)
				wg.Wait()
				if items := a.backend.Items(t); len(items) != 0 {
					t.Fatalf("round %d: %d sessions outlived the logout", round, len(items))
				}
			}
		})
	}
}

var modes = []struct {
	name string
	mode dynamostore.Concurrency
}{
	{"merge", dynamostore.Merge},
	{"refuse", dynamostore.Refuse},
	{"overwrite", dynamostore.Overwrite},
	{"lock", dynamostore.Lock},
}
