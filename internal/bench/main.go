// Command bench measures what a Store costs above the SDK alone, and how that grows.
//
//	go run ./internal/bench            # or: make bench
//	go run ./internal/bench -run Get   # what the name of a measurement matches
//
// The SDK's client is behind a transport that answers from prepared bytes, so that all there is to measure is the
// client's CPU time, garbage collection included. Each measurement of the Store alternates with one of the SDK
// making the same requests, with the inputs that the Store made: what is printed as a ratio is the median of the
// ratios of neighbours, so that a machine that is slow for a while slows both. First come the measurements, in the
// form that benchstat reads, and then the tables.
package main

import (
	"encoding/gob"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"time"
)

var (
	rounds = flag.Int("rounds", 11, "how often each is measured")
	round  = flag.Duration("round", 20*time.Millisecond, "how long one measurement takes")
	run    = flag.String("run", "", "measure only what this regular expression matches")
	grow   = flag.Bool("growth", true, "measure how cost grows")

	profile = flag.String("cpuprofile", "", "write a profile to this `file`; what is labelled by=store is the Store's, by=sdk the SDK's alone")
)

func main() {
	flag.Parse()
	gob.Register(map[string]any{}) // gorilla/sessions registers []any
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	only, err := regexp.Compile(*run)
	if err != nil {
		return err
	}
	fmt.Printf("goos: %s\ngoarch: %s\npkg: example.com/dynamostore\n", runtime.GOOS, runtime.GOARCH)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var results []result
	for _, c := range cases() {
		if !only.MatchString(c.name()) {
			continue
		}
		r, err := c.measure()
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
		results = append(results, r)
	}
	printRatios(results)
	if !*grow {
		return nil
	}
	for _, growth := range []func() error{growWithSize, growWithRequests, growWithTabs} {
		if err := growth(); err != nil {
			return err
		}
	}
	return nil
}
