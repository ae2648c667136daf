package envelope

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

const limit = 4 << 20

var (
	keyA = bytes.Repeat([]byte("a"), 32)
	keyB = bytes.Repeat([]byte("b"), 32)
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestSealSaysHowToOpen(t *testing.T) {
	long := []byte(strings.Repeat(`{"a":"é"}`, 500))
	noise := random(4096)
	for _, test := range []struct {
		name   string
		config Config
		plain  []byte
		tag    string
	}{
		{"bytes", Config{}, []byte("\x00\xff"), "c"},
		{"text in a binary attribute", Config{}, []byte("{}"), "c"},
		{"text", Config{Text: true}, []byte(`{"a":"é"}`), "c"},
		{"bytes in a text attribute", Config{Text: true}, []byte("\x00\xff"), "c+base64"},
		{"nothing", Config{Text: true, Compress: true}, nil, "c"},
		{"compressed", Config{Compress: true}, long, "c+zstd"},
		{"compressed, as text", Config{Compress: true, Text: true}, long, "c+zstd+base64"},
		{"too short to compress", Config{Compress: true}, long[:900], "c"},
		{"no use to compress", Config{Compress: true}, noise, "c"},
		{"encrypted", Config{Keys: [][]byte{keyA}}, []byte("x"), "c+aes256gcm"},
		{"encrypted, as text", Config{Keys: [][]byte{keyA}, Text: true}, []byte("x"), "c+aes256gcm+base64"},
		{"compressed and encrypted", Config{Compress: true, Keys: [][]byte{keyA}}, long, "c+zstd+aes256gcm"},
		{"all of it", Config{Compress: true, Keys: [][]byte{keyA}, Text: true}, long, "c+zstd+aes256gcm+base64"},
		{"encrypted noise", Config{Compress: true, Keys: [][]byte{keyA}}, noise, "c+aes256gcm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.Codec = "c"
			e := New(test.config)
			before := bytes.Clone(test.plain)
			tag, stored := e.Seal("key", test.plain, 200)
			if tag != test.tag {
				t.Errorf("tag = %q, want %q", tag, test.tag)
			}
			if test.config.Text && !utf8.Valid(stored) {
				t.Errorf("stored %q is not text", stored)
			}
			if Codec(tag) != "c" {
				t.Errorf("Codec(%q) = %q, want c", tag, Codec(tag))
			}
			o, err := e.Open("key", tag, stored, test.config.Text, limit)
			if err != nil || !bytes.Equal(o.Plain, test.plain) || !o.Current {
				t.Errorf("Open = %q, current %v, %v, want %q, current", o.Plain, o.Current, err, test.plain)
			}
			if o, _ := e.Open("key", tag, stored, !test.config.Text, limit); o.Current {
				t.Error("data in the other type of attribute counts as current")
			}
			if !bytes.Equal(test.plain, before) {
				t.Error("Seal changed its input")
			}
		})
	}
}

// Compression is taken only where an item of fewer capacity units comes of it.
func TestCompressionSavesUnits(t *testing.T) {
	e := New(Config{Codec: "c", Compress: true})
	plain := append(random(1000), bytes.Repeat([]byte("x"), 400)...)
	if tag, _ := e.Seal("k", plain, 100); tag != "c" {
		t.Errorf("tag = %q where compression saves bytes but no unit", tag)
	}
	if tag, _ := e.Seal("k", plain, 2048-1300); tag != "c+zstd" {
		t.Errorf("tag = %q where compression saves a unit", tag)
	}
}

