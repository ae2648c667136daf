package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"text/tabwriter"
	"time"
)

// sample is one measurement, per operation.
type sample struct {
	n             int
	ns            float64 // of CPU
	bytes, allocs float64
}

// print prints the sample as the testing package does.
func (s sample) print(name string) {
	fmt.Printf("Benchmark%s-%d\t%d\t%.0f ns/op\t%.0f B/op\t%.0f allocs/op\n", name, runtime.GOMAXPROCS(0), s.n, s.ns, s.bytes, s.allocs)
}

// timing is a function and what it took.
type timing struct {
	by      string // whose it is, in profiles
	f       func() error
	n       int
	samples []sample
}

// alternate measures the functions in turn, each for about as long as a round takes.
func alternate(times []timing, rounds int, round time.Duration) error {
	for i := range times {
		t := &times[i]
		for t.n = 8; ; t.n *= 2 {
			s, err := take(t.f, t.n)
			if err != nil {
				return err
			}
			if spent := time.Duration(s.ns * float64(t.n)); spent > round/4 {
				t.n = max(int(float64(t.n)*float64(round)/float64(spent)), 1)
				break
			}
		}
	}
	for range rounds {
		for i := range times {
			t := &times[i]
			var s sample
			var err error
			pprof.Do(context.Background(), pprof.Labels("by", t.by), func(context.Context) { s, err = take(t.f, t.n) })
			if err != nil {
				return err
			}
			t.samples = append(t.samples, s)
		}
	}
	return nil
}

func take(f func() error, n int) (sample, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu()
	for range n {
		if err := f(); err != nil {
			return sample{}, err
		}
	}
	spent := cpu() - start
	runtime.ReadMemStats(&after)
	per := func(x uint64) float64 { return float64(x) / float64(n) }
	return sample{n, float64(spent.Nanoseconds()) / float64(n), per(after.TotalAlloc - before.TotalAlloc), per(after.Mallocs - before.Mallocs)}, nil
}

func median[T cmp.Ordered](of []T) T {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

func medianOf(samples []sample, f func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, f(s))
	}
	return median(all)
}

// result is a case and what it took.
type result struct {
	benchCase
	raw, store []sample
}

// ratio is the median of the ratios of the samples that were taken one after the other.
func (r result) ratio(f func(sample) float64) float64 {
	var all []float64
	for i := range r.raw {
		all = append(all, f(r.store[i])/f(r.raw[i]))
	}
	return median(all)
}

func (r result) difference(f func(sample) float64) float64 {
	var all []float64
	for i := range r.raw {
		all = append(all, f(r.store[i])-f(r.raw[i]))
	}
	return median(all)
}

// fastest is the ratio of the shortest times, which other programs disturbed least.
func (r result) fastest() float64 {
	least := func(samples []sample) float64 {
		return slices.MinFunc(samples, func(a, b sample) int { return cmp.Compare(a.ns, b.ns) }).ns
	}
	return least(r.store) / least(r.raw)
}

func nanoseconds(s sample) float64 { return s.ns }
func allocated(s sample) float64   { return s.bytes }
func allocations(s sample) float64 { return s.allocs }

// printRatios prints the cases beside their budgets.
func printRatios(results []result) {
	if len(results) == 0 {
		return
	}
	fmt.Println("\nThe Store against the SDK making the same requests (ratio, and difference in each operation):")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "operation\tcodec\tdata\tKiB\tkey pairs\ttime\tbudget\t\tfastest\tµs\tbytes\t\tallocs\t\t")
	met, over := 0, 0
	for _, r := range results {
		budget, verdict := "-", ""
		time := r.ratio(nanoseconds)
		if b := r.budget(); b > 0 {
			budget = fmt.Sprintf("%.2f", b)
			verdict = "met"
			if met++; time > b {
				verdict = "over"
				met--
				over++
			}
		}
		fmt.Fprintf(w, "%v\t%s\t%s\t%d\t%d\t%.2f\t%s\t%s\t%.2f\t%+.1f\t%.2f\t%+.0f\t%.2f\t%+.0f\t\n",
			r.op, r.codec, r.data(), r.size>>10, r.pairs, time, budget, verdict, r.fastest(), r.difference(nanoseconds)/1e3,
			r.ratio(allocated), r.difference(allocated), r.ratio(allocations), r.difference(allocations))
	}
	w.Flush()
	fmt.Printf("budgets: %d met, %d over\n", met, over)
}
