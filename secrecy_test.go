package dynamostore_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"
	"github.com/klauspost/compress/zstd"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// Keys that encrypt items.
var (
	itemKeyA = []byte("item key A, 32 bytes of the test")
	itemKeyB = []byte("item key B, 32 bytes of the test")
)

// dataTypes are the forms of the data attribute.
var dataTypes = []struct {
	name     string
	dataType dynamostore.DataType
	suffix   string // of the codec attribute, where data is encrypted
}{
	{"binary", dynamostore.Binary, ""},
	{"text", dynamostore.String, "+base64"},
}

// dataOf returns what an item's data attribute holds, in base64 or not.
func dataOf(t testing.TB, item dynamotest.Item) []byte {
	t.Helper()
	switch v := item["data"].(type) {
	case *types.AttributeValueMemberB:
		return v.Value
	case *types.AttributeValueMemberS:
		if !strings.HasSuffix(render(item["codec"]), "+base64") {
			return []byte(v.Value)
		}
		data, err := base64.StdEncoding.DecodeString(v.Value)
		if err != nil {
			t.Fatalf("data is no base64: %v", err)
		}
		return data
	}
	t.Fatalf("data = %s", render(item["data"]))
	return nil
}

// withData returns the item with other data, in the form that it has.
func withData(item dynamotest.Item, data []byte) dynamotest.Item {
	item = maps.Clone(item)
	if _, ok := item["data"].(*types.AttributeValueMemberS); ok {
		item["data"] = dynamotest.S(base64.StdEncoding.EncodeToString(data))
	} else {
		item["data"] = dynamotest.B(data)
	}
	return item
}

// Nothing in the item tells of the values, or of the names that they go by.
func TestEncryptedItemTellsNothing(t *testing.T) {
	long := strings.Repeat(secretValue+" ", 300)
	for _, form := range dataTypes {
		for _, test := range []struct {
			name, value, codec string
			cfg                dynamostore.Config
		}{
			{"gob", secretValue, "gob+aes256gcm", dynamostore.Config{}},
			{"JSON", secretValue, "json+aes256gcm", dynamostore.Config{Codec: dynamostore.JSONCodec{}}},
			{"compressed gob", long, "gob+zstd+aes256gcm", dynamostore.Config{}},
			{"compressed JSON", long, "json+zstd+aes256gcm", dynamostore.Config{Codec: dynamostore.JSONCodec{}}},
			{"not compressed", long, "gob+aes256gcm", dynamostore.Config{NoCompression: true}},
			{"hashed IDs, composite key", secretValue, "gob+aes256gcm", dynamostore.Config{HashIDs: true, KeyPrefix: "p/", SortKeyAttribute: "sk", SortKeyValue: "SESSION"}},
		} {
			t.Run(form.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					*c = test.cfg
					c.EncryptionKeys, c.DataType = [][]byte{itemKeyA}, form.dataType
				})
				b := a.browser()
				b.set(secretKey, test.value)
				item := a.item()
				if got, want := render(item["codec"]), "S:"+test.codec+form.suffix; got != want {
					t.Errorf("codec = %s, want %s", got, want)
				}
				for name, v := range item {
					if secrets := secretsIn(name + " " + render(v)); len(secrets) != 0 {
						t.Errorf("attribute %q gives %q away", name, secrets)
					}
				}
				if bytes.Contains(dataOf(t, item), []byte("\x28\xb5\x2f\xfd")) { // zstd's magic number
					t.Error("the data is compressed, but not encrypted")
				}
				if got := b.values()[secretKey]; got != test.value {
					t.Errorf("value = %v, want what was stored", got)
				}
				a.backend.Counts()
				if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
					t.Errorf("unchanged Save = %v, with cookies %v, want neither", err, cookies)
				}
				a.sent("GetItem")

				// The same values once more, in this session and another, look different.
				data := [][]byte{dataOf(t, item)}
				b.set("n", 1)
				b.with(func(s *sessions.Session) { delete(s.Values, "n") })
				data = append(data, dataOf(t, a.item()))
				a.browser().set(secretKey, test.value)
				for _, item := range a.backend.Items(t) {
					data = append(data, dataOf(t, item))
				}
				if bytes.Equal(data[0], data[1]) || bytes.Equal(data[2], data[3]) {
					t.Error("equal values are equal data")
				}
				b.logout()
			})
		}
	}
}

