package indexer

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
)

// Cache keeps indexed segments, so that none is read twice and that those
// whose files are gone still count. It is called from one goroutine.
type Cache interface {
	// ByIdentity finds, without contents, the variant that a file of that
	// identity held. The second result is false where there is none.
	ByIdentity(ctx context.Context, key blockmap.SegmentKey, identity string) (*blockmap.Segment, bool, error)
	// Variants lists what is known under a segment's name, without contents.
	Variants(ctx context.Context, key blockmap.SegmentKey) ([]*blockmap.Segment, error)
	// Load fills in the contents of a segment that the cache returned.
	Load(ctx context.Context, s *blockmap.Segment) error
	// Save keeps segments, all or none of them.
	Save(ctx context.Context, segments ...*blockmap.Segment) error
	// Bounds tells the lowest and the highest number of the segments that are
	// known on a timeline, false where there are none.
	Bounds(ctx context.Context, systemID uint64, size pg.SegmentSize, tli pg.TimelineID) (first, last uint64, found bool, err error)
	// Next tells the lowest number after the key's that is known on its
	// timeline, false where there is none.
	Next(ctx context.Context, key blockmap.SegmentKey) (uint64, bool, error)
}

// noCache remembers nothing.
type noCache struct{}

func (noCache) ByIdentity(context.Context, blockmap.SegmentKey, string) (*blockmap.Segment, bool, error) {
	return nil, false, nil
}
func (noCache) Variants(context.Context, blockmap.SegmentKey) ([]*blockmap.Segment, error) {
	return nil, nil
}
func (noCache) Load(context.Context, *blockmap.Segment) error    { return nil }
func (noCache) Save(context.Context, ...*blockmap.Segment) error { return nil }
func (noCache) Bounds(context.Context, uint64, pg.SegmentSize, pg.TimelineID) (uint64, uint64, bool, error) {
	return 0, 0, false, nil
}
func (noCache) Next(context.Context, blockmap.SegmentKey) (uint64, bool, error) { return 0, false, nil }
