// Command nethttp is an application on net/http alone whose sessions lie in DynamoDB. Its handlers are
// those of internal/site/app.go.
package main

import (
	"net/http"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/site"
)

func main() { site.Main(newHandler) }

func newHandler(store *dynamostore.Store) http.Handler {
	app := &site.App{Store: store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", app.Home)
	mux.HandleFunc("POST /login", app.Login)
	mux.HandleFunc("POST /logout", app.Logout)
	return mux
}
