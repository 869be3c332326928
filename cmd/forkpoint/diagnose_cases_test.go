package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pgtest"
)

// refusals are how a server says that it cannot follow.
var refusals = []string{
	"is not a child of this server's history",
	"before current recovery point",
	"does not contain minimum recovery point",
	"is behind recovery timeline",
	"system identifier differs between the primary and standby",
}

// cannotFollow starts the target as a standby of the source and waits until it
// says that it cannot be one.
func cannotFollow(t *testing.T, target, source *pgtest.Server) {
	t.Helper()
	target.Follow(source)
	_ = target.TryStart() // it may come up on its old timeline; what counts is that it gets no further
	awaitLog(target, refusals...)
	if target.Running() {
		target.Stop(pgtest.Immediate)
	}
}

// follows starts the target as a standby of the source, which it becomes.
func follows(t *testing.T, target, source *pgtest.Server) {
	t.Helper()
	target.Follow(source)
	target.Start()
	source.WaitCaughtUp(target)
	pgtest.SameData(source, target)
}

// holdCheckpointer keeps a server from making checkpoints until resume is
// called.
func holdCheckpointer(t *testing.T, s *pgtest.Server) (resume func()) {
	t.Helper()
	return hold(t, s, "checkpointer")
}

// hold stops a server's process of a kind until resume is called.
func hold(t *testing.T, s *pgtest.Server, kind string) (resume func()) {
	t.Helper()
	pid, err := strconv.Atoi(s.Value("SELECT pid FROM pg_stat_activity WHERE backend_type = $1", kind))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}
}

// C1: the source was promoted and its control file does not know yet. pg_rewind
// of 15 and older sees no fork then. From 19 on a promotion waits for the
// checkpointer, so that holding it does not bring a server there.
func TestDiagnosePromotedWithoutCheckpoint(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 14, 15, 16, 17, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		resume := holdCheckpointer(t, pair.Standby)
		pair.Split()
		pair.Old.Exec("CREATE TABLE only_old AS SELECT generate_series(1, 20000) n", "CHECKPOINT")
		pair.Old.Stop(pgtest.Fast)
		d := diagnosis(t, 3, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
		if d.Verdict != reports.RemedyRewind || d.Source.Timeline != 2 || d.Source.ControlTimeline != 1 || !strings.Contains(strings.Join(d.Inferences, " "), "has not come to its first checkpoint") {
			t.Errorf("verdict %s, source on timeline %d, by its control file %d, inferences %q", d.Verdict, d.Source.Timeline, d.Source.ControlTimeline, d.Inferences)
		}
		if major <= 15 && pair.Old.HasProgram("pg_rewind") {
			if out, err := pair.Old.PgRewind("--dry-run", "--source-server", pair.Primary.ConnString()); !strings.Contains(out, "no rewind required") {
				t.Errorf("pg_rewind: %v\n%s", err, out)
			}
		}
		bothNames[1].run(t, 0, pair.Old, "--source-server", pair.Primary.ConnString(), "-R")
		resume()
		pair.Old.Start()
		pair.Primary.WaitCaughtUp(pair.Old)
		pgtest.SameData(pair.Primary, pair.Old)
	})
}

// C5: a standby replayed past the fork. Running or stopped, it is told, and its
// server does not follow.
func TestDiagnoseStandbyPastTheFork(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 15, 18}, func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		a, b := primary.NewStandby(), primary.NewStandby()
		a.Start()
		b.Start()
		primary.WaitCaughtUp(a)
		cut(a)
		primary.Exec("CREATE TABLE lost AS SELECT generate_series(1, 20000) n")
		primary.WaitCaughtUp(b)
		primary.Stop(pgtest.Immediate)
		a.Promote()
		a.Exec("CREATE TABLE kept AS SELECT generate_series(1, 20000) n", "CHECKPOINT")

		d := diagnosis(t, 3, "--target-server", b.ConnString(), "--source-server", a.ConnString())
		if d.Verdict != reports.RemedyRewindAfter || !strings.Contains(strings.Join(d.After, " "), "stopping the target") || d.Fork == nil || d.TargetEnd <= d.Fork.LSN {
			t.Errorf("running: verdict %s after %q, fork %+v, end %s", d.Verdict, d.After, d.Fork, d.TargetEnd)
		}
		history := filepath.Join(a.Dir(), "pg_wal", "00000002.history")
		if d = diagnosis(t, 3, "--target-server", b.ConnString(), "--source-archive", history); d.Verdict != reports.RemedyRewindAfter || len(d.After) != 2 {
			t.Errorf("by the history file: verdict %s after %q", d.Verdict, d.After)
		}
		b.Stop(pgtest.Fast)
		d = diagnosis(t, 3, "-D", b.Dir(), "--source-server", a.ConnString())
		if d.Verdict != reports.RemedyRewind || !d.Target.InRecovery {
			t.Errorf("stopped: verdict %s, in recovery %t", d.Verdict, d.Target.InRecovery)
		}
		if b.HasProgram("pg_rewind") {
			alsoDiverged(t, b, a, d.Fork)
		}
		cannotFollow(t, b, a)
		rejoin(t, bothNames[0], b, a, true)
	})
}

