package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Keep gives a file of the target a second place, dest, before it is removed:
// a second name where both are on one file system, else a copy. It is there in
// whole or not at all; where dest exists already nothing is done. The
// directory of dest is still to be flushed, by the caller, before the file goes.
func (t *Target) Keep(name, dest string) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	if err := t.linkOrCopy(abs, dest, 0o600); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// Restore is the way back from Keep. Whatever is at name goes first.
func (t *Target) Restore(src, name string, mode fs.FileMode) error {
	abs, err := t.resolve(name)
	if err != nil {
		return err
	}
	if same, err := t.fs.Same(src, abs); err == nil && same {
		return t.Touch(name)
	}
	if err := t.RemoveAll(name); err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	t.touched.parent(abs)
	t.touched.file(abs)
	if err := t.linkOrCopy(src, abs, mode); err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	return nil
}

// Kept tells whether a kept file is the file at name under a second name.
func (t *Target) Kept(src, name string) (bool, error) {
	abs, err := t.resolve(name)
	if err != nil {
		return false, err
	}
	return t.fs.Same(src, abs)
}

func (t *Target) linkOrCopy(from, to string, mode fs.FileMode) error {
	err := t.fs.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if !cannotLink(err) {
		return err
	}
	return t.copy(from, to, mode)
}

// cannotLink tells the errors that say "not here" from those that say "not now".
func cannotLink(err error) bool {
	for _, e := range []error{syscall.EXDEV, syscall.EPERM, syscall.EMLINK, errors.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// copy copies by way of a temporary file, so that to is complete when it appears.
func (t *Target) copy(from, to string, mode fs.FileMode) error {
	if _, err := t.fs.Lstat(to); err == nil {
		return nil
	}
	src, err := t.fs.OpenFile(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close() // read only
	temp := tempName(to)
	dst, err := t.create(temp, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(dst, 0), io.NewSectionReader(src, 0, 1<<62))
	if err == nil {
		err = dst.Sync()
	}
	if err := errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return t.fs.Rename(temp, to)
}

// Sweep removes the temporary file that a crash may have left beside name.
func (t *Target) Sweep(name string) error {
	abs, err := t.resolve(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	temp := tempName(abs)
	if _, err := t.fs.Lstat(temp); errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrLinked) {
		return nil
	} else if err != nil {
		return err
	}
	t.touched.parent(temp)
	if err := t.fs.Remove(temp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
