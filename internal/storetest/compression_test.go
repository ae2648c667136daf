package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/klauspost/compress/zstd"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// zstdOf returns plain in one zstd frame, which says how long plain is.
func zstdOf(t testing.TB, plain []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll(plain, nil)
}

// noise returns n random bytes, which cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Data above 1 KiB is compressed where that saves a capacity unit.
func TestCompression(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("nothing that is repeated so often takes much room; ", 100)
	for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
		for _, form := range dataTypes {
			for _, test := range []struct {
				name       string
				value      any
				cfg        dynamostore.Config
				compressed bool
			}{
				{"5 KiB of text", words, dynamostore.Config{}, true},
				{"1.2 KiB of text", words[:1200], dynamostore.Config{}, true},
				{"below 1 KiB", words[:800], dynamostore.Config{}, false},
				{"small", "v", dynamostore.Config{}, false},
				{"noise", noise(5000), dynamostore.Config{}, false},
				// JSON holds the noise in base64: unless the whole is in base64 as well,
				// compression undoes that, and saves a unit.
				{"fewer bytes, but no unit", []any{words[:300], noise(3200)}, dynamostore.Config{}, codec.Name() == "json" && form.dataType == dynamostore.Binary},
				{"turned off", words, dynamostore.Config{NoCompression: true}, false},
			} {
				t.Run(codec.Name()+", "+form.name+", "+test.name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						*c = test.cfg
						c.Codec, c.DataType = codec, form.dataType
					})
					b := a.browser()
					b.set("k", test.value)
					want := "S:" + codec.Name()
					if test.compressed {
						want += "+zstd"
					}
					got := attrText(a.item()["codec"])
					if strings.TrimSuffix(got, "+base64") != want {
						t.Errorf("codec is %s, want %s", got, want)
					}
					if form.dataType == dynamostore.Binary && strings.Contains(got, "base64") {
						t.Errorf("codec is %s in a binary attribute", got)
					}
					if got := b.values()["k"]; !reflect.DeepEqual(got, test.value) {
						t.Error("what came back is not what was stored")
					}
					a.backend.Counts()
					if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
						t.Errorf("unchanged Save = %v, with cookies %v, want neither", err, cookies)
					}
					a.wantSent("GetItem")
				})
			}
		}
	}
}

// A session is compressed once it has grown, and no longer when it has shrunk.
func TestCompressionFollowsTheSession(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = dynamostore.JSONCodec{} })
	b := a.browser()
	for _, n := range []int{1, 100, 1, 1000, 20, 0} {
		b.set("k", strings.Repeat("tea and cake, ", n))
		want := "S:json"
		if n >= 100 {
			want += "+zstd"
		}
		if got := attrText(a.item()["codec"]); got != want {
			t.Errorf("with %d repetitions, codec is %s, want %s", n, got, want)
		}
		if got := b.values()["k"]; got != strings.Repeat("tea and cake, ", n) {
			t.Errorf("with %d repetitions, k is %.80q", n, got)
		}
	}
}

// zstdStream returns plain in one zstd frame, which does not say how long plain is.
func zstdStream(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil { // the header
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Data that is small in the table and large in memory is not decompressed beyond MaxLength.
func TestDecompressionIsBounded(t *testing.T) {
	single := zstdOf(t, make([]byte, 64<<20))
	for _, test := range []struct {
		name string
		data []byte
	}{
		{"a frame of unknown size, 64 MiB", zstdStream(t, make([]byte, 64<<20))},
		{"a frame of 64 MiB", single},
		{"500 frames of 3 MiB", bytes.Repeat(zstdOf(t, make([]byte, 3<<20)), 500)},
		{"500 frames of unknown size, 3 MiB each", bytes.Repeat(zstdStream(t, make([]byte, 3<<20)), 500)},
		{"a frame that says 1 TiB", append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0}, single[12:]...)},
		{"a frame that says 4 MiB and holds less", []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x40, 0, 1, 0, 0}},
		{"20,000 frames of nothing", bytes.Repeat(zstdOf(t, nil), 20_000)},
	} {
		for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
			t.Run(test.name+", "+modes[mode].name, func(t *testing.T) {
				if len(test.data) > 380<<10 {
					t.Fatalf("%d bytes are more than an item holds", len(test.data))
				}
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode })
				b := a.put("theID", dynamotest.Item{
					"data": dynamotest.B(test.data), "codec": dynamotest.S("gob+zstd"), "version": dynamotest.S("v"),
					"created": dynamotest.N("1"), "expires": dynamotest.N(secondsFromNow(time.Hour)),
				})
				item := a.item()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := b.load()
				runtime.ReadMemStats(&after)
				wantError(t, err, dynamostore.ErrUndecodable)
				// Besides up to twice MaxLength, the response with the item takes a multiple of its
				// size.
				if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
					t.Errorf("Get allocated %d MiB", allocated>>20)
				}
				a.waitUnlocked()
				a.wantUndecodable(b, item, "")
			})
		}
	}
}

