package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forkpoint/walinspect/pgtest"
)

// TestRewindNewTablespace: a tablespace that only the source has goes where
// --tablespace-mapping says, and without it the run is refused where that
// would write into the source.
func TestRewindNewTablespace(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		pair := pgtest.NewPair(t, trapOptions(major)...)
		pair.Primary.Exec("CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i", "CHECKPOINT")
		var location string
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
			if side == "new" {
				location = s.CreateTablespace("far")
				s.Exec("CREATE TABLE far_t TABLESPACE far AS SELECT i FROM generate_series(1, 3000) i")
			}
		})
		// The directory is not empty on this machine, for it is the source's.
		args := []string{"--source-server", pair.Primary.ConnString(), "-R"}
		before := treeState(t, pair.Old.Dir())
		out := bothNames[0].run(t, 6, pair.Old, args...)
		if !strings.Contains(out, "--tablespace-mapping="+location) {
			t.Errorf("no word of the mapping: %s", out)
		}
		if got := changedFiles(before, treeState(t, pair.Old.Dir())); len(got) > 0 {
			t.Errorf("the refused run changed %q", got)
		}
		// With it replay would lead the link back to the source's directory, and
		// empty that: only where the tablespace is older does a mapping hold.
		args = append(args, "--tablespace-mapping="+location+"="+filepath.Join(pair.Old.Home(), "far"))
		if out := bothNames[0].run(t, 6, pair.Old, args...); !strings.Contains(out, "replay makes its link again") {
			t.Errorf("no word of replay: %s", out)
		}
		if got := changedFiles(before, treeState(t, pair.Old.Dir())); len(got) > 0 {
			t.Errorf("the refused run changed %q", got)
		}
		if n := pair.Primary.Value("SELECT count(*) FROM far_t"); n != "3000" {
			t.Errorf("the source has %s rows", n)
		}
	})
}

// TestRewindMappedTablespace: a tablespace that the target dropped after the
// fork comes back where --tablespace-mapping says.
func TestRewindMappedTablespace(t *testing.T) {
	trapMajors(t, func(t *testing.T, major int) {
		primary := pgtest.Run(t, trapOptions(major)...)
		primary.CreateTablespace("far")
		primary.Exec("CREATE TABLE far_t TABLESPACE far AS SELECT i, 'shared' AS v FROM generate_series(1, 3000) i")
		pair := primary.Pair()
		pair.Primary.Checkpoint()
		pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
			if side == "old" {
				s.Exec("DROP TABLE far_t", "DROP TABLESPACE far")
			} else {
				s.Exec("UPDATE far_t SET v = 'new' WHERE i % 4 = 0")
			}
		})
		links, err := filepath.Glob(filepath.Join(pair.Primary.Dir(), "pg_tblspc/*"))
		if err != nil || len(links) != 1 {
			t.Fatalf("links %q, %v", links, err)
		}
		location, err := os.Readlink(links[0])
		if err != nil {
			t.Fatal(err)
		}
		mapped := filepath.Join(pair.Old.Home(), "mapped")
		old := pair.Old
		rewound(t, pair, "--tablespace-mapping="+location+"="+mapped)
		if to, err := os.Readlink(filepath.Join(old.Dir(), "pg_tblspc", filepath.Base(links[0]))); to != mapped {
			t.Errorf("the link leads to %q, %v; want %q", to, err, mapped)
		}
	})
}

// TestRewindDatabaseCopies: replay copies a database that was made by file
// copy once more, from what its template is by then. That is refused where it
// would be another's content, and else does no harm.
func TestRewindDatabaseCopies(t *testing.T) {
	cases := map[string]struct {
		after   []string // at the source, after CREATE DATABASE copy
		inModel []string // there too, in the template
		refused string   // "" if the rewind goes through
	}{
		"template unchanged": {[]string{"CREATE TABLE other (a int)"}, []string{"SELECT count(*) FROM pg_class"}, ""},
		"template changed":   {nil, []string{"CREATE TABLE later (a int)"}, "was changed since"},
		"template dropped":   {[]string{"DROP DATABASE model"}, nil, "was dropped or moved"},
		"database moved":     {[]string{"ALTER DATABASE lives SET TABLESPACE pg_default"}, nil, "was dropped or moved"},
		"made and moved":     {[]string{"CREATE DATABASE young TABLESPACE inside", "ALTER DATABASE young SET TABLESPACE pg_default"}, nil, ""},
		"copy dropped too":   {[]string{"DROP DATABASE model", "DROP DATABASE copy"}, nil, ""},
	}
	pgtest.TheseMajors(t, []int{14, 17}, func(t *testing.T, major int) {
		strategy := ""
		if major >= 15 {
			strategy = " STRATEGY file_copy"
		}
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pair := pgtest.NewPair(t, trapOptions(major)...)
				pair.Primary.Exec("CREATE DATABASE model", "CREATE TABLESPACE inside LOCATION ''", "CREATE DATABASE lives TABLESPACE inside", "CREATE TABLE t AS SELECT i, 'shared' AS v FROM generate_series(1, 300) i")
				pair.Primary.Checkpoint()
				pair.Diverge(pgtest.Fast, func(s *pgtest.Server, side string) {
					s.Exec("UPDATE t SET v = '" + side + "' WHERE i % 4 = 0")
					if side == "new" {
						s.Exec("CREATE DATABASE copy TEMPLATE model" + strategy)
						s.ExecIn("model", c.inModel...)
						s.Exec(c.after...)
					}
				})
				if c.refused == "" {
					rewound(t, pair)
					return
				}
				before := treeState(t, pair.Old.Dir())
				out := bothNames[0].run(t, 6, pair.Old, "--source-server", pair.Primary.ConnString(), "-R")
				if !strings.Contains(out, c.refused) {
					t.Errorf("no word of %q: %s", c.refused, out)
				}
				if got := changedFiles(before, treeState(t, pair.Old.Dir())); len(got) > 0 {
					t.Errorf("the refused run changed %q", got)
				}
			})
		}
	})
}
