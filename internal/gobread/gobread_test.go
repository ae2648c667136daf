package gobread

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/dynamostore/internal/snapshot"
)

type cart struct{ Items []string }

type role string

// unregistered is the environment variable that is set in the process of
// TestTypesThatAreRegisteredLater: a stream for each type of toRegister, as JSON.
const unregistered = "GOBREAD_TEST_UNREGISTERED"

func TestMain(m *testing.M) {
	if os.Getenv(unregistered) == "" {
		register()
	}
	os.Exit(m.Run())
}

// toRegister are values of the types here that encoding/gob does not register itself.
var toRegister = []any{
	[]any{}, map[string]any{}, map[string]string{}, map[string]int{}, map[string]int64{}, map[string]float64{}, map[string]bool{},
	time.Time{}, time.Duration(0),
}

func register() {
	for _, v := range toRegister {
		gob.Register(v)
	}
	gob.Register(cart{})
	gob.Register(role(""))
	gob.Register([]time.Time{})
	gob.Register(map[int]string{})
}

// decode is what encoding/gob makes of data.
func decode(data []byte) (values map[any]any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p) // a map's key that cannot be one
		}
	}()
	values = make(map[any]any)
	err = gob.NewDecoder(bytes.NewReader(data)).Decode(&values)
	return values, err
}

func encode(t testing.TB, values map[any]any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(values); err != nil {
		t.Fatalf("encoding/gob: %v", err)
	}
	return b.Bytes()
}

// identical is reflect.DeepEqual, except that values with a NaN only have to be equal, whatever the
// names of their times' zones.
func identical(t testing.TB, a, b map[any]any) bool {
	t.Helper()
	c, err := snapshot.Clone(a)
	if err != nil {
		t.Fatal(err)
	}
	hasNaN := !reflect.DeepEqual(a, c)
	return reflect.DeepEqual(a, b) || hasNaN && snapshot.EqualValues(a, b)
}

// samples are values of every type that Decode reads, at their limits.
func samples() map[any]any {
	return map[any]any{
		"": nil, "string": "é\x00", "binary string": "\x1f\x8b", "empty": "", "long": strings.Repeat("x", 300), "longer": strings.Repeat("y", 5000), "true": true, "false": false,
		"int": math.MinInt, "int8": int8(math.MinInt8), "int16": int16(math.MaxInt16), "int32": int32(math.MinInt32), "int64": int64(math.MaxInt64),
		"uint": uint(math.MaxUint), "uint8": uint8(math.MaxUint8), "uint16": uint16(math.MaxUint16), "uint32": uint32(math.MaxUint32),
		"uint64": uint64(math.MaxUint64), "uintptr": uintptr(1),
		"float32": float32(math.MaxFloat32), "inf32": float32(math.Inf(1)), "float64": math.SmallestNonzeroFloat64, "inf": math.Inf(-1), "nan": math.NaN(), "-0": math.Copysign(0, -1),
		"complex64": complex64(1 + 2i), "complex128": complex(math.Inf(1), -0.5),
		"bytes": []byte("\x00\xff"), "no bytes": []byte{}, "nil bytes": []byte(nil),
		"strings": []string{"a", "", "é"}, "no strings": []string{}, "nil strings": []string(nil), "ints": []int{0, -1, math.MaxInt}, "no ints": []int{},
		"int64s": []int64{math.MinInt64}, "floats": []float64{0.5, math.NaN()}, "bools": []bool{true, false},
		"list": []any{1, "a", nil, []any{}, []any{[]any{true}}, map[string]any{"k": []any{2.5}}}, "no list": []any{}, "nil list": []any(nil),
		"map": map[string]any{"a": 1, "": nil, "m": map[string]any{}}, "nil map": map[string]any(nil), "strings by string": map[string]string{"a": "b", "": ""},
		"ints by string": map[string]int{"a": 1}, "int64s by string": map[string]int64{"a": -1}, "floats by string": map[string]float64{"a": 0.5}, "bools by string": map[string]bool{"a": true},
		"no strings by string": map[string]string{}, "maps in a list": []any{map[string]int{}, map[string]string{"a": "b"}, []string{"c"}},
		"time": time.Date(2026, 11, 24, 9, 30, 0, 123456789, time.FixedZone("", 3600)), "utc": time.Unix(0, 0).UTC(), "zero time": time.Time{},
		"duration": -90 * time.Second,
	}
}

