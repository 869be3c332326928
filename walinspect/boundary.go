package walinspect

import (
	"context"

	"forkpoint/walinspect/pg"
)

// FirstRecord finds the first record that starts at or after from, which may
// be any position, also one inside a record. The record there has been
// verified. An error is a [*StopError] with the place where the log ended
// before such a record.
func FirstRecord(ctx context.Context, pages PageReader, g Geometry, from pg.LSN) (pg.LSN, error) {
	r := NewReader(pages, g, g.Page(from))
	for r.Next(ctx) {
		if rec := r.Record(); rec.LSN >= from {
			return rec.LSN, nil
		}
	}
	return 0, &StopError{r.stop}
}

// LastRecordBefore finds the last record that starts before lsn by reading
// forward, segment by segment further back until there is one. It needs no
// record to start at lsn. Where the log cannot be read up to there or to its
// end, later records may be hidden, and the error is a [*StopError].
func LastRecordBefore(ctx context.Context, pages PageReader, g Geometry, lsn pg.LSN) (*Record, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	n := g.SegmentSize.Number(lsn)
	if g.SegmentSize.Start(n) == lsn && n > 0 {
		n--
	}
	for ; ; n-- {
		r := NewReader(pages, g, g.SegmentSize.Start(n))
		r.SetLimit(lsn)
		var last pg.LSN
		for r.Next(ctx) {
			last = r.Record().LSN
		}
		if last.Valid() && (r.stop.Reason == StopLimit || r.stop.Reason.MayEndLog()) {
			rec, err := r.ReadAt(ctx, last)
			if err != nil {
				return nil, err
			}
			return rec.Clone(), nil
		}
		if r.stop.Reason != StopLimit || n == 0 {
			return nil, &StopError{r.stop}
		}
	}
}
