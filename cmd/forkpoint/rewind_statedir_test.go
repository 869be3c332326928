package main

import (
	"maps"
	"os"
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
