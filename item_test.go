package dynamostore_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/envelope"
)

// gobOf is what gorilla's stores, and others, write.
func gobOf(t testing.TB, values map[any]any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(values); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whatever names and keys the Config asks for, sessions live, and the table is as it says.
func TestItemForms(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		want map[string]string // attribute: type and beginning of its content
	}{
		{"names", dynamostore.Config{KeyAttribute: "pk", DataAttribute: "blob", ExpiresAttribute: "ttl"},
			map[string]string{"pk": "S:", "blob": "B:", "ttl": "N:", "codec": "S:gob"}},
		{"names that DynamoDB reserves", dynamostore.Config{KeyAttribute: "key", DataAttribute: "values", ExpiresAttribute: "ttl", SortKeyAttribute: "range", SortKeyValue: "x"},
			map[string]string{"key": "S:", "values": "B:", "ttl": "N:", "range": "S:x"}},
		{"names that no expression takes", dynamostore.Config{KeyAttribute: "a b", DataAttribute: "#data", ExpiresAttribute: "é.[0]"},
			map[string]string{"a b": "S:", "#data": "B:", "é.[0]": "N:"}},
		{"prefix", dynamostore.Config{KeyPrefix: "shop/"}, map[string]string{"id": "S:shop/"}},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION"},
			map[string]string{"id": "S:", "sk": "S:SESSION"}},
		{"text", dynamostore.Config{DataType: dynamostore.String, Codec: dynamostore.JSONCodec{}},
			map[string]string{"data": `S:{"user":"ann"}`, "codec": "S:json"}},
		{"bytes as text", dynamostore.Config{DataType: dynamostore.String},
			map[string]string{"data": "S:", "codec": "S:gob+base64"}},
		{"text in a binary attribute", dynamostore.Config{Codec: dynamostore.JSONCodec{}},
			map[string]string{"data": `B:{"user":"ann"}`, "codec": "S:json"}},
		{"an ID of one's own", dynamostore.Config{NewID: func() string { return "mine" }}, map[string]string{"id": "S:mine"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			b := a.browser()
			b.set("user", "ann")
			item := a.item()
			for name, want := range test.want {
				if got := render(item[name]); !strings.HasPrefix(got, want) {
					t.Errorf("attribute %q = %s, want %s", name, got, want)
				}
			}
			if got := b.values()["user"]; got != "ann" {
				t.Errorf("user = %v, want ann", got)
			}
			a.sent("PutItem", "GetItem")
			if _, err := b.with(func(*sessions.Session) {}); err != nil {
				t.Errorf("unchanged Save: %v", err)
			}
			a.sent("GetItem")
			b.set("user", "bob")
			a.sent("GetItem", "UpdateItem")
			if got := b.values()["user"]; got != "bob" {
				t.Errorf("user = %v, want bob", got)
			}
			b.logout()
			a.empty()
		})
	}
}

func TestHashIDs(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.HashIDs = true; c.KeyPrefix = "p-" })
	b := a.browser()
	b.set("user", "ann")
	session, err := b.load()
	if err != nil || session.Values["user"] != "ann" {
		t.Fatalf("Get = %+v, %v", session, err)
	}
	if key := render(a.item()["id"]); len(key) != len("S:p-")+64 {
		t.Errorf("key = %s, want the prefix and a SHA-256 in hexadecimal", key)
	}
	for name, v := range a.item() {
		if strings.Contains(render(v), session.ID) {
			t.Errorf("attribute %q holds the session's ID", name)
		}
	}
	b.logout()
	a.empty()
}

