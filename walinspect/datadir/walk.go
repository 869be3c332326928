package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"

	"forkpoint/walinspect/pg"
)

// Files lists what is in the data directory, each directory before its
// content and in the order of names within it. The data directory itself is
// not listed.
//
// Symbolic links are followed where the server relies on them: pg_wal, which
// is listed as the directory that it stands for, with Link set, and the
// children of pg_tblspc, which are listed as links and then entered. Others are
// listed and not entered (recurse_dir in src/bin/pg_rewind/file_ops.c).
//
// What vanishes between being named and being looked at is left out, as on a
// running server files do. Anything else that cannot be read ends the list
// with an error that names it.
func (d *Dir) Files(ctx context.Context) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		w := walker{ctx, d, d.VersionDir(), yield}
		w.walk("")
	}
}

type walker struct {
	ctx        context.Context
	dir        *Dir
	versionDir string
	yield      func(File, error) bool
}

// walk lists a directory; false ends the whole list.
func (w *walker) walk(parent string) bool {
	names, err := readNames(w.dir.join(parent))
	if errors.Is(err, fs.ErrNotExist) && parent != "" && !w.dangling(parent) {
		return true
	}
	if err != nil {
		return w.fail(fmt.Errorf("list data directory: %w", err))
	}
	for _, name := range names {
		if err := context.Cause(w.ctx); err != nil {
			return w.fail(err)
		}
		if parent != "" {
			name = parent + "/" + name
		}
		f, err := w.look(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return w.fail(fmt.Errorf("list data directory: %w", err))
		}
		if !w.yield(f, nil) || f.enters() && !w.walk(name) {
			return false
		}
	}
	return true
}

func (w *walker) fail(err error) bool {
	w.yield(File{}, err)
	return false
}

// dangling tells whether name is a link to something that is not there: then
// its content did not vanish, it is missing.
func (w *walker) dangling(name string) bool {
	info, err := os.Lstat(w.dir.join(name))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// look describes one entry.
func (w *walker) look(name string) (File, error) {
	path := w.dir.join(name)
	info, err := os.Lstat(path)
	if err != nil {
		return File{}, err
	}
	f := File{Path: name, Kind: kindOf(info.Mode()), Mode: info.Mode(), ModTime: info.ModTime()}
	switch f.Kind {
	case Regular:
		f.Size = info.Size()
		if rel, is := pg.ParseRelPath(name, w.versionDir); is {
			f.Rel = &rel
		}
	case Symlink:
		if f.Link, err = os.Readlink(path); err != nil {
			return File{}, err
		}
		if name == "pg_wal" {
			f.Kind = Directory
		}
	}
	return f, nil
}

// enters tells whether the content of f belongs to the data directory.
func (f File) enters() bool {
	tablespace, under := strings.CutPrefix(f.Path, "pg_tblspc/")
	return f.Kind == Directory || f.Kind == Symlink && under && !strings.Contains(tablespace, "/")
}

// readNames lists a directory in order.
func readNames(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}
