package dynamotest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Injector applies faults to requests. Its zero value is ready to use. It is safe for concurrent
// use.
type Injector struct {
	mu     sync.Mutex
	next   []injection // each for one request, in this order
	always []injection // each for any number of requests; the last match applies
}

// injection is a fault, and the operations to which it applies; none means all.
type injection struct {
	fault      Fault
	operations []string
}

func (i injection) matches(operation string) bool {
	return len(i.operations) == 0 || slices.Contains(i.operations, operation)
}

// Next applies the fault to one request: the next of any of the operations, or the next of all if
// operations is empty. Each further call applies to one more request.
func (i *Injector) Next(f Fault, operations ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next = append(i.next, injection{f, slices.Clone(operations)})
}

// Always applies the fault to every request of the operations until Clear, or to every request if
// operations is empty. Faults of Next take precedence, then the latest call of Always.
func (i *Injector) Always(f Fault, operations ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.always = append(i.always, injection{f, slices.Clone(operations)})
}

// Pending returns the number of faults of Next that have not been applied.
func (i *Injector) Pending() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.next)
}

// Clear removes all faults.
func (i *Injector) Clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next, i.always = nil, nil
}

// RoundTrip sends a request to next, or applies its fault.
func (i *Injector) RoundTrip(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	fault := i.take(Operation(r))
	if fault == nil {
		return next.RoundTrip(r)
	}
	resp, err := fault(next, r)
	if err != nil && r.Body != nil {
		drain(r.Body) // as a transport must
	}
	return resp, err
}

// take returns the fault for a request of that operation, or nil.
func (i *Injector) take(operation string) Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, in := range i.next {
		if in.matches(operation) {
			i.next = slices.Delete(i.next, n, n+1)
			return in.fault
		}
	}
	for _, in := range slices.Backward(i.always) {
		if in.matches(operation) {
			return in.fault
		}
	}
	return nil
}

// Operation returns the name of a request's operation, such as GetItem.
func Operation(r *http.Request) string {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return operation
}
