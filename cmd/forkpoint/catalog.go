package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// usualBlockSize is the size of data pages where only the catalog is asked,
// which does not know it. Nearly all servers there are have it.
const usualBlockSize = 8192

// newIndexer makes an indexer that goes through a catalog. wal is nil where
// only the catalog is to be asked.
func newIndexer(catalog indexer.Cache, wal segment.Source, g walinspect.Geometry, jobs int, p *progress) *indexer.Indexer {
	return indexer.New(wal, g, catalog, indexerOptions(jobs, p))
}

func indexerOptions(jobs int, p *progress) indexer.Options {
	return indexer.Options{Workers: jobs, Progress: func(done indexer.Progress) { p.set(uint64(done.Bytes), 0) }}
}

// gatherBranches compares two timelines by what the catalog has of them.
func gatherBranches(ctx context.Context, catalog *store.Catalog, branches []pg.TimelineID, progress *progress) (*reports.DivergenceInput, error) {
	cluster, err := onlyCluster(ctx, catalog)
	if err != nil {
		return nil, err
	}
	paths, err := branchPaths(ctx, catalog, cluster, branches)
	if err != nil {
		return nil, err
	}
	fork, err := timeline.CommonAncestor(paths[1], paths[0])
	if err != nil {
		return nil, err
	}
	geometry := walinspect.Geometry{SystemID: cluster.SystemID, SegmentSize: cluster.SegmentSize}
	index := newIndexer(catalog, nil, geometry, 1, progress)
	in := &reports.DivergenceInput{
		Cluster: reports.Cluster{SystemID: cluster.SystemID, Major: cluster.Major, BlockSize: usualBlockSize, SegmentSize: cluster.SegmentSize},
		Fork:    fork,
		Target:  reports.Node{Timeline: branches[0]},
		Source:  reports.Node{Timeline: branches[1]},
	}
	g := &gatherer{in: in, geometry: geometry, target: paths[0], source: paths[1], progress: progress, index: index, sourceIndex: index}
	in.Earlier = ancestors(paths[0], fork)
	if err := g.gather(ctx); err != nil {
		return nil, err
	}
	kept, err := keptNames(ctx, catalog, cluster.SystemID)
	if kept != nil {
		in.Names, in.SourceNames = readNames{kept}, readNames{kept}
	}
	return in, err
}

// readCatalog opens a catalog that exists for reading. One of an older forkpoint
// is brought up to date where it may be written. Beside another user's catalog no
// file is left that its owner may not write, and which would lock him out.
func readCatalog(ctx context.Context, path string) (*store.Catalog, error) {
	open := store.OpenReadOnly
	if unix.Access(path, unix.W_OK) != nil {
		open = store.OpenUntouched
	}
	catalog, err := open(ctx, path)
	var version *store.VersionError
	if !errors.As(err, &version) || version.Version > version.Known {
		return catalog, orIndexFirst(err)
	}
	if catalog, err = store.Open(ctx, path); err != nil {
		return nil, fmt.Errorf("%w, and it cannot be brought up to date: %w", version, err)
	}
	return catalog, nil
}

// changeCatalog opens a catalog that exists for writing.
func changeCatalog(ctx context.Context, path string) (*store.Catalog, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, orIndexFirst(fmt.Errorf("open catalog: %w", err))
	}
	return store.Open(ctx, path)
}

// orIndexFirst adds what to do where there is no catalog.
func orIndexFirst(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &hintedError{err, "run forkpoint index first, or name its catalog with --catalog"}
	}
	return err
}

// onlyCluster is the cluster that the catalog is of.
func onlyCluster(ctx context.Context, catalog *store.Catalog) (store.Cluster, error) {
	clusters, err := catalog.Clusters(ctx)
	switch {
	case err != nil:
		return store.Cluster{}, err
	case len(clusters) == 0:
		return store.Cluster{}, &hintedError{fmt.Errorf("catalog %s is empty", catalog.Path()), "run forkpoint index first"}
	case len(clusters) > 1:
		return store.Cluster{}, fmt.Errorf("catalog %s has %d clusters; a report is about one", catalog.Path(), len(clusters))
	}
	return clusters[0], nil
}

// branchPaths finds the histories of the two timelines among those that the
// catalog keeps.
func branchPaths(ctx context.Context, catalog *store.Catalog, cluster store.Cluster, branches []pg.TimelineID) ([]timeline.Path, error) {
	files, err := catalog.Histories(ctx, cluster.SystemID)
	if err != nil {
		return nil, err
	}
	var histories []*timeline.History
	for _, f := range files {
		h, err := timeline.Parse(f.Timeline, f.Content)
		if err != nil {
			return nil, fmt.Errorf("catalog %s: %w", catalog.Path(), err)
		}
		histories = append(histories, h)
	}
	tree := timeline.NewTree(histories...)
	for _, c := range tree.Conflicts() {
		if c.Timeline == branches[0] || c.Timeline == branches[1] {
			return nil, fmt.Errorf("catalog %s holds two different histories of timeline %d", catalog.Path(), c.Timeline)
		}
	}
	var paths []timeline.Path
	for _, tli := range branches {
		path, known := tree.Path(tli)
		if !known {
			return nil, &hintedError{fmt.Errorf("catalog %s has no history of timeline %d", catalog.Path(), tli),
				fmt.Sprintf("index a folder that has %s into it", tli.HistoryName())}
		}
		paths = append(paths, path)
	}
	return paths, nil
}
