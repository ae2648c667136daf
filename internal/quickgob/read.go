package quickgob

// A reader reads the tokens of a gob. It is bad once something is not as it should be; what it
// returns then is zero.
type reader struct {
	data []byte
	pos  int
	end  int // of the message that is being read
	bad  bool
}

// message begins the next message.
func (r *reader) message() {
	if r.pos != r.end {
		r.bad = true
		return
	}
	r.end = len(r.data)
	n := r.uint()
	if r.bad || n > uint64(len(r.data)-r.pos) {
		r.bad, r.end = true, r.pos
		return
	}
	r.end = r.pos + int(n)
}

// uint reads an unsigned integer: a byte, or the negated count of the bytes that follow.
func (r *reader) uint() uint64 {
	if r.pos >= r.end {
		r.bad = true
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	if b <= 0x7f {
		return uint64(b)
	}
	n := -int(int8(b))
	if n > 8 || n > r.end-r.pos {
		r.bad = true
		return 0
	}
	var x uint64
	for _, b := range r.data[r.pos : r.pos+n] {
		x = x<<8 | uint64(b)
	}
	r.pos += n
	return x
}

// int reads a signed integer: the lowest bit says that the others are its complement.
func (r *reader) int() int64 {
	x := r.uint()
	if x&1 != 0 {
		return ^int64(x >> 1)
	}
	return int64(x >> 1)
}

// bytes reads the next n bytes, which stay those of data.
func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(r.end-r.pos) {
		r.bad = true
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}
