package main

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/dynamostore/internal/dynamotest"
)

var costPattern = regexp.MustCompile(`<th scope="row">(.*?) <small>(.*?)</small></th><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>`)

// costs returns the rows of a page that say what requests cost.
func costs(body string) []string {
	var rows []string
	for _, match := range costPattern.FindAllStringSubmatch(html.UnescapeString(body), -1) {
		rows = append(rows, strings.Join(match[1:], " | "))
	}
	return rows
}

// wantCosts asserts the first of them.
func wantCosts(t *testing.T, body string, want ...string) {
	t.Helper()
	rows := costs(body)
	if len(rows) < len(want) || !slices.Equal(rows[:len(want)], want) {
		t.Errorf("the page shows these costs:\n%s\nwant first\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

func TestCostsOfTheLastRequests(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	wantCosts(t, v.home(), "GET / | load, skip | 0 | 0 | $0")
	v.add("Tea")
	wantCosts(t, v.home(),
		"GET / | load, skip | 1 | 0 | $0.125",
		"POST /cart/add | load, create | 0 | 1 | $0.625",
	)
	v.login("Ann", false).wantRedirect(t, "/")
	body := v.home()
	wantCosts(t, body, "GET / | load, skip, list | 1.5 | 0 | $0.188")
	if rows := costs(body); len(rows) != 2 || !strings.HasPrefix(rows[1], "POST /login | load, regenerate | 2 | ") {
		t.Errorf("the page shows these costs:\n%s\nwant GET / and POST /login", strings.Join(rows, "\n"))
	}
	if rows := costs(v.live()); !slices.Equal(rows, costs(body)) {
		t.Errorf("GET /live shows these costs:\n%s\nwant those of the page", strings.Join(rows, "\n"))
	}
	wantCosts(t, s.visitor().home(), "GET / | load, skip | 0 | 0 | $0")
}

func TestCostsOfFailedRequests(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.add("Tea")
	s.backend.Inject("GetItem", dynamotest.Denied)
	v.post("/cart/add", url.Values{"product": {"Tea"}}).wantUnavailable(t)
	wantCosts(t, v.live(), "POST /cart/add | load (failed), skip (failed) | 0 | 0 | $0")
}

// DestroyUser reads and writes, and an Event does not say how much of each.
func TestCostsThatAreNotKnownAreNotShown(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.loggedInAs("Ann")
	v.post("/sessions/end-others", nil).wantRedirect(t, "/#sessions")
	for _, row := range costs(v.home()) {
		if strings.Contains(row, "destroy user") {
			t.Errorf("the page shows %q", row)
		}
	}
}

func TestPrice(t *testing.T) {
	for want, cost := range map[string][2]float64{
		"$0":      {0, 0},
		"$0.125":  {1, 0},
		"$0.063":  {0.5, 0},
		"$0.75":   {1, 1},
		"$1":      {8, 0},
		"$62.625": {1, 100},
	} {
		if got := (&tally{Read: cost[0], Written: cost[1]}).Price(); got != want {
			t.Errorf("a million times %v read and %v written cost %s, want %s", cost[0], cost[1], got, want)
		}
	}
}

func TestLedgerIsBounded(t *testing.T) {
	var l ledger
	for i := range 3 * maxKept {
		l.add(request{visitor: "ann", Path: fmt.Sprint(i)})
	}
	if n := len(l.requests); n != maxKept {
		t.Errorf("the ledger holds %d requests, want %d", n, maxKept)
	}
	found := l.last("ann")
	if len(found) != maxShown || found[0].Path != fmt.Sprint(3*maxKept-1) {
		t.Errorf("the ledger has %d requests of ann, the first %q, want the last %d", len(found), found[0].Path, maxShown)
	}
}
