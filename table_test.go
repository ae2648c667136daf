package dynamostore_test

import (
	"context"
	"maps"
	"net/http"
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

// A table that exists gets what it lacks.
func TestEnsureTableAddsWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name string
		spec tableSpec
		want map[string]int // changes that were made
	}{
		{"nothing is missing", right(), nil},
		{"TTL", func() tableSpec { s := right(); s.ttl = ""; return s }(), map[string]int{"UpdateTimeToLive": 1}},
		{"the index", tableSpec{key: "id:S", ttl: "expires"}, map[string]int{"UpdateTable": 1}},
		{"the index, beside another", tableSpec{key: "id:S", ttl: "expires", other: &indexSpec{"by-user", "user:S", "", nil}}, map[string]int{"UpdateTable": 1}},
		{"the index of a table with provisioned capacity", tableSpec{key: "id:S", ttl: "expires", provisioned: true}, map[string]int{"UpdateTable": 1}},
		{"both", tableSpec{key: "id:S"}, map[string]int{"UpdateTable": 1, "UpdateTimeToLive": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.spec.create(t, backend)
			store := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"})
			if err := store.EnsureTable(t.Context()); err != nil {
				t.Fatalf("EnsureTable: %v", err)
			}
			changes(t, backend, test.want)
			if err := store.CheckTable(t.Context()); err != nil {
				t.Errorf("CheckTable = %v, want nil", err)
			}
			backend.Counts()
			if err := store.EnsureTable(t.Context()); err != nil {
				t.Errorf("EnsureTable again: %v", err)
			}
			if counts := backend.Counts(); counts["DescribeTable"] != 1 || counts["DescribeTimeToLive"] != 1 || len(counts) != 2 {
				t.Errorf("DynamoDB was sent %v, want the two descriptions", counts)
			}
		})
	}
}

// changes asserts which requests that change a table were sent since the last look.
func changes(t *testing.T, backend *dynamotest.Backend, want map[string]int) {
	t.Helper()
	got := backend.Counts()
	for _, op := range []string{"DescribeTable", "DescribeTimeToLive", "Scan"} {
		delete(got, op)
	}
	if len(got) != len(want) || !maps.Equal(got, want) && len(want) != 0 {
		t.Errorf("DynamoDB was sent the changes %v, want %v", got, want)
	}
}

// TTL deletes, so it is not switched on where something lies, whosever it is.
func TestEnsureTableLeavesTTLOfATableInUse(t *testing.T) {
	backend := dynamotest.New(t)
	tableSpec{key: "id:S"}.create(t, backend)
	backend.Put(t, dynamotest.Item{"id": dynamotest.S("somebody's"), "expires": dynamotest.N("1")})
	store := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"})
	says(t, store.EnsureTable(t.Context()), `dynamostore: table "`+backend.Table+`": TTL is off, so that expired sessions stay and are paid for: turn it on for the attribute "expires", after a look at what else lies in the table and would be deleted, or have PurgeExpired delete what has expired`)
	changes(t, backend, map[string]int{"UpdateTable": 1}) // the index deletes nothing
	if n := len(backend.Items(t)); n != 1 {
		t.Errorf("the table holds %d items, want 1", n)
	}
}

// A table of the wrong shape is somebody else's, and is not changed at all.
func TestEnsureTableDoesNotChangeAWrongTable(t *testing.T) {
	for _, test := range wrongTables {
		if test.spec == nil || test.answers != nil {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			wrongTTL := test.spec.ttl != "" && test.spec.ttl != "expires"
			spec := *test.spec
			if !wrongTTL {
				spec.ttl = "" // which would be turned on
			}
			backend := dynamotest.New(t)
			spec.create(t, backend)
			test.cfg.Table = backend.Table
			store := storeOn(t, backend.Client, test.cfg)
			check := store.CheckTable(t.Context())
			err := store.EnsureTable(t.Context())
			switch test.name {
			case "TTL off", "no index": // which can be mended
				if err != nil {
					t.Errorf("EnsureTable = %v, want nil", err)
				}
				return
			}
			says(t, err, check.Error())
			changes(t, backend, nil)
		})
	}
}

