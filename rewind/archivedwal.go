package rewind

import (
	"context"
	"fmt"

	"forkpoint/walinspect/lineage"
)

// compareArchived compares the target's log with the source's where the source
// has recycled its part of what both could have in common, and the archives
// have it. The result is nil where that does not show the target's log to be a
// part of the source's; what is in the way is noted then.
func (r *run) compareArchived(ctx context.Context, logs lineage.Logs) (*lineage.Comparison, error) {
	s := &r.sit
	a, err := lineage.CompareArchived(ctx, logs, r.cfg.Archives, s.targetEnd, s.sourceEnd.LSN)
	if err != nil {
		return nil, err
	}
	s.unjoined = a.Unsure
	if a.Comparison != nil {
		size := logs.Geometry.SegmentSize
		r.note(fmt.Sprintf("the source has recycled %s, which the target needs next; that the target's log is a part of the source's was told by that segment and those after it in %s, which lead to the source's own. The target's server needs a restore_command that fetches them",
			size.Name(logs.Path.Tip(), size.Number(s.targetEnd)), r.cfg.Archives))
	}
	return a.Comparison, nil
}
