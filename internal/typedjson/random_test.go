package typedjson

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// Nest mixes what stands at the session level with the inside of a listed type.
type Nest struct {
	Embedded
	A []any          `json:"$a"`
	B map[string]any `json:"b,omitzero"`
	C **int
	D map[int8]*Nest
	E map[Role][]Level
	F [2]map[uint16]any
	G [][]byte
	H []*float32
	I map[string]*string
	J any
	K *time.Time
	L map[string]time.Duration
}

// plainTypes are types whose random values JSON keeps at the session level, with their containers.
func plainTypes() []reflect.Type {
	var types []reflect.Type
	for _, v := range []any{false, "", 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint16(0), uint32(0), uint64(0), uintptr(0),
		float32(0), 0.0, complex64(0), complex128(0), time.Time{}, time.Duration(0), []byte{}, []string{}} {
		t := reflect.TypeOf(v)
		types = append(types, t, reflect.SliceOf(t), reflect.MapOf(reflect.TypeFor[string](), t))
	}
	return append(types, reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[[]map[string]any]())
}

// listedTypes are listed types, with their containers.
func listedTypes() []reflect.Type {
	var types []reflect.Type
	for _, v := range []any{Role(""), Level(0), Small(0), Tags{}, Counts{}, Grid{}, Flag(false), Cart{}, Item{}, Node{}, Tree{}, Nest{}, Box[int]{}} {
		t := reflect.TypeOf(v)
		for _, t := range []reflect.Type{t, reflect.PointerTo(t)} {
			types = append(types, t, reflect.SliceOf(t), reflect.MapOf(reflect.TypeFor[string](), t))
		}
	}
	return types
}

func randomCodec(t testing.TB) *Codec {
	return mustNew(t, Role(""), Level(0), Small(0), Tags{}, Counts{}, Grid{}, Flag(false), Cart{}, Item{}, Node{}, Tree{}, Nest{}, Box[int]{}, Everything{})
}

// A generator makes random values. Those of a string type of the application are UTF-8.
type generator struct {
	*rand.Rand
	plain, listed []reflect.Type
}

func newGenerator(seed, stream uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, stream)), plain: plainTypes(), listed: listedTypes()}
}

func (g *generator) session() map[any]any {
	values := make(map[any]any)
	for range 1 + g.IntN(4) {
		values[g.string(false)] = g.any(5)
	}
	return values
}

func (g *generator) any(depth int) any {
	types := g.plain
	switch n := g.IntN(10); {
	case n == 0:
		return nil
	case n < 3:
		types = types[len(types)-3:]
	case n < 6:
		types = g.listed
	}
	return g.value(types[g.IntN(len(types))], depth).Interface()
}

func (g *generator) value(t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	g.fill(v, depth)
	return v
}

