package docs

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// newApp is an application as testing.md has one.
func newApp(store *dynamostore.Store) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, status func(w http.ResponseWriter, r *http.Request) int) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status(w, r)) })
	}
	status := func(err error) int {
		if err != nil {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	handle("GET /{$}", func(w http.ResponseWriter, r *http.Request) int {
		session, _ := store.Get(r, "session")
		return status(session.Save(r, w))
	})
	handle("POST /login", func(w http.ResponseWriter, r *http.Request) int {
		session, _ := store.Get(r, "session")
		session.Values["user"] = "ann"
		return status(store.Regenerate(r, w, session))
	})
	handle("POST /logout", func(w http.ResponseWriter, r *http.Request) int {
		session, _ := store.Get(r, "session")
		session.Options.MaxAge = -1
		return status(session.Save(r, w))
	})
	handle("GET /account", func(w http.ResponseWriter, r *http.Request) int {
		session, _ := store.Get(r, "session")
		if session.Values["user"] == nil {
			return http.StatusUnauthorized
		}
		return http.StatusOK
	})
	return mux
}

func TestLoginAndLogout(t *testing.T) {
	store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{}, []byte("any key will do in a test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := newApp(store)
	send := func(method, path string, cookies []*http.Cookie) *http.Response {
		r := httptest.NewRequest(method, path, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w.Result()
	}

	before := send("GET", "/", nil).Cookies()
	after := send("POST", "/login", before).Cookies()
	if len(after) != 1 || after[0].Value == before[0].Value {
		t.Errorf("the login sets the cookies %v, want a new session ID", after)
	}
	send("POST", "/logout", after)
	if got := send("GET", "/account", after).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("after the logout, the old cookie gets status %d, want 401", got)
	}
}

// A request whose context ends gives the lock up, as testing.md says.
func TestLockAndRecorders(t *testing.T) {
	cfg := dynamostore.Config{Concurrency: dynamostore.Lock, Lock: dynamostore.LockConfig{Wait: 50 * time.Millisecond}}
	store, err := dynamostore.New(dynamostoretest.NewClient(t), cfg, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	newApp(store).ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	cookie := w.Result().Cookies()[0]
	get := func(r *http.Request) error {
		r.AddCookie(cookie)
		_, err := store.Get(r, "session")
		return err
	}

	func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
		if err := get(r); err != nil {
			t.Errorf("Get: %v", err)
		}
	}()
	forever := httptest.NewRequest("GET", "/", nil)
	for err = get(forever); errors.Is(err, dynamostore.ErrLockTimeout); err = get(forever) {
	} // until the end of the first request has released the lock
	if err != nil {
		t.Errorf("Get: %v", err)
	}
	if err := get(httptest.NewRequest("GET", "/", nil)); !errors.Is(err, dynamostore.ErrLockTimeout) {
		t.Errorf("Get = %v while a request holds the lock whose context never ends, want ErrLockTimeout", err)
	}
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults dynamostoretest.Faults
		store, err := dynamostore.New(dynamostoretest.NewClient(t, faults.Option), dynamostore.Config{}, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		app := newApp(store)
		send := func(method, path string, cookies []*http.Cookie) *http.Response {
			r := httptest.NewRequest(method, path, nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			return w.Result()
		}
		cookies := send("POST", "/login", nil).Cookies()
		faults.Always(dynamostoretest.Fail(), "GetItem")
		if got := send("GET", "/", cookies).StatusCode; got != http.StatusServiceUnavailable {
			t.Errorf("while DynamoDB fails, the status is %d, want 503", got)
		}
		faults.Clear()
		if got := send("GET", "/account", cookies).StatusCode; got != http.StatusOK {
			t.Errorf("afterwards, the status is %d, want 200", got)
		}
	})
}
