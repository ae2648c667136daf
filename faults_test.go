package dynamostore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var faultsTable = flag.Bool("faults-table", false, "print what became of each request in TestFaults and TestFaultsAmidOtherRequests")

// outcome is what a request, and the faults that it met, came to.
type outcome struct {
	get, save string // what the handler was told
	browser   string // what the browser then has
	table     string // what the table then holds
}

// What the handler is told. Where an outcome says theFault, it is the fault's own error.
const (
	ok           = "nil"
	notCalled    = "-"
	theFault     = "(the fault)"
	refusedConn  = "connection refused"
	resetConn    = "connection reset"
	throttled    = "throttled"
	conflicting  = "TransactionConflict, until Timeout"
	http500      = "InternalServerError"
	timedOut     = "deadline exceeded"
	unreadable   = "unreadable answer"
	errNotLoaded = "ErrNotLoaded"
	errGone      = "ErrGone"
	errConflict  = "ErrConflict"
	errLockLost  = "ErrLockLost"
)

// What the browser has.
const (
	noCookie = "no cookie"
	asItWas  = "its cookie, as it was"
	set      = "the cookie, set"
	expired  = "the cookie expired"
)

// What the table holds.
const (
	nothing        = "nothing"
	oldValue       = "the old value"
	newValue       = "the new value"
	theirs         = "the old value + theirs"
	theirsAndNew   = "the new value + theirs"
	movedEnd       = ", its end moved"
	untilLease     = ", locked until the lease ends"
	lockedByOthers = ", locked by another"
)

// kind is a fault as it meets a request.
type kind struct {
	name  string
	fault dynamotest.Fault
	then  dynamotest.Fault // which the retry meets
	told  string           // what is told if the fault is not overcome
	// applied: DynamoDB applied the request all the same.
	applied bool
	// retried: if the fault does not last, a retry overcomes it.
	retried bool
	// harmless: the request succeeds.
	harmless bool
	// timed: if it is not overcome, the Timeout ends it.
	timed bool
}

var kinds = []kind{
	{name: "connection refused", fault: dynamotest.Refused, told: refusedConn, retried: true},
	{name: "reset, not applied", fault: dynamotest.Reset, told: resetConn, retried: true},
	{name: "applied, then reset", fault: dynamotest.AppliedThenReset, told: resetConn, applied: true, retried: true},
	{name: "throttled", fault: dynamotest.Throttled, told: throttled, retried: true},
	{name: "TransactionConflict", fault: dynamotest.Conflict, told: conflicting, retried: true, timed: true},
	{name: "refusal without the item", fault: dynamotest.WithoutItem, harmless: true},
	{name: "applied, then reset; refusal without the item", fault: dynamotest.AppliedThenReset, then: dynamotest.WithoutItem, harmless: true},
	{name: "HTTP 500", fault: dynamotest.InternalError, told: http500, retried: true},
	{name: "slow", fault: dynamotest.Slow(20 * time.Millisecond), harmless: true},
	{name: "never answered", fault: dynamotest.Silent, told: timedOut, timed: true},
	{name: "applied, never answered", fault: dynamotest.AppliedThenSilent, told: timedOut, applied: true, timed: true},
	{name: "garbage", fault: dynamotest.Garbage, told: unreadable, applied: true},
	{name: "truncated", fault: dynamotest.Truncated, told: unreadable, applied: true},
}

// attempts is how often the tests' client sends a request: as often as the SDK by default.
const attempts = 3

// forever is a number of faults that no retries overcome.
const forever = 64

// times returns how many faults of the kind in a row there are to meet.
func (k kind) times() []int {
	switch {
	case k.harmless:
		return []int{1}
	case k.retried:
		return []int{1, attempts - 1, forever}
	}
	return []int{1, forever}
}

// overcome reports whether a request that meets n of those faults in a row comes through.
func (k kind) overcome(n int) bool {
	return k.harmless || k.retried && n < forever
}

func (k kind) faults(n int) []dynamotest.Fault {
	faults := dynamotest.Times(n, k.fault)
	if k.then != nil {
		faults = append(faults, k.then)
	}
	return faults
}

// The moments of a request at which what it sends meets the fault.
type moment int

const (
	atGet moment = iota
	atSave
	atEnd // after the handler returned
)

