package main

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// outages are those that visitors asked for: DynamoDB fails for a while, for the requests of their
// own session alone.
type outages struct {
	now func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // by visitor
}

func newOutages() *outages {
	return &outages{now: time.Now, until: make(map[string]time.Time)}
}

// begin begins an outage.
func (o *outages) begin(visitor string, d time.Duration) {
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.until, func(_ string, end time.Time) bool { return !end.After(now) })
	o.until[visitor] = now.Add(d)
}

func (o *outages) strikes(visitor string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.until[visitor].After(o.now())
}

// client returns a client that suffers from the outages, on top of another.
func (o *outages) client(client *dynamodb.Client) *dynamodb.Client {
	return dynamodb.New(client.Options(), func(options *dynamodb.Options) {
		options.HTTPClient = failing{options.HTTPClient, o}
	})
}

type failing struct {
	next    dynamodb.HTTPClient
	outages *outages
}

// Do answers as DynamoDB does that has a problem, which the SDK tries to get over by trying again.
func (f failing) Do(r *http.Request) (*http.Response, error) {
	if !f.outages.strikes(visitorIn(r.Context())) {
		return f.next.Do(r)
	}
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{
		Status:     "500 Internal Server Error",
		StatusCode: http.StatusInternalServerError,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:    io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"the demo's outage"}`)),
		Request: r,
	}, nil
}
