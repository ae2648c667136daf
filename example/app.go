package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

const (
	cookieName = "demo"
	userKey    = "user"   // in Session.Values
	deviceKey  = "device" // in Session.Values

	rememberMe    = 30 * 24 * 60 * 60 // seconds
	touchInterval = 5 * time.Minute
	retryAfter    = 5 // seconds

	maxName = 64       // characters
	maxForm = 16 << 10 // bytes
)

// app is the web application.
type app struct {
	store *dynamostore.Store
	log   *slog.Logger
	demo  *demo // what the page shows of the table, and what it tries
}

// setup is what the application runs on.
type setup struct {
	client  *dynamodb.Client
	table   string
	engine  string // where the table is, for the page
	key     []byte // signs the cookies
	log     *slog.Logger
	outages bool // visitors can try an outage
}

func newApp(s setup) (*app, error) {
	demo, err := newDemo(s)
	if err != nil {
		return nil, err
	}
	store, err := dynamostore.New(demo.client, dynamostore.Config{
		Table: s.table,
		// JSON, so that the page can show the item. The default, gob, serves programs as well.
		Codec: dynamostore.JSONCodec{Types: []any{cart{}}},
		// For the list of a user's sessions: whose they are, on which device, and when each was
		// used.
		UserKey:       userKey,
		LabelKey:      deviceKey,
		TouchInterval: touchInterval,
		// A visitor who stores nothing, such as a bot, costs nothing.
		SkipEmpty: true,
		Observe:   observe,
	}, s.key)
	if err != nil {
		return nil, err
	}
	// The demo speaks plain HTTP, and only to its own host. Do not copy this line: behind HTTPS,
	// cookies should be Secure, and they are by default.
	store.Options.Secure = false
	return &app{store, s.log, demo}, nil
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("GET /cart", a.showCart)
	mux.HandleFunc("POST /cart/add", a.addToCart)
	mux.HandleFunc("POST /cart/remove", a.removeFromCart)
	mux.HandleFunc("POST /sessions/end", a.endSession)
	mux.HandleFunc("POST /sessions/end-others", a.endOthers)
	mux.HandleFunc("POST /sessions/end-all", a.endAll)
	return a.protect(http.MaxBytesHandler(a.handleDemo(mux), maxForm))
}

// session returns the request's session. After an error it is a new one, with which the request can
// go on: Save refuses it if the visitor's own session may still be in the table.
func (a *app) session(r *http.Request) *sessions.Session {
	session, err := a.store.Get(r, cookieName)
	if err != nil {
		a.log.Warn("get the session", "error", err)
	}
	return session
}

// home shows what the session holds. Save writes nothing if the session is unchanged, except that
// it extends the session now and then while it is in use.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	session := a.session(r)
	flashes := session.Flashes()
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	page := a.page(r, session)
	page.Flashes = flashes
	a.render(w, http.StatusOK, "home", page)
}

// login takes a name as who the visitor is. A real application asks for a proof first.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if !a.parseForm(w, r) {
		return
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unprintable) {
		a.problem(w, http.StatusUnprocessableEntity, fmt.Sprintf("Please enter a name of 1 to %d characters.", maxName))
		return
	}
	session := a.session(r)
	session.Values[userKey] = name
	session.Values[deviceKey] = deviceName(r.UserAgent())
	session.Options.MaxAge = 0 // until the browser is closed
	if r.PostForm.Get("remember") != "" {
		session.Options.MaxAge = rememberMe
	}
	// Regenerate instead of Save, so that a session ID from before the login is worthless after it.
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
	w.Header().Set("Clear-Site-Data", `"cache"`) // so that the back button does not show the session's pages
	if err := session.Save(r, w); err != nil {
		a.failed(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// parseForm parses the request's form, or answers the request and returns false.
func (a *app) parseForm(w http.ResponseWriter, r *http.Request) bool {
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
		// Home shows that nobody is logged in.
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, dynamostore.ErrGone):
		// No redirect: a browser that keeps sending the old cookie would go in circles.
		a.problem(w, http.StatusConflict, "Your session has ended, perhaps in another window.")
	case errors.Is(err, dynamostore.ErrConflict):
		a.problem(w, http.StatusConflict, "Another request changed your session at the same time. Please try again.")
	default: // ErrNotLoaded, or an error of DynamoDB
		a.log.Error("answer 503", "error", err)
		w.Header().Set("Retry-After", fmt.Sprint(retryAfter))
		a.problem(w, http.StatusServiceUnavailable, fmt.Sprintf("Your session cannot be reached at the moment. Please try again in %d seconds.", retryAfter))
	}
}
