package typedjson

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// randomAny returns a value of a random type that a Codec of testCodec takes.
func randomAny(r *rand.Rand, c *Codec, depth int) any {
	switch n := r.IntN(12); {
	case n == 0:
		return nil
	case n < 3 && depth > 0:
		return randomOf(r, c, arrayType, depth).Interface()
	case n < 5 && depth > 0:
		return randomOf(r, c, objectType, depth).Interface()
	}
	types := tagged(c)
	return randomOf(r, c, types[r.IntN(len(types))], depth).Interface()
}

// tagged returns the types of c in a stable order, without those whose random values have no JSON form.
func tagged(c *Codec) []reflect.Type {
	var types []reflect.Type
	for _, s := range scalars {
		types = append(types, s.typ, reflect.SliceOf(s.typ), reflect.MapOf(stringType, s.typ))
	}
	for _, v := range []any{Role(""), Level(0), Tags{}, Counts{}, Grid{}, Flag(false), Cart{}, Item{}, Node{}, Tree{}, Nest{}} {
		types = append(types, reflect.TypeOf(v), reflect.PointerTo(reflect.TypeOf(v)))
	}
	return types
}

// Nest has what encoding/json cannot bring back.
type Nest struct {
	Embedded
	*Item
	embedded
	A  []any               `json:"$a,omitempty"`
	B  map[string]any      `json:"b,omitzero"`
	C  **[]string          `json:",omitempty"`
	D  map[int8]*Nest      `json:"d"`
	E  map[Role][]Level    `json:"e"`
	F  [2]map[uint16]*any  `json:"f"`
	G  [][]byte            `json:"g"`
	H  *[]*float32         `json:"h"`
	I  *map[string]*string `json:"i"`
	At []time.Time
	Z  complex64 `json:",omitempty"`
}

func randomString(r *rand.Rand) string {
	parts := []string{"$", "$base64:", "$int64", "$ptr", "a", "\"", "\\", "\n", "\x00", "é", "😀", "\xff", "\xed\xa0\x80", "\u2028", "<", "/"}
	s := ""
	for range r.IntN(4) {
		s += parts[r.IntN(len(parts))]
	}
	return s
}

func randomOf(r *rand.Rand, c *Codec, t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	fill(r, c, v, depth)
	return v
}

func fill(r *rand.Rand, c *Codec, v reflect.Value, depth int) {
	t := v.Type()
	if t == timeType {
		at := time.Unix(r.Int64N(maxTime-minTime)+minTime, r.Int64N(1e9))
		switch r.IntN(4) {
		case 0:
			at = time.Unix(r.Int64N(1<<32), 0).UTC()
		case 1:
			at = at.UTC()
		case 2:
			at = at.In(time.FixedZone("", r.IntN(2*maxOffset-1)-maxOffset+1))
		}
		if offsetOf(at) == offsetOf(at.Local()) && at.Location() != time.UTC {
			at = at.Local()
		}
		v.Set(reflect.ValueOf(at))
		return
	}
	size := func() int {
		if depth <= 0 {
			return 0
		}
		return r.IntN(4)
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		v.SetString(randomString(r))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(randomFloat(r))
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(randomFloat(r), randomFloat(r)))
	case reflect.Interface:
		if x := randomAny(r, c, depth-1); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case reflect.Pointer:
		if depth > 0 && r.IntN(3) > 0 {
			v.Set(reflect.New(t.Elem()))
			fill(r, c, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if r.IntN(5) > 0 {
			n := size()
			v.Set(reflect.MakeSlice(t, n, n))
			for i := range n {
				fill(r, c, v.Index(i), depth-1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, c, v.Index(i), depth-1)
		}
	case reflect.Map:
		if r.IntN(5) > 0 {
			v.Set(reflect.MakeMap(t))
			for range size() {
				v.SetMapIndex(randomOf(r, c, t.Key(), 0), randomOf(r, c, t.Elem(), depth-1))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" {
				if f.IsExported() {
					fill(r, c, v.Field(i), depth-1)
				} else {
					v.Field(i).Field(0).SetString(randomString(r))
				}
			}
		}
	}
}

func randomFloat(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return float64(r.IntN(100) - 50)
	case 1:
		return math.Float64frombits(r.Uint64())
	case 2:
		return []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64}[r.IntN(5)]
	}
	return r.NormFloat64()
}

func randomCodec(t testing.TB) *Codec {
	return mustNew(t, Role(""), Level(0), Tags{}, Counts{}, Grid{}, Flag(false), Cart{}, Item{}, Node{}, Tree{}, Nest{})
}

// checkRoundTrip writes values, reads them, and writes them again.
func checkRoundTrip(t *testing.T, c *Codec, in map[any]any) {
	t.Helper()
	data, err := c.Encode(in)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", in, err)
	}
	if !json.Valid(data) {
		t.Fatalf("encoding/json does not take %q", data)
	}
	out, err := c.Decode(data)
	if err != nil {
		t.Fatalf("Decode(%q): %v", data, err)
	}
	if !same(in, out) {
		t.Fatalf("%q came back different:\n%#v\n%#v", data, in, out)
	}
	again, err := c.Encode(out)
	if err != nil || string(again) != string(data) {
		t.Fatalf("written again\n%q, %v\nis not\n%q", again, err, data)
	}
}

func randomValues(r *rand.Rand, c *Codec) map[any]any {
	values := make(map[any]any)
	for range 1 + r.IntN(4) {
		values[randomString(r)] = randomAny(r, c, 5)
	}
	return values
}

func TestRandomValues(t *testing.T) {
	c := randomCodec(t)
	n := 5000
	if testing.Short() {
		n = 500
	}
	for seed := range uint64(n) {
		checkRoundTrip(t, c, randomValues(rand.New(rand.NewPCG(seed, 0)), c))
	}
}

func FuzzRoundTrip(f *testing.F) {
	c := randomCodec(f)
	f.Add(uint64(1), "key", "text", 1.5, int64(-1))
	f.Add(uint64(2), "$map", "\xff", math.Inf(1), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, seed uint64, key, text string, number float64, n int64) {
		values := randomValues(rand.New(rand.NewPCG(seed, 1)), c)
		values[key] = map[string]any{
			key:  []any{text, number, int(n), n, uint64(n), time.Duration(n), float32(number), []byte(text), Role(text)},
			text: Cart{Count: n, Items: []Item{{text, number}}, Notes: map[string]string{text: key}, Extra: map[string]any{text: nil}},
		}
		values[text] = map[string]any{key: number}
		if at := time.Unix(n>>16, n&0xffff); inRange(at) {
			values["at"] = at.UTC()
		}
		checkRoundTrip(t, c, values)
	})
}

func FuzzDecode(f *testing.F) {
	c := randomCodec(f)
	for _, form := range forms() {
		f.Add([]byte(`{"k":` + form.json + `}`))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		if data, err := c.Encode(randomValues(r, c)); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"a":{"\u0024map":{"$map":{"$map":null},"b":1}}}`))
	f.Add([]byte(` { "a" : [ 1e5 , -0.5E-3 , 18446744073709551616, "\ud83d\ude00\/" ] } `))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		values, err := c.Decode(data)
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("%d bytes took %v", len(data), d)
		}
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("Decode took %q, encoding/json does not", data)
		}
		checkRoundTrip(t, c, values)
	})
}
