package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// sameNumber are two servers that went on under one timeline number, apart
// from each other.
type sameNumber struct{ a, b *pgtest.Server }

// twoStandbys are standbys of one primary with the same log.
func twoStandbys(t *testing.T, major int) (primary, a, b *pgtest.Server) {
	t.Helper()
	primary = pgtest.Run(t, trapOptions(major, pgtest.Conf("wal_keep_size", "256MB"))...)
	primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 3000) i")
	a, b = primary.NewStandby(), primary.NewStandby()
	a.Start()
	b.Start()
	primary.Checkpoint()
	primary.Exec("UPDATE t SET v = 'later' WHERE i % 3 = 0")
	primary.WaitCaughtUp(a)
	primary.WaitCaughtUp(b)
	return primary, a, b
}

// twins are two standbys that have replayed exactly the same when their primary
// is gone: one is fed by the other.
func twins(t *testing.T, opts ...pgtest.Option) (a, b *pgtest.Server) {
	t.Helper()
	primary := pgtest.Run(t, opts...)
	primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 3000) i")
	a = primary.NewStandby()
	a.Start()
	b = a.NewStandby()
	b.Start()
	primary.Checkpoint()
	primary.Exec("UPDATE t SET v = 'later' WHERE i % 3 = 0")
	primary.WaitCaughtUp(a)
	primary.Stop(pgtest.Immediate)
	a.WaitCaughtUp(b)
	cut(b)
	return a, b
}

// cut makes a standby keep what it has.
func cut(s *pgtest.Server) {
	s.Exec("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
	s.Await("the receiver to end", func() (bool, error) {
		rows, err := s.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_wal_receiver")
		return err == nil && rows[0][0] == "0", err
	})
}

// own writes what only one side has.
func own(s *pgtest.Server, name string) {
	s.Exec("UPDATE t SET v = '"+name+"' WHERE i % 5 = 0", "CREATE TABLE only_"+name+" AS SELECT generate_series(1, 20000) n",
		"DELETE FROM t WHERE i % 11 = 0", "CHECKPOINT", "UPDATE t SET v = 'last "+name+"' WHERE i % 13 = 0")
}

// readWrite starts a standby as what it is not, without a promotion.
func readWrite(t *testing.T, s *pgtest.Server) {
	t.Helper()
	s.Stop(pgtest.Fast)
	if err := os.Remove(filepath.Join(s.Dir(), "standby.signal")); err != nil {
		t.Fatal(err)
	}
	s.Start()
}

// rejoin rewinds the stopped target onto the source, which runs or is stopped
// for it, and lets it follow.
func rejoin(t *testing.T, r rewinder, target, source *pgtest.Server, live bool) string {
	t.Helper()
	var out string
	if live {
		out = r.run(t, 0, target, "--source-server", source.ConnString(), "-R")
	} else {
		source.Stop(pgtest.Fast)
		out = r.run(t, 0, target, "--source-pgdata", source.Dir())
		source.Start()
		target.Follow(source)
	}
	target.Start()
	source.WaitCaughtUp(target)
	pgtest.SameData(source, target)
	pgtest.Amcheck(target)
	return out
}

// TestRewindSameNumber: both sides wrote under one timeline number. The records
// tell where they parted, and the rewind starts there.
func TestRewindSameNumber(t *testing.T) {
	cases := []struct {
		name   string
		parted func(t *testing.T, major int) sameNumber // b is the target
		by     string
	}{
		{"promoted at one position", func(t *testing.T, major int) sameNumber {
			a, b := twins(t, trapOptions(major, pgtest.Conf("wal_keep_size", "256MB"))...)
			a.Promote()
			b.Promote()
			return sameNumber{a, b}
		}, "records"},
		{"promoted at two positions", func(t *testing.T, major int) sameNumber {
			primary, a, b := twoStandbys(t, major)
			cut(a)
			primary.Exec("UPDATE t SET v = 'only the target has replayed this' WHERE i % 2 = 0")
			primary.WaitCaughtUp(b)
			primary.Stop(pgtest.Immediate)
			a.Promote()
			b.Promote()
			return sameNumber{a, b}
		}, "histories"},
		{"started without standby.signal", func(t *testing.T, major int) sameNumber {
			primary, a, b := twoStandbys(t, major)
			readWrite(t, a)
			b.Stop(pgtest.Fast)
			return sameNumber{a, primary}
		}, "records"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pgtest.TheseMajors(t, []int{13, 15, 18}, func(t *testing.T, major int) {
				t.Parallel()
				two := c.parted(t, major)
				own(two.a, "a")
				own(two.b, "b")
				two.b.Stop(pgtest.StopMode(major % 2)) // fast or immediate
				out := rejoin(t, bothNames[0], two.b, two.a, true)
				if c.by == "records" && !strings.Contains(out, "found by comparing their records") {
					t.Errorf("no word of it:\n%s", out)
				}
				// Once more, the other way round, from the stopped directory
				// and under the other name.
				two.b.Stop(pgtest.Fast)
				if err := os.Remove(filepath.Join(two.b.Dir(), "standby.signal")); err != nil {
					t.Fatal(err)
				}
				two.b.Start()
				two.a.Exec("CREATE TABLE once_more_a AS SELECT generate_series(1, 20000) n")
				two.b.Exec("CREATE TABLE once_more_b AS SELECT generate_series(1, 30000) n", "DELETE FROM t WHERE i % 17 = 0")
				two.a.Stop(pgtest.Fast)
				out = rejoin(t, bothNames[1], two.a, two.b, false)
				if strings.Contains(out, "no rewind required") || !strings.Contains(out, "servers diverged at WAL location") {
					t.Errorf("pg_rewind says\n%s", out)
				}
			})
		})
	}
}

