package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Figures count what happened in histories.
type Figures struct {
	Histories    int
	Lasted       time.Duration  // all of them, in the time in which they ran
	Requests     int            // of browsers and administrators
	Messages     int            // requests to DynamoDB
	Operations   map[string]int // the same by operation
	Faults       map[string]int // by kind
	Refusals     int            // conditional writes that DynamoDB refused
	Acknowledged int            // changes
	Crashes      int
	Violations   map[Kind]int // histories that show one, by kind
}

// figures count while a history runs.
type figures struct {
	mu sync.Mutex
	f  Figures
}

func (c *figures) change(f func(*Figures)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.f)
}

func (c *figures) sent(m *message) {
	c.change(func(f *Figures) {
		if f.Operations == nil {
			f.Operations, f.Faults = make(map[string]int), make(map[string]int)
		}
		f.Messages++
		f.Operations[m.op]++
		if m.fate.kind != deliver {
			f.Faults[m.fate.kind.String()]++
		}
	})
}

func (c *figures) visit()        { c.change(func(f *Figures) { f.Requests++ }) }
func (c *figures) refused()      { c.change(func(f *Figures) { f.Refusals++ }) }
func (c *figures) crash()        { c.change(func(f *Figures) { f.Crashes++ }) }
func (c *figures) acknowledged() { c.change(func(f *Figures) { f.Acknowledged++ }) }

// total returns the figures of a history that has ended.
func (c *figures) total(w *world) Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.f
	f.Histories = 1
	f.Lasted = time.Since(w.begin)
	f.Violations = make(map[Kind]int)
	for _, v := range w.facts.violations() {
		f.Violations[v.Kind] = 1
	}
	return f
}

// add adds the figures of other histories.
func (f *Figures) add(other Figures) {
	f.Histories += other.Histories
	f.Lasted += other.Lasted
	f.Requests += other.Requests
	f.Messages += other.Messages
	f.Refusals += other.Refusals
	f.Acknowledged += other.Acknowledged
	f.Crashes += other.Crashes
	f.Operations = addTo(f.Operations, other.Operations)
	f.Faults = addTo(f.Faults, other.Faults)
	f.Violations = addTo(f.Violations, other.Violations)
}

func addTo[K comparable](sum, other map[K]int) map[K]int {
	if sum == nil {
		sum = make(map[K]int)
	}
	for k, n := range other {
		sum[k] += n
	}
	return sum
}

func (f Figures) String() string {
	var b strings.Builder
	row := func(name string, n int) { fmt.Fprintf(&b, "%-34s %9d\n", name, n) }
	row("histories", f.Histories)
	row("  their minutes", int(f.Lasted.Minutes()))
	row("requests", f.Requests)
	row("DynamoDB requests", f.Messages)
	for _, op := range slices.Sorted(maps.Keys(f.Operations)) {
		row("  "+op, f.Operations[op])
	}
	faults := 0
	for _, n := range f.Faults {
		faults += n
	}
	row("faults", faults)
	for _, name := range slices.Sorted(maps.Keys(f.Faults)) {
		row("  "+name, f.Faults[name])
	}
	row("instances crashed", f.Crashes)
	row("conditional writes refused", f.Refusals)
	row("changes acknowledged", f.Acknowledged)
	violations := 0
	for _, n := range f.Violations {
		violations += n
	}
	row("violations", violations)
	for _, kind := range slices.Sorted(maps.Keys(f.Violations)) {
		fmt.Fprintf(&b, "  %6d histories: %s\n", f.Violations[kind], kind)
	}
	return b.String()
}
