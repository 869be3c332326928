package blockmap

import (
	"iter"

	"github.com/RoaringBitmap/roaring/v2"

	"forkpoint/walinspect/pg"
)

// Set is a set of block numbers of one relation fork; [pg.InvalidBlock] is not
// one. The zero value is an empty set, and a nil *Set reads as one.
type Set struct {
	bits roaring.Bitmap
}

// NewSet returns a set of the given blocks.
func NewSet(blocks ...pg.BlockNumber) *Set {
	s := &Set{}
	for _, b := range blocks {
		s.Add(b)
	}
	return s
}

// Add puts one block into the set.
func (s *Set) Add(b pg.BlockNumber) {
	if b != pg.InvalidBlock {
		s.bits.Add(uint32(b))
	}
}

// longRange is from how many blocks on the bitmap takes a range as one. It copies
// the ranges that it has beside it for that, 64 k blocks' worth.
const longRange = 64

// AddRange puts the blocks from, from+1, … to-1 into the set.
func (s *Set) AddRange(from, to pg.BlockNumber) {
	switch {
	case from >= to:
	case to-from < longRange:
		for b := from; b < to; b++ {
			s.Add(b)
		}
	default:
		s.bits.AddRange(uint64(from), uint64(to))
	}
}

// AddSet puts all blocks of o into the set.
func (s *Set) AddSet(o *Set) {
	if o != nil {
		s.bits.Or(&o.bits)
	}
}

// RemoveSet takes all blocks of o out of the set.
func (s *Set) RemoveSet(o *Set) {
	if o != nil {
		s.bits.AndNot(&o.bits)
	}
}

// RemoveFrom takes all blocks at or above limit out of the set.
func (s *Set) RemoveFrom(limit pg.BlockNumber) {
	s.bits.RemoveRange(uint64(limit), 1<<32) // exclusive end
}

// Contains tells whether b is in the set.
func (s *Set) Contains(b pg.BlockNumber) bool {
	return s != nil && s.bits.Contains(uint32(b))
}

// Len is the number of blocks.
func (s *Set) Len() uint64 {
	if s == nil {
		return 0
	}
	return s.bits.GetCardinality()
}

// Empty tells whether there are no blocks.
func (s *Set) Empty() bool { return s == nil || s.bits.IsEmpty() }

// All yields the blocks in ascending order.
func (s *Set) All() iter.Seq[pg.BlockNumber] {
	return func(yield func(pg.BlockNumber) bool) {
		if s == nil {
			return
		}
		for it := s.bits.Iterator(); it.HasNext(); {
			if !yield(pg.BlockNumber(it.Next())) {
				return
			}
		}
	}
}

// Ranges yields the blocks as the fewest ranges [from, to), ascending.
func (s *Set) Ranges() iter.Seq2[pg.BlockNumber, pg.BlockNumber] {
	return func(yield func(from, to pg.BlockNumber) bool) {
		if s == nil {
			return
		}
		it := s.bits.Iterator()
		if !it.HasNext() {
			return
		}
		from := it.Next()
		to := from + 1
		for it.HasNext() {
			b := it.Next()
			if b != to {
				if !yield(pg.BlockNumber(from), pg.BlockNumber(to)) {
					return
				}
				from = b
			}
			to = b + 1
		}
		yield(pg.BlockNumber(from), pg.BlockNumber(to))
	}
}

// Union returns the blocks that are in either set.
func (s *Set) Union(o *Set) *Set {
	u := s.Clone()
	u.AddSet(o)
	return u
}

// Intersect returns the blocks that are in both sets.
func (s *Set) Intersect(o *Set) *Set {
	if s == nil || o == nil {
		return &Set{}
	}
	u := s.Clone()
	u.bits.And(&o.bits)
	return u
}

// Subtract returns the blocks of s that are not in o.
func (s *Set) Subtract(o *Set) *Set {
	u := s.Clone()
	u.RemoveSet(o)
	return u
}

// Clone returns a set of its own with the same blocks; of nil, an empty one.
func (s *Set) Clone() *Set {
	c := &Set{}
	if s != nil {
		c.bits.Or(&s.bits)
	}
	return c
}

// Equal tells whether both sets hold the same blocks.
func (s *Set) Equal(o *Set) bool {
	if s.Empty() || o.Empty() {
		return s.Empty() && o.Empty()
	}
	return s.bits.Equals(&o.bits)
}
