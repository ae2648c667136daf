package storetest

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// What was put into a session comes out of the table, type for type.
func TestValuesKeepTheirTypes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 9, 30, 0, 123456789, time.FixedZone("", 3600))
	values := map[any]any{
		"string": "é\u0000", "not UTF-8": "gzip\x1f\x8b", "bool": true,
		"int": 1, "int8": int8(-8), "int16": int16(16), "int32": int32(32), "int64": int64(1) << 62,
		"uint": uint(1), "uint8": uint8(8), "uint16": uint16(16), "uint32": uint32(32), "uint64": uint64(math.MaxUint64), "uintptr": uintptr(7),
		"float32": float32(1.5), "float64": 3.0, "inf": math.Inf(-1), "complex64": complex64(1 + 2i), "complex128": 3 - 4i,
		"bytes": []byte("\x00\xff"), "strings": []string{"a", ""}, "ints": []int{1, 2}, "int64s": []int64{1}, "float64s": []float64{0.5}, "bools": []bool{true},
		"time": at, "duration": 90 * time.Second,
		"_flash": []any{"saved", 7, "again"}, "map": map[string]any{"a": 1, "b": []any{2.5}},
		"purchase": purchase{Items: []string{"tea"}}, "account": &account{Names: []string{"ann"}}, "nil": nil,
	}
	for _, codec := range []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{Types: []any{purchase{}, account{}}},
		&dynamostore.JSONCodec{Types: []any{&purchase{}, &account{}}},
		&dynamostore.GobCodec{},
	} {
		for _, dataType := range []dynamostore.DataType{dynamostore.Binary, dynamostore.String} {
			t.Run(fmt.Sprintf("%T, data type %d", codec, dataType), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec, c.DataType = codec, dataType })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { s.Values = maps.Clone(values) }); err != nil {
					t.Fatal(err)
				}
				got := b.values()
				for k, want := range values {
					if w, ok := want.(time.Time); ok {
						if g, ok := got[k].(time.Time); !ok || !g.Equal(w) || g.Format(time.RFC3339Nano) != w.Format(time.RFC3339Nano) {
							t.Errorf("%v is %v, want %v", k, got[k], want)
						}
					} else if !reflect.DeepEqual(got[k], want) {
						t.Errorf("%v is %T %v, want %T %v", k, got[k], got[k], want, want)
					}
				}
				if len(got) != len(values) {
					t.Errorf("%d values came back, want %d", len(got), len(values))
				}
				a.backend.Counts()
				if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
					t.Errorf("an unchanged Save = %v, and the cookies %v, want neither", err, cookies)
				}
				a.wantSent("GetItem")
			})
		}
	}
}

