package dynamostore

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client has the methods that a Store calls on the request path. A *[dynamodb.Client] satisfies it,
// and so do a DAX client (github.com/aws/aws-dax-go-v2) and wrappers of either. Listing, purging
// and managing the table need further methods (Query, Scan, DescribeTable and others), and return
// an error that names a method the client lacks. Without TransactWriteItems, Regenerate works as
// with [Config.NoTransactions].
//
// A wrapper must not change an item after returning it: the Store keeps some of its attributes
// until the session's next Save.
//
// With a DAX client:
//
//   - Strongly consistent reads, the default, go through to DynamoDB. With [Config.EventualReads],
//     DAX answers from its cache: a session that was ended without DAX is found until its cache
//     entry expires.
//   - DAX does not return the item that refused a write, so a conflict costs one more read.
//   - Close the client only when no request is in progress: with [Lock], the end of a request sends
//     another one, and a closed DAX client panics.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// NewClient returns a DynamoDB client tuned for sessions: a browser waits for each request, many
// requests run at once, and DynamoDB is in the same region. Unlike the client that
// dynamodb.NewFromConfig(cfg) returns:
//
//   - It keeps idle connections for 50 s, as many as there were concurrent requests.
//   - It waits 1.1 s for a TCP connection, 2 s for TLS, and 2 s for a response to begin. After such
//     a timeout it closes all idle connections, and retries on a new one.
//   - It sends a request up to 5 times, with pauses of up to 50, 100, 200 and 400 ms. It also
//     retries truncated responses.
//   - It only speaks HTTP/1.1, as DynamoDB does.
//   - It does not lose connections and responses when the SDK closes a request body early, and adds
//     the checksum that error responses of some engines, such as DynamoDB Local, lack.
//
// All settings in cfg are kept: credentials, region, endpoint, logger, middleware and so on.
//
//   - A Retryer replaces the retry policy above. With RetryMode aws.RetryModeAdaptive or with
//     RetryMaxAttempts, its pauses stay.
//   - An HTTP client that is not the SDK's *[awshttp.BuildableClient], such as an *[http.Client],
//     keeps its own connections and timeouts.
//   - In a BuildableClient, such as the one that AWS_CA_BUNDLE causes, each value that differs from
//     the SDK's default is kept. So is a DialContext, within the 1.1 s unless the dialer's Timeout
//     was set. A DefaultsMode sets its own connect timeouts.
//   - HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply, and the AWS variables of the environment, such as
//     AWS_ENDPOINT_URL_DYNAMODB and AWS_MAX_ATTEMPTS, if config.LoadDefaultConfig made cfg.
//
// optFns run last and can override everything. They find the tuned *awshttp.BuildableClient in
// Options.HTTPClient.
func NewClient(cfg aws.Config, optFns ...func(*dynamodb.Options)) *dynamodb.Client {
	switch client := cfg.HTTPClient.(type) {
	case nil:
		cfg.HTTPClient = tune(awshttp.NewBuildableClient())
	case *awshttp.BuildableClient:
		cfg.HTTPClient = tune(client)
	}
	if cfg.Retryer == nil {
		mode := cfg.RetryMode
		cfg.Retryer = func() aws.Retryer { return newRetryer(mode) }
	}
	optFns = append(slices.Clone(optFns), func(o *dynamodb.Options) {
		if client, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = newRedialer(client)
		}
		if o.HTTPClient != nil {
			o.HTTPClient = checksummer{bodyReader{o.HTTPClient}}
		}
	})
	return dynamodb.NewFromConfig(cfg, optFns...)
}

const (
	// connectTimeout, for TCP, is AWS's value for clients in the same region. It leaves room for
	// one lost SYN, which is sent again after 1 s (RFC 6298, section 2.1).
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-smart-config-defaults.html
	connectTimeout = 1100 * time.Millisecond
	// handshakeTimeout, for TLS, is longer than AWS's 1.1 s: a burst of new connections competes
	// for this machine's CPU, and giving all of them up would only start the handshakes over.
	handshakeTimeout = 2 * time.Second
	// answerTimeout ends the wait for a response on a connection that died silently, such as after
	// a failover or while a Lambda function slept. It leaves room for a page of a scan and for
	// calls about the table, and within the default Config.Timeout for a second attempt and the
	// beginning of a third. For transactions, AWS recommends 1 s or more.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
	answerTimeout = 2 * time.Second
	// idleTimeout is less than the 60 s after which DynamoDB closes connections, according to user
	// reports; AWS documents no value. By closing first, this side never sends a request on a
	// connection that is being closed. TCP keep-alive does not change that.
	// https://github.com/aws/aws-sdk-java/issues/1365
	idleTimeout = 50 * time.Second
)

