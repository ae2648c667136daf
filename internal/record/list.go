package record

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Entry is an item in a listing: without its data, and only with the attributes that the listing
// projects.
type Entry struct {
	Key  string
	Item *Item
}

// querier and scanner are what the listings need of a Client.
type (
	querier interface {
		Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	}
	scanner interface {
		Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	}
)

// ByUser yields a user's unexpired sessions from the index, which lags behind the table by moments.
// Each page is requested when it is needed, within timeout.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (t *Table) ByUser(ctx context.Context, user string, timeout time.Duration) iter.Seq2[Entry, error] {
	const condition = "#user = :user AND #expires > :now"
	l := listing{"list a user's sessions in", "Query", ScanOptions{Timeout: timeout}}
	return t.entries(ctx, l, func() requestPage {
		input := &dynamodb.QueryInput{
			TableName:                 &t.schema.Table,
			IndexName:                 &t.schema.Index,
			KeyConditionExpression:    aws.String(condition),
			ExpressionAttributeNames:  t.names(condition),
			ExpressionAttributeValues: attributes{":user": text(user), ":now": number(time.Now().Unix())},
			ReturnConsumedCapacity:    t.capacity,
		}
		return func(ctx context.Context) ([]attributes, bool, error) {
			out, err := send(ctx, t, querier.Query, input)
			if err != nil {
				return nil, false, err
			}
			input.ExclusiveStartKey = out.LastEvaluatedKey
			return out.Items, len(out.LastEvaluatedKey) > 0, nil
		}
	})
}

// ScanOptions say how to scan the table.
type ScanOptions struct {
	Segment, Segments int           // of a parallel scan; 0 segments are 1
	Timeout           time.Duration // of each request
	Patient           bool          // wait for as long as DynamoDB throttles the requests
	Tombstones        bool          // yield tombstones as well
	EndOfPage         func()        // called after each page; may be nil
}

// Scan yields the sessions in the table that belong to the schema, including expired ones. It
// requests pages of up to 1 MB as they are needed, with eventually consistent reads.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
func (t *Table) Scan(ctx context.Context, opts ScanOptions) iter.Seq2[Entry, error] {
	return t.entries(ctx, listing{"scan", "Scan", opts}, func() requestPage {
		input := t.scanInput(opts)
		return func(ctx context.Context) ([]attributes, bool, error) {
			out, err := send(ctx, t, scanner.Scan, input)
			if err != nil {
				return nil, false, err
			}
			input.ExclusiveStartKey = out.LastEvaluatedKey
			return out.Items, len(out.LastEvaluatedKey) > 0, nil
		}
	})
}

// scanInput returns the scan of everything that belongs to the schema.
func (t *Table) scanInput(opts ScanOptions) *dynamodb.ScanInput {
	// Items that are not sessions have no data. An item with data is a session, whatever else it
	// has, so gone is not projected.
	filter := "attribute_exists(#data)"
	projection := "#key, #expires, #created, #seen, #user, #label"
	if opts.Tombstones {
		filter = "(" + filter + " OR attribute_type(#gone, :string))"
	}
	values := attributes{":string": text("S")}
	if t.schema.Prefix != "" {
		filter += " AND begins_with(#key, :prefix)"
		values[":prefix"] = text(t.schema.Prefix)
	}
	// Every item has its table's keys, so a single one without them tells that the names are wrong:
	// see entry.
	misnamed := " OR NOT attribute_type(#key, :string)"
	if t.sortValue != nil {
		filter += " AND #sort = :sort"
		projection += ", #sort"
		misnamed += " OR NOT attribute_type(#sort, :string)"
		values[":sort"] = t.sortValue
	}
	filter += misnamed
	input := &dynamodb.ScanInput{
		TableName:                 &t.schema.Table,
		FilterExpression:          &filter,
		ProjectionExpression:      &projection,
		ExpressionAttributeNames:  t.names(filter, projection),
		ExpressionAttributeValues: values,
		ReturnConsumedCapacity:    t.capacity,
	}
	if opts.Segments > 1 {
		input.Segment, input.TotalSegments = aws.Int32(int32(opts.Segment)), aws.Int32(int32(opts.Segments))
	}
	return input
}

// listing says what a listing does, for its errors, and how.
type listing struct {
	doing, operation string
	ScanOptions
}

// requestPage requests the next page of a listing, and returns whether there may be more.
type requestPage func(context.Context) (items []attributes, more bool, err error)

