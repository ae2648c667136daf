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
	"strings"
	"testing"

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
	outages := newOutages()
	app, err := newApp(setup{
		client:  outages.client(backend.Client),
		table:   backend.Table,
		engine:  "a test's DynamoDB",
		key:     []byte(strings.Repeat("k", 32)),
		log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		outages: outages,
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

// sessions returns the items of the table that are sessions: not what a rotated one left behind.
func (s *site) sessions() []dynamotest.Item {
	s.Helper()
	return slices.DeleteFunc(s.backend.Items(s.T), func(item dynamotest.Item) bool { return item["moved"] != nil })
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

// home returns the home page, and fails the test if that is not what comes.
func (v *visitor) home() string {
	v.Helper()
	a := v.do("GET", "/", nil)
	if a.StatusCode != http.StatusOK {
		v.Fatalf("GET / = %s, want 200:\n%s", a.Status, a.body)
	}
	return a.body
}

// login logs the visitor in and returns the answer to the form, not the page that it leads to.
func (v *visitor) login(name string, remember bool) answer {
	v.Helper()
	form := url.Values{"name": {name}}
	if remember {
		form.Set("remember", "1")
	}
	return v.post("/login", form)
}

func (v *visitor) post(path string, form url.Values, headers ...string) answer {
	v.Helper()
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { v.client.CheckRedirect = nil }()
	return v.do("POST", path, form, headers...)
}

// holds asserts that a page contains a text, as a browser would show it.
func holds(t testing.TB, body, text string) {
	t.Helper()
	if !strings.Contains(html.UnescapeString(body), text) {
		t.Errorf("the page does not hold %q:\n%s", text, body)
	}
}

func lacks(t testing.TB, body, text string) {
	t.Helper()
	if strings.Contains(html.UnescapeString(body), text) {
		t.Errorf("the page holds %q:\n%s", text, body)
	}
}

// is asserts the status of an answer.
func (a answer) is(t testing.TB, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s = %s, want %d:\n%s", a.Request.Method, a.Request.URL.Path, a.Status, status, a.body)
	}
}

// backHome asserts that the form was taken and that the browser goes to the home page.
func (a answer) backHome(t testing.TB) {
	t.Helper()
	a.is(t, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != "/" {
		t.Errorf("%s leads to %q, want /", a.Request.URL.Path, got)
	}
}

func TestVisitsCountUp(t *testing.T) {
	s := newSite(t)
	ann, bob := s.visitor(), s.visitor()
	for n := 1; n <= 3; n++ {
		holds(t, ann.home(), fmt.Sprintf(`visit <strong id="visits">%d</strong>`, n))
	}
	holds(t, bob.home(), `visit <strong id="visits">1</strong>`)
}

func TestFirstVisitSetsTheCookie(t *testing.T) {
	a := newSite(t).visitor().do("GET", "/", nil)
	a.is(t, http.StatusOK)
	cookies := a.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" {
		t.Errorf("cookies = %v, want one that is HttpOnly, SameSite=Lax and for /", cookies)
	}
}

// What is not the home page costs no request to the table and sets no cookie.
func TestOnlyTheHomePageCountsVisits(t *testing.T) {
	v := newSite(t).visitor()
	for path, status := range map[string]int{
		"/style.css":   http.StatusOK,
		"/favicon.ico": http.StatusNotFound,
		"/index.html":  http.StatusNotFound,
		"/login":       http.StatusMethodNotAllowed,
	} {
		a := v.do("GET", path, nil)
		a.is(t, status)
		if len(a.Cookies()) != 0 {
			t.Errorf("GET %s set %v", path, a.Cookies())
		}
	}
	if counts := v.backend.Counts(); len(counts) != 0 {
		t.Errorf("DynamoDB was sent %v, want nothing", counts)
	}
}

func TestRegenerateRenewsTheID(t *testing.T) {
	s := newSite(t)
	for _, v := range []*visitor{s.visitor(), s.loggedInAs("Ann")} {
		v.home()
		old, before := v.cookie(), s.sessions()
		v.post("/regenerate", nil).backHome(t)
		body := v.home()
		holds(t, body, `role="status">The session has a new ID.`)
		if v.cookie() == old {
			t.Errorf("the cookie is still %s", old)
		}
		if after := s.sessions(); len(after) != len(before) {
			t.Errorf("the table holds %v, want as many sessions as before, %v", after, before)
		}
		s.visitor().do("GET", "/", nil, "Cookie", old).is(t, http.StatusConflict)
	}
}

func TestLoginShowsTheName(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.home()
	v.login("Ann", false).backHome(t)
	body := v.home()
	holds(t, body, `Hello, <span id="user">Ann</span>`)
	holds(t, body, "until you close the browser")
	holds(t, body, `action="/logout"`)
	holds(t, body, `visit <strong id="visits">2</strong>`)
	lacks(t, s.visitor().home(), "Ann")
}

func TestLoginWithoutAVisitBefore(t *testing.T) {
	v := newSite(t).visitor()
	v.login("Ann", false).backHome(t)
	holds(t, v.home(), `Hello, <span id="user">Ann</span>`)
}

func TestFlashIsShownOnce(t *testing.T) {
	v := newSite(t).visitor()
	v.login("Ann", false).backHome(t)
	holds(t, v.home(), `role="status">Welcome, Ann.</p>`)
	lacks(t, v.home(), "Welcome")
}

func TestLogoutDeletesTheSession(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.home()
	v.login("Ann", true).backHome(t)
	if n := len(s.sessions()); n != 1 {
		t.Fatalf("the table holds %d sessions, want 1", n)
	}
	a := v.post("/logout", url.Values{})
	a.backHome(t)
	if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	if items := s.sessions(); len(items) != 0 {
		t.Errorf("the table holds %v, want no session", items)
	}
	body := v.home()
	lacks(t, body, "Ann")
	holds(t, body, `visit <strong id="visits">1</strong>`)
}

func TestRememberMeSetsMaxAge(t *testing.T) {
	for _, test := range []struct {
		name     string
		remember bool
		maxAge   int
		says     string
	}{
		{"remembered", true, 30 * 24 * 60 * 60, "for 30 days."},
		{"not remembered", false, 0, "until you close the browser."},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newSite(t).visitor()
			v.home()
			a := v.login("Ann", test.remember)
			a.backHome(t)
			if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge != test.maxAge {
				t.Errorf("login set %v, want a cookie with Max-Age %d", cookies, test.maxAge)
			}
			// It holds on later requests, whose Save knows nothing of the form.
			a = v.do("GET", "/", nil)
			if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge != test.maxAge {
				t.Errorf("the next visit set %v, want a cookie with Max-Age %d", cookies, test.maxAge)
			}
			holds(t, a.body, test.says)
		})
	}
}

