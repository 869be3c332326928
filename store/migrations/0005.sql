-- 0005: rot in the file is seen before it gets into a plan.

-- Sums over what is stored of a segment, as store/seal.go reckons them. What was
-- stored before there were any has none.
CREATE TABLE seals (
    segment_id INTEGER PRIMARY KEY REFERENCES segments ON DELETE CASCADE,
    marks      INTEGER NOT NULL,         -- the segment's own row but for its end, checkpoints, events
    ending     INTEGER NOT NULL,         -- complete, stop, stop_lsn, stop_detail
    contents   INTEGER NOT NULL          -- touched, rmgr_counts, transactions
) STRICT;
