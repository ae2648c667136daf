package record

import (
	"maps"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Gone says how the session of a tombstone ended.
type Gone string

const (
	Ended Gone = "ended" // by a logout, Destroy or DestroyUser
	Moved Gone = "moved" // it was given a new ID
)

// Item is a stored session. Nothing in it is trusted: another store, or anyone who can write to the
// table, may have written it. An attribute that is missing or has the wrong type has its zero
// value, and Malformed says so if the item is then unusable. An Item is immutable.
type Item struct {
	Data       []byte
	Text       bool   // the data attribute is S, not B
	Codec      string // how Data was encoded; empty if the item does not say, as another store's
	Version    string // empty if it has none, or none of type S
	Expires    int64  // seconds since 1970
	HasExpires bool
	Created    int64 // seconds since 1970
	HasCreated bool
	Seen       int64 // seconds since 1970: when Expires was last moved
	HasSeen    bool
	MaxAge     int // seconds
	HasMaxAge  bool
	Options    string // of the cookie, as the caller encodes them; empty for the usual ones
	User       string
	Label      string
	Gone       Gone   // empty for a session; an item with data is one, whatever else it holds
	LastHolder string // the token of who acquired the lock last; empty if nobody did since the last write of data
	Locked     bool   // the last holder has not released the lock, but its lease may have ended

	// Malformed says, for an error, what makes the item unusable. It is empty if nothing does.
	Malformed string

	recent       string               // versions before Version, see recentVersions
	foreign      types.AttributeValue // Version as it is stored, if that is not of type S
	data         types.AttributeValue // the data attribute, of an item without a version
	lockCount    types.AttributeValue // how often the lock was acquired since the last write; nil: never
	milliseconds bool                 // the expires attribute is in milliseconds
	irregular    bool                 // the expires attribute is not written as this package writes it
	others       attributes           // attributes that this package does not know
}

// IsCurrent reports whether the item has the form in which this package writes it. Another store's
// item lacks the version that conditional writes need, or has something else under its name.
func (i *Item) IsCurrent() bool {
	return i.Version != "" && i.Codec != "" && i.HasExpires && i.HasCreated && i.HasSeen && !i.irregular
}

// SameVersion reports whether no data was written between two reads of an item.
func (i *Item) SameVersion(other *Item) bool {
	return i.Version == other.Version && reflect.DeepEqual(i.foreign, other.foreign) && reflect.DeepEqual(i.data, other.data)
}

// WithoutData returns the item without its data.
func (i *Item) WithoutData() *Item {
	without := *i
	without.Data = nil
	return &without
}

// now returns the current time in the unit of the item's expires attribute.
func (i *Item) now() int64 {
	if i.milliseconds {
		return time.Now().UnixMilli()
	}
	return time.Now().Unix()
}

// parse returns the item with the attributes attrs, or nil if there are none.
func (t *Table) parse(attrs attributes) *Item {
	if len(attrs) == 0 {
		return nil
	}
	i := &Item{lockCount: attrs[attrLockCount]}
	i.Codec, _ = stringOf(attrs[attrCodec])
	i.Options, _ = stringOf(attrs[attrOptions])
	i.LastHolder, _ = stringOf(attrs[attrLock])
	_, i.Locked = numberOf(attrs[attrLockUntil])
	i.Created, i.HasCreated = timeOf(attrs[attrCreated])
	i.Seen, i.HasSeen = timeOf(attrs[attrSeen])
	if version, ok := stringOf(attrs[attrVersion]); ok {
		i.Version = version
	} else {
		i.foreign = attrs[attrVersion]
	}
	if recent, _ := stringOf(attrs[attrRecent]); validRecent(recent) {
		i.recent = recent
	}
	if gone, _ := stringOf(attrs[attrGone]); gone == string(Ended) || gone == string(Moved) {
		i.Gone = Gone(gone)
	}
	if age, ok := numberOf(attrs[attrMaxAge]); ok && age >= 0 && age <= math.MaxInt {
		i.MaxAge, i.HasMaxAge = int(age), true
	}
	if t.known[UserAttribute] {
		i.User, _ = stringOf(attrs[UserAttribute])
	}
	if t.known[attrLabel] {
		i.Label, _ = stringOf(attrs[attrLabel])
	}
	for name, v := range attrs {
		if !t.known[name] {
			if i.others == nil {
				i.others = make(attributes)
			}
			i.others[name] = v
		}
	}
	if v := attrs[t.schema.Expires]; v != nil {
		i.parseExpires(v, t.schema.Expires)
	}
	i.parseData(attrs[t.schema.Data], t.schema.Data)
	if i.Version == "" && i.foreign == nil {
		i.data = attrs[t.schema.Data]
	}
	return i
}

func (i *Item) parseData(v types.AttributeValue, name string) {
	switch v := v.(type) {
	case *types.AttributeValueMemberB:
		i.Data, i.Gone = v.Value, ""
	case *types.AttributeValueMemberS:
		i.Data, i.Text, i.Gone = []byte(v.Value), true, ""
	case nil:
		if i.Gone == "" {
			i.Malformed = "it has no attribute " + strconv.Quote(name)
		}
	default:
		i.Gone = ""
		i.Malformed = "its attribute " + strconv.Quote(name) + " is neither binary (B) nor a string (S)"
	}
}

func (i *Item) parseExpires(v types.AttributeValue, name string) {
	n, ok := numberOf(v)
	if !ok {
		i.Malformed = "its attribute " + strconv.Quote(name) + " is not a number (N)"
		return
	}
	i.milliseconds = n > maxTime
	i.irregular = i.milliseconds || v.(*types.AttributeValueMemberN).Value != strconv.FormatInt(n, 10)
	if i.milliseconds {
		n /= 1000
	}
	i.Expires, i.HasExpires = n, true
}

// maxTime is the end of the year 9999, in seconds since 1970. A larger number is taken as
// milliseconds, where it is a time after 1978.
const maxTime = 253402300799

// timeOf returns v as seconds since 1970, if it is a valid time.
func timeOf(v types.AttributeValue) (int64, bool) {
	if n, ok := numberOf(v); ok && n >= 0 && n <= maxTime {
		return n, true
	}
	return 0, false
}

// numberOf returns the whole part of an N: for DynamoDB, 1e40 and 1.5 are numbers too.
func numberOf(v types.AttributeValue) (int64, bool) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
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

func stringOf(v types.AttributeValue) (string, bool) {
	s, ok := v.(*types.AttributeValueMemberS)
	if !ok {
		return "", false
	}
	return s.Value, true
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Write is what is stored when a session's data is written.
type Write struct {
	Data    []byte
	Text    bool // store Data, which is UTF-8, as S
	Codec   string
	Version string // from NewVersion, on the item that the write is based on

	Expires  int64 // seconds since 1970
	KeepsEnd bool  // an update leaves the attributes expires and seen as they are
	Created  int64 // seconds since 1970

	MaxAge    int
	HasMaxAge bool // if false, the item has no max_age afterwards
	Options   string
	User      string // empty: the item leaves the index of users
	Label     string

	// Token, if not empty, makes the write fail while another token holds the lock, or if anybody
	// has acquired it since the item was read. The write removes the lock.
	Token string
}

// Written returns the item, without its data, that w leaves behind on top of base, which is nil for
// a new item.
func (w *Write) Written(base *Item) *Item {
	i := &Item{
		Text: w.Text, Codec: w.Codec, Version: w.Version,
		Expires: w.Expires, HasExpires: true,
		Seen: time.Now().Unix(), HasSeen: true,
		Created: w.Created, HasCreated: true,
		MaxAge: w.MaxAge, HasMaxAge: w.HasMaxAge,
		Options: w.Options, User: w.User, Label: w.Label,
	}
	if base != nil {
		i.recent = recentVersions(base, w.Version)
		i.others = base.others
		if w.KeepsEnd {
			i.Expires, i.HasExpires, i.milliseconds, i.irregular = base.Expires, base.HasExpires, base.milliseconds, base.irregular
			i.Seen, i.HasSeen = base.Seen, base.HasSeen
		}
	}
	return i
}

// Moved returns the item, without its data, that a Move of base leaves behind under the new key.
func (w *Write) Moved(base *Item) *Item {
	i := w.Written(nil)
	i.others = base.others
	return i
}

// attributes returns the item that w creates under key, including the attributes of base that are
// not this package's. base is nil for a new session.
func (t *Table) attributes(key string, base *Item, w *Write) attributes {
	attrs := t.key(key)
	if base != nil {
		maps.Copy(attrs, base.others)
	}
	created := *w
	created.KeepsEnd = false // there is no end to keep
	for placeholder, v := range t.stored(&Item{}, &created).values {
		attrs[t.placeholders["#"+placeholder[1:]]] = v
	}
	return attrs
}

// data returns the data attribute.
func (w *Write) data() types.AttributeValue {
	if w.Text {
		return text(string(w.Data))
	}
	return &types.AttributeValueMemberB{Value: w.Data}
}
