package lineage

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"forkpoint/walinspect"
	"forkpoint/walinspect/segment"
)

// SumPart is the unit in which files are summed, in bytes: the sum of a file is
// SHA-256 over the SHA-256 sums of its parts, which a server can be asked for
// one by one.
const SumPart = 1 << 20

// SumOfParts puts the sums of a file's parts together.
func SumOfParts(parts [][32]byte) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p[:])
	}
	return [32]byte(h.Sum(nil))
}

// sumOf asks the source for the sum of a file, or reads the file.
func sumOf(ctx context.Context, s segment.Source, name string) ([32]byte, error) {
	if summer, can := s.(Summer); can {
		return summer.Sum(ctx, name)
	}
	f, err := s.Open(ctx, name)
	if err != nil {
		return [32]byte{}, err
	}
	defer f.Close() // read only
	var parts [][32]byte
	buf := make([]byte, SumPart)
	for offset := int64(0); offset < f.Size; offset += SumPart {
		if err := context.Cause(ctx); err != nil {
			return [32]byte{}, err
		}
		n, err := f.ReadAt(buf[:min(SumPart, f.Size-offset)], offset)
		if err != nil && err != io.EOF {
			return [32]byte{}, fmt.Errorf("read %s: %w", f.Path, err)
		}
		parts = append(parts, sha256.Sum256(buf[:n]))
	}
	return SumOfParts(parts), nil
}

// RecordDigest is the digest of the records that begin in a segment.
func RecordDigest(ctx context.Context, pages walinspect.PageReader, g walinspect.Geometry, n uint64) ([32]byte, error) {
	span := g.SegmentSize.Span(n)
	from, err := walinspect.FirstRecord(ctx, pages, g, span.From)
	if err != nil {
		return [32]byte{}, err
	}
	r := walinspect.NewReader(pages, g, from)
	r.SetLimit(span.To)
	d := walinspect.NewDigest()
	for r.Next(ctx) {
		d.Add(r.Record())
	}
	return d.Sum(), ctx.Err()
}
