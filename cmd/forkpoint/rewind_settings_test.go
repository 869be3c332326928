package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// refusedUntouched wants a refusal that says something and changes nothing in
// the target, and as a dry run nothing beside it.
func refusedUntouched(t *testing.T, target *pgtest.Server, want string, args ...string) {
	t.Helper()
	for _, way := range []struct {
		args []string
		same string
	}{{[]string{"--dry-run"}, target.Home()}, {nil, target.Dir()}} {
		before := treeState(t, way.same)
		if out := bothNames[0].run(t, 6, target, append(args, way.args...)...); !strings.Contains(out, want) {
			t.Errorf("no word of %q: %s", want, out)
		}
		bothNames[1].run(t, 1, target, append(args, way.args...)...)
		if got := changedFiles(before, treeState(t, way.same)); len(got) > 0 {
			t.Errorf("the refused run %q changed %q", way.args, got)
		}
	}
}

// TestRewindHintsToggled: without checksums, wal_log_hints has to have been on
// all the way; what the control file says today is not enough.
func TestRewindHintsToggled(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major, pgtest.NoChecksums(), pgtest.Conf("wal_log_hints", "on"))...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		changes := func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") }
		pair.Diverge(pgtest.Fast, changes)
		rewound(t, pair) // on all the way

		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			changes(s, side)
			if side == "old" {
				for _, value := range []string{"off", "on"} {
					s.Set("wal_log_hints", value)
					s.Restart(pgtest.Fast)
					s.Exec("SELECT count(*) FROM t")
				}
			}
		})
		source := []string{"--source-server", pair.Primary.ConnString()}
		refusedUntouched(t, pair.Old, "wal_log_hints was off", source...)
		pair.Old.Set("wal_log_hints", "off")
		pair.Old.Start()
		pair.Old.Stop(pgtest.Fast)
		refusedUntouched(t, pair.Old, "neither data checksums nor wal_log_hints was on", source...)
		if out := bothNames[1].run(t, 1, pair.Old, source...); !strings.Contains(out, `pg_rewind: error: target server needs to use either data checksums or "wal_log_hints = on"`) {
			t.Errorf("not in pg_rewind's words: %s", out)
		}
	})
}

// TestRewindFullPageWritesToggled: full_page_writes off before the fork costs
// only bytes; off after it at a running source, even for a moment, is refused.
func TestRewindFullPageWritesToggled(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		set := func(s *pgtest.Server, value string) {
			s.Exec("ALTER SYSTEM SET full_page_writes = "+value, "SELECT pg_reload_conf()")
			s.Await("full_page_writes "+value, func() (bool, error) {
				rows, err := s.TryQueryIn("postgres", "SHOW full_page_writes")
				return err == nil && rows[0][0] == value, err
			})
			s.Exec("CREATE TABLE IF NOT EXISTS written (n int)", "DROP TABLE written")
		}
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		set(pair.Primary, "off")
		pair.Primary.Exec("UPDATE t SET v = 'without images' WHERE i % 5 = 0")
		set(pair.Primary, "on")
		pair.Primary.Exec("UPDATE t SET v = 'with images' WHERE i % 7 = 0")
		pair.Primary.WaitCaughtUp(pair.Standby)
		changes := func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") }
		pair.Diverge(pgtest.Immediate, changes)
		// The source may still have to write pages that it changed without images.
		if out := bothNames[0].run(t, 6, pair.Old, "--source-server", pair.Primary.ConnString()); !strings.Contains(out, "run CHECKPOINT at the source") {
			t.Errorf("no word of what to do: %s", out)
		}
		pair.Primary.Checkpoint()
		if out := rewound(t, pair); !strings.Contains(out, "full_page_writes was off between redo and fork") {
			t.Errorf("no word of it: %s", out)
		}

		pair.Primary.Checkpoint()
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			changes(s, side)
			if side == "new" {
				set(s, "off")
			}
		})
		args := []string{"--source-server", pair.Primary.ConnString()}
		refusedUntouched(t, pair.Old, "full_page_writes is off", args...)
		out := bothNames[1].run(t, 1, pair.Old, args...)
		if quoted := major >= 17; strings.Contains(out, `error: "full_page_writes" must be enabled in the source server`) != quoted ||
			strings.Contains(out, "error: full_page_writes must be enabled in the source server") == quoted {
			t.Errorf("not in pg_rewind's words: %s", out)
		}
		set(pair.Primary, "on")
		before := treeState(t, pair.Old.Dir())
		if out := bothNames[0].run(t, 6, pair.Old, args...); !strings.Contains(out, "full_page_writes was off at ") {
			t.Errorf("no word of it: %s", out)
		}
		if got := changedFiles(before, treeState(t, pair.Old.Dir())); len(got) > 0 {
			t.Errorf("the refused run changed %q", got)
		}
		// Nothing changes at a stopped one while it is copied.
		pair.Primary.Stop(pgtest.Fast)
		bothNames[0].run(t, 0, pair.Old, "--source-pgdata", pair.Primary.Dir())
		pair.Primary.Start()
		pair.Rejoin(true)
		pgtest.SameData(pair.Primary, pair.Standby)
	})
}

