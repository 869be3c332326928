package main

import (
	"context"
	"errors"
	"io/fs"

	"forkpoint/blockmap"
	"forkpoint/blockmap/indexer"
	"forkpoint/store"
	"forkpoint/walinspect/pg"
)

// catalogCache is a catalog as far as reading a log through it goes.
type catalogCache interface {
	indexer.Cache
	// Copy writes a copy to a file that does not exist.
	Copy(ctx context.Context, path string) error
	Close() error
}

// catalogLayers are a catalog in memory over one in a file that is only read.
// A dry run knows what was indexed before, and writes nothing.
type catalogLayers struct {
	*store.Catalog                // in memory; takes what is saved
	file           *store.Catalog // nil where there is none
}

// openCatalogLayers opens the catalog in a file, if there is one that can be
// read, under one in memory.
func openCatalogLayers(ctx context.Context, app *app, path string) (*catalogLayers, error) {
	memory, err := store.OpenMemory(ctx)
	if err != nil {
		return nil, err
	}
	file, err := store.OpenUntouched(ctx, path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			app.goOn(ctx, "catalog cannot be read, going on without it", err, "path", path)
		}
		file = nil
	}
	return &catalogLayers{memory, file}, nil
}

func (l *catalogLayers) Close() error {
	err := l.Catalog.Close()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	return err
}

func (l *catalogLayers) ByIdentity(ctx context.Context, key blockmap.SegmentKey, identity string) (*blockmap.Segment, bool, error) {
	s, found, err := l.Catalog.ByIdentity(ctx, key, identity)
	if found || err != nil || l.file == nil {
		return s, found, err
	}
	return l.file.ByIdentity(ctx, key, identity)
}

// Variants leaves out what both have.
func (l *catalogLayers) Variants(ctx context.Context, key blockmap.SegmentKey) ([]*blockmap.Segment, error) {
	above, err := l.Catalog.Variants(ctx, key)
	if err != nil || l.file == nil {
		return above, err
	}
	all, err := l.file.Variants(ctx, key)
	if err != nil {
		return nil, err
	}
	known := map[[32]byte]bool{}
	for _, s := range all {
		known[s.Digest] = true
	}
	for _, s := range above {
		if !known[s.Digest] {
			all = append(all, s)
		}
	}
	return all, nil
}

func (l *catalogLayers) Load(ctx context.Context, s *blockmap.Segment) error {
	err := l.Catalog.Load(ctx, s)
	if l.file != nil && errors.Is(err, store.ErrNotStored) {
		err = l.file.Load(ctx, s)
	}
	return err
}

func (l *catalogLayers) LoadMarks(ctx context.Context, s *blockmap.Segment) error {
	err := l.Catalog.LoadMarks(ctx, s)
	if l.file != nil && errors.Is(err, store.ErrNotStored) {
		err = l.file.LoadMarks(ctx, s)
	}
	return err
}

func (l *catalogLayers) Bounds(ctx context.Context, id uint64, size pg.SegmentSize, tli pg.TimelineID) (first, last uint64, found bool, err error) {
	first, last, found, err = l.Catalog.Bounds(ctx, id, size, tli)
	if err != nil || l.file == nil {
		return first, last, found, err
	}
	low, high, below, err := l.file.Bounds(ctx, id, size, tli)
	switch {
	case err != nil || !below:
		return first, last, found, err
	case !found:
		return low, high, true, nil
	}
	return min(first, low), max(last, high), true, nil
}

func (l *catalogLayers) Next(ctx context.Context, key blockmap.SegmentKey) (next uint64, found bool, err error) {
	next, found, err = l.Catalog.Next(ctx, key)
	if err != nil || l.file == nil {
		return next, found, err
	}
	low, below, err := l.file.Next(ctx, key)
	if below && (!found || low < next) {
		next, found = low, true
	}
	return next, found, err
}

// LoadTotals adds up one by one, for each segment may be in either.
func (l *catalogLayers) LoadTotals(ctx context.Context, segments []*blockmap.Segment) (blockmap.Sum, error) {
	blocks, activity := &blockmap.Map{}, map[pg.RelFork]blockmap.Activity{}
	for _, s := range segments {
		if err := l.Load(ctx, s); err != nil {
			return nil, err
		}
		blocks.Append(s.Touched)
		for rf, a := range s.Activity {
			sum := activity[rf]
			sum.Add(a)
			activity[rf] = sum
		}
		s.Touched, s.Activity = nil, nil
	}
	return func() (*blockmap.Map, map[pg.RelFork]blockmap.Activity, error) { return blocks, activity, nil }, nil
}
