package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/memdynamo"
)

// growWithSize prints what a request costs that loads a session and changes it, by the session's size.
func growWithSize() error {
	fmt.Println("\nGet and Save of a change, by the session's size (CPU µs, SDK included; ×: against the size before, which is a quarter):")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	sizes := []int{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10}
	fmt.Fprint(w, "codec\tdata\t")
	for _, size := range sizes {
		fmt.Fprintf(w, "%d B\t×\t", size)
	}
	fmt.Fprintln(w)
	for _, c := range []benchCase{{codec: "json"}, {codec: "gob"}, {codec: "json", records: true}, {codec: "gob", records: true},
		{codec: "json", compress: true}, {codec: "gob", records: true, compress: true, encrypt: true}} {
		fmt.Fprintf(w, "%s\t%s\t", c.codec, c.data())
		before := 0.0
		for _, size := range sizes {
			c.op, c.size, c.pairs = changed, size, 1
			v, _, err := c.setup()
			if err != nil {
				return err
			}
			times := []timing{{by: "store", f: func() error { return v.visit(changed) }}}
			if err := alternate(times, *rounds, *round); err != nil {
				return err
			}
			us := medianOf(times[0].samples, nanoseconds) / 1e3
			factor := ""
			if before > 0 {
				factor = fmt.Sprintf("%.1f", us/before)
			}
			fmt.Fprintf(w, "%.0f\t%s\t", us, factor)
			before = us
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// growWithRequests prints what a request costs, by how many are under way at once on one Store, each of a session of
// its own.
func growWithRequests() error {
	fmt.Println("\nGet and Save of a change on one Store, by the requests under way at once (for each request, 4 KiB; elapsed: of the best round):")
	counts := []int{1, 2, 4, 8, 16, 32, 64, 128, 256}
	w := newTable(counts, "codec\tdata\tµs\t", "%d\t")
	for _, c := range []benchCase{{codec: "json"}, {codec: "gob", compress: true, encrypt: true}} {
		c.op, c.size, c.pairs = changed, 4<<10, 1
		v, _, err := c.setup()
		if err != nil {
			return err
		}
		var elapsed, used []string
		for _, n := range counts {
			var m meter
			visits := max(2*n, 512)
			for range *rounds {
				m.begin()
				if err := parallel(v, n, visits); err != nil {
					return err
				}
				m.end(visits)
			}
			elapsed, used = append(elapsed, m.bestElapsed()), append(used, m.medianCPU())
		}
		fmt.Fprintf(w, "%s\t%s\tCPU\t%s\t\n", c.codec, c.data(), strings.Join(used, "\t"))
		fmt.Fprintf(w, "\t\telapsed\t%s\t\n", strings.Join(elapsed, "\t"))
	}
	return w.Flush()
}

func newTable(counts []int, head, each string) *tabwriter.Writer {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, head)
	for _, n := range counts {
		fmt.Fprintf(w, each, n)
	}
	fmt.Fprintln(w)
	return w
}

// meter collects what rounds took, in µs for each of the things that were done.
type meter struct {
	start, cpuStart time.Duration
	elapsed, used   []float64
}

var epoch = time.Now()

func (m *meter) begin() { m.start, m.cpuStart = time.Since(epoch), cpu() }

func (m *meter) end(n int) {
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(n) }
	m.elapsed = append(m.elapsed, per(time.Since(epoch)-m.start))
	m.used = append(m.used, per(cpu()-m.cpuStart))
}

func (m *meter) bestElapsed() string { return fmt.Sprintf("%.0f", slices.Min(m.elapsed)) }
func (m *meter) medianCPU() string   { return fmt.Sprintf("%.0f", median(m.used)) }

// parallel has n visitors make visits all together.
func parallel(v *visitor, n, visits int) error {
	var left atomic.Int64
	left.Store(int64(visits))
	errs := make(chan error, n)
	for range n {
		go func() {
			own := *v
			own.header = http.Header{}
			for left.Add(-1) >= 0 {
				if err := own.visit(changed); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	return collect(errs, n)
}

// collect returns the first of n errors.
func collect(errs <-chan error, n int) error {
	var first error
	for range n {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// growWithTabs prints what it takes that many tabs change one session at once, each a value of its own.
func growWithTabs() error {
	fmt.Println("\nTabs that all load one session and then all save a change of it, in memory (for each tab; elapsed: of the best round):")
	counts := []int{1, 2, 4, 8, 16, 32, 64}
	w := newTable(counts, "processes\tin each tab\t", "%d tabs\t")
	for _, processes := range []int{1, 2, 4} {
		var elapsed, used, requests []string
		for _, n := range counts {
			var m meter
			var sent []float64
			for range *rounds {
				t, err := newTabs(processes)
				if err != nil {
					return err
				}
				m.begin()
				if err := t.open(n); err != nil {
					return err
				}
				m.end(n)
				sent = append(sent, float64(t.requests.n.Load())/float64(n))
				if err := t.check(n); err != nil {
					return err
				}
			}
			elapsed, used = append(elapsed, m.bestElapsed()), append(used, m.medianCPU())
			requests = append(requests, fmt.Sprintf("%.1f", median(sent)))
		}
		fmt.Fprintf(w, "%d\tCPU µs\t%s\t\n", processes, strings.Join(used, "\t"))
		fmt.Fprintf(w, "\telapsed µs\t%s\t\n", strings.Join(elapsed, "\t"))
		fmt.Fprintf(w, "\trequests\t%s\t\n", strings.Join(requests, "\t"))
	}
	return w.Flush()
}

// maxTabs is how many tabs there can be. The session has a value for each from the beginning, so that it does not grow
// with them.
const maxTabs = 64

// tabs are those of a browser, served by several processes.
type tabs struct {
	requests *counter
	stores   []*dynamostore.Store // who is in line is known to each by itself, as in processes of their own
	cookie   *http.Cookie
}

func newTabs(processes int) (*tabs, error) {
	t := &tabs{requests: &counter{next: memdynamo.New()}}
	client := newClient(t.requests)
	for range processes {
		store, err := dynamostore.New(client, dynamostore.Config{Codec: dynamostore.JSONCodec{}}, []byte(strings.Repeat("k", 32)))
		if err != nil {
			return nil, err
		}
		t.stores = append(t.stores, store)
	}
	if err := t.stores[0].EnsureTable(context.Background()); err != nil {
		return nil, err
	}
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	session, err := t.stores[0].Get(r, cookieName)
	if err != nil {
		return nil, err
	}
	for tab := range maxTabs {
		session.Values[fmt.Sprint("tab", tab)] = 0
	}
	if err := session.Save(r, w); err != nil {
		return nil, err
	}
	t.cookie = w.Result().Cookies()[0]
	t.requests.n.Store(0)
	return t, nil
}

func (t *tabs) load(tab int) (*http.Request, *sessions.Session, error) {
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(t.cookie)
	session, err := t.stores[tab%len(t.stores)].Get(r, cookieName)
	return r, session, err
}

// open has n tabs load the session, and then change it, each a value of its own.
func (t *tabs) open(n int) error {
	errs := make(chan error, n)
	var loaded sync.WaitGroup
	loaded.Add(n)
	for tab := range n {
		go func() {
			r, session, err := t.load(tab)
			loaded.Done()
			loaded.Wait()
			if err == nil {
				session.Values[fmt.Sprint("tab", tab)] = 1
				err = session.Save(r, httptest.NewRecorder())
			}
			errs <- err
		}()
	}
	return collect(errs, n)
}

// check returns an error if a change was lost.
func (t *tabs) check(n int) error {
	_, session, err := t.load(0)
	for tab := range n {
		if err == nil && session.Values[fmt.Sprint("tab", tab)] != 1 {
			err = fmt.Errorf("the change of tab %d of %d was lost", tab, n)
		}
	}
	return err
}

// counter counts requests.
type counter struct {
	next http.RoundTripper
	n    atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.next.RoundTrip(r)
}
