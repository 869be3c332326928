-- 0002: names of relations, as they were while the server lived.

CREATE TABLE relation_names (
    system_id    TEXT    NOT NULL,
    spc_oid      INTEGER NOT NULL,
    db_oid       INTEGER NOT NULL,
    rel_number   INTEGER NOT NULL,
    database     TEXT    NOT NULL,       -- '' for shared relations
    schema       TEXT    NOT NULL,
    relation     TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    owner_schema TEXT    NOT NULL,       -- of the table that an index or TOAST table serves, else ''
    owner        TEXT    NOT NULL,
    seen_at      INTEGER NOT NULL,       -- time of the newest sighting
    PRIMARY KEY (system_id, db_oid, rel_number, spc_oid)
) STRICT, WITHOUT ROWID;

CREATE VIEW name_list AS
SELECT system_id, spc_oid, db_oid, rel_number, database, schema, relation, kind, owner_schema, owner,
       strftime('%Y-%m-%dT%H:%M:%SZ', seen_at / 1000000, 'unixepoch') AS seen_at
FROM relation_names;
