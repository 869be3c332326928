package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// openedWAL is a log that can be read: where it lies, which history through it
// is followed and which part of it the places that were named mean.
type openedWAL struct {
	place    string // as the user named it
	source   segment.Source
	geometry walinspect.Geometry
	path     timeline.Path
	span     pg.Span
	control  *pgcontrol.Control // of a data directory, else nil
	pgdata   *datadir.Dir       // that directory

	pages   *segment.Pages
	cleanup func() // may be nil
}

// openWAL opens data directories and archives that are searched in order, or
// one or two segments. tli is the timeline that the user asked for, 0 for the
// one that is current or newest there.
func openWAL(ctx context.Context, places []string, tli pg.TimelineID, restore restoreOptions) (*openedWAL, error) {
	segments := 0
	for _, place := range places {
		info, err := os.Stat(place)
		if err != nil {
			return nil, fmt.Errorf("open WAL: %w", err)
		}
		if !info.IsDir() && isSegmentFile(place) {
			segments++
		}
	}
	switch {
	case segments == len(places) && segments <= 2:
		return openSegments(ctx, places, tli, restore)
	case segments > 0:
		return nil, usagef("want data directories and archives, or one or two segment files, not both")
	}
	return openPlaces(ctx, places, tli, restore)
}

func (w *openedWAL) finishOpen() *openedWAL {
	w.pages = segment.NewPages(w.source, w.geometry.SegmentSize, func(n uint64) []pg.TimelineID {
		return w.path.SegmentTimelines(w.geometry.SegmentSize, n)
	})
	return w
}

func (w *openedWAL) close() {
	w.pages.Close()
	if w.cleanup != nil {
		w.cleanup()
	}
}

// addSources makes the log's source of several, and of a restore_command where
// there is one.
func (w *openedWAL) addSources(restore restoreOptions, sources ...segment.Source) error {
	workDir := ""
	if w.pgdata != nil {
		workDir = w.pgdata.Path()
	}
	fetching, cleanup, err := restore.source(w.geometry.SegmentSize, workDir)
	if err != nil {
		return err
	}
	if fetching != nil {
		sources, w.cleanup = append(sources, fetching), cleanup
	}
	w.source = segment.NewChain(sources...)
	return nil
}

// openPlaces opens data directories and archives as one log.
func openPlaces(ctx context.Context, places []string, tli pg.TimelineID, restore restoreOptions) (*openedWAL, error) {
	w := &openedWAL{place: strings.Join(places, ", ")}
	folders := slices.Clone(places)
	for i, place := range places {
		dir, err := datadir.Open(place)
		if errors.Is(err, datadir.ErrNotDataDir) && !looksLikeDataDir(place) {
			continue
		}
		if err != nil {
			return nil, err
		}
		folders[i] = filepath.Join(place, "pg_wal")
		if w.control != nil {
			continue
		}
		if w.control, err = dir.Control(); err != nil {
			return nil, err
		}
		w.pgdata, w.geometry = dir, geometryOf(w.control)
	}
	if w.control == nil {
		var err error
		if w.geometry, err = segment.Discover(ctx, folders[0]); err != nil {
			return nil, fmt.Errorf("open WAL: %w", err)
		}
	}
	var sources []segment.Source
	for _, folder := range folders {
		source, err := segment.OpenArchive(folder, w.geometry.SegmentSize)
		if err != nil {
			return nil, fmt.Errorf("open WAL: %w", err)
		}
		sources = append(sources, source)
	}
	if err := w.addSources(restore, sources...); err != nil {
		return nil, err
	}
	if err := w.choosePath(ctx, tli); err != nil {
		if w.cleanup != nil {
			w.cleanup()
		}
		return nil, err
	}
	return w, nil
}

func geometryOf(c *pgcontrol.Control) walinspect.Geometry {
	return walinspect.Geometry{SystemID: c.SystemID, SegmentSize: c.SegmentSize, PageSize: c.WALBlockSize, BlockSize: c.BlockSize}
}