// unreadable asserts that the app's Store does not decode the item of old's session, which is not to be
// touched by that, and that old goes on with a new session. Then somebody with old's cookie logs out, and that
// deletes the item.
func (a *app) unreadable(old *browser, item dynamotest.Item, says string) {
	t := a.T
	t.Helper()
	b, out := old.tab(), old.tab()
	oldID := ""
	loaded := func(session *sessions.Session, err error) {
		t.Helper()
		is(t, err, dynamostore.ErrUndecodable)
		if err != nil && (!strings.Contains(err.Error(), a.cfg.Table) || !strings.Contains(err.Error(), says) || len(secretsIn(err.Error())) != 0) {
			t.Errorf("error %q does not name the table, does not say %q, or says too much", err, says)
		}
		if !session.IsNew || session.ID != "" || len(session.Values) != 0 {
			t.Errorf("Get = %+v, want a new session", session)
		}
	}
	untouched := func(after string) {
		t.Helper()
		for _, there := range a.backend.Items(t) {
			if reflect.DeepEqual(there, item) {
				return
			}
		}
		t.Errorf("the item was touched by %s", after)
	}

	b.visit(func(w http.ResponseWriter, r *http.Request) {
		loaded(a.store.Get(r, cookieName))
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request ended: %v", err)
		}
	})
	for a.lockedAnywhere() {
		runtime.Gosched()
	}
	untouched("Get")

	before := b.cookie()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		loaded(session, err)
		session.Values["new"] = 1
		if err := session.Save(r, w); err != nil || session.ID == "" {
			t.Errorf("Save = %v, with ID %q", err, session.ID)
		}
		oldID = session.ID
		session.Values["new"] = 2
		if err := session.Save(r, w); err != nil || session.ID != oldID {
			t.Errorf("second Save = %v, with ID %q, want %q", err, session.ID, oldID)
		}
	})
	untouched("Save")
	if b.cookie() == before {
		t.Error("Save set no cookie")
	}
	if got, want := b.values(), (map[any]any{"new": 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("the new session holds %v, want %v", got, want)
	}
	b.logout()
	untouched("the new session's logout")

	cookies := out.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err != nil {
			t.Errorf("logout: %v", err)
		}
	})
	if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logout set the cookies %v", cookies)
	}
	for _, there := range a.backend.Items(t) {
		if reflect.DeepEqual(there["id"], item["id"]) && reflect.DeepEqual(there["sk"], item["sk"]) {
			t.Error("logout did not delete the item")
		}
	}
}

// lockedAnywhere reports whether any item is locked.
func (a *app) lockedAnywhere() bool {
	a.Helper()
	for _, item := range a.backend.Items(a.T) {
		if item["lock"] != nil || item["lock_until"] != nil {
			return true
		}
	}
	return false
}

