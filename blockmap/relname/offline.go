package relname

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// Offline reads the names from a data directory. Its server should be stopped:
// what a running one has not written yet is missed. After a crash, names are
// those of the last state on disk.
//
// It fails if the catalogs that all databases share cannot be read. A database
// that cannot be read, or a page of it, is told by [Names.Skipped].
func Offline(ctx context.Context, d *datadir.Dir) (*Names, error) {
	control, err := d.Control()
	if err != nil {
		return nil, err
	}
	if control.NameDataLen != nameLength {
		return nil, fmt.Errorf("read names of %s: identifiers of %d bytes are not supported, only of %d", d.Path(), control.NameDataLen, nameLength)
	}
	o := &offline{
		dir:     d,
		heap:    heapReader{dir: d.Path(), versionDir: d.VersionDir(), blockSize: int(control.BlockSize), xacts: newXactLog(d.Path(), control)},
		columns: columnsOf(d.Major()),
		names:   &Names{},
	}
	o.names.init()
	databases, err := o.shared(ctx)
	if err != nil {
		return nil, fmt.Errorf("read names of %s: %w", d.Path(), err)
	}
	for _, db := range databases {
		if err := o.database(ctx, db); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			o.names.skipped = append(o.names.skipped, fmt.Errorf("read names of database %s: %w", db.name, err))
		}
	}
	for _, err := range o.heap.damage {
		o.names.skipped = append(o.names.skipped, fmt.Errorf("read names: %w", err))
	}
	return o.names, nil
}

type offline struct {
	dir     *datadir.Dir
	heap    heapReader
	columns columns
	global  relMap // of the shared catalogs
	names   *Names
}

// database is a row of pg_database.
type database struct {
	oid        pg.OID
	name       string
	tablespace pg.OID
}

// relMap reads the relation map of a directory.
func (o *offline) relMap(dir string) (relMap, error) {
	b, err := o.dir.ReadFile(dir + "/pg_filenode.map")
	if err != nil {
		return nil, err
	}
	m, err := decodeRelMap(o.dir.Major(), b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return m, nil
}

// shared reads the lists of tablespaces and databases.
func (o *offline) shared(ctx context.Context) ([]database, error) {
	var err error
	if o.global, err = o.relMap("global"); err != nil {
		return nil, err
	}
	at := func(catalog pg.OID) pg.RelFileLocator {
		return pg.RelFileLocator{Spc: pg.GlobalTablespace, Rel: o.global[catalog]}
	}
	spaces, err := o.namesOf(ctx, at(tablespaceCatalog))
	if err != nil {
		return nil, err
	}
	for oid, name := range spaces {
		o.names.tablespaces[oid] = name.value
	}
	best := newest[database]{}
	err = o.heap.rows(ctx, at(databaseCatalog), func(r row, s standing) {
		best.offer(r.oid(0), s, database{r.oid(0), r.name(), r.oid(o.columns.dbTablespace)})
	})
	if err != nil {
		return nil, err
	}
	var list []database
	for oid, db := range best {
		o.names.databases[oid] = db.value.name // of one that was dropped too, while its row is there
	}
	for _, db := range best.current() {
		list = append(list, db)
	}
	slices.SortFunc(list, func(a, b database) int { return int(int64(a.oid) - int64(b.oid)) })
	return list, nil
}

// namesOf reads a catalog that has nothing of interest but OID and name.
func (o *offline) namesOf(ctx context.Context, rel pg.RelFileLocator) (newest[string], error) {
	best := newest[string]{}
	err := o.heap.rows(ctx, rel, func(r row, s standing) { best.offer(r.oid(0), s, r.name()) })
	return best, err
}

// database reads the names of one database's relations.
func (o *offline) database(ctx context.Context, db database) error {
	mapped, err := o.relMap(pg.DatabaseDir(db.tablespace, db.oid, o.dir.VersionDir()))
	if err != nil {
		return err
	}
	r := reader{db: db, mapped: mapped, shared: o.global, schemas: map[pg.OID]string{}, owners: map[pg.OID]pg.OID{}}
	own := func(file pg.RelFileNumber) pg.RelFileLocator {
		return pg.RelFileLocator{Spc: db.tablespace, DB: db.oid, Rel: file}
	}
	classes := newest[class]{}
	err = o.heap.rows(ctx, own(mapped[classCatalog]), func(row row, s standing) {
		c := o.columns.class(row)
		classes.offer(c.oid, s, c)
		r.versions = append(r.versions, c)
	})
	if err != nil {
		return err
	}
	r.current = maps.Collect(classes.current())

	schemas, err := o.namesOf(ctx, own(r.current[namespaceCatalog].file))
	if err != nil {
		return err
	}
	for oid, name := range schemas {
		r.schemas[oid] = name.value
	}
	indexes := newest[pg.OID]{}
	err = o.heap.rows(ctx, own(r.current[indexCatalog].file), func(row row, s standing) {
		indexes.offer(row.oid(0), s, row.oid(o.columns.indexTable))
	})
	if err != nil {
		return err
	}
	maps.Insert(r.owners, indexes.current())
	for _, c := range r.current {
		if c.toast != 0 {
			r.owners[c.toast] = c.oid
		}
	}
	r.resolve(o.names)
	return nil
}
