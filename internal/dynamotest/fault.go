package dynamotest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"example.com/dynamostore/internal/memdynamo"
)

// A Fault answers a request in place of DynamoDB, which is behind next.
type Fault func(next http.RoundTripper, r *http.Request) (*http.Response, error)

// Times returns a fault n times.
func Times(n int, f Fault) []Fault { return slices.Repeat([]Fault{f}, n) }

// Faults of requests that do not reach DynamoDB.
var (
	// Refused refuses the connection: nothing listens.
	Refused = unreachable("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))

	// Reset resets the connection.
	Reset = unreachable("read", os.NewSyscallError("read", syscall.ECONNRESET))
)

// unreachable fails as a transport does.
func unreachable(op string, err error) Fault {
	return func(http.RoundTripper, *http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: op, Net: "tcp", Err: err}
	}
}

// HostNotFound fails to resolve the host's name.
func HostNotFound(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	err := &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
	return unreachable("dial", err)(next, r)
}

// Faults of requests that DynamoDB applies.
var (
	// AppliedThenReset resets the connection before the response.
	AppliedThenReset = applied(Reset)

	// AppliedThenSilent never answers.
	AppliedThenSilent = applied(Silent)

	// Garbage answers with something that is not DynamoDB's.
	Garbage = applied(HTML(http.StatusOK))
)

// applied sends the request, discards the response, and applies another fault.
func applied(then Fault) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		drain(resp.Body)
		return then(next, r)
	}
}

// drain reads a body to its end and closes it.
func drain(body io.ReadCloser) {
	io.Copy(io.Discard, body)
	body.Close()
}

// A HeldBack holds the requests that its faults were applied to, until the test delivers them. Its
// zero value is ready to use.
type HeldBack struct {
	mu   sync.Mutex
	held []func() (*http.Response, error)
}

// Reset holds the request back and resets the connection.
func (h *HeldBack) Reset(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	return h.hold(next, r, Reset)
}

// Silent holds the request back and never answers.
func (h *HeldBack) Silent(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	return h.hold(next, r, Silent)
}

// hold holds the request back, so that it outlives the caller's context, and applies another fault.
func (h *HeldBack) hold(next http.RoundTripper, r *http.Request, then Fault) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	held := r.Clone(context.WithoutCancel(r.Context()))
	held.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	h.held = append(h.held, func() (*http.Response, error) { return next.RoundTrip(held) })
	h.mu.Unlock()
	return then(next, r)
}

// Deliver sends the held requests to DynamoDB, in their original order, and returns the status of
// each response.
func (h *HeldBack) Deliver(t testing.TB) []int {
	t.Helper()
	h.mu.Lock()
	held := h.held
	h.held = nil
	h.mu.Unlock()
	var statuses []int
	for _, send := range held {
		resp, err := send()
		if err != nil {
			t.Errorf("dynamotest: deliver a request that was held back: %v", err)
			continue
		}
		drain(resp.Body)
		statuses = append(statuses, resp.StatusCode)
	}
	return statuses
}

// Errors that DynamoDB returns.
var (
	// Throttled is returned if requests exceed the table's capacity.
	Throttled = fails(http.StatusBadRequest, "ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded.")

	// Conflict is returned for a write while a transaction is in progress on the same item.
	Conflict = fails(http.StatusBadRequest, "TransactionConflictException", "Transaction is ongoing for the item")

	// RegionConflict is returned for a write to a strongly consistent global table while another
	// region writes the same item.
	RegionConflict = fails(http.StatusBadRequest, "ReplicatedWriteConflictException", "The item is being modified in another region")

	InternalError = fails(http.StatusInternalServerError, "InternalServerError", "Internal server error")

	// Denied is returned if the credentials do not allow the request.
	Denied = fails(http.StatusBadRequest, "AccessDeniedException", "User is not authorized to perform this operation")
)

// fails answers with that error.
func fails(status int, code, message string) Fault {
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return Answer(r, status, code, message, nil), nil
	}
}

// WithoutItem sends the request, and removes the item from the response to a refused conditional
// write, as a DAX client does.
var WithoutItem = Edited(func(answer map[string]any) {
	if answer["__type"] != nil {
		delete(answer, "Item")
	}
})

// Edited sends the request, and lets change edit the response, for states that an engine cannot get
// into.
func Edited(change func(answer map[string]any)) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return nil, err
		}
		change(answer)
		return respond(r, resp.StatusCode, answer), nil
	}
}

// HTML answers like a web server that knows nothing of DynamoDB.
func HTML(status int) Fault {
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode:    status,
			Header:        http.Header{"Content-Type": {"text/html"}},
			ContentLength: -1,
			Body:          io.NopCloser(strings.NewReader("<!DOCTYPE html><title>Welcome</title><p>secret proxy page")),
			Request:       r,
		}, nil
	}
}

// Slow hands the request on after d, or gives it up with its context.
func Slow(d time.Duration) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return next.RoundTrip(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// Silent accepts the request and never answers.
func Silent(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Truncated sends the request and returns half of the response.
func Truncated(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	half := io.LimitReader(resp.Body, resp.ContentLength/2)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(half, iotest.ErrReader(io.ErrUnexpectedEOF)), resp.Body}
	return resp, nil
}

// Do runs f before the request goes on to DynamoDB.
func Do(f func()) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		f()
		return next.RoundTrip(r)
	}
}

// Answer returns an error response in DynamoDB's form, with further members.
func Answer(r *http.Request, status int, code, message string, more map[string]any) *http.Response {
	answer := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message}
	maps.Copy(answer, more)
	return respond(r, status, answer)
}

func respond(r *http.Request, status int, answer map[string]any) *http.Response {
	w := httptest.NewRecorder()
	memdynamo.Answer(w, status, answer)
	resp := w.Result()
	resp.Request = r
	resp.Header.Set("X-Amzn-Requestid", "FAULT")
	return resp
}
