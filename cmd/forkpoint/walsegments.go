package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"forkpoint/walinspect/codec"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// openSegments opens one segment, or a range from one to another in the same
// folder.
func openSegments(ctx context.Context, files []string, tli pg.TimelineID, restore restoreOptions) (*openedWAL, error) {
	geometry, err := segment.DiscoverFile(files[0])
	if err != nil {
		return nil, fmt.Errorf("open WAL: %w", err)
	}
	first, err := segmentNameOf(files[0], geometry.SegmentSize)
	if err != nil {
		return nil, err
	}
	last, err := segmentNameOf(files[len(files)-1], geometry.SegmentSize)
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(files[0])
	switch {
	case filepath.Dir(files[len(files)-1]) != folder:
		return nil, usagef("want two segments of the same folder")
	case last.Number < first.Number:
		return nil, usagef("segment %s comes before %s", files[1], files[0])
	}
	if tli == 0 {
		tli = last.Timeline
	}
	w := &openedWAL{place: strings.Join(files, " to "), geometry: geometry}
	if err := w.addSources(restore, segment.NewDir(folder, geometry.SegmentSize)); err != nil {
		return nil, err
	}
	w.span = pg.Span{From: geometry.SegmentSize.Start(first.Number), To: geometry.SegmentSize.Start(last.Number + 1)}
	w.path = timeline.SingleTimeline(tli)
	if first.Timeline != tli {
		if w.path, err = historyFrom(ctx, w.source, tli); err != nil {
			return nil, err
		}
	}
	return w.finishOpen(), nil
}

// segmentNameOf reads the name of a segment file, whatever suffixes say how it
// is stored.
func segmentNameOf(path string, size pg.SegmentSize) (pg.SegmentName, error) {
	stem := filepath.Base(path)
	for _, suffix := range codec.Suffixes() {
		stem = strings.TrimSuffix(stem, suffix)
	}
	stem, _ = pg.TrimPartial(stem)
	return pg.ParseSegmentName(stem, size)
}

// isSegmentFile tells by its name whether a file holds one segment.
func isSegmentFile(path string) bool {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	return pg.IsSegmentName(stem)
}

// historyFrom reads the history of a timeline. Without its file, as in a
// folder of segments that somebody put aside, the timeline stands alone.
func historyFrom(ctx context.Context, source segment.Source, tli pg.TimelineID) (timeline.Path, error) {
	f, err := source.Open(ctx, tli.HistoryName())
	if errors.Is(err, fs.ErrNotExist) {
		return timeline.SingleTimeline(tli), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read history of timeline %d: %w", tli, err)
	}
	defer f.Close() // read only
	content, err := f.Bytes()
	if err != nil {
		return nil, fmt.Errorf("read history of timeline %d: %w", tli, err)
	}
	h, err := timeline.Parse(tli, content)
	if err != nil {
		return nil, &hintedError{fmt.Errorf("%s: %w", f.Path, err), "look at it with forkpoint history " + segment.ShellWord(f.Path)}
	}
	return h.Path(), nil
}
