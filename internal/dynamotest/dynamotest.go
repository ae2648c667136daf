// Package dynamotest provides a DynamoDB for each test: memdynamo, or the endpoint in the
// environment variable DYNAMOSTORE_TEST_ENDPOINT. It counts requests and injects faults by
// operation.
package dynamotest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore/internal/memdynamo"
)

const (
	// EndpointVariable is the environment variable with the endpoint on which tests run instead of
	// memdynamo.
	EndpointVariable = "DYNAMOSTORE_TEST_ENDPOINT"
	// noTransactionsVariable, if not empty, makes every Backend refuse transactions.
	noTransactionsVariable = "DYNAMOSTORE_TEST_NO_TRANSACTIONS"
)

// Backend is a DynamoDB with one table for one test.
type Backend struct {
	// Client sends requests that are counted and subject to faults. It retries as the SDK does, but
	// with shorter pauses.
	Client *dynamodb.Client
	// Table is a unique name, for [Backend.CreateTable] or for the test to create. The table does not
	// outlive the test.
	Table string

	raw       *dynamodb.Client  // without counts and faults
	transport http.RoundTripper // of Client, after counts and faults
	faults    Injector

	mu     sync.Mutex
	counts map[string]int
}

// New returns the Backend of a test.
func New(t testing.TB) *Backend {
	t.Helper()
	endpoint := os.Getenv(EndpointVariable)
	if endpoint == "" {
		return NewInMemory(t)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	t.Cleanup(transport.CloseIdleConnections)
	b := newBackend(endpoint, roundTripper(func(r *http.Request) (*http.Response, error) {
		// The body's WriteTo would lose connections and responses, and requests would be sent
		// twice: see bodyReader in package dynamostore.
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
		return transport.RoundTrip(r)
	}))
	t.Cleanup(func() {
		_, err := b.raw.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &b.Table})
		var missing *types.ResourceNotFoundException
		if err != nil && !errors.As(err, &missing) {
			t.Errorf("dynamotest: delete table: %v", err)
		}
	})
	return b
}

// NewInMemory returns a Backend on memdynamo, whatever the environment says, for tests that send
// thousands of requests per second.
func NewInMemory(testing.TB) *Backend {
	return newBackend("http://memdynamo.invalid", memdynamo.New(), func(o *dynamodb.Options) {
		o.HTTPSignerV4 = unsigned{}
	})
}

// unsigned takes the place of the SDK's signer, which costs time in each request. memdynamo asks for
// the header and does not check it.
type unsigned struct{}

func (unsigned) SignHTTP(_ context.Context, _ aws.Credentials, r *http.Request, _, _, _ string, _ time.Time, _ ...func(*v4.SignerOptions)) error {
	r.Header.Set("Authorization", "unsigned")
	return nil
}

func newBackend(endpoint string, transport http.RoundTripper, optFns ...func(*dynamodb.Options)) *Backend {
	b := &Backend{Table: "test-" + rand.Text(), transport: transport, counts: make(map[string]int)}
	if os.Getenv(noTransactionsVariable) != "" {
		b.RefuseTransactions()
	}
	b.raw = NewClient(endpoint, transport, optFns...)
	b.Client = NewClient(endpoint, roundTripper(b.roundTrip), optFns...)
	return b
}

// NewClient returns a client for the endpoint that uses transport. It retries as often as the SDK
// does by default, with pauses of a millisecond.
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
			o.RateLimiter = ratelimit.None // a test may inject more faults than the SDK's retry budget allows
		}),
	}, optFns...)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (b *Backend) roundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	b.counts[Operation(r)]++
	b.mu.Unlock()
	return b.faults.RoundTrip(b.transport, r)
}

// RefuseTransactions makes the Backend refuse Client's transactions, like an engine without
// transactions. Call it before using Client. The environment variable
// DYNAMOSTORE_TEST_NO_TRANSACTIONS does the same for all Backends.
func (b *Backend) RefuseTransactions() {
	var refusals Injector
	refusals.Always(fails(http.StatusBadRequest, "UnknownOperationException", "An unknown operation was requested."), "TransactWriteItems")
	next := b.transport
	b.transport = roundTripper(func(r *http.Request) (*http.Response, error) { return refusals.RoundTrip(next, r) })
}

// Inject applies the faults to the next requests of the operation, one fault per request.
func (b *Backend) Inject(op string, faults ...Fault) {
	for _, f := range faults {
		b.faults.Next(f, op)
	}
}

// Pending returns the number of injected faults that have not been applied yet.
func (b *Backend) Pending() int { return b.faults.Pending() }

// Heal removes the faults that have not been applied yet.
func (b *Backend) Heal() { b.faults.Clear() }

// Counts returns how many requests of each operation Client has sent since the last call of Counts,
// including retries.
func (b *Backend) Counts() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := maps.Clone(b.counts)
	clear(b.counts)
	return counts
}

// CreateTable creates the Backend's table with a partition key and, if sortKey is not empty, a sort
// key, both of type S. TTL is off, so expired items stay for the test to see.
func (b *Backend) CreateTable(t testing.TB, key, sortKey string) {
	t.Helper()
	input := &dynamodb.CreateTableInput{TableName: &b.Table, BillingMode: types.BillingModePayPerRequest}
	add := func(name string, role types.KeyType) {
		input.KeySchema = append(input.KeySchema, types.KeySchemaElement{AttributeName: &name, KeyType: role})
		input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	add(key, types.KeyTypeHash)
	if sortKey != "" {
		add(sortKey, types.KeyTypeRange)
	}
	_, err := b.raw.CreateTable(t.Context(), input)
	check(t, err)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("dynamotest: %v", err)
	}
}

// Item is the attributes of an item.
type Item = map[string]types.AttributeValue

// Items returns all items of the table.
func (b *Backend) Items(t testing.TB) []Item {
	t.Helper()
	var items []Item
	pages := dynamodb.NewScanPaginator(b.raw, &dynamodb.ScanInput{TableName: &b.Table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		check(t, err)
		items = append(items, page.Items...)
	}
	return items
}

// Put stores an item unconditionally.
func (b *Backend) Put(t testing.TB, item Item) {
	t.Helper()
	_, err := b.raw.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &b.Table, Item: item})
	check(t, err)
}

// Delete removes the item with that key.
func (b *Backend) Delete(t testing.TB, key Item) {
	t.Helper()
	_, err := b.raw.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &b.Table, Key: key})
	check(t, err)
}

// Raw returns a client whose requests are neither counted nor subject to faults.
func (b *Backend) Raw() *dynamodb.Client { return b.raw }

// S, N and B return attribute values of those types.
func S(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func N(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }
func B(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
