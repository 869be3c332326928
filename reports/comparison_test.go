package reports

import (
	"strings"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// TestComparisonAnswer says first what matters, and nothing of what is not there.
func TestComparisonAnswer(t *testing.T) {
	relation := func(reason Reason, blocks ...pg.BlockNumber) FileDifference {
		return FileDifference{Path: "base/5/16384", Relation: &heapFork, Blocks: map[Reason]*blockmap.Set{reason: blockmap.NewSet(blocks...)}}
	}
	tests := []struct {
		name    string
		equal   int
		files   []FileDifference
		brokenB int
		answer  string
		finding string
	}{
		{name: "nothing differs", equal: 996, answer: "Nothing differs: 996 files were compared."},
		{name: "one file, explained", files: []FileDifference{relation(ReasonHints, 4)},
			answer: "Of 1 file 0 equal, 1 differ; 1 block of relations differs. Every difference is explained."},
		{name: "no relation", equal: 3, files: []FileDifference{{Path: "foo", Only: "b", Reason: ReasonUnexplained}},
			answer: "Of 4 files 3 equal, 1 only in b.", finding: "1 file that is no relation differs and nothing tells why"},
		{name: "blocks", equal: 1, files: []FileDifference{relation(ReasonUnexplained, 2, 3)},
			answer: "Of 2 files 1 equal, 1 differ; 2 blocks of relations differ.", finding: "2 blocks differ and nothing tells why"},
		{name: "both", files: []FileDifference{relation(ReasonUnexplained, 2), {Path: "foo", Only: "a", Reason: ReasonUnexplained}},
			answer: "Of 2 files 0 equal, 1 differ, 1 only in a; 1 block of relations differs.", finding: "1 block and 1 other file differ and nothing tells why"},
		{name: "a broken page", files: []FileDifference{relation(ReasonChecksum, 2)}, brokenB: 1,
			answer: "Of 1 file 0 equal, 1 differ; 1 block of relations differs.", finding: "1 block does not fit the page checksum: 1 of b"},
		{name: "a broken page of neither side", files: []FileDifference{relation(ReasonChecksum, 2)},
			answer: "Of 1 file 0 equal, 1 differ; 1 block of relations differs.", finding: "1 block does not fit the page checksum"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewComparison(false)
			c.Totals.Files, c.Totals.Equal, c.Totals.BrokenB = tt.equal+len(tt.files), tt.equal, tt.brokenB
			for _, f := range tt.files {
				c.Add(f)
			}
			c.Judge()
			if got := c.answer(); got != tt.answer {
				t.Errorf("got  %s\nwant %s", got, tt.answer)
			}
			found := ""
			for _, f := range c.Findings {
				found += f.Title
				if asked := strings.Contains(f.Hint, "blame"); asked != (c.Totals.ByReason[ReasonUnexplained] > 0) {
					t.Errorf("hint for %d unexplained blocks: %s", c.Totals.ByReason[ReasonUnexplained], f.Hint)
				}
			}
			if found != tt.finding {
				t.Errorf("found %q, want %q", found, tt.finding)
			}
		})
	}
}

// TestWhyFitsALine keeps the gravest reason whole where not all fit.
func TestWhyFitsALine(t *testing.T) {
	scattered := &blockmap.Set{}
	for b := range pg.BlockNumber(40) {
		scattered.Add(100 + 2*b)
	}
	tests := []struct {
		blocks map[Reason]*blockmap.Set
		want   string
	}{
		{map[Reason]*blockmap.Set{ReasonTarget: blockmap.NewSet(0, 1), ReasonHints: blockmap.NewSet(4)}, "target: 0-1; hint-bits: 4"},
		{map[Reason]*blockmap.Set{ReasonUnexplained: blockmap.NewSet(0), ReasonTarget: scattered, ReasonHints: blockmap.NewSet(4)}, "unexplained: 0; 41 others"},
		{map[Reason]*blockmap.Set{ReasonTarget: scattered}, "target: 100,102,104,106,108,…"},
	}
	for _, tt := range tests {
		f := FileDifference{Blocks: tt.blocks}
		if got := f.why(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
