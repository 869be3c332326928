package codec

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// LZ4 fills dst from a raw LZ4 block, without a frame around it.
func LZ4(dst, src []byte) error {
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil {
		return fmt.Errorf("lz4: %w: %w", ErrCorrupt, err)
	}
	if n != len(dst) {
		return fmt.Errorf("lz4: %w: %d bytes come out, want %d", ErrCorrupt, n, len(dst))
	}
	return nil
}

// maxBlock is more than any page; a zstd frame that claims to be larger is
// refused before memory is taken for it.
const maxBlock = 1 << 20

// blockDecoder is made once: it holds tables, and decodes frames for any number
// of goroutines.
var blockDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
})

// Zstd fills dst from a zstd frame.
func Zstd(dst, src []byte) error {
	d, err := blockDecoder()
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	out, err := d.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return fmt.Errorf("zstd: %w: %w", ErrCorrupt, err)
	}
	if len(out) != len(dst) {
		return fmt.Errorf("zstd: %w: %d bytes come out, want %d", ErrCorrupt, len(out), len(dst))
	}
	copy(dst, out) // onto itself, unless the decoder took memory of its own
	return nil
}
