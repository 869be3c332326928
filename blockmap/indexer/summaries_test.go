package indexer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
	"forkpoint/walinspect/walsummary"
)

// What a server's summaries say of its log is what the log itself says: the
// same blocks and limits of all main and init forks.
func TestSummariesOfServers(t *testing.T) {
	pgtest.EachMajorFrom(t, 17, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("summarize_wal", "on"), pgtest.Conf("wal_keep_size", "1GB"))
		s.Checkpoint()
		s.Workload("w", 300)
		s.Exec("CREATE TABLE gone AS SELECT 1", "CHECKPOINT", "CREATE DATABASE copied STRATEGY file_copy", "DROP DATABASE copied", "DROP TABLE gone")
		s.Exec("CREATE TABLE cut AS SELECT n, repeat('x', 400) FROM generate_series(1, 4000) n", "CHECKPOINT", "DELETE FROM cut WHERE n > 1000", "VACUUM cut")
		s.Checkpoint()
		s.Exec("UPDATE cut SET n = n + 1")
		s.Checkpoint()
		summaries := awaitSummaries(t, s)
		names, err := summaries.List()
		if err != nil || len(names) < 4 {
			t.Fatalf("%d summaries: %v", len(names), err)
		}
		dir, path := filepath.Join(s.Dir(), "pg_wal"), timeline.SingleTimeline(1)
		g, err := segment.Discover(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		wal := segment.NewDir(dir, g.SegmentSize)

		// From summaries alone, as from the log.
		span := pg.Span{From: names[1].Span.From, To: names[len(names)-1].Span.To}
		want := touched(t, New(wal, g, nil, Options{}), path, span)
		if !want.Complete() || want.BlocksOnly != nil {
			t.Fatalf("gaps %v in the log", want.Gaps)
		}
		alone := New(nil, g, nil, Options{Summaries: summaries})
		got := blocks(t, alone, path, span)
		if !got.Complete() || len(got.BlocksOnly) != 1 || got.BlocksOnly[0] != span || !slices.Equal(got.Coverage.Rungs(), []Rung{RungSummary}) {
			t.Errorf("gaps %v, blocks only of %v, covered by %v; want all from summaries", got.Gaps, got.BlocksOnly, got.Coverage)
		}
		if diff := sameMap(provable(got.Blocks), provable(want.Blocks)); diff != "" {
			t.Error(diff)
		}
		t.Logf("%d blocks of %d forks from %d summaries, as the log has them", got.Blocks.Blocks(), got.Blocks.Len(), len(names)-1)
		for _, e := range got.Blocks.All() {
			if !e.Restored.Empty() {
				t.Error("a summary cannot tell what replay restores")
			}
		}
		if r := touched(t, alone, path, span); r.Complete() {
			t.Error("those who need transactions are told that nothing is missing")
		}

		// With the middle of the log gone.
		some := t.TempDir()
		first, last := g.SegmentSize.Number(span.From), g.SegmentSize.Number(span.To)
		for n := first; n <= last; n++ {
			if n > first && n < last-1 {
				continue
			}
			name := g.SegmentSize.Name(1, n)
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(some, name), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		got = blocks(t, New(segment.NewDir(some, g.SegmentSize), g, nil, Options{Summaries: summaries}), path, span)
		if !got.Complete() || got.End != want.End || !slices.Equal(got.Coverage.Rungs(), []Rung{RungWAL, RungSummary}) {
			t.Errorf("gaps %v, end %s, want %s, covered by %v", got.Gaps, got.End, want.End, got.Coverage)
		}
		if diff := sameMap(provable(got.Blocks), provable(want.Blocks)); diff != "" {
			t.Error(diff)
		}
	})
}

