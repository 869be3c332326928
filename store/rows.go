package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// views are those that people may ask for, by the name of what is listed.
var views = map[string]string{
	"segments": "segment_list", "touched": "touched_list", "relations": "relation_activity",
	"checkpoints": "checkpoint_list", "events": "event_list", "histories": "history_list", "names": "name_list",
}

// Lists names what [Catalog.Rows] can list.
func Lists() []string {
	var names []string
	for name := range views {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Rows hands out the rows of a view, by the names of its columns. Values are
// int64, string or nil.
func (c *Catalog) Rows(ctx context.Context, list string, visit func(columns []string, values []any) error) error {
	view, known := views[list]
	if !known {
		return fmt.Errorf("there is no list of %s", list)
	}
	rows, err := c.db.QueryContext(ctx, "SELECT * FROM "+view)
	if err != nil {
		return fmt.Errorf("read catalog %s: %w", c.path, err)
	}
	defer rows.Close() // nothing was written
	if err := c.visitRows(rows, visit); err != nil {
		return fmt.Errorf("read catalog %s: %w", c.path, err)
	}
	return nil
}

func (c *Catalog) visitRows(rows *sql.Rows, visit func([]string, []any) error) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, v := range values {
			if b, isBytes := v.([]byte); isBytes {
				values[i] = string(b)
			}
		}
		if err := visit(columns, values); err != nil {
			return err
		}
	}
	return rows.Err()
}
