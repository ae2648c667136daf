package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/memdynamo"
)

var past, future = inSeconds(-time.Hour), inSeconds(time.Hour)

// keysLeft are the partition keys in the table.
func keysLeft(t testing.TB, backend *dynamotest.Backend, key string) []string {
	t.Helper()
	var keys []string
	for _, item := range backend.Items(t) {
		keys = append(keys, strings.TrimPrefix(render(item[key]), "S:"))
	}
	slices.Sort(keys)
	return keys
}

func TestPurgeExpiredDeletesWhatHasExpired(t *testing.T) {
	session := func(expires string) dynamotest.Item {
		return dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(expires), "created": dynamotest.N("1000")}
	}
	with := func(item dynamotest.Item, more dynamotest.Item) dynamotest.Item {
		item = maps.Clone(item)
		for name, v := range more {
			if v == nil {
				delete(item, name)
			} else {
				item[name] = v
			}
		}
		return item
	}
	tombstone := func(expires string) dynamotest.Item {
		return dynamotest.Item{"moved": dynamotest.N("1000"), "version": dynamotest.S("v"), "expires": dynamotest.N(expires)}
	}
	items := map[string]struct {
		item dynamotest.Item
		fate string // deleted, kept, or "": not this Store's to see
	}{
		"expired":                          {session(past), "deleted"},
		"expired just now":                 {session(inSeconds(-time.Second)), "deleted"},
		"expired, data in text":            {with(session(past), dynamotest.Item{"data": dynamotest.S("x")}), "deleted"},
		"expired, locked":                  {with(session(past), dynamotest.Item{"lock": dynamotest.S("x"), "lock_until": dynamotest.N("99999999999999")}), "deleted"},
		"expired, another store's":         {with(session(past), dynamotest.Item{"created": nil}), "deleted"},
		"expired, long ago":                {session("0"), "deleted"},
		"expired, a fraction":              {session("1.5"), "deleted"},
		"live":                             {session(future), "kept"},
		"live, never ends":                 {session("1e40"), "kept"},
		"no end":                           {with(session(past), dynamotest.Item{"expires": nil}), "kept"},
		"end of another type":              {with(session(past), dynamotest.Item{"expires": dynamotest.S("1")}), "kept"},
		"tombstone":                        {tombstone(future), "kept"},
		"tombstone, expired":               {tombstone(past), "deleted"},
		"no session: neither data nor end": {dynamotest.Item{"kind": dynamotest.S("x")}, ""},
		"no session: no data":              {dynamotest.Item{"expires": dynamotest.N(past)}, ""},
		"no session: moved is no number":   {dynamotest.Item{"expires": dynamotest.N(past), "moved": dynamotest.S("x")}, ""},
	}
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"defaults", dynamostore.Config{}},
		{"shared", dynamostore.Config{KeyAttribute: "pk", KeyPrefix: "web#", SortKeyAttribute: "sk", SortKeyValue: "session"}},
	} {
		for _, parallel := range []int{0, 1, 5} {
			t.Run(fmt.Sprintf("%s, parallel %d", test.name, parallel), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
				var want []string
				var stats dynamostore.PurgeStats
				for id, i := range items {
					a.put(id, i.item)
					switch i.fate {
					case "deleted":
						stats.Deleted++
						stats.Scanned++
						continue
					case "kept":
						stats.Kept++
						stats.Scanned++
					}
					want = append(want, a.cfg.KeyPrefix+id)
				}
				if test.cfg.KeyPrefix != "" { // what others keep in the table
					for key, sort := range map[string]string{"app#x": "session", "web#x": "profile"} {
						a.backend.Put(t, with(session(past), dynamotest.Item{"pk": dynamotest.S(key), "sk": dynamotest.S(sort)}))
						want = append(want, key)
					}
				}
				slices.Sort(want)
				got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: parallel})
				if err != nil || got != stats {
					t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, stats)
				}
				if left := keysLeft(t, a.backend, a.keyAttribute()); !slices.Equal(left, want) {
					t.Errorf("the table holds %q\nwant %q", left, want)
				}
				if counts := a.backend.Counts(); counts["DeleteItem"] != stats.Deleted || counts["Scan"] != max(parallel, 1) {
					t.Errorf("DynamoDB was sent %v, want %d DeleteItem and %d Scan", counts, stats.Deleted, max(parallel, 1))
				}
				if got, err = a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{}); err != nil || got != (dynamostore.PurgeStats{Scanned: stats.Kept, Kept: stats.Kept}) {
					t.Errorf("PurgeExpired again = %+v, %v, want %d kept", got, err, stats.Kept)
				}
			})
		}
	}
}

