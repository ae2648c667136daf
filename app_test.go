package dynamostore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
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

// app is a web application on a Store, behind a server that speaks TLS, since the Store's cookies are Secure.
type app struct {
	*testing.T
	backend *dynamotest.Backend
	cfg     dynamostore.Config
	store   *dynamostore.Store
	server  *httptest.Server

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
	a.cfg.Table = a.backend.Table
	a.backend.CreateTable(t, a.keyAttribute(), a.cfg.SortKeyAttribute)
	a.store = a.open(a.cfg, keyA)
	a.serve()
	return a
}

func (a *app) serve() {
	a.server = httptest.NewUnstartedServer(a)
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that a client did not need after all
	a.server.StartTLS()
	a.Cleanup(a.server.Close)
}

// another is the same application in another process: what it does there, Stores of this process
// do not know.
func (a *app) another() *app {
	other := &app{T: a.T, backend: a.backend, cfg: a.cfg}
	other.store = a.open(a.cfg, keyA)
	other.serve()
	return other
}

// open returns another Store on the app's backend.
func (a *app) open(cfg dynamostore.Config, keyPairs ...[]byte) *dynamostore.Store {
	a.Helper()
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
	client := a.server.Client()
	return &browser{a, &http.Client{Transport: client.Transport, Jar: jar}}
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
	u, err := url.Parse(b.app.server.URL)
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
	resp, err := b.client.Get(fmt.Sprintf("%s/?handler=%d", b.app.server.URL, n))
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

// sent asserts which requests went to DynamoDB since it was asked last, as in
// sent("GetItem", "UpdateItem").
func (a *app) sent(want ...string) {
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

// item returns the only item of the table.
func (a *app) item() dynamotest.Item {
	a.Helper()
	items := a.backend.Items(a.T)
	if len(items) != 1 {
		a.Fatalf("the table holds %d items, want 1: %v", len(items), items)
	}
	return items[0]
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

// empty asserts that the table holds nothing.
func (a *app) empty() {
	a.Helper()
	if items := a.backend.Items(a.T); len(items) != 0 {
		a.Errorf("the table holds %d items, want none: %v", len(items), items)
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

// numberOf is the value of an attribute of type N.
func numberOf(t testing.TB, item dynamotest.Item, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimPrefix(fmt.Sprintf("%v", render(item[name])), "N:"), 10, 64)
	if err != nil {
		t.Fatalf("attribute %q is %v, want a number", name, render(item[name]))
	}
	return n
}

// inSeconds is an attribute with the time that lies d from now.
func inSeconds(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// about asserts that got is want, give or take the seconds that a test may take.
func about(t testing.TB, what string, got int64, want time.Time) {
	t.Helper()
	if d := got - want.Unix(); d < -60 || d > 60 {
		t.Errorf("%s is %v, want about %v", what, time.Unix(got, 0).UTC(), want.UTC())
	}
}

// is asserts that err is target, and that it says nothing that is secret.
func is(t testing.TB, err, target error, secrets ...string) {
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

// render shows an attribute value as type and content.
func render(v any) string {
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

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
