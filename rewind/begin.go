package rewind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/target"
)

// lock takes the target, makes the state directory, and looks whether the
// target is still what the survey saw.
func (r *run) lock(context.Context) error {
	if r.resumed != nil {
		return nil // it has been ours since before the survey
	}
	if err := r.openTarget(); err != nil {
		return err
	}
	raw, err := r.target.ReadFile(target.ControlFile)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if !bytes.Equal(raw, r.sit.target.raw) {
		return &PreflightError{Check: CheckRunning, Side: Target,
			Found: "a server ran on it while its WAL was read", Want: "a server that stays stopped",
			Next: "stop it and run the same command again"}
	}
	return nil
}

// openTarget takes the target for this process, if it is not ours already.
func (r *run) openTarget() error {
	if r.target != nil {
		return nil
	}
	method := target.SyncFiles
	switch {
	case !r.cfg.Sync:
		method = target.SyncNone
	case r.cfg.SyncFS:
		method = target.SyncTrees
	}
	var err error
	r.target, err = target.Open(r.cfg.Target.Path(), target.Options{FS: r.cfg.FS, Method: method})
	var busy *target.BusyError
	if errors.As(err, &busy) {
		return &PreflightError{Check: CheckRunning, Side: Target,
			Found: fmt.Sprintf("%s uses %s", busy.Who(), r.cfg.Target.Path()), Want: "a directory that nobody works on", Next: busy.Hint()}
	}
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if err := journal.MakeStateDir(r.cfg.StateDir, r.target.DirMode()); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return r.target.FS().Declare(r.cfg.StateDir)
}

// begin writes the plan into the journal, or goes on with the journal of a run
// that was interrupted, and bars the target: the first change.
func (r *run) begin(ctx context.Context) error {
	text, err := json.MarshalIndent(r.plan, "", "  ")
	if err != nil {
		return fmt.Errorf("write down the plan: %w", err)
	}
	if r.journal == nil {
		identity, err := target.IdentityOf(r.cfg.Target.Path())
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
		header := journal.Header{
			Identity: identity,
			Started:  r.cfg.Now().UTC(), SystemID: r.sit.target.control.SystemID,
			Target: r.cfg.Target.Path(), Source: r.cfg.Source.String(),
			Fork: r.sit.fork.LSN, ForkTimeline: r.sit.fork.Timeline, Undo: r.cfg.Undo,
			SourceEnd: r.sit.sourceEnd.LSN, SourceTimeline: r.sit.sourceEnd.Timeline,
		}
		if r.journal, err = journal.Create(r.target.FS(), r.cfg.StateDir, header, text, journal.Options{}); err != nil {
			return err
		}
	}
	r.result.Journal = r.journal.Dir()
	if r.resumed != nil {
		err = replaceFile(r.target.FS(), r.journal.Dir(), resumedPlanFile, text)
	} else {
		err = r.timed(PartReports, func() error { return r.saveEvidence(ctx) })
	}
	if err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	r.sit.before, r.sit.after = nil, nil // the plan has what counts; the lists of transactions may be long
	if r.sent, err = newSent(r.target.FS(), r.journal.Dir()); err != nil {
		return fmt.Errorf("evidence bundle: %w", err)
	}
	r.edit = journal.NewEditor(r.journal, r.target)
	r.changed = true
	r.tell(Event{Kind: EventBarred})
	return r.edit.Bar(ctx, r.barText())
}

// barText is what a person finds who wonders why the server does not start.
func (r *run) barText() string {
	resume := "run the same command again"
	if command := r.cfg.Commands.Resume; command != "" {
		resume += ", with its other flags:\n      " + command
	}
	return fmt.Sprintf(`A rewind of this data directory to %s was begun at %s and is not finished.
If no forkpoint is running on it any more:

  to finish it, %s
  to get the old contents back, run
      %s

What was here before is kept in %s.
Do not remove this file: the data directory is not consistent.
`, r.cfg.Source, r.cfg.Now().UTC().Format("2006-01-02 15:04:05 MST"), resume, r.undoCommand(), r.result.Journal)
}
