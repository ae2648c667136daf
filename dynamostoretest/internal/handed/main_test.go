package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

func TestLogin(t *testing.T) {
	store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{}, []byte("any key will do in a test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := NewApp(store)

	login := httptest.NewRequest("POST", "/login", strings.NewReader("user=ann"))
	login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, login)

	home := httptest.NewRequest("GET", "/", nil)
	for _, cookie := range w.Result().Cookies() {
		home.AddCookie(cookie)
	}
	w = httptest.NewRecorder()
	app.ServeHTTP(w, home)
	if got, want := w.Body.String(), "Hello, ann."; got != want {
		t.Errorf("after the login, the page is %q, want %q", got, want)
	}
}
