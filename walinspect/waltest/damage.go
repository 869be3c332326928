package waltest

import (
	"encoding/binary"

	"forkpoint/walinspect/pg"
)

// Flip inverts the lowest bit of the byte at lsn.
func (l *Log) Flip(lsn pg.LSN) { l.at(lsn)[0] ^= 1 }

// Put writes bytes at lsn, on one page.
func (l *Log) Put(lsn pg.LSN, b ...byte) { copy(l.at(lsn), b) }

// Put16, Put32 and Put64 write a little-endian number at lsn.
func (l *Log) Put16(lsn pg.LSN, v uint16) { binary.LittleEndian.PutUint16(l.at(lsn), v) }

// Put32 is like Put16.
func (l *Log) Put32(lsn pg.LSN, v uint32) { binary.LittleEndian.PutUint32(l.at(lsn), v) }

// Put64 is like Put16.
func (l *Log) Put64(lsn pg.LSN, v uint64) { binary.LittleEndian.PutUint64(l.at(lsn), v) }

func (l *Log) at(lsn pg.LSN) []byte { return l.page(lsn)[lsn-l.Geometry.Page(lsn):] }

// Seal makes the checksum of the record at lsn right again, after a change
// that a server would have had to write itself. The record lies on one page.
func (l *Log) Seal(lsn pg.LSN) {
	b := l.at(lsn)
	seal(b[:binary.LittleEndian.Uint32(b)])
}

// Zero writes zeros from one position up to another, page headers too.
func (l *Log) Zero(from, to pg.LSN) {
	for from < to {
		n := min(l.Geometry.Page(from)+pg.LSN(l.Geometry.PageSize), to) - from
		clear(l.at(from)[:n])
		from += n
	}
}

// ZeroRest writes zeros from lsn to the end of its segment.
func (l *Log) ZeroRest(lsn pg.LSN) {
	l.Zero(lsn, l.Geometry.SegmentSize.Start(l.Geometry.SegmentSize.Number(lsn)+1))
}

// Recycle makes the pages from the border at or after lsn to the end of the
// segment what they are in a file that was renamed: valid log of the segment
// back segments earlier, in place of what was there.
func (l *Log) Recycle(lsn pg.LSN, back uint64) {
	size := l.Geometry.SegmentSize
	n := size.Number(lsn)
	magic := binary.LittleEndian.Uint16(l.page(size.Start(n)))
	major, _ := pg.MajorOfMagic(magic)
	old := New(Config{
		Major: major, SegmentSize: size, PageSize: l.Geometry.PageSize, SystemID: l.Geometry.SystemID,
		Start: size.Start(n - back),
	})
	for size.Number(old.End()) == n-back {
		old.Append(Noop(200))
	}
	step := pg.LSN(l.Geometry.PageSize)
	from := l.Geometry.Page(lsn + step - 1)
	for at := from; at < size.Start(n+1); at += step {
		l.pages[at] = old.log.page(at - pg.LSN(back*uint64(size)))
	}
}

// Remove takes the file of segment n away.
func (l *Log) Remove(n uint64) { delete(l.files, n) }

// Truncate makes the file that holds lsn end there.
func (l *Log) Truncate(lsn pg.LSN) { l.cut[l.Geometry.SegmentSize.Number(lsn)] = lsn }

// Rename makes the file of segment n one of another timeline.
func (l *Log) Rename(n uint64, tli pg.TimelineID) { l.Allocate(tli, n) }

// Relink changes the back link of the record at lsn and seals it.
func (l *Log) Relink(lsn, prev pg.LSN) {
	l.Put64(lsn+8, uint64(prev))
	l.Seal(lsn)
}
