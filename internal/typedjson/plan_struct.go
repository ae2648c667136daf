package typedjson

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// A field is an exported field of a struct, or an embedded struct.
type field struct {
	index    int
	name     string
	prefix   string // `"name":`
	plan     *plan
	omitZero bool
}

// fillStruct makes the plan of a struct that does not marshal itself.
func (p *planner) fillStruct(made *plan, t reflect.Type, where string) {
	fields := p.fields(t, where)
	if len(fields) == 0 && t.NumField() > 0 {
		p.problem(fmt.Sprintf("%s of type %v would be lost: it has no exported fields, and no pair of methods such as MarshalText and UnmarshalText", where, t))
	}
	byName := make(map[string]int, len(fields))
	for i, f := range fields {
		if _, double := byName[f.name]; double {
			p.problem(fmt.Sprintf("type %v: two fields have the JSON name %q", t, f.name))
		}
		byName[f.name] = i
	}
	made.encode = func(e *encoder, v reflect.Value, depth int) { e.fields(fields, v, depth) }
	made.decode = func(d *decoder, v reflect.Value, depth int) error { return d.fields(fields, byName, v, depth) }
}

// fields returns the fields of t that are written, sorted by name.
func (p *planner) fields(t reflect.Type, where string) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		at := where + "." + sf.Name
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		f := field{index: i}
		switch {
		case sf.IsExported():
			if sf.Anonymous && isHollow(sf.Type) {
				continue // an embedded sync.Mutex holds nothing to be written
			}
			f.plan = p.plan(sf.Type, at)
		case !sf.Anonymous:
			continue
		case sf.Type.Kind() == reflect.Struct:
			// Reflection can reach the exported fields of an unexported embedded struct, but not its methods.
			if isHollow(sf.Type) {
				continue
			}
			f.plan = new(plan)
			p.fillStruct(f.plan, sf.Type, at)
		case sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Struct:
			p.problem(fmt.Sprintf("%s cannot be set, as its type is not exported: embed the struct itself, or tag it `json:\"-\"`", at))
			continue
		default:
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if f.name = name; name == "" {
			f.name = sf.Name
		}
		if !utf8.ValidString(f.name) {
			p.problem(fmt.Sprintf("%s: its JSON name is not valid UTF-8", at))
			continue
		}
		prefix, _ := appendString(nil, f.name)
		f.prefix = string(prefix) + ":"
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "omitzero":
				f.omitZero = true
			case "omitempty":
				// As in encoding/json, these are never empty.
				if k := sf.Type.Kind(); k != reflect.Struct && (k != reflect.Array || sf.Type.Len() == 0) {
					f.omitZero = true
				}
			}
		}
		fields = append(fields, f)
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return fields
}

// isHollow reports whether t is a struct of which nothing can be written.
func isHollow(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t == timeType {
		return false
	}
	if _, ok := methodPlan(t); ok {
		return false
	}
	for i := range t.NumField() {
		if sf := t.Field(i); sf.IsExported() || sf.Anonymous && !isHollow(sf.Type) {
			return false
		}
	}
	return true
}

func (e *encoder) fields(fields []field, v reflect.Value, depth int) {
	if !e.enter(depth) {
		return
	}
	e.buf = append(e.buf, '{')
	first := true
	for i := range fields {
		f := &fields[i]
		fv := v.Field(f.index)
		if f.omitZero && isZero(fv) {
			continue
		}
		if !first {
			e.buf = append(e.buf, ',')
		}
		first = false
		e.buf = append(e.buf, f.prefix...)
		f.plan.encode(e, fv, depth+1)
		if e.tooDeep {
			break
		}
	}
	e.buf = append(e.buf, '}')
}

// isZero is v.IsZero, but does not take -0 for zero, wherever it stands.
func isZero(v reflect.Value) bool {
	if !v.IsZero() {
		return false
	}
	switch v.Kind() {
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		return !math.Signbit(real(c)) && !math.Signbit(imag(c))
	case reflect.Array:
		for i := range v.Len() {
			if !isZero(v.Index(i)) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !isZero(v.Field(i)) {
				return false
			}
		}
	}
	return true
}

func (d *decoder) fields(fields []field, byName map[string]int, v reflect.Value, depth int) error {
	if d.next() != '{' {
		return d.want("an object")
	}
	if depth >= maxDepth {
		return d.tooDeep()
	}
	start := d.pos
	d.pos++
	var seen bitset
	guess := 0 // the field that comes next in what Encode wrote
	for more := d.next() != '}'; more; {
		if d.next() != '"' {
			return d.invalid()
		}
		name, _, err := d.quoted()
		if err != nil {
			return err
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		i, known := guess, true
		if guess >= len(fields) || fields[guess].name != name {
			i, known = byName[name]
		}
		if known {
			if seen.add(i) {
				return d.fail(start, "an object has two equal keys")
			}
			guess = i + 1
			err = d.field(&fields[i], v, depth+1)
		} else {
			_, err = d.raw()
		}
		if err != nil {
			return err
		}
		if more, err = d.comma('}'); err != nil {
			return err
		}
	}
	d.pos++
	return nil
}

// field reads the value of a field. Null is zero for one that cannot be nil: a pointer may have become
// a plain field since.
func (d *decoder) field(f *field, v reflect.Value, depth int) error {
	if d.next() == 'n' && !f.plan.readsNull {
		return d.literal("null")
	}
	return f.plan.decode(d, v.Field(f.index), depth)
}

// A bitset is a set of small integers.
type bitset struct {
	low  uint64
	high map[int]bool
}

// add adds i and reports whether it was there before.
func (s *bitset) add(i int) bool {
	if i < 64 {
		had := s.low&(1<<i) != 0
		s.low |= 1 << i
		return had
	}
	had := s.high[i]
	if s.high == nil {
		s.high = make(map[int]bool)
	}
	s.high[i] = true
	return had
}
