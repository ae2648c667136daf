package dynamostore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

func TestEnsureTable(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		keys string
	}{
		{"defaults", dynamostore.Config{}, "id HASH"},
		{"names and a sort key", dynamostore.Config{KeyAttribute: "pk", SortKeyAttribute: "sk", SortKeyValue: "x", ExpiresAttribute: "ttl"}, "pk HASH, sk RANGE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.cfg.Table = backend.Table
			store, err := dynamostore.New(backend.Client, test.cfg, keyA)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second call finds everything done
				if err := store.EnsureTable(t.Context()); err != nil {
					t.Fatalf("EnsureTable: %v", err)
				}
			}
			out, err := backend.Raw().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &backend.Table})
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, k := range out.Table.KeySchema {
				keys = append(keys, *k.AttributeName+" "+string(k.KeyType))
			}
			if got := strings.Join(keys, ", "); got != test.keys {
				t.Errorf("key schema = %s, want %s", got, test.keys)
			}
			if out.Table.BillingModeSummary == nil || out.Table.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
				t.Errorf("billing mode = %+v, want PAY_PER_REQUEST", out.Table.BillingModeSummary)
			}
			ttl, err := backend.Raw().DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &backend.Table})
			if err != nil {
				t.Fatal(err)
			}
			want := "expires"
			if test.cfg.ExpiresAttribute != "" {
				want = test.cfg.ExpiresAttribute
			}
			if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || aws.ToString(d.AttributeName) != want {
				t.Errorf("TTL = %s on %q, want ENABLED on %q", d.TimeToLiveStatus, aws.ToString(d.AttributeName), want)
			}
		})
	}
}

// TTL deletes, so what exists is not switched over.
func TestEnsureTableLeavesATableThatExists(t *testing.T) {
	backend := dynamotest.New(t)
	backend.CreateTable(t, "id", "")
	store, err := dynamostore.New(backend.Client, dynamostore.Config{Table: backend.Table}, keyA)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatalf("EnsureTable: %v", err)
	}
	if counts := backend.Counts(); counts["CreateTable"]+counts["UpdateTimeToLive"] != 0 {
		t.Errorf("DynamoDB was sent %v", counts)
	}
}

func TestEnsureTableErrors(t *testing.T) {
	for _, op := range []string{"DescribeTable", "CreateTable", "UpdateTimeToLive"} {
		t.Run(op, func(t *testing.T) {
			backend := dynamotest.New(t)
			store, err := dynamostore.New(backend.Client, dynamostore.Config{Table: backend.Table}, keyA)
			if err != nil {
				t.Fatal(err)
			}
			backend.Inject(op, dynamotest.Denied)
			err = store.EnsureTable(t.Context())
			if err == nil || !strings.Contains(err.Error(), backend.Table) || !strings.Contains(err.Error(), "AccessDeniedException") {
				t.Errorf("EnsureTable = %v, want an error that names the table and the cause", err)
			}
		})
	}
	t.Run("context", func(t *testing.T) {
		backend := dynamotest.New(t)
		store, err := dynamostore.New(backend.Client, dynamostore.Config{Table: backend.Table}, keyA)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		backend.Inject("CreateTable", dynamotest.Silent)
		is(t, store.EnsureTable(ctx), context.DeadlineExceeded)
	})
	t.Run("client without table calls", func(t *testing.T) {
		backend := dynamotest.New(t)
		store, err := dynamostore.New(struct{ dynamostore.Client }{backend.Client}, dynamostore.Config{Table: backend.Table}, keyA)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.EnsureTable(t.Context()); err == nil || !strings.Contains(err.Error(), "CreateTable") {
			t.Errorf("EnsureTable = %v, want an error that names what the client lacks", err)
		}
	})
}

// What goes wrong before the first session: each is an error that names the table, and Get gives
// a usable new session with it.
func TestWhatANewDeploymentMeets(t *testing.T) {
	failing := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, context.DeadlineExceeded
	})
	for _, test := range []struct {
		name string
		opt  func(*dynamodb.Options)
		want string
	}{
		{"the table does not exist", func(*dynamodb.Options) {}, "ResourceNotFoundException"},
		{"credentials fail", func(o *dynamodb.Options) { o.Credentials = failing }, "get credentials"},
		{"no region is set", func(o *dynamodb.Options) { o.Region = ""; o.BaseEndpoint = nil }, "egion"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.setCookie(signed(t, strings.Repeat("A", 52), keyA))
			client := dynamodb.New(a.backend.Raw().Options(), test.opt)
			store, err := dynamostore.New(client, dynamostore.Config{Table: "no-such-table"}, keyA)
			if err != nil {
				t.Fatal(err)
			}
			a.store = store
			session, err := b.load()
			if err == nil || !strings.Contains(err.Error(), `"no-such-table"`) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Get's error = %v, want one that names the table and says %q", err, test.want)
			}
			if session == nil || !session.IsNew || session.Values == nil {
				t.Errorf("Get = %+v, want a new session", session)
			}
			// A visitor without a cookie learns it at Save.
			fresh := a.browser()
			_, err = fresh.with(func(s *sessions.Session) { s.Values["k"] = "v" })
			if err == nil || !strings.Contains(err.Error(), `"no-such-table"`) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Save's error = %v, want one that names the table and says %q", err, test.want)
			}
			if fresh.cookie() != "" {
				t.Error("the browser has a cookie that leads nowhere")
			}
		})
	}
}
