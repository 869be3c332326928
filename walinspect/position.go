package walinspect

import (
	"context"
	"fmt"

	"forkpoint/walinspect/pg"
)

// position brings the page with r.next into view and returns the offset on it
// where the record starts, past headers and, where reading begins, past a
// continuation.
func (r *Reader) position(ctx context.Context) (uint64, error) {
	start := r.next
	if r.g.Page(start) == start && !r.skip {
		start = r.g.RecordStart(start)
	}
	if start >= r.limit && !r.single {
		return 0, errLimit
	}
	if err := r.g.Check(); err != nil {
		return 0, err
	}
	if start%8 != 0 {
		return 0, fmt.Errorf("%w at %s: not a multiple of 8", ErrNoRecord, start)
	}
	if err := r.enter(ctx, r.g.Page(start)); err != nil {
		return 0, err
	}
	first := pg.LSN(r.header.Len())
	switch {
	case start == r.at:
		return r.skipContinuation(ctx)
	case start == r.at+first && r.layout.Overwrites(r.header.Info) && r.prev.Valid() && !r.verifying:
		return 0, r.corrupt(FlawOverwrite, r.at, "a page after a record that ended", "one that takes the place of a continuation")
	case start == r.at+first && !r.header.Continues():
	case start == r.at+first:
		return 0, r.corrupt(FlawContinuation, r.at, "a record that starts on the page", r.continuation())
	case start < r.at+first:
		return 0, fmt.Errorf("%w at %s: inside a page header", ErrNoRecord, start)
	case r.header.Continues() && start < r.at+first+pg.LSN(r.header.Remaining):
		return 0, fmt.Errorf("%w at %s: inside a continuation of %d bytes", ErrNoRecord, start, r.header.Remaining)
	}
	return uint64(start - r.at), nil
}

// skipContinuation finds the first record that starts on the current page or
// after it. Every page that the continuation fills says the length of the rest.
func (r *Reader) skipContinuation(ctx context.Context) (uint64, error) {
	for r.header.Continues() {
		rest, room := uint64(r.header.Remaining), uint64(r.size)-uint64(r.header.Len())
		if rest == 0 {
			return 0, r.corrupt(FlawContinuation, r.at, "the length of a continuation", "0")
		}
		if aligned := (rest + 7) &^ 7; aligned < room {
			r.next = r.at + pg.LSN(r.header.Len()) + pg.LSN(aligned)
			return uint64(r.next - r.at), nil
		}
		r.next, r.partial = r.at+r.size, true
		if err := r.enter(ctx, r.next); err != nil {
			return 0, err
		}
		if rest <= room || r.layout.Overwrites(r.header.Info) {
			break
		}
		if !r.header.Continues() || uint64(r.header.Remaining) != rest-room {
			return 0, r.corrupt(FlawContinuation, r.at, fmt.Sprintf("a continuation of %d bytes", rest-room), r.continuation())
		}
	}
	if r.header.Continues() {
		return 0, r.corrupt(FlawContinuation, r.at, "a record that starts on the page", r.continuation())
	}
	return uint64(r.header.Len()), nil
}

// continuation describes what the current page says about one.
func (r *Reader) continuation() string {
	if !r.header.Continues() {
		return "none"
	}
	return fmt.Sprintf("one of %d bytes", r.header.Remaining)
}
