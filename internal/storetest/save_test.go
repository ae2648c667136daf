package storetest

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// What Save does, by what the session is: the second table of DESIGN.md, section 3. What becomes of
// a Save whose answer is lost is in protocol_test.go, and what of the cookie in cookie_test.go.

// savedBasket is a type of an application's own.
type savedBasket struct{ Items []string }

func init() {
	gob.Register(&savedBasket{})
	gob.Register(map[string]int{})
	gob.Register(map[string]time.Time{})
	gob.Register(time.Time{})
}

const day = 24 * time.Hour

// unlocked are the modes in which a load is a GetItem, and a Save nothing but the write.
var unlocked = modes[:3]

func TestSaveOfANewSession(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			begin := time.Now()
			var id string
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				session.Values["user"] = "ann"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
				id = session.ID
			})
			a.wantSent("PutItem")
			if len(cookies) != 1 {
				t.Fatalf("Save set the cookies %v, want one", cookies)
			}
			if c := cookies[0]; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 30*24*60*60 {
				t.Errorf("cookie = %q, want the Store's options", c.Raw)
			}
			item := a.item()
			if got := attrText(item["id"]); got != "S:"+id || len(id) != 52 {
				t.Errorf("key = %s, and the session's ID is %q, want the same", got, id)
			}
			for _, name := range []string{"created", "seen"} {
				wantTime(t, name, attrNumber(t, item, name), begin, 0)
			}
			wantTime(t, "expires", attrNumber(t, item, "expires"), begin, 30*day)
		})
	}
}

// A session that is not saved leaves nothing.
func TestNewSessionThatIsNotSaved(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	cookies := a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		session.Values["k"] = "v"
	})
	if len(cookies) != 0 {
		t.Errorf("the response set %v, want no cookie", cookies)
	}
	a.wantSent()
	a.wantLive(0)
}

// An ID that Config.NewID, or the application, gives to a second session is refused, and the first
// stays as it is.
func TestSaveOfANewSessionWhoseIDIsTaken(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, func(c *dynamostore.Config) {
				c.Concurrency = mode.mode
				c.NewID = func() string { return "always the same" }
			})
			a.browser().set("user", "ann")
			before := a.item()
			a.wantSent("PutItem")
			for name, id := range map[string]string{"by NewID": "", "by the application": "always the same"} {
				cookies := a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
					session := sessions.NewSession(a.store, cookieName)
					session.ID = id
					session.Values["user"] = "bob"
					for range 2 {
						wantError(t, session.Save(r, w), dynamostore.ErrConflict, "ann", "always the same", "another request")
					}
				})
				a.wantSent("PutItem", "PutItem")
				if len(cookies) != 0 {
					t.Errorf("%s: Save set the cookie %v", name, cookies)
				}
				if after := a.item(); !reflect.DeepEqual(after, before) {
					t.Errorf("%s: item = %v, want it as it was: %v", name, show(after), show(before))
				}
			}
		})
	}
}

// An application may make a session, with an ID of its own, or without options.
func TestSaveOfASessionThatTheApplicationMade(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session := sessions.NewSession(a.store, cookieName)
		session.ID, session.Options = "its own", nil
		session.Values["k"] = "v"
		if key := a.store.Key(session); key != "its own" {
			t.Errorf("Key = %q before Save, want the ID", key)
		}
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if len(cookies) != 1 || cookies[0].MaxAge != a.store.Options.MaxAge {
		t.Errorf("Save set the cookies %v, want one with the Store's options", cookies)
	}
	if got := attrText(a.item()["id"]); got != "S:its own" {
		t.Errorf("key = %s, want S:its own", got)
	}
	if got := b.values()["k"]; got != "v" {
		t.Errorf("k = %v, want v", got)
	}
}

func TestSaveOfAnUnchangedSession(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		codec  dynamostore.Codec
		values map[any]any
	}{
		{"gob, empty", dynamostore.GobCodec{}, nil},
		{"gob, plain values", dynamostore.GobCodec{}, map[any]any{
			"string": "v", "int": 1, "float": 2.5, "time": time.Now(), "bytes": []byte("x"), "strings": []string{"a", "b"}, 7: true,
		}},
		// Gob writes maps in any order.
		{"gob, types of its own", dynamostore.GobCodec{}, map[any]any{
			"basket": &savedBasket{Items: []string{"tea"}}, "counts": map[string]int{"a": 1, "b": 2, "c": 3, "d": 4},
		}},
		{"json", dynamostore.JSONCodec{Types: []any{savedBasket{}}}, map[any]any{
			"nil": nil, "basket": &savedBasket{Items: []string{"tea"}}, "list": []any{1, "a"}, "map": map[string]any{"x": []any{}},
		}},
	} {
		for _, mode := range modes {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.Codec = test.codec })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, test.values) }); err != nil {
					t.Fatalf("Save: %v", err)
				}
				a.wantSent("PutItem")
				before := a.item()
				want := []string{"GetItem"}
				if mode.mode == dynamostore.Lock {
					want = []string{"UpdateItem", "UpdateItem"} // acquire and release the lock
				}
				for range 3 {
					cookies, err := b.with(func(*sessions.Session) {})
					if err != nil || len(cookies) != 0 {
						t.Errorf("Save: %v, and the cookies %v, want neither", err, cookies)
					}
					a.wantSent(want...)
				}
				if after := a.item(); !sameItem(after, before) {
					t.Errorf("item = %v, want it as it was: %v", show(after), show(before))
				}
			})
		}
	}
}