// Items of other stores load, and are this Store's from the first Save on.
func TestForeignItemIsTakenOver(t *testing.T) {
	values := map[any]any{"user": "ann"}
	inAnHour := dynamotest.N(inSeconds(time.Hour))
	text := base64.StdEncoding.EncodeToString(gobOf(t, values))
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		item dynamotest.Item
	}{
		{"gob in a binary attribute", dynamostore.Config{},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "expires": inAnHour}},
		{"without expires", dynamostore.Config{},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, values))}},
		{"gob in base64", dynamostore.Config{DataAttribute: "session", ExpiresAttribute: "ttl"},
			dynamotest.Item{"session": dynamotest.S(text), "ttl": inAnHour}},
		{"JSON as text, read by a further codec", dynamostore.Config{ReadCodecs: []dynamostore.Codec{dynamostore.JSONCodec{}}},
			dynamotest.Item{"data": dynamotest.S(`{"user":"ann"}`), "expires": inAnHour}},
		{"version is a number", dynamostore.Config{},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "version": dynamotest.N("7"), "expires": inAnHour}},
		{"version is a list", dynamostore.Config{},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "version": &types.AttributeValueMemberL{Value: []types.AttributeValue{dynamotest.S("x")}}}},
		{"version is a string", dynamostore.Config{},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "version": dynamotest.S("v1")}},
		{"every other attribute of another type", dynamostore.Config{},
			dynamotest.Item{
				"data": dynamotest.B(gobOf(t, values)), "codec": dynamotest.N("1"), "prior": dynamotest.B([]byte("x")), "created": dynamotest.S("yesterday"),
				"max_age": dynamotest.S("60"), "moved": dynamotest.S("no"), "user": dynamotest.N("7"), "lock": dynamotest.N("1"), "lock_until": dynamotest.S("x"),
			}},
		{"absurd numbers", dynamostore.Config{},
			dynamotest.Item{
				"data": dynamotest.B(gobOf(t, values)), "codec": dynamotest.S("gob"), "version": dynamotest.S("v"), "expires": dynamotest.N("1e100"),
				"created": dynamotest.N("-1e100"), "max_age": dynamotest.N("-5"),
			}},
		{"another type of data attribute", dynamostore.Config{DataType: dynamostore.String},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "codec": dynamotest.S("gob"), "version": dynamotest.S("v"), "expires": inAnHour, "created": dynamotest.N("1")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			b := a.put("foreign", test.item)
			session, err := b.load()
			if err != nil || session.IsNew || session.ID != "foreign" || !reflect.DeepEqual(session.Values, values) {
				t.Fatalf("Get = %+v, %v, want the other store's session", session, err)
			}
			a.sent("GetItem")
			cookies, err := b.with(func(*sessions.Session) {}) // the first Save takes it over, changed or not
			if err != nil || len(cookies) != 1 {
				t.Errorf("Save = %v, and cookies %v, want the cookie", err, cookies)
			}
			a.sent("GetItem", "UpdateItem")
			item := a.item()
			data, expires := "data", "expires"
			if test.cfg.DataAttribute != "" {
				data, expires = test.cfg.DataAttribute, test.cfg.ExpiresAttribute
			}
			want := "B:"
			if test.cfg.DataType == dynamostore.String {
				want = "S:"
			}
			if got := render(item[data]); !strings.HasPrefix(got, want) {
				t.Errorf("data = %s, want type %s", got, want)
			}
			if got := render(item["version"]); len(got) != len("S:")+26 {
				t.Errorf("version = %s, want one of this Store's", got)
			}
			if got := render(item["codec"]); !strings.HasPrefix(got, "S:gob") {
				t.Errorf("codec = %s, want S:gob", got)
			}
			about(t, "expires", numberOf(t, item, expires), time.Now().Add(30*24*time.Hour))
			if created := numberOf(t, item, "created"); created != 1 {
				about(t, "created", created, time.Now())
			}
			if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
				t.Errorf("a later Save = %v, and cookies %v, want neither", err, cookies)
			}
			a.sent("GetItem")
			b.set("user", "bob")
			if got := b.values(); len(got) != 1 || got["user"] != "bob" {
				t.Errorf("values = %v", got)
			}
		})
	}
}

// Another store may still be writing.
func TestForeignItemChangedMeanwhileIsAConflict(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after dynamotest.Item
	}{
		{"its data",
			dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1}))},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 2}))}},
		{"its version",
			dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1})), "version": dynamotest.N("1")},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1})), "version": dynamotest.N("2")}},
		{"it was taken over",
			dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1}))},
			dynamotest.Item{"data": dynamotest.B(gobOf(t, map[any]any{"n": 1})), "version": dynamotest.S("v")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Refuse })
			b := a.put("foreign", test.before)
			var after dynamotest.Item
			_, err := b.with(func(s *sessions.Session) {
				a.alter(test.after)
				after = a.item()
				s.Values["n"] = 3
			})
			is(t, err, dynamostore.ErrConflict)
			if got := a.item(); !reflect.DeepEqual(got, after) {
				t.Errorf("item = %v, want the other store's %v", got, after)
			}
		})
	}
}

