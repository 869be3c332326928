package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// oldAndNew are the oldest and the newest version that the machine has
// pg_rewind of.
func oldAndNew(t *testing.T) []int {
	majors := pgtest.OracleMajors(t, "pg_rewind")
	return slices.Compact([]int{majors[0], majors[len(majors)-1]})
}

// toArchive copies files of a server's pg_wal into an archive that has none of
// that name.
func toArchive(t *testing.T, s *pgtest.Server, archive string, wanted func(name string) bool) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Dir(), "pg_wal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		dest := filepath.Join(archive, name)
		if _, err := os.Stat(dest); err == nil || !pg.IsSegmentName(name) && !strings.HasSuffix(name, ".history") || !wanted(name) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.Dir(), "pg_wal", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dest, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func fromTimeline(n int) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, fmt.Sprintf("%08X", n)) }
}

// bothDiverged wants the same fork of the diagnosis and of pg_rewind.
func bothDiverged(t *testing.T, target, source *pgtest.Server) *reports.Diagnosis {
	t.Helper()
	d := diagnosis(t, 3, "-D", target.Dir(), "--source-server", source.ConnString())
	if d.Verdict != reports.RemedyRewind || d.Fork == nil {
		t.Fatalf("verdict %s, fork %+v", d.Verdict, d.Fork)
	}
	alsoDiverged(t, target, source, d.Fork)
	return d
}

// alsoDiverged wants a fork of pg_rewind.
func alsoDiverged(t *testing.T, target, source *pgtest.Server, fork *reports.Fork) {
	t.Helper()
	out, err := target.PgRewind("--dry-run", "--source-server", source.ConnString())
	want := fmt.Sprintf("servers diverged at WAL location %s on timeline %d", fork.LSN.Format(target.Major()), fork.Timeline)
	if err != nil || !strings.Contains(out, want) {
		t.Errorf("pg_rewind: %v\n%s\nwant %q", err, out, want)
	}
}

// awaitLog waits until a server's log has one of the texts.
func awaitLog(s *pgtest.Server, texts ...string) {
	s.Await(fmt.Sprintf("%q in the log", texts), func() (bool, error) {
		log := s.Log()
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(log, text) }), nil
	})
}

// noUpstream makes a standby that restores from an archive and streams from
// nobody.
func noUpstream(s *pgtest.Server, archive string) *pgtest.Server {
	s.WriteFile("standby.signal", "")
	s.Set("restore_command", fmt.Sprintf("cp %s/%%f %%p", archive))
	s.Set("recovery_target_timeline", "latest")
	return s
}

// C7: a standby restores a segment of the old primary before the history file
// of the new one is in the archive, and so replays past the fork.
func TestSegmentBeforeItsHistory(t *testing.T) {
	pgtest.TheseMajors(t, oldAndNew(t), func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		archive := pgtest.Scratch(t)
		third := noUpstream(primary.BaseBackup(), archive)
		promoted := primary.NewStandby()
		promoted.Start()
		primary.WaitCaughtUp(promoted)
		cut(promoted)
		primary.Exec("CREATE TABLE lost AS SELECT generate_series(1, 20000) n")
		end := primary.SwitchWAL()
		primary.Stop(pgtest.Fast)
		toArchive(t, primary, archive, fromTimeline(1))
		promoted.Promote()
		write(promoted, "new")
		third.Start()
		third.WaitReplay(end)
		promoted.SwitchWAL()
		toArchive(t, promoted, archive, fromTimeline(2))
		awaitLog(third, "before current recovery point")
		third.Stop(pgtest.Fast)
		d := bothDiverged(t, third, promoted)
		if d.TargetEnd < end {
			t.Errorf("the target ends at %s, but has replayed to %s", d.TargetEnd, end)
		}
		_, out := forkpoint(t, "history", "validate", third.Dir(), archive)
		if !strings.Contains(out, "[past-switch-point]") {
			t.Errorf("history validate:\n%s", out)
		}
		third.Set("restore_command", "")
		rejoin(t, bothNames[0], third, promoted, true)
	})
}

// C8: the newest timeline in a shared archive is of a test cluster, and a
// standby that follows the latest goes there.
func TestForeignTimelineInArchive(t *testing.T) {
	pgtest.TheseMajors(t, oldAndNew(t), func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		archive := pgtest.Scratch(t)
		standby := primary.NewStandby()
		primary.Exec("CREATE TABLE shared AS SELECT generate_series(1, 1000) n")
		branch := primary.NewStandby()
		branch.Start()
		primary.WaitCaughtUp(branch)
		branch.Promote()
		write(branch, "branch")
		primary.Exec("CREATE TABLE later AS SELECT generate_series(1, 20000) n")
		primary.SwitchWAL()
		branch.SwitchWAL()
		end := branch.CurrentLSN()
		branch.Stop(pgtest.Fast)
		toArchive(t, primary, archive, fromTimeline(1))
		toArchive(t, branch, archive, fromTimeline(2))

		_, out := forkpoint(t, "history", "validate", primary.Dir(), archive)
		if !strings.Contains(out, "[leaf-without-node]") {
			t.Errorf("history validate does not warn of timeline 2:\n%s", out)
		}
		standby.Set("restore_command", fmt.Sprintf("cp %s/%%f %%p", archive))
		standby.Start()
		standby.WaitReplay(end)
		awaitLog(standby, "is behind recovery timeline")
		standby.Stop(pgtest.Fast)
		if d := bothDiverged(t, standby, primary); d.Fork.Target != 2 || d.Fork.Source != 1 {
			t.Errorf("fork %+v", d.Fork)
		}
		standby.Set("restore_command", "")
		rejoin(t, bothNames[0], standby, primary, true)
	})
}

