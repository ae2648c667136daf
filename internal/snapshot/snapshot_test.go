package snapshot

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"
)

type (
	line struct {
		SKU   string
		Count int
	}
	cart struct {
		Lines []line
		Notes map[string]string
		Next  *cart
	}
	role   string
	roles  []role
	hidden struct {
		Seen string
		n    int
	}
	cached struct { // has an unexported field that may hold a reference
		Seen []string
		memo map[string]int
	}
	embedding struct {
		inner
		Also []string
	}
	inner   struct{ List []string }
	pointer *line
	knot    *knot
	node    struct {
		Name string
		Next *node
		Kids []*node
		Any  any
	}
	grove map[string]grove
	// tree has references that encoding/gob does not see.
	tree struct {
		Kids   []*tree
		parent *tree
		known  map[any]any
	}
	// selfish encodes itself for gob, so what it holds is its own matter.
	selfish struct{ Self *selfish }
	keyed   struct{ Key any }
)

func (selfish) GobEncode() ([]byte, error)   { return nil, nil }
func (*selfish) GobDecode(data []byte) error { return nil }

func to[T any](v T) *T { return &v }

var (
	zone   = time.FixedZone("CET", 3600)
	moment = time.Date(2026, 11, 24, 9, 30, 0, 123456789, zone)
)

// samples returns values of many types, made anew at each call. What stands under one name is
// different from what stands under any other.
func samples() map[any]any {
	return map[any]any{
		"nil": nil, "bool": true, "string": "s", "empty string": "", "int": 1, "int64": int64(1), "uint8": uint8(1), "uintptr": uintptr(1),
		"0": 0.0, "-0": math.Copysign(0, -1), "NaN": math.NaN(), "NaN32": float32(math.NaN()), "float32": float32(1), "complex": 1 + 2i, "complex NaN": complex(1, math.NaN()), "complex 0": 0i, "complex -0": complex(math.Copysign(0, -1), 0), "complex64": complex64(1),
		"time": moment, "another zone": moment.UTC(), "later": moment.Add(1), "pointer to time": &moment, "duration": time.Second, "weekday": time.Monday,
		"bytes": []byte("b"), "nil bytes": []byte(nil), "no bytes": []byte{}, "named": role("r"), "array": [2][]int{{1}, nil}, "uuid": [16]byte{1},
		"strings": []string{"a", "b"}, "swapped": []string{"b", "a"}, "no strings": []string{}, "nil strings": []string(nil), "roles": roles{"r"},
		"ints": []int{1}, "no ints": []int{}, "nil ints": []int(nil), "floats": []float64{1, math.NaN()}, "matrix": [][]float64{{1}, {}, nil},
		"list": []any{1, "a", nil, []any{[]any{}}}, "no list": []any{}, "nil list": []any(nil),
		"map": map[string]any{"a": map[string]any{"b": []any{1}}, "n": nil}, "no map": map[string]any{}, "nil map": map[string]any(nil),
		"map of nil": map[string]any{"a": nil}, "map of nil by another key": map[string]any{"b": nil},
		"strings by string": map[string]string{"a": "b"}, "no strings by string": map[string]string{}, "nil strings by string": map[string]string(nil),
		"any by any": map[any]any{1: 2, "a": []any{}, nil: nil}, "by float": map[float64][]int{1: {2}}, "by struct": map[line]*line{{"a", 1}: {"b", 2}}, "set": map[string]struct{}{"a": {}},
		"cart": cart{Lines: []line{{"tea", 1}}, Notes: map[string]string{"a": "b"}, Next: &cart{}}, "no cart": cart{}, "pointer to cart": &cart{},
		"nil pointer": (*cart)(nil), "pointer to pointer": to(to(1)), "named pointer": pointer(&line{"a", 1}), "pointer to slice": &[]string{"a"}, "pointer to map": &map[string]int{"a": 1},
		"carts": []cart{{}, {Lines: []line{}}}, "pointers": []*line{{"a", 1}, nil}, "errors": []error{nil},
		"hidden bytes": struct{ b []byte }{}, "hidden any": struct{ v any }{1}, "hidden no bytes": struct{ b []byte }{[]byte{}},
		"hidden": hidden{"s", 1}, "otherwise hidden": hidden{"s", 2}, "cached": cached{Seen: []string{"s"}}, "embedding": embedding{inner{[]string{"a"}}, []string{"b"}},
		"netip": netip.MustParsePrefix("2001:db8::/32"), "zoned": netip.MustParseAddr("fe80::1%eth0"), "url.Values": url.Values{"a": {"b"}},
		"url": &url.URL{Host: "h", User: url.UserPassword("u", "p")}, "zero big.Int": big.Int{}, "location": *time.UTC,
		"func": (func())(nil), "chan": (chan int)(nil),
	}
}

