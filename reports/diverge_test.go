package reports

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

var (
	heapFork  = pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}}
	indexFork = pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16390}}
	newFork   = pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16400}}
)

func at(second int) time.Time { return time.Date(2026, 3, 1, 3, 0, second, 0, time.UTC) }

func touched(m *blockmap.Map, rf pg.RelFork, restores bool, blocks ...pg.BlockNumber) {
	for _, b := range blocks {
		m.Touch(pg.BlockTag{RelFork: rf, Block: b}, restores)
	}
}

// exampleInput is a small divergence with one of everything. It is also the
// example in JSON.md.
func exampleInput() DivergenceInput {
	const redo, fork, end = pg.LSN(0x2000028), pg.LSN(0x3000060), pg.LSN(0x3004000)
	before, after, source := &blockmap.Map{}, &blockmap.Map{}, &blockmap.Map{}
	touched(before, heapFork, true, 1, 2, 3)
	touched(before, heapFork, false, 4)
	touched(before, indexFork, true, 1)
	touched(after, heapFork, true, 3, 7)
	touched(after, newFork, true, 0)
	after.Cut(newFork, 0)
	touched(source, heapFork, true, 7, 8)
	across := blockmap.Segment{
		Snapshots: []blockmap.Snapshot{{LSN: redo, Next: 735, XIDs: []pg.XID{731}}},
		XIDs:      []blockmap.XIDActivity{{XID: 733, First: 0x2000100, Records: 2, Bytes: 300}, {XID: 734, First: 0x2000300, Records: 1, Bytes: 80}},
		Xacts:     []blockmap.Xact{{Kind: blockmap.Commit, LSN: 0x2000400, XID: 734, Time: at(1)}},
	}
	return DivergenceInput{
		Cluster: Cluster{SystemID: 7300000000000000001, Major: 15, BlockSize: 8192, SegmentSize: 16 << 20},
		Target:  Node{Path: "/data/old", Timeline: 1, State: "shut down", Clean: true, Checkpoint: 0x3003F88, HintsLogged: true, HasControl: true},
		Source:  Node{Path: "/data/new", Timeline: 2, State: "in production", Checkpoint: 0x3000100, HintsLogged: true, HasControl: true},
		Fork:    timeline.ForkPoint{LSN: fork, Timeline: 1, Source: 2, Target: 1},
		Checkpoint: &blockmap.Checkpoint{LSN: 0x2000060, Redo: redo, Timeline: 1, Time: at(0),
			FullPageWrites: true},
		Before: &Log{
			Span: pg.Span{From: redo, To: fork}, Touched: before, Records: 9,
			Coverage: []Covered{{Span: pg.Span{From: redo, To: fork}, Evidence: "index"}},
		},
		After: &Log{
			Span: pg.Span{From: fork, To: end}, Touched: after, Records: 12,
			Activity: map[pg.RelFork]blockmap.Activity{heapFork: {Records: 4, Inserts: 2, HotUpdates: 1, Images: 1, ImageBytes: 400, WALBytes: 900}},
			Ledger: ledgerOf(fork, []blockmap.Segment{across}, blockmap.Segment{
				XIDs: []blockmap.XIDActivity{{XID: 733, First: 0x3000080, Records: 1, Bytes: 100},
					{XID: 736, First: 0x3000200, Records: 3, Bytes: 500}, {XID: 737, First: 0x3000300, Records: 1, Bytes: 60}},
				Xacts: []blockmap.Xact{{Kind: blockmap.Commit, LSN: 0x3001000, End: 0x3001030, XID: 736, DB: 5, Time: at(10), Rest: &blockmap.XactRest{Subxacts: []pg.XID{737}}}},
			}, blockmap.Segment{Xacts: []blockmap.Xact{
				{Kind: blockmap.Abort, LSN: 0x3001100, End: 0x3001130, XID: 738, Time: at(11)},
				{Kind: blockmap.Prepare, LSN: 0x3001200, End: 0x3001230, XID: 739, Time: at(12), Rest: &blockmap.XactRest{GID: "transfer-17"}},
				{Kind: blockmap.Commit, LSN: 0x3001300, End: 0x3001330, XID: 733, Time: at(9)},
			}}),
			Coverage: []Covered{{Span: pg.Span{From: fork, To: end}, Evidence: "wal"}},
			Events:   []blockmap.Event{{Kind: blockmap.RelationCreated, LSN: 0x3000400, XID: 736, Rel: newFork.RelFileLocator, Forks: 1}},
			End:      EndOfWAL{LSN: end, Reason: "clean-end", Natural: true},
		},
		SourceAfter: &Log{
			Span: pg.Span{From: fork, To: 0x3000178}, Touched: source, Records: 5,
			Ledger: ledgerOf(fork, nil, blockmap.Segment{Xacts: []blockmap.Xact{{Kind: blockmap.Commit, LSN: 0x3000140, XID: 736, Time: at(20)}}}),
			End:    EndOfWAL{LSN: 0x3000178, Reason: "clean-end", Natural: true},
		},
		Names: exampleNames{},
		Sizes: map[pg.RelFork]int64{heapFork: 65536},
	}
}

