package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// What New returns, by what the request brings: the first table of DESIGN.md, section 3.

// wantNew asserts that a session is new and empty, and carries no ID of before.
func wantNew(t testing.TB, session *sessions.Session) {
	t.Helper()
	if session == nil {
		t.Fatal("the session is nil, want a new one")
	}
	if !session.IsNew || session.ID != "" || len(session.Values) != 0 {
		t.Errorf("session: IsNew %t, ID %q, values %v, want a new one without ID and values", session.IsNew, session.ID, session.Values)
	}
}

func TestNewWithoutCookie(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	session, err := a.browser().load()
	if err != nil {
		t.Errorf("Get: %v", err)
	}
	wantNew(t, session)
	want := sessions.Options{Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	if *session.Options != want {
		t.Errorf("Options = %+v, want %+v", *session.Options, want)
	}
	if key := a.store.Key(session); key != "" {
		t.Errorf("Key = %q, want none before the first Save", key)
	}
	a.wantSent()
	a.wantLive(0)
}

func TestNewWithAnInvalidName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "my session", "a;b", "a=b", "a,b", "a\nb", "sitzung€"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			a := newApp(t)
			for method, load := range map[string]func(*http.Request, string) (*sessions.Session, error){
				"Get": a.store.Get, "New": a.store.New, "Peek": a.store.Peek,
			} {
				a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := load(r, name)
					if err == nil || !strings.Contains(err.Error(), "not a valid cookie name") {
						t.Errorf("%s: error is %v, want one that says that the name is not a valid cookie name", method, err)
					}
					wantNew(t, session)
					session.Values["k"] = "v"
					if err := a.store.Save(r, w, session); err == nil {
						t.Errorf("Save of the session of %s succeeded, want an error", method)
					}
					if got := w.Header()["Set-Cookie"]; got != nil {
						t.Errorf("Save of the session of %s set %q, want no cookie", method, got)
					}
				})
			}
			a.wantSent()
			a.wantLive(0)
		})
	}
}

func TestNewWithACookieThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	good := signed(t, strings.Repeat("A", 52), keyA)
	for _, test := range []struct{ name, cookie string }{
		{"forged", signed(t, strings.Repeat("A", 52), keyB)},
		{"cut", good[:len(good)/2]},
		{"not base64", "***"},
		{"empty", ""},
		{"of a CookieStore", signed(t, map[any]any{"user": "ann"}, keyA)},
		{"longer than securecookie reads", strings.Repeat("A", 5000)},
		{"of another name", func() string {
			value, err := securecookie.EncodeMulti("other", "AAAA", securecookie.CodecsFromPairs(keyA)...)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}()},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.setCookie(test.cookie)
			session, err := b.load()
			var cookieError securecookie.Error
			if !errors.As(err, &cookieError) {
				t.Errorf("Get: error is %v (%T), want one of securecookie", err, err)
			}
			if test.name == "of a CookieStore" {
				if err == nil || !strings.Contains(err.Error(), "as sessions.CookieStore writes them") {
					t.Errorf("Get: error %v does not say what the cookie is", err)
				}
			} else if _, ok := err.(securecookie.MultiError); !ok {
				t.Errorf("Get: error is a %T, want it as securecookie returns it", err)
			}
			wantNew(t, session)
			a.wantSent()
			// An application that ignores the error has a session all the same.
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			a.wantSent("PutItem")
			if got := b.values()["k"]; got != "v" {
				t.Errorf("k = %v in the session that was saved, want v", got)
			}
		})
	}
}

// The ID in a cookie that verifies is still not trusted to be a key.
func TestNewWithACookieThatNamesNoItem(t *testing.T) {
	t.Parallel()
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
			if err != nil {
				t.Errorf("Get: %v", err)
			}
			wantNew(t, session)
			a.wantSent()
		})
	}
}

func TestNewOfALiveSession(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	if _, err := b.with(func(s *sessions.Session) {
		s.Options.MaxAge = 60 * 60
		s.Values["user"], s.Values[7] = "ann", []string{"a", "b"}
	}); err != nil {
		t.Fatalf("Save: %v", err)
	}
	a.wantSent("PutItem")
	session, err := b.load()
	if err != nil {
		t.Errorf("Get: %v", err)
	}
	a.wantSent("GetItem")
	if want := (map[any]any{"user": "ann", 7: []string{"a", "b"}}); session.IsNew || !reflect.DeepEqual(session.Values, want) {
		t.Errorf("IsNew = %t, Values = %v, want false, %v", session.IsNew, session.Values, want)
	}
	if session.Options.MaxAge != 60*60 {
		t.Errorf("MaxAge = %d, want 3600, as it was saved", session.Options.MaxAge)
	}
	if got, want := attrText(a.item()["id"]), "S:"+session.ID; got != want || len(session.ID) != 52 {
		t.Errorf("the session's ID is %q, of %d bytes, and the item's key %q, want the same 52", session.ID, len(session.ID), got)
	}
}

