package dynamostoretest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/cookiejar"
	"net/http/httptest"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// Outside tests, Open takes the place of NewClient. Here a browser with a cookie jar visits two
// instances of an application. The servers speak TLS, since a Store's cookies are Secure.
func ExampleOpen() {
	client := dynamostoretest.Open()
	key := []byte("the same key on every instance!!")
	instance := func() *httptest.Server {
		store := dynamostore.Must(dynamostore.New(client, dynamostore.Config{}, key))
		if err := store.EnsureTable(context.Background()); err != nil {
			log.Fatal(err)
		}
		return httptest.NewTLSServer(NewApp(store))
	}
	first, second := instance(), instance()
	defer first.Close()
	defer second.Close()

	browser := first.Client() // trusts the certificate of both
	browser.Jar, _ = cookiejar.New(nil)
	resp, err := browser.PostForm(first.URL+"/login", map[string][]string{"user": {"ann"}})
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()

	resp, err = browser.Get(second.URL) // cookies know hosts, not ports
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", page)
	// Output: Hello, ann.
}
