package indexer

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// marksOnly is a cache that hands out nothing but checkpoints and events.
type marksOnly struct {
	Cache
	t     *testing.T
	loads int
}

// Load is for segments in which the timeline changes, which is to be known before
// they are chosen.
func (c *marksOnly) Load(ctx context.Context, s *blockmap.Segment) error {
	if s.FirstTimeline == s.LastTimeline {
		c.t.Errorf("segment %v was loaded as a whole", s.Name)
	}
	return c.Cache.Load(ctx, s)
}

func (c *marksOnly) LoadMarks(ctx context.Context, s *blockmap.Segment) error {
	c.loads++
	err := c.Cache.Load(ctx, s)
	s.Touched, s.Activity, s.Rmgrs = nil, nil, nil
	s.Xacts, s.XIDs, s.Snapshots, s.Assignments = nil, nil, nil, nil
	return err
}

// Marks tells what Touched does of the log's extent, its checkpoints and its
// events, whether segments are read, come from the cache with their files or
// without, and keeps what it reads.
func TestMarksEqualsTouched(t *testing.T) {
	incidents(t, func(t *testing.T, in incident) {
		path := in.path(t, 1)
		cache := memory(t)
		reading := New(in.source(), in.g, cache, Options{Workers: 1})
		read, err := reading.Marks(t.Context(), path, pg.Span{To: pg.MaxLSN})
		if err != nil || read.Read == 0 {
			t.Fatalf("%d segments read, %v", read.Read, err)
		}
		if again, err := reading.Touched(t.Context(), path, pg.Span{To: read.End}); err != nil || again.Read > 1 {
			t.Errorf("Marks kept nothing: %d segments were read again, %v", again.Read, err)
		}
		spans := []pg.Span{{To: pg.MaxLSN}, {From: read.Span.From + 3_000_000, To: read.End - 2_000_000}, {From: in.g.SegmentSize.Start(3), To: pg.MaxLSN}}
		only := &marksOnly{Cache: cache, t: t}
		for name, at := range map[string]struct {
			source segment.Source
			cache  Cache
			marks  Cache
		}{"read": {in.source(), nil, nil}, "cached": {in.source(), cache, cache}, "files gone": {nil, cache, only}} {
			for _, span := range spans {
				want, err := New(at.source, in.g, at.cache, Options{Workers: 2}).Touched(t.Context(), path, span)
				if err != nil {
					t.Fatal(err)
				}
				got, err := New(at.source, in.g, at.marks, Options{Workers: 2}).Marks(t.Context(), path, span)
				if err != nil {
					t.Fatal(err)
				}
				if len(want.Xacts) == 0 || want.Blocks.Blocks() == 0 || got.Blocks.Blocks() != 0 {
					t.Fatalf("%s, span %s: %d transactions, %d blocks, and %d of Marks", name, span, len(want.Xacts), want.Blocks.Blocks(), got.Blocks.Blocks())
				}
				plain := *want
				plain.Blocks, plain.Restored, plain.Activity, plain.Rmgrs = got.Blocks, nil, got.Activity, nil
				plain.Xacts, plain.Assignments, plain.Snapshots, plain.XIDs = nil, nil, nil, nil
				if diff := cmp.Diff(plain, *got, cmp.Comparer(func(a, b *blockmap.Map) bool { return a == b })); diff != "" {
					t.Errorf("%s, span %s (-touched +marks):\n%s", name, span, diff)
				}
			}
		}
		if only.loads == 0 {
			t.Error("the cache was not asked")
		}
	})
}
