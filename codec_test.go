package dynamostore_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// What was put into a session comes out, type for type, through the table.
func TestValuesKeepTheirTypes(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 30, 0, 123456789, time.FixedZone("", 3600))
	values := map[any]any{
		"string": "é\u0000", "latin1": "gzip\x1f\x8b", "bool": true,
		"int": 1, "int8": int8(-8), "int16": int16(16), "int32": int32(32), "int64": int64(1) << 62,
		"uint": uint(1), "uint8": uint8(8), "uint16": uint16(16), "uint32": uint32(32), "uint64": uint64(math.MaxUint64), "uintptr": uintptr(7),
		"float32": float32(1.5), "float64": 3.0, "inf": math.Inf(-1), "complex64": complex64(1 + 2i), "complex128": 3 - 4i,
		"bytes": []byte("\x00\xff"), "strings": []string{"a", ""}, "ints": []int{1, 2}, "int64s": []int64{1}, "float64s": []float64{0.5}, "bools": []bool{true},
		"time": at, "duration": 90 * time.Second,
		"_flash": []any{"saved", 7, "again"}, "cart": cart{Items: []string{"tea"}}, "basket": &basket{Items: []string{"milk"}}, "nil": nil,
	}
	for _, codec := range []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{Types: []any{cart{}, &cart{}, basket{}}},
	} {
		for _, dataType := range []dynamostore.DataType{dynamostore.Binary, dynamostore.String} {
			t.Run(fmt.Sprintf("%s, data type %d", codec.Name(), dataType), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec, c.DataType = codec, dataType })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { s.Values = values }); err != nil {
					t.Fatal(err)
				}
				got := b.values()
				for k, want := range values {
					if w, ok := want.(time.Time); ok {
						if g, ok := got[k].(time.Time); !ok || !g.Equal(w) || g.Format(time.RFC3339Nano) != w.Format(time.RFC3339Nano) {
							t.Errorf("%v = %v, want %v", k, got[k], want)
						}
					} else if !reflect.DeepEqual(got[k], want) {
						t.Errorf("%v = %T %v, want %T %v", k, got[k], got[k], want, want)
					}
				}
				if len(got) != len(values) {
					t.Errorf("%d values came back, want %d", len(got), len(values))
				}
			})
		}
	}
}

func TestWhatCodecsRefuse(t *testing.T) {
	type unknown struct{ Secret string }
	for _, test := range []struct {
		name   string
		codec  dynamostore.Codec
		values map[any]any
		want   []string
	}{
		{"gob, unregistered", dynamostore.GobCodec{}, map[any]any{"cart": unknown{"secret"}, "ok": 1}, []string{`"cart"`, "gob.Register(dynamostore_test.unknown{})"}},
		{"gob, unregistered key", dynamostore.GobCodec{}, map[any]any{unknown{"secret"}: 1}, []string{"gob.Register(dynamostore_test.unknown{})"}},
		{"gob, nil pointer", dynamostore.GobCodec{}, map[any]any{"k": (*basket)(nil)}, []string{`"k"`, "nil pointer"}},
		{"gob, function", dynamostore.GobCodec{}, map[any]any{"k": func() {}}, []string{`"k"`, "func()"}},
		{"json, unlisted", dynamostore.JSONCodec{}, map[any]any{"cart": unknown{"secret"}}, []string{`"cart"`, "dynamostore_test.unknown", "JSONCodec.Types"}},
		{"json, unlisted pointer", dynamostore.JSONCodec{}, map[any]any{"cart": &unknown{"secret"}}, []string{`"cart"`, "dynamostore_test.unknown", "JSONCodec.Types"}},
		{"json, key that is no string", dynamostore.JSONCodec{}, map[any]any{7: "secret"}, []string{"int", "string"}},
		{"json, function", dynamostore.JSONCodec{}, map[any]any{"k": func() {}}, []string{`"k"`, "func()"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Codec = test.codec })
			b := a.browser()
			cookies, err := b.with(func(s *sessions.Session) { s.Values = test.values })
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Save's error %v does not say %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q holds a value", err)
			}
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			a.sent()

			// A session that is there is left as it is.
			b.set("ok", true)
			before := a.item()
			if _, err := b.with(func(s *sessions.Session) {
				for k, v := range test.values {
					s.Values[k] = v
				}
			}); err == nil {
				t.Error("Save of what the codec refuses returned no error")
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// gob tells of a type that this program does not register, as after a roll-back.
func TestGobOfAnUnknownTypeSaysWhatToDo(t *testing.T) {
	type later struct{ X int }
	gob.RegisterName("lateX", later{})
	data, err := dynamostore.GobCodec{}.Encode(map[any]any{"k": later{1}})
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.ReplaceAll(string(data), "lateX", "lateY"))
	_, err = dynamostore.GobCodec{}.Decode(data)
	if err == nil || !strings.Contains(err.Error(), "gob.Register") || strings.Contains(err.Error(), "lateY") {
		t.Errorf("Decode's error = %v, want one that says gob.Register and quotes nothing", err)
	}
}

// The codecs work without a Store, too.
func TestCodecsByThemselves(t *testing.T) {
	for _, codec := range []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{},
		dynamostore.JSONCodec{Types: []any{cart{}}},
	} {
		data, err := codec.Encode(map[any]any{"k": int64(1)})
		if err != nil {
			t.Fatal(err)
		}
		values, err := codec.Decode(data)
		if err != nil || values["k"] != int64(1) {
			t.Errorf("%s: Decode(Encode(...)) = %v, %v", codec.Name(), values, err)
		}
	}
	broken := dynamostore.JSONCodec{Types: []any{nil}}
	if _, err := broken.Encode(nil); err == nil {
		t.Error("Encode with a nil in Types: no error")
	}
	if _, err := broken.Decode([]byte("{}")); err == nil {
		t.Error("Decode with a nil in Types: no error")
	}
}

