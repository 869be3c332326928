package indexer

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// Visit tells what Touched does, whether segments are read, come from the
// cache with their files or without.
func TestVisitEqualsTouched(t *testing.T) {
	incidents(t, func(t *testing.T, in incident) {
		path := in.path(t, 1)
		cache := memory(t)
		if _, err := New(in.source(), in.g, cache, Options{Workers: 1}).Index(t.Context(), path, pg.Span{To: pg.MaxLSN}); err != nil {
			t.Fatal(err)
		}
		for name, at := range map[string]struct {
			source segment.Source
			cache  Cache
		}{"read": {in.source(), nil}, "cached": {in.source(), cache}, "files gone": {nil, cache}} {
			t.Run(name, func(t *testing.T) {
				ix := New(at.source, in.g, at.cache, Options{Workers: 2})
				whole := compareVisit(t, ix, path, pg.Span{To: pg.MaxLSN})
				compareVisit(t, ix, path, pg.Span{From: whole.Span.From + 3_000_000, To: whole.End - 2_000_000})
				compareVisit(t, ix, path, pg.Span{From: in.g.SegmentSize.Start(3), To: pg.MaxLSN})
			})
		}
	})
}

func compareVisit(t *testing.T, ix *Indexer, path timeline.Path, span pg.Span) *Result {
	t.Helper()
	want, err := ix.Touched(t.Context(), path, span)
	if err != nil {
		t.Fatal(err)
	}
	var lists Result
	work := map[pg.XID]int64{}
	got, err := ix.Visit(t.Context(), path, span, func(s *blockmap.Segment) error {
		if s.Packed != nil {
			if err := s.Packed.Unpack(s); err != nil {
				return err
			}
		}
		lists.Xacts = append(lists.Xacts, s.Xacts...)
		lists.Snapshots = append(lists.Snapshots, s.Snapshots...)
		lists.Assignments = append(lists.Assignments, s.Assignments...)
		for _, x := range s.XIDs {
			work[x.XID] += x.Records
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Xacts) == 0 || want.Blocks.Blocks() == 0 {
		t.Fatalf("span %s has %d transactions and %d blocks", span, len(want.Xacts), want.Blocks.Blocks())
	}
	if !unrestored(got.Blocks).Equal(unrestored(want.Blocks)) {
		t.Errorf("span %s: other blocks", span)
	}
	for _, x := range want.XIDs {
		if work[x.XID] != x.Records {
			t.Errorf("span %s: transaction %d has %d records, want %d", span, x.XID, work[x.XID], x.Records)
		}
	}
	merged := *got
	merged.Xacts, merged.Snapshots, merged.Assignments = lists.Xacts, lists.Snapshots, lists.Assignments
	merged.XIDs, merged.Rmgrs, merged.Blocks, merged.Restored = want.XIDs, want.Rmgrs, want.Blocks, want.Restored
	if diff := cmp.Diff(*want, merged, cmp.Comparer(func(a, b *blockmap.Map) bool { return a == b })); diff != "" {
		t.Errorf("span %s (-touched +visit):\n%s", span, diff)
	}
	return want
}
