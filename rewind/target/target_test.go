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
	"time"

	"github.com/google/go-cmp/cmp"
)

// newDataDir makes what passes for a data directory, with a tree behind pg_wal
// and one behind a tablespace.
func newDataDir(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "data")
	for _, d := range []string{dir, dir + "/global", dir + "/base", dir + "/pg_tblspc", base + "/wal", base + "/spc", base + "/spc/PG_17", base + "/outside"} {
		mustDo(t, os.Mkdir(d, 0o700))
	}
	mustDo(t, os.WriteFile(dir+"/PG_VERSION", []byte("17\n"), 0o600))
	mustDo(t, os.WriteFile(dir+"/global/pg_control", make([]byte, 8192), 0o600))
	mustDo(t, os.WriteFile(dir+"/base/1", []byte("0123456789"), 0o600))
	mustDo(t, os.WriteFile(base+"/wal/seg", []byte("wal"), 0o600))
	mustDo(t, os.WriteFile(base+"/spc/PG_17/1", []byte("spc"), 0o600))
	mustDo(t, os.WriteFile(base+"/outside/secret", []byte("secret"), 0o600))
	mustDo(t, os.Symlink(base+"/wal", dir+"/pg_wal"))
	mustDo(t, os.Symlink("../../spc", dir+"/pg_tblspc/16384"))
	return dir
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string, o Options) *Target {
	t.Helper()
	tgt, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tgt.Close() })
	return tgt
}

func contents(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNamesCannotLeaveTheTrees(t *testing.T) {
	dir := newDataDir(t)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	mustDo(t, os.Symlink(outside, dir+"/out"))
	mustDo(t, os.Symlink("base", dir+"/inside"))
	mustDo(t, os.Symlink(outside+"/secret", dir+"/file"))
	mustDo(t, os.Symlink("base/1", dir+"/alias"))
	mustDo(t, os.Symlink(outside, dir+"/pg_tblspc/notanoid"))
	mustDo(t, os.Symlink(outside, filepath.Dir(dir)+"/spc/PG_17/out"))
	mustDo(t, syscall.Mkfifo(dir+"/pipe", 0o600))
	mustDo(t, os.Mkdir(dir+"/"+StateDirName, 0o700))
	tgt := open(t, dir, Options{})

	tests := []struct {
		name, path string
		want       error
	}{
		{"parent", "../outside/secret", ErrOutside},
		{"parent later", "base/../../outside/secret", ErrOutside},
		{"absolute", outside + "/secret", ErrOutside},
		{"empty", "", ErrOutside},
		{"itself", ".", ErrOutside},
		{"not clean", "base//1", ErrOutside},
		{"dot inside", "base/./1", ErrOutside},
		{"trailing slash", "base/", ErrOutside},
		{"zero byte", "base/1\x00", ErrOutside},
		{"parent behind a tablespace", "pg_tblspc/16384/../../outside/secret", ErrOutside},
		{"link to a directory outside", "out/secret", ErrLinked},
		{"link to a directory inside", "inside/1", ErrLinked},
		{"link to a file outside", "file", ErrLinked},
		{"link to a file inside", "alias", ErrLinked},
		{"link in pg_tblspc that is no tablespace", "pg_tblspc/notanoid/secret", ErrLinked},
		{"link in a tablespace", "pg_tblspc/16384/PG_17/out/secret", ErrLinked},
		{"named pipe", "pipe", ErrKind},
		{"directory", "base", ErrKind},
		{"lock file", LockFile, ErrOutside},
		{"state directory", StateDirName, ErrOutside},
		{"in the state directory", StateDirName + "/x", ErrOutside},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tgt.WriteAt(tt.path, 0, []byte("harm")); !errors.Is(err, tt.want) {
				t.Errorf("WriteAt = %v; want %v", err, tt.want)
			}
			if err := tgt.Create(tt.path, 0); !errors.Is(err, tt.want) {
				t.Errorf("Create = %v; want %v", err, tt.want)
			}
			if err := tgt.Truncate(tt.path, 0); !errors.Is(err, tt.want) {
				t.Errorf("Truncate = %v; want %v", err, tt.want)
			}
			if _, err := tgt.ReadAt(tt.path, make([]byte, 1), 0); !errors.Is(err, tt.want) {
				t.Errorf("ReadAt = %v; want %v", err, tt.want)
			}
			if tt.want == ErrOutside {
				for _, err := range []error{tgt.Remove(tt.path), tgt.Mkdir(tt.path, 0), tgt.Symlink("x", tt.path), tgt.Chmod(tt.path, 0o777),
					tgt.Chtimes(tt.path, time.Now()), tgt.Replace(tt.path, nil, 0), tgt.RemoveAll(tt.path), tgt.Touch(tt.path),
					tgt.Keep(tt.path, dir+"/kept"), tgt.Restore(outside+"/secret", tt.path, 0o600), tgt.Sweep(tt.path)} {
					if !errors.Is(err, ErrOutside) {
						t.Errorf("another operation = %v", err)
					}
				}
			}
		})
	}
	if got := contents(t, outside+"/secret"); got != "secret" {
		t.Fatalf("secret is %q", got)
	}
	if got := contents(t, dir+"/base/1"); got != "0123456789" {
		t.Fatalf("base/1 is %q", got)
	}
	if err := tgt.Chmod("file", 0o777); !errors.Is(err, ErrLinked) {
		t.Errorf("Chmod of a link = %v", err)
	}
	if err := tgt.FS().Symlink("/etc", filepath.Join(outside, "x")); !errors.Is(err, ErrOutside) {
		t.Errorf("the file system let a name out: %v", err)
	}
}

