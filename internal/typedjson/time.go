package typedjson

import (
	"strconv"
	"strings"
	"time"
)

// Beyond these instants no time is written or read. Far from them, arithmetic on years would overflow.
var (
	minTime = time.Date(-999_998, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	maxTime = time.Date(999_998, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// maxOffset is above every offset from UTC that two digits of hours can show.
const maxOffset = 100 * 60 * 60

// appendTime appends t in the form of RFC 3339, with its offset from UTC, or Z for time.UTC alone: a zone
// that is merely at +00:00 is another thing, as it is for gob. Where RFC 3339 has no form, a year
// has a sign and an offset has seconds. It reports false for a time that it cannot write.
func appendTime(b []byte, t time.Time) ([]byte, bool) {
	utc := t.Location() == time.UTC
	_, offset := t.Zone()
	if sec := t.Unix(); sec < minTime || sec > maxTime || offset <= -maxOffset || offset >= maxOffset {
		return b, false
	}
	year := t.Year()
	if 0 <= year && year <= 9999 && (utc || offset != 0 && offset%60 == 0) {
		return t.AppendFormat(b, time.RFC3339Nano), true
	}
	switch {
	case year < 0:
		b = append(b, '-')
		year = -year
	case year > 9999:
		b = append(b, '+')
	}
	for n := 1000; n > 1 && year < n; n /= 10 {
		b = append(b, '0')
	}
	b = strconv.AppendInt(b, int64(year), 10)
	b = append(b, '-')
	b = t.AppendFormat(b, "01-02T15:04:05.999999999")
	switch {
	case utc:
		return append(b, 'Z'), true
	case offset%60 != 0:
		return t.AppendFormat(b, "-07:00:00"), true
	}
	return t.AppendFormat(b, "-07:00"), true
}

// parseTime reads what appendTime writes. As from gob, a time whose offset is that of time.Local is in
// time.Local, and one with another offset is in a zone without a name.
func parseTime(s string) (time.Time, bool) {
	p := timeParser{s: s, ok: true}
	years, negative := 4, p.accept('-')
	if negative || p.accept('+') {
		if years = strings.IndexByte(p.s, '-'); years < 4 || years > 6 {
			return time.Time{}, false
		}
	}
	year := p.number(years)
	if negative {
		year = -year
	}
	p.expect('-')
	month := p.number(2)
	p.expect('-')
	day := p.number(2)
	p.expect('T')
	hour := p.number(2)
	p.expect(':')
	minute := p.number(2)
	p.expect(':')
	second := p.number(2)
	nanosecond := p.fraction()
	if !p.ok || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanosecond, time.UTC)
	if int(t.Month()) != month || t.Day() != day {
		return time.Time{}, false // no such day
	}
	if p.s == "Z" {
		return t, inRange(t)
	}
	offset, ok := p.offset()
	if !ok {
		return time.Time{}, false
	}
	t = t.Add(-time.Duration(offset) * time.Second)
	if !inRange(t) {
		return time.Time{}, false
	}
	if local := t.In(time.Local); offsetOf(local) == offset {
		return local, true
	}
	return t.In(time.FixedZone("", offset)), true
}

func inRange(t time.Time) bool { return minTime <= t.Unix() && t.Unix() <= maxTime }

func offsetOf(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

// A timeParser consumes s from its front. Once something did not fit, ok is false.
type timeParser struct {
	s  string
	ok bool
}

func (p *timeParser) accept(c byte) bool {
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

func (p *timeParser) expect(c byte) {
	p.ok = p.accept(c) && p.ok
}

// number consumes n digits.
func (p *timeParser) number(n int) int {
	if len(p.s) < n {
		p.ok = false
		return 0
	}
	v := 0
	for _, c := range []byte(p.s[:n]) {
		if c < '0' || c > '9' {
			p.ok = false
			return 0
		}
		v = v*10 + int(c-'0')
	}
	p.s = p.s[n:]
	return v
}

// fraction consumes a point and up to nine digits, if they are there, and returns nanoseconds.
func (p *timeParser) fraction() int {
	if !p.accept('.') {
		return 0
	}
	n := 0
	for n < len(p.s) && '0' <= p.s[n] && p.s[n] <= '9' {
		n++
	}
	if n == 0 || n > 9 {
		p.ok = false
		return 0
	}
	v := p.number(n)
	for ; n < 9; n++ {
		v *= 10
	}
	return v
}

// offset consumes the rest, an offset from UTC, and returns its seconds.
func (p *timeParser) offset() (int, bool) {
	negative := p.accept('-')
	if !negative {
		p.expect('+')
	}
	hours := p.number(2)
	p.expect(':')
	minutes := p.number(2)
	seconds := 0
	if p.accept(':') {
		seconds = p.number(2)
	}
	if !p.ok || p.s != "" || minutes > 59 || seconds > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60 + seconds
	if negative {
		offset = -offset
	}
	return offset, true
}
