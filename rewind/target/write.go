package target

import (
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
