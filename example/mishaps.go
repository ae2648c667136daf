package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// A mishap is something that goes wrong with sessions. Visitors try it on their own session, and
// beside that on a copy of it in a store that is less careful.
type mishap struct {
	Name, Title, Text, Button string

	careless func(*demo) sessions.Store
	stores   [2]string // what the page calls the careless store, and this one
	try      func(context.Context, browser) (outcome, error)
}

// outcome is what a mishap did to a session.
type outcome struct {
	Store   string
	Good    bool
	Verdict string
	Keys    []requestKey
	Lines   []string
}

// requestKey is the key that one of the requests at the same time sets in the session.
type requestKey struct {
	N    int
	Kept bool
}

const (
	atOnce     = 20 // requests
	outageTime = retryAfter * time.Second
	copyAge    = 60 // seconds: then DynamoDB deletes the copy
)

// mishaps are in the order in which the page suggests them.
var mishaps = []mishap{
	{
		Name:     "together",
		Title:    "Twenty requests at once",
		Text:     "Twenty requests load your session. Then each sets a key of its own, and saves.",
		Button:   "Send 20 requests at once",
		careless: func(d *demo) sessions.Store { return d.overwriting },
		stores:   [2]string{"If the last write wins (Overwrite)", "dynamostore (Merge, the default)"},
		try:      together,
	},
	{
		Name:     "views",
		Title:    "What page views cost",
		Text:     "A visitor opens a page that changes nothing. So does a bot, which has no cookie.",
		Button:   "Measure two page views",
		careless: func(d *demo) sessions.Store { return d.overwriting },
		stores:   [2]string{"If every Save writes, without SkipEmpty", "dynamostore, with SkipEmpty"},
		try:      views,
	},
	{
		Name:     "outage",
		Title:    "An outage of DynamoDB",
		Text:     "DynamoDB fails for five seconds, but only for your session. A request cannot read the session, and saves it anyway.",
		Button:   "Cut DynamoDB off for 5 seconds",
		careless: func(d *demo) sessions.Store { return d.plain },
		stores:   [2]string{"A store that reads an item and puts it back", "dynamostore"},
		try:      outage,
	},
	{
		Name:     "logout",
		Title:    "A logout during a slow request",
		Text:     "A slow request loads your session. You log out. Then the slow request saves.",
		Button:   "Log out during a slow request",
		careless: func(d *demo) sessions.Store { return d.plain },
		stores:   [2]string{"A store that reads an item and puts it back", "dynamostore"},
		try:      logoutMeanwhile,
	},
}

// A browser has a session in a store.
type browser struct {
	store   sessions.Store
	request *http.Request       // with the browser's cookie
	w       http.ResponseWriter // gets the cookies of a logout
}

// load loads the session in a further request of the browser.
func (b browser) load(ctx context.Context) (*http.Request, *sessions.Session, error) {
	r := b.request.Clone(ctx)
	session, err := b.store.New(r, cookieName)
	return r, session, err
}

// copySession copies a session's values to another store. It returns the browser that has the copy.
func copySession(r *http.Request, store sessions.Store, values map[any]any) (browser, error) {
	r = r.Clone(context.WithValue(r.Context(), visitorKey, "")) // not part of the visitor's outage
	r.Header.Del("Cookie")
	b := browser{store, r, make(discard)}
	session, err := store.New(r, cookieName)
	if err != nil {
		return b, err
	}
	session.Values = maps.Clone(values)
	err = store.Save(r, b.w, session)
	for _, cookie := range (&http.Response{Header: b.w.Header()}).Cookies() {
		r.AddCookie(cookie)
	}
	return b, err
}

// discard is a response that nobody reads.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// together sends requests at the same time: none saves before all have loaded the session.
func together(ctx context.Context, b browser) (o outcome, err error) {
	ctx, t := metered(ctx)
	errs := make([]error, atOnce)
	var loaded, done sync.WaitGroup
	loaded.Add(atOnce)
	for i := range atOnce {
		done.Go(func() {
			r, session, err := b.load(ctx)
			loaded.Done()
			loaded.Wait()
			session.Values[ownKey(i)] = true
			errs[i] = errors.Join(err, b.store.Save(r, make(discard), session))
		})
	}
	done.Wait()
	requests := t.Requests
	_, session, err := b.load(ctx)
	lost := 0
	for i := range atOnce {
		_, kept := session.Values[ownKey(i)]
		o.Keys = append(o.Keys, requestKey{i + 1, kept})
		if !kept {
			lost++
		}
	}
	o.Good = lost == 0
	o.Verdict = fmt.Sprintf("%d of %d keys are lost", lost, atOnce)
	if o.Good {
		o.Verdict = fmt.Sprintf("All %d keys are kept", atOnce)
	}
	o.Lines = []string{fmt.Sprintf("%d requests to DynamoDB", requests)}
	return o, errors.Join(append(errs, err)...)
}

const ownPrefix = "key"

// ownKey returns the name of a request's key in Session.Values.
func ownKey(i int) string { return fmt.Sprintf("%s%02d", ownPrefix, i+1) }

// tidy removes those keys with the visitor's next form, whose handler saves the session.
func (a *app) tidy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			session, _ := a.store.Get(r, cookieName) // the handler gets the same session and error
			maps.DeleteFunc(session.Values, func(k, _ any) bool {
				key, ok := k.(string)
				return ok && strings.HasPrefix(key, ownPrefix)
			})
		}
		next.ServeHTTP(w, r)
	})
}

