package tableadmin_test

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

	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/record"
	"example.com/dynamostore/internal/tableadmin"
)

func TestCheckAcceptsAUsableTable(t *testing.T) {
	index := config{Index: "user-index"}
	indexThatProjects := func(attributes ...string) *tableSpec {
		spec := complete()
		spec.index.include = attributes
		return spec
	}
	provisioned := complete()
	provisioned.provisioned = true
	for _, test := range []struct {
		name    string
		cfg     config
		spec    *tableSpec
		answers map[string]dynamotest.Fault
	}{
		{name: "defaults", spec: &tableSpec{key: "id:S", ttl: "expires"}},
		{name: "index", cfg: index, spec: complete()},
		{name: "index that is not used", spec: complete()},
		{name: "index that projects more", cfg: index, spec: indexThatProjects("codec", "label", "seen", "created")},
		{name: "index that projects all", cfg: index, spec: indexThatProjects()},
		{
			name: "names", spec: &tableSpec{key: "pk:S", sort: "sk:S", ttl: "ttl", index: &indexSpec{"by-user", "user:S", "ttl:N", nil}},
			cfg: config{Key: "pk", SortKey: "sk", Expires: "ttl", Index: "by-user"},
		},
		{name: "provisioned", cfg: index, spec: provisioned},
		{name: "table updating", cfg: index, spec: complete(), answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("UPDATING")}},
		{name: "index updating", cfg: index, spec: complete(), answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("UPDATING")}},
		{name: "TTL being turned on", cfg: index, spec: complete(), answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("ENABLING")}},
		{name: "an implementation that tells little", cfg: index, spec: complete(), answers: map[string]dynamotest.Fault{
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
			if err := newAdmin(backend.Client, test.cfg).Check(t.Context()); err != nil {
				t.Errorf("Check = %v, want nil", err)
			}
			wantSent(t, backend, looks)
			wantMet(t, backend)
		})
	}
}

const (
	missing      = "the table does not exist in the region us-east-1; create it with EnsureTable, or set Config.Table or the client's region"
	ttlOff       = `TTL is off, so expired sessions stay in the table and cost money; make sure that TTL would delete nothing else, then turn it on for the attribute "expires", or delete expired sessions with PurgeExpired`
	ttlElsewhere = `TTL is on for the attribute "ttl" (ENABLED), but Config.ExpiresAttribute is "expires"; set Config.ExpiresAttribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`
	noIndex      = `there is no index "user-index", but Config.UserKey is set; add the index with EnsureTable, or set Config.UserIndex to one with the partition key "user" and the sort key "expires"`
	replaceIndex = "; delete the index and add it with EnsureTable, or set Config.UserIndex to another name"
	notDynamoDB  = " does not describe the table; check that the endpoint is DynamoDB"
)

