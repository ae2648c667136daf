package record

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Meter adds up the cost of one operation's requests. It travels in the operation's context (see
// [Meter.In]) and counts only if [Schema.Metered] is set.
type Meter struct {
	mu    sync.Mutex
	total Reading
}

// Reading is what a Meter counted.
type Reading struct {
	Requests              int           // sent to DynamoDB, including the SDK's retries
	Bytes                 int           // of session data read or written, as stored
	ReadUnits, WriteUnits float64       // as DynamoDB reported them
	Spent                 time.Duration // in requests
}

type meterKey struct{}

// In returns a context whose requests m counts.
func (m *Meter) In(ctx context.Context) context.Context { return context.WithValue(ctx, meterKey{}, m) }

// Read returns the counts so far.
func (m *Meter) Read() Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// meter returns the Meter of ctx, or nil if nothing is counted.
func (t *Table) meter(ctx context.Context) *Meter {
	if !t.schema.Metered {
		return nil
	}
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}

// addBytes counts session data that was read or written. It does nothing for a nil Meter.
func (m *Meter) addBytes(bytes int) { m.add(Reading{Bytes: bytes}) }

func (m *Meter) add(r Reading) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total.Requests += r.Requests
	m.total.Bytes += r.Bytes
	m.total.ReadUnits += r.ReadUnits
	m.total.WriteUnits += r.WriteUnits
	m.total.Spent += r.Spent
}

// countingRetryer is a Retryer that counts the attempts of one call: the SDK asks it for a token
// before each attempt.
type countingRetryer struct {
	aws.RetryerV2
	attempts *atomic.Int64
}

func (r countingRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	r.attempts.Add(1)
	return r.RetryerV2.GetAttemptToken(ctx)
}

// send sends a request and counts its cost. It returns an error if the client does not implement C.
// It retries while another request on the same item makes DynamoDB refuse it.
func send[C, In, Out any](ctx context.Context, t *Table, call func(C, context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), in *In) (out *Out, err error) {
	client, ok := t.client.(C)
	if !ok {
		method := strings.TrimSuffix(reflect.TypeFor[In]().Name(), "Input")
		return nil, fmt.Errorf("the client %T has no method %s; use a *dynamodb.Client, or a wrapper that has it", t.client, method)
	}
	m := t.meter(ctx)
	err = retryConflicts(ctx, func() error {
		if m == nil {
			out, err = call(client, ctx, in)
			return err
		}
		var attempts atomic.Int64
		begin := time.Now()
		out, err = call(client, ctx, in, func(o *dynamodb.Options) {
			if r, ok := o.Retryer.(aws.RetryerV2); ok {
				o.Retryer = countingRetryer{r, &attempts}
			}
		})
		var r Reading
		if err == nil {
			r = consumed(out)
		}
		// A client that does not report its attempts, such as DAX, made at least one.
		r.Requests, r.Spent = int(max(attempts.Load(), 1)), time.Since(begin)
		m.add(r)
		return err
	})
	return out, err
}

// consumed returns the capacity units that a response reports.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
func consumed(out any) (r Reading) {
	units := func(c *types.ConsumedCapacity) float64 {
		if c == nil {
			return 0
		}
		return aws.ToFloat64(c.CapacityUnits)
	}
	switch out := out.(type) {
	case *dynamodb.GetItemOutput:
		r.ReadUnits = units(out.ConsumedCapacity)
	case *dynamodb.QueryOutput:
		r.ReadUnits = units(out.ConsumedCapacity)
	case *dynamodb.ScanOutput:
		r.ReadUnits = units(out.ConsumedCapacity)
	case *dynamodb.PutItemOutput:
		r.WriteUnits = units(out.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		r.WriteUnits = units(out.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		r.WriteUnits = units(out.ConsumedCapacity)
	case *dynamodb.TransactWriteItemsOutput:
		for _, c := range out.ConsumedCapacity {
			r.WriteUnits += units(&c)
		}
	}
	return r
}
