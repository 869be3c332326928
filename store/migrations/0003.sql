-- 0003: the first block of an SP-GiST index is touched with each record of the
-- index. Segments that were read without it are read again.

DELETE FROM segments WHERE id IN (SELECT segment_id FROM rmgr_counts WHERE rmgr = 16);
