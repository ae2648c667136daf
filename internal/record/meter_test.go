package record

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// getter is a Client that answers each GetItem after a while, as the SDK's client does after some
// attempts.
type getter struct {
	Client
	attempts int // per call; 0: the client does not tell
	err      error
}

func (g getter) GetItem(ctx context.Context, _ *dynamodb.GetItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	o := dynamodb.Options{Retryer: retry.NewStandard()}
	for _, f := range optFns {
		f(&o)
	}
	for range g.attempts {
		if _, err := o.Retryer.(aws.RetryerV2).GetAttemptToken(ctx); err != nil {
			return nil, err
		}
	}
	time.Sleep(time.Second)
	return &dynamodb.GetItemOutput{
		Item: attributes{"id": text("k"), "data": blob(1, 2, 3)}, ConsumedCapacity: &types.ConsumedCapacity{CapacityUnits: aws.Float64(0.5)},
	}, g.err
}

// A Meter counts the attempts, bytes, units and time of the requests in its context, also of
// several at once.
func TestMeter(t *testing.T) {
	const calls = 20
	for _, test := range []struct {
		name    string
		client  getter
		metered bool
		want    Reading
	}{
		{"one attempt each", getter{attempts: 1}, true, Reading{Requests: calls, Bytes: 3 * calls, ReadUnits: 0.5 * calls, Spent: calls * time.Second}},
		{"three attempts each", getter{attempts: 3}, true, Reading{Requests: 3 * calls, Bytes: 3 * calls, ReadUnits: 0.5 * calls, Spent: calls * time.Second}},
		{"a client that does not tell", getter{}, true, Reading{Requests: calls, Bytes: 3 * calls, ReadUnits: 0.5 * calls, Spent: calls * time.Second}},
		{"failures", getter{attempts: 3, err: errors.New("no")}, true, Reading{Requests: 3 * calls, Spent: calls * time.Second}},
		{"a table that is not metered", getter{attempts: 3}, false, Reading{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := New(test.client, Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires", Metered: test.metered})
				var meter Meter
				ctx := meter.In(t.Context())
				var all sync.WaitGroup
				for range calls {
					all.Go(func() { table.Load(ctx, "k", true) })
				}
				all.Wait()
				if got := meter.Read(); got != test.want {
					t.Errorf("the meter reads %+v, want %+v", got, test.want)
				}
				table.Load(t.Context(), "k", true)
				if got := meter.Read(); got != test.want {
					t.Errorf("after a request in another context, the meter reads %+v, want %+v", got, test.want)
				}
			})
		})
	}
}

// Every kind of response states its capacity units.
func TestConsumed(t *testing.T) {
	one := &types.ConsumedCapacity{CapacityUnits: aws.Float64(1.5)}
	for _, out := range []any{
		&dynamodb.GetItemOutput{ConsumedCapacity: one}, &dynamodb.PutItemOutput{ConsumedCapacity: one}, &dynamodb.UpdateItemOutput{ConsumedCapacity: one},
		&dynamodb.DeleteItemOutput{ConsumedCapacity: one}, &dynamodb.QueryOutput{ConsumedCapacity: one}, &dynamodb.ScanOutput{ConsumedCapacity: one},
		&dynamodb.TransactWriteItemsOutput{ConsumedCapacity: []types.ConsumedCapacity{{CapacityUnits: aws.Float64(1)}, {CapacityUnits: aws.Float64(0.5)}}},
	} {
		if got := consumed(out); got.ReadUnits+got.WriteUnits != 1.5 {
			t.Errorf("consumed(%T) = %v, want 1.5", out, got)
		}
	}
	for _, out := range []any{&dynamodb.GetItemOutput{}, &dynamodb.TransactWriteItemsOutput{}, &dynamodb.ScanOutput{ConsumedCapacity: &types.ConsumedCapacity{}}} {
		if got := consumed(out); got != (Reading{}) {
			t.Errorf("consumed(%T) without units = %v, want 0", out, got)
		}
	}
}
