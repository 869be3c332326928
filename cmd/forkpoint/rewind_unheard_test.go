package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pgtest"
)

// TestRewindUnheard rewinds, and takes it back, with nobody left to read what is
// said: it is done all the same, for half a rewind is no rewind.
func TestRewindUnheard(t *testing.T) {
	pgtest.TheseMajors(t, []int{13, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") })
		dir := pair.Old.Dir()
		before := tree(t, dir)
		unheard := func(args ...string) {
			t.Helper()
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			cmd := pgtest.RunAs(exec.Command(programPath(t), append(args, "-D", dir)...))
			cmd.Stdout, cmd.Stderr = writer, writer
			if err := cmd.Run(); err != nil {
				t.Errorf("%q ended with %v", args, err)
			}
		}
		undone := func(after string) {
			t.Helper()
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("undone after %s (-want +got):\n%s", after, diff)
			}
		}
		for _, format := range []string{"text", "json"} {
			unheard("rewind", "-P", "--source-server", pair.Primary.ConnString(), "--verify", "--format", format)
			told(t, dir, `"action": "rewind"`, `"status": 0`, `"certificate": {`)
			unheard("rewind", "--undo", "--format", format)
			told(t, dir, `"action": "undo"`, `"status": 0`)
			undone(format)
		}
		hungUp := watch(t, "rewind", "-D", dir, "--source-server", pair.Primary.ConnString(), "--max-rate", "4MB")
		hungUp.until(`"barred"`)
		signalled(syscall.SIGHUP)(hungUp, nil)
		if status, last, stderr := hungUp.ended(); status != 0 {
			t.Errorf("a rewind whose terminal is gone ended with %d: %s%s", status, last, stderr)
		}
		told(t, dir, `"action": "rewind"`, `"status": 0`)
		mustForkpoint(t, "rewind", "--undo", "-D", dir)
		undone("the end of the terminal")
	})
}

// told looks for what the result file says.
func told(t *testing.T, dir string, texts ...string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir+".forkpoint", resultFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if !strings.Contains(string(got), text) {
			t.Errorf("the result file does not say %s: %s", text, got)
		}
	}
}
