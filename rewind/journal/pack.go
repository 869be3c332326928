package journal

import (
	"hash/crc32"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// packed is a closed batch that waits to be written. Batches are compressed
// side by side, for that takes longer than to read what is in them, and written
// in order, by the goroutine that appends.
type packed struct {
	raw, small []byte
	entries    uint32
	flags      uint32
	ready      chan []byte // the bytes to store, once
}

// packAhead is how many closed batches may be in the works: their memory is a
// few times closeAt each.
func packAhead() int { return min(runtime.GOMAXPROCS(0), 4) }

func (l *batchLog) compress(on bool) (err error) {
	if on {
		// What the entropy coder would save on pages is a tenth, for a third of
		// the time; the checksum is the batch's. A window longer than a batch
		// would be memory for nothing, twice for each encoder.
		l.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithNoEntropyCompression(true),
			zstd.WithWindowSize(closeAt), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(packAhead()))
	}
	return err
}

// closeBatch hands the open batch on. It is not durable until the next flush,
// which comes at the latest when maxPending bytes wait for it.
func (l *batchLog) closeBatch() error {
	if l.err != nil || l.count == 0 {
		return l.err
	}
	b := &packed{}
	if n := len(l.free); n > 0 {
		b, l.free = l.free[n-1], l.free[:n-1]
	}
	b.raw, l.open.buf = l.open.buf, b.raw[:0]
	b.entries, b.flags, b.ready = l.count, l.flags, make(chan []byte, 1)
	l.count, l.flags = 0, 0
	l.closed = append(l.closed, b)
	if l.zstd == nil {
		b.ready <- b.raw
	} else {
		go b.pack(l.zstd)
	}
	if len(l.closed) > packAhead() {
		return l.writeBatch()
	}
	return nil
}

func (b *packed) pack(z *zstd.Encoder) {
	if b.small = z.EncodeAll(b.raw, b.small[:0]); len(b.small) < len(b.raw) {
		b.ready <- b.small
	} else {
		b.ready <- b.raw
	}
}

// writeBatch writes the first of the closed batches.
func (l *batchLog) writeBatch() error {
	b := l.closed[0]
	payload := <-b.ready
	l.closed = l.closed[1:]
	h := batchHeader{
		flags: b.flags, sequence: l.sequence + 1, entries: b.entries, previous: l.previous,
		raw: uint32(len(b.raw)), stored: uint32(len(payload)), crc: crc32.Checksum(payload, castagnoli),
	}
	if len(payload) < len(b.raw) {
		h.flags |= flagCompressed
	}
	if l.pending == 0 {
		h.flags |= flagFlushed
	}
	l.out = append(append(l.out[:0], h.encode()...), payload...)
	l.free = append(l.free, b)
	if _, l.err = l.file.WriteAt(l.out, l.end); l.err != nil {
		return l.err
	}
	l.passed(&h)
	if l.pending += int64(len(l.out)); l.pending >= maxPending {
		return l.flush()
	}
	return nil
}

// commit closes the open batch and makes everything durable.
func (l *batchLog) commit() error {
	err := l.closeBatch()
	for err == nil && len(l.closed) > 0 {
		err = l.writeBatch()
	}
	if err != nil || l.pending == 0 {
		return err
	}
	return l.flush()
}

// clean tells whether everything that was appended is durable.
func (l *batchLog) clean() bool {
	return l.err == nil && l.count == 0 && len(l.closed) == 0 && l.pending == 0
}

func (l *batchLog) flush() error {
	if l.err = l.file.Sync(); l.err == nil {
		l.pending = 0
	}
	return l.err
}

// close closes the file; what was not committed is lost.
func (l *batchLog) close() error {
	for _, b := range l.closed {
		<-b.ready
	}
	if l.zstd != nil {
		l.zstd.Close() // frees memory only: everything was encoded at once
	}
	return l.file.Close()
}
