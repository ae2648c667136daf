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
	fmt.Println("\nGet and Save of a change on one Store, by the requests under way at once (elapsed µs for each request, of the best round; 4 KiB):")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	counts := []int{1, 2, 4, 8, 16, 32, 64, 128, 256}
	fmt.Fprint(w, "codec\tdata\t")
	for _, n := range counts {
		fmt.Fprintf(w, "%d\t", n)
	}
	fmt.Fprintln(w)
	for _, c := range []benchCase{{codec: "json"}, {codec: "gob", compress: true, encrypt: true}} {
		c.op, c.size, c.pairs = changed, 4<<10, 1
		fmt.Fprintf(w, "%s\t%s\t", c.codec, c.data())
		v, _, err := c.setup()
		if err != nil {
			return err
		}
		for _, n := range counts {
			var elapsed []float64
			for range *rounds {
				us, err := parallel(v, n, max(2*n, 512))
				if err != nil {
					return err
				}
				elapsed = append(elapsed, us)
			}
			fmt.Fprintf(w, "%.0f\t", slices.Min(elapsed))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// parallel has n visitors make visits all together, and returns the elapsed µs by visits.
func parallel(v *visitor, n, visits int) (float64, error) {
	var left atomic.Int64
	left.Store(int64(visits))
	errs := make(chan error, n)
	start := time.Now()
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
	for range n {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start).Microseconds()) / float64(visits), nil
}

// growWithTabs prints what it takes that many tabs change one session at once, each a value of its own.
func growWithTabs() error {
	fmt.Println("\nTabs that all load one session and then all save a change of it (in memory; for each tab; elapsed µs of the best round):")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	counts := []int{1, 2, 4, 8, 16, 32, 64}
	fmt.Fprint(w, "processes\tin each tab\t")
	for _, n := range counts {
		fmt.Fprintf(w, "%d tabs\t", n)
	}
	fmt.Fprintln(w)
	for _, processes := range []int{1, 2, 4} {
		var us, requests []string
		for _, n := range counts {
			var elapsed, sent []float64
			for range *rounds {
				e, s, err := tabs(n, processes)
				if err != nil {
					return err
				}
				elapsed, sent = append(elapsed, e), append(sent, s)
			}
			us = append(us, fmt.Sprintf("%.0f", slices.Min(elapsed)))
			requests = append(requests, fmt.Sprintf("%.1f", median(sent)))
		}
		fmt.Fprintf(w, "%d\tµs\t%s\t\n", processes, strings.Join(us, "\t"))
		fmt.Fprintf(w, "\trequests\t%s\t\n", strings.Join(requests, "\t"))
	}
	return w.Flush()
}

// tabs has n tabs, served by several processes, change one session, and checks that no change is lost.
func tabs(n, processes int) (us, requests float64, err error) {
	ctx := context.Background()
	counted := &counter{next: memdynamo.New()}
	client := newClient(counted)
	var stores []*dynamostore.Store // what is in line is known to each by itself, as in processes of their own
	for range processes {
		store, err := dynamostore.New(client, dynamostore.Config{Codec: dynamostore.JSONCodec{}}, []byte(strings.Repeat("k", 32)))
		if err != nil {
			return 0, 0, err
		}
		stores = append(stores, store)
	}
	if err := stores[0].EnsureTable(ctx); err != nil {
		return 0, 0, err
	}

	// The session has a value for each tab from the beginning, so that it does not grow with them.
	request := httptest.NewRequest("GET", "/", nil)
	answer := httptest.NewRecorder()
	session, err := stores[0].Get(request, cookieName)
	if err != nil {
		return 0, 0, err
	}
	for tab := range 64 {
		session.Values[fmt.Sprint("tab", tab)] = 0
	}
	if err := session.Save(request, answer); err != nil {
		return 0, 0, err
	}
	load := func(tab int) (*http.Request, *sessions.Session, error) {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(answer.Result().Cookies()[0])
		session, err := stores[tab%processes].Get(r, cookieName)
		return r, session, err
	}

	counted.n.Store(0)
	start := time.Now()
	errs := make(chan error, n)
	var loaded sync.WaitGroup
	loaded.Add(n)
	for tab := range n {
		go func() {
			r, session, err := load(tab)
			loaded.Done()
			loaded.Wait()
			if err == nil {
				session.Values[fmt.Sprint("tab", tab)] = 1
				err = session.Save(r, httptest.NewRecorder())
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			return 0, 0, err
		}
	}
	us = float64(time.Since(start).Microseconds()) / float64(n)
	requests = float64(counted.n.Load()) / float64(n)
	_, session, err = load(0)
	for tab := range n {
		if err == nil && session.Values[fmt.Sprint("tab", tab)] != 1 {
			err = fmt.Errorf("the change of tab %d of %d was lost", tab, n)
		}
	}
	return us, requests, err
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
