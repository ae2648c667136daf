package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/securecookie"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// wantRefused delivers n requests that were held back, and asserts that DynamoDB refuses them.
func wantRefused(t testing.TB, held *dynamotest.HeldBack, n int) {
	t.Helper()
	statuses := held.Deliver(t)
	if want := slices.Repeat([]int{http.StatusBadRequest}, n); !slices.Equal(statuses, want) {
		t.Errorf("requests that arrived late were answered %v, want %v", statuses, want)
	}
}

// bodyOf returns the body of a request, which can still be sent.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		panic(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// setsAttribute reports whether an UpdateItem sets the attribute of that name.
func setsAttribute(r *http.Request, name string) bool {
	var update struct {
		UpdateExpression         string
		ExpressionAttributeNames map[string]string
	}
	if err := json.Unmarshal(bodyOf(r), &update); err != nil {
		panic(err)
	}
	set, _, _ := strings.Cut(update.UpdateExpression, "REMOVE ")
	for placeholder, attribute := range update.ExpressionAttributeNames {
		if attribute == name && strings.Contains(set, placeholder+" = ") {
			return true
		}
	}
	return false
}

// onUpdatesOf makes the next UpdateItems that set the attribute of that name meet those faults, one
// each. All others, such as those that acquire and release a lock, go through.
func onUpdatesOf(b *dynamotest.Backend, attribute string, faults ...dynamotest.Fault) {
	onUpdates(b, func(r *http.Request) bool { return setsAttribute(r, attribute) }, faults...)
}

// onUpdates makes the next UpdateItems that match meet those faults, one each.
func onUpdates(b *dynamotest.Backend, match func(*http.Request) bool, faults ...dynamotest.Fault) {
	var filter dynamotest.Fault
	filter = func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		fault := through
		if match(r) {
			fault, faults = faults[0], faults[1:]
		}
		if len(faults) > 0 {
			b.Inject("UpdateItem", filter)
		}
		return fault(next, r)
	}
	b.Inject("UpdateItem", filter)
}

// through is no fault: the request reaches DynamoDB, and the answer its sender.
var through = dynamotest.Do(func() {})

// itemUnder returns what is stored under the ID that the browser's cookie carries, without a lock;
// nil if nothing is.
func (a *app) itemUnder(b *browser) dynamotest.Item {
	a.Helper()
	var id string
	if err := securecookie.DecodeMulti(cookieName, b.cookie(), &id, a.store.Codecs...); err != nil {
		a.Fatalf("decode the browser's cookie: %v", err)
	}
	out, err := a.backend.Raw().GetItem(a.Context(), &dynamodb.GetItemInput{
		TableName:      &a.backend.Table,
		Key:            dynamotest.Item{"id": dynamotest.S(a.cfg.KeyPrefix + id)},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		a.Fatalf("GetItem: %v", err)
	}
	delete(out.Item, "lock")
	delete(out.Item, "lock_until")
	delete(out.Item, "lock_count")
	return out.Item
}

// patientMode configures a Store for a mode, with limits so long that a slow machine does not reach
// them.
func patientMode(mode dynamostore.Concurrency) func(*dynamostore.Config) {
	return func(c *dynamostore.Config) {
		c.Concurrency, c.Timeout = mode, time.Minute
		if mode == dynamostore.Lock {
			c.Lock.Wait, c.Lock.Lease = time.Minute, 10*time.Minute
		}
	}
}

// show returns what items hold, for the messages of tests.
func show(items ...dynamotest.Item) string {
	var all []string
	for _, item := range items {
		var attrs []string
		for _, name := range slices.Sorted(maps.Keys(item)) {
			attrs = append(attrs, fmt.Sprintf("%s=%q", name, attrText(item[name])))
		}
		all = append(all, "{"+strings.Join(attrs, " ")+"}")
	}
	return "[" + strings.Join(all, " ") + "]"
}

// clear deletes all items of the table, when the requests that used them have released their locks.
func (a *app) clear() {
	a.Helper()
	if !eventually(func() bool {
		return !slices.ContainsFunc(a.backend.Items(a.T), func(item dynamotest.Item) bool { return item["lock_until"] != nil })
	}) {
		a.Errorf("a session stays locked: %v", show(a.backend.Items(a.T)...))
	}
	for _, item := range a.backend.Items(a.T) {
		a.backend.Delete(a.T, dynamotest.Item{"id": item["id"]})
	}
}

// elsewhere is the same application in another process whose network does not fail, and whose
// requests do not count.
func (a *app) elsewhere() *app {
	a.Helper()
	other := &app{T: a.T, backend: a.backend, cfg: a.cfg}
	cfg := a.cfg
	cfg.NoTransactions = cfg.NoTransactions || noTransactions
	store, err := dynamostore.New(a.backend.Raw(), cfg, keyA)
	if err != nil {
		a.Fatalf("New: %v", err)
	}
	other.store = store
	other.serve()
	return other
}

// send sends a request with the session cookies of those values, which handler answers, and returns
// the session cookies that came back.
func (a *app) send(values []string, handler http.HandlerFunc) []*http.Cookie {
	a.Helper()
	b := a.browser()
	b.client.Transport = withCookies{b.client.Transport, values}
	return b.visit(handler)
}

// withCookies adds session cookies to each request, also several, and such as a cookie jar would
// not send.
type withCookies struct {
	next   http.RoundTripper
	values []string
}

func (c withCookies) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	var lines []string
	for _, v := range c.values {
		lines = append(lines, cookieName+"="+v)
	}
	if len(lines) > 0 {
		r.Header.Set("Cookie", strings.Join(lines, "; "))
	}
	return c.next.RoundTrip(r)
}
