package docs

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var key = []byte("a key for tests, which is no secret")

// site is an application on a Store, and its DynamoDB.
type site struct {
	*testing.T
	backend *dynamotest.Backend
	store   *dynamostore.Store
}

// newSite returns a site whose table exists. cfg names no table.
func newSite(t *testing.T, cfg dynamostore.Config) *site {
	t.Helper()
	return newSiteOn(t, dynamotest.New(t), cfg)
}

func newSiteOn(t *testing.T, backend *dynamotest.Backend, cfg dynamostore.Config) *site {
	t.Helper()
	s := &site{T: t, backend: backend}
	s.store = s.open(cfg)
	if err := s.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.backend.Counts()
	return s
}

// open returns another Store on the site's table.
func (s *site) open(cfg dynamostore.Config) *dynamostore.Store {
	s.Helper()
	cfg.Table = s.backend.Table
	store, err := dynamostore.New(s.backend.Client, cfg, key)
	if err != nil {
		s.Fatal(err)
	}
	return store
}

// wantSent asserts which requests went to DynamoDB since it was asked last.
func (s *site) wantSent(what string, want ...string) {
	s.Helper()
	var got []string
	counts := s.backend.Counts()
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		for range counts[op] {
			got = append(got, op)
		}
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		s.Errorf("%s: DynamoDB was sent %q, want %q", what, got, want)
	}
}

// live returns the items that are not tombstones.
func (s *site) live() []dynamotest.Item {
	return slices.DeleteFunc(s.backend.Items(s.T), func(item dynamotest.Item) bool { return item["gone"] != nil })
}

// browser keeps the cookies of one visitor.
type browser struct {
	site    *site
	cookies map[string]*http.Cookie
}

func (s *site) browser() *browser { return &browser{s, make(map[string]*http.Cookie)} }

// tab returns another browser that has the same cookies.
func (b *browser) tab() *browser { return &browser{b.site, maps.Clone(b.cookies)} }

// request returns a request that the browser sends.
func (b *browser) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil).WithContext(b.site.Context())
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	return r
}

// visit sends a request that the handler answers, and returns the response.
func (b *browser) visit(handler http.HandlerFunc) *http.Response {
	w := httptest.NewRecorder()
	handler(w, b.request())
	response := w.Result()
	for _, c := range response.Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return response
}

// with visits a handler that gets the session, lets f change it, and saves it.
func (b *browser) with(f func(*sessions.Session)) (response *http.Response, err error) {
	b.site.Helper()
	response = b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, getErr := b.site.store.Get(r, "session")
		if getErr != nil {
			b.site.Errorf("Get: %v", getErr)
		}
		f(session)
		err = session.Save(r, w)
	})
	return response, err
}

// set stores a value in the session, and returns the response.
func (b *browser) set(name string, value any) *http.Response {
	b.site.Helper()
	response, err := b.with(func(s *sessions.Session) { s.Values[name] = value })
	if err != nil {
		b.site.Errorf("Save: %v", err)
	}
	return response
}

// session returns the session that the next request gets.
func (b *browser) session() *sessions.Session {
	b.site.Helper()
	session, err := b.site.store.New(b.request(), "session")
	if err != nil {
		b.site.Errorf("New: %v", err)
	}
	return session
}