// MaxLength bounds what is read as it bounds what is saved, compressed or not.
func TestMaxLengthBoundsReading(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("tea and cake, ", 300) // 4200 bytes
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"compressed", dynamostore.Config{}},
		{"compressed text", dynamostore.Config{DataType: dynamostore.String}},
		{"compressed and encrypted", dynamostore.Config{EncryptionKeys: [][]byte{itemKeyA}}},
		{"plain", dynamostore.Config{NoCompression: true}},
		{"encrypted", dynamostore.Config{NoCompression: true, EncryptionKeys: [][]byte{itemKeyA}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Codec = dynamostore.JSONCodec{}
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			b := a.browser()
			b.set("k", words)
			plain := len(words) + len(`{"k":""}`)
			a.store.MaxLength(plain)
			if got := b.values()["k"]; got != words {
				t.Error("a session as long as MaxLength is not read")
			}
			a.store.MaxLength(plain - 1)
			item := a.item()
			a.wantUndecodable(b, item, "Store.MaxLength")
		})
	}
	t.Run("foreign", func(t *testing.T) {
		a := newApp(t)
		data := encodeGob(t, map[any]any{"k": words})
		b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(data)})
		a.store.MaxLength(len(data))
		if got := b.values()["k"]; got != words {
			t.Error("a session as long as MaxLength is not read")
		}
		a.store.MaxLength(len(data) - 1)
		a.wantUndecodable(b, a.item(), "Store.MaxLength")
	})
}

// The compressor leaves no goroutine behind. The test is not parallel: others compress as well.
func TestCompressionLeavesNoGoroutine(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("k", strings.Repeat("tea and cake, ", 1000))
	wantCodec(t, a.item(), "gob+zstd")
	for i := range 5 {
		b.set("n", i)
	}
	a.alter(dynamotest.Item{"data": dynamotest.B(zstdStream(t, make([]byte, 32<<20)))})
	_, err := b.load()
	wantError(t, err, dynamostore.ErrUndecodable)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if i := bytes.Index(stacks, []byte("klauspost/compress")); i >= 0 {
		t.Errorf("a goroutine of the compressor is left:\n%s", stacks[max(0, i-500):min(i+500, len(stacks))])
	}
}

// Compressed data is one zstd frame that declares its size. Anything else is refused.
func TestZstdIsOneFrameOfADeclaredSize(t *testing.T) {
	t.Parallel()
	data := encodeGob(t, map[any]any{"k": 1})
	for name, stored := range map[string][]byte{
		"two frames":                         append(zstdOf(t, data[:10]), zstdOf(t, data[10:])...),
		"an empty frame, and another":        append(zstdOf(t, nil), zstdOf(t, data)...),
		"a frame that does not say its size": zstdStream(t, data),
	} {
		a := newApp(t)
		b := a.put("theID", dynamotest.Item{"data": dynamotest.B(stored), "codec": dynamotest.S("gob+zstd")})
		if session, err := b.load(); !errors.Is(err, dynamostore.ErrUndecodable) {
			t.Errorf("%s: Get = %v, %v, want ErrUndecodable", name, session.Values, err)
		}
	}
}
