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

// Open reads a segment or history file, whole.
func (w *SourceWAL) Open(ctx context.Context, name string) (*segment.File, error) {
	if name != path.Base(name) {
		return nil, fmt.Errorf("%q is not a file name", name)
	}
	b, err := w.source.ReadFile(ctx, "pg_wal/"+name)
	if err != nil {
		return nil, err
	}
	return &segment.File{ReaderAt: bytes.NewReader(b), Closer: io.NopCloser(nil), Path: w.source.String() + ": pg_wal/" + name, Size: int64(len(b))}, nil
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
