package plan

import (
	"path"
	"slices"
	"strings"

	"forkpoint/walinspect/pg"
)

// decideWAL handles what lies in pg_wal: segments, history files and the
// archiver's marks for them.
func (d *decider) decideWAL(p Pair, name string, mark bool) {
	s, t := p.Source, p.Target
	if transient(name) {
		if t != nil {
			d.remove(t, ReasonTargetOnly)
		}
		return
	}
	segment, isSegment := segmentOf(name, d.in.WALSegmentSize)
	switch {
	case isSegment && mark:
		d.decideMark(p, segment)
	case isSegment && t != nil && d.diverged(segment):
		if s != nil && d.replays(segment) {
			d.add(Action{Kind: FetchWAL, Path: p.Path, Size: s.Size, TargetSize: t.Size, Reason: ReasonReplay})
			return
		}
		if s == nil && d.in.KeepForkSegment && d.holdsFork(segment) {
			d.plan.KeptWAL = append(d.plan.KeptWAL, p.Path)
			return
		}
		d.remove(t, ReasonDiverged)
	case isSegment && t == nil:
		if d.replays(segment) {
			d.add(Action{Kind: FetchWAL, Path: p.Path, Size: s.Size, Reason: ReasonReplay})
		}
	case isSegment && s == nil:
		if segment.Number >= d.in.WALSegmentSize.Number(d.in.Label.Redo) {
			d.plan.KeptWAL = append(d.plan.KeptWAL, p.Path)
		}
	case isSegment && s.Size != t.Size: // damaged, or not whole
		d.add(Action{Kind: FetchWAL, Path: p.Path, Size: s.Size, TargetSize: t.Size, Reason: ReasonReplay})
	case isSegment: // the shared past: the same bytes on both sides
		d.plan.SharedWAL = append(d.plan.SharedWAL, p.Path)
	case s == nil && d.foreignHistory(name):
		d.remove(t, ReasonDiverged)
	case s == nil && d.in.DropUnknownWAL && !mark && !isHistory(name):
		d.remove(t, ReasonTargetOnly)
	case s == nil: // a label of an old backup, or some such; harms nobody
	case t == nil || !mark:
		d.copyBeside(p, name)
	}
}

// copyBeside takes the source's history files and labels of backups, and marks
// for them. Whole segments of other kinds of name are left out.
func (d *decider) copyBeside(p Pair, name string) {
	if !isHistory(name) && !strings.HasSuffix(name, ".backup") {
		return
	}
	kind := CopyFile
	if isHistory(name) && path.Base(p.Path) == name {
		kind = FetchWAL
	}
	a := Action{Kind: kind, Path: p.Path, Size: p.Source.Size, Reason: ReasonReplay}
	if p.Target != nil {
		a.TargetSize = p.Target.Size
	}
	d.add(a)
}

func isHistory(name string) bool {
	_, ok := pg.ParseHistoryName(name)
	return ok
}

// keepNewestWAL leaves one file for each segment number: where a timeline
// begins in the middle of a segment, the file on the newer one holds all that
// replay reads there, and a server takes it first.
func (d *decider) keepNewestWAL() {
	newest := map[uint64]pg.TimelineID{}
	of := func(a Action) (pg.SegmentName, bool) {
		if a.Kind != FetchWAL {
			return pg.SegmentName{}, false
		}
		return segmentOf(path.Base(a.Path), d.in.WALSegmentSize)
	}
	for _, a := range d.plan.Actions {
		if n, ok := of(a); ok {
			newest[n.Number] = max(newest[n.Number], n.Timeline)
		}
	}
	kept := d.plan.Actions[:0]
	for _, a := range d.plan.Actions {
		if n, ok := of(a); ok && n.Timeline < newest[n.Number] {
			if a.TargetSize == 0 {
				continue
			}
			a = Action{Kind: SetAside, Path: a.Path, TargetSize: a.TargetSize, Reason: ReasonDiverged}
		}
		kept = append(kept, a)
	}
	d.plan.Actions = kept
}

// decideMark keeps the archiver's marks in step with the segments: the mark of
// a segment that leaves goes too, so that nobody archives it by its name, and
// the source's mark comes with a segment that is fetched.
func (d *decider) decideMark(p Pair, segment pg.SegmentName) {
	if p.Target != nil {
		if d.diverged(segment) {
			d.remove(p.Target, ReasonDiverged)
		}
		return
	}
	if d.replays(segment) && !d.sharedPast(segment) {
		d.add(Action{Kind: CopyFile, Path: p.Path, Size: p.Source.Size, Reason: ReasonReplay})
	}
}

// diverged tells whether the target's segment holds, or may hold, records that
// the source's history does not have: it lies on a timeline that is not in the
// source's path at that place, or goes past the fork.
func (d *decider) diverged(n pg.SegmentName) bool {
	span := d.in.WALSegmentSize.Span(n.Number)
	if span.To > d.in.Fork.LSN {
		return true
	}
	return !slices.Contains(d.in.SourcePath.SegmentTimelines(d.in.WALSegmentSize, n.Number), n.Timeline)
}

// holdsFork tells whether the fork lies within the segment or at its beginning,
// on the timeline that both sides share up to it.
func (d *decider) holdsFork(n pg.SegmentName) bool {
	span := d.in.WALSegmentSize.Span(n.Number)
	return n.Timeline == d.in.Fork.Timeline && span.Contains(d.in.Fork.LSN)
}

// sharedPast tells whether the segment ends at or before the fork on a
// timeline that the source descends from.
func (d *decider) sharedPast(n pg.SegmentName) bool { return !d.diverged(n) }

// replays tells whether replay from the label will read the source's segment
// of that name. Segments past the source's end are recycled ones that hold old
// bytes under a future name.
func (d *decider) replays(n pg.SegmentName) bool {
	size := d.in.WALSegmentSize
	return n.Number >= size.Number(d.in.Label.Redo) && size.Start(n.Number) <= d.in.SourceEnd &&
		slices.Contains(d.in.SourcePath.SegmentTimelines(size, n.Number), n.Timeline)
}

// foreignHistory tells whether the name is the history of a timeline that the
// source does not descend from: a server that looks for the newest timeline
// would follow it.
func (d *decider) foreignHistory(name string) bool {
	tli, ok := pg.ParseHistoryName(name)
	if !ok {
		return false
	}
	for _, step := range d.in.SourcePath {
		if step.Timeline == tli {
			return false
		}
	}
	return true
}
