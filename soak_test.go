package dynamostore_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var (
	soakTime = flag.Duration("soak", time.Second, "how long TestSoak runs")
	soakSeed = flag.Uint64("soak-seed", 0, "the seed of TestSoak; 0: a new one")
)

// Browsers with parallel tabs, two processes for each mode, and a DynamoDB behind random faults. The
// test keeps its own record of what was acknowledged, and compares the table with it at the end.
func TestSoak(t *testing.T) {
	const browsers, tabs = 24, 3
	goroutines, tracked := runtime.NumGoroutine(), dynamostore.Tracked()
	s := newSoak(t, cmp.Or(*soakSeed, rand.Uint64()))
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range browsers {
		mode := []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock}[i%2]
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range tabs {
			tab := &soakTab{soak: s, name: fmt.Sprintf("tab%d", j), number: i*tabs + j, processes: s.processes[mode]}
			tab.client = &http.Client{Transport: s.transport, Jar: jar}
			wg.Go(func() {
				for time.Since(begin) < *soakTime && !t.Failed() {
					tab.visit()
				}
			})
		}
	}
	wg.Wait()
	s.calm.Store(true)

	// The ends of requests set off unlocks, which end as well.
	s.close()
	left := func() int { return max(runtime.NumGoroutine()-goroutines, 0) }
	soon(func() bool { return left() == 0 })
	goroutinesLeft := left()
	inLine := 0
	for _, processes := range s.processes {
		for _, p := range processes {
			inLine += p.store.InLine()
		}
	}
	trackedLeft := 0
	soon(func() bool { // what is unreachable is found in some collections, a failed unlock's lease once it ends
		runtime.GC()
		trackedLeft = max(dynamostore.Tracked()-tracked, 0)
		return trackedLeft == 0
	})
	leased, locksLeft := s.locks()
	s.check()

	t.Logf(`%v of %d browsers with %d tabs each, seed %d
requests             %7d
DynamoDB requests    %7d
faults injected      %7d
conflicts merged     %7d
waits for a lock     %7d
acknowledged changes %7d
failed Saves         %7d
logouts              %7d
lost                 %7d
resurrected          %7d
locks left           %7d, and %d that an unlock which failed left to its lease
goroutines left      %7d
entries left         %7d in line, %d tracked`,
		time.Since(begin).Round(time.Millisecond), browsers, tabs, s.seed,
		s.requests.Load(), s.sent.Load(), s.faults.Load(), s.conflicts.Load(), s.waits.Load(), s.acknowledged.Load(), s.failed.Load(), s.logouts.Load(),
		s.lost, s.resurrected, locksLeft, leased, goroutinesLeft, inLine, trackedLeft)
	for i, problem := range s.problems {
		if i == 20 {
			t.Errorf("... and %d more", len(s.problems)-i)
			break
		}
		t.Error(problem)
	}
	if locksLeft != 0 || goroutinesLeft != 0 || inLine != 0 || trackedLeft != 0 {
		t.Error("something is left")
	}
	if s.acknowledged.Load() == 0 || s.faults.Load() == 0 {
		t.Error("nothing happened")
	}
}

// soak is the world of a TestSoak.
type soak struct {
	*testing.T
	backend   *dynamotest.Backend
	seed      uint64
	processes map[dynamostore.Concurrency][]*app
	transport *http.Transport // of the browsers
	visits    sync.Map        // number → http.HandlerFunc
	calm      atomic.Bool     // no more faults
	clock     atomic.Int64    // orders what happens

	requests, sent, faults, conflicts, waits, acknowledged, failed, logouts atomic.Int64

	mu          sync.Mutex
	lives       map[string]*life // by session ID
	orphans     int              // creates that failed, and may have left an item
	locking     []*locking       // visits under Lock
	problems    []string
	lost        int
	resurrected int
}

const soakLease = time.Second