// C9: two servers under one timeline number archive to one place. What restores
// from there comes to the first segment of the other one and no further.
func TestTwoContentsInOneArchive(t *testing.T) {
	pgtest.TheseMajors(t, oldAndNew(t), func(t *testing.T, major int) {
		t.Parallel()
		a, b := twins(t, pgtest.Major(major), pgtest.SegSize(1))
		archive := pgtest.Scratch(t)
		toArchive(t, a, archive, fromTimeline(1))
		reader := noUpstream(a.BaseBackup(), archive)
		a.Promote()
		b.Promote()
		own(a, "a")
		own(b, "b")
		a.SwitchWAL()
		b.SwitchWAL()
		a.Stop(pgtest.Fast)
		b.Stop(pgtest.Fast)
		var first string
		toArchive(t, a, archive, func(name string) bool {
			if strings.HasSuffix(name, ".history") || fromTimeline(2)(name) && first == "" {
				if pg.IsSegmentName(name) {
					first = name
				}
				return fromTimeline(2)(name)
			}
			return false
		})
		toArchive(t, b, archive, fromTimeline(2))
		_, out := forkpoint(t, "history", "validate", a.Dir(), archive)
		if !strings.Contains(out, "[segment-two-contents]") {
			t.Errorf("history validate:\n%s", out)
		}
		out, err := b.PgRewind("--dry-run", "--source-pgdata", a.Dir())
		if err != nil || !strings.Contains(out, "no rewind required") {
			t.Errorf("pg_rewind: %v\n%s", err, out)
		}
		if d := diagnosis(t, 3, "-D", b.Dir(), "--source-pgdata", a.Dir()); d.Verdict != reports.RemedyRewind || codes(d) != "same-timeline-other-log" {
			t.Errorf("verdict %s, findings %s", d.Verdict, codes(d))
		}
		reader.Start()
		awaitLog(reader, "incorrect prev-link", "invalid record length", "incorrect resource manager data checksum", "invalid resource manager ID",
			"contrecord", "record with invalid length", "invalid magic number", "contains references to invalid pages")
		if strings.Contains(reader.Log(), "contains references to invalid pages") {
			return // both wrote as much up to the border: it replayed the other's records, and died of them
		}
		if name := reader.SegmentSize().Name(2, reader.SegmentSize().Number(reader.CurrentLSN()-1)); name > first {
			t.Errorf("the server replayed into %s, behind %s", name, first)
		}
	})
}

// E5 and E6: a standby as the target, with pages newer than its last
// restartpoint, and a standby of the promoted one as the source.
func TestDiagnoseStandbyOfStandby(t *testing.T) {
	pgtest.TheseMajors(t, oldAndNew(t), func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
		promoted, target := primary.NewStandby(), primary.NewStandby()
		promoted.Start()
		target.Start()
		source := promoted.NewStandby()
		source.Start()
		primary.WaitCaughtUp(source)
		primary.WaitCaughtUp(target)
		cut(promoted)
		primary.Exec("UPDATE t SET v = 'lost'", "CREATE TABLE lost AS SELECT generate_series(1, 20000) n")
		end := primary.CurrentLSN()
		primary.WaitCaughtUp(target)
		primary.Stop(pgtest.Immediate)
		promoted.Promote()
		write(promoted, "new")
		promoted.WaitCaughtUp(source)
		source.Checkpoint() // until its restartpoint, pg_rewind takes it to be on timeline 1
		target.Stop(pgtest.Fast)
		args := []string{"-D", target.Dir(), "--source-server", source.ConnString()}
		d := diagnosis(t, 3, args...)
		if d.Verdict != reports.RemedyRewind || !d.Source.InRecovery || !d.Target.InRecovery || d.TargetEnd < end {
			t.Errorf("verdict %s, in recovery %t and %t, end %s, replayed to %s", d.Verdict, d.Source.InRecovery, d.Target.InRecovery, d.TargetEnd, end)
		}
		out, err := target.PgRewind("--dry-run", "--source-server", source.ConnString())
		want := "servers diverged at WAL location " + d.Fork.LSN.Format(major)
		if major < 14 {
			want = "source server must not be in recovery mode"
		}
		if (err == nil) != (major >= 14) || !strings.Contains(out, want) {
			t.Errorf("pg_rewind: %v\n%s\nwant %q", err, out, want)
		}
		cannotFollow(t, target, source)
		rejoin(t, bothNames[0], target, source, true)
	})
}