// With MaxLifetime, a session ends by its age as well.
func TestPurgeExpiredAndMaxLifetime(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = time.Hour })
	data := dynamotest.B([]byte("x"))
	old, young := dynamotest.N(inSeconds(-2*time.Hour)), dynamotest.N(inSeconds(-time.Minute))
	end := dynamotest.N(future)
	for id, item := range map[string]dynamotest.Item{
		"old":                    {"data": data, "expires": end, "created": old},
		"young":                  {"data": data, "expires": end, "created": young},
		"young, expired":         {"data": data, "expires": dynamotest.N(past), "created": young},
		"of no age":              {"data": data, "expires": end},
		"of an age before 1970":  {"data": data, "expires": end, "created": dynamotest.N("-1")},
		"of an age in words":     {"data": data, "expires": end, "created": dynamotest.S("old")},
		"old, of no end":         {"data": data, "created": old},
		"tombstone with an age":  {"moved": old, "expires": end, "created": old},
		"end of another type":    {"data": data, "expires": dynamotest.S("1"), "created": old},
		"tombstone, and expired": {"moved": old, "expires": dynamotest.N(past)},
	} {
		a.put(id, item)
	}
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	if want := (dynamostore.PurgeStats{Scanned: 10, Deleted: 3, Kept: 7}); err != nil || got != want {
		t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
	}
	want := []string{"end of another type", "of an age before 1970", "of an age in words", "of no age", "old, of no end", "tombstone with an age", "young"}
	if left := keysLeft(t, a.backend, "id"); !slices.Equal(left, want) {
		t.Errorf("the table holds %q\nwant %q", left, want)
	}
}

// A request loaded its session while it lived, and saves it when the purge has seen it expired and has not
// deleted it yet.
func TestPurgeExpiredLeavesWhatCameToLife(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		a.alter(dynamotest.Item{"expires": dynamotest.N(past)})
		a.backend.Inject("DeleteItem", dynamotest.Do(func() {
			session.Values["k"] = 2
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
		}))
		got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
		if want := (dynamostore.PurgeStats{Scanned: 1, Kept: 1}); err != nil || got != want {
			t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
		}
	})
	if got := b.values()["k"]; got != 2 {
		t.Errorf("the session holds %v, want 2", got)
	}
}

// What becomes of an item between the scan and its turn decides.
func TestPurgeExpiredLooksAgain(t *testing.T) {
	id := dynamotest.Item{"id": dynamotest.S("x")}
	with := func(attrs dynamotest.Item) func(*app) {
		return func(a *app) {
			item := maps.Clone(attrs)
			item["id"] = id["id"]
			a.backend.Put(a.T, item)
		}
	}
	data := dynamotest.B([]byte("x"))
	kept, gone := dynamostore.PurgeStats{Scanned: 1, Kept: 1}, dynamostore.PurgeStats{Scanned: 1, Deleted: 1}
	for _, test := range []struct {
		name      string
		meanwhile func(*app)
		want      dynamostore.PurgeStats
		left      int
	}{
		{"touched", with(dynamotest.Item{"data": data, "expires": dynamotest.N(future)}), kept, 1},
		{"written, and expired again", with(dynamotest.Item{"data": data, "expires": dynamotest.N(inSeconds(-time.Second))}), gone, 0},
		{"rotated", with(dynamotest.Item{"moved": dynamotest.N("1"), "expires": dynamotest.N(future)}), kept, 1},
		{"made another thing", with(dynamotest.Item{"expires": dynamotest.N(past)}), kept, 1},
		{"of another type", with(dynamotest.Item{"data": data, "expires": dynamotest.S(past)}), kept, 1},
		{"without end", with(dynamotest.Item{"data": data}), kept, 1},
		{"deleted by TTL", func(a *app) { a.backend.Delete(a.T, id) }, gone, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			a.put("x", dynamotest.Item{"data": data, "expires": dynamotest.N(past)})
			a.backend.Inject("DeleteItem", dynamotest.Do(func() { test.meanwhile(a) }))
			got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
			if left := len(a.backend.Items(t)); err != nil || got != test.want || left != test.left {
				t.Errorf("PurgeExpired = %+v, %v, and %d items are left, want %+v and %d", got, err, left, test.want, test.left)
			}
		})
	}
}

