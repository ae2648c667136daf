package history

import (
	"maps"
	"slices"
	"time"
)

// shrinker looks for a short plan that shows the same kind of violation. A history is not
// determined by its plan alone (goroutines that are ready at the same time run in any order), so
// each candidate has a few tries.
type shrinker struct {
	kind  Kind
	run   func(*plan) (*result, error)
	until time.Time
	best  *result
	tries int
}

const triesPerCandidate = 3

// shrink returns the result of a shorter plan than that of r, or r, if it finds none in time.
func shrink(r *result, kind Kind, limit time.Duration, run func(*plan) (*result, error)) *result {
	s := &shrinker{kind: kind, run: run, until: time.Now().Add(limit), best: r}
	for before := -1; before != s.size() && time.Now().Before(s.until); {
		before = s.size()
		s.steps()
		s.crashes()
		s.faults()
		s.ops()
		s.simplify()
	}
	return s.best
}

// size is what shrinking makes less.
func (s *shrinker) size() int {
	p := s.best.plan
	n := len(p.crashes) + len(s.best.faulty)
	for _, st := range p.steps {
		n += 10 + len(st.ops) + st.repeats
		for _, b := range []bool{st.double, st.lost, st.leaves > 0} {
			if b {
				n++
			}
		}
	}
	return n
}

// try runs an edited copy of the best plan, and keeps it if it shows the violation.
func (s *shrinker) try(edit func(*plan)) bool {
	p := s.best.plan.clone()
	edit(p)
	for range triesPerCandidate {
		if time.Now().After(s.until) {
			return false
		}
		s.tries++
		r, err := s.run(p)
		if err == nil && r.figures.Violations[s.kind] > 0 {
			s.best = r
			return true
		}
	}
	return false
}

// steps takes out runs of steps, long ones first.
func (s *shrinker) steps() {
	for size := len(s.best.plan.steps) / 2; size > 0; size /= 2 {
		for from := len(s.best.plan.steps) - size; from >= 0; from -= size {
			s.try(func(p *plan) { p.steps = slices.Delete(p.steps, from, min(from+size, len(p.steps))) })
			from = min(from, len(s.best.plan.steps))
		}
	}
}

func (s *shrinker) crashes() {
	for i := len(s.best.plan.crashes) - 1; i >= 0; i-- {
		s.try(func(p *plan) { p.crashes = slices.Delete(p.crashes, i, i+1) })
	}
}

// faults takes out faults: all, those of one operation after another, and those of one message.
func (s *shrinker) faults() {
	mute := func(sites []faultSite) bool {
		return s.try(func(p *plan) {
			for _, site := range sites {
				p.muted[site] = true
			}
		})
	}
	all := slices.Collect(maps.Keys(s.best.faulty))
	if mute(all) {
		return
	}
	tried := make(map[faultSite]bool)
	for _, site := range all {
		if whole := site.whole(); !tried[whole] {
			tried[whole] = true
			mute([]faultSite{whole})
		}
	}
	for site := range maps.Clone(s.best.faulty) {
		mute([]faultSite{site})
	}
}

func (s *shrinker) ops() {
	for i := range s.best.plan.steps {
		for j := len(s.best.plan.steps[i].ops) - 1; j >= 0; j-- {
			s.try(func(p *plan) { p.steps[i].ops = slices.Delete(p.steps[i].ops, j, j+1) })
		}
	}
}

// simplify makes the rest as plain as it may be.
func (s *shrinker) simplify() {
	for i, st := range s.best.plan.steps {
		edits := []struct {
			applies bool
			edit    func(*step)
		}{
			{st.double, func(st *step) { st.double = false }},
			{st.lost, func(st *step) { st.lost = false }},
			{st.repeats > 0, func(st *step) { st.repeats = 0 }},
			{st.leaves > 0, func(st *step) { st.leaves = 0 }},
		}
		for _, e := range edits {
			if e.applies {
				s.try(func(p *plan) { e.edit(&p.steps[i]) })
			}
		}
	}
	now := s.best.plan.setup
	for _, o := range []struct {
		applies bool
		edit    func(*setup)
	}{
		{now.text, func(s *setup) { s.text = false }},
		{now.encrypted, func(s *setup) { s.encrypted = false }},
		{now.hashIDs, func(s *setup) { s.hashIDs = false }},
		{now.eventual, func(s *setup) { s.eventual = false }},
		{now.typed, func(s *setup) { s.typed = false }},
		{now.ownIDs, func(s *setup) { s.ownIDs = false }},
		{now.noTransactions, func(s *setup) { s.noTransactions = false }},
		{now.ttl, func(s *setup) { s.ttl = false }},
		{now.users, func(s *setup) { s.users = false }},
		{!now.json, func(s *setup) { s.json = true }},
		{now.touch != 0, func(s *setup) { s.touch = 0 }},
		{now.maxAge == shortLived, func(s *setup) { s.maxAge = 30 * 24 * 60 * 60 }},
	} {
		if o.applies {
			s.try(func(p *plan) { o.edit(&p.setup) })
		}
	}
	if now.instances > 1 {
		s.try(func(p *plan) {
			p.setup.instances = 1
			for i := range p.steps {
				p.steps[i].instance = 0
			}
			p.crashes = nil
		})
	}
}
