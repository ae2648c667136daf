package main

import (
	"crypto/rand"
	"encoding/base64"
	"html"
	"net/http"
	"regexp"
	"testing"

	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/faux"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/sitetest"
)

var link = regexp.MustCompile(`href="([^"]+)"`)

func TestLoginByAnotherSite(t *testing.T) {
	t.Run("alone", func(t *testing.T) { logIn(t, func(h http.Handler) http.Handler { return h }) })
	t.Run("AutoSave", func(t *testing.T) {
		logIn(t, func(h http.Handler) http.Handler { return dynamostore.AutoSave(h, nil) })
	})
}

// logIn logs in by the other site, on two instances whose handlers have wrap around them.
func logIn(t *testing.T, wrap func(http.Handler) http.Handler) {
	service := sitetest.New(t, dynamostore.Config{})
	first := service.Serve(wrap(newHandler(service.Store())))
	b := service.Browser()

	status, body := b.Get(first + "/")
	b.Sees("the first visit", status, body, 200, "Not logged in.", "Visits: 1")
	status, body = b.Post(first+"/login", "", "")
	b.Sees("the provider's page", status, body, 200, "Go on as ann")
	if n := len(b.Cookies(first)); n != 2 {
		t.Errorf("on the way, the browser has %d cookies, want the application's and gothic's", n)
	}
	back := link.FindStringSubmatch(body)
	if back == nil {
		t.Fatalf("the provider's page has no link: %s", body)
	}
	callback := html.UnescapeString(back[1])

	// Another instance goes on. gothic's Store is one for the process: from here on, that of the second.
	second := service.Serve(wrap(newHandler(service.Store())))
	status, body = service.Browser().Get(second + callback)
	b.Sees("the callback in another browser", status, body, http.StatusForbidden)

	status, body = b.Get(second + callback)
	b.Sees("the callback", status, body, 200, "Logged in as ann.", "Visits: 2")
	if cookies := b.Cookies(first); len(cookies) != 1 || cookies[0].Name != "session" {
		t.Errorf("after the login, the browser has the cookies %v, want the application's", cookies)
	}
	status, body = b.Get(second + callback)
	b.Sees("the callback once more", status, body, http.StatusForbidden)

	status, body = b.Post(second+"/logout", "", "")
	b.Sees("the logout", status, body, 200, "Not logged in.")
}

// gothic keeps what a provider says as a gzip in a string, which is no UTF-8, and at times longer than
// a cookie can be.
func TestLargeState(t *testing.T) {
	for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
		for _, dataType := range []dynamostore.DataType{dynamostore.Binary, dynamostore.String} {
			service := sitetest.New(t, dynamostore.Config{Codec: codec, DataType: dataType})
			gothic.Store = service.Store()
			random := make([]byte, 48<<10)
			rand.Read(random)
			want := (&faux.Session{ID: "ann", AccessToken: base64.StdEncoding.EncodeToString(random)}).Marshal()

			mux := http.NewServeMux()
			mux.HandleFunc("/store", func(w http.ResponseWriter, r *http.Request) {
				if err := gothic.StoreInSession("faux", want, r, w); err != nil {
					t.Errorf("%s: StoreInSession: %v", codec.Name(), err)
				}
			})
			mux.HandleFunc("/load", func(w http.ResponseWriter, r *http.Request) {
				if got, err := gothic.GetFromSession("faux", r); err != nil || got != want {
					t.Errorf("%s: GetFromSession: %d bytes, %v, want the %d that were stored", codec.Name(), len(got), err, len(want))
				}
			})
			url := service.Serve(mux)
			b := service.Browser()
			b.Get(url + "/store")
			b.Get(url + "/load")
		}
	}
}
