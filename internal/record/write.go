package record

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Create puts a new item under key if there is none, or else returns a *Refused. If base is not
// nil, the item also gets the attributes of base that are not this package's.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
func (t *Table) Create(ctx context.Context, key string, base *Item, w Write) error {
	const doing = "create a session in"
	item := t.attributes(key, base, &w)
	if err := checkSize(size(item) + w.reserve()); err != nil {
		return t.failed(doing, err)
	}
	t.meter(ctx).addBytes(len(w.Data))
	_, err := send(ctx, t, t.client, Client.PutItem, &dynamodb.PutItemInput{
		TableName:                           t.name,
		Item:                                item,
		ConditionExpression:                 &ifFree,
		ExpressionAttributeNames:            map[string]string{"#key": t.schema.Key},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	})
	if err != nil {
		return t.refusalError(ctx, doing, "PutItem", key, err)
	}
	return nil
}

// ifFree protects a session that has the same ID. It also protects a tombstone, so that a late
// duplicate of the request cannot bring back a session that ended.
var ifFree = "attribute_not_exists(#key)"

// Update replaces the data of the item that base was read from. It returns a *Refused if the item
// was changed since, has expired, or, with w.Token, somebody else holds its lock.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Update(ctx context.Context, key string, base *Item, w Write) error {
	const doing = "save to"
	e := t.updateExpression(base, &w)
	if err := checkSize(t.updatedSize(key, base, &w)); err != nil {
		return t.failed(doing, err)
	}
	t.meter(ctx).addBytes(len(w.Data))
	return t.update(ctx, doing, key, e)
}

// updateExpression returns the update and the condition of Update.
func (t *Table) updateExpression(base *Item, w *Write) *expression {
	e := newExpression()
	e.set("data", t.schema.Data, w.data())
	e.set("codec", attrCodec, text(w.Codec))
	e.set("version", attrVersion, text(w.Version))
	e.setOrRemove("recent", attrRecent, recentVersions(base, w.Version))
	if !w.KeepsEnd {
		e.set("expires", t.schema.Expires, number(w.Expires))
		e.set("seen", attrSeen, number(time.Now().Unix()))
	}
	if !base.HasCreated {
		e.set("created", attrCreated, number(w.Created))
	}
	if w.HasMaxAge {
		e.set("max_age", attrMaxAge, number(int64(w.MaxAge)))
	} else if base.HasMaxAge {
		e.remove("max_age", attrMaxAge)
	}
	if w.Options != base.Options {
		e.setOrRemove("options", attrOptions, w.Options)
	}
	if t.schema.Index != "" {
		e.setOrRemove("user", attrUser, w.User)
	}
	if t.schema.Labels {
		e.setOrRemove("label", attrLabel, w.Label)
	}
	t.ifUnchanged(e, base)
	if w.Token != "" {
		e.remove("lock", attrLock)
		e.remove("lock_until", attrLockUntil)
		e.remove("lock_count", attrLockCount) // the new version keeps late writes out
		e.ifNotLockedSince(base, w.Token)
	}
	return e
}

// ifUnchanged adds the condition of every write that is based on an item that was read. It protects
// whatever any store has written since, and keeps a session that has ended or expired from coming
// back.
func (t *Table) ifUnchanged(e *expression, base *Item) {
	e.names["#data"], e.names["#version"], e.names["#expires"] = t.schema.Data, attrVersion, t.schema.Expires
	e.values[":now"] = number(base.now())
	switch {
	case base.Version != "":
		e.conditions = append(e.conditions, "#version = :read AND attribute_exists(#data)")
		e.values[":read"] = text(base.Version)
	case base.foreign != nil:
		e.conditions = append(e.conditions, "#version = :read AND attribute_exists(#data)")
		e.values[":read"] = base.foreign
	default:
		e.conditions = append(e.conditions, "attribute_not_exists(#version) AND #data = :read")
		e.values[":read"] = base.data
	}
	e.conditions = append(e.conditions, "NOT #expires <= :now")
}

// Touch moves the end of the item that base was read from to w.Expires. It returns a *Refused if
// the item or its end was changed since, it has expired, or, with w.Token, somebody else holds its
// lock.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Touch(ctx context.Context, key string, base *Item, w Write) error {
	e := newExpression()
	e.set("expires", t.schema.Expires, number(w.Expires))
	e.set("seen", attrSeen, number(time.Now().Unix()))
	if w.Options != base.Options {
		e.setOrRemove("options", attrOptions, w.Options)
	}
	t.ifUnchanged(e, base)
	// Protects the end that another touch has moved.
	e.conditions = append(e.conditions, "#expires = :end")
	e.values[":end"] = number(base.Expires)
	if w.Token != "" {
		e.remove("lock_until", attrLockUntil) // the rest stays: see Unlock
		e.ifNotLockedSince(base, w.Token)
	}
	return t.update(ctx, "extend a session in", key, e)
}

