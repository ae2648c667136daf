package history

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"example.com/dynamostore"
)

// setup is how the service is configured.
type setup struct {
	mode           dynamostore.Concurrency
	json           bool // JSONCodec, else GobCodec
	text           bool // DataType String
	encrypted      bool
	hashIDs        bool
	eventual       bool          // EventualReads, some of them served stale
	users          bool          // UserKey
	ownIDs         bool          // the application gives new sessions their IDs
	noTransactions bool          // NoTransactions, on an engine that has none
	typed          bool          // the application's lists are of type []string, not []any
	ttl            bool          // the table deletes what has expired
	stubborn       bool          // handlers try again and again, while messages are lost or late
	touch          time.Duration // TouchInterval
	maxAge         int           // seconds, of new sessions
	timeout        time.Duration
	lease          time.Duration
	instances      int
	weather        weather
}

// weather is how often the network fails, and how.
type weather struct {
	rate  float64 // of operations that meet faults
	stale float64 // of eventually consistent reads that are served stale
	kinds []fateKind
	late  time.Duration // the longest time that a late message takes
}

// calm reports whether nothing fails, so that every error must have a reason in the history itself.
func (w weather) calm() bool { return w.rate == 0 }

// shortLived is a MaxAge by which sessions expire while a history runs.
const shortLived = 4

// newSetup chooses a configuration at random.
func newSetup(r *rand.Rand, mode dynamostore.Concurrency) setup {
	s := setup{
		mode:           mode,
		json:           r.IntN(2) == 0,
		text:           r.IntN(6) == 0,
		encrypted:      r.IntN(4) == 0,
		hashIDs:        r.IntN(4) == 0,
		eventual:       r.IntN(4) == 0,
		users:          r.IntN(4) > 0,
		ownIDs:         r.IntN(8) == 0,
		typed:          r.IntN(4) == 0,
		noTransactions: r.IntN(4) == 0,
		ttl:            r.IntN(2) == 0,
		touch:          pick(r, 0, 0, -1, time.Second, time.Minute),
		maxAge:         30 * 24 * 60 * 60,
		timeout:        pick(r, 2*time.Second, 5*time.Second),
		lease:          pick(r, time.Second, 6*time.Second),
		instances:      1 + r.IntN(3),
	}
	if r.IntN(8) == 0 {
		s.maxAge = shortLived
		s.touch = pick(r, 0, -1, time.Second)
	}
	s.weather = weather{
		rate:  pick(r, 0, 0.05, 0.15, 0.15, 0.3, 0.5),
		stale: pick(r, 0.2, 0.6),
		late:  pick(r, 300*time.Millisecond, 5*time.Second, 4*time.Minute),
	}
	for kind := loseRequest; kind < fateKinds; kind++ {
		if r.IntN(2) == 0 {
			s.weather.kinds = append(s.weather.kinds, kind)
		}
	}
	if len(s.weather.kinds) == 0 {
		s.weather.kinds = []fateKind{loseAnswer}
	}
	if r.IntN(4) == 0 {
		s.stubborn = true
		s.weather.rate = 0.6
		s.weather.kinds = []fateKind{late, pick(r, late, loseAnswer), pick(r, slow, loseRequest, duplicate)}
		s.weather.late = pick(r, 100*time.Millisecond, time.Second, 4*time.Minute)
	}
	return s
}

func (s setup) String() string {
	parts := []string{modeName(s.mode), "gob"}
	if s.json {
		parts[1] = "json"
	}
	for _, o := range []struct {
		on   bool
		name string
	}{
		{s.text, "text"}, {s.encrypted, "encrypted"}, {s.hashIDs, "hashed IDs"}, {s.eventual, "eventual reads"},
		{s.users, "user index"}, {s.ownIDs, "the application's IDs"}, {s.typed, "typed lists"}, {s.noTransactions, "no transactions"}, {s.ttl, "TTL"}, {s.stubborn, "stubborn handlers"},
	} {
		if o.on {
			parts = append(parts, o.name)
		}
	}
	parts = append(parts,
		fmt.Sprintf("MaxAge %d s", s.maxAge), fmt.Sprintf("TouchInterval %v", s.touch), fmt.Sprintf("Timeout %v", s.timeout),
		fmt.Sprintf("%d instances", s.instances))
	if s.mode == dynamostore.Lock {
		parts = append(parts, fmt.Sprintf("Lease %v", s.lease))
	}
	if s.weather.calm() {
		return strings.Join(append(parts, "no faults"), ", ")
	}
	return strings.Join(append(parts, fmt.Sprintf("faults %.0f %%", 100*s.weather.rate)), ", ")
}

var modeNames = map[dynamostore.Concurrency]string{
	dynamostore.Merge: "Merge", dynamostore.Refuse: "Refuse", dynamostore.Overwrite: "Overwrite", dynamostore.Lock: "Lock",
}

func modeName(m dynamostore.Concurrency) string { return modeNames[m] }
