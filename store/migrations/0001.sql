-- 0001: clusters, histories, and what each WAL segment touched and said.
--
-- Log positions are INTEGER, the 64 bits of the LSN; positions of 2^63 and
-- above are refused, for SQLite would sort them as negative. Times are INTEGER,
-- microseconds since 1970-01-01 00:00:00 UTC. The views at the end show both as
-- text. The system identifier is TEXT: it is an unsigned number and passes 2^63
-- in the year 2038.

CREATE TABLE clusters (
    id         INTEGER PRIMARY KEY,
    system_id  TEXT    NOT NULL,         -- of pg_control, decimal
    wal_segsz  INTEGER NOT NULL CHECK (wal_segsz BETWEEN 1048576 AND 1073741824), -- bytes
    pg_version INTEGER NOT NULL,         -- major version
    UNIQUE (system_id, wal_segsz)        -- pg_resetwal can change the size, and with it all segment numbers
) STRICT;

-- Timeline history files as they were found. A timeline number can have been
-- given out twice, so there may be several of one name.
CREATE TABLE histories (
    id         INTEGER PRIMARY KEY,
    system_id  TEXT    NOT NULL,
    tli        INTEGER NOT NULL CHECK (tli > 1),
    parent_tli INTEGER,                  -- of the last line; NULL if there is no line
    fork_lsn   INTEGER,                  -- where it left the parent
    reason     TEXT    NOT NULL,
    content    BLOB    NOT NULL,         -- the file
    seen_at    INTEGER NOT NULL,         -- time
    UNIQUE (system_id, tli, content)
) STRICT;

-- One row for each variant of a segment: the records that begin in it.
CREATE TABLE segments (
    id          INTEGER PRIMARY KEY,
    cluster_id  INTEGER NOT NULL REFERENCES clusters ON DELETE CASCADE,
    tli         INTEGER NOT NULL CHECK (tli > 0), -- in the file's name
    segno       INTEGER NOT NULL CHECK (segno >= 0),
    digest      BLOB    NOT NULL CHECK (length(digest) = 32), -- SHA-256 over LSN and CRC of the records
    inner_digest BLOB   NOT NULL CHECK (length(inner_digest) = 32), -- the same without a record that goes on in the next segment
    first_lsn   INTEGER NOT NULL,        -- start of the first record; 0 if none begins here
    last_lsn    INTEGER NOT NULL,        -- start of the last record
    end_lsn     INTEGER NOT NULL,        -- end of the last record, maybe in a later segment
    first_prev  INTEGER NOT NULL,        -- back link of the first record
    first_tli   INTEGER NOT NULL,        -- timeline of the page on which the first record begins
    last_tli    INTEGER NOT NULL,        -- and the last one
    records     INTEGER NOT NULL,
    wal_bytes   INTEGER NOT NULL,        -- sum of the records' lengths
    complete    INTEGER NOT NULL CHECK (complete IN (0, 1)), -- no record can be added
    stop        TEXT    NOT NULL,        -- why the log ended here, '' if complete
    stop_lsn    INTEGER NOT NULL,
    stop_detail TEXT    NOT NULL,
    commits     INTEGER NOT NULL,        -- commits of prepared transactions among them
    aborts      INTEGER NOT NULL,        -- the same for aborts
    prepares    INTEGER NOT NULL,
    first_time  INTEGER,                 -- time of the earliest end of a transaction, NULL if none ends here
    last_time   INTEGER,                 -- and of the latest
    min_xid     INTEGER,                 -- least identifier that a record carries, NULL if none does
    max_xid     INTEGER,                 -- and greatest, both without regard to wrap-around
    indexed_at  INTEGER NOT NULL,        -- time
    UNIQUE (cluster_id, tli, segno, digest),
    CHECK ((records = 0) = (first_lsn = 0))
) STRICT;

CREATE INDEX segments_by_number ON segments (cluster_id, segno);

