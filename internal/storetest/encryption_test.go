package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// dataTypes are the types of the data attribute.
var dataTypes = []struct {
	name     string
	dataType dynamostore.DataType
	suffix   string // of the codec attribute, where data is encrypted
}{
	{"binary", dynamostore.Binary, ""},
	{"text", dynamostore.String, "+base64"},
}

// dataOf returns the content of an item's data attribute, after base64.
func dataOf(t testing.TB, item dynamotest.Item) []byte {
	t.Helper()
	switch v := item["data"].(type) {
	case *types.AttributeValueMemberB:
		return v.Value
	case *types.AttributeValueMemberS:
		if !strings.HasSuffix(attrText(item["codec"]), "+base64") {
			return []byte(v.Value)
		}
		data, err := base64.StdEncoding.DecodeString(v.Value)
		if err != nil {
			t.Fatalf("data is not base64: %v", err)
		}
		return data
	}
	t.Fatalf("data is %s, want B or S", attrText(item["data"]))
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

// Nothing in the item shows the values or their keys.
func TestEncryptedItemShowsNothing(t *testing.T) {
	t.Parallel()
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
				if got, want := attrText(item["codec"]), "S:"+test.codec+form.suffix; got != want {
					t.Errorf("codec is %s, want %s", got, want)
				}
				for name, v := range item {
					if secrets := secretsIn(name + " " + attrText(v)); len(secrets) != 0 {
						t.Errorf("attribute %q holds %q", name, secrets)
					}
				}
				if bytes.Contains(dataOf(t, item), []byte("\x28\xb5\x2f\xfd")) { // zstd's magic number
					t.Error("the data is compressed, but not encrypted")
				}
				if got := b.values()[secretKey]; got != test.value {
					t.Errorf("the value is %.80v, want what was stored", got)
				}
				a.backend.Counts()
				if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
					t.Errorf("unchanged Save = %v, and the cookies %v, want neither", err, cookies)
				}
				a.wantSent("GetItem")

				// The same values are other data when they are written again, and in another
				// session.
				data := [][]byte{dataOf(t, item)}
				b.set("n", 1)
				if _, err := b.with(func(s *sessions.Session) { delete(s.Values, "n") }); err != nil {
					t.Errorf("Save: %v", err)
				}
				data = append(data, dataOf(t, a.item()))
				a.browser().set(secretKey, test.value)
				for _, item := range a.backend.Items(t) {
					data = append(data, dataOf(t, item))
				}
				if len(data) != 4 || bytes.Equal(data[0], data[1]) || bytes.Equal(data[2], data[3]) {
					t.Error("equal values are equal data")
				}
				b.logout()
			})
		}
	}
}

// wantUndecodable asserts that the app's Store cannot decode the item of old's session: Get and
// Save leave the item as it is, and old goes on with a new session. A logout with the old cookie
// ends the item all the same.
func (a *app) wantUndecodable(old *browser, item dynamotest.Item, says string) {
	t := a.T
	t.Helper()
	b, out := old.tab(), old.tab()
	check := func(session *sessions.Session, err error) {
		t.Helper()
		wantError(t, err, dynamostore.ErrUndecodable)
		if err != nil && (!strings.Contains(err.Error(), a.cfg.Table) || !strings.Contains(err.Error(), says) || len(secretsIn(err.Error())) != 0) {
			t.Errorf("error %q does not name the table, does not say %q, or holds a secret", err, says)
		}
		if !session.IsNew || session.ID != "" || len(session.Values) != 0 {
			t.Errorf("Get = %+v, want a new session", session)
		}
	}
	wantUntouched := func(by string) {
		t.Helper()
		if !slices.ContainsFunc(a.backend.Items(t), func(there dynamotest.Item) bool { return sameItem(there, item) }) {
			t.Errorf("%s changed the item: the table holds %s\nwant %s", by, itemsText(a.backend.Items(t)...), itemsText(item))
		}
	}

	b.visit(func(_ http.ResponseWriter, r *http.Request) { check(a.store.Get(r, cookieName)) })
	a.waitUnlocked()
	wantUntouched("Get")

	before := b.cookie()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		check(session, err)
		session.Values["new"] = 1
		if err := session.Save(r, w); err != nil || session.ID == "" {
			t.Errorf("Save = %v, and the ID is %q", err, session.ID)
		}
		id := session.ID
		session.Values["new"] = 2
		if err := session.Save(r, w); err != nil || session.ID != id {
			t.Errorf("the second Save = %v, and the ID is %q, want %q", err, session.ID, id)
		}
	})
	a.waitUnlocked()
	wantUntouched("Save")
	if b.cookie() == before {
		t.Error("Save set no cookie")
	}
	if got, want := b.values(), (map[any]any{"new": 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("the new session holds %v, want %v", got, want)
	}
	b.logout()
	wantUntouched("the new session's logout")

	cookies := out.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err != nil {
			t.Errorf("logout: %v", err)
		}
	})
	if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logout set the cookies %v, want an expired one", cookies)
	}
	a.wantLive(0)
}

