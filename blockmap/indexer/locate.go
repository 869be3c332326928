package indexer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// position is the place of one segment in the scan.
type position struct {
	n       uint64
	name    pg.SegmentName
	others  uint64                // segments before it that it stands for too, see [scan.passOver]
	job     *job                  // to be read
	choices []*choice             // what the segment may be
	stored  bool                  // the choices come from the cache, and but for file have none
	file    *choice               // what a file that breaks off has, where the cache may have more
	reason  string                // why there is no choice
	stop    walinspect.StopReason // the same, if reading told
	there   bool                  // there is something that is no choice, so the log does not end before it
}

// written tells whether the segment has a file with records in it. It may wait
// for the file to be read.
func (p *position) written() bool {
	if p.job != nil {
		return p.job.wait().head != nil
	}
	return len(p.choices) > 0 && !p.stored
}

// breaksOff tells whether there was less in the segment's file than a server
// leaves in one before it begins the next. It may wait for the file to be read.
func (p *position) breaksOff() bool {
	if p.job != nil {
		out := p.job.wait()
		return out.err == nil && (out.head == nil || out.head.Stop != "")
	}
	return p.written() && p.choices[0].head.Stop != ""
}

// again looks at the segment's file anew, and reads it if it is not what it was.
func (s *scan) again(ctx context.Context, p *position) (*position, error) {
	f, err := s.ix.source.Open(ctx, p.name.Format(s.size)) // the pool may have it as it was
	if err != nil {
		return p, nil // what was read of it stands
	}
	f.Close() // read only
	fresh := &position{n: p.n, name: p.name}
	if err := s.prepare(ctx, fresh, f.Identity); err != nil {
		return nil, err
	}
	if fresh.job != nil {
		s.pool.renew() // its last record may end in later files
		fresh.job.done <- s.read(ctx, fresh.job, new(worker))
	}
	return fresh, nil
}

// choice is something that a segment may be.
type choice struct {
	head     *blockmap.Segment // without contents, unless they are the same
	contents *blockmap.Segment // nil where they must be loaded
	rung     Rung
	part     pg.Span // of the log, as far as the choice can tell about it
	crosses  bool    // after the last record one begins that could not be read and reaches into the next segment
}

// locate finds what there is of segment n: a file to be read, or one that the
// cache knows, or variants that are stored.
func (s *scan) locate(ctx context.Context, n uint64) (*position, error) {
	p := &position{n: n, name: s.nameOf(n)}
	for _, tli := range s.path.SegmentTimelines(s.size, n) {
		name := pg.SegmentName{Timeline: tli, Number: n}
		found, identity, err := s.find(ctx, name)
		if err != nil {
			p.reason, p.there = err.Error(), true
			break
		}
		if found {
			p.name = name
			return p, s.prepare(ctx, p, identity)
		}
	}
	if p.reason == "" {
		p.reason = fmt.Sprintf("segment %s is not in %s", p.name.Format(s.size), s.pool)
	}
	return p, s.lookUp(ctx, p)
}

// find tells whether the source has a segment, and its identity. One that was
// not listed is asked for by name.
func (s *scan) find(ctx context.Context, name pg.SegmentName) (found bool, identity string, err error) {
	if info, listed := s.listed[name]; listed {
		return true, info.Identity, nil
	}
	f, err := s.pool.Open(ctx, name.Format(s.size))
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	defer f.Close() // read only; it stays open in the pool
	return true, f.Identity, nil
}

// usable is what a file of that name holds of the path.
func (s *scan) usable(name pg.SegmentName) pg.Span {
	span := s.size.Span(name.Number)
	if step, on := s.path.Step(name.Timeline); on {
		span.To = min(span.To, step.End)
	}
	return span
}

// part is what of the span a file of that name can tell about.
func (s *scan) part(name pg.SegmentName) pg.Span {
	if s.whole {
		return s.usable(name)
	}
	return s.usable(name).Intersect(s.span)
}

