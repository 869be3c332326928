package rmgr

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// TestDecodeXact decodes what the reverse of it has written, for every kind in
// every version with any choice of parts.
func TestDecodeXact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		major := rapid.IntRange(pg.MinMajor, pg.MaxMajor).Draw(rt, "major")
		want := drawXact(rt, major)
		rec := record(t, major, pg.RmgrXact, 0, nil)
		rec.Info, rec.Main = encodeXact(&want, major)
		rec.Origin = want.Origin
		if !want.TwoPhase && want.Kind != XactAssignment {
			want.XID = rec.XID
		}
		got, err := DecodeXact(rec)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Xact{}), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("%s of version %d (-want +got):\n%s", want.Kind, major, diff)
		}
		checkShort(rt, rec)
	})
}

// checkShort cuts the payload at a random place. Only what is behind the last
// part may go unnoticed.
func checkShort(rt *rapid.T, rec *walinspect.Record) {
	if len(rec.Main) == 0 {
		return
	}
	whole := len(rec.Main)
	rec.Main = rec.Main[:rapid.IntRange(0, whole-1).Draw(rt, "cut")]
	var bad *PayloadError
	if _, err := DecodeXact(rec); !errors.As(err, &bad) && rec.Info&xactOpMask != xactPrepare {
		rt.Fatalf("%d bytes of %d: want a PayloadError, got %v", len(rec.Main), whole, err)
	}
}

func drawXact(rt *rapid.T, major int) Xact {
	kinds := []XactKind{XactCommit, XactAbort, XactPrepare, XactCommitPrepared, XactAbortPrepared, XactAssignment}
	if major >= 14 {
		kinds = append(kinds, XactInvalidation)
	}
	x := Xact{Kind: rapid.SampledFrom(kinds).Draw(rt, "kind")}
	u32 := rapid.Uint32()
	maybe := func(name string) bool { return rapid.Bool().Draw(rt, name) }
	xids := rapid.Map(rapid.SliceOfN(u32, 0, 5), func(in []uint32) (out []pg.XID) {
		for _, v := range in {
			out = append(out, pg.XID(v))
		}
		return out
	})
	rels := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) pg.RelFileLocator {
		return pg.RelFileLocator{Spc: pg.OID(u32.Draw(rt, "spc")), DB: pg.OID(u32.Draw(rt, "db")), Rel: pg.RelFileNumber(u32.Draw(rt, "rel"))}
	}), 0, 4)
	stats := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) StatsItem {
		item := StatsItem{Kind: rapid.Int32().Draw(rt, "kind"), DB: pg.OID(u32.Draw(rt, "db")), Object: rapid.Uint64().Draw(rt, "object")}
		if major < 18 {
			item.Object &= 1<<32 - 1
		}
		return item
	}), 0, 3)
	invals := rapid.Map(rapid.IntRange(0, 3), func(n int) []byte { return make([]byte, n*invalSize) })
	stamps := rapid.Map(rapid.Int64Range(-1e15, 1e15), func(v int64) stamp { return stamp(v) })

	switch x.Kind {
	case XactAssignment:
		x.XID, x.Subxacts = pg.XID(u32.Draw(rt, "top")), xids.Draw(rt, "subxacts")
		return x
	case XactInvalidation:
		x.Invals = invals.Draw(rt, "invals")
		return x
	}
	x.setTime(stamps.Draw(rt, "time"))
	x.Subxacts, x.Dropped = xids.Draw(rt, "subxacts"), rels.Draw(rt, "dropped")
	if major >= 15 {
		x.Stats = stats.Draw(rt, "stats")
	}
	x.InitFileInval = maybe("init file")
	if x.Kind != XactAbort && x.Kind != XactAbortPrepared {
		x.Invals = invals.Draw(rt, "invals")
	}
	x.TwoPhase = x.Kind == XactPrepare || x.Kind == XactCommitPrepared || x.Kind == XactAbortPrepared
	if x.TwoPhase {
		x.XID = pg.XID(u32.Draw(rt, "xid"))
		x.GID = rapid.StringMatching(`[a-z ]{0,20}`).Draw(rt, "gid")
	}
	if x.HasOrigin = maybe("origin"); x.HasOrigin {
		x.Origin = rapid.Uint16Range(1, 9).Draw(rt, "node")
	}
	if x.HasOrigin || x.Kind == XactPrepare {
		x.OriginLSN = pg.LSN(rapid.Uint64().Draw(rt, "origin LSN"))
		x.setOriginTime(stamps.Draw(rt, "origin time"))
	}
	x.DB = pg.OID(u32.Draw(rt, "db"))
	if x.Kind == XactPrepare {
		x.Owner = pg.OID(u32.Draw(rt, "owner"))
		x.DroppedOnAbort = rels.Draw(rt, "dropped on abort")
		if major >= 15 {
			x.StatsOnAbort = stats.Draw(rt, "stats on abort")
		}
		return x
	}
	x.Spc = pg.OID(u32.Draw(rt, "spc"))
	x.ApplyFeedback, x.ForceSync = maybe("feedback"), maybe("sync")
	return x
}