// What was written under other settings is read, and known as such.
func TestOldFormsAreRead(t *testing.T) {
	long := []byte(strings.Repeat("abc", 1000))
	for _, test := range []struct {
		name     string
		old, now Config
		current  bool
	}{
		{"another codec", Config{Codec: "d"}, Config{}, false},
		{"compression turned off", Config{Compress: true}, Config{}, true},
		{"compression turned on", Config{}, Config{Compress: true}, true},
		{"text turned on", Config{}, Config{Text: true}, false},
		{"text turned off", Config{Text: true}, Config{}, false},
		{"an older key", Config{Keys: [][]byte{keyB}}, Config{Keys: [][]byte{keyA, keyB}}, false},
		{"the first key", Config{Keys: [][]byte{keyA}}, Config{Keys: [][]byte{keyA, keyB}}, true},
		{"plaintext", Config{}, Config{Keys: [][]byte{keyA}, ReadPlaintext: true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.old.Codec == "" {
				test.old.Codec = "c"
			}
			test.now.Codec = "c"
			tag, stored := New(test.old).Seal("key", long, 0)
			o, err := New(test.now).Open("key", tag, stored, test.old.Text, limit)
			if err != nil || !bytes.Equal(o.Plain, long) || o.Current != test.current {
				t.Errorf("Open = current %v, %v, want current %v", o.Current, err, test.current)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	e := New(Config{Codec: "c", Keys: [][]byte{keyA}, Compress: true})
	plain := []byte(strings.Repeat("secret", 500))
	tag, sealed := e.Seal("key", plain, 0)
	flipped := func(i int) []byte {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		return b
	}
	clear := New(Config{Codec: "c", Compress: true})
	clearTag, compressed := clear.Seal("key", plain, 0)
	bomb := new(bytes.Buffer)
	w, _ := zstd.NewWriter(bomb) // a stream: its header does not tell its size
	for range 64 {
		w.Write(make([]byte, 1<<20))
	}
	w.Close()
	type in struct {
		key, tag string
		stored   []byte
	}
	for _, test := range []struct {
		name string
		e    *Envelope
		in   in
	}{
		{"unknown step", clear, in{"key", "c+rot13", []byte("secret")}},
		{"empty step", clear, in{"key", "c++base64", []byte("c2VjcmV0")}},
		{"step twice", clear, in{"key", "c+base64+base64", []byte("c2VjcmV0")}},
		{"steps in another order", clear, in{"key", "c+base64+zstd", []byte("c2VjcmV0")}},
		{"part of a step", clear, in{"key", "c+zst", []byte("c2VjcmV0")}},
		{"broken base64", clear, in{"key", "c+base64", []byte("secret!")}},
		{"no zstd", clear, in{"key", "c+zstd", []byte("secret")}},
		{"half of zstd", clear, in{"key", clearTag, compressed[:len(compressed)/2]}},
		{"nothing of zstd", clear, in{"key", "c+aes256gcm", nil}},
		{"a bomb", clear, in{"key", "c+zstd", bomb.Bytes()}},
		{"no key", clear, in{"key", tag, sealed}},
		{"wrong key", New(Config{Codec: "c", Keys: [][]byte{keyB}}), in{"key", tag, sealed}},
		{"moved to another item", e, in{"other", tag, sealed}},
		{"another codec", e, in{"key", "d" + tag[1:], sealed}},
		{"a step taken away", e, in{"key", "c+aes256gcm", sealed}},
		{"a step added", e, in{"key", tag + "+base64", sealed}},
		{"a bit of the nonce flipped", e, in{"key", tag, flipped(0)}},
		{"a bit of the data flipped", e, in{"key", tag, flipped(12 + 3)}},
		{"a bit of the tag flipped", e, in{"key", tag, flipped(len(sealed) - 1)}},
		{"cut", e, in{"key", tag, sealed[:len(sealed)-1]}},
		{"too short", e, in{"key", tag, sealed[:20]}},
		{"nothing", e, in{"key", tag, nil}},
		{"plaintext", e, in{"key", "c", plain}},
		{"plaintext that is compressed", e, in{"key", clearTag, compressed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := test.e.Open(test.in.key, test.in.tag, test.in.stored, false, limit)
			if err == nil {
				t.Fatalf("Open = %q, want an error", o.Plain)
			}
			for _, leak := range []string{"secret", "rot13", "c2Vj"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("error %q quotes its input", err)
				}
			}
		})
	}
	if _, err := e.Foreign(plain, false, limit); err == nil {
		t.Error("data without a tag opens where everything is encrypted")
	}
}

// The limit is for what comes out, whichever way it was stored.
func TestWhatComesOutIsBounded(t *testing.T) {
	for want, config := range map[string]Config{
		"c+zstd":                  {Compress: true},
		"c+zstd+aes256gcm+base64": {Compress: true, Keys: [][]byte{keyA}, Text: true},
		"c":                       {},
		"c+aes256gcm":             {Keys: [][]byte{keyA}},
	} {
		config.Codec = "c"
		e := New(config)
		for _, n := range []int{2000, 100_000, 4 << 20} {
			plain := make([]byte, n)
			tag, stored := e.Seal("k", plain, 0)
			if tag != want {
				t.Fatalf("tag = %q, want %q", tag, want)
			}
			if _, err := e.Open("k", tag, stored, config.Text, n); err != nil {
				t.Errorf("%s: %d bytes do not open within as many: %v", tag, n, err)
			}
			if _, err := e.Open("k", tag, stored, config.Text, n-1); err == nil {
				t.Errorf("%s: %d bytes open within %d", tag, n, n-1)
			}
		}
	}
	foreign := []byte(strings.Repeat("AAAA", 100))
	e := New(Config{})
	for n, want := range map[int]int{400: 2, 399: 1, 300: 1, 299: 0} {
		if ways, err := e.Foreign(foreign, true, n); len(ways) != want || (err == nil) != (want > 0) {
			t.Errorf("Foreign, within %d bytes = %d ways, %v, want %d", n, len(ways), err, want)
		}
	}
}

// Each sealing differs, so equal sessions cannot be told from each other or from before.
func TestSealsDiffer(t *testing.T) {
	e := New(Config{Codec: "c", Keys: [][]byte{keyA}})
	_, a := e.Seal("k", []byte("x"), 0)
	_, b := e.Seal("k", []byte("x"), 0)
	if bytes.Equal(a, b) {
		t.Error("two sealings of the same are equal")
	}
}

// Each session is sealed under a key of its own: no other opens it.
func TestEachSessionHasAKeyOfItsOwn(t *testing.T) {
	type session struct{ master, key string }
	var sessions []session
	for _, master := range [][]byte{keyA, keyB} {
		for _, key := range []string{"", "a", "b"} {
			sessions = append(sessions, session{string(master), key})
		}
	}
	for _, s := range sessions {
		sealed := aead([]byte(s.master), s.key).Seal(nil, nil, []byte("the same in all"), nil)
		for _, other := range sessions {
			if _, err := aead([]byte(other.master), other.key).Open(nil, nil, sealed, nil); (err == nil) != (s == other) {
				t.Errorf("session %q, opened as %q: %v", s, other, err)
			}
		}
	}
}

func TestForeignTextMayBeBase64(t *testing.T) {
	for _, test := range []struct {
		name, stored string
		text         bool
		want         []string
	}{
		{"bytes", "AAE=", false, []string{"AAE="}},
		{"text", "AAE=", true, []string{"AAE=", "\x00\x01"}},
		{"text that is no base64", "{}", true, []string{"{}"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ways, err := New(Config{}).Foreign([]byte(test.stored), test.text, limit)
			if got, want := fmt.Sprintf("%q", ways), fmt.Sprintf("%q", test.want); err != nil || got != want {
				t.Errorf("Foreign = %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	e := New(Config{Codec: "c", Compress: true})
	plain := bytes.Repeat([]byte("x"), 100_000)
	for range 10 {
		tag, stored := e.Seal("k", plain, 0)
		if _, err := e.Open("k", tag, stored, false, limit); err != nil {
			t.Fatal(err)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func FuzzOpen(f *testing.F) {
	config := Config{Codec: "gob", Keys: [][]byte{keyA}, ReadPlaintext: true, Compress: true}
	tag, stored := New(config).Seal("k", bytes.Repeat([]byte("x"), 3000), 0)
	f.Add("k", tag, stored, false)
	f.Add("k", "gob", []byte("x"), true)
	f.Add("k", "gob+base64", []byte("AAE="), true)
	f.Add("k", "gob+zstd", []byte("\x28\xb5\x2f\xfd"), true)
	f.Add("", "gob+", []byte(nil), false)
	e := New(config)
	f.Fuzz(func(t *testing.T, key, tag string, stored []byte, text bool) {
		const limit = 1 << 16
		o, err := e.Open(key, tag, stored, text, limit)
		if err != nil {
			return
		}
		if len(o.Plain) > limit {
			t.Fatalf("%d bytes came out", len(o.Plain))
		}
		sealed, again := e.Seal(key, o.Plain, 0)
		back, err := e.Open(key, sealed, again, false, max(limit, len(o.Plain)))
		if err != nil || !bytes.Equal(back.Plain, o.Plain) {
			t.Fatalf("Open(Seal(%q)) = %q, %v", o.Plain, back.Plain, err)
		}
	})
}
