// Package merge combines the changes that two requests made to one session.
//
// It is a structural three-way merge: each side is compared with the base that both started from.
// Theirs is what is stored now, and ours is the later write. How two changes are merged depends on
// the type:
//
//   - Maps are merged key by key, and structs field by field, at any depth. Pointers to structs are
//     followed; the result is a pointer to a new struct.
//   - Slices are merged as multisets: keep theirs, take out what we removed, append what we added,
//     in our order. What they removed does not come back.
//   - Everything else is taken as a whole, and if both sides changed it, ours wins. That includes
//     []byte, arrays, structs with unexported fields, types that encode themselves such as
//     [time.Time], and values whose types differ.
//
// If one side deleted a slice, map or struct and the other changed it, what the deleting side saw
// is removed, and what the other side added stays:
//
//   - A slice or map is merged with an empty one. The key is removed if nothing is left.
//   - A struct is kept if something is left in its slices and maps, or if they deleted it and we
//     changed another field. Its other fields keep their values.
package merge

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"reflect"

	"example.com/dynamostore/internal/snapshot"
)

// Values merges the values of a session. It does not change its arguments. The result is a new map,
// which shares values with theirs and ours: what they did not change is taken from ours, pointers
// included.
//
// The time is linear in the size of the values. If ctx is done, Values returns its error. Base and
// theirs are expected to be decoded, and so to be acyclic; a cycle in ours is either
// [snapshot.ErrCycle] or part of the result.
func Values(ctx context.Context, base, theirs, ours map[any]any) (map[any]any, error) {
	m := merger{ctx: ctx, seed: maphash.MakeSeed()}
	merged := m.maps(root(base), root(theirs), root(ours)).v.Interface().(map[any]any)
	if m.err != nil {
		return nil, m.err
	}
	if merged == nil {
		return map[any]any{}, nil
	}
	return maps.Clone(merged), nil
}

func root(values map[any]any) side { return side{reflect.ValueOf(values), true} }

// A side is the value of base, theirs or ours in one place, such as under a key of a map.
type side struct {
	v  reflect.Value // invalid for a nil interface
	ok bool          // false if there is no value, as for a key that is not in the map; v is then meaningless
}

// A result is the merged value of one place.
type result struct {
	// If ok is false, v is the value for a struct's field, which cannot be absent. It is empty if
	// it is a slice or map, and the value of the side that has one otherwise.
	side
	byThem, byUs bool // who changed it
}

// pick returns o if they changed nothing, since the request may hold pointers into it, t if we
// changed nothing, and otherwise the result of conflict.
func pick(t, o side, byThem, byUs bool, conflict func() side) result {
	switch {
	case !byThem:
		return result{o, byThem, byUs}
	case !byUs:
		return result{t, byThem, byUs}
	}
	return result{conflict(), byThem, byUs}
}

type merger struct {
	ctx   context.Context
	seed  maphash.Seed
	err   error
	depth int
}

const maxDepth = 10_000 // of nested maps, structs and pointers, as in package snapshot

// step begins a step, which handles one element. It returns false if the merge has failed.
func (m *merger) step() bool {
	if m.err == nil {
		m.err = m.ctx.Err()
	}
	return m.err == nil
}

// value merges one place.
func (m *merger) value(b, t, o side) result {
	switch {
	case !m.step():
		return result{side: o}
	case !t.ok && !o.ok:
		return result{side{}, b.ok, b.ok}
	case !b.ok && !t.ok:
		return result{o, false, true}
	case !b.ok && !o.ok:
		return result{t, true, false}
	}
	start := b
	if !b.v.IsValid() && t.ok && o.ok {
		start.ok = false // a nil interface has no type to disagree with
	}
	typ, ok := commonType(start, t, o)
	if !ok {
		return m.whole(b, t, o)
	}
	if m.depth++; m.depth > maxDepth {
		m.err = fmt.Errorf("merge a session: %w", snapshot.ErrCycle)
		return result{side: o}
	}
	defer func() { m.depth-- }()
	switch formOf(typ) {
	case mapForm:
		return m.maps(start.or(typ), t.or(typ), o.or(typ))
	case sliceForm:
		return m.slices(start.or(typ), t.or(typ), o.or(typ))
	case structForm:
		return m.structs(start.or(typ), t.or(typ), o.or(typ))
	case pointerForm:
		return m.pointers(start.or(typ), t.or(typ), o.or(typ))
	}
	return m.whole(b, t, o)
}

// or returns s, with the zero value of t if it has no value.
func (s side) or(t reflect.Type) side {
	if !s.ok {
		s.v = reflect.Zero(t)
	}
	return s
}

// commonType returns the type of the sides that have a value. It returns false if the types differ.
func commonType(sides ...side) (t reflect.Type, ok bool) {
	for _, s := range sides {
		if !s.ok {
			continue
		}
		if !s.v.IsValid() || t != nil && s.v.Type() != t {
			return nil, false
		}
		t = s.v.Type()
	}
	return t, true
}

