package main

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

func TestMain(m *testing.M) {
	s := dynamostore.Must(dynamostore.New(dynamostoretest.Open(), dynamostore.Config{}, []byte("any key will do in a test")))
	if err := s.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
	store = s
	m.Run()
}

func TestCount(t *testing.T) {
	var cookies []*http.Cookie
	for _, want := range []string{"visit 1", "visit 2"} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		for _, c := range cookies {
			r.AddCookie(c)
		}
		count(w, r)
		if got := w.Body.String(); got != want {
			t.Errorf("the page is %q, want %q", got, want)
		}
		cookies = w.Result().Cookies()
	}
}