// agree fails if Decode reads data, and encoding/gob reads something else in it. It returns whether
// Decode reads it.
func agree(t testing.TB, data []byte) bool {
	t.Helper()
	before := bytes.Clone(data)
	got, ok := Decode(data)
	if !bytes.Equal(data, before) {
		t.Fatalf("Decode changed its input %q to %q", before, data)
	}
	if !ok {
		return false
	}
	want, err := decode(data)
	if err != nil {
		t.Fatalf("of %q came %v, while encoding/gob says %v", data, got, err)
	}
	if !identical(t, got, want) {
		t.Fatalf("of %q came\n%#v, want\n%#v", data, got, want)
	}
	return true
}

func TestDecode(t *testing.T) {
	all := samples()
	tests := map[string]map[any]any{"nil session": nil, "empty session": {}, "all": all}
	for k, v := range all {
		tests[k.(string)+" alone"] = map[any]any{k: v}
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			if data := encode(t, values); !agree(t, data) {
				t.Errorf("%q was left to encoding/gob", data)
			}
		})
	}
}

func TestWhatIsLeftToEncodingGob(t *testing.T) {
	deep := []any{1}
	for range maxDepth {
		deep = []any{deep}
	}
	for name, values := range map[string]map[any]any{
		"a struct":                  {"k": cart{[]string{"tea"}}, "a": 1},
		"a struct inside":           {"k": []any{cart{[]string{"tea"}}}},
		"a named string":            {"k": role("admin")},
		"a key that is no string":   {1: "v"},
		"another slice":             {"k": []int8{1}},
		"a slice of times":          {"k": []time.Time{{}}},
		"a map that has int keys":   {"k": map[int]string{1: "a"}},
		"nested more than maxDepth": {"k": deep},
	} {
		if got, ok := Decode(encode(t, values)); ok {
			t.Errorf("%s: Decode read %v", name, got)
		}
	}
}

func TestOddStreams(t *testing.T) {
	plain := encode(t, map[any]any{"k": "v"})
	// The message that defines the session's map, and the one that holds its values.
	definition, value := plain[:1+int(plain[0])], plain[1+int(plain[0]):]
	with := func(b []byte, old, new string) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(new)) }
	for name, data := range map[string][]byte{
		"empty": nil, "definition only": definition, "value only": value, "defined twice": slices.Concat(definition, plain),
		"cut": plain[:len(plain)-1], "a message too long": append([]byte{definition[0] + 1}, plain[1:]...),
		"a message of 2^63 bytes": append([]byte("\xf8\x80\x00\x00\x00\x00\x00\x00\x00"), plain[1:]...), "a number of 9 bytes": append([]byte("\xf7\x00\x00\x00\x00\x00\x00\x00\x00\x00"), plain...),
		"an int alone": []byte("\x03\x04\x00\x02"), "no id": []byte("\x00"),
		"another element type": with(plain, "\x01\x10\x01\x10", "\x01\x10\x01\x0c"), "a key of another type": with(plain, "\x06string\x0c", "\x06strinx\x0c"),
		"an id of another type": with(plain, "\x06string\x0c", "\x06string\x04"),
	} {
		if bytes.Equal(data, plain) {
			t.Errorf("%s: the stream is as it was, %q", name, data)
		}
		if agree(t, data) {
			t.Errorf("%s: Decode read %q", name, data)
		}
	}
	// encoding/gob reads one value, and what follows is not its business.
	if !agree(t, append(bytes.Clone(plain), 1, 2, 3)) {
		t.Error("Decode looks at what follows the value")
	}
}

