package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// admin runs the program on the table of a test's backend.
type admin struct {
	*testing.T
	backend  *dynamotest.Backend
	endpoint string
	terminal bool
}

func newAdmin(t *testing.T) *admin {
	t.Helper()
	isolate(t)
	// DynamoDB Local shows each access key its own tables, and the backend's is this.
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "us-east-1")
	backend := dynamotest.New(t)
	return &admin{T: t, backend: backend, endpoint: *backend.Raw().Options().BaseEndpoint}
}

// isolate keeps what this machine says of AWS from the test.
func isolate(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_CA_BUNDLE",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
}

// run returns what the program printed, and its status.
func (a *admin) run(args ...string) (stdout, stderr string, status int) {
	a.Helper()
	return a.runCtx(a.Context(), args...)
}

func (a *admin) runCtx(ctx context.Context, args ...string) (stdout, stderr string, status int) {
	a.Helper()
	var out, errs bytes.Buffer
	p := program{stdout: &out, stderr: &errs, terminal: a.terminal, transport: a.backend.Client.Options().HTTPClient.(*http.Client).Transport}
	status = p.run(ctx, append([]string{"-aws", "-endpoint", a.endpoint, "-table", a.backend.Table}, args...))
	return out.String(), errs.String(), status
}

// prints asserts all that the program prints, and its status. NAME stands for the table.
func (a *admin) prints(args []string, stdout, stderr string, status int) {
	a.Helper()
	out, errs, got := a.run(args...)
	stdout, stderr = strings.ReplaceAll(stdout, "NAME", a.backend.Table), strings.ReplaceAll(stderr, "NAME", a.backend.Table)
	if out != stdout || errs != stderr || got != status {
		a.Errorf("admin %q: status %d, want %d\nit printed\n%s\nwant\n%s\nand on standard error\n%s\nwant\n%s", args, got, status, out, stdout, errs, stderr)
	}
}

// save makes a session of a user's, "" for none, as the service does, and returns its key.
func (a *admin) save(user string) string {
	a.Helper()
	store, err := dynamostore.New(a.backend.Client, dynamostore.Config{Table: a.backend.Table, UserKey: "user"}, make([]byte, 32))
	if err != nil {
		a.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	session, err := store.Get(r, "session")
	if err != nil {
		a.Fatal(err)
	}
	if user != "" {
		session.Values["user"] = user
	}
	if err := session.Save(r, httptest.NewRecorder()); err != nil {
		a.Fatal(err)
	}
	return store.Key(session)
}

// put stores an item whose end and beginning lie that far from now; 0 for none.
func (a *admin) put(key string, expires, created time.Duration, more dynamotest.Item) {
	a.Helper()
	item := dynamotest.Item{"id": dynamotest.S(key), "data": dynamotest.B([]byte("x"))}
	at := func(d time.Duration) types.AttributeValue {
		return dynamotest.N(strconv.FormatInt(time.Now().Add(d).Unix(), 10))
	}
	if expires != 0 {
		item["expires"] = at(expires)
	}
	if created != 0 {
		item["created"] = at(created)
	}
	for name, v := range more {
		if v == nil {
			delete(item, name)
		} else {
			item[name] = v
		}
	}
	a.backend.Put(a.T, item)
}

// createTable creates the table without the program, and without TTL, which would delete what a test counts.
func (a *admin) createTable() {
	a.Helper()
	a.backend.CreateTable(a.T, "id", "")
	store, err := dynamostore.New(a.backend.Raw(), dynamostore.Config{Table: a.backend.Table, UserKey: "user"}, make([]byte, 32))
	if err != nil {
		a.Fatal(err)
	}
	if err := store.EnsureTable(a.Context()); err != nil {
		a.Fatal(err)
	}
	if _, err := a.backend.Raw().UpdateTimeToLive(a.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               &a.backend.Table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(false)},
	}); err != nil {
		a.Fatal(err)
	}
}

func TestCreateAndCheck(t *testing.T) {
	a := newAdmin(t)
	a.prints([]string{"check"}, "", `admin: dynamostore: table "NAME": it does not exist in the region us-east-1: create it, as EnsureTable does, or set Config.Table or the client's region to where it is`+"\n", 1)
	const form = `partition key "pk", sort key "sk", TTL on "ttl", index "by-user"`
	flags := []string{"-key-attribute", "pk", "-sort-key-attribute", "sk", "-sort-key-value", "session", "-expires-attribute", "ttl", "-user-key", "user", "-user-index", "by-user"}
	for range 2 { // what is there is fine
		a.prints(append(flags, "create"), `table "NAME" is ready: `+form+"\n", "", 0)
	}
	a.prints(append(flags, "check"), `table "NAME" is as it should be: `+form+"\n", "", 0)
	a.prints(append([]string{"check", "-json"}, flags...), `{"ok":true,"problems":[],"table":"NAME"}`+"\n", "", 0) // flags go behind it as well
	const wrong = `its partition key is \"pk\", and Config.KeyAttribute is \"id\": set Config.KeyAttribute to \"pk\", or use another table`
	a.prints(append(flags, "-key-attribute", "id", "check", "-json"), `{"ok":false,"problems":["dynamostore: table \"NAME\": `+wrong+`"],"table":"NAME"}`+"\n", "", 1)
}

