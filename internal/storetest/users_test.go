package storetest

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// newUsersApp is an app with the index of users, on the key "user".
func newUsersApp(t *testing.T, configure ...func(*dynamostore.Config)) *app {
	t.Helper()
	a := &app{T: t, backend: dynamotest.New(t)}
	a.cfg.UserKey = "user"
	for _, f := range configure {
		f(&a.cfg)
	}
	a.cfg.Table = a.backend.Table
	a.store = a.open(a.cfg, keyA)
	if err := a.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.serve()
	a.backend.Counts()
	return a
}

// openOn returns a Store on a client of the test's own.
func openOn(t testing.TB, client dynamostore.Client, cfg dynamostore.Config) *dynamostore.Store {
	t.Helper()
	cfg.NoTransactions = cfg.NoTransactions || noTransactions
	store, err := dynamostore.New(client, cfg, keyA)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return store
}

type listing = iter.Seq2[dynamostore.SessionInfo, error]

// infosOf returns what a listing tells. An error fails the test.
func infosOf(t testing.TB, list listing) (infos []dynamostore.SessionInfo) {
	t.Helper()
	for info, err := range list {
		if err != nil {
			t.Errorf("listing: %v", err)
			break
		}
		infos = append(infos, info)
	}
	return infos
}

// usersIn returns the users of the sessions in a listing, sorted.
func usersIn(t testing.TB, list listing) (users []string) {
	t.Helper()
	for _, info := range infosOf(t, list) {
		users = append(users, info.User)
	}
	slices.Sort(users)
	return users
}

// keyOf is the key of the browser's session.
func (b *browser) keyOf() (key string) {
	b.app.Helper()
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := b.app.store.Peek(r, cookieName)
		if err != nil || session.IsNew {
			b.app.Errorf("Peek = %+v, %v, want a session", session, err)
		}
		key = b.app.store.Key(session)
	})
	return key
}

// Listing and ending find this Store's sessions, and nothing else that is in the table.
func TestSessionsOfUsers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
	}{
		{"defaults", dynamostore.Config{}},
		{"prefix", dynamostore.Config{KeyPrefix: "shop/"}},
		{"composite key", dynamostore.Config{SortKeyAttribute: "sk", SortKeyValue: "SESSION", UserIndex: "by-user", ExpiresAttribute: "ttl"}},
		{"hashed IDs", dynamostore.Config{HashIDs: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { *c = test.cfg; c.UserKey = "user" })
			begin := time.Now()
			var anns []*browser
			for range 3 {
				b := a.browser()
				b.set("user", "ann")
				anns = append(anns, b)
			}
			bob := a.browser()
			bob.set("user", "bob")
			nobody := a.browser()
			nobody.set("cart", "tea")

			// What else is in the table is not listed: other applications' sessions, other things,
			// tombstones, and what has expired.
			expires := "expires"
			if name := test.cfg.ExpiresAttribute; name != "" {
				expires = name
			}
			session := a.live()[0]
			put := func(id string, change dynamotest.Item) {
				item := maps.Clone(session)
				item["id"], item["user"] = dynamotest.S(test.cfg.KeyPrefix+id), dynamotest.S("ann")
				maps.Copy(item, change)
				maps.DeleteFunc(item, func(_ string, v types.AttributeValue) bool { return v == nil })
				a.backend.Put(t, item)
			}
			put("expired", dynamotest.Item{expires: dynamotest.N("1")})
			put("ended", dynamotest.Item{"gone": dynamotest.S("ended"), "data": nil})
			put("moved", dynamotest.Item{"gone": dynamotest.S("moved"), "data": nil, "user": nil})
			if test.cfg.KeyPrefix != "" {
				put("", dynamotest.Item{"id": dynamotest.S("other/x")})
			}
			if test.cfg.SortKeyAttribute != "" {
				put("x", dynamotest.Item{"sk": dynamotest.S("PROFILE")})
			}
			others := len(a.backend.Items(t)) - 5

			if got := usersIn(t, a.store.UserSessions(t.Context(), "eve")); got != nil {
				t.Errorf("UserSessions(eve) = %q", got)
			}
			if got := usersIn(t, a.store.Sessions(t.Context())); !slices.Equal(got, []string{"", "ann", "ann", "ann", "bob"}) {
				t.Errorf("Sessions = %q", got)
			}
			for _, info := range infosOf(t, a.store.UserSessions(t.Context(), "bob")) {
				if info.Key != bob.keyOf() || info.User != "bob" || info.Label != "" {
					t.Errorf("bob's SessionInfo = %+v, want the key of his session, %q", info, bob.keyOf())
				}
				wantTime(t, "Created", info.Created.Unix(), begin, 0)
				wantTime(t, "LastSeen", info.LastSeen.Unix(), begin, 0)
				wantTime(t, "Expires", info.Expires.Unix(), begin, 30*24*time.Hour)
			}

			// Log out everywhere else.
			keep := anns[0].keyOf()
			if n, err := a.store.DestroyUser(t.Context(), "ann", keep); n != 2 || err != nil {
				t.Errorf("DestroyUser = %d, %v, want 2", n, err)
			}
			for i, b := range anns {
				if s, err := b.load(); err != nil || s.IsNew != (i > 0) {
					t.Errorf("ann's session %d: IsNew %v, %v", i, s.IsNew, err)
				}
			}
			if got := bob.values()["user"]; got != "bob" {
				t.Errorf("bob's session holds %v", got)
			}
			if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
				t.Errorf("DestroyUser = %d, %v, want 1", n, err)
			}
			if got := usersIn(t, a.store.Sessions(t.Context())); !slices.Equal(got, []string{"", "bob"}) {
				t.Errorf("Sessions = %q", got)
			}
			// Each that was ended left a tombstone.
			if got, want := len(a.backend.Items(t)), 5+others; got != want {
				t.Errorf("the table holds %d items, want %d", got, want)
			}
		})
	}
}

