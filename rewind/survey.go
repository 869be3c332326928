package rewind

import (
	"context"
	"fmt"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// side is what was gathered about one of the two clusters.
type side struct {
	raw      []byte // control file as read
	control  *pgcontrol.Control
	timeline pg.TimelineID
	path     timeline.Path
}

// situation is all that is known before anything is decided. Each step of the
// survey fills its part.
type situation struct {
	target, source side
	inRecovery     bool // the source is a standby
	sourceEnd      source.Position

	fork       timeline.ForkPoint
	comparison *lineage.Comparison // of the logs, where the histories are the same
	unjoined   string              // why archives did not help it, "" where none was asked
	parted     bool                // fork was found by that comparison
	targetEnd  pg.LSN
	diverged   bool // the target has log past the fork
	common     blockCheckpoint
	label      plan.Checkpoint

	before, after *Facts // [redo, fork) and [fork, end) of the target's log
	unlogged      bool   // the target may have set hints without any log of them
	hinted        *hinted
	rule          plan.Rule
}

// surveySides reads control files and histories of both sides.
func (r *run) surveySides(ctx context.Context) error {
	s := &r.sit
	var err error
	if s.target.raw, s.target.control, err = r.targetControl(); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if s.source.raw, s.source.control, err = r.cfg.Source.Control(ctx); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	s.target.timeline = s.target.control.CurrentTimeline()
	if s.source.timeline, err = r.cfg.Source.Timeline(ctx); err != nil {
		return fmt.Errorf("source: find current timeline: %w", err)
	}
	if s.inRecovery, err = r.cfg.Source.InRecovery(ctx); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if s.sourceEnd, err = r.cfg.Source.EndOfWAL(ctx); err != nil {
		return fmt.Errorf("source: find end of WAL: %w", err)
	}
	return nil
}

// surveyHistories reads the history of each side's timeline. The target's own
// copy may be gone, for an earlier rewind that was killed removes it; an
// archive may have it then, or the source where the timelines are shared.
func (r *run) surveyHistories(ctx context.Context) error {
	s := &r.sit
	var err error
	fromSource := r.sourceHistory(ctx)
	if s.source.path, err = timeline.ReadPath(s.source.timeline, fromSource); err != nil {
		return &PreflightError{Check: CheckHistory, Side: Source,
			Found: err.Error(),
			Next:  "restore " + s.source.timeline.HistoryName() + " into the source's pg_wal from the archive"}
	}
	places := []func(pg.TimelineID) ([]byte, error){r.targetHistory}
	if r.cfg.Archives != nil {
		places = append(places, segment.Histories(ctx, r.cfg.Archives))
	}
	if s.target.path, err = timeline.ReadPath(s.target.timeline, append(places, fromSource)...); err != nil {
		return &PreflightError{Check: CheckHistory, Side: Target,
			Found: err.Error(),
			Next:  "restore " + s.target.timeline.HistoryName() + " into the target's pg_wal from the archive, or rebuild it with forkpoint history repair; nobody else has it"}
	}
	return nil
}

// findFork finds where the two paths part. On one timeline number they share
// everything, as far as the histories tell.
func (r *run) findFork(context.Context) error {
	s := &r.sit
	fork, err := timeline.CommonAncestor(s.source.path, s.target.path)
	if err != nil {
		return &PreflightError{Check: CheckAncestor, Side: Target, Err: err,
			Found: fmt.Sprintf("timeline %d shares no beginning with the source's timeline %d", s.target.timeline, s.source.timeline),
			Next:  "compare the history files of both sides with forkpoint history"}
	}
	s.fork = fork
	return nil
}
