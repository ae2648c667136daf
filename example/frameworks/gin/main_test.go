package main

import (
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
