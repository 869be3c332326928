package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pgtest"
)

// codes are the findings of a diagnosis.
func codes(d *reports.Diagnosis) string {
	var list []string
	for _, f := range d.Findings {
		list = append(list, f.Code)
	}
	return strings.Join(list, " ")
}

// E7: two clusters that only look alike.
func TestDiagnoseOtherCluster(t *testing.T) {
	t.Parallel()
	a, b := pgtest.New(t, oracle(t)...), pgtest.New(t, append(oracle(t), pgtest.Fresh())...)
	d := diagnosis(t, 6, "-D", a.Dir(), "--source-pgdata", b.Dir())
	if d.Verdict != reports.RemedyOther {
		t.Errorf("verdict %s", d.Verdict)
	}
	pgRewindSays(t, a, b, "from different systems")
	b.Start()
	a.Start() // with the settings of a standby in its control file from here on
	a.Stop(pgtest.Fast)
	cannotFollow(t, a, b)
}

// A1: the segment with the last common checkpoint is gone; the archive has it,
// or nobody.
func TestDiagnoseMissingWAL(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	pair.Diverge(pgtest.Fast, write)
	pair.Primary.Stop(pgtest.Fast)
	ends := []string{"-D", pair.Old.Dir(), "--source-pgdata", pair.Primary.Dir()}
	whole := diagnosis(t, 3, ends...)
	size := pair.Old.SegmentSize()
	gone := size.Name(1, size.Number(whole.Fork.LSN-1))
	archive := pgtest.Scratch(t)
	for _, s := range []*pgtest.Server{pair.Old, pair.Primary} {
		path := filepath.Join(s.Dir(), "pg_wal", gone)
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(archive, gone), b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	pgRewindSays(t, pair.Old, pair.Primary, gone)
	d := diagnosis(t, 3, ends...)
	if d.Verdict != reports.RemedyRewindAfter || !strings.Contains(strings.Join(d.Missing(), " "), gone) {
		t.Errorf("verdict %s, missing %v, want %s", d.Verdict, d.Missing(), gone)
	}
	if d = diagnosis(t, 3, append(ends, "--archive", archive)...); d.Verdict != reports.RemedyRewind || len(d.Missing()) > 0 {
		t.Errorf("with the archive: verdict %s, missing %v", d.Verdict, d.Missing())
	}
	if d = diagnosis(t, 6, append(ends, "--archive", pgtest.Scratch(t))...); d.Verdict != reports.RemedyPerson {
		t.Errorf("with an empty archive: verdict %s", d.Verdict)
	}
	pair.Primary.Start()
	cannotFollow(t, pair.Old, pair.Primary)
}

// F1 and a running target: all that is wrong is told at once.
func TestDiagnoseSeveralProblems(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, append(oracle(t), pgtest.NoChecksums())...)
	pair.Split()
	write(pair.Old, "old")
	write(pair.Primary, "new")
	d := diagnosis(t, 6, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
	if got := codes(d); !strings.Contains(got, "running") || !strings.Contains(got, "hint-logging") {
		t.Errorf("findings %s", got)
	}
	pair.Old.Stop(pgtest.Fast)
	pair.Primary.Stop(pgtest.Fast)
	pgRewindSays(t, pair.Old, pair.Primary, `wal_log_hints = on`)
}

// Ten fail-overs in a row, with the histories of all of them.
func TestHistoryTenDeep(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, oracle(t)...)
	for range 9 {
		pair.FailOver(pgtest.Fast)
		pair.Primary.Checkpoint()
		pair.Rejoin(true)
	}
	pair.Diverge(pgtest.Fast, write)
	pair.Primary.Stop(pgtest.Fast)
	if d := diagnosis(t, 3, "-D", pair.Old.Dir(), "--source-pgdata", pair.Primary.Dir()); d.Verdict != reports.RemedyRewind || d.Fork.Timeline != 10 || d.Fork.Source != 11 {
		t.Errorf("verdict %s, fork %+v", d.Verdict, d.Fork)
	}
	t.Log(mustForkpoint(t, "history", "validate", pair.Primary.Dir()))
	t.Log(mustForkpoint(t, "history", "tree", pair.Old.Dir(), pair.Primary.Dir()))
	if svg := mustForkpoint(t, "history", "tree", "--format", "svg", pair.Primary.Dir()); strings.Count(svg, "<circle") != 11 {
		t.Errorf("drawing has no 11 timelines:\n%s", svg)
	}
	// The hand-edited file of the seed: the last row moved to the top.
	name := filepath.Join(pair.Primary.Dir(), "pg_wal", "0000000B.history")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(b)), "\n")
	last := rows[len(rows)-1]
	edited := strings.Join(append([]string{last}, rows[:len(rows)-1]...), "\n") + "\n"
	if err := os.WriteFile(name, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out := forkpoint(t, "history", "validate", pair.Primary.Dir(), "--format", "json")
	if status != 3 || !strings.Contains(out, "history-syntax") || !strings.Contains(out, "increasing sequence") {
		t.Errorf("status %d\n%s", status, out)
	}
	pgRewindSays(t, pair.Old, pair.Primary, "invalid data in history file")
	mustForkpoint(t, "history", "repair", "11", pair.Primary.Dir(), "--in-place")
	mustForkpoint(t, "history", "validate", pair.Primary.Dir())
	pgRewindSays(t, pair.Old, pair.Primary, "servers diverged at WAL location")
	pair.Primary.Start()
}
