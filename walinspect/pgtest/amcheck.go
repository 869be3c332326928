package pgtest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// btreesToCheck lists usable B-tree indexes. Unlogged ones have no content on a
// standby.
const btreesToCheck = `
	SELECT c.oid::regclass::text FROM pg_index i
	JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
	WHERE a.amname = 'btree' AND i.indisvalid AND i.indisready AND c.relkind = 'i' AND c.relpersistence = 'p'
	ORDER BY 1`

// tablesToCheck lists tables, with those for TOAST.
const tablesToCheck = `
	SELECT c.oid::regclass::text FROM pg_class c
	WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' ORDER BY 1`

// Amcheck fails the test when a B-tree index of any database contradicts itself
// or its table (heapallindexed), or, from version 14 on, a table contradicts
// itself. It reads every page of them all, so wrong page checksums fail it too.
// It needs the extension amcheck, which every database has that was not made
// from template0.
func Amcheck(s *Server) {
	s.t.Helper()
	for _, row := range s.Query("SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1") {
		conn, err := s.connect(row[0])
		if err != nil {
			s.t.Fatal(err)
		}
		err = amcheck(conn, s.Major())
		conn.Close(context.Background())
		if err != nil {
			s.t.Errorf("amcheck of database %s of %s: %s", row[0], s, err)
		}
	}
}

func amcheck(conn *pgx.Conn, major int) error {
	indexes, err := queryText(conn, btreesToCheck)
	if err != nil {
		return err
	}
	for _, index := range indexes {
		if _, err := queryText(conn, "SELECT bt_index_check($1::regclass, true)", index[0]); err != nil {
			return fmt.Errorf("index %s: %w", index[0], err)
		}
	}
	if major < 14 {
		return nil
	}
	tables, err := queryText(conn, tablesToCheck)
	if err != nil {
		return err
	}
	for _, table := range tables {
		found, err := queryText(conn, "SELECT blkno, offnum, attnum, msg FROM verify_heapam($1::regclass)", table[0])
		if err != nil {
			return fmt.Errorf("table %s: %w", table[0], err)
		}
		if len(found) > 0 {
			return fmt.Errorf("table %s: %d findings, the first (block, line, column, message): %q", table[0], len(found), found[0])
		}
	}
	return nil
}
