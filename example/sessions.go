package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
)

// maxListed is how many sessions the page lists.
const maxListed = 50

// listed is a session in the list of its user's.
type listed struct {
	Handle string    // what the form sends that ends it
	Here   bool      // it is the one of this very browser
	Began  time.Time // in UTC
	Left   string    // how long it lives if it is left alone
}

// list returns the first sessions of a user, and whether there are more. The index behind it is a moment
// behind the table.
func (a *app) list(ctx context.Context, user string, here *sessions.Session) (list []listed, more bool, err error) {
	for info, err := range a.store.UserSessions(ctx, user) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == maxListed {
			return list, true, nil
		}
		list = append(list, listed{
			Handle: handle(info.Key),
			Here:   info.Key == a.store.Key(here),
			Began:  info.Created.UTC(),
			Left:   left(time.Until(info.Expires)),
		})
	}
	return list, false, nil
}

// handle names a session in a page. The key itself belongs in none: it holds the session's ID.
func handle(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// left says how long d is, for people.
func left(d time.Duration) string {
	for _, unit := range []struct {
		length, from time.Duration
		name         string
	}{
		{24 * time.Hour, 48 * time.Hour, "days"},
		{time.Hour, 2 * time.Hour, "hours"},
		{time.Minute, 2 * time.Minute, "minutes"},
	} {
		if n := d.Round(unit.length); n >= unit.from {
			return fmt.Sprintf("%d %s", n/unit.length, unit.name)
		}
	}
	return "a minute"
}

// end ends one of the user's sessions. What the form sends is only looked for among those, so nobody
// ends another's.
func (a *app) end(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	session, user, ok := a.loggedIn(w, r)
	if !ok {
		return
	}
	for info, err := range a.store.UserSessions(r.Context(), user) {
		switch {
		case err != nil:
			a.failed(w, r, err)
			return
		case handle(info.Key) != r.PostForm.Get("session"):
			continue
		case info.Key == a.store.Key(session):
			a.logout(w, r)
			return
		}
		if err := a.store.Destroy(r.Context(), info.Key); err != nil {
			a.failed(w, r, err)
			return
		}
		a.goHome(w, r, session, "That session was ended.")
		return
	}
	a.goHome(w, r, session, "That session had ended already.")
}

// endOthers signs the user out everywhere else.
func (a *app) endOthers(w http.ResponseWriter, r *http.Request) {
	session, user, ok := a.loggedIn(w, r)
	if !ok {
		return
	}
	n, err := a.destroyOthers(r, session, user)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	said := fmt.Sprintf("You are signed out of %d other sessions.", n)
	switch n {
	case 0:
		said = "There was no other session."
	case 1:
		said = "You are signed out of 1 other session."
	}
	a.goHome(w, r, session, said)
}

// endAll signs the user out everywhere.
func (a *app) endAll(w http.ResponseWriter, r *http.Request) {
	session, user, ok := a.loggedIn(w, r)
	if !ok {
		return
	}
	// This one comes last: if another cannot be ended, the user is still here to try again.
	if _, err := a.destroyOthers(r, session, user); err != nil {
		a.failed(w, r, err)
		return
	}
	if err := a.store.Destroy(r.Context(), a.store.Key(session)); err != nil {
		a.failed(w, r, err)
		return
	}
	// What tells of it lies in a new session, whose cookie takes the old one's place.
	session = sessions.NewSession(a.store, cookieName)
	session.Options = nil // the store's
	a.goHome(w, r, session, "You are signed out everywhere.")
}

// destroyOthers ends the user's sessions but this one, and returns how many there were. A browser that
// goes away does not stop it halfway.
func (a *app) destroyOthers(r *http.Request, session *sessions.Session, user string) (int, error) {
	return a.store.DestroyUser(context.WithoutCancel(r.Context()), user, a.store.Key(session))
}

// loggedIn returns the request's session and whose it is. If it is nobody's (any more: it expired, or was
// ended from elsewhere), loggedIn answers the request.
func (a *app) loggedIn(w http.ResponseWriter, r *http.Request) (session *sessions.Session, user string, ok bool) {
	session = a.session(r)
	user, _ = session.Values[userKey].(string)
	if user == "" {
		a.goHome(w, r, session, "You were not logged in any more, so nothing was done.")
	}
	return session, user, user != ""
}

// goHome saves the session and leads the browser to the home page, where it shows what it is told.
func (a *app) goHome(w http.ResponseWriter, r *http.Request, session *sessions.Session, said string) {
	session.AddFlash(said)
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
