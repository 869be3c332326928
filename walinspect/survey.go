package walinspect

import (
	"context"
	"encoding/binary"

	"forkpoint/walinspect/pg"
)

// survey is what lies past the place where a reader stopped. It is evidence
// for the reason and nothing else: reading never goes on from it.
type survey struct {
	after    pg.LSN // first valid record that links back to the place or past it
	older    pg.LSN // first page whose address is older, and that address
	olderGot pg.LSN
	origin   Origin // of the page at older
	debris   bool   // bytes that are neither zeros nor one of the above
}

// survey looks through the rest of the segment, and then through the next one
// as far as the first record that starts there. A record counts as valid only
// if its page has the right address, its checksum holds, and it links back to
// the place of the stop or to somewhere between: stale records of a recycled
// segment link further back.
//
// The reader's window is given up: what it shows is the source's memory, and
// the survey has other pages read into that.
func (r *Reader) survey(ctx context.Context) survey {
	var s survey
	defer func() { r.page, r.window = nil, Window{Origin: r.window.Origin} }()
	place := r.g.RecordStart(r.next)
	probe := NewReader(r.pages, r.g, place)
	probe.layout, probe.probing = r.layout, true
	end := r.g.SegmentSize.Start(r.g.SegmentSize.Number(place) + 1)

	probe.surveyPage(ctx, place, &s)
	for page := r.g.Page(place) + r.size; !s.after.Valid() && page >= r.size; page += r.size {
		bytes, err := probe.load(ctx, page)
		if err != nil || ctx.Err() != nil {
			break
		}
		if filled := probe.surveyStart(ctx, page, place, bytes, &s); page >= end && !filled {
			break
		}
	}
	return s
}

// surveyPage looks on the page of the stop itself, behind it: whether the rest
// is zero, and whether a record there links back to the place.
func (r *Reader) surveyPage(ctx context.Context, place pg.LSN, s *survey) {
	at := r.g.Page(place)
	page, err := r.load(ctx, at)
	if err != nil {
		return
	}
	rest := page[place-at:]
	if allZero(rest) {
		return
	}
	s.debris = true
	if r.enter(ctx, at) != nil {
		return
	}
	for off := pg.LSN(8); off+RecordHeaderLen <= pg.LSN(len(rest)); off += 8 {
		prev := pg.LSN(binary.LittleEndian.Uint64(rest[off+8:]))
		if prev < place || prev >= place+off {
			continue
		}
		if r.confirms(ctx, place+off, place) {
			s.after = place + off
			return
		}
		if page, err = r.load(ctx, at); err != nil {
			return
		}
		rest = page[place-at:]
	}
}

// surveyStart looks at one later page: what its header says, and whether the
// first record that starts on it links back to the place or past it. It
// returns whether the page is filled by a continuation.
func (r *Reader) surveyStart(ctx context.Context, at, place pg.LSN, page []byte, s *survey) bool {
	if allZero(page) {
		return false
	}
	h, err := r.checkPage(at, page)
	if err != nil {
		if h.Magic == r.layout.magic() && h.Address < at {
			if !s.older.Valid() {
				s.older, s.olderGot, s.origin = at, h.Address, r.window.Origin
			}
		} else {
			s.debris = true
		}
		return false
	}
	start := uint64(h.Len())
	if h.Continues() {
		start += (uint64(h.Remaining) + 7) &^ 7
	}
	if start >= uint64(r.size) {
		return true
	}
	if r.confirms(ctx, at+pg.LSN(start), place) {
		s.after = at + pg.LSN(start)
	}
	return false
}

// confirms tells whether a valid record starts at lsn that links back to the
// place of the stop or to a position between the two.
func (r *Reader) confirms(ctx context.Context, lsn, place pg.LSN) bool {
	rec, err := r.ReadAt(ctx, lsn)
	return err == nil && rec.Prev >= place
}

func (l *Layout) magic() uint16 {
	if l == nil {
		return 0
	}
	return l.Magic
}
