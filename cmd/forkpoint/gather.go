package main

import (
	"context"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

// gatherFromEnds reads both clusters for a report.
func gatherFromEnds(ctx context.Context, app *app, opts reportOptions, progress *progress) (*reports.DivergenceInput, error) {
	e, err := openEnds(ctx, app, opts.ends, false)
	if err != nil {
		return nil, err
	}
	defer e.close()
	e.sourceLimit = &opts.sourceWAL
	x, err := e.locate(ctx, app)
	if err != nil {
		return nil, err
	}
	in, err := e.gather(ctx, app, x, opts.ends.sourceServer, progress)
	if err != nil || in.Verdict() != reports.VerdictDiverged {
		return in, err
	}
	in.Problems, err = rewindProblems(ctx, app, opts.ends, e, in)
	return in, err
}

// gather is what both clusters say, given where they parted. Of what a rewind
// has found besides nothing is read again. conninfo is that of a running source.
func (e *ends) gather(ctx context.Context, app *app, x *rewind.Examination, conninfo string, progress *progress) (*reports.DivergenceInput, error) {
	_, running := e.target.Running()
	in := &reports.DivergenceInput{
		Cluster: clusterOf(e.targetControl), Fork: x.Fork,
		Target: nodeOf(e.target.Path(), x.Target.Path.Tip(), e.targetControl),
		Source: nodeOf(e.source.String(), x.Source.Path.Tip(), x.Source.Control),
	}
	in.Target.Running = running
	g := &gatherer{in: in, geometry: geometryOf(e.targetControl), target: x.Target.Path, source: x.Source.Path, progress: progress, found: x,
		index: e.index(x.TargetLog, !x.OneNumber, progress)}
	wal := x.SourceLog
	if wal == nil {
		wal = e.sourceWAL()
	}
	if wal != nil {
		g.sourceIndex = e.index(wal, !x.OneNumber, progress)
	}
	if e.source.Kind() == source.Live {
		in.Source.Reached, g.sourceEnd = x.SourceEnd.LSN, x.SourceEnd.LSN
	}
	if err := g.gather(ctx); err != nil || x.Fork.Same() {
		return in, err
	}
	in.Earlier = ancestors(x.Target.Path, x.Fork)
	in.Names, in.SourceNames = namesOfEnds(ctx, app, e, conninfo)
	if in.Verdict() != reports.VerdictDiverged {
		return in, nil
	}
	var err error
	if in.Sizes, err = sizesOf(ctx, e.target); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	in.Rewind, err = rewindCost(ctx, e, in, x)
	return in, err
}

// ancestors lists the timelines before the last that both sides share.
func ancestors(path timeline.Path, fork timeline.ForkPoint) []reports.Ancestor {
	var list []reports.Ancestor
	for _, step := range path {
		if step.Timeline == fork.Timeline {
			break
		}
		list = append(list, reports.Ancestor{Timeline: step.Timeline, End: step.End})
	}
	return list
}

// locate finds where the two parted. Both may be in any state.
func (e *ends) locate(ctx context.Context, app *app) (*rewind.Examination, error) {
	x, err := rewind.Locate(ctx, rewind.Config{Target: e.target, Source: e.source, Archives: e.archive(), Known: e.digests(), Log: app.log,
		NewIndex: e.blocks})
	if err != nil {
		return nil, err
	}
	for _, p := range x.Problems {
		if !x.Parted {
			return nil, p
		}
		app.log.Debug("a rewind would be refused", "err", p)
	}
	return x, nil
}

func nodeOf(path string, tli pg.TimelineID, c *pgcontrol.Control) reports.Node {
	return reports.Node{Path: path, Timeline: tli, State: c.State.String(), Clean: c.State.Clean(), Checkpoint: c.Checkpoint,
		MinRecoveryPoint: c.MinRecoveryPoint, HintsLogged: c.HintsLogged(), HasControl: true}
}

// gatherer fills in what the log says.
type gatherer struct {
	in             *reports.DivergenceInput
	geometry       walinspect.Geometry
	target, source timeline.Path
	found          *rewind.Examination // nil where the catalog alone is asked
	index          *indexer.Indexer
	sourceIndex    *indexer.Indexer // nil where the source's log is not at hand
	sourceEnd      pg.LSN           // as far as a running source has come; 0 where its log is read to its end
	progress       *progress
}

func (g *gatherer) gather(ctx context.Context) error {
	g.progress.begin("reading the target's WAL", 0)
	fork := g.in.Fork.LSN
	if g.in.Fork.Same() {
		g.in.After = &reports.Log{Touched: &blockmap.Map{}}
		return nil
	}
	before, err := g.before(ctx)
	if err != nil {
		return err
	}
	var known []*blockmap.Segment
	if before != nil {
		g.in.Before = logOf(before)
		known = append(known, &blockmap.Segment{Xacts: before.Xacts, XIDs: before.XIDs, Assignments: before.Assignments, Snapshots: before.Snapshots})
	}
	ledger := reports.NewLedger(fork, known...)
	if g.in.After, err = summary(ctx, g.index, g.target, pg.Span{From: fork, To: pg.MaxLSN}, ledger); err != nil {
		return fmt.Errorf("target: read WAL since the fork at %s: %w", fork, err)
	}
	if after := g.in.After; len(after.Gaps) > 0 {
		// WAL summaries may tell at least which blocks it changed.
		r, err := g.index.Blocks(ctx, g.target, pg.Span{From: fork, To: pg.MaxLSN})
		if err != nil {
			return fmt.Errorf("target: read WAL summaries since the fork at %s: %w", fork, err)
		}
		g.in.After = logOf(r)
		g.in.After.Ledger = ledger
	}
	if g.sourceIndex == nil {
		return nil
	}
	return g.sourceAfter(ctx)
}

// sourceAfter reads what the source did. What a running server has not written
// out yet is no gap.
func (g *gatherer) sourceAfter(ctx context.Context) error {
	g.progress.begin("reading the source's WAL", 0)
	span := pg.Span{From: g.in.Fork.LSN, To: pg.MaxLSN}
	if g.sourceEnd.Valid() {
		span.To = max(span.From, g.sourceEnd)
	}
	log, err := summary(ctx, g.sourceIndex, g.source, span, reports.NewLedger(span.From))
	if err != nil {
		return fmt.Errorf("source: read WAL since the fork at %s: %w", span.From, err)
	}
	if len(log.Gaps) == 1 && g.sourceEnd.Valid() &&
		walinspect.StopReason(log.End.Reason).Unwritten(g.geometry.SegmentSize, log.End.LSN, log.Gaps[0].From, span.To) {
		log.Gaps = log.Gaps[:0]
	}
	g.in.SourceAfter = log
	return nil
}

// before finds the last common checkpoint and what the target's log says from its
// redo point to the fork; nil without a checkpoint.
func (g *gatherer) before(ctx context.Context) (*indexer.Result, error) {
	if x := g.found; x != nil && x.Before != nil {
		if read, is := x.Before.Kept.(*indexer.Result); is {
			g.in.Checkpoint = &x.Common
			return read, nil
		}
	}
	fork := g.in.Fork.LSN
	c, _, err := rewind.LastCommonCheckpoint(ctx, &blockIndex{g.index}, g.target, fork, g.geometry.SegmentSize)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if g.in.Checkpoint = c; c == nil {
		return nil, nil
	}
	read, err := g.index.Touched(ctx, g.target, pg.Span{From: c.Redo, To: fork})
	if err != nil {
		return nil, fmt.Errorf("target: read WAL from %s to the fork: %w", c.Redo, err)
	}
	return read, nil
}

// summary reads a part of a log that may be long. Its transactions go into the
// ledger.
func summary(ctx context.Context, index *indexer.Indexer, path timeline.Path, span pg.Span, ledger *reports.Ledger) (*reports.Log, error) {
	r, err := index.Visit(ctx, path, span, ledger.Add)
	if taken := ledger.Finish(); err == nil {
		err = taken
	}
	if err != nil {
		return nil, err
	}
	log := logOf(r)
	log.Ledger = ledger
	return log, nil
}

// logOf has all but the ledger.
func logOf(r *indexer.Result) *reports.Log {
	log := &reports.Log{Span: r.Span, Touched: r.Blocks, Activity: r.Activity, Checkpoints: r.Checkpoints, Events: r.Events,
		Records: r.Records, Gaps: gapsOf(r), Widened: r.Widened, BlocksOnly: r.BlocksOnly, End: endOf(r)}
	for _, c := range r.Coverage {
		log.Coverage = append(log.Coverage, reports.Covered{Span: c.Span, Evidence: string(c.Rung)})
	}
	return log
}

// gatherFromCatalog asks a catalog alone.
func gatherFromCatalog(ctx context.Context, app *app, opts reportOptions, progress *progress) (*reports.DivergenceInput, error) {
	catalog, err := readCatalog(ctx, app.catalogPath(opts.ends.catalog, opts.ends.stateDir, ""))
	if err != nil {
		return nil, err
	}
	defer catalog.Close() // it was only read
	return gatherBranches(ctx, catalog, opts.branches, progress)
}
