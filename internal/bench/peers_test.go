//go:build unix

package bench

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
)

// peerSize is the size of the session that is compared with other stores.
//
// What the Redis stores send is answered by a connection in memory, as the Store's requests are by a
// transport. So the sockets are left out and, of DynamoDB, net/http's client and TLS. The files of
// FilesystemStore are files.
const peerSize = 1 << 10

// A visitor has a session in a store.
type visitor interface {
	// visit makes a request, which must find the session.
	visit(visit) error
	// values returns the session of the last visit.
	values() map[any]any
}

var visits = []struct {
	name string
	visit
}{
	{"Get", get},
	{"GetSaveUnchanged", getSaveUnchanged},
	{"GetSaveChanged", getSaveChanged},
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
	return &newSubject(t, dynamostore.Config{}, sessionValues(peerSize)).browser
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

// newGorilla returns a visitor who has made a first visit.
func newGorilla(t testing.TB, store sessions.Store) *browser {
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	session, err := store.Get(r, cookieName)
	if err != nil {
		t.Fatal(err)
	}
	session.Values = sessionValues(peerSize)
	if err := session.Save(r, w); err != nil {
		t.Fatal(err)
	}
	return &browser{store: store, request: withCookie(w), response: response{}}
}

// withCookie returns a request with the cookie of a response.
func withCookie(w *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

// scsVisitor is a visitor of scs, whose middleware writes a session only if it was changed. To it, a visit
// that saves nothing and one that saves an unchanged session are the same.
type scsVisitor struct {
	manager  *scs.SessionManager
	handler  http.Handler
	request  *http.Request
	response response
	n        int

	now     visit // of the request under way
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

	s.now = firstVisit
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if s.err != nil {
		t.Fatal(s.err)
	}
	s.request = withCookie(w)
	return s
}

func (s *scsVisitor) visit(v visit) error {
	clear(s.response)
	s.now, s.err = v, nil
	s.handler.ServeHTTP(s.response, s.request)
	return s.err
}

func (s *scsVisitor) serve(_ http.ResponseWriter, r *http.Request) {
	s.session = r.Context()
	switch {
	case s.now == firstVisit:
		for k, v := range sessionValues(peerSize) {
			s.manager.Put(s.session, k.(string), v)
		}
	case s.manager.Get(s.session, "email") == nil:
		s.err = errors.New("no session was loaded")
	case s.now == getSaveChanged:
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
		if err := v.visit(get); err != nil {
			t.Fatal(err)
		}
		if got := v.values(); !reflect.DeepEqual(got, want) {
			t.Errorf("Get gives %v, want %v", got, want)
		}
	}
	run := func(t *testing.T, v visitor) {
		t.Helper()
		for _, visit := range visits {
			if err := v.visit(visit.visit); err != nil {
				t.Errorf("%s: %v", visit.name, err)
			}
		}
	}
	want := sessionValues(peerSize)
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

func BenchmarkPeers(b *testing.B) {
	for _, v := range visits {
		for _, peer := range peers {
			b.Run(v.name+"/peer="+peer.name, func(b *testing.B) {
				ours, theirs := newStore(b), peer.open(b)
				compare(b, func() error { return ours.visit(v.visit) }, "peer", func() error { return theirs.visit(v.visit) })
			})
		}
	}
}
