package storetest

import (
	"context"
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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/memdynamo"
)

// anHourAgo and inAnHour are attributes of expired and of live sessions.
func anHourAgo() types.AttributeValue { return dynamotest.N(secondsFromNow(-time.Hour)) }
func inAnHour() types.AttributeValue  { return dynamotest.N(secondsFromNow(time.Hour)) }

// keysLeft returns the partition keys in the table.
func (a *app) keysLeft() []string {
	a.Helper()
	var keys []string
	for _, item := range a.backend.Items(a.T) {
		keys = append(keys, strings.TrimPrefix(attrText(item[a.keyAttribute()]), "S:"))
	}
	slices.Sort(keys)
	return keys
}

// putExpired stores n expired sessions.
func (a *app) putExpired(n int) {
	a.Helper()
	for i := range n {
		a.put(fmt.Sprint("item ", i), dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": anHourAgo()})
	}
}

func TestPurgeExpiredDeletesWhatHasExpired(t *testing.T) {
	t.Parallel()
	session := func(expires string) dynamotest.Item {
		return dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(expires), "created": dynamotest.N("1000")}
	}
	past, future := secondsFromNow(-time.Hour), secondsFromNow(time.Hour)
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
		return dynamotest.Item{"gone": dynamotest.S("ended"), "version": dynamotest.S("v"), "seen": dynamotest.N("1000"), "expires": dynamotest.N(expires)}
	}
	items := map[string]struct {
		item dynamotest.Item
		fate string // deleted, kept, or "": not this Store's to see
	}{
		"expired":                          {session(past), "deleted"},
		"expired just now":                 {session(secondsFromNow(-time.Second)), "deleted"},
		"expired, data in text":            {with(session(past), dynamotest.Item{"data": dynamotest.S("x")}), "deleted"},
		"expired, locked":                  {with(session(past), dynamotest.Item{"lock": dynamotest.S("x"), "lock_until": dynamotest.N("99999999999999")}), "deleted"},
		"expired, another store's":         {with(session(past), dynamotest.Item{"created": nil}), "deleted"},
		"expired, long ago":                {session("0"), "deleted"},
		"expired, a fraction":              {session("1.5"), "deleted"},
		"live":                             {session(future), "kept"},
		"live, never ends":                 {session("1e40"), "kept"},
		"no end":                           {with(session(past), dynamotest.Item{"expires": nil}), "kept"},
		"end of another type":              {with(session(past), dynamotest.Item{"expires": dynamotest.S("1")}), ""},
		"expired, in milliseconds":         {session(past + "000"), "deleted"},
		"live, in milliseconds":            {session(future + "000"), "kept"},
		"tombstone, expired":               {tombstone(past), "deleted"},
		"tombstone of a rotation, expired": {with(tombstone(past), dynamotest.Item{"gone": dynamotest.S("moved")}), "deleted"},
		"no session: neither data nor end": {dynamotest.Item{"kind": dynamotest.S("x")}, ""},
		"no session: no data":              {dynamotest.Item{"expires": anHourAgo()}, ""},
		"no session: gone is a number":     {dynamotest.Item{"expires": anHourAgo(), "gone": dynamotest.N("1")}, ""},
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
					for key, sort := range map[string]string{"app#x": "session", "web#two#x": "session", "web#x": "profile"} {
						a.backend.Put(t, with(session(past), dynamotest.Item{"pk": dynamotest.S(key), "sk": dynamotest.S(sort)}))
						want = append(want, key)
					}
				}
				slices.Sort(want)
				got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: parallel})
				if err != nil || got != stats {
					t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, stats)
				}
				if left := a.keysLeft(); !slices.Equal(left, want) {
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
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = time.Hour })
	data := dynamotest.B([]byte("x"))
	old, young := dynamotest.N(secondsFromNow(-2*time.Hour)), dynamotest.N(secondsFromNow(-time.Minute))
	end := inAnHour()
	for id, item := range map[string]dynamotest.Item{
		"old":                    {"data": data, "expires": end, "created": old},
		"young":                  {"data": data, "expires": end, "created": young},
		"young, expired":         {"data": data, "expires": anHourAgo(), "created": young},
		"of no age":              {"data": data, "expires": end},
		"of an age before 1970":  {"data": data, "expires": end, "created": dynamotest.N("-1")},
		"of an age in words":     {"data": data, "expires": end, "created": dynamotest.S("old")},
		"old, of no end":         {"data": data, "created": old},
		"tombstone with an age":  {"gone": dynamotest.S("ended"), "expires": end, "created": old},
		"end of another type":    {"data": data, "expires": dynamotest.S("1"), "created": old},
		"tombstone, and expired": {"gone": dynamotest.S("ended"), "expires": anHourAgo()},
	} {
		a.put(id, item)
	}
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	if want := (dynamostore.PurgeStats{Scanned: 9, Deleted: 3, Kept: 6}); err != nil || got != want {
		t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
	}
	want := []string{"end of another type", "of an age before 1970", "of an age in words", "of no age", "old, of no end", "tombstone with an age", "young"}
	if left := a.keysLeft(); !slices.Equal(left, want) {
		t.Errorf("the table holds %q\nwant %q", left, want)
	}
}

