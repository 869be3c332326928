package rmgr

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// TestSamples compares with what pg_waldump printed when the samples were
// made: one small record of each form, in every version that had the program.
func TestSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/records.*.txt.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			differ := 0
			for _, s := range readSamples(t, file) {
				differ += compare(t, s.line, Line(&s.rec), differ)
				differ += compare(t, s.details, Style{Details: true}.Line(&s.rec), differ)
			}
		})
	}
}

// TestPrefixes cuts every sample short, byte by byte at first and then in wider
// steps: a description is made all the same, and no decoder believes what is
// not there.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/records.*.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, s := range readSamples(t, file) {
			whole := Describe(&s.rec)
			if strings.Contains(whole, truncated) {
				t.Errorf("%s is whole and described as %q", s.rec.LSN, whole)
			}
			main := s.rec.Main
			for n := 0; n < len(main); n += 1 + n/64 {
				s.rec.Main = main[:n:n]
				Describe(&s.rec)
				if _, err := Effects(&s.rec, nil); s.rec.Rmgr == pg.RmgrSmgr && err == nil {
					t.Errorf("%s of %d bytes instead of %d has effects", whole, n, len(main))
				}
			}
		}
	}
}

type sample struct {
	rec           walinspect.Record
	line, details string
}

// readSamples reads a file of samples: a line with "=", the position and the
// record in hexadecimal, then the lines of pg_waldump and of pg_waldump -b.
func readSamples(t testing.TB, file string) []sample {
	t.Helper()
	text := readGzip(t, file)
	head, body, _ := strings.Cut(text, "\n= ")
	var major int
	if _, err := fmt.Sscanf(head, "# pg_waldump (PostgreSQL) %d", &major); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	layout, err := walinspect.LayoutOf(major)
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	for part := range strings.SplitSeq(body, "\n= ") {
		first, lines, _ := strings.Cut(strings.TrimSuffix(part, "\n"), "\n")
		at, digits, _ := strings.Cut(first, " ")
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		s := sample{}
		if s.rec, err = walinspect.DecodeRecord(layout, raw); err != nil {
			t.Fatal(err)
		}
		if s.rec.LSN, err = pg.ParseLSN(at); err != nil {
			t.Fatal(err)
		}
		s.line, s.details, _ = strings.Cut(lines, "\n")
		samples = append(samples, s)
	}
	return samples
}

func readGzip(t testing.TB, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // read only
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// samples keeps the smallest record of each form. Records whose text was not
// compared must not be added.
type samples struct {
	major int
	byKey map[string]string
	size  map[string]int
}

func newSamples(major int) *samples {
	return &samples{major: major, byKey: map[string]string{}, size: map[string]int{}}
}

var (
	numbers = regexp.MustCompile(`[0-9]+`)
	lists   = regexp.MustCompile(`(N(->N)?,? )+`)
)

// maxSample keeps page images out, but for those that compress well.
const maxSample = 2500

func (s *samples) add(rec *walinspect.Record) {
	raw := rec.Raw()
	if len(raw) > maxSample {
		return
	}
	form := lists.ReplaceAllString(numbers.ReplaceAllString(Describe(rec), "N"), "N ")
	key := fmt.Sprintf("%02d %.100s %d", rec.Rmgr, form, len(rec.Blocks))
	for i := range rec.Blocks {
		b := &rec.Blocks[i]
		key += fmt.Sprintf(" %d%t%t%t", b.Tag.Fork, b.HasImage(), b.AppliesImage(), b.HasData())
	}
	if old, known := s.size[key]; known && old <= len(raw) {
		return
	}
	s.size[key] = len(raw)
	s.byKey[key] = fmt.Sprintf("= %s %x\n%s\n%s\n", rec.LSN, raw, Line(rec), Style{Details: true}.Line(rec))
}

func (s *samples) write(t *testing.T, version string) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(z, "# %s\n", version)
	for _, key := range slices.Sorted(maps.Keys(s.byKey)) {
		io.WriteString(z, s.byKey[key])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("testdata/records.%d.txt.gz", s.major), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
