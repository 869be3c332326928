package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"forkpoint/rewind/target"
)

// Mirror does everything on real files and on a [Disk] alike, so that code
// which also reads the files by other ways can be run, and the power can fail
// at any point: what the disk then holds is put into the place of the real
// files by [Disk.Store]. What is read comes from the real files.
type Mirror struct {
	target.FS
	disk *Disk
}

// NewMirror stands over real files that the disk has loaded, see [Disk.Load].
func NewMirror(real target.FS, disk *Disk) *Mirror { return &Mirror{real, disk} }

// both does an operation that the real files allow on the disk too, which must
// allow it as well.
func both(err error, op string, again func() error) error {
	if err != nil {
		return err
	}
	if err := again(); err != nil {
		return fmt.Errorf("%s: done on files, not on the disk in memory: %w", op, err)
	}
	return nil
}

// Declare implements [target.FS].
func (m *Mirror) Declare(dir string) error {
	return both(m.FS.Declare(dir), "declare "+dir, func() error { return m.disk.Declare(dir) })
}

// OpenFile implements [target.FS].
func (m *Mirror) OpenFile(name string, flag int, perm fs.FileMode) (target.File, error) {
	real, err := m.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	copied, err := m.disk.OpenFile(name, flag, perm)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: done on files, not on the disk in memory: %w", name, err), real.Close())
	}
	return &mirrorFile{real, copied, name}, nil
}

// Mkdir implements [target.FS].
func (m *Mirror) Mkdir(name string, perm fs.FileMode) error {
	return both(m.FS.Mkdir(name, perm), "mkdir "+name, func() error { return m.disk.Mkdir(name, perm) })
}

// Symlink implements [target.FS].
func (m *Mirror) Symlink(dest, name string) error {
	return both(m.FS.Symlink(dest, name), "symlink "+name, func() error { return m.disk.Symlink(dest, name) })
}

// Link implements [target.FS].
func (m *Mirror) Link(name, second string) error {
	return both(m.FS.Link(name, second), "link "+second, func() error { return m.disk.Link(name, second) })
}

// Rename implements [target.FS].
func (m *Mirror) Rename(from, to string) error {
	return both(m.FS.Rename(from, to), "rename "+to, func() error { return m.disk.Rename(from, to) })
}

// Remove implements [target.FS].
func (m *Mirror) Remove(name string) error {
	return both(m.FS.Remove(name), "remove "+name, func() error { return m.disk.Remove(name) })
}

// Chmod implements [target.FS].
func (m *Mirror) Chmod(name string, mode fs.FileMode) error {
	return both(m.FS.Chmod(name, mode), "chmod "+name, func() error { return m.disk.Chmod(name, mode) })
}

// Chtimes implements [target.FS].
func (m *Mirror) Chtimes(name string, mtime time.Time) error {
	return both(m.FS.Chtimes(name, mtime), "chtimes "+name, func() error { return m.disk.Chtimes(name, mtime) })
}

// SyncDir implements [target.FS].
func (m *Mirror) SyncDir(name string) error {
	return both(m.FS.SyncDir(name), "syncdir "+name, func() error { return m.disk.SyncDir(name) })
}

// SyncTree implements [target.FS]: the disk in memory cannot.
func (m *Mirror) SyncTree(name string) error { return m.disk.SyncTree(name) }

type mirrorFile struct {
	target.File
	disk target.File
	name string
}

func (f *mirrorFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if _, again := f.disk.WriteAt(p[:n], off); err == nil {
		err = again
	}
	return n, err
}

func (f *mirrorFile) Truncate(size int64) error {
	return both(f.File.Truncate(size), "truncate "+f.name, func() error { return f.disk.Truncate(size) })
}

func (f *mirrorFile) Sync() error {
	return both(f.File.Sync(), "sync "+f.name, f.disk.Sync)
}

// FailSync is a flush that failed, see [Faulty].
func (f *mirrorFile) FailSync() {
	if d, ok := f.disk.(interface{ FailSync() }); ok {
		d.FailSync()
	}
}

func (f *mirrorFile) Close() error { return errors.Join(f.File.Close(), f.disk.Close()) }
