package record

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// transactor is what Move needs of a Client.
type transactor interface {
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// tombstoneLife is how long a tombstone tells late requests that their session has another ID.
const tombstoneLife = 60 * time.Second

// ErrTaken says that an item lies under the new key already.
var ErrTaken = errors.New("dynamostore: the ID is taken")

// Move puts w under a new key and leaves a tombstone under the old one, both or neither, on the
// conditions of [Table.Update] for the old item and of [Table.Create] for the new one: else it
// returns a *Refused with the old item, or ErrTaken. If the new item carries w's version, this very
// write was applied and its answer lost: no error.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func (t *Table) Move(ctx context.Context, oldKey, newKey string, read *Item, w Write) error {
	const doing = "rotate a session in"
	client, ok := t.client.(transactor)
	if !ok {
		return t.failed(doing, fmt.Errorf("the client %T lacks TransactWriteItems: use a *dynamodb.Client, or a wrapper that has it", t.client))
	}
	item := t.item(newKey, &w)
	if err := checkSize(size(item) + w.lockSize()); err != nil {
		return t.failed(doing, err)
	}
	bury := t.bury(oldKey, read, w)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		t.meter(ctx).carried(len(w.Data))
		_, err := send(ctx, t, client, transactor.TransactWriteItems, &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{
					TableName:                           t.table,
					Item:                                item,
					ConditionExpression:                 &ifFree,
					ExpressionAttributeNames:            t.names.key,
					ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
				}},
				{Update: bury},
			},
			ReturnConsumedCapacity: t.capacity,
		})
		if err == nil {
			return nil
		}
		switch created, buried, canceled := reasons(err); {
		case canceled && passing(created, buried):
			if Pause(ctx, wait/2+rand.N(wait)) != nil {
				return t.failed(doing, err)
			}
		case canceled && (code(created) == codeReason || code(buried) == codeReason):
			return t.settleMove(ctx, oldKey, newKey, w, created, buried)
		default:
			return t.failed(doing, err)
		}
	}
}

// bury is the update that makes the old item a tombstone. What is not named here is some other
// store's, and stays.
func (t *Table) bury(key string, read *Item, w Write) *types.Update {
	now := time.Now()
	u := &t.updates[variantOf(read, w)] // on the same condition
	values := map[string]types.AttributeValue{
		":moved":   number(now.Unix()),
		":buried":  text(NewVersion()),
		":expires": number(now.Add(tombstoneLife).Unix()),
	}
	switch v := variantOf(read, w); {
	case v&overwrite != 0:
	case v&unversioned != 0:
		values[":read"] = read.raw
	default:
		values[":read"] = read.Version
	}
	if w.Token != "" {
		fence(values, w.Token, now)
	}
	return &types.Update{
		TableName:                           t.table,
		Key:                                 t.key(key),
		UpdateExpression:                    &buryUpdate,
		ConditionExpression:                 &u.condition,
		ExpressionAttributeNames:            t.names.tombstone,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// The tombstone has a version of its own, or a late write could still meet its condition. It has no
// data, no user, and does not say which ID the session has now.
var buryUpdate = "SET #moved = :moved, #version = :buried, #expires = :expires" +
	" REMOVE #data, #codec, #prior, #created, #max_age, #user, #lock, #lock_until"

// codeReason is the refusal of one request of a transaction.
const codeReason = "ConditionalCheckFailed"

// reasons returns why a transaction was canceled: for the put of the new item, and for the update of
// the old one.
func reasons(err error) (created, buried types.CancellationReason, canceled bool) {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) || len(c.CancellationReasons) != 2 {
		return created, buried, false
	}
	return c.CancellationReasons[0], c.CancellationReasons[1], true
}

func code(r types.CancellationReason) string {
	if r.Code == nil || *r.Code == "None" {
		return ""
	}
	return *r.Code
}

// passing reports whether a transaction was canceled only by what is over in a moment.
func passing(reasons ...types.CancellationReason) bool {
	for _, r := range reasons {
		if c := code(r); c != "" && !slices.Contains([]string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}, c) {
			return false
		}
	}
	return true
}

// settleMove turns the refusal of a Move into what it means. A refusal need not bring the items.
func (t *Table) settleMove(ctx context.Context, oldKey, newKey string, w Write, created, buried types.CancellationReason) (err error) {
	if code(created) == codeReason {
		there := t.read(ctx, created.Item)
		if there == nil {
			if there, err = t.Load(ctx, newKey, true); err != nil {
				return err
			}
		}
		if there != nil && there.wrote(w.Version) {
			return nil
		}
		return ErrTaken
	}
	there := t.read(ctx, buried.Item)
	if there == nil {
		if there, err = t.Load(ctx, oldKey, true); err != nil {
			return err
		}
	}
	if there == nil || there.Moved {
		// By this very transaction, perhaps: DynamoDB reports one refusal, not always both.
		moved, err := t.Load(ctx, newKey, true)
		if err != nil {
			return err
		}
		if moved != nil && moved.wrote(w.Version) {
			return nil
		}
	}
	return &Refused{Item: there}
}
