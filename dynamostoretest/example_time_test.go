package dynamostoretest_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// browser returns a client that keeps cookies and calls the application without a network, which a
// bubble does not allow. The cookies expire by the bubble's clock as well.
func browser(app http.Handler) *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Transport: transport(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w.Result(), nil
	})}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// testSessionExpires logs in, and lets days pass in a moment.
func testSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{
			MaxLifetime: 7 * 24 * time.Hour,
		}, []byte("any key will do in a test"))
		if err != nil {
			t.Fatal(err)
		}
		store.MaxAge(24 * 60 * 60) // a day after the last visit
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		ann := browser(NewApp(store))
		login := func() {
			t.Helper()
			if _, err := ann.PostForm("https://app.example/login", map[string][]string{"user": {"ann"}}); err != nil {
				t.Fatal(err)
			}
		}
		wantPage := func(want string) {
			t.Helper()
			resp, err := ann.Get("https://app.example/")
			if err != nil {
				t.Fatal(err)
			}
			if page, _ := io.ReadAll(resp.Body); string(page) != want {
				t.Errorf("on %v the page is %q, want %q", time.Now(), page, want)
			}
		}

		login()
		time.Sleep(25 * time.Hour)
		wantPage("Hello, stranger.") // she stayed away for more than a day

		login()
		for range 13 {
			time.Sleep(12 * time.Hour)
			wantPage("Hello, ann.") // each visit extends the session,
		}
		time.Sleep(13 * time.Hour)
		wantPage("Hello, stranger.") // but not beyond MaxLifetime
	})
}

// Time travel with testing/synctest: a session that expires after its last visit, and one that
// reaches MaxLifetime. Everything that uses the client has to be made in the bubble.
func Example_time() {
	var t *testing.T // that of a TestSessionExpires in the application's tests
	testSessionExpires(t)
}
