package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// mishaps are what the page offers to try: what goes wrong with sessions elsewhere. The script of the
// page calls them, and they answer in JSON.
type mishaps struct {
	outages  *outages // nil: not offered
	underWay underWay
	// work is what a handler does for so long between Get and Save, such as asking another service.
	work func(context.Context, time.Duration)
}

const (
	togetherKey  = "together" // of the flashes, and before the number of each request's own key
	maxTogether  = 20         // requests
	togetherTime = 150 * time.Millisecond
	slowTime     = 2 * time.Second
	outageTime   = 5 * time.Second
)

func (a *app) handleMishaps(mux *http.ServeMux) {
	mux.HandleFunc("POST /mishaps/together", a.together)
	mux.HandleFunc("POST /mishaps/together/count", a.countTogether)
	mux.HandleFunc("POST /mishaps/slow", a.slow)
	mux.HandleFunc("GET /mishaps/slow", a.slowUnderWay)
	if a.mishaps.outages != nil {
		mux.HandleFunc("POST /mishaps/outage", a.outage)
	}
}

func work(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// present returns the request's session if it lies in the table, and answers the request if not.
func (a *app) present(w http.ResponseWriter, r *http.Request) (*sessions.Session, bool) {
	session, err := a.loaded(r)
	switch {
	case err != nil:
		a.json(w, http.StatusServiceUnavailable, nil)
	case session.IsNew:
		a.json(w, http.StatusConflict, nil)
	}
	return session, err == nil && !session.IsNew
}

// together is one of many requests at once. Each sets a key of its own, and adds to a list that all have.
func (a *app) together(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 1 || n > maxTogether {
		a.json(w, http.StatusUnprocessableEntity, nil)
		return
	}
	session, ok := a.present(w, r)
	if !ok {
		return
	}
	a.mishaps.work(r.Context(), togetherTime)
	session.Values[ownKey(n)] = true
	session.AddFlash(n, togetherKey)
	if err := session.Save(r, w); err != nil {
		a.saveFailed(w, err)
		return
	}
	cost := spent(r.Context())
	a.json(w, http.StatusOK, map[string]any{"merges": cost.merges, "requests": cost.Requests, "units": cost.Units})
}

func ownKey(n int) string { return fmt.Sprintf("%s-%02d", togetherKey, n) }

// countTogether tells what came of those requests, and takes it out of the session.
func (a *app) countTogether(w http.ResponseWriter, r *http.Request) {
	session, ok := a.present(w, r)
	if !ok {
		return
	}
	keys := 0
	for n := 1; n <= maxTogether; n++ {
		if _, ok := session.Values[ownKey(n)]; ok {
			keys++
			delete(session.Values, ownKey(n))
		}
	}
	flashes := len(session.Flashes(togetherKey))
	if err := session.Save(r, w); err != nil {
		a.saveFailed(w, err)
		return
	}
	a.json(w, http.StatusOK, map[string]int{"keys": keys, "flashes": flashes})
}

// slow is a request that takes so long that the visitor can log out meanwhile.
func (a *app) slow(w http.ResponseWriter, r *http.Request) {
	session, ok := a.present(w, r)
	if !ok {
		return
	}
	key := a.store.Key(session)
	end := a.mishaps.underWay.begin(visitorIn(r.Context()))
	a.mishaps.work(r.Context(), slowTime)
	end()
	session.Values["slow"] = time.Now().UTC()
	err := session.Save(r, w)
	if err != nil && !errors.Is(err, dynamostore.ErrGone) {
		a.saveFailed(w, err)
		return
	}
	item, lookErr := a.behind.item(r.Context(), key)
	if lookErr != nil {
		a.saveFailed(w, lookErr)
		return
	}
	a.json(w, http.StatusOK, map[string]bool{
		"gone":   err != nil,
		"cookie": w.Header().Get("Set-Cookie") != "",
		"item":   item != nil,
	})
}

// slowUnderWay tells whether a slow request of the visitor has loaded the session.
func (a *app) slowUnderWay(w http.ResponseWriter, r *http.Request) {
	a.json(w, http.StatusOK, map[string]bool{"underWay": a.mishaps.underWay.any(visitorIn(r.Context()))})
}

// outage makes DynamoDB fail for a while, for the requests of this session alone.
func (a *app) outage(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.present(w, r); !ok {
		return
	}
	a.mishaps.outages.begin(visitorIn(r.Context()), outageTime)
	a.json(w, http.StatusOK, map[string]float64{"seconds": outageTime.Seconds()})
}

func (a *app) saveFailed(w http.ResponseWriter, err error) {
	a.log.Error("save the session", "error", err)
	status := http.StatusServiceUnavailable
	if errors.Is(err, dynamostore.ErrGone) || errors.Is(err, dynamostore.ErrConflict) {
		status = http.StatusConflict
	}
	a.json(w, status, nil)
}

func (a *app) json(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		a.log.Warn("write the answer", "error", err)
	}
}

// underWay counts the slow requests of each visitor.
type underWay struct {
	mu     sync.Mutex
	counts map[string]int
}

// begin counts one more, until end is called.
func (u *underWay) begin(visitor string) (end func()) {
	u.add(visitor, 1)
	return func() { u.add(visitor, -1) }
}

func (u *underWay) add(visitor string, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.counts == nil {
		u.counts = make(map[string]int)
	}
	if u.counts[visitor] += n; u.counts[visitor] == 0 {
		delete(u.counts, visitor)
	}
}

func (u *underWay) any(visitor string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.counts[visitor] > 0
}
