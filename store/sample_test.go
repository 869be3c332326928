package store

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

const (
	testSystem = uint64(7400000000000000001)
	testSize   = pg.SegmentSize(16 << 20)
)

func openMemory(t testing.TB) *Catalog {
	t.Helper()
	c, err := OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func relFork(rel pg.RelFileNumber, fork pg.ForkNumber) pg.RelFork {
	return pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: rel}, Fork: fork}
}

func at(us int64) time.Time { return time.UnixMicro(1_780_000_000_000_000 + us).UTC() }

// everything is a segment in which each list and each kind of fact occurs.
func everything() *blockmap.Segment {
	start := testSize.Start(3)
	s := &blockmap.Segment{
		SystemID: testSystem, SegmentSize: testSize, Major: 15, Name: pg.SegmentName{Timeline: 2, Number: 3},
		First: start + 40, Last: start + 4000, End: start + 4096, FirstPrev: start - 64,
		FirstTimeline: 1, LastTimeline: 2, Records: 100, Bytes: 3900, Stop: "clean-end", StopLSN: start + 4096, StopDetail: "want a record, got zeros",
		Digest: sha256.Sum256([]byte("everything")), InnerDigest: sha256.Sum256([]byte("inner")),
		Path: "/data/pg_wal/000000020000000000000003", Identity: "1:2:3", Size: int64(testSize), Indexed: at(0),
		Touched: &blockmap.Map{},
		Activity: map[pg.RelFork]blockmap.Activity{
			relFork(16384, pg.MainFork): {Records: 9, Inserts: 4, Updates: 2, HotUpdates: 1, Deletes: 1, Images: 2, ImageBytes: 8000, WALBytes: 9000},
			relFork(16400, pg.VMFork):   {Records: 1, WALBytes: 60},
		},
		Rmgrs: []blockmap.RmgrCount{{Rmgr: pg.RmgrXLOG, Op: 0x10, Records: 1, Bytes: 114}, {Rmgr: pg.RmgrHeap, Op: 0x40, Records: 9, Bytes: 9000, ImageBytes: 8000}},
		Checkpoints: []blockmap.Checkpoint{{
			LSN: start + 200, End: start + 320, Redo: start + 100, Timeline: 2, PrevTimeline: 1, Shutdown: true, FullPageWrites: true,
			WALLevel: 1, NextXID: 1<<32 + 7, OldestXID: 717, OldestActive: 0, Time: at(-1000000),
		}},
		Events: []blockmap.Event{
			{Kind: blockmap.RelationTruncated, LSN: start + 400, XID: 740, Rel: relFork(16384, 0).RelFileLocator, Forks: 7, Limit: 12},
			{Kind: blockmap.RelationDropped, LSN: start + 400, XID: 740, Rel: relFork(16390, 0).RelFileLocator, Forks: 15},
			{Kind: blockmap.DatabaseCreated, LSN: start + 500, Spc: 1663, DB: 16500, SourceSpc: 1663, SourceDB: 1},
			{Kind: blockmap.ParameterChange, LSN: start + 600, Parameters: &blockmap.Parameters{MaxConnections: 100, WALLevel: 1, WALLogHints: true}},
			{Kind: blockmap.EndOfRecovery, LSN: start + 700, Timeline: 2, PrevTimeline: 1, Time: at(5)},
			{Kind: blockmap.OverwrittenContrecord, LSN: start + 800, At: start - 64, Time: at(6)},
			{Kind: blockmap.RestorePoint, LSN: start + 900, Name: "before 'upgrade'", Time: at(7)},
			{Kind: blockmap.FullPageWritesChange, LSN: start + 1000, On: true},
		},
		Xacts: []blockmap.Xact{
			{Kind: blockmap.Commit, LSN: start + 2000, End: start + 2048, XID: 740, DB: 5, Time: at(100), Rest: &blockmap.XactRest{Subxacts: []pg.XID{741, 742}, Dropped: 1}},
			{Kind: blockmap.Prepare, LSN: start + 2100, End: start + 2300, XID: 743, Time: at(150), Rest: &blockmap.XactRest{GID: "twophase"}},
			{Kind: blockmap.Abort, LSN: start + 2304, End: start + 2352, XID: 744, Time: at(120), Rest: &blockmap.XactRest{Origin: 3, OriginLSN: 77}},
		},
		XIDs: []blockmap.XIDActivity{
			{XID: 744, First: start + 40, Records: 2, Bytes: 200},
			{XID: 740, First: start + 128, Records: 5, Bytes: 600},
			{XID: 741, Top: 740, First: start + 232, Records: 1, Bytes: 90},
		},
		Snapshots:   []blockmap.Snapshot{{LSN: start + 64, Next: 745, OldestRunning: 740, LatestCompleted: 739, XIDs: []pg.XID{740, 743}, Overflow: true}},
		Assignments: []blockmap.Assignment{{LSN: start + 240, Top: 740, Subs: []pg.XID{741, 742}}},
	}
	for b := range pg.BlockNumber(20) {
		s.Touched.Touch(pg.BlockTag{RelFork: relFork(16384, pg.MainFork), Block: b * 3}, b%2 == 0)
		s.Touched.Touch(pg.BlockTag{RelFork: relFork(16385, pg.MainFork), Block: b}, true)
		s.Touched.Touch(pg.BlockTag{RelFork: relFork(16386, pg.FSMFork), Block: b}, false)
	}
	s.Touched.Cut(relFork(16384, pg.MainFork), 12)
	s.Touched.Cut(relFork(16390, pg.MainFork), 0)
	s.Touched.CutDatabase(1663, 16500)
	return s
}