// encodeXact writes what DecodeXact reads, with info byte.
func encodeXact(x *Xact, major int) (uint8, body) {
	switch x.Kind {
	case XactPrepare:
		return xactPrepare, encodePrepare(x, major)
	case XactAssignment:
		return xactAssignment, body{}.u32(uint32(x.XID)).count(len(x.Subxacts)).xids(x.Subxacts)
	case XactInvalidation:
		return xactInvalidation, body{}.count(len(x.Invals) / invalSize).bytes(x.Invals)
	}
	b := body{}.u64(uint64(x.ended))
	parts := xinfoDatabase
	set := func(cond bool, bit uint32) {
		if cond {
			parts |= bit
		}
	}
	set(len(x.Subxacts) > 0, xinfoSubxacts)
	set(len(x.Dropped) > 0, xinfoRelations)
	set(len(x.Stats) > 0, xinfoStats)
	set(len(x.Invals) > 0, xinfoInvals)
	set(x.TwoPhase, xinfoTwoPhase)
	set(x.GID != "", xinfoGID)
	set(x.HasOrigin, xinfoOrigin)
	set(x.InitFileInval, xinfoInitFileInval)
	set(x.ApplyFeedback, xinfoApplyFeedback)
	set(x.ForceSync, xinfoForceSync)
	b = b.u32(parts).u32(uint32(x.DB)).u32(uint32(x.Spc))
	if len(x.Subxacts) > 0 {
		b = b.count(len(x.Subxacts)).xids(x.Subxacts)
	}
	if len(x.Dropped) > 0 {
		b = b.count(len(x.Dropped)).rels(x.Dropped)
	}
	if len(x.Stats) > 0 {
		b = b.count(len(x.Stats)).stats(x.Stats, major)
	}
	if len(x.Invals) > 0 {
		b = b.count(len(x.Invals) / invalSize).bytes(x.Invals)
	}
	if x.TwoPhase {
		b = b.u32(uint32(x.XID))
	}
	if x.GID != "" {
		b = b.text(x.GID)
	}
	if x.HasOrigin {
		b = b.u64(uint64(x.OriginLSN)).u64(uint64(x.originTime))
	}
	ops := map[XactKind]uint8{
		XactCommit: xactCommit, XactAbort: xactAbort, XactCommitPrepared: xactCommitPrep, XactAbortPrepared: xactAbortPrep,
	}
	return ops[x.Kind] | xactHasInfo, b
}

