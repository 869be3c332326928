package rewind

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"forkpoint/rewind/target"
	"forkpoint/walinspect/timeline"
)

// The evidence bundle is the journal's directory: the old bytes and the files
// that were set aside, which undo needs, and beside them what tells a person
// later what happened: both control files, the histories, the report in all
// forms, what the catalog knows. A manifest of SHA-256 sums closes it.

const evidenceDir = "evidence"

// resumedPlanFile is the plan of a run that took up an interrupted one. The
// source may have gone on meanwhile, so it need not be the journal's, from which
// both start.
const resumedPlanFile = "plan-resumed"

// saveEvidence writes what is known into the bundle, before anything changes.
func (r *run) saveEvidence(ctx context.Context) error {
	fsys, dir := r.target.FS(), filepath.Join(r.journal.Dir(), evidenceDir)
	if err := target.MakeDir(fsys, dir); err != nil {
		return err
	}
	files := map[string][]byte{
		"target-pg_control": r.sit.target.raw,
		"source-pg_control": r.sit.source.raw,
	}
	for side, path := range map[string]timeline.Path{"target": r.sit.target.path, "source": r.sit.source.path} {
		read := r.targetHistory
		if side == "source" {
			read = r.sourceHistory(ctx)
		}
		if b, err := read(path.Tip()); err == nil {
			files[side+"-"+path.Tip().HistoryName()] = b
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := target.WriteFile(fsys, filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	if r.cfg.Evidence != nil {
		if err := r.cfg.Evidence(ctx, dir, r.examination(&Examination{Parted: true})); err != nil {
			return err
		}
	}
	return fsys.SyncDir(dir)
}

// removeStage removes the log that was fetched for replay, once nobody needs it
// any more.
func (r *run) removeStage() {
	if err := target.RemoveTree(r.target.FS(), r.stageDir()); err != nil {
		r.note(fmt.Sprintf("WAL that was fetched could not be removed: %v", err))
	}
}

// dropStaged removes what a run fetched that ended before it changed anything.
// A run that was interrupted keeps it.
func (r *run) dropStaged() error {
	if r.changed || r.resumed != nil || r.staged.dir == "" {
		return nil
	}
	if err := target.RemoveTree(r.target.FS(), r.staged.dir); err != nil {
		return fmt.Errorf("state directory: remove WAL that was fetched: %w", err)
	}
	return nil
}

// replaceFile gives a file of a bundle new contents, at once and durably.
func replaceFile(fsys target.FS, bundle, name string, data []byte) error {
	path := filepath.Join(bundle, name)
	if err := target.WriteFile(fsys, path+".new", data); err != nil {
		return err
	}
	if err := fsys.Rename(path+".new", path); err != nil {
		return err
	}
	return fsys.SyncDir(bundle)
}
