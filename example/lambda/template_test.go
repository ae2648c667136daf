package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// What the intrinsic functions and dynamic references of the template stand for.
var (
	refs = map[string]string{
		"Sessions":   "app-Sessions-1A2B3C",
		"SessionKey": secretARN,
	}
	attributes = map[string]string{
		"Sessions.Arn":       tableARN,
		"AppUrl.FunctionUrl": "https://abc.lambda-url.us-east-1.on.aws/",
	}
	secrets = map[string]string{secretARN: strings.Repeat("0123456789abcdef", 4)}
)

const (
	tableARN  = "arn:aws:dynamodb:us-east-1:123456789012:table/app-Sessions-1A2B3C"
	secretARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:SessionKey-a1b2c3"
)

// template is what the tests need of template.yaml, resolved.
type template struct {
	AWSTemplateFormatVersion, Transform, Description string
	Resources                                        struct {
		App struct {
			Type       string
			Properties struct {
				CodeUri, Handler, Runtime string
				Architectures             []string
				MemorySize, Timeout       int
				FunctionUrlConfig         struct{ AuthType, InvokeMode string }
				Environment               struct{ Variables map[string]string }
				Policies                  []policy
			}
		}
		Sessions struct {
			Type, DeletionPolicy, UpdateReplacePolicy string
			Properties                                json.RawMessage
		}
		SessionKey struct {
			Type       string
			Properties struct {
				Description          string
				GenerateSecretString struct {
					PasswordLength     int
					ExcludePunctuation bool
				}
			}
		}
	}
	Outputs struct{ Url struct{ Value string } }
}

type policy struct {
	Version   string
	Statement []struct {
		Effect, Resource string
		Action           []string
	}
}

func readTemplate(t testing.TB) *template {
	t.Helper()
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	resolve(t, &root)
	var resolved any
	if err := root.Decode(&resolved); err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(resolved)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := new(template)
	strict(t, text, tmpl)
	return tmpl
}

// strict decodes JSON, all of which v has to have.
func strict(t testing.TB, text []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
}

var (
	variable = regexp.MustCompile(`\$\{(.+?)\}`)
	secret   = regexp.MustCompile(`\{\{resolve:secretsmanager:(.+?)\}\}`)
)

// resolve replaces intrinsic functions and dynamic references by what they stand for, as
// CloudFormation does.
func resolve(t testing.TB, n *yaml.Node) {
	t.Helper()
	value := func(values map[string]string, name string) string {
		t.Helper()
		v, ok := values[name]
		if !ok {
			t.Errorf("template.yaml:%d: there is no %s", n.Line, name)
		}
		return v
	}
	switch n.Tag {
	case "!Ref":
		n.Value = value(refs, n.Value)
	case "!GetAtt":
		n.Value = value(attributes, n.Value)
	case "!Sub":
		n.Value = variable.ReplaceAllStringFunc(n.Value, func(s string) string {
			name := variable.FindStringSubmatch(s)[1]
			if strings.Contains(name, ".") {
				return value(attributes, name)
			}
			return value(refs, name)
		})
	default:
		if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
			t.Errorf("template.yaml:%d: the test does not know %s", n.Line, n.Tag)
		}
	}
	if n.Kind == yaml.ScalarNode {
		if !strings.HasPrefix(n.Tag, "!!") {
			n.Tag = "!!str"
		}
		n.Value = secret.ReplaceAllStringFunc(n.Value, func(s string) string {
			return value(secrets, secret.FindStringSubmatch(s)[1])
		})
	}
	for _, child := range n.Content {
		resolve(t, child)
	}
}

