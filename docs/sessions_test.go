package docs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/dynamostoretest"
	"example.com/dynamostore/internal/dynamotest"
)

func in(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// The table of what Get returns, row by row.
func TestWhatGetReturns(t *testing.T) {
	type got struct {
		isNew     bool
		err, save error // of Get and of Save
	}
	cookieError, anyError := errors.New("securecookie's"), errors.New("any")
	is := func(err, want error) bool {
		var cookie securecookie.Error
		switch want {
		case anyError:
			return err != nil
		case cookieError:
			return errors.As(err, &cookie)
		}
		return errors.Is(err, want)
	}
	for _, test := range []struct {
		row     string
		name    string
		prepare func(s *site, b *browser)
		want    got
		sent    []string
	}{
		{row: "no cookie", prepare: func(_ *site, b *browser) { clear(b.cookies) }, want: got{isNew: true}},
		{row: "a cookie that does not verify", prepare: func(_ *site, b *browser) { b.cookies["session"].Value = "forged" },
			want: got{isNew: true, err: cookieError}},
		{row: "a live session", prepare: func(*site, *browser) {}, sent: []string{"GetItem"}},
		{row: "a session that expired, or was ended", prepare: func(s *site, b *browser) {
			if err := s.store.Destroy(s.Context(), s.store.Key(b.session())); err != nil {
				s.Fatal(err)
			}
		}, want: got{isNew: true}, sent: []string{"GetItem"}},
		{row: "a session that was given a new ID less than 10 seconds ago", prepare: func(_ *site, b *browser) {
			b.tab().with(func(s *sessions.Session) { s.ID = "" })
		}, want: got{isNew: true, save: dynamostore.ErrGone}, sent: []string{"GetItem"}},
		{row: "a session whose item cannot be decoded", prepare: func(s *site, _ *browser) {
			item := s.live()[0]
			item["codec"] = dynamotest.S("unknown")
			s.backend.Put(s.T, item)
		}, want: got{isNew: true, err: dynamostore.ErrUndecodable}, sent: []string{"GetItem"}},
		{row: "a session, and DynamoDB fails", prepare: func(s *site, _ *browser) { s.backend.Inject("GetItem", dynamotest.Denied) },
			want: got{isNew: true, err: anyError, save: dynamostore.ErrNotLoaded}, sent: []string{"GetItem"}},
		{row: "a session name that is not a valid cookie name", name: "my session", prepare: func(*site, *browser) {},
			want: got{isNew: true, err: anyError, save: anyError}},
	} {
		t.Run(test.row, func(t *testing.T) {
			s := newSite(t, dynamostore.Config{})
			b := s.browser()
			b.set("user", "ann")
			test.prepare(s, b)
			s.backend.Counts()
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				name := "session"
				if test.name != "" {
					name = test.name
				}
				session, err := s.store.Get(r, name)
				if session == nil || session.IsNew != test.want.isNew || !is(err, test.want.err) {
					t.Fatalf("Get = %+v, %v, want new: %v, and the error %v", session, err, test.want.isNew, test.want.err)
				}
				s.wantSent("Get", test.sent...)
				if err := session.Save(r, w); !is(err, test.want.save) {
					t.Errorf("Save = %v, want %v", err, test.want.save)
				}
			})
		})
	}
	wantRows(t, "## What Get returns", "the request brings | Get returns | requests to DynamoDB", 8)
}

// wantRows asserts how many rows a table of sessions.md has.
func wantRows(t *testing.T, heading, header string, want int) {
	t.Helper()
	if got := rows(t, "sessions.md", heading, header); len(got) != want {
		t.Errorf("the table has %d rows, and the test %d", len(got), want)
	}
}

