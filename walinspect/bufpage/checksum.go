package bufpage

import (
	"encoding/binary"
	"fmt"

	"forkpoint/walinspect/pg"
)

// lanes is how many words of a page are mixed side by side (N_SUMS in
// src/include/storage/checksum_impl.h).
const lanes = 32

// prime multiplies a lane at each step (FNV_PRIME).
const prime = 16777619

// offsets is what the lanes start with (checksumBaseOffsets).
var offsets = [lanes]uint32{
	0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
	0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
	0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
	0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
}

// Checksum computes what the header's checksum field should hold
// (pg_checksum_page in src/include/storage/checksum_impl.h). block counts from
// the start of the fork, across its files. A new page has no checksum: its
// result means nothing. The page is at least 1 kB long.
func Checksum(page []byte, block pg.BlockNumber) uint16 {
	sums := offsets
	for row := 0; row+4*lanes <= len(page); row += 4 * lanes {
		words := page[row:][:4*lanes]
		for j := range sums {
			word := binary.LittleEndian.Uint32(words[4*j:])
			if row == 0 && j == 2 {
				word &^= 0xFFFF // the checksum field itself counts as zero
			}
			sums[j] = mix(sums[j], word)
		}
	}
	result := uint32(block)
	for j := range sums {
		result ^= mix(mix(sums[j], 0), 0)
	}
	return uint16(result%65535 + 1)
}

func mix(sum, word uint32) uint32 {
	sum ^= word
	return sum*prime ^ sum>>17
}

// SetChecksum writes the checksum into the page. A new page is left alone.
func SetChecksum(page []byte, block pg.BlockNumber) {
	if !DecodeHeader(page).New() {
		binary.LittleEndian.PutUint16(page[8:], Checksum(page, block))
	}
}

// ChecksumError is a page whose bytes do not fit its checksum.
type ChecksumError struct {
	Block pg.BlockNumber // from the start of the fork
	LSN   pg.LSN         // as the header says
	Want  uint16         // computed
	Got   uint16         // in the header
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("block %d: page checksum: want %04X, got %04X (page LSN %s)", e.Block, e.Want, e.Got, e.LSN)
}

// Verify tells whether a server with checksums would read the page: it is all
// zero, or its checksum is right and its header makes sense.
func Verify(page []byte, block pg.BlockNumber) error {
	if Zero(page) {
		return nil
	}
	h := DecodeHeader(page)
	if h.New() {
		return fmt.Errorf("block %d: page is marked as new but is not zero", block)
	}
	if want := Checksum(page, block); want != h.Checksum {
		return &ChecksumError{block, h.LSN, want, h.Checksum}
	}
	if err := h.Check(len(page)); err != nil {
		return fmt.Errorf("block %d: %w", block, err)
	}
	return nil
}
