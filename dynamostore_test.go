package dynamostore_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// Types of the application's own.
type (
	cart   struct{ Items []string }
	basket struct{ Items []string } // stored by pointer
)

func TestMain(m *testing.M) {
	gob.Register(cart{})
	gob.Register(&basket{})
	gob.Register(map[string]int{})
	gob.Register(time.Time{})
	gob.Register(time.Duration(0))
	os.Exit(m.Run())
}

// What New returns, by what the request brings.

func TestNoCookieIsANewSession(t *testing.T) {
	a := newApp(t)
	session, err := a.browser().load()
	if err != nil || !session.IsNew || session.ID != "" || len(session.Values) != 0 {
		t.Errorf("Get = %+v, %v, want a new, empty session", session, err)
	}
	if want := (sessions.Options{Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}); *session.Options != want {
		t.Errorf("Options = %+v, want %+v", *session.Options, want)
	}
	a.sent()
}

func TestBadCookiesAreSecurecookieErrors(t *testing.T) {
	good := signed(t, strings.Repeat("A", 52), keyA)
	for _, test := range []struct{ name, cookie string }{
		{"forged", signed(t, strings.Repeat("A", 52), keyB)},
		{"cut", good[:len(good)/2]},
		{"no base64", "***"},
		{"of a CookieStore", signed(t, map[any]any{"user": "ann"}, keyA)},
		{"oversize", strings.Repeat("A", 5000)},
		{"another name's", func() string {
			s, _ := securecookie.EncodeMulti("other", "AAAA", securecookie.CodecsFromPairs(keyA)...)
			return s
		}()},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.setCookie(test.cookie)
			session, err := b.load()
			var cookieError securecookie.Error
			if !errors.As(err, &cookieError) {
				t.Errorf("Get's error = %v (%T), want securecookie's", err, err)
			}
			if _, ok := err.(securecookie.MultiError); !ok {
				t.Errorf("Get's error is a %T, want it as securecookie returned it", err)
			}
			if !session.IsNew || session.ID != "" {
				t.Errorf("session %+v is not new", session)
			}
			a.sent()
			// The session is usable.
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			a.sent("PutItem")
			if got := b.values()["k"]; got != "v" {
				t.Errorf("the session that was saved holds %v", got)
			}
		})
	}
}

// The ID in a cookie that verifies is still not trusted to be a key.
func TestCookiesThatNameNoItem(t *testing.T) {
	for _, test := range []struct{ name, id string }{
		{"empty", ""},
		{"too long for a key", strings.Repeat("A", 2049)},
		{"not UTF-8", "\xff\xfe"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.setCookie(signed(t, test.id, keyA))
			session, err := b.load()
			if err != nil || !session.IsNew || session.ID != "" {
				t.Errorf("Get = %+v, %v, want a new session", session, err)
			}
			a.sent()
		})
	}
}

func TestSessionComesBack(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	cookies := b.set("user", "ann")
	a.sent("PutItem")
	if len(cookies) != 1 {
		t.Fatalf("first Save set %d cookies, want 1", len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 30*24*60*60 {
		t.Errorf("cookie = %q", c.Raw)
	}
	session, err := b.load()
	if err != nil || session.IsNew || len(session.ID) != 52 || session.Values["user"] != "ann" {
		t.Errorf("Get = %+v, %v, want the session that was saved", session, err)
	}
	a.sent("GetItem")
	item := a.item()
	if got, want := render(item["id"]), "S:"+session.ID; got != want {
		t.Errorf("key = %s, want %s", got, want)
	}
	if got := render(item["codec"]); got != "S:gob" {
		t.Errorf("codec = %s, want S:gob", got)
	}
	about(t, "expires", numberOf(t, item, "expires"), time.Now().Add(30*24*time.Hour))
	about(t, "created", numberOf(t, item, "created"), time.Now())
	if !strings.HasPrefix(render(item["version"]), "S:") || render(item["max_age"]) != "absent" || len(item) != 6 {
		t.Errorf("item = %v", item)
	}
	if !strings.HasPrefix(render(item["data"]), "B:") {
		t.Errorf("data = %s, want type B", render(item["data"]))
	}
}

// A dead ID is never taken up again: whoever planted or kept it must not know the new session's.
func TestDeadSessionIsNotTakenUpAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  func(*dynamostore.Config)
		kill func(a *app)
	}{
		{"missing", nil, func(a *app) { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }},
		{"past expires", nil, func(a *app) { a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(0))}) }},
		{"expired before 1970", nil, func(a *app) { a.alter(dynamotest.Item{"expires": dynamotest.N("-1")}) }},
		{"past MaxLifetime",
			func(c *dynamostore.Config) { c.MaxLifetime = time.Hour },
			func(a *app) { a.alter(dynamotest.Item{"created": dynamotest.N(inSeconds(-time.Hour))}) }},
		{"expired tombstone", nil, func(a *app) {
			a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(-time.Second)), "moved": dynamotest.N("1"), "data": nil})
		}},
	} {
		for _, eventual := range []bool{false, true} {
			name := test.name
			reads := []string{"GetItem"}
			if eventual {
				name += ", eventual reads"
				reads = append(reads, "GetItem")
			}
			t.Run(name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					c.EventualReads = eventual
					if test.cfg != nil {
						test.cfg(c)
					}
				})
				b := a.browser()
				b.set("user", "ann")
				old := render(a.item()["id"])
				test.kill(a)
				a.sent("PutItem")
				session, err := b.load()
				if err != nil || !session.IsNew || session.ID != "" || len(session.Values) != 0 {
					t.Errorf("Get = %+v, %v, want a new session with an empty ID", session, err)
				}
				a.sent(reads...)
				if cookies := b.set("k", "v"); len(cookies) != 1 {
					t.Errorf("Save set %d cookies, want 1", len(cookies))
				}
				a.sent(append(reads, "PutItem")...)
				if session, _ := b.load(); "S:"+session.ID == old || session.Values["k"] != "v" {
					t.Errorf("the new session is %+v, under the dead ID or not saved", session)
				}
			})
		}
	}
}

