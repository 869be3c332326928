package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
	"forkpoint/rewind/target/faultfs"
)

// bench is a world on a disk in memory, opened.
type bench struct {
	world
	disk *faultfs.Disk
	t    *target.Target
	j    *Journal
}

func newBench(t *testing.T, h Header, label bool) *bench {
	t.Helper()
	b := &bench{world: world{base: "/w"}}
	b.disk = newDisk(t, b.world, label)
	var err error
	if b.t, err = target.Open(b.data(), target.Options{FS: b.disk}); err != nil {
		t.Fatal(err)
	}
	h.Target = b.data()
	if b.j, err = Create(b.disk, b.state(), h, []byte("the plan"), Options{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// reopen is the next process.
func (b *bench) reopen(t *testing.T) {
	t.Helper()
	b.t.Close()
	b.j.Close()
	var err error
	if b.t, err = target.Open(b.data(), target.Options{FS: b.disk}); err != nil {
		t.Fatal(err)
	}
	if b.j, err = Open(b.disk, b.j.Dir(), Options{}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) bar(t *testing.T) *Editor {
	t.Helper()
	e := NewEditor(b.j, b.t)
	if err := e.Bar(t.Context(), "text\n"); err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *bench) undo(t *testing.T) error {
	return Undo(t.Context(), b.j, b.t, UndoOptions{})
}

func (b *bench) put(t *testing.T, name string, text string) {
	t.Helper()
	if err := b.t.Replace(name, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

func TestJournalKeepsWhatItIsTold(t *testing.T) {
	b := newBench(t, Header{SystemID: 1 << 63, Source: "host=a", Fork: 0x1000, ForkTimeline: 3, Undo: true}, true)
	e := b.bar(t)
	if err := b.j.Phase("copy", false); err != nil {
		t.Fatal(err)
	}
	if err := b.j.Phase("copy", true); err != nil {
		t.Fatal(err)
	}
	if err := e.Mark(t.Context(), Mark{Action: 7, Offset: 8, Note: []byte("n")}); err != nil {
		t.Fatal(err)
	}
	if err := e.Remove("base/1/400"); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	header := b.j.Header()
	b.reopen(t)

	if diff := cmp.Diff(header, b.j.Header()); diff != "" {
		t.Error(diff)
	}
	if plan, err := b.j.Plan(); err != nil || string(plan) != "the plan" {
		t.Errorf("plan %q, %v", plan, err)
	}
	if m, is := b.j.LastMark(); !is || m.Action != 7 || m.Offset != 8 || string(m.Note) != "n" {
		t.Errorf("mark %+v, %v", m, is)
	}
	if diff := cmp.Diff([]string{"copy"}, b.j.Phases()); diff != "" {
		t.Error(diff)
	}
	if b.j.Stage() != Barred {
		t.Errorf("stage %s", b.j.Stage())
	}
	var names []string
	for name := range b.j.Origins() {
		names = append(names, name)
	}
	if diff := cmp.Diff([]string{"backup_label", "base/1/400"}, names); diff != "" {
		t.Error(diff)
	}
	for name, n := range b.j.KeptFiles() {
		if name != "base/1/400" || n != 1 {
			t.Errorf("kept %s as %d", name, n)
		}
	}
	list, err := List(b.disk, b.state())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if s := list[0]; s.Stage != Barred || s.Size != b.j.Size() || s.Dir != b.j.Dir() || !s.Unfinished() {
		t.Errorf("summary %+v", s)
	}
	kinds := make(map[Kind]int)
	for entry, err := range b.j.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		kinds[entry.Kind]++
	}
	want := map[Kind]int{KindOrigin: 2, KindImage: 1, KindKept: 1, KindStage: 1, KindPhase: 2, KindMark: 1}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestReaderChangesNothing(t *testing.T) {
	b := newBench(t, Header{Undo: true}, true)
	b.bar(t)
	r, err := OpenReader(b.disk, b.j.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Phase("copy", true); err == nil {
		t.Fatal("a reader took an entry")
	}
}

func TestPlanIsCheckedAgainstItsDigest(t *testing.T) {
	b := newBench(t, Header{}, true)
	f, err := b.disk.OpenFile(b.j.Dir()+"/plan", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("T"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.j.Plan(); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("Plan = %v", err)
	}
}

// TestRefusals puts the target into states that a rewind must not go on from.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, b *bench) error
		want error
	}{
		{"change before the bar", func(t *testing.T, b *bench) error {
			return NewEditor(b.j, b.t).Remove("base/1/400")
		}, nil},
		{"barred by a rewind that is not in the journal", func(t *testing.T, b *bench) error {
			b.bar(t)
			j, err := Create(b.disk, b.state(), Header{Undo: true}, nil, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return NewEditor(j, b.t).Bar(t.Context(), "")
		}, ErrForeign},
		{"label taken away and a server run", func(t *testing.T, b *bench) error {
			e := b.bar(t)
			if err := e.Mark(t.Context(), Mark{}); err != nil {
				t.Fatal(err)
			}
			b.put(t, target.ControlFile, "a server wrote this")
			if err := b.t.Unbar(nil, 0); err != nil {
				t.Fatal(err)
			}
			b.reopen(t)
			if err := b.undo(t); !errors.Is(err, ErrNotBarred) {
				t.Fatalf("undo: %v", err)
			}
			return NewEditor(b.j, b.t).Bar(t.Context(), "")
		}, ErrNotBarred},
		{"undo after a server has run", func(t *testing.T, b *bench) error {
			e := b.bar(t)
			if err := e.Finish(t.Context(), newLabel); err != nil {
				t.Fatal(err)
			}
			b.put(t, target.ControlFile, "a server wrote this")
			return b.undo(t)
		}, ErrStarted},
		{"undo without old bytes", func(t *testing.T, b *bench) error {
			b.j.header.Undo = false
			e := b.bar(t)
			if err := e.Remove("base/1/400"); err != nil {
				t.Fatal(err)
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			return b.undo(t)
		}, ErrNoImages},
		{"undo with a kept file lost", func(t *testing.T, b *bench) error {
			e := b.bar(t)
			if err := e.Remove("base/1/400"); err != nil {
				t.Fatal(err)
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := b.disk.Remove(b.j.KeptFile(1)); err != nil {
				t.Fatal(err)
			}
			return b.undo(t)
		}, ErrLost},
		{"change after the undo", func(t *testing.T, b *bench) error {
			e := b.bar(t)
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := b.undo(t); err != nil {
				t.Fatal(err)
			}
			return NewEditor(b.j, b.t).Bar(t.Context(), "")
		}, nil},
		{"the label changed as a file", func(t *testing.T, b *bench) error {
			return b.bar(t).Remove(target.LabelFile)
		}, nil},
		{"tablespace led elsewhere", func(t *testing.T, b *bench) error {
			e := b.bar(t)
			if err := e.Remove("pg_tblspc/16402"); err != nil {
				t.Fatal(err)
			}
			return e.Symlink("/w/spc3", "pg_tblspc/16402")
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Header{Undo: true}, true)
			err := tt.run(t, b)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v; want %v", err, tt.want)
			}
		})
	}
}

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
