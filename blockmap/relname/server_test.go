package relname_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"forkpoint/blockmap/relname"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgtest"
)

// current are the names that are not former.
func current(n *relname.Names) map[string]relname.Name {
	found := map[string]relname.Name{}
	for at, name := range n.All() {
		if !name.Former {
			found[at.String()] = name
		}
	}
	return found
}

func offline(t *testing.T, s *pgtest.Server) *relname.Names {
	t.Helper()
	d, err := datadir.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	names, err := relname.Offline(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range names.Skipped() {
		t.Error(err)
	}
	return names
}

// live asks for the names of every database, template0 too.
func live(t *testing.T, s *pgtest.Server) *relname.Names {
	t.Helper()
	s.Exec("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
	config, err := pgx.ParseConfig(s.ConnString())
	if err != nil {
		t.Fatal(err)
	}
	names, err := relname.LiveAll(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range names.Skipped() {
		t.Error(err)
	}
	return names
}

func locator(t *testing.T, s *pgtest.Server, relation string) pg.RelFileLocator {
	t.Helper()
	row := s.Query(`SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace), d.oid, pg_relation_filenode(c.oid)
		FROM pg_class c, pg_database d WHERE c.oid = $1::text::regclass AND d.datname = current_database()`, relation)[0]
	var at pg.RelFileLocator
	if _, err := fmt.Sscan(strings.Join(row, " "), &at.Spc, &at.DB, &at.Rel); err != nil {
		t.Fatal(err)
	}
	return at
}

// What is read from the files of a stopped server is what it said before.
func TestOfflineEqualsLive(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		s.CreateTablespace("outside")
		s.Exec("CREATE DATABASE other TABLESPACE outside", `CREATE DATABASE "odd ""name"""`, "CREATE SCHEMA fp",
			"CREATE TABLE fp.plain (n int PRIMARY KEY, t text)", "CREATE TABLE fp.moved (t text) TABLESPACE outside",
			"CREATE INDEX moved_i ON fp.moved (t) TABLESPACE outside", "CREATE UNLOGGED TABLE fp.unlogged (n serial)",
			"CREATE MATERIALIZED VIEW fp.mat AS SELECT 1 AS n", "CREATE VIEW fp.v AS SELECT 1 AS n", `CREATE TABLE "Ünïcode tàble" (n int)`,
			"CREATE TABLE fp.parted (n int) PARTITION BY RANGE (n)", "CREATE TABLE fp.part1 PARTITION OF fp.parted FOR VALUES FROM (1) TO (9)",
			"CREATE INDEX ON fp.parted (n)",
			"CREATE TEMPORARY TABLE passing (n int)", // gone before the shutdown
			"BEGIN; CREATE TABLE fp.never (n int); ROLLBACK",
			"BEGIN; CREATE TABLE fp.partly (n int); SAVEPOINT s; ALTER TABLE fp.partly RENAME TO wrong; ROLLBACK TO s; COMMIT",
			"BEGIN; SAVEPOINT s; CREATE TABLE fp.nested (n int); RELEASE s; COMMIT",
			"CREATE TABLE fp.dropped (n int)", "DROP TABLE fp.dropped", "CREATE TABLE fp.renamed_before (n int)",
			"ALTER TABLE fp.renamed_before RENAME TO renamed",
			"BEGIN; CREATE TABLE fp.prepared (n int); PREPARE TRANSACTION 'p'",
			"BEGIN; SELECT FROM pg_class WHERE relname = 'plain' FOR UPDATE; COMMIT")
		s.ExecIn("other", "CREATE TABLE elsewhere (t text)", "VACUUM FULL pg_class", "REINDEX TABLE pg_class")
		s.Exec("INSERT INTO fp.plain SELECT n, repeat('x', 10) FROM generate_series(1, 100) n", "TRUNCATE fp.plain", "VACUUM FULL pg_proc")
		s.Exec(`DO $$BEGIN FOR i IN 1..300 LOOP EXECUTE 'CREATE TABLE many_' || i || ' (n int)'; END LOOP; END$$`) // pg_class grows over some pages
		want := live(t, s)
		plain := locator(t, s, "fp.plain")
		s.Stop(pgtest.Fast)
		got := offline(t, s)

		if diff := cmp.Diff(current(want), current(got)); diff != "" {
			t.Errorf("-live +offline:\n%s", diff)
		}
		if want.Len() < 4*300 {
			t.Errorf("only %d names", want.Len())
		}
		if name, _ := got.Lookup(plain); name.Relation != "plain" || name.Schema != "fp" || name.Database != "postgres" || name.Kind != relname.Table {
			t.Errorf("fp.plain: %+v", name)
		}
		owners := 0
		for _, name := range current(got) {
			if name.Kind == relname.Index && name.Schema == "pg_toast" && name.OwnerIs.Relation == "plain" {
				owners++
			}
		}
		if owners != 1 {
			t.Errorf("%d indexes of the TOAST table of fp.plain", owners)
		}
		for at := range got.All() {
			for name, lookup := range map[string][2]func(pg.OID) (string, bool){"database": {want.Database, got.Database}, "tablespace": {want.Tablespace, got.Tablespace}} {
				oid := at.DB
				if name == "tablespace" {
					oid = at.Spc
				}
				w, _ := lookup[0](oid)
				if g, _ := lookup[1](oid); g != w || w == "" && oid != 0 {
					t.Errorf("%s %d: live %q, offline %q", name, oid, w, g)
				}
			}
		}
	})
}

// A file number that a relation had before can be named as long as the row
// version lies on its page.
func TestFormer(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, major int) {
		s := pgtest.Run(t, pgtest.Major(major), pgtest.SegSize(1))
		s.Exec("CREATE TABLE rewritten (n int)", "CREATE TABLE dropped (n int)")
		before, dropped := locator(t, s, "rewritten"), locator(t, s, "dropped")
		s.Exec("BEGIN; TRUNCATE rewritten; DROP TABLE dropped; COMMIT")
		now := locator(t, s, "rewritten")
		s.Stop(pgtest.Fast)
		names := offline(t, s)
		for _, tt := range []struct {
			at       pg.RelFileLocator
			relation string
			former   bool
		}{{now, "rewritten", false}, {before, "rewritten", true}, {dropped, "dropped", true}} {
			if name, found := names.Lookup(tt.at); !found || name.Relation != tt.relation || name.Former != tt.former {
				t.Errorf("%s: %+v, want %s, former %t", tt.at, name, tt.relation, tt.former)
			}
		}
	})
}

