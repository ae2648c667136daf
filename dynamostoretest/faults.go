package dynamostoretest

import (
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/memdynamo"
)

// Faults makes a client's requests fail, to test how an application copes with that. The zero value
// has no faults and is ready to use. Its methods are safe for concurrent use.
//
//	var faults dynamostoretest.Faults
//	client := dynamostoretest.NewClient(t, faults.Option)
//	...
//	faults.Always(dynamostoretest.Fail(), "GetItem") // from now on, no session can be loaded
//	...
//	faults.Clear()
//
// The client retries a failed request up to four times, with pauses of less than half a second, so
// an application does not notice a single fault. To make a call of the Store fail, use
// [Faults.Always], or set [dynamodb.Options.RetryMaxAttempts] to 1. In a bubble of
// [testing/synctest], pauses and delays take no real time.
//
// A Store sends these operations:
//
//	Get, New, Peek           GetItem; with Concurrency: Lock, UpdateItem, except for Peek
//	Save                     PutItem for a new session, otherwise UpdateItem; or nothing
//	Regenerate               TransactWriteItems; PutItem for a new session
//	Load                     GetItem
//	Update                   GetItem and UpdateItem; with Concurrency: Lock, UpdateItem twice
//	Destroy                  UpdateItem
//	UserSessions             Query
//	UpdateUser, DestroyUser  Query, then Update or Destroy of each session
//	Sessions                 Scan
type Faults struct{ injector dynamotest.Injector }

// Option applies the faults to a client's requests. It is an option for [NewClient], [Open],
// [dynamostore.NewClient] and [dynamodb.New]. Several clients may share one Faults.
func (f *Faults) Option(o *dynamodb.Options) {
	o.HTTPClient = &faultyClient{faults: f, next: o.HTTPClient}
}

// Next applies the fault to one request: the next of any of the operations, or the next of all if
// operations is empty. Each further call applies to one more request. Next panics if this package
// does not implement an operation.
func (f *Faults) Next(fault Fault, operations ...string) {
	checkOperations(operations)
	f.injector.Next(dynamotest.Fault(fault), operations...)
}

// Always applies the fault to every request of the operations until [Faults.Clear], or to every
// request if operations is empty. Faults of Next take precedence, then the latest call of Always.
// Always panics if this package does not implement an operation.
func (f *Faults) Always(fault Fault, operations ...string) {
	checkOperations(operations)
	f.injector.Always(dynamotest.Fault(fault), operations...)
}

// Pending returns the number of faults of [Faults.Next] that have not been applied. At the end of a
// test, check that it is 0.
func (f *Faults) Pending() int { return f.injector.Pending() }

// Clear removes all faults.
func (f *Faults) Clear() { f.injector.Clear() }

// checkOperations panics if an operation is misspelled: its fault would never be applied.
func checkOperations(operations []string) {
	for _, operation := range operations {
		if !memdynamo.Implements(operation) {
			panic(fmt.Sprintf("dynamostoretest: unknown operation %q; want a name such as \"GetItem\"", operation))
		}
	}
}

// Fault handles one request in place of DynamoDB, which is behind next. [Fail], [Throttle], [Delay]
// and [DropAnswer] return the usual ones; a test may write its own. A Fault may be called by
// several goroutines at once.
type Fault func(next http.RoundTripper, r *http.Request) (*http.Response, error)

// Fail returns a fault that answers 500 Internal Server Error. The request has no effect.
func Fail() Fault { return Fault(dynamotest.InternalError) }

// Throttle returns a fault that answers ProvisionedThroughputExceededException, as if requests
// exceeded the table's capacity. The request has no effect.
func Throttle() Fault { return Fault(dynamotest.Throttled) }

// Delay returns a fault that sends the request after d, or not at all if its context ends first. If
// d is longer than [dynamostore.Config.Timeout], DynamoDB seems not to answer.
func Delay(d time.Duration) Fault { return Fault(dynamotest.Slow(d)) }

// DropAnswer returns a fault that sends the request and loses the response, as if the connection
// had been reset: a write takes effect, but the client cannot know that.
func DropAnswer() Fault { return Fault(dynamotest.AppliedThenReset) }

// faultyClient sends requests through the faults.
type faultyClient struct {
	faults *Faults
	next   interface {
		Do(*http.Request) (*http.Response, error)
	}
}

// Do implements [dynamodb.HTTPClient].
func (c *faultyClient) Do(r *http.Request) (*http.Response, error) {
	return c.faults.injector.RoundTrip(roundTripper(c.next.Do), r)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
