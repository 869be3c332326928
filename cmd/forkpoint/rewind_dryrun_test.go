package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pgtest"
)

// TestRewindDryRun: a dry run writes nothing, neither into the data directory
// nor beside it nor into a catalog that is there; but it goes by what the
// catalog has where the log itself is gone.
func TestRewindDryRun(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, repeat('x', 300) AS v FROM generate_series(1, 3000) i")
		pair.Primary.SwitchWAL()
		pair.Primary.Checkpoint()
		checkpoint := pair.Primary.CurrentLSN()
		pair.Primary.Exec("UPDATE t SET v = 'before' WHERE i % 9 = 0")
		pair.Primary.SwitchWAL()
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
			s.SwitchWAL()
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 1")
		})
		old := pair.Old
		args := []string{"--dry-run", "--write-recovery-conf", "--source-server", pair.Primary.ConnString()}
		dryRuns := func(what string) {
			t.Helper()
			before := tree(t, old.Home())
			for _, r := range bothNames {
				r.run(t, 0, old, args...)
			}
			if diff := cmp.Diff(before, tree(t, old.Home())); diff != "" {
				t.Errorf("%s: changed\n%s", what, diff)
			}
		}
		dryRuns("without a state directory")

		// A catalog that has the beginning of the used range only.
		size := old.SegmentSize()
		first := filepath.Join(old.Dir(), "pg_wal", size.Name(1, size.Number(checkpoint)))
		archive := filepath.Join(old.Home(), "archive")
		if err := os.Mkdir(archive, 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(first)
		if err == nil {
			err = os.WriteFile(filepath.Join(archive, filepath.Base(first)), b, 0o644)
		}
		if err == nil {
			err = pgtest.Own(archive)
		}
		if err != nil {
			t.Fatal(err)
		}
		mustForkpoint(t, "index", archive, "--catalog", filepath.Join(old.Dir()+".forkpoint", "catalog.db"))
		if got := tree(t, old.Home()); got["data.forkpoint/catalog.db"] == "" {
			t.Fatal("there is no catalog")
		}
		dryRuns("with a catalog")
		mustForkpoint(t, "index", old.Dir())
		removeFile(t, first)
		dryRuns("with WAL that only the catalog has")
		refusedUntouched(t, old, "was not shut down cleanly", args[2], args[3], "--no-ensure-shutdown")
		rewound(t, pair)
	})
}
