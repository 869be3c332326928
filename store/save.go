package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Save stores segments in one transaction, all or none. A variant that is
// there already keeps its contents, for equal digests mean equal records; what
// it says about its end, and where it was seen, is brought up to date.
func (c *Catalog) Save(ctx context.Context, segments ...*blockmap.Segment) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		for _, s := range segments {
			if err := c.saveSegment(ctx, tx, s); err != nil {
				return fmt.Errorf("segment %s: %w", s.Name.Format(s.SegmentSize), err)
			}
		}
		return nil
	})
}

const (
	findDigest = `SELECT id, complete FROM segments WHERE cluster_id = ? AND tli = ? AND segno = ? AND digest = ?`
	updateEnd  = `UPDATE segments SET complete = ?, stop = ?, stop_lsn = ?, stop_detail = ? WHERE id = ?`
)

func (c *Catalog) saveSegment(ctx context.Context, tx *sql.Tx, s *blockmap.Segment) error {
	cluster, err := c.clusterOf(ctx, tx, s)
	if err != nil {
		return err
	}
	stop, err := toLSN(s.StopLSN)
	if err != nil {
		return err
	}
	var id int64
	var complete bool
	err = tx.QueryRowContext(ctx, findDigest, cluster, s.Name.Timeline, int64(s.Name.Number), s.Digest[:]).Scan(&id, &complete)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		id, err = c.insertSegment(ctx, tx, cluster, s)
	case err == nil && !complete: // what was once read whole was whole
		if _, err = tx.ExecContext(ctx, updateEnd, s.Complete, s.Stop, stop, s.StopDetail, id); err == nil {
			_, err = tx.ExecContext(ctx, sealEnding, int64(endingOf(s)), id)
		}
	}
	if err != nil {
		return err
	}
	if err := c.saveFile(ctx, tx, cluster, id, s); err != nil {
		return err
	}
	return c.dropSuperseded(ctx, tx, cluster, s)
}

const insertTransactions = `INSERT INTO transactions (segment_id, xacts, xids, snapshots, assignments) VALUES (?, ?, ?, ?, ?)`

const insertHead = `INSERT INTO segments (cluster_id, tli, segno, digest, inner_digest, first_lsn, last_lsn, end_lsn, first_prev,
    first_tli, last_tli, records, wal_bytes, complete, stop, stop_lsn, stop_detail, commits, aborts, prepares,
    first_time, last_time, min_xid, max_xid, indexed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`

const widenXIDs = `INSERT INTO xid_ranges (cluster_id, part, min_xid, least_max, max_xid) VALUES (?1, ?2 / 256, ?3, ?4, ?4)
ON CONFLICT DO UPDATE SET min_xid = min(min_xid, excluded.min_xid), least_max = min(least_max, excluded.least_max),
    max_xid = max(max_xid, excluded.max_xid)`

func (c *Catalog) insertSegment(ctx context.Context, tx *sql.Tx, cluster int64, s *blockmap.Segment) (id int64, err error) {
	at, err := toLSNs(s.First, s.Last, s.End, s.FirstPrev, s.StopLSN)
	if err != nil {
		return 0, err
	}
	lists := s.Packed
	if lists == nil {
		lists = c.packer.Pack(s)
	}
	tally := columnsOf(&lists.Tally)
	err = tx.QueryRowContext(ctx, insertHead, cluster, s.Name.Timeline, int64(s.Name.Number), s.Digest[:], s.InnerDigest[:],
		at[0], at[1], at[2], at[3], s.FirstTimeline, s.LastTimeline, s.Records, s.Bytes, s.Complete, s.Stop, at[4], s.StopDetail,
		lists.Commits, lists.Aborts, lists.Prepares, tally.firstTime, tally.lastTime, tally.minXID, tally.maxXID, toTime(s.Indexed)).Scan(&id)
	if err != nil {
		return 0, err
	}
	if tally.minXID != nil {
		if _, err := tx.ExecContext(ctx, widenXIDs, cluster, int64(s.Name.Number), tally.minXID, tally.maxXID); err != nil {
			return 0, err
		}
	}
	var sum seal
	sum.addHead(s)
	for _, save := range []func(context.Context, *sql.Tx, int64, *blockmap.Segment, *seal) error{
		c.saveRmgrs, c.saveCheckpoints, c.saveEvents,
	} {
		if err := save(ctx, tx, id, s, &sum); err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, insertTransactions, id, lists.Xacts, lists.XIDs, lists.Snapshots, lists.Assignments); err != nil {
		return 0, err
	}
	sum.addLists(lists)
	if err := c.saveTouched(ctx, tx, cluster, id, s, &sum); err != nil {
		return 0, err
	}
	return id, c.saveSeal(ctx, tx, id, &sum)
}