func TestCloneIsEqual(t *testing.T) {
	values := samples()
	copied, err := Clone(values)
	if err != nil {
		t.Fatal(err)
	}
	seed := maphash.MakeSeed()
	for k, v := range values {
		t.Run(k.(string), func(t *testing.T) {
			c := copied[k]
			if !Equal(v, c) || !Equal(c, v) {
				t.Errorf("Clone of %#v is %#v", v, c)
			}
			if Hash(seed, v) != Hash(seed, c) {
				t.Errorf("the hashes of %#v and of its clone differ", v)
			}
			if reflect.TypeOf(v) != reflect.TypeOf(c) {
				t.Errorf("Clone of a %T is a %T", v, c)
			}
		})
	}
	if !EqualValues(values, copied) {
		t.Error("EqualValues(values, Clone(values)) = false")
	}
	// Two sets made apart share no memory by which they could be equal.
	if again := samples(); !EqualValues(values, again) {
		t.Error("samples made twice are not equal")
	}
}

func TestDifferentValuesAreNotEqual(t *testing.T) {
	a, b := samples(), samples()
	for k, v := range a {
		for l, w := range b {
			if (k == l) != Equal(v, w) {
				t.Errorf("Equal(%s, %s) = %v", k, l, k != l)
			}
		}
	}
}

func TestEqualValues(t *testing.T) {
	type m = map[any]any
	for _, test := range []struct {
		name string
		a, b m
		want bool
	}{
		{"nil and empty", nil, m{}, true},
		{"same", m{"a": 1}, m{"a": 1}, true},
		{"another value", m{"a": 1}, m{"a": 2}, false},
		{"another key", m{"a": nil}, m{"b": nil}, false},
		{"another type of key", m{1: 1}, m{int64(1): 1}, false},
		{"one more", m{"a": 1}, m{"a": 1, "b": 1}, false},
		{"NaN as a key", m{math.NaN(): 1}, m{math.NaN(): 1}, false},
	} {
		if got, reverse := EqualValues(test.a, test.b), EqualValues(test.b, test.a); got != test.want || reverse != test.want {
			t.Errorf("%s: EqualValues(%v, %v) = %v, reversed %v, want %v", test.name, test.a, test.b, got, reverse, test.want)
		}
	}
}

func TestEqualTimes(t *testing.T) {
	now := time.Now()
	gob, err := now.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var decoded time.Time
	if err := decoded.UnmarshalBinary(gob); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		a, b any
		want bool
	}{
		{"without the monotonic reading", now, now.Round(0), true},
		{"decoded", now, decoded, true},
		{"zones of one offset", moment, moment.In(time.FixedZone("elsewhere", 3600)), true},
		{"UTC and an offset of 0", moment.UTC(), moment.In(time.FixedZone("", 0)), true},
		{"another offset", moment, moment.UTC(), false},
		{"in a pointer", &moment, to(moment.In(time.FixedZone("elsewhere", 3600))), true},
		{"in a slice", []time.Time{now}, []time.Time{decoded}, true},
		{"embedded", struct{ time.Time }{now}, struct{ time.Time }{decoded}, true},
		{"in an interface", []any{now}, []any{decoded}, true},
		{"far away", time.Unix(1<<62, 0).UTC(), time.Unix(1<<62, 1).UTC(), false},
	} {
		if got := Equal(test.a, test.b); got != test.want {
			t.Errorf("%s: Equal(%v, %v) = %v", test.name, test.a, test.b, got)
		}
		seed := maphash.MakeSeed()
		if a, b := Hash(seed, test.a), Hash(seed, test.b); test.want && a != b {
			t.Errorf("%s: hashes %x and %x of equal values", test.name, a, b)
		}
	}
}

