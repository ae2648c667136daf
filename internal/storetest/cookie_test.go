package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// When a Save sets the cookie, and which. That it moves with the item's end is in save_test.go.

// The first key signs, all verify, and a cookie of an older key is signed anew.
func TestCookieOfAnOlderKeyIsSignedAnew(t *testing.T) {
	t.Parallel()
	for _, mode := range unlocked {
		for _, test := range []struct {
			name   string
			change func(*sessions.Session)
			want   []string
		}{
			{"unchanged", func(*sessions.Session) {}, []string{"GetItem", "GetItem"}}, // the second, whether the session is still there
			{"changed", func(s *sessions.Session) { s.Values["k"] = "v" }, []string{"GetItem", "UpdateItem"}},
		} {
			t.Run(mode.name+", "+test.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.EventualReads = true })
				b := a.browser()
				b.set("user", "ann")
				a.wantSent("PutItem")
				old := b.cookie()
				a.store = a.open(a.cfg, keyB, nil, keyA)
				if test.want[1] == "GetItem" {
					a.backend.Inject("GetItem", through, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
						if !strings.Contains(string(bodyOf(r)), `"ConsistentRead":true`) {
							t.Error("the read before the cookie was eventually consistent, want a strongly consistent one")
						}
						return next.RoundTrip(r)
					})
				}
				cookies, err := b.with(test.change)
				if err != nil || len(cookies) != 1 || cookies[0].Value == old {
					t.Errorf("Save: %v, and the cookies %v, want one that differs from %q", err, cookies, old)
				}
				a.wantSent(test.want...)
				a.store = a.open(a.cfg, keyB)
				if got := b.values()["user"]; got != "ann" {
					t.Errorf("user = %v under the new key alone, want ann", got)
				}
				a.wantSent("GetItem")
				if cookies, err := b.with(func(*sessions.Session) {}); err != nil || len(cookies) != 0 {
					t.Errorf("next Save: %v, and the cookies %v, want neither", err, cookies)
				}
				a.wantSent("GetItem")
			})
		}
	}
}

// Once per request: a second Save knows that the cookie was set.
func TestCookieIsSignedAnewOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.wantSent("PutItem")
	a.store = a.open(a.cfg, keyB, nil, keyA)
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		for range 2 {
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
	})
	if len(cookies) != 1 {
		t.Errorf("Save set the cookies %v, want one", cookies)
	}
	a.wantSent("GetItem", "GetItem")
}

// A response that would only set the cookie sets none over that of a session that ended meanwhile,
// or was given a new ID.
func TestLateCookieOfASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	for _, ending := range endings {
		for _, test := range []struct {
			name   string
			keys   [][]byte
			change func(*sessions.Session)
		}{
			{"older key", [][]byte{keyB, nil, keyA}, func(*sessions.Session) {}},
			{"options", [][]byte{keyA}, func(s *sessions.Session) { s.Options.SameSite = http.SameSiteStrictMode }},
		} {
			for _, mode := range modes {
				t.Run(fmt.Sprintf("%s, %s, %s", test.name, ending.name, mode.name), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					b.set("user", "ann")
					a.store = a.open(a.cfg, test.keys...)
					cookies, err := b.with(func(s *sessions.Session) {
						test.change(s)
						ending.end(a, b)
					})
					wantError(t, err, dynamostore.ErrGone)
					if len(cookies) != 0 {
						t.Errorf("Save set the cookie %v", cookies)
					}
				})
			}
		}
	}
}

// net/http drops such cookies, or parts of them, without a word.
func TestCookieThatNetHTTPWouldDrop(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*sessions.Options){
		"a path with a semicolon":     func(o *sessions.Options) { o.Path = "/;a" },
		"a path with a line break":    func(o *sessions.Options) { o.Path = "/\na" },
		"a domain with a space":       func(o *sessions.Options) { o.Domain = "shop example" },
		"partitioned, and not secure": func(o *sessions.Options) { o.Partitioned, o.Secure = true, false },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.set("user", "ann")
			a.wantSent("PutItem")
			before := a.item()
			for _, test := range []struct {
				name    string
				browser *browser
				save    func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error
			}{
				{"a new session", a.browser(), func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error { return s.Save(r, w) }},
				{"an unchanged session", b, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error { return s.Save(r, w) }},
				{"a changed session", b, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
					s.Values["k"] = "v"
					return s.Save(r, w)
				}},
				{"a new ID", b, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
					return a.store.Regenerate(r, w, s)
				}},
			} {
				cookies := test.browser.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("%s: Get: %v", test.name, err)
					}
					a.backend.Counts()
					good := *session.Options
					spoil(session.Options)
					if err := test.save(w, r, session); err == nil || !strings.Contains(err.Error(), "Options") {
						t.Errorf("%s: Save: error is %v, want one that says to correct the Options", test.name, err)
					}
					a.wantSent()
					// Nothing was written, so this is still to do.
					*session.Options = good
					if test.browser != b {
						return
					}
					if err := session.Save(r, httptest.NewRecorder()); err != nil {
						t.Errorf("%s: Save with other Options: %v", test.name, err)
					}
					delete(session.Values, "k")
					if err := session.Save(r, httptest.NewRecorder()); err != nil {
						t.Errorf("%s: Save with other Options: %v", test.name, err)
					}
				})
				if len(cookies) != 0 {
					t.Errorf("%s: Save set the cookie %v", test.name, cookies)
				}
			}
			a.wantLive(1)
			if after := a.item(); !reflect.DeepEqual(after["data"], before["data"]) {
				t.Errorf("data = %s, want it as it was: %s", attrText(after["data"]), attrText(before["data"]))
			}
		})
	}
}

