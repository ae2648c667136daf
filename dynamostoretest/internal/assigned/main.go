// Command assigned is a web application whose handlers share a package-level store that main
// assigns. Its tests assign one in memory.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/dynamostore"
)

// store is what the handlers use. main assigns it, and TestMain in tests.
var store *dynamostore.Store

func main() {
	store = dynamostore.Must(dynamostore.Open(context.Background(), dynamostore.Config{}, []byte(os.Getenv("SESSION_KEY"))))
	if err := store.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", http.HandlerFunc(count)))
}

// count counts the visits of a session.
func count(w http.ResponseWriter, r *http.Request) {
	session, err := store.Get(r, "session")
	if err != nil {
		log.Print(err)
	}
	visits, _ := session.Values["visits"].(int)
	session.Values["visits"] = visits + 1
	if err := session.Save(r, w); err != nil {
		http.Error(w, "please try again", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "visit %d", visits+1)
}
