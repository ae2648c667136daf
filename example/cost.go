package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// Prices of capacity units, in dollars per million: on demand, in us-east-1, since November 2024.
// https://aws.amazon.com/dynamodb/pricing/on-demand/
const (
	readPrice  = 0.125
	writePrice = 0.625
)

// tally counts what a request, or several, cost.
type tally struct {
	mu            sync.Mutex
	Ops           []string // of the store, in order
	Requests      int      // to DynamoDB
	Read, Written float64  // capacity units
}

// observe is the store's Config.Observe. It adds an operation to the tally of its context.
func observe(ctx context.Context, e dynamostore.Event) {
	t := spent(ctx)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	op := string(e.Op)
	if e.Err != nil {
		op += " (failed)"
	}
	t.Ops = append(t.Ops, op)
	t.Requests += e.Requests
	t.Read += e.ReadUnits
	t.Written += e.WriteUnits
}

// What says what the store did, such as "load, update".
func (t *tally) What() string { return strings.Join(t.Ops, ", ") }

// Price returns what a million times as much costs.
func (t *tally) Price() string {
	price := t.Read*readPrice + t.Written*writePrice
	return "$" + strconv.FormatFloat(float64(int(price*1000+.5))/1000, 'f', -1, 64)
}

type contextKey int

const (
	tallyKey contextKey = iota
	visitorKey
)

// metered returns a context whose operations are counted.
func metered(ctx context.Context) (context.Context, *tally) {
	t := new(tally)
	return context.WithValue(ctx, tallyKey, t), t
}

// spent returns the tally of a context, or nil.
func spent(ctx context.Context) *tally {
	t, _ := ctx.Value(tallyKey).(*tally)
	return t
}

// request is one that the demo answered, and what it cost.
type request struct {
	Method, Path string
	*tally

	visitor string
}

// watch names the visitor in the context of each request, counts what the request costs, and keeps
// that for the page.
func (a *app) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visitor := a.visitor(r.Cookies())
		ctx := context.WithValue(r.Context(), visitorKey, visitor)
		if strings.HasPrefix(r.URL.Path, "/try/") { // which tells itself what it costs
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		ctx, t := metered(ctx)
		next.ServeHTTP(w, r.WithContext(ctx))
		// The response may have begun a session, or given it another ID.
		if after := a.visitor((&http.Response{Header: w.Header()}).Cookies()); after != "" {
			visitor = after
		}
		// An Event of DestroyUser does not say how much was read and how much written.
		if len(t.Ops) > 0 && !slices.Contains(t.Ops, string(dynamostore.OpDestroyUser)) {
			a.demo.ledger.add(request{r.Method, r.URL.Path, t, visitor})
		}
	})
}

// visitor names the session of the demo's cookie. It is empty if there is no cookie that verifies.
func (a *app) visitor(cookies []*http.Cookie) string {
	if key := a.key(cookies); key != "" {
		return handle(key)
	}
	return ""
}

// key returns the key of that session, without a request: a signed cookie proves the session's ID.
func (a *app) key(cookies []*http.Cookie) string {
	for _, c := range cookies {
		var id string
		if c.Name == cookieName && securecookie.DecodeMulti(cookieName, c.Value, &id, a.store.Codecs...) == nil {
			return a.store.Key(&sessions.Session{ID: id})
		}
	}
	return ""
}

// ledger keeps what the last requests of all visitors cost.
type ledger struct {
	mu       sync.Mutex
	requests []request // the newest last
}

const (
	maxKept  = 1000 // in the ledger
	maxShown = 5    // on a page
)

func (l *ledger) add(r request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r)
	l.requests = l.requests[max(0, len(l.requests)-maxKept):]
}

// last returns a visitor's last requests, the newest first.
func (l *ledger) last(visitor string) (found []request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.requests) {
		if r.visitor == visitor && visitor != "" && len(found) < maxShown {
			found = append(found, r)
		}
	}
	return found
}
