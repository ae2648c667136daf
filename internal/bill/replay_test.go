package bill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/memdynamo"
)

// On-demand prices in us-east-1 since 1 November 2024, in dollars for a million units (Standard table class).
// https://aws.amazon.com/dynamodb/pricing/on-demand/
const (
	readPrice  = 0.125
	writePrice = 0.625
)

// A setting is a way to set a Store, and what an application does at a login with it.
type setting struct {
	name    string
	config  dynamostore.Config
	rotates bool // a login gives the session a new ID
}

// The codec is one that writes equal sessions alike, so that the bill does not vary.
var settings = []setting{
	{"this store", dynamostore.Config{Codec: dynamostore.JSONCodec{}}, true},
	{"with EventualReads", dynamostore.Config{Codec: dynamostore.JSONCodec{}, EventualReads: true}, true},
	// The same store, without compression, that writes at each Save, whatever is there.
	{"a write at every Save", dynamostore.Config{
		Codec: dynamostore.JSONCodec{}, NoCompression: true, TouchInterval: -1, Concurrency: dynamostore.Overwrite,
	}, false},
}

// A tally is what a day came to.
type tally struct {
	setting
	views, requests int // page views, and requests of browsers
	sent            int // requests to DynamoDB
	reads, writes   float64
}

func (t tally) readDollars() float64  { return t.reads * readPrice / float64(t.views) }
func (t tally) writeDollars() float64 { return t.writes * writePrice / float64(t.views) }

// cells are the tally's row of a table.
func (t tally) cells() []string {
	perMillion := func(n float64) string { return fmt.Sprintf("%.2f M", n/float64(t.views)) }
	dollars := func(n float64) string { return fmt.Sprintf("$%.2f", n) }
	return []string{
		t.name, perMillion(float64(t.sent)), perMillion(t.reads), perMillion(t.writes),
		dollars(t.readDollars()), dollars(t.writeDollars()), dollars(t.readDollars() + t.writeDollars()),
	}
}

// replay has the steps of a day pass through a store. The clock should be a bubble's.
func replay(s setting, steps []step, seed uint64) (tally, error) {
	t := tally{setting: s}
	ctx := context.Background()
	client := &meter{Client: dynamotest.NewClient("http://memdynamo.invalid", memdynamo.New())}
	store, err := dynamostore.New(client, s.config, make([]byte, 32))
	if err != nil {
		return t, err
	}
	if err := store.EnsureTable(ctx); err != nil {
		return t, err
	}
	a := app{rand.New(rand.NewPCG(seed, 1))}
	cookies := map[int]*http.Cookie{} // of the browsers
	midnight := time.Now().Add(-steps[0].at)
	for _, step := range steps {
		time.Sleep(time.Until(midnight.Add(step.at)))
		if step.at >= 0 && client.tally == nil {
			client.tally = &t // what was before is not this day's
		}
		if step.at >= 0 {
			t.requests += len(step.actions)
			if step.page {
				t.views++
			}
		}
		if err := visit(store, a, s, step, cookies); err != nil {
			return t, fmt.Errorf("%s, at %v: %w", s.name, step.at, err)
		}
	}
	return t, nil
}

// visit is the requests of a step: all have loaded the session before the first saves it.
func visit(store *dynamostore.Store, a app, s setting, step step, cookies map[int]*http.Cookie) error {
	const name = "session"
	var requests []*http.Request
	var loaded []*sessions.Session
	for range step.actions {
		r := httptest.NewRequest("GET", "/", nil)
		if c := cookies[step.browser]; c != nil {
			r.AddCookie(c)
		}
		session, err := store.Get(r, name)
		if err != nil {
			return err
		}
		requests, loaded = append(requests, r), append(loaded, session)
	}
	for i, session := range loaded {
		a.do(session, step.actions[i])
		w := httptest.NewRecorder()
		save := store.Save
		if step.actions[i] == login && s.rotates {
			save = store.Regenerate
		}
		if err := save(requests[i], w, session); err != nil {
			return err
		}
		for _, c := range w.Result().Cookies() {
			switch {
			case step.browser < 0:
			case c.MaxAge < 0:
				delete(cookies, step.browser)
			default:
				cookies[step.browser] = c
			}
		}
	}
	return nil
}

// meter is a client that has DynamoDB state the units of each request, and adds them to a tally.
type meter struct {
	*dynamodb.Client
	tally *tally
}

func (m *meter) read(units *types.ConsumedCapacity)  { m.add(units, 0) }
func (m *meter) write(units *types.ConsumedCapacity) { m.add(nil, 0, units) }

func (m *meter) add(read *types.ConsumedCapacity, refused float64, written ...*types.ConsumedCapacity) {
	if m.tally == nil {
		return
	}
	m.tally.sent++
	m.tally.writes += refused
	if read != nil {
		m.tally.reads += aws.ToFloat64(read.CapacityUnits)
	}
	for _, w := range written {
		if w != nil {
			m.tally.writes += aws.ToFloat64(w.CapacityUnits)
		}
	}
}

// refused counts a write whose condition did not hold. It costs what a write of the item that is there would, which the
// answer does not state, but it brings the item.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate
func (m *meter) refused(err error) {
	var c *types.ConditionalCheckFailedException
	if errors.As(err, &c) {
		m.add(nil, max(1, float64((itemSize(c.Item)+1023)/1024)))
	}
}

// itemSize is the size of a session's item.
func itemSize(item map[string]types.AttributeValue) int {
	n := 0
	for name, v := range item {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += len(v.Value)/2 + 1
		}
	}
	return n
}

func (m *meter) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.GetItem(ctx, in, o...)
	if err == nil {
		m.read(out.ConsumedCapacity)
	}
	return out, err
}

func (m *meter) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.PutItem(ctx, in, o...)
	if err == nil {
		m.write(out.ConsumedCapacity)
	}
	m.refused(err)
	return out, err
}

func (m *meter) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.UpdateItem(ctx, in, o...)
	if err == nil {
		m.write(out.ConsumedCapacity)
	}
	m.refused(err)
	return out, err
}

func (m *meter) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.DeleteItem(ctx, in, o...)
	if err == nil {
		m.write(out.ConsumedCapacity)
	}
	return out, err
}

func (m *meter) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.TransactWriteItems(ctx, in, o...)
	if err == nil {
		for i := range out.ConsumedCapacity {
			m.write(&out.ConsumedCapacity[i])
		}
	}
	return out, err
}

// print prints the tallies, for a million page views.
func print(w io.Writer, tallies []tally) error {
	first := tallies[0]
	fmt.Fprintf(w, "A day of %d page views, which are %d requests, replayed; for each million page views:\n\n", first.views, first.requests)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tto DynamoDB\tread units\twrite units\treads\twrites\ttogether\t")
	for _, t := range tallies {
		fmt.Fprintln(tw, strings.Join(t.cells(), "\t")+"\t")
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nOn-demand, us-east-1, since November 2024: $%.3f for a million read units, $%.3f for a million write units.\n", readPrice, writePrice)
	return err
}
