package storetest

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// versionForm is the form of the attribute version, and of an entry of the attribute recent.
const versionForm = `[0-9A-V]{21}`

// versionAt returns a version as a write at that time makes it.
func versionAt(at time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(at.Unix()))[3:]
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(append(b, "12345678"...))
}

// versionTime returns the time in a version.
func versionTime(t testing.TB, version string) int64 {
	t.Helper()
	b, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(version)
	if err != nil || len(b) != 13 {
		t.Fatalf("version %q is not 13 bytes in base32: %v", version, err)
	}
	return int64(binary.BigEndian.Uint64(append(make([]byte, 3), b[:5]...)))
}

// wantItem asserts which attributes an item has, and that the text of each matches the pattern.
func wantItem(t testing.TB, item dynamotest.Item, want map[string]string) {
	t.Helper()
	if got, names := slices.Sorted(maps.Keys(item)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, names) {
		t.Errorf("the item has the attributes %q, want %q", got, names)
	}
	for name, pattern := range want {
		if got := attrText(item[name]); !regexp.MustCompile("(?s)^" + pattern + "$").MatchString(got) {
			t.Errorf("attribute %q is %q, want a match of %q", name, got, pattern)
		}
	}
}

// Each write leaves an item of exactly these attributes.
func TestItem(t *testing.T) {
	t.Parallel()
	form := func(more map[string]string) map[string]string {
		want := map[string]string{
			"id": "S:[A-Z2-7]{52}", "data": "B:.+", "codec": "S:gob", "version": "S:" + versionForm,
			"expires": `N:\d+`, "seen": `N:\d+`, "created": `N:\d+`,
		}
		maps.Copy(want, more)
		return want
	}
	const month = 30 * 24 * time.Hour
	a := newApp(t, func(c *dynamostore.Config) { c.UserKey, c.LabelKey = "user", "device" })
	b := a.browser()
	begin := time.Now()
	wantTimes := func(life time.Duration) {
		t.Helper()
		item := a.item()
		wantTime(t, "expires", attrNumber(t, item, "expires"), begin, life)
		wantTime(t, "seen", attrNumber(t, item, "seen"), begin, 0)
		wantTime(t, "created", attrNumber(t, item, "created"), begin, 0)
		wantTime(t, "the time in version", versionTime(t, strings.TrimPrefix(attrText(item["version"]), "S:")), begin, 0)
	}
	save := func(change func(*sessions.Session)) {
		t.Helper()
		if _, err := b.with(change); err != nil {
			t.Fatalf("Save: %v", err)
		}
	}

	save(func(s *sessions.Session) { s.Values["k"] = 1 })
	first := a.item()
	wantItem(t, first, form(nil))
	wantTimes(month)
	if data := first["data"].(*types.AttributeValueMemberB).Value; !reflect.DeepEqual(decodeGob(t, data), map[any]any{"k": 1}) {
		t.Errorf("data is %q, want the gob of the values", data)
	}

	// The write before is remembered, in its short form, for a minute.
	save(func(s *sessions.Session) { s.Values["k"] = 2 })
	second := a.item()
	short := func(item dynamotest.Item) string { return attrText(item["version"])[len("S:")+6 : len("S:")+16] }
	wantItem(t, second, form(map[string]string{"recent": "S:" + short(first)}))
	if attrText(second["version"]) == attrText(first["version"]) {
		t.Error("two writes have the same version")
	}
	save(func(s *sessions.Session) { s.Values["k"] = 3 })
	wantItem(t, a.item(), form(map[string]string{"recent": "S:" + short(second) + short(first)}))
	a.alter(dynamotest.Item{"version": dynamotest.S(versionAt(time.Now().Add(-2 * time.Minute)))})
	save(func(s *sessions.Session) { s.Values["k"] = 4 })
	wantItem(t, a.item(), form(nil))

	// max_age, options, user and label are there as long as they are needed.
	more := map[string]string{"max_age": "N:3600", "options": "S:[0-9a-f]{8}", "user": "S:ann", "label": "S:phone", "recent": "S:.*"}
	save(func(s *sessions.Session) {
		s.Options.MaxAge, s.Options.Path = 3600, "/app"
		s.Values["user"], s.Values["device"] = "ann", "phone"
	})
	wantItem(t, a.item(), form(more))
	wantTimes(time.Hour)
	b.client.Jar = a.browser().client.Jar // the cookie with the path /app is not sent
	b.setCookie(signed(t, attrText(a.item()["id"])[len("S:"):], keyA))
	save(func(s *sessions.Session) {
		*s.Options = *a.store.Options
		delete(s.Values, "user")
		delete(s.Values, "device")
	})
	wantItem(t, a.item(), form(map[string]string{"recent": "S:.*"}))
	wantTimes(month)
}

