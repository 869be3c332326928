package walinspect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"forkpoint/walinspect/pg"
)

// Reader walks the records of the log in order and verifies them: magic,
// flags, address, system identifier, sizes and timeline of every page,
// continuation, back link and checksum of every record. It belongs to one
// goroutine.
type Reader struct {
	pages   PageReader
	windows WindowReader // pages, if it can do that
	g       Geometry
	size    pg.LSN // of a page
	limit   pg.LSN
	probing bool // looks past damage: no survey of its own, no check of first pages

	window  Window
	own     []byte // memory of window for a plain PageReader
	page    []byte // the checked page at, within window; nil for none
	at      pg.LSN
	wanted  pg.LSN // the page that was asked for last
	header  PageHeader
	layout  *Layout
	segment uint64 // whose first page was checked last
	tli     pg.TimelineID
	tliAt   pg.LSN // page that tli was found on

	next      pg.LSN // where the next record's place begins
	skip      bool   // next is where reading was asked to begin: a continuation there is passed over
	single    bool   // one record is asked for, see ReadAt
	prev      pg.LSN // start of the record before; 0 if not known
	switched  bool   // the record before gave up the rest of its segment
	partial   bool   // a record begun at next goes on past its page
	begin     Origin // of the page where the record at next starts
	lost      pg.LSN // see Overwritten
	verifying bool   // the next record must confirm lost

	rec  Record
	buf  []byte // the record that crosses pages, put together
	stop Stop
}

const noSegment = ^uint64(0)

// keepBuffer is how much memory for records that cross pages is kept once it
// is no longer needed.
const keepBuffer = 1 << 20

var (
	errLimit       = errors.New("limit reached")
	errOverwritten = errors.New("continuation overwritten")
)

// NewReader makes a reader that begins at from, which is the start of a record
// or a page border. At a border the reader begins with the first record that
// starts on that page or after it.
func NewReader(pages PageReader, g Geometry, from pg.LSN) *Reader {
	r := &Reader{pages: pages, g: g, size: pg.LSN(g.pageSize()), limit: pg.MaxLSN, segment: noSegment}
	r.windows, _ = pages.(WindowReader)
	r.seek(from)
	r.skip = true
	return r
}

// SetLimit makes the reader stop before a record that begins at or after l. No
// page is read only to learn where such a record begins.
func (r *Reader) SetLimit(l pg.LSN) { r.limit = l }

// Geometry is what the reader was made with, and the system identifier it has
// met if it was made without.
func (r *Reader) Geometry() Geometry { return r.g }

// Record is the record that the last successful call of Next read. It is valid
// until the next call of Next or ReadAt.
func (r *Reader) Record() *Record { return &r.rec }

// Err is nil while there are records, at a limit and at what a server takes
// for the end of the log, see [StopReason.EndOfWAL].
func (r *Reader) Err() error { return r.stop.Err }

// Stop tells why Next returned false.
func (r *Reader) Stop() Stop { return r.stop }

// Overwritten is the start of the last record that the log itself gave up: it
// was never completed, and a later server went on where its continuation would
// have been. Such a record is passed over, as in recovery. 0 if there was none.
func (r *Reader) Overwritten() pg.LSN { return r.lost }

// Next reads the next record. It returns false when the reader has stopped;
// it then stays so.
func (r *Reader) Next(ctx context.Context) bool {
	if r.stop.Reason != StopNone {
		return false
	}
	err := r.read(ctx)
	for err == errOverwritten && !r.single {
		err = r.read(ctx)
	}
	if err != nil {
		r.stop = r.classify(ctx, err)
		return false
	}
	return true
}

// ReadAt reads the record that starts at lsn, or first after it where lsn is a
// page border, whatever the limit. Next then goes on behind it. An error is a
// [*StopError].
func (r *Reader) ReadAt(ctx context.Context, lsn pg.LSN) (*Record, error) {
	r.seek(lsn)
	r.single = true
	ok := r.Next(ctx)
	r.single = false
	if !ok {
		return nil, &StopError{r.stop}
	}
	return &r.rec, nil
}

func (r *Reader) seek(lsn pg.LSN) {
	r.next, r.prev, r.tli, r.tliAt = lsn, 0, 0, 0
	r.skip, r.switched, r.partial, r.verifying = false, false, false, false
	r.page, r.stop = nil, Stop{}
}

// read decodes the record at r.next into r.rec and moves on behind it. A
// record that lies on one page is not copied.
func (r *Reader) read(ctx context.Context) error {
	off := uint64(r.next - r.at)
	if off == 0 || off >= uint64(len(r.page)) { // on another page, or at its border
		var err error
		if off, err = r.position(ctx); err != nil {
			return err
		}
	}
	lsn := r.at + pg.LSN(off)
	if lsn >= r.limit && !r.single {
		return errLimit
	}
	rest := r.page[off:]
	if len(rest) < 8 {
		return r.corrupt(FlawRecordLength, lsn, "the start of a record", "end of page")
	}
	total := binary.LittleEndian.Uint32(rest)
	if total == 0 {
		return r.corrupt(FlawZeroLength, lsn, "a record", "zero")
	}
	if total < RecordHeaderLen || total > maxRecordLen {
		return r.corrupt(FlawRecordLength, lsn, fmt.Sprintf("%d to %d", RecordHeaderLen, maxRecordLen), fmt.Sprintf("%d", total))
	}
	r.rec.LSN, r.rec.Timeline, r.rec.Layout = lsn, r.header.Timeline, r.layout
	if uint64(total) > uint64(len(rest)) {
		return r.readLong(ctx, total)
	}
	raw := rest[:total:total]
	if err := r.checkStart(raw); err != nil {
		return err
	}
	r.rec.End = (lsn + pg.LSN(total)).Align()
	return r.accept(raw)
}

// checkStart verifies what can be verified from a record's header alone, so
// that stale bytes are recognised before anything is done with them.
func (r *Reader) checkStart(raw []byte) error {
	prev := pg.LSN(binary.LittleEndian.Uint64(raw[8:]))
	switch {
	case r.prev.Valid() && prev != r.prev:
		return r.corruptLSN(FlawPrevLink, r.rec.LSN, r.prev.String(), prev)
	case prev >= r.rec.LSN:
		return r.corruptLSN(FlawPrevLink, r.rec.LSN, "a position before the record", prev)
	}
	return nil
}

// accept decodes the record, whose LSN and End are set, and moves on.
func (r *Reader) accept(raw []byte) error {
	if err := r.rec.decode(raw, r.g.blockSize()); err != nil {
		return r.locate(err)
	}
	if r.verifying {
		if err := r.confirmLost(); err != nil {
			return err
		}
	}
	r.switched = false
	if r.rec.IsSwitch() {
		r.switched = true
		if n := r.g.SegmentSize; n.Offset(r.rec.End) != 0 {
			r.rec.End = n.Start(n.Number(r.rec.End) + 1)
		}
	}
	r.prev, r.next, r.skip, r.partial = r.rec.LSN, r.rec.End, false, false
	return nil
}
