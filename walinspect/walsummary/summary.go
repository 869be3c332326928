package walsummary

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math/bits"
	"slices"

	"forkpoint/walinspect/pg"
)

const (
	magic       = 0x652B137B // BLOCKREFTABLE_MAGIC
	entrySize   = 24
	chunkBlocks = 65536 // BLOCKS_PER_CHUNK
	bitmapWords = chunkBlocks / 16
)

// ErrCorrupt is matched by every error about the bytes of a summary.
var ErrCorrupt = errors.New("corrupt WAL summary")

// Summary is the content of a summary file.
type Summary struct {
	entries []byte // without magic, sentinel and CRC
}

// Entry is what a summary says about one relation fork. It refers to the bytes
// that were decoded.
type Entry struct {
	Rel    pg.RelFork
	Limit  pg.BlockNumber // [pg.InvalidBlock] if there is none
	sizes  []byte
	chunks []byte
}

// WholeDatabase tells whether the entry stands for all relations of its
// database in its tablespace: the directory was made or dropped.
func (e Entry) WholeDatabase() bool { return e.Rel.Rel == 0 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Decode checks the bytes of a file, all of them, so that what [Summary.Entries]
// gives can be relied on.
func Decode(b []byte) (*Summary, error) {
	const least = 4 + entrySize + 4
	if len(b) < least {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrCorrupt, len(b))
	}
	u32 := binary.LittleEndian.Uint32
	if got := u32(b); got != magic {
		return nil, fmt.Errorf("%w: magic: want %08X, got %08X", ErrCorrupt, uint32(magic), got)
	}
	body, sum := b[:len(b)-4], u32(b[len(b)-4:])
	if want := crc32.Checksum(body, castagnoli); want != sum {
		return nil, fmt.Errorf("%w: checksum: want %08X, got %08X", ErrCorrupt, want, sum)
	}
	for at := 4; ; {
		e, size, err := decodeEntry(body[at:])
		if err != nil {
			return nil, fmt.Errorf("%w: entry at offset %d: %s", ErrCorrupt, at, err)
		}
		if e.sentinel() {
			if at+size != len(body) {
				return nil, fmt.Errorf("%w: %d bytes after the last entry", ErrCorrupt, len(body)-at-size)
			}
			return &Summary{body[4:at]}, nil
		}
		at += size
	}
}

// Entries lists the forks in the order of the file: by tablespace, database,
// relation and fork.
func (s *Summary) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for b := s.entries; len(b) > 0; {
			e, size, err := decodeEntry(b)
			if err != nil || !yield(e) { // Decode has been over every entry
				return
			}
			b = b[size:]
		}
	}
}

// sentinel tells whether the entry is the zeros behind the last one.
func (e Entry) sentinel() bool {
	return e.Rel == pg.RelFork{} && e.Limit == 0 && len(e.sizes) == 0
}

// decodeEntry reads the entry at the front of b and gives its length.
func decodeEntry(b []byte) (Entry, int, error) {
	if len(b) < entrySize {
		return Entry{}, 0, errors.New("cut short")
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	e := Entry{
		Rel:   pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.OID(u32(0)), DB: pg.OID(u32(4)), Rel: pg.RelFileNumber(u32(8))}},
		Limit: pg.BlockNumber(u32(16)),
	}
	fork, count := u32(12), u32(20)
	if fork > uint32(pg.InitFork) {
		return Entry{}, 0, fmt.Errorf("there is no fork %d", fork)
	}
	e.Rel.Fork = pg.ForkNumber(fork)
	if count > chunkBlocks || entrySize+2*int(count) > len(b) {
		return Entry{}, 0, fmt.Errorf("%d chunks do not fit", count)
	}
	e.sizes = b[entrySize:][:2*count]
	words := 0
	for i := 0; i < len(e.sizes); i += 2 {
		size := int(binary.LittleEndian.Uint16(e.sizes[i:]))
		if size > bitmapWords {
			return Entry{}, 0, fmt.Errorf("chunk %d has %d words", i/2, size)
		}
		words += size
	}
	start := entrySize + len(e.sizes)
	if start+2*words > len(b) {
		return Entry{}, 0, errors.New("chunks are cut short")
	}
	e.chunks = b[start:][:2*words]
	return e, start + 2*words, nil
}

// Blocks lists the changed blocks, ascending. The blocks from [Entry.Limit] on
// are changed too and need not be among them.
func (e Entry) Blocks() iter.Seq[pg.BlockNumber] {
	return func(yield func(pg.BlockNumber) bool) {
		var list []uint16
		rest := e.chunks
		for i := 0; i < len(e.sizes); i += 2 {
			size := int(binary.LittleEndian.Uint16(e.sizes[i:]))
			first, chunk := pg.BlockNumber(i/2)*chunkBlocks, rest[:2*size]
			rest = rest[2*size:]
			if size == bitmapWords {
				if !bitmapBlocks(first, chunk, yield) {
					return
				}
				continue
			}
			list = list[:0]
			for w := 0; w < len(chunk); w += 2 {
				list = append(list, binary.LittleEndian.Uint16(chunk[w:]))
			}
			slices.Sort(list)
			for _, offset := range list {
				if !yield(first + pg.BlockNumber(offset)) {
					return
				}
			}
		}
	}
}

// bitmapBlocks lists the blocks of a chunk that is a bitmap.
func bitmapBlocks(first pg.BlockNumber, chunk []byte, yield func(pg.BlockNumber) bool) bool {
	for at := 0; at < len(chunk); at += 8 {
		for set := binary.LittleEndian.Uint64(chunk[at:]); set != 0; set &= set - 1 {
			if !yield(first + pg.BlockNumber(8*at+bits.TrailingZeros64(set))) {
				return false
			}
		}
	}
	return true
}