// A user's codec plugs in. Its decoding errors, which may quote the data, are not passed on.
func TestCodecOfAUsersOwn(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = quotingCodec{} })
	b := a.browser()
	b.set("raw", "v")
	if got := render(a.item()["codec"]); got != "S:raw" {
		t.Errorf("codec = %s, want S:raw", got)
	}
	if got := b.values()["raw"]; got != "v" {
		t.Errorf("raw = %v, want v", got)
	}
	a.alter(dynamotest.Item{"data": dynamotest.B([]byte("bad secret"))})
	_, err := b.load()
	is(t, err, dynamostore.ErrUndecodable, "secret")
}

type quotingCodec struct{ rawCodec }

func (c quotingCodec) Decode(data []byte) (map[any]any, error) {
	if strings.HasPrefix(string(data), "bad") {
		return nil, fmt.Errorf("cannot parse %q", data)
	}
	return c.rawCodec.Decode(data)
}

// A gob that no Encode wrote: its first key is a slice.
const gobWithSliceKey = "\r\x7f\x04\x01\x02\xff0\x00\x01\x10\x01\x10\x00\x000\xff\x80\x000\a[]uint8\n0\x00\x040000\x00" +
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

// rot is the application's own, though it embeds one of this package's.
type rot struct{ dynamostore.GobCodec }

func (rot) Name() string { return "rot" }

func (c rot) Encode(values map[any]any) ([]byte, error) {
	data, err := c.GobCodec.Encode(values)
	return turned(data), err
}

func (c rot) Decode(data []byte) (map[any]any, error) { return c.GobCodec.Decode(turned(data)) }

func turned(data []byte) []byte {
	data = bytes.Clone(data)
	for i := range data {
		data[i] ^= 0x55
	}
	return data
}

func TestCodecThatEmbedsAnother(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = rot{} })
	b := a.browser()
	b.set("k", "secret")
	item := a.item()
	if got := render(item["codec"]); got != "S:rot" || strings.Contains(render(item["data"]), "secret") {
		t.Errorf("the item is %v, want what the application's codec makes", item)
	}
	if got := b.values()["k"]; got != "secret" {
		t.Errorf("k = %v", got)
	}
}

// Two codecs of one name: the second reads what the first does not.
func TestReadCodecOfTheSameName(t *testing.T) {
	old := dynamostore.JSONCodec{Types: []any{basket{}}}
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = old })
	b := a.browser()
	b.set("k", basket{})
	cfg := a.cfg
	cfg.Codec, cfg.ReadCodecs = dynamostore.JSONCodec{Types: []any{cart{}}}, []dynamostore.Codec{old}
	a.store = a.open(cfg, keyA)
	if _, err := b.load(); err != nil {
		t.Error(err)
	}
}