// UserSessions yields a user's sessions in the order in which they end.
func TestUserSessionsAreInOrder(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	for _, age := range []int{300, 100, 200} {
		a.browser().with(func(s *sessions.Session) { s.Values["user"] = "ann"; s.Options.MaxAge = age })
	}
	infos := infosOf(t, a.store.UserSessions(t.Context(), "ann"))
	if len(infos) != 3 || !slices.IsSortedFunc(infos, func(a, b dynamostore.SessionInfo) int { return a.Expires.Compare(b.Expires) }) {
		t.Errorf("UserSessions = %+v, want three, the first to end in front", infos)
	}
}

// SessionInfo tells the label and when the session was last seen, wherever it comes from.
func TestLabelAndLastSeen(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t, func(c *dynamostore.Config) { c.LabelKey = "device" })
	b := a.browser()
	device := func(name any) {
		t.Helper()
		if _, err := b.with(func(s *sessions.Session) {
			s.Values["user"], s.Values["device"] = "ann", name
			if name == nil {
				delete(s.Values, "device")
			}
		}); err != nil {
			t.Errorf("Save: %v", err)
		}
	}
	want := func(when, label string, seen time.Time) {
		t.Helper()
		loaded, _, err := a.store.Load(t.Context(), b.keyOf())
		if err != nil {
			t.Errorf("Load: %v", err)
		}
		for from, infos := range map[string][]dynamostore.SessionInfo{
			"UserSessions": infosOf(t, a.store.UserSessions(t.Context(), "ann")),
			"Sessions":     infosOf(t, a.store.Sessions(t.Context())),
			"Load":         {loaded},
		} {
			if len(infos) != 1 || infos[0].Label != label || !infos[0].LastSeen.Equal(seen) || infos[0].User != "ann" {
				t.Errorf("%s: %s = %+v, want the label %q, last seen %v", when, from, infos, label, seen)
			}
		}
	}
	seen := func() time.Time { return time.Unix(attrNumber(t, a.item(), "seen"), 0) }

	device("Firefox on Linux")
	first := seen()
	want("login", "Firefox on Linux", first)
	device("Firefox 151 on Linux")
	want("a changed label", "Firefox 151 on Linux", first)
	device("")
	want("an empty label", "", first)
	device(nil)
	want("no label", "", first)
	device("Firefox on Linux")

	// Within TouchInterval, a Save is not seen. Later, it is, whether it changes the session or
	// not.
	anHourAgo := time.Unix(time.Now().Add(-time.Hour).Unix(), 0)
	for _, change := range []bool{false, true} {
		a.alter(dynamotest.Item{"seen": dynamotest.N(fmt.Sprint(anHourAgo.Unix()))})
		b.with(func(s *sessions.Session) {
			if change {
				s.Values["n"] = time.Now().UnixNano()
			}
		})
		want(fmt.Sprintf("within TouchInterval, changed %v", change), "Firefox on Linux", anHourAgo)
		a.alter(dynamotest.Item{
			"seen":    dynamotest.N(fmt.Sprint(anHourAgo.Unix())),
			"expires": dynamotest.N(secondsFromNow(20 * 24 * time.Hour)),
		})
		begin := time.Now()
		b.with(func(s *sessions.Session) {
			if change {
				s.Values["n"] = time.Now().UnixNano()
			}
		})
		wantTime(t, "seen", seen().Unix(), begin, 0)
		want(fmt.Sprintf("after TouchInterval, changed %v", change), "Firefox on Linux", seen())
	}
}

