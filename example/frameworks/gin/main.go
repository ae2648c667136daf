// Command gin is an application on gin-gonic/gin, with gin-contrib/sessions, whose sessions lie in DynamoDB.
package main

import (
	"net/http"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/site"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	site.Main(newHandler)
}

// ginStore is a Store as gin-contrib/sessions wants it: with a method Options.
type ginStore struct{ *dynamostore.Store }

func (s ginStore) Options(o sessions.Options) { s.Store.Options = o.ToGorillaOptions() }

func newHandler(store *dynamostore.Store) http.Handler {
	router := gin.New()
	router.Use(sessions.Sessions("session", ginStore{store}))

	router.GET("/", func(c *gin.Context) {
		session := sessions.Default(c)
		visits, _ := session.Get("visits").(int)
		visits++
		session.Set("visits", visits)
		if err := session.Save(); err != nil {
			site.Fail(c.Writer, err)
			return
		}
		site.Page(c.Writer, session.Get("user"), visits)
	})

	router.POST("/login", func(c *gin.Context) {
		sessions.Default(c).Set("user", c.PostForm("user")) // a real application asks for proof
		// gin-contrib's Session has no Regenerate. The Store has, and the registry of gorilla/sessions
		// the session that lies under gin-contrib's: no second read.
		session, err := store.Get(c.Request, "session")
		if err == nil {
			err = store.Regenerate(c.Request, c.Writer, session)
		}
		if err != nil {
			site.Fail(c.Writer, err)
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})

	router.POST("/logout", func(c *gin.Context) {
		session := sessions.Default(c)
		// It replaces all options: without Path, the cookie to delete would be one of the URL's directory.
		session.Options(sessions.Options{Path: "/", MaxAge: -1})
		if err := session.Save(); err != nil {
			site.Fail(c.Writer, err)
			return
		}
		c.Redirect(http.StatusSeeOther, "/")
	})
	return router
}
