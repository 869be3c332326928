package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"forkpoint/blockmap"
	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/reports/render"
	"forkpoint/rewind"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// changeTarget rewinds or takes a rewind back, and verifies what came of it.
func (o *rewindOptions) changeTarget(ctx context.Context, app *app, progress *progress) (*rewind.Result, error) {
	c := change{target: o.ends.target, stateDir: stateDir(o.ends.stateDir, o.ends.target), action: "rewind", phase: rewind.PhaseSurvey, commands: o.commands}
	work := doRewind
	if o.undo {
		c.action, c.phase, work = "undo", rewind.PhaseUndo, undoRewind
	}
	return c.run(ctx, app, func() (*rewind.Result, error) {
		result, err := work(ctx, app, *o, progress)
		if err != nil || !o.verify || !result.Needed {
			return result, err
		}
		if result.Certificate, err = verifyTarget(ctx, app, o.ends.target, o.ends.stateDir, progress); err != nil {
			return result, fmt.Errorf("the rewind is done, but could not be verified: %w", stopped(ctx, err))
		}
		if result.Certificate.Count > 0 {
			return result, errFindings
		}
		return result, nil
	})
}

// doRewind opens both ends and rewinds, or with --dry-run says what would be
// done.
func doRewind(ctx context.Context, app *app, opts rewindOptions, progress *progress) (*rewind.Result, error) {
	e, err := openEnds(ctx, app, opts.ends, !opts.dryRun)
	if err != nil {
		return nil, err
	}
	defer e.close()
	cfg := opts.config(app, e.target, progress)
	show := cfg.Progress
	cfg.Source, cfg.Archives, cfg.Known = e.source, e.archive(), e.digests()
	catalog := app.catalogPath(opts.ends.catalog, opts.ends.stateDir, opts.ends.target)
	if info, err := os.Stat(catalog); err == nil {
		cfg.EvidenceSize = info.Size()
	}
	cfg.Evidence = func(ctx context.Context, dir string, found *rewind.Examination) error {
		if err := saveReports(ctx, app, e, found, opts.ends.sourceServer, dir); err != nil {
			return err
		}
		return e.catalog.Copy(ctx, filepath.Join(dir, "catalog.db"))
	}
	cfg.NewIndex = e.blocks
	cfg.Event = func(e rewind.Event) {
		if e.Kind == rewind.EventRoom && !opts.dryRun {
			fmt.Fprintf(app.stderr, "forkpoint: the evidence bundle in %s takes up to %s, %s are free\n", cfg.StateDir, humanize.IBytes(uint64(e.Bytes)), humanize.IBytes(uint64(e.Total)))
		}
	}
	if opts.format == render.JSON {
		events := newEventWriter(app.stdout)
		cfg.Event = events.event
		cfg.Progress = func(p rewind.Progress) {
			events.progress(p)
			show(p)
		}
	}
	return rewind.Run(ctx, cfg)
}

// undoRewind needs the target alone.
func undoRewind(ctx context.Context, app *app, opts rewindOptions, progress *progress) (*rewind.Result, error) {
	target, err := datadir.Open(opts.ends.target)
	if err != nil {
		return nil, notDataDir("target", err)
	}
	return rewind.Undo(ctx, opts.config(app, target, progress))
}

func (o *rewindOptions) config(app *app, target *datadir.Dir, progress *progress) rewind.Config {
	cfg := rewind.Config{
		Target: target, StateDir: stateDir(o.ends.stateDir, target.Path()),
		Resume: o.resume, Commands: o.commands(target.Path()),
		DryRun: o.dryRun, Rule: o.rule, Keep: o.keep, TablespaceMap: o.tablespaces, WriteRecoveryConf: o.recoveryConf,
		Undo: !o.noUndo, Sync: !o.noSync, SyncFS: o.syncMethod == "syncfs", AllowUnclean: !o.noEnsure, Log: app.log,
		Progress: (&phaseProgress{out: progress}).show,
	}
	if !o.overwrite {
		cfg.Keep = append(plan.LocalNames(), o.keep...)
	}
	return cfg
}

// commands are what to type to go on with this rewind or to take it back.
func (o *rewindOptions) commands(dir string) rewind.Commands {
	common := " -D " + segment.ShellWord(dir)
	if o.ends.stateDir != "" {
		common += " --state-dir " + segment.ShellWord(absolute(o.ends.stateDir))
	}
	c := rewind.Commands{Undo: "forkpoint rewind --undo" + common, Resume: "forkpoint rewind --resume" + common}
	switch public := source.PublicConninfo(o.ends.sourceServer); {
	case o.ends.sourceDir != "":
		c.Resume += " --source-pgdata " + segment.ShellWord(absolute(o.ends.sourceDir))
	case public != "":
		c.Resume += " --source-server " + segment.ShellWord(public)
	default:
		c.Resume = ""
	}
	if c.Resume != "" && o.recoveryConf {
		c.Resume += " -R"
	}
	return c
}

// phaseProgress shows each phase of a rewind on a line of its own.
type phaseProgress struct {
	out  *progress
	last rewind.Phase
}

func (p *phaseProgress) show(now rewind.Progress) {
	if now.Phase != p.last {
		p.last = now.Phase
		p.out.begin(now.Phase.Doing(), uint64(max(now.Total, 0)))
	}
	if now.Unit == "bytes" {
		p.out.bytes(now.Done, now.Total)
	}
}

// blockIndex lets a rewind ask the indexer.
type blockIndex struct{ index *indexer.Indexer }

func (b *blockIndex) Touched(ctx context.Context, path timeline.Path, span pg.Span) (*rewind.Facts, error) {
	return factsOf(b.index.Touched(ctx, path, span))
}

func (b *blockIndex) Marks(ctx context.Context, path timeline.Path, span pg.Span) (*rewind.Facts, error) {
	return factsOf(b.index.Marks(ctx, path, span))
}

func (b *blockIndex) Blocks(ctx context.Context, path timeline.Path, span pg.Span) (*rewind.Facts, error) {
	return factsOf(b.index.Blocks(ctx, path, span))
}

func factsOf(r *indexer.Result, err error) (*rewind.Facts, error) {
	if err != nil {
		return nil, err
	}
	facts := &rewind.Facts{Blocks: r.Blocks, Checkpoints: r.Checkpoints, Xacts: r.Xacts, Events: r.Events, Snapshots: r.Snapshots,
		XIDs: r.XIDs, BlocksOnly: r.BlocksOnly, End: r.End, Stop: string(r.Stop), StopDetail: reports.StopText(string(r.Stop)), Segments: r.Segments, Bytes: r.Bytes, Kept: r}
	for _, part := range r.Restored {
		facts.Restored = append(facts.Restored, plan.Restored(part))
	}
	for _, gap := range r.Gaps {
		facts.Gaps = append(facts.Gaps, rewind.Gap{Span: gap.Span, Reason: gap.Reason})
	}
	return facts, nil
}

func (b *blockIndex) TouchedBy(ctx context.Context, path timeline.Path, span pg.Span, xids []pg.XID) (*blockmap.Map, error) {
	return b.index.TouchedBy(ctx, path, span, xids)
}
