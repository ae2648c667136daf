package quickgob

import (
	"fmt"
	"testing"
)

// benchValues returns values of about size bytes, as a session holds them: an account, flashes, lists of records.
func benchValues(size int) map[any]any {
	values := map[any]any{
		"user_id":       "u-8f14e45fceea167a",
		"email":         "ann.example@example.com",
		"authenticated": true,
		"visits":        42,
		"score":         0.75,
		"flashes":       []any{"Saved your changes.", "Welcome back!"},
		"prefs":         map[string]any{"theme": "dark", "lang": "de", "page": 50},
	}
	var c Codec
	for i := 0; ; i++ {
		if data, _ := c.Encode(values); len(data) >= size {
			return values
		}
		values[fmt.Sprintf("record%d", i)] = map[string]any{
			"name": fmt.Sprintf("Article number %d", i), "count": i, "price": float64(i) + 0.25, "active": true,
			"tags": []any{"red", "large"}, "note": "A line of text, as people write them, quite ordinary.",
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
		values := benchValues(size)
		b.Run(fmt.Sprintf("%dKiB/quickgob", size>>10), func(b *testing.B) {
			var c Codec
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Encode(values); !ok {
					b.Fatal("left to encoding/gob")
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/encoding-gob", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plainEncode(b, values)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
		data := plainEncode(b, benchValues(size))
		b.Run(fmt.Sprintf("%dKiB/quickgob", size>>10), func(b *testing.B) {
			var c Codec
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Decode(data); !ok {
					b.Fatal("left to encoding/gob")
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/encoding-gob", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plain(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
