package lineage

import (
	"context"
	"fmt"
	"slices"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
)

// lookBack asks the catalog where the first records that could be compared
// differ already: for segments whose files side A does not have any more it
// may know the digest of their records, and side B may still have the files.
func (c *comparer) lookBack(ctx context.Context) error {
	if c.Known == nil {
		return nil
	}
	size, r := c.Geometry.SegmentSize, c.result
	pages := c.pages(c.B)
	defer pages.Close()
	for n := size.Number(r.At); n > size.Number(c.span.From); n-- {
		equal, known, err := c.digestsEqual(ctx, n-1, func() ([32]byte, error) { return RecordDigest(ctx, pages, c.Geometry, n-1) })
		if err != nil || !known {
			return err
		}
		if equal {
			// The segment before is the same on both sides, so what differs
			// first lies behind it.
			r.Earlier, r.From = r.At != c.firstIn(ctx, n), size.Start(n-1)
			return nil
		}
		r.At, r.Fork, r.From = size.Start(n-1), size.Start(n-1), size.Start(n-1)
		r.Unsure = fmt.Sprintf("of segment %s only digests are known: the logs part in it or before", size.Name(c.Path.Tip(), n-1))
	}
	return nil
}

// digestsEqual compares the digest of side B's segment with those in the
// catalog.
func (c *comparer) digestsEqual(ctx context.Context, n uint64, ofB func() ([32]byte, error)) (equal, known bool, err error) {
	var digests [][32]byte
	for _, tli := range c.timelines(n) {
		if digests, err = c.Known(ctx, tli, n); err != nil {
			return false, false, err
		}
		if len(digests) > 0 {
			break
		}
	}
	if len(digests) == 0 {
		return false, false, nil
	}
	b, err := ofB()
	if err != nil {
		return false, false, ctx.Err() // its file is gone too, or ends early
	}
	return slices.Contains(digests, b), true, nil
}

// firstIn is the first record that begins in a segment of side B.
func (c *comparer) firstIn(ctx context.Context, n uint64) pg.LSN {
	pages := c.pages(c.B)
	defer pages.Close()
	from, err := walinspect.FirstRecord(ctx, pages, c.Geometry, c.Geometry.SegmentSize.Start(n))
	if err != nil {
		return 0
	}
	return from
}
