package history

import (
	"maps"
	"reflect"
	"slices"

	"github.com/gorilla/sessions"
)

// handle is a session object, and what its handler has done with it.
type handle struct {
	visit     *visit
	session   *sessions.Session
	loading   *loading
	lineage   *lineage // nil: a new session that was never written
	id        string   // under which it is stored, as far as the handler knows
	isNew     bool     // it is not stored, as far as the handler knows
	notLoaded bool     // Get returned an error
	leaving   bool     // a logout was tried
	ended     bool     // by a logout

	base    state           // what the handler believes to be in the table
	values  map[any]any     // the same, as values of the session
	own     map[string]bool // elements that the handler added
	removed map[string]bool // elements that it took out since base
	counted int             // its increments of the counter
	saved   int             // those of them that base has
	cleared bool            // the counter is gone since base
	pending []*write        // its unanswered writes since base
}

// newHandle returns the handle of a session that was loaded.
func newHandle(l *loading, session *sessions.Session, err error) *handle {
	return &handle{
		visit: l.visit, session: session, loading: l, id: l.cookie,
		isNew: session.IsNew && err == nil, notLoaded: err != nil,
		base: parse(session), values: copyValues(session.Values),
		own: make(map[string]bool), removed: make(map[string]bool),
	}
}

// newElement returns an element that no other handler adds.
func (h *handle) newElement(prefix string) string {
	e := h.visit.world.facts.newName(prefix)
	h.own[e] = true
	return e
}

// remove notes that the handler took an element out.
func (h *handle) remove(e string) { h.removed[e] = true }

// undo gives the session what the handler believes to be in the table.
func (h *handle) undo() {
	clear(h.session.Values)
	maps.Copy(h.session.Values, copyValues(h.values))
	h.session.Options.MaxAge = h.base.maxAge
	clear(h.removed)
	h.counted, h.cleared = h.saved, false
	for _, w := range h.pending {
		for e := range w.own {
			if !slices.Contains(h.base.elements(), e) {
				h.removed[e] = true
			}
		}
	}
}

// copyValues copies values as deep as handlers change them.
func copyValues(values map[any]any) map[any]any {
	c := maps.Clone(values)
	for k, v := range c {
		switch list := v.(type) {
		case []any:
			c[k] = slices.Clone(list)
		case []string:
			c[k] = slices.Clone(list)
		}
	}
	return c
}

// prepare makes the session one that is written so.
func (h *handle) prepare(kind writeKind) {
	if kind == writeEnd {
		h.session.Options.MaxAge = -1
		h.leaving = true
		return
	}
	if h.session.Options.MaxAge < 0 { // after a logout that failed
		h.session.Options.MaxAge = h.base.maxAge
	}
	w := h.visit.world
	switch {
	case h.lineage != nil && h.lineage.forked && kind == writeRotation:
		// What it changes may be all that a further fork has, and the birth must not be among that.
		if h.base.birth == "" {
			delete(h.session.Values, birthKey)
		}
	case h.lineage != nil && !h.notLoaded:
		h.session.Values[birthKey] = h.lineage.birth // which undo may have taken out
	case h.isNew:
		h.session.Values[birthKey] = w.facts.newName("birth")
		if w.plan.setup.ownIDs && kind == writeSession {
			h.session.ID = w.newID()
		}
	}
}

// write returns what the handler is about to write.
func (h *handle) write(kind writeKind, now span) *write {
	w := &write{
		span: now, kind: kind, who: h.visit.String(), by: h, creates: h.isNew, from: h.id,
		state: parse(h.session), before: h.base,
		own: make(map[string]bool), removed: make(map[string]bool), restored: make(map[string]bool),
		set: make(map[string]clock), reset: make(map[string]bool),
		counted: h.counted, cleared: h.cleared,
	}
	there := make(map[string]bool)
	for _, e := range w.state.elements() {
		there[e] = true
		if h.own[e] {
			w.own[e] = true
		}
	}
	for e := range h.removed {
		if !there[e] {
			w.removed[e] = true
		}
	}
	for _, p := range h.pending {
		for e := range p.removed {
			if there[e] {
				w.restored[e] = true
			}
		}
	}
	for name, value := range w.state.registers {
		had := func(p *write) bool { return p.state.registers[name] == value }
		switch {
		case value != h.base.registers[name]:
			w.set[name] = h.firstPending(w.begun, had)
		case slices.ContainsFunc(h.pending, func(p *write) bool { return !had(p) }):
			w.reset[name] = true
		}
	}
	text := w.state.String()
	w.since = h.firstPending(w.begun, func(p *write) bool { return p.state.String() == text })
	w.differs = h.isNew || kind == writeRotation || text != h.base.String() || w.state.birth != h.base.birth
	w.changed = w.differs || len(h.pending) > 0 || !reflect.DeepEqual(h.session.Values, h.values)
	return w
}

// firstPending returns when the first of such unanswered writes began, or otherwise if there is
// none.
func (h *handle) firstPending(otherwise clock, such func(*write) bool) clock {
	if i := slices.IndexFunc(h.pending, such); i >= 0 {
		return h.pending[i].begun
	}
	return otherwise
}

// acknowledge notes that a write is known to be in the table.
func (h *handle) acknowledge(w *write) {
	h.id, h.isNew, h.pending, h.cleared, h.saved = w.to, false, nil, false, w.counted
	h.base, h.values = parse(h.session), copyValues(h.session.Values)
	clear(h.removed)
}
