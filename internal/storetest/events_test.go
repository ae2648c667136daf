package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// observer collects events.
type observer struct {
	mu     sync.Mutex
	events []dynamostore.Event
	values []any // of the contexts, under visitKey
}

type visitKey struct{}

func (o *observer) observe(ctx context.Context, e dynamostore.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
	o.values = append(o.values, ctx.Value(visitKey{}))
}

// take returns what was observed since it was asked last.
func (o *observer) take() []dynamostore.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	events := o.events
	o.events, o.values = nil, nil
	return events
}

// operationsOf shows events as their operations, each with its requests and its error, if any.
func operationsOf(events []dynamostore.Event) string {
	var all []string
	for _, e := range events {
		s := fmt.Sprintf("%s %d", e.Op, e.Requests)
		if e.Err != nil {
			s += " failed"
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

func newObservedApp(t *testing.T, configure ...func(*dynamostore.Config)) (*app, *observer) {
	t.Helper()
	o := &observer{}
	a := newApp(t, append(configure, func(c *dynamostore.Config) { c.Observe = o.observe })...)
	a.backend.Counts()
	return a, o
}

// wantObserved asserts what was observed, and that its requests are those that DynamoDB was sent.
func (a *app) wantObserved(o *observer, want string) []dynamostore.Event {
	a.Helper()
	events := o.take()
	if got := operationsOf(events); got != want {
		a.Errorf("observed: %s\nwant:     %s", got, want)
	}
	sent, observed := 0, 0
	for _, n := range a.backend.Counts() {
		sent += n
	}
	for _, e := range events {
		observed += e.Requests
		if e.Duration < 0 || e.Requests > 0 && e.Duration == 0 {
			a.Errorf("%s took %v", e.Op, e.Duration)
		}
	}
	if sent != observed {
		a.Errorf("observed %d requests of the %d that were sent", observed, sent)
	}
	return events
}

func TestObserve(t *testing.T) {
	t.Parallel()
	a, o := newObservedApp(t)
	b := a.browser()

	b.load()
	a.wantObserved(o, "load 0")
	b.set("k", "v")
	events := a.wantObserved(o, "load 0, create 1")
	if e := events[1]; e.Bytes != len(a.item()["data"].(*types.AttributeValueMemberB).Value) || e.WriteUnits != 1 {
		t.Errorf("create = %+v, want the bytes of the data and 1 unit", e)
	}
	b.set("k", "v")
	events = a.wantObserved(o, "load 1, skip 0")
	if e := events[0]; e.Bytes != len(a.item()["data"].(*types.AttributeValueMemberB).Value) || e.ReadUnits+e.WriteUnits != 1 {
		t.Errorf("load = %+v, want the bytes of the data and 1 unit", e)
	}
	b.set("k", "w")
	a.wantObserved(o, "load 1, update 1")
	a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))})
	b.set("k", "w")
	a.wantObserved(o, "load 1, touch 1")

	// Retries count, and so does what they ended in.
	a.backend.Inject("GetItem", dynamotest.Throttled, dynamotest.Conflict)
	b.load()
	a.wantObserved(o, "load 3")
	a.backend.Inject("GetItem", slices.Repeat([]dynamotest.Fault{dynamotest.InternalError}, 3)...)
	_, err := b.load()
	if events := a.wantObserved(o, "load 3 failed"); events[0].Err != err {
		t.Errorf("Err = %v, want what Get returned: %v", events[0].Err, err)
	}

	b.with(func(s *sessions.Session) {
		b.tab().set("other", 1)
		s.Values["k"] = "x"
	})
	a.wantObserved(o, "load 1, load 1, update 1, merge 2")
	elsewhere := a.another()
	b.with(func(s *sessions.Session) {
		elsewhere.tab(b).set("other", 2)
		o.take()
		a.backend.Counts()
		s.Values["k"] = "y"
	})
	a.wantObserved(o, "merge 2")

	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		a.store.Regenerate(r, w, session)
	})
	regenerated, units := "load 1, regenerate 2", 4.0 // a transaction costs double
	if noTransactions {
		regenerated, units = "load 1, regenerate 3", 2
	}
	if events := a.wantObserved(o, regenerated); events[1].WriteUnits < units {
		t.Errorf("regenerate = %+v, want the units of two writes, %v", events[1], units)
	}
	old := b.tab()
	b.logout()
	a.wantObserved(o, "load 1, delete 1")
	old.load()
	a.wantObserved(o, "load 1")

	b.setCookie("forged")
	b.load()
	events = a.wantObserved(o, "load 0 failed")
	if _, ok := events[0].Err.(securecookie.Error); !ok {
		t.Errorf("Err = %T, want securecookie's", events[0].Err)
	}
}

