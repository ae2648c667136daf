package typedjson

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// A registry holds the types that are written with a tag, by type and by tag.
type registry struct {
	byType map[reflect.Type]*entry
	byTag  map[string]*entry
	short  map[string]reflect.Type // the listed types by pkg.Name; nil where two share it
}

// An entry is a type with a tag.
type entry struct {
	typ    reflect.Type
	prefix string // `{"$tag":`
	plan   *plan
	direct func(d *decoder, depth int) (any, error) // in place of plan.decode, if not nil
}

func (e *entry) decode(d *decoder, depth int) (any, error) {
	if e.direct != nil {
		return e.direct(d, depth)
	}
	v := reflect.New(e.typ).Elem()
	if err := e.plan.decode(d, v, depth); err != nil {
		return nil, err
	}
	return v.Interface(), nil
}

func (r *registry) add(t reflect.Type, p *plan, tags ...string) *entry {
	prefix, _ := appendString([]byte{'{'}, "$"+tags[0])
	e := &entry{typ: t, plan: p, prefix: string(prefix) + ":"}
	r.byType[t] = e
	for _, tag := range tags {
		r.byTag["$"+tag] = e
	}
	return e
}

// scalars are the types of Go that a value may have, with their tags.
var scalars = []struct {
	typ reflect.Type
	tag string
}{
	{reflect.TypeFor[bool](), "bool"},
	{reflect.TypeFor[string](), "string"},
	{reflect.TypeFor[int](), "int"},
	{reflect.TypeFor[int8](), "int8"},
	{reflect.TypeFor[int16](), "int16"},
	{reflect.TypeFor[int32](), "int32"},
	{reflect.TypeFor[int64](), "int64"},
	{reflect.TypeFor[uint](), "uint"},
	{reflect.TypeFor[uint8](), "uint8"},
	{reflect.TypeFor[uint16](), "uint16"},
	{reflect.TypeFor[uint32](), "uint32"},
	{reflect.TypeFor[uint64](), "uint64"},
	{reflect.TypeFor[uintptr](), "uintptr"},
	{reflect.TypeFor[float32](), "float32"},
	{reflect.TypeFor[float64](), "float64"},
	{reflect.TypeFor[complex64](), "complex64"},
	{reflect.TypeFor[complex128](), "complex128"},
	{timeType, "time"},
	{durationType, "duration"},
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	stringType   = reflect.TypeFor[string]()
	objectType   = reflect.TypeFor[map[string]any]()
	arrayType    = reflect.TypeFor[[]any]()
	stringsType  = reflect.TypeFor[[]string]()
)

// builtin returns the types that need not be listed. It must not be changed.
var builtin = sync.OnceValue(func() *registry {
	r := &registry{byType: make(map[reflect.Type]*entry), byTag: make(map[string]*entry)}
	p := newPlanner()
	add := func(tag string, t reflect.Type) *entry { return r.add(t, p.plan(t, tag), tag) }
	for _, s := range scalars {
		add(s.tag, s.typ)
		add("[]"+s.tag, reflect.SliceOf(s.typ))
		add("map[string]"+s.tag, reflect.MapOf(stringType, s.typ))
	}
	bytes := add("[]byte", reflect.TypeFor[[]byte]())
	delete(r.byTag, "$[]uint8") // the same type as []byte
	add("[][]string", reflect.TypeFor[[][]string]())
	add("[][]byte", reflect.TypeFor[[][]byte]())
	add("[]map[string]any", reflect.TypeFor[[]map[string]any]())
	add("map[string][]string", reflect.TypeFor[map[string][]string]())
	array := add("[]any", arrayType)
	object := add("map", objectType)

	// These two have a natural form, and a tag for what does not fit into it.
	r.byTag["$string"].direct = func(d *decoder, _ int) (any, error) {
		b, err := d.binary()
		return string(b), err
	}
	r.byTag["$float64"].direct = func(d *decoder, _ int) (any, error) { return d.float(64) }
	delete(r.byTag, "$bool")
	delete(r.byTag, "$int")

	// The rest are short cuts for what is frequent.
	r.byTag["$int64"].direct = func(d *decoder, _ int) (any, error) { return d.int(64) }
	r.byTag["$time"].direct = func(d *decoder, _ int) (any, error) { return d.time() }
	r.byTag["$duration"].direct = func(d *decoder, _ int) (any, error) { return d.duration() }
	r.byTag["$[]string"].direct = func(d *decoder, _ int) (any, error) { return d.texts() }
	bytes.direct = func(d *decoder, _ int) (any, error) { return d.bytes() }
	object.direct = func(d *decoder, depth int) (any, error) { return d.nullableObject(depth) }
	array.direct = func(d *decoder, depth int) (any, error) { return d.nullableArray(depth) }
	return r
})

