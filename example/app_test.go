package main

import (
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// site is the application behind a server, with a table of its own.
type site struct {
	*testing.T
	backend *dynamotest.Backend
	server  *httptest.Server
	app     *app
}

func newSite(t *testing.T) *site {
	t.Helper()
	backend := dynamotest.New(t)
	app, err := newApp(setup{
		client:  backend.Client,
		table:   backend.Table,
		engine:  "in a test's DynamoDB",
		key:     []byte(strings.Repeat("k", 32)),
		log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		outages: true,
	})
	if err != nil {
		t.Fatalf("newApp: %v", err)
	}
	if err := app.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	backend.Counts()
	server := httptest.NewServer(app.handler())
	t.Cleanup(server.Close)
	return &site{t, backend, server, app}
}

// sessions returns the items of live sessions.
func (s *site) sessions() []dynamotest.Item {
	s.Helper()
	return slices.DeleteFunc(s.backend.Items(s.T), func(item dynamotest.Item) bool { return item["data"] == nil })
}

// session returns the item of the only live session.
func (s *site) session() dynamotest.Item {
	s.Helper()
	items := s.sessions()
	if len(items) != 1 {
		s.Fatalf("the table holds %d sessions, want 1", len(items))
	}
	return items[0]
}

func (s *site) wantSessions(n int) {
	s.Helper()
	if items := s.sessions(); len(items) != n {
		s.Errorf("the table holds %d sessions, want %d", len(items), n)
	}
}

func keyOf(item dynamotest.Item) string { return item["id"].(*types.AttributeValueMemberS).Value }

// wantRequests asserts what was sent to DynamoDB since the last call.
func (s *site) wantRequests(want map[string]int) {
	s.Helper()
	if got := s.backend.Counts(); !reflect.DeepEqual(got, want) {
		s.Errorf("DynamoDB was sent %v, want %v", got, want)
	}
}

// beforeNext calls f before the next request of that operation reaches DynamoDB.
func (s *site) beforeNext(operation string, f func()) {
	s.backend.Inject(operation, dynamotest.Do(f))
}

// deleteAll empties the table.
func (s *site) deleteAll() {
	for _, item := range s.backend.Items(s) {
		s.backend.Delete(s, dynamotest.Item{"id": item["id"]})
	}
}

// visitor is a browser with cookies of its own.
type visitor struct {
	*site
	client *http.Client
}

func (s *site) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	return &visitor{s, &http.Client{Transport: s.server.Client().Transport, Jar: jar}}
}

// loggedInAs returns a visitor who has logged in.
func (s *site) loggedInAs(name string) *visitor {
	s.Helper()
	v := s.visitor()
	v.login(name, true).wantRedirect(s, "/")
	return v
}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	body string
}

func (v *visitor) do(method, path string, form url.Values, headers ...string) answer {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, v.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatalf("%s %s: read the answer: %v", method, path, err)
	}
	return answer{resp, string(body)}
}

// home returns the home page.
func (v *visitor) home() string {
	v.Helper()
	a := v.do("GET", "/", nil)
	if a.StatusCode != http.StatusOK {
		v.Fatalf("GET / = %s, want 200:\n%s", a.Status, a.body)
	}
	return a.body
}

// post sends a form and returns the answer to it, not the page that it leads to.
func (v *visitor) post(path string, form url.Values, headers ...string) answer {
	v.Helper()
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { v.client.CheckRedirect = nil }()
	return v.do("POST", path, form, headers...)
}

func (v *visitor) login(name string, remember bool) answer {
	v.Helper()
	form := url.Values{"name": {name}}
	if remember {
		form.Set("remember", "1")
	}
	return v.post("/login", form)
}

// cookie returns the visitor's cookie as a request carries it.
func (v *visitor) cookie() string {
	v.Helper()
	u, err := url.Parse(v.server.URL)
	if err != nil {
		v.Fatal(err)
	}
	cookies := v.client.Jar.Cookies(u)
	if len(cookies) != 1 {
		v.Fatalf("the visitor has the cookies %v, want one", cookies)
	}
	return cookies[0].String()
}

func (v *visitor) wantLoggedInAs(name string) {
	v.Helper()
	wantText(v, v.home(), `Hello, <span id="user">`+name+"</span>")
}

func (v *visitor) wantLoggedOut() {
	v.Helper()
	body := v.home()
	wantText(v, body, `<h1 id="hello">Log in</h1>`)
	wantNoText(v, body, "Where you are logged in")
}