func newSoak(t *testing.T, seed uint64) *soak {
	s := &soak{
		T: t, backend: dynamotest.NewInMemory(t), seed: seed,
		processes: make(map[dynamostore.Concurrency][]*app),
		lives:     make(map[string]*life),
	}
	s.backend.CreateTable(t, "id", "")
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
		for range 2 {
			s.processes[mode] = append(s.processes[mode], s.process(mode))
		}
	}
	transport := s.processes[dynamostore.Merge][0].server.Client().Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 64
	s.transport = transport
	return s
}

// process is an application in a process of its own.
func (s *soak) process(mode dynamostore.Concurrency) *app {
	p := &app{T: s.T, backend: s.backend, handlers: []http.HandlerFunc{s.serve}, cfg: dynamostore.Config{
		Table:         s.backend.Table,
		Concurrency:   mode,
		Timeout:       300 * time.Millisecond,
		TouchInterval: -1,
		Lock: dynamostore.LockConfig{
			Wait: 3 * soakLease, Lease: soakLease, MinRetry: time.Millisecond, MaxRetry: 5 * time.Millisecond,
		},
	}}
	client := dynamotest.NewClient(*s.backend.Raw().Options().BaseEndpoint, transportFunc(func(r *http.Request) (*http.Response, error) {
		return s.roundTrip(mode, r)
	}))
	var err error
	if p.store, err = dynamostore.New(client, p.cfg, keyA); err != nil {
		s.Fatal(err)
	}
	p.server = httptest.NewTLSServer(p)
	s.Cleanup(p.server.Close)
	return p
}

func (s *soak) close() {
	for _, processes := range s.processes {
		for _, p := range processes {
			p.server.Close()
		}
	}
	s.transport.CloseIdleConnections()
}

func (s *soak) serve(w http.ResponseWriter, r *http.Request) {
	handler, ok := s.visits.LoadAndDelete(r.Header.Get("Visit"))
	if !ok {
		http.Error(w, "no such visit", http.StatusGone)
		return
	}
	handler.(http.HandlerFunc)(w, r)
}

