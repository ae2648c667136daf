package dynamostore

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client is what a Store calls on the request path. A *[dynamodb.Client] satisfies it, and so do a
// DAX client (github.com/aws/aws-dax-go-v2) and wrappers of either. What needs more than this
// (TransactWriteItems for Regenerate, Query, Scan, the table calls) asks the client for it, and
// returns an error that names the missing method where the client lacks it.
//
// A wrapper must not change an item after it returned it: a session's strings may be parts of it.
//
// DAX answers strongly consistent reads, which are the default, from DynamoDB. With
// [Config.EventualReads] it answers from its cache, and a session that somebody ended past DAX,
// such as by an administrator's program with a plain client, is found until the cache's TTL is over.
// DAX does not say what a refused write met, so a conflict costs a read more. Close a DAX client only when
// no request is under way: with [Lock], a request's end sends one, for which a closed DAX client panics.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// NewClient returns a DynamoDB client for sessions: a browser waits for each of its requests, many
// are under way at once, and DynamoDB is near, in the same region. Unlike the client that
// dynamodb.NewFromConfig(cfg) returns:
//
//   - It keeps a connection open for every request that was in flight at once, for 50 s.
//   - It waits 1.1 s for a TCP connection, 2 s for TLS, and 2 s for an answer to begin: then it tries
//     again, on another connection. How long all of it may take is [Config.Timeout]'s business.
//   - It sends a request up to 5 times, also where the answer broke off, with pauses of up to 50, 100,
//     200 and 400 ms.
//   - It speaks HTTP/1.1, as DynamoDB does, whatever else is offered.
//   - It does not lose connections, and answers with them, to the SDK's closing of request bodies.
//
// What cfg says stays as it is: credentials, region, endpoint, logger, middleware and all else. That
// goes for the retries too: a Retryer replaces the policy above, RetryMode aws.RetryModeAdaptive keeps
// its pauses, and RetryMaxAttempts its pauses with another number of attempts. And it goes for
// the HTTP client: one that is not the SDK's *[awshttp.BuildableClient], such as an *[http.Client], sends
// the requests as it is. In a BuildableClient, such as AWS_CA_BUNDLE makes, each value that
// differs from the SDK's default is kept, as is a DialContext (within the 1.1 s, unless the dialer's
// Timeout was set), and a DefaultsMode sets its own times to connect. Proxies are those of
// HTTPS_PROXY, HTTP_PROXY and NO_PROXY (see [http.ProxyFromEnvironment]). AWS_ENDPOINT_URL_DYNAMODB,
// AWS_MAX_ATTEMPTS, AWS_RETRY_MODE and the rest of the environment come by cfg, if
// config.LoadDefaultConfig made it.
//
// optFns have the last word. They find the tuned *awshttp.BuildableClient in Options.HTTPClient.
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
		if o.HTTPClient != nil {
			o.HTTPClient = bodyReader{o.HTTPClient}
		}
	})
	return dynamodb.NewFromConfig(cfg, optFns...)
}

const (
	// connectTimeout, for TCP, is what AWS has for clients in the same region. It leaves room for one SYN
	// that was lost, which is sent again after 1 s (RFC 6298, section 2.1).
	// https://docs.aws.amazon.com/sdkref/latest/guide/feature-smart-config-defaults.html
	connectTimeout = 1100 * time.Millisecond
	// handshakeTimeout, for TLS, is longer than AWS's 1.1 s: a handshake takes this side's CPU, for which
	// a burst of new connections contends, and to give all of them up would have them begin anew.
	handshakeTimeout = 2 * time.Second
	// answerTimeout ends the wait for an answer, which takes milliseconds, on a connection that is
	// dead without saying so: after a failover, or a Lambda function's sleep. It leaves room for a page
	// of a scan and the table calls, and within the default Timeout for a second attempt and the
	// beginning of a third. For transactions AWS wants 1 s or more.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
	answerTimeout = 2 * time.Second
	// idleTimeout is less than the 60 s after which DynamoDB closes connections, as those who
	// looked report; AWS names no number. Who closes first does not send a request into a
	// connection that is being closed. TCP keep-alive, every 30 s in the SDK's dialer, does not
	// change that, but finds connections that are dead.
	// https://github.com/aws/aws-sdk-java/issues/1365
	idleTimeout = 50 * time.Second
)

