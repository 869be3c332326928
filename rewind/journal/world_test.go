package journal

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
)

// world is a place with a data directory, two trees linked into it, and a
// state directory.
type world struct {
	base string
	copy bool // the state directory is on a file system of its own
}

func (w world) data() string  { return w.base + "/data" }
func (w world) state() string { return w.base + "/state" }

// dirs are all directories that must exist and be declared before the world is built.
func (w world) dirs() []string {
	return []string{w.data(), w.state(), w.base + "/wal", w.base + "/spc1", w.base + "/spc2", w.base + "/spc3"}
}

func page(seed byte, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

const block = 512

// build makes the target as it is before a rewind.
func (w world) build(t *testing.T, fsys target.FS, label bool) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := time.Unix(1_600_000_000, 123456789)
	put := func(name string, data []byte, mode fs.FileMode) {
		t.Helper()
		f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		must(err)
		_, err = f.WriteAt(data, 0)
		must(err)
		must(f.Close())
		must(fsys.Chmod(name, mode))
		at = at.Add(time.Hour)
		must(fsys.Chtimes(name, at))
	}
	for _, d := range w.dirs() {
		must(fsys.Declare(d))
	}
	d := w.data()
	for _, name := range []string{"global", "base", "base/1", "base/2", "pg_tblspc", "conf.d"} {
		must(fsys.Mkdir(d+"/"+name, 0o700))
	}
	put(d+"/PG_VERSION", []byte("17\n"), 0o600)
	put(d+"/global/pg_control", page(1, 1024), 0o600)
	if label {
		put(d+"/backup_label", []byte("START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n"), 0o640)
	}
	put(d+"/base/1/100", page(2, 8*block), 0o600)
	put(d+"/base/1/200", page(3, 10*block), 0o600)
	put(d+"/base/1/300", page(4, 2*block), 0o600)
	put(d+"/base/1/400", page(5, 3*block), 0o600)
	put(d+"/base/1/500", page(6, 3*block), 0o640)
	put(d+"/base/1/600", page(7, 4*block), 0o600)
	put(d+"/base/1/700", nil, 0o600)
	put(d+"/base/1/800", page(14, 10*block), 0o600)
	put(d+"/base/1/becomes_dir", page(8, 100), 0o600)
	put(d+"/base/2/100", page(9, block), 0o600)
	put(d+"/base/2/PG_VERSION", []byte("17\n"), 0o600)
	put(d+"/postgresql.conf", []byte("port = 1\n"), 0o600)
	put(d+"/postgresql.auto.conf", []byte("x = 1\n"), 0o400)
	must(fsys.Mkdir(d+"/becomes_file", 0o750))
	put(d+"/becomes_file/inner", []byte("inner"), 0o600)
	must(fsys.Symlink("/var/log/postgresql", d+"/log"))
	must(fsys.Symlink(w.base+"/wal", d+"/pg_wal"))
	put(w.base+"/wal/000000010000000000000001", page(10, 4*block), 0o600)
	put(w.base+"/wal/000000010000000000000002", page(11, 4*block), 0o600)
	must(fsys.Symlink(w.base+"/spc1", d+"/pg_tblspc/16401"))
	must(fsys.Mkdir(w.base+"/spc1/PG_17", 0o700))
	put(w.base+"/spc1/PG_17/1", page(12, 4*block), 0o600)
	must(fsys.Symlink(w.base+"/spc2", d+"/pg_tblspc/16402"))
	must(fsys.Mkdir(w.base+"/spc2/PG_17", 0o700))
	put(w.base+"/spc2/PG_17/1", page(13, 2*block), 0o600)
}

