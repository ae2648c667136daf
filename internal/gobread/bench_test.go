package gobread

import (
	"fmt"
	"testing"
)

// BenchmarkDecode reads sessions of about 1, 4 and 32 KiB: records of seven values each.
func BenchmarkDecode(b *testing.B) {
	for _, test := range []struct{ kib, records int }{{1, 6}, {4, 25}, {32, 200}} {
		values := map[any]any{"user": "ann", "at": 1764000000, "admin": false}
		for n := range test.records {
			values[fmt.Sprint("record", n)] = map[string]any{"sku": fmt.Sprint("TEA-", n), "count": n, "price": 4.5, "tags": []any{"loose", "tin"}}
		}
		data := encode(b, values)
		for _, by := range []struct {
			name   string
			decode func() bool
		}{
			{"gobread", func() bool { _, ok := Decode(data); return ok }},
			{"gob", func() bool { _, err := decode(data); return err == nil }},
		} {
			b.Run(fmt.Sprintf("by=%s/KiB=%d", by.name, test.kib), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if !by.decode() {
						b.Fatal("it failed")
					}
				}
			})
		}
	}
}