// What a codec cannot store is an error that names the key and tells what to do. Nothing is sent.
func TestWhatCodecsRefuse(t *testing.T) {
	t.Parallel()
	type unknown struct{ Secret string }
	ring := map[string]any{}
	ring["secret"] = ring
	list := []any{"secret", nil}
	list[1] = list
	json := dynamostore.JSONCodec{}
	for _, test := range []struct {
		name   string
		codec  dynamostore.Codec
		values map[any]any
		want   []string
	}{
		{"gob, unregistered", dynamostore.GobCodec{}, map[any]any{"cart": unknown{"secret"}, "ok": 1}, []string{`"cart"`, "gob.Register(storetest.unknown{})"}},
		{"gob, unregistered pointer", dynamostore.GobCodec{}, map[any]any{"cart": &unknown{"secret"}}, []string{`"cart"`, "gob.Register(&storetest.unknown{})"}},
		{"gob, unregistered in a list", dynamostore.GobCodec{}, map[any]any{"cart": []any{unknown{"secret"}}}, []string{`"cart"`, "gob.Register(storetest.unknown{})"}},
		{"gob, unregistered key", dynamostore.GobCodec{}, map[any]any{unknown{"secret"}: 1}, []string{"gob.Register(storetest.unknown{})"}},
		{"gob, nil pointer", dynamostore.GobCodec{}, map[any]any{"k": (*account)(nil)}, []string{`"k"`, "nil pointer"}},
		{"gob, func", dynamostore.GobCodec{}, map[any]any{"k": func() {}}, []string{`"k"`, "func()", "cannot be stored"}},
		{"gob, chan", dynamostore.GobCodec{}, map[any]any{"k": make(chan int)}, []string{`"k"`, "chan int", "cannot be stored"}},
		{"gob, an unexported error", dynamostore.GobCodec{}, map[any]any{"k": errors.New("secret")}, []string{`"k"`, "*errors.errorString", "cannot be stored"}},
		{"gob, a map that contains itself", dynamostore.GobCodec{}, map[any]any{"k": ring}, []string{"contains itself"}},
		{"gob, a list that contains itself", dynamostore.GobCodec{}, map[any]any{"k": list}, []string{"contains itself"}},
		{"gob, two keys", dynamostore.GobCodec{}, map[any]any{"a": func() {}, "b": unknown{"secret"}}, []string{`"a"`, `"b"`}},
		{"json, unlisted", json, map[any]any{"cart": unknown{"secret"}}, []string{`"cart"`, "storetest.unknown", "JSONCodec.Types"}},
		{"json, unlisted pointer", json, map[any]any{"cart": &unknown{"secret"}}, []string{`"cart"`, "storetest.unknown", "JSONCodec.Types"}},
		{"json, unlisted in a list", json, map[any]any{"cart": []any{unknown{"secret"}}}, []string{`"cart"`, "storetest.unknown", "JSONCodec.Types"}},
		{"json, key that is not a string", json, map[any]any{7: "secret"}, []string{"int", "string"}},
		{"json, func", json, map[any]any{"k": func() {}}, []string{`"k"`, "func()"}},
		{"json, chan", json, map[any]any{"k": make(chan int)}, []string{`"k"`, "chan int"}},
		{"json, a map that contains itself", json, map[any]any{"k": ring}, []string{"contains itself"}},
		{"json, a list that contains itself", json, map[any]any{"k": list}, []string{"contains itself"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Codec = test.codec })
			b := a.browser()
			wantRefusal := func(change func(*sessions.Session)) {
				t.Helper()
				cookies, err := b.with(change)
				for _, want := range test.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("Save's error %v does not say %q", err, want)
					}
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("error %q holds a value", err)
				}
				if len(cookies) != 0 {
					t.Errorf("Save set the cookies %v", cookies)
				}
			}
			wantRefusal(func(s *sessions.Session) { s.Values = test.values })
			a.wantSent()

			b.set("ok", true)
			before := a.item()
			wantRefusal(func(s *sessions.Session) { maps.Copy(s.Values, test.values) })
			a.wantSent("PutItem", "GetItem")
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("the item is %s\nwant it as it was: %s", itemsText(after), itemsText(before))
			}
		})
	}
}

// A gob may hold a type that this program does not register, as after a roll-back.
func TestGobOfAnUnregisteredType(t *testing.T) {
	t.Parallel()
	type later struct{ X int }
	gob.RegisterName("lateX", later{})
	data := bytes.ReplaceAll(encodeGob(t, map[any]any{"k": later{1}}), []byte("lateX"), []byte("lateY"))
	a := newApp(t)
	_, err := a.put("theID", dynamotest.Item{"data": dynamotest.B(data), "codec": dynamotest.S("gob")}).load()
	wantError(t, err, dynamostore.ErrUndecodable, "lateY")
	if err == nil || !strings.Contains(err.Error(), "gob.Register") {
		t.Errorf("Get's error %v does not say gob.Register", err)
	}
}

// The codecs work without a Store, too.
func TestCodecsWithoutAStore(t *testing.T) {
	t.Parallel()
	for _, codec := range []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{},
		dynamostore.JSONCodec{Types: []any{purchase{}}},
	} {
		data, err := codec.Encode(map[any]any{"k": int64(1)})
		if err != nil {
			t.Fatal(err)
		}
		values, err := codec.Decode(data)
		if err != nil || !reflect.DeepEqual(values, map[any]any{"k": int64(1)}) {
			t.Errorf("%s: Decode(Encode(...)) = %v, %v", codec.Name(), values, err)
		}
	}
	broken := dynamostore.JSONCodec{Types: []any{nil}}
	if _, err := broken.Encode(nil); err == nil {
		t.Error("Encode with a nil in Types returned no error")
	}
	if _, err := broken.Decode([]byte("{}")); err == nil {
		t.Error("Decode with a nil in Types returned no error")
	}
}

