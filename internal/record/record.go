// Package record reads and writes the item of one session. It is the only package that makes
// DynamoDB requests for sessions, and it knows nothing of HTTP, cookies or codecs: data is bytes
// and a tag that says how they were made.
//
// Every write of data is a compare-and-swap on the item's version, so an answer that was lost and a
// request that the SDK sent twice are both told from somebody else's write: see [Refused].
package record

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client is what a Table calls.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// The attributes whose names are fixed.
const (
	attrCodec     = "codec"
	attrVersion   = "version"
	attrPrior     = "prior"
	attrCreated   = "created"
	attrMaxAge    = "max_age"
	attrUser      = "user"
	attrMoved     = "moved"
	attrLock      = "lock"
	attrLockUntil = "lock_until"
)

// The attributes of the index of users that are not configured.
const (
	UserAttribute    = attrUser
	CreatedAttribute = attrCreated
)

// Fixed returns the names of attributes that a Schema must not use for something else.
func Fixed() []string {
	return []string{
		attrCodec, attrVersion, attrPrior, attrCreated, attrMaxAge,
		attrUser, attrMoved, attrLock, attrLockUntil,
	}
}

// Schema says where a session lies in its table.
type Schema struct {
	Table     string
	Key       string // partition key, type S
	SortKey   string // sort key, type S; "": the table has none
	SortValue string
	Data      string
	Expires   string
	Index     string // of users; "": none
	Prefix    string // that the keys of all sessions have, for listing them
	Metered   bool   // requests are counted by the Meter of their context
}

// Table is the table of sessions. It is safe for concurrent use if its client is.
type Table struct {
	client    Client
	schema    Schema
	table     *string
	sortValue types.AttributeValue
	names     names
	updates   [variants]update
	scan      string                       // filter of Scan
	capacity  types.ReturnConsumedCapacity // "": not asked for
}

// New returns the Table that schema describes.
func New(client Client, schema Schema) *Table {
	t := &Table{
		client: client,
		schema: schema,
		table:  aws.String(schema.Table),
		names:  newNames(schema),
	}
	if schema.SortKey != "" {
		t.sortValue = &types.AttributeValueMemberS{Value: schema.SortValue}
	}
	t.scan = scanFilter(schema)
	if schema.Metered {
		t.capacity = types.ReturnConsumedCapacityTotal
	}
	for v := range t.updates {
		t.updates[v] = newUpdate(schema, variant(v))
	}
	return t
}

// NewVersion returns a version that no other write has: 128 random bits.
func NewVersion() string { return rand.Text() }

func (t *Table) key(key string) map[string]types.AttributeValue { return t.keyIn(text(key)) }

// keyIn is key, of a value that is there.
func (t *Table) keyIn(key types.AttributeValue) map[string]types.AttributeValue {
	attrs := map[string]types.AttributeValue{t.schema.Key: key}
	if t.sortValue != nil {
		attrs[t.schema.SortKey] = t.sortValue
	}
	return attrs
}

// Refused is the error of a write whose condition did not hold.
type Refused struct {
	Item *Item // what lies there instead; nil: nothing
}

func (*Refused) Error() string { return "dynamostore: conditional write refused" }

// Load returns the item under key, or nil if there is none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
func (t *Table) Load(ctx context.Context, key string, consistent bool) (*Item, error) {
	out, err := send(ctx, t, t.client, Client.GetItem, &dynamodb.GetItemInput{
		TableName:              t.table,
		Key:                    t.key(key),
		ConsistentRead:         &consistent,
		ReturnConsumedCapacity: t.capacity,
	})
	if err != nil {
		return nil, t.failed("load from", err)
	}
	return t.read(ctx, out.Item), nil
}

// read returns the item that an answer brought, nil for none.
func (t *Table) read(ctx context.Context, attrs map[string]types.AttributeValue) *Item {
	item := t.parse(attrs)
	if item != nil {
		t.meter(ctx).carried(len(item.Data))
	}
	return item
}

