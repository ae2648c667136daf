package dynamostoretest_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// NewApp is the application under test. It is given its store.
func NewApp(store *dynamostore.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err)
		}
		session.Values["user"] = r.FormValue("user")
		if err := store.Regenerate(r, w, session); err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err)
		}
		if err := session.Save(r, w); err != nil { // extends it, and fails if it could not be read
			http.Error(w, "please try again", http.StatusServiceUnavailable)
			return
		}
		user, ok := session.Values["user"].(string)
		if !ok {
			user = "stranger"
		}
		fmt.Fprintf(w, "Hello, %s.", user)
	})
	return mux
}

// testLogin logs in and asserts that the next request knows who it is: the cookies of one response
// go into the next request.
func testLogin(t *testing.T) {
	store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{}, []byte("any key will do in a test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := NewApp(store)

	login := httptest.NewRequest("POST", "/login", strings.NewReader("user=ann"))
	login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, login)

	home := httptest.NewRequest("GET", "/", nil)
	for _, cookie := range w.Result().Cookies() {
		home.AddCookie(cookie)
	}
	w = httptest.NewRecorder()
	app.ServeHTTP(w, home)
	if got, want := w.Body.String(), "Hello, ann."; got != want {
		t.Errorf("after the login, the page is %q, want %q", got, want)
	}
}

// An application's own handlers, tested without AWS and without a network.
func ExampleNewClient() {
	var t *testing.T // that of a TestLogin in the application's tests
	testLogin(t)
}
