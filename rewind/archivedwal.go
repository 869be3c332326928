package rewind

import (
	"context"
	"fmt"

	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
)

// farthest is how many segments before the target's end are looked through in
// archives for a record that carries a time. Each may have to be fetched.
const farthest = 64

// compareArchived compares the target's log with the source's where the source
// has recycled its part of what both could have in common, and the archives
// have it. The result is nil where that does not show the target's log to be a
// part of the source's; what is in the way is noted then.
func (r *run) compareArchived(ctx context.Context, logs lineage.Logs) (*lineage.Comparison, error) {
	s := &r.sit
	size, tip := logs.Geometry.SegmentSize, logs.Path[len(logs.Path)-1]
	last := size.Number(max(s.targetEnd, 1) - 1)
	for back := uint64(1); ; back *= 2 { // one is mostly enough to tell
		from := max(size.Start(last-min(back, last)), tip.Begin)
		joined, err := lineage.Join(ctx, logs, r.cfg.Archives, pg.Span{From: from, To: s.sourceEnd.LSN})
		if err != nil {
			return nil, fmt.Errorf("join the source's WAL with archives: %w", err)
		}
		s.unjoined = joined.Unsure
		if joined.Segments() == 0 {
			return nil, nil
		}
		c, err := r.compareWith(ctx, lineage.Logs{A: logs.A, B: joined, Path: logs.Path, Geometry: logs.Geometry})
		if err != nil {
			return nil, err
		}
		switch {
		case c.Differs:
			s.unjoined = fmt.Sprintf("by what %s has of the source's log, the two differ at %s, but whose log an archive has is not sure enough to rewind by it", r.cfg.Archives, c.At)
			return nil, nil
		case r.partOfSource(c) && c.Vouched < joined.Linked:
			s.unjoined = r.onlyLinked(c, joined.Linked)
			return nil, nil
		case r.partOfSource(c):
			r.note(fmt.Sprintf("the source has recycled %s, which the target needs next; that the target's log is a part of the source's was told by that segment and those after it in %s, which lead to the source's own. The target's server needs a restore_command that fetches them",
				size.Name(tip.Timeline, size.Number(s.targetEnd)), r.cfg.Archives))
			return c, nil
		case c.Vouched.Valid() || joined.Unsure != "" || from <= tip.Begin:
			return nil, nil // what is older cannot help, or is not to be had
		case back >= farthest:
			s.unjoined = fmt.Sprintf("%s was asked for no more than %d segments before the target's end, and no record in these carries a time that would show the logs to be of one server", r.cfg.Archives, farthest)
			return nil, nil
		}
	}
}

// onlyLinked says why a border that no record crosses joins nothing, and what
// would settle it. Servers that wrote apart from each other under one timeline,
// and little, so that archive_timeout ended their segments, can have such
// borders in common.
func (r *run) onlyLinked(c *lineage.Comparison, border pg.LSN) string {
	size, tli := r.geometry().SegmentSize, r.sit.target.timeline
	before := size.Number(border) - 1
	own := size.Name(tli, before)
	if first := size.Number(c.Vouched); first < before {
		own = fmt.Sprintf("%s to %s", size.Name(tli, first), own)
	}
	return fmt.Sprintf("no record goes on over %s, where %s of %s ends, so that nothing shows that the source wrote it: the source's own %s, restored into its pg_wal, would settle it",
		border, size.Name(tli, before), r.cfg.Archives, own)
}