// phase is what a request does, and what comes of it.
type phase struct {
	name   string
	op     string // what meets the fault
	at     moment
	mode   dynamostore.Concurrency
	fresh  bool                    // the request brings no session
	alter  dynamotest.Item         // of the session's item, before
	change func(*sessions.Session) // nil: none
	noSave bool
	// conflict: another process writes between load and Save; where lookUp is set too, the refusal does
	// not say what, and op is the request that looks it up.
	conflict, lookUp bool

	done   outcome // without faults, and with those that are overcome
	failed outcome // where the fault is not overcome, and the request was not applied
	lost   outcome // where it is not overcome, but the request was applied
}

// want is what comes of the phase when it meets n faults of the kind.
func (p phase) want(k kind, n int) outcome {
	o := p.failed
	switch {
	case k.overcome(n):
		o = p.done
	case k.applied:
		o = p.lost
	}
	for _, told := range []*string{&o.get, &o.save} {
		if *told == theFault {
			*told = k.told
		}
	}
	return o
}

func toNew(s *sessions.Session)   { s.Values["k"] = "new-secret" }
func goodbye(s *sessions.Session) { s.Options.MaxAge = -1 }

var phases = []phase{
	{
		name: "load", op: "GetItem", at: atGet, change: toNew,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{theFault, errNotLoaded, asItWas, oldValue},
		lost:   outcome{theFault, errNotLoaded, asItWas, oldValue},
	}, {
		// Where the answer never comes, an item is left that no cookie leads to; it expires.
		name: "create", op: "PutItem", at: atSave, fresh: true, change: toNew,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{ok, theFault, noCookie, nothing},
		lost:   outcome{ok, theFault, noCookie, newValue},
	}, {
		name: "changed save", op: "UpdateItem", at: atSave, change: toNew,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "changed save, Refuse", op: "UpdateItem", at: atSave, change: toNew, mode: dynamostore.Refuse,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "changed save, Overwrite", op: "UpdateItem", at: atSave, change: toNew, mode: dynamostore.Overwrite,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "merging save, after a conflict", op: "UpdateItem", at: atSave, change: toNew, conflict: true,
		done:   outcome{ok, ok, set, theirsAndNew},
		failed: outcome{ok, theFault, asItWas, theirs},
		lost:   outcome{ok, theFault, asItWas, theirsAndNew},
	}, {
		name: "look-up, after a refusal without the item", op: "GetItem", at: atSave, change: toNew, conflict: true, lookUp: true,
		done:   outcome{ok, ok, set, theirsAndNew},
		failed: outcome{ok, theFault, asItWas, theirs},
		lost:   outcome{ok, theFault, asItWas, theirs},
	}, {
		name: "touch", op: "UpdateItem", at: atSave, alter: dynamotest.Item{"expires": dynamotest.N(inSeconds(time.Hour))},
		done:   outcome{ok, ok, set, oldValue + movedEnd},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, oldValue + movedEnd},
	}, {
		name: "delete", op: "DeleteItem", at: atSave, change: goodbye,
		done:   outcome{ok, ok, expired, nothing},
		failed: outcome{ok, theFault, expired, oldValue},
		lost:   outcome{ok, theFault, expired, nothing},
	}, {
		// The lock that may have been taken is given up by Save, or at the end of the request.
		name: "lock", op: "UpdateItem", at: atGet, change: toNew, mode: dynamostore.Lock,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{theFault, errNotLoaded, asItWas, oldValue},
		lost:   outcome{theFault, errNotLoaded, asItWas, oldValue},
	}, {
		name: "changed save, Lock", op: "UpdateItem", at: atSave, change: toNew, mode: dynamostore.Lock,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "touch, Lock", op: "UpdateItem", at: atSave, mode: dynamostore.Lock, alter: dynamotest.Item{"expires": dynamotest.N(inSeconds(time.Hour))},
		done:   outcome{ok, ok, set, oldValue + movedEnd},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, oldValue + movedEnd},
	}, {
		name: "delete, Lock", op: "DeleteItem", at: atSave, change: goodbye, mode: dynamostore.Lock,
		done:   outcome{ok, ok, expired, nothing},
		failed: outcome{ok, theFault, expired, oldValue},
		lost:   outcome{ok, theFault, expired, nothing},
	}, {
		// The session is unchanged. That its unlock failed is not the handler's business: the
		// end of the request tries again.
		name: "unlock by Save", op: "UpdateItem", at: atSave, mode: dynamostore.Lock,
		done:   outcome{ok, ok, asItWas, oldValue},
		failed: outcome{ok, ok, asItWas, oldValue},
		lost:   outcome{ok, ok, asItWas, oldValue},
	}, {
		// Here the fault stays for good.
		name: "unlock at the request's end", op: "UpdateItem", at: atEnd, mode: dynamostore.Lock, noSave: true,
		done:   outcome{ok, notCalled, asItWas, oldValue},
		failed: outcome{ok, notCalled, asItWas, oldValue + untilLease},
		lost:   outcome{ok, notCalled, asItWas, oldValue},
	},
}