// Whoever can write to the table cannot make up a session, alter one, or give it to somebody else.
func TestTamperedItemsAreUndecodable(t *testing.T) {
	values := map[any]any{"user": secretUser}
	with := func(attrs dynamotest.Item) func(*app, dynamotest.Item) dynamotest.Item {
		return func(_ *app, item dynamotest.Item) dynamotest.Item {
			item = maps.Clone(item)
			maps.Copy(item, attrs)
			maps.DeleteFunc(item, func(_ string, v types.AttributeValue) bool { return v == nil })
			return item
		}
	}
	codec := func(s string) func(*app, dynamotest.Item) dynamotest.Item {
		return with(dynamotest.Item{"codec": dynamotest.S(s)})
	}
	data := func(f func([]byte) []byte) func(*app, dynamotest.Item) dynamotest.Item {
		return func(a *app, item dynamotest.Item) dynamotest.Item {
			return withData(item, f(bytes.Clone(dataOf(a.T, item))))
		}
	}
	flip := func(i func(n int) int) func(*app, dynamotest.Item) dynamotest.Item {
		return data(func(b []byte) []byte { b[i(len(b))] ^= 1; return b })
	}
	reopened := func(change func(*dynamostore.Config)) func(*app, dynamotest.Item) dynamotest.Item {
		return func(a *app, item dynamotest.Item) dynamotest.Item {
			change(&a.cfg)
			a.store = a.open(a.cfg, keyA)
			return item
		}
	}
	squeezed := func(t testing.TB, plain []byte) []byte { return zstdOf(t, bytes.Repeat(plain, 30)) }
	const refused = "none of Config.EncryptionKeys opens it"
	tests := []struct {
		name   string
		tamper func(*app, dynamotest.Item) dynamotest.Item
		says   string
	}{
		{"another key", reopened(func(c *dynamostore.Config) { c.EncryptionKeys = [][]byte{itemKeyB} }), refused},
		{"other keys", reopened(func(c *dynamostore.Config) { c.EncryptionKeys = [][]byte{itemKeyB, bytes.Repeat([]byte("z"), 32)} }), refused},
		{"another key, plaintext allowed", reopened(func(c *dynamostore.Config) { c.EncryptionKeys, c.ReadPlaintext = [][]byte{itemKeyB}, true }), refused},
		{"no key", reopened(func(c *dynamostore.Config) { c.EncryptionKeys = nil }), "there are no Config.EncryptionKeys"},
		{"a bit of the nonce", flip(func(int) int { return 0 }), refused},
		{"a bit of the data", flip(func(n int) int { return n / 2 }), refused},
		{"a bit of the tag", flip(func(n int) int { return n - 1 }), refused},
		{"cut short", data(func(b []byte) []byte { return b[:len(b)-1] }), refused},
		{"cut at the front", data(func(b []byte) []byte { return b[1:] }), refused},
		{"a byte appended", data(func(b []byte) []byte { return append(b, 0) }), refused},
		{"the nonce alone", data(func(b []byte) []byte { return b[:12] }), refused},
		{"no codec", with(dynamotest.Item{"codec": nil}), "not encrypted"},
		{"a codec that is no string", with(dynamotest.Item{"codec": dynamotest.N("1")}), "not encrypted"},
		{"an empty codec", codec(""), "not encrypted"},
		{"codec: not encrypted", codec("gob"), "not encrypted"},
		{"codec: not encrypted, but compressed", codec("gob+zstd"), "not encrypted"},
		{"codec: not encrypted, but base64", codec("gob+base64"), "not encrypted"},
		{"codec: compressed", codec("gob+zstd+aes256gcm"), refused},
		{"codec: another", codec("json+aes256gcm"), refused},
		{"codec: another, as text", codec("json+aes256gcm+base64"), ""},
		{"codec: an unknown one", codec("xml+aes256gcm"), refused},
		{"codec: an unknown step", codec("gob+aes256gcm+rot13"), "step"},
		{"codec: a step twice", codec("gob+aes256gcm+aes256gcm"), "step"},
		{"plaintext", with(dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "codec": dynamotest.S("gob")}), "not encrypted"},
		{"plaintext without a codec", with(dynamotest.Item{"data": dynamotest.B(gobOf(t, values)), "codec": nil}), "not encrypted"},
		{"plaintext as text", with(dynamotest.Item{"data": dynamotest.S(`{"user":"` + secretUser + `"}`), "codec": dynamotest.S("json")}), "not encrypted"},
		{"plaintext, compressed", with(dynamotest.Item{"data": dynamotest.B(squeezed(t, gobOf(t, values))), "codec": dynamotest.S("gob+zstd")}), "not encrypted"},
		{"plaintext, said to be encrypted", with(dynamotest.Item{"data": dynamotest.B(append(make([]byte, 28), gobOf(t, values)...)), "codec": dynamotest.S("gob+aes256gcm")}), refused},
		{"another session's data", func(a *app, item dynamotest.Item) dynamotest.Item {
			other := a.otherItem(item)
			return with(dynamotest.Item{"data": other["data"], "codec": other["codec"], "version": other["version"]})(a, item)
		}, refused},
		{"another session's item", func(a *app, item dynamotest.Item) dynamotest.Item {
			return with(dynamotest.Item{"id": item["id"]})(a, a.otherItem(item))
		}, refused},
	}
	for _, form := range dataTypes {
		for i, test := range tests {
			mode := modes[i%len(modes)]
			t.Run(form.name+", "+mode.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					c.EncryptionKeys = [][]byte{itemKeyA}
					c.DataType, c.Concurrency = form.dataType, mode.mode
					c.ReadCodecs = []dynamostore.Codec{dynamostore.JSONCodec{}}
				})
				b := a.browser()
				b.set("user", secretUser)
				item := test.tamper(a, a.item())
				a.backend.Put(t, item)
				says := test.says
				if form.dataType == dynamostore.String && strings.HasPrefix(test.name, "codec: ") && !strings.Contains(render(item["codec"]), "base64") && says == refused {
					says = "" // the base64 is not undone
				}
				a.unreadable(b, item, says)
			})
		}
	}
}

