package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"forkpoint/walinspect/codec"
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
// compressed files, and last as a segment that was put aside incomplete: the
// server never reads those, but what they hold is valid log.
func (d *Dir) Open(_ context.Context, name string) (*File, error) {
	if name != filepath.Base(name) {
		return nil, fmt.Errorf("%q is not a file name", name)
	}
	for _, stem := range []string{name, name + ".partial"} {
		for _, suffix := range append([]string{""}, codec.Suffixes()...) {
			f, err := openFile(filepath.Join(d.path, stem+suffix), int64(d.size))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return f, err
		}
	}
	return nil, notFound(d, name)
}

// openFile opens one file, decompressed into memory where it is compressed. No
// more than limit bytes are decompressed, so that a bomb does no harm.
func openFile(path string, limit int64) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close() // read only: nothing is lost if it fails
		return nil, err
	}
	file := &File{ReaderAt: f, Closer: f, Path: path, Size: info.Size(), Identity: identity(info)}
	var head [8]byte
	n, _ := f.ReadAt(head[:], 0)
	if codec.Detect(head[:n]) == codec.Plain {
		return file, nil
	}
	defer f.Close() // read only
	r, err := codec.Open(filepath.Base(path), f)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	defer r.Close() // read only
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	file.ReaderAt, file.Closer, file.Size = bytes.NewReader(b), io.NopCloser(nil), int64(len(b))
	return file, nil
}

// identity is made of all that the file system changes when a file changes.
func identity(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d:%d.%d:%d.%d", st.Dev, st.Ino, st.Size,
		st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
}

// List yields the segments in the order of their file names.
func (d *Dir) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		entries, err := os.ReadDir(d.path)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for _, e := range entries {
			if err := context.Cause(ctx); err != nil {
				yield(Info{}, err)
				return
			}
			info, ok := d.info(e)
			if ok && !yield(info, nil) {
				return
			}
		}
	}
}

// info describes a directory entry; false for what is not a segment, or went
// away meanwhile.
func (d *Dir) info(e fs.DirEntry) (Info, bool) {
	stem := e.Name()
	i := Info{File: stem, Path: filepath.Join(d.path, stem)}
	for _, suffix := range codec.Suffixes() {
		if cut, found := strings.CutSuffix(stem, suffix); found {
			stem, i.Compressed = cut, true
			break
		}
	}
	stem, i.Partial = pg.TrimPartial(stem)
	name, err := pg.ParseSegmentName(stem, d.size)
	if err != nil {
		return Info{}, false
	}
	st, err := os.Stat(i.Path)
	if err != nil || !st.Mode().IsRegular() {
		return Info{}, false
	}
	i.Name, i.Size, i.ModTime, i.Identity = name, st.Size(), st.ModTime(), identity(st)
	return i, true
}