// Each change is made through the values that were cloned, and undone in nothing but the clone.
func TestCloneIsIndependent(t *testing.T) {
	for _, test := range []struct {
		name   string
		value  any
		change func(v any)
	}{
		{"[]byte", []byte("ab"), func(v any) { v.([]byte)[0] = 'x' }},
		{"[]string", []string{"a"}, func(v any) { v.([]string)[0] = "x" }},
		{"append within capacity", make([]string, 0, 4), func(v any) { _ = append(v.([]string), "x") }},
		{"[]int", []int{1}, func(v any) { v.([]int)[0] = 2 }},
		{"[]any", []any{1}, func(v any) { v.([]any)[0] = 2 }},
		{"[]any inside", []any{[]any{1}}, func(v any) { v.([]any)[0].([]any)[0] = 2 }},
		{"map[string]any", map[string]any{}, func(v any) { v.(map[string]any)["x"] = 1 }},
		{"map[string]any inside", map[string]any{"a": map[string]any{}}, func(v any) { v.(map[string]any)["a"].(map[string]any)["x"] = 1 }},
		{"map[string]string", map[string]string{}, func(v any) { v.(map[string]string)["x"] = "1" }},
		{"map[any]any", map[any]any{1: []int{1}}, func(v any) { v.(map[any]any)[1].([]int)[0] = 2 }},
		{"map of slices", url.Values{"a": {"b"}}, func(v any) { v.(url.Values)["a"][0] = "x" }},
		{"map of numbers", map[role]float64{"a": 1}, func(v any) { v.(map[role]float64)["a"] = 2 }},
		{"map of pointers", map[string]*line{"a": {}}, func(v any) { v.(map[string]*line)["a"].Count = 2 }},
		{"pointer", &line{"a", 1}, func(v any) { v.(*line).Count = 2 }},
		{"named pointer", pointer(&line{"a", 1}), func(v any) { v.(pointer).Count = 2 }},
		{"pointer to pointer", to(to(1)), func(v any) { **v.(**int) = 2 }},
		{"pointer to interface", to[any]([]any{1}), func(v any) { (*v.(*any)).([]any)[0] = 2 }},
		{"struct", cart{Lines: []line{{"a", 1}}}, func(v any) { v.(cart).Lines[0].Count = 2 }},
		{"map in a struct", cart{Notes: map[string]string{}}, func(v any) { v.(cart).Notes["x"] = "1" }},
		{"pointer in a struct", cart{Next: &cart{}}, func(v any) { v.(cart).Next.Lines = []line{} }},
		{"structs", []cart{{Lines: []line{{"a", 1}}}}, func(v any) { v.([]cart)[0].Lines[0].Count = 2 }},
		{"array", [1][]int{{1}}, func(v any) { v.([1][]int)[0][0] = 2 }},
		{"promoted field", embedding{inner: inner{[]string{"a"}}}, func(v any) { v.(embedding).List[0] = "x" }},
		{"unexported field behind a pointer", &hidden{"s", 1}, func(v any) { v.(*hidden).n = 2 }},
		{"unexported map, made later", &cached{}, func(v any) { v.(*cached).memo = map[string]int{"x": 1} }},
		{"time behind a pointer", to(moment), func(v any) { *v.(*time.Time) = moment.UTC() }},
		{"user of a URL", &url.URL{User: url.User("u")}, func(v any) { *v.(*url.URL).User = *url.User("x") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := map[any]any{"k": test.value}
			before, err1 := Clone(values)
			again, err2 := Clone(values)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			test.change(test.value)
			if !EqualValues(before, again) {
				t.Errorf("the change shows in a clone: %#v, another is %#v", before["k"], again["k"])
			}
			if s, ok := test.value.([]string); ok && len(s) == 0 {
				return // the append is not visible in the value either
			}
			if EqualValues(before, values) {
				t.Errorf("the change of %#v is not seen", test.value)
			}
		})
	}
}

func TestSharedPointersBecomeTwo(t *testing.T) {
	p := &line{"a", 1}
	copied, err := Clone(map[any]any{"k": []*line{p, p}})
	if err != nil {
		t.Fatal(err)
	}
	if s := copied["k"].([]*line); s[0] == s[1] || s[0] == p || *s[0] != *p || *s[1] != *p {
		t.Errorf("Clone of a pointer twice, %p, is %p and %p", p, s[0], s[1])
	}
}

