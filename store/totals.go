package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// LoadTotals does for many segments what [Catalog.Load] does for one, but adds up
// what they touched: a report on thousands of segments asks for nothing else.
// Which blocks replay restores is left out, and so are the counts by resource
// manager. Checkpoints and events of each segment are filled in; the long lists
// are left packed. Some hundred segments at a time are best. The sum is
// reckoned by what is returned, which does not use the catalog and may run
// while others are loaded.
func (c *Catalog) LoadTotals(ctx context.Context, segments []*blockmap.Segment) (blockmap.Sum, error) {
	total, err := c.sum(ctx, segments)
	if err != nil {
		return nil, err
	}
	return total.reckon, nil
}

// totals is what a batch of segments adds up to.
type totals struct {
	byID      map[int64]*blockmap.Segment
	relations map[int64]*relationTotal
}

type relationTotal struct {
	fork     pg.RelFork
	entry    blockmap.Entry
	activity blockmap.Activity
	encoded  [][]byte // sets of blocks
}

// reckon joins the sets of blocks of each relation.
func (s *totals) reckon() (*blockmap.Map, map[pg.RelFork]blockmap.Activity, error) {
	m, activity := &blockmap.Map{}, map[pg.RelFork]blockmap.Activity{}
	for _, sum := range s.relations {
		var err error
		if sum.entry.Touched, err = blockmap.UnionEncoded(sum.encoded); err != nil {
			return nil, nil, fmt.Errorf("blocks of %s: %w", sum.fork, err)
		}
		if sum.activity != (blockmap.Activity{}) {
			activity[sum.fork] = sum.activity
		}
		if !sum.entry.Touched.Empty() || sum.entry.IsCut() {
			m.Put(sum.fork, sum.entry)
		}
	}
	return m, activity, nil
}

func (s *totals) relation(id int64) *relationTotal {
	sum := s.relations[id]
	if sum == nil {
		sum = &relationTotal{entry: blockmap.NewEntry()}
		s.relations[id] = sum
	}
	return sum
}

const (
	batchIDs = `SELECT s.segno, s.id, s.digest FROM segments s JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ? AND c.wal_segsz = ? AND s.tli = ? AND s.segno BETWEEN ? AND ?`

	sumActivity = `SELECT relation_id, min(limit_block), sum(records), sum(inserts), sum(updates), sum(hot_updates), sum(deletes),
       sum(images), sum(image_bytes), sum(wal_bytes)
FROM touched WHERE segment_id IN (SELECT value FROM json_each(?)) GROUP BY relation_id`
	batchBlocks = `SELECT relation_id, blocks FROM touched WHERE segment_id IN (SELECT value FROM json_each(?)) AND blocks IS NOT NULL`

	batchForks = `SELECT id, spc_oid, db_oid, rel_number, fork FROM relations`

	batchTransactions = `SELECT segment_id, xacts, xids, snapshots, assignments
FROM transactions WHERE segment_id IN (SELECT value FROM json_each(?))`
	batchCheckpoints = `SELECT DISTINCT segment_id FROM checkpoints WHERE segment_id IN (SELECT value FROM json_each(?))`
	batchEvents      = `SELECT DISTINCT segment_id FROM events WHERE segment_id IN (SELECT value FROM json_each(?))`
)

