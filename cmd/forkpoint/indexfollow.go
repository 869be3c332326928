package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"forkpoint/blockmap/relname"
	"forkpoint/reports"
	"forkpoint/store"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
)

// namesEvery is how often the names of relations are read while following. They
// are of use when the server is gone, and reading them takes milliseconds.
const namesEvery = time.Minute

// lookEvery is how long to wait for the folder to change before looking anyway:
// a file system need not tell of changes.
const lookEvery = 10 * time.Second

// follower reads what a server writes as it is written.
type follower struct {
	app     *app
	opts    indexOptions
	catalog *store.Catalog
	open    func(context.Context) (*indexPlace, error) // what there is to read now
	names   func(context.Context, *indexPlace)         // keeps the names of relations
	from    map[pg.TimelineID]uint64                   // segment to go on with, by timeline
	report  map[pg.TimelineID]*reports.IndexedTimeline
	named   time.Time
}

// runFollow indexes what there is, and again whenever there is more. A signal
// is how it ends: what was written until then is read, the report shown.
func runFollow(ctx context.Context, app *app, opts indexOptions) error {
	place, err := openIndexPlace(ctx, opts.place)
	if err != nil {
		return err
	}
	if place.pgdata == "" {
		return usagef("--follow wants the data directory of a server, and %s is none", opts.place)
	}
	catalog, err := openCatalog(ctx, app, app.catalogPath(opts.catalog, opts.stateDir, place.pgdata), true)
	if err != nil {
		return err
	}
	defer catalog.Close() // saves were committed as they were made
	f := newFollower(app, opts, catalog)
	f.open = func(ctx context.Context) (*indexPlace, error) { return openIndexPlace(ctx, opts.place) }
	f.names = func(ctx context.Context, place *indexPlace) { place.saveNames(ctx, app, catalog) }
	watch, err := watchFolder(filepath.Join(place.pgdata, "pg_wal"))
	if err != nil {
		app.log.Info("changes of the folder are not told: looking now and then", "path", opts.place, "err", err)
	}
	defer watch.close()
	for {
		began := time.Now()
		if err := f.pass(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if !f.wait(ctx, began, watch) {
			break
		}
	}
	// The last pass is not cut short by the signal that asks for it.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := f.pass(last); err != nil {
		return err
	}
	return f.show(place.cluster)
}

func newFollower(app *app, opts indexOptions, catalog *store.Catalog) *follower {
	return &follower{app: app, opts: opts, catalog: catalog, from: map[pg.TimelineID]uint64{}, report: map[pg.TimelineID]*reports.IndexedTimeline{}}
}

// wait returns when there is something to read, false when there will be no
// more.
func (f *follower) wait(ctx context.Context, began time.Time, w *watcher) bool {
	idle := time.NewTimer(lookEvery)
	defer idle.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-w.changed:
	case <-idle.C:
	}
	pause := time.NewTimer(time.Until(began.Add(time.Duration(f.opts.every))))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
		return true
	}
}

// pass reads what was written since the pass before, from the segment that was
// the last then.
func (f *follower) pass(ctx context.Context) error {
	place, err := f.open(ctx)
	if err != nil {
		return err
	}
	if err := place.saveHistories(ctx, f.catalog); err != nil {
		return err
	}
	if time.Since(f.named) >= namesEvery {
		f.names(ctx, place)
		f.named = time.Now()
	}
	for _, tli := range place.timelines() {
		numbers := place.segments[tli]
		numbers.lowest = max(numbers.lowest, f.from[tli])
		place.segments[tli] = numbers
		t, err := place.index(ctx, newIndexer(f.catalog, place.source, place.geometry, 1, nil), tli, nil)
		if err != nil {
			return fmt.Errorf("index timeline %d of %s: %w", tli, f.opts.place, err)
		}
		at := t.Span.To
		if gap := f.note(t); gap != 0 {
			at = gap
		}
		if at > t.Span.From {
			f.from[tli] = place.geometry.SegmentSize.Number(at - 1)
		}
	}
	return nil
}

// note adds what a pass did to the report, and returns where the first gap is
// that the pass before did not have: the server may have written while files
// were read, and the next pass sees whether it is one.
func (f *follower) note(t reports.IndexedTimeline) (gap pg.LSN) {
	sum := f.report[t.Timeline]
	if sum == nil {
		sum = &reports.IndexedTimeline{Timeline: t.Timeline, Span: t.Span, Skipped: t.Skipped, Bytes: t.Bytes}
		f.report[t.Timeline] = sum
	}
	before := map[pg.Span]bool{}
	kept := []reports.Gap{}
	for _, g := range sum.Gaps {
		before[g.Span] = true
		if g.Span.From < t.Span.From {
			kept = append(kept, g)
		}
	}
	for _, g := range t.Gaps {
		if gap == 0 && !before[g.Span] {
			gap = g.Span.From
		}
	}
	sum.Span.To, sum.End, sum.GoesOnAs = max(sum.Span.To, t.Span.To), t.End, t.GoesOnAs
	sum.Read, sum.Gaps = sum.Read+t.Read, append(kept, t.Gaps...)
	f.app.log.Debug("read what was written", "tli", t.Timeline, "lsn", t.Span.To)
	return gap
}

func (f *follower) show(cluster reports.Cluster) error {
	report := &reports.Indexing{Catalog: f.catalog.Path(), Place: f.opts.place, Cluster: cluster}
	for _, tli := range slices.Sorted(maps.Keys(f.report)) {
		report.Timelines = append(report.Timelines, *f.report[tli])
	}
	report.Judge()
	if err := f.app.show(f.opts.format, report); err != nil {
		return err
	}
	if report.Worst() >= f.opts.failOn {
		return errFindings
	}
	return nil
}

// saveNames keeps the names of the relations of a data directory. A catalog is
// worth having without them, so what goes wrong is only logged.
func (p *indexPlace) saveNames(ctx context.Context, app *app, catalog *store.Catalog) {
	if p.pgdata == "" {
		return
	}
	dir, err := datadir.Open(p.pgdata)
	var names *relname.Names
	if err == nil {
		names, err = relname.Offline(ctx, dir)
	}
	keepNames(ctx, app, catalog, p.geometry.SystemID, names, err)
}

// keepNames stores names, if they could be read.
func keepNames(ctx context.Context, app *app, catalog *store.Catalog, systemID uint64, names *relname.Names, err error) {
	if err == nil {
		err = errors.Join(names.Skipped()...)
		var list []store.RelationName
		now := time.Now().UTC()
		for storage, n := range names.All() {
			if !n.Former {
				list = append(list, store.RelationName{Storage: storage, Name: n.QualifiedName, Kind: n.Kind.String(), Owner: n.OwnerIs, Seen: now})
			}
		}
		err = errors.Join(err, catalog.SaveNames(ctx, systemID, list))
	}
	if err != nil {
		app.log.Info("not all names of relations could be kept", "err", err)
	}
}
