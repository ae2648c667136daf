package record

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func blob(b ...byte) types.AttributeValue   { return &types.AttributeValueMemberB{Value: b} }
func numeral(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }

var list = &types.AttributeValueMemberL{Value: []types.AttributeValue{text("x")}}

// plain is a table with the default names, without users and labels.
var plain = New(nil, Schema{Table: "sessions", Key: "id", Data: "data", Expires: "expires"})

// indexed is a table with other names, a sort key, users and labels.
var indexed = New(nil, Schema{
	Table: "sessions", Key: "pk", SortKey: "sk", SortValue: "SESSION", Data: "blob", Expires: "ttl", Index: "user-index", Labels: true, Prefix: "app#",
})

func TestParse(t *testing.T) {
	foreign := numeral("7")
	for _, test := range []struct {
		name  string
		table *Table
		attrs attributes
		want  *Item
	}{
		{"nothing", plain, nil, nil},
		{"no attributes", plain, attributes{}, nil},
		{"everything", plain, attributes{
			"id": text("k"), "data": blob(1, 2), "codec": text("gob"), "version": text("v"), "recent": text("0123456789"), "expires": numeral("20"),
			"created": numeral("10"), "seen": numeral("11"), "max_age": numeral("60"), "options": text("o"), "lock": text("l"), "lock_until": numeral("9"), "lock_count": numeral("2"),
		}, &Item{
			Data: []byte{1, 2}, Codec: "gob", Version: "v", recent: "0123456789", Expires: 20, HasExpires: true, Created: 10, HasCreated: true,
			Seen: 11, HasSeen: true, MaxAge: 60, HasMaxAge: true, Options: "o", LastHolder: "l", Locked: true, lockCount: numeral("2"),
		}},
		{"everything, under other names", indexed, attributes{
			"pk": text("app#k"), "sk": text("SESSION"), "blob": text("{}"), "codec": text("json"), "version": text("v"), "ttl": numeral("20"),
			"user": text("ann"), "label": text("phone"),
		}, &Item{Data: []byte("{}"), Text: true, Codec: "json", Version: "v", Expires: 20, HasExpires: true, User: "ann", Label: "phone"}},
		{"the application's user and label", plain, attributes{"data": blob(), "version": text("v"), "user": text("ann"), "label": text("phone"), "theirs": list},
			&Item{Data: []byte(nil), Version: "v", others: attributes{"user": text("ann"), "label": text("phone"), "theirs": list}}},
		{"a tombstone", plain, attributes{"id": text("k"), "gone": text("ended"), "version": text("v"), "seen": numeral("1"), "expires": numeral("301")},
			&Item{Gone: Ended, Version: "v", Seen: 1, HasSeen: true, Expires: 301, HasExpires: true}},
		{"the tombstone of a move", plain, attributes{"gone": text("moved"), "version": text("v")}, &Item{Gone: Moved, Version: "v"}},
		{"a tombstone with data", plain, attributes{"gone": text("moved"), "version": text("v"), "data": text("x")}, &Item{Data: []byte("x"), Text: true, Version: "v"}},
		{"a tombstone with data of another type", plain, attributes{"gone": text("ended"), "version": text("v"), "data": list},
			&Item{Version: "v", Malformed: `its attribute "data" is neither binary (B) nor a string (S)`}},
		{"a tombstone of another kind", plain, attributes{"gone": text("burnt"), "version": text("v")}, &Item{Version: "v", Malformed: `it has no attribute "data"`}},
		{"a tombstone of another type", plain, attributes{"gone": numeral("1"), "version": text("v")}, &Item{Version: "v", Malformed: `it has no attribute "data"`}},
		{"no data", indexed, attributes{"pk": text("app#k"), "version": text("v")}, &Item{Version: "v", Malformed: `it has no attribute "blob"`}},
		{"expires of another type", plain, attributes{"data": blob(1), "version": text("v"), "expires": text("20")},
			&Item{Data: []byte{1}, Version: "v", Malformed: `its attribute "expires" is not a number (N)`}},
		{"other types", plain, attributes{
			"data": blob(1), "version": foreign, "codec": numeral("1"), "recent": list, "created": text("1"), "seen": blob(1), "max_age": text("60"),
			"options": numeral("1"), "gone": list, "lock": numeral("1"), "lock_until": text("1"), "lock_count": list,
		}, &Item{Data: []byte{1}, foreign: foreign, lockCount: list}},
		{"no version", plain, attributes{"data": blob(1)}, &Item{Data: []byte{1}, data: blob(1)}},
		{"recent that this package did not write", plain, attributes{"data": blob(1), "version": text("v"), "recent": text("yesterday")}, &Item{Data: []byte{1}, Version: "v"}},
		{"times that are none", plain, attributes{"data": blob(1), "version": text("v"), "created": numeral("-1"), "seen": numeral("1e40"), "max_age": numeral("-5")},
			&Item{Data: []byte{1}, Version: "v"}},
		{"expires in milliseconds", plain, attributes{"data": blob(1), "version": text("v"), "expires": numeral("1795000000999")},
			&Item{Data: []byte{1}, Version: "v", Expires: 1795000000, HasExpires: true, milliseconds: true, irregular: true}},
		{"expires at the end of the year 9999", plain, attributes{"data": blob(1), "version": text("v"), "expires": numeral("253402300799")},
			&Item{Data: []byte{1}, Version: "v", Expires: 253402300799, HasExpires: true}},
		{"expires, one more", plain, attributes{"data": blob(1), "version": text("v"), "expires": numeral("253402300800")},
			&Item{Data: []byte{1}, Version: "v", Expires: 253402300, HasExpires: true, milliseconds: true, irregular: true}},
		{"expires in another form", plain, attributes{"data": blob(1), "version": text("v"), "expires": numeral("2.05E1")},
			&Item{Data: []byte{1}, Version: "v", Expires: 20, HasExpires: true, irregular: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.table.parse(test.attrs)
			if got != nil && len(got.Data) == 0 {
				got.Data = nil
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("parse = %+v\nwant    %+v", got, test.want)
			}
		})
	}
}

