package rmgr

import (
	"strings"
	"testing"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// TestDescribe is about what no sample shows: operations that are rare, that
// only one version has, or that a server never writes.
func TestDescribe(t *testing.T) {
	t.Parallel()
	rel := pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}
	tests := []struct {
		name  string
		major int
		rmgr  pg.RmgrID
		info  uint8
		main  body
		want  string
	}{
		{"nothing to say", 15, pg.RmgrXLOG, XLOGNoop, body{}.u64(1), "NOOP "},
		{"overwritten record", 15, pg.RmgrXLOG, XLOGOverwriteContrecord, body{}.u64(0x100ABCDEF).u64(1), "OVERWRITE_CONTRECORD lsn 1/ABCDEF; time 2000-01-01 00:00:00.000001 UTC"},
		{"overwritten record, padded position", 19, pg.RmgrXLOG, XLOGOverwriteContrecord, body{}.u64(0x100ABCDEF).u64(1e6), "OVERWRITE_CONTRECORD lsn 1/00ABCDEF; time 2000-01-01 00:00:01.000000 UTC"},
		{"time before the epoch", 15, pg.RmgrXLOG, XLOGOverwriteContrecord, body{}.u64(0).u64(1<<64 - 1500000), "OVERWRITE_CONTRECORD lsn 0/0; time 1999-12-31 23:59:59.-500000 UTC"},
		{"full page writes", 13, pg.RmgrXLOG, XLOGFPWChange, body{}.u8(1), "FPW_CHANGE true"},
		{"end of recovery", 16, pg.RmgrXLOG, XLOGEndOfRecovery, body{}.u64(0).u32(2).u32(1), "END_OF_RECOVERY tli 2; prev tli 1; time 2000-01-01 00:00:00.000000 UTC"},
		{"end of recovery with level", 17, pg.RmgrXLOG, XLOGEndOfRecovery, body{}.u64(0).u32(2).u32(1).u32(1).u32(0xDEADBEEF), "END_OF_RECOVERY tli 2; prev tli 1; time 2000-01-01 00:00:00.000000 UTC; wal_level replica"},
		{"unknown level", 17, pg.RmgrXLOG, XLOGCheckpointRedo, body{}.u32(7), "CHECKPOINT_REDO wal_level ?"},
		{"no such operation yet", 16, pg.RmgrXLOG, XLOGCheckpointRedo, body{}.u32(1), "UNKNOWN (e0) "},
		{"position taken", 19, pg.RmgrXLOG, XLOGAssignLSN, body{}.u32(0), "ASSIGN_LSN "},
		{"position taken, not yet here", 18, pg.RmgrXLOG, XLOGAssignLSN, body{}.u32(0), "UNKNOWN (c0) "},
		{"position taken, still here", 18, pg.RmgrGist, 0x70, nil, "ASSIGN_LSN "},
		{"position taken, no longer here", 19, pg.RmgrGist, 0x70, nil, "UNKNOWN (70) "},
		{"low bits do not count", 15, pg.RmgrXLOG, XLOGNextOID | 0x02, body{}.u32(24576), "NEXTOID 24576"},
		{"low bits count here", 15, pg.RmgrCommitTs, 0x02, body{}.u32(9), "UNKNOWN (0) 9"},

		{"extension", 15, 200, 0x31, body{}.u64(0), "UNKNOWN (30) rmid: 200"},

		{"transaction status page", 16, pg.RmgrCLOG, 0x00, body{}.u32(12), "ZEROPAGE page 12"},
		{"transaction status page, wide", 17, pg.RmgrCLOG, 0x00, body{}.u64(1 << 33), "ZEROPAGE page 8589934592"},
		{"transaction status cut", 16, pg.RmgrCLOG, 0x10, body{}.u32(12).u32(345).u32(1), "TRUNCATE page 12; oldestXact 345"},
		{"transaction status cut, wide", 17, pg.RmgrCLOG, 0x10, body{}.u64(12).u32(345).u32(1), "TRUNCATE page 12; oldestXact 345"},
		{"commit times cut", 15, pg.RmgrCommitTs, 0x10, body{}.u32(3).u32(99), "TRUNCATE pageno 3, oldestXid 99"},
		{"commit time", 13, pg.RmgrCommitTs, 0x20, body{}.u64(0).u16(4).align(4).u32(700).u32(701).u32(702), "SETTS set 2000-01-01 00:00:00.000000 UTC/4 for: 700, 701, 702"},
		{"commit time, gone", 14, pg.RmgrCommitTs, 0x20, body{}.u64(0), "UNKNOWN (20) "},
		{"multixacts cut", 18, pg.RmgrMultiXact, 0x30, body{}.u32(5).u32(1).u32(2).u32(3).u32(4), "TRUNCATE_ID offsets [1, 2), members [3, 4)"},
		{"multixacts cut, 19", 19, pg.RmgrMultiXact, 0x30, body{}.u32(5).u32(1).u64(1 << 40), "TRUNCATE_ID oldestMulti 1, oldestOffset 1099511627776"},
		{"odd multixact member", 15, pg.RmgrMultiXact, 0x20, body{}.u32(1).u32(2).u32(1).u32(800).u32(6), "CREATE_ID 1 offset 2 nmembers 1: 800 (unk) "},

		{"database dropped, 14", 14, pg.RmgrDbase, 0x11, body{}.u32(16384).u32(2).u32(1663).u32(16500), "DROP dir 1663/16384 16500/16384"},
		{"database dropped, 15", 15, pg.RmgrDbase, 0x21, body{}.u32(16384).u32(1).u32(1663), "DROP dir 1663/16384"},
		{"database created, 15", 15, pg.RmgrDbase, 0x10, body{}.u32(16384).u32(1663), "CREATE_WAL_LOG create dir 1663/16384"},
		{"database copied, 14", 14, pg.RmgrDbase, 0x01, body{}.u32(16384).u32(1663).u32(1).u32(1664), "CREATE copy dir 1664/1 to 1663/16384"},
		{"in-place tablespace", 15, pg.RmgrTblspc, 0x00, body{}.u32(16500).text(""), `CREATE 16500 ""`},
		{"relation in a tablespace", 14, pg.RmgrSmgr, 0x11, body{}.rel(pg.RelFileLocator{Spc: 16500, DB: 5, Rel: 7}).u32(3), "CREATE pg_tblspc/16500/PG_14_202107181/5/7_init"},
		{"shared relation", 19, pg.RmgrSmgr, 0x21, body{}.u32(2).rel(pg.RelFileLocator{Spc: 1664, Rel: 1260}).u32(7), "TRUNCATE global/1260 to 2 blocks flags 7"},

		{"rows truncated, 15", 15, pg.RmgrHeap, 0x30, body{}.u32(5).u32(2).u8(3).align(4).u32(11).u32(12), "TRUNCATE cascade restart_seqs nrelids 2 relids 11 12"},
		{"rows truncated, 16", 16, pg.RmgrHeap, 0x30, body{}.u32(5).u32(2).u8(3).align(4).u32(11).u32(12), "TRUNCATE flags: [CASCADE, RESTART_SEQS], nrelids: 2, relids: [11, 12]"},
		{"all infomask bits", 15, pg.RmgrHeap, 0x10, body{}.u32(9).u16(3).u8(0x1F).u8(0x0B), "DELETE off 3 flags 0x0B IS_MULTI LOCK_ONLY EXCL_LOCK KEYSHR_LOCK KEYS_UPDATED "},
		{"all infomask bits, 16", 16, pg.RmgrHeap, 0x10, body{}.u32(9).u16(3).u8(0x1F).u8(0x0B), "DELETE xmax: 9, off: 3, infobits: [IS_MULTI, LOCK_ONLY, EXCL_LOCK, KEYSHR_LOCK, KEYS_UPDATED], flags: 0x0B"},
		{"page made anew where there is none", 15, pg.RmgrHeap, 0xF0, body{}.u16(3), "UNKNOWN (f0) off 3"},
		{"visibility, 18", 18, pg.RmgrHeap2, 0x40, body{}.u32(700).u8(3), "VISIBLE snapshotConflictHorizon: 700, flags: 0x03"},
		{"visibility, gone", 19, pg.RmgrHeap2, 0x40, body{}.u32(700).u8(3), "UNKNOWN (40) "},
		{"pruned, 17", 17, pg.RmgrHeap2, 0x10, body{}.u8(0).u8(0x0A).u32(700), "PRUNE_ON_ACCESS snapshotConflictHorizon: 700, isCatalogRel: T"},
		{"pruned, 19", 19, pg.RmgrHeap2, 0x20, body{}.u16(0x300), "PRUNE_VACUUM_SCAN , isCatalogRel: F, vm_flags: 0x03"},
		{"cleanup, 13", 13, pg.RmgrHeap2, 0x30, body{}.rel(rel).u32(600), "CLEANUP_INFO remxid 600"},
		{"index page over the root", 14, pg.RmgrBtree, 0x20, body{}.u16(3), "INSERT_META off 3"},
		{"index page over the root, 16", 16, pg.RmgrBtree, 0x20, body{}.u16(3), "INSERT_META off: 3"},
		{"generic record with main data", 15, pg.RmgrGeneric, 0x00, body{}.u16(24).u16(1).u8(0).u16(100).u16(0), "Generic offset 24, length 1; offset 100, length 0"},
		{"no number", 15, pg.RmgrHash, 0xB0, body{}.u64(0x7FF8000000000000), "UPDATE_META_PAGE ntuples nan"},
		{"large number", 15, pg.RmgrHash, 0xB0, body{}.u64(0x412E848000000000), "UPDATE_META_PAGE ntuples 1e+06"},
		{"overflow, 15", 15, pg.RmgrStandby, 0x10, body{}.u32(1).u32(1).u8(1).align(4).u32(9).u32(7).u32(8).u32(7).u32(6), "RUNNING_XACTS nextXid 9 latestCompletedXid 8 oldestRunningXid 7; 1 xacts: 7; subxid ovf"},
		{"overflow, 16", 16, pg.RmgrStandby, 0x10, body{}.u32(1).u32(1).u8(1).align(4).u32(9).u32(7).u32(8).u32(7).u32(6), "RUNNING_XACTS nextXid 9 latestCompletedXid 8 oldestRunningXid 7; 1 xacts: 7; subxid overflowed; 1 subxacts: 6"},

		{"too short for anything", 15, pg.RmgrHeap, 0x00, nil, "INSERT off 0 flags 0x00" + truncated},
		{"too short a list", 15, pg.RmgrHeap, 0x30, body{}.u32(5).u32(1 << 30).u8(0).align(4).u32(11), "TRUNCATE nrelids 1073741824 relids 11" + truncated},
		{"too short a checkpoint", 15, pg.RmgrXLOG, XLOGCheckpointOnline, body{}.u64(1), "CHECKPOINT_ONLINE " + truncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Describe(record(t, tt.major, tt.rmgr, tt.info, tt.main)); got != tt.want {
				t.Errorf("want %q\n got %q", tt.want, got)
			}
		})
	}
}

