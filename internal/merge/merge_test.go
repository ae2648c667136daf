package merge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func deep(_, a, b any) bool { return reflect.DeepEqual(a, b) }

type m = map[any]any

func l(v ...any) []any { return append([]any{}, v...) }

func TestValues(t *testing.T) {
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
		{"other types of keys", m{1: "a"}, m{1: "a", true: "b"}, m{1: "c"}, m{1: "c", true: "b"}},

		{"both append", m{"f": l("a")}, m{"f": l("a", "t")}, m{"f": l("a", "o")}, m{"f": l("a", "t", "o")}},
		{"both append to nothing", m{}, m{"f": l("t")}, m{"f": l("o")}, m{"f": l("t", "o")}},
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
		{"we consume what they shorten", m{"f": l("a", "b")}, m{"f": l("b")}, m{}, m{}},
		{"a list against another type: ours", m{"f": l("a")}, m{"f": "t"}, m{"f": l("a", "o")}, m{"f": l("a", "o")}},
		{"another type before: ours", m{"f": "a"}, m{"f": l("t")}, m{"f": l("o")}, m{"f": l("o")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, theirs, ours := copyOf(test.base), copyOf(test.theirs), copyOf(test.ours)
			got := Values(base, theirs, ours, deep)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("Values(base %v, theirs %v, ours %v) = %v, want %v", test.base, test.theirs, test.ours, got, test.want)
			}
			if !reflect.DeepEqual(base, test.base) || !reflect.DeepEqual(theirs, test.theirs) || !reflect.DeepEqual(ours, test.ours) {
				t.Error("Values changed what it was given")
			}
		})
	}
}

func copyOf(v m) m {
	c := maps.Clone(v)
	for k, e := range c {
		if l, ok := e.([]any); ok {
			c[k] = slices.Clone(l)
		}
	}
	return c
}

// random is a session over few keys, so that sides often meet in one.
func random(r *rand.Rand) m {
	v := m{}
	for range r.IntN(5) {
		v[r.IntN(4)] = r.IntN(3)
	}
	return v
}

// changed is v after some changes; it returns the keys, too.
func changed(r *rand.Rand, v m) (m, map[any]bool) {
	c := maps.Clone(v)
	keys := make(map[any]bool)
	for range r.IntN(4) {
		k := r.IntN(6)
		keys[k] = true
		if r.IntN(3) == 0 {
			delete(c, k)
		} else {
			c[k] = r.IntN(4)
		}
	}
	return c, keys
}

func TestProperties(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 0))
		base := random(r)
		theirs, _ := changed(r, base)
		ours, _ := changed(r, base)
		merged := Values(base, theirs, ours, deep)

		if got := Values(base, theirs, base, deep); !reflect.DeepEqual(got, theirs) {
			t.Fatalf("seed %d: merging nothing into %v gives %v", seed, theirs, got)
		}
		if got := Values(base, base, ours, deep); !reflect.DeepEqual(got, ours) {
			t.Fatalf("seed %d: merging %v into what is unchanged gives %v", seed, ours, got)
		}
		if got := Values(theirs, merged, merged, deep); !reflect.DeepEqual(got, merged) {
			t.Fatalf("seed %d: merging %v again gives %v", seed, merged, got)
		}
		for k := range union(base, theirs, ours) {
			b, t1, o := at(base, k), at(theirs, k), at(ours, k)
			want := o
			if o == b {
				want = t1
			}
			if got := at(merged, k); got != want {
				t.Fatalf("seed %d: key %v: base %v, theirs %v, ours %v merge to %v, want %v", seed, k, b, t1, o, got, want)
			}
		}
	}
}

// Changes to other keys commute: three requests in any order leave the same session.
func TestOrderOfUnrelatedChangesDoesNotMatter(t *testing.T) {
	for seed := range uint64(5_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		base := random(r)
		// Side i changes only keys that leave i when divided by 3.
		var sides []m
		for i := range 3 {
			side := maps.Clone(base)
			for range r.IntN(4) {
				k := 3*r.IntN(3) + i
				if r.IntN(3) == 0 {
					delete(side, k)
				} else {
					side[k] = r.IntN(9)
				}
			}
			sides = append(sides, side)
		}
		var first m
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			stored := base
			for _, i := range order {
				stored = Values(base, stored, sides[i], deep)
			}
			if first == nil {
				first = stored
			} else if !reflect.DeepEqual(stored, first) {
				t.Fatalf("seed %d: order %v of %v on %v gives %v, another %v", seed, order, sides, base, stored, first)
			}
		}
	}
}

// Lists of distinct messages: each that was added is there once, each that was consumed by either
// side is not, each that neither touched is.
func TestFlashes(t *testing.T) {
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var base []any
		for i := range r.IntN(6) {
			base = append(base, fmt.Sprint("base", i))
		}
		side := func(name string) (list []any, consumed map[any]bool, added []any) {
			consumed = make(map[any]bool)
			for _, v := range base {
				if r.IntN(3) == 0 {
					consumed[v] = true
				} else {
					list = append(list, v)
				}
			}
			for i := range r.IntN(3) {
				added = append(added, fmt.Sprint(name, i))
			}
			return append(list, added...), consumed, added
		}
		theirs, consumedByThem, addedByThem := side("their")
		ours, consumedByUs, addedByUs := side("our")
		var want []any
		for _, v := range base {
			if !consumedByThem[v] && !consumedByUs[v] {
				want = append(want, v)
			}
		}
		want = append(append(want, addedByThem...), addedByUs...)
		got := lists(base, theirs, ours, func(a, b any) bool { return a == b })
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: base %v, theirs %v, ours %v merge to %v, want %v", seed, base, theirs, ours, got, want)
		}
	}
}

// Long lists that have nothing in common do not take time by the product of their lengths.
func TestLongLists(t *testing.T) {
	var base, theirs, ours []any
	for i := range 20_000 {
		base, theirs, ours = append(base, i), append(theirs, -1-i), append(ours, 1_000_000+i)
	}
	compared := 0
	got := lists(base, theirs, ours, func(a, b any) bool { compared++; return a == b })
	if want := slices.Concat(theirs, ours); !slices.Equal(got, want) {
		t.Errorf("%d elements merged, want %d", len(got), len(want))
	}
	if compared > 100_000 {
		t.Errorf("%d comparisons", compared)
	}
}

func union(maps ...m) map[any]bool {
	keys := make(map[any]bool)
	for _, v := range maps {
		for k := range v {
			keys[k] = true
		}
	}
	return keys
}

// at is what stands under a key; absent is told from every value.
func at(v m, k any) any {
	if e, ok := v[k]; ok {
		return e
	}
	return "absent"
}
