package walinspect

import (
	"context"
	"encoding/binary"
	"fmt"

	"forkpoint/walinspect/pg"
)

// readLong puts together the record at r.rec.LSN, which goes on past the
// current page, and accepts it. Memory grows with the pieces that pages
// confirm, not with the length that the record claims.
func (r *Reader) readLong(ctx context.Context, total uint32) error {
	if cap(r.buf) > keepBuffer && total <= keepBuffer {
		r.buf = nil
	}
	lsn := r.rec.LSN
	r.begin, r.next, r.partial = r.window.Origin, lsn, true
	r.buf = append(r.buf[:0], r.page[lsn-r.at:]...)
	checked := len(r.buf) >= RecordHeaderLen
	if checked {
		if err := r.checkStart(r.buf); err != nil {
			return err
		}
	}

	for uint64(len(r.buf)) < uint64(total) {
		if err := r.enter(ctx, r.at+r.size); err != nil {
			return err
		}
		if r.layout.Overwrites(r.header.Info) {
			return r.giveUp(lsn)
		}
		missing := total - uint32(len(r.buf))
		if !r.header.Continues() || r.header.Remaining != missing {
			return r.corrupt(FlawContinuation, r.at, fmt.Sprintf("one of %d bytes for the record at %s", missing, lsn), r.continuation())
		}
		piece := r.page[r.header.Len():]
		r.buf = append(r.buf, piece[:min(uint64(missing), uint64(len(piece)))]...)
		if !checked && len(r.buf) >= RecordHeaderLen {
			checked = true
			if err := r.checkStart(r.buf); err != nil {
				return err
			}
		}
	}
	r.rec.End = (r.at + pg.LSN(r.header.Len()) + pg.LSN(r.header.Remaining)).Align()
	return r.accept(r.buf)
}

// giveUp follows the log over a record whose continuation was overwritten: the
// record that takes its place starts on the current page, names the lost one,
// and links back to the last that was complete.
func (r *Reader) giveUp(lsn pg.LSN) error {
	r.lost, r.verifying = lsn, true
	if !r.single {
		r.next, r.partial = r.at, false
	}
	return errOverwritten
}

// confirmLost checks that the record just read is the one that takes the place
// of the lost continuation (xl_overwrite_contrecord in xlog_internal.h: the
// position of the lost record, then a timestamp).
func (r *Reader) confirmLost() error {
	r.verifying = false
	if !r.rec.IsOverwrite() || len(r.rec.Main) < 8 {
		return r.corrupt(FlawOverwrite, r.rec.LSN, fmt.Sprintf("the record that gives up %s", r.lost),
			fmt.Sprintf("%s operation %02X", r.rec.Rmgr, r.rec.Op()))
	}
	if lost := pg.LSN(binary.LittleEndian.Uint64(r.rec.Main)); lost != r.lost {
		return r.corrupt(FlawOverwrite, r.rec.LSN, fmt.Sprintf("the record that gives up %s", r.lost), lost.String())
	}
	return nil
}
