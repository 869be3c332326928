package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// touched is what changed since the last Sync, by absolute path.
type touched struct {
	files map[string]struct{} // changed, and not flushed by a handle that was closed
	dirs  map[string]struct{}
}

func newTouched() touched {
	return touched{files: make(map[string]struct{}), dirs: make(map[string]struct{})}
}

func (s *touched) file(abs string) { s.files[abs] = struct{}{} }

func (s *touched) parent(abs string) { s.dirs[filepath.Dir(abs)] = struct{}{} }

// gone drops a name that no longer exists.
func (s *touched) gone(abs string) {
	delete(s.files, abs)
	delete(s.dirs, abs)
	s.parent(abs)
}

// Touch makes the next Sync cover a name, whether it exists or not, though
// this process did not change it: an earlier one did that died before its Sync.
func (t *Target) Touch(name string) error {
	abs, err := t.resolve(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not even the tree is there
	}
	if err != nil {
		return err
	}
	info, err := t.fs.Lstat(abs)
	if errors.Is(err, ErrLinked) {
		return nil // a link took the place of a directory on the way
	}
	t.touched.parent(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular():
		t.touched.file(abs)
	case info.IsDir():
		t.touched.dirs[abs] = struct{}{}
	}
	return nil
}

// Sync makes every change so far durable: the touched files, several at a
// time, then the directories, innermost first. With [SyncTrees] the file
// systems are flushed as a whole instead, where the platform can.
func (t *Target) Sync(ctx context.Context) error {
	if t.method == SyncNone {
		t.touched = newTouched()
		return nil
	}
	if t.method == SyncTrees {
		err := t.syncTrees()
		if err == nil {
			t.clean()
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := t.syncFiles(ctx); err != nil {
		return err
	}
	if err := t.syncDirs(ctx); err != nil {
		return err
	}
	t.clean()
	return nil
}

func (t *Target) clean() {
	t.touched = newTouched()
	for e := t.files.order.Front(); e != nil; e = e.Next() {
		e.Value.(*handle).dirty = false
	}
}

func (t *Target) syncTrees() error {
	dirs := []string{t.dir}
	for mount, dir := range t.links {
		if dir != t.dir+"/"+mount {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	for _, d := range dirs {
		if err := t.fs.SyncTree(d); err != nil {
			return err
		}
	}
	return nil
}

// syncFiles flushes open files through the handles that wrote them and opens
// the others, in order of their names.
func (t *Target) syncFiles(ctx context.Context) error {
	names := make([]string, 0, len(t.touched.files))
	for abs := range t.touched.files {
		names = append(names, abs)
	}
	slices.Sort(names)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.workers)
	for _, abs := range names {
		var open File
		if e, is := t.files.byAbs[abs]; is && !e.Value.(*handle).readOnly {
			open = e.Value.(*handle).file
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if open != nil {
				return wrapSync(abs, open.Sync())
			}
			return wrapSync(abs, t.syncClosed(abs))
		})
	}
	return g.Wait()
}

// syncClosed flushes a file through a new descriptor, for reading if the owner
// may not write it.
func (t *Target) syncClosed(abs string) (err error) {
	f, err := t.fs.OpenFile(abs, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = t.fs.OpenFile(abs, os.O_RDONLY, 0)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

func wrapSync(abs string, err error) error {
	if err != nil {
		return fmt.Errorf("sync %s: %w", abs, err)
	}
	return nil
}

func (t *Target) syncDirs(ctx context.Context) error {
	if t.method == SyncNone {
		return nil
	}
	dirs := make([]string, 0, len(t.touched.dirs))
	for abs := range t.touched.dirs {
		dirs = append(dirs, abs)
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Compare(b, a) })
	for _, abs := range dirs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// One that was removed since needs no flush of its own.
		if err := t.fs.SyncDir(abs); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrapSync(abs, err)
		}
	}
	return nil
}

// flush syncs handles that were written, several at a time.
func (t *Target) flush(list []*handle) error {
	if t.method != SyncFiles {
		return nil
	}
	list = slices.DeleteFunc(slices.Clone(list), func(n *handle) bool { return !n.dirty })
	var g errgroup.Group
	g.SetLimit(t.workers)
	for _, n := range list {
		g.Go(func() error { return wrapSync(n.abs, n.file.Sync()) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, n := range list {
		n.dirty = false
		delete(t.touched.files, n.abs)
	}
	return nil
}
