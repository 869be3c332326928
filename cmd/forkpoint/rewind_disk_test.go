//go:build torture

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// bulkyPair is a pair after a fail-over whose old bytes take room, for they
// hardly compress.
func bulkyPair(t *testing.T) *pgtest.Pair {
	t.Helper()
	majors := pgtest.Majors(t)
	pair := pgtest.NewPair(t, trapOptions(majors[len(majors)-1])...)
	pair.Primary.Exec("CREATE TABLE t AS SELECT i, md5(i::text) || md5((i + 1)::text) || repeat(md5((i + 2)::text), 10) AS v FROM generate_series(1, 40000) i", "CHECKPOINT")
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = v || '" + side + "' WHERE i % 2 = 0") })
	return pair
}

// TestRewindFullDisk has the state directory on a small file system, for which
// it needs root. Too little room is a refusal with figures before anything is
// changed. When somebody else fills the disk nevertheless, the run stops, and the
// same command refuses to go on, with figures, as long as there is no room; undo
// works without any, and with room made the same command goes on.
func TestRewindFullDisk(t *testing.T) {
	pair := bulkyPair(t)
	old := pair.Old
	disk := smallDisk(t, "66m")
	args := []string{"--source-server", pair.Primary.ConnString(), "-R", "--state-dir", disk + "/state", "--max-rate", "16MB"}
	before := tree(t, old.Dir())
	unchanged := func(when string) {
		t.Helper()
		if got := changedFiles(before, tree(t, old.Dir())); len(got) > 0 {
			t.Fatalf("%s: changed %q", when, got)
		}
	}

	out := bothNames[0].run(t, 6, old, args...)
	for _, text := range []string{"bytes free; the rewind may take", "of old bytes to undo it", "--no-undo"} {
		if !strings.Contains(out, text) {
			t.Errorf("the refusal does not say %q: %s", text, out)
		}
	}
	unchanged("refusal")
	bothNames[0].run(t, 0, old, append(args, "--no-undo", "--dry-run")...)

	remount(t, disk, "200m")
	for _, end := range []string{"undo", "resume"} {
		w := watch(t, append([]string{"rewind", "-D", old.Dir()}, args...)...)
		w.until(`"barred"`)
		full := fill(t, disk)
		status, _, stderr := w.ended()
		t.Logf("%s: status %d: %s", end, status, stderr)
		if status != int(statusInterrupted) || !strings.Contains(stderr, "no space left on device") {
			t.Errorf("on a full disk: status %d, %s", status, stderr)
		}
		out := bothNames[0].run(t, 6, old, args...) // the disk stays full
		for _, text := range []string{"bytes free; the rest of the rewind may take", "make room there and run the same command again", "which takes no room, with", "--undo"} {
			if !strings.Contains(out, text) {
				t.Errorf("on a disk that stays full it does not say %q: %s", text, out)
			}
		}
		if end == "undo" {
			mustForkpoint(t, "rewind", "--undo", "-D", old.Dir(), "--state-dir", disk+"/state")
			unchanged("undo on a full disk")
		}
		if err := os.Remove(full); err != nil {
			t.Fatal(err)
		}
	}
	bothNames[0].run(t, 0, old, args...)
	pair.Rejoin(false)
	pgtest.SameData(pair.Primary, pair.Standby)
}

// smallDisk is a file system in memory of a size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := filepath.Join(pgtest.Scratch(t), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("a file system of its own needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if err := pgtest.Own(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func remount(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// fill takes all the room that a file system has but a few pages, and then those.
func fill(t *testing.T, dir string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "filler")
	out, err := exec.Command("dd", "if=/dev/zero", "of="+file, "bs=64k").CombinedOutput()
	if err == nil || !strings.Contains(fmt.Sprintf("%s", out), "No space left") {
		t.Fatalf("fill %s: %v, %s", dir, err, out)
	}
	return file
}
