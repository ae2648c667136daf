package history

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/memdynamo"
)

// Options say which histories to run.
type Options struct {
	Seed  uint64 // of the first history; the next have the numbers after it
	Count int    // how many; 0: as many as For allows
	For   time.Duration
	Modes []dynamostore.Concurrency
	Calm  bool // the network does not fail
	First bool // stop at the first history that shows a violation

	Show      int           // how many violations of each kind are reported; 0: one
	ShrinkFor time.Duration // how long to look for a short history that shows one
	Report    func(violation string)
}

// RunVirtual runs histories in virtual time, each on an engine of its own in this process.
func RunVirtual(t *testing.T, o Options) Figures {
	return runAll(t, o, runtime.GOMAXPROCS(0), func(p *plan) (*result, error) { return runVirtual(t, p) })
}

// hangsAfter is how long a history may take, in real time, before it counts as stuck.
const hangsAfter = 2 * time.Minute

// runVirtual runs a plan in a bubble of its own.
func runVirtual(t *testing.T, p *plan) (r *result, err error) {
	defer watch(p)()
	defer func() {
		if left := recover(); left != nil { // synctest says that goroutines are left
			err = fmt.Errorf("%v\n%s", left, stacks())
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		r, err = run(t.Context(), p, backend{transport: memdynamo.New(), endpoint: "http://memdynamo.invalid", pace: 1})
	})
	return r, err
}

// watch panics when a history hangs, until stop is called: virtual time stands still while somebody
// waits for a mutex. It counts ticks, since a machine may be suspended.
func watch(p *plan) (stop func()) {
	const ticks = 12
	over := make(chan struct{})
	go func() {
		ticker := time.NewTicker(hangsAfter / ticks)
		defer ticker.Stop()
		for range ticks {
			select {
			case <-over:
				return
			case <-ticker.C:
			}
		}
		debug.SetTraceback("all")
		panic(fmt.Sprintf("history: %v hangs: does something hold a mutex across a request?", p))
	}()
	return func() { close(over) }
}

// stacks returns the stacks of the goroutines in bubbles.
func stacks() string {
	buf := make([]byte, 1<<20)
	var in []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "synctest bubble") {
			in = append(in, stack)
		}
	}
	return strings.Join(in, "\n\n")
}

const (
	// loopbackPace makes histories short in real time, but no shorter than a busy machine can
	// follow.
	loopbackPace = 0.05
	// loopbackLate keeps histories from waiting long for messages that arrive late.
	loopbackLate = 6 * time.Second
	// loopbackParallel is how many histories run at once, since they wait more than they work.
	loopbackParallel = 24
)

// RunLoopback runs histories in real time, over HTTP, all on one engine: the one that the
// environment variable of package dynamotest names, or else memdynamo.
func RunLoopback(t *testing.T, o Options) Figures {
	b := loopback(t)
	return runAll(t, o, loopbackParallel, func(p *plan) (*result, error) {
		p = p.clone()
		p.setup.ttl = true // of the table that they share
		p.setup.weather.late = min(p.setup.weather.late, loopbackLate)
		return run(t.Context(), p, b)
	})
}

// loopback returns an engine behind HTTP, with a table.
func loopback(t *testing.T) backend {
	t.Helper()
	shared := dynamotest.New(t)
	b := backend{table: shared.Table, pace: loopbackPace}
	if os.Getenv(dynamotest.EndpointVariable) != "" {
		b.endpoint = *shared.Raw().Options().BaseEndpoint
		b.transport = shared.Raw().Options().HTTPClient.(*http.Client).Transport
	} else {
		server := httptest.NewServer(memdynamo.New())
		t.Cleanup(server.Close)
		transport := server.Client().Transport.(*http.Transport)
		transport.MaxIdleConnsPerHost = 256
		b.endpoint, b.transport = server.URL, transport
	}
	if err := createTable(t.Context(), b.client(b.transport), b.table, true); err != nil {
		t.Fatal(err)
	}
	return b
}

// runAll runs histories, some at a time.
func runAll(t *testing.T, o Options, parallel int, run func(*plan) (*result, error)) Figures {
	c := &campaign{options: o, begin: time.Now(), shown: make(map[Kind]int)}
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for seed, ok := c.next(); ok; seed, ok = c.next() {
				p := newPlan(seed, o.Modes)
				if o.Calm {
					p.setup.weather.rate = 0
					p.crashes = nil
				}
				r, err := run(p)
				if err != nil {
					t.Errorf("%v: %v", p, err)
					return
				}
				for _, v := range c.add(r) {
					o.Report(explain(shrink(r, v.Kind, o.ShrinkFor, run), v.Kind))
				}
			}
		})
	}
	wg.Wait()
	return c.figures
}

// campaign is a run of many histories.
type campaign struct {
	options Options
	begin   time.Time

	mu      sync.Mutex
	begun   int
	figures Figures
	shown   map[Kind]int
}

// next returns the seed of the next history, if there is to be one.
func (c *campaign) next() (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.options.Count; n > 0 && c.begun >= n || n == 0 && time.Since(c.begin) >= c.options.For {
		return 0, false
	}
	if c.options.First && len(c.figures.Violations) > 0 {
		return 0, false
	}
	c.begun++
	return c.options.Seed + uint64(c.begun-1), true
}

// add adds a history to the figures, and returns those of its violations that are to be reported.
func (c *campaign) add(r *result) []Violation {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.figures.add(r.figures)
	var fresh []Violation
	for _, v := range r.violations {
		seen := slices.ContainsFunc(fresh, func(f Violation) bool { return f.Kind == v.Kind })
		if !seen && c.shown[v.Kind] < max(c.options.Show, 1) {
			c.shown[v.Kind]++
			fresh = append(fresh, v)
		}
	}
	return fresh
}

// explain tells what happened in a history that shows a kind of violation.
func explain(r *result, kind Kind) string {
	first := slices.IndexFunc(r.violations, func(v Violation) bool { return v.Kind == kind })
	return fmt.Sprintf("%v: %s: %s\nThe configuration: %v\n%s", r.plan, kind, r.violations[first].Detail, r.plan.setup, r.journal)
}
