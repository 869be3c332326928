package main

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/dustin/go-humanize"

	"forkpoint/rewind"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// usualSourceWAL is how much of a running source's log a report reads from it,
// bytes: a few seconds' worth of a usual network.
const usualSourceWAL = 256 << 20

// boundedWAL is a running source's log as far as a report reads it: no more
// than so many bytes, which are counted by whole segments. Nothing is listed, for
// what the server has is asked for by name.
type boundedWAL struct {
	*rewind.SourceWAL
	limit, size int64 // bytes; of all, of a segment

	mu     sync.Mutex
	opened map[string]bool
}

func (w *boundedWAL) List(context.Context) iter.Seq2[segment.Info, error] {
	return func(func(segment.Info, error) bool) {}
}

func (w *boundedWAL) Open(ctx context.Context, name string) (*segment.File, error) {
	w.mu.Lock()
	within := !pg.IsSegmentName(name) || w.opened[name] || int64(len(w.opened))*w.size < w.limit
	w.mu.Unlock()
	if !within {
		return nil, fmt.Errorf("no more than %s of its log was to be read from the running source; --source-wal raises that", humanize.IBytes(uint64(w.limit)))
	}
	f, err := w.SourceWAL.Open(ctx, name)
	if err == nil && pg.IsSegmentName(name) {
		w.mu.Lock()
		w.opened[name] = true
		w.mu.Unlock()
	}
	return f, err
}