// otherItem saves a session of somebody else, and returns its item without its being there any more.
func (a *app) otherItem(than dynamotest.Item) dynamotest.Item {
	a.Helper()
	a.browser().set("user", secretUser+" other")
	for _, item := range a.backend.Items(a.T) {
		if !reflect.DeepEqual(item["id"], than["id"]) {
			a.backend.Delete(a.T, dynamotest.Item{"id": item["id"]})
			return item
		}
	}
	a.Fatal("there is no other item")
	return nil
}

// What is sealed for one key of the table opens under no other, whatever the key consists of.
func TestDataIsBoundToTheItemsKey(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to dynamostore.Config
		key      func(item dynamotest.Item, id string) // that of the item in to
	}{
		{"another sort key value", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "ADMIN"}, dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "USER"},
			func(item dynamotest.Item, _ string) { item["sk"] = dynamotest.S("USER") }},
		{"another prefix", dynamostore.Config{KeyPrefix: "admin/"}, dynamostore.Config{KeyPrefix: "shop/"},
			func(item dynamotest.Item, id string) { item["id"] = dynamotest.S("shop/" + id) }},
		{"hashed", dynamostore.Config{}, dynamostore.Config{HashIDs: true},
			func(item dynamotest.Item, id string) {
				item["id"] = dynamotest.S(fmt.Sprintf("%x", sha256.Sum256([]byte(id))))
			}},
	} {
		for _, form := range dataTypes {
			t.Run(form.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					*c = test.from
					c.EncryptionKeys, c.DataType = [][]byte{itemKeyA}, form.dataType
				})
				b := a.browser()
				b.set("user", secretUser)
				session, err := b.load()
				if err != nil {
					t.Fatal(err)
				}
				item := a.item()
				key := dynamotest.Item{"id": item["id"]}
				if item["sk"] != nil {
					key["sk"] = item["sk"]
				}
				moved := maps.Clone(item)
				test.key(moved, session.ID)
				a.backend.Delete(t, key)
				a.backend.Put(t, moved)
				cfg := test.to
				cfg.Table, cfg.EncryptionKeys, cfg.DataType = a.cfg.Table, a.cfg.EncryptionKeys, a.cfg.DataType
				a.cfg, a.store = cfg, a.open(cfg, keyA)
				a.unreadable(b, moved, "it was made for another session")
			})
		}
	}
}

// What encryption does not protect from, as docs/security.md says: a whole older item comes back to life.
func TestOlderItemCanBePutBack(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.EncryptionKeys = [][]byte{itemKeyA} })
	b := a.browser()
	b.set("user", "ann")
	older := a.item()
	b.set("user", "bob")
	a.backend.Put(t, older)
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v, want that of the older item", got)
	}
}

