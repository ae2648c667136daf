// Command echo is an application on labstack/echo (v4), with echo-contrib/session, whose sessions lie in
// DynamoDB.
package main

import (
	"errors"
	"log"
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"

	"example.com/dynamostore"
	"example.com/dynamostore/example/frameworks/internal/site"
)

func main() { site.Main(newHandler) }

func newHandler(store *dynamostore.Store) http.Handler {
	e := echo.New()
	e.Use(session.Middleware(store))
	// What a handler returns is answered here: Save's errors are told apart in one place.
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if http := new(echo.HTTPError); errors.As(err, &http) {
			e.DefaultHTTPErrorHandler(err, c)
			return
		}
		site.Fail(c.Response(), err)
	}

	e.GET("/", func(c echo.Context) error {
		s := get(c)
		visits, _ := s.Values["visits"].(int)
		visits++
		s.Values["visits"] = visits
		if err := s.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		site.Page(c.Response(), s.Values["user"], visits)
		return nil
	})

	e.POST("/login", func(c echo.Context) error {
		s := get(c)
		s.Values["user"] = c.FormValue("user") // a real application asks for proof
		if err := store.Regenerate(c.Request(), c.Response(), s); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})

	e.POST("/logout", func(c echo.Context) error {
		s := get(c)
		s.Options.MaxAge = -1
		if err := s.Save(c.Request(), c.Response()); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
	return e
}

func get(c echo.Context) *sessions.Session {
	s, err := session.Get("session", c)
	if err != nil {
		log.Print(err) // the session is a new one, and Save knows why
	}
	return s
}