// An item is in the form of this package only if it lacks nothing that its writes rest on.
func TestIsCurrent(t *testing.T) {
	current := attributes{
		"id": text("k"), "data": blob(1), "codec": text("gob"), "version": text("v"), "expires": numeral("20"), "created": numeral("10"), "seen": numeral("10"),
	}
	if !plain.parse(current).IsCurrent() {
		t.Error("an item as this package writes it is not current")
	}
	for _, test := range []struct {
		name string
		v    types.AttributeValue // nil: missing
	}{
		{"version", nil}, {"version", numeral("1")}, {"codec", nil}, {"codec", numeral("1")},
		{"expires", nil}, {"expires", numeral("20.0")}, {"expires", numeral("1795000000999")},
		{"created", nil}, {"created", text("10")}, {"seen", nil}, {"seen", numeral("-1")},
	} {
		attrs := maps.Clone(current)
		delete(attrs, test.name)
		if test.v != nil {
			attrs[test.name] = test.v
		}
		if plain.parse(attrs).IsCurrent() {
			t.Errorf("an item whose attribute %q is %v is current", test.name, test.v)
		}
	}
}

func TestNumberOf(t *testing.T) {
	for _, test := range []struct {
		v    types.AttributeValue
		want int64
		ok   bool
	}{
		{numeral("0"), 0, true},
		{numeral("-7"), -7, true},
		{numeral("9223372036854775807"), math.MaxInt64, true},
		{numeral("9223372036854775808"), math.MaxInt64, true},
		{numeral("-9223372036854775809"), math.MinInt64, true},
		{numeral("1e125"), math.MaxInt64, true},
		{numeral("-1e125"), math.MinInt64, true},
		{numeral("1.9"), 1, true},
		{numeral("-1.1"), -2, true},
		{numeral("1.5E3"), 1500, true},
		{numeral("1e-130"), 0, true},
		{numeral(""), 0, false},
		{numeral("NaN"), 0, false},
		{numeral("Inf"), 0, false},
		{numeral("1e999"), 0, false},
		{numeral("seven"), 0, false},
		{text("7"), 0, false},
		{nil, 0, false},
	} {
		if got, ok := numberOf(test.v); got != test.want || ok != test.ok {
			t.Errorf("numberOf(%+v) = %d, %v, want %d, %v", test.v, got, ok, test.want, test.ok)
		}
	}
}