// With eventually consistent reads, a session that was written a moment ago is found: the miss
// is read again, strongly.
func TestEventualReadsReadAMissAgain(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.EventualReads = true })
	b := a.browser()
	b.set("user", "ann")
	a.sent("PutItem")
	id := a.item()["id"]
	item := a.item()
	// The first read comes too early.
	a.backend.Delete(t, dynamotest.Item{"id": id})
	a.backend.Inject("GetItem", dynamotest.Do(func() {}), dynamotest.Do(func() { a.backend.Put(t, item) }))
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v, want ann", got)
	}
	a.sent("GetItem", "GetItem")
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v, want ann", got)
	}
	a.sent("GetItem")
}

// An application that ignores the error of Get must not overwrite the session that was there, nor
// the cookie that leads to it.
func TestFailedReadIsNotOverwritten(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  dynamotest.Fault
		n      int
		target error
	}{
		{"refused", dynamotest.Refused, 3, nil},
		{"throttled", dynamotest.Throttled, 3, nil},
		{"denied", dynamotest.Denied, 1, nil},
		{"garbage", dynamotest.Garbage, 3, nil},
		{"silent", dynamotest.Silent, 1, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Timeout = 100 * time.Millisecond })
			if test.name != "silent" {
				a.store = a.open(dynamostore.Config{Table: a.cfg.Table}, keyA)
			}
			b := a.browser()
			b.set("user", "ann")
			before := a.item()
			a.backend.Counts()
			a.backend.Inject("GetItem", dynamotest.Times(test.n, test.fault)...)
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
					t.Errorf("Get's error = %v, want one that names the table", err)
				}
				if test.target != nil {
					is(t, err, test.target)
				}
				if session == nil || !session.IsNew || len(session.Values) != 0 {
					t.Errorf("Get = %+v, want a new session", session)
				}
				a.backend.Heal()
				session.Values["cart"] = "tea"
				is(t, session.Save(r, w), dynamostore.ErrNotLoaded)
			})
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			if counts := a.backend.Counts(); len(counts) != 1 || counts["GetItem"] == 0 {
				t.Errorf("DynamoDB was sent %v, want GetItem alone", counts)
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
			if got := b.values()["user"]; got != "ann" {
				t.Errorf("user = %v, want ann", got)
			}
			// A logout goes through all the same.
			a.backend.Inject("GetItem", dynamotest.Times(test.n, test.fault)...)
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err != nil {
					t.Errorf("logout: %v", err)
				}
			})
			a.empty()
			if b.cookie() != "" {
				t.Error("the browser still has its cookie")
			}
		})
	}
}

func TestTombstoneKeepsTheRotatedCookie(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.alter(dynamotest.Item{"data": nil, "moved": dynamotest.N("1"), "expires": dynamotest.N(inSeconds(time.Minute))})
	before := a.item()
	a.sent("PutItem")
	session, err := b.load()
	if err != nil || !session.IsNew || session.ID != "" || len(session.Values) != 0 {
		t.Errorf("Get = %+v, %v, want a new session", session, err)
	}
	cookies, err := b.with(func(s *sessions.Session) { s.Values["k"] = "v" })
	is(t, err, dynamostore.ErrGone)
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v over the rotated one", cookies)
	}
	a.sent("GetItem", "GetItem")
	// A logout takes the cookie away, and leaves the tombstone to do its work. It ended nothing, and says so.
	_, err = b.with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
	is(t, err, dynamostore.ErrGone)
	if b.cookie() != "" {
		t.Error("the browser still has its cookie")
	}
	a.sent("GetItem")
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
}

