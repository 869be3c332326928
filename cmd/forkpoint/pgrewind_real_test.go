package main

import (
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// asPgRewind rewinds the old primary of a pair under the name of pg_rewind from
// the stopped new one, lets it follow and compares the two.
func asPgRewind(t *testing.T, pair *pgtest.Pair, args ...string) string {
	t.Helper()
	pair.Primary.Stop(pgtest.Fast)
	out := bothNames[1].run(t, 0, pair.Old, append([]string{"--source-pgdata", pair.Primary.Dir()}, args...)...)
	pair.Primary.Start()
	pair.Rejoin(true)
	pgtest.SameData(pair.Primary, pair.Standby)
	return out
}

// TestPgRewindCrashAtFork: a target that crashed with nothing that the source
// lacks is made like the source all the same, for pg_rewind would have let it
// recover, and that writes log past the fork.
func TestPgRewindCrashAtFork(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
		pair.Primary.WaitCaughtUp(pair.Standby)
		pair.FailOver(pgtest.Immediate)
		pair.Old.WriteFile("only_here", "at the target")
		pair.Primary.Exec("INSERT INTO t VALUES (-1)")
		out := asPgRewind(t, pair)
		if strings.Contains(out, "no rewind required") {
			t.Error("nothing was done")
		}
		if _, was := treeState(t, pair.Standby.Dir())["only_here"]; was {
			t.Error("a file that only the target had is still there")
		}
	})
}

// TestPgRewindSwitchedWAL: both sides end right after a switch to another
// segment, where a page header lies between the last record and the next. The
// target's segment that begins with the fork stays, and log that is fetched is
// as accessible to the group as the directory is.
func TestPgRewindSwitchedWAL(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		primary := pgtest.Run(t, trapOptions(major)...)
		primary.Exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
		primary.Stop(pgtest.Fast)
		group(t, primary)
		primary.Start()
		pair := primary.Pair()
		pair.Primary.Checkpoint()
		switched := pair.Primary.SwitchWAL() // the fork is where the next segment begins
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			if side == "new" {
				s.Exec("INSERT INTO t VALUES (-1)")
				s.SwitchWAL()
			}
		})
		size := pair.Old.SegmentSize()
		kept := filepath.Join("pg_wal", size.Name(1, size.Number(switched)+1))
		if _, has := treeState(t, pair.Primary.Dir())[kept]; has {
			t.Fatalf("the source has %s too", kept)
		}
		out := asPgRewind(t, pair, "--debug")
		if want := `Not removing file "` + kept + `" because it is required for recovery`; !strings.Contains(out, want) {
			t.Errorf("want %q", want)
		}
		for name, state := range treeState(t, pair.Standby.Dir()) {
			if strings.HasPrefix(name, "pg_wal") && !strings.HasPrefix(state, "-rw-r-----") && !strings.HasPrefix(state, "drwxr-x---") {
				t.Errorf("%s is %.10s", name, state)
			}
		}
	})
}
