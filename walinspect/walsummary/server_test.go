package walsummary_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
	"forkpoint/walinspect/walsummary"
)

// A server's own reading of its summaries, pg_wal_summary_contents, is equal.
func TestServers(t *testing.T) {
	pgtest.EachMajorFrom(t, 17, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1), pgtest.Conf("summarize_wal", "on"))
		s.CreateTablespace("outside")
		s.Exec("CREATE TABLE t (n int, x text)", "INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 30000) n",
			"CREATE INDEX ON t (n)", "CREATE TABLE gone AS TABLE t", "CHECKPOINT",
			"UPDATE t SET x = 'y' WHERE n % 100 = 0", "CREATE DATABASE other TABLESPACE outside STRATEGY file_copy", "CHECKPOINT",
			"DELETE FROM t WHERE n > 20000", "VACUUM t", "DROP TABLE gone", "CREATE UNLOGGED TABLE u (n int)", "DROP DATABASE other",
			"UPDATE t SET x = 'z'", "TRUNCATE u", "CHECKPOINT")
		written := s.Value("SELECT redo_lsn FROM pg_control_checkpoint()")
		s.Await("summaries", func() (bool, error) {
			rows, err := s.TryQueryIn("postgres", "SELECT max(end_lsn) >= $1::pg_lsn FROM pg_available_wal_summaries()", written)
			return err == nil && rows[0][0] == "t", err
		})

		files, err := os.ReadDir(filepath.Join(s.Dir(), "pg_wal/summaries"))
		if err != nil {
			t.Fatal(err)
		}
		var names []walsummary.Name
		limits, blocks, databases := 0, 0, 0
		for _, f := range files {
			name, is := walsummary.ParseName(f.Name())
			if !is {
				continue
			}
			names = append(names, name)
			b, err := os.ReadFile(filepath.Join(s.Dir(), "pg_wal/summaries", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			summary, err := walsummary.Decode(b)
			if err != nil {
				t.Fatalf("%s: %v", f.Name(), err)
			}
			var got [][]string
			add := func(e walsummary.Entry, block pg.BlockNumber, limit bool) {
				got = append(got, []string{e.Rel.Spc.String(), e.Rel.DB.String(), e.Rel.Rel.String(), fmt.Sprint(uint8(e.Rel.Fork)), fmt.Sprint(block), fmt.Sprint(limit)})
			}
			for e := range summary.Entries() {
				if e.WholeDatabase() {
					databases++
				}
				if e.Limit != pg.InvalidBlock {
					add(e, e.Limit, true)
					limits++
				}
				for block := range e.Blocks() {
					add(e, block, false)
					blocks++
				}
			}
			want := s.Query(`SELECT reltablespace, reldatabase, relfilenode, relforknumber, relblocknumber, is_limit_block::text
				FROM pg_wal_summary_contents($1::text::bigint, $2::text::pg_lsn, $3::text::pg_lsn)`,
				name.Timeline.String(), name.Span.From.String(), name.Span.To.String())
			slices.SortFunc(got, slices.Compare)
			slices.SortFunc(want, slices.Compare)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, -server +here:\n%s", f.Name(), diff)
			}
		}
		if len(names) < 3 || limits < 10 || blocks < 2000 || databases == 0 {
			t.Errorf("%d files with %d limits, %d blocks and %d databases: too few to tell", len(names), limits, blocks, databases)
		}
		used, missing := walsummary.Cover(names, 1, pg.Span{From: names[0].Span.From, To: names[len(names)-1].Span.To})
		if diff := cmp.Diff(names, used); diff != "" || missing != nil {
			t.Errorf("missing %v, %s", missing, diff)
		}
	})
}
