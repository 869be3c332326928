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

	// beyond is the end of the last segment that is there but could not be
	// joined, or not to its end: the log does not end before it.
	beyond  pg.LSN
	reasons []string // why nothing is known from at on, the first few
	more    uint64   // segments that have further reasons
	stop    walinspect.StopReason
	detail  string
}

// settle decides on the pending positions, now that the one after them is
// known, and joins all of them. next is nil at the end of the walk.
func (s *scan) settle(ctx context.Context, next *position) error {
	s.endInFiles(next)
	s.prune(next)
	for _, p := range s.pending {
		if p.file != nil && (len(p.choices) == 0 || slices.Contains(p.choices, p.file)) {
			p.choices = []*choice{p.file} // nothing shows that the log went on
		}
		if len(p.choices) > 1 {
			p.reason = fmt.Sprintf("%s; %d stored variants of it would fit", p.reason, len(p.choices))
			p.choices, p.there = nil, true
		}
		if err := s.join(ctx, p); err != nil {
			return err
		}
	}
	s.pending = nil
	if next == nil {
		if err := s.addAll(ctx); err != nil {
			return err
		}
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
	if err := s.loadWanted(ctx, c); err != nil {
		return err
	}
	for _, e := range c.events() {
		if e.Kind == blockmap.Switch && e.LSN == c.head.Last {
			j.stop, j.detail = walinspect.StopSwitchTail, "the last record switches to a new segment; "+s.reason()
		}
	}
	return nil
}

// join adds a position to the log.
func (s *scan) join(ctx context.Context, p *position) error {
	if len(p.choices) == 0 {
		s.miss(p)
		return nil
	}
	c := p.choices[0]
	if reason, err := s.check(ctx, p, c); reason != "" || err != nil {
		p.reason, p.there = reason, true
		s.miss(p)
		return err
	}
	if err := s.cover(c); err != nil {
		return err
	}
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
	if put, err := s.postpone(ctx, c); put || err != nil {
		return err
	}
	if err := s.addAll(ctx); err != nil {
		return err
	}
	if err := s.loadWanted(ctx, c); err != nil {
		return err
	}
	return s.gather(c)
}

// miss notes that nothing is known of a segment.
func (s *scan) miss(p *position) {
	j := &s.joint
	j.known = false
	if len(j.reasons) == 0 && j.stop == walinspect.StopNone {
		j.stop, j.detail = p.stop, p.reason
	}
	if p.there {
		j.beyond = s.size.Start(p.n + 1)
	}
	if len(j.reasons) < shownReasons {
		j.reasons = append(j.reasons, p.reason)
		return
	}
	j.more += 1 + p.others
}

// shownReasons is how many segments a message tells about one by one.
const shownReasons = 3

// cover accounts for the part of the log that the choice tells about.
func (s *scan) cover(c *choice) error {
	h, j := c.head, &s.joint
	from := max(c.part.From, s.span.From)
	to := c.part.To
	ended := !h.Complete && h.Stop != ""
	if ended {
		to = min(to, s.g.RecordStart(h.End))
	}
	if at := max(j.at, s.span.From); at < from {
		if err := s.gap(at, from); err != nil {
			return err
		}
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
		if !j.stop.MayEndLog() {
			j.beyond = s.size.Start(h.Name.Number + 1)
		}
	case c.part.To < s.size.Span(h.Name.Number).To:
		// The rest of the file is of another branch, or not asked for.
		j.known, j.last, j.end = false, 0, c.part.To
		j.reasons = []string{fmt.Sprintf("the path leaves timeline %d at %s and there is no segment of a newer timeline", h.Name.Timeline, c.part.To)}
	}
	return nil
}

// gap notes that neither the log nor the cache tells about a part.
func (s *scan) gap(from, to pg.LSN) error {
	missing, reason := []pg.Span{{From: from, To: to}}, s.reason()
	if s.request.summaries && s.ix.opts.Summaries != nil {
		var err error
		if missing, err = s.summarized(missing[0]); err != nil {
			return err
		}
	}
	for _, span := range missing {
		s.result.Gaps = append(s.result.Gaps, Gap{span, reason})
	}
	return nil
}

// reason puts into words why nothing is known from the joint on.
func (s *scan) reason() string {
	j := &s.joint
	if len(j.reasons) == 0 {
		return fmt.Sprintf("no segment is in %s", s.pool)
	}
	text := strings.Join(j.reasons, "; ")
	if j.more > 0 {
		text += fmt.Sprintf("; and %d more segments", j.more)
	}
	return text
}

// gather takes in the contents of a choice.
func (s *scan) gather(c *choice) error {
	defer c.release()
	contents := c.contents
	exact := contents != c.head || c.inside()
	if s.only != nil && contents == c.head {
		if !c.mentions(s.only) {
			return nil
		}
		exact = false
	}
	end := contents.End
	if !exact {
		if !s.marks {
			widened := *contents
			widened.Touched = unrestored(contents.Touched)
			contents = &widened
		}
		s.result.Widened = append(s.result.Widened, c.part)
		end = min(end, c.part.To)
	}
	s.result.Bytes += contents.Bytes
	s.result.End = max(s.result.End, end)
	return s.merge.add(contents, c.part)
}

// finish closes the result.
func (s *scan) finish() error {
	r, j := s.result, &s.joint
	var err error
	at := max(j.at, s.span.From)
	if reach := min(s.g.RecordStart(j.end), s.span.To); j.started && at < reach && (reach == s.span.To || j.stop.EndOfWAL()) {
		// The last record goes on up to there: none can begin behind its segment.
		s.result.Coverage.add(pg.Span{From: at, To: reach}, s.joined.rung)
		at = reach
	}
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
		switch {
		case s.span.To != pg.MaxLSN || !j.started:
			err = s.gap(at, s.span.To)
		case j.beyond > at:
			err = s.gap(at, j.beyond)
		}
	}
	if s.merge != nil {
		s.merge.finish()
	}
	return err
}
