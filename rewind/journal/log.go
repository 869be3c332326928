package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"forkpoint/rewind/target"
)

// ErrCorrupt is matched when a journal contradicts itself. What it holds can
// then not be trusted to be all that there was.
var ErrCorrupt = errors.New("corrupt journal")

const (
	logMagic      = "FPJOURNL"
	logVersion    = 1
	logHeaderSize = 64
)

// batchLog is the file of batches.
type batchLog struct {
	file     target.File
	sequence uint64 // of the last batch
	previous uint32 // its checksum
	end      int64  // where the next batch goes
	raw      int64  // bytes of the batches, were they not compressed
	starts   []int64
	group    int   // index of the first batch after the last flush that the log tells of
	pending  int64 // bytes written since the last flush

	limit  int           // bytes of entries that close a batch
	whole  bool          // the next entries go into one batch
	open   encoder       // entries of the batch that is not closed yet
	count  uint32        // of them
	flags  uint32        // of that batch
	closed []*packed     // batches that are compressed and not written yet
	free   []*packed     // to be used again
	out    []byte        // the batch that is written
	zstd   *zstd.Encoder // nil: not compressed
	err    error         // of the first write that failed: the rest of the file is unknown
}

// encodeLogHeader ties the log to its header file.
func encodeLogHeader(header [32]byte) []byte {
	b := make([]byte, logHeaderSize)
	copy(b, logMagic)
	binary.LittleEndian.PutUint32(b[8:], logVersion)
	copy(b[16:], header[:])
	binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

func createLog(fsys target.FS, name string, header [32]byte, compress bool) (*batchLog, error) {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	l := &batchLog{file: f, end: logHeaderSize, limit: closeAt}
	if _, err = f.WriteAt(encodeLogHeader(header), 0); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.compress(compress)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// openLog reads all batches, calls visit for every entry, and finds the end.
// What follows the last whole batch is a torn one unless more batches follow it.
func openLog(f target.File, header [32]byte, visit func(e *Entry)) (*batchLog, error) {
	b := make([]byte, logHeaderSize)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(b, encodeLogHeader(header)) {
		return nil, fmt.Errorf("%w: the log does not belong to the header", ErrCorrupt)
	}
	l := &batchLog{file: f, end: logHeaderSize, limit: closeAt}
	var buf payloadBuffer
	defer buf.close()
	for {
		h, err := readBatchHeader(f, l.end, l.sequence+1, l.previous)
		var raw []byte
		if err == nil {
			raw, err = h.payload(f, l.end, &buf)
		}
		switch {
		case err == io.EOF:
			return l, nil
		case errors.Is(err, errTorn):
			return l, l.checkTail()
		case err != nil:
			return nil, err
		}
		err = h.decodeEntries(raw, func(e *Entry) error { visit(e); return nil })
		if err != nil {
			return nil, err
		}
		l.passed(&h)
	}
}

func (l *batchLog) passed(h *batchHeader) {
	if h.flags&flagFlushed != 0 {
		l.group = len(l.starts)
	}
	l.starts = append(l.starts, l.end)
	l.sequence, l.previous = h.sequence, h.crc
	l.end += batchHeaderSize + int64(h.stored)
	l.raw += batchHeaderSize + int64(h.raw)
}

// maxTail is the most that can lie behind the last whole batch: a group of
// batches that was never flushed, of which the first is torn.
const maxTail = maxPending + batchHeaderSize + maxRaw

// settle makes the log ready for more: a torn batch is cut off, and the last
// group of whole ones is written again and flushed, for the process that wrote
// it may have died, or been told of an error, before it was on disk.
func (l *batchLog) settle(compress bool) error {
	if err := l.compress(compress); err != nil {
		return err
	}
	for n := l.group; n < len(l.starts); n++ {
		end := l.end
		if n+1 < len(l.starts) {
			end = l.starts[n+1]
		}
		batch := make([]byte, end-l.starts[n])
		if _, err := l.file.ReadAt(batch, l.starts[n]); err != nil {
			return err
		}
		if _, err := l.file.WriteAt(batch, l.starts[n]); err != nil {
			return err
		}
	}
	if err := l.file.Truncate(l.end); err != nil {
		return err
	}
	return l.file.Sync()
}

// append adds an entry to the open batch and closes the batch when it is full.
func (l *batchLog) append(e *Entry) error {
	if l.err != nil {
		return l.err
	}
	if err := e.check(); err != nil {
		return err
	}
	e.encode(&l.open)
	l.count++
	if e.pathless() {
		l.flags |= flagNotes
	}
	if len(l.open.buf) >= l.limit && !l.whole || len(l.open.buf) >= closeAt {
		return l.closeBatch()
	}
	return nil
}

// backward calls do for the entries from the last to the first, of whole
// batches only, and tells where in the log their batch begins. Entry.Bytes is
// valid during the call.
func (l *batchLog) backward(do func(start int64, e *Entry) error) error {
	var buf payloadBuffer
	defer buf.close()
	var entries []Entry
	for n := len(l.starts) - 1; n >= 0; n-- {
		raw, h, err := l.batch(n, &buf)
		if err != nil {
			return err
		}
		entries = entries[:0]
		err = h.decodeEntries(raw, func(e *Entry) error {
			entries = append(entries, *e)
			return nil
		})
		if err != nil {
			return err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			if err := do(l.starts[n], &entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch reads the n-th batch again. It was whole before, so an error is damage.
func (l *batchLog) batch(n int, buf *payloadBuffer) ([]byte, batchHeader, error) {
	b := make([]byte, batchHeaderSize)
	if _, err := l.file.ReadAt(b, l.starts[n]); err != nil && err != io.EOF {
		return nil, batchHeader{}, err
	}
	h, ok := decodeBatchHeader(b)
	if !ok {
		return nil, h, fmt.Errorf("%w: batch %d changed while it was in use", ErrCorrupt, n+1)
	}
	raw, err := h.payload(l.file, l.starts[n], buf)
	if errors.Is(err, errTorn) {
		err = fmt.Errorf("%w: batch %d changed while it was in use", ErrCorrupt, n+1)
	}
	return raw, h, err
}
