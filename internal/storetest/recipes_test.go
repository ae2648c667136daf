package storetest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
	"example.com/dynamostore/internal/dynamotest"
)

// setting is how an instance is configured.
type setting struct {
	cfg  dynamostore.Config
	keys [][]byte // of the cookies
}

// rollout is a service of several instances on one table. Their settings are changed one after the
// other, while visitors come and go.
type rollout struct {
	*app
	instances []*dynamostore.Store
	visitors  []*visitor
	idle      []*visitor // of whom one comes back after each stage
	n         int
}

// visitor is logged in, and must stay logged in.
type visitor struct {
	*browser
	name string
	has  map[any]any // in the session
}

const instances = 2 // one of the old setting and one of the new suffice for each mixture of forms

func newRollout(t *testing.T, first setting) *rollout {
	r := &rollout{app: newApp(t, func(c *dynamostore.Config) { *c = first.cfg })}
	for range instances {
		r.instances = append(r.instances, r.storeWith(first))
	}
	for range 10 {
		r.idle = append(r.idle, r.logIn(0))
	}
	r.visitors = append(r.visitors, r.logIn(0))
	r.everyoneVisits("at first")
	return r
}

func (r *rollout) storeWith(s setting) *dynamostore.Store {
	cfg := s.cfg
	cfg.Table = r.backend.Table
	keys := s.keys
	if keys == nil {
		keys = [][]byte{keyA}
	}
	return r.open(cfg, keys...)
}

// logIn returns a visitor who logs in at an instance.
func (r *rollout) logIn(instance int) *visitor {
	r.n++
	v := &visitor{r.browser(), fmt.Sprint("visitor ", r.n), map[any]any{}}
	r.store = r.instances[instance]
	v.has["user"], v.has["text"] = v.name, strings.Repeat(v.name+" ", 200) // long enough to be compressed
	if _, err := v.with(func(s *sessions.Session) { maps.Copy(s.Values, v.has) }); err != nil {
		r.Errorf("%s: log in: %v", v.name, err)
	}
	return v
}

// visits has a visitor send two requests to an instance: one that changes nothing, and one that
// does.
func (r *rollout) visits(v *visitor, instance int, when string) {
	r.Helper()
	r.store = r.instances[instance]
	check := func(s *sessions.Session) {
		if s.IsNew || !reflect.DeepEqual(s.Values, v.has) {
			r.Errorf("%s, instance %d: %s has %d values in a session that is new: %v; want them to be logged in", when, instance, v.name, len(s.Values), s.IsNew)
		}
	}
	if _, err := v.with(check); err != nil {
		r.Errorf("%s, instance %d: %s: Save: %v", when, instance, v.name, err)
	}
	r.n++
	if _, err := v.with(func(s *sessions.Session) { check(s); s.Values["n"] = r.n }); err != nil {
		r.Errorf("%s, instance %d: %s: changed Save: %v", when, instance, v.name, err)
	}
	v.has["n"] = r.n
}

// everyoneVisits has each visitor visit all instances, and the first again, so that each instance
// reads what another wrote.
func (r *rollout) everyoneVisits(when string) {
	r.Helper()
	for _, v := range r.visitors {
		for i := range instances + 1 {
			r.visits(v, i%instances, when)
		}
	}
}

// stage gives all instances another setting, one after the other. At each moment, everyone stays
// logged in. At the end, a visitor comes back who was away for all that time.
func (r *rollout) stage(name string, s setting) {
	r.Helper()
	store := r.storeWith(s)
	for i := range r.instances {
		r.instances[i] = store
		store = r.storeWith(s)
		when := fmt.Sprintf("%s, %d of %d instances", name, i+1, instances)
		for j := range instances {
			r.visitors = append(r.visitors, r.logIn(j))
		}
		r.everyoneVisits(when)
		r.visitors = r.visitors[max(0, len(r.visitors)-instances):]
	}
	r.visitors = append(r.visitors, r.idle[0])
	r.idle = r.idle[1:]
	r.everyoneVisits(name + ", back after a while")
}

