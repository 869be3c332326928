package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

const insertTouched = `INSERT INTO touched (segment_id, relation_id, limit_block, block_count, restored_count, blocks, restored,
    records, inserts, updates, hot_updates, deletes, images, image_bytes, wal_bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// saveTouched stores a row for each fork that was touched, cut or counted.
func (c *Catalog) saveTouched(ctx context.Context, tx *sql.Tx, cluster, id int64, s *blockmap.Segment, sum *seal) error {
	forks := map[pg.RelFork]bool{}
	for rf := range s.Touched.All() {
		forks[rf] = true
	}
	for rf := range s.Activity {
		forks[rf] = true
	}
	list := slices.SortedFunc(maps.Keys(forks), pg.RelFork.Compare)
	return c.insertAll(ctx, tx, insertTouched, len(list), func(i int) ([]any, error) {
		rf := list[i]
		rel, err := c.relationOf(ctx, tx, cluster, rf)
		if err != nil {
			return nil, err
		}
		e := blockmap.NewEntry()
		if got, found := s.Touched.Own(rf); found {
			e = got
		}
		var limit *int64
		if e.IsCut() {
			n := int64(e.Limit)
			limit = &n
		}
		row := touchedRow{fork: rf, limit: limit, count: int64(e.Touched.Len()), restored: int64(e.Restored.Len()),
			blocks: e.Touched.Bytes(), activity: s.Activity[rf]}
		if row.restored != row.count {
			row.rest = e.Restored.Bytes()
		}
		sum.addTouched(&row)
		a := &row.activity
		return []any{id, rel, limit, row.count, row.restored, row.blocks, row.rest,
			a.Records, a.Inserts, a.Updates, a.HotUpdates, a.Deletes, a.Images, a.ImageBytes, a.WALBytes}, nil
	})
}

type relationKey struct {
	cluster int64
	fork    pg.RelFork
}

const (
	findRelation   = `SELECT id FROM relations WHERE cluster_id = ? AND spc_oid = ? AND db_oid = ? AND rel_number = ? AND fork = ?`
	insertRelation = `INSERT INTO relations (cluster_id, spc_oid, db_oid, rel_number, fork) VALUES (?, ?, ?, ?, ?) RETURNING id`
)

func (c *Catalog) relationOf(ctx context.Context, tx *sql.Tx, cluster int64, rf pg.RelFork) (int64, error) {
	key := relationKey{cluster, rf}
	if id, known := c.relations[key]; known {
		return id, nil
	}
	args := []any{cluster, rf.Spc, rf.DB, rf.Rel, rf.Fork}
	var id int64
	err := tx.QueryRowContext(ctx, findRelation, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, insertRelation, args...).Scan(&id)
	}
	if err == nil {
		c.relations[key] = id
	}
	return id, err
}
