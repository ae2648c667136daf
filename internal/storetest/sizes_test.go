package storetest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var sizesTable = flag.Bool("sizes-table", false, "TestSizes prints its table, as it stands in docs/security.md")

// shopping returns the session of a shop: about n bytes of names, numbers, text and tokens, as
// plain JSON.
func shopping(n int) map[any]any {
	r := rand.New(rand.NewPCG(4, 1024))
	token := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789abcdef"[r.IntN(16)]
		}
		return string(b)
	}
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	values := map[any]any{
		"user":   "ann.archer@example.com",
		"csrf":   token(64),
		"since":  1795520965,
		"prefs":  map[string]any{"language": "en-GB", "currency": "EUR", "newsletter": false},
		"_flash": []any{"Welcome back, Ann."},
		"cart":   []any{},
	}
	size := func() int {
		plain := make(map[string]any)
		for k, v := range values {
			plain[k.(string)] = v
		}
		text, err := json.Marshal(plain)
		if err != nil {
			panic(err)
		}
		return len(text)
	}
	for {
		cart := values["cart"].([]any)
		values["cart"] = append(cart, map[string]any{
			"sku":      fmt.Sprintf("%s-%05d", pick("TEA", "CUP", "POT", "TIN"), r.IntN(100_000)),
			"name":     pick("Darjeeling", "Assam", "Sencha", "Rooibos", "Lapsang") + " " + pick("first flush", "organic", "loose leaf", "gift box", "refill"),
			"price":    float64(r.IntN(10_000)) / 100,
			"quantity": 1 + r.IntN(5),
			"image":    "https://images.example.com/products/" + token(12) + ".jpg",
			"note":     pick("", "gift wrapping, please", "for the office", "leave with the neighbour"),
		})
		if size() > n {
			if len(cart) > 0 {
				values["cart"] = cart
			}
			return values
		}
	}
}

// metered is a client that keeps what a write consumed.
type metered struct {
	*dynamodb.Client
	units float64 // of the last write
}

func (m *metered) PutItem(ctx context.Context, in *dynamodb.PutItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.PutItem(ctx, in, optFns...)
	if err == nil {
		m.units = aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	return out, err
}

func (m *metered) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, optFns ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = types.ReturnConsumedCapacityTotal
	out, err := m.Client.UpdateItem(ctx, in, optFns...)
	if err == nil {
		m.units = aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	return out, err
}

// sizeOf returns the size of an item by DynamoDB's rules.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOf(t testing.TB, item dynamotest.Item) int {
	t.Helper()
	n := 0
	for name, v := range item {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		case *types.AttributeValueMemberN: // two digits a byte, without trailing zeros, and one byte more
			n += (len(strings.TrimRight(v.Value, "0"))+1)/2 + 1
		default:
			t.Fatalf("attribute %q is %s, want S, B or N", name, attrText(v))
		}
	}
	return n
}

