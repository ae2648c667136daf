package memdynamo

import (
	"cmp"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// A decimal is an exact number that DynamoDB can store: one of at most 38 digits, from 1E-130 to
// 9.99…E+125 or from -9.99…E+125 to -1E-130, or zero.
type decimal struct{ *big.Rat }

const (
	maxDigits = 38
	maxWhole  = 126 // digits before the point
	maxZeros  = 129 // zeros that follow the point in a number below 1
)

var number = regexp.MustCompile(`^([+-]?\d*\.?\d*)(?:[eE]([+-]?\d+))?$`)

// parseDecimal reads a number as DynamoDB accepts it: an optional sign, digits with an optional
// point, and an optional exponent.
func parseDecimal(s string) decimal {
	const notNumber = "A value provided cannot be converted into a number"
	m := number.FindStringSubmatch(s)
	refuseIf(m == nil, notNumber)
	exp, err := strconv.ParseInt(cmp.Or(m[2], "0"), 10, 32)
	limit := int64(len(s) + maxWhole + maxZeros) // an exponent beyond it is out of range anyway
	r, ok := new(big.Rat).SetString(m[1] + "e" + strconv.FormatInt(max(-limit, min(exp, limit)), 10))
	refuseIf(err != nil || !ok, notNumber)
	return newDecimal(r)
}

// decimalOf returns an integer as a decimal.
func decimalOf(n int64) decimal { return decimal{new(big.Rat).SetInt64(n)} }

// newDecimal checks that a number can be stored.
func newDecimal(r *big.Rat) decimal {
	d := decimal{r}
	whole, frac := d.parts()
	zeros := len(frac) - len(strings.TrimLeft(frac, "0"))
	refuseIf(len(strings.Trim(whole+frac, "0")) > maxDigits, "DynamoDB only supports precision up to 38 digits")
	refuseIf(len(whole) > maxWhole, "Number overflow. Attempting to store a number with magnitude larger than supported range")
	refuseIf(whole == "" && zeros > maxZeros, "Number underflow. Attempting to store a number with magnitude smaller than supported range")
	return d
}

// String returns the number without an exponent, as DynamoDB does.
func (d decimal) String() string {
	n, _ := d.FloatPrec()
	return d.FloatString(n)
}

// parts returns the digits before and behind the point, without zeros before the first or after the
// last.
func (d decimal) parts() (whole, frac string) {
	whole, frac, _ = strings.Cut(strings.TrimPrefix(d.String(), "-"), ".")
	return strings.TrimPrefix(whole, "0"), frac
}

// plus returns the exact sum. It refuses one that has too many digits or is out of range: DynamoDB
// does not round.
func (d decimal) plus(o decimal) decimal { return newDecimal(new(big.Rat).Add(d.Rat, o.Rat)) }

// minus is like plus.
func (d decimal) minus(o decimal) decimal { return newDecimal(new(big.Rat).Sub(d.Rat, o.Rat)) }

// size returns the number's size in an item: a byte for each pair of digits, where pairs are
// aligned at the decimal point, one more byte, and one for a sign.
func (d decimal) size() int {
	whole, frac := d.parts()
	pairs := strings.Repeat("0", len(whole)%2) + whole + frac + strings.Repeat("0", len(frac)%2)
	for strings.HasPrefix(pairs, "00") {
		pairs = pairs[2:]
	}
	for strings.HasSuffix(pairs, "00") {
		pairs = pairs[:len(pairs)-2]
	}
	n := len(pairs)/2 + 1
	if d.Sign() < 0 {
		n++
	}
	return n
}

// appendSortable appends bytes that sort as the numbers do: the number of digits before the point,
// then the digits, all inverted for a negative number. No number's bytes are a prefix of another's.
func (d decimal) appendSortable(b []byte) []byte {
	whole, frac := d.parts()
	from := len(b)
	b = append(b, 0x80+byte(len(whole)))
	b = append(b, whole+frac+"\x00"...)
	for i := from; d.Sign() < 0 && i < len(b); i++ {
		b[i] = ^b[i]
	}
	return b
}
