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
	const doing, operation = "list a user's sessions in", "Query"
	client, ok := t.client.(querier)
	if !ok {
		return failing(t.failed(doing, t.lacks(operation)))
	}
	return t.entries(doing, func() nextPage {
		input := &dynamodb.QueryInput{
			TableName:                t.name,
			IndexName:                &t.schema.Index,
			KeyConditionExpression:   aws.String("#user = :user AND #expires > :now"),
			ExpressionAttributeNames: map[string]string{"#user": attrUser, "#expires": t.schema.Expires},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":user": text(user),
				":now":  number(time.Now().Unix()),
			},
			ReturnConsumedCapacity: t.capacity,
		}
		return func() ([]map[string]types.AttributeValue, bool, error) {
			limited, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
			defer cancel()
			out, err := send(limited, t, client, querier.Query, input)
			if err != nil {
				return nil, false, t.Error(limited, doing, operation, t.indexError(err))
			}
			input.ExclusiveStartKey = out.LastEvaluatedKey
			return out.Items, len(out.LastEvaluatedKey) > 0, nil
		}
	})
}

// indexError adds a hint to an error about the index.
func (t *Table) indexError(err error) error {
	switch text := err.Error(); {
	case errorCode(err) != codeInvalid:
	case strings.Contains(text, "specified index"):
		return fmt.Errorf("the table has no index %q; create it with EnsureTable, or set Config.UserIndex: %w", t.schema.Index, err)
	case strings.Contains(text, "key schema element") || strings.Contains(text, "does not match schema type"):
		return fmt.Errorf("the keys of the index %q are not %q (S) and %q (N); CheckTable reports them; set Config.UserIndex or Config.ExpiresAttribute: %w",
			t.schema.Index, attrUser, t.schema.Expires, err)
	}
	return err
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
	const doing, operation = "scan", "Scan"
	client, ok := t.client.(scanner)
	if !ok {
		return failing(t.failed(doing, t.lacks(operation)))
	}
	return t.entries(doing, func() nextPage {
		input := t.scanInput(opts)
		retry := func(_ context.Context, f func() error) error { return f() }
		if opts.Patient {
			retry = retryBusy
		}
		begun := false
		return func() (items []map[string]types.AttributeValue, more bool, err error) {
			if begun && opts.EndOfPage != nil {
				opts.EndOfPage()
			}
			begun = true
			var out *dynamodb.ScanOutput
			limited := ctx
			err = retry(ctx, func() (err error) {
				var cancel context.CancelFunc
				limited, cancel = context.WithTimeoutCause(ctx, opts.Timeout, ErrTimeout)
				defer cancel()
				out, err = send(limited, t, client, scanner.Scan, input)
				return err
			})
			if err != nil {
				return nil, false, t.Error(limited, doing, operation, err)
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
	names := map[string]string{
		"#key": t.schema.Key, "#data": t.schema.Data, "#expires": t.schema.Expires,
		"#created": attrCreated, "#seen": attrSeen, "#user": attrUser, "#label": attrLabel,
	}
	if opts.Tombstones {
		filter = "(" + filter + " OR attribute_type(#gone, :string))"
		names["#gone"] = attrGone
	}
	values := map[string]types.AttributeValue{":string": text("S")}
	if t.schema.Prefix != "" {
		filter += " AND begins_with(#key, :prefix)"
		values[":prefix"] = text(t.schema.Prefix)
	}
	// Every item has its table's keys, so a single one without them tells that the names are wrong:
	// see checkKeyNames.
	misnamed := " OR NOT attribute_type(#key, :string)"
	if t.sortValue != nil {
		filter += " AND #sort = :sort"
		projection += ", #sort"
		misnamed += " OR NOT attribute_type(#sort, :string)"
		names["#sort"] = t.schema.SortKey
		values[":sort"] = t.sortValue
	}
	filter += misnamed
	input := &dynamodb.ScanInput{
		TableName:                 t.name,
		FilterExpression:          &filter,
		ProjectionExpression:      &projection,
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
		ReturnConsumedCapacity:    t.capacity,
	}
	if opts.Segments > 1 {
		input.Segment, input.TotalSegments = aws.Int32(int32(opts.Segment)), aws.Int32(int32(opts.Segments))
	}
	return input
}

func failing(err error) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { yield(Entry{}, err) }
}

// nextPage returns the next page of a listing, and whether there may be more.
type nextPage func() (items []map[string]types.AttributeValue, more bool, err error)

// entries yields the items in a listing's pages that belong to the schema. An error ends it, and so
// does an item without the schema's keys.
func (t *Table) entries(doing string, begin func() nextPage) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next := begin()
		for more := true; more; {
			var items []map[string]types.AttributeValue
			var err error
			if items, more, err = next(); err != nil {
				yield(Entry{}, err)
				return
			}
			for _, attrs := range items {
				if err := t.checkKeyNames(attrs); err != nil {
					yield(Entry{}, t.failed(doing, err))
					return
				}
				if e, ok := t.entry(attrs); ok && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// checkKeyNames returns an error if an item in a listing has no strings under the names of the
// schema's keys.
func (t *Table) checkKeyNames(attrs map[string]types.AttributeValue) error {
	const form = "an item has no string (S) under %q, which Config.%s says is the table's %s key; CheckTable reports the table's key"
	if _, ok := stringOf(attrs[t.schema.Key]); !ok {
		return fmt.Errorf(form, t.schema.Key, "KeyAttribute", "partition")
	}
	if t.sortValue == nil {
		return nil
	}
	if _, ok := stringOf(attrs[t.schema.SortKey]); !ok {
		return fmt.Errorf(form, t.schema.SortKey, "SortKeyAttribute", "sort")
	}
	return nil
}

// entry returns an item of a listing, if it belongs to the schema and its expiry can be read.
func (t *Table) entry(attrs map[string]types.AttributeValue) (Entry, bool) {
	key, _ := stringOf(attrs[t.schema.Key])
	if !t.schema.Owns(key) {
		return Entry{}, false
	}
	if t.sortValue != nil {
		if sort, _ := stringOf(attrs[t.schema.SortKey]); sort != t.schema.SortValue {
			return Entry{}, false
		}
	}
	item := t.parse(attrs)
	if attrs[t.schema.Expires] != nil && !item.HasExpires {
		return Entry{}, false
	}
	return Entry{Key: key, Item: item}, true
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
	names := map[string]string{"#data": t.schema.Data, "#expires": t.schema.Expires, "#gone": attrGone}
	values := map[string]types.AttributeValue{":string": text("S")}
	if e.Item.milliseconds {
		condition = "#expires > :seconds AND " + condition // it may be in seconds by now
		values[":seconds"] = number(maxTime)
	}
	if createdBefore >= 0 {
		// Adds sessions that were created too long ago. Protects sessions without a creation time.
		condition += " OR attribute_exists(#data) AND attribute_type(#expires, :number) AND #created BETWEEN :zero AND :before"
		names["#created"] = attrCreated
		values[":number"], values[":zero"], values[":before"] = text("N"), number(0), number(createdBefore)
	}
	limited := ctx
	err := retryBusy(ctx, func() error {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), timeout, ErrTimeout)
		defer cancel()
		values[":now"] = number(e.Item.now())
		_, err := send(limited, t, t.client, Client.DeleteItem, &dynamodb.DeleteItemInput{
			TableName:                 t.name,
			Key:                       t.key(e.Key),
			ConditionExpression:       &condition,
			ExpressionAttributeNames:  names,
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
