package indexer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/waltest"
)

const (
	mb   = pg.SegmentSize(1 << 20)
	xid0 = pg.XID(1000)
)

// branch is a built log with the timelines that its segments are named for.
type branch struct {
	*waltest.Log
	path timeline.Path
	end  pg.LSN
}

// tree describes a log: random references up to each fork, and on to the end.
// Two trees of equal seeds have the same log up to where they differ.
type tree struct {
	start pg.LSN // a segment border; 0 for segment 1
	forks []fork
	end   pg.LSN
	seed  uint64
}

// fork is where a timeline begins; what comes after it follows its own seed.
type fork struct {
	at   pg.LSN // or after, where the record before ends
	tli  pg.TimelineID
	seed uint64
}

func tagAt(n int) pg.BlockTag {
	return pg.BlockTag{
		RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: pg.DefaultTablespace, DB: 5, Rel: pg.RelFileNumber(16384 + n%3)}},
		Block:   pg.BlockNumber(n / 3),
	}
}

func grow(tr tree) branch {
	b := waltest.New(waltest.Config{Start: tr.start, Prev: tr.start - min(tr.start, 64)})
	r := rand.New(rand.NewPCG(tr.seed, 7))
	br := branch{Log: b.Log()}
	tli, begin := pg.TimelineID(1), pg.InvalidLSN
	forks := tr.forks
	for b.End() < tr.end {
		if len(forks) > 0 && b.End() >= forks[0].at {
			br.path = append(br.path, timeline.Step{Timeline: tli, Begin: begin, End: b.End()})
			tli, begin = forks[0].tli, b.End()
			b.SetTimeline(tli)
			r = rand.New(rand.NewPCG(forks[0].seed, 8))
			forks = forks[1:]
		}
		rec := waltest.Touch(xid0+pg.XID(r.IntN(50)), tagAt(r.IntN(900)), tagAt(r.IntN(900)))
		if r.IntN(3) == 0 {
			rec.Main = append(rec.Main, make([]byte, r.IntN(9000))...)
		}
		b.Append(rec)
	}
	br.path = append(br.path, timeline.Step{Timeline: tli, Begin: begin, End: pg.MaxLSN})
	br.end = b.End()
	for n := range br.Segments() {
		br.Rename(n, br.path.SegmentTimelines(mb, n)[0])
	}
	return br
}

// write puts the segments into a folder, each under the newest timeline that
// it has pages for, as servers name them.
func (br branch) write(t testing.TB, dir string) {
	t.Helper()
	for n := range br.Segments() {
		br.writeAs(t, dir, n, br.path.SegmentTimelines(mb, n)[0])
	}
}

// writeAs writes one segment with times that are not of this moment.
func (br branch) writeAs(t testing.TB, dir string, n uint64, tli pg.TimelineID) string {
	t.Helper()
	path := filepath.Join(dir, mb.Name(tli, n))
	if err := os.WriteFile(path, br.Segment(n), 0o600); err != nil {
		t.Fatal(err)
	}
	old(t, path)
	return path
}

func old(t testing.TB, path string) {
	t.Helper()
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, hour, hour); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, dir string, tli pg.TimelineID, numbers ...uint64) {
	t.Helper()
	for _, n := range numbers {
		if err := os.Remove(filepath.Join(dir, mb.Name(tli, n))); err != nil {
			t.Fatal(err)
		}
	}
}

// list walks the branch record by record.
func (br branch) list(t testing.TB) []plainRecord {
	t.Helper()
	r := walinspect.NewReader(br, br.Geometry, br.Start)
	var list []plainRecord
	for r.Next(t.Context()) {
		list = append(list, plainRecord{Record: r.Record().Clone()})
	}
	if !r.Stop().Reason.EndOfWAL() && r.Stop().Reason != walinspect.StopMissingSegment {
		t.Fatal(r.Stop())
	}
	return list
}

func (br branch) indexer(dir string, cache Cache) *Indexer {
	return New(segment.NewDir(dir, mb), br.Geometry, cache, Options{Workers: 2})
}

func touched(t testing.TB, ix *Indexer, path timeline.Path, span pg.Span) *Result {
	t.Helper()
	r, err := ix.Touched(t.Context(), path, span)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func index(t testing.TB, ix *Indexer, path timeline.Path) *Result {
	t.Helper()
	r, err := ix.Index(t.Context(), path, pg.Span{To: everything})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same fails unless the result is complete and has the map of a plain walk.
func same(t testing.TB, r *Result, list []plainRecord) {
	t.Helper()
	if !r.Complete() {
		t.Fatalf("gaps: %v", r.Gaps)
	}
	if diff := sameMap(r.Blocks, replay(list, r.Span, nil)); diff != "" {
		t.Fatal(diff)
	}
}