func FuzzGobCodec(f *testing.F) {
	f.Add([]byte(gobWithSliceKey))
	f.Add(gobOf(f, map[any]any{"user": "ann", "n": 1, "l": []any{"x", 2.5}, 3: []byte("x")}))
	f.Add(gobOf(f, map[any]any{}))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := dynamostore.GobCodec{}.Decode(data)
		if err == nil && values == nil {
			t.Error("Decode returned neither values nor an error")
		}
	})
}

func FuzzJSONCodec(f *testing.F) {
	codec := dynamostore.JSONCodec{Types: []any{cart{}, &basket{}}}
	f.Add([]byte(`{"user":"ann","n":1,"f":1.0,"t":{"$time":"2026-11-24T09:30:00Z"},"c":{"$dynamostore_test.cart":{"Items":["tea"]}}}`))
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

// FuzzCookie loads and saves with arbitrary cookies.
func FuzzCookie(f *testing.F) {
	store, err := dynamostore.New(&dynamotest.Fixed{}, dynamostore.Config{}, keyA)
	if err != nil {
		f.Fatal(err)
	}
	good := signed(f, strings.Repeat("A", 52), keyA)
	f.Add(good)
	f.Add(good[1:])
	f.Add("")
	f.Add(strings.Repeat("=", 5000))
	f.Fuzz(func(t *testing.T, cookie string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookieName+"="+cookie)
		session, err := store.Get(r, cookieName)
		if session == nil || !session.IsNew || session.ID != "" {
			t.Fatalf("Get = %+v, %v, want a new session", session, err)
		}
		if err != nil && cookie != "" && cookie != good && len(cookie) > 8 && strings.Contains(err.Error(), cookie) {
			t.Errorf("error %q holds the cookie", err)
		}
		session.Options.MaxAge = -1
		w := httptest.NewRecorder()
		if err := store.Save(r, w, session); err == nil && w.Header().Get("Set-Cookie") == "" {
			t.Error("logout took no cookie away")
		}
	})
}

// What encoding/gob wrote, which has maps in any order and types by ids of its process, is compared by value: a
// session that another instance or an older version wrote is not written again unless it changed.
func TestUnchangedGobIsNotRewrittenWhoeverWroteIt(t *testing.T) {
	values := map[any]any{
		"user": "ann", "n": 7, "at": time.Unix(1, 0).UTC(), "_flash": []any{"saved", map[string]int{"a": 1}},
		"cart": cart{Items: []string{"tea"}}, "list": []any{1, "a"},
	}
	for _, name := range []string{"plain values", "with a type of the application's"} {
		t.Run(name, func(t *testing.T) {
			if name == "plain values" {
				delete(values, "cart")
				values["_flash"] = []any{"saved"}
			} else {
				values["cart"] = cart{Items: []string{"tea"}}
			}
			a := newApp(t)
			b := a.browser()
			if _, err := b.with(func(s *sessions.Session) { s.Values = values }); err != nil {
				t.Fatal(err)
			}
			data, err := dynamostore.GobCodec{}.Encode(values)
			if err != nil {
				t.Fatal(err)
			}
			a.alter(dynamotest.Item{"data": dynamotest.B(data)})
			a.sent("PutItem")
			if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
				t.Errorf("Save of an unchanged session set %d cookies: %v", len(cookies), err)
			}
			a.sent("GetItem")
			b.set("n", 8)
			a.sent("GetItem", "UpdateItem")
			if got := b.values(); got["n"] != 8 || got["user"] != "ann" {
				t.Errorf("the session is %v", got)
			}
		})
	}
}

// An older version of the application wrote the session, whose type had a field less.
func TestUnchangedJSONIsNotRewrittenWhereATypeGainedAField(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = dynamostore.JSONCodec{Types: []any{cart{}}} })
	b := a.browser()
	b.set("cart", cart{})
	now := render(a.item()["data"])
	before := `{"cart":{"$dynamostore_test.cart":{}}}`
	if now == "B:"+before {
		t.Fatalf("data is %s, which has no field to gain", now)
	}
	a.alter(dynamotest.Item{"data": dynamotest.B([]byte(before))})
	a.backend.Counts()
	if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
		t.Errorf("Save of an unchanged session set %d cookies: %v", len(cookies), err)
	}
	a.sent("GetItem")
	b.set("cart", cart{Items: []string{"tea"}})
	a.sent("GetItem", "UpdateItem")
}