func TestEnsureTableWaits(t *testing.T) {
	t.Run("until table and index are active", func(t *testing.T) {
		backend := dynamotest.New(t)
		right().create(t, backend)
		backend.Inject("DescribeTable", tableStatus("CREATING"), func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, 400, "ResourceNotFoundException", "Requested resource not found", nil), nil
		}, indexStatus("CREATING"), indexStatus("CREATING"))
		if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).EnsureTable(t.Context()); err != nil {
			t.Errorf("EnsureTable = %v, want nil", err)
		}
		changes(t, backend, nil)
		if n := backend.Pending(); n != 0 {
			t.Errorf("%d answers were not waited for", n)
		}
	})
	t.Run("for an answer", func(t *testing.T) {
		backend := dynamotest.New(t)
		tableSpec{key: "id:S", ttl: "expires"}.create(t, backend)
		backend.Inject("DescribeTable", dynamotest.Do(func() {}), dynamotest.Silent) // behind UpdateTable
		if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user", Timeout: time.Second}).EnsureTable(t.Context()); err != nil {
			t.Errorf("EnsureTable = %v, want nil", err)
		}
		changes(t, backend, map[string]int{"UpdateTable": 1})
	})
	t.Run("for an answer about TTL", func(t *testing.T) {
		backend := dynamotest.New(t)
		tableSpec{key: "id:S"}.create(t, backend)
		backend.Inject("DescribeTimeToLive", dynamotest.Do(func() {}), dynamotest.Silent) // behind UpdateTimeToLive
		if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, Timeout: time.Second}).EnsureTable(t.Context()); err != nil {
			t.Errorf("EnsureTable = %v, want nil", err)
		}
		changes(t, backend, map[string]int{"UpdateTimeToLive": 1})
		if n := backend.Pending(); n != 0 {
			t.Errorf("%d answers were not waited for", n)
		}
	})
	t.Run("until TTL is under way", func(t *testing.T) {
		backend := dynamotest.New(t)
		tableSpec{key: "id:S"}.create(t, backend)
		backend.Inject("DescribeTimeToLive", ttlStatus("DISABLED"), ttlStatus("DISABLED"), ttlStatus("ENABLING"))
		if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table}).EnsureTable(t.Context()); err != nil {
			t.Errorf("EnsureTable = %v, want nil", err)
		}
		changes(t, backend, map[string]int{"UpdateTimeToLive": 1})
		if n := backend.Pending(); n != 0 {
			t.Errorf("%d answers were not waited for", n)
		}
	})
	t.Run("while another index is being made", func(t *testing.T) {
		backend := dynamotest.New(t)
		tableSpec{key: "id:S", ttl: "expires", other: &indexSpec{"other", "user:S", "", nil}}.create(t, backend)
		backend.Inject("UpdateTable", func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, 400, "LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table", nil), nil
		}, func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, 400, "ResourceInUseException", "Attempt to change a resource which is still in use", nil), nil
		})
		backend.Inject("DescribeTable", dynamotest.Do(func() {}), indexStatus("CREATING"))
		if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).EnsureTable(t.Context()); err != nil {
			t.Errorf("EnsureTable = %v, want nil", err)
		}
		changes(t, backend, map[string]int{"UpdateTable": 3})
	})
	for _, test := range []struct {
		name   string
		spec   tableSpec
		op     string
		answer dynamotest.Fault
		want   string
	}{
		{"table", right(), "DescribeTable", tableStatus("CREATING"), "while waiting for the table to be created: context deadline exceeded"},
		{"index", right(), "DescribeTable", indexStatus("CREATING"), `while waiting for the index "user-index" to be created: context deadline exceeded`},
		{"TTL", func() tableSpec { s := right(); s.ttl = ""; return s }(), "DescribeTimeToLive", ttlStatus("DISABLED"), "while waiting for TTL to be turned on: context deadline exceeded"},
	} {
		t.Run("no longer than its context for the "+test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.spec.create(t, backend)
			backend.Inject(test.op, dynamotest.Times(100, test.answer)...)
			// The first pause takes 100 ms.
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).EnsureTable(ctx)
			is(t, err, context.DeadlineExceeded)
			if err != nil && (!strings.Contains(err.Error(), test.want) && !strings.Contains(err.Error(), "operation error") || !strings.Contains(err.Error(), backend.Table)) {
				t.Errorf("EnsureTable = %v, want an error that says %q", err, test.want)
			}
		})
	}
	t.Run("not for a table that is being deleted", func(t *testing.T) {
		backend := dynamotest.New(t)
		right().create(t, backend)
		backend.Inject("DescribeTable", tableStatus("DELETING"))
		says(t, storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table}).EnsureTable(t.Context()),
			`dynamostore: table "`+backend.Table+`": it is being deleted (DELETING): wait until it is gone, and create it anew`)
	})
}

