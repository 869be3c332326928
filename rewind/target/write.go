package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// WriteAt writes into a file that exists, extending it if need be.
func (t *Target) WriteAt(name string, off int64, data []byte) error {
	h, err := t.change(name)
	if err != nil {
		return err
	}
	if _, err = h.file.WriteAt(data, off); err != nil {
		return err
	}
	if h.written += len(data); h.written >= startWriteAt && t.method != SyncNone {
		h.written = 0
		t.start(h.file)
	}
	return nil
}

// startWriteAt is how many bytes are written to a file before the kernel is
// asked to begin writing them to the disk. Left alone it waits until they are
// many, and the flush at the end takes as long as all the rest.
const startWriteAt = 16 << 20

// start has the kernel begin to write a file out, in the background. One file
// at a time: where the disk is slower than the source that is enough, and no
// harm is done where it is not begun at all.
func (t *Target) start(f File) {
	o, is := f.(*os.File)
	if !is || !t.starting.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer t.starting.Store(false)
		startWrite(o)
	}()
}

// Truncate cuts a file or extends it with zeros.
func (t *Target) Truncate(name string, size int64) error {
	h, err := t.change(name)
	if err != nil {
		return err
	}
	if err := h.file.Truncate(size); err != nil {
		return fmt.Errorf("truncate %s: %w", name, err)
	}
	return nil
}

// change opens a file for writing and notes it for Sync, before anything of it
// is changed: what fails half-way has changed something too.
func (t *Target) change(name string) (*handle, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	h, err := t.file(abs, true)
	if err != nil {
		return nil, err
	}
	h.dirty = true
	t.touched.file(abs)
	return h, nil
}

// Create makes an empty file, or empties the one that is there. Mode 0 is
// [Target.FileMode].
func (t *Target) Create(name string, mode fs.FileMode) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	if err := errors.Join(t.files.drop(abs), t.makeRoom()); err != nil {
		return err
	}
	t.touched.parent(abs)
	f, err := t.create(abs, mode)
	if err != nil {
		return err
	}
	t.touched.file(abs)
	t.files.add(&handle{abs: abs, file: f, dirty: true})
	return nil
}

// create opens an empty file of exactly this mode, whatever the umask is.
func (t *Target) create(abs string, mode fs.FileMode) (File, error) {
	if mode == 0 {
		mode = t.fileMode
	}
	f, err := t.fs.OpenFile(abs, os.O_RDWR|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode() != mode {
		err = t.fs.Chmod(abs, mode)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Replace gives a small file new contents, at once and durably: a crash leaves
// the old ones or the new ones.
func (t *Target) Replace(name string, data []byte, mode fs.FileMode) error {
	return t.ReplaceAt(name, data, mode, time.Time{})
}

// ReplaceAt is Replace with the time of the last change that the file gets.
func (t *Target) ReplaceAt(name string, data []byte, mode fs.FileMode, mtime time.Time) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	temp := tempName(abs)
	if err := t.writeTemp(temp, data, mode, mtime); err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	return t.moveTemp(temp, abs)
}

func (t *Target) writeTemp(temp string, data []byte, mode fs.FileMode, mtime time.Time) error {
	f, err := t.create(temp, mode)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil && !mtime.IsZero() {
		err = t.fs.Chtimes(temp, mtime)
	}
	if err == nil && t.method != SyncNone {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// moveTemp renames a flushed temporary file into its place and flushes the directory.
func (t *Target) moveTemp(temp, abs string) error {
	if err := t.files.drop(abs); err != nil {
		return err
	}
	if err := t.fs.Rename(temp, abs); err != nil {
		return err
	}
	delete(t.touched.files, abs)
	if t.method == SyncNone {
		return nil
	}
	if err := t.fs.SyncDir(filepath.Dir(abs)); err != nil {
		t.touched.parent(abs)
		return err
	}
	return nil
}

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