// PurgeExpired sends no request for a tombstone that has not expired.
func TestPurgeAsksForTombstones(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", "v")
	b.logout()
	a.backend.Counts()
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	if want := (dynamostore.PurgeStats{Scanned: 1, Kept: 1}); err != nil || got != want {
		t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
	}
	a.wantSent("Scan")
}

// An item whose end was in milliseconds when the scan found it, and is in seconds when its turn
// comes, is compared with the time in seconds.
func TestPurgeOfAnItemThatWasInMilliseconds(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	live := dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": inAnHour()}
	a.put("x", dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": dynamotest.N(secondsFromNow(-time.Hour) + "000")})
	a.backend.Inject("DeleteItem", dynamotest.Do(func() { a.put("x", live) }))
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	if want := (dynamostore.PurgeStats{Scanned: 1, Kept: 1}); err != nil || got != want {
		t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
	}
	a.wantLive(1)
}

// What becomes of an item between the scan and its turn decides.
func TestPurgeExpiredLooksAgain(t *testing.T) {
	t.Parallel()
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
		{"extended", with(dynamotest.Item{"data": data, "expires": inAnHour()}), kept, 1},
		{"written, and expired again", with(dynamotest.Item{"data": data, "expires": dynamotest.N(secondsFromNow(-time.Second))}), gone, 0},
		{"ended", with(dynamotest.Item{"gone": dynamotest.S("ended"), "expires": inAnHour()}), kept, 1},
		{"made another thing", with(dynamotest.Item{"expires": anHourAgo()}), kept, 1},
		{"of another type", with(dynamotest.Item{"data": data, "expires": dynamotest.S("1")}), kept, 1},
		{"without end", with(dynamotest.Item{"data": data}), kept, 1},
		{"deleted by TTL", func(a *app) { a.backend.Delete(a.T, id) }, gone, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			a.put("x", dynamotest.Item{"data": data, "expires": anHourAgo()})
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
	t.Parallel()
	a := newApp(t)
	const items = 12
	fill := func() {
		for i := range items {
			a.put(fmt.Sprint(i), dynamotest.Item{"data": dynamotest.B(make([]byte, 300<<10)), "expires": anHourAgo()})
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
	a.wantItems(0, 0)

	fill()
	a.backend.Inject("Scan", dynamotest.Do(func() {}), dynamotest.Denied)
	got, err = a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	if left := len(a.backend.Items(t)); err == nil || got.Deleted != items-left || left == 0 || left == items {
		t.Errorf("PurgeExpired = %+v, %v, and %d items are left", got, err, left)
	}
}

// Requests that loaded their sessions before those expired save them while a purge runs. None of
// them lives on.
func TestPurgeExpiredRacesRequests(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.Timeout = mode.mode, time.Minute })
			const browsers = 20
			var loaded, saved sync.WaitGroup
			begin := make(chan struct{})
			loaded.Add(browsers)
			for range browsers {
				b := a.browser()
				b.set("k", "old")
				saved.Go(func() {
					cookies, err := b.with(func(s *sessions.Session) {
						loaded.Done()
						<-begin
						s.Values["k"] = "new"
					})
					wantError(t, err, dynamostore.ErrGone)
					if len(cookies) != 0 {
						t.Errorf("Save set the cookies %v", cookies)
					}
				})
			}
			loaded.Wait()
			for _, item := range a.backend.Items(t) {
				item["expires"] = anHourAgo()
				a.backend.Put(t, item)
			}
			close(begin)
			stats, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: 4})
			saved.Wait()
			// A Save that came first has left a tombstone.
			tombstones := len(a.tombstones())
			if want := (dynamostore.PurgeStats{Scanned: browsers, Deleted: browsers - tombstones, Kept: tombstones}); err != nil || stats != want {
				t.Errorf("PurgeExpired = %+v, %v, want %+v", stats, err, want)
			}
			a.wantLive(0)
		})
	}
}

