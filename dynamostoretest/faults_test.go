package dynamostoretest_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
)

// once sends each request once.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// newCounter returns a client with an empty table, and functions that count up its only item, and
// read it.
func newCounter(t *testing.T, optFns ...func(*dynamodb.Options)) (add func(context.Context) error, read func() string) {
	t.Helper()
	client := dynamostoretest.NewClient(t, optFns...)
	open(t, client, dynamostore.Config{})
	key := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "counter"}}
	add = func(ctx context.Context) error {
		_, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: aws.String("sessions"), Key: key, UpdateExpression: aws.String("ADD n :one"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
		})
		return err
	}
	read = func() string {
		out, err := client.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: aws.String("sessions"), Key: key})
		if err != nil {
			return err.Error()
		}
		if n, ok := out.Item["n"].(*types.AttributeValueMemberN); ok {
			return n.Value
		}
		return "0"
	}
	return add, read
}

func TestFaults(t *testing.T) {
	isCode := func(code string) func(error) bool {
		return func(err error) bool {
			var api interface{ ErrorCode() string }
			return errors.As(err, &api) && api.ErrorCode() == code
		}
	}
	wraps := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for _, c := range []struct {
		name   string
		fault  dynamostoretest.Fault
		is     func(error) bool
		stored string // after one request
		after  time.Duration
	}{
		{"Fail", dynamostoretest.Fail(), isCode("InternalServerError"), "0", 0},
		{"Throttle", dynamostoretest.Throttle(), isCode("ProvisionedThroughputExceededException"), "0", 0},
		{"DropAnswer", dynamostoretest.DropAnswer(), wraps(syscall.ECONNRESET), "1", 0},
		{"Delay", dynamostoretest.Delay(time.Second), wraps(nil), "1", time.Second},
		{"Delay beyond the deadline", dynamostoretest.Delay(time.Minute), wraps(context.DeadlineExceeded), "0", 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var faults dynamostoretest.Faults
				add, read := newCounter(t, faults.Option, once)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				faults.Next(c.fault, "UpdateItem")
				begin := time.Now()
				if err := add(ctx); !c.is(err) {
					t.Errorf("the request's error is %v", err)
				}
				if took := time.Since(begin); took != c.after {
					t.Errorf("the request took %v, want %v", took, c.after)
				}
				if n := read(); n != c.stored {
					t.Errorf("the item counts %s, want %s", n, c.stored)
				}
				if err := add(t.Context()); err != nil {
					t.Errorf("the next request: %v", err)
				}
			})
		})
	}
}

func TestFaultsApplyByOperation(t *testing.T) {
	var faults dynamostoretest.Faults
	add, read := newCounter(t, faults.Option, once)
	var met []string
	named := func(name string) dynamostoretest.Fault {
		return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			met = append(met, name)
			return next.RoundTrip(r)
		}
	}
	want := func(names ...string) {
		t.Helper()
		if !slices.Equal(met, names) {
			t.Errorf("the requests met %q, want %q", met, names)
		}
		met = nil
	}
	send := func() {
		t.Helper()
		if err := add(t.Context()); err != nil {
			t.Error(err)
		}
		read()
	}

	faults.Always(named("older"), "UpdateItem", "GetItem")
	faults.Always(named("newer"), "GetItem")
	faults.Next(named("next read"), "GetItem")
	faults.Next(named("next"))
	faults.Next(named("next read or scan"), "Scan", "GetItem")
	if n := faults.Pending(); n != 3 {
		t.Errorf("%d faults are pending, want 3", n)
	}
	send() // one update, one read
	want("next", "next read")
	if n := faults.Pending(); n != 1 {
		t.Errorf("%d faults are pending, want 1", n)
	}
	send()
	want("older", "next read or scan")
	send()
	want("older", "newer")

	faults.Next(named("cleared"))
	faults.Clear()
	send()
	want()
	if n := faults.Pending(); n != 0 {
		t.Errorf("%d faults are pending, want 0", n)
	}
}

func TestAnUnknownOperationPanics(t *testing.T) {
	var faults dynamostoretest.Faults
	for name, add := range map[string]func(dynamostoretest.Fault, ...string){"Next": faults.Next, "Always": faults.Always} {
		func() {
			defer func() {
				if got, ok := recover().(string); !ok || !strings.Contains(got, `unknown operation "getItem"`) {
					t.Errorf("%s panics with %q, want the operation's name", name, got)
				}
			}()
			add(dynamostoretest.Fail(), "UpdateItem", "getItem")
		}()
	}
	add, _ := newCounter(t, faults.Option, once)
	if err := add(t.Context()); err != nil {
		t.Errorf("a request after the panics: %v, want no fault", err)
	}
}

func TestNextAppliesToOneOfManyRequests(t *testing.T) {
	var faults dynamostoretest.Faults
	add, read := newCounter(t, faults.Option, once)
	const requests, failing = 200, 70
	var failed atomic.Int32
	var wg sync.WaitGroup
	for range failing {
		wg.Go(func() { faults.Next(dynamostoretest.Fail(), "UpdateItem") })
	}
	wg.Wait()
	for range requests {
		wg.Go(func() {
			if add(t.Context()) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n != failing {
		t.Errorf("%d requests failed, want %d", n, failing)
	}
	if n := read(); n != "130" {
		t.Errorf("the item counts %s, want 130", n)
	}
}

// The client retries, so an application does not notice one fault.
func TestOneFaultGoesUnnoticed(t *testing.T) {
	for name, fault := range map[string]dynamostoretest.Fault{
		"Fail": dynamostoretest.Fail(), "Throttle": dynamostoretest.Throttle(), "DropAnswer": dynamostoretest.DropAnswer(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var faults dynamostoretest.Faults
				store := open(t, dynamostoretest.NewClient(t, faults.Option), dynamostore.Config{})
				faults.Next(fault, "PutItem")
				cookies := save(t, store, "user", "ann")
				faults.Next(fault, "GetItem")
				faults.Next(fault, "UpdateItem")
				save(t, store, "cart", "full", cookies...)
				if n := faults.Pending(); n != 0 {
					t.Errorf("%d faults were not met", n)
				}
				values := load(t, store, cookies...).Values
				if want := map[any]any{"user": "ann", "cart": "full"}; !maps.Equal(values, want) {
					t.Errorf("the session holds %v, want %v", values, want)
				}
			})
		})
	}
}

