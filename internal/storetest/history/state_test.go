package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gorilla/sessions"
)

// The keys in Session.Values that handlers use.
const (
	birthKey   = "birth" // which session it is, under whatever ID
	listKey    = "list"
	flashKey   = "_flash" // gorilla's
	counterKey = "count"
	bigKey     = "big" // a value that is too large
	userKey    = "user"
)

// valueKeys are the keys that hold one value, which handlers replace.
var valueKeys = []string{"color", "size"}

// maxAgeRegister names Options.MaxAge among the registers.
const maxAgeRegister = "MaxAge"

// absent is the value of a register that is not there.
const absent = "-"

// state is what a session holds, as the handlers of this package use it.
type state struct {
	birth     string
	list      []string // nil: there is none
	flashes   []string
	registers map[string]string // what holds one value: valueKeys, the user, and MaxAge
	maxAge    int
	count     int
	foreign   string // what no handler stores; "": nothing
}

// parse returns the state of a session.
func parse(session *sessions.Session) state {
	s := state{registers: map[string]string{userKey: absent}}
	for _, key := range valueKeys {
		s.registers[key] = absent
	}
	for key, value := range session.Values {
		if !s.take(key, value) {
			s.foreign = fmt.Sprintf("%v: %v", key, value)
		}
	}
	if session.Options != nil {
		s.maxAge = session.Options.MaxAge
		s.registers[maxAgeRegister] = fmt.Sprint(s.maxAge)
	}
	return s
}

// take takes over a value, if it is one that handlers store.
func (s *state) take(key, value any) bool {
	switch v := value.(type) {
	case string:
		name, _ := key.(string)
		switch {
		case key == birthKey:
			s.birth = v
		case key == userKey || slices.Contains(valueKeys, name):
			s.registers[name] = v
		case key != bigKey:
			return false
		}
		return true
	case int:
		s.count = v
		return key == counterKey
	case []any:
		words := make([]string, len(v))
		for i, e := range v {
			words[i] = fmt.Sprint(e)
		}
		switch key {
		case listKey:
			s.list = words
		case flashKey:
			s.flashes = words
		default:
			return false
		}
		return true
	case []string:
		s.list = append([]string{}, v...)
		return key == listKey
	}
	return false
}

// withoutEmptyLists returns the state with no list for an empty one.
func (s state) withoutEmptyLists() state {
	if len(s.list) == 0 {
		s.list = nil
	}
	if len(s.flashes) == 0 {
		s.flashes = nil
	}
	return s
}

// elements returns those of both lists.
func (s state) elements() []string { return slices.Concat(s.list, s.flashes) }

// String returns the state in a form that only equal states share.
func (s state) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "list %s, flashes %s", bracketed(s.list), bracketed(s.flashes))
	for _, name := range slices.Sorted(maps.Keys(s.registers)) {
		fmt.Fprintf(&b, ", %s %s", name, s.registers[name])
	}
	if s.count != 0 {
		fmt.Fprintf(&b, ", count %d", s.count)
	}
	return b.String()
}

// bracketed shows a list. One that is not there is not the same as an empty one.
func bracketed(list []string) string {
	if list == nil {
		return absent
	}
	return "[" + strings.Join(list, " ") + "]"
}
