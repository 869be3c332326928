package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/rewind/source"
	"forkpoint/store"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// names are what is known of a cluster's relations from several places; the
// first that knows one counts.
type names []reports.Names

func (n names) Relation(rel pg.RelFileLocator) (reports.RelationName, bool) {
	for _, one := range n {
		if name, found := one.Relation(rel); found {
			return name, true
		}
	}
	return reports.RelationName{}, false
}

func (n names) Database(oid pg.OID) (string, bool) {
	for _, one := range n {
		if name, found := one.Database(oid); found {
			return name, true
		}
	}
	return "", false
}

func (n names) Tablespace(oid pg.OID) (string, bool) {
	for _, one := range n {
		if name, found := one.Tablespace(oid); found {
			return name, true
		}
	}
	return "", false
}

// readNames are names that were read from a data directory or a server.
type readNames struct{ *relname.Names }

func (n readNames) Relation(rel pg.RelFileLocator) (reports.RelationName, bool) {
	name, found := n.Lookup(rel)
	if !found {
		return reports.RelationName{}, false
	}
	out := reports.RelationName{QualifiedName: name.QualifiedName, Kind: name.Kind.String(), Former: name.Former}
	if name.Owner != 0 {
		out.Owner = &name.OwnerIs
	}
	return out, true
}

// namesInCatalog are those that forkpoint index --follow kept.
type namesInCatalog struct {
	relations map[pg.RelFileLocator]reports.RelationName
	databases map[pg.OID]string
}

func (n namesInCatalog) Relation(rel pg.RelFileLocator) (reports.RelationName, bool) {
	name, found := n.relations[rel]
	return name, found
}

func (n namesInCatalog) Database(oid pg.OID) (string, bool) {
	name, found := n.databases[oid]
	return name, found
}

func (namesInCatalog) Tablespace(pg.OID) (string, bool) { return "", false }

// catalogNames reads the names that a catalog keeps.
func catalogNames(ctx context.Context, catalog interface {
	Names(context.Context, uint64) ([]store.RelationName, error)
}, systemID uint64) (namesInCatalog, error) {
	n := namesInCatalog{map[pg.RelFileLocator]reports.RelationName{}, map[pg.OID]string{}}
	list, err := catalog.Names(ctx, systemID)
	for _, r := range list {
		name := reports.RelationName{QualifiedName: r.Name, Kind: r.Kind}
		if r.Owner.Relation != "" {
			name.Owner = &r.Owner
		}
		n.relations[r.Storage] = name
		if r.Storage.DB != 0 && r.Name.Database != "" {
			n.databases[r.Storage.DB] = r.Name.Database
		}
	}
	return n, err
}

// namesOfEnds gathers the names of both sides: of each its own first, then the
// other's, then what the catalog keeps. A report is worth having without them,
// so what goes wrong is only logged.
func namesOfEnds(ctx context.Context, app *app, e *ends, conninfo string) (target, src names) {
	var own, other, kept []reports.Names
	if read := namesOf(ctx, app, e.target); read != nil {
		own = append(own, read)
	}
	var read *relname.Names
	var err error
	if local, is := e.source.(*source.Local); is {
		read, err = relname.Offline(ctx, local.Dir())
	} else {
		read, err = liveNames(ctx, conninfo)
	}
	if err == nil {
		other = append(other, readNames{read})
	} else {
		app.log.Warn("relations that only the source has are shown by number", "err", err)
	}
	if catalog, is := e.catalog.(*store.Catalog); is {
		if list, err := catalogNames(ctx, catalog, e.targetControl.SystemID); err == nil {
			kept = append(kept, list)
		} else {
			app.log.Info("names in the catalog cannot be read", "err", err)
		}
	}
	target = append(append(append(target, own...), other...), kept...)
	src = append(append(append(src, other...), own...), kept...)
	return target, src
}

// namesOf reads the names in a data directory; nil where they cannot be read,
// which is only logged.
func namesOf(ctx context.Context, app *app, dir *datadir.Dir) reports.Names {
	read, err := relname.Offline(ctx, dir)
	if err != nil {
		app.log.Warn("relations are shown by number", "err", err)
		return nil
	}
	for _, err := range read.Skipped() {
		app.log.Info("some relations are shown by number", "err", err)
	}
	return readNames{read}
}

// liveNames asks a server, which has to answer soon.
func liveNames(ctx context.Context, conninfo string) (*relname.Names, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	config, err := pgx.ParseConfig(conninfo)
	if err != nil {
		return nil, err
	}
	return relname.LiveAll(ctx, config)
}

// sizesOf sums up the files of each relation fork.
func sizesOf(ctx context.Context, dir *datadir.Dir) (map[pg.RelFork]int64, error) {
	sizes := map[pg.RelFork]int64{}
	for f, err := range dir.Files(ctx) {
		if err != nil {
			return nil, err
		}
		if f.Rel != nil {
			sizes[f.Rel.RelFork] += f.Size
		}
	}
	return sizes, nil
}
