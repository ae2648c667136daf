package record

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// A version names one write of data: its second, then 64 random bits, in the 21 characters of
// base32 that 13 bytes take.
const (
	versionSize   = 21
	secondsBytes  = 5
	secondsSize   = 8  // characters of the second
	shortBegin    = 6  // the short form has the last 10 bits of the second
	shortEnd      = 16 // and the first 40 random bits
	shortSize     = shortEnd - shortBegin
	shortWrap     = 1 << 10 // seconds after which the short form's second repeats
	recentMax     = 64      // versions in the attribute recent
	recentSeconds = 60      // how long a version stays there
)

const versionDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUV" // in the order of ASCII

var versionEncoding = base32.NewEncoding(versionDigits).WithPadding(base32.NoPadding)

// NewVersion returns a unique version for a write on top of base, which is nil for a new item. Its
// second is never before that of base, even if this machine's clock is slow, so the versions of an
// item are ordered by age.
func NewVersion(base *Item) string {
	second := uint64(max(time.Now().Unix(), 0))
	if base != nil {
		if s, ok := versionSecond(base.Version); ok && s > second {
			second = s
		}
	}
	var b [8 + 8]byte
	binary.BigEndian.PutUint64(b[:8], second)
	rand.Read(b[8:])
	return versionEncoding.EncodeToString(b[8-secondsBytes:])
}

// versionSecond returns the second of a version that this package made.
func versionSecond(version string) (uint64, bool) {
	if len(version) != versionSize {
		return 0, false
	}
	var b [8]byte
	n, err := versionEncoding.Decode(b[8-secondsBytes:], []byte(version[:secondsSize]))
	return binary.BigEndian.Uint64(b[:]), err == nil && n == secondsBytes
}

func shortVersion(version string) string { return version[shortBegin:shortEnd] }

// recentVersions returns the attribute recent for a write of the given version on top of base: the
// versions of the last minute before it, in short form, newest first. It is empty if the session
// was not written in that time.
func recentVersions(base *Item, version string) string {
	now, _ := versionSecond(version)
	second, ok := versionSecond(base.Version)
	now = max(now, second) // a move in two writes may come upon an item that is newer than its version
	if !ok || now-second > recentSeconds {
		return ""
	}
	kept := 0
	for older := range slices.Chunk([]byte(base.recent), shortSize) {
		if age := (now - shortSecond(string(older))) % shortWrap; age > recentSeconds || kept == (recentMax-1)*shortSize {
			break
		}
		kept += shortSize
	}
	return shortVersion(base.Version) + base.recent[:kept]
}

// shortSecond returns the bits of the second that a version in short form has.
func shortSecond(short string) uint64 {
	return uint64(strings.IndexByte(versionDigits, short[0])<<5 | strings.IndexByte(versionDigits, short[1]))
}

// validRecent reports whether recent, which anyone may have written, has the form that this package
// writes.
func validRecent(recent string) bool {
	return len(recent)%shortSize == 0 && len(recent) <= recentMax*shortSize &&
		strings.Trim(recent, versionDigits) == ""
}

// Shows reports whether the write with that version was applied to the item: it is the last write,
// or an earlier one that the item remembers. A nil item shows nothing.
func (i *Item) Shows(version string) bool {
	if i == nil || len(version) != versionSize {
		return false
	}
	for short := range slices.Chunk([]byte(i.recent), shortSize) {
		if string(short) == shortVersion(version) {
			return true
		}
	}
	return i.Version == version
}

// NewToken returns a unique token for a lock.
func NewToken() string { return rand.Text() }
