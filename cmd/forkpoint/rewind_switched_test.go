package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forkpoint/walinspect/pgtest"
)

// TestRewindChecksumsSwitched: the old primary goes on past the fork without
// checksums, so that it marks index entries dead without any log of it, and gets
// checksums afterwards. What its control file says then is no proof that hints
// were logged: rows that the source has would not be found by the index.
func TestRewindChecksumsSwitched(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_checksums") {
		for _, when := range []string{"after the last stop", "between two runs"} {
			t.Run(when, func(t *testing.T) {
				t.Parallel()
				pair := pgtest.NewPair(t, trapOptions(major, pgtest.NoChecksums(), pgtest.Conf("autovacuum", "off"))...)
				enable := func(s *pgtest.Server) {
					s.Stop(pgtest.Fast)
					if _, _, err := s.Program("pg_checksums", "--enable", "-D", s.Dir()); err != nil {
						t.Fatal(err)
					}
				}
				pair.Primary.Exec("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 2000) i", "CHECKPOINT")
				pair.Split()
				old, source := pair.Old, pair.Primary
				old.Exec("DELETE FROM t WHERE id BETWEEN 1001 AND 1100", lookUp, lookUp, "CHECKPOINT")
				source.Exec("CREATE TABLE later AS SELECT 1 AS n")
				enable(old)
				if when == "between two runs" {
					old.Start()
					old.Exec("CREATE TABLE lost AS SELECT 1 AS n")
					old.Stop(pgtest.Fast)
				}
				enable(source)
				source.Start()
				// A standby does not heed dead index entries.
				out := bothNames[0].run(t, 0, old, "--source-server", source.ConnString(), "-R")
				if !strings.Contains(strings.Join(strings.Fields(out), " "), "for pg_checksums may have switched data checksums on") {
					t.Errorf("no word of it: %s", out)
				}
				old.Start()
				source.WaitCaughtUp(old)
				pgtest.SameData(source, old)
				const query = "SELECT count(v) FROM generate_series(1001, 1100) g, LATERAL (SELECT v FROM t WHERE id = g OFFSET 0) x"
				want := source.Value(query)
				source.Stop(pgtest.Fast)
				old.Promote()
				if got := old.Value(query); got != want {
					t.Errorf("by the index %s rows are found, want %s", got, want)
				}
				pgtest.Amcheck(old)
			})
		}
	}
}

// TestRewindChecksumsOffAndOn: checksums are on before the fork and today. They
// were off while a server ran in between, which left the oldest pages as they
// are, checksums and times.
func TestRewindChecksumsOffAndOn(t *testing.T) {
	for _, major := range pgtest.OracleMajors(t, "pg_checksums") {
		t.Run(fmt.Sprintf("pg%d", major), func(t *testing.T) {
			t.Parallel()
			pair := pgtest.NewPair(t, trapOptions(major, pgtest.Conf("autovacuum", "off"))...)
			pair.Primary.Exec("CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'shared' FROM generate_series(1, 2000) i", "CHECKPOINT")
			pair.Split()
			old, source := pair.Old, pair.Primary
			source.Exec("CREATE TABLE later AS SELECT 1 AS n")
			switched := func(how string) {
				old.Stop(pgtest.Fast)
				if _, _, err := old.Program("pg_checksums", how, "-D", old.Dir()); err != nil {
					t.Fatal(err)
				}
				old.Start()
			}
			old.Exec("CREATE TABLE lost AS SELECT 1 AS n")
			old.Stop(pgtest.Fast)
			lastWritten(t, old, "base/1", -time.Hour)
			old.Start()
			switched("--disable")
			old.Exec("DELETE FROM t WHERE id BETWEEN 1001 AND 1100", lookUp, lookUp, "CHECKPOINT")
			switched("--enable")
			old.Exec("CREATE TABLE again AS SELECT 1 AS n")
			old.Stop(pgtest.Fast)
			// A standby does not heed dead index entries.
			out := bothNames[0].run(t, 0, old, "--source-server", source.ConnString(), "-R")
			if !strings.Contains(strings.Join(strings.Fields(out), " "), "for pg_checksums may have switched data checksums on") {
				t.Errorf("no word of it: %s", out)
			}
			old.Start()
			source.WaitCaughtUp(old)
			const query = "SELECT count(v) FROM generate_series(1001, 1100) g, LATERAL (SELECT v FROM t WHERE id = g OFFSET 0) x"
			want := source.Value(query)
			source.Stop(pgtest.Fast)
			old.Promote()
			if got := old.Value(query); got != want {
				t.Errorf("by the index %s rows are found, want %s", got, want)
			}
			pgtest.Amcheck(old)
		})
	}
}

// TestRewindKeptChecksums: where nobody has switched anything, and nobody can
// have, no index is searched: the server was not stopped since the fork, or is of
// a version whose pg_checksums would have written every page.
func TestRewindKeptChecksums(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		t.Parallel()
		for _, again := range []bool{false, true} {
			pair := pgtest.NewPair(t, trapOptions(major)...)
			pair.Primary.Exec("CREATE TABLE t AS SELECT 1 AS n", "CHECKPOINT")
			pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) { s.Exec("CREATE TABLE " + side + " AS SELECT 1 AS n") })
			if again {
				pair.Old.Start()
				pair.Old.Exec("CREATE TABLE again AS SELECT 1 AS n")
				pair.Old.Stop(pgtest.Fast)
				lastWritten(t, pair.Old, "base/1", -time.Hour)
			}
			searched := again && major >= 14
			if out := rewound(t, pair); strings.Contains(out, "pg_checksums") != searched {
				t.Errorf("started again %v: want the indexes searched %v: %s", again, searched, out)
			}
		}
	})
}