// Whatever a request meets on its way to DynamoDB and back: no change that was acknowledged is lost, no
// deleted session lives, no cookie leads nowhere, no lock outlives the request but by its lease, and
// no Store call takes longer than Config.Timeout.
func TestFaults(t *testing.T) {
	type row struct {
		phase phase
		kind  kind
		n     int
		got   outcome
	}
	var rows []*row
	for _, p := range phases {
		for _, k := range kinds {
			for _, n := range k.times() {
				rows = append(rows, &row{phase: p, kind: k, n: n})
			}
		}
	}
	sideBySide(t, len(rows), func(i int) (string, func(*testing.T)) {
		row := rows[i]
		return fmt.Sprintf("%s/%s/%s", row.phase.name, row.kind.name, count(row.n)), func(t *testing.T) {
			c := newFaultCase(t, row.phase, row.kind.timed && !row.kind.overcome(row.n))
			faults := row.kind.faults(row.n)
			locked := row.phase.want(row.kind, row.n).table == oldValue+untilLease
			row.got = c.run(faults, locked)
			if row.kind.told == conflicting {
				// The Timeout ends the pause between two attempts, or an attempt.
				for _, told := range []*string{&row.got.get, &row.got.save} {
					if *told == timedOut {
						*told = conflicting
					}
				}
			}
			if want := row.phase.want(row.kind, row.n); row.got != want {
				t.Errorf("outcome:\ngot  %q\nwant %q", row.got, want)
			}
		}
	})
	if !*faultsTable {
		return
	}
	var lines []line
	for i, row := range rows {
		if last := len(lines) - 1; i > 0 && rows[i-1].phase.name == row.phase.name && rows[i-1].kind.name == row.kind.name && lines[last].outcome == row.got {
			lines[last].fault += ", " + count(row.n)
			continue
		}
		lines = append(lines, line{row.phase.name, row.kind.name + " " + count(row.n), row.got})
	}
	printLines("Each request, and each fault that it may meet", lines)
	fmt.Printf("%d cases\n\n", len(rows))
}

func count(n int) string {
	if n == forever {
		return "always"
	}
	return fmt.Sprintf("%dx", n)
}

// line is one of a printed table.
type line struct {
	phase, fault string
	outcome
}

func printLines(title string, lines []line) {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "request\tfault\tGet returned\tSave returned\tthe browser has\tthe table holds")
	fmt.Fprintln(w, "-------\t-----\t------------\t-------------\t---------------\t---------------")
	for i, l := range lines {
		phase := l.phase
		if i > 0 && lines[i-1].phase == phase {
			phase = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", phase, l.fault, l.get, l.save, l.browser, l.table)
	}
	w.Flush()
	fmt.Printf("%s:\n\n%s\n", title, &text)
}

// sideBySide runs subtests a few at a time, since they wait more than they work, but apart from other tests.
func sideBySide(t *testing.T, n int, test func(i int) (string, func(*testing.T))) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(test(i))
		})
	}
	wg.Wait()
}

// faultCase is a browser whose request meets faults.
type faultCase struct {
	*app
	phase   phase
	browser *browser
	id      string // of its session
	timeout time.Duration
	other   *browser           // the same visitor at another process, which meets no faults
	patient *dynamostore.Store // gives up on nothing
	hasty   *dynamostore.Store // what meets the faults
	secrets []string
	delayed func() // delivers what a fault held back
}

// patience is a Timeout that nothing exceeds.
const patience = time.Minute

// slack is what a busy machine may add to a Timeout.
const slack = 10 * time.Second

