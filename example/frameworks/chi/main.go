// Command chi is an application on go-chi/chi whose sessions lie in DynamoDB. Its handlers are those of
// internal/site/app.go.
package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/site"
)

func main() { site.Main(newHandler) }

func newHandler(store *dynamostore.Store) http.Handler {
	app := &site.App{Store: store}
	router := chi.NewRouter()
	router.Get("/", app.Home)
	router.Post("/login", app.Login)
	router.Post("/logout", app.Logout)
	return router
}
