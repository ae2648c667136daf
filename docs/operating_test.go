// Package docs tests what operating.md says, and that the links of all pages lead somewhere. It is a module of its
// own for the parsers that it needs.
package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	"example.com/dynamostore/internal/dynamotest"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("operating.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is the text under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page(t), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("there is no heading %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	for n := len(level); n > 1; n-- {
		rest, _, _ = strings.Cut(rest, "\n"+strings.Repeat("#", n)+" ")
	}
	return rest
}

// blocks returns the code blocks of a language in a section.
func blocks(t *testing.T, heading, language string) []string {
	t.Helper()
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(section(t, heading), -1) {
		blocks = append(blocks, m[1])
	}
	if blocks == nil {
		t.Fatalf("under %q, there is no %s", heading, language)
	}
	return blocks
}

// rows are the cells of the first table in a section whose header is that.
func rows(t *testing.T, heading, header string) [][]string {
	t.Helper()
	_, table, ok := strings.Cut(section(t, heading), "\n| "+header+" |\n")
	if !ok {
		t.Fatalf("under %q, there is no table | %s |", heading, header)
	}
	var rows [][]string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "| ---") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows
}

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
	decoder := yaml.NewDecoder(strings.NewReader(blocks(t, "### CloudFormation", "yaml")[0]))
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
	file, diagnostics := hclparse.NewParser().ParseHCL([]byte(blocks(t, "### Terraform", "hcl")[0]), "operating.md")
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
	script := blocks(t, "### AWS CLI", "sh")
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

// metered counts the units that DynamoDB says that requests take.
type metered struct {
	*dynamodb.Client
	read, write, index float64
}

func (m *metered) add(c *types.ConsumedCapacity, reading bool) {
	table := aws.ToFloat64(c.Table.CapacityUnits)
	if reading {
		m.read += table
	} else {
		m.write += table
	}
	for _, i := range c.GlobalSecondaryIndexes {
		m.index += aws.ToFloat64(i.CapacityUnits)
	}
}

func (m *metered) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.GetItem(ctx, in, opts...)
	if err == nil {
		m.add(out.ConsumedCapacity, true)
	}
	return out, err
}

func (m *metered) PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.PutItem(ctx, in, opts...)
	if err == nil {
		m.add(out.ConsumedCapacity, false)
	}
	return out, err
}

func (m *metered) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.UpdateItem(ctx, in, opts...)
	if err == nil {
		m.add(out.ConsumedCapacity, false)
	}
	return out, err
}

func (m *metered) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.DeleteItem(ctx, in, opts...)
	if err == nil {
		m.add(out.ConsumedCapacity, false)
	}
	return out, err
}

func (m *metered) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityIndexes
	out, err := m.Client.TransactWriteItems(ctx, in, opts...)
	if err == nil {
		for i := range out.ConsumedCapacity {
			m.add(&out.ConsumedCapacity[i], false)
		}
	}
	return out, err
}

// take returns what has been counted, and counts from zero.
func (m *metered) take() [3]float64 {
	got := [3]float64{m.read, m.write, m.index}
	m.read, m.write, m.index = 0, 0, 0
	return got
}

