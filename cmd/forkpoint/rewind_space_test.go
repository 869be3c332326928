//go:build torture

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindSmallFileSystem: the target lies on a file system that is too small
// for what the source has grown by. It needs root, to mount one.
func TestRewindSmallFileSystem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("run it as root")
	}
	mounted := pgtest.Scratch(t)
	mount := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			t.Fatalf("mount %q: %v: %s", args, err, out)
		}
	}
	mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", mounted)
	defer exec.Command("umount", "-l", mounted).Run()

	pair := pgtest.NewPair(t, trapOptions(15)...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i", "CHECKPOINT")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
		s.Exec("UPDATE t SET i = -i")
		if side == "new" {
			s.Exec("CREATE TABLE big AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 60000) i", "CHECKPOINT")
		}
	})
	dir := filepath.Join(mounted, "data")
	copyDir(t, pair.Old.Dir(), dir)
	if err := pgtest.Own(mounted); err != nil {
		t.Fatal(err)
	}
	used, err := exec.Command("du", "-sm", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	megabytes := strings.Fields(string(used))[0]
	mount("-o", "remount,size="+megabytes+"m", mounted)
	before := treeState(t, mounted)
	args := []string{"rewind", "-D", dir, "--source-server", pair.Primary.ConnString()}
	for _, more := range []string{"--dry-run", "--no-undo", "-R"} {
		status, out := forkpoint(t, append(args, more)...)
		if status != int(statusRefused) || !strings.Contains(out, "that files grow") {
			t.Errorf("%s: status %d: %s", more, status, out)
		}
		now := treeState(t, mounted)
		for name := range now {
			if strings.HasPrefix(name, "data.forkpoint") {
				delete(now, name)
			}
		}
		if got := changedFiles(before, now); len(got) > 1 || len(got) == 1 && got[0] != "." {
			t.Errorf("%s: changed %q", more, got)
		}
	}
	mount("-o", "remount,size=1g", mounted)
	mustForkpoint(t, append(args, "-R")...)
}