// A label that is no string, or too long, is an error of Save, and nothing is written.
func TestInvalidLabels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"a number", 7, "int"},
		{"bytes", []byte("secret"), "[]uint8"},
		{"nil", nil, "nil"},
		{"too long", strings.Repeat("secret", 43), "258 bytes"},
		{"not UTF-8", "\xffsecret", "UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) { c.LabelKey = "device" })
			for _, b := range []*browser{a.browser(), a.browser()} {
				cookies, err := b.with(func(s *sessions.Session) { s.Values["device"] = test.value })
				if err == nil || !strings.Contains(err.Error(), `"device"`) || !strings.Contains(err.Error(), "Config.LabelKey") ||
					!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("Save = %v, want an error that names Config.LabelKey and the key, and says %q", err, test.want)
				}
				if len(cookies) != 0 {
					t.Errorf("Save set the cookie %v", cookies)
				}
			}
			a.wantLive(0)
			b := a.browser()
			b.set("device", strings.Repeat("x", 256))
			before := a.item()
			for _, way := range rotations {
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Values["device"] = test.value
					if err := way.rotate(a.store, r, w, session); err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%s = %v, want the same error", way.name, err)
					}
				})
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// Logging in, out and as somebody else moves the session in the index.
func TestSessionFollowsItsUser(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
			b := a.browser()
			count := func(user string) int { return len(usersIn(t, a.store.UserSessions(t.Context(), user))) }
			for _, test := range []struct {
				name   string
				change func(*sessions.Session)
				ann    int
				bob    int
			}{
				{"none", func(s *sessions.Session) { s.Values["cart"] = "tea" }, 0, 0},
				{"log in", func(s *sessions.Session) { s.Values["user"] = "ann" }, 1, 0},
				{"something else", func(s *sessions.Session) { s.Values["cart"] = "milk" }, 1, 0},
				{"another user", func(s *sessions.Session) { s.Values["user"] = "bob" }, 0, 1},
				{"none again", func(s *sessions.Session) { delete(s.Values, "user") }, 0, 0},
			} {
				if _, err := b.with(test.change); err != nil {
					t.Errorf("%s: %v", test.name, err)
				}
				if ann, bob := count("ann"), count("bob"); ann != test.ann || bob != test.bob {
					t.Errorf("%s: %d sessions of ann, %d of bob, want %d and %d", test.name, ann, bob, test.ann, test.bob)
				}
			}
			if _, err := b.login(); err != nil {
				t.Error(err)
			}
			if count("ann") != 1 {
				t.Error("a rotated session is not in the index, or twice")
			}
			b.logout()
			if count("ann") != 0 {
				t.Error("a session that ended is in the index")
			}
		})
	}
}

// Types that applications use for users.
type (
	userName   string
	userNumber int32
	userText   struct{ Realm, Name string } // with a text form of its own
	userRef    struct{ Name string }        // with one of its pointer
	userFails  struct{ Secret string }
)

func (u userText) MarshalText() ([]byte, error) { return []byte(u.Realm + ":" + u.Name), nil }
func (u *userText) UnmarshalText(b []byte) error {
	u.Realm, u.Name, _ = strings.Cut(string(b), ":")
	return nil
}

func (u *userRef) MarshalText() ([]byte, error) { return []byte("ref:" + u.Name), nil }
func (u *userRef) UnmarshalText(b []byte) error {
	u.Name = strings.TrimPrefix(string(b), "ref:")
	return nil
}

func (u userFails) MarshalText() ([]byte, error)  { return nil, errors.New(u.Secret) }
func (u *userFails) UnmarshalText(b []byte) error { return nil }

func init() {
	gob.Register(userName(""))
	gob.Register(userNumber(0))
	gob.Register(userText{})
	gob.Register(&userRef{})
	gob.Register(netip.Addr{})
}

// The value under UserKey may be of any string or integer kind, or a TextMarshaler. The index has
// its text.
func TestUsersOfAnyKind(t *testing.T) {
	t.Parallel()
	codecs := []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{Types: []any{userName(""), userNumber(0), userText{}, userRef{}, netip.Addr{}}},
	}
	for _, test := range []struct {
		value any
		text  string
	}{
		{"ann", "ann"},
		{"ännchen \U0001F600", "ännchen \U0001F600"},
		{userName("ann"), "ann"},
		{42, "42"},
		{int8(-8), "-8"},
		{int16(16), "16"},
		{userNumber(32), "32"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{uint(7), "7"},
		{uint8(8), "8"},
		{uint16(16), "16"},
		{uint32(32), "32"},
		{uint64(math.MaxUint64), "18446744073709551615"},
		{userText{"staff", "ann"}, "staff:ann"},
		{&userRef{"ann"}, "ref:ann"},
		{netip.MustParseAddr("2001:db8::1"), "2001:db8::1"},
	} {
		for _, codec := range codecs {
			t.Run(fmt.Sprintf("%T %s, %s", test.value, test.text, codec.Name()), func(t *testing.T) {
				a := newUsersApp(t, func(c *dynamostore.Config) { c.Codec = codec })
				b, other := a.browser(), a.browser()
				b.set("user", test.value)
				other.set("user", "another")
				infos := infosOf(t, a.store.UserSessions(t.Context(), test.text))
				if len(infos) != 1 || infos[0].Key != b.keyOf() || infos[0].User != test.text {
					t.Errorf("UserSessions(%q) = %+v, want the session", test.text, infos)
				}
				if got := b.values()["user"]; !reflect.DeepEqual(got, test.value) {
					t.Errorf("the session holds %#v, want %#v", got, test.value)
				}
				// An unchanged Save writes nothing: the index has the user.
				a.backend.Counts()
				b.with(func(*sessions.Session) {})
				a.wantSent("GetItem")
				if n, err := a.store.DestroyUser(t.Context(), test.text); n != 1 || err != nil {
					t.Errorf("DestroyUser = %d, %v, want 1", n, err)
				}
				a.wantLive(1)
			})
		}
	}
}

