package typedjson

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// A formCase is a value and how it is written.
type formCase struct {
	name  string
	value any
	json  string
}

func formCases() []formCase {
	zone := time.FixedZone("", 5*3600+30*60)
	cart := Cart{Count: 1<<62 + 1, Items: []Item{{"a", 3}}}
	cartJSON := `{"Count":4611686018427387905,"items":[{"SKU":"a","Price":"3"}],"notes":null,"Extra":null}`
	return []formCase{
		{"nil", nil, `null`},
		{"true", true, `true`},
		{"false", false, `false`},
		{"string", "a<b>&\"\\\n\r\t\x01é\u2028😀\x7f", `"a<b>&\"\\\n\r\t\u0001é` + "\u2028😀\x7f" + `"`},
		{"empty string", "", `""`},
		{"string not UTF-8", "a\xff", `{"$string":"$base64:Yf8="}`},
		{"int", 42, `42`},
		{"smallest int", math.MinInt64, `-9223372036854775808`},
		{"largest int", math.MaxInt64, `9223372036854775807`},
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
		{"small float64", 1e-9, `1e-09`},
		{"large float64", 1e21, `1e+21`},
		{"million", 1e6, `1000000.0`},
		{"largest float64", math.MaxFloat64, `1.7976931348623157e+308`},
		{"smallest float64", 5e-324, `5e-324`},
		{"NaN", math.NaN(), `{"$float64":"NaN"}`},
		{"infinity", math.Inf(1), `{"$float64":"+Inf"}`},
		{"negative infinity", math.Inf(-1), `{"$float64":"-Inf"}`},
		{"float32", float32(0.1), `{"$float32":0.1}`},
		{"float32 NaN", float32(math.NaN()), `{"$float32":"NaN"}`},
		{"complex64", complex64(1 + 2i), `{"$complex64":"(1+2i)"}`},
		{"complex128", complex(1, math.Inf(-1)), `{"$complex128":"(1-Infi)"}`},
		{"bytes", []byte("hi"), `{"$[]byte":"aGk="}`},
		{"no bytes", []byte{}, `{"$[]byte":""}`},
		{"nil bytes", []byte(nil), `{"$[]byte":null}`},
		{"slices of bytes", [][]byte{{1}, nil, {}}, `{"$[][]byte":["AQ==",null,""]}`},
		{"strings", []string{"a", "\xff"}, `{"$[]string":["a","$base64:/w=="]}`},
		{"no strings", []string{}, `{"$[]string":[]}`},
		{"nil strings", []string(nil), `{"$[]string":null}`},
		{"slices of strings", [][]string{{"a"}, nil}, `{"$[][]string":[["a"],null]}`},
		{"bools", []bool{true, false}, `{"$[]bool":[true,false]}`},
		{"ints", []int{1, 2}, `{"$[]int":[1,2]}`},
		{"nil ints", []int(nil), `{"$[]int":null}`},
		{"int8s", []int8{1, -2}, `{"$[]int8":[1,-2]}`},
		{"int64s", []int64{1}, `{"$[]int64":[1]}`},
		{"uint64s", []uint64{1}, `{"$[]uint64":[1]}`},
		{"float32s", []float32{1.5}, `{"$[]float32":[1.5]}`},
		{"float64s", []float64{1, math.NaN()}, `{"$[]float64":[1,"NaN"]}`},
		{"complex64s", []complex64{1}, `{"$[]complex64":["(1+0i)"]}`},
		{"complex128s", []complex128{1i}, `{"$[]complex128":["(0+1i)"]}`},
		{"map of strings", map[string]string{"b": "2", "a": "1"}, `{"$map[string]string":{"a":"1","b":"2"}}`},
		{"map of strings not UTF-8", map[string]string{"\xff": "\xfe", "$base64:": ""}, `{"$map[string]string":{"$base64:/w==":"$base64:/g==","$base64:JGJhc2U2NDo=":""}}`},
		{"map with keys like tags", map[string]int{"$int": 1}, `{"$map[string]int":{"$int":1}}`},
		{"map of uint8", map[string]uint8{"a": 1}, `{"$map[string]uint8":{"a":1}}`},
		{"nil map of ints", map[string]int(nil), `{"$map[string]int":null}`},
		{"map of slices", map[string][]string{"a": {"b"}}, `{"$map[string][]string":{"a":["b"]}}`},
		{"slice of maps", []map[string]any{{"$int64": 1}, nil}, `{"$[]map[string]any":[{"$int64":1},null]}`},
		{"array", []any{1, "a", nil, int64(2), []any{}}, `[1,"a",null,{"$int64":2},[]]`},
		{"nil array", []any(nil), `{"$[]any":null}`},
		{"object", map[string]any{"b": []byte{0}, "a": map[string]any{}, "": 1}, `{"":1,"a":{},"b":{"$[]byte":"AA=="}}`},
		{"nil object", map[string]any(nil), `{"$map":null}`},
		{"object like a tagged value", map[string]any{"$int64": 5}, `{"$map":{"$int64":5}}`},
		{"object like an escaped object", map[string]any{"$map": map[string]any{"$map": 1}}, `{"$map":{"$map":{"$map":{"$map":1}}}}`},
		{"object with two such keys", map[string]any{"$int64": 5, "$x": 6}, `{"$map":{"$int64":5,"$x":6}}`},
		{"object with such a key behind others", map[string]any{" ": 5, "$x": 6}, `{"$map":{" ":5,"$x":6}}`},
		{"key not UTF-8", map[string]any{"\xff": 5}, `{"$map":{"$base64:/w==":5}}`},
		{"keys not UTF-8", map[string]any{"\xff": 5, "a": 1}, `{"$map":{"$base64:/w==":5,"a":1}}`},
		{"key like an escaped key", map[string]any{"$base64:": 5, "a": 1}, `{"$map":{"$base64:JGJhc2U2NDo=":5,"a":1}}`},
		{"time in UTC", time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), `{"$time":"2026-01-02T03:04:05.0000006Z"}`},
		{"time with an offset", time.Date(2026, 1, 2, 3, 4, 5, 0, zone), `{"$time":"2026-01-02T03:04:05+05:30"}`},
		{"time with the offset zero", time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 0)), `{"$time":"2026-01-02T03:04:05Z"}`},
		{"zero time", time.Time{}, `{"$time":"0001-01-01T00:00:00Z"}`},
		{"year 0", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), `{"$time":"0000-01-01T00:00:00Z"}`},
		{"times", []time.Time{{}}, `{"$[]time":["0001-01-01T00:00:00Z"]}`},
		{"pointer to time", &time.Time{}, `{"$*time":"0001-01-01T00:00:00Z"}`},
		{"pointer to int", ptr(3), `{"$*int":3}`},
		{"pointers to int", []*int{ptr(3), nil}, `{"$[]*int":[3,null]}`},
		{"duration", time.Hour + 2*time.Minute + 3*time.Second, `{"$duration":"1h2m3s"}`},
		{"smallest duration", time.Duration(math.MinInt64), `{"$duration":"-2562047h47m16.854775808s"}`},
		{"microseconds", 1050 * time.Nanosecond, `{"$duration":"1.05µs"}`},
		{"durations", []time.Duration{0}, `{"$[]duration":["0s"]}`},
		{"pointer to duration", ptr(time.Second), `{"$*duration":"1s"}`},

		{"struct", cart, `{"$typedjson.Cart":` + cartJSON + `}`},
		{"pointer to a struct", &cart, `{"$*typedjson.Cart":` + cartJSON + `}`},
		{"nil pointer", (*Cart)(nil), `{"$*typedjson.Cart":null}`},
		{"structs", []Cart{cart}, `{"$[]typedjson.Cart":[` + cartJSON + `]}`},
		{"nil structs", []Cart(nil), `{"$[]typedjson.Cart":null}`},
		{"no structs", []Cart{}, `{"$[]typedjson.Cart":[]}`},
		{"pointers to structs", []*Cart{&cart, nil}, `{"$[]*typedjson.Cart":[` + cartJSON + `,null]}`},
		{"map of structs", map[string]Cart{"$a": cart}, `{"$map[string]typedjson.Cart":{"$a":` + cartJSON + `}}`},
		{"nil map of structs", map[string]Cart(nil), `{"$map[string]typedjson.Cart":null}`},
		{"map of pointers to structs", map[string]*Cart{"b": nil, "a": &cart}, `{"$map[string]*typedjson.Cart":{"a":` + cartJSON + `,"b":null}}`},
		{"struct with tagged values", Cart{Extra: map[string]any{"$a": int8(1)}},
			`{"$typedjson.Cart":{"Count":0,"items":null,"notes":null,"Extra":{"$map":{"$a":{"$int8":1}}}}}`},
		{"struct with empty values", Cart{Items: []Item{}, Notes: map[string]string{}, Extra: []any{}},
			`{"$typedjson.Cart":{"Count":0,"items":[],"notes":{},"Extra":[]}}`},
		{"listed by pointer", Item{"a", 1.5}, `{"$typedjson.Item":{"SKU":"a","Price":"1.5"}}`},
		{"generic type", Box[int]{7}, `{"$typedjson.Box[int]":{"V":7}}`},
		{"named string", Role("admin"), `{"$typedjson.Role":"admin"}`},
		{"named strings", []Role{"a", "b"}, `{"$[]typedjson.Role":["a","b"]}`},
		{"pointer to named string", ptr(Role("admin")), `{"$*typedjson.Role":"admin"}`},
		{"named int8", Level(-3), `{"$typedjson.Level":-3}`},
		{"named uint8s", []Small{1, 2}, `{"$[]typedjson.Small":[1,2]}`},
		{"named bool", Flag(true), `{"$typedjson.Flag":true}`},
		{"named slice", Tags{"a"}, `{"$typedjson.Tags":["a"]}`},
		{"nil named slice", Tags(nil), `{"$typedjson.Tags":null}`},
		{"named map", Counts{"b": 1, "a": 2}, `{"$typedjson.Counts":{"a":2,"b":1}}`},
		{"named array", Grid{1, 2}, `{"$typedjson.Grid":[1,2]}`},
		{"named pointer", Pointer(&Cart{}), `{"$typedjson.Pointer":{"Count":0,"items":null,"notes":null,"Extra":null}}`},
		{"text by pointer", Lower{"abc"}, `{"$typedjson.Lower":"abc"}`},
		{"JSON by value", Temp{1.5}, `{"$typedjson.Temp":{"c":1.5}}`},
		{"JSON that is null", Maybe{}, `{"$typedjson.Maybe":null}`},
		{"struct with NaN", Box[float64]{math.NaN()}, `{"$typedjson.Box[float64]":{"V":"NaN"}}`},
		{"struct with an infinity", Box[float32]{float32(math.Inf(-1))}, `{"$typedjson.Box[float32]":{"V":"-Inf"}}`},
		{"struct with a complex number", Box[complex64]{1i}, `{"$typedjson.Box[complex64]":{"V":"(0+1i)"}}`},
		{"struct with a string not UTF-8", Box[string]{"\xff"}, `{"$typedjson.Box[string]":{"V":"$base64:/w=="}}`},
		{"struct with a string like an escaped one", Box[string]{"$base64:"}, `{"$typedjson.Box[string]":{"V":"$base64:JGJhc2U2NDo="}}`},
		{"struct with a map of any to any", Box[map[any]any]{map[any]any{"$a": int8(1)}}, `{"$typedjson.Box[map[interface {}]interface {}]":{"V":{"$a":{"$int8":1}}}}`},
		{"struct with a nil map of any to any", Box[map[any]any]{}, `{"$typedjson.Box[map[interface {}]interface {}]":{"V":null}}`},
		{"recursive", Tree{{}, nil, {{}}}, `{"$typedjson.Tree":[[],null,[[]]]}`},
		{"listed in listed", Node{Value: []any{&Node{}, Role("x")}},
			`{"$typedjson.Node":{"Next":null,"Value":[{"$*typedjson.Node":{"Next":null,"Value":null}},{"$typedjson.Role":"x"}]}}`},
	}
}

