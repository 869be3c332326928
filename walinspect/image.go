package walinspect

import (
	"fmt"

	"forkpoint/walinspect/codec"
)

// Restore puts the page together in page, whose length is the cluster's data
// page size: the image decompressed, and zeros in the hole. The page's LSN is
// the one it had before the record; replay stamps the record's end on it.
func (i *Image) Restore(page []byte) error {
	hole, end := int(i.HoleOffset), int(i.HoleOffset)+int(i.HoleLen)
	if end > len(page) {
		return fmt.Errorf("restore page image: a hole up to byte %d in a page of %d", end, len(page))
	}
	full := page[:len(page)-int(i.HoleLen)]
	if err := i.unpack(full); err != nil {
		return fmt.Errorf("restore page image: %w", err)
	}
	copy(page[end:], full[hole:]) // the two may overlap
	clear(page[hole:end])
	return nil
}

func (i *Image) unpack(dst []byte) error {
	switch i.Compression {
	case PGLZ:
		return codec.PGLZ(dst, i.Data)
	case LZ4:
		return codec.LZ4(dst, i.Data)
	case Zstd:
		return codec.Zstd(dst, i.Data)
	}
	if len(i.Data) != len(dst) {
		return fmt.Errorf("%d bytes, want %d", len(i.Data), len(dst))
	}
	copy(dst, i.Data)
	return nil
}