// TestRewindStaleLabels: a backup_label on the target means that its pages are
// to be replayed from a place that no control file names. One at the source is
// no business of the target's.
func TestRewindStaleLabels(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		change := func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") }
		pair.Diverge(pgtest.Fast, change)
		args := []string{"--source-server", pair.Primary.ConnString(), "-R"}
		bothNames[0].run(t, 0, pair.Old, args...)

		// It was rewound and never started; then its source was given up too.
		third := pair.Primary.NewStandby()
		third.Start()
		pair.Primary.WaitCaughtUp(third)
		label := pair.Old.ReadFile("backup_label")
		out := bothNames[0].run(t, 0, pair.Old, args...)
		if !strings.Contains(out, "No rewind is needed") || !strings.Contains(out, "the target has a backup_label (of pg_rewind)") {
			t.Errorf("no word of the label: %s", out)
		}
		third.Promote()
		third.Exec("UPDATE t SET v = 'third' WHERE i % 3 = 0")
		pair.Primary.Exec("UPDATE t SET v = 'lost' WHERE i % 3 = 1")
		pair.Primary.Stop(pgtest.Fast)
		rewoundFrom(t, pair.Primary, third)
		bothNames[0].run(t, 0, pair.Old, "--undo")
		pair.Old.WriteFile("backup_label", label)
		refusedUntouched(t, pair.Old, "it has a backup_label (of pg_rewind)", "--source-server", third.ConnString())
		removeFile(t, filepath.Join(pair.Old.Dir(), "backup_label"))

		third.WriteFile("backup_label", "START WAL LOCATION: 0/28 (file 000000010000000000000000)\n")
		third.WriteFile("tablespace_map", "")
		third.WriteFile("recovery.signal", "")
		bothNames[0].run(t, 0, pair.Old, "--source-server", third.ConnString(), "-R")
		if got := pair.Old.ReadFile("backup_label"); !strings.Contains(got, "BACKUP METHOD: pg_rewind\n") {
			t.Errorf("backup_label is\n%s", got)
		}
		if state := treeState(t, pair.Old.Dir()); state["tablespace_map"] != "" {
			t.Error("the source's tablespace_map was taken over")
		}
		pair.Old.Start()
		third.WaitCaughtUp(pair.Old)
		pgtest.SameData(third, pair.Old)
	})
}

// TestRewindLostJournal: a target that a rewind was begun on is not begun on
// anew where its journal is not found.
func TestRewindLostJournal(t *testing.T) {
	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "'") })
	args := []string{"rewind", "-R", "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString()}
	proxy := pgtest.NewProxy(t, pair.Primary, func(int) pgtest.Fault { return pgtest.Fault{} })
	w := watch(t, append(args, "--source-server", proxy.Conninfo(pair.Primary.ConnString()), "--max-rate", "4MB", "--retry-for", "0")...)
	w.until(`"barred"`)
	proxy.Break()
	if status, _, stderr := w.ended(); status != int(statusInterrupted) {
		t.Fatalf("status %d: %s", status, stderr)
	}
	elsewhere := []string{"--state-dir", filepath.Join(pair.Old.Home(), "elsewhere"), "--source-server", pair.Primary.ConnString()}
	refusedElsewhere := func(more ...string) {
		t.Helper()
		before := treeState(t, pair.Old.Home())
		out := bothNames[0].run(t, 6, pair.Old, append(elsewhere, more...)...)
		if !strings.Contains(out, "has no journal of that") || !strings.Contains(out, "--state-dir") {
			t.Errorf("no word of it: %s", out)
		}
		if got := changedFiles(before, treeState(t, pair.Old.Home())); len(got) > 0 {
			t.Errorf("the refused run changed %q", got)
		}
	}
	refusedElsewhere("--dry-run")
	refusedElsewhere()
	rewound(t, pair)
}

// TestRewindOtherCluster: a data directory of another version, and one with
// checksums unlike the source's.
func TestRewindOtherCluster(t *testing.T) {
	source := pgtest.Run(t, pgtest.Major(18), pgtest.SegSize(1))
	t.Run("another version", func(t *testing.T) {
		target := pgtest.Run(t, pgtest.Major(15), pgtest.SegSize(1))
		target.Stop(pgtest.Fast)
		refusedUntouched(t, target, "of PostgreSQL 15; the source has", "--source-server", source.ConnString())
	})
	t.Run("another cluster", func(t *testing.T) {
		target := pgtest.Run(t, pgtest.Major(18), pgtest.SegSize(1), pgtest.Fresh())
		target.Stop(pgtest.Fast)
		refusedUntouched(t, target, "system identifier", "--source-server", source.ConnString())
	})
	for _, major := range pgtest.OracleMajors(t, "pg_checksums") {
		t.Run(fmt.Sprint("checksums switched off in ", major), func(t *testing.T) {
			pair := pgtest.NewPair(t, trapOptions(major, pgtest.Conf("wal_log_hints", "on"))...)
			pair.Primary.Exec("CREATE TABLE t AS SELECT 1 AS n", "CHECKPOINT")
			pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET n = 2") })
			in, err := pgtest.Find(major)
			if err != nil {
				t.Fatal(err)
			}
			program, _ := in.Program("pg_checksums")
			if out, err := pgtest.RunAs(exec.Command(program, "--disable", "-D", pair.Old.Dir())).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			refusedUntouched(t, pair.Old, "data checksum version 0; the source has 1", "--source-server", pair.Primary.ConnString())
		})
	}
}
