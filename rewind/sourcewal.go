package rewind

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"forkpoint/rewind/source"
	"forkpoint/walinspect/lineage"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// SourceWAL is all that a source has in its pg_wal, also past a fork. A
// running server hashes its segments itself, so that comparing them moves no
// more than those that differ.
type SourceWAL struct {
	source source.Source
	size   pg.SegmentSize
}

var (
	_ segment.Source = (*SourceWAL)(nil)
	_ lineage.Summer = (*SourceWAL)(nil)
)

// NewSourceWAL makes a WAL source of a rewind source.
func NewSourceWAL(s source.Source, size pg.SegmentSize) *SourceWAL { return &SourceWAL{s, size} }

func (w *SourceWAL) String() string { return w.source.String() + ": pg_wal" }

// Open opens a segment, of which no more is fetched than is read, or reads a
// history file.
func (w *SourceWAL) Open(ctx context.Context, name string) (*segment.File, error) {
	if name != path.Base(name) {
		return nil, fmt.Errorf("%q is not a file name", name)
	}
	f := &segment.File{Closer: io.NopCloser(nil), Path: w.source.String() + ": pg_wal/" + name}
	if pg.IsSegmentName(name) {
		part := &sourceFile{ctx: ctx, source: w.source, path: "pg_wal/" + name}
		f.ReaderAt, f.Size = part, int64(w.size)
		return f, part.fetch(0)
	}
	b, err := w.source.ReadFile(ctx, "pg_wal/"+name)
	f.ReaderAt, f.Size = bytes.NewReader(b), int64(len(b))
	return f, err
}

// sourceFile reads a file of a source part by part, as a reader of WAL comes to
// them.
type sourceFile struct {
	ctx    context.Context // of whoever opened it
	source source.Source
	path   string

	mu   sync.Mutex
	from int64 // where part begins
	part []byte
	last bool // nothing follows part
}

// ReadAt is io.ReaderAt.
func (f *sourceFile) ReadAt(p []byte, at int64) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n < len(p) {
		from := (at + int64(n)) / source.PartSize * source.PartSize
		if f.from != from {
			if err := f.fetch(from); err != nil {
				return n, err
			}
		}
		skip := min(int(at+int64(n)-from), len(f.part))
		got := copy(p[n:], f.part[skip:])
		if n += got; n < len(p) && (f.last || got == 0) {
			return n, io.EOF
		}
	}
	return n, nil
}

func (f *sourceFile) fetch(from int64) error {
	f.from, f.part, f.last = -1, f.part[:0], false
	missing := false
	err := f.source.Fetch(f.ctx, func(yield func(source.Range) bool) {
		yield(source.Range{Path: f.path, Offset: from, Length: source.PartSize})
	}, func(c source.Chunk) error {
		f.part = append(f.part, c.Data...)
		missing, f.last = missing || c.Missing, f.last || c.Short
		return nil
	})
	switch {
	case err != nil:
		return err
	case missing:
		return fmt.Errorf("%s: %s: %w", f.source, f.path, fs.ErrNotExist)
	}
	f.from = from
	return nil
}

// List yields the segments, in the order of their names.
func (w *SourceWAL) List(ctx context.Context) iter.Seq2[segment.Info, error] {
	if local, is := w.source.(*source.Local); is { // its whole tree need not be walked
		return segment.NewDir(filepath.Join(local.Dir().Path(), "pg_wal"), w.size).List(ctx)
	}
	return func(yield func(segment.Info, error) bool) {
		for f, err := range source.ListWAL(ctx, w.source) {
			if err != nil {
				yield(segment.Info{}, err)
				return
			}
			base := path.Base(f.Path)
			name, err := pg.ParseSegmentName(base, w.size)
			if err != nil || strings.Count(f.Path, "/") > 1 || f.Size != int64(w.size) {
				continue
			}
			if !yield(segment.Info{Name: name, File: base, Path: f.Path, Size: f.Size, ModTime: f.ModTime}, nil) {
				return
			}
		}
	}
}

// Sum asks the source for the sums of a segment's parts.
func (w *SourceWAL) Sum(ctx context.Context, name string) ([32]byte, error) {
	digests, err := w.source.Hashes(ctx, "pg_wal/"+name, int64(w.size))
	if err != nil {
		return [32]byte{}, err
	}
	var parts [][32]byte
	for _, d := range digests {
		if d.Missing {
			return [32]byte{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		parts = append(parts, d.Sum)
	}
	return lineage.SumOfParts(parts), nil
}
