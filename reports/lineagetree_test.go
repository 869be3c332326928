package reports

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

// What no place has is told in runs: a stray file can have any number.
func TestMissingSegments(t *testing.T) {
	const size = pg.SegmentSize(16 << 20)
	two := historyFile(2, "1\t0/6000060\tno recovery target specified")
	held := func(one, two []uint64) *PlaceLog {
		return &PlaceLog{SegmentSize: size, Held: map[pg.TimelineID][]uint64{1: one, 2: two}}
	}
	tree := Lineage(
		HistoryPlace{Path: "a", Current: 2, Files: []HistoryFile{two}, Log: held([]uint64{2, 3, 0xFFFFFFFFFF}, []uint64{8})},
		HistoryPlace{Path: "b", Current: 1, Log: held([]uint64{5}, nil)})
	if len(tree.Roots) != 1 || len(tree.Roots[0].Children) != 1 {
		t.Fatalf("%d roots", len(tree.Roots))
	}
	one := tree.Roots[0]
	for _, tt := range []struct {
		node *TreeNode
		want []SegmentRun
		text string
	}{
		{one, []SegmentRun{
			{"000000010000000000000004", "000000010000000000000004", 1},
			{"000000010000000000000006", "00000001FFFFFFFF000000FE", 0xFFFFFFFFFE - 5},
		}, "000000010000000000000004, 000000010000000000000006…00000001FFFFFFFF000000FE"},
		{one.Children[0], []SegmentRun{{"000000020000000000000006", "000000020000000000000007", 2}}, "000000020000000000000006…00000007"},
	} {
		if diff := cmp.Diff(tt.want, tt.node.Missing); diff != "" {
			t.Errorf("timeline %d (-want +got):\n%s", tt.node.Timeline, diff)
		}
		if got := missingText(tt.node.Missing); got != tt.text {
			t.Errorf("timeline %d: %q, want %q", tt.node.Timeline, got, tt.text)
		}
	}
}
