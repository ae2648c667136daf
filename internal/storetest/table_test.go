package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// How tables are created and checked is tested in internal/tableadmin.

// EnsureTable makes the table that the Config describes, and CheckTable compares with that.
func TestTableOfAConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"defaults", dynamostore.Config{}},
		{"users", dynamostore.Config{UserKey: "user", LabelKey: "device"}},
		{"names", dynamostore.Config{KeyAttribute: "pk", SortKeyAttribute: "sk", SortKeyValue: "session", DataAttribute: "d", ExpiresAttribute: "ttl", UserKey: "user", UserIndex: "by-user", LabelKey: "device"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.cfg.Table = backend.Table
			a := &app{T: t, backend: backend, cfg: test.cfg}
			a.store = a.open(test.cfg, keyA)
			a.serve()
			if err := a.store.CheckTable(t.Context()); err == nil || !strings.Contains(err.Error(), "the table does not exist") {
				t.Errorf("CheckTable before EnsureTable = %v, want that the table does not exist", err)
			}
			for range 2 {
				if err := a.store.EnsureTable(t.Context()); err != nil {
					t.Fatalf("EnsureTable: %v", err)
				}
			}
			if err := a.store.CheckTable(t.Context()); err != nil {
				t.Errorf("CheckTable = %v, want nil", err)
			}
			b := a.browser()
			if _, err := b.with(func(s *sessions.Session) { s.Values["user"], s.Values["device"] = "ann", "phone" }); err != nil {
				t.Fatalf("Save: %v", err)
			}
			if got := b.values()["device"]; got != "phone" {
				t.Errorf("the session holds %v, want phone", got)
			}
			if test.cfg.UserKey == "" {
				return
			}
			n := 0
			for info, err := range a.store.UserSessions(t.Context(), "ann") {
				if n++; err != nil || info.User != "ann" || info.Label != "phone" || info.Created.IsZero() || info.LastSeen.IsZero() || info.Expires.IsZero() {
					t.Errorf("UserSessions yields %+v, %v, want all of ann's session", info, err)
				}
			}
			if n != 1 {
				t.Errorf("UserSessions yields %d sessions, want 1", n)
			}
			other := test.cfg
			other.KeyAttribute, other.ExpiresAttribute, other.UserIndex = "other-key", "other-end", "other-index"
			err := a.open(other, keyA).CheckTable(t.Context())
			for _, name := range []string{"other-key", "other-end", "other-index"} {
				if err == nil || !strings.Contains(err.Error(), `"`+name+`"`) {
					t.Errorf("CheckTable of another Config = %v, want an error about %q", err, name)
				}
			}
		})
	}
}

// What a new deployment meets before its first session is an error that names the table and the
// fix, and comes with a usable new session from Get.
func TestFirstDeployment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		opt  func(*dynamodb.Options)
		want []string
	}{
		{"the table does not exist", func(*dynamodb.Options) {}, []string{"create it with EnsureTable", "ResourceNotFoundException"}},
		{"credentials fail", func(o *dynamodb.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, context.DeadlineExceeded
			})
		}, []string{"there are no AWS credentials; set AWS_ACCESS_KEY_ID"}},
		{"no region is set", func(o *dynamodb.Options) { o.Region, o.BaseEndpoint = "", nil }, []string{"no AWS region is set; set AWS_REGION"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			client := dynamodb.New(a.backend.Raw().Options(), test.opt)
			store, err := dynamostore.New(client, dynamostore.Config{Table: "no-such-table"}, keyA)
			if err != nil {
				t.Fatal(err)
			}
			a.store = store
			wantHint := func(method string, err error) {
				t.Helper()
				for _, want := range append(test.want, `"no-such-table"`) {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s's error is %v, want one that says %q", method, err, want)
					}
				}
			}
			b := a.browser()
			b.setCookie(signed(t, strings.Repeat("A", 52), keyA))
			session, err := b.load()
			wantHint("Get", err)
			if session == nil || !session.IsNew || session.Values == nil {
				t.Errorf("Get returned %+v, want a new session", session)
			}
			fresh := a.browser() // without a cookie, Save is the first request
			_, err = fresh.with(func(s *sessions.Session) { s.Values["k"] = "v" })
			wantHint("Save", err)
			if fresh.cookie() != "" {
				t.Error("the browser has a cookie that leads nowhere")
			}
		})
	}
}
