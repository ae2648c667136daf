package memdynamo

import (
	"math/big"
	"strconv"
	"strings"
)

// The range and precision of DynamoDB's numbers. A number's magnitude is
// written 0.DIGITS × 10^exp here, so the exponents are one above those of the
// documented 1E-130 and 9.99…E+125.
const (
	maxDigits = 38
	maxExp    = 126
	minExp    = -129
)

// A decimal is an exact number: 0.digits × 10^exp, negative if neg. The digits
// have no zeros at either end, so that equal numbers are equal decimals; zero
// is the zero decimal.
type decimal struct {
	neg    bool
	digits string
	exp    int
}

var errNotNumber = validation("A value provided cannot be converted into a number")

// parseDecimal reads a number as DynamoDB accepts it: an optional sign,
// digits with an optional point, and an optional exponent.
func parseDecimal(s string) (decimal, error) {
	rest := s
	var d decimal
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		d.neg = rest[0] == '-'
		rest = rest[1:]
	}
	mantissa, exponent, hasExp := rest, "", false
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		mantissa, exponent, hasExp = rest[:i], rest[i+1:], true
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	digits := whole
	if frac != "" {
		digits += frac
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return decimal{}, errNotNumber
	}
	exp := 0
	if hasExp {
		e, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil || strings.Contains(exponent, "_") {
			return decimal{}, errNotNumber
		}
		exp = int(e)
	}
	return newDecimal(d.neg, digits, exp+len(whole))
}

// newDecimal normalizes 0.digits × 10^exp and checks that it can be stored.
func newDecimal(neg bool, digits string, exp int) (decimal, error) {
	trimmed := strings.TrimLeft(digits, "0")
	exp -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	switch {
	case trimmed == "":
		return decimal{}, nil
	case len(trimmed) > maxDigits:
		return decimal{}, validation("DynamoDB only supports precision up to 38 digits")
	case exp > maxExp:
		return decimal{}, validation("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case exp < minExp:
		return decimal{}, validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return decimal{neg, trimmed, exp}, nil
}

// String is the number in full, without an exponent, as DynamoDB answers it.
func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	switch n := len(d.digits); {
	case d.exp <= 0:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -d.exp))
		b.WriteString(d.digits)
	case d.exp >= n:
		b.WriteString(d.digits)
		b.WriteString(strings.Repeat("0", d.exp-n))
	default:
		b.WriteString(d.digits[:d.exp])
		b.WriteByte('.')
		b.WriteString(d.digits[d.exp:])
	}
	return b.String()
}

// compare is negative, zero or positive as d is below, equal to or above o.
func (d decimal) compare(o decimal) int {
	if ds, os := d.sign(), o.sign(); ds != os || ds == 0 {
		return ds - os
	}
	c := d.exp - o.exp
	if c == 0 {
		c = strings.Compare(d.digits, o.digits)
	}
	if d.neg {
		return -c
	}
	return c
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.neg:
		return -1
	}
	return 1
}

func (d decimal) negated() decimal {
	d.neg = !d.neg && d.digits != ""
	return d
}

// plus is the exact sum, or an error where that has too many digits or is out
// of range: DynamoDB does not round.
func (d decimal) plus(o decimal) (decimal, error) {
	if d.digits == "" {
		return o, nil
	}
	if o.digits == "" {
		return d, nil
	}
	scale := min(d.exp-len(d.digits), o.exp-len(o.digits))
	sum := d.scaled(scale)
	sum.Add(sum, o.scaled(scale))
	digits := new(big.Int).Abs(sum).String()
	return newDecimal(sum.Sign() < 0, digits, scale+len(digits))
}

// scaled is d / 10^scale, for a scale at which that is an integer.
func (d decimal) scaled(scale int) *big.Int {
	zeros := d.exp - len(d.digits) - scale
	n, _ := new(big.Int).SetString(d.digits+strings.Repeat("0", zeros), 10)
	if d.neg {
		n.Neg(n)
	}
	return n
}

// size is what the number counts in an item: a byte for each pair of digits,
// pairs being aligned at the decimal point, one more, and one for a sign.
func (d decimal) size() int {
	if d.digits == "" {
		return 1
	}
	n := (len(d.digits)+d.exp&1+1)/2 + 1
	if d.neg {
		n++
	}
	return n
}

// appendSortable appends bytes that compare as the numbers do.
func (d decimal) appendSortable(b []byte) []byte {
	switch d.sign() {
	case 0:
		return append(b, 1)
	case 1:
		b = append(b, 2, byte(d.exp-minExp))
		b = append(b, d.digits...)
		return append(b, 0)
	}
	b = append(b, 0, ^byte(d.exp-minExp))
	for i := range len(d.digits) {
		b = append(b, ^d.digits[i])
	}
	return append(b, 0xff)
}
