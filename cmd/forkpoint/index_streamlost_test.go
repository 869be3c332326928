package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// awaitStreamed waits until each of n followers has all that the server has
// written, and returns the number of the segment that was full last.
func awaitStreamed(t *testing.T, s *pgtest.Server, n string) uint64 {
	t.Helper()
	last := s.SegmentSize().Number(s.SwitchWAL() - 1)
	end := s.SegmentSize().Start(last + 1)
	s.Await("the stream up to "+end.String(), func() (bool, error) {
		rows, err := s.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'forkpoint' AND flush_lsn >= $1::pg_lsn", end.String())
		return err == nil && rows[0][0] == n, err
	})
	return last
}

// onTimeline leaves out what is of other timelines, or before a segment.
func onTimeline(tli pg.TimelineID, from uint64, all []*blockmap.Segment) (list []*blockmap.Segment) {
	for _, s := range all {
		if s.Name.Timeline == tli && s.Name.Number >= from {
			list = append(list, s)
		}
	}
	return list
}

// TestStreamAfterRemovedWAL has the server remove log that the catalog lacks,
// while nobody streams: the follower goes on with what there is, and says so.
// Its slot is lost with that, which from 18 on cannot be used again.
func TestStreamAfterRemovedWAL(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "0"), pgtest.Conf("min_wal_size", "2MB"),
			pgtest.Conf("max_wal_size", "2MB"), pgtest.Conf("max_slot_wal_keep_size", "1MB"), pgtest.Conf("autovacuum", "off"))
		s.Exec("SELECT pg_create_physical_replication_slot('lost')")
		streamed, after := filepath.Join(s.Home(), "streamed.db"), filepath.Join(s.Home(), "after.db")
		args := []string{"--source-server", s.ConnString(), "--catalog", streamed, "--slot", "lost"}
		spool := makeFolder(t, filepath.Join(s.Home(), "spool"))

		end := startStream(t, s, spool, args...)
		s.Await("the stream", func() (bool, error) {
			rows, err := s.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
			return err == nil && rows[0][0] == "1", err
		})
		s.Workload("first", 200)
		known := awaitStreamed(t, s, "1")
		end()
		rounds := 0
		s.Await("the log to be removed", func() (bool, error) {
			rounds++
			s.Exec(fmt.Sprintf("CREATE TABLE unseen%d AS SELECT generate_series(1, 5000) n", rounds))
			s.SwitchWAL()
			s.Checkpoint()
			rows, err := s.TryQueryIn("postgres", "SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'")
			return err == nil && rows[0][0] > s.SegmentSize().Name(1, known+1), err
		})
		s.Exec("ALTER SYSTEM SET max_slot_wal_keep_size = -1", "SELECT pg_reload_conf()")
		s.Exec("SELECT pg_create_physical_replication_slot('keep', true)") // for the comparison
		s.SwitchWAL()

		end = startStream(t, s, spool, args...)
		s.Await("the stream to go on", func() (bool, error) {
			rows, err := s.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
			return err == nil && rows[0][0] == "1", err
		})
		s.Workload("last", 200)
		awaitStreamed(t, s, "1")
		s.Stop(pgtest.Fast)
		said := end()
		if want := "the server has removed WAL that is not in the catalog"; strings.Count(said, want) != 1 {
			t.Errorf("%q is not said once:\n%s", want, said)
		}
		if want := "going on without the replication slot"; strings.Contains(said, want) != (major >= 18) {
			t.Errorf("%q:\n%s", want, said)
		}
		if want := fmt.Sprintf("no WAL of timeline 1 from %s to ", s.SegmentSize().Start(known+1)); !strings.Contains(said, want) {
			t.Errorf("the report lacks %q:\n%s", want, said)
		}
		if _, stderr, status := forkpointOutput(t, "index", s.Dir(), "--catalog", after); status != 0 {
			t.Fatalf("index: status %d\n%s", status, stderr)
		}
		got := catalogContents(t, streamed)
		if len(onTimeline(1, known, got)) == len(got) {
			t.Error("what was known before is not in the catalog any more")
		}
		beyond := onTimeline(1, known+2, got)
		if len(beyond) == 0 {
			t.Fatal("nothing was indexed after the gap")
		}
		from := beyond[0].Name.Number
		want := onTimeline(1, from, catalogContents(t, after))
		if len(want) < 2 {
			t.Fatalf("%d segments are too few", len(want))
		}
		sameCatalogs(t, "streamed", anywhere(want), anywhere(onTimeline(1, from, got)))
	})
}

// TestStreamLeftTheTimeline has a standby promoted before the place up to which
// followers of the old primary have come, and then they follow it instead: one
// is started again, the other loses its connection.
func TestStreamLeftTheTimeline(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "1GB"))
		home := pair.Primary.Home()
		proxy := pgtest.NewProxy(t, pair.Primary, func(int) pgtest.Fault { return pgtest.Fault{} })
		spools := []string{makeFolder(t, filepath.Join(home, "spool1")), makeFolder(t, filepath.Join(home, "spool2"))}
		catalogs := []string{filepath.Join(home, "again.db"), filepath.Join(home, "broken.db")}
		endFirst := startStream(t, pair.Primary, spools[0], "--source-server", pair.Primary.ConnString(), "--catalog", catalogs[0])
		endSecond := startStream(t, pair.Primary, spools[1], "--source-server", proxy.Conninfo(pair.Primary.ConnString()), "--catalog", catalogs[1])
		pair.Primary.Await("both streams", func() (bool, error) {
			rows, err := pair.Primary.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'forkpoint' AND state = 'streaming'")
			return err == nil && rows[0][0] == "2", err
		})
		pair.Primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 3000) n")
		pair.Split()
		old, now := pair.Old, pair.Primary
		old.Workload("old_side", 200)
		awaitStreamed(t, old, "2")
		endFirst()
		oldDir := catalogContents(t, catalogs[0])

		endFirst = startStream(t, now, spools[0], "--source-server", now.ConnString(), "--catalog", catalogs[0])
		proxy.To(now)
		old.Stop(pgtest.Fast) // which breaks the other's connection
		now.Await("both streams", func() (bool, error) {
			rows, err := now.TryQueryIn("postgres", "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'forkpoint' AND state = 'streaming'")
			return err == nil && rows[0][0] == "2", err
		})
		now.Exec("UPDATE t SET n = n + 2", "CREATE TABLE only_new AS SELECT 1 AS n")
		awaitStreamed(t, now, "2")
		now.Stop(pgtest.Fast)
		endFirst()
		endSecond()

		after := filepath.Join(home, "after.db")
		if _, stderr, status := forkpointOutput(t, "index", now.Dir(), "--catalog", after); status != 0 {
			t.Fatalf("index: status %d\n%s", status, stderr)
		}
		want := onTimeline(2, 0, catalogContents(t, after))
		if len(want) < 2 || len(oldDir) < 2 {
			t.Fatalf("%d and %d segments are too few", len(want), len(oldDir))
		}
		for _, file := range catalogs {
			got := catalogContents(t, file)
			sameCatalogs(t, "timeline 2 in "+file, anywhere(want), anywhere(onTimeline(2, 0, got)))
			if len(onTimeline(1, 0, got)) < len(oldDir) {
				t.Errorf("%s: what the old primary wrote is not there any more", file)
			}
		}
	})
}
