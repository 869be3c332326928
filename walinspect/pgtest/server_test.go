package pgtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

func TestStartAndStop(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		s := pgtest.New(t, pgtest.Major(major), pgtest.SegSize(1))
		for _, how := range []pgtest.StopMode{pgtest.Fast, pgtest.Immediate, pgtest.Kill9} {
			s.Start()
			s.Exec("CREATE TABLE IF NOT EXISTS t (how text)", "INSERT INTO t VALUES ('"+how.String()+"')")
			s.Stop(how)
			if s.Running() {
				t.Fatalf("still running after a %s stop", how)
			}
		}
		s.Start()
		if got := s.Value("SELECT string_agg(how, ', ' ORDER BY how) FROM t"); got != "fast, immediate, kill -9" {
			t.Errorf("rows after all stops: %q", got)
		}
		if got, want := s.Value("SHOW wal_segment_size"), "1MB"; got != want {
			t.Errorf("wal_segment_size = %s, want %s", got, want)
		}
		if got := s.Value("SHOW data_checksums"); got != "on" {
			t.Errorf("data_checksums = %s, want on", got)
		}
	})
}

func TestClusterOptions(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		plain := pgtest.New(t, pgtest.Major(major), pgtest.SegSize(1))
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(64), pgtest.NoChecksums(), pgtest.Fresh(),
			pgtest.LinkedWAL(), pgtest.TCP(), pgtest.Conf("wal_log_hints", "on"))
		for setting, want := range map[string]string{
			"wal_segment_size": "64MB", "data_checksums": "off", "wal_log_hints": "on", "listen_addresses": "127.0.0.1",
		} {
			if got := s.Value("SHOW " + setting); got != want {
				t.Errorf("%s = %s, want %s", setting, got, want)
			}
		}
		if link, err := os.Readlink(filepath.Join(s.Dir(), "pg_wal")); err != nil || strings.HasPrefix(link, s.Dir()) {
			t.Errorf("pg_wal links to %q, %v; want a place outside of the data directory", link, err)
		}
		plain.Start()
		const id = "SELECT system_identifier FROM pg_control_system()"
		if a, b := plain.Value(id), s.Value(id); a == b {
			t.Errorf("a fresh cluster has the system identifier of the template, %s", a)
		}
	})
}

func TestRefusedStartShowsTheLog(t *testing.T) {
	s := pgtest.New(t)
	s.Set("shared_buffers", "nonsense")
	err := s.TryStart()
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Fatalf("TryStart with a bad setting: %v; want the server's own message", err)
	}
}

func TestStandby(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.LinkedWAL())
		location := primary.CreateTablespace("outside")
		primary.Exec("CREATE TABLE t (n int) TABLESPACE outside", "INSERT INTO t SELECT generate_series(1, 1000)")
		pair := primary.Pair()
		primary.Exec("INSERT INTO t SELECT generate_series(1001, 2000)")
		primary.WaitCaughtUp(pair.Standby)
		if got := pair.Standby.Value("SELECT count(*) FROM t"); got != "2000" {
			t.Errorf("the standby has %s rows, want 2000", got)
		}
		if got := pair.Standby.Value("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'outside'"); got == location {
			t.Errorf("the standby uses the primary's tablespace directory %s", got)
		}
		cascaded := pair.Standby.NewStandby()
		cascaded.Start()
		primary.Exec("INSERT INTO t VALUES (2001)")
		primary.WaitCaughtUp(cascaded)
		if got := cascaded.Value("SELECT count(*) FROM t"); got != "2001" {
			t.Errorf("the cascaded standby has %s rows, want 2001", got)
		}
	})
}

// To have replayed as much as the primary has written is not to stream: a
// standby may have it from its backup, and one past a fork has log of its own.
func TestStreams(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		a := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		b := a.NewStandby()
		settings := b.ReadFile("postgresql.auto.conf")
		streams := func(primary, standby *pgtest.Server) bool {
			primary.WaitCaughtUp(standby)
			is, err := primary.Streams(standby)
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		b.WriteFile("postgresql.auto.conf", settings+"primary_conninfo = ''\n")
		b.Start()
		if streams(a, b) {
			t.Error("a standby without a connection streams")
		}
		b.WriteFile("postgresql.auto.conf", settings)
		b.Reload()
		a.WaitStreaming(b)
		b.Promote()
		a.Exec("CREATE TABLE more AS SELECT generate_series(1, 20000) n")
		a.Stop(pgtest.Fast)
		a.Follow(b)
		a.Start()
		if streams(b, a) {
			t.Error("a standby past the fork streams")
		}
	})
}

func TestFailOver(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		pair.Primary.Exec("CREATE TABLE t (side text)")
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) {
			s.Exec("INSERT INTO t VALUES ('" + side + "')")
		})
		if got := pair.Primary.Value("SELECT string_agg(side, ' ') FROM t"); got != "new" {
			t.Errorf("rows on the new primary: %q", got)
		}
		pair.Primary.Checkpoint()
		if got := pair.Primary.Timeline(); got != 2 {
			t.Errorf("the new primary is on timeline %d, want 2", got)
		}
		if pair.Old.Running() {
			t.Error("the old primary runs")
		}
		pair.Old.Start()
		if got := pair.Old.Value("SELECT string_agg(side, ' ') FROM t"); got != "old" {
			t.Errorf("rows on the old primary: %q", got)
		}
	})
}

func TestCutLosesWrites(t *testing.T) {
	pair := pgtest.NewPair(t)
	pair.Primary.Exec("CREATE TABLE t (n int)")
	pair.Cut()
	pair.Primary.Exec("INSERT INTO t VALUES (1)")
	pair.FailOver(pgtest.Fast)
	if got := pair.Primary.Value("SELECT count(*) FROM t"); got != "0" {
		t.Errorf("the promoted standby has %s rows that it was never sent", got)
	}
}

func TestSwitchWAL(t *testing.T) {
	s := pgtest.Run(t, pgtest.SegSize(1))
	s.Exec("CREATE TABLE t (n int)")
	end := s.SwitchWAL()
	var size pg.SegmentSize = s.SegmentSize()
	s.Exec("INSERT INTO t VALUES (1)")
	if before, after := size.Number(end), size.Number(s.CurrentLSN()); after != before+1 {
		t.Errorf("segment %d after a switch in segment %d", after, before)
	}
}

func TestExecutableRunsAsServerUser(t *testing.T) {
	cmd := pgtest.RunAs(exec.Command(pgtest.Executable(t), "-test.list", "^TestStandby$"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "TestStandby") {
		t.Fatalf("the copy of the test binary: %v\n%s", err, out)
	}
}