// wantText asserts that a page contains a text, as a browser would show it.
func wantText(t testing.TB, body, text string) {
	t.Helper()
	if !strings.Contains(html.UnescapeString(body), text) {
		t.Errorf("the page does not contain %q:\n%s", text, body)
	}
}

func wantNoText(t testing.TB, body, text string) {
	t.Helper()
	if strings.Contains(html.UnescapeString(body), text) {
		t.Errorf("the page contains %q:\n%s", text, body)
	}
}

func (a answer) wantStatus(t testing.TB, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s = %s, want %d:\n%s", a.Request.Method, a.Request.URL.Path, a.Status, status, a.body)
	}
}

func (a answer) wantRedirect(t testing.TB, path string) {
	t.Helper()
	a.wantStatus(t, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != path {
		t.Errorf("%s leads to %q, want %q", a.Request.URL.Path, got, path)
	}
}

func (a answer) wantNoCookie(t testing.TB) {
	t.Helper()
	if cookies := a.Cookies(); len(cookies) != 0 {
		t.Errorf("%s %s set %v, want no cookie", a.Request.Method, a.Request.URL.Path, cookies)
	}
}

// wantUnavailable asserts a 503 that says when to try again and leaves the browser's cookie alone.
func (a answer) wantUnavailable(t testing.TB) {
	t.Helper()
	a.wantStatus(t, http.StatusServiceUnavailable)
	a.wantNoCookie(t)
	if got := a.Header.Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After is %q, want 5", got)
	}
	wantText(t, a.body, "try again in 5 seconds")
}

func TestVisitorWhoStoresNothingCostsNothing(t *testing.T) {
	s := newSite(t)
	for range 2 {
		a := s.visitor().do("GET", "/", nil)
		a.wantStatus(t, http.StatusOK)
		a.wantNoCookie(t)
		wantText(t, a.body, "To try it, press <b>Log in</b>")
	}
	for path, status := range map[string]int{
		"/cart":        http.StatusOK,
		"/live":        http.StatusOK,
		"/style.css":   http.StatusOK,
		"/favicon.ico": http.StatusNotFound,
		"/index.html":  http.StatusNotFound,
		"/login":       http.StatusMethodNotAllowed,
	} {
		a := s.visitor().do("GET", path, nil)
		a.wantStatus(t, status)
		a.wantNoCookie(t)
	}
	s.wantRequests(map[string]int{})
}

func TestReadingWritesNothing(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.backend.Counts()
	before := s.session()
	for range 2 {
		v.do("GET", "/", nil).wantNoCookie(t)
	}
	// The session, the list of devices, and the item for the page to show.
	s.wantRequests(map[string]int{"GetItem": 4, "Query": 2})
	if after := s.session(); !reflect.DeepEqual(after, before) {
		t.Errorf("reading left %v, want %v", after, before)
	}
}

