package typedjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	one "example.com/dynamostore/internal/typedjson/testdata/one/shop"
	two "example.com/dynamostore/internal/typedjson/testdata/two/shop"
)

// TestMain sets a time zone, so that no result depends on where the tests run.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("Here", 2*3600)
	m.Run()
}

// The application's types.

type Role string
type Level int8
type Tags []string
type Counts map[string]int
type Grid [2]float32
type Flag bool
type Pointer *Cart

type Cart struct {
	Count  int64
	Items  []Item            `json:"items"`
	Notes  map[string]string `json:",omitempty"`
	Coupon *string           `json:"coupon,omitempty"`
	Hidden string            `json:"-"`
	Extra  any
	secret string
}

type Item struct {
	SKU   string
	Price float64 `json:",string"`
}

type Embedded struct{ ID int }
type embedded struct{ Name string }

type Everything struct {
	Embedded
	*Cart
	embedded
	sync.Mutex

	B     bool
	I8    int8
	U64   uint64
	UP    uintptr
	F32   float32
	F64   float64
	C     complex64
	S     string
	Raw   []byte
	Arr   [3]int16
	BArr  [4]byte
	Role  Role
	At    time.Time
	AtP   *time.Time
	For   time.Duration
	Any   any
	Anys  []any
	Map   map[string]any
	Ints  map[int]string
	Roles map[Role][]Level
	Addrs map[netip.Addr]bool
	Times map[time.Time]int
	PP    **int
	PS    *[]string
	PM    *map[string]int
	PA    *any
	Self  *Everything
	Str   fmt.Stringer
	Lower Lower
	LowP  *Lower
	Temp  Temp
	TempP *Temp
	Big   *big.Int
	URL   url.URL
	Opt   Maybe
	OptP  *Maybe
	In    struct{ X, Y int }
	Empty struct{}
	Omit  []string  `json:",omitempty"`
	Zero  time.Time `json:",omitzero"`
	//lint:ignore SA5008 encoding/json takes it, so it is met
	Dash int `json:"-,"`
	//lint:ignore SA5008 a name that must be escaped
	Quote int `json:"<a \"b\">"`
}

// Lower marshals by its pointer only.
type Lower struct{ s string }

func (l *Lower) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.s)), nil }
func (l *Lower) UnmarshalText(b []byte) error { l.s = string(b); return nil }

// Temp marshals by its value.
type Temp struct{ c float64 }

func (t Temp) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "{ \"c\": %g }", t.c), nil }
func (t *Temp) UnmarshalJSON(b []byte) error {
	_, err := fmt.Sscanf(string(b), `{"c":%g}`, &t.c)
	return err
}

// Maybe is null when it is not set.
type Maybe struct {
	set bool
	n   int
}

func (m Maybe) MarshalJSON() ([]byte, error) {
	if !m.set {
		return []byte("null"), nil
	}
	return json.Marshal(m.n)
}

func (m *Maybe) UnmarshalJSON(b []byte) error {
	m.set = string(b) != "null"
	return json.Unmarshal(b, &m.n)
}

// Half has one method of a pair.
type Half struct{ Password string }

func (Half) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }

type Failing struct{ S string }

func (f Failing) MarshalText() ([]byte, error)  { return nil, errors.New("cannot take " + f.S) }
func (f *Failing) UnmarshalText(b []byte) error { return fmt.Errorf("cannot take %s", b) }

type Node struct {
	Next  *Node
	Value any
}
type Tree []Tree
type Loop *Loop

