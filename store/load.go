package store

import (
	"context"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Load fills in the contents of a segment that another method returned.
func (c *Catalog) Load(ctx context.Context, s *blockmap.Segment) error {
	return c.loadParts(ctx, s, true, c.loadTouched, c.loadRmgrs, c.loadCheckpoints, c.loadEvents, c.loadTransactions)
}

// LoadMarks fills in its checkpoints and events alone.
func (c *Catalog) LoadMarks(ctx context.Context, s *blockmap.Segment) error {
	return c.loadParts(ctx, s, false, c.loadCheckpoints, c.loadEvents)
}

// loadPart fills in what one table has, and adds it to the seal.
type loadPart func(ctx context.Context, id int64, s *blockmap.Segment, sum *seal) error

func (c *Catalog) loadParts(ctx context.Context, s *blockmap.Segment, all bool, parts ...loadPart) error {
	id, err := c.rowOf(ctx, s)
	if err != nil {
		return err
	}
	var sum seal
	for _, load := range parts {
		if err := load(ctx, id, s, &sum); err != nil {
			return fmt.Errorf("segment %s: %w", s.Name.Format(s.SegmentSize), err)
		}
	}
	return c.checkSeal(ctx, id, s, &sum, all)
}

const selectTouched = `SELECT r.spc_oid, r.db_oid, r.rel_number, r.fork,
       t.limit_block, t.block_count, t.restored_count, t.blocks, t.restored,
       t.records, t.inserts, t.updates, t.hot_updates, t.deletes, t.images, t.image_bytes, t.wal_bytes
FROM touched t JOIN relations r ON r.id = t.relation_id
WHERE t.segment_id = ?`

func (c *Catalog) loadTouched(ctx context.Context, id int64, s *blockmap.Segment, sum *seal) error {
	s.Touched, s.Activity = &blockmap.Map{}, map[pg.RelFork]blockmap.Activity{}
	return c.query(ctx, selectTouched, []any{id}, func(scan scanFunc) error {
		var row touchedRow
		rf, a := &row.fork, &row.activity
		err := scan(&rf.Spc, &rf.DB, &rf.Rel, &rf.Fork, &row.limit, &row.count, &row.restored, &row.blocks, &row.rest,
			&a.Records, &a.Inserts, &a.Updates, &a.HotUpdates, &a.Deletes, &a.Images, &a.ImageBytes, &a.WALBytes)
		if err != nil {
			return err
		}
		sum.addTouched(&row)
		if *a != (blockmap.Activity{}) {
			s.Activity[*rf] = *a
		}
		count, restoredCount := uint64(row.count), uint64(row.restored)
		if count == 0 && row.limit == nil {
			return nil
		}
		e, err := decodeEntry(row.limit, row.blocks, row.rest, restoredCount == count)
		if err != nil || e.Touched.Len() != count || e.Restored.Len() != restoredCount {
			return fmt.Errorf("blocks of %s: want %d, %d of them restored, got %d and %d: %w", *rf, count, restoredCount, e.Touched.Len(), e.Restored.Len(), orCorrupt(err))
		}
		s.Touched.Put(*rf, e)
		return nil
	})
}

func decodeEntry(limit *int64, blocks, restored []byte, allRestored bool) (e blockmap.Entry, err error) {
	e = blockmap.NewEntry()
	if limit != nil {
		e.Limit = pg.BlockNumber(*limit)
	}
	if e.Touched, err = blockmap.DecodeSet(blocks); err != nil {
		return e, err
	}
	if allRestored {
		e.Restored = e.Touched.Clone()
		return e, nil
	}
	e.Restored, err = blockmap.DecodeSet(restored)
	return e, err
}

func orCorrupt(err error) error {
	if err == nil {
		return blockmap.ErrBadSet
	}
	return err
}

const selectRmgrs = `SELECT rmgr, op, records, wal_bytes, image_bytes FROM rmgr_counts WHERE segment_id = ? ORDER BY rmgr, op`

func (c *Catalog) loadRmgrs(ctx context.Context, id int64, s *blockmap.Segment, sum *seal) error {
	s.Rmgrs = nil
	return c.query(ctx, selectRmgrs, []any{id}, func(scan scanFunc) error {
		var r blockmap.RmgrCount
		err := scan(&r.Rmgr, &r.Op, &r.Records, &r.Bytes, &r.ImageBytes)
		sum.addRmgr(&r)
		s.Rmgrs = append(s.Rmgrs, r)
		return err
	})
}

const selectCheckpoints = `SELECT lsn, end_lsn, redo_lsn, tli, prev_tli, shutdown, full_page_writes, wal_level,
       next_xid, oldest_xid, oldest_active_xid, time
FROM checkpoints WHERE segment_id = ? ORDER BY lsn`

func (c *Catalog) loadCheckpoints(ctx context.Context, id int64, s *blockmap.Segment, sum *seal) error {
	s.Checkpoints = nil
	return c.query(ctx, selectCheckpoints, []any{id}, func(scan scanFunc) error {
		var p blockmap.Checkpoint
		var time int64
		err := scan(&p.LSN, &p.End, &p.Redo, &p.Timeline, &p.PrevTimeline, &p.Shutdown, &p.FullPageWrites, &p.WALLevel,
			&p.NextXID, &p.OldestXID, &p.OldestActive, &time)
		p.Time = fromTime(time)
		sum.addCheckpoint(&p)
		s.Checkpoints = append(s.Checkpoints, p)
		return err
	})
}

const selectTransactions = `SELECT xacts, xids, snapshots, assignments FROM transactions WHERE segment_id = ?`

func (c *Catalog) loadTransactions(ctx context.Context, id int64, s *blockmap.Segment, sum *seal) error {
	s.Xacts, s.XIDs, s.Snapshots, s.Assignments = nil, nil, nil, nil
	return c.query(ctx, selectTransactions, []any{id}, func(scan scanFunc) error {
		var lists blockmap.Packed
		err := scan(&lists.Xacts, &lists.XIDs, &lists.Snapshots, &lists.Assignments)
		sum.addLists(&lists)
		if err == nil {
			err = lists.Unpack(s)
		}
		return err
	})
}