func TestNotCloneable(t *testing.T) {
	for name, v := range map[string]any{
		"func":                            func() {},
		"chan":                            make(chan int),
		"func in a struct":                struct{ F func() }{func() {}},
		"chan in a list":                  []any{make(chan int)},
		"big.Int":                         *big.NewInt(7),
		"*big.Int":                        big.NewInt(7),
		"big.Int in a map":                map[string]big.Int{"a": *big.NewInt(7)},
		"unexported map":                  cached{memo: map[string]int{"a": 1}},
		"unexported empty map":            &cached{memo: map[string]int{}},
		"unexported interface":            struct{ v any }{[]int{1}},
		"error that wraps":                fmt.Errorf("%w", errors.New("x")),
		"map by pointer":                  map[*line]int{{}: 1},
		"map by an interface of pointers": map[any]any{&line{}: 1},
	} {
		_, err := Clone(map[any]any{"k": v, "a": 1})
		if err != ErrUncloneable {
			t.Errorf("%s: Clone returns %v, want ErrUncloneable", name, err)
		}
	}
	if _, err := Clone(map[any]any{&line{}: 1}); err != ErrUncloneable {
		t.Errorf("a pointer as a key: Clone returns %v", err)
	}
}

// cycles returns values that contain themselves. They are made anew at each call.
func cycles() map[string]any {
	list := []any{1, nil}
	list[1] = list
	twice := []any{nil, nil}
	twice[0], twice[1] = twice, twice
	part := make([]any, 3)
	part[2] = part[:3:3]
	m := map[string]any{}
	m["m"] = m
	long := map[string]any{"rest": slices.Repeat([]any{"x"}, 5000)}
	long["list"] = []any{map[string]any{"back": long}}
	ring := &node{Name: "a"}
	ring.Next = &node{Name: "b", Next: ring}
	kids := &node{Name: "a", Kids: []*node{nil, {Name: "b"}}}
	kids.Kids[1].Kids = []*node{kids}
	inAny := &node{}
	inAny.Any = map[string]any{"n": inAny}
	woods := grove{}
	woods["w"] = grove{"w": woods}
	var iface any
	iface = &iface
	var tie knot
	tie = &tie
	key := &node{}
	key.Next = key
	self := map[any]any{}
	self[&self] = 1
	return map[string]any{
		"list": list, "list twice": twice, "part of a slice": part, "map": m, "map with much else": long, "ring": ring, "value of a ring": *ring,
		"kids": kids, "interface in a struct": inAny, "typed map": woods, "pointer to an interface": iface, "pointer to itself": tie, "slice of a ring": []node{*ring},
		"map's key": map[any]any{key: 1}, "map in its own key": self, "typed key": map[*node]int{key: 1}, "key in a struct": map[keyed]int{{key}: 1},
		"key in an array": map[any]any{[1]any{key}: 1}, "beside a func": []any{func() {}, list}, "array": [1]any{list}, "deep": deep(maxDepth + 1), "deep lists": deepList(100_000), "chain": chain(100_000),
	}
}

func deep(n int) any {
	var v any = "end"
	for range n {
		v = map[string]any{"d": v}
	}
	return v
}

func deepList(n int) any {
	v := []any{}
	for range n {
		v = []any{v}
	}
	return v
}

func chain(n int) *node {
	var first *node
	for range n {
		first = &node{Next: first}
	}
	return first
}

func TestCycles(t *testing.T) {
	again := cycles()
	seed := maphash.MakeSeed()
	for name, v := range cycles() {
		t.Run(name, func(t *testing.T) {
			values := map[any]any{"a": 1, "k": v}
			_, cloneErr := Clone(values)
			want := fmt.Sprintf(`under key "k", type %T: `, v)
			for function, err := range map[string]error{"Clone": cloneErr, "CheckCycles": CheckCycles(values)} {
				if !errors.Is(err, ErrCycle) || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("%s returns %v, want ErrCycle with %q", function, err, want)
				}
			}
			if Equal(v, again[name]) {
				t.Error("a cyclic value equals another one")
			}
			for _, w := range []any{nil, 1, []any{1}, []any{1, []any{1, []any{}}}, map[string]any{"m": map[string]any{}}, node{}, &node{}} {
				if Equal(v, w) || Equal(w, v) {
					t.Errorf("a cyclic value equals %#v", w)
				}
			}
			if !Equal(v, v) {
				t.Error("a cyclic value does not equal itself")
			}
			if a, b := Hash(seed, v), Hash(seed, v); a != b {
				t.Errorf("a cyclic value has two hashes, %x and %x", a, b)
			}
		})
	}
}

