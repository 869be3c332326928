package main

import (
	"context"
	"fmt"
	"strings"

	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// rewindCost compares the files of both clusters and sums up what a rewind
// would copy, by forkpoint's rule and by pg_rewind's. nil where it cannot be
// told, or where none is needed.
func rewindCost(ctx context.Context, e *ends, in *reports.DivergenceInput, x *rewind.Examination) (*reports.RewindCost, error) {
	if in.Checkpoint == nil || in.Before == nil {
		return nil, nil
	}
	end, err := e.source.EndOfWAL(ctx)
	if err != nil {
		return nil, fmt.Errorf("source: find end of WAL: %w", err)
	}
	cost := &reports.RewindCost{Needed: true, Exact: true, Replay: pg.Span{From: in.Checkpoint.Redo, To: max(in.Fork.LSN, end.LSN)}.Len()}
	input := planInput(ctx, e, in, x.Source.Path, end, plan.Classic)
	input.Summed = x.Plan != nil // else its actions are looked at too
	classic, err := plan.Decide(input)
	exact := classic
	switch {
	case err != nil:
	case x.Plan != nil:
		exact = x.Plan
	case in.Checkpoint.FullPageWrites:
		exact, err = plan.Decide(planInput(ctx, e, in, x.Source.Path, end, plan.Exact))
	}
	if err != nil {
		return nil, fmt.Errorf("compare the files of target and source: %w", err)
	}
	cost.Forkpoint, cost.PgRewind, cost.Files = copyCost(exact), copyCost(classic), fileFate(exact)
	cost.Estimate = estimate(cost.Forkpoint.Total, cost.Replay)
	return cost, copiedWAL(ctx, e, &cost.PgRewind)
}

func copyCost(p *plan.Plan) reports.CopyCost {
	return reports.CopyCost{Blocks: p.Totals.Blocks, RelationData: uint64(p.Totals.RelationData),
		WAL: uint64(p.Totals.WAL), Other: uint64(p.Totals.Other), Total: uint64(p.Totals.Copied)}
}

// Rates that an estimate is made with, bytes per second: what a network of 1
// Gbit/s carries, and what one process of a usual server replays.
const (
	copyRate   = 100 << 20
	replayRate = 50 << 20
)

func estimate(copied, replayed uint64) *reports.Estimate {
	return &reports.Estimate{Copy: float64(copied) / copyRate, Replay: float64(replayed) / replayRate,
		Basis: fmt.Sprintf("assumed: %d MB/s from the source, %d MB/s of replay", copyRate>>20, replayRate>>20)}
}

// fileFate says what a plan does to files as a whole.
func fileFate(p *plan.Plan) *reports.FileFate {
	f := &reports.FileFate{SetAside: uint64(p.Totals.SetAside), Kept: []string{}, Overwritten: []string{}, LostSlots: []string{}}
	f.Kept, f.LostSlots = append(f.Kept, p.Kept...), append(f.LostSlots, p.LostSlots...)
	for _, a := range p.Actions {
		switch {
		case a.Kind == plan.SetAside:
			f.Removed++
		case a.Reason == plan.ReasonSourceOnly && a.Kind != plan.MakeDir:
			f.Created++
		case a.Kind == plan.CopyFile && a.Reason == plan.ReasonNotRelation && settingsFile(a.Path):
			f.Overwritten = append(f.Overwritten, a.Path)
		}
	}
	return f
}

// settingsFile tells whether people write to a file.
func settingsFile(path string) bool {
	switch strings.TrimSuffix(path, ".conf") {
	case path:
		return strings.HasPrefix(path, "pg_replslot/") || strings.HasSuffix(path, ".signal")
	default:
		return true
	}
}

// manyTransactions is up to how many the checks of a rewind are run for a
// report: they hold all of them in memory.
const manyTransactions = 100_000

// rewindProblems runs the checks that a rewind begins with.
func rewindProblems(ctx context.Context, app *app, o endsOptions, e *ends, in *reports.DivergenceInput) (reports.Findings, error) {
	var list reports.Findings
	if in.After.Ledger.Commits() > manyTransactions {
		list.Add(reports.Finding{Code: "checks-left-out", Severity: reports.Notice, Title: "the checks of a rewind were left out",
			Detail: "They take memory for every transaction.", Hint: "run forkpoint diagnose"})
		return list, nil
	}
	x, err := examine(ctx, app, o, e)
	if err != nil {
		return nil, fmt.Errorf("check what a rewind needs: %w", err)
	}
	for _, p := range x.Problems {
		problem := problemOf(p)
		list.Add(reports.Finding{Code: "rewind-" + problem.Check, Severity: reports.Notice, Path: problem.Path, LSN: problem.LSN,
			Title: fmt.Sprintf("a rewind would be refused: %s: %s", problem.Side, problem.Found), Detail: problem.Reason, Rule: problem.Want, Hint: problem.Next})
	}
	return list, nil
}

func planInput(ctx context.Context, e *ends, in *reports.DivergenceInput, path timeline.Path, end source.Position, rule plan.Rule) plan.Input {
	c := e.targetControl
	checkpoint := plan.Checkpoint{LSN: in.Checkpoint.LSN, Redo: in.Checkpoint.Redo, Timeline: in.Checkpoint.Timeline}
	return plan.Input{
		Pairs: plan.Pairs(e.source.Files(ctx), e.target.Files(ctx)),
		Fork:  in.Fork, Checkpoint: checkpoint, Label: checkpoint, TargetEnd: in.After.End.LSN,
		SourcePath: path, SourceEnd: end.LSN, Before: in.Before.Touched, After: in.After.Touched, Rule: rule,
		Restored:  plan.RestoredIn(pg.Span{From: checkpoint.Redo, To: in.Fork.LSN}, in.Before.Touched),
		BlockSize: int64(c.BlockSize), BlocksPerFile: c.RelSegSize, WALSegmentSize: c.SegmentSize, Keep: plan.LocalNames(),
	}
}

// copiedWAL makes the WAL of a plan what pg_rewind copies: all that the source
// has in pg_wal, needed or not. From version 19 on it leaves out what comes
// before the fork, as the plan does.
func copiedWAL(ctx context.Context, e *ends, cost *reports.CopyCost) error {
	const sparesShared = 19
	if e.targetControl.Major >= sparesShared {
		return nil
	}
	cost.Total -= cost.WAL
	cost.WAL = 0
	for f, err := range source.ListWAL(ctx, e.source) {
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		if f.Kind == datadir.Regular && strings.HasPrefix(f.Path, "pg_wal/") {
			cost.WAL += uint64(f.Size)
		}
	}
	cost.Total += cost.WAL
	return nil
}
