package docs

import (
	"context"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/record"
)

// names returns the names in backquotes in the first column of a table.
func names(table [][]string) []string {
	var names []string
	for _, row := range table {
		for name := range strings.SplitSeq(row[0], ", ") {
			names = append(names, strings.Trim(name, "`"))
		}
	}
	return names
}

func TestConfigurationHasEveryField(t *testing.T) {
	var want []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[dynamostore.Config]()) {
		want = append(want, field.Name)
	}
	got := names(rows(t, "configuration.md", "## Config", "field | default | meaning"))
	if !slices.Equal(got, want) {
		t.Errorf("configuration.md has the fields %q,\nConfig %q", got, want)
	}
}

// The command that shows the details.
func TestGoDoc(t *testing.T) {
	const command = "go doc -all example.com/dynamostore Config"
	if !strings.Contains(readPage(t, "configuration.md"), "`"+command+"`") {
		t.Errorf("configuration.md does not have the command %q", command)
	}
	args := strings.Fields(command)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "TouchInterval") {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

func TestStoreSettings(t *testing.T) {
	store := newSite(t, dynamostore.Config{}).store
	store.Options.Secure = false // where there is no HTTPS
	store.MaxAge(7 * 24 * 60 * 60)
	store.MaxLength(64 << 10)
	if got := store.Options; got.Secure || got.MaxAge != 7*24*60*60 {
		t.Errorf("the options are %+v", got)
	}
}

// Cart is the type in the page's JSON, in which package main has it.
type Cart struct{ Items []string }

func TestJSONExample(t *testing.T) {
	block := strings.ReplaceAll(blocks(t, "configuration.md", "## Codecs", "json")[0], "main.Cart", "docs.Cart")
	codec := dynamostore.JSONCodec{Types: []any{Cart{}}}
	values, err := codec.Decode([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	if cart, ok := values["cart"].(Cart); !ok || !slices.Equal(cart.Items, []string{"tea"}) || values["visits"] != 3 || values["user"] != "ann" {
		t.Errorf("the example decodes to %v", values)
	}
	data, err := codec.Encode(values)
	if plain := strings.NewReplacer(" ", "", "\n", "").Replace(block); err != nil || string(data) != plain {
		t.Errorf("it encodes to %s, %v, want %s", data, err, plain)
	}
}

// open is the page's code on the client.
func open(ctx context.Context) (*dynamostore.Store, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return dynamostore.New(dynamostore.NewClient(cfg), dynamostore.Config{}, key)
}

func TestOpenOnNewClient(t *testing.T) {
	if _, err := open(t.Context()); err != nil {
		t.Error(err)
	}
}

// security.md lists the attributes of an item.
func TestAttributesAreListed(t *testing.T) {
	want := append(record.ReservedAttributes(), "id", "data", "expires", "the sort key")
	got := names(rows(t, "security.md", "## What is in the table", "attribute | type | content | hidden by"))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("security.md has the attributes %q,\nitems have %q", got, want)
	}
}
