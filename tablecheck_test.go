package dynamostore_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// tableSpec is a table as somebody made it, right or wrong: names with a type behind a colon, as in
// "id:S".
type tableSpec struct {
	key, sort string // sort "": none
	ttl       string // "": off
	index     *indexSpec
	other     *indexSpec
	// provisioned: with provisioned capacity, and not on demand
	provisioned bool
}

type indexSpec struct {
	name, key, sort string
	include         []string // nil: ALL, empty: KEYS_ONLY
}

// right is what the zero Config with UserKey wants.
func right() tableSpec {
	return tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{"created"}}}
}

func (spec tableSpec) create(t testing.TB, backend *dynamotest.Backend) {
	t.Helper()
	input := &dynamodb.CreateTableInput{TableName: &backend.Table, BillingMode: types.BillingModePayPerRequest}
	var throughput *types.ProvisionedThroughput
	if spec.provisioned {
		throughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(3), WriteCapacityUnits: aws.Int64(2)}
		input.BillingMode, input.ProvisionedThroughput = types.BillingModeProvisioned, throughput
	}
	defined := map[string]bool{}
	schema := func(keys ...string) (elements []types.KeySchemaElement) {
		kind := types.KeyTypeHash
		for _, key := range keys {
			if key == "" {
				continue
			}
			name, typ, _ := strings.Cut(key, ":")
			elements = append(elements, types.KeySchemaElement{AttributeName: &name, KeyType: kind})
			if !defined[name] {
				input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(typ)})
			}
			defined[name] = true
			kind = types.KeyTypeRange
		}
		return elements
	}
	input.KeySchema = schema(spec.key, spec.sort)
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
		input.GlobalSecondaryIndexes = append(input.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &index.name, KeySchema: schema(index.key, index.sort), Projection: projection, ProvisionedThroughput: throughput,
		})
	}
	if _, err := backend.Raw().CreateTable(t.Context(), input); err != nil {
		t.Fatalf("create the table: %v", err)
	}
	if spec.ttl != "" {
		if _, err := backend.Raw().UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName:               &backend.Table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &spec.ttl, Enabled: aws.Bool(true)},
		}); err != nil {
			t.Fatalf("turn on TTL: %v", err)
		}
	}
}

// member is a member of an answer, by its path.
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

// A table that is as it should be, whatever its other properties, is no problem.
func TestCheckTableOfARightTable(t *testing.T) {
	user := dynamostore.Config{UserKey: "user"}
	for _, test := range []struct {
		name    string
		cfg     dynamostore.Config
		spec    tableSpec
		answers map[string]dynamotest.Fault
	}{
		{name: "defaults", spec: tableSpec{key: "id:S", ttl: "expires"}},
		{name: "index", cfg: user, spec: right()},
		{name: "index that nobody asked for", spec: right()},
		{name: "index that projects more", cfg: user, spec: tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{"codec", "created"}}}},
		{name: "index that projects all", cfg: user, spec: tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", nil}}},
		{
			name: "names", spec: tableSpec{key: "pk:S", sort: "sk:S", ttl: "ttl", index: &indexSpec{"by-user", "user:S", "ttl:N", nil}},
			cfg: dynamostore.Config{KeyAttribute: "pk", SortKeyAttribute: "sk", SortKeyValue: "session", ExpiresAttribute: "ttl", UserKey: "u", UserIndex: "by-user"},
		},
		{name: "provisioned", cfg: user, spec: func() tableSpec { s := right(); s.provisioned = true; return s }()},
		{name: "table updating", cfg: user, spec: right(), answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("UPDATING")}},
		{name: "index updating", cfg: user, spec: right(), answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("UPDATING")}},
		{name: "TTL being turned on", cfg: user, spec: right(), answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("ENABLING")}},
		{name: "an implementation that tells little", cfg: user, spec: right(), answers: map[string]dynamotest.Fault{
			"DescribeTable": dynamotest.Edited(func(answer map[string]any) {
				table := member(answer, "Table")
				index := table["GlobalSecondaryIndexes"].([]any)[0].(map[string]any)
				answer["Table"] = map[string]any{"KeySchema": table["KeySchema"], "GlobalSecondaryIndexes": []any{
					map[string]any{"IndexName": "user-index", "KeySchema": index["KeySchema"]},
				}}
			}),
			"DescribeTimeToLive": dynamotest.Edited(func(answer map[string]any) {
				delete(member(answer, "TimeToLiveDescription"), "TimeToLiveStatus")
			}),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			test.spec.create(t, backend)
			test.cfg.Table = backend.Table
			for op, answer := range test.answers {
				backend.Inject(op, answer)
			}
			if err := storeOn(t, backend.Client, test.cfg).CheckTable(t.Context()); err != nil {
				t.Errorf("CheckTable = %v, want nil", err)
			}
			if counts := backend.Counts(); counts["DescribeTable"] != 1 || counts["DescribeTimeToLive"] != 1 || len(counts) != 2 {
				t.Errorf("DynamoDB was sent %v, want the two descriptions", counts)
			}
			if n := backend.Pending(); n != 0 {
				t.Errorf("%d answers were not asked for", n)
			}
		})
	}
}