// prepare decides whether the file must be read.
func (s *scan) prepare(ctx context.Context, p *position, identity string) error {
	part := s.part(p.name)
	key := blockmap.SegmentKey{SystemID: s.g.SystemID, SegmentSize: s.size, Name: p.name}
	head, known, err := s.ix.cache.ByIdentity(ctx, key, identity)
	if err != nil {
		return err
	}
	if known = known && s.current(head); known {
		c := &choice{head: head, rung: RungIndex, part: part}
		if p.reason = s.fits(c); p.reason != "" {
			p.there = true
			return s.lookUp(ctx, p)
		}
		use, err := s.sufficient(ctx, c)
		if err != nil {
			return err
		}
		if use {
			p.choices = []*choice{c}
			return s.mend(ctx, p)
		}
	}
	full := part == s.size.Span(p.n)
	j := &job{name: p.name, part: part, done: make(chan *outcome, 1)}
	j.whole = !known && (s.ix.caches || !s.contents || full && s.only == nil)
	j.exact = s.contents && (!j.whole || !full || s.only != nil)
	p.job = j
	if j.whole && s.ix.caches {
		j.earlier, err = s.earlier(ctx, key)
	}
	return err
}

// earlier lists the stored readings of a segment that may be the beginning of
// what its file holds by now.
func (s *scan) earlier(ctx context.Context, key blockmap.SegmentKey) ([]reading, error) {
	variants, err := s.ix.cache.Variants(ctx, key)
	var list []reading
	for _, v := range variants {
		if !v.Complete {
			list = append(list, reading{v.Records, v.Digest})
		}
	}
	return list, err
}

// current tells whether what is stored of an unchanged file is all that can be
// known of it. Where the log ended at the end of the file, the next file may
// tell more by now.
func (s *scan) current(head *blockmap.Segment) bool {
	if head.Complete {
		return true
	}
	switch walinspect.StopReason(head.Stop) {
	case walinspect.StopCleanEnd, walinspect.StopRecycled:
		return s.size.Number(s.g.RecordStart(head.End)) == head.Name.Number
	}
	return false
}

// sufficient tells whether a stored segment whose file is there answers the
// request, or the file must be read for a part of it.
func (s *scan) sufficient(ctx context.Context, c *choice) (bool, error) {
	if !s.contents {
		return true, nil
	}
	if s.only != nil {
		err := s.load(ctx, c)
		return err == nil && !c.mentions(s.only), err
	}
	return c.inside(), nil
}

// inside tells whether all records of the segment begin in the part.
func (c *choice) inside() bool {
	return c.head.Records == 0 || c.head.First >= c.part.From && c.head.Last < c.part.To
}

// mentions tells whether a record of the segment carries one of the
// identifiers. Contents must be loaded.
func (c *choice) mentions(xids map[pg.XID]bool) bool {
	for _, x := range c.contents.XIDs {
		if xids[x.XID] || xids[x.Top] && x.Top != 0 {
			return true
		}
	}
	return false
}

func (s *scan) load(ctx context.Context, c *choice) error {
	if c.contents != nil {
		return nil
	}
	if err := s.ix.cache.Load(ctx, c.head); err != nil {
		return err
	}
	c.contents = c.head
	return nil
}

// lookUp finds the stored variants of a segment whose file is of no use: those
// of the newest timeline that has any which fit the path.
func (s *scan) lookUp(ctx context.Context, p *position) error {
	for _, tli := range s.path.SegmentTimelines(s.size, p.n) {
		name := pg.SegmentName{Timeline: tli, Number: p.n}
		key := blockmap.SegmentKey{SystemID: s.g.SystemID, SegmentSize: s.size, Name: name}
		variants, err := s.ix.cache.Variants(ctx, key)
		if err != nil {
			return err
		}
		for _, v := range variants {
			c := &choice{head: v, rung: RungIndex, part: s.part(name)}
			if v.FirstTimeline != v.LastTimeline {
				// Where in the segment the timeline changes is in its events.
				if err := s.load(ctx, c); err != nil {
					return err
				}
			}
			if s.fits(c) == "" {
				p.choices, p.stored, p.name = append(p.choices, c), true, name
			}
		}
		if p.stored {
			return nil
		}
	}
	return nil
}
