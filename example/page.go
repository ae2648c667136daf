package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

//go:embed page.html style.css demo.js icon.svg
var files embed.FS

var templates = template.Must(template.ParseFS(files, "page.html"))

// demo is what the page shows of the table, and what it tries.
type demo struct {
	client        *dynamodb.Client // that suffers from the outages
	outages       *outages
	table, engine string
	ledger        ledger

	Products    []string
	Mishaps     []mishap
	overwriting *dynamostore.Store // set as careless stores are
	plain       *plainStore
}

func newDemo(s setup) (*demo, error) {
	d := &demo{table: s.table, engine: s.engine, Products: products, Mishaps: mishaps}
	d.outages, d.client = newOutages(s.client)
	if !s.outages {
		d.Mishaps = slices.DeleteFunc(slices.Clone(mishaps), func(m mishap) bool { return m.Name == "outage" })
	}
	codec := dynamostore.JSONCodec{Types: []any{cart{}}}
	d.plain = &plainStore{d.client, s.table, codec}
	var err error
	d.overwriting, err = dynamostore.New(d.client, dynamostore.Config{
		Table:         s.table,
		Codec:         codec,
		Concurrency:   dynamostore.Overwrite,
		TouchInterval: -1, // every Save writes
		Observe:       observe,
	}, s.key)
	if err == nil {
		d.overwriting.MaxAge(copyAge)
	}
	return d, err
}

// after returns the name of the mishap that the page suggests after another, or of the first.
func (d *demo) after(name string) string {
	i := slices.IndexFunc(d.Mishaps, func(m mishap) bool { return m.Name == name })
	return d.Mishaps[(i+1)%len(d.Mishaps)].Name
}

// handleDemo adds what the page shows and tries to an application's handler.
func (a *app) handleDemo(mux *http.ServeMux) http.Handler {
	mux.HandleFunc("GET /live", a.live)
	mux.HandleFunc("POST /try/phone", a.addPhone)
	for _, m := range a.demo.Mishaps {
		mux.HandleFunc("POST /try/"+m.Name, a.handleTry(m))
	}
	mux.Handle("GET /try/", http.RedirectHandler("/", http.StatusSeeOther)) // the address of what was tried
	a.handleAssets(mux)
	return a.watch(a.tidy(mux))
}

// page is what the page shows.
type page struct {
	*demo

	Problem string // if not empty, the page shows nothing else

	User       string // empty if nobody is logged in
	Remembered bool
	Recovered  bool // from an outage
	Flashes    []any
	Cart       cart
	Spent      *tally // by this request

	Sessions        []listed
	More            bool // than are listed
	SessionsProblem string

	Next  string // names the button that the visitor should press
	Tried string // names the mishap that was tried
	Pair  [2]outcome
	Ended bool // by that

	Live live
}

// page returns the page of a session.
func (a *app) page(r *http.Request, session *sessions.Session) page {
	p := page{demo: a.demo, Next: "login"}
	p.User, _ = session.Values[userKey].(string)
	p.Cart, _ = session.Values[cartKey].(cart)
	p.Remembered = session.Options.MaxAge > 0
	if p.User != "" {
		tried := r.URL.Query().Get("after")
		p.Next, p.Recovered = a.demo.after(tried), tried == "outage"
		var err error
		if p.Sessions, p.More, err = a.list(r.Context(), p.User, session); err != nil {
			a.log.Error("list the sessions", "error", err)
			p.SessionsProblem = "Your devices cannot be listed at the moment."
		}
	}
	p.Live = a.look(r)
	return p
}

// Press returns the text of the button that the visitor should press.
func (p page) Press() string {
	for _, m := range p.Mishaps {
		if m.Name == p.Next {
			return m.Button
		}
	}
	return map[string]string{"login": "Log in", "retry": "Try again", "again": "Start again"}[p.Next]
}

// problem answers with a page that says what is wrong.
func (a *app) problem(w http.ResponseWriter, status int, text string) {
	p := page{demo: a.demo, Problem: text}
	if status == http.StatusServiceUnavailable {
		p.Next = "retry"
	}
	a.render(w, status, "problem", p)
}

func (a *app) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		a.log.Error("render "+name, "error", err)
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// protect refuses the forms of other sites, and bounds what a browser does with a response.
func (a *app) protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.problem(w, http.StatusForbidden, "Another site sent that form, so nothing was done.")
	}))
	next = sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // so that the back button shows nothing personal after a logout
		next.ServeHTTP(w, r)
	})
}

// handleAssets serves the files that are the same for everybody. Browsers keep them until they
// change.
func (a *app) handleAssets(mux *http.ServeMux) {
	for name, contentType := range map[string]string{
		"style.css": "text/css; charset=utf-8",
		"demo.js":   "text/javascript; charset=utf-8",
		"icon.svg":  "image/svg+xml",
	} {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		sum := sha256.Sum256(content)
		tag := `"` + hex.EncodeToString(sum[:8]) + `"`
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("ETag", tag)
			http.ServeFileFS(w, r, files, name)
		})
	}
}
