package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"forkpoint/blockmap"
	"forkpoint/reports"
	"forkpoint/rewind/compare"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// differ gathers what explains differences.
type differ struct {
	app          *app
	ends         *ends
	progress     *progress
	result       *reports.Comparison
	pathA, pathB timeline.Path
	safeA, safeB pg.LSN // the files hold all changes of the log before
	fork         timeline.ForkPoint
	logA         segment.Source
	stored       bool // what the catalog has counts
}

// open reads the control files and histories of both.
func (d *differ) open(ctx context.Context) error {
	e := d.ends
	x, err := e.locate(ctx, d.app)
	if err != nil {
		return err
	}
	controlB := x.Source.Control
	d.pathA, d.pathB, d.fork, d.logA, d.stored = x.Target.Path, x.Source.Path, x.Fork, x.TargetLog, !x.OneNumber
	r := d.result
	r.Cluster = clusterOf(e.targetControl)
	r.A, r.B = sideOf(e.target.Path(), d.pathA.Tip(), e.targetControl), sideOf(e.source.String(), d.pathB.Tip(), controlB)
	if e.source.Kind() == source.Live {
		r.B.Reached, r.B.Settled = x.SourceEnd.LSN, false
	}
	if _, running := e.target.Running(); running {
		r.Findings.Add(reports.Finding{Code: "running", Severity: reports.Warning, Path: e.target.Path(), Title: "a server is running on a",
			Detail: "It changes files while they are compared, and holds pages that are not in its files.", Hint: "stop it and compare again"})
	}
	if !d.fork.Same() {
		r.Fork = &reports.Fork{LSN: d.fork.LSN, Timeline: d.fork.Timeline, Target: d.fork.Target, Source: d.fork.Source}
	}
	if d.safeA, err = safePoint(ctx, e.target.ReadFile, e.targetControl); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	d.safeB, err = safePoint(ctx, func(name string) ([]byte, error) { return e.source.ReadFile(ctx, name) }, controlB)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return nil
}

func sideOf(path string, tli pg.TimelineID, c *pgcontrol.Control) reports.Side {
	return reports.Side{Path: path, Timeline: tli, State: c.State.String(), Reached: max(c.Checkpoint, c.MinRecoveryPoint),
		Settled: c.State == pgcontrol.ShutDown, Checksums: c.DataChecksums != 0}
}

// safePoint is up to where a side's files hold all changes: the redo point, of
// a backup label where there is one.
func safePoint(_ context.Context, read func(string) ([]byte, error), c *pgcontrol.Control) (pg.LSN, error) {
	redo := c.CheckpointCopy.Redo
	label, err := read("backup_label")
	if errors.Is(err, fs.ErrNotExist) {
		return redo, nil
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(label)) {
		if rest, is := strings.CutPrefix(line, "START WAL LOCATION: "); is {
			text, _, _ := strings.Cut(rest, " ")
			lsn, err := pg.ParseLSN(text)
			if err != nil {
				return 0, fmt.Errorf("backup_label: %w", err)
			}
			return min(redo, lsn), nil
		}
	}
	return redo, nil
}

// evidence reads the parts of the log that can explain a difference.
func (d *differ) evidence(ctx context.Context) (found compare.Evidence, err error) {
	safe := min(d.safeA, d.safeB)
	walA, walB := d.logA, d.sourceLog()
	if d.fork.Same() {
		reachedA, reachedB := d.result.A.Reached, d.result.B.Reached
		common := min(reachedA, reachedB)
		if found.Pending, err = d.read(ctx, walB, d.pathB, reports.ReasonPending, pg.Span{From: safe, To: common}); err != nil {
			return found, err
		}
		switch {
		case reachedA > reachedB:
			found.A, err = d.read(ctx, walA, d.pathA, reports.ReasonTarget, pg.Span{From: common, To: pg.MaxLSN})
		case reachedB > reachedA:
			found.B, err = d.read(ctx, walB, d.pathB, reports.ReasonSource, pg.Span{From: common, To: d.endOfB()})
		}
		return found, err
	}
	if found.Pending, err = d.read(ctx, walB, d.pathB, reports.ReasonPending, pg.Span{From: safe, To: d.fork.LSN}); err != nil {
		return found, err
	}
	if found.A, err = d.read(ctx, walA, d.pathA, reports.ReasonTarget, pg.Span{From: d.fork.LSN, To: pg.MaxLSN}); err != nil {
		return found, err
	}
	found.B, err = d.read(ctx, walB, d.pathB, reports.ReasonSource, pg.Span{From: d.fork.LSN, To: d.endOfB()})
	return found, err
}

// sourceLog is where B's log may lie: with B itself, in an archive, and in A's
// own folder, for a standby has the log of the server that it follows.
func (d *differ) sourceLog() segment.Source {
	return segment.NewChain(d.ends.sourceWAL(), d.ends.folder(d.ends.target))
}

// endOfB is where B's log is read to. That of a running server ends where it
// says, in a directory where the files say.
func (d *differ) endOfB() pg.LSN {
	if d.ends.source.Kind() == source.Live {
		return d.result.B.Reached
	}
	return pg.MaxLSN
}

func (d *differ) read(ctx context.Context, wal segment.Source, path timeline.Path, reason reports.Reason, span pg.Span) (*blockmap.Map, error) {
	if span.Empty() {
		return nil, nil
	}
	d.progress.begin("reading WAL", 0)
	r, err := d.ends.index(wal, d.stored, d.progress).Touched(ctx, path, span)
	if err != nil {
		return nil, fmt.Errorf("read WAL %s: %w", span, err)
	}
	complete := r.Complete()
	if span.To == pg.MaxLSN {
		reached := d.result.A.Reached
		if reason == reports.ReasonSource {
			reached = d.result.B.Reached
		}
		span.To = max(span.From, r.End, reached)
		complete = complete && max(span.From, r.End) >= reached
	}
	if !span.Empty() {
		d.result.Evidence = append(d.result.Evidence, reports.Evidence{Reason: reason, Span: span, Complete: complete})
	}
	return r.Blocks, nil
}