// Item and cookie end together, in steps of TouchInterval, whether the session is changed or not.
func TestSaveMovesTheEndInSteps(t *testing.T) {
	t.Parallel()
	touch := func(d time.Duration) func(*dynamostore.Config) {
		return func(c *dynamostore.Config) { c.TouchInterval = d }
	}
	for _, test := range []struct {
		name   string
		cfg    func(*dynamostore.Config)
		maxAge time.Duration // of the Store, by now
		left   time.Duration // until the item's end
		seen   time.Duration // when that was set, from now
		moves  bool
	}{
		{"a little later", nil, 30 * day, 30*day - 35*time.Hour, -35 * time.Hour, false},
		{"a twentieth of the lifetime later", nil, 30 * day, 30*day - 37*time.Hour, -37 * time.Hour, true},
		{"within TouchInterval", touch(time.Hour), 30 * day, 30*day - 50*time.Minute, -50 * time.Minute, false},
		{"beyond TouchInterval", touch(time.Hour), 30 * day, 30*day - 70*time.Minute, -70 * time.Minute, true},
		{"at once, with a negative TouchInterval", touch(-1), 30 * day, 30*day - time.Minute, -time.Minute, true},
		{"the lifetime was shortened", nil, 10 * day, 30*day - time.Minute, -time.Minute, true},
		{"the lifetime was shortened, with a negative TouchInterval", touch(-1), 10 * day, 30*day - time.Minute, -time.Minute, true},
		{"the lifetime was shortened by less than an hour", nil, 10 * time.Minute, 65 * time.Minute, -time.Minute, false},
		{"the lifetime was shortened by less than an hour, with a negative TouchInterval", touch(-1), 10 * time.Minute, 65 * time.Minute, -time.Minute, false},
		{"the lifetime was lengthened", nil, 90 * day, 30 * day, 0, true},
		// Another instance, whose clock is two hours ahead, moved the end; and one that is a day
		// ahead.
		{"this clock is slow", nil, 30 * day, 30*day + 2*time.Hour, 2 * time.Hour, false},
		{"this clock is slow, and the lifetime short", nil, time.Hour, time.Hour + 2*time.Hour, 2 * time.Hour, false},
		{"this clock is slow, with a negative TouchInterval", touch(-1), time.Hour, time.Hour + day, day, false},
		// The same instances, after their clocks were put right.
		{"that clock was put right", nil, 30 * day, 30*day + 2*time.Hour, -time.Hour, true},
	} {
		for _, mode := range unlocked {
			for _, changed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, changed %t", test.name, mode.name, changed), func(t *testing.T) {
					a := newApp(t, func(c *dynamostore.Config) {
						c.Concurrency, c.UserKey, c.LabelKey = mode.mode, "user", "device"
						if test.cfg != nil {
							test.cfg(c)
						}
					})
					a.store.MaxAge(int(test.maxAge.Seconds()))
					b := a.browser()
					if _, err := b.with(func(s *sessions.Session) { s.Values["user"], s.Values["device"] = "ann", "phone" }); err != nil {
						t.Fatalf("Save: %v", err)
					}
					a.alter(dynamotest.Item{
						"expires": dynamotest.N(secondsFromNow(test.left)),
						"seen":    dynamotest.N(secondsFromNow(test.seen)),
					})
					before := a.item()
					a.wantSent("PutItem")
					begin := time.Now()
					cookies, err := b.with(func(s *sessions.Session) {
						if changed {
							s.Values["k"] = "v"
						}
					})
					if err != nil {
						t.Errorf("Save: %v", err)
					}
					if changed || test.moves {
						a.wantSent("GetItem", "UpdateItem")
					} else {
						a.wantSent("GetItem")
					}
					after := a.item()
					if test.moves {
						wantTime(t, "expires", attrNumber(t, after, "expires"), begin, test.maxAge)
						wantTime(t, "seen", attrNumber(t, after, "seen"), begin, 0)
						if len(cookies) != 1 || cookies[0].MaxAge != int(test.maxAge.Seconds()) {
							t.Errorf("Save set the cookies %v, want one for %v", cookies, test.maxAge)
						}
						before["expires"], before["seen"] = after["expires"], after["seen"]
					} else if len(cookies) != 0 {
						t.Errorf("Save set the cookie %v, and the item's end stays", cookies)
					}
					if changed {
						if reflect.DeepEqual(after["version"], before["version"]) || reflect.DeepEqual(after["data"], before["data"]) {
							t.Errorf("item = %v, want another version and other data than %v", show(after), show(before))
						}
						for _, name := range []string{"version", "recent", "data"} {
							delete(before, name)
							delete(after, name)
						}
					}
					// So no attribute that the index of users has is written.
					if !reflect.DeepEqual(after, before) {
						t.Errorf("the rest of the item is %v, want it as it was: %v", show(after), show(before))
					}
					if got := b.values(); (got["k"] == "v") != changed || got["user"] != "ann" {
						t.Errorf("the session holds %v", got)
					}
				})
			}
		}
	}
}

func TestSaveSeesEveryChange(t *testing.T) {
	t.Parallel()
	for _, codec := range []dynamostore.Codec{
		dynamostore.GobCodec{},
		dynamostore.JSONCodec{Types: []any{savedBasket{}}},
	} {
		for _, test := range []struct {
			name   string
			before map[any]any
			change func(map[any]any)
			after  map[any]any
		}{
			{"a new key", nil, func(v map[any]any) { v["k"] = 1 }, map[any]any{"k": 1}},
			{"a value", map[any]any{"k": 1}, func(v map[any]any) { v["k"] = 2 }, map[any]any{"k": 2}},
			{"a type", map[any]any{"k": 1}, func(v map[any]any) { v["k"] = int64(1) }, map[any]any{"k": int64(1)}},
			{"a deleted key", map[any]any{"k": 1, "l": 1}, func(v map[any]any) { delete(v, "k") }, map[any]any{"l": 1}},
			{"a renamed key", map[any]any{"k": 1}, func(v map[any]any) { delete(v, "k"); v["l"] = 1 }, map[any]any{"l": 1}},
			{"all keys deleted", map[any]any{"k": 1}, func(v map[any]any) { clear(v) }, map[any]any{}},
			{"inside a slice", map[any]any{"k": []string{"a", "b"}},
				func(v map[any]any) { v["k"].([]string)[1] = "c" }, map[any]any{"k": []string{"a", "c"}}},
			{"inside bytes", map[any]any{"k": []byte("ab")},
				func(v map[any]any) { v["k"].([]byte)[1] = 'c' }, map[any]any{"k": []byte("ac")}},
			{"inside a map", map[any]any{"k": map[string]int{"a": 1}},
				func(v map[any]any) { v["k"].(map[string]int)["a"]++ }, map[any]any{"k": map[string]int{"a": 2}}},
			{"behind a pointer", map[any]any{"k": &savedBasket{Items: []string{"tea"}}},
				func(v map[any]any) { v["k"].(*savedBasket).Items[0] = "milk" }, map[any]any{"k": &savedBasket{Items: []string{"milk"}}}},
			{"a flash", nil, func(v map[any]any) { v["_flash"] = []any{"hello"} }, map[any]any{"_flash": []any{"hello"}}},
			{"a sign of zero", map[any]any{"k": 0.0}, func(v map[any]any) { v["k"] = math.Copysign(0, -1) }, map[any]any{"k": math.Copysign(0, -1)}},
		} {
			t.Run(codec.Name()+", "+test.name, func(t *testing.T) {
				a := newApp(t, func(c *dynamostore.Config) { c.Codec = codec })
				b := a.browser()
				if _, err := b.with(func(s *sessions.Session) { maps.Copy(s.Values, test.before) }); err != nil {
					t.Fatalf("Save: %v", err)
				}
				a.wantSent("PutItem")
				cookies, err := b.with(func(s *sessions.Session) { test.change(s.Values) })
				if err != nil || len(cookies) != 0 {
					t.Errorf("Save: %v, and the cookies %v, want neither", err, cookies)
				}
				a.wantSent("GetItem", "UpdateItem")
				if got := b.values(); !reflect.DeepEqual(got, test.after) || math.Signbit(float(got["k"])) != math.Signbit(float(test.after["k"])) {
					t.Errorf("the session holds %v, want %v", got, test.after)
				}
			})
		}
	}
}

func float(v any) float64 {
	f, _ := v.(float64)
	return f
}

// Values that are stored alike are no change.
func TestSaveOfEqualValues(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	now := time.Now()
	set := func(s *sessions.Session) {
		s.Values["time"] = now // with its monotonic clock reading, which is not stored
		s.Values["nan"] = []float64{math.NaN()}
		s.Values["basket"] = &savedBasket{Items: []string{"tea"}}
	}
	if _, err := b.with(set); err != nil {
		t.Fatalf("Save: %v", err)
	}
	a.wantSent("PutItem")
	if _, err := b.with(set); err != nil {
		t.Errorf("Save: %v", err)
	}
	a.wantSent("GetItem")
}

