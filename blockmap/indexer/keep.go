package indexer

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect"
)

// keep turns what a worker read into the position's choice, and falls back to
// what is stored where the file turned out to be of no use.
func (s *scan) keep(ctx context.Context, p *position, out *outcome) error {
	if out.head != nil {
		c := &choice{head: out.head, contents: out.contents(), rung: RungWAL, part: p.job.part, crosses: out.crosses}
		known, err := s.complete(ctx, p, out)
		if known || err != nil {
			return err
		}
		if err := s.remember(ctx, out.whole); err != nil {
			return err
		}
		if out.reason = s.fits(c); out.reason == "" {
			p.choices = []*choice{c}
			return nil
		}
		s.suspect[p.name.Timeline] = true
	}
	p.reason, p.stop = out.reason, out.stop
	p.there = !out.stop.EndOfWAL() && out.stop != walinspect.StopMissingSegment
	s.ix.opts.Log.Debug("segment is of no use", "segment", p.name.Format(s.size), "reason", out.reason)
	return s.lookUp(ctx, p)
}

// complete finds the stored segments that go on from what was read, where only
// the end of the last record is missing since the next segment is: what is
// stored has it.
func (s *scan) complete(ctx context.Context, p *position, out *outcome) (bool, error) {
	if !out.crosses || !s.ix.caches || out.whole == nil {
		return false, nil
	}
	variants, err := s.ix.cache.Variants(ctx, out.head.Key())
	for _, v := range variants {
		if c := (&choice{head: v, rung: RungIndex, part: p.job.part}); v.Complete && v.InnerDigest == out.whole.Digest && s.fits(c) == "" {
			p.choices, p.stored = append(p.choices, c), true
		}
	}
	return p.stored, err
}

func (s *scan) remember(ctx context.Context, whole *blockmap.Segment) error {
	if whole == nil || !s.ix.caches {
		return nil
	}
	if s.save = append(s.save, whole); len(s.save) < saveBatch {
		return nil
	}
	return s.flush(ctx)
}
