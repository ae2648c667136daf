package dynamostoretest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

var key = []byte("a test's key, which is no secret")

// request is a request with the cookies that a response set.
func request(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

// open returns a Store on the client, whose table exists.
func open(t testing.TB, client *dynamodb.Client, cfg dynamostore.Config) *dynamostore.Store {
	t.Helper()
	store, err := dynamostore.New(client, cfg, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(context.Background()); err != nil {
		t.Fatalf("EnsureTable: %v", err)
	}
	return store
}

// save stores a value in the session that the cookies carry, and returns the cookies that the
// response set.
func save(t testing.TB, store *dynamostore.Store, name, value any, cookies ...*http.Cookie) []*http.Cookie {
	t.Helper()
	r, w := request(cookies...), httptest.NewRecorder()
	session, err := store.Get(r, "session")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	session.Values[name] = value
	if err := session.Save(r, w); err != nil {
		t.Fatalf("Save: %v", err)
	}
	return w.Result().Cookies()
}

func load(t testing.TB, store *dynamostore.Store, cookies ...*http.Cookie) *sessions.Session {
	t.Helper()
	session, err := store.Get(request(cookies...), "session")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return session
}

func TestAllThatAStoreDoesWorksWithoutAWS(t *testing.T) {
	isolate(t)
	for name, client := range map[string]*dynamodb.Client{
		"NewClient": dynamostoretest.NewClient(t),
		"Open":      dynamostoretest.Open(),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := dynamostore.Config{UserKey: "user"}
			store := open(t, client, cfg)
			cookies := save(t, store, "user", "ann")

			other := open(t, client, cfg) // another instance
			if got := load(t, other, cookies...).Values["user"]; got != "ann" {
				t.Errorf("another Store on the client loads the user %v, want ann", got)
			}

			r, w := request(cookies...), httptest.NewRecorder()
			session, err := other.Get(r, "session")
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Regenerate(r, w, session); err != nil {
				t.Fatalf("Regenerate: %v", err)
			}
			found := 0
			for info, err := range store.UserSessions(t.Context(), "ann") {
				if err != nil || info.Key != other.Key(session) {
					t.Errorf("UserSessions: %v, the session: %v", err, info.Key == other.Key(session))
				}
				found++
			}
			if found != 1 {
				t.Errorf("UserSessions finds %d sessions, want 1", found)
			}
			if n, err := store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
				t.Errorf("DestroyUser: %d, %v, want 1 and no error", n, err)
			}
			for _, err := range store.Sessions(t.Context()) {
				t.Errorf("Sessions finds one after DestroyUser, or fails: %v", err)
			}
		})
	}
}

// isolate sets an AWS configuration that a client which looked at it would choke on.
func isolate(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[default\nthis is no ini file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE":             config,
		"AWS_SHARED_CREDENTIALS_FILE": config,
		"AWS_PROFILE":                 "missing",
		"AWS_REGION":                  "no region",
		"AWS_ENDPOINT_URL":            "http://127.0.0.1:1",
		"AWS_ENDPOINT_URL_DYNAMODB":   "http://127.0.0.1:1",
		"AWS_CA_BUNDLE":               config,
		"AWS_ACCESS_KEY_ID":           "",
		"AWS_RETRY_MODE":              "no mode",
		"HTTP_PROXY":                  "http://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
}

func TestEachClientHasTablesOfItsOwn(t *testing.T) {
	cookies := save(t, open(t, dynamostoretest.NewClient(t), dynamostore.Config{}), "user", "ann")
	for name, client := range map[string]*dynamodb.Client{
		"NewClient": dynamostoretest.NewClient(t),
		"Open":      dynamostoretest.Open(),
	} {
		if session := load(t, open(t, client, dynamostore.Config{}), cookies...); !session.IsNew {
			t.Errorf("%s: the session of another client is there", name)
		}
	}
}

func TestAClientEndsWithItsTest(t *testing.T) {
	before := runtime.NumGoroutine()
	var store *dynamostore.Store
	var requests atomic.Int32
	t.Run("short", func(t *testing.T) {
		store = open(t, dynamostoretest.NewClient(t, countInto(&requests)), dynamostore.Config{})
		save(t, store, "user", "ann")
	})
	// The subtest's own goroutine may take a moment to end.
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Errorf("there were %d goroutines before the test, and are %d after", before, runtime.NumGoroutine())
			break
		}
	}
	requests.Store(0)
	r := request()
	session, _ := store.Get(r, "session")
	err := session.Save(r, httptest.NewRecorder())
	if err == nil || !strings.Contains(err.Error(), "TestAClientEndsWithItsTest/short has ended") {
		t.Errorf("Save after the test: %v, want an error that names the test", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("the client tried %d times, want once", n)
	}
}

