package rewind

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// sharedWAL is the log that source and target have in common, read from the
// source: segments that end at or before the fork hold the same bytes on both
// sides. A later one never comes from here, whatever its name, for it would
// pass the source's history off as the target's.
type sharedWAL struct {
	read func(ctx context.Context, path string) ([]byte, error)
	name string // of the source
	fork pg.LSN
	size pg.SegmentSize
}

func (w sharedWAL) String() string { return w.name + " (before the fork)" }

func (w sharedWAL) Open(ctx context.Context, name string) (*segment.File, error) {
	n, err := pg.ParseSegmentName(name, w.size)
	if err != nil || w.size.Span(n.Number).To > w.fork {
		return nil, fmt.Errorf("%s may differ at the source: %w", name, fs.ErrNotExist)
	}
	b, err := w.read(ctx, "pg_wal/"+name)
	if err != nil {
		return nil, err
	}
	return &segment.File{ReaderAt: bytes.NewReader(b), Closer: io.NopCloser(nil), Path: w.name + ": pg_wal/" + name, Size: int64(len(b))}, nil
}

// List yields nothing: what the source has is asked for by name.
func (w sharedWAL) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}
