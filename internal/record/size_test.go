package record

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The sizes are those that DynamoDB documents.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func TestSize(t *testing.T) {
	for _, test := range []struct {
		name string
		v    types.AttributeValue
		want int
	}{
		{"S", text("é"), 2},
		{"empty S", text(""), 0},
		{"B", blob(1, 2, 3), 3},
		{"N of one digit", numeral("7"), 2},
		{"N of two digits", numeral("42"), 2},
		{"N of three digits", numeral("123"), 3},
		{"N with trailing zeros", numeral("1200"), 2},
		{"a time", numeral("1795000001"), 6},
		{"BOOL", &types.AttributeValueMemberBOOL{}, 1},
		{"NULL", &types.AttributeValueMemberNULL{Value: true}, 1},
		{"SS", &types.AttributeValueMemberSS{Value: []string{"a", "bc"}}, 3},
		{"NS", &types.AttributeValueMemberNS{Value: []string{"7", "123"}}, 5},
		{"BS", &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2, 3}}}, 3},
		{"L", &types.AttributeValueMemberL{Value: []types.AttributeValue{text("ab"), numeral("7")}}, 3 + (1 + 2) + (1 + 2)},
		{"empty L", &types.AttributeValueMemberL{}, 3},
		{"M", &types.AttributeValueMemberM{Value: attributes{"k": text("ab")}}, 3 + 1 + (1 + 2)},
		{"L in M", &types.AttributeValueMemberM{Value: attributes{"k": &types.AttributeValueMemberL{Value: []types.AttributeValue{text("ab")}}}}, 3 + 1 + 1 + (3 + 1 + 2)},
	} {
		if got := size(attributes{"name": test.v}); got != len("name")+test.want {
			t.Errorf("%s: size = %d, want %d", test.name, got, len("name")+test.want)
		}
	}
}

func TestCheckSize(t *testing.T) {
	if err := checkSize(400 << 10); err != nil {
		t.Errorf("an item of 400 KB: %v", err)
	}
	err := checkSize(400<<10 + 1)
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "409601") || !strings.Contains(err.Error(), "409600") {
		t.Errorf("an item of 400 KB and a byte: %v, want ErrTooLarge with both sizes", err)
	}
}

// The size of an update, which is computed without the item's data, is at least that of the item,
// and little more.
func TestUpdatedSize(t *testing.T) {
	now := time.Now().Unix()
	for _, test := range []struct {
		name  string
		table *Table
		base  *Item
		w     Write
	}{
		{"least", plain, &Item{Version: "v"}, Write{}},
		{"user, label, options, MaxAge", indexed, &Item{Version: "v"}, Write{User: "ann", Label: "phone", Options: "12345678", MaxAge: 3600, HasMaxAge: true}},
		{"others", plain, &Item{Version: "v", others: attributes{"theirs": list, "n": numeral("123")}}, Write{}},
		{"recent", plain, &Item{Version: versionOf(now), recent: shortVersion(versionOf(now))}, Write{}},
	} {
		w := test.w
		w.Data, w.Codec, w.Version, w.Expires, w.Created = make([]byte, 1000), "gob+aes256gcm", versionOf(now), now, now
		attrs := test.table.attributes("app#k", test.base, &w)
		if recent := recentVersions(test.base, w.Version); recent != "" {
			attrs[attrRecent] = text(recent)
		}
		want := size(attrs)
		if got := test.table.updatedSize("app#k", test.base, &w); got < want || got > want+16 {
			t.Errorf("%s: updatedSize = %d, want %d, or up to 16 more", test.name, got, want)
		}
		locked := w
		locked.Token = NewToken()
		attrs[attrLock], attrs[attrLockUntil] = text(locked.Token), numeral("1795000000999")
		attrs[attrLockCount] = numeral("12345678")
		if got, want := test.table.updatedSize("app#k", test.base, &locked), size(attrs); got < want || got > want+16 {
			t.Errorf("%s, with room for the lock: updatedSize = %d, want %d, or up to 16 more", test.name, got, want)
		}
	}
}
