// Package dynamostoretest gives the tests of an application a DynamoDB in memory, with the real
// Store on top, so that they need no AWS account, no configuration and no network.
//
// It is not for production. It is the part of DynamoDB that package dynamostore uses, in the memory of
// one process, and no more:
//
//   - Nothing outlives the process, or is shared with another. Tests start with no table, each with
//     a DynamoDB of its own.
//   - It has CreateTable, DescribeTable, UpdateTable, DeleteTable, ListTables, UpdateTimeToLive and
//     DescribeTimeToLive, GetItem, PutItem, UpdateItem, DeleteItem, Query, Scan and TransactWriteItems. It
//     lacks batches, reads in transactions, local indexes, streams, backups, tags, PartiQL and
//     the parameters from before expressions, and refuses them with an error that names them.
//   - It is kinder than the service. It never throttles, fails or takes its time. Every
//     read is consistent, that of an index too; tables and indexes are there at once;
//     transactions never conflict; any credentials will do, and none lack a permission.
//   - What has expired is deleted by TTL within ten seconds, if requests come in. The service takes up
//     to some days. The Store does not depend on it.
//
// Keys, limits, conditions and errors are those of DynamoDB.
//
// A test makes a client, a Store on it, and the table, as the application does when it starts:
//
//	store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{}, key)
//	...
//	err = store.EnsureTable(t.Context())
//
// Two Stores on one client are two instances of a service. An application that makes its own client
// from the environment, by [dynamostore.Open], is tested on [NewHandler].
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

// NewClient returns a client on a DynamoDB in memory of its own, without tables. Once the test and
// its subtests have ended, the client's requests fail with an error that names the test.
//
// The client is one of [dynamostore.NewClient], and as safe for concurrent use. It looks at no AWS
// configuration, neither environment nor files, uses no network, and holds no goroutine. Functions
// in optFns may change it, as for [dynamodb.New]: one that wraps the HTTPClient it finds sees every
// request, and can answer some itself, to test what the application does when DynamoDB fails.
func NewClient(t testing.TB, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	engine := &transport{engine: memdynamo.New(), test: t.Name()}
	t.Cleanup(func() { engine.ended.Store(true) })
	return newClient(engine, optFns)
}

// Open is [NewClient] where there is no test: for examples, and programs that show something. The
// tables go with the client; there is nothing to close.
func Open(optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	return newClient(memdynamo.New(), optFns)
}

// NewHandler returns a DynamoDB in memory of its own, without tables, to be served by
// [net/http/httptest.NewServer] to a program that makes its own client. Such a client wants the
// server's address in AWS_ENDPOINT_URL_DYNAMODB, any AWS_REGION, and any AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY.
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

// endedError is the error of a client that outlived its test, named by it.
type endedError string

func (e endedError) Error() string {
	return fmt.Sprintf("dynamostoretest: the test %s has ended, and its DynamoDB with it: end what still uses the client before", string(e))
}

// RetryableError tells the SDK that to try again is in vain.
func (endedError) RetryableError() bool { return false }
