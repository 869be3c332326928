package rewind

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"forkpoint/rewind/journal"
)

// Undo puts the old bytes back, of a rewind that was interrupted or of the last
// one that was finished. It may be interrupted and run again.
func Undo(ctx context.Context, cfg Config) (*Result, error) {
	r := newRun(cfg)
	defer r.close()
	return r.steps(ctx, []step{
		{PhaseSurvey, r.checkTarget},
		{PhaseUndo, r.undo},
	})
}

func (r *run) undo(ctx context.Context) error {
	if err := r.openTarget(); err != nil {
		return err
	}
	list, err := journal.List(r.target.FS(), r.cfg.StateDir)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(list) {
		if s.Header.Target != r.cfg.Target.Path() || s.Stage == journal.Undone || s.Stage == journal.Abandoned {
			continue
		}
		stage, err := r.openJournal(&s)
		if err == nil && stage == journal.Opened {
			if err := r.dropJournal(ctx); err != nil {
				return err
			}
			continue // it had not begun
		}
		if err == nil {
			err = r.undoOne(ctx, &s)
		}
		return r.undoFailed(&s, err)
	}
	if err := r.checkBarred(ctx); err != nil {
		return err
	}
	r.result.Why = "there is no rewind of this data directory to undo"
	return nil
}

func (r *run) undoOne(ctx context.Context, s *journal.Summary) error {
	r.result.Journal, r.result.Needed = s.Dir, true
	text := fmt.Sprintf("A rewind of this data directory is being undone. If no forkpoint is running on it any more, run\n  %s\nagain.\n", r.undoCommand())
	err := journal.Undo(ctx, r.journal, r.target, journal.UndoOptions{Text: text, Begin: r.unseal,
		Progress: func(done, total int64) { r.cfg.Progress(Progress{PhaseUndo, done, total, "bytes"}) }})
	if err == nil {
		err = r.seal(ctx)
	}
	return err
}

// undoFailed says what stands in the way of an undo, or that it stopped
// half-way and the target needs it to go on.
func (r *run) undoFailed(s *journal.Summary, err error) error {
	refusal := &PreflightError{Check: CheckUnfinished, Side: Target, Path: s.Dir}
	id := s.Header.ID
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrStarted), errors.Is(err, journal.ErrNotBarred):
		refusal.Check = CheckState
		refusal.Found = fmt.Sprintf("a server has run on it since the rewind %s: the old bytes would not fit what it has written", id)
		refusal.Want = "a target as the rewind left it"
		refusal.Next = "what only the old primary had is in " + s.Dir + ", see forkpoint evidence show"
	case errors.Is(err, journal.ErrNoImages):
		refusal.Found = fmt.Sprintf("the rewind %s kept no old bytes (--no-undo)", id)
		refusal.Next = "this node can go on as a copy of the source only"
		if s.Unfinished() {
			refusal.Next = "finish the rewind with --resume: " + refusal.Next
		}
	case errors.Is(err, journal.ErrLost):
		refusal.Found = fmt.Sprintf("the rewind %s cannot be undone: %v", id, err)
		refusal.Next = "put the file back into its place in " + s.Dir + ", or finish the rewind with --resume"
	case errors.Is(err, journal.ErrCorrupt) && r.journal == nil: // not begun
		refusal.Found = fmt.Sprintf("the rewind %s, which is %s, cannot be undone", id, s.Stage)
		refusal.Want, refusal.Err = "all old bytes", err
		refusal.Next = damagedBundle(s)
	default:
		barred, e := r.target.Barred()
		r.changed = e != nil || barred
		return err
	}
	return refusal
}
