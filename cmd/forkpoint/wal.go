package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// openedWAL is a readable log: where it lies and which part is meant.
type openedWAL struct {
	source   fmt.Stringer
	pages    walinspect.PageReader
	geometry walinspect.Geometry
	path     timeline.Path
	span     pg.Span
}

type name string

func (n name) String() string { return string(n) }

func openWAL(ctx context.Context, places []string, tli pg.TimelineID) (*openedWAL, error) {
	d, err := datadir.Open(places[0])
	if err != nil {
		return nil, err
	}
	c, err := d.Control()
	if err != nil {
		return nil, err
	}
	path, err := d.TimelinePath(c.CurrentTimeline())
	if err != nil {
		return nil, err
	}
	g := walinspect.Geometry{SystemID: c.SystemID, SegmentSize: c.SegmentSize, PageSize: c.WALBlockSize, BlockSize: c.BlockSize}
	return &openedWAL{name(places[0]), &interim{places[0] + "/pg_wal", path, c.SegmentSize}, g, path, pg.Span{From: c.CheckpointCopy.Redo, To: pg.MaxLSN}}, nil
}

type interim struct {
	dir  string
	path timeline.Path
	size pg.SegmentSize
}

func (p *interim) ReadPage(ctx context.Context, at pg.LSN, page []byte) (walinspect.Origin, error) {
	for _, tli := range p.path.SegmentTimelines(p.size, p.size.Number(at)) {
		n := pg.SegmentName{Timeline: tli, Number: p.size.Number(at)}
		f, err := os.Open(filepath.Join(p.dir, n.Format(p.size)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		defer f.Close()
		_, err = f.ReadAt(page, int64(p.size.Offset(at)))
		return walinspect.Origin{Segment: n, Path: f.Name()}, err
	}
	return walinspect.Origin{}, fs.ErrNotExist
}

func (w *openedWAL) firstRecord(ctx context.Context, from pg.LSN) (pg.LSN, error) {
	return walinspect.FirstRecord(ctx, w.pages, w.geometry, from)
}

func (w *openedWAL) resume(ctx context.Context, stop walinspect.Stop) pg.LSN { return stop.After }
