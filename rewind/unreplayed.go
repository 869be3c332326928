package rewind

import (
	"context"
	"fmt"

	"forkpoint/walinspect/pg"
)

// A standby that was stopped in good order may have received log past the fork
// without having replayed it. None of its pages is newer than the fork, but its
// next start begins with what lies in pg_wal: it would replay that log, and
// could follow the source no more ("new timeline forked off current database
// system timeline before current recovery point"). pg_rewind says that no
// rewind is required.

// takeUnreplayed makes such a target one that has diverged. No block of it
// changed after the fork; what a rewind does is to set that log aside, and to
// begin replay at the last common checkpoint with the source's.
func (r *run) takeUnreplayed(ctx context.Context) error {
	s := &r.sit
	if s.diverged || s.fork.Same() || !s.target.control.State.Clean() {
		return nil // of a target that crashed the log was read to its end
	}
	// One record is enough, wherever the log before it may lie.
	span := pg.Span{From: s.fork.LSN, To: r.geometry().RecordStart(s.fork.LSN) + 1}
	facts, err := r.cfg.NewIndex(r.ownWAL(), false).Marks(ctx, s.target.path, span)
	if err != nil {
		return fmt.Errorf("target: look for WAL that it has received past the fork at %s: %w", s.fork.LSN, err)
	}
	if facts.End <= s.fork.LSN {
		return nil
	}
	r.note(fmt.Sprintf("the target has replayed WAL up to %s, and has received more, past the fork: its server would go on with that and could not follow the source", s.targetEnd))
	s.targetEnd = s.fork.LSN
	s.diverged = true
	return nil
}