func (s *soak) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// loses counts a change that was acknowledged and is not there.
func (s *soak) loses(format string, args ...any) {
	s.problem("lost: "+format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost++
}

// revives counts a session that was deleted and is there.
func (s *soak) revives(format string, args ...any) {
	s.problem("resurrected: "+format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resurrected++
}

// The way to DynamoDB.

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var soakFaults = []dynamotest.Fault{
	dynamotest.Refused, dynamotest.Reset, dynamotest.AppliedThenReset, dynamotest.Throttled, dynamotest.Conflict,
	dynamotest.WithoutItem, dynamotest.InternalError, dynamotest.Slow(10 * time.Millisecond), dynamotest.Silent,
	dynamotest.AppliedThenSilent, dynamotest.Garbage, dynamotest.Truncated,
}

// trace is what became of the DynamoDB requests of a visit. It goes with the request's context.
type trace struct {
	mu      sync.Mutex
	dice    *rand.Rand // for faults
	burst   int        // how many more requests meet the fault again
	fault   dynamotest.Fault
	writes  int  // of data that were applied, or may have been
	created bool // one of them was a PutItem
	deleted bool // the session was deleted, or may have been
	stuck   bool // the last UpdateItem met a fault
}

type traceKey struct{}

// next is the fault that the visit's next request meets, nil for none.
func (tr *trace) next() dynamotest.Fault {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.burst > 0 {
		tr.burst--
		return tr.fault
	}
	if tr.dice.IntN(100) >= 8 {
		return nil
	}
	tr.fault = soakFaults[tr.dice.IntN(len(soakFaults))]
	if tr.dice.IntN(4) == 0 {
		tr.burst = tr.dice.IntN(6)
	}
	return tr.fault
}

func (s *soak) roundTrip(mode dynamostore.Concurrency, r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	tr := r.Context().Value(traceKey{}).(*trace)
	s.sent.Add(1)
	data := op == "UpdateItem" && bytes.Contains(body, []byte(`":data"`))
	backend := transportFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := s.backend.Raw().Options().HTTPClient.(*http.Client).Transport.RoundTrip(r)
		applied := err != nil // nobody knows
		if err == nil {
			applied = resp.StatusCode == http.StatusOK
			if refused(resp) && data && mode == dynamostore.Merge {
				s.conflicts.Add(1)
			} else if refused(resp) && bytes.Contains(body, []byte(`":until"`)) {
				s.waits.Add(1)
			}
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if applied && (data || op == "PutItem") {
			tr.writes++
		}
		tr.created = tr.created || applied && op == "PutItem"
		tr.deleted = tr.deleted || applied && op == "DeleteItem"
		return resp, err
	})
	var fault dynamotest.Fault
	if !s.calm.Load() {
		fault = tr.next()
	}
	var resp *http.Response
	if fault == nil {
		resp, err = backend.RoundTrip(r)
	} else {
		s.faults.Add(1)
		resp, err = fault(backend, r)
	}
	if op == "UpdateItem" {
		tr.mu.Lock()
		tr.stuck = fault != nil || err != nil
		tr.mu.Unlock()
	}
	return resp, err
}

// refused reports whether the answer is the refusal of a conditional write.
func refused(resp *http.Response) bool {
	if resp.StatusCode != http.StatusBadRequest {
		return false
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return false
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte("#ConditionalCheckFailedException"))
}

// The test's own record.

// life is what is known of a session, from its creation to its logout.
type life struct {
	id   string
	mode dynamostore.Concurrency

	mu        sync.Mutex
	entries   map[string]*entry // the keys that only one tab writes
	flashes   map[string]*flash
	shared    int   // increments by all tabs, under Lock
	uncertain int   // further ones that may be there
	ending    int   // logouts under way
	maybeDead bool  // a logout failed, and the session may be gone
	deadAt    int64 // when a logout was acknowledged; 0: never
	maxAges   map[int]bool
}

// entry is the value under a key: the one that was acknowledged last, nil for none, or one of those
// that came after it and may be there.
type entry struct {
	value any
	maybe []any
}

func (e *entry) allows(v any) bool { return v == e.value || slices.Contains(e.maybe, v) }

// flash is a message, added once and consumed once.
type flash struct {
	added, consumed bool // acknowledged
	maybeConsumed   bool
	// again: the answer to a write of it was lost, so it may have been added twice, or once
	// more after it was consumed.
	again bool
}

func (l *life) entry(key string) *entry {
	if l.entries[key] == nil {
		l.entries[key] = &entry{}
	}
	return l.entries[key]
}

func (l *life) flash(name string) *flash {
	if l.flashes[name] == nil {
		l.flashes[name] = &flash{}
	}
	return l.flashes[name]
}

// The browsers.

// soakTab is a tab of a browser: it sends one request after the other, to one process or another.
type soakTab struct {
	*soak
	name      string
	number    int
	processes []*app
	client    *http.Client
	n         uint64 // visits so far
}

// visit sends a request in which the session is used in some way.
func (tab *soakTab) visit() {
	tab.n++
	tab.requests.Add(1)
	dice := rand.New(rand.NewPCG(tab.seed, uint64(tab.number)<<32|tab.n))
	process := tab.processes[dice.IntN(len(tab.processes))]
	action := dice.IntN(100)
	tr := &trace{dice: rand.New(rand.NewPCG(dice.Uint64(), 0))}

	ctx, disconnect := context.WithCancel(context.Background())
	defer disconnect()
	hangUp := func(*http.Request) {}
	if dice.IntN(50) == 0 {
		hangUp = func(r *http.Request) {
			disconnect()
			<-r.Context().Done() // the server notices
		}
	}
	done := make(chan struct{})
	name := fmt.Sprint(tab.number, ".", tab.n)
	tab.visits.Store(name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		v := &visit{soakTab: tab, store: process.store, mode: process.cfg.Concurrency, action: action, trace: tr, w: w}
		v.r = r.WithContext(context.WithValue(r.Context(), traceKey{}, tr))
		v.use(hangUp)
	}))
	r, err := http.NewRequestWithContext(ctx, "POST", process.server.URL, nil)
	if err != nil {
		tab.Error(err)
		return
	}
	r.Header.Set("Visit", name)
	resp, err := tab.client.Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err != nil && ctx.Err() == nil {
		tab.Errorf("visit: %v", err)
		return
	}
	<-done
}

