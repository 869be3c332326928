package journal

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
	"forkpoint/rewind/target/faultfs"
)

// TestRandomEditsAreUndone makes edits that no plan would make, dies, goes on
// with other edits, dies again, loses power now and then, and undoes it all.
func TestRandomEditsAreUndone(t *testing.T) {
	count := *histories
	if testing.Short() {
		count /= 5
	}
	for n := range count {
		chance := rand.New(rand.NewPCG(*seed, n))
		w := world{base: "/w", copy: chance.IntN(2) == 0}
		d := newDisk(t, w, chance.IntN(2) == 0)
		before := w.snapshot(t, d, true)
		var story string
		for range 1 + chance.IntN(3) {
			faulty := faultfs.New(d, chance.IntN(300), faultfs.Mode(chance.IntN(3)))
			err := w.edits(t, faulty, chance)
			story += fmt.Sprintf("%v (%s); ", err, faulty.Hit())
			if chance.IntN(2) == 0 {
				d = d.Crash(chance)
			}
		}
		if chance.IntN(2) == 0 {
			w.undo(t.Context(), faultfs.New(d, chance.IntN(200), faultfs.Kill)) // its error is the one we made
			if chance.IntN(2) == 0 {
				d = d.Crash(chance)
			}
		}
		if err := w.undo(t.Context(), d); err != nil {
			t.Fatalf("history %d: %s: undo: %v", n, story, err)
		}
		when := fmt.Sprintf("history %d: %sundo", n, story)
		sameTree(t, when, before, w.snapshot(t, d, true))
		sameTree(t, when+" and power failure", before, w.snapshot(t, d.Crash(chance), true))
	}
}

// edits makes random changes by way of the journal that is there, or a new one.
func (w world) edits(t *testing.T, fsys target.FS, chance *rand.Rand) error {
	tgt, err := target.Open(w.data(), target.Options{FS: fsys, Workers: 1, OpenFiles: 2})
	if err != nil {
		return err
	}
	defer tgt.Close()
	j, err := w.journal(fsys)
	if err != nil {
		return err
	}
	if j == nil {
		if j, err = Create(fsys, w.state(), Header{Target: w.data(), Undo: true}, nil, Options{Plain: true}); err != nil {
			return err
		}
	}
	defer j.Close()
	j.log.limit = 2 * block
	e := NewEditor(j, tgt)
	e.maxEdits = 1 + chance.IntN(6)
	if err := e.Bar(t.Context(), "text\n"); err != nil {
		return err
	}
	for i := range 25 {
		if err := randomEdit(e, chance); err != nil {
			return err
		}
		if i%10 == 9 {
			if err := e.Mark(t.Context(), Mark{Action: uint64(i)}); err != nil {
				return err
			}
		}
	}
	if chance.IntN(3) > 0 {
		return e.Flush()
	}
	if err := e.Replace(target.ControlFile, newControl, 0); err != nil {
		return err
	}
	return e.Finish(t.Context(), newLabel)
}

var someNames = []string{
	"base/1/100", "base/1/200", "base/1/300", "base/1/700", "base/2/100", "base/2/PG_VERSION", "base/2", "base/3", "base/3/1",
	"postgresql.auto.conf", "becomes_file/inner", "becomes_file", "base/1/becomes_dir", "base/1/becomes_dir/x", "log",
	"pg_wal/000000010000000000000001", "pg_wal/new", "pg_tblspc/16401/PG_17/1", "pg_tblspc/16401/PG_17/2",
	"pg_tblspc/16402/PG_17/1", "pg_tblspc/16402/PG_17", "pg_tblspc/16402", target.ControlFile, "tablespace_map",
}

// randomWindow writes somewhere, mostly where the old bytes were saved.
func randomWindow(e *Editor, name string, chance *rand.Rand) error {
	w := e.Window()
	for range chance.IntN(3) {
		if err := w.Save(name, int64(chance.IntN(6*block)), int64(chance.IntN(4*block))); err != nil {
			return err
		}
	}
	if err := w.Commit(); err != nil {
		return err
	}
	for range 1 + chance.IntN(3) {
		if err := w.WriteAt(name, int64(chance.IntN(6*block)), page(byte(chance.IntN(256)), chance.IntN(2*block))); err != nil {
			return err
		}
	}
	return nil
}

