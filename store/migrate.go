package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// applicationID marks a SQLite file as a catalog: "4kpt".
const applicationID = 0x346b7074

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the newest migration.
const schemaVersion = 5

// checkApplication refuses files that are not SQLite databases, and databases
// of others, before anything is changed in them.
func (c *Catalog) checkApplication(ctx context.Context) error {
	var id, objects int
	err := c.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
	if err == nil {
		err = c.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects)
	}
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrNotADB {
		return fmt.Errorf("%s: %w: it is not a SQLite database", c.path, ErrNotCatalog)
	}
	if err != nil {
		return fmt.Errorf("open catalog %s: %w", c.path, err)
	}
	if id != applicationID && (id != 0 || objects > 0) {
		return fmt.Errorf("%s: %w: it is a SQLite database of another program", c.path, ErrNotCatalog)
	}
	return nil
}

func (c *Catalog) version(ctx context.Context) (int, error) {
	var v int
	if err := c.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("open catalog %s: %w", c.path, err)
	}
	return v, nil
}

func (c *Catalog) requireCurrent(ctx context.Context) error {
	v, err := c.version(ctx)
	if err != nil {
		return err
	}
	if v == 0 {
		return fmt.Errorf("%s: %w: it is empty", c.path, ErrNotCatalog)
	}
	if v != schemaVersion {
		return &VersionError{Path: c.path, Version: v, Known: schemaVersion}
	}
	return nil
}

// migrate brings the schema up to date.
func (c *Catalog) migrate(ctx context.Context) error {
	v, err := c.version(ctx)
	if err != nil {
		return err
	}
	if v > schemaVersion {
		return &VersionError{Path: c.path, Version: v, Known: schemaVersion}
	}
	if v == 0 {
		// Not within a transaction, and a file stays in this mode.
		if _, err := c.db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
			return fmt.Errorf("open catalog %s: %w", c.path, err)
		}
	}
	if v == schemaVersion {
		return nil
	}
	return c.write(ctx, func(tx *sql.Tx) error { // one, for each waits for the disk
		for ; v < schemaVersion; v++ {
			if err := step(ctx, tx, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// step runs the migration that follows version from, unless another process
// was faster.
func step(ctx context.Context, tx *sql.Tx, from int) error {
	var now int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&now); err != nil || now != from {
		return err
	}
	name := fmt.Sprintf("migrations/%04d.sql", from+1)
	script, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, from+1)
	for _, text := range []string{string(script), mark} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
