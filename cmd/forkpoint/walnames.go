package main

import (
	"context"
	"strings"

	"forkpoint/blockmap/relname"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// inspectNames reads the names of relations where they are asked for, and finds
// the relation that was named. It is nil where none are known.
func inspectNames(ctx context.Context, app *app, wal *openedWAL, opts *inspectOptions) (*relname.Names, error) {
	dir := wal.pgdata
	if opts.namesFrom != "" {
		var err error
		if dir, err = datadir.Open(opts.namesFrom); err != nil {
			return nil, notDataDir("--names-from", err)
		}
	}
	named := opts.filter.relation.byName()
	switch {
	case dir == nil && named:
		return nil, usagef("--relation %s: names are known with a data directory only; name one with --names-from", opts.filter.relation.text)
	case dir == nil, !named && !opts.wantsNames():
		return nil, nil
	}
	names, err := relname.Offline(ctx, dir)
	if err != nil {
		if named || opts.namesFrom != "" {
			return nil, err
		}
		app.goOn(ctx, "relations are shown by number", err)
		return nil, nil
	}
	for _, err := range names.Skipped() {
		app.log.Info("some relations are shown by number", "err", err)
	}
	if named {
		return names, opts.filter.relation.resolve(names)
	}
	return names, nil
}

// wantsNames tells whether the output shows names.
func (o *inspectOptions) wantsNames() bool {
	return o.namesFrom != "" || o.stats == statsRelation || o.stats == statsDatabase || o.stats == "" && o.format == "json" && !o.check
}

// fullName is the name with all its parts that are known.
func fullName(n pg.QualifiedName) string {
	var parts []string
	for _, part := range []string{n.Database, n.Schema, n.Relation} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ".")
}
