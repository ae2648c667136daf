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

// outages fails the requests to DynamoDB of visitors who asked for that, and of nobody else.
type outages struct {
	next dynamodb.HTTPClient
	now  func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // by visitor
}

// newOutages returns a client that suffers from the outages, on top of another.
func newOutages(client *dynamodb.Client) (*outages, *dynamodb.Client) {
	o := &outages{now: time.Now, until: make(map[string]time.Time)}
	return o, dynamodb.New(client.Options(), func(options *dynamodb.Options) {
		o.next, options.HTTPClient = options.HTTPClient, o
	})
}

// begin begins an outage.
func (o *outages) begin(visitor string, d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	maps.DeleteFunc(o.until, func(_ string, end time.Time) bool { return !end.After(now) })
	o.until[visitor] = now.Add(d)
}

func (o *outages) affects(visitor string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.until[visitor].After(o.now())
}

// Do answers as DynamoDB does when it has a problem. The SDK's client then tries again, some times.
func (o *outages) Do(r *http.Request) (*http.Response, error) {
	if visitor, _ := r.Context().Value(visitorKey).(string); !o.affects(visitor) {
		return o.next.Do(r)
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
