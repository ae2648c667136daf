// Package daxtest tests a Store on the client of DynamoDB Accelerator (DAX), github.com/aws/aws-dax-go-v2.
// It is a module of its own, so that nobody else needs that client.
package daxtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-dax-go-v2/dax"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// A DAX client is a Client, and has what Regenerate and the listings ask for besides.
var (
	_ dynamostore.Client = (*dax.Dax)(nil)
	_ interface {
		Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
		Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
		TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	} = (*dax.Dax)(nil)
)

const cookieName = "session"

var key = bytes.Repeat([]byte("a"), 32)

// open returns a Store on a DAX client whose cluster is at address.
func open(t *testing.T, address net.Addr, cfg dynamostore.Config) *dynamostore.Store {
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	client, err := dax.NewFromConfig(aws.Config{
		Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}, "dax://"+address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	cfg.Codec = dynamostore.JSONCodec{}
	store, err := dynamostore.New(client, cfg, key)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// request is one that brings a session's cookie, if it is not new. Its context does not end, since with Lock
// that sends a request, for which a DAX client panics after its Close.
func request(t *testing.T, fresh bool) (*http.Request, *httptest.ResponseRecorder) {
	r := httptest.NewRequest("GET", "/", nil)
	if !fresh {
		value, err := securecookie.EncodeMulti(cookieName, "somebody", securecookie.CodecsFromPairs(key)...)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: cookieName, Value: value})
	}
	return r, httptest.NewRecorder()
}

// session is the item of a live one.
func session(expires time.Duration) map[string]any {
	now := time.Now()
	return map[string]any{
		"codec": "json", "created": now, "data": []byte(`{"user":"ann"}`), "expires": now.Add(expires), "version": "one",
	}
}

const month = 30 * 24 * time.Hour

// Every request that a Store sends is one that the DAX client takes, and its answer one that the Store understands.
func TestRequests(t *testing.T) {
	for _, test := range []struct {
		name    string
		cfg     dynamostore.Config
		item    map[string]any
		change  func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
		method  int64
		cookies int
	}{
		{"create", dynamostore.Config{}, nil, func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Values["user"] = "ann"
			return s.Save(r, w, session)
		}, putItem, 1},
		{"update", dynamostore.Config{UserKey: "user"}, session(month), func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Values["n"] = 1
			return s.Save(r, w, session)
		}, updateItem, 1},
		{"update, remembered", dynamostore.Config{}, session(month), func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Options.MaxAge = 60
			return s.Save(r, w, session)
		}, updateItem, 1},
		{"touch", dynamostore.Config{}, session(time.Hour), (*dynamostore.Store).Save, updateItem, 1},
		{"overwrite", dynamostore.Config{Concurrency: dynamostore.Overwrite}, session(month), func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Values["n"] = 1
			return s.Save(r, w, session)
		}, updateItem, 1},
		{"delete", dynamostore.Config{}, session(month), func(s *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Options.MaxAge = -1
			return s.Save(r, w, session)
		}, updateItem, 1},
		{"destroy", dynamostore.Config{}, session(month), func(s *dynamostore.Store, r *http.Request, _ http.ResponseWriter, session *sessions.Session) error {
			return s.Destroy(r.Context(), s.Key(session))
		}, updateItem, 0},
		{"regenerate", dynamostore.Config{}, session(month), (*dynamostore.Store).Regenerate, transactWriteItems, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t)
			n.item = test.item
			store := open(t, n.Addr(), test.cfg)
			r, w := request(t, test.item == nil)
			s, err := store.Get(r, cookieName)
			if err != nil {
				t.Fatal(err)
			}
			if test.item != nil && (s.IsNew || s.Values["user"] != "ann") {
				t.Errorf("the session holds %v", s.Values)
			}
			if err := test.change(store, r, w, s); err != nil {
				t.Error(err)
			}
			if got := n.asked(test.method); got != 1 {
				t.Errorf("the node was sent %d such requests, want 1", got)
			}
			if got := len(w.Result().Cookies()); got != test.cookies {
				t.Errorf("%d cookies were set, want %d", got, test.cookies)
			}
		})
	}
}