// Touched returns the item that a Touch of base leaves behind.
func (w *Write) Touched(base *Item) *Item {
	touched := *base
	touched.Options = w.Options
	touched.Expires, touched.HasExpires = w.Expires, true
	touched.Seen, touched.HasSeen = time.Now().Unix(), true
	return &touched
}

// Lock acquires the lock of the item under key for the token until the given time, and returns the
// item. If somebody else holds the lock, or there is no session to lock, it returns a *Refused. If
// the token already holds the lock, Lock extends it.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Lock(ctx context.Context, key, token string, until time.Time) (*Item, error) {
	e := newExpression()
	e.set("lock", attrLock, text(token))
	e.set("lock_until", attrLockUntil, number(until.UnixMilli()))
	e.names["#data"], e.names["#expires"] = t.schema.Data, t.schema.Expires
	e.values[":seconds"] = number(time.Now().Unix())
	// Protects the holder, and neither creates an item nor locks an expired session.
	e.conditions = append(e.conditions, "attribute_exists(#data)", "NOT #expires <= :seconds")
	e.fence(token)
	e.add("lock_count", attrLockCount, number(1))
	in := t.updateInput(key, e)
	in.ReturnValues = types.ReturnValueAllNew
	out, err := send(ctx, t, t.client, Client.UpdateItem, in)
	if errorCode(err) == codeInvalid { // lock_count may be another program's, and not a number
		e.adds = nil
		e.set("lock_count", attrLockCount, number(1))
		e.conditions = append(e.conditions, "NOT attribute_type(#lock_count, :number)")
		in.UpdateExpression, in.ConditionExpression = aws.String(e.update()), aws.String(e.condition())
		out, err = send(ctx, t, t.client, Client.UpdateItem, in)
	}
	if err != nil {
		return nil, t.refusalError(ctx, "lock a session in", "UpdateItem", key, err)
	}
	return t.read(ctx, out.Attributes), nil
}

// Unlock releases the lock if the token still holds it. The attributes lock and lock_count stay
// until data is written: they say whether somebody has acquired the lock since the item was read,
// and who did last.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) Unlock(ctx context.Context, key, token string) error {
	e := newExpression()
	e.remove("lock_until", attrLockUntil)
	e.names["#lock"] = attrLock
	// Protects the lock of another holder, who acquired it after the lease ended.
	e.conditions = append(e.conditions, "#lock = :token")
	e.values[":token"] = text(token)
	err := t.update(ctx, "unlock a session in", key, e)
	if refused := new(Refused); errors.As(err, &refused) {
		return nil
	}
	return err
}

// ifNotLockedSince makes the write fail while somebody other than token holds the lock, or if
// anybody has acquired it since base was read. The second matters when another holder writes no
// data: it releases the lock and leaves the version alone. An attempt whose response was lost could
// then still be applied, although its retry was refused and the caller was told that the lock is
// lost. A token does not prevent that, since the request to lock may arrive twice as well.
func (e *expression) ifNotLockedSince(base *Item, token string) {
	e.fence(token)
	e.names["#lock_count"] = attrLockCount
	if base.lockCount == nil {
		e.conditions = append(e.conditions, "attribute_not_exists(#lock_count)")
		return
	}
	e.conditions = append(e.conditions, "#lock_count = :locks")
	e.values[":locks"] = base.lockCount
}

// tombstoneLife is how long a tombstone stays at least. A late request arrives earlier than that.
const tombstoneLife = 5 * time.Minute

// End replaces the session under key with a tombstone, whatever was written to it and whoever holds
// its lock. If there is no session that which allows, it returns a *Refused. If the item turns out
// to have attributes that are not this package's, a second request removes them.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) End(ctx context.Context, key string, which EndOptions) error {
	const doing = "end a session in"
	e := newExpression()
	t.setTombstone(e, Ended, which.Item)
	e.names["#data"] = t.schema.Data
	// Protects tombstones, and items that are not sessions.
	condition := "attribute_exists(#data)"
	if which.User != "" {
		// Protects a session that now has another user.
		condition += " AND #user = :user"
		e.names["#user"] = attrUser
		e.values[":user"] = text(which.User)
	}
	if which.Expired {
		// Protects a session that was extended since it was read.
		condition += " AND #expires <= :end"
		e.values[":end"] = number(which.Item.now())
	}
	if which.OrNone {
		condition = "(" + condition + " OR attribute_not_exists(#key))"
		e.names["#key"] = t.schema.Key
	}
	e.conditions = append(e.conditions, condition)
	in := t.updateInput(key, e)
	in.ReturnValues = types.ReturnValueAllNew
	out, err := send(ctx, t, t.client, Client.UpdateItem, in)
	if err != nil {
		return t.refusalError(ctx, doing, "UpdateItem", key, err)
	}
	tombstone := t.parse(out.Attributes)
	if tombstone == nil || tombstone.others == nil {
		return nil
	}
	e = newExpression()
	e.removeOthers(tombstone.others)
	e.names["#data"], e.names["#gone"] = t.schema.Data, attrGone
	// Protects a session that an older store has written over the tombstone.
	e.conditions = append(e.conditions, "attribute_exists(#gone)", "attribute_not_exists(#data)")
	err = t.update(ctx, doing, key, e)
	if refused := new(Refused); errors.As(err, &refused) {
		return nil
	}
	return err
}

