-- 0004: where to look for a transaction without looking at all segments.

-- What the identifiers of 256 neighbouring segments lie between, all timelines
-- together. It can be wider than they are, for it stays when one of them goes.
CREATE TABLE xid_ranges (
    cluster_id INTEGER NOT NULL REFERENCES clusters ON DELETE CASCADE,
    part       INTEGER NOT NULL,         -- segno / 256
    min_xid    INTEGER NOT NULL,         -- least of segments.min_xid
    least_max  INTEGER NOT NULL,         -- least of segments.max_xid
    max_xid    INTEGER NOT NULL,         -- greatest of segments.max_xid
    PRIMARY KEY (cluster_id, part)
) STRICT, WITHOUT ROWID;

INSERT INTO xid_ranges
SELECT cluster_id, segno / 256, min(min_xid), min(max_xid), max(max_xid)
FROM segments WHERE min_xid IS NOT NULL GROUP BY 1, 2;
