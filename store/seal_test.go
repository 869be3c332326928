package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// unsealed are columns that no decision of a rewind rests on, or which tie rows
// together: with another value there the row is another segment's, or none.
var unsealed = map[string]string{
	"segments":     "id cluster_id commits aborts prepares first_time last_time min_xid max_xid indexed_at",
	"checkpoints":  "segment_id",
	"events":       "segment_id",
	"touched":      "segment_id relation_id",
	"rmgr_counts":  "segment_id",
	"transactions": "segment_id",
	"relations":    "id cluster_id",
	"seals":        "segment_id",
}

// TestSealEveryColumn: whatever column of what a rewind rests on is not as it was
// written, the segment is damaged.
func TestSealEveryColumn(t *testing.T) {
	c, _ := openFile(t)
	path := c.Path()
	stored := everything()
	if err := c.Save(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if err := loadStored(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for table, skip := range unsealed {
		for column, kind := range columnsIn(t, c, table) {
			if slices.Contains(strings.Fields(skip), column) {
				continue
			}
			change := map[string]string{"INTEGER": column + " + 1000003", "TEXT": column + " || 'x'", "BLOB": "CAST(x'EE' || substr(" + column + ", 2) AS BLOB)"}[kind]
			switch column {
			case "shutdown", "full_page_writes", "complete":
				change = "1 - " + column
			case "fork":
				change = column + " + 1" // there are sixteen
			case "restored_count":
				change = column + " - 1" // no more than there are blocks
			}
			run(t, path, fmt.Sprintf("CREATE TABLE kept AS SELECT %[2]s FROM %[1]s WHERE %[2]s IS NOT NULL LIMIT 1", table, column))
			where := fmt.Sprintf("FROM %s WHERE %s = (SELECT * FROM kept)", table, column)
			before := rowsOf(t, c, "SELECT * "+where)
			run(t, path, fmt.Sprintf("UPDATE OR IGNORE %s SET %s = %s WHERE %s = (SELECT * FROM kept)", table, column, change, column))
			if after := rowsOf(t, c, "SELECT * "+where); before == 0 || after >= before {
				t.Fatalf("%s.%s: nothing changed in %d rows", table, column, before)
			}
			tried++
			if err := loadStored(t.Context(), c); err == nil {
				t.Errorf("%s.%s: a change is not seen", table, column)
			}
			run(t, path, "DROP TABLE kept")
			if _, err := c.Prune(t.Context(), Cut{}); err != nil {
				t.Fatal(err)
			}
			if err := c.Save(t.Context(), stored); err != nil {
				t.Fatal(err)
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d columns were changed", tried)
	}
}

// loadStored loads the only segment there is.
func loadStored(ctx context.Context, c *Catalog) error {
	list, err := c.Segments(ctx, everything().SystemID, everything().SegmentSize)
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return fmt.Errorf("%d segments", len(list))
	}
	return errors.Join(c.Load(ctx, list[0]), c.LoadMarks(ctx, list[0]))
}

func columnsIn(t *testing.T, c *Catalog, table string) map[string]string {
	t.Helper()
	kinds := map[string]string{}
	err := c.query(t.Context(), "SELECT name, type FROM pragma_table_info(?)", []any{table}, func(scan scanFunc) error {
		var name, kind string
		err := scan(&name, &kind)
		kinds[name] = kind
		return err
	})
	if err != nil || len(kinds) == 0 {
		t.Fatalf("columns of %s: %v", table, err)
	}
	return kinds
}

func rowsOf(t *testing.T, c *Catalog, query string) (n int) {
	t.Helper()
	if err := c.query(t.Context(), query, nil, func(scanFunc) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSealOfEnd: a segment that grew has another end, and is sound.
func TestSealOfEnd(t *testing.T) {
	c := openMemory(t)
	first := everything()
	first.Complete, first.Stop = false, "clean end"
	if err := c.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(t.Context(), everything()); err != nil {
		t.Fatal(err)
	}
	if err := loadStored(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// TestUnsealed: what was stored before there were seals can be loaded.
func TestUnsealed(t *testing.T) {
	c, _ := openFile(t)
	path := c.Path()
	if err := c.Save(t.Context(), everything()); err != nil {
		t.Fatal(err)
	}
	run(t, path, "UPDATE touched SET records = records + 1")
	var damaged *DamagedError
	if err := loadStored(t.Context(), c); !errors.As(err, &damaged) {
		t.Errorf("sealed: %v", err)
	}
	run(t, path, "DELETE FROM seals")
	if err := loadStored(t.Context(), c); err != nil {
		t.Errorf("not sealed: %v", err)
	}
}
