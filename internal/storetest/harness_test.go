// Package storetest tests the behaviour of a Store, over HTTP and through its public API, on memdynamo or on the endpoint
// that DYNAMOSTORE_TEST_ENDPOINT names. Each file is for a part of DESIGN.md, and each behaviour has one test.
package storetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

const cookieName = "session"

var (
	keyA = bytes.Repeat([]byte("a"), 32)
	keyB = bytes.Repeat([]byte("b"), 32)
)

// thinned returns the cases of a long table to run: all of them, or every third with the race detector,
// which makes each take several times as long.
func thinned[T any](cases []T) []T {
	if !dynamotest.RaceDetector {
		return cases
	}
	var some []T
	for i := 0; i < len(cases); i += 3 {
		some = append(some, cases[i])
	}
	return some
}

// app is a web application on a Store. Its URL is of HTTPS, since the Store's cookies are Secure.
type app struct {
	*testing.T
	backend   *dynamotest.Backend
	cfg       dynamostore.Config
	store     *dynamostore.Store
	url       string
	transport http.RoundTripper // of its visitors

	mu       sync.Mutex
	handlers []http.HandlerFunc
}

// newApp returns an app whose Config is the zero one, but for what configure sets.
func newApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	a := &app{T: t, backend: dynamotest.New(t)}
	for _, f := range configure {
		f(&a.cfg)
	}
	if a.cfg.Timeout == 0 {
		a.cfg.Timeout = patience // the machine may be busy
	}
	a.cfg.Table = a.backend.Table
	a.backend.CreateTable(t, a.keyAttribute(), a.cfg.SortKeyAttribute)
	a.store = a.open(a.cfg, keyA)
	a.serve()
	return a
}

// serve has the app's browsers reach it without a network, which would take most of the tests' time.
func (a *app) serve() { a.url, a.transport = "https://app.example", direct{a} }

// serveTLS has the app's browsers reach it through a server, for tests of what only a server does.
func (a *app) serveTLS(http2 bool) {
	server := httptest.NewUnstartedServer(a)
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that a client did not need after all
	server.StartTLS()
	a.Cleanup(server.Close)
	a.url, a.transport = server.URL, server.Client().Transport
}

// direct has a handler answer requests as a server does: both are HTTP/1.1 on their way, and the handler runs on
// a goroutine of its own, with a context that ends when it returns.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent, answered bytes.Buffer
	if err := r.Write(&sent); err != nil {
		return nil, err
	}
	received, err := http.ReadRequest(bufio.NewReader(&sent))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	received = received.WithContext(ctx)
	w := httptest.NewRecorder()
	panicked := make(chan any, 1)
	go func() {
		defer func() {
			cancel()
			panicked <- recover()
		}()
		d.handler.ServeHTTP(w, received)
	}()
	select {
	case p := <-panicked:
		if p != nil {
			return nil, fmt.Errorf("the handler panicked: %v", p)
		}
		if err := w.Result().Write(&answered); err != nil {
			return nil, err
		}
		return http.ReadResponse(bufio.NewReader(&answered), r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// another is the same application in another process: what it does there, Stores of this process
// do not know.
func (a *app) another() *app {
	other := &app{T: a.T, backend: a.backend, cfg: a.cfg}
	other.store = a.open(a.cfg, keyA)
	other.serve()
	return other
}

// noTransactions reports whether the engine refuses transactions, so that the tests run without them.
var noTransactions = os.Getenv("DYNAMOSTORE_TEST_NO_TRANSACTIONS") != ""

// open returns another Store on the app's backend.
func (a *app) open(cfg dynamostore.Config, keyPairs ...[]byte) *dynamostore.Store {
	a.Helper()
	cfg.NoTransactions = cfg.NoTransactions || noTransactions
	store, err := dynamostore.New(a.backend.Client, cfg, keyPairs...)
	if err != nil {
		a.Fatalf("New: %v", err)
	}
	return store
}

func (a *app) keyAttribute() string {
	if a.cfg.KeyAttribute != "" {
		return a.cfg.KeyAttribute
	}
	return "id"
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("handler"))
	a.mu.Lock()
	handler := a.handlers[n]
	a.mu.Unlock()
	handler(w, r)
}

// browser is a visitor with cookies of its own.
type browser struct {
	app    *app
	client *http.Client
}

func (a *app) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.Fatal(err)
	}
	return &browser{a, &http.Client{Transport: a.transport, Jar: jar}}
}