// The table in docs/security.md says how large sessions are in the table, and what a write costs.
func TestSizes(t *testing.T) {
	t.Parallel()
	forms := []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"`NoCompression`", dynamostore.Config{NoCompression: true}},
		{"default", dynamostore.Config{}},
		{"`NoCompression`, encrypted", dynamostore.Config{NoCompression: true, EncryptionKeys: [][]byte{itemKeyA}}},
		{"encrypted", dynamostore.Config{EncryptionKeys: [][]byte{itemKeyA}}},
	}
	heading := []string{"values", "codec"}
	for _, form := range forms {
		heading = append(heading, form.name)
	}
	table := []string{"| " + strings.Join(heading, " | ") + " |", strings.Repeat("| --- ", len(heading)) + "|"}
	for _, kib := range []float64{0.5, 2, 8, 32} {
		values := shopping(int(kib * 1024))
		for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
			row := []string{fmt.Sprint(kib, " KiB"), "`" + codec.Name() + "`"}
			var sizes, units []int
			for _, form := range forms {
				a := newApp(t, func(c *dynamostore.Config) { *c = form.cfg; c.Codec = codec })
				meter := &metered{Client: a.backend.Client}
				var err error
				if a.store, err = dynamostore.New(meter, a.cfg, keyA); err != nil {
					t.Fatal(err)
				}
				b := a.browser()
				consumed := func() int {
					size := sizeOf(t, a.item())
					if want := (size + 1023) / 1024; meter.units != float64(want) {
						t.Errorf("%v, %s: an item of %d bytes took %v write units, want %d", row, form.name, size, meter.units, want)
					}
					return int(meter.units)
				}
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, values); s.Values["visits"] = 1 }); err != nil {
					t.Fatal(err)
				}
				created := consumed()
				// Nobody wrote the session in the last minute: then it has no attribute recent.
				a.alter(dynamotest.Item{"version": dynamotest.S(versionAt(time.Now().Add(-time.Hour)))})
				b.set("visits", 2)
				size, updated := sizeOf(t, a.item()), consumed()
				if created != updated {
					t.Errorf("%v, %s: %d units for a new session, %d for one that was there", row, form.name, created, updated)
				}
				sizes, units = append(sizes, size), append(units, updated)
				row = append(row, fmt.Sprintf("%d bytes, %d WCU", size, updated))
			}
			table = append(table, "| "+strings.Join(row, " | ")+" |")

			if kib < 1 && units[1] != units[0] || kib > 1 && (units[1] >= units[0] || units[3] >= units[2]) {
				t.Errorf("%v: compression saves units above 1 KiB, and only there", row)
			}
			// Encryption adds a nonce, a tag, and the step's name in the codec attribute.
			if seal := 12 + 16 + len("+aes256gcm"); !isNear(sizes[2], sizes[0]+seal, 4) || !isNear(sizes[3], sizes[1]+seal, variation(codec.Name(), sizes[1])) {
				t.Errorf("%v: encryption adds other than %d bytes", row, seal)
			}
		}
	}
	if *sizesTable {
		fmt.Println(strings.Join(table, "\n"))
	}

	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, stated, ok := strings.Cut(string(text), table[0]+"\n")
	lines := strings.Split(stated, "\n")
	if !ok || len(lines) < len(table) {
		t.Fatalf("docs/security.md has no table that begins with\n%s", table[0])
	}
	for i, want := range table[1:] {
		codec := "json"
		if strings.Contains(want, "`gob`") {
			codec = "gob"
		}
		if !sameRow(codec, lines[i], want) {
			t.Errorf("docs/security.md says\n%s\nand measured is\n%s\n(make sizes prints the table)", lines[i], want)
		}
	}
}

// variation is by how much a size may differ from one run to the next. encoding/gob writes maps in
// any order, so they are compressed better or worse. Times take a byte more or less.
func variation(codec string, size int) int {
	if codec == "gob" {
		return 4 + size/10
	}
	return 4
}

func isNear(a, b, by int) bool { return max(a-b, b-a) <= by }

var sizeInBytes = regexp.MustCompile(`(\d+) bytes`)

// sameRow reports whether two rows of the table are the same, except for what varies with that
// codec.
func sameRow(codec, a, b string) bool {
	if sizeInBytes.ReplaceAllString(a, "") != sizeInBytes.ReplaceAllString(b, "") {
		return false
	}
	as, bs := sizeInBytes.FindAllStringSubmatch(a, -1), sizeInBytes.FindAllStringSubmatch(b, -1)
	for i := range as {
		x, _ := strconv.Atoi(as[i][1])
		y, _ := strconv.Atoi(bs[i][1])
		if !isNear(x, y, variation(codec, y)) {
			return false
		}
	}
	return true
}