// Each wrong table is told plainly, by create as well, which does not change it.
func TestWrongTables(t *testing.T) {
	for _, test := range []struct {
		name    string
		keyType types.ScalarAttributeType
		sort    string
		ttl     string
		index   *types.Projection
		status  string // that DescribeTimeToLive is made to tell
		args    []string
		want    []string
	}{
		{name: "numeric key", keyType: "N", ttl: "expires", want: []string{
			`its partition key "id" (N) is not a string (S), as session IDs are: use another table, since keys cannot be changed`}},
		{name: "wrong sort key", keyType: "S", sort: "range", ttl: "expires", args: []string{"-sort-key-attribute", "sk", "-sort-key-value", "session"}, want: []string{
			`its sort key is "range", and Config.SortKeyAttribute is "sk": set Config.SortKeyAttribute to "range", or use another table`}},
		{name: "TTL on another attribute", keyType: "S", ttl: "ttl", want: []string{
			`TTL is on for the attribute "ttl" (ENABLED), and Config.ExpiresAttribute is "expires": set Config.ExpiresAttribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`}},
		{name: "TTL being disabled", keyType: "S", ttl: "expires", status: "DISABLING", want: []string{
			`TTL is being turned off (DISABLING), which takes DynamoDB up to an hour: turn it on for the attribute "expires" after that, or have PurgeExpired delete what has expired`}},
		{name: "index with another projection", keyType: "S", ttl: "expires", args: []string{"-user-key", "user"}, index: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}, want: []string{
			`its index "user-index" has the projection KEYS_ONLY, which lacks "created": delete the index and add it anew, as EnsureTable does, or set Config.UserIndex to another name`}},
		{name: "two things", keyType: "B", ttl: "ttl", want: []string{
			`its partition key "id" (B) is not a string (S), as session IDs are: use another table, since keys cannot be changed`,
			`TTL is on for the attribute "ttl" (ENABLED), and Config.ExpiresAttribute is "expires": set Config.ExpiresAttribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAdmin(t)
			input := &dynamodb.CreateTableInput{
				TableName:            &a.backend.Table,
				BillingMode:          types.BillingModePayPerRequest,
				KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: test.keyType}},
			}
			if test.sort != "" {
				input.KeySchema = append(input.KeySchema, types.KeySchemaElement{AttributeName: &test.sort, KeyType: types.KeyTypeRange})
				input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{AttributeName: &test.sort, AttributeType: "S"})
			}
			if test.index != nil {
				input.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
					IndexName: aws.String("user-index"), Projection: test.index,
					KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("user"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("expires"), KeyType: types.KeyTypeRange}},
				}}
				input.AttributeDefinitions = append(input.AttributeDefinitions,
					types.AttributeDefinition{AttributeName: aws.String("user"), AttributeType: "S"}, types.AttributeDefinition{AttributeName: aws.String("expires"), AttributeType: "N"})
			}
			if _, err := a.backend.Raw().CreateTable(t.Context(), input); err != nil {
				t.Fatal(err)
			}
			if _, err := a.backend.Raw().UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
				TableName:               &a.backend.Table,
				TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &test.ttl, Enabled: aws.Bool(true)},
			}); err != nil {
				t.Fatal(err)
			}
			var want string
			for _, problem := range test.want {
				want += `admin: dynamostore: table "NAME": ` + problem + "\n"
			}
			for _, command := range []string{"check", "create"} {
				if test.status != "" {
					a.backend.Inject("DescribeTimeToLive", dynamotest.Edited(func(answer map[string]any) {
						answer["TimeToLiveDescription"].(map[string]any)["TimeToLiveStatus"] = test.status
					}))
				}
				a.prints(append(slices.Clone(test.args), command), "", want, 1)
			}
			for op := range a.backend.Counts() {
				if op != "DescribeTable" && op != "DescribeTimeToLive" {
					t.Errorf("the program sent %s", op)
				}
			}
		})
	}
}

// What keeps the program from DynamoDB is told in a line of its own kind, whatever the command.
func TestCannotReachTheTable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><title>Welcome</title><p>secret page")
	}))
	defer page.Close()
	fails := func(fault dynamotest.Fault) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return fault(nil, r) })
	}
	for _, test := range []struct {
		name      string
		env       map[string]string
		args      []string
		transport http.RoundTripper
		want      string
	}{
		{
			name: "no credentials", env: map[string]string{"AWS_REGION": "us-east-1"}, transport: fails(dynamotest.Denied),
			want: `table "sessions": there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role: `,
		},
		{
			name: "no region",
			want: "no AWS region is set: give -region, or set AWS_REGION, or region in the shared AWS config file",
		},
		{
			name: "no such profile", args: []string{"-profile", "nobody"},
			want: "load the AWS configuration: failed to get shared config profile, nobody",
		},
		{
			name: "no permission", args: []string{"-region", "us-east-1", "-endpoint", "http://127.0.0.1:1"}, transport: fails(dynamotest.Denied),
			want: `table "sessions": the credentials lack the permission dynamodb:OPERATION: add it to their policy: `,
		},
		{
			name: "expired credentials", args: []string{"-endpoint", "http://127.0.0.1:1"}, transport: fails(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
				return dynamotest.Answer(r, http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired", nil), nil
			}),
			want: `table "sessions": the credentials have expired: get new ones: `,
		},
		{
			name: "no such table", args: []string{"-endpoint", "http://127.0.0.1:1"}, transport: fails(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
				return dynamotest.Answer(r, http.StatusBadRequest, "ResourceNotFoundException", "Requested resource not found", nil), nil
			}),
			want: `table "sessions": it does not exist in the region us-east-1: create it, as EnsureTable does, or set Config.Table or the client's region to where it is`,
		},
		{
			name: "no such region", args: []string{"-region", "us-nowhere-1"}, env: map[string]string{"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}, transport: fails(dynamotest.HostNotFound),
			want: `table "sessions": the host dynamodb.us-nowhere-1.amazonaws.com is not found: is there a region "us-nowhere-1", is the endpoint right, and can this machine look names up?: `,
		},
		{
			name: "an endpoint that is a web page", args: []string{"-endpoint", page.URL},
			want: `table "sessions": DynamoDB's answer could not be read: is the endpoint DynamoDB, and nothing between that changes answers?`,
		},
		{
			name: "a closed port", args: []string{"-endpoint", "http://" + closed.Addr().String()},
			want: `table "sessions": nothing listens at the endpoint: is it the right one, and does DynamoDB Local run, if that is meant?: `,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			isolate(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			for _, command := range []struct {
				args      []string
				operation string // that it begins with
			}{
				{[]string{"check"}, "DescribeTable"},
				{[]string{"create"}, "DescribeTable"},
				{[]string{"stats"}, "Scan"},
				{[]string{"list", "-user", "ann"}, "Query"},
				{[]string{"list", "-all"}, "Scan"},
				{[]string{"sign-out", "-user", "ann"}, "Query"},
				{[]string{"sign-out", "-user", "ann", "-dry-run"}, "Query"},
				{[]string{"sign-out", "-user", "ann", "-handle", "2c26b46b68ffc68f"}, "Query"},
				{[]string{"purge"}, "Scan"},
				{[]string{"purge", "-dry-run"}, "Scan"},
				{[]string{"policy"}, "DescribeTable"},
			} {
				if test.name == "no such table" && command.args[0] == "create" {
					continue // it makes one
				}
				var out, errs bytes.Buffer
				p := program{stdout: &out, stderr: &errs, transport: test.transport}
				status := p.run(t.Context(), append(slices.Clone(test.args), command.args...))
				first, _, _ := strings.Cut(errs.String(), "\n")
				want := strings.ReplaceAll(test.want, "OPERATION", command.operation)
				if printed := strings.TrimPrefix(out.String(), "scanned 0, deleted 0, kept 0\n"); status != 1 || printed != "" || !strings.HasPrefix(first, "admin: ") || !strings.Contains(first, want) || strings.Contains(errs.String(), "secret page") {
					t.Errorf("admin %q: status %d, it printed %q and on standard error\n%s\nwant a line with\n%s", command.args, status, out.String(), errs.String(), want)
				}
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Every command ends with status 1 and a line where DynamoDB refuses.
func TestEveryCommandTellsARefusal(t *testing.T) {
	a := newAdmin(t)
	for _, args := range [][]string{
		{"create"}, {"check"}, {"stats"}, {"list", "-user", "ann"}, {"list", "-all"}, {"sign-out", "-user", "ann"},
		{"sign-out", "-user", "ann", "-dry-run"}, {"purge"}, {"purge", "-dry-run"}, {"policy"},
	} {
		out, errs, status := a.run(args...) // there is no table
		if args[0] == "create" {
			a.backend.Raw().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &a.backend.Table})
			continue
		}
		lines := strings.Split(strings.TrimSuffix(errs, "\n"), "\n")
		if status != 1 || len(lines) != 1 || !strings.HasPrefix(lines[0], "admin: ") || !strings.Contains(lines[0], a.backend.Table) {
			t.Errorf("admin %q: status %d, it printed %q and on standard error %q, want 1 and a line that names the table", args, status, out, errs)
		}
	}
}

func TestUsage(t *testing.T) {
	a := newAdmin(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"frobnicate"}, `"frobnicate" is no command: see admin -help`},
		{[]string{"help", "frobnicate"}, `"frobnicate" is no command: see admin -help`},
		{[]string{"-frobnicate", "check"}, "flag provided but not defined: -frobnicate: see admin -help"},
		{[]string{"check", "-frobnicate"}, "check: flag provided but not defined: -frobnicate: see admin check -help"},
		{[]string{"check", "now"}, `check: "now" is no flag: see admin check -help`},
		{[]string{"list"}, "list: give either -user or -all: see admin list -help"},
		{[]string{"list", "-user", "ann", "-all"}, "list: give either -user or -all: see admin list -help"},
		{[]string{"sign-out"}, "sign-out: give -user: see admin sign-out -help"},
		{[]string{"sign-out", "-user", "-dry-run"}, `sign-out: -user: "-dry-run" looks like a flag: write -user=-dry-run if it is the value: see admin sign-out -help`},
		{[]string{"sign-out", "--user", "ann", "-handle", "-dry-run"}, `sign-out: -handle: "-dry-run" looks like a flag: write -handle=-dry-run if it is the value: see admin sign-out -help`},
		{[]string{"list", "-user", "-all"}, `list: -user: "-all" looks like a flag: write -user=-all if it is the value: see admin list -help`},
		{[]string{"-key-prefix", "-table", "x", "check"}, `-key-prefix: "-table" looks like a flag: write -key-prefix=-table if it is the value: see admin -help`},
		{[]string{"purge", "-parallel", "-3"}, "purge: -parallel: -3 segments: give 1 to 1000"},
		{[]string{"purge", "-dry-run", "-parallel", "1001"}, "purge: -parallel: 1001 segments: give 1 to 1000"},
		{[]string{"purge", "-per-second", "-1"}, "purge: -per-second: -1 is negative: give the most deletions in a second, or 0 for no limit"},
		{[]string{"purge", "-parallel", "0", "-per-second", "-1"}, "purge: -parallel: 0 segments: give 1 to 1000\nadmin: purge: -per-second: -1 is negative: give the most deletions in a second, or 0 for no limit"},
		{[]string{"purge", "-dry-run", "-parallel", "2"}, "purge: -dry-run counts in one go, and deletes nothing: leave out -parallel and -per-second"},
		{[]string{"purge", "-per-second", "5", "-dry-run"}, "purge: -dry-run counts in one go, and deletes nothing: leave out -parallel and -per-second"},
		{[]string{"-endpoint", "localhost:8000", "check"}, `-endpoint: "localhost:8000" is no URL: give one such as http://localhost:8000`},
		{[]string{"-timeout", "-1s", "check"}, "-timeout: -1s is negative: give a duration such as 30s, or 0 for none"},
		{[]string{"-timeout", "soon", "check"}, `invalid value "soon" for flag -timeout: parse error: see admin -help`},
		{[]string{"-table", "?", "check"}, `dynamostore: Config.Table: "?" is no name of a table: it takes 3 to 255 of the characters a-z, A-Z, 0-9, _, - and ., or the table's ARN`},
		{[]string{"-key-attribute", "user", "check"}, `dynamostore: Config.KeyAttribute: "user" is the name of an attribute that this package uses itself: it takes any but ["codec" "version" "prior" "created" "max_age" "user" "moved" "lock" "lock_until"]`},
		{[]string{"policy", "-features", "save,fly"}, `policy: -features: "fly" is none: see admin policy -help`},
		{[]string{"policy", "-account", "12"}, `policy: -account: "12" is no number of an AWS account: give its 12 digits`},
	} {
		a.prints(test.args, "", "admin: "+test.want+"\n", 2)
	}
	if out, errs, status := a.run(); status != 2 || out != "" || !strings.Contains(errs, "sign-out") || !strings.HasSuffix(errs, "admin: give a command, such as check\n") {
		t.Errorf("without a command: status %d, it printed %q and on standard error\n%s", status, out, errs)
	}
	if counts := a.backend.Counts(); len(counts) != 0 {
		t.Errorf("DynamoDB was sent %v", counts)
	}
}

// Help goes to standard output, and names each flag, and examples that are called rightly.
func TestHelp(t *testing.T) {
	a := newAdmin(t)
	for _, args := range [][]string{{"-help"}, {"help"}, {"-h"}} {
		out, errs, status := a.run(args...)
		for _, c := range commands() {
			if !strings.Contains(out, "\n  "+c.name+" ") {
				t.Errorf("admin %q does not name %s", args, c.name)
			}
		}
		if status != 0 || errs != "" {
			t.Errorf("admin %q: status %d, on standard error %q", args, status, errs)
		}
	}
	for _, c := range commands() {
		help, errs, status := a.run(c.name, "-help")
		if status != 0 || errs != "" || !strings.Contains(help, "\n  -table name") || !strings.HasPrefix(help, "Usage: admin [flags] "+c.name) {
			t.Errorf("admin %s -help: status %d, it printed %q and on standard error %q", c.name, status, help, errs)
		}
		if again, _, _ := a.run("help", c.name); again != help {
			t.Errorf("admin help %s is another text than admin %[1]s -help", c.name)
		}
		if len(c.examples) == 0 {
			t.Errorf("%s has no example", c.name)
		}
		for _, example := range c.examples {
			var out, errs bytes.Buffer
			p := program{stdout: &out, stderr: &errs, transport: roundTripper(func(r *http.Request) (*http.Response, error) { return dynamotest.Denied(nil, r) })}
			if status := p.run(t.Context(), strings.Fields(example)); status == 2 {
				t.Errorf("admin %s is called wrongly: %s", example, errs.String())
			}
		}
	}
}

// list shows a session by a handle, and its key on demand only.
func TestListAndSignOut(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	keys := []string{a.save("ann"), a.save("ann"), a.save("bob"), a.save("")}
	a.put("expired", -time.Hour, -2*time.Hour, dynamotest.Item{"user": dynamotest.S("ann")})
	handleOf := func(key string) string {
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:8])
	}
	const when = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`

	out, errs, status := a.run("list", "-user", "ann")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	pattern := regexp.MustCompile(`^HANDLE +CREATED +EXPIRES +USER\n([0-9a-f]{16}  ` + when + `  ` + when + `  ann\n){2}$`)
	if status != 0 || errs != "" || !pattern.MatchString(out) {
		t.Fatalf("list: status %d, it printed\n%sand on standard error %q", status, out, errs)
	}
	for _, key := range keys {
		if strings.Contains(out, key) || strings.Contains(out, key[:8]) {
			t.Errorf("list shows a key:\n%s", out)
		}
	}
	for _, key := range keys[:2] {
		if !strings.Contains(out, handleOf(key)) {
			t.Errorf("list does not show the handle %s:\n%s", handleOf(key), out)
		}
	}
	if out, _, _ := a.run("list", "-user", "ann", "-show-keys"); !strings.Contains(out, keys[0]) || !strings.Contains(out, keys[1]) || strings.Contains(out, keys[2]) {
		t.Errorf("list -show-keys shows other keys than ann's:\n%s", out)
	}
	out, _, status = a.run("list", "-all", "-json")
	users := map[string]int{}
	for line := range strings.Lines(out) {
		var got map[string]string
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("list -json printed %q: %v", line, err)
		}
		users[got["user"]]++
		if _, ok := got["key"]; ok || len(got) != 4 || len(got["handle"]) != 16 || !regexp.MustCompile("^"+when+"$").MatchString(got["expires"]) {
			t.Errorf("list -json printed %q", line)
		}
	}
	if want := map[string]int{"ann": 2, "bob": 1, "": 1}; status != 0 || !maps.Equal(users, want) {
		t.Errorf("list -all: status %d, sessions of %v, want %v", status, users, want)
	}
	a.prints([]string{"list", "-user", "carl"}, "", "there is no live session\n", 0)

	a.prints([]string{"sign-out", "-user", "ann", "-dry-run"}, lines[1]+"\n"+lines[2]+"\nwould end 2 sessions of ann\n", "", 0)
	if n := len(a.backend.Items(t)); n != 5 {
		t.Errorf("after sign-out -dry-run, the table holds %d items, want 5", n)
	}
	a.prints([]string{"sign-out", "-user", "ann", "-handle", handleOf(keys[1])}, "ended 1 session of ann\n", "", 0)
	a.prints([]string{"sign-out", "-user", "ann", "-handle", handleOf(keys[2]), "-handle", "x"}, "ended 0 sessions of ann\n",
		"admin: ann: no live session has the handle "+handleOf(keys[2])+", x: see admin list -user\n", 1)
	a.save("ann")
	a.prints([]string{"sign-out", "-user", "ann"}, "ended 2 sessions of ann\n", "", 0)
	a.prints([]string{"sign-out", "-user", "ann"}, "ended 0 sessions of ann\n", "", 0)
	var left []string
	for _, item := range a.backend.Items(t) {
		left = append(left, item["id"].(*types.AttributeValueMemberS).Value)
	}
	want := []string{keys[2], keys[3], "expired"}
	slices.Sort(left)
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("the table holds %q, want %q", left, want)
	}
}

// Sign-out by handle ends only what is the user's at that moment, and counts what it ended.
func TestSignOutOfAHandle(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	keys := []string{a.save("ann"), a.save("ann"), a.save("ann")}
	slices.Sort(keys) // whatever the order in which they are found
	args := []string{"sign-out", "-user", "ann"}
	for _, key := range keys {
		args = append(args, "-handle", handle(key))
	}
	change := func(key, update string, names map[string]string, values dynamotest.Item) {
		if _, err := a.backend.Raw().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &a.backend.Table, Key: dynamotest.Item{"id": dynamotest.S(key)},
			UpdateExpression: &update, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}); err != nil {
			t.Error(err)
		}
	}
	// While the first deletion is under way, one session becomes bob's, and another one's ID is rotated.
	a.backend.Inject("DeleteItem", dynamotest.Do(func() {
		change(keys[0], "SET #user = :bob", map[string]string{"#user": "user"}, dynamotest.Item{":bob": dynamotest.S("bob")})
		change(keys[1], "SET moved = :now REMOVE #data, #user", map[string]string{"#data": "data", "#user": "user"}, dynamotest.Item{":now": dynamotest.N("1")})
	}))
	out, errs, status := a.run(args...)
	const left = "admin: ann: not ended, since it has ended, got a new ID or changed hands meanwhile: "
	if status != 1 || out != "ended 1 session of ann\n" || !strings.HasPrefix(errs, left) ||
		!strings.Contains(errs, handle(keys[0])) || !strings.Contains(errs, handle(keys[1])) || strings.Contains(errs, handle(keys[2])) || strings.Count(errs, "\n") != 1 {
		t.Errorf("admin %q: status %d, it printed %q and on standard error\n%s\nwant 1 session, and a line with the other two's handles", args, status, out, errs)
	}
	var there []string
	for _, item := range a.backend.Items(t) {
		there = append(there, item["id"].(*types.AttributeValueMemberS).Value)
	}
	if slices.Sort(there); !slices.Equal(there, keys[:2]) {
		t.Errorf("the table holds %q, want bob's session and the tombstone, %q", there, keys[:2])
	}

	// What was ended before an error is told.
	keys = []string{a.save("carl"), a.save("carl")}
	a.backend.Inject("DeleteItem", dynamotest.Do(func() {}), dynamotest.Denied)
	out, errs, status = a.run("sign-out", "-user", "carl", "-handle", handle(keys[0]), "-handle", handle(keys[1]))
	if status != 1 || out != "ended 1 session of carl\n" || !strings.Contains(errs, "the credentials lack the permission dynamodb:DeleteItem") {
		t.Errorf("sign-out: status %d, it printed %q and on standard error %q, want 1 session and the refusal", status, out, errs)
	}
	a.prints([]string{"sign-out", "-user=-x"}, "ended 0 sessions of -x\n", "", 0)
}

// Names that are not those of the table's items are told, by each command that would else find nothing.
func TestWrongNamesAreTold(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	scans := [][]string{{"stats"}, {"stats", "-json"}, {"list", "-all"}, {"purge"}, {"purge", "-dry-run"}, {"purge", "-parallel", "3"}}
	for _, args := range scans { // nothing is wrong with an empty table
		if _, errs, status := a.run(append(slices.Clone(args), "-data-attribute", "d", "-expires-attribute", "ttl")...); status != 0 {
			t.Errorf("admin %q: status %d, on standard error %q", args, status, errs)
		}
	}
	a.put("web#1", -time.Hour, -2*time.Hour, dynamotest.Item{"user": dynamotest.S("ann")})
	a.put("web#2", time.Hour, -2*time.Hour, dynamotest.Item{"user": dynamotest.S("ann")})
	a.put("web#3", -time.Minute, 0, dynamotest.Item{"moved": dynamotest.N("1"), "data": nil})
	const key = `an item has no string (S) under "pk", which Config.KeyAttribute says is the table's partition key: set it`
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-key-attribute", "pk"}, key},
		{[]string{"-key-attribute", "pk", "-key-prefix", "web#"}, key},
		{[]string{"-sort-key-attribute", "s", "-sort-key-value", "x"}, `an item has no string (S) under "s", which Config.SortKeyAttribute says is the table's sort key: set it`},
		{[]string{"-data-attribute", "d", "-key-prefix", "web#"}, `it holds items, and none of them has the attribute "d", so none is a session: is -data-attribute the service's Config.DataAttribute?`},
		{[]string{"-expires-attribute", "ttl"}, `none of its sessions has a number in the attribute "ttl", so none would ever end: is -expires-attribute the service's Config.ExpiresAttribute?`},
	} {
		for _, args := range scans {
			args := append(slices.Clone(args), test.flags...)
			_, errs, status := a.run(args...)
			if last := errs[strings.LastIndex(strings.TrimSuffix(errs, "\n"), "\n")+1:]; status != 1 || !strings.HasPrefix(last, "admin: ") || !strings.Contains(last, test.want) || !strings.Contains(last, a.backend.Table) {
				t.Errorf("admin %q: status %d, on standard error %q, want 1 and a line with %q", args, status, errs, test.want)
			}
		}
	}
	if n := len(a.backend.Items(t)); n != 3 {
		t.Errorf("the table holds %d items, want 3", n)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"list", "-user", "ann", "-key-attribute", "pk"}, key},
		{[]string{"sign-out", "-user", "ann", "-key-attribute", "pk"}, key},
		{[]string{"list", "-user", "ann", "-expires-attribute", "ttl"}, `its index "user-index" has other keys than "user" (S) and "ttl" (N): set Config.UserIndex or Config.ExpiresAttribute as CheckTable tells: `},
		{[]string{"sign-out", "-user", "ann", "-user-index", "by-user"}, `it has no index "by-user": create it, as EnsureTable does, or set Config.UserIndex to the one it has: `},
	} {
		if out, errs, status := a.run(test.args...); status != 1 || out != "" || !strings.Contains(errs, test.want) {
			t.Errorf("admin %q: status %d, it printed %q and on standard error %q, want 1 and a line with %q", test.args, status, out, errs, test.want)
		}
	}
	// Sessions of other applications are no reason to fail.
	for _, args := range scans {
		if _, errs, status := a.run(append(slices.Clone(args), "-key-prefix", "app#")...); status != 0 {
			t.Errorf("admin %q -key-prefix app#: status %d, on standard error %q", args, status, errs)
		}
	}
}

