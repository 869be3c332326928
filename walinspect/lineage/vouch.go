package lineage

import (
	"context"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
)

// Vouch finds the last record before end that proves the logs to be one up to
// there, or 0 where neither side's files have it. All records from it to end
// are the same on both sides.
//
// That records are the same does not prove it: two servers that parted and then
// run the same statements write the same bytes for a while, at the same
// positions. The end of a transaction and that of recovery carry the time in
// microseconds; two servers do not write such a record alike.
func Vouch(ctx context.Context, l Logs, end pg.LSN) (pg.LSN, error) {
	c := &comparer{Logs: l, span: pg.Span{To: pg.MaxLSN}, result: &Comparison{}}
	size := l.Geometry.SegmentSize
	both, err := c.shared(ctx)
	if err != nil {
		return 0, err
	}
	there := make(map[uint64]bool, len(both))
	for _, n := range both {
		there[n] = true
	}
	for to := end; to > size.Start(0); {
		n := size.Number(to - 1)
		if !there[n] {
			return 0, nil
		}
		at, same, err := c.vouchIn(ctx, n, to)
		if err != nil || !same || at.Valid() {
			return at, err
		}
		to = size.Start(n)
	}
	return 0, nil
}

// vouchIn finds such a record among those of segment n that begin before to.
func (c *comparer) vouchIn(ctx context.Context, n uint64, to pg.LSN) (at pg.LSN, same bool, err error) {
	a, b := c.pages(c.A), c.pages(c.B)
	defer a.Close()
	defer b.Close()
	from, err := walinspect.FirstRecord(ctx, a, c.Geometry, c.Geometry.SegmentSize.Start(n))
	if err != nil {
		return 0, false, ctx.Err() // what cannot be read proves nothing
	}
	if from >= to {
		return 0, true, nil
	}
	ra, rb := walinspect.NewReader(a, c.Geometry, from), walinspect.NewReader(b, c.Geometry, from)
	ra.SetLimit(to)
	rb.SetLimit(to)
	for {
		hasA, hasB := ra.Next(ctx), rb.Next(ctx)
		switch {
		case !hasA && !hasB:
			if ra.Stop().Reason != walinspect.StopLimit || rb.Stop().Reason != walinspect.StopLimit {
				return 0, false, ctx.Err()
			}
			return at, true, nil
		case !hasA || !hasB || !alike(ra.Record(), rb.Record()):
			return 0, false, ctx.Err()
		}
		if timed(ra.Record()) {
			at = ra.Record().LSN
		}
	}
}

// timed tells whether a record carries the time at which it was written, in
// microseconds.
func timed(rec *walinspect.Record) bool {
	switch rec.Rmgr {
	case pg.RmgrXact:
		x, err := rmgr.DecodeXact(rec)
		return err == nil && !x.Time.IsZero()
	case pg.RmgrXLOG:
		_, err := rmgr.DecodeEndOfRecovery(rec)
		return err == nil
	}
	return false
}
