// Command lazy is a web application whose handlers share a package-level store that is opened at
// its first use. Its tests name a DynamoDB in memory in the environment before that.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"

	"example.com/dynamostore"
)

// store returns the store that the handlers use.
var store = sync.OnceValue(func() *dynamostore.Store {
	return dynamostore.Must(dynamostore.Open(context.Background(), dynamostore.Config{}, []byte(os.Getenv("SESSION_KEY"))))
})

func main() {
	// A mistake in the configuration ends the program here, not at the first request.
	if err := store().EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", http.HandlerFunc(count)))
}

// count counts the visits of a session.
func count(w http.ResponseWriter, r *http.Request) {
	session, err := store().Get(r, "session")
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