func TestCyclicKeys(t *testing.T) {
	key := &node{}
	key.Next = key
	for _, k := range []any{key, keyed{key}, [1]any{key}} {
		values := map[any]any{"a": 1, k: 1}
		_, cloneErr := Clone(values)
		want := fmt.Sprintf("under a key of type %T, type %T: ", k, k)
		for function, err := range map[string]error{"Clone": cloneErr, "CheckCycles": CheckCycles(values)} {
			if !errors.Is(err, ErrCycle) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s returns %v, want ErrCycle with %q", function, err, want)
			}
		}
	}
}

// A codec can store what is cyclic only where no codec looks.
func TestHiddenCycles(t *testing.T) {
	parent := func() any {
		p := &tree{}
		p.Kids = []*tree{{parent: p}}
		return p
	}
	key := func() any {
		k := &tree{}
		k.known = map[any]any{k: []any{k}}
		return k
	}
	self := func() any {
		s := &selfish{}
		s.Self = s
		return s
	}
	seed := maphash.MakeSeed()
	for name, value := range map[string]func() any{"unexported pointer": parent, "unexported map's key": key, "encodes itself": self} {
		v := value()
		values := map[any]any{"k": v}
		if _, err := Clone(values); err != ErrUncloneable {
			t.Errorf("%s: Clone returns %v, want ErrUncloneable", name, err)
		}
		if err := CheckCycles(values); err != nil {
			t.Errorf("%s: CheckCycles returns %v", name, err)
		}
		if !Equal(v, v) || Equal(v, value()) {
			t.Errorf("%s: not equal to itself, or to another one", name)
		}
		if a, b := Hash(seed, v), Hash(seed, v); a != b {
			t.Errorf("%s: two hashes, %x and %x", name, a, b)
		}
	}
}

func TestWhatDoesNotContainItself(t *testing.T) {
	shared := []any{1}
	part := []any{1, nil} // its end holds its beginning, deep down
	part[1] = part[:1]
	var parts any = part
	for range trackDepth {
		parts = []any{parts}
	}
	values := map[any]any{
		"shared": []any{shared, shared, map[string]any{"a": shared}}, "part": parts, "deep": deep(maxDepth), "pointers": to(to(to(1))),
		"chain": chain(maxDepth / 2), "array": [2]any{1, nil}, "nil map": grove(nil), "nil pointer": (*node)(nil),
	}
	maps.Copy(values, samples())
	if _, err := Clone(values); err != nil {
		t.Errorf("Clone returns %v", err)
	}
	values["func"], values["uncloneable"] = func() {}, big.NewInt(1)
	if err := CheckCycles(values); err != nil {
		t.Errorf("CheckCycles returns %v", err)
	}
	if err := CheckCycles(nil); err != nil {
		t.Errorf("nil: CheckCycles returns %v", err)
	}
}

func TestDeepValues(t *testing.T) {
	if a, b := deep(maxDepth), deep(maxDepth); !Equal(a, b) {
		t.Error("as deep as may be: not equal")
	}
}

func TestNilAndEmptySessions(t *testing.T) {
	if c, err := Clone(nil); c != nil || err != nil {
		t.Errorf("Clone(nil) = %v, %v", c, err)
	}
	if c, err := Clone(map[any]any{}); c == nil || len(c) != 0 || err != nil {
		t.Errorf("Clone of an empty map = %v, %v", c, err)
	}
	if c, err := Clone(map[any]any{nil: 1, 2.5: []any{}}); err != nil || !maps.EqualFunc(c, map[any]any{nil: 1, 2.5: []any{}}, Equal) {
		t.Errorf("Clone of keys of other types = %v, %v", c, err)
	}
}

