package indexer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// joint is where the log that was joined so far ends.
type joint struct {
	started bool   // something was joined
	at      pg.LSN // all before is accounted for, or noted as a gap
	number  uint64 // of the last segment that was joined
	last    pg.LSN // start of the last record
	end     pg.LSN // and its end
	// known holds where the next segment must go on from that record; crossing
	// where another follows it that could not be read and reaches into the next
	// segment.
	known, crossing bool

	reasons []string // why nothing is known from at on
	stop    walinspect.StopReason
	detail  string
}

// settle decides on the pending positions, now that the one after them is
// known, and joins all of them. next is nil at the end of the walk.
func (s *scan) settle(ctx context.Context, next *position) error {
	s.prune(next)
	for _, p := range s.pending {
		if len(p.choices) > 1 {
			p.reason = fmt.Sprintf("%s; %d stored variants of it would fit", p.reason, len(p.choices))
			p.choices = nil
		}
		if err := s.join(ctx, p); err != nil {
			return err
		}
	}
	s.pending = nil
	if next == nil {
		return s.nameEnd(ctx)
	}
	return s.join(ctx, next)
}

// nameEnd tells the end of a log whose last record gave up the rest of its
// segment from one that breaks off because a segment is missing.
func (s *scan) nameEnd(ctx context.Context) error {
	j, c := &s.joint, s.joined
	if c == nil || c.head.Records == 0 || c.head.End != j.at || j.at >= s.span.To {
		return nil
	}
	switch j.stop {
	case walinspect.StopNone, walinspect.StopMissingSegment, walinspect.StopRecycled, walinspect.StopCleanEnd:
	default:
		return nil
	}
	if err := s.load(ctx, c); err != nil {
		return err
	}
	for _, e := range c.events() {
		if e.Kind == blockmap.Switch && e.LSN == c.head.Last {
			j.stop, j.detail = walinspect.StopSwitchTail, "the last record switches to a new segment; "+s.reason()
		}
	}
	return nil
}

// prune takes away stored variants that do not join what is beside them, until
// all that are left do.
func (s *scan) prune(next *position) {
	row := s.pending
	if next != nil {
		row = append(row[:len(row):len(row)], next)
	}
	for changed := true; changed; {
		changed = false
		kept := make([][]*choice, len(s.pending))
		for i, p := range s.pending {
			for _, c := range p.choices {
				if s.joinsLeft(row, i, c) && s.joinsRight(row, i, c) {
					kept[i] = append(kept[i], c)
				}
			}
		}
		for i, p := range s.pending {
			if len(kept[i]) == len(p.choices) {
				continue
			}
			changed = true
			if p.choices = kept[i]; len(p.choices) == 0 {
				p.reason += "; what is stored of it does not join the segments beside it"
			}
		}
	}
}

func (s *scan) joinsLeft(row []*position, i int, c *choice) bool {
	if i == 0 {
		return !s.joint.known || s.follows(s.joint.last, s.joint.end, c)
	}
	return len(row[i-1].choices) == 0 || anyOf(row[i-1].choices, func(left *choice) bool { return s.mayFollow(left, c) })
}

func (s *scan) joinsRight(row []*position, i int, c *choice) bool {
	if i == len(row)-1 || len(row[i+1].choices) == 0 {
		return true
	}
	return anyOf(row[i+1].choices, func(right *choice) bool { return s.mayFollow(c, right) })
}

func anyOf(choices []*choice, holds func(*choice) bool) bool {
	for _, c := range choices {
		if holds(c) {
			return true
		}
	}
	return false
}

// mayFollow tells whether right can be what comes after left. A segment that
// one record fills says nothing of its own; joining then checks its neighbours.
func (s *scan) mayFollow(left, right *choice) bool {
	if left.head.Records == 0 || right.head.Records == 0 {
		return true
	}
	return left.head.Complete && s.follows(left.head.Last, left.head.End, right)
}

// follows tells whether the segment's first record comes after the one that
// starts at last and ends at end.
func (s *scan) follows(last, end pg.LSN, c *choice) bool {
	h := c.head
	return h.Records == 0 || h.FirstPrev == last && (s.g.RecordStart(end) == h.First || h.First > end)
}