func TestObserveErrors(t *testing.T) {
	t.Parallel()
	a, o := newObservedApp(t)
	b := a.browser()
	b.set("k", "v")
	tab := b.tab()
	o.take()
	a.backend.Counts()

	// A refusal brings what is there instead.
	_, err := b.with(func(s *sessions.Session) {
		tab.logout()
		s.Values["k"] = "w"
	})
	wantError(t, err, dynamostore.ErrGone)
	if events := a.wantObserved(o, "load 1, load 1, delete 1, update 1 failed"); !errors.Is(events[3].Err, dynamostore.ErrGone) {
		t.Errorf("Err = %v, want ErrGone", events[3].Err)
	}

	b = a.browser()
	b.set("k", "v")
	o.take()
	a.backend.Counts()
	a.backend.Inject("GetItem", slices.Repeat([]dynamotest.Fault{dynamotest.InternalError}, 3)...)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		wantError(t, session.Save(r, w), dynamostore.ErrNotLoaded)
	})
	a.wantObserved(o, "load 3 failed, skip 0 failed")

	_, err = b.with(func(s *sessions.Session) { s.Values["k"] = make(chan int) })
	if err == nil {
		t.Error("a channel was saved")
	}
	a.wantObserved(o, "load 1, update 0 failed")
}

// What works outside of requests is observed as well, each call once.
func TestObserveCallsOutsideOfRequests(t *testing.T) {
	t.Parallel()
	o := &observer{}
	a := newUsersApp(t, func(c *dynamostore.Config) { c.Observe = o.observe })
	for range 3 {
		a.browser().set("user", "ann")
	}
	o.take()
	a.backend.Counts()
	ctx := t.Context()
	var keys []string
	for _, info := range infosOf(t, a.store.UserSessions(ctx, "ann")) {
		keys = append(keys, info.Key)
	}
	wantCapacity := func(want string) {
		t.Helper()
		if events := a.wantObserved(o, want); len(events) == 1 && events[0].ReadUnits+events[0].WriteUnits == 0 {
			t.Errorf("%+v has no capacity units", events[0])
		}
	}
	wantCapacity("list 1")
	for range a.store.Sessions(ctx) {
		break
	}
	wantCapacity("list 1")
	if _, _, err := a.store.Load(ctx, keys[0]); err != nil {
		t.Error(err)
	}
	wantCapacity("load 1")
	if err := a.store.Update(ctx, keys[0], setTo("k", "v")); err != nil {
		t.Error(err)
	}
	wantCapacity("update 2")
	if n, err := a.store.UpdateUser(ctx, "ann", setTo("k", "w")); n != 3 || err != nil {
		t.Errorf("UpdateUser = %d, %v, want 3", n, err)
	}
	wantCapacity("update user 7") // the index, and two for each
	if err := a.store.Destroy(ctx, keys[0]); err != nil {
		t.Error(err)
	}
	wantCapacity("destroy 1")
	if n, err := a.store.DestroyUser(ctx, "ann"); n != 2 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 2", n, err)
	}
	wantCapacity("destroy user 4") // the index twice

	failed := errors.New("failed")
	if err := a.store.Update(ctx, keys[0], setTo("k", "v")); !errors.Is(err, dynamostore.ErrGone) {
		t.Errorf("Update of an ended session = %v", err)
	}
	a.browser().set("user", "ann")
	o.take()
	if n, err := a.store.UpdateUser(ctx, "ann", func(map[any]any) error { return failed }); n != 0 || err != failed {
		t.Errorf("UpdateUser = %d, %v", n, err)
	}
	if events := o.take(); operationsOf(events) != "update user 2 failed" || events[0].Err != failed {
		t.Errorf("observed %+v, want the error of change", events)
	}
}

// The requests of several goroutines of one operation are all counted, whatever the client.
func TestObservePurge(t *testing.T) {
	t.Parallel()
	const items = 40
	for _, test := range []struct {
		name   string
		client func(a *app) dynamostore.Client
	}{
		{"the SDK's client", func(a *app) dynamostore.Client { return a.backend.Client }},
		{"a client that ignores options", func(a *app) dynamostore.Client { return scanning{optionless{a.backend.Client}} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &observer{}
			a := newApp(t, func(c *dynamostore.Config) { c.Observe = o.observe })
			a.putExpired(items)
			a.backend.Counts()
			stats, err := openOn(t, test.client(a), a.cfg).PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: 16})
			if stats.Deleted != items || err != nil {
				t.Errorf("PurgeExpired = %+v, %v", stats, err)
			}
			events := a.wantObserved(o, fmt.Sprint("purge ", 16+items))
			if len(events) == 1 && events[0].ReadUnits+events[0].WriteUnits < items {
				t.Errorf("%+v, want %d capacity units or more", events[0], items)
			}
		})
	}
}

// scanning is an optionless client with Scan.
type scanning struct{ optionless }

func (c scanning) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return c.client.Scan(ctx, in)
}

