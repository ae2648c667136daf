package dynamostore_test

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

// brief shows events as their operations, each with its requests and its error, if any.
func brief(events []dynamostore.Event) string {
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

// saw asserts what was observed, and that its requests are those that DynamoDB was sent.
func (a *app) saw(o *observer, want string) []dynamostore.Event {
	a.Helper()
	events := o.take()
	if got := brief(events); got != want {
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
	a, o := newObservedApp(t)
	b := a.browser()

	b.load()
	a.saw(o, "load 0")
	b.set("k", "v")
	events := a.saw(o, "load 0, create 1")
	if e := events[1]; e.Bytes != len(a.item()["data"].(*types.AttributeValueMemberB).Value) || e.Capacity != 1 {
		t.Errorf("create = %+v, want the bytes of the data and 1 unit", e)
	}
	b.set("k", "v")
	events = a.saw(o, "load 1, skip 0")
	if e := events[0]; e.Bytes != len(a.item()["data"].(*types.AttributeValueMemberB).Value) || e.Capacity != 1 {
		t.Errorf("load = %+v, want the bytes of the data and 1 unit", e)
	}
	b.set("k", "w")
	a.saw(o, "load 1, update 1")
	a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(time.Hour))})
	b.set("k", "w")
	a.saw(o, "load 1, touch 1")

	// Retries count, and so does what they ended in.
	a.backend.Inject("GetItem", dynamotest.Throttled, dynamotest.Conflict)
	b.load()
	a.saw(o, "load 3")
	a.backend.Inject("GetItem", slices.Repeat([]dynamotest.Fault{dynamotest.InternalError}, 3)...)
	_, err := b.load()
	if events := a.saw(o, "load 3 failed"); events[0].Err != err {
		t.Errorf("Err = %v, want what Get returned: %v", events[0].Err, err)
	}

	b.with(func(s *sessions.Session) {
		b.tab().set("other", 1)
		s.Values["k"] = "x"
	})
	a.saw(o, "load 1, load 1, update 1, merge 2")
	elsewhere := a.another()
	b.with(func(s *sessions.Session) {
		elsewhere.tab(b).set("other", 2)
		o.take()
		a.backend.Counts()
		s.Values["k"] = "y"
	})
	a.saw(o, "merge 2")

	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		a.store.Regenerate(r, w, session)
	})
	if events := a.saw(o, "load 1, regenerate 1"); events[1].Capacity < 4 {
		t.Errorf("regenerate = %+v, want the units of two transactional writes", events[1])
	}
	old := b.tab()
	b.logout()
	a.saw(o, "load 1, delete 1")
	old.load()
	a.saw(o, "load 1")

	b.setCookie("forged")
	b.load()
	events = a.saw(o, "load 0 failed")
	if _, ok := events[0].Err.(securecookie.Error); !ok {
		t.Errorf("Err = %T, want securecookie's", events[0].Err)
	}
}

func TestObserveErrors(t *testing.T) {
	a, o := newObservedApp(t)
	b := a.browser()
	b.set("k", "v")
	tab := b.tab()
	o.take()
	a.backend.Counts()

	// A refusal without the item is looked into by one read.
	_, err := b.with(func(s *sessions.Session) {
		tab.logout()
		s.Values["k"] = "w"
	})
	is(t, err, dynamostore.ErrGone)
	if events := a.saw(o, "load 1, load 1, delete 1, update 2 failed"); !errors.Is(events[3].Err, dynamostore.ErrGone) {
		t.Errorf("Err = %v, want ErrGone", events[3].Err)
	}

	b = a.browser()
	b.set("k", "v")
	o.take()
	a.backend.Counts()
	a.backend.Inject("GetItem", slices.Repeat([]dynamotest.Fault{dynamotest.InternalError}, 3)...)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		is(t, session.Save(r, w), dynamostore.ErrNotLoaded)
	})
	a.saw(o, "load 3 failed, skip 0 failed")

	_, err = b.with(func(s *sessions.Session) { s.Values["k"] = make(chan int) })
	if err == nil {
		t.Error("a channel was saved")
	}
	a.saw(o, "load 1, update 0 failed")
}

func TestObserveUsers(t *testing.T) {
	o := &observer{}
	a := newUsersApp(t, func(c *dynamostore.Config) { c.Observe = o.observe })
	var keys []string
	for range 3 {
		b := a.browser()
		b.with(func(s *sessions.Session) { s.Values["user"] = "ann" })
	}
	o.take()
	a.backend.Counts()
	for info, err := range a.store.UserSessions(t.Context(), "ann") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if events := a.saw(o, "list 1"); events[0].Capacity == 0 {
		t.Errorf("list = %+v, want capacity units", events[0])
	}
	for range a.store.Sessions(t.Context()) {
		break
	}
	a.saw(o, "list 1")
	if err := a.store.Destroy(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	a.saw(o, "destroy 1")
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 2 || err != nil {
		t.Fatalf("DestroyUser = %d, %v", n, err)
	}
	a.saw(o, "destroy user 4") // the index twice

	b := a.browser()
	b.set("k", "v")
	a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(-time.Hour))})
	o.take()
	a.backend.Counts()
	if stats, err := a.store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{Parallel: 2}); stats.Deleted != 1 || err != nil {
		t.Fatalf("PurgeExpired = %+v, %v", stats, err)
	}
	if events := a.saw(o, "purge 3"); events[0].Capacity == 0 {
		t.Errorf("purge = %+v, want capacity units", events[0])
	}
}

func TestObserveLock(t *testing.T) {
	a, o := newObservedApp(t, func(c *dynamostore.Config) {
		c.Concurrency = dynamostore.Lock
		c.Lock = dynamostore.LockConfig{MinRetry: time.Millisecond, Wait: 250 * time.Millisecond}
	})
	b := a.browser()
	b.set("k", "v")
	a.saw(o, "load 0, create 1")
	b.set("k", "v")
	a.saw(o, "load 1, skip 0, unlock 1")
	b.set("k", "w")
	a.saw(o, "load 1, update 1")
	tab := b.tab()
	b.with(func(s *sessions.Session) {
		o.take()
		_, err := tab.load()
		is(t, err, dynamostore.ErrLockTimeout)
		if got := brief(o.take()); got != "lock wait 0 failed, load 0 failed" {
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
		is(t, err, dynamostore.ErrLockTimeout)
		events = o.take()
	})
	if len(events) != 2 || events[0].Op != dynamostore.OpLockWait || events[0].Requests != 0 || !errors.Is(events[0].Err, dynamostore.ErrLockTimeout) ||
		events[1].Op != dynamostore.OpLoad || events[1].Requests < 2 || events[1].Duration < events[0].Duration {
		t.Errorf("observed %+v, want a wait, and a load that counts its tries", events)
	}
}

func TestObserveTellsWhoseRequestItWas(t *testing.T) {
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
	a.saw(o, "load 0, create 1, load 1, update 1")
}

// Without an Observe, DynamoDB is not asked for the capacity units.
func TestCapacityIsAskedForOnlyWhereItIsObserved(t *testing.T) {
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