// everyoneSaves has all who were away send a request that changes nothing. After that, no session
// of an old form is left.
func (r *rollout) everyoneSaves() {
	r.Helper()
	r.store = r.instances[0]
	for _, v := range r.idle {
		if _, err := v.with(func(s *sessions.Session) {
			if s.IsNew {
				r.Errorf("%s is logged out", v.name)
			}
		}); err != nil {
			r.Errorf("%s: Save: %v", v.name, err)
		}
	}
	// The active visitors saved theirs anyway. Those of visitors who are no longer followed are
	// deleted.
	known := make(map[string]bool)
	for _, v := range slices.Concat(r.visitors, r.idle) {
		session, err := v.load()
		if err != nil {
			r.Errorf("%s: Get: %v", v.name, err)
		}
		known[r.store.Key(session)] = true
	}
	for _, item := range r.backend.Items(r.T) {
		if key := attrText(item["id"])[len("S:"):]; !known[key] {
			r.backend.Delete(r.T, r.key(item))
		}
	}
}

// codecs returns the codec attributes of all items.
func (r *rollout) codecs() []string {
	var codecs []string
	for _, item := range r.backend.Items(r.T) {
		codecs = append(codecs, attrText(item["codec"]))
	}
	slices.Sort(codecs)
	return slices.Compact(codecs)
}

// wantCodecs asserts what the codec attribute of every item is.
func (r *rollout) wantCodecs(want string) {
	r.Helper()
	if got := r.codecs(); !slices.Equal(got, []string{"S:" + want}) {
		r.Errorf("the items have the codecs %q, want only %q", got, want)
	}
}

func encryptedBy(keys ...[]byte) setting {
	return setting{cfg: dynamostore.Config{EncryptionKeys: keys}}
}

// To change an encryption key: append it everywhere, move it to the front, and drop the old one
// when all sessions were saved since.
func TestRecipeEncryptionKey(t *testing.T) {
	t.Parallel()
	for _, mode := range []dynamostore.Concurrency{dynamostore.Merge, dynamostore.Lock} {
		t.Run(modes[mode].name, func(t *testing.T) {
			in := func(keys ...[]byte) setting {
				s := encryptedBy(keys...)
				s.cfg.Concurrency = mode
				return s
			}
			r := newRollout(t, in(itemKeyA))
			r.stage("appended", in(itemKeyA, itemKeyB))
			r.stage("at the front", in(itemKeyB, itemKeyA))
			r.everyoneSaves()
			r.stage("the old one dropped", in(itemKeyB))
			// The old key opens nothing any more.
			r.store = r.storeWith(in(itemKeyA))
			for _, v := range slices.Concat(r.visitors, r.idle) {
				_, err := v.load()
				wantError(t, err, dynamostore.ErrUndecodable)
			}
		})
	}
}

// An unchanged Save writes an item of an old form once, and then no more.
func TestOldFormsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *dynamostore.Config) { c.EncryptionKeys = [][]byte{itemKeyA} })
	b := a.browser()
	b.set("user", "ann")
	cfg := a.cfg
	cfg.EncryptionKeys = [][]byte{itemKeyB, itemKeyA}
	a.store = a.open(cfg, keyA)
	b.values()
	a.backend.Counts()
	for i := range 3 {
		if _, err := b.with(func(*sessions.Session) {}); err != nil {
			t.Errorf("Save: %v", err)
		}
		if i == 0 {
			a.wantSent("GetItem", "UpdateItem")
		} else {
			a.wantSent("GetItem")
		}
	}
}

// To begin to encrypt: an instance without the key cannot read what one with the key wrote, so all
// are switched at once. Nobody is logged out.
func TestRecipeBeginToEncrypt(t *testing.T) {
	t.Parallel()
	migrating := encryptedBy(itemKeyA)
	migrating.cfg.ReadPlaintext = true
	r := newRollout(t, setting{})
	r.wantCodecs("gob+zstd")
	for i := range r.instances { // with no request in between
		r.instances[i] = r.storeWith(migrating)
	}
	r.everyoneVisits("switched")
	r.visitors = append(r.visitors, r.logIn(1), r.idle[0])
	r.idle = r.idle[1:]
	r.everyoneVisits("switched, and some came back")
	if got := r.codecs(); !slices.Equal(got, []string{"S:gob+zstd", "S:gob+zstd+aes256gcm"}) {
		t.Errorf("while some have not come back, the codecs are %q", got)
	}
	r.everyoneSaves()
	r.wantCodecs("gob+zstd+aes256gcm")
	r.stage("plaintext refused", encryptedBy(itemKeyA))
}

