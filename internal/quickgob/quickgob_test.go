package quickgob

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

type cart struct{ Items []string }

type role string

func TestMain(m *testing.M) {
	if os.Getenv(unregistered) == "" {
		register()
	}
	os.Exit(m.Run())
}

func register() {
	for _, v := range []any{[]any{}, map[string]any{}, time.Time{}, time.Duration(0), cart{}, role("")} {
		gob.Register(v)
	}
}

// unregistered is set for the process of TestTypesThatAreRegisteredLater.
const unregistered = "QUICKGOB_TEST_UNREGISTERED"

// plain is what encoding/gob reads in data.
func plain(data []byte) (values map[any]any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p) // a key that cannot be one
		}
	}()
	values = make(map[any]any)
	err = gob.NewDecoder(bytes.NewReader(data)).Decode(&values)
	return values, err
}

func plainEncode(t testing.TB, values map[any]any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(values); err != nil {
		t.Fatalf("encoding/gob: %v", err)
	}
	return b.Bytes()
}

// same compares values, NaN with NaN and a time with a time included.
func same(a, b any) bool { return reflect.DeepEqual(a, b) || show(a) == show(b) }

func show(v any) string {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]string)
		for k, v := range v {
			m[fmt.Sprintf("%T %#v", k, k)] = show(v)
		}
		return fmt.Sprint(m)
	case map[string]any:
		m := make(map[string]string)
		for k, v := range v {
			m[k] = show(v)
		}
		return fmt.Sprintf("%T %v %v", v, v == nil, m)
	case []any:
		s := fmt.Sprintf("%T %v", v, v == nil)
		for _, v := range v {
			s += ", " + show(v)
		}
		return s
	case time.Time:
		return v.Format("time " + time.RFC3339Nano)
	}
	return fmt.Sprintf("%T %#v", v, v)
}

// samples are values of every type that a Codec takes, at their ends.
func samples() map[any]any {
	return map[any]any{
		"": nil, "string": "é\x00", "latin1": "\x1f\x8b", "empty": "", "long": strings.Repeat("x", 300), "true": true, "false": false,
		"int": math.MinInt, "int8": int8(math.MinInt8), "int16": int16(math.MaxInt16), "int32": int32(math.MinInt32), "int64": int64(math.MaxInt64),
		"uint": uint(math.MaxUint), "uint8": uint8(math.MaxUint8), "uint16": uint16(math.MaxUint16), "uint32": uint32(math.MaxUint32),
		"uint64": uint64(math.MaxUint64), "uintptr": uintptr(1),
		"float32": float32(math.MaxFloat32), "inf32": float32(math.Inf(1)), "float64": math.SmallestNonzeroFloat64, "inf": math.Inf(-1), "nan": math.NaN(), "-0": math.Copysign(0, -1),
		"complex64": complex64(1 + 2i), "complex128": complex(math.Inf(1), -0.5),
		"bytes": []byte("\x00\xff"), "no bytes": []byte{}, "nil bytes": []byte(nil),
		"strings": []string{"a", "", "é"}, "no strings": []string{}, "nil strings": []string(nil), "ints": []int{0, -1, math.MaxInt}, "no ints": []int{},
		"list": []any{1, "a", nil, []any{}, []any{[]any{true}}, map[string]any{"k": []any{2.5}}}, "no list": []any{}, "nil list": []any(nil),
		"map": map[string]any{"a": 1, "": nil, "m": map[string]any{}}, "nil map": map[string]any(nil),
		"time": time.Date(2026, 11, 24, 9, 30, 0, 123456789, time.FixedZone("", 3600)), "utc": time.Unix(0, 0).UTC(), "zero time": time.Time{},
		"duration": -90 * time.Second,
	}
}

// What encoding/gob wrote is read as encoding/gob reads it, and what is written here, encoding/gob reads as it was.
func TestAsEncodingGob(t *testing.T) {
	all := samples()
	tests := map[string]map[any]any{"nil": nil, "empty": {}, "all": all}
	for k, v := range all {
		tests[k.(string)+" alone"] = map[any]any{k: v}
	}
	var c Codec
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			ofGob := plainEncode(t, values)
			want, err := plain(ofGob)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := c.Decode(ofGob); !ok || !same(got, want) {
				t.Errorf("of encoding/gob's\n%q\ncame %v,\n%s\nwant\n%s", ofGob, ok, show(got), show(want))
			}
			ofOurs, ok := c.Encode(values)
			if !ok {
				t.Fatal("Encode left it to encoding/gob")
			}
			if got, err := plain(ofOurs); err != nil || !same(got, want) {
				t.Errorf("encoding/gob makes of\n%q\n%v,\n%s\nwant\n%s", ofOurs, err, show(got), show(want))
			}
			if got, ok := c.Decode(ofOurs); !ok || !same(got, want) {
				t.Errorf("of our own\n%q\ncame %v,\n%s\nwant\n%s", ofOurs, ok, show(got), show(want))
			}
			for range 10 {
				if again, _ := c.Encode(values); !bytes.Equal(again, ofOurs) {
					t.Fatalf("Encode wrote %q and then %q", ofOurs, again)
				}
			}
		})
	}
}

