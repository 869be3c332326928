package relname

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"forkpoint/walinspect/pg"
)

// The queries name every object with its schema, so that no search_path of the
// role can change what they mean.
const (
	relationsQuery = `
SELECT coalesce(nullif(c.reltablespace, 0), d.dattablespace), CASE WHEN c.relisshared THEN 0::oid ELSE d.oid END,
       pg_catalog.pg_relation_filenode(c.oid), c.oid, CASE WHEN c.relisshared THEN '' ELSE d.datname::text END,
       n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence = 'u', coalesce(o.oid, 0::oid),
       CASE WHEN o.oid IS NULL OR o.relisshared THEN '' ELSE d.datname::text END, coalesce(s.nspname::text, ''), coalesce(o.relname::text, '')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.reltoastrelid = coalesce(i.indrelid, c.oid)
LEFT JOIN pg_catalog.pg_class o ON o.oid = coalesce(t.oid, i.indrelid)
LEFT JOIN pg_catalog.pg_namespace s ON s.oid = o.relnamespace
WHERE c.relpersistence <> 't' AND pg_catalog.pg_relation_filenode(c.oid) IS NOT NULL`

	databasesQuery   = `SELECT oid, datname::text FROM pg_catalog.pg_database`
	tablespacesQuery = `SELECT oid, spcname::text FROM pg_catalog.pg_tablespace`

	connectableQuery = `
SELECT datname::text FROM pg_catalog.pg_database
WHERE datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT') AND datname <> pg_catalog.current_database()
ORDER BY oid`
)

// Live asks a server for the names in the database that conn is connected to,
// the shared relations, and the names of all databases and tablespaces.
func Live(ctx context.Context, conn *pgx.Conn) (*Names, error) {
	names := &Names{}
	names.init()
	for query, into := range map[string]map[pg.OID]string{databasesQuery: names.databases, tablespacesQuery: names.tablespaces} {
		if err := pairs(ctx, conn, query, into); err != nil {
			return nil, fmt.Errorf("ask for names: %w", err)
		}
	}
	if err := names.relationsFrom(ctx, conn); err != nil {
		return nil, fmt.Errorf("ask for names of relations: %w", err)
	}
	return names, nil
}

// LiveAll is [Live] for every database that the role can connect to. config
// leads to one of them. A database that cannot be asked is told by
// [Names.Skipped].
func LiveAll(ctx context.Context, config *pgx.ConnConfig) (*Names, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // only read
	names, err := Live(ctx, conn)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, connectableQuery)
	if err != nil {
		return nil, fmt.Errorf("ask for databases: %w", err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("ask for databases: %w", err)
	}
	for _, db := range others {
		more, err := liveDatabase(ctx, config, db)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			names.skipped = append(names.skipped, fmt.Errorf("read names of database %s: %w", db, err))
			continue
		}
		names.Merge(more)
	}
	return names, nil
}

func liveDatabase(ctx context.Context, config *pgx.ConnConfig, db string) (*Names, error) {
	config = config.Copy()
	config.Database = db
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // only read
	return Live(ctx, conn)
}

// relationsFrom adds the relations of one database.
func (n *Names) relationsFrom(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, relationsQuery)
	if err != nil {
		return err
	}
	var spc, db, file, oid, owner uint32
	var name Name
	var kind string
	_, err = pgx.ForEachRow(rows, []any{&spc, &db, &file, &oid, &name.Database, &name.Schema, &name.Relation, &kind, &name.Unlogged,
		&owner, &name.OwnerIs.Database, &name.OwnerIs.Schema, &name.OwnerIs.Relation}, func() error {
		name.OID, name.Owner, name.Kind = pg.OID(oid), pg.OID(owner), Kind(kind[0])
		n.add(pg.RelFileLocator{Spc: pg.OID(spc), DB: pg.OID(db), Rel: pg.RelFileNumber(file)}, name)
		return nil
	})
	return err
}

// pairs reads OIDs and names.
func pairs(ctx context.Context, conn *pgx.Conn, query string, into map[pg.OID]string) error {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	var oid uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name}, func() error {
		into[pg.OID(oid)] = name
		return nil
	})
	return err
}
