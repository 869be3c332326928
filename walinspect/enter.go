package walinspect

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"forkpoint/walinspect/pg"
)

// enter makes the page at that address the current one, once its header has
// been checked. As in the server, a segment that is entered in its middle has
// its first page checked as well: only that one names the cluster.
func (r *Reader) enter(ctx context.Context, at pg.LSN) error {
	r.page = nil
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n := r.g.SegmentSize.Number(at)
	if first := r.g.SegmentSize.Start(n); n != r.segment && first != at && !r.probing {
		if err := r.view(ctx, first); err != nil {
			return err
		}
	}
	if err := r.view(ctx, at); err != nil {
		return err
	}
	r.segment = n
	return nil
}

func (r *Reader) view(ctx context.Context, at pg.LSN) error {
	r.wanted = at
	page, err := r.load(ctx, at)
	if err != nil {
		return fmt.Errorf("read WAL page %s: %w", at, err)
	}
	h, err := r.checkPage(at, page)
	if err != nil {
		return err
	}
	r.page, r.at, r.header = page, at, h
	r.tli, r.tliAt = h.Timeline, at
	return nil
}

// load returns the bytes of a page. They stay where they are until another
// window is needed.
func (r *Reader) load(ctx context.Context, at pg.LSN) ([]byte, error) {
	if page := r.window.page(at, r.size); page != nil {
		return page, nil
	}
	r.page = nil // it lies in the window that goes
	var err error
	if r.windows != nil {
		r.window, err = r.windows.ReadWindow(ctx, at)
	} else {
		if r.own == nil {
			r.own = make([]byte, r.size)
		}
		r.window = Window{Start: at, Data: r.own}
		r.window.Origin, err = r.pages.ReadPage(ctx, at, r.own)
	}
	if err != nil {
		r.window = Window{Origin: r.window.Origin}
		return nil, err
	}
	if page := r.window.page(at, r.size); page != nil {
		return page, nil
	}
	return nil, io.ErrUnexpectedEOF
}

// page is the page at that address, or nil if the window does not hold all of it.
func (w *Window) page(at, size pg.LSN) []byte {
	off := uint64(at - w.Start)
	if at < w.Start || off > uint64(len(w.Data)) || uint64(len(w.Data))-off < uint64(size) {
		return nil
	}
	return w.Data[off : off+uint64(size) : off+uint64(size)]
}

// checkPage verifies a page header in the order of XLogReaderValidatePageHeader
// in src/backend/access/transam/xlogreader.c.
func (r *Reader) checkPage(at pg.LSN, page []byte) (PageHeader, error) {
	h, err := decodeHeader(page)
	if err != nil {
		return h, err
	}
	if r.layout == nil && h.Magic != 0 {
		if r.layout, err = LayoutFor(h.Magic); err != nil {
			return h, err
		}
	}
	first := r.g.SegmentSize.Offset(at) == 0
	switch {
	case h.Magic == 0 && allZero(page):
		return h, r.corrupt(FlawZeroPage, at, "a page", "zeros")
	case r.layout == nil || h.Magic != r.layout.Magic:
		return h, r.corrupt(FlawPageMagic, at, r.wantMagic(), fmt.Sprintf("%04X", h.Magic))
	case h.Info&^r.layout.pageFlags != 0:
		return h, r.corrupt(FlawPageFlags, at, fmt.Sprintf("flags within %04X", r.layout.pageFlags), fmt.Sprintf("%04X", h.Info))
	case first != h.Long:
		return h, r.corrupt(FlawPageFlags, at, "a long header on the first page of a segment and nowhere else", fmt.Sprintf("flags %04X", h.Info))
	}
	if h.Long {
		if err := r.checkLong(at, h); err != nil {
			return h, err
		}
	}
	if h.Address != at {
		return h, r.corruptLSN(FlawPageAddress, at, at.String(), h.Address)
	}
	if err := r.checkTimeline(at, h.Timeline); err != nil {
		return h, err
	}
	if h.Long && r.g.SystemID == 0 && !r.probing {
		r.g.SystemID = h.SystemID
	}
	return h, nil
}

func (r *Reader) wantMagic() string {
	if r.layout == nil {
		return "a known page magic"
	}
	return fmt.Sprintf("%04X", r.layout.Magic)
}

func (r *Reader) checkLong(at pg.LSN, h PageHeader) error {
	switch {
	case r.g.SystemID != 0 && h.SystemID != r.g.SystemID:
		return r.corrupt(FlawSystemID, at, fmt.Sprintf("%d", r.g.SystemID), fmt.Sprintf("%d", h.SystemID))
	case h.SegmentSize != r.g.SegmentSize:
		return r.corrupt(FlawSegmentSize, at, fmt.Sprintf("%d", r.g.SegmentSize), fmt.Sprintf("%d", h.SegmentSize))
	case h.PageSize != r.g.pageSize():
		return r.corrupt(FlawPageSize, at, fmt.Sprintf("%d", r.g.pageSize()), fmt.Sprintf("%d", h.PageSize))
	}
	return nil
}

// checkTimeline: along the log the timeline of pages never falls, and no page
// is from a timeline after the one its file is named for. Pages that were
// copied when a timeline began keep the number of the parent.
func (r *Reader) checkTimeline(at pg.LSN, tli pg.TimelineID) error {
	file := r.window.Segment.Timeline
	switch {
	case tli == 0:
		return r.corrupt(FlawTimeline, at, "a timeline", "0")
	case file != 0 && tli > file:
		return r.corrupt(FlawTimeline, at, fmt.Sprintf("timeline %d or before, as in the name of the file", file), fmt.Sprintf("timeline %d", tli))
	case at > r.tliAt && tli < r.tli:
		return r.corrupt(FlawTimeline, at, fmt.Sprintf("timeline %d or after, as on the page at %s", r.tli, r.tliAt), fmt.Sprintf("timeline %d", tli))
	}
	return nil
}

// corrupt describes damage, with the file that the current window is from.
func (r *Reader) corrupt(flaw Flaw, at pg.LSN, want, got string) *CorruptError {
	e := &CorruptError{Flaw: flaw, LSN: at, Want: want, Got: got}
	return r.locate(e).(*CorruptError)
}

// corruptLSN is corrupt for a wrong position, which judge compares.
func (r *Reader) corruptLSN(flaw Flaw, at pg.LSN, want string, got pg.LSN) *CorruptError {
	e := r.corrupt(flaw, at, want, got.String())
	e.found = got
	return e
}

// locate adds the file to an error about a record or page. A record that
// crosses pages may have begun in another file than the current one.
func (r *Reader) locate(err error) error {
	e, ok := err.(*CorruptError)
	if !ok {
		return err
	}
	o := r.window.Origin
	if r.partial && e.LSN == r.rec.LSN {
		o = r.begin
	}
	e.Timeline, e.Path = o.Segment.Timeline, o.Path
	e.Offset = int64(r.g.SegmentSize.Offset(e.LSN))
	return e
}

var zeros [maxPageSize]byte

func allZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }
