package tableadmin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
)

func TestEnsureCreatesTheTable(t *testing.T) {
	for _, test := range []struct {
		name  string
		cfg   config
		key   string
		ttl   string
		index string
	}{
		{name: "defaults", key: "id HASH", ttl: "expires"},
		{name: "names and a sort key", cfg: config{Key: "pk", SortKey: "sk", Expires: "ttl"}, key: "pk HASH, sk RANGE", ttl: "ttl"},
		{name: "index", cfg: config{Index: "by-user"}, key: "id HASH", ttl: "expires", index: "by-user: user HASH, expires RANGE, INCLUDE created, seen, label"},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.cfg.Table = backend.Table
			admin := newAdmin(backend.Client, test.cfg)
			for range 2 { // the second call finds everything done
				if err := admin.Ensure(t.Context()); err != nil {
					t.Fatalf("Ensure: %v", err)
				}
			}
			wantChanges(t, backend, map[string]int{"CreateTable": 1, "UpdateTimeToLive": 1})
			out, err := backend.Raw().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &backend.Table})
			if err != nil {
				t.Fatal(err)
			}
			keyText := func(schema []types.KeySchemaElement) string {
				var keys []string
				for _, k := range schema {
					keys = append(keys, *k.AttributeName+" "+string(k.KeyType))
				}
				return strings.Join(keys, ", ")
			}
			if got := keyText(out.Table.KeySchema); got != test.key {
				t.Errorf("key is %s, want %s", got, test.key)
			}
			if mode := out.Table.BillingModeSummary; mode == nil || mode.BillingMode != types.BillingModePayPerRequest {
				t.Errorf("billing mode is %+v, want PAY_PER_REQUEST", mode)
			}
			index := ""
			for _, i := range out.Table.GlobalSecondaryIndexes {
				index += *i.IndexName + ": " + keyText(i.KeySchema) + ", " + string(i.Projection.ProjectionType) + " " + strings.Join(i.Projection.NonKeyAttributes, ", ")
			}
			if index != test.index {
				t.Errorf("index is %q, want %q", index, test.index)
			}
			ttl, err := backend.Raw().DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &backend.Table})
			if err != nil {
				t.Fatal(err)
			}
			if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || aws.ToString(d.AttributeName) != test.ttl {
				t.Errorf("TTL is %s on %q, want ENABLED on %q", d.TimeToLiveStatus, aws.ToString(d.AttributeName), test.ttl)
			}
		})
	}
}

func TestEnsureAddsWhatIsMissing(t *testing.T) {
	withoutTTL := complete()
	withoutTTL.ttl = ""
	for _, test := range []struct {
		name string
		spec *tableSpec
		want map[string]int
	}{
		{"nothing", complete(), nil},
		{"TTL", withoutTTL, map[string]int{"UpdateTimeToLive": 1}},
		{"index", &tableSpec{key: "id:S", ttl: "expires"}, map[string]int{"UpdateTable": 1}},
		{"index, beside another", &tableSpec{key: "id:S", ttl: "expires", other: &indexSpec{"by-user", "user:S", "", nil}}, map[string]int{"UpdateTable": 1}},
		{"index of a table with provisioned capacity", &tableSpec{key: "id:S", ttl: "expires", provisioned: true}, map[string]int{"UpdateTable": 1}},
		{"TTL and index", &tableSpec{key: "id:S"}, map[string]int{"UpdateTable": 1, "UpdateTimeToLive": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.spec.create(t, backend)
			admin := newAdmin(backend.Client, withIndex(backend.Table))
			if err := admin.Ensure(t.Context()); err != nil {
				t.Fatalf("Ensure: %v", err)
			}
			wantChanges(t, backend, test.want)
			if err := admin.Check(t.Context()); err != nil {
				t.Errorf("Check = %v, want nil", err)
			}
			backend.Counts()
			if err := admin.Ensure(t.Context()); err != nil {
				t.Errorf("second Ensure: %v", err)
			}
			wantSent(t, backend, looks)
		})
	}
}

// TTL deletes items, so it is not turned on where there are any.
func TestEnsureLeavesTTLOfATableInUse(t *testing.T) {
	backend := dynamotest.New(t)
	tableSpec{key: "id:S"}.create(t, backend)
	backend.Put(t, dynamotest.Item{"id": dynamotest.S("somebody's"), "expires": dynamotest.N("1")})
	wantText(t, newAdmin(backend.Client, withIndex(backend.Table)).Ensure(t.Context()), `dynamostore: table "`+backend.Table+`": `+ttlOff)
	wantChanges(t, backend, map[string]int{"UpdateTable": 1}) // the index deletes nothing
	if n := len(backend.Items(t)); n != 1 {
		t.Errorf("the table holds %d items, want 1", n)
	}
}

