package storetest

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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	"example.com/dynamostore/dynamostoretest"
	"example.com/dynamostore/internal/dynamotest"
)

var faultsTable = flag.Bool("faults-table", false, "print the outcome of each request in TestFaults and TestFaultsAmidOtherRequests")

// outcome is what a request leads to, with the faults that it met.
type outcome struct {
	get, save string // what the handler was told
	browser   string // what the browser then has
	table     string // what the table then holds
}

// What the handler is told. theFault stands for the fault's own error.
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
	unreadable   = "unreadable response"
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
	ended          = "a tombstone"
	oldValue       = "the old value"
	newValue       = "the new value"
	theirs         = "the old value + theirs"
	theirsAndNew   = "the new value + theirs"
	movedEnd       = ", its end moved"
	newID          = ", under a new ID"
	unreachable    = ", and an item that no cookie names"
	untilLease     = ", locked until the lease ends"
	lockedByOthers = ", locked by another"
)

// kind is a kind of fault.
type kind struct {
	name  string
	fault dynamotest.Fault
	then  dynamotest.Fault // that the retry meets
	told  string           // what the handler is told if the fault is not overcome

	withoutItem bool // refusals do not bring the item
	applied     bool // DynamoDB applied the request all the same
	retried     bool // a retry overcomes the fault, unless it stays
	harmless    bool // the request succeeds
	timed       bool // the Timeout ends it, unless it is overcome
}

var kinds = []kind{
	{name: "connection refused", fault: dynamotest.Refused, told: refusedConn, retried: true},
	{name: "reset, not applied", fault: dynamotest.Reset, told: resetConn, retried: true},
	{name: "applied, then reset", fault: dynamotest.AppliedThenReset, told: resetConn, applied: true, retried: true},
	{name: "throttled", fault: dynamotest.Throttled, told: throttled, retried: true},
	{name: "TransactionConflict", fault: dynamotest.Conflict, told: conflicting, retried: true, timed: true},
	{name: "refusal without the item", fault: refusalWithoutItem, harmless: true, withoutItem: true},
	{name: "applied, then reset; refusal without the item", fault: dynamotest.AppliedThenReset, then: refusalWithoutItem, harmless: true},
	{name: "HTTP 500", fault: dynamotest.InternalError, told: http500, retried: true},
	{name: "slow", fault: dynamotest.Slow(20 * time.Millisecond), harmless: true},
	{name: "never answered", fault: silent, told: timedOut, timed: true},
	{name: "applied, never answered", fault: appliedThenSilent, told: timedOut, applied: true, timed: true},
	{name: "garbage", fault: dynamotest.Garbage, told: unreadable, applied: true},
	{name: "truncated", fault: dynamotest.Truncated, told: unreadable, applied: true},
}

// refusalWithoutItem takes the item out of a refused write, of a transaction too.
var refusalWithoutItem = dynamotest.Edited(func(answer map[string]any) {
	if answer["__type"] == nil {
		return // not an error
	}
	delete(answer, "Item")
	reasons, _ := answer["CancellationReasons"].([]any)
	for _, reason := range reasons {
		delete(reason.(map[string]any), "Item")
	}
})

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

// isOvercome reports whether a request that meets n of those faults in a row succeeds.
func (k kind) isOvercome(n int) bool { return k.harmless || k.retried && n < forever }

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

