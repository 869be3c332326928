package datadir

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

// newDir makes a directory that passes for a data directory of version 17,
// with more files, given as path and content. A path that ends in a slash is
// an empty directory.
func newDir(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	control, err := os.ReadFile("../pgcontrol/testdata/17.pg_control")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"PG_VERSION": "17\n", "global/pg_control": string(control), "pg_wal/": ""}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o700)
		} else {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func open(t testing.TB, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpen(t *testing.T) {
	d := open(t, newDir(t, nil))
	if d.Major() != 17 || d.VersionDir() != "PG_17_202406281" {
		t.Errorf("version %d, directory %s", d.Major(), d.VersionDir())
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(d.Path(), link); err != nil {
		t.Fatal(err)
	}
	if l := open(t, link); l.Path() != link {
		t.Errorf("opened %s, want %s", l, link)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name   string
		damage func(root string) error
		says   string
	}{
		{"nothing there", os.RemoveAll, "no file PG_VERSION"},
		{"another directory", func(root string) error { return os.Remove(root + "/PG_VERSION") }, "no file PG_VERSION"},
		{"no control file", func(root string) error { return os.Remove(root + "/global/pg_control") }, "no file global/pg_control"},
		{"version 12", func(root string) error { return os.WriteFile(root+"/PG_VERSION", []byte("12\n"), 0o600) }, `"12"`},
		{"version 9.6", func(root string) error { return os.WriteFile(root+"/PG_VERSION", []byte("9.6\n"), 0o600) }, `"9.6"`},
		{"version 20", func(root string) error { return os.WriteFile(root+"/PG_VERSION", []byte("20\n"), 0o600) }, `"20"`},
		{"empty version", func(root string) error { return os.WriteFile(root+"/PG_VERSION", nil, 0o600) }, `""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newDir(t, nil)
			if err := tt.damage(root); err != nil {
				t.Fatal(err)
			}
			_, err := Open(root)
			if !errors.Is(err, ErrNotDataDir) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), root) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestControl(t *testing.T) {
	d := open(t, newDir(t, nil))
	raw, c, err := d.RawControl()
	if err != nil || c.Major != 17 || len(raw) != pgcontrol.Size {
		t.Fatalf("RawControl: %v, %v", c, err)
	}
	path := filepath.Join(d.Path(), ControlFile)
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	torn := append([]byte(nil), raw...)
	binary.LittleEndian.PutUint32(torn[16:], 6)
	write(torn)
	if _, err := d.Control(); !errors.Is(err, pgcontrol.ErrTorn) || !strings.Contains(err.Error(), path) {
		t.Errorf("torn: %v", err)
	}
	write(nil)
	if _, err := d.Control(); err == nil || !strings.Contains(err.Error(), "empty (0 bytes)") {
		t.Errorf("empty: %v", err)
	}
	other, err := os.ReadFile("../pgcontrol/testdata/16.pg_control")
	if err != nil {
		t.Fatal(err)
	}
	write(other)
	if _, err := d.Control(); err == nil || !strings.Contains(err.Error(), "version 16, but PG_VERSION says 17") {
		t.Errorf("other version: %v", err)
	}
}

func TestControlBeingReplaced(t *testing.T) {
	good, err := os.ReadFile("../pgcontrol/testdata/17.pg_control")
	if err != nil {
		t.Fatal(err)
	}
	torn := func(n byte) []byte {
		b := append([]byte(nil), good...)
		b[100] += n
		return b
	}
	many := make([][]byte, 20)
	for i := range many {
		many[i] = torn(byte(i + 1))
	}
	tests := []struct {
		name  string
		reads [][]byte
		taken int
		bad   bool
	}{
		{"good at once", [][]byte{good}, 1, false},
		{"good at last", [][]byte{torn(1), torn(2), good, torn(3)}, 3, false},
		{"the same twice", [][]byte{torn(1), torn(2), torn(2), good}, 3, true},
		{"never good", many, 10, true},
		{"empty", [][]byte{nil, good}, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				taken := 0
				_, c, err := settledControl(func() ([]byte, error) {
					taken++
					return tt.reads[taken-1], nil
				})
				if taken != tt.taken || (err != nil) != tt.bad || (c == nil) != tt.bad {
					t.Errorf("after %d readings: %v, %v", taken, c, err)
				}
			})
		})
	}
}

func TestHistories(t *testing.T) {
	d := open(t, newDir(t, map[string]string{
		"pg_wal/00000002.history":         "1\t0/3000\n",
		"pg_wal/0000000A.history":         "1\t0/3000\n2\t0/4000\n",
		"pg_wal/0000000B.history":         "broken\n",
		"pg_wal/0000000a.history":         "",
		"pg_wal/00000003.history.partial": "",
	}))
	list, err := d.Histories()
	if diff := cmp.Diff([]pg.TimelineID{2, 10, 11}, list); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	p, err := d.TimelinePath(10)
	want := timeline.Path{{Timeline: 1, End: 0x3000}, {Timeline: 2, Begin: 0x3000, End: 0x4000}, {Timeline: 10, Begin: 0x4000, End: pg.MaxLSN}}
	if diff := cmp.Diff(want, p); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	if p, err := d.TimelinePath(1); err != nil || len(p) != 1 {
		t.Errorf("timeline 1: %v, %v", p, err)
	}
	if _, err := d.TimelinePath(3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	var bad *timeline.SyntaxError
	if _, err := d.TimelinePath(11); !errors.As(err, &bad) {
		t.Errorf("broken file: %v", err)
	}
}

func TestReadFile(t *testing.T) {
	d := open(t, newDir(t, nil))
	if b, err := d.ReadFile("PG_VERSION"); err != nil || string(b) != "17\n" {
		t.Errorf("%q, %v", b, err)
	}
	for _, name := range []string{"../PG_VERSION", "/etc/passwd", "pg_wal/../../x", ""} {
		if _, err := d.ReadFile(name); err == nil {
			t.Errorf("%q was read", name)
		}
	}
}