// What a write puts into the table is what it is read as, and what Written says of it.
func TestWrittenIsWhatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which time stands still
		for _, test := range []struct {
			name string
			w    Write
		}{
			{"least", Write{Data: []byte{1}, Codec: "gob", Version: NewVersion(nil), Expires: 20, Created: 10}},
			{"most", Write{
				Data: []byte("{}"), Text: true, Codec: "json+zstd", Version: NewVersion(nil), Expires: 20, Created: 10, MaxAge: 60, HasMaxAge: true,
				Options: "o", User: "ann", Label: "phone",
			}},
			{"MaxAge 0", Write{Data: []byte{1}, Codec: "gob", Version: NewVersion(nil), Expires: 20, Created: 10, HasMaxAge: true}},
		} {
			read := indexed.parse(indexed.attributes("app#k", nil, &test.w)).WithoutData()
			if want := test.w.Written(nil); !reflect.DeepEqual(read, want) {
				t.Errorf("%s: what was written is read as %+v\nand Written says %+v", test.name, read, want)
			}
			if !read.IsCurrent() {
				t.Errorf("%s: what this package writes is not in its form: %+v", test.name, read)
			}
		}
	})
}

// A Touch changes the item as Touched says.
func TestTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &Item{Codec: "gob", Version: "v", recent: "0123456789", Expires: 20, HasExpires: true, Seen: 1, HasSeen: true, Options: "old", User: "ann"}
		want := *base
		want.Expires, want.Seen, want.Options = 90, time.Now().Unix(), "new"
		w := Write{Expires: 90, Options: "new"}
		if got := w.Touched(base); !reflect.DeepEqual(got, &want) {
			t.Errorf("Touched = %+v\nwant      %+v", got, &want)
		}
		if base.Expires != 20 || base.Options != "old" {
			t.Errorf("Touched changed the base to %+v", base)
		}
	})
}

// A key belongs to the schema if it begins with Prefix, and what follows does not hold the last
// character of Prefix.
func TestOwns(t *testing.T) {
	for _, test := range []struct {
		prefix, key string
		want        bool
	}{
		{"", "k", true},
		{"", "app#k", true},
		{"", "", false},
		{"app#", "app#k", true},
		{"app#", "app#", false},
		{"app#", "app", false},
		{"app#", "apple#k", false},
		{"app#", "k", false},
		{"app#", "", false},
		{"app#", "app#two#k", false},
		{"app#", "app##", false},
		{"app#", "app#k/l", true},
		{"app#two#", "app#two#k", true},
		{"app#two#", "app#k", false},
		{"#", "#k", true},
		{"#", "##k", false},
		{"go_", "go_k", true},
		{"go_", "go_a_b", false},
		{"äpp→", "äpp→k", true},
		{"äpp→", "äpp→zwei→k", false},
		{"äpp→", "äpp→\xe2", true}, // half of the character
	} {
		if got := (Schema{Prefix: test.prefix}).Owns(test.key); got != test.want {
			t.Errorf("with the prefix %q, Owns(%q) = %v, want %v", test.prefix, test.key, got, test.want)
		}
	}
}