// tune returns a copy of client with this package's values in place of the SDK's defaults.
func tune(client *awshttp.BuildableClient) *awshttp.BuildableClient {
	ownTimeout := client.GetDialer().Timeout != awshttp.DefaultDialConnectTimeout
	return client.WithTransportOptions(func(t *http.Transport) {
		if dial := t.DialContext; !ownTimeout && dial != nil {
			t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, connectTimeout)
				defer cancel()
				return dial(ctx, network, address)
			}
		}
		replace(&t.TLSHandshakeTimeout, awshttp.DefaultHTTPTransportTLSHandleshakeTimeout, handshakeTimeout)
		replace(&t.ResponseHeaderTimeout, 0, answerTimeout)
		replace(&t.IdleConnTimeout, awshttp.DefaultHTTPTransportIdleConnTimeout, idleTimeout)
		// As many connections may be idle as may be in use (2048, the SDK's limit), so none is
		// closed for lack of room. The SDK keeps 10, and opens almost every further one for a
		// single request.
		most := t.MaxConnsPerHost
		if most <= 0 {
			most = awshttp.DefaultHTTPTransportMaxConnsPerHost
		}
		replace(&t.MaxIdleConnsPerHost, awshttp.DefaultHTTPTransportMaxIdleConnsPerHost, most)
		replace(&t.MaxIdleConns, awshttp.DefaultHTTPTransportMaxIdleConns, 0) // only limited per host
		if t.Protocols == nil {
			http1(t)
		}
	})
}

// replace sets field if it has the SDK's value. Any other value is the application's.
func replace[T comparable](field *T, sdk, value T) {
	if *field == sdk {
		*field = value
	}
}

// http1 restricts t to HTTP/1.1, the only version that DynamoDB speaks. The SDK would also offer
// HTTP/2, which a proxy may accept. Then all requests would share one connection, and if that went
// silent, every retry and every further request would be sent on it again.
func http1(t *http.Transport) {
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	if t.TLSClientConfig != nil {
		// net/http adds its offer here when the transport is first used or copied.
		protos := slices.Clone(t.TLSClientConfig.NextProtos)
		t.TLSClientConfig.NextProtos = slices.DeleteFunc(protos, func(p string) bool { return p == "h2" })
	}
}

// newRetryer returns the SDK's retryer for that mode, with the SDK's retry budget (500 tokens, 5 or
// 10 per retry, so that an outage does not multiply the load) but with pauses short enough for a
// waiting browser.
func newRetryer(mode aws.RetryMode) aws.Retryer {
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts = 5
		o.Backoff = retry.BackoffDelayerFunc(backoff)
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(isTruncated))
	}
	if mode == aws.RetryModeAdaptive {
		return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, standard)
		})
	}
	return retry.NewStandard(standard)
}

// backoff returns the pause after an attempt, counted from 1: up to 50 ms, 100 ms and so on, but at
// most 400 ms. These are the values that DynamoDB's documentation uses; the SDK's are 2 s, 4 s and
// up to 20 s. Full jitter keeps clients that failed together from retrying together.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html#Programming.Errors.RetryAndBackoff
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func backoff(attempt int, _ error) (time.Duration, error) {
	const first, most = 50 * time.Millisecond, 400 * time.Millisecond
	return rand.N(min(first<<min(max(attempt-1, 0), 8), most)), nil
}

// isTruncated makes the retryer retry a truncated response; by itself, the SDK only retries if the
// connection was reset.
func isTruncated(err error) aws.Ternary {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// redialer closes all idle connections after a timeout: whatever silenced one connection, such as a
// failover, may have silenced all of them. The retry then dials a new one.
type redialer struct{ *http.Client }

// newRedialer returns a client that behaves like client, but can close its connections.
func newRedialer(client *awshttp.BuildableClient) aws.HTTPClient {
	if _, ok := client.GetReadTimeout(); ok {
		return client // it sets that timeout on connections itself
	}
	return redialer{&http.Client{
		Transport:     client.GetTransport(),
		Timeout:       client.GetTimeout(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c redialer) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(r)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && r.Context().Err() == nil {
		c.CloseIdleConnections()
	}
	return resp, err
}

// bodyReader makes net/http read request bodies with Read instead of WriteTo, which it prefers but
// which loses connections. The SDK closes a body as soon as the response begins, and WriteTo of a
// closed body returns io.EOF (smithy-go v1.28.8, transport/http/internal/io). If the connection's
// writer has not finished with the body by then, it treats that as a failed write and closes the
// connection, sometimes in the middle of the response, which the SDK reports as "response did not
// match expected checksum" and retries. Read of a closed body also returns io.EOF, which is how a
// body normally ends.
type bodyReader struct{ next aws.HTTPClient }

func (c bodyReader) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		// The request is the SDK's copy for this one attempt.
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.next.Do(r)
}

// checksummer adds the checksum to error responses that lack one, such as DynamoDB Local's. The SDK
// treats a missing checksum as 0 and warns that the response does not match it
// (aws-sdk-go-v2/service/dynamodb/internal/customizations, checksum.go).
type checksummer struct{ next aws.HTTPClient }

func (c checksummer) Do(r *http.Request) (*http.Response, error) {
	const header = "X-Amz-Crc32"
	resp, err := c.next.Do(r)
	if err != nil || resp.StatusCode < http.StatusBadRequest || resp.Header.Get(header) != "" {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Header.Set(header, strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	return resp, nil
}