// Changing the codec logs nobody out.
func TestReadCodecs(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.store = a.open(dynamostore.Config{
		Table: a.cfg.Table, Codec: dynamostore.JSONCodec{}, ReadCodecs: []dynamostore.Codec{dynamostore.GobCodec{}},
	}, keyA)
	a.sent("PutItem")
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Errorf("Save: %v", err)
	}
	a.sent("GetItem", "UpdateItem")
	if got := render(a.item()["codec"]); got != "S:json" {
		t.Errorf("codec = %s after a Save, want S:json", got)
	}
	a.store = a.open(dynamostore.Config{Table: a.cfg.Table, Codec: dynamostore.JSONCodec{}}, keyA)
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v, want ann", got)
	}
}

func TestUndecodableItems(t *testing.T) {
	good := gobOf(t, map[any]any{"user": "ann"})
	for _, test := range []struct {
		name string
		item dynamotest.Item
		says string
	}{
		{"no data", dynamotest.Item{}, `no attribute "data"`},
		{"data is a number", dynamotest.Item{"data": dynamotest.N("1")}, `"data" is neither binary (B) nor a string (S)`},
		{"data is a map", dynamotest.Item{"data": &types.AttributeValueMemberM{Value: dynamotest.Item{"secret": dynamotest.S("x")}}}, `"data" is neither`},
		{"expires is a string", dynamotest.Item{"data": dynamotest.B(good), "expires": dynamotest.S("secret")}, `"expires" is not a number (N)`},
		{"a tombstone by a wrong type", dynamotest.Item{"moved": dynamotest.S("secret")}, `no attribute "data"`},
		{"no gob", dynamotest.Item{"data": dynamotest.B([]byte("secret")), "codec": dynamotest.S("gob")}, "not a gob"},
		{"half a gob", dynamotest.Item{"data": dynamotest.B(good[:len(good)/2]), "codec": dynamotest.S("gob")}, "not a gob"},
		{"a gob of something else", dynamotest.Item{"data": dynamotest.B(gobOfAny(t, []string{"secret"})), "codec": dynamotest.S("gob")}, "not a gob"},
		{"a gob with a slice for a key", dynamotest.Item{"data": dynamotest.B([]byte(gobWithSliceKey)), "codec": dynamotest.S("gob")}, "not a gob"},
		{"no JSON", dynamotest.Item{"data": dynamotest.B([]byte("secret")), "codec": dynamotest.S("json")}, ""},
		{"half of JSON", dynamotest.Item{"data": dynamotest.B([]byte(`{"user":"secret`)), "codec": dynamotest.S("json")}, ""},
		{"JSON of something else", dynamotest.Item{"data": dynamotest.S(`["secret"]`), "codec": dynamotest.S("json")}, ""},
		{"JSON with an unlisted type", dynamotest.Item{"data": dynamotest.S(`{"user":{"$secret.T":{}}}`), "codec": dynamotest.S("json")}, "Types"},
		{"an unknown codec", dynamotest.Item{"data": dynamotest.B(good), "codec": dynamotest.S("secret")}, "Config.ReadCodecs"},
		{"an unknown step", dynamotest.Item{"data": dynamotest.B(good), "codec": dynamotest.S("gob+secret")}, "step"},
		{"no base64", dynamotest.Item{"data": dynamotest.S("secret!"), "codec": dynamotest.S("gob+base64")}, "base64"},
		{"nobody's", dynamotest.Item{"data": dynamotest.B([]byte("secret"))}, "does not say by which codec"},
		{"nothing", dynamotest.Item{"data": dynamotest.B([]byte{})}, "does not say by which codec"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.ReadCodecs = []dynamostore.Codec{dynamostore.JSONCodec{}} })
			b := a.put("theID", test.item)
			before := a.item()
			session, err := b.load()
			is(t, err, dynamostore.ErrUndecodable, "secret", "theID")
			for _, want := range []string{a.cfg.Table, test.says} {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if !session.IsNew || session.ID != "" || len(session.Values) != 0 {
				t.Errorf("Get = %+v, want a new session", session)
			}
			// A Save starts afresh, and leaves the item to whoever can read it.
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			if got := b.values()["k"]; got != "v" {
				t.Errorf("k = %v, want v", got)
			}
			left := false
			for _, item := range a.backend.Items(t) {
				left = left || reflect.DeepEqual(item, before)
			}
			if !left {
				t.Error("the item that could not be decoded was not left alone")
			}
		})
	}
}