-- Files in which a variant was found. identity tells whether the file is still
-- the same without reading it; '' where it could not be told.
CREATE TABLE files (
    segment_id INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    path       TEXT    NOT NULL,
    identity   TEXT    NOT NULL,
    size       INTEGER NOT NULL,         -- bytes
    seen_at    INTEGER NOT NULL,         -- time
    PRIMARY KEY (segment_id, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX files_by_identity ON files (identity) WHERE identity <> '';

-- Relation forks that any segment mentions. rel_number 0 stands for the whole
-- directory of a database.
CREATE TABLE relations (
    id         INTEGER PRIMARY KEY,
    cluster_id INTEGER NOT NULL REFERENCES clusters ON DELETE CASCADE,
    spc_oid    INTEGER NOT NULL,
    db_oid     INTEGER NOT NULL,
    rel_number INTEGER NOT NULL,
    fork       INTEGER NOT NULL CHECK (fork BETWEEN 0 AND 15), -- 0 main, 1 fsm, 2 vm, 3 init
    UNIQUE (cluster_id, db_oid, rel_number, spc_oid, fork)
) STRICT;

-- What the records of a segment did to a relation fork.
CREATE TABLE touched (
    segment_id     INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    relation_id    INTEGER NOT NULL REFERENCES relations ON DELETE CASCADE,
    limit_block    INTEGER,              -- shortest length it was cut to, in blocks; NULL if never cut
    block_count    INTEGER NOT NULL,     -- number of blocks
    restored_count INTEGER NOT NULL CHECK (restored_count <= block_count),
    blocks         BLOB,                 -- block set, see blockmap/FORMAT.md; NULL is empty
    restored       BLOB,                 -- block set; NULL is empty, or the same as blocks if the counts are equal
    records        INTEGER NOT NULL,     -- records that refer to it
    inserts        INTEGER NOT NULL,     -- rows
    updates        INTEGER NOT NULL,     -- rows, without hot_updates
    hot_updates    INTEGER NOT NULL,
    deletes        INTEGER NOT NULL,     -- rows
    images         INTEGER NOT NULL,     -- full-page images
    image_bytes    INTEGER NOT NULL,
    wal_bytes      INTEGER NOT NULL,     -- lengths of the records
    PRIMARY KEY (segment_id, relation_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX touched_by_relation ON touched (relation_id, segment_id);

CREATE TABLE rmgr_counts (
    segment_id  INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    rmgr        INTEGER NOT NULL,        -- resource manager number
    op          INTEGER NOT NULL,        -- upper four bits of the info byte
    records     INTEGER NOT NULL,
    wal_bytes   INTEGER NOT NULL,
    image_bytes INTEGER NOT NULL,
    PRIMARY KEY (segment_id, rmgr, op)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    segment_id        INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    lsn               INTEGER NOT NULL,
    end_lsn           INTEGER NOT NULL,
    redo_lsn          INTEGER NOT NULL,
    tli               INTEGER NOT NULL,
    prev_tli          INTEGER NOT NULL,  -- differs from tli where recovery ended with it
    shutdown          INTEGER NOT NULL CHECK (shutdown IN (0, 1)),
    full_page_writes  INTEGER NOT NULL CHECK (full_page_writes IN (0, 1)),
    wal_level         INTEGER NOT NULL,  -- 0 minimal, 1 replica, 2 logical, -1 not told
    next_xid          INTEGER NOT NULL,  -- with epoch
    oldest_xid        INTEGER NOT NULL,
    oldest_active_xid INTEGER NOT NULL,  -- 0 if shutdown
    time              INTEGER NOT NULL,
    PRIMARY KEY (segment_id, lsn)
) STRICT, WITHOUT ROWID;

-- Things that concern files, settings or timelines rather than single blocks.
CREATE TABLE events (
    segment_id  INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    seq         INTEGER NOT NULL,        -- order within the segment; a record can have several
    lsn         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,        -- blockmap.EventKind
    xid         INTEGER NOT NULL,
    spc_oid     INTEGER NOT NULL,        -- 0 where the kind has none; so are the next three
    db_oid      INTEGER NOT NULL,
    rel_number  INTEGER NOT NULL,
    forks       INTEGER NOT NULL,        -- sum of 1 main, 2 fsm, 4 vm, 8 init
    limit_block INTEGER,                 -- length of a truncated main fork, in blocks
    detail      TEXT,                    -- JSON, what else the kind has
    PRIMARY KEY (segment_id, seq)
) STRICT, WITHOUT ROWID;

-- Packed lists, see blockmap/FORMAT.md, each within DEFLATE; NULL is empty.
CREATE TABLE transactions (
    segment_id  INTEGER PRIMARY KEY REFERENCES segments ON DELETE CASCADE,
    xacts       BLOB,                    -- ends and preparations of transactions
    xids        BLOB,                    -- first record, records and bytes of each identifier
    snapshots   BLOB,                    -- running transactions
    assignments BLOB                     -- subtransactions to transactions
) STRICT;

-- Views for people. Names of segments and positions are as the server shows them;
-- a search by the numbers beside them uses the indexes.

CREATE VIEW segment_list AS
SELECT s.id, c.system_id, s.tli, s.segno,
       printf('%08X%08X%08X', s.tli, s.segno / (4294967296 / c.wal_segsz), s.segno % (4294967296 / c.wal_segsz)) AS name,
       printf('%X/%X', s.first_lsn >> 32, s.first_lsn & 4294967295) AS first_lsn,
       printf('%X/%X', s.end_lsn >> 32, s.end_lsn & 4294967295) AS end_lsn,
       s.records, s.wal_bytes, s.complete, s.stop, s.commits, s.aborts, s.prepares,
       strftime('%Y-%m-%dT%H:%M:%SZ', s.first_time / 1000000, 'unixepoch') AS first_time,
       strftime('%Y-%m-%dT%H:%M:%SZ', s.last_time / 1000000, 'unixepoch') AS last_time,
       lower(hex(s.digest)) AS digest
FROM segments s JOIN clusters c ON c.id = s.cluster_id;

CREATE VIEW touched_list AS
SELECT c.system_id, s.tli, s.segno,
       printf('%08X%08X%08X', s.tli, s.segno / (4294967296 / c.wal_segsz), s.segno % (4294967296 / c.wal_segsz)) AS segment,
       r.spc_oid, r.db_oid, r.rel_number,
       CASE r.fork WHEN 0 THEN 'main' WHEN 1 THEN 'fsm' WHEN 2 THEN 'vm' WHEN 3 THEN 'init' ELSE r.fork END AS fork,
       t.limit_block, t.block_count, t.restored_count, t.records,
       t.inserts, t.updates, t.hot_updates, t.deletes, t.images, t.image_bytes, t.wal_bytes
FROM touched t
JOIN relations r ON r.id = t.relation_id
JOIN segments s ON s.id = t.segment_id
JOIN clusters c ON c.id = s.cluster_id;

CREATE VIEW relation_activity AS
SELECT c.system_id, s.tli, r.spc_oid, r.db_oid, r.rel_number,
       CASE r.fork WHEN 0 THEN 'main' WHEN 1 THEN 'fsm' WHEN 2 THEN 'vm' WHEN 3 THEN 'init' ELSE r.fork END AS fork,
       count(*) AS segments, min(t.limit_block) AS limit_block,
       sum(t.records) AS records, sum(t.inserts) AS inserts, sum(t.updates) AS updates,
       sum(t.hot_updates) AS hot_updates, sum(t.deletes) AS deletes,
       sum(t.images) AS images, sum(t.image_bytes) AS image_bytes, sum(t.wal_bytes) AS wal_bytes
FROM touched t
JOIN relations r ON r.id = t.relation_id
JOIN segments s ON s.id = t.segment_id
JOIN clusters c ON c.id = s.cluster_id
GROUP BY c.id, s.tli, r.id;

CREATE VIEW checkpoint_list AS
SELECT c.system_id, p.tli, p.prev_tli,
       printf('%X/%X', p.lsn >> 32, p.lsn & 4294967295) AS lsn,
       printf('%X/%X', p.redo_lsn >> 32, p.redo_lsn & 4294967295) AS redo_lsn,
       CASE p.shutdown WHEN 1 THEN 'shutdown' ELSE 'online' END AS kind,
       p.full_page_writes, p.wal_level, p.next_xid, p.oldest_xid, p.oldest_active_xid,
       strftime('%Y-%m-%dT%H:%M:%SZ', p.time / 1000000, 'unixepoch') AS time
FROM checkpoints p
JOIN segments s ON s.id = p.segment_id
JOIN clusters c ON c.id = s.cluster_id;

CREATE VIEW event_list AS
SELECT c.system_id, s.tli,
       printf('%X/%X', e.lsn >> 32, e.lsn & 4294967295) AS lsn,
       e.kind, e.xid, e.spc_oid, e.db_oid, e.rel_number, e.forks, e.limit_block, e.detail
FROM events e
JOIN segments s ON s.id = e.segment_id
JOIN clusters c ON c.id = s.cluster_id;

CREATE VIEW history_list AS
SELECT system_id, tli, parent_tli,
       printf('%X/%X', fork_lsn >> 32, fork_lsn & 4294967295) AS fork_lsn,
       reason,
       strftime('%Y-%m-%dT%H:%M:%SZ', seen_at / 1000000, 'unixepoch') AS seen_at
FROM histories;