// After a crash and with damage the rest is still read.
func TestDamaged(t *testing.T) {
	s := pgtest.Run(t, pgtest.SegSize(1))
	s.Exec("CREATE DATABASE broken", "CREATE TABLE kept (n int)", "CHECKPOINT", "CREATE TABLE late (n int)")
	kept := locator(t, s, "kept")
	broken := s.Value("SELECT oid FROM pg_database WHERE datname = 'broken'")
	class := s.Value("SELECT pg_relation_filepath('pg_class')")
	s.Stop(pgtest.Immediate)
	all := maps.Collect(offline(t, s).All())
	if all[kept].Relation != "kept" {
		t.Errorf("kept: %+v", all[kept])
	}

	if err := os.Remove(filepath.Join(s.Dir(), "base", broken, "pg_filenode.map")); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(s.Dir(), class), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("\xFF", 8192)), 8192); err != nil {
		t.Fatal(err)
	}
	d, err := datadir.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	names, err := relname.Offline(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	skipped := fmt.Sprint(names.Skipped())
	if len(names.Skipped()) != 2 || !strings.Contains(skipped, "database broken") || !strings.Contains(skipped, class+" block 1") {
		t.Errorf("skipped: %s", skipped)
	}
	if n := names.Len(); n < len(all)/2 || n >= len(all) {
		t.Errorf("%d names of %d", n, len(all))
	}
}
