package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/sessions"

	"example.com/dynamostore"
)

// visit is a request to the application while its handler runs, or a run of an administrator's
// program.
type visit struct {
	world    *world
	step     *step
	copy     int
	browser  *browser // nil: an administrator
	instance *instance
	ctx      context.Context
	r        *http.Request              // nil: an administrator
	w        *httptest.ResponseRecorder // likewise

	handle *handle // the session that it loaded
	loads  []*loading
	err    error // of the last write
	over   bool  // the handler returns

	answered atomic.Int64 // DynamoDB's answers so far
	left     atomic.Bool  // the browser has disconnected
	faulty   atomic.Bool  // a message of it met a fault
	deadline time.Time    // of the request's context; zero: none

	mu       sync.Mutex
	op       int // that is under way
	messages int // that it has sent
}

// crashed is what a handler panics with when its process has ended.
type crashed struct{}

func newVisit(w *world, s *step, copy int) *visit {
	return &visit{world: w, step: s, copy: copy, instance: w.instance(s.instance)}
}

func (v *visit) String() string {
	name := fmt.Sprintf("request %d", v.step.id)
	if v.copy > 0 {
		name += string(rune('a' + v.copy))
	}
	return name
}

// afterHandler is the op of what the Store sends when the handler has returned.
const afterHandler = -1

// nextMessage says where in the visit a message to DynamoDB was sent.
func (v *visit) nextMessage() faultSite {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.messages++
	return faultSite{v.step.id, v.copy, v.op, v.messages}
}

func (v *visit) enter(op int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.op, v.messages = op, 0
}

// serve runs the handler. It reports whether there is a response.
func (v *visit) serve() (responded bool) {
	w := v.world
	defer func() {
		switch p := recover().(type) {
		case nil, crashed:
		default:
			w.facts.report(Panic, "%s: %v\n%s", v, p, debug.Stack())
		}
		v.enter(afterHandler)
		w.facts.release(v)
	}()
	w.figures.visit()
	w.journal.add("%s of %s to instance %d: %s", v, v.sender(), v.instance.number, v.step.name)
	for _, o := range v.step.ops {
		if v.over || o.when == onError && v.err == nil {
			continue
		}
		v.enter(o.id)
		o.what.do(v, rand.New(rand.NewPCG(o.dice, uint64(v.copy))))
		v.abortIfDown()
	}
	w.facts.checkResponse(v)
	return true
}

func (v *visit) sender() string {
	if v.browser == nil {
		return "an administrator"
	}
	return fmt.Sprintf("browser %d, tab %d", v.browser.number, v.step.tab)
}

func (v *visit) down() bool {
	select {
	case <-v.instance.down:
		return true
	default:
		return false
	}
}

func (v *visit) abortIfDown() {
	if v.down() {
		panic(crashed{})
	}
}

