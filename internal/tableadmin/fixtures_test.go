package tableadmin_test

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/tableadmin"
)

// config is the schema of a table, and the timeout of its Admin.
type config struct {
	Table, Key, SortKey, Expires, Index string
	Timeout                             time.Duration
}

// newAdmin returns an Admin whose empty names are the Store's defaults.
func newAdmin(client record.Client, cfg config) *tableadmin.Admin {
	table := record.New(client, record.Schema{
		Table: cmp.Or(cfg.Table, "sessions"), Key: cmp.Or(cfg.Key, "id"), SortKey: cfg.SortKey, Data: "data",
		Expires: cmp.Or(cfg.Expires, "expires"), Index: cfg.Index,
	})
	return tableadmin.New(client, table, cmp.Or(cfg.Timeout, 5*time.Second))
}

// withIndex is the Config of a table with an index of users.
func withIndex(table string) config {
	return config{Table: table, Index: "user-index"}
}

// tableSpec is a table that somebody made. A key is its name and type, as in "id:S".
type tableSpec struct {
	key, sort   string // an empty sort is none
	ttl         string // empty: off
	index       *indexSpec
	other       *indexSpec // another index
	provisioned bool       // has provisioned capacity
}

type indexSpec struct {
	name, key, sort string
	include         []string // nil: ALL; empty: KEYS_ONLY
}

// complete is the table that withIndex describes.
func complete() *tableSpec {
	return &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{"created", "seen", "label"}}}
}

func (spec tableSpec) create(t testing.TB, backend *dynamotest.Backend) {
	t.Helper()
	in := &dynamodb.CreateTableInput{TableName: &backend.Table, BillingMode: types.BillingModePayPerRequest}
	var throughput *types.ProvisionedThroughput
	if spec.provisioned {
		throughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(3), WriteCapacityUnits: aws.Int64(2)}
		in.BillingMode, in.ProvisionedThroughput = types.BillingModeProvisioned, throughput
	}
	defined := map[string]bool{}
	schema := func(keys ...string) (elements []types.KeySchemaElement) {
		role := types.KeyTypeHash
		for _, key := range keys {
			if key == "" {
				continue
			}
			name, typ, _ := strings.Cut(key, ":")
			elements = append(elements, types.KeySchemaElement{AttributeName: &name, KeyType: role})
			if !defined[name] {
				in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(typ)})
			}
			defined[name] = true
			role = types.KeyTypeRange
		}
		return elements
	}
	in.KeySchema = schema(spec.key, spec.sort)
	for _, index := range []*indexSpec{spec.index, spec.other} {
		if index == nil {
			continue
		}
		projection := &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: index.include}
		switch {
		case index.include == nil:
			projection.ProjectionType = types.ProjectionTypeAll
		case len(index.include) == 0:
			projection.ProjectionType, projection.NonKeyAttributes = types.ProjectionTypeKeysOnly, nil
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &index.name, KeySchema: schema(index.key, index.sort), Projection: projection, ProvisionedThroughput: throughput,
		})
	}
	if _, err := backend.Raw().CreateTable(t.Context(), in); err != nil {
		t.Fatalf("create the table: %v", err)
	}
	if spec.ttl == "" {
		return
	}
	if _, err := backend.Raw().UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               &backend.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &spec.ttl, Enabled: aws.Bool(true)},
	}); err != nil {
		t.Fatalf("turn on TTL: %v", err)
	}
}

// member returns the member of an answer at a path.
func member(answer map[string]any, path ...string) map[string]any {
	for _, name := range path {
		answer = answer[name].(map[string]any)
	}
	return answer
}

// tableStatus, indexStatus and ttlStatus answer with another status than the engine has.
func tableStatus(status string) dynamotest.Fault {
	return dynamotest.Edited(func(answer map[string]any) { member(answer, "Table")["TableStatus"] = status })
}

func indexStatus(status string) dynamotest.Fault {
	return dynamotest.Edited(func(answer map[string]any) {
		for _, index := range member(answer, "Table")["GlobalSecondaryIndexes"].([]any) {
			index.(map[string]any)["IndexStatus"] = status
		}
	})
}

func ttlStatus(status string) dynamotest.Fault {
	return dynamotest.Edited(func(answer map[string]any) {
		member(answer, "TimeToLiveDescription")["TimeToLiveStatus"] = status
	})
}

// refuse answers with an error.
func refuse(code, message string) dynamotest.Fault {
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return dynamotest.Answer(r, 400, code, message, nil), nil
	}
}

// undisturbed hands the request on.
var undisturbed = dynamotest.Do(func() {})

// wantText asserts the whole text of an error, whose lines are want. No lines are no error.
func wantText(t *testing.T, err error, want ...string) {
	t.Helper()
	got := "<nil>"
	if err != nil {
		got = err.Error()
	}
	if lines := cmp.Or(strings.Join(want, "\n"), "<nil>"); got != lines {
		t.Errorf("error is\n%s\nwant\n%s", got, lines)
	}
}

// wantMet asserts that every injected fault was met by a request.
func wantMet(t *testing.T, backend *dynamotest.Backend) {
	t.Helper()
	if n := backend.Pending(); n != 0 {
		t.Errorf("%d injected answers were not asked for", n)
	}
}

// wantSent asserts which requests were sent since the last call.
func wantSent(t *testing.T, backend *dynamotest.Backend, want map[string]int) {
	t.Helper()
	if got := backend.Counts(); !maps.Equal(got, want) {
		t.Errorf("DynamoDB was sent %v, want %v", got, want)
	}
}

// wantChanges asserts which requests that change a table were sent since the last call.
func wantChanges(t *testing.T, backend *dynamotest.Backend, want map[string]int) {
	t.Helper()
	got := backend.Counts()
	for _, op := range []string{"DescribeTable", "DescribeTimeToLive", "Scan"} {
		delete(got, op)
	}
	// DynamoDB Local itself refuses a few changes of a table whose indexes it is still changing, or fails.
	if n := want["UpdateTable"]; n > 0 && os.Getenv(dynamotest.EndpointVariable) != "" && got["UpdateTable"] > n {
		got["UpdateTable"] = n
	}
	if !maps.Equal(got, want) {
		t.Errorf("DynamoDB was sent the changes %v, want %v", got, want)
	}
}

// looks are the requests of a look at the table.
var looks = map[string]int{"DescribeTable": 1, "DescribeTimeToLive": 1}

// silentCredentials is a provider whose answer never comes.
var silentCredentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
	<-ctx.Done()
	return aws.Credentials{}, ctx.Err()
})
