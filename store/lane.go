package store

import (
	"cmp"
	"context"
	"slices"

	"forkpoint/walinspect/pg"
)

// lane is the way through one timeline on which a transaction is looked for.
type lane struct {
	cluster int64
	tli     pg.TimelineID
	next    xidRow
	found   bool     // there is a next
	having  []xidRow // whose range holds the identifier and that are not passed yet
	// over tells whether the transaction has ended, for each branch that went by
	// this name, by the start of its last record: in the segments of one number
	// and in those before.
	over, before map[pg.LSN]bool
}

// xidRow is a segment by its place in the order of the log, which its fields are
// in, and what ties it to the one before.
type xidRow struct {
	segno           int64
	tli             pg.TimelineID
	id              int64
	firstPrev, last pg.LSN
	minXID, maxXID  pg.XID // 0 where no record carries one
}

func (r xidRow) has(xid pg.XID) bool { return r.minXID <= xid && xid <= r.maxXID }

func (r xidRow) compare(o xidRow) int {
	return cmp.Or(cmp.Compare(r.segno, o.segno), cmp.Compare(r.tli, o.tli), cmp.Compare(r.id, o.id))
}

const xidRowColumns = `s.segno, s.tli, s.id, s.first_prev, s.last_lsn, coalesce(s.min_xid, 0), coalesce(s.max_xid, 0)`

// reaches holds of a range whose greatest identifier is ?2 or follows it modulo
// 2^32, or that has ?2 in it; mayReach of a part that can have such a segment.
const (
	reaches  = `(((s.max_xid - ?2) & 4294967295) < 2147483648 OR ?2 BETWEEN s.min_xid AND s.max_xid)`
	mayReach = `(((p.least_max - ?2) & 4294967295) < 2147483648 OR ?2 BETWEEN p.min_xid AND p.max_xid)`

	findReachingPart = `SELECT p.part FROM xid_ranges p WHERE p.cluster_id = ?1 AND p.part >= ?3 AND ` + mayReach + ` ORDER BY p.part LIMIT 1`
	findReaching     = `SELECT ` + xidRowColumns + ` FROM segments s
WHERE s.cluster_id = ?1 AND s.segno BETWEEN ?3 * 256 AND ?3 * 256 + 255 AND ` + reaches + ` ORDER BY s.segno, s.tli, s.id LIMIT 1`

	findHaving = `SELECT ` + xidRowColumns + ` FROM xid_ranges p
CROSS JOIN segments s ON s.cluster_id = p.cluster_id AND s.segno BETWEEN p.part * 256 AND p.part * 256 + 255
WHERE p.cluster_id = ?1 AND ?2 BETWEEN p.min_xid AND p.max_xid AND ?2 BETWEEN s.min_xid AND s.max_xid
ORDER BY s.segno, s.tli, s.id`

	// Each timeline is found from the one before; a scan would look at all segments.
	listTimelines = `WITH RECURSIVE t (tli) AS (
    SELECT min(tli) FROM segments WHERE cluster_id = ?1
    UNION ALL SELECT (SELECT min(s.tli) FROM segments s WHERE s.cluster_id = ?1 AND s.tli > t.tli) FROM t WHERE t.tli IS NOT NULL)
SELECT tli FROM t WHERE tli IS NOT NULL`

	findFollowing = `SELECT ` + xidRowColumns + ` FROM segments s
WHERE s.cluster_id = ?1 AND s.tli = ?2 AND (s.segno, s.id) > (?3, ?4) ORDER BY s.segno, s.id LIMIT 1`
)

// lanesOf sets out on each timeline, from the first segment that has the
// identifier or a later one.
func (c *Catalog) lanesOf(ctx context.Context, cl Cluster, xid pg.XID) ([]*lane, error) {
	var cluster int64
	if err := c.query(ctx, findCluster, []any{systemID(cl.SystemID), cl.SegmentSize}, func(scan scanFunc) error {
		var major int
		return scan(&cluster, &major)
	}); err != nil {
		return nil, err
	}
	first, found, err := c.firstReaching(ctx, cluster, xid)
	if err != nil || !found {
		return nil, err
	}
	having, err := c.xidRows(ctx, findHaving, cluster, xid)
	if err != nil {
		return nil, err
	}
	byTimeline := map[pg.TimelineID][]xidRow{}
	for _, r := range having {
		if first.compare(r) <= 0 {
			byTimeline[r.tli] = append(byTimeline[r.tli], r)
		}
	}
	var lanes []*lane
	err = c.query(ctx, listTimelines, []any{cluster}, func(scan scanFunc) error {
		l := &lane{cluster: cluster}
		err := scan(&l.tli)
		l.having = byTimeline[l.tli]
		lanes = append(lanes, l)
		return err
	})
	for i := 0; err == nil && i < len(lanes); i++ {
		l := lanes[i]
		from := xidRow{segno: first.segno, id: -1} // before all of this number
		switch {
		case l.tli < first.tli:
			from.segno++
		case l.tli == first.tli:
			from.id = first.id - 1
		}
		err = c.follow(ctx, l, from)
	}
	return lanes, err
}

func (c *Catalog) firstReaching(ctx context.Context, cluster int64, xid pg.XID) (first xidRow, found bool, err error) {
	for part := int64(0); ; part++ {
		next := int64(-1)
		err := c.query(ctx, findReachingPart, []any{cluster, xid, part}, func(scan scanFunc) error { return scan(&next) })
		if err != nil || next < 0 {
			return first, false, err
		}
		part = next
		rows, err := c.xidRows(ctx, findReaching, cluster, xid, part)
		if err != nil || len(rows) > 0 {
			return slices.Concat(rows, []xidRow{{}})[0], len(rows) > 0, err
		}
	}
}

func (c *Catalog) xidRows(ctx context.Context, query string, args ...any) ([]xidRow, error) {
	var rows []xidRow
	err := c.query(ctx, query, args, func(scan scanFunc) error {
		var r xidRow
		err := scan(&r.segno, &r.tli, &r.id, &r.firstPrev, &r.last, &r.minXID, &r.maxXID)
		rows = append(rows, r)
		return err
	})
	return rows, err
}

// advance goes to the next segment of a lane: the one that follows, or where the
// transaction is over on all branches, the next whose range holds it.
func (c *Catalog) advance(ctx context.Context, l *lane) error {
	at := l.next
	if err := c.follow(ctx, l, at); err != nil || !l.found || l.next.segno == at.segno {
		return err
	}
	for _, over := range l.before {
		if !over {
			return nil
		}
	}
	if len(l.before) == 0 {
		return nil // none that can be over
	}
	for len(l.having) > 0 && l.having[0].compare(l.next) < 0 {
		l.having = l.having[1:]
	}
	if l.found = len(l.having) > 0; l.found && l.having[0] != l.next {
		l.next = l.having[0]
		l.before = nil // it follows on none of those
	}
	return nil
}

// follow takes the row after one for the next.
func (c *Catalog) follow(ctx context.Context, l *lane, at xidRow) error {
	rows, err := c.xidRows(ctx, findFollowing, l.cluster, l.tli, at.segno, at.id)
	if l.found = len(rows) > 0; !l.found {
		return err
	}
	if l.next = rows[0]; l.next.segno != at.segno || l.over == nil {
		if len(l.over) > 0 { // else no record began in the segments of that number
			l.before = l.over
		}
		l.over = map[pg.LSN]bool{}
	}
	return err
}
