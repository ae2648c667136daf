package quickgob

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"
)

// What cookies hold is, byte for byte, what securecookie writes by itself, so that cookies go from one to the other.
func TestSerializerWritesAsSecurecookie(t *testing.T) {
	for _, v := range []any{"", "A", strings.Repeat("A", 52), strings.Repeat("é", 200), 7, map[string]int{"a": 1}} {
		got, err := Serializer{}.Serialize(v)
		want, wantErr := securecookie.GobEncoder{}.Serialize(v)
		if err != nil || wantErr != nil || !bytes.Equal(got, want) {
			t.Errorf("Serialize(%v) = %q, %v, want %q, %v", v, got, err, want, wantErr)
		}
	}
	if _, err := (Serializer{}).Serialize(func() {}); err == nil {
		t.Error("Serialize of a function returned no error")
	}
}

func TestSerializerReadsAsSecurecookie(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(data []byte) {
		t.Helper()
		var got, want string
		err, wantErr := Serializer{}.Deserialize(data, &got), securecookie.GobEncoder{}.Deserialize(data, &want)
		if (err == nil) != (wantErr == nil) || got != want {
			t.Errorf("Deserialize(%q) = %q, %v, want %q, %v", data, got, err, want, wantErr)
		}
	}
	check(nil)
	for _, v := range []any{"", "A", strings.Repeat("A", 52), strings.Repeat("é", 200), 7, map[any]any{"user": "ann"}} {
		data, err := securecookie.GobEncoder{}.Serialize(v)
		if err != nil {
			t.Fatal(err)
		}
		check(data)
		check(data[:len(data)-1])
		check(append(data, 1))
		for range 500 {
			damaged := bytes.Clone(data)
			damaged[r.IntN(len(damaged))] = byte(r.Uint32())
			check(damaged)
		}
	}
	var n int
	if data, _ := (Serializer{}).Serialize(7); (Serializer{}).Deserialize(data, &n) != nil || n != 7 {
		t.Errorf("Deserialize of 7 = %d", n)
	}
}