// TestOpNames is the table of the server's identify functions, turned around:
// how many operations each resource manager has in each version.
func TestOpNames(t *testing.T) {
	t.Parallel()
	want := map[pg.RmgrID][7]int{
		//                  13  14  15  16  17  18  19
		pg.RmgrXLOG:       {13, 13, 13, 13, 14, 14, 16},
		pg.RmgrXact:       {6, 7, 7, 7, 7, 7, 7},
		pg.RmgrSmgr:       {2, 2, 2, 2, 2, 2, 2},
		pg.RmgrCLOG:       {2, 2, 2, 2, 2, 2, 2},
		pg.RmgrDbase:      {2, 2, 3, 3, 3, 3, 3},
		pg.RmgrTblspc:     {2, 2, 2, 2, 2, 2, 2},
		pg.RmgrMultiXact:  {4, 4, 4, 4, 4, 4, 4},
		pg.RmgrRelMap:     {1, 1, 1, 1, 1, 1, 1},
		pg.RmgrStandby:    {3, 3, 3, 3, 3, 3, 3},
		pg.RmgrHeap2:      {9, 9, 9, 9, 9, 9, 8},
		pg.RmgrHeap:       {11, 11, 11, 11, 11, 11, 11},
		pg.RmgrBtree:      {15, 15, 15, 15, 15, 15, 15},
		pg.RmgrHash:       {13, 13, 13, 13, 13, 13, 13},
		pg.RmgrGin:        {9, 9, 9, 9, 9, 9, 9},
		pg.RmgrGist:       {6, 6, 6, 6, 6, 6, 5},
		pg.RmgrSeq:        {1, 1, 1, 1, 1, 1, 1},
		pg.RmgrSPGist:     {8, 8, 8, 8, 8, 8, 8},
		pg.RmgrBRIN:       {8, 8, 8, 8, 8, 8, 8},
		pg.RmgrCommitTs:   {3, 2, 2, 2, 2, 2, 2},
		pg.RmgrReplOrigin: {2, 2, 2, 2, 2, 2, 2},
		pg.RmgrGeneric:    {1, 1, 1, 1, 1, 1, 1},
		pg.RmgrLogicalMsg: {1, 1, 1, 1, 1, 1, 1},
	}
	for _, id := range pg.Rmgrs() {
		for major := pg.MinMajor; major <= pg.MaxMajor; major++ {
			names := map[string]bool{}
			for op := range 16 {
				if name := opName(major, id, uint8(op<<4)); name != "" {
					names[name] = true
				}
			}
			if n := want[id][major-pg.MinMajor]; len(names) != n {
				t.Errorf("%s of version %d: want %d operations, got %d: %v", id, major, n, len(names), names)
			}
		}
	}
}

