package datadir

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
)

// collect lists the whole directory, each entry as "path" or, where it is no
// regular file, "path (kind)", with its relation.
func collect(t *testing.T, d *Dir) map[string]string {
	t.Helper()
	got := map[string]string{}
	last := map[string]string{} // by directory
	for f, err := range d.Files(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := got[f.Path]; twice {
			t.Errorf("%s twice", f.Path)
		}
		dir := filepath.Dir(f.Path)
		if dir != "." && got[dir] == "" {
			t.Errorf("%s before its directory", f.Path)
		}
		if last[dir] >= f.Path {
			t.Errorf("%s before %s", last[dir], f.Path)
		}
		last[dir] = f.Path
		text := f.Kind.String()
		if f.Rel != nil {
			text = f.Rel.String()
		}
		if f.Link != "" {
			text += " to " + f.Link
		}
		got[f.Path] = text
	}
	return got
}

func TestFiles(t *testing.T) {
	const version = "PG_17_202406281"
	space, wal, logs := t.TempDir(), t.TempDir(), t.TempDir()
	root := newDir(t, map[string]string{
		"base/5/1259":       "x",
		"base/5/1259_fsm":   "x",
		"base/5/1259_vm.2":  "x",
		"base/5/1259.1":     "x",
		"base/5/t3_16400":   "x",
		"base/5/01259":      "x",
		"base/5/PG_VERSION": "17\n",
		"global/1262":       "x",
		"pg_tblspc/16501/" + version + "/5/16502":       "x", // in-place tablespace
		"pg_tblspc/16501/PG_16_202307071/5/16502":       "x", // left by an upgrade
		"pg_tblspc/16501/" + version + "/pgsql_tmp/x.0": "x",
	})
	for _, dir := range []string{space + "/" + version + "/5", wal + "/archive_status"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{space + "/" + version + "/5/16600_init", wal + "/000000010000000000000001", logs + "/today"} {
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(root + "/pg_wal"); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"pg_wal": wal, "pg_tblspc/16500": space, "log": logs, "postgresql.conf": "/etc/nothing"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("unix", filepath.Join(root, ".s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	want := map[string]string{
		".s":                                "special file",
		"PG_VERSION":                        "regular file",
		"base":                              "directory",
		"base/5":                            "directory",
		"base/5/01259":                      "regular file",
		"base/5/1259":                       "1663/5/1259",
		"base/5/1259.1":                     "1663/5/1259",
		"base/5/1259_fsm":                   "1663/5/1259_fsm",
		"base/5/1259_vm.2":                  "1663/5/1259_vm",
		"base/5/PG_VERSION":                 "regular file",
		"base/5/t3_16400":                   "regular file",
		"global":                            "directory",
		"global/1262":                       "1664/0/1262",
		"global/pg_control":                 "regular file",
		"log":                               "symbolic link to " + logs,
		"pg_tblspc":                         "directory",
		"pg_tblspc/16500":                   "symbolic link to " + space,
		"pg_tblspc/16500/" + version:        "directory",
		"pg_tblspc/16500/" + version + "/5": "directory",
		"pg_tblspc/16500/" + version + "/5/16600_init": "16500/5/16600_init",
		"pg_tblspc/16501":                               "directory",
		"pg_tblspc/16501/PG_16_202307071":               "directory",
		"pg_tblspc/16501/PG_16_202307071/5":             "directory",
		"pg_tblspc/16501/PG_16_202307071/5/16502":       "regular file",
		"pg_tblspc/16501/" + version:                    "directory",
		"pg_tblspc/16501/" + version + "/5":             "directory",
		"pg_tblspc/16501/" + version + "/5/16502":       "16501/5/16502",
		"pg_tblspc/16501/" + version + "/pgsql_tmp":     "directory",
		"pg_tblspc/16501/" + version + "/pgsql_tmp/x.0": "regular file",
		"pg_wal":                          "directory to " + wal,
		"pg_wal/000000010000000000000001": "regular file",
		"pg_wal/archive_status":           "directory",
		"postgresql.conf":                 "symbolic link to /etc/nothing",
	}
	d := open(t, root)
	if diff := cmp.Diff(want, collect(t, d)); diff != "" {
		t.Error(diff)
	}
	if got, err := d.WAL(); err != nil || got != wal {
		t.Errorf("WAL() = %s, %v; want %s", got, err, wal)
	}
}

func TestFilesDetails(t *testing.T) {
	d := open(t, newDir(t, map[string]string{"base/5/16400_vm.3": "12345"}))
	for f, err := range d.Files(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Path == "base/5" && f.Size != 0 {
			t.Errorf("directory of %d bytes", f.Size)
		}
		if f.Path != "base/5/16400_vm.3" {
			continue
		}
		want := pg.RelFile{RelFork: pg.RelFork{RelFileLocator: pg.RelFileLocator{Spc: 1663, DB: 5, Rel: 16400}, Fork: pg.VMFork}, Segment: 3}
		if *f.Rel != want || f.Size != 5 || f.Mode.Perm() != 0o600 || f.ModTime.IsZero() {
			t.Errorf("%+v", f)
		}
		return
	}
	t.Error("not listed")
}

// What goes between being named and being looked at is left out.
func TestFilesVanish(t *testing.T) {
	root := newDir(t, map[string]string{"base/1/1": "", "base/1/2": "", "base/2/1": "", "base/3": ""})
	d := open(t, root)
	var got []string
	for f, err := range d.Files(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Path)
		switch f.Path {
		case "base/1/1":
			err = errors.Join(os.Remove(root+"/base/1/2"), os.Remove(root+"/base/3"))
		case "base/2":
			err = os.RemoveAll(root + "/base/2")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"PG_VERSION", "base", "base/1", "base/1/1", "base/2", "global", "global/pg_control", "pg_wal"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFilesErrors(t *testing.T) {
	t.Run("tablespace is not there", func(t *testing.T) {
		root := newDir(t, map[string]string{"pg_tblspc/": ""})
		link := filepath.Join(root, "pg_tblspc/16500")
		if err := os.Symlink("/nowhere/at/all", link); err != nil {
			t.Fatal(err)
		}
		var path *fs.PathError
		if err := lastError(t.Context(), open(t, root)); !errors.As(err, &path) || path.Path != link {
			t.Errorf("error %v does not name %s", err, link)
		}
	})
	t.Run("data directory is gone", func(t *testing.T) {
		root := newDir(t, nil)
		d := open(t, root)
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if err := lastError(t.Context(), d); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if err := lastError(ctx, open(t, newDir(t, nil))); !errors.Is(err, why) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		root := newDir(t, map[string]string{"base/1/1": ""})
		if err := os.Chmod(root+"/base/1", 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(root+"/base/1", 0o700)
		d := open(t, root)
		for _, dir := range []string{filepath.Dir(root), root, root + "/base"} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		asNobody(t)
		var path *fs.PathError
		if err := lastError(t.Context(), d); !errors.As(err, &path) || path.Path != root+"/base/1" {
			t.Errorf("error %v", err)
		}
	})
}

// asNobody has the kernel check this thread's file accesses as those of an
// ordinary user, until the test ends: root can read everything.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	runtime.LockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Fatal(err)
		}
		runtime.UnlockOSThread()
	})
}

// lastError lists to the end and gives the error, after which nothing follows.
func lastError(ctx context.Context, d *Dir) error {
	var last error
	for _, err := range d.Files(ctx) {
		if last != nil {
			return errors.New("the list goes on after an error")
		}
		last = err
	}
	return last
}