// A touch writes expires and seen, and nothing else.
func TestTouchWritesExpiresAndSeen(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", "v")
	a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(24 * time.Hour)), "seen": dynamotest.N(secondsFromNow(-29 * 24 * time.Hour))})
	before, begin := a.item(), time.Now()
	a.backend.Counts()
	if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 1 {
		t.Errorf("Save = %v, and the cookies %v, want the cookie", err, cookies)
	}
	a.wantSent("GetItem", "UpdateItem")
	after := a.item()
	wantTime(t, "expires", attrNumber(t, after, "expires"), begin, 30*24*time.Hour)
	wantTime(t, "seen", attrNumber(t, after, "seen"), begin, 0)
	if want := withAttributes(before, dynamotest.Item{"expires": after["expires"], "seen": after["seen"]}); !reflect.DeepEqual(after, want) {
		t.Errorf("the item is %s\nwant %s", itemsText(after), itemsText(want))
	}
}

// Under Lock, the item is locked from Get to Save.
func TestLockAttributes(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Lock })
	b := a.browser()
	b.set("k", "v")
	unlocked := slices.Sorted(maps.Keys(a.item()))
	begin := time.Now()
	if _, err := b.with(func(*sessions.Session) {
		item := a.item()
		if got := attrText(item["lock"]); !regexp.MustCompile(`^S:[A-Z2-7]{26}$`).MatchString(got) {
			t.Errorf("lock is %s, want 26 random characters", got)
		}
		wantTime(t, "lock_until", attrNumber(t, item, "lock_until")/1000, begin, 30*time.Second)
	}); err != nil {
		t.Errorf("Save: %v", err)
	}
	item := a.item()
	if attrText(item["lock_count"]) != "N:1" {
		t.Errorf("after a Save without a change, lock_count is %s, want 1", attrText(item["lock_count"]))
	}
	if got := slices.Sorted(maps.Keys(withoutReleasedLock(item))); !slices.Equal(got, unlocked) {
		t.Errorf("after a Save without a change, the item has the attributes %q, want %q", got, unlocked)
	}
	if _, err := b.with(func(s *sessions.Session) { s.Values["k"] = "w" }); err != nil {
		t.Errorf("Save: %v", err)
	}
	if item := a.item(); item["lock"] != nil || item["lock_until"] != nil || item["lock_count"] != nil {
		t.Errorf("after a changed Save, the item has a lock: %s", itemsText(item))
	}
}

// Config names the attributes and says what stands in the key.
func TestItemForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		want map[string]string // attribute: pattern of its text
	}{
		{"names", dynamostore.Config{KeyAttribute: "pk", DataAttribute: "blob", ExpiresAttribute: "ttl"},
			map[string]string{"pk": "S:.*", "blob": "B:.*", "ttl": "N:.*", "codec": "S:gob"}},
		{"names that DynamoDB reserves", dynamostore.Config{KeyAttribute: "key", DataAttribute: "values", ExpiresAttribute: "ttl", SortKeyAttribute: "range", SortKeyValue: "x"},
			map[string]string{"key": "S:.*", "values": "B:.*", "ttl": "N:.*", "range": "S:x"}},
		{"names that cannot stand in an expression", dynamostore.Config{KeyAttribute: "a b", DataAttribute: "#data", ExpiresAttribute: "é.[0]"},
			map[string]string{"a b": "S:.*", "#data": "B:.*", "é.[0]": "N:.*"}},
		{"prefix", dynamostore.Config{KeyPrefix: "shop/"}, map[string]string{"id": "S:shop/[A-Z2-7]{52}"}},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION"},
			map[string]string{"id": "S:.*", "sk": "S:SESSION"}},
		{"text", dynamostore.Config{DataType: dynamostore.String, Codec: dynamostore.JSONCodec{}},
			map[string]string{"data": `S:\{"user":"ann"\}`, "codec": "S:json"}},
		{"bytes as text", dynamostore.Config{DataType: dynamostore.String},
			map[string]string{"data": "S:[A-Za-z0-9+/]+=*", "codec": `S:gob\+base64`}},
		{"text in a binary attribute", dynamostore.Config{Codec: dynamostore.JSONCodec{}},
			map[string]string{"data": `B:\{"user":"ann"\}`, "codec": "S:json"}},
		{"an ID of the application's", dynamostore.Config{NewID: func() string { return "mine" }}, map[string]string{"id": "S:mine"}},
		{"hashed IDs", dynamostore.Config{HashIDs: true, KeyPrefix: "p-"}, map[string]string{"id": "S:p-[0-9a-f]{64}"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			b := a.browser()
			b.set("user", "ann")
			item := a.item()
			for name, pattern := range test.want {
				if got := attrText(item[name]); !regexp.MustCompile("(?s)^" + pattern + "$").MatchString(got) {
					t.Errorf("attribute %q is %q, want a match of %q", name, got, pattern)
				}
			}
			session, err := b.load()
			if err != nil || session.Values["user"] != "ann" {
				t.Errorf("Get = %v, %v, want the session", session.Values, err)
			}
			if test.cfg.HashIDs {
				for name, v := range item {
					if strings.Contains(attrText(v), session.ID) {
						t.Errorf("attribute %q holds the session's ID", name)
					}
				}
			}
			a.wantSent("PutItem", "GetItem")
			if _, err := b.with(func(*sessions.Session) {}); err != nil {
				t.Errorf("unchanged Save: %v", err)
			}
			a.wantSent("GetItem")
			b.set("user", "bob")
			a.wantSent("GetItem", "UpdateItem")
			if got := b.values()["user"]; got != "bob" {
				t.Errorf("user is %v, want bob", got)
			}
			b.logout()
			a.wantLive(0)
		})
	}
}

