package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
}

var measure = flag.Int("measure", 0, "measure so many cold starts of each kind, and print the results")

// TestMeasure measures how long a cold start takes, and how much memory. It prints that with
// -measure, and asserts nothing about it, which depends on the machine: only that every page is
// answered.
func TestMeasure(t *testing.T) {
	rounds := max(*measure, 1)
	s := deploy(t, readTemplate(t))
	path := built(t)
	size, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	ann := newBrowser(t, start(t, path, s.env))
	ann.login("ann")

	var init, visit, page, warm, cpu, memory samples
	cold := func(b *browser) (f *function, took time.Duration) {
		f = start(t, path, s.env)
		b.on(f)
		return f, b.measured(f).Sub(f.started)
	}
	for range rounds {
		_, took := cold(newBrowser(t, nil)) // a visitor without a session: no request to DynamoDB
		visit.add(took)

		f, took := cold(ann) // a page with a session: TLS and a GetItem
		page.add(took)
		init.add(f.readyAt.Sub(f.started))
		if u, ok := usage(f.process.Process.Pid); ok {
			cpu.add(u.cpu)
		}
		for range 100 {
			begin := time.Now()
			warm.add(ann.measured(f).Sub(begin))
		}
		if u, ok := usage(f.process.Process.Pid); ok {
			memory = append(memory, float64(u.peak)/(1<<20))
		}
	}
	if *measure == 0 {
		return
	}
	fmt.Printf("%d cold starts of each kind, %s %s/%s, %d CPUs; the program has %.1f MB\n\n",
		*measure, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), float64(size.Size())/1e6)
	for _, row := range []struct {
		what string
		unit string
		samples
	}{
		{"start to ready for an event", "ms", init},
		{"start to the first answer: a visitor without a session", "ms", visit},
		{"start to the first answer: a page with a session (TLS, GetItem)", "ms", page},
		{"CPU time until then", "ms", cpu},
		{"the same page, warm (GetItem)", "ms", warm},
		{"peak memory (RSS) after 100 pages", "MiB", memory},
	} {
		if len(row.samples) == 0 {
			fmt.Printf("%-64s not measured on this system\n", row.what)
			continue
		}
		slices.Sort(row.samples)
		at := func(p float64) float64 { return row.samples[int(p*float64(len(row.samples)-1))] }
		fmt.Printf("%-64s median %6.1f %-3s  p90 %6.1f\n", row.what, at(0.5), row.unit, at(0.9))
	}
}

type samples []float64

func (s *samples) add(d time.Duration) { *s = append(*s, float64(d)/float64(time.Millisecond)) }

// measured visits the page and returns when the answer's header was there.
func (b *browser) measured(f *function) time.Time {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, home, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	a, err := f.invoke(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if a.resp == nil || a.resp.StatusCode != http.StatusOK {
		b.t.Fatalf("the page is answered %v %s", a.resp, a.err)
	}
	return a.at
}

// used is what a process has used.
type used struct {
	cpu  time.Duration
	peak int64 // bytes of memory
}

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// usage returns what a process has used, where the system has /proc as Linux does. Its peak is not
// the one of getrusage, which begins with what this process has.
func usage(pid int) (u used, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, false
	}
	match := highWater.FindSubmatch(status)
	if match == nil {
		return u, false
	}
	kb, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		return u, false
	}
	u.peak = kb << 10
	var tasks []os.DirEntry
	if tasks, err = os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)); err != nil {
		return u, false
	}
	for _, task := range tasks { // the first number is nanoseconds on the CPU
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		var ns int64
		if _, scanErr := fmt.Sscan(string(text), &ns); cmp.Or(err, scanErr) != nil {
			return u, false
		}
		u.cpu += time.Duration(ns)
	}
	return u, true
}
