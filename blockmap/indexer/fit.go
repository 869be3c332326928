package indexer

import (
	"context"
	"fmt"
	"slices"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// fits tells why a choice is not part of the path: its pages belong to other
// timelines than the path has there. Pages keep the timeline under which they
// were begun, so a page belongs to the owner of its first byte.
func (s *scan) fits(c *choice) string {
	h := c.head
	if h.Records == 0 {
		return ""
	}
	type sight struct {
		at  pg.LSN
		tli pg.TimelineID
	}
	sights := []sight{{h.First, h.FirstTimeline}, {h.Last, h.LastTimeline}}
	for _, e := range c.events() {
		if e.Kind == blockmap.TimelineBegin {
			sights = append(sights, sight{e.At, e.PrevTimeline}, sight{e.LSN, e.Timeline})
		}
	}
	end := s.usable(h.Name).To
	for _, seen := range sights {
		if owner := s.path.Owner(s.g.Page(seen.at)); seen.at < end && owner != seen.tli {
			return fmt.Sprintf("segment %s is of another branch of the log: its page at %s is of timeline %d, the history has timeline %d there",
				h.Name.Format(s.size), s.g.Page(seen.at), seen.tli, owner)
		}
	}
	return ""
}

// events are what is known of the segment's events.
func (c *choice) events() []blockmap.Event {
	if c.contents == nil || c.contents == c.head {
		return c.head.Events
	}
	return slices.Concat(c.head.Events, c.contents.Events)
}

// check verifies the joint between the log so far and the choice.
func (s *scan) check(ctx context.Context, p *position, c *choice) (reason string, err error) {
	h := c.head
	if h.FirstTimeline != h.LastTimeline && c.contents == nil {
		if err := s.load(ctx, c); err != nil {
			return "", err
		}
		if reason := s.fits(c); reason != "" {
			return reason, nil
		}
	}
	j := &s.joint
	if !j.known && s.suspect[h.Name.Timeline] {
		return fmt.Sprintf("segment %s may be of another branch: one before it is, and between them nothing is known", p.name.Format(s.size)), nil
	}
	if j.end == 0 || h.Records == 0 {
		return "", nil
	}
	start := s.g.RecordStart(j.end)
	wrong := func(want string) (string, error) {
		s.suspect[h.Name.Timeline] = true
		return fmt.Sprintf("segment %s does not go on with the log before it: its first record at %s links back to %s, not to %s",
			p.name.Format(s.size), h.First, h.FirstPrev, want), nil
	}
	switch {
	case j.known && h.FirstPrev != j.last:
		return wrong(j.last.String())
	case j.crossing && p.n == j.number+1 && h.FirstPrev != start:
		return wrong(start.String())
	case !j.known && h.FirstPrev < start:
		return wrong("a record from " + start.String() + " on")
	case !j.known || h.First == start:
		return "", nil
	}
	if err := s.load(ctx, c); err != nil {
		return "", err
	}
	for _, e := range c.events() {
		if e.Kind == blockmap.OverwrittenContrecord && e.LSN == h.First && e.At == start {
			return "", nil
		}
	}
	return fmt.Sprintf("segment %s begins with a record at %s, the record before it ends at %s", p.name.Format(s.size), h.First, j.end), nil
}