// Get reads once per request, and New each time.
func TestGetIsOncePerRequest(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.wantSent("PutItem")
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		first, err := a.store.Get(r, cookieName)
		second, err2 := a.store.Get(r, cookieName)
		if err != nil || err2 != nil || first != second {
			t.Errorf("Get twice: %p, %v and %p, %v, want the same session", first, err, second, err2)
		}
		a.wantSent("GetItem")
		third, err := a.store.New(r, cookieName)
		if err != nil || third == first || third.Values["user"] != "ann" {
			t.Errorf("New: %p with %v, %v, want another session than %p, with the user", third, third.Values, err, first)
		}
		a.wantSent("GetItem")
	})
}

// Nobody who planted an ID, or kept one, may know that of the session that comes after.
func TestNewOfASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  func(*dynamostore.Config)
		end  func(a *app)
	}{
		{"no item", nil, func(a *app) { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }},
		{"expired this second", nil, func(a *app) { a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(0))}) }},
		{"expired before 1970", nil, func(a *app) { a.alter(dynamotest.Item{"expires": dynamotest.N("-1")}) }},
		{"past MaxLifetime",
			func(c *dynamostore.Config) { c.MaxLifetime = time.Hour },
			func(a *app) { a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-time.Hour))}) }},
		{"logged out", nil, func(a *app) { a.alter(tombstone("ended", time.Minute, -time.Minute)) }},
		{"logged out a moment ago", nil, func(a *app) { a.alter(tombstone("ended", time.Minute, 0)) }},
		// The browser never got its new cookie.
		{"given a new ID long ago", nil, func(a *app) { a.alter(tombstone("moved", time.Minute, -time.Minute)) }},
		{"given a new ID, and the tombstone has expired", nil, func(a *app) { a.alter(tombstone("moved", -time.Second, -6*time.Minute)) }},
	} {
		for _, eventual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, eventual reads %t", test.name, eventual), func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) {
					c.EventualReads = eventual
					if test.cfg != nil {
						test.cfg(c)
					}
				})
				b := a.browser()
				b.set("user", "ann")
				old := a.item()
				test.end(a)
				a.wantSent("PutItem")
				reads := []string{"GetItem"}
				if eventual {
					reads = []string{"GetItem", "GetItem"} // what seems to be missing is read again, consistently
				}
				session, err := b.load()
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				wantNew(t, session)
				a.wantSent(reads...)
				cookies := b.set("k", "v")
				a.wantSent(append(reads, "PutItem")...)
				if len(cookies) != 1 || cookies[0].Value == "" {
					t.Errorf("Save set the cookies %v, want one", cookies)
				}
				session, err = b.load()
				if err != nil || session.Values["k"] != "v" || len(session.Values) != 1 {
					t.Errorf("the session after it holds %v, %v, want k alone", session.Values, err)
				}
				if attrText(old["id"]) == "S:"+session.ID {
					t.Error("the session after it has the ID of the one that ended")
				}
			})
		}
	}
}

// tombstone is what makes an item one that expires after left, and that took the session's place
// then.
func tombstone(gone string, left, then time.Duration) dynamotest.Item {
	return dynamotest.Item{
		"gone":    dynamotest.S(gone),
		"expires": dynamotest.N(secondsFromNow(left)),
		"seen":    dynamotest.N(secondsFromNow(then)),
		"data":    nil, "codec": nil, "created": nil,
	}
}