// Values of one hash are few, or merging by it would not be linear.
func TestHashesDiffer(t *testing.T) {
	seed := maphash.MakeSeed()
	seen := make(map[uint64]string)
	add := func(name string, v any) {
		h := Hash(seed, v)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	for i := range 500 {
		add(fmt.Sprint("string ", i), fmt.Sprint(i))
		add(fmt.Sprint("list ", i), []any{"a", i + 1000})
		add(fmt.Sprint("map ", i), map[string]any{"a": i + 2000, "b": "c"})
		add(fmt.Sprint("by any ", i), map[any]any{i + 3000: true, "b": "c"})
		add(fmt.Sprint("struct ", i), cart{Lines: []line{{"tea", i + 4000}}})
		add(fmt.Sprint("pointer ", i), &line{fmt.Sprint(i), i})
		add(fmt.Sprint("big ", i), big.NewInt(int64(i+5000)))
		add(fmt.Sprint("time ", i), moment.Add(time.Duration(i)))
		add(fmt.Sprint("float ", i), float64(i)+0.5)
		add(fmt.Sprint("complex ", i), complex(1.5, float64(i)))
	}
	add("nil first", []any{nil, 7000})
	add("nil last", []any{7000, nil})
	add("two strings", []string{"ab", "c"})
	add("two others", []string{"a", "bc"})
	add("keys swapped", map[string]string{"a": "b", "c": "d"})
	add("values swapped", map[string]string{"a": "d", "c": "b"})
	if a, b := Hash(seed, map[float64]int{0: 1}), Hash(seed, map[float64]int{math.Copysign(0, -1): 1}); a != b {
		t.Error("0 and -0 are one key, with two hashes")
	}
}

func TestConcurrentUse(t *testing.T) {
	values := samples()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if c, err := Clone(values); err != nil || !EqualValues(values, c) || CheckCycles(values) != nil {
					t.Error("Clone is not equal")
				}
			}
		})
	}
	wg.Wait()
}

// On random values without NaN, -0 and times, Equal is reflect.DeepEqual.
func TestEqualIsDeepEqual(t *testing.T) {
	type random struct {
		S  string
		I  int8
		B  []bool
		Y  []byte
		L  []string
		M  map[int8][]string
		P  *uint16
		PP **string
		N  []struct {
			C complex64
			R *rune
		}
		A [2]map[string]*int
	}
	seed := maphash.MakeSeed()
	check := func(a random, i uint8) bool {
		c, err := Clone(map[any]any{"k": &a})
		if err != nil {
			t.Log(err)
			return false
		}
		b := c["k"].(*random)
		if !reflect.DeepEqual(&a, b) || !Equal(&a, b) || Hash(seed, &a) != Hash(seed, b) {
			return false
		}
		switch i % 5 { // one change, if there is anything to change
		case 0:
			for k := range a.M {
				b.M[k] = append(b.M[k], "x")
			}
		case 1:
			if a.PP != nil && *a.PP != nil {
				**b.PP += "x"
			}
		case 2:
			if len(a.N) > 0 {
				b.N[0].C++
			}
		case 3:
			b.A[1] = nil
		case 4:
			clear(b.L)
		}
		return Equal(&a, b) == reflect.DeepEqual(&a, b)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

// session returns a session of roughly so many KiB.
func session(kib int) map[any]any {
	values := map[any]any{"user": "ann", "at": 1764000000, "admin": false, "since": moment}
	for n := range kib * 9 {
		values[fmt.Sprint("record", n)] = map[string]any{"sku": fmt.Sprint("TEA-", n), "count": n, "price": 4.5, "tags": []any{"loose", "tin"}}
	}
	return values
}

func BenchmarkSession(b *testing.B) {
	gob.Register(map[string]any{})
	gob.Register([]any{})
	gob.Register(time.Time{})
	for _, kib := range []int{1, 4, 32} {
		values := session(kib)
		base, err := Clone(values)
		if err != nil {
			b.Fatal(err)
		}
		typed := map[any]any{}
		for n := range kib * 2 {
			typed[fmt.Sprint("cart", n)] = &cart{Lines: slices.Repeat([]line{{"TEA", 1}}, 20), Notes: map[string]string{"a": "b"}}
		}
		typedBase, err := Clone(typed)
		if err != nil {
			b.Fatal(err)
		}
		for _, test := range []struct {
			name string
			f    func() bool
		}{
			{"clone", func() bool { c, _ := Clone(values); return c != nil }},
			{"clone typed", func() bool { c, _ := Clone(typed); return c != nil }},
			{"equal", func() bool { return EqualValues(values, base) }},
			{"equal typed", func() bool { return EqualValues(typed, typedBase) }},
			{"check", func() bool { return CheckCycles(values) == nil }},
			{"check typed", func() bool { return CheckCycles(typed) == nil }},
			{"gob", func() bool { var b bytes.Buffer; return gob.NewEncoder(&b).Encode(values) == nil }},
		} {
			b.Run(fmt.Sprintf("%s/%dKiB", test.name, kib), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !test.f() {
						b.Fatal("it failed")
					}
				}
			})
		}
	}
}
