// Package record reads and writes the items of sessions. It is the only package that makes DynamoDB
// requests about sessions. It knows nothing of values, codecs, cookies or HTTP: data is bytes and
// a tag that says how they were made.
//
// Every write of data is conditional on the version of the item that was read, and sets a new
// version. So the item that refuses a write shows whether the same write was applied before and its
// response lost, or somebody else wrote: see [Item.Shows].
package record

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client has the methods that a Table needs for single items.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// attributes are those of an item, or the values of an expression.
type attributes = map[string]types.AttributeValue

// The attributes with fixed names. The index of users projects the last three.
const (
	attrCodec     = "codec"
	attrVersion   = "version"
	attrRecent    = "recent"
	attrMaxAge    = "max_age"
	attrOptions   = "options"
	attrGone      = "gone"
	attrLock      = "lock"
	attrLockUntil = "lock_until"
	attrLockCount = "lock_count"
	UserAttribute = "user" // partition key of the index of users
	attrCreated   = "created"
	attrSeen      = "seen"
	attrLabel     = "label"
)

// ReservedAttributes returns the names that the configurable attributes of a [Schema] must not
// have.
func ReservedAttributes() []string {
	return []string{
		attrCodec, attrVersion, attrRecent, attrMaxAge, attrOptions, attrGone,
		attrLock, attrLockUntil, attrLockCount, UserAttribute, attrCreated, attrSeen, attrLabel,
	}
}

// ProjectedAttributes returns the attributes that the index of users projects besides its keys.
func ProjectedAttributes() []string { return []string{attrCreated, attrSeen, attrLabel} }

// Schema says where sessions are stored in their table.
type Schema struct {
	Table     string
	Key       string // partition key, type S
	SortKey   string // sort key, type S; empty if the table has none
	SortValue string
	Data      string
	Expires   string
	Index     string // of users; empty if there is none, and the attribute user is the application's
	Labels    bool   // sessions have labels; if not, the attribute label is the application's
	Prefix    string // of the keys of all sessions
	Metered   bool   // requests are counted by the Meter of their context
}

// Table is the table of sessions. It is safe for concurrent use if its client is.
type Table struct {
	client       Client
	schema       Schema
	placeholders map[string]string            // in expressions, and the attributes that they name
	known        map[string]bool              // the names of attributes that are this package's
	sortValue    types.AttributeValue         // nil if there is no sort key
	capacity     types.ReturnConsumedCapacity // empty if capacity is not metered
}

// New returns a Table for schema.
func New(client Client, schema Schema) *Table {
	t := &Table{
		client: client, schema: schema,
		placeholders: map[string]string{"#key": schema.Key, "#sort": schema.SortKey, "#data": schema.Data, "#expires": schema.Expires},
		known:        map[string]bool{schema.Key: true, schema.SortKey: true, schema.Data: true, schema.Expires: true},
	}
	for _, name := range ReservedAttributes() {
		t.placeholders["#"+name] = name
		t.known[name] = true
	}
	t.known[UserAttribute], t.known[attrLabel] = schema.Index != "", schema.Labels
	if schema.SortKey != "" {
		t.sortValue = text(schema.SortValue)
	}
	if schema.Metered {
		t.capacity = types.ReturnConsumedCapacityTotal
	}
	return t
}

// Schema returns where the sessions are stored.
func (t *Table) Schema() Schema { return t.schema }

// names returns the names behind the placeholders in the expressions. Every attribute has one:
// configured names may contain any character, and DynamoDB reserves several of the fixed ones.
func (t *Table) names(expressions ...string) map[string]string {
	names := make(map[string]string, 8)
	for _, rest := range expressions {
		for begin := strings.IndexByte(rest, '#'); begin >= 0; begin = strings.IndexByte(rest, '#') {
			rest = rest[begin:]
			end := strings.IndexAny(rest, " ,)")
			if end < 0 {
				end = len(rest)
			}
			names[rest[:end]] = t.placeholders[rest[:end]]
			rest = rest[end:]
		}
	}
	return names
}

// key returns the primary key of the item under key.
func (t *Table) key(key string) attributes {
	attrs := attributes{t.schema.Key: text(key)}
	if t.sortValue != nil {
		attrs[t.schema.SortKey] = t.sortValue
	}
	return attrs
}

// Load returns the item under key, or nil if there is none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
func (t *Table) Load(ctx context.Context, key string, consistent bool) (*Item, error) {
	out, err := send(ctx, t, Client.GetItem, &dynamodb.GetItemInput{
		TableName:              &t.schema.Table,
		Key:                    t.key(key),
		ConsistentRead:         &consistent,
		ReturnConsumedCapacity: t.capacity,
	})
	if err != nil {
		return nil, t.Error(ctx, "load from", "GetItem", err)
	}
	return t.read(ctx, out.Item), nil
}

// read returns the item with the attributes of a response and counts its data, or nil if there is
// none.
func (t *Table) read(ctx context.Context, attrs attributes) *Item {
	item := t.parse(attrs)
	if item != nil {
		t.meter(ctx).addBytes(len(item.Data))
	}
	return item
}

// Refused is the error of a write whose condition did not hold.
type Refused struct {
	Item  *Item // the stored item, or nil if there is none
	Taken bool  // for a move: Item is the one under the new key
}

func (*Refused) Error() string { return "dynamostore: conditional write refused" }

// refusalError returns the error of a conditional write of the item under key. If the condition
// failed, it is a *Refused with the stored item.
func (t *Table) refusalError(ctx context.Context, doing, operation, key string, err error) error {
	if attrs, refused := refusal(err); refused {
		return t.refused(ctx, key, attrs, false)
	}
	return t.Error(ctx, doing, operation, err)
}

// refused returns a *Refused with the item under key. attrs is that item, if the response contains
// it. If not, as with a DAX client, refused reads it.
func (t *Table) refused(ctx context.Context, key string, attrs attributes, taken bool) (err error) {
	item := t.read(ctx, attrs)
	if item == nil {
		if item, err = t.Load(ctx, key, true); err != nil {
			return err
		}
	}
	return &Refused{Item: item, Taken: taken}
}