// What Save does, by what the session is.

func TestUnchangedSessionCostsNothing(t *testing.T) {
	values := map[any]any{
		"string": "v", "int": 1, "bool": true, "time": time.Now(), "bytes": []byte("x"),
		"strings": []string{"a", "b"}, 7: "key of another type",
	}
	for _, test := range []struct {
		name   string
		codec  dynamostore.Codec
		values map[any]any
	}{
		{"gob, empty", dynamostore.GobCodec{}, nil},
		{"gob, scalars", dynamostore.GobCodec{}, map[any]any{"a": "b", "c": 1, "d": 2.5, "e": time.Now()}},
		{"gob, many kinds", dynamostore.GobCodec{}, values},
		{"json, scalars", dynamostore.JSONCodec{}, map[any]any{"a": "b", "c": 1, "d": 2.5, "nil": nil}},
		{"json, nested", dynamostore.JSONCodec{Types: []any{cart{}}}, map[any]any{
			"cart": &cart{Items: []string{"tea"}}, "l": []any{1, "a"}, "m": map[string]any{"x": []any{}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.Codec = test.codec })
			b := a.browser()
			if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, test.values) }); err != nil {
				t.Fatalf("Save: %v", err)
			}
			a.sent("PutItem")
			before := a.item()
			for range 10 { // gob writes maps in another order each time
				cookies, err := b.with(func(*sessions.Session) {})
				if err != nil || len(cookies) != 0 {
					t.Errorf("Save = %v, and cookies %v, want neither", err, cookies)
				}
				a.sent("GetItem")
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

func TestChangesAreSeen(t *testing.T) {
	for _, codec := range []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{Types: []any{basket{}, map[string]int{}}},
	} {
		for _, test := range []struct {
			name   string
			before map[any]any
			change func(map[any]any)
			check  func(map[any]any) bool
		}{
			{"a new key", nil,
				func(v map[any]any) { v["k"] = 1 }, func(v map[any]any) bool { return v["k"] == 1 }},
			{"a value", map[any]any{"k": 1},
				func(v map[any]any) { v["k"] = 2 }, func(v map[any]any) bool { return v["k"] == 2 }},
			{"a type", map[any]any{"k": 1},
				func(v map[any]any) { v["k"] = int64(1) }, func(v map[any]any) bool { return v["k"] == int64(1) }},
			{"a deleted key", map[any]any{"k": 1, "l": 1},
				func(v map[any]any) { delete(v, "k") }, func(v map[any]any) bool { return len(v) == 1 && v["l"] == 1 }},
			{"a renamed key", map[any]any{"k": 1},
				func(v map[any]any) { delete(v, "k"); v["l"] = 1 }, func(v map[any]any) bool { return len(v) == 1 && v["l"] == 1 }},
			{"inside a slice", map[any]any{"k": []string{"a", "b"}},
				func(v map[any]any) { v["k"].([]string)[1] = "c" }, func(v map[any]any) bool { return v["k"].([]string)[1] == "c" }},
			{"inside bytes", map[any]any{"k": []byte("ab")},
				func(v map[any]any) { v["k"].([]byte)[1] = 'c' }, func(v map[any]any) bool { return string(v["k"].([]byte)) == "ac" }},
			{"inside a map", map[any]any{"k": map[string]int{"a": 1}},
				func(v map[any]any) { v["k"].(map[string]int)["a"]++ }, func(v map[any]any) bool { return v["k"].(map[string]int)["a"] == 2 }},
			{"behind a pointer", map[any]any{"k": &basket{Items: []string{"tea"}}},
				func(v map[any]any) { v["k"].(*basket).Items[0] = "milk" }, func(v map[any]any) bool { return v["k"].(*basket).Items[0] == "milk" }},
			{"a flash", map[any]any{"k": 1},
				func(v map[any]any) { v["_flash"] = []any{"hello"} }, func(v map[any]any) bool { return len(v["_flash"].([]any)) == 1 }},
		} {
			t.Run(codec.Name()+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec = codec })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, test.before) }); err != nil {
					t.Fatalf("Save: %v", err)
				}
				version := render(a.item()["version"])
				a.sent("PutItem")
				cookies, err := b.with(func(s *sessions.Session) { test.change(s.Values) })
				if err != nil || len(cookies) != 1 {
					t.Errorf("Save = %v, and cookies %v, want the cookie", err, cookies)
				}
				a.sent("GetItem", "UpdateItem")
				if values := b.values(); !test.check(values) {
					t.Errorf("the session holds %v", values)
				}
				item := a.item()
				if got := render(item["prior"]); got != version {
					t.Errorf("prior = %s, want the version that was replaced, %s", got, version)
				}
				if got := render(item["version"]); got == version {
					t.Error("the version is the old one")
				}
			})
		}
	}
}