func TestInvalidUsers(t *testing.T) {
	t.Parallel()
	var none *userText
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"a bool", true, "bool"},
		{"a fraction", 1.5, "float64"},
		{"bytes", []byte("secret"), "[]uint8"},
		{"a list", []string{"secret"}, "[]string"},
		{"empty", "", "empty"},
		{"nil", nil, "nil"},
		{"a nil pointer", none, "empty"},
		{"a text form of the pointer", userRef{"secret"}, "userRef"},
		{"a text form that fails", userFails{"secret"}, "userFails"},
		{"an empty text form", netip.Addr{}, "empty"},
		{"too long", strings.Repeat("secret", 400), "2400 bytes"},
		{"not UTF-8", "\xffsecret", "UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { c.Codec = anyCodec{} })
			b := a.browser()
			for range 2 {
				cookies, err := b.with(func(s *sessions.Session) { s.Values["user"] = test.value })
				if err == nil || !strings.Contains(err.Error(), `"user"`) || !strings.Contains(err.Error(), "Config.UserKey") ||
					!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("Save = %v, want an error that names Config.UserKey and the key, and says %q", err, test.want)
				}
				if len(cookies) != 0 {
					t.Errorf("Save set the cookie %v", cookies)
				}
				b.set("cart", "tea") // and once more, on a session that exists
			}
			before := a.item()
			for _, way := range rotations {
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Values["user"] = test.value
					if err := way.rotate(a.store, r, w, session); err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%s = %v, want the same error", way.name, err)
					}
				})
			}
			if after := a.item(); !reflect.DeepEqual(after, before) {
				t.Errorf("item = %v, want it as it was: %v", after, before)
			}
		})
	}
}

// anyCodec stores what is a string, and encodes anything, so that only the Store can refuse a
// value.
type anyCodec struct{ dynamostore.GobCodec }

func (anyCodec) Name() string { return "any" }

func (c anyCodec) Encode(values map[any]any) ([]byte, error) {
	values = maps.Clone(values)
	maps.DeleteFunc(values, func(_, v any) bool { _, ok := v.(string); return !ok })
	return c.GobCodec.Encode(values)
}

// A request under way cannot bring back a session that was ended, whatever it does to it.
func TestEndedSessionStaysEnded(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name   string
			change func(*sessions.Session)
			save   func(*dynamostore.Store, *http.Request, http.ResponseWriter, *sessions.Session) error
		}{
			{"a change", func(s *sessions.Session) { s.Values["k"] = "v" }, (*dynamostore.Store).Save},
			{"another user", func(s *sessions.Session) { s.Values["user"] = "bob" }, (*dynamostore.Store).Save},
			{"a touch", func(s *sessions.Session) {}, (*dynamostore.Store).Save},
			{rotations[0].name, func(s *sessions.Session) { s.Values["k"] = "v" }, rotations[0].rotate},
			{rotations[1].name, func(s *sessions.Session) { s.Values["k"] = "v" }, rotations[1].rotate},
		} {
			for _, by := range []struct {
				name string
				end  func(a *app, session *sessions.Session) error
			}{
				{"DestroyUser", func(a *app, _ *sessions.Session) error {
					n, err := a.store.DestroyUser(a.Context(), "ann")
					if n != 1 {
						a.Errorf("DestroyUser = %d, want 1", n)
					}
					return err
				}},
				{"Destroy", func(a *app, session *sessions.Session) error {
					return a.store.Destroy(a.Context(), a.store.Key(session))
				}},
			} {
				t.Run(mode.name+", "+by.name+", "+test.name, func(t *testing.T) {
					a := newUsersApp(t, func(c *dynamostore.Config) { c.TouchInterval, c.Concurrency = -1, mode.mode })
					b := a.browser()
					b.set("user", "ann")
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, _ := a.store.Get(r, cookieName)
						if err := by.end(a, session); err != nil {
							t.Errorf("%s: %v", by.name, err)
						}
						test.change(session)
						wantError(t, test.save(a.store, r, w, session), dynamostore.ErrGone)
					})
					if len(cookies) != 0 {
						t.Errorf("cookies = %v", cookies)
					}
					a.wantItems(0, 1)
					if session, err := b.load(); err != nil || !session.IsNew {
						t.Errorf("Get = %+v, %v, want a new session", session, err)
					}
				})
			}
		}
	}
}

// Destroy tells a session that goes on under another ID from one that is gone.
func TestDestroy(t *testing.T) {
	t.Parallel()
	for _, cfg := range []dynamostore.Config{{}, {HashIDs: true}, {KeyPrefix: "shop/", SortKeyAttribute: "sk", SortKeyValue: "SESSION"}} {
		a := newApp(t, func(c *dynamostore.Config) { *c = cfg })
		b := a.browser()
		b.set("k", "v")
		old := b.keyOf()
		if _, err := b.login(); err != nil {
			t.Fatal(err)
		}
		wantError(t, a.store.Destroy(t.Context(), old), dynamostore.ErrGone, old)
		if got := b.values()["k"]; got != "v" {
			t.Errorf("after Destroy of the old key, k = %v, want v", got)
		}
		a.wantItems(1, 1)
		key := b.keyOf()
		for range 2 { // to end one that has ended is no error
			if err := a.store.Destroy(t.Context(), key); err != nil {
				t.Errorf("Destroy: %v", err)
			}
			a.wantItems(0, 2)
		}
		if session, err := b.load(); err != nil || !session.IsNew {
			t.Errorf("Get = %+v, %v, want a new session", session, err)
		}
		if err := a.store.Destroy(t.Context(), cfg.KeyPrefix+"nobody"); err != nil {
			t.Errorf("Destroy of a missing session: %v", err)
		}
		a.wantItems(0, 2) // no tombstone for it
	}
}

