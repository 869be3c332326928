package rewind

import (
	"context"
	"errors"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/timeline"
)

// Examination is what the preflight of a rewind found. Where a check failed
// that later ones build on, what they would have found is missing.
type Examination struct {
	Target, Source Seen
	InRecovery     bool            // the source is a standby
	SourceEnd      source.Position // zero where it was not found

	Fork      timeline.ForkPoint
	Parted    bool   // Fork is known
	TargetEnd pg.LSN // end of the target's log; zero where it was not found
	Needed    bool   // the target has log past the fork
	Common    plan.Checkpoint
	Label     plan.Checkpoint // where replay would start
	Events    int             // changes of settings in the used range of the target's log
	Plan      *plan.Plan
	Why       string // why no rewind is needed, "" where it is or nobody knows

	Problems []*PreflightError
	Notes    []string
}

// Seen is what was gathered about one side.
type Seen struct {
	Control  *pgcontrol.Control
	Timeline pg.TimelineID
	Path     timeline.Path
}

// Examine runs all checks of a rewind and collects what they find, instead of
// stopping at the first that fails as [Run] does. It changes nothing. The
// error is not nil only where a side could not be read at all.
func Examine(ctx context.Context, cfg Config) (*Examination, error) {
	cfg.DryRun = true
	r := newRun(cfg)
	defer r.close()
	x := &Examination{}
	err := r.examine(ctx, x)
	s := &r.sit
	x.Target = Seen{s.target.control, s.target.timeline, s.target.path}
	x.Source = Seen{s.source.control, s.source.timeline, s.source.path}
	x.InRecovery, x.SourceEnd, x.Fork, x.TargetEnd = s.inRecovery, s.sourceEnd, s.fork, s.targetEnd
	x.Needed, x.Label, x.Plan, x.Why, x.Notes = s.diverged, s.label, r.plan, r.result.Why, r.result.Notes
	x.Common = plan.Checkpoint{LSN: s.common.LSN, Redo: s.common.Redo, Timeline: s.common.Timeline}
	for _, facts := range []*Facts{s.before, s.after} {
		if facts != nil {
			x.Events += len(facts.Events)
		}
	}
	return x, err
}

// examine runs the steps. After a failed step that is vital to the next ones it
// stops.
func (r *run) examine(ctx context.Context, x *Examination) error {
	steps := []struct {
		run   func(context.Context) error
		vital bool
	}{
		{r.checkTarget, false},
		{r.findUnfinished, true},
		{r.checkBarred, true},
		{r.surveySides, true},
		{r.checkSides, false},
		{r.surveyHistories, true},
		{r.findFork, true},
		{func(context.Context) error { x.Parted = true; return nil }, false},
		{r.stopIfSame, true},
		{r.findTargetEnd, true},
		{r.stopIfNotDiverged, true},
		{r.checkLabel, false},
		{r.findCheckpoint, true},
		{r.gatherBlocks, true},
		{r.gatherHinted, true},
		{r.checkEvidence, true},
		{r.decide, true},
		{r.checkPlan, false},
		{r.checkRoom, false},
		{r.checkWritable, false},
	}
	for _, step := range steps {
		err := step.run(ctx)
		var problem *PreflightError
		switch {
		case errors.As(err, &problem):
			x.Problems = append(x.Problems, problem)
			if step.vital || problem.Check == CheckSystem || problem.Check == CheckVersion || problem.Check == CheckGeometry {
				return nil
			}
		case err != nil:
			return err
		}
		if r.done {
			return nil
		}
	}
	return nil
}