// tab is another browser with the same cookies as b has now.
func (b *browser) tab() *browser { return b.app.tab(b) }

// tab is a browser that visits a, with the cookies that b has now.
func (a *app) tab(b *browser) *browser {
	other := a.browser()
	other.client.Jar.SetCookies(other.url(), b.client.Jar.Cookies(b.url()))
	return other
}

func (b *browser) url() *url.URL {
	u, err := url.Parse(b.app.url)
	if err != nil {
		b.app.Fatal(err)
	}
	return u
}

// cookie is the value that the browser sends, "" for none.
func (b *browser) cookie() string {
	for _, c := range b.client.Jar.Cookies(b.url()) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(value string) {
	b.client.Jar.SetCookies(b.url(), []*http.Cookie{{Name: cookieName, Value: value, Path: "/", Secure: true}})
}

// visit sends a request that handler answers, and returns the session cookies that came back.
func (b *browser) visit(handler http.HandlerFunc) []*http.Cookie {
	b.app.Helper()
	b.app.mu.Lock()
	b.app.handlers = append(b.app.handlers, handler)
	n := len(b.app.handlers) - 1
	b.app.mu.Unlock()
	resp, err := b.client.Get(fmt.Sprintf("%s/?handler=%d", b.app.url, n))
	if err != nil {
		b.app.Fatalf("visit: %v", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.app.Fatalf("visit: %v", err)
	}
	return slices.DeleteFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name != cookieName })
}

// with visits a handler that gets the session by the app's Store, lets f change it and saves it.
// It returns the cookies that came back and the error of Save. An error of Get fails the test.
func (b *browser) with(f func(*sessions.Session)) (cookies []*http.Cookie, err error) {
	b.app.Helper()
	cookies = b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, getErr := b.app.store.Get(r, cookieName)
		if getErr != nil {
			b.app.Errorf("Get: %v", getErr)
		}
		f(session)
		err = session.Save(r, w)
	})
	return cookies, err
}

// set stores a value in the session, and fails the test where that fails.
func (b *browser) set(key, value any) []*http.Cookie {
	b.app.Helper()
	cookies, err := b.with(func(s *sessions.Session) { s.Values[key] = value })
	if err != nil {
		b.app.Errorf("Save: %v", err)
	}
	return cookies
}

// load visits a handler that gets the session and does not save it.
func (b *browser) load() (session *sessions.Session, err error) {
	b.app.Helper()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err = b.app.store.Get(r, cookieName)
		if session == nil {
			b.app.Fatal("Get returned no session")
		}
	})
	return session, err
}

// values are those of the session as the next request sees it.
func (b *browser) values() map[any]any {
	b.app.Helper()
	session, err := b.load()
	if err != nil {
		b.app.Errorf("Get: %v", err)
	}
	return session.Values
}

// logout deletes the session.
func (b *browser) logout() {
	b.app.Helper()
	if _, err := b.with(func(s *sessions.Session) { s.Options.MaxAge = -1 }); err != nil {
		b.app.Errorf("Save: %v", err)
	}
}

// wantSent asserts which requests went to DynamoDB since it was asked last, as in
// wantSent("GetItem", "UpdateItem").
func (a *app) wantSent(want ...string) {
	a.Helper()
	var got []string
	counts := a.backend.Counts()
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		for range counts[op] {
			got = append(got, op)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		a.Errorf("DynamoDB was sent %q, want %q", got, want)
	}
}

// item returns the only item of the table that is not a tombstone.
func (a *app) item() dynamotest.Item {
	a.Helper()
	a.wantLive(1)
	return a.live()[0]
}

