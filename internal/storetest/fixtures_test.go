package storetest

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// Types of the application's own.
type (
	purchase struct{ Items []string }
	account  struct{ Names []string } // stored by pointer
)

func init() {
	gob.Register(purchase{})
	gob.Register(&account{})
	gob.Register(map[string]any{})
	gob.Register(map[string]int{})
	gob.Register([]any{})
	gob.Register(time.Time{})
	gob.Register(time.Duration(0))
}

// Keys that encrypt items.
var (
	itemKeyA = []byte("item key A, 32 bytes of the test")
	itemKeyB = []byte("item key B, 32 bytes of the test")
)

// encodeGob returns v as one gob. Other stores write a map[any]any so.
func encodeGob(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// attributeTypes has a value of each type that an attribute can have.
var attributeTypes = map[string]types.AttributeValue{
	"S":    dynamotest.S("secret"),
	"N":    dynamotest.N("1"),
	"B":    dynamotest.B([]byte("secret")),
	"BOOL": &types.AttributeValueMemberBOOL{Value: true},
	"NULL": &types.AttributeValueMemberNULL{Value: true},
	"L":    &types.AttributeValueMemberL{Value: []types.AttributeValue{dynamotest.S("secret")}},
	"M":    &types.AttributeValueMemberM{Value: dynamotest.Item{"secret": dynamotest.N("1")}},
	"SS":   &types.AttributeValueMemberSS{Value: []string{"secret"}},
	"NS":   &types.AttributeValueMemberNS{Value: []string{"1"}},
	"BS":   &types.AttributeValueMemberBS{Value: [][]byte{[]byte("secret")}},
}

// withAttributes returns item with other attributes; nil removes one.
func withAttributes(item, attrs dynamotest.Item) dynamotest.Item {
	item = maps.Clone(item)
	maps.Copy(item, attrs)
	maps.DeleteFunc(item, func(_ string, v types.AttributeValue) bool { return v == nil })
	return item
}

// itemsText shows items by the text of their attributes.
func itemsText(items ...dynamotest.Item) string {
	var b strings.Builder
	for _, item := range items {
		b.WriteString("\n{")
		for _, name := range slices.Sorted(maps.Keys(item)) {
			fmt.Fprintf(&b, " %s=%.80q", name, attrText(item[name]))
		}
		b.WriteString(" }")
	}
	return b.String()
}

// newIndexedApp returns an app whose table has the index of users, on the key "user".
func newIndexedApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	a := &app{T: t, backend: dynamotest.New(t)}
	a.cfg.UserKey = "user"
	for _, f := range configure {
		f(&a.cfg)
	}
	a.cfg.Table = a.backend.Table
	a.store = a.open(a.cfg, keyA)
	if err := a.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.serve()
	a.backend.Counts()
	return a
}

// millisecondsFromNow is secondsFromNow in milliseconds.
func millisecondsFromNow(d time.Duration) string {
	return strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10)
}

// waitUnlocked waits until no item is locked, as at the end of a request that did not save.
func (a *app) waitUnlocked() {
	a.Helper()
	if a.cfg.Concurrency == dynamostore.Lock && !eventually(func() bool { return !a.isLocked() }) {
		a.Fatal("an item stays locked after the request")
	}
}

// withoutReleasedLock returns the item without what a lock leaves if it was released without a write.
func withoutReleasedLock(item dynamotest.Item) dynamotest.Item {
	if item["lock_until"] != nil {
		return item
	}
	return withAttributes(item, dynamotest.Item{"lock": nil, "lock_count": nil})
}

// sameItem reports whether items are equal but for how often they were locked.
func sameItem(a, b dynamotest.Item) bool {
	return reflect.DeepEqual(withoutReleasedLock(a), withoutReleasedLock(b))
}

func sameItems(a, b []dynamotest.Item) bool { return slices.EqualFunc(a, b, sameItem) }

// isLocked reports whether any item is locked. Its response holds no items, since waitUnlocked asks
// again and again.
func (a *app) isLocked() bool {
	a.Helper()
	pages := dynamodb.NewScanPaginator(a.backend.Raw(), &dynamodb.ScanInput{
		TableName: &a.backend.Table, ConsistentRead: aws.Bool(true),
		FilterExpression: aws.String("attribute_exists(lock_until)"), Select: types.SelectCount,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(a.Context())
		if err != nil {
			a.Fatal(err)
		}
		if page.Count > 0 {
			return true
		}
	}
	return false
}

// key returns the primary key of an item.
func (a *app) key(item dynamotest.Item) dynamotest.Item {
	key := dynamotest.Item{a.keyAttribute(): item[a.keyAttribute()]}
	if a.cfg.SortKeyAttribute != "" {
		key[a.cfg.SortKeyAttribute] = item[a.cfg.SortKeyAttribute]
	}
	return key
}

// decodeGob returns the values of which a gob was made.
func decodeGob(t testing.TB, data []byte) map[any]any {
	t.Helper()
	values, err := dynamostore.GobCodec{}.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// makeTouchDue sets the only item's end back so far that the next Save moves it.
func (a *app) makeTouchDue() {
	a.Helper()
	a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(10 * day)), "seen": dynamotest.N(secondsFromNow(-20 * day))})
}

// updateElsewhere has the browser's session updated outside of its requests.
func (b *browser) updateElsewhere() {
	b.app.Helper()
	err := b.app.store.Update(b.app.Context(), b.keyOf(), func(values map[any]any) error { values["theirs"] = 1; return nil })
	if err != nil {
		b.app.Errorf("Update: %v", err)
	}
}
