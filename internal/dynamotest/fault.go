package dynamotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// A Fault answers a request in the place of DynamoDB, which is behind next.
type Fault func(next http.RoundTripper, r *http.Request) (*http.Response, error)

// Times returns n times the same fault.
func Times(n int, f Fault) []Fault {
	faults := make([]Fault, n)
	for i := range faults {
		faults[i] = f
	}
	return faults
}

// Refused is a connection that is refused: nothing listens.
func Refused(http.RoundTripper, *http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// Reset is a connection that is reset before the request reached DynamoDB.
func Reset(http.RoundTripper, *http.Request) (*http.Response, error) { return nil, errReset }

// errReset is what a transport returns for a connection that the other side reset.
var errReset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// AppliedThenReset is a request that DynamoDB applies, and a connection that is reset before the answer.
func AppliedThenReset(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return nil, errReset
}

// Throttled is DynamoDB's answer to more than a table's capacity.
func Throttled(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	return Answer(r, http.StatusBadRequest, "ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded.", nil), nil
}

// Conflict is DynamoDB's answer while a transaction is under way on the same item.
func Conflict(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	return Answer(r, http.StatusBadRequest, "TransactionConflictException", "Transaction is ongoing for the item", nil), nil
}

// RegionConflict is the answer of a global table with strong consistency while another region writes the same item.
func RegionConflict(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	return Answer(r, http.StatusBadRequest, "ReplicatedWriteConflictException", "The item is being modified in another region", nil), nil
}

// InternalError is DynamoDB's HTTP 500.
func InternalError(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	return Answer(r, http.StatusInternalServerError, "InternalServerError", "Internal server error", nil), nil
}

// Denied is DynamoDB's answer to credentials that do not allow the request.
func Denied(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	return Answer(r, http.StatusBadRequest, "AccessDeniedException", "User is not authorized to perform this operation", nil), nil
}

// WithoutItem hands the request on, and takes the item out of a refused conditional write, as a
// DAX client does.
func WithoutItem(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	return edit(resp, func(answer map[string]any) { delete(answer, "Item") })
}

// Edited hands the request on, and answers with what change makes of the answer: for states that an
// engine does not get into.
func Edited(change func(answer map[string]any)) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		return edit(resp, change)
	}
}

func edit(resp *http.Response, change func(answer map[string]any)) (*http.Response, error) {
	var answer map[string]any
	err := json.NewDecoder(resp.Body).Decode(&answer)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	change(answer)
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return respond(resp.Request, resp.StatusCode, body), nil
}

// HTML answers as a web server does that knows nothing of DynamoDB.
func HTML(status int) Fault {
	return func(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
		resp := respond(r, status, []byte("<!DOCTYPE html><title>Welcome</title><p>secret proxy page"))
		resp.Header = http.Header{"Content-Type": {"text/html"}}
		return resp, nil
	}
}

// HostNotFound is a host whose name means nothing.
func HostNotFound(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}}
}

// Slow hands the request on after d, or gives it up with its context.
func Slow(d time.Duration) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return next.RoundTrip(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// Silent takes the request and never answers.
func Silent(_ http.RoundTripper, r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// AppliedThenSilent is a request that DynamoDB applies and never answers.
func AppliedThenSilent(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return Silent(next, r)
}

// Garbage applies the request and answers with something that is not DynamoDB's.
func Garbage(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return respond(r, http.StatusOK, []byte("<html>secret proxy page</html>")), nil
}

// Truncated applies the request and answers with half of the answer.
func Truncated(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), failing{}))
	return resp, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Do runs f before the request goes on to DynamoDB.
func Do(f func()) Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		f()
		return next.RoundTrip(r)
	}
}

// Answer returns an error answer as DynamoDB gives it, with further members.
func Answer(r *http.Request, status int, code, message string, more map[string]any) *http.Response {
	answer := map[string]any{
		"__type":  "com.amazonaws.dynamodb.v20120810#" + code,
		"message": message,
	}
	for k, v := range more {
		answer[k] = v
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic(fmt.Sprintf("dynamotest: %v", err))
	}
	return respond(r, status, body)
}

func respond(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status,
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type":     {"application/x-amz-json-1.0"},
			"X-Amz-Crc32":      {strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)},
			"X-Amzn-Requestid": {"FAULT"},
		},
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		Request:       r,
	}
}