// visit is a request under way.
type visit struct {
	*soakTab
	store  *dynamostore.Store
	mode   dynamostore.Concurrency
	action int // 0 to 99: what to do
	trace  *trace
	w      http.ResponseWriter
	r      *http.Request

	id      string // that the cookie carries, "" for none
	life    *life  // of that session
	session *sessions.Session
}

// locking is a visit under Lock, and the session that it may have left locked.
type locking struct {
	id    string
	trace *trace
}

func (v *visit) use(hangUp func(*http.Request)) {
	begin := v.clock.Add(1)
	if c, err := v.r.Cookie(cookieName); err == nil {
		if err := v.store.Codecs[0].Decode(cookieName, c.Value, &v.id); err != nil {
			v.problem("a cookie does not decode: %v", err)
		}
	}
	v.soak.mu.Lock()
	v.life = v.lives[v.id]
	if v.id != "" && v.mode == dynamostore.Lock {
		v.locking = append(v.locking, &locking{v.id, v.trace})
	}
	v.soak.mu.Unlock()
	if v.id != "" && v.life == nil {
		v.problem("a cookie leads to a session that nobody created")
		return
	}

	var err error
	v.session, err = v.store.Get(v.r, cookieName)
	hangUp(v.r)
	switch {
	case err != nil:
		v.harmless(err)
		v.notLoaded()
	case v.session.IsNew:
		if v.life != nil && !v.life.mayBeGone() {
			v.loses("a session that nobody logged out")
		}
		v.login()
	default:
		v.look(begin)
		v.act()
	}
}

// harmless asserts that an error gives nothing away.
func (v *visit) harmless(err error) {
	text := err.Error()
	if v.id != "" && strings.Contains(text, v.id) || strings.Contains(text, "secret") || !strings.Contains(text, v.backend.Table) {
		v.problem("error %q", text)
	}
}

// notLoaded goes on with a session that could not be read, as an application does that ignores
// errors of Get.
func (v *visit) notLoaded() {
	if v.action < 10 {
		v.logout()
		return
	}
	v.session.Values["k"] = "secret"
	if err, _ := v.save(); !errors.Is(err, dynamostore.ErrNotLoaded) {
		v.problem("Save of a session that was not loaded: %v", err)
	}
	if v.trace.writes != 0 {
		v.problem("Save of a session that was not loaded wrote it")
	}
}

// login creates a session.
func (v *visit) login() {
	if v.action < 20 {
		return
	}
	value := v.value()
	v.session.Values[v.name] = value
	err, maybe := v.save()
	if err != nil {
		if maybe {
			v.soak.mu.Lock()
			v.orphans++
			v.soak.mu.Unlock()
		}
		return
	}
	v.acknowledged.Add(1)
	if len(v.w.Header()["Set-Cookie"]) != 1 {
		v.problem("a new session was saved without a cookie")
	}
	v.soak.mu.Lock()
	defer v.soak.mu.Unlock()
	if v.lives[v.session.ID] != nil {
		v.problems = append(v.problems, "a new session has another's ID")
	}
	v.lives[v.session.ID] = &life{
		id: v.session.ID, mode: v.mode,
		entries: map[string]*entry{v.name: {value: value}},
		flashes: make(map[string]*flash),
		maxAges: make(map[int]bool),
	}
}

// value is one that no other visit stores.
func (v *visit) value() string { return fmt.Sprintf("secret %d.%d", v.number, v.n) }

// look compares a session that was loaded with what this tab has been told.
func (v *visit) look(begin int64) {
	l := v.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadAt != 0 && l.deadAt < begin {
		v.revives("a request found a session after its logout")
	}
	for _, key := range []string{v.name, v.counter()} {
		if e := l.entry(key); !e.allows(v.session.Values[key]) {
			v.loses("a request found %v under a key, after %v was acknowledged and %v tried", v.session.Values[key], e.value, e.maybe)
		}
	}
}

func (v *visit) counter() string { return v.name + " counter" }

