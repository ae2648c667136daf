package dynamostore_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var requestsTable = flag.Bool("requests-table", false, "print the requests and capacity units that TestRequestsAndCapacity counts")

// usage is what an operation took of DynamoDB.
type usage struct {
	requests int
	capacity float64
}

func (u usage) String() string {
	switch u.requests {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf("1 request, %g units", u.capacity)
	}
	return fmt.Sprintf("%d requests, %g units", u.requests, u.capacity)
}

// observed collects what Config.Observe is told.
type observed struct {
	mu     sync.Mutex
	events []dynamostore.Event
}

func (o *observed) observe(_ context.Context, e dynamostore.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// take returns the last operation, and forgets all.
func (o *observed) take(t *testing.T, op dynamostore.Op) usage {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.events) == 0 {
		t.Fatalf("nothing was observed, want %q", op)
	}
	last := o.events[len(o.events)-1]
	o.events = nil
	if last.Op != op {
		t.Errorf("the operation was %q, want %q", last.Op, op)
	}
	return usage{last.Requests, last.Capacity}
}

// A session that takes w write units and r read units costs that, once for each request, and no request goes beyond
// those that there must be. DynamoDB rounds up to 1 KiB in writes and 4 KiB in reads, the item's other attributes, some 250
// bytes, included.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
func TestRequestsAndCapacity(t *testing.T) {
	sizes := []struct {
		name     string
		value    string
		eventual bool
		r, w     float64
	}{
		{"500 B", strings.Repeat("x", 500), false, 1, 1},
		{"3,000 B", incompressible(3000), false, 1, 4},
		{"30,000 B", incompressible(30000), false, 8, 30},
		{"30,000 B, of text that repeats itself", strings.Repeat("All quiet. ", 2727), false, 1, 1},
		{"500 B, EventualReads", strings.Repeat("x", 500), true, 0.5, 1},
	}
	var rows []string
	table := map[string][]string{}
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			var o observed
			a := newApp(t, func(c *dynamostore.Config) {
				c.Observe = o.observe
				c.EventualReads = size.eventual
			})
			check := func(what string, got, want usage) {
				t.Helper()
				if got != want {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
				if len(table[what]) == 0 {
					rows = append(rows, what)
				}
				table[what] = append(table[what], got.String())
			}
			save := func(b *browser, f func(*sessions.Session)) {
				t.Helper()
				if _, err := b.with(f); err != nil {
					t.Errorf("Save: %v", err)
				}
			}

			b := a.browser()
			save(b, func(s *sessions.Session) { s.Values["v"], s.Values["n"] = size.value, 0 })
			check("first visit, saved", o.take(t, dynamostore.OpCreate), usage{1, size.w})

			if _, err := b.load(); err != nil {
				t.Error(err)
			}
			check("load", o.take(t, dynamostore.OpLoad), usage{1, size.r})

			save(b, func(*sessions.Session) {})
			check("Save, unchanged", o.take(t, dynamostore.OpSkip), usage{})

			save(b, func(s *sessions.Session) { s.Values["n"] = 1 })
			check("Save, changed", o.take(t, dynamostore.OpUpdate), usage{1, size.w})

			a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(15 * 24 * time.Hour))})
			save(b, func(*sessions.Session) {})
			check("Save, unchanged, whose end moves", o.take(t, dynamostore.OpTouch), usage{1, size.w})

			// Another process writes between load and Save. DynamoDB does not state what the refused write took.
			other := a.another().tab(b)
			save(b, func(s *sessions.Session) {
				save(other, func(s *sessions.Session) { s.Values["theirs"] = true })
				s.Values["n"] = 2
			})
			check("Save, changed, after another's", o.take(t, dynamostore.OpMerge), usage{2, size.w})

			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Error(err)
				}
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Error(err)
				}
			})
			check("Regenerate", o.take(t, dynamostore.OpRegenerate), usage{1, 2 * (size.w + size.w)}) // a transaction costs double

			b.logout()
			check("log out", o.take(t, dynamostore.OpDelete), usage{1, size.w})

			b.setCookie("forged")
			if _, err := b.load(); err == nil {
				t.Error("Get of a forged cookie returned no error")
			}
			check("forged cookie", o.take(t, dynamostore.OpLoad), usage{})
		})
	}
	if *requestsTable {
		engine := "memdynamo"
		if os.Getenv("DYNAMOSTORE_TEST_ENDPOINT") != "" {
			engine = "DynamoDB Local"
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "\nRequests and capacity units, on %s\nsession", engine)
		for _, size := range sizes {
			fmt.Fprintf(w, "\t%s", size.name)
		}
		fmt.Fprintln(w)
		for _, row := range rows {
			fmt.Fprintf(w, "%s\t%s\n", row, strings.Join(table[row], "\t"))
		}
		w.Flush()
	}
}

// incompressible returns text of n bytes that compression does not make smaller by a capacity unit.
func incompressible(n int) string {
	b := make([]byte, n)
	for i, x := 0, uint64(1); i < n; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}
