package merge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/dynamostore/internal/snapshot"
)

type m = map[any]any

type obj = map[string]any

func l(v ...any) []any { return append([]any{}, v...) }

func s(v ...string) []string { return append([]string{}, v...) }

type (
	line struct {
		SKU   string
		Count int
	}
	cart struct {
		Lines  []line
		Notes  map[string]string
		Coupon string
		Total  int
		Any    any
		Owner  *person
		Seal   seal
	}
	person struct {
		Name  string
		Roles []string
	}
	order   struct{ ID, Status string }
	pointer *order
	roles   []string
	hidden  struct {
		A, B int
		c    int
	}
	stamped struct { // encodes itself, as time.Time does
		time.Time
		Notes []string
	}
	seal   struct{ A, B int }
	tagged struct{ A, B int } // encodes itself for JSON
)

func (tagged) MarshalJSONTo(any) error { return nil }

func TestValues(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	for _, test := range []struct {
		name                     string
		base, theirs, ours, want m
	}{
		{"nothing", m{}, m{}, m{}, m{}},
		{"nil maps", nil, nil, nil, m{}},
		{"we change", m{"a": 1, "b": 1}, m{"a": 1, "b": 1}, m{"a": 2, "b": 1}, m{"a": 2, "b": 1}},
		{"they change", m{"a": 1, "b": 1}, m{"a": 2, "b": 1}, m{"a": 1, "b": 1}, m{"a": 2, "b": 1}},
		{"both, other keys", m{"a": 1, "b": 1}, m{"a": 2, "b": 1}, m{"a": 1, "b": 2}, m{"a": 2, "b": 2}},
		{"both, one key: ours", m{"a": 1}, m{"a": 2}, m{"a": 3}, m{"a": 3}},
		{"both, one key, alike", m{"a": 1}, m{"a": 2}, m{"a": 2}, m{"a": 2}},
		{"we add", m{}, m{"a": 1}, m{"b": 2}, m{"a": 1, "b": 2}},
		{"both add one key", m{}, m{"a": 1}, m{"a": 2}, m{"a": 2}},
		{"we delete", m{"a": 1, "b": 1}, m{"a": 1, "b": 2}, m{"b": 1}, m{"b": 2}},
		{"they delete", m{"a": 1, "b": 1}, m{"b": 1}, m{"a": 1, "b": 2}, m{"b": 2}},
		{"both delete", m{"a": 1}, m{}, m{}, m{}},
		{"we delete what they change", m{"a": 1}, m{"a": 2}, m{}, m{}},
		{"they delete what we change", m{"a": 1}, m{}, m{"a": 2}, m{"a": 2}},
		{"nil is a value", m{"a": 1}, m{"a": 1}, m{"a": nil}, m{"a": nil}},
		{"nil is not absent", m{"a": nil}, m{"a": nil}, m{}, m{}},
		{"both set nil", m{"a": 1, "b": 1}, m{"a": nil, "b": 2}, m{"a": nil, "c": 1}, m{"a": nil, "c": 1}},
		{"other types of keys", m{1: "a"}, m{1: "a", true: "b"}, m{1: "c"}, m{1: "c", true: "b"}},
		{"NaN is unchanged", m{"a": math.NaN()}, m{"a": 1.5}, m{"a": math.NaN()}, m{"a": 1.5}},
		{"a time is unchanged", m{"a": now}, m{"a": now.Add(1)}, m{"a": now.In(time.FixedZone("", 0))}, m{"a": now.Add(1)}},

		{"both append", m{"f": l("a")}, m{"f": l("a", "t")}, m{"f": l("a", "o")}, m{"f": l("a", "t", "o")}},
		{"both append to nothing", m{}, m{"f": l("t")}, m{"f": l("o")}, m{"f": l("t", "o")}},
		{"both append to nil", m{"f": nil}, m{"f": l("t")}, m{"f": l("o")}, m{"f": l("t", "o")}},
		{"both append alike, each for itself", m{}, m{"f": l("saved")}, m{"f": l("saved")}, m{"f": l("saved", "saved")}},
		{"we consume, they append", m{"f": l("a")}, m{"f": l("a", "t")}, m{}, m{"f": l("t")}},
		{"they consume, we append", m{"f": l("a")}, m{}, m{"f": l("a", "o")}, m{"f": l("o")}},
		{"both consume", m{"f": l("a")}, m{}, m{}, m{}},
		{"both consume and append", m{"f": l("a")}, m{"f": l("t")}, m{"f": l("o")}, m{"f": l("t", "o")}},
		{"we consume, they consume and append", m{"f": l("a")}, m{"f": l("t")}, m{}, m{"f": l("t")}},
		{"we consume and append, they consume", m{"f": l("a")}, m{}, m{"f": l("o")}, m{"f": l("o")}},
		{"each takes one from the front", m{"f": l("a", "b", "c")}, m{"f": l("b", "c")}, m{"f": l("b", "c", "o")}, m{"f": l("b", "c", "o")}},
		{"each takes another", m{"f": l("a", "b", "c")}, m{"f": l("a", "c", "t")}, m{"f": l("b", "c")}, m{"f": l("c", "t")}},
		{"emptied, not deleted", m{"f": l("a", "b")}, m{"f": l("a")}, m{"f": l()}, m{"f": l()}},
		{"we empty, they append", m{"f": l("a")}, m{"f": l("a", "t")}, m{"f": l()}, m{"f": l("t")}},
		{"both remove all that is left", m{"f": l("a", "b")}, m{"f": l("a")}, m{"f": l("b")}, m{"f": l()}},
		{"we consume what they shorten", m{"f": l("a", "b")}, m{"f": l("b")}, m{}, m{}},
		{"a list against another type: ours", m{"f": l("a")}, m{"f": "t"}, m{"f": l("a", "o")}, m{"f": l("a", "o")}},
		{"another type before: ours", m{"f": "a"}, m{"f": l("t")}, m{"f": l("o")}, m{"f": l("o")}},
		{"another type of list: ours", m{"f": s("a")}, m{"f": s("a", "t")}, m{"f": l("a", "o")}, m{"f": l("a", "o")}},
		{"we delete what they made a string of", m{"f": l("a")}, m{"f": "t"}, m{}, m{}},
		{"they delete what we made a string of", m{"f": l("a")}, m{}, m{"f": "o"}, m{"f": "o"}},

		{"a revoked role stays revoked", m{"r": s("admin", "user", "dev")}, m{"r": s("user", "dev")}, m{"r": s("admin", "dev", "user")}, m{"r": s("user", "dev")}},
		{"a revoked role, in the other order", m{"r": s("admin", "user", "dev")}, m{"r": s("admin", "dev", "user")}, m{"r": s("user", "dev")}, m{"r": s("dev", "user")}},
		{"both sort: theirs", m{"r": s("a", "b", "c")}, m{"r": s("c", "b", "a")}, m{"r": s("b", "a", "c")}, m{"r": s("c", "b", "a")}},
		{"equal elements: the first is taken out", m{"r": s("x", "a", "x")}, m{"r": s("x", "a", "x", "t")}, m{"r": s("a", "x")}, m{"r": s("a", "x", "t")}},
		{"each takes out one of two equal ones", m{"r": s("x", "x")}, m{"r": s("x")}, m{"r": s("x")}, m{"r": s()}},
		{"they take out both, we one", m{"r": s("x", "x", "y")}, m{"r": s("y")}, m{"r": s("x", "y", "o")}, m{"r": s("y", "o")}},
		{"we append one that is there", m{"r": s("x")}, m{"r": s("x", "t")}, m{"r": s("x", "y", "x")}, m{"r": s("x", "t", "y", "x")}},
		{"named slice", m{"r": roles{"a"}}, m{"r": roles{"a", "t"}}, m{"r": roles{"a", "o"}}, m{"r": roles{"a", "t", "o"}}},
		{"ints", m{"r": []int{1}}, m{"r": []int{1, 2}}, m{"r": []int{1, 3}}, m{"r": []int{1, 2, 3}}},
		{"floats, NaN and -0 included", m{"r": []float64{math.NaN(), 0}}, m{"r": []float64{math.NaN(), 0, 1}}, m{"r": []float64{math.Copysign(0, -1)}}, m{"r": []float64{1, math.Copysign(0, -1)}}},
		{"slices of slices", m{"r": [][]string{{"a"}}}, m{"r": [][]string{{"a"}, {"t"}}}, m{"r": [][]string{{"a"}, {"o"}}}, m{"r": [][]string{{"a"}, {"t"}, {"o"}}}},
		{"slices of maps", m{"r": []obj{{"a": 1}}}, m{"r": []obj{{"a": 1}, {"t": 1}}}, m{"r": []obj{{"o": 1}}}, m{"r": []obj{{"t": 1}, {"o": 1}}}},
		{"an element that both change is there twice", m{"r": []line{{"tea", 1}}}, m{"r": []line{{"tea", 2}}}, m{"r": []line{{"tea", 3}}}, m{"r": []line{{"tea", 2}, {"tea", 3}}}},
		{"pointers by what they point to", m{"r": []*line{{"a", 1}}}, m{"r": []*line{{"a", 1}, {"t", 1}}}, m{"r": []*line{{"a", 1}, {"o", 1}}}, m{"r": []*line{{"a", 1}, {"t", 1}, {"o", 1}}}},
		{"nil slice, and they empty it", m{"r": s("a")}, m{"r": s()}, m{"r": []string(nil)}, m{"r": []string(nil)}},
		{"[]byte: ours", m{"r": []byte("a")}, m{"r": []byte("at")}, m{"r": []byte("ao")}, m{"r": []byte("ao")}},
		{"array: ours", m{"r": [2]int{1, 1}}, m{"r": [2]int{1, 2}}, m{"r": [2]int{2, 1}}, m{"r": [2]int{2, 1}}},
		{"time: ours", m{"r": now}, m{"r": now.Add(1)}, m{"r": now.Add(2)}, m{"r": now.Add(2)}},

		{"map of numbers", m{"c": map[string]int{"a": 1, "b": 1}}, m{"c": map[string]int{"a": 2, "b": 1, "t": 1}}, m{"c": map[string]int{"a": 1, "o": 1}}, m{"c": map[string]int{"a": 2, "t": 1, "o": 1}}},
		{"map by number", m{"c": map[int]bool{}}, m{"c": map[int]bool{1: true}}, m{"c": map[int]bool{2: true}}, m{"c": map[int]bool{1: true, 2: true}}},
		{"both make a map", m{}, m{"c": map[string]int{"t": 1}}, m{"c": map[string]int{"o": 1}}, m{"c": map[string]int{"t": 1, "o": 1}}},
		{"nested maps", m{"c": obj{"x": obj{"a": 1, "b": 1}}}, m{"c": obj{"x": obj{"a": 2, "b": 1}}}, m{"c": obj{"x": obj{"a": 1, "b": 2}}}, m{"c": obj{"x": obj{"a": 2, "b": 2}}}},
		{"list in a map", m{"c": obj{"x": l("a")}}, m{"c": obj{"x": l("a", "t")}}, m{"c": obj{"x": l("a", "o")}}, m{"c": obj{"x": l("a", "t", "o")}}},
		{"nil in a map", m{"c": obj{"x": 1, "y": nil}}, m{"c": obj{"x": nil, "y": nil}}, m{"c": obj{"x": 1, "z": nil}}, m{"c": obj{"x": nil, "z": nil}}},
		{"map of slices", m{"c": url.Values{"a": {"1"}}}, m{"c": url.Values{"a": {"1", "t"}}}, m{"c": url.Values{"a": {"1", "o"}}}, m{"c": url.Values{"a": {"1", "t", "o"}}}},
		{"map of structs", m{"c": map[string]line{"a": {"tea", 1}}}, m{"c": map[string]line{"a": {"tea", 2}}}, m{"c": map[string]line{"a": {"mate", 1}}}, m{"c": map[string]line{"a": {"mate", 2}}}},
		{"set", m{"c": map[string]struct{}{"a": {}}}, m{"c": map[string]struct{}{"a": {}, "t": {}}}, m{"c": map[string]struct{}{"o": {}}}, m{"c": map[string]struct{}{"t": {}, "o": {}}}},
		{"map that we delete and they add to", m{"c": obj{"a": 1}}, m{"c": obj{"a": 1, "t": 1}}, m{}, m{"c": obj{"t": 1}}},
		{"map that we delete and they change", m{"c": obj{"a": 1}}, m{"c": obj{"a": 2}}, m{}, m{}},
		{"map that they delete and we change", m{"c": obj{"a": 1, "b": 1}}, m{}, m{"c": obj{"a": 2, "b": 1}}, m{"c": obj{"a": 2}}},
		{"map that they delete and we shorten", m{"c": obj{"a": 1, "b": 1}}, m{}, m{"c": obj{"a": 1}}, m{}},
		{"map that we empty and they add to", m{"c": obj{"a": 1}}, m{"c": obj{"a": 1, "t": 1}}, m{"c": obj{}}, m{"c": obj{"t": 1}}},
		{"map that we empty and they shorten", m{"c": obj{"a": 1, "b": 1}}, m{"c": obj{"a": 1}}, m{"c": obj{}}, m{"c": obj{}}},
		{"nil map, empty map", m{"c": obj{"a": 1}}, m{"c": obj(nil)}, m{"c": obj{}}, m{"c": obj{}}},

		{"struct, other fields", m{"c": cart{Coupon: "b", Total: 1}}, m{"c": cart{Coupon: "t", Total: 1}}, m{"c": cart{Coupon: "b", Total: 2}}, m{"c": cart{Coupon: "t", Total: 2}}},
		{"struct, one field: ours", m{"c": cart{Total: 1}}, m{"c": cart{Total: 2}}, m{"c": cart{Total: 3}}, m{"c": cart{Total: 3}}},
		{
			"slice and map in a struct",
			m{"c": cart{Lines: []line{{"a", 1}}, Notes: map[string]string{"a": "x"}}},
			m{"c": cart{Lines: []line{{"a", 1}, {"t", 1}}, Notes: map[string]string{"a": "x", "t": "y"}}},
			m{"c": cart{Lines: []line{{"a", 1}, {"o", 1}}, Notes: map[string]string{"o": "z"}}},
			m{"c": cart{Lines: []line{{"a", 1}, {"t", 1}, {"o", 1}}, Notes: map[string]string{"t": "y", "o": "z"}}},
		},
		{"both make a struct", m{}, m{"c": cart{Lines: []line{{"t", 1}}, Coupon: "t"}}, m{"c": cart{Lines: []line{{"o", 1}}, Total: 1}}, m{"c": cart{Lines: []line{{"t", 1}, {"o", 1}}, Coupon: "t", Total: 1}}},
		{"list under an interface field", m{"c": cart{Any: l("a")}}, m{"c": cart{Any: l("a", "t")}}, m{"c": cart{Any: l("a", "o")}}, m{"c": cart{Any: l("a", "t", "o")}}},
		{"interface field, nil", m{"c": cart{Any: 1, Total: 1}}, m{"c": cart{Any: nil, Total: 1}}, m{"c": cart{Any: 1, Total: 2}}, m{"c": cart{Total: 2}}},
		{"interface field, other types: ours", m{"c": cart{Any: 1}}, m{"c": cart{Any: "t", Total: 1}}, m{"c": cart{Any: 2.5}}, m{"c": cart{Any: 2.5, Total: 1}}},
		{"struct in a struct", m{"c": cart{}}, m{"c": cart{Seal: seal{A: 1}}}, m{"c": cart{Seal: seal{B: 1}}}, m{"c": cart{Seal: seal{1, 1}}}},
		{"pointer to a struct", m{"c": &cart{Coupon: "b"}}, m{"c": &cart{Coupon: "t"}}, m{"c": &cart{Coupon: "b", Total: 1}}, m{"c": &cart{Coupon: "t", Total: 1}}},
		{"both make a pointer", m{}, m{"c": &cart{Coupon: "t"}}, m{"c": &cart{Total: 1}}, m{"c": &cart{Coupon: "t", Total: 1}}},
		{"named pointer", m{"c": pointer(&order{"1", "b"})}, m{"c": pointer(&order{"1", "t"})}, m{"c": pointer(&order{"2", "b"})}, m{"c": pointer(&order{"2", "t"})}},
		{"pointer in a struct", m{"c": cart{Owner: &person{Name: "b"}}}, m{"c": cart{Owner: &person{"b", s("t")}}}, m{"c": cart{Owner: &person{"o", s("o")}}}, m{"c": cart{Owner: &person{"o", s("t", "o")}}}},
		{"both set a pointer", m{"c": cart{}}, m{"c": cart{Owner: &person{"t", nil}}}, m{"c": cart{Owner: &person{"", s("o")}}}, m{"c": cart{Owner: &person{"t", s("o")}}}},
		{"pointer that we set to nil", m{"c": cart{Owner: &person{"b", nil}}}, m{"c": cart{Owner: &person{"t", nil}}}, m{"c": cart{Total: 1}}, m{"c": cart{Total: 1}}},
		{"pointer that they set to nil", m{"c": cart{Owner: &person{"b", nil}}}, m{"c": cart{Total: 1}}, m{"c": cart{Owner: &person{"o", nil}}}, m{"c": cart{Owner: &person{"o", nil}, Total: 1}}},
		{"pointer that both set to nil", m{"c": cart{Owner: &person{"b", nil}}}, m{"c": cart{Total: 1}}, m{"c": cart{Coupon: "o"}}, m{"c": cart{Coupon: "o", Total: 1}}},
		{"nil pointer under a key", m{"c": &cart{Total: 1}}, m{"c": (*cart)(nil)}, m{"c": &cart{Total: 2}}, m{"c": &cart{Total: 2}}},
		{"nil pointers", m{"c": &cart{Total: 1}}, m{"c": (*cart)(nil), "t": 1}, m{"c": (*cart)(nil)}, m{"c": (*cart)(nil), "t": 1}},
		{"value against pointer: ours", m{"c": cart{}}, m{"c": cart{Total: 1}}, m{"c": &cart{Coupon: "o"}}, m{"c": &cart{Coupon: "o"}}},
		{"hidden fields: whole", m{"c": hidden{1, 1, 1}}, m{"c": hidden{2, 1, 1}}, m{"c": hidden{1, 2, 1}}, m{"c": hidden{1, 2, 1}}},
		{"encodes itself: whole", m{"c": tagged{1, 1}}, m{"c": tagged{2, 1}}, m{"c": tagged{1, 2}}, m{"c": tagged{1, 2}}},
		{"encodes itself by an embedded type: whole", m{"c": stamped{now, s("b")}}, m{"c": stamped{now, s("b", "t")}}, m{"c": stamped{now, s("b", "o")}}, m{"c": stamped{now, s("b", "o")}}},
		{"pointer to a URL: whole", m{"c": &url.URL{Host: "b"}}, m{"c": &url.URL{Host: "t"}}, m{"c": &url.URL{Host: "b", Path: "o"}}, m{"c": &url.URL{Host: "b", Path: "o"}}},

		{"struct that we delete and they add to", m{"c": cart{Lines: []line{{"a", 1}}, Coupon: "b"}}, m{"c": cart{Lines: []line{{"a", 1}, {"t", 1}}, Coupon: "b"}}, m{}, m{"c": cart{Lines: []line{{"t", 1}}, Coupon: "b"}}},
		{"struct that we delete and they change", m{"c": order{"1", "b"}}, m{"c": order{"1", "t"}}, m{}, m{}},
		{"struct that they delete and we change", m{"c": order{"1", "b"}}, m{}, m{"c": order{"1", "o"}}, m{"c": order{"1", "o"}}},
		{"struct that they delete and we add to", m{"c": cart{Lines: []line{{"a", 1}}, Coupon: "b"}}, m{}, m{"c": cart{Lines: []line{{"a", 1}, {"o", 1}}, Coupon: "b"}}, m{"c": cart{Lines: []line{{"o", 1}}, Coupon: "b"}}},
		{"struct that they delete and we shorten", m{"c": cart{Lines: []line{{"a", 1}, {"b", 1}}}}, m{}, m{"c": cart{Lines: []line{{"a", 1}}}}, m{}},
		{
			"pointer to a struct that they delete and we add to",
			m{"c": &cart{Lines: []line{{"a", 1}}, Owner: &person{"b", s("b")}, Seal: seal{1, 2}, Any: 1}},
			m{},
			m{"c": &cart{Lines: []line{{"a", 1}, {"o", 1}}, Owner: &person{"b", s("b")}, Seal: seal{1, 2}, Any: 1}},
			m{"c": &cart{Lines: []line{{"o", 1}}, Owner: &person{"b", nil}, Seal: seal{1, 2}, Any: 1}},
		},
		{"map of pointers", m{"c": map[string]*order{"1": {"1", "b"}, "2": {"2", "b"}}}, m{"c": map[string]*order{"1": {"1", "t"}, "2": {"2", "b"}}}, m{"c": map[string]*order{"1": {"1", "b"}, "3": {"3", "o"}}}, m{"c": map[string]*order{"1": {"1", "t"}, "3": {"3", "o"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, theirs, ours := clone(t, test.base), clone(t, test.theirs), clone(t, test.ours)
			got, err := Values(t.Context(), base, theirs, ours)
			if err != nil || !equal(got, test.want) {
				t.Errorf("Values(base %v, theirs %v, ours %v) = %v, %v, want %v", show(base), show(theirs), show(ours), show(got), err, show(test.want))
			}
			if !equal(base, test.base) || !equal(theirs, test.theirs) || !equal(ours, test.ours) {
				t.Error("Values changed what it was given")
			}
			// One side alone.
			if got := values(t, base, base, ours); !equal(got, ours) {
				t.Errorf("merged into what is unchanged, %v becomes %v", show(ours), show(got))
			}
			if got := values(t, base, theirs, base); !equal(got, theirs) {
				t.Errorf("with nothing merged into it, %v becomes %v", show(theirs), show(got))
			}
		})
	}
}

func values(t testing.TB, base, theirs, ours m) m {
	t.Helper()
	got, err := Values(t.Context(), base, theirs, ours)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// equal tells nil from empty, as reflect.DeepEqual does.
func equal(a, b m) bool { return snapshot.EqualValues(a, b) }

func clone(t testing.TB, v m) m {
	t.Helper()
	c, err := snapshot.Clone(v)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func show(values m) string {
	var lines []string
	for k, v := range values {
		line := fmt.Sprintf("%v: %T %+v", k, v, v)
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
			line = fmt.Sprintf("%v: &%+v", k, p.Elem())
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// The semantics of lists, as simply as can be: the multiset formula of protocol_model.py.
func model[E comparable](base, theirs, ours []E) []E {
	count := make(map[E]int)
	for _, e := range base {
		count[e]++
	}
	var added []E
	for _, e := range ours {
		if count[e] > 0 {
			count[e]--
		} else {
			added = append(added, e)
		}
	}
	merged := []E{}
	for _, e := range theirs {
		if count[e] > 0 {
			count[e]--
		} else {
			merged = append(merged, e)
		}
	}
	return append(merged, added...)
}

func counts[E comparable](s []E) map[E]int {
	c := make(map[E]int)
	for _, e := range s {
		c[e]++
	}
	return c
}

// randomSides returns a base of few letters, and what each side made of it.
func randomSides(r *rand.Rand) (base, theirs, ours []string) {
	letters := func(n int) []string {
		s := []string{}
		for range r.IntN(n) {
			s = append(s, string(rune('a'+r.IntN(5))))
		}
		return s
	}
	base = letters(8)
	side := func() []string {
		s := slices.DeleteFunc(slices.Clone(base), func(string) bool { return r.IntN(4) == 0 })
		s = append(s, letters(3)...)
		switch r.IntN(4) {
		case 0:
			slices.Sort(s)
		case 1:
			r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		}
		return s
	}
	return base, side(), side()
}

func TestListsAreMultisets(t *testing.T) {
	for seed := range uint64(4_000) {
		r := rand.New(rand.NewPCG(seed, 0))
		base, theirs, ours := randomSides(r)
		got := values(t, m{"k": base}, m{"k": theirs}, m{"k": ours})["k"].([]string)
		want := model(base, theirs, ours)
		if slices.Equal(base, theirs) {
			want = ours // nothing changed but ours, order included
		}
		if slices.Equal(base, ours) {
			want = theirs
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: base %q, theirs %q, ours %q merge to %q, want %q", seed, base, theirs, ours, got, want)
		}
		// The formula itself: theirs - (base - ours) + (ours - base), no count below 0.
		b, th, o, n := counts(base), counts(theirs), counts(ours), counts(got)
		for _, e := range []string{"a", "b", "c", "d", "e"} {
			if want := max(0, th[e]-max(0, b[e]-o[e])) + max(0, o[e]-b[e]); n[e] != want {
				t.Fatalf("seed %d: base %q, theirs %q, ours %q merge to %q, with %q %d times, want %d", seed, base, theirs, ours, got, e, n[e], want)
			}
		}
		// As elements of any type, and wherever the list stands.
		boxed := func(s []string) (list []any) {
			list = []any{}
			for _, e := range s {
				list = append(list, &line{e, 1})
			}
			return list
		}
		for name, wrap := range map[string]func(s []string) any{
			"[]any":     func(s []string) any { return boxed(s) },
			"in a map":  func(s []string) any { return obj{"x": obj{"y": boxed(s)}} },
			"in a cart": func(s []string) any { return cart{Any: boxed(s)} },
		} {
			got, want := values(t, m{"k": wrap(base)}, m{"k": wrap(theirs)}, m{"k": wrap(ours)}), m{"k": wrap(want)}
			if !equal(got, want) {
				t.Fatalf("seed %d: %s, base %q, theirs %q, ours %q merge to %v, want %v", seed, name, base, theirs, ours, got, want)
			}
		}
	}
}

// random returns a value of few shapes, so that sides often meet in one.
func random(r *rand.Rand, depth int) any {
	n := 10
	if depth == 0 {
		n = 6
	}
	switch r.IntN(n) {
	case 0:
		return nil
	case 1:
		return r.IntN(3)
	case 2:
		return string(rune('a' + r.IntN(3)))
	case 3:
		return []string{"a", "b", "c"}[:r.IntN(4)]
	case 4:
		return map[string]int{"a": r.IntN(2), "b": r.IntN(2)}
	case 5:
		return []byte{byte(r.IntN(2))}
	case 6:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, random(r, depth-1))
		}
		return list
	case 7:
		o := obj{}
		for range r.IntN(4) {
			o[string(rune('x'+r.IntN(3)))] = random(r, depth-1)
		}
		return o
	}
	c := cart{Coupon: string(rune('a' + r.IntN(2))), Total: r.IntN(2), Any: random(r, depth-1)}
	for range r.IntN(3) {
		c.Lines = append(c.Lines, line{string(rune('a' + r.IntN(2))), r.IntN(2)})
	}
	if r.IntN(2) == 0 {
		c.Owner = &person{Name: string(rune('a' + r.IntN(2))), Roles: []string{"a", "b"}[:r.IntN(3)]}
	}
	if r.IntN(2) == 0 {
		return &c
	}
	return c
}

func randomValues(r *rand.Rand) m {
	v := m{}
	for range r.IntN(5) {
		v[r.IntN(4)] = random(r, 2)
	}
	return v
}

// changedAtRandom returns v after some changes.
func changedAtRandom(t testing.TB, r *rand.Rand, v m) m {
	c := clone(t, v)
	for range r.IntN(4) {
		k := r.IntN(6)
		switch e := c[k].(type) {
		case []any:
			c[k] = append(slices.Clone(e), r.IntN(3))
		case obj:
			e["x"] = random(r, 1)
		case *cart:
			e.Lines = append(e.Lines, line{"z", 1})
		case cart:
			e.Any = random(r, 1)
			c[k] = e
		default:
			if r.IntN(3) == 0 {
				delete(c, k)
			} else {
				c[k] = random(r, 2)
			}
		}
		if r.IntN(5) == 0 {
			delete(c, k)
		}
	}
	return c
}

func TestProperties(t *testing.T) {
	for seed := range uint64(4_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		base := randomValues(r)
		theirs, ours := changedAtRandom(t, r, base), changedAtRandom(t, r, base)
		b, th, o := clone(t, base), clone(t, theirs), clone(t, ours)
		merged := values(t, base, theirs, ours)

		if !equal(base, b) || !equal(theirs, th) || !equal(ours, o) {
			t.Fatalf("seed %d: Values changed what it was given", seed)
		}
		if got := values(t, b, theirs, base); !equal(got, theirs) {
			t.Fatalf("seed %d: merging nothing into %v gives %v", seed, show(theirs), show(got))
		}
		if got := values(t, b, base, ours); !equal(got, ours) {
			t.Fatalf("seed %d: merging %v into what is unchanged gives %v", seed, show(ours), show(got))
		}
		if got := values(t, theirs, merged, clone(t, theirs)); !equal(got, merged) {
			t.Fatalf("seed %d: merging nothing more into %v gives %v", seed, show(merged), show(got))
		}
		for k := range merged {
			_, inBase := base[k]
			_, inTheirs := theirs[k]
			_, inOurs := ours[k]
			if inBase && !inTheirs && snapshot.Equal(base[k], ours[k]) || !inTheirs && !inOurs {
				t.Fatalf("seed %d: key %v came back: base %v, theirs %v, ours %v merge to %v", seed, k, show(base), show(theirs), show(ours), show(merged))
			}
		}
	}
}

// Changes to other keys commute: three requests in any order leave the same session.
func TestOrderOfUnrelatedChangesDoesNotMatter(t *testing.T) {
	for seed := range uint64(2_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		base := m{"o": obj{}}
		for range r.IntN(6) {
			base["o"].(obj)[fmt.Sprint(r.IntN(9))] = r.IntN(3)
		}
		// Side i changes only keys that leave i when divided by 3.
		var sides []m
		for i := range 3 {
			side := clone(t, base)
			for range r.IntN(4) {
				k := fmt.Sprint(3*r.IntN(3) + i)
				if r.IntN(3) == 0 {
					delete(side["o"].(obj), k)
				} else {
					side["o"].(obj)[k] = r.IntN(9)
				}
			}
			sides = append(sides, side)
		}
		var first m
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			stored := base
			for _, i := range order {
				stored = values(t, base, stored, sides[i])
			}
			if first == nil {
				first = stored
			} else if !equal(stored, first) {
				t.Fatalf("seed %d: order %v of %v on %v gives %v, another %v", seed, order, sides, base, stored, first)
			}
		}
	}
}

// Ten requests that loaded the same session each add something, and are stored one after the other.
func TestTenParallelAppends(t *testing.T) {
	add := map[string]func(v any, name string) any{
		"[]string": func(v any, name string) any { list, _ := v.([]string); return append(slices.Clone(list), name) },
		"[]line":   func(v any, name string) any { list, _ := v.([]line); return append(slices.Clone(list), line{name, 1}) },
		"[]*line": func(v any, name string) any {
			list, _ := v.([]*line)
			return append(slices.Clone(list), &line{name, 1})
		},
		"[]any": func(v any, name string) any { list, _ := v.([]any); return append(slices.Clone(list), name) },
		"map[string]int": func(v any, name string) any {
			o, _ := v.(map[string]int)
			o = maps.Clone(o)
			if o == nil {
				o = make(map[string]int)
			}
			o[name] = 1
			return o
		},
		"cart": func(v any, name string) any {
			c, _ := v.(cart)
			c.Lines = append(slices.Clone(c.Lines), line{name, 1})
			if c.Notes = maps.Clone(c.Notes); c.Notes == nil {
				c.Notes = make(map[string]string)
			}
			c.Notes[name] = "note"
			return c
		},
		"nested maps": func(v any, name string) any {
			o, _ := v.(obj)
			if o == nil {
				o = obj{"x": obj{"y": obj{}}}
			}
			o["x"].(obj)["y"].(obj)[name] = true
			return o
		},
	}
	for kind, add := range add {
		for _, start := range []m{{}, {"k": add(nil, "first")}} {
			stored := start
			for n := range 10 {
				ours := clone(t, start)
				ours["k"] = add(ours["k"], fmt.Sprint("request ", n))
				stored = values(t, start, stored, ours)
			}
			found := fmt.Sprintf("%+v", stored)
			if list, ok := stored["k"].([]*line); ok {
				found = ""
				for _, l := range list {
					found += fmt.Sprint(*l)
				}
			}
			for n := range 10 {
				if name := fmt.Sprint("request ", n); !strings.Contains(found, name) {
					t.Errorf("%s, begun with %v: %q is lost, of %s", kind, start, name, found)
				}
			}
		}
	}
}

// A ring drops its oldest elements as it takes new ones. It stays as long as it is.
func TestRingDoesNotGrow(t *testing.T) {
	const size = 1200
	ring := func(from int) []int {
		r := make([]int, size)
		for i := range r {
			r[i] = from + i
		}
		return r
	}
	base := ring(0)
	theirs := append(slices.Clone(base[3:]), 10_001, 10_002, 10_003)
	ours := append(slices.Clone(base[2:]), 20_001, 20_002)
	got := values(t, m{"r": base}, m{"r": theirs}, m{"r": ours})["r"].([]int)
	want := append(slices.Clone(theirs), 20_001, 20_002)
	if !slices.Equal(got, want) {
		t.Errorf("a ring of %d merges to one of %d", size, len(got))
	}
	// All of it replaced by one side, as after many requests.
	got = values(t, m{"r": base}, m{"r": ring(size)}, m{"r": ours})["r"].([]int)
	if len(got) != size+2 {
		t.Errorf("a ring of %d that was gone through merges to one of %d", size, len(got))
	}
}

// The request may hold pointers into its values: where only we are concerned, they stay in the
// session.
func TestWhatTheRequestHoldsStays(t *testing.T) {
	base := m{"c": &cart{}, "o": obj{"p": &person{}}, "l": []*line{{"a", 1}, {"b", 1}}, "x": 1}
	theirs := clone(t, base)
	theirs["x"] = 2
	theirs["l"] = append(theirs["l"].([]*line), &line{"t", 1})
	ours := clone(t, base)
	c, o, list := ours["c"].(*cart), ours["o"].(obj), ours["l"].([]*line)
	p := o["p"].(*person)
	c.Total = 1
	ours["l"] = append(slices.Clone(list), &line{"o", 1})
	got := values(t, base, theirs, ours)
	if got["c"] != any(c) || got["o"].(obj)["p"] != any(p) {
		t.Error("what only we changed, or nobody, was copied")
	}
	if l := got["l"].([]*line); len(l) != 4 || l[0] != list[0] || l[1] != list[1] {
		t.Error("elements that both sides kept are not ours")
	}
	if got["x"] != 2 {
		t.Errorf("x = %v", got["x"])
	}
	got["new"] = 1
	if _, ok := ours["new"]; ok {
		t.Error("the result is the map that Values was given")
	}
	for _, same := range []m{base, ours} { // nothing to merge
		if got := values(t, base, base, same); !equal(got, same) || reflect.ValueOf(got).Pointer() == reflect.ValueOf(same).Pointer() {
			t.Error("the result is the map that Values was given")
		}
	}
}

// A value is replaced by a merged one, not changed: the request may still use it.
func TestPointersAreReplaced(t *testing.T) {
	ours := &cart{Coupon: "o"}
	theirs := &cart{Total: 1}
	got := values(t, m{"c": &cart{}}, m{"c": theirs}, m{"c": ours})["c"].(*cart)
	if got == ours || got == theirs || ours.Total != 0 || theirs.Coupon != "" || got.Total != 1 || got.Coupon != "o" {
		t.Errorf("merged to %+v; ours is %+v now, and theirs %+v", got, ours, theirs)
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Values(ctx, m{}, m{"a": 1}, m{"b": 1}); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v, %v", got, err)
	}
	// Cancelled on the way, in each kind of container.
	list := func(from int) []int {
		l := make([]int, 20_000)
		for i := range l {
			l[i] = from + i
		}
		return l
	}
	object := func(from int) map[int]bool {
		o := make(map[int]bool)
		for i := range 20_000 {
			o[from+i] = true
		}
		return o
	}
	for name, make := range map[string]func(int) any{
		"list": func(n int) any { return list(n) }, "map": func(n int) any { return object(n) },
		"struct": func(n int) any { return cart{Any: list(n)} }, "pointer": func(n int) any { return &cart{Any: list(n)} },
	} {
		counted := &countdown{Context: t.Context(), left: 5}
		if got, err := Values(counted, m{"k": make(0)}, m{"k": make(1)}, m{"k": make(2)}); got != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: with a context that ends: %d values, %v", name, len(got), err)
		}
	}
}

// A countdown is a context that ends when it has been looked at so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestCyclicValues(t *testing.T) {
	cyclic := func() obj {
		o := obj{"x": l(1)}
		o["self"] = o
		return o
	}
	base, theirs := m{"k": obj{"x": l(1)}}, m{"k": obj{"x": l(1, 2)}}
	if got, err := Values(t.Context(), base, theirs, m{"k": cyclic()}); err != nil || snapshot.CheckCycles(got) == nil {
		t.Errorf("ours is cyclic: error %v, and the result is not", err)
	}
	if _, err := Values(t.Context(), base, m{"k": cyclic()}, m{"k": cyclic()}); !errors.Is(err, snapshot.ErrCycle) {
		t.Errorf("both are cyclic: error %v, want ErrCycle", err)
	}
	list := l(1, nil)
	list[1] = list
	if _, err := Values(t.Context(), m{"k": l(1)}, m{"k": l(1, 2)}, m{"k": list}); err != nil {
		t.Errorf("a list that contains itself: %v", err)
	}
	type knot *knot
	var tie knot
	tie = &tie
	if _, err := Values(t.Context(), m{"k": l(1)}, m{"k": tie}, m{"k": tie}); err != nil {
		t.Errorf("a pointer to itself: %v", err)
	}
}

// elements returns sides of so many elements, a tenth of which both changed.
func elements(kind string, n int) (base, theirs, ours m) {
	side := func(name string) m {
		label := func(i int) string {
			if i%10 == 0 && name != "" {
				return fmt.Sprint(name, i)
			}
			return fmt.Sprint("element ", i)
		}
		switch kind {
		case "strings":
			list := make([]string, n)
			for i := range list {
				list[i] = label(i)
			}
			return m{"k": list}
		case "structs":
			list := make([]line, n)
			for i := range list {
				list[i] = line{label(i), i}
			}
			return m{"k": list}
		case "objects":
			list := make([]any, n)
			for i := range list {
				list[i] = obj{"sku": label(i), "count": i}
			}
			return m{"k": list}
		case "deep":
			v := any(label(0))
			for range n {
				v = obj{"x": v}
			}
			return m{"k": v}
		}
		o := make(obj, n)
		for i := range n {
			o[fmt.Sprint(i)] = label(i)
		}
		return m{"k": o}
	}
	return side(""), side("their "), side("our ")
}

// A stepCounter counts the steps of a merge, each of which looks at the context.
type stepCounter struct {
	context.Context
	steps int
}

func (c *stepCounter) Err() error {
	c.steps++
	return nil
}

// Ten times as many elements take about ten times as many steps, whatever holds them.
func TestStepsAreLinear(t *testing.T) {
	for _, kind := range []string{"strings", "structs", "objects", "map", "deep"} {
		steps := func(n int) int {
			base, theirs, ours := elements(kind, n)
			ctx := &stepCounter{Context: t.Context()}
			if _, err := Values(ctx, base, theirs, ours); err != nil {
				t.Error(err)
			}
			return ctx.steps
		}
		if few, many := steps(500), steps(5000); many > 11*few || many > 8*5000 {
			t.Errorf("%s: %d steps for 500 elements, %d for 5000", kind, few, many)
		}
	}
}

func BenchmarkValues(b *testing.B) {
	for _, kind := range []string{"strings", "structs", "objects", "map", "deep"} {
		for _, n := range []int{100, 1000, 10_000} {
			if kind == "deep" && n == 10_000 {
				n = 5000
			}
			base, theirs, ours := elements(kind, n)
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Values(b.Context(), base, theirs, ours); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}