// A page of a scan is 1 MB.
func TestPurgeExpiredReadsEveryPage(t *testing.T) {
	a := newApp(t)
	const items = 12
	fill := func() {
		for i := range items {
			a.put(fmt.Sprint(i), dynamotest.Item{"data": dynamotest.B(make([]byte, 300<<10)), "expires": dynamotest.N(past)})
		}
	}
	fill()
	pages := 0
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Progress: func(dynamostore.PurgeStats) { pages++ }})
	if want := (dynamostore.PurgeStats{Scanned: items, Deleted: items}); err != nil || got != want {
		t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
	}
	if counts := a.backend.Counts(); counts["Scan"] < 3 || pages < counts["Scan"] {
		t.Errorf("DynamoDB was sent %v, and Progress called %d times, want 3 pages or more, and each told", counts, pages)
	}
	a.empty()

	fill()
	a.backend.Inject("Scan", dynamotest.Do(func() {}), dynamotest.Denied)
	got, err = a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	if left := len(a.backend.Items(t)); err == nil || got.Deleted != items-left || left == 0 || left == items {
		t.Errorf("PurgeExpired = %+v, %v, and %d items are left", got, err, left)
	}
}

// The same with many sessions at once: each that was saved is there afterwards, each other one is gone.
func TestPurgeExpiredRacesRequests(t *testing.T) {
	a := newApp(t)
	const browsers = 40
	var loaded, saved sync.WaitGroup
	begin := make(chan struct{})
	errs := make([]error, browsers)
	all := make([]*browser, browsers)
	loaded.Add(browsers)
	for i := range browsers {
		b := a.browser()
		b.set("k", "old")
		all[i] = b
		saved.Go(func() {
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				loaded.Done()
				<-begin
				session.Values["k"] = "new"
				errs[i] = session.Save(r, w)
			})
		})
	}
	loaded.Wait()
	for _, item := range a.backend.Items(t) {
		item["expires"] = dynamotest.N(past)
		a.backend.Put(t, item)
	}
	close(begin)
	stats, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: 4})
	if err != nil {
		t.Errorf("PurgeExpired: %v", err)
	}
	saved.Wait()
	gone := 0
	for i, b := range all {
		switch got := b.values()["k"]; {
		case errs[i] == nil && got != "new":
			t.Errorf("browser %d saved its session, and finds %v", i, got)
		case errs[i] != nil && (!errors.Is(errs[i], dynamostore.ErrGone) || got != nil):
			t.Errorf("browser %d: Save = %v, then its session holds %v", i, errs[i], got)
		case errs[i] != nil:
			gone++
		}
	}
	if gone != stats.Deleted {
		t.Errorf("PurgeExpired = %+v, and %d sessions are gone", stats, gone)
	}
	t.Logf("%d were deleted before they were saved, %d lived on", gone, browsers-gone)
}