// Create puts a new item under key if none lies there, else it returns a *Refused. An item that
// carries w's own version is this very write, whose answer was lost: no error.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
func (t *Table) Create(ctx context.Context, key string, w Write) error {
	item := t.item(key, &w)
	if err := checkSize(size(item) + w.lockSize()); err != nil {
		return t.failed("create in", err)
	}
	t.meter(ctx).carried(len(w.Data))
	_, err := send(ctx, t, t.client, Client.PutItem, &dynamodb.PutItemInput{
		TableName:                           t.table,
		Item:                                item,
		ConditionExpression:                 &ifFree,
		ExpressionAttributeNames:            t.names.key,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	})
	if err == nil {
		return nil
	}
	return t.settle(ctx, "create in", key, err, func(there *Item) bool { return there.wrote(w.Version) })
}

// item returns the item that w makes under key.
func (t *Table) item(key string, w *Write) map[string]types.AttributeValue {
	v := newWriteValues(key, w)
	item := t.keyIn(&v.key)
	item[t.schema.Data] = v.data()
	item[attrCodec] = &v.codec
	item[attrVersion] = &v.version
	item[t.schema.Expires] = &v.expires
	item[attrCreated] = &v.created
	if w.HasMaxAge {
		item[attrMaxAge] = number(int64(w.MaxAge))
	}
	if w.User != "" {
		item[attrUser] = text(w.User)
	}
	return item
}

// ifFree protects an existing session from one that was given the same ID.
var ifFree = "attribute_not_exists(#key)"

// Update replaces the data of the item that was read, if its version is still the one that was
// read, or w says to overwrite, and nobody else holds the lock that w may be fenced by; else it
// returns a *Refused. An item that carries w's own version, or had it before the
// write that came after, shows that this very write was applied and its answer lost: no error.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Update(ctx context.Context, key string, read *Item, w Write) error {
	v := variantOf(read, w)
	u := &t.updates[v]
	common := newWriteValues(key, &w)
	values := make(map[string]types.AttributeValue, 8)
	values[":data"] = common.data()
	values[":codec"] = &common.codec
	values[":version"] = &common.version
	values[":expires"] = &common.expires
	values[":created"] = &common.created
	if v&setMaxAge != 0 {
		values[":max_age"] = number(int64(w.MaxAge))
	}
	if v&setUser != 0 {
		values[":user"] = text(w.User)
	}
	switch {
	case v&overwrite != 0:
	case v&unversioned != 0:
		values[":read"] = read.raw
	default:
		values[":read"] = read.Version
	}
	bytes := t.keySize(key) + u.namesSize + w.lockSize()
	for name, v := range values {
		if name != ":read" || u.keepsRead {
			bytes += valueSize(v)
		}
	}
	if err := checkSize(bytes); err != nil {
		return t.failed("update in", err)
	}
	if v&fenced != 0 {
		fence(values, w.Token, time.Now())
	}
	t.meter(ctx).carried(len(w.Data))
	_, err := send(ctx, t, t.client, Client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                           t.table,
		Key:                                 t.keyIn(&common.key),
		UpdateExpression:                    &u.update,
		ConditionExpression:                 &u.condition,
		ExpressionAttributeNames:            u.names,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	})
	if err == nil {
		return nil
	}
	return t.settle(ctx, "update in", key, err, func(there *Item) bool { return there.wrote(w.Version) })
}

// Touch moves the expiry of the item that was read, if its version and expiry are still those that
// were read; else it returns a *Refused. A token has it refused while somebody else holds the
// lock, and gives up the lock of that token; "": there is none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Touch(ctx context.Context, key string, read *Item, expires int64, token string) error {
	update, condition, names := &touchUpdate, &touchCondition, t.names.touch
	values := map[string]types.AttributeValue{
		":version": read.Version,
		":read":    number(read.Expires),
		":expires": number(expires),
	}
	if token != "" {
		update, condition, names = &fencedTouchUpdate, &fencedTouchCondition, t.names.fencedTouch
		fence(values, token, time.Now())
	}
	_, err := send(ctx, t, t.client, Client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                           t.table,
		Key:                                 t.key(key),
		UpdateExpression:                    update,
		ConditionExpression:                 condition,
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	})
	if err == nil {
		return nil
	}
	return t.settle(ctx, "extend a session in", key, err, func(there *Item) bool {
		return there.HasExpires && there.Expires == expires && sameVersion(there.Version, read.Version)
	})
}