// rawCodec is a codec of an application's own: one string, as it is. Its errors quote what it does
// not take.
type rawCodec struct{}

func (rawCodec) Name() string { return "raw" }

func (rawCodec) Encode(values map[any]any) ([]byte, error) {
	s, ok := values["raw"].(string)
	if !ok || len(values) != 1 {
		return nil, errors.New("rawCodec: want one string")
	}
	return []byte(s), nil
}

func (rawCodec) Decode(data []byte) (map[any]any, error) {
	if strings.HasPrefix(string(data), "bad") {
		return nil, fmt.Errorf("cannot parse %q", data)
	}
	return map[any]any{"raw": string(data)}, nil
}

// An application's codec may quote the data in its errors. They are not passed on.
func TestCodecOfTheApplication(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = rawCodec{} })
	b := a.browser()
	b.set("raw", "v")
	wantCodec(t, a.item(), "raw")
	if got := b.values()["raw"]; got != "v" {
		t.Errorf("raw is %v, want v", got)
	}
	a.alter(dynamotest.Item{"data": dynamotest.B([]byte("bad secret"))})
	_, err := b.load()
	wantError(t, err, dynamostore.ErrUndecodable, "secret")
}

func wantCodec(t testing.TB, item dynamotest.Item, want string) {
	t.Helper()
	if got := attrText(item["codec"]); got != "S:"+want {
		t.Errorf("codec is %s, want S:%s", got, want)
	}
}

// maskedCodec is the application's own, though it embeds one of the Store's.
type maskedCodec struct{ dynamostore.GobCodec }

func (maskedCodec) Name() string { return "masked" }

func (c maskedCodec) Encode(values map[any]any) ([]byte, error) {
	data, err := c.GobCodec.Encode(values)
	return mask(data), err
}

func (c maskedCodec) Decode(data []byte) (map[any]any, error) { return c.GobCodec.Decode(mask(data)) }

func mask(data []byte) []byte {
	data = bytes.Clone(data)
	for i := range data {
		data[i] ^= 0x55
	}
	return data
}

func TestCodecThatEmbedsAnother(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = maskedCodec{} })
	b := a.browser()
	b.set("k", "secret")
	item := a.item()
	wantCodec(t, item, "masked")
	if strings.Contains(attrText(item["data"]), "secret") {
		t.Errorf("data is %q, want what the application's codec makes", attrText(item["data"]))
	}
	if got := b.values()["k"]; got != "secret" {
		t.Errorf("k is %v, want secret", got)
	}
}

// Changing the codec logs nobody out: the next Save writes a session by the new one.
func TestReadCodecs(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.store = a.open(dynamostore.Config{
		Table: a.cfg.Table, Codec: dynamostore.JSONCodec{}, ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}},
	}, keyA)
	a.wantSent("PutItem")
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Errorf("Save: %v", err)
	}
	a.wantSent("GetItem", "UpdateItem")
	wantCodec(t, a.item(), "json")
	a.store = a.open(dynamostore.Config{Table: a.cfg.Table, Codec: dynamostore.JSONCodec{}}, keyA)
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user is %v, want ann", got)
	}
}

// Of two codecs of one name, the second reads what the first does not.
func TestReadCodecOfTheSameName(t *testing.T) {
	t.Parallel()
	old := dynamostore.JSONCodec{Types: []any{account{}}}
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = old })
	b := a.browser()
	b.set("k", account{[]string{"ann"}})
	cfg := a.cfg
	cfg.Codec, cfg.ReadCodecs = dynamostore.JSONCodec{Types: []any{purchase{}}}, []dynamostore.Codec{old}
	a.store = a.open(cfg, keyA)
	if got := b.values()["k"]; !reflect.DeepEqual(got, account{[]string{"ann"}}) {
		t.Errorf("k is %v, want ann's account", got)
	}
}

// countingCodec counts its calls.
type countingCodec struct {
	dynamostore.Codec
	encoded *atomic.Int64
}

func (c countingCodec) Encode(values map[any]any) ([]byte, error) {
	c.encoded.Add(1)
	return c.Codec.Encode(values)
}

