package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	batchMagic      = 0x424A5046 // "FPJB" in the file
	batchHeaderSize = 40

	flagCompressed = 1 << 0
	flagNotes      = 1 << 1 // holds stages, phases or marks
	flagFlushed    = 1 << 2 // everything before it was flushed when it was written
	flagsKnown     = flagCompressed | flagNotes | flagFlushed

	// A batch is closed when its entries pass closeAt. The last entry may go
	// beyond by one image and its name, which stays below maxRaw.
	closeAt = 1 << 20
	maxRaw  = 16 << 20

	// So many bytes are written before they are flushed, if nobody asks for it.
	maxPending = 32 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchHeader precedes the entries of a batch, see FORMAT.md.
type batchHeader struct {
	flags    uint32
	sequence uint64 // from 1
	entries  uint32
	raw      uint32 // bytes of the entries
	stored   uint32 // bytes of the entries as they lie in the file
	previous uint32 // crc of the batch before
	crc      uint32 // CRC-32C of the stored bytes
}

func (h *batchHeader) encode() []byte {
	b := make([]byte, batchHeaderSize)
	le := binary.LittleEndian
	le.PutUint32(b, batchMagic)
	le.PutUint32(b[4:], h.flags)
	le.PutUint64(b[8:], h.sequence)
	le.PutUint32(b[16:], h.entries)
	le.PutUint32(b[20:], h.raw)
	le.PutUint32(b[24:], h.stored)
	le.PutUint32(b[28:], h.previous)
	le.PutUint32(b[32:], h.crc)
	le.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli))
	return b
}

// decodeBatchHeader is false for what is not a header at all.
func decodeBatchHeader(b []byte) (batchHeader, bool) {
	le := binary.LittleEndian
	if len(b) < batchHeaderSize || le.Uint32(b) != batchMagic ||
		le.Uint32(b[36:]) != crc32.Checksum(b[:36], castagnoli) {
		return batchHeader{}, false
	}
	h := batchHeader{
		flags: le.Uint32(b[4:]), sequence: le.Uint64(b[8:]), entries: le.Uint32(b[16:]),
		raw: le.Uint32(b[20:]), stored: le.Uint32(b[24:]), previous: le.Uint32(b[28:]), crc: le.Uint32(b[32:]),
	}
	// An entry has at least two bytes, and what is compressed is smaller for it.
	ok := h.flags&^flagsKnown == 0 && h.raw <= maxRaw && h.stored <= h.raw && uint64(h.entries)*2 <= uint64(h.raw) && h.entries > 0
	return h, ok
}

// errTorn is matched by a batch that was not written whole.
var errTorn = errors.New("torn batch")

// readBatchHeader reads the header at off, which must be that of batch
// sequence after one with the checksum previous.
func readBatchHeader(f io.ReaderAt, off int64, sequence uint64, previous uint32) (batchHeader, error) {
	b := make([]byte, batchHeaderSize)
	n, err := f.ReadAt(b, off)
	if n < len(b) {
		if err != io.EOF {
			return batchHeader{}, err
		}
		if n == 0 {
			return batchHeader{}, io.EOF
		}
		return batchHeader{}, errTorn
	}
	h, ok := decodeBatchHeader(b)
	if !ok || h.sequence != sequence || h.previous != previous {
		return batchHeader{}, errTorn
	}
	return h, nil
}

// payload reads the entries of the batch whose header is at off into buf,
// which it may grow. The result is valid until buf is used again.
func (h *batchHeader) payload(f io.ReaderAt, off int64, buf *payloadBuffer) ([]byte, error) {
	stored := buf.take(&buf.stored, h.stored)
	if n, err := f.ReadAt(stored, off+batchHeaderSize); n < len(stored) {
		if err == io.EOF {
			return nil, errTorn
		}
		return nil, err
	}
	if crc32.Checksum(stored, castagnoli) != h.crc {
		return nil, errTorn
	}
	if h.flags&flagCompressed == 0 {
		if h.stored != h.raw {
			return nil, fmt.Errorf("%w: batch %d stores %d bytes for %d", ErrCorrupt, h.sequence, h.stored, h.raw)
		}
		return stored, nil
	}
	if buf.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRaw))
		if err != nil {
			return nil, err
		}
		buf.zstd = d
	}
	raw, err := buf.zstd.DecodeAll(stored, buf.raw[:0])
	buf.raw = raw
	if err != nil || uint32(len(raw)) != h.raw {
		return nil, fmt.Errorf("%w: batch %d does not decompress to %d bytes: %v", ErrCorrupt, h.sequence, h.raw, err)
	}
	return raw, nil
}

// payloadBuffer is memory that reading one batch after another needs.
type payloadBuffer struct {
	stored, raw []byte
	zstd        *zstd.Decoder
}

func (b *payloadBuffer) take(buf *[]byte, n uint32) []byte {
	if uint32(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

func (b *payloadBuffer) close() {
	if b.zstd != nil {
		b.zstd.Close()
	}
}

// decodeEntries calls do for each entry. Entry.Bytes is valid until the next
// use of the buffer that raw lies in.
func (h *batchHeader) decodeEntries(raw []byte, do func(e *Entry) error) error {
	r := decoder{buf: raw}
	var e Entry
	for i := range int(h.entries) {
		if e.decode(&r); r.bad {
			return fmt.Errorf("%w: batch %d, entry %d", ErrCorrupt, h.sequence, i)
		}
		if err := do(&e); err != nil {
			return err
		}
	}
	if len(r.buf) != 0 {
		return fmt.Errorf("%w: batch %d has %d bytes after its last entry", ErrCorrupt, h.sequence, len(r.buf))
	}
	return nil
}
