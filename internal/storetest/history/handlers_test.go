package history

import (
	"math/rand/v2"
	"time"

	"example.com/dynamostore"
)

// op is one thing that a handler does.
type op struct {
	id   int // in its step; it stays when others are taken out
	what *action
	when when
	dice uint64 // seeds what the action leaves to chance
}

// when says in which case an op happens.
type when int

const (
	always  when = iota
	onError      // the last write failed
)

// action is a kind of op. A new part of the Store's API gets an action here, a method of visit that
// performs it, and a template that uses it.
type action struct {
	name string
	do   func(v *visit, dice *rand.Rand)
}

var (
	load      = &action{"load", (*visit).load}
	loadAgain = &action{"load again", (*visit).loadAgain}
	peek      = &action{"Peek", (*visit).peek}

	addElement    = &action{"add an element", (*visit).addElement}
	removeElement = &action{"remove an element", (*visit).removeElement}
	addFlash      = &action{"add a flash", (*visit).addFlash}
	consume       = &action{"consume flashes", (*visit).consumeFlashes}
	setKey        = &action{"set a key", (*visit).setKey}
	deleteKey     = &action{"delete a key", (*visit).deleteKey}
	setMaxAge     = &action{"set MaxAge", (*visit).setMaxAge}
	count         = &action{"count", (*visit).count}
	grow          = &action{"store too much", (*visit).grow}
	shrinkValue   = &action{"store less", (*visit).shrink}
	setUser       = &action{"set the user", (*visit).setUser}
	clearAll      = &action{"clear", (*visit).clear}
	undo          = &action{"undo what is not saved", (*visit).undo}

	save       = &action{"Save", (*visit).save}
	regenerate = &action{"Regenerate", (*visit).regenerate}
	renewID    = &action{"Save with an empty ID", (*visit).renewID}
	logout     = &action{"logout", (*visit).logout}

	autoSave = &action{"a handler under AutoSave", (*visit).autoSave}

	update     = &action{"Update", (*visit).update}
	updateUser = &action{"UpdateUser", (*visit).updateUser}

	destroyOthers = &action{"DestroyUser, keep this session", (*visit).destroyOthers}

	destroy     = &action{"Destroy", (*visit).destroy}
	destroyUser = &action{"DestroyUser", (*visit).destroyUser}
)

// pause is an action that takes time.
func pause(d time.Duration) *action {
	return &action{"pause", func(v *visit, dice *rand.Rand) { v.pause(upTo(dice, d)) }}
}

// template is a kind of handler.
type template struct {
	name   string
	weight int
	users  bool // it needs Config.UserKey
	admin  bool // it runs outside a request
	write  func(s *script)
}

var templates = []template{
	{name: "begin", weight: 1, write: func(s *script) {
		s.do(load)
		if s.dice.IntN(2) == 0 {
			s.do(setUser)
		}
		s.change()
		s.saving(pick(s.dice, save, save, regenerate))
	}},
	{name: "browse", weight: 2, write: func(s *script) {
		s.do(load)
		s.think()
		if s.dice.IntN(3) > 0 {
			s.saving(save)
		}
	}},
	{name: "change", weight: 6, write: func(s *script) {
		s.do(load)
		s.think()
		s.change()
		s.saving(save)
		if s.dice.IntN(4) == 0 {
			s.do(loadAgain)
		}
	}},
	{name: "change twice", weight: 3, write: func(s *script) {
		s.do(load)
		s.think()
		s.change()
		s.saving(save)
		s.think()
		s.change()
		s.saving(save)
	}},
	{name: "log in", weight: 3, write: func(s *script) {
		s.do(load)
		s.do(setUser)
		s.think()
		s.saving(regenerate)
		if s.dice.IntN(4) == 0 {
			s.change()
			s.saving(save)
		}
	}},
	{name: "log in by Save", weight: 1, write: func(s *script) {
		s.do(load)
		s.do(setUser)
		s.think()
		s.saving(save)
	}},
	{name: "renew the ID", weight: 1, write: func(s *script) {
		s.do(load)
		s.think()
		if s.dice.IntN(2) == 0 {
			s.change()
		}
		s.saving(pick(s.dice, regenerate, regenerate, renewID))
		if s.dice.IntN(3) == 0 {
			s.change()
			s.saving(save)
		}
	}},
	{name: "log out", weight: 2, write: func(s *script) {
		s.do(load)
		s.think()
		s.saving(logout)
	}},
	{name: "take the user out", weight: 1, write: func(s *script) {
		s.do(load)
		s.do(clearAll)
		s.think()
		s.saving(save)
	}},
	{name: "log out elsewhere", weight: 1, users: true, write: func(s *script) {
		s.do(load)
		if s.dice.IntN(2) == 0 {
			s.saving(regenerate)
		}
		s.do(destroyOthers)
	}},
	{name: "store too much", weight: 1, write: func(s *script) {
		s.do(load)
		s.change()
		s.do(grow)
		s.do(save)
		s.onError(shrinkValue)
		s.onError(save)
	}},
	{name: "read", weight: 1, write: func(s *script) {
		s.do(load)
		s.think()
		s.do(loadAgain)
	}},
	{name: "look", weight: 1, write: func(s *script) {
		s.do(peek)
	}},
	{name: "AutoSave", weight: 2, write: func(s *script) {
		s.do(autoSave)
	}},
	{name: "an administrator updates a session", weight: 1, admin: true, write: func(s *script) {
		s.do(update)
	}},
	{name: "an administrator updates a user's sessions", weight: 1, users: true, admin: true, write: func(s *script) {
		s.do(updateUser)
	}},
	{name: "an administrator ends a session", weight: 1, admin: true, write: func(s *script) {
		s.do(destroy)
	}},
	{name: "an administrator ends a user's sessions", weight: 1, users: true, admin: true, write: func(s *script) {
		s.do(destroyUser)
	}},
}

