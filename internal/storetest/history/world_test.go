package history

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// backend is the DynamoDB that a history runs on.
type backend struct {
	transport http.RoundTripper
	endpoint  string
	table     string  // that histories share; "": each makes its own
	pace      float64 // by which the durations of a plan are multiplied: 1 in virtual time
}

// world is a history while it runs.
type world struct {
	plan *plan
	backend
	prefix  string   // of the keys of this history's items
	users   []string // their names
	begin   time.Time
	network *network
	facts   *facts
	journal *journal
	figures *figures

	codecs   []securecookie.Codec // of the cookies
	browsers []*browser
	requests sync.WaitGroup // handlers that run

	newIDs atomic.Int64

	mu        sync.Mutex
	instances []*instance
}

// result is what came of a history.
type result struct {
	plan       *plan
	violations []Violation
	journal    *journal
	figures    Figures
	faulty     map[faultSite]bool // where messages met faults
}

// run runs the history of a plan on a backend.
func run(ctx context.Context, p *plan, b backend) (*result, error) {
	w := &world{plan: p, backend: b, begin: time.Now(), journal: &journal{begin: time.Now()}, figures: &figures{}}
	w.users = slices.Clone(userNames)
	if w.table != "" {
		// What histories share, each has under names of its own.
		n := runs.Add(1)
		w.prefix = fmt.Sprintf("history-%d/", n)
		for i := range w.users {
			w.users[i] += fmt.Sprintf(" %d", n)
		}
	}
	w.facts = newFacts(w)
	w.network = &network{world: w, next: b.transport, kept: make(map[string][]keptAnswer), faulty: make(map[faultSite]bool)}
	if w.table == "" {
		w.table = "sessions"
		if err := createTable(ctx, w.client(w.transport), w.table, p.setup.ttl); err != nil {
			return nil, err
		}
	}
	for i := range p.setup.instances {
		w.instances = append(w.instances, w.start(i))
	}
	w.codecs = w.instances[0].store.Codecs
	w.play(ctx)
	w.requests.Wait()
	if p.setup.mode == dynamostore.Lock {
		w.sleep(p.setup.timeout + time.Second) // the end of a request gives its lock up
	}
	w.network.messages.Wait()
	if err := w.audit(ctx); err != nil {
		return nil, err
	}
	for _, i := range w.instances {
		i.stop()
	}
	return &result{
		plan: p, violations: w.facts.violations(), journal: w.journal, figures: w.figures.total(w),
		faulty: w.network.faulty,
	}, nil
}

// play has the browsers and administrators do their steps, and crashes instances.
func (w *world) play(ctx context.Context) {
	var players sync.WaitGroup
	tabs := make(map[[2]int][]*step)
	for i := range w.plan.steps {
		s := &w.plan.steps[i]
		if s.browser == administrator {
			players.Go(func() {
				w.sleepUntil(s.at)
				w.administer(ctx, s)
			})
			continue
		}
		tabs[[2]int{s.browser, s.tab}] = append(tabs[[2]int{s.browser, s.tab}], s)
	}
	for i := range maxBrowsers {
		w.browsers = append(w.browsers, newBrowser(w, i))
	}
	for tab, steps := range tabs {
		players.Go(func() {
			for _, s := range steps {
				w.sleepUntil(s.at)
				w.browsers[tab[0]].send(ctx, s)
			}
		})
	}
	for _, c := range w.plan.crashes {
		players.Go(func() {
			w.sleepUntil(c.at)
			w.crash(c.instance)
		})
	}
	players.Wait()
}

// newID makes an ID that can be read in a journal. All of them are known, so that at the end it can
// be tried which of them open a session.
func (w *world) newID() string {
	id := fmt.Sprintf("session-%03d", w.newIDs.Add(1))
	w.facts.issue(id)
	return id
}

func (b *backend) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * b.pace) }

func (w *world) sleep(d time.Duration) { time.Sleep(w.scaled(d)) }

func (w *world) sleepUntil(at time.Duration) {
	time.Sleep(w.scaled(at) - time.Since(w.begin))
}

// key returns the partition key of an ID.
func (w *world) key(id string) string {
	w.mu.Lock()
	store := w.instances[0].store
	w.mu.Unlock()
	session := sessions.NewSession(store, sessionName)
	session.ID = id
	return store.Key(session)
}

// runs counts the histories of this process, which may share a table.
var runs atomic.Int64