// A table with another key or index is somebody else's.
func TestEnsureDoesNotChangeAnUnusableTable(t *testing.T) {
	for _, test := range unusableTables {
		if test.spec == nil || test.answers != nil || test.name == "TTL off" || test.name == "no index" {
			continue // which Ensure can fix
		}
		t.Run(test.name, func(t *testing.T) {
			spec := *test.spec
			if spec.ttl == "expires" {
				spec.ttl = "" // which Ensure would turn on
			}
			backend := dynamotest.New(t)
			spec.create(t, backend)
			test.cfg.Table = backend.Table
			admin := newAdmin(backend.Client, test.cfg)
			check := admin.Check(t.Context())
			if check == nil {
				t.Fatal("Check = nil, want an error")
			}
			wantText(t, admin.Ensure(t.Context()), check.Error())
			wantChanges(t, backend, nil)
		})
	}
}

func TestEnsureWaits(t *testing.T) {
	notFound := refuse("ResourceNotFoundException", "Requested resource not found")
	for _, test := range []struct {
		name    string
		spec    *tableSpec
		index   bool
		answers map[string][]dynamotest.Fault
		want    map[string]int
	}{
		{
			name: "until a new table is found", index: true,
			answers: map[string][]dynamotest.Fault{"DescribeTable": {undisturbed, notFound, notFound}},
			want:    map[string]int{"CreateTable": 1, "UpdateTimeToLive": 1},
		},
		{
			name: "until table and index are active", spec: complete(), index: true,
			answers: map[string][]dynamotest.Fault{"DescribeTable": {tableStatus("CREATING"), notFound, tableStatus("CREATING"), indexStatus("CREATING"), indexStatus("CREATING")}},
		},
		{
			name: "until TTL is under way", spec: &tableSpec{key: "id:S"},
			answers: map[string][]dynamotest.Fault{"DescribeTimeToLive": {ttlStatus("DISABLED"), ttlStatus("DISABLED"), ttlStatus("ENABLING")}},
			want:    map[string]int{"UpdateTimeToLive": 1},
		},
		{
			name: "while another index is being created", index: true,
			spec: &tableSpec{key: "id:S", ttl: "expires", other: &indexSpec{"other", "user:S", "", nil}},
			answers: map[string][]dynamotest.Fault{
				"UpdateTable": {
					refuse("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"),
					refuse("ResourceInUseException", "Attempt to change a resource which is still in use"),
				},
				"DescribeTable": {undisturbed, indexStatus("CREATING")},
			},
			want: map[string]int{"UpdateTable": 3},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			if test.spec != nil {
				test.spec.create(t, backend)
			}
			for op, answers := range test.answers {
				backend.Inject(op, answers...)
			}
			cfg := config{Table: backend.Table}
			if test.index {
				cfg = withIndex(backend.Table)
			}
			if err := newAdmin(backend.Client, cfg).Ensure(t.Context()); err != nil {
				t.Errorf("Ensure = %v, want nil", err)
			}
			wantChanges(t, backend, test.want)
			wantMet(t, backend)
		})
	}

	t.Run("not for a table that is being deleted", func(t *testing.T) {
		backend := dynamotest.New(t)
		complete().create(t, backend)
		backend.Inject("DescribeTable", tableStatus("DELETING"))
		wantText(t, newAdmin(backend.Client, config{Table: backend.Table}).Ensure(t.Context()),
			`dynamostore: table "`+backend.Table+`": the table is being deleted (DELETING); wait until it is gone, then create it with EnsureTable`)
	})
}

// Ensure waits for as long as its context allows, while DynamoDB says that it is at work.
func TestEnsureEndsWithItsContext(t *testing.T) {
	withoutTTL := complete()
	withoutTTL.ttl = ""
	for _, test := range []struct {
		name   string
		spec   *tableSpec
		op     string
		answer dynamotest.Fault
		want   string
	}{
		{"table", complete(), "DescribeTable", tableStatus("CREATING"), "is created"},
		{"index", complete(), "DescribeTable", indexStatus("CREATING"), `has the index "user-index"`},
		{"TTL", withoutTTL, "DescribeTimeToLive", ttlStatus("DISABLED"), "has TTL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := dynamotest.NewInMemory(t)
				test.spec.create(t, backend)
				backend.Inject(test.op, dynamotest.Times(1000, test.answer)...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := newAdmin(backend.Client, withIndex(backend.Table)).Ensure(ctx)
				wantText(t, err, `dynamostore: wait until table "`+backend.Table+`" `+test.want+`: DynamoDB is not done yet; call EnsureTable again: context deadline exceeded`)
				if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
					t.Errorf("Ensure = %v, want the error of its context, when that has ended", err)
				}
			})
		})
	}
}

