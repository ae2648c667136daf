package memdynamo

import (
	"bytes"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The range and precision of DynamoDB's numbers. A number's magnitude is written 0.DIGITS × 10^exp
// here, so the exponents are one above those of the documented 1E-130 and 9.99…E+125.
const (
	maxDigits = 38
	maxExp    = 126
	minExp    = -129
)

// A decimal is an exact number: 0.digits × 10^exp, negative if neg. The digits have no zeros at
// either end, so that equal numbers are equal decimals; zero is the zero decimal.
type decimal struct {
	neg    bool
	digits string
	exp    int
}

var number = regexp.MustCompile(`^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$`)

// parseDecimal reads a number as DynamoDB accepts it: an optional sign, digits with an optional
// point, and an optional exponent.
func parseDecimal(s string) decimal {
	m := number.FindStringSubmatch(s)
	ok := m != nil && m[2]+m[3] != ""
	exp := int64(0)
	if ok && m[4] != "" {
		var err error
		exp, err = strconv.ParseInt(m[4], 10, 32)
		ok = err == nil
	}
	refuseIf(!ok, "A value provided cannot be converted into a number")
	return newDecimal(m[1] == "-", m[2]+m[3], int(exp)+len(m[2]))
}

// decimalOf returns an integer as a decimal.
func decimalOf(n int64) decimal { return parseDecimal(strconv.FormatInt(n, 10)) }

// newDecimal normalizes 0.digits × 10^exp and checks that it can be stored.
func newDecimal(neg bool, digits string, exp int) decimal {
	trimmed := strings.TrimLeft(digits, "0")
	exp -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return decimal{}
	}
	refuseIf(len(trimmed) > maxDigits, "DynamoDB only supports precision up to 38 digits")
	refuseIf(exp > maxExp, "Number overflow. Attempting to store a number with magnitude larger than supported range")
	refuseIf(exp < minExp, "Number underflow. Attempting to store a number with magnitude smaller than supported range")
	return decimal{neg, trimmed, exp}
}

// String returns the number without an exponent, as DynamoDB does.
func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.neg {
		sign = "-"
	}
	switch n := len(d.digits); {
	case d.exp <= 0:
		return sign + "0." + strings.Repeat("0", -d.exp) + d.digits
	case d.exp >= n:
		return sign + d.digits + strings.Repeat("0", d.exp-n)
	}
	return sign + d.digits[:d.exp] + "." + d.digits[d.exp:]
}

// compare returns -1, 0 or 1 if d is less than, equal to or greater than o.
func (d decimal) compare(o decimal) int {
	var a, b [maxDigits + 3]byte
	return bytes.Compare(d.appendSortable(a[:0]), o.appendSortable(b[:0]))
}

func (d decimal) negated() decimal {
	d.neg = !d.neg && d.digits != ""
	return d
}

// plus returns the exact sum. It refuses one that has too many digits or is out of range: DynamoDB
// does not round.
func (d decimal) plus(o decimal) decimal {
	scale := min(d.exp-len(d.digits), o.exp-len(o.digits))
	sum := d.scaled(scale)
	sum.Add(sum, o.scaled(scale))
	digits := new(big.Int).Abs(sum).String()
	return newDecimal(sum.Sign() < 0, digits, scale+len(digits))
}

// scaled returns d / 10^scale, which must be an integer.
func (d decimal) scaled(scale int) *big.Int {
	zeros := d.exp - len(d.digits) - scale
	n, _ := new(big.Int).SetString("0"+d.digits+strings.Repeat("0", zeros), 10)
	if d.neg {
		n.Neg(n)
	}
	return n
}

// size returns the number's size in an item: a byte for each pair of digits, where pairs are
// aligned at the decimal point, one more byte, and one for a sign.
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

// appendSortable appends bytes that sort as the numbers do: the sign, the exponent and the digits,
// all inverted for a negative number. No number's bytes are a prefix of another's.
func (d decimal) appendSortable(b []byte) []byte {
	if d.digits == "" {
		return append(b, 0x80)
	}
	from := len(b)
	b = append(b, 0xc0, byte(d.exp-minExp))
	b = append(b, d.digits...)
	b = append(b, 0)
	if d.neg {
		for i := from; i < len(b); i++ {
			b[i] = ^b[i]
		}
	}
	return b
}