func (v *visit) pause(d time.Duration) {
	timer := time.NewTimer(v.world.scaled(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.instance.down:
	}
}

// cancelled notes that the request's context ends before its handler does.
func (v *visit) cancelled() {
	v.left.Store(true)
	v.world.facts.release(v)
}

// Loading.

func (v *visit) load(dice *rand.Rand) {
	var err error
	v.handle, err = v.get(v.instance.store.Get, false)
	if err != nil && dice.IntN(3) > 0 {
		v.over = true // the others ignore the error
	}
}

// loadAgain loads the session once more, into another object.
func (v *visit) loadAgain(*rand.Rand) { v.get(v.instance.store.New, false) }

// peek reads the session, and may then try to save it in vain.
func (v *visit) peek(dice *rand.Rand) {
	h, _ := v.get(v.instance.store.Peek, true)
	if dice.IntN(2) == 0 {
		return
	}
	cookies := slices.Clone(v.w.Header()["Set-Cookie"])
	h.session.Values["color"] = "peeked"
	if err := h.session.Save(v.r, v.w); !errors.Is(err, dynamostore.ErrReadOnly) {
		v.world.facts.report(WrongError, "%s: Save of a session from Peek: %v", v, err)
	}
	if !slices.Equal(cookies, v.w.Header()["Set-Cookie"]) {
		v.world.facts.report(WrongCookie, "%s: Save of a session from Peek set a cookie", v)
	}
}

func (v *visit) get(get func(*http.Request, string) (*sessions.Session, error), peeks bool) (*handle, error) {
	f := v.world.facts
	l := f.beginLoad(v, peeks)
	session, err := get(v.r, sessionName)
	h := f.endLoad(l, session, err)
	v.abortIfDown()
	return h, err
}

// Changing.

// usable reports whether there is a session to change.
func (v *visit) usable() bool { return v.handle != nil && !v.handle.ended }

func (v *visit) addElement(dice *rand.Rand) {
	if !v.usable() {
		return
	}
	e := v.handle.newElement("e")
	values := v.handle.session.Values
	if inPlace := dice.IntN(2) == 0; !inPlace {
		switch list := values[listKey].(type) {
		case []any:
			values[listKey] = slices.Clone(list)
		case []string:
			values[listKey] = slices.Clone(list)
		}
	}
	v.addTo(values, e)
}

// addTo appends an element to the list in values, which need not be there.
func (v *visit) addTo(values map[any]any, e string) {
	if v.world.plan.setup.typed {
		list, _ := values[listKey].([]string)
		values[listKey] = append(list, e)
		return
	}
	list, _ := values[listKey].([]any)
	values[listKey] = append(list, e)
}

func (v *visit) removeElement(dice *rand.Rand) {
	if !v.usable() {
		return
	}
	h := v.handle
	list := parse(h.session).list
	if len(list) == 0 {
		return
	}
	e, inPlace, deletes := pick(dice, list...), dice.IntN(2) == 0, dice.IntN(2) == 0
	h.remove(e)
	switch {
	case len(list) == 1 && deletes:
		delete(h.session.Values, listKey)
	case v.world.plan.setup.typed:
		h.session.Values[listKey] = without[string](h.session.Values[listKey], e, inPlace)
	default:
		h.session.Values[listKey] = without[any](h.session.Values[listKey], e, inPlace)
	}
}

// without returns a list without an element. In place, it changes the old one.
func without[T comparable](value any, e T, inPlace bool) []T {
	list, _ := value.([]T)
	if !inPlace {
		list = slices.Clone(list)
	}
	return slices.DeleteFunc(list, func(x T) bool { return x == e })
}

func (v *visit) addFlash(*rand.Rand) {
	if v.usable() {
		v.handle.session.AddFlash(v.handle.newElement("f"))
	}
}

func (v *visit) consumeFlashes(*rand.Rand) {
	if !v.usable() {
		return
	}
	for _, flash := range v.handle.session.Flashes() {
		if e, ok := flash.(string); ok {
			v.handle.remove(e)
		}
	}
}

func (v *visit) setKey(dice *rand.Rand) {
	if v.usable() {
		v.handle.session.Values[pick(dice, valueKeys...)] = v.world.facts.newName("v")
	}
}

func (v *visit) deleteKey(dice *rand.Rand) {
	if v.usable() {
		delete(v.handle.session.Values, pick(dice, valueKeys...))
	}
}

func (v *visit) setMaxAge(*rand.Rand) {
	if v.usable() {
		v.handle.session.Options.MaxAge = v.world.facts.newMaxAge()
	}
}

func (v *visit) count(*rand.Rand) {
	if v.usable() {
		n, _ := v.handle.session.Values[counterKey].(int)
		v.handle.session.Values[counterKey] = n + 1
		v.handle.counted++
	}
}

// grow stores more than the Store takes.
func (v *visit) grow(*rand.Rand) {
	if v.usable() {
		v.handle.session.Values[bigKey] = strings.Repeat("x", maxLength)
	}
}

func (v *visit) shrink(*rand.Rand) {
	if v.usable() {
		delete(v.handle.session.Values, bigKey)
	}
}

// setUser makes the session one of a user's. What another user left is cleared before.
func (v *visit) setUser(dice *rand.Rand) {
	if !v.usable() {
		return
	}
	users := v.world.users
	user := pick(dice, users...)
	if dice.IntN(4) > 0 {
		user = users[v.browser.number%len(users)]
	}
	switch v.handle.session.Values[userKey] {
	case user:
		return
	case nil:
	default:
		v.clear(dice)
	}
	v.handle.session.Values[userKey] = user
}

// clear takes out everything, the user included.
func (v *visit) clear(*rand.Rand) {
	if !v.usable() {
		return
	}
	h := v.handle
	for _, e := range parse(h.session).elements() {
		h.remove(e)
	}
	birth := h.session.Values[birthKey]
	clear(h.session.Values)
	if birth != nil {
		h.session.Values[birthKey] = birth
	}
	h.counted = 0
	h.cleared = true
}

// undo takes back what is not saved.
func (v *visit) undo(*rand.Rand) {
	if v.usable() {
		v.handle.undo()
	}
}

// Writing.

func (v *visit) save(*rand.Rand) {
	kind := writeSession
	if h := v.handle; h != nil && !h.isNew && h.session.ID == "" {
		kind = writeRotation // renewID has failed, and left it so
	}
	v.write(kind, func() error { return v.handle.session.Save(v.r, v.w) })
}

func (v *visit) regenerate(*rand.Rand) {
	v.write(writeRotation, func() error { return v.instance.store.Regenerate(v.r, v.w, v.handle.session) })
}

// renewID has Save give the session a new ID. One that is not stored is just saved.
func (v *visit) renewID(dice *rand.Rand) {
	if !v.usable() || v.handle.isNew {
		v.save(dice)
		return
	}
	v.write(writeRotation, func() error {
		v.handle.session.ID = ""
		return v.handle.session.Save(v.r, v.w)
	})
}

func (v *visit) logout(*rand.Rand) {
	v.write(writeEnd, func() error { return v.handle.session.Save(v.r, v.w) })
}

// write calls what writes the session, and has the outcome noted.
func (v *visit) write(kind writeKind, call func() error) {
	if !v.usable() {
		return
	}
	end := v.beginWrite(kind)
	end(call())
	v.abortIfDown()
}

// beginWrite notes that the session is about to be written. What it returns notes the outcome.
func (v *visit) beginWrite(kind writeKind) (end func(error)) {
	v.handle.prepare(kind)
	w := v.world.facts.beginWrite(v.handle, kind)
	answered, cookies := v.answered.Load(), slices.Clone(v.w.Header()["Set-Cookie"])
	return func(err error) {
		v.world.facts.endWrite(w, outcome{
			err: err, crashed: v.down(), answers: int(v.answered.Load() - answered),
			setCookie: !slices.Equal(cookies, v.w.Header()["Set-Cookie"]),
		})
		v.err = err
	}
}

// autoSave is a handler that does not call Save, under AutoSave.
func (v *visit) autoSave(dice *rand.Rand) {
	var failure error
	end := func(err error) {
		if err != nil {
			v.world.facts.report(WrongError, "%s: AutoSave has nothing to save, and failed: %v", v, err)
		}
	}
	next := func(http.ResponseWriter, *http.Request) {
		v.load(dice)
		if v.over || v.handle.notLoaded {
			return
		}
		v.pause(upTo(dice, 50*time.Millisecond))
		v.abortIfDown()
		for range dice.IntN(3) {
			pick(dice, v.addElement, v.removeElement, v.consumeFlashes, v.setKey)(dice)
		}
		end = v.beginWrite(writeSession)
	}
	failed := func(_ http.ResponseWriter, _ *http.Request, err error) { failure = err }
	dynamostore.AutoSave(http.HandlerFunc(next), failed).ServeHTTP(v.w, v.r)
	end(failure)
	v.abortIfDown()
}

// cookies returns the session's cookies in the response.
func (v *visit) cookies() []*http.Cookie {
	return slices.DeleteFunc((&http.Response{Header: v.w.Header()}).Cookies(), func(c *http.Cookie) bool { return c.Name != sessionName })
}

// Ending sessions from outside.

func (v *visit) destroyOthers(*rand.Rand) {
	h := v.handle
	if !v.usable() || h.isNew || h.notLoaded {
		return
	}
	if user := parse(h.session).registers[userKey]; user != absent {
		v.endUser(user, h.session.ID)
	}
}

func (v *visit) destroyUser(dice *rand.Rand) { v.endUser(pick(dice, v.world.users...), "") }

// endUser ends a user's sessions, but that with the ID keep.
func (v *visit) endUser(user, keep string) {
	var keys []string
	if keep != "" {
		keys = append(keys, v.world.key(keep))
	}
	f := v.world.facts
	w := f.beginDestroyUser(v, user, keep)
	n, err := v.instance.store.DestroyUser(v.ctx, user, keys...)
	f.endDestroyUser(w, n, outcome{err: err, crashed: v.down()})
	v.abortIfDown()
}

// destroy ends a session.
func (v *visit) destroy(dice *rand.Rand) {
	f := v.world.facts
	if id, ok := v.seenID(dice); ok {
		w := f.beginDestroy(v, id)
		err := v.instance.store.Destroy(v.ctx, v.world.key(id))
		f.endWrite(w, outcome{err: err, crashed: v.down()})
		v.abortIfDown()
	}
}

// update updates a session.
func (v *visit) update(dice *rand.Rand) {
	if id, ok := v.seenID(dice); ok {
		v.world.facts.update(v, id, func(change func(map[any]any) error) error {
			return v.instance.store.Update(v.ctx, v.world.key(id), change)
		})
		v.abortIfDown()
	}
}

// updateUser updates the sessions of a user.
func (v *visit) updateUser(dice *rand.Rand) {
	user := pick(dice, v.world.users...)
	v.world.facts.updateUser(v, user, func(change func(map[any]any) error) (int, error) {
		return v.instance.store.UpdateUser(v.ctx, user, change)
	})
	v.abortIfDown()
}

// seenID returns the ID of a session that an administrator has seen, in a listing or before.
func (v *visit) seenID(dice *rand.Rand) (id string, ok bool) {
	ids := v.world.facts.seenIDs()
	if v.world.plan.setup.users && dice.IntN(2) == 0 {
		var keys []string
		for info, err := range v.instance.store.UserSessions(v.ctx, pick(dice, v.world.users...)) {
			if err != nil {
				break // the network's; what was listed before is good
			}
			keys = append(keys, info.Key)
		}
		v.abortIfDown()
		ids = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(keys, v.world.key(id)) })
	}
	if len(ids) == 0 {
		return "", false
	}
	return ids[len(ids)-1-dice.IntN(min(len(ids), 4))], true // rather a new one
}

// administer runs an administrator's step.
func (w *world) administer(ctx context.Context, s *step) {
	v := newVisit(w, s, 0)
	ctx, end := context.WithCancel(ctx)
	v.ctx = context.WithValue(ctx, visitKey{}, v)
	w.requests.Go(func() {
		defer end()
		v.serve()
	})
}
