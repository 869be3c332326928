package indexer

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// TotalLoader is what a [Cache] may be besides: one that loads many segments at a
// time, and adds up what they touched. Which blocks replay restores is left
// out. The lists of each segment are filled in, the long ones perhaps only
// packed. What is returned runs while the cache is asked for others.
type TotalLoader interface {
	LoadTotals(ctx context.Context, segments []*blockmap.Segment) (blockmap.Sum, error)
}

// Visit is [Indexer.Touched] for a log that may be long. What it says of
// transactions (Xacts, Assignments, Snapshots, XIDs) is not gathered but handed
// to visit, segment by segment in the order of the log, and one at a time; the
// segment is valid during the call, and its lists may be only packed. Of a segment
// that is known as a whole only, XIDs count records around the span too. The
// result has neither these lists nor Rmgrs, and no block of it counts as restored.
// Nor has it Restored.
func (ix *Indexer) Visit(ctx context.Context, path timeline.Path, span pg.Span, visit func(*blockmap.Segment) error) (*Result, error) {
	return ix.scan(ctx, request{path: path, span: span, contents: true, visit: visit})
}

// totalBatch is how many segments are loaded at a time.
const totalBatch = 256

// postpone puts off a stored segment that is wanted as a whole, to be loaded
// together with others; false where it cannot be.
func (s *scan) postpone(ctx context.Context, c *choice) (bool, error) {
	if s.visit == nil || s.totals == nil || c.contents != nil || !c.inside() {
		return false, nil
	}
	s.batch = append(s.batch, c)
	if len(s.batch) < totalBatch {
		return true, nil
	}
	return true, s.addTotals(ctx)
}

// addTotals takes in the segments that were put off.
func (s *scan) addTotals(ctx context.Context) error {
	if len(s.batch) == 0 {
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	heads := make([]*blockmap.Segment, len(s.batch))
	for i, c := range s.batch {
		heads[i] = c.head
	}
	sum, err := s.totals.LoadTotals(ctx, heads)
	if err != nil {
		return err
	}
	batch := s.batch
	s.batch = nil
	for _, c := range batch {
		s.result.Bytes += c.head.Bytes
		s.result.End = max(s.result.End, c.head.End)
	}
	return s.adding.start(func() error {
		blocks, activity, err := sum()
		if err != nil {
			return err
		}
		s.merge.addTouched(blocks, activity)
		for _, c := range batch {
			if err := s.merge.addLists(c.head, c.part); err != nil {
				return err
			}
			c.release()
		}
		return nil
	})
}

// addAll takes in the segments that were put off, and waits until they are.
func (s *scan) addAll(ctx context.Context) error {
	if err := s.addTotals(ctx); err != nil {
		return err
	}
	return s.adding.wait()
}

// inTurn runs one thing at a time beside its caller. Whoever starts something
// waits for it before returning.
type inTurn struct{ running chan error }

// start waits for what was started before, and reports its error.
func (t *inTurn) start(f func() error) error {
	if err := t.wait(); err != nil {
		return err
	}
	t.running = make(chan error, 1)
	go func() { t.running <- f() }()
	return nil
}

func (t *inTurn) wait() error {
	if t.running == nil {
		return nil
	}
	err := <-t.running
	t.running = nil
	return err
}

// release forgets what was loaded of a stored segment, which stands in a long
// list until the scan is over. Loading it again is possible.
func (c *choice) release() {
	if c.rung != RungIndex || c.contents != nil && c.contents != c.head {
		return
	}
	c.contents = nil
	h := c.head
	h.Touched, h.Activity, h.Rmgrs, h.Checkpoints, h.Events = nil, nil, nil, nil, nil
	h.Xacts, h.XIDs, h.Assignments, h.Snapshots, h.Packed = nil, nil, nil, nil, nil
}