func TestValuesKeepTheirTypesAndForms(t *testing.T) {
	c := testCodec(t)
	for _, test := range formCases() {
		t.Run(test.name, func(t *testing.T) {
			in := map[any]any{"k": test.value}
			want := `{"k":` + test.json + `}`
			data, err := c.Encode(in)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != want {
				t.Errorf("Encode wrote\n%s, want\n%s", data, want)
			}
			if !json.Valid(data) {
				t.Errorf("encoding/json does not accept %s", data)
			}
			out, err := c.Decode(data)
			if err != nil {
				t.Fatalf("Decode(%s): %v", data, err)
			}
			if !equal(in, out) {
				t.Errorf("encoded %#v, decoded %#v", in, out)
			}
		})
	}
}

func everything() *Everything {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return &Everything{
		Embedded: Embedded{1}, B: true, I8: -1, U64: math.MaxUint64, F32: 0.1, S: "s", Raw: []byte("raw"),
		Arr: [3]int16{1, 2, 3}, BArr: [4]byte{1, 2}, Role: "r", At: at, AtP: &at, For: time.Second, ForP: ptr(time.Minute),
		Fors: map[time.Duration][]time.Duration{time.Hour: {1, 2}},
		Any:  map[string]any{"$x": uint8(1), "nan": math.NaN()}, Anys: []any{nil, 1.0, 1, "s\xff", int64(3), Role("r"), &Item{SKU: "a"}, []Item{}},
		Map:  map[string]any{"$int64": 1, "f": 2.0},
		Ints: map[int]string{-1: "a", 10: "b"}, Roles: map[Role][]Level{"r": {1}, "$": nil},
		Addrs: map[netip.Addr]bool{netip.MustParseAddr("::1"): true}, Times: map[time.Time]int{at: 1},
		PP: ptr(ptr(3)), Self: &Everything{},
		Lower: Lower{"l"}, LowP: &Lower{"p"}, Temp: Temp{1}, Big: big.NewInt(7),
		In: struct{ X, Y int }{1, 2},
	}
}

