package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// toPageBorder makes a server's log end where a page does: what it inserts next
// begins behind the next page's header, and that is the position it names.
func toPageBorder(s *pgtest.Server) pg.LSN {
	const page, header, overhead = 8192, 24, 55 // of a message of more than 255 bytes
	var at pg.LSN
	s.Await("the log to end with a page", func() (bool, error) {
		var err error
		if at, err = pg.ParseLSN(s.Value("SELECT pg_current_wal_insert_lsn()")); err != nil || at%page == header {
			return err == nil, err
		}
		left := int(page - at%page)
		if left < 512 || s.SegmentSize().Offset(at)+page > uint32(s.SegmentSize()) {
			left = 1024 // into the next page; a segment begins with a longer header
		}
		s.Exec(fmt.Sprintf("SELECT pg_logical_emit_message(false, 'p', repeat('x', %d))", left-overhead))
		return false, nil
	})
	s.Await("it to be flushed", func() (bool, error) {
		return s.Value("SELECT pg_current_wal_flush_lsn() >= $1::pg_lsn", (at-header).String()) == "t", nil
	})
	return at
}

// C13: an idle source names a position behind a page header, which no record
// ends at. pg_rewind demands that the target gets there before it is consistent:
// it has all of the source's log and waits until the source writes something.
// forkpoint goes by the end of the last record.
func TestIdleSourceAtPageHeader(t *testing.T) {
	// The pg_rewind of 13 writes to the source.
	majors := slices.DeleteFunc(pgtest.OracleMajors(t, "pg_rewind"), func(major int) bool { return major < 14 })
	if len(majors) == 0 {
		t.Skip("no pg_rewind of version 14 or later here")
	}
	pgtest.TheseMajors(t, slices.Compact([]int{majors[0], majors[len(majors)-1]}), func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("autovacuum", "off"), pgtest.Conf("wal_keep_size", "512MB"))
		pair.Diverge(pgtest.Fast, write)
		target, source := pair.Old, pair.Primary
		defer hold(t, source, "background writer")()
		from := []string{"--source-server", source.ConnString()}
		for _, db := range []string{"postgres", "template1"} { // both are read
			source.ExecIn(db, "VACUUM") // so that who reads has no hints to set and nothing to prune
		}
		source.Checkpoint()
		kept := target.Dir() + ".kept"
		copyDir(t, target.Dir(), kept)
		// What happens tells something only where the source stayed idle.
		wantIdle := func(at pg.LSN) {
			t.Helper()
			if now := source.Value("SELECT pg_current_wal_insert_lsn()"); now != at.Format(major) {
				t.Fatalf("the source was to be idle at %s, and wrote to %s", at.Format(major), now)
			}
		}

		at := toPageBorder(source)
		if out, err := target.PgRewind(from...); err != nil {
			t.Fatalf("pg_rewind: %v\n%s", err, out)
		}
		demanded := minRecoveryPoint(t, target)
		target.Follow(source)
		started := make(chan error, 1)
		go func() { started <- target.TryStart() }()
		source.Await("the target to have all that the source has", func() (bool, error) {
			return source.Value("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_flush_lsn()") == "1", nil
		})
		_, err := target.TryQueryIn("postgres", "SELECT 1")
		wantIdle(at)
		if demanded != at || err == nil || !strings.Contains(err.Error(), "57P03") { // cannot_connect_now
			t.Errorf("rewound by pg_rewind, the server is to reach %s, has all up to before %s, and says %v", demanded, at, err)
		}
		source.Exec("SELECT pg_logical_emit_message(false, 'p', 'anything')", "SELECT pg_switch_wal()")
		if err := <-started; err != nil {
			t.Fatalf("once the source has written: %v", err)
		}
		target.Stop(pgtest.Immediate)

		resetDir(t, kept, target.Dir())
		at = toPageBorder(source)
		bothNames[0].run(t, 0, target, append(from, "-R")...)
		demanded = minRecoveryPoint(t, target)
		target.Start()
		wantIdle(at)
		if demanded >= at {
			t.Errorf("the target is to reach %s, and the last record ends before %s", demanded, at)
		}
		source.WaitCaughtUp(target)
		pgtest.SameData(source, target)
	})
}

func minRecoveryPoint(t *testing.T, s *pgtest.Server) pg.LSN {
	t.Helper()
	dir, err := datadir.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	control, err := dir.Control()
	if err != nil {
		t.Fatal(err)
	}
	return control.MinRecoveryPoint
}
