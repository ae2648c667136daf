package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"example.com/dynamostore/internal/dynamotest"
)

// network carries requests from the instances to DynamoDB.
type network struct {
	world *world
	next  http.RoundTripper

	messages sync.WaitGroup // that are under way

	mu     sync.Mutex
	kept   map[string][]keptAnswer // by key: what GetItem answered after each write
	faulty map[faultSite]bool      // where messages met faults
}

// link is an instance's side of the network.
type link struct {
	network *network
	down    <-chan struct{} // closed when the instance crashes
}

var (
	errReset    = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errNoAnswer = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
)

// message is a request to DynamoDB.
type message struct {
	op     string
	body   []byte
	target *http.Request // a copy, whose body is not to be used and whose context does not end
	visit  *visit        // nil: a request outside of any visit
	site   faultSite
	fate   fate
}

// answer is what a client gets for a message.
type answer struct {
	response *http.Response
	err      error
	// verdict: DynamoDB carried the request out, or refused it on its condition.
	verdict bool
}

// RoundTrip sends one attempt of a request.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	m, err := newMessage(r)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.down:
		return nil, errReset
	default:
	}
	n := l.network
	m.fate = n.world.fateOf(m)
	n.world.figures.sent(m)
	n.met(m)
	answers := make(chan answer, 1)
	n.messages.Go(func() { n.carry(m, answers) })
	select {
	case a := <-answers:
		if m.visit != nil && a.verdict {
			m.visit.answered.Add(1)
		}
		return a.response, a.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-l.down:
		return nil, errReset
	}
}