// A session that changed hands since the index was read is left alone.
func TestDestroyUserSparesAnotherUsersSession(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.backend.Inject("UpdateItem", dynamotest.Do(func() { b.set("user", "bob") }))
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 0 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 0", n, err)
	}
	if got := b.values()["user"]; got != "bob" {
		t.Errorf("user = %v, want bob", got)
	}
}

// What the index did not show at first is found by another pass.
func TestDestroyUserLooksAgain(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b, late := a.browser(), a.browser()
	b.set("user", "ann")
	late.set("cart", "tea")
	// A session that began before, and has its user only now.
	a.backend.Inject("UpdateItem", dynamotest.Do(func() { late.set("user", "ann") }))
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 2 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 2", n, err)
	}
	a.wantItems(0, 2)
}

// DestroyUser ends, although the user keeps logging in while it runs: those sessions are later than
// it.
func TestDestroyUserEndsWhileTheUserLogsIn(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	session := a.item()
	queries := 0
	var client queryHook
	client = queryHook{a.backend.Client, func(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
		switch queries++; {
		case queries > 20:
			t.Error("DestroyUser asks the index for ever")
			return &dynamodb.QueryOutput{}, nil
		case queries > 1: // before it asks again
			later := maps.Clone(session)
			later["id"], later["created"] = dynamotest.S(fmt.Sprint("later", queries)), dynamotest.N(secondsFromNow(2*time.Second))
			a.backend.Put(t, later)
		}
		return client.Client.Query(ctx, in, opts...)
	}}
	if n, err := openOn(t, client, a.cfg).DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 1", n, err)
	}
	a.wantItems(queries-1, 1)
	if queries != 2 {
		t.Errorf("DestroyUser asked the index %d times, want 2", queries)
	}
}

// queryHook is a client whose queries go through a function.
type queryHook struct {
	*dynamodb.Client
	query func(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

func (c queryHook) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return c.query(ctx, in, opts...)
}

// The index is behind, and goes on to show what was ended. DestroyUser ends all the same.
func TestDestroyUserEndsWhereTheIndexIsBehind(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	stale := a.item()
	calls := 0
	store := openOn(t, queryHook{a.backend.Client, func(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
		calls++
		return &dynamodb.QueryOutput{Items: []dynamotest.Item{stale}}, nil
	}}, a.cfg)
	if n, err := store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil || calls != 2 {
		t.Errorf("DestroyUser = %d, %v, after %d queries, want 1 after 2", n, err, calls)
	}
	a.wantItems(0, 1)
}

// A listing asks for a page when it is wanted, and can be ranged over again.
func TestListingsAreLazyAndPaged(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	// Enough for several pages of a scan, of 1 MB each.
	item := maps.Clone(a.item())
	const n = 25
	for i := range n {
		item["id"] = dynamotest.S(fmt.Sprintf("%s%02d", strings.Repeat("x", 1500), i))
		item["data"] = dynamotest.B([]byte(strings.Repeat("x", 100_000)))
		a.backend.Put(t, item)
	}
	a.backend.Counts()
	if got := len(infosOf(t, a.store.Sessions(t.Context()))); got != n+1 {
		t.Errorf("%d sessions, want %d", got, n+1)
	}
	if pages := a.backend.Counts()["Scan"]; pages < 3 {
		t.Errorf("%d pages, want 3", pages)
	}
	for range a.store.Sessions(t.Context()) {
		break
	}
	a.wantSent("Scan")
	list := a.store.UserSessions(t.Context(), "ann")
	a.wantSent()
	for range 2 {
		if got := len(infosOf(t, list)); got != n+1 {
			t.Errorf("%d sessions of ann, want %d", got, n+1)
		}
	}
}

// smallPages is a client whose queries and scans return two items at a time.
type smallPages struct{ *dynamodb.Client }

func (c smallPages) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.Limit = aws.Int32(2)
	return c.Client.Query(ctx, in, opts...)
}

func (c smallPages) Scan(ctx context.Context, in *dynamodb.ScanInput, opts ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	in.Limit = aws.Int32(2)
	return c.Client.Scan(ctx, in, opts...)
}

