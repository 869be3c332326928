package blockmap

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"forkpoint/walinspect/pg"
)

// ErrBadSet is matched by what [DecodeSet] refuses.
var ErrBadSet = errors.New("invalid block set")

// Bytes encodes the set in the portable roaring format, see FORMAT.md. An
// empty set encodes to no bytes.
func (s *Set) Bytes() []byte {
	if s.Empty() {
		return nil
	}
	c := s.Clone()
	c.bits.RunOptimize()
	var b bytes.Buffer
	b.Grow(int(c.bits.GetSerializedSizeInBytes()))
	c.bits.WriteTo(&b) // only the writer can fail, and a buffer does not
	return b.Bytes()
}

// DecodeSet is the reverse of [Set.Bytes]. It keeps no reference to b.
func DecodeSet(b []byte) (*Set, error) {
	s := &Set{}
	if len(b) == 0 {
		return s, nil
	}
	if err := s.bits.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSet, err)
	}
	if err := s.check(len(b)); err != nil {
		return nil, err
	}
	return s, nil
}

// UnionEncoded decodes sets and joins them, which takes much less time than one
// by one. The bytes must not be changed while it runs; the result keeps no
// reference to them.
func UnionEncoded(encoded [][]byte) (*Set, error) {
	sets := make([]*roaring.Bitmap, 0, len(encoded))
	for _, b := range encoded {
		if len(b) == 0 {
			continue
		}
		var o Set
		if _, err := o.bits.FromBuffer(b); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadSet, err)
		}
		if err := o.check(len(b)); err != nil {
			return nil, err
		}
		sets = append(sets, &o.bits)
	}
	union := &Set{}
	if dense := unionDense(sets); dense != nil {
		union.bits.Or(dense)
	} else {
		union.bits.Or(roaring.FastOr(sets...))
		union.bits.CloneCopyOnWriteContainers() // they may lie in what was encoded
	}
	return union, nil
}

// denseLimit is how far the blocks of sets may reach to be joined bit by bit:
// 64 GB of a relation, for which that takes 1 MB.
const denseLimit = 8 << 20

// unionDense joins sets by setting the bit of each block, which takes a fifth of
// the time that it takes to merge hundreds of sorted lists into one; nil where
// that would take too much memory.
func unionDense(sets []*roaring.Bitmap) *roaring.Bitmap {
	end := uint64(0)
	for _, set := range sets {
		if !set.IsEmpty() {
			end = max(end, uint64(set.Maximum())+1)
		}
	}
	if len(sets) < 3 || end > denseLimit {
		return nil
	}
	words := make([]uint64, (end+63)/64)
	var some [256]uint32
	for _, set := range sets {
		blocks := set.ManyIterator()
		for n := blocks.NextMany(some[:]); n > 0; n = blocks.NextMany(some[:]) {
			for _, block := range some[:n] {
				words[block/64] |= 1 << (block % 64)
			}
		}
	}
	return roaring.FromDense(words, true)
}

// check validates a set that was decoded from n bytes.
func (s *Set) check(n int) error {
	if err := s.bits.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSet, err)
	}
	if size := s.bits.GetSerializedSizeInBytes(); size != uint64(n) {
		return fmt.Errorf("%w: %d bytes, want %d", ErrBadSet, n, size)
	}
	if s.Contains(pg.InvalidBlock) {
		return fmt.Errorf("%w: it holds the number that means no block", ErrBadSet)
	}
	return nil
}