// However a session ends, its item is replaced by a tombstone. That is out of the index of users.
func TestTombstone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		configure func(*dynamostore.Config)
		gone      string
		end       func(a *app, b *browser, key string) error
	}{
		{"logout", nil, "ended", func(_ *app, b *browser, _ string) error {
			_, err := b.with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
			return err
		}},
		{"Destroy", nil, "ended", func(a *app, _ *browser, key string) error { return a.store.Destroy(a.Context(), key) }},
		{"DestroyUser", nil, "ended", func(a *app, _ *browser, _ string) error {
			ended, err := a.store.DestroyUser(a.Context(), "ann")
			if ended != 1 {
				a.Errorf("DestroyUser ended %d sessions, want 1", ended)
			}
			return err
		}},
		{"Regenerate", nil, "moved", regenerate},
		{"Regenerate, NoTransactions", func(c *dynamostore.Config) { c.NoTransactions = true }, "moved", regenerate},
	} {
		for _, mode := range modes {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newIndexedApp(t, func(c *dynamostore.Config) {
					c.LabelKey, c.Concurrency = "device", mode.mode
					if test.configure != nil {
						test.configure(c)
					}
				})
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) {
					s.Values["user"], s.Values["device"] = "ann", "phone"
					s.Options.MaxAge, s.Options.HttpOnly = 3600, false
				}); err != nil {
					t.Fatal(err)
				}
				b.set("k", strings.Repeat("a large session, ", 1000))
				before := a.item()
				if len(before) != 12 {
					t.Fatalf("the session has the attributes %q, want all but the lock's", slices.Sorted(maps.Keys(before)))
				}
				begin := time.Now()
				if err := test.end(a, b, attrText(before["id"])[len("S:"):]); err != nil {
					t.Fatalf("%s: %v", test.name, err)
				}
				dead := a.tombstones()
				if len(dead) != 1 {
					t.Fatalf("the table holds the tombstones %s\nwant one", itemsText(dead...))
				}
				wantItem(t, dead[0], map[string]string{
					"id": regexp.QuoteMeta(attrText(before["id"])), "gone": "S:" + test.gone, "version": "S:" + versionForm, "recent": "S:([0-9A-V]{10})+",
					"seen": `N:\d+`, "expires": `N:\d+`,
				})
				wantTime(t, "seen", attrNumber(t, dead[0], "seen"), begin, 0)
				wantTime(t, "expires", attrNumber(t, dead[0], "expires"), begin, 5*time.Minute)
				live := 0
				if test.gone == "moved" {
					live = 1
					// By this version, a request that lost the answer recognizes its own tombstone.
					if version := a.item()["version"]; !reflect.DeepEqual(dead[0]["version"], version) {
						t.Errorf("the tombstone has the version %s, want that of the new item, %s", attrText(dead[0]["version"]), attrText(version))
					}
				} else if !reflect.DeepEqual(dead[0]["version"], before["version"]) {
					t.Errorf("the tombstone has the version %s, want the session's, %s", attrText(dead[0]["version"]), attrText(before["version"]))
				}
				a.wantLive(live)
				listed := 0
				for _, err := range a.store.UserSessions(t.Context(), "ann") {
					if err != nil {
						t.Errorf("UserSessions: %v", err)
					}
					listed++
				}
				if listed != live {
					t.Errorf("UserSessions lists %d sessions, want %d", listed, live)
				}
			})
		}
	}
}

func regenerate(a *app, b *browser, _ string) (err error) {
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, getErr := a.store.Get(r, cookieName)
		if getErr != nil {
			a.Errorf("Get: %v", getErr)
		}
		err = a.store.Regenerate(r, w, session)
	})
	return err
}

