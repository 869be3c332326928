package main

import (
	"os"
	"os/exec"
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
		for _, format := range []string{"text", "json"} {
			unheard("rewind", "-P", "--source-server", pair.Primary.ConnString(), "--format", format)
			mustForkpoint(t, "verify", "-D", dir)
			unheard("rewind", "--undo", "--format", format)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("undone with --format %s (-want +got):\n%s", format, diff)
			}
		}
	})
}
