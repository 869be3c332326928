package main

import (
	"context"
	"fmt"
	"strings"

	"forkpoint/reports"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/timeline"
)

// rewindCost compares the files of both clusters and sums up what a rewind
// would copy, by forkpoint's rule and by pg_rewind's. nil where it cannot be
// told, or where none is needed.
func rewindCost(ctx context.Context, e *ends, in *reports.DivergenceInput, path timeline.Path) (*reports.RewindCost, error) {
	if in.Checkpoint == nil || in.Before == nil || in.Fork.Same() || reports.Diverge(*in).Verdict != reports.VerdictDiverged {
		return nil, nil
	}
	end, err := e.source.EndOfWAL(ctx)
	if err != nil {
		return nil, fmt.Errorf("source: find end of WAL: %w", err)
	}
	cost := &reports.RewindCost{Needed: true, Exact: true}
	for _, rule := range []struct {
		rule plan.Rule
		cost *reports.CopyCost
	}{{plan.Exact, &cost.Forkpoint}, {plan.Classic, &cost.PgRewind}} {
		if !in.Checkpoint.FullPageWrites {
			rule.rule = plan.Classic
		}
		p, err := plan.Decide(planInput(ctx, e, in, path, end, rule.rule))
		if err != nil {
			return nil, fmt.Errorf("compare the files of target and source: %w", err)
		}
		*rule.cost = reports.CopyCost{Blocks: p.Totals.Blocks, RelationData: uint64(p.Totals.RelationData),
			WAL: uint64(p.Totals.WAL), Other: uint64(p.Totals.Other), Total: uint64(p.Totals.Copied)}
	}
	return cost, copiedWAL(ctx, e, &cost.PgRewind)
}

func planInput(ctx context.Context, e *ends, in *reports.DivergenceInput, path timeline.Path, end source.Position, rule plan.Rule) plan.Input {
	c := e.targetControl
	checkpoint := plan.Checkpoint{LSN: in.Checkpoint.LSN, Redo: in.Checkpoint.Redo, Timeline: in.Checkpoint.Timeline}
	return plan.Input{
		Pairs: plan.Pairs(e.source.Files(ctx), e.target.Files(ctx)),
		Fork:  in.Fork, Checkpoint: checkpoint, Label: checkpoint, TargetEnd: in.After.End.LSN,
		SourcePath: path, SourceEnd: end.LSN, Before: in.Before.Touched, After: in.After.Touched, Rule: rule,
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
	for f, err := range e.source.Files(ctx) {
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
