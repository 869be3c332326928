package lineage

import (
	"errors"
	"fmt"
	"slices"

	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// ErrNoEvidence is matched where neither a file nor the log tells from which
// timeline one was continued.
var ErrNoEvidence = errors.New("no evidence for the beginning of the timeline")

// Evidence is what a history can be rebuilt from.
type Evidence struct {
	Histories []File   // whole files that a server would read
	Switches  []Switch // what the log tells; it has checksums and goes before files
}

// File is a history file and where it was found.
type File struct {
	*timeline.History
	Path string
}

// Rebuilt is a history that was put together again.
type Rebuilt struct {
	History *timeline.History
	Origins []string // of each row, in words
	Doubts  []string // evidence that says otherwise
}

// reasonRebuilt stands in rows whose reason is lost.
const reasonRebuilt = "reconstructed by forkpoint from the log"

// Rebuild puts the history of a timeline together from other files and from the
// log. The timeline's own file must not be among the evidence.
func Rebuild(tli pg.TimelineID, e Evidence) (*Rebuilt, error) {
	r := &Rebuilt{History: &timeline.History{Timeline: tli}}
	for child := tli; child > 1; {
		row, origin, err := e.beginning(child, r)
		if err != nil {
			return nil, err
		}
		if row.Timeline >= child {
			return nil, fmt.Errorf("timeline %d cannot have begun from timeline %d (%s)", child, row.Timeline, origin)
		}
		r.History.Entries = append(r.History.Entries, row)
		r.Origins = append(r.Origins, origin)
		child = row.Timeline
	}
	slices.Reverse(r.History.Entries)
	slices.Reverse(r.Origins)
	for i := range r.History.Entries {
		r.History.Entries[i].Line = i + 1
	}
	return r, nil
}

// beginning is the row for the parent of a timeline.
func (e *Evidence) beginning(child pg.TimelineID, r *Rebuilt) (row timeline.Entry, origin string, err error) {
	for _, f := range e.Histories {
		told, found := toldBy(f.History, child)
		switch {
		case !found:
		case origin == "":
			row, origin = told, fmt.Sprintf("%s line %d", f.Path, told.Line)
		case told.Timeline != row.Timeline || told.End != row.End:
			r.Doubts = append(r.Doubts, fmt.Sprintf("timeline %d left timeline %d at %s by %s, but timeline %d at %s by %s line %d",
				child, row.Timeline, row.End, origin, told.Timeline, told.End, f.Path, told.Line))
		}
	}
	for _, sw := range e.Switches {
		if sw.Timeline != child {
			continue
		}
		from := fmt.Sprintf("%s record at %s in %s", sw.Record, sw.LSN, sw.Path)
		if origin != "" && sw.Parent == row.Timeline && sw.LSN == row.End {
			return row, origin + ", confirmed by the " + from, nil
		}
		if origin != "" {
			r.Doubts = append(r.Doubts, fmt.Sprintf("timeline %d left timeline %d at %s by %s, but timeline %d at %s by the %s; the log counts",
				child, row.Timeline, row.End, origin, sw.Parent, sw.LSN, from))
		}
		return timeline.Entry{Timeline: sw.Parent, End: sw.LSN, Reason: reasonRebuilt}, from, nil
	}
	if origin == "" {
		return row, "", fmt.Errorf("%w %d: no other history file names it, and the segment in which it begins is not at hand", ErrNoEvidence, child)
	}
	return row, origin, nil
}

// toldBy is what a file says of the beginning of a timeline: of its own, or of
// an ancestor's.
func toldBy(h *timeline.History, child pg.TimelineID) (timeline.Entry, bool) {
	for i, b := range h.Branches() {
		if b.Timeline == child {
			return h.Entries[i], true
		}
	}
	return timeline.Entry{}, false
}