// phase is what a request does, and its outcomes.
type phase struct {
	name      string
	op        string // that meets the fault
	at        moment
	configure func(*dynamostore.Config)
	fresh     bool                    // the request brings no session
	alter     dynamotest.Item         // of the session's item, before
	resign    bool                    // the cookie was signed by an older key
	change    func(*sessions.Session) // nil: none
	save      func(c *faultCase, store *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error
	noSave    bool
	conflict  bool // another process writes between load and Save
	lookUp    bool // with conflict: the refusal does not bring the item, and op is the read that follows

	done   outcome // without a fault, and with one that is overcome
	failed outcome // if the fault is not overcome, and the request was not applied
	lost   outcome // if it is not overcome, but the request was applied
}

// want is the outcome of the phase that meets n faults of the kind.
func (p phase) want(k kind, n int) outcome {
	o := p.failed
	switch {
	case k.isOvercome(n):
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

func toNew(s *sessions.Session)  { s.Values["k"] = "new-secret" }
func logOut(s *sessions.Session) { s.Options.MaxAge = -1 }

func inMode(mode dynamostore.Concurrency) func(*dynamostore.Config) {
	return func(c *dynamostore.Config) { c.Concurrency = mode }
}

var withLock = inMode(dynamostore.Lock)

func withoutTransactions(c *dynamostore.Config) { c.NoTransactions = true }

// saveSession is Save.
func saveSession(_ *faultCase, store *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	return store.Save(r, w, session)
}

// regenerateSession is Regenerate.
func regenerateSession(_ *faultCase, store *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	return store.Regenerate(r, w, session)
}

// saveTwice is a Save whose answer is lost, and another Save of the same session.
func saveTwice(c *faultCase, store *dynamostore.Store, r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	c.backend.Inject("UpdateItem", dynamotest.Garbage)
	if err := c.patient.Save(r, w, session); err == nil {
		c.Error("a Save whose answer is lost returned no error")
	}
	return store.Save(r, w, session)
}

// hourLeft makes the next Save extend the session.
var hourLeft = dynamotest.Item{"expires": dynamotest.N("4000000000")} // replaced by newFaultCase

// happens reports whether the engine is sent such a request: without transactions, the two halves of
// a Regenerate stand for it.
func (p phase) happens() bool { return p.op != "TransactWriteItems" || !noTransactions }

var phases = []phase{
	{
		name: "load", op: "GetItem", at: atGet, change: toNew,
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{theFault, errNotLoaded, asItWas, oldValue},
		lost:   outcome{theFault, errNotLoaded, asItWas, oldValue},
	}, {
		// If the answer never comes, an item is left that no cookie names. It expires.
		name: "create", op: "PutItem", at: atSave, fresh: true, change: toNew,
		done:   outcome{ok, ok, set, newValue},
		failed: outcome{ok, theFault, noCookie, nothing},
		lost:   outcome{ok, theFault, noCookie, newValue},
	}, {
		name: "changed Save", op: "UpdateItem", at: atSave, change: toNew,
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "changed Save, Refuse", op: "UpdateItem", at: atSave, change: toNew, configure: inMode(dynamostore.Refuse),
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "changed Save, Overwrite", op: "UpdateItem", at: atSave, change: toNew, configure: inMode(dynamostore.Overwrite),
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "merging Save, after a conflict", op: "UpdateItem", at: atSave, change: toNew, conflict: true,
		done:   outcome{ok, ok, asItWas, theirsAndNew},
		failed: outcome{ok, theFault, asItWas, theirs},
		lost:   outcome{ok, theFault, asItWas, theirsAndNew},
	}, {
		name: "read, after a refusal without the item", op: "GetItem", at: atSave, change: toNew, conflict: true, lookUp: true,
		done:   outcome{ok, ok, asItWas, theirsAndNew},
		failed: outcome{ok, theFault, asItWas, theirs},
		lost:   outcome{ok, theFault, asItWas, theirs},
	}, {
		name: "read, before the cookie is signed anew", op: "GetItem", at: atSave, resign: true,
		done:   outcome{ok, ok, set, oldValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, oldValue},
	}, {
		// The Save before was applied, and its answer lost.
		name: "read, in a Save after one that was not answered", op: "GetItem", at: atSave, change: toNew, save: saveTwice,
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{ok, theFault, asItWas, newValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "touch", op: "UpdateItem", at: atSave, alter: hourLeft,
		done:   outcome{ok, ok, set, oldValue + movedEnd},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, oldValue + movedEnd},
	}, {
		name: "logout", op: "UpdateItem", at: atSave, change: logOut,
		done:   outcome{ok, ok, expired, ended},
		failed: outcome{ok, theFault, expired, oldValue},
		lost:   outcome{ok, theFault, expired, ended},
	}, {
		// If the answer is lost, the browser's cookie names a tombstone.
		name: "Regenerate", op: "TransactWriteItems", at: atSave, change: toNew, save: regenerateSession,
		done:   outcome{ok, ok, set, newValue + newID},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue + newID},
	}, {
		name: "Regenerate without transactions, first half", op: "PutItem", at: atSave, change: toNew, save: regenerateSession, configure: withoutTransactions,
		done:   outcome{ok, ok, set, newValue + newID},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, oldValue + unreachable},
	}, {
		name: "Regenerate without transactions, second half", op: "UpdateItem", at: atSave, change: toNew, save: regenerateSession, configure: withoutTransactions,
		done:   outcome{ok, ok, set, newValue + newID},
		failed: outcome{ok, theFault, asItWas, oldValue + unreachable},
		lost:   outcome{ok, theFault, asItWas, newValue + newID},
	}, {
		// Save, or else the end of the request, releases the lock that may have been acquired.
		name: "lock", op: "UpdateItem", at: atGet, change: toNew, configure: withLock,
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{theFault, errNotLoaded, asItWas, oldValue},
		lost:   outcome{theFault, errNotLoaded, asItWas, oldValue},
	}, {
		name: "changed Save, Lock", op: "UpdateItem", at: atSave, change: toNew, configure: withLock,
		done:   outcome{ok, ok, asItWas, newValue},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue},
	}, {
		name: "touch, Lock", op: "UpdateItem", at: atSave, alter: hourLeft, configure: withLock,
		done:   outcome{ok, ok, set, oldValue + movedEnd},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, oldValue + movedEnd},
	}, {
		name: "logout, Lock", op: "UpdateItem", at: atSave, change: logOut, configure: withLock,
		done:   outcome{ok, ok, expired, ended},
		failed: outcome{ok, theFault, expired, oldValue},
		lost:   outcome{ok, theFault, expired, ended},
	}, {
		name: "Regenerate, Lock", op: "TransactWriteItems", at: atSave, change: toNew, save: regenerateSession, configure: withLock,
		done:   outcome{ok, ok, set, newValue + newID},
		failed: outcome{ok, theFault, asItWas, oldValue},
		lost:   outcome{ok, theFault, asItWas, newValue + newID},
	}, {
		// The session is unchanged. The handler is not told that its lock was not released: the end
		// of the request tries again.
		name: "release of the lock by Save", op: "UpdateItem", at: atSave, configure: withLock,
		done:   outcome{ok, ok, asItWas, oldValue},
		failed: outcome{ok, ok, asItWas, oldValue},
		lost:   outcome{ok, ok, asItWas, oldValue},
	}, {
		// Here the fault stays for good.
		name: "release of the lock at the request's end", op: "UpdateItem", at: atEnd, configure: withLock, noSave: true,
		done:   outcome{ok, notCalled, asItWas, oldValue},
		failed: outcome{ok, notCalled, asItWas, oldValue + untilLease},
		lost:   outcome{ok, notCalled, asItWas, oldValue},
	},
}