// Equal for the table is equal: what does not survive encoding is no change.
func TestWhatIsNotStoredIsNoChange(t *testing.T) {
	now := time.Now()
	a := newApp(t)
	b := a.browser()
	if _, err := b.with(func(s *sessions.Session) {
		s.Values["time"], s.Values["bytes"], s.Values["nan"] = now, []byte{1}, []float64{nan()}
		s.Values["cart"] = cart{Items: []string{"tea"}}
	}); err != nil {
		t.Fatal(err)
	}
	a.sent("PutItem")
	if _, err := b.with(func(s *sessions.Session) {
		s.Values["time"] = now // with its monotonic clock reading
		s.Values["nan"] = []float64{nan()}
		s.Values["cart"] = &cart{Items: []string{"tea"}} // gob sends the value that it points to
	}); err != nil {
		t.Fatal(err)
	}
	a.sent("GetItem")
}

func nan() float64 { var zero float64; return zero / zero }

func TestTouch(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name  string
		cfg   func(*dynamostore.Config)
		left  time.Duration // until the stored expiry
		touch bool
	}{
		{"saved a moment ago", nil, 30 * day, false},
		{"a little later", nil, 30*day - 30*day/20 + time.Hour, false},
		{"a twentieth of the lifetime later", nil, 30*day - 30*day/20 - time.Hour, true},
		{"later than the lifetime allows", nil, 40 * day, true},
		{"within TouchInterval", func(c *dynamostore.Config) { c.TouchInterval = time.Hour }, 30*day - 50*time.Minute, false},
		{"beyond TouchInterval", func(c *dynamostore.Config) { c.TouchInterval = time.Hour }, 30*day - 70*time.Minute, true},
		{"negative TouchInterval", func(c *dynamostore.Config) { c.TouchInterval = -1 }, 30 * day, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				if test.cfg != nil {
					test.cfg(c)
				}
			})
			b := a.browser()
			b.set("user", "ann")
			a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(test.left))})
			before := a.item()
			a.sent("PutItem")
			cookies, err := b.with(func(*sessions.Session) {})
			if err != nil {
				t.Errorf("Save: %v", err)
			}
			after := a.item()
			if test.touch {
				a.sent("GetItem", "UpdateItem")
				about(t, "expires", numberOf(t, after, "expires"), time.Now().Add(30*day))
				if len(cookies) != 1 {
					t.Errorf("a touch set %d cookies, want 1", len(cookies))
				}
				before["expires"] = after["expires"]
			} else {
				a.sent("GetItem")
				if len(cookies) != 0 {
					t.Errorf("an unchanged Save set the cookie %v", cookies)
				}
			}
			if !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want nothing but expires changed from %v", after, before)
			}
		})
	}
}

// A touch that comes after another request's write or touch is not needed any more.
func TestOvertakenTouchIsFine(t *testing.T) {
	for _, test := range []struct {
		name  string
		alter dynamotest.Item
	}{
		{"by a write", dynamotest.Item{"version": dynamotest.S("another"), "expires": dynamotest.N(inSeconds(time.Hour))}},
		{"by a touch", dynamotest.Item{"expires": dynamotest.N(inSeconds(time.Hour))}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.TouchInterval = -1 })
			b := a.browser()
			b.set("user", "ann")
			var after dynamotest.Item
			cookies, err := b.with(func(*sessions.Session) {
				a.alter(test.alter)
				after = a.item()
			})
			if err != nil || len(cookies) != 0 {
				t.Errorf("Save = %v, and cookies %v, want neither", err, cookies)
			}
			if got := a.item(); !reflect.DeepEqual(got, after) {
				t.Errorf("item = %v, want the other request's %v", got, after)
			}
		})
	}
}

func TestSaveAfterLogoutDoesNotResurrect(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*sessions.Session)
	}{
		{"changed", func(s *sessions.Session) { s.Values["k"] = "v" }},
		{"touched", func(*sessions.Session) {}},
		{"with another MaxAge", func(s *sessions.Session) { s.Options.MaxAge = 60 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.TouchInterval = -1 })
			b := a.browser()
			b.set("user", "ann")
			tab := b.tab()
			cookies, err := b.with(func(s *sessions.Session) {
				tab.logout()
				test.change(s)
			})
			is(t, err, dynamostore.ErrGone)
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			a.empty()
		})
	}
}