// A tombstone under a composite key, and under names of the application's own.
func TestTombstoneForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		want []string
	}{
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION"}, []string{"expires", "gone", "id", "seen", "sk", "version"}},
		{"names", dynamostore.Config{KeyAttribute: "pk", DataAttribute: "blob", ExpiresAttribute: "ttl"}, []string{"gone", "pk", "seen", "ttl", "version"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg })
			b := a.browser()
			b.set("k", "v")
			key := a.key(a.item())
			b.logout()
			a.wantLive(0)
			dead := a.tombstones()
			if len(dead) != 1 {
				t.Fatalf("the table holds the tombstones %s\nwant one", itemsText(dead...))
			}
			if got := slices.Sorted(maps.Keys(dead[0])); !slices.Equal(got, test.want) {
				t.Errorf("the tombstone has the attributes %q, want %q", got, test.want)
			}
			if got := a.key(dead[0]); !reflect.DeepEqual(got, key) {
				t.Errorf("the tombstone has the key %v, want the session's, %v", got, key)
			}
		})
	}
}

// An application's own attributes stay with the session, also under a new ID. They end with it.
func TestOtherAttributesStayWithTheSession(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	others := dynamotest.Item{"user": dynamotest.S("theirs"), "label": dynamotest.N("1")} // without UserKey and LabelKey
	for kind, v := range attributeTypes {
		others["other "+kind] = v
	}
	a.alter(others)
	b.set("k", 2)
	a.wantAttributes("after a changed Save", others)
	a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour))})
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Errorf("Save: %v", err)
	}
	a.wantAttributes("after a touch", others)
	if err := regenerate(a, b, ""); err != nil {
		t.Errorf("Regenerate: %v", err)
	}
	a.wantAttributes("after Regenerate", others)
	b.logout()
	a.wantLive(0)
	for _, item := range a.tombstones() {
		for name := range others {
			if item[name] != nil {
				t.Errorf("a tombstone has the attribute %q", name)
			}
		}
	}
}

// wantAttributes asserts that the only session's item has these attributes.
func (a *app) wantAttributes(when string, want dynamotest.Item) {
	a.Helper()
	item := a.item()
	if want := withAttributes(item, want); !reflect.DeepEqual(item, want) {
		a.Errorf("%s, the item is %s\nwant %s", when, itemsText(item), itemsText(want))
	}
}

