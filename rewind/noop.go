package rewind

import (
	"context"
	"fmt"
)

// stopIfNotDiverged ends the run where the target stopped before the fork: it
// can follow the source as it is.
func (r *run) stopIfNotDiverged(context.Context) error {
	s := &r.sit
	if s.diverged || r.resumed != nil {
		return nil
	}
	return r.stopNoop(fmt.Sprintf("the target ends at %s, not past the fork at %s on timeline %d", s.targetEnd, s.fork.LSN, s.fork.Timeline))
}

// stopNoop ends the run; recovery settings are written all the same, as
// pg_rewind does.
func (r *run) stopNoop(why string) error {
	r.done = true
	r.result.Why = why
	if err := r.noteLabel(); err != nil {
		return err
	}
	r.tell(Event{Kind: EventNoRewind})
	if !r.cfg.WriteRecoveryConf || r.cfg.DryRun {
		return nil
	}
	if err := r.openTarget(); err != nil {
		return err
	}
	return r.writeRecoveryConf(r.target.Replace)
}
