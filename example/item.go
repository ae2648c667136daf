package main

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// live is what the page shows beside the session: its item, and what the visitor's requests cost.
type live struct {
	Table, Engine string
	Item          *item // nil if there is none
	Ended         bool  // the session of the browser's cookie has ended
	Problem       string
	Requests      []request
}

// look reads the item of the session that the request's cookie names. Only the browser that has the
// session can send that cookie, so nobody sees another's. What it costs is not counted.
func (a *app) look(r *http.Request) live {
	l := live{Table: a.demo.table, Engine: a.demo.engine}
	if t := spent(r.Context()); t != nil && len(t.Ops) > 0 {
		l.Requests = append(l.Requests, request{Method: r.Method, Path: r.URL.Path, tally: t})
	}
	l.Requests = append(l.Requests, a.demo.ledger.last(a.visitor(r.Cookies()))...)
	l.Requests = l.Requests[:min(len(l.Requests), maxShown)]

	key := a.key(r.Cookies())
	if key == "" {
		return l
	}
	out, err := a.demo.client.GetItem(r.Context(), &dynamodb.GetItemInput{
		TableName:      &a.demo.table,
		Key:            itemKey(key),
		ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		a.log.Error("read the item", "error", err)
		l.Problem = "The item cannot be read at the moment."
	case out.Item == nil:
		l.Ended = true
	default:
		l.Item = describe(out.Item)
		l.Ended = l.Item.Tombstone
	}
	return l
}

// live answers the script, which asks for the same now and then.
func (a *app) live(w http.ResponseWriter, r *http.Request) {
	a.render(w, http.StatusOK, "live", a.look(r))
}

// item is a session's item, for people.
type item struct {
	Attributes, More      []attribute
	Bytes                 int
	ReadUnits, WriteUnits int
	Tombstone             bool // of a session that has ended
}

type attribute struct {
	Name  string
	Value []string // in parts, between which a line may break
	Note  string
}

// describe describes an item. What a newcomer looks for comes first.
func describe(values map[string]types.AttributeValue) *item {
	first := []string{"id", "data", "user", "label", "gone", "expires"}
	i := &item{Tombstone: values["gone"] != nil}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(name string) bool { return slices.Contains(first, name) })
	for n, name := range append(first, names...) {
		if values[name] == nil {
			continue
		}
		value, bytes := text(values[name])
		i.Bytes += len(name) + bytes
		list := &i.Attributes
		if n >= len(first) {
			list = &i.More
		}
		*list = append(*list, explain(name, value))
	}
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
	i.ReadUnits = (i.Bytes + 4<<10 - 1) / (4 << 10)
	i.WriteUnits = (i.Bytes + 1<<10 - 1) / (1 << 10)
	return i
}

// text returns a value as text, and how many bytes it has.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func text(value types.AttributeValue) (string, int) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value, len(v.Value)
	case *types.AttributeValueMemberB:
		return string(v.Value), len(v.Value)
	case *types.AttributeValueMemberN:
		return v.Value, (len(strings.TrimRight(v.Value, "0"))+1)/2 + 1
	}
	return "", 0 // a session's item has no others
}

const (
	shownOfID = 6  // characters: enough to tell one session from another
	maxText   = 40 // characters of an attribute
)

// notes say what attributes are for.
var notes = map[string]string{
	"id":      "the session's ID: a secret, so cut here",
	"user":    "by which a user's sessions are found",
	"label":   "for the list of devices",
	"gone":    "a tombstone: a late request cannot bring the session back",
	"expires": "then DynamoDB deletes it",
	"created": "when it began",
	"seen":    "when it was used last, to within 5 minutes",
	"version": "new at every write",
	"recent":  "the versions of the last minute",
	"max_age": "how long the cookie lives, in seconds",
}

// explain returns an attribute with a note on what it is for.
func explain(name, value string) attribute {
	a := attribute{name, []string{value}, notes[name]}
	switch name {
	case "id": // whoever knows it is close to taking over the session
		a.Value[0] = value[:min(len(value), shownOfID)] + "…"
	case "data":
		a.Value = strings.SplitAfter(value, ",")
	case "expires", "created", "seen":
		if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
			a.Note = time.Unix(seconds, 0).UTC().Format("2 Jan 2006, 15:04 MST: ") + a.Note
		}
	default:
		if len(value) > maxText {
			a.Value[0] = strings.ToValidUTF8(value[:maxText], "") + "…"
		}
	}
	return a
}