// Items of other stores load, and the first Save writes them in this Store's form.
func TestForeignItemIsConverted(t *testing.T) {
	t.Parallel()
	values := map[any]any{"user": "ann"}
	inAnHour := dynamotest.N(secondsFromNow(time.Hour))
	data := dynamotest.B(encodeGob(t, values))
	text := base64.StdEncoding.EncodeToString(encodeGob(t, values))
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		item dynamotest.Item
	}{
		{"gob in a binary attribute", dynamostore.Config{}, dynamotest.Item{"data": data, "expires": inAnHour}},
		{"without expires", dynamostore.Config{}, dynamotest.Item{"data": data}},
		{"gob in base64", dynamostore.Config{DataAttribute: "session", ExpiresAttribute: "ttl"},
			dynamotest.Item{"session": dynamotest.S(text), "ttl": inAnHour}},
		{"JSON as text, read by a further codec", dynamostore.Config{ReadCodecs: []dynamostore.Codec{dynamostore.JSONCodec{}}},
			dynamotest.Item{"data": dynamotest.S(`{"user":"ann"}`), "expires": inAnHour}},
		{"a version of the other store's", dynamostore.Config{}, dynamotest.Item{"data": data, "version": dynamotest.S("v1"), "expires": inAnHour}},
		{"a version longer than this Store's", dynamostore.Config{}, dynamotest.Item{"data": data, "version": dynamotest.S(strings.Repeat("V", 60))}},
		{"absurd numbers", dynamostore.Config{}, dynamotest.Item{
			"data": data, "codec": dynamotest.S("gob"), "version": dynamotest.S("v"), "expires": dynamotest.N("1e100"),
			"created": dynamotest.N("-1e100"), "seen": dynamotest.N("1e100"), "max_age": dynamotest.N("-5"),
		}},
		{"a fraction of a second", dynamostore.Config{}, dynamotest.Item{"data": data, "expires": dynamotest.N(secondsFromNow(time.Hour) + ".25")}},
		{"expires in milliseconds", dynamostore.Config{}, dynamotest.Item{"data": data, "expires": dynamotest.N(millisecondsFromNow(time.Hour))}},
		{"another type of data attribute", dynamostore.Config{DataType: dynamostore.String},
			dynamotest.Item{"data": data, "codec": dynamotest.S("gob"), "version": dynamotest.S("v"), "expires": inAnHour, "created": dynamotest.N("1"), "seen": dynamotest.N("1")}},
	} {
		for _, mode := range modes {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				begin := time.Now()
				a := newApp(t, func(c *dynamostore.Config) { *c = test.cfg; c.Concurrency = mode.mode })
				b := a.put("foreign", test.item)
				session, err := b.load()
				if err != nil || session.IsNew || session.ID != "foreign" || !reflect.DeepEqual(session.Values, values) {
					t.Fatalf("Get = %+v, %v, want the other store's session", session, err)
				}
				a.waitUnlocked()
				a.backend.Counts()
				cookies, err := b.with(func(*sessions.Session) {})
				if err != nil || len(cookies) != 1 {
					t.Errorf("the first Save = %v, and the cookies %v, want the cookie", err, cookies)
				}
				if mode.mode == dynamostore.Lock {
					a.wantSent("UpdateItem", "UpdateItem")
				} else {
					a.wantSent("GetItem", "UpdateItem")
				}
				item := a.item()
				data, expires, dataType := "data", "expires", "B:"
				if test.cfg.DataAttribute != "" {
					data, expires = test.cfg.DataAttribute, test.cfg.ExpiresAttribute
				}
				codec := "S:gob"
				if test.cfg.DataType == dynamostore.String {
					dataType, codec = "S:", "S:gob+base64"
				}
				if got := attrText(item[data]); !strings.HasPrefix(got, dataType) {
					t.Errorf("data is %s, want the type %s", got, dataType)
				}
				if got := attrText(item["version"]); !regexp.MustCompile("^S:" + versionForm + "$").MatchString(got) {
					t.Errorf("version is %s, want one of this Store's", got)
				}
				if got := attrText(item["codec"]); got != codec {
					t.Errorf("codec is %s, want %s", got, codec)
				}
				wantTime(t, "expires", attrNumber(t, item, expires), begin, 30*24*time.Hour)
				wantTime(t, "seen", attrNumber(t, item, "seen"), begin, 0)
				if attrText(test.item["created"]) == "N:1" {
					if got := attrText(item["created"]); got != "N:1" {
						t.Errorf("created is %s, want it as it was", got)
					}
				} else {
					wantTime(t, "created", attrNumber(t, item, "created"), begin, 0)
				}
				if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
					t.Errorf("a later Save = %v, and the cookies %v, want neither", err, cookies)
				}
				if after := a.item(); !sameItem(after, item) {
					t.Errorf("a later Save left the item %s\nwant it as it was: %s", itemsText(after), itemsText(item))
				}
				b.set("user", "bob")
				if got := b.values(); len(got) != 1 || got["user"] != "bob" {
					t.Errorf("after a change, the values are %v", got)
				}
			})
		}
	}
}

// No attribute below expires is trusted: whatever type it has, the session loads, and goes on.
func TestAttributesOfAnyType(t *testing.T) {
	t.Parallel()
	values := map[any]any{"user": "ann"}
	names := []string{"codec", "version", "recent", "created", "seen", "max_age", "options", "user", "label", "gone", "lock", "lock_until", "lock_count"}
	kinds := slices.Sorted(maps.Keys(attributeTypes))
	type attribute struct{ name, kind string }
	var attributes []attribute
	for _, name := range names {
		for _, kind := range kinds {
			if name != "codec" || kind != "S" { // which names an unknown codec
				attributes = append(attributes, attribute{name, kind})
			}
		}
	}
	for _, name := range names {
		for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
			t.Run(name+", "+modes[mode].name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode })
				for _, attribute := range thinned(attributes) {
					if attribute.name != name {
						continue
					}
					kind, v := attribute.kind, attributeTypes[attribute.kind]
					b := a.put("theID", dynamotest.Item{"data": dynamotest.B(encodeGob(t, values)), "expires": dynamotest.N(secondsFromNow(time.Hour)), name: v})
					session, err := b.load()
					if err != nil || session.IsNew || !reflect.DeepEqual(session.Values, values) {
						t.Errorf("%s of type %s: Get = %+v, %v, want the session", name, kind, session, err)
						continue
					}
					a.waitUnlocked()
					if _, err := b.with(func(*sessions.Session) {}); err != nil {
						t.Errorf("%s of type %s: an unchanged Save: %v", name, kind, err)
					}
					if _, err := b.with(func(s *sessions.Session) { s.Values["n"] = 1 }); err != nil {
						t.Errorf("%s of type %s: a changed Save: %v", name, kind, err)
					}
					if got, want := b.values(), (map[any]any{"user": "ann", "n": 1}); !reflect.DeepEqual(got, want) {
						t.Errorf("%s of type %s: the values are then %v, want %v", name, kind, got, want)
					}
					a.waitUnlocked()
					if err := regenerate(a, b, ""); err != nil {
						t.Errorf("%s of type %s: Regenerate: %v", name, kind, err)
					}
					b.logout()
					if session, err := b.load(); err != nil || !session.IsNew {
						t.Errorf("%s of type %s: after the logout, Get = %+v, %v, want a new session", name, kind, session, err)
					}
					for _, item := range a.backend.Items(t) {
						if item["data"] != nil {
							t.Errorf("%s of type %s: after the logout, the table holds the session %s", name, kind, itemsText(item))
						}
						a.backend.Delete(t, a.key(item))
					}
				}
			})
		}
	}
}

