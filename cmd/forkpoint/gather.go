package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"forkpoint/blockmap"
	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// gatherFromEnds reads both clusters for a report.
func gatherFromEnds(ctx context.Context, app *app, opts reportOptions, progress *progress) (*reports.DivergenceInput, error) {
	e, err := openEnds(ctx, app, opts.ends, false)
	if err != nil {
		return nil, err
	}
	defer e.close()
	_, sourceControl, err := e.source.Control(ctx)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	if err := sameCluster(e.targetControl, sourceControl); err != nil {
		return nil, err
	}
	sourceTimeline, err := e.source.Timeline(ctx)
	if err != nil {
		return nil, fmt.Errorf("source: find current timeline: %w", err)
	}
	targetPath, sourcePath, err := e.paths(ctx, sourceTimeline)
	if err != nil {
		return nil, err
	}
	fork, err := timeline.CommonAncestor(sourcePath, targetPath)
	if err != nil {
		return nil, &hintedError{err, "compare the history files of both with forkpoint history"}
	}
	_, running := e.target.Running()
	in := &reports.DivergenceInput{
		Cluster: clusterOf(e.targetControl), Fork: fork,
		Target: nodeOf(e.target.Path(), targetPath.Tip(), e.targetControl),
		Source: nodeOf(e.source.String(), sourcePath.Tip(), sourceControl),
	}
	in.Target.Running = running
	if e.source.Kind() == source.Live {
		end, err := e.source.EndOfWAL(ctx)
		if err != nil {
			return nil, fmt.Errorf("source: find end of WAL: %w", err)
		}
		in.Source.Reached = end.LSN
	}
	g := &gatherer{in: in, geometry: geometryOf(e.targetControl), target: targetPath, source: sourcePath, progress: progress,
		index: e.index(e.targetWAL(), progress)}
	if wal := e.sourceWAL(); wal != nil {
		g.sourceIndex = e.index(wal, progress)
	}
	if err := g.gather(ctx); err != nil || fork.Same() {
		return in, err
	}
	in.Names = namesOf(ctx, app, e.target)
	in.Rewind, err = rewindCost(ctx, e, in, sourcePath)
	return in, err
}

// sameCluster refuses two clusters that have nothing in common.
func sameCluster(target, source *pgcontrol.Control) error {
	switch {
	case target.SystemID != source.SystemID:
		return &refusedError{fmt.Errorf("target and source are different clusters: the target has system identifier %d, the source %d", target.SystemID, source.SystemID),
			"check that both addresses are those you meant; a node of another cluster needs a new base backup"}
	case target.Major != source.Major:
		return &refusedError{fmt.Errorf("target and source are of different versions: the target is PostgreSQL %d, the source %d", target.Major, source.Major),
			"a node of another major version needs a new base backup"}
	}
	return nil
}

func nodeOf(path string, tli pg.TimelineID, c *pgcontrol.Control) reports.Node {
	return reports.Node{Path: path, Timeline: tli, State: c.State.String(), Clean: c.State.Clean(), Checkpoint: c.Checkpoint,
		MinRecoveryPoint: c.MinRecoveryPoint, HintsLogged: c.HintsLogged(), HasControl: true}
}

// paths reads the histories of both. The target's own file may be gone; where
// the timelines are shared the source has it too.
func (e *ends) paths(ctx context.Context, sourceTimeline pg.TimelineID) (target, src timeline.Path, err error) {
	fromSource := func(tli pg.TimelineID) ([]byte, error) { return e.source.History(ctx, tli) }
	if src, err = historyPath(sourceTimeline, fromSource); err != nil {
		return nil, nil, fmt.Errorf("source: %w", err)
	}
	readers := []func(pg.TimelineID) ([]byte, error){e.target.History}
	for _, archive := range e.archives {
		readers = append(readers, historyReader(ctx, archive))
	}
	if target, err = historyPath(e.targetControl.CurrentTimeline(), append(readers, fromSource)...); err != nil {
		return nil, nil, fmt.Errorf("target: %w", err)
	}
	return target, src, nil
}

func historyReader(ctx context.Context, wal segment.Source) func(pg.TimelineID) ([]byte, error) {
	return func(tli pg.TimelineID) ([]byte, error) {
		f, err := wal.Open(ctx, tli.HistoryName())
		if err != nil {
			return nil, err
		}
		defer f.Close() // read only
		return f.Bytes()
	}
}