func mustNew(t testing.TB, types ...any) *Codec {
	t.Helper()
	c, err := New(types...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testCodec(t testing.TB) *Codec {
	return mustNew(t, Role(""), Level(0), Tags{}, Counts{}, Grid{}, Flag(false), Pointer(nil), Cart{}, &Item{},
		Everything{}, Lower{}, &Temp{}, Maybe{}, Half{}, Node{}, Tree{}, &time.Time{}, new(int), Cart{}, (*Cart)(nil), time.Second, []string{})
}

func ptr[T any](v T) *T { return &v }

// forms are values and how they are written, below the key "k".
func forms() []struct {
	name  string
	value any
	json  string
} {
	zone := time.FixedZone("", 5*3600+30*60)
	cart := Cart{Count: 1<<62 + 1, Items: []Item{{"a", 3}}}
	return []struct {
		name  string
		value any
		json  string
	}{
		{"nil", nil, `null`},
		{"true", true, `true`},
		{"false", false, `false`},
		{"string", "a<b>&\"\\\n\r\t\x01é\u2028😀\x7f", `"a<b>&\"\\\n\r\t\u0001é` + "\u2028😀\x7f" + `"`},
		{"empty string", "", `""`},
		{"string not UTF-8", "a\xff", `{"$string":"Yf8="}`},
		{"int", 42, `42`},
		{"most negative int", math.MinInt64, `-9223372036854775808`},
		{"greatest int", math.MaxInt64, `9223372036854775807`},
		{"int8", int8(-128), `{"$int8":-128}`},
		{"int16", int16(300), `{"$int16":300}`},
		{"int32", int32(5), `{"$int32":5}`},
		{"int64", int64(5), `{"$int64":5}`},
		{"uint", uint(5), `{"$uint":5}`},
		{"uint8", uint8(7), `{"$uint8":7}`},
		{"uint16", uint16(7), `{"$uint16":7}`},
		{"uint32", uint32(7), `{"$uint32":7}`},
		{"uint64", uint64(math.MaxUint64), `{"$uint64":18446744073709551615}`},
		{"uintptr", uintptr(9), `{"$uintptr":9}`},
		{"float64", 1.5, `1.5`},
		{"whole float64", 3.0, `3.0`},
		{"negative zero", math.Copysign(0, -1), `-0.0`},
		{"small float64", 1e-9, `1e-9`},
		{"great float64", 1e21, `1e+21`},
		{"greatest float64", math.MaxFloat64, `1.7976931348623157e+308`},
		{"denormal", 5e-324, `5e-324`},
		{"NaN", math.NaN(), `{"$float64":"NaN"}`},
		{"infinity", math.Inf(1), `{"$float64":"+Inf"}`},
		{"negative infinity", math.Inf(-1), `{"$float64":"-Inf"}`},
		{"float32", float32(0.1), `{"$float32":0.1}`},
		{"float32 NaN", float32(math.NaN()), `{"$float32":"NaN"}`},
		{"complex64", complex64(1 + 2i), `{"$complex64":[1.0,2.0]}`},
		{"complex128", complex(1, math.Inf(-1)), `{"$complex128":[1.0,"-Inf"]}`},
		{"bytes", []byte("hi"), `{"$[]byte":"aGk="}`},
		{"no bytes", []byte{}, `{"$[]byte":""}`},
		{"nil bytes", []byte(nil), `{"$[]byte":null}`},
		{"strings", []string{"a", "\xff"}, `{"$[]string":["a",{"$string":"/w=="}]}`},
		{"no strings", []string{}, `{"$[]string":[]}`},
		{"nil strings", []string(nil), `{"$[]string":null}`},
		{"bools", []bool{true, false}, `{"$[]bool":[true,false]}`},
		{"ints", []int{1, 2}, `{"$[]int":[1,2]}`},
		{"no ints", []int{}, `{"$[]int":[]}`},
		{"nil ints", []int(nil), `{"$[]int":null}`},
		{"int8s", []int8{1, -2}, `{"$[]int8":[1,-2]}`},
		{"int16s", []int16{1}, `{"$[]int16":[1]}`},
		{"int32s", []int32{1}, `{"$[]int32":[1]}`},
		{"int64s", []int64{1}, `{"$[]int64":[1]}`},
		{"uints", []uint{1}, `{"$[]uint":[1]}`},
		{"uint16s", []uint16{1}, `{"$[]uint16":[1]}`},
		{"uint32s", []uint32{1}, `{"$[]uint32":[1]}`},
		{"uint64s", []uint64{1}, `{"$[]uint64":[1]}`},
		{"uintptrs", []uintptr{1}, `{"$[]uintptr":[1]}`},
		{"float32s", []float32{1.5}, `{"$[]float32":[1.5]}`},
		{"float64s", []float64{1, math.NaN()}, `{"$[]float64":[1.0,"NaN"]}`},
		{"complex64s", []complex64{1}, `{"$[]complex64":[[1.0,0.0]]}`},
		{"complex128s", []complex128{1i}, `{"$[]complex128":[[0.0,1.0]]}`},
		{"map of strings", map[string]string{"b": "2", "a": "1"}, `{"$map[string]string":{"a":"1","b":"2"}}`},
		{"nil map of ints", map[string]int(nil), `{"$map[string]int":null}`},
		{"url.Values", map[string][]string{"a": {"b"}}, `{"$map[string][]string":{"a":["b"]}}`},
		{"slice of maps", []map[string]any{{"$int64": 1}, nil}, `{"$[]map[string]any":[{"$int64":1},null]}`},
		{"array", []any{1, "a", nil, int64(2), []any{}}, `[1,"a",null,{"$int64":2},[]]`},
		{"nil array", []any(nil), `{"$[]any":null}`},
		{"object", map[string]any{"b": []byte{0}, "a": map[string]any{}, "": 1}, `{"":1,"a":{},"b":{"$[]byte":"AA=="}}`},
		{"nil object", map[string]any(nil), `{"$map":null}`},
		{"object like a tag", map[string]any{"$int64": 5}, `{"$map":{"$int64":5}}`},
		{"object like a map tag", map[string]any{"$map": map[string]any{"$map": 1}}, `{"$map":{"$map":{"$map":{"$map":1}}}}`},
		{"object with two such keys", map[string]any{"$int64": 5, "$x": 6}, `{"$int64":5,"$x":6}`},
		{"key not UTF-8", map[string]any{"\xff": 5}, `{"$map":{"$base64:/w==":5}}`},
		{"keys not UTF-8", map[string]any{"\xff": 5, "a": 1}, `{"a":1,"$base64:/w==":5}`},
		{"key like an escaped one", map[string]any{"$base64:": 5, "a": 1}, `{"$base64:JGJhc2U2NDo=":5,"a":1}`},
		{"UTC", time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), `{"$time":"2026-01-02T03:04:05.0000006Z"}`},
		{"zone", time.Date(2026, 1, 2, 3, 4, 5, 0, zone), `{"$time":"2026-01-02T03:04:05+05:30"}`},
		{"zone at UTC", time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 0)), `{"$time":"2026-01-02T03:04:05+00:00"}`},
		{"zone with seconds", time.Date(1890, 1, 2, 3, 4, 5, 0, time.FixedZone("", -(53*60+28))), `{"$time":"1890-01-02T03:04:05-00:53:28"}`},
		{"zero time", time.Time{}, `{"$time":"0001-01-01T00:00:00Z"}`},
		{"year 12345", time.Date(12345, 1, 2, 3, 4, 5, 0, time.UTC), `{"$time":"+12345-01-02T03:04:05Z"}`},
		{"year -44", time.Date(-44, 3, 15, 12, 0, 0, 1e8, zone), `{"$time":"-0044-03-15T12:00:00.1+05:30"}`},
		{"year 0", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), `{"$time":"0000-01-01T00:00:00Z"}`},
		{"times", []time.Time{{}}, `{"$[]time":["0001-01-01T00:00:00Z"]}`},
		{"pointer to time", &time.Time{}, `{"$*time":"0001-01-01T00:00:00Z"}`},
		{"pointer to int", ptr(3), `{"$*int":3}`},
		{"duration", time.Hour + 2*time.Minute + 3*time.Second, `{"$duration":"1h2m3s"}`},
		{"shortest duration", time.Duration(math.MinInt64), `{"$duration":"-2562047h47m16.854775808s"}`},
		{"microseconds", 1050 * time.Nanosecond, `{"$duration":"1.05µs"}`},
		{"durations", []time.Duration{0}, `{"$[]duration":["0s"]}`},

		{"struct", cart, `{"$typedjson.Cart":{"Count":4611686018427387905,"Extra":null,"items":[{"Price":3.0,"SKU":"a"}]}}`},
		{"pointer to struct", &cart, `{"$*typedjson.Cart":{"Count":4611686018427387905,"Extra":null,"items":[{"Price":3.0,"SKU":"a"}]}}`},
		{"nil pointer", (*Cart)(nil), `{"$*typedjson.Cart":null}`},
		{"struct with tagged values", Cart{Extra: map[string]any{"$a": int8(1)}}, `{"$typedjson.Cart":{"Count":0,"Extra":{"$map":{"$a":{"$int8":1}}},"items":null}}`},
		{"omitempty keeps what is empty and not nil", Cart{Items: []Item{}, Notes: map[string]string{}, Coupon: ptr("")},
			`{"$typedjson.Cart":{"Count":0,"Extra":null,"Notes":{},"coupon":"","items":[]}}`},
		{"listed by pointer", Item{"\xff", math.NaN()}, `{"$typedjson.Item":{"Price":"NaN","SKU":{"$string":"/w=="}}}`},
		{"named string", Role("admin"), `{"$typedjson.Role":"admin"}`},
		{"pointer to named string", ptr(Role("admin")), `{"$*typedjson.Role":"admin"}`},
		{"named int8", Level(-3), `{"$typedjson.Level":-3}`},
		{"named bool", Flag(true), `{"$typedjson.Flag":true}`},
		{"named slice", Tags{"a"}, `{"$typedjson.Tags":["a"]}`},
		{"nil named slice", Tags(nil), `{"$typedjson.Tags":null}`},
		{"pointer to nil named slice", ptr(Tags(nil)), `{"$*typedjson.Tags":{"$ptr":null}}`},
		{"nil pointer to named slice", (*Tags)(nil), `{"$*typedjson.Tags":null}`},
		{"named map", Counts{"b": 1, "a": 2}, `{"$typedjson.Counts":{"a":2,"b":1}}`},
		{"pointer to map with the key $ptr", ptr(Counts{"$ptr": 1}), `{"$*typedjson.Counts":{"$ptr":{"$ptr":1}}}`},
		{"named array", Grid{1, 2}, `{"$typedjson.Grid":[1.0,2.0]}`},
		{"named pointer", Pointer(&Cart{}), `{"$typedjson.Pointer":{"Count":0,"Extra":null,"items":null}}`},
		{"text by pointer, in an interface", Lower{"abc"}, `{"$typedjson.Lower":"abc"}`},
		{"JSON by value", Temp{1.5}, `{"$typedjson.Temp":{"c":1.5}}`},
		{"JSON that is null", Maybe{}, `{"$typedjson.Maybe":null}`},
		{"pointer to JSON that is null", &Maybe{}, `{"$*typedjson.Maybe":{"$ptr":null}}`},
		{"half a pair of methods", Half{"pw"}, `{"$typedjson.Half":{"Password":"pw"}}`},
		{"recursive", Tree{{}, nil, {{}}}, `{"$typedjson.Tree":[[],null,[[]]]}`},
		{"listed in listed", Node{Value: []any{&Node{}, Role("x")}},
			`{"$typedjson.Node":{"Next":null,"Value":[{"$*typedjson.Node":{"Next":null,"Value":null}},{"$typedjson.Role":"x"}]}}`},
	}
}

