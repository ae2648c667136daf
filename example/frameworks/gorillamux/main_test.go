package main

import (
	"net/http"
	"testing"

	"github.com/gorilla/mux"

	"example.com/dynamostore/example/frameworks/internal/sitetest"
)

func TestSessions(t *testing.T) { sitetest.Run(t, newHandler) }

func TestUnsaved(t *testing.T) {
	sitetest.RunUnsaved(t, func(page http.HandlerFunc) http.Handler {
		router := mux.NewRouter()
		router.HandleFunc("/", page)
		return router
	})
}
