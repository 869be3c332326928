package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"forkpoint/rewind/target"
)

// checkTail tells a torn last group of batches from damage in the middle. A
// batch that says that everything before it was flushed cannot follow a torn
// one, and no more than one group can.
func (l *batchLog) checkTail() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if rest := info.Size() - l.end; rest > maxTail {
		return fmt.Errorf("%w: batch %d is damaged, and %d bytes follow", ErrCorrupt, l.sequence+1, rest)
	}
	var found error
	err = l.later(info.Size(), func(_ int64, h batchHeader) bool {
		if h.sequence > l.sequence+1 && h.flags&flagFlushed != 0 {
			found = fmt.Errorf("%w: %s", ErrCorrupt, damageText(l.sequence+1, h))
		}
		return found == nil
	})
	return errors.Join(err, found)
}

func damageText(number uint64, next batchHeader) string {
	return fmt.Sprintf("batch %d is damaged, and batch %d follows", number, next.sequence)
}

// later looks behind the end of the log, in a file of so many bytes, for headers
// of batches and calls do for each until it returns false.
func (l *batchLog) later(size int64, do func(at int64, h batchHeader) bool) error {
	magic := binary.LittleEndian.AppendUint32(nil, batchMagic)
	const step = 1 << 20
	piece := make([]byte, min(size-l.end, step+batchHeaderSize-1)) // a header may lie across two steps
	for at := l.end; at < size; at += step {
		n, err := l.file.ReadAt(piece, at)
		if err != nil && err != io.EOF {
			return err
		}
		for off := 0; ; off++ {
			next := bytes.Index(piece[off:n], magic)
			if next < 0 {
				break
			}
			off += next
			h, ok := decodeBatchHeader(piece[off:n])
			if ok && !do(at+int64(off), h) {
				return nil
			}
		}
	}
	return nil
}

// summary hops from batch to batch and reads only those that hold notes. A
// stage that was noted behind a damaged batch counts: a finished rewind remains
// one when what it kept rots.
func summary(fsys target.FS, dir string) (Summary, error) {
	s := Summary{Dir: dir}
	var err error
	if s.Header, _, err = readHeader(fsys, dir); err != nil {
		return s, err
	}
	f, err := fsys.OpenFile(dir+"/"+logFile, os.O_RDONLY, 0)
	if err != nil {
		return s, err
	}
	defer f.Close() // read only
	var buf payloadBuffer
	defer buf.close()
	x := newIndex()
	l := batchLog{file: f, end: logHeaderSize}
	for err == nil {
		_, err = l.hop(&x, &buf)
	}
	switch {
	case errors.Is(err, io.EOF):
	case errors.Is(err, ErrCorrupt):
		return s, err
	default: // torn, or it cannot be read
		var behind error
		s.Damage, behind = l.hopBehind(&x, &buf)
		if behind == nil && s.Damage == "" && !errors.Is(err, errTorn) {
			behind = err
		}
		if behind != nil {
			return s, behind
		}
	}
	s.Stage, s.Size, s.Note = x.stage, l.end, x.stageNote
	return s, nil
}

// hop goes past the next batch and takes in the notes in it.
func (l *batchLog) hop(x *index, buf *payloadBuffer) (batchHeader, error) {
	h, err := readBatchHeader(l.file, l.end, l.sequence+1, l.previous)
	if err == nil && h.flags&flagNotes != 0 {
		var raw []byte
		if raw, err = h.payload(l.file, l.end, buf); err == nil {
			err = h.decodeEntries(raw, func(e *Entry) error {
				if e.pathless() {
					x.note(e)
				}
				return nil
			})
		}
	}
	if err == nil {
		l.passed(&h)
	}
	return h, err
}

// hopBehind goes on behind damaged batches, up to the last one that says that
// everything before it was flushed, and says what is damaged; nothing where the
// log is only torn.
func (l *batchLog) hopBehind(x *index, buf *payloadBuffer) (damage string, err error) {
	info, err := l.file.Stat()
	if err != nil {
		return "", err
	}
	number := l.sequence + 1
	behind := batchLog{file: l.file, end: l.end, sequence: l.sequence, previous: l.previous}
	notes := *x
	for {
		if found, err := behind.skip(info.Size()); err != nil || !found {
			return damage, err
		}
		for err == nil {
			var h batchHeader
			if h, err = behind.hop(&notes, buf); err == nil && h.flags&flagFlushed != 0 {
				if damage == "" {
					damage = damageText(number, h)
				}
				*x, l.end = notes, behind.end
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return damage, nil
		case !errors.Is(err, errTorn):
			return damage, err
		}
		err = nil
	}
}

// skip goes past a damaged batch, if its header tells where it ends, or the next
// batch does, by the checksum that it has of what the damaged one stores. Pages
// that were saved can hold what looks like a batch; that checksum they have not.
func (l *batchLog) skip(size int64) (found bool, err error) {
	if h, err := readBatchHeader(l.file, l.end, l.sequence+1, l.previous); err == nil {
		l.passed(&h)
		return true, nil
	}
	from := l.end + batchHeaderSize
	scan := l.later(size, func(at int64, h batchHeader) bool {
		if h.sequence != l.sequence+2 || at < from || at-from > maxRaw {
			return true
		}
		sum := crc32.New(castagnoli)
		if _, err = io.Copy(sum, io.NewSectionReader(l.file, from, at-from)); err != nil {
			return false
		}
		if found = sum.Sum32() == h.previous; found {
			l.sequence, l.previous, l.end = l.sequence+1, h.previous, at
		}
		return !found
	})
	return found, errors.Join(scan, err)
}
