// Package dynamostoretest provides an in-memory DynamoDB for the tests of applications that use
// package dynamostore. Such tests run the real Store and need no AWS account, no configuration and
// no network.
//
// A test creates a client, a Store that uses it, and the table, as the application does when it
// starts:
//
//	store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{}, key)
//	...
//	err = store.EnsureTable(t.Context())
//
// Two Stores on one client are two instances of a service.
//
// # Faults
//
// [Faults] makes requests of all or some operations fail, wait, or lose their response.
//
// # Time
//
// A client created in a bubble of [testing/synctest] follows the bubble's clock, so a test can let
// sessions expire without waiting. See the example (Time).
//
// # Package-level stores
//
// A package-level variable that calls [dynamostore.Open] is initialized before TestMain, so a test
// cannot prepare the environment for it. Declare the variable without a value and assign it in main
// and in TestMain, or open the store at its first use with [sync.OnceValue]. For stores opened from
// the environment, use [NewHandler]. README.md in this package's directory shows both.
//
// # What it is not
//
// It is not for production. It implements the part of DynamoDB that package dynamostore uses, in
// the memory of one process:
//
//   - Nothing outlives the process or is shared with another. Each client has a DynamoDB of its
//     own, without tables.
//   - It implements CreateTable, DescribeTable, UpdateTable, DeleteTable, ListTables,
//     UpdateTimeToLive, DescribeTimeToLive, GetItem, PutItem, UpdateItem, DeleteItem, Query, Scan
//     and TransactWriteItems. It lacks BatchGetItem and BatchWriteItem, reads in transactions,
//     local indexes, streams, backups, PartiQL and the legacy parameters that expressions replaced,
//     and refuses them with an error that names them. UpdateTable adds or deletes an index or
//     switches deletion protection, no more.
//   - CreateTable accepts what provisioning usually sends: tags, encryption, table class and
//     deletion protection. Only deletion protection has an effect.
//   - It is kinder than the service. It never throttles, fails or delays a request by itself. Every
//     read is consistent, also of an index. Tables and indexes are ready at once. Transactions
//     never conflict. Any credentials are accepted and have every permission.
//   - TTL deletes an item within ten seconds after it expires, if requests arrive. The service may
//     take days. A Store does not depend on it.
//
// Keys, limits, conditions and errors are those of DynamoDB.
package dynamostoretest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/memdynamo"
)

// NewClient returns a client with its own in-memory DynamoDB, which has no tables. After the test
// and its subtests have ended, the client's requests fail with an error that names the test.
//
// [dynamostore.NewClient] makes the client. It is safe for concurrent use. It reads no AWS
// configuration from environment or files, uses no network, and starts no goroutine. optFns change
// its options, as for [dynamodb.New]; see also [Faults.Option].
func NewClient(t testing.TB, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	engine := &transport{engine: memdynamo.New(), test: t.Name()}
	t.Cleanup(func() { engine.ended.Store(true) })
	return newClient(engine, optFns)
}

// Open is [NewClient] without a test, for TestMain, examples and demonstrations. The tables
// disappear with the client; there is nothing to close.
func Open(optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	return newClient(memdynamo.New(), optFns)
}

// NewHandler returns a new in-memory DynamoDB, without tables, as an HTTP handler. Serve it with
// [net/http/httptest.NewServer] to a program that makes its own client, as [dynamostore.Open] does.
// The client needs the server's URL in AWS_ENDPOINT_URL_DYNAMODB, and any values in AWS_REGION,
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
func NewHandler() http.Handler { return memdynamo.New() }

func newClient(transport http.RoundTripper, optFns []func(*dynamodb.Options)) *dynamodb.Client {
	return dynamostore.NewClient(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://dynamostoretest.invalid"), // RFC 2606: never looked up
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "dynamostoretest", SecretAccessKey: "dynamostoretest"}, nil
		}),
	}, optFns...)
}

// transport carries requests to engine for as long as the test runs.
type transport struct {
	engine *memdynamo.Engine
	test   string
	ended  atomic.Bool
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.ended.Load() {
		return t.engine.RoundTrip(r)
	}
	if r.Body != nil { // a transport closes it, on errors too
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return nil, endedError(t.test)
}

// endedError is the error of a client that outlived its test, whose name it holds.
type endedError string

func (e endedError) Error() string {
	return fmt.Sprintf("dynamostoretest: the test %s has ended, and its DynamoDB with it; "+
		"stop using the client before the test returns", string(e))
}

// RetryableError tells the SDK not to retry.
func (endedError) RetryableError() bool { return false }