// A table with a sort key, of which the flags say nothing, refuses a deletion.
func TestPurgeWithoutTheSortKey(t *testing.T) {
	a := newAdmin(t)
	a.backend.CreateTable(t, "id", "sk")
	a.put("x", -time.Hour, 0, dynamotest.Item{"sk": dynamotest.S("session")})
	const want = "the table's keys are not those that Config.KeyAttribute and Config.SortKeyAttribute name: set them as CheckTable tells: "
	if _, errs, status := a.run("purge"); status != 1 || !strings.Contains(errs, want) {
		t.Errorf("purge: status %d, on standard error %q, want 1 and a line with %q", status, errs, want)
	}
}

// In a table that is shared, how many items there are tells nothing of how far a purge of one's own is.
func TestPurgeOfASharedTableShowsNoPercentage(t *testing.T) {
	for _, test := range []struct {
		sort string
		args []string
	}{
		{"", []string{"purge", "-key-prefix", "web#"}},
		{"sk", []string{"purge", "-sort-key-attribute", "sk", "-sort-key-value", "session"}},
	} {
		a := newAdmin(t)
		a.backend.CreateTable(t, "id", test.sort)
		for i := range 4 {
			for _, application := range []string{"web#", "app#"} {
				a.put(application+strconv.Itoa(i), -time.Hour, 0, dynamotest.Item{"sk": dynamotest.S(map[string]string{"web#": "session", "app#": "other"}[application])})
			}
		}
		out, errs, status := a.run(test.args...)
		if line := regexp.MustCompile(`^\d scanned, \d deleted\n$`); status != 0 || out != "scanned 4, deleted 4, kept 0\n" || !line.MatchString(errs) {
			t.Errorf("admin %q: status %d, it printed %q and on standard error %q", test.args, status, out, errs)
		}
	}
}