// gorilla's registry hands the session that one Store loaded to another one that asks for the
// same name, and overwrites the session's store field.
func TestSaveByAnotherStoreDoesNotResurrect(t *testing.T) {
	a := newApp(t)
	other := a.open(a.cfg, keyA)
	b := a.browser()
	b.set("user", "ann")
	tab := b.tab()
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.store.Get(r, cookieName); err != nil {
			t.Error(err)
		}
		session, err := other.Get(r, cookieName)
		if err != nil || session.Store() != other || session.Values["user"] != "ann" {
			t.Errorf("Get by the other Store = %+v, %v", session, err)
		}
		tab.logout()
		session.Values["k"] = "v"
		is(t, session.Save(r, w), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	a.empty()
}

func TestLogout(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.sent("PutItem")
	cookies, err := b.with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge >= 0 || cookies[0].Value != "" {
		t.Errorf("logout = %v, with cookies %v, want an expired one", err, cookies)
	}
	a.sent("GetItem", "DeleteItem")
	a.empty()
	if b.cookie() != "" {
		t.Error("the browser still has its cookie")
	}
}

// A logout deletes what the cookie names, in whatever state it is, and nothing comes of a second
// one.
func TestLogoutInEveryState(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(a *app)
		want    []string
		left    int
	}{
		{"expired", func(a *app) { a.alter(dynamotest.Item{"expires": dynamotest.N("1")}) }, []string{"GetItem", "DeleteItem"}, 0},
		{"undecodable", func(a *app) { a.alter(dynamotest.Item{"data": dynamotest.S("?")}) }, []string{"GetItem", "DeleteItem"}, 0},
		{"deleted", func(a *app) { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }, []string{"GetItem", "DeleteItem"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("user", "ann")
			test.prepare(a)
			a.sent("PutItem")
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Options.MaxAge = -1
				for range 2 {
					if err := session.Save(r, w); err != nil {
						t.Errorf("logout: %v", err)
					}
				}
			})
			a.sent(append(test.want, "DeleteItem")...)
			a.empty()
			if b.cookie() != "" {
				t.Error("the browser still has its cookie")
			}
		})
	}
}

func TestLogoutOfANewSessionSendsNothing(t *testing.T) {
	a := newApp(t)
	cookies, err := a.browser().with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logout = %v, with cookies %v, want an expired one", err, cookies)
	}
	a.sent()
}

// The browser loses its cookie also where the item stays, and the application learns that it does.
func TestLogoutThatFails(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.backend.Inject("DeleteItem", dynamotest.Times(3, dynamotest.InternalError)...)
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Options.MaxAge = -1
		err := session.Save(r, w)
		if err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
			t.Errorf("logout's error = %v, want one that names the table", err)
		}
		a.item()
		// A second try finds it.
		if err := session.Save(r, w); err != nil {
			t.Errorf("second logout: %v", err)
		}
	})
	if len(cookies) == 0 || cookies[0].MaxAge >= 0 {
		t.Errorf("cookies = %v, want an expired one", cookies)
	}
	a.empty()
}

// A handler that goes on with a session after it logged it out gets a new one.
func TestSaveAfterLogoutInOneRequest(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	old := render(a.item()["id"])
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err != nil {
			t.Error(err)
		}
		session.Options.MaxAge = 60
		session.Values = map[any]any{"flash": "bye"}
		if err := session.Save(r, w); err != nil {
			t.Error(err)
		}
	})
	if got := render(a.item()["id"]); got == old {
		t.Error("the deleted ID lives again")
	}
	if got := b.values(); len(got) != 1 || got["flash"] != "bye" {
		t.Errorf("values = %v, want the new session's", got)
	}
}

// A write is not given up because the browser went away. A delete does not even mind the deadline.
func TestSaveGoesOnWhenTheBrowserHasGone(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	request := func(ctx context.Context) *http.Request {
		r := httptest.NewRequestWithContext(ctx, "GET", a.server.URL, nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: b.cookie()})
		return r
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := request(ctx)
	session, err := a.store.Get(r, cookieName)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	session.Values["k"] = "v"
	if err := session.Save(r, httptest.NewRecorder()); err != nil {
		t.Errorf("Save after the request was cancelled: %v", err)
	}
	if got := b.values()["k"]; got != "v" {
		t.Errorf("the session holds %v, want what was saved after the browser had gone", got)
	}

	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	session.Values["k"] = "w"
	is(t, session.Save(request(ctx), httptest.NewRecorder()), context.DeadlineExceeded)
	if got := b.values()["k"]; got != "v" {
		t.Errorf("the session holds %v: the request's deadline did not hold", got)
	}
	session.Options.MaxAge = -1
	if err := session.Save(request(ctx), httptest.NewRecorder()); err != nil {
		t.Errorf("logout after the deadline: %v", err)
	}
	a.empty()
}