// The table of what Save writes, row by row.
func TestWhatSaveWrites(t *testing.T) {
	unchanged := func(*sessions.Session) {}
	changed := func(s *sessions.Session) { s.Values["n"] = 1 }
	due := func(s *site, _ *browser) { // so that the next Save moves the session's end
		item := s.live()[0]
		item["expires"] = dynamotest.N(in(time.Hour))
		s.backend.Put(s.T, item)
	}
	none := func(*site, *browser) {}
	for _, test := range []struct {
		row       string
		cfg       dynamostore.Config
		isNew     bool
		prepare   func(*site, *browser) // before Get
		meanwhile func(*site, *browser) // between Get and Save
		change    func(*sessions.Session)
		want      error
		sent      []string
		cookie    bool
	}{
		{row: "new", isNew: true, change: changed, sent: []string{"PutItem"}, cookie: true},
		{row: "new, without values, with `SkipEmpty`", cfg: dynamostore.Config{SkipEmpty: true}, isNew: true, change: unchanged},
		{row: "unchanged", change: unchanged},
		{row: "unchanged, and its end is due", prepare: due, change: unchanged, sent: []string{"UpdateItem"}, cookie: true},
		{row: "changed", change: changed, sent: []string{"UpdateItem"}},
		{row: "changed, and its end is due", prepare: due, change: changed, sent: []string{"UpdateItem"}, cookie: true},
		{row: "changed, and others have written it", meanwhile: func(_ *site, b *browser) { b.set("theirs", 1) }, change: changed,
			sent: []string{"UpdateItem", "UpdateItem"}},
		{row: "with a new ID: `Regenerate`", change: func(s *sessions.Session) { s.ID = "" }, sent: []string{"GetItem", "TransactWriteItems"}, cookie: true},
		{row: "`Options.MaxAge` < 0", change: func(s *sessions.Session) { s.Options.MaxAge = -1 }, sent: []string{"UpdateItem"}, cookie: true},
		{row: "ended by somebody else", meanwhile: func(s *site, b *browser) {
			if err := s.store.Destroy(s.Context(), s.store.Key(b.session())); err != nil {
				s.Fatal(err)
			}
		}, change: changed, want: dynamostore.ErrGone, sent: []string{"UpdateItem"}},
		{row: "not loaded, since DynamoDB failed", prepare: func(s *site, _ *browser) { s.backend.Inject("GetItem", dynamotest.Denied) },
			change: changed, want: dynamostore.ErrNotLoaded},
	} {
		t.Run(test.row, func(t *testing.T) {
			s := newSite(t, test.cfg)
			b := s.browser()
			if !test.isNew {
				b.set("user", "ann")
			}
			for _, f := range []*func(*site, *browser){&test.prepare, &test.meanwhile} {
				if *f == nil {
					*f = none
				}
			}
			test.prepare(s, b)
			tab := b.tab()
			response := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := s.store.Get(r, "session")
				test.meanwhile(s, tab)
				test.change(session)
				s.backend.Counts()
				if err := session.Save(r, w); !errors.Is(err, test.want) {
					t.Errorf("Save = %v, want %v", err, test.want)
				}
			})
			s.wantSent("Save", test.sent...)
			if set := len(response.Cookies()); set != 0 != test.cookie || set > 1 {
				t.Errorf("the response sets the cookies %v, want one: %v", response.Cookies(), test.cookie)
			}
		})
	}
	wantRows(t, "## What Save writes", "the session | requests | the response gets", 11)
}

// Saving again after an unanswered Save finds out what was applied.
func TestSaveAgain(t *testing.T) {
	for name, fault := range map[string]dynamotest.Fault{"applied": dynamotest.AppliedThenReset, "not applied": dynamotest.Reset} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, dynamostore.Config{})
			b := s.browser()
			b.set("list", []string{"a"})
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, _ := s.store.Get(r, "session")
				session.Values["list"] = append(session.Values["list"].([]string), "b")
				s.backend.Inject("UpdateItem", dynamotest.Times(3, fault)...)
				if err := session.Save(r, w); err == nil {
					t.Error("Save: no error while DynamoDB does not answer")
				}
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save again: %v", err)
				}
			})
			if got := b.session().Values["list"]; fmt.Sprint(got) != "[a b]" {
				t.Errorf("the list is %v, want [a b]", got)
			}
		})
	}
}

