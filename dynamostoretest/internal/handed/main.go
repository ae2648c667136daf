// Command handed is a web application whose handlers are handed their store.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/dynamostore"
)

func main() {
	store, err := dynamostore.Open(context.Background(), dynamostore.Config{}, []byte(os.Getenv("SESSION_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	if err := store.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", NewApp(store)))
}

// NewApp returns the application.
func NewApp(store *dynamostore.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err)
		}
		session.Values["user"] = r.FormValue("user")
		if err := store.Regenerate(r, w, session); err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, "session")
		if err != nil {
			log.Print(err)
		}
		user, ok := session.Values["user"].(string)
		if !ok {
			user = "stranger"
		}
		fmt.Fprintf(w, "Hello, %s.", user)
	})
	return mux
}
