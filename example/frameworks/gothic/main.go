// Command gothic is an application that lets visitors log in by another site, with markbates/goth and its
// gothic, whose state and sessions lie in DynamoDB. That other site is a pretended one, in this program.
package main

import (
	"fmt"
	"html"
	"log"
	"net/http"
	"net/url"

	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/faux"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/site"
)

func main() { site.Main(newHandler) }

func newHandler(store *dynamostore.Store) http.Handler {
	goth.UseProviders(&provider{}) // a real application: google.New(key, secret, callbackURL), ...
	gothic.Store = store           // in place of a CookieStore, whose 4 KB a provider's tokens exceed at times

	app := &site.App{Store: store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", app.Home)
	mux.HandleFunc("POST /logout", app.Logout)

	// gothic has a session of its own, under a cookie of its own, for the time of the login.
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/auth/faux", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /auth/{provider}", gothic.BeginAuthHandler)
	mux.HandleFunc("GET /auth/{provider}/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, r)
		if err != nil {
			log.Print(err)
			http.Error(w, "The login did not succeed. Please try again.", http.StatusForbidden)
			return
		}
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err)
		}
		session.Values["user"] = user.UserID
		if err := store.Regenerate(r, w, session); err != nil {
			site.Fail(w, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})

	mux.HandleFunc("GET /pretended", pretended)
	return mux
}

// provider is goth's faux one, which knows one user, with this program as its site.
type provider struct{ faux.Provider }

func (p *provider) BeginAuth(state string) (goth.Session, error) {
	return &faux.Session{ID: "ann", AuthURL: "/pretended?state=" + url.QueryEscape(state)}, nil
}

// pretended is the page at which a provider asks whether the visitor wants to log in.
func pretended(w http.ResponseWriter, r *http.Request) {
	back := "/auth/faux/callback?code=pretended&state=" + url.QueryEscape(r.FormValue("state"))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Another site</title>
<p>This stands for the site of a provider.</p><p><a href="%s">Go on as ann</a></p>`, html.EscapeString(back))
}