// A touch that comes after another request's write, or touch, is not needed any more.
func TestTouchAfterAnotherRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*sessions.Session)
	}{
		{"wrote", func(s *sessions.Session) { s.Values["theirs"] = 1 }},
		{"touched", func(*sessions.Session) {}},
		{"set another MaxAge", func(s *sessions.Session) { s.Options.MaxAge = 60 }},
	} {
		for _, mode := range unlocked {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode))
				b := a.browser()
				b.set("user", "ann")
				a.makeTouchDue()
				other := a.elsewhere().tab(b)
				var after dynamotest.Item
				a.wantSent("PutItem")
				cookies, err := b.with(func(*sessions.Session) {
					if _, err := other.with(test.change); err != nil {
						t.Errorf("Save elsewhere: %v", err)
					}
					// Not in the same second, in which this request would set the same end.
					a.alter(dynamotest.Item{"expires": dynamotest.N(strconv.FormatInt(attrNumber(t, a.item(), "expires")-10, 10))})
					after = a.item()
				})
				if err != nil || len(cookies) != 0 {
					t.Errorf("Save: %v, and the cookies %v, want neither", err, cookies)
				}
				a.wantSent("GetItem", "UpdateItem")
				if got := a.item(); !reflect.DeepEqual(got, after) {
					t.Errorf("item = %v, want it as the other request left it: %v", show(got), show(after))
				}
			})
		}
	}
}

// An Update does not move the end, so a touch that comes after it does.
func TestTouchAfterAnUpdate(t *testing.T) {
	t.Parallel()
	for _, mode := range unlocked {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			a.makeTouchDue()
			cookies, err := b.with(func(*sessions.Session) {
				b.updateElsewhere()
				a.backend.Counts()
			})
			if err != nil || len(cookies) != 1 {
				t.Errorf("Save: %v, with the cookies %v, want one", err, cookies)
			}
			a.wantSent("UpdateItem", "UpdateItem")
			wantTime(t, "expires", attrNumber(t, a.item(), "expires"), time.Now(), 30*day)
			if got, want := b.values(), (map[any]any{"user": "ann", "theirs": 1}); !reflect.DeepEqual(got, want) {
				t.Errorf("the session holds %v, want %v", got, want)
			}
		})
	}
}

// A touch that comes after an Update, and then after another touch, does not take the Update's values
// for its own: a change of the same request meets them.
func TestChangeAfterATouchAndAnUpdate(t *testing.T) {
	t.Parallel()
	for _, mode := range unlocked {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			a.makeTouchDue()
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				b.updateElsewhere()
				a.backend.Counts()
				a.backend.Inject("UpdateItem", through, dynamotest.Do(func() {
					a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(29 * day))})
				}))
				for range 2 { // the second sends nothing
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save: %v", err)
					}
				}
				a.wantSent("UpdateItem", "UpdateItem")
				session.Values["ours"] = 1
				err = session.Save(r, w)
				if mode.mode == dynamostore.Refuse {
					wantError(t, err, dynamostore.ErrConflict)
				} else if err != nil {
					t.Errorf("Save of a change: %v", err)
				}
			})
			want := map[dynamostore.Concurrency]map[any]any{
				dynamostore.Merge:     {"user": "ann", "theirs": 1, "ours": 1},
				dynamostore.Refuse:    {"user": "ann", "theirs": 1},
				dynamostore.Overwrite: {"user": "ann", "ours": 1},
			}
			if got := b.values(); !reflect.DeepEqual(got, want[mode.mode]) {
				t.Errorf("the session holds %v, want %v", got, want[mode.mode])
			}
		})
	}
}

// endings are ways in which a session ends while a request is under way.
var endings = []struct {
	name string
	end  func(a *app, b *browser)
}{
	{"destroyed", func(a *app, b *browser) {
		if err := a.store.Destroy(a.Context(), strings.TrimPrefix(attrText(a.item()["id"]), "S:")); err != nil {
			a.Errorf("Destroy: %v", err)
		}
	}},
	{"given a new ID", func(a *app, _ *browser) { a.alter(tombstone("moved", 5*time.Minute, 0)) }},
	{"deleted", func(a *app, _ *browser) { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }},
	// DynamoDB's TTL may take days.
	{"expired", func(a *app, _ *browser) { a.alter(dynamotest.Item{"expires": dynamotest.N(secondsFromNow(0))}) }},
}

// What others ended stays ended, in each way in which a Save may write. So does what expired, and
// was found by nobody.
func TestSaveOfASessionThatHasEndedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*sessions.Session)
		op     string
	}{
		{"changed", func(s *sessions.Session) { s.Values["k"] = "v" }, "UpdateItem"},
		{"touched", func(*sessions.Session) {}, "UpdateItem"},
		{"another MaxAge", func(s *sessions.Session) { s.Options.MaxAge = 60 }, "UpdateItem"},
		{"other options", func(s *sessions.Session) { s.Options.SameSite = http.SameSiteStrictMode }, "UpdateItem"},
		{"another ID", func(s *sessions.Session) { s.ID = "" }, "GetItem"},
	} {
		for _, ending := range endings {
			if test.name == "another ID" && ending.name == "given a new ID" {
				continue // a login that is sent twice: see TestNewOfASessionThatWasJustGivenANewID
			}
			for _, mode := range modes {
				t.Run(fmt.Sprintf("%s, %s, %s", test.name, ending.name, mode.name), func(t *testing.T) {
					a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.TouchInterval = -1 })
					b := a.browser()
					b.set("user", "ann")
					cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
						session, err := a.store.Get(r, cookieName)
						if err != nil {
							t.Errorf("Get: %v", err)
						}
						ending.end(a, b)
						before := a.backend.Items(t)
						a.backend.Counts()
						id := session.ID
						test.change(session)
						wantError(t, session.Save(r, w), dynamostore.ErrGone, id)
						counts := a.backend.Counts()
						want := map[string]int{test.op: 1}
						if ending.name == "deleted" && test.op != "GetItem" {
							want["GetItem"] = 1 // of what is there, since the refusal does not say
						}
						if ending.name == "expired" {
							// It is ended for good: a request that was sent in time may still
							// arrive.
							want["UpdateItem"]++
							before = a.tombstones()
							if len(before) != 1 {
								t.Errorf("the table holds %v, want one tombstone", show(a.backend.Items(t)...))
							}
						}
						if !maps.Equal(counts, want) {
							t.Errorf("DynamoDB was sent %v, want %v", counts, want)
						}
						// It stays so.
						session.Values["l"] = "w"
						wantError(t, session.Save(r, w), dynamostore.ErrGone, id)
						if after := a.backend.Items(t); !reflect.DeepEqual(after, before) {
							t.Errorf("the table holds %v, want what it held before: %v", show(after...), show(before...))
						}
					})
					if len(cookies) != 0 {
						t.Errorf("Save set the cookie %v", cookies)
					}
				})
			}
		}
	}
}