// Five sessions of one user, in pages of two.
func TestUsersInPages(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	a.store = openOn(t, smallPages{a.backend.Client}, a.cfg)
	first := a.browser()
	for i := range 5 {
		b := first
		if i > 0 {
			b = a.browser()
		}
		if _, err := b.with(func(s *sessions.Session) { s.Values["user"] = "ann"; s.Options.MaxAge = 1000 - i }); err != nil {
			t.Fatal(err)
		}
	}
	bob := a.browser()
	bob.set("user", "bob")
	a.backend.Counts()
	if got := usersIn(t, a.store.UserSessions(t.Context(), "ann")); len(got) != 5 {
		t.Errorf("UserSessions = %q, want five", got)
	}
	a.wantSent("Query", "Query", "Query")
	for n, queries := range map[int]int{1: 1, 2: 1, 3: 2} {
		seen := 0
		for range a.store.UserSessions(t.Context(), "ann") {
			if seen++; seen == n {
				break
			}
		}
		if got := a.backend.Counts()["Query"]; got != queries {
			t.Errorf("%d queries for the first %d, want %d", got, n, queries)
		}
	}
	if got := usersIn(t, a.store.Sessions(t.Context())); len(got) != 6 {
		t.Errorf("Sessions = %q, want six", got)
	}

	// An error on the way ends it, and what was ended before stays so.
	a.backend.Inject("Query", append([]dynamotest.Fault{dynamotest.Do(func() {})}, dynamotest.Times(3, dynamotest.Denied)...)...)
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 2 || err == nil {
		t.Errorf("DestroyUser = %d, %v, want 2 and an error", n, err)
	}
	a.backend.Heal()
	// The session that ends last is ended last, so it is still there.
	if n, err := a.store.DestroyUser(t.Context(), "ann", first.keyOf()); n != 2 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 2", n, err)
	}
	if got := usersIn(t, a.store.Sessions(t.Context())); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("Sessions = %q, want the one to keep, and bob's", got)
	}
}

// The keys of other applications in the table are none of this Store's. Nor are those of a longer
// prefix.
func TestKeysOfOtherPrefixes(t *testing.T) {
	t.Parallel()
	for _, prefix := range []struct{ own, other string }{
		{"app#", "app#two#"},
		{"app#", "app"},
		{"shop/", "forum/"},
		{"é·", "é·b·"},
	} {
		t.Run(prefix.own+" beside "+prefix.other, func(t *testing.T) {
			a := newUsersApp(t, func(c *dynamostore.Config) { c.KeyPrefix = prefix.own })
			b := a.browser()
			b.set("user", "ann")
			item := maps.Clone(a.item())
			foreign := prefix.other + "4LSKZTPW2JDO6QEXM7A5CVB3NHGYURI2F4LSKZTPW2JDO6QEXM7A"
			item["id"] = dynamotest.S(foreign)
			a.backend.Put(t, item)
			a.backend.Counts()

			fail := func(what string, err error) {
				t.Helper()
				if err == nil || errors.Is(err, dynamostore.ErrGone) || strings.Contains(err.Error(), foreign) {
					t.Errorf("%s with a foreign key: %v, want an error of the key", what, err)
				}
			}
			never := func(map[any]any) error { t.Error("change was called"); return nil }
			fail("Destroy", a.store.Destroy(t.Context(), foreign))
			fail("Update", a.store.Update(t.Context(), foreign, never))
			_, _, err := a.store.Load(t.Context(), foreign)
			fail("Load", err)
			_, err = a.store.DestroyUser(t.Context(), "ann", foreign)
			fail("DestroyUser", err)
			a.wantSent()

			for name, list := range map[string]listing{
				"Sessions":     a.store.Sessions(t.Context()),
				"UserSessions": a.store.UserSessions(t.Context(), "ann"),
			} {
				if infos := infosOf(t, list); len(infos) != 1 || infos[0].Key != b.keyOf() {
					t.Errorf("%s = %+v, want the session of this prefix", name, infos)
				}
			}
			if n, err := a.store.UpdateUser(t.Context(), "ann", func(values map[any]any) error { values["n"] = 1; return nil }); n != 1 || err != nil {
				t.Errorf("UpdateUser = %d, %v, want 1", n, err)
			}
			if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
				t.Errorf("DestroyUser = %d, %v, want 1", n, err)
			}
			if got := a.item(); !reflect.DeepEqual(got, item) {
				t.Errorf("the other application's item = %v, want it as it was", got)
			}
		})
	}
}

// A session whose ID holds the last character of KeyPrefix would be none of this Store's, so it is
// not created: a listing would not show it, nor DestroyUser end it. UUIDs and a prefix such as
// "app-" are enough.
func TestIDsThatTheStoreDoesNotOwn(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t, func(c *dynamostore.Config) {
		c.KeyPrefix = "app-"
		c.NewID = func() string { return "3f0e3a34-7c5e-4b0c-9d5b-0c2f7f2d8a11" }
	})
	b := a.browser()
	cookies, err := b.with(func(s *sessions.Session) { s.Values["user"] = "ann" })
	if err == nil || !strings.Contains(err.Error(), "Config.KeyPrefix") || strings.Contains(err.Error(), "3f0e3a34") {
		t.Errorf("Save = %v, want an error that names Config.KeyPrefix, and no ID", err)
	}
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	a.wantItems(0, 0)
	// Nor does a cookie with such an ID open, or end, a session of another prefix.
	other := a.put("3f0e-1", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"user": "bob"})), "expires": dynamotest.N(secondsFromNow(time.Hour))})
	if session, err := other.load(); err != nil || !session.IsNew {
		t.Errorf("Get = %+v, %v, want a new session", session, err)
	}
	other.logout()
	a.wantItems(1, 0)
	a.backend.Delete(t, a.key(a.item()))
	// Hashes hold hexadecimal digits only.
	a.cfg.HashIDs = true
	a.store = a.open(a.cfg, keyA)
	b.set("user", "ann")
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 1", n, err)
	}
}

