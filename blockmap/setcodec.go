package blockmap

import (
	"bytes"
	"errors"
	"fmt"

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
	if err := s.bits.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSet, err)
	}
	if n := s.bits.GetSerializedSizeInBytes(); n != uint64(len(b)) {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrBadSet, len(b), n)
	}
	if s.Contains(pg.InvalidBlock) {
		return nil, fmt.Errorf("%w: it holds the number that means no block", ErrBadSet)
	}
	return s, nil
}
