package rmgr

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
)

// TestFixtures compares with the text of pg_waldump that lies beside the
// shared fixtures, for every version and timeline that has it, and asks all
// decoders about every record.
func TestFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/pg*/waldump.*.txt.zst")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		dir, base := filepath.Split(file)
		var tli pg.TimelineID
		if _, err := fmt.Sscanf(base, "waldump.%d.", &tli); err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(dir)+" timeline "+tli.String(), func(t *testing.T) {
			t.Parallel()
			text := readCompressed(t, file)
			lines := &lineReader{text: text}
			r := openLog(t, dir, 1<<20, tli, firstOf(t, text))
			n, differ := 0, 0
			for want := lines.record(); want != ""; want = lines.record() {
				if !r.Next(t.Context()) {
					t.Fatalf("reader: %s; pg_waldump goes on with %q", r.Stop(), want)
				}
				differ += compare(t, want, Line(r.Record()), differ)
				if err := decodeAll(r.Record()); err != nil {
					t.Error(err)
				}
				n++
			}
			t.Logf("%d records", n)
		})
	}
}

func readCompressed(t testing.TB, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // read only
	r, err := codec.Open(file, f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestOpNamesOfFixtures wants a name for every operation that a server wrote,
// also in versions without text of pg_waldump.
func TestOpNamesOfFixtures(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("../../testdata/pg*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			major, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), "pg"))
			if err != nil {
				t.Fatal(err)
			}
			size := pg.SegmentSize(1 << 20)
			r := openLog(t, dir, size, 1, size.Start(firstZst(t, dir)))
			n := 0
			for ; r.Next(t.Context()); n++ {
				rec := r.Record()
				text := Describe(rec)
				if rec.Major() != major || strings.HasPrefix(text, "UNKNOWN") || strings.HasSuffix(text, truncated) {
					t.Errorf("%s of version %d: %s", rec.LSN, rec.Major(), text)
				}
				if err := decodeAll(rec); err != nil {
					t.Error(err)
				}
				if n := unread(rec); n != 0 {
					t.Errorf("%s: %d bytes are left of %s", rec.LSN, n, text)
				}
			}
			if n < 1000 {
				t.Errorf("%d records, reader: %s", n, r.Stop())
			}
		})
	}
}

// unread is what reading a commit or abort leaves of its payload. A part that
// is missed or misread leaves some, or takes too much.
func unread(rec *walinspect.Record) int {
	if rec.Rmgr != pg.RmgrXact || !xactEnds(rec) {
		return 0
	}
	p := mainData(rec)
	x := Xact{Kind: xactKinds[rec.Info&xactOpMask]}
	x.readEnd(&p, rec)
	return p.left()
}

// firstZst is the number of the first segment of timeline 1 in a folder of
// compressed segments.
func firstZst(t *testing.T, dir string) uint64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "00000001????????????????.zst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segments in %s: %v", dir, err)
	}
	name, err := pg.ParseSegmentName(strings.TrimSuffix(filepath.Base(files[0]), ".zst"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return name.Number
}
