package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
)

//go:embed page.html live.html style.css demo.js icon.svg
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page.html", "live.html"))

// view is what page.html shows.
type view struct {
	Problem string // if not empty, nothing else is shown
	Retry   bool   // the problem may pass

	Visits     int
	User       string // "": not logged in
	Remembered bool
	Ended      bool // the session that the browser had before
	Flashes    []any
	MaxName    int

	Cart     cart
	Products []string

	Sessions        []listed
	More            bool // than are listed
	SessionsProblem string

	Outage bool // is offered
	Live   live
}

// problem answers with a page that says what is the matter.
func (a *app) problem(w http.ResponseWriter, status int, text string) {
	a.render(w, status, view{Problem: text, Retry: status == http.StatusServiceUnavailable})
}

func (a *app) render(w http.ResponseWriter, status int, v view) {
	a.execute(w, status, "page.html", v)
}

func (a *app) execute(w http.ResponseWriter, status int, template string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, template, data); err != nil {
		a.log.Error("render "+template, "error", err)
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// protect refuses forms that other sites send, and bounds by headers what a browser does with a response.
func (a *app) protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.problem(w, http.StatusForbidden, "That form was sent by another site, so nothing was done.")
	}))
	next = sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		// Nothing personal stays behind: after a logout, the back button asks here again.
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// handleAssets serves what is the same for everybody, and is kept by browsers until it changes.
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
