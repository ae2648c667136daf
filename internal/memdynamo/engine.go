// Package memdynamo implements in memory the part of DynamoDB's HTTP API that this module uses, for
// tests and demonstrations.
//
// It is not for production: nothing outlives the process, and nothing is replicated, throttled,
// authenticated or encrypted. It refuses operations and parameters that it lacks with an error that
// names them and dynamostoretest, the package that users know and whose documentation lists them.
//
// Otherwise it behaves like the service. The parity test compares it with DynamoDB Local, message
// by message, and documents known differences from the service. Some things are simpler:
//
//   - Tables and indexes are ACTIVE at once, and gone at once.
//   - Reads are always consistent, even if they need not be.
//   - Requests are executed one after another, so TransactionConflictException and the cancellation
//     reason TransactionConflict do not occur.
//   - Expired items of a table with a time to live are deleted when a request arrives and ten
//     seconds have passed since the last deletion.
//
// An Engine starts no goroutines and waits only for its lock, which it holds only while it works,
// so it can be used in a bubble of testing/synctest.
package memdynamo

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// An Engine is a DynamoDB endpoint with its own tables. It is an http.Handler for a server, and an
// http.RoundTripper for a client that uses it without a network. It is safe for concurrent use.
type Engine struct {
	now func() time.Time

	mu          sync.Mutex // held while a request is executed, so that they run one after another
	tables      map[string]*table
	tokens      map[string]tokenUse // by ClientRequestToken
	tokensSwept time.Time           // when the expired ones were last deleted
}

// New returns an engine without tables.
func New() *Engine {
	return &Engine{now: time.Now, tables: map[string]*table{}, tokens: map[string]tokenUse{}}
}

// maxBody is DynamoDB's bound on the size of a request.
const maxBody = 16 << 20

const targetPrefix = "DynamoDB_20120810."

// ServeHTTP answers one request of the protocol.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := e.serve(w, r); err != nil { // the client is gone or its request was truncated
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// RoundTrip answers one request of the protocol, in the caller's goroutine. A request whose context
// is done is not executed.
func (e *Engine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	w := httptest.NewRecorder()
	if err := e.serve(w, r); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (e *Engine) serve(w http.ResponseWriter, r *http.Request) error {
	var body []byte
	var readErr error
	if r.Body != nil {
		body, readErr = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	}
	if err := r.Context().Err(); err != nil {
		return err
	}
	if readErr != nil {
		return fmt.Errorf("dynamostoretest: read the request: %w", readErr)
	}
	status := http.StatusOK
	var out map[string]any
	if failure := attempt(func() { out = e.execute(r, body) }); failure != nil {
		status = http.StatusBadRequest
		out = map[string]any{"__type": failure.typ, "Message": failure.message}
		maps.Copy(out, failure.extra)
	}
	Answer(w, status, out)
	return nil
}

// Answer writes a response in the form of the protocol.
func Answer(w http.ResponseWriter, status int, out map[string]any) {
	answer := encode(out)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10))
	w.Header().Set("X-Amzn-Requestid", rand.Text())
	w.WriteHeader(status)
	w.Write(answer)
}

// encode returns the JSON form of an answer, or of a part of a request, with sorted members.
func encode(x any) []byte {
	b, err := json.Marshal(x, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("memdynamo: a value has no JSON form: %v", err))
	}
	return b
}

// operations are the operations that the engine implements, by name.
var operations = map[string]func(*Engine, []byte) map[string]any{
	"CreateTable":        operation((*Engine).createTable),
	"DescribeTable":      operation((*Engine).describeTable),
	"DeleteTable":        operation((*Engine).deleteTable),
	"UpdateTable":        operation((*Engine).updateTable),
	"ListTables":         operation((*Engine).listTables),
	"UpdateTimeToLive":   operation((*Engine).updateTimeToLive),
	"DescribeTimeToLive": operation((*Engine).describeTimeToLive),
	"GetItem":            operation((*Engine).getItem),
	"PutItem":            operation(writeItem(opPut)),
	"UpdateItem":         operation(writeItem(opUpdate)),
	"DeleteItem":         operation(writeItem(opDelete)),
	"Query":              operation((*Engine).query),
	"Scan":               operation((*Engine).scan),
	"TransactWriteItems": operation((*Engine).transactWriteItems),
}

// operation returns the operation that f executes on requests of the form In.
func operation[In any](f func(*Engine, In) map[string]any) func(*Engine, []byte) map[string]any {
	return func(e *Engine, body []byte) map[string]any {
		var in In
		decode(body, &in)
		e.mu.Lock()
		defer e.mu.Unlock()
		return f(e, in)
	}
}

// Implements reports whether the engine has the operation.
func Implements(operation string) bool { return operations[operation] != nil }

func (e *Engine) execute(r *http.Request, body []byte) map[string]any {
	failIf(len(body) > maxBody, serialization, "The request body is larger than %d bytes", maxBody)
	unsigned := r.Method != http.MethodPost || r.Header.Get("Authorization") == ""
	failIf(unsigned, exception+"MissingAuthenticationToken", "Request must contain either a valid (registered) AWS access key ID or X.509 certificate.")
	target, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	failIf(!ok, exception+"InvalidAction", "The action or operation requested is invalid. Verify that the action is typed correctly.")
	operation := operations[target]
	failIf(operation == nil, exception+"UnknownOperationException", "An unknown operation was requested. dynamostoretest does not implement %q", target)
	return operation(e, body)
}

// table returns the table, after sweeping it if that is due. byName says that the error names a
// missing table, as it does in requests that are not about items.
func (e *Engine) table(name string, byName bool) *table {
	checkName(name)
	t := e.tables[name]
	failIf(t == nil && byName, exception+"ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
	failIf(t == nil, exception+"ResourceNotFoundException", "Requested resource not found")
	t.sweep(e.now())
	return t
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

func checkName(name string) {
	refuseIf(!validName.MatchString(name), "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
}