// While a table is being migrated, what is not encrypted is read, and the next Save encrypts it.
func TestReadPlaintext(t *testing.T) {
	values := map[any]any{"user": secretUser, "k": "v"}
	for _, form := range dataTypes {
		for _, test := range []struct {
			name string
			item func(*testing.T, *app) (*browser, dynamotest.Item)
		}{
			{"own", func(t *testing.T, a *app) (*browser, dynamotest.Item) {
				cfg := a.cfg
				cfg.EncryptionKeys, cfg.ReadPlaintext = nil, false
				a.store = a.open(cfg, keyA)
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, values) }); err != nil {
					t.Fatal(err)
				}
				return b, a.item()
			}},
			{"foreign", func(t *testing.T, a *app) (*browser, dynamotest.Item) {
				b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobOf(t, values))})
				return b, a.item()
			}},
			{"foreign, in base64", func(t *testing.T, a *app) (*browser, dynamotest.Item) {
				b := a.put("foreign", dynamotest.Item{"data": dynamotest.S(base64.StdEncoding.EncodeToString(gobOf(t, values)))})
				return b, a.item()
			}},
		} {
			for _, mode := range modes {
				t.Run(form.name+", "+test.name+", "+mode.name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						c.EncryptionKeys, c.ReadPlaintext = [][]byte{itemKeyA}, true
						c.DataType, c.Concurrency = form.dataType, mode.mode
					})
					migrating := a.store
					b, before := test.item(t, a)
					a.store = migrating
					if got := b.values(); !reflect.DeepEqual(got, values) {
						t.Fatalf("values = %v, want %v", got, values)
					}
					for a.lockedAnywhere() {
						runtime.Gosched()
					}
					if after := a.item(); !reflect.DeepEqual(after, before) {
						t.Errorf("a load alone changed the item to %v", after)
					}
					a.backend.Counts()
					cookies, err := b.with(func(*sessions.Session) {})
					if err != nil || len(cookies) != 1 {
						t.Errorf("unchanged Save = %v, with cookies %v, want the cookie", err, cookies)
					}
					item := a.item()
					if got, want := render(item["codec"]), "S:gob+aes256gcm"+form.suffix; got != want {
						t.Errorf("codec = %s after an unchanged Save, want %s", got, want)
					}
					for name, v := range item {
						if secrets := secretsIn(render(v)); len(secrets) != 0 {
							t.Errorf("attribute %q still gives %q away", name, secrets)
						}
					}
					cfg := a.cfg
					cfg.ReadPlaintext = false
					a.store = a.open(cfg, keyA)
					if got := b.values(); !reflect.DeepEqual(got, values) {
						t.Errorf("values = %v without ReadPlaintext, want %v", got, values)
					}
					a.backend.Put(t, before)
					a.unreadable(b, before, "not encrypted")
				})
			}
		}
	}
}

// Allowing plaintext does not allow what was encrypted to be altered.
func TestReadPlaintextDoesNotOpenWhatWasAltered(t *testing.T) {
	for _, test := range []struct {
		name  string
		codec types.AttributeValue
	}{
		{"no codec", nil},
		{"not encrypted", dynamotest.S("gob")},
		{"base64", dynamotest.S("gob+base64")},
		{"compressed", dynamotest.S("gob+zstd")},
		{"JSON", dynamotest.S("json+aes256gcm")},
	} {
		for _, form := range dataTypes {
			t.Run(form.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					c.EncryptionKeys, c.ReadPlaintext, c.DataType = [][]byte{itemKeyA}, true, form.dataType
					c.ReadCodecs = []dynamostore.Codec{dynamostore.JSONCodec{}}
				})
				b := a.browser()
				b.set("user", secretUser)
				a.alter(dynamotest.Item{"codec": test.codec})
				a.unreadable(b, a.item(), "")
			})
		}
	}
}

// A rotation seals the session for its new ID, and only for that.
func TestRegenerateRebinds(t *testing.T) {
	for _, form := range dataTypes {
		for _, mode := range modes {
			for _, way := range both {
				t.Run(form.name+", "+mode.name+", "+way.name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						c.EncryptionKeys, c.DataType, c.Concurrency = [][]byte{itemKeyA}, form.dataType, mode.mode
						c.HashIDs = mode.mode == dynamostore.Refuse
					})
					b := a.browser()
					b.set("cart", secretValue)
					before := a.item()
					late := b.tab()
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						session.Values["user"] = secretUser
						if err := way.rotate(a.store, r, w, session); err != nil {
							t.Errorf("rotate: %v", err)
						}
					})
					want := map[any]any{"cart": secretValue, "user": secretUser}
					if got := b.values(); !reflect.DeepEqual(got, want) {
						t.Errorf("values = %v, want %v", got, want)
					}
					live, tombstones := a.live()
					if len(live) != 1 || len(tombstones) != 1 {
						t.Fatalf("%d sessions and %d tombstones, want one each", len(live), len(tombstones))
					}
					for _, item := range []dynamotest.Item{live[0], tombstones[0]} {
						for name, v := range item {
							if secrets := secretsIn(render(v)); len(secrets) != 0 {
								t.Errorf("attribute %q gives %q away", name, secrets)
							}
						}
					}
					for a.lockedAnywhere() {
						runtime.Gosched()
					}
					// Under the old ID, the new data opens nothing; nor does the old under the new one.
					forged := maps.Clone(live[0])
					forged["id"] = before["id"]
					delete(forged, "lock")
					delete(forged, "lock_until")
					a.backend.Put(t, forged)
					a.unreadable(late, forged, "it was made for another session")
					forged = maps.Clone(before)
					forged["id"] = live[0]["id"]
					a.backend.Put(t, forged)
					a.unreadable(b, forged, "it was made for another session")
				})
			}
		}
	}
}

