//go:build torture

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindUnreadable has the target, and then a stopped source, on a file
// system whose device cannot be read to its end, where a table lies. The run stops
// half-way and says which file; with the device whole again the same command
// finishes, or undo gives back what was there. It needs root and loop devices.
func TestRewindUnreadable(t *testing.T) {
	pair := bulkyPair(t)
	table := pair.Primary.Query("SELECT pg_relation_filepath('t')")[0][0]
	pair.Primary.Stop(pgtest.Fast)
	below := smallDisk(t, "1500m")
	for _, side := range []string{"target", "source"} {
		t.Run(side, func(t *testing.T) {
			bad := &badDisk{t: t, below: below, image: below + "/" + side, dir: filepath.Join(pgtest.Scratch(t), "bad")}
			bad.make("512M")
			dirs := map[string]string{"target": filepath.Join(pgtest.Scratch(t), "data"), "source": pair.Primary.Dir()}
			copies := map[string]string{"target": pair.Old.Dir(), "source": pair.Primary.Dir()}
			dirs[side] = bad.dir + "/data"
			if side == "source" {
				copyDir(t, pair.Old.Dir(), dirs["target"])
			}
			copyDir(t, copies[side], dirs[side])
			bad.moveBack(dirs[side] + "/" + table)
			before := tree(t, dirs["target"])
			state := filepath.Join(pgtest.Scratch(t), "state")
			args := []string{"rewind", "-D", dirs["target"], "--source-pgdata", dirs["source"], "--state-dir", state}
			for _, end := range []string{"undo", "resume"} {
				bad.unmount()
				bad.run("cp", "--sparse=always", bad.image, bad.image+".whole")
				bad.cut(dirs[side] + "/" + table)
				status, out := forkpoint(t, args...)
				t.Logf("status %d: %s", status, out)
				for _, text := range []string{side + ": ", "input/output error", dirs[side] + "/" + table, "--undo"} {
					if status != int(statusInterrupted) || !strings.Contains(out, text) {
						t.Errorf("a device that cannot be read: status %d, want %q: %s", status, text, out)
					}
				}
				bad.heal()
				if end == "undo" {
					mustForkpoint(t, "rewind", "--undo", "-D", dirs["target"], "--state-dir", state)
					if got := changedFiles(before, tree(t, dirs["target"])); len(got) > 0 {
						t.Fatalf("undo changed %q", got)
					}
				}
			}
			mustForkpoint(t, args...)
			mustForkpoint(t, "verify", "-D", dirs["target"], "--state-dir", state)
		})
	}
}

// moveBack writes a file anew, behind the first hundred megabytes of the device.
func (d *badDisk) moveBack(file string) {
	d.t.Helper()
	d.run("dd", "if=/dev/zero", "of="+d.dir+"/filler", "bs=1M", "count=250")
	d.run("cp", "-p", file, file+".new")
	d.run("mv", file+".new", file)
	d.run("rm", d.dir+"/filler")
}

// heal gives the device its end back, with what was written before it.
func (d *badDisk) heal() {
	d.t.Helper()
	d.unmount()
	whole, err := os.Open(d.image + ".whole")
	if err != nil {
		d.t.Fatal(err)
	}
	defer whole.Close() // read only
	image, err := os.OpenFile(d.image, os.O_RDWR, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	at, err := image.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = whole.Seek(at, io.SeekStart)
	}
	if err == nil {
		_, err = io.Copy(image, whole)
	}
	if err := errors.Join(err, image.Close()); err != nil {
		d.t.Fatal(err)
	}
	d.mount()
}
