package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/pflag"

	"forkpoint/blockmap/indexer"
	"forkpoint/rewind/source"
	"forkpoint/store"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
)

// endsOptions name the two clusters and where the log of the target may lie.
// report and rewind have them in common.
type endsOptions struct {
	target       string
	sourceDir    string
	sourceServer string
	archives     []string
	catalog      string
	stateDir     string
	jobs         int
	timeout      durationFlag
	wait         durationFlag
	rate         sizeFlag
}

func (o *endsOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVarP(&o.target, "target-pgdata", "D", "", "data `directory` of the target, the cluster that was left behind")
	fs.StringVar(&o.sourceDir, "source-pgdata", "", "data `directory` of a stopped source, the cluster to follow")
	fs.StringVar(&o.sourceServer, "source-server", "", "connection string (`CONNINFO`) of a running source")
	fs.StringArrayVar(&o.archives, "archive", nil, "`folder` where archived WAL segments lie; may be repeated")
	fs.StringVar(&o.catalog, "catalog", "", "catalog `file` of forkpoint index (default $FORKPOINT_CATALOG, else catalog.db in the state directory)")
	fs.StringVar(&o.stateDir, "state-dir", "", "`folder` of journal, evidence and catalog (default PGDATA.forkpoint)")
	fs.IntVarP(&o.jobs, "jobs", "j", 2, "`number` of segments to read, or of connections to the source, at a time")
	fs.Var(&o.timeout, "connect-timeout", "give up connecting to the source after this `time`")
	o.timeout = durationFlag(30 * time.Second)
}

// check refuses sources that are missing or one too many, in pg_rewind's words.
func (o *endsOptions) check() error {
	switch {
	case o.target == "":
		return usagef("no target data directory specified (--target-pgdata)")
	case o.sourceDir == "" && o.sourceServer == "":
		return usagef("no source specified (--source-pgdata or --source-server)")
	case o.sourceDir != "" && o.sourceServer != "":
		return usagef("only one of --source-pgdata or --source-server can be specified")
	case o.jobs < 1:
		return usagef("--jobs %d: want at least 1", o.jobs)
	}
	return nil
}

// ends are the opened clusters.
type ends struct {
	target        *datadir.Dir
	targetControl *pgcontrol.Control
	source        source.Source
	catalog       *store.Catalog // in memory where no file is wanted
	archives      []segment.Source
	jobs          int
}

// openEnds opens both clusters and the catalog. keep says whether a catalog
// file may be made; a report that finds none leaves no trace.
func openEnds(ctx context.Context, app *app, o endsOptions, keep bool) (*ends, error) {
	e := &ends{jobs: o.jobs}
	var err error
	if e.target, err = datadir.Open(o.target); err != nil {
		return nil, notDataDir("target", err)
	}
	if e.targetControl, err = e.target.Control(); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	for _, folder := range o.archives {
		info, err := os.Stat(folder)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a folder", folder)
		}
		if err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		e.archives = append(e.archives, segment.NewDir(folder, e.targetControl.SegmentSize))
	}
	if e.source, err = openSource(ctx, app, o); err != nil {
		return nil, err
	}
	if e.catalog, err = openCatalog(ctx, app, app.catalogPath(o.catalog, o.stateDir, o.target), keep || o.catalog != ""); err != nil {
		e.source.Close() // read only: nothing is lost if it fails
		return nil, err
	}
	return e, nil
}

// openSource opens the stopped directory or connects to the running server.
func openSource(ctx context.Context, app *app, o endsOptions) (source.Source, error) {
	if o.sourceDir != "" {
		local, err := source.OpenLocal(o.sourceDir)
		switch {
		case errors.Is(err, source.ErrRunning):
			return nil, &hintedError{err, "name it with --source-server instead, or stop it with pg_ctl stop -m fast"}
		case err != nil:
			return nil, notDataDir("source", err)
		}
		return local, nil
	}
	s, err := source.Connect(ctx, o.sourceServer, source.Options{
		Jobs: o.jobs, ConnectTimeout: time.Duration(o.timeout), WaitReady: time.Duration(o.wait), Rate: int64(o.rate), Log: app.log,
	})
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	return s, nil
}

// notDataDir says which side was wrongly named.
func notDataDir(side string, err error) error {
	err = fmt.Errorf("%s: %w", side, err)
	if errors.Is(err, datadir.ErrNotDataDir) {
		return &hintedError{err, "name the directory that holds PG_VERSION and global/pg_control"}
	}
	return err
}

// openCatalog opens a catalog that exists, or makes one. Without a file that
// may be written what is indexed is kept in memory.
func openCatalog(ctx context.Context, app *app, path string, create bool) (*store.Catalog, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !create {
		return store.OpenMemory(ctx)
	}
	if create {
		if err := makeParent(path); err != nil {
			return nil, err
		}
	}
	catalog, err := store.Open(ctx, path)
	if errors.Is(err, fs.ErrPermission) && !create {
		app.log.Warn("catalog cannot be written, going on without it", "path", path, "err", err)
		return store.OpenMemory(ctx)
	}
	return catalog, err
}

func (e *ends) close() {
	e.source.Close()  // read only: nothing is lost if it fails
	e.catalog.Close() // saves were committed as they were made
}

// targetWAL is where the target's log may lie: its own pg_wal, then the
// archives, then a stopped source, which has the same bytes up to the fork.
func (e *ends) targetWAL() segment.Source {
	sources := []segment.Source{e.ownWAL()}
	if local, isLocal := e.source.(*source.Local); isLocal {
		sources = append(sources, segment.NewDir(local.Dir().Path()+"/pg_wal", e.targetControl.SegmentSize))
	}
	return segment.NewChain(sources...)
}

// ownWAL is where the target's log may lie, its source left out.
func (e *ends) ownWAL() segment.Source {
	own := segment.NewDir(e.target.Path()+"/pg_wal", e.targetControl.SegmentSize)
	return segment.NewChain(append([]segment.Source{own}, e.archives...)...)
}

// index reads a log through the catalog.
func (e *ends) index(wal segment.Source, progress *progress) *indexer.Indexer {
	return newIndexer(e.catalog, wal, geometryOf(e.targetControl), e.jobs, progress)
}
