-- 0003: the first block of an SP-GiST index is touched with each record of the
-- index. Segments that were read without it are read again.

DELETE FROM segments WHERE id IN (SELECT segment_id FROM rmgr_counts WHERE rmgr = 16);

-- Where an unlogged relation was made, all blocks of its main fork are touched.

DELETE FROM segments WHERE id IN (SELECT segment_id FROM events WHERE kind = 'relation-created' AND forks & 8);
