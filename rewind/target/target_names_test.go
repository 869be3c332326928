package target

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHandlesFollowNames(t *testing.T) {
	dir := newDataDir(t)
	tgt := open(t, dir, Options{})
	mustDo(t, tgt.WriteAt("base/1", 0, []byte("A")))
	mustDo(t, tgt.Replace("base/1", []byte("new"), 0))
	mustDo(t, tgt.WriteAt("base/1", 0, []byte("N")))
	if got := contents(t, dir+"/base/1"); got != "New" {
		t.Errorf("after Replace %q", got)
	}
	mustDo(t, tgt.Remove("base/1"))
	if err := tgt.WriteAt("base/1", 0, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("write to a removed file: %v", err)
	}
	mustDo(t, tgt.Remove("base/1"))
	mustDo(t, tgt.Create("base/1", 0))
	mustDo(t, tgt.WriteAt("base/1", 2, []byte("x")))
	mustDo(t, tgt.Create("base/1", 0))
	if got := contents(t, dir+"/base/1"); got != "" {
		t.Errorf("after Create %q", got)
	}
}

func TestBigOffsets(t *testing.T) {
	dir := newDataDir(t)
	tgt := open(t, dir, Options{})
	const far = 5 << 30
	mustDo(t, tgt.WriteAt("base/1", far, []byte("end")))
	got := make([]byte, 3)
	if _, err := tgt.ReadAt("base/1", got, far); err != nil || string(got) != "end" {
		t.Fatalf("%q, %v", got, err)
	}
	info, err := os.Stat(dir + "/base/1")
	mustDo(t, err)
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; info.Size() != far+3 || blocks > 1000 {
		t.Fatalf("%d bytes in %d sectors", info.Size(), blocks)
	}
	mustDo(t, tgt.Truncate("base/1", 4))
}

// counting notes which files and directories are flushed.
type counting struct {
	*Roots
	mu    sync.Mutex
	syncs map[string]int
}

func (c *counting) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := c.Roots.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &countingFile{f, name, c}, nil
}

func (c *counting) SyncDir(name string) error { c.note(name); return c.Roots.SyncDir(name) }

func (c *counting) note(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.syncs[filepath.Base(name)]++
}

type countingFile struct {
	File
	name string
	c    *counting
}

func (f *countingFile) Sync() error { f.c.note(f.name); return f.File.Sync() }

func TestSyncCoversWhatWasTouchedOnce(t *testing.T) {
	dir := newDataDir(t)
	c := &counting{Roots: NewRoots(), syncs: make(map[string]int)}
	defer c.Roots.Close()
	tgt := open(t, dir, Options{FS: c, OpenFiles: 3, Workers: 2})
	clear(c.syncs) // of the lock file
	for i := range 10 {
		mustDo(t, tgt.Create("base/n"+strconv.Itoa(i), 0))
	}
	mustDo(t, tgt.WriteAt("pg_wal/seg", 0, []byte("x")))
	mustDo(t, tgt.Chmod("global/pg_control", 0o640))
	mustDo(t, tgt.Mkdir("base/dir", 0))
	mustDo(t, tgt.Create("gone", 0))
	mustDo(t, tgt.Remove("gone"))
	mustDo(t, tgt.Touch("pg_tblspc/16384/PG_17/1"))
	mustDo(t, tgt.Sync(t.Context()))
	var got []string
	for name, n := range c.syncs {
		got = append(got, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(got)
	want := []string{"1 1", "PG_17 1", "base 1", "data 1", "dir 1",
		"n0 1", "n1 1", "n2 1", "n3 1", "n4 1", "n5 1", "n6 1", "n7 1", "n8 1", "n9 1", "pg_control 1", "seg 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	clear(c.syncs)
	mustDo(t, tgt.Sync(t.Context()))
	if len(c.syncs) != 0 {
		t.Errorf("flushed again: %v", slices.Collect(maps.Keys(c.syncs)))
	}
}

func TestSyncOfWholeTrees(t *testing.T) {
	dir := newDataDir(t)
	for _, method := range []SyncMethod{SyncTrees, SyncNone} {
		tgt, err := Open(dir, Options{Method: method})
		mustDo(t, err)
		mustDo(t, tgt.WriteAt("pg_wal/seg", 0, []byte("x")))
		mustDo(t, tgt.Sync(t.Context()))
		if len(tgt.touched.files) != 0 {
			t.Error("something is left to be flushed")
		}
		mustDo(t, tgt.Close())
	}
}

func TestKeepAndRestore(t *testing.T) {
	dir := newDataDir(t)
	state := filepath.Join(filepath.Dir(dir), "state")
	mustDo(t, os.Mkdir(state, 0o700))
	tgt := open(t, dir, Options{})
	mustDo(t, tgt.FS().Declare(state))
	if linkable, err := tgt.Linkable("base/1", state); err != nil || !linkable {
		t.Error(linkable, err)
	}
	for range 2 {
		mustDo(t, tgt.Keep("base/1", state+"/1"))
	}
	mustDo(t, tgt.Remove("base/1"))
	mustDo(t, tgt.Mkdir("base/1", 0)) // something else took the name
	mustDo(t, tgt.Create("base/1/x", 0))
	for range 2 {
		mustDo(t, tgt.Restore(state+"/1", "base/1", 0o600))
	}
	if got := contents(t, dir+"/base/1"); got != "0123456789" {
		t.Fatalf("%q", got)
	}
	if same, err := tgt.Kept(state+"/1", "base/1"); err != nil || !same {
		t.Error(same, err)
	}
	mustDo(t, os.WriteFile(dir+"/base/"+TempPrefix+"1", nil, 0o600))
	mustDo(t, tgt.Sweep("base/1"))
	if _, err := os.Stat(dir + "/base/" + TempPrefix + "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the temporary file is left")
	}
}

func TestBar(t *testing.T) {
	dir := newDataDir(t)
	tgt := open(t, dir, Options{})
	barred := func(want bool) {
		t.Helper()
		if got, err := tgt.Barred(); err != nil || got != want {
			t.Fatalf("Barred = %v, %v", got, err)
		}
	}
	barred(false)
	mustDo(t, tgt.Bar("run this\n"))
	barred(true)
	mustDo(t, tgt.Bar("another text\n"))
	if text := contents(t, dir+"/backup_label"); !strings.HasSuffix(text, "\n\nrun this\n") || strings.HasPrefix(text, "START WAL") {
		t.Fatalf("%q", text)
	}
	mustDo(t, tgt.Unbar([]byte("START WAL LOCATION: \n"), 0))
	barred(false)
	mustDo(t, tgt.Bar("again\n"))
	mustDo(t, tgt.Unbar(nil, 0))
	barred(false)
	if _, err := os.Stat(dir + "/backup_label"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestSpace(t *testing.T) {
	s, err := SpaceOf(t.TempDir())
	if err != nil || s.Total <= 0 || s.Free < 0 || s.Free > s.Total {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := SpaceOf("/does/not/exist"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}