func gobOfAny(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Sizes: what is too large is told before anything is sent.
func TestTooLarge(t *testing.T) {
	t.Run("for the item", func(t *testing.T) {
		a := newApp(t, func(c *dynamostore.Config) { c.NoCompression = true })
		b := a.browser()
		_, err := b.with(func(s *sessions.Session) { s.Values["k"] = strings.Repeat("secret", 100_000) })
		is(t, err, dynamostore.ErrTooLarge, "secret")
		if err != nil && (!strings.Contains(err.Error(), "409600") || !strings.Contains(err.Error(), "600")) {
			t.Errorf("error %q does not say both sizes", err)
		}
		a.sent()
		b.set("k", "v")
		before := a.item()
		a.sent("PutItem")
		_, err = b.with(func(s *sessions.Session) { s.Values["k"] = strings.Repeat("secret", 100_000) })
		is(t, err, dynamostore.ErrTooLarge, "secret")
		a.sent("GetItem")
		if after := a.item(); !reflect.DeepEqual(after, before) {
			t.Errorf("item = %v, want it as it was: %v", after, before)
		}
	})
	t.Run("for MaxLength", func(t *testing.T) {
		a := newApp(t)
		a.store.MaxLength(100)
		b := a.browser()
		_, err := b.with(func(s *sessions.Session) { s.Values["k"] = strings.Repeat("x", 200) })
		is(t, err, dynamostore.ErrTooLarge)
		if err != nil && (!strings.Contains(err.Error(), " 100") || !strings.Contains(err.Error(), "MaxLength")) {
			t.Errorf("error %q does not say what allows how much", err)
		}
		a.sent()
		a.store.MaxLength(0)
		b.set("k", strings.Repeat("x", 200))
	})
}

// What this package computes as an item's size is what DynamoDB counts: the largest item that it
// lets through is stored, and one byte more is refused here.
func TestLargestItem(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"plain", dynamostore.Config{}},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION", KeyPrefix: "p/"}},
		{"text", dynamostore.Config{DataType: dynamostore.String}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg; c.Codec, c.NoCompression = rawCodec{}, true })
			save := func(b *browser, n int) error {
				_, err := b.with(func(s *sessions.Session) {
					s.Values["raw"] = strings.Repeat("x", n)
					s.Options.MaxAge = 12345
				})
				return err
			}
			b := a.browser()
			if err := save(b, 10); err != nil {
				t.Fatal(err)
			}
			largest := func(try func(n int) error) int {
				low, high := 409600-250, 409600 // fits, does not
				if err := try(low); err != nil {
					t.Fatalf("data of %d bytes: %v", low, err)
				}
				if try(high) == nil {
					t.Fatalf("data of %d bytes, which are the whole item's, are stored", high)
				}
				for high-low > 1 {
					if mid := (low + high) / 2; try(mid) == nil {
						low = mid
					} else {
						high = mid
					}
				}
				return low
			}
			create := largest(func(n int) error { return save(a.browser(), n) })
			update := largest(func(n int) error { return save(b, n) })
			t.Logf("largest data: %d bytes in a new item, %d in one that was written before", create, update)
			if create < 409600-200 {
				t.Errorf("the largest data of a new item are %d bytes, want nearly 409600", create)
			}
		})
	}
}

// rawCodec is a codec of a user's own: one string, as it is.
type rawCodec struct{}

func (rawCodec) Name() string { return "raw" }
func (rawCodec) Encode(values map[any]any) ([]byte, error) {
	s, ok := values["raw"].(string)
	if !ok || len(values) != 1 {
		return nil, fmt.Errorf("rawCodec: want one string")
	}
	return []byte(s), nil
}
func (rawCodec) Decode(data []byte) (map[any]any, error) {
	return map[any]any{"raw": string(data)}, nil
}

