package store

import (
	"context"
	"fmt"
	"time"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// TouchedSegment is what the records of one segment did to one relation fork.
type TouchedSegment struct {
	Segment     *blockmap.Segment // without contents
	First, Last time.Time         // of the transactions that ended in it
	Fork        pg.RelFork
	Entry       blockmap.Entry
	Activity    blockmap.Activity
}

// The order of the joins is told to SQLite (CROSS JOIN): it would go through all
// segments, for they are asked for in their order.
const findTouched = `SELECT ` + headColumns + `, s.tli, s.segno, coalesce(s.first_time, 0), coalesce(s.last_time, 0),
       r.fork, t.limit_block, t.block_count, t.restored_count, t.blocks, t.restored,
       t.records, t.inserts, t.updates, t.hot_updates, t.deletes, t.images, t.image_bytes, t.wal_bytes
FROM clusters c
CROSS JOIN relations r ON r.cluster_id = c.id
CROSS JOIN touched t ON t.relation_id = r.id
CROSS JOIN segments s ON s.id = t.segment_id
LEFT JOIN files f ON f.segment_id = s.id
     AND f.path = (SELECT path FROM files WHERE segment_id = s.id ORDER BY seen_at DESC, path LIMIT 1)
WHERE c.system_id = ? AND c.wal_segsz = ? AND r.db_oid = ? AND r.rel_number = ? AND r.spc_oid = ?
ORDER BY s.segno, s.tli, s.id, r.fork`

// Touched hands out the segments whose records touched, cut or counted for a
// relation, in the order of the log, one at a time.
func (c *Catalog) Touched(ctx context.Context, cl Cluster, rel pg.RelFileLocator, each func(TouchedSegment) error) error {
	args := []any{systemID(cl.SystemID), cl.SegmentSize, rel.DB, rel.Rel, rel.Spc}
	return c.query(ctx, findTouched, args, func(scan scanFunc) error {
		t := TouchedSegment{Fork: pg.RelFork{RelFileLocator: rel}}
		var name pg.SegmentName
		var first, last int64
		var limit *int64
		var count, restoredCount uint64
		var blocks, restored []byte
		a := &t.Activity
		var err error
		t.Segment, err = scanHead(SegmentKey{SystemID: cl.SystemID, SegmentSize: cl.SegmentSize}, scan, &name.Timeline, &name.Number, &first, &last,
			&t.Fork.Fork, &limit, &count, &restoredCount, &blocks, &restored,
			&a.Records, &a.Inserts, &a.Updates, &a.HotUpdates, &a.Deletes, &a.Images, &a.ImageBytes, &a.WALBytes)
		if err != nil {
			return err
		}
		t.Segment.Name = name
		if first != 0 {
			t.First, t.Last = fromTime(first), fromTime(last)
		}
		if t.Entry, err = decodeEntry(limit, blocks, restored, restoredCount == count); err != nil {
			return err
		}
		return each(t)
	})
}

// Volume is a part of the log by what it belongs to.
type Volume struct {
	Fork      pg.RelFork // by relation
	Rmgr      pg.RmgrID  // by record type
	Op        uint8
	From      time.Time // by time
	Timeline  pg.TimelineID
	Records   int64
	WALBytes  int64
	Images    int64
	ImageSize int64
}

const topRelations = `SELECT r.spc_oid, r.db_oid, r.rel_number, r.fork, sum(t.records), sum(t.wal_bytes), sum(t.images), sum(t.image_bytes)
FROM touched t JOIN relations r ON r.id = t.relation_id JOIN segments s ON s.id = t.segment_id JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ?1 AND c.wal_segsz = ?2 AND (?3 = 0 OR s.tli = ?3)
GROUP BY r.id ORDER BY 6 DESC LIMIT ?4`

// TopRelations are the relation forks that most log is about.
func (c *Catalog) TopRelations(ctx context.Context, cl Cluster, tli pg.TimelineID, limit int) ([]Volume, error) {
	return c.top(ctx, topRelations, cl, tli, limit, func(v *Volume) []any {
		return []any{&v.Fork.Spc, &v.Fork.DB, &v.Fork.Rel, &v.Fork.Fork, &v.Records, &v.WALBytes, &v.Images, &v.ImageSize}
	})
}

const topRecords = `SELECT t.rmgr, t.op, sum(t.records), sum(t.wal_bytes), sum(t.image_bytes)
FROM rmgr_counts t JOIN segments s ON s.id = t.segment_id JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ?1 AND c.wal_segsz = ?2 AND (?3 = 0 OR s.tli = ?3)
GROUP BY t.rmgr, t.op ORDER BY 4 DESC LIMIT ?4`

// TopRecords are the kinds of records that make most of the log.
func (c *Catalog) TopRecords(ctx context.Context, cl Cluster, tli pg.TimelineID, limit int) ([]Volume, error) {
	return c.top(ctx, topRecords, cl, tli, limit, func(v *Volume) []any {
		return []any{&v.Rmgr, &v.Op, &v.Records, &v.WALBytes, &v.ImageSize}
	})
}

const topMinutes = `SELECT s.tli, s.last_time / 60000000 * 60000000, sum(s.records), sum(s.wal_bytes)
FROM segments s JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ?1 AND c.wal_segsz = ?2 AND (?3 = 0 OR s.tli = ?3) AND s.last_time IS NOT NULL
GROUP BY 1, 2 ORDER BY 4 DESC LIMIT ?4`

// TopMinutes are the minutes in which most log was written, by the last end of
// a transaction in each segment.
func (c *Catalog) TopMinutes(ctx context.Context, cl Cluster, tli pg.TimelineID, limit int) ([]Volume, error) {
	return c.top(ctx, topMinutes, cl, tli, limit, func(v *Volume) []any {
		return []any{&v.Timeline, (*timeColumn)(&v.From), &v.Records, &v.WALBytes}
	})
}

func (c *Catalog) top(ctx context.Context, query string, cl Cluster, tli pg.TimelineID, limit int, into func(*Volume) []any) ([]Volume, error) {
	list := []Volume{}
	err := c.query(ctx, query, []any{systemID(cl.SystemID), cl.SegmentSize, tli, limit}, func(scan scanFunc) error {
		var v Volume
		err := scan(into(&v)...)
		list = append(list, v)
		return err
	})
	return list, err
}

// timeColumn scans a time.
type timeColumn time.Time

func (t *timeColumn) Scan(value any) error {
	n, is := value.(int64)
	if !is {
		return fmt.Errorf("time: want an integer, got %T", value)
	}
	*t = timeColumn(fromTime(n))
	return nil
}

const allXIDs = `SELECT s.tli, s.records, s.wal_bytes, t.xids
FROM transactions t JOIN segments s ON s.id = t.segment_id JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ? AND c.wal_segsz = ? ORDER BY s.tli, s.segno, s.id`

// Transactions hands out what the records of each segment say of transaction
// identifiers.
func (c *Catalog) Transactions(ctx context.Context, cl Cluster, each func(pg.TimelineID, []blockmap.XIDActivity) error) error {
	return c.query(ctx, allXIDs, []any{systemID(cl.SystemID), cl.SegmentSize}, func(scan scanFunc) error {
		var tli pg.TimelineID
		s := blockmap.Segment{SegmentSize: cl.SegmentSize}
		var packed []byte
		if err := scan(&tli, &s.Records, &s.Bytes, &packed); err != nil {
			return err
		}
		xids, err := blockmap.UnpackXIDs(packed, s.ListBounds())
		if err != nil {
			return err
		}
		return each(tli, xids)
	})
}
