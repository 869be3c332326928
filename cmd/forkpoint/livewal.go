package main

import (
	"bytes"
	"context"
	"io"
	"iter"

	"forkpoint/rewind/source"
	"forkpoint/walinspect/segment"
)

// liveWAL is the log of a running server, read over its connection.
type liveWAL struct{ source source.Source }

func (w liveWAL) String() string { return w.source.String() + " pg_wal" }

func (w liveWAL) Open(ctx context.Context, name string) (*segment.File, error) {
	b, err := w.source.ReadFile(ctx, "pg_wal/"+name)
	if err != nil {
		return nil, err
	}
	return &segment.File{ReaderAt: bytes.NewReader(b), Closer: io.NopCloser(nil), Path: w.String() + "/" + name, Size: int64(len(b))}, nil
}

// List yields nothing: what the server has is asked for by name.
func (w liveWAL) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}
