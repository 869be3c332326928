package blockmap

import "forkpoint/walinspect/pg"

// Comparison tells apart the blocks that two spans touched, such as the two
// sides of a fork point. Only blocks that a record names are counted; a block
// that one side names and the other side cut away is in Both.
type Comparison struct {
	OnlyLeft  *Map
	OnlyRight *Map
	Both      *Map
}

// Compare divides the blocks of two maps. In the results Restored is empty, for
// it is a statement about one span. A fork that both sides cut has the higher
// of the two lengths as its limit in Both; the side that cut deeper, or alone,
// has its own length as its limit.
func Compare(left, right *Map) Comparison {
	c := Comparison{OnlyLeft: &Map{}, OnlyRight: &Map{}, Both: &Map{}}
	for rf := range left.All() {
		c.add(rf, left, right)
	}
	for rf := range right.All() {
		if left == nil || left.entries[rf] == nil {
			c.add(rf, left, right)
		}
	}
	return c
}

func (c *Comparison) add(rf pg.RelFork, left, right *Map) {
	l, _ := left.Get(rf)
	r, _ := right.Get(rf)
	inLeft, inRight := l.namedIn(r), r.namedIn(l)
	put(c.Both, rf, max(l.Limit, r.Limit), inLeft.Union(inRight))
	put(c.OnlyLeft, rf, ownLimit(l, r), l.Touched.Subtract(inLeft))
	put(c.OnlyRight, rf, ownLimit(r, l), r.Touched.Subtract(inRight))
}

// namedIn returns the blocks that e names and o touched.
func (e Entry) namedIn(o Entry) *Set {
	s := e.Touched.Clone()
	below := s.Clone()
	below.RemoveFrom(o.Limit)
	s.RemoveSet(below.Subtract(o.Touched))
	return s
}

// ownLimit is e's limit where it reaches below that of o.
func ownLimit(e, o Entry) pg.BlockNumber {
	if e.Limit < o.Limit {
		return e.Limit
	}
	return pg.InvalidBlock
}

func put(m *Map, rf pg.RelFork, limit pg.BlockNumber, blocks *Set) {
	if blocks.Empty() && limit == pg.InvalidBlock {
		return
	}
	if rf.Rel == 0 {
		if limit == 0 {
			m.CutDatabase(rf.Spc, rf.DB)
		}
		return
	}
	m.Put(rf, Entry{Limit: limit, Touched: blocks, Restored: &Set{}})
}