func TestForms(t *testing.T) {
	c := testCodec(t)
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			in := map[any]any{"k": f.value}
			want := `{"k":` + f.json + `}`
			data, err := c.Encode(in)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != want {
				t.Errorf("Encode wrote\n%s, want\n%s", data, want)
			}
			if !json.Valid(data) {
				t.Errorf("encoding/json does not take %s", data)
			}
			out, err := c.Decode(data)
			if err != nil {
				t.Fatalf("Decode(%s): %v", data, err)
			}
			if !same(in, out) {
				t.Errorf("put in %#v, came back %#v", in, out)
			}
		})
	}
}

// everything returns a value with something in each field.
func everything() *Everything {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	var boxed any = int64(3)
	var none any
	return &Everything{
		Embedded: Embedded{1}, Cart: &Cart{Count: 3}, embedded: embedded{"n"},
		B: true, I8: -1, U64: math.MaxUint64, UP: 1, F32: 0.1, F64: math.Inf(-1), C: 1 + 2i, S: "s\xff", Raw: []byte("raw"),
		Arr: [3]int16{1, 2, 3}, BArr: [4]byte{1, 2}, Role: "r", At: at, AtP: &at, For: time.Second,
		Any: map[string]any{"$x": uint8(1)}, Anys: []any{nil, 1.0, "s", boxed}, Map: map[string]any{"$int64": 1},
		Ints: map[int]string{-1: "a", 10: "b"}, Roles: map[Role][]Level{"\xff": {1}, "$": nil},
		Addrs: map[netip.Addr]bool{netip.MustParseAddr("::1"): true}, Times: map[time.Time]int{at: 1},
		PP: ptr(ptr(3)), PS: ptr([]string(nil)), PM: ptr(map[string]int{"$ptr": 1, "a": 2}), PA: &none,
		Self: &Everything{PP: ptr((*int)(nil)), PA: &boxed}, Str: time.Second,
		Lower: Lower{"l"}, LowP: &Lower{"p"}, Temp: Temp{1}, TempP: &Temp{2}, Big: big.NewInt(7), URL: url.URL{Scheme: "https", Host: "h", User: url.User("u")},
		Opt: Maybe{true, 1}, OptP: &Maybe{}, In: struct{ X, Y int }{1, 2}, Omit: []string{}, Dash: 4, Quote: 5,
	}
}

func TestEveryKindOfField(t *testing.T) {
	c := testCodec(t)
	in := map[any]any{"full": everything(), "zero": &Everything{}}
	data, err := c.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Decode(data)
	if err != nil {
		t.Fatalf("Decode(%s): %v", data, err)
	}
	if !reflect.DeepEqual(in, out) {
		again, _ := c.Encode(out)
		t.Errorf("put in\n%s, came back\n%s", data, again)
	}
	for _, part := range []string{`"Embedded":{"ID":1}`, `"embedded":{"Name":"n"}`, `"-":4`, `"<a \"b\">":5`, `"For":"1s"`,
		`"PS":{"$ptr":null}`, `"PA":{"$ptr":null}`, `"Str":{"$duration":"1s"}`, `"BArr":"AQIAAA=="`, `"Times":{"2026-01-02T03:04:05.000000006Z":1}`,
		`"Ints":{"-1":"a","10":"b"}`, `"OptP":{"$ptr":null}`, `"Big":7`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s is not in %s", part, data)
		}
	}
	if strings.Contains(string(data), "Mutex") {
		t.Errorf("the embedded mutex is in %s", data)
	}
}

