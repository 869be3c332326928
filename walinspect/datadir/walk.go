package datadir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
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
	for name := range names.all() {
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

// nameList is the names in a directory. There can be a million, so they lie in
// one piece of memory and are not values of their own.
type nameList struct {
	text   []byte // each name ends with a zero
	starts []int
}

// readNames lists a directory in the order of the names' bytes.
func readNames(path string) (l nameList, err error) {
	d, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer d.Close() // read only
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			l.starts = append(l.starts, len(l.text))
			l.text = append(append(l.text, name...), 0)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return l, err
		}
	}
	slices.SortFunc(l.starts, func(a, b int) int { return bytes.Compare(l.at(a), l.at(b)) })
	return l, nil
}

func (l nameList) at(start int) []byte {
	return l.text[start : start+bytes.IndexByte(l.text[start:], 0)]
}

// all yields the names, in order.
func (l nameList) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, start := range l.starts {
			if !yield(string(l.at(start))) {
				return
			}
		}
	}
}