// views opens a page that changes nothing, as a visitor with a session and as a bot without a
// cookie.
func views(ctx context.Context, b browser) (o outcome, err error) {
	bot := browser{b.store, b.request.Clone(ctx), b.w}
	bot.request.Header.Del("Cookie")
	written := 0.0
	for _, v := range []struct {
		who string
		browser
	}{{"Visitor", b}, {"Bot", bot}} {
		ctx, t := metered(ctx)
		r, session, err := v.load(ctx)
		if err == nil {
			err = b.store.Save(r, make(discard), session)
		}
		if err != nil {
			return o, err
		}
		written += t.Written
		o.Lines = append(o.Lines, fmt.Sprintf("%s: %v read, %v written, %s per million", v.who, t.Read, t.Written, t.Price()))
	}
	o.Good = written == 0
	o.Verdict = fmt.Sprintf("%v written", written)
	return o, nil
}

// outage saves a session that could not be read. By the time of the Save, DynamoDB is back.
func outage(ctx context.Context, b browser) (o outcome, err error) {
	back := context.WithValue(ctx, visitorKey, "")
	_, before, err := b.load(back)
	if err != nil {
		return o, err
	}
	_, session, err := b.load(ctx)
	if err == nil {
		return o, errors.New("the demo's outage had no effect")
	}
	session.Values["seen"] = true
	saved := b.store.Save(b.request.Clone(back), make(discard), session)
	_, after, err := b.load(back)
	if err != nil {
		return o, err
	}
	o.Good = contents(after) == contents(before)
	o.Verdict = "The session is lost"
	if o.Good {
		o.Verdict = "Nothing is lost"
	}
	o.Lines = []string{
		"Before: " + contents(before),
		"Save: " + result(saved),
		"After: " + contents(after),
	}
	return o, nil
}

// logoutMeanwhile logs out while a slow request has the session loaded.
func logoutMeanwhile(ctx context.Context, b browser) (o outcome, err error) {
	slowRequest, slow, err := b.load(ctx)
	if err != nil {
		return o, err
	}
	r, leaving, err := b.load(ctx)
	if err != nil {
		return o, err
	}
	leaving.Options.MaxAge = -1
	if err := b.store.Save(r, b.w, leaving); err != nil {
		return o, err
	}
	late := make(discard)
	slow.Values["slow"] = true
	saved := b.store.Save(slowRequest, late, slow)
	_, after, err := b.load(ctx)
	if err != nil {
		return o, err
	}
	o.Good = after.IsNew && len(late) == 0
	o.Verdict = "The session is back"
	if o.Good {
		o.Verdict = "The session stays ended"
	}
	o.Lines = []string{
		"Before: " + contents(slow),
		"The slow request's Save: " + result(saved),
		"After: " + contents(after),
	}
	return o, nil
}

// contents says what is in a session.
func contents(session *sessions.Session) string {
	user, ok := session.Values[userKey].(string)
	if !ok {
		return "nobody is logged in"
	}
	c, _ := session.Values[cartKey].(cart)
	return fmt.Sprintf("%s is logged in, with %d in the cart", user, c.Total())
}

// result says what came of a Save.
func result(err error) string {
	switch {
	case err == nil:
		return "written"
	case errors.Is(err, dynamostore.ErrGone):
		return "refused (ErrGone), nothing is written"
	case errors.Is(err, dynamostore.ErrNotLoaded):
		return "refused (ErrNotLoaded), nothing is written"
	}
	return "failed: " + err.Error()
}

// handleTry handles the form that tries a mishap.
func (a *app) handleTry(m mishap) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, _, ok := a.loggedIn(w, r)
		if !ok {
			return
		}
		if err := session.Save(r, w); err != nil { // without the keys of the last mishap: see tidy
			a.failed(w, r, err)
			return
		}
		p := a.page(r, session)
		var err error
		if p.Pair, err = a.tryBoth(w, r, m, session.Values); err != nil {
			a.failed(w, r, err)
			return
		}
		p.Tried, p.Next = m.Name, a.demo.after(m.Name)
		switch m.Name {
		case "outage":
			p.Next = "retry"
			w.Header().Set("Retry-After", fmt.Sprint(retryAfter))
			a.render(w, http.StatusServiceUnavailable, "outage", p)
			return
		case "logout":
			p.Next, p.Ended = "again", true
		}
		p.Live = a.look(r)
		a.render(w, http.StatusOK, "home", p)
	}
}

// tryBoth tries a mishap on a copy of the visitor's session in the careless store, and on the
// session itself.
func (a *app) tryBoth(w http.ResponseWriter, r *http.Request, m mishap, values map[any]any) (pair [2]outcome, err error) {
	other, err := copySession(r, m.careless(a.demo), values)
	if err != nil {
		return pair, err
	}
	if m.Name == "outage" {
		a.demo.outages.begin(a.visitor(r.Cookies()), outageTime)
	}
	for i, b := range []browser{other, {a.store, r, w}} {
		if pair[i], err = m.try(r.Context(), b); err != nil {
			return pair, err
		}
		pair[i].Store = m.stores[i]
	}
	return pair, nil
}

// addPhone logs the visitor in on a phone, for the list of devices.
func (a *app) addPhone(w http.ResponseWriter, r *http.Request) {
	session, user, ok := a.loggedIn(w, r)
	if !ok {
		return
	}
	if _, err := copySession(r, a.store, map[any]any{userKey: user, deviceKey: "Safari on iPhone"}); err != nil {
		a.failed(w, r, err)
		return
	}
	a.backToList(w, r, session, "You are logged in on a phone as well.")
}
