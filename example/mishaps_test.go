package main

import (
	"html"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

var (
	outcomePattern = regexp.MustCompile(`(?s)<div class="outcome (good|bad)">.*?<p class="verdict">(.*?)</p>(.*?)</div>`)
	linePattern    = regexp.MustCompile(`<li>(.*?)</li>`)
)

// wantOutcomes asserts what a page says that a mishap did, in the careless store and in this one:
// good or bad, the verdict, and the lines below.
func wantOutcomes(t *testing.T, body string, want ...[]string) {
	t.Helper()
	var got [][]string
	for _, match := range outcomePattern.FindAllStringSubmatch(html.UnescapeString(body), -1) {
		outcome := match[1:3]
		for _, line := range linePattern.FindAllStringSubmatch(match[3], -1) {
			outcome = append(outcome, line[1])
		}
		got = append(got, outcome)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the page says\n%q\nwant\n%q", got, want)
	}
}

func TestTwentyRequestsAtOnce(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	for range 2 {
		body := v.post("/try/together", nil).body
		if n := strings.Count(body, "<s>"); n != 19 {
			t.Errorf("the page shows %d keys as lost, want 19 of those that the last write overwrote", n)
		}
		for _, text := range []string{"19 of 20 keys are lost", "All 20 keys are kept", "59 requests to DynamoDB", "Now press <b>Measure two page views</b>"} {
			wantText(t, body, text)
		}
		// The item shows the keys, also when the page is loaded again ...
		for _, body := range []string{body, v.home(), v.live()} {
			for i := range atOnce {
				wantText(t, body, `"`+ownKey(i)+`":true`)
			}
		}
	}
	// ... until the next form.
	v.add("Tea")
	wantNoText(t, v.home(), `"key`)
	v.wantLoggedInAs("Ann")
}

func TestPageViewsCostLess(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	wantOutcomes(t, v.post("/try/views", nil).body,
		[]string{"bad", "2 written", "Visitor: 1 read, 1 written, $0.75 per million", "Bot: 0 read, 1 written, $0.625 per million"},
		[]string{"good", "0 written", "Visitor: 1 read, 0 written, $0.125 per million", "Bot: 0 read, 0 written, $0 per million"},
	)
}

func TestOutage(t *testing.T) {
	s := newSite(t)
	v, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	v.add("Tea")
	now := time.Now()
	s.app.demo.outages.now = func() time.Time { return now }
	a := v.post("/try/outage", nil)
	a.wantUnavailable(t)
	wantText(t, a.body, `href="/?after=outage"`)
	wantOutcomes(t, a.body,
		[]string{"bad", "The session is lost", "Before: Ann is logged in, with 1 in the cart", "Save: written", "After: nobody is logged in"},
		[]string{"good", "Nothing is lost", "Before: Ann is logged in, with 1 in the cart", "Save: refused (ErrNotLoaded), nothing is written", "After: Ann is logged in, with 1 in the cart"},
	)
	before := s.sessions()
	for range 2 {
		v.do("GET", "/", nil).wantUnavailable(t)
		now = now.Add(outageTime/2 - time.Millisecond)
	}
	v.post("/cart/add", url.Values{"product": {"Honey"}}).wantUnavailable(t)
	v.post("/try/together", nil).wantUnavailable(t)
	wantText(t, v.live(), "The item cannot be read at the moment.")
	bob.wantLoggedInAs("Bob")
	if after := s.sessions(); !reflect.DeepEqual(after, before) {
		t.Errorf("the outage left %v, want %v", after, before)
	}

	now = now.Add(2 * time.Millisecond)
	body := v.do("GET", "/?after=outage", nil).body
	wantText(t, body, "DynamoDB answers again")
	wantText(t, body, "Now press <b>Log out during a slow request</b>")
	v.wantInCart("1 × Tea")
}

func TestLogoutDuringASlowRequest(t *testing.T) {
	s := newSite(t)
	v, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	a := v.post("/try/logout", nil)
	if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	wantOutcomes(t, a.body,
		[]string{"bad", "The session is back", "Before: Ann is logged in, with 0 in the cart", "The slow request's Save: written", "After: Ann is logged in, with 0 in the cart"},
		[]string{"good", "The session stays ended", "Before: Ann is logged in, with 0 in the cart", "The slow request's Save: refused (ErrGone), nothing is written", "After: nobody is logged in"},
	)
	// The page is that of the ended session.
	for _, text := range []string{"Ann was logged in here", "a tombstone", `id="session" aria-labelledby="hello" inert`, "Now press <b>Start again</b>"} {
		wantText(t, a.body, text)
	}
	wantNoText(t, a.body, "You are logged in")
	v.wantLoggedOut()
	bob.wantLoggedInAs("Bob")
}

func TestMishapsLeaveNothingForLong(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	for _, path := range []string{"/try/together", "/try/views", "/try/logout"} {
		v.post(path, nil).wantStatus(t, http.StatusOK)
	}
	for _, item := range s.sessions() {
		expires, err := strconv.ParseInt(item["expires"].(*types.AttributeValueMemberN).Value, 10, 64)
		if left := time.Until(time.Unix(expires, 0)); err != nil || left > (copyAge+1)*time.Second {
			t.Errorf("an item expires in %v (%v), want at most %d s, rounded up", left, err, copyAge)
		}
	}
}

func TestMishapsWithoutASession(t *testing.T) {
	s := newSite(t)
	for _, m := range mishaps {
		v := s.visitor()
		v.post("/try/"+m.Name, nil).wantRedirect(t, "/#sessions")
		wantText(t, v.home(), "You were no longer logged in, so nothing was done.")
		v.do("GET", "/try/"+m.Name, nil).wantStatus(t, http.StatusOK) // home
	}
}

func TestMishapsThatCannotBeTried(t *testing.T) {
	for _, m := range mishaps {
		for _, op := range []string{"GetItem", "PutItem"} {
			s := newSite(t)
			v := s.loggedInAs("Ann")
			s.backend.Inject(op, dynamotest.Denied)
			v.post("/try/"+m.Name, nil).wantStatus(t, http.StatusServiceUnavailable)
			v.wantLoggedInAs("Ann")
		}
	}
}
