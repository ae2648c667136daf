// Package substring converts parts of bytes to strings, with one allocation for several short ones.
package substring

const (
	chunkSize   = 256
	shortLength = 64
)

// A Source converts parts of Data, best from its beginning to its end. A short string is a slice of
// a chunk of Data, which was converted as a whole: as long as the string is in use, so are the
// chunk's 256 bytes.
type Source struct {
	Data  []byte // does not change
	chunk string
	start int // of chunk in Data
}

// String returns Data[start:end] as a string, which shares no memory with Data.
func (s *Source) String(start, end int) string {
	if end-start > shortLength {
		return string(s.Data[start:end])
	}
	if start < s.start || end > s.start+len(s.chunk) {
		s.start = start
		s.chunk = string(s.Data[start:min(start+chunkSize, len(s.Data))])
	}
	return s.chunk[start-s.start : end-s.start]
}
