//go:build unix

package bench

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// compare runs store and the other in turn, and reports the CPU time of both:
//
//	store-ns/op  what a call of store takes
//	NAME-ns/op   what a call of the other takes
//	ratio        the median of the ratios of neighboring turns
//
// Neighboring turns see the same machine, whatever else runs on it, so their ratio holds where the
// times do not. A turn is long enough to collect its own garbage.
func compare(b *testing.B, store func() error, name string, other func() error) {
	const turn = 20 * time.Millisecond
	var times [2][]float64 // ns of CPU of a call, for each turn
	run := func(i int, f func() error) {
		begin, cpu, calls := time.Now(), cpuTime(), 0
		for ; calls == 0 || time.Since(begin) < turn; calls++ {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		times[i] = append(times[i], float64(cpuTime()-cpu)/float64(calls))
	}
	for b.Loop() {
		run(0, store)
		run(1, other)
	}
	ratios := make([]float64, len(times[0]))
	for i := range ratios {
		ratios[i] = times[0][i] / times[1][i]
	}
	b.ReportMetric(0, "ns/op") // of two turns, which says nothing
	b.ReportMetric(median(times[0]), "store-ns/op")
	b.ReportMetric(median(times[1]), name+"-ns/op")
	b.ReportMetric(median(ratios), "ratio")
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// cpuTime returns the CPU time that the process has taken.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