// To encoding/gob, an id is an int32. One beyond that becomes another id, or is an error.
func TestIDsBeyondInt32(t *testing.T) {
	number := func(n int64) string { // as a gob has it
		x := uint64(n) << 1
		if n < 0 {
			x = ^uint64(n)<<1 | 1
		}
		if x < 128 {
			return string([]byte{byte(x)})
		}
		b := []byte{}
		for ; x > 0; x >>= 8 {
			b = append([]byte{byte(x)}, b...)
		}
		return string(append([]byte{byte(-len(b))}, b...))
	}
	message := func(s string) string { return string([]byte{byte(len(s))}) + s }
	stream := func(defined, named, element, used int64) []byte {
		return []byte(message(number(-defined)+"\x04\x01\x02"+number(named)+"\x00\x01"+number(8)+"\x01"+number(element)+"\x00\x00") +
			message(number(used)+"\x00\x01\x06string\x0c\x02\x00\x01k\x06string\x0c\x02\x00\x01v"))
	}
	if !agree(t, stream(64, 64, 8, 64)) || !agree(t, stream(math.MaxInt32, 64, 8, math.MaxInt32)) {
		t.Error("Decode does not read the stream with ids that are in order")
	}
	for _, ids := range [][4]int64{
		{1<<32 + 64, 64, 8, 64}, {64, 64, 8, 1<<32 + 64}, {1<<32 + 64, 64, 8, 1<<32 + 64}, {64, 1<<32 + 64, 8, 64}, {64, 64, 1<<32 + 8, 64},
		{1<<32 + 1, 64, 8, 1<<32 + 1}, {1 << 31, 64, 8, 1 << 31}, {64, 1 << 31, 8, 64}, {64, -1 << 31, 8, 64}, {-64, 64, 8, 64}, {1, 1, 8, 1}, {-1 << 63, 64, 8, 64},
	} {
		if data := stream(ids[0], ids[1], ids[2], ids[3]); agree(t, data) && ids[1] != -1<<31 {
			t.Errorf("Decode reads a stream with the ids %d", ids)
		}
	}
}

