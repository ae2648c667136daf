package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

// loggedInAs returns a visitor of that name.
func (s *site) loggedInAs(name string) *visitor {
	s.Helper()
	v := s.visitor()
	v.home()
	v.login(name, true).backHome(s)
	v.home() // takes the welcome
	return v
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

// handles returns what the forms of the visitor's page send that each end a session.
func (v *visitor) handles() []string {
	v.Helper()
	var handles []string
	for _, match := range handlePattern.FindAllStringSubmatch(v.home(), -1) {
		handles = append(handles, match[1])
	}
	return handles
}

var handlePattern = regexp.MustCompile(`name="session" value="([^"]*)"`)

func (v *visitor) end(handle string) answer {
	v.Helper()
	return v.post("/sessions/end", url.Values{"session": {handle}})
}

// lists asserts how many sessions the visitor's page lists, one of which is the visitor's own.
func (v *visitor) lists(n int) {
	v.Helper()
	_, body, _ := strings.Cut(v.home(), `<h2 id="sessions">`)
	body, _, _ = strings.Cut(body, "</section>")
	if items, here := strings.Count(body, "<li>"), strings.Count(body, ">This one<"); items != n || here != 1 {
		v.Errorf("the page lists %d sessions, %d as this one, want %d and 1:\n%s", items, here, n, body)
	}
}

// isIn and isOut assert what the visitor's page says.
func (v *visitor) isIn(name string) {
	v.Helper()
	holds(v, v.home(), `Hello, <span id="user">`+name+"</span>")
}

func (v *visitor) isOut() {
	v.Helper()
	body := v.home()
	holds(v, body, `<h1 id="hello">Hello</h1>`)
	holds(v, body, `action="/login"`)
	lacks(v, body, "Your sessions")
}

func keyOf(item dynamotest.Item) string { return item["id"].(*types.AttributeValueMemberS).Value }

// endForms are the paths of the forms that end sessions.
var endForms = []string{"/sessions/end", "/sessions/end-others", "/sessions/end-all"}

func TestLoginRenewsTheID(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.home()
	old, oldKey := v.cookie(), keyOf(s.sessions()[0])
	v.login("Ann", false).backHome(t)
	if items := s.sessions(); len(items) != 1 || keyOf(items[0]) == oldKey {
		t.Fatalf("the table holds %v, want one session under another key than %s", items, oldKey)
	}
	v.home()

	// A request that was sent before the login comes late, or somebody else has the cookie.
	stranger := s.visitor()
	a := stranger.do("GET", "/", nil, "Cookie", old)
	a.is(t, http.StatusConflict)
	lacks(t, a.body, "Ann")
	if cookies := a.Cookies(); len(cookies) != 0 {
		t.Errorf("a late request was given %v, want nothing that displaces the new cookie", cookies)
	}
	for _, path := range append([]string{"/login"}, endForms...) {
		a := stranger.post(path, url.Values{"name": {"Mallory"}, "session": v.handles()}, "Cookie", old)
		a.backHome(t)
		if cookies := a.Cookies(); len(cookies) != 0 {
			t.Errorf("POST %s with the old cookie was given %v", path, cookies)
		}
	}
	v.isIn("Ann")
	v.lists(1)
}

func TestSessionsAreListed(t *testing.T) {
	s := newSite(t)
	laptop, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	s.visitor().home()
	laptop.lists(1)
	phone := s.loggedInAs("Ann")
	for _, v := range []*visitor{laptop, phone} {
		v.lists(2)
	}
	bob.lists(1)
	body := phone.home()
	holds(t, body, ", ends in 30 days</p>")
	holds(t, body, time.Now().UTC().Format(`<time datetime="2006-01-02T`))

	for _, item := range s.sessions() {
		lacks(t, body, keyOf(item))
	}
	lacks(t, s.visitor().home(), "Your sessions")
}

func TestLongListIsCut(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	item := maps.Clone(s.sessions()[0])
	for i := range maxListed {
		item["id"] = dynamotest.S(fmt.Sprintf("%052d", i))
		// Her own, which ends first, is at the front.
		item["expires"] = dynamotest.N("9999999999")
		s.backend.Put(t, item)
	}
	v.lists(maxListed)
	holds(t, v.home(), fmt.Sprintf("Only the first %d are listed.", maxListed))

	// What is not listed can be ended all the same.
	v.post("/sessions/end-others", nil).backHome(t)
	holds(t, v.home(), fmt.Sprintf("You are signed out of %d other sessions.", maxListed))
	v.lists(1)
}

func TestSignOutEverywhereElse(t *testing.T) {
	s := newSite(t)
	laptop := s.loggedInAs("Ann")
	key := keyOf(s.sessions()[0])
	phone, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	laptop.post("/sessions/end-others", nil).backHome(t)
	body := laptop.home()
	holds(t, body, `role="status">You are signed out of 1 other session.</p>`)
	laptop.lists(1)
	laptop.isIn("Ann")
	holds(t, body, "<code>"+key[:shownOfID]+"…</code>")

	body = phone.home()
	holds(t, body, `role="status">The session that this browser had has ended`)
	lacks(t, body, "Ann")
	phone.isOut()
	lacks(t, phone.home(), "has ended")
	bob.isIn("Bob")

	laptop.post("/sessions/end-others", nil).backHome(t)
	holds(t, laptop.home(), "There was no other session.")
}

func TestSignOutEverywhere(t *testing.T) {
	s := newSite(t)
	laptop, phone, tablet, bob := s.loggedInAs("Ann"), s.loggedInAs("Ann"), s.loggedInAs("Ann"), s.loggedInAs("Bob")
	before := laptop.cookie()
	a := laptop.post("/sessions/end-all", nil)
	a.backHome(t)
	if cookies := a.Cookies(); len(cookies) != 1 {
		t.Errorf("cookies = %v, want one that takes the old one's place", cookies)
	}
	holds(t, laptop.home(), `role="status">You are signed out everywhere.</p>`)
	for _, v := range []*visitor{laptop, phone, tablet} {
		v.isOut()
	}
	bob.isIn("Bob")
	for _, item := range s.sessions() {
		if user, ok := item["user"].(*types.AttributeValueMemberS); ok && user.Value != "Bob" {
			t.Errorf("the table holds %v", item)
		}
	}
	lacks(t, s.visitor().do("GET", "/", nil, "Cookie", before).body, "Ann")
}

// A request that is under way in the other browser does not bring the session back.
func TestSignOutDuringARequest(t *testing.T) {
	s := newSite(t)
	laptop, phone := s.loggedInAs("Ann"), s.loggedInAs("Ann")
	s.between("UpdateItem", func() { laptop.post("/sessions/end-others", nil).backHome(t) })
	a := phone.do("GET", "/", nil)
	a.is(t, http.StatusConflict)
	if len(a.Cookies()) != 0 {
		t.Errorf("cookies = %v, want none", a.Cookies())
	}
	phone.isOut()
	laptop.lists(1)
}

func TestEndOneSession(t *testing.T) {
	s := newSite(t)
	laptop, phone, tablet := s.loggedInAs("Ann"), s.loggedInAs("Ann"), s.loggedInAs("Ann")
	// The tablet's is the one that both others list.
	var common string
	for _, h := range laptop.handles() {
		if slices.Contains(phone.handles(), h) {
			common = h
		}
	}
	laptop.end(common).backHome(t)
	holds(t, laptop.home(), `role="status">That session was ended.</p>`)
	laptop.lists(2)
	tablet.isOut()
	phone.isIn("Ann")

	laptop.end(common).backHome(t)
	holds(t, laptop.home(), "That session had ended already.")
	laptop.end("").backHome(t)
	laptop.lists(2)
}

// The page offers no such form, but another browser's page knows the handle.
func TestEndOfTheOwnSessionIsALogout(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	a := v.end(handle(keyOf(s.sessions()[0])))
	a.backHome(t)
	if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	if items := s.sessions(); len(items) != 0 {
		t.Errorf("the table holds %v, want no session", items)
	}
	v.isOut()
}

func TestAnothersSessionCannotBeEnded(t *testing.T) {
	s := newSite(t)
	ann := s.loggedInAs("Ann")
	key := keyOf(s.sessions()[0])
	bob := s.loggedInAs("Bob")
	for _, sent := range []string{handle(key), key} {
		for _, v := range []*visitor{bob, s.visitor()} {
			v.end(sent).backHome(t)
			ann.isIn("Ann")
			ann.lists(1)
		}
	}
	bob.post("/sessions/end-others", nil).backHome(t)
	bob.post("/sessions/end-all", nil).backHome(t)
	ann.isIn("Ann")
}

// A form that is sent from a page whose session has ended meanwhile ends nothing.
func TestFormsOfAnEndedSession(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(s *site, item dynamotest.Item)
		says string
	}{
		{"expired", func(s *site, item dynamotest.Item) {
			item["expires"] = dynamotest.N("1")
			s.backend.Put(s, item)
		}, "You were not logged in any more, so nothing was done."},
		{"deleted", func(s *site, item dynamotest.Item) {
			s.backend.Delete(s, dynamotest.Item{"id": item["id"]})
		}, "You were not logged in any more, so nothing was done."},
		{"rotated", func(s *site, item dynamotest.Item) {
			delete(item, "data")
			delete(item, "user")
			item["moved"] = dynamotest.N("1")
			s.backend.Put(s, item)
		}, "Your session was ended meanwhile"},
	} {
		for _, path := range endForms {
			t.Run(test.name+path, func(t *testing.T) {
				s := newSite(t)
				laptop := s.loggedInAs("Ann")
				item := s.sessions()[0]
				phone := s.loggedInAs("Ann")
				form := url.Values{"session": laptop.handles()}
				test.end(s, item)
				laptop.post(path, form).backHome(t)
				body := laptop.do("GET", "/", nil).body
				holds(t, body, test.says)
				lacks(t, body, "Ann")
				phone.isIn("Ann")
				phone.lists(1)
			})
		}
	}
}

