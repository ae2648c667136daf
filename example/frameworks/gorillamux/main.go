// Command gorillamux is an application on gorilla/mux whose sessions lie in DynamoDB. Its handlers are
// those of internal/site/app.go.
package main

import (
	"net/http"

	"github.com/gorilla/mux"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/site"
)

func main() { site.Main(newHandler) }

func newHandler(store *dynamostore.Store) http.Handler {
	app := &site.App{Store: store}
	router := mux.NewRouter()
	router.HandleFunc("/", app.Home).Methods(http.MethodGet)
	router.HandleFunc("/login", app.Login).Methods(http.MethodPost)
	router.HandleFunc("/logout", app.Logout).Methods(http.MethodPost)
	return router
}
