package segment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"forkpoint/walinspect/pg"
)

// Dir is a folder of segment files: pg_wal, or an archive of whole files,
// plain or compressed one by one.
type Dir struct {
	path string
	size pg.SegmentSize
}

// NewDir makes a source of a folder. Nothing is opened yet.
func NewDir(path string, size pg.SegmentSize) *Dir { return &Dir{path, size} }

func (d *Dir) String() string { return d.path }

// Open looks for the file under its own name, then with the suffixes of
// compressed files, and last as a segment that was put aside incomplete.
func (d *Dir) Open(_ context.Context, name string) (*File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	for _, spelling := range spellings(name) {
		f, err := openFile(filepath.Join(d.path, spelling), limitOf(name, d.size))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	for _, suffix := range foreignSuffixes {
		path := filepath.Join(d.path, name+suffix)
		if _, err := os.Lstat(path); err == nil {
			return nil, foreignError(path)
		}
	}
	return nil, notFound(d, name)
}

// checkName refuses names that lead out of a folder.
func checkName(name string) error {
	if name != filepath.Base(name) || name == "." || name == ".." || name == string(filepath.Separator) {
		return fmt.Errorf("%q is not a file name", name)
	}
	return nil
}

// List yields the segments in the order of their names.
func (d *Dir) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		found, err := listFolder(ctx, d.path, d.size, stem)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for _, info := range found {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// listFolder describes the segment files in a folder. read takes the name of a
// file apart; what it does not know is left out, and so is what went away
// meanwhile. Of several files for one segment the best is kept.
func listFolder(ctx context.Context, folder string, size pg.SegmentSize, read func(string) (stem string, compressed, partial bool)) ([]Info, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var found []Info
	for _, e := range entries {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		i := Info{File: e.Name(), Path: filepath.Join(folder, e.Name())}
		var name string
		name, i.Compressed, i.Partial = read(e.Name())
		if i.Name, err = pg.ParseSegmentName(name, size); err != nil {
			continue
		}
		st, err := os.Stat(i.Path)
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		i.Size, i.ModTime, i.Identity = st.Size(), st.ModTime(), identity(st)
		found = append(found, i)
	}
	slices.SortStableFunc(found, func(a, b Info) int {
		return cmp.Or(compareNames(a.Name, b.Name), compareBool(a.Partial, b.Partial), compareBool(a.Compressed, b.Compressed))
	})
	return slices.CompactFunc(found, func(a, b Info) bool { return a.Name == b.Name }), nil
}

func compareNames(a, b pg.SegmentName) int {
	return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.Number, b.Number))
}

// compareBool sorts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
