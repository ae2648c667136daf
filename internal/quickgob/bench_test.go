package quickgob

import (
	"fmt"
	"testing"
)

// BenchmarkAgainstEncodingGob is a session of so many records, of seven values each.
func BenchmarkAgainstEncodingGob(b *testing.B) {
	for _, records := range []int{1, 16, 128} {
		values := map[any]any{"user": "ann", "at": 1764000000, "admin": false}
		for n := range records {
			values[fmt.Sprint("record", n)] = map[string]any{"sku": fmt.Sprint("TEA-", n), "count": n, "price": 4.5, "tags": []any{"loose", "tin"}}
		}
		var c Codec
		data, _ := c.Encode(values)
		ofGob := plainEncode(b, values)
		for name, f := range map[string]func() bool{
			"encode/by=quickgob": func() bool { _, ok := c.Encode(values); return ok },
			"encode/by=gob":      func() bool { return plainEncode(b, values) != nil },
			"decode/by=quickgob": func() bool { _, ok := c.Decode(data); return ok },
			"decode/by=gob":      func() bool { _, err := plain(ofGob); return err == nil },
		} {
			b.Run(fmt.Sprintf("%s/records=%d", name, records), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !f() {
						b.Fatal("it failed")
					}
				}
			})
		}
	}
}
