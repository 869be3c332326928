//go:build fixtures

package pgtest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"forkpoint/walinspect/pg"
)

const fixtureDir = "../../testdata"

// TestManifest compares the shared fixtures with what MANIFEST says of them.
func TestManifest(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(fixtureDir, "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] != "#" {
			listed[fields[1]] = fields[0]
		}
	}
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join(fixtureDir, "pg*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(fixtureDir, file)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	if diff := cmp.Diff(listed, found); diff != "" {
		t.Errorf("MANIFEST and files (-listed +found):\n%s", diff)
	}
}

// TestMakeFixtures is the work of testdata/generate.sh: it makes the fixtures of
// every version that the machine has, in the directory that
// FORKPOINT_MAKE_FIXTURES names.
func TestMakeFixtures(t *testing.T) {
	dir := os.Getenv("FORKPOINT_MAKE_FIXTURES")
	if dir == "" {
		t.Fatal("FORKPOINT_MAKE_FIXTURES names no folder; run testdata/generate.sh")
	}
	EachMajor(t, func(t *testing.T, major int) {
		fx := &fixture{t: t, dir: filepath.Join(dir, fmt.Sprintf("pg%d", major))}
		if err := os.RemoveAll(fx.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(fx.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		fx.incident(major)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("MANIFEST.%d", major)), []byte(fx.manifest.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

// fixture writes files and the lines of MANIFEST for them.
type fixture struct {
	t        *testing.T
	dir      string
	version  string
	manifest strings.Builder
}

// recycling is the version whose segments hold older WAL behind the end, and
// whose next segment is kept too. In the others the rest is zero, which makes
// the files much smaller.
const recycling = 15

// incident is the story that each version's fixtures tell: a workload on a
// primary, a fail-over in the middle of a segment while the primary goes on,
// changes on both sides, and a second fail-over.
func (fx *fixture) incident(major int) {
	opts := []Option{Major(major), SegSize(1), Conf("full_page_writes", "off"), Conf("track_commit_timestamp", "on")}
	if major != recycling {
		opts = append(opts, Conf("wal_recycle", "off"))
	}
	if major%2 == 0 {
		opts = append(opts, Conf("wal_level", "logical"))
	}
	if major >= 17 {
		opts = append(opts, Conf("summarize_wal", "on"))
	}
	pair := NewPair(fx.t, opts...)
	old, size := pair.Primary, pair.Primary.SegmentSize()
	fx.version = "PostgreSQL " + old.Value("SHOW server_version")
	old.Checkpoint()
	fx.useUpRecycled(old)
	from := size.Start(size.Number(old.CurrentLSN()))
	fx.workload(old)
	old.Set("max_connections", "39") // a parameter change goes into the log
	old.Restart(Fast)
	fx.add("pg_control.running.zst", compress(fx.t, readRaw(fx.t, old, "global/pg_control")), "of the primary while it runs")

	pair.Split()
	old.Exec("CREATE TABLE lost AS SELECT generate_series(1, 500) AS n", "CHECKPOINT", "DELETE FROM w.plain WHERE id % 9 = 0")
	pair.Primary.Exec("CREATE TABLE won AS SELECT generate_series(1, 700) AS n", "CHECKPOINT", "DELETE FROM w.plain WHERE id % 8 = 0")
	old.Stop(Fast)
	fx.control(old, "shutdown", "of the old primary after a fast stop")

	standby := pair.Primary.NewStandby()
	standby.Start()
	pair.Primary.WaitCaughtUp(standby)
	standby.Stop(Fast)
	fx.control(standby, "standby", "of a standby after a fast stop")
	standby.Start()
	pair.Primary.WaitCaughtUp(standby)
	pair.Primary.Stop(Immediate)
	fx.control(pair.Primary, "crashed", "of the new primary after an immediate stop")
	standby.Promote()
	standby.Exec("CREATE TABLE third AS SELECT generate_series(1, 100) AS n", "CHECKPOINT")
	standby.Stop(Fast)
	fx.control(standby, "promoted", "of the standby promoted to timeline 3, after a fast stop")

	fx.add("00000002.history", readRaw(fx.t, standby, "pg_wal/00000002.history"), "of the first fail-over")
	fx.add("00000003.history", readRaw(fx.t, standby, "pg_wal/00000003.history"), "of the second fail-over")
	for i, s := range []*Server{old, pair.Primary, standby} {
		fx.segments(s, pg.TimelineID(i+1), size.Number(from))
	}
	if major >= 17 {
		fx.summaries(pair.Primary, from)
	}
}

// workload leaves the databases out, because pages of catalogs would be most of
// the fixtures, and writes page images in the one part that is about them.
func (fx *fixture) workload(s *Server) {
	w := &workload{s: s, name: "w", rows: 80}
	s.Exec("CREATE SCHEMA w")
	w.run("heap", heapSteps)
	w.run("indexes", indexSteps)
	w.run("relations", relationSteps)
	w.run("transactions", transactionSteps)
	w.multixacts()
	w.run("database", []string{"CREATE TABLE other (n int)", "TRUNCATE other, cut",
		"15: CREATE DATABASE {w}_file STRATEGY = file_copy", "15: DROP DATABASE {w}_file"})
	s.Exec("ALTER SYSTEM SET full_page_writes = on", "SELECT pg_reload_conf()")
	s.Await("full_page_writes", func() (bool, error) { return s.Value("SHOW full_page_writes") == "on", nil })
	w.compressed()
	w.long()
}

// useUpRecycled goes on to a segment, past those that initdb recycled unless
// that is what the fixtures shall show.
func (fx *fixture) useUpRecycled(s *Server) {
	size := s.SegmentSize()
	for {
		end := s.SwitchWAL()
		s.Exec("CREATE TABLE one_more (n int)", "DROP TABLE one_more")
		next := filepath.Join(s.data, "pg_wal", size.Name(1, size.Number(end)+2))
		if _, err := os.Stat(next); err != nil || s.Major() == recycling {
			s.SwitchWAL()
			s.Checkpoint()
			return
		}
	}
}

// control keeps a control file and, where there is the program, its text.
func (fx *fixture) control(s *Server, state, how string) {
	fx.add("pg_control."+state+".zst", compress(fx.t, readRaw(fx.t, s, "global/pg_control")), how)
	if s.HasProgram("pg_controldata") {
		fx.add("pg_control."+state+".txt", []byte(s.PgControldata()), "pg_controldata of the file beside it")
	}
}

// segments keeps the segments of one timeline from number first on, and what
// pg_waldump prints of them.
func (fx *fixture) segments(s *Server, tli pg.TimelineID, first uint64) {
	size := s.SegmentSize()
	names, err := filepath.Glob(filepath.Join(s.data, "pg_wal", fmt.Sprintf("%08X????????????????", uint32(tli))))
	if err != nil {
		fx.t.Fatal(err)
	}
	last := size.Number(fx.latestCheckpoint(s))
	var from pg.LSN
	for _, path := range names {
		name, err := pg.ParseSegmentName(filepath.Base(path), size)
		if err != nil || name.Number < first || name.Number > last+1 {
			continue
		}
		if from == 0 {
			from = size.Start(name.Number)
		}
		how := fmt.Sprintf("timeline %d", tli)
		if name.Number > last {
			if tli > 1 || s.Major() != recycling {
				continue
			}
			how += ", recycled and not written again"
		}
		fx.add(filepath.Base(path)+".zst", compress(fx.t, readRaw(fx.t, s, "pg_wal/"+filepath.Base(path))), how)
	}
	if !s.HasProgram("pg_waldump") {
		return
	}
	args := []string{"-p", s.data + "/pg_wal", "-t", fmt.Sprint(tli), "-s", from.String()}
	out, stderr, err := s.Program("pg_waldump", args...)
	if out == "" {
		fx.t.Fatalf("pg_waldump: %v %s", err, stderr)
	}
	fx.add(fmt.Sprintf("waldump.%d.txt.zst", tli), compress(fx.t, []byte(out)),
		fmt.Sprintf("pg_waldump -t %d -s %s of the segments", tli, from))
}

// latestCheckpoint is the place of the checkpoint record that the control file
// names, uint64 at byte 32 in all versions from 13 on (ControlFileData in
// src/include/catalog/pg_control.h). After a fast stop it is the last record;
// what follows it in these fixtures after a crash is in the same segment.
func (fx *fixture) latestCheckpoint(s *Server) pg.LSN {
	return pg.LSN(binary.LittleEndian.Uint64(readRaw(fx.t, s, "global/pg_control")[32:]))
}

// summaries keeps the WAL summaries of what the kept segments hold.
func (fx *fixture) summaries(s *Server, from pg.LSN) {
	names, err := filepath.Glob(filepath.Join(s.data, "pg_wal/summaries/*.summary"))
	if err != nil {
		fx.t.Fatal(err)
	}
	for _, path := range names {
		var tli, begin uint64 // the name's first two numbers, in 8 and 16 digits
		if _, err := fmt.Sscanf(filepath.Base(path), "%8X%16X", &tli, &begin); err != nil {
			fx.t.Fatal(err)
		}
		if begin < uint64(from) {
			continue
		}
		fx.add(filepath.Base(path), readRaw(fx.t, s, "pg_wal/summaries/"+filepath.Base(path)), "WAL summary")
		if s.HasProgram("pg_walsummary") {
			fx.add(filepath.Base(path)+".txt.zst", compress(fx.t, []byte(s.must("pg_walsummary", "-i", path))), "pg_walsummary -i of the file beside it")
		}
	}
}

func (fx *fixture) add(name string, content []byte, how string) {
	if err := os.WriteFile(filepath.Join(fx.dir, name), content, 0o644); err != nil {
		fx.t.Fatal(err)
	}
	fmt.Fprintf(&fx.manifest, "%x  %s/%s  %s: %s\n", sha256.Sum256(content), filepath.Base(fx.dir), name, fx.version, how)
}

func readRaw(t *testing.T, s *Server, name string) []byte {
	t.Helper()
	return []byte(s.ReadFile(name))
}

func compress(t *testing.T, content []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close() // nothing is buffered
	return enc.EncodeAll(content, nil)
}
