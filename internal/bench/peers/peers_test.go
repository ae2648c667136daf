//go:build unix

// Package peers measures a Store beside other session stores for Go that the module proxy serves. It is a
// module of its own, so that nobody else needs them.
//
//	go test -run '^$' -bench . .
//
// No server is part of it. What the Store sends is answered by a transport, and what the Redis stores send by
// a connection in memory, both of which answer at once. So the sockets are left out and, of DynamoDB,
// net/http's client and TLS. The files of FilesystemStore are files.
package peers

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	scsredis "github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	goredis "github.com/redis/go-redis/v9"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/bench"
)

const sessionSize = 1 << 10

// A visitor is a browser with a session in a store.
type visitor interface {
	// visit makes a request, which must find the session.
	visit(bench.Visit) error
	// values returns the session of the last visit.
	values() map[any]any
}

var visits = []struct {
	name string
	bench.Visit
}{
	{"Get", bench.Get},
	{"GetSaveUnchanged", bench.GetSaveUnchanged},
	{"GetSaveChanged", bench.GetSaveChanged},
}

var peers = []struct {
	name string
	open func(testing.TB) visitor
}{
	{"filesystem", newFilesystem},
	{"redisstore", newRedisstore},
	{"scs", newSCS},
}

func newStore(t testing.TB) visitor {
	s := bench.NewSubject(t, dynamostore.Config{}, bench.Values(sessionSize))
	return &gorilla{store: s.Store, request: s.Request, response: response{}}
}

func newFilesystem(t testing.TB) visitor {
	return newGorilla(t, sessions.NewFilesystemStore(t.TempDir(), bytes.Repeat([]byte("a"), 32)))
}

func newRedisstore(t testing.TB) visitor {
	server := newRedisServer()
	client := goredis.NewClient(&goredis.Options{
		Dialer:   func(context.Context, string, string) (net.Conn, error) { return server.dial(), nil },
		Protocol: 2,
	})
	t.Cleanup(func() { client.Close() })
	store, err := redisstore.NewRedisStore(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return newGorilla(t, store)
}

// A gorilla is a visitor of a store for gorilla/sessions.
type gorilla struct {
	store    sessions.Store
	request  *http.Request
	response response
	session  *sessions.Session
	n        int
}

// newGorilla returns a visitor who has made a first visit.
func newGorilla(t testing.TB, store sessions.Store) *gorilla {
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	session, err := store.Get(r, bench.CookieName)
	if err != nil {
		t.Fatal(err)
	}
	session.Values = bench.Values(sessionSize)
	if err := session.Save(r, w); err != nil {
		t.Fatal(err)
	}
	return &gorilla{store: store, request: withCookie(w), response: response{}}
}

// withCookie returns a request with the cookie of a response.
func withCookie(w *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

func (g *gorilla) visit(v bench.Visit) error {
	clear(g.response)
	r := *g.request // with a registry of its own
	session, err := g.store.Get(&r, bench.CookieName)
	if err != nil {
		return err
	}
	g.session = session
	if session.IsNew || session.Values["email"] == nil {
		return errors.New("no session was loaded")
	}
	if v == bench.Get {
		return nil
	}
	if v == bench.GetSaveChanged {
		g.n++
		session.Values["seen"] = g.n
	}
	return session.Save(&r, g.response)
}

func (g *gorilla) values() map[any]any { return g.session.Values }

// A response is a response that nobody reads.
type response http.Header

func (r response) Header() http.Header         { return http.Header(r) }
func (r response) Write(b []byte) (int, error) { return len(b), nil }
func (r response) WriteHeader(int)             {}

// scsVisitor is a visitor of scs, whose middleware writes a session only if it was changed. To it, a visit
// that saves nothing and one that saves an unchanged session are the same.
type scsVisitor struct {
	manager  *scs.SessionManager
	handler  http.Handler
	request  *http.Request
	response response
	n        int

	now     bench.Visit // of the request under way
	session context.Context
	err     error
}

func newSCS(t testing.TB) visitor {
	server := newRedisServer()
	pool := &redis.Pool{MaxIdle: 1, Dial: func() (redis.Conn, error) { return redis.NewConn(server.dial(), 0, 0), nil }}
	t.Cleanup(func() { pool.Close() })
	s := &scsVisitor{manager: scs.New(), response: response{}}
	s.manager.Store = scsredis.New(pool)
	s.manager.ErrorFunc = func(_ http.ResponseWriter, _ *http.Request, err error) { s.err = err }
	s.handler = s.manager.LoadAndSave(http.HandlerFunc(s.serve))

	s.now = bench.FirstVisit
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if s.err != nil {
		t.Fatal(s.err)
	}
	s.request = withCookie(w)
	return s
}

func (s *scsVisitor) visit(v bench.Visit) error {
	clear(s.response)
	s.now, s.err = v, nil
	s.handler.ServeHTTP(s.response, s.request)
	return s.err
}

func (s *scsVisitor) serve(_ http.ResponseWriter, r *http.Request) {
	s.session = r.Context()
	switch {
	case s.now == bench.FirstVisit:
		for k, v := range bench.Values(sessionSize) {
			s.manager.Put(s.session, k.(string), v)
		}
	case s.manager.Get(s.session, "email") == nil:
		s.err = errors.New("no session was loaded")
	case s.now == bench.GetSaveChanged:
		s.n++
		s.manager.Put(s.session, "seen", s.n)
	}
}

func (s *scsVisitor) values() map[any]any {
	values := make(map[any]any)
	for _, k := range s.manager.Keys(s.session) {
		values[k] = s.manager.Get(s.session, k)
	}
	return values
}

// Each visit finds the values that the one before left.
func TestVisits(t *testing.T) {
	check := func(t *testing.T, v visitor, want map[any]any) {
		t.Helper()
		if err := v.visit(bench.Get); err != nil {
			t.Fatal(err)
		}
		if got := v.values(); !reflect.DeepEqual(got, want) {
			t.Errorf("Get gives %v, want %v", got, want)
		}
	}
	run := func(t *testing.T, v visitor) {
		t.Helper()
		for _, visit := range visits {
			if err := v.visit(visit.Visit); err != nil {
				t.Errorf("%s: %v", visit.name, err)
			}
		}
	}
	want := bench.Values(sessionSize)
	t.Run("dynamostore", func(t *testing.T) {
		v := newStore(t)
		check(t, v, want)
		run(t, v)
		check(t, v, want) // the transport's answer is always the same
	})
	changed := maps.Clone(want)
	changed["seen"] = 1
	for _, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			v := peer.open(t)
			check(t, v, want)
			run(t, v)
			check(t, v, changed)
		})
	}
}

func BenchmarkGet(b *testing.B)              { benchmark(b, bench.Get) }
func BenchmarkGetSaveUnchanged(b *testing.B) { benchmark(b, bench.GetSaveUnchanged) }
func BenchmarkGetSaveChanged(b *testing.B)   { benchmark(b, bench.GetSaveChanged) }

func benchmark(b *testing.B, visit bench.Visit) {
	for _, peer := range peers {
		b.Run("peer="+peer.name, func(b *testing.B) {
			ours, theirs := newStore(b), peer.open(b)
			bench.Compare(b, func() error { return ours.visit(visit) }, "peer", func() error { return theirs.visit(visit) })
		})
	}
}
