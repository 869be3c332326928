package rewind

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"forkpoint/blockmap"
	"forkpoint/rewind/journal"
	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
	"forkpoint/walinspect/datadir"
)

// The source of a resumed run may not be what it was when the run began: it has
// gone on, or another one has taken its place. What the first run did by its
// plan and the new plan does not do again, is put right here, so that the
// target depends on the last plan alone.

// sweep adds to the plan what makes up for the interrupted run.
func (r *run) sweep() error {
	if r.resumed == nil {
		return nil
	}
	planned := map[string]*plan.Action{}
	for i := range r.plan.Actions {
		a := &r.plan.Actions[i]
		planned[a.Path] = a
	}
	var more []plan.Action
	for _, f := range slices.Backward(r.resumed.origins) {
		if f.Path == target.LabelFile || f.Path == datadir.ControlFile || f.Path == "standby.signal" {
			continue
		}
		a, err := r.stray(f, planned[f.Path])
		if err != nil {
			return err
		}
		if a != nil {
			more = append(more, *a)
		}
	}
	r.plan.Actions = append(r.plan.Actions, more...)
	slices.SortStableFunc(r.plan.Actions, func(a, b plan.Action) int {
		if a.Kind == plan.MakeDir && b.Kind == plan.MakeDir {
			return plan.ComparePaths(a.Path, b.Path) // a directory before those in it
		}
		return cmp.Compare(a.Kind, b.Kind)
	})
	return nil
}

// stray judges a name that the interrupted run changed: f is what it stood for
// before, a what the new plan does to it, nil for nothing.
func (r *run) stray(f datadir.File, a *plan.Action) (*plan.Action, error) {
	if r.resumed.absent[f.Path] {
		if a != nil {
			return nil, nil
		}
		return &plan.Action{Kind: plan.SetAside, Path: f.Path, Reason: plan.ReasonTargetOnly}, nil
	}
	if slices.Contains(r.plan.Kept, f.Path) && f.Path != "postgresql.auto.conf" {
		return nil, &PreflightError{Check: CheckUnfinished, Side: Target, Path: f.Path,
			Found: fmt.Sprintf("the interrupted rewind has overwritten %s, which now is to stay as it was", f.Path),
			Want:  "the same --keep and --overwrite-config as before",
			Next:  "give the flags that the rewind was begun with, or take it back with " + r.undoCommand()}
	}
	info, err := r.target.Stat(f.Path)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !gone:
		return nil, fmt.Errorf("target: %w", err)
	case f.Kind == datadir.Directory && gone && a == nil:
		return &plan.Action{Kind: plan.MakeDir, Path: f.Path, Reason: plan.ReasonSourceOnly}, nil
	case f.Kind != datadir.Regular || strings.HasPrefix(f.Path, "pg_wal/"):
		return nil, nil
	case gone && a == nil:
		// Both sides have it and nothing of it changed, but it was set aside.
		return &plan.Action{Kind: plan.CopyFile, Path: f.Path, Size: f.Size, Reason: plan.ReasonSourceOnly}, nil
	case gone && a.Kind == plan.Blocks:
		*a = plan.Action{Kind: plan.CopyFile, Path: f.Path, Size: a.Size, Reason: plan.ReasonSourceOnly}
	case !gone && a == nil && info.Size() != f.Size:
		// It grew as far as it did at the source, which has cut it since.
		return &plan.Action{Kind: plan.Blocks, Path: f.Path, Size: f.Size, TargetSize: f.Size,
			Reason: plan.ReasonChanged, Blocks: blockmap.NewSet()}, nil
	}
	return nil, nil
}

// checkLineage refuses to resume onto a source that parted elsewhere, or that
// does not have the log that the first source had: what was copied from that
// one may belong to a history that this one never had.
func (r *run) checkLineage() error {
	h := r.journal.Header()
	s := &r.sit
	if h.Fork != s.fork.LSN || h.ForkTimeline != s.fork.Timeline {
		return &PreflightError{Check: CheckUnfinished, Side: Source, LSN: s.fork.LSN,
			Found: fmt.Sprintf("it parted from the target at %s on timeline %d; the interrupted rewind was for a source that did at %s on timeline %d", s.fork.LSN, s.fork.Timeline, h.Fork, h.ForkTimeline),
			Want:  "a source of the same history", Next: r.otherSource(h)}
	}
	if h.SourceTimeline == 0 {
		return nil // begun by a version that did not note it
	}
	if step, known := s.source.path.Step(h.SourceTimeline); !known || step.End < h.SourceEnd {
		return &PreflightError{Check: CheckUnfinished, Side: Source, LSN: h.SourceEnd,
			Found: fmt.Sprintf("its history does not go through %s on timeline %d, where the source of the interrupted rewind was", h.SourceEnd, h.SourceTimeline),
			Want:  "the same source, or one that was promoted from it later", Next: r.otherSource(h)}
	}
	return nil
}

func (r *run) otherSource(h journal.Header) string {
	return "name " + h.Source + " or a source that descends from it, or take the interrupted rewind back with " + r.undoCommand() + " and run anew"
}
