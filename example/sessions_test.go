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

	"example.com/dynamostore/internal/dynamotest"
)

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

// wantDevices asserts how many devices the visitor's page lists, one of which is the visitor's own.
func (v *visitor) wantDevices(n int) {
	v.Helper()
	body := v.home()
	_, list, _ := strings.Cut(body, `<h2 id="sessions-title">`)
	list, _, _ = strings.Cut(list, "</section>")
	if items, here := strings.Count(list, "<li>"), strings.Count(list, "this browser"); items != n || here != 1 {
		v.Errorf("the page lists %d devices, %d as this browser, want %d and 1:\n%s", items, here, n, list)
	}
}

// endPaths are those of the forms that end sessions.
var endPaths = []string{"/sessions/end", "/sessions/end-others", "/sessions/end-all"}

func TestDevicesAreListed(t *testing.T) {
	s := newSite(t)
	laptop, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	laptop.wantDevices(1)
	phone := s.visitor()
	phone.post("/login", url.Values{"name": {"Ann"}}, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0").wantRedirect(t, "/")
	for _, v := range []*visitor{laptop, phone} {
		v.wantDevices(2)
	}
	bob.wantDevices(1)
	wantText(t, phone.home(), "<b>Firefox on Linux</b>, this browser")
	wantText(t, laptop.home(), "<b>Firefox on Linux</b>, used in the last 5 minutes")

	for _, item := range s.sessions() {
		if label, _ := text(item["label"]); label == "Firefox on Linux" {
			item["seen"] = dynamotest.N(fmt.Sprint(time.Now().Add(-7*time.Minute - 30*time.Second).Unix()))
			s.backend.Put(t, item)
		}
		wantNoText(t, laptop.home(), keyOf(item))
	}
	wantText(t, laptop.home(), "<b>Firefox on Linux</b>, last used 7 minutes ago")
}

func TestLongListIsCut(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	item := maps.Clone(s.session())
	for i := range maxListed {
		item["id"] = dynamotest.S(fmt.Sprintf("%052d", i))
		// Her own ends first, so it is at the front of the list.
		item["expires"] = dynamotest.N(fmt.Sprint(time.Now().AddDate(1, 0, 0).Unix()))
		s.backend.Put(t, item)
	}
	v.wantDevices(maxListed)
	wantText(t, v.home(), fmt.Sprintf("These are the first %d.", maxListed))

	// What is not listed can be ended as well.
	v.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions")
	wantText(t, v.home(), fmt.Sprintf("%d other devices are logged out.", maxListed))
	v.wantDevices(1)
}

func TestLogOutEverywhereElse(t *testing.T) {
	s := newSite(t)
	laptop := s.loggedInAs("Ann")
	key := keyOf(s.session())
	phone, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	laptop.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions")
	body := laptop.home()
	wantText(t, body, `role="status">1 other device is logged out.</p>`)
	wantText(t, body, "<code>"+key[:shownOfID]+"…")
	wantNoText(t, laptop.home(), "logged out.") // a flash is shown once
	laptop.wantDevices(1)
	laptop.wantLoggedInAs("Ann")

	body = phone.home()
	wantText(t, body, "The session that this browser had has ended.")
	wantNoText(t, body, "Ann")
	phone.wantLoggedOut()
	bob.wantLoggedInAs("Bob")

	laptop.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions")
	wantText(t, laptop.home(), "No other device was logged in.")
}

func TestLogOutEverywhere(t *testing.T) {
	s := newSite(t)
	laptop, phone, tablet, bob := s.loggedInAs("Ann"), s.loggedInAs("Ann"), s.loggedInAs("Ann"), s.loggedInAs("Bob")
	before := laptop.cookie()
	a := laptop.post("/sessions/end-all", nil)
	a.wantRedirect(t, "/")
	if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	for _, v := range []*visitor{laptop, phone, tablet} {
		v.wantLoggedOut()
	}
	bob.wantLoggedInAs("Bob")
	s.wantSessions(1)
	wantNoText(t, s.visitor().do("GET", "/", nil, "Cookie", before).body, "Ann")
}

// A request of the other browser that is under way does not bring the session back.
func TestLogOutEverywhereElseDuringARequest(t *testing.T) {
	s := newSite(t)
	laptop, phone := s.loggedInAs("Ann"), s.loggedInAs("Ann")
	s.beforeNext("UpdateItem", func() { laptop.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions") })
	a := phone.post("/cart/add", url.Values{"product": {"Tea"}})
	a.wantRedirect(t, "/")
	a.wantNoCookie(t)
	phone.wantLoggedOut()
	laptop.wantDevices(1)
}

func TestEndOneSession(t *testing.T) {
	s := newSite(t)
	laptop, phone, tablet := s.loggedInAs("Ann"), s.loggedInAs("Ann"), s.loggedInAs("Ann")
	// The tablet is what both others list.
	var common string
	for _, h := range laptop.handles() {
		if slices.Contains(phone.handles(), h) {
			common = h
		}
	}
	laptop.end(common).wantRedirect(t, "/#sessions")
	wantText(t, laptop.home(), `role="status">Unknown device is logged out.</p>`)
	laptop.wantDevices(2)
	tablet.wantLoggedOut()
	phone.wantLoggedInAs("Ann")

	laptop.end(common).wantRedirect(t, "/#sessions")
	wantText(t, laptop.home(), "That device was logged out already.")
	laptop.end("").wantRedirect(t, "/#sessions")
	laptop.wantDevices(2)
}

func TestPhoneCanBeEnded(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	v.post("/try/phone", nil).wantRedirect(t, "/#sessions")
	wantText(t, v.home(), "<b>Safari on iPhone</b>, used in the last 5 minutes")
	for _, h := range v.handles() {
		v.end(h).wantRedirect(t, "/#sessions")
	}
	wantText(t, v.home(), "Safari on iPhone is logged out.")
	v.wantDevices(1)
	s.wantSessions(1)
}

// The page has no such form, but another browser's page has it.
func TestEndOfTheOwnSessionIsALogout(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	a := v.end(handle(keyOf(s.session())))
	a.wantRedirect(t, "/")
	if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	s.wantSessions(0)
	v.wantLoggedOut()
}

func TestAnotherUsersSessionCannotBeEnded(t *testing.T) {
	s := newSite(t)
	ann := s.loggedInAs("Ann")
	key := keyOf(s.session())
	bob := s.loggedInAs("Bob")
	for _, sent := range []string{handle(key), key} {
		for _, v := range []*visitor{bob, s.visitor()} {
			v.end(sent).wantRedirect(t, "/#sessions")
			ann.wantLoggedInAs("Ann")
			ann.wantDevices(1)
		}
	}
	bob.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions")
	bob.post("/sessions/end-all", nil).wantRedirect(t, "/")
	ann.wantLoggedInAs("Ann")
}

// A form from a page whose session has ended meanwhile ends nothing.
func TestFormsOfAnEndedSession(t *testing.T) {
	for _, test := range []struct {
		name     string
		end      func(s *site, item dynamotest.Item)
		location string
		text     string
	}{
		{"expired", func(s *site, item dynamotest.Item) {
			item["expires"] = dynamotest.N("1")
			s.backend.Put(s, item)
		}, "/#sessions", "You were no longer logged in, so nothing was done."},
		{"deleted", func(s *site, item dynamotest.Item) {
			s.backend.Delete(s, dynamotest.Item{"id": item["id"]})
		}, "/#sessions", "You were no longer logged in, so nothing was done."},
		{"rotated", func(s *site, item dynamotest.Item) {
			delete(item, "data")
			delete(item, "user")
			item["gone"] = dynamotest.S("moved")
			item["seen"] = dynamotest.N(fmt.Sprint(time.Now().Unix()))
			s.backend.Put(s, item)
		}, "/", "To try it, press <b>Log in</b>"},
	} {
		for _, path := range endPaths {
			t.Run(test.name+path, func(t *testing.T) {
				s := newSite(t)
				laptop := s.loggedInAs("Ann")
				item := s.session()
				phone := s.loggedInAs("Ann")
				form := url.Values{"session": laptop.handles()}
				test.end(s, item)
				laptop.post(path, form).wantRedirect(t, test.location)
				body := laptop.do("GET", "/", nil).body
				wantText(t, body, test.text)
				wantNoText(t, body, "Ann")
				phone.wantLoggedInAs("Ann")
				phone.wantDevices(1)
			})
		}
	}
}

func TestListThatCannotBeReadIsSaid(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.backend.Inject("Query", dynamotest.Denied)
	body := v.home()
	wantText(t, body, "Your devices cannot be listed at the moment.")
	wantText(t, body, `Hello, <span id="user">Ann</span>`)
}

// If not all sessions can be ended, the user is told, and can try again.
func TestLogOutThatFails(t *testing.T) {
	for _, path := range endPaths {
		for _, operation := range []string{"Query", "UpdateItem", "GetItem"} {
			t.Run(path+" "+operation, func(t *testing.T) {
				s := newSite(t)
				laptop, phone := s.loggedInAs("Ann"), s.loggedInAs("Ann")
				form := url.Values{"session": laptop.handles()}
				s.backend.Inject(operation, dynamotest.Denied)
				laptop.post(path, form).wantUnavailable(t)
				laptop.wantLoggedInAs("Ann")
				laptop.post(path, form).wantStatus(t, http.StatusSeeOther)
				phone.wantLoggedOut()
			})
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                  "used in the last 5 minutes",
		5*time.Minute - 1:             "used in the last 5 minutes",
		5 * time.Minute:               "last used 5 minutes ago",
		119*time.Minute + time.Second: "last used 119 minutes ago",
		2 * time.Hour:                 "last used 2 hours ago",
		48*time.Hour - 1:              "last used 47 hours ago",
		48 * time.Hour:                "last used 2 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestDeviceName(t *testing.T) {
	for userAgent, want := range map[string]string{
		"": "Unknown device",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                         "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":                  "Edge on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0":                  "Opera on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                          "Safari on Mac",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/140.0 Mobile/15E148 Safari/605.1.15":               "Firefox on iPad",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                                "Chrome on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                 "Chrome on ChromeOS",
		"curl/8.14.1":                      "curl",
		"SomethingElse/1.0 (Linux)":        "Unknown browser on Linux",
		strings.Repeat("long", 10000) + "": "Unknown device",
	} {
		if got := deviceName(userAgent); got != want {
			t.Errorf("deviceName(%q) = %q, want %q", userAgent, got, want)
		}
	}
}