// FuzzItem reads arbitrary attributes, and makes every update that can follow. None of that panics,
// and what is written is in this package's form.
func FuzzItem(f *testing.F) {
	f.Add([]byte{}, "v", "0123456789", "20", "gob", uint64(0))
	f.Add([]byte("data"), versionOf(1_795_000_000), strings.Repeat("V", 640), "1795000000000", "ended", uint64(math.MaxUint64))
	f.Add([]byte{0}, "\xff", "é", "-1e125", "moved", uint64(0x0123456789abcdef))
	names := []string{
		"id", "pk", "sk", "data", "blob", "expires", "ttl", "codec", "version", "recent", "max_age", "options", "gone", "lock", "lock_until", "user", "created",
		"seen", "label", "theirs",
	}
	f.Fuzz(func(t *testing.T, data []byte, a, b, number, c string, kinds uint64) {
		texts := []string{a, b, c, number}
		attrs := attributes{}
		for i, name := range names {
			s := texts[i%len(texts)]
			// Three bits say of which type the attribute is.
			switch kinds >> (3 * (uint(i) % 21)) & 7 {
			case 0:
				attrs[name] = text(s)
			case 1:
				attrs[name] = numeral(s)
			case 2:
				attrs[name] = numeral(number)
			case 3:
				attrs[name] = &types.AttributeValueMemberB{Value: data}
			case 4:
				attrs[name] = &types.AttributeValueMemberM{Value: attributes{a: text(b)}}
			case 5:
				attrs[name] = &types.AttributeValueMemberSS{Value: texts}
			case 6:
				attrs[name] = &types.AttributeValueMemberNULL{Value: true}
			}
		}
		for _, table := range []*Table{plain, indexed} {
			item := table.parse(attrs)
			if item == nil {
				if len(attrs) > 0 {
					t.Errorf("of %v, nothing is read", attrs)
				}
				continue
			}
			if item.Gone != "" && (item.Data != nil || item.Gone != Ended && item.Gone != Moved) {
				t.Errorf("the tombstone %+v", item)
			}
			if item.Gone == "" && item.Data == nil && item.Malformed == "" && attrs[table.schema.Data] == nil {
				t.Errorf("a session without data: %+v", item)
			}
			if item.HasExpires && item.Expires > maxTime*1000 && !item.milliseconds || item.HasCreated && (item.Created < 0 || item.Created > maxTime) {
				t.Errorf("times that are none: %+v", item)
			}
			if len(item.recent) > recentMax*shortSize {
				t.Errorf("recent has %d bytes", len(item.recent))
			}
			item.Shows(a)
			w := Write{Data: data, Codec: "gob", Version: NewVersion(item), Expires: 20, Created: 10, Token: "t", KeepsEnd: kinds&1 != 0}
			table.updatedSize("k", item, &w)
			for _, e := range []*expression{table.updateExpression(item, &w), table.movedExpression(item, &w), table.tombstone(Ended, item)} {
				wantComplete(t, table, e)
			}
			moved := table.parse(table.attributes("k", item, &w))
			if !moved.IsCurrent() || moved.Version != w.Version || !reflect.DeepEqual(moved.others, item.others) && len(item.others) > 0 {
				t.Errorf("under a new key, the item is %+v", moved)
			}
		}
	})
}

// wantComplete asserts that an expression uses every name and value that it defines, and defines
// all that it uses.
func wantComplete(t *testing.T, table *Table, e *expression) {
	t.Helper()
	all := e.update() + " " + e.condition() + " "
	names := table.updateInput("k", e).ExpressionAttributeNames
	for placeholder, name := range names {
		if name == "" {
			t.Errorf("the expression %q uses %q, which is no attribute", all, placeholder)
		}
	}
	used := make(map[string]bool)
	for _, word := range strings.FieldsFunc(all, func(r rune) bool { return strings.ContainsRune(" ,()=<>", r) }) {
		if strings.HasPrefix(word, "#") || strings.HasPrefix(word, ":") {
			used[word] = true
		}
	}
	defined := slices.Concat(slices.Collect(maps.Keys(names)), slices.Collect(maps.Keys(e.values)))
	slices.Sort(defined)
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, defined) {
		t.Errorf("the expression %q uses %q, and defines %q", all, got, defined)
	}
}

// Every expression uses what it defines, and defines what it uses: DynamoDB refuses others.
func TestExpressionsAreComplete(t *testing.T) {
	version, number := &Item{Version: "v"}, &Item{foreign: numeral("1")}
	bare := &Item{data: blob(1)}
	full := indexed.parse(indexed.attributes("app#k", nil, &Write{Version: versionOf(time.Now().Unix()), HasMaxAge: true, Options: "o", User: "ann"}))
	for _, base := range []*Item{version, number, bare, full} {
		for _, w := range []Write{
			{},
			{Token: "t"},
			{KeepsEnd: true, Options: "p"},
			{Version: versionOf(time.Now().Unix()), HasMaxAge: true, User: "ann", Label: "phone", Options: "o", Token: "t"},
		} {
			for _, table := range []*Table{plain, indexed} {
				wantComplete(t, table, table.updateExpression(base, &w))
				wantComplete(t, table, table.movedExpression(base, &w))
			}
		}
	}
}
