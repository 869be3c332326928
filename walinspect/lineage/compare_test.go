package lineage

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

const mb = 1 << 20

// write puts segments of a log into a folder.
func write(t testing.TB, log *waltest.Log, only ...uint64) segment.Source {
	t.Helper()
	dir := t.TempDir()
	for n, name := range log.Segments() {
		if len(only) > 0 && n < only[0] {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name.Format(log.Geometry.SegmentSize)), log.Segment(n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return segment.NewDir(dir, log.Geometry.SegmentSize)
}

// branch builds a log of shared records and then some of its own.
func branch(shared, own, xid int) *waltest.Builder {
	b := waltest.New(waltest.Config{})
	for i := range shared {
		b.Append(waltest.Touch(pg.XID(700+i), tag(i)))
		b.Append(waltest.Noop(3000))
	}
	for i := range own {
		b.Append(waltest.Touch(pg.XID(xid+i), tag(i)))
		b.Append(waltest.Noop(3000))
	}
	return b
}

func tag(i int) pg.BlockTag {
	return pg.BlockTag{RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16384}}, Block: pg.BlockNumber(i)}
}

func compare(t testing.TB, a, b segment.Source, g walinspect.Geometry, known Digests) *Comparison {
	t.Helper()
	c, err := FirstDifference(t.Context(), Logs{A: a, B: b, Known: known, Path: timeline.SingleTimeline(1), Geometry: g}, pg.Span{From: mb, To: pg.MaxLSN})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFirstDifference(t *testing.T) {
	const shared = 500 // 1.5 MB
	fork := branch(shared, 0, 0).End()
	tests := []struct {
		name    string
		a, b    *waltest.Builder
		differs bool
		alike   pg.LSN
	}{
		{"the same", branch(shared, 300, 9000), branch(shared, 300, 9000), false, branch(shared, 300, 9000).End()},
		{"one goes on", branch(shared, 0, 0), branch(shared, 300, 9000), false, fork},
		{"parted in a segment", branch(shared, 300, 9000), branch(shared, 300, 8000), true, fork},
		{"parted, one is much longer", branch(shared, 1, 9000), branch(shared, 900, 8000), true, fork},
		{"parted at the first record", branch(0, 300, 9000), branch(0, 300, 8000), true, mb},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := tt.a.Log().Geometry
			c := compare(t, write(t, tt.a.Log()), write(t, tt.b.Log()), g, nil)
			if c.Differs != tt.differs || c.Unsure != "" || c.Earlier {
				t.Fatalf("comparison %+v", c)
			}
			if !tt.differs && c.Alike != tt.alike || tt.differs && c.Fork != tt.alike {
				t.Errorf("alike to %s, fork %s; want %s", c.Alike, c.Fork, tt.alike)
			}
			if tt.differs && (c.At != g.RecordStart(tt.alike) || c.A.XID != 9000 || c.B.XID != 8000) {
				t.Errorf("first difference at %s: %+v and %+v", c.At, c.A, c.B)
			}
		})
	}
}

// Recycled tails differ between nodes that agree.
func TestTailsDoNotCount(t *testing.T) {
	a, b := branch(500, 0, 0), branch(500, 0, 0)
	a.Log().Recycle(a.End()+8192, 1)
	if c := compare(t, write(t, a.Log()), write(t, b.Log()), a.Log().Geometry, nil); c.Differs || c.Alike != a.End() {
		t.Errorf("comparison %+v, want both alike to %s", c, a.End())
	}
}