// Two instances in the middle of a change of keys merge what they do to one session.
func TestMergeOfEncryptedSessions(t *testing.T) {
	for _, form := range dataTypes {
		for _, composite := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, composite key %v", form.name, composite), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					c.EncryptionKeys, c.DataType = [][]byte{itemKeyA, itemKeyB}, form.dataType
					if composite {
						c.SortKeyAttribute, c.SortKeyValue, c.HashIDs = "sk", "SESSION", true
					}
				})
				b := a.browser()
				b.set("cart", "tea")
				newer := a.another()
				newer.cfg.EncryptionKeys = [][]byte{itemKeyB, itemKeyA}
				newer.store = a.open(newer.cfg, keyA)
				tab := newer.tab(b)
				a.backend.Counts()
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					tab.set("theirs", 1)
					session.Values["ours"] = 2
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save: %v", err)
					}
				})
				a.sent("GetItem", "GetItem", "UpdateItem", "UpdateItem", "UpdateItem")
				want := map[any]any{"cart": "tea", "theirs": 1, "ours": 2}
				for _, browser := range []*browser{b, tab} {
					if got := browser.values(); !reflect.DeepEqual(got, want) {
						t.Errorf("values = %v, want %v", got, want)
					}
				}
				only := a.cfg
				only.EncryptionKeys = [][]byte{itemKeyA}
				a.store = a.open(only, keyA)
				if got := b.values(); !reflect.DeepEqual(got, want) {
					t.Errorf("values = %v by the key of who wrote last, want %v", got, want)
				}
			})
		}
	}
}

// Nothing is merged into what another instance encrypted by a key that this one lacks, and nothing overwritten.
func TestConflictWithWhatCannotBeDecrypted(t *testing.T) {
	for _, test := range []struct {
		mode dynamostore.Concurrency
		want error
	}{
		{dynamostore.Merge, dynamostore.ErrUndecodable},
		{dynamostore.Refuse, dynamostore.ErrConflict},
		{dynamostore.Lock, dynamostore.ErrLockLost},
	} {
		t.Run(modes[test.mode].name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.EncryptionKeys, c.Concurrency = [][]byte{itemKeyA}, test.mode })
			b := a.browser()
			b.set("cart", "tea")
			var theirs dynamotest.Item
			cookies, err := b.with(func(s *sessions.Session) {
				a.alter(dynamotest.Item{"version": dynamotest.S("theirs"), "data": dynamotest.B(make([]byte, 60))})
				theirs = a.item()
				s.Values["k"] = "v"
			})
			is(t, err, test.want)
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			for _, name := range []string{"lock", "lock_until"} { // given up
				delete(theirs, name)
			}
			if got := a.item(); !reflect.DeepEqual(got, theirs) {
				t.Errorf("item = %v, want theirs, %v", got, theirs)
			}
		})
	}
}