// tallyColumns are those of the table of segments that can be null.
type tallyColumns struct {
	firstTime, lastTime *int64
	minXID, maxXID      *int64
}

func columnsOf(s *blockmap.Tally) tallyColumns {
	var c tallyColumns
	set := func(column **int64, v int64) { *column = &v }
	if s.Commits+s.Aborts > 0 {
		set(&c.firstTime, toTime(s.FirstEnd))
		set(&c.lastTime, toTime(s.LastEnd))
	}
	if s.MinXID != 0 {
		set(&c.minXID, int64(s.MinXID))
		set(&c.maxXID, int64(s.MaxXID))
	}
	return c
}

const (
	// A path shows one content of a segment at a time.
	forgetFile = `DELETE FROM files WHERE path = ? AND segment_id IN
    (SELECT id FROM segments WHERE cluster_id = ? AND tli = ? AND segno = ?)`
	insertFile = `INSERT INTO files (segment_id, path, identity, size, seen_at) VALUES (?, ?, ?, ?, ?)`
)

func (c *Catalog) saveFile(ctx context.Context, tx *sql.Tx, cluster, id int64, s *blockmap.Segment) error {
	if _, err := tx.ExecContext(ctx, forgetFile, s.Path, cluster, s.Name.Timeline, int64(s.Name.Number)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, insertFile, id, s.Path, s.Identity, s.Size, toTime(s.Indexed))
	return err
}

const deleteSuperseded = `DELETE FROM segments WHERE cluster_id = ? AND tli = ? AND segno = ? AND digest = ?`

func (c *Catalog) dropSuperseded(ctx context.Context, tx *sql.Tx, cluster int64, s *blockmap.Segment) error {
	for _, digest := range s.Supersedes {
		if digest == s.Digest {
			continue
		}
		if _, err := tx.ExecContext(ctx, deleteSuperseded, cluster, s.Name.Timeline, int64(s.Name.Number), digest[:]); err != nil {
			return err
		}
	}
	return nil
}

// insertAll runs one statement for n rows.
func (c *Catalog) insertAll(ctx context.Context, tx *sql.Tx, query string, n int, row func(int) ([]any, error)) error {
	if n == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close() // it is done with
	for i := range n {
		args, err := row(i)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

const insertRmgr = `INSERT INTO rmgr_counts (segment_id, rmgr, op, records, wal_bytes, image_bytes) VALUES (?, ?, ?, ?, ?, ?)`

func (c *Catalog) saveRmgrs(ctx context.Context, tx *sql.Tx, id int64, s *blockmap.Segment, sum *seal) error {
	return c.insertAll(ctx, tx, insertRmgr, len(s.Rmgrs), func(i int) ([]any, error) {
		r := &s.Rmgrs[i]
		sum.addRmgr(r)
		return []any{id, r.Rmgr, r.Op, r.Records, r.Bytes, r.ImageBytes}, nil
	})
}

const insertCheckpoint = `INSERT INTO checkpoints (segment_id, lsn, end_lsn, redo_lsn, tli, prev_tli, shutdown,
    full_page_writes, wal_level, next_xid, oldest_xid, oldest_active_xid, time)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func (c *Catalog) saveCheckpoints(ctx context.Context, tx *sql.Tx, id int64, s *blockmap.Segment, sum *seal) error {
	return c.insertAll(ctx, tx, insertCheckpoint, len(s.Checkpoints), func(i int) ([]any, error) {
		p := &s.Checkpoints[i]
		sum.addCheckpoint(p)
		at, err := toLSNs(p.LSN, p.End, p.Redo, pg.LSN(p.NextXID))
		if err != nil {
			return nil, err
		}
		return []any{id, at[0], at[1], at[2], p.Timeline, p.PrevTimeline, p.Shutdown,
			p.FullPageWrites, p.WALLevel, at[3], p.OldestXID, p.OldestActive, toTime(p.Time)}, nil
	})
}