// What each mode does when two requests meet.
func TestTwoRequestsAtOnce(t *testing.T) {
	modes := map[string]dynamostore.Concurrency{
		"`Merge`, the default": dynamostore.Merge, "`Refuse`": dynamostore.Refuse, "`Overwrite`": dynamostore.Overwrite, "`Lock`": dynamostore.Lock,
	}
	for _, row := range rows(t, "sessions.md", "## Two requests at once", "mode | a Save that meets another request's write") {
		mode, ok := modes[row[0]]
		if !ok {
			t.Errorf("no mode is called %s", row[0])
		}
		delete(modes, row[0])
		t.Run(row[0], func(t *testing.T) {
			s := newSite(t, dynamostore.Config{Concurrency: mode, Lock: lockOf(mode)})
			b := s.browser()
			b.set("cart", []string{"tea"})
			tab := b.tab()
			_, err := b.with(func(session *sessions.Session) {
				if mode == dynamostore.Lock {
					if _, err := s.store.New(tab.request(), "session"); !errors.Is(err, dynamostore.ErrLockTimeout) {
						t.Errorf("Get = %v, want it to wait, until ErrLockTimeout", err)
					}
				} else {
					tab.set("cart", []string{"tea", "milk"})
				}
				session.Values["cart"] = []string{"tea", "salt"}
			})
			got := fmt.Sprint(b.session().Values["cart"])
			switch mode {
			case dynamostore.Merge:
				if err != nil || got != "[tea milk salt]" {
					t.Errorf("Save = %v, and the cart is %s, want both changes", err, got)
				}
			case dynamostore.Refuse:
				if !errors.Is(err, dynamostore.ErrConflict) || got != "[tea milk]" {
					t.Errorf("Save = %v, and the cart is %s, want ErrConflict and the other's change", err, got)
				}
			default:
				if err != nil || got != "[tea salt]" {
					t.Errorf("Save = %v, and the cart is %s, want this request's change", err, got)
				}
			}
		})
	}
	for name := range modes {
		t.Errorf("sessions.md lacks the mode %s", name)
	}
}

func lockOf(mode dynamostore.Concurrency) dynamostore.LockConfig {
	if mode != dynamostore.Lock {
		return dynamostore.LockConfig{}
	}
	return dynamostore.LockConfig{Wait: 10 * time.Millisecond, MinRetry: time.Millisecond, MaxRetry: time.Millisecond}
}

// A number under one key is one value, and the later write wins. Update counts.
func TestCounters(t *testing.T) {
	s := newSite(t, dynamostore.Config{})
	b := s.browser()
	b.set("unread", 3)
	tab := b.tab()
	if _, err := b.with(func(session *sessions.Session) {
		tab.set("unread", 4)
		session.Values["unread"] = session.Values["unread"].(int) + 1
	}); err != nil {
		t.Error(err)
	}
	session := b.session()
	if got := session.Values["unread"]; got != 4 {
		t.Errorf("after two Saves that count from 3, it is %v, and sessions.md and README.md say 4", got)
	}
	store, ctx := s.store, t.Context()
	info := dynamostore.SessionInfo{Key: store.Key(session)}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := store.Update(ctx, info.Key, func(values map[any]any) error {
				unread, _ := values["unread"].(int)
				values["unread"] = unread + 1
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := b.session().Values["unread"]; got != 24 {
		t.Errorf("after 20 Updates, it is %v, want 24", got)
	}
}

// With Lock, a request cannot Update the session that it has locked.
func TestUpdateWithinALockedRequest(t *testing.T) {
	s := newSite(t, dynamostore.Config{Concurrency: dynamostore.Lock, Lock: lockOf(dynamostore.Lock)})
	b := s.browser()
	b.set("n", 1)
	if _, err := b.with(func(session *sessions.Session) {
		err := s.store.Update(t.Context(), s.store.Key(session), func(map[any]any) error { return nil })
		if !errors.Is(err, dynamostore.ErrLockTimeout) {
			t.Errorf("Update = %v, want ErrLockTimeout", err)
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestPeekReadsOnly(t *testing.T) {
	s := newSite(t, dynamostore.Config{Concurrency: dynamostore.Lock})
	b := s.browser()
	b.set("user", "ann")
	store, tab := s.store, b.tab()
	if _, err := b.with(func(*sessions.Session) { // which holds the lock
		tab.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := store.Peek(r, "session")
			if err != nil || session.Values["user"] != "ann" {
				t.Errorf("Peek = %v, %v", session.Values, err)
			}
			if err := session.Save(r, w); !errors.Is(err, dynamostore.ErrReadOnly) {
				t.Errorf("Save = %v, want ErrReadOnly", err)
			}
		})
	}); err != nil {
		t.Error(err)
	}
}

func TestAutoSave(t *testing.T) {
	s := newSite(t, dynamostore.Config{SkipEmpty: true})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, "session")
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("Cookie") != "" {
			session.Values["n"] = 1
		}
		fmt.Fprint(w, "the page")
	})
	{
		handler := dynamostore.AutoSave(mux, nil)
		s.browser().visit(handler.ServeHTTP)
		s.wantSent("an empty session, with SkipEmpty")
		b := s.browser()
		b.set("user", "ann")
		b.visit(handler.ServeHTTP)
		if got := b.session().Values["n"]; got != 1 {
			t.Errorf("the handler's change is %v, want 1", got)
		}
		b.set("n", 0)
		s.backend.Inject("UpdateItem", dynamotest.Denied)
		if response := b.visit(handler.ServeHTTP); response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("the status is %d, want 503", response.StatusCode)
		}
	}
	handler := dynamostore.AutoSave(mux, func(w http.ResponseWriter, r *http.Request, err error) {
		if errors.Is(err, dynamostore.ErrGone) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		http.Error(w, "Please try again soon.", http.StatusServiceUnavailable)
	})
	b := s.browser()
	b.set("user", "ann")
	tab := b.tab()
	s.backend.Inject("GetItem", func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		tab.with(func(session *sessions.Session) { session.Options.MaxAge = -1 }) // a logout while the request runs
		return response, err
	})
	if response := b.visit(handler.ServeHTTP); response.Header.Get("Location") != "/login" {
		t.Errorf("after a logout, the response is %d to %q, want a redirect to /login", response.StatusCode, response.Header.Get("Location"))
	}
}

func TestRegenerateAndLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{T: t}
		client := dynamostoretest.NewClient(t)
		store, err := dynamostore.New(client, dynamostore.Config{UserKey: "user"}, key)
		if err != nil {
			t.Fatal(err)
		}
		s.store = store
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := s.browser()
		b.set("cart", "tea")
		late := b.tab()
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := store.Get(r, "session")
			if err != nil {
				t.Error(err)
			}
			session.Values["user"] = "ann"
			err = store.Regenerate(r, w, session)
			if err != nil {
				t.Error(err)
			}
		})
		if b.cookies["session"].Value == late.cookies["session"].Value {
			t.Error("the login did not change the cookie")
		}
		if got := b.session().Values; got["user"] != "ann" || got["cart"] != "tea" {
			t.Errorf("after the login, the session has %v", got)
		}
		if response, err := late.with(func(*sessions.Session) {}); !errors.Is(err, dynamostore.ErrGone) || len(response.Cookies()) != 0 {
			t.Errorf("a late request: Save = %v, and the cookies %v, want ErrGone and none", err, response.Cookies())
		}
		time.Sleep(11 * time.Second)
		if _, err := late.with(func(s *sessions.Session) { s.Values["n"] = 1 }); err != nil {
			t.Errorf("11 s later, Save = %v, want a new session", err)
		}

		// Log out, and a write that was under way.
		tab := b.tab()
		if _, err := tab.with(func(session *sessions.Session) {
			session.Values["n"] = 1
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := store.Get(r, "session")
				if err != nil {
					t.Error(err)
				}
				session.Options.MaxAge = -1
				err = session.Save(r, w)
				if err != nil {
					t.Error(err)
				}
			})
		}); !errors.Is(err, dynamostore.ErrGone) {
			t.Errorf("a Save after the logout = %v, want ErrGone", err)
		}
		if got := b.cookies["session"]; got != nil {
			t.Errorf("after the logout, the browser has the cookie %v", got)
		}
		if session := tab.session(); !session.IsNew {
			t.Errorf("after the logout, a copy of the cookie opens %v", session.Values)
		}
	})
}

