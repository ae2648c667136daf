package record

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Pages yields everything of the schema's in a segment of the table, a page of up to 1 MB at a time:
// sessions, expired ones too, and tombstones, each without its data. It waits for as long as DynamoDB
// throttles it. An error ends it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
func (t *Table) Pages(ctx context.Context, segment, segments int, timeout time.Duration) iter.Seq2[[]Entry, error] {
	// A session has data. A table may hold other things that have none.
	return t.scanned(ctx, "(attribute_exists(#data) OR attribute_type(#moved, :number))", segment, segments, timeout)
}

// HoldsOthers reports whether there is something under the schema's keys that is neither a session nor a
// tombstone: if there is no session, the data attribute may have another name. It scans until it finds one.
func (t *Table) HoldsOthers(ctx context.Context, timeout time.Duration) (bool, error) {
	for page, err := range t.scanned(ctx, "attribute_not_exists(#data) AND NOT attribute_type(#moved, :number)", 0, 1, timeout) {
		if err != nil || len(page) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// scanned yields what of the schema's a filter leaves. An item without the schema's keys is an error.
func (t *Table) scanned(ctx context.Context, filter string, segment, segments int, timeout time.Duration) iter.Seq2[[]Entry, error] {
	const doing = "scan"
	return func(yield func([]Entry, error) bool) {
		client, ok := t.client.(scanner)
		if !ok {
			yield(nil, t.failed(doing, t.lacks("Scan")))
			return
		}
		filter := filter
		projection := "#key, #expires, #created, #user, #moved"
		names := map[string]string{
			"#key": t.schema.Key, "#data": t.schema.Data, "#expires": t.schema.Expires,
			"#created": attrCreated, "#user": attrUser, "#moved": attrMoved,
		}
		values := map[string]types.AttributeValue{":number": typeNumber, ":string": typeString}
		if t.schema.Prefix != "" {
			filter += " AND begins_with(#key, :prefix)"
			values[":prefix"] = text(t.schema.Prefix)
		}
		if t.sortValue != nil {
			filter += " AND #sort = :sort"
			names["#sort"] = t.schema.SortKey
			values[":sort"] = t.sortValue
			projection += ", #sort"
		}
		filter = orMisnamed(t.schema, filter)
		input := &dynamodb.ScanInput{
			TableName:                 t.table,
			Segment:                   aws.Int32(int32(segment)),
			TotalSegments:             aws.Int32(int32(segments)),
			FilterExpression:          &filter,
			ProjectionExpression:      &projection,
			ExpressionAttributeNames:  names,
			ExpressionAttributeValues: values,
			ReturnConsumedCapacity:    t.capacity,
		}
		for {
			var out *dynamodb.ScanOutput
			err := persist(ctx, func() (err error) {
				ctx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				out, err = send(ctx, t, client, scanner.Scan, input)
				return err
			})
			if err != nil {
				yield(nil, t.explained(ctx, doing, "Scan", err))
				return
			}
			var page []Entry
			for _, attrs := range out.Items {
				if err := t.misnamed(attrs); err != nil {
					yield(nil, t.failed(doing, err))
					return
				}
				item := t.parse(attrs)
				page = append(page, Entry{Key: attrs[t.schema.Key].(*types.AttributeValueMemberS).Value, User: item.User, Item: item})
			}
			if !yield(page, nil) || len(out.LastEvaluatedKey) == 0 {
				return
			}
			input.ExclusiveStartKey = out.LastEvaluatedKey
		}
	}
}

// Purge removes the session or tombstone under key, if it has expired by now, or is a session that was
// created at the time born or before: in seconds since 1970; negative: no matter when. It reports whether
// nothing lies there any more, and waits for as long as DynamoDB throttles it. A request that was sent is not
// given up with ctx, so that it is known what became of it.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (t *Table) Purge(ctx context.Context, key string, born int64, timeout time.Duration) (bool, error) {
	condition := ifExpired
	names := map[string]string{"#data": t.schema.Data, "#expires": t.schema.Expires, "#moved": attrMoved}
	values := map[string]types.AttributeValue{":number": typeNumber}
	if born >= 0 {
		condition += ifOld
		names["#created"] = attrCreated
		values[":zero"], values[":born"] = number(0), number(born)
	}
	err := persist(ctx, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		values[":now"] = number(time.Now().Unix())
		_, err := send(ctx, t, t.client, Client.DeleteItem, &dynamodb.DeleteItemInput{
			TableName:                 t.table,
			Key:                       t.key(key),
			ConditionExpression:       &condition,
			ExpressionAttributeNames:  names,
			ExpressionAttributeValues: values,
			ReturnConsumedCapacity:    t.capacity,

			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	if there, refused := refusal(err); refused {
		// Without an item, TTL was faster, or another purge, or this one, whose answer was lost.
		return len(there) == 0, nil
	}
	if err != nil {
		return false, t.explained(ctx, "purge", "DeleteItem", err)
	}
	return true, nil
}

const (
	// ifExpired protects a session that was saved since it was found, one whose end is not a number, and
	// what is no session. An item that is gone meets no condition.
	ifExpired = "#expires <= :now AND (attribute_exists(#data) OR attribute_type(#moved, :number))"
	// ifOld adds sessions that were created too long ago. It protects those that do not say when.
	ifOld = " OR attribute_exists(#data) AND attribute_type(#expires, :number) AND #created BETWEEN :zero AND :born"
)

// persist calls f until it returns something else than that DynamoDB is busy. What may not pass by itself, it
// tries a few times. It waits no longer than ctx allows.
func persist(ctx context.Context, f func() error) error {
	failures := 0
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := f()
		switch {
		case err == nil:
			return nil
		case busy(err):
		case failures < maxFailures && (errors.Is(err, context.DeadlineExceeded) || errorCode(err) == "InternalServerError"):
			failures++
		default:
			return err
		}
		if ended := Pause(ctx, wait/2+rand.N(wait)); ended != nil {
			return fmt.Errorf("%w, while DynamoDB was busy: %w", ended, err)
		}
	}
}

// maxFailures is how often a request may fail, retries of the SDK not counted, before that counts.
const maxFailures = 5

// busy reports whether err says that DynamoDB does not take the request at the moment.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
func busy(err error) bool {
	var retries ratelimit.QuotaExceededError // the SDK has retried so much of late that it does not do it now
	return errors.As(err, &retries) || slices.Contains([]string{
		codeConflict, codeRegions,
		"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
	}, errorCode(err))
}