func TestListingsOnlyShowLiveSessions(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t, func(c *dynamostore.Config) { c.MaxLifetime = time.Hour })
	b := a.browser()
	b.set("user", "ann")
	a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(-time.Hour))})
	for name, list := range map[string]listing{
		"UserSessions": a.store.UserSessions(t.Context(), "ann"), "Sessions": a.store.Sessions(t.Context()),
	} {
		if got := infosOf(t, list); got != nil {
			t.Errorf("%s = %+v: past MaxLifetime", name, got)
		}
	}
}

// An item that does not say when, as another store's, has the zero time.
func TestListingOfForeignItems(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	a.put("foreign", dynamotest.Item{"data": dynamotest.B(gobData(t, map[any]any{"user": "ann"})), "user": dynamotest.S("ann"), "expires": dynamotest.N("253402300799")})
	want := dynamostore.SessionInfo{Key: "foreign", User: "ann", Expires: time.Unix(253402300799, 0)}
	for name, list := range map[string]listing{
		"UserSessions": a.store.UserSessions(t.Context(), "ann"), "Sessions": a.store.Sessions(t.Context()),
	} {
		if got := infosOf(t, list); len(got) != 1 || got[0] != want {
			t.Errorf("%s = %+v, want %+v", name, got, want)
		}
	}
}

// An error of a listing or an ending comes alone, and names the table and what is missing.
func TestListingErrors(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	only := func(list listing) (err error) {
		n := 0
		for _, e := range list {
			n++
			err = e
		}
		if n != 1 {
			t.Errorf("%d results, want the error alone", n)
		}
		return err
	}
	destroyUser := func(store *dynamostore.Store, user string, keep ...string) error {
		n, err := store.DestroyUser(t.Context(), user, keep...)
		if n != 0 {
			t.Errorf("DestroyUser = %d, %v, want 0", n, err)
		}
		return err
	}
	updateUser := func(store *dynamostore.Store, user string) error {
		n, err := store.UpdateUser(t.Context(), user, func(map[any]any) error { return nil })
		if n != 0 {
			t.Errorf("UpdateUser = %d, %v, want 0", n, err)
		}
		return err
	}
	without := a.open(dynamostore.Config{Table: a.cfg.Table}, keyA)
	lacking := openOn(t, struct{ dynamostore.Client }{a.backend.Client}, a.cfg)
	bare := newApp(t, func(c *dynamostore.Config) { c.UserKey = "user" }) // on a table without the index
	denied := func(op string, f func() error) error {
		a.backend.Inject(op, dynamotest.Denied)
		defer a.backend.Heal()
		return f()
	}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"Sessions, denied", denied("Scan", func() error { return only(a.store.Sessions(t.Context())) }), "dynamodb:Scan"},
		{"UserSessions, denied", denied("Query", func() error { return only(a.store.UserSessions(t.Context(), "ann")) }), "dynamodb:Query"},
		{"DestroyUser, denied the query", denied("Query", func() error { return destroyUser(a.store, "ann") }), "dynamodb:Query"},
		{"DestroyUser, denied the update", denied("UpdateItem", func() error { return destroyUser(a.store, "ann") }), "dynamodb:UpdateItem"},
		{"UpdateUser, denied", denied("GetItem", func() error { return updateUser(a.store, "ann") }), "dynamodb:GetItem"},
		{"UserSessions of an empty user", only(a.store.UserSessions(t.Context(), "")), "user is empty"},
		{"DestroyUser of an empty user", destroyUser(a.store, ""), "user is empty"},
		{"UpdateUser of an empty user", updateUser(a.store, ""), "user is empty"},
		{"DestroyUser that keeps an empty key", destroyUser(a.store, "ann", ""), "to keep none, pass none"},
		{"Destroy of an empty key", a.store.Destroy(t.Context(), ""), "key is not one of this Store's"},
		{"Destroy of a key that is too long", a.store.Destroy(t.Context(), strings.Repeat("x", 2049)), "key is not one of this Store's"},
		{"UserSessions without UserKey", only(without.UserSessions(t.Context(), "ann")), "Config.UserKey"},
		{"DestroyUser without UserKey", destroyUser(without, "ann"), "Config.UserKey"},
		{"UpdateUser without UserKey", updateUser(without, "ann"), "Config.UserKey"},
		{"Sessions with a client that lacks Scan", only(lacking.Sessions(t.Context())), "no method Scan"},
		{"UserSessions with a client that lacks Query", only(lacking.UserSessions(t.Context(), "ann")), "no method Query"},
		{"DestroyUser without the index", destroyUser(bare.store, "ann"), `the table has no index "user-index"; create it with EnsureTable, or set Config.UserIndex`},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: %v, want an error that says %q", test.name, test.err, test.want)
		}
	}
	a.wantLive(1)
}

