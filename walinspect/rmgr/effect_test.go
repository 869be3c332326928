package rmgr

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

func TestEffects(t *testing.T) {
	t.Parallel()
	rel := pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}
	other := pg.RelFileLocator{Spc: 16500, DB: 5, Rel: 16390}
	fork := func(f pg.ForkNumber) pg.RelFork { return pg.RelFork{RelFileLocator: rel, Fork: f} }
	// A commit that drops two relations behind a list of subtransactions.
	drops := body{}.u64(1).u32(xinfoSubxacts | xinfoRelations).u32(1).u32(778).u32(2).rel(rel).rel(other)
	dropped := []Effect{{Kind: RelationDropped, Rel: fork(0)}, {Kind: RelationDropped, Rel: pg.RelFork{RelFileLocator: other}}}
	prepared := body{}.u64(1).u32(xinfoRelations | xinfoTwoPhase).u32(2).rel(rel).rel(other).u32(555)

	tests := []struct {
		name  string
		major int
		rmgr  pg.RmgrID
		info  uint8
		main  body
		want  []Effect
		err   error
	}{
		{"relation made", 13, pg.RmgrSmgr, 0x11, body{}.rel(rel).u32(0), []Effect{{Kind: RelationCreated, Rel: fork(0)}}, nil},
		{"fork made", 19, pg.RmgrSmgr, 0x11, body{}.rel(rel).u32(3), []Effect{{Kind: RelationCreated, Rel: fork(pg.InitFork)}}, nil},
		{"no such fork", 19, pg.RmgrSmgr, 0x11, body{}.rel(rel).u32(4), nil, ErrPayload},
		{"negative fork", 19, pg.RmgrSmgr, 0x11, body{}.rel(rel).u32(1<<32 - 1), nil, ErrPayload},
		{"all forks cut", 15, pg.RmgrSmgr, 0x21, body{}.u32(40).rel(rel).u32(7), []Effect{
			{Kind: RelationTruncated, Rel: fork(pg.MainFork), Limit: 40},
			{Kind: RelationTruncated, Rel: fork(pg.FSMFork)},
			{Kind: RelationTruncated, Rel: fork(pg.VMFork)},
		}, nil},
		{"only the main fork cut", 15, pg.RmgrSmgr, 0x21, body{}.u32(40).rel(rel).u32(1), []Effect{{Kind: RelationTruncated, Rel: fork(0), Limit: 40}}, nil},
		{"only the visibility map cut", 15, pg.RmgrSmgr, 0x21, body{}.u32(40).rel(rel).u32(2), []Effect{{Kind: RelationTruncated, Rel: fork(pg.VMFork)}}, nil},
		{"unknown fork cut", 15, pg.RmgrSmgr, 0x21, body{}.u32(40).rel(rel).u32(9), nil, ErrUnknownEffect},
		{"nothing cut", 15, pg.RmgrSmgr, 0x21, body{}.u32(40).rel(rel).u32(0), nil, ErrUnknownEffect},
		{"cut too short", 15, pg.RmgrSmgr, 0x21, body{}.u32(40).rel(rel), nil, ErrPayload},
		{"unknown storage operation", 15, pg.RmgrSmgr, 0x30, body{}.rel(rel).u32(0), nil, ErrUnknownEffect},

		{"database copied, 14", 14, pg.RmgrDbase, 0x01, body{}.u32(9).u32(1663).u32(1).u32(1664), []Effect{{Kind: DatabaseCreated, DB: 9, Spc: 1663, SrcDB: 1, SrcSpc: 1664, FileCopy: true}}, nil},
		{"database copied, 15", 15, pg.RmgrDbase, 0x01, body{}.u32(9).u32(1663).u32(1).u32(1664), []Effect{{Kind: DatabaseCreated, DB: 9, Spc: 1663, SrcDB: 1, SrcSpc: 1664, FileCopy: true}}, nil},
		{"database made from the log", 15, pg.RmgrDbase, 0x10, body{}.u32(9).u32(1663), []Effect{{Kind: DatabaseCreated, DB: 9, Spc: 1663}}, nil},
		{"database dropped, 14", 14, pg.RmgrDbase, 0x11, body{}.u32(9).u32(2).u32(1663).u32(16500), []Effect{{Kind: DatabaseDropped, DB: 9, Spc: 1663}, {Kind: DatabaseDropped, DB: 9, Spc: 16500}}, nil},
		{"database dropped, 15", 15, pg.RmgrDbase, 0x21, body{}.u32(9).u32(1).u32(1663), []Effect{{Kind: DatabaseDropped, DB: 9, Spc: 1663}}, nil},
		{"operation of 15 in 14", 14, pg.RmgrDbase, 0x21, body{}.u32(9).u32(1).u32(1663), nil, ErrUnknownEffect},
		{"database dropped from more tablespaces than there are bytes", 15, pg.RmgrDbase, 0x21, body{}.u32(9).u32(1 << 30).u32(1663), nil, ErrPayload},
		{"negative number of tablespaces", 15, pg.RmgrDbase, 0x21, body{}.u32(9).u32(1<<32 - 1).u32(1663), nil, ErrPayload},
		{"tablespace made", 15, pg.RmgrTblspc, 0x00, body{}.u32(16500).text("/data"), []Effect{{Kind: TablespaceCreated, Spc: 16500, Path: "/data"}}, nil},
		{"tablespace whose path does not end", 15, pg.RmgrTblspc, 0x00, append(body{}.u32(16500), "/data"...), nil, ErrPayload},
		{"tablespace dropped", 15, pg.RmgrTblspc, 0x10, body{}.u32(16500), []Effect{{Kind: TablespaceDropped, Spc: 16500}}, nil},
		{"unknown tablespace operation", 15, pg.RmgrTblspc, 0x20, body{}.u32(16500), nil, ErrUnknownEffect},

		{"commit drops", 13, pg.RmgrXact, 0x80, drops, dropped, nil},
		{"commit drops, flagged from 14 on", 14, pg.RmgrXact, 0x81, drops, dropped, nil},
		{"abort drops", 15, pg.RmgrXact, 0xA1, drops, dropped, nil},
		{"commit prepared drops", 18, pg.RmgrXact, 0xB1, prepared, dropped, nil},
		{"abort prepared drops", 18, pg.RmgrXact, 0xC1, prepared, dropped, nil},
		{"plain commit", 18, pg.RmgrXact, 0x00, body{}.u64(1), nil, nil},
		{"commit without drops", 18, pg.RmgrXact, 0x80, body{}.u64(1).u32(xinfoForceSync), nil, nil},
		{"commit with its list cut short", 18, pg.RmgrXact, 0x81, drops[:30], nil, ErrPayload},
		{"commit with its flags cut short", 18, pg.RmgrXact, 0x80, drops[:10], nil, ErrPayload},
		{"prepare drops nothing yet", 15, pg.RmgrXact, 0x10, nil, nil, nil},
		{"assignment that claims to drop", 15, pg.RmgrXact, 0x51, nil, nil, ErrUnknownEffect},

		{"rows", 15, pg.RmgrHeap, 0x00, nil, nil, nil},
		{"flagged record of the server", 15, pg.RmgrHeap, 0x01, nil, nil, ErrUnknownEffect},
		{"extension", 15, 128, 0x00, nil, nil, nil},
		{"flagged extension", 15, 128, 0x31, nil, nil, ErrUnknownEffect},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []Effect{{Kind: TablespaceDropped, Spc: 1}}
			got, err := Effects(record(t, tt.major, tt.rmgr, tt.info, tt.main), before)
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Fatalf("want %v, got %v", tt.err, err)
			}
			if diff := cmp.Diff(append(before, tt.want...), got); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownEffectError(t *testing.T) {
	t.Parallel()
	_, err := Effects(record(t, 15, 142, 0x31, nil), nil)
	const want = "record at 0/1234560 on timeline 3: unknown effect on relation files: resource manager 142 (custom142), info 31"
	if err == nil || err.Error() != want {
		t.Errorf("want %q, got %v", want, err)
	}
	var unknown *UnknownEffectError
	if !errors.As(err, &unknown) || unknown.Rmgr != 142 || unknown.Hint() == "" {
		t.Errorf("got %#v", unknown)
	}
}

