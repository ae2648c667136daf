package storetest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
	"example.com/dynamostore/internal/envelope"
)

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
		if err != nil && cookie != good && len(cookie) > 8 && strings.Contains(err.Error(), cookie) {
			t.Errorf("error %q holds the cookie", err)
		}
		session.Options.MaxAge = -1
		w := httptest.NewRecorder()
		if err := store.Save(r, w, session); err != nil || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("logout = %v, and set the cookie %q, want an expired one", err, w.Header().Get("Set-Cookie"))
		}
	})
}

// FuzzStoredItem loads and saves arbitrary items, by Stores that read plaintext, encrypted data, or
// both. Where all is encrypted, only what was sealed for the item opens.
func FuzzStoredItem(f *testing.F) {
	sealed := []map[any]any{{"user": "ann"}, {"user": strings.Repeat("ann ", 1000)}}
	for _, values := range sealed {
		for _, text := range []bool{false, true} {
			tag, data := envelope.New(envelope.Config{Codec: "gob", Text: text, Compress: true, Keys: [][]byte{itemKeyA}}).Seal("theID", encodeGob(f, values), 0)
			f.Add(data, tag, "v", "", "4000000000", "4000000000", "", "", byte(0))
			f.Add(data, tag, "v", "", "4000000000", "4000000000", "", "", byte(1))
		}
		tag, data := envelope.New(envelope.Config{Codec: "gob", Compress: true}).Seal("theID", encodeGob(f, values), 0)
		f.Add(data, tag, "v", "", "4000000000", "4000000000", "", "", byte(0))
	}
	data := encodeGob(f, map[any]any{"user": "ann"})
	f.Add(data, "gob", "v", "1", "4000000000", "4000000000", "60", "ended", byte(0))
	f.Add([]byte(`{"user":"ann"}`), "json", "v", "", "1e30", "-1", "x", "moved", byte(1))
	f.Add([]byte("c2VjcmV0"), "gob+base64", "", "", "", "", "", "", byte(2))
	f.Add(data, "", "", "", "4000000000", "", "", "", byte(0xff))
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
	f.Fuzz(func(t *testing.T, data []byte, codec, version, recent, expires, created, maxAge, gone string, kinds byte) {
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
		set("recent", recent, false)
		set("expires", expires, true)
		set("created", created, true)
		set("max_age", maxAge, true)
		set("seen", created, true)
		set("gone", gone, false)
		set("user", recent, false)
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
				!strings.Contains(err.Error(), "encode the session") {
				t.Errorf("Save: %v", err)
			}
		}
	})
}
