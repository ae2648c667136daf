package main

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"example.com/dynamostore/dynamostoretest"
)

func TestMain(m *testing.M) {
	server := httptest.NewServer(dynamostoretest.NewHandler())
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": server.URL,
		"AWS_REGION":                "us-east-1",
		"AWS_ACCESS_KEY_ID":         "test",
		"AWS_SECRET_ACCESS_KEY":     "test",
		"AWS_PROFILE":               "", // a developer may have one
		"SESSION_KEY":               "any key will do in a test",
	} {
		os.Setenv(name, value)
	}
	if err := store().EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
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
