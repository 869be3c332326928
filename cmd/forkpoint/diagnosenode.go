package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"forkpoint/blockmap/indexer"
	"forkpoint/reports"
	"forkpoint/rewind"
	"forkpoint/rewind/source"
	"forkpoint/walinspect"
	"forkpoint/walinspect/datadir"
	"forkpoint/walinspect/lineage"
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
	geometry walinspect.Geometry
	close    func()
}

// openNode finds out what was named.
func openNode(ctx context.Context, app *app, name string, opts endsOptions) (*lineageNode, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil && (strings.Contains(name, "=") || strings.HasPrefix(name, "postgres")):
		return openServerNode(ctx, app, name, opts)
	case err != nil:
		return nil, err
	case !info.IsDir() && isHistoryFile(name):
		return openHistoryNode(name)
	case looksLikeDataDir(name):
		return openDirNode(ctx, name)
	}
	return openArchiveNode(ctx, name)
}

func openDirNode(ctx context.Context, name string) (*lineageNode, error) {
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
	n.Timeline = control.CurrentTimeline()
	n.Path, err = timeline.ReadPath(n.Timeline, dir.History)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, n.findEnd(ctx, control)
}

// findEnd reads on from the last checkpoint: its own record after a clean stop,
// else to the end of the log.
func (n *lineageNode) findEnd(ctx context.Context, c *pgcontrol.Control) error {
	span := pg.Span{From: c.Checkpoint, To: pg.MaxLSN}
	if c.State.Clean() {
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

func openServerNode(ctx context.Context, app *app, conninfo string, opts endsOptions) (*lineageNode, error) {
	opts.sourceDir, opts.sourceServer = "", conninfo
	s, err := openServer(ctx, app, opts)
	if err != nil {
		return nil, err
	}
	n, err := describeServer(ctx, s)
	if err != nil {
		s.Close() // it only read
		return nil, err
	}
	n.close = func() { s.Close() }
	return n, nil
}

func describeServer(ctx context.Context, s *source.Server) (*lineageNode, error) {
	_, control, err := s.Control(ctx)
	if err != nil {
		return nil, err
	}
	n := &lineageNode{DiagnosedNode: controlFacts(s.String(), s.Kind().String(), control), geometry: geometryOf(control),
		wal: rewind.NewSourceWAL(s, control.SegmentSize)}
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
	n.DiagnosedNode.Path, err = timeline.ReadPath(n.Timeline, func(tli pg.TimelineID) ([]byte, error) { return s.History(ctx, tli) })
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
		return nil, &hintedError{fmt.Errorf("%s: %w", name, err), "forkpoint history validate " + name}
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
	return n, nil
}

// relation is how one node stands to another.
type relation struct {
	fork       timeline.ForkPoint
	comparison *lineage.Comparison // where the histories are the same
	err        error
}

// relate finds where two nodes parted: by their histories, and where those are
// the same by their logs.
func relate(ctx context.Context, target, src *lineageNode) (relation, error) {
	var r relation
	if target.SystemID != 0 && src.SystemID != 0 && target.SystemID != src.SystemID {
		r.err = errOtherCluster
		return r, nil
	}
	if r.fork, r.err = timeline.CommonAncestor(src.Path, target.Path); r.err != nil {
		return r, nil
	}
	if !r.fork.Same() || target.wal == nil || src.wal == nil {
		return r, nil
	}
	path := target.Path
	var err error
	r.comparison, err = lineage.FirstDifference(ctx, lineage.Logs{A: target.wal, B: src.wal, Path: path, Geometry: target.geometry},
		pg.Span{From: path[len(path)-1].Begin, To: pg.MaxLSN})
	if err != nil {
		return r, fmt.Errorf("compare the WAL of %s and %s: %w", target.Name, src.Name, err)
	}
	return r, nil
}

var errOtherCluster = errors.New("not the same cluster")

// lsn is where the two parted; MaxLSN if they did not.
func (r relation) lsn() pg.LSN {
	if r.comparison != nil && r.comparison.Differs {
		return r.comparison.Fork
	}
	return r.fork.LSN
}

// ahead tells whether a node has log that is not part of the other's.
func (r relation) ahead(n *lineageNode) bool { return n.Reached > r.lsn() }

// diagnoseByHistory is for ends that no rewind could be run on: a target that
// runs, or a source of which there is only an archive or a history file.
func diagnoseByHistory(ctx context.Context, app *app, opts diagnoseOptions) (*reports.Diagnosis, error) {
	target, err := openNode(ctx, app, opts.ends.target+opts.targetServer, opts.ends)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	defer target.close()
	src, err := openNode(ctx, app, opts.ends.sourceDir+opts.ends.sourceServer+opts.sourceArchive, opts.ends)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	defer src.close()
	r, err := relate(ctx, target, src)
	if err != nil {
		return nil, err
	}
	d := &reports.Diagnosis{Schema: reports.DiagnosisSchema, Target: target.DiagnosedNode, Source: src.DiagnosedNode, Facts: []string{}, Inferences: []string{},
		Findings: reports.Findings{}, Histories: reports.PairHistories(target.Path, src.Path), Comparison: r.comparison, TargetEnd: target.Reached}
	judgeByHistory(d, r, target, src, opts)
	d.Judge(nil, true)
	return d, nil
}

func judgeByHistory(d *reports.Diagnosis, r relation, target, src *lineageNode, opts diagnoseOptions) {
	if src.Kind == "archive" {
		d.Facts = append(d.Facts, fmt.Sprintf("The newest timeline with a history in %s is %d; a standby that restores from it would follow that one.", src.Name, src.Timeline))
	}
	switch {
	case errors.Is(r.err, errOtherCluster):
		d.Verdict, d.Reason = reports.RemedyOther, "The two have different system identifiers: they did not come from one initdb."
		return
	case r.err != nil:
		d.Verdict, d.Reason = reports.RemedyPerson, r.err.Error()+". Look at both with forkpoint history validate; a row may be missing or edited."
		return
	}
	if !r.fork.Same() {
		d.Fork = &reports.Fork{LSN: r.fork.LSN, Timeline: r.fork.Timeline, Target: r.fork.Target, Source: r.fork.Source}
		d.Facts = append(d.Facts, fmt.Sprintf("By their histories the two parted at %s on timeline %d.", r.fork.LSN, r.fork.Timeline))
	}
	switch differs := r.comparison != nil && r.comparison.Differs; {
	case differs:
		c := r.comparison
		d.Verdict = reports.RemedyPerson
		d.Reason = fmt.Sprintf("Both are on timeline %d, but their logs parted at %s: two servers wrote under one number. Decide which one survives.", c.Tli, c.Fork)
	case r.fork.Same():
		d.Verdict, d.Reason = reports.RemedyNothing, "One timeline, and no record that differs was found."
	case !r.ahead(target):
		d.Verdict, d.Reason = reports.RemedyFollow, fmt.Sprintf("The target has reached %s, not past the fork at %s: it can follow to timeline %d.", reachedText(target.Reached), r.lsn(), src.Timeline)
	default:
		d.After = append(d.After, afterOf(target, src)...)
		d.Reason = fmt.Sprintf("The target has reached %s, %d bytes past the fork at %s.", target.Reached, target.Reached-r.lsn(), r.lsn())
		if opts.targetServer != "" {
			d.Next = append(d.Next, "pg_ctl stop -m fast -D PGDATA   # on the target's machine")
		}
		d.Next = append(d.Next, "forkpoint diagnose -D PGDATA --source-server CONNINFO")
	}
}

func afterOf(target, src *lineageNode) []string {
	var after []string
	if target.Kind != "data directory" {
		after = append(after, "stopping the target's server")
	}
	if src.Kind == "archive" || src.Kind == "history file" {
		after = append(after, "naming the source itself: a rewind needs its data directory or a connection to it")
	}
	return after
}
