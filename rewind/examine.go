package rewind

import (
	"context"
	"errors"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// Examination is what the preflight of a rewind found. Where a check failed
// that later ones build on, what they would have found is missing.
type Examination struct {
	Target, Source Seen
	InRecovery     bool            // the source is a standby
	SourceEnd      source.Position // zero where it was not found

	Fork   timeline.ForkPoint
	Parted bool // Fork is known
	// Comparison is of the logs, where the histories are the same; Fork is then
	// what it found.
	Comparison *lineage.Comparison
	// TargetLog is where the target's log lies, for a reader that goes past what
	// an examination asks of it; nil where the fork is not known.
	TargetLog segment.Source
	SourceLog segment.Source // the log that replay will read; nil where none was fetched
	OneNumber bool           // both went on under one timeline number: a catalog does not tell whose segments it has
	TargetEnd pg.LSN         // end of the target's log; zero where it was not found
	Needed    bool           // the target has log past the fork
	Common    blockmap.Checkpoint
	Before    *Facts          // of the target's log from the common checkpoint's redo point to the fork; nil where they were not gathered
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
	return examine(ctx, cfg, func(r *run, x *Examination) []check {
		return slices.Concat([]check{{r.checkTarget, false}, {r.findUnfinished, true}, {r.checkBarred, true}}, r.locating(x), []check{
			{r.findTargetEnd, true},
			{r.stopIfNotDiverged, true},
			{r.checkLabel, false},
			{r.checkOwn, true},
			{r.findCheckpoint, true},
			{r.gatherBlocks, true},
			{r.gatherHinted, true},
			{r.checkEvidence, true},
			{r.decide, true},
			{r.checkPlan, false},
			{r.checkRoom, false},
			{r.checkWritable, false},
		})
	})
}

// Locate is the part of [Examine] that finds where the two parted. The target
// may be running.
func Locate(ctx context.Context, cfg Config) (*Examination, error) {
	return examine(ctx, cfg, func(r *run, x *Examination) []check { return r.locating(x) })
}

// check is a step of an examination. After a failed one that is vital to the
// next ones it ends.
type check struct {
	run   func(context.Context) error
	vital bool
}

// locating are the checks that find the fork.
func (r *run) locating(x *Examination) []check {
	return []check{
		{r.surveySides, true},
		{r.checkSides, false},
		{r.surveyHistories, true},
		{r.findFork, true},
		{func(context.Context) error { x.Parted = true; return nil }, false},
		{r.compareSame, true},
	}
}

func examine(ctx context.Context, cfg Config, checks func(*run, *Examination) []check) (*Examination, error) {
	cfg.DryRun = true
	r := newRun(cfg)
	defer r.close()
	x := &Examination{}
	err := r.examine(ctx, x, checks(r, x))
	return r.examination(x), err
}

// examination fills in what was found so far.
func (r *run) examination(x *Examination) *Examination {
	s := &r.sit
	x.Target = Seen{s.target.control, s.target.timeline, s.target.path}
	x.Source = Seen{s.source.control, s.source.timeline, s.source.path}
	x.InRecovery, x.SourceEnd, x.Fork, x.TargetEnd = s.inRecovery, s.sourceEnd, s.fork, s.targetEnd
	x.Needed, x.Label, x.Plan, x.Why, x.Notes = s.diverged, s.label, r.plan, r.result.Why, r.result.Notes
	x.Comparison = s.comparison
	x.Common, x.Before = s.common, s.before
	if x.Parted {
		x.TargetLog, x.OneNumber = r.targetLog(), s.oneNumber()
	}
	if r.staged.dir != "" {
		x.SourceLog = r.replayWAL()
	}
	for _, facts := range []*Facts{s.before, s.after} {
		if facts != nil {
			x.Events += len(facts.Events)
		}
	}
	return x
}

func (r *run) examine(ctx context.Context, x *Examination, checks []check) error {
	for _, c := range checks {
		err := c.run(ctx)
		var problem *PreflightError
		switch {
		case errors.As(err, &problem):
			x.Problems = append(x.Problems, problem)
			if c.vital || problem.Check == CheckSystem || problem.Check == CheckVersion || problem.Check == CheckGeometry {
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