// An encrypted session is touched, locked, overwritten and refused as any other.
func TestEncryptedSessionsInEveryMode(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				c.EncryptionKeys, c.Concurrency, c.UserKey = [][]byte{itemKeyA}, mode.mode, "user"
			})
			b := a.browser()
			b.set("user", "ann")
			before := a.item()
			if got := render(before["user"]); got != "S:ann" {
				t.Errorf("user = %s: the index needs it as it is", got)
			}
			a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(24 * time.Hour))})
			if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 1 {
				t.Errorf("touch = %v, with cookies %v, want the cookie", err, cookies)
			}
			touched := a.item()
			if !reflect.DeepEqual(touched["data"], before["data"]) || !reflect.DeepEqual(touched["version"], before["version"]) {
				t.Error("a touch wrote the data")
			}
			about(t, "expires", numberOf(t, touched, "expires"), time.Now().Add(30*24*time.Hour))
			for i := range 3 {
				b.set("n", i)
			}
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				for i := range 2 { // twice in one request
					session.Values["twice"] = i
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save: %v", err)
					}
				}
			})
			if got, want := b.values(), (map[any]any{"user": "ann", "n": 2, "twice": 1}); !reflect.DeepEqual(got, want) {
				t.Errorf("values = %v, want %v", got, want)
			}
			b.logout()
			a.empty()
		})
	}
}

// Compression.

func zstdOf(t testing.TB, plain []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll(plain, nil)
}

// noise is text that nothing makes shorter, but what base64 adds.
func noise(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return string(b)
}

func TestCompression(t *testing.T) {
	words := strings.Repeat("nothing that is repeated so often takes much room; ", 100)
	for _, codec := range []dynamostore.Codec{dynamostore.GobCodec{}, dynamostore.JSONCodec{}} {
		for _, form := range dataTypes {
			for _, test := range []struct {
				name       string
				value      any
				cfg        dynamostore.Config
				compressed bool
			}{
				{"5 KiB of text", words, dynamostore.Config{}, true},
				{"1.2 KiB of text", words[:1200], dynamostore.Config{}, true},
				{"below 1 KiB", words[:800], dynamostore.Config{}, false},
				{"small", "v", dynamostore.Config{}, false},
				{"noise", []byte(noise(5000)), dynamostore.Config{}, false},
				// But in JSON, where the noise is in base64: unless it comes to that again, a unit is saved.
				{"fewer bytes, but no unit", []any{words[:300], []byte(noise(3200))}, dynamostore.Config{}, codec.Name() == "json" && form.dataType == dynamostore.Binary},
				{"turned off", words, dynamostore.Config{NoCompression: true}, false},
			} {
				t.Run(codec.Name()+", "+form.name+", "+test.name, func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						*c = test.cfg
						c.Codec, c.DataType = codec, form.dataType
					})
					b := a.browser()
					b.set("k", test.value)
					want := "S:" + codec.Name()
					if test.compressed {
						want += "+zstd"
					}
					got := render(a.item()["codec"])
					if strings.TrimSuffix(got, "+base64") != want {
						t.Errorf("codec = %s, want %s", got, want)
					}
					if form.dataType == dynamostore.Binary && strings.Contains(got, "base64") {
						t.Errorf("codec = %s in a binary attribute", got)
					}
					if got := b.values()["k"]; !reflect.DeepEqual(got, test.value) {
						t.Error("what came back is not what was stored")
					}
					a.backend.Counts()
					if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
						t.Errorf("unchanged Save = %v, with cookies %v, want neither", err, cookies)
					}
					a.sent("GetItem")
				})
			}
		}
	}
}

// A session is compressed when it has grown, and as it is again when it has shrunk.
func TestCompressionFollowsTheSession(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Codec = dynamostore.JSONCodec{} })
	b := a.browser()
	for _, n := range []int{1, 100, 1, 1000, 20, 0} {
		b.set("k", strings.Repeat("tea and cake, ", n))
		want := "S:json"
		if n >= 100 {
			want += "+zstd"
		}
		if got := render(a.item()["codec"]); got != want {
			t.Errorf("codec = %s with %d repetitions, want %s", got, n, want)
		}
		if got := b.values()["k"]; got != strings.Repeat("tea and cake, ", n) {
			t.Errorf("k is wrong after %d repetitions", n)
		}
	}
}