// An httpClient sends requests, as Options.HTTPClient.
type httpClient func(*http.Request) (*http.Response, error)

func (f httpClient) Do(r *http.Request) (*http.Response, error) { return f(r) }

func countInto(n *atomic.Int32) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		next := o.HTTPClient
		o.HTTPClient = httpClient(func(r *http.Request) (*http.Response, error) {
			n.Add(1)
			return next.Do(r)
		})
	}
}

func TestAnOptionCanMakeDynamoDBFail(t *testing.T) {
	var down atomic.Bool
	client := dynamostoretest.NewClient(t, func(o *dynamodb.Options) {
		next := o.HTTPClient
		o.HTTPClient = httpClient(func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, errors.New("the test says that DynamoDB is down")
			}
			return next.Do(r)
		})
		o.RetryMaxAttempts = 1
	})
	store := open(t, client, dynamostore.Config{})
	cookies := save(t, store, "user", "ann")

	down.Store(true)
	r, w := request(cookies...), httptest.NewRecorder()
	session, err := store.Get(r, "session")
	if err == nil {
		t.Error("Get: no error while DynamoDB is down")
	}
	if err := session.Save(r, w); !errors.Is(err, dynamostore.ErrNotLoaded) {
		t.Errorf("Save: %v, want ErrNotLoaded", err)
	}
	down.Store(false)
	if got := load(t, store, cookies...).Values["user"]; got != "ann" {
		t.Errorf("afterwards the user is %v, want ann", got)
	}
}

func TestWhatItLacksIsAnError(t *testing.T) {
	client := dynamostoretest.NewClient(t)
	for operation, call := range map[string]func() error{
		"ListBackups": func() error { _, err := client.ListBackups(t.Context(), &dynamodb.ListBackupsInput{}); return err },
		"BatchGetItem": func() error {
			_, err := client.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{}})
			return err
		},
		"BatchWriteItem": func() error {
			_, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{}})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), `dynamostoretest does not implement "`+operation+`"`) {
			t.Errorf("%s: %v, want an error that names it and dynamostoretest", operation, err)
		}
	}
}

func TestAClientLivesByTheClockOfItsBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := dynamostoretest.NewClient(t)
		store := open(t, client, dynamostore.Config{})
		store.MaxAge(3600)
		cookies := save(t, store, "user", "ann")
		time.Sleep(59 * time.Minute)
		if got := load(t, store, cookies...).Values["user"]; got != "ann" {
			t.Errorf("after 59 minutes, the user is %v, want ann", got)
		}
		time.Sleep(2 * time.Minute) // and TTL has come by
		out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("sessions")})
		if err != nil || len(out.Items) != 0 {
			t.Errorf("after 61 minutes, the table has %v, %v, want nothing", out.Items, err)
		}
		if session := load(t, store, cookies...); !session.IsNew {
			t.Errorf("after 61 minutes, the session has %v, want a new one", session.Values)
		}
	})
}

// These examples are tests, which go test would not run as examples.
func TestExampleNewClient(t *testing.T) { testLogin(t) }
func TestExampleTime(t *testing.T)      { testSessionExpires(t) }

func TestOpenOnAHandler(t *testing.T) {
	server := httptest.NewServer(dynamostoretest.NewHandler())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", server.URL)
	t.Setenv("AWS_PROFILE", "") // a developer may have one
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	store, err := dynamostore.Open(t.Context(), dynamostore.Config{}, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatalf("EnsureTable: %v", err)
	}
	cookies := save(t, store, "user", "ann")
	if got := load(t, store, cookies...).Values["user"]; got != "ann" {
		t.Errorf("the user is %v, want ann", got)
	}
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "MissingAuthenticationToken") {
		t.Errorf("a request without signature is answered %d %s, want DynamoDB's error", resp.StatusCode, body)
	}
}