// Whatever a request meets on its way to DynamoDB and back, no change that was acknowledged is
// lost, no ended session lives, no lock outlives the request but by its lease, and no call of the
// Store takes longer than Config.Timeout.
func TestFaults(t *testing.T) {
	t.Parallel()
	type row struct {
		phase phase
		kind  kind
		n     int
		got   outcome
	}
	var rows []*row
	for _, p := range phases {
		if !p.happens() {
			continue
		}
		for _, k := range kinds {
			for _, n := range k.times() {
				rows = append(rows, &row{phase: p, kind: k, n: n})
			}
		}
	}
	rows = thinned(rows)
	sideBySide(t, len(rows), func(i int) (string, func(*testing.T)) {
		row := rows[i]
		return fmt.Sprintf("%s/%s/%s", row.phase.name, row.kind.name, count(row.n)), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c := newFaultCase(t, row.phase, row.kind.timed && !row.kind.isOvercome(row.n))
				want := row.phase.want(row.kind, row.n)
				row.got = c.run(row.kind.faults(row.n), row.kind.withoutItem, want.table == oldValue+untilLease)
				if row.kind.told == conflicting {
					// The Timeout ends a pause between two attempts, or an attempt.
					for _, told := range []*string{&row.got.get, &row.got.save} {
						if *told == timedOut {
							*told = conflicting
						}
					}
				}
				if row.got != want {
					t.Errorf("outcome:\ngot  %q\nwant %q", row.got, want)
				}
			})
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

// line is a line of a printed table.
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

// faultCase is a browser whose request meets faults.
type faultCase struct {
	*app
	phase     phase
	browser   *browser
	id        string // of its session
	elsewhere *app   // another process, which meets no faults
	other     *browser
	patient   *dynamostore.Store // with a Timeout that is not exceeded
	hasty     *dynamostore.Store // whose requests meet the faults
	timeout   time.Duration      // of hasty
	secrets   []string
	delayed   func() // delivers what a fault held back
}

// newFaultCase returns a case with a session as it is before the phase. If the Timeout is to end a
// fault, it is short.
func newFaultCase(t *testing.T, p phase, short bool) *faultCase {
	c := &faultCase{phase: p, timeout: patience, secrets: []string{"old-secret", "new-secret", "their-secret"}}
	if short {
		c.timeout = 2 * time.Second
	}
	c.app = newBubbleApp(t, func(cfg *dynamostore.Config) {
		cfg.Timeout = patience
		if p.configure != nil {
			p.configure(cfg)
		}
	})
	keys := [][]byte{keyA}
	if p.resign {
		keys = [][]byte{keyB, nil, keyA}
	}
	c.patient = c.open(c.cfg, keys...)
	hasty := c.cfg
	hasty.Timeout = c.timeout
	c.hasty = c.open(hasty, keys...)

	c.browser = c.app.browser()
	c.elsewhere = &app{T: t, backend: c.backend, cfg: c.cfg}
	var err error
	if c.elsewhere.store, err = dynamostore.New(c.backend.Raw(), c.cfg, keyA); err != nil {
		t.Fatal(err)
	}
	c.elsewhere.serve()
	if p.fresh {
		return c
	}
	c.browser.set("k", "old-secret")
	c.other = c.elsewhere.tab(c.browser)
	c.id = c.item()["id"].(*types.AttributeValueMemberS).Value
	c.secrets = append(c.secrets, c.id, c.browser.cookie())
	c.store = c.patient
	if p.alter != nil {
		c.phase.alter = dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))}
		c.alter(c.phase.alter)
	}
	return c
}

// run has the request meet the faults, and returns its outcome. withoutItem says that refusals do
// not bring the item, and staysLocked that the lock is not to be waited for at the request's end.
func (c *faultCase) run(faults []dynamotest.Fault, withoutItem, staysLocked bool) outcome {
	t, p := c.T, c.phase
	locks := c.cfg.Concurrency == dynamostore.Lock
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
			c.backend.Inject("UpdateItem", c.conflict(withoutItem))
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
		call := p.save
		if call == nil {
			call = saveSession
		}
		o.save = c.told(func() error { return call(c, save, r, w, session) })
		c.backend.Heal()
	})
	if p.at == atEnd && !eventually(func() bool { return c.backend.Pending() < len(faults) }) {
		t.Error("the end of the request sent nothing")
	}
	if locks && !staysLocked && !eventually(func() bool { return !c.isLocked() }) {
		t.Error("the session stays locked after the request")
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
	c.wantNextRequest(o)
	return o
}