func TestPurgeExpiredWaitsWhereDynamoDBIsBusy(t *testing.T) {
	refuse := func(code string) dynamotest.Fault {
		return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, 400, code, "", nil), nil
		}
	}
	quota := func(http.RoundTripper, *http.Request) (*http.Response, error) {
		return nil, ratelimit.QuotaExceededError{}
	}
	for _, test := range []struct {
		name   string
		op     string
		faults []dynamotest.Fault
	}{
		{"scan throttled", "Scan", dynamotest.Times(7, dynamotest.Throttled)},
		{"delete throttled", "DeleteItem", dynamotest.Times(7, dynamotest.Throttled)},
		{"account throttled", "DeleteItem", dynamotest.Times(4, refuse("RequestLimitExceeded"))},
		{"table throttled", "DeleteItem", dynamotest.Times(4, refuse("ThrottlingException"))},
		{"transaction on the item", "DeleteItem", dynamotest.Times(3, dynamotest.Conflict)},
		{"write in another region", "DeleteItem", dynamotest.Times(3, refuse("ReplicatedWriteConflictException"))},
		{"retries used up", "DeleteItem", []dynamotest.Fault{quota}},
		{"DynamoDB fails a few times", "Scan", dynamotest.Times(7, dynamotest.InternalError)},
		{"answer lost", "DeleteItem", []dynamotest.Fault{dynamotest.AppliedThenReset}},
		{"slow", "Scan", []dynamotest.Fault{dynamotest.Silent}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, func(c *dynamostore.Config) { c.Timeout = 500 * time.Millisecond })
			for i := range 3 {
				a.put(fmt.Sprint(i), dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(past)})
			}
			a.backend.Inject(test.op, test.faults...)
			got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
			if want := (dynamostore.PurgeStats{Scanned: 3, Deleted: 3}); err != nil || got != want {
				t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
			}
			if n := a.backend.Pending(); n != 0 {
				t.Errorf("%d faults were not met", n)
			}
			a.empty()
		})
	}
}

// What was done before an error is counted, and another run does the rest.
func TestPurgeExpiredAfterAnError(t *testing.T) {
	for _, parallel := range []int{1, 3} {
		a := newApp(t)
		const items = 9
		for i := range items {
			a.put(fmt.Sprint("item ", i), dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(past)})
		}
		pass := dynamotest.Do(func() {})
		a.backend.Inject("DeleteItem", pass, pass, pass, pass, dynamotest.Denied)
		got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: parallel})
		if err == nil || !strings.Contains(err.Error(), "AccessDeniedException") || !strings.Contains(err.Error(), a.backend.Table) || strings.Contains(err.Error(), "item ") {
			t.Errorf("PurgeExpired's error = %v, want one that names the table and the cause, and no key", err)
		}
		left := len(a.backend.Items(t))
		if got.Deleted != items-left || got.Deleted < 2 || left == 0 {
			t.Errorf("PurgeExpired = %+v, and %d of %d items are left", got, left, items)
		}
		rest, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: parallel})
		if want := (dynamostore.PurgeStats{Scanned: left, Deleted: left}); err != nil || rest != want {
			t.Errorf("PurgeExpired again = %+v, %v, want %+v", rest, err, want)
		}
		a.empty()
	}
}

// A purge that is told to stop stops, also one that waits.
func TestPurgeExpiredKeepsToItsContext(t *testing.T) {
	for name, prepare := range map[string]func(*app) dynamostore.PurgeOptions{
		"between deletions": func(*app) dynamostore.PurgeOptions { return dynamostore.PurgeOptions{} },
		"while it keeps to PerSecond": func(*app) dynamostore.PurgeOptions {
			return dynamostore.PurgeOptions{PerSecond: 1}
		},
		"while it is throttled": func(a *app) dynamostore.PurgeOptions {
			a.backend.Inject("DeleteItem", slices.Concat([]dynamotest.Fault{dynamotest.Do(func() {})}, dynamotest.Times(1000, dynamotest.Throttled))...)
			return dynamostore.PurgeOptions{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			for i := range 3 {
				a.put(fmt.Sprint(i), dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(past)})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			opts := prepare(a)
			deleted := make(chan struct{}, 10)
			store := storeOn(t, &deletes{Client: a.backend.Client, done: deleted}, a.cfg)
			go func() {
				<-deleted
				cancel()
			}()
			if name == "between deletions" {
				cancel()
			}
			got, err := store.PurgeExpired(ctx, opts)
			is(t, err, context.Canceled)
			if left := len(a.backend.Items(t)); got.Deleted != 3-left || left == 0 {
				t.Errorf("PurgeExpired = %+v, and %d items are left", got, left)
			}
		})
	}
}