func TestFieldsOfEveryKind(t *testing.T) {
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
	if !equal(in, out) {
		again, _ := c.Encode(out)
		t.Errorf("encoded\n%s, decoded\n%s", data, again)
	}
	for _, part := range []string{`{"ID":1,`, `"For":"1s"`, `"Fors":{"1h0m0s":["1ns","2ns"]}`, `"AtP":"2026-01-02T03:04:05.000000006Z"`,
		`"Any":{"$map":{"$x":{"$uint8":1},"nan":{"$float64":"NaN"}}}`,
		`"Anys":[null,1.0,1,{"$string":"$base64:c/8="},{"$int64":3},{"$typedjson.Role":"r"},{"$*typedjson.Item":{"SKU":"a","Price":"0"}},{"$[]typedjson.Item":[]}]`,
		`"Map":{"$int64":1,"f":2.0}`, `"BArr":"AQIAAA=="`, `"Ints":{"-1":"a","10":"b"}`, `"Big":7`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s is not in %s", part, data)
		}
	}
}

// What the documentation says is lost inside of listed types.
func TestWhatListedTypesLose(t *testing.T) {
	type lossy struct {
		Empty  []int  `json:",omitempty"`
		NilP   **int  // to a nil pointer
		Slice  *[]int // to a nil slice
		Null   *Maybe // to a value that encodes as null
		Hidden int    `json:"-"`
	}
	c := mustNew(t, lossy{})
	data, err := c.Encode(map[any]any{"k": lossy{Empty: []int{}, NilP: new(*int), Slice: new([]int), Null: &Maybe{}, Hidden: 1}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Decode(data)
	if err != nil || !reflect.DeepEqual(out["k"], lossy{}) {
		t.Errorf("%s decodes as %#v, %v", data, out["k"], err)
	}
}

func TestSessionKeys(t *testing.T) {
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
			t.Errorf("key %q decodes as %v, %v", test.key, out, err)
		}
	}
	for _, none := range []map[any]any{nil, {}} {
		data, err := c.Encode(none)
		if err != nil || string(data) != "{}" {
			t.Errorf("no values: %s, %v", data, err)
		}
		if out, err := c.Decode(data); err != nil || out == nil || len(out) != 0 {
			t.Errorf("no values decode as %#v, %v", out, err)
		}
	}
}

