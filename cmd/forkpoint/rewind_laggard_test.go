package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pgtest"
)

// crossBorder makes a server go on in the next segment by a record that crosses
// the border. It begins and ends far from any, so that what the server writes
// by itself crosses none.
func crossBorder(s *pgtest.Server) {
	const far = 256 << 10
	emit := func(n int) {
		s.Exec(fmt.Sprintf("SELECT pg_logical_emit_message(false, 'filler', repeat('x', %d))", n))
	}
	size := s.SegmentSize()
	left := int(size) - int(size.Offset(s.CurrentLSN()))
	if left > 2*far {
		emit(left - far)
		left = far
	}
	emit(left + far)
}

// recycled waits until a server has recycled the segment that holds what a
// standby with that log needs next, and its archive has it.
func recycled(t *testing.T, s *pgtest.Server, archive, segment string) {
	t.Helper()
	s.Await(segment+" to be recycled", func() (bool, error) {
		crossBorder(s)
		if err := s.TryExecIn("postgres", "CHECKPOINT"); err != nil {
			return false, err
		}
		_, err := os.Stat(filepath.Join(s.Dir(), "pg_wal", segment))
		return os.IsNotExist(err), nil
	})
	if _, err := os.Stat(filepath.Join(archive, segment)); err != nil {
		t.Fatal(err)
	}
}

// TestRewindLaggard: a standby was down for so long that its primary has
// recycled the WAL at which it stopped. The archive shows that nothing but to
// follow is to be done, and that a node which wrote on its own is no such
// standby; pg_rewind looks at neither.
func TestRewindLaggard(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 15, 18}, func(t *testing.T, major int) {
		t.Parallel()
		archive := pgtest.Scratch(t)
		primary := pgtest.Run(t, trapOptions(major, pgtest.Conf("wal_keep_size", "0"), pgtest.Conf("autovacuum", "off"), pgtest.Conf("archive_mode", "on"),
			pgtest.Conf("archive_command", fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/%%f", archive)))...)
		primary.Exec("CREATE TABLE t (i int PRIMARY KEY, v text)")
		lagging, own := primary.NewStandby(), primary.NewStandby(pgtest.Conf("archive_command", "false"))
		lagging.Start()
		own.Start()
		primary.Exec("INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 3000) i")
		crossBorder(primary)
		primary.Exec("INSERT INTO t VALUES (0, 'behind the border')")
		primary.WaitCaughtUp(lagging)
		primary.WaitCaughtUp(own)
		lagging.Stop(pgtest.Fast)
		readWrite(t, own)
		own.Exec("INSERT INTO t VALUES (-1, 'of its own')", "CREATE TABLE only_own AS SELECT generate_series(1, 1000) n")
		end := own.CurrentLSN()
		own.Stop(pgtest.Fast)
		segment := primary.SegmentSize().Name(1, primary.SegmentSize().Number(end))
		recycled(t, primary, archive, segment)

		from := []string{"--source-server", primary.ConnString()}
		out := bothNames[0].run(t, int(statusRefused), lagging, from...)
		if !strings.Contains(out, "at the source") {
			t.Errorf("without an archive: no word of what is missing\n%s", out)
		}
		fetch := fmt.Sprintf("cp %s/%%f %%p", archive)
		for _, place := range [][]string{{"--archive", archive}, {"--restore-command", fetch}} {
			args := append(from[:2:2], place...)
			if d := diagnosis(t, 0, append([]string{"-D", lagging.Dir()}, args...)...); d.Verdict != reports.RemedyNothing || !strings.Contains(strings.Join(d.Facts, " "), "needs a restore_command") {
				t.Errorf("%q: verdict %s (%s), facts %q", place, d.Verdict, d.Reason, d.Facts)
			}
			out = strings.Join(strings.Fields(bothNames[0].run(t, int(statusRefused), own, args...)), " ")
			if !strings.Contains(out, "the two differ at") {
				t.Errorf("%q: of the node with a log of its own:\n%s", place, out)
			}
			if d := diagnosis(t, 6, append([]string{"-D", own.Dir()}, args...)...); d.Verdict != reports.RemedyPerson {
				t.Errorf("%q: verdict %s for the node with a log of its own", place, d.Verdict)
			}
		}
		if primary.HasProgram("pg_rewind") {
			for _, target := range []*pgtest.Server{lagging, own} {
				if out, err := target.PgRewind("--dry-run", "--source-server", primary.ConnString()); err != nil || !strings.Contains(out, "no rewind required") {
					t.Errorf("pg_rewind: %v\n%s", err, out)
				}
			}
		}
		// The segment that the archive has of another server does not lead on.
		foreign, err := os.ReadFile(filepath.Join(own.Dir(), "pg_wal", segment))
		if err != nil {
			t.Fatal(err)
		}
		mixed := pgtest.Scratch(t)
		if err := os.WriteFile(filepath.Join(mixed, segment), foreign, 0o644); err != nil {
			t.Fatal(err)
		}
		next := primary.SegmentSize().Name(1, primary.SegmentSize().Number(end)+1)
		entries, err := os.ReadDir(archive)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() < next {
				continue
			}
			if err := os.Symlink(filepath.Join(archive, e.Name()), filepath.Join(mixed, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		if d := diagnosis(t, 6, "-D", own.Dir(), "--source-server", primary.ConnString(), "--archive", mixed); d.Verdict != reports.RemedyPerson {
			t.Errorf("with its own segment in the archive: verdict %s", d.Verdict)
		}
		// What is said holds: the one follows with that command.
		bothNames[0].run(t, 0, lagging, "--source-server", primary.ConnString(), "--archive", archive, "-R")
		lagging.Set("restore_command", fetch)
		lagging.Start()
		primary.WaitStreaming(lagging)
		primary.WaitCaughtUp(lagging)
		pgtest.SameData(primary, lagging)

		// Where a switch ends a segment, no record shows whose it is.
		primary.Exec("INSERT INTO t VALUES (-2, 'before a switch')")
		primary.WaitCaughtUp(lagging)
		lagging.Stop(pgtest.Fast)
		segment = primary.SegmentSize().Name(1, primary.SegmentSize().Number(primary.CurrentLSN()))
		primary.SwitchWAL()
		recycled(t, primary, archive, segment)
		from = append(from, "--archive", archive)
		out = strings.Join(strings.Fields(bothNames[0].run(t, int(statusRefused), lagging, from...)), " ")
		if !strings.Contains(out, "the source's own "+segment+", restored into its pg_wal, would settle it") {
			t.Errorf("behind a switch:\n%s", out)
		}
		if out := bothNames[1].run(t, 0, lagging, "--source-server="+primary.ConnString(), "--restore-target-wal"); !strings.Contains(out, "no rewind required") || !strings.Contains(out, "could not be compared") {
			t.Errorf("behind a switch, under the name pg_rewind:\n%s", out)
		}
		kept, err := os.ReadFile(filepath.Join(archive, segment))
		if err != nil {
			t.Fatal(err)
		}
		primary.WriteFile("pg_wal/"+segment, string(kept))
		bothNames[0].run(t, 0, lagging, from...)
	})
}
