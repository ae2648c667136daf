package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
	"example.com/dynamostore/internal/dynamotest"
)

// wanted returns the requests by which EnsureTable makes the table, and adds the index to one that exists:
// what each way of making a table is compared with.
func wanted(t *testing.T) (create, update, ttl map[string]any) {
	t.Helper()
	bodies := map[string]map[string]any{}
	backend := dynamotest.New(t)
	options := backend.Raw().Options()
	transport := options.HTTPClient.(*http.Client).Transport
	client := dynamodb.New(options, func(o *dynamodb.Options) {
		o.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			var request map[string]any
			if err := json.Unmarshal(body, &request); err != nil {
				return nil, err
			}
			bodies[op] = request
			return transport.RoundTrip(r)
		})}
	})
	store := newStore(t, client, backend.Table)
	ensure := func() {
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ensure()
	if _, err := backend.Raw().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &backend.Table}); err != nil {
		t.Fatal(err)
	}
	backend.CreateTable(t, "id", "")
	ensure()
	for _, request := range bodies {
		request["TableName"] = "sessions"
	}
	return normal(bodies["CreateTable"]), normal(bodies["UpdateTable"]), bodies["UpdateTimeToLive"]
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newStore(t *testing.T, client dynamostore.Client, table string) *dynamostore.Store {
	t.Helper()
	store, err := dynamostore.New(client, dynamostore.Config{Table: table, UserKey: "user"}, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// normal is a request as JSON has it, with what has no order in one.
func normal(request any) map[string]any {
	text, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	if definitions, ok := out["AttributeDefinitions"].([]any); ok {
		slices.SortFunc(definitions, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n%s\nwhat EnsureTable sends:\n%s", what, text(got), text(want))
	}
}

func text(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestCloudFormationIsWhatEnsureTableMakes(t *testing.T) {
	create, _, ttl := wanted(t)
	var template struct {
		Format    string `yaml:"AWSTemplateFormatVersion"`
		Resources map[string]struct {
			Type       string         `yaml:"Type"`
			Deletion   string         `yaml:"DeletionPolicy"`
			Replacing  string         `yaml:"UpdateReplacePolicy"`
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(blocks(t, "operating.md", "### CloudFormation", "yaml")[0]))
	decoder.KnownFields(true)
	if err := decoder.Decode(&template); err != nil {
		t.Fatal(err)
	}
	sessions := template.Resources["Sessions"]
	if template.Format != "2010-09-09" || sessions.Type != "AWS::DynamoDB::Table" || sessions.Deletion != "Retain" || sessions.Replacing != "Retain" || len(template.Resources) != 1 {
		t.Errorf("the template is %+v", template)
	}
	same(t, "TTL", sessions.Properties["TimeToLiveSpecification"], ttl["TimeToLiveSpecification"])
	delete(sessions.Properties, "TimeToLiveSpecification")
	same(t, "the table", normal(sessions.Properties), create)
}

func TestTerraformIsWhatEnsureTableMakes(t *testing.T) {
	create, _, ttl := wanted(t)
	file, diagnostics := hclparse.NewParser().ParseHCL([]byte(blocks(t, "operating.md", "### Terraform", "hcl")[0]), "operating.md")
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	body := file.Body.(*hclsyntax.Body)
	if len(body.Blocks) != 1 || body.Blocks[0].Type != "resource" || body.Blocks[0].Labels[0] != "aws_dynamodb_table" {
		t.Fatalf("it is not one aws_dynamodb_table: %+v", body.Blocks)
	}
	table := body.Blocks[0].Body
	got := map[string]any{"TableName": attribute(t, table, "name"), "BillingMode": attribute(t, table, "billing_mode")}
	key := func(body *hclsyntax.Body) []any {
		key := []any{map[string]any{"AttributeName": attribute(t, body, "hash_key"), "KeyType": "HASH"}}
		if _, ok := body.Attributes["range_key"]; ok {
			key = append(key, map[string]any{"AttributeName": attribute(t, body, "range_key"), "KeyType": "RANGE"})
		}
		return key
	}
	got["KeySchema"] = key(table)
	var definitions, indexes []any
	for _, block := range table.Blocks {
		switch body := block.Body; block.Type {
		case "attribute":
			definitions = append(definitions, map[string]any{"AttributeName": attribute(t, body, "name"), "AttributeType": attribute(t, body, "type")})
		case "global_secondary_index":
			indexes = append(indexes, map[string]any{
				"IndexName": attribute(t, body, "name"), "KeySchema": key(body),
				"Projection": map[string]any{"ProjectionType": attribute(t, body, "projection_type"), "NonKeyAttributes": attribute(t, body, "non_key_attributes")},
			})
		case "ttl":
			same(t, "TTL", map[string]any{"AttributeName": attribute(t, body, "attribute_name"), "Enabled": attribute(t, body, "enabled")}, ttl["TimeToLiveSpecification"])
		case "lifecycle":
		default:
			t.Errorf("a block %q", block.Type)
		}
	}
	got["AttributeDefinitions"], got["GlobalSecondaryIndexes"] = definitions, indexes
	same(t, "the table", normal(got), create)
}

// attribute is the value of an attribute that is a literal.
func attribute(t *testing.T, body *hclsyntax.Body, name string) any {
	t.Helper()
	a := body.Attributes[name]
	if a == nil {
		t.Fatalf("there is no %s", name)
	}
	value, diagnostics := a.Expr.Value(nil)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	switch {
	case value.Type() == cty.String:
		return value.AsString()
	case value.Type() == cty.Bool:
		return value.True()
	}
	var list []any
	for _, v := range value.AsValueSlice() {
		list = append(list, v.AsString())
	}
	return list
}

func TestCLIIsWhatEnsureTableMakes(t *testing.T) {
	create, update, ttl := wanted(t)
	script := blocks(t, "operating.md", "### AWS CLI", "sh")
	commands := cli(t, script[0])
	if len(commands) != 3 || len(script) != 2 {
		t.Fatalf("there are %d commands in the first of %d scripts, want 3 and 2", len(commands), len(script))
	}
	same(t, "create-table", normal(commands[0]), create)
	same(t, "wait", commands[1], map[string]any{"TableName": "sessions"})
	same(t, "update-time-to-live", commands[2], ttl)
	commands = cli(t, script[1])
	same(t, "update-table", normal(commands[0]), update)
}

// cli reads commands of the AWS CLI into the requests that they stand for.
func cli(t *testing.T, script string) []map[string]any {
	t.Helper()
	var requests []map[string]any
	for line := range strings.SplitSeq(regexp.MustCompile(`(?m)^aws dynamodb `).ReplaceAllString(script, "\x00"), "\x00") {
		if line == "" {
			continue
		}
		request := map[string]any{}
		var member string
		for _, word := range words(line) {
			if option, ok := strings.CutPrefix(word, "--"); ok {
				member = ""
				for part := range strings.SplitSeq(option, "-") {
					member += strings.ToUpper(part[:1]) + part[1:]
				}
				continue
			}
			if member == "" { // the command itself
				continue
			}
			value := shorthand(t, word)
			if list, ok := request[member].([]any); ok {
				request[member] = append(list, value)
			} else if member == "AttributeDefinitions" || member == "KeySchema" {
				request[member] = []any{value}
			} else {
				request[member] = value
			}
		}
		requests = append(requests, request)
	}
	return requests
}

// words are those of a shell command without anything but single quotes and continued lines.
func words(line string) []string {
	var words []string
	for i, part := range strings.Split(strings.ReplaceAll(line, "\\\n", " "), "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// shorthand is a value in JSON, in the CLI's A=b,C=d, or as it is.
func shorthand(t *testing.T, word string) any {
	t.Helper()
	switch {
	case strings.HasPrefix(word, "["):
		var v any
		if err := json.Unmarshal([]byte(word), &v); err != nil {
			t.Fatalf("%v in %s", err, word)
		}
		return v
	case strings.Contains(word, "="):
		out := map[string]any{}
		for pair := range strings.SplitSeq(word, ",") {
			name, value, _ := strings.Cut(pair, "=")
			out[name] = value
			if value == "true" {
				out[name] = true
			}
		}
		return out
	}
	return word
}

// metered counts the units that DynamoDB reports.
type metered struct {
	*dynamodb.Client
	read, write, index float64
}

func (m *metered) add(read bool, capacities ...*types.ConsumedCapacity) {
	for _, c := range capacities {
		if c == nil {
			continue
		}
		if table := c.Table; table != nil && read {
			m.read += aws.ToFloat64(table.CapacityUnits)
		} else if table != nil {
			m.write += aws.ToFloat64(table.CapacityUnits)
		}
		for _, i := range c.GlobalSecondaryIndexes {
			if read {
				m.read += aws.ToFloat64(i.CapacityUnits)
			} else {
				m.index += aws.ToFloat64(i.CapacityUnits)
			}
		}
	}
}

func (m *metered) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.GetItem(ctx, in, opts...)
	if err == nil {
		m.add(true, out.ConsumedCapacity)
	}
	return out, err
}

func (m *metered) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.Query(ctx, in, opts...)
	if err == nil {
		m.add(true, out.ConsumedCapacity)
	}
	return out, err
}

func (m *metered) PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.PutItem(ctx, in, opts...)
	if err == nil {
		m.add(false, out.ConsumedCapacity)
	}
	return out, err
}

func (m *metered) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.UpdateItem(ctx, in, opts...)
	if err == nil {
		m.add(false, out.ConsumedCapacity)
	}
	return out, err
}

func (m *metered) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.TransactWriteItems(ctx, in, opts...)
	if err == nil {
		for i := range out.ConsumedCapacity {
			m.add(false, &out.ConsumedCapacity[i])
		}
	}
	return out, err
}

// take returns the read, write and index units that have been counted, and counts from zero.
func (m *metered) take() [3]float64 {
	got := [3]float64{m.read, m.write, m.index}
	m.read, m.write, m.index = 0, 0, 0
	return got
}

// unitsWith returns the units of each operation in the table of costs, as memdynamo counts them. DynamoDB Local counts
// a transaction's entries in an index otherwise than AWS documents it.
func unitsWith(t *testing.T, cfg dynamostore.Config) map[string][3]float64 {
	s := newSiteOn(t, dynamotest.NewInMemory(t), cfg)
	meter := &metered{Client: s.backend.Client}
	cfg.Table = s.backend.Table
	open := func(cfg dynamostore.Config) *dynamostore.Store {
		store, err := dynamostore.New(meter, cfg, key)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	s.store = open(cfg)
	b := s.browser()
	save := func(change func(*sessions.Session)) [3]float64 {
		t.Helper()
		if _, err := b.with(func(session *sessions.Session) {
			change(session)
			meter.take()
		}); err != nil {
			t.Fatal(err)
		}
		return meter.take()
	}
	logIn := func(session *sessions.Session) {
		session.ID = ""
		session.Values["user"], session.Values["device"] = "ann", "Firefox"
	}
	got := make(map[string][3]float64)
	got["first Save, without a user"] = save(func(session *sessions.Session) { session.Values["n"] = 0 })
	other := b.tab()
	got["login: Regenerate of a session without a user"] = save(logIn)
	b.session()
	got["load"] = meter.take()
	got["Save, unchanged"] = save(func(*sessions.Session) {})
	got["Save, changed"] = save(func(session *sessions.Session) { session.Values["n"] = 1 })
	got["Save of another label"] = save(func(session *sessions.Session) { session.Values["device"] = "Safari" })
	item := s.live()[0]
	item["expires"] = dynamotest.N(in(time.Hour))
	s.backend.Put(t, item)
	got["Save, whose end moves"] = save(func(*sessions.Session) {})
	if err := s.store.Update(t.Context(), s.store.Key(b.session()), func(values map[any]any) error {
		meter.take()
		meter.read++ // of the load before
		values["n"] = 2
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got["Update"] = meter.take()
	got["Regenerate of a session with a user"] = save(func(session *sessions.Session) { session.ID = "" })

	if cfg.UserKey != "" {
		for range 4 {
			another := s.browser()
			if _, err := another.with(func(session *sessions.Session) { session.Values["user"] = "ann" }); err != nil {
				t.Fatal(err)
			}
		}
		meter.take()
		n := 0
		for _, err := range s.store.UserSessions(t.Context(), "ann") {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 5 {
			t.Errorf("there are %d sessions, want 5", n)
		}
		got["list of a user's 5 sessions"] = meter.take()
	}
	got["log out"] = save(func(session *sessions.Session) { session.Options.MaxAge = -1 })

	cfg.NoTransactions = true
	s.store = open(cfg)
	b = other
	clear(b.cookies)
	save(func(session *sessions.Session) { session.Values["n"] = 0 })
	got["login with `NoTransactions`"] = save(logIn)
	return got
}

// The units are those that the engine counts.
func TestUnits(t *testing.T) {
	bare := unitsWith(t, dynamostore.Config{})
	users := unitsWith(t, dynamostore.Config{UserKey: "user"})
	labels := unitsWith(t, dynamostore.Config{UserKey: "user", LabelKey: "device"})
	const header = "operation | read units | write units | with `UserKey`, also | with `LabelKey`, also"
	listed := make(map[string]bool)
	for _, row := range rows(t, "operating.md", "## Cost", header) {
		name := row[0]
		listed[name] = true
		if _, ok := labels[name]; !ok {
			t.Errorf("no operation is called %q", name)
			continue
		}
		without, ok := bare[name]
		if !ok { // needs the index
			without = users[name]
		}
		want := []float64{without[0], without[1], users[name][2], labels[name][2] - users[name][2]}
		for i, units := range want {
			if got, err := strconv.ParseFloat(row[i+1], 64); err != nil || got != units {
				t.Errorf("%s: the table says %s, and counted are %v", name, row[1:], want)
				break
			}
		}
		if users[name][1] != without[1] || labels[name][1] != without[1] {
			t.Errorf("%s: the table itself takes %v, %v and %v write units", name, without[1], users[name][1], labels[name][1])
		}
	}
	for name := range labels {
		if !listed[name] {
			t.Errorf("the table lacks %q", name)
		}
	}
}

// The sums of the example are right, and follow from the table of units.
func TestCostExample(t *testing.T) {
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	units := map[string]float64{}
	sum := 0.0
	for _, row := range rows(t, "operating.md", "## Cost", "in a month | units | USD for a million | USD") {
		cost := number(row[3])
		if row[0] == "together" {
			if math.Abs(sum-cost) > 0.0051 {
				t.Errorf("together it is %.3f, and the table says %v", sum, cost)
			}
			continue
		}
		units[row[0]] = number(row[1])
		exact := units[row[0]] * number(row[2]) / 1e6
		if math.Abs(exact-cost) > 0.0051 {
			t.Errorf("%s: %v units for %v are %.4f, and the table says %v", row[0], row[1], row[2], exact, cost)
		}
		sum += exact
	}
	const days, loads, moved, first, logins = 30, 1e6, 50_000, 20_000, 10_000
	for name, want := range map[string]float64{
		"loads":                        loads,
		"Saves that changed something": loads / 10,
		"Saves that moved the end":     moved,
		"first Saves":                  first,
		"logins, writes":               4 * logins,
		"logins, reads":                logins,
		"with `EventualReads`, loads":  loads / 2,
		"with `UserKey`, if all are logged in, more": 2*moved + 2*logins,
	} {
		if got := units[name]; got != want*days {
			t.Errorf("%s: the table says %v units, want %v", name, got, want*days)
		}
		delete(units, name)
	}
	for name := range units {
		t.Errorf("the row %q follows from nothing", name)
	}
}

// Each text from which the troubleshooting starts is one of this module's, or of a library that it passes on.
func TestTroubleshootingQuotesErrors(t *testing.T) {
	texts := literals(t, "..", "../internal/record", "../internal/sessiondb", "../internal/tableadmin", "../example/admin")
	var dst string
	forged := securecookie.DecodeMulti("session", "MTIzfGFiY3xkZWY=", &dst, securecookie.CodecsFromPairs(make([]byte, 32))...)
	if forged == nil {
		t.Fatal("a forged cookie verifies")
	}
	texts = append(texts, forged.Error(), context.DeadlineExceeded.Error(), (&types.ProvisionedThroughputExceededException{}).ErrorCode(),
		"failed to close HTTP response body") // smithy-go, transport/http/middleware_close_response_body.go
	quoted := 0
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(section(t, "operating.md", "## Troubleshooting"), -1) {
		quoted++
		if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, m[1]) }) {
			t.Errorf("nothing says %q", m[1])
		}
	}
	if quoted < 40 {
		t.Errorf("the tables quote %d texts, want at least 40", quoted)
	}
}

// The policy is that which admin prints.
func TestPolicy(t *testing.T) {
	var got, want struct {
		Version   string
		Statement []struct {
			Effect   string
			Action   []string
			Resource string
		}
	}
	if err := json.Unmarshal([]byte(blocks(t, "operating.md", "## Permissions", "json")[0]), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(admin(t, "-table arn:aws:dynamodb:eu-central-1:123456789012:table/sessions policy -features save"), &want); err != nil {
		t.Fatal(err)
	}
	want.Statement[0].Resource = strings.NewReplacer("eu-central-1", "REGION", "123456789012", "ACCOUNT").Replace(want.Statement[0].Resource)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("operating.md has the policy %+v, admin prints %+v", got, want)
	}
}

// admin runs the admin program, which must succeed, and returns what it prints. env is added to the environment.
func admin(t *testing.T, args string, env ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", append([]string{"run", "./example/admin"}, strings.Fields(args)...)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("admin %s: %v\n%s", args, err, err.(*exec.ExitError).Stderr)
	}
	return out
}

// The commands of the admin program work, one after the other, on a DynamoDB that has no table at first.
func TestAdminCommands(t *testing.T) {
	server := httptest.NewServer(dynamostoretest.NewHandler())
	defer server.Close()
	for line := range strings.Lines(blocks(t, "operating.md", "## The admin program", "sh")[0]) {
		args, ok := strings.CutPrefix(line, "go run ./example/admin ")
		if !ok {
			t.Fatalf("%q is another command", line)
		}
		admin(t, args, "AWS_ENDPOINT_URL_DYNAMODB="+server.URL, "AWS_REGION=us-east-1", "AWS_PROFILE=",
			"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	}
}
