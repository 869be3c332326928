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

// TestRewindBadDisk has the state directory on a file system whose device
// fails: it stands on less room than it claims to have, so that what was
// written is lost when it is flushed, and later its end is cut off, so that
// reading fails. It needs root and loop devices. No failure takes the way back:
// with the device whole again, undo gives what was there and a run finishes.
func TestRewindBadDisk(t *testing.T) {
	pair := bulkyPair(t)
	old := pair.Old
	below := smallDisk(t, "400m")
	bad := &badDisk{t: t, below: below, image: below + "/image", dir: filepath.Join(pgtest.Scratch(t), "bad")}
	bad.make("256M")
	args := []string{"rewind", "-R", "-D", old.Dir(), "--source-server", pair.Primary.ConnString(), "--state-dir", bad.dir + "/state"}
	undo := []string{"rewind", "--undo", "-D", old.Dir(), "--state-dir", bad.dir + "/state"}
	before := tree(t, old.Dir())
	unchanged := func(when string, before map[string]string) {
		t.Helper()
		if got := changedFiles(before, tree(t, old.Dir())); len(got) > 0 {
			t.Fatalf("%s: changed %q", when, got)
		}
	}
	failed := func(when string, args ...string) {
		t.Helper()
		status, out := forkpoint(t, args...)
		t.Logf("%s: status %d: %s", when, status, out)
		if status == 0 || !strings.Contains(out, "input/output error") && !strings.Contains(out, "no space left") {
			t.Errorf("%s: status %d, %s", when, status, out)
		}
	}

	for _, end := range []string{"undo", "resume"} {
		remount(t, below, "20m")
		failed("writes that are lost", args...)
		bad.unmount()
		remount(t, below, "400m")
		bad.mount()
		if end == "undo" {
			mustForkpoint(t, undo...)
			unchanged("undo after writes that were lost", before)
			bad.unmount()
			bad.make("256M")
			continue
		}
		mustForkpoint(t, args...)
		mustForkpoint(t, "verify", "-D", old.Dir(), "--state-dir", bad.dir+"/state")
	}
	rewound := tree(t, old.Dir())
	logs, err := filepath.Glob(bad.dir + "/state/rewind-*/log")
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	bad.unmount()
	bad.run("cp", "--sparse=always", bad.image, bad.image+".whole")
	bad.cut(logs[0])
	failed("undo without half of the bundle", undo...)
	unchanged("undo that cannot read", rewound)
	bad.unmount()
	bad.run("mv", bad.image+".whole", bad.image)
	bad.mount()
	mustForkpoint(t, undo...)
	unchanged("undo with the bundle whole again", before)
	mustForkpoint(t, args...)
	pair.Rejoin(false)
	pgtest.SameData(pair.Primary, pair.Standby)
}

// badDisk is a file system in a file, on a loop device.
type badDisk struct {
	t                 *testing.T
	below, image, dir string
	loop              string // device; "" while it is not mounted
}

func (d *badDisk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// make makes it anew and mounts it.
func (d *badDisk) make(size string) {
	d.t.Helper()
	d.run("rm", "-f", d.image)
	d.run("truncate", "-s", size, d.image)
	d.run("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal", d.image)
	d.run("mkdir", "-p", d.dir)
	d.mount()
	if err := pgtest.Own(d.dir); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(d.unmount)
}

func (d *badDisk) mount() {
	d.t.Helper()
	exec.Command("e2fsck", "-fy", d.image).Run() // mounting tells whether it helped
	d.attach()
}

// attach mounts it as it is. A loop device says of a write that was done by half
// that it was done, so none may be larger than a page.
func (d *badDisk) attach() {
	d.t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", d.image).Output()
	if err != nil {
		d.t.Fatalf("losetup: %v", err)
	}
	d.loop = strings.TrimSpace(string(out))
	if err := os.WriteFile("/sys/block/"+filepath.Base(d.loop)+"/queue/max_sectors_kb", []byte("4"), 0); err != nil {
		d.t.Fatal(err)
	}
	d.run("mount", d.loop, d.dir)
}

func (d *badDisk) unmount() {
	d.t.Helper()
	if d.loop != "" {
		exec.Command("umount", d.dir).Run() // if it is mounted
		d.run("losetup", "--detach", d.loop)
	}
	d.loop = ""
}

// cut takes the end of the device away under the file system, so much that a
// file cannot be read any more. A copy of the whole is in image.whole.
func (d *badDisk) cut(file string) {
	d.t.Helper()
	info, err := os.Stat(d.image)
	if err != nil {
		d.t.Fatal(err)
	}
	for size := info.Size(); size > 1<<20; size = size / 4 * 3 {
		d.run("cp", "--sparse=always", d.image+".whole", d.image)
		d.attach()
		if err := os.Truncate(d.image, size); err != nil {
			d.t.Fatal(err)
		}
		if out, err := exec.Command("cat", file).CombinedOutput(); err != nil && strings.Contains(string(out), "Input/output error") {
			return
		}
		d.unmount()
	}
	d.t.Fatalf("%s can be read whatever is cut off", file)
}
