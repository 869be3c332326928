package lineage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/rmgr"
	"forkpoint/walinspect/segment"
)

// Switch is the beginning of a timeline as the log itself tells it.
type Switch struct {
	Timeline pg.TimelineID `json:"timeline"`
	Parent   pg.TimelineID `json:"parent"`
	LSN      pg.LSN        `json:"lsn"`    // the switch point, as a history file gives it
	Record   string        `json:"record"` // END_OF_RECOVERY or CHECKPOINT_SHUTDOWN
	Time     time.Time     `json:"time"`
	Path     string        `json:"path"` // of the segment file
}

// Unread is a segment that does not tell what it should.
type Unread struct {
	Timeline pg.TimelineID
	File     string // its name
	Why      string
}

// Switches finds the beginnings of timelines in a source: for each timeline
// but the first, the record that begins it, if the segment in which it does so
// is there. Where the first segment of a timeline that is there cannot be read
// to its end, and the record was not found before, it is unread.
func Switches(ctx context.Context, s segment.Source, g walinspect.Geometry) (found []Switch, unread []Unread, err error) {
	first, err := lowest(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	for _, tli := range slices.Sorted(maps.Keys(first)) {
		if tli == 1 {
			continue
		}
		sw, ok, why := findSwitch(ctx, s, g, pg.SegmentName{Timeline: tli, Number: first[tli]})
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case ok:
			found = append(found, sw)
		case why != "":
			unread = append(unread, Unread{tli, g.SegmentSize.Name(tli, first[tli]), why})
		}
	}
	return found, unread, nil
}

// lowest is the number of each timeline's first segment.
func lowest(ctx context.Context, s segment.Source) (map[pg.TimelineID]uint64, error) {
	first := map[pg.TimelineID]uint64{}
	for info, err := range s.List(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", s, err)
		}
		if n, seen := first[info.Name.Timeline]; !seen || info.Name.Number < n {
			first[info.Name.Timeline] = info.Name.Number
		}
	}
	return first, nil
}

// findSwitch reads a segment up to the record that begins its timeline.
func findSwitch(ctx context.Context, s segment.Source, g walinspect.Geometry, name pg.SegmentName) (sw Switch, found bool, unread string) {
	pages := segment.NewPages(s, g.SegmentSize, segment.OneTimeline(name.Timeline))
	defer pages.Close()
	span := g.SegmentSize.Span(name.Number)
	from, err := walinspect.FirstRecord(ctx, pages, g, span.From)
	if err != nil {
		return Switch{}, false, err.Error()
	}
	r := walinspect.NewReader(pages, g, from)
	r.SetLimit(span.To)
	for r.Next(ctx) {
		sw, is := beginning(r.Record())
		if !is || sw.Timeline != name.Timeline {
			continue
		}
		sw.LSN = border(g, r.Record().LSN)
		if f := pages.File(); f != nil {
			sw.Path = f.Path
		}
		return sw, true, ""
	}
	if stop := r.Stop(); stop.Reason != walinspect.StopLimit && !stop.Reason.EndOfWAL() {
		unread = stop.String()
	}
	return Switch{}, false, unread
}

// beginning reads a record that begins a timeline.
func beginning(rec *walinspect.Record) (Switch, bool) {
	if rec.Rmgr != pg.RmgrXLOG {
		return Switch{}, false
	}
	if e, err := rmgr.DecodeEndOfRecovery(rec); err == nil {
		return Switch{Timeline: e.Timeline, Parent: e.PrevTimeline, Time: e.Time, Record: "END_OF_RECOVERY"}, e.Timeline != e.PrevTimeline
	}
	if c, err := rmgr.DecodeCheckpoint(rec); err == nil {
		return Switch{Timeline: c.Timeline, Parent: c.PrevTimeline, Time: c.Time, Record: "CHECKPOINT_SHUTDOWN"}, c.Timeline != c.PrevTimeline
	}
	return Switch{}, false
}

// border turns the start of a record into the end of the one before it: the
// same, but where a page header lies between them.
func border(g walinspect.Geometry, start pg.LSN) pg.LSN {
	if page := g.Page(start); g.RecordStart(page) == start {
		return page
	}
	return start
}

// BorderVerdict says whether a position is where a record ends.
type BorderVerdict string

const (
	BorderHolds   BorderVerdict = "record-border"
	BorderInside  BorderVerdict = "inside-record" // a record goes across it
	BorderBeyond  BorderVerdict = "beyond-end"    // the log ends before
	BorderUnknown BorderVerdict = "unknown"       // no segment to tell by
)

// Border is what the log says about a switch point.
type Border struct {
	Verdict BorderVerdict
	Last    pg.LSN // end of the last record before, or of the one across
	Why     string // of an unknown one: what could not be read
}

// CheckBorder reads the segment before a switch point as the parent timeline
// has it and tells whether a record ends there.
func CheckBorder(ctx context.Context, s segment.Source, g walinspect.Geometry, tli pg.TimelineID, lsn pg.LSN) (Border, error) {
	unknown := Border{Verdict: BorderUnknown}
	if !lsn.Valid() {
		return unknown, nil
	}
	pages := segment.NewPages(s, g.SegmentSize, segment.OneTimeline(tli))
	defer pages.Close()
	start := g.SegmentSize.Start(g.SegmentSize.Number(lsn - 1))
	from, err := walinspect.FirstRecord(ctx, pages, g, start)
	if err != nil {
		unknown.Why = err.Error()
	}
	if err != nil || from >= lsn {
		return unknown, ctx.Err()
	}
	r := walinspect.NewReader(pages, g, from)
	r.SetLimit(lsn)
	var last pg.LSN
	for r.Next(ctx) {
		last = r.Record().End
	}
	switch stop := r.Stop(); {
	case ctx.Err() != nil:
		return unknown, context.Cause(ctx)
	case last == lsn || last.Valid() && g.RecordStart(last) == lsn:
		return Border{Verdict: BorderHolds, Last: last}, nil
	case last > lsn:
		return Border{Verdict: BorderInside, Last: last}, nil
	case stop.Reason.EndOfWAL():
		return Border{Verdict: BorderBeyond, Last: last}, nil
	default:
		unknown.Why = stop.String()
		return unknown, nil
	}
}
