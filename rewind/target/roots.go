package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Roots is the real [FS]: one [os.Root] per declared tree.
type Roots struct {
	mu    sync.Mutex
	trees []tree              // longest directory first, so that the innermost is found
	dirs  map[string]struct{} // directories known to be reached without a link
	locks []io.Closer
}

type tree struct {
	dir  string
	root *os.Root
}

var _ FS = (*Roots)(nil)

// NewRoots has no trees yet.
func NewRoots() *Roots { return &Roots{dirs: make(map[string]struct{})} }

// Close gives up all trees and locks. Open files stay usable.
func (r *Roots) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, l := range r.locks {
		errs = append(errs, l.Close())
	}
	for _, t := range r.trees {
		errs = append(errs, t.root.Close())
	}
	r.trees, r.locks, r.dirs = nil, nil, make(map[string]struct{})
	return errors.Join(errs...)
}

// Declare implements [FS].
func (r *Roots) Declare(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
		return fmt.Errorf("declare %s: not a clean absolute path", dir)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.trees, func(t tree) bool { return t.dir == dir }) {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	r.trees = append(r.trees, tree{dir, root})
	slices.SortStableFunc(r.trees, func(a, b tree) int { return len(b.dir) - len(a.dir) })
	return nil
}

// at finds the tree of a name and the rest of the name within it. Every
// directory on the way is a real one when it returns without error.
func (r *Roots) at(name string) (*os.Root, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.trees {
		if name == t.dir {
			return t.root, ".", nil
		}
		rest, below := strings.CutPrefix(name, t.dir+"/")
		if !below {
			continue
		}
		if !filepath.IsLocal(rest) || filepath.Clean(rest) != rest {
			break
		}
		return t.root, rest, r.walk(t, rest)
	}
	return nil, "", fmt.Errorf("%s: %w", name, ErrOutside)
}

// walk refuses symbolic links among the parents of rest. A directory is asked
// once: nobody else changes the tree while it is locked, and our own changes
// forget what they touch.
func (r *Roots) walk(t tree, rest string) error {
	for i, c := range rest {
		if c != '/' {
			continue
		}
		dir := t.dir + "/" + rest[:i]
		if _, known := r.dirs[dir]; known {
			continue
		}
		info, err := t.root.Lstat(rest[:i])
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s: %w: %s", t.dir+"/"+rest, ErrLinked, dir)
		}
		if !info.IsDir() {
			return &fs.PathError{Op: "find", Path: t.dir + "/" + rest, Err: fs.ErrNotExist}
		}
		r.dirs[dir] = struct{}{}
	}
	return nil
}

// forget drops what is known of a name that changes.
func (r *Roots) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.dirs, name)
}

// OpenFile implements [FS]. What is not a regular file is not opened: a link
// would be followed, and a named pipe would wait for a reader.
func (r *Roots) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	root, rest, err := r.at(name)
	if err != nil {
		return nil, err
	}
	info, err := root.Lstat(rest)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s: %w", name, ErrLinked)
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", name, ErrKind)
	case err != nil && !(errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0):
		return nil, err
	}
	f, err := root.OpenFile(rest, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File in a File would not be nil
	}
	return f, nil
}

// Lstat implements [FS].
func (r *Roots) Lstat(name string) (fs.FileInfo, error) {
	root, rest, err := r.at(name)
	if err != nil {
		return nil, err
	}
	return root.Lstat(rest)
}

// Same implements [FS].
func (r *Roots) Same(a, b string) (bool, error) {
	ia, err := r.Lstat(a)
	if err != nil {
		return false, err
	}
	ib, err := r.Lstat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(ia, ib), nil
}

// Readlink implements [FS].
func (r *Roots) Readlink(name string) (string, error) {
	root, rest, err := r.at(name)
	if err != nil {
		return "", err
	}
	return root.Readlink(rest)
}

// ReadDir implements [FS].
func (r *Roots) ReadDir(name string) ([]string, error) {
	d, err := r.openDir(name)
	if err != nil {
		return nil, err
	}
	defer d.Close() // read only
	names, err := d.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// openDir opens a directory, which no link leads to but at the top of a tree.
// Where something else has the name, the directory does not exist.
func (r *Roots) openDir(name string) (*os.File, error) {
	root, rest, err := r.at(name)
	if err != nil {
		return nil, err
	}
	if info, err := root.Lstat(rest); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory: %w", name, fs.ErrNotExist)
	}
	return root.Open(rest)
}
