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
	r.cfg.Undo = r.journal.Header().Undo // whatever this run was told
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