// Someone who can write to the table cannot make up a session, alter one, or move one to another
// ID.
func TestTamperedItemsAreUndecodable(t *testing.T) {
	t.Parallel()
	values := map[any]any{"user": secretUser}
	with := func(attrs dynamotest.Item) func(*app, dynamotest.Item) dynamotest.Item {
		return func(_ *app, item dynamotest.Item) dynamotest.Item { return withAttributes(item, attrs) }
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
	const refused = "none of Config.EncryptionKeys decrypts it"
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
		{"plaintext", with(dynamotest.Item{"data": dynamotest.B(encodeGob(t, values)), "codec": dynamotest.S("gob")}), "not encrypted"},
		{"plaintext without a codec", with(dynamotest.Item{"data": dynamotest.B(encodeGob(t, values)), "codec": nil}), "not encrypted"},
		{"plaintext as text", with(dynamotest.Item{"data": dynamotest.S(`{"user":"` + secretUser + `"}`), "codec": dynamotest.S("json")}), "not encrypted"},
		{"plaintext, compressed", with(dynamotest.Item{"data": dynamotest.B(squeezed(t, encodeGob(t, values))), "codec": dynamotest.S("gob+zstd")}), "not encrypted"},
		{"plaintext, said to be encrypted", with(dynamotest.Item{"data": dynamotest.B(append(make([]byte, 28), encodeGob(t, values)...)), "codec": dynamotest.S("gob+aes256gcm")}), refused},
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
				if form.dataType == dynamostore.String && strings.HasPrefix(test.name, "codec: ") && !strings.Contains(attrText(item["codec"]), "base64") && says == refused {
					says = "" // the base64 is not undone
				}
				a.wantUndecodable(b, item, says)
			})
		}
	}
}

// otherItem saves another session, and returns its item, which it deletes.
func (a *app) otherItem(than dynamotest.Item) dynamotest.Item {
	a.Helper()
	a.browser().set("user", secretUser+" other")
	for _, item := range a.backend.Items(a.T) {
		if !reflect.DeepEqual(item["id"], than["id"]) {
			a.backend.Delete(a.T, a.key(item))
			return item
		}
	}
	a.Fatal("there is no other item")
	return nil
}

// What is sealed for one primary key does not open under another.
func TestDataIsBoundToTheItemsKey(t *testing.T) {
	t.Parallel()
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
				moved := maps.Clone(item)
				test.key(moved, session.ID)
				a.backend.Delete(t, a.key(item))
				a.backend.Put(t, moved)
				cfg := test.to
				cfg.Table, cfg.EncryptionKeys, cfg.DataType = a.cfg.Table, a.cfg.EncryptionKeys, a.cfg.DataType
				a.cfg, a.store = cfg, a.open(cfg, keyA)
				a.wantUndecodable(b, moved, "it belongs to another session")
			})
		}
	}
}

// Encryption does not protect from this, as docs/security.md says: a whole older item is a session
// again.
func TestOlderItemCanBePutBack(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.EncryptionKeys = [][]byte{itemKeyA} })
	b := a.browser()
	b.set("user", "ann")
	older := a.item()
	b.set("user", "bob")
	a.backend.Put(t, older)
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user is %v, want that of the older item", got)
	}
}

