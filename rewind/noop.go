package rewind

import (
	"context"
	"fmt"

	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// stopIfSame ends the run where both sides are on one timeline. That they have
// the same history follows only from the target not being ahead: a target with
// log that the source does not have was written to by itself.
func (r *run) stopIfSame(context.Context) error {
	s := &r.sit
	if !s.fork.Same() || r.resumed != nil {
		if !s.fork.Same() {
			r.tell(Event{Kind: EventFork, LSN: s.fork.LSN, Timeline: s.fork.Timeline})
		}
		return nil
	}
	r.tell(Event{Kind: EventSame, Timeline: s.target.timeline})
	c := s.target.control
	reached, limit := max(c.Checkpoint, c.MinRecoveryPoint), s.sourceEnd.LSN
	if r.cfg.Source.Kind() == source.Directory {
		limit = max(s.source.control.Checkpoint, s.source.control.MinRecoveryPoint)
	}
	// A standby that is behind will receive what it lacks; only a server that
	// was in production has an end of its own.
	if reached > limit && r.sourceInProduction() {
		return r.ahead(reached, limit)
	}
	return r.stopNoop(fmt.Sprintf("source and target are on the same timeline %d, and the target is not ahead", s.target.timeline))
}

func (r *run) sourceInProduction() bool {
	if r.cfg.Source.Kind() == source.Live {
		return !r.sit.inRecovery
	}
	return r.sit.source.control.State == pgcontrol.ShutDown
}

func (r *run) ahead(reached, limit pg.LSN) error {
	return &PreflightError{Check: CheckSameBranch, Side: Target, LSN: limit,
		Found: fmt.Sprintf("it is on the same timeline %d as the source and has WAL up to %s, which the source has only up to %s", r.sit.target.timeline, reached, limit),
		Want:  "a fork that the histories tell of, or a target that is not ahead",
		Next:  "compare the WAL of both with forkpoint inspect: either the source lags behind, or both were written to under one timeline number"}
}

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
