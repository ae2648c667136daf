package typedjson

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// keyEscape begins a key that is written in base64, as it is not UTF-8 or begins like this itself.
const keyEscape = "$base64:"

// base64Strict refuses what no encoder writes, so that two texts never mean the same bytes.
var base64Strict = base64.StdEncoding.Strict()

// plain holds the ASCII bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// skipPlain returns the offset, from i on, of the first byte of s that is not plain, or len(s).
func skipPlain(s string, i int) int {
	// Eight at a time. A subtraction sets the high bit of a byte that is smaller than what is taken from it, and an
	// exclusive or makes zero of the byte that is looked for. It may set higher bytes' bits as well, so that the loop
	// ends too early, but never too late.
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		if (w|(w-ones*' ')|((w^ones*'"')-ones)|((w^ones*'\\')-ones))&high != 0 {
			break
		}
	}
	for i < len(s) && plain[s[i]] {
		i++
	}
	return i
}

// appendString appends s as a JSON string. It reports false, and appends nothing, if s is not UTF-8.
// Nothing is escaped that JSON does not ask for.
func appendString(b []byte, s string) ([]byte, bool) {
	i := skipPlain(s, 0)
	if i < len(s) && !utf8.ValidString(s[i:]) {
		return b, false
	}
	b = append(b, '"')
	start := 0
	for ; i < len(s); i = skipPlain(s, i+1) {
		c := s[i]
		if c >= utf8.RuneSelf {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"'), true
}

// appendKey appends k, which may be any bytes, as the key of an object.
func appendKey(b []byte, k string) []byte {
	if !strings.HasPrefix(k, keyEscape) {
		if b, ok := appendString(b, k); ok {
			return b
		}
	}
	b = append(b, '"')
	b = append(b, keyEscape...)
	b = base64.StdEncoding.AppendEncode(b, []byte(k))
	return append(b, '"')
}

// parseKey returns the key that appendKey wrote as k.
func parseKey(k string) (string, bool) {
	rest, ok := strings.CutPrefix(k, keyEscape)
	if !ok {
		return k, true
	}
	b, err := base64Strict.DecodeString(rest)
	return string(b), err == nil
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// appendFloat appends f as the shortest number that reads back as f, with a point or an exponent, or as one of
// the strings "NaN", "+Inf" and "-Inf".
func appendFloat(b []byte, f float64, bits int) []byte {
	if !isFinite(f) {
		b = append(b, '"')
		b = strconv.AppendFloat(b, f, 'g', -1, bits)
		return append(b, '"')
	}
	// Exponents begin where those of encoding/json and JavaScript do.
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		b = strconv.AppendFloat(b, f, 'e', -1, bits)
		if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
			b[n-2] = b[n-1] // e-09 is e-9
			b = b[:n-1]
		}
		return b
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, bits)
	for _, c := range b[start:] {
		if c == '.' {
			return b
		}
	}
	return append(b, '.', '0')
}