// docs/security.md warns of this: an instance without the key takes the visitors of one that has it
// for new ones.
func TestInstanceWithoutTheKey(t *testing.T) {
	t.Parallel()
	migrating := encryptedBy(itemKeyA)
	migrating.cfg.ReadPlaintext = true
	r := newRollout(t, setting{})
	r.instances[0] = r.storeWith(migrating)
	v, other := r.visitors[0], r.idle[0]
	r.visits(v, 0, "with the key")
	encrypted := v.tab()

	// An instance with the key reads what one without it wrote.
	r.visits(other, 1, "without the key")
	r.visits(other, 0, "with the key")

	r.store = r.instances[1]
	session, err := v.load()
	wantError(t, err, dynamostore.ErrUndecodable)
	if err == nil || !strings.Contains(err.Error(), "there are no Config.EncryptionKeys") || !session.IsNew {
		t.Errorf("Get = %+v, %v, want a new session and an error that says why", session, err)
	}
	// A handler there that ignores the error replaces the cookie. The session itself is left alone.
	v.visit(func(w http.ResponseWriter, req *http.Request) {
		session, _ := r.store.Get(req, cookieName)
		session.Values["seen"] = true
		if err := session.Save(req, w); err != nil {
			t.Errorf("Save: %v", err)
		}
	})
	if session, err := v.load(); err != nil || session.Values["user"] != nil {
		t.Errorf("the values are %v, %v, want those of somebody who is not logged in", session.Values, err)
	}
	r.store = r.instances[0]
	if session, err := encrypted.load(); err != nil || session.Values["user"] != v.name {
		t.Errorf("with the old cookie, Get = %v, %v, want %s", session.Values, err, v.name)
	}
}

// To change the codec: read the new one everywhere, then write it, and drop the old one when all
// sessions were saved.
func TestRecipeCodec(t *testing.T) {
	t.Parallel()
	gob, json := dynamostore.Codec(dynamostore.GobCodec{}), dynamostore.Codec(dynamostore.JSONCodec{})
	for _, test := range []struct {
		name     string
		from, to dynamostore.Codec
		keys     [][]byte
		suffix   string
	}{
		{"gob to JSON", gob, json, nil, "+zstd"},
		{"JSON to gob, encrypted", json, gob, [][]byte{itemKeyA}, "+zstd+aes256gcm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := func(codec dynamostore.Codec, further ...dynamostore.Codec) setting {
				return setting{cfg: dynamostore.Config{Codec: codec, ReadCodecs: further, EncryptionKeys: test.keys}}
			}
			r := newRollout(t, in(test.from))
			r.wantCodecs(test.from.Name() + test.suffix)
			r.stage("read", in(test.from, test.to))
			r.wantCodecs(test.from.Name() + test.suffix)
			r.stage("written", in(test.to, test.from))
			r.everyoneSaves()
			r.wantCodecs(test.to.Name() + test.suffix)
			r.stage("the old one dropped", in(test.to))
		})
	}
}

// Compression is turned on and off at any time, also on some instances alone. No session is written
// for that.
func TestRecipeCompression(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {itemKeyA}} {
		t.Run(fmt.Sprintf("%d encryption keys", len(keys)), func(t *testing.T) {
			on := setting{cfg: dynamostore.Config{EncryptionKeys: keys}}
			off := setting{cfg: dynamostore.Config{EncryptionKeys: keys, NoCompression: true}}
			suffix := ""
			if keys != nil {
				suffix = "+aes256gcm"
			}
			r := newRollout(t, on)
			r.wantCodecs("gob+zstd" + suffix)
			r.stage("off", off)
			r.backend.Counts()
			r.everyoneSaves()
			for op := range r.backend.Counts() {
				if op != "GetItem" {
					t.Errorf("an unchanged session in another form caused %s", op)
				}
			}
			if got := r.codecs(); !slices.Equal(got, []string{"S:gob" + suffix, "S:gob+zstd" + suffix}) {
				t.Errorf("codecs = %q, want both: that of sessions that changed since, and that of the others", got)
			}
			r.stage("on again", on)
		})
	}
}

