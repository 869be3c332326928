package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// startStream runs index --follow --source-server and returns how to end it,
// which tells what it said.
func startStream(t *testing.T, s *pgtest.Server, spool string, args ...string) (end func() string) {
	t.Helper()
	follow := pgtest.RunAs(exec.Command(programPath(t), append([]string{"index", "--follow", "--every", "50ms"}, args...)...))
	if follow.Env == nil {
		follow.Env = os.Environ()
	}
	follow.Env = append(follow.Env, "TMPDIR="+spool)
	var said strings.Builder
	follow.Stdout, follow.Stderr = &said, &said
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	return func() string {
		t.Helper()
		if err := follow.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := follow.Wait(); err != nil || !strings.Contains(said.String(), "segments read") {
			t.Fatalf("index --follow --source-server: %v\n%s", err, &said)
		}
		if left, err := os.ReadDir(spool); err != nil || len(left) > 0 {
			t.Errorf("the spool is left behind: %v, %v\n%s", left, err, &said)
		}
		return said.String()
	}
}

func makeFolder(t *testing.T, path string) string {
	t.Helper()
	err := os.Mkdir(path, 0o755)
	if err == nil {
		err = pgtest.Own(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// anywhere leaves out how the log ends: the words name the file, and behind the
// end a spool has zeros where a server may have older log.
func anywhere(list []*blockmap.Segment) []*blockmap.Segment {
	for _, s := range list {
		s.Stop, s.StopDetail = "", ""
	}
	return list
}

// TestStreamedCatalog has a catalog kept over the replication protocol while a
// server works, the connection breaks and the follower is started again, and
// compares it with one that is built afterwards.
func TestStreamedCatalog(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 15, 17, 18}, func(t *testing.T, major int) {
		t.Parallel()
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "1MB"), pgtest.Conf("max_slot_wal_keep_size", "-1"))
		streamed, after := filepath.Join(s.Home(), "streamed.db"), filepath.Join(s.Home(), "after.db")
		spool := makeFolder(t, filepath.Join(s.Home(), "spool"))
		s.Exec("SELECT pg_create_physical_replication_slot('fp', true)",
			"SELECT pg_create_physical_replication_slot('everything', true)") // for the comparison
		args := []string{"--source-server", s.ConnString(), "--slot", "fp", "--catalog", streamed}
		caughtUp := func() {
			t.Helper()
			size := s.SegmentSize()
			last := size.Start(size.Number(s.SwitchWAL() - 1))
			s.Await("streaming", func() (bool, error) {
				rows, err := s.TryQueryIn("postgres", "SELECT restart_lsn >= $1::pg_lsn FROM pg_replication_slots WHERE slot_name = 'fp'", last.String())
				return err == nil && rows[0][0] == "t", err
			})
		}

		end := startStream(t, s, spool, args...)
		s.Workload("first", 200)
		caughtUp()
		s.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_replication") // it connects again
		s.Workload("second", 200)
		caughtUp()
		end()
		s.Workload("unseen", 200) // kept by the slot
		s.SwitchWAL()
		end = startStream(t, s, spool, args...)
		caughtUp()
		s.Exec("CREATE TABLE last AS SELECT 1 AS n")
		s.Stop(pgtest.Fast) // which waits for the follower
		end()

		if _, stderr, status := forkpointOutput(t, "index", s.Dir(), "--catalog", after); status != 0 {
			t.Fatalf("index: status %d\n%s", status, stderr)
		}
		want, got := catalogContents(t, after), catalogContents(t, streamed)
		first := got[0].Name.Number
		var since []*blockmap.Segment
		for _, s := range want {
			if s.Name.Number >= first {
				since = append(since, s)
			}
		}
		if len(since) < 5 {
			t.Fatalf("%d segments are too few", len(since))
		}
		sameCatalogs(t, "streamed", anywhere(since), anywhere(got))
	})
}

// TestStreamSwitchesTimeline follows a standby through its promotion.
func TestStreamSwitchesTimeline(t *testing.T) {
	pgtest.TheseMajors(t, []int{15, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "1GB"))
		standby := pair.Standby
		streamed, after := filepath.Join(standby.Home(), "streamed.db"), filepath.Join(standby.Home(), "after.db")
		pair.Primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 3000) n")
		pair.Primary.WaitCaughtUp(standby)
		end := startStream(t, standby, makeFolder(t, filepath.Join(standby.Home(), "spool")), "--source-server", standby.ConnString(), "--catalog", streamed)
		standby.Await("the stream", func() (bool, error) {
			rows, err := standby.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
			return err == nil && rows[0][0] == "1", err
		})
		pair.Primary.Exec("UPDATE t SET n = n + 1")
		pair.Split()
		pair.Primary.Exec("UPDATE t SET n = n + 2", "CREATE TABLE only_new AS SELECT 1 AS n")
		pair.Primary.SwitchWAL()
		pair.Primary.Exec("UPDATE t SET n = n + 3")
		pair.Primary.Await("the stream of timeline 2", func() (bool, error) {
			rows, err := pair.Primary.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'forkpoint' AND sent_lsn >= pg_current_wal_flush_lsn()")
			return err == nil && rows[0][0] == "1", err
		})
		pair.Primary.Stop(pgtest.Fast)
		end()
		if _, stderr, status := forkpointOutput(t, "index", standby.Dir(), "--catalog", after); status != 0 {
			t.Fatalf("index: status %d\n%s", status, stderr)
		}
		onTwo := func(all []*blockmap.Segment) (list []*blockmap.Segment) {
			for _, s := range all {
				if s.Name.Timeline == pg.TimelineID(2) {
					list = append(list, s)
				}
			}
			return list
		}
		want := onTwo(catalogContents(t, after))
		if len(want) < 2 {
			t.Fatalf("%d segments of timeline 2 are too few", len(want))
		}
		sameCatalogs(t, "streamed", anywhere(want), anywhere(onTwo(catalogContents(t, streamed))))
	})
}
