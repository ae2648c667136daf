package history

import (
	"errors"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// calls is a history that a test makes up, of one session. The calls are made to nobody: the test
// says what they return.
type calls struct {
	*testing.T
	*facts
	visits int
	id     string // under which requests load the session
	birth  string // of the session, as it is loaded
}

func newCalls(t *testing.T, mode dynamostore.Concurrency) *calls {
	w := &world{
		plan:    &plan{setup: setup{mode: mode, users: true, maxAge: 1000, timeout: time.Second, weather: weather{rate: 1}}},
		backend: backend{pace: 1}, begin: time.Now(), journal: &journal{begin: time.Now()}, figures: &figures{},
		codecs: securecookie.CodecsFromPairs(cookieKey),
	}
	w.facts = newFacts(w)
	for _, id := range []string{"first", "second"} {
		w.facts.ids[id] = &identity{id: id, key: id}
	}
	return &calls{T: t, facts: w.facts, id: "first", birth: "birth"}
}

// load has a request load the session, or none if the values are nil.
func (c *calls) load(values map[any]any) *handle {
	c.visits++
	v := &visit{
		world: c.world, step: &step{id: c.visits}, instance: &instance{down: make(chan struct{})},
		r: httptest.NewRequest("GET", "/", nil), w: httptest.NewRecorder(),
	}
	session := sessions.NewSession(nil, sessionName)
	session.Options = &sessions.Options{MaxAge: 1000}
	session.IsNew = values == nil
	if values != nil {
		session.ID = c.id
		session.Values = copyValues(values)
		if c.birth != "" {
			session.Values[birthKey] = c.birth
		}
	}
	l := &loading{visit: v, cookie: session.ID}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.span = c.begin()
	c.end(&l.span)
	h := newHandle(l, session, nil)
	if values != nil {
		h.lineage = c.ids[c.id].lineage
	}
	return h
}

// create has a request start the session.
func (c *calls) create(values map[any]any) {
	h := c.load(nil)
	h.session.Values = copyValues(values)
	h.session.Values[birthKey] = "birth"
	for _, e := range parse(h.session).elements() {
		h.own[e] = true
	}
	w := c.beginWrite(h, writeSession)
	h.session.ID = "first"
	c.setCookie(h, "first")
	c.endWrite(w, outcome{answers: 1})
}

// createFork has a request start the session as one that a rotation began: it has no birth.
func (c *calls) createFork(values map[any]any) {
	c.create(values)
	c.ids["first"].lineage.forked, c.birth = true, ""
}

// loadMoved has a request load nothing, long after its session was given another ID.
func (c *calls) loadMoved() *handle {
	h := c.load(nil)
	h.loading.cookie, h.loading.beginAt = "first", h.loading.beginAt.Add(time.Hour)
	return h
}

// lock has a request load the session, so that it has the lock for a moment.
func (c *calls) lock(faulty bool) {
	l := c.load(values("")).loading
	l.visit.faulty.Store(faulty)
	c.ids["first"].lineage.loads = append(c.ids["first"].lineage.loads, l)
}

// add and remove change the shared list, set a key.
func (h *handle) add(e string) {
	h.own[e] = true
	list, _ := h.session.Values[listKey].([]any)
	h.session.Values[listKey] = append(slices.Clone(list), e)
}

func (h *handle) takeOut(e string) {
	h.remove(e)
	h.session.Values[listKey] = without[any](h.session.Values[listKey], e, false)
}

func (h *handle) put(value string) { h.session.Values["color"] = value }

// save has the request save the session, and be told that.
func (c *calls) save(h *handle, told error) {
	c.endWrite(c.beginWrite(h, writeSession), outcome{err: told, answers: 1})
}

// rotate has the request give the session another ID, and be told that.
func (c *calls) rotate(h *handle, told error) {
	c.endRotation(c.beginWrite(h, writeRotation), told)
}

func (c *calls) endRotation(w *write, told error) {
	if told == nil {
		w.by.session.ID = "second"
		c.setCookie(w.by, "second")
	}
	c.endWrite(w, outcome{err: told, answers: 1})
}

func (c *calls) setCookie(h *handle, id string) {
	value, err := securecookie.EncodeMulti(sessionName, id, c.world.codecs...)
	if err != nil {
		c.Fatal(err)
	}
	h.visit.w.Header().Set("Set-Cookie", sessionName+"="+value)
}

func (c *calls) logout(h *handle, told error) {
	h.prepare(writeEnd)
	c.endWrite(c.beginWrite(h, writeEnd), outcome{err: told, answers: 1})
}

// find has a later load find the session.
func (c *calls) find(values map[any]any) {
	h := c.load(values)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkFound(c.ids[c.id], h)
}

// findNothing has a later load find none.
func (c *calls) findNothing() {
	h := c.load(map[any]any{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkNothing(c.ids["first"], h.loading)
}

func values(color string, list ...any) map[any]any {
	v := map[any]any{listKey: list}
	if color != "" {
		v["color"] = color
	}
	return v
}

var errNoReply = errors.New("no answer came")

func TestRules(t *testing.T) {
	const merge, refuse, overwrite = dynamostore.Merge, dynamostore.Refuse, dynamostore.Overwrite
	for _, tt := range []struct {
		name string
		mode dynamostore.Concurrency
		make func(*calls)
		want []Kind
	}{
		{"what was acknowledged is there", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.add("a")
			c.save(h, nil)
			c.find(values("", "a"))
		}, nil},
		{"what was acknowledged is not there", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.add("a")
			c.save(h, nil)
			c.find(values(""))
		}, []Kind{Lost}},
		{"a maybe is there", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.add("a")
			c.save(h, errNoReply)
			c.find(values("", "a"))
		}, nil},
		{"a maybe is not there", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.add("a")
			c.save(h, errNoReply)
			c.find(values(""))
		}, nil},
		{"what was refused is there", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.add("a")
			c.save(c.load(values("")), nil)
			c.save(h, dynamostore.ErrNotLoaded)
			c.find(values("", "a"))
		}, []Kind{WrongError, Phantom}},
		{"what was refused at the second try is there from the first", merge, func(c *calls) {
			c.create(values(""))
			h, other := c.load(values("")), c.load(values(""))
			h.add("a")
			c.save(h, errNoReply)
			other.session.Values[userKey] = "ann"
			c.save(other, nil)
			c.save(h, dynamostore.ErrConflict)
			c.find(map[any]any{listKey: []any{"a"}, userKey: "ann"})
		}, nil},
		{"an element twice", merge, func(c *calls) {
			c.create(values("", "a"))
			c.find(values("", "a", "a"))
		}, []Kind{Twice}},
		{"a removed element is back", merge, func(c *calls) {
			c.create(values("", "a"))
			h := c.load(values("", "a"))
			h.takeOut("a")
			c.save(h, nil)
			c.find(values("", "a"))
		}, []Kind{Back}},
		{"a removal that is a maybe", merge, func(c *calls) {
			c.create(values("", "a"))
			h := c.load(values("", "a"))
			h.takeOut("a")
			c.save(h, errNoReply)
			c.find(values("", "a"))
			c.find(values(""))
		}, nil},
		{"an addition taken back", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.add("a")
			c.save(h, errNoReply)
			h.undo()
			c.save(h, nil)
			c.find(values("", "a"))
		}, []Kind{Back}},
		{"a removal taken back", merge, func(c *calls) {
			c.create(values("", "a"))
			h := c.load(values("", "a"))
			h.takeOut("a")
			c.save(h, errNoReply)
			h.undo()
			c.save(h, nil)
			c.find(values(""))
		}, []Kind{Lost}},
		{"an element that two handlers took out and added again", merge, func(c *calls) {
			c.create(values("", "a"))
			x, y := c.load(values("", "a")), c.load(values("", "a"))
			for _, h := range []*handle{x, y} {
				h.takeOut("a")
				c.save(h, errNoReply)
				h.undo()
			}
			c.save(x, nil)
			c.find(values("", "a", "a"))
			c.save(y, nil)
			c.find(values("", "a", "a"))
			c.find(values("", "a", "a", "a"))
		}, []Kind{Twice, Twice}}, // after the first Save, and three times
		{"an older value", merge, func(c *calls) {
			c.create(values("v1"))
			h := c.load(values("v1"))
			h.put("v2")
			c.save(h, nil)
			c.find(values("v1"))
		}, []Kind{Lost}},
		{"either of two values that were written at once", merge, func(c *calls) {
			c.create(values("v1"))
			a, b := c.load(values("v1")), c.load(values("v1"))
			a.put("v2")
			b.put("v3")
			first, second := c.beginWrite(a, writeSession), c.beginWrite(b, writeSession)
			c.endWrite(first, outcome{})
			c.endWrite(second, outcome{})
			c.find(values("v2"))
			c.find(values("v3"))
		}, nil},
		{"a maybe that arrives after a later write", merge, func(c *calls) {
			c.create(values("v1"))
			a, b := c.load(values("v1")), c.load(values("v1"))
			a.put("v2")
			c.save(a, errNoReply)
			b.put("v3")
			c.save(b, nil)
			c.find(values("v2"))
		}, []Kind{Lost}},
		{"a value that another request replaced between two tries", merge, func(c *calls) {
			c.create(values("v1"))
			a := c.load(values("v1"))
			a.put("v2")
			c.save(a, errNoReply)
			b := c.load(values("v2"))
			b.put("v3")
			c.save(b, nil)
			c.save(a, nil)
			c.find(values("v3"))
		}, nil},
		{"a value taken back", merge, func(c *calls) {
			c.create(values("v1"))
			h := c.load(values("v1"))
			h.put("v2")
			c.save(h, errNoReply)
			h.put("v1")
			c.save(h, nil)
			c.find(values("v2"))
		}, []Kind{TakenBack}},
		{"a value that nobody wrote", merge, func(c *calls) {
			c.create(values("v1"))
			c.find(values("v9"))
		}, []Kind{Mixed}},
		{"an acknowledged Save overwritten by one at the same time", overwrite, func(c *calls) {
			c.create(values("v1", "a"))
			x, y := c.load(values("v1", "a")), c.load(values("v1", "a"))
			x.put("v2")
			y.add("b")
			first, second := c.beginWrite(x, writeSession), c.beginWrite(y, writeSession)
			c.endWrite(first, outcome{})
			c.endWrite(second, outcome{})
			c.find(values("v1", "a", "b"))
			c.find(values("v2", "a"))
		}, nil},
		{"an acknowledged Save overwritten by an older one", overwrite, func(c *calls) {
			c.create(values("v1"))
			x, y := c.load(values("v1")), c.load(values("v1"))
			x.put("v2")
			c.save(x, errNoReply)
			y.put("v3")
			c.save(y, nil)
			c.find(values("v2"))
		}, []Kind{Overwritten}},
		{"a mixture in Overwrite", overwrite, func(c *calls) {
			c.create(values("v1"))
			x, y := c.load(values("v1")), c.load(values("v1"))
			x.put("v2")
			c.save(x, nil)
			y.add("b")
			c.save(y, nil)
			c.find(values("v2", "b"))
		}, []Kind{Mixed}},
		{"a counter", refuse, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			h.session.Values[counterKey] = 1
			h.counted++
			c.save(h, nil)
			other := c.load(map[any]any{listKey: []any{}, counterKey: 1})
			other.session.Values[counterKey] = 2
			other.counted++
			c.save(other, errNoReply)
			for n := range 4 {
				c.find(map[any]any{listKey: []any{}, counterKey: n})
			}
		}, []Kind{Miscounted, Miscounted}}, // 0 and 3
		{"a value for a user who was taken out", merge, func(c *calls) {
			c.create(map[any]any{userKey: "ann"})
			a, b := c.load(map[any]any{userKey: "ann"}), c.load(map[any]any{userKey: "ann"})
			delete(b.session.Values, userKey)
			c.save(b, nil)
			a.add("a")
			c.save(a, nil)
			c.find(map[any]any{listKey: []any{"a"}})
		}, []Kind{Leaked}},
		{"a value for a user who was being taken out", merge, func(c *calls) {
			c.create(map[any]any{userKey: "ann"})
			a, b := c.load(map[any]any{userKey: "ann"}), c.load(map[any]any{userKey: "ann"})
			delete(b.session.Values, userKey)
			a.add("a")
			first, second := c.beginWrite(a, writeSession), c.beginWrite(b, writeSession)
			c.endWrite(first, outcome{})
			c.endWrite(second, outcome{})
			c.find(map[any]any{listKey: []any{"a"}})
		}, nil},
		{"a session that was logged out", merge, func(c *calls) {
			c.create(values(""))
			c.logout(c.load(values("")), nil)
			c.findNothing()
			c.find(values(""))
		}, []Kind{Revived, Revived}}, // after the logout, and after nothing was found
		{"a session whose logout failed", merge, func(c *calls) {
			c.create(values(""))
			c.logout(c.load(values("")), errNoReply)
			c.find(values(""))
			c.findNothing()
		}, nil},
		{"a session that nobody ended", merge, func(c *calls) {
			c.create(values(""))
			c.findNothing()
		}, []Kind{SessionLost}},
		{"a session that was given another ID", merge, func(c *calls) {
			c.create(values(""))
			c.rotate(c.load(values("")), nil)
			c.findNothing()
		}, nil},
		{"a session that was given another ID, under the old one", merge, func(c *calls) {
			c.create(values(""))
			c.rotate(c.load(values("")), nil)
			c.find(values(""))
		}, []Kind{Revived}},
		{"a session that was given another ID twice", merge, func(c *calls) {
			c.create(values(""))
			a, b := c.load(values("")), c.load(values(""))
			c.rotate(a, nil)
			c.rotate(b, nil)
		}, []Kind{Forked}},
		{"a rotation that failed", merge, func(c *calls) {
			c.create(values(""))
			c.rotate(c.load(values("")), errNoReply)
			c.find(values(""))
			c.findNothing()
		}, nil},
		{"a rotation that failed, and a Save under the old ID", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			c.rotate(h, errNoReply)
			c.save(h, nil)
			c.findNothing()
		}, []Kind{SessionLost}},
		{"a rotation that failed, and a change by another request", merge, func(c *calls) {
			c.create(values(""))
			a := c.load(values(""))
			c.rotate(a, errNoReply)
			b := c.load(values(""))
			b.put("v1")
			c.save(b, nil)
			c.findNothing()
		}, []Kind{SessionLost}},
		{"ErrGone for its own rotation", merge, func(c *calls) {
			c.create(values(""))
			h := c.load(values(""))
			c.rotate(h, errNoReply)
			c.save(h, dynamostore.ErrGone)
		}, []Kind{GoneAlone}},
		{"a login refused", merge, func(c *calls) {
			h := c.load(nil)
			c.rotate(h, dynamostore.ErrGone)
		}, []Kind{LoginRefused}},
		{"a conflict with another request", refuse, func(c *calls) {
			c.create(values("v1"))
			a, b := c.load(values("v1")), c.load(values("v1"))
			a.put("v2")
			c.save(a, nil)
			b.put("v3")
			c.save(b, dynamostore.ErrConflict)
		}, nil},
		{"a conflict with one that failed long ago, but may have arrived now", refuse, func(c *calls) {
			c.create(values("v1"))
			a := c.load(values("v1"))
			a.put("v2")
			c.save(a, errNoReply)
			b := c.load(values("v1"))
			b.put("v3")
			c.save(b, dynamostore.ErrConflict)
		}, nil},
		{"a conflict with a request that was over", refuse, func(c *calls) {
			c.create(values("v1"))
			a := c.load(values("v1"))
			a.put("v2")
			c.save(a, nil)
			b := c.load(values("v2"))
			b.put("v3")
			c.save(b, dynamostore.ErrConflict)
		}, []Kind{ConflictAlone}},
		{"a conflict with itself", refuse, func(c *calls) {
			c.create(values("v1"))
			a := c.load(values("v1"))
			a.put("v2")
			c.save(a, errNoReply)
			c.save(a, dynamostore.ErrConflict)
		}, []Kind{ConflictAlone}},
		{"a lock lost to a load whose message may arrive again", dynamostore.Lock, func(c *calls) {
			c.create(values(""))
			c.lock(true)
			c.save(c.load(values("")), dynamostore.ErrLockLost)
		}, nil},
		{"a lock lost to a load that was over", dynamostore.Lock, func(c *calls) {
			c.create(values(""))
			c.lock(false)
			c.save(c.load(values("")), dynamostore.ErrLockLost)
		}, []Kind{ConflictAlone}},
		{"a conflict in Merge", merge, func(c *calls) {
			c.create(values("v1"))
			a, b := c.load(values("v1")), c.load(values("v1"))
			a.put("v2")
			c.save(a, nil)
			b.put("v3")
			c.save(b, dynamostore.ErrConflict)
		}, []Kind{ConflictAlone}},
		{"ErrGone after a logout", merge, func(c *calls) {
			c.create(values("v1"))
			a, b := c.load(values("v1")), c.load(values("v1"))
			c.logout(a, errNoReply)
			b.put("v2")
			c.save(b, dynamostore.ErrGone)
		}, nil},
		{"ErrGone after its own logout of what it may have created", merge, func(c *calls) {
			c.create(values(""))
			c.rotate(c.load(values("")), nil)
			h := c.loadMoved()
			c.save(h, errNoReply)
			c.logout(h, dynamostore.ErrGone)
			c.save(h, dynamostore.ErrGone)
		}, nil},
		{"ErrGone for what it may have created", merge, func(c *calls) {
			c.create(values(""))
			c.rotate(c.load(values("")), nil)
			h := c.loadMoved()
			c.save(h, errNoReply)
			c.save(h, dynamostore.ErrGone)
		}, []Kind{GoneAlone}},
		{"a stale read of what a move in two steps left where its request then forked", refuse, func(c *calls) {
			c.world.plan.setup.noTransactions, c.world.plan.setup.eventual = true, true
			c.create(values("v1"))
			a, b := c.load(values("v1")), c.load(values("v1"))
			c.rotate(b, errNoReply)
			a.session.Values[userKey] = "ann"
			w := c.beginWrite(a, writeRotation)
			a.session.Values = map[any]any{userKey: "ann"}
			c.endRotation(w, nil)
			c.id = "second"
			half := values("v1")
			half[userKey] = "ann"
			c.find(half)
		}, []Kind{Mixed}},
		{"a rotation that moved a forked session, or forked it again", overwrite, func(c *calls) {
			c.createFork(map[any]any{userKey: "ann"})
			a, b := c.load(map[any]any{userKey: "ann"}), c.load(map[any]any{userKey: "ann"})
			a.session.Values[userKey] = "bob"
			first, second := c.beginWrite(a, writeRotation), c.beginWrite(b, writeRotation)
			c.endRotation(first, nil)
			c.endRotation(second, dynamostore.ErrGone)
			c.findNothing()
		}, nil},
		{"a rotation that forked a forked session again", overwrite, func(c *calls) {
			c.createFork(map[any]any{userKey: "ann", "color": "v1"})
			a, b := c.load(map[any]any{userKey: "ann", "color": "v1"}), c.load(map[any]any{userKey: "ann", "color": "v1"})
			a.session.Values[userKey] = "bob"
			first, second := c.beginWrite(a, writeRotation), c.beginWrite(b, writeRotation)
			delete(a.session.Values, "color")
			c.endRotation(first, nil)
			c.endRotation(second, dynamostore.ErrGone)
			c.findNothing()
		}, []Kind{GoneAlone, SessionLost}},
		{"ErrGone for nothing", merge, func(c *calls) {
			c.create(values("v1"))
			a := c.load(values("v1"))
			a.put("v2")
			c.save(a, dynamostore.ErrGone)
		}, []Kind{GoneAlone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalls(t, tt.mode)
			tt.make(c)
			var got []Kind
			for _, v := range c.violations() {
				got = append(got, v.Kind)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q\n%s", got, tt.want, c.world.journal)
			}
		})
	}
}