// newFaultCase returns a case with a session as it is before the phase. Where faults are to be
// given up on, the Timeout is short.
func newFaultCase(t *testing.T, p phase, short bool) *faultCase {
	c := &faultCase{phase: p, timeout: patience, secrets: []string{"old-secret", "new-secret", "their-secret"}}
	if short {
		c.timeout = time.Second
	}
	c.app = newApp(t, func(cfg *dynamostore.Config) {
		cfg.Concurrency = p.mode
		cfg.Timeout = patience
		cfg.Lock.MinRetry, cfg.Lock.MaxRetry = time.Millisecond, 5*time.Millisecond
	})
	c.patient = c.store
	hasty := c.cfg
	hasty.Timeout = c.timeout
	c.hasty = c.open(hasty, keyA)

	c.browser = c.app.browser()
	elsewhere := c.another()
	var err error
	if elsewhere.store, err = dynamostore.New(c.backend.Raw(), c.cfg, keyA); err != nil {
		t.Fatal(err)
	}
	if p.fresh {
		return c
	}
	c.browser.set("k", "old-secret")
	c.other = elsewhere.tab(c.browser)
	c.id = c.item()["id"].(*types.AttributeValueMemberS).Value
	c.secrets = append(c.secrets, c.id, c.browser.cookie())
	if p.alter != nil {
		c.alter(p.alter)
	}
	return c
}

// run has the request meet the faults, and returns what it came to. staysLocked tells what to wait
// for at the request's end.
func (c *faultCase) run(faults []dynamotest.Fault, staysLocked bool) outcome {
	t, p := c.T, c.phase
	before := c.browser.cookie()
	o := outcome{get: notCalled, save: notCalled}
	load, save := c.patient, c.hasty
	if p.at != atSave {
		load = c.hasty
	}
	cookies := c.browser.visit(func(w http.ResponseWriter, r *http.Request) {
		if p.at == atGet {
			c.backend.Inject(p.op, faults...)
		}
		var session *sessions.Session
		o.get = c.told(func() (err error) { session, err = load.Get(r, cookieName); return err })
		if session == nil {
			t.Error("Get returned no session")
			return
		}
		if o.get != ok && (!session.IsNew || session.ID != "" || len(session.Values) != 0) {
			t.Errorf("Get returned an error and the session %+v, want a new one", session)
		}
		if p.conflict {
			c.backend.Inject("UpdateItem", c.conflict(same(faults[0], dynamotest.WithoutItem)))
		}
		if p.at != atGet {
			c.backend.Inject(p.op, faults...)
		}
		if p.noSave {
			return
		}
		if p.change != nil {
			p.change(session)
		}
		o.save = c.told(func() error { return save.Save(r, w, session) })
		c.backend.Heal()
	})
	met := func() bool { return c.backend.Pending() < len(faults) }
	if p.at == atEnd {
		soon(met)
	}
	if p.mode == dynamostore.Lock && !staysLocked {
		soon(func() bool { return !c.isLocked() })
	}
	if c.delayed != nil {
		c.delayed()
	}

	after := c.browser.cookie()
	switch {
	case len(cookies) == 1 && cookies[0].MaxAge < 0 && after == "":
		o.browser = expired
	case len(cookies) == 1 && cookies[0].MaxAge > 0 && after == cookies[0].Value:
		o.browser = set
	case len(cookies) == 0 && after == "":
		o.browser = noCookie
	case len(cookies) == 0 && after == before:
		o.browser = asItWas
	default:
		t.Errorf("the browser had the cookie %q, was sent %v, and has %q", before, cookies, after)
	}
	o.table = c.holds()
	c.backend.Heal()
	c.afterwards(o)
	return o
}

// soon waits until something holds that the end of a request sets off, and reports whether it came.
func soon(holds func() bool) bool {
	for end := time.Now().Add(slack); !holds(); runtime.Gosched() {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func same(a, b dynamotest.Fault) bool { return fmt.Sprintf("%p", a) == fmt.Sprintf("%p", b) }

// conflict is another process's write just before the request's own.
func (c *faultCase) conflict(withoutItem bool) dynamotest.Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		c.write()
		if withoutItem || c.phase.lookUp {
			return dynamotest.WithoutItem(next, r)
		}
		return next.RoundTrip(r)
	}
}