func storeOn(t testing.TB, client dynamostore.Client, cfg dynamostore.Config) *dynamostore.Store {
	t.Helper()
	store, err := dynamostore.New(client, cfg, keyA)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// wrongTables are tables on which sessions, or a part of what was configured, do not work, with all that
// CheckTable says of each.
var wrongTables = []struct {
	name    string
	cfg     dynamostore.Config
	spec    *tableSpec // nil: no table
	answers map[string]dynamotest.Fault
	want    []string // each behind `dynamostore: table "NAME": `
}{
	{
		name: "missing",
		want: []string{"it does not exist in the region us-east-1: create it, as EnsureTable does, or set Config.Table or the client's region to where it is"},
	},
	{
		name: "partition key of another name", spec: &tableSpec{key: "pk:S", ttl: "expires"},
		want: []string{`its partition key is "pk", and Config.KeyAttribute is "id": set Config.KeyAttribute to "pk", or use another table`},
	},
	{
		name: "numeric partition key", spec: &tableSpec{key: "id:N", ttl: "expires"},
		want: []string{`its partition key "id" (N) is not a string (S), as session IDs are: use another table, since keys cannot be changed`},
	},
	{
		name: "binary partition key of another name", spec: &tableSpec{key: "pk:B", ttl: "expires"},
		want: []string{`its partition key "pk" (B) is not a string (S), as session IDs are: use another table, since keys cannot be changed`},
	},
	{
		name: "no sort key", spec: &tableSpec{key: "id:S", ttl: "expires"},
		cfg:  dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "session"},
		want: []string{`it has no sort key, and Config.SortKeyAttribute is "sk": leave SortKeyAttribute and SortKeyValue empty, or use another table`},
	},
	{
		name: "unexpected sort key", spec: &tableSpec{key: "id:S", sort: "sk:S", ttl: "expires"},
		want: []string{`it has a sort key, "sk", and Config.SortKeyAttribute is empty: set Config.SortKeyAttribute to "sk" and SortKeyValue to the value that marks a session, or use another table`},
	},
	{
		name: "unexpected numeric sort key", spec: &tableSpec{key: "id:S", sort: "sk:N", ttl: "expires"},
		want: []string{`its sort key "sk" (N) is not a string (S), as Config.SortKeyValue is: use another table, since keys cannot be changed`},
	},
	{
		name: "sort key of another name", spec: &tableSpec{key: "id:S", sort: "range:S", ttl: "expires"},
		cfg:  dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "session"},
		want: []string{`its sort key is "range", and Config.SortKeyAttribute is "sk": set Config.SortKeyAttribute to "range", or use another table`},
	},
	{
		name: "numeric sort key", spec: &tableSpec{key: "id:S", sort: "sk:N", ttl: "expires"},
		cfg:  dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "session"},
		want: []string{`its sort key "sk" (N) is not a string (S), as Config.SortKeyValue is: use another table, since keys cannot be changed`},
	},
	{
		name: "TTL off", spec: &tableSpec{key: "id:S"},
		want: []string{`TTL is off, so that expired sessions stay and are paid for: turn it on for the attribute "expires", after a look at what else lies in the table and would be deleted, or have PurgeExpired delete what has expired`},
	},
	{
		name: "TTL on another attribute", spec: &tableSpec{key: "id:S", ttl: "ttl"},
		want: []string{`TTL is on for the attribute "ttl" (ENABLED), and Config.ExpiresAttribute is "expires": set Config.ExpiresAttribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`},
	},
	{
		name: "TTL being turned on for another attribute", spec: &tableSpec{key: "id:S", ttl: "ttl"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("ENABLING")},
		want:    []string{`TTL is on for the attribute "ttl" (ENABLING), and Config.ExpiresAttribute is "expires": set Config.ExpiresAttribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`},
	},
	{
		name: "TTL being turned off", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("DISABLING")},
		want:    []string{`TTL is being turned off (DISABLING), which takes DynamoDB up to an hour: turn it on for the attribute "expires" after that, or have PurgeExpired delete what has expired`},
	},
	{
		name: "TTL in a state that is not known", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("RESTING")},
		want:    []string{`the status of TTL is RESTING: wait, or ask AWS, until it is ENABLED`},
	},
	{
		name: "no index", spec: &tableSpec{key: "id:S", ttl: "expires"},
		cfg:  dynamostore.Config{UserKey: "user"},
		want: []string{`it has no index "user-index", while Config.UserKey is set: add it, as EnsureTable does, or set Config.UserIndex to the index with partition key "user" and sort key "expires"`},
	},
	{
		name: "no index, and none can be added", spec: &tableSpec{key: "id:S", ttl: "expires", other: &indexSpec{"by-number", "user:N", "", nil}},
		cfg:  dynamostore.Config{UserKey: "user"},
		want: []string{`it has no index "user-index", while Config.UserKey is set, and none can be added, since the attribute "user" (N) is a key of another index, and would have to be of type S: delete that index, or use another table`},
	},
	{
		name: "index without a sort key", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "", nil}},
		cfg:  dynamostore.Config{UserKey: "user"},
		want: []string{`its index "user-index" has the partition key "user" (S) and no sort key, and should have "user" (S) and "expires" (N): delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name`},
	},
	{
		name: "index on other attributes", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "uid:N", "created:N", nil}},
		cfg:  dynamostore.Config{UserKey: "user"},
		want: []string{`its index "user-index" has the partition key "uid" (N) and the sort key "created" (N), and should have "user" (S) and "expires" (N): delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name`},
	},
	{
		name: "index that projects keys only", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{}}},
		cfg:  dynamostore.Config{UserKey: "user"},
		want: []string{`its index "user-index" has the projection KEYS_ONLY, which lacks "created": delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name`},
	},
	{
		name: "index that projects something else", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{"codec"}}},
		cfg:  dynamostore.Config{UserKey: "user"},
		want: []string{`its index "user-index" has the projection INCLUDE of ["codec"], which lacks "created": delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name`},
	},
	{
		name: "index being created", spec: ptr(right()), cfg: dynamostore.Config{UserKey: "user"},
		answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("CREATING")},
		want:    []string{`its index "user-index" is being created (CREATING), so UserSessions and DestroyUser fail: wait, as EnsureTable does`},
	},
	{
		name: "index being deleted", spec: ptr(right()), cfg: dynamostore.Config{UserKey: "user"},
		answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("DELETING")},
		want:    []string{`its index "user-index" is being deleted (DELETING): wait until it is gone, and add it anew, as EnsureTable does`},
	},
	{
		name: "index in a state that is not known", spec: ptr(right()), cfg: dynamostore.Config{UserKey: "user"},
		answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("RESTING")},
		want:    []string{`the status of its index "user-index" is RESTING: wait, or ask AWS, until it is ACTIVE`},
	},
	{
		name: "table being created", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("CREATING")},
		want:    []string{"it is being created (CREATING): wait, as EnsureTable does"},
	},
	{
		name: "table being deleted", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("DELETING")},
		want:    []string{"it is being deleted (DELETING): wait until it is gone, and create it anew"},
	},
	{
		name: "KMS key out of reach", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("INACCESSIBLE_ENCRYPTION_CREDENTIALS")},
		want:    []string{"it does not serve, since its KMS key cannot be used (INACCESSIBLE_ENCRYPTION_CREDENTIALS): enable the key, and let DynamoDB use it"},
	},
	{
		name: "archived", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("ARCHIVED")},
		want:    []string{"it was archived, since its KMS key could not be used for a week (ARCHIVED): restore the backup that DynamoDB made"},
	},
	{
		name: "table in a state that is not known", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("RESTING")},
		want:    []string{"its status is RESTING: wait, or ask AWS, until it is ACTIVE"},
	},
	{
		name: "deleted while it is looked at", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, 400, "ResourceNotFoundException", "Requested resource not found", nil), nil
		}},
		want: []string{"it does not exist in the region us-east-1: create it, as EnsureTable does, or set Config.Table or the client's region to where it is"},
	},
	{
		name: "everything at once", spec: &tableSpec{key: "pk:N", sort: "sk:N", ttl: "ttl", index: &indexSpec{"user-index", "user:S", "expires:N", []string{}}},
		cfg:     dynamostore.Config{UserKey: "user"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("DELETING")},
		want: []string{
			`its partition key "pk" (N) is not a string (S), as session IDs are: use another table, since keys cannot be changed`,
			`its sort key "sk" (N) is not a string (S), as Config.SortKeyValue is: use another table, since keys cannot be changed`,
			"it is being deleted (DELETING): wait until it is gone, and create it anew",
			`its index "user-index" has the projection KEYS_ONLY, which lacks "created": delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name`,
			`TTL is on for the attribute "ttl" (ENABLED), and Config.ExpiresAttribute is "expires": set Config.ExpiresAttribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`,
		},
	},
	{
		name: "an answer without a key", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": dynamotest.Edited(func(answer map[string]any) {
			answer["Table"] = map[string]any{}
		})},
		want: []string{"the answer to DescribeTable says nothing of the table: is the endpoint DynamoDB?"},
	},
	{
		name: "an answer that tells nothing of TTL", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": dynamotest.Edited(func(answer map[string]any) {
			answer["TimeToLiveDescription"] = map[string]any{}
		})},
		want: []string{`TTL is off, so that expired sessions stay and are paid for: turn it on for the attribute "expires", after a look at what else lies in the table and would be deleted, or have PurgeExpired delete what has expired`},
	},
	{
		name: "an answer of nothing", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": dynamotest.Edited(func(answer map[string]any) { clear(answer) })},
		want:    []string{"the answer to DescribeTable says nothing of the table: is the endpoint DynamoDB?"},
	},
	{
		name: "an answer of nothing about TTL", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": dynamotest.Edited(func(answer map[string]any) { clear(answer) })},
		want:    []string{"the answer to DescribeTimeToLive says nothing of the table: is the endpoint DynamoDB?"},
	},
}

