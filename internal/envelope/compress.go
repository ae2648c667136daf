package envelope

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// compressor is zstd (RFC 8878), made when it is first needed. It starts no goroutine: what it
// compresses is there as a whole.
type compressor struct {
	mu      sync.Mutex
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	limit   int // of decoder
}

// windowSize is as much as zstd looks back for repetitions: few sessions are larger.
const windowSize = 256 << 10

func (c *compressor) compress(plain []byte) []byte {
	c.mu.Lock()
	if c.encoder == nil {
		var err error
		c.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowSize), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("dynamostore: zstd: " + err.Error()) // only for options that it does not take
		}
	}
	encoder := c.encoder
	c.mu.Unlock()
	return encoder.EncodeAll(plain, make([]byte, 0, len(plain)/2))
}

// decompress returns what compress was given, or an error if that is more than limit bytes.
func (c *compressor) decompress(stored []byte, limit int) ([]byte, error) {
	c.mu.Lock()
	if c.decoder == nil || c.limit != limit {
		decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(limit)), zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic("dynamostore: zstd: " + err.Error()) // only for options that it does not take
		}
		c.decoder, c.limit = decoder, limit
	}
	decoder := c.decoder
	c.mu.Unlock()
	plain, err := decoder.DecodeAll(stored, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, errTooLong
	case err != nil:
		return nil, errZstd // zstd may quote its input
	case len(plain) > limit:
		return nil, errTooLong
	}
	return plain, nil
}