// Time passes while the handler runs, and the session's end with it.
func TestSaveOfASessionThatExpiresMeanwhile(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name   string
			change func(*sessions.Session)
		}{
			{"changed", func(s *sessions.Session) { s.Values["k"] = "v" }},
			{"touched", func(*sessions.Session) {}},
			{"another MaxAge", func(s *sessions.Session) { s.Options.MaxAge = 60 * 60 * 24 }},
		} {
			for _, when := range []struct {
				takes time.Duration // the handler; the session ends after 30 s of it
				want  error
			}{{29 * time.Second, nil}, {30 * time.Second, dynamostore.ErrGone}, {time.Hour, dynamostore.ErrGone}} {
				t.Run(fmt.Sprint(mode.name, ", ", test.name, ", ", when.takes), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						i := newInstance(t, func(c *dynamostore.Config) {
							c.Concurrency, c.TouchInterval = mode.mode, time.Second
						})
						i.store.MaxAge(60)
						cookie := i.begin(map[any]any{"user": "ann"})
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						time.Sleep(30 * time.Second)
						v := i.visit(ctx, cookie)
						time.Sleep(when.takes)
						test.change(v.session)
						if err := v.save(); !errors.Is(err, when.want) {
							t.Errorf("Save: %v, want %v", err, when.want)
						}
						item := i.item()
						if ended := item["data"] == nil && attrText(item["gone"]) == "S:ended"; ended != (when.want != nil) {
							t.Errorf("the item is %s, want a tombstone %t", show(item), when.want != nil)
						}
					})
				})
			}
		}
	}
}

// MaxLifetime bounds what activity prolongs.
func TestSaveWithinMaxLifetime(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.MaxLifetime = 2 * time.Hour })
	b := a.browser()
	begin := time.Now()
	b.set("k", "v")
	wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, 2*time.Hour)
	created := dynamotest.N(secondsFromNow(-90 * time.Minute))
	a.alter(dynamotest.Item{"created": created})
	b.set("k", "w")
	item := a.item()
	if got := item["created"]; !reflect.DeepEqual(got, created) {
		t.Errorf("created is %s, want it as it was: %s", attrText(got), attrText(created))
	}
	if got, want := attrNumber(t, item, "expires"), attrNumber(t, item, "created")+2*60*60; got != want {
		t.Errorf("expires = %d, want two hours after created, %d", got, want)
	}

	// It ends while the request is under way: for a Store with a shorter one it has.
	shorter := a.open(dynamostore.Config{Table: a.cfg.Table, MaxLifetime: time.Minute}, keyA)
	before := a.item()
	cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		session.Values["k"] = "x"
		wantError(t, shorter.Save(r, w, session), dynamostore.ErrGone)
	})
	if len(cookies) != 0 {
		t.Errorf("Save set the cookie %v", cookies)
	}
	if after := a.item(); !reflect.DeepEqual(after, before) {
		t.Errorf("item = %v, want it as it was: %v", show(after), show(before))
	}
}

func TestMaxAgeZeroIsABrowserSession(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.Lifetime = 2 * time.Hour })
	a.store.MaxAge(0)
	b := a.browser()
	begin := time.Now()
	cookies := b.set("user", "ann")
	if len(cookies) != 1 || cookies[0].MaxAge != 0 || !cookies[0].Expires.IsZero() {
		t.Errorf("Save set the cookies %v, want one without Max-Age and Expires", cookies)
	}
	item := a.item()
	wantTime(t, "expires", attrNumber(t, item, "expires"), begin, 2*time.Hour)
	if got := attrText(item["max_age"]); got != "absent" {
		t.Errorf("max_age is %s, want absent, since it is the Store's", got)
	}
	if got := b.values()["user"]; got != "ann" {
		t.Errorf("user = %v, want ann", got)
	}
}

// "Remember me" is said once, at login, and holds on later requests.
func TestMaxAgeOfASessionIsRemembered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		store, login int
		life         time.Duration
		stored       string
	}{
		{"longer", 0, 90 * 24 * 60 * 60, 90 * day, "N:7776000"},
		{"shorter", 30 * 24 * 60 * 60, 60 * 60, time.Hour, "N:3600"},
		{"with the browser", 30 * 24 * 60 * 60, 0, day, "N:0"},
		{"of 68 years", 0, 1<<31 - 1, (1<<31 - 1) * time.Second, "N:2147483647"},
	} {
		for _, mode := range unlocked {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode))
				a.store.MaxAge(test.store)
				b := a.browser()
				save := func(change func(*sessions.Session), stored string, cookie int, want ...string) {
					t.Helper()
					a.backend.Counts()
					cookies, err := b.with(change)
					if err != nil {
						t.Errorf("Save: %v", err)
					}
					a.wantSent(want...)
					if got := attrText(a.item()["max_age"]); got != stored {
						t.Errorf("max_age is %s, want %s", got, stored)
					}
					switch {
					case cookie < 0 && len(cookies) != 0:
						t.Errorf("Save set the cookie %v", cookies)
					case cookie >= 0 && (len(cookies) != 1 || cookies[0].MaxAge != cookie):
						t.Errorf("Save set the cookies %v, want one with Max-Age %d", cookies, cookie)
					}
				}
				b.set("user", "ann")
				begin := time.Now()
				save(func(s *sessions.Session) { s.Options.MaxAge = test.login }, test.stored, test.login, "GetItem", "UpdateItem")
				wantTime(t, "expires", attrNumber(t, a.item(), "expires"), begin, test.life)
				// Later requests need not say it again, and may.
				for _, change := range []func(*sessions.Session){
					func(s *sessions.Session) {
						if s.Options.MaxAge != test.login {
							t.Errorf("a later request has MaxAge %d, want %d", s.Options.MaxAge, test.login)
						}
					},
					func(s *sessions.Session) { s.Options.MaxAge = test.login },
					func(s *sessions.Session) {
						s.Options = &sessions.Options{Path: "/", MaxAge: test.login, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
					},
				} {
					save(change, test.stored, -1, "GetItem")
				}
				save(func(s *sessions.Session) { s.Values["k"] = "v" }, test.stored, -1, "GetItem", "UpdateItem")
				// Going back to the Store's is a change as well.
				save(func(s *sessions.Session) { s.Options.MaxAge = test.store }, "absent", test.store, "GetItem", "UpdateItem")
			})
		}
	}
}

func TestOptionsOfNilAreTheStores(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	cookies, err := b.with(func(s *sessions.Session) { s.Options = nil; s.Values["k"] = "v" })
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge != a.store.Options.MaxAge || !cookies[0].Secure {
		t.Errorf("Save: %v, and the cookies %v, want one with the Store's options", err, cookies)
	}
	cookies, err = b.with(func(s *sessions.Session) { s.Options = nil })
	if err != nil || len(cookies) != 0 {
		t.Errorf("Save of an unchanged session: %v, and the cookies %v, want neither", err, cookies)
	}
	a.wantSent("PutItem", "GetItem")
	a.store.Options = nil
	if _, err := b.with(func(s *sessions.Session) { s.Values["k"] = "w" }); err != nil {
		t.Errorf("Save by a Store without options: %v", err)
	}
	if got := b.values()["k"]; got != "w" {
		t.Errorf("k = %v, want w", got)
	}
}

