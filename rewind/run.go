package rewind

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
	"forkpoint/walinspect"
	"forkpoint/walinspect/segment"
)

// Run does a rewind, or with DryRun says what one would do. It returns a
// [*PreflightError] when it refuses and a [*StoppedError] when it was told to
// stop, both with the target untouched, and an [*InterruptedError] when it
// stopped after it had begun to change it.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	r := newRun(cfg)
	defer r.close()
	return r.steps(ctx, []step{
		{PhaseSurvey, r.checkTarget},
		{PhaseSurvey, r.findUnfinished},
		{PhaseSurvey, r.checkBarred},
		{PhaseSurvey, r.surveySides},
		{PhaseSurvey, r.checkSides},
		{PhaseSurvey, r.surveyHistories},
		{PhaseSurvey, r.findFork},
		{PhaseSurvey, r.compareSame},
		{PhaseSurvey, r.checkSameFork},
		{PhaseIndex, r.findTargetEnd},
		{PhaseIndex, r.stopIfNotDiverged},
		{PhaseIndex, r.checkLabel},
		{PhaseIndex, r.checkOwn},
		{PhaseIndex, r.findCheckpoint},
		{PhaseIndex, r.gatherBlocks},
		{PhaseIndex, r.gatherHinted},
		{PhasePlan, r.checkEvidence},
		{PhasePlan, r.decide},
		{PhasePlan, r.checkWritable},
		{PhasePlan, r.checkStaged},
		{PhasePlan, r.checkPlan},
		{PhasePlan, r.checkRoom},
		{PhaseStage, r.foreseeReplay},
		{PhaseStage, r.stopIfDryRun},
		{PhaseStage, r.lock},
		{PhaseStage, r.stageWAL},
		{PhaseStage, r.checkReplay},
		{PhaseCopy, r.begin},
		{PhaseCopy, r.apply},
		{PhaseFinish, r.finish},
		{PhaseSync, r.commit},
		{PhaseSeal, r.seal},
	})
}

// step is one line of the story that a run tells.
type step struct {
	phase Phase
	run   func(context.Context) error
}

// run is the state of one call of [Run]. What was gathered is in sit, what was
// decided in plan; the rest is for acting.
type run struct {
	cfg    Config
	sit    situation
	plan   *plan.Plan
	result Result

	blocks  BlockIndex
	target  *target.Target
	journal *journal.Journal
	edit    *journal.Editor
	sent    *sent
	staged  staged
	// restaged is what of an interrupted run's log for replay is used again.
	restaged restaged
	// archived names the segments for replay that neither side has, but a place
	// that the caller named.
	archived []string
	resumed  *resumed // nil unless an interrupted run is taken up
	sums     *sums    // nil until the target is changed
	parts    []Part   // of the step that is running

	passed []string // directories of journals that are no obstacle: their target is no more, or only the manifest was missing

	changed bool // the target is not as it was
	done    bool // nothing is left to do
	started map[Phase]time.Time
}

func newRun(cfg Config) *run {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Progress == nil {
		cfg.Progress = func(Progress) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &run{cfg: cfg, result: Result{Schema: ResultSchema, DryRun: cfg.DryRun}}
}

// steps runs one step after the other until one fails or nothing is left to
// do. Steps of one phase are timed together.
func (r *run) steps(ctx context.Context, steps []step) (*Result, error) {
	phase := Phase("")
	for _, s := range steps {
		if s.phase != phase {
			phase = s.phase
			r.tell(Event{Kind: EventPhase, Phase: phase})
		}
		began := r.cfg.Now()
		err := s.run(ctx)
		r.took(s.phase, r.cfg.Now().Sub(began))
		if err != nil {
			failure := r.fail(ctx, s.phase, err)
			if err := r.dropStaged(); err != nil {
				failure = errors.Join(failure, err)
			}
			return nil, failure
		}
		if r.done {
			break
		}
	}
	if r.cfg.Source != nil {
		r.result.Written.FromSource = r.cfg.Source.BytesRead()
	}
	return &r.result, nil
}

// fail says with an error whether the target was changed already, and in which
// phase the run was when it was told to stop.
func (r *run) fail(ctx context.Context, phase Phase, err error) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		err = cause // who stopped the run is what the caller wants to know
	case !errors.Is(err, cause):
		err = errors.Join(cause, err)
	}
	var refused *PreflightError
	if errors.As(err, &refused) && r.edit == nil {
		return err // of a rewind that is taken up too: trying again would not help
	}
	if r.changed {
		return &InterruptedError{Target: r.cfg.Target.Path(), Phase: phase, Undo: r.undoCommand(), Err: err}
	}
	if cause != nil {
		return &StoppedError{Target: r.cfg.Target.Path(), Phase: phase, Err: err}
	}
	return err
}

func (r *run) took(phase Phase, d time.Duration) {
	n := len(r.result.Times)
	if n == 0 || r.result.Times[n-1].Phase != phase {
		r.result.Times = append(r.result.Times, Timed{Phase: phase})
		n++
	}
	t := &r.result.Times[n-1]
	t.Elapsed += d
	t.Parts = append(t.Parts, r.parts...)
	r.parts = nil
}

// spent notes how long a part of the present step took, over all its rounds.
func (r *run) spent(name string, d time.Duration) {
	for i := range r.parts {
		if r.parts[i].Name == name {
			r.parts[i].Elapsed += d
			return
		}
	}
	r.parts = append(r.parts, Part{name, d})
}

// timed runs a part of the present step and notes how long it took.
func (r *run) timed(name string, do func() error) error {
	began := r.cfg.Now()
	err := do()
	r.spent(name, r.cfg.Now().Sub(began))
	return err
}

func (r *run) note(text string) { r.result.Notes = append(r.result.Notes, text) }

func (r *run) close() {
	r.sums.end()
	if r.sent != nil {
		r.sent.file.Close() // flushed before, if it counts
	}
	if r.journal != nil {
		r.journal.Close()
	}
	if r.target != nil {
		r.target.Close()
	}
}

// index reads the target's log, as it was before any rewind, through the
// catalog: from what was set aside, the target, the places the caller named,
// and, for what both sides share, the source. As long as no fork is known,
// nothing but the target's own files is sure to be the target's log.
func (r *run) index() BlockIndex {
	if r.sit.fork.Same() {
		return r.newIndex(r.targetLog())
	}
	if r.blocks == nil {
		r.blocks = r.newIndex(r.targetLog())
	}
	return r.blocks
}

func (r *run) targetLog() segment.Source {
	if r.sit.fork.Same() {
		return r.ownWAL()
	}
	return segment.NewChain(r.ownWAL(), r.archives(), sharedWAL{
		read: r.cfg.Source.ReadFile, name: r.cfg.Source.String(),
		fork: r.sit.fork.LSN, size: r.geometry().SegmentSize,
	})
}

// geometry is that of the target's log.
func (r *run) geometry() walinspect.Geometry {
	c := r.sit.target.control
	return walinspect.Geometry{
		SystemID: c.SystemID, SegmentSize: c.SegmentSize,
		PageSize: c.WALBlockSize, BlockSize: c.BlockSize,
	}
}
