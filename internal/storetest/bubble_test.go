package storetest

import (
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// sideBySide runs subtests a few at a time. On DynamoDB Local, they wait more than they work.
func sideBySide(t *testing.T, n int, test func(i int) (string, func(*testing.T))) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	if onVirtualTime {
		slots = make(chan struct{}, runtime.GOMAXPROCS(0))
	}
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(test(i))
		})
	}
	wg.Wait()
}

// patience is a Timeout that is not exceeded.
const patience = time.Minute

// attempts is how often the tests' client sends a request: as often as the SDK's default.
const attempts = 3

// forever is a number of faults that no retries overcome.
const forever = 1000

// onVirtualTime reports whether inBubble runs its tests on virtual time.
var onVirtualTime = os.Getenv("DYNAMOSTORE_TEST_ENDPOINT") == ""

// inBubble runs f on the virtual time of a synctest bubble, so that nothing depends on the speed of
// the machine. On DynamoDB Local, which is behind a socket, it runs f on real time.
func inBubble(t *testing.T, f func(*testing.T)) {
	if onVirtualTime {
		synctest.Test(t, func(t *testing.T) {
			f(t)
			time.Sleep(time.Hour) // until all that f set off has ended
		})
		return
	}
	f(t)
}

// newBubbleApp is newApp in a bubble. With UserKey, the table has the index of users.
func newBubbleApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	a := &app{T: t, backend: dynamotest.New(t)}
	for _, f := range configure {
		f(&a.cfg)
	}
	a.cfg.Table = a.backend.Table
	a.store = a.open(a.cfg, keyA)
	if a.cfg.UserKey == "" {
		a.backend.CreateTable(t, a.keyAttribute(), a.cfg.SortKeyAttribute)
	} else if err := a.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.serve()
	a.backend.Counts()
	return a
}

// silent is dynamotest.Silent. It refuses a request that has no deadline, which would hang the
// test.
func silent(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	if r.Context().Done() == nil {
		return dynamotest.Reset(next, r)
	}
	return dynamotest.Silent(next, r)
}

// appliedThenSilent is dynamotest.AppliedThenSilent, but for a request that has no deadline.
func appliedThenSilent(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	if r.Context().Done() == nil {
		return dynamotest.AppliedThenReset(next, r)
	}
	return dynamotest.AppliedThenSilent(next, r)
}