func TestSilentBackendIsGivenUpOn(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Timeout = 50 * time.Millisecond })
	b := a.browser()
	slow := a.store
	a.store = a.open(dynamostore.Config{Table: a.cfg.Table}, keyA)
	b.set("user", "ann")
	a.store = slow
	for _, test := range []struct {
		op     string
		change func(*sessions.Session)
	}{
		{"UpdateItem", func(s *sessions.Session) { s.Values["k"] = "v" }},
		{"DeleteItem", func(s *sessions.Session) { s.Options.MaxAge = -1 }},
	} {
		a.backend.Inject(test.op, dynamotest.Silent)
		_, err := b.with(test.change)
		is(t, err, context.DeadlineExceeded)
	}
}

func TestMaxAgeZeroIsABrowserSession(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Lifetime = 2 * time.Hour })
	a.store.MaxAge(0)
	b := a.browser()
	cookies := b.set("user", "ann")
	if len(cookies) != 1 || cookies[0].MaxAge != 0 || !cookies[0].Expires.IsZero() {
		t.Errorf("cookie = %v, want one without Max-Age and Expires", cookies)
	}
	item := a.item()
	about(t, "expires", numberOf(t, item, "expires"), time.Now().Add(2*time.Hour))
	if got := render(item["max_age"]); got != "absent" {
		t.Errorf("max_age = %s, want none for the Store's default", got)
	}
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v, want ann", got)
	}
}

// "Remember me" is said once, at login, and holds on later requests.
func TestRememberMe(t *testing.T) {
	for _, test := range []struct {
		name         string
		store, login int
		life         time.Duration
		stored       string
	}{
		{"longer", 0, 90 * 24 * 60 * 60, 90 * 24 * time.Hour, "N:7776000"},
		{"shorter", 30 * 24 * 60 * 60, 60 * 60, time.Hour, "N:3600"},
		{"with the browser", 30 * 24 * 60 * 60, 0, 24 * time.Hour, "N:0"},
		{"beyond what a duration holds", 0, 1<<31 - 1, 68 * 365 * 24 * time.Hour, "N:2147483647"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			a.store.MaxAge(test.store)
			b := a.browser()
			cookies, err := b.with(func(s *sessions.Session) { s.Options.MaxAge = test.login })
			if err != nil || len(cookies) != 1 || cookies[0].MaxAge != test.login {
				t.Errorf("Save = %v, with cookies %v, want Max-Age %d", err, cookies, test.login)
			}
			if got := render(a.item()["max_age"]); got != test.stored {
				t.Errorf("max_age = %s, want %s", got, test.stored)
			}
			cookies, err = b.with(func(s *sessions.Session) {
				if s.Options.MaxAge != test.login {
					t.Errorf("a later request has MaxAge %d, want %d", s.Options.MaxAge, test.login)
				}
				s.Values["k"] = "v"
			})
			if err != nil || len(cookies) != 1 || cookies[0].MaxAge != test.login {
				t.Errorf("a later Save = %v, with cookies %v, want Max-Age %d", err, cookies, test.login)
			}
			item := a.item()
			if got := render(item["max_age"]); got != test.stored {
				t.Errorf("max_age = %s after a later Save, want %s", got, test.stored)
			}
			if test.life < 365*24*time.Hour {
				about(t, "expires", numberOf(t, item, "expires"), time.Now().Add(test.life))
			}
			// Changing it alone is a change, and going back to the default removes it.
			a.backend.Counts()
			cookies, err = b.with(func(s *sessions.Session) { s.Options.MaxAge = test.store })
			if err != nil || len(cookies) != 1 || cookies[0].MaxAge != test.store {
				t.Errorf("Save = %v, with cookies %v, want Max-Age %d", err, cookies, test.store)
			}
			a.sent("GetItem", "UpdateItem")
			if got := render(a.item()["max_age"]); got != "absent" {
				t.Errorf("max_age = %s, want none for the Store's default", got)
			}
		})
	}
}