func (c *Catalog) sum(ctx context.Context, segments []*blockmap.Segment) (*totals, error) {
	s := &totals{byID: map[int64]*blockmap.Segment{}, relations: map[int64]*relationTotal{}}
	list, err := c.idsOf(ctx, segments, s.byID)
	if err != nil {
		return nil, err
	}
	err = c.query(ctx, sumActivity, []any{list}, func(scan scanFunc) error {
		var id int64
		var limit *int64
		var a blockmap.Activity
		err := scan(&id, &limit, &a.Records, &a.Inserts, &a.Updates, &a.HotUpdates, &a.Deletes, &a.Images, &a.ImageBytes, &a.WALBytes)
		sum := s.relation(id)
		sum.activity = a
		if limit != nil {
			sum.entry.Limit = pg.BlockNumber(*limit)
		}
		if _, known := c.forks[id]; !known {
			c.forks = nil // made since they were read
		}
		return err
	})
	if err == nil && c.forks == nil {
		err = c.loadForks(ctx)
	}
	if err != nil {
		return nil, err
	}
	err = c.query(ctx, batchBlocks, []any{list}, func(scan scanFunc) error {
		var id int64
		var blocks []byte
		err := scan(&id, &blocks)
		sum := s.relation(id)
		sum.encoded = append(sum.encoded, blocks)
		return err
	})
	if err != nil {
		return nil, err
	}
	for id, sum := range s.relations {
		known := false
		if sum.fork, known = c.forks[id]; !known {
			return nil, fmt.Errorf("catalog %s: relation %d of a segment is not in its table", c.path, id)
		}
	}
	return s, c.loadLists(ctx, list, s)
}

// idsOf finds the rows of segments; the list is for json_each.
func (c *Catalog) idsOf(ctx context.Context, segments []*blockmap.Segment, into map[int64]*blockmap.Segment) (string, error) {
	type variant struct {
		key    SegmentKey
		digest [32]byte
	}
	type span struct{ first, last uint64 }
	wanted := map[variant]*blockmap.Segment{}
	spans := map[SegmentKey]span{} // by cluster and timeline
	for _, s := range segments {
		wanted[variant{s.Key(), s.Digest}] = s
		group := s.Key()
		group.Name.Number = 0
		n, seen := spans[group]
		if !seen {
			n.first = s.Name.Number
		}
		spans[group] = span{min(n.first, s.Name.Number), max(n.last, s.Name.Number)}
	}
	var ids []int64
	for group, n := range spans {
		args := []any{systemID(group.SystemID), group.SegmentSize, group.Name.Timeline, int64(n.first), int64(n.last)}
		err := c.query(ctx, batchIDs, args, func(scan scanFunc) error {
			var id int64
			var digest sql.RawBytes
			key := group
			if err := scan(&key.Name.Number, &id, &digest); err != nil {
				return err
			}
			v := variant{key: key}
			copy(v.digest[:], digest)
			if s := wanted[v]; s != nil {
				into[id] = s
				ids = append(ids, id)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	if len(ids) != len(wanted) {
		return "", fmt.Errorf("%d of %d segments: %w", len(wanted)-len(ids), len(wanted), ErrNotStored)
	}
	text, err := json.Marshal(ids)
	return string(text), err
}

func (c *Catalog) loadForks(ctx context.Context) error {
	c.forks = map[int64]pg.RelFork{}
	return c.query(ctx, batchForks, nil, func(scan scanFunc) error {
		var id int64
		var rf pg.RelFork
		err := scan(&id, &rf.Spc, &rf.DB, &rf.Rel, &rf.Fork)
		c.forks[id] = rf
		return err
	})
}

// loadLists fills in what few segments have one by one, and their transactions,
// packed.
func (c *Catalog) loadLists(ctx context.Context, list string, s *totals) error {
	for query, load := range map[string]loadPart{
		batchCheckpoints: c.loadCheckpoints, batchEvents: c.loadEvents,
	} {
		var ids []int64
		err := c.query(ctx, query, []any{list}, func(scan scanFunc) error {
			var id int64
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		for i := 0; err == nil && i < len(ids); i++ {
			err = load(ctx, ids[i], s.byID[ids[i]], new(seal)) // which is not whole, and not asked for
		}
		if err != nil {
			return err
		}
	}
	return c.query(ctx, batchTransactions, []any{list}, func(scan scanFunc) error {
		var id int64
		packed := new(blockmap.Packed)
		if err := scan(&id, &packed.Xacts, &packed.XIDs, &packed.Snapshots, &packed.Assignments); err != nil {
			return err
		}
		segment := s.byID[id]
		if segment == nil {
			return errors.New("a list of a segment that was not asked for")
		}
		segment.Packed = packed
		return nil
	})
}