func ptr[T any](v T) *T { return &v }

func TestCheckTableTellsWhatIsWrong(t *testing.T) {
	for _, test := range wrongTables {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			if test.spec != nil {
				test.spec.create(t, backend)
			}
			test.cfg.Table = backend.Table
			for op, answer := range test.answers {
				backend.Inject(op, answer)
			}
			var want []string
			for _, problem := range test.want {
				want = append(want, `dynamostore: table "`+backend.Table+`": `+problem)
			}
			says(t, storeOn(t, backend.Client, test.cfg).CheckTable(t.Context()), want...)
			if n := backend.Pending(); n != 0 {
				t.Errorf("%d answers were not asked for", n)
			}
			for op := range backend.Counts() {
				if op != "DescribeTable" && op != "DescribeTimeToLive" {
					t.Errorf("CheckTable sent %s", op)
				}
			}
		})
	}
}

// says asserts the whole text of an error that joins several.
func says(t *testing.T, err error, want ...string) {
	t.Helper()
	got := "no error"
	if err != nil {
		got = err.Error()
	}
	if got != strings.Join(want, "\n") {
		t.Errorf("the error is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// What keeps CheckTable from looking is not what is wrong with the table.
func TestCheckTableThatCannotLook(t *testing.T) {
	refuse := func(code, message string) dynamotest.Fault {
		return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, 400, code, message, nil), nil
		}
	}
	every := func(fault dynamotest.Fault) map[string][]dynamotest.Fault {
		return map[string][]dynamotest.Fault{"DescribeTable": dynamotest.Times(3, fault)} // as often as the SDK tries
	}
	const deniedTail = `https response error StatusCode: 400, RequestID: FAULT, api error AccessDeniedException: User is not authorized to perform this operation`
	const tail = `: operation error DynamoDB: DescribeTable, `
	for _, test := range []struct {
		name   string
		faults map[string][]dynamotest.Fault
		opt    func(*dynamodb.Options)
		want   []string // NAME is the table's
	}{
		{
			name: "DescribeTable not permitted", faults: map[string][]dynamotest.Fault{"DescribeTable": {dynamotest.Denied}},
			want: []string{`dynamostore: look at table "NAME": the credentials lack the permission dynamodb:DescribeTable: add it to their policy: operation error DynamoDB: DescribeTable, ` + deniedTail},
		},
		{
			name: "DescribeTimeToLive not permitted", faults: map[string][]dynamotest.Fault{"DescribeTimeToLive": {dynamotest.Denied}},
			want: []string{`dynamostore: look at TTL of table "NAME": the credentials lack the permission dynamodb:DescribeTimeToLive: add it to their policy: operation error DynamoDB: DescribeTimeToLive, ` + deniedTail},
		},
		{
			name: "neither permitted", faults: map[string][]dynamotest.Fault{"DescribeTable": {dynamotest.Denied}, "DescribeTimeToLive": {dynamotest.Denied}},
			want: []string{
				`dynamostore: look at table "NAME": the credentials lack the permission dynamodb:DescribeTable: add it to their policy: operation error DynamoDB: DescribeTable, ` + deniedTail,
				`dynamostore: look at TTL of table "NAME": the credentials lack the permission dynamodb:DescribeTimeToLive: add it to their policy: operation error DynamoDB: DescribeTimeToLive, ` + deniedTail,
			},
		},
		{
			name: "credentials that are not AWS's", faults: every(refuse("UnrecognizedClientException", "The security token included in the request is invalid.")),
			want: []string{`dynamostore: look at table "NAME": AWS does not take the credentials: check the access key and its secret, and this machine's clock` + tail +
				`https response error StatusCode: 400, RequestID: FAULT, api error UnrecognizedClientException: The security token included in the request is invalid.`},
		},
		{
			name: "credentials that have expired", faults: every(refuse("ExpiredTokenException", "The security token included in the request is expired")),
			want: []string{`dynamostore: look at table "NAME": the credentials have expired: get new ones` + tail +
				`https response error StatusCode: 400, RequestID: FAULT, api error ExpiredTokenException: The security token included in the request is expired`},
		},
		{
			name: "no credentials", opt: func(o *dynamodb.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{}, errors.New("no EC2 IMDS role found")
				})
			},
			want: []string{`dynamostore: look at table "NAME": there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role` + tail +
				`get identity: get credentials: no EC2 IMDS role found`},
		},
		{
			name: "no region", opt: func(o *dynamodb.Options) { o.Region, o.BaseEndpoint = "", nil },
			want: []string{`dynamostore: look at table "NAME": no AWS region is set: set AWS_REGION, or region in the shared AWS config file` + tail +
				`failed to resolve service endpoint, endpoint rule error, Invalid Configuration: Missing Region`},
		},
		{
			name: "no such region", faults: every(dynamotest.HostNotFound), opt: func(o *dynamodb.Options) { o.Region, o.BaseEndpoint = "us-nowhere-1", nil },
			want: []string{`dynamostore: look at table "NAME": the host dynamodb.us-nowhere-1.amazonaws.com is not found: is there a region "us-nowhere-1", is the endpoint right, and can this machine look names up?` + tail +
				`https response error StatusCode: 0, RequestID: , request send failed, Post "https://dynamodb.us-nowhere-1.amazonaws.com/": dial tcp: lookup dynamodb.us-nowhere-1.amazonaws.com: no such host`},
		},
		{
			name: "nothing listens", faults: every(dynamotest.Refused), opt: func(o *dynamodb.Options) { o.BaseEndpoint = aws.String("http://127.0.0.1:1") },
			want: []string{`dynamostore: look at table "NAME": nothing listens at the endpoint: is it the right one, and does DynamoDB Local run, if that is meant?` + tail +
				`exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post "http://127.0.0.1:1/": dial tcp: connect: connection refused`},
		},
		{
			name: "an endpoint that is a web page", faults: every(dynamotest.HTML(200)),
			want: []string{`dynamostore: look at table "NAME": DynamoDB's answer could not be read: is the endpoint DynamoDB, and nothing between that changes answers?`},
		},
		{
			name: "an endpoint that has no such page", faults: every(dynamotest.HTML(404)),
			want: []string{`dynamostore: look at table "NAME": DynamoDB's answer could not be read: is the endpoint DynamoDB, and nothing between that changes answers?`},
		},
		{
			name: "an endpoint that is another service", faults: every(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
				return dynamotest.Answer(r, 400, "UnknownOperationException", "", nil), nil
			}),
			want: []string{`dynamostore: look at table "NAME": the answer is not DynamoDB's: is the endpoint the right one?` + tail +
				`https response error StatusCode: 400, RequestID: FAULT, api error UnknownOperationException: UnknownError`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			backend := dynamotest.New(t)
			tableSpec{key: "id:S", ttl: "expires"}.create(t, backend)
			for op, faults := range test.faults {
				backend.Inject(op, faults...)
			}
			client := backend.Client
			if test.opt != nil {
				client = dynamodb.New(client.Options(), test.opt)
			}
			var want []string
			for _, line := range test.want {
				want = append(want, strings.ReplaceAll(line, "NAME", backend.Table))
			}
			err := storeOn(t, client, dynamostore.Config{Table: backend.Table}).CheckTable(t.Context())
			says(t, err, want...)
			if strings.Contains(err.Error(), "proxy page") {
				t.Errorf("the error quotes a page: %v", err)
			}
		})
	}
	t.Run("a wrong table, and no permission to look at its TTL", func(t *testing.T) {
		backend := dynamotest.New(t)
		tableSpec{key: "pk:S"}.create(t, backend)
		backend.Inject("DescribeTimeToLive", dynamotest.Denied)
		err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table}).CheckTable(t.Context())
		says(t, err,
			`dynamostore: table "`+backend.Table+`": its partition key is "pk", and Config.KeyAttribute is "id": set Config.KeyAttribute to "pk", or use another table`,
			`dynamostore: look at TTL of table "`+backend.Table+`": the credentials lack the permission dynamodb:DescribeTimeToLive: add it to their policy: operation error DynamoDB: DescribeTimeToLive, `+deniedTail)
		var api interface{ ErrorCode() string }
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
			t.Errorf("the SDK's error is not to be found in %v", err)
		}
	})
	t.Run("no answer in time", func(t *testing.T) {
		backend := dynamotest.New(t)
		backend.Inject("DescribeTable", dynamotest.Silent)
		err := storeOn(t, backend.Client, dynamostore.Config{Table: backend.Table, Timeout: 10 * time.Millisecond}).CheckTable(t.Context())
		is(t, err, context.DeadlineExceeded)
		if want := `dynamostore: look at table "` + backend.Table + `": there was no answer in time: can this machine reach the endpoint, in a VPC by a gateway endpoint for DynamoDB, say?: operation error`; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("CheckTable = %v, want %q", err, want)
		}
	})
	t.Run("a certificate of nobody's", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
		server.StartTLS()
		defer server.Close()
		client := dynamotest.NewClient(server.URL, &http.Transport{})
		err := storeOn(t, client, dynamostore.Config{}).CheckTable(t.Context())
		if want := `dynamostore: look at table "sessions": the endpoint's certificate is not trusted: is the endpoint the right one, and if a proxy stands between, is AWS_CA_BUNDLE set to its roots?: operation error`; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("CheckTable = %v, want %q", err, want)
		}
	})
}