// TestLine is about block references that no server with these settings wrote.
func TestLine(t *testing.T) {
	t.Parallel()
	rec := record(t, 14, pg.RmgrXLOG, XLOGFPI, nil)
	rec.Prev, rec.TotalLen = 0x1234500, 500
	tag := pg.BlockTag{RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}}, Block: 7}
	rec.Blocks = []walinspect.BlockRef{
		{ID: 2, Flags: 0x10, Tag: tag, Image: walinspect.Image{
			HoleOffset: 100, HoleLen: 4000, Compression: walinspect.PGLZ, Apply: true, Data: make([]byte, 192),
		}},
		{ID: 3, Flags: 0x02, Tag: pg.BlockTag{RelFork: pg.RelFork{RelFileLocator: tag.RelFileLocator, Fork: pg.VMFork}}},
	}
	const head = "rmgr: XLOG        len (rec/tot):    308/   500, tx:        777, lsn: 0/01234560, prev 0/01234500, desc: FPI "
	tests := []struct {
		name  string
		style Style
		major int
		want  string
	}{
		{"short", Style{}, 14, head + ", blkref #2: rel 1663/5/16384 blk 7 FPW, blkref #3: rel 1663/5/16384 fork vm blk 0"},
		{"long", Style{Details: true}, 14, head + "\n\tblkref #2: rel 1663/5/16384 fork main blk 7 (FPW); hole: offset: 100, length: 4000, compression saved: 4000" +
			"\n\tblkref #3: rel 1663/5/16384 fork vm blk 0"},
		{"long with method", Style{Details: true}, 15, head + "\n\tblkref #2: rel 1663/5/16384 fork main blk 7 (FPW); hole: offset: 100, length: 4000, compression saved: 4000, method: pglz" +
			"\n\tblkref #3: rel 1663/5/16384 fork vm blk 0"},
		{"large pages", Style{Details: true, BlockSize: 32768}, 14, head + "\n\tblkref #2: rel 1663/5/16384 fork main blk 7 (FPW); hole: offset: 100, length: 4000, compression saved: 28576" +
			"\n\tblkref #3: rel 1663/5/16384 fork vm blk 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layout, err := walinspect.LayoutOf(tt.major)
			if err != nil {
				t.Fatal(err)
			}
			r := *rec
			r.Layout = layout
			if got := tt.style.Line(&r); got != tt.want {
				t.Errorf("want %q\n got %q", tt.want, got)
			}
		})
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	rec := record(t, 15, pg.RmgrXact, 0x00, body{}.u64(86400e6))
	style := Style{Zone: time.FixedZone("CET", 3600)}
	if got, want := style.Describe(rec), "COMMIT 2000-01-02 01:00:00.000000 CET"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

// BenchmarkLine prints the samples of version 15.
func BenchmarkLine(b *testing.B) {
	all := readSamples(b, "testdata/records.15.txt.gz")
	var buf []byte
	for b.Loop() {
		for i := range all {
			buf = Style{}.AppendLine(buf[:0], &all[i].rec)
		}
	}
	b.ReportMetric(float64(b.N*len(all))/b.Elapsed().Seconds(), "records/s")
	if strings.TrimSpace(string(buf)) == "" {
		b.Fatal("printed nothing")
	}
}