func (g *generator) fill(v reflect.Value, depth int) {
	t := v.Type()
	if t == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(g.time()))
		return
	}
	size := 0
	if depth > 0 {
		size = g.IntN(4)
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.String:
		v.SetString(g.string(t.PkgPath() != ""))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.Uint64()) >> g.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(g.Uint64() >> g.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(g.float())
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(g.float(), g.float()))
	case reflect.Interface:
		if x := g.any(depth - 1); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case reflect.Pointer:
		// A pointer to a nil pointer, slice or map is null, and so is a nil pointer.
		if depth > 0 && g.IntN(3) > 0 {
			v.Set(reflect.New(t.Elem()))
			g.fill(v.Elem(), depth-1)
			switch e := v.Elem(); e.Kind() {
			case reflect.Pointer, reflect.Slice, reflect.Map:
				if e.IsNil() {
					v.SetZero()
				}
			}
		}
	case reflect.Slice:
		if g.IntN(5) > 0 {
			v.Set(reflect.MakeSlice(t, size, size))
			for i := range size {
				g.fill(v.Index(i), depth-1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		if g.IntN(5) > 0 {
			v.Set(reflect.MakeMap(t))
			for range size {
				v.SetMapIndex(g.value(t.Key(), 0), g.value(t.Elem(), depth-1))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := t.Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				g.fill(v.Field(i), depth-1)
			}
		}
	}
}

func (g *generator) time() time.Time {
	lowest, highest := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(9998, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
	at := time.Unix(lowest+g.Int64N(highest-lowest), g.Int64N(1e9))
	switch g.IntN(3) {
	case 0:
		return at.UTC()
	case 1:
		at = at.In(time.FixedZone("", 60*(g.IntN(2*1439)-1439)))
	}
	if _, offset := at.Zone(); offset == 2*3600 { // as in TestMain
		return at.Local()
	}
	return at
}

func (g *generator) string(valid bool) string {
	parts := []string{"$", "$base64:", "$int64", "$map", "a", "\"", "\\", "\n", "\x00", "é", "😀", "\u2028", "<", "/", "\xff", "\xed\xa0\x80"}
	if valid {
		parts = parts[:len(parts)-2]
	}
	s := ""
	for range g.IntN(4) {
		s += parts[g.IntN(len(parts))]
	}
	return s
}

func (g *generator) float() float64 {
	switch g.IntN(4) {
	case 0:
		return float64(g.IntN(100) - 50)
	case 1:
		return math.Float64frombits(g.Uint64())
	case 2:
		return []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64}[g.IntN(5)]
	}
	return g.NormFloat64()
}

// checkRoundTrip encodes values, decodes the result, and encodes that again.
func checkRoundTrip(t *testing.T, c *Codec, in map[any]any) {
	t.Helper()
	data, err := c.Encode(in)
	if err != nil {
		t.Fatalf("Encode(%#v): %v", in, err)
	}
	if !json.Valid(data) {
		t.Fatalf("encoding/json does not accept %q", data)
	}
	out, err := c.Decode(data)
	if err != nil {
		t.Fatalf("Decode(%q): %v", data, err)
	}
	if !equal(in, out) {
		t.Fatalf("%q decodes as something else:\n%#v\n%#v", data, in, out)
	}
	again, err := c.Encode(out)
	if err != nil || string(again) != string(data) {
		t.Fatalf("encoded again\n%q, %v\nis not\n%q", again, err, data)
	}
}

func TestRandomValuesSurvive(t *testing.T) {
	c := randomCodec(t)
	n := 5000
	if testing.Short() {
		n = 500
	}
	for seed := range uint64(n) {
		checkRoundTrip(t, c, newGenerator(seed, 0).session())
	}
}

func FuzzRoundTrip(f *testing.F) {
	c := randomCodec(f)
	f.Add(uint64(1), "key", "text", 1.5, int64(-1))
	f.Add(uint64(2), "$map", "\xff", math.Inf(1), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, seed uint64, key, text string, number float64, n int64) {
		values := newGenerator(seed, 1).session()
		values[key] = map[string]any{
			key:  []any{text, number, int(n), n, uint64(n), time.Duration(n), float32(number), []byte(text)},
			text: Node{Value: map[string]any{text: nil, key: number}},
		}
		values[text] = map[string]any{key: number}
		values["at"] = time.Unix(n>>30, n&0xffff).UTC()
		checkRoundTrip(t, c, values)
	})
}

// addJSON adds JSON of many kinds to the corpus.
func addJSON(f *testing.F, c *Codec) {
	for _, test := range formCases() {
		f.Add([]byte(`{"k":` + test.json + `}`))
	}
	for seed := range uint64(50) {
		if data, err := c.Encode(newGenerator(seed, 2).session()); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"a":{"\u0024map":{"$map":{"$map":null},"b":1}}}`))
	f.Add([]byte(` { "a" : [ 1e5 , -0.5E-3 , 18446744073709551616, "\ud83d\ude00\/" ] } `))
}

func FuzzDecode(f *testing.F) {
	c := randomCodec(f)
	addJSON(f, c)
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := c.Decode(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("Decode accepts %q, encoding/json does not", data)
		}
		checkRoundTrip(t, c, values)
	})
}

func FuzzDecodeForeign(f *testing.F) {
	c := randomCodec(f)
	addJSON(f, c)
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := c.DecodeForeign(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("DecodeForeign accepts %q, encoding/json does not", data)
		}
		checkRoundTrip(t, c, values)
	})
}
