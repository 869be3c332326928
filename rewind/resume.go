package rewind

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/segment"
)

// findUnfinished looks for the journal of an interrupted run and takes it over.
func (r *run) findUnfinished(ctx context.Context) error {
	met := false // a rewind that had begun
	for {
		summary, err := r.unfinished()
		if err != nil {
			return err
		}
		if summary == nil {
			return r.checkResume(met)
		}
		met = met || summary.Stage != journal.Opened && summary.Stage != journal.Undone
		if r.unsealed(summary) {
			if err := r.sealPassed(ctx, summary); err != nil {
				return err
			}
			continue
		}
		if passed, err := r.passReplaced(summary); err != nil {
			return err
		} else if passed {
			continue
		}
		if err := r.checkUnfinished(summary); err != nil {
			return err
		}
		if err := r.openTarget(); err != nil {
			return err
		}
		stage, err := r.openJournal(summary)
		if err != nil {
			return cannotTakeUp(summary, err)
		}
		switch stage {
		case journal.Done: // but for its last note
			r.sealBundle(ctx, r.journal.Dir(), r.journal.Header().ID)
			err = r.closeJournal()
		case journal.Opened:
			err = r.dropJournal(ctx)
		default:
			return r.takeOver()
		}
		if err != nil {
			return err
		}
	}
}

// cannotTakeUp says why the journal of an interrupted rewind is of no use.
func cannotTakeUp(s *journal.Summary, err error) error {
	refusal := &PreflightError{Check: CheckUnfinished, Side: Target, Path: s.Dir, Err: err,
		Found: "the interrupted rewind cannot be taken up",
		Next: fmt.Sprintf("if a server ran on it since, this node needs a new base backup; if this is one, the bundle in %s is about its predecessor and %s",
			s.Dir, dropBundle(s))}
	if errors.Is(err, journal.ErrCorrupt) {
		refusal.Next = damagedBundle(s) + "; if this is a new base backup already, " + dropBundle(s)
	}
	return refusal
}

// damagedBundle is what to do about a journal that is damaged.
func damagedBundle(s *journal.Summary) string {
	text := fmt.Sprintf("put a copy of the bundle into the place of %s and run the same command again", s.Dir)
	if s.Unfinished() {
		text += "; without one this node needs a new base backup"
	}
	return text + fmt.Sprintf("; forkpoint evidence verify --state-dir %s %s tells what of the bundle is whole", segment.ShellWord(filepath.Dir(s.Dir)), s.Header.ID)
}

// checkResume refuses to begin anew where the caller wants to go on. Where one
// was met, it turned out to be finished, or its target to be no more.
func (r *run) checkResume(met bool) error {
	if !r.cfg.Resume || met {
		return nil
	}
	if text, err := r.oldLabel(); err != nil || target.IsBar([]byte(text)) {
		return err // which checkBarred has the words for
	}
	return &PreflightError{Check: CheckUnfinished, Side: Target, Path: r.cfg.StateDir,
		Found: fmt.Sprintf("no interrupted rewind of %s is in %s", r.cfg.Target.Path(), r.cfg.StateDir),
		Want:  "one to resume", Next: "run the same command without --resume to begin one, or name the place of the journal with --state-dir"}
}

// checkUnfinished refuses an interrupted run that this one must not take up.
func (r *run) checkUnfinished(summary *journal.Summary) error {
	switch {
	case summary.Stage == journal.Undoing || summary.Stage == journal.Restored:
		return &PreflightError{Check: CheckUnfinished, Side: Target,
			Found: fmt.Sprintf("the rewind %s was being undone and that is not finished", summary.Header.ID),
			Want:  "the old contents, whole", Next: "run " + r.undoCommand()}
	case r.cfg.DryRun:
		return &PreflightError{Check: CheckUnfinished, Side: Target,
			Found: fmt.Sprintf("the rewind %s was interrupted and is not finished", summary.Header.ID),
			Want:  "a data directory that is as a server left it", Next: "run the same command without --dry-run to finish it, or take it back with " + r.undoCommand()}
	}
	return nil
}

// openJournal opens a journal to go on with it and finds how far it came.
func (r *run) openJournal(summary *journal.Summary) (journal.Stage, error) {
	var err error
	if r.journal, err = journal.Open(r.target.FS(), summary.Dir, journal.Options{}); err != nil {
		return summary.Stage, err
	}
	return r.journal.Settle(r.target)
}

func (r *run) closeJournal() error {
	err := r.journal.Close()
	r.journal = nil
	return err
}

// dropJournal removes the journal of a run that ended before it changed
// anything: there is nothing in it. The run may have begun to write the label
// that it did not come to put into its place.
func (r *run) dropJournal(ctx context.Context) error {
	dir := r.journal.Dir()
	if err := r.target.Sweep(target.LabelFile); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if err := r.target.Sync(ctx); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if err := r.closeJournal(); err != nil {
		return err
	}
	err := target.RemoveTree(r.target.FS(), dir)
	if err == nil {
		err = r.target.FS().SyncDir(r.cfg.StateDir)
	}
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

// sealPassed writes the manifest of a rewind, or of its undo, that was finished
// but for that. Its log is not looked at: what became of an old bundle must not
// stand in the way of the target's next rewind.
func (r *run) sealPassed(ctx context.Context, s *journal.Summary) error {
	r.passed = append(r.passed, s.Dir) // tried once
	if err := r.openTarget(); err != nil {
		return err
	}
	r.sealBundle(ctx, s.Dir, s.Header.ID)
	return context.Cause(ctx)
}

// unfinished is the newest journal of the target that is not finished, or nil.
func (r *run) unfinished() (*journal.Summary, error) {
	roots := target.NewRoots()
	defer roots.Close() // read only
	list, err := journal.List(roots, r.cfg.StateDir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	for _, s := range slices.Backward(list) {
		if s.Header.Target == r.cfg.Target.Path() && (s.Unfinished() || r.unsealed(&s)) && !slices.Contains(r.passed, s.Dir) {
			return &s, nil
		}
	}
	return nil, nil
}

// checkSameFork refuses to resume with a source that has another history.
func (r *run) checkSameFork(context.Context) error {
	if r.resumed == nil {
		return nil
	}
	return r.checkLineage()
}