// Without a response, Ensure neither gives up at once nor waits for ever, whatever the context.
func TestEnsureWithoutResponses(t *testing.T) {
	for _, test := range []struct {
		name  string
		spec  *tableSpec // nil: no table
		op    string
		after int // undisturbed requests
		want  map[string]int
		waits bool
	}{
		{"first look", complete(), "DescribeTable", 0, nil, false},
		{"first look at TTL", complete(), "DescribeTimeToLive", 0, nil, false},
		{"CreateTable", nil, "CreateTable", 0, map[string]int{"CreateTable": 1}, false},
		{"table that was created", nil, "DescribeTable", 1, map[string]int{"CreateTable": 1, "UpdateTimeToLive": 1}, true},
		{"index that was added", &tableSpec{key: "id:S", ttl: "expires"}, "DescribeTable", 1, map[string]int{"UpdateTable": 1}, true},
		{"TTL that was turned on", &tableSpec{key: "id:S", index: complete().index}, "DescribeTimeToLive", 1, map[string]int{"UpdateTimeToLive": 1}, true},
	} {
		for _, lost := range []struct {
			name   string
			faults int
		}{{"one", 1}, {"all", 100}} {
			t.Run(test.name+", "+lost.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					backend := dynamotest.NewInMemory(t)
					if test.spec != nil {
						test.spec.create(t, backend)
					}
					backend.Inject(test.op, append(dynamotest.Times(test.after, undisturbed), dynamotest.Times(lost.faults, dynamotest.Silent)...)...)
					begin := time.Now()
					err := newAdmin(backend.Client, withIndex(backend.Table)).Ensure(context.Background())
					if wantErr := lost.name == "all" || !test.waits; errors.Is(err, context.DeadlineExceeded) != wantErr || (err != nil) != wantErr {
						t.Errorf("Ensure = %v, want an error for the deadline: %v", err, wantErr)
					}
					if took := time.Since(begin); took > 2*time.Minute || !test.waits && took > 5*time.Second {
						t.Errorf("Ensure took %v", took)
					}
					if lost.name == "one" {
						wantChanges(t, backend, test.want)
					}
				})
			})
		}
	}
}

// All instances of a service start at once.
func TestEnsureBySeveralInstances(t *testing.T) {
	for name, spec := range map[string]*tableSpec{"no table": nil, "a table without index and TTL": {key: "id:S"}} {
		t.Run(name, func(t *testing.T) {
			backend := dynamotest.New(t)
			if spec != nil {
				spec.create(t, backend)
			}
			const instances = 8
			errs := make(chan error)
			for range instances {
				go func() { errs <- newAdmin(backend.Client, withIndex(backend.Table)).Ensure(t.Context()) }()
			}
			for range instances {
				if err := <-errs; err != nil {
					t.Errorf("Ensure = %v, want nil", err)
				}
			}
			if err := newAdmin(backend.Client, withIndex(backend.Table)).Check(t.Context()); err != nil {
				t.Errorf("Check = %v, want nil", err)
			}
		})
	}
}

// The SDK repeats a request that was carried out and whose answer was lost.
func TestEnsureWhoseAnswersAreLost(t *testing.T) {
	for name, spec := range map[string]*tableSpec{"no table": nil, "a table without index and TTL": {key: "id:S"}} {
		t.Run(name, func(t *testing.T) {
			backend := dynamotest.New(t)
			if spec != nil {
				spec.create(t, backend)
			}
			for _, op := range []string{"CreateTable", "UpdateTable", "UpdateTimeToLive"} {
				backend.Inject(op, dynamotest.AppliedThenReset)
			}
			if err := newAdmin(backend.Client, withIndex(backend.Table)).Ensure(t.Context()); err != nil {
				t.Errorf("Ensure = %v, want nil", err)
			}
		})
	}
}

func TestEnsureErrors(t *testing.T) {
	for _, test := range []struct{ op, doing string }{
		{"DescribeTable", "describe"},
		{"CreateTable", "create"},
		{"DescribeTimeToLive", "describe TTL of"},
		{"UpdateTimeToLive", "turn on TTL of"},
		{"UpdateTable", `add the index "user-index" to`},
		{"Scan", "look for items in"},
	} {
		t.Run(test.op, func(t *testing.T) {
			backend := dynamotest.New(t)
			if test.op == "UpdateTable" || test.op == "Scan" {
				tableSpec{key: "id:S"}.create(t, backend)
			}
			backend.Inject(test.op, dynamotest.Denied)
			err := newAdmin(backend.Client, withIndex(backend.Table)).Ensure(t.Context())
			want := "dynamostore: " + test.doing + ` table "` + backend.Table + `": the credentials lack the permission dynamodb:` + test.op + "; add it to their policy: operation error"
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "AccessDeniedException") {
				t.Errorf("Ensure = %v, want %q and the cause", err, want)
			}
		})
	}
}
