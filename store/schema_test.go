package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// run executes statements on a file with a connection of its own.
func run(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite3", fileURL(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// blocks returns the fenced blocks of a kind in a Markdown text.
func blocks(text, kind string) []string {
	var list []string
	for _, part := range strings.Split(text, "\n```"+kind+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```\n")
		list = append(list, block)
	}
	return list
}

// The sql blocks of SCHEMA.md are the schema, statement by statement.
func TestSchemaDocument(t *testing.T) {
	document, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	c := openMemory(t)
	var schema []string
	err = c.query(t.Context(), "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid", nil, func(scan scanFunc) error {
		var text string
		err := scan(&text)
		schema = append(schema, text+";")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	described := strings.Split(strings.Join(blocks(string(document), "sql"), "\n\n"), "\n\n")
	if diff := gocmp.Diff(schema, described); diff != "" {
		t.Errorf("SCHEMA.md differs from the migrated schema (-schema +document):\n%s", diff)
	}
}

// The examples of SCHEMA.md run and find something.
func TestSchemaExamples(t *testing.T) {
	document, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	c := openMemory(t)
	if err := c.Save(t.Context(), everything(), oltp(4)); err != nil {
		t.Fatal(err)
	}
	history := HistoryFile{SystemID: testSystem, Timeline: 2, Content: []byte("1\t0/3000060\tno recovery target specified\n"), Seen: at(0)}
	name := RelationName{Storage: relFork(16384, 0).RelFileLocator, Name: pg.QualifiedName{Database: "shop", Schema: "public", Relation: "orders"}, Kind: "table", Seen: at(0)}
	if err := errors.Join(c.SaveHistory(t.Context(), history), c.SaveNames(t.Context(), testSystem, []RelationName{name})); err != nil {
		t.Fatal(err)
	}
	examples := blocks(string(document), "sqlite")
	for _, view := range views {
		if !strings.Contains(strings.Join(examples, "\n"), view) {
			t.Errorf("no example asks the view %s", view)
		}
	}
	for _, example := range examples {
		rows := 0
		if err := c.query(t.Context(), example, nil, func(scanFunc) error { rows++; return nil }); err != nil || rows == 0 {
			t.Errorf("%s\n%d rows, %v", example, rows, err)
		}
	}
}

// What a catalog of an older version has of segments with records of SP-GiST
// goes, so that they are read again; the rest stays.
func TestMigrationDropsSPGiST(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	c, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	heap, spgist := everything(), everything()
	spgist.Name.Number++
	spgist.Digest[0]++
	spgist.Identity = "4:5:6"
	spgist.Rmgrs = append(spgist.Rmgrs, blockmap.RmgrCount{Rmgr: pg.RmgrSPGist, Op: 0x10, Records: 1, Bytes: 80})
	if err := c.Save(t.Context(), heap, spgist); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, path, "DROP TABLE xid_ranges; DROP TABLE seals; PRAGMA user_version = 2")
	if c, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer c.Close() // read only
	for seg, want := range map[*blockmap.Segment]int{heap: 1, spgist: 0} {
		if kept, err := c.Variants(t.Context(), seg.Key()); err != nil || len(kept) != want {
			t.Errorf("segment %d: %d readings, %v; want %d", seg.Name.Number, len(kept), err, want)
		}
	}
}
