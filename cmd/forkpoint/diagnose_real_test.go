package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pgtest"
)

// diagnosis runs the command and reads its JSON.
func diagnosis(t *testing.T, wantStatus int, args ...string) *reports.Diagnosis {
	t.Helper()
	cmd := pgtest.RunAs(exec.Command(programPath(t), append([]string{"diagnose", "--format", "json"}, args...)...))
	out, err := cmd.Output()
	if _, is := err.(*exec.ExitError); err != nil && !is {
		t.Fatal(err)
	}
	status := cmd.ProcessState.ExitCode()
	var d reports.Diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("status %d: %v\n%s", status, err, out)
	}
	if status != wantStatus {
		t.Fatalf("exit status %d, want %d\n%s", status, wantStatus, out)
	}
	_, text := forkpoint(t, append([]string{"diagnose"}, args...)...)
	t.Log(text)
	return &d
}

// oracle is the version that the machine has pg_rewind of.
func oracle(t *testing.T) []pgtest.Option {
	t.Helper()
	majors := pgtest.OracleMajors(t, "pg_rewind")
	if len(majors) == 0 {
		t.Skip("no pg_rewind here")
	}
	return []pgtest.Option{pgtest.Major(majors[0]), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "512MB")}
}

func pgRewindSays(t *testing.T, target, source *pgtest.Server, want string) {
	t.Helper()
	out, err := target.PgRewind("--dry-run", "--source-pgdata", source.Dir())
	if !strings.Contains(out, want) {
		t.Errorf("pg_rewind: %v\n%s\nwant %q", err, out, want)
	}
}

func write(s *pgtest.Server, side string) {
	s.Exec("CREATE TABLE only_"+side+" AS SELECT generate_series(1, 20000) n", "CHECKPOINT")
}

// Where the verdict is to rewind, the server does not follow without.
func TestDiagnoseForked(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Diverge(pgtest.Fast, write)
	d := diagnosis(t, 3, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
	if d.Verdict != reports.RemedyRewind || d.Fork == nil || len(d.Missing()) > 0 || len(d.Segments) == 0 {
		t.Errorf("verdict %s, fork %v, missing %v", d.Verdict, d.Fork, d.Missing())
	}
	pair.Primary.Stop(pgtest.Fast)
	pgRewindSays(t, pair.Old, pair.Primary, "servers diverged at WAL location "+d.Fork.LSN.String()+" on timeline 1")
	pair.Primary.Start()
	cannotFollow(t, pair.Old, pair.Primary)
}

// farWrite writes a record that is longer than all that [write] does, so that
// the log of a server that did the latter ends in the midst of it.
func farWrite(s *pgtest.Server) {
	s.Exec("SELECT pg_logical_emit_message(false, 'forkpoint', repeat('x', 12 << 20))")
}

// readsOtherLog starts the target as a standby of the source, which has another
// log under the same number that [farWrite] began. No history tells, and so the
// server asks for what comes after its own end and meets the midst of a record.
func readsOtherLog(t *testing.T, target, source *pgtest.Server) {
	t.Helper()
	target.Follow(source)
	target.Start()
	awaitLog(target, "invalid resource manager ID 120", "contrecord", "too long") // 120 is x
	target.Stop(pgtest.Immediate)
}

// After a planned switch nothing is lost, and the old primary just follows: no
// version's form of the log makes that a divergence (C12).
func TestDiagnoseFollow(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, pgtest.Major(major), pgtest.SegSize(1))
		pair.FailOver(pgtest.Fast)
		pair.Primary.Exec("CREATE TABLE after_switch AS SELECT 1 AS n", "CHECKPOINT")
		d := diagnosis(t, 0, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
		if d.Verdict != reports.RemedyFollow {
			t.Errorf("verdict %s", d.Verdict)
		}
		if pair.Old.HasProgram("pg_rewind") {
			if out, err := pair.Old.PgRewind("--dry-run", "--source-server", pair.Primary.ConnString()); err != nil || !strings.Contains(out, "no rewind required") {
				t.Errorf("pg_rewind: %v\n%s", err, out)
			}
		}
		pair.Rejoin(true)
		pgtest.SameData(pair.Primary, pair.Standby)
	})
}

