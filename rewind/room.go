package rewind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"forkpoint/rewind/plan"
	"forkpoint/rewind/target"
)

// checkRoom compares what the plan adds with the room there is: in the data
// directory, and for pre-images and evidence in the state directory.
func (r *run) checkRoom(context.Context) error {
	at := r.cfg.StateDir
	for at != filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	data, err := target.SpaceOf(r.cfg.Target.Path())
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	state, err := target.SpaceOf(at)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	t := r.plan.Totals
	kept := t.WAL
	if r.cfg.Undo {
		kept += t.PreImages
	}
	if data.Device == state.Device {
		data.Free -= kept
	} else if state.Free < kept {
		return &PreflightError{Check: CheckSpace, Side: Target, Path: at,
			Found: fmt.Sprintf("the state directory's file system has %d bytes free", state.Free),
			Want:  fmt.Sprintf("%d bytes for what is overwritten and for the WAL that replay needs", kept),
			Next:  "make room, or name another place with --state-dir, or give up --undo with --no-undo"}
	}
	if data.Free < t.Growth {
		return &PreflightError{Check: CheckSpace, Side: Target, Path: r.cfg.Target.Path(),
			Found: fmt.Sprintf("its file system has %d bytes free besides what the state directory will take", max(data.Free, 0)),
			Want:  fmt.Sprintf("%d bytes: so much longer do its files become", t.Growth),
			Next:  "make room, or put the state directory on another file system with --state-dir"}
	}
	return nil
}

// checkWritable looks for files and directories of the plan that this user may
// not change, before a rewind meets them half-way. For root it means nothing:
// everything is open to it, and it is refused anyway.
func (r *run) checkWritable(context.Context) error {
	root := r.cfg.Target.Path()
	var first string
	closed := 0
	note := func(path string) {
		if closed++; first == "" {
			first = path
		}
	}
	folders := map[string]bool{}
	for _, a := range r.plan.Actions {
		path := filepath.Join(root, filepath.FromSlash(a.Path))
		folders[filepath.Dir(path)] = true
		if a.Kind == plan.MakeDir || a.Kind == plan.MakeLink || a.Kind == plan.SetAside || a.Kind == plan.RemoveDir {
			continue
		}
		info, err := os.Lstat(path)
		switch {
		case err != nil:
		case !info.Mode().IsRegular():
			return &PreflightError{Check: CheckPermission, Side: Target, Path: path,
				Found: fmt.Sprintf("%s is not a regular file (%s), but is one at the source", path, info.Mode().Type()),
				Want:  "the same kind of file on both sides", Next: "put a plain file in its place, or leave it as it is with --keep"}
		case unix.Access(path, unix.W_OK) != nil:
			note(path)
		}
	}
	for folder := range folders {
		if _, err := os.Stat(folder); err == nil && unix.Access(folder, unix.W_OK|unix.X_OK) != nil {
			note(folder)
		}
	}
	if closed == 0 {
		return nil
	}
	return &PreflightError{Check: CheckPermission, Side: Target, Path: first,
		Found: fmt.Sprintf("%d files or directories of the plan cannot be written, such as %s", closed, first),
		Want:  "a data directory that belongs to this user, with files that can be written",
		Next:  "run as the owner of the data directory, and chmod u+w what is read-only"}
}