// conflict is a fault that has another process write just before the request.
func (c *faultCase) conflict(withoutItem bool) dynamotest.Fault {
	return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		c.write()
		if withoutItem || c.phase.lookUp {
			return refusalWithoutItem(next, r)
		}
		return next.RoundTrip(r)
	}
}

// write is another process's changed Save.
func (c *faultCase) write() { c.other.set("theirs", fmt.Sprint("their-secret", time.Now().UnixNano())) }

// logout is another process's, which waits for nobody's lock.
func (c *faultCase) logout() {
	c.other.visit(func(w http.ResponseWriter, r *http.Request) {
		session := sessions.NewSession(c.elsewhere.store, cookieName)
		session.ID = c.id
		session.Options = &sessions.Options{MaxAge: -1}
		if err := session.Save(r, w); err != nil && !errors.Is(err, dynamostore.ErrGone) { // it goes on under a new ID
			c.Errorf("logout: %v", err)
		}
	})
}

// told calls a Store, and returns what it told. It asserts that the call took no longer than
// Config.Timeout, and that the error names the table and holds no secret.
func (c *faultCase) told(call func() error) string {
	limit := c.timeout
	if !onVirtualTime {
		limit += time.Minute // there to catch a call that hangs
	}
	begin := time.Now()
	err := call()
	if took := time.Since(begin); took > limit {
		c.Errorf("a call took %v, with a Timeout of %v", took, c.timeout)
	}
	if err == nil {
		return ok
	}
	text := err.Error()
	for _, secret := range append(c.secrets, "proxy page") {
		if strings.Contains(text, secret) {
			c.Errorf("error %q holds the secret %q", text, secret)
		}
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

// holds says what the table holds: the browser's session, or the one that the request created.
func (c *faultCase) holds() string {
	live, dead := c.live(), c.tombstones()
	idOf := func(item dynamotest.Item) string { return attrText(item["id"])[len("S:"):] }
	hasID := func(item dynamotest.Item) bool { return idOf(item) == c.id }
	switch {
	case len(live) == 0 && len(dead) == 0:
		return nothing
	case len(live) == 0 && slices.ContainsFunc(dead, hasID):
		return ended
	case len(live) == 0:
		return fmt.Sprintf("tombstones of others: %s", itemsText(dead...))
	}
	item := live[max(0, slices.IndexFunc(live, hasID))]
	s := c.content(item)
	switch {
	case slices.ContainsFunc(dead, func(item dynamotest.Item) bool { return hasID(item) && attrText(item["gone"]) == "S:moved" }):
		s += newID
		live = slices.DeleteFunc(live, func(item dynamotest.Item) bool { return attrText(item["id"]) == attrText(live[0]["id"]) })
		if len(live) > 0 {
			s += unreachable
		}
	case len(live) > 1:
		s += unreachable
	}
	return s
}

// content says what a session's item holds.
func (c *faultCase) content(item dynamotest.Item) string {
	data, _ := item["data"].(*types.AttributeValueMemberB)
	if data == nil {
		return fmt.Sprintf("an item without data: %s", itemsText(item))
	}
	values := decodeGob(c.T, data.Value)
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
	if c.phase.alter["expires"] != nil && attrText(item["expires"]) != attrText(c.phase.alter["expires"]) {
		s += movedEnd
	}
	if item["lock_until"] != nil {
		if left := attrNumber(c.T, item, "lock_until") - time.Now().UnixMilli(); left > 30_000 {
			c.Errorf("the lock holds for another %d ms, longer than its lease", left)
		}
		if attrText(item["lock"]) == "S:another" {
			return s + lockedByOthers
		}
		s += untilLease
	}
	return s
}

// wantNextRequest asserts what the browser's next request finds, now that there are no more faults.
func (c *faultCase) wantNextRequest(o outcome) {
	t := c.T
	if strings.HasSuffix(o.table, untilLease) || strings.HasSuffix(o.table, lockedByOthers) {
		c.alter(dynamotest.Item{"lock_until": dynamotest.N("1")}) // the lease ends
	}
	session, err := c.browser.load()
	if err != nil {
		t.Errorf("the next request: Get: %v", err)
		return
	}
	moved := strings.Contains(o.table, newID) && o.browser != set
	if c.browser.cookie() == "" || o.table == nothing || o.table == ended || moved {
		if !session.IsNew || len(session.Values) != 0 {
			t.Errorf("the next request has the session %+v, want none", session)
		}
		return
	}
	if session.IsNew {
		t.Error("the browser's cookie does not name a session")
	}
	want := "old-secret"
	if strings.HasPrefix(o.table, newValue) {
		want = "new-secret"
	}
	if session.Values["k"] != want {
		t.Errorf("the next request finds %q, want %q", session.Values["k"], want)
	}
	c.browser.set("after", 1)
	if got := c.browser.values(); got["after"] != 1 || got["k"] != want {
		t.Errorf("the session then holds %v", got)
	}
}

// Requests of others between a request's attempts, or before a request that the network held back
// arrives, decide what it means.
func TestFaultsAmidOtherRequests(t *testing.T) {
	t.Parallel()
	const (
		lost  = "applied, then reset"
		reset = "reset, not applied"
		held  = "held back" // until long after the handler was told that there is no answer
	)
	changed := func(mode dynamostore.Concurrency) phase {
		return phase{name: "changed Save, " + modes[mode].name, op: "UpdateItem", at: atSave, change: toNew, configure: inMode(mode)}
	}
	regenerated := func(mode dynamostore.Concurrency) phase {
		return phase{name: "Regenerate, " + modes[mode].name, op: "TransactWriteItems", at: atSave, change: toNew, save: regenerateSession, configure: inMode(mode)}
	}
	merge, refuse, overwrite, lock := changed(dynamostore.Merge), changed(dynamostore.Refuse), changed(dynamostore.Overwrite), changed(dynamostore.Lock)
	moveMerge, moveRefuse, moveOverwrite := regenerated(dynamostore.Merge), regenerated(dynamostore.Refuse), regenerated(dynamostore.Overwrite)
	half := phase{name: "Regenerate without transactions, second half", op: "UpdateItem", at: atSave, change: toNew, save: regenerateSession, configure: withoutTransactions}
	touch := phase{name: "touch", op: "UpdateItem", at: atSave, alter: hourLeft}
	remove := phase{name: "logout", op: "UpdateItem", at: atSave, change: logOut}
	acquire := phase{name: "lock", op: "UpdateItem", at: atGet, change: toNew, configure: withLock}
	release := phase{name: "release of the lock by Save", op: "UpdateItem", at: atSave, configure: withLock}
	create := phase{name: "create", op: "PutItem", at: atSave, fresh: true, change: toNew}
	var (
		none   = func(*faultCase) {}
		write  = func(c *faultCase) { c.write() }
		twice  = func(c *faultCase) { c.write(); c.write() }
		logout = func(c *faultCase) { c.logout() }
		rotate = func(c *faultCase) {
			if err := regenerate(c.elsewhere, c.other, ""); err != nil {
				c.Errorf("Regenerate elsewhere: %v", err)
			}
		}
		taken = func(c *faultCase) {
			c.alter(dynamotest.Item{"lock": dynamotest.S("another"), "lock_until": dynamotest.N(millisecondsFromNow(20 * time.Second))})
		}
	)

	type test struct {
		phase   phase
		first   string // the fate of the first attempt
		between string // what then happens, before the retry or before it arrives
		do      func(*faultCase)
		want    outcome
	}
	tests := []test{
		// The tombstone has the version of the write, which is thereby known to have been applied.
		{merge, lost, "a logout", logout, outcome{ok, ok, asItWas, ended}},
		{merge, lost, "another write", write, outcome{ok, ok, asItWas, theirsAndNew}},
		{merge, lost, "two other writes", twice, outcome{ok, ok, asItWas, theirsAndNew}},
		{merge, reset, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{merge, reset, "another write", write, outcome{ok, ok, asItWas, theirsAndNew}},
		{merge, reset, "two other writes", twice, outcome{ok, ok, asItWas, theirsAndNew}},

		{refuse, lost, "a logout", logout, outcome{ok, ok, asItWas, ended}},
		{refuse, lost, "another write", write, outcome{ok, ok, asItWas, theirsAndNew}},
		{refuse, lost, "two other writes", twice, outcome{ok, ok, asItWas, theirsAndNew}},
		{refuse, reset, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{refuse, reset, "another write", write, outcome{ok, errConflict, asItWas, theirs}},

		{overwrite, lost, "a logout", logout, outcome{ok, ok, asItWas, ended}},
		{overwrite, lost, "another write", write, outcome{ok, ok, asItWas, theirsAndNew}}, // theirs came last
		{overwrite, reset, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{overwrite, reset, "another write", write, outcome{ok, ok, asItWas, newValue}},

		// The write releases the lock, so that others acquire it.
		{lock, lost, "a logout", logout, outcome{ok, ok, asItWas, ended}},
		{lock, lost, "another write", write, outcome{ok, ok, asItWas, theirsAndNew}},
		{lock, lost, "two other writes", twice, outcome{ok, ok, asItWas, theirsAndNew}},
		{lock, lost, "another acquires the lock", taken, outcome{ok, ok, asItWas, newValue + lockedByOthers}},
		{lock, reset, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{lock, reset, "the lease ends, another acquires the lock", taken, outcome{ok, errLockLost, asItWas, oldValue + lockedByOthers}},

		{touch, lost, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{touch, lost, "another write", write, outcome{ok, ok, set, theirs + movedEnd}},
		{touch, reset, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{touch, reset, "another write", write, outcome{ok, ok, asItWas, theirs + movedEnd}},

		{remove, lost, "a logout", logout, outcome{ok, ok, expired, ended}},
		{remove, reset, "another write", write, outcome{ok, ok, expired, ended}},

		{moveMerge, lost, "a logout under the old ID", logout, outcome{ok, ok, set, newValue + newID}},
		{moveMerge, reset, "a logout", logout, outcome{ok, errGone, asItWas, ended}},
		{moveMerge, reset, "another write", write, outcome{ok, ok, set, theirsAndNew + newID}},
		{moveMerge, reset, "two other writes", twice, outcome{ok, ok, set, theirsAndNew + newID}},
		{moveRefuse, reset, "another write", write, outcome{ok, errConflict, asItWas, theirs}},
		{moveOverwrite, reset, "another write", write, outcome{ok, ok, set, newValue + newID}},
		{half, lost, "a logout under the old ID", logout, outcome{ok, ok, set, newValue + newID}},
		{half, reset, "another write", write, outcome{ok, ok, set, theirsAndNew + newID}},

		// Somebody else ends the session that Get was about to lock: it starts a new one.
		{acquire, lost, "a logout", logout, outcome{ok, ok, set, newValue}},
		{acquire, reset, "a logout", logout, outcome{ok, ok, set, newValue}},
		{acquire, reset, "another write", write, outcome{ok, ok, asItWas, theirsAndNew}},

		{release, lost, "another acquires the lock", taken, outcome{ok, ok, asItWas, oldValue + lockedByOthers}},
		{release, reset, "the lease ends, another acquires the lock", taken, outcome{ok, ok, asItWas, oldValue + lockedByOthers}},
		{release, reset, "a logout", logout, outcome{ok, ok, asItWas, ended}},

		{merge, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		{refuse, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		{overwrite, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		{lock, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		{lock, held, "another acquires the lock", taken, outcome{ok, timedOut, asItWas, oldValue + lockedByOthers}},
		{touch, held, "another write", write, outcome{ok, timedOut, asItWas, theirs + movedEnd}},
		{create, held, "nothing", none, outcome{ok, timedOut, noCookie, newValue}},
		{remove, held, "another write", write, outcome{ok, timedOut, expired, ended}},
		{moveMerge, held, "another write", write, outcome{ok, timedOut, asItWas, theirs}},
		{moveMerge, held, "another gives the session a new ID", rotate, outcome{ok, timedOut, asItWas, oldValue + newID}},
		{half, held, "another write", write, outcome{ok, timedOut, asItWas, theirs + unreachable}},
		{acquire, held, "a logout", logout, outcome{timedOut, errNotLoaded, asItWas, ended}},
		{acquire, held, "nothing", none, outcome{timedOut, errNotLoaded, asItWas, oldValue + untilLease}},
		{release, held, "another acquires the lock", taken, outcome{ok, ok, asItWas, oldValue + lockedByOthers}},
	}
	for _, p := range []phase{merge, refuse, overwrite, lock, touch, moveMerge, moveRefuse, moveOverwrite} {
		tests = append(tests, test{p, held, "a logout", logout, outcome{ok, timedOut, asItWas, ended}})
	}
	tests = slices.DeleteFunc(tests, func(t test) bool { return !t.phase.happens() })

	lines := make([]line, len(tests))
	sideBySide(t, len(tests), func(i int) (string, func(*testing.T)) {
		test := tests[i]
		lines[i].phase, lines[i].fault = test.phase.name, test.first+"; "+test.between
		return test.phase.name + "/" + lines[i].fault, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c := newFaultCase(t, test.phase, test.first == held)
				do := dynamotest.Do(func() { test.do(c) })
				faults := map[string][]dynamotest.Fault{
					lost:  {dynamotest.AppliedThenReset, do},
					reset: {dynamotest.Reset, do},
					held:  {c.holdBack(test.do)},
				}[test.first]
				got := c.run(faults, false, strings.HasSuffix(test.want.table, lockedByOthers))
				if !onVirtualTime && test.phase.name == touch.name && test.first == reset && got.browser == set {
					got.browser = asItWas // the other write moved the end in the same second, and so to the same end
				}
				if got != test.want {
					t.Errorf("outcome:\ngot  %q\nwant %q", got, test.want)
				}
				lines[i].outcome = got
			})
		}
	})
	if *faultsTable {
		printLines("Requests of others before the retry, or before what was held back arrives", lines)
	}
}

// holdBack is a fault that keeps the request until it was given up and do was called.
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

// What is called outside of requests meets the same faults.
func TestFaultsOutsideOfRequests(t *testing.T) {
	t.Parallel()
	change := func(values map[any]any) error { values["k"] = "new-secret"; return nil }
	type call struct {
		name, op string
		call     func(c *faultCase, store *dynamostore.Store) error
		// What the table holds without a fault, after one, and after one that was applied.
		done, failed, lost string
	}
	read := func(name, op string, f func(c *faultCase, store *dynamostore.Store) error) call {
		return call{name, op, f, oldValue, oldValue, oldValue}
	}
	calls := []call{
		read("Load", "GetItem", func(c *faultCase, store *dynamostore.Store) error {
			_, values, err := store.Load(c.Context(), c.id)
			if (err == nil) != (values["k"] == "old-secret") {
				c.Errorf("Load = %v, %v", values, err)
			}
			return err
		}),
		read("Sessions", "Scan", func(c *faultCase, store *dynamostore.Store) error {
			return listed(c, store.Sessions(c.Context()))
		}),
		read("UserSessions", "Query", func(c *faultCase, store *dynamostore.Store) error {
			return listed(c, store.UserSessions(c.Context(), "ann"))
		}),
		{"Update, the read", "GetItem", func(c *faultCase, store *dynamostore.Store) error { return store.Update(c.Context(), c.id, change) }, newValue, oldValue, oldValue},
		{"Update, the write", "UpdateItem", func(c *faultCase, store *dynamostore.Store) error { return store.Update(c.Context(), c.id, change) }, newValue, oldValue, newValue},
		{"UpdateUser", "UpdateItem", func(c *faultCase, store *dynamostore.Store) error {
			n, err := store.UpdateUser(c.Context(), "ann", change)
			if (n == 1) != (err == nil) {
				c.Errorf("UpdateUser = %d, %v", n, err)
			}
			return err
		}, newValue, oldValue, newValue},
		{"Destroy", "UpdateItem", func(c *faultCase, store *dynamostore.Store) error { return store.Destroy(c.Context(), c.id) }, ended, oldValue, ended},
		{"DestroyUser, the listing", "Query", destroyAnn, ended, oldValue, oldValue},
		{"DestroyUser, the write", "UpdateItem", destroyAnn, ended, oldValue, ended},
	}
	type row struct {
		call call
		kind kind
		n    int
	}
	var rows []row
	for _, call := range calls {
		for _, k := range kinds {
			for _, n := range k.times() {
				rows = append(rows, row{call, k, n})
			}
		}
	}
	rows = thinned(rows)
	sideBySide(t, len(rows), func(i int) (string, func(*testing.T)) {
		row := rows[i]
		return fmt.Sprintf("%s/%s/%s", row.call.name, row.kind.name, count(row.n)), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				overcome := row.kind.isOvercome(row.n)
				c := newFaultCase(t, phase{configure: func(c *dynamostore.Config) { c.UserKey = "user" }}, row.kind.timed && !overcome)
				c.browser.set("user", "ann")
				c.backend.Inject(row.call.op, row.kind.faults(row.n)...)
				told := c.told(func() error { return row.call.call(c, c.hasty) })
				c.backend.Heal()
				want, table := row.kind.told, row.call.failed
				switch {
				case overcome:
					want, table = ok, row.call.done
				case row.kind.applied:
					table = row.call.lost
				}
				if want == conflicting && told == timedOut {
					told = conflicting
				}
				if told != want {
					t.Errorf("%s returned %q, want %q", row.call.name, told, want)
				}
				if got := c.holds(); got != table {
					t.Errorf("the table holds %s, want %s", got, table)
				}
			})
		}
	})
}

// listed asserts that a listing yields the session or an error, which it returns.
func listed(c *faultCase, list func(func(dynamostore.SessionInfo, error) bool)) (failed error) {
	n := 0
	for info, err := range list {
		n++
		if failed = err; err == nil && info.Key != c.id {
			c.Errorf("the listing has the session %+v", info)
		}
	}
	if n != 1 {
		c.Errorf("the listing yields %d sessions and errors, want one", n)
	}
	return failed
}

func destroyAnn(c *faultCase, store *dynamostore.Store) error {
	n, err := store.DestroyUser(c.Context(), "ann")
	if n > 1 || err != nil && n != 0 {
		c.Errorf("DestroyUser = %d, %v", n, err)
	}
	return err
}

// A logout that has to be sent twice is final also for a request that had loaded the session
// before.
func TestLogoutThatIsRetriedIsFinal(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for name, fault := range map[string]dynamotest.Fault{"applied": dynamotest.AppliedThenReset, "not applied": dynamotest.Reset} {
			t.Run(mode.name+", "+name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("k", "v")
				tab := b.tab()
				_, err := b.with(func(s *sessions.Session) {
					a.backend.Inject("UpdateItem", fault)
					tab.visit(func(w http.ResponseWriter, r *http.Request) {
						// It is not loaded: under Lock, the other request has it.
						session := sessions.NewSession(a.store, cookieName)
						session.ID = s.ID
						session.Options = &sessions.Options{Path: "/", MaxAge: -1}
						if err := session.Save(r, w); err != nil {
							t.Errorf("logout: %v", err)
						}
					})
					s.Values["k"] = "w"
				})
				wantError(t, err, dynamostore.ErrGone)
				a.wantLive(0)
			})
		}
	}
}

// silences are the ways in which an endpoint does not answer. What holds the connection ends with
// the context, or when the client is gone.
var silences = []struct {
	name, scheme string
	serve        func(context.Context, net.Conn)
}{
	{"says nothing", "http", func(_ context.Context, conn net.Conn) { io.Copy(io.Discard, conn) }},
	// A transport goes on with the handshake when the request has been given up.
	{"never ends the TLS handshake", "https", func(ctx context.Context, _ net.Conn) { <-ctx.Done() }},
	{"never reads", "http", func(ctx context.Context, _ net.Conn) { <-ctx.Done() }},
	{"sends half a response", "http", func(_ context.Context, conn net.Conn) {
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.Copy(io.Discard, r.Body)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 1000\r\n\r\n{\"Item\": {")
			io.Copy(io.Discard, conn)
		}
	}},
}

// An endpoint that accepts connections and does not answer is given up after Config.Timeout, by
// clients with and without timeouts of their own.
func TestSilentEndpointIsGivenUp(t *testing.T) {
	t.Parallel()
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
					context.AfterFunc(ctx, func() { conn.Close() }) // a client may keep it, idle, for 50 s
					wg.Go(func() { silence.serve(ctx, conn); conn.Close() })
				}
			})
			// With a large buffer, what is never read is written all the same.
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
						store, err := dynamostore.New(client.client, dynamostore.Config{Timeout: 50 * time.Millisecond, Concurrency: mode.mode, NoCompression: true}, keyA)
						if err != nil {
							t.Fatal(err)
						}
						ctx, end := context.WithCancel(t.Context())
						defer end()
						r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
						r.AddCookie(&http.Cookie{Name: cookieName, Value: signed(t, "somebody", keyA)})
						w := httptest.NewRecorder()
						session, err := store.Get(r, cookieName)
						wantGivenUp(t, err)
						err = session.Save(r, w)
						wantError(t, err, dynamostore.ErrNotLoaded)
						wantGivenUp(t, err) // it says why
						session.Options.MaxAge = -1
						wantGivenUp(t, session.Save(r, w))
						r = httptest.NewRequestWithContext(ctx, "GET", "/", nil)
						session, _ = store.Get(r, cookieName)
						session.Values["k"] = strings.Repeat("v", 200<<10)
						wantGivenUp(t, session.Save(r, w))
					})
					if silence.name != silences[0].name {
						break // the modes differ in what they send, not in how
					}
				}
			}
		})
	}
}

