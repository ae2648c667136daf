package site

import (
	"log"
	"net/http"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// App is an application on the handlers of net/http, which net/http's own router, gorilla/mux and chi take alike.
type App struct{ Store *dynamostore.Store }

func (a *App) session(r *http.Request) *sessions.Session {
	session, err := a.Store.Get(r, "session")
	if err != nil {
		log.Print(err) // the session is a new one, and Save knows why
	}
	return session
}

// Home counts a visit.
func (a *App) Home(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	visits, _ := session.Values["visits"].(int)
	visits++
	session.Values["visits"] = visits
	if err := session.Save(r, w); err != nil { // before the body
		Fail(w, err)
		return
	}
	Page(w, session.Values["user"], visits)
}

// Login takes a name for who the visitor is; a real application asks for proof.
func (a *App) Login(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	session.Values["user"] = r.FormValue("user")
	// Not Save: an ID that somebody may have known before is worth nothing after the login.
	if err := a.Store.Regenerate(r, w, session); err != nil {
		Fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// Logout ends the session.
func (a *App) Logout(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	session.Options.MaxAge = -1
	if err := session.Save(r, w); err != nil {
		Fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
