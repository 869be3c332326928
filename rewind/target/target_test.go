package target

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
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
