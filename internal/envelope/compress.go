package envelope

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// compressor is zstd (RFC 8878), created at its first use. It starts no goroutine, since it never
// streams.
type compressor struct {
	mu      sync.Mutex
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// windowSize is how far zstd looks back for repetitions. Few sessions are larger.
const windowSize = 256 << 10

func (c *compressor) compress(plain []byte) []byte {
	c.mu.Lock()
	if c.encoder == nil {
		var err error
		c.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowSize), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("dynamostore: zstd: " + err.Error()) // only for invalid options
		}
	}
	encoder := c.encoder
	c.mu.Unlock()
	return encoder.EncodeAll(plain, make([]byte, 0, len(plain)/2))
}

// decompress undoes compress. It returns an error if the result is larger than limit bytes. It
// accepts a single frame that declares its size, as compress makes it, so the size is known before
// it begins.
func (c *compressor) decompress(stored []byte, limit int) ([]byte, error) {
	size, ok := declaredSize(stored)
	switch {
	case !ok:
		return nil, errZstd
	case size > uint64(limit):
		return nil, errTooLong
	}
	c.mu.Lock()
	if c.decoder == nil {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic("dynamostore: zstd: " + err.Error()) // only for invalid options
		}
		c.decoder = decoder
	}
	decoder := c.decoder
	c.mu.Unlock()
	plain, err := decoder.DecodeAll(stored, make([]byte, 0, size))
	if err != nil || uint64(len(plain)) != size {
		return nil, errZstd // zstd may quote its input
	}
	return plain, nil
}

// declaredSize returns the size that a zstd frame declares, and whether stored is exactly one such
// frame. RFC 8878, section 3.1.1, defines frames and blocks.
func declaredSize(stored []byte) (size uint64, ok bool) {
	var h zstd.Header
	if err := h.Decode(stored); err != nil || h.Skippable || !h.HasFCS {
		return 0, false
	}
	rest := stored[h.HeaderSize:]
	for last := false; !last; {
		if len(rest) < 3 {
			return 0, false
		}
		header := uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16
		last = header&1 != 0
		n := int(header >> 3)
		if header>>1&3 == 1 { // one byte, repeated
			n = 1
		}
		if len(rest) < 3+n {
			return 0, false
		}
		rest = rest[3+n:]
	}
	if h.HasCheckSum {
		return h.FrameContentSize, len(rest) == 4
	}
	return h.FrameContentSize, len(rest) == 0
}
