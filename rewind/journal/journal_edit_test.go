package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/rewind/target"
	"forkpoint/rewind/target/faultfs"
)

// TestLabelTakenAwayWithoutHarm: somebody removed the label, but no server got
// far enough to write the control file.
func TestLabelTakenAwayWithoutHarm(t *testing.T) {
	b := newBench(t, Header{Undo: true}, true)
	before := b.snapshot(t, b.disk, true)
	e := b.bar(t)
	if err := e.WriteAt("base/1/100", 0, page(80, block)); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.t.Unbar(nil, 0); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	b.bar(t)
	if barred, err := b.t.Barred(); err != nil || !barred {
		t.Fatal(barred, err)
	}
	b.reopen(t)
	if err := b.undo(t); err != nil {
		t.Fatal(err)
	}
	sameTree(t, "undo", before, b.snapshot(t, b.disk, true))
}

// TestUndoAfterFinish gives everything back though the rewind was done.
func TestUndoAfterFinish(t *testing.T) {
	b := newBench(t, Header{Undo: true}, false)
	before := b.snapshot(t, b.disk, true)
	if err := b.j.fs.(*faultfs.Disk).Remove(b.j.Dir() + "/header.json"); err != nil {
		t.Fatal(err)
	}
	b.t.Close()
	if err := b.rewind(t.Context(), b.disk); err != nil {
		t.Fatal(err)
	}
	list, err := List(b.disk, b.state())
	if err != nil || len(list) != 1 || list[0].Stage != Done || list[0].Unfinished() {
		t.Fatal(list, err)
	}
	for range 2 { // the second time there is nothing left to do
		if err := b.world.undo(t.Context(), b.disk); err != nil {
			t.Fatal(err)
		}
		sameTree(t, "undo", before, b.snapshot(t, b.disk, true))
	}
}

// TestOnlyTheLabelChanged: the process died right after it barred the target.
// That can be taken back even where old bytes are not kept.
func TestOnlyTheLabelChanged(t *testing.T) {
	for _, keep := range []bool{false, true} {
		b := newBench(t, Header{Undo: keep}, true)
		before := b.snapshot(t, b.disk, true)
		b.bar(t) // the stage is noted with the next batch, which does not come
		b.reopen(t)
		if b.j.Stage() != Opened {
			t.Fatal(b.j.Stage())
		}
		if stage, err := b.j.Settle(b.t); err != nil || stage != Barred {
			t.Fatal(stage, err)
		}
		if err := b.undo(t); err != nil {
			t.Fatal(err)
		}
		sameTree(t, "undo", before, b.snapshot(t, b.disk, true))
	}
}

func TestUndoStopsWhenAsked(t *testing.T) {
	b := newBench(t, Header{Undo: true}, true)
	e := b.bar(t)
	if err := e.Remove("base/1/400"); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	if err := Undo(ctx, b.j, b.t, UndoOptions{}); !errors.Is(err, why) {
		t.Fatal(err)
	}
}

// TestEstimateIsEnough holds the prediction against the log of a rewind.
func TestEstimateIsEnough(t *testing.T) {
	w := world{base: "/w", copy: true}
	d := newDisk(t, w, true)
	if err := w.rewind(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	j, err := w.journal(d)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var e Estimate
	for name, was := range j.Origins() {
		e.Names++
		e.NameBytes += int64(len(name))
		_ = was
	}
	for name := range j.KeptFiles() {
		e.KeptBytes += j.index.origins[name].was.Size
	}
	for entry, err := range j.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Kind == KindImage {
			e.Ranges++
			e.RangeBytes += int64(len(entry.Bytes))
		}
	}
	used := treeSize(t, d, j.Dir())
	if e.Bytes() < used {
		t.Fatalf("estimated %d, used %d", e.Bytes(), used)
	}
	if e.Bytes() > 3*used+reserveSize {
		t.Errorf("estimated %d for %d", e.Bytes(), used)
	}
}

func treeSize(t *testing.T, fsys target.FS, dir string) (sum int64) {
	t.Helper()
	names, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		info, err := fsys.Lstat(dir + "/" + n)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			sum += treeSize(t, fsys, dir+"/"+n)
		}
		sum += info.Size()
	}
	return sum
}

func TestMakeStateDir(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "a/b/state")
	for range 2 {
		if err := MakeStateDir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeStateDir(file, 0o700); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Fatal(err)
	}
	roots := target.NewRoots()
	defer roots.Close()
	if list, err := List(roots, filepath.Join(base, "missing")); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
}

// TestOnRealFiles does on the real file system what the others do in memory.
func TestOnRealFiles(t *testing.T) {
	for _, n := range []int{-1, 20, 60, 100, 140, 180, 220, 260, 300} {
		w := world{base: t.TempDir()}
		for _, dir := range w.dirs() {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		roots := target.NewRoots()
		w.build(t, roots, true)
		before := w.snapshot(t, roots, true)
		faulty := faultfs.New(roots, n, faultfs.Kill)
		err := w.rewind(t.Context(), faulty)
		if err != nil && faulty.Hit() == "" {
			t.Fatalf("operation %d, %q: %v", n, faulty.Hit(), err)
		}
		roots.Close() // the locks of a dead process

		roots = target.NewRoots()
		for _, dir := range w.dirs() {
			if err := roots.Declare(dir); err != nil {
				t.Fatal(err)
			}
		}
		if n%40 == 0 {
			if err := w.rewind(t.Context(), roots); err != nil {
				t.Fatalf("operation %d, %q: resume: %v", n, faulty.Hit(), err)
			}
		}
		if err := w.undo(t.Context(), roots); err != nil {
			t.Fatalf("operation %d, %q: undo: %v", n, faulty.Hit(), err)
		}
		after := w.snapshot(t, roots, true)
		sameTree(t, "undo after "+faulty.Hit(), before, after)
		noTrace(t, "undo", after)
		roots.Close()
	}
}
