package record

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Meter adds up what the requests of one operation cost. It goes with the operation's context, see
// [Meter.In], and counts only where [Schema.Metered] says so. The methods of a nil Meter do nothing.
type Meter struct {
	mu       sync.Mutex
	requests int
	bytes    int
	capacity float64
	spent    time.Duration
}

// Reading is what a Meter counted.
type Reading struct {
	Requests int           // sent to DynamoDB, each of the SDK's retries counted
	Bytes    int           // of sessions' data, as it lies in the table, read or written
	Capacity float64       // units, read and write, as DynamoDB states them
	Spent    time.Duration // in requests
}

type meterKey struct{}

// In returns a context whose requests m counts.
func (m *Meter) In(ctx context.Context) context.Context { return context.WithValue(ctx, meterKey{}, m) }

// Read returns what was counted so far.
func (m *Meter) Read() Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Reading{m.requests, m.bytes, m.capacity, m.spent}
}

func meterIn(ctx context.Context) *Meter {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m
}

// meter returns the Meter of ctx, nil where nothing is counted.
func (t *Table) meter(ctx context.Context) *Meter {
	if !t.schema.Metered {
		return nil
	}
	return meterIn(ctx)
}

func (m *Meter) attempt() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
}

// carried counts data of a session that was read or written.
func (m *Meter) carried(bytes int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += bytes
}

// call counts a call of the client: of one that does not tell its attempts, as one.
func (m *Meter) call(attemptsBefore int, begin time.Time, capacity float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == attemptsBefore {
		m.requests++
	}
	m.spent += time.Since(begin)
	m.capacity += capacity
}

// metered are the options of a call by which the SDK's client tells its attempts to the Meter of their
// context. Another client (DAX) may ignore them.
var metered = []func(*dynamodb.Options){func(o *dynamodb.Options) {
	if r, ok := o.Retryer.(aws.RetryerV2); ok {
		o.Retryer = meteredRetryer{r}
	}
}}

// meteredRetryer is a Retryer that counts attempts: the SDK asks it for a token before each.
type meteredRetryer struct{ aws.RetryerV2 }

func (r meteredRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	meterIn(ctx).attempt()
	return r.RetryerV2.GetAttemptToken(ctx)
}

// send makes a request of the client C, again for as long as a transaction under way on the item has it
// refused, and counts what it cost.
func send[C, In, Out any](ctx context.Context, t *Table, client C, call func(C, context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), in *In) (out *Out, err error) {
	m := t.meter(ctx)
	err = again(ctx, func() error {
		if m == nil {
			out, err = call(client, ctx, in)
			return err
		}
		before, begin := m.Read().Requests, time.Now()
		out, err = call(client, ctx, in, metered...)
		capacity := 0.0
		if err == nil {
			capacity = consumed(out)
		}
		m.call(before, begin, capacity)
		return err
	})
	return out, err
}

// consumed returns the capacity units that an answer states.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
func consumed(out any) float64 {
	var one *types.ConsumedCapacity
	switch out := out.(type) {
	case *dynamodb.GetItemOutput:
		one = out.ConsumedCapacity
	case *dynamodb.PutItemOutput:
		one = out.ConsumedCapacity
	case *dynamodb.UpdateItemOutput:
		one = out.ConsumedCapacity
	case *dynamodb.DeleteItemOutput:
		one = out.ConsumedCapacity
	case *dynamodb.QueryOutput:
		one = out.ConsumedCapacity
	case *dynamodb.ScanOutput:
		one = out.ConsumedCapacity
	case *dynamodb.TransactWriteItemsOutput:
		units := 0.0
		for _, c := range out.ConsumedCapacity {
			units += aws.ToFloat64(c.CapacityUnits)
		}
		return units
	}
	if one == nil {
		return 0
	}
	return aws.ToFloat64(one.CapacityUnits)
}
