package dynamostore_test

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

var sizesTable = flag.Bool("sizes-table", false, "TestSizes prints its table, as it stands in docs/security.md")

// shopping is a session as a shop has it: about n bytes of names, numbers, text and tokens, as plain JSON.
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

// metered tells what a Store's writes consume.
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

// sizeOf is the size of an item by DynamoDB's rules.
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
			t.Fatalf("attribute %q is %s", name, render(v))
		}
	}
	return n
}

// What sessions take in the table, and what it costs to write them: the table in docs/security.md.
func TestSizes(t *testing.T) {
	gob.Register(map[string]any{})
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
				b.set("visits", 2)
				size, updated := sizeOf(t, a.item()), consumed()
				if created != updated {
					t.Errorf("%v, %s: %d units for a new session, %d for one that was there", row, form.name, created, updated)
				}
				sizes, units = append(sizes, size), append(units, updated)
				row = append(row, fmt.Sprintf("%d bytes, %d WCU", size, updated))
			}
			table = append(table, "| "+strings.Join(row, " | ")+" |")

			// What the columns have to do with each other.
			if kib < 1 && units[1] != units[0] || kib > 1 && (units[1] >= units[0] || units[3] >= units[2]) {
				t.Errorf("%v: compression saves units above 1 KiB, and only there", row)
			}
			// Nonce and tag, and the step's name in the codec attribute. The times take a byte more or less.
			if seal := 12 + 16 + len("+aes256gcm"); !near(sizes[2], sizes[0]+seal, 4) || !near(sizes[3], sizes[1]+seal, varies(codec.Name(), sizes[1])) {
				t.Errorf("%v: encryption takes other than %d bytes", row, seal)
			}
		}
	}
	if *sizesTable {
		fmt.Println(strings.Join(table, "\n"))
	}

	// docs/security.md says the same.
	text, err := os.ReadFile("docs/security.md")
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
		if !alike(codec, lines[i], want) {
			t.Errorf("docs/security.md says\n%s\nand measured is\n%s\n(make sizes prints the table)", lines[i], want)
		}
	}
}

// varies is by how much a size may differ from one time to the next: gob writes maps in any order, and they are
// compressed better or worse.
func varies(codec string, size int) int {
	if codec == "gob" {
		return 4 + size/10
	}
	return 4
}

func near(a, b, by int) bool { return max(a-b, b-a) <= by }

var sizeInBytes = regexp.MustCompile(`(\d+) bytes`)

// alike reports whether two rows for that codec are the same, but for what varies.
func alike(codec, a, b string) bool {
	if sizeInBytes.ReplaceAllString(a, "") != sizeInBytes.ReplaceAllString(b, "") {
		return false
	}
	as, bs := sizeInBytes.FindAllStringSubmatch(a, -1), sizeInBytes.FindAllStringSubmatch(b, -1)
	for i := range as {
		x, _ := strconv.Atoi(as[i][1])
		y, _ := strconv.Atoi(bs[i][1])
		if !near(x, y, varies(codec, y)) {
			return false
		}
	}
	return true
}
