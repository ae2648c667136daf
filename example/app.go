package main

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

//go:embed page.html style.css
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

const (
	cookieName = "demo"
	userKey    = "user"            // in Session.Values
	rememberMe = 30 * 24 * 60 * 60 // seconds
	maxName    = 64                // characters
	maxForm    = 16 << 10          // bytes
)

// app is the web application.
type app struct {
	store  *dynamostore.Store
	client dynamostore.Client // for a look at the item
	table  string
	engine string // what the page calls the DynamoDB
	log    *slog.Logger
}

func newApp(client dynamostore.Client, table, engine string, key []byte, log *slog.Logger) (*app, error) {
	// JSON, so that the item can be read on the page; the default, gob, is as good for programs.
	store, err := dynamostore.New(client, dynamostore.Config{
		Table:   table,
		Codec:   dynamostore.JSONCodec{},
		UserKey: userKey,
	}, key)
	if err != nil {
		return nil, err
	}
	// Only because the demo speaks plain HTTP, to its own host: browsers return Secure cookies over
	// HTTPS alone, and not all of them make an exception for localhost. Do not copy this line.
	store.Options.Secure = false
	return &app{store, client, table, engine, log}, nil
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("POST /sessions/end", a.end)
	mux.HandleFunc("POST /sessions/end-others", a.endOthers)
	mux.HandleFunc("POST /sessions/end-all", a.endAll)
	mux.Handle("GET /style.css", http.FileServerFS(files))

	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.problem(w, http.StatusForbidden, "That form was sent by another site, so nothing was done.")
	}))
	return secure(sameOrigin.Handler(http.MaxBytesHandler(mux, maxForm)))
}

// secure sets the headers that bound what a browser does with a response.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
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

	v := view{Visits: visits, Flashes: flashes, MaxName: maxName, Table: a.table, Engine: a.engine}
	v.User, _ = session.Values[userKey].(string)
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
	item, err := a.item(r, session)
	if err != nil {
		a.log.Error("read the item", "error", err)
		v.ItemProblem = "The item cannot be read at the moment."
	}
	v.Item = attributes(item)
	a.render(w, http.StatusOK, v)
}

// login takes a name for who the visitor is. A real application asks for proof before it goes on.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.problem(w, http.StatusBadRequest, "The form could not be read.")
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
		a.problem(w, http.StatusServiceUnavailable, "Your session cannot be reached at the moment. Please try again soon.")
	}
}

// item reads the session's item. The key is that of the session that the signed cookie proved, so no
// visitor sees another's.
func (a *app) item(r *http.Request, session *sessions.Session) (map[string]types.AttributeValue, error) {
	out, err := a.client.GetItem(r.Context(), &dynamodb.GetItemInput{
		TableName:      &a.table,
		Key:            map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: a.store.Key(session)}},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// view is what page.html shows.
type view struct {
	Problem string // if not empty, nothing else is shown

	Visits     int
	User       string // "": not logged in
	Remembered bool
	Ended      bool // the session that the browser had before
	Flashes    []any
	MaxName    int

	Sessions        []listed
	More            bool // than are listed
	SessionsProblem string

	Table, Engine string
	Item          []attribute
	ItemProblem   string
}

// attribute is one of an item's, for people.
type attribute struct{ Name, Type, Value, Note string }

// attributes returns those of an item: the ones by which it is found, read and expires, then the rest.
func attributes(item map[string]types.AttributeValue) []attribute {
	first := []string{"expires", "data", "user", "id"} // the first comes last
	names := slices.SortedFunc(maps.Keys(item), func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(first, b), slices.Index(first, a)), strings.Compare(a, b))
	})
	list := make([]attribute, len(names))
	for i, name := range names {
		list[i] = describe(name, item[name])
	}
	return list
}

func describe(name string, value types.AttributeValue) attribute {
	a := attribute{Name: name}
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		a.Type, a.Value = "S", v.Value
	case *types.AttributeValueMemberN:
		a.Type, a.Value = "N", v.Value
	case *types.AttributeValueMemberB:
		a.Type, a.Value = "B", string(v.Value)
		if !utf8.Valid(v.Value) {
			a.Value, a.Note = base64.StdEncoding.EncodeToString(v.Value), "in base64"
		}
	default:
		a.Type = strings.TrimPrefix(fmt.Sprintf("%T", v), "*types.AttributeValueMember")
	}
	if name == "created" || name == "expires" {
		if seconds, err := strconv.ParseInt(a.Value, 10, 64); err == nil {
			a.Note = time.Unix(seconds, 0).UTC().Format("2 Jan 2006, 15:04:05 MST")
		}
	}
	return a
}

// problem answers with a page that says what is the matter.
func (a *app) problem(w http.ResponseWriter, status int, text string) {
	a.render(w, status, view{Problem: text})
}

func (a *app) render(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		a.log.Error("render the page", "error", err)
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
