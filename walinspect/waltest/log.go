package waltest

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Log is built WAL, page by page; it is a [walinspect.PageReader]. Segments
// have a file once a byte was written to them, see [Log.Allocate].
type Log struct {
	Geometry walinspect.Geometry
	Start    pg.LSN
	Records  []pg.LSN // where each record starts, in order

	pages map[pg.LSN][]byte
	files map[uint64]pg.SegmentName
	cut   map[uint64]pg.LSN // where a file that is too short ends
}

func newLog(g walinspect.Geometry, start pg.LSN) *Log {
	return &Log{
		Geometry: g, Start: start,
		pages: map[pg.LSN][]byte{}, files: map[uint64]pg.SegmentName{}, cut: map[uint64]pg.LSN{},
	}
}

// ReadPage gives a copy of a page, zeros where nothing was written.
func (l *Log) ReadPage(_ context.Context, at pg.LSN, page []byte) (walinspect.Origin, error) {
	n := l.Geometry.SegmentSize.Number(at)
	name, exists := l.files[n]
	if !exists {
		return walinspect.Origin{}, fmt.Errorf("segment %d: %w", n, fs.ErrNotExist)
	}
	o := walinspect.Origin{Segment: name, Path: name.Format(l.Geometry.SegmentSize)}
	if end, cut := l.cut[n]; cut && at+pg.LSN(len(page)) > end {
		return o, io.ErrUnexpectedEOF
	}
	clear(page[copy(page, l.pages[at]):])
	return o, nil
}

// Segment is the content of a whole segment file.
func (l *Log) Segment(n uint64) []byte {
	span := l.Geometry.SegmentSize.Span(n)
	b := make([]byte, span.Len())
	for at := span.From; at < span.To; at += pg.LSN(l.Geometry.PageSize) {
		copy(b[at-span.From:], l.pages[at])
	}
	if end, cut := l.cut[n]; cut {
		b = b[:end-span.From]
	}
	return b
}

// Segments names the files there are, by segment number.
func (l *Log) Segments() map[uint64]pg.SegmentName { return l.files }

// Page is the page that holds the byte at lsn, to look at or to change. It is
// made if it is not there.
func (l *Log) Page(lsn pg.LSN) []byte { return l.page(lsn) }

func (l *Log) page(lsn pg.LSN) []byte {
	at := l.Geometry.Page(lsn)
	if l.pages[at] == nil {
		l.pages[at] = make([]byte, l.Geometry.PageSize)
	}
	return l.pages[at]
}

// Allocate makes a file for segment n that holds zeros, as a server does ahead
// of writing.
func (l *Log) Allocate(tli pg.TimelineID, n uint64) {
	l.files[n] = pg.SegmentName{Timeline: tli, Number: n}
}
