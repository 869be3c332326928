package store

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// XIDSegment is what a transaction identifier did in one segment.
type XIDSegment struct {
	Name   pg.SegmentName
	Digest [32]byte
	blockmap.XIDActivity
}

const findXID = `SELECT s.tli, s.segno, s.digest, t.xids
FROM segments s
JOIN clusters c ON c.id = s.cluster_id
JOIN transactions t ON t.segment_id = s.id
WHERE c.system_id = ? AND c.wal_segsz = ? AND s.segno BETWEEN ? AND ? AND ? BETWEEN s.min_xid AND s.max_xid
ORDER BY s.segno, s.tli, s.id`

// FindXID lists the segments from the first to the last number in which
// records carry the identifier, in the order of the log. Identifiers are used
// again after 2^32 transactions, so a wide range of segments can hold two
// transactions of one number.
func (c *Catalog) FindXID(ctx context.Context, id uint64, size pg.SegmentSize, first, last uint64, xid pg.XID) ([]XIDSegment, error) {
	var list []XIDSegment
	args := []any{systemID(id), size, int64(first), int64(last), xid}
	err := c.query(ctx, findXID, args, func(scan scanFunc) error {
		var found XIDSegment
		var digest, packed []byte
		if err := scan(&found.Name.Timeline, &found.Name.Number, &digest, &packed); err != nil {
			return err
		}
		copy(found.Digest[:], digest)
		xids, err := blockmap.UnpackXIDs(packed)
		for _, x := range xids {
			if x.XID == xid {
				found.XIDActivity = x
				list = append(list, found)
			}
		}
		return err
	})
	return list, err
}