// act does something with a session that was loaded.
func (v *visit) act() {
	values := v.session.Values
	switch {
	case v.action < 25:
		v.change(v.setting(v.name, v.value()))
	case v.action < 45:
		n, _ := values[v.counter()].(int)
		note := v.setting(v.counter(), n+1)
		if v.mode == dynamostore.Lock {
			n, _ := values["shared"].(int)
			values["shared"] = n + 1
			own := note
			note = func(l *life, err error) {
				own(l, err)
				if err == nil {
					l.shared++
				} else {
					l.uncertain++
				}
			}
		}
		v.change(note)
	case v.action < 55:
		name := v.value()
		v.session.AddFlash(name)
		v.change(func(l *life, err error) {
			f := l.flash(name)
			f.added = err == nil
			f.again = v.trace.writes > 1
		})
	case v.action < 65:
		flashes := v.session.Flashes()
		v.change(func(l *life, err error) {
			for _, name := range flashes {
				f := l.flash(name.(string))
				if err == nil && f.consumed && !f.again && v.mode == dynamostore.Lock {
					v.problem("a flash was consumed twice")
				}
				f.consumed = f.consumed || err == nil
				f.maybeConsumed = true
			}
		})
	case v.action < 73:
		v.change(v.setting(v.name, nil))
	case v.action < 78:
		v.session.Options.MaxAge = 3600 * (1 + v.action%5)
		v.life.mu.Lock()
		v.life.maxAges[v.session.Options.MaxAge] = true
		v.life.mu.Unlock()
		v.change(func(*life, error) {})
	case v.action < 88:
		v.change(func(*life, error) {})
	case v.action < 93: // no Save
	case v.action < 96:
		v.logout()
	default:
		v.change(v.setting(v.name, v.value()))
		v.change(v.setting(v.name, v.value()+", again"))
	}
}

// setting sets one of the tab's own keys, nil deletes it, and returns how to note that.
func (v *visit) setting(key string, value any) func(*life, error) {
	if value == nil {
		delete(v.session.Values, key)
	} else {
		v.session.Values[key] = value
	}
	return func(l *life, err error) {
		if e := l.entry(key); err == nil {
			e.value, e.maybe = value, nil
		} else {
			e.maybe = append(e.maybe, value)
		}
	}
}

// change saves what was changed, and has it noted if it was acknowledged (nil), or if it failed and
// may be in the table all the same.
func (v *visit) change(note func(*life, error)) {
	err, maybe := v.save()
	l := v.life
	switch {
	case err == nil:
		v.acknowledged.Add(1)
	case errors.Is(err, dynamostore.ErrGone) && !l.mayBeGone():
		v.loses("ErrGone for a session that nobody logged out")
	case errors.Is(err, dynamostore.ErrNotLoaded):
		v.problem("ErrNotLoaded for a session that was loaded")
	}
	if err == nil || maybe {
		l.mu.Lock()
		defer l.mu.Unlock()
		note(l, err)
	}
}

// save returns the error of Save and, in case there is one, whether data may have been written all
// the same.
func (v *visit) save() (err error, maybe bool) {
	v.trace.mu.Lock()
	before := v.trace.writes
	v.trace.mu.Unlock()
	cookies := len(v.w.Header()["Set-Cookie"])
	err = v.session.Save(v.r, v.w)
	if err == nil {
		return nil, false
	}
	v.failed.Add(1)
	v.harmless(err)
	if len(v.w.Header()["Set-Cookie"]) != cookies && v.session.Options.MaxAge >= 0 {
		v.problem("a failed Save set a cookie")
	}
	v.trace.mu.Lock()
	defer v.trace.mu.Unlock()
	return err, v.trace.writes > before
}

func (v *visit) logout() {
	l := v.life
	if l == nil {
		return
	}
	l.mu.Lock()
	l.ending++
	l.mu.Unlock()
	v.session.Options.MaxAge = -1
	err, _ := v.save()
	v.trace.mu.Lock()
	deleted := v.trace.deleted
	v.trace.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending--
	l.maybeDead = l.maybeDead || deleted
	if err == nil {
		l.deadAt = v.clock.Add(1)
		v.acknowledged.Add(1)
		v.logouts.Add(1)
	}
}

