package indexer

import "forkpoint/walinspect/pg"

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
				p.there = true
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
