// Package sitetest visits a program of this module as a browser does.
package sitetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// Service is an application that runs in several instances, on one table.
type Service struct {
	t      *testing.T
	cfg    dynamostore.Config
	client *dynamodb.Client
	Down   atomic.Bool // DynamoDB fails
}

// New returns a Service without instances.
func New(t *testing.T, cfg dynamostore.Config) *Service {
	s := &Service{t: t, cfg: cfg}
	s.client = dynamostoretest.NewClient(t, func(o *dynamodb.Options) {
		o.HTTPClient = &failing{o.HTTPClient, &s.Down}
		o.RetryMaxAttempts = 1
	})
	return s
}

// failing is a client whose requests fail while down is set.
type failing struct {
	dynamodb.HTTPClient
	down *atomic.Bool
}

func (f *failing) Do(r *http.Request) (*http.Response, error) {
	if f.down.Load() {
		return nil, errors.New("the test says that DynamoDB is down")
	}
	return f.HTTPClient.Do(r)
}

// Store returns a Store of its own, as each instance has it.
func (s *Service) Store() *dynamostore.Store {
	s.t.Helper()
	store, err := dynamostore.New(s.client, s.cfg, bytes.Repeat([]byte("k"), 32))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := store.EnsureTable(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return store
}

// Serve starts an instance and returns its URL. It speaks TLS, since the cookies are Secure.
func (s *Service) Serve(handler http.Handler) string {
	server := httptest.NewTLSServer(handler)
	s.t.Cleanup(server.Close)
	return server.URL
}

// Browser is a visitor with cookies of its own. Cookies know hosts, not ports, so all instances get them.
type Browser struct {
	t      *testing.T
	client *http.Client
}

// Browser returns a visitor.
func (s *Service) Browser() *Browser {
	server := httptest.NewTLSServer(nil) // its client trusts the certificate of all
	server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	return &Browser{s.t, client}
}

// Get visits a page, and those to which it redirects, and returns the last status and body.
func (b *Browser) Get(url string) (status int, body string) {
	b.t.Helper()
	return b.visit(b.client.Get(url))
}

// Post sends a form of one field.
func (b *Browser) Post(to, name, value string) (status int, body string) {
	b.t.Helper()
	return b.visit(b.client.PostForm(to, url.Values{name: {value}}))
}

func (b *Browser) visit(resp *http.Response, err error) (int, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Cookies are those that the browser sends to the URL.
func (b *Browser) Cookies(to string) []*http.Cookie {
	u, err := url.Parse(to)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.client.Jar.Cookies(u)
}

// Sees asserts that a page was answered with that status and shows all of the texts.
func (b *Browser) Sees(what string, status int, body string, wantStatus int, want ...string) {
	b.t.Helper()
	if status != wantStatus {
		b.t.Errorf("%s: status %d, want %d; the page: %s", what, status, wantStatus, body)
	}
	for _, text := range want {
		if !strings.Contains(body, text) {
			b.t.Errorf("%s: the page does not show %q: %s", what, text, body)
		}
	}
}

// Run visits two instances of what newHandler returns, as it is and with AutoSave around it: a first visit, a
// second on another instance, a login, a logout, cookies that were taken before, and a DynamoDB that fails.
func Run(t *testing.T, newHandler func(*dynamostore.Store) http.Handler) {
	t.Run("alone", func(t *testing.T) { run(t, newHandler) })
	t.Run("AutoSave", func(t *testing.T) {
		run(t, func(store *dynamostore.Store) http.Handler { return dynamostore.AutoSave(newHandler(store), nil) })
	})
}

// RunUnsaved visits two instances of a router that has a page which never saves its session, with AutoSave
// around it. route returns a router that answers GET / by that page.
func RunUnsaved(t *testing.T, route func(page http.HandlerFunc) http.Handler) {
	service := New(t, dynamostore.Config{})
	var urls []string
	for range 2 {
		store := service.Store()
		urls = append(urls, service.Serve(dynamostore.AutoSave(route(func(w http.ResponseWriter, r *http.Request) {
			session, err := store.Get(r, "session")
			if err != nil {
				t.Errorf("Get: %v", err)
			}
			visits, _ := session.Values["visits"].(int)
			session.Values["visits"] = visits + 1
			fmt.Fprintf(w, "Visits: %d", visits+1)
		}), nil)))
	}
	b := service.Browser()
	for i, url := range append(urls, urls...) {
		status, body := b.Get(url + "/")
		b.Sees("a visit", status, body, 200, fmt.Sprintf("Visits: %d", i+1))
	}
	service.Down.Store(true)
	stranger := service.Browser()
	status, body := stranger.Get(urls[0] + "/")
	stranger.Sees("a page that cannot be saved", status, body, http.StatusServiceUnavailable)
	if strings.Contains(body, "Visits") || len(stranger.Cookies(urls[0])) != 0 {
		t.Errorf("a page that cannot be saved is shown or sets a cookie: %s", body)
	}
}

func run(t *testing.T, newHandler func(*dynamostore.Store) http.Handler) {
	service := New(t, dynamostore.Config{})
	first, second := service.Serve(newHandler(service.Store())), service.Serve(newHandler(service.Store()))
	b := service.Browser()

	resp, err := b.client.Get(first + "/")
	status, body := b.visit(resp, err)
	b.Sees("the first visit", status, body, 200, "Visits: 1", "Not logged in.")
	if cookies := resp.Cookies(); len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly ||
		cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" {
		t.Errorf("the first visit sets the cookies %v, want one that is Secure, HttpOnly, SameSite=Lax, for /", cookies)
	}
	status, body = b.Get(second + "/")
	b.Sees("the second visit, of another instance", status, body, 200, "Visits: 2")

	before := b.Cookies(first)
	status, body = b.Post(second+"/login", "user", "ann")
	b.Sees("the login", status, body, 200, "Logged in as ann.", "Visits: 3")
	during := b.Cookies(first)
	status, body = b.Get(first + "/")
	b.Sees("a visit after the login", status, body, 200, "Logged in as ann.", "Visits: 4")

	thief := service.Browser()
	u, _ := url.Parse(first)
	thief.client.Jar.SetCookies(u, before)
	status, body = thief.Get(first + "/")
	b.Sees("a cookie from before the login", status, body, http.StatusConflict)

	service.Down.Store(true)
	resp, err = b.client.Get(first + "/")
	status, body = b.visit(resp, err)
	b.Sees("a visit while DynamoDB is down", status, body, http.StatusServiceUnavailable)
	if cookies := resp.Cookies(); len(cookies) != 0 {
		t.Errorf("a visit while DynamoDB is down sets the cookies %v, want none", cookies)
	}
	service.Down.Store(false)
	status, body = b.Get(second + "/")
	b.Sees("a visit afterwards", status, body, 200, "Logged in as ann.", "Visits: 5")

	status, body = b.Post(second+"/logout", "", "")
	b.Sees("the logout", status, body, 200, "Not logged in.", "Visits: 1")
	thief = service.Browser()
	thief.client.Jar.SetCookies(u, during)
	status, body = thief.Get(first + "/")
	b.Sees("a cookie from before the logout", status, body, 200, "Not logged in.", "Visits: 1")
}