// Some applications set session.Options in every request. That is one write and one cookie, and
// then nothing.
func TestOptionsOfEveryRequestAreRemembered(t *testing.T) {
	t.Parallel()
	strict := func(s *sessions.Session) {
		s.Options = &sessions.Options{Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
	}
	for _, mode := range unlocked {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			before := a.item()
			a.wantSent("PutItem")
			cookies, err := b.with(strict)
			if err != nil || len(cookies) != 1 || cookies[0].SameSite != http.SameSiteStrictMode {
				t.Errorf("first Save: %v, and the cookies %v, want a SameSite=Strict one", err, cookies)
			}
			a.wantSent("GetItem", "UpdateItem")
			for _, name := range []string{"expires", "seen", "created"} {
				if got, want := attrText(a.item()[name]), attrText(before[name]); got != want {
					t.Errorf("%s = %s, want it as it was: %s", name, got, want)
				}
			}
			for range 3 {
				cookies, err := b.with(strict)
				if err != nil || len(cookies) != 0 {
					t.Errorf("later Save: %v, and the cookies %v, want neither", err, cookies)
				}
				a.wantSent("GetItem")
			}
			// A changed Save need not set the cookie either.
			cookies, err = b.with(func(s *sessions.Session) { strict(s); s.Values["k"] = "v" })
			if err != nil || len(cookies) != 0 {
				t.Errorf("changed Save: %v, and the cookies %v, want neither", err, cookies)
			}
			a.wantSent("GetItem", "UpdateItem")
			if cookies, err := b.with(strict); err != nil || len(cookies) != 0 {
				t.Errorf("Save after it: %v, and the cookies %v, want neither", err, cookies)
			}
			a.wantSent("GetItem")
			// Other options are a change.
			cookies, err = b.with(func(s *sessions.Session) { strict(s); s.Options.Path = "/app" })
			if err != nil || len(cookies) != 1 || cookies[0].Path != "/app" {
				t.Errorf("Save with another path: %v, and the cookies %v, want one for /app", err, cookies)
			}
			a.wantSent("GetItem", "UpdateItem")
		})
	}
}

// Options may be shared by sessions, and with the Store.
func TestSaveLeavesSharedOptionsAlone(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for name, shared := range map[string]*sessions.Options{
		"the application's": {Path: "/", MaxAge: 30 * 24 * 60 * 60, HttpOnly: true, Secure: true},
		"the Store's":       a.store.Options,
	} {
		before := *shared
		b := a.browser()
		b.set("k", 0)
		elsewhere := a.elsewhere().tab(b)
		b.visit(func(w http.ResponseWriter, r *http.Request) {
			session, err := a.store.Get(r, cookieName)
			if err != nil {
				t.Errorf("Get: %v", err)
			}
			if _, err := elsewhere.with(func(s *sessions.Session) { s.Options.MaxAge = 3600 }); err != nil {
				t.Errorf("Save elsewhere: %v", err)
			}
			session.Options = shared
			session.Values["a"] = 1
			if err := session.Save(r, w); err != nil {
				t.Errorf("Save: %v", err)
			}
			if session.Options.MaxAge != 3600 {
				t.Errorf("MaxAge = %d after the merge, want the other request's, 3600", session.Options.MaxAge)
			}
		})
		if *shared != before {
			t.Errorf("%s options are %+v, want them as they were: %+v", name, *shared, before)
		}
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name    string
			prepare func(a *app)
			left    int // sessions in the table
			status  string
		}{
			{"live", func(*app) {}, 0, "S:ended"},
			{"expired", func(a *app) { a.alter(dynamotest.Item{"expires": dynamotest.N("1")}) }, 0, "S:ended"},
			{"undecodable", func(a *app) { a.alter(dynamotest.Item{"data": dynamotest.B([]byte("?"))}) }, 0, "S:ended"},
			{"logged out before", func(a *app) { a.alter(tombstone("ended", time.Minute, 0)) }, 0, "S:ended"},
			{"given a new ID long ago", func(a *app) { a.alter(tombstone("moved", time.Minute, -time.Minute)) }, 0, "S:moved"},
			{"not a session", func(a *app) { a.alter(dynamotest.Item{"data": nil, "codec": nil, "theirs": dynamotest.S("x")}) }, 1, "absent"},
			{"no item", func(a *app) { a.backend.Delete(a.T, dynamotest.Item{"id": a.item()["id"]}) }, 0, ""},
		} {
			t.Run(test.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.UserKey, c.LabelKey = "user", "device" })
				b := a.browser()
				b.set("user", "ann")
				test.prepare(a)
				before := a.backend.Items(t)
				begin := time.Now()
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, _ := a.store.Get(r, cookieName)
					session.Options.MaxAge = -1
					a.backend.Counts()
					err := session.Save(r, w)
					counts := a.backend.Counts()
					switch {
					case test.status == "S:moved":
						wantError(t, err, dynamostore.ErrGone)
					case err != nil:
						t.Errorf("logout: %v", err)
					}
					if counts["UpdateItem"] != 1 || counts["PutItem"]+counts["DeleteItem"] != 0 || test.name != "no item" && len(counts) != 1 {
						t.Errorf("DynamoDB was sent %v, want one UpdateItem", counts)
					}
					if test.status == "S:moved" {
						return
					}
					// To log out twice is not an error.
					if err := session.Save(r, w); err != nil {
						t.Errorf("second logout: %v", err)
					}
				})
				if len(cookies) != 1 || cookies[0].MaxAge >= 0 || cookies[0].Value != "" {
					t.Errorf("logout set the cookies %v, want an expired one", cookies)
				}
				a.wantLive(test.left)
				items := a.backend.Items(t)
				if test.status == "" {
					if len(items) != 0 {
						t.Errorf("the table holds %v, want nothing", show(items...))
					}
					return
				}
				if len(items) != 1 {
					t.Fatalf("the table holds %v, want one item", show(items...))
				}
				if got := attrText(items[0]["gone"]); got != test.status {
					t.Errorf("gone is %s, want %s", got, test.status)
				}
				if !slices.Contains([]string{"live", "expired", "undecodable"}, test.name) {
					if !reflect.DeepEqual(items, before) {
						t.Errorf("the table holds %v, want what it held before: %v", show(items...), show(before...))
					}
					return
				}
				for _, name := range []string{"data", "codec", "created", "user", "label", "max_age", "lock", "lock_until"} {
					if items[0][name] != nil {
						t.Errorf("the tombstone has the attribute %q", name)
					}
				}
				wantTime(t, "expires", attrNumber(t, items[0], "expires"), begin, 5*time.Minute)
			})
		}
	}
}

func TestLogoutOfANewSession(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	cookies, err := a.browser().with(func(s *sessions.Session) { s.Options.MaxAge = -1 })
	if err != nil || len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logout: %v, and the cookies %v, want an expired one", err, cookies)
	}
	a.wantSent()
}

// A handler that goes on with a session that it logged out gets a new one.
func TestSaveAfterLogoutInOneRequest(t *testing.T) {
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
				session.Options.MaxAge = -1
				if err := session.Save(r, w); err != nil {
					t.Errorf("logout: %v", err)
				}
				session.Options.MaxAge = 60
				session.Values = map[any]any{"flash": "bye"}
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save after it: %v", err)
				}
			})
			if len(cookies) != 1 || cookies[0].MaxAge != 60 {
				t.Errorf("the response set %v, want the new session's cookie alone", cookies)
			}
			if session, err := old.load(); err != nil || !session.IsNew {
				t.Errorf("the old cookie opens a session with %v, %v, want a new one", session.Values, err)
			}
			if got := b.values(); len(got) != 1 || got["flash"] != "bye" {
				t.Errorf("the session holds %v, want flash alone", got)
			}
		})
	}
}