// A session that is too large is refused before anything is sent.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	t.Run("for the item", func(t *testing.T) {
		a := newApp(t, func(c *dynamostore.Config) { c.NoCompression = true })
		b := a.browser()
		_, err := b.with(func(s *sessions.Session) { s.Values["k"] = strings.Repeat("secret", 100_000) })
		wantError(t, err, dynamostore.ErrTooLarge, "secret")
		if err != nil && (!strings.Contains(err.Error(), "409600") || !strings.Contains(err.Error(), "600")) {
			t.Errorf("error %q does not say both sizes", err)
		}
		a.wantSent()
		b.set("k", "v")
		before := a.item()
		a.wantSent("PutItem")
		_, err = b.with(func(s *sessions.Session) { s.Values["k"] = strings.Repeat("secret", 100_000) })
		wantError(t, err, dynamostore.ErrTooLarge, "secret")
		a.wantSent("GetItem")
		if after := a.item(); !reflect.DeepEqual(after, before) {
			t.Errorf("the item is %s\nwant it as it was: %s", itemsText(after), itemsText(before))
		}
	})
	t.Run("for MaxLength", func(t *testing.T) {
		a := newApp(t)
		a.store.MaxLength(100)
		b := a.browser()
		_, err := b.with(func(s *sessions.Session) { s.Values["k"] = strings.Repeat("x", 200) })
		wantError(t, err, dynamostore.ErrTooLarge)
		if err != nil && (!strings.Contains(err.Error(), " 100") || !strings.Contains(err.Error(), "MaxLength")) {
			t.Errorf("error %q does not say the limit, and where it is set", err)
		}
		a.wantSent()
		a.store.MaxLength(0)
		b.set("k", strings.Repeat("x", 200))
	})
}

// maxItem is the most bytes that DynamoDB stores in an item.
const maxItem = 400 << 10

// The Store computes an item's size as DynamoDB does. It refuses what DynamoDB would refuse before
// it sends it, and little else. Under Lock it leaves room for the lock, without which the session
// could not be loaded again.
func TestLargestItem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		more dynamotest.Item
	}{
		{"plain", dynamostore.Config{}, nil},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION", KeyPrefix: "p/"}, nil},
		{"text", dynamostore.Config{DataType: dynamostore.String}, nil},
		{"hashed IDs", dynamostore.Config{HashIDs: true}, nil},
		{"with the application's own attributes", dynamostore.Config{}, dynamotest.Item{"theirs": dynamotest.S(strings.Repeat("x", 50_000)), "n": dynamotest.N("123")}},
		{"Lock", dynamostore.Config{Concurrency: dynamostore.Lock}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg; c.Codec, c.NoCompression = rawCodec{}, true })
			lock := 0
			if test.cfg.Concurrency == dynamostore.Lock {
				lock = len("lock") + 26 + len("lock_until") + 8 + len("lock_count") + 5
			}
			var b *browser
			save := func(n int) error {
				_, err := b.with(func(s *sessions.Session) {
					a.backend.Counts()
					s.Values["raw"] = strings.Repeat("x", n)
					s.Options.MaxAge = 12345
				})
				return err
			}
			// wantLargest asserts that a session is saved whose item has up to spare bytes less
			// than DynamoDB stores, and that one with more than that is refused before anything is
			// sent. The times in the item may take 3 bytes more or less.
			wantLargest := func(what string, spare int, prepare func()) {
				t.Helper()
				prepare()
				if err := save(1000); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				a.waitUnlocked()
				largest := maxItem - lock - (sizeOf(t, a.item()) - 1000)
				prepare()
				wantError(t, save(largest+4), dynamostore.ErrTooLarge)
				sent := a.backend.Counts()
				if sent["PutItem"] > 0 || sent["UpdateItem"] > 0 && lock == 0 {
					t.Errorf("%s: what was refused as too large was sent: %v", what, sent)
				}
				a.waitUnlocked()
				prepare()
				if err := save(largest - spare - 3); err != nil {
					t.Errorf("%s: data of %d bytes: %v, want it saved", what, largest-spare-3, err)
				}
				a.waitUnlocked()
				if got := b.values()["raw"]; got != strings.Repeat("x", largest-spare-3) {
					t.Errorf("%s: the largest session does not come back", what)
				}
				a.waitUnlocked()
			}
			wantLargest("create", 0, func() {
				for _, item := range a.backend.Items(t) {
					a.backend.Delete(t, a.key(item))
				}
				b = a.browser()
			})
			if test.more != nil {
				a.alter(withAttributes(test.more, dynamotest.Item{"data": dynamotest.B([]byte("x"))}))
			}
			wantLargest("update", 32, func() { // the Store allows for longer numbers and a longer name of the codec
				a.waitUnlocked()
				a.alter(dynamotest.Item{"version": dynamotest.S(versionAt(time.Now().Add(-time.Hour)))}) // no attribute recent
			})
		})
	}
}