func TestReadingExtendsTheSessionNowAndThen(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	item := s.session()
	age := func(d time.Duration) {
		for _, name := range []string{"seen", "expires"} {
			seconds, err := strconv.ParseInt(item[name].(*types.AttributeValueMemberN).Value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			item[name] = dynamotest.N(fmt.Sprint(seconds - int64(d/time.Second)))
		}
		s.backend.Put(t, item)
	}
	age(touchInterval + time.Second)
	s.backend.Counts()
	if cookies := v.do("GET", "/", nil).Cookies(); len(cookies) != 1 {
		t.Errorf("the page set %v, want the cookie that lives on", cookies)
	}
	s.wantRequests(map[string]int{"GetItem": 2, "Query": 1, "UpdateItem": 1})
}

func TestLoginShowsTheName(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.login("Ann", false).wantRedirect(t, "/")
	body := v.home()
	wantText(t, body, `Hello, <span id="user">Ann</span>`)
	wantText(t, body, `action="/logout"`)
	wantText(t, body, "Now press <b>Send 20 requests at once</b>")
	wantNoText(t, s.visitor().home(), "Ann")
}

func TestLoginRenewsTheID(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.add("Tea")
	old, oldKey := v.cookie(), keyOf(s.session())
	v.login("Ann", false).wantRedirect(t, "/")
	if key := keyOf(s.session()); key == oldKey {
		t.Errorf("the session still has the key %s", key)
	}
	v.wantInCart("1 × Tea")

	// A request from before the login is late, or somebody else has the cookie.
	stranger := s.visitor()
	a := stranger.do("GET", "/", nil, "Cookie", old)
	a.wantStatus(t, http.StatusOK)
	a.wantNoCookie(t)
	wantNoText(t, a.body, "Ann")
	for _, path := range []string{"/logout", "/cart/add", "/sessions/end", "/sessions/end-others", "/sessions/end-all", "/try/together"} {
		a := stranger.post(path, url.Values{"product": {"Tea"}, "session": v.handles()}, "Cookie", old)
		a.wantRedirect(t, "/")
		if cookies := a.Cookies(); len(cookies) > 0 && cookies[0].MaxAge >= 0 {
			t.Errorf("POST %s with the old cookie set %v", path, cookies)
		}
	}
	v.wantLoggedInAs("Ann")
	v.wantDevices(1)
}

func TestRememberMeSetsMaxAge(t *testing.T) {
	for _, test := range []struct {
		name     string
		remember bool
		maxAge   int
		text     string
	}{
		{"remembered", true, 30 * 24 * 60 * 60, "for 30 days."},
		{"not remembered", false, 0, "until you close the browser."},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newSite(t).visitor()
			cookies := v.login("Ann", test.remember).Cookies()
			if len(cookies) != 1 || cookies[0].MaxAge != test.maxAge || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" {
				t.Errorf("login set %v, want a cookie with Max-Age %d that is HttpOnly, SameSite=Lax and for /", cookies, test.maxAge)
			}
			wantText(t, v.home(), test.text)
			v.add("Tea") // whose Save knows nothing of the login's form
			wantText(t, v.home(), test.text)
		})
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	a := v.post("/logout", nil)
	a.wantRedirect(t, "/")
	if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	s.wantSessions(0)
	v.wantLoggedOut()
}

func TestLogoutWhereTheSessionCannotBeRead(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.InternalError)...)
	v.post("/logout", nil).wantRedirect(t, "/")
	s.wantSessions(0)
}

func TestForgedCookieIsNoSession(t *testing.T) {
	s := newSite(t)
	s.loggedInAs("Ann")
	v := s.visitor()
	a := v.do("GET", "/", nil, "Cookie", cookieName+"=forged")
	a.wantStatus(t, http.StatusOK)
	wantText(t, a.body, `<h1 id="hello">Log in</h1>`)
	v.do("GET", "/cart", nil, "Cookie", cookieName+"=forged").wantStatus(t, http.StatusOK)
	a = v.post("/cart/add", url.Values{"product": {"Tea"}}, "Cookie", cookieName+"=forged")
	if len(a.Cookies()) != 1 {
		t.Errorf("cookies = %v, want one that replaces the forged one", a.Cookies())
	}
}

func TestNamesAreEscaped(t *testing.T) {
	v := newSite(t).loggedInAs(`<script>alert("x")</script>`)
	body := v.home()
	if strings.Contains(body, "<script>") {
		t.Errorf("the page contains a script:\n%s", body)
	}
	v.wantLoggedInAs(`<script>alert("x")</script>`)
}

func TestBadNamesAreRefused(t *testing.T) {
	v := newSite(t).visitor()
	for _, name := range []string{"", "  ", strings.Repeat("x", maxName+1), "a\x00b", "a\xffb", "a\nb"} {
		a := v.login(name, false)
		a.wantStatus(t, http.StatusUnprocessableEntity)
		a.wantNoCookie(t)
	}
	v.login(strings.Repeat("ä", maxName), false).wantRedirect(t, "/")
	wantText(t, v.post("/logout", nil).body+v.home(), fmt.Sprintf(`maxlength="%d"`, maxName))
}

func TestOversizeFormIsRefused(t *testing.T) {
	newSite(t).visitor().login(strings.Repeat("x", maxForm), false).wantStatus(t, http.StatusBadRequest)
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	before := s.session()
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
	} {
		for _, path := range []string{
			"/login", "/logout", "/cart/add", "/cart/remove", "/sessions/end", "/sessions/end-others", "/sessions/end-all",
			"/try/together", "/try/views", "/try/outage", "/try/logout", "/try/phone",
		} {
			v.post(path, url.Values{"name": {"Mallory"}, "product": {"Tea"}}, header...).wantStatus(t, http.StatusForbidden)
			if after := s.session(); !reflect.DeepEqual(after, before) {
				t.Errorf("POST %s of another site left %v, want %v", path, after, before)
			}
		}
	}
	v.post("/login", url.Values{"name": {"Ann"}}, "Sec-Fetch-Site", "same-origin").wantRedirect(t, "/")
	v.post("/login", url.Values{"name": {"Ann"}}, "Origin", v.server.URL).wantRedirect(t, "/")
}