// choosePath decides on the timeline, reads its history and finds out where
// the log that is there begins.
func (w *openedWAL) choosePath(ctx context.Context, tli pg.TimelineID) error {
	if tli == 0 && w.control != nil {
		tli = w.control.CurrentTimeline()
	}
	newest, _, err := w.listed(ctx, nil)
	if err != nil {
		return err
	}
	if tli == 0 {
		tli = newest
	}
	if w.path, err = historyFrom(ctx, w.source, tli); err != nil {
		return err
	}
	_, first, err := w.listed(ctx, w.path)
	if err != nil {
		return err
	}
	if first == nil {
		return fmt.Errorf("open WAL: there is no segment of timeline %d in %s", tli, w.place)
	}
	w.span = pg.Span{From: w.geometry.SegmentSize.Start(*first), To: pg.MaxLSN}
	w.finishOpen()
	return nil
}

// listed goes through the segments: the newest timeline of all, and the lowest
// number of those that path leads through.
func (w *openedWAL) listed(ctx context.Context, path timeline.Path) (newest pg.TimelineID, first *uint64, err error) {
	for info, err := range w.source.List(ctx) {
		if err != nil {
			return 0, nil, fmt.Errorf("list WAL: %w", err)
		}
		newest = max(newest, info.Name.Timeline)
		if n := info.Name.Number; w.onPath(path, info.Name) && (first == nil || n < *first) {
			first = &n
		}
	}
	return newest, first, nil
}

// onPath tells whether a path takes the segment from this timeline's file.
func (w *openedWAL) onPath(path timeline.Path, name pg.SegmentName) bool {
	for _, tli := range path.SegmentTimelines(w.geometry.SegmentSize, name.Number) {
		if tli == name.Timeline {
			return true
		}
	}
	return false
}

// firstRecord finds the first record at or after a position. A record that
// starts right there is taken whatever the rest of its page holds.
func (w *openedWAL) firstRecord(ctx context.Context, from pg.LSN) (pg.LSN, error) {
	if w.geometry.Page(from) != from {
		if rec, err := walinspect.NewReader(w.pages, w.geometry, from).ReadAt(ctx, from); err == nil {
			return rec.LSN, nil
		}
	}
	return walinspect.FirstRecord(ctx, w.pages, w.geometry, from)
}

// resume finds where valid log goes on after a stop: at the record that was
// seen past the damage, or in one of the later segments. 0 if nowhere.
func (w *openedWAL) resume(ctx context.Context, stop walinspect.Stop) (pg.LSN, error) {
	if stop.After.Valid() {
		return stop.After, nil
	}
	size := w.geometry.SegmentSize
	damaged := size.Number(max(stop.LSN, stop.At))
	var later []uint64
	for info, err := range w.source.List(ctx) {
		if err != nil {
			return 0, fmt.Errorf("list WAL: %w", err)
		}
		if info.Name.Number > damaged && w.onPath(w.path, info.Name) {
			later = append(later, info.Name.Number)
		}
	}
	slices.Sort(later)
	for _, n := range later {
		// A recycled segment has no page with its own address, so its old
		// records are never taken for new ones.
		lsn, err := w.firstRecord(ctx, size.Start(n))
		if err == nil && lsn < size.Start(n+1) {
			return lsn, nil
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	return 0, nil
}

// missing is the error of a log that ends at a segment which is not there:
// none where no later segment exists either, as at the end of an archive.
func (w *openedWAL) missing(ctx context.Context, stop walinspect.Stop) error {
	for info, err := range w.source.List(ctx) {
		if err != nil {
			return fmt.Errorf("list WAL: %w", err)
		}
		if info.Name.Number > w.geometry.SegmentSize.Number(stop.At) && w.onPath(w.path, info.Name) {
			return &hintedError{stop.Err, fmt.Sprintf("later segments are there, such as %s; name the folder that has the missing one as well", info.File)}
		}
	}
	return nil
}
