package typedjson

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// next skips white space and returns the byte at which it ends, or 0 at the end of the input.
func (d *decoder) next() byte {
	for d.pos < len(d.s) {
		switch c := d.s[d.pos]; c {
		case ' ', '\n', '\r', '\t':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// expect reads the byte c.
func (d *decoder) expect(c byte) error {
	if d.next() != c {
		return d.invalid()
	}
	d.pos++
	return nil
}

// comma reads the comma after an element and reports true, or reports false at the end.
func (d *decoder) comma(end byte) (bool, error) {
	switch d.next() {
	case ',':
		d.pos++
		return true, nil
	case end:
		return false, nil
	}
	return false, d.invalid()
}

// literal reads one of the words of JSON.
func (d *decoder) literal(word string) error {
	if !strings.HasPrefix(d.s[d.pos:], word) {
		return d.invalid()
	}
	d.pos += len(word)
	return nil
}

// string reads a string at pos and returns it to be kept.
func (d *decoder) string() (string, error) {
	s, own, err := d.quoted()
	if !own && len(d.s) > max(maxShared, maxFactor*len(s)) {
		s = d.clone(s)
	}
	return s, err
}

// clone returns a copy of s. Short strings are copied into a common chunk of memory, which is never reused.
func (d *decoder) clone(s string) string {
	if len(s) > maxShared/8 {
		return strings.Clone(s)
	}
	if d.chunk.Cap()-d.chunk.Len() < len(s) {
		size := min(max(2*d.chunk.Cap(), maxShared/8), maxShared)
		d.chunk.Reset()
		d.chunk.Grow(size)
	}
	d.chunk.WriteString(s)
	all := d.chunk.String()
	return all[len(all)-len(s):]
}

// quoted reads a string at pos. It is a part of the input unless it is reported to own its bytes.
func (d *decoder) quoted() (s string, own bool, err error) {
	start := d.pos + 1
	ascii := true
	for i := start; ; i++ {
		i = skipPlain(d.s, i)
		if i == len(d.s) {
			break
		}
		switch c := d.s[i]; {
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '"':
			s = d.s[start:i]
			if !ascii && !utf8.ValidString(s) {
				return "", false, d.fail(d.pos, "a string is not valid UTF-8")
			}
			d.pos = i + 1
			return s, false, nil
		case c == '\\':
			s, err := d.escaped(i)
			return s, true, err
		default:
			d.pos = i
			return "", false, d.invalid()
		}
	}
	d.pos = len(d.s)
	return "", false, d.invalid()
}

// escaped reads a string at pos whose first escape is at i.
func (d *decoder) escaped(i int) (string, error) {
	first := d.pos
	b := append(d.scratch[:0], d.s[first+1:i]...)
	for d.pos = i; d.pos < len(d.s); {
		c := d.s[d.pos]
		switch {
		case c == '"':
			d.pos++
			d.scratch = b
			if !utf8.Valid(b) {
				return "", d.fail(first, "a string is not valid UTF-8")
			}
			return string(b), nil
		case c == '\\':
			r, ok := d.escape()
			if !ok {
				return "", d.invalid()
			}
			b = utf8.AppendRune(b, r)
		case c < ' ':
			return "", d.invalid()
		default:
			end := d.pos + 1
			for end < len(d.s) && (plain[d.s[end]] || d.s[end] >= utf8.RuneSelf) {
				end++
			}
			b = append(b, d.s[d.pos:end]...)
			d.pos = end
		}
	}
	return "", d.invalid()
}

// escape reads the escape at pos. If it is none, pos stays.
func (d *decoder) escape() (rune, bool) {
	if d.pos+1 >= len(d.s) {
		return 0, false
	}
	var r rune
	switch c := d.s[d.pos+1]; c {
	case '"', '\\', '/':
		r = rune(c)
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	case 'u':
		r = hexRune(d.s[d.pos:])
		n := 6
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, hexRune(d.s[d.pos+6:])); r == utf8.RuneError {
				return 0, false
			}
			n = 12
		}
		if r < 0 {
			return 0, false
		}
		d.pos += n
		return r, true
	default:
		return 0, false
	}
	d.pos += 2
	return r, true
}

// hexRune returns the code unit of the \uXXXX with which s begins, or -1.
func hexRune(s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isNumeral reports whether c begins a number.
func isNumeral(c byte) bool { return c == '-' || isDigit(c) }

// numeral reads a number at pos and returns it as it is written. An integer has neither a point nor an exponent.
func (d *decoder) numeral() (text string, integer bool, err error) {
	start := d.pos
	if d.pos < len(d.s) && d.s[d.pos] == '-' {
		d.pos++
	}
	zero := d.pos < len(d.s) && d.s[d.pos] == '0'
	if n := d.digits(); n == 0 || zero && n > 1 {
		if zero {
			d.pos -= n - 1
		}
		return "", false, d.invalid()
	}
	integer = true
	if d.pos < len(d.s) && d.s[d.pos] == '.' {
		integer = false
		d.pos++
		if d.digits() == 0 {
			return "", false, d.invalid()
		}
	}
	if d.pos < len(d.s) && d.s[d.pos]|0x20 == 'e' {
		integer = false
		d.pos++
		if d.pos < len(d.s) && (d.s[d.pos] == '+' || d.s[d.pos] == '-') {
			d.pos++
		}
		if d.digits() == 0 {
			return "", false, d.invalid()
		}
	}
	return d.s[start:d.pos], integer, nil
}

// digits skips digits and returns how many there were.
func (d *decoder) digits() int {
	start := d.pos
	for d.pos < len(d.s) && isDigit(d.s[d.pos]) {
		d.pos++
	}
	return d.pos - start
}

// raw reads any value and returns its JSON, which is valid.
func (d *decoder) raw() ([]byte, error) {
	d.next()
	start := d.pos
	end := d.skim(start, nil)
	text := []byte(d.s[start:end])
	if !json.Valid(text) {
		return nil, d.fail(start, "invalid JSON in the value")
	}
	d.pos = end
	return text, nil
}

// singles knows which objects of a part of the input have a single key. A tagged value cannot be told from a map by
// its beginning; that part is therefore skimmed once, for all objects in it, so that
// nested ones do not make decoding quadratic.
type singles struct {
	end   int // the part is behind all before
	next  int // the first of seen that is not asked for yet
	seen  []candidate
	stack []open
}

// A candidate is an object that begins as a tagged value does.
type candidate struct {
	offset int
	single bool
}

// open is a bracket that is not closed yet.
type open struct {
	candidate int // in seen, or -1
	commas    bool
}

// single reports whether the object at offset has a single key. Offsets are asked for in ascending order.
func (d *decoder) single(offset int) bool {
	s := &d.singles
	if offset >= s.end {
		s.seen, s.next = s.seen[:0], 0
		s.end = d.skim(offset, s)
	}
	for s.next < len(s.seen) && s.seen[s.next].offset < offset {
		s.next++
	}
	return s.next < len(s.seen) && s.seen[s.next].offset == offset && s.seen[s.next].single
}

// skim returns the offset behind the value at offset, and notes in s, if there is one, its candidates.
// It looks at nothing but strings, brackets and commas: whether the JSON is valid is for others to see.
func (d *decoder) skim(offset int, s *singles) int {
	if s == nil {
		s = &singles{}
	}
	s.stack = s.stack[:0]
	for i := offset; i < len(d.s); i++ {
		switch d.s[i] {
		case '"':
			i = d.endOfString(i)
		case '{', '[':
			c := -1
			if d.s[i] == '{' && d.beginsTagged(i) {
				c = len(s.seen)
				s.seen = append(s.seen, candidate{offset: i})
			}
			s.stack = append(s.stack, open{candidate: c})
			continue
		case '}', ']':
			if len(s.stack) == 0 {
				return i // the end of what the value is in
			}
			top := s.stack[len(s.stack)-1]
			s.stack = s.stack[:len(s.stack)-1]
			if top.candidate >= 0 {
				s.seen[top.candidate].single = !top.commas
			}
		case ',':
			if len(s.stack) == 0 {
				return i
			}
			s.stack[len(s.stack)-1].commas = true
			continue
		case ':', ' ', '\n', '\r', '\t':
			if len(s.stack) == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if len(s.stack) == 0 {
			return min(i+1, len(d.s))
		}
	}
	return len(d.s)
}

// beginsTagged reports whether the first key of the object at i can begin with a $.
func (d *decoder) beginsTagged(i int) bool {
	for i++; i+1 < len(d.s); i++ {
		switch d.s[i] {
		case ' ', '\n', '\r', '\t':
		default:
			return d.s[i] == '"' && (d.s[i+1] == '$' || d.s[i+1] == '\\')
		}
	}
	return false
}

// endOfString returns the offset of the quote that closes the string at i, or the end of the input.
func (d *decoder) endOfString(i int) int {
	for {
		n := strings.IndexByte(d.s[i+1:], '"')
		if n < 0 {
			return len(d.s)
		}
		i += 1 + n
		backslashes := 0
		for d.s[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}