// An item that has data is a session, whatever else it holds: an older store may have written it on
// top of a tombstone.
func TestItemWithDataIsASession(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"ended", "moved"} {
		for _, mode := range modes {
			t.Run(gone+", "+mode.name, func(t *testing.T) {
				a := newIndexedApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				older := dynamotest.Item{
					"data": dynamotest.B(encodeGob(t, map[any]any{"user": "ann"})), "codec": dynamotest.S("gob"), "version": dynamotest.S(versionAt(time.Now())),
					"expires": dynamotest.N(secondsFromNow(time.Hour)), "seen": dynamotest.N(secondsFromNow(0)), "created": dynamotest.N(secondsFromNow(0)),
					"user": dynamotest.S("ann"), "gone": dynamotest.S(gone),
				}
				b := a.put("theID", older)
				b.set("k", "v")
				session, err := b.load()
				if want := (map[any]any{"user": "ann", "k": "v"}); err != nil || session.IsNew || !reflect.DeepEqual(session.Values, want) {
					t.Errorf("Get = %+v, %v, want %v", session, err, want)
				}
				a.waitUnlocked()
				b.logout()
				if session, err := b.load(); err != nil || !session.IsNew {
					t.Errorf("after the logout, Get = %+v, %v, want a new session", session, err)
				}
				if got := attrText(a.tombstones()[0]["gone"]); got != "S:ended" {
					t.Errorf("after the logout, gone is %s, want ended", got)
				}

				b = a.put("theID", older)
				if err := a.store.Destroy(t.Context(), "theID"); err != nil {
					t.Errorf("Destroy: %v", err)
				}
				if session, err := b.load(); err != nil || !session.IsNew {
					t.Errorf("after Destroy, Get = %+v, %v, want a new session", session, err)
				}
				b = a.put("theID", older)
				if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
					t.Errorf("DestroyUser = %d, %v, want 1", n, err)
				}
				if session, err := b.load(); err != nil || !session.IsNew {
					t.Errorf("after DestroyUser, Get = %+v, %v, want a new session", session, err)
				}
			})
		}
	}
}

// An item without data is not a session, and nothing changes it.
func TestItemWithoutDataIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newIndexedApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			b := a.put("theID", dynamotest.Item{
				"user": dynamotest.S("ann"), "expires": dynamotest.N(secondsFromNow(time.Hour)), "created": dynamotest.N("1"),
				"version": dynamotest.S(versionAt(time.Now())), "invoice": dynamotest.S("paid"),
			})
			before := a.item()
			wantUntouched := func(after string) {
				t.Helper()
				a.waitUnlocked()
				for _, item := range a.backend.Items(t) {
					if reflect.DeepEqual(item, before) {
						return
					}
				}
				t.Errorf("%s changed the item: the table holds %s\nwant %s", after, itemsText(a.backend.Items(t)...), itemsText(before))
			}
			tab := b.tab()
			if session, err := tab.load(); !session.IsNew {
				t.Errorf("Get = %+v, %v, want a new session", session, err)
			}
			wantUntouched("Get")
			cookies := tab.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err != nil {
					t.Errorf("logout: %v", err)
				}
			})
			if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
				t.Errorf("logout set the cookies %v, want an expired one", cookies)
			}
			wantUntouched("logout")
			if err := a.store.Destroy(t.Context(), "theID"); err != nil {
				t.Errorf("Destroy: %v", err)
			}
			wantUntouched("Destroy")
			if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 0 || err != nil {
				t.Errorf("DestroyUser = %d, %v, want nothing to end", n, err)
			}
			wantUntouched("DestroyUser")
			for _, save := range []struct {
				name string
				save func(*http.Request, http.ResponseWriter, *sessions.Session) error
			}{{"Save", a.store.Save}, {"Regenerate", a.store.Regenerate}} {
				tab := b.tab()
				tab.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Values["k"] = "v"
					if err := save.save(r, w, session); err != nil {
						t.Errorf("%s: %v", save.name, err)
					}
				})
				if got := tab.values()["k"]; got != "v" {
					t.Errorf("after %s of a new session, k is %v", save.name, got)
				}
				wantUntouched(save.name)
			}
		})
	}
}

