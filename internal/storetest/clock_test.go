package storetest

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// instance is a Store without a server, for tests of time in a bubble of testing/synctest. It is
// always on memdynamo, since a bubble's time does not pass during a request to a network.
type instance struct {
	*testing.T
	backend *dynamotest.Backend
	store   *dynamostore.Store
}

func newInstance(t *testing.T, configure ...func(*dynamostore.Config)) *instance {
	t.Helper()
	i := &instance{T: t, backend: dynamotest.NewInMemory(t)}
	i.backend.CreateTable(t, "id", "")
	i.store = i.open(t, configure...)
	return i
}

// open returns another Store on the instance's table.
func (i *instance) open(t *testing.T, configure ...func(*dynamostore.Config)) *dynamostore.Store {
	t.Helper()
	cfg := dynamostore.Config{Table: i.backend.Table}
	for _, f := range configure {
		f(&cfg)
	}
	cfg.NoTransactions = cfg.NoTransactions || noTransactions
	store, err := dynamostore.New(i.backend.Client, cfg, keyA)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return store
}

// visit is a request under way, and its response.
type visit struct {
	i       *instance
	r       *http.Request
	w       *httptest.ResponseRecorder
	session *sessions.Session
}

// visit begins a request that brings cookies and gets the session. An error of Get fails the test.
func (i *instance) visit(ctx context.Context, cookies ...*http.Cookie) *visit {
	i.Helper()
	v := &visit{i: i, r: httptest.NewRequestWithContext(ctx, http.MethodGet, "https://app.example/", nil), w: httptest.NewRecorder()}
	for _, c := range cookies {
		v.r.AddCookie(c)
	}
	session, err := i.store.Get(v.r, cookieName)
	if err != nil {
		i.Errorf("Get: %v", err)
	}
	v.session = session
	return v
}

func (v *visit) save() error { return v.session.Save(v.r, v.w) }

// cookies are the session cookies of the response so far.
func (v *visit) cookies() []*http.Cookie { return cookiesOf(v.w) }

// cookiesOf returns the cookies that w sets so far.
func cookiesOf(w http.ResponseWriter) []*http.Cookie {
	return (&http.Response{Header: w.Header()}).Cookies()
}

// begin creates a session and returns its cookie.
func (i *instance) begin(values map[any]any) *http.Cookie {
	i.Helper()
	ctx, cancel := context.WithCancel(i.Context())
	defer cancel()
	v := i.visit(ctx)
	maps.Copy(v.session.Values, values)
	if err := v.save(); err != nil {
		i.Fatalf("Save: %v", err)
	}
	if len(v.cookies()) != 1 {
		i.Fatalf("Save set the cookies %v, want one", v.cookies())
	}
	i.backend.Counts()
	return v.cookies()[0]
}

// item returns the only item of the table.
func (i *instance) item() dynamotest.Item {
	i.Helper()
	items := i.backend.Items(i.T)
	if len(items) != 1 {
		i.Fatalf("the table holds %v, want one item", show(items...))
	}
	return items[0]
}

// at runs f in a bubble whose clock is d ahead of this machine's, or behind it if d is negative.
func at(t *testing.T, d time.Duration, f func(*testing.T)) {
	t.Helper()
	begin := time.Now().Add(d)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(begin))
		f(t)
	})
}