// bomb is a zstd stream of n zero bytes, which does not say how long it is.
func bomb(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range n >> 20 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is small in the table and large in memory is not decompressed, but up to MaxLength.
func TestBombs(t *testing.T) {
	stream := bomb(t, 256<<20)
	single := zstdOf(t, make([]byte, 64<<20)) // says how long it is
	many := bytes.Repeat(zstdOf(t, make([]byte, 3<<20)), 500)
	for _, test := range []struct {
		name string
		data []byte
		says string
	}{
		{"a stream of 256 MiB", stream, "MaxLength"},
		{"one frame of 64 MiB", single, "MaxLength"},
		{"500 frames of 3 MiB", many, "MaxLength"},
		{"streams of 3 MiB, one after the other", bytes.Repeat(bomb(t, 3<<20), 500), "MaxLength"},
		{"a frame that says 1 TiB", append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0}, single[12:]...), "MaxLength"},
		{"a frame that says 4 MiB and holds less", []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0x40, 0, 1, 0, 0}, "zstd"},
		{"many frames of nothing", bytes.Repeat(zstdOf(t, nil), 20_000), ""},
	} {
		for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
			t.Run(test.name+", "+modes[mode].name, func(t *testing.T) {
				if len(test.data) > 380<<10 {
					t.Fatalf("%d bytes are more than an item takes", len(test.data))
				}
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency, c.MaxLifetime = mode, 0 })
				b := a.put("bomb", dynamotest.Item{
					"data": dynamotest.B(test.data), "codec": dynamotest.S("gob+zstd"), "version": dynamotest.S("v"),
					"created": dynamotest.N("1"), "expires": dynamotest.N(inSeconds(time.Hour)),
				})
				item := a.item()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begin := time.Now()
				if _, err := b.load(); err == nil {
					t.Error("Get returned no error")
				}
				took := time.Since(begin)
				runtime.ReadMemStats(&after)
				// The request and its answer, up to twice MaxLength, and what growing to it leaves behind.
				if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 40<<20 {
					t.Errorf("one Get allocated %d MiB", allocated>>20)
				}
				if took > 5*time.Second {
					t.Errorf("one Get took %v", took)
				}
				for a.lockedAnywhere() {
					runtime.Gosched()
				}
				a.unreadable(b, item, test.says)
			})
		}
	}
}

// What may not be saved is not read either, compressed or not.
func TestMaxLengthBoundsReading(t *testing.T) {
	words := strings.Repeat("tea and cake, ", 300) // 4200 bytes
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"compressed", dynamostore.Config{}},
		{"compressed text", dynamostore.Config{DataType: dynamostore.String}},
		{"compressed and encrypted", dynamostore.Config{EncryptionKeys: [][]byte{itemKeyA}}},
		{"as it is", dynamostore.Config{NoCompression: true}},
		{"encrypted", dynamostore.Config{NoCompression: true, EncryptionKeys: [][]byte{itemKeyA}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Codec = dynamostore.JSONCodec{}
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			b := a.browser()
			b.set("k", words)
			plain := len(words) + len(`{"k":""}`)
			a.store.MaxLength(plain)
			if got := b.values()["k"]; got != words {
				t.Error("a session as long as MaxLength does not come back")
			}
			a.store.MaxLength(plain - 1)
			item := a.item()
			a.unreadable(b, item, "Store.MaxLength")
		})
	}
	t.Run("foreign", func(t *testing.T) {
		a := newApp(t)
		data := gobOf(t, map[any]any{"k": words})
		b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(data)})
		a.store.MaxLength(len(data))
		if got := b.values()["k"]; got != words {
			t.Error("a session as long as MaxLength does not come back")
		}
		a.store.MaxLength(len(data) - 1)
		a.unreadable(b, a.item(), "Store.MaxLength")
	})
}

// No goroutine of the compressor's outlives a request.
func TestCompressionLeavesNoGoroutine(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("k", strings.Repeat("tea and cake, ", 1000))
	if got := render(a.item()["codec"]); got != "S:gob+zstd" {
		t.Fatalf("codec = %s", got)
	}
	for i := range 5 {
		b.set("n", i)
	}
	a.alter(dynamotest.Item{"data": dynamotest.B(bomb(t, 32<<20))})
	if _, err := b.load(); err == nil {
		t.Error("a bomb was loaded")
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if i := bytes.Index(stacks, []byte("klauspost/compress")); i >= 0 {
		t.Errorf("a goroutine of the compressor is left:\n%s", stacks[max(0, i-500):i+500])
	}
}
