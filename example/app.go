package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

const (
	cookieName = "demo"
	userKey    = "user"            // in Session.Values
	rememberMe = 30 * 24 * 60 * 60 // seconds
	maxName    = 64                // characters
	maxForm    = 16 << 10          // bytes
)

// app is the web application. An application of one's own needs the store and, perhaps, the log.
type app struct {
	store *dynamostore.Store
	log   *slog.Logger

	behind  behind  // what the page shows of the session's item
	ledger  ledger  // what requests cost
	mishaps mishaps // what the page offers to try
}

// setup is what the application runs on.
type setup struct {
	client  dynamostore.Client
	table   string
	engine  string // what the page calls the DynamoDB
	key     []byte // signs the cookies
	log     *slog.Logger
	outages *outages // those that client suffers from; nil: none are offered
}

func newApp(s setup) (*app, error) {
	store, err := dynamostore.New(s.client, dynamostore.Config{
		Table: s.table,
		// JSON, so that the item can be read on the page; the default, gob, is as good for programs.
		Codec:   dynamostore.JSONCodec{Types: []any{cart{}}},
		UserKey: userKey,
		Observe: observe,
	}, s.key)
	if err != nil {
		return nil, err
	}
	// Only because the demo speaks plain HTTP, to its own host: browsers return Secure cookies over
	// HTTPS alone, and not all of them make an exception for localhost. Do not copy this line.
	store.Options.Secure = false
	return &app{
		store:   store,
		log:     s.log,
		behind:  behind{s.client, s.table, s.engine},
		mishaps: mishaps{outages: s.outages, work: work},
	}, nil
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("POST /regenerate", a.regenerate)
	mux.HandleFunc("POST /cart/add", a.addToCart)
	mux.HandleFunc("POST /cart/remove", a.removeFromCart)
	mux.HandleFunc("POST /sessions/end", a.end)
	mux.HandleFunc("POST /sessions/end-others", a.endOthers)
	mux.HandleFunc("POST /sessions/end-all", a.endAll)
	a.handleAssets(mux)

	// What the demo shows and tries; not for an application of one's own.
	mux.HandleFunc("GET /live", a.live)
	a.handleMishaps(mux)

	return a.protect(http.MaxBytesHandler(a.watch(mux), maxForm))
}

// session returns the request's session. It is good to go on with whatever Get says: it is a new one then,
// and Save refuses it if the visitor's own might still be in the table.
func (a *app) session(r *http.Request) *sessions.Session {
	session, err := a.store.Get(r, cookieName)
	if err != nil {
		a.log.Warn("get the session", "error", err)
	}
	return session
}

// home counts a visit and shows all that the session holds.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	visits, _ := session.Values["visits"].(int)
	visits++
	session.Values["visits"] = visits
	flashes := session.Flashes()
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}

	v := view{Visits: visits, Flashes: flashes, MaxName: maxName, Products: products}
	v.User, _ = session.Values[userKey].(string)
	v.Cart, _ = session.Values[cartKey].(cart)
	v.Remembered = session.Options.MaxAge > 0
	_, err := r.Cookie(cookieName)
	v.Ended = session.IsNew && err == nil
	// The page is good without what follows.
	if v.User != "" {
		if v.Sessions, v.More, err = a.list(r.Context(), v.User, session); err != nil {
			a.log.Error("list the sessions", "error", err)
			v.SessionsProblem = "Your sessions cannot be listed at the moment."
		}
	}
	v.Outage = a.mishaps.outages != nil
	v.Live = a.look(r, session)
	a.render(w, http.StatusOK, v)
}

// login takes a name for who the visitor is. A real application asks for proof before it goes on.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if !a.readForm(w, r) {
		return
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unprintable) {
		a.problem(w, http.StatusUnprocessableEntity, fmt.Sprintf("A name takes 1 to %d characters.", maxName))
		return
	}
	session := a.session(r)
	session.Values[userKey] = name
	session.AddFlash("Welcome, " + name + ".")
	session.Options.MaxAge = 0 // until the browser is closed
	if r.PostForm.Get("remember") != "" {
		session.Options.MaxAge = rememberMe
	}
	// Not Save: an ID that somebody may have known before is worth nothing after the login.
	if err := a.store.Regenerate(r, w, session); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	session.Options.MaxAge = -1
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// regenerate gives the session a new ID, as a login does, and as a change of rights should.
func (a *app) regenerate(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	session.AddFlash("The session has a new ID. The old cookie is worth nothing now.")
	if err := a.store.Regenerate(r, w, session); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// readForm reads the request's form, or answers the request.
func (a *app) readForm(w http.ResponseWriter, r *http.Request) bool {
	if err := r.ParseForm(); err != nil {
		a.problem(w, http.StatusBadRequest, "The form could not be read.")
		return false
	}
	return true
}

// failed answers a request for which the store returned err.
func (a *app) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, dynamostore.ErrGone) && r.Method == http.MethodPost:
		// The home page starts a new session.
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, dynamostore.ErrGone):
		// No redirect: a browser that still has the cookie of an ended session would go in circles.
		a.problem(w, http.StatusConflict, "Your session was ended meanwhile, perhaps in another window.")
	case errors.Is(err, dynamostore.ErrConflict):
		a.problem(w, http.StatusConflict, "Another request changed your session at the same moment. Please try again.")
	default: // ErrNotLoaded, or what DynamoDB says
		a.log.Error("answer 503", "error", err)
		w.Header().Set("Retry-After", "5")
		a.problem(w, http.StatusServiceUnavailable, "Your session cannot be reached at the moment. Please try again soon: nothing is lost.")
	}
}
