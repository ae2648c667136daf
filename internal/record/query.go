package record

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Entry is a session as a listing finds it.
type Entry struct {
	Key  string
	User string
	Item *Item // Expires and Created, where known
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

// ByUser yields a user's sessions that have not expired, by the index, whose entries follow the table
// within moments. Each page is requested when it is wanted, and given up on after timeout.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (t *Table) ByUser(ctx context.Context, user string, timeout time.Duration) iter.Seq2[Entry, error] {
	const doing = "list a user's sessions in"
	return t.pages(ctx, doing, "Query", timeout, func(ctx context.Context, start map[string]types.AttributeValue) (items []map[string]types.AttributeValue, next map[string]types.AttributeValue, err error) {
		client, ok := t.client.(querier)
		if !ok {
			return nil, nil, t.lacks("Query")
		}
		out, err := send(ctx, t, client, querier.Query, &dynamodb.QueryInput{
			TableName:                t.table,
			IndexName:                &t.schema.Index,
			KeyConditionExpression:   aws.String("#user = :user AND #expires > :now"),
			ExpressionAttributeNames: t.names.byUser,
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":user": text(user),
				":now":  number(time.Now().Unix()),
			},
			ExclusiveStartKey:      start,
			ReturnConsumedCapacity: t.capacity,
		})
		if err != nil {
			return nil, nil, t.indexError(err)
		}
		return out.Items, out.LastEvaluatedKey, nil
	})
}

// indexError puts in front of a refusal of the index what mends it.
func (t *Table) indexError(err error) error {
	switch text := err.Error(); {
	case errorCode(err) != codeInvalid:
	case strings.Contains(text, "specified index"):
		return fmt.Errorf("it has no index %q: create it, as EnsureTable does, or set Config.UserIndex to the one it has: %w", t.schema.Index, err)
	case strings.Contains(text, "key schema element") || strings.Contains(text, "does not match schema type"):
		return fmt.Errorf("its index %q has other keys than %q (S) and %q (N): set Config.UserIndex or Config.ExpiresAttribute as CheckTable tells: %w", t.schema.Index, attrUser, t.schema.Expires, err)
	}
	return err
}

