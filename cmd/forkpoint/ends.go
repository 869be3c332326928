package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"forkpoint/blockmap"
	"forkpoint/blockmap/indexer"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/store"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/walsummary"
)

// endsOptions name the two clusters and where the log of the target may lie.
// report and rewind have them in common.
type endsOptions struct {
	target       string
	sourceDir    string
	sourceServer string
	archives     []string
	restore      bool
	restoreWith  string
	configFile   string
	catalog      string
	stateDir     string
	jobs         int
	timeout      durationFlag
	idle         durationFlag
	retry        durationFlag
	wait         durationFlag
	rate         sizeFlag
	dryRun       bool // not even a catalog that exists may be written to
}

func (o *endsOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVarP(&o.target, "target-pgdata", "D", "", "data `directory` of the target, the cluster that was left behind")
	fs.StringVar(&o.sourceDir, "source-pgdata", "", "data `directory` of a stopped source, the cluster to follow")
	fs.StringVar(&o.sourceServer, "source-server", "", "connection string (`CONNINFO`) of a running source")
	fs.StringArrayVar(&o.archives, "archive", nil, "where archived WAL lies: a `folder`, a tar file, or what Barman, pgBackRest or WAL-G keep on disk; may be repeated")
	fs.BoolVarP(&o.restore, "restore-target-wal", "c", false, "fetch missing WAL with the target's restore_command")
	fs.StringVar(&o.restoreWith, "restore-command", "", "fetch missing WAL with this `command`; %f stands for the file, %p for where to put it")
	fs.StringVar(&o.configFile, "config-file", "", "the target's postgresql.conf where it lies outside of the data directory, as `FILE`")
	fs.StringVar(&o.catalog, "catalog", "", "catalog `file` of forkpoint index (default $FORKPOINT_CATALOG, else catalog.db in the state directory)")
	fs.StringVar(&o.stateDir, "state-dir", "", "`folder` of journal, evidence and catalog (default PGDATA.forkpoint)")
	fs.IntVarP(&o.jobs, "jobs", "j", 2, "`number` of segments to read, or of connections to the source, at a time")
	o.timeout = durationFlag(30 * time.Second)
	fs.Var(&o.timeout, "connect-timeout", "give up connecting to the source after this `time`")
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
	catalog       catalogCache
	archives      []segment.Source // archives that were named, then a restore_command
	cleanup       func()           // removes what the restore_command fetched, unless it is kept; may be nil
	jobs          int
	sourceLimit   *sizeFlag // of the log that is read from a running source; nil for none
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
	if err := e.openArchives(o, keep); err != nil {
		e.close()
		return nil, err
	}
	if e.source, err = openSource(ctx, app, o); err != nil {
		e.close()
		return nil, err
	}
	if err := e.openCatalog(ctx, app, o, keep); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// openCatalog opens the catalog that the target's log is read through.
func (e *ends) openCatalog(ctx context.Context, app *app, o endsOptions, keep bool) error {
	path := app.catalogPath(o.catalog, o.stateDir, o.target)
	if o.dryRun {
		layers, err := openCatalogLayers(ctx, app, path)
		if err == nil {
			e.catalog = layers
		}
		return err
	}
	catalog, err := openCatalog(ctx, app, path, keep || o.catalog != "")
	if err == nil {
		e.catalog = catalog
	}
	return err
}

// openArchives opens the places where the target's log may lie besides its
// own pg_wal.
func (e *ends) openArchives(o endsOptions, keep bool) error {
	size := e.targetControl.SegmentSize
	for _, path := range o.archives {
		archive, err := segment.OpenArchive(path, size)
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		e.archives = append(e.archives, archive)
	}
	var restore segment.Source
	var err error
	switch state := stateDir(o.stateDir, o.target); {
	case o.restoreWith != "":
		restore, e.cleanup, err = restoreBy(e, o.restoreWith, state, !keep)
	case o.restore:
		restore, e.cleanup, err = restoreSource(e, o.configFile, state, !keep)
	default:
		return nil
	}
	if err == nil {
		e.archives = append(e.archives, restore)
	}
	return err
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
	s, err := openServer(ctx, app, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func openServer(ctx context.Context, app *app, o endsOptions) (*source.Server, error) {
	s, err := source.Connect(ctx, o.sourceServer, source.Options{
		Jobs: o.jobs, ConnectTimeout: time.Duration(o.timeout), IdleTimeout: time.Duration(o.idle), RetryFor: time.Duration(o.retry),
		WaitReady: time.Duration(o.wait), Rate: int64(o.rate), Log: app.log,
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

// close closes what was opened. Nothing is lost if it fails: sources are only
// read, and what the catalog saved was committed.
func (e *ends) close() {
	if e.source != nil {
		e.source.Close()
	}
	if e.catalog != nil {
		e.catalog.Close()
	}
	if e.cleanup != nil {
		e.cleanup()
	}
}

// archive is where log may lie that is in neither pg_wal, nil where nothing was
// named.
func (e *ends) archive() segment.Source {
	if len(e.archives) == 0 {
		return nil
	}
	return segment.NewChain(e.archives...)
}

// digests are those of whole segments that the target once had in its pg_wal.
// What the catalog has from elsewhere may be of another node, and what was read
// of a segment while it grew has a digest that the whole one does not.
func (e *ends) digests() lineage.Digests {
	own := filepath.Join(e.target.Path(), "pg_wal")
	c := e.targetControl
	return func(ctx context.Context, tli pg.TimelineID, n uint64) ([][32]byte, error) {
		variants, err := e.catalog.Variants(ctx, blockmap.SegmentKey{SystemID: c.SystemID, SegmentSize: c.SegmentSize, Name: pg.SegmentName{Timeline: tli, Number: n}})
		var list [][32]byte
		for _, v := range variants {
			if v.Complete && filepath.Dir(v.Path) == own {
				list = append(list, v.Digest)
			}
		}
		return list, err
	}
}

// sourceWAL is where the source's log may lie: what an archive has need not come
// from a running server. nil where there is none.
func (e *ends) sourceWAL() segment.Source {
	size := e.targetControl.SegmentSize
	if local, isLocal := e.source.(*source.Local); isLocal {
		return segment.NewChain(append([]segment.Source{e.folder(local.Dir())}, e.archives...)...)
	}
	live := rewind.NewSourceWAL(e.source, size)
	if e.sourceLimit == nil {
		return segment.NewChain(append(slices.Clone(e.archives), live)...)
	}
	if limit := int64(*e.sourceLimit); limit > 0 {
		bounded := &boundedWAL{SourceWAL: live, limit: limit, size: int64(size), opened: map[string]bool{}}
		return segment.NewChain(append(slices.Clone(e.archives), bounded)...)
	}
	return e.archive()
}

func (e *ends) folder(dir *datadir.Dir) segment.Source {
	return segment.NewDir(filepath.Join(dir.Path(), "pg_wal"), e.targetControl.SegmentSize)
}

// index reads a log through the catalog, or where what is stored does not count,
// past it. The target's WAL summaries are at hand for those who ask for blocks
// only.
func (e *ends) index(wal segment.Source, stored bool, progress *progress) *indexer.Indexer {
	options := indexerOptions(e.jobs, progress)
	if !stored {
		return indexer.New(wal, geometryOf(e.targetControl), nil, options)
	}
	options.Summaries = walsummary.NewDir(filepath.Join(e.target.Path(), "pg_wal", "summaries"))
	return indexer.New(wal, geometryOf(e.targetControl), e.catalog, options)
}

// blocks is such an index for a rewind.
func (e *ends) blocks(wal segment.Source, stored bool) rewind.BlockIndex {
	return &blockIndex{e.index(wal, stored, nil)}
}