func TestHeadersOfEveryPage(t *testing.T) {
	v := newSite(t).visitor()
	for _, a := range []answer{
		v.do("GET", "/", nil),
		v.do("GET", "/live", nil),
		v.do("GET", "/style.css", nil),
		v.do("GET", "/nothing", nil),
		v.post("/login", url.Values{}),
		v.post("/login", url.Values{}, "Sec-Fetch-Site", "cross-site"),
		v.post("/try/together", nil),
	} {
		cached := "no-store"
		if a.Request.URL.Path == "/style.css" {
			cached = "no-cache" // the same for everybody
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "same-origin",
			"Cache-Control":           cached,
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", a.Request.Method, a.Request.URL.Path, name, got, want)
			}
		}
	}
}

func TestAssetsAreKeptByBrowsers(t *testing.T) {
	v := newSite(t).visitor()
	for name, contentType := range map[string]string{
		"/style.css": "text/css; charset=utf-8",
		"/demo.js":   "text/javascript; charset=utf-8",
		"/icon.svg":  "image/svg+xml",
	} {
		a := v.do("GET", name, nil)
		a.wantStatus(t, http.StatusOK)
		if got := a.Header.Get("Content-Type"); got != contentType {
			t.Errorf("%s has the type %q, want %q", name, got, contentType)
		}
		v.do("GET", name, nil, "If-None-Match", a.Header.Get("ETag")).wantStatus(t, http.StatusNotModified)
		v.do("GET", name, nil, "If-None-Match", `"other"`).wantStatus(t, http.StatusOK)
	}
}

// The policy allows scripts and styles in files of their own alone.
func TestPagesContainNoScriptAndNoStyle(t *testing.T) {
	v := newSite(t).loggedInAs("Ann")
	for _, a := range []answer{
		v.do("GET", "/", nil), v.do("GET", "/live", nil), v.do("GET", "/cart", nil), v.post("/try/together", nil), v.post("/try/outage", nil),
	} {
		for _, pattern := range []string{`<script>`, `<style`, ` style=`, ` on[a-z]+=`, `javascript:`, `(src|href)="(https?:)?//`} {
			if found := regexp.MustCompile(pattern).FindString(a.body); found != "" {
				t.Errorf("%s contains %q", a.Request.URL.Path, found)
			}
		}
	}
}

func TestTableOutOfReachIsUnavailable(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	for _, path := range []string{"/", "/cart"} {
		s.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.InternalError)...)
		v.do("GET", path, nil).wantUnavailable(t)
		if n := s.backend.Pending(); n != 0 {
			t.Errorf("GET %s: %d faults were not met", path, n)
		}
	}
	v.wantLoggedInAs("Ann")
}

func TestSessionEndedDuringARequest(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.add("Tea")
	s.beforeNext("UpdateItem", s.deleteAll)
	a := v.post("/cart/add", url.Values{"product": {"Tea"}})
	a.wantRedirect(t, "/")
	a.wantNoCookie(t)
	v.wantInCart()

	v.add("Tea")
	s.beforeNext("TransactWriteItems", s.deleteAll)
	v.login("Ann", false).wantRedirect(t, "/")
	v.wantLoggedOut()
}

func TestFailedSaves(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct {
		name   string
		err    error
		method string
		status int
	}{
		{"conflict", dynamostore.ErrConflict, "GET", http.StatusConflict},
		{"conflict of a form", dynamostore.ErrConflict, "POST", http.StatusConflict},
		{"gone", dynamostore.ErrGone, "GET", http.StatusConflict},
		{"gone for a form", dynamostore.ErrGone, "POST", http.StatusSeeOther},
		{"not loaded", dynamostore.ErrNotLoaded, "GET", http.StatusServiceUnavailable},
		{"DynamoDB's", errors.New("throttled"), "POST", http.StatusServiceUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.app.failed(w, httptest.NewRequest(test.method, "/", nil), fmt.Errorf("save: %w", test.err))
			if w.Code != test.status {
				t.Errorf("%v is answered by %d, want %d", test.err, w.Code, test.status)
			}
			wantNoText(t, w.Body.String(), "throttled")
		})
	}
}
