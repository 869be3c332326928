package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/pgcontrol"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// lineageNode is anything that has a history: a data directory, running or not,
// a server, an archive, or a single history file.
type lineageNode struct {
	reports.DiagnosedNode
	wal      segment.Source // nil where there is none
	archive  segment.Source // where its log may lie besides; nil where none was named
	geometry walinspect.Geometry
	close    func()
}

// nodeOpener opens nodes, and once the first of them tells how long segments are,
// the archives that all have in common.
type nodeOpener struct {
	app      *app
	opts     endsOptions
	archives *ends // nil until then
}

func (o *nodeOpener) close() {
	if o.archives != nil {
		o.archives.close()
	}
}

// archive gives the places that were named besides the nodes, nil for none. dir
// is the node's data directory if it has one.
func (o *nodeOpener) archive(dir *datadir.Dir, size pg.SegmentSize) (segment.Source, error) {
	if o.archives == nil {
		e := &ends{target: dir, targetControl: &pgcontrol.Control{SegmentSize: size}}
		if dir == nil && o.opts.restore && o.opts.restoreWith == "" {
			return nil, usagef("--restore-target-wal goes by the configuration of a data directory; give --restore-command")
		}
		if err := e.openArchives(o.opts, false); err != nil {
			e.close()
			return nil, err
		}
		o.archives = e
	}
	return o.archives.archive(), nil
}

// open finds out what was named.
func (o *nodeOpener) open(ctx context.Context, name string) (*lineageNode, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil && isConninfo(name):
		return o.openServer(ctx, name)
	case err != nil:
		return nil, err
	case !info.IsDir() && isHistoryFile(name):
		return openHistoryNode(name)
	case looksLikeDataDir(name):
		return o.openDir(ctx, name)
	}
	return openArchiveNode(ctx, name)
}