// createTable creates the template's table, as CloudFormation does.
func createTable(t testing.TB, client *dynamodb.Client, tmpl *template) {
	t.Helper()
	table := struct {
		dynamodb.CreateTableInput
		TimeToLiveSpecification types.TimeToLiveSpecification
	}{}
	strict(t, tmpl.Resources.Sessions.Properties, &table)
	table.TableName = aws.String(refs["Sessions"])
	if _, err := client.CreateTable(t.Context(), &table.CreateTableInput); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: table.TableName, TimeToLiveSpecification: &table.TimeToLiveSpecification,
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTemplateHasTheTableOfEnsureTable(t *testing.T) {
	tmpl := readTemplate(t)
	if r := tmpl.Resources.Sessions; r.Type != "AWS::DynamoDB::Table" || r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
		t.Errorf("the table is %s, %s, %s, want an AWS::DynamoDB::Table that is retained", r.Type, r.DeletionPolicy, r.UpdateReplacePolicy)
	}
	open := func() (*dynamodb.Client, *dynamostore.Store) {
		client := dynamostoretest.NewClient(t)
		store, err := dynamostore.New(client, config(refs["Sessions"]), keyPairs(secrets[secretARN])...)
		if err != nil {
			t.Fatal(err)
		}
		return client, store
	}
	client, store := open()
	createTable(t, client, tmpl)
	if err := store.CheckTable(t.Context()); err != nil {
		t.Errorf("CheckTable: %v", err)
	}
	ensured, ensuring := open()
	if err := ensuring.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := describe(t, client), describe(t, ensured); !reflect.DeepEqual(got, want) {
		t.Errorf("the template's table is\n%s\nEnsureTable makes\n%s", text(got), text(want))
	}
}

// describe returns what makes up the table.
func describe(t *testing.T, client *dynamodb.Client) map[string]any {
	t.Helper()
	name := aws.String(refs["Sessions"])
	table, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: name})
	if err != nil {
		t.Fatal(err)
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: name})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(table.Table.AttributeDefinitions, func(a, b types.AttributeDefinition) int {
		return strings.Compare(*a.AttributeName, *b.AttributeName)
	})
	d := map[string]any{
		"keys":       table.Table.KeySchema,
		"attributes": table.Table.AttributeDefinitions,
		"billing":    table.Table.BillingModeSummary.BillingMode,
		"TTL":        ttl.TimeToLiveDescription,
	}
	for _, index := range table.Table.GlobalSecondaryIndexes {
		slices.Sort(index.Projection.NonKeyAttributes)
		d["index "+*index.IndexName] = []any{index.KeySchema, index.Projection}
	}
	return d
}

func text(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestTemplateFitsTheProgram(t *testing.T) {
	tmpl := readTemplate(t)
	app := tmpl.Resources.App.Properties
	builds := regexp.MustCompile(`GOARCH=(\S+) .* -o (\S+) \.`).ReplaceAllString(buildCommand(t), "$2 for $1")
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"the transform", tmpl.Transform, "AWS::Serverless-2016-10-31"},
		{"the type", tmpl.Resources.App.Type, "AWS::Serverless::Function"},
		{"the runtime", app.Runtime, "provided.al2023"},
		{"the invoke mode, which lambdaurl requires,", app.FunctionUrlConfig.InvokeMode, "RESPONSE_STREAM"},
		{"the timeout", time.Duration(app.Timeout) * time.Second, functionTimeout},
		{"the program", app.CodeUri + "/" + app.Handler + " for " + app.Architectures[0], builds},
		{"the secret's type", tmpl.Resources.SessionKey.Type, "AWS::SecretsManager::Secret"},
		{"the secret's length", tmpl.Resources.SessionKey.Properties.GenerateSecretString.PasswordLength, len(secrets[secretARN])},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	// A page loads the session and saves it.
	if timeout := 2 * config("").Timeout; timeout+time.Second > functionTimeout {
		t.Errorf("two calls of the Store may take %v, which leaves too little of the function's %v", timeout, functionTimeout)
	}
}

var buildLine = regexp.MustCompile(`(?m)^# +CGO_ENABLED=0 GOOS=linux (GOARCH=\S+ go build .*)$`)

// buildCommand returns the command by which template.yaml builds the program, from GOARCH on.
func buildCommand(t testing.TB) string {
	t.Helper()
	file, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	match := buildLine.FindSubmatch(file)
	if match == nil {
		t.Fatal("template.yaml does not say how the program is built")
	}
	return string(match[1])
}

// allowed returns what the template allows the function, as action and resource.
func (tmpl *template) allowed() []string {
	set := make(map[string]bool)
	for _, p := range tmpl.Resources.App.Properties.Policies {
		for _, s := range p.Statement {
			for _, action := range s.Action {
				set[fmt.Sprintf("%s %s on %s", s.Effect, action, s.Resource)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