func TestWhatIsLeftToEncodingGob(t *testing.T) {
	deep := []any{}
	for range maxDepth {
		deep = []any{deep}
	}
	var c Codec
	for name, values := range map[string]map[any]any{
		"a struct":                  {"k": cart{[]string{"tea"}}, "a": 1},
		"a struct inside":           {"k": []any{cart{[]string{"tea"}}}},
		"a named string":            {"k": role("admin")},
		"a key that is no string":   {1: "v"},
		"another slice of the sort": {"k": []int64{1}},
		"nested deep":               {"k": deep},
	} {
		t.Run(name, func(t *testing.T) {
			if data, ok := c.Encode(values); ok {
				t.Errorf("Encode wrote %q", data)
			}
			if got, ok := c.Decode(plainEncode(t, values)); ok {
				t.Errorf("Decode read %v", got)
			}
			// And nothing of it stays behind.
			if data, ok := c.Encode(map[any]any{"k": "v"}); !ok {
				t.Error("Encode leaves strings to encoding/gob")
			} else if got, err := plain(data); err != nil || !same(got, map[any]any{"k": "v"}) {
				t.Errorf("then it writes %q", data)
			}
		})
	}
}

// A type that the program did not register is left to encoding/gob, which says so; once it is registered, it is taken.
// Registrations last, so this takes a process of its own.
func TestTypesThatAreRegisteredLater(t *testing.T) {
	if os.Getenv(unregistered) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTypesThatAreRegisteredLater$")
		cmd.Env = append(os.Environ(), unregistered+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var c Codec
	values := []any{[]any{}, map[string]any{}, time.Time{}, time.Duration(0)}
	for _, v := range values {
		if data, ok := c.Encode(map[any]any{"k": v}); ok {
			t.Errorf("%T, not registered: Encode wrote %q", v, data)
		}
	}
	register()
	var encoded [][]byte
	for _, v := range values {
		data, ok := c.Encode(map[any]any{"k": v})
		if !ok {
			t.Errorf("%T, registered: Encode left it to encoding/gob", v)
		}
		agree(t, &c, data)
		encoded = append(encoded, data)
	}
	// By another name it is another type's.
	for i, name := range []string{"[]interface {}", "map[string]interface {}", "time.Time", "time.Duration"} {
		other := bytes.Replace(encoded[i], []byte(name), []byte(strings.Replace(name, "e", "x", 1)), 1)
		if got, ok := c.Decode(other); ok {
			t.Errorf("%T by a name that is not registered: Decode read %v", values[i], got)
		}
	}
}

// The bytes are the same in every process, whatever else it has sent through encoding/gob before.
func TestBytesAreTheSameInEveryProcess(t *testing.T) {
	var c Codec
	data, ok := c.Encode(map[any]any{"l": []any{1}, "m": map[string]any{}, "s": []string{"a"}, "n": []int{2}, "t": time.Unix(0, 0).UTC(), "d": time.Second})
	if sum := crc32.ChecksumIEEE(data); !ok || sum != 0x25a6e2df {
		t.Errorf("Encode wrote\n%q,\nwith the CRC-32 %#x, want 0x25a6e2df", data, sum)
	}
}

func TestOursIsWhatEncodeWrote(t *testing.T) {
	var c Codec
	for k, v := range samples() {
		values := map[any]any{k: v}
		data, _ := c.Encode(values)
		if !c.Ours(data) {
			t.Errorf("%q is not ours", data)
		}
		if data := plainEncode(t, values); c.Ours(data) {
			t.Errorf("%q of encoding/gob is ours", data)
		}
	}
}

func random(r *rand.Rand, depth int) any {
	word := func() string {
		b := make([]byte, r.IntN(12))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	switch n := r.IntN(24); {
	case n == 0:
		return nil
	case n == 1:
		return r.IntN(2) == 0
	case n == 2:
		return int(r.Uint64())
	case n == 3:
		return int8(r.Uint32())
	case n == 4:
		return int16(r.Uint32())
	case n == 5:
		return int32(r.Uint32())
	case n == 6:
		return int64(r.Uint64() >> r.IntN(64))
	case n == 7:
		return uint64(r.Uint64() >> r.IntN(64))
	case n == 8:
		return uint8(r.Uint32())
	case n == 9:
		return math.Float64frombits(r.Uint64())
	case n == 10:
		return float32(r.NormFloat64())
	case n == 11:
		return complex(r.NormFloat64(), 0)
	case n == 12:
		return []byte(word())
	case n == 13:
		return []string{word(), word()}[:r.IntN(3)]
	case n == 14:
		return []int{r.Int(), -r.Int()}[:r.IntN(3)]
	case n == 15:
		return time.Unix(r.Int64N(1e11), r.Int64N(1e9)).UTC()
	case n == 16:
		return time.Duration(r.Int64())
	case n < 19 && depth > 0:
		a := []any{}
		for range r.IntN(4) {
			a = append(a, random(r, depth-1))
		}
		return a
	case n < 21 && depth > 0:
		m := map[string]any{}
		for range r.IntN(4) {
			m[word()] = random(r, depth-1)
		}
		return m
	}
	return word()
}

func randomSession(seed uint64) map[any]any {
	r := rand.New(rand.NewPCG(seed, 1))
	values := map[any]any{}
	for i := range r.IntN(12) {
		values[fmt.Sprint("key", i)] = random(r, 3)
	}
	return values
}

func TestRandomSessions(t *testing.T) {
	var c Codec
	for seed := range uint64(3000) {
		values := randomSession(seed)
		ofGob := plainEncode(t, values)
		want, err := plain(ofGob)
		if err != nil {
			t.Fatal(err)
		}
		ofOurs, ok := c.Encode(values)
		if !ok {
			t.Fatalf("seed %d: Encode left it to encoding/gob", seed)
		}
		if got, err := plain(ofOurs); err != nil || !same(got, want) {
			t.Fatalf("seed %d: encoding/gob makes of ours %v, %s, want %s", seed, err, show(got), show(want))
		}
		for _, data := range [][]byte{ofGob, ofOurs} {
			if got, ok := c.Decode(data); !ok || !same(got, want) {
				t.Fatalf("seed %d: of %q came %v, %s, want %s", seed, data, ok, show(got), show(want))
			}
		}
	}
}

// Whatever the bytes are, what is read of them is what encoding/gob reads.
func agree(t *testing.T, c *Codec, data []byte) {
	t.Helper()
	got, ok := c.Decode(data)
	if !ok {
		return
	}
	want, err := plain(data)
	if err != nil {
		t.Fatalf("of %q came %s, while encoding/gob says %v", data, show(got), err)
	}
	if !same(got, want) {
		t.Fatalf("of %q came\n%s, want\n%s", data, show(got), show(want))
	}
}

func TestDamagedSessions(t *testing.T) {
	var c Codec
	r := rand.New(rand.NewPCG(1, 2))
	for seed := range uint64(400) {
		values := randomSession(seed)
		ours, _ := c.Encode(values)
		for _, data := range [][]byte{plainEncode(t, values), ours} {
			for range 50 {
				damaged := bytes.Clone(data)
				for range 1 + r.IntN(2) {
					damaged[r.IntN(len(damaged))] = byte(r.Uint32())
				}
				agree(t, &c, damaged)
			}
			agree(t, &c, data[:r.IntN(len(data))])
			agree(t, &c, append(bytes.Clone(data), 1, 2, 3))
		}
	}
}

func FuzzDecode(f *testing.F) {
	var c Codec
	seed := func(values map[any]any) {
		f.Add(plainEncode(f, values))
		ours, _ := c.Encode(values)
		f.Add(ours)
	}
	for k, v := range samples() {
		seed(map[any]any{k: v})
	}
	for n := range uint64(20) {
		seed(randomSession(n))
	}
	f.Add(plainEncode(f, map[any]any{"k": []any{cart{[]string{"tea"}}}}))
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, &c, data) })
}

