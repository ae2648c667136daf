package typedjson

import (
	"cmp"
	"encoding"
	"fmt"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// A registry holds the types that are tagged.
type registry struct {
	tags  map[reflect.Type]string
	types map[string]reflect.Type // by tag
}

// newRegistry returns a registry of Go's own types, and of the types of the given values with their
// containers.
func newRegistry(values []any) (*registry, error) {
	r := builtinTypes()
	c := checker{seen: make(map[reflect.Type]bool)}
	listed := make(map[string]reflect.Type) // by name
	for i, v := range values {
		if v == nil {
			c.problem("value %d of the list is nil; list a value of the type, as in T{} or (*T)(nil)", i+1)
			continue
		}
		t := reflect.TypeOf(v)
		named := namedType(t)
		name := cmp.Or(strings.TrimPrefix(r.tags[named], "$"), named.String())
		switch other := listed[name]; {
		case named.Name() == "" && r.tags[t] != "":
		case named.Name() == "":
			c.problem("the type %v has no name; declare one, as in type X %v, and list that", t, t)
		case named.Kind() == reflect.Interface:
			c.problem("the type %v is an interface; list the types that it holds", named)
		case other == named:
		case other != nil:
			c.problem("two listed types are called %s; declare another name for one, as in type X %s, store that, and list it", name, name)
		default:
			listed[name] = named
			c.listed = named
			c.check(named)
			if err := definitionError(named); err != nil {
				c.problem("the type %v cannot be stored: %v", named, err)
			}
			r.add(named, name)
			r.add(reflect.PointerTo(named), "*"+name)
		}
	}
	return r, joinProblems(c.problems)
}

// builtinTypes returns Go's own types.
func builtinTypes() *registry {
	r := &registry{tags: make(map[reflect.Type]string), types: make(map[string]reflect.Type)}
	r.add(reflect.TypeFor[[]byte](), "[]byte") // before uint8, whose slice is []byte
	for _, v := range []any{false, "", 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0), uintptr(0),
		float32(0), 0.0, complex64(0), complex128(0), []string{}} {
		r.add(reflect.TypeOf(v), reflect.TypeOf(v).String())
	}
	r.add(reflect.TypeFor[time.Time](), "time")
	r.add(reflect.TypeFor[time.Duration](), "duration")
	r.addOne(reflect.TypeFor[[]any](), "[]any")
	r.addOne(reflect.TypeFor[map[string]any](), "map")
	r.addOne(reflect.TypeFor[[]map[string]any](), "[]map[string]any")
	return r
}

// add adds t, []t and map[string]t.
func (r *registry) add(t reflect.Type, name string) {
	r.addOne(t, name)
	r.addOne(reflect.SliceOf(t), "[]"+name)
	r.addOne(reflect.MapOf(reflect.TypeFor[string](), t), "map[string]"+name)
}

func (r *registry) addOne(t reflect.Type, name string) {
	if r.tags[t] == "" {
		r.tags[t], r.types["$"+name] = "$"+name, t
	}
}

// namedType returns the type to list for values of type t: the element type of a slice or map, and
// the base type of a pointer.
func namedType(t reflect.Type) reflect.Type {
	if t.Name() != "" {
		return t
	}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map && t.Key() == reflect.TypeFor[string]() {
		t = t.Elem()
	}
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// unlistedError says what to do about a value of type t.
func (r *registry) unlistedError(t reflect.Type) error {
	named := namedType(t)
	text := fmt.Sprintf("is not listed; add new(%v) to JSONCodec.Types", named)
	if other := r.types["$"+named.String()]; other != nil && other != named {
		text = fmt.Sprintf("has the name of a listed type; declare another, as in type X %v, store that, and list it in JSONCodec.Types", named)
	}
	switch kind := named.Kind(); {
	case kind == reflect.Chan || kind == reflect.Func || kind == reflect.UnsafePointer:
		text = "cannot be stored"
	case kind == reflect.Interface:
		text = "cannot be stored; use any for its elements"
	case t.Implements(reflect.TypeFor[error]()) && !token.IsExported(named.Name()):
		text = "cannot be stored; use the text of the error"
	case named.Name() == "":
		text = fmt.Sprintf("has no name; declare one, as in type X %v, store that, and list it in JSONCodec.Types", t)
	}
	return safeError(fmt.Sprintf("the type %v %s", t, text))
}

// A checker looks for mistakes in a listed type, and in the types that it can hold. Otherwise they
// would show when a session is loaded, or never.
type checker struct {
	listed   reflect.Type // the one whose parts are checked
	seen     map[reflect.Type]bool
	problems []string
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) check(t reflect.Type) {
	if c.seen[t] {
		return
	}
	c.seen[t] = true
	if implementsAny(t, encoders) {
		if !implementsAny(t, decoders) {
			c.problem("the type %v has a method to encode itself and none to decode itself; add UnmarshalJSON or UnmarshalText", t)
		}
		return
	}
	switch t.Kind() {
	case reflect.Interface:
		if t != reflect.TypeFor[any]() {
			c.problem("the type %v holds a %v, an interface that cannot be decoded; use any, or tag the field json:\"-\"", c.listed, t)
		}
	case reflect.Pointer:
		elem := t
		for range 100 {
			if elem.Kind() == reflect.Pointer {
				elem = elem.Elem()
			}
		}
		if elem.Kind() == reflect.Pointer { // json/v2 would follow it forever
			c.problem("the type %v is a pointer to itself", t)
			return
		}
		c.check(elem)
	case reflect.Map:
		c.check(t.Key())
		c.check(t.Elem())
	case reflect.Slice, reflect.Array:
		c.check(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" {
				c.check(f.Type)
			}
		}
	}
}

// definitionError returns json/v2's error about the definition of a struct, if any. It quotes no
// value.
func definitionError(t reflect.Type) error {
	if t.Kind() != reflect.Struct || implementsAny(t, encoders) || implementsAny(t, decoders) {
		return nil
	}
	// An empty object makes json/v2 look at the definition alone.
	if err, ok := json.Unmarshal([]byte("{}"), reflect.New(t).Interface()).(*json.SemanticError); ok {
		return err.Err
	}
	return nil
}

// The interfaces with which a type encodes or decodes itself in json/v2.
var (
	encoders = []reflect.Type{reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.Marshaler](),
		reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextMarshaler]()}
	decoders = []reflect.Type{reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextUnmarshaler]()}
)

// implementsAny reports whether t or *t has the methods of one of the interfaces.
func implementsAny(t reflect.Type, interfaces []reflect.Type) bool {
	return slices.ContainsFunc(interfaces, reflect.PointerTo(t).Implements)
}