// A standby of a standby that had not reached the fork follows as it is, and so
// does one that is told by an archive alone.
func TestDiagnoseCascadeBehindTheFork(t *testing.T) {
	pgtest.TheseMajors(t, []int{14, 17}, func(t *testing.T, major int) {
		t.Parallel()
		archive := pgtest.Scratch(t)
		copying := fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/%%f", archive)
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("archive_mode", "on"), pgtest.Conf("archive_command", copying))
		a := primary.NewStandby()
		a.Start()
		b := a.NewStandby()
		b.Start()
		primary.Exec("CREATE TABLE t AS SELECT generate_series(1, 1000) n")
		primary.WaitCaughtUp(b)
		b.Stop(pgtest.Fast)
		primary.Exec("CREATE TABLE later AS SELECT generate_series(1, 20000) n")
		primary.WaitCaughtUp(a)
		primary.Stop(pgtest.Immediate)
		a.Promote()
		a.SwitchWAL()
		a.Await("the history to be archived", func() (bool, error) {
			_, err := os.Stat(filepath.Join(archive, "00000002.history"))
			return err == nil, nil
		})
		for _, source := range [][]string{{"--source-server", a.ConnString()}, {"--source-archive", archive}} {
			if d := diagnosis(t, 0, append([]string{"-D", b.Dir()}, source...)...); d.Verdict != reports.RemedyFollow || d.Fork == nil || d.Fork.Timeline != 1 {
				t.Errorf("%q: verdict %s, fork %+v", source, d.Verdict, d.Fork)
			}
		}
		follows(t, b, a)
	})
}

// A branch from a recovery to a point in time lies before where the primary
// went on: each is past the fork for the other, whichever number is higher.
func TestDiagnosePointInTimeBranch(t *testing.T) {
	pgtest.TheseMajors(t, []int{15, 16}, func(t *testing.T, major int) {
		t.Parallel()
		primary := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		branch := primary.NewStandby()
		primary.Exec("CREATE TABLE shared AS SELECT generate_series(1, 1000) n")
		target := primary.CurrentLSN()
		primary.Exec("CREATE TABLE later AS SELECT generate_series(1, 20000) n", "CHECKPOINT")
		branch.Set("recovery_target_lsn", target.String())
		branch.Set("recovery_target_action", "promote")
		branch.Start()
		branch.Await("the branch", func() (bool, error) {
			rows, err := branch.TryQueryIn("postgres", "SELECT pg_is_in_recovery()")
			return err == nil && rows[0][0] == "f", err
		})
		branch.Set("recovery_target_lsn", "")
		branch.Exec("CREATE TABLE only_branch AS SELECT generate_series(1, 20000) n", "CHECKPOINT")
		branch.Stop(pgtest.Fast)
		d := diagnosis(t, 3, "-D", branch.Dir(), "--source-server", primary.ConnString())
		if d.Verdict != reports.RemedyRewind || d.Fork.LSN < target || d.Fork.Target != 2 || d.Fork.Source != 1 {
			t.Errorf("branch to primary: verdict %s, fork %+v, want one from %s on", d.Verdict, d.Fork, target)
		}
		branch.Start()
		primary.Stop(pgtest.Fast)
		if d = diagnosis(t, 3, "-D", primary.Dir(), "--source-server", branch.ConnString()); d.Verdict != reports.RemedyRewind || d.Fork.Target != 1 || d.Fork.Source != 2 {
			t.Errorf("primary to branch: verdict %s, fork %+v", d.Verdict, d.Fork)
		}
		primary.Start()
		branch.Stop(pgtest.Fast)
		cannotFollow(t, branch, primary)
		rejoin(t, bothNames[0], branch, primary, true)
	})
}

