package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"forkpoint/reports"
	"forkpoint/walinspect/pgtest"
)

// compared runs diff and decodes its answer. Whether it found anything that
// nobody can explain is for the test to judge.
func compared(t *testing.T, want status, args ...string) *reports.Comparison {
	t.Helper()
	out := answer(t, want, append([]string{"diff", "--format", "json"}, args...)...)
	var c reports.Comparison
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("forkpoint diff %q: %v\n%s", args, err, out)
	}
	return &c
}

func mustBeExplained(t *testing.T, when string, c *reports.Comparison) {
	t.Helper()
	for _, f := range c.Files {
		for _, reason := range []reports.Reason{reports.ReasonUnexplained, reports.ReasonChecksum} {
			if !f.Blocks[reason].Empty() || f.Reason == reason {
				t.Errorf("%s: %s (%v): %s, blocks %s, sizes %d and %d", when, f.Path, f.Name, reason, f.Blocks[reason], f.SizeA, f.SizeB)
			}
		}
	}
	t.Logf("%s: %d files, %d blocks; by reason %v, other files %v; evidence %v", when, c.Totals.Files, c.Totals.Blocks, c.Totals.ByReason, c.Totals.FilesBy, c.Evidence)
}

// TestDiffAfterRewind audits rewinds, pg_rewind's and ours: before, right after
// and when the old primary has replayed, no block may be unexplained.
func TestDiffAfterRewind(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) { auditRewind(t, major, "forkpoint") })
	t.Run("pg_rewind", func(t *testing.T) {
		pgtest.TheseMajors(t, pgtest.OracleMajors(t, "pg_rewind"), func(t *testing.T, major int) { auditRewind(t, major, "pg_rewind") })
	})
}

func auditRewind(t *testing.T, major int, tool string) {
	opts := []pgtest.Option{pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("wal_keep_size", "512MB"),
		pgtest.Conf("max_prepared_transactions", "5"), pgtest.Conf("wal_log_hints", "on"), pgtest.Conf("allow_in_place_tablespaces", "on")}
	pair := pgtest.NewPair(t, opts...)
	pair.Primary.Workload("common", 200)
	pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Workload(side, 200) })
	old, source := pair.Old, pair.Primary

	// A live server has pages that are not in its files yet.
	source.Checkpoint()
	before := compared(t, statusDone, old.Dir(), source.ConnString())
	if before.Totals.ByReason[reports.ReasonTarget] == 0 {
		t.Error("nothing was changed by the target alone")
	}
	mustBeExplained(t, "diverged, live source", before)

	source.Stop(pgtest.Fast)
	mustBeExplained(t, "diverged", compared(t, statusDone, old.Dir(), source.Dir()))
	if tool == "pg_rewind" {
		if out, err := old.PgRewind("--source-pgdata", source.Dir()); err != nil {
			t.Fatalf("pg_rewind: %v\n%s", err, out)
		}
	} else {
		mustForkpoint(t, "rewind", "-D", old.Dir(), "--source-pgdata", source.Dir())
	}
	mustBeExplained(t, "rewound", compared(t, statusDone, old.Dir(), source.Dir()))

	source.Start()
	pair.Rejoin(true)
	for _, s := range []*pgtest.Server{pair.Primary, pair.Standby} {
		s.Stop(pgtest.Fast)
	}
	after := compared(t, statusDone, pair.Standby.Dir(), pair.Primary.Dir())
	mustBeExplained(t, "replayed", after)
	for reason := range after.Totals.ByReason {
		if !slices.Contains([]reports.Reason{reports.ReasonHints, reports.ReasonNotLogged, reports.ReasonPending}, reason) {
			t.Errorf("replayed: %d blocks for the reason %s", after.Totals.ByReason[reason], reason)
		}
	}
	breakBlock(t, pair)
}

// breakBlock changes one byte of a table and expects to be told where.
func breakBlock(t *testing.T, pair *pgtest.Pair) {
	t.Helper()
	c := compared(t, statusDone, pair.Standby.Dir(), pair.Primary.Dir(), "--relation", "postgres.common.plain")
	if c.Totals.Files == 0 {
		t.Fatal("the table was not found by its name")
	}
	pair.Primary.Start()
	path := pair.Primary.Value("SELECT pg_relation_filepath('common.plain')")
	pair.Primary.Stop(pgtest.Fast)
	f, err := os.OpenFile(filepath.Join(pair.Standby.Dir(), path), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	const at = 8192*2 - 3 // in the data of the second block's first tuple
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{b[0] ^ 0x10}, at); err != nil {
		t.Fatal(err)
	}
	c = compared(t, statusFindings, pair.Standby.Dir(), pair.Primary.Dir(), "--relation", "postgres.common.plain")
	found := ""
	for _, f := range c.Files {
		for _, reason := range []reports.Reason{reports.ReasonUnexplained, reports.ReasonChecksum} {
			if set := f.Blocks[reason]; !set.Empty() {
				found += fmt.Sprintf("%s %s", f.Path, set)
			}
		}
	}
	if found != path+" 1" {
		t.Errorf("a changed byte in block 1 of %s was found as %q", path, found)
	}
}
