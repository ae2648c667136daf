// Package site is what the programs of this module share and what has nothing to do with their
// frameworks: flags, a client, a server, one page.
package site

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// Main serves what newHandler returns for a Store, until the program is interrupted.
func Main(newHandler func(*dynamostore.Store) http.Handler) {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on; port 0 is any free one")
	aws := flag.Bool("aws", false, "use the DynamoDB of the default AWS configuration, not one in memory")
	table := flag.String("table", "dynamostore-demo", "`name` of the table, which is created if it is missing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *addr, *aws, *table, newHandler); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, stdout io.Writer, addr string, aws bool, table string, newHandler func(*dynamostore.Store) http.Handler) error {
	client := dynamostoretest.Open() // as for tests: nothing outlives the program
	if aws {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return err
		}
		client = dynamostore.NewClient(cfg)
	}
	key := make([]byte, 32) // a real application keeps its key, and has the same on all instances
	rand.Read(key)
	store, err := dynamostore.New(client, dynamostore.Config{Table: table}, key)
	if err != nil {
		return err
	}
	// Only because this server speaks plain HTTP, to its own host. Do not copy this line.
	store.Options.Secure = false
	if err := store.EnsureTable(ctx); err != nil {
		return err
	}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		// The cookie's SameSite=Lax keeps it out of other sites' forms in most browsers; this is for all.
		Handler:           http.NewCrossOriginProtection().Handler(newHandler(store)),
		ReadHeaderTimeout: 5 * time.Second,
	}
	context.AfterFunc(ctx, func() { server.Close() })
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<title>Sessions in DynamoDB</title>
<p>Visits: {{.Visits}}</p>
{{if .User}}<p>Logged in as {{.User}}.</p>
<form method="post" action="/logout"><button>Log out</button></form>
{{else}}<p>Not logged in.</p>
<form method="post" action="/login"><input name="user" aria-label="Name" required> <button>Log in</button></form>
{{end}}`))

// Page shows who is logged in (nil: nobody) and how often the session was here.
func Page(w http.ResponseWriter, user any, visits int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := page.Execute(w, struct {
		User   any
		Visits int
	}{user, visits}); err != nil {
		log.Print(err)
	}
}

// Fail answers a request for which Save, or Regenerate, returned err. No cookie was set.
func Fail(w http.ResponseWriter, err error) {
	if errors.Is(err, dynamostore.ErrGone) || errors.Is(err, dynamostore.ErrConflict) {
		http.Error(w, "Your session was ended or changed meanwhile. Please load the page again.", http.StatusConflict)
		return
	}
	log.Print(err) // it holds no session ID, cookie or value
	http.Error(w, "Your session cannot be reached at the moment. Please try again soon.", http.StatusServiceUnavailable)
}