// actions of the rewind in these tests. Each can be repeated.
func (w world) actions() []func(e *Editor) error {
	several := func(do ...func(e *Editor) error) func(e *Editor) error {
		return func(e *Editor) error {
			for _, f := range do {
				if err := f(e); err != nil {
					return err
				}
			}
			return nil
		}
	}
	write := func(name string, off int64, seed byte, n int) func(e *Editor) error {
		return func(e *Editor) error { return e.WriteAt(name, off, page(seed, n)) }
	}
	remove := func(name string) func(e *Editor) error {
		return func(e *Editor) error { return e.Remove(name) }
	}
	create := func(name string, mode fs.FileMode) func(e *Editor) error {
		return func(e *Editor) error { return e.Create(name, mode) }
	}
	return []func(e *Editor) error{
		several(write("base/1/100", 0, 50, block), write("base/1/100", 3*block, 51, 2*block), write("base/1/100", 7*block, 52, 3*block)),
		func(e *Editor) error { return e.Truncate("base/1/200", 4*block) },
		several(write("base/1/300", block, 53, 3*block), write("base/1/200", 2*block, 54, block)),
		several(func(e *Editor) error { return e.Mkdir("base/3", 0) }, create("base/3/1", 0), write("base/3/1", 0, 55, 2*block)),
		remove("base/1/400"),
		several(create("base/1/500", 0), write("base/1/500", 0, 56, 5*block)),
		// changed in place, then removed, then made anew by actions of their own
		func(e *Editor) error {
			if o := e.j.index.origins["base/1/600"]; o != nil && o.kept != 0 {
				return nil // repeated: it may be gone by now
			}
			return e.WriteAt("base/1/600", block, page(57, block))
		},
		remove("base/1/600"),
		several(create("base/1/600", 0), write("base/1/600", 0, 58, block)),
		func(e *Editor) error { return e.Replace("postgresql.conf", []byte("port = 2\n"), 0) },
		func(e *Editor) error { return e.Replace("postgresql.auto.conf", []byte("much longer = 2\n"), 0o400) },
		func(e *Editor) error { return e.Replace("conf.d/new.conf", []byte("y = 1\n"), 0) },
		several(remove("base/2/100"), remove("base/2/PG_VERSION"), remove("base/2")),
		several(remove("becomes_file/inner"), remove("becomes_file"), create("becomes_file", 0)),
		several(remove("base/1/becomes_dir"), func(e *Editor) error { return e.Mkdir("base/1/becomes_dir", 0) },
			create("base/1/becomes_dir/inner", 0)),
		remove("log"),
		several(write("base/1/700", 0, 59, 10), func(e *Editor) error { return e.Chmod("base/1/700", 0o640) }),
		several(remove("pg_wal/000000010000000000000002"), create("pg_wal/000000020000000000000002", 0),
			write("pg_wal/000000020000000000000002", 0, 60, 2*block)),
		write("pg_tblspc/16401/PG_17/1", 2*block, 61, block),
		several(remove("pg_tblspc/16402/PG_17/1"), remove("pg_tblspc/16402/PG_17"), remove("pg_tblspc/16402")),
		func(e *Editor) error { return e.Symlink(w.base+"/spc3", "pg_tblspc/16403") },
		several(func(e *Editor) error { return e.Mkdir("pg_tblspc/16403/PG_17", 0) },
			create("pg_tblspc/16403/PG_17/1", 0), write("pg_tblspc/16403/PG_17/1", 0, 62, block)),
		remove("never_was_there"),
		throughWindow,
	}
}