func TestUnitsAreThoseOfTheTable(t *testing.T) {
	backend := dynamotest.New(t)
	meter := &metered{Client: backend.Client}
	store := newStore(t, meter, backend.Table)
	if err := store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	cookie := ""
	visit := func(s *dynamostore.Store, change func(*sessions.Session)) [2][3]float64 {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie)
		session, err := s.Get(r, "session")
		if err != nil {
			t.Fatal(err)
		}
		loaded := meter.take()
		if change != nil {
			change(session)
			if err := session.Save(r, w); err != nil {
				t.Fatal(err)
			}
		}
		if set := w.Header().Get("Set-Cookie"); set != "" {
			cookie, _, _ = strings.Cut(set, ";")
		}
		return [2][3]float64{loaded, meter.take()}
	}
	eager, err := dynamostore.New(meter, dynamostore.Config{Table: backend.Table, UserKey: "user", TouchInterval: -1}, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	later := func() { // so that the next Save moves the end
		item := backend.Items(t)[0]
		item["expires"] = dynamotest.N(strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
		backend.Put(t, item)
	}
	got := map[string][3]float64{}
	got["first Save"] = visit(store, func(s *sessions.Session) { s.Values["user"] = "ann" })[1]
	got["load"] = visit(store, nil)[0]
	later()
	got["Save that changed something"] = visit(store, func(s *sessions.Session) { s.Values["k"] = "v" })[1]
	later()
	got["Save that moves the end only"] = visit(eager, func(*sessions.Session) {})[1]
	// A rotated ID and then a Save is Regenerate.
	got["Regenerate"] = visit(store, func(s *sessions.Session) { s.ID = "" })[1]
	got["log out"] = visit(store, func(s *sessions.Session) { s.Options.MaxAge = -1 })[1]

	listed := map[string][3]float64{}
	for _, row := range rows(t, "## Cost", "request | read units | write units | write units more, with the index") {
		var units [3]float64
		for i := range units {
			if units[i], err = strconv.ParseFloat(row[i+1], 64); err != nil {
				t.Fatal(err)
			}
		}
		listed[row[0]] = units
	}
	if !maps.Equal(got, listed) {
		t.Errorf("requests take read, write and index units\n%v\nthe table says\n%v", got, listed)
	}
}

// The example's sums are right, and follow from the table of units.
func TestCostIsWorkedOutRightly(t *testing.T) {
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	units := map[string]float64{}
	sum := 0.0
	for _, row := range rows(t, "## Cost", "in a month | units | USD for a million | USD") {
		cost := number(row[3])
		if row[0] == "together" {
			if math.Abs(sum-cost) > 0.011 {
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
	changed, moved, first := units["Saves that changed something"], units["Saves that moved the end"], units["first Saves"]
	if got, want := units["with `UserKey`, if all are logged in, more"], 2*changed+2*moved+first; got != want {
		t.Errorf("the index takes %v units, and the table says %v", want, got)
	}
	if got, want := units["loads"], 30e6; got != want || units["with `EventualReads`, loads"] != want/2 || changed != want/10 || moved != 50_000*30 || first != 20_000*30 {
		t.Errorf("the units are not those of the example: %v", units)
	}
}

// Each text from which the troubleshooting starts is one of this module's, or of a library's that it
// passes on.
func TestTroubleshootingQuotesRealTexts(t *testing.T) {
	var literals []string
	for _, dir := range []string{"..", "../internal/record", "../example/admin"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || files == nil {
			t.Fatalf("no file in %s, %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					s, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					literals = append(literals, s)
				}
				return true
			})
		}
	}
	var dst string
	forged := securecookie.DecodeMulti("session", "MTIzfGFiY3xkZWY=", &dst, securecookie.CodecsFromPairs(make([]byte, 32))...)
	for _, err := range []error{forged, context.DeadlineExceeded} {
		if err == nil {
			t.Fatal("there is no error")
		}
		literals = append(literals, err.Error())
	}
	quoted := rows(t, "## Troubleshooting", "the error says | why | what to do")
	if len(quoted) < 20 {
		t.Errorf("the table has %d rows", len(quoted))
	}
	for _, row := range quoted {
		want := strings.Trim(row[0], "`")
		if len(row) != 3 || !slices.ContainsFunc(literals, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("nothing says %q", want)
		}
	}
}

// Links lead somewhere.
func TestLinks(t *testing.T) {
	anchors := func(name string) []string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			return nil
		}
		var anchors []string
		for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
			anchor := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
			anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
		}
		return anchors
	}
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(pages, "../README.md", "../example/frameworks/README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere: %v", name, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(target), anchor) {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
		}
	}
}