// All yields all sessions of the schema's that have not expired, by a scan of the table. Each page is requested
// when it is wanted, and given up on after timeout.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
func (t *Table) All(ctx context.Context, timeout time.Duration) iter.Seq2[Entry, error] {
	const doing = "list the sessions in"
	return t.pages(ctx, doing, "Scan", timeout, func(ctx context.Context, start map[string]types.AttributeValue) (items []map[string]types.AttributeValue, next map[string]types.AttributeValue, err error) {
		client, ok := t.client.(scanner)
		if !ok {
			return nil, nil, t.lacks("Scan")
		}
		values := map[string]types.AttributeValue{":now": number(time.Now().Unix()), ":string": typeString}
		if t.schema.Prefix != "" {
			values[":prefix"] = text(t.schema.Prefix)
		}
		projection := "#key, #expires, #created, #user"
		if t.sortValue != nil {
			values[":sort"] = t.sortValue
			projection += ", #sort"
		}
		out, err := send(ctx, t, client, scanner.Scan, &dynamodb.ScanInput{
			TableName:                 t.table,
			FilterExpression:          &t.scan,
			ProjectionExpression:      &projection,
			ExpressionAttributeNames:  t.names.all,
			ExpressionAttributeValues: values,
			ExclusiveStartKey:         start,
			ReturnConsumedCapacity:    t.capacity,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, nil
	})
}

// scanFilter leaves what is a live session of this Store's: a tombstone has no data, and a table may
// hold other things than sessions.
func scanFilter(s Schema) string {
	filter := "attribute_exists(#data) AND NOT #expires <= :now"
	if s.Prefix != "" {
		filter += " AND begins_with(#key, :prefix)"
	}
	if s.SortKey != "" {
		filter += " AND #sort = :sort"
	}
	return orMisnamed(s, filter)
}

// orMisnamed lets through, beside what filter, a conjunction, leaves, what has no string under the names of the schema's keys.
// Every item has its table's keys, so a single one tells that the names are wrong: see misnamed.
func orMisnamed(s Schema, filter string) string {
	filter += " OR NOT attribute_type(#key, :string)"
	if s.SortKey != "" {
		filter += " OR NOT attribute_type(#sort, :string)"
	}
	return filter
}

// misnamed returns what the keys of an item that a listing found tell of the schema.
func (t *Table) misnamed(attrs map[string]types.AttributeValue) error {
	const form = "an item has no string (S) under %q, which Config.%s says is the table's %s key: set it to the name that the key has, as CheckTable tells"
	if _, ok := attrs[t.schema.Key].(*types.AttributeValueMemberS); !ok {
		return fmt.Errorf(form, t.schema.Key, "KeyAttribute", "partition")
	}
	if t.sortValue == nil {
		return nil
	}
	if _, ok := attrs[t.schema.SortKey].(*types.AttributeValueMemberS); !ok {
		return fmt.Errorf(form, t.schema.SortKey, "SortKeyAttribute", "sort")
	}
	return nil
}

func (t *Table) lacks(method string) error {
	return fmt.Errorf("the client %T lacks %s: use a *dynamodb.Client, or a wrapper that has it", t.client, method)
}

type page func(ctx context.Context, start map[string]types.AttributeValue) (items []map[string]types.AttributeValue, next map[string]types.AttributeValue, err error)

func (t *Table) pages(ctx context.Context, doing, operation string, timeout time.Duration, request page) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var start map[string]types.AttributeValue
		for {
			limited, cancel := context.WithTimeout(ctx, timeout)
			items, next, err := request(limited, start)
			cancel()
			if err != nil {
				yield(Entry{}, t.explained(ctx, doing, operation, err))
				return
			}
			for _, attrs := range items {
				if err := t.misnamed(attrs); err != nil {
					yield(Entry{}, t.failed(doing, err))
					return
				}
				if e, ok := t.entry(attrs); ok && !yield(e, nil) {
					return
				}
			}
			if start = next; len(start) == 0 {
				return
			}
		}
	}
}

// entry returns what a listing found, if it is one of the sessions under prefix. Its keys are named rightly.
func (t *Table) entry(attrs map[string]types.AttributeValue) (Entry, bool) {
	key := attrs[t.schema.Key].(*types.AttributeValueMemberS)
	if !strings.HasPrefix(key.Value, t.schema.Prefix) {
		return Entry{}, false
	}
	if t.sortValue != nil && attrs[t.schema.SortKey].(*types.AttributeValueMemberS).Value != t.schema.SortValue {
		return Entry{}, false
	}
	item := t.parse(attrs)
	if attrs[t.schema.Expires] != nil && !item.HasExpires {
		return Entry{}, false // of the wrong type: nobody can load it
	}
	if t.schema.Index == "" {
		item.User = "" // the attribute is somebody else's
	}
	return Entry{Key: key.Value, User: item.User, Item: item}, true
}

// Destroy removes the session under key, unless a tombstone lies there, and reports whether there
// was one to remove. With a user, it removes only what is that user's. It gives up after timeout.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (t *Table) Destroy(ctx context.Context, key, user string, timeout time.Duration) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	input := &dynamodb.DeleteItemInput{
		TableName:                t.table,
		Key:                      t.key(key),
		ConditionExpression:      &ifSession,
		ExpressionAttributeNames: t.names.destroy,
		ReturnConsumedCapacity:   t.capacity,
	}
	if user != "" {
		input.ConditionExpression = &ifUsers
		input.ExpressionAttributeNames = t.names.destroyUser
		input.ExpressionAttributeValues = map[string]types.AttributeValue{":user": text(user)}
	}
	_, err := send(limited, t, t.client, Client.DeleteItem, input)
	if _, refused := refusal(err); refused {
		return false, nil
	}
	if err != nil {
		return false, t.explained(ctx, "delete from", "DeleteItem", err)
	}
	return true, nil
}

var (
	// ifSession protects a tombstone, which keeps late requests from the rotated session's cookie.
	ifSession = "attribute_exists(#data)"
	// ifUsers protects a session that changed hands since the index was read.
	ifUsers = "#user = :user"
)
