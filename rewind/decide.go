package rewind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/datadir"
)

// decide ends the run where nothing diverged, and else makes the plan.
func (r *run) decide(ctx context.Context) error {
	s := &r.sit
	c := s.target.control
	in := plan.Input{
		Pairs:      plan.Pairs(withoutState(r.cfg.Source.Files(ctx)), withoutState(r.targetFiles(ctx))),
		Fork:       s.fork,
		Checkpoint: plan.Checkpoint{LSN: s.common.LSN, Redo: s.common.Redo, Timeline: s.common.Timeline},
		Label:      s.label,
		TargetEnd:  s.targetEnd,
		SourcePath: s.source.path,
		SourceEnd:  s.sourceEnd.LSN,

		Before:   s.before.Blocks,
		After:    s.after.Blocks,
		Restored: s.before.Restored,
		Hinted:   s.hinted.Blocks,
		Rule:     s.rule,

		BlockSize:      int64(c.BlockSize),
		BlocksPerFile:  c.RelSegSize,
		WALSegmentSize: c.SegmentSize,
		Keep:           r.cfg.Keep,
		TablespaceMap:  r.cfg.TablespaceMap,

		KeepForkSegment: r.cfg.KeepForkSegment,
		DropUnknownWAL:  r.cfg.DropUnknownWAL,
	}
	in.Pairs = r.markSame(ctx, &in)
	p, err := plan.Decide(in)
	var other *plan.TypeError
	if errors.As(err, &other) {
		return &PreflightError{Check: CheckFileType, Side: Target, Path: other.Path, Found: other.Error(),
			Want: "the same kind of file on both sides", Next: other.Hint()}
	}
	if err != nil {
		return fmt.Errorf("make the plan: %w", err)
	}
	p.TargetControl = bytes.TrimRight(s.target.raw, "\x00")
	r.plan = p
	if err := r.sweep(); err != nil {
		return err
	}
	r.tell(Event{Kind: EventPlan, Plan: p, Bytes: p.Totals.Copied, Total: p.Totals.SourceSize})
	r.result.Needed, r.result.Written.Equal = true, p.Totals.Same
	r.result.Plan = p
	return nil
}

// withoutState leaves the state directory out of a listing, where it had to be
// made inside the data directory: the journal of the run that asks is in it, and
// what a source keeps there is about that source.
func withoutState(files plan.Files) plan.Files {
	return func(yield func(datadir.File, error) bool) {
		for f, err := range files {
			ours := f.Path == target.StateDirName || strings.HasPrefix(f.Path, target.StateDirName+"/")
			if err == nil && ours {
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}
