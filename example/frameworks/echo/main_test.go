package main

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"example.com/dynamostore/example/frameworks/internal/sitetest"
)

func TestSessions(t *testing.T) { sitetest.Run(t, newHandler) }

func TestUnsaved(t *testing.T) {
	sitetest.RunUnsaved(t, func(page http.HandlerFunc) http.Handler {
		router := echo.New()
		router.GET("/", echo.WrapHandler(page))
		return router
	})
}
