package typedjson

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// benchValues returns values of about size bytes, as a session holds them: an account, flashes,
// lists of records.
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

// typedValues returns tagged values and a listed struct.
func typedValues() map[any]any {
	cart := &Cart{Count: 3, Notes: map[string]string{"a": "b"}}
	for i := range 30 {
		cart.Items = append(cart.Items, Item{fmt.Sprintf("sku-%d", i), float64(i)})
	}
	return map[any]any{"cart": cart, "at": time.Now().UTC(), "n": int64(5), "tags": []string{"a", "b"}, "raw": []byte("0123456789")}
}

// benchmarks are sessions, with codecs that know their types.
func benchmarks(b *testing.B, run func(b *testing.B, c *Codec, values map[any]any, data []byte)) {
	for _, test := range []struct {
		name   string
		codec  *Codec
		values map[any]any
	}{
		{"plain/1KiB", mustNew(b), benchValues(1 << 10)},
		{"plain/4KiB", mustNew(b), benchValues(4 << 10)},
		{"plain/32KiB", mustNew(b), benchValues(32 << 10)},
		{"typed", mustNew(b, Cart{}), typedValues()},
	} {
		b.Run(test.name, func(b *testing.B) {
			data, err := test.codec.Encode(test.values)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			run(b, test.codec, test.values, data)
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	benchmarks(b, func(b *testing.B, c *Codec, values map[any]any, _ []byte) {
		for b.Loop() {
			if _, err := c.Encode(values); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	benchmarks(b, func(b *testing.B, c *Codec, _ map[any]any, data []byte) {
		for b.Loop() {
			if _, err := c.Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Cart{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON is what encoding/json takes for plain values, without keeping their types.
func BenchmarkEncodingJSON(b *testing.B) {
	m := make(map[string]any)
	for k, v := range benchValues(1 << 10) {
		m[k.(string)] = v
	}
	data, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Marshal/1KiB", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			json.Marshal(m)
		}
	})
	b.Run("Unmarshal/1KiB", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m map[string]any
			json.Unmarshal(data, &m)
		}
	})
}
