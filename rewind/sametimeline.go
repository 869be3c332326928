package rewind

import (
	"context"

	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// CompareSame compares the logs of two sides that the histories cannot tell
// apart. Where they parted all the same, the fork is returned: its position is
// the end of the last record that both have, and the timeline before it the
// last in common.
func CompareSame(ctx context.Context, target segment.Source, src source.Source, g walinspect.Geometry, path timeline.Path, known lineage.Digests) (*lineage.Comparison, *timeline.ForkPoint, error) {
	logs := lineage.Logs{A: target, B: NewSourceWAL(src, g.SegmentSize), Known: known, Path: path, Geometry: g}
	c, err := lineage.FirstDifference(ctx, logs, pg.Span{From: path[len(path)-1].Begin, To: pg.MaxLSN})
	if err != nil || !c.Differs {
		return c, nil, err
	}
	return c, forkOf(c, path), nil
}

// forkOf makes a fork point of a difference. A record at the beginning of a
// timeline is not shared, so the last timeline in common is then the parent.
func forkOf(c *lineage.Comparison, path timeline.Path) *timeline.ForkPoint {
	tip := path[len(path)-1]
	fork := &timeline.ForkPoint{LSN: c.Fork, Timeline: tip.Timeline, Source: tip.Timeline, Target: tip.Timeline}
	if c.Fork <= tip.Begin && len(path) > 1 {
		fork.Timeline = path[len(path)-2].Timeline
	}
	return fork
}
