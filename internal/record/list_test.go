package record

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// pager is a Client whose scans and queries return pages, one after the other.
type pager struct {
	Client
	pages [][]attributes
	err   error // after the pages
	calls int
}

func (p *pager) page(start attributes) (items []attributes, last attributes, err error) {
	p.calls++
	if (start == nil) != (p.calls == 1) {
		return nil, nil, errors.New("a page was requested twice")
	}
	if p.calls > len(p.pages) {
		return nil, nil, p.err
	}
	if p.calls < len(p.pages) || p.err != nil {
		last = attributes{"id": text("last")}
	}
	return p.pages[p.calls-1], last, nil
}

func (p *pager) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	items, last, err := p.page(in.ExclusiveStartKey)
	return &dynamodb.ScanOutput{Items: items, LastEvaluatedKey: last}, err
}

func (p *pager) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	items, last, err := p.page(in.ExclusiveStartKey)
	return &dynamodb.QueryOutput{Items: items, LastEvaluatedKey: last}, err
}

// A listing yields what belongs to the schema, page by page, and ends with the first error.
func TestListings(t *testing.T) {
	schema := Schema{Table: "sessions", Key: "id", SortKey: "sk", SortValue: "SESSION", Data: "data", Expires: "expires", Index: "user-index", Prefix: "app#"}
	item := func(id string, more attributes) attributes {
		attrs := attributes{"id": text(id), "sk": text("SESSION"), "expires": numeral("20")}
		for name, v := range more {
			attrs[name] = v
		}
		return attrs
	}
	no := errors.New("no")
	for _, test := range []struct {
		name  string
		pages [][]attributes
		err   error
		want  []string
		says  string // in the error
	}{
		{"nothing", [][]attributes{{}}, nil, nil, ""},
		{"pages, one of them empty", [][]attributes{{item("app#1", nil)}, {}, {item("app#2", nil), item("app#3", nil)}}, nil, []string{"app#1", "app#2", "app#3"}, ""},
		{"other prefixes", [][]attributes{{item("app#1", nil), item("app#two#1", nil), item("other", nil), item("app#", nil)}}, nil, []string{"app#1"}, ""},
		{"another sort key", [][]attributes{{item("app#1", attributes{"sk": text("INVOICE")}), item("app#2", nil)}}, nil, []string{"app#2"}, ""},
		{"an end that is not a number", [][]attributes{{item("app#1", attributes{"expires": text("tomorrow")}), item("app#2", nil)}}, nil, []string{"app#2"}, ""},
		{"no end", [][]attributes{{item("app#1", attributes{"expires": nil})}}, nil, []string{"app#1"}, ""},
		{"a tombstone", [][]attributes{{item("app#1", attributes{"gone": text("ended")})}}, nil, []string{"app#1"}, ""},
		{"an error on the second page", [][]attributes{{item("app#1", nil)}}, no, []string{"app#1"}, "no"},
		{"an error on the first page", nil, no, nil, "no"},
		{"no partition key of that name", [][]attributes{{item("app#1", nil), {"pk": text("app#2"), "sk": text("SESSION")}, item("app#3", nil)}}, nil, []string{"app#1"}, "Config.KeyAttribute"},
		{"a partition key of another type", [][]attributes{{{"id": numeral("1"), "sk": text("SESSION")}}}, nil, nil, "Config.KeyAttribute"},
		{"no sort key of that name", [][]attributes{{{"id": text("app#1")}}}, nil, nil, "Config.SortKeyAttribute"},
	} {
		for _, operation := range []string{"Scan", "Query"} {
			t.Run(test.name+", "+operation, func(t *testing.T) {
				client := &pager{pages: test.pages, err: test.err}
				table := New(client, schema)
				entries := table.Scan(t.Context(), ScanOptions{Timeout: time.Minute})
				if operation == "Query" {
					entries = table.ByUser(t.Context(), "ann", time.Minute)
				}
				var got []string
				var failed error
				for e, err := range entries {
					if failed != nil {
						t.Errorf("after an error, the listing yields %+v, %v", e, err)
					}
					if failed = err; err == nil {
						got = append(got, e.Key)
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("the listing yields %q, want %q", got, test.want)
				}
				if (failed != nil) != (test.says != "") || failed != nil && !strings.Contains(failed.Error(), test.says) {
					t.Errorf("the error is %v, want one that says %q", failed, test.says)
				}
				if test.err != nil && !errors.Is(failed, test.err) {
					t.Errorf("the error is %v, want %v", failed, test.err)
				}
			})
		}
	}
}

// A consumer that stops gets no further page.
func TestListingStops(t *testing.T) {
	client := &pager{pages: [][]attributes{{{"id": text("1")}, {"id": text("2")}}, {{"id": text("3")}}}}
	for range New(client, Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires"}).Scan(t.Context(), ScanOptions{Timeout: time.Minute}) {
		break
	}
	if client.calls != 1 {
		t.Errorf("%d pages were requested, want 1", client.calls)
	}
}

// A listing that is ranged over again begins anew.
func TestListingBeginsAnew(t *testing.T) {
	client := &pager{pages: [][]attributes{{{"id": text("1")}}, {{"id": text("2")}}}}
	entries := New(client, Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires"}).Scan(t.Context(), ScanOptions{Timeout: time.Minute})
	for range 2 {
		client.calls = 0
		n := 0
		for _, err := range entries {
			if err != nil {
				t.Fatalf("the listing yields %v", err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("the listing yields %d entries, want 2", n)
		}
	}
}

// A client that lacks a method gets an error that names it.
func TestMissingMethods(t *testing.T) {
	table := New(getter{}, Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires", Index: "user-index"})
	for method, entries := range map[string]func(func(Entry, error) bool){
		"Scan":  table.Scan(t.Context(), ScanOptions{}),
		"Query": table.ByUser(t.Context(), "ann", time.Minute),
	} {
		for _, err := range entries {
			if err == nil || !strings.Contains(err.Error(), "has no method "+method) || !strings.Contains(err.Error(), "record.getter") {
				t.Errorf("of a client without %s, the listing yields %v", method, err)
			}
		}
	}
	err := table.Move(t.Context(), "old", "new", &Item{Version: "v"}, Write{Version: versionOf(1)})
	if table.HasTransactions() || err == nil || !strings.Contains(err.Error(), "has no method TransactWriteItems") {
		t.Errorf("of a client without TransactWriteItems, Move = %v", err)
	}
}

// A refusal of the index says how to fix it.
func TestIndexError(t *testing.T) {
	table := New(nil, Schema{Table: "sessions", Index: "user-index", Expires: "ttl"})
	for _, test := range []struct {
		name, message string
		want          []string
	}{
		{"missing", "The table does not have the specified index: user-index", []string{`no index "user-index"`, "EnsureTable", "Config.UserIndex"}},
		{"another key", "Query condition missed key schema element: ttl", []string{`the keys of the index "user-index"`, `"ttl"`, "CheckTable"}},
		{"a key of another type", "One or more parameter values were invalid: Condition parameter type does not match schema type", []string{`the keys of the index`, "CheckTable"}},
	} {
		err := codeError{"ValidationException", test.message}
		got := table.Error(t.Context(), "list a user's sessions in", "Query", err)
		for _, want := range test.want {
			if !strings.Contains(got.Error(), want) {
				t.Errorf("%s: error %q does not say %q", test.name, got, want)
			}
		}
		if !errors.Is(got, err) {
			t.Errorf("%s: error %q does not wrap DynamoDB's", test.name, got)
		}
	}
	for _, err := range []error{throttling, codeError{"ValidationException", "Invalid KeyConditionExpression"}} {
		if hint := table.hint(t.Context(), "Query", err); hint != "" {
			t.Errorf("the hint for %v is %q, want none", err, hint)
		}
	}
}
