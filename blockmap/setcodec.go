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
	union.bits.Or(roaring.FastOr(sets...)) // copies what FastOr only refers to
	return union, nil
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
