package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"forkpoint/blockmap"
)

// fill makes a catalog of n segments whose contents are those of few.
func fill(b *testing.B, n uint64) (*Catalog, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "catalog.db")
	c, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	sample := oltp(1)
	var batch []*blockmap.Segment
	for i := range n {
		s := *sample
		s.Name.Number = i
		s.Digest[0], s.Digest[1], s.Digest[2] = byte(i), byte(i>>8), byte(i>>16)
		s.Path, s.Identity = "/archive/"+testSize.Name(1, i), testSize.Name(1, i)
		if batch = append(batch, &s); len(batch) == 100 || i == n-1 {
			if err := c.Save(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return c, path
}

// One segment into a catalog of a thousand, the catalog opened and closed for
// it, as archive_command does.
func BenchmarkPush(b *testing.B) {
	c, path := fill(b, 1000)
	c.Close()
	sample := oltp(2000)
	for b.Loop() {
		sample.Name.Number++
		sample.Path = "/archive/" + testSize.Name(1, sample.Name.Number)
		c, err := Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Save(b.Context(), sample); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err == nil {
		n := float64(1000 + b.N)
		b.ReportMetric(float64(info.Size())/n/float64(testSize)*100, "%-of-WAL")
	}
}

func BenchmarkSave(b *testing.B) {
	c, _ := fill(b, 1)
	n := uint64(1)
	segments := make([]*blockmap.Segment, 16)
	for i := range segments {
		segments[i] = oltp(uint64(i) + 1)
	}
	for b.Loop() {
		s := *segments[n%16]
		n++
		s.Name.Number = n
		if err := c.Save(b.Context(), &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	c, _ := fill(b, 200)
	key := oltp(100).Key()
	for b.Loop() {
		variants, err := c.Variants(b.Context(), key)
		if err != nil || len(variants) != 1 {
			b.Fatal(len(variants), err)
		}
		if err := c.Load(b.Context(), variants[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkByIdentity(b *testing.B) {
	c, _ := fill(b, 1000)
	s := oltp(500)
	for b.Loop() {
		if _, _, err := c.ByIdentity(b.Context(), s.Key(), s.Identity); err != nil {
			b.Fatal(err)
		}
	}
}