// FuzzItem loads and saves whatever may lie in the table, by Stores that read plaintext, or what is encrypted, or
// both. Nothing but what was sealed for the item opens where all is encrypted.
func FuzzItem(f *testing.F) {
	sealed := []map[any]any{{"user": "ann"}, {"user": strings.Repeat("ann ", 1000)}}
	for _, values := range sealed {
		for _, text := range []bool{false, true} {
			tag, data := envelope.New(envelope.Config{Codec: "gob", Text: text, Compress: true, Keys: [][]byte{itemKeyA}}).Seal("theID", gobOf(f, values), 0)
			f.Add(data, tag, "v", "", "1900000000", "1900000000", "", byte(0))
			f.Add(data, tag, "v", "", "1900000000", "1900000000", "", byte(1))
		}
		tag, data := envelope.New(envelope.Config{Codec: "gob", Compress: true}).Seal("theID", gobOf(f, values), 0)
		f.Add(data, tag, "v", "", "1900000000", "1900000000", "", byte(0))
	}
	data := gobOf(f, map[any]any{"user": "ann"})
	f.Add(data, "gob", "v", "1", "1900000000", "1900000000", "60", byte(0))
	f.Add([]byte(`{"user":"ann"}`), "json", "v", "", "1e30", "-1", "x", byte(1))
	f.Add([]byte("c2VjcmV0"), "gob+base64", "", "", "", "", "", byte(2))
	f.Add(data, "", "", "", "1900000000", "", "", byte(0xff))
	client := &dynamotest.Fixed{}
	var stores []*dynamostore.Store
	configs := []dynamostore.Config{
		{},
		{EncryptionKeys: [][]byte{itemKeyB, itemKeyA}},
		{EncryptionKeys: [][]byte{itemKeyA}, ReadPlaintext: true, DataType: dynamostore.String},
	}
	for _, cfg := range configs {
		cfg.ReadCodecs, cfg.MaxLifetime = []dynamostore.Codec{dynamostore.JSONCodec{}}, 1<<40
		store, err := dynamostore.New(client, cfg, keyA)
		if err != nil {
			f.Fatal(err)
		}
		store.MaxLength(1 << 16) // or bombs take their time
		stores = append(stores, store)
	}
	cookie := signed(f, "theID", keyA)
	f.Fuzz(func(t *testing.T, data []byte, codec, version, prior, expires, created, maxAge string, kinds byte) {
		item := dynamotest.Item{}
		set := func(name, value string, number bool) {
			number = number != (kinds&(1<<(len(item)%8)) != 0)
			switch {
			case value == "":
			case number:
				item[name] = dynamotest.N(value)
			default:
				item[name] = dynamotest.S(value)
			}
		}
		item["data"] = dynamotest.B(data)
		if kinds&1 != 0 {
			item["data"] = dynamotest.S(string(data))
		}
		set("codec", codec, false)
		set("version", version, false)
		set("prior", prior, false)
		set("expires", expires, true)
		set("created", created, true)
		set("max_age", maxAge, true)
		set("moved", maxAge, true)
		set("user", prior, false)
		set("lock", version, false)
		set("lock_until", expires, true)
		client.Item = item
		for i, store := range stores {
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(&http.Cookie{Name: cookieName, Value: cookie})
			session, err := store.Get(r, cookieName)
			if session == nil || session.Values == nil || session.IsNew != (session.ID == "") {
				t.Fatalf("Get = %+v, %v", session, err)
			}
			if err != nil && !errors.Is(err, dynamostore.ErrUndecodable) {
				t.Errorf("Get's error = %v, want ErrUndecodable", err)
			}
			onlyEncrypted := len(configs[i].EncryptionKeys) > 0 && !configs[i].ReadPlaintext
			if onlyEncrypted && !session.IsNew && !slices.ContainsFunc(sealed, func(values map[any]any) bool { return reflect.DeepEqual(values, session.Values) }) {
				t.Errorf("what nobody sealed opens: %v", session.Values)
			}
			session.Values["k"] = "v"
			if err := store.Save(r, httptest.NewRecorder(), session); err != nil && !errors.Is(err, dynamostore.ErrGone) && !errors.Is(err, dynamostore.ErrTooLarge) &&
				!strings.Contains(err.Error(), "encode the session") && !strings.Contains(err.Error(), "gob") {
				t.Errorf("Save's error = %v", err)
			}
		}
	})
}