func TestSaveTwiceInARequest(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			save := func(writes int) {
				t.Helper()
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					a.backend.Counts()
					for n := range 3 {
						session.Values["seen"] = map[string]time.Time{"a": time.Now(), "b": time.Now(), fmt.Sprint(n): time.Now()}
						for range 2 { // the second is unchanged
							if err := session.Save(r, w); err != nil {
								t.Errorf("Save %d: %v", n, err)
							}
						}
					}
					if counts := a.backend.Counts(); counts["PutItem"]+counts["UpdateItem"] != 3 || len(counts) > 2 {
						t.Errorf("DynamoDB was sent %v, want a write for each change", counts)
					}
				})
				if got, _ := b.values()["seen"].(map[string]time.Time); len(got) != 3 || got["2"].IsZero() {
					t.Errorf("seen = %v, want what was saved last", got)
				}
			}
			save(3)
			save(3)
		})
	}
}

// What one Save has written is the base of the next one, also of a merge.
func TestSaveTwiceWithAnotherRequestBetween(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("k", 1)
	elsewhere := a.elsewhere().tab(b)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		session.Values["seen"] = map[string]time.Time{"ours": time.Now()}
		if err := session.Save(r, w); err != nil {
			t.Errorf("first Save: %v", err)
		}
		elsewhere.set("seen", map[string]time.Time{"theirs": time.Now()})
		session.Values["other"] = 1
		if err := session.Save(r, w); err != nil {
			t.Errorf("second Save: %v", err)
		}
	})
	if seen, _ := b.values()["seen"].(map[string]time.Time); len(seen) != 1 || seen["theirs"].IsZero() {
		t.Errorf("seen = %v, want what the other request stored: this one did not change it since", seen)
	}
}

// What a handler holds of the session stays the session's own where a Save merged another key.
func TestValueHeldAcrossAMerge(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("basket", &savedBasket{Items: []string{"tea"}})
	elsewhere := a.elsewhere().tab(b)
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		held := session.Values["basket"].(*savedBasket)
		session.Values["ours"] = 1
		elsewhere.set("theirs", 2)
		if err := session.Save(r, w); err != nil {
			t.Errorf("merging Save: %v", err)
		}
		if session.Values["theirs"] != 2 {
			t.Errorf("the session holds %v after the merge, want theirs as well", session.Values)
		}
		held.Items = append(held.Items, "milk")
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save after it: %v", err)
		}
	})
	if got := b.values()["basket"].(*savedBasket).Items; !slices.Equal(got, []string{"tea", "milk"}) {
		t.Errorf("the basket holds %q, want tea and milk", got)
	}
}

// Libraries save sessions without a request.
func TestSaveWithoutARequest(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			for _, test := range []struct {
				name   string
				save   func(w http.ResponseWriter, s *sessions.Session) error
				cookie bool
				left   int
			}{
				{"a new session", func(w http.ResponseWriter, s *sessions.Session) error { s.Values["k"] = 1; return s.Save(nil, w) }, true, 1},
				{"an unchanged session", func(w http.ResponseWriter, s *sessions.Session) error { return s.Save(nil, w) }, false, 1},
				{"a changed session", func(w http.ResponseWriter, s *sessions.Session) error { s.Values["k"] = 2; return s.Save(nil, w) }, false, 1},
				{"a new ID", func(w http.ResponseWriter, s *sessions.Session) error { return a.store.Regenerate(nil, w, s) }, true, 1},
				{"a logout", func(w http.ResponseWriter, s *sessions.Session) error { s.Options.MaxAge = -1; return s.Save(nil, w) }, true, 0},
			} {
				cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					if err := test.save(w, session); err != nil {
						t.Errorf("%s: %v", test.name, err)
					}
				})
				if (len(cookies) == 1) != test.cookie {
					t.Errorf("%s: Save set the cookies %v, want one %t", test.name, cookies, test.cookie)
				}
				a.wantLive(test.left)
			}
		})
	}
}

// A middleware that buffers may discard the response that has the cookie, and save again on
// another.
func TestSaveOnAnotherResponseWriter(t *testing.T) {
	t.Parallel()
	due := func(a *app) {
		a.makeTouchDue()
	}
	for _, test := range []struct {
		name    string
		prepare func(*app)
		change  func(*sessions.Session)
		writes  int // of the first Save
		cookies int // on each response
	}{
		{"a new session", nil, func(s *sessions.Session) { s.Values["k"] = "v" }, 1, 1},
		{"a touched session", due, func(*sessions.Session) {}, 1, 1},
		{"a changed session", func(*app) {}, func(s *sessions.Session) { s.Values["k"] = "v" }, 1, 0},
		{"a changed session whose end is due", due, func(s *sessions.Session) { s.Values["k"] = "v" }, 1, 1},
		{"an unchanged session", func(*app) {}, func(*sessions.Session) {}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			if test.prepare != nil {
				b.set("user", "ann")
				test.prepare(a)
			}
			b.visit(func(_ http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				test.change(session)
				a.backend.Counts()
				var first string
				writers := []*httptest.ResponseRecorder{httptest.NewRecorder(), httptest.NewRecorder(), httptest.NewRecorder()}
				for n, w := range []*httptest.ResponseRecorder{writers[0], writers[1], writers[0], writers[2]} {
					if err := session.Save(r, w); err != nil {
						t.Errorf("Save %d: %v", n, err)
					}
					cookies := cookiesOf(w)
					if len(cookies) != test.cookies {
						t.Fatalf("Save %d: the response has the cookies %v, want %d", n, cookies, test.cookies)
					}
					if n == 0 && test.cookies == 1 {
						first = cookies[0].Raw
					}
					if test.cookies == 1 && cookies[0].Raw != first {
						t.Errorf("Save %d: the response has the cookie %q, want that of the first, %q", n, cookies[0].Raw, first)
					}
				}
				if counts := a.backend.Counts(); counts["PutItem"]+counts["UpdateItem"] != test.writes || len(counts) != test.writes {
					t.Errorf("DynamoDB was sent %v, want %d writes", counts, test.writes)
				}
			})
		})
	}
}

// A copy of a session cannot be told from another session, and is not saved over it.
func TestSaveOfACopy(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			var copied sessions.Session
			cookies := b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				before := a.item()
				copied = *session
				copied.Values["k"] = "v"
				err = copied.Save(r, w)
				wantError(t, err, dynamostore.ErrConflict, session.ID)
				if err == nil || !strings.Contains(err.Error(), "copy") {
					t.Errorf("Save: error is %v, want one that says that the session is a copy", err)
				}
				if after := a.item(); !reflect.DeepEqual(after, before) {
					t.Errorf("item = %v, want it as it was: %v", show(after), show(before))
				}
				// The session itself can be saved.
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save of the session itself: %v", err)
				}
			})
			if len(cookies) != 0 {
				t.Errorf("Save set the cookie %v", cookies)
			}
			if got := b.values()["k"]; got != "v" {
				t.Errorf("k = %v, want v", got)
			}
		})
	}
}

func TestSaveOfNoSession(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	w := httptest.NewRecorder()
	for method, save := range map[string]func(*http.Request, http.ResponseWriter, *sessions.Session) error{
		"Save": a.store.Save, "Regenerate": a.store.Regenerate,
	} {
		if err := save(httptest.NewRequest(http.MethodGet, "/", nil), w, nil); err == nil || !strings.Contains(err.Error(), "nil") {
			t.Errorf("%s: error is %v, want one that says that the session is nil", method, err)
		}
	}
	a.wantSent()
}