// historyPath reads a timeline's history from the first place that has it.
func historyPath(tli pg.TimelineID, places ...func(pg.TimelineID) ([]byte, error)) (timeline.Path, error) {
	if tli == 1 {
		return timeline.SingleTimeline(1), nil
	}
	var missing error
	for _, read := range places {
		content, err := read(tli)
		if errors.Is(err, fs.ErrNotExist) {
			missing = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read history of timeline %d: %w", tli, err)
		}
		h, err := timeline.Parse(tli, content)
		if err != nil {
			return nil, err
		}
		return h.Path(), nil
	}
	return nil, &hintedError{fmt.Errorf("no history of timeline %d: %w", tli, missing),
		fmt.Sprintf("restore %s into pg_wal from the archive", tli.HistoryName())}
}

// gatherer fills in what the log says.
type gatherer struct {
	in             *reports.DivergenceInput
	geometry       walinspect.Geometry
	target, source timeline.Path
	index          *indexer.Indexer
	sourceIndex    *indexer.Indexer // nil where the source's log is not at hand
	progress       *progress
}

func (g *gatherer) gather(ctx context.Context) error {
	g.progress.begin("reading the target's WAL", 0)
	fork := g.in.Fork.LSN
	if g.in.Fork.Same() {
		g.in.After = &reports.Log{Touched: &blockmap.Map{}}
		return nil
	}
	after, err := g.index.Touched(ctx, g.target, pg.Span{From: fork, To: pg.MaxLSN})
	if err != nil {
		return fmt.Errorf("target: read WAL since the fork at %s: %w", fork, err)
	}
	if len(after.Gaps) > 0 {
		// WAL summaries may tell at least which blocks it changed.
		if after, err = g.index.Blocks(ctx, g.target, pg.Span{From: fork, To: pg.MaxLSN}); err != nil {
			return fmt.Errorf("target: read WAL summaries since the fork at %s: %w", fork, err)
		}
	}
	g.in.After = logOf(after)
	if err := g.findCheckpoint(ctx, fork); err != nil {
		return err
	}
	if c := g.in.Checkpoint; c != nil {
		before, err := g.index.Touched(ctx, g.target, pg.Span{From: c.Redo, To: fork})
		if err != nil {
			return fmt.Errorf("target: read WAL from %s to the fork: %w", c.Redo, err)
		}
		g.in.Before = logOf(before)
	}
	if g.sourceIndex == nil {
		return nil
	}
	g.progress.begin("reading the source's WAL", 0)
	result, err := g.sourceIndex.Touched(ctx, g.source, pg.Span{From: fork, To: pg.MaxLSN})
	if err != nil {
		return fmt.Errorf("source: read WAL since the fork at %s: %w", fork, err)
	}
	g.in.SourceAfter = logOf(result)
	return nil
}

// findCheckpoint looks for the last checkpoint before the fork, segment by
// segment backwards, until there is one or the log is not known any more.
func (g *gatherer) findCheckpoint(ctx context.Context, fork pg.LSN) error {
	size := g.geometry.SegmentSize
	to := fork
	for n := size.Number(fork) + 1; n > 0; n-- {
		span := pg.Span{From: size.Start(n - 1), To: to}
		if span.Empty() {
			continue
		}
		r, err := g.index.Touched(ctx, g.target, span)
		if err != nil {
			return fmt.Errorf("target: look for a checkpoint before %s: %w", fork, err)
		}
		if last := len(r.Checkpoints); last > 0 {
			g.in.Checkpoint = &r.Checkpoints[last-1]
			return nil
		}
		if !r.Complete() {
			return nil
		}
		to = span.From
	}
	return nil
}

func logOf(r *indexer.Result) *reports.Log {
	return &reports.Log{Span: r.Span, Touched: r.Blocks, Activity: r.Activity, Checkpoints: r.Checkpoints, Events: r.Events,
		Xacts: r.Xacts, Assignments: r.Assignments, Snapshots: r.Snapshots, XIDs: r.XIDs, Records: r.Records,
		Gaps: gapsOf(r), Widened: r.Widened, BlocksOnly: r.BlocksOnly, End: endOf(r)}
}

// gatherFromCatalog asks a catalog alone.
func gatherFromCatalog(ctx context.Context, app *app, opts reportOptions, progress *progress) (*reports.DivergenceInput, error) {
	path := app.catalogPath(opts.ends.catalog, opts.ends.stateDir, "")
	if _, err := os.Stat(path); err != nil {
		return nil, &hintedError{fmt.Errorf("open catalog: %w", err), "run forkpoint index first, or name its catalog with --catalog"}
	}
	catalog, err := openCatalog(ctx, app, path, false)
	if err != nil {
		return nil, err
	}
	defer catalog.Close() // nothing is written
	return gatherBranches(ctx, catalog, opts.branches, progress)
}