// oltp is a segment as a busy server with small transactions fills it.
func oltp(n uint64) *blockmap.Segment {
	r := rand.New(rand.NewPCG(n, 1))
	start := testSize.Start(n)
	s := &blockmap.Segment{
		SystemID: testSystem, SegmentSize: testSize, Major: 15, Name: pg.SegmentName{Timeline: 1, Number: n},
		First: start + 40, Last: start + pg.LSN(testSize) - 64, End: start + pg.LSN(testSize) + 40, FirstPrev: start - 64,
		Records: 75_000, Bytes: 15 << 20, Complete: true, Indexed: at(int64(n)),
		Path: "/archive/" + testSize.Name(1, n), Identity: testSize.Name(1, n), Size: int64(testSize),
		Activity: map[pg.RelFork]blockmap.Activity{},
	}
	binary.BigEndian.PutUint64(s.Digest[:], n+1)
	var a blockmap.Accumulator
	for range 60_000 {
		rel := r.IntN(5)
		blocks := []int{80000, 22000, 1, 40, 3}[rel]
		f := a.Fork(relFork(pg.RelFileNumber(16384+rel), pg.MainFork))
		f.Touch(pg.BlockNumber(r.IntN(blocks)), r.IntN(20) == 0)
		f.Activity.Records++
	}
	s.Touched, s.Activity = a.Map()
	xid := pg.XID(700 + n*15_000)
	lsn, now := start+40, int64(n)*2_000_000
	for i := range 15_000 {
		lsn += pg.LSN(r.IntN(200)+40) * 8
		now += int64(r.IntN(260))
		x := xid + pg.XID(i)
		s.XIDs = append(s.XIDs, blockmap.XIDActivity{XID: x, First: lsn - pg.LSN(r.IntN(100)*8), Records: 5, Bytes: int64(900 + r.IntN(200))})
		s.Xacts = append(s.Xacts, blockmap.Xact{LSN: lsn, End: lsn + 48, XID: x - pg.XID(r.IntN(8)), Time: at(now)})
	}
	for op := range uint8(20) {
		s.Rmgrs = append(s.Rmgrs, blockmap.RmgrCount{Rmgr: pg.RmgrID(op / 4), Op: op % 4 << 4, Records: 4000, Bytes: 800_000})
	}
	return s
}