// throughWindow changes a file inside, beyond and beside what it saved before.
func throughWindow(e *Editor) error {
	const name = "base/1/800"
	w := e.Window()
	steps := []func() error{
		func() error { return w.Save(name, 0, 2*block) },
		func() error { return w.Save(name, 4*block, 3*block) },
		func() error { return w.Save(name, 7*block, ToEnd) },
		w.Commit,
		func() error { return w.WriteAt(name, 0, page(70, 2*block)) },
		func() error { return w.WriteAt(name, 3*block, page(71, block)) },
		func() error { return w.WriteAt(name, 5*block, page(72, 9*block)) },
		func() error { return w.Truncate(name, 12*block) },
		func() error { return w.WriteAt(name, block, page(73, block)) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

var (
	newControl = page(99, 1024)
	newLabel   = []byte("START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\nBACKUP METHOD: pg_rewind\n")
)

// rewind runs or resumes the rewind: the journal that is there is gone on with.
func (w world) rewind(ctx context.Context, fsys target.FS) (err error) {
	t, err := target.Open(w.data(), target.Options{FS: fsys, Workers: 1, OpenFiles: 3})
	if err != nil {
		return err
	}
	defer t.Close()
	j, err := w.journal(fsys)
	if err != nil {
		return err
	}
	if j == nil {
		j, err = Create(fsys, w.state(), Header{Target: w.data(), Undo: true}, []byte("plan"), Options{Plain: w.copy})
		if err != nil {
			return err
		}
	}
	defer j.Close()
	j.log.limit = 3 * block // several batches
	if stage, err := j.Settle(t); err != nil || stage == Done {
		return err
	}
	e := NewEditor(j, t)
	e.maxBytes, e.maxEdits = 4*block, 5
	if err := e.Bar(ctx, "run forkpoint rewind --resume\n"); err != nil {
		return err
	}
	from := 0
	if m, is := j.LastMark(); is {
		from = int(m.Action) + 1
	}
	for i, do := range w.actions() {
		if i < from {
			continue
		}
		if err := do(e); err != nil {
			return err
		}
		if i%4 == 3 {
			if err := e.Mark(ctx, Mark{Action: uint64(i)}); err != nil {
				return err
			}
		}
	}
	if err := e.Replace(target.ControlFile, newControl, 0); err != nil {
		return err
	}
	return e.Finish(ctx, newLabel)
}

// journal opens the journal of the world; nil if there is none.
func (w world) journal(fsys target.FS) (*Journal, error) {
	list, err := List(fsys, w.state())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if len(list) > 1 {
		return nil, fmt.Errorf("%d journals", len(list))
	}
	return Open(fsys, list[0].Dir, Options{Plain: w.copy})
}

func (w world) undo(ctx context.Context, fsys target.FS) (err error) {
	t, err := target.Open(w.data(), target.Options{FS: fsys, Workers: 1, OpenFiles: 3})
	if err != nil {
		return err
	}
	defer t.Close()
	j, err := w.journal(fsys)
	if err != nil || j == nil {
		return err
	}
	defer j.Close()
	return Undo(ctx, j, t, UndoOptions{Text: "run forkpoint rewind --undo\n"})
}

// snapshot describes everything below the directories of a target, by path.
func (w world) snapshot(t *testing.T, fsys target.FS, times bool) map[string]string {
	t.Helper()
	out := make(map[string]string)
	var walk func(name string)
	walk = func(name string) {
		info, err := fsys.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(w.base, name)
		text := info.Mode().String()
		switch {
		case info.IsDir():
			names, err := fsys.ReadDir(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if n != target.LockFile {
					walk(name + "/" + n)
				}
			}
		case info.Mode()&fs.ModeSymlink != 0:
			dest, err := fsys.Readlink(name)
			if err != nil {
				t.Fatal(err)
			}
			text += " " + dest
		default:
			b, err := readFile(fsys, name, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf(" %d bytes %x", len(b), digest(b))
			if times {
				text += " " + info.ModTime().UTC().String()
			}
		}
		out[rel] = text
	}
	for _, d := range w.dirs() {
		if d != w.state() {
			walk(d)
		}
	}
	return out
}

func digest(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func sameTree(t *testing.T, when string, want, got map[string]string) {
	t.Helper()
	if maps.Equal(want, got) {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: (-want +got)\n%s", when, diff)
	}
}

// noTrace checks that nothing of ours is left in the target.
func noTrace(t *testing.T, when string, tree map[string]string) {
	t.Helper()
	for name := range tree {
		if strings.Contains(name, target.TempPrefix) || bytes.HasSuffix([]byte(name), []byte(".pid")) {
			t.Fatalf("%s: %s is left", when, name)
		}
	}
}
