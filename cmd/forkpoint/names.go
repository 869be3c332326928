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

// keptNames are those that forkpoint index --follow put into a catalog; nil
// where there are none.
func keptNames(ctx context.Context, catalog *store.Catalog, systemID uint64) (*relname.Names, error) {
	list, err := catalog.Names(ctx, systemID)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	n := &relname.Names{}
	for _, r := range list {
		name := relname.Name{QualifiedName: r.Name, Kind: relname.KindNamed(r.Kind)}
		if r.Owner.Relation != "" {
			name.Owner, name.OwnerIs = unknownOwner, r.Owner
		}
		n.Add(r.Storage, name)
	}
	return n, nil
}

// unknownOwner stands for the OID of a table that is known by its name.
const unknownOwner = pg.OID(1)

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
		app.goOn(ctx, "relations that only the source has are shown by number", err)
	}
	if catalog, is := e.catalog.(*store.Catalog); is {
		list, err := keptNames(ctx, catalog, e.targetControl.SystemID)
		if err != nil {
			app.log.Info("names in the catalog cannot be read", "err", err)
		} else if list != nil {
			kept = append(kept, readNames{list})
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
		app.goOn(ctx, "relations are shown by number", err)
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