func TestForgedCookieIsANewSession(t *testing.T) {
	s := newSite(t)
	s.visitor().home()
	v := s.visitor()
	a := v.do("GET", "/", nil, "Cookie", cookieName+"=forged")
	a.is(t, http.StatusOK)
	holds(t, a.body, `visit <strong id="visits">1</strong>`)
	if len(a.Cookies()) != 1 {
		t.Errorf("cookies = %v, want one that takes the forged one's place", a.Cookies())
	}
}

func TestNamesAreEscaped(t *testing.T) {
	v := newSite(t).visitor()
	v.login(`<script>alert("x")</script>`, false).backHome(t)
	body := v.home()
	if strings.Contains(body, "<script>") {
		t.Errorf("the page holds a script:\n%s", body)
	}
	holds(t, body, `Hello, <span id="user"><script>alert("x")</script>`)
}

func TestBadNamesAreRefused(t *testing.T) {
	v := newSite(t).visitor()
	for _, name := range []string{"", "  ", strings.Repeat("x", maxName+1), "a\x00b", "a\xffb", "a\nb"} {
		a := v.login(name, false)
		a.is(t, http.StatusUnprocessableEntity)
		if len(a.Cookies()) != 0 {
			t.Errorf("login as %q set %v", name, a.Cookies())
		}
	}
	v.login(strings.Repeat("ä", maxName), false).backHome(t)
}

func TestOversizeFormIsRefused(t *testing.T) {
	v := newSite(t).visitor()
	v.login(strings.Repeat("x", maxForm), false).is(t, http.StatusBadRequest)
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
	} {
		for _, path := range []string{
			"/login", "/logout", "/regenerate", "/cart/add", "/cart/remove",
			"/sessions/end", "/sessions/end-others", "/sessions/end-all",
			"/mishaps/together", "/mishaps/together/count", "/mishaps/slow", "/mishaps/outage",
		} {
			s := newSite(t)
			v := s.visitor()
			v.home()
			before := s.sessions()
			v.post(path, url.Values{"name": {"Mallory"}, "product": {"Tea"}, "n": {"1"}}, header...).is(t, http.StatusForbidden)
			if after := s.sessions(); !reflect.DeepEqual(after, before) {
				t.Errorf("POST %s of another site left %v in the table, where there was %v", path, after, before)
			}
			v.home()
		}
	}
	v := newSite(t).visitor()
	v.post("/login", url.Values{"name": {"Ann"}}, "Sec-Fetch-Site", "same-origin").backHome(t)
	v.post("/login", url.Values{"name": {"Ann"}}, "Origin", v.server.URL).backHome(t)
}

