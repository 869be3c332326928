package main

import (
	"fmt"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindResumedLater kills a rewind, lets the source go on for long and
// hand over to its standby, which is promoted, and resumes from that one. While
// the rewind runs, nobody else gets at the target; before it is resumed, no
// server starts, and a source that does not descend from the first is refused.
// Then another rewind lives through a source that is killed and started again,
// and connections that are dropped, cut short and fall silent.
func TestRewindResumedLater(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		sibling := pair.Primary.NewStandby()
		names := []string{"goes", "shrinks", "grows", "rewritten", "stays"}
		for _, name := range names {
			pair.Primary.Exec(fmt.Sprintf("CREATE TABLE %s AS SELECT i, repeat('x', 400) AS v FROM generate_series(1, 4000) i", name))
		}
		sibling.Start()
		pair.Primary.Exec("CHECKPOINT", "UPDATE stays SET v = 'before' WHERE i % 9 = 0")
		pair.Primary.WaitCaughtUp(sibling)
		sibling.Stop(pgtest.Fast)
		pair.Diverge(pgtest.Kill9, func(s *pgtest.Server, side string) {
			for _, name := range names {
				s.Exec("UPDATE " + name + " SET v = repeat('" + side + "', 100) WHERE i % 2 = 0")
			}
			s.Exec("CREATE TABLE only_"+side+" AS SELECT * FROM stays", "CHECKPOINT")
		})
		first := pair.Primary
		next := first.NewStandby()
		next.Start()

		w := watch(t, "rewind", "-R", "-D", pair.Old.Dir(), "--source-server", first.ConnString(), "--max-rate", "4MB", "--copy", "classic")
		w.until(`"phase":"copy"`)
		w.until(`"event":"progress","phase":"copy"`)
		refusedNow(t, pair.Old, "another forkpoint", "--source-server", first.ConnString())
		if err := pair.Old.TryStart(); err == nil {
			t.Fatal("a server started while the target was rewound")
		}
		w.cmd.Process.Kill()
		w.ended()
		if err := pair.Old.TryStart(); err == nil || !strings.Contains(err.Error(), "backup_label") {
			t.Fatalf("start of a target that is half done: %v", err)
		}

		first.Exec("DROP TABLE goes", "DELETE FROM shrinks WHERE i > 100", "VACUUM shrinks", "VACUUM FULL rewritten",
			"INSERT INTO grows SELECT i, repeat('y', 400) FROM generate_series(1, 9000) i", "DROP TABLE only_new",
			"CREATE TABLE later AS SELECT * FROM grows", "CREATE DATABASE later", "CHECKPOINT", "UPDATE stays SET v = 'later' WHERE i % 5 = 0")
		first.WaitCaughtUp(next)
		first.Stop(pgtest.Fast)
		sibling.WriteFile("pg_wal/00000002.history", first.ReadFile("pg_wal/00000002.history"))
		sibling.WriteFile("postgresql.auto.conf", "recovery_target_timeline = 'current'\n")
		sibling.Start()
		sibling.Promote()
		refusedNow(t, pair.Old, "the interrupted rewind", "--source-server", sibling.ConnString())
		sibling.Stop(pgtest.Immediate)
		next.Promote()
		next.Exec("UPDATE stays SET v = 'latest' WHERE i % 7 = 0")

		out := rewoundFrom(t, pair.Old, next)
		if !strings.Contains(out, "that was interrupted is finished") {
			t.Errorf("it was not resumed: %s", out)
		}
		pair.Primary, pair.Standby, pair.Old = next, pair.Old, nil
		throughTrouble(t, pair)
	})
}

// refusedNow wants a refusal that says something, and no change.
func refusedNow(t *testing.T, target *pgtest.Server, want string, args ...string) {
	t.Helper()
	before := target.ReadFile("backup_label")
	if out := bothNames[0].run(t, 6, target, args...); !strings.Contains(out, want) {
		t.Errorf("the refusal does not say %q: %s", want, out)
	}
	if target.ReadFile("backup_label") != before {
		t.Error("the refused run changed backup_label")
	}
}

// throughTrouble rewinds over connections that are ill-treated, from a source
// that is killed half-way and comes up again.
func throughTrouble(t *testing.T, pair *pgtest.Pair) {
	t.Helper()
	pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
		s.Exec("UPDATE grows SET v = repeat('"+side+"', 100) WHERE i % 3 = 0", "CREATE TABLE more_"+side+" AS SELECT * FROM grows")
	})
	kinds := []pgtest.FaultKind{pgtest.Drop, pgtest.Truncate, pgtest.Stall}
	proxy := pgtest.NewProxy(t, pair.Primary, func(n int) pgtest.Fault {
		if n > 9 {
			return pgtest.Fault{}
		}
		return pgtest.Fault{After: int64(n) * 40_000, Kind: kinds[n%3]}
	})
	w := watch(t, "rewind", "-R", "-D", pair.Old.Dir(), "--source-server", proxy.Conninfo(pair.Primary.ConnString()),
		"--max-rate", "4MB", "--idle-timeout", "1s", "--copy", "classic")
	w.until(`"barred"`)
	pair.Primary.Stop(pgtest.Kill9)
	pair.Primary.Start()
	if status, last, stderr := w.ended(); status != 0 {
		t.Fatalf("status %d: %s\n%s", status, last, stderr)
	}
	if n := proxy.Count(); n < 4 {
		t.Errorf("%d connections: none was lost", n)
	}
	mustForkpoint(t, "verify", "-D", pair.Old.Dir())
	// It follows through the proxy, to which the settings point.
	pair.Rejoin(false)
	pgtest.SameData(pair.Primary, pair.Standby)
	pgtest.Amcheck(pair.Standby)
	pair.Standby.Stop(pgtest.Fast)
	checkPages(t, pair.Standby)
}
