package source

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// HashReader gives the digests that [Source.Hashes] would give for the first
// size bytes of r, for comparing a file of the target with the source's.
func HashReader(ctx context.Context, r io.ReaderAt, path string, size int64) ([]Digest, error) {
	digests := make([]Digest, 0, size/PartSize+1)
	buf := make([]byte, min(size, PartSize))
	for offset := int64(0); offset < size; offset += PartSize {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		want := min(size-offset, PartSize)
		n, err := r.ReadAt(buf[:want], offset)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("hash %s: %w", path, err)
		}
		d := Digest{Path: path, Offset: offset, Length: int64(n), Sum: sha256.Sum256(buf[:n]), Short: int64(n) < want}
		d.Last = d.Short || offset+want == size
		if digests = append(digests, d); d.Short {
			break
		}
	}
	return digests, nil
}

// collectHashes is Hash for one file.
func collectHashes(ctx context.Context, s Source, path string, size int64) ([]Digest, error) {
	var digests []Digest
	err := s.Hash(ctx, one(Range{Path: path, Length: size}), func(d Digest) error {
		if d.Missing {
			return fmt.Errorf("hash %s: %w", path, fs.ErrNotExist)
		}
		digests = append(digests, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return digests, nil
}

func one(r Range) iter.Seq[Range] { return func(yield func(Range) bool) { yield(r) } }
