package pgtest_test

import (
	"strings"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// TestWorkload runs the workload on a primary while a standby replays it; both
// must hold the same afterwards, by SQL and, where there is pg_dumpall, by that.
func TestWorkload(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		pair.Primary.Workload("w1", 300)
		pair.Primary.Workload("w2", 50)
		pair.Primary.WaitCaughtUp(pair.Standby)
		pgtest.SameData(pair.Primary, pair.Standby)
		pgtest.Amcheck(pair.Primary)
		pgtest.Amcheck(pair.Standby)
		if pair.Primary.HasProgram("pg_dumpall") && pair.Primary.PgDumpAll() != pair.Standby.PgDumpAll() {
			t.Error("pg_dumpall of primary and standby differ")
		}
	})
}

func TestDumpTellsServersApart(t *testing.T) {
	pair := pgtest.NewPair(t)
	pair.Primary.Exec("CREATE TABLE t (id int, v text)", "INSERT INTO t VALUES (1, 'same')", "CREATE SEQUENCE s")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		s.Exec("UPDATE t SET v = '" + side + "'")
		s.Exec("SELECT nextval('s') FROM generate_series(1, 40)")
	})
	pair.Old.Start()
	old, young := pgtest.Dump(pair.Old), pgtest.Dump(pair.Primary)
	for _, want := range []string{"database postgres\n", "table public.t: 1 rows\n  (1,old)\n", "table public.s: 1 rows\n  66 t\n"} {
		if !strings.Contains(old, want) {
			t.Errorf("the dump of the old primary lacks %q", want)
		}
	}
	if !strings.Contains(young, "  (1,new)\n") || strings.Contains(young, "  (1,old)\n") {
		t.Error("the dump of the new primary lacks its own row")
	}
}

func TestOracles(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_rewind") {
		t.Run(pg.VersionName(major), func(t *testing.T) {
			pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
			start := pair.Primary.CurrentLSN()
			pair.Primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
			end := pair.Primary.CurrentLSN()
			pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("INSERT INTO t VALUES (0)") })
			if out := pair.Old.PgWaldump(1, pg.Span{From: start, To: end}); !strings.Contains(out, "rmgr: Heap ") {
				t.Errorf("pg_waldump has no heap record:\n%s", out)
			}
			if out := pair.Old.PgControldata(); !strings.Contains(out, "Database cluster state:               shut down\n") {
				t.Errorf("pg_controldata:\n%s", out)
			}
			pair.Primary.Checkpoint()
			if out, err := pair.Old.PgRewind("--source-server=" + pair.Primary.ConnString()); err != nil {
				t.Fatalf("%s\n%s", err, out)
			}
			if err := pair.Old.PgChecksums(); err == nil {
				t.Error("pg_checksums accepts a cluster that has not recovered from its rewind")
			}
			pair.Rejoin(true)
			pgtest.SameData(pair.Primary, pair.Standby)
			pair.Standby.Stop(pgtest.Fast)
			if err := pair.Standby.PgChecksums(); err != nil {
				t.Error(err)
			}
		})
	}
}