// hidden has its map in an unexported field, so that only its codec can copy it.
type hidden struct{ m map[string]int }

func (h hidden) GobEncode() ([]byte, error) { return fmt.Appendf(nil, "%v", h.m["n"]), nil }
func (h *hidden) GobDecode(data []byte) error {
	h.m = map[string]int{}
	h.m["n"] = int(data[0] - '0')
	return nil
}
func init() { gob.Register(hidden{}) }

// Save compares the values with those that were loaded, and encodes nothing for that.
func TestUnchangedSaveEncodesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(values map[any]any)
	}{
		{"scalar", func(v map[any]any) { v["n"] = 2 }},
		{"type of a scalar", func(v map[any]any) { v["n"] = int64(1) }},
		{"element of a list", func(v map[any]any) { v["list"].([]any)[1].(map[string]any)["a"] = 2 }},
		{"behind a pointer", func(v map[any]any) { v["account"].(*account).Names[0] = "bob" }},
		{"key taken out", func(v map[any]any) { delete(v, "n") }},
		{"nil for a list", func(v map[any]any) { v["list"] = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var encoded atomic.Int64
			a := newApp(t, func(c *dynamostore.Config) { c.Codec = countingCodec{dynamostore.GobCodec{}, &encoded} })
			b := a.browser()
			if _, err := b.with(func(s *sessions.Session) {
				s.Values["n"], s.Values["list"], s.Values["account"] = 1, []any{"x", map[string]any{"a": 1}}, &account{Names: []string{"ann"}}
			}); err != nil {
				t.Fatal(err)
			}
			a.backend.Counts()
			encoded.Store(0)
			if _, err := b.with(func(*sessions.Session) {}); err != nil {
				t.Errorf("Save: %v", err)
			}
			if got := encoded.Load(); got != 0 {
				t.Errorf("an unchanged Save encoded the session %d times", got)
			}
			a.wantSent("GetItem")
			var want map[any]any
			if _, err := b.with(func(s *sessions.Session) { test.change(s.Values); want = s.Values }); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.wantSent("GetItem", "UpdateItem")
			if got := b.values(); !reflect.DeepEqual(got, want) {
				t.Errorf("the values are %v, want %v", got, want)
			}
		})
	}
	t.Run("type that cannot be cloned", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("hidden", hidden{map[string]int{"n": 1}})
		a.backend.Counts()
		if _, err := b.with(func(*sessions.Session) {}); err != nil {
			t.Errorf("Save: %v", err)
		}
		if _, err := b.with(func(s *sessions.Session) { s.Values["hidden"].(hidden).m["n"] = 2 }); err != nil {
			t.Errorf("Save: %v", err)
		}
		if got := b.values()["hidden"].(hidden).m["n"]; got != 2 {
			t.Errorf("n is %v, want 2", got)
		}
	})
}

// encoding/gob writes maps in any order, and numbers types by its process: another instance's
// session that did not change is not written again.
func TestUnchangedGobIsNotRewritten(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]map[any]any{
		"plain values":                     {"_flash": []any{"saved"}},
		"with a type of the application's": {"purchase": purchase{Items: []string{"tea"}}, "_flash": []any{"saved", map[string]int{"a": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[any]any{"user": "ann", "n": 7, "at": time.Unix(1, 0).UTC(), "list": []any{1, "a"}}
			maps.Copy(values, more)
			a := newApp(t)
			b := a.browser()
			if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, values) }); err != nil {
				t.Fatal(err)
			}
			a.alter(dynamotest.Item{"data": dynamotest.B(encodeGob(t, values))})
			a.wantSent("PutItem")
			if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
				t.Errorf("Save of an unchanged session = %v, and the cookies %v, want neither", err, cookies)
			}
			a.wantSent("GetItem")
			b.set("n", 8)
			a.wantSent("GetItem", "UpdateItem")
			values["n"] = 8
			if got := b.values(); !reflect.DeepEqual(got, values) {
				t.Errorf("the values are %v, want %v", got, values)
			}
		})
	}
}