func TestPurgeExpiredWaitsWhereDynamoDBIsBusy(t *testing.T) {
	t.Parallel()
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
			a := newApp(t, func(c *dynamostore.Config) { c.Timeout = 2 * time.Second })
			a.putExpired(3)
			a.backend.Inject(test.op, test.faults...)
			got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
			if want := (dynamostore.PurgeStats{Scanned: 3, Deleted: 3}); err != nil || got != want {
				t.Errorf("PurgeExpired = %+v, %v, want %+v", got, err, want)
			}
			if n := a.backend.Pending(); n != 0 {
				t.Errorf("%d faults were not met", n)
			}
			a.wantItems(0, 0)
		})
	}
}

// What was done before an error is counted, and another run does the rest.
func TestPurgeExpiredAfterAnError(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{1, 3} {
		a := newApp(t)
		const items = 9
		a.putExpired(items)
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
		a.wantItems(0, 0)
	}
}

// A purge that is told to stop stops, also one that waits.
func TestPurgeExpiredKeepsToItsContext(t *testing.T) {
	t.Parallel()
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
			a.putExpired(3)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			opts := prepare(a)
			deleted := make(chan struct{}, 10)
			store := openOn(t, &deletes{Client: a.backend.Client, done: deleted}, a.cfg)
			go func() {
				<-deleted
				cancel()
			}()
			if name == "between deletions" {
				cancel()
			}
			got, err := store.PurgeExpired(ctx, opts)
			wantError(t, err, context.Canceled)
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
	t.Parallel()
	a := newApp(t)
	for i := range 30 {
		expires := anHourAgo()
		if i%3 == 0 {
			expires = inAnHour()
		}
		a.put(fmt.Sprint(i), dynamotest.Item{"data": dynamotest.B([]byte("x")), "expires": expires})
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

// The rate holds for all segments together. Time is that of a synctest bubble, in which no
// connection to another process can be, hence memdynamo in either case.
func TestPurgeExpiredKeepsToPerSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		engine := memdynamo.New()
		client := dynamotest.NewClient("http://memdynamo.invalid", engine)
		store := openOn(t, client, dynamostore.Config{})
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		const items, perSecond = 100, 7
		for i := range items {
			if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("sessions"), Item: dynamotest.Item{
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
		counting := dynamotest.NewClient("http://memdynamo.invalid", roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DeleteItem") {
				mu.Lock()
				inSecond[time.Since(begin).Truncate(time.Second)]++
				mu.Unlock()
			}
			return engine.RoundTrip(r)
		}))
		got, err := openOn(t, counting, dynamostore.Config{}).PurgeExpired(t.Context(), dynamostore.PurgeOptions{
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

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPurgeExpiredChecksItsOptions(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	got, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: -1, PerSecond: -2})
	for _, want := range []string{
		"dynamostore: PurgeOptions.Parallel: -1 is out of range; want 1 to 1000, or 0 for 1",
		"dynamostore: PurgeOptions.PerSecond: -2 is negative; want the maximum deletions per second, or 0 for no limit",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("PurgeExpired = %v, want an error that says %q", err, want)
		}
	}
	if got != (dynamostore.PurgeStats{}) {
		t.Errorf("PurgeExpired = %+v, want nothing", got)
	}
	a.wantSent()
}
