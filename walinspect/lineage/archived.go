package lineage

import (
	"context"
	"fmt"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
)

// Farthest is how many segments an archive is asked for before the end of side
// A, and how many a restore_command fetches between there and side B's own log.
const Farthest = 64

// Compare compares two logs over what both hold of their last timeline, and
// looks for the proof that what is the same is of one origin. end is where side
// A ends.
func Compare(ctx context.Context, l Logs, end pg.LSN) (*Comparison, error) {
	c, err := FirstDifference(ctx, l, pg.Span{From: l.Path[len(l.Path)-1].Begin, To: pg.MaxLSN})
	if err != nil || c.Earlier {
		return c, err
	}
	end = min(c.Alike, end)
	if c.Differs {
		end = c.Fork
	}
	c.Vouched, err = Vouch(ctx, l, end)
	return c, err
}

// PartOf tells whether a comparison shows all of side A's log, which ends at
// end, to be side B's.
func (c *Comparison) PartOf(g walinspect.Geometry, end pg.LSN) bool {
	return !c.Differs && c.Vouched.Valid() && g.RecordStart(c.Alike) >= g.RecordStart(end)
}

// Archived is what archives show of two logs of which B has recycled what both
// could have in common.
type Archived struct {
	Comparison *Comparison // nil where A's log is not shown to be a part of B's
	Unsure     string      // what is in the way then
}

// CompareArchived compares two logs where side B has recycled its part of what
// both could have in common, and an archive has it. That can show that A's log
// is a part of B's and no more: whose log an archive has is not sure enough to
// tell where logs parted. a and b are where the two end.
func CompareArchived(ctx context.Context, l Logs, archive segment.Source, a, b pg.LSN) (*Archived, error) {
	size, tip := l.Geometry.SegmentSize, l.Path[len(l.Path)-1]
	last := size.Number(max(a, 1) - 1)
	for back := uint64(1); ; back *= 2 { // one is mostly enough to tell
		from := max(size.Start(last-min(back, last)), tip.Begin)
		joined, err := Join(ctx, l, archive, pg.Span{From: from, To: b})
		if err != nil {
			return nil, fmt.Errorf("join the source's WAL with archives: %w", err)
		}
		if joined.Segments() == 0 {
			return &Archived{Unsure: joined.Unsure}, nil
		}
		with := l
		with.B, with.Known = joined, nil
		c, err := Compare(ctx, with, a)
		if err != nil {
			return nil, err
		}
		switch {
		case c.Differs:
			return &Archived{Unsure: fmt.Sprintf("by what %s has of the source's log, the two differ at %s, but whose log an archive has is not sure enough to rewind by it", archive, c.At)}, nil
		case c.PartOf(l.Geometry, a) && c.Vouched < joined.Linked:
			return &Archived{Unsure: onlyLinked(l, archive, c, joined.Linked)}, nil
		case c.PartOf(l.Geometry, a):
			return &Archived{Comparison: c}, nil
		case c.Vouched.Valid() || joined.Unsure != "" || from <= tip.Begin:
			return &Archived{Unsure: firstOf(joined.Unsure, c.Unsure)}, nil // what is older cannot help, or is not to be had
		case back >= Farthest:
			return &Archived{Unsure: fmt.Sprintf("%s was asked for no more than %d segments before the target's end, and no record in these carries a time that would show the logs to be of one server", archive, Farthest)}, nil
		}
	}
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// onlyLinked says why a border that no record crosses joins nothing, and what
// would settle it. Servers that wrote apart from each other under one timeline,
// and little, so that archive_timeout ended their segments, can have such
// borders in common.
func onlyLinked(l Logs, archive segment.Source, c *Comparison, border pg.LSN) string {
	size, tli := l.Geometry.SegmentSize, l.Path.Tip()
	before := size.Number(border) - 1
	own := size.Name(tli, before)
	if first := size.Number(c.Vouched); first < before {
		own = fmt.Sprintf("%s to %s", size.Name(tli, first), own)
	}
	return fmt.Sprintf("no record goes on over %s, where %s of %s ends, so that nothing shows that the source wrote it: the source's own %s, restored into its pg_wal, would settle it",
		border, size.Name(tli, before), archive, own)
}
