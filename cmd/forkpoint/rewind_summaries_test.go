package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// TestRewindFromSummaries: the target's WAL since the fork is gone but for its
// end, and nobody indexed it. The server's WAL summaries tell which blocks it
// changed, which is enough where every change of a page was logged.
func TestRewindFromSummaries(t *testing.T) {
	pgtest.EachMajorFrom(t, 17, func(t *testing.T, major int) {
		t.Run("checksums", func(t *testing.T) {
			t.Parallel()
			pair := summarizedPair(t, major)
			startedBefore(t, pair.Old, time.Hour)
			out := rewound(t, pair)
			if !strings.Contains(out, "WAL summaries") {
				t.Errorf("the evidence is not named: %s", out)
			}
		})
		// In what the summaries cover pg_checksums may have switched checksums off
		// and on again, if the server was stopped.
		refused := map[string][]pgtest.Option{
			"checksums since when": nil,
			"hints logged":         {pgtest.NoChecksums(), pgtest.Conf("wal_log_hints", "on")},
		}
		for name, options := range refused {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pair := summarizedPair(t, major, options...)
				lastWritten(t, pair.Old, "base/1", -time.Hour) // pg_checksums may leave pages alone
				if options != nil {
					startedBefore(t, pair.Old, time.Hour)
				}
				before := treeState(t, pair.Old.Dir())
				bothNames[0].run(t, 6, pair.Old, "--source-server", pair.Primary.ConnString())
				if got := changedFiles(before, treeState(t, pair.Old.Dir())); len(got) > 0 {
					t.Errorf("the refused run changed %q", got)
				}
			})
		}
	})
}

// lastWritten makes all files of relations below a directory look as if they had
// been written to then, seen from now.
func lastWritten(t *testing.T, s *pgtest.Server, dir string, ago time.Duration) {
	t.Helper()
	at := time.Now().Add(ago)
	err := filepath.WalkDir(filepath.Join(s.Dir(), dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "pg_control" {
			return err
		}
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// startedBefore makes it look as if a stopped server had last been started that
// long ago.
func startedBefore(t *testing.T, s *pgtest.Server, ago time.Duration) {
	t.Helper()
	at := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(s.Dir(), "postmaster.opts"), at, at); err != nil {
		t.Fatal(err)
	}
}

// summarizedPair is a pair after a fail-over whose old primary went on until
// the segments after the one with the fork were gone.
func summarizedPair(t *testing.T, major int, options ...pgtest.Option) *pgtest.Pair {
	t.Helper()
	pair := pgtest.NewPair(t, trapOptions(major, append(options, pgtest.Conf("summarize_wal", "on"))...)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CREATE TABLE dropped AS TABLE t", "VACUUM t", "CHECKPOINT")
	var fork, kept pg.LSN
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		if side == "new" {
			s.Exec("UPDATE t SET v = 'new' WHERE i % 4 = 0")
			return
		}
		fork = s.CurrentLSN()
		s.Exec("UPDATE t SET v = 'old' WHERE i % 3 = 0", "DELETE FROM t WHERE i % 10 = 0", "DROP TABLE dropped",
			"CREATE TABLE mine AS SELECT repeat('x', 2000) AS v, i FROM generate_series(1, 3000) i", "VACUUM t")
		s.SwitchWAL()
		s.Checkpoint()
		redo := s.Value("SELECT redo_lsn FROM pg_control_checkpoint()")
		s.Await("summaries", func() (bool, error) {
			rows, err := s.TryQueryIn("postgres", "SELECT max(end_lsn) >= $1::pg_lsn FROM pg_available_wal_summaries()", redo)
			return err == nil && rows[0][0] == "t", err
		})
		kept = s.CurrentLSN()
		s.Exec("UPDATE t SET v = 'last' WHERE i % 7 = 0")
	})
	size, removed := pair.Old.SegmentSize(), 0
	for n := size.Number(fork) + 1; n < size.Number(kept); n++ {
		if err := os.Remove(filepath.Join(pair.Old.Dir(), "pg_wal", size.Name(1, n))); err == nil {
			removed++
		}
	}
	if removed == 0 {
		t.Fatalf("no segment to remove between %s and %s", fork, kept)
	}
	return pair
}
