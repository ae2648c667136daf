package main

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/tester"
	"github.com/gin-gonic/gin"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/sitetest"
)

func TestSessions(t *testing.T) {
	gin.SetMode(gin.TestMode)
	sitetest.Run(t, newHandler)
}

// The tests that gin-contrib/sessions has for every store.
func TestGinContribTester(t *testing.T) {
	gin.SetMode(gin.TestMode)
	newStore := func(t *testing.T) sessions.Store {
		return ginStore{sitetest.New(t, dynamostore.Config{}).Store()}
	}
	t.Run("GetSet", func(t *testing.T) { tester.GetSet(t, newStore) })
	t.Run("DeleteKey", func(t *testing.T) { tester.DeleteKey(t, newStore) })
	t.Run("Flashes", func(t *testing.T) { tester.Flashes(t, newStore) })
	t.Run("Clear", func(t *testing.T) { tester.Clear(t, newStore) })
	t.Run("Options", func(t *testing.T) { tester.Options(t, newStore) })
	t.Run("Many", func(t *testing.T) { tester.Many(t, newStore) })
}

func TestUnsaved(t *testing.T) {
	gin.SetMode(gin.TestMode)
	sitetest.RunUnsaved(t, func(page http.HandlerFunc) http.Handler {
		router := gin.New()
		router.GET("/", gin.WrapF(page))
		return router
	})
}

// gin's Context.Stream requires the deprecated http.CloseNotifier of the ResponseWriter.
func TestStreamUnderAutoSave(t *testing.T) {
	gin.SetMode(gin.TestMode)
	service := sitetest.New(t, dynamostore.Config{})
	store := service.Store()
	router := gin.New()
	router.GET("/", func(c *gin.Context) {
		session, _ := store.Get(c.Request, "session")
		visits, _ := session.Values["visits"].(int)
		session.Values["visits"] = visits + 1
		c.Stream(func(w io.Writer) bool {
			fmt.Fprintf(w, "Visits: %d", visits+1)
			return false
		})
	})
	url := service.Serve(dynamostore.AutoSave(router, nil))
	b := service.Browser()
	for n := range 2 {
		status, body := b.Get(url + "/")
		b.Sees("a stream", status, body, 200, fmt.Sprintf("Visits: %d", n+1))
	}
}