func TestNilOptionsAreTheStores(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	cookies, err := b.with(func(s *sessions.Session) { s.Options = nil; s.Values["k"] = "v" })
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge != a.store.Options.MaxAge || !cookies[0].Secure {
		t.Errorf("Save = %v, with cookies %v, want the Store's options", err, cookies)
	}
	cookies, err = b.with(func(s *sessions.Session) { s.Options = nil })
	if err != nil || len(cookies) != 0 {
		t.Errorf("unchanged Save = %v, with cookies %v, want neither", err, cookies)
	}
	a.store.Options = nil
	if _, err := b.with(func(s *sessions.Session) { s.Values["k"] = "w" }); err != nil {
		t.Errorf("Save by a Store without options: %v", err)
	}
}

func TestOptionsAloneSetTheCookie(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.sent("PutItem")
	before := a.item()
	cookies, err := b.with(func(s *sessions.Session) { s.Options.SameSite = http.SameSiteStrictMode })
	if err != nil || len(cookies) != 1 || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Errorf("Save = %v, with cookies %v, want a SameSite=Strict one", err, cookies)
	}
	a.sent("GetItem", "GetItem") // the second, whether the session is still there
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
}

// A late response that would only set the cookie sets none over that of a session that was rotated or ended meanwhile.
func TestLateCookieOfAnEndedSession(t *testing.T) {
	ends := map[string]func(a *app, b *browser){
		"rotated": func(a *app, b *browser) {
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Error(err)
				}
			})
		},
		"logged out": func(_ *app, b *browser) { b.logout() },
	}
	for end, f := range ends {
		for _, why := range []string{"options", "older key"} {
			for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Refuse, dynamostore.Overwrite} {
				t.Run(fmt.Sprint(end, " ", why, " ", mode), func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = mode })
					b := a.browser()
					b.set("user", "ann")
					if why == "older key" {
						a.store = a.open(a.cfg, keyB, nil, keyA)
					}
					cookies, err := b.tab().with(func(s *sessions.Session) {
						if why == "options" {
							options := *s.Options
							options.SameSite = http.SameSiteStrictMode
							s.Options = &options
						}
						f(a, b)
					})
					is(t, err, dynamostore.ErrGone)
					if len(cookies) != 0 {
						t.Errorf("the late response set %v", cookies)
					}
				})
			}
		}
	}
}

// The first key signs, all verify, and a cookie of an old key is signed anew.
func TestCookieOfAnOlderKeyIsSignedAnew(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.sent("PutItem")
	a.store = a.open(a.cfg, keyB, nil, keyA)
	cookies, err := b.with(func(s *sessions.Session) {
		if s.Values["user"] != "ann" {
			t.Errorf("values = %v", s.Values)
		}
	})
	if err != nil || len(cookies) != 1 {
		t.Errorf("Save = %v, with cookies %v, want the cookie", err, cookies)
	}
	a.sent("GetItem", "GetItem") // the second, whether the session is still there
	a.store = a.open(a.cfg, keyB)
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v under the new key alone, want ann", got)
	}
	a.sent("GetItem")
	if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
		t.Errorf("Save = %v, with cookies %v, want neither", err, cookies)
	}
}

// securecookie's own age limit, 30 days, must not end a session that is remembered for longer.
func TestCookieCodecsHaveNoAgeLimit(t *testing.T) {
	a := newApp(t)
	for _, codec := range a.store.Codecs {
		if got := reflect.ValueOf(codec).Elem().FieldByName("maxAge").Int(); got != 0 {
			t.Errorf("cookie codec's maxAge = %d, want 0, no limit", got)
		}
	}
	a.store.MaxAge(60)
	for _, codec := range a.store.Codecs {
		if got := reflect.ValueOf(codec).Elem().FieldByName("maxAge").Int(); got != 0 {
			t.Errorf("cookie codec's maxAge = %d after MaxAge, want 0, no limit", got)
		}
	}
}

func TestSaveTwice(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		for i := range 3 {
			session.Values["n"] = i
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save %d: %v", i, err)
			}
		}
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save, unchanged: %v", err)
		}
	})
	a.sent("PutItem", "UpdateItem", "UpdateItem")
	if got := b.values()["n"]; got != 2 {
		t.Errorf("n = %v, want 2", got)
	}
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		for i := range 2 {
			session.Values["n"] = i + 10
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save %d: %v", i, err)
			}
		}
	})
	if got := b.values()["n"]; got != 11 {
		t.Errorf("n = %v, want 11", got)
	}
}

func TestUnsavedSessionIsNotInTheTable(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["k"] = "v"
	})
	a.sent()
	a.empty()
}

