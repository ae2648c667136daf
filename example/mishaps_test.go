package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"example.com/dynamostore/internal/dynamotest"
)

// decode returns the JSON of an answer.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	a.is(t, http.StatusOK)
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s answers %q: %v", a.Request.URL.Path, a.body, err)
	}
	return v
}

type togetherAnswer struct {
	Merges, Requests int
	Units            float64
}

type counted struct{ Keys, Flashes int }

type slowAnswer struct{ Gone, Cookie, Item bool }

func TestTwentyRequestsAtOnceLoseNothing(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	// All have loaded the session before the first saves it.
	var loaded sync.WaitGroup
	loaded.Add(maxTogether)
	s.app.mishaps.work = func(context.Context, time.Duration) {
		loaded.Done()
		loaded.Wait()
	}
	cookie := v.cookie()
	var requests sync.WaitGroup
	answers := make([]answer, maxTogether)
	for i := range answers {
		requests.Go(func() {
			answers[i] = s.visitor().post("/mishaps/together", url.Values{"n": {strconv.Itoa(i + 1)}}, "Cookie", cookie)
		})
	}
	requests.Wait()
	merges := 0
	for _, a := range answers {
		got := decode[togetherAnswer](t, a)
		merges += got.Merges
		if got.Requests < 2 || got.Units <= 0 {
			t.Errorf("a request answers %+v, want 2 or more requests to DynamoDB and what they cost", got)
		}
	}
	if merges != maxTogether-1 {
		t.Errorf("%d of %d were merged, want all but the first", merges, maxTogether)
	}
	if got, want := decode[counted](t, v.post("/mishaps/together/count", nil)), (counted{maxTogether, maxTogether}); got != want {
		t.Errorf("the session holds %+v, want %+v", got, want)
	}
	lacks(t, v.lives(http.StatusOK), `"together`)
	if got := decode[counted](t, v.post("/mishaps/together/count", nil)); got != (counted{}) {
		t.Errorf("the session holds %+v after it was counted, want nothing", got)
	}
	v.isIn("Ann")
}

func TestLogoutDuringASlowRequest(t *testing.T) {
	s := newSite(t)
	v, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	underWay := func(v *visitor) bool {
		t.Helper()
		return decode[map[string]bool](t, v.do("GET", "/mishaps/slow", nil))["underWay"]
	}
	s.app.mishaps.work = func(context.Context, time.Duration) {
		if !underWay(v) || underWay(bob) {
			t.Errorf("the slow request is under way for Ann: %t, for Bob: %t, want for Ann alone", underWay(v), underWay(bob))
		}
		v.post("/logout", nil).backHome(t)
	}
	cookie := v.cookie()
	tab := s.visitor()
	if got, want := decode[slowAnswer](t, tab.post("/mishaps/slow", nil, "Cookie", cookie)), (slowAnswer{Gone: true}); got != want {
		t.Errorf("the slow request answers %+v, want %+v", got, want)
	}
	if items := s.sessions(); len(items) != 1 {
		t.Errorf("the table holds %v, want Bob's session alone", items)
	}
	if decode[map[string]bool](t, tab.do("GET", "/mishaps/slow", nil, "Cookie", cookie))["underWay"] {
		t.Errorf("the slow request is still under way")
	}
	v.isOut()
	bob.isIn("Bob")
}

func TestSlowRequestAlone(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.app.mishaps.work = func(context.Context, time.Duration) {}
	if got := decode[slowAnswer](t, v.post("/mishaps/slow", nil)); got.Gone || !got.Item {
		t.Errorf("the slow request answers %+v, want it saved", got)
	}
	v.isIn("Ann")
}

func TestWorkEndsWithItsRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	work(ctx, time.Hour)
	work(t.Context(), time.Nanosecond)
}

func TestOutage(t *testing.T) {
	s := newSite(t)
	v, bob := s.loggedInAs("Ann"), s.loggedInAs("Bob")
	v.add("Tea")
	v.hasInCart(1, "1 × Tea")
	now := time.Now()
	s.app.mishaps.outages.now = func() time.Time { return now }
	before := s.sessions()
	if got := decode[map[string]float64](t, v.post("/mishaps/outage", nil)); got["seconds"] != 5 {
		t.Errorf("the outage answers %v, want 5 seconds", got)
	}
	for range 2 {
		a := v.do("GET", "/", nil)
		a.is(t, http.StatusServiceUnavailable)
		if a.Header.Get("Retry-After") != "5" || len(a.Cookies()) != 0 {
			t.Errorf("the answer has Retry-After %q and sets %v, want 5 and nothing", a.Header.Get("Retry-After"), a.Cookies())
		}
		holds(t, a.body, `href="/">Try again</a>`)
		now = now.Add(outageTime/2 - time.Millisecond)
	}
	v.post("/cart/add", url.Values{"product": {"Honey"}}).is(t, http.StatusServiceUnavailable)
	v.post("/mishaps/together", url.Values{"n": {"1"}}).is(t, http.StatusServiceUnavailable)
	body := v.lives(http.StatusServiceUnavailable)
	holds(t, body, "The item cannot be read at the moment.")
	cost(t, body, "POST /mishaps/together 503 | load (failed) | 3 requests")
	if after := s.sessions(); !reflect.DeepEqual(after, before) {
		t.Errorf("the outage left %v, where there was %v", after, before)
	}
	bob.isIn("Bob")

	now = now.Add(2 * time.Millisecond)
	v.isIn("Ann")
	v.hasInCart(1, "1 × Tea")
}

// What the script sends does nothing for one who has no session, and makes none.
func TestMishapsWithoutASession(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/mishaps/together", "/mishaps/together/count", "/mishaps/slow", "/mishaps/outage"} {
		a := s.visitor().post(path, url.Values{"n": {"1"}})
		a.is(t, http.StatusConflict)
		if len(a.Cookies()) != 0 {
			t.Errorf("POST %s set %v", path, a.Cookies())
		}
	}
	for _, n := range []string{"", "0", "-1", fmt.Sprint(maxTogether + 1), "x"} {
		s.loggedInAs("Ann").post("/mishaps/together", url.Values{"n": {n}}).is(t, http.StatusUnprocessableEntity)
	}
	if n := len(s.sessions()); n != 5 {
		t.Errorf("the table holds %d sessions, want 5", n)
	}
}

func TestMishapsThatCannotBeTried(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.app.mishaps.work = func(context.Context, time.Duration) {}
	decode[togetherAnswer](t, v.post("/mishaps/together", url.Values{"n": {"2"}}))
	for _, path := range []string{"/mishaps/together", "/mishaps/together/count", "/mishaps/slow"} {
		for _, op := range []string{"GetItem", "UpdateItem"} {
			s.backend.Inject(op, dynamotest.Denied)
			v.post(path, url.Values{"n": {"1"}}).is(t, http.StatusServiceUnavailable)
			if n := s.backend.Pending(); n != 0 {
				t.Errorf("POST %s: %d faults were not met", path, n)
			}
		}
	}
	s.between("UpdateItem", func() {
		for _, item := range s.sessions() {
			s.backend.Delete(t, dynamotest.Item{"id": item["id"]})
		}
	})
	v.post("/mishaps/together", url.Values{"n": {"1"}}).is(t, http.StatusConflict)
}
