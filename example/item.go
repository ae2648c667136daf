package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"example.com/dynamostore"
)

// behind is where the sessions lie, for a look at an item past the store.
type behind struct {
	client dynamostore.Client
	table  string
	engine string // what the page calls the DynamoDB
}

// item reads what lies under a key, nil if nothing does.
func (b behind) item(ctx context.Context, key string) (map[string]types.AttributeValue, error) {
	out, err := b.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &b.table,
		Key:            map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: key}},
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// item is a session's, for people.
type item struct {
	Attributes []attribute
	Bytes      int
	ReadUnits  int // of a strongly consistent read
	WriteUnits int
	Left       string // how long the session lives if it is left alone
}

type attribute struct {
	Name, Type, Value, Note string
	Bytes                   int
}

// describe says what is in an item: first what by which it is found, read and expires, then the rest.
func describe(values map[string]types.AttributeValue, now time.Time) *item {
	first := []string{"version", "expires", "data", "user", "id"} // the first comes last
	names := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(first, b), slices.Index(first, a)), strings.Compare(a, b))
	})
	i := &item{}
	for _, name := range names {
		a := describeAttribute(name, values[name])
		if name == "expires" {
			if end, err := strconv.ParseInt(a.Value, 10, 64); err == nil {
				i.Left = countdown(time.Unix(end, 0).Sub(now))
			}
		}
		i.Attributes = append(i.Attributes, a)
		i.Bytes += a.Bytes
	}
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
	i.ReadUnits = (i.Bytes + 4<<10 - 1) / (4 << 10)
	i.WriteUnits = (i.Bytes + 1<<10 - 1) / (1 << 10)
	return i
}

// describeAttribute describes one. Its bytes are those of name and value, as DynamoDB counts them.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func describeAttribute(name string, value types.AttributeValue) attribute {
	a := attribute{Name: name, Bytes: len(name)}
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		a.Type, a.Value = "S", v.Value
		a.Bytes += len(v.Value)
	case *types.AttributeValueMemberN:
		a.Type, a.Value = "N", v.Value
		a.Bytes += (len(strings.TrimRight(v.Value, "0"))+1)/2 + 1
	case *types.AttributeValueMemberB:
		a.Type, a.Value = "B", string(v.Value)
		a.Bytes += len(v.Value)
		if !utf8.Valid(v.Value) {
			a.Value, a.Note = base64.StdEncoding.EncodeToString(v.Value), "in base64"
		}
	default:
		a.Type = strings.TrimPrefix(fmt.Sprintf("%T", v), "*types.AttributeValueMember")
	}
	switch name {
	case "id":
		// Who has the ID has half of what takes over the session: it belongs in no page.
		if id := []rune(a.Value); len(id) > shownOfID {
			a.Value, a.Note = string(id[:shownOfID])+"…", fmt.Sprintf("the session's ID, %d characters: a secret, so cut here", len(id))
		}
	case "created", "expires":
		if seconds, err := strconv.ParseInt(a.Value, 10, 64); err == nil {
			a.Note = time.Unix(seconds, 0).UTC().Format("2 Jan 2006, 15:04:05 MST")
		}
	}
	return a
}

// shownOfID is how many characters of a session's ID the page shows, to tell it from another.
const shownOfID = 6

// countdown says how long d is, to the minute.
func countdown(d time.Duration) string {
	switch minutes := int(d / time.Minute); {
	case d < time.Minute:
		return "less than a minute"
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes < 24*60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	default:
		return fmt.Sprintf("%d d %d h %d min", minutes/60/24, minutes/60%24, minutes%60)
	}
}
