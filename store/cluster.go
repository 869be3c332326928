package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Cluster is a cluster that the catalog has segments of.
type Cluster struct {
	SystemID    uint64
	SegmentSize pg.SegmentSize
	Major       int
}

type clusterKey struct {
	systemID uint64
	size     pg.SegmentSize
}

type clusterRow struct {
	id    int64
	major int
}

func systemID(id uint64) string { return strconv.FormatUint(id, 10) }

const listClusters = `SELECT system_id, wal_segsz, pg_version FROM clusters ORDER BY id`

// Clusters lists the clusters in the order in which they were first seen.
func (c *Catalog) Clusters(ctx context.Context) ([]Cluster, error) {
	var list []Cluster
	err := c.query(ctx, listClusters, nil, func(scan scanFunc) error {
		var id string
		var cl Cluster
		if err := scan(&id, &cl.SegmentSize, &cl.Major); err != nil {
			return err
		}
		var err error
		cl.SystemID, err = strconv.ParseUint(id, 10, 64)
		list = append(list, cl)
		return err
	})
	return list, err
}

const (
	findCluster   = `SELECT id, pg_version FROM clusters WHERE system_id = ? AND wal_segsz = ?`
	insertCluster = `INSERT INTO clusters (system_id, wal_segsz, pg_version) VALUES (?, ?, ?) RETURNING id`
)

// clusterOf returns the row of the segment's cluster, made if it is new.
func (c *Catalog) clusterOf(ctx context.Context, tx *sql.Tx, seg *blockmap.Segment) (int64, error) {
	key := clusterKey{seg.SystemID, seg.SegmentSize}
	row, known := c.clusters[key]
	if !known {
		err := tx.QueryRowContext(ctx, findCluster, systemID(seg.SystemID), seg.SegmentSize).Scan(&row.id, &row.major)
		if errors.Is(err, sql.ErrNoRows) {
			row.major = seg.Major
			err = tx.QueryRowContext(ctx, insertCluster, systemID(seg.SystemID), seg.SegmentSize, seg.Major).Scan(&row.id)
		}
		if err != nil {
			return 0, err
		}
		c.clusters[key] = row
	}
	if row.major != seg.Major {
		return 0, fmt.Errorf("cluster %d is %s in the catalog, the segment is of %s", seg.SystemID, pg.VersionName(row.major), pg.VersionName(seg.Major))
	}
	return row.id, nil
}

type scanFunc func(dest ...any) error

// query hands each row to f.
func (c *Catalog) query(ctx context.Context, query string, args []any, f func(scanFunc) error) error {
	rows, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read catalog %s: %w", c.path, err)
	}
	defer rows.Close() // nothing was written
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return fmt.Errorf("read catalog %s: %w", c.path, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read catalog %s: %w", c.path, err)
	}
	return nil
}