// The condition of a touch protects a write that came between: its expiry is the later one, and
// an item that was deleted must not come back as a key with an expiry and nothing else.
var (
	touchUpdate          = "SET #expires = :expires"
	touchCondition       = "#version = :version AND #expires = :read"
	fencedTouchUpdate    = touchUpdate + " REMOVE #lock, #lock_until"
	fencedTouchCondition = touchCondition + " AND " + ifNotHeld
)

// Lock takes the lock of the item under key for the token, until then, and returns the item. If
// someone else holds the lock, or there is no live session, it returns a *Refused. The token's own
// lock is taken anew.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Lock(ctx context.Context, key, token string, until time.Time) (*Item, error) {
	now := time.Now()
	values := map[string]types.AttributeValue{
		":until":   number(until.UnixMilli()),
		":seconds": number(now.Unix()),
	}
	fence(values, token, now)
	out, err := send(ctx, t, t.client, Client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                           t.table,
		Key:                                 t.key(key),
		UpdateExpression:                    &lockUpdate,
		ConditionExpression:                 &lockCondition,
		ExpressionAttributeNames:            t.names.lock,
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	})
	if err != nil {
		return nil, t.settle(ctx, "lock a session in", key, err, func(*Item) bool { return false })
	}
	return t.read(ctx, out.Attributes), nil
}

// The condition of a lock protects its holder, and keeps a lock from making an item where there
// is none. A session that has ended, or was rotated, is not locked either.
var (
	lockUpdate    = "SET #lock = :token, #lock_until = :until"
	lockCondition = "attribute_exists(#data) AND NOT #expires <= :seconds AND " + ifNotHeld
)

// Unlock gives up the lock of the token, if it is still held.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Unlock(ctx context.Context, key, token string) error {
	_, err := send(ctx, t, t.client, Client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                 t.table,
		Key:                       t.key(key),
		UpdateExpression:          &unlockUpdate,
		ConditionExpression:       &unlockCondition,
		ExpressionAttributeNames:  t.names.unlock,
		ExpressionAttributeValues: map[string]types.AttributeValue{":token": text(token)},
		ReturnConsumedCapacity:    t.capacity,
	})
	if _, lost := refusal(err); err == nil || lost {
		return nil
	}
	return t.failed("unlock a session in", err)
}

// The condition of an unlock protects the lock of whoever took it after the lease ended.
var (
	unlockUpdate    = "REMOVE #lock, #lock_until"
	unlockCondition = "#lock = :token"
)

// Delete removes the item under key, whatever it holds and whoever holds it, but for a tombstone: then it returns a
// *Refused. There need be none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (t *Table) Delete(ctx context.Context, key string) error {
	_, err := send(ctx, t, t.client, Client.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                 t.table,
		Key:                       t.key(key),
		ConditionExpression:       &ifNotMoved,
		ExpressionAttributeNames:  t.names.remove,
		ExpressionAttributeValues: movedIsNumber,
		ReturnConsumedCapacity:    t.capacity,
	})
	if _, refused := refusal(err); refused {
		return &Refused{Item: &Item{Moved: true}}
	}
	if err != nil {
		return t.failed("delete from", err)
	}
	return nil
}

// ifNotMoved protects a tombstone, which keeps late requests from the rotated session's cookie.
var (
	ifNotMoved    = "NOT attribute_type(#moved, :number) OR attribute_exists(#data)"
	movedIsNumber = map[string]types.AttributeValue{":number": typeNumber}
)

// settle turns the error of a conditional write into what it means. A refusal need not bring the
// item: a DAX client never does. The item is then read before anything counts as gone.
func (t *Table) settle(ctx context.Context, doing, key string, err error, ours func(*Item) bool) error {
	attrs, refused := refusal(err)
	if !refused {
		return t.failed(doing, err)
	}
	there := t.read(ctx, attrs)
	if there == nil {
		if there, err = t.Load(ctx, key, true); err != nil {
			return err
		}
	}
	if there != nil && ours(there) {
		return nil
	}
	return &Refused{Item: there}
}

func (t *Table) failed(doing string, err error) error {
	return fmt.Errorf("dynamostore: %s table %q: %w", doing, t.schema.Table, Clean(err))
}