// The types that a stream defines are limited in number, since they are looked up one by one.
func TestManyDefinitions(t *testing.T) {
	stream := func(definitions int) (data []byte) {
		for n := range definitions {
			id := uint32((n+1000-1)<<1 | 1) // negative
			data = append(data, 14, 0xfc, byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
			data = append(data, "\x02\x01\x02\x02\x00\x01\x0c\x00\x00"...) // a slice of strings
		}
		return append(data, encode(t, map[any]any{"k": "v"})...)
	}
	if !agree(t, stream(maxTypes-1)) {
		t.Errorf("Decode does not read a stream that defines %d types", maxTypes)
	}
	if agree(t, stream(maxTypes)) {
		t.Errorf("Decode reads a stream that defines %d types", maxTypes+1)
	}
}

// A type that the program did not register is left to encoding/gob, which refuses it. Registrations
// last, so this takes a process of its own.
func TestTypesThatAreRegisteredLater(t *testing.T) {
	if os.Getenv(unregistered) == "" {
		var streams [][]byte
		for _, v := range toRegister {
			streams = append(streams, encode(t, map[any]any{"k": v}))
		}
		text, err := json.Marshal(streams)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestTypesThatAreRegisteredLater$")
		cmd.Env = append(os.Environ(), unregistered+"="+string(text))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var streams [][]byte
	if err := json.Unmarshal([]byte(os.Getenv(unregistered)), &streams); err != nil || len(streams) != len(toRegister) {
		t.Fatal(err, len(streams))
	}
	for i, data := range streams {
		if agree(t, data) {
			t.Errorf("%T, not registered: Decode read it", toRegister[i])
		}
	}
	for i, data := range streams {
		v := toRegister[i]
		if _, ok := v.(map[string]bool); ok {
			// The program has another type of this name, and another name for this type.
			gob.RegisterName("map[string]bool", role(""))
			gob.RegisterName("flags", v)
			if agree(t, data) || agree(t, encode(t, map[any]any{"k": v})) {
				t.Errorf("%T, registered under another name: Decode read it", v)
			}
			continue
		}
		gob.Register(v)
		if !agree(t, data) {
			t.Errorf("%T, registered by now: left to encoding/gob", v)
		}
	}
}

// random returns a value of some type that Decode reads.
func random(r *rand.Rand, depth int) any {
	word := func() string {
		b := make([]byte, r.IntN(12))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	n := 25
	if depth == 0 {
		n = 23
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return int(r.Uint64())
	case 3:
		return int8(r.Uint32())
	case 4:
		return int16(r.Uint32())
	case 5:
		return int32(r.Uint32())
	case 6:
		return int64(r.Uint64() >> r.IntN(64))
	case 7:
		return r.Uint64() >> r.IntN(64)
	case 8:
		return uint8(r.Uint32())
	case 9:
		return math.Float64frombits(r.Uint64())
	case 10:
		return float32(r.NormFloat64())
	case 11:
		return complex(r.NormFloat64(), 0)
	case 12:
		return []byte(word())
	case 13:
		return []string{word(), word()}[:r.IntN(3)]
	case 14:
		return []int{r.Int(), -r.Int()}[:r.IntN(3)]
	case 15:
		return time.Unix(r.Int64N(1e11), r.Int64N(1e9)).In(time.FixedZone("", r.IntN(50_000)-25_000))
	case 16:
		return time.Duration(r.Int64())
	case 17:
		return map[string]string{word(): word(), word(): word()}
	case 18:
		return map[string]int{word(): r.Int()}
	case 19:
		return []float64{r.NormFloat64()}
	case 20:
		return []bool{true}
	case 23:
		a := []any{}
		for range r.IntN(4) {
			a = append(a, random(r, depth-1))
		}
		return a
	case 24:
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
	for seed := range uint64(3000) {
		if data := encode(t, randomSession(seed)); !agree(t, data) {
			t.Fatalf("seed %d: %q was left to encoding/gob", seed, data)
		}
	}
}

func TestDamagedSessions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for seed := range uint64(400) {
		data := encode(t, randomSession(seed))
		for range 50 {
			damaged := bytes.Clone(data)
			for range 1 + r.IntN(2) {
				damaged[r.IntN(len(damaged))] = byte(r.Uint32())
			}
			agree(t, damaged)
		}
		agree(t, data[:r.IntN(len(data))])
	}
}

// FuzzDecode has Decode read bytes that anybody may have made.
func FuzzDecode(f *testing.F) {
	for k, v := range samples() {
		f.Add(encode(f, map[any]any{k: v}))
	}
	for n := range uint64(20) {
		f.Add(encode(f, randomSession(n)))
	}
	f.Add(encode(f, map[any]any{"k": []any{cart{[]string{"tea"}}}}))
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}

// FuzzEncoded has encoding/gob write random sessions, all of which Decode must read.
func FuzzEncoded(f *testing.F) {
	f.Add(uint64(1), "key", "string", []byte("bytes"), 1, 2.5, int64(3))
	f.Fuzz(func(t *testing.T, seed uint64, key, s string, b []byte, i int, x float64, nanos int64) {
		values := randomSession(seed)
		values[key] = []any{s, b, i, map[string]any{s: x, key: time.Unix(0, nanos)}, map[string]string{key: s}}
		values[s] = []string{key, s}
		if data := encode(t, values); !agree(t, data) {
			t.Errorf("%q was left to encoding/gob", data)
		}
	})
}

// What was decoded is not part of what it was decoded from.
func TestDecodedValuesAreCopies(t *testing.T) {
	for _, size := range []int{1, 5000} {
		values := map[any]any{"s": strings.Repeat("s", size), "b": bytes.Repeat([]byte("b"), size), "l": []any{"x"}, "n": []string{"y"}, "m": map[string]string{"k": "v"}}
		data := encode(t, values)
		got, ok := Decode(data)
		clear(data)
		if !ok || !identical(t, got, values) {
			t.Errorf("after its data was overwritten, it is %v", got)
		}
		got["b"].([]byte)[0] = 'x'
		if s := got["s"].(string); s != strings.Repeat("s", size) {
			t.Errorf("a string changed with a []byte: %q", s)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	values := samples()
	data := encode(t, values)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if got, ok := Decode(data); !ok || len(got) != len(values) {
					t.Error("Decode read something else")
				}
			}
		})
	}
	wg.Wait()
}
