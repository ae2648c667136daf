package history

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/dynamostore"
)

var (
	seed      = flag.Uint64("seed", 1, "the seed of the first history")
	histories = flag.Int("histories", 0, "how many histories to run; 0: as many as -duration allows")
	duration  = flag.Duration("duration", 1500*time.Millisecond, "how long to run histories")
	modes     = flag.String("modes", "Merge,Refuse,Overwrite,Lock", "in which modes, separated by commas")
	calm      = flag.Bool("calm", false, "run histories without faults")
	strict    = flag.Bool("strict", true, "fail on violations")
	first     = flag.Bool("first", false, "stop at the first history that shows a violation")
	show      = flag.Int("show", 1, "how many violations of each kind to report")
	shrinking = flag.Duration("shrink", 10*time.Second, "how long to look for a short history, for each violation that is reported")
)

// In virtual time, hundreds of histories a second.
func TestVirtual(t *testing.T) {
	check(t, RunVirtual)
}

// In real time and over HTTP, as instances are connected with DynamoDB.
func TestLoopback(t *testing.T) {
	check(t, RunLoopback)
}

// check runs histories and reports what they show.
func check(t *testing.T, run func(*testing.T, Options) Figures) {
	o := options(t)
	o.Report = func(violation string) {
		if *strict {
			t.Error(violation)
		} else {
			t.Log(violation)
		}
	}
	begin := time.Now()
	f := run(t, o)
	took := time.Since(begin)
	t.Logf("from seed %d, in %v:\n%v", *seed, took.Round(time.Millisecond), f)
	if f.Acknowledged == 0 {
		t.Error("nothing was acknowledged")
	}
}

func options(t *testing.T) Options {
	o := Options{Seed: *seed, Count: *histories, For: *duration, Calm: *calm, First: *first, Show: *show, ShrinkFor: *shrinking}
	for _, name := range strings.Split(*modes, ",") {
		mode, err := modeNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		o.Modes = append(o.Modes, mode)
	}
	return o
}

func modeNamed(name string) (dynamostore.Concurrency, error) {
	for mode, n := range modeNames {
		if strings.EqualFold(n, name) {
			return mode, nil
		}
	}
	return 0, fmt.Errorf("there is no mode %q", name)
}