func ledgerOf(fork pg.LSN, before []blockmap.Segment, segments ...blockmap.Segment) *Ledger {
	var known []*blockmap.Segment
	for i := range before {
		known = append(known, &before[i])
	}
	l := NewLedger(fork, known...)
	for i := range segments {
		l.Add(&segments[i])
	}
	if err := l.Finish(); err != nil {
		panic(err)
	}
	return l
}

type exampleNames struct{ noNames }

func (exampleNames) Relation(rel pg.RelFileLocator) (RelationName, bool) {
	if rel != heapFork.RelFileLocator {
		return RelationName{}, false
	}
	return RelationName{QualifiedName: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders"}, Kind: "table"}, true
}

func TestDivergeCountsWhatOnlyTheTargetHas(t *testing.T) {
	d := Diverge(exampleInput())
	if d.Verdict != VerdictDiverged {
		t.Errorf("verdict %q", d.Verdict)
	}
	wantBlocks := BlockTotals{SinceRedo: 7, SinceFork: 3, Relations: 2, Source: 2, Both: 1}
	if diff := cmp.Diff(wantBlocks, d.Blocks); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
	tx := d.Transactions
	if tx.Commits != 2 || tx.Aborts != 1 || tx.Subxacts != 1 || !tx.First.Equal(at(9)) || !tx.Last.Equal(at(10)) {
		t.Errorf("transactions %+v", tx)
	}
	if len(tx.Prepared) != 1 || tx.Prepared[0].GID != "transfer-17" {
		t.Errorf("prepared %+v", tx.Prepared)
	}
	wantOpen := []OpenAtFork{{XID: 731, Outcome: "unfinished"}, {XID: 733, Outcome: "commit", LSN: 0x3001300}}
	if diff := cmp.Diff(wantOpen, tx.Open); diff != "" {
		t.Errorf("open at the fork (-want +got):\n%s", diff)
	}
	if c := slices.Collect(tx.Committed.All())[0]; c.Records != 4 || c.WALBytes != 560 {
		t.Errorf("work of a commit with a subtransaction: %d records, %d bytes; want 4, 560", c.Records, c.WALBytes)
	}
}

// The rule: touched at or after the fork, or touched before it and not
// restored; pg_rewind takes all.
func TestDivergeCostsByBothRules(t *testing.T) {
	d := Diverge(exampleInput())
	if got := d.Rewind.PgRewind.Blocks; got != 7 {
		t.Errorf("pg_rewind copies %d blocks, want 7: 1 2 3 4 7 of the table, 1 of the index, 0 of the new one", got)
	}
	if got := d.Rewind.Forkpoint.Blocks; got != 4 {
		t.Errorf("forkpoint copies %d blocks, want 4: 3 4 7 of the table, 0 of the new one", got)
	}
	in := exampleInput()
	in.Checkpoint.FullPageWrites = false
	if d = Diverge(in); d.Rewind.Forkpoint.Blocks != 7 {
		t.Errorf("with full_page_writes off forkpoint copies %d blocks, want all 7", d.Rewind.Forkpoint.Blocks)
	}
}

func TestDivergeFindings(t *testing.T) {
	tests := []struct {
		name   string
		change func(*DivergenceInput)
		want   string
	}{
		{"commits to lose", func(*DivergenceInput) {}, "lost-commits"},
		{"a prepared transaction", func(*DivergenceInput) {}, "in-doubt"},
		{"a gap after the fork", func(in *DivergenceInput) { in.After.Gaps = []Gap{{pg.Span{From: 1, To: 2}, "gone"}} }, "wal-gap"},
		{"damage", func(in *DivergenceInput) { in.After.End.Reason, in.After.End.Natural = "corrupt", false }, "damaged-end"},
		{"no checkpoint", func(in *DivergenceInput) { in.Checkpoint, in.Before = nil, nil }, "no-common-checkpoint"},
		{"running target", func(in *DivergenceInput) { in.Target.Running = true }, "target-running"},
		{"crashed target", func(in *DivergenceInput) { in.Target.Clean = false }, "target-not-clean"},
		{"unlogged hints", func(in *DivergenceInput) { in.Target.HintsLogged = false }, "hints-not-logged"},
		{"pages ahead of the log", func(in *DivergenceInput) { in.Target.MinRecoveryPoint = 0x4000000 }, "log-ends-early"},
		{"a checkpoint past the log", func(in *DivergenceInput) { in.Target.Checkpoint = in.After.End.LSN }, "log-ends-early"},
		{"full page writes switched off", func(in *DivergenceInput) {
			in.After.Events = []blockmap.Event{{Kind: blockmap.FullPageWritesChange, LSN: 0x3000500}}
		}, "full-page-writes-off"},
		{"one timeline", func(in *DivergenceInput) { in.Fork.LSN, in.Source.Checkpoint = pg.MaxLSN, 0x4000000 }, "same-timeline"},
		{"one timeline, target ahead", func(in *DivergenceInput) { in.Fork.LSN = pg.MaxLSN }, "ahead-on-same-timeline"},
		{"source's log is gone", func(in *DivergenceInput) { in.SourceAfter.Gaps = []Gap{{pg.Span{From: 1, To: 2}, "gone"}} }, "source-wal-gap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := exampleInput()
			tt.change(&in)
			var codes []string
			for _, f := range Diverge(in).Findings {
				if f.Code == tt.want {
					return
				}
				codes = append(codes, f.Code)
			}
			t.Errorf("findings %v lack %s", codes, tt.want)
		})
	}
}

