package record

import (
	"math"
	"reflect"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is a session as it lies in the table. Nothing in it is trusted: the item may be another
// store's, or anybody's who may write to the table. An attribute that is absent, or that is not
// of the type that it should be, has its zero value, and Malformed tells where that matters.
type Item struct {
	Data       []byte
	Text       bool                 // the data attribute is S, not B
	Codec      string               // how Data was made; "": not said, so another store's
	Version    types.AttributeValue // as it was read, whatever its type; nil: none
	Prior      string
	Expires    int64 // seconds since 1970
	HasExpires bool
	Created    int64 // seconds since 1970
	HasCreated bool
	MaxAge     int // seconds
	HasMaxAge  bool
	Moved      bool // left behind under an old ID by a rotation, without data
	User       string

	// Malformed names what makes the item unusable, for an error; "": nothing.
	Malformed string

	raw types.AttributeValue // the data attribute as it was read
	odd bool                 // a number is not one that this package writes
}

// Write is what a write of a session's data stores.
type Write struct {
	Data      []byte
	Text      bool // store Data, which is UTF-8, as S
	Codec     string
	Version   string
	Expires   int64
	Created   int64
	MaxAge    int
	HasMaxAge bool   // false: the item gets no max_age, and loses the one it has
	User      string // "": the item leaves the index of users

	// Overwrite replaces whatever was written since the item was read.
	Overwrite bool
	// Token, if not empty, has the write refused while somebody else holds the lock, and gives up
	// the lock of that token.
	Token string
}

// writeValues are the key and the attributes that every Write has, in one allocation.
type writeValues struct {
	key              types.AttributeValueMemberS
	bytes            types.AttributeValueMemberB
	text             types.AttributeValueMemberS
	isText           bool
	codec, version   types.AttributeValueMemberS
	expires, created types.AttributeValueMemberN
}

func newWriteValues(key string, w *Write) *writeValues {
	v := &writeValues{isText: w.Text}
	v.key.Value = key
	if w.Text {
		v.text.Value = string(w.Data)
	} else {
		v.bytes.Value = w.Data
	}
	v.codec.Value, v.version.Value = w.Codec, w.Version
	v.expires.Value, v.created.Value = strconv.FormatInt(w.Expires, 10), strconv.FormatInt(w.Created, 10)
	return v
}

// data is the data attribute.
func (v *writeValues) data() types.AttributeValue {
	if v.isText {
		return &v.text
	}
	return &v.bytes
}

// Written returns the item that w leaves in the table.
func (w *Write) Written() *Item {
	return &Item{
		Data:       w.Data,
		Text:       w.Text,
		Codec:      w.Codec,
		Version:    text(w.Version),
		Expires:    w.Expires,
		HasExpires: true,
		Created:    w.Created,
		HasCreated: true,
		MaxAge:     w.MaxAge,
		HasMaxAge:  w.HasMaxAge,
		User:       w.User,
	}
}

// Ours reports whether a store like this one wrote the item: a foreign item lacks the version
// that compare-and-swap rests on, or has something of another type under its name.
func (i *Item) Ours() bool {
	_, ok := i.Version.(*types.AttributeValueMemberS)
	return ok && i.HasCreated && i.HasExpires && i.Codec != "" && !i.odd
}

// Bare returns the item without its data, for keeping.
func (i *Item) Bare() *Item {
	bare := *i
	bare.Data = nil
	return &bare
}

// SameVersion reports whether the two items are of the same write.
func (i *Item) SameVersion(other *Item) bool {
	return i.Version != nil && sameVersion(i.Version, other.Version)
}

// Shows reports whether that write, whose answer was lost, is the item's last or last but one.
func (i *Item) Shows(write *Item) bool {
	v, ok := write.Version.(*types.AttributeValueMemberS)
	return ok && i.wrote(v.Value)
}

// wrote reports whether the write of that version is this item's last or last but one.
func (i *Item) wrote(version string) bool {
	v, _ := i.Version.(*types.AttributeValueMemberS)
	return v != nil && v.Value == version || i.Prior == version
}

func (t *Table) parse(attrs map[string]types.AttributeValue) *Item {
	if len(attrs) == 0 {
		return nil
	}
	i := &Item{Version: attrs[attrVersion]}
	if v, ok := attrs[attrCodec].(*types.AttributeValueMemberS); ok {
		i.Codec = v.Value
	}
	if v, ok := attrs[attrPrior].(*types.AttributeValueMemberS); ok {
		i.Prior = v.Value
	}
	if v, ok := attrs[attrUser].(*types.AttributeValueMemberS); ok {
		i.User = v.Value
	}
	if created, ok := parseNumber(attrs[attrCreated]); ok && created >= 0 && created <= maxTime {
		i.Created, i.HasCreated = created, true
	}
	if age, ok := parseNumber(attrs[attrMaxAge]); ok && age >= 0 && age <= math.MaxInt {
		i.MaxAge, i.HasMaxAge = int(age), true
	}
	_, i.Moved = parseNumber(attrs[attrMoved])
	switch v := attrs[t.schema.Data].(type) {
	case *types.AttributeValueMemberB:
		i.Data, i.raw = v.Value, v
		i.Moved = false
	case *types.AttributeValueMemberS:
		i.Data, i.raw, i.Text = []byte(v.Value), v, true
		i.Moved = false
	case nil:
		if !i.Moved {
			i.Malformed = "it has no attribute " + strconv.Quote(t.schema.Data)
		}
	default:
		i.Moved = false
		i.Malformed = "its attribute " + strconv.Quote(t.schema.Data) + " is neither binary (B) nor a string (S)"
	}
	if v := attrs[t.schema.Expires]; v != nil {
		if i.Expires, i.HasExpires = parseNumber(v); !i.HasExpires {
			i.Malformed = "its attribute " + strconv.Quote(t.schema.Expires) + " is not a number (N)"
		}
		i.odd = !isNumber(v, i.Expires)
	}
	return i
}

// maxTime is the end of the year 9999. A time beyond it is nobody's clock.
const maxTime = 253402300799

// parseNumber returns what an N says, whole: 1e40 and 1.5 are numbers too for DynamoDB.
func parseNumber(v types.AttributeValue) (int64, bool) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	switch {
	case err != nil || math.IsNaN(f) || math.IsInf(f, 0):
		return 0, false
	case f >= math.MaxInt64:
		return math.MaxInt64, true
	case f <= math.MinInt64:
		return math.MinInt64, true
	}
	return int64(math.Floor(f)), true
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// isNumber reports whether v is n as number writes it.
func isNumber(v types.AttributeValue, n int64) bool {
	var b [20]byte
	a, ok := v.(*types.AttributeValueMemberN)
	return ok && a.Value == string(strconv.AppendInt(b[:0], n, 10))
}

func sameVersion(a, b types.AttributeValue) bool { return reflect.DeepEqual(a, b) }
