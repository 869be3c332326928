package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"forkpoint/rewind/plan"
)

// apply carries the plan out. What an action overwrites or removes is in the
// journal, on disk, before it is touched; every action may be repeated.
func (r *run) apply(ctx context.Context) error {
	if r.cfg.Undo {
		r.startSums(ctx)
	}
	var copies []plan.Action
	for _, a := range r.plan.Actions {
		switch a.Kind {
		case plan.MakeLink, plan.MakeDir:
			if err := r.makeDir(a); err != nil {
				return err
			}
		case plan.CopyFile, plan.CopyForks, plan.Blocks:
			copies = append(copies, a)
		}
	}
	if err := r.edit.Flush(); err != nil {
		return err
	}
	if err := r.copyAll(ctx, copies); err != nil {
		return err
	}
	for _, a := range r.plan.Actions {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var err error
		switch a.Kind {
		case plan.SetAside, plan.RemoveDir:
			err = r.edit.Remove(a.Path)
		}
		if err != nil {
			return err
		}
	}
	return r.edit.Flush()
}

func (r *run) makeDir(a plan.Action) error {
	if a.Kind == plan.MakeDir {
		return r.edit.Mkdir(a.Path, r.target.DirMode())
	}
	// Where a new tablespace goes is outside of the data directory and was
	// checked to be empty or missing.
	if err := r.makeLocation(a.Link); err != nil {
		return fmt.Errorf("target: directory of new tablespace: %w", err)
	}
	return r.edit.Symlink(a.Link, a.Path)
}

func (r *run) makeLocation(dir string) error {
	fsys, parent := r.target.FS(), filepath.Dir(dir)
	if err := fsys.Declare(parent); err != nil {
		return err
	}
	if err := fsys.Mkdir(dir, r.target.DirMode()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}
