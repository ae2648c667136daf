package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/dynamostore"
)

// plan is everything that is decided before a history runs. It derives from a seed, and shrinking
// edits it: a step, an operation or a fault that is taken out leaves the others as they were.
type plan struct {
	seed    uint64
	setup   setup
	steps   []step
	crashes []crash
	muted   map[faultSite]bool // where no faults are met
}

// step is a request that a browser sends, or a call that an administrator's program makes.
type step struct {
	id       int
	browser  int // administrator: none
	tab      int
	at       time.Duration // since the beginning; a tab also waits for its previous response
	instance int
	name     string
	ops      []op
	double   bool          // sent twice at once, as by a double click
	repeats  int           // how often it is sent again if the response is lost
	lost     bool          // the first response is lost
	slow     time.Duration // until the response arrives
	leaves   time.Duration // when the browser disconnects; 0: never
	deadline time.Duration // of the request's context; 0: none
}

// administrator is the browser of steps that no browser sends.
const administrator = -1

// crash ends an instance's process.
type crash struct {
	at       time.Duration
	instance int
}

// faultSite is where faults are met: an operation of one of the copies of a step, and a message
// that it sends, the first being 1. 0 stands for all of them.
type faultSite struct{ step, copy, op, message int }

// whole returns the site of all messages of the operation.
func (s faultSite) whole() faultSite {
	s.message = 0
	return s
}

// quiet reports whether no faults are met at a site.
func (p *plan) quiet(s faultSite) bool { return p.muted[s] || p.muted[s.whole()] }

// dice returns what decides about a site.
func (s faultSite) dice(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^uint64(s.copy)<<56, uint64(s.step)<<40|uint64(s.op+1)<<20|uint64(s.message)))
}

const (
	maxBrowsers = 3
	maxTabs     = 3
	maxSteps    = 22
)

var userNames = []string{"ann", "bob"}

// newPlan returns the plan of a seed, in one of the modes.
func newPlan(seed uint64, modes []dynamostore.Concurrency) *plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &plan{seed: seed, muted: make(map[faultSite]bool)}
	// The mode has a stream of its own, so that a seed and its mode alone give the same plan.
	p.setup = newSetup(r, modes[rand.New(rand.NewPCG(seed, 2)).IntN(len(modes))])

	browsers, tabs := 1+r.IntN(maxBrowsers), 1+r.IntN(maxTabs)
	gap := pick(r, 4*time.Millisecond, 40*time.Millisecond, 400*time.Millisecond, 2*time.Second)
	think := pick(r, 2*time.Millisecond, 30*time.Millisecond, time.Second)
	enabled := someTemplates(r, p.setup)
	at := time.Duration(0)
	for i := range browsers {
		// Most histories are about sessions that were begun in peace.
		s := p.newStep(r, i, 0, at, find("begin"), think)
		if r.IntN(5) > 0 {
			s.lost, s.leaves, s.deadline, s.double = false, 0, 0, false
			for _, o := range s.ops {
				p.muted[faultSite{step: s.id, op: o.id}] = true
			}
		}
		p.steps = append(p.steps, s)
		at += upTo(r, 10*time.Millisecond)
	}
	at += 50 * time.Millisecond
	for range 2 + r.IntN(maxSteps-1) {
		at += upTo(r, 2*gap)
		if r.IntN(12) == 0 {
			at += upTo(r, 15*time.Second)
		}
		t := enabled[r.IntN(len(enabled))]
		browser, tab := r.IntN(browsers), r.IntN(tabs)
		if t.admin {
			browser, tab = administrator, 0
		}
		p.steps = append(p.steps, p.newStep(r, browser, tab, at, t, think))
	}
	if !p.setup.weather.calm() && r.IntN(3) == 0 {
		for range 1 + r.IntN(2) {
			p.crashes = append(p.crashes, crash{upTo(r, at+time.Millisecond), r.IntN(p.setup.instances)})
		}
	}
	return p
}

func (p *plan) newStep(r *rand.Rand, browser, tab int, at time.Duration, t template, think time.Duration) step {
	s := step{
		id: len(p.steps), browser: browser, tab: tab, at: at, instance: r.IntN(p.setup.instances), name: t.name,
		slow: upTo(r, pick(r, 2*time.Millisecond, 20*time.Millisecond, 500*time.Millisecond, 3*time.Second)),
	}
	s.ops = t.script(r, p.setup, think)
	if browser == administrator {
		return s
	}
	s.double = r.IntN(10) == 0
	s.lost = r.IntN(8) == 0
	s.repeats = r.IntN(3)
	if r.IntN(20) == 0 {
		s.leaves = upTo(r, 3*time.Second)
	}
	if r.IntN(12) == 0 {
		s.deadline = time.Millisecond + upTo(r, pick(r, 50*time.Millisecond, time.Second, 3*time.Second))
	}
	return s
}

// someTemplates returns a few of the templates, each as often as its weight: a history that does
// few things does them often, and so meets what they do to each other.
func someTemplates(r *rand.Rand, s setup) []template {
	var enabled []template
	for len(enabled) < 3 {
		for _, t := range templates {
			if (s.users || !t.users) && r.IntN(2) == 0 {
				for range t.weight {
					enabled = append(enabled, t)
				}
			}
		}
	}
	return enabled
}

// String names the plan, and tells how to run it again.
func (p *plan) String() string {
	return fmt.Sprintf("-seed %d -histories 1 -modes %s", p.seed, modeName(p.setup.mode))
}

// clone returns a copy that can be edited.
func (p *plan) clone() *plan {
	c := *p
	c.steps = slices.Clone(p.steps)
	for i := range c.steps {
		c.steps[i].ops = slices.Clone(c.steps[i].ops)
	}
	c.crashes = slices.Clone(p.crashes)
	c.muted = make(map[faultSite]bool, len(p.muted))
	for site := range p.muted {
		c.muted[site] = true
	}
	return &c
}

// upTo returns a random duration below d, to the nanosecond: two events at the same time would be
// in an order that no seed determines.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }
