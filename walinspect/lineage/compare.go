package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"forkpoint/walinspect"
	"forkpoint/walinspect/pg"
	"forkpoint/walinspect/segment"
	"forkpoint/walinspect/timeline"
)

// Summer is a source that can tell what a segment file holds without handing
// it out, as a server that hashes its own files can. Sums are equal exactly
// where files are.
type Summer interface {
	Sum(ctx context.Context, name string) ([32]byte, error)
}

// Digests knows segments whose files are gone: the digest over the records of
// each variant that was indexed, see [RecordDigest].
type Digests func(ctx context.Context, tli pg.TimelineID, n uint64) ([][32]byte, error)

// Logs are two logs of one path of timelines.
type Logs struct {
	A, B     segment.Source
	Known    Digests // of A's segments whose files are gone; may be nil
	Path     timeline.Path
	Geometry walinspect.Geometry
}

// Comparison is what two logs of one path have in common.
type Comparison struct {
	Segments int    `json:"segments"`       // that both logs have
	From     pg.LSN `json:"from,omitzero"`  // where the comparison begins
	Alike    pg.LSN `json:"alike,omitzero"` // end of the last record that both have alike; From if none is
	// Differs: the logs parted. Fork is then where, as a history file would say
	// it: the end of the last record that both have. At is the first record
	// that differs, which starts there or behind a page header. Earlier says
	// that the very first records compared differ, so that the logs may have
	// parted before: the segments before are not on both sides.
	Differs bool          `json:"differs"`
	Fork    pg.LSN        `json:"fork,omitzero"`
	At      pg.LSN        `json:"at,omitzero"`
	Tli     pg.TimelineID `json:"timeline,omitempty"` // of the record
	Earlier bool          `json:"earlier,omitempty"`
	A       Mark          `json:"a"` // the record at At, or where this log ends
	B       Mark          `json:"b"`
	// Vouched is the record that proves the logs to be one up to there, see
	// [Vouch]; 0 where none was found or looked for.
	Vouched pg.LSN `json:"vouched,omitzero"`
	// Unsure is why the comparison could not go on, "" where it did.
	Unsure string `json:"unsure,omitempty"`
}

// Mark is what one log has where the comparison ended.
type Mark struct {
	LSN    pg.LSN                `json:"lsn,omitzero"` // start of the record, or end of the log
	Record bool                  `json:"record"`       // there is one
	Rmgr   string                `json:"rmgr,omitempty"`
	Info   uint8                 `json:"info"`
	XID    pg.XID                `json:"xid,omitempty"`
	Length uint32                `json:"length,omitempty"`
	CRC    uint32                `json:"crc,omitempty"`
	Stop   walinspect.StopReason `json:"stop,omitempty"` // where there is none
	Path   string                `json:"path,omitempty"`
}

// FirstDifference finds the first record that two logs do not share. Whole
// segments are compared first, by sum where a side can give one, and only from
// the first that differs on are records read.
func FirstDifference(ctx context.Context, l Logs, span pg.Span) (*Comparison, error) {
	c := &comparer{Logs: l, span: span, result: &Comparison{}}
	first, err := c.firstUnequal(ctx)
	if err != nil || c.result.Segments == 0 || c.done {
		return c.result, err
	}
	return c.result, c.walk(ctx, first)
}

type comparer struct {
	Logs
	span   pg.Span
	result *Comparison
	done   bool
}

// firstUnequal finds the first segment whose files differ; where all are the
// same, the last one.
func (c *comparer) firstUnequal(ctx context.Context) (uint64, error) {
	numbers, err := c.shared(ctx)
	if err != nil {
		return 0, err
	}
	size := c.Geometry.SegmentSize
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			// What lies in the hole is unknown: begin anew behind it.
			c.result.Unsure = fmt.Sprintf("segments between %s and %s are not on both sides", size.Name(c.Path.Tip(), numbers[i-1]), size.Name(c.Path.Tip(), n))
			c.result.Segments, c.result.From = 0, 0
		}
		if c.result.Segments == 0 {
			c.result.From = max(size.Start(n), c.span.From)
			c.result.Alike = c.result.From
		}
		c.result.Segments++
		equal, err := c.equal(ctx, n)
		if err != nil {
			return 0, err
		}
		if !equal || i == len(numbers)-1 {
			return n, nil
		}
	}
	return 0, nil
}

// shared lists the segments of the span that both sides have.
func (c *comparer) shared(ctx context.Context) ([]uint64, error) {
	a, err := c.numbers(ctx, c.A)
	if err != nil {
		return nil, err
	}
	b, err := c.numbers(ctx, c.B)
	if err != nil {
		return nil, err
	}
	var both []uint64
	for n := range a {
		if b[n] {
			both = append(both, n)
		}
	}
	slices.Sort(both)
	return both, nil
}

func (c *comparer) numbers(ctx context.Context, s segment.Source) (map[uint64]bool, error) {
	size := c.Geometry.SegmentSize
	found := map[uint64]bool{}
	for info, err := range s.List(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", s, err)
		}
		n := info.Name.Number
		if size.Span(n).Intersect(c.span).Empty() || !slices.Contains(c.timelines(n), info.Name.Timeline) {
			continue
		}
		found[n] = true
	}
	return found, nil
}

// equal tells whether both sides hold the same bytes for a segment.
func (c *comparer) equal(ctx context.Context, n uint64) (bool, error) {
	for _, tli := range c.timelines(n) {
		name := c.Geometry.SegmentSize.Name(tli, n)
		a, errA := sumOf(ctx, c.A, name)
		b, errB := sumOf(ctx, c.B, name)
		switch {
		case errors.Is(errA, fs.ErrNotExist) && errors.Is(errB, fs.ErrNotExist):
			continue
		case errors.Is(errA, fs.ErrNotExist) || errors.Is(errB, fs.ErrNotExist):
			return false, nil // under different names: the records decide
		case errors.Is(errA, segment.ErrContent) || errors.Is(errB, segment.ErrContent):
			return false, nil // what can be read of it decides
		case errA != nil || errB != nil:
			return false, errors.Join(errA, errB)
		}
		return a == b, nil
	}
	return false, nil
}