// A log is known if it was read to where the node has come, and ended there as
// logs end.
func TestKnownLog(t *testing.T) {
	tests := []struct {
		name   string
		change func(*DivergenceInput)
		known  bool
	}{
		{"whole", func(*DivergenceInput) {}, true},
		{"no next segment", func(in *DivergenceInput) { in.After.End.Reason, in.After.End.Natural = "missing-segment", false }, true},
		{"damage", func(in *DivergenceInput) { in.After.End.Reason, in.After.End.Natural = "corrupt", false }, false},
		{"a gap", func(in *DivergenceInput) { in.After.Gaps = []Gap{{pg.Span{From: 1, To: 2}, "gone"}} }, false},
		{"checkpoint past the end", func(in *DivergenceInput) { in.Target.Checkpoint = in.After.End.LSN }, false},
		{"pages past the end", func(in *DivergenceInput) { in.Target.MinRecoveryPoint = in.After.End.LSN + 8 }, false},
		{"checkpoint before the fork", func(in *DivergenceInput) { in.Target.Checkpoint, in.After.End.LSN = in.Fork.LSN-8, 0 }, true},
	}
	for _, tt := range tests {
		in := exampleInput()
		tt.change(&in)
		if got := Diverge(in).Target.Known; got != tt.known {
			t.Errorf("%s: known %t, want %t", tt.name, got, tt.known)
		}
	}
}

func TestBehindIsNotDiverged(t *testing.T) {
	in := exampleInput()
	in.After = &Log{Span: pg.Span{From: in.Fork.LSN, To: in.Fork.LSN}, Touched: &blockmap.Map{}, End: EndOfWAL{LSN: in.Fork.LSN, Reason: "clean-end", Natural: true}}
	in.Target.Checkpoint = 0
	d := Diverge(in)
	if d.Verdict != VerdictBehind || d.Rewind.Needed {
		t.Errorf("verdict %q, rewind needed %v", d.Verdict, d.Rewind.Needed)
	}
	in.Target.Checkpoint = 0x2000060
	if d = Diverge(in); d.Verdict != VerdictBehind {
		t.Errorf("an older checkpoint: verdict %q", d.Verdict)
	}
	in.After.Gaps = []Gap{{pg.Span{From: in.Fork.LSN, To: pg.MaxLSN}, "gone"}}
	if d = Diverge(in); d.Verdict != VerdictUnknown {
		t.Errorf("without the log past the fork: verdict %q", d.Verdict)
	}
	in.Target.MinRecoveryPoint = in.Fork.LSN + 8
	if d = Diverge(in); d.Verdict != VerdictDiverged {
		t.Errorf("pages past the fork: verdict %q", d.Verdict)
	}
}