// A session that was written a moment ago, which an eventually consistent read may miss, is found:
// a login's redirect needs it.
func TestEventualReads(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.EventualReads = true })
	b := a.browser()
	b.set("user", "ann")
	a.wantSent("PutItem")
	item := a.item()
	var consistent []bool
	note := func(read func()) dynamotest.Fault {
		return func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			consistent = append(consistent, strings.Contains(string(bodyOf(r)), `"ConsistentRead":true`))
			read()
			return next.RoundTrip(r)
		}
	}
	for _, test := range []struct {
		name       string
		first      func() // what the first read meets
		second     func()
		consistent []bool
	}{
		{"found", func() {}, nil, []bool{false}},
		{"missing at first",
			func() { a.backend.Delete(t, dynamotest.Item{"id": item["id"]}) },
			func() { a.backend.Put(t, item) }, []bool{false, true}},
		{"expired at first",
			func() { a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(-time.Minute))}) },
			func() { a.backend.Put(t, item) }, []bool{false, true}},
	} {
		consistent = nil
		a.backend.Inject("GetItem", note(test.first))
		if test.second != nil {
			a.backend.Inject("GetItem", note(test.second))
		}
		if got := b.values()["user"]; got != "ann" {
			t.Errorf("%s: user = %v, want ann", test.name, got)
		}
		if !slices.Equal(consistent, test.consistent) {
			t.Errorf("%s: reads were strongly consistent %v, want %v", test.name, consistent, test.consistent)
		}
	}
}

// A request that comes with the old cookie of a session that has just been given a new ID must not
// displace the new cookie.
func TestNewOfASessionThatWasJustGivenANewID(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			a.alter(tombstone("moved", time.Minute, time.Minute)) // by a clock that is ahead, so that this test may take its time
			before := a.tombstones()
			session, err := b.load()
			if err != nil {
				t.Errorf("Get: %v", err)
			}
			wantNew(t, session)
			for _, change := range []func(*sessions.Session){
				func(*sessions.Session) {},
				func(s *sessions.Session) { s.Values["k"] = "v" },
				func(s *sessions.Session) { s.Values["k"] = "v"; s.ID = "ours" },
			} {
				cookies, err := b.with(change)
				wantError(t, err, dynamostore.ErrGone, b.cookie())
				if len(cookies) != 0 {
					t.Errorf("Save set the cookie %v over the new one", cookies)
				}
			}
			// A logout deletes the browser's cookie. It cannot end the session, and says so.
			cookies, err := b.tab().with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
			wantError(t, err, dynamostore.ErrGone)
			if len(cookies) != 1 || cookies[0].MaxAge >= 0 {
				t.Errorf("the logout set %v, want an expired cookie", cookies)
			}
			a.wantLive(0)

			// A login that is sent twice succeeds.
			a.backend.Counts()
			cookies = b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				session.Values["user"] = "ann"
				if err := a.store.Regenerate(r, w, session); err != nil {
					t.Errorf("Regenerate: %v", err)
				}
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save after Regenerate: %v", err)
				}
			})
			if counts := a.backend.Counts(); counts["PutItem"] != 1 || counts["TransactWriteItems"] != 0 {
				t.Errorf("DynamoDB was sent %v, want one PutItem, and no TransactWriteItems", counts)
			}
			if len(cookies) != 1 {
				t.Errorf("Regenerate set the cookies %v, want one", cookies)
			}
			if got := b.values(); got["user"] != "ann" || got["k"] != "v" {
				t.Errorf("the session of the second login holds %v, want user and k", got)
			}
			a.wantLive(1)
			if after := a.tombstones(); !reflect.DeepEqual(after, before) {
				t.Errorf("tombstones = %v, want them as they were: %v", show(after...), show(before...))
			}
		})
	}
}

// After ten seconds, the browser will not get its new cookie any more, and a visitor must not be
// locked out.
func TestTombstoneOfANewIDCountsForTenSeconds(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			after time.Duration
			want  error
		}{{9 * time.Second, dynamostore.ErrGone}, {10 * time.Second, nil}, {time.Minute, nil}, {6 * time.Minute, nil}} {
			t.Run(fmt.Sprint(mode.name, " ", test.after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
					cookie := i.begin(map[any]any{"user": "ann"})
					ctx, cancel := context.WithCancel(t.Context())
					v := i.visit(ctx, cookie)
					if err := i.store.Regenerate(v.r, v.w, v.session); err != nil {
						t.Fatalf("Regenerate: %v", err)
					}
					cancel()
					time.Sleep(test.after)
					ctx, cancel = context.WithCancel(t.Context())
					defer cancel()
					v = i.visit(ctx, cookie)
					wantNew(t, v.session)
					v.session.Values["k"] = "v"
					if err := v.save(); !errors.Is(err, test.want) {
						t.Errorf("Save %v after Regenerate: %v, want %v", test.after, err, test.want)
					}
					if got, want := len(v.cookies()), 1; (got == want) != (test.want == nil) {
						t.Errorf("Save %v after Regenerate set %v, want a cookie %t", test.after, v.cookies(), test.want == nil)
					}
				})
			})
		}
	}
}