func TestConcurrentUse(t *testing.T) {
	var c Codec
	values := samples()
	want, _ := c.Encode(values)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				data, ok := c.Encode(values)
				if !ok || !bytes.Equal(data, want) {
					t.Error("Encode wrote something else")
				}
				if got, ok := c.Decode(data); !ok || len(got) != len(values) {
					t.Error("Decode read something else")
				}
			}
		})
	}
	wg.Wait()
}

// What was decoded is not part of what it was decoded from.
func TestDecodedValuesAreCopies(t *testing.T) {
	var c Codec
	for _, size := range []int{1, maxShared} {
		values := map[any]any{"s": strings.Repeat("s", size), "b": bytes.Repeat([]byte("b"), size), "l": []any{"x"}, "n": []string{"y"}}
		data, _ := c.Encode(values)
		got, ok := c.Decode(data)
		clear(data)
		if !ok || !same(got, values) {
			t.Errorf("after its data was overwritten, it is %s", show(got))
		}
	}
}

// What is the same as before is the same bytes, not a copy of them.
func TestEncodeOrReturnsWhatIsTheSame(t *testing.T) {
	var c Codec
	for seed := range uint64(200) {
		values := randomSession(seed)
		before, _ := c.Encode(values)
		got, ok := c.EncodeOr(values, before)
		if !ok || &got[0] != &before[0] {
			t.Fatalf("seed %d: EncodeOr made %q anew", seed, got)
		}
		other := bytes.Clone(before)
		other[int(seed)%len(other)]++
		for _, other := range [][]byte{nil, before[1:], append(bytes.Clone(before), 0), other} {
			if got, ok := c.EncodeOr(values, other); !ok || !bytes.Equal(got, before) {
				t.Fatalf("seed %d: EncodeOr = %q, want %q", seed, got, before)
			}
		}
	}
}
