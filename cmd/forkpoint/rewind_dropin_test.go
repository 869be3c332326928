package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgtest"
)

// TestPgRewindSideEffects runs pg_rewind itself on a target and this program,
// under its name, on a copy of it, from one running source that stands still:
// labels, control files, settings, messages and the lists of files are equal.
func TestPgRewindSideEffects(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_rewind") {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		if !pair.Primary.HasProgram("pg_rewind") {
			continue
		}
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '"+side+"' WHERE i % 4 = 0", "CREATE TABLE only_"+side+" AS SELECT 1 AS n",
				"SELECT pg_create_physical_replication_slot('slot_"+side+"')", "CHECKPOINT")
		})
		for _, name := range []string{"backup_label.old", "mine", "postgresql.auto.conf.tmp", "current_logfiles.tmp", "base/pgsql_tmp_x", "backup_manifest", "pg_stat_tmp/x", "pg_wal/mine"} {
			pair.Old.WriteFile(name, "x")
		}
		copied := filepath.Join(pair.Old.Home(), "copy")
		if out, err := exec.Command("cp", "-a", pair.Old.Dir(), copied).CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
		args := []string{"--source-server=" + pair.Primary.ConnString(), "--write-recovery-conf", "--progress"}
		real, err := pair.Old.PgRewind(args...)
		if err != nil {
			t.Fatal(err)
		}
		status, stdout, ours := runProgram(t, "pg_rewind", []string{"HOME=" + os.Getenv("HOME")}, append([]string{"--target-pgdata", copied}, args...)...)
		if status != 0 || stdout != "" {
			t.Fatalf("exit status %d, stdout %q\n%s", status, stdout, ours)
		}
		if diff := cmp.Diff(steps(real), steps(ours)); diff != "" {
			t.Errorf("messages, -pg_rewind +forkpoint:\n%s", diff)
		}
		a, b := openDir(t, pair.Old.Dir()), openDir(t, copied)
		for _, name := range []string{"backup_label", "postgresql.auto.conf", "postgresql.conf", "standby.signal"} {
			if diff := cmp.Diff(content(t, a, name), content(t, b, name)); diff != "" {
				t.Errorf("%s, -pg_rewind +forkpoint:\n%s", name, diff)
			}
		}
		ca, err := a.Control()
		if err != nil {
			t.Fatal(err)
		}
		cb, err := b.Control()
		if err != nil {
			t.Fatal(err)
		}
		ca.Time = cb.Time // of the rewind
		if cb.MinRecoveryPoint < ca.MinRecoveryPoint {
			t.Errorf("minimum recovery point %s, pg_rewind's %s", cb.MinRecoveryPoint, ca.MinRecoveryPoint)
		}
		ca.MinRecoveryPoint = cb.MinRecoveryPoint // the source logs hints when somebody connects
		if diff := cmp.Diff(ca, cb); diff != "" {
			t.Errorf("control files, -pg_rewind +forkpoint:\n%s", diff)
		}
		if diff := cmp.Diff(namesIn(t, a), namesIn(t, b)); diff != "" {
			t.Errorf("files, -pg_rewind +forkpoint:\n%s", diff)
		}
		// After replay both hold what the source does.
		for _, next := range []string{copied, ""} {
			pair.Old.Start()
			pair.Primary.WaitCaughtUp(pair.Old)
			pgtest.SameData(pair.Primary, pair.Old)
			pgtest.Amcheck(pair.Old)
			if next == "" {
				break
			}
			pair.Old.Stop(pgtest.Fast)
			for _, err := range []error{os.Rename(pair.Old.Dir(), pair.Old.Dir()+".real"), os.Rename(next, pair.Old.Dir())} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func openDir(t *testing.T, path string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var newerOptions = regexp.MustCompile(` (sslnegotiation|sslcertmode|sslsni|gssdelegation|load_balance_hosts)=\w+`)

// content is a file without the line that tells the time.
func content(t *testing.T, d *datadir.Dir, name string) []string {
	t.Helper()
	b, err := d.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// Defaults of options that are newer than the server are written by a
	// client library that is newer too; a standby does without them.
	text := newerOptions.ReplaceAllString(string(b), "")
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, "START TIME:") })
}

// steps are the messages of a run without the counter and the amounts.
func steps(output string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(output, "\r", "\n")) {
		if strings.Contains(line, "copied") {
			continue
		}
		if strings.Contains(line, "need to copy") {
			line = "need to copy"
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines) // the target's log is read before the lists are compared
	return lines
}

// namesIn lists what a data directory holds, but for segments of the log,
// which pg_rewind copies whether replay needs them or not.
func namesIn(t *testing.T, d *datadir.Dir) []string {
	t.Helper()
	var names []string
	for f, err := range d.Files(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(f.Path, "pg_wal/0") && !strings.HasPrefix(f.Path, "pg_wal/archive_status/") {
			names = append(names, f.Path)
		}
	}
	return names
}