// An application that ignores the error of Get overwrites neither the session, nor the cookie that
// leads to it.
func TestNewWhenDynamoDBFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault dynamotest.Fault
		sent  int // with the SDK's retries
	}{
		{"connection refused", dynamotest.Refused, 3},
		{"throttled", dynamotest.Throttled, 3},
		{"internal error", dynamotest.InternalError, 3},
		{"access denied", dynamotest.Denied, 1},
		{"not an answer of DynamoDB", dynamotest.HTML(http.StatusOK), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("user", "ann")
			before := a.item()
			a.wantSent("PutItem")
			a.backend.Inject("GetItem", dynamotest.Times(3, test.fault)...)
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
					t.Errorf("Get: error is %v, want one that names the table", err)
				}
				wantError(t, err, err, b.cookie(), "ann")
				wantNew(t, session)
				a.wantSent(slices.Repeat([]string{"GetItem"}, test.sent)...)
				a.backend.Heal()
				session.Values["cart"] = "tea"
				wantError(t, session.Save(r, w), dynamostore.ErrNotLoaded)
				wantError(t, a.store.Regenerate(r, w, session), dynamostore.ErrNotLoaded)
				a.wantSent()
			})
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", show(after), show(before))
			}
			if got := b.values()["user"]; got != "ann" {
				t.Errorf("user = %v, want ann", got)
			}

			// A logout needs no session.
			a.backend.Inject("GetItem", dynamotest.Times(3, test.fault)...)
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := a.store.Get(r, cookieName)
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err != nil {
					t.Errorf("logout: %v", err)
				}
			})
			a.backend.Heal()
			a.wantLive(0)
			if cookie := b.cookie(); cookie != "" {
				t.Errorf("the browser still has the cookie %q", cookie)
			}
		})
	}
}

// Timeout bounds a Get that is not answered.
func TestNewWhenDynamoDBDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInstance(t, func(c *dynamostore.Config) { c.Timeout, c.Concurrency = 7*time.Second, mode.mode })
				cookie := i.begin(map[any]any{"user": "ann"})
				for _, op := range []string{"GetItem", "UpdateItem"} {
					i.backend.Inject(op, dynamotest.Silent)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begin := time.Now()
				v := i.visit(ctx)
				v.r.AddCookie(cookie)
				session, err := i.store.New(v.r, cookieName)
				wantError(t, err, context.DeadlineExceeded, cookie.Value)
				if got := time.Since(begin); got != 7*time.Second {
					t.Errorf("New took %v, want Config.Timeout, 7s", got)
				}
				wantNew(t, session)
				i.backend.Heal()
				wantError(t, session.Save(v.r, v.w), dynamostore.ErrNotLoaded)
			})
		})
	}
}

func TestNewOfAnUndecodableSession(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			a.alter(dynamotest.Item{"data": dynamotest.B([]byte("ann's secret"))})
			old := attrText(a.item()["id"])
			a.backend.Counts()
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				wantError(t, err, dynamostore.ErrUndecodable, "ann's secret", b.cookie())
				wantNew(t, session)
				session.Values["k"] = "v"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			if counts := a.backend.Counts(); counts["PutItem"] != 1 {
				t.Errorf("DynamoDB was sent %v, want one PutItem", counts)
			}
			if len(cookies) != 1 {
				t.Errorf("Save set the cookies %v, want one", cookies)
			}
			if got := b.values(); len(got) != 1 || got["k"] != "v" {
				t.Errorf("the session after it holds %v, want k alone", got)
			}
			a.wantLive(2)
			for _, item := range a.live() {
				if attrText(item["id"]) == old && attrText(item["data"]) != "B:ann's secret" {
					t.Errorf("the old item is %v, want its data as it was", show(item))
				}
			}
		})
	}
}