// alter sets attributes of the only item of the table; nil removes one.
func (a *app) alter(attrs dynamotest.Item) {
	a.Helper()
	item := a.item()
	for name, v := range attrs {
		if v == nil {
			delete(item, name)
		} else {
			item[name] = v
		}
	}
	a.backend.Put(a.T, item)
}

// live returns the items that are not tombstones.
func (a *app) live() []dynamotest.Item {
	a.Helper()
	return slices.DeleteFunc(a.backend.Items(a.T), func(item dynamotest.Item) bool { return item["gone"] != nil })
}

// tombstones returns the items that are tombstones.
func (a *app) tombstones() []dynamotest.Item {
	a.Helper()
	return slices.DeleteFunc(a.backend.Items(a.T), func(item dynamotest.Item) bool { return item["gone"] == nil })
}

// wantLive asserts how many sessions the table holds.
func (a *app) wantLive(want int) {
	a.Helper()
	if live := a.live(); len(live) != want {
		a.Errorf("the table holds %d sessions, want %d: %v", len(live), want, live)
	}
}

// put stores an item under an ID, and returns a browser whose cookie carries that ID.
func (a *app) put(id string, attrs dynamotest.Item) *browser {
	a.Helper()
	item := maps.Clone(attrs)
	item[a.keyAttribute()] = dynamotest.S(a.cfg.KeyPrefix + id)
	if a.cfg.SortKeyAttribute != "" {
		item[a.cfg.SortKeyAttribute] = dynamotest.S(a.cfg.SortKeyValue)
	}
	a.backend.Put(a.T, item)
	b := a.browser()
	b.setCookie(signed(a.T, id, keyA))
	return b
}

// signed is the cookie of a session ID.
func signed(t testing.TB, id any, key []byte) string {
	t.Helper()
	value, err := securecookie.EncodeMulti(cookieName, id, securecookie.CodecsFromPairs(key)...)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// attrNumber is the value of an attribute of type N.
func attrNumber(t testing.TB, item dynamotest.Item, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimPrefix(fmt.Sprintf("%v", attrText(item[name])), "N:"), 10, 64)
	if err != nil {
		t.Fatalf("attribute %q is %v, want a number", name, attrText(item[name]))
	}
	return n
}

// secondsFromNow is the text of a number attribute that holds the time d from now.
func secondsFromNow(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// wantTime asserts that got, in seconds since 1970, is d after some moment since begin, rounded up to a second.
func wantTime(t testing.TB, what string, got int64, begin time.Time, d time.Duration) {
	t.Helper()
	if first, last := begin.Add(d).Unix(), time.Now().Add(d).Unix()+1; got < first || got > last {
		t.Errorf("%s is %v, want from %v to %v", what, time.Unix(got, 0).UTC(), time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC())
	}
}

// wantError asserts that err is target, and that its text holds no secret.
func wantError(t testing.TB, err, target error, secrets ...string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
	for _, secret := range secrets {
		if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("error %q holds the secret %q", err, secret)
		}
	}
}

// eventually waits until something holds that the end of a request sets off. The limit is there to end a test that hangs.
func eventually(holds func() bool) bool {
	for limit := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			return false
		}
	}
	return true
}

// modes are the values of Config.Concurrency.
var modes = []struct {
	name string
	mode dynamostore.Concurrency
}{
	{"merge", dynamostore.Merge},
	{"refuse", dynamostore.Refuse},
	{"overwrite", dynamostore.Overwrite},
	{"lock", dynamostore.Lock},
}

// attrText shows an attribute value as its type and content.
func attrText(v any) string {
	switch v := v.(type) {
	case nil:
		return "absent"
	case *types.AttributeValueMemberS:
		return "S:" + v.Value
	case *types.AttributeValueMemberN:
		return "N:" + v.Value
	case *types.AttributeValueMemberB:
		return "B:" + string(v.Value)
	}
	return fmt.Sprintf("%T", v)
}