// unusableTables are tables on which sessions, or a part of what is configured, do not work.
var unusableTables = []struct {
	name    string
	cfg     config
	spec    *tableSpec // nil: no table
	answers map[string]dynamotest.Fault
	want    []string // without `dynamostore: table "NAME": `
}{
	{
		name: "missing",
		want: []string{missing},
	},
	{
		name: "partition key of another name", spec: &tableSpec{key: "pk:S", ttl: "expires"},
		want: []string{`the partition key is "pk", but Config.KeyAttribute is "id"; set Config.KeyAttribute to "pk", or use another table`},
	},
	{
		name: "numeric partition key", spec: &tableSpec{key: "id:N", ttl: "expires"},
		want: []string{`the partition key, "id" (N), is not a string (S); use another table, since keys cannot be changed`},
	},
	{
		name: "binary partition key of another name", spec: &tableSpec{key: "pk:B", ttl: "expires"},
		want: []string{`the partition key, "pk" (B), is not a string (S); use another table, since keys cannot be changed`},
	},
	{
		name: "no sort key", spec: &tableSpec{key: "id:S", ttl: "expires"}, cfg: config{SortKey: "sk"},
		want: []string{`there is no sort key, but Config.SortKeyAttribute is "sk"; leave SortKeyAttribute and SortKeyValue empty, or use another table`},
	},
	{
		name: "unexpected sort key", spec: &tableSpec{key: "id:S", sort: "sk:S", ttl: "expires"},
		want: []string{`there is a sort key, "sk", but Config.SortKeyAttribute is empty; set it to "sk" and SortKeyValue to the value that marks a session, or use another table`},
	},
	{
		name: "unexpected numeric sort key", spec: &tableSpec{key: "id:S", sort: "sk:N", ttl: "expires"},
		want: []string{`the sort key, "sk" (N), is not a string (S); use another table, since keys cannot be changed`},
	},
	{
		name: "sort key of another name", spec: &tableSpec{key: "id:S", sort: "range:S", ttl: "expires"}, cfg: config{SortKey: "sk"},
		want: []string{`the sort key is "range", but Config.SortKeyAttribute is "sk"; set Config.SortKeyAttribute to "range", or use another table`},
	},
	{
		name: "numeric sort key", spec: &tableSpec{key: "id:S", sort: "sk:N", ttl: "expires"}, cfg: config{SortKey: "sk"},
		want: []string{`the sort key, "sk" (N), is not a string (S); use another table, since keys cannot be changed`},
	},
	{
		name: "TTL off", spec: &tableSpec{key: "id:S"},
		want: []string{ttlOff},
	},
	{
		name: "TTL on another attribute", spec: &tableSpec{key: "id:S", ttl: "ttl"},
		want: []string{ttlElsewhere},
	},
	{
		name: "TTL being turned on for another attribute", spec: &tableSpec{key: "id:S", ttl: "ttl"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("ENABLING")},
		want:    []string{strings.Replace(ttlElsewhere, "ENABLED", "ENABLING", 1)},
	},
	{
		name: "TTL being turned off", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("DISABLING")},
		want:    []string{`TTL is being turned off (DISABLING), which takes up to an hour; turn it on for the attribute "expires" after that, or delete expired sessions with PurgeExpired`},
	},
	{
		name: "TTL in an unknown state", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": ttlStatus("RESTING")},
		want:    []string{`the status of TTL is RESTING; wait until it is ENABLED, or ask AWS`},
	},
	{
		name: "no index", spec: &tableSpec{key: "id:S", ttl: "expires"}, cfg: config{Index: "user-index"},
		want: []string{noIndex},
	},
	{
		name: "no index, and it cannot be added", spec: &tableSpec{key: "id:S", ttl: "expires", other: &indexSpec{"by-number", "user:N", "", nil}},
		cfg:  config{Index: "user-index"},
		want: []string{`there is no index "user-index", but Config.UserKey is set, and the index cannot be added, because the attribute "user" (N) in the key of another index is not of type S; delete that index, or use another table`},
	},
	{
		name: "index without a sort key", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "", nil}},
		cfg:  config{Index: "user-index"},
		want: []string{`the index "user-index" has the partition key "user" (S) and no sort key, but needs "user" (S) and "expires" (N)` + replaceIndex},
	},
	{
		name: "index on other attributes", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "uid:N", "created:N", nil}},
		cfg:  config{Index: "user-index"},
		want: []string{`the index "user-index" has the partition key "uid" (N) and the sort key "created" (N), but needs "user" (S) and "expires" (N)` + replaceIndex},
	},
	{
		name: "index that projects keys only", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{}}},
		cfg:  config{Index: "user-index"},
		want: []string{`the index "user-index" does not project ["created" "seen" "label"]` + replaceIndex},
	},
	{
		name: "index that projects something else", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{"codec"}}},
		cfg:  config{Index: "user-index"},
		want: []string{`the index "user-index" does not project ["created" "seen" "label"]` + replaceIndex},
	},
	{
		name: "index of an earlier version", spec: &tableSpec{key: "id:S", ttl: "expires", index: &indexSpec{"user-index", "user:S", "expires:N", []string{"created"}}},
		cfg:  config{Index: "user-index"},
		want: []string{`the index "user-index" does not project ["seen" "label"]` + replaceIndex},
	},
	{
		name: "index being created", spec: complete(), cfg: config{Index: "user-index"},
		answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("CREATING")},
		want:    []string{`the index "user-index" is being created (CREATING), so UserSessions and DestroyUser fail; wait, as EnsureTable does`},
	},
	{
		name: "index being deleted", spec: complete(), cfg: config{Index: "user-index"},
		answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("DELETING")},
		want:    []string{`the index "user-index" is being deleted (DELETING); wait until it is gone, then add it with EnsureTable`},
	},
	{
		name: "index in an unknown state", spec: complete(), cfg: config{Index: "user-index"},
		answers: map[string]dynamotest.Fault{"DescribeTable": indexStatus("RESTING")},
		want:    []string{`the status of the index "user-index" is RESTING; wait until it is ACTIVE, or ask AWS`},
	},
	{
		name: "table being created", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("CREATING")},
		want:    []string{"the table is being created (CREATING); wait, as EnsureTable does"},
	},
	{
		name: "table being deleted", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("DELETING")},
		want:    []string{"the table is being deleted (DELETING); wait until it is gone, then create it with EnsureTable"},
	},
	{
		name: "KMS key out of reach", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("INACCESSIBLE_ENCRYPTION_CREDENTIALS")},
		want:    []string{"the table's KMS key cannot be used (INACCESSIBLE_ENCRYPTION_CREDENTIALS); enable the key, and let DynamoDB use it"},
	},
	{
		name: "archived", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("ARCHIVED")},
		want:    []string{"the table was archived, because its KMS key could not be used for a week (ARCHIVED); restore the backup that DynamoDB made"},
	},
	{
		name: "table in an unknown state", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("RESTING")},
		want:    []string{"the table's status is RESTING; wait until it is ACTIVE, or ask AWS"},
	},
	{
		name: "deleted while it is checked", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": refuse("ResourceNotFoundException", "Requested resource not found")},
		want:    []string{missing},
	},
	{
		name: "everything at once", spec: &tableSpec{key: "pk:N", sort: "sk:N", ttl: "ttl", index: &indexSpec{"user-index", "user:S", "expires:N", []string{}}},
		cfg:     config{Index: "user-index"},
		answers: map[string]dynamotest.Fault{"DescribeTable": tableStatus("DELETING")},
		want: []string{
			`the partition key, "pk" (N), is not a string (S); use another table, since keys cannot be changed`,
			`the sort key, "sk" (N), is not a string (S); use another table, since keys cannot be changed`,
			"the table is being deleted (DELETING); wait until it is gone, then create it with EnsureTable",
			`the index "user-index" does not project ["created" "seen" "label"]` + replaceIndex,
			ttlElsewhere,
		},
	},
	{
		name: "an answer without a key", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": dynamotest.Edited(func(answer map[string]any) { answer["Table"] = map[string]any{} })},
		want:    []string{"the response to DescribeTable" + notDynamoDB},
	},
	{
		name: "an answer that tells nothing of TTL", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": dynamotest.Edited(func(answer map[string]any) {
			answer["TimeToLiveDescription"] = map[string]any{}
		})},
		want: []string{ttlOff},
	},
	{
		name: "an empty answer", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTable": dynamotest.Edited(func(answer map[string]any) { clear(answer) })},
		want:    []string{"the response to DescribeTable" + notDynamoDB},
	},
	{
		name: "an empty answer about TTL", spec: &tableSpec{key: "id:S", ttl: "expires"},
		answers: map[string]dynamotest.Fault{"DescribeTimeToLive": dynamotest.Edited(func(answer map[string]any) { clear(answer) })},
		want:    []string{"the response to DescribeTimeToLive" + notDynamoDB},
	},
}