// wantGivenUp asserts that err tells of the deadline, or of the half of a response: at the
// deadline, net/http closes the connection, and may return the error of that.
func wantGivenUp(t *testing.T, err error) {
	t.Helper()
	if err == nil || !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "could not be read") {
		t.Errorf("error is %v, want one of the deadline", err)
	}
}

// At the deadline, net/http closes the connection, and may return the error of that from the body of a
// response that has begun. The Store's error is the deadline's all the same.
func TestResponseThatEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		a := newBubbleApp(t)
		b := a.browser()
		b.set("k", 1)
		a.backend.Inject("GetItem", dynamotest.Reset, dynamotest.Reset, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				resp.Body = closedAtDeadline{resp.Body, r.Context()}
			}
			return resp, err
		})
		_, err := b.load()
		wantError(t, err, context.DeadlineExceeded)
	})
}

type closedAtDeadline struct {
	io.ReadCloser
	ctx context.Context
}

func (b closedAtDeadline) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, net.ErrClosed
}

// After a request that is not answered in time, NewClient closes the idle connections, so that the retry
// dials anew, and does not meet another connection that is dead without saying so.
func TestRetryAfterAnAnswerTimeoutDialsAnew(t *testing.T) {
	t.Parallel()
	const connections = 8
	engine := dynamostoretest.NewHandler()
	var dead sync.Map // remote addresses of connections
	var silenced atomic.Int64
	warm := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Add(connections)
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) <= connections { // all are in flight at once, so each has a connection of its own
			dead.Store(r.RemoteAddr, true)
			waiting.Done()
			<-warm
		} else if _, ok := dead.Load(r.RemoteAddr); ok {
			silenced.Add(1)
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		engine.ServeHTTP(w, r)
	}))
	defer server.Close()
	client := dynamostore.NewClient(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	store, err := dynamostore.New(client, dynamostore.Config{Timeout: patience}, keyA)
	if err != nil {
		t.Fatal(err)
	}
	load := func() error {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: signed(t, "somebody", keyA)})
		_, err := store.Get(r, cookieName)
		return err
	}
	var all sync.WaitGroup
	for range connections {
		all.Go(func() { load() }) // there is no table, which is an answer as well
	}
	waiting.Wait()
	close(warm)
	all.Wait()

	var missing *types.ResourceNotFoundException
	if err := load(); !errors.As(err, &missing) {
		t.Errorf("with %d dead connections: %v, want DynamoDB's answer", connections, err)
	}
	if got := silenced.Load(); got != 1 {
		t.Errorf("%d requests went into dead connections, want 1", got)
	}
}