// Two standbys promoted apart from each other take one number. Histories are
// the same where both had replayed the same.
func TestDiagnoseTwoPromotionsOfOneNumber(t *testing.T) {
	t.Parallel()
	one, other := twins(t, oracle(t)...)
	one.Promote()
	other.Promote()
	farWrite(one)
	write(one, "a")
	write(other, "b")
	other.Stop(pgtest.Fast)
	live := diagnosis(t, 3, "-D", other.Dir(), "--source-server", one.ConnString())
	one.Stop(pgtest.Fast)
	d := diagnosis(t, 3, "-D", other.Dir(), "--source-pgdata", one.Dir())
	if d.Verdict != reports.RemedyRewind || codes(d) != "same-timeline-other-log" || len(d.Missing()) > 0 {
		t.Errorf("verdict %s, findings %s, missing %v", d.Verdict, codes(d), d.Missing())
	}
	if d.Comparison == nil || !d.Comparison.Differs || d.Comparison.Earlier || d.Fork.Timeline != 1 || d.Fork.LSN != d.Target.Path[1].Begin {
		t.Errorf("comparison %+v, fork %+v", d.Comparison, d.Fork)
	}
	if live.Comparison == nil || live.Comparison.At != d.Comparison.At {
		t.Errorf("from the running server: %+v", live.Comparison)
	}
	pgRewindSays(t, other, one, "no rewind required")
	one.Start()
	readsOtherLog(t, other, one)
}

// A standby that somebody started without standby.signal goes on under its
// primary's number.
func TestDiagnoseReadWriteWithoutPromotion(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Primary.Exec("CREATE TABLE shared AS SELECT generate_series(1, 20000) n")
	end := pair.Primary.CurrentLSN()
	pair.Standby.WaitReplay(end)
	readWrite(t, pair.Standby)
	write(pair.Standby, "a")
	farWrite(pair.Primary)
	write(pair.Primary, "b")
	pair.Standby.Stop(pgtest.Fast)
	d := diagnosis(t, 3, "-D", pair.Standby.Dir(), "--source-server", pair.Primary.ConnString())
	if d.Comparison == nil || !d.Comparison.Differs || d.Comparison.Alike < end || d.Fork.Timeline != 1 {
		t.Errorf("comparison %+v, fork %+v, shared to %s", d.Comparison, d.Fork, end)
	}
	pair.Primary.Stop(pgtest.Fast)
	pgRewindSays(t, pair.Standby, pair.Primary, "no rewind required")
	status, out := forkpoint(t, "diagnose", pair.Standby.Dir(), pair.Primary.Dir())
	if status != 3 || !strings.Contains(out, "same-timeline-other-log") {
		t.Errorf("matrix: status %d\n%s", status, out)
	}
	pair.Primary.Start()
	readsOtherLog(t, pair.Standby, pair.Primary)
}

// The target's history file is gone, as after a rewind that was killed: nobody
// but the WAL has its rows. Without them pg_rewind gives up and nobody can
// follow this server; with them pg_rewind sees the fork and so does a server.
func TestDiagnoseAndRepairHistory(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Split()
	write(pair.Old, "old")
	write(pair.Primary, "new")
	pair.Primary.Stop(pgtest.Fast)
	pair.Old.Stop(pgtest.Fast)
	name := filepath.Join(pair.Primary.Dir(), "pg_wal", "00000002.history")
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	pgRewindSays(t, pair.Primary, pair.Old, "00000002.history")
	d := diagnosis(t, 3, "-D", pair.Primary.Dir(), "--source-pgdata", pair.Old.Dir())
	if d.Verdict != reports.RemedyRewindAfter || len(d.Next) == 0 || !strings.Contains(d.Next[0], "forkpoint history repair 2") {
		t.Errorf("verdict %s, next %q", d.Verdict, d.Next)
	}
	t.Log(mustForkpoint(t, "history", "repair", "2", pair.Primary.Dir(), "--in-place"))
	got, err := os.ReadFile(name)
	if err != nil || strings.Split(string(got), "\t")[1] != strings.Split(string(want), "\t")[1] {
		t.Errorf("rebuilt %q, %v; was %q", got, err, want)
	}
	if d = diagnosis(t, 3, "-D", pair.Primary.Dir(), "--source-pgdata", pair.Old.Dir()); d.Verdict != reports.RemedyRewind {
		t.Errorf("verdict %s after the repair", d.Verdict)
	}
	t.Log(mustForkpoint(t, "history", "validate", pair.Primary.Dir()))
	pgRewindSays(t, pair.Primary, pair.Old, "servers diverged at WAL location "+d.Fork.LSN.String()+" on timeline 1")

	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	pair.Primary.Start()
	pair.Old.Follow(pair.Primary)
	pair.Old.Start()
	awaitLog(pair.Old, `00000002.history": No such file or directory`)
	pair.Primary.WriteFile("pg_wal/00000002.history", string(got))
	awaitLog(pair.Old, refusals...)
	pair.Old.Stop(pgtest.Immediate)
	rejoin(t, bothNames[0], pair.Old, pair.Primary, true)
}
