package quickgob

import "github.com/gorilla/securecookie"

// Serializer is securecookie's serializer, encoding/gob, with strings written and read by themselves: as session
// IDs are, which are all that the cookies of a Store hold. The bytes are the same.
type Serializer struct{ gob securecookie.GobEncoder }

var _ securecookie.Serializer = Serializer{}

// Serialize returns src as a gob.
func (s Serializer) Serialize(src any) ([]byte, error) {
	text, ok := src.(string)
	if !ok {
		return s.gob.Serialize(src)
	}
	e := encoder{buf: make([]byte, 0, len(text)+maxUint+2)}
	e.int(idString)
	e.buf = append(e.buf, 0)
	e.string(text)
	data := make([]byte, 0, maxUint+len(e.buf))
	return append(appendUint(data, uint64(len(e.buf))), e.buf...), nil
}

// Deserialize reads a gob into dst.
func (s Serializer) Deserialize(src []byte, dst any) error {
	if text, ok := dst.(*string); ok {
		r := reader{data: src}
		r.message()
		if id, delta, b := r.int(), r.uint(), r.bytes(r.uint()); !r.bad && id == idString && delta == 0 {
			*text = string(b)
			return nil
		}
	}
	return s.gob.Deserialize(src, dst)
}
