package record

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ErrTooLarge says that the item would be larger than DynamoDB takes.
var ErrTooLarge = errors.New("dynamostore: session too large")

// maxItem is the most bytes that DynamoDB stores in an item, names and values together.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxItem = 400 << 10

func checkSize(n int) error {
	if n > maxItem {
		return fmt.Errorf("%w: the item would take %d bytes, and DynamoDB takes at most %d: store less in the session", ErrTooLarge, n, maxItem)
	}
	return nil
}

// lockSize is what must be left free in the item for its lock, where locks are in use.
func (w *Write) lockSize() int {
	if w.Token == "" {
		return 0
	}
	return len(attrLock) + len(w.Token) + len(attrLockUntil) + 8
}

// Overhead returns about how many bytes the item of a session takes besides its data.
func (t *Table) Overhead(key, user string) int {
	n := t.keySize(key) + len(t.schema.Data) + len(t.schema.Expires) + len(attrCodec) + len(attrVersion) + len(attrPrior) + len(attrCreated)
	if user != "" {
		n += len(attrUser) + len(user)
	}
	return n + 2*26 + 2*6 + 16 // two versions, two times, a codec
}

func (t *Table) keySize(key string) int {
	return len(t.schema.Key) + len(key) + len(t.schema.SortKey) + len(t.schema.SortValue)
}

// size returns the bytes that an item takes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(attrs map[string]types.AttributeValue) int {
	n := 0
	for name, v := range attrs {
		n += len(name) + valueSize(v)
	}
	return n
}

// valueSize knows the types that this package writes.
func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(strings.TrimRight(v.Value, "0"))+1)/2 + 1
	}
	return 0
}
