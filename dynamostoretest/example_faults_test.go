package dynamostoretest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// visitor sends requests to an application and keeps its cookie.
type visitor struct {
	app    http.Handler
	cookie string
}

// send sends a request, a POST if there is a form, and returns the status.
func (v *visitor) send(path, form string) int {
	method := http.MethodGet
	if form != "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", v.cookie)
	w := httptest.NewRecorder()
	v.app.ServeHTTP(w, r)
	if set := w.Header().Get("Set-Cookie"); set != "" {
		v.cookie, _, _ = strings.Cut(set, ";")
	}
	return w.Code
}

// What an application does when DynamoDB throttles, loses an answer, fails, or does not answer at
// all.
func ExampleFaults() {
	var faults dynamostoretest.Faults
	client := dynamostoretest.Open(faults.Option) // in a test: dynamostoretest.NewClient(t, faults.Option)
	store := dynamostore.Must(dynamostore.New(client, dynamostore.Config{
		SkipEmpty: true,
		Timeout:   time.Second,
	}, []byte("any key will do in a test")))
	if err := store.EnsureTable(context.Background()); err != nil {
		log.Fatal(err)
	}
	ann := &visitor{app: NewApp(store)}

	// The client tries again, so the login succeeds.
	faults.Next(dynamostoretest.Throttle())
	fmt.Println("throttled once:", ann.send("/login", "user=ann"))

	// The login is stored, and the answer lost. The client sends it again, and the Store recognizes
	// the session as its own: there is one, not two.
	bob := &visitor{app: NewApp(store)}
	faults.Next(dynamostoretest.DropAnswer(), "PutItem")
	fmt.Println("answer lost:", bob.send("/login", "user=bob"))
	n := 0
	for _, err := range store.Sessions(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println("sessions of ann and bob:", n)

	// No session can be loaded, however often the client tries.
	faults.Always(dynamostoretest.Fail(), "GetItem")
	fmt.Println("DynamoDB fails:", ann.send("/", ""))

	// DynamoDB does not answer within Config.Timeout.
	faults.Clear()
	faults.Always(dynamostoretest.Delay(time.Minute))
	fmt.Println("DynamoDB is silent:", ann.send("/", ""))

	faults.Clear()
	fmt.Println("afterwards:", ann.send("/", ""))
	// Output:
	// throttled once: 200
	// answer lost: 200
	// sessions of ann and bob: 2
	// DynamoDB fails: 503
	// DynamoDB is silent: 503
	// afterwards: 200
}