// An older version of the application wrote the session, when the type had a field less.
func TestUnchangedJSONIsNotRewrittenWhereATypeGainedAField(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = dynamostore.JSONCodec{Types: []any{purchase{}}} })
	b := a.browser()
	b.set("cart", purchase{})
	const before = `{"cart":{"$storetest.purchase":{}}}`
	if now := attrText(a.item()["data"]); now == "B:"+before {
		t.Fatalf("data is %s, which has no field to gain", now)
	}
	a.alter(dynamotest.Item{"data": dynamotest.B([]byte(before))})
	a.backend.Counts()
	if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
		t.Errorf("Save of an unchanged session = %v, and the cookies %v, want neither", err, cookies)
	}
	a.wantSent("GetItem")
	b.set("cart", purchase{Items: []string{"tea"}})
	a.wantSent("GetItem", "UpdateItem")
}

func FuzzGobCodec(f *testing.F) {
	f.Add([]byte(gobWithSliceKey))
	f.Add(encodeGob(f, map[any]any{"user": "ann", "n": 1, "l": []any{"x", 2.5}, 3: []byte("x")}))
	f.Add(encodeGob(f, map[any]any{}))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if values, err := (dynamostore.GobCodec{}).Decode(data); err == nil && values == nil {
			t.Error("Decode returned neither values nor an error")
		}
	})
}

func FuzzJSONCodec(f *testing.F) {
	codec := dynamostore.JSONCodec{Types: []any{purchase{}, &account{}}}
	f.Add([]byte(`{"user":"ann","n":1,"f":1.0,"t":{"$time":"2026-11-24T09:30:00Z"},"c":{"$storetest.purchase":{"Items":["tea"]}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := codec.Decode(data)
		if err != nil {
			return
		}
		if _, err := codec.Encode(values); err != nil {
			t.Errorf("Encode of what Decode returned: %v", err)
		}
	})
}

// The error of Save for a value that contains itself names the key.
func TestErrorOfACycleNamesTheKey(t *testing.T) {
	t.Parallel()
	list := []any{nil}
	list[0] = list
	for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
		a := newApp(t, func(c *dynamostore.Config) { c.Codec = codec })
		_, err := a.browser().with(func(s *sessions.Session) { s.Values["friends"] = list })
		if err == nil || !strings.Contains(err.Error(), `"friends"`) {
			t.Errorf("%s: Save's error %v does not name the key", codec.Name(), err)
		}
	}
}

// In JSON that another store wrote, $ means nothing.
func TestForeignJSONKeepsKeysWithADollar(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = dynamostore.JSONCodec{Types: []any{purchase{}}} })
	b := a.put("theID", dynamotest.Item{"data": dynamotest.S(`{"price":{"$":5},"ref":{"$ref":"x"},"at":{"$time":"noon"},"$top":1,"cart":{"$storetest.purchase":{"Items":["tea"]}}}`)})
	want := map[any]any{
		"price": map[string]any{"$": 5}, "ref": map[string]any{"$ref": "x"}, "at": map[string]any{"$time": "noon"}, "$top": 1,
		"cart": map[string]any{"$storetest.purchase": map[string]any{"Items": []any{"tea"}}},
	}
	if got := b.values(); !reflect.DeepEqual(got, want) {
		t.Errorf("the values are %v, want %v", got, want)
	}
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Errorf("Save: %v", err)
	}
	if got := b.values(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a Save, the values are %v, want %v", got, want)
	}
}

// A listed type may be stored by value and by pointer, in slices, and in maps whose keys are strings.
func TestJSONCodecTakesContainersOfListedTypes(t *testing.T) {
	t.Parallel()
	tea := purchase{Items: []string{"tea"}}
	values := map[any]any{
		"value": tea, "pointer": &tea, "slice": []purchase{tea}, "pointers": []*purchase{&tea},
		"map": map[string]purchase{"a": tea}, "map of pointers": map[string]*purchase{"a": &tea}, "strings": map[string]string{"a": "b"},
		"ints": map[string]int{"a": 1},
	}
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = dynamostore.JSONCodec{Types: []any{purchase{}}} })
	b := a.browser()
	if _, err := b.with(func(s *sessions.Session) { s.Values = values }); err != nil {
		t.Fatal(err)
	}
	if got := b.values(); !reflect.DeepEqual(got, values) {
		t.Errorf("the values are %v, want %v", got, values)
	}
}
