package journal

import (
	"errors"
	"os"
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
