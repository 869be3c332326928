package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/source"
)

// apply carries the plan out. What an action overwrites or removes is in the
// journal, on disk, before it is touched; every action may be repeated.
func (r *run) apply(ctx context.Context) error {
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

// copyAll fetches all that comes from the source in one stream and writes what
// differs.
func (r *run) copyAll(ctx context.Context, copies []plan.Action) error {
	byPath := make(map[string]*plan.Action, len(copies))
	var total int64
	for i := range copies {
		a := &copies[i]
		byPath[a.Path] = a
		for rg := range r.ranges(a) {
			total += rg.Length
		}
	}
	c := copying{
		run: r, actions: byPath, total: total,
		made: map[string]bool{}, ends: map[string]int64{}, missing: map[string]bool{},
	}
	all := func(yield func(source.Range) bool) {
		for i := range copies {
			for rg := range r.ranges(&copies[i]) {
				if !yield(rg) {
					return
				}
			}
		}
	}
	if err := r.cfg.Source.Fetch(ctx, all, c.deliver); err != nil {
		return err
	}
	if err := r.edit.Flush(); err != nil {
		return err
	}
	return c.finishLengths(copies)
}

// ranges lists what an action fetches: chosen blocks and the tail of a relation
// file, or the whole of any other, however long it has become.
func (r *run) ranges(a *plan.Action) iter.Seq[source.Range] {
	return func(yield func(source.Range) bool) {
		if a.Kind != plan.Blocks {
			yield(source.Range{Path: a.Path, Length: a.Size, ToEnd: true})
			return
		}
		block := int64(r.sit.target.control.BlockSize)
		for from, to := range a.Blocks.Ranges() {
			if !yield(source.Range{Path: a.Path, Offset: int64(from) * block, Length: int64(to-from) * block}) {
				return
			}
		}
		if tail := a.Size - a.TargetSize; tail > 0 {
			yield(source.Range{Path: a.Path, Offset: a.TargetSize, Length: tail})
		}
	}
}