func (l *life) mayBeGone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending > 0 || l.maybeDead || l.deadAt != 0
}

// What is there at the end.

// locks counts the locks that are there after all requests have ended: those that an unlock which
// failed left to its lease, and others. What is left after further requests is among the others.
func (s *soak) locks() (leased, left int) {
	stuck := make(map[string]bool)
	for _, l := range s.locking {
		if l.trace.stuck {
			stuck[l.id] = true
		}
	}
	locked := func() (ids []string) {
		for _, item := range s.backend.Items(s.T) {
			if item["lock"] != nil || item["lock_until"] != nil {
				ids = append(ids, item["id"].(*types.AttributeValueMemberS).Value)
			}
		}
		return ids
	}
	store, err := dynamostore.New(s.backend.Raw(), s.processes[dynamostore.Lock][0].cfg, keyA)
	if err != nil {
		s.Fatal(err)
	}
	for _, id := range locked() {
		if stuck[id] {
			leased++
		} else {
			left++
		}
		ctx, end := context.WithCancel(s.Context())
		if _, err := store.Get(s.request(ctx, id), cookieName); err != nil {
			s.problem("a session that was left locked: Get: %v", err)
		}
		end()
	}
	soon(func() bool { return len(locked()) == 0 })
	return leased, left + len(locked())
}

func (s *soak) request(ctx context.Context, id string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: cookieName, Value: signed(s.T, id, keyA)})
	return r
}

// check compares the table with the record.
func (s *soak) check() {
	items := make(map[string]dynamotest.Item)
	orphans := 0
	for _, item := range s.backend.Items(s.T) {
		id := item["id"].(*types.AttributeValueMemberS).Value
		items[id] = item
		if s.lives[id] == nil {
			orphans++
		}
	}
	if orphans > s.orphans {
		s.problem("there are %d sessions that no request created, and only %d whose creation failed", orphans, s.orphans)
	}
	store, err := dynamostore.New(s.backend.Raw(), dynamostore.Config{Table: s.backend.Table}, keyA)
	if err != nil {
		s.Fatal(err)
	}
	for _, l := range s.lives {
		item := items[l.id]
		switch {
		case l.deadAt != 0 && item != nil:
			s.revives("a session is there after its logout: %v", item)
		case l.deadAt != 0 || l.maybeDead && item == nil:
		case item == nil:
			s.loses("a session that nobody logged out is not there")
		default:
			session, err := store.Get(s.request(s.Context(), l.id), cookieName)
			if err != nil || session.IsNew {
				s.loses("a session is there and does not load: %v", err)
				continue
			}
			l.check(s, session.Values)
			if item["max_age"] != nil && !l.maxAges[int(numberOf(s.T, item, "max_age"))] {
				s.problem("max_age is %s, which nobody set", render(item["max_age"]))
			}
		}
	}
}

// check compares a session that lives with the record.
func (l *life) check(s *soak, values map[any]any) {
	mode := modes[l.mode].name
	for key, e := range l.entries {
		if !e.allows(values[key]) {
			s.loses("%s: a key holds %v, after %v was acknowledged and %v tried", mode, values[key], e.value, e.maybe)
		}
	}
	if shared, _ := values["shared"].(int); shared < l.shared || shared > l.shared+l.uncertain {
		s.loses("%s: %d increments were acknowledged, %d more tried, and %d are there", mode, l.shared, l.uncertain, shared)
	}
	there := make(map[string]int)
	flashes, _ := values["_flash"].([]any)
	for _, f := range flashes {
		there[f.(string)]++
	}
	for name, f := range l.flashes {
		switch n := there[name]; {
		case f.again:
		case n > 1:
			s.problem("%s: a flash is there %d times", mode, n)
		case n == 0 && f.added && !f.maybeConsumed:
			s.loses("%s: a flash that nobody consumed", mode)
		case n == 1 && f.consumed:
			s.problem("%s: a flash came back after it was consumed", mode)
		}
	}
	for name := range there {
		if l.flashes[name] == nil {
			s.problem("%s: a flash that was never saved is there", mode)
		}
	}
}