// check -json prints its object also where it does not get as far as to look.
func TestCheckJSONWithoutAConfiguration(t *testing.T) {
	for problem, args := range map[string][]string{
		"no AWS region is set: give -region":                                                nil,
		"load the AWS configuration: failed to get shared config profile, nobody":           {"-profile", "nobody"},
		`dynamostore: look at table "sessions": nothing listens at the endpoint: is it the`: {"-endpoint", "http://127.0.0.1:1"},
	} {
		isolate(t)
		var out, errs bytes.Buffer
		p := program{stdout: &out, stderr: &errs, transport: roundTripper(func(r *http.Request) (*http.Response, error) { return dynamotest.Refused(nil, r) })}
		status := p.run(t.Context(), append(args, "check", "-json"))
		var got struct {
			OK       bool
			Table    string
			Problems []string
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || status != 1 || got.OK || got.Table != "sessions" || len(got.Problems) != 1 || !strings.HasPrefix(got.Problems[0], problem) || errs.Len() > 0 {
			t.Errorf("check -json %q: status %d, %v, it printed %q and on standard error %q, want the problem %q", args, status, err, out.String(), errs.String(), problem)
		}
	}
}

// A name that would do something to the terminal is quoted.
func TestListQuotesWhatIsNotPlain(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	a.save("ann\n\x1b[2J")
	out, _, status := a.run("list", "-all")
	if status != 0 || !strings.HasSuffix(out, `  "ann\n\x1b[2J"`+"\n") {
		t.Errorf("list: status %d, it printed %q", status, out)
	}
}

func TestStats(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	const day = 24 * time.Hour
	for i := range 8 {
		a.put(fmt.Sprint("new ", i), 30*time.Minute, -10*time.Minute, nil)
	}
	for i := range 4 {
		a.put(fmt.Sprint("old ", i), 5*day, -3*day, nil)
	}
	a.put("ancient", 40*day, -400*day, nil)
	a.put("foreign", 2*time.Hour, 0, nil)
	a.put("endless", 0, -time.Hour-time.Minute, nil)
	a.put("expired", -2*time.Hour, -3*day, nil)
	a.put("expired long ago", -3*day, -4*day, nil)
	a.put("tombstone", time.Minute, 0, dynamotest.Item{"moved": dynamotest.N("1"), "data": nil})
	a.put("tombstone, expired", -time.Minute, 0, dynamotest.Item{"moved": dynamotest.N("1"), "data": nil})
	a.put("no session", -time.Minute, 0, dynamotest.Item{"data": nil})
	a.prints([]string{"stats"}, `table "NAME": 15 live, 2 expired and not deleted yet; 2 tombstones of rotated IDs

age                           live   expired
  under 1 hour                   8         0  ########################################
  under 1 day                    1         0  #####
  under 7 days                   4         2  ####################----------
  under 30 days                  0         0
  30 days or more                1         0  #####
  not known                      1         0  #####

time left                     live   expired
  under 1 hour                   8         0  ########################################
  under 1 day                    1         0  #####
  under 7 days                   4         0  ####################
  under 30 days                  0         0
  30 days or more                1         0  #####
  without end                    1         0  #####

expired for                   live   expired
  under 1 hour                   0         0
  under 1 day                    0         1  ----------------------------------------
  under 7 days                   0         1  ----------------------------------------
  under 30 days                  0         0
  30 days or more                0         0
  by age (-max-lifetime)         0         0
`, "", 0)
	out, errs, status := a.run("stats", "-json", "-max-lifetime", "24h")
	var got tally
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 || errs != "" {
		t.Fatalf("stats -json: status %d, %v, it printed %q and on standard error %q", status, err, out, errs)
	}
	if got.Live != 10 || got.Expired != 7 || got.Tombstones != 2 || got.WithoutEnd != 1 || got.ByTimeExpired[5].Expired != 5 || got.Table != a.backend.Table {
		t.Errorf("stats -json -max-lifetime 24h = %+v", got)
	}
	a.prints([]string{"-key-prefix", "nobody's", "stats"}, `table "NAME": 0 live, 0 expired and not deleted yet; 0 tombstones of rotated IDs`+"\n", "", 0)
}

func TestPurge(t *testing.T) {
	a := newAdmin(t)
	a.createTable()
	for i := range 10 {
		expires := time.Hour
		if i%2 == 0 {
			expires = -time.Hour
		}
		a.put(fmt.Sprint(i), expires, -2*time.Hour, nil)
	}
	a.put("tombstone", -time.Minute, 0, dynamotest.Item{"moved": dynamotest.N("1"), "data": nil})
	a.prints([]string{"purge", "-dry-run"}, "scanned 11, would delete 6, would keep 5\n", "", 0)
	a.prints([]string{"purge", "-dry-run", "-json"}, `{"expired":6,"kept":5,"scanned":11}`+"\n", "", 0)
	if n := len(a.backend.Items(t)); n != 11 {
		t.Errorf("after purge -dry-run, the table holds %d items, want 11", n)
	}
	if counts := a.backend.Counts(); counts["DeleteItem"] != 0 {
		t.Errorf("purge -dry-run sent %v", counts)
	}
	out, errs, status := a.run("purge", "-parallel", "2", "-per-second", "1000")
	if line := regexp.MustCompile(`^\[#+\.*\] +\d+%  \d+ scanned, \d+ deleted\n$`); status != 0 || out != "scanned 11, deleted 6, kept 5\n" || !line.MatchString(errs) {
		t.Errorf("purge: status %d, it printed %q and on standard error %q", status, out, errs)
	}
	if n := len(a.backend.Items(t)); n != 5 {
		t.Errorf("after purge, the table holds %d items, want 5", n)
	}
	a.terminal = true
	out, errs, status = a.run("purge", "-json")
	if bar := regexp.MustCompile(`^\r\[#{30}\] 100%  5 scanned, 0 deleted\r {54,}\r$`); status != 0 || out != `{"deleted":0,"kept":5,"scanned":5}`+"\n" || !bar.MatchString(errs) {
		t.Errorf("purge on a terminal: status %d, it printed %q and on standard error %q", status, out, errs)
	}
	a.terminal = false
	// What was done before an error is told.
	a.put("a", -time.Hour, 0, nil)
	a.put("b", -time.Hour, 0, nil)
	a.backend.Inject("DeleteItem", dynamotest.Do(func() {}), dynamotest.Denied)
	a.backend.Inject("DescribeTable", dynamotest.Denied) // without which there is no percentage
	out, errs, status = a.run("purge")
	if status != 1 || !strings.Contains(out, ", deleted 1, ") || !strings.Contains(errs, "AccessDeniedException") || strings.Contains(errs, "%") {
		t.Errorf("purge: status %d, it printed %q and on standard error %q", status, out, errs)
	}
}

// An interrupt and -timeout end what is under way.
func TestCommandsEnd(t *testing.T) {
	a := newAdmin(t)
	a.backend.Inject("Scan", dynamotest.Silent)
	if _, errs, status := a.run("-timeout", "20ms", "stats"); status != 1 || !strings.Contains(errs, "deadline exceeded") {
		t.Errorf("stats: status %d, on standard error %q, want 1 and that the time is over", status, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a.backend.Inject("Scan", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		cancel()
		return dynamotest.Silent(next, r)
	})
	if _, errs, status := a.runCtx(ctx, "purge"); status != 1 || !strings.Contains(errs, "canceled") {
		t.Errorf("purge: status %d, on standard error %q, want 1 and that it was canceled", status, errs)
	}
}

// On DynamoDB Local, -endpoint is enough.
func TestPlaceholderCredentials(t *testing.T) {
	a := newAdmin(t)
	isolate(t)
	var out, errs bytes.Buffer
	p := program{stdout: &out, stderr: &errs, transport: a.backend.Client.Options().HTTPClient.(*http.Client).Transport}
	for _, command := range []string{"create", "check"} {
		if status := p.run(t.Context(), []string{"-endpoint", a.endpoint, "-table", a.backend.Table, command}); status != 0 {
			t.Errorf("%s: status %d, on standard error %q", command, status, errs.String())
		}
	}
}

func TestPolicy(t *testing.T) {
	a := newAdmin(t)
	a.prints([]string{"-table", "sessions", "-region", "eu-central-1", "policy", "-account", "123456789012"}, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem"
      ],
      "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"
    }
  ]
}
`, "", 0)
	a.prints([]string{"-table", "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/s-1", "-user-index", "by-user", "policy", "-features", "users, purge"}, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "dynamodb:DeleteItem",
        "dynamodb:Scan"
      ],
      "Resource": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/s-1"
    },
    {
      "Effect": "Allow",
      "Action": [
        "dynamodb:Query"
      ],
      "Resource": "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/s-1/index/by-user"
    }
  ]
}
`, "", 0)
	for region, want := range map[string]string{"cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:", "eu-west-1": "arn:aws:dynamodb:eu-west-1:123456789012:table/"} {
		if out, _, _ := a.run("-region", region, "policy", "-account", "123456789012"); !strings.Contains(out, `"`+want) {
			t.Errorf("the policy for %s has no ARN that begins with %q:\n%s", region, want, out)
		}
	}
	a.createTable()
	table, err := a.backend.Raw().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &a.backend.Table})
	if err != nil {
		t.Fatal(err)
	}
	if out, _, status := a.run("policy"); status != 0 || !strings.Contains(out, `"`+*table.Table.TableArn+`"`) {
		t.Errorf("policy: status %d, it printed\n%s\nwant the ARN %s, which DynamoDB tells", status, out, *table.Table.TableArn)
	}
}

