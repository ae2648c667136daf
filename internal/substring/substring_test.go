package substring

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestString(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 100)
	data := []byte(text)
	forward, anywhere := Source{Data: data}, Source{Data: data}
	check := func(s *Source, start, end int) {
		if got := s.String(start, end); got != text[start:end] {
			t.Fatalf("String(%d, %d) = %q, want %q", start, end, got, text[start:end])
		}
	}
	for start := 0; start < len(text); {
		end := min(start+random.IntN(2*shortLength), len(text))
		check(&forward, start, end)
		start = max(end, start+1)
	}
	for range 10_000 {
		start := random.IntN(len(text) + 1)
		check(&anywhere, start, min(start+random.IntN(2*shortLength), len(text)))
	}
}

func TestStringsShareAllocations(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100)
	allocations := testing.AllocsPerRun(10, func() {
		s := Source{Data: data}
		for start := 0; start < len(data); start += 10 {
			s.String(start, start+10)
		}
	})
	if allocations > 5 {
		t.Errorf("%v allocations for 100 strings in 1000 bytes, want at most 5", allocations)
	}
}

func TestStringsDoNotShareData(t *testing.T) {
	data := []byte("0123456789")
	s := Source{Data: data}
	got := s.String(2, 4)
	clear(data)
	if got != "23" {
		t.Errorf("the string became %q with the data", got)
	}
}