// TestEffectsAllocate is about the indexer, which asks about every record.
func TestEffectsAllocate(t *testing.T) {
	row := record(t, 15, pg.RmgrHeap, 0x00, body{}.u16(1).u8(0))
	commit := record(t, 15, pg.RmgrXact, 0x80, body{}.u64(1).u32(xinfoDatabase).u64(0))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Effects(row, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := Effects(commit, nil); err != nil {
			t.Fatal(err)
		}
		RowCounts(row)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRowCounts(t *testing.T) {
	t.Parallel()
	insert := func(flags uint8) body { return body{}.u16(1).u8(flags) }
	remove := func(flags uint8) body { return body{}.u32(9).u16(1).u8(0).u8(flags) }
	tests := []struct {
		name string
		rmgr pg.RmgrID
		info uint8
		main body
		want [4]int
	}{
		{"insert", pg.RmgrHeap, 0x00, insert(0), [4]int{1, 0, 0, 0}},
		{"insert on a page made anew", pg.RmgrHeap, 0x80, insert(0x08), [4]int{1, 0, 0, 0}},
		{"provisional insert", pg.RmgrHeap, 0x00, insert(0x04), [4]int{}},
		{"confirmed", pg.RmgrHeap, 0x50, body{}.u16(1), [4]int{1, 0, 0, 0}},
		{"withdrawn", pg.RmgrHeap, 0x10, remove(0x08), [4]int{}},
		{"delete", pg.RmgrHeap, 0x10, remove(0x02), [4]int{0, 0, 0, 1}},
		{"moved to another partition", pg.RmgrHeap, 0x10, remove(0x10), [4]int{0, 0, 0, 1}},
		{"update", pg.RmgrHeap, 0x20, nil, [4]int{0, 1, 0, 0}},
		{"update on a page made anew", pg.RmgrHeap, 0xA0, nil, [4]int{0, 1, 0, 0}},
		{"update without index entry", pg.RmgrHeap, 0x40, nil, [4]int{0, 1, 1, 0}},
		{"many at once", pg.RmgrHeap2, 0x50, body{}.u8(0).u8(0).u16(185), [4]int{185, 0, 0, 0}},
		{"many at once on a page made anew", pg.RmgrHeap2, 0xD0, body{}.u8(0).u8(0).u16(2), [4]int{2, 0, 0, 0}},
		{"lock", pg.RmgrHeap, 0x60, nil, [4]int{}},
		{"in place", pg.RmgrHeap, 0x70, nil, [4]int{}},
		{"truncate", pg.RmgrHeap, 0x30, nil, [4]int{}},
		{"prune", pg.RmgrHeap2, 0x10, nil, [4]int{}},
		{"index", pg.RmgrBtree, 0x00, nil, [4]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ins, upd, hot, del := RowCounts(record(t, 15, tt.rmgr, tt.info, tt.main))
			if got := [4]int{ins, upd, hot, del}; got != tt.want {
				t.Errorf("want %v, got %v", tt.want, got)
			}
		})
	}
}
