package rmgr

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// runWorkload starts a server and runs testdata/workload.sql.
func runWorkload(t *testing.T, major int) *pgtest.Server {
	t.Helper()
	s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1),
		pgtest.Conf("wal_level", "logical"), pgtest.Conf("track_commit_timestamp", "on"),
		pgtest.Conf("wal_compression", "on"))
	tablespace := pgtest.Scratch(t)
	sql, err := os.ReadFile("testdata/workload.sql")
	if err != nil {
		t.Fatal(err)
	}
	one, two := s.Conn("postgres"), s.Conn("postgres")
	for line := range strings.Lines(string(sql)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		conn := one
		if rest, found := strings.CutPrefix(line, "two: "); found {
			conn, line = two, rest
		}
		line, wanted := forMajor(line, major)
		if wanted {
			run(t, conn, strings.ReplaceAll(line, "@ts", tablespace))
		}
	}
	return s
}

func run(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// forMajor takes the version in front off a line and tells whether the line
// is for this one.
func forMajor(line string, major int) (string, bool) {
	number, rest, found := strings.Cut(line, ": ")
	n, err := strconv.Atoi(number)
	if !found || err != nil {
		return line, true
	}
	if n < 0 {
		return rest, major < -n
	}
	return rest, major >= n
}

// copySegments copies a server's WAL, without segments that are made and not
// used yet: pg_waldump takes the segment size from any file it finds.
func copySegments(t *testing.T, s *pgtest.Server) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(s.Dir(), "pg_wal", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 1<<20 && (b[0] != 0 || b[1] != 0) {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// firstSegment is the lowest number of a segment in a folder of one timeline.
func firstSegment(t *testing.T, dir string) uint64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "0*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segments in %s: %v", dir, err)
	}
	name, err := pg.ParseSegmentName(filepath.Base(files[0]), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return name.Number
}

// dump runs pg_waldump over a folder of segments. It ends with an error where
// the log ends.
func dump(t *testing.T, program, dir string, args ...string) string {
	t.Helper()
	from := pg.SegmentSize(1 << 20).Start(firstSegment(t, dir))
	cmd := exec.Command(program, append([]string{"-p", dir, "-s", (from + 40).String()}, args...)...)
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && !strings.Contains(errs.String(), "error in WAL record at") {
		t.Fatalf("%s: %v %s", cmd, err, errs.String())
	}
	return out.String()
}

func version(t *testing.T, program string) string {
	t.Helper()
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