// Peek is observed as a load, SkipEmpty's Save as a skip, and what AutoSave does as what it is.
func TestObserveWhatIsSpared(t *testing.T) {
	t.Parallel()
	a, o := newObservedApp(t, func(c *dynamostore.Config) { c.SkipEmpty = true })
	b := a.browser()
	b.with(func(*sessions.Session) {})
	a.wantObserved(o, "load 0, skip 0")
	b.set("k", "v")
	a.wantObserved(o, "load 0, create 1")
	b.peek()
	a.wantObserved(o, "load 1")
	b.visit(dynamostore.AutoSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["k"] = "w"
	}), nil).ServeHTTP)
	a.wantObserved(o, "load 1, update 1")
}

func TestObserveLock(t *testing.T) {
	t.Parallel()
	a, o := newObservedApp(t, func(c *dynamostore.Config) {
		c.Concurrency = dynamostore.Lock
		c.Lock = dynamostore.LockConfig{MinRetry: time.Millisecond, Wait: 250 * time.Millisecond}
	})
	b := a.browser()
	b.set("k", "v")
	a.wantObserved(o, "load 0, create 1")
	b.set("k", "v")
	a.wantObserved(o, "load 1, skip 0, unlock 1")
	b.set("k", "w")
	a.wantObserved(o, "load 1, update 1")
	tab := b.tab()
	b.with(func(s *sessions.Session) {
		o.take()
		_, err := tab.load()
		wantError(t, err, dynamostore.ErrLockTimeout)
		if got := operationsOf(o.take()); got != "lock wait 0 failed, load 0 failed" {
			t.Errorf("observed: %s", got)
		}
	})
	o.take()
	a.backend.Counts()

	// Another process, which does not stand in this one's line, asks until the lock is free.
	other := a.another().tab(b)
	var events []dynamostore.Event
	b.with(func(s *sessions.Session) {
		o.take()
		_, err := other.load()
		wantError(t, err, dynamostore.ErrLockTimeout)
		events = o.take()
	})
	if len(events) != 2 || events[0].Op != dynamostore.OpLockWait || events[0].Requests != 0 || !errors.Is(events[0].Err, dynamostore.ErrLockTimeout) ||
		events[1].Op != dynamostore.OpLoad || events[1].Requests < 2 || events[1].Duration < events[0].Duration {
		t.Errorf("observed %+v, want a wait, and a load that counts its tries", events)
	}
}

func TestObserveTellsWhoseRequestItWas(t *testing.T) {
	t.Parallel()
	a, o := newObservedApp(t)
	b := a.browser()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, "this visit"))
		session, _ := a.store.Get(r, cookieName)
		session.Save(r, w)
	})
	if want := []any{"this visit", "this visit"}; !slices.Equal(o.values, want) {
		t.Errorf("the contexts hold %v, want %v", o.values, want)
	}
}

// optionless is a client that ignores the options of its calls.
type optionless struct{ client *dynamodb.Client }

func (c optionless) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return c.client.GetItem(ctx, in)
}

func (c optionless) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return c.client.PutItem(ctx, in)
}

func (c optionless) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return c.client.UpdateItem(ctx, in)
}

func (c optionless) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return c.client.DeleteItem(ctx, in)
}

// A client that ignores the SDK's options, as DAX clients do, is counted by its calls.
func TestObserveAnotherClient(t *testing.T) {
	t.Parallel()
	o := &observer{}
	a := newApp(t)
	store, err := dynamostore.New(optionless{a.backend.Client}, dynamostore.Config{Table: a.cfg.Table, Observe: o.observe}, keyA)
	if err != nil {
		t.Fatal(err)
	}
	a.store = store
	a.backend.Counts()
	b := a.browser()
	b.set("k", "v")
	b.set("k", "w")
	a.wantObserved(o, "load 0, create 1, load 1, update 1")
}

// Without an Observe, DynamoDB is not asked for the capacity units.
func TestCapacityIsAskedForOnlyWhereItIsObserved(t *testing.T) {
	t.Parallel()
	for _, observed := range []bool{false, true} {
		var cfg dynamostore.Config
		if observed {
			cfg.Observe = func(context.Context, dynamostore.Event) {}
		}
		asked := false
		a := newApp(t)
		cfg.Table = a.cfg.Table
		a.cfg = cfg
		a.store = a.open(cfg, keyA)
		spy := func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			asked = asked || bytes.Contains(body, []byte("ReturnConsumedCapacity"))
			return next.RoundTrip(r)
		}
		for _, op := range []string{"PutItem", "GetItem", "UpdateItem", "DeleteItem"} {
			a.backend.Inject(op, spy)
		}
		b := a.browser()
		b.set("k", "v")
		b.set("k", "w")
		if asked != observed {
			t.Errorf("observed %v: asked for the capacity: %v", observed, asked)
		}
		a.backend.Heal()
	}
}