// The type of the data attribute may change at any time: both are read.
func TestRecipeDataType(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {itemKeyA}} {
		t.Run(fmt.Sprintf("%d encryption keys", len(keys)), func(t *testing.T) {
			in := func(dataType dynamostore.DataType) setting {
				return setting{cfg: dynamostore.Config{EncryptionKeys: keys, DataType: dataType}}
			}
			r := newRollout(t, in(dynamostore.Binary))
			r.stage("text", in(dynamostore.String))
			r.everyoneSaves()
			for _, codec := range r.codecs() {
				if !strings.HasSuffix(codec, "+base64") {
					t.Errorf("after all sessions were saved, a codec is %s", codec)
				}
			}
			r.stage("binary", in(dynamostore.Binary))
			r.everyoneSaves()
			for _, codec := range r.codecs() {
				if strings.HasSuffix(codec, "+base64") {
					t.Errorf("after all sessions were saved, a codec is %s", codec)
				}
			}
		})
	}
}

// To change the cookies' keys: the new pair second everywhere, then first. The old pair is dropped
// after the longest lifetime of a session.
func TestRecipeCookieKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		old, new [][]byte
	}{
		{"signed", [][]byte{keyA, nil}, [][]byte{keyB, nil}},
		{"encrypted from now on", [][]byte{keyA, nil}, [][]byte{keyB, keyB[:24]}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := func(pairs ...[][]byte) setting { return setting{keys: slices.Concat(pairs...)} }
			begin := time.Now()
			r := newRollout(t, in(test.old))
			r.stage("second", in(test.old, test.new))
			r.stage("first", in(test.new, test.old))

			// The next Save signs the cookie anew, and writes no item for that.
			r.store = r.instances[0]
			back := r.idle[0]
			before := back.cookie()
			r.backend.Counts()
			for i := range 2 {
				cookies, err := back.with(func(s *sessions.Session) {
					if s.Values["user"] != back.name {
						t.Errorf("%s is logged out", back.name)
					}
				})
				if err != nil || (len(cookies) == 1) != (i == 0) || back.cookie() == before {
					t.Errorf("Save %d = %v, and the cookies %v, want one from the first only", i, err, cookies)
				}
				if i == 0 {
					r.wantSent("GetItem", "GetItem") // the second makes sure that the session is still there
				} else {
					r.wantSent("GetItem")
				}
			}
			// A visitor who only loads the session keeps the old cookie, as does one who is away.
			r.idle[1].values()
			away := slices.Clone(r.idle[1:])
			r.idle = r.idle[:1]

			// After the longest lifetime of a session, those have ended.
			for _, v := range away {
				session, err := v.load()
				if err != nil || session.IsNew {
					t.Fatalf("%s: %v", v.name, err)
				}
				for _, item := range r.backend.Items(t) {
					if attrText(item["id"]) == "S:"+session.ID {
						wantTime(t, "the end of a session that was not saved since", attrNumber(t, item, "expires"), begin, 30*24*time.Hour)
						item["expires"] = dynamotest.N(secondsFromNow(-time.Second))
						r.backend.Put(t, item)
					}
				}
				if session, err := v.load(); err != nil || !session.IsNew {
					t.Errorf("%s = %+v, %v, want it to have ended", v.name, session, err)
				}
			}
			r.idle = append(r.idle, r.logIn(0))
			r.stage("the old one dropped", in(test.new))
			r.store = r.instances[0]
			_, err := away[0].load()
			if _, ok := err.(securecookie.Error); !ok {
				t.Errorf("a cookie of the old key: %v, want securecookie's error", err)
			}
		})
	}
}

// Each step of a recipe is needed: this goes wrong without the first.
func TestRecipesOutOfOrder(t *testing.T) {
	t.Parallel()
	json, gob := dynamostore.JSONCodec{}, dynamostore.GobCodec{}
	for _, test := range []struct {
		name       string
		old, hasty setting
		want       func(error) bool
	}{
		{"encryption key", encryptedBy(itemKeyA), encryptedBy(itemKeyB, itemKeyA), isUndecodable},
		{"codec", setting{}, setting{cfg: dynamostore.Config{Codec: json, ReadCodecs: []dynamostore.Codec{gob}}}, isUndecodable},
		{"cookie keys", setting{keys: [][]byte{keyA}}, setting{keys: [][]byte{keyB, nil, keyA}}, func(err error) bool {
			_, ok := err.(securecookie.Error)
			return ok
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRollout(t, test.old)
			r.instances[0] = r.storeWith(test.hasty)
			r.visits(r.visitors[0], 0, "hasty")
			r.store = r.instances[1]
			if _, err := r.visitors[0].load(); !test.want(err) {
				t.Errorf("Get = %v at an instance that was to be prepared first", err)
			}
		})
	}
}

func isUndecodable(err error) bool { return errors.Is(err, dynamostore.ErrUndecodable) }
