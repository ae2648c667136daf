// Command lambda is a web application for AWS Lambda whose sessions are in DynamoDB. template.yaml
// deploys it behind a function URL, with its table and the key that signs its cookies.
package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdaurl"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

func main() {
	// Before the first request, so that each instance of the function opens one store and keeps its
	// connections. This sends no request.
	store, err := dynamostore.Open(context.Background(), config(os.Getenv("SESSIONS_TABLE")), keyPairs(os.Getenv("SESSION_KEYS"))...)
	if err != nil {
		log.Fatal(err)
	}
	lambdaurl.Start(newHandler(store))
}

func config(table string) dynamostore.Config {
	return dynamostore.Config{
		Table:     table,
		Timeout:   3 * time.Second, // for a load and again for a Save; the function has 10 s
		SkipEmpty: true,            // visitors and bots without a session cost nothing
		HashIDs:   true,            // someone who can read the table cannot take over a session
		UserKey:   "user",
	}
}

// keyPairs returns keys that are separated by commas. The first signs cookies, all verify them.
func keyPairs(list string) (pairs [][]byte) {
	for key := range strings.SplitSeq(list, ",") {
		pairs = append(pairs, []byte(key), nil) // signed, not encrypted
	}
	return pairs
}

type app struct{ store *dynamostore.Store }

func newHandler(store *dynamostore.Store) http.Handler {
	a := &app{store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	return http.NewCrossOriginProtection().Handler(mux)
}

// session returns the request's session. After an error it is a new one, and its Save returns an
// error if the visitor's own may still be in the table.
func (a *app) session(r *http.Request) *sessions.Session {
	session, err := a.store.Get(r, "session")
	if err != nil {
		log.Print(err)
	}
	return session
}

const head = `<!doctype html><html lang="en"><title>Sessions on Lambda</title>`

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	if err := session.Save(r, w); err != nil { // extends the session; mostly, it sends no request
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8") // lambdaurl does not guess
	w.Header().Set("Cache-Control", "no-store")
	user, ok := session.Values["user"].(string)
	if !ok {
		fmt.Fprint(w, head+`<form method="post" action="/login"><input name="user" aria-label="Name" required> <button>Log in</button></form>`)
		return
	}
	fmt.Fprintf(w, head+`<p>Hello, %s.</p><form method="post" action="/logout"><button>Log out</button>
<button name="everywhere" value="yes">Log out everywhere</button></form>`, html.EscapeString(user))
}

// login takes a name for who the visitor is. A real application asks for proof.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	user := r.PostFormValue("user")
	if user == "" || len(user) > 64 {
		http.Error(w, "A name has 1 to 64 characters.", http.StatusUnprocessableEntity)
		return
	}
	session := a.session(r)
	session.Values["user"] = user
	if err := a.store.Regenerate(r, w, session); err != nil { // not Save: a login needs a new session ID
		fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	var err error
	if user, ok := session.Values["user"].(string); ok && r.PostFormValue("everywhere") != "" {
		_, err = a.store.DestroyUser(r.Context(), user)
	}
	session.Options.MaxAge = -1
	if err := errors.Join(err, session.Save(r, w)); err != nil {
		fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// fail answers a request whose session could not be saved.
func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, dynamostore.ErrGone) || errors.Is(err, dynamostore.ErrConflict) {
		http.Error(w, "Your session was ended or changed meanwhile. Please load the page again.", http.StatusConflict)
		return
	}
	log.Print(err) // it holds no session ID, cookie or value
	http.Error(w, "Your session cannot be reached at the moment. Please try again soon.", http.StatusServiceUnavailable)
}
