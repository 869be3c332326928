package rewind

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
)

// A rewind that was interrupted is resumed by doing it again. Everything that
// decides is taken from the target as it was before the first run touched it:
// its control file from the plan in the journal, its set-aside log and
// histories from where they are kept, its list of files with the journal's
// notes laid over it. The source may have gone on; what it has now counts.

// resumed is what a new run takes over from an interrupted one.
type resumed struct {
	control []byte            // the target's control file as it was
	origins []datadir.File    // names that were changed, as they were; sorted
	absent  map[string]bool   // of these: names that stood for nothing
	kept    map[string]string // where files are that were set aside, by name
	hinted  []plan.Action     // of its plan, with blocks that may carry unlogged hints
}

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
			return &PreflightError{Check: CheckUnfinished, Side: Target, Err: err,
				Found: "the interrupted rewind cannot be taken up",
				Next: fmt.Sprintf("if a server ran on it since, this node needs a new base backup; if this is one, the bundle in %s is about its predecessor and %s",
					summary.Dir, dropBundle(summary))}
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

// takeOver reads what the interrupted run wrote down.
func (r *run) takeOver() error {
	text, err := r.journal.Plan()
	if err != nil {
		return err
	}
	var old plan.Plan
	if err := json.Unmarshal(text, &old); err != nil || old.Schema != plan.Schema {
		return &PreflightError{Check: CheckUnfinished, Side: Target, Err: err,
			Found: fmt.Sprintf("the interrupted rewind wrote a plan of form %q", old.Schema), Want: plan.Schema,
			Next: "resume it with the version of forkpoint that began it, or undo it"}
	}
	control := make([]byte, pgcontrol.Size)
	copy(control, old.TargetControl)
	res := &resumed{control: control, absent: map[string]bool{}, kept: map[string]string{}}
	for name, was := range r.journal.Origins() {
		// What it left half-way must not be taken for the target's own.
		if err := r.target.Sweep(name); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		if was.Type == journal.Absent {
			res.absent[name] = true
		}
		res.origins = append(res.origins, r.fileWas(name, was))
	}
	slices.SortFunc(res.origins, func(a, b datadir.File) int { return plan.ComparePaths(a.Path, b.Path) })
	for _, a := range old.Actions {
		if a.Why != nil && a.Why.Hinted > 0 && a.Blocks != nil {
			res.hinted = append(res.hinted, a)
		}
	}
	for name, number := range r.journal.KeptFiles() {
		if at := r.journal.KeptFile(number); exists(at) {
			res.kept[name] = at
		}
	}
	r.resumed = res
	r.result.Resumed = true
	r.changed = true
	return nil
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// nearest is the directory itself, or the one above it that is there.
func nearest(dir string) string {
	for dir != "/" && !exists(dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// fileWas turns a note of the journal into an entry of a listing.
func (r *run) fileWas(name string, was journal.State) datadir.File {
	f := datadir.File{Path: name, Size: was.Size, Mode: was.Mode, ModTime: was.ModTime, Link: was.Link}
	switch was.Type {
	case journal.Directory:
		f.Kind = datadir.Directory
	case journal.Symlink:
		f.Kind = datadir.Symlink
	case journal.Regular:
		if rel, ok := pg.ParseRelPath(name, r.cfg.Target.VersionDir()); ok {
			f.Rel = &rel
		}
	}
	return f
}

// targetControl is the target's control file as the last server left it.
func (r *run) targetControl() ([]byte, *pgcontrol.Control, error) {
	if r.resumed == nil {
		return r.cfg.Target.RawControl()
	}
	c, err := pgcontrol.Decode(r.resumed.control)
	return r.resumed.control, c, err
}

// targetHistory reads a history file of the target, from where it is kept if
// it was set aside.
func (r *run) targetHistory(tli pg.TimelineID) ([]byte, error) {
	if r.resumed != nil {
		if at, kept := r.resumed.kept["pg_wal/"+tli.HistoryName()]; kept {
			return os.ReadFile(at)
		}
	}
	return r.cfg.Target.History(tli)
}

// sourceHistory reads history files of the source.
func (r *run) sourceHistory(ctx context.Context) func(pg.TimelineID) ([]byte, error) {
	return func(tli pg.TimelineID) ([]byte, error) { return r.cfg.Source.History(ctx, tli) }
}

// targetFiles lists the target as it was before a rewind changed it.
func (r *run) targetFiles(ctx context.Context) plan.Files {
	now := r.cfg.Target.Files(ctx)
	if r.resumed == nil {
		return now
	}
	return func(yield func(datadir.File, error) bool) {
		next, stop := iter.Pull2(now)
		defer stop()
		old := r.resumed.origins
		f, err, ok := next()
		for ok || len(old) > 0 {
			if err != nil {
				yield(f, err)
				return
			}
			order := -1 // the note comes first
			switch {
			case len(old) == 0:
				order = 1
			case ok:
				order = plan.ComparePaths(old[0].Path, f.Path)
			}
			if order <= 0 {
				was := old[0]
				old = old[1:]
				if order == 0 {
					f, err, ok = next()
				}
				if !r.resumed.absent[was.Path] && !yield(was, nil) {
					return
				}
				continue
			}
			if !yield(f, nil) {
				return
			}
			f, err, ok = next()
		}
	}
}

// checkSameFork refuses to resume with a source that has another history.
func (r *run) checkSameFork(context.Context) error {
	if r.resumed == nil {
		return nil
	}
	return r.checkLineage()
}