func find(name string) template {
	for _, t := range templates {
		if t.name == name {
			return t
		}
	}
	panic("history: no template " + name)
}

func (t template) script(r *rand.Rand, setup setup, think time.Duration) []op {
	s := &script{dice: r, setup: setup, pauses: think}
	t.write(s)
	return s.ops
}

// script writes the ops of a handler.
type script struct {
	dice   *rand.Rand
	setup  setup
	pauses time.Duration // as long as the handler may think
	ops    []op
}

func (s *script) add(a *action, w when) {
	s.ops = append(s.ops, op{id: len(s.ops), what: a, when: w, dice: s.dice.Uint64()})
}

func (s *script) do(a *action)      { s.add(a, always) }
func (s *script) onError(a *action) { s.add(a, onError) }

func (s *script) think() {
	if s.setup.maxAge == shortLived && s.dice.IntN(4) == 0 {
		s.do(pause(3 * shortLived * time.Second)) // until after the session's end
	} else if s.dice.IntN(2) == 0 {
		s.do(pause(s.pauses))
	}
}

// changes are what handlers do to a session's values.
func (s *script) changes() []*action {
	c := []*action{
		addElement, addElement, addElement, removeElement, addFlash, addFlash, consume, setKey, setKey, deleteKey, setMaxAge,
	}
	if exact(s.setup.mode) {
		c = append(c, count, count)
	}
	return c
}

// exact reports whether a mode makes one request wait for another, or fail, so that what a request
// read is still true when it writes.
func exact(m dynamostore.Concurrency) bool { return m == dynamostore.Lock || m == dynamostore.Refuse }

func (s *script) change() {
	for range 1 + s.dice.IntN(3) {
		s.do(pick(s.dice, s.changes()...))
	}
}

// saving writes, and says what becomes of an error: handlers give up, or try again in various ways.
func (s *script) saving(a *action) {
	s.do(a)
	tries, pauses := s.dice.IntN(4), 3
	if s.setup.stubborn {
		tries, pauses = 2+s.dice.IntN(4), 8
	}
	for range tries {
		if s.dice.IntN(pauses) == 0 {
			s.onError(pause(2 * time.Second))
		}
		switch s.dice.IntN(10) {
		case 0, 1:
			s.onError(pick(s.dice, s.changes()...))
		case 2:
			s.onError(undo)
		case 3:
			s.onError(deleteKey)
		case 4:
			s.onError(removeElement)
		}
		switch next := s.dice.IntN(12); {
		case next == 0:
			s.onError(logout)
		case next == 1:
			s.onError(regenerate)
		case next < 4:
			s.onError(save)
		default:
			s.onError(a)
		}
	}
}