// EndOptions says which session [Table.End] ends. The zero value allows any.
type EndOptions struct {
	Item    *Item  // the item if it is known, or nil
	User    string // only a session of this user
	Expired bool   // only a session that has expired; needs Item
	OrNone  bool   // leave a tombstone even if there is no item, since one may still arrive
}

// setTombstone adds the update that turns an item into a tombstone. The version and the recent
// versions stay, so that a request whose response was lost can still tell that it was applied.
func (t *Table) setTombstone(e *expression, gone Gone, item *Item) {
	now := time.Now()
	e.set("gone", attrGone, text(string(gone)))
	e.set("expires", t.schema.Expires, number(now.Add(tombstoneLife).Unix()))
	e.set("seen", attrSeen, number(now.Unix()))
	e.remove("data", t.schema.Data)
	for _, name := range []string{attrCodec, attrCreated, attrMaxAge, attrOptions, attrLock, attrLockUntil, attrLockCount} {
		e.remove(name, name)
	}
	if t.schema.Index != "" {
		e.remove("user", attrUser)
	}
	if t.schema.Labels {
		e.remove("label", attrLabel)
	}
	if item != nil {
		e.removeOthers(item.others)
	}
}

// update sends an UpdateItem. It returns a *Refused if the condition fails.
func (t *Table) update(ctx context.Context, doing, key string, e *expression) error {
	_, err := send(ctx, t, t.client, Client.UpdateItem, t.updateInput(key, e))
	if err != nil {
		return t.refusalError(ctx, doing, "UpdateItem", key, err)
	}
	return nil
}

func (t *Table) updateInput(key string, e *expression) *dynamodb.UpdateItemInput {
	update, condition := e.update(), e.condition()
	if len(e.values) == 0 {
		e.values = nil // an empty map is an error
	}
	return &dynamodb.UpdateItemInput{
		TableName:                           t.name,
		Key:                                 t.key(key),
		UpdateExpression:                    &update,
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	}
}

// expression builds an update and its condition. Every name has a placeholder: configured names may
// contain any character, and DynamoDB reserves several of the fixed ones.
type expression struct {
	sets, removes, adds, conditions []string
	names                           map[string]string
	values                          map[string]types.AttributeValue
}

func newExpression() *expression {
	return &expression{names: make(map[string]string, 8), values: make(map[string]types.AttributeValue, 8)}
}

func (e *expression) set(placeholder, name string, v types.AttributeValue) {
	e.names["#"+placeholder] = name
	e.values[":"+placeholder] = v
	e.sets = append(e.sets, "#"+placeholder+" = :"+placeholder)
}

func (e *expression) remove(placeholder, name string) {
	e.names["#"+placeholder] = name
	e.removes = append(e.removes, "#"+placeholder)
}

// add adds v to a number, which is 0 if there is none.
func (e *expression) add(placeholder, name string, v types.AttributeValue) {
	e.names["#"+placeholder] = name
	e.values[":"+placeholder] = v
	e.adds = append(e.adds, "#"+placeholder+" :"+placeholder)
}

// setOrRemove sets the attribute to v, or removes it if v is empty.
func (e *expression) setOrRemove(placeholder, name, v string) {
	if v == "" {
		e.remove(placeholder, name)
		return
	}
	e.set(placeholder, name, text(v))
}

// removeOthers removes attributes that are not this package's, but at most 100, so that they fit in
// an expression of 4 KB.
func (e *expression) removeOthers(others map[string]types.AttributeValue) {
	i := 0
	for name := range others {
		if i++; i > 100 {
			return
		}
		e.remove("other"+strconv.Itoa(i), name)
	}
}

// fence makes the write fail while a token other than this one holds the lock. Lock attributes of
// the wrong type are ignored: otherwise they would lock the session forever.
func (e *expression) fence(token string) {
	e.names["#lock"], e.names["#lock_until"] = attrLock, attrLockUntil
	e.values[":string"], e.values[":number"] = text("S"), text("N")
	e.values[":ms"] = number(time.Now().UnixMilli())
	e.values[":token"] = text(token)
	e.conditions = append(e.conditions, "NOT (attribute_type(#lock, :string) AND attribute_type(#lock_until, :number)"+
		" AND #lock_until > :ms AND #lock <> :token)")
}

func (e *expression) update() string {
	var parts []string
	if len(e.sets) > 0 {
		parts = append(parts, "SET "+strings.Join(e.sets, ", "))
	}
	if len(e.removes) > 0 {
		parts = append(parts, "REMOVE "+strings.Join(e.removes, ", "))
	}
	if len(e.adds) > 0 {
		parts = append(parts, "ADD "+strings.Join(e.adds, ", "))
	}
	return strings.Join(parts, " ")
}

func (e *expression) condition() string { return strings.Join(e.conditions, " AND ") }
