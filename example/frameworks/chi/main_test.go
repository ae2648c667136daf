package main

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"

	"example.com/dynamostore/example/frameworks/internal/sitetest"
)

func TestSessions(t *testing.T) { sitetest.Run(t, newHandler) }

func TestUnsaved(t *testing.T) {
	sitetest.RunUnsaved(t, func(page http.HandlerFunc) http.Handler {
		router := chi.NewRouter()
		router.Get("/", page)
		return router
	})
}
