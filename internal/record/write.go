package record

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

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
	_, err := send(ctx, t, Client.PutItem, &dynamodb.PutItemInput{
		TableName:                           &t.schema.Table,
		Item:                                item,
		ConditionExpression:                 &ifFree,
		ExpressionAttributeNames:            t.names(ifFree),
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
// was changed since, has expired, or, with w.Token, if another token holds its lock or anybody has
// acquired it since.
func (t *Table) Update(ctx context.Context, key string, base *Item, w Write) error {
	const doing = "save to"
	e := t.updateExpression(base, &w)
	if err := checkSize(t.updatedSize(key, base, &w)); err != nil {
		return t.failed(doing, err)
	}
	t.meter(ctx).addBytes(len(w.Data))
	return t.update(ctx, doing, key, e)
}

// stored returns the update that stores w in the item of base, without a condition.
func (t *Table) stored(base *Item, w *Write) *expression {
	e := newExpression()
	e.set("data", w.data())
	e.set(attrCodec, text(w.Codec))
	e.set(attrVersion, text(w.Version))
	e.setOrRemove(attrRecent, recentVersions(base, w.Version))
	if !w.KeepsEnd {
		e.set("expires", number(w.Expires))
		e.set(attrSeen, number(time.Now().Unix()))
	}
	if !base.HasCreated {
		e.set(attrCreated, number(w.Created))
	}
	if w.HasMaxAge {
		e.set(attrMaxAge, number(int64(w.MaxAge)))
	} else if base.HasMaxAge {
		e.remove(attrMaxAge)
	}
	if w.Options != base.Options {
		e.setOrRemove(attrOptions, w.Options)
	}
	if t.schema.Index != "" {
		e.setOrRemove(UserAttribute, w.User)
	}
	if t.schema.Labels {
		e.setOrRemove(attrLabel, w.Label)
	}
	return e
}

// updateExpression returns the update and the condition of Update.
func (t *Table) updateExpression(base *Item, w *Write) *expression {
	e := t.stored(base, w)
	e.requireUnchanged(base)
	if w.Token != "" {
		e.remove(attrLock)
		e.remove(attrLockUntil)
		e.remove(attrLockCount) // the new version keeps late writes out
		e.requireNotLockedSince(base, w.Token)
	}
	return e
}

// requireUnchanged adds the condition of every write that is based on an item that was read. It
// protects whatever any store has written since, and keeps a session that has ended or expired from
// coming back.
func (e *expression) requireUnchanged(base *Item) {
	switch {
	case base.Version != "":
		e.require("#version = :read AND attribute_exists(#data)", attributes{":read": text(base.Version)})
	case base.foreign != nil:
		e.require("#version = :read AND attribute_exists(#data)", attributes{":read": base.foreign})
	default:
		e.require("attribute_not_exists(#version) AND #data = :read", attributes{":read": base.data})
	}
	e.require("NOT #expires <= :now", attributes{":now": number(base.now())})
}

// Touch moves the end of the item that base was read from to w.Expires. It returns a *Refused if
// the item or its end was changed since, it has expired, or, with w.Token, if another token holds
// its lock or anybody has acquired it since.
func (t *Table) Touch(ctx context.Context, key string, base *Item, w Write) error {
	e := newExpression()
	e.set("expires", number(w.Expires))
	e.set(attrSeen, number(time.Now().Unix()))
	if w.Options != base.Options {
		e.setOrRemove(attrOptions, w.Options)
	}
	e.requireUnchanged(base)
	// Protects the end that another touch has moved.
	e.require("#expires = :end", attributes{":end": number(base.Expires)})
	if w.Token != "" {
		e.remove(attrLockUntil) // the rest stays: see Unlock
		e.requireNotLockedSince(base, w.Token)
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
func (t *Table) Lock(ctx context.Context, key, token string, until time.Time) (*Item, error) {
	e := newExpression()
	e.set(attrLock, text(token))
	e.set(attrLockUntil, number(until.UnixMilli()))
	// Protects the holder, and neither creates an item nor locks an expired session.
	e.require("attribute_exists(#data) AND NOT #expires <= :seconds", attributes{":seconds": number(time.Now().Unix())})
	e.requireNotLocked(token)
	e.add(attrLockCount, number(1))
	e.returns = types.ReturnValueAllNew
	out, err := send(ctx, t, Client.UpdateItem, t.updateInput(key, e))
	if hasCode(err, codeInvalid) {
		// Perhaps lock_count is another program's, and not a number that can be incremented.
		e.adds = nil
		e.set(attrLockCount, number(1))
		e.require("(NOT attribute_type(#lock_count, :number) OR NOT #lock_count BETWEEN :one AND :most)",
			attributes{":one": number(1), ":most": number(1e15)})
		out, err = send(ctx, t, Client.UpdateItem, t.updateInput(key, e))
	}
	if err != nil {
		return nil, t.refusalError(ctx, "lock a session in", "UpdateItem", key, err)
	}
	return t.read(ctx, out.Attributes), nil
}

// Unlock releases the lock if the token still holds it. The attributes lock and lock_count stay
// until data is written: they say whether somebody has acquired the lock since the item was read,
// and who did last.
func (t *Table) Unlock(ctx context.Context, key, token string) error {
	e := newExpression()
	e.remove(attrLockUntil)
	// Protects the lock of another holder, who acquired it after the lease ended.
	e.require("#lock = :token", attributes{":token": text(token)})
	return exceptRefused(t.update(ctx, "unlock a session in", key, e))
}

// requireNotLockedSince makes the write fail while somebody other than token holds the lock, or if
// anybody has acquired it since base was read. The second matters when another holder writes no
// data: it releases the lock and leaves the version alone. An attempt whose response was lost could
// then still be applied, although its retry was refused and the caller was told that the lock is
// lost. A token does not prevent that, since the request to lock may arrive twice as well.
func (e *expression) requireNotLockedSince(base *Item, token string) {
	e.requireNotLocked(token)
	if base.lockCount == nil {
		e.require("attribute_not_exists(#lock_count)", nil)
	} else {
		e.require("#lock_count = :locks", attributes{":locks": base.lockCount})
	}
}

// requireNotLocked makes the write fail while a token other than this one holds the lock. Lock
// attributes that are no token and no time are ignored: otherwise they would lock the session
// forever.
func (e *expression) requireNotLocked(token string) {
	e.require("NOT (attribute_type(#lock, :string) AND attribute_type(#lock_until, :number)"+
		" AND #lock_until BETWEEN :ms AND :forever AND #lock <> :token)", attributes{
		":string": text("S"), ":number": text("N"), ":token": text(token),
		":ms": number(time.Now().UnixMilli()), ":forever": number(1000 * maxTime),
	})
}

// tombstoneLife is how long a tombstone stays at least. A late request arrives earlier than that.
const tombstoneLife = 5 * time.Minute

// End replaces the session under key with a tombstone, whatever was written to it and whoever holds
// its lock. If there is no session that which allows, it returns a *Refused. If the item turns out
// to have attributes that are not this package's, a second request removes them.
func (t *Table) End(ctx context.Context, key string, which EndOptions) error {
	const doing = "end a session in"
	e := t.tombstone(Ended, which.Item)
	// Protects tombstones, and items that are not sessions.
	e.require("attribute_exists(#data)", nil)
	if which.User != "" {
		// Protects a session that now has another user.
		e.require("#user = :user", attributes{":user": text(which.User)})
	}
	if which.Expired {
		// Protects a session that was extended since it was read.
		e.require("#expires <= :end", attributes{":end": number(which.Item.now())})
	}
	if which.OrNone {
		e.conditions = []string{"(" + e.condition() + " OR attribute_not_exists(#key))"}
	}
	e.returns = types.ReturnValueAllNew
	out, err := send(ctx, t, Client.UpdateItem, t.updateInput(key, e))
	if err != nil {
		return t.refusalError(ctx, doing, "UpdateItem", key, err)
	}
	tombstone := t.parse(out.Attributes)
	if tombstone == nil || tombstone.others == nil {
		return nil
	}
	e = newExpression()
	e.removeOthers(tombstone.others)
	// Protects a session that an older store has written over the tombstone.
	e.require("attribute_exists(#gone) AND attribute_not_exists(#data)", nil)
	return exceptRefused(t.update(ctx, doing, key, e))
}

// exceptRefused returns err, or nil if err is a *Refused.
func exceptRefused(err error) error {
	if _, refused := errors.AsType[*Refused](err); refused {
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

// tombstone returns the update that turns an item into a tombstone. The version and the recent
// versions stay, so that a request whose response was lost can still tell that it was applied.
func (t *Table) tombstone(gone Gone, item *Item) *expression {
	now := time.Now()
	e := newExpression()
	e.set(attrGone, text(string(gone)))
	e.set("expires", number(now.Add(tombstoneLife).Unix()))
	e.set(attrSeen, number(now.Unix()))
	for _, name := range []string{"data", attrCodec, attrCreated, attrMaxAge, attrOptions, attrLock, attrLockUntil, attrLockCount} {
		e.remove(name)
	}
	if t.schema.Index != "" {
		e.remove(UserAttribute)
	}
	if t.schema.Labels {
		e.remove(attrLabel)
	}
	if item != nil {
		e.removeOthers(item.others)
	}
	return e
}

// update sends an UpdateItem. It returns a *Refused if the condition fails.
func (t *Table) update(ctx context.Context, doing, key string, e *expression) error {
	_, err := send(ctx, t, Client.UpdateItem, t.updateInput(key, e))
	if err != nil {
		return t.refusalError(ctx, doing, "UpdateItem", key, err)
	}
	return nil
}

// updateInput returns the request for an update of the item under key.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (t *Table) updateInput(key string, e *expression) *dynamodb.UpdateItemInput {
	update, condition := e.update(), e.condition()
	names := t.names(update, condition)
	maps.Copy(names, e.others)
	if len(e.values) == 0 {
		e.values = nil // an empty map is an error
	}
	return &dynamodb.UpdateItemInput{
		TableName:                           &t.schema.Table,
		Key:                                 t.key(key),
		UpdateExpression:                    &update,
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           e.values,
		ReturnValues:                        e.returns,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              t.capacity,
	}
}

// expression builds an update and its condition. Its methods name attributes by their placeholders,
// without the "#": see [Table.names].
type expression struct {
	sets, removes, adds, conditions []string
	values                          attributes
	others                          map[string]string // placeholders of other attributes: see removeOthers
	returns                         types.ReturnValue
}

func newExpression() *expression { return &expression{values: make(attributes, 8)} }

func (e *expression) set(name string, v types.AttributeValue) {
	e.values[":"+name] = v
	e.sets = append(e.sets, "#"+name+" = :"+name)
}

func (e *expression) remove(name string) { e.removes = append(e.removes, "#"+name) }

// add adds v to a number, which is 0 if there is none.
func (e *expression) add(name string, v types.AttributeValue) {
	e.values[":"+name] = v
	e.adds = append(e.adds, "#"+name+" :"+name)
}

// setOrRemove sets the attribute to v, or removes it if v is empty.
func (e *expression) setOrRemove(name, v string) {
	if v == "" {
		e.remove(name)
	} else {
		e.set(name, text(v))
	}
}

// removeOthers removes attributes that are not this package's, but at most 100, so that they fit in
// an expression of 4 KB.
func (e *expression) removeOthers(others attributes) {
	e.others = make(map[string]string)
	for name := range others {
		if len(e.others) == 100 {
			return
		}
		placeholder := "other" + strconv.Itoa(len(e.others)+1)
		e.remove(placeholder)
		e.others["#"+placeholder] = name
	}
}

// require adds a condition with the values that it needs.
func (e *expression) require(condition string, values attributes) {
	e.conditions = append(e.conditions, condition)
	maps.Copy(e.values, values)
}

func (e *expression) update() string {
	var clauses []string
	for _, clause := range []struct {
		keyword string
		actions []string
	}{{"SET ", e.sets}, {"REMOVE ", e.removes}, {"ADD ", e.adds}} {
		if len(clause.actions) > 0 {
			clauses = append(clauses, clause.keyword+strings.Join(clause.actions, ", "))
		}
	}
	return strings.Join(clauses, " ")
}

func (e *expression) condition() string { return strings.Join(e.conditions, " AND ") }
