package bufpage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"forkpoint/walinspect/bufpage"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

const blockSize = 8192

// pages reads a relation file's pages.
func pages(t *testing.T, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b)%blockSize != 0 {
		t.Fatalf("%s has %d bytes", path, len(b))
	}
	return slices.Collect(slices.Chunk(b, blockSize))
}

// On a cluster that was shut down every page of every relation has the right
// checksum, and with any byte changed it has not.
func TestVerifyServers(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		s.Exec("CREATE TABLE t AS SELECT n, repeat('x', 100) AS x FROM generate_series(1, 20000) n", "CREATE INDEX ON t (n)",
			"CREATE INDEX ON t USING hash (n)", "CREATE INDEX ON t USING brin (n)", "CREATE INDEX ON t USING gin ((ARRAY[n]))",
			"CREATE SEQUENCE q", "CREATE UNLOGGED TABLE u (n int PRIMARY KEY)", "INSERT INTO u VALUES (1)",
			"DELETE FROM t WHERE n % 3 = 0", "VACUUM t", "CREATE DATABASE other")
		s.Stop(pgtest.Fast)
		d, err := datadir.Open(s.Dir())
		if err != nil {
			t.Fatal(err)
		}
		forks := map[pg.ForkNumber]int{}
		for f, err := range d.Files(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if f.Rel == nil {
				continue
			}
			for i, page := range pages(t, filepath.Join(s.Dir(), f.Path)) {
				block := pg.BlockNumber(i)
				if err := bufpage.Verify(page, block); err != nil {
					t.Errorf("%s: %v", f.Path, err)
				}
				forks[f.Rel.Fork]++
				if !bufpage.Zero(page) {
					page[(i*977)%blockSize] ^= 0x10
					if bufpage.Verify(page, block) == nil {
						t.Errorf("%s block %d: change not noticed", f.Path, block)
					}
				}
			}
		}
		for fork := pg.MainFork; fork <= pg.InitFork; fork++ {
			if forks[fork] == 0 {
				t.Errorf("no page of fork %s", fork)
			}
		}
	})
}

// pageinspect shows what the server sees on the same pages.
func TestTuplesServers(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		s.Exec("CREATE EXTENSION pageinspect", "CREATE TABLE t (a int, b text, c int, d int)",
			"INSERT INTO t SELECT n, nullif('x' || n, 'x7'), nullif(n % 5, 0), n FROM generate_series(1, 300) n",
			"BEGIN; INSERT INTO t VALUES (0); ROLLBACK", "DELETE FROM t WHERE a % 4 = 0", "UPDATE t SET c = NULL WHERE a % 7 = 0",
			"BEGIN; SELECT FROM t WHERE a = 9 FOR UPDATE; COMMIT", "BEGIN; SELECT FROM t WHERE a = 10 FOR KEY SHARE; SAVEPOINT s; UPDATE t SET d = 1 WHERE a = 10; COMMIT",
			"BEGIN; DELETE FROM t WHERE a = 11; ROLLBACK", "ALTER TABLE t ADD e int", "INSERT INTO t VALUES (1, 'y', 2, 3, 4)")
		for _, table := range []string{"t", "pg_class", "pg_attribute", "pg_database"} {
			if table != "t" {
				s.Exec("VACUUM " + table) // leaves redirects and unused pointers
			}
			s.Checkpoint()
			file := filepath.Join(s.Dir(), s.Value("SELECT pg_relation_filepath('"+table+"')"))
			for i, page := range pages(t, file) {
				if i%9 > 1 { // two of nine pages are enough, for each takes some queries
					continue
				}
				h := bufpage.DecodeHeader(page)
				got := []string{h.LSN.Format(major), fmt.Sprint(h.Flags), fmt.Sprint(h.Lower), fmt.Sprint(h.Upper), fmt.Sprint(h.Special),
					fmt.Sprint(h.Size), fmt.Sprint(h.Version), h.PruneXID.String(), fmt.Sprint(bufpage.Checksum(page, pg.BlockNumber(i)))}
				want := s.Query(fmt.Sprintf(`SELECT lsn, flags, lower, upper, special, pagesize, version, prune_xid, page_checksum(p, %d) & 65535
					FROM get_raw_page('%s', %d) p, page_header(p)`, i, table, i))
				if diff := cmp.Diff(want, [][]string{got}); diff != "" {
					t.Errorf("%s block %d: header, -server +here: %s", table, i, diff)
				}
				compareItems(t, s, page, fmt.Sprintf("get_raw_page('%s', %d)", table, i))
			}
		}
	})
}

func compareItems(t *testing.T, s *pgtest.Server, page []byte, raw string) {
	t.Helper()
	var items, tuples [][]string
	for item := range bufpage.Items(page) {
		items = append(items, []string{fmt.Sprint(item.Number), fmt.Sprint(item.State), fmt.Sprint(item.Offset), fmt.Sprint(item.Length)})
	}
	for tp := range bufpage.Tuples(page) {
		present := []byte(strings.Repeat("1", tp.Attributes))
		for column := range present {
			if tp.Null(column) {
				present[column] = '0'
			}
		}
		tuples = append(tuples, []string{fmt.Sprint(tp.Item), tp.Xmin.String(), tp.Xmax.String(), string(present), fmt.Sprintf("\\x%x", tp.Data),
			fmt.Sprint(tp.Inserted()), fmt.Sprint(tp.Deleted() == bufpage.Aborted), fmt.Sprint(tp.XmaxIsGroup())})
	}
	if diff := cmp.Diff(s.Query("SELECT lp, lp_flags, lp_off, lp_len FROM heap_page_items("+raw+") ORDER BY lp"), items); diff != "" {
		t.Errorf("%s: line pointers, -server +here: %s", raw, diff)
	}
	want := s.Query(`SELECT lp, t_xmin, t_xmax,
		left(coalesce(t_bits, repeat('1', t_infomask2 & 2047)), t_infomask2 & 2047), t_data::text,
		CASE WHEN t_infomask & 256 > 0 THEN 1 WHEN t_infomask & 512 > 0 THEN 2 ELSE 0 END,
		(t_xmax = '0' OR t_infomask & 2048 > 0 OR t_infomask & 128 > 0 OR t_infomask & 4176 = 64)::text,
		(t_infomask & 4096 > 0)::text
		FROM heap_page_items(` + raw + `) WHERE t_data IS NOT NULL ORDER BY lp`)
	if diff := cmp.Diff(want, tuples); diff != "" {
		t.Errorf("%s: tuples, -server +here: %s", raw, diff)
	}
}
