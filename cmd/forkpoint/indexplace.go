package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/store"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// indexPlace is a folder whose segments are to be indexed.
type indexPlace struct {
	pgdata   string // "" for a folder that is no data directory
	source   segment.Source
	geometry walinspect.Geometry
	cluster  reports.Cluster
	current  pg.TimelineID // of a data directory
	tree     *timeline.Tree
	files    []store.HistoryFile
	segments map[pg.TimelineID]numbers
}

// numbers are those of the segments of one timeline.
type numbers struct {
	lowest uint64
	all    map[uint64]bool
}

func openIndexPlace(ctx context.Context, path string) (*indexPlace, error) {
	p := &indexPlace{segments: map[pg.TimelineID]numbers{}}
	folder := path
	dir, err := datadir.Open(path)
	switch {
	case err == nil:
		control, err := dir.Control()
		if err != nil {
			return nil, err
		}
		folder, p.pgdata = filepath.Join(path, "pg_wal"), path
		p.geometry, p.current = geometryOf(control), control.CurrentTimeline()
		p.cluster = clusterOf(control)
	case errors.Is(err, datadir.ErrNotDataDir) && !looksLikeDataDir(path):
		if p.geometry, err = segment.Discover(ctx, folder); err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		p.cluster = reports.Cluster{SystemID: p.geometry.SystemID, SegmentSize: p.geometry.SegmentSize}
	default:
		return nil, err
	}
	if p.source, err = segment.OpenArchive(folder, p.geometry.SegmentSize); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := p.listSegments(ctx); err != nil {
		return nil, err
	}
	return p, p.readHistories(ctx)
}

func clusterOf(c *pgcontrol.Control) reports.Cluster {
	return reports.Cluster{SystemID: c.SystemID, Major: c.Major, BlockSize: c.BlockSize, SegmentSize: c.SegmentSize}
}

func (p *indexPlace) listSegments(ctx context.Context) error {
	for info, err := range p.source.List(ctx) {
		if err != nil {
			return fmt.Errorf("list WAL: %w", err)
		}
		n, seen := p.segments[info.Name.Timeline]
		if !seen {
			n = numbers{lowest: info.Name.Number, all: map[uint64]bool{}}
		}
		n.lowest = min(n.lowest, info.Name.Number)
		n.all[info.Name.Number] = true
		p.segments[info.Name.Timeline] = n
	}
	return nil
}

// readHistories reads the history files beside the segments, up to the first
// that is missing past the newest timeline. A name can be of any number, so
// after a long row of missing ones the next timeline with segments comes. A
// history that a server would refuse is an error: where its timeline begins
// cannot be known.
func (p *indexPlace) readHistories(ctx context.Context) error {
	const longRow = 4096
	timelines := slices.Sorted(maps.Keys(p.segments))
	var histories []*timeline.History
	missing := 0
	for tli := pg.TimelineID(2); tli != 0; tli++ { // 0 comes after the highest
		f, err := p.source.Open(ctx, tli.HistoryName())
		if errors.Is(err, fs.ErrNotExist) {
			later, _ := slices.BinarySearch(timelines, tli)
			if later == len(timelines) {
				break
			}
			if missing++; missing > longRow && tli < timelines[later]-1 {
				tli, missing = timelines[later]-1, 0
			}
			continue
		}
		missing = 0
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		content, err := f.Bytes()
		f.Close() // read only: nothing is lost if it fails
		if err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		h, err := timeline.Parse(tli, content)
		if err != nil {
			return &hintedError{fmt.Errorf("%s: %w", f.Path, err), "look at it with forkpoint history " + segment.ShellWord(f.Path)}
		}
		histories = append(histories, h)
		p.files = append(p.files, store.HistoryFile{SystemID: p.geometry.SystemID, Timeline: tli, Content: content, Seen: time.Now().UTC()})
	}
	p.tree = timeline.NewTree(histories...)
	return nil
}

func (p *indexPlace) saveHistories(ctx context.Context, catalog *store.Catalog) error {
	for _, h := range p.files {
		if err := catalog.SaveHistory(ctx, h); err != nil {
			return fmt.Errorf("save history of timeline %d: %w", h.Timeline, err)
		}
	}
	return nil
}

// timelines lists those that have segments, in order.
func (p *indexPlace) timelines() []pg.TimelineID { return slices.Sorted(maps.Keys(p.segments)) }

// index reads what there is of one timeline, to its own end: a branch that was
// left behind is what a rewind will ask for.
func (p *indexPlace) index(ctx context.Context, ix *indexer.Indexer, tli pg.TimelineID, progress *progress) (reports.IndexedTimeline, error) {
	path, known := p.tree.Path(tli)
	if !known {
		path = timeline.SingleTimeline(tli)
	}
	progress.begin(fmt.Sprintf("indexing timeline %d", tli), 0)
	to, next := p.left(tli)
	span := pg.Span{From: p.geometry.SegmentSize.Start(p.segments[tli].lowest), To: to}
	r, err := ix.Index(ctx, path, span)
	if err != nil {
		return reports.IndexedTimeline{}, err
	}
	span.To = max(r.End, span.From)
	t := reports.IndexedTimeline{Timeline: tli, Span: span, Read: r.Read, Skipped: r.Segments - r.Read, Bytes: r.Bytes, Gaps: gapsOf(r), End: endOf(r)}
	if next != 0 && r.Stop == walinspect.StopLimit {
		t.Span.To, t.GoesOnAs = to, next
	}
	return t, nil
}

// left tells where the data directory itself left a timeline, as a server that
// was promoted has: the segment in which it did so is there again under the
// next timeline's number, with all that this one's file has. That file is
// passed over, for it would stand in the catalog beside the one of a server
// that stayed on the timeline, and nothing tells which goes on with what
// comes before.
func (p *indexPlace) left(tli pg.TimelineID) (pg.LSN, pg.TimelineID) {
	path, known := p.tree.Path(p.current)
	if !known {
		return pg.MaxLSN, 0
	}
	size := p.geometry.SegmentSize
	for i, step := range path[:len(path)-1] {
		n := size.Number(step.End)
		if next := path[i+1].Timeline; step.Timeline == tli && p.segments[next].all[n] {
			return size.Start(n), next
		}
	}
	return pg.MaxLSN, 0
}