// A later cookie of a name replaces the earlier one, and others stay.
func TestResponseHasOneCookieOfAName(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	w := httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
	http.SetCookie(w, &http.Cookie{Name: "session2", Value: "another store's"})
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "set by the handler"})
	wantCookies := func(want ...string) {
		t.Helper()
		var got []string
		for _, c := range cookiesOf(w) {
			got = append(got, c.Name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("the response sets the cookies %q, want %q", got, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
	session, err := a.store.Get(r, "session")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	flashes, err := a.store.Get(r, "flashes")
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	for n, save := range []func() error{
		func() error { return session.Save(r, w) },
		func() error { return flashes.Save(r, w) },
		func() error { session.Values["k"] = "v"; return session.Save(r, w) },
		func() error { return a.store.Regenerate(r, w, session) },
		func() error { session.Options.MaxAge = 60; return session.Save(r, w) },
		func() error { return sessions.Save(r, w) },
	} {
		if err := save(); err != nil {
			t.Errorf("Save %d: %v", n, err)
		}
	}
	wantCookies("theme", "session2", "session", "flashes")
	b := a.browser()
	for _, c := range cookiesOf(w) {
		if c.Name == "session" {
			b.setCookie(c.Value)
		}
	}
	if got := b.values()["k"]; got != "v" {
		t.Errorf("k = %v by the response's cookie, want v", got)
	}
	session.Options.MaxAge = -1
	if err := session.Save(r, w); err != nil {
		t.Errorf("logout: %v", err)
	}
	wantCookies("theme", "session2", "session", "flashes")
	for _, c := range cookiesOf(w) {
		if c.Name == "session" && c.MaxAge >= 0 {
			t.Errorf("the response sets %v after the logout, want an expired cookie", c)
		}
	}
}

// securecookie has a limit of 30 days of its own, which would end a session that is remembered for
// longer.
func TestCookieHasNoAgeLimitOfItsOwn(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for range 2 {
		for _, codec := range a.store.Codecs {
			if got := reflect.ValueOf(codec).Elem().FieldByName("maxAge").Int(); got != 0 {
				t.Errorf("the cookie codec's maxAge is %d, want 0, no limit", got)
			}
		}
		a.store.MaxAge(60)
	}
}

// Neither the cookie's date nor the item's end overflows.
func TestMaxAgeOfCenturies(t *testing.T) {
	t.Parallel()
	for _, age := range []int{
		1 << 33,       // seconds: 272 years
		9_223_372_037, // one more than fits a time.Duration
		1 << 53,
	} {
		t.Run(fmt.Sprint(age), func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			cookies, err := b.with(func(s *sessions.Session) { s.Options.MaxAge, s.Values["k"] = age, "v" })
			if err != nil || len(cookies) != 1 || cookies[0].MaxAge != age {
				t.Fatalf("Save: %v, and the cookies %v, want one with Max-Age %d", err, cookies, age)
			}
			if expires := cookies[0].Expires; !expires.IsZero() && expires.Before(time.Now()) {
				t.Errorf("the cookie expires at %v, want no date in the past", expires)
			}
			b.setCookie(cookies[0].Value) // since the browser's jar is no better at such ages
			before := attrNumber(t, a.item(), "expires")
			if years := before/(365*24*60*60) + 1970; years < 2050 || years > 9999 {
				t.Errorf("the item ends in the year %d, want one that a time can hold", years)
			}
			session, err := b.load()
			if err != nil || session.Options.MaxAge != age || session.Values["k"] != "v" {
				t.Errorf("MaxAge = %d and the values %v, %v, want %d and k", session.Options.MaxAge, session.Values, err, age)
			}
			a.backend.Counts()
			if _, err := b.with(func(*sessions.Session) {}); err != nil {
				t.Errorf("Save: %v", err)
			}
			a.wantSent("GetItem")
			if after := attrNumber(t, a.item(), "expires"); after != before {
				t.Errorf("expires went from %d to %d", before, after)
			}
		})
	}
}

// The browser loses its cookie also where the item stays, and the application learns that it does.
func TestLogoutThatFailsDeletesTheCookie(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			old := b.tab()
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				onUpdatesOf(a.backend, "gone", dynamotest.Times(3, dynamotest.InternalError)...)
				session.Options.MaxAge = -1
				err = session.Save(r, w)
				if err == nil || !strings.Contains(err.Error(), a.cfg.Table) {
					t.Errorf("logout: error is %v, want one that names the table", err)
				}
			})
			if len(cookies) != 1 || cookies[0].MaxAge >= 0 || b.cookie() != "" {
				t.Errorf("logout set %v, and the browser has the cookie %q, want an expired one, and none", cookies, b.cookie())
			}
			a.wantLive(1)

			// A second try in the same request ends it.
			old.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				onUpdatesOf(a.backend, "gone", dynamotest.Times(3, dynamotest.InternalError)...)
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err == nil {
					t.Error("logout succeeded, and DynamoDB failed")
				}
				if err := session.Save(r, w); err != nil {
					t.Errorf("second logout: %v", err)
				}
			})
			a.wantLive(0)
		})
	}
}