// All instances of a service start at once, and each calls EnsureTable.
func TestEnsureTableOfSeveralInstances(t *testing.T) {
	for _, test := range []struct {
		name string
		spec *tableSpec
	}{
		{"no table", nil},
		{"a table without index and TTL", &tableSpec{key: "id:S"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			if test.spec != nil {
				test.spec.create(t, backend)
			}
			const instances = 8
			errs := make(chan error)
			for range instances {
				go func() {
					errs <- storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).EnsureTable(t.Context())
				}()
			}
			for range instances {
				if err := <-errs; err != nil {
					t.Errorf("EnsureTable = %v, want nil", err)
				}
			}
			if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).CheckTable(t.Context()); err != nil {
				t.Errorf("CheckTable = %v, want nil", err)
			}
		})
	}
}

// A request that was carried out, and whose answer was lost, is tried again by the SDK.
func TestEnsureTableWhoseAnswersAreLost(t *testing.T) {
	for _, spec := range []*tableSpec{nil, {key: "id:S"}} {
		backend := dynamotest.New(t)
		if spec != nil {
			spec.create(t, backend)
		}
		for _, op := range []string{"CreateTable", "UpdateTable", "UpdateTimeToLive"} {
			backend.Inject(op, dynamotest.AppliedThenReset)
		}
		if err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).EnsureTable(t.Context()); err != nil {
			t.Errorf("EnsureTable = %v, want nil", err)
		}
	}
}

func TestEnsureTableErrors(t *testing.T) {
	for _, test := range []struct{ op, want string }{
		{"DescribeTable", `look at table "NAME": the credentials lack the permission dynamodb:DescribeTable: add it to their policy`},
		{"CreateTable", `create table "NAME": the credentials lack the permission dynamodb:CreateTable: add it to their policy`},
		{"DescribeTimeToLive", `look at TTL of table "NAME": the credentials lack the permission dynamodb:DescribeTimeToLive: add it to their policy`},
		{"UpdateTimeToLive", `turn on TTL of table "NAME": the credentials lack the permission dynamodb:UpdateTimeToLive: add it to their policy`},
		{"UpdateTable", `add the index "user-index" to table "NAME": the credentials lack the permission dynamodb:UpdateTable: add it to their policy`},
		{"Scan", `see whether there is anything in table "NAME": the credentials lack the permission dynamodb:Scan: add it to their policy`},
	} {
		t.Run(test.op, func(t *testing.T) {
			backend := dynamotest.New(t)
			if test.op == "UpdateTable" || test.op == "Scan" {
				tableSpec{key: "id:S"}.create(t, backend)
			}
			backend.Inject(test.op, dynamotest.Denied)
			err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, UserKey: "user"}).EnsureTable(t.Context())
			want := "dynamostore: " + strings.ReplaceAll(test.want, "NAME", backend.Table) + ": operation error"
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "AccessDeniedException") {
				t.Errorf("EnsureTable = %v, want %q and the cause", err, want)
			}
		})
	}
	t.Run("context", func(t *testing.T) {
		backend := dynamotest.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		backend.Inject("CreateTable", dynamotest.Silent)
		is(t, storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table}).EnsureTable(ctx), context.DeadlineExceeded)
	})
	t.Run("one request without an answer", func(t *testing.T) {
		backend := dynamotest.New(t)
		backend.Inject("CreateTable", dynamotest.Silent)
		is(t, storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, Timeout: 10 * time.Millisecond}).EnsureTable(t.Context()), context.DeadlineExceeded)
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
