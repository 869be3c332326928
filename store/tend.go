package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"forkpoint/walinspect/pg"
)

// Sizes tell how much a catalog holds.
type Sizes struct {
	FileBytes int64 // of the database, what is free in it included
	FreeBytes int64 // given back by Compact
	WALBytes  int64 // of the segments' records
	Relations int64 // forks
	Names     int64
}

const selectSizes = `SELECT
    (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size),
    (SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size),
    (SELECT coalesce(sum(wal_bytes), 0) FROM segments),
    (SELECT count(*) FROM relations), (SELECT count(*) FROM relation_names)`

// Sizes measures the catalog.
func (c *Catalog) Sizes(ctx context.Context) (s Sizes, err error) {
	err = c.query(ctx, selectSizes, nil, func(scan scanFunc) error {
		return scan(&s.FileBytes, &s.FreeBytes, &s.WALBytes, &s.Relations, &s.Names)
	})
	return s, err
}

// Integrity has SQLite verify the file, and returns what it found wrong, which
// for a sound file is nothing.
func (c *Catalog) Integrity(ctx context.Context) ([]string, error) {
	var wrong []string
	err := c.query(ctx, "PRAGMA integrity_check(100)", nil, func(scan scanFunc) error {
		var line string
		err := scan(&line)
		if line != "ok" {
			wrong = append(wrong, line)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = c.query(ctx, "PRAGMA foreign_key_check", nil, func(scan scanFunc) error {
		var table, parent string
		var row, key sql.NullInt64
		err := scan(&table, &row, &parent, &key)
		wrong = append(wrong, fmt.Sprintf("row %d of %s refers to a row of %s that is not there", row.Int64, table, parent))
		return err
	})
	return wrong, err
}

// Cut says which segments to forget: those of which each condition that is set
// holds.
type Cut struct {
	SystemID uint64        // 0 for all clusters
	Timeline pg.TimelineID // 0 for all
	Before   pg.LSN        // all their records end at or before it; 0 for any
	Ended    time.Time     // their newest transaction ended before it; zero for any
}

// A segment in which no transaction ended is as old as when it was indexed.
const cutWhere = ` FROM segments s JOIN clusters c ON c.id = s.cluster_id
WHERE (?1 = '0' OR c.system_id = ?1) AND (?2 = 0 OR s.tli = ?2)
  AND (?3 = 0 OR (s.end_lsn <= ?3 AND (s.segno + 1) * c.wal_segsz <= ?3))
  AND (?4 = 0 OR coalesce(s.last_time, s.indexed_at) < ?4)`

func (cut *Cut) args() ([]any, error) {
	before, err := toLSN(cut.Before)
	if err != nil {
		return nil, err
	}
	var ended int64
	if !cut.Ended.IsZero() {
		ended = toTime(cut.Ended)
	}
	return []any{systemID(cut.SystemID), cut.Timeline, before, ended}, nil
}

// CountCut tells how many segments Prune would forget.
func (c *Catalog) CountCut(ctx context.Context, cut Cut) (n int64, err error) {
	args, err := cut.args()
	if err != nil {
		return 0, err
	}
	err = c.query(ctx, "SELECT count(*)"+cutWhere, args, func(scan scanFunc) error { return scan(&n) })
	return n, err
}

// Relations that no segment mentions any more go too, and so do parts without
// segments.
const (
	pruneSegments  = `DELETE FROM segments WHERE id IN (SELECT s.id` + cutWhere + `)`
	pruneRelations = `DELETE FROM relations WHERE NOT EXISTS (SELECT 1 FROM touched WHERE relation_id = relations.id)`
	pruneRanges    = `DELETE FROM xid_ranges WHERE NOT EXISTS
    (SELECT 1 FROM segments s WHERE s.cluster_id = xid_ranges.cluster_id AND s.segno BETWEEN part * 256 AND part * 256 + 255)`
)

// Prune forgets segments, and tells how many.
func (c *Catalog) Prune(ctx context.Context, cut Cut) (n int64, err error) {
	args, err := cut.args()
	if err != nil {
		return 0, err
	}
	err = c.write(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, pruneSegments, args...)
		if err != nil {
			return err
		}
		if n, err = done.RowsAffected(); err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, pruneRelations); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, pruneRanges)
		return err
	})
	c.forget() // rows of relations may be gone
	return n, err
}

// Compact gives free space of the file back.
func (c *Catalog) Compact(ctx context.Context) error {
	if _, err := c.db.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("compact catalog %s: %w", c.path, err)
	}
	return nil
}

// Copy writes a copy of the catalog to a file that does not exist, as of one
// moment, whatever others write meanwhile.
func (c *Catalog) Copy(ctx context.Context, path string) error {
	// SQLite takes an empty file for a new one. One that another made is not ours to remove.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("copy catalog: %w", err)
	}
	f.Close() // nothing was written
	if _, err := c.db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		os.Remove(path) // half a copy, or none
		return fmt.Errorf("copy catalog to %s: %w", path, err)
	}
	return nil
}