// changed reports whether s differs from base.
func changed(base, s side) bool {
	return s.ok != base.ok || s.ok && !snapshot.Equal(valueOf(s.v), valueOf(base.v))
}

func valueOf(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	return v.Interface()
}

// whole merges values without looking inside.
func (m *merger) whole(b, t, o side) result {
	r := pick(t, o, changed(b, t), changed(b, o), func() side { return o })
	if !r.ok {
		if r.v = o.v; !o.ok {
			r.v = t.v
		}
	}
	return r
}

// maps merges maps of the same type. Absent ones are nil.
func (m *merger) maps(b, t, o side) result {
	type pair struct{ key, v reflect.Value }
	var entries []pair
	byThem := t.ok != b.ok || t.v.IsNil() != b.v.IsNil()
	byUs := o.ok != b.ok || o.v.IsNil() != b.v.IsNil()
	keptByThem, keptByUs := 0, 0 // counts of base's keys
	merge := func(k reflect.Value, t, o side) {
		b := at(b.v, k)
		if b.ok && t.ok {
			keptByThem++
		}
		if b.ok && o.ok {
			keptByUs++
		}
		r := m.value(b, t, o)
		byThem = byThem || r.byThem
		byUs = byUs || r.byUs
		if r.ok {
			entries = append(entries, pair{k, r.v})
		}
	}
	for i := t.v.MapRange(); i.Next() && m.err == nil; {
		merge(i.Key(), inside(i.Value()), at(o.v, i.Key()))
	}
	for i := o.v.MapRange(); i.Next() && m.err == nil; {
		if !at(t.v, i.Key()).ok {
			merge(i.Key(), side{}, inside(i.Value()))
		}
	}
	byThem = byThem || keptByThem < b.v.Len()
	byUs = byUs || keptByUs < b.v.Len()
	return pick(t, o, byThem, byUs, func() side {
		typ := o.v.Type()
		if len(entries) == 0 && !(t.ok && o.ok) {
			return side{reflect.Zero(typ), false}
		}
		merged := reflect.MakeMapWithSize(typ, len(entries))
		for _, e := range entries {
			if !e.v.IsValid() {
				e.v = reflect.Zero(typ.Elem())
			}
			merged.SetMapIndex(e.key, e.v)
		}
		return side{merged, true}
	})
}

// at returns the value of m under the key k.
func at(m, k reflect.Value) side {
	v := m.MapIndex(k)
	if !v.IsValid() {
		return side{}
	}
	return inside(v)
}

// inside returns v, or the value in it if it is an interface.
func inside(v reflect.Value) side {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return side{v, true}
}

// structs merges structs of the same type, whose fields are all exported. Absent ones are zero.
func (m *merger) structs(b, t, o side) result {
	typ := o.v.Type()
	byThem, byUs, left := t.ok != b.ok, o.ok != b.ok, t.ok && o.ok
	fields := make([]reflect.Value, typ.NumField())
	for i := range fields {
		r := m.value(inside(b.v.Field(i)), side{inside(t.v.Field(i)).v, t.ok}, side{inside(o.v.Field(i)).v, o.ok})
		if m.err != nil {
			return result{side: o}
		}
		byThem = byThem || r.byThem
		byUs = byUs || r.byUs
		left = left || r.ok
		fields[i] = r.v
	}
	merged := func() side {
		v := reflect.New(typ).Elem()
		for i, f := range fields {
			if f.IsValid() {
				v.Field(i).Set(f)
			}
		}
		return side{v, left}
	}
	r := pick(t, o, byThem, byUs, merged)
	if !r.ok {
		r.v = merged().v
	}
	return r
}

// pointers merges pointers to such structs. Absent ones are nil.
func (m *merger) pointers(b, t, o side) result {
	target := func(p side) side {
		if p.v.IsNil() {
			return side{}
		}
		return side{p.v.Elem(), true}
	}
	r := m.value(target(b), target(t), target(o))
	typ := o.v.Type()
	pointer := func() reflect.Value {
		if !r.v.IsValid() || !r.ok && t.ok && o.ok {
			return reflect.Zero(typ)
		}
		p := reflect.New(typ.Elem())
		p.Elem().Set(r.v)
		return p.Convert(typ)
	}
	p := pick(t, o, r.byThem || t.ok != b.ok, r.byUs || o.ok != b.ok, func() side {
		return side{pointer(), r.ok || t.ok && o.ok}
	})
	if !p.ok {
		p.v = pointer()
	}
	return p
}

// slices merges slices of the same type as multisets. Absent ones are nil.
func (m *merger) slices(b, t, o side) result {
	return pick(t, o, changed(b, t), changed(b, o), func() side {
		merged := m.multiset(b.v, t.v, o.v)
		switch {
		case len(merged) == 0 && !(t.ok && o.ok):
			return side{reflect.Zero(o.v.Type()), false}
		case len(merged) == 0 && o.v.Len() == 0:
			return o // nil or empty, as in ours
		}
		v := reflect.MakeSlice(o.v.Type(), len(merged), len(merged))
		for i, e := range merged {
			v.Index(i).Set(e)
		}
		return side{v, true}
	})
}
