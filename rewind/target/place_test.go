package target_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/rewind/target"
	"forkpoint/rewind/target/faultfs"
)

// Wherever placing a file stops, the name has one of the two contents, and the
// old one is not lost.
func TestPlaceFileFailsEverywhere(t *testing.T) {
	for _, mode := range []faultfs.Mode{faultfs.Fail, faultfs.Kill} {
		for n := 0; ; n++ {
			dir := t.TempDir()
			name := filepath.Join(dir, "00000002.history")
			if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			roots := target.NewRoots()
			faulty := faultfs.New(roots, n, mode)
			path, kept, err := target.PlaceFile(faulty, name, []byte("new"), true)
			roots.Close() // of a directory that was only read
			read := func(path string) string {
				b, _ := os.ReadFile(path)
				return string(b)
			}
			switch now := read(name); {
			case err == nil && (now != "new" || path != name || read(kept) != "old"):
				t.Fatalf("done, with %q at %s, %q at %q", now, path, read(kept), kept)
			case err != nil && now != "old" && (now != "new" || read(name+target.KeptSuffix) != "old"):
				t.Fatalf("%s failed: %q, kept %q", faulty.Hit(), now, read(name+target.KeptSuffix))
			}
			if faulty.Hit() == "" {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if err == nil {
				t.Fatalf("%s failed and nobody noticed", faulty.Hit())
			}
		}
	}
}

// What an earlier call has kept is not overwritten, and without being told to
// nothing takes the name.
func TestPlaceFileKeeps(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "00000002.history")
	roots := target.NewRoots()
	defer roots.Close() // of a directory that was only read
	place := func(text string, inPlace bool) (string, error) {
		path, _, err := target.PlaceFile(roots, name, []byte(text), inPlace)
		return path, err
	}
	path, err := place("a", false)
	info, errStat := os.Stat(path)
	if err != nil || errStat != nil || path != name+target.PlacedSuffix || info.Mode().Perm() != 0o640 {
		t.Fatalf("%s, %v, %v", path, err, errStat)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Fatalf("the name is taken: %v", err)
	}
	for _, text := range []string{"a", "b"} {
		if _, err := place(text, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := place("c", true); !errors.Is(err, target.ErrKept) {
		t.Errorf("a third time: %v", err)
	}
	for path, want := range map[string]string{name: "b", name + target.KeptSuffix: "a"} {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v; want %q", path, b, err, want)
		}
	}
}