func isConninfo(name string) bool {
	return strings.Contains(name, "=") || strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// histories reads history files from the node and then from the archives.
func (n *lineageNode) histories(ctx context.Context, own func(pg.TimelineID) ([]byte, error)) func(pg.TimelineID) ([]byte, error) {
	return func(tli pg.TimelineID) ([]byte, error) {
		b, err := own(tli)
		if n.archive == nil || !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
		if archived, errThere := segment.Histories(ctx, n.archive)(tli); errThere == nil {
			return archived, nil
		}
		return nil, err
	}
}

func (o *nodeOpener) openDir(ctx context.Context, name string) (*lineageNode, error) {
	dir, err := datadir.Open(name)
	if err != nil {
		return nil, err
	}
	control, err := dir.Control()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &lineageNode{DiagnosedNode: controlFacts(name, "data directory", control), geometry: geometryOf(control),
		wal: segment.NewDir(filepath.Join(dir.Path(), "pg_wal"), control.SegmentSize), close: func() {}}
	if n.archive, err = o.archive(dir, control.SegmentSize); err != nil {
		return nil, err
	}
	n.Timeline = control.CurrentTimeline()
	n.Path, err = timeline.ReadPath(n.Timeline, n.histories(ctx, dir.History))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, n.findEnd(ctx, control)
}

// findEnd reads on from the last checkpoint: its own record where a primary was
// stopped cleanly, else to the end of the log. A standby that was stopped may
// have received more than it has replayed.
func (n *lineageNode) findEnd(ctx context.Context, c *pgcontrol.Control) error {
	span := pg.Span{From: c.Checkpoint, To: pg.MaxLSN}
	if c.State == pgcontrol.ShutDown {
		span.To = c.Checkpoint + 1
	}
	r, err := indexer.New(n.wal, n.geometry, nil, indexer.Options{Workers: 1}).Touched(ctx, n.DiagnosedNode.Path, span)
	if err != nil {
		return fmt.Errorf("%s: read WAL from %s: %w", n.Name, c.Checkpoint, err)
	}
	n.Reached = max(n.Reached, r.End)
	return nil
}

func controlFacts(name, kind string, c *pgcontrol.Control) reports.DiagnosedNode {
	return nodeFacts(name, kind, rewind.Seen{Control: c})
}

func (o *nodeOpener) openServer(ctx context.Context, conninfo string) (*lineageNode, error) {
	opts := o.opts
	opts.sourceDir, opts.sourceServer = "", conninfo
	s, err := openServer(ctx, o.app, opts)
	if err != nil {
		return nil, err
	}
	n, err := o.describeServer(ctx, s)
	if err != nil {
		s.Close() // it only read
		return nil, err
	}
	n.close = func() { s.Close() }
	return n, nil
}

func (o *nodeOpener) describeServer(ctx context.Context, s *source.Server) (*lineageNode, error) {
	_, control, err := s.Control(ctx)
	if err != nil {
		return nil, err
	}
	n := &lineageNode{DiagnosedNode: controlFacts(s.String(), s.Kind().String(), control), geometry: geometryOf(control),
		wal: rewind.NewSourceWAL(s, control.SegmentSize)}
	if n.archive, err = o.archive(nil, control.SegmentSize); err != nil {
		return nil, err
	}
	if n.Timeline, err = s.Timeline(ctx); err != nil {
		return nil, err
	}
	if n.InRecovery, err = s.InRecovery(ctx); err != nil {
		return nil, err
	}
	n.State = "running"
	if n.Reached, err = s.Reached(ctx); err != nil {
		return nil, err
	}
	n.DiagnosedNode.Path, err = timeline.ReadPath(n.Timeline, n.histories(ctx, func(tli pg.TimelineID) ([]byte, error) { return s.History(ctx, tli) }))
	return n, err
}

func openHistoryNode(name string) (*lineageNode, error) {
	tli, ok := pg.ParseHistoryName(filepath.Base(name))
	if !ok {
		return nil, usagef("%q is not the name of a history file", filepath.Base(name))
	}
	f := readHistoryFile(name)
	if f.Err != nil {
		return nil, f.Err
	}
	h, err := timeline.Parse(tli, f.Content)
	if err != nil {
		return nil, &hintedError{fmt.Errorf("%s: %w", name, err), "forkpoint history validate " + segment.ShellWord(name)}
	}
	return &lineageNode{DiagnosedNode: reports.DiagnosedNode{Name: name, Kind: "history file", Timeline: tli, Path: h.Path()}, close: func() {}}, nil
}

// openArchiveNode takes the newest timeline that an archive knows for the one
// that a server would follow.
func openArchiveNode(ctx context.Context, name string) (*lineageNode, error) {
	n := &lineageNode{DiagnosedNode: reports.DiagnosedNode{Name: name, Kind: "archive"}, close: func() {}}
	wal, err := openPlaceWAL(ctx, name)
	if err != nil {
		return nil, err
	}
	if wal != nil {
		n.wal, n.geometry, n.SystemID = wal.source, wal.geometry, wal.geometry.SystemID
	}
	place := reports.HistoryPlace{Path: name}
	if err := readHistoryFolder(&place, name); err != nil {
		return nil, err
	}
	for _, f := range place.Files {
		tli, ok := pg.ParseHistoryName(filepath.Base(strings.TrimSuffix(f.Path, filepath.Ext(f.Path)) + ".history"))
		if !ok || f.Err != nil || tli < n.Timeline {
			continue
		}
		if h, err := timeline.Parse(tli, f.Content); err == nil {
			n.Timeline, n.DiagnosedNode.Path = tli, h.Path()
		}
	}
	for tli := range place.Segments {
		if n.Timeline == 0 && tli == 1 {
			n.Timeline, n.DiagnosedNode.Path = 1, timeline.SingleTimeline(1)
		}
	}
	if n.Timeline == 0 {
		return nil, &hintedError{fmt.Errorf("%s: no history file and no WAL of timeline 1", name), "name a data directory, an archive folder or a history file"}
	}
	n.findArchiveEnd(ctx)
	return n, nil
}

// findArchiveEnd finds how far the log of an archive goes. Where that cannot be
// read it stays unknown.
func (n *lineageNode) findArchiveEnd(ctx context.Context) {
	if n.wal == nil {
		return
	}
	size, newest := n.geometry.SegmentSize, uint64(0)
	onPath := func(number uint64) []pg.TimelineID { return n.DiagnosedNode.Path.SegmentTimelines(size, number) }
	for info, err := range n.wal.List(ctx) {
		if err != nil {
			return
		}
		if slices.Contains(onPath(info.Name.Number), info.Name.Timeline) {
			newest = max(newest, info.Name.Number)
		}
	}
	pages := segment.NewPages(n.wal, size, onPath)
	defer pages.Close()
	if last, err := walinspect.LastRecordBefore(ctx, pages, n.geometry, size.Start(newest+1)); err == nil {
		n.Reached = last.End
	}
}