// With ReadPlaintext, while a table is being migrated, plaintext is read, and the next Save
// encrypts it.
func TestReadPlaintext(t *testing.T) {
	t.Parallel()
	values := map[any]any{"user": secretUser, "k": "v"}
	for _, form := range dataTypes {
		for _, test := range []struct {
			name    string
			cookies int // that an unchanged Save sets: it moves the end of a foreign session
			item    func(*testing.T, *app) (*browser, dynamotest.Item)
		}{
			{"own", 0, func(t *testing.T, a *app) (*browser, dynamotest.Item) {
				cfg := a.cfg
				cfg.EncryptionKeys, cfg.ReadPlaintext = nil, false
				a.store = a.open(cfg, keyA)
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, values) }); err != nil {
					t.Fatal(err)
				}
				return b, a.item()
			}},
			{"foreign", 1, func(t *testing.T, a *app) (*browser, dynamotest.Item) {
				b := a.put("foreign", dynamotest.Item{"data": dynamotest.B(encodeGob(t, values))})
				return b, a.item()
			}},
			{"foreign, in base64", 1, func(t *testing.T, a *app) (*browser, dynamotest.Item) {
				b := a.put("foreign", dynamotest.Item{"data": dynamotest.S(base64.StdEncoding.EncodeToString(encodeGob(t, values)))})
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
						t.Fatalf("the values are %v, want %v", got, values)
					}
					a.waitUnlocked()
					if after := a.item(); !sameItem(after, before) {
						t.Errorf("Get changed the item to %s", itemsText(after))
					}
					a.backend.Counts()
					cookies, err := b.with(func(*sessions.Session) {})
					if err != nil || len(cookies) != test.cookies {
						t.Errorf("unchanged Save = %v, and the cookies %v, want %d", err, cookies, test.cookies)
					}
					item := a.item()
					if got, want := attrText(item["codec"]), "S:gob+aes256gcm"+form.suffix; got != want {
						t.Errorf("codec is %s after an unchanged Save, want %s", got, want)
					}
					for name, v := range item {
						if secrets := secretsIn(attrText(v)); len(secrets) != 0 {
							t.Errorf("attribute %q still holds %q", name, secrets)
						}
					}
					cfg := a.cfg
					cfg.ReadPlaintext = false
					a.store = a.open(cfg, keyA)
					if got := b.values(); !reflect.DeepEqual(got, values) {
						t.Errorf("without ReadPlaintext, the values are %v, want %v", got, values)
					}
					a.backend.Put(t, before)
					a.wantUndecodable(b, before, "not encrypted")
				})
			}
		}
	}
}

// ReadPlaintext does not open encrypted data whose codec attribute was altered.
func TestReadPlaintextDoesNotOpenAlteredItems(t *testing.T) {
	t.Parallel()
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
				a.wantUndecodable(b, a.item(), "")
			})
		}
	}
}

