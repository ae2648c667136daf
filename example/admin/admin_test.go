package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// admin runs the program on the table of a test's backend.
type admin struct {
	*testing.T
	backend  *dynamotest.Backend
	endpoint string
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
	p := program{stdout: &out, stderr: &errs, transport: a.transport()}
	status = p.run(ctx, append([]string{"-aws", "-endpoint", a.endpoint, "-table", a.backend.Table}, args...))
	if name := regexp.MustCompile(`Config\.|EnsureTable|CheckTable|PurgeExpired|UserSessions|DestroyUser`).FindString(errs.String()); name != "" {
		a.Errorf("admin %q: an error names %s, which is not a flag or a command: %s", args, name, errs.String())
	}
	return out.String(), errs.String(), status
}

// transport counts requests, and disturbs them as the test wants.
func (a *admin) transport() http.RoundTripper {
	return a.backend.Client.Options().HTTPClient.(*http.Client).Transport
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

// store returns the service's Store.
func (a *admin) store(client dynamostore.Client) *dynamostore.Store {
	a.Helper()
	store, err := dynamostore.New(client, dynamostore.Config{Table: a.backend.Table, UserKey: "user", LabelKey: "device"}, make([]byte, 32))
	if err != nil {
		a.Fatal(err)
	}
	return store
}

// save creates a session, as the service does, and returns its key. user and label may be empty.
func (a *admin) save(user, label string) string {
	a.Helper()
	store := a.store(a.backend.Raw())
	r := httptest.NewRequest("GET", "/", nil)
	session, err := store.Get(r, "session")
	if err != nil {
		a.Fatal(err)
	}
	for key, value := range map[string]string{"user": user, "device": label} {
		if value != "" {
			session.Values[key] = value
		}
	}
	if err := session.Save(r, httptest.NewRecorder()); err != nil {
		a.Fatal(err)
	}
	return store.Key(session)
}

// secondsAgo is the attribute of a time.
func secondsAgo(d time.Duration) types.AttributeValue {
	return dynamotest.N(strconv.FormatInt(time.Now().Add(-d).Unix(), 10))
}

// put stores an item whose end and creation are that far from now; 0 for none.
func (a *admin) put(key string, expires, created time.Duration, more dynamotest.Item) {
	a.Helper()
	item := dynamotest.Item{"id": dynamotest.S(key), "data": dynamotest.B([]byte("x"))}
	if expires != 0 {
		item["expires"] = secondsAgo(-expires)
	}
	if created != 0 {
		item["created"] = secondsAgo(-created)
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

// createTable creates the table without the program, and without TTL, which would delete what a
// test counts.
func (a *admin) createTable() {
	a.Helper()
	a.backend.CreateTable(a.T, "id", "")
	if err := a.store(a.backend.Raw()).EnsureTable(a.Context()); err != nil {
		a.Fatal(err)
	}
	a.setTTL("expires", false)
}

// The program can be copied into another module.
func TestImportsNothingInternal(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || files == nil {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("/internal/")) {
			t.Errorf("%s imports an internal package", name)
		}
	}
}

func TestCreateAndCheck(t *testing.T) {
	a := newAdmin(t)
	const missing = `table "NAME": the table does not exist in the region us-east-1; create it with admin create, or set -table or -region`
	a.prints([]string{"check"}, "", "admin: "+missing+"\n", 1)
	const form = `partition key "pk", sort key "sk", TTL on "ttl", index "by-user"`
	flags := []string{"-key-attribute", "pk", "-sort-key-attribute", "sk", "-sort-key-value", "session", "-expires-attribute", "ttl", "-user-key", "user", "-user-index", "by-user"}
	for range 2 { // what exists is kept
		a.prints(append(flags, "create"), `table "NAME" is ready: `+form+"\n", "", 0)
	}
	a.prints(append(flags, "check"), `table "NAME" is as it should be: `+form+"\n", "", 0)
	const ok = `{"ok":true,"problems":[],"table":"NAME"}` + "\n"
	a.prints(append([]string{"check", "-json"}, flags...), ok, "", 0) // flags can follow the command
	a.prints(append([]string{"-json", "check"}, flags...), ok, "", 0)
	a.prints(append([]string{"-json", "create"}, flags...), ok, "", 0)
	const wrong = `the partition key is \"pk\", but -key-attribute is \"id\"; set -key-attribute to \"pk\", or use another table`
	for _, command := range []string{"check", "create"} {
		a.prints(append(flags, "-key-attribute", "id", command, "-json"), `{"ok":false,"problems":["table \"NAME\": `+wrong+`"],"table":"NAME"}`+"\n", "", 1)
	}
}

// What is wrong with a table is told in the names of this program, by create as well, which does
// not change it. All that can be wrong is tested in internal/tableadmin.
func TestProblemsNameFlagsAndCommands(t *testing.T) {
	for _, test := range []struct {
		name string
		sort string
		ttl  string
		args []string
		want []string
	}{
		{
			"no sort key", "", "expires", []string{"-sort-key-attribute", "sk", "-sort-key-value", "session"},
			[]string{`there is no sort key, but -sort-key-attribute is "sk"; leave -sort-key-attribute and -sort-key-value empty, or use another table`},
		},
		{
			"sort key, TTL and index", "range", "ttl", []string{"-user-key", "user"},
			[]string{
				`there is a sort key, "range", but -sort-key-attribute is empty; set it to "range" and -sort-key-value to the value that marks a session, or use another table`,
				`there is no index "user-index", but -user-key is set; add the index with admin create, or set -user-index to one with the partition key "user" and the sort key "expires"`,
				`TTL is on for the attribute "ttl" (ENABLED), but -expires-attribute is "expires"; set -expires-attribute to "ttl", or turn TTL off and, up to an hour later, on for "expires"`,
			},
		},
		{
			"TTL off", "range", "", nil,
			[]string{
				`there is a sort key, "range", but -sort-key-attribute is empty; set it to "range" and -sort-key-value to the value that marks a session, or use another table`,
				`TTL is off, so expired sessions stay in the table and cost money; make sure that TTL would delete nothing else, then turn it on for the attribute "expires", or delete expired sessions with admin purge`,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAdmin(t)
			a.backend.CreateTable(t, "id", test.sort)
			if test.ttl != "" {
				a.setTTL(test.ttl, true)
			}
			want := ""
			for _, problem := range test.want {
				want += `admin: table "NAME": ` + problem + "\n"
			}
			for _, command := range []string{"check", "create"} {
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
			want: `table "sessions": there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine, container or function a role: `,
		},
		{
			name: "no region",
			want: "no AWS region is set; give -region, or set AWS_REGION, or region in the shared AWS config file",
		},
		{
			name: "no such profile", args: []string{"-profile", "nobody"},
			want: "load the AWS configuration: failed to get shared config profile, nobody",
		},
		{
			name: "no permission", args: []string{"-region", "us-east-1", "-endpoint", "http://127.0.0.1:1"}, transport: fails(dynamotest.Denied),
			want: `table "sessions": the credentials lack the permission dynamodb:OPERATION; add it to their policy: `,
		},
		{
			name: "expired credentials", args: []string{"-endpoint", "http://127.0.0.1:1"}, transport: fails(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
				return dynamotest.Answer(r, http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired", nil), nil
			}),
			want: `table "sessions": the credentials have expired; get new ones: `,
		},
		{
			name: "no such table", args: []string{"-endpoint", "http://127.0.0.1:1"}, transport: fails(func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
				return dynamotest.Answer(r, http.StatusBadRequest, "ResourceNotFoundException", "Requested resource not found", nil), nil
			}),
			want: `table "sessions": the table does not exist in the region us-east-1; create it with admin create, or set -table or -region`,
		},
		{
			name: "no such region", args: []string{"-region", "us-nowhere-1"}, env: map[string]string{"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}, transport: fails(dynamotest.HostNotFound),
			want: `table "sessions": the host dynamodb.us-nowhere-1.amazonaws.com was not found; check the region "us-nowhere-1", the endpoint, and this machine's name resolution: `,
		},
		{
			name: "an endpoint that is a web page", args: []string{"-endpoint", page.URL},
			want: `table "sessions": DynamoDB's response could not be read; check that the endpoint is DynamoDB, and that nothing in between changes responses`,
		},
		{
			name: "a closed port", args: []string{"-aws", "-endpoint", "http://" + closed.Addr().String()},
			env:  map[string]string{"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"},
			want: `table "sessions": nothing listens at the endpoint; check the endpoint and, if it is DynamoDB Local, that it is running: `,
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
				if status != 1 || out.String() != "" || !strings.HasPrefix(first, "admin: ") || !strings.Contains(first, want) || strings.Contains(errs.String(), "secret page") {
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
		{nil, "the command is missing; see admin -help"},
		{[]string{"frobnicate"}, `there is no command "frobnicate"; see admin -help`},
		{[]string{"help", "frobnicate"}, `there is no command "frobnicate"; see admin -help`},
		{[]string{"-frobnicate", "check"}, "flag provided but not defined: -frobnicate; see admin -help"},
		{[]string{"check", "-frobnicate"}, "check: flag provided but not defined: -frobnicate; see admin check -help"},
		{[]string{"check", "now"}, `check: "now" is not a flag; see admin check -help`},
		{[]string{"list"}, "list: want either -user or -all; see admin list -help"},
		{[]string{"list", "-user", "ann", "-all"}, "list: want either -user or -all; see admin list -help"},
		{[]string{"list", "-user", "-all"}, `list: the value of -user looks like a flag, "-all"; write -user=-all if it is the value; see admin list -help`},
		{[]string{"sign-out"}, "sign-out: want -user; see admin sign-out -help"},
		{[]string{"sign-out", "--user", "-dry-run"}, `sign-out: the value of -user looks like a flag, "-dry-run"; write -user=-dry-run if it is the value; see admin sign-out -help`},
		{[]string{"sign-out", "-user", "ann", "-handle", "-dry-run"}, `sign-out: invalid value "-dry-run" for flag -handle: want the 16 hexadecimal digits that admin list shows; see admin sign-out -help`},
		{[]string{"-key-prefix", "-table", "x", "check"}, `the value of -key-prefix looks like a flag, "-table"; write -key-prefix=-table if it is the value; see admin -help`},
		{[]string{"purge", "-parallel", "-3"}, `purge: invalid value "-3" for flag -parallel: parse error; see admin purge -help`},
		{[]string{"purge", "-dry-run", "-parallel", "1001"}, "purge: -parallel: 1001 segments; want up to 1000"},
		{[]string{"purge", "-per-second", "-1"}, `purge: invalid value "-1" for flag -per-second: parse error; see admin purge -help`},
		{[]string{"-endpoint", "localhost:8000", "check"}, `-endpoint: "localhost:8000" is not a URL; want one such as http://localhost:8000`},
		{[]string{"-timeout", "-1s", "check"}, "-timeout: -1s is negative; want a duration such as 30s, or 0 for no limit"},
		{[]string{"-timeout", "soon", "check"}, `invalid value "soon" for flag -timeout: parse error; see admin -help`},
		{[]string{"policy", "-features", "save,fly"}, `policy: -features: there is no feature "fly"; see admin policy -help`},
		{[]string{"policy", "-account", "12"}, `policy: -account: "12" is not the number of an AWS account; want 12 digits`},
	} {
		a.prints(test.args, "", "admin: "+test.want+"\n", 2)
	}
	// What dynamostore says of a name is told of the flag.
	for name, args := range map[string][]string{
		"-table":         {"-table", "?", "check"},
		"-key-attribute": {"-key-attribute", "user", "check"},
		"-max-lifetime":  {"-max-lifetime", "-1s", "stats"},
		"-key-prefix":    {"-key-prefix", "app", "list", "-all"},
	} {
		if out, errs, status := a.run(args...); status != 2 || out != "" || !strings.HasPrefix(errs, "admin: "+name+": ") || strings.Contains(errs, "Config") || strings.Count(errs, "\n") != 1 {
			t.Errorf("admin %q: status %d, it printed %q and on standard error %q, want 2 and a line about %s", args, status, out, errs, name)
		}
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
		if status != 0 || errs != "" || !strings.HasPrefix(help, "Usage: admin [flags] "+c.name) {
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

// check -json prints its object also where something keeps it from looking.
func TestCheckJSONWithoutAConfiguration(t *testing.T) {
	for problem, args := range map[string][]string{
		"no AWS region is set; give -region":                                      nil,
		"load the AWS configuration: failed to get shared config profile, nobody": {"-profile", "nobody"},
		`describe table "sessions": nothing listens at the endpoint; check the `:  {"-endpoint", "http://127.0.0.1:1"},
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
	p := program{stdout: &out, stderr: &errs, transport: a.transport()}
	for _, command := range []string{"create", "check"} {
		if status := p.run(t.Context(), []string{"-endpoint", a.endpoint, "-table", a.backend.Table, command}); status != 0 {
			t.Errorf("%s: status %d, on standard error %q", command, status, errs.String())
		}
	}
}