// unencodable is a type that gob does not store.
type unencodable struct{ F func() }

// No Save that returns an error sets a cookie. One that an earlier Save set stays.
func TestNoCookieWithAnError(t *testing.T) {
	t.Parallel()
	elsewhere := func(a *app, b *browser) {
		if _, err := a.elsewhere().tab(b).with(func(s *sessions.Session) { s.Values["theirs"] = 1 }); err != nil {
			a.Errorf("Save elsewhere: %v", err)
		}
	}
	for _, test := range []struct {
		name   string
		cfg    func(*dynamostore.Config)
		isNew  bool
		change func(a *app, b *browser, s *sessions.Session)
		want   error // nil for any
	}{
		{"too large", nil, false, func(a *app, _ *browser, s *sessions.Session) {
			a.store.MaxLength(100)
			s.Values["k"] = strings.Repeat("v", 200)
		}, dynamostore.ErrTooLarge},
		{"too large, new", nil, true, func(a *app, _ *browser, s *sessions.Session) {
			a.store.MaxLength(100)
			s.Values["k"] = strings.Repeat("v", 200)
		}, dynamostore.ErrTooLarge},
		{"too large for DynamoDB", func(c *dynamostore.Config) { c.NoCompression = true }, true, func(_ *app, _ *browser, s *sessions.Session) {
			s.Values["k"] = strings.Repeat("v", 500_000)
		}, dynamostore.ErrTooLarge},
		{"not encodable", nil, false, func(_ *app, _ *browser, s *sessions.Session) { s.Values["k"] = unencodable{} }, nil},
		{"not encodable, new", nil, true, func(_ *app, _ *browser, s *sessions.Session) { s.Values["k"] = unencodable{} }, nil},
		{"a user that is none", func(c *dynamostore.Config) { c.UserKey = "user" }, false, func(_ *app, _ *browser, s *sessions.Session) { s.Values["user"] = "" }, nil},
		{"a label that is none", func(c *dynamostore.Config) { c.LabelKey = "label" }, true, func(_ *app, _ *browser, s *sessions.Session) { s.Values["label"] = 1 }, nil},
		{"refused", func(c *dynamostore.Config) { c.Concurrency = dynamostore.Refuse }, false, func(a *app, b *browser, s *sessions.Session) {
			elsewhere(a, b)
			s.Options.MaxAge = 60
		}, dynamostore.ErrConflict},
		{"merged into what cannot be decoded", nil, false, func(a *app, b *browser, s *sessions.Session) {
			elsewhere(a, b)
			a.alter(dynamotest.Item{"data": dynamotest.B([]byte("?"))})
			s.Options.MaxAge = 60
		}, dynamostore.ErrUndecodable},
		{"not answered", nil, false, func(a *app, _ *browser, s *sessions.Session) {
			a.backend.Inject("UpdateItem", dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)
			s.Options.MaxAge = 60
		}, nil},
		{"not answered, new", nil, true, func(a *app, _ *browser, s *sessions.Session) {
			a.backend.Inject("PutItem", dynamotest.AppliedThenReset, dynamotest.Reset, dynamotest.Reset)
		}, nil},
		{"not answered, an older key", nil, false, func(a *app, _ *browser, s *sessions.Session) {
			a.backend.Inject("GetItem", dynamotest.Times(3, dynamotest.Reset)...)
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				if test.cfg != nil {
					test.cfg(c)
				}
			})
			b := a.browser()
			if !test.isNew {
				b.set("k", "v")
				a.store = a.open(a.cfg, keyB, nil, keyA) // so that any Save sets the cookie
			}
			cookies, err := b.with(func(s *sessions.Session) { test.change(a, b, s) })
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Save: error is %v, want %v", err, test.want)
			}
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
		})
	}
}