// A browser that goes away does not undo what it asked for.
func TestSaveAfterTheRequestWasCanceled(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
				cookie := i.begin(map[any]any{"user": "ann"})
				for _, test := range []struct {
					name   string
					change func(*sessions.Session)
					want   int // sessions that live
				}{
					{"changed", func(s *sessions.Session) { s.Values["k"] = "v" }, 1},
					{"logout", func(s *sessions.Session) { s.Options.MaxAge = -1 }, 0},
				} {
					ctx, cancel := context.WithCancel(t.Context())
					v := i.visit(ctx, cookie)
					test.change(v.session)
					cancel()
					if err := v.save(); err != nil {
						t.Errorf("%s: Save after the request was canceled: %v", test.name, err)
					}
					synctest.Wait()
					live := slices.DeleteFunc(i.backend.Items(t), func(item dynamotest.Item) bool { return item["gone"] != nil })
					if len(live) != test.want {
						t.Errorf("%s: %d sessions live, want %d", test.name, len(live), test.want)
					}
				}
			})
		})
	}
}

// The request's deadline and Config.Timeout bound a Save, and Config.Timeout alone a logout.
func TestSaveThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name     string
			change   func(*sessions.Session)
			save     func(*visit) error
			deadline time.Duration // of the request
			takes    time.Duration
		}{
			{"changed", func(s *sessions.Session) { s.Values["k"] = "v" }, (*visit).save, 0, 7 * time.Second},
			{"changed, with a deadline", func(s *sessions.Session) { s.Values["k"] = "v" }, (*visit).save, 3 * time.Second, 3 * time.Second},
			{"changed, with a later deadline", func(s *sessions.Session) { s.Values["k"] = "v" }, (*visit).save, time.Minute, 7 * time.Second},
			{"a new ID", func(*sessions.Session) {}, func(v *visit) error { return v.i.store.Regenerate(v.r, v.w, v.session) }, 3 * time.Second, 3 * time.Second},
			{"logout, with a deadline", func(s *sessions.Session) { s.Options.MaxAge = -1 }, (*visit).save, 3 * time.Second, 7 * time.Second},
		} {
			if mode.mode == dynamostore.Lock && test.deadline > 0 {
				continue // the lock is released after the deadline
			}
			t.Run(mode.name+", "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					i := newInstance(t, func(c *dynamostore.Config) { c.Timeout, c.Concurrency = 7*time.Second, mode.mode })
					cookie := i.begin(map[any]any{"user": "ann"})
					ctx, cancel := context.WithCancel(t.Context())
					if test.deadline > 0 {
						ctx, cancel = context.WithTimeout(t.Context(), test.deadline)
					}
					defer cancel()
					v := i.visit(ctx, cookie)
					for _, op := range []string{"UpdateItem", "TransactWriteItems"} {
						i.backend.Inject(op, dynamotest.Times(10, dynamotest.Silent)...)
					}
					test.change(v.session)
					begin := time.Now()
					wantError(t, test.save(v), context.DeadlineExceeded, cookie.Value)
					if got := time.Since(begin); got != test.takes {
						t.Errorf("it took %v, want %v", got, test.takes)
					}
					i.backend.Heal()
				})
			})
		}
	}
}

// Another transaction on the same item, or a write in another region, is over in a moment.
func TestSaveDuringATransaction(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	ops := []string{"PutItem", "UpdateItem", "TransactWriteItems"}
	if noTransactions {
		ops = ops[:2]
	}
	for _, op := range ops {
		a.backend.Inject(op, dynamotest.Conflict, dynamotest.Conflict, dynamotest.RegionConflict)
	}
	b.set("k", "v")
	b.set("k", "w")
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, _ := a.store.Get(r, cookieName)
		if err := a.store.Regenerate(r, w, session); err != nil {
			t.Errorf("Regenerate: %v", err)
		}
	})
	if got := b.values()["k"]; got != "w" {
		t.Errorf("k = %v, want w", got)
	}
	a.backend.Inject("UpdateItem", dynamotest.Conflict, dynamotest.Conflict, dynamotest.RegionConflict)
	b.logout()
	if n := a.backend.Pending(); n != 0 {
		t.Errorf("%d faults were not met", n)
	}
	a.wantLive(0)
}

// fourMethods is a client of an application's own making, which has what dynamostore.Client asks
// for, and nothing else.
type fourMethods struct {
	client dynamostore.Client
	failed func(error) error // what it makes of errors
}

var _ dynamostore.Client = (*fourMethods)(nil)

func (c *fourMethods) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := c.client.GetItem(ctx, in, opts...)
	return out, c.failed(err)
}

func (c *fourMethods) PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	out, err := c.client.PutItem(ctx, in, opts...)
	return out, c.failed(err)
}

func (c *fourMethods) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	out, err := c.client.UpdateItem(ctx, in, opts...)
	return out, c.failed(err)
}

func (c *fourMethods) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	out, err := c.client.DeleteItem(ctx, in, opts...)
	return out, c.failed(err)
}

// codeError is an error of DynamoDB of which the code alone is known.
type codeError struct{ code string }

func (e codeError) Error() string        { return e.code }
func (e codeError) ErrorCode() string    { return e.code }
func (e codeError) ErrorMessage() string { return "" }

// A Store on a client with the four methods of Client alone does all but what takes more.
func TestClientWithFourMethods(t *testing.T) {
	t.Parallel()
	for _, wrapped := range []struct {
		name   string
		failed func(error) error
	}{
		{"errors as they are", func(err error) error { return err }},
		{"refusals without the item", func(err error) error {
			var refused *types.ConditionalCheckFailedException
			if errors.As(err, &refused) {
				return &types.ConditionalCheckFailedException{Message: refused.Message}
			}
			return err
		}},
		{"codes alone", func(err error) error {
			var api interface{ ErrorCode() string }
			if errors.As(err, &api) {
				return codeError{api.ErrorCode()}
			}
			return err
		}},
	} {
		for _, mode := range modes {
			t.Run(wrapped.name+", "+mode.name, func(t *testing.T) {
				a := newApp(t, patientMode(mode.mode), func(c *dynamostore.Config) { c.UserKey = "user" })
				store, err := dynamostore.New(&fourMethods{a.backend.Client, wrapped.failed}, a.cfg, keyA)
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				a.store = store
				b := a.browser()
				b.set("user", "ann")
				b.set("a", "1")

				// Another process writes between the load and the Save.
				tab := a.elsewhere().tab(b)
				_, err = b.with(func(s *sessions.Session) {
					s.Values["b"] = "2"
					if mode.mode != dynamostore.Lock { // where it would wait
						tab.set("c", "3")
					}
				})
				want := map[any]any{"user": "ann", "a": "1", "b": "2", "c": "3"}
				switch mode.mode {
				case dynamostore.Refuse:
					wantError(t, err, dynamostore.ErrConflict, "ann")
					delete(want, "b")
				case dynamostore.Overwrite, dynamostore.Lock:
					delete(want, "c")
					fallthrough
				default:
					if err != nil {
						t.Errorf("Save: %v", err)
					}
				}
				if got := b.values(); !maps.Equal(got, want) {
					t.Errorf("the session holds %v, want %v", got, want)
				}

				// Another process ends the session meanwhile.
				_, err = b.with(func(s *sessions.Session) {
					s.Values["d"] = "4"
					if err := tab.app.store.Destroy(t.Context(), a.store.Key(s)); err != nil {
						t.Errorf("Destroy: %v", err)
					}
				})
				wantError(t, err, dynamostore.ErrGone)
				a.wantLive(0)

				// A new ID, by two writes instead of a transaction.
				b.set("user", "ann")
				old := b.tab()
				b.visit(func(w http.ResponseWriter, r *http.Request) {
					session, err := a.store.Get(r, cookieName)
					if err != nil {
						t.Errorf("Get: %v", err)
					}
					if err := a.store.Regenerate(r, w, session); err != nil {
						t.Errorf("Regenerate: %v", err)
					}
				})
				if got := b.values()["user"]; got != "ann" || old.values()["user"] != nil {
					t.Errorf("after Regenerate, the new cookie's user is %v, and the old cookie's %v, want ann and none", got, old.values()["user"])
				}

				// What takes other methods says which, and changes nothing.
				lacks := func(what string, err error, method string) {
					t.Helper()
					if err == nil || !strings.Contains(err.Error(), "no method "+method) || !strings.Contains(err.Error(), "fourMethods") {
						t.Errorf("%s: error is %v, want one that names the client and the method %s", what, err, method)
					}
				}
				for _, err := range a.store.Sessions(t.Context()) {
					lacks("Sessions", err, "Scan")
				}
				for _, err := range a.store.UserSessions(t.Context(), "ann") {
					lacks("UserSessions", err, "Query")
				}
				_, err = a.store.DestroyUser(t.Context(), "ann")
				lacks("DestroyUser", err, "Query")
				if err := a.store.EnsureTable(t.Context()); err == nil || !strings.Contains(err.Error(), "DescribeTable") {
					t.Errorf("EnsureTable: error is %v, want one that names the method DescribeTable", err)
				}
				if got := b.values()["user"]; got != "ann" {
					t.Errorf("user = %v, want ann", got)
				}
				b.logout()
				a.wantLive(0)
			})
		}
	}
}