func TestTopLevelKeys(t *testing.T) {
	c := testCodec(t)
	for _, test := range []struct {
		key, json string
	}{
		{"", `{"":1}`},
		{"a b", `{"a b":1}`},
		{"$int64", `{"$int64":1}`},
		{"$map", `{"$map":1}`},
		{"\xff", `{"$base64:/w==":1}`},
		{"$base64:x", `{"$base64:JGJhc2U2NDp4":1}`},
	} {
		data, err := c.Encode(map[any]any{test.key: 1})
		if err != nil || string(data) != test.json {
			t.Errorf("key %q: %s, %v; want %s", test.key, data, err, test.json)
		}
		out, err := c.Decode(data)
		if err != nil || !reflect.DeepEqual(out, map[any]any{test.key: 1}) {
			t.Errorf("key %q came back as %v, %v", test.key, out, err)
		}
	}
	for _, none := range []map[any]any{nil, {}} {
		data, err := c.Encode(none)
		if err != nil || string(data) != "{}" {
			t.Errorf("no values: %s, %v", data, err)
		}
		if out, err := c.Decode(data); err != nil || out == nil || len(out) != 0 {
			t.Errorf("no values came back as %v, %v", out, err)
		}
	}
}

// TestTimesComeBackAsFromGob compares with the encoding that gob uses.
func TestTimesComeBackAsFromGob(t *testing.T) {
	c := testCodec(t)
	for _, at := range []time.Time{
		time.Now(), // with a monotonic clock
		time.Now().UTC(),
		time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("CEST", 2*3600)),
		time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("EST", -5*3600)),
		time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("GMT", 0)),
		time.Date(1880, 7, 1, 0, 0, 0, 0, time.FixedZone("LMT", 17*3600+59)),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", -3600)),
		{},
	} {
		binary, err := at.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var want time.Time
		if err := want.UnmarshalBinary(binary); err != nil {
			t.Fatal(err)
		}
		data, err := c.Encode(map[any]any{"k": at})
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(out["k"], want) {
			t.Errorf("%v came back as %#v, from gob as %#v", at, out["k"], want)
		}
	}
	for _, at := range []time.Time{time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0), time.Date(1_000_000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-1_000_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0).In(time.FixedZone("", 100*3600))} {
		if data, err := c.Encode(map[any]any{"at": at}); err == nil || !strings.Contains(err.Error(), `key "at": a time.Time is out of range`) {
			t.Errorf("%v: %s, %v", at, data, err)
		}
	}
}

