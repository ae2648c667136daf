// Package memdynamo is the part of DynamoDB's HTTP API that this project uses,
// in memory, for tests and demonstrations.
//
// It is not a database: nothing is stored beyond the process, nothing is
// replicated, throttled, authenticated or encrypted, and it is not for
// production. It lacks batches, reads in transactions, local indexes,
// streams, backups, tags, PartiQL and the legacy parameters from before
// expressions. What it lacks it refuses with an error that names it; no
// parameter of a request is ever ignored.
//
// What it has behaves as DynamoDB does, as far as DynamoDB Local shows and
// documentation tells how that differs from the service; the parity test
// compares the two, message by message. Tables and indexes are ACTIVE at
// once. Reads are always consistent, also where they need not be.
// Transactions run one after another, so TransactionConflictException and
// the cancellation reason TransactionConflict do not occur. Expired items
// of a table with a time to live are deleted when a request comes in and ten
// seconds have passed since they last were.
package memdynamo

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An Engine is a DynamoDB endpoint with tables of its own. It is an
// http.Handler, to be served, and an http.RoundTripper, to be a client's
// Transport without any network. It may be used by many goroutines at once.
type Engine struct {
	now func() time.Time

	mu     sync.RWMutex
	tables map[string]*table

	tokensMu    sync.Mutex
	tokens      map[string]tokenUse // by ClientRequestToken
	tokensSwept int                 // how many there were after the last sweep
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		err = serialization("The request body cannot be read: %v", err)
	}
	status, answer := e.answer(r, body, err)
	setHeader(w.Header(), answer)
	w.WriteHeader(status)
	w.Write(answer)
}

// RoundTrip answers one request of the protocol, in the caller's goroutine. A
// request whose context is done is not carried out.
func (e *Engine) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	var readErr error
	if r.Body != nil {
		body, readErr = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if readErr != nil {
		return nil, fmt.Errorf("memdynamo: read the request: %w", readErr)
	}
	var err error
	if len(body) > maxBody {
		err = serialization("The request body is larger than %d bytes", maxBody)
	}
	status, answer := e.answer(r, body, err)
	resp := &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, 4),
		Body:          io.NopCloser(bytes.NewReader(answer)),
		ContentLength: int64(len(answer)),
		Request:       r,
	}
	setHeader(resp.Header, answer)
	return resp, nil
}

func setHeader(h http.Header, answer []byte) {
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10))
	h.Set("X-Amzn-Requestid", rand.Text())
}

// answer is the status and body for a request, whose body could be read if
// err is nil.
func (e *Engine) answer(r *http.Request, body []byte, err error) (int, []byte) {
	var out map[string]any
	if err == nil {
		out, err = e.carryOut(r, body)
	}
	status := http.StatusOK
	if err != nil {
		failure, ok := err.(*apiError)
		if !ok {
			failure = &apiError{status: http.StatusInternalServerError, typ: "com.amazonaws.dynamodb.v20120810#InternalServerError", message: err.Error()}
		}
		status = failure.status
		out = map[string]any{"__type": failure.typ, "Message": failure.message}
		for name, x := range failure.extra {
			out[name] = x
		}
	}
	return status, appendJSON(make([]byte, 0, 512), out)
}

// operations are those that the engine implements, by their names.
var operations = map[string]func(*Engine, *params) (map[string]any, error){
	"CreateTable":        (*Engine).createTable,
	"DescribeTable":      (*Engine).describeTable,
	"DeleteTable":        (*Engine).deleteTable,
	"UpdateTable":        (*Engine).updateTable,
	"ListTables":         (*Engine).listTables,
	"UpdateTimeToLive":   (*Engine).updateTimeToLive,
	"DescribeTimeToLive": (*Engine).describeTimeToLive,
	"GetItem":            (*Engine).getItem,
	"PutItem":            func(e *Engine, p *params) (map[string]any, error) { return e.writeItem(p, opPut) },
	"UpdateItem":         func(e *Engine, p *params) (map[string]any, error) { return e.writeItem(p, opUpdate) },
	"DeleteItem":         func(e *Engine, p *params) (map[string]any, error) { return e.writeItem(p, opDelete) },
	"Query":              (*Engine).query,
	"Scan":               (*Engine).scan,
	"TransactWriteItems": (*Engine).transactWriteItems,
}

func (e *Engine) carryOut(r *http.Request, body []byte) (map[string]any, error) {
	if r.Method != http.MethodPost || r.Header.Get("Authorization") == "" {
		return nil, exception("MissingAuthenticationToken", "Request must contain either a valid (registered) AWS access key ID or X.509 certificate.")
	}
	target, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !ok {
		return nil, exception("InvalidAction", "The action or operation requested is invalid. Verify that the action is typed correctly.")
	}
	operation := operations[target]
	if operation == nil {
		return nil, exception("UnknownOperationException", "An unknown operation was requested. memdynamo does not implement %q", target)
	}
	p, err := parseRequest(body)
	if err != nil {
		return nil, err
	}
	out, err := operation(e, p)
	if p.err != nil { // what is wrong with the request's form goes first
		return nil, p.err
	}
	return out, err
}

// table takes the TableName of a request and finds the table, after a sweep of
// it where that is due.
func (e *Engine) table(p *params) (*table, error) {
	name := p.string("TableName")
	if err := checkName(name); err != nil {
		return nil, err
	}
	e.mu.RLock()
	t := e.tables[name]
	e.mu.RUnlock()
	if t == nil {
		return nil, tableNotFound()
	}
	t.sweep(e.now())
	return t, nil
}

func checkName(name string) error {
	valid := len(name) >= 3 && len(name) <= 255
	for i := range len(name) {
		valid = valid && (isWord(name[i]) || name[i] == '-' || name[i] == '.')
	}
	if !valid {
		return validation("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	return nil
}