// What another process does.

func (c *faultCase) write() { c.other.set("theirs", fmt.Sprint("their-secret", time.Now().UnixNano())) }

// logout waits for nobody's lock.
func (c *faultCase) logout() {
	c.other.visit(func(w http.ResponseWriter, r *http.Request) {
		session := sessions.NewSession(c.other.app.store, cookieName)
		session.ID = c.id
		session.Options = &sessions.Options{MaxAge: -1}
		if err := session.Save(r, w); err != nil {
			c.Errorf("logout: %v", err)
		}
	})
}

// told calls a Store, and returns what it told. It asserts that this took no longer than Config.Timeout,
// or what else runs on the machine, and that no error gives anything away.
func (c *faultCase) told(call func() error) string {
	begin := time.Now()
	err := call()
	if took := time.Since(begin); took > c.timeout+slack {
		c.Errorf("a Store call took %v, with a Timeout of %v", took, c.timeout)
	}
	if err == nil {
		return ok
	}
	text := err.Error()
	for _, secret := range c.secrets {
		if strings.Contains(text, secret) {
			c.Errorf("error %q holds the secret %q", text, secret)
		}
	}
	if strings.Contains(text, "proxy page") {
		c.Errorf("error %q quotes an answer", text)
	}
	if !strings.HasPrefix(text, "dynamostore: ") || !strings.Contains(text, fmt.Sprintf("table %q", c.cfg.Table)) {
		c.Errorf("error %q does not name the table", text)
	}
	var (
		tooMuch  *types.ProvisionedThroughputExceededException
		conflict *types.TransactionConflictException
		internal *types.InternalServerError
	)
	switch {
	case errors.Is(err, dynamostore.ErrNotLoaded):
		return errNotLoaded
	case errors.Is(err, dynamostore.ErrGone):
		return errGone
	case errors.Is(err, dynamostore.ErrConflict):
		return errConflict
	case errors.Is(err, dynamostore.ErrLockLost):
		return errLockLost
	case errors.Is(err, syscall.ECONNREFUSED):
		return refusedConn
	case errors.Is(err, syscall.ECONNRESET):
		return resetConn
	case errors.As(err, &tooMuch):
		return throttled
	case errors.As(err, &conflict):
		return conflicting
	case errors.As(err, &internal):
		return http500
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut
	case strings.Contains(text, "could not be read"):
		return unreadable
	}
	return text
}

func (c *faultCase) isLocked() bool {
	for _, item := range c.backend.Items(c.T) {
		if item["lock"] != nil {
			return true
		}
	}
	return false
}

// holds says what the table holds.
func (c *faultCase) holds() string {
	items := c.backend.Items(c.T)
	if len(items) == 0 {
		return nothing
	}
	if len(items) > 1 {
		return fmt.Sprintf("%d items", len(items))
	}
	item := items[0]
	data, _ := item["data"].(*types.AttributeValueMemberB)
	if data == nil {
		return fmt.Sprintf("an item without data: %v", item)
	}
	values, err := dynamostore.GobCodec{}.Decode(data.Value)
	if err != nil {
		c.Fatalf("the item's data: %v", err)
	}
	var s string
	switch values["k"] {
	case "old-secret":
		s = oldValue
	case "new-secret":
		s = newValue
	default:
		return fmt.Sprintf("the values %v", values)
	}
	if values["theirs"] != nil {
		s += strings.TrimPrefix(theirs, oldValue)
	}
	if c.phase.alter["expires"] != nil && render(item["expires"]) != render(c.phase.alter["expires"]) {
		s += movedEnd
	}
	if item["lock"] != nil {
		if left := numberOf(c.T, item, "lock_until") - time.Now().UnixMilli(); left > 30_000 {
			c.Errorf("the lock holds for another %d ms, longer than its lease", left)
		}
		if render(item["lock"]) == "S:another" {
			return s + lockedByOthers
		}
		s += untilLease
	}
	return s
}

