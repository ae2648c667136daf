package envelope

import "github.com/klauspost/compress/zstd"

// windowSize is how far zstd looks back for repetitions. Few sessions are larger.
const windowSize = 256 << 10

// newEncoder and newDecoder return zstd (RFC 8878). It starts no goroutine, since it never streams.
func newEncoder() *zstd.Encoder {
	return must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowSize), zstd.WithLowerEncoderMem(true)))
}

func newDecoder() *zstd.Decoder {
	return must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true)))
}

func (e *Envelope) compress(plain []byte) []byte {
	return e.encoder().EncodeAll(plain, make([]byte, 0, len(plain)/2))
}

// decompress undoes compress. It returns an error if the result is larger than limit bytes. It
// accepts a frame that declares its size, as compress makes it, so the size is known before it
// begins. The decoder refuses to exceed it, so nothing but empty frames may follow.
func (e *Envelope) decompress(stored []byte, limit int) ([]byte, error) {
	var h zstd.Header
	switch err := h.Decode(stored); {
	case err != nil || h.Skippable || !h.HasFCS:
		return nil, errZstd
	case h.FrameContentSize > uint64(limit):
		return nil, errTooLong
	}
	plain, err := e.decoder().DecodeAll(stored, make([]byte, 0, h.FrameContentSize))
	if err != nil || uint64(len(plain)) != h.FrameContentSize {
		return nil, errZstd // zstd may quote its input
	}
	return plain, nil
}
