package timeline

import (
	"errors"
	"fmt"

	"forkpoint/walinspect/pg"
)

// ErrUnrelated is matched when two paths have no timeline in common.
var ErrUnrelated = errors.New("no common ancestor of the timelines")

// ForkPoint is where two paths part.
type ForkPoint struct {
	LSN      pg.LSN        `json:"lsn"`      // first position that is not shared; [pg.MaxLSN] if there is none
	Timeline pg.TimelineID `json:"timeline"` // the last one in common
	Source   pg.TimelineID `json:"source"`   // timeline on which the source goes on at LSN
	Target   pg.TimelineID `json:"target"`   // the same for the target
}

// Same tells whether the two paths do not part at all.
func (f ForkPoint) Same() bool { return f.LSN == pg.MaxLSN }

// CommonAncestor finds where source and target part: after the last timeline
// that both have with the same beginning, at the earlier of its two ends
// (findCommonAncestorTimeline in src/bin/pg_rewind/pg_rewind.c). A timeline
// number that both have with different beginnings is two timelines.
func CommonAncestor(source, target Path) (ForkPoint, error) {
	n := 0
	for n < len(source) && n < len(target) && source[n].Timeline == target[n].Timeline && source[n].Begin == target[n].Begin {
		n++
	}
	if n == 0 {
		return ForkPoint{}, fmt.Errorf("%w: source begins with %s, target with %s", ErrUnrelated, source.origin(), target.origin())
	}
	last := n - 1
	return ForkPoint{
		LSN:      min(source[last].End, target[last].End),
		Timeline: source[last].Timeline,
		Source:   source.after(last, target),
		Target:   target.after(last, source),
	}, nil
}

// after is the timeline on which p goes on where it parts from other: its next
// one if it leaves step i there, else the same one.
func (p Path) after(i int, other Path) pg.TimelineID {
	if i+1 < len(p) && p[i].End <= other[i].End {
		return p[i+1].Timeline
	}
	return p[i].Timeline
}

// origin describes a path's first step for an error.
func (p Path) origin() string {
	if len(p) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("timeline %d at %s", p[0].Timeline, p[0].Begin)
}
