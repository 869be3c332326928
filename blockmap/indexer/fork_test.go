package indexer

import (
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// forkWithoutFile is a folder in which the child's copy of the segment of the
// fork is missing: the parent has it, and goes on.
func forkWithoutFile(t *testing.T) (dir string, parent, child branch) {
	t.Helper()
	at := mb.Start(3) + 200_000
	parent = grow(tree{end: mb.Start(5), seed: 1})
	child = grow(tree{end: mb.Start(6), seed: 1, forks: []fork{{at, 2, 10}}})
	dir = t.TempDir()
	child.write(t, dir)
	remove(t, dir, 2, 3)
	parent.writeAs(t, dir, 3, 1)
	parent.writeAs(t, dir, 4, 1)
	return dir, parent, child
}

// A record of the parent that goes on in the next segment is not looked for in
// the child's.
func TestParentsLastRecordIsReadInItsOwnFiles(t *testing.T) {
	dir, parent, child := forkWithoutFile(t)
	cache := memory(t)
	index(t, child.indexer(dir, cache), child.path)
	key := blockmap.SegmentKey{SystemID: parent.Geometry.SystemID, SegmentSize: mb, Name: pg.SegmentName{Timeline: 1, Number: 3}}
	stored, err := cache.Variants(t.Context(), key)
	if err != nil || len(stored) != 1 {
		t.Fatalf("%d readings stored, %v", len(stored), err)
	}
	want := parent.recordBefore(mb.Start(4))
	if v := stored[0]; !v.Complete || v.Last != want || v.End <= mb.Start(4) {
		t.Fatalf("complete %t, last record %s to %s, stop %q; want the one at %s, which crosses", v.Complete, v.Last, v.End, v.StopDetail, want)
	}
}

// What is known of the parent's file past the fork, from the cache or by
// reading it, does not count against the child's next segment.
func TestForkWithoutFileDoesNotDependOnTheCache(t *testing.T) {
	dir, _, child := forkWithoutFile(t)
	fork := child.path[0].End
	warm := memory(t)
	index(t, child.indexer(dir, warm), child.path)
	for name, cache := range map[string]Cache{"none": nil, "empty": memory(t), "warm": warm} {
		r := touched(t, child.indexer(dir, cache), child.path, pg.Span{To: everything})
		if len(r.Gaps) != 1 || r.Gaps[0].Span != (pg.Span{From: fork, To: mb.Start(4)}) || r.End != child.end {
			t.Errorf("cache %s: gaps %v, ends at %s; want one gap from the fork at %s to the child's next segment, the end at %s", name, r.Gaps, r.End, fork, child.end)
		}
	}
}
