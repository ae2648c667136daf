package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gorilla/securecookie"

	"example.com/dynamostore"
)

// request is one that the demo answered, and what its session cost.
type request struct {
	Method, Path string
	Status       int
	Ops          []string // what the store did, in order
	Requests     int      // to DynamoDB
	Units        float64  // of capacity
	Times        int      // as many alike, one after the other

	merges  int
	visitor string
}

type contextKey int

const (
	requestKey contextKey = iota
	visitorKey
)

// spent returns what the request of that context has cost so far, nil where nobody counts.
func spent(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey).(*request)
	return r
}

// observe is the store's Config.Observe. It runs in the goroutine of the request.
func observe(ctx context.Context, e dynamostore.Event) {
	r := spent(ctx)
	if r == nil {
		return
	}
	op := string(e.Op)
	if e.Err != nil {
		op += " (failed)"
	}
	r.Ops = append(r.Ops, op)
	r.Requests += e.Requests
	r.Units += e.Capacity
	if e.Op == dynamostore.OpMerge {
		r.merges++
	}
}

// visitorIn names the session of a request's cookie, "" if it has none. It is no secret.
func visitorIn(ctx context.Context) string {
	v, _ := ctx.Value(visitorKey).(string)
	return v
}

// visitorOf does so without a look at the table: a cookie that is signed proves the ID.
func (a *app) visitorOf(cookies []*http.Cookie) string {
	for _, c := range cookies {
		var id string
		if c.Name == cookieName && securecookie.DecodeMulti(cookieName, c.Value, &id, a.store.Codecs...) == nil {
			return handle(id)
		}
	}
	return ""
}

// watch counts what each request costs, and keeps it for the page.
func (a *app) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := a.visitorOf(r.Cookies())
		ctx := context.WithValue(r.Context(), visitorKey, before)
		if r.URL.Path == "/live" {
			next.ServeHTTP(w, r.WithContext(ctx)) // only looks
			return
		}
		cost := &request{Method: r.Method, Path: r.URL.Path, Status: http.StatusOK, Times: 1, visitor: before}
		next.ServeHTTP(&statusRecorder{w, cost}, r.WithContext(context.WithValue(ctx, requestKey, cost)))
		if len(cost.Ops) == 0 {
			return
		}
		// The answer may have begun a session, or given it another ID.
		if after := a.visitorOf((&http.Response{Header: w.Header()}).Cookies()); after != "" && after != before {
			a.ledger.rename(before, after)
			cost.visitor = after
		}
		a.ledger.add(*cost)
	})
}

// statusRecorder notes the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	request *request
}

func (s *statusRecorder) WriteHeader(status int) {
	s.request.Status = status
	s.ResponseWriter.WriteHeader(status)
}

// ledger keeps what the last requests of all visitors cost.
type ledger struct {
	mu       sync.Mutex
	requests []request // the first first
}

const (
	maxKept  = 1000 // in the ledger
	maxShown = 6    // on a page
)

func (l *ledger) add(r request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) >= 2*maxKept {
		l.requests = append(l.requests[:0], l.requests[len(l.requests)-maxKept:]...)
	}
	l.requests = append(l.requests, r)
}

// rename notes that a visitor's session has another ID.
func (l *ledger) rename(before, after string) {
	if before == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.requests {
		if l.requests[i].visitor == before {
			l.requests[i].visitor = after
		}
	}
}

// last returns a visitor's requests, the last first: that of the page itself, if not nil, and those before.
func (l *ledger) last(visitor string, current *request) []request {
	var found []request
	if current != nil {
		found = append(found, *current)
	}
	if visitor == "" {
		return found
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.requests) {
		if r.visitor == visitor {
			found = append(found, r)
		}
	}
	return found
}

// grouped puts forms that are alike, sent one after the other, into one row, and returns the first rows.
// Page views stand alone.
func grouped(requests []request) []request {
	var rows []request
	for _, r := range requests {
		if n := len(rows) - 1; n >= 0 && r.Method == http.MethodPost && rows[n].Method == r.Method && rows[n].Path == r.Path && rows[n].Status == r.Status {
			// What they did in all, since each may have done something else.
			rows[n].Ops = append(slices.Clip(rows[n].Ops), r.Ops...)
			rows[n].Requests += r.Requests
			rows[n].Units += r.Units
			rows[n].Times += r.Times
			continue
		}
		if len(rows) == maxShown {
			break
		}
		rows = append(rows, r)
	}
	return rows
}

// What tells what the store did, such as "load, update", or "20 load, 20 update, 14 merge" of several.
func (r request) What() string {
	var names []string // in the order of first use
	counts := make(map[string]int)
	for _, op := range r.Ops {
		if counts[op]++; counts[op] == 1 {
			names = append(names, op)
		}
	}
	for i, name := range names {
		if n := counts[name]; n > 1 || r.Times > 1 {
			names[i] = fmt.Sprintf("%d %s", n, name)
		}
	}
	return strings.Join(names, ", ")
}
