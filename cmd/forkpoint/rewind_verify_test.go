package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// damage is something that must not be in a rewound target.
type damage struct {
	name string
	file string // relative to the data directory, or of the bundle where it begins with /
	do   func(b []byte) []byte
	want string // in the faults
}

// TestVerify breaks a rewound target in every way that the check is for, and it
// finds each. Whole again, the target comes up, and then the rewind cannot be
// undone any more.
func TestVerify(t *testing.T) {
	pgtest.TheseMajors(t, []int{14, 18}, func(t *testing.T, major int) {
		t.Parallel()
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i",
			"CREATE TABLE quiet AS SELECT i, 'quiet' AS v FROM generate_series(1, 3000) i", "CHECKPOINT", "UPDATE t SET v = 'before' WHERE i % 9 = 0")
		changed, quiet := pair.Primary.Value("SELECT pg_relation_filepath('t')"), pair.Primary.Value("SELECT pg_relation_filepath('quiet')")
		pair.Diverge(pgtest.Immediate, func(s *pgtest.Server, side string) { s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0") })
		before := report(t, statusDone, "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString())
		out := mustForkpoint(t, "rewind", "-R", "-D", pair.Old.Dir(), "--source-server", pair.Primary.ConnString(), "--verify")
		if !strings.Contains(out, "replay is proven") || !strings.Contains(out, "the evidence bundle in "+pair.Old.Dir()+".forkpoint takes up to ") {
			t.Errorf("no certificate, or no word of the size of the bundle: %s", out)
		}
		bundles, err := filepath.Glob(pair.Old.Dir() + ".forkpoint/rewind-*")
		if err != nil || len(bundles) != 1 {
			t.Fatal(bundles, err)
		}
		sameReport(t, before, filepath.Join(bundles[0], "evidence", "report.json"))
		if c := verified(t, 0, pair.Old); c.Count > 0 || !c.Replay || c.Pieces == 0 || c.Copied == 0 {
			t.Fatalf("certificate %+v", c)
		}
		label := pair.Old.ReadFile("backup_label")
		var redo, segment string
		if _, err := fmt.Sscanf(label, "START WAL LOCATION: %s (file %s", &redo, &segment); err != nil {
			t.Fatal(err)
		}
		segment = strings.TrimSuffix(segment, ")")
		start, _ := pg.ParseLSN(redo)
		inSegment := int(uint64(start) % (1 << 20))
		none := func([]byte) []byte { return nil }
		flip := func(at int) func(b []byte) []byte {
			return func(b []byte) []byte { b[at] ^= 1; return b }
		}
		newer := func(b []byte) []byte { // its checksum is right
			binary.LittleEndian.PutUint32(b[4:], 0xF0000000)
			bufpage.SetChecksum(b[:8192], 0)
			return b
		}
		damages := []damage{
			{"byte of a copied block", changed, flip(100), "not those that the source sent"},
			{"byte of the free part of a copied block", changed, flip(20), "not those that the source sent"},
			{"byte of a block that stayed", quiet, flip(8192 + 4000), "checksum"},
			{"block newer than the source", quiet, newer, "past"},
			{"copied block newer than the source", changed, newer, "past"},
			{"block of the target's own since the fork", quiet, func(b []byte) []byte {
				binary.LittleEndian.PutUint32(b[4:], binary.LittleEndian.Uint32(b[4:])+4<<20)
				bufpage.SetChecksum(b[:8192], 0)
				return b
			}, "past"},
			{"copied file cut short", changed, func(b []byte) []byte { return b[:8192] }, "ends before"},
			{"copied file gone", "pg_xact/0000", none, "is not there"},
			{"copied file of no relation", "pg_xact/0000", flip(1), "not those that the source sent"},
			{"segment gone", "pg_wal/" + segment, none, "WAL for replay ends"},
			{"byte of the segment where replay starts", "pg_wal/" + segment, flip(inSegment + 20), "WAL for replay ends"},
			{"label of another place", "backup_label", func(b []byte) []byte { return []byte(strings.Replace(string(b), redo, "0/200028", 1)) }, "starts replay at"},
			{"label that is none", "backup_label", flip(0), "not a label"},
			{"label of another method", "backup_label", func(b []byte) []byte { return []byte(strings.Replace(string(b), "FROM: standby", "FROM: primary", 1)) }, "standby"},
			{"history gone", "pg_wal/00000002.history", none, "history of timeline 2"},
			{"list of what was sent, cut", bundles[0] + "/sent", func(b []byte) []byte { return b[:len(b)-8] }, "without saying so"},
		}
		for _, d := range damages {
			path := d.file
			if !filepath.IsAbs(path) {
				path = filepath.Join(pair.Old.Dir(), path)
			}
			breakFile(t, path, d.do, func() {
				c := verified(t, 3, pair.Old)
				if text := fmt.Sprint(c.Faults); c.Count == 0 || !strings.Contains(text, d.want) {
					t.Errorf("%s: want a fault with %q, got %s", d.name, d.want, text)
				}
			})
		}
		afterVerify(t, pair, bundles[0])
	})
}

// sameReport wants the report of an evidence bundle, which rests on what the
// rewind has read, to say of the target what a report said before.
func sameReport(t *testing.T, before *reports.Divergence, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept reports.Divergence
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	about := func(d *reports.Divergence) []any {
		var relations []reports.RelationChange
		for _, r := range d.Relations {
			relations = append(relations, withoutSource(r))
		}
		return []any{d.Verdict, d.Fork, d.Checkpoint, d.Target, d.Transactions.Commits, d.Transactions.Open, relations, d.Events, d.Rewind.PgRewind.Blocks}
	}
	if diff := cmp.Diff(about(before), about(&kept)); diff != "" {
		t.Errorf("the bundle has another report (-before +kept):\n%s", diff)
	}
	if len(kept.SourceSide) == 0 {
		t.Error("the bundle's report does not say what the source changed, whose log was fetched for replay")
	}
}

// breakFile damages a file while something runs; nil takes it away.
func breakFile(t *testing.T, path string, do func([]byte) []byte, run func()) {
	t.Helper()
	aside := path + ".aside"
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.Rename(path, aside)
	}
	if b = do(b); err == nil && b != nil {
		if err = os.WriteFile(path, b, 0o600); err == nil {
			err = pgtest.Own(path)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	run()
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
}

// verified runs the check and wants an exit status.
func verified(t *testing.T, want int, s *pgtest.Server) *rewind.Certificate {
	t.Helper()
	status, stdout, stderr := runProgram(t, "forkpoint", nil, "verify", "-D", s.Dir(), "--format", "json")
	var c rewind.Certificate
	if err := json.Unmarshal([]byte(stdout), &c); status != want || err != nil {
		t.Errorf("exit status %d, want %d: %v\n%s%s", status, want, err, stdout, stderr)
	}
	return &c
}

// afterVerify starts the target, after which there is no way back, and looks
// at the bundle.
func afterVerify(t *testing.T, pair *pgtest.Pair, bundle string) {
	t.Helper()
	dir := pair.Old.Dir()
	for _, name := range []string{"report.txt", "report.json", "report.html", "catalog.db", "source-pg_control", "target-pg_control"} {
		if info, err := os.Stat(filepath.Join(bundle, "evidence", name)); err != nil || info.Size() == 0 {
			t.Errorf("evidence %s: %v", name, err)
		}
	}
	mustForkpoint(t, "evidence", "verify", "-D", dir)
	pair.Rejoin(false)
	pgtest.SameData(pair.Primary, pair.Standby)
	pair.Standby.Stop(pgtest.Fast)
	for _, command := range [][]string{{"rewind", "--undo"}, {"verify"}} {
		status, out := forkpoint(t, append(command, "-D", dir)...)
		if status != 6 || !strings.Contains(out, "a server has run on it since the rewind") {
			t.Errorf("%q after the start of the server: exit status %d, %s", command, status, out)
		}
	}
	mustForkpoint(t, "evidence", "drop", filepath.Base(bundle), "-D", dir)
	if out := mustForkpoint(t, "rewind", "--undo", "-D", dir); !strings.Contains(out, "Nothing to undo") {
		t.Errorf("undo without evidence: %s", out)
	}
}
