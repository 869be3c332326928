package faultfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
)

// TestDiskActsLikeFiles does the same at random on a disk in memory and on
// real files, and compares what each call says and what is there afterwards.
func TestDiskActsLikeFiles(t *testing.T) {
	for n := range uint64(40) {
		chance := rand.New(rand.NewPCG(1, n))
		base := t.TempDir()
		roots := target.NewRoots()
		disk := NewDisk()
		for _, part := range parts(base) {
			if err := disk.Mkdir(part, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []target.FS{roots, disk} {
			if err := f.Declare(base); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 150 {
			op := randomOp(base, chance)
			if on, in := op.run(roots), op.run(disk); on != in {
				t.Fatalf("history %d, step %d: %s: on files %s, in memory %s", n, i, op.text, on, in)
			}
		}
		if diff := cmp.Diff(tree(t, roots, base), tree(t, disk, base)); diff != "" {
			t.Fatalf("history %d: (-files +memory)\n%s", n, diff)
		}
		roots.Close()
	}
}

// parts are the directories on the way to dir, and dir.
func parts(dir string) (list []string) {
	for i := 1; i < len(dir); i++ {
		if dir[i] == '/' {
			list = append(list, dir[:i])
		}
	}
	return append(list, dir)
}

type op struct {
	text string
	run  func(f target.FS) string // what it said, in short
}

func randomOp(base string, chance *rand.Rand) op {
	names := []string{"/a", "/b", "/d", "/d/a", "/d/b", "/d/e", "/d/e/a"}
	name := base + names[chance.IntN(len(names))]
	other := name[:strings.LastIndex(name, "/")] + "/" + string("abcde"[chance.IntN(5)])
	far := base + names[chance.IntN(len(names))]
	off, size, flag := int64(chance.IntN(100)), chance.IntN(2000), []int{0, os.O_CREATE, os.O_CREATE | os.O_TRUNC, os.O_CREATE | os.O_EXCL}[chance.IntN(4)]
	ops := []op{
		{"write " + name, func(f target.FS) string {
			file, err := f.OpenFile(name, os.O_RDWR|flag, 0o600)
			if err != nil {
				return verdict(err)
			}
			defer file.Close()
			_, err = file.WriteAt(make([]byte, size), off)
			return verdict(err)
		}},
		{"truncate " + name, func(f target.FS) string {
			file, err := f.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				return verdict(err)
			}
			defer file.Close()
			return verdict(file.Truncate(off))
		}},
		{"read " + name, func(f target.FS) string {
			file, err := f.OpenFile(name, os.O_RDONLY, 0)
			if err != nil {
				return verdict(err)
			}
			defer file.Close()
			n, err := file.ReadAt(make([]byte, size), off)
			return fmt.Sprint(n, err == io.EOF)
		}},
		{"mkdir " + name, func(f target.FS) string { return verdict(f.Mkdir(name, 0o700)) }},
		{"symlink " + name, func(f target.FS) string { return verdict(f.Symlink("x", name)) }},
		{"link " + name + " " + far, func(f target.FS) string { return yes(f.Link(name, far)) }},
		{"rename " + name + " " + other, func(f target.FS) string {
			if isDir(f, name) || isDir(f, other) || name == other {
				return "not asked" // only files are renamed
			}
			return yes(f.Rename(name, other))
		}},
		{"remove " + name, func(f target.FS) string { return verdict(f.Remove(name)) }},
		{"chmod " + name, func(f target.FS) string { return verdict(f.Chmod(name, 0o700)) }},
		{"readlink " + name, func(f target.FS) string { return verdict(second(f.Readlink(name))) }},
		{"readdir " + name, func(f target.FS) string {
			list, err := f.ReadDir(name)
			return fmt.Sprint(list, verdict(err))
		}},
		{"same " + name + " " + far, func(f target.FS) string {
			same, err := f.Same(name, far)
			return fmt.Sprint(same, verdict(err))
		}},
		{"syncdir " + name, func(f target.FS) string { return verdict(f.SyncDir(name)) }},
	}
	return ops[chance.IntN(len(ops))]
}

func isDir(f target.FS, name string) bool {
	info, err := f.Lstat(name)
	return err == nil && info.IsDir()
}

func second(_ string, err error) error { return err }

func yes(err error) string { return fmt.Sprint(err == nil) }

// verdict is the class of an error that callers tell apart.
func verdict(err error) string {
	switch {
	case err == nil:
		return "yes"
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, target.ErrLinked):
		return "linked"
	}
	return "no"
}

func tree(t *testing.T, f target.FS, name string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	var walk func(name string)
	walk = func(name string) {
		info, err := f.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			out[name] += fmt.Sprint(info.Size())
		}
		if !info.IsDir() {
			return
		}
		names, err := f.ReadDir(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			walk(name + "/" + n)
		}
	}
	walk(name)
	delete(out, name)
	return out
}

// TestCrashKeepsWhatWasFlushed: bytes and entries that were flushed are there
// after any power failure, and nothing is there that never was.
func TestCrashKeepsWhatWasFlushed(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]bool)
	for range 300 {
		d := NewDisk()
		write := func(name, text string, sync bool) {
			f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte(text), 0); err != nil {
				t.Fatal(err)
			}
			if sync {
				f.Sync()
			}
		}
		write("/safe", "old", true)
		d.SyncDir("/")
		write("/safe", "new", false)
		write("/lost", "x", true) // flushed, but its directory is not
		if err := d.Rename("/lost", "/moved"); err != nil {
			t.Fatal(err)
		}
		after := d.Crash(chance)
		names, _ := after.ReadDir("/")
		f, err := after.OpenFile("/safe", os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 3)
		f.ReadAt(b, 0)
		seen[fmt.Sprint(names, string(b))] = true
	}
	want := map[string]bool{
		"[safe]old": true, "[safe]new": true, "[lost safe]old": true, "[lost safe]new": true,
		"[moved safe]old": true, "[moved safe]new": true,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Fatal(diff)
	}
}