// DAX says that a write was refused, and not on what: the Store looks.
func TestRefusalIsLookedUp(t *testing.T) {
	for _, test := range []struct {
		name     string
		found    map[string]any // by the look-up
		refuse   int64
		want     error
		existing bool
	}{
		{"a new session's ID is taken", nil, putItem, dynamostore.ErrConflict, false},
		{"the session has gone", nil, updateItem, dynamostore.ErrGone, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t)
			if test.existing {
				n.item = session(month)
			}
			n.answer(test.refuse, refusedCondition)
			store := open(t, n.Addr(), dynamostore.Config{})
			r, w := request(t, !test.existing)
			s, err := store.Get(r, cookieName)
			if err != nil {
				t.Fatal(err)
			}
			s.Values["n"] = 1
			n.answer(getItem, done) // finds nothing
			before := n.asked(getItem)
			if err := store.Save(r, w, s); !errors.Is(err, test.want) {
				t.Errorf("Save = %v, want %v", err, test.want)
			}
			if got := n.asked(getItem) - before; got != 1 {
				t.Errorf("it looked %d times, want once", got)
			}
		})
	}
}

// What another request wrote meanwhile is looked up, and merged into: a conflict costs a read more than
// where the refusal says what it met.
func TestMergeAfterARefusal(t *testing.T) {
	n := newNode(t)
	n.item = session(month)
	n.once[updateItem] = func() []byte {
		n.item = session(month)
		n.item["version"] = "two"
		n.item["data"] = []byte(`{"user":"ann","theirs":"1"}`)
		return refusedCondition
	}
	store := open(t, n.Addr(), dynamostore.Config{})
	r, w := request(t, false)
	s, err := store.Get(r, cookieName)
	if err != nil {
		t.Fatal(err)
	}
	s.Values["ours"] = "2"
	if err := store.Save(r, w, s); err != nil {
		t.Fatal(err)
	}
	if s.Values["theirs"] != "1" || s.Values["ours"] != "2" {
		t.Errorf("the session holds %v, want the changes of both", s.Values)
	}
	if reads, writes := n.asked(getItem), n.asked(updateItem); reads != 2 || writes != 2 {
		t.Errorf("%d reads and %d writes, want 2 and 2", reads, writes)
	}
}

// The table calls are none that a DAX client makes.
func TestTableCalls(t *testing.T) {
	store := open(t, newNode(t).Addr(), dynamostore.Config{Table: "mine"})
	if err := store.EnsureTable(t.Context()); err == nil || !strings.Contains(err.Error(), `"mine"`) {
		t.Errorf("EnsureTable = %v, want an error that names the table", err)
	}
}

// A node that does not answer is given up on within Config.Timeout, with the error that says so.
func TestSilentNode(t *testing.T) {
	const timeout = 100 * time.Millisecond
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
		n := newNode(t)
		for _, method := range []int64{getItem, putItem, updateItem, transactWriteItems} {
			n.answer(method, nil)
		}
		store := open(t, n.Addr(), dynamostore.Config{Table: "mine", Timeout: timeout, Concurrency: mode})
		timed := func(what string, f func() error) {
			t.Helper()
			begin := time.Now()
			err := f()
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"mine"`) || strings.Contains(err.Error(), "somebody") {
				t.Errorf("%s = %v, want context.DeadlineExceeded, and the table named", what, err)
			}
			if took := time.Since(begin); took > timeout+5*time.Second {
				t.Errorf("%s took %v, with a Timeout of %v", what, took, timeout)
			}
		}
		r, w := request(t, false)
		timed("load", func() error { _, err := store.Get(r, cookieName); return err })
		s, _ := store.Get(r, cookieName)
		s.Options.MaxAge = -1
		timed("delete", func() error { return store.Save(r, w, s) })
		r, w = request(t, true)
		s, _ = store.Get(r, cookieName)
		timed("create", func() error { return store.Save(r, w, s) })

		if mode == dynamostore.Lock {
			continue
		}
		n.item = session(month)
		n.answer(getItem, n.usual(getItem))
		r, w = request(t, false)
		s, err := store.Get(r, cookieName)
		if err != nil {
			t.Fatal(err)
		}
		timed("regenerate", func() error { return store.Regenerate(r, w, s) })
	}
}

// A cluster that is not there is an error as any other failed read.
func TestNoCluster(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	store := open(t, listener.Addr(), dynamostore.Config{Table: "mine"})
	r, w := request(t, false)
	s, err := store.Get(r, cookieName)
	if err == nil || !strings.Contains(err.Error(), `"mine"`) {
		t.Errorf("Get = %v, want an error that names the table", err)
	}
	if err := store.Save(r, w, s); !errors.Is(err, dynamostore.ErrNotLoaded) {
		t.Errorf("Save = %v, want ErrNotLoaded", err)
	}
}