func TestCheckTellsEveryProblem(t *testing.T) {
	for _, test := range unusableTables {
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
			wantText(t, newAdmin(backend.Client, test.cfg).Check(t.Context()), want...)
			wantMet(t, backend)
			wantChanges(t, backend, nil)
		})
	}
}

// What keeps Check from looking is told apart from what is wrong with the table.
func TestCheckThatCannotLook(t *testing.T) {
	every := func(fault dynamotest.Fault) map[string][]dynamotest.Fault {
		return map[string][]dynamotest.Fault{"DescribeTable": dynamotest.Times(3, fault)} // as often as the SDK tries
	}
	const denied = `https response error StatusCode: 400, RequestID: FAULT, api error AccessDeniedException: User is not authorized to perform this operation`
	const tableDenied = `dynamostore: describe table "NAME": the credentials lack the permission dynamodb:DescribeTable; add it to their policy: operation error DynamoDB: DescribeTable, ` + denied
	const ttlDenied = `dynamostore: describe TTL of table "NAME": the credentials lack the permission dynamodb:DescribeTimeToLive; add it to their policy: operation error DynamoDB: DescribeTimeToLive, ` + denied
	const cause = `: operation error DynamoDB: DescribeTable, `
	const unreadable = `dynamostore: describe table "NAME": DynamoDB's response could not be read; check that the endpoint is DynamoDB, and that nothing in between changes responses`
	for _, test := range []struct {
		name   string
		faults map[string][]dynamotest.Fault
		opt    func(*dynamodb.Options)
		want   []string // NAME is the table's
	}{
		{
			name: "DescribeTable not permitted", faults: map[string][]dynamotest.Fault{"DescribeTable": {dynamotest.Denied}},
			want: []string{tableDenied},
		},
		{
			name: "DescribeTimeToLive not permitted", faults: map[string][]dynamotest.Fault{"DescribeTimeToLive": {dynamotest.Denied}},
			want: []string{ttlDenied},
		},
		{
			name: "neither permitted", faults: map[string][]dynamotest.Fault{"DescribeTable": {dynamotest.Denied}, "DescribeTimeToLive": {dynamotest.Denied}},
			want: []string{tableDenied, ttlDenied},
		},
		{
			name: "credentials that are not AWS's", faults: every(refuse("UnrecognizedClientException", "The security token included in the request is invalid.")),
			want: []string{`dynamostore: describe table "NAME": AWS rejected the credentials; check the access key, its secret, and this machine's clock` + cause +
				`https response error StatusCode: 400, RequestID: FAULT, api error UnrecognizedClientException: The security token included in the request is invalid.`},
		},
		{
			name: "credentials that have expired", faults: every(refuse("ExpiredTokenException", "The security token included in the request is expired")),
			want: []string{`dynamostore: describe table "NAME": the credentials have expired; get new ones` + cause +
				`https response error StatusCode: 400, RequestID: FAULT, api error ExpiredTokenException: The security token included in the request is expired`},
		},
		{
			name: "no credentials", opt: func(o *dynamodb.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{}, errors.New("no EC2 IMDS role found")
				})
			},
			want: []string{`dynamostore: describe table "NAME": there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role` + cause +
				`get identity: get credentials: no EC2 IMDS role found`},
		},
		{
			name: "no region", opt: func(o *dynamodb.Options) { o.Region, o.BaseEndpoint = "", nil },
			want: []string{`dynamostore: describe table "NAME": no AWS region is set; set AWS_REGION, or region in the shared AWS config file` + cause +
				`failed to resolve service endpoint, endpoint rule error, Invalid Configuration: Missing Region`},
		},
		{
			name: "no such region", faults: every(dynamotest.HostNotFound), opt: func(o *dynamodb.Options) { o.Region, o.BaseEndpoint = "us-nowhere-1", nil },
			want: []string{`dynamostore: describe table "NAME": the host dynamodb.us-nowhere-1.amazonaws.com was not found; check the region "us-nowhere-1", the endpoint, and this machine's name resolution` + cause +
				`https response error StatusCode: 0, RequestID: , request send failed, Post "https://dynamodb.us-nowhere-1.amazonaws.com/": dial tcp: lookup dynamodb.us-nowhere-1.amazonaws.com: no such host`},
		},
		{
			name: "nothing listens", faults: every(dynamotest.Refused), opt: func(o *dynamodb.Options) { o.BaseEndpoint = aws.String("http://127.0.0.1:1") },
			want: []string{`dynamostore: describe table "NAME": nothing listens at the endpoint; check the endpoint and, if it is DynamoDB Local, that it is running` + cause +
				`exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post "http://127.0.0.1:1/": dial tcp: connect: connection refused`},
		},
		{name: "an endpoint that is a web page", faults: every(dynamotest.HTML(200)), want: []string{unreadable}},
		{name: "an endpoint that has no such page", faults: every(dynamotest.HTML(404)), want: []string{unreadable}},
		{
			name: "an endpoint that is another service", faults: every(refuse("UnknownOperationException", "")),
			want: []string{`dynamostore: describe table "NAME": the response is not DynamoDB's; check the endpoint` + cause +
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
			wantText(t, newAdmin(client, config{Table: backend.Table}).Check(t.Context()), want...)
		})
	}
	t.Run("an unusable table, and no permission to see its TTL", func(t *testing.T) {
		backend := dynamotest.New(t)
		tableSpec{key: "pk:S"}.create(t, backend)
		backend.Inject("DescribeTimeToLive", dynamotest.Denied)
		err := newAdmin(backend.Client, config{Table: backend.Table}).Check(t.Context())
		wantText(t, err,
			`dynamostore: table "`+backend.Table+`": the partition key is "pk", but Config.KeyAttribute is "id"; set Config.KeyAttribute to "pk", or use another table`,
			strings.ReplaceAll(ttlDenied, "NAME", backend.Table))
		if !record.IsDenied(err) {
			t.Errorf("the SDK's error is not to be found in %v", err)
		}
	})
	t.Run("no response in time", func(t *testing.T) {
		backend := dynamotest.New(t)
		backend.Inject("DescribeTable", dynamotest.Silent)
		err := newAdmin(backend.Client, config{Table: backend.Table, Timeout: 10 * time.Millisecond}).Check(t.Context())
		want := `dynamostore: describe table "` + backend.Table + `": there was no response in time; check that this machine can reach the endpoint, in a VPC through a gateway endpoint for DynamoDB: operation error`
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Check = %v, want %q", err, want)
		}
	})
	t.Run("a certificate that nobody signed", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
		server.StartTLS()
		defer server.Close()
		err := newAdmin(dynamotest.NewClient(server.URL, &http.Transport{}), config{}).Check(t.Context())
		if want := `dynamostore: describe table "sessions": the endpoint's certificate is not trusted; check the endpoint and, behind a proxy, AWS_CA_BUNDLE: operation error`; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Check = %v, want %q", err, want)
		}
	})
}

