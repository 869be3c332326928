package store

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// aheadSegments is how many segments are read at a time.
const aheadSegments = 256

// ahead holds the heads of segments that will be asked for next: a walk over
// the log asks for one number after the other. It is emptied by every write, so
// only what another process writes meanwhile is seen late, as by one that had
// asked before. What was handed out is not kept, for callers fill it in.
type ahead struct {
	last  SegmentKey // asked for
	from  SegmentKey // what is held begins here
	count uint64     // of numbers that are held
	heads map[uint64][]*blockmap.Segment
}

func (a *ahead) clear() { *a = ahead{} }

// holds tells whether a number was read and not yet handed out.
func (a *ahead) holds(key SegmentKey) bool {
	n := key.Name.Number
	from := a.from.Name.Number
	key.Name.Number = from
	return key == a.from && n >= from && n-from < a.count
}

// wanted notes that a segment is asked for, and tells whether to read ahead
// from it: it follows the one before and is not held.
func (a *ahead) wanted(key SegmentKey) bool {
	next := a.last
	next.Name.Number++
	a.last = key
	return key == next && !a.holds(key)
}

// take hands out what is held of a number, and of none before it again.
func (a *ahead) take(key SegmentKey) ([]*blockmap.Segment, bool) {
	if !a.holds(key) {
		return nil, false
	}
	n := key.Name.Number
	list := a.heads[n]
	for gone := a.from.Name.Number; gone <= n; gone++ {
		delete(a.heads, gone)
	}
	a.count -= n + 1 - a.from.Name.Number
	a.from.Name.Number = n + 1
	return list, true
}

const findAhead = `SELECT ` + headColumns + `, s.segno
FROM segments s
JOIN clusters c ON c.id = s.cluster_id
LEFT JOIN files f ON f.segment_id = s.id
     AND f.path = (SELECT path FROM files WHERE segment_id = s.id ORDER BY seen_at DESC, path LIMIT 1)
WHERE c.system_id = ? AND c.wal_segsz = ? AND s.tli = ? AND s.segno BETWEEN ? AND ?
ORDER BY s.id`

func (c *Catalog) readAhead(ctx context.Context, key SegmentKey) error {
	heads := map[uint64][]*blockmap.Segment{}
	first := key.Name.Number
	args := []any{systemID(key.SystemID), key.SegmentSize, key.Name.Timeline, int64(first), int64(first + aheadSegments - 1)}
	err := c.query(ctx, findAhead, args, func(scan scanFunc) error {
		var n uint64
		s, err := scanHead(key, scan, &n)
		if err == nil {
			s.Name = pg.SegmentName{Timeline: key.Name.Timeline, Number: n}
			heads[n] = append(heads[n], s)
		}
		return err
	})
	if err == nil {
		c.ahead.from, c.ahead.count, c.ahead.heads = key, aheadSegments, heads
	}
	return err
}