// Every item has its table's keys. So a name under which one has none is an error, and never an
// empty list.
func TestWrongNamesOfKeys(t *testing.T) {
	t.Parallel()
	backend := dynamotest.New(t)
	right := dynamostore.Config{Table: backend.Table, KeyAttribute: "pk", SortKeyAttribute: "sk", SortKeyValue: "session", KeyPrefix: "web#", UserKey: "user"}
	if err := openOn(t, backend.Client, right).EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	backend.Put(t, dynamotest.Item{ // an expired session of another application
		"pk": dynamotest.S("app#1"), "sk": dynamotest.S("other"), "data": dynamotest.B([]byte("x")), "expires": dynamotest.N(secondsFromNow(-time.Hour)),
	})
	wrongKey, wrongSort, numeric := right, right, right
	wrongKey.KeyAttribute, wrongKey.KeyPrefix = "id", ""
	withPrefix := wrongKey
	withPrefix.KeyPrefix = "web#"
	wrongSort.SortKeyAttribute = "range"
	numeric.KeyAttribute, numeric.ExpiresAttribute, numeric.UserKey = "expires", "end", ""
	for _, test := range []struct {
		name string
		cfg  dynamostore.Config
		want string
	}{
		{"partition key", wrongKey, `an item has no string (S) under "id", which Config.KeyAttribute says is the table's partition key`},
		{"partition key, with a prefix", withPrefix, `an item has no string (S) under "id", which Config.KeyAttribute says`},
		{"a number", numeric, `an item has no string (S) under "expires", which Config.KeyAttribute says`},
		{"sort key", wrongSort, `an item has no string (S) under "range", which Config.SortKeyAttribute says is the table's sort key`},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := openOn(t, backend.Client, test.cfg)
			var list error
			for _, err := range store.Sessions(t.Context()) {
				list = err
			}
			_, purge := store.PurgeExpired(t.Context(), dynamostore.PurgeOptions{})
			for name, err := range map[string]error{"Sessions": list, "PurgeExpired": purge} {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), backend.Table) || strings.Contains(err.Error(), "app#1") {
					t.Errorf("%s: %v, want an error that names the table and says %q", name, err, test.want)
				}
			}
		})
	}
	backend.Put(t, dynamotest.Item{
		"pk": dynamotest.S("web#1"), "sk": dynamotest.S("session"), "data": dynamotest.B([]byte("x")),
		"expires": dynamotest.N(secondsFromNow(time.Hour)), "user": dynamotest.S("ann"),
	})
	if n, err := openOn(t, backend.Client, wrongKey).DestroyUser(t.Context(), "ann"); n != 0 || err == nil || !strings.Contains(err.Error(), "Config.KeyAttribute") {
		t.Errorf("DestroyUser = %d, %v, want an error about Config.KeyAttribute", n, err)
	}
	if got := usersIn(t, openOn(t, backend.Client, right).Sessions(t.Context())); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("Sessions with the right names = %q", got)
	}
}

// A session that was written before there were an index and labels enters the index at its next
// Save.
func TestOldSessionsEnterTheIndex(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t, func(c *dynamostore.Config) { c.LabelKey = "device" })
	after := a.store
	a.store = a.open(dynamostore.Config{Table: a.cfg.Table}, keyA)
	b := a.browser()
	b.with(func(s *sessions.Session) { s.Values["user"], s.Values["device"] = "ann", "Firefox" })
	a.store = after
	if got := infosOf(t, a.store.UserSessions(t.Context(), "ann")); got != nil {
		t.Errorf("UserSessions = %+v before the Save", got)
	}
	if _, err := b.with(func(*sessions.Session) {}); err != nil {
		t.Error(err)
	}
	if got := infosOf(t, a.store.UserSessions(t.Context(), "ann")); len(got) != 1 || got[0].Label != "Firefox" {
		t.Errorf("UserSessions = %+v after a Save that changed nothing, want the session and its label", got)
	}
}

func TestIndexOfUsers(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	out, err := a.backend.Raw().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &a.cfg.Table})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Table.GlobalSecondaryIndexes) != 1 {
		t.Fatalf("indexes = %+v", out.Table.GlobalSecondaryIndexes)
	}
	index := out.Table.GlobalSecondaryIndexes[0]
	var keys []string
	for _, key := range index.KeySchema {
		keys = append(keys, aws.ToString(key.AttributeName)+" "+string(key.KeyType))
	}
	projected := slices.Sorted(slices.Values(index.Projection.NonKeyAttributes))
	if aws.ToString(index.IndexName) != "user-index" || !slices.Equal(keys, []string{"user HASH", "expires RANGE"}) ||
		index.Projection.ProjectionType != types.ProjectionTypeInclude || !slices.Equal(projected, []string{"created", "label", "seen"}) {
		t.Errorf("index = %+v", index)
	}
}

// DestroyUser ends the sessions created before it began, even if the clock of the instance that created
// one is some seconds ahead.
func TestDestroyUserAndAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	a := newUsersApp(t)
	b := a.browser()
	b.set("user", "ann")
	a.alter(dynamotest.Item{"created": dynamotest.N(secondsFromNow(10 * time.Second))})
	if n, err := a.store.DestroyUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Errorf("DestroyUser = %d, %v, want 1", n, err)
	}
}