// Where the segment with the fork is gone on one side, the first records that
// are left differ, and only the catalog can tell where they parted.
func TestForkInASegmentThatIsGone(t *testing.T) {
	a, b := branch(500, 900, 9000), branch(500, 900, 8000)
	g := a.Log().Geometry
	left := write(t, a.Log(), 3)
	c := compare(t, left, write(t, b.Log()), g, nil)
	if !c.Differs || !c.Earlier {
		t.Fatalf("comparison %+v, want one that says the fork may be earlier", c)
	}
	whole := write(t, a.Log())
	known := func(ctx context.Context, tli pg.TimelineID, n uint64) ([][32]byte, error) {
		d, err := RecordDigest(ctx, segment.NewPages(whole, mb, segment.OneTimeline(tli)), g, n)
		return [][32]byte{d}, err
	}
	c = compare(t, left, write(t, b.Log()), g, known)
	if !c.Differs || c.Unsure == "" || c.At != pg.SegmentSize(mb).Start(2) || !c.Earlier {
		t.Fatalf("comparison %+v, want segment 2 named", c)
	}
}

func TestDamageIsNoDifference(t *testing.T) {
	a, b := branch(500, 0, 0), branch(500, 0, 0)
	a.Log().Flip(a.Log().Records[10] + 30)
	if c := compare(t, write(t, a.Log()), write(t, b.Log()), a.Log().Geometry, nil); c.Differs || c.Unsure == "" {
		t.Errorf("comparison %+v, want an unsure one", c)
	}
}

// Where the first common segment begins inside a record, that record may end
// elsewhere on the other side: the logs parted before.
func TestPartedBeforeACrossingRecord(t *testing.T) {
	a, b := waltest.New(waltest.Config{}), waltest.New(waltest.Config{})
	for _, side := range []struct {
		b *waltest.Builder
		n int
	}{{a, 20000}, {b, 30000}} {
		side.b.FillTo(2*mb - 10000)
		side.b.Append(waltest.Noop(side.n))
		for i := range 10 {
			side.b.Append(waltest.Touch(pg.XID(700+i), tag(i)))
		}
	}
	c := compare(t, write(t, a.Log(), 2), write(t, b.Log(), 2), a.Log().Geometry, nil)
	if !c.Differs || !c.Earlier || c.Unsure != "" {
		t.Errorf("got %+v, want a difference that lies earlier", c)
	}
}

// commit is the end of a transaction at a time, in microseconds.
func commit(xid pg.XID, at uint64) walinspect.Record {
	return walinspect.Record{Rmgr: pg.RmgrXact, XID: xid, Main: binary.LittleEndian.AppendUint64(nil, at)}
}

// Two servers that parted can write the same bytes: records without a time
// prove nothing, and neither does what lies before a difference.
func TestVouch(t *testing.T) {
	grown := func(times ...uint64) *waltest.Builder {
		b := waltest.New(waltest.Config{})
		for i, at := range times {
			b.Append(commit(pg.XID(700+i), at))
			for j := range 200 { // more than half a segment
				b.Append(waltest.Touch(pg.XID(700+i), tag(j)))
				b.Append(waltest.Noop(3000))
			}
		}
		return b
	}
	a := grown(1, 2, 3)
	g := a.Log().Geometry
	for _, tt := range []struct {
		name string
		b    *waltest.Builder
		from uint64 // first segment that is left of a
		end  pg.LSN
		want bool
	}{
		{"the same origin", grown(1, 2, 3), 1, a.End(), true},
		{"before the second commit", grown(1, 2, 3), 1, mb + 100000, true},
		{"another last commit", grown(1, 2, 4), 1, a.End(), false},
		{"another first commit, which is gone", grown(9, 2, 3), 2, 2*mb + 100000, false},
		{"another first commit, a later one vouches", grown(9, 2, 3), 2, a.End(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			end := tt.end
			for _, at := range a.Log().Records { // the end of a record
				if at >= end {
					end = at
					break
				}
			}
			logs := Logs{A: write(t, a.Log(), tt.from), B: write(t, tt.b.Log()), Path: timeline.SingleTimeline(1), Geometry: g}
			at, err := Vouch(t.Context(), logs, end)
			if err != nil || at.Valid() != tt.want || at >= end {
				t.Errorf("Vouch up to %s = %s, %v; want one: %t", end, at, err, tt.want)
			}
		})
	}
}