func encodePrepare(x *Xact, major int) body {
	b := body{}.u32(0x57F94534).u32(0).u32(uint32(x.XID)).u32(uint32(x.DB)).u64(uint64(x.ended)).u32(uint32(x.Owner)).
		count(len(x.Subxacts)).count(len(x.Dropped)).count(len(x.DroppedOnAbort))
	if major >= 15 {
		b = b.count(len(x.Stats)).count(len(x.StatsOnAbort))
	}
	b = b.count(len(x.Invals) / invalSize)
	initFile := uint8(0)
	if x.InitFileInval {
		initFile = 1
	}
	return b.u8(initFile).align(2).u16(uint16(len(x.GID)+1)).u64(uint64(x.OriginLSN)).u64(uint64(x.originTime)).
		text(x.GID).align(8).xids(x.Subxacts).align(8).rels(x.Dropped).align(8).rels(x.DroppedOnAbort).align(8).
		stats(x.Stats, major).align(8).stats(x.StatsOnAbort, major).align(8).bytes(x.Invals).align(8)
}

func (b body) count(n int) body { return b.u32(uint32(n)) }

func (b body) xids(xids []pg.XID) body {
	for _, x := range xids {
		b = b.u32(uint32(x))
	}
	return b
}

func (b body) rels(rels []pg.RelFileLocator) body {
	for _, r := range rels {
		b = b.rel(r)
	}
	return b
}

func (b body) stats(items []StatsItem, major int) body {
	for _, s := range items {
		b = b.u32(uint32(s.Kind)).u32(uint32(s.DB)).u32(uint32(s.Object))
		if major >= 18 {
			b = b.u32(uint32(s.Object >> 32))
		}
	}
	return b
}

// TestDescribeXact is about parts that came to be printed in some version.
func TestDescribeXact(t *testing.T) {
	t.Parallel()
	full := Xact{
		Kind: XactCommit, DB: 5, Spc: 1663,
		Subxacts: []pg.XID{778, 779}, Dropped: []pg.RelFileLocator{{Spc: 1663, DB: 5, Rel: 16384}, {Spc: 1664, Rel: 1260}},
		Invals:    body{}.u8(50).align(16).u8(0xFF).align(8).u32(1259).align(16).u8(0xFA).align(8).u32(77).align(16).u8(0x80).align(16),
		HasOrigin: true, Origin: 4, OriginLSN: 0xABCDEF,
		InitFileInval: true, ApplyFeedback: true, ForceSync: true,
	}
	const head = "2000-01-01 00:00:00.000000 UTC; rels: base/5/16384 global/1260; subxacts: 778 779"
	const invals = "; relcache init file inval dbid 5 tsid 1663; inval msgs: catcache 50 catalog 1259"
	const origin = "; origin: node 4, lsn 0/ABCDEF, at 2000-01-01 00:00:00.000000 UTC"
	tests := []struct {
		name  string
		major int
		kind  XactKind
		stats []StatsItem
		want  string
	}{
		{"commit, 13", 13, XactCommit, nil, "COMMIT " + head + invals + " unrecognized id -6 unrecognized id -128; sync" + origin},
		{"commit, 15", 15, XactCommit, []StatsItem{{2, 5, 9}}, "COMMIT " + head + "; dropped stats: 2/5/9" + invals + " unrecognized id -6 unrecognized id -128; apply_feedback; sync" + origin},
		{"commit, 18", 18, XactCommit, []StatsItem{{2, 5, 1 << 33}}, "COMMIT " + head + "; dropped stats: 2/5/8589934592" + invals + " relsync 77 unrecognized id -128; apply_feedback; sync" + origin},
		{"commit, 19", 19, XactCommit, nil, "COMMIT " + head + invals + " relsync 77 unrecognized id -128; apply_feedback; sync; origin: node 4, lsn 0/00ABCDEF, at 2000-01-01 00:00:00.000000 UTC"},
		{"abort, 14", 14, XactAbort, nil, "ABORT " + head},
		{"abort, 15", 15, XactAbort, []StatsItem{{2, 5, 9}}, "ABORT " + head + origin + "; dropped stats: 2/5/9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := full
			x.Kind, x.Stats = tt.kind, tt.stats
			if !x.Kind.Commits() {
				x.Invals = nil
			}
			info, main := encodeXact(&x, tt.major)
			rec := record(t, tt.major, pg.RmgrXact, info, main)
			rec.Origin = 4
			if got := Describe(rec); got != tt.want {
				t.Errorf("want %q\n got %q", tt.want, got)
			}
		})
	}
}
