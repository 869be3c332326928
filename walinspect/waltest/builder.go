package waltest

import (
	"encoding/binary"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// Config says what WAL to build. Zero values mean version 16, 1 MB segments,
// 8 kB pages, timeline 1, segment 1, and some system identifier.
type Config struct {
	Major       int
	SegmentSize pg.SegmentSize
	PageSize    uint32
	SystemID    uint64
	Timeline    pg.TimelineID
	Start       pg.LSN // a segment border
	Prev        pg.LSN // back link of the first record
}

// Builder writes records one after the other, as a server does.
type Builder struct {
	layout *walinspect.Layout
	log    *Log
	tli    pg.TimelineID
	pos    pg.LSN // where the next byte goes; at a border, before the page header
	prev   pg.LSN
}

// New starts an empty log.
func New(c Config) *Builder {
	if c.Major == 0 {
		c.Major = 16
	}
	if c.SegmentSize == 0 {
		c.SegmentSize = 1 << 20
	}
	if c.PageSize == 0 {
		c.PageSize = 8192
	}
	if c.SystemID == 0 {
		c.SystemID = 7_300_000_000_000_000_001
	}
	if c.Timeline == 0 {
		c.Timeline = 1
	}
	if c.Start == 0 {
		c.Start = c.SegmentSize.Start(1)
	}
	layout, err := walinspect.LayoutOf(c.Major)
	if err != nil {
		panic(err)
	}
	g := walinspect.Geometry{SystemID: c.SystemID, SegmentSize: c.SegmentSize, PageSize: c.PageSize}
	return &Builder{layout: layout, log: newLog(g, c.Start), tli: c.Timeline, pos: c.Start, prev: c.Prev}
}

// Log is what was built so far; later records appear in it too.
func (b *Builder) Log() *Log { return b.log }

// Layout is that of the version the builder writes.
func (b *Builder) Layout() *walinspect.Layout { return b.layout }

// End is the end of the last record.
func (b *Builder) End() pg.LSN { return b.pos }

// SetTimeline makes pages that are begun from now on belong to tli.
func (b *Builder) SetTimeline(tli pg.TimelineID) { b.tli = tli }

// Append writes a record and returns where it starts. LSN, Prev and what
// follows from the content are filled in.
func (b *Builder) Append(r walinspect.Record) pg.LSN {
	raw, lsn := b.encode(r)
	b.write(raw, len(raw))
	b.prev = lsn
	b.log.Records = append(b.log.Records, lsn)
	return lsn
}

// Abandon begins a record, stops at the end of the page it starts on, and goes
// on there with the record that gives it up. It returns the starts of both.
func (b *Builder) Abandon(r walinspect.Record) (lost, overwrite pg.LSN) {
	raw, lost := b.encode(r)
	room := int(b.log.Geometry.PageSize) - int(lost-b.log.Geometry.Page(lost))
	if len(raw) <= room {
		panic("waltest: the record does not cross a page border")
	}
	b.write(raw[:room], room)
	page := b.pos
	overwrite = b.Append(Overwrite(lost))
	info := b.log.Page(page)[2:]
	binary.LittleEndian.PutUint16(info, binary.LittleEndian.Uint16(info)|b.layout.OverwriteFlag())
	return lost, overwrite
}

// Switch gives up the rest of the segment, as pg_switch_wal does.
func (b *Builder) Switch() pg.LSN {
	lsn := b.Append(walinspect.Record{Rmgr: pg.RmgrXLOG, Info: 0x40})
	size := b.log.Geometry.SegmentSize
	if size.Offset(b.pos) != 0 {
		b.pos = size.Start(size.Number(b.pos) + 1)
	}
	return lsn
}

// FillTo writes records without effect until the next one would start at l.
// What is left to fill must be nothing or the length of a record.
func (b *Builder) FillTo(l pg.LSN) {
	const most = 1024
	for room := b.room(l); room > 0; room = b.room(l) {
		if room > 2*most {
			room = most
		}
		b.Append(noopOf(room))
	}
}

// room is how many bytes records can take before one would start at l.
func (b *Builder) room(l pg.LSN) int {
	g, n := b.log.Geometry, 0
	for at := g.RecordStart(b.pos); at < l; {
		border := g.Page(at) + pg.LSN(g.PageSize)
		n += int(min(border, l) - at)
		at = g.RecordStart(border)
	}
	return n
}

// noopOf is a record of n bytes, a multiple of 8.
func noopOf(n int) walinspect.Record {
	switch {
	case n < 24 || n%8 != 0:
		panic("waltest: no record has that length")
	case n == 24:
		return Noop(0)
	case n <= 280:
		return Noop(n - 26)
	}
	return Noop(n - 29)
}

// encode gives the bytes of a record that would start next, and its start.
func (b *Builder) encode(r walinspect.Record) ([]byte, pg.LSN) {
	r.Layout, r.Prev = b.layout, b.prev
	return Encode(&r), b.log.Geometry.RecordStart(b.pos)
}

// write puts raw on pages and starts them as needed; left is how many bytes of
// the record there are from here on.
func (b *Builder) write(raw []byte, left int) {
	g := b.log.Geometry
	for first := true; len(raw) > 0; first = false {
		page := b.log.page(b.pos)
		off := int(b.pos - g.Page(b.pos))
		if off == 0 {
			off = b.begin(page, first, left)
		}
		n := copy(page[off:], raw)
		raw, left = raw[n:], left-n
		b.pos = (g.Page(b.pos) + pg.LSN(off+n)).Align()
	}
}

// begin writes a page header and returns its length.
func (b *Builder) begin(page []byte, first bool, left int) int {
	le, g := binary.LittleEndian, b.log.Geometry
	var info uint16
	if b.layout.Major < 19 {
		info = 0x0004 // XLP_BKP_REMOVABLE, as on nearly every page of these versions
	}
	if !first {
		info |= walinspect.PageContinues
		le.PutUint32(page[16:], uint32(left))
	}
	n := int(g.HeaderLen(b.pos))
	if n == walinspect.LongHeaderLen {
		info |= walinspect.PageLong
		le.PutUint64(page[24:], g.SystemID)
		le.PutUint32(page[32:], uint32(g.SegmentSize))
		le.PutUint32(page[36:], g.PageSize)
		b.log.files[g.SegmentSize.Number(b.pos)] = pg.SegmentName{Timeline: b.tli, Number: g.SegmentSize.Number(b.pos)}
	}
	le.PutUint16(page, b.layout.Magic)
	le.PutUint16(page[2:], info)
	le.PutUint32(page[4:], uint32(b.tli))
	le.PutUint64(page[8:], uint64(b.pos))
	return n
}
