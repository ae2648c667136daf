package storetest

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var requestsTable = flag.Bool("requests-table", false, "print the requests and capacity units that TestRequestsAndCapacity and TestRequestsAndCapacityOfTheIndex count")

// usage is what an operation takes of DynamoDB.
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

// lastEvent keeps what Config.Observe is told.
type lastEvent struct {
	mu     sync.Mutex
	events []dynamostore.Event
}

func (o *lastEvent) observe(_ context.Context, e dynamostore.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// take returns the usage of the last operation, and forgets all.
func (o *lastEvent) take(t *testing.T, op dynamostore.Op) usage {
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
	return usage{last.Requests, last.ReadUnits + last.WriteUnits}
}

// usageTable collects usages by row, in the order of the rows, with one cell for each column.
type usageTable struct {
	rows  []string
	cells map[string][]string
}

// check asserts a usage, and adds it to the row.
func (u *usageTable) check(t *testing.T, row string, got, want usage) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", row, got, want)
	}
	u.add(row, got.String())
}

// checkRegenerate is check of a Regenerate that writes so many units, after a read of one, on a table
// with an index, whose entries in transactions DynamoDB Local counts otherwise than the service does.
// A transaction costs double.
func (u *usageTable) checkRegenerate(t *testing.T, row string, got usage, written float64) {
	t.Helper()
	want := usage{2, 1 + 2*written}
	switch {
	case noTransactions:
		want = usage{3, 1 + written}
	case onEndpoint():
		want.capacity = got.capacity
	}
	u.check(t, row, got, want)
}

// onEndpoint reports whether the test runs on another engine than memdynamo.
func onEndpoint() bool { return os.Getenv("DYNAMOSTORE_TEST_ENDPOINT") != "" }

// add adds a cell to the row.
func (u *usageTable) add(row, cell string) {
	if !slices.Contains(u.rows, row) {
		u.rows = append(u.rows, row)
	}
	if u.cells == nil {
		u.cells = make(map[string][]string)
	}
	u.cells[row] = append(u.cells[row], cell)
}

// print prints the table, if the flag says so.
func (u *usageTable) print(title string, columns []string) {
	if !*requestsTable {
		return
	}
	engine := "memdynamo"
	if onEndpoint() {
		engine = "DynamoDB Local"
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nRequests and capacity units, on %s\n%s\t%s\n", engine, title, strings.Join(columns, "\t"))
	for _, row := range u.rows {
		fmt.Fprintf(w, "%s\t%s\n", row, strings.Join(u.cells[row], "\t"))
	}
	w.Flush()
}

// regenerateWith visits a handler that regenerates the session after change.
func (b *browser) regenerateWith(change func(*sessions.Session)) {
	b.app.Helper()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := b.app.store.Get(r, cookieName)
		if err != nil {
			b.app.Errorf("Get: %v", err)
		}
		change(session)
		if err := b.app.store.Regenerate(r, w, session); err != nil {
			b.app.Errorf("Regenerate: %v", err)
		}
	})
}

// mustSave visits a handler that saves the session after change.
func (b *browser) mustSave(change func(*sessions.Session)) {
	b.app.Helper()
	if _, err := b.with(change); err != nil {
		b.app.Errorf("Save: %v", err)
	}
}

// A session that takes w write units and r read units costs that, once for each request, and no
// request goes beyond those that there must be. DynamoDB rounds up to 1 KiB in writes and 4 KiB in
// reads, the item's other attributes, some 250 bytes, included.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
func TestRequestsAndCapacity(t *testing.T) {
	t.Parallel()
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
	var table usageTable
	var columns []string
	for _, size := range sizes {
		columns = append(columns, size.name)
		t.Run(size.name, func(t *testing.T) {
			var o lastEvent
			a := newApp(t, func(c *dynamostore.Config) {
				c.Observe = o.observe
				c.EventualReads = size.eventual
			})
			b := a.browser()
			b.mustSave(func(s *sessions.Session) { s.Values["v"], s.Values["n"] = size.value, 0 })
			table.check(t, "first visit, saved", o.take(t, dynamostore.OpCreate), usage{1, size.w})

			if _, err := b.load(); err != nil {
				t.Error(err)
			}
			table.check(t, "load", o.take(t, dynamostore.OpLoad), usage{1, size.r})

			b.mustSave(func(*sessions.Session) {})
			table.check(t, "Save, unchanged", o.take(t, dynamostore.OpSkip), usage{})

			b.mustSave(func(s *sessions.Session) { s.Values["n"] = 1 })
			table.check(t, "Save, changed", o.take(t, dynamostore.OpUpdate), usage{1, size.w})

			a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(15 * 24 * time.Hour))})
			b.mustSave(func(*sessions.Session) {})
			table.check(t, "Save, unchanged, whose end moves", o.take(t, dynamostore.OpTouch), usage{1, size.w})

			// Another process writes between load and Save. DynamoDB does not state what the
			// refused write took.
			other := a.another().tab(b)
			b.mustSave(func(s *sessions.Session) {
				other.mustSave(func(s *sessions.Session) { s.Values["theirs"] = true })
				s.Values["n"] = 2
			})
			table.check(t, "Save, changed, after another's", o.take(t, dynamostore.OpMerge), usage{2, size.w})

			if err := a.store.Update(t.Context(), b.keyOf(), increment("n")); err != nil {
				t.Errorf("Update: %v", err)
			}
			consistent := size.r
			if size.eventual {
				consistent = 2 * size.r
			}
			table.check(t, "Update", o.take(t, dynamostore.OpUpdate), usage{2, consistent + size.w})

			if !noTransactions {
				b.regenerateWith(func(*sessions.Session) {})
				table.check(t, "Regenerate", o.take(t, dynamostore.OpRegenerate), usage{2, consistent + 2*(size.w+size.w)}) // a transaction costs double
			}

			cfg := a.cfg
			cfg.NoTransactions = true
			a.store = a.open(cfg, keyA)
			b.regenerateWith(func(*sessions.Session) {})
			table.check(t, "Regenerate, NoTransactions", o.take(t, dynamostore.OpRegenerate), usage{3, consistent + size.w + size.w})

			b.logout()
			table.check(t, "log out", o.take(t, dynamostore.OpDelete), usage{1, size.w})

			b.setCookie("forged")
			if _, err := b.load(); err == nil {
				t.Error("Get of a forged cookie returned no error")
			}
			table.check(t, "forged cookie", o.take(t, dynamostore.OpLoad), usage{})
		})
	}
	table.print("session", columns)
}