// Each feature sends what its policy allows, all of that, and nothing else.
func TestPolicyIsWhatEachFeatureNeeds(t *testing.T) {
	newStore := func(t *testing.T, a *admin) *dynamostore.Store {
		store, err := dynamostore.New(a.backend.Client, dynamostore.Config{Table: a.backend.Table, UserKey: "user"}, make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	// visit is a request with a cookie, "" for none, and returns the one that it sets.
	visit := func(t *testing.T, store *dynamostore.Store, cookie string, do func(*http.Request, http.ResponseWriter, *sessions.Session) error) string {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie)
		session, err := store.Get(r, "session")
		if err != nil {
			t.Fatal(err)
		}
		if err := do(r, w, session); err != nil {
			t.Fatal(err)
		}
		set, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		return set
	}
	save := func(value any) func(*http.Request, http.ResponseWriter, *sessions.Session) error {
		return func(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
			session.Values["k"], session.Values["user"] = value, "ann"
			return session.Save(r, w)
		}
	}
	uses := map[string]func(*testing.T, *admin, *dynamostore.Store){
		"save": func(t *testing.T, a *admin, store *dynamostore.Store) {
			cookie := visit(t, store, "", save(1))
			visit(t, store, cookie, save(2))
			visit(t, store, cookie, func(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
				session.Options.MaxAge = -1
				return session.Save(r, w)
			})
		},
		"regenerate": func(t *testing.T, a *admin, store *dynamostore.Store) {
			other := newStore(t, a)
			cookie := visit(t, other, "", save(1))
			a.backend.Counts()
			visit(t, store, cookie, func(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
				return store.Regenerate(r, w, session)
			})
		},
		"users": func(t *testing.T, a *admin, store *dynamostore.Store) {
			visit(t, newStore(t, a), "", save(1))
			a.backend.Counts()
			if n, err := store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
				t.Fatalf("DestroyUser = %d, %v", n, err)
			}
		},
		"list": func(t *testing.T, a *admin, store *dynamostore.Store) {
			for _, err := range store.Sessions(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
			}
		},
		"check": func(t *testing.T, a *admin, store *dynamostore.Store) { store.CheckTable(t.Context()) },
		"create": func(t *testing.T, a *admin, store *dynamostore.Store) {
			a.backend.CreateTable(t, "id", "")
			for range 2 {
				if err := store.EnsureTable(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := a.backend.Raw().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &a.backend.Table}); err != nil {
					t.Fatal(err)
				}
			}
		},
		"purge": func(t *testing.T, a *admin, store *dynamostore.Store) {
			a.put("expired", -time.Hour, 0, nil)
			if _, err := store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, f := range features {
		t.Run(f.name, func(t *testing.T) {
			a := newAdmin(t)
			if f.name != "create" {
				a.createTable()
			}
			uses[f.name](t, a, newStore(t, a))
			var table, index []string
			for op := range a.backend.Counts() {
				switch op {
				case "Query": // UserSessions asks nothing but the index
					index = append(index, op)
				case "TransactWriteItems":
					table = append(table, "PutItem", "UpdateItem")
				default:
					table = append(table, op)
				}
			}
			if want := slices.Sorted(slices.Values(f.table)); !slices.Equal(slices.Sorted(slices.Values(table)), want) {
				t.Errorf("it sent %q to the table, and its policy allows %q", table, want)
			}
			if !slices.Equal(index, f.index) {
				t.Errorf("it sent %q to the index, and its policy allows %q", index, f.index)
			}
		})
	}
}

// The operators' page has the same features.
func TestOperatingListsTheFeatures(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Permissions\n")
	_, table, _ := strings.Cut(section, "\n| --- | --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	code := func(names []string) string {
		if names == nil {
			return ""
		}
		return "`" + strings.Join(names, "`, `") + "`"
	}
	var want []string
	for _, f := range features {
		want = append(want, strings.TrimSpace(fmt.Sprintf("| `%s` | %s | %s | %s", f.name, f.what, code(f.table), code(f.index)))+" |")
	}
	if want := strings.Join(want, "\n"); table != want {
		t.Errorf("docs/operating.md has\n%s\nthe admin program\n%s", table, want)
	}
}

// The commands of README.md do what it says, in their order, on an account without a table.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	a := newAdmin(t)
	commands := regexp.MustCompile(`(?m)^    go run \./example/admin (.+)$`).FindAllStringSubmatch(string(readme), -1)
	if len(commands) < 5 {
		t.Fatalf("found %d commands", len(commands))
	}
	for _, command := range commands {
		args := strings.Fields(strings.Replace(command[1], "-table sessions", "-table "+a.backend.Table, 1))
		if out, errs, status := a.run(args...); status != 0 || out+errs == "" {
			t.Errorf("admin %s: status %d\n%s%s", command[1], status, out, errs)
		}
	}
}