// met notes where a message meets a fault.
func (n *network) met(m *message) {
	if m.fate.kind == deliver {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faulty[m.site] = true
	if m.visit != nil {
		m.visit.faulty.Store(true)
	}
}

// newMessage returns the message that a client's request is.
func newMessage(r *http.Request) (*message, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	visit, _ := r.Context().Value(visitKey{}).(*visit)
	// The client may use its request again while the message is still on its way.
	return &message{op: op, body: body, target: r.Clone(context.WithoutCancel(r.Context())), visit: visit}, nil
}

// request returns the message as a request of its own.
func (m *message) request() *http.Request {
	r := m.target.Clone(m.target.Context())
	r.Body = io.NopCloser(bytes.NewReader(m.body))
	r.ContentLength = int64(len(m.body))
	return r
}

// carry does to a message what its fate says, and sends at most one answer.
func (n *network) carry(m *message, answers chan<- answer) {
	w, f := n.world, m.fate
	w.sleep(f.before)
	failed := func() {
		if f.silent {
			w.sleep(answerTimeout)
			answers <- answer{err: errNoAnswer}
			return
		}
		answers <- answer{err: errReset}
	}
	refuse := func(fault dynamotest.Fault) {
		w.note(m, f.kind.String())
		answers <- answerOf(fault(nil, m.target))
	}
	switch f.kind {
	case loseRequest:
		w.note(m, f.kind.String())
		failed()
	case late:
		w.note(m, "stuck, and the client is told that it failed")
		if f.final {
			answers <- answerOf(dynamotest.HTML(http.StatusOK)(nil, m.target))
		} else {
			failed()
		}
		w.sleep(f.later)
		n.apply(m, "arrives late: ")
	case throttle:
		refuse(dynamotest.Throttled)
	case failInternal:
		refuse(dynamotest.InternalError)
	case conflict:
		refuse(transactionConflict)
	case stale:
		if body, ok := n.staleAnswer(m); ok {
			w.note(m, "answered stale")
			response, err := dynamotest.Edited(func(answer map[string]any) {
				clear(answer)
				if err := json.Unmarshal(body, &answer); err != nil {
					panic(err) // the engine wrote it
				}
			})(n.next, m.request())
			answers <- answer{response: response, err: err, verdict: true}
			return
		}
		fallthrough
	case deliver, slow, duplicate, withoutItem:
		a := n.apply(m, "")
		w.sleep(f.after)
		answers <- a
		if f.kind == duplicate {
			w.sleep(f.later)
			n.apply(m, "arrives again: ")
		}
	case loseAnswer, failAfter, garbleAnswer, truncate:
		a := n.apply(m, f.kind.String()+": ")
		w.sleep(f.after)
		switch {
		case f.kind == loseAnswer || a.err != nil:
			failed()
		case f.kind == failAfter:
			answers <- answerOf(dynamotest.InternalError(nil, m.target))
		default:
			fault := dynamotest.Garbage
			if f.kind == truncate {
				fault = dynamotest.Truncated
			}
			answers <- answerOf(fault(given{a.response}, m.target))
		}
	}
}

// answerOf returns the answer that a fault gives.
func answerOf(response *http.Response, err error) answer { return answer{response: response, err: err} }

// given is a transport that answers with a response that is there already.
type given struct{ response *http.Response }

func (g given) RoundTrip(*http.Request) (*http.Response, error) { return g.response, nil }

// apply has DynamoDB carry the message out.
func (n *network) apply(m *message, how string) answer {
	send := n.next.RoundTrip
	if n.world.plan.setup.noTransactions && m.op == "TransactWriteItems" {
		send = func(r *http.Request) (*http.Response, error) {
			return dynamotest.Answer(r, http.StatusBadRequest, "UnknownOperationException", "An unknown operation was requested.", nil), nil
		}
	}
	if m.fate.kind == withoutItem {
		send = func(r *http.Request) (*http.Response, error) { return withoutItems(n.next, r) }
	}
	response, err := send(m.request())
	if err != nil {
		n.world.note(m, how+err.Error())
		return answer{err: err}
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return answer{err: err}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	code := errorCode(response.StatusCode, body)
	if code == "" {
		n.keep(m)
	}
	refused := code == "ConditionalCheckFailedException" || code == "TransactionCanceledException"
	if refused {
		n.world.figures.refused()
	}
	n.world.note(m, how+outcomeText(code))
	return answer{response: response, verdict: code == "" || refused}
}

// withoutItems takes the items out of a refusal, a transaction's too.
var withoutItems = dynamotest.Edited(func(answer map[string]any) {
	if answer["__type"] == nil {
		return
	}
	delete(answer, "Item")
	reasons, _ := answer["CancellationReasons"].([]any)
	for _, reason := range reasons {
		if reason, ok := reason.(map[string]any); ok {
			delete(reason, "Item")
		}
	}
})

// outcomeText says what an answer with an error's code says.
func outcomeText(code string) string {
	switch code {
	case "":
		return "done"
	case "ConditionalCheckFailedException", "TransactionCanceledException":
		return "refused"
	}
	return code
}

// errorCode returns the code of an error answer, "" for success.
func errorCode(status int, body []byte) string {
	if status == http.StatusOK {
		return ""
	}
	var e struct {
		Type string `json:"__type"`
	}
	json.Unmarshal(body, &e) // what does not parse has no code, but is an error
	if _, code, ok := strings.Cut(e.Type, "#"); ok {
		return code
	}
	return fmt.Sprintf("HTTP %d %s", status, e.Type)
}

// transactionConflict is the answer while a transaction is under way on an item that the request is
// about.
func transactionConflict(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems") {
		return dynamotest.Conflict(next, r)
	}
	return dynamotest.Answer(r, http.StatusBadRequest, "TransactionCanceledException", "Transaction cancelled", map[string]any{
		"CancellationReasons": []any{
			map[string]any{"Code": "None"},
			map[string]any{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
		},
	}), nil
}

// eventual reports whether the message is an eventually consistent read of an item.
func (m *message) eventual() bool {
	return m.op == "GetItem" && !bytes.Contains(m.body, []byte(`"ConsistentRead":true`))
}

// reads reports whether the message changes nothing.
func (m *message) reads() bool { return m.op == "GetItem" || m.op == "Query" || m.op == "Scan" }

// keyAttribute is the partition key's name, which is Config.KeyAttribute's default.
const keyAttribute = "id"

// keys returns the keys of the items that the message is about.
func (m *message) keys() []string {
	var request struct {
		Key, Item     map[string]json.RawMessage
		TransactItems []map[string]struct{ Key, Item map[string]json.RawMessage }
	}
	if err := json.Unmarshal(m.body, &request); err != nil {
		return nil
	}
	var keys []string
	add := func(attributes map[string]json.RawMessage) {
		var id struct{ S string }
		if json.Unmarshal(attributes[keyAttribute], &id) == nil && id.S != "" {
			keys = append(keys, id.S)
		}
	}
	add(request.Key)
	add(request.Item)
	for _, part := range request.TransactItems {
		for _, p := range part {
			add(p.Key)
			add(p.Item)
		}
	}
	slices.Sort(keys)
	return keys
}