// Regenerate seals the session for its new ID, and only for that.
func TestRegenerateSealsForTheNewID(t *testing.T) {
	t.Parallel()
	for _, form := range dataTypes {
		for _, mode := range modes {
			for _, noTransactions := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, NoTransactions %v", form.name, mode.name, noTransactions), func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						c.EncryptionKeys, c.DataType, c.Concurrency = [][]byte{itemKeyA}, form.dataType, mode.mode
						c.HashIDs, c.NoTransactions = mode.mode == dynamostore.Refuse, noTransactions
					})
					b := a.browser()
					b.set("cart", secretValue)
					before := a.item()
					late := b.tab()
					b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						session.Values["user"] = secretUser
						if err := a.store.Regenerate(r, w, session); err != nil {
							t.Errorf("Regenerate: %v", err)
						}
					})
					want := map[any]any{"cart": secretValue, "user": secretUser}
					if got := b.values(); !reflect.DeepEqual(got, want) {
						t.Errorf("the values are %v, want %v", got, want)
					}
					a.waitUnlocked()
					live, dead := a.item(), a.tombstones()
					if len(dead) != 1 {
						t.Fatalf("the table holds the tombstones %s\nwant one", itemsText(dead...))
					}
					for _, item := range []dynamotest.Item{live, dead[0]} {
						for name, v := range item {
							if secrets := secretsIn(attrText(v)); len(secrets) != 0 {
								t.Errorf("attribute %q holds %q", name, secrets)
							}
						}
					}
					// Under the old ID, the new data does not open; nor does the old data under the
					// new ID.
					a.backend.Delete(t, a.key(live))
					forged := withAttributes(live, dynamotest.Item{"id": before["id"]})
					a.backend.Put(t, forged)
					a.wantUndecodable(late, forged, "it belongs to another session")
					forged = withAttributes(before, dynamotest.Item{"id": live["id"]})
					a.backend.Put(t, forged)
					a.wantUndecodable(b, forged, "it belongs to another session")
				})
			}
		}
	}
}

// Two instances, in the middle of a change of keys, merge their changes of one session.
func TestMergeOfEncryptedSessions(t *testing.T) {
	t.Parallel()
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
				a.wantSent("GetItem", "GetItem", "UpdateItem", "UpdateItem", "UpdateItem")
				want := map[any]any{"cart": "tea", "theirs": 1, "ours": 2}
				for _, browser := range []*browser{b, tab} {
					if got := browser.values(); !reflect.DeepEqual(got, want) {
						t.Errorf("the values are %v, want %v", got, want)
					}
				}
				only := a.cfg
				only.EncryptionKeys = [][]byte{itemKeyA}
				a.store = a.open(only, keyA)
				if got := b.values(); !reflect.DeepEqual(got, want) {
					t.Errorf("by the key of the last write, the values are %v, want %v", got, want)
				}
			})
		}
	}
}

// A Save does not merge into data that another instance encrypted by a key that this one lacks.
// Only Overwrite replaces it.
func TestConflictWithWhatCannotBeDecrypted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode dynamostore.Concurrency
		want error
	}{
		{dynamostore.Merge, dynamostore.ErrUndecodable},
		{dynamostore.Refuse, dynamostore.ErrConflict},
		{dynamostore.Overwrite, nil},
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
			wantError(t, err, test.want)
			if len(cookies) != 0 {
				t.Errorf("Save set the cookies %v", cookies)
			}
			if test.want == nil {
				if got, want := b.values(), (map[any]any{"cart": "tea", "k": "v"}); !reflect.DeepEqual(got, want) {
					t.Errorf("the values are %v, want %v", got, want)
				}
				return
			}
			a.waitUnlocked()
			theirs = withAttributes(theirs, dynamotest.Item{"lock": nil, "lock_until": nil}) // released
			if got := a.item(); !sameItem(got, theirs) {
				t.Errorf("the item is %s\nwant theirs: %s", itemsText(got), itemsText(theirs))
			}
		})
	}
}

// An encrypted session is touched, locked and changed like any other.
func TestEncryptedSessionsInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				c.EncryptionKeys, c.Concurrency, c.UserKey = [][]byte{itemKeyA}, mode.mode, "user"
			})
			b := a.browser()
			b.set("user", "ann")
			before, begin := a.item(), time.Now()
			if got := attrText(before["user"]); got != "S:ann" {
				t.Errorf("user is %s, want S:ann, which the index needs", got)
			}
			a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(24 * time.Hour))})
			if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 1 {
				t.Errorf("touch = %v, and the cookies %v, want the cookie", err, cookies)
			}
			touched := a.item()
			if !reflect.DeepEqual(touched["data"], before["data"]) || !reflect.DeepEqual(touched["version"], before["version"]) {
				t.Error("a touch wrote the data")
			}
			wantTime(t, "expires", attrNumber(t, touched, "expires"), begin, 30*24*time.Hour)
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
				t.Errorf("the values are %v, want %v", got, want)
			}
			b.logout()
			a.wantLive(0)
		})
	}
}