func TestListThatCannotBeReadIsSaid(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.backend.Inject("Query", dynamotest.Denied)
	body := v.home()
	holds(t, body, "Your sessions cannot be listed at the moment.")
	holds(t, body, `Hello, <span id="user">Ann</span>`)
}

// Where not all sessions can be ended, the user is told, and still there to try again.
func TestSignOutThatFails(t *testing.T) {
	for _, test := range []struct{ path, fails string }{
		{"/sessions/end", "Query"},
		{"/sessions/end", "DeleteItem"},
		{"/sessions/end", "GetItem"},
		{"/sessions/end-others", "Query"},
		{"/sessions/end-others", "DeleteItem"},
		{"/sessions/end-others", "GetItem"},
		{"/sessions/end-all", "Query"},
		{"/sessions/end-all", "DeleteItem"},
		{"/sessions/end-all", "GetItem"},
	} {
		t.Run(test.path+" "+test.fails, func(t *testing.T) {
			s := newSite(t)
			laptop, phone := s.loggedInAs("Ann"), s.loggedInAs("Ann")
			form := url.Values{"session": laptop.handles()}
			s.backend.Inject(test.fails, dynamotest.Denied)
			a := laptop.post(test.path, form)
			a.is(t, http.StatusServiceUnavailable)
			if len(a.Cookies()) != 0 {
				t.Errorf("cookies = %v, want none", a.Cookies())
			}
			laptop.isIn("Ann")
			laptop.post(test.path, form).backHome(t)
			phone.isOut()
		})
	}
}

func TestLeft(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour:                   "a minute",
		0:                            "a minute",
		89 * time.Second:             "a minute",
		90 * time.Second:             "2 minutes",
		59 * time.Minute:             "59 minutes",
		90*time.Minute - time.Second: "90 minutes",
		90 * time.Minute:             "2 hours",
		day - time.Second:            "24 hours",
		36*time.Hour - time.Second:   "36 hours",
		36 * time.Hour:               "2 days",
		30*day - time.Second:         "30 days",
	} {
		if got := left(d); got != want {
			t.Errorf("left(%v) = %q, want %q", d, got, want)
		}
	}
}