// The error for another server that answers in JSON, such as API Gateway, has a hint.
func TestErrorOfAnotherServerHasAHint(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	a.backend.Inject("GetItem", echoing(http.StatusForbidden, func(string) string { return `{"message":"Missing Authentication Token"}` }))
	if _, err := b.load(); err == nil || !strings.Contains(err.Error(), "check the endpoint") {
		t.Errorf("Get: %v, want an error that says to check the endpoint", err)
	}
}

// A refused write is no reason for a line in the log. DynamoDB Local sends no checksum with a refusal.
func TestRefusedWriteLogsNothing(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("n", 1)
	logTo, logged := captureLog(t)
	options := a.backend.Client.Options()
	client := dynamostore.NewClient(aws.Config{
		Region: options.Region, Credentials: options.Credentials, BaseEndpoint: options.BaseEndpoint, HTTPClient: options.HTTPClient,
	}, logTo)
	store, err := dynamostore.New(client, a.cfg, keyA)
	if err != nil {
		t.Fatal(err)
	}
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		b.tab().set("m", 1)
		a.backend.Counts()
		session.Values["n"] = 2
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
		a.wantSent("UpdateItem", "UpdateItem")
	})
	if text := logged(); text != "" {
		t.Errorf("the SDK logged %q", text)
	}
}
