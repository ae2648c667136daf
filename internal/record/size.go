package record

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ErrTooLarge means that the item would be larger than DynamoDB can store.
var ErrTooLarge = errors.New("session too large")

// maxItem is the maximum size of an item in DynamoDB in bytes, names and values together.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxItem = 400 << 10

func checkSize(n int) error {
	if n > maxItem {
		return fmt.Errorf("%w: the item would take %d bytes, and DynamoDB stores at most %d; store less in the session", ErrTooLarge, n, maxItem)
	}
	return nil
}

// reserve returns the bytes to leave free in the item for its lock, if locks are used.
func (w *Write) reserve() int {
	if w.Token == "" {
		return 0
	}
	const until, count = 8, 5 // bytes of a time in milliseconds, and of a count of eight digits
	return len(attrLock) + len(w.Token) + len(attrLockUntil) + until + len(attrLockCount) + count
}

// Overhead returns approximately how many bytes a session's item takes besides its data.
func (t *Table) Overhead(key, user, label string) int {
	const tag, times = 16, 6 // bytes of a codec attribute, and of a time
	n := t.keySize(key) + len(t.schema.Data) +
		len(attrCodec) + tag + len(attrVersion) + versionSize +
		len(t.schema.Expires) + times + len(attrSeen) + times + len(attrCreated) + times
	if user != "" {
		n += len(UserAttribute) + len(user)
	}
	if label != "" {
		n += len(attrLabel) + len(label)
	}
	return n
}

// updatedSize returns the size of the item under key after an update of base by w.
func (t *Table) updatedSize(key string, base *Item, w *Write) int {
	n := t.Overhead(key, w.User, w.Label) + len(w.Data) + w.reserve() + size(base.others)
	if recent := recentVersions(base, w.Version); recent != "" {
		n += len(attrRecent) + len(recent)
	}
	if w.Options != "" {
		n += len(attrOptions) + len(w.Options)
	}
	if w.HasMaxAge {
		n += len(attrMaxAge) + numberSize(strconv.Itoa(w.MaxAge))
	}
	return n
}

func (t *Table) keySize(key string) int {
	return len(t.schema.Key) + len(key) + len(t.schema.SortKey) + len(t.schema.SortValue)
}

// size returns the size of attributes in bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(attrs attributes) int {
	n := 0
	for name, v := range attrs {
		n += len(name) + valueSize(v)
	}
	return n
}

func valueSize(v types.AttributeValue) int {
	n := 0
	switch v := v.(type) {
	case *types.AttributeValueMemberB:
		n = len(v.Value)
	case *types.AttributeValueMemberS:
		n = len(v.Value)
	case *types.AttributeValueMemberN:
		n = numberSize(v.Value)
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		n = 1
	case *types.AttributeValueMemberSS:
		for _, s := range v.Value {
			n += len(s)
		}
	case *types.AttributeValueMemberNS:
		for _, s := range v.Value {
			n += numberSize(s)
		}
	case *types.AttributeValueMemberBS:
		for _, b := range v.Value {
			n += len(b)
		}
	case *types.AttributeValueMemberL:
		n = 3
		for _, v := range v.Value {
			n += 1 + valueSize(v)
		}
	case *types.AttributeValueMemberM:
		n = 3 + len(v.Value) + size(v.Value)
	}
	return n
}

func numberSize(n string) int { return (len(strings.TrimRight(n, "0"))+1)/2 + 1 }