// entries yields the items in a listing's pages that belong to the schema. An error ends it, and so
// does an item without the schema's keys.
func (t *Table) entries(ctx context.Context, l listing, begin func() requestPage) iter.Seq2[Entry, error] {
	retry := func(_ context.Context, f func() error) error { return f() }
	if l.Patient {
		retry = retryBusy
	}
	return func(yield func(Entry, error) bool) {
		request := begin()
		for more := true; more; {
			var items []attributes
			limited := ctx
			err := retry(ctx, func() (err error) {
				var cancel context.CancelFunc
				limited, cancel = context.WithTimeoutCause(ctx, l.Timeout, ErrTimeout)
				defer cancel()
				items, more, err = request(limited)
				return err
			})
			if err != nil {
				yield(Entry{}, t.Error(limited, l.doing, l.operation, err))
				return
			}
			for _, attrs := range items {
				e, ok, err := t.entry(attrs)
				if err != nil {
					yield(Entry{}, t.failed(l.doing, err))
					return
				}
				if ok && !yield(e, nil) {
					return
				}
			}
			if l.EndOfPage != nil {
				l.EndOfPage()
			}
		}
	}
}

// entry returns an item of a listing, if it belongs to the schema and its expiry can be read. It
// returns an error if the item has no strings under the names of the schema's keys.
func (t *Table) entry(attrs attributes) (e Entry, ok bool, err error) {
	const misnamed = "an item has no string (S) under %q, which Config.%s says is the table's %s key; CheckTable reports the table's key"
	key, ok := stringOf(attrs[t.schema.Key])
	if !ok {
		return e, false, fmt.Errorf(misnamed, t.schema.Key, "KeyAttribute", "partition")
	}
	if t.sortValue != nil {
		sort, ok := stringOf(attrs[t.schema.SortKey])
		if !ok {
			return e, false, fmt.Errorf(misnamed, t.schema.SortKey, "SortKeyAttribute", "sort")
		}
		if sort != t.schema.SortValue {
			return e, false, nil
		}
	}
	item := t.parse(attrs)
	isReadable := attrs[t.schema.Expires] == nil || item.HasExpires
	return Entry{Key: key, Item: item}, isReadable && t.schema.Owns(key), nil
}

// Owns reports whether a key belongs to one of the schema's sessions: it begins with Prefix, and
// the rest does not contain the last character of Prefix, so that a key of "app#two#" is not one of
// "app#".
func (s Schema) Owns(key string) bool {
	id, ok := strings.CutPrefix(key, s.Prefix)
	if !ok || id == "" || s.Prefix == "" {
		return ok && id != ""
	}
	last, _ := utf8.DecodeLastRuneInString(s.Prefix)
	return !strings.ContainsRune(id, last)
}

// Purge deletes the item of e, a session or a tombstone, if it is still expired, or was created at
// createdBefore or earlier, in seconds since 1970; a negative createdBefore means no limit. It
// reports whether the item is gone, and waits while DynamoDB throttles it. The end of ctx does not
// interrupt a request that was sent, so its outcome is known.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (t *Table) Purge(ctx context.Context, e Entry, createdBefore int64, timeout time.Duration) (bool, error) {
	// Protects a session that was saved since it was found, one whose end is not a number, and
	// items that are not sessions. The condition fails if there is no item.
	condition := "#expires <= :now AND (attribute_exists(#data) OR attribute_type(#gone, :string))"
	values := attributes{":string": text("S")}
	if e.Item.milliseconds {
		condition = "#expires > :seconds AND " + condition // it may be in seconds by now
		values[":seconds"] = number(maxTime)
	}
	if createdBefore >= 0 {
		// Adds sessions that were created too long ago. Protects sessions without a creation time.
		condition += " OR attribute_exists(#data) AND attribute_type(#expires, :number) AND #created BETWEEN :zero AND :before"
		values[":number"], values[":zero"], values[":before"] = text("N"), number(0), number(createdBefore)
	}
	limited := ctx
	err := retryBusy(ctx, func() error {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), timeout, ErrTimeout)
		defer cancel()
		values[":now"] = number(e.Item.now())
		_, err := send(limited, t, Client.DeleteItem, &dynamodb.DeleteItemInput{
			TableName:                 &t.schema.Table,
			Key:                       t.key(e.Key),
			ConditionExpression:       &condition,
			ExpressionAttributeNames:  t.names(condition),
			ExpressionAttributeValues: values,
			ReturnConsumedCapacity:    t.capacity,

			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	if there, refused := refusal(err); refused {
		// If there is no item, TTL or another purge deleted it, or this one did and lost the
		// response.
		return len(there) == 0, nil
	}
	if err != nil {
		return false, t.Error(limited, "purge", "DeleteItem", err)
	}
	return true, nil
}
