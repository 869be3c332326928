package target

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Mkdir implements [FS].
func (r *Roots) Mkdir(name string, perm fs.FileMode) error {
	root, rest, err := r.at(name)
	if err != nil {
		return err
	}
	return root.Mkdir(rest, perm)
}

// Symlink implements [FS].
func (r *Roots) Symlink(dest, name string) error {
	root, rest, err := r.at(name)
	if err != nil {
		return err
	}
	return root.Symlink(dest, rest)
}

// Rename implements [FS].
func (r *Roots) Rename(from, to string) error {
	if filepath.Dir(from) != filepath.Dir(to) {
		return fmt.Errorf("rename %s to %s: not in one directory", from, to)
	}
	root, rest, err := r.at(from)
	if err != nil {
		return err
	}
	if root, _, err = r.at(to); err != nil {
		return err
	}
	r.forget(from)
	r.forget(to)
	return root.Rename(rest, filepath.Join(filepath.Dir(rest), filepath.Base(to)))
}

// Remove implements [FS].
func (r *Roots) Remove(name string) error {
	root, rest, err := r.at(name)
	if err != nil {
		return err
	}
	if rest == "." {
		return fmt.Errorf("remove %s: top of a tree", name)
	}
	r.forget(name)
	return root.Remove(rest)
}

// Chmod implements [FS].
func (r *Roots) Chmod(name string, mode fs.FileMode) error {
	root, rest, err := r.notLink(name)
	if err != nil {
		return err
	}
	return root.Chmod(rest, mode)
}

// Chtimes implements [FS]. The time of access stays.
func (r *Roots) Chtimes(name string, mtime time.Time) error {
	root, rest, err := r.notLink(name)
	if err != nil {
		return err
	}
	return root.Chtimes(rest, time.Time{}, mtime)
}

// notLink is at for operations that would follow a link.
func (r *Roots) notLink(name string) (*os.Root, string, error) {
	root, rest, err := r.at(name)
	if err != nil {
		return nil, "", err
	}
	info, err := root.Lstat(rest)
	if err != nil {
		return nil, "", err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, "", fmt.Errorf("%s: %w", name, ErrLinked)
	}
	return root, rest, nil
}
