package rewind

import (
	"context"
	"fmt"

	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// compareArchived compares the target's log with the source's where the source
// has recycled its part of what both could have in common, and the archives
// have it. The result is nil where that does not show the target's log to be a
// part of the source's; what is in the way is noted then.
func (r *run) compareArchived(ctx context.Context, logs lineage.Logs) (*lineage.Comparison, error) {
	s := &r.sit
	size, tip := logs.Geometry.SegmentSize, logs.Path[len(logs.Path)-1]
	near := size.Start(max(size.Number(s.targetEnd-1), 1) - 1) // mostly enough to tell
	for _, from := range []pg.LSN{max(near, tip.Begin), tip.Begin} {
		joined, err := lineage.Join(ctx, logs, r.cfg.Archives, pg.Span{From: from, To: s.sourceEnd.LSN})
		if err != nil {
			return nil, fmt.Errorf("join the source's WAL with archives: %w", err)
		}
		s.unjoined = joined.Unsure
		if joined.Segments() == 0 {
			break
		}
		c, err := r.compareWith(ctx, lineage.Logs{A: logs.A, B: joined, Path: logs.Path, Geometry: logs.Geometry})
		if err != nil {
			return nil, err
		}
		switch {
		case c.Differs:
			s.unjoined = fmt.Sprintf("by what %s has of the source's log, the two differ at %s, but whose log an archive has is not sure enough to rewind by it", r.cfg.Archives, c.At)
		case !r.partOfSource(c):
		case joined.Linked && !r.targetIsStandby():
			s.unjoined = fmt.Sprintf("where no record goes on from one segment of %s into the next, nothing shows that one server wrote both", r.cfg.Archives)
		default:
			r.note(fmt.Sprintf("the source has recycled %s, which the target needs next; that the target's log is a part of the source's was told by that segment and those after it in %s, which lead to the source's own. The target's server needs a restore_command that fetches them",
				size.Name(tip.Timeline, size.Number(s.targetEnd)), r.cfg.Archives))
			return c, nil
		}
	}
	return nil, nil
}

// targetIsStandby tells whether the target has only replayed what others wrote
// since it was started last.
func (r *run) targetIsStandby() bool {
	state := r.sit.target.control.State
	return state == pgcontrol.ShutDownInRecovery || state == pgcontrol.InArchiveRecovery
}
