package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// live is what live.html shows: the session in the table, and what its requests cost.
type live struct {
	Table, Engine string
	Gone          bool // the browser's session is not in the table
	Item          *item
	Problem       string
	Requests      []request // the last first
}

// look returns what there is to see of a session that lies in the table, and of what was done for it,
// this request included.
func (a *app) look(r *http.Request, session *sessions.Session) live {
	l := live{Table: a.behind.table, Engine: a.behind.engine}
	l.Requests = grouped(a.ledger.last(visitorIn(r.Context()), spent(r.Context())))
	key := a.store.Key(session)
	if key == "" {
		l.Gone = true
		return l
	}
	// The key is that of the session that the signed cookie proved, so no visitor sees another's.
	values, err := a.behind.item(r.Context(), key)
	switch {
	case err != nil:
		a.log.Error("read the item", "error", err)
		l.Problem = "The item cannot be read at the moment."
	case values == nil:
		l.Gone = true
	default:
		l.Item = describe(values, time.Now())
	}
	return l
}

// live shows the same once more, for the script, which asks now and then. It saves nothing, so the
// session lives no longer for it.
func (a *app) live(w http.ResponseWriter, r *http.Request) {
	session, err := a.loaded(r)
	if err != nil {
		a.execute(w, http.StatusServiceUnavailable, "live.html", live{
			Table: a.behind.table, Engine: a.behind.engine,
			Problem:  "The item cannot be read at the moment.",
			Requests: grouped(a.ledger.last(visitorIn(r.Context()), nil)),
		})
		return
	}
	a.execute(w, http.StatusOK, "live.html", a.look(r, session))
}

// loaded returns the request's session, a new one if it has none, and an error if that cannot be known.
func (a *app) loaded(r *http.Request) (*sessions.Session, error) {
	session, err := a.store.Get(r, cookieName)
	var forged securecookie.Error
	switch {
	case errors.As(err, &forged):
		return session, nil
	case err != nil:
		a.log.Warn("get the session", "error", err)
	}
	return session, err
}
