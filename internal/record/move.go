package record

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	update := t.updateInput(oldKey, t.movedExpression(base, &w))
	in := &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{
				TableName:                           &t.schema.Table,
				Item:                                item,
				ConditionExpression:                 &ifFree,
				ExpressionAttributeNames:            t.names(ifFree),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
			{Update: &types.Update{
				TableName:                           &t.schema.Table,
				Key:                                 update.Key,
				UpdateExpression:                    update.UpdateExpression,
				ConditionExpression:                 update.ConditionExpression,
				ExpressionAttributeNames:            update.ExpressionAttributeNames,
				ExpressionAttributeValues:           update.ExpressionAttributeValues,
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			}},
		},
		ReturnConsumedCapacity: t.capacity,
	}
	t.meter(ctx).addBytes(len(w.Data))
	_, err := send(ctx, t, transactor.TransactWriteItems, in)
	if err == nil {
		return nil
	}
	for i, reason := range reasons(err) {
		if aws.ToString(reason.Code) == codeReason {
			return t.refused(ctx, []string{newKey, oldKey}[i], reason.Item, i == 0)
		}
	}
	return t.Error(ctx, doing, operation, err)
}

// MarkMoved leaves a tombstone under the old key of a session that w created under a new one, on
// the conditions of [Table.Update]. If they fail, it returns a *Refused. It is the second half of a
// move without transactions.
func (t *Table) MarkMoved(ctx context.Context, oldKey string, base *Item, w Write) error {
	return t.update(ctx, "give a session a new ID in", oldKey, t.movedExpression(base, &w))
}

// movedExpression returns the update that turns the item of base into a tombstone, and its
// condition.
func (t *Table) movedExpression(base *Item, w *Write) *expression {
	e := t.tombstone(Moved, base)
	e.set(attrVersion, text(w.Version))
	e.setOrRemove(attrRecent, recentVersions(base, w.Version))
	e.requireUnchanged(base)
	if w.Token != "" {
		e.requireNotLockedSince(base, w.Token)
	}
	return e
}

// codeReason is the code of a transaction's request whose condition failed.
const codeReason = "ConditionalCheckFailed"

// reasons returns why a move's transaction was canceled: the reason for the put of the new item,
// and the reason for the update of the old one. It returns nil for any other error.
func reasons(err error) []types.CancellationReason {
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || len(canceled.CancellationReasons) != 2 {
		return nil
	}
	return canceled.CancellationReasons
}

// isTransient reports whether a transaction was canceled only for reasons that pass in a moment.
func isTransient(err error) bool {
	transient := []string{"", "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
	for _, reason := range reasons(err) {
		if !slices.Contains(transient, aws.ToString(reason.Code)) {
			return false
		}
	}
	return reasons(err) != nil
}
