package storetest

import (
	"flag"
	"fmt"
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

// gobData returns values as GobCodec writes them, for the items of other stores.
func gobData(t testing.TB, values map[any]any) []byte {
	t.Helper()
	data, err := dynamostore.GobCodec{}.Encode(values)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// With Refuse, what another request wrote stays as it is.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint("by another process: ", elsewhere), func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Refuse })
			b := a.browser()
			b.set("user", "ann")
			tab := b.tab()
			if elsewhere {
				tab = a.another().tab(b)
			}
			a.backend.Counts()
			var before dynamotest.Item
			cookies, err := b.with(func(s *sessions.Session) {
				tab.set("theirs", 1)
				before = a.item()
				a.wantSent("GetItem", "GetItem", "UpdateItem")
				s.Values["ours"] = 1
			})
			wantError(t, err, dynamostore.ErrConflict)
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			a.wantSent("UpdateItem")
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
			b.set("ours", 2) // in a new request
			if got := b.values(); got["theirs"] != 1 || got["ours"] != 2 {
				t.Errorf("values = %v, want both changes", got)
			}
		})
	}
}

// With Overwrite, ours replaces what another request wrote. Its write is conditional as well, so it
// costs one request more.
func TestOverwrite(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Overwrite })
	b := a.browser()
	b.set("user", "ann")
	tab := a.another().tab(b)
	a.backend.Counts()
	cookies, err := b.with(func(s *sessions.Session) {
		tab.set("theirs", 1)
		a.wantSent("GetItem", "GetItem", "UpdateItem")
		s.Values["ours"] = 1
	})
	if err != nil || len(cookies) != 0 {
		t.Errorf("Save = %v, with cookies %v, want neither", err, cookies)
	}
	a.wantSent("UpdateItem", "UpdateItem")
	if got, want := b.values(), (map[any]any{"user": "ann", "ours": 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("values = %v, want %v", got, want)
	}
	// An item of another store is overwritten as well.
	f := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"n": 1}))})
	if _, err := f.with(func(s *sessions.Session) { s.Values["n"] = 2 }); err != nil {
		t.Errorf("Save of a foreign item: %v", err)
	}
	if got := f.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
}

// Requests of one page, each setting a key of its own, all at once: all are there.
func TestParallelRequestsLoseNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		processes int
		size      int
		n         int
	}{
		{"one process", 1, 0, 100},
		{"several processes", 4, 0, 60},
		{"64 KiB sessions", 2, 64 << 10, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Timeout = time.Minute })
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
			t.Logf("%d requests cost %v", test.n, a.backend.Counts())
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

var rounds = flag.Int("rounds", 20, "how often TestLogoutRacedBySaves logs out, in all modes together")

// A logout is final in every mode.
func TestLogoutRacedBySaves(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				c.Concurrency, c.Timeout = mode.mode, time.Minute
				if mode.mode == dynamostore.Lock {
					c.Lock.MinRetry, c.Lock.MaxRetry = time.Millisecond, time.Millisecond
				}
			})
			b := a.browser()
			for round := range max(*rounds/len(modes), 1) {
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
				if items := a.live(); len(items) != 0 {
					t.Fatalf("round %d: %d sessions outlived the logout", round, len(items))
				}
			}
		})
	}
}

// A Save that finds its session expired does not end it if another instance, whose clock is a little
// behind, has extended it by then. It saves it.
func TestSaveOfAnExpiredSessionThatIsExtendedMeanwhile(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", "v")
	_, err := b.with(func(s *sessions.Session) {
		a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(-time.Second))})
		a.backend.Inject("UpdateItem", dynamotest.Do(func() {}), dynamotest.Do(func() {
			a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))})
		}))
		s.Values["k"] = "w"
	})
	if err != nil {
		t.Errorf("Save: %v", err)
	}
	if got := b.values()["k"]; got != "w" {
		t.Errorf("k = %v, want w", got)
	}
}

// A Save in mode Overwrite that meets an item without data, which is not a session, is an error.
func TestOverwriteOfAnItemWithoutDataEnds(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.Timeout = dynamostore.Overwrite, time.Second })
	b := a.browser()
	b.set("k", 1)
	_, err := b.with(func(s *sessions.Session) {
		a.alter(dynamotest.Item{"data": nil})
		s.Values["k"] = 2
		a.backend.Counts()
	})
	if n := a.backend.Counts()["UpdateItem"]; err == nil || n > 3 {
		t.Errorf("Save sent %d updates, and returned %v, want at most 3 and an error", n, err)
	}
}
