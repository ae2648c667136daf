package typedjson

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A keyPlan is how the keys of maps of one static type become the keys of an object. Both functions report whether
// they could; parse sets a settable zero value.
type keyPlan struct {
	text  func(v reflect.Value) (string, bool)
	parse func(s string, v reflect.Value) bool
}

func (p *planner) fillMap(made *plan, t reflect.Type, where string) {
	made.nullable, made.readsNull = true, true
	key, ok := keyPlanOf(t.Key())
	if !ok {
		p.problem(fmt.Sprintf("%s: a key of %v is not a string, an integer, or a type with MarshalText and UnmarshalText", where, t))
	}
	elem := p.plan(t.Elem(), where)
	made.encode = func(e *encoder, v reflect.Value, depth int) { e.typedMap(t, key, elem, v, depth) }
	made.decode = func(d *decoder, v reflect.Value, depth int) error { return d.typedMap(t, key, elem, v, depth) }
}

func (e *encoder) typedMap(t reflect.Type, key keyPlan, elem *plan, v reflect.Value, depth int) {
	if v.IsNil() {
		e.null()
		return
	}
	if !e.enter(depth) {
		return
	}
	type member struct {
		key   string
		value reflect.Value
	}
	members := make([]member, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		text, ok := key.text(iter.Key())
		if !ok {
			e.problem(fmt.Sprintf("type %v: a key cannot be written as text", t))
			return
		}
		members = append(members, member{text, iter.Value()})
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	e.buf = append(e.buf, '{')
	for i, m := range members {
		if i > 0 {
			e.buf = append(e.buf, ',')
			if m.key == members[i-1].key {
				e.problem(fmt.Sprintf("type %v: two keys have the same text", t))
			}
		}
		e.buf = append(appendKey(e.buf, m.key), ':')
		elem.encode(e, m.value, depth+1)
		if e.tooDeep {
			break
		}
	}
	e.buf = append(e.buf, '}')
}

func (d *decoder) typedMap(t reflect.Type, key keyPlan, elem *plan, v reflect.Value, depth int) error {
	switch d.next() {
	case 'n':
		return d.literal("null")
	case '{':
	default:
		return d.want("an object")
	}
	if depth >= maxDepth {
		return d.tooDeep()
	}
	d.pos++
	v.Set(reflect.MakeMap(t))
	k, x := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	for more := d.next() != '}'; more; {
		start := d.pos
		text, err := d.key()
		if err != nil {
			return err
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		k.SetZero()
		x.SetZero()
		if !key.parse(text, k) {
			return d.fail(start, fmt.Sprintf("a key is not a %v", t.Key()))
		}
		if err := elem.decode(d, x, depth+1); err != nil {
			return err
		}
		n := v.Len()
		v.SetMapIndex(k, x)
		if v.Len() == n {
			return d.fail(start, "an object has two equal keys")
		}
		if more, err = d.comma('}'); err != nil {
			return err
		}
	}
	d.pos++
	return nil
}

// keyPlanOf returns the plan of t as the type of a map's keys.
func keyPlanOf(t reflect.Type) (keyPlan, bool) {
	switch {
	case t == timeType: // its own text form loses what appendTime keeps
		return keyPlan{
			text: func(v reflect.Value) (string, bool) {
				b, ok := appendTime(nil, v.Interface().(time.Time))
				return string(b), ok
			},
			parse: func(s string, v reflect.Value) bool {
				at, ok := parseTime(s)
				v.Set(reflect.ValueOf(at))
				return ok
			},
		}, true
	case t.Kind() == reflect.String:
		return keyPlan{
			text:  func(v reflect.Value) (string, bool) { return v.String(), true },
			parse: func(s string, v reflect.Value) bool { v.SetString(s); return true },
		}, true
	}
	if pair, ok := textMethods(t); ok {
		return keyPlan{
			text: func(v reflect.Value) (string, bool) {
				b, err := pair.marshal(v)
				return string(b), err == nil
			},
			parse: func(s string, v reflect.Value) bool { return pair.unmarshal(v, []byte(s)) == nil },
		}, true
	}
	// Only the canonical form of an integer is read: "1" and "01" would be two keys in JSON and one in Go.
	switch zero := reflect.Zero(t); {
	case zero.CanInt():
		return keyPlan{
			text: func(v reflect.Value) (string, bool) { return strconv.FormatInt(v.Int(), 10), true },
			parse: func(s string, v reflect.Value) bool {
				n, err := strconv.ParseInt(s, 10, t.Bits())
				v.SetInt(n)
				return err == nil && strconv.FormatInt(n, 10) == s
			},
		}, true
	case zero.CanUint():
		return keyPlan{
			text: func(v reflect.Value) (string, bool) { return strconv.FormatUint(v.Uint(), 10), true },
			parse: func(s string, v reflect.Value) bool {
				n, err := strconv.ParseUint(s, 10, t.Bits())
				v.SetUint(n)
				return err == nil && strconv.FormatUint(n, 10) == s
			},
		}, true
	}
	return keyPlan{}, false
}