// join adds a position to the log.
func (s *scan) join(ctx context.Context, p *position) error {
	if len(p.choices) == 0 {
		s.miss(p.reason, p.stop)
		return nil
	}
	c := p.choices[0]
	if reason, err := s.check(ctx, p, c); reason != "" || err != nil {
		s.miss(reason, walinspect.StopNone)
		return err
	}
	s.cover(c)
	s.joined = c
	s.result.Segments++
	if c.rung == RungWAL {
		s.result.Read++
	}
	if s.merge == nil {
		s.result.Bytes += c.head.Bytes
		s.result.End = max(s.result.End, c.head.End)
		return nil
	}
	if err := s.load(ctx, c); err != nil {
		return err
	}
	s.gather(c)
	return nil
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
	if j.last == 0 || h.Records == 0 {
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

// events are what is known of the segment's events.
func (c *choice) events() []blockmap.Event {
	if c.contents == nil || c.contents == c.head {
		return c.head.Events
	}
	return slices.Concat(c.head.Events, c.contents.Events)
}

// miss notes that nothing is known of a segment.
func (s *scan) miss(reason string, stop walinspect.StopReason) {
	j := &s.joint
	j.known = false
	if len(j.reasons) == 0 && j.stop == walinspect.StopNone {
		j.stop, j.detail = stop, reason
	}
	j.reasons = append(j.reasons, reason)
}

// cover accounts for the part of the log that the choice tells about.
func (s *scan) cover(c *choice) {
	h, j := c.head, &s.joint
	from := max(c.part.From, s.span.From)
	to := c.part.To
	ended := !h.Complete && h.Stop != ""
	if ended {
		to = min(to, s.g.RecordStart(h.End))
	}
	if at := max(j.at, s.span.From); at < from {
		s.gap(at, from)
	}
	s.result.Coverage.add(pg.Span{From: from, To: to}, c.rung)
	*j = joint{started: true, at: to, number: h.Name.Number, known: j.known, last: j.last, end: j.end}
	if h.Records > 0 {
		j.known, j.last, j.end = true, h.Last, h.End
	}
	switch {
	case ended && to < c.part.To:
		j.known, j.crossing = false, c.crosses
		j.stop, j.detail = walinspect.StopReason(h.Stop), h.StopDetail
		j.reasons = []string{h.StopDetail}
	case c.part.To < s.size.Span(h.Name.Number).To:
		j.known = false // the rest of the file is of another branch, or not asked for
		j.reasons = []string{fmt.Sprintf("the path leaves timeline %d at %s and there is no segment of a newer timeline", h.Name.Timeline, c.part.To)}
	}
}

func (s *scan) gap(from, to pg.LSN) {
	s.result.Gaps = append(s.result.Gaps, Gap{pg.Span{From: from, To: to}, s.reason()})
}

// reason puts into words why nothing is known from the joint on.
func (s *scan) reason() string {
	const shown = 3
	reasons := s.joint.reasons
	switch n := len(reasons); {
	case n == 0:
		return fmt.Sprintf("no segment is in %s", s.pool)
	case n > shown:
		return strings.Join(reasons[:shown], "; ") + fmt.Sprintf("; and %d more segments", n-shown)
	}
	return strings.Join(reasons, "; ")
}

// gather takes in the contents of a choice.
func (s *scan) gather(c *choice) {
	contents := c.contents
	exact := contents != c.head || c.inside()
	if s.only != nil && contents == c.head {
		if !c.mentions(s.only) {
			return
		}
		exact = false
	}
	end := contents.End
	if !exact {
		widened := *contents
		widened.Touched = unrestored(contents.Touched)
		contents = &widened
		s.result.Widened = append(s.result.Widened, c.part)
		end = min(end, c.part.To)
	}
	s.merge.add(contents, c.part)
	s.result.Bytes += contents.Bytes
	s.result.End = max(s.result.End, end)
}

// finish closes the result.
func (s *scan) finish() {
	r, j := s.result, &s.joint
	at := max(j.at, s.span.From)
	switch {
	case s.span.Empty():
		r.Stop = walinspect.StopLimit
	case j.started && at >= s.span.To:
		r.Stop = walinspect.StopLimit
	default:
		r.Stop, r.StopDetail = j.stop, j.detail
		if r.Stop == walinspect.StopNone {
			r.Stop, r.StopDetail = walinspect.StopMissingSegment, s.reason()
		}
		if s.span.To != pg.MaxLSN || !j.started {
			s.gap(at, s.span.To)
		}
	}
	if s.merge != nil {
		s.merge.finish()
	}
}

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
