package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
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

	fork      timeline.ForkPoint
	targetEnd pg.LSN
	diverged  bool // the target has log past the fork
	common    blockCheckpoint
	label     plan.Checkpoint

	before, after *Facts // [redo, fork) and [fork, end) of the target's log
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
// copy may be gone, for an earlier rewind that was killed removes it; the
// source then has it where the timelines are shared.
func (r *run) surveyHistories(ctx context.Context) error {
	s := &r.sit
	var err error
	fromSource := r.sourceHistory(ctx)
	if s.source.path, err = historyPath(s.source.timeline, fromSource); err != nil {
		return &PreflightError{Check: CheckHistory, Side: Source,
			Found: fmt.Sprintf("history of timeline %d: %v", s.source.timeline, err),
			Next:  "restore " + s.source.timeline.HistoryName() + " into the source's pg_wal from the archive"}
	}
	s.target.path, err = historyPath(s.target.timeline, r.targetHistory, fromSource)
	if err != nil {
		return &PreflightError{Check: CheckHistory, Side: Target,
			Found: fmt.Sprintf("history of timeline %d: %v", s.target.timeline, err),
			Next:  "restore " + s.target.timeline.HistoryName() + " into the target's pg_wal from the archive; nobody else has it"}
	}
	return nil
}

// historyPath reads the history of a timeline from the first place that has
// it. Timeline 1 has no history file.
func historyPath(tli pg.TimelineID, places ...func(pg.TimelineID) ([]byte, error)) (timeline.Path, error) {
	if tli == 1 {
		return timeline.SingleTimeline(1), nil
	}
	var missing error
	for _, read := range places {
		b, err := read(tli)
		if errors.Is(err, fs.ErrNotExist) {
			missing = err
			continue
		}
		if err != nil {
			return nil, err
		}
		h, err := timeline.Parse(tli, b)
		if err != nil {
			return nil, err
		}
		return h.Path(), nil
	}
	return nil, missing
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