// A handler that takes longer than its session lives, which other requests kept alive: the session
// has not ended.
func TestSaveByALongRequestOfALiveSession(t *testing.T) {
	t.Parallel()
	for _, mode := range unlocked {
		for _, regenerate := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, a new ID %t", mode.name, regenerate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					i := newInstance(t, func(c *dynamostore.Config) { c.Concurrency = mode.mode })
					i.store.MaxAge(60)
					cookie := i.begin(map[any]any{"user": "ann"})
					long := i.visit(t.Context(), cookie)
					for range 3 {
						time.Sleep(30 * time.Second)
						v := i.visit(t.Context(), cookie)
						if err := v.save(); err != nil {
							t.Errorf("Save of another request: %v", err)
						}
					}
					long.session.Values["k"] = "v"
					var err error
					if regenerate {
						err = i.store.Regenerate(long.r, long.w, long.session)
					} else {
						err = long.save()
					}
					if err != nil {
						t.Errorf("Save: %v, and the session lives", err)
					}
				})
			})
		}
	}
}

// ErrTooLarge is certain: nothing was sent, so there is nothing to find out.
func TestSaveAfterErrTooLarge(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.NoCompression = true })
	b := a.browser()
	b.set("user", "ann")
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		a.backend.Counts()
		session.Values["k"] = strings.Repeat("v", 500_000)
		wantError(t, session.Save(r, w), dynamostore.ErrTooLarge)
		a.wantSent()
		delete(session.Values, "k")
		if err := session.Save(r, w); err != nil {
			t.Errorf("Save of the session as it was loaded: %v", err)
		}
		a.wantSent()
	})
}

// A logout with a cookie whose ID cannot be a key has nothing to end, and sends nothing that
// DynamoDB refuses.
func TestLogoutWithACookieThatNamesNoItem(t *testing.T) {
	t.Parallel()
	for _, id := range []string{strings.Repeat("A", 2049), "\xff\xfe"} {
		a := newApp(t)
		b := a.browser()
		b.setCookie(signed(t, id, keyA))
		b.logout()
		a.wantSent()
		if cookie := b.cookie(); cookie != "" {
			t.Errorf("the browser still has the cookie %q", cookie)
		}
	}
}

// A logout of a session whose name is invalid is an error as well, though there is nothing to
// write.
func TestLogoutOfASessionWithAnInvalidName(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.browser().visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, "my session")
		if err == nil {
			t.Error("Get succeeded, want an error")
		}
		session.Options.MaxAge = -1
		if err := session.Save(r, w); err == nil {
			t.Error("Save succeeded, want an error")
		}
	})
	a.wantSent()
}

// A copy of a session is not given a new ID: the session would go on under the old one.
func TestRegenerateOfACopy(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	b := a.browser()
	b.set("user", "ann")
	b.visit(func(w http.ResponseWriter, r *http.Request) {
		session, err := a.store.Get(r, cookieName)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		copied := *session
		if err := a.store.Regenerate(r, w, &copied); err == nil || !strings.Contains(err.Error(), "copy") {
			t.Errorf("Regenerate: error is %v, want one that says that the session is a copy", err)
		}
	})
	a.wantLive(1)
}

// Timeout bounds a Save under Lock as well, also where the end of the request releases the lock at
// the same moment. Which of the two comes first is a matter of chance.
func TestSaveUnderLockIsBoundedByTimeout(t *testing.T) {
	t.Parallel()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			i := newInstance(t, func(c *dynamostore.Config) { c.Timeout, c.Concurrency = 7*time.Second, dynamostore.Lock })
			cookie := i.begin(map[any]any{"user": "ann"})
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			v := i.visit(ctx, cookie)
			i.backend.Inject("UpdateItem", dynamotest.Times(10, dynamotest.Silent)...)
			v.session.Values["k"] = "v"
			begin := time.Now()
			wantError(t, v.save(), context.DeadlineExceeded)
			if got := time.Since(begin); got > 7*time.Second {
				t.Errorf("Save took %v, want at most Config.Timeout, 7s", got)
			}
			i.backend.Heal()
			time.Sleep(time.Minute) // until the lock is released
		})
		if t.Failed() {
			return
		}
	}
}

// A Save that succeeds after a logout that failed gives the browser its cookie back.
func TestSaveAfterALogoutThatFailed(t *testing.T) {
	t.Parallel()
	for _, mode := range unlocked {
		t.Run(mode.name, func(t *testing.T) {
			a := newApp(t, patientMode(mode.mode))
			b := a.browser()
			b.set("user", "ann")
			b.visit(func(w http.ResponseWriter, r *http.Request) {
				session, err := a.store.Get(r, cookieName)
				if err != nil {
					t.Errorf("Get: %v", err)
				}
				age := session.Options.MaxAge
				session.Options.MaxAge = -1
				a.backend.Inject("UpdateItem", dynamotest.Times(5, dynamotest.Refused)...)
				if err := session.Save(r, w); err == nil {
					t.Error("the logout succeeded, and DynamoDB refused it")
				}
				a.backend.Heal()
				session.Options.MaxAge = age
				session.Values["flash"] = "try again"
				if err := session.Save(r, w); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			if got, want := b.values(), (map[any]any{"user": "ann", "flash": "try again"}); !reflect.DeepEqual(got, want) {
				t.Errorf("the session holds %v, want %v", got, want)
			}
		})
	}
}
