package memdynamo

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// randomNumber is a number as a client may write it, mostly one of few digits
// and near others.
func randomNumber(r *rand.Rand) string {
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0123456789"[r.IntN(10)])
		}
		return b.String()
	}
	n := 1 + r.IntN(4)
	if r.IntN(4) == 0 {
		n = 1 + r.IntN(maxDigits)
	}
	s := []string{"", "-", "+"}[r.IntN(3)]
	switch d := digits(n); r.IntN(3) {
	case 0:
		s += d
	case 1:
		s += d + "."
	case 2:
		at := r.IntN(n + 1)
		s += d[:at] + "." + d[at:]
	}
	if r.IntN(3) == 0 {
		s += "e" + strconv.Itoa(r.IntN(241)-120)
	}
	return s
}

func rational(t *testing.T, s string) *big.Rat {
	t.Helper()
	x, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("big.Rat cannot read %q", s)
	}
	return x
}

// fits reports whether a number is one of DynamoDB's, by its exact value, which
// has no more than 400 decimals.
func fits(x *big.Rat) bool {
	if x.Sign() == 0 {
		return true
	}
	whole, frac, _ := strings.Cut(new(big.Rat).Abs(x).FloatString(400), ".")
	all := whole + frac
	first := len(all) - len(strings.TrimLeft(all, "0"))
	exp := len(whole) - 1 - first
	return len(strings.Trim(all, "0")) <= maxDigits && -130 <= exp && exp <= 125
}

// try returns what f returns, or the error that it panics with.
func try(f func() decimal) (d decimal, err *apiError) {
	err = attempt(func() { d = f() })
	return d, err
}

func TestDecimalsAgainstBigRat(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sums := 0
	for range 20000 {
		as, bs := randomNumber(r), randomNumber(r)
		ar, br := rational(t, as), rational(t, bs)
		a, err := try(func() decimal { return parseDecimal(as) })
		if (err == nil) != fits(ar) {
			t.Fatalf("parseDecimal(%q) = %v, %v; whether it fits: %v", as, a, err, fits(ar))
		}
		b, errB := try(func() decimal { return parseDecimal(bs) })
		if err != nil || errB != nil {
			continue
		}
		if back := rational(t, a.String()); back.Cmp(ar) != 0 || strings.ContainsAny(a.String(), "eE+") {
			t.Fatalf("parseDecimal(%q).String() = %q", as, a)
		}
		if again := parseDecimal(a.String()); again.String() != a.String() || again.Cmp(a.Rat) != 0 {
			t.Fatalf("%q is not canonical: %s, then %s", as, a, again)
		}
		cmp := ar.Cmp(br)
		if got := a.Cmp(b.Rat); got != cmp {
			t.Fatalf("%s compared to %s: %d, want %d", a, b, got, cmp)
		}
		if got := bytes.Compare(a.appendSortable(nil), b.appendSortable(nil)); got != cmp {
			t.Fatalf("the sortable forms of %s and %s compare as %d, want %d", a, b, got, cmp)
		}
		for _, c := range []struct {
			name string
			got  func() decimal
			want *big.Rat
		}{
			{"+", func() decimal { return a.plus(b) }, new(big.Rat).Add(ar, br)},
			{"-", func() decimal { return a.minus(b) }, new(big.Rat).Sub(ar, br)},
		} {
			got, err := try(c.got)
			if (err == nil) != fits(c.want) {
				t.Fatalf("%s %s %s = %v, %v; whether the exact result fits: %v", a, c.name, b, got, err, fits(c.want))
			}
			if err == nil {
				sums++
				if rational(t, got.String()).Cmp(c.want) != 0 {
					t.Fatalf("%s %s %s = %s, want %s", a, c.name, b, got, c.want.FloatString(140))
				}
			}
		}
	}
	if sums < 1000 {
		t.Errorf("only %d sums were possible", sums)
	}
}

func TestNumberSizes(t *testing.T) {
	// As DynamoDB Local counts them, found by filling items up to the limit.
	for s, want := range map[string]int{
		"0": 1, "1": 2, "-1": 3, "12": 2, "123": 3, "-123": 4, "1234": 3, "100": 2, "1000": 2, "1.5": 3, "12.5": 3,
		"0.01": 2, "0.1": 2, "10.1": 3, "101": 3, "1010": 3, "1e100": 2, "1700000000": 2, "1712345678": 6,
		"12345678901234567890123456789012345678": 20, "-12345678901234567890123456789012345678": 21,
	} {
		if got := parseDecimal(s).size(); got != want {
			t.Errorf("size of %s is %d, want %d", s, got, want)
		}
	}
}
