package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/store"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// catalogSpec is a catalog of a server that was left behind on timeline 1 while
// another went on as timeline 2.
type catalogSpec struct {
	segments int // of 16 MB, on timeline 1
	source   int // on timeline 2
	commits  int // in each segment
}

const (
	specSystem = uint64(7400000000000000001)
	specSize   = pg.SegmentSize(16 << 20)
	specFork   = pg.LSN(specSize)*2 + 40 // where the third segment of timeline 1 begins
)

// write makes the catalog.
func (spec catalogSpec) write(tb testing.TB, path string) {
	tb.Helper()
	catalog, err := store.Open(context.Background(), path)
	if err != nil {
		tb.Fatal(err)
	}
	defer catalog.Close()
	history := fmt.Sprintf("1\t%s\tno recovery target specified\n", specFork)
	if err := catalog.SaveHistory(context.Background(), store.HistoryFile{SystemID: specSystem, Timeline: 2, Content: []byte(history), Seen: time.Unix(1_780_000_000, 0)}); err != nil {
		tb.Fatal(err)
	}
	var batch []*blockmap.Segment
	save := func(s *blockmap.Segment, last bool) {
		if batch = append(batch, s); len(batch) == 256 || last {
			if err := catalog.Save(context.Background(), batch...); err != nil {
				tb.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	for n := range spec.segments {
		save(spec.segment(1, uint64(n)+1, n == spec.segments-1), false)
	}
	for n := range spec.source {
		save(spec.segment(2, uint64(n)+2, n == spec.source-1), n == spec.source-1)
	}
}

// segment is one in which each transaction changes a dozen blocks of some of
// the 24 relations and leaves an image of most, so that 150 of them fill it.
func (spec catalogSpec) segment(tli pg.TimelineID, n uint64, last bool) *blockmap.Segment {
	r := rand.New(rand.NewPCG(n, uint64(tli)))
	start := specSize.Start(n)
	s := &blockmap.Segment{
		SystemID: specSystem, SegmentSize: specSize, Major: 15, Name: pg.SegmentName{Timeline: tli, Number: n},
		First: start + 40, Last: start + pg.LSN(specSize) - 64, End: start + pg.LSN(specSize) + 40, FirstPrev: start - 64,
		FirstTimeline: tli, LastTimeline: tli, Bytes: 15 << 20, Complete: !last, Indexed: time.Unix(1_780_000_000, 0),
		Path: "/archive/" + specSize.Name(tli, n), Identity: specSize.Name(tli, n), Size: int64(specSize),
	}
	if last {
		s.Stop, s.StopDetail, s.End = "clean-end", "want a record, got zeros", start+pg.LSN(specSize)-16
		s.StopLSN = s.End
	}
	if tli == 2 && n == 2 {
		s.FirstPrev = start - 64
	}
	binary.BigEndian.PutUint64(s.Digest[:], n)
	s.Digest[8] = byte(tli)
	if n == 1 {
		s.Checkpoints = []blockmap.Checkpoint{{LSN: start + 4096, End: start + 4216, Redo: start + 4000, Timeline: 1, PrevTimeline: 1, FullPageWrites: true,
			WALLevel: 1, NextXID: 700, OldestXID: 700, OldestActive: 700, Time: time.Unix(1_780_000_000, 0)}}
	}
	var a blockmap.Accumulator
	for i := range 1900 {
		rel := min(r.IntN(24), r.IntN(24))
		f := a.Fork(pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: pg.RelFileNumber(16384 + rel)}})
		f.Touch(pg.BlockNumber(r.IntN(500_000>>rel+8)), i%5 > 0)
		f.Activity.Records++
		f.Activity.Inserts++
		f.Activity.Images++
		f.Activity.ImageBytes += 7000
		f.Activity.WALBytes += 7200
	}
	s.Touched, s.Activity = a.Map()
	s.Records = 1900 + int64(spec.commits)
	xid := pg.XID(700 + n*uint64(spec.commits) + uint64(tli)<<24)
	for i := range spec.commits {
		at := start + 64 + pg.LSN(i*int(specSize)/(spec.commits+1))&^7
		x := xid + pg.XID(i)
		s.XIDs = append(s.XIDs, blockmap.XIDActivity{XID: x, First: at - 16, Records: 13, Bytes: 100_000})
		s.Xacts = append(s.Xacts, blockmap.Xact{LSN: at, End: at + 48, XID: x, DB: 5, Time: time.Unix(1_780_000_000+int64(n), int64(i)*1000)})
	}
	for op := range uint8(12) {
		s.Rmgrs = append(s.Rmgrs, blockmap.RmgrCount{Rmgr: pg.RmgrID(op / 4), Op: op % 4 << 4, Records: 150, Bytes: 1 << 20})
	}
	return s
}

// reportProcess runs the report as a process of its own and tells how long it
// took and how much memory it had at most, bytes.
func reportProcess(tb testing.TB, catalog, format string) (took time.Duration, memory int64, size int64) {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	link := filepath.Join(tb.TempDir(), "forkpoint")
	if err := os.Symlink(exe, link); err != nil {
		tb.Fatal(err)
	}
	out, err := os.Create(filepath.Join(tb.TempDir(), "report"))
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(link, "report", "1", "2", "--catalog", catalog, "--format", format)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	peak := watchMemory(cmd.Process.Pid)
	err = cmd.Wait()
	took, memory = time.Since(begin), peak()
	if err != nil {
		tb.Fatal(err)
	}
	info, err := out.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	return took, memory, info.Size()
}

// A report on 100 GB of WAL with a million commits from its catalog.
func BenchmarkReport(b *testing.B) {
	path := filepath.Join(b.TempDir(), "catalog.db")
	catalogSpec{segments: 6400, source: 64, commits: 157}.write(b, path)
	if info, err := os.Stat(path); err == nil {
		b.Logf("catalog of %d MB", info.Size()>>20)
	}
	for _, format := range []string{"text", "json", "html"} {
		b.Run(format, func(b *testing.B) {
			most := int64(0)
			for b.Loop() {
				_, memory, size := reportProcess(b, path, format)
				most = max(most, memory)
				b.SetBytes(size)
			}
			b.ReportMetric(float64(most)/(1<<20), "MB-memory")
		})
	}
}

// TestNamesFromCatalog takes the names that the catalog keeps where there is no
// data directory any more.
func TestNamesFromCatalog(t *testing.T) {
	path := filepath.Join(pgtest.Scratch(t), "catalog.db")
	catalogSpec{segments: 4, source: 2, commits: 3}.write(t, path)
	catalog, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = catalog.SaveNames(t.Context(), specSystem, []store.RelationName{{Storage: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: 16384},
		Name: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders"}, Kind: "table", Seen: time.Unix(1_780_000_000, 0)}})
	if err := errors.Join(err, catalog.Close(), pgtest.Own(path)); err != nil {
		t.Fatal(err)
	}
	d := report(t, statusDone, "1", "2", "--catalog", path)
	want := reports.RelationName{QualifiedName: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders"}, Kind: "table"}
	target := slices.IndexFunc(d.Relations, func(r reports.RelationChange) bool { return r.Rel == 16384 })
	other := slices.IndexFunc(d.SourceSide, func(s reports.SourceChange) bool { return s.Rel == 16384 })
	if target < 0 || other < 0 {
		t.Fatal("nothing is told of the relation")
	}
	for _, name := range []*reports.RelationName{d.Relations[target].Name, d.SourceSide[other].Name} {
		if name == nil || *name != want {
			t.Errorf("the relation is called %+v, want %+v", name, want)
		}
	}
	if h := asked[reports.BlockHistory](t, "blocks", "public.orders", "--catalog", path); len(h.Segments) != 6 {
		t.Errorf("%d segments touched it, want 6", len(h.Segments))
	}
}

// TestReportMemory holds the memory of a report on many commits to what it is
// with few: lists are not held as a whole. BenchmarkReport has a million.
func TestReportMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	catalogSpec{segments: 250, source: 4, commits: 800}.write(t, path)
	for format, least := range map[string]int64{"text": 1 << 10, "json": 15 << 20, "html": 200 << 10} {
		_, memory, size := reportProcess(t, path, format)
		if size < least {
			t.Errorf("%s: %d bytes for 200,000 commits", format, size)
		}
		if limit := int64(100 << 20); memory > limit {
			t.Errorf("%s took %d MB, more than %d", format, memory>>20, limit>>20)
		}
	}
}