// Another store writes milliseconds. The session lives until then, and no longer.
func TestExpiresInMilliseconds(t *testing.T) {
	t.Parallel()
	data := dynamotest.B(encodeGob(t, map[any]any{"n": 1}))
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			begin := time.Now()
			b := a.put("theID", dynamotest.Item{"data": data, "expires": dynamotest.N(millisecondsFromNow(time.Hour))})
			for info, err := range a.store.Sessions(t.Context()) {
				if err != nil {
					t.Fatalf("Sessions: %v", err)
				}
				wantTime(t, "SessionInfo.Expires", info.Expires.Unix(), begin, time.Hour)
			}
			b.set("n", 2)
			if got := b.values()["n"]; got != 2 {
				t.Errorf("n is %v, want 2", got)
			}
			wantTime(t, "expires, after a Save", attrNumber(t, a.item(), "expires"), begin, 30*24*time.Hour)

			b = a.put("theID", dynamotest.Item{"data": data, "expires": dynamotest.N(millisecondsFromNow(-time.Second))})
			if session, err := b.load(); err != nil || !session.IsNew || session.ID != "" {
				t.Errorf("of an expired item, Get = %+v, %v, want a new session", session, err)
			}

			// It expires between load and Save.
			b = a.put("theID", dynamotest.Item{"data": data, "expires": dynamotest.N(millisecondsFromNow(time.Hour))})
			cookies, err := b.with(func(s *sessions.Session) {
				a.alter(dynamotest.Item{"expires": dynamotest.N(millisecondsFromNow(-time.Second))})
				s.Values["n"] = 3
			})
			wantError(t, err, dynamostore.ErrGone)
			if len(cookies) != 0 {
				t.Errorf("Save of an expired session set the cookies %v", cookies)
			}
		})
	}
}

// Another store may still be writing.
func TestForeignItemChangedMeanwhileIsAConflict(t *testing.T) {
	t.Parallel()
	one, two := dynamotest.B(encodeGob(t, map[any]any{"n": 1})), dynamotest.B(encodeGob(t, map[any]any{"n": 2}))
	for _, test := range []struct {
		name          string
		before, after dynamotest.Item
	}{
		{"its data", dynamotest.Item{"data": one}, dynamotest.Item{"data": two}},
		{"the type of its data", dynamotest.Item{"data": dynamotest.S(base64.StdEncoding.EncodeToString(one.(*types.AttributeValueMemberB).Value))}, dynamotest.Item{"data": one}},
		{"its version, a number", dynamotest.Item{"data": one, "version": dynamotest.N("1")}, dynamotest.Item{"version": dynamotest.N("2")}},
		{"its version, a list", dynamotest.Item{"data": one, "version": attributeTypes["L"]}, dynamotest.Item{"version": attributeTypes["SS"]}},
		{"its version, which it did not have", dynamotest.Item{"data": one}, dynamotest.Item{"version": dynamotest.S("v")}},
		{"its version, which it does not have any more", dynamotest.Item{"data": one, "version": dynamotest.S("v")}, dynamotest.Item{"version": nil}},
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
			wantError(t, err, dynamostore.ErrConflict)
			if got := a.item(); !reflect.DeepEqual(got, after) {
				t.Errorf("the item is %s\nwant the other store's: %s", itemsText(got), itemsText(after))
			}
		})
	}
}

