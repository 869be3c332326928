package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pgtest"
)

// forkpointOutput runs the program as a user would, in this process.
func forkpointOutput(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	dir := t.TempDir()
	var files []*os.File
	for _, name := range []string{"out", "err"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() // read again below
		files = append(files, f)
	}
	status = run(t.Context(), append([]string{"forkpoint"}, args...), os.Stdin, files[0], files[1])
	var texts []string
	for _, f := range files {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts[0], texts[1], status
}

var firstLSN = regexp.MustCompile(`lsn: ([0-9A-F]+)/0*([0-9A-F]+)`)

// TestInspectFixtures compares the whole output with the text of pg_waldump
// that lies beside the shared fixtures, byte for byte.
func TestInspectFixtures(t *testing.T) {
	files, err := filepath.Glob("../../testdata/pg*/waldump.*.txt.zst")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		dir, tli := filepath.Dir(file), strings.Split(filepath.Base(file), ".")[1]
		t.Run(filepath.Base(dir)+" timeline "+tli, func(t *testing.T) {
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
			want, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			at := firstLSN.FindSubmatch(want)
			got, _, status := forkpointOutput(t, "inspect", dir, "--timeline", tli, "--start", string(at[1])+"/"+string(at[2]))
			if status != 0 {
				t.Fatalf("status %d", status)
			}
			sameText(t, string(want), got)
		})
	}
}

// sameText shows the first line that differs.
func sameText(t *testing.T, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			t.Fatalf("line %d of %d, here %d:\nwant %q\n got %q", i+1, len(w), len(g), w[i], append(g, "")[min(i, len(g))])
		}
	}
	t.Fatalf("%d lines more than pg_waldump", len(g)-len(w))
}

// TestInspectFilters compares filters and details with those of pg_waldump.
func TestInspectFilters(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_waldump") {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
			start := s.CurrentLSN()
			s.Exec("CREATE TABLE items (id int PRIMARY KEY, note text)",
				"INSERT INTO items SELECT n, 'note ' || n FROM generate_series(1, 3000) n", "VACUUM items", "CHECKPOINT",
				"UPDATE items SET note = 'changed' WHERE id % 50 = 0", "DELETE FROM items WHERE id < 100", "VACUUM items", "CHECKPOINT",
				"UPDATE items SET note = 'again' WHERE id = 200")
			locator := s.Value("SELECT coalesce(nullif(reltablespace, 0), 1663) || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || relfilenode FROM pg_class c WHERE relname = 'items'")
			s.Exec("CHECKPOINT")
			s.Stop(pgtest.Fast)

			match := regexp.MustCompile(`tx: +([1-9]\d*), .*rel ` + locator).FindStringSubmatch(waldump(t, s, "-s", start.String()))
			filters := [][]string{
				{}, {"-b"}, {"-r", "Heap"}, {"-r", "Transaction"}, {"-x", match[1]}, {"-n", "17"}, {"-t", "1"},
			}
			if major >= 15 {
				filters = append(filters, []string{"-w"}, []string{"-F", "vm"}, []string{"-F", "main", "-b"}, []string{"-R", locator},
					[]string{"-R", locator, "-B", "3"}, []string{"-R", locator, "-F", "vm"}, []string{"-R", locator, "-w"}, []string{"-R", locator, "-r", "Heap2", "-b"})
			}
			for _, filter := range filters {
				t.Run(strings.Join(filter, " "), func(t *testing.T) {
					args := append([]string{"-s", start.String()}, filter...)
					want := waldump(t, s, args...)
					got, stderr, status := forkpointOutput(t, append([]string{"inspect", s.Dir()}, args...)...)
					if status != 0 || len(filter) == 0 && len(got) < 10000 {
						t.Fatalf("status %d, %d bytes\n%s", status, len(got), stderr)
					}
					sameText(t, want, got)
				})
			}
			byNumber, _, _ := forkpointOutput(t, "inspect", s.Dir(), "-R", locator)
			for _, name := range []string{"items", "public.items", "postgres.public.ITEMS", `"items"`} {
				byName, stderr, _ := forkpointOutput(t, "inspect", s.Dir(), "-R", name)
				if byName == "" || byName != byNumber {
					t.Errorf("by the name %s: %d bytes, by number %d\n%s", name, len(byName), len(byNumber), stderr)
				}
			}
			if major >= 16 {
				compareImages(t, s, start.String(), major)
			}
		})
	}
}

// waldump is the text of pg_waldump, which fails at the end of the log.
func waldump(t *testing.T, s *pgtest.Server, args ...string) string {
	t.Helper()
	out, stderr, err := s.Program("pg_waldump", append([]string{"-p", filepath.Join(s.Dir(), "pg_wal")}, args...)...)
	if err != nil && !strings.Contains(stderr, "error in WAL record at") {
		t.Fatal(err)
	}
	return out
}

// compareImages saves all images with both programs. The names have the
// timeline only from 17 on.
func compareImages(t *testing.T, s *pgtest.Server, start string, major int) {
	t.Helper()
	theirs, ours := filepath.Join(s.Home(), "images"), filepath.Join(t.TempDir(), "images")
	waldump(t, s, "-s", start, "--save-fullpage="+theirs, "-q")
	if _, stderr, status := forkpointOutput(t, "inspect", s.Dir(), "-s", start, "--save-fullpage", ours, "--stats"); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	read := func(dir string, cut int) map[string]string {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		pages := map[string]string{}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			pages[f.Name()[cut:]] = string(b)
		}
		return pages
	}
	cut := 0
	if major == 16 {
		cut = len("00000001-")
	}
	want, got := read(theirs, 0), read(ours, cut)
	if len(want) < 10 {
		t.Fatalf("%d images are too few", len(want))
	}
	for name, page := range want {
		if got[name] != page {
			t.Errorf("image %s differs, or is missing", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d images, pg_waldump has %d", len(got), len(want))
	}
}

// TestInspectSums checks that what is counted by different things adds up to
// the same.
func TestInspectSums(t *testing.T) {
	total := regexp.MustCompile(`(?m)^  total .*$`)
	var all []string
	for _, kind := range []string{"rmgr", "record", "relation", "database", "transaction", "minute"} {
		out, stderr, status := forkpointOutput(t, "inspect", "../../testdata/pg17", "--timeline", "2", "--stats="+kind)
		if status != 0 {
			t.Fatalf("%s: status %d: %s", kind, status, stderr)
		}
		all = append(all, strings.Join(strings.Fields(total.FindString(out)), " "))
	}
	if diff := cmp.Diff(slices.Repeat(all[:1], len(all)), all); diff != "" || !strings.HasPrefix(all[0], "total ") {
		t.Error(diff, fmt.Sprint(all))
	}
}