func TestHeadersOfEveryPage(t *testing.T) {
	v := newSite(t).visitor()
	for _, a := range []answer{
		v.do("GET", "/", nil),
		v.do("GET", "/live", nil),
		v.do("GET", "/style.css", nil),
		v.do("GET", "/nothing", nil),
		v.do("GET", "/mishaps/slow", nil),
		v.post("/login", url.Values{}),
		v.post("/login", url.Values{}, "Sec-Fetch-Site", "cross-site"),
		v.post("/mishaps/together", url.Values{}),
	} {
		cached := "no-store"
		if a.Request.URL.Path == "/style.css" {
			cached = "no-cache" // for it is nobody's
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
		a.is(t, http.StatusOK)
		if got := a.Header.Get("Content-Type"); got != contentType {
			t.Errorf("%s is of the type %q, want %q", name, got, contentType)
		}
		v.do("GET", name, nil, "If-None-Match", a.Header.Get("ETag")).is(t, http.StatusNotModified)
		v.do("GET", name, nil, "If-None-Match", `"other"`).is(t, http.StatusOK)
	}
}

// What the page runs and looks like is in files of its own, since the policy allows nothing else.
func TestPageHoldsNoScriptAndNoStyle(t *testing.T) {
	v := newSite(t).loggedInAs("Ann")
	for _, path := range []string{"/", "/live"} {
		body := v.do("GET", path, nil).body
		for _, pattern := range []string{`<script>`, `<style`, ` style=`, ` on[a-z]+=`, `javascript:`, `(src|href)="(https?:)?//`} {
			if found := regexp.MustCompile(pattern).FindString(body); found != "" {
				t.Errorf("GET %s holds %q", path, found)
			}
		}
	}
}

func TestTableOutOfReachIsUnavailable(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.login("Ann", false).backHome(t)
	s.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.InternalError)...)
	a := v.do("GET", "/", nil)
	a.is(t, http.StatusServiceUnavailable)
	if a.Header.Get("Retry-After") == "" || len(a.Cookies()) != 0 {
		t.Errorf("the answer has Retry-After %q and sets %v, want it to say when and leave the cookie", a.Header.Get("Retry-After"), a.Cookies())
	}
	if n := s.backend.Pending(); n != 0 {
		t.Errorf("%d faults were not met", n)
	}
	holds(t, v.home(), `Hello, <span id="user">Ann</span>`)
}

func TestLogoutWorksWhereTheSessionCannotBeRead(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.login("Ann", false).backHome(t)
	s.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.InternalError)...)
	v.post("/logout", url.Values{}).backHome(t)
	if items := s.backend.Items(t); len(items) != 0 {
		t.Errorf("the table holds %v, want nothing", items)
	}
}

// between makes f happen between a request's load of the session and its Save, which sends that operation.
func (s *site) between(save string, f func()) {
	s.backend.Inject(save, dynamotest.Do(f))
}

func TestSessionEndedMeanwhile(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.home()
	empty := func() {
		for _, item := range s.backend.Items(t) {
			s.backend.Delete(t, dynamotest.Item{"id": item["id"]})
		}
	}
	s.between("UpdateItem", empty)
	a := v.do("GET", "/", nil)
	a.is(t, http.StatusConflict)
	holds(t, a.body, "ended meanwhile")
	v.home()

	s.between("TransactWriteItems", empty)
	v.login("Ann", false).backHome(t)
	lacks(t, v.home(), "Ann")
}

func TestFailedSaves(t *testing.T) {
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
			a := &app{log: slog.New(slog.NewTextHandler(t.Output(), nil))}
			w := httptest.NewRecorder()
			a.failed(w, httptest.NewRequest(test.method, "/", nil), fmt.Errorf("save: %w", test.err))
			if w.Code != test.status {
				t.Errorf("%v is answered by %d, want %d", test.err, w.Code, test.status)
			}
			lacks(t, w.Body.String(), "throttled")
		})
	}
}