// tune returns a copy of client with the values for this job, where it has the SDK's defaults.
func tune(client *awshttp.BuildableClient) *awshttp.BuildableClient {
	ownTimeout := client.GetDialer().Timeout != awshttp.DefaultDialConnectTimeout
	return client.WithTransportOptions(func(t *http.Transport) {
		if !ownTimeout && t.DialContext != nil {
			t.DialContext = within(connectTimeout, t.DialContext)
		}
		replace(&t.TLSHandshakeTimeout, awshttp.DefaultHTTPTransportTLSHandleshakeTimeout, handshakeTimeout)
		replace(&t.ResponseHeaderTimeout, 0, answerTimeout)
		replace(&t.IdleConnTimeout, awshttp.DefaultHTTPTransportIdleConnTimeout, idleTimeout)
		// As many connections may be idle as may be in use (2048, the SDK's number), so that none is closed
		// for want of room. The SDK keeps 10: of those above, nearly each is opened for one request.
		most := t.MaxConnsPerHost
		if most <= 0 {
			most = awshttp.DefaultHTTPTransportMaxConnsPerHost
		}
		replace(&t.MaxIdleConnsPerHost, awshttp.DefaultHTTPTransportMaxIdleConnsPerHost, most)
		replace(&t.MaxIdleConns, awshttp.DefaultHTTPTransportMaxIdleConns, 0) // no bound but that per host
		if t.Protocols == nil {
			http1(t)
		}
	})
}

// replace sets field, unless it has another value than the SDK's: then it is the application's.
func replace[T comparable](field *T, sdk, value T) {
	if *field == sdk {
		*field = value
	}
}

// within bounds the time that dial takes.
func within(d time.Duration, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return dial(ctx, network, address)
	}
}

// http1 has t speak HTTP/1.1 only. It is all that DynamoDB speaks, but the SDK offers HTTP/2 to
// whatever lies between. By that all requests would share a connection, and when it goes silent, each retry
// would go to it again, and each further request.
func http1(t *http.Transport) {
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	if t.TLSClientConfig != nil {
		// net/http notes the offer here when the transport is first used or copied.
		protos := slices.Clone(t.TLSClientConfig.NextProtos)
		t.TLSClientConfig.NextProtos = slices.DeleteFunc(protos, func(p string) bool { return p == "h2" })
	}
}

// newRetryer returns the SDK's retryer of that mode, with its budget (500 tokens, 5 or 10 a
// retry, so that an outage does not multiply the load), but pauses that a waiting browser bears.
func newRetryer(mode aws.RetryMode) aws.Retryer {
	standard := func(o *retry.StandardOptions) {
		o.MaxAttempts = 5
		o.Backoff = retry.BackoffDelayerFunc(backoff)
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(brokeOff))
	}
	if mode == aws.RetryModeAdaptive {
		return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, standard)
		})
	}
	return retry.NewStandard(standard)
}

// backoff returns the pause after that attempt, the first being 1: up to 50 ms, 100 ms and so on, but
// no more than 400 ms. Those are DynamoDB's own numbers, while the SDK's are 2 s, 4 s and up to 20 s. Full
// jitter keeps those who failed together from coming back together.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html#Programming.Errors.RetryAndBackoff
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func backoff(attempt int, _ error) (time.Duration, error) {
	const first, most = 50 * time.Millisecond, 400 * time.Millisecond
	return rand.N(min(first<<min(max(attempt-1, 0), 8), most)), nil
}

// brokeOff has an answer that broke off asked for again, which the SDK does only for a connection that was
// reset. It bears that as well as any other failure after which nobody knows what was done.
func brokeOff(err error) aws.Ternary {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// bodyReader sends requests whose bodies net/http reads by Read. By WriteTo, which it prefers, it loses
// connections: the SDK closes a body as soon as the answer begins, and WriteTo of a closed body returns
// io.EOF (smithy-go v1.28.8, transport/http/internal/io). If the connection's writer is not through with
// its last look at the body by then, it takes that for a failed write and closes the connection, at times
// amid the answer: "failed to close HTTP response body, this may affect connection reuse: response did
// not match expected checksum", and a retry. Read returns io.EOF as well, which is how a body ends.
type bodyReader struct{ next aws.HTTPClient }

func (c bodyReader) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		// The request is the SDK's copy for this one attempt.
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.next.Do(r)
}