// randomEdit picks an edit that can be made: the queue is emptied before, so
// that what is there decides.
func randomEdit(e *Editor, chance *rand.Rand) error {
	name := someNames[chance.IntN(len(someNames))]
	if chance.IntN(2) == 0 {
		if err := e.Flush(); err != nil {
			return err
		}
	} else if len(e.queue) > 0 {
		name = someNames[chance.IntN(2)] // only these, which every state has
		if chance.IntN(3) == 0 {
			return randomWindow(e, name, chance)
		}
		return e.WriteAt(name, int64(chance.IntN(6*block)), page(byte(chance.IntN(256)), chance.IntN(2*block)))
	}
	is := Absent
	empty := true
	if info, err := e.t.Stat(name); err == nil {
		switch {
		case info.IsDir():
			is = Directory
			names, err := e.j.fs.ReadDir(e.t.Dir() + "/" + name)
			empty = err == nil && len(names) == 0
		case info.Mode()&fs.ModeSymlink != 0:
			is = Symlink
		default:
			is = Regular
		}
	}
	seedByte, off, length := byte(chance.IntN(256)), int64(chance.IntN(6*block)), chance.IntN(3*block)
	inPlace := name == "base/1/100" || name == "base/1/200" // never removed, see above
	switch {
	case name == target.ControlFile:
		return e.Replace(name, page(seedByte, block), 0)
	case is == Regular && chance.IntN(3) == 0:
		return e.WriteAt(name, off, page(seedByte, length))
	case is == Regular && chance.IntN(3) == 0:
		return e.Truncate(name, off)
	case is == Regular && chance.IntN(3) == 0:
		return e.Replace(name, page(seedByte, length), 0o640)
	case is == Regular && chance.IntN(3) == 0:
		return e.Chmod(name, 0o640)
	case is == Regular && !inPlace && chance.IntN(2) == 0:
		return e.Create(name, 0)
	case is == Regular && inPlace, is == Directory && !empty, name == "pg_tblspc/16402" && is == Symlink && !emptyTablespace(e):
		return nil
	case is != Absent:
		return e.Remove(name)
	case !parentIsDir(e, name), name == "pg_tblspc/16402":
		return nil
	case chance.IntN(3) == 0:
		return e.Mkdir(name, 0)
	case chance.IntN(5) == 0:
		return e.Symlink("/nowhere", name)
	}
	return e.Create(name, 0)
}

func emptyTablespace(e *Editor) bool {
	_, err := e.t.Stat("pg_tblspc/16402/PG_17")
	return err != nil
}

func parentIsDir(e *Editor, name string) bool {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '/' {
			info, err := e.t.Stat(name[:i])
			return err == nil && (info.IsDir() || target.Mountable(name[:i]) && info.Mode()&fs.ModeSymlink != 0)
		}
	}
	return true
}

// TestRemovalThatACrashTookBack: the removed file is kept, but its old name is
// there again too. Another plan may then write to it.
func TestRemovalThatACrashTookBack(t *testing.T) {
	b := newBench(t, Header{Undo: true}, true)
	before := b.snapshot(t, b.disk, true)
	e := b.bar(t)
	if err := e.Remove("base/1/400"); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.disk.Link(b.j.KeptFile(1), b.data()+"/base/1/400"); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	e = b.bar(t)
	if err := e.WriteAt("base/1/400", block, page(70, block)); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	if err := b.undo(t); err != nil {
		t.Fatal(err)
	}
	sameTree(t, "undo", before, b.snapshot(t, b.disk, true))
}

// TestControlFileIsNotedWhole fails each operation of a replacement of the
// control file that does not fit into one batch by its size.
func TestControlFileIsNotedWhole(t *testing.T) {
	for n := 0; ; n++ {
		w := world{base: "/w"}
		d := newDisk(t, w, true)
		before := w.snapshot(t, d, true)
		faulty := faultfs.New(d, n, faultfs.Fail)
		err := func() error {
			tgt, err := target.Open(w.data(), target.Options{FS: faulty})
			if err != nil {
				return err
			}
			defer tgt.Close()
			j, err := Create(faulty, w.state(), Header{Target: w.data(), Undo: true}, nil, Options{Plain: true})
			if err != nil {
				return err
			}
			defer j.Close()
			j.log.limit = 1
			e := NewEditor(j, tgt)
			if err := e.Bar(t.Context(), ""); err != nil {
				return err
			}
			if err := e.Replace(target.ControlFile, newControl, 0); err != nil {
				return err
			}
			return e.Flush()
		}()
		if err := w.undo(t.Context(), d); err != nil {
			t.Fatalf("operation %d, %s: undo: %v", n, faulty.Hit(), err)
		}
		sameTree(t, "undo after "+faulty.Hit(), before, w.snapshot(t, d, true))
		if err == nil {
			return
		}
	}
}

// TestListByTime: names of journals of the same second tell nothing of their
// order.
func TestListByTime(t *testing.T) {
	w := world{base: "/w"}
	d := newDisk(t, w, false)
	at := time.Unix(1_700_000_000, 0)
	ids := []string{"20231114T221320Z-ffffff", "20231114T221320Z-000000", "20231114T221320Z-888888"}
	for i, id := range ids {
		j, err := Create(d, w.state(), Header{ID: id, Started: at.Add(time.Duration(i) * time.Millisecond), Target: w.data()}, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		j.Close()
	}
	list, err := List(d, w.state())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.Header.ID)
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
}