// A session that the application made itself is put only where nothing lies.
func TestSessionOfTheApplicationsOwnMaking(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	save := func(id string) (err error) {
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session := sessions.NewSession(a.store, cookieName)
			session.ID = id
			session.Options = nil
			session.Values["k"] = id
			err = session.Save(r, w)
		})
		return err
	}
	if err := save("mine"); err != nil {
		t.Fatalf("Save: %v", err)
	}
	if got := render(a.item()["id"]); got != "S:mine" {
		t.Errorf("key = %s, want S:mine", got)
	}
	before := a.item()
	is(t, save("mine"), dynamostore.ErrConflict)
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
	if got := b.values()["k"]; got != "mine" {
		t.Errorf("k = %v", got)
	}
}

// With Refuse, nothing that another request wrote is touched.
func TestRefuse(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.Concurrency = dynamostore.Refuse })
	b := a.browser()
	b.set("user", "ann")
	tab := b.tab()
	a.backend.Counts()
	cookies, err := b.with(func(s *sessions.Session) {
		tab.set("theirs", 1)
		a.sent("GetItem", "GetItem", "UpdateItem")
		s.Values["ours"] = 1
	})
	is(t, err, dynamostore.ErrConflict)
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	a.sent("UpdateItem")
	if got := b.values(); got["theirs"] != 1 || got["ours"] != nil {
		t.Errorf("values = %v, want theirs alone", got)
	}
}

// A write that was applied, and whose answer was lost, is sent again by the SDK and refused by its
// own first attempt.
func TestOwnWriteIsRecognised(t *testing.T) {
	t.Run("create", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		a.backend.Inject("PutItem", dynamotest.AppliedThenReset)
		b.set("k", "v")
		a.sent("PutItem", "PutItem")
		if got := b.values()["k"]; got != "v" {
			t.Errorf("k = %v, want v", got)
		}
	})
	t.Run("update", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("k", "v")
		a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset)
		b.set("k", "w")
		a.sent("PutItem", "GetItem", "UpdateItem", "UpdateItem")
		if got := b.values()["k"]; got != "w" {
			t.Errorf("k = %v, want w", got)
		}
	})
	t.Run("update, and another write after it", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("k", "v")
		tab := a.another().tab(b)
		a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset, dynamotest.Do(func() { tab.set("l", "x") }))
		a.backend.Counts()
		b.set("k", "w")
		a.sent("GetItem", "UpdateItem", "GetItem", "UpdateItem", "UpdateItem")
		if got := b.values(); got["k"] != "w" || got["l"] != "x" {
			t.Errorf("values = %v, want both writes", got)
		}
	})
	t.Run("touch", func(t *testing.T) {
		a := newApp(t, func(c *dynamostore.Config) { c.TouchInterval = time.Minute })
		b := a.browser()
		b.set("k", "v")
		a.alter(dynamotest.Item{"expires": dynamotest.N(inSeconds(time.Hour))})
		a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset)
		cookies, err := b.with(func(*sessions.Session) {})
		if err != nil || len(cookies) != 1 {
			t.Errorf("Save = %v, with cookies %v, want the cookie", err, cookies)
		}
	})
	t.Run("without the item in the refusal", func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.set("k", "v")
		a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset, dynamotest.WithoutItem)
		b.set("k", "w")
		a.sent("PutItem", "GetItem", "UpdateItem", "UpdateItem", "GetItem")
		if got := b.values()["k"]; got != "w" {
			t.Errorf("k = %v, want w", got)
		}
	})
}

func TestTransactionConflictIsRetried(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	for _, op := range []string{"PutItem", "GetItem", "UpdateItem", "DeleteItem"} {
		a.backend.Inject(op, dynamotest.Conflict, dynamotest.Conflict, dynamotest.RegionConflict)
	}
	b.set("k", "v")
	b.set("k", "w")
	b.logout()
	if n := a.backend.Pending(); n != 0 {
		t.Errorf("%d faults were not met", n)
	}
	a.empty()
}

// MaxLifetime bounds what activity prolongs.
func TestMaxLifetime(t *testing.T) {
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = 2 * time.Hour })
	b := a.browser()
	b.set("k", "v")
	about(t, "expires", numberOf(t, a.item(), "expires"), time.Now().Add(2*time.Hour))
	created := time.Now().Add(-time.Hour)
	a.alter(dynamotest.Item{"created": dynamotest.N(inSeconds(-time.Hour))})
	b.set("k", "w")
	item := a.item()
	about(t, "created", numberOf(t, item, "created"), created)
	about(t, "expires", numberOf(t, item, "expires"), created.Add(2*time.Hour))

	// It ends while the request is under way: for a Store with a shorter one it has.
	shorter := a.open(dynamostore.Config{Table: a.cfg.Table, MaxLifetime: time.Minute}, keyA)
	before := a.item()
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["k"] = "x"
		is(t, shorter.Save(r, w, session), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", after, before)
	}
}
