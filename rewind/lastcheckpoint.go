package rewind

import (
	"context"
	"fmt"

	"forkpoint/blockmap"
	"forkpoint/rewind/plan"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

func checkpointAt(facts *Facts, lsn pg.LSN) (blockmap.Checkpoint, bool) {
	for _, c := range facts.Checkpoints {
		if c.LSN == lsn {
			return c, true
		}
	}
	return blockmap.Checkpoint{}, false
}

// findCheckpoint finds the checkpoint from which replay starts after the
// rewind.
func (r *run) findCheckpoint(ctx context.Context) error {
	s := &r.sit
	c, facts, err := LastCommonCheckpoint(ctx, r.index(), s.target.path, s.fork.LSN, s.target.control.SegmentSize)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if c == nil {
		return &PreflightError{Check: CheckCheckpoint, Side: Target, LSN: s.fork.LSN, Path: r.missingFile(facts),
			Found: fmt.Sprintf("no checkpoint before the fork at %s is to be found in the WAL at hand (%s)", s.fork.LSN, gapText(facts)),
			Want:  "the WAL back to the last checkpoint that both clusters share",
			Next:  "restore the missing segments into the target's pg_wal, or name an archive or restore_command that has them"}
	}
	s.common = *c
	s.label = plan.Checkpoint{LSN: c.LSN, Redo: c.Redo, Timeline: c.Timeline}
	r.adoptRestartpoint()
	r.tell(Event{Kind: EventCheckpoint, LSN: c.LSN, Timeline: c.Timeline})
	return nil
}

// LastCommonCheckpoint finds the last checkpoint record before the fork, which
// both sides have. The log is read backwards in ever longer pieces of whole
// segments. Without a checkpoint the facts of the piece that was read last say
// why there is none.
func LastCommonCheckpoint(ctx context.Context, index BlockIndex, path timeline.Path, fork pg.LSN, size pg.SegmentSize) (*blockmap.Checkpoint, *Facts, error) {
	to := fork
	segments := uint64(firstLook)
	for first := size.Number(to); ; segments *= 2 {
		first -= min(first, segments)
		span := pg.Span{From: size.Start(first), To: to}
		facts, err := index.Marks(ctx, path, span)
		if err != nil {
			return nil, nil, fmt.Errorf("look for the last common checkpoint in %s: %w", span, err)
		}
		// A gap behind the newest checkpoint of the piece does not matter.
		if c, found := lastCheckpoint(facts, fork); found && !gapAfter(facts, c.LSN) {
			return &c, facts, nil
		}
		if len(facts.Gaps) > 0 || first == 0 {
			return nil, facts, nil
		}
		to = span.From
	}
}

// adoptRestartpoint starts replay earlier where one of the two is a standby
// that has not come to a restartpoint at the common checkpoint yet. A source's
// files are only complete from its own redo point on. So are those of a target
// that crashed in recovery: what it replayed since then may never have reached
// the disk, and no record after the common checkpoint brings it back. One that
// was stopped in good order can have left out its last restartpoint too, for
// want of a checkpoint that it may use.
func (r *run) adoptRestartpoint() {
	adopt := func(c *pgcontrol.Control) {
		if c.CheckpointCopy.Redo < r.sit.label.Redo {
			r.sit.label = plan.Checkpoint{LSN: c.Checkpoint, Redo: c.CheckpointCopy.Redo, Timeline: c.CheckpointCopy.Timeline}
		}
	}
	adopt(r.sit.source.control)
	adopt(r.sit.target.control)
}

func lastCheckpoint(facts *Facts, before pg.LSN) (blockmap.Checkpoint, bool) {
	for i := len(facts.Checkpoints) - 1; i >= 0; i-- {
		if c := facts.Checkpoints[i]; c.LSN < before {
			return c, true
		}
	}
	return blockmap.Checkpoint{}, false
}