func TestForeignJSON(t *testing.T) {
	c := testCodec(t)
	for _, test := range []struct {
		json string
		want map[any]any
	}{
		{` { "user" : "ann" , "n":3, "x":1.5,"l":[1,"a"],"o":{"k":null} } `,
			map[any]any{"user": "ann", "n": 3, "x": 1.5, "l": []any{1, "a"}, "o": map[string]any{"k": nil}}},
		{`{"a":9223372036854775808}`, map[any]any{"a": uint64(1 << 63)}},
		{`{"a":18446744073709551616,"b":-9223372036854775809}`, map[any]any{"a": float64(1 << 64), "b": float64(-1 << 63)}},
		{`{"a":1e2,"b":1E+2,"c":-0,"d":0}`, map[any]any{"a": 100.0, "b": 100.0, "c": 0, "d": 0}},
		{`{"\u0061":"\u00e9\ud83d\ude00\/\b\f\"\u0000"}`, map[any]any{"a": "é😀/\b\f\"\x00"}},
		{`{"a":{"$ref":1,"b":2}}`, map[any]any{"a": map[string]any{"$ref": 1, "b": 2}}},
		{`{"a":{"b":2,"$ref":1}}`, map[any]any{"a": map[string]any{"$ref": 1, "b": 2}}},
		{`{"a":{"$int64":1,"b":{"$int64":2}}}`, map[any]any{"a": map[string]any{"$int64": 1, "b": int64(2)}}},
		{`{"a":{"$map":{"$map":{"$int8":1},"x":"}],\\\""},"c":"\\"}}`, map[any]any{"a": map[string]any{
			"$map": map[string]any{"$map": int8(1), "x": `}],\"`}, "c": `\`}}},
		{`{"a":[{"$map":[{"$int8":1}],"x":{"$int8":2}},{"$int8":3}]}`, map[any]any{"a": []any{
			map[string]any{"$map": []any{int8(1)}, "x": int8(2)}, int8(3)}}},
		{`{"a": { "\u0024int64" : 1 } }`, map[any]any{"a": int64(1)}},
		{`{"a":{"$typedjson.Cart":{"Count":3,"gone":{"x":[1,{"y":"}"}]},"items":[{"SKU":"a","SKU2":[]}],"coupon":"c"}}}`,
			map[any]any{"a": Cart{Count: 3, Items: []Item{{SKU: "a"}}, Coupon: ptr("c")}}},
		{`{"a":{"$typedjson.Item":{"Price":3,"SKU":null}}}`, map[any]any{"a": Item{Price: 3}}},
		{`{"a":{"$example.com/dynamostore/internal/typedjson.Role":"r"}}`, map[any]any{"a": Role("r")}},
		{`{"a":{"$*example.com/dynamostore/internal/typedjson.Role":"r"}}`, map[any]any{"a": ptr(Role("r"))}},
	} {
		out, err := c.Decode([]byte(test.json))
		if err != nil || !reflect.DeepEqual(out, test.want) {
			t.Errorf("%s\nis %#v, %v\nwant %#v", test.json, out, err, test.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	c := mustNew(t, Cart{}, Everything{}, Tags{}, Grid{}, Counts{}, Failing{}, Temp{}, Node{}, Tree{}, Maybe{})
	const secret = "hunter2"
	for _, test := range []struct{ json, want string }{
		{``, "invalid JSON: it ends too early, at offset 0"},
		{`{`, "invalid JSON: it ends too early, at offset 1"},
		{`{"hunter2`, "it ends too early"},
		{`{"a":"hunter2\`, "invalid JSON"},
		{`{"a":"\u12`, "invalid JSON"},
		{`{"a":1`, "it ends too early"},
		{`[1]`, "the top level is not an object, at offset 0"},
		{`null`, "the top level is not an object"},
		{` "hunter2"`, "the top level is not an object"},
		{`{}hunter2`, "the JSON is followed by something else, at offset 2"},
		{`{} {}`, "the JSON is followed by something else"},
		{"\xef\xbb\xbf{}", "not an object"},
		{`{"a":1,}`, "invalid JSON at offset 7"},
		{`{"a":[1,]}`, "invalid JSON at offset 8"},
		{`{,}`, "invalid JSON at offset 1"},
		{`{"a" 1}`, "invalid JSON at offset 5"},
		{`{a:1}`, "invalid JSON at offset 1"},
		{`{"a":01}`, "invalid JSON at offset 6"},
		{`{"a":-}`, "invalid JSON at offset 6"},
		{`{"a":1.}`, "invalid JSON at offset 7"},
		{`{"a":.5}`, "invalid JSON at offset 5"},
		{`{"a":1e}`, "invalid JSON at offset 7"},
		{`{"a":+1}`, "invalid JSON at offset 5"},
		{`{"a":tru}`, "invalid JSON at offset 5"},
		{`{"a":nullx}`, "invalid JSON at offset 9"},
		{`{"a":NaN}`, "invalid JSON at offset 5"},
		{`{"a":'hunter2'}`, "invalid JSON at offset 5"},
		{"{\"a\":\"hunter2\n\"}", "invalid JSON at offset 13"},
		{"{\"a\":\"\\\"hunter2\n\"}", "invalid JSON at offset"},
		{`{"a":"\x"}`, "invalid JSON at offset 6"},
		{`{"a":"\ud800"}`, "invalid JSON at offset 6"},
		{`{"a":"\ud800\u0041"}`, "invalid JSON at offset 6"},
		{`{"a":"\udc00\ud800"}`, "invalid JSON at offset 6"},
		{`{"a":"\u00g0"}`, "invalid JSON at offset 6"},
		{"{\"a\":\"hunter2\xff\"}", "a string is not valid UTF-8, at offset 5"},
		{"{\"a\":\"\\nhunter2\xff\"}", "a string is not valid UTF-8, at offset 5"},
		{"{\"hunter2\xff\":1}", "a string is not valid UTF-8, at offset 1"},
		{`{"a":1e400}`, "a number is out of range, at offset 5"},
		{`{"hunter2":1,"hunter2":2}`, "an object has two equal keys, at offset 0"},
		{`{"a":{"hunter2":1,"hunter2":2}}`, "an object has two equal keys, at offset 5"},
		{`{"a":{"x":1,"\u0078":2}}`, "an object has two equal keys, at offset 5"},
		{`{"$base64:!":1}`, "a key is not valid base64, at offset 1"},
		{`{"a":{"$hunter2":1}}`, "unknown type tag; list the type in JSONCodec.Types, at offset 5"},
		{`{"a":{"$typedjson.Role":"hunter2"}}`, "unknown type tag"},
		{`{"a":{"$int":1}}`, "unknown type tag"},
		{`{"a":{"$base64:eA==":1}}`, "unknown type tag"},
		{`{"a":{"$":1}}`, "unknown type tag"},
		{`{"a":{"$int64":"hunter2"}}`, "want an integer, at offset 15"},
		{`{"a":{"$int64":null}}`, "want an integer"},
		{`{"a":{"$int64":1.0}}`, "want an integer, at offset 15"},
		{`{"a":{"$int64":}}`, "invalid JSON"},
		{`{"a":{"$int64"}}`, "invalid JSON"},
		{`{"a":{"$int8":128}}`, "a number is out of range for an int8, at offset 14"},
		{`{"a":{"$int64":9223372036854775808}}`, "out of range for an int64"},
		{`{"a":{"$uint8":256}}`, "out of range for a uint8"},
		{`{"a":{"$uint8":-1}}`, "out of range for a uint8"},
		{`{"a":{"$float32":1e39}}`, "out of range for a float32"},
		{`{"a":{"$float32":"hunter2"}}`, "want a number"},
		{`{"a":{"$float64":true}}`, "want a number"},
		{`{"a":{"$complex64":[1]}}`, "invalid JSON"},
		{`{"a":{"$complex64":[1,2,3]}}`, "invalid JSON"},
		{`{"a":{"$string":"hunter2"}}`, "a string is not valid base64"},
		{`{"a":{"$string":"Yf9="}}`, "a string is not valid base64"},
		{`{"a":{"$[]string":["a",1]}}`, "want a string"},
		{`{"a":{"$[]string":[{"$bytes":"hunter2"}]}}`, "want a string"},
		{`{"a":{"$[]string":["a"}}`, "invalid JSON"},
		{`{"a":{"$[]bool":[1]}}`, "want true or false"},
		{`{"a":{"$[]any":{}}}`, "want an array"},
		{`{"a":{"$map":[]}}`, "want an object"},
		{`{"a":{"$time":"hunter2"}}`, "a string is not a time as RFC 3339 writes it"},
		{`{"a":{"$time":"2026-02-29T00:00:00Z"}}`, "not a time"},
		{`{"a":{"$time":"2026-02-28T24:00:00Z"}}`, "not a time"},
		{`{"a":{"$time":"2026-02-28T00:00:00"}}`, "not a time"},
		{`{"a":{"$time":"2026-02-28T00:00:00.Z"}}`, "not a time"},
		{`{"a":{"$time":"2026-02-28T00:00:00.1234567890Z"}}`, "not a time"},
		{`{"a":{"$time":"2026-02-28T00:00:00+01:60"}}`, "not a time"},
		{`{"a":{"$time":"2026-02-28T00:00:00Z "}}`, "not a time"},
		{`{"a":{"$time":"+999999-02-28T00:00:00Z"}}`, "not a time"},
		{`{"a":{"$time":1}}`, "want a string"},
		{`{"a":{"$duration":"hunter2"}}`, "not a duration"},
		{`{"a":{"$typedjson.Cart":[]}}`, "want an object"},
		{`{"a":{"$typedjson.Cart":{"Count":"hunter2"}}}`, "want an integer"},
		{`{"a":{"$typedjson.Cart":{"Count":1,"Count":1}}}`, "two equal keys"},
		{`{"a":{"$typedjson.Cart":{"gone":[hunter2]}}}`, "invalid JSON in the value"},
		{`{"a":{"$typedjson.Cart":{"gone":}}}`, "invalid JSON in the value"},
		{`{"a":{"$typedjson.Grid":[1,2,3]}}`, "invalid JSON"},
		{`{"a":{"$typedjson.Grid":[1]}}`, "invalid JSON"},
		{`{"a":{"$typedjson.Tags":{}}}`, "want an array"},
		{`{"a":{"$typedjson.Counts":{"a":1,"a":2}}}`, "two equal keys"},
		{`{"a":{"$typedjson.Counts":[]}}`, "want an object"},
		{`{"a":{"$typedjson.Everything":{"Ints":{"hunter2":"a"}}}}`, "a key is not a int"},
		{`{"a":{"$typedjson.Everything":{"Ints":{"01":"a"}}}}`, "a key is not a int"},
		{`{"a":{"$typedjson.Everything":{"Str":"hunter2"}}}`, "want a value that implements fmt.Stringer"},
		{`{"a":{"$typedjson.Everything":{"BArr":"aGk="}}}`, "an array has another length"},
		{`{"a":{"$typedjson.Everything":{"PS":{"$ptr":null,"x":1}}}}`, "invalid JSON"},
		{`{"a":{"$typedjson.Failing":"hunter2"}}`, "type typedjson.Failing could not unmarshal itself"},
		{`{"a":{"$typedjson.Temp":"hunter2"}}`, "type typedjson.Temp could not unmarshal itself"},
		{`{"a":{"$typedjson.Maybe":hunter2}}`, "invalid JSON in the value"},
		{`{"a":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`, "nested deeper than 1000 levels"},
		{`{"a":` + strings.Repeat("[", 1<<20), "nested deeper than 1000 levels"},
		{strings.Repeat(`{"a":`, 1<<20), "nested deeper than 1000 levels"},
		{strings.Repeat(`{"$map":`, 1<<18), "nested deeper than 1000 levels"},
		{`{"a":` + strings.Repeat(`{"$map":{"$map":`, 1<<17) + strings.Repeat("}", 1<<18) + "}", "nested deeper than 1000 levels"},
		{`{"a":` + strings.Repeat(`{"$typedjson.Node":{"Value":`, 1<<17), "nested deeper than 1000 levels"},
		{`{"a":{"$typedjson.Tree":` + strings.Repeat("[", 1<<20), "nested deeper than 1000 levels"},
		{`{"a":{"$typedjson.Node":` + strings.Repeat(`{"Next":`, 1<<18), "nested deeper than 1000 levels"},
		{`{"a":{"$typedjson.Cart":{"gone":` + strings.Repeat(`[`, 1<<20), "nested deeper than 1000 levels"},
		{`{"a":{"$typedjson.Cart":{"gone":` + strings.Repeat(`[`, 1<<16) + strings.Repeat(`]`, 1<<16) + "}}}", "invalid JSON in the value"},
	} {
		shown := test.json[:min(len(test.json), 60)]
		out, err := c.Decode([]byte(test.json))
		if err == nil {
			t.Errorf("%s\nis %#v, want error %q", shown, out, test.want)
			continue
		}
		if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\nerror %q, want %q", shown, err, test.want)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s\nerror quotes the input: %v", shown, err)
		}
	}
}

func TestDepth(t *testing.T) {
	c := testCodec(t)
	build := map[string]func(inner any) any{
		"[]any":               func(inner any) any { return []any{inner} },
		"map[string]any":      func(inner any) any { return map[string]any{"a": inner} },
		"map like a tag":      func(inner any) any { return map[string]any{"$map": inner} },
		"a struct":            func(inner any) any { return Node{Value: inner} },
		"pointer to a struct": func(inner any) any { return &Node{Value: inner} },
	}
	for name, wrap := range build {
		var v any = "bottom"
		for range maxDepth {
			v = wrap(v)
		}
		data, err := c.Encode(map[any]any{"k": v})
		if err != nil {
			t.Errorf("%s 1000 deep: %v", name, err)
			continue
		}
		out, err := c.Decode(data)
		if err != nil {
			t.Errorf("%s 1000 deep: %v", name, err)
		} else if !reflect.DeepEqual(out["k"], v) {
			t.Errorf("%s 1000 deep: came back different", name)
		}
		_, err = c.Encode(map[any]any{"k": wrap(v)})
		if err == nil || !strings.Contains(err.Error(), `key "k": nested deeper than 1000 levels`) {
			t.Errorf("%s 1001 deep: %v", name, err)
		}
	}
}

func TestCyclesEnd(t *testing.T) {
	c := mustNew(t, Node{}, Tree{}, Loop(nil))
	node := &Node{}
	node.Next, node.Value = node, []any{node, node}
	wide := make([]any, 1000)
	for i := range wide {
		wide[i] = wide
	}
	tree := Tree{nil, nil}
	tree[0], tree[1] = tree, tree
	object := map[string]any{}
	object["a"], object["b"] = object, object
	loop := new(Loop)
	*loop = loop
	for name, v := range map[string]any{"node": node, "wide": wide, "tree": tree, "object": object, "loop": Loop(loop)} {
		_, err := c.Encode(map[any]any{name: v})
		want := fmt.Sprintf("key %q: nested deeper than 1000 levels; is there a cycle?", name)
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
}

type ctxKey int
type textKey string
type Ch chan int
type Sneaky struct {
	A  any
	Fn func() `json:"-"`
}

func TestEncodeProblems(t *testing.T) {
	c := mustNew(t, Sneaky{}, Failing{}, one.Cart{})
	const secret = "hunter2"
	for _, test := range []struct {
		values map[any]any
		want   string
	}{
		{map[any]any{"cart": Cart{Hidden: secret, secret: secret}}, `key "cart": type typedjson.Cart is not listed: add typedjson.Cart{} to JSONCodec.Types`},
		{map[any]any{"cart": &Cart{}}, `key "cart": type *typedjson.Cart is not listed: add typedjson.Cart{} to JSONCodec.Types`},
		{map[any]any{"r": Role(secret)}, `key "r": type typedjson.Role is not listed: add typedjson.Role("") to JSONCodec.Types`},
		{map[any]any{"l": Level(1)}, `key "l": type typedjson.Level is not listed: add typedjson.Level(0) to JSONCodec.Types`},
		{map[any]any{"f": Flag(true)}, `key "f": type typedjson.Flag is not listed: add typedjson.Flag(false) to JSONCodec.Types`},
		{map[any]any{"p": ptr(1)}, `key "p": type *int is not listed: add new(int) to JSONCodec.Types`},
		{map[any]any{"m": map[string]Item{secret: {}}}, `key "m": type map[string]typedjson.Item has no name: declare one (type X map[string]typedjson.Item), store that, and add X{} to JSONCodec.Types`},
		{map[any]any{"c": make(chan int)}, `key "c": type chan int cannot be stored`},
		{map[any]any{"c": Ch(nil)}, `key "c": type typedjson.Ch cannot be stored`},
		{map[any]any{"f": func() {}}, `key "f": type func() cannot be stored`},
		{map[any]any{"deep": []any{map[string]any{secret: Sneaky{A: []any{make(chan int), Cart{}}}}}},
			"key \"deep\": type chan int cannot be stored\n" + `key "deep": type typedjson.Cart is not listed: add typedjson.Cart{} to JSONCodec.Types`},
		{map[any]any{ctxKey(3): secret}, `a key of type typedjson.ctxKey (3) is not a string: use a string`},
		{map[any]any{true: 1}, `a key of type bool (true) is not a string: use a string`},
		{map[any]any{uint8(7): 1}, `a key of type uint8 (7) is not a string: use a string`},
		{map[any]any{textKey(secret): 1}, `a key of type typedjson.textKey is not a string: use a string`},
		{map[any]any{[1]string{secret}: 1}, `a key of type [1]string is not a string: use a string`},
		{map[any]any{nil: 1}, `a key is nil: use a string`},
		{map[any]any{"f": Failing{secret}}, `key "f": type typedjson.Failing: MarshalText failed`},
		{map[any]any{"e": two.Cart{}}, `key "e": type shop.Cart of package example.com/dynamostore/internal/typedjson/testdata/two/shop is not listed: add shop.Cart{} to JSONCodec.Types`},
		{map[any]any{"b": ctxKey(1), 1: 1, "a": []any{ctxKey(1), ctxKey(2)}, 0: 2},
			"a key of type int (0) is not a string: use a string\n" +
				"a key of type int (1) is not a string: use a string\n" +
				"key \"a\": type typedjson.ctxKey is not listed: add typedjson.ctxKey(0) to JSONCodec.Types\n" +
				"key \"b\": type typedjson.ctxKey is not listed: add typedjson.ctxKey(0) to JSONCodec.Types"},
	} {
		for range 3 {
			data, err := c.Encode(test.values)
			if err == nil || data != nil {
				t.Errorf("want error %q, got %s", test.want, data)
				continue
			}
			if err.Error() != test.want {
				t.Errorf("error\n%s\nwant\n%s", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error holds a value: %v", err)
			}
		}
	}
	// A Codec that has met problems goes on as before.
	if data, err := c.Encode(map[any]any{"a": 1}); err != nil || string(data) != `{"a":1}` {
		t.Errorf("after problems: %s, %v", data, err)
	}
}

type twin struct{ N int }

func (twin) MarshalText() ([]byte, error)  { return []byte("same"), nil }
func (*twin) UnmarshalText(b []byte) error { return nil }

type twins map[twin]int

type badJSON struct{ S string }

func (b badJSON) MarshalJSON() ([]byte, error) { return []byte("hunter2"), nil }
func (*badJSON) UnmarshalJSON([]byte) error    { return nil }

func TestMethodsThatMisbehave(t *testing.T) {
	c := mustNew(t, twins{}, badJSON{})
	_, err := c.Encode(map[any]any{"t": twins{{1}: 1, {2}: 2}, "j": badJSON{}})
	want := "key \"j\": type typedjson.badJSON: MarshalJSON returned invalid JSON\nkey \"t\": type typedjson.twins: two keys have the same text"
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

type hollow struct{ n int }
type deepHollow struct{ In hollow }
type withChan struct{ C chan int }
type doubled struct {
	A int `json:"B"`
	B int
}
type badMap map[float64]int
type pointerEmbedder struct{ *embedded }

func TestNewRefuses(t *testing.T) {
	local := func() any { type Local struct{ A int }; return Local{} }()
	other := func() any { type Local struct{ B int }; return Local{} }()
	for _, test := range []struct {
		types []any
		want  string
	}{
		{[]any{1, nil}, "type 2 of the list is nil: list a value of the type, as T{} or (*T)(nil)"},
		{[]any{struct{ X int }{}}, "type struct { X int } has no name: declare one (type X struct { X int }), store that, and list it"},
		{[]any{[]Cart{}}, "type []typedjson.Cart has no name: declare one (type X []typedjson.Cart), store that, and list it"},
		{[]any{&[]Cart{}}, "type *[]typedjson.Cart has no name: declare one (type X []typedjson.Cart)"},
		{[]any{local, other}, "two types are both example.com/dynamostore/internal/typedjson.Local, declared in functions"},
		{[]any{Ch(nil)}, "type typedjson.Ch cannot be stored"},
		{[]any{withChan{}}, "typedjson.withChan.C of type chan int cannot be stored: tag the field `json:\"-\"`"},
		{[]any{hollow{n: 1}}, "typedjson.hollow of type typedjson.hollow would be lost: it has no exported fields"},
		{[]any{deepHollow{}}, "typedjson.deepHollow.In of type typedjson.hollow would be lost"},
		{[]any{doubled{}}, `type typedjson.doubled: two fields have the JSON name "B"`},
		{[]any{badMap{}}, "typedjson.badMap: a key of typedjson.badMap is not a string"},
		{[]any{pointerEmbedder{}}, "typedjson.pointerEmbedder.embedded cannot be set"},
	} {
		c, err := New(test.types...)
		if err == nil || c != nil {
			t.Errorf("%T: want error %q", test.types, test.want)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%T: error %q, want %q", test.types, err, test.want)
		}
	}
	_, err := New(nil, withChan{}, struct{}{}, hollow{})
	if n := strings.Count(fmt.Sprint(err), "\n"); n != 3 {
		t.Errorf("want four problems at once, got %v", err)
	}
}

func TestTypesOfTheSameName(t *testing.T) {
	const path = "example.com/dynamostore/internal/typedjson/testdata/"
	in := map[any]any{"1": one.Cart{One: 1}, "2": &two.Cart{Two: 2}}
	want := `{"1":{"$` + path + `one/shop.Cart":{"One":1}},"2":{"$*` + path + `two/shop.Cart":{"Two":2}}}`
	for _, types := range [][]any{{one.Cart{}, two.Cart{}}, {&two.Cart{}, &one.Cart{}, two.Cart{}}} {
		c := mustNew(t, types...)
		data, err := c.Encode(in)
		if err != nil || string(data) != want {
			t.Errorf("%s, %v\nwant %s", data, err, want)
		}
		if out, err := c.Decode(data); err != nil || !reflect.DeepEqual(out, in) {
			t.Errorf("came back as %v, %v", out, err)
		}
		if out, err := c.Decode([]byte(`{"1":{"$shop.Cart":{}}}`)); err == nil {
			t.Errorf("a short tag that may be either is %v", out)
		}
	}
	// One of them alone has the short tag, and still understands the long one.
	alone := mustNew(t, one.Cart{})
	data, err := alone.Encode(map[any]any{"1": in["1"]})
	if err != nil || string(data) != `{"1":{"$shop.Cart":{"One":1}}}` {
		t.Errorf("%s, %v", data, err)
	}
	out, err := alone.Decode([]byte(`{"1":{"$` + path + `one/shop.Cart":{"One":1}}}`))
	if err != nil || !reflect.DeepEqual(out["1"], in["1"]) {
		t.Errorf("came back as %v, %v", out, err)
	}
}

func TestListOrderDoesNotMatter(t *testing.T) {
	types := []any{Cart{}, &Item{}, Role(""), Everything{}}
	in := map[any]any{"a": Cart{}, "b": &Item{}, "c": Role("x")}
	var first []byte
	for range len(types) {
		types = append(types[1:], types[0])
		data, err := mustNew(t, types...).Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if string(data) != string(first) {
			t.Errorf("order changes %s to %s", first, data)
		}
	}
}

func TestEncodeReturnsFreshBytes(t *testing.T) {
	c := testCodec(t)
	a, _ := c.Encode(map[any]any{"k": "aaaa"})
	b, _ := c.Encode(map[any]any{"k": "bbbb"})
	if string(a) != `{"k":"aaaa"}` || string(b) != `{"k":"bbbb"}` {
		t.Errorf("%s, %s", a, b)
	}
}

func TestDecodeDoesNotKeepItsInput(t *testing.T) {
	c := testCodec(t)
	for _, size := range []int{10, maxShared} {
		text := strings.Repeat("x", size)
		data, _ := c.Encode(map[any]any{"k": text, "b": []byte("bytes"), "r": Role(text)})
		out, err := c.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		clear(data)
		if !reflect.DeepEqual(out, map[any]any{"k": text, "b": []byte("bytes"), "r": Role(text)}) {
			t.Errorf("values of %d bytes changed with the input", size)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := testCodec(t)
	in := map[any]any{"e": everything(), "l": []any{1, "a", map[string]any{"x": 1.5, "y": Tags{"t"}}}}
	want, err := c.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for range 50 {
				if g%4 == 0 {
					c.Encode(map[any]any{"bad": make(chan int), g: 1})
				}
				data, err := c.Encode(in)
				if err != nil || string(data) != string(want) {
					t.Errorf("Encode: %s, %v", data, err)
					return
				}
				out, err := c.Decode(data)
				if err != nil || !reflect.DeepEqual(out, in) {
					t.Errorf("Decode: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestDecodingTimeIsLinear decodes input that takes 30 times as long if every level is skimmed for itself.
func TestDecodingTimeIsLinear(t *testing.T) {
	c := testCodec(t)
	const depth = 900
	list := `[` + strings.Repeat(`1,1,1,1,`, 200000) + `1]`
	decode := func(data string) time.Duration {
		start := time.Now()
		if _, err := c.Decode([]byte(data)); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	flat := decode(`{"k":` + list + `}`)
	nested := decode(`{"k":` + strings.Repeat(`{"$map":`, depth) + list + strings.Repeat(`,"x":1}`, depth) + `}`)
	if nested > 10*flat {
		t.Errorf("a list took %v, and %v below %d maps", flat, nested, depth)
	}
}

func TestShortStringsOfALargeInput(t *testing.T) {
	c := testCodec(t)
	in := map[any]any{}
	for i := range 5000 {
		in[fmt.Sprintf("key %d", i)] = strings.Repeat("x", i%700)
	}
	checkRoundTrip(t, c, in)
}

// same is reflect.DeepEqual, but for a NaN being the same as another and -0 not the same as 0.
func same(a, b any) bool { return sameValue(reflect.ValueOf(a), reflect.ValueOf(b)) }

func sameValue(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	sameFloat := func(x, y float64) bool {
		return x != x && y != y || math.Float64bits(x) == math.Float64bits(y)
	}
	if a.Type() == timeType && a.CanInterface() {
		return reflect.DeepEqual(a.Interface(), b.Interface())
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return sameFloat(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		return sameFloat(real(a.Complex()), real(b.Complex())) && sameFloat(imag(a.Complex()), imag(b.Complex()))
	case reflect.Interface, reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.IsNil() != b.IsNil() {
			return false
		}
		fallthrough
	case reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for iter := a.MapRange(); iter.Next(); {
			if !sameValue(iter.Value(), b.MapIndex(iter.Key())) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !sameValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// What is the same as before is the same bytes, not a copy of them.
func TestEncodeOrReturnsWhatIsTheSame(t *testing.T) {
	c := mustNew(t)
	values := benchValues(2000)
	before, err := c.Encode(values)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.EncodeOr(values, before); err != nil || &got[0] != &before[0] {
		t.Errorf("EncodeOr made %q anew, %v", got, err)
	}
	for _, other := range []string{"", "{}", string(before[1:]), strings.Replace(string(before), "a", "b", 1)} {
		if got, err := c.EncodeOr(values, []byte(other)); err != nil || string(got) != string(before) {
			t.Errorf("EncodeOr = %q, %v, want %q", got, err, before)
		}
	}
}