func TestCookieOfAnEarlierSaveStays(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["user"] = "ann"
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
		session.Values["k"] = unencodable{}
		if err := session.Save(r, w); err == nil {
			t.Error("Save of what cannot be encoded succeeded")
		}
	})
	if len(cookies) != 1 || b.values()["user"] != "ann" {
		t.Errorf("the response set %v, which opens a session with %v, want the cookie of the first Save", cookies, b.values())
	}
}

// A logout whose cookie net/http drops, or sends otherwise than the Options say, ends the session
// and says so.
func TestLogoutWithACookieThatNetHTTPWouldDrop(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	_, err := b.with(func(s *sessions.Session) { s.Options.MaxAge, s.Options.Domain = -1, "shop example" })
	if err == nil || !strings.Contains(err.Error(), "Options") {
		t.Errorf("logout: error is %v, want one that says to correct the Options", err)
	}
	a.wantLive(0)
}

// The browser gets its cookie with the Save that finds out that the one before, which moved the
// item's end, was applied.
func TestCookieAfterAnUnansweredSave(t *testing.T) {
	t.Parallel()
	due := func(a *app) {
		a.makeTouchDue()
	}
	for _, test := range []struct {
		name    string
		prepare func(*app)
		change  func(*sessions.Session)
	}{
		{"changed, and the end is due", due, func(s *sessions.Session) { s.Values["k"] = 1 }},
		{"another MaxAge", func(*app) {}, func(s *sessions.Session) { s.Options.MaxAge = 90 * 24 * 60 * 60 }},
		{"other options", func(*app) {}, func(s *sessions.Session) { s.Options.SameSite = http.SameSiteStrictMode }},
	} {
		for _, f := range []fate{applied, lost, late} {
			for _, mode := range modes {
				t.Run(test.name+", "+f.name+", "+mode.name, func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode))
					b := a.browser()
					b.set("k", 0)
					test.prepare(a)
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						test.change(session)
						onUpdatesOf(a.backend, "version", f.faults(&dynamotest.HeldBack{})...)
						if err := session.Save(r, w); err == nil {
							t.Error("the first Save succeeded, and DynamoDB did not answer it")
						}
						if err := session.Save(r, w); err != nil {
							t.Errorf("the second Save: %v", err)
						}
					})
					if len(cookies) != 1 {
						t.Errorf("the response set the cookies %v, want one, as the item's end or its options changed", cookies)
					}
				})
			}
		}
	}
}

// The same of a touch, also where the second comes in another second, and so would set another end.
func TestCookieAfterAnUnansweredTouch(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, f := range []fate{applied, appliedThenRefused, lost, late} {
			for _, pause := range []time.Duration{0, 5 * time.Second} {
				t.Run(fmt.Sprint(mode.name, ", ", f.name, ", ", pause), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
						cookie := i.begin(map[any]any{"user": "ann"})
						time.Sleep(20 * day)
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						v := i.visit(ctx, cookie)
						onUpdatesOf(i.backend, "expires", f.faults(&dynamotest.HeldBack{})...)
						if err := v.save(); err == nil {
							t.Error("the first Save succeeded, and DynamoDB did not answer it")
						}
						time.Sleep(pause)
						if err := v.save(); err != nil {
							t.Errorf("the second Save: %v", err)
						}
						if got := v.cookies(); len(got) != 1 {
							t.Errorf("the response set the cookies %v, want one, as the item's end moved", got)
						}
					})
				})
			}
		}
	}
}

// The same where the SDK sends a touch again that was applied, and another request has written
// since, which sets no cookie.
func TestCookieAfterATouchThatIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("k", 0)
			a.makeTouchDue()
			tab := a.elsewhere().tab(b)
			onUpdatesOf(a.backend, "expires", dynamotest.AppliedThenReset, dynamotest.Do(func() {
				if cookies := tab.set("theirs", 1); len(cookies) != 0 {
					t.Errorf("the other request set the cookie %v", cookies)
				}
			}))
			cookies, err := b.with(func(*sessions.Session) {})
			if err != nil || len(cookies) != 1 {
				t.Errorf("Save: %v, and the cookies %v, want one, as it moved the item's end", err, cookies)
			}
		})
	}
}