// A browser sends several cookies of one name where they were set for several paths or domains.
func TestNewWithSeveralCookiesOfTheName(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			ann, bob := a.browser(), a.browser()
			ann.set("user", "ann")
			bob.set("user", "bob")
			cookies := map[string]string{
				"ann": ann.cookie(), "bob": bob.cookie(), "forged": "x", "missing": signed(t, "missing", keyA),
				"undecodable": a.put("undecodable", dynamotest.Item{"data": dynamotest.B([]byte("?"))}).cookie(),
				"moved":       a.put("moved", dynamotest.Item{"gone": dynamotest.S("moved"), "seen": dynamotest.N(secondsFromNow(time.Minute))}).cookie(),
			}
			for _, test := range []struct {
				cookies string
				user    any // of the session that comes back; nil for a new one
				err     error
				reads   int
				saved   error // of Save, where the session is new
			}{
				{"ann bob", "ann", nil, 1, nil},
				{"bob ann", "bob", nil, 1, nil},
				{"forged ann", "ann", nil, 1, nil},
				{"missing ann", "ann", nil, 2, nil},
				{"undecodable ann", "ann", nil, 2, nil},
				{"moved ann", "ann", nil, 2, nil},
				{"forged forged missing undecodable bob ann", "bob", nil, 3, nil},
				{"forged missing", nil, securecookie.MultiError{}, 1, nil},
				{"missing forged", nil, nil, 1, nil},
				{"missing missing", nil, nil, 2, nil},
				{"undecodable missing", nil, dynamostore.ErrUndecodable, 2, nil},
				{"missing undecodable", nil, nil, 2, nil},
				{"moved missing", nil, nil, 2, dynamostore.ErrGone},
				{"missing moved", nil, nil, 2, nil},
			} {
				var values []string
				for _, name := range strings.Fields(test.cookies) {
					values = append(values, cookies[name])
				}
				a.backend.Counts()
				a.send(values, func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if counts := a.backend.Counts(); mode.mode != dynamostore.Lock && (counts["GetItem"] != test.reads || len(counts) != 1) {
						t.Errorf("%s: DynamoDB was sent %v, want %d GetItem", test.cookies, counts, test.reads)
					}
					if _, ok := test.err.(securecookie.MultiError); ok {
						if _, ok := err.(securecookie.MultiError); !ok {
							t.Errorf("%s: error is %v, want securecookie's", test.cookies, err)
						}
					} else if !errors.Is(err, test.err) {
						t.Errorf("%s: error is %v, want %v", test.cookies, err, test.err)
					}
					if got := session.Values["user"]; got != test.user || session.IsNew != (test.user == nil) {
						t.Errorf("%s: IsNew %t, user %v, want user %v", test.cookies, session.IsNew, got, test.user)
					}
					if !session.IsNew {
						return
					}
					session.Values["k"] = "v"
					if err := session.Save(r, w); !errors.Is(err, test.saved) {
						t.Errorf("%s: Save: %v, want %v", test.cookies, err, test.saved)
					}
				})
			}
		})
	}
}

// If the table cannot be read for one of the cookies, nobody knows whether that one is the
// session's.
func TestNewWithSeveralCookiesWhenDynamoDBFails(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ann := a.browser()
	ann.set("user", "ann")
	a.wantSent("PutItem")
	a.backend.Inject("GetItem", through, dynamotest.Denied)
	cookies := a.send([]string{signed(t, "missing", keyA), ann.cookie(), "forged"}, func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
			t.Errorf("Get: error is %v, want one that names the table", err)
		}
		wantNew(t, session)
		session.Values["k"] = "v"
		wantError(t, session.Save(r, w), dynamostore.ErrNotLoaded)
	})
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	a.wantSent("GetItem", "GetItem")
}

// gorilla's registry hands the session that one Store loaded to another one that is asked for the
// same name, and sets the session's store to that.
func TestSessionThatAnotherStoreLoaded(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	other := a.open(a.cfg, keyA)
	b := a.browser()
	b.set("user", "ann")
	tab := b.tab()
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.store.Get(r, cookieName); err != nil {
			t.Errorf("Get: %v", err)
		}
		session, err := other.Get(r, cookieName)
		if err != nil || session.Store() != other || session.Values["user"] != "ann" {
			t.Errorf("Get by the other Store: a session of %v with %v, %v, want ann's", session.Store(), session.Values, err)
		}
		session.Values["k"] = "v"
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
		tab.logout()
		session.Values["k"] = "w"
		wantError(t, session.Save(r, w), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	a.wantLive(0)
}

// A Get whose answer arrives when the session has ended, as that answer says, looks again: another
// request may have extended the session meanwhile.
func TestAnswerThatArrivesAfterTheEnd(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a := newBubbleApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				b := a.browser()
				b.set("user", "ann")
				a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(2 * time.Second))})
				op := "GetItem"
				if mode.mode == dynamostore.Lock {
					op = "UpdateItem"
					a.alter(lockOf(time.Minute))
				}
				a.backend.Inject(op, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(r)
					a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(time.Hour)), "lock": nil, "lock_until": nil})
					time.Sleep(3 * time.Second)
					return resp, err
				})
				session, err := b.load()
				if err != nil || session.Values["user"] != "ann" {
					t.Errorf("Get = %+v, %v, want the session", session, err)
				}
			})
		})
	}
}