// What the index of users costs on top, of sessions below 1 KiB. A write of an index entry is a
// unit, and two if its key changes, as expires does when the end moves: the old entry is deleted.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes
func TestRequestsAndCapacityOfTheIndex(t *testing.T) {
	t.Parallel()
	var table usageTable
	var columns []string
	for _, test := range []struct {
		name         string
		users        bool
		labels       bool
		entry, moved float64 // units of the index for a new or deleted entry, and for one whose key changes
		projected    float64 // and for one of which another attribute changes
	}{
		{"neither", false, false, 0, 0, 0},
		{"UserKey", true, false, 1, 2, 0},
		{"UserKey and LabelKey", true, true, 1, 2, 1},
	} {
		columns = append(columns, test.name)
		t.Run(test.name, func(t *testing.T) {
			var o lastEvent
			a := newUsersApp(t, func(c *dynamostore.Config) {
				c.Observe = o.observe
				if !test.users {
					c.UserKey = ""
				}
				if test.labels {
					c.LabelKey = "device"
				}
			})
			b := a.browser()
			b.mustSave(func(s *sessions.Session) { s.Values["cart"] = "tea" })
			table.check(t, "first visit, without a user", o.take(t, dynamostore.OpCreate), usage{1, 1})

			b.regenerateWith(func(s *sessions.Session) { s.Values["user"], s.Values["device"] = "ann", "Firefox" })
			table.checkRegenerate(t, "login (Regenerate)", o.take(t, dynamostore.OpRegenerate), 1+1+test.entry)

			// If a write moved what the index projects, which is as old as an hour, it would cost a
			// unit there.
			aged := dynamotest.Item{"seen": dynamotest.N(secondsFromNow(-time.Hour)), "expires": dynamotest.N(secondsFromNow(30*24*time.Hour - time.Hour))}
			a.alter(aged)
			b.mustSave(func(s *sessions.Session) { s.Values["cart"] = "milk" })
			table.check(t, "Save, changed, within TouchInterval", o.take(t, dynamostore.OpUpdate), usage{1, 1})

			if err := a.store.Update(t.Context(), b.keyOf(), setTo("cart", "salt")); err != nil {
				t.Errorf("Update: %v", err)
			}
			table.check(t, "Update", o.take(t, dynamostore.OpUpdate), usage{2, 1 + 1})

			b.mustSave(func(s *sessions.Session) { s.Values["device"] = "Firefox 151" })
			table.check(t, "Save of another label", o.take(t, dynamostore.OpUpdate), usage{1, 1 + test.projected})

			a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(15 * 24 * time.Hour))})
			b.mustSave(func(*sessions.Session) {})
			table.check(t, "Save, unchanged, whose end moves", o.take(t, dynamostore.OpTouch), usage{1, 1 + test.moved})

			a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(15 * 24 * time.Hour))})
			b.mustSave(func(s *sessions.Session) { s.Values["cart"] = "tea" })
			table.check(t, "Save, changed, whose end moves", o.take(t, dynamostore.OpUpdate), usage{1, 1 + test.moved})

			if test.users {
				for range 4 {
					a.browser().mustSave(func(s *sessions.Session) { s.Values["user"], s.Values["device"] = "ann", "Firefox" })
				}
				if infos := infosOf(t, a.store.UserSessions(t.Context(), "ann")); len(infos) != 5 {
					t.Errorf("UserSessions = %+v, want 5", infos)
				}
				table.check(t, "device list of 5", o.take(t, dynamostore.OpList), usage{1, 0.5})
			} else {
				table.add("device list of 5", "-")
			}

			b.regenerateWith(func(*sessions.Session) {})
			table.checkRegenerate(t, "Regenerate with a user", o.take(t, dynamostore.OpRegenerate), 1+test.entry+1+test.entry)

			b.logout()
			table.check(t, "log out", o.take(t, dynamostore.OpDelete), usage{1, 1 + test.entry})
		})
	}
	table.print("index", columns)
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
