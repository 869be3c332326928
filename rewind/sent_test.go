package rewind

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/rewind/target"
)

// TestSent writes the list of what a source sent and reads it: of pieces that
// overlap the last counts, and what was replaced afterwards does not.
func TestSent(t *testing.T) {
	dir := t.TempDir()
	roots := target.NewRoots()
	defer roots.Close()
	if err := roots.Declare(dir); err != nil {
		t.Fatal(err)
	}
	s, err := newSent(roots, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.file.Close()
	send := func(name string, off int64, text string) {
		t.Helper()
		if err := s.piece(name, off, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	send("base/1/2", 100, "later in the file")
	send("base/1/2", 0, "begin")
	send("odd \"name\"\n", 0, "odd")
	send("conf", 0, "replaced")
	send("again", 0, "0123456789")
	send("again", 20, "abcdefghij")
	send("again", 5, "01234567890123456789") // over the end of one and the beginning of the other
	send("again", 40, "stays")
	send("again", 40, "STAYS")
	send("empty", 0, "")
	if err := s.gone("conf"); err != nil {
		t.Fatal(err)
	}
	if _, known, err := readSent(dir); err == nil || !known {
		t.Errorf("without its end: %v, known %v", err, known)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	sum := func(text string) uint32 { return crc32.Checksum([]byte(text), castagnoli) }
	want := map[string][]piece{
		"base/1/2":       {{0, 5, sum("begin")}, {100, 17, sum("later in the file")}},
		"odd \"name\"\n": {{0, 3, sum("odd")}},
		"again":          {{5, 20, sum("01234567890123456789")}, {40, 5, sum("STAYS")}},
	}
	got, known, err := readSent(dir)
	if err != nil || !known {
		t.Fatal(err, known)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(piece{})); diff != "" {
		t.Error(diff)
	}

	file := filepath.Join(dir, sentFile)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		strings.Replace(string(b), " 5 \"base", " -5 \"base", 1), strings.TrimSuffix(string(b), "end 10\n"),
		strings.Replace(string(b), "end 10", "end 9", 1), "x\n" + string(b),
	} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readSent(dir); err == nil {
			t.Errorf("no error for\n%s", bad)
		}
	}
	if _, known, err := readSent(t.TempDir()); known || err != nil {
		t.Errorf("a bundle without the list: known %v, %v", known, err)
	}
}