// F3: the role may not read the source. The statements that are shown are the
// ones that help, and then the same command goes on.
func TestDiagnoseGrants(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Diverge(pgtest.Fast, write)
	pair.Primary.Exec(`CREATE ROLE "re winder" LOGIN`)
	conninfo := strings.Replace(pair.Primary.ConnString(), "user=postgres", "user='re winder'", 1)
	args := []string{"-D", pair.Old.Dir(), "--source-server", conninfo}
	d := diagnosis(t, 6, args...)
	if d.Verdict != reports.RemedyPerson || codes(d) != "grants" || len(d.Next) != 4 {
		t.Fatalf("verdict %s, findings %s, next %q", d.Verdict, codes(d), d.Next)
	}
	pair.Primary.Exec(d.Next[:3]...)
	if d = diagnosis(t, 6, args...); len(d.Next) != 1 {
		t.Fatalf("with three of them: next %q", d.Next)
	}
	pair.Primary.Exec(d.Next...)
	if d = diagnosis(t, 3, args...); d.Verdict != reports.RemedyRewind {
		t.Errorf("with all of them: verdict %s", d.Verdict)
	}
}

// A5: the source has recycled what replay needs. The table says who holds each
// segment, and an archive that does makes the difference. pg_rewind does not
// ask, and the server that it leaves gets no further than to the gap.
func TestDiagnoseReplayWALGone(t *testing.T) {
	pgtest.TheseMajors(t, []int{15, 17}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		pair.Diverge(pgtest.Fast, write)
		pair.Primary.Exec("CREATE TABLE much AS SELECT generate_series(1, 50000) n", "CHECKPOINT")
		ends := []string{"-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString()}
		whole := diagnosis(t, 3, ends...)
		size := pair.Old.SegmentSize()
		gone := size.Name(2, size.Number(whole.Fork.LSN)+1)
		archive := pgtest.Scratch(t)
		path := filepath.Join(pair.Primary.Dir(), "pg_wal", gone)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(archive, gone), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		d := diagnosis(t, 3, ends...)
		if d.Verdict != reports.RemedyRewindAfter || !slices.Equal(d.Missing(), []string{gone}) {
			t.Errorf("verdict %s, missing %q, want %s", d.Verdict, d.Missing(), gone)
		}
		d = diagnosis(t, 3, append(ends, "--archive", archive)...)
		if d.Verdict != reports.RemedyRewind || len(d.Missing()) > 0 {
			t.Errorf("with the archive: verdict %s, missing %q", d.Verdict, d.Missing())
		}
		for _, s := range d.Segments {
			if s.Name == gone && (len(s.Where) != 1 || !strings.HasPrefix(s.Where[0], "archive ")) {
				t.Errorf("%s is said to be in %q", gone, s.Where)
			}
		}
		if !pair.Old.HasProgram("pg_rewind") {
			cannotFollow(t, pair.Old, pair.Primary)
			return
		}
		if out, err := pair.Old.PgRewind("--source-server", pair.Primary.ConnString()); err != nil || !strings.Contains(out, "Done!") {
			t.Fatalf("pg_rewind: %v\n%s", err, out)
		}
		pair.Old.Follow(pair.Primary)
		started := make(chan error, 1)
		go func() { started <- pair.Old.TryStart() }()
		awaitLog(pair.Old, "requested WAL segment "+gone+" has already been removed")
		if _, err := pair.Old.TryQueryIn("postgres", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "57P03") { // cannot_connect_now
			t.Errorf("without %s, the server that pg_rewind left says %v", gone, err)
		}
		pair.Primary.WriteFile(filepath.Join("pg_wal", gone), string(b))
		if err := <-started; err != nil {
			t.Fatalf("with %s at the source again: %v", gone, err)
		}
		pair.Primary.WaitCaughtUp(pair.Old)
		pgtest.SameData(pair.Primary, pair.Old)
	})
}