// newRegistry returns the built-in types and those of the given values.
func newRegistry(types []any) (*registry, error) {
	b := builtin()
	if len(types) == 0 {
		return b, nil
	}
	r := &registry{
		byType: make(map[reflect.Type]*entry, len(b.byType)+2*len(types)),
		byTag:  make(map[string]*entry, len(b.byTag)+4*len(types)),
		short:  make(map[string]reflect.Type, len(types)),
	}
	for t, e := range b.byType {
		r.byType[t] = e
	}
	for tag, e := range b.byTag {
		r.byTag[tag] = e
	}

	p := newPlanner()
	listed := make(map[string]reflect.Type) // by full path
	for i, v := range types {
		t := reflect.TypeOf(v)
		if t == nil {
			p.problem(fmt.Sprintf("type %d of the list is nil: list a value of the type, as T{} or (*T)(nil)", i+1))
			continue
		}
		if b.byType[t] != nil {
			continue
		}
		if t.Name() == "" && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Name() == "" {
			p.problem(fmt.Sprintf("type %v has no name: declare one (type X %v), store that, and list it", reflect.TypeOf(v), t))
			continue
		}
		path := fullName(t)
		if other := listed[path]; other != nil && other != t {
			p.problem(fmt.Sprintf("two types are both %s, declared in functions: rename one, or declare them outside", path))
			continue
		}
		listed[path] = t
	}

	// In sorted order, so that no result depends on that of the list.
	paths := make([]string, 0, len(listed))
	for path, t := range listed {
		paths = append(paths, path)
		if _, shared := r.short[t.String()]; shared {
			r.short[t.String()] = nil
		} else {
			r.short[t.String()] = t
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		t := listed[path]
		pointer := reflect.PointerTo(t)
		if b.byType[t] != nil { // a pointer to it was listed
			tag := strings.TrimPrefix(b.byType[t].prefix, `{"$`)
			r.add(pointer, p.plan(pointer, t.String()), "*"+strings.TrimSuffix(tag, `":`))
			continue
		}
		tags := []string{t.String(), path}
		if r.short[t.String()] == nil {
			tags = tags[1:]
		}
		r.add(t, p.plan(t, t.String()), tags...)
		for i := range tags {
			tags[i] = "*" + tags[i]
		}
		r.add(pointer, p.plan(pointer, t.String()), tags...)
	}
	return r, joined(p.problems)
}

// fullName returns t's name with the path of its package.
func fullName(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.Name()
	}
	return t.PkgPath() + "." + t.Name()
}

// unlisted says why a value of type t cannot be written, and what to do.
func (r *registry) unlisted(t reflect.Type) string {
	named := t
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		named = t.Elem()
	}
	switch named.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return fmt.Sprintf("type %v cannot be stored", t)
	}
	if named.Name() == "" {
		x := "X" + zeroSuffix(t)
		return fmt.Sprintf("type %v has no name: declare one (type X %v), store that, and add %s to JSONCodec.Types", t, t, x)
	}
	name := named.String()
	value := name + zeroSuffix(named)
	if named.PkgPath() == "" { // *int
		value = "new(" + name + ")"
	}
	if _, ok := r.short[name]; ok { // another of that name is listed
		return fmt.Sprintf("type %v of package %s is not listed: add %s to JSONCodec.Types", t, named.PkgPath(), value)
	}
	return fmt.Sprintf("type %v is not listed: add %s to JSONCodec.Types", t, value)
}

// zeroSuffix returns what makes the name of a type a value of it.
func zeroSuffix(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		return "{}"
	case reflect.String:
		return `("")`
	case reflect.Bool:
		return "(false)"
	case reflect.Pointer, reflect.Interface:
		return "(nil)"
	}
	return "(0)"
}
