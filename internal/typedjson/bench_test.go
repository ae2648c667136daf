package typedjson

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
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
		"roles":         []any{"admin", "editor"},
		"prefs":         map[string]any{"theme": "dark", "lang": "de", "page": 50},
	}
	c, _ := New()
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

func stringKeys(values map[any]any) map[string]any {
	m := make(map[string]any, len(values))
	for k, v := range values {
		m[k.(string)] = v
	}
	return m
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
		values := benchValues(size)
		b.Run(fmt.Sprintf("%dKiB/typedjson", size>>10), func(b *testing.B) {
			c := mustNew(b)
			b.ReportAllocs()
			for b.Loop() {
				data, err := c.Encode(values)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(data)))
			}
		})
		b.Run(fmt.Sprintf("%dKiB/encoding-json", size>>10), func(b *testing.B) {
			m := stringKeys(values)
			b.ReportAllocs()
			for b.Loop() {
				data, err := json.Marshal(m)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(data)))
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 32 << 10} {
		c := mustNew(b)
		data, err := c.Encode(benchValues(size))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%dKiB/typedjson", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/encoding-json", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var m map[string]any
				if err := json.Unmarshal(data, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTyped is a session of tagged values and a listed struct.
func BenchmarkTyped(b *testing.B) {
	c := mustNew(b, Cart{})
	cart := &Cart{Count: 3, Notes: map[string]string{"a": "b"}}
	for i := range 30 {
		cart.Items = append(cart.Items, Item{fmt.Sprintf("sku-%d", i), float64(i)})
	}
	values := map[any]any{"cart": cart, "at": time.Now().UTC(), "n": int64(5), "tags": []string{"a", "b"}, "raw": []byte("0123456789")}
	data, err := c.Encode(values)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Encode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			c.Encode(values)
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			c.Decode(data)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Cart{})
	}
}