// An item that cannot be decoded is told apart from no session. A Save creates a new one, and
// leaves the item as it is.
func TestUndecodableItems(t *testing.T) {
	t.Parallel()
	good := encodeGob(t, map[any]any{"user": "ann"})
	for _, test := range []struct {
		name string
		item dynamotest.Item
		says string
	}{
		{"no data", dynamotest.Item{}, `no attribute "data"`},
		{"data is a number", dynamotest.Item{"data": dynamotest.N("1")}, `"data" is neither binary (B) nor a string (S)`},
		{"data is a map", dynamotest.Item{"data": attributeTypes["M"]}, `"data" is neither`},
		{"expires is a string", dynamotest.Item{"data": dynamotest.B(good), "expires": dynamotest.S("secret")}, `"expires" is not a number (N)`},
		{"expires is a set of numbers", dynamotest.Item{"data": dynamotest.B(good), "expires": attributeTypes["NS"]}, `"expires" is not a number (N)`},
		{"a tombstone by a wrong type", dynamotest.Item{"gone": dynamotest.N("1")}, `no attribute "data"`},
		{"a tombstone of another kind", dynamotest.Item{"gone": dynamotest.S("secret")}, `no attribute "data"`},
		{"not a gob", dynamotest.Item{"data": dynamotest.B([]byte("secret")), "codec": dynamotest.S("gob")}, "not a gob"},
		{"half a gob", dynamotest.Item{"data": dynamotest.B(good[:len(good)/2]), "codec": dynamotest.S("gob")}, "not a gob"},
		{"a gob of something else", dynamotest.Item{"data": dynamotest.B(encodeGob(t, []string{"secret"})), "codec": dynamotest.S("gob")}, "not a gob"},
		{"a gob with a slice for a key", dynamotest.Item{"data": dynamotest.B([]byte(gobWithSliceKey)), "codec": dynamotest.S("gob")}, "not a gob"},
		{"not JSON", dynamotest.Item{"data": dynamotest.B([]byte("secret")), "codec": dynamotest.S("json")}, ""},
		{"half of JSON", dynamotest.Item{"data": dynamotest.B([]byte(`{"user":"secret`)), "codec": dynamotest.S("json")}, ""},
		{"JSON of something else", dynamotest.Item{"data": dynamotest.S(`["secret"]`), "codec": dynamotest.S("json")}, ""},
		{"JSON with an unlisted type", dynamotest.Item{"data": dynamotest.S(`{"user":{"$other.T":{}}}`), "codec": dynamotest.S("json")}, "Types"},
		{"an unknown codec", dynamotest.Item{"data": dynamotest.B(good), "codec": dynamotest.S("secret")}, "Config.ReadCodecs"},
		{"an unknown step", dynamotest.Item{"data": dynamotest.B(good), "codec": dynamotest.S("gob+secret")}, "step"},
		{"not base64", dynamotest.Item{"data": dynamotest.S("secret!"), "codec": dynamotest.S("gob+base64")}, "base64"},
		{"another store's, of another form", dynamotest.Item{"data": dynamotest.B([]byte("secret"))}, "does not name its codec"},
		{"empty data", dynamotest.Item{"data": dynamotest.B([]byte{})}, "does not name its codec"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.ReadCodecs = []dynamostore.Codec{dynamostore.JSONCodec{}} })
			b := a.put("theID", test.item)
			before := a.backend.Items(t)[0]
			session, err := b.load()
			wantError(t, err, dynamostore.ErrUndecodable, "secret", "theID")
			for _, want := range []string{a.cfg.Table, test.says} {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if !session.IsNew || session.ID != "" || len(session.Values) != 0 {
				t.Errorf("Get = %+v, want a new session", session)
			}
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			if got := b.values()["k"]; got != "v" {
				t.Errorf("k is %v, want v", got)
			}
			if !slices.ContainsFunc(a.backend.Items(t), func(item dynamotest.Item) bool { return reflect.DeepEqual(item, before) }) {
				t.Errorf("the item that cannot be decoded was changed; the table holds %s", itemsText(a.backend.Items(t)...))
			}
		})
	}
}

// gobWithSliceKey is a gob whose first key is a slice. No encoder writes that.
const gobWithSliceKey = "\r\x7f\x04\x01\x02\xff0\x00\x01\x10\x01\x10\x00\x000\xff\x80\x000\a[]uint8\n0\x00\x040000\x00" +
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

// The tombstone of Destroy, too, has none of the application's own attributes.
func TestDestroyRemovesOtherAttributes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.browser().set("k", 1)
	a.alter(dynamotest.Item{"other": dynamotest.S("theirs")})
	if err := a.store.Destroy(t.Context(), attrText(a.item()["id"])[len("S:"):]); err != nil {
		t.Errorf("Destroy: %v", err)
	}
	if dead := a.tombstones(); len(dead) != 1 || dead[0]["other"] != nil {
		t.Errorf("Destroy left %s\nwant one tombstone without other attributes", itemsText(dead...))
	}
}

// Nor has the tombstone of a logout in the request that gave the session its ID.
func TestLogoutAfterRegenerateRemovesOtherAttributes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	a.alter(dynamotest.Item{"other": dynamotest.S("theirs")})
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		if err := a.store.Regenerate(r, w, session); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err != nil {
			t.Errorf("logout: %v", err)
		}
	})
	a.wantLive(0)
	for _, item := range a.tombstones() {
		if item["other"] != nil {
			t.Errorf("the logout left %s\nwant a tombstone without other attributes", itemsText(item))
		}
	}
}

// An item that has data is a session, whatever else it has: Sessions lists one that an older store wrote
// over a tombstone.
func TestSessionsListsWhatHasData(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.put("theID", dynamotest.Item{
		"data": dynamotest.B(encodeGob(t, map[any]any{"k": 1})), "gone": dynamotest.S("ended"), "expires": dynamotest.N(secondsFromNow(time.Hour)),
	})
	n := 0
	for _, err := range a.store.Sessions(t.Context()) {
		if err != nil {
			t.Errorf("Sessions: %v", err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("Sessions lists %d sessions, want 1", n)
	}
}
