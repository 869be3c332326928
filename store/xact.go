package store

import (
	"context"
	"fmt"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// SegmentsOf hands out the segments that can have records of a transaction or of
// its subtransactions, or the record that ends it, in the order of the log, with
// their lists of transactions only. Those are the segments whose identifiers
// reach it, and on each branch all from the first that has it or a later one up
// to where it is over. It looks at no others.
func (c *Catalog) SegmentsOf(ctx context.Context, cl Cluster, xid pg.XID, each func(*blockmap.Segment) error) error {
	lanes, err := c.lanesOf(ctx, cl, xid)
	if err != nil {
		return err
	}
	for {
		var next *lane
		for _, l := range lanes {
			if l.found && (next == nil || l.next.compare(next.next) < 0) {
				next = l
			}
		}
		if next == nil {
			return nil
		}
		if err := c.visit(ctx, cl, xid, next, each); err != nil {
			return err
		}
		if err := c.advance(ctx, next); err != nil {
			return err
		}
	}
}

// visit hands out the next segment of a lane, unless the transaction was over on
// its branch.
func (c *Catalog) visit(ctx context.Context, cl Cluster, xid pg.XID, l *lane, each func(*blockmap.Segment) error) error {
	r := l.next
	over := l.before[r.firstPrev] && !r.has(xid) // maybe once more, after 2^32 others
	if !over {
		s, err := c.xactsOfRow(ctx, cl, r.id)
		if err != nil {
			return err
		}
		if err := each(s); err != nil {
			return err
		}
		over = isOver(s, xid)
	}
	if r.last != 0 {
		before, known := l.over[r.last]
		l.over[r.last] = over && (before || !known)
	}
	return nil
}

const headOfRow = `SELECT ` + headColumns + `, s.tli, s.segno
FROM segments s
JOIN clusters c ON c.id = s.cluster_id
LEFT JOIN files f ON f.segment_id = s.id
     AND f.path = (SELECT path FROM files WHERE segment_id = s.id ORDER BY seen_at DESC, path LIMIT 1)
WHERE s.id = ?`

// xactsOfRow reads a segment with its lists of transactions.
func (c *Catalog) xactsOfRow(ctx context.Context, cl Cluster, id int64) (s *blockmap.Segment, err error) {
	err = c.query(ctx, headOfRow, []any{id}, func(scan scanFunc) error {
		var name pg.SegmentName
		s, err = scanHead(SegmentKey{SystemID: cl.SystemID, SegmentSize: cl.SegmentSize}, scan, &name.Timeline, &name.Number)
		if err == nil {
			s.Name = name
		}
		return err
	})
	if err == nil && s == nil {
		err = fmt.Errorf("row %d: %w", id, ErrNotStored)
	}
	if err != nil {
		return nil, err
	}
	return s, c.loadTransactions(ctx, id, s, new(seal)) // which is not whole, and not asked for
}

// isOver tells whether a segment shows that a transaction has ended: by the
// record that says so, or because the oldest that runs began after it.
func isOver(s *blockmap.Segment, xid pg.XID) bool {
	return slices.ContainsFunc(s.Xacts, func(x blockmap.Xact) bool { return x.XID == xid && x.Kind.Ends() }) ||
		slices.ContainsFunc(s.Snapshots, func(n blockmap.Snapshot) bool { return xid.Precedes(n.OldestRunning) })
}
