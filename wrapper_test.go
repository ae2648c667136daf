package dynamostore_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// wrapper is a client of an application's own making: it has what Client asks for, and nothing else.
type wrapper struct {
	client dynamostore.Client
	failed func(error) error // what it makes of errors
}

var _ dynamostore.Client = (*wrapper)(nil)

func (w *wrapper) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := w.client.GetItem(ctx, in, opts...)
	return out, w.failed(err)
}

func (w *wrapper) PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	out, err := w.client.PutItem(ctx, in, opts...)
	return out, w.failed(err)
}

func (w *wrapper) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	out, err := w.client.UpdateItem(ctx, in, opts...)
	return out, w.failed(err)
}

func (w *wrapper) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	out, err := w.client.DeleteItem(ctx, in, opts...)
	return out, w.failed(err)
}

// codeError is an error of DynamoDB's of which the code alone is known.
type codeError struct{ code string }

func (e codeError) Error() string        { return e.code }
func (e codeError) ErrorCode() string    { return e.code }
func (e codeError) ErrorMessage() string { return "" }

// The wrappers differ in what they make of errors.
var wrappers = []struct {
	name   string
	failed func(error) error
}{
	{"errors as they are", func(err error) error { return err }},
	{"refusals without the item", func(err error) error {
		var refused *types.ConditionalCheckFailedException
		if errors.As(err, &refused) {
			return &types.ConditionalCheckFailedException{Message: refused.Message}
		}
		return err
	}},
	{"codes alone", func(err error) error {
		var api interface{ ErrorCode() string }
		if errors.As(err, &api) {
			return codeError{api.ErrorCode()}
		}
		return err
	}},
}

// A Store on a client with the four methods of Client alone does all but what takes more.
func TestClientWithFourMethods(t *testing.T) {
	for _, wrapped := range wrappers {
		for _, mode := range modes {
			t.Run(wrapped.name+", "+mode.name, func(t *testing.T) {
				a := newUsersApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				plain := a.store
				wrap := func(cfg dynamostore.Config) {
					store, err := dynamostore.New(&wrapper{a.backend.Client, wrapped.failed}, cfg, keyA)
					if err != nil {
						t.Fatal(err)
					}
					a.store = store
				}
				wrap(a.cfg)
				b := a.browser()

				b.set("user", "ann")
				b.set("a", "1")
				if got := b.values(); len(got) != 2 || got["a"] != "1" {
					t.Errorf("the session holds %v", got)
				}

				// Another request, of another process, writes between this one's load and its save.
				other := a.another()
				tab := other.tab(b)
				_, err := b.with(func(s *sessions.Session) {
					s.Values["b"] = "2"
					if mode.mode != dynamostore.Lock { // where it would wait
						tab.set("c", "3")
					}
				})
				switch mode.mode {
				case dynamostore.Merge:
					if got := b.values(); err != nil || got["a"] != "1" || got["b"] != "2" || got["c"] != "3" {
						t.Errorf("Save = %v, and the session holds %v, want the changes of both", err, got)
					}
				case dynamostore.Refuse:
					is(t, err, dynamostore.ErrConflict, "somebody", "ann")
				default:
					if err != nil {
						t.Errorf("Save = %v", err)
					}
				}

				// Another process ends the session meanwhile.
				key := a.keyOf(b)
				_, err = b.with(func(s *sessions.Session) {
					s.Values["d"] = "4"
					if err := plain.Destroy(t.Context(), key); err != nil {
						t.Fatal(err)
					}
				})
				is(t, err, dynamostore.ErrGone)
				a.empty()

				// An ID that is taken.
				b.set("user", "ann")
				id := b.id()
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session := sessions.NewSession(a.store, cookieName)
					session.ID = id
					is(t, a.store.Save(r, w, session), dynamostore.ErrConflict)
				})

				lacks := func(what string, err error, method string) {
					t.Helper()
					if err == nil || !strings.Contains(err.Error(), "lacks "+method) || !strings.Contains(err.Error(), a.cfg.Table) || !strings.Contains(err.Error(), "wrapper") {
						t.Errorf("%s = %v, want an error that names the table, the client, and the method %s that it lacks", what, err, method)
					}
				}
				for _, way := range both {
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Error(err)
						}
						lacks(way.name, way.rotate(a.store, r, w, session), "TransactWriteItems")
						if got := w.Header().Get("Set-Cookie"); got != "" {
							t.Errorf("%s, which failed, sets the cookie %q", way.name, got)
						}
					})
				}
				for _, err := range a.store.Sessions(t.Context()) {
					lacks("Sessions", err, "Scan")
				}
				for _, err := range a.store.UserSessions(t.Context(), "ann") {
					lacks("UserSessions", err, "Query")
				}
				_, err = a.store.DestroyUser(t.Context(), "ann")
				lacks("DestroyUser", err, "Query")
				lacks("EnsureTable", a.store.EnsureTable(t.Context()), "")

				// What was refused left the session as it was; and it can be ended.
				if got := b.values(); got["user"] != "ann" {
					t.Errorf("the session holds %v", got)
				}
				if err := a.store.Destroy(t.Context(), a.keyOf(b)); err != nil {
					t.Error(err)
				}
				a.empty()
				b.set("user", "ann")
				b.logout()
				a.empty()

				cfg := a.cfg
				cfg.EventualReads = true
				wrap(cfg)
				b.set("user", "bob")
				if got := b.values(); got["user"] != "bob" {
					t.Errorf("with EventualReads, the session holds %v", got)
				}
			})
		}
	}
}

// id returns the ID of the browser's session.
func (b *browser) id() string {
	b.app.Helper()
	session, err := b.load()
	if err != nil {
		b.app.Fatal(err)
	}
	return session.ID
}

// keyOf returns the key of the browser's session.
func (a *app) keyOf(b *browser) string {
	a.Helper()
	session, err := b.load()
	if err != nil {
		a.Fatal(err)
	}
	return a.store.Key(session)
}
