package main

import (
	"context"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// namesOf reads the names of the relations in a data directory. A report is
// worth having without them, so what goes wrong is only logged.
func namesOf(ctx context.Context, app *app, dir *datadir.Dir) reports.Names {
	names, err := relname.Offline(ctx, dir)
	if err != nil {
		app.log.Warn("relations are shown by number", "err", err)
		return nil
	}
	for _, err := range names.Skipped() {
		app.log.Info("some relations are shown by number", "err", err)
	}
	return func(rel pg.RelFileLocator) (reports.RelationName, bool) {
		name, found := names.Lookup(rel)
		if !found {
			return reports.RelationName{}, false
		}
		out := reports.RelationName{QualifiedName: name.QualifiedName, Kind: name.Kind.String(), Former: name.Former}
		if name.Owner != 0 {
			out.Owner = &name.OwnerIs
		}
		return out, true
	}
}