// A client without the methods is an error before any request.
func TestClientLacksMethods(t *testing.T) {
	backend := dynamotest.New(t)
	type describeTable interface {
		DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
	}
	cfg := config{Table: backend.Table}
	bare := newAdmin(struct{ record.Client }{backend.Client}, cfg)
	partial := newAdmin(struct {
		record.Client
		describeTable
	}{backend.Client, backend.Client}, cfg)
	_, purge := bare.Purge(t.Context(), tableadmin.PurgeOptions{})
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"Check, bare", bare.Check(t.Context()), "does not have all of the methods DescribeTable, DescribeTimeToLive; use a *dynamodb.Client, or a wrapper that has them"},
		{"Check, partial", partial.Check(t.Context()), "does not have all of the methods DescribeTable, DescribeTimeToLive; use"},
		{"Ensure, bare", bare.Ensure(t.Context()), "does not have all of the methods DescribeTable, DescribeTimeToLive, CreateTable, UpdateTable, UpdateTimeToLive, Scan; use"},
		{"Ensure, partial", partial.Ensure(t.Context()), "does not have all of the methods DescribeTable, DescribeTimeToLive, CreateTable, UpdateTable, UpdateTimeToLive, Scan; use"},
		{"Purge, bare", purge, "has no method Scan; use a *dynamodb.Client"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) || !strings.Contains(test.err.Error(), backend.Table) {
			t.Errorf("%s: %v, want an error that names the table and says %q", test.name, test.err, test.want)
		}
	}
	wantSent(t, backend, nil)
}

// Credentials that never come end Check and Ensure with Config.Timeout, whatever the context.
func TestSilentCredentials(t *testing.T) {
	backend := dynamotest.NewInMemory(t)
	client := dynamodb.New(backend.Client.Options(), func(o *dynamodb.Options) { o.Credentials = silentCredentials })
	admin := newAdmin(client, config{Table: backend.Table, Timeout: 10 * time.Millisecond})
	for name, call := range map[string]func(context.Context) error{"Check": admin.Check, "Ensure": admin.Ensure} {
		if err := call(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s = %v, want context.DeadlineExceeded", name, err)
		}
	}
	wantSent(t, backend, nil)
}
