package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind/target"
	"forkpoint/walinspect/pgtest"
)

// TestRewindStateWithin: beside the data directory nothing can be made, so the
// state directory is in it, where the rewind, its undo and the server leave it
// alone.
func TestRewindStateWithin(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		s.Exec("UPDATE t SET v = '"+side+"' WHERE i % 4 = 0", "CREATE TABLE only_"+side+" AS SELECT 1 AS n")
	})
	home := pair.Old.Home()
	info, err := os.Stat(home)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(home, info.Mode())
	if err := os.Chmod(home, 0o555); err != nil {
		t.Fatal(err)
	}
	own := func() map[string]string {
		state := treeState(t, pair.Old.Dir())
		maps.DeleteFunc(state, func(name, _ string) bool { return strings.HasPrefix(name, target.StateDirName) })
		return state
	}
	before := own()
	bothNames[0].run(t, 0, pair.Old, "--source-server", pair.Primary.ConnString(), "-R")
	if within, err := os.ReadDir(filepath.Join(pair.Old.Dir(), target.StateDirName)); err != nil || len(within) < 2 {
		t.Fatalf("the state directory holds %v, %v", within, err)
	}
	if same := changedFiles(before, own()); len(same) == 0 {
		t.Fatal("nothing was rewound")
	}
	bothNames[0].run(t, 0, pair.Old, "--undo")
	if got := changedFiles(before, own()); len(got) > 0 {
		t.Fatalf("undo left differences: %q", got)
	}
	bothNames[0].run(t, 0, pair.Old, "--source-server", pair.Primary.ConnString(), "-R", "--verify")
	if err := os.Chmod(home, info.Mode()); err != nil {
		t.Fatal(err)
	}
	pair.Rejoin(false)
	pgtest.SameData(pair.Primary, pair.Standby)
	if entries, err := filepath.Glob(filepath.Join(pair.Standby.Dir(), target.StateDirName, "rewind-*")); err != nil || len(entries) != 2 {
		t.Errorf("the journals %q, %v; want those of two rewinds", entries, err)
	}
}

// TestRewindClonedAnew: a rewind is killed, its node is cloned anew into the
// same place, and the journal beside it does not keep later rewinds from it.
func TestRewindClonedAnew(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, repeat('x', 400) AS v FROM generate_series(1, 20000) i", "CHECKPOINT")
	changes := func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") }
	pair.Diverge(pgtest.Fast, changes)
	w := watch(t, "rewind", "-R", "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString(), "--max-rate", "4MB", "--copy", "classic")
	w.until(`"event":"progress","phase":"copy"`)
	w.cmd.Process.Kill()
	w.ended()

	clone := pair.Primary.NewStandby()
	clone.WriteFile("postgresql.conf", pair.Old.ReadFile("postgresql.conf"))
	if err := os.RemoveAll(pair.Old.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(clone.Dir(), pair.Old.Dir()); err != nil {
		t.Fatal(err)
	}
	pair.Old.Start()
	pair.Primary.WaitCaughtUp(pair.Old)
	pair.Old.Promote()
	changes(pair.Old, "clone")
	changes(pair.Primary, "new again")
	pair.Old.Stop(pgtest.Fast)

	before := treeState(t, pair.Old.Dir())
	out := bothNames[0].run(t, 0, pair.Old, "--source-server", pair.Primary.ConnString(), "--dry-run")
	if !strings.Contains(out, "its journal would be closed") {
		t.Errorf("no word of it: %s", out)
	}
	if got := changedFiles(before, treeState(t, pair.Old.Dir())); len(got) > 0 {
		t.Errorf("the dry run changed %q", got)
	}
	dir := pair.Old.Dir()
	if out := rewound(t, pair); !strings.Contains(out, "its journal is closed") || !strings.Contains(out, "evidence drop") {
		t.Errorf("no word of it: %s", out)
	}
	if out := mustForkpoint(t, "evidence", "list", "-D", dir); !strings.Contains(out, "abandoned") {
		t.Errorf("the journal is not closed: %s", out)
	}
}

// TestRewindPrintedCommands: what a half-done target says to type works as it
// stands, has no password in it, and nothing that is barred counts as fine
// because the journal is sought in the wrong place.
func TestRewindPrintedCommands(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "'") })
	dir, state := pair.Old.Dir(), filepath.Join(pair.Old.Home(), "the state")
	source := pair.Primary.ConnString() + " password='not to be seen'"
	args := []string{"rewind", "-D", dir, "-R", "--state-dir", state, "--source-server", source}
	if status, out := forkpoint(t, append(args, "--resume")...); status != 6 || !strings.Contains(out, "no interrupted rewind of "+dir) {
		t.Errorf("--resume without anything to resume: status %d: %s", status, out)
	}
	before := treeState(t, dir)
	interrupt := func() (label string) {
		t.Helper()
		w := watch(t, append(args, "--max-rate", "1MB")...)
		w.until(`"barred"`)
		w.cmd.Process.Signal(os.Interrupt)
		status, _, stderr := w.ended()
		if status != int(statusInterrupted) || !strings.Contains(stderr, "--state-dir '"+state+"'") {
			t.Fatalf("status %d: %s", status, stderr)
		}
		label = pair.Old.ReadFile("backup_label")
		if strings.Contains(label, "not to be seen") || strings.Contains(stderr, "not to be seen") {
			t.Errorf("the password is told: %s\n%s", label, stderr)
		}
		return label
	}
	typed := func(label, action string) {
		t.Helper()
		for line := range strings.Lines(label) {
			if command, is := strings.CutPrefix(strings.TrimSpace(line), "forkpoint rewind --"+action); is {
				cmd := pgtest.RunAs(exec.Command("sh", "-c", "exec "+programPath(t)+" rewind --"+action+command))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", line, err, out)
				}
				return
			}
		}
		t.Fatalf("no command to %s: %s", action, label)
	}
	label := interrupt()
	if status, out := forkpoint(t, "rewind", "--undo", "-D", dir); status != 6 || !strings.Contains(out, "--state-dir") {
		t.Errorf("undo without the journal: status %d: %s", status, out)
	}
	typed(label, "undo")
	if text, err := os.ReadFile(filepath.Join(state, resultFile)); err != nil || !strings.Contains(string(text), `"action": "undo"`) {
		t.Errorf("the result file: %v: %s", err, text)
	}
	if _, err := os.Stat(filepath.Join(state, "stage")); !os.IsNotExist(err) {
		t.Errorf("what was fetched is still there after undo: %v", err)
	}
	if got := changedFiles(before, treeState(t, dir)); len(got) > 0 {
		t.Errorf("undo left differences: %q", got)
	}
	typed(interrupt(), "resume")
	pair.Rejoin(false)
	pgtest.SameData(pair.Primary, pair.Standby)
}