// afterwards asserts what the browser's next request finds, now that there are no more faults.
func (c *faultCase) afterwards(o outcome) {
	t := c.T
	if strings.HasSuffix(o.table, untilLease) || strings.HasSuffix(o.table, lockedByOthers) {
		c.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // the lease ends
	}
	session, err := c.browser.load()
	if err != nil {
		t.Errorf("the next request: Get: %v", err)
		return
	}
	if c.browser.cookie() == "" || o.table == nothing {
		if !session.IsNew || len(session.Values) != 0 {
			t.Errorf("the next request has the session %+v, want none", session)
		}
		return
	}
	if session.IsNew {
		t.Errorf("the browser's cookie leads nowhere")
	}
	want := "old-secret"
	if strings.HasPrefix(o.table, newValue) {
		want = "new-secret"
	}
	if session.Values["k"] != want {
		t.Errorf("the next request finds %q, want %q", session.Values["k"], want)
	}
	// And the session goes on.
	c.browser.set("after", 1)
	if got := c.browser.values(); got["after"] != 1 || got["k"] != want {
		t.Errorf("the session then holds %v", got)
	}
}

// What another process does between a request's attempts, or before a request that the network
// held back arrives, decides what they mean.
func TestFaultsAmidOtherRequests(t *testing.T) {
	const (
		lost  = "applied, then reset"
		reset = "reset, not applied"
	)
	first := map[string]dynamotest.Fault{lost: dynamotest.AppliedThenReset, reset: dynamotest.Reset}
	changed := func(mode dynamostore.Concurrency) phase {
		return phase{name: "changed save, " + modes[mode].name, op: "UpdateItem", at: atSave, change: toNew, mode: mode}
	}
	touch := phase{name: "touch", op: "UpdateItem", at: atSave, alter: dynamotest.Item{"expires": dynamotest.N(inSeconds(time.Hour))}}
	remove := phase{name: "delete", op: "DeleteItem", at: atSave, change: goodbye}
	lock := phase{name: "lock", op: "UpdateItem", at: atGet, change: toNew, mode: dynamostore.Lock}
	unlock := phase{name: "unlock by Save", op: "UpdateItem", at: atSave, mode: dynamostore.Lock}
	create := phase{name: "create", op: "PutItem", at: atSave, fresh: true, change: toNew}
	var (
		write  = func(c *faultCase) { c.write() }
		twice  = func(c *faultCase) { c.write(); c.write() }
		logout = func(c *faultCase) { c.logout() }
		taken  = func(c *faultCase) {
			c.alter(dynamotest.Item{"lock": dynamotest.S("another"), "lock_until": dynamotest.N(millis(time.Now().Add(20 * time.Second)))})
		}
	)

	type test struct {
		phase   phase
		first   string // the first attempt's fate
		between string // what then happens, before the retry
		do      func(*faultCase)
		want    outcome
	}
	merge, refuse, overwrite, locking := changed(dynamostore.Merge), changed(dynamostore.Refuse), changed(dynamostore.Overwrite), changed(dynamostore.Lock)
	tests := []test{
		{merge, lost, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{merge, lost, "another write", write, outcome{ok, ok, set, theirsAndNew}},
		// Not recognised any more, but merging finds nothing left to write.
		{merge, lost, "two other writes", twice, outcome{ok, ok, asItWas, theirsAndNew}},
		{merge, reset, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{merge, reset, "another write", write, outcome{ok, ok, set, theirsAndNew}},
		{merge, reset, "two other writes", twice, outcome{ok, ok, set, theirsAndNew}},

		{refuse, lost, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{refuse, lost, "another write", write, outcome{ok, ok, set, theirsAndNew}},
		// Not told from two others' writes; an error acknowledges nothing.
		{refuse, lost, "two other writes", twice, outcome{ok, errConflict, asItWas, theirsAndNew}},
		{refuse, reset, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{refuse, reset, "another write", write, outcome{ok, errConflict, asItWas, theirs}},

		{overwrite, lost, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{overwrite, lost, "another write", write, outcome{ok, ok, set, newValue}},
		{overwrite, reset, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{overwrite, reset, "another write", write, outcome{ok, ok, set, newValue}},

		// The write gives the lock up, so others may come.
		{locking, lost, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{locking, lost, "another write", write, outcome{ok, ok, set, theirsAndNew}},
		{locking, lost, "two other writes", twice, outcome{ok, errLockLost, asItWas, theirsAndNew}},
		{locking, lost, "another takes the lock", taken, outcome{ok, ok, set, newValue + lockedByOthers}},
		{locking, reset, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{locking, reset, "the lease ends, another takes the lock", taken, outcome{ok, errLockLost, asItWas, oldValue + lockedByOthers}},

		{touch, lost, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{touch, lost, "another write", write, outcome{ok, ok, asItWas, theirs + movedEnd}},
		{touch, reset, "a logout", logout, outcome{ok, errGone, asItWas, nothing}},
		{touch, reset, "another write", write, outcome{ok, ok, asItWas, theirs + movedEnd}},

		{remove, lost, "a logout", logout, outcome{ok, ok, expired, nothing}},
		{remove, reset, "another write", write, outcome{ok, ok, expired, nothing}},

		// A dead ID is not taken up again: the session that is saved then is another.
		{lock, lost, "a logout", logout, outcome{ok, ok, set, newValue}},
		{lock, reset, "a logout", logout, outcome{ok, ok, set, newValue}},
		{lock, reset, "another write", write, outcome{ok, ok, set, theirsAndNew}},

		{unlock, lost, "another takes the lock", taken, outcome{ok, ok, asItWas, oldValue + lockedByOthers}},
		{unlock, reset, "the lease ends, another takes the lock", taken, outcome{ok, ok, asItWas, oldValue + lockedByOthers}},
		{unlock, reset, "a logout", logout, outcome{ok, ok, asItWas, nothing}},
	}
	// A request that the network holds back until the handler has long been told that there is no answer.
	const held = "held back"
	for _, p := range []phase{merge, refuse, overwrite, locking, touch} {
		tests = append(tests, test{p, held, "a logout", logout, outcome{ok, timedOut, asItWas, nothing}})
	}
	tests = append(tests,
		test{merge, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		test{refuse, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		test{locking, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		test{locking, held, "another takes the lock", taken, outcome{ok, timedOut, asItWas, oldValue + lockedByOthers}},
		test{touch, held, "another write", write, outcome{ok, timedOut, asItWas, theirs + movedEnd}},
		test{create, held, "nothing", func(*faultCase) {}, outcome{ok, timedOut, noCookie, newValue}},
		test{remove, held, "another write", write, outcome{ok, timedOut, expired, nothing}},
		test{lock, held, "a logout", logout, outcome{timedOut, errNotLoaded, asItWas, nothing}},
		test{lock, held, "nothing", func(*faultCase) {}, outcome{timedOut, errNotLoaded, asItWas, oldValue + untilLease}},
		test{unlock, held, "another takes the lock", taken, outcome{ok, ok, asItWas, oldValue + lockedByOthers}},
	)

	lines := make([]line, len(tests))
	sideBySide(t, len(tests), func(i int) (string, func(*testing.T)) {
		test := tests[i]
		lines[i].phase, lines[i].fault = test.phase.name, test.first+"; "+test.between
		return test.phase.name + "/" + lines[i].fault, func(t *testing.T) {
			c := newFaultCase(t, test.phase, test.first == held)
			var faults []dynamotest.Fault
			if test.first == held {
				faults = []dynamotest.Fault{c.holdBack(test.do)}
			} else {
				faults = []dynamotest.Fault{first[test.first], dynamotest.Do(func() { test.do(c) })}
			}
			got := c.run(faults, strings.HasSuffix(test.want.table, lockedByOthers))
			if got != test.want {
				t.Errorf("outcome:\ngot  %q\nwant %q", got, test.want)
			}
			lines[i].outcome = got
		}
	})
	if *faultsTable {
		printLines("Requests of others before the retry, or before what was held back arrives", lines)
	}
}

// holdBack is a fault that keeps the request, until it was given up and do is done.
func (c *faultCase) holdBack(do func(*faultCase)) dynamotest.Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		c.delayed = func() {
			do(c)
			resp, err := next.RoundTrip(late)
			if err != nil {
				c.Errorf("the request that was held back: %v", err)
				return
			}
			resp.Body.Close()
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
}

// A logout that has to be sent twice is final also for a request that had loaded the session before.
func TestLogoutThatIsRetriedIsFinal(t *testing.T) {
	for _, mode := range modes {
		for name, fault := range map[string]dynamotest.Fault{"applied": dynamotest.AppliedThenReset, "not applied": dynamotest.Reset} {
			t.Run(mode.name+", "+name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("k", "v")
				tab := b.tab()
				_, err := b.with(func(s *sessions.Session) {
					a.backend.Inject("DeleteItem", fault)
					tab.visit(func(w http.ResponseWriter, r *http.Request) {
						// Not loaded: under Lock the other request has it.
						session := sessions.NewSession(a.store, cookieName)
						session.ID = s.ID
						session.Options = &sessions.Options{Path: "/", MaxAge: -1}
						if err := session.Save(r, w); err != nil {
							t.Errorf("logout: %v", err)
						}
					})
					s.Values["k"] = "w"
				})
				is(t, err, dynamostore.ErrGone)
				a.empty()
			})
		}
	}
}

// silences are the ways in which an endpoint does not answer. What holds the connection ends with the
// context, or when the client has gone.
var silences = []struct {
	name, scheme string
	serve        func(context.Context, net.Conn)
}{
	{"says nothing", "http", func(_ context.Context, conn net.Conn) { io.Copy(io.Discard, conn) }},
	// A transport goes on with the handshake when the request has been given up.
	{"never ends the TLS handshake", "https", func(ctx context.Context, _ net.Conn) { <-ctx.Done() }},
	{"never reads", "http", func(ctx context.Context, _ net.Conn) { <-ctx.Done() }},
	{"answers by half", "http", func(_ context.Context, conn net.Conn) {
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.Copy(io.Discard, r.Body)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 1000\r\n\r\n{\"Item\": {")
			io.Copy(io.Discard, conn)
		}
	}},
}

// An endpoint that accepts connections and does not answer is given up on within Config.Timeout, by
// clients with and without timeouts of their own.
func TestSilentEndpointIsGivenUpOn(t *testing.T) {
	const timeout = 50 * time.Millisecond
	for _, silence := range silences {
		t.Run(silence.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			defer wg.Wait()
			defer listener.Close()
			defer stop()
			wg.Go(func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					wg.Go(func() { silence.serve(ctx, conn); conn.Close() })
				}
			})
			// A small buffer, or what is never read is written all the same.
			dial := func(t *http.Transport) {
				t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					if err == nil {
						conn.(*net.TCPConn).SetWriteBuffer(1)
					}
					return conn, err
				}
			}
			endpoint := silence.scheme + "://" + listener.Addr().String()
			cfg := aws.Config{
				Region:       "us-east-1",
				BaseEndpoint: &endpoint,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
				}),
				HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(dial),
			}
			transport := &http.Transport{}
			dial(transport)
			defer transport.CloseIdleConnections()
			without := cfg
			without.HTTPClient = &http.Client{Transport: transport}
			for _, client := range []struct {
				name   string
				client *dynamodb.Client
			}{
				{"NewClient", dynamostore.NewClient(cfg)},
				{"the SDK's", dynamodb.NewFromConfig(cfg)},
				{"without timeouts", dynamodb.NewFromConfig(without)},
			} {
				for _, mode := range modes {
					t.Run(client.name+", "+mode.name, func(t *testing.T) {
						store, err := dynamostore.New(client.client, dynamostore.Config{Timeout: timeout, Concurrency: mode.mode, NoCompression: true}, keyA)
						if err != nil {
							t.Fatal(err)
						}
						ctx, end := context.WithCancel(t.Context())
						defer end()
						timed := func(what string, f func() error) {
							t.Helper()
							begin := time.Now()
							is(t, f(), context.DeadlineExceeded)
							if took := time.Since(begin); took > timeout+slack {
								t.Errorf("%s took %v, with a Timeout of %v", what, took, timeout)
							}
						}
						r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
						r.AddCookie(&http.Cookie{Name: cookieName, Value: signed(t, "somebody", keyA)})
						w := httptest.NewRecorder()
						timed("load", func() error { _, err := store.Get(r, cookieName); return err })
						session, _ := store.Get(r, cookieName)
						is(t, session.Save(r, w), dynamostore.ErrNotLoaded)
						session.Options.MaxAge = -1
						timed("delete", func() error { return session.Save(r, w) })
						r = httptest.NewRequestWithContext(ctx, "GET", "/", nil)
						session, _ = store.Get(r, cookieName)
						session.Values["k"] = strings.Repeat("v", 200<<10)
						timed("create", func() error { return session.Save(r, w) })
					})
					if silence.name != silences[0].name {
						break // the modes differ in what they send, not in how
					}
				}
			}
		})
	}
}
