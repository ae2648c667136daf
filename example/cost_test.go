package main

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/dynamostore/internal/dynamotest"
)

var costPattern = regexp.MustCompile(`<p><code>(.*?)</code>\s*([^\n]*)\n<small>(.*?)</small></p>\n<p class="sum">(.*?)\n<small>(.*?)</small>`)

// costs returns the rows of a page that tell what requests cost, but for their units.
func costs(body string) []string {
	var rows []string
	for _, match := range costPattern.FindAllStringSubmatch(html.UnescapeString(body), -1) {
		request := strings.TrimSpace(match[1] + " " + strings.TrimSpace(match[2]))
		rows = append(rows, request+" | "+match[3]+" | "+match[4])
	}
	return rows
}

// cost asserts the first rows.
func cost(t *testing.T, body string, want ...string) {
	t.Helper()
	rows := costs(body)
	if len(rows) < len(want) || !slices.Equal(rows[:len(want)], want) {
		t.Errorf("the page tells these costs:\n%s\nwant first\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

func TestCostsOfTheLastRequests(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	cost(t, v.home(), "GET / | load, create | 1 request")
	cost(t, v.home(), "GET / | load, update | 2 requests", "GET / | load, create | 1 request")
	// A login changes the ID, and what was before is told all the same.
	v.login("Ann", false).backHome(t)
	body := v.home()
	cost(t, body,
		"GET / | load, update, list | 3 requests",
		"POST /login 303 | load, regenerate | 2 requests",
		"GET / | load, update | 2 requests",
		"GET / | load, create | 1 request",
	)
	if rows := costs(v.lives(http.StatusOK)); !slices.Equal(rows, costs(body)) {
		t.Errorf("GET /live tells %q, want what the page told", rows)
	}
	v.add("Tea")
	v.remove("Tea", "Tea")
	cost(t, v.lives(http.StatusOK), "POST /cart/remove 303 <strong>× 2</strong> | 2 load, 1 skip, 1 update | 3 requests")
	bob := s.visitor()
	for visits := range 2 {
		if rows := costs(bob.home()); len(rows) != visits+1 {
			t.Errorf("another visitor's page tells of %q, want the visitor's own %d", rows, visits+1)
		}
	}
}

// The numbers are those of the requests that DynamoDB saw, failed ones and their repetitions included.
func TestCostsAreCountedRight(t *testing.T) {
	s := newSite(t)
	v := s.loggedInAs("Ann")
	s.backend.Counts()
	s.backend.Inject("GetItem", dynamotest.InternalError)
	s.backend.Inject("UpdateItem", dynamotest.InternalError)
	v.add("Honey")
	sent := 0
	for _, n := range s.backend.Counts() {
		sent += n
	}
	cost(t, v.lives(http.StatusOK), fmt.Sprintf("POST /cart/add 303 | load, update | %d requests", sent))
	if sent != 4 {
		t.Errorf("DynamoDB was sent %d requests, want 4", sent)
	}
	s.backend.Inject("GetItem", dynamotest.Denied)
	v.post("/cart/add", map[string][]string{"product": {"Tea"}}).is(t, http.StatusServiceUnavailable)
	cost(t, v.lives(http.StatusOK), "POST /cart/add 503 | load (failed), skip (failed) | 1 request")
	// Two requests of 1 and 0.5 units or more, as the item is small.
	if units := regexp.MustCompile(`([\d.]+) units`).FindStringSubmatch(v.lives(http.StatusOK)); units == nil {
		t.Errorf("the page tells no units")
	}
}

func TestLedgerIsBounded(t *testing.T) {
	var l ledger
	for i := range 5 * maxKept {
		l.add(request{visitor: "ann", Path: fmt.Sprint(i)})
		if len(l.requests) > 2*maxKept {
			t.Fatalf("the ledger holds %d requests, want at most %d", len(l.requests), 2*maxKept)
		}
	}
	found := l.last("ann", nil)
	if len(found) < maxKept || found[0].Path != fmt.Sprint(5*maxKept-1) {
		t.Errorf("the ledger has %d requests of ann, the last %q, want %d or more and the last that was added", len(found), found[0].Path, maxKept)
	}
	if rows := grouped(found); len(rows) != maxShown {
		t.Errorf("a page shows %d rows, want %d", len(rows), maxShown)
	}
}
