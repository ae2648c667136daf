package dynamostore

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client is what a Store calls on the request path. A *[dynamodb.Client] satisfies it, and so do a
// DAX client and wrappers of either. What needs more than this (the table calls) asks the client
// for it, and returns an error that names the missing method where the client lacks it.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// NewClient returns a DynamoDB client for sessions: a browser waits for each of its requests, and
// many are under way at once. What cfg says itself (region, credentials, endpoint, a retryer, an
// HTTP client that is not the SDK's own) stays as it is, as do AWS_CA_BUNDLE,
// AWS_ENDPOINT_URL_DYNAMODB and the proxy variables, and optFns have the last word.
func NewClient(cfg aws.Config, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	// AWS_CA_BUNDLE comes as a BuildableClient with its roots set, so that is built on. An
	// application's own client is its own affair.
	switch client := cfg.HTTPClient.(type) {
	case nil:
		cfg.HTTPClient = tuned(awshttp.NewBuildableClient())
	case *awshttp.BuildableClient:
		cfg.HTTPClient = tuned(client)
	}
	if cfg.Retryer == nil && cfg.RetryMode == "" {
		cfg.Retryer = newRetryer
	}
	return dynamodb.NewFromConfig(cfg, optFns...)
}

func tuned(client *awshttp.BuildableClient) *awshttp.BuildableClient {
	return client.WithDialerOptions(func(d *net.Dialer) {
		// DynamoDB is in the same region: a connection that takes this long will not come.
		d.Timeout = time.Second
		d.KeepAlive = 30 * time.Second
	}).WithTransportOptions(func(t *http.Transport) {
		// Every request in flight has a connection, and keeps it: the SDK's default of 10 per
		// host opens and closes one for nearly each request above that.
		t.MaxIdleConns = 0 // no bound but the one per host
		t.MaxIdleConnsPerHost = 1024
		// DynamoDB closes idle connections after some minutes; this is earlier.
		t.IdleConnTimeout = 90 * time.Second
		t.TLSHandshakeTimeout = 2 * time.Second
		// Answers take milliseconds. One that takes this long is tried again, within Config.Timeout.
		t.ResponseHeaderTimeout = 2 * time.Second
	})
}

// newRetryer bounds the pause before a retry by what a waiting browser bears: the SDK's own bound
// is 20 s.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 5
		o.MaxBackoff = 400 * time.Millisecond
	})
}