// TestRewindSameNumberKilled: what was fetched has the names of what was set
// aside, and a resumed run still tells whose log is whose.
func TestRewindSameNumberKilled(t *testing.T) {
	seed := chosenSeed(t)
	pgtest.TheseMajors(t, []int{16}, func(t *testing.T, major int) {
		a, b := twins(t, trapOptions(major, pgtest.Conf("wal_keep_size", "256MB"))...)
		a.Promote()
		b.Promote()
		own(a, "a")
		a.Exec("CREATE TABLE more_a AS SELECT generate_series(1, 50000) n")
		own(b, "b")
		b.Stop(pgtest.Kill9)
		rounds := 3
		if torture() {
			rounds = 20
		}
		killingOf(t, &pgtest.Pair{Primary: a, Old: b}, rand.New(rand.NewPCG(seed, uint64(major)))).rounds(t, rounds)
	})
}

// TestRewindSameNumberUnreplayed: the target is a standby that received log
// past the fork and did not replay it. None of its pages is wrong, but its next
// start would go on with that log.
func TestRewindSameNumberUnreplayed(t *testing.T) {
	pgtest.TheseMajors(t, []int{15}, func(t *testing.T, major int) {
		t.Parallel()
		a, b := receivedOnly(t, major)
		readWrite(t, a)
		own(a, "a")
		rejoin(t, bothNames[0], b, a, true)
	})
}

// TestRewindSameNumberWithoutProof: the log that would tell is gone from a
// side. forkpoint refuses and names it; under the other name the histories
// count, as they do for pg_rewind.
func TestRewindSameNumberWithoutProof(t *testing.T) {
	pgtest.TheseMajors(t, []int{15, 18}, func(t *testing.T, major int) {
		t.Parallel()
		primary, a, b := twoStandbys(t, major)
		b.Stop(pgtest.Fast)
		reached := primary.CurrentLSN()
		own(primary, "p")
		primary.SwitchWAL()
		own2 := "CREATE TABLE later AS SELECT generate_series(1, 50000) n"
		primary.Exec(own2)
		primary.WaitCaughtUp(a)
		size := primary.SegmentSize()
		gone := size.Name(1, size.Number(reached-1))
		remove := func(s *pgtest.Server, upTo uint64) {
			for n := uint64(1); n <= upTo; n++ {
				_ = os.Remove(filepath.Join(s.Dir(), "pg_wal", size.Name(1, n)))
			}
		}
		for _, r := range bothNames {
			before := treeState(t, b.Dir())
			out := r.run(t, 0, b, "--source-server", primary.ConnString())
			if r.name == "forkpoint" && !strings.Contains(strings.Join(strings.Fields(out), " "), "all records of the target from") {
				t.Errorf("%s says\n%s", r.name, out)
			}
			if got := changedFiles(before, treeState(t, b.Dir())); len(got) > 0 {
				t.Errorf("%s changed %q", r.name, got)
			}
		}
		remove(primary, size.Number(reached-1))
		out := bothNames[0].run(t, int(statusRefused), b, "--source-server", primary.ConnString())
		if !strings.Contains(out, "no "+gone+" at the source") {
			t.Errorf("%s is not named:\n%s", gone, out)
		}
		out = bothNames[1].run(t, 0, b, "--source-server", primary.ConnString())
		if !strings.Contains(out, "pg_rewind: no rewind required\n") || !strings.Contains(out, "could not be compared") {
			t.Errorf("pg_rewind says\n%s", out)
		}
		// It follows, from the archive that this stands for.
		b.Follow(a)
		b.Start()
		primary.WaitCaughtUp(b)
		pgtest.SameData(primary, b)
	})
}

// TestRewindSameNumberPartedEarlier: the logs differ as far back as both hold
// them. Nobody says then that no rewind is required.
func TestRewindSameNumberPartedEarlier(t *testing.T) {
	pgtest.TheseMajors(t, []int{15}, func(t *testing.T, major int) {
		t.Parallel()
		a, b := twins(t, trapOptions(major, pgtest.Conf("wal_keep_size", "256MB"))...)
		a.Promote()
		b.Promote()
		own(a, "a")
		own(b, "b")
		b.Stop(pgtest.Fast)
		size := b.SegmentSize()
		segments, err := filepath.Glob(filepath.Join(a.Dir(), "pg_wal", "00000002????????????????"))
		if err != nil || len(segments) < 2 {
			t.Fatalf("%v, %v", segments, err)
		}
		first, err := pg.ParseSegmentName(filepath.Base(segments[0]), size)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(b.Dir(), "pg_wal", first.Format(size))); err != nil {
			t.Fatal(err)
		}
		out := strings.Join(strings.Fields(bothNames[0].run(t, int(statusRefused), b, "--source-server", a.ConnString())), " ")
		if !strings.Contains(out, "differ under one timeline number, 2, at") {
			t.Errorf("no word of it:\n%s", out)
		}
		out = bothNames[1].run(t, 1, b, "--source-server", a.ConnString())
		if strings.Contains(out, "no rewind required") {
			t.Errorf("pg_rewind says\n%s", out)
		}
	})
}
