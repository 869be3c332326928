package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// trapMajors are the versions between which most of the server's code that a
// trap is about has changed; the others are left to the whole incident.
func trapMajors(t *testing.T, test func(t *testing.T, major int)) {
	t.Helper()
	pgtest.TheseMajors(t, []int{15, 18}, func(t *testing.T, major int) {
		t.Parallel()
		test(t, major)
	})
}

// trapOptions are those of servers whose log stays at hand.
func trapOptions(major int, more ...pgtest.Option) []pgtest.Option {
	return append([]pgtest.Option{
		pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("allow_in_place_tablespaces", "on"),
	}, more...)
}

// rewound rewinds the old primary of a pair, lets it follow the new one and
// compares the two.
func rewound(t *testing.T, pair *pgtest.Pair, args ...string) string {
	t.Helper()
	out := rewoundFrom(t, pair.Old, pair.Primary, args...)
	pair.Standby, pair.Old = pair.Old, nil
	return out
}

// rewoundFrom is rewound for any two servers.
func rewoundFrom(t *testing.T, target, source *pgtest.Server, args ...string) string {
	t.Helper()
	out := bothNames[0].run(t, 0, target, append([]string{"--source-server", source.ConnString(), "-R"}, args...)...)
	target.Start()
	source.WaitCaughtUp(target)
	pgtest.SameData(source, target)
	pgtest.Amcheck(target)
	return out
}

// TestRewindPromotedTarget: both sides left the timeline that they had in
// common, each for one of its own.
func TestRewindPromotedTarget(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		primary := pgtest.Run(t, trapOptions(major)...)
		primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
		a, b := primary.NewStandby(), primary.NewStandby()
		a.Start()
		b.Start()
		primary.Checkpoint()
		primary.Exec("UPDATE t SET v = 'later' WHERE i % 3 = 0")
		primary.WaitCaughtUp(a)
		primary.WaitCaughtUp(b)
		primary.Stop(pgtest.Immediate)
		a.Promote()
		a.Exec("UPDATE t SET v = 'a' WHERE i % 5 = 0", "CHECKPOINT", "CREATE TABLE only_a AS SELECT 1 AS n")
		// Both would take timeline 2: the second is told of the first's.
		b.Stop(pgtest.Fast)
		b.WriteFile("pg_wal/00000002.history", a.ReadFile("pg_wal/00000002.history"))
		b.Set("recovery_target_timeline", "current")
		b.WriteFile("postgresql.auto.conf", "recovery_target_timeline = 'current'\n")
		b.Start()
		b.Promote()
		b.Exec("UPDATE t SET v = 'b' WHERE i % 7 = 0", "CREATE TABLE only_b AS SELECT 1 AS n")
		b.Stop(pgtest.Fast)
		if _, err := os.Stat(filepath.Join(b.Dir(), "pg_wal/00000003.history")); err != nil {
			t.Fatal(err)
		}
		rewoundFrom(t, b, a)
		if _, err := os.Stat(filepath.Join(b.Dir(), "pg_wal/00000003.history")); err == nil {
			t.Error("the history of the timeline that was given up is still there")
		}
	})
}

// TestRewindSwitches: roles change many times; each time the loser is rewound.
func TestRewindSwitches(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 3000) i")
		for round := range 10 {
			pair.Primary.WaitCaughtUp(pair.Standby)
			how := pgtest.StopMode(round % 3)
			pair.Diverge(how, func(s *pgtest.Server, side string) {
				s.Exec(
					fmt.Sprintf("UPDATE t SET v = '%s %d' WHERE i %% %d = 0", side, round, round+2),
					fmt.Sprintf("CREATE TABLE %s_%d AS SELECT i FROM generate_series(1, 500) i", side, round))
				if round%2 == 0 && side == "new" || round%4 == 1 {
					s.Checkpoint()
				}
				s.Exec(fmt.Sprintf("DELETE FROM t WHERE i %% 97 = %d", round), "VACUUM t")
			})
			rewound(t, pair)
		}
	})
}

// TestRewindOverSeveralTimelines: the source switched three times since the
// fork, and its log lies on all of them.
func TestRewindOverSeveralTimelines(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		old := pgtest.Run(t, trapOptions(major)...)
		old.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT",
			"UPDATE t SET v = 'before' WHERE i % 11 = 0")
		now := old.NewStandby()
		now.Start()
		old.WaitCaughtUp(now)
		for i := range 3 {
			now.Promote()
			now.Exec(fmt.Sprintf("UPDATE t SET v = 'switch %d' WHERE i %% %d = 0", i, i+3), "SELECT pg_switch_wal()")
			if i == 0 {
				old.Exec("UPDATE t SET v = 'lost' WHERE i % 2 = 0", "CREATE TABLE lost AS SELECT 1 AS n")
				old.Stop(pgtest.Immediate)
			}
			if i < 2 {
				next := now.NewStandby()
				next.Start()
				now.WaitCaughtUp(next)
				now.Stop(pgtest.Fast)
				now = next
			}
		}
		rewoundFrom(t, old, now)
	})
}

