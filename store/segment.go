package store

import (
	"context"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// SegmentKey names all variants of one segment.
type SegmentKey = blockmap.SegmentKey

// headColumns are what scanHead reads.
const headColumns = `s.digest, s.inner_digest, s.first_lsn, s.last_lsn, s.end_lsn, s.first_prev, s.first_tli, s.last_tli, s.records, s.wal_bytes,
       s.complete, s.stop, s.stop_lsn, s.stop_detail, s.indexed_at, c.pg_version,
       coalesce(f.path, ''), coalesce(f.identity, ''), coalesce(f.size, 0)`

// scanHead reads a segment without its contents.
func scanHead(key SegmentKey, scan scanFunc, more ...any) (*blockmap.Segment, error) {
	s := &blockmap.Segment{SystemID: key.SystemID, SegmentSize: key.SegmentSize, Name: key.Name}
	var digest, inner []byte
	var first, last, end, prev, stop, indexed int64
	err := scan(append([]any{&digest, &inner, &first, &last, &end, &prev, &s.FirstTimeline, &s.LastTimeline, &s.Records, &s.Bytes,
		&s.Complete, &s.Stop, &stop, &s.StopDetail, &indexed, &s.Major, &s.Path, &s.Identity, &s.Size}, more...)...)
	if err != nil {
		return nil, err
	}
	copy(s.Digest[:], digest)
	copy(s.InnerDigest[:], inner)
	s.First, s.Last, s.End, s.FirstPrev, s.StopLSN = pg.LSN(first), pg.LSN(last), pg.LSN(end), pg.LSN(prev), pg.LSN(stop)
	s.Indexed = fromTime(indexed)
	return s, nil
}

// A variant can have been seen in several files; the newest sighting is shown.
const findVariants = `SELECT ` + headColumns + `
FROM segments s
JOIN clusters c ON c.id = s.cluster_id
LEFT JOIN files f ON f.segment_id = s.id
     AND f.path = (SELECT path FROM files WHERE segment_id = s.id ORDER BY seen_at DESC, path LIMIT 1)
WHERE c.system_id = ? AND c.wal_segsz = ? AND s.tli = ? AND s.segno = ?
ORDER BY s.id`

// Variants lists what is stored under a segment's name, the oldest first,
// without contents, which [Catalog.Load] adds.
func (c *Catalog) Variants(ctx context.Context, key SegmentKey) ([]*blockmap.Segment, error) {
	if c.ahead.wanted(key) {
		if err := c.readAhead(ctx, key); err != nil {
			return nil, err
		}
	}
	if list, read := c.ahead.take(key); read {
		return list, nil
	}
	var list []*blockmap.Segment
	args := []any{systemID(key.SystemID), key.SegmentSize, key.Name.Timeline, int64(key.Name.Number)}
	err := c.query(ctx, findVariants, args, func(scan scanFunc) error {
		s, err := scanHead(key, scan)
		list = append(list, s)
		return err
	})
	return list, err
}

const findByIdentity = `SELECT ` + headColumns + `
FROM files f
JOIN segments s ON s.id = f.segment_id
JOIN clusters c ON c.id = s.cluster_id
WHERE f.identity = ? AND c.system_id = ? AND c.wal_segsz = ? AND s.tli = ? AND s.segno = ?
ORDER BY f.seen_at DESC LIMIT 1`

// ByIdentity finds the variant that a file held when it was read, without
// contents; false if no file of that identity was read for this segment.
func (c *Catalog) ByIdentity(ctx context.Context, key SegmentKey, identity string) (*blockmap.Segment, bool, error) {
	var found *blockmap.Segment
	if identity == "" {
		return nil, false, nil
	}
	args := []any{identity, systemID(key.SystemID), key.SegmentSize, key.Name.Timeline, int64(key.Name.Number)}
	err := c.query(ctx, findByIdentity, args, func(scan scanFunc) (err error) {
		found, err = scanHead(key, scan)
		return err
	})
	return found, err == nil && found != nil, err
}

const findBounds = `SELECT
    (SELECT min(segno) FROM segments WHERE cluster_id = c.id AND tli = ?1),
    (SELECT max(segno) FROM segments WHERE cluster_id = c.id AND tli = ?1)
FROM clusters c WHERE c.system_id = ?2 AND c.wal_segsz = ?3`

// Bounds tells the lowest and the highest number of the segments that are
// stored of a timeline; false if there are none.
func (c *Catalog) Bounds(ctx context.Context, id uint64, size pg.SegmentSize, tli pg.TimelineID) (first, last uint64, found bool, err error) {
	err = c.query(ctx, findBounds, []any{tli, systemID(id), size}, func(scan scanFunc) error {
		var low, high *int64
		if err := scan(&low, &high); err != nil || low == nil || high == nil {
			return err
		}
		first, last, found = uint64(*low), uint64(*high), true
		return nil
	})
	return first, last, found, err
}

const findNext = `SELECT min(s.segno) FROM segments s JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ? AND c.wal_segsz = ? AND s.tli = ? AND s.segno > ?`

// Next tells the lowest number after the key's that is stored of its timeline;
// false if there is none.
func (c *Catalog) Next(ctx context.Context, key SegmentKey) (next uint64, found bool, err error) {
	args := []any{systemID(key.SystemID), key.SegmentSize, key.Name.Timeline, int64(key.Name.Number)}
	err = c.query(ctx, findNext, args, func(scan scanFunc) error {
		var n *int64
		if err := scan(&n); err != nil || n == nil {
			return err
		}
		next, found = uint64(*n), true
		return nil
	})
	return next, found, err
}

const listSegments = `SELECT ` + headColumns + `, s.tli, s.segno
FROM segments s
JOIN clusters c ON c.id = s.cluster_id
LEFT JOIN files f ON f.segment_id = s.id
     AND f.path = (SELECT path FROM files WHERE segment_id = s.id ORDER BY seen_at DESC, path LIMIT 1)
WHERE c.system_id = ? AND c.wal_segsz = ?
ORDER BY s.tli, s.segno, s.id`

// Segments lists all segments of a cluster by timeline and number, without
// contents.
func (c *Catalog) Segments(ctx context.Context, systemid uint64, size pg.SegmentSize) ([]*blockmap.Segment, error) {
	var list []*blockmap.Segment
	err := c.query(ctx, listSegments, []any{systemID(systemid), size}, func(scan scanFunc) error {
		var name pg.SegmentName
		s, err := scanHead(SegmentKey{SystemID: systemid, SegmentSize: size}, scan, &name.Timeline, &name.Number)
		if err != nil {
			return err
		}
		s.Name = name
		list = append(list, s)
		return nil
	})
	return list, err
}

const findRow = `SELECT s.id FROM segments s JOIN clusters c ON c.id = s.cluster_id
WHERE c.system_id = ? AND c.wal_segsz = ? AND s.tli = ? AND s.segno = ? AND s.digest = ?`

// rowOf finds the row of a variant.
func (c *Catalog) rowOf(ctx context.Context, s *blockmap.Segment) (int64, error) {
	var id int64
	args := []any{systemID(s.SystemID), s.SegmentSize, s.Name.Timeline, int64(s.Name.Number), s.Digest[:]}
	err := c.query(ctx, findRow, args, func(scan scanFunc) error { return scan(&id) })
	if err == nil && id == 0 {
		err = fmt.Errorf("segment %s: %w", s.Name.Format(s.SegmentSize), ErrNotStored)
	}
	return id, err
}