// Only what a client lacks is named.
func TestTableCallsNameWhatTheClientLacks(t *testing.T) {
	backend := dynamotest.New(t)
	type describer interface {
		DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	}
	cfg := dynamostore.Config{Table: backend.Table}
	bare := storeOn(t, struct{ dynamostore.Client }{backend.Client}, cfg)
	half := storeOn(t, struct {
		dynamostore.Client
		describer
	}{backend.Client, backend.Client}, cfg)
	_, purge := bare.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"CheckTable, bare", bare.CheckTable(t.Context()), "lacks DescribeTable, DescribeTimeToLive: use a *dynamodb.Client"},
		{"CheckTable, half", half.CheckTable(t.Context()), "lacks DescribeTimeToLive: use a *dynamodb.Client"},
		{"EnsureTable, bare", bare.EnsureTable(t.Context()), "lacks DescribeTable, DescribeTimeToLive, CreateTable, UpdateTable, UpdateTimeToLive, Scan: use"},
		{"EnsureTable, half", half.EnsureTable(t.Context()), "lacks DescribeTimeToLive, CreateTable, UpdateTable, UpdateTimeToLive, Scan: use"},
		{"PurgeExpired, bare", purge, "lacks Scan: use a *dynamodb.Client"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) || !strings.Contains(test.err.Error(), backend.Table) {
			t.Errorf("%s: %v, want an error that names the table and says %q", test.name, test.err, test.want)
		}
	}
	if counts := backend.Counts(); len(counts) != 0 {
		t.Errorf("DynamoDB was sent %v", counts)
	}
}
