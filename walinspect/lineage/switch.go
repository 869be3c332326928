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

// Switches finds the beginnings of timelines in a source: for each timeline
// but the first, the record that begins it, if the segment in which it does so
// is there. What cannot be read is left out; it says nothing.
func Switches(ctx context.Context, s segment.Source, g walinspect.Geometry) ([]Switch, error) {
	first, err := lowest(ctx, s)
	if err != nil {
		return nil, err
	}
	var found []Switch
	for _, tli := range slices.Sorted(maps.Keys(first)) {
		if tli == 1 {
			continue
		}
		sw, ok := findSwitch(ctx, s, g, pg.SegmentName{Timeline: tli, Number: first[tli]})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if ok {
			found = append(found, sw)
		}
	}
	return found, nil
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
func findSwitch(ctx context.Context, s segment.Source, g walinspect.Geometry, name pg.SegmentName) (Switch, bool) {
	pages := segment.NewPages(s, g.SegmentSize, segment.OneTimeline(name.Timeline))
	defer pages.Close()
	span := g.SegmentSize.Span(name.Number)
	from, err := walinspect.FirstRecord(ctx, pages, g, span.From)
	if err != nil {
		return Switch{}, false
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
		return sw, true
	}
	return Switch{}, false
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

// CheckBorder reads the segment before a switch point as the parent timeline
// has it and tells whether a record ends there. last is the end of the last
// record before it, or of the one that goes across.
func CheckBorder(ctx context.Context, s segment.Source, g walinspect.Geometry, tli pg.TimelineID, lsn pg.LSN) (verdict BorderVerdict, last pg.LSN, err error) {
	if !lsn.Valid() {
		return BorderUnknown, 0, nil
	}
	pages := segment.NewPages(s, g.SegmentSize, segment.OneTimeline(tli))
	defer pages.Close()
	start := g.SegmentSize.Start(g.SegmentSize.Number(lsn - 1))
	from, err := walinspect.FirstRecord(ctx, pages, g, start)
	if err != nil || from >= lsn {
		return BorderUnknown, 0, ctx.Err() // what cannot be read says nothing
	}
	r := walinspect.NewReader(pages, g, from)
	r.SetLimit(lsn)
	for r.Next(ctx) {
		last = r.Record().End
	}
	switch stop := r.Stop(); {
	case ctx.Err() != nil:
		return BorderUnknown, 0, context.Cause(ctx)
	case last == lsn || last.Valid() && g.RecordStart(last) == lsn:
		return BorderHolds, last, nil
	case last > lsn:
		return BorderInside, last, nil
	case stop.Reason.EndOfWAL():
		return BorderBeyond, last, nil
	}
	return BorderUnknown, last, nil
}
