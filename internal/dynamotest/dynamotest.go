// Package dynamotest gives tests a DynamoDB of their own: memdynamo, or the endpoint that the
// environment variable DYNAMOSTORE_TEST_ENDPOINT names, with requests counted and faults
// injected by operation.
package dynamotest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/memdynamo"
)

// endpointVariable names the endpoint on which tests run instead of memdynamo.
const endpointVariable = "DYNAMOSTORE_TEST_ENDPOINT"

// Backend is a DynamoDB with one table for one test.
type Backend struct {
	// Client sends its requests through what counts them and injects faults, and retries as the
	// SDK does, only sooner.
	Client *dynamodb.Client
	// Table is a name that no other test has. It is there for [Backend.CreateTable], or for whatever
	// the test does with it, and is deleted at the test's end.
	Table string

	raw       *dynamodb.Client // neither counted nor disturbed
	transport http.RoundTripper

	mu     sync.Mutex
	counts map[string]int
	faults map[string][]Fault
}

// New returns the Backend of a test.
func New(t testing.TB) *Backend {
	t.Helper()
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		return NewInMemory(t)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	t.Cleanup(transport.CloseIdleConnections)
	return newBackend(t, endpoint, roundTripper(func(r *http.Request) (*http.Response, error) {
		// By the body's WriteTo, connections and answers are lost, and requests sent twice:
		// see NewClient of dynamostore.
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
		return transport.RoundTrip(r)
	}))
}

// NewInMemory returns a Backend on memdynamo, whatever the environment says: for what wants
// thousands of requests a second.
func NewInMemory(t testing.TB) *Backend {
	t.Helper()
	return newBackend(t, "http://memdynamo.invalid", memdynamo.New())
}

func newBackend(t testing.TB, endpoint string, transport http.RoundTripper) *Backend {
	t.Helper()
	b := &Backend{
		Table:     "test-" + rand.Text(),
		transport: transport,
		counts:    make(map[string]int),
		faults:    make(map[string][]Fault),
	}
	b.raw = NewClient(endpoint, b.transport)
	b.Client = NewClient(endpoint, roundTripper(b.roundTrip))
	t.Cleanup(func() {
		_, err := b.raw.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &b.Table})
		var missing *types.ResourceNotFoundException
		if err != nil && !errors.As(err, &missing) {
			t.Errorf("dynamotest: delete table: %v", err)
		}
	})
	return b
}

// NewClient returns a client of the endpoint over transport. It retries as often as the SDK does by
// default, after a millisecond.
func NewClient(endpoint string, transport http.RoundTripper, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: &endpoint,
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				return time.Millisecond, nil
			})
			o.RateLimiter = noRateLimit{}
		}),
	}, optFns...)
}

// noRateLimit lets a test inject more faults than the SDK's retry budget bears.
type noRateLimit struct{}

func (noRateLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noRateLimit) AddTokens(uint) error { return nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (b *Backend) roundTrip(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	b.mu.Lock()
	b.counts[op]++
	var fault Fault
	if queue := b.faults[op]; len(queue) > 0 {
		fault, b.faults[op] = queue[0], queue[1:]
	}
	b.mu.Unlock()
	if fault == nil {
		return b.transport.RoundTrip(r)
	}
	resp, err := fault(b.transport, r)
	if err != nil && r.Body != nil {
		// As a transport must.
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return resp, err
}

// Inject makes the next requests of the operation meet those faults, one each.
func (b *Backend) Inject(op string, faults ...Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[op] = append(b.faults[op], faults...)
}

// Pending returns how many injected faults no request has met yet.
func (b *Backend) Pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, queue := range b.faults {
		n += len(queue)
	}
	return n
}

// Heal takes back the faults that no request has met yet.
func (b *Backend) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.faults)
}

// Counts returns how many requests of each operation Client has sent since the last call of
// Counts, each attempt counted.
func (b *Backend) Counts() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := maps.Clone(b.counts)
	clear(b.counts)
	return counts
}

// CreateTable creates the Backend's table with a partition key and, if it is not empty, a sort
// key, both of type S. TTL is off: what has expired stays, for the test to see.
func (b *Backend) CreateTable(t testing.TB, key, sortKey string) {
	t.Helper()
	input := &dynamodb.CreateTableInput{
		TableName:            &b.Table,
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: &key, KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS}},
	}
	if sortKey != "" {
		input.KeySchema = append(input.KeySchema, types.KeySchemaElement{AttributeName: &sortKey, KeyType: types.KeyTypeRange})
		input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{AttributeName: &sortKey, AttributeType: types.ScalarAttributeTypeS})
	}
	if _, err := b.raw.CreateTable(t.Context(), input); err != nil {
		t.Fatalf("dynamotest: create table: %v", err)
	}
}

// Item is what lies under a key.
type Item = map[string]types.AttributeValue

// Items returns all items of the table.
func (b *Backend) Items(t testing.TB) []Item {
	t.Helper()
	var items []Item
	pages := dynamodb.NewScanPaginator(b.raw, &dynamodb.ScanInput{TableName: &b.Table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("dynamotest: scan: %v", err)
		}
		items = append(items, page.Items...)
	}
	return items
}

// Put stores an item as it is.
func (b *Backend) Put(t testing.TB, item Item) {
	t.Helper()
	if _, err := b.raw.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &b.Table, Item: item}); err != nil {
		t.Fatalf("dynamotest: put: %v", err)
	}
}

// Delete removes the item with that key.
func (b *Backend) Delete(t testing.TB, key Item) {
	t.Helper()
	if _, err := b.raw.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &b.Table, Key: key}); err != nil {
		t.Fatalf("dynamotest: delete: %v", err)
	}
}

// Raw returns a client whose requests are neither counted nor disturbed.
func (b *Backend) Raw() *dynamodb.Client { return b.raw }

// S, N and B return attribute values of those types.
func S(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func N(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
func B(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