// The table of calls that list and end sessions, and what SessionInfo has.
func TestSessionsOfAUser(t *testing.T) {
	s := newSite(t, dynamostore.Config{UserKey: "user", LabelKey: "device"})
	store, ctx := s.store, t.Context()
	login := func(device string) *browser {
		b := s.browser()
		if _, err := b.with(func(s *sessions.Session) { s.Values["user"], s.Values["device"] = "ann", device }); err != nil {
			t.Fatal(err)
		}
		return b
	}
	laptop := login("Firefox on Linux")
	login("Safari on iOS")
	login("curl")
	session := laptop.session()

	var infos []dynamostore.SessionInfo
	for info, err := range store.UserSessions(ctx, "ann") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Label == "" || info.Created.IsZero() || info.LastSeen.IsZero() || info.Expires.IsZero() {
			t.Errorf("UserSessions yields %+v", info)
		}
		infos = append(infos, info)
	}
	if len(infos) != 3 {
		t.Fatalf("UserSessions yields %d sessions, want 3", len(infos))
	}
	i := slices.IndexFunc(infos, func(info dynamostore.SessionInfo) bool { return info.Label == "curl" })
	info := infos[i]
	if err := store.Destroy(ctx, info.Key); err != nil {
		t.Errorf("Destroy: %v", err)
	}
	if n, err := store.DestroyUser(ctx, "ann", store.Key(session)); n != 1 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 1", n, err)
	}
	if laptop.session().IsNew {
		t.Error("DestroyUser ended the session that it was to keep")
	}
	if n, err := store.DestroyUser(ctx, "ann"); n != 1 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 1", n, err)
	}
	for info, err := range store.Sessions(ctx) {
		t.Errorf("Sessions yields %+v, %v, want none", info, err)
	}
	for _, row := range rows(t, "sessions.md", "## Logging out, here and elsewhere", "call | what it does") {
		call := strings.Trim(row[0], "`")
		if !strings.Contains(readPage(t, "sessions_test.go"), call) {
			t.Errorf("the test does not call %s", call)
		}
	}
}

// Options that a request sets to other than the Store's cost once.
func TestOptionsPerRequest(t *testing.T) {
	s := newSite(t, dynamostore.Config{})
	b := s.browser()
	strict := func(session *sessions.Session) {
		session.Options.SameSite = http.SameSiteStrictMode
		session.Options.MaxAge = 3600
	}
	b.set("user", "ann")
	for i := range 3 {
		s.backend.Counts()
		response, err := b.with(strict)
		if err != nil {
			t.Error(err)
		}
		want := []string{"GetItem"}
		if i == 0 {
			want = append(want, "UpdateItem")
		}
		s.wantSent(fmt.Sprint("request ", i), want...)
		if set := response.Cookies(); (len(set) == 1) != (i == 0) {
			t.Errorf("request %d sets the cookies %v, want one from the first", i, set)
		}
	}
	if item := s.live()[0]; item["options"] == nil || item["max_age"] == nil {
		t.Errorf("the item has the attributes %v, want options and max_age", item)
	}
	if got := b.session().Options; got.MaxAge != 3600 || got.SameSite != http.SameSiteLaxMode {
		t.Errorf("Get gives the options %+v, want MaxAge alone to be the session's", got)
	}
}

// limitSessions ends the sessions of a user that were seen least recently until max are left. The session keep, which
// just logged in, is one of them.
func limitSessions(ctx context.Context, store *dynamostore.Store, user, keep string, max int) error {
	var others []dynamostore.SessionInfo
	for info, err := range store.UserSessions(ctx, user) {
		if err != nil {
			return err
		}
		if info.Key != keep {
			others = append(others, info)
		}
	}
	slices.SortFunc(others, func(a, b dynamostore.SessionInfo) int { return b.LastSeen.Compare(a.LastSeen) })
	for i, info := range others {
		if i < max-1 {
			continue
		}
		if err := store.Destroy(ctx, info.Key); err != nil && !errors.Is(err, dynamostore.ErrGone) {
			return err
		}
	}
	return nil
}

// loginLimited is the recipe's login.
func loginLimited(store *dynamostore.Store, w http.ResponseWriter, r *http.Request, user string) error {
	session, err := store.Get(r, "session")
	if err != nil {
		return err
	}
	session.Values["user"] = user
	if err := store.Regenerate(r, w, session); err != nil {
		return err
	}
	return limitSessions(r.Context(), store, user, store.Key(session), 3)
}

func TestRecipeLimitSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := dynamostore.New(dynamostoretest.NewClient(t), dynamostore.Config{UserKey: "user", TouchInterval: time.Hour}, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := &site{T: t, store: store}
		login := func(user string) *browser {
			b := s.browser()
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				if err := loginLimited(store, w, r, user); err != nil {
					t.Errorf("login: %v", err)
				}
			})
			time.Sleep(2 * time.Hour)
			return b
		}
		bob := login("bob")
		first, second, third := login("ann"), login("ann"), login("ann")
		if _, err := first.with(func(*sessions.Session) {}); err != nil { // is seen again, and so the second is the oldest
			t.Error(err)
		}
		fourth := login("ann")
		for name, b := range map[string]*browser{"bob": bob, "first": first, "third": third, "fourth": fourth} {
			if b.session().IsNew {
				t.Errorf("%s is logged out", name)
			}
		}
		if !second.session().IsNew {
			t.Error("the second is still logged in, and was seen least recently")
		}
	})
}

const sessionHeader = "Session-Token"

// headerSessions lets clients carry the session of that name in a header instead of a cookie.
func headerSessions(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Del("Cookie") // which a browser adds to requests that another site makes
		if token := r.Header.Get(sessionHeader); token != "" {
			r.AddCookie(&http.Cookie{Name: name, Value: token})
		}
		h := headerWriter{w, name}
		next.ServeHTTP(h, r)
		h.moveCookie()
	})
}

// headerWriter moves the session's cookie into the header before the response is sent.
type headerWriter struct {
	http.ResponseWriter
	name string
}

func (w headerWriter) WriteHeader(status int) {
	w.moveCookie()
	w.ResponseWriter.WriteHeader(status)
}

func (w headerWriter) Write(b []byte) (int, error) {
	w.moveCookie()
	return w.ResponseWriter.Write(b)
}

func (w headerWriter) moveCookie() {
	header := w.Header()
	header["Set-Cookie"] = slices.DeleteFunc(header["Set-Cookie"], func(line string) bool {
		cookie, err := http.ParseSetCookie(line)
		if err != nil || cookie.Name != w.name {
			return false
		}
		header.Set(sessionHeader, cookie.Value) // empty: the session was ended
		return true
	})
}

func TestRecipeSessionInAHeader(t *testing.T) {
	s := newSite(t, dynamostore.Config{})
	api := http.NewServeMux()
	api.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, "session")
		if err != nil {
			t.Error(err)
		}
		session.Values["user"] = "ann"
		if err := s.store.Regenerate(r, w, session); err != nil {
			t.Error(err)
		}
		http.SetCookie(w, &http.Cookie{Name: "other", Value: "1"})
	})
	api.HandleFunc("GET /api/user", func(w http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, "session")
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, session.Values["user"])
	})
	api.HandleFunc("POST /api/logout", func(w http.ResponseWriter, r *http.Request) {
		session, err := s.store.Get(r, "session")
		if err != nil {
			t.Error(err)
		}
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux := http.NewServeMux()
	mux.Handle("/api/", headerSessions("session", api))

	send := func(method, path, token, cookie string) *http.Response {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set(sessionHeader, token)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Result()
	}
	user := func(token, cookie string) string {
		b := new(strings.Builder)
		send("GET", "/api/user", token, cookie).Write(b)
		return b.String()[strings.LastIndex(b.String(), "\n")+1:]
	}
	response := send("POST", "/api/login", "", "")
	token := response.Header.Get(sessionHeader)
	if set := response.Cookies(); token == "" || len(set) != 1 || set[0].Name != "other" {
		t.Fatalf("the login sets the header %q and the cookies %v, want a token and the other cookie", token, set)
	}
	if got := user(token, ""); got != "ann" {
		t.Errorf("with the token, the user is %s, want ann", got)
	}
	if got := user("", "session="+token); got != "<nil>" {
		t.Errorf("with a cookie, the user is %s, want none", got)
	}
	response = send("POST", "/api/logout", token, "")
	if got, ok := response.Header[sessionHeader]; !ok || got[0] != "" {
		t.Errorf("the logout sets the header %q, want an empty one", got)
	}
	if got := user(token, ""); got != "<nil>" {
		t.Errorf("after the logout, the user is %s, want none", got)
	}
}
