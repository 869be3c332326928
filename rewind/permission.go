package rewind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"forkpoint/rewind/plan"
)

// checkWritable asks for every file that the plan changes whether it can be
// changed, and for every directory whether names in it can. One file that
// cannot be written, met half-way, costs the whole target.
func (r *run) checkWritable(context.Context) error {
	asked := map[string]bool{}
	ask := func(name string, mode uint32, what string) error {
		at := filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(name))
		if key := fmt.Sprint(mode, at); asked[key] {
			return nil
		} else if mode&unix.X_OK != 0 {
			asked[key] = true // directories only: files are met once
		}
		err := unix.Access(at, mode)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return &PreflightError{Check: CheckPermission, Side: Target, Path: at,
			Found: fmt.Sprintf("%s cannot be %s: %v", at, what, err),
			Want:  "permission to change every file of the plan", Next: "give the owner of the data directory write permission on it, with chmod u+w"}
	}
	const (
		changeNames = unix.W_OK | unix.X_OK
		changeBytes = unix.R_OK | unix.W_OK
	)
	for _, dir := range []string{".", "global", "pg_wal"} {
		if err := ask(dir, changeNames, "written to"); err != nil {
			return err
		}
	}
	for _, a := range r.plan.Actions {
		if err := ask(path.Dir(a.Path), changeNames, "written to"); err != nil {
			return err
		}
		if a.Kind == plan.CopyFile || a.Kind == plan.CopyForks || a.Kind == plan.Blocks {
			if err := ask(a.Path, changeBytes, "written"); err != nil {
				return err
			}
			if err := r.checkRegular(a.Path); err != nil {
				return err
			}
		}
	}
	return r.checkStateDir()
}

// checkRegular refuses a name that is a plain file at the source, as far as a
// server tells, and something else here.
func (r *run) checkRegular(name string) error {
	at := filepath.Join(r.cfg.Target.Path(), filepath.FromSlash(name))
	info, err := os.Lstat(at)
	if err != nil || info.Mode().IsRegular() {
		return nil // what is not there is made
	}
	return &PreflightError{Check: CheckFileType, Side: Target, Path: name,
		Found: fmt.Sprintf("%s is not a regular file (%s), but is one at the source", at, info.Mode().Type()),
		Want:  "the same kind of file on both sides", Next: "put a plain file in its place, or leave it as it is with --keep"}
}

// checkStateDir asks whether the journal can be written.
func (r *run) checkStateDir() error {
	there := nearest(r.cfg.StateDir)
	if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
		return &PreflightError{Check: CheckPermission, Side: Target, Path: there, Err: err,
			Found: fmt.Sprintf("the state directory %s cannot be written to", r.cfg.StateDir),
			Want:  "a place for the journal", Next: "name one with --state-dir"}
	}
	return nil
}

// ownerOf is the user id that a file belongs to, where the system has such.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(sys.Uid), true
}
