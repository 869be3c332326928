package journal

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"forkpoint/rewind/target"
	"forkpoint/rewind/target/faultfs"
)

// Many chances take long; one is enough to catch what is simply wrong.
var (
	failures  = flag.Uint64("power-failures", 1, "power failures to try after each operation")
	histories = flag.Uint64("histories", 300, "random histories to try")
	seed      = flag.Uint64("seed", 1, "seed of chance")
)

// newDisk makes the world on a disk in memory, all of it durable.
func newDisk(t *testing.T, w world, label bool) *faultfs.Disk {
	t.Helper()
	d := faultfs.NewDisk()
	for _, dir := range append([]string{w.base}, w.dirs()...) {
		if err := d.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if w.copy {
		d.Mount(w.state())
	}
	w.build(t, d, label)
	d.Flush()
	return d
}

func TestRewindAndUndoOnDisk(t *testing.T) {
	for _, w := range []world{{base: "/w"}, {base: "/w", copy: true}} {
		for _, label := range []bool{false, true} {
			t.Run(fmt.Sprintf("copy=%v,label=%v", w.copy, label), func(t *testing.T) {
				d := newDisk(t, w, label)
				before := w.snapshot(t, d, true)
				if err := w.rewind(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				noTrace(t, "rewind", w.snapshot(t, d, false))
				if err := w.undo(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				sameTree(t, "undo", before, w.snapshot(t, d, true))
			})
		}
	}
}

// TestFailEveryOperation fails operation 0, 1, 2 … of a rewind, by an error, a
// short write, and death. Then the machine may lose power too. After each,
// undo gives the old target and resume gives the new one.
func TestFailEveryOperation(t *testing.T) {
	linked, copied := world{base: "/w"}, world{base: "/w", copy: true}
	tests := []struct {
		name  string
		world world
		mode  faultfs.Mode
	}{
		{"an error", linked, faultfs.Fail},
		{"a short write", copied, faultfs.Short},
		{"death", linked, faultfs.Kill},
		{"death, state directory elsewhere", copied, faultfs.Kill},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.world.failEvery(t, tt.mode)
		})
	}
}

func (w world) failEvery(t *testing.T, mode faultfs.Mode) {
	start := newDisk(t, w, true)
	before := w.snapshot(t, start, true)
	clean := start.Clone()
	if err := w.rewind(t.Context(), clean); err != nil {
		t.Fatal(err)
	}
	after := w.snapshot(t, clean, false)

	step := 1
	if testing.Short() {
		step = 7
	}
	for n := 0; ; n += step {
		d := start.Clone()
		faulty := faultfs.New(d, n, mode)
		err := w.rewind(t.Context(), faulty)
		if faulty.Hit() == "" {
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d operations", n)
			return
		}
		if err != nil && !errors.Is(err, faultfs.ErrFault) {
			t.Fatalf("operation %d, %s: %v", n, faulty.Hit(), err)
		}
		for v, d := range variants(d, mode, uint64(n)) {
			when := fmt.Sprintf("operation %d, %s, variant %d", n, faulty.Hit(), v)
			w.mustRecover(t, when, d, before, after, rand.New(rand.NewPCG(*seed, uint64(n)<<16|uint64(v))))
		}
	}
}

// variants are the disks that a failed process may leave: as it stands, and
// after power failures.
func variants(d *faultfs.Disk, mode faultfs.Mode, n uint64) []*faultfs.Disk {
	list := []*faultfs.Disk{d}
	if mode == faultfs.Kill {
		for i := range *failures {
			list = append(list, d.Crash(rand.New(rand.NewPCG(*seed, n<<16|i))))
		}
	}
	return list
}

// mustRecover undoes and resumes copies of a disk, also with a second death
// and power failure on the way.
func (w world) mustRecover(t *testing.T, when string, d *faultfs.Disk, before, after map[string]string, chance *rand.Rand) {
	t.Helper()
	undone := d.Clone()
	if err := w.undo(t.Context(), undone); err != nil {
		t.Fatalf("%s: undo: %v", when, err)
	}
	tree := w.snapshot(t, undone, true)
	sameTree(t, when+": undo", before, tree)
	noTrace(t, when+": undo", tree)
	lost := undone.Crash(chance)
	sameTree(t, when+": undo and power failure", before, w.snapshot(t, lost, true))

	resumed := d.Clone()
	if err := w.rewind(t.Context(), resumed); err != nil {
		t.Fatalf("%s: resume: %v", when, err)
	}
	sameTree(t, when+": resume", after, w.snapshot(t, resumed, false))
	lost = resumed.Crash(chance)
	sameTree(t, when+": resume and power failure", after, w.snapshot(t, lost, false))

	// Killed once more, in the resumed rewind or in the undo, then undone.
	for i, run := range []func(fsys target.FS) error{
		func(fsys target.FS) error { return w.rewind(t.Context(), fsys) },
		func(fsys target.FS) error { return w.undo(t.Context(), fsys) },
	} {
		again := d.Clone()
		faulty := faultfs.New(again, chance.IntN(400), faultfs.Kill)
		run(faulty) // its error is the one we made
		if chance.IntN(2) == 0 {
			again = again.Crash(chance)
		}
		if err := w.undo(t.Context(), again); err != nil {
			t.Fatalf("%s: killed again in %d at %q: undo: %v", when, i, faulty.Hit(), err)
		}
		when := fmt.Sprintf("%s: killed again in %d at %q: undo", when, i, faulty.Hit())
		sameTree(t, when, before, w.snapshot(t, again, true))
		sameTree(t, when+" and power failure", before, w.snapshot(t, again.Crash(chance), true))
	}
}
