package indexer

import (
	"context"

	"forkpoint/blockmap"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/timeline"
)

// MarkLoader is what a [Cache] may be besides: one that loads the checkpoints and
// events of a segment without the rest.
type MarkLoader interface {
	LoadMarks(ctx context.Context, s *blockmap.Segment) error
}

// Marks is [Indexer.Touched] for those who want to know that the log is whole,
// where it ends, and of its checkpoints and events. Nothing else of what the
// records say is in the result, whose size so does not depend on how much was
// done. What must be read is read, checked and kept in the cache as Touched does.
func (ix *Indexer) Marks(ctx context.Context, path timeline.Path, span pg.Span) (*Result, error) {
	return ix.scan(ctx, request{path: path, span: span, contents: true, marks: true})
}

// loadWanted is load for a choice of which no more than the result is needed.
func (s *scan) loadWanted(ctx context.Context, c *choice) error {
	loader, can := s.ix.cache.(MarkLoader)
	if !s.marks || !can || c.contents != nil {
		return s.load(ctx, c)
	}
	if err := loader.LoadMarks(ctx, c.head); err != nil {
		return err
	}
	c.contents = c.head
	return nil
}
