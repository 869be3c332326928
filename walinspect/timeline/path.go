package timeline

import "forkpoint/walinspect/pg"

// Step is one timeline of a [Path] and the range of the log that the path
// takes from it.
type Step struct {
	Timeline pg.TimelineID `json:"timeline"`
	Begin    pg.LSN        `json:"begin"` // 0 for the oldest
	End      pg.LSN        `json:"end"`   // first position of the next timeline; [pg.MaxLSN] for the tip
}

// Span is the step's range of the log.
func (s Step) Span() pg.Span { return pg.Span{From: s.Begin, To: s.End} }

// Path is the chain of timelines that leads to a tip, oldest first. It is
// never empty when it comes from [History.Path] or [SingleTimeline].
type Path []Step

// SingleTimeline is the path of a timeline without ancestors.
func SingleTimeline(tli pg.TimelineID) Path {
	return Path{{Timeline: tli, End: pg.MaxLSN}}
}

// Path is the chain of timelines that the file tells of. A position of 0 has
// no end before it for the server, and so here.
func (h *History) Path() Path {
	p := make(Path, 0, len(h.Entries)+1)
	begin := pg.InvalidLSN
	for _, e := range h.Entries {
		p = append(p, Step{e.Timeline, begin, endOr(e.End)})
		begin = e.End
	}
	return append(p, Step{h.Timeline, begin, pg.MaxLSN})
}

func endOr(l pg.LSN) pg.LSN {
	if !l.Valid() {
		return pg.MaxLSN
	}
	return l
}

// Tip is the newest timeline, 0 for an empty path.
func (p Path) Tip() pg.TimelineID {
	if len(p) == 0 {
		return 0
	}
	return p[len(p)-1].Timeline
}

// Step gives the path's part on a timeline; false if it does not lead over it.
func (p Path) Step(tli pg.TimelineID) (Step, bool) {
	for _, s := range p {
		if s.Timeline == tli {
			return s, true
		}
	}
	return Step{}, false
}

// Owner is the timeline that the byte at l belongs to on this path
// (tliOfPointInHistory in src/backend/access/transam/timeline.c); 0 if none,
// which takes an empty path.
func (p Path) Owner(l pg.LSN) pg.TimelineID {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].Begin <= l && (l < p[i].End || p[i].End == pg.MaxLSN) {
			return p[i].Timeline
		}
	}
	return 0
}

// SegmentTimelines lists the timelines under whose name a file can hold
// segment n of this path, newest first, which is the order to try them in:
// the segment in which a timeline begins starts with a copy of what the parent
// had there, so the newer file holds all that the older one does.
//
// It is the server's choice (XLogFileReadAnyTLI in
// src/backend/access/transam/xlogrecovery.c) with one exception: timelines
// that were left before the segment are not in the list. What a file of
// theirs has there is not part of this path.
func (p Path) SegmentTimelines(size pg.SegmentSize, n uint64) []pg.TimelineID {
	var list []pg.TimelineID
	for i := len(p) - 1; i >= 0; i-- {
		if size.Number(p[i].Begin) <= n && p[i].End > size.Start(n) {
			list = append(list, p[i].Timeline)
		}
	}
	return list
}