func TestTreesAreOneTarget(t *testing.T) {
	dir := newDataDir(t)
	base := filepath.Dir(dir)
	tgt := open(t, dir, Options{})
	trees, err := tgt.Trees()
	mustDo(t, err)
	if diff := cmp.Diff(map[string]string{"pg_wal": base + "/wal", "pg_tblspc/16384": base + "/spc"}, trees); diff != "" {
		t.Error(diff)
	}
	mustDo(t, tgt.WriteAt("pg_wal/seg", 3, []byte("!")))
	mustDo(t, tgt.WriteAt("pg_tblspc/16384/PG_17/1", 0, []byte("SPC")))
	mustDo(t, tgt.Create("pg_tblspc/16384/PG_17/2", 0))
	mustDo(t, os.Mkdir(base+"/spc2", 0o700))
	mustDo(t, tgt.Symlink(base+"/spc2", "pg_tblspc/16385"))
	mustDo(t, tgt.Mkdir("pg_tblspc/16385/PG_17", 0))
	mustDo(t, tgt.Create("pg_tblspc/16385/PG_17/1", 0))
	mustDo(t, tgt.Mkdir("pg_tblspc/16386", 0)) // in place
	mustDo(t, tgt.Create("pg_tblspc/16386/1", 0))
	mustDo(t, tgt.Sync(t.Context()))
	if got := contents(t, base+"/wal/seg") + contents(t, base+"/spc/PG_17/1"); got != "wal!SPC" {
		t.Errorf("%q", got)
	}
	for _, name := range []string{base + "/spc2/PG_17/1", base + "/spc/PG_17/2", dir + "/pg_tblspc/16386/1"} {
		contents(t, name)
	}
	// A link that is gone leads nowhere any more.
	mustDo(t, tgt.RemoveAll("pg_tblspc/16385/PG_17"))
	mustDo(t, tgt.Remove("pg_tblspc/16385"))
	if _, err := tgt.Stat("pg_tblspc/16385/PG_17"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat = %v", err)
	}
	if _, err := os.Stat(base + "/spc2"); err != nil {
		t.Error("the directory behind the link went with it")
	}
}

func TestModesFollowTheCluster(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for _, group := range []bool{false, true} {
		dir := newDataDir(t)
		wantFile, wantDir := fs.FileMode(0o600), fs.FileMode(0o700)
		if group {
			mustDo(t, os.Chmod(dir, 0o750))
			wantFile, wantDir = 0o640, 0o750
		}
		tgt := open(t, dir, Options{})
		mustDo(t, tgt.Create("base/new", 0))
		mustDo(t, tgt.Mkdir("base/dir", 0))
		mustDo(t, tgt.Replace("conf", []byte("x"), 0))
		mustDo(t, tgt.Create("base/odd", 0o604))
		for name, want := range map[string]fs.FileMode{"base/new": wantFile, "base/dir": wantDir | fs.ModeDir, "conf": wantFile, "base/odd": 0o604, LockFile: wantFile} {
			info, err := os.Stat(filepath.Join(dir, name))
			mustDo(t, err)
			if name == LockFile {
				want = info.Mode() // the umask may narrow it
			}
			if info.Mode() != want {
				t.Errorf("group=%v: %s is %s; want %s", group, name, info.Mode(), want)
			}
		}
	}
}

func TestManyFilesFewHandles(t *testing.T) {
	dir := newDataDir(t)
	tgt := open(t, dir, Options{OpenFiles: 4})
	const n = 40
	for i := range n {
		mustDo(t, tgt.Create("base/f"+strconv.Itoa(i), 0))
	}
	for round := range 3 {
		for i := range n {
			mustDo(t, tgt.WriteAt("base/f"+strconv.Itoa(i), int64(round), []byte{byte('a' + round)}))
		}
		if got := tgt.files.order.Len(); got > 4 {
			t.Fatalf("%d files are open", got)
		}
	}
	mustDo(t, tgt.Sync(t.Context()))
	for i := range n {
		if got := contents(t, dir+"/base/f"+strconv.Itoa(i)); got != "abc" {
			t.Fatalf("f%d is %q", i, got)
		}
	}
}

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
