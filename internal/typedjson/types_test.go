package typedjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestMain sets a time zone, so that no result depends on where the tests run.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("Here", 2*3600)
	m.Run()
}

// The types of an application.

type (
	Role       string
	Level      int8
	Small      uint8
	Tags       []string
	Counts     map[string]int
	Grid       [2]float32
	Flag       bool
	Pointer    *Cart
	Box[T any] struct{ V T }
)

type Cart struct {
	Count  int64
	Items  []Item            `json:"items"`
	Notes  map[string]string `json:"notes"`
	Coupon *string           `json:"coupon,omitzero"`
	Hidden string            `json:"-"`
	Extra  any
	secret string
}

type Item struct {
	SKU   string
	Price float64 `json:",string"`
}

type Embedded struct{ ID int }

// Everything has a field of every kind that JSON keeps.
type Everything struct {
	Embedded
	B     bool
	I8    int8
	U64   uint64
	F32   float32
	S     string
	Raw   []byte
	Arr   [3]int16
	BArr  [4]byte
	Role  Role
	At    time.Time
	AtP   *time.Time
	For   time.Duration
	ForP  *time.Duration
	Fors  map[time.Duration][]time.Duration
	Any   any
	Anys  []any
	Map   map[string]any
	Ints  map[int]string
	Roles map[Role][]Level
	Addrs map[netip.Addr]bool
	Times map[time.Time]int
	PP    **int
	Self  *Everything
	Lower Lower
	LowP  *Lower
	Temp  Temp
	Big   *big.Int
	In    struct{ X, Y int }
	Empty struct{}
	Zero  time.Time `json:",omitzero"`
}

// Lower encodes itself by its pointer.
type Lower struct{ s string }

func (l *Lower) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.s)), nil }
func (l *Lower) UnmarshalText(b []byte) error { l.s = string(b); return nil }

// Temp encodes itself by its value.
type Temp struct{ c float64 }

func (t Temp) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "{ \"c\": %g }", t.c), nil }
func (t *Temp) UnmarshalJSON(b []byte) error {
	_, err := fmt.Sscanf(strings.ReplaceAll(string(b), " ", ""), `{"c":%g}`, &t.c)
	return err
}

// Maybe is null when it is not set.
type Maybe struct {
	set bool
	n   int
}

func (m Maybe) MarshalJSON() ([]byte, error) {
	if !m.set {
		return []byte("null"), nil
	}
	return json.Marshal(m.n)
}

func (m *Maybe) UnmarshalJSON(b []byte) error {
	m.set = string(b) != "null"
	return json.Unmarshal(b, &m.n)
}

// Failing quotes its value, and its input, in its errors.
type Failing struct{ S string }

func (f Failing) MarshalText() ([]byte, error)  { return nil, errors.New("cannot take " + f.S) }
func (f *Failing) UnmarshalText(b []byte) error { return fmt.Errorf("cannot take %s", b) }

type (
	Node struct {
		Next  *Node
		Value any
	}
	Tree []Tree
)

func mustNew(t testing.TB, types ...any) *Codec {
	t.Helper()
	c, err := New(types...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testCodec returns a Codec that knows the types above.
func testCodec(t testing.TB) *Codec {
	return mustNew(t, Role(""), Level(0), Small(0), Tags{}, Counts{}, Grid{}, Flag(false), Pointer(nil), Box[int]{}, Box[float32]{}, Box[float64]{}, Box[complex64]{},
		Box[string]{}, Box[map[any]any]{}, Cart{}, &Item{},
		Everything{}, Lower{}, &Temp{}, Maybe{}, Node{}, Tree{}, &time.Time{}, new(time.Duration), new(int), (*Cart)(nil), []string{}, []Cart{})
}

func ptr[T any](v T) *T { return &v }

// equal is reflect.DeepEqual, except that a NaN equals another, -0 does not equal 0, and a time
// with the offset zero is in UTC.
func equal(a, b any) bool { return equalValues(reflect.ValueOf(a), reflect.ValueOf(b)) }

func equalValues(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	equalFloats := func(x, y float64) bool {
		return x != x && y != y || math.Float64bits(x) == math.Float64bits(y)
	}
	if a.Type() == reflect.TypeFor[time.Time]() {
		return reflect.DeepEqual(zeroAsUTC(a), zeroAsUTC(b))
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return equalFloats(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		return equalFloats(real(a.Complex()), real(b.Complex())) && equalFloats(imag(a.Complex()), imag(b.Complex()))
	case reflect.Interface, reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return equalValues(a.Elem(), b.Elem())
	case reflect.Slice, reflect.Array:
		if a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equalValues(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for iter := a.MapRange(); iter.Next(); {
			if !equalValues(iter.Value(), b.MapIndex(iter.Key())) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !equalValues(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

func zeroAsUTC(v reflect.Value) time.Time {
	t := v.Interface().(time.Time)
	if _, offset := t.Zone(); offset == 0 {
		return t.UTC()
	}
	return t
}
