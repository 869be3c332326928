package store

import (
	"context"
	"database/sql"
	"time"

	"forkpoint/walinspect/pg"
)

// RelationName is what a relation's storage was called when it was last seen.
type RelationName struct {
	Storage pg.RelFileLocator
	Name    pg.QualifiedName
	Kind    string
	Owner   pg.QualifiedName // table that an index or TOAST table serves; empty for others
	Seen    time.Time
}

// A name that did not change is not written again: a snapshot is taken now and
// then, and the names mostly stay.
const saveName = `INSERT INTO relation_names (system_id, spc_oid, db_oid, rel_number, database, schema, relation, kind, owner_schema, owner, seen_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET database = excluded.database, schema = excluded.schema, relation = excluded.relation, kind = excluded.kind,
    owner_schema = excluded.owner_schema, owner = excluded.owner, seen_at = excluded.seen_at
WHERE (database, schema, relation, kind, owner_schema, owner) <> (excluded.database, excluded.schema, excluded.relation, excluded.kind, excluded.owner_schema, excluded.owner)`

// SaveNames keeps the names of a cluster's relations. Those that are known
// already and not among them stay: their storage may be gone, and the log still
// speaks of it.
func (c *Catalog) SaveNames(ctx context.Context, id uint64, names []RelationName) error {
	return c.write(ctx, func(tx *sql.Tx) error {
		return c.insertAll(ctx, tx, saveName, len(names), func(i int) ([]any, error) {
			n := &names[i]
			return []any{systemID(id), n.Storage.Spc, n.Storage.DB, n.Storage.Rel, n.Name.Database, n.Name.Schema, n.Name.Relation,
				n.Kind, n.Owner.Schema, n.Owner.Relation, toTime(n.Seen)}, nil
		})
	})
}

const selectNames = `SELECT spc_oid, db_oid, rel_number, database, schema, relation, kind, owner_schema, owner, seen_at
FROM relation_names WHERE system_id = ? ORDER BY db_oid, rel_number, spc_oid`

// Names lists the relations of a cluster that were ever seen.
func (c *Catalog) Names(ctx context.Context, id uint64) ([]RelationName, error) {
	var list []RelationName
	err := c.query(ctx, selectNames, []any{systemID(id)}, func(scan scanFunc) error {
		var n RelationName
		var seen int64
		err := scan(&n.Storage.Spc, &n.Storage.DB, &n.Storage.Rel, &n.Name.Database, &n.Name.Schema, &n.Name.Relation,
			&n.Kind, &n.Owner.Schema, &n.Owner.Relation, &seen)
		if n.Owner.Relation != "" {
			n.Owner.Database = n.Name.Database
		}
		n.Seen = fromTime(seen)
		list = append(list, n)
		return err
	})
	return list, err
}