// At the session level and in listed types, times come back as encoding/gob returns them, except
// that the offset zero is time.UTC.
func TestTimesKeepInstantAndOffset(t *testing.T) {
	c := mustNew(t, Box[time.Time]{})
	for _, at := range []time.Time{
		time.Now(), // with a monotonic clock
		time.Now().UTC(),
		time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("CEST", 2*3600)),
		time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("EST", -5*3600)),
		time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("GMT", 0)),
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
		if _, offset := want.Zone(); offset == 0 {
			want = want.UTC()
		}
		data, err := c.Encode(map[any]any{"k": at, "l": Box[time.Time]{at}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(out["k"], want) || !reflect.DeepEqual(out["l"], Box[time.Time]{want}) {
			t.Errorf("%v decodes as %#v and %#v, from gob as %#v", at, out["k"], out["l"], want)
		}
	}
}

// RFC 3339 has no form for such an offset, and would move the instant.
func TestTimesWithAnOddOffsetBecomeUTC(t *testing.T) {
	c := mustNew(t, Box[time.Time]{})
	for _, offset := range []int{1172, -(53*60 + 28), 24 * 3600, -24 * 3600, 100 * 3600} {
		at := time.Date(1890, 1, 2, 3, 4, 5, 6, time.FixedZone("", offset))
		data, err := c.Encode(map[any]any{"k": at, "l": Box[time.Time]{at}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Decode(data)
		if err != nil || !reflect.DeepEqual(out["k"], at.UTC()) || !reflect.DeepEqual(out["l"], Box[time.Time]{at.UTC()}) {
			t.Errorf("%v decodes as %v, %v", at, out, err)
		}
	}
}

// JSON that Encode would write otherwise.
func TestDecodeAcceptsOtherJSON(t *testing.T) {
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
		{`{"a":{"b":2,"$ref":1}}`, map[any]any{"a": map[string]any{"$ref": 1, "b": 2}}},
		{`{"a":{"\u0024int64":1}}`, map[any]any{"a": int64(1)}},
		{"{\"a\": { \t\r\n\"$int64\" : 1 } }", map[any]any{"a": int64(1)}},
		{`{"a":{"$map":{"b":1}}}`, map[any]any{"a": map[string]any{"b": 1}}},
		{`{"a":{"$typedjson.Cart":{"Count":3,"gone":{"x":[1,{"y":"}"}]},"items":[{"SKU":"a","SKU2":[]}],"coupon":"c"}}}`,
			map[any]any{"a": Cart{Count: 3, Items: []Item{{SKU: "a"}}, Coupon: ptr("c")}}},
		{`{"a":{"$typedjson.Item":{"Price":"3","SKU":null}}}`, map[any]any{"a": Item{Price: 3}}},
	} {
		out, err := c.Decode([]byte(test.json))
		if err != nil || !reflect.DeepEqual(out, test.want) {
			t.Errorf("%s\ndecodes as %#v, %v\nwant %#v", test.json, out, err, test.want)
		}
	}
}

func TestForeignJSON(t *testing.T) {
	c := testCodec(t)
	for _, test := range []struct {
		json string
		want map[any]any
	}{
		{`{}`, map[any]any{}},
		{` {"user":"ann","n":3,"x":1.5,"y":2.0,"l":[1,"a",null,true],"o":{"k":{}}} `,
			map[any]any{"user": "ann", "n": 3, "x": 1.5, "y": 2.0, "l": []any{1, "a", nil, true}, "o": map[string]any{"k": map[string]any{}}}},
		{`{"a":9223372036854775808,"b":1e400000000000000000000000000000000e}`, nil},
		{`{"a":9223372036854775808}`, map[any]any{"a": uint64(1 << 63)}},
		{`{"filter":{"$gt":5},"user":{"$oid":"507f"}}`, map[any]any{"filter": map[string]any{"$gt": 5}, "user": map[string]any{"$oid": "507f"}}},
		{`{"$user":"ann"}`, map[any]any{"$user": "ann"}},
		{`{"a":{"$time":"x"},"b":{"$map":{"$map":null}}}`,
			map[any]any{"a": map[string]any{"$time": "x"}, "b": map[string]any{"$map": map[string]any{"$map": nil}}}},
		{`{"$base64:!":{"$base64:/w==":1}}`, map[any]any{"$base64:!": map[string]any{"$base64:/w==": 1}}},
		{`{"a":{"$typedjson.Role":"r"}}`, map[any]any{"a": map[string]any{"$typedjson.Role": "r"}}},
	} {
		out, err := c.DecodeForeign([]byte(test.json))
		if test.want == nil {
			if err == nil {
				t.Errorf("%s decodes as %#v", test.json, out)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(out, test.want) {
			t.Errorf("%s\ndecodes as %#v, %v\nwant %#v", test.json, out, err, test.want)
			continue
		}
		// The next Save writes it.
		data, err := c.Encode(out)
		if err != nil {
			t.Errorf("Encode(%v): %v", out, err)
		} else if again, err := c.Decode(data); err != nil || !reflect.DeepEqual(again, test.want) {
			t.Errorf("%s was written as %s, which decodes as %#v, %v", test.json, data, again, err)
		}
	}
}

func TestTheOrderOfTypesDoesNotMatter(t *testing.T) {
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
			t.Errorf("the order changes %s to %s", first, data)
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

func TestDecodeDoesNotRetainItsInput(t *testing.T) {
	c := testCodec(t)
	for _, size := range []int{10, 64, 65, 4096} {
		text := strings.Repeat("x", size)
		want := map[any]any{"k": text, "b": []byte("bytes"), "r": Role(text), "m": map[string]any{text: []string{text}}}
		data, err := c.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		clear(data)
		if !reflect.DeepEqual(out, want) {
			t.Errorf("values of %d bytes changed with the input", size)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := testCodec(t)
	in := map[any]any{"e": &Everything{Any: uint8(1), At: time.Unix(0, 0).UTC()}, "l": []any{1, "a", map[string]any{"x": 1.5, "y": Tags{"t"}}}}
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