// TestRewindStandbySource: the source is a standby, of a standby, and has not
// come to a restartpoint since the fork.
func TestRewindStandbySource(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		cascade := pair.Standby.NewStandby()
		cascade.Start()
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 5000) i", "CHECKPOINT",
			"UPDATE t SET v = 'before' WHERE i % 11 = 0", "CHECKPOINT", "UPDATE t SET v = 'later' WHERE i % 13 = 0")
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.Primary.WaitCaughtUp(cascade)
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec(fmt.Sprintf("UPDATE t SET v = '%s' WHERE i %% 5 = 0", side), fmt.Sprintf("CREATE TABLE only_%s AS SELECT 1 AS n", side))
		})
		pair.Primary.WaitCaughtUp(cascade)
		rewoundFrom(t, pair.Old, cascade)
		// The end of the chain goes on with the new primary.
		pair.Primary.Exec("INSERT INTO t VALUES (-1, 'through all')")
		pair.Primary.WaitCaughtUp(pair.Old)
		pgtest.SameData(pair.Primary, pair.Old)
	})
}

// TestRewindNoCheckpointAfterPromotion: the source's control file still names
// the old timeline, which pg_rewind before 16 takes for "no rewind required".
func TestRewindNoCheckpointAfterPromotion(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major, pgtest.Conf("checkpoint_completion_target", "0.9"))...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, repeat('shared', 50) AS v FROM generate_series(1, 20000) i", "CHECKPOINT",
			"UPDATE t SET v = 'before'")
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.Split()
		if tli := pair.Primary.Timeline(); tli != 1 {
			t.Logf("the checkpoint came quickly: control file says timeline %d", tli)
		}
		pair.Old.Exec("UPDATE t SET v = 'lost' WHERE i % 2 = 0")
		pair.Old.Stop(pgtest.Fast)
		rewound(t, pair)
	})
}

// TestRewindFilesOfAllSorts: pg_wal behind a link, group access, a tablespace
// behind a link, one in place, unlogged relations, databases and tables made,
// dropped, cut and rewritten on either side.
func TestRewindFilesOfAllSorts(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		primary := pgtest.Run(t, trapOptions(major, pgtest.LinkedWAL())...)
		primary.CreateTablespace("far")
		setup := []string{
			"CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i",
			"CREATE TABLE far_t TABLESPACE far AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i",
			"CREATE UNLOGGED TABLE u AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i",
			"CREATE INDEX ON u (i)",
		}
		for _, side := range []string{"old", "new"} {
			setup = append(setup,
				fmt.Sprintf("CREATE TABLE cut_%s AS SELECT i, repeat('x', 100) AS v FROM generate_series(1, 3000) i", side),
				fmt.Sprintf("CREATE TABLE full_%s AS SELECT i, repeat('x', 100) AS v FROM generate_series(1, 3000) i", side),
				fmt.Sprintf("CREATE TABLE drop_%s AS SELECT i, repeat('x', 100) AS v FROM generate_series(1, 3000) i", side),
				fmt.Sprintf("CREATE DATABASE gone_%s", side), fmt.Sprintf("CREATE DATABASE stays_%s", side))
		}
		primary.Exec(append(setup, "CHECKPOINT", "UPDATE t SET v = 'before' WHERE i % 9 = 0")...)
		pair := primary.Pair()
		group(t, primary)
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			s.Exec(
				"UPDATE t SET v = '"+side+"' WHERE i % 4 = 0", "UPDATE far_t SET v = '"+side+"' WHERE i % 4 = 0",
				"TRUNCATE cut_"+side, "INSERT INTO cut_"+side+" VALUES (1, 'after')",
				"DELETE FROM full_"+side+" WHERE i % 2 = 0", "VACUUM FULL full_"+side, "DROP TABLE drop_"+side,
				"DROP DATABASE gone_"+side, "CREATE DATABASE made_"+side, "CREATE TABLE made_"+side+" TABLESPACE far AS SELECT i FROM generate_series(1, 3000) i",
				"SET allow_in_place_tablespaces = on", "CREATE TABLESPACE place_"+side+" LOCATION ''",
				"CREATE TABLE in_place_"+side+" TABLESPACE place_"+side+" AS SELECT i FROM generate_series(1, 3000) i",
				"CREATE UNLOGGED TABLE u_"+side+" AS SELECT i FROM generate_series(1, 3000) i", "CHECKPOINT")
			s.ExecIn("made_"+side, "CREATE TABLE inside AS SELECT i FROM generate_series(1, 3000) i")
			s.ExecIn("stays_"+side, "CREATE TABLE inside AS SELECT i FROM generate_series(1, 3000) i")
		})
		rewound(t, pair)
		for _, name := range []string{"postgresql.auto.conf", "global/pg_control", "PG_VERSION"} {
			info, err := os.Stat(filepath.Join(primary.Dir(), name))
			if err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("%s: %v, %v; want group access as the directory has", name, info.Mode(), err)
			}
		}
		if info, err := os.Lstat(filepath.Join(primary.Dir(), "pg_wal")); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("pg_wal is no link any more: %v", err)
		}
		pair.Standby.Stop(pgtest.Fast)
		if err := pair.Standby.TryStart(); err != nil {
			t.Error(err)
		}
		pair.Primary.Stop(pgtest.Fast)
		pair.Standby.Promote() // resets unlogged relations
		if n := pair.Standby.Value("SELECT count(*) FROM u"); n != "0" {
			t.Errorf("unlogged table has %s rows after promotion, want 0", n)
		}
		pair.Standby.Exec("SELECT * FROM u_new", "INSERT INTO u VALUES (1, 'x')")
	})
}

// group gives the group access to a stopped or running cluster.
func group(t *testing.T, s *pgtest.Server) {
	t.Helper()
	err := filepath.WalkDir(s.Dir(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o750)
		}
		return os.Chmod(path, 0o640)
	})
	if err != nil {
		t.Fatal(err)
	}
}
