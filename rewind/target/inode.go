package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// Remove removes a file, a link or an empty directory. One that is not there
// is no error.
func (t *Target) Remove(name string) error {
	abs, err := t.resolve(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.files.drop(abs); err != nil {
		return err
	}
	t.touched.gone(abs)
	if Mountable(name) {
		// What was removed in the tree must not come back when nothing leads there.
		if err := t.syncDirs(context.Background()); err != nil {
			return err
		}
	}
	t.unmount(name)
	if err := t.fs.Remove(abs); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Mkdir makes a directory; one that is there is no error. Mode 0 is [Target.DirMode].
func (t *Target) Mkdir(name string, mode fs.FileMode) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	if mode == 0 {
		mode = t.dirMode
	}
	mode = mode.Perm()
	t.unmount(name)
	t.touched.parent(abs)
	t.touched.dirs[abs] = struct{}{}
	err = t.fs.Mkdir(abs, mode)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	exists := err != nil
	info, err := t.fs.Lstat(abs)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("make directory %s: %w", name, fs.ErrExist)
	case !exists && info.Mode().Perm() != mode:
		return t.fs.Chmod(abs, mode)
	}
	return nil
}

// Symlink makes a symbolic link; the same one that is there is no error. A link
// at pg_wal or in pg_tblspc makes what it points to a tree of the target: the
// caller vouches for dest. Such a link is durable at once, so that nothing that
// is made in the tree can outlive it.
func (t *Target) Symlink(dest, name string) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	t.unmount(name)
	t.touched.parent(abs)
	err = t.fs.Symlink(dest, abs)
	if errors.Is(err, fs.ErrExist) {
		if there, e := t.fs.Readlink(abs); e == nil && there == dest {
			err = nil
		}
	}
	if err == nil && Mountable(name) && t.method != SyncNone {
		err = t.fs.SyncDir(filepath.Dir(abs))
	}
	return err
}

// Chmod sets the permission bits of a file or directory.
func (t *Target) Chmod(name string, mode fs.FileMode) error {
	return t.changeInode(name, func(abs string) error { return t.fs.Chmod(abs, mode.Perm()) })
}

// Chtimes sets the time of the last change of a file or directory.
func (t *Target) Chtimes(name string, mtime time.Time) error {
	return t.changeInode(name, func(abs string) error { return t.fs.Chtimes(abs, mtime) })
}

func (t *Target) changeInode(name string, change func(abs string) error) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	info, err := t.fs.Lstat(abs)
	if err != nil {
		return err
	}
	if info.IsDir() {
		t.touched.dirs[abs] = struct{}{}
	} else {
		t.touched.file(abs)
	}
	return change(abs)
}