// deletes is a client that tells when an item was deleted.
type deletes struct {
	*dynamodb.Client
	done chan struct{}
}

func (d *deletes) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	out, err := d.Client.DeleteItem(ctx, in, opts...)
	select {
	case d.done <- struct{}{}:
	default:
	}
	return out, err
}

func TestPurgeExpiredReportsProgress(t *testing.T) {
	a := newApp(t)
	for i := range 30 {
		expires := past
		if i%3 == 0 {
			expires = future
		}
		a.put(fmt.Sprint(i), dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(expires)})
	}
	var running atomic.Int32
	var reports []dynamostore.PurgeStats
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: 6, Progress: func(s dynamostore.PurgeStats) {
		if running.Add(1) != 1 {
			t.Error("Progress was called twice at once")
		}
		reports = append(reports, s)
		running.Add(-1)
	}})
	if want := (dynamostore.PurgeStats{Scanned: 30, Deleted: 20, Kept: 10}); err != nil || got != want {
		t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
	}
	if len(reports) != 6 || reports[len(reports)-1] != got { // one for each page
		t.Errorf("Progress was told %+v, want 6 reports, and in the end %+v", reports, got)
	}
	for i := 1; i < len(reports); i++ {
		if reports[i].Scanned < reports[i-1].Scanned || reports[i].Deleted < reports[i-1].Deleted {
			t.Errorf("Progress went back: %+v, then %+v", reports[i-1], reports[i])
		}
	}
}

// The rate holds for all segments together. Time is that of a synctest bubble, in which no connection to
// another process can be, hence memdynamo in either case.
func TestPurgeExpiredKeepsToPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memdynamo.New()
		client := dynamotest.NewClient("http://memdynamo.invalid", engine)
		store := storeOn(t, client, dynamostore.Config{})
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		const items, perSecond = 100, 7
		for i := range items {
			if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: ptr("sessions"), Item: dynamotest.Item{
				"id": dynamotest.S(fmt.Sprint(i)), "data": dynamotest.B([]byte("x")),
				// TTL does not delete it: it expired more than five years ago.
				"expires": dynamotest.N("1"),
			}}); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		inSecond := map[time.Duration]int{}
		var mu sync.Mutex
		reports := 0
		counting := dynamotest.NewClient("http://memdynamo.invalid", transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DeleteItem") {
				mu.Lock()
				inSecond[time.Since(begin).Truncate(time.Second)]++
				mu.Unlock()
			}
			return engine.RoundTrip(r)
		}))
		got, err := storeOn(t, counting, dynamostore.Config{}).PurgeExpired(t.Context(), dynamostore.PurgeOptions{
			Parallel: 4, PerSecond: perSecond, Progress: func(dynamostore.PurgeStats) { reports++ },
		})
		if want := (dynamostore.PurgeStats{Scanned: items, Deleted: items}); err != nil || got != want {
			t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
		}
		for second, n := range inSecond {
			if n > perSecond {
				t.Errorf("%d items were deleted in the second after %v, want %d at most", n, second, perSecond)
			}
		}
		if took, want := time.Since(begin).Round(time.Second), (items-1)*time.Second/perSecond; took != want.Round(time.Second) {
			t.Errorf("it took %v, want %v", took, want)
		}
		// One a second, and one for each of the 4 pages.
		if reports < 12 || reports > 20 {
			t.Errorf("Progress was called %d times in %v", reports, time.Since(begin))
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPurgeExpiredChecksItsOptions(t *testing.T) {
	a := newApp(t)
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: -1, PerSecond: -2})
	says(t, err,
		"dynamostore: PurgeOptions.Parallel: -1 segments: it takes 1 to 1000, or 0 for 1",
		"dynamostore: PurgeOptions.PerSecond: -2 is negative: it takes the most deletions in a second, or 0 for no limit")
	if got != (dynamostore.PurgeStats{}) {
		t.Errorf("PurgeExpired = %+v, want nothing", got)
	}
	a.sent()
}
