package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/sessions"
)

// maxListed is how many sessions the page lists.
const maxListed = 50

// listed is a session in the list of its user's sessions.
type listed struct {
	Handle string // what the form sends that ends it
	Device string
	Used   string // when it was used last
	Here   bool   // it is this browser's
}

// list returns the first sessions of a user, and whether there are more.
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
			Device: cmp.Or(info.Label, "Unknown device"),
			Used:   ago(time.Since(info.LastSeen)),
			Here:   info.Key == a.store.Key(here),
		})
	}
	return list, false, nil
}

// handle names a session in a page. The key itself must not be there: it holds the session's ID.
func handle(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// ago says how long ago a session was used, as far as SessionInfo.LastSeen tells.
func ago(d time.Duration) string {
	switch {
	case d < touchInterval:
		return "used in the last 5 minutes"
	case d < 2*time.Hour:
		return fmt.Sprintf("last used %d minutes ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("last used %d hours ago", d/time.Hour)
	}
	return fmt.Sprintf("last used %d days ago", d/(24*time.Hour))
}

// deviceName names a browser and its system by its User-Agent header.
func deviceName(userAgent string) string {
	// Pairs of what the header contains and what that means, where the first match counts.
	match := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(userAgent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	browser := match("Edg", "Edge", "OPR/", "Opera", "FxiOS/", "Firefox", "Firefox/", "Firefox", "CriOS/", "Chrome",
		"Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := match("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS X", "Mac",
		"CrOS", "ChromeOS", "Linux", "Linux")
	if system == "" {
		return cmp.Or(browser, "Unknown device")
	}
	return cmp.Or(browser, "Unknown browser") + " on " + system
}

// endSession ends one of the user's sessions. It looks for what the form names only among those, so
// that nobody can end another user's.
func (a *app) endSession(w http.ResponseWriter, r *http.Request) {
	if !a.parseForm(w, r) {
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
		a.backToList(w, r, session, fmt.Sprintf("%s is logged out.", cmp.Or(info.Label, "The device")))
		return
	}
	a.backToList(w, r, session, "That device was logged out already.")
}

// endOthers ends the user's sessions on all other devices.
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
	said := fmt.Sprintf("%d other devices are logged out.", n)
	switch n {
	case 0:
		said = "No other device was logged in."
	case 1:
		said = "1 other device is logged out."
	}
	a.backToList(w, r, session, said)
}

// endAll ends all sessions of the user. This one comes last, so that the user can try again if
// another cannot be ended.
func (a *app) endAll(w http.ResponseWriter, r *http.Request) {
	session, user, ok := a.loggedIn(w, r)
	if !ok {
		return
	}
	if _, err := a.destroyOthers(r, session, user); err != nil {
		a.failed(w, r, err)
		return
	}
	a.logout(w, r)
}

// destroyOthers ends the user's other sessions, all of them even if the browser goes away
// meanwhile, and returns how many there were.
func (a *app) destroyOthers(r *http.Request, session *sessions.Session, user string) (int, error) {
	return a.store.DestroyUser(context.WithoutCancel(r.Context()), user, a.store.Key(session))
}

// loggedIn returns the request's session and its user. If nobody is logged in (any more: the
// session expired, or was ended), loggedIn answers the request and returns false.
func (a *app) loggedIn(w http.ResponseWriter, r *http.Request) (session *sessions.Session, user string, ok bool) {
	session = a.session(r)
	user, ok = session.Values[userKey].(string)
	if !ok {
		a.backToList(w, r, session, "You were no longer logged in, so nothing was done.")
	}
	return session, user, ok
}

// backToList saves the session and leads the browser to the list of sessions, which says what was
// done.
func (a *app) backToList(w http.ResponseWriter, r *http.Request, session *sessions.Session, said string) {
	session.AddFlash(said)
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/#sessions", http.StatusSeeOther)
}
