package walinspect_test

import (
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
)

// readAll reads a stopped server's log of one timeline from a segment on.
func readAll(t *testing.T, s *pgtest.Server, tli pg.TimelineID, from pg.LSN) (*walinspect.Reader, int) {
	t.Helper()
	pages := segment.NewPages(segment.NewDir(filepath.Join(s.Dir(), "pg_wal"), s.SegmentSize()), s.SegmentSize(), segment.OneTimeline(tli))
	t.Cleanup(pages.Close)
	r := walinspect.NewReader(pages, walinspect.Geometry{SegmentSize: s.SegmentSize()}, from)
	n := 0
	for r.Next(t.Context()) {
		n++
	}
	return r, n
}

func segmentStart(s *pgtest.Server) pg.LSN {
	return s.SegmentSize().Start(s.SegmentSize().Number(s.CurrentLSN()))
}

// TestCrashInsideRecord lets a server lose the end of a record, as when the
// last segments never reached the disk, and go on without it.
func TestCrashInsideRecord(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		s.Checkpoint()
		from := segmentStart(s)
		s.Exec("CREATE TABLE before AS SELECT generate_series(1, 1000) i")
		began := s.CurrentLSN()
		s.Exec("SELECT pg_logical_emit_message(true, 'test', repeat('x', 3000000))")
		lastSegment := s.SegmentSize().Number(began) + 2
		s.Stop(pgtest.Immediate)

		r, _ := readAll(t, s, 1, from)
		if !r.Stop().Reason.EndOfWAL() || r.Stop().LSN < s.SegmentSize().Start(lastSegment) {
			t.Fatalf("after the crash: %s", r.Stop())
		}
		names, err := filepath.Glob(filepath.Join(s.Dir(), "pg_wal", "0000000100000000*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if n, err := pg.ParseSegmentName(filepath.Base(name), s.SegmentSize()); err == nil && n.Number >= lastSegment {
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		r, whole := readAll(t, s, 1, from)
		if r.Stop().Reason != walinspect.StopMissingSegment || r.Stop().LSN > s.SegmentSize().Start(s.SegmentSize().Number(began)+1) {
			t.Fatalf("with the last segments gone: %s", r.Stop())
		}
		lost := r.Stop().LSN

		s.Start()
		s.Exec("CREATE TABLE after AS SELECT generate_series(1, 1000) i")
		s.Stop(pgtest.Fast)
		r, n := readAll(t, s, 1, from)
		if !r.Stop().Reason.EndOfWAL() || r.Overwritten() != lost || n <= whole {
			t.Errorf("after recovery: %d records, %s, overwritten %s; want more than %d and %s overwritten", n, r.Stop(), r.Overwritten(), whole, lost)
		}
	})
}

// TestRecycledSegments reads to the end of a log whose later files are old
// segments under new names.
func TestRecycledSegments(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1),
			pgtest.Conf("wal_keep_size", "0"), pgtest.Conf("min_wal_size", "32MB"), pgtest.Conf("max_wal_size", "32MB"))
		s.Exec("CREATE TABLE filler AS SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i")
		s.Checkpoint()
		s.Checkpoint()
		from := segmentStart(s)
		s.Exec("SELECT pg_switch_wal()")
		s.Exec("CREATE TABLE more AS SELECT generate_series(1, 10) i")
		end := s.CurrentLSN()
		s.Stop(pgtest.Immediate)
		r, n := readAll(t, s, 1, from)
		if r.Stop().Reason != walinspect.StopRecycled || r.Stop().LSN < end || n == 0 {
			t.Errorf("%d records, %s; want a recycled segment after %s", n, r.Stop(), end)
		}
	})
}
