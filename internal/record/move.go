package record

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// transactor has the method that Move needs beyond Client.
type transactor interface {
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// HasTransactions reports whether the client has TransactWriteItems.
func (t *Table) HasTransactions() bool {
	_, ok := t.client.(transactor)
	return ok
}

// Move creates w under a new key and leaves a tombstone under the old one, both or neither, on the
// conditions of [Table.Create] and [Table.Update]. If they fail, it returns a *Refused with the
// item under the new key, if that is taken, or else with the one under the old key. The tombstone
// has the version of w, so a request that lost the response recognizes it.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func (t *Table) Move(ctx context.Context, oldKey, newKey string, base *Item, w Write) error {
	const doing, operation = "give a session a new ID in", "TransactWriteItems"
	item := t.attributes(newKey, base, &w)
	if err := checkSize(size(item) + w.reserve()); err != nil {
		return t.failed(doing, err)
	}
	e := t.movedExpression(base, &w)
	update, condition := e.update(), e.condition()
	in := &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{
				TableName:                           t.name,
				Item:                                item,
				ConditionExpression:                 &ifFree,
				ExpressionAttributeNames:            map[string]string{"#key": t.schema.Key},
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
			{Update: &types.Update{
				TableName:                           t.name,
				Key:                                 t.key(oldKey),
				UpdateExpression:                    &update,
				ConditionExpression:                 &condition,
				ExpressionAttributeNames:            e.names,
				ExpressionAttributeValues:           e.values,
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
		},
		ReturnConsumedCapacity: t.capacity,
	}
	client, ok := t.client.(transactor)
	if !ok {
		return t.failed(doing, t.lacks(operation))
	}
	t.meter(ctx).addBytes(len(w.Data))
	_, err := send(ctx, t, client, transactor.TransactWriteItems, in)
	if err == nil {
		return nil
	}
	created, ended, canceled := reasons(err)
	switch {
	case canceled && code(created) == codeReason:
		there, err := t.reasonItem(ctx, newKey, created)
		if err != nil {
			return err
		}
		return &Refused{Item: there, Taken: true}
	case canceled && code(ended) == codeReason:
		there, err := t.reasonItem(ctx, oldKey, ended)
		if err != nil {
			return err
		}
		return &Refused{Item: there}
	}
	return t.Error(ctx, doing, operation, err)
}

// MarkMoved leaves a tombstone under the old key of a session that w created under a new one, on
// the conditions of [Table.Update]. If they fail, it returns a *Refused. It is the second half of a
// move without transactions.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) MarkMoved(ctx context.Context, oldKey string, base *Item, w Write) error {
	return t.update(ctx, "give a session a new ID in", oldKey, t.movedExpression(base, &w))
}

// movedExpression returns the update that turns the item of base into a tombstone, and its
// condition.
func (t *Table) movedExpression(base *Item, w *Write) *expression {
	e := newExpression()
	t.setTombstone(e, Moved, base)
	e.set("version", attrVersion, text(w.Version))
	e.setOrRemove("recent", attrRecent, recentVersions(base, w.Version))
	t.ifUnchanged(e, base)
	if w.Token != "" {
		e.ifNotLockedSince(base, w.Token)
	}
	return e
}

// codeReason is the code of a transaction's request whose condition failed.
const codeReason = "ConditionalCheckFailed"

// reasons returns why a transaction was canceled: the reason for the put of the new item, and the
// reason for the update of the old one.
func reasons(err error) (created, ended types.CancellationReason, canceled bool) {
	var c *types.TransactionCanceledException
	if !errors.As(err, &c) || len(c.CancellationReasons) != 2 {
		return created, ended, false
	}
	return c.CancellationReasons[0], c.CancellationReasons[1], true
}

func code(r types.CancellationReason) string {
	if r.Code == nil || *r.Code == "None" {
		return ""
	}
	return *r.Code
}

// isTransient reports whether a transaction was canceled only for reasons that pass in a moment.
func isTransient(err error) bool {
	created, ended, canceled := reasons(err)
	if !canceled {
		return false
	}
	for _, r := range []types.CancellationReason{created, ended} {
		if c := code(r); c != "" && !slices.Contains([]string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}, c) {
			return false
		}
	}
	return true
}

// reasonItem returns the item under key that canceled a transaction. It reads the item if the
// response does not contain it.
func (t *Table) reasonItem(ctx context.Context, key string, reason types.CancellationReason) (*Item, error) {
	if there := t.read(ctx, reason.Item); there != nil {
		return there, nil
	}
	return t.Load(ctx, key, true)
}

func (t *Table) lacks(method string) error {
	return fmt.Errorf("the client %T has no method %s; use a *dynamodb.Client, or a wrapper that has it", t.client, method)
}