// A summary that is missing, broken or of another timeline leaves a hole, and
// what lies beside it is still known.
func TestSummaryHoles(t *testing.T) {
	size := pg.SegmentSize(16 << 20)
	at := func(n int) pg.LSN { return size.Start(1) + pg.LSN(n)*1000 }
	name := func(tli pg.TimelineID, from, to int) walsummary.Name {
		return walsummary.Name{Timeline: tli, Span: pg.Span{From: at(from), To: at(to)}}
	}
	path := timeline.Path{{Timeline: 1, End: at(6)}, {Timeline: 2, Begin: at(6), End: pg.MaxLSN}}
	whole := pg.Span{From: at(0), To: at(10)}
	tests := []struct {
		name    string
		names   []walsummary.Name
		broken  walsummary.Name
		missing []pg.Span
	}{
		{"side by side", []walsummary.Name{name(1, 0, 4), name(1, 4, 6), name(2, 6, 12)}, walsummary.Name{}, nil},
		{"longer than the path stays", []walsummary.Name{name(1, 0, 9), name(2, 6, 12)}, walsummary.Name{}, nil},
		{"none", nil, walsummary.Name{}, []pg.Span{{From: at(0), To: at(6)}, {From: at(6), To: at(10)}}},
		{"one is missing", []walsummary.Name{name(1, 0, 2), name(1, 4, 6), name(2, 6, 12)}, walsummary.Name{}, []pg.Span{{From: at(2), To: at(4)}}},
		{"one is broken", []walsummary.Name{name(1, 0, 4), name(1, 4, 6), name(2, 6, 12)}, name(1, 4, 6), []pg.Span{{From: at(4), To: at(6)}}},
		{"another timeline's does not count", []walsummary.Name{name(1, 0, 12)}, walsummary.Name{}, []pg.Span{{From: at(6), To: at(10)}}},
		{"the end is missing", []walsummary.Name{name(1, 0, 6), name(2, 6, 9)}, walsummary.Name{}, []pg.Span{{From: at(9), To: at(10)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ix := New(nil, walinspect.Geometry{SystemID: 7, SegmentSize: size}, nil, Options{Summaries: someSummaries{tt.names, tt.broken}})
			r := blocks(t, ix, path, whole)
			var missing []pg.Span
			for _, gap := range r.Gaps {
				missing = append(missing, gap.Span)
			}
			if !slices.Equal(missing, tt.missing) {
				t.Errorf("missing %v, want %v", missing, tt.missing)
			}
			if !slices.Equal(r.Coverage.Gaps(whole), joined(tt.missing)) {
				t.Errorf("covered by %v", r.Coverage)
			}
		})
	}
}

// joined puts together what touches.
func joined(spans []pg.Span) (list []pg.Span) {
	for _, s := range spans {
		if n := len(list); n > 0 && list[n-1].To == s.From {
			list[n-1].To = s.To
			continue
		}
		list = append(list, s)
	}
	return list
}

// someSummaries are empty, but for one that is broken.
type someSummaries struct {
	names  []walsummary.Name
	broken walsummary.Name
}

func (s someSummaries) List() ([]walsummary.Name, error) { return s.names, nil }

func (s someSummaries) Read(n walsummary.Name) (*walsummary.Summary, error) {
	if n == s.broken {
		return nil, errors.New("broken")
	}
	return &walsummary.Summary{}, nil
}

// provable is the map without the forks of which nothing is proven, and without
// the blocks that a limit speaks for.
func provable(m *blockmap.Map) *blockmap.Map {
	p := &blockmap.Map{}
	for rf, e := range m.All() {
		if rf.Fork == pg.MainFork || rf.Fork == pg.InitFork {
			below := e.Touched.Clone()
			below.RemoveFrom(e.Limit)
			p.Put(rf, blockmap.Entry{Limit: e.Limit, Touched: below})
		}
	}
	return p
}

func blocks(t *testing.T, ix *Indexer, path timeline.Path, span pg.Span) *Result {
	t.Helper()
	r, err := ix.Blocks(t.Context(), path, span)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// awaitSummaries waits until the server has summarized its log up to its last
// checkpoint.
func awaitSummaries(t *testing.T, s *pgtest.Server) *walsummary.Dir {
	t.Helper()
	redo := s.Value("SELECT redo_lsn FROM pg_control_checkpoint()")
	s.Await("summaries", func() (bool, error) {
		rows, err := s.TryQueryIn("postgres", "SELECT max(end_lsn) >= $1::pg_lsn FROM pg_available_wal_summaries()", redo)
		return err == nil && rows[0][0] == "t", err
	})
	return walsummary.NewDir(filepath.Join(s.Dir(), "pg_wal/summaries"))
}