// A Save under Always(DropAnswer) fails, although it was applied, and the next one finds that out.
func TestAlwaysFailsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults dynamostoretest.Faults
		client := dynamostoretest.NewClient(t, faults.Option)
		store := open(t, client, dynamostore.Config{})
		r, w := request(), httptest.NewRecorder()
		session, err := store.Get(r, "session")
		if err != nil {
			t.Fatal(err)
		}
		session.Values["user"] = "ann"
		faults.Always(dynamostoretest.DropAnswer())
		if err := session.Save(r, w); err == nil || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("Save without an answer: %v, cookie %q, want an error and no cookie", err, w.Header().Get("Set-Cookie"))
		}
		faults.Clear()
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save once more: %v", err)
		}
		if got := load(t, store, w.Result().Cookies()...).Values["user"]; got != "ann" {
			t.Errorf("the user is %v, want ann", got)
		}
		n := 0
		for _, err := range store.Sessions(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("there are %d sessions, want 1", n)
		}
	})
}

func TestFaultsOfSeveralClients(t *testing.T) {
	var faults dynamostoretest.Faults
	first, _ := newCounter(t, faults.Option, once)
	second, _ := newCounter(t, faults.Option, once)
	unharmed, _ := newCounter(t, once)
	faults.Always(dynamostoretest.Fail())
	for name, c := range map[string]struct {
		add   func(context.Context) error
		fails bool
	}{"first": {first, true}, "second": {second, true}, "unharmed": {unharmed, false}} {
		if err := c.add(t.Context()); (err != nil) != c.fails {
			t.Errorf("%s: %v, want an error: %t", name, err, c.fails)
		}
	}
}

// The operations are those that the comment on Faults names.
func TestOperationsOfAStore(t *testing.T) {
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
		var faults dynamostoretest.Faults
		sent := make(map[string]bool)
		faults.Always(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			sent[operation] = true
			return next.RoundTrip(r)
		})
		store := open(t, dynamostoretest.NewClient(t, faults.Option), dynamostore.Config{UserKey: "user", Concurrency: mode})
		want := func(call string, operations ...string) {
			t.Helper()
			if got := slices.Sorted(maps.Keys(sent)); !slices.Equal(got, operations) {
				t.Errorf("%s sends %q, want %q", call, got, operations)
			}
			clear(sent)
		}
		clear(sent)
		get := "GetItem"
		if mode == dynamostore.Lock {
			get = "UpdateItem"
		}

		cookies := save(t, store, "user", "ann")
		want("Save of a new session", "PutItem")
		r, w := request(cookies...), httptest.NewRecorder()
		session, err := store.Get(r, "session")
		if err != nil {
			t.Fatal(err)
		}
		want("Get", get)
		if _, err := store.Peek(r, "session"); err != nil {
			t.Error(err)
		}
		want("Peek", "GetItem")
		session.Values["cart"] = "full"
		if err := session.Save(r, w); err != nil {
			t.Fatal(err)
		}
		want("Save", "UpdateItem")
		if err := session.Save(r, w); err != nil {
			t.Fatal(err)
		}
		want("Save without a change")
		if err := store.Regenerate(r, w, session); err != nil {
			t.Fatal(err)
		}
		want("Regenerate", "GetItem", "TransactWriteItems")
		key := store.Key(session)
		if _, _, err := store.Load(t.Context(), key); err != nil {
			t.Error(err)
		}
		want("Load", "GetItem")
		change := func(values map[any]any) error { values["cart"] = values["cart"].(string) + "er"; return nil }
		if err := store.Update(t.Context(), key, change); err != nil {
			t.Error(err)
		}
		want("Update", slices.Compact([]string{get, "UpdateItem"})...)
		if n, err := store.UpdateUser(t.Context(), "ann", change); n != 1 || err != nil {
			t.Error(n, err)
		}
		want("UpdateUser", slices.Compact(slices.Sorted(slices.Values([]string{get, "Query", "UpdateItem"})))...)
		for _, err := range store.UserSessions(t.Context(), "ann") {
			if err != nil {
				t.Error(err)
			}
		}
		want("UserSessions", "Query")
		for _, err := range store.Sessions(t.Context()) {
			if err != nil {
				t.Error(err)
			}
		}
		want("Sessions", "Scan")
		if n, err := store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
			t.Error(n, err)
		}
		want("DestroyUser", "Query", "UpdateItem")
		// A new session, which Regenerate creates as Save does.
		r, w = request(), httptest.NewRecorder()
		if session, err = store.Get(r, "session"); err != nil {
			t.Fatal(err)
		}
		session.Values["user"] = "ann"
		if err := store.Regenerate(r, w, session); err != nil {
			t.Fatal(err)
		}
		want("Regenerate of a new session", "PutItem")
		if err := store.Destroy(t.Context(), store.Key(session)); err != nil {
			t.Error(err)
		}
		want("Destroy", "UpdateItem")
	}
}
